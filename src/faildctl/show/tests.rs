use super::*;
use crate::control::{
    AddressSnapshot, Decision, Destination, DestinationCounts, GroupCounts, HopSnapshot, HopState, KernelWay,
    LanSnapshot, Levels, NextHop, PathAccount, PathFigures, PeerCounts, Reason, Rehearsal, ServingRoute,
    Step, Why,
};
use crate::engine::PathKey;
use crate::interface::Family;
use crate::wire::{LanIndex, NodeId};

const PLAIN: Screen = Screen { is_coloured: false };

#[test]
fn a_lan_that_does_not_work_shows_why() {
    let renamed = LanState::Renamed("eth7".to_owned());
    let states = [LanState::NoCarrier, LanState::AdminDown, LanState::Absent, renamed];
    let lans: Vec<Lan> = states.into_iter().map(|state| lan("lanA", state, 0, 0)).collect();
    let shown = PLAIN.text(&Reply::Lans(lans), true);
    for word in ["no carrier", "admin down", "absent", "renamed"] {
        assert!(shown.contains(word), "{shown}");
    }
}

fn lan(interface: &str, state: LanState, up: usize, down: usize) -> Lan {
    let addresses = vec!["10.1.0.1".parse().unwrap()];
    let (interface, index) = (interface.to_owned(), LanIndex(0));
    let snapshot = LanSnapshot { index, interface, state, offline: false, addresses };
    Lan { snapshot, offline: None, paths: Levels { up, down, unknown: 0 } }
}

fn status() -> Status {
    Status {
        health: Health::Degraded,
        reasons: vec!["lanA: no carrier".to_owned()],
        node: "a452f713d284660d".to_owned(),
        program: "0.1.0".to_owned(),
        pid: 4711,
        uptime_ms: 7_200_000,
        requestor: true,
        dry_run: false,
        unconfirmed_ms: None,
        realtime: None,
        keyed: true,
        interval_us: 200_000,
        missed: 2,
        good: 10,
        lans: vec![lan("lanA", LanState::NoCarrier, 0, 2), lan("lanB", LanState::Up, 2, 0)],
        peers: PeerCounts { known: 2, present: 1, degraded: 1, moved: 1 },
        groups: GroupCounts::default(),
        destinations: DestinationCounts::default(),
        overlays: 2,
        saved: 1,
        parked: 0,
        problems: 0,
        received: 7,
        sent: 8,
        dropped: std::collections::BTreeMap::new(),
    }
}

fn path() -> PathSnapshot {
    let detour = NextHop { interface: "lanB".to_owned(), via: "10.2.0.2".parse().unwrap() };
    PathSnapshot {
        key: PathKey { lan: LanIndex(0), family: Family::V4, peer_lan: LanIndex(0) },
        interface: "lanA".to_owned(),
        state: Level::Down,
        draining: false,
        counted: Level::Down,
        reported: Level::Up,
        missed: 7,
        good: 0,
        ready: false,
        peer_ready: false,
        moved: true,
        peer_moved: false,
        round_trip: Some(Duration::from_micros(1234)),
        heard: None,
        penalty: 0.0,
        addresses: vec![AddressSnapshot {
            address: "10.1.0.2".parse().unwrap(),
            proven: true,
            detour: Some(detour),
        }],
    }
}

fn peer() -> PeerSnapshot {
    PeerSnapshot {
        node: NodeId(0x5cf8_967b_a08b_f691),
        name: None,
        present: true,
        requestor: false,
        observer: false,
        interval: Duration::from_secs(1),
        paths: vec![path()],
    }
}

#[test]
fn the_status_says_what_is_wrong_first_and_fits_the_screen() {
    let text = PLAIN.text(&Reply::Status(Box::new(status())), true);
    assert_eq!(
        text,
        "\
faild:  degraded
  lanA: no carrier

LAN   STATE       UP  DOWN  UNKNOWN  ADDRESSES
lanA  no carrier  0   2     0        10.1.0.1
lanB  up          2   0     0        10.1.0.1

peers: 1 of 2 present, 1 with a path down, 1 on a detour
routes: 2 overlays, 1 saved, 0 addresses parked on lo, 0 problems
probes: every 200ms on each LAN, down after 2 missed, up after 10 good, signed
daemon: version 0.1.0, pid 4711, up 120min, node a452f713d284660d
"
    );
    assert!(text.lines().all(|line| line.len() <= 80));
}

#[test]
fn the_status_counts_groups_and_destinations_where_there_are_some() {
    let mut status = status();
    status.groups = GroupCounts { known: 2, degraded: 1, failed: 0 };
    status.destinations = DestinationCounts { known: 3, degraded: 1, moved: 1, silent: 0 };
    let lines = "groups: 2, 1 degraded, 0 failed\n\
                 destinations: 3, 1 with a failed next hop, 1 not on the first choice, 0 failed\n";
    let text = PLAIN.text(&Reply::Status(Box::new(status.clone())), true);
    assert!(text.contains(lines) && text.contains("\nLAN   STATE"), "{text}");
    assert!(text.lines().all(|line| line.len() <= 80), "{text}");
    status.lans.clear();
    let text = PLAIN.text(&Reply::Status(Box::new(status)), true);
    assert!(!text.contains("STATE"), "who has no LAN has no table of them: {text}");
}

#[test]
fn a_peer_is_a_block_with_its_detours() {
    let text = PLAIN.text(&Reply::Peers(Page { items: vec![peer(), peer()], more: None }), true);
    let block = "\
10.1.0.2  present  responder  every 1.0s  node 5cf8967ba08bf691
  lanA  ipv4  down  peer: up  missed 7 good 0  rtt 1.2ms    moved
  10.1.0.2 uses lanB via 10.2.0.2
";
    assert_eq!(text, format!("{block}\n{block}"));
}

#[test]
fn colour_is_only_added_and_only_where_it_is_wanted() {
    let coloured = Screen { is_coloured: true }.text(&Reply::Status(Box::new(status())), true);
    assert!(coloured.contains("\x1b[33mdegraded\x1b[0m"), "{coloured:?}");
    assert!(!PLAIN.text(&Reply::Status(Box::new(status())), true).contains('\x1b'));
}

#[test]
fn empty_lists_say_so() {
    assert_eq!(PLAIN.text(&Reply::Peers(Page { items: vec![], more: None }), true), "no peers known yet\n");
    let routes = PLAIN.text(
        &Reply::Routes(Routes { destinations: vec![], page: Page { items: vec![], more: None } }),
        true,
    );
    assert_eq!(routes, "no overlays, saved routes or problems\n");
}

#[test]
fn durations_have_the_digits_that_matter() {
    for (nanos, text) in [
        (739_000, "739us"),
        (1_230_000, "1.2ms"),
        (99_000_000, "99ms"),
        (1_640_000_000, "1.6s"),
        (59_000_000_000, "59s"),
        (7_200_000_000_000, "120min"),
    ] {
        assert_eq!(short(Duration::from_nanos(nanos)), text);
    }
}

fn why() -> Why {
    let reason = |word: &str, text: &str| Reason { word: word.to_owned(), text: text.to_owned() };
    let figures = PathFigures {
        interface: "lanA".to_owned(),
        address: Some("10.1.0.2".parse().unwrap()),
        is_home: true,
        serves: false,
        state: Level::Down,
        counted: Level::Down,
        reported: Level::Up,
        missed: 7,
        missed_limit: 2,
        good: 3,
        good_limit: Some(10),
        round_trip: Some(Duration::from_micros(1234)),
        heard: Some(Duration::from_millis(2100)),
        penalty: 2750.0,
        penalty_reuse: 1000.0,
        damped: Some(Duration::from_secs(75)),
        peer_ready: false,
    };
    let unready = vec![reason("good-slots", "10 clean slots (3 so far)")];
    let account = PathAccount { figures, evidence: "missed".to_owned(), unready };
    Why {
        destination: "10.9.0.0/24".to_owned(),
        kernel: KernelWay::Leaves {
            interface: "lanB".to_owned(),
            via: Some("10.2.0.2".parse().unwrap()),
            source: Some("10.1.0.1".parse().unwrap()),
        },
        route: Some(ServingRoute {
            prefix: "10.9.0.0/24".to_owned(),
            overlay: Some("10.9.0.0/24 via 10.2.0.2 dev lanB".to_owned()),
            original: Some("10.9.0.0/24 via 10.1.0.2 dev lanA".to_owned()),
            original_gone: true,
            problem: None,
        }),
        rule: None,
        group: None,
        decision: Some(Decision {
            address: "10.1.0.2".parse().unwrap(),
            home: "lanA".to_owned(),
            node: NodeId(0x5cf8_967b_a08b_f691),
            name: Some("storage".to_owned()),
            detour: Some(NextHop { interface: "lanB".to_owned(), via: "10.2.0.2".parse().unwrap() }),
            reason: reason("home-down", "lanA is down (missed), and the detour is up"),
            waiting_for: vec![reason("good-slots", "10 clean slots (3 so far)")],
            paths: vec![account],
        }),
    }
}

#[test]
fn why_goes_from_the_kernel_to_the_counters() {
    assert_eq!(
        PLAIN.text(&Reply::Why(Box::new(why())), true),
        "\
now:      through lanB via 10.2.0.2 from 10.1.0.1
overlay:  10.9.0.0/24 via 10.2.0.2 dev lanB
for:      10.9.0.0/24 via 10.1.0.2 dev lanA (lost with its interface, saved)
peer:     storage, 10.1.0.2 on lanA
why:      lanA is down (missed), and the detour is up
stays on lanB via 10.2.0.2 until:
  - 10 clean slots (3 so far)

lanA  down  10.1.0.2  home
  local count down, peer reports up; evidence missed
  missed 7 of 2, good 3 of 10, rtt 1.2ms, heard 2.1s ago
  penalty 2750, failback suppressed for 75s; not ready: 10 clean slots (3 so far); the peer is not ready
"
    );
    let hop = HopSnapshot {
        interface: "lanB".to_owned(),
        via: None,
        rank: 1,
        weight: 1,
        state: HopState::Up,
        in_use: true,
        reason: String::new(),
        penalty: 0.0,
        targets: vec![],
    };
    let rule = Destination {
        destination: "10.0.0.0/8".to_owned(),
        table: 254,
        reason: Reason { word: "first-choice".to_owned(), text: "the first choice is in use".to_owned() },
        overlay: None,
        original: None,
        problem: None,
        next_hops: vec![hop],
    };
    let ruled = Why { route: None, decision: None, rule: Some(rule), ..why() };
    assert_eq!(
        PLAIN.text(&Reply::Why(Box::new(ruled)), true),
        "\
now:   through lanB via 10.2.0.2 from 10.1.0.1
rule:  [[route]] 10.0.0.0/8
why:   the first choice is in use

  lanB  rank 1  weight 1  up  in use
"
    );
    let unknown = Why { route: None, decision: None, kernel: KernelWay::Local {}, ..why() };
    let text = PLAIN.text(&Reply::Why(Box::new(unknown)), true);
    assert!(text.contains("an address of this host") && text.contains("the kernel alone decides"), "{text}");
}

#[test]
fn a_plan_says_when_and_what_and_how_much_is_left_out() {
    let step = |after_ms, command: &str| Step { after_ms, command: command.to_owned() };
    let steps = vec![step(0, "ip route add x"), step(405, "ip neigh del y")];
    let plan = Rehearsal { fault: "lanA loses its carrier".to_owned(), steps, count: 9, note: None };
    assert_eq!(
        PLAIN.text(&Reply::Plan(plan.clone()), true),
        "if lanA loses its carrier:\n  at once      ip route add x\n  after 405ms  ip neigh del y\n  and 7 more\n"
    );
    let note = Some("no change".to_owned());
    let nothing = Rehearsal { steps: vec![], count: 0, note, ..plan };
    assert!(PLAIN.text(&Reply::Plan(nothing), true).ends_with("  no change\n"));
}
