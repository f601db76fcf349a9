use super::*;
use crate::control::{Address, NextHop, PeerCounts};

const PLAIN: Screen = Screen { is_coloured: false };

fn lan(interface: &str, state: LanState, up: usize, down: usize) -> Lan {
    let addresses = vec!["10.1.0.1".parse().unwrap()];
    Lan { interface: interface.to_owned(), index: 0, state, offline: None, addresses, up, down, unknown: 0 }
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
        keyed: true,
        interval_us: 200_000,
        missed: 2,
        good: 10,
        lans: vec![lan("lanA", LanState::NoCarrier, 0, 2), lan("lanB", LanState::Up, 2, 0)],
        peers: PeerCounts { known: 2, present: 1, degraded: 1, moved: 1 },
        overlays: 2,
        remembered: 1,
        waiting: 0,
        troubles: 0,
        received: 7,
        sent: 8,
        dropped: std::collections::BTreeMap::new(),
    }
}

fn path() -> Path {
    let way = NextHop { interface: "lanB".to_owned(), via: "10.2.0.2".parse().unwrap() };
    Path {
        interface: "lanA".to_owned(),
        family: "ipv4".to_owned(),
        state: PathState::Down,
        counted: PathState::Down,
        reported: PathState::Up,
        missed: 7,
        good: 0,
        ready: false,
        peer_ready: false,
        moved: true,
        peer_moved: false,
        round_trip_us: Some(1234),
        heard_ms: None,
        penalty: 0.0,
        addresses: vec![Address { address: "10.1.0.2".parse().unwrap(), proven: true, way: Some(way) }],
    }
}

fn peer() -> Peer {
    Peer {
        node: "5cf8967ba08bf691".to_owned(),
        name: None,
        present: true,
        requestor: false,
        observer: false,
        interval_us: 1_000_000,
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

peers: 1 present of 2, 1 with a path down, 1 on a detour
routes: 2 overlays, 1 remembered, 0 addresses on lo, 0 troubles
probes: every 200ms on each LAN, down after 2 missed, up after 10 good, signed
daemon: version 0.1.0, pid 4711, up 120min, node a452f713d284660d
"
    );
    assert!(text.lines().all(|line| line.len() <= 80));
}

#[test]
fn a_peer_is_a_block_with_its_detours() {
    let text = PLAIN.text(&Reply::Peers(Page { items: vec![peer(), peer()], more: None }), true);
    let block = "\
10.1.0.2  present  responder  every 1.0s  node 5cf8967ba08bf691
  lanA  ipv4  down  peer: up  missed 7 good 0  rtt 1.2ms    we moved
  10.1.0.2 goes by lanB via 10.2.0.2
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
    assert_eq!(PLAIN.text(&Reply::Peers(Page { items: vec![], more: None }), true), "no peer is known yet\n");
    let routes = PLAIN.text(&Reply::Routes(Page { items: vec![], more: None }), true);
    assert_eq!(routes, "nothing is moved, remembered or in trouble\n");
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
