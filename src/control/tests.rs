use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::engine::PathKey;
use crate::interface::Family;
use crate::time::Instant;
use crate::wire::{LanIndex, NodeId};

#[test]
fn a_request_is_the_line_that_the_manual_shows() {
    let request = Request::Events { after: Some(7), follow: true };
    let line = request.to_line();
    assert_eq!(line, r#"{"version":2,"command":"events","after":7,"follow":true}"#);
    assert_eq!(Request::from_line(line.as_bytes()), Ok(request));
    let short = br#"{"version":2,"command":"events"}"#;
    assert_eq!(Request::from_line(short), Ok(Request::Events { after: None, follow: false }));
}

#[test]
fn what_changes_something_is_known_as_that() {
    let offline =
        r#"{"version":2,"command":"offline","interface":"eth1","reason":"new switch","for_s":3600}"#;
    let request = Request::from_line(offline.as_bytes()).unwrap();
    assert!(request.is_change() && !Request::Why { destination: "x".to_owned() }.is_change());
    let Request::Offline { for_s, force, .. } = request else { panic!("{request:?}") };
    assert_eq!((for_s, force), (Some(3600), false));
    for line in
        [r#"{"version":2,"command":"failback"}"#, r#"{"version":2,"command":"online","interface":"e"}"#]
    {
        assert!(Request::from_line(line.as_bytes()).unwrap().is_change(), "{line}");
    }
}

#[test]
fn what_is_wrong_with_a_request_is_said() {
    for (line, kind, words) in [
        ("", RefusalKind::BadRequest, "not a line of JSON"),
        ("[1]", RefusalKind::BadRequest, "has no version"),
        (r#"{"command":"status"}"#, RefusalKind::BadRequest, "has no version"),
        (r#"{"version":9,"command":"status"}"#, RefusalKind::WrongVersion, "version 9 is not supported"),
        (r#"{"version":2,"command":"reboot"}"#, RefusalKind::BadRequest, "unknown variant `reboot`"),
        (r#"{"version":2,"command":"lans","x":1}"#, RefusalKind::BadRequest, "unknown field `x`"),
        (r#"{"version":2,"command":"routes","after":-1}"#, RefusalKind::BadRequest, "invalid value"),
    ] {
        let refusal = Request::from_line(line.as_bytes()).unwrap_err();
        assert_eq!(refusal.kind, kind, "{line}");
        assert!(refusal.message.contains(words), "{line}: {refusal}");
    }
}

#[test]
fn an_answer_survives_the_wire_and_new_fields() {
    let refusal = Refusal { kind: RefusalKind::NotFound, message: "no LAN eth9".to_owned() };
    let reply = Reply::Error(refusal);
    let line = reply.to_line();
    assert_eq!(line, r#"{"version":2,"error":{"kind":"not-found","message":"no LAN eth9"}}"#);
    assert_eq!(Reply::from_line(&line).unwrap(), reply);
    let newer = line.replace("}}", r#","advice":"look again"}}"#);
    assert_eq!(Reply::from_line(&newer).unwrap(), reply);
}

/// The schema, by example: an answer of each kind with all its members. Whoever changes it raises [`VERSION`], unless
/// something is only added, and tells the manual.
#[test]
fn answers_are_those_of_the_example_and_survive_the_wire() {
    let example: Vec<serde_json::Value> = serde_json::from_str(include_str!("answers.json")).unwrap();
    let replies = everything();
    let lines: Vec<String> = replies.iter().map(Reply::to_line).collect();
    let values = lines.iter().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let values: Vec<serde_json::Value> = values.collect();
    assert!(values == example, "this is said now: {:#}", serde_json::Value::Array(values));
    for (line, reply) in lines.iter().zip(replies) {
        assert_eq!(Reply::from_line(line).unwrap(), reply);
    }
}

/// Both ways: what is sent is described, and what is described is sent.
#[test]
fn the_manual_has_every_member_and_no_other() {
    let manual = include_str!("../../man/faild-control.7");
    let (_, answers) = manual.split_once(".Ss Answers\n").unwrap();
    let (answers, _) = answers.split_once(".Sh EXAMPLES\n").unwrap();
    let described: BTreeSet<&str> = answers
        .lines()
        .filter_map(|line| line.split_once("Ic ").map(|(_, words)| words))
        .flat_map(|words| words.split([' ', ',']))
        .filter(|word| word.starts_with(|c: char| c.is_ascii_lowercase()))
        .collect();
    let mut sent = BTreeSet::new();
    for reply in everything() {
        names(&serde_json::from_str(&reply.to_line()).unwrap(), &mut sent);
    }
    // The reasons for drops are in faild(8), the fields of an event are those of its line.
    for name in ["version", "malformed", "peer"] {
        assert!(sent.remove(name), "{name}");
    }
    // That of the next request is explained there.
    let described = described.into_iter().filter(|name| *name != "after").map(str::to_owned);
    let described: BTreeSet<String> = described.collect();
    assert_eq!(sent.difference(&described).collect::<Vec<_>>(), [""; 0], "not in faild-control.7");
    assert_eq!(described.difference(&sent).collect::<Vec<_>>(), [""; 0], "only in faild-control.7");
}

#[test]
fn an_answer_in_another_version_is_named_as_that_whatever_is_in_it() {
    for line in [
        r#"{"version":1,"error":{"kind":"wrong-version","message":"x"}}"#,
        r#"{"version":1,"status":{"remembered":7}}"#,
        r#"{"version":1}"#,
    ] {
        assert!(matches!(Reply::from_line(line), Err(Unreadable::Version(1))), "{line}");
    }
    for line in ["", "{}", r#"{"version":2}"#, r#"{"version":2,"status":{}}"#] {
        assert!(matches!(Reply::from_line(line), Err(Unreadable::Content(_))), "{line}");
    }
}

const ROUTER: [u8; 4] = [192, 0, 2, 1];

fn target() -> TargetSnapshot {
    TargetSnapshot {
        name: "gate".to_owned(),
        address: ROUTER.into(),
        method: Method::Echo,
        state: HopState::Degraded,
        missed: 0,
        good: 7,
        loss_percent: Some(12),
        round_trip: Some(Duration::from_micros(420)),
        answered: Some(Duration::from_millis(9)),
    }
}

fn member_targets() -> MemberTargets {
    let instance = InstanceSnapshot {
        family: Family::V4,
        mode: Mode::Routes,
        test_address: Some([192, 0, 2, 11].into()),
        targets: vec![target()],
        invalid: 0,
    };
    MemberTargets { group: "lan0".to_owned(), interface: "eth0".to_owned(), instance }
}

fn offline() -> Option<OfflineEntry> {
    let (since, until) = (Duration::from_millis(1_700_000_000_000), Duration::from_millis(1_700_003_600_000));
    Some(OfflineEntry { reason: "new switch".to_owned(), since, until: Some(until) })
}

fn group() -> Group {
    let snapshot = MemberSnapshot {
        interface: "eth0".to_owned(),
        active: false,
        standby: false,
        inactive: false,
        duplicate_mac: false,
        no_data_address: false,
        state: MemberState::Offline,
        link: Link::Up,
        probing: Probing::Disabled,
        taken_over_by: Some("eth1".to_owned()),
        instances: Vec::new(),
    };
    let addresses = vec![DataAddress { address: [192, 0, 2, 20].into(), up: true }];
    Group {
        name: "lan0".to_owned(),
        state: GroupState::Degraded,
        detection: Some(Duration::from_secs(10)),
        members: vec![Member { snapshot, offline: offline(), addresses }],
    }
}

fn reason(word: &str) -> Reason {
    Reason { word: word.to_owned(), text: "in words".to_owned() }
}

fn destination() -> Destination {
    let hop = HopSnapshot {
        interface: "eth0".to_owned(),
        via: Some(ROUTER.into()),
        rank: 1,
        weight: 1,
        state: HopState::Up,
        in_use: true,
        reason: "works".to_owned(),
        penalty: 0.0,
        targets: vec![target()],
    };
    Destination {
        destination: "0.0.0.0/0".to_owned(),
        table: 254,
        reason: reason("first-choice"),
        overlay: Some("default via 192.0.2.1 dev eth0 proto 250".to_owned()),
        original: Some("default via 198.51.100.1 dev eth1".to_owned()),
        problem: Some("removed 5 times by another program".to_owned()),
        next_hops: vec![hop],
    }
}

fn lans() -> Vec<Lan> {
    let lan = |index: u8, state, offline, down| Lan {
        snapshot: LanSnapshot {
            index: LanIndex(index),
            interface: format!("eth{index}"),
            state,
            offline: false,
            addresses: vec![[10, 1, index, 1].into()],
        },
        offline,
        paths: Levels { up: 0, down, unknown: 1 },
    };
    vec![lan(0, LanState::AdminDown, offline(), 1), lan(1, LanState::Renamed("wan0".to_owned()), None, 0)]
}

fn status() -> Status {
    Status {
        health: Health::Degraded,
        reasons: vec!["eth0: administratively down".to_owned()],
        node: "a452f713d284660d".to_owned(),
        program: "0.1.0".to_owned(),
        pid: 4711,
        uptime_ms: 7_200_000,
        requestor: true,
        dry_run: false,
        unconfirmed_ms: Some(60_000),
        realtime: Some(Realtime {
            wanted: true,
            priority: Some(10),
            memory_locked: false,
            problems: vec!["not permitted; start faild as root".to_owned()],
        }),
        keyed: true,
        interval_us: 200_000,
        missed: 2,
        good: 10,
        lans: lans(),
        peers: PeerCounts { known: 2, present: 1, degraded: 1, moved: 1 },
        groups: GroupCounts { known: 1, degraded: 1, failed: 0 },
        destinations: DestinationCounts { known: 1, degraded: 0, moved: 0, silent: 0 },
        overlays: 2,
        saved: 1,
        parked: 0,
        problems: 0,
        received: 7,
        sent: 8,
        dropped: BTreeMap::from([("malformed".to_owned(), 3)]),
    }
}

fn detour() -> Option<NextHop> {
    Some(NextHop { interface: "eth1".to_owned(), via: [10, 1, 1, 2].into() })
}

fn peer() -> PeerSnapshot {
    let path = PathSnapshot {
        key: PathKey { lan: LanIndex(0), family: Family::V4, peer_lan: LanIndex(1) },
        interface: "eth0".to_owned(),
        state: Level::Down,
        draining: false,
        counted: Level::Down,
        reported: Level::Unknown,
        missed: 7,
        good: 0,
        ready: false,
        peer_ready: false,
        moved: true,
        peer_moved: false,
        round_trip: Some(Duration::from_micros(1234)),
        heard: Some(Duration::from_millis(2100)),
        penalty: 1000.0,
        addresses: vec![AddressSnapshot { address: [10, 1, 0, 2].into(), proven: true, detour: detour() }],
    };
    PeerSnapshot {
        node: NodeId(0x5cf8_967b_a08b_f691),
        name: Some("db1".to_owned()),
        present: true,
        requestor: true,
        observer: false,
        interval: Duration::from_millis(200),
        paths: vec![path],
    }
}

fn why() -> Why {
    let figures = PathFigures {
        interface: "eth0".to_owned(),
        address: Some([10, 1, 0, 2].into()),
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
    let path = PathAccount { figures, evidence: "missed".to_owned(), unready: vec![reason("damped")] };
    Why {
        destination: "10.1.0.2".to_owned(),
        kernel: KernelWay::Leaves {
            interface: "eth1".to_owned(),
            via: Some([10, 1, 1, 2].into()),
            source: Some([10, 1, 0, 1].into()),
        },
        route: Some(ServingRoute {
            prefix: "10.1.0.2/32".to_owned(),
            overlay: Some("10.1.0.2/32 via 10.1.1.2 dev eth1 proto 250".to_owned()),
            original: Some("10.1.0.0/24 dev eth0".to_owned()),
            original_gone: true,
            problem: Some("no lower metric is free for an overlay".to_owned()),
        }),
        rule: Some(destination()),
        group: Some(GroupAccount {
            reason: reason("member-up"),
            group: group(),
            targets: vec![member_targets()],
        }),
        decision: Some(Decision {
            address: [10, 1, 0, 2].into(),
            home: "eth0".to_owned(),
            node: NodeId(0x5cf8_967b_a08b_f691),
            name: Some("db1".to_owned()),
            detour: detour(),
            reason: reason("home-down"),
            waiting_for: vec![reason("good-slots")],
            paths: vec![path],
        }),
    }
}

/// An answer of each kind, with all that it can have.
fn everything() -> Vec<Reply> {
    let route = Route {
        kind: RouteKind::Saved,
        destination: "10.9.0.0/16".to_owned(),
        text: "10.9.0.0/16 via 10.1.0.7 dev eth0".to_owned(),
    };
    let hop = NextHopTargets {
        destination: "0.0.0.0/0".to_owned(),
        table: 254,
        interface: "eth0".to_owned(),
        via: Some(ROUTER.into()),
        targets: vec![target()],
    };
    let record = ProbeRecord {
        number: 1,
        interface: "eth0".to_owned(),
        sequence: 3,
        target: ROUTER.into(),
        method: Method::Neighbour,
        sent: Instant::default(),
        round_trip: Some(Duration::from_micros(420)),
        average: Some(Duration::from_micros(400)),
        deviation: Some(Duration::from_micros(30)),
    };
    let probe = Probe { record, time_ms: 1_700_000_000_100 };
    let event = Event::from_line(7, 1_700_000_000_000, "warn", "peer-down peer=5cf8967ba08bf691");
    let step = Step { after_ms: 405, command: "ip route add 10.1.0.2 via 10.1.1.2 dev eth1".to_owned() };
    let peer_page = Page { items: vec![peer()], more: Some("5cf8967ba08bf691".to_owned()) };
    let page = Page { items: vec![route], more: Some(256) };
    vec![
        Reply::Status(Box::new(status())),
        Reply::Lans(lans()),
        Reply::Peers(peer_page),
        Reply::Routes(Routes { destinations: vec![destination()], page }),
        Reply::Groups(vec![group()]),
        Reply::Targets(Targets { members: vec![member_targets()], next_hops: vec![hop] }),
        Reply::Probes(Probes { time_ms: 1_700_000_000_200, items: vec![probe] }),
        Reply::Events(vec![event]),
        Reply::Why(Box::new(why())),
        Reply::Why(Box::new(Why { kernel: KernelWay::Local {}, ..why() })),
        Reply::Why(Box::new(Why { kernel: KernelWay::Refused("unreachable".to_owned()), ..why() })),
        Reply::Plan(Rehearsal {
            fault: "eth0 loses its carrier".to_owned(),
            steps: vec![step],
            count: 9,
            note: Some("no change".to_owned()),
        }),
        Reply::Done("faild is stopping".to_owned()),
        Reply::Error(Refusal { kind: RefusalKind::NotFound, message: "no LAN eth9".to_owned() }),
    ]
}

fn names(value: &serde_json::Value, found: &mut BTreeSet<String>) {
    if let Some(object) = value.as_object() {
        found.extend(object.keys().cloned());
        object.values().for_each(|value| names(value, found));
    }
    value.as_array().into_iter().flatten().for_each(|value| names(value, found));
}

/// What is read is written as the same line again.
#[test]
fn mutated_requests_and_answers_are_refused_or_read_the_same_again() {
    let answers: Vec<Vec<u8>> = everything().iter().map(|reply| reply.to_line().into_bytes()).collect();
    crate::mutated::each_of("control", &answers, |bytes| {
        if let Ok(request) = Request::from_line(bytes) {
            assert_eq!(Request::from_line(request.to_line().as_bytes()), Ok(request));
        }
        let Ok(text) = std::str::from_utf8(bytes) else { return };
        if let Ok(reply) = Reply::from_line(text) {
            let line = reply.to_line();
            assert_eq!(Reply::from_line(&line).unwrap().to_line(), line);
        }
    });
}
