use super::*;
use crate::config::Method;
use crate::control::{Member, Mode, Page, ProbeRecord, Probing, Reason, Reply, Routes};
use crate::interface::Family;
use crate::time::Instant;

const PLAIN: Screen = Screen { is_coloured: false };

fn member(interface: &str, state: MemberState) -> MemberSnapshot {
    MemberSnapshot {
        interface: interface.to_owned(),
        state,
        active: state == MemberState::Ok,
        standby: false,
        inactive: false,
        duplicate_mac: false,
        no_data_address: false,
        link: Link::Up,
        probing: Probing::Ok,
        taken_over_by: None,
        instances: Vec::new(),
    }
}

fn group() -> Group {
    let failed = MemberSnapshot {
        link: Link::Down,
        probing: Probing::Failed,
        taken_over_by: Some("eth2".to_owned()),
        ..member("eth1", MemberState::Failed)
    };
    let members = vec![
        member("eth0", MemberState::Ok),
        failed,
        MemberSnapshot { standby: true, ..member("eth2", MemberState::Ok) },
        MemberSnapshot { active: false, standby: true, inactive: true, ..member("eth3", MemberState::Ok) },
    ];
    let member = |snapshot| Member { snapshot, offline: None, addresses: Vec::new() };
    Group {
        name: "lan0".to_owned(),
        state: GroupState::Degraded,
        detection: Some(Duration::from_secs(10)),
        members: members.into_iter().map(member).collect(),
    }
}

fn target(name: &str, address: &str, state: HopState) -> TargetSnapshot {
    TargetSnapshot {
        name: name.to_owned(),
        address: address.parse().unwrap(),
        method: Method::Neighbour,
        state,
        missed: 7,
        good: 0,
        loss_percent: Some(20),
        round_trip: Some(Duration::from_micros(420)),
        answered: Some(Duration::from_millis(3500)),
    }
}

fn destination(targets: Vec<TargetSnapshot>) -> Destination {
    let hop = |interface: &str, rank, state, in_use| HopSnapshot {
        interface: interface.to_owned(),
        via: Some(std::net::Ipv4Addr::new(10, rank, 0, 1).into()),
        rank,
        weight: 1,
        state,
        in_use,
        reason: String::new(),
        penalty: 0.0,
        targets: Vec::new(),
    };
    Destination {
        destination: "0.0.0.0/0".to_owned(),
        table: 254,
        reason: Reason { word: "moved".to_owned(), text: "the first choice is not in use".to_owned() },
        overlay: Some("default via 10.2.0.1 dev eth1 proto faild".to_owned()),
        original: Some("default via 10.1.0.1 dev eth0".to_owned()),
        problem: None,
        next_hops: vec![
            HopSnapshot { targets, penalty: 1000.0, ..hop("eth0", 1, HopState::Down, false) },
            hop("eth1", 2, HopState::Up, true),
        ],
    }
}

#[test]
fn groups_come_first_and_then_their_interfaces() {
    let expected = "\
GROUP  STATE     FDT  MEMBERS
lan0   degraded  10s  eth0 eth2 (eth3) [eth1]

INTERFACE  GROUP  STATE   LINK  PROBE   USE                TAKEN OVER BY
eth0       lan0   ok      up    ok      active             -
eth1       lan0   failed  down  failed  -                  eth2
eth2       lan0   ok      up    ok      active, standby    -
eth3       lan0   ok      up    ok      standby, inactive  -
";
    let text = PLAIN.text(&Reply::Groups(vec![group()]), true);
    assert_eq!(text, expected);
    assert!(PLAIN.text(&Reply::Groups(vec![]), true).contains("no groups"));
}

#[test]
fn targets_are_those_of_groups_and_those_of_next_hops() {
    let family = |mode, from: Option<&str>, targets| MemberTargets {
        group: "lan0".to_owned(),
        interface: "eth0".to_owned(),
        instance: InstanceSnapshot {
            family: Family::V4,
            mode,
            test_address: from.map(|from| from.parse().unwrap()),
            targets,
            invalid: if from.is_some() { 12 } else { 0 },
        },
    };
    let members = vec![
        family(Mode::Routes, Some("192.0.2.11"), vec![target("gate", "192.0.2.1", HopState::Up)]),
        family(Mode::Disabled, None, vec![]),
    ];
    let hop = NextHopTargets {
        destination: "0.0.0.0/0".to_owned(),
        table: 100,
        interface: "eth1".to_owned(),
        via: None,
        targets: vec![target("203.0.113.9", "203.0.113.9", HopState::Degraded)],
    };
    let expected = "\
INTERFACE  MODE      FROM        TARGET            STATE  RTT
eth0       routes    192.0.2.11  gate (192.0.2.1)  up     420us
eth0       disabled  -           -                 -      -
eth0 ipv4: 12 invalid answers: from another host, through another interface (check arp_ignore), or duplicated

DESTINATION          NEXT HOP  TARGET       HOW        STATE     MISSED  GOOD  LOSS  RTT
0.0.0.0/0 table 100  eth1      203.0.113.9  neighbour  degraded  7       0     20%   420us
";
    let targets = Targets { members, next_hops: vec![hop] };
    assert_eq!(PLAIN.text(&Reply::Targets(targets), true), expected);
    assert!(PLAIN.text(&Reply::Targets(Targets::default()), true).contains("only peers are probed"));
}

#[test]
fn routes_begin_with_the_destinations() {
    let page = Page { items: vec![], more: None };
    let routes = Routes { destinations: vec![destination(vec![])], page };
    let expected = "\
0.0.0.0/0: the first choice is not in use
  eth0 via 10.1.0.1  rank 1  weight 1  down  -       penalty 1000
  eth1 via 10.2.0.1  rank 2  weight 1  up    in use
  overlay: default via 10.2.0.1 dev eth1 proto faild
  route: default via 10.1.0.1 dev eth0

no overlays, saved routes or problems
";
    assert_eq!(PLAIN.text(&Reply::Routes(routes.clone()), true), expected);
    let line = Reply::Routes(routes.clone()).to_line();
    assert!(line.contains(r#""routes":{"destinations":[{"destination":"0.0.0.0/0""#), "{line}");
    assert!(line.contains(r#""items":[]"#), "{line}");
    assert_eq!(Reply::from_line(&line).unwrap(), Reply::Routes(routes));
    let older = Reply::from_line(r#"{"version":2,"routes":{"items":[],"more":7}}"#).unwrap();
    let page = Page { items: vec![], more: Some(7) };
    assert_eq!(older, Reply::Routes(Routes { destinations: vec![], page }));
}

#[test]
fn each_next_hop_shows_its_evidence() {
    let text = PLAIN.hops(&destination(vec![target("10.1.0.1", "10.1.0.1", HopState::Down)]).next_hops);
    let expected = "  eth0 via 10.1.0.1  rank 1  weight 1  down  -       penalty 1000
    10.1.0.1  neighbour  down  missed 7 good 0  answered 3.5s ago  loss 20%  rtt 420us
  eth1 via 10.2.0.1  rank 2  weight 1  up    in use
";
    assert_eq!(text, expected);
}

#[test]
fn probes_stand_in_columns_that_go_on() {
    let record = |round_trip| ProbeRecord {
        number: 7,
        sent: Instant::default(),
        interface: "eth0".to_owned(),
        sequence: 41,
        target: "192.0.2.1".parse().unwrap(),
        method: Method::Echo,
        round_trip,
        average: None,
        deviation: None,
    };
    let probe =
        |us: Option<u64>| Probe { record: record(us.map(Duration::from_micros)), time_ms: 1_700_000_000_123 };
    let expected = "\
TIME                      INTERFACE        TARGET           HOW        PROBE      RTT  AVERAGE
2023-11-14T22:13:20.123Z  eth0             192.0.2.1        echo          41    420us        -
2023-11-14T22:13:20.123Z  eth0             192.0.2.1        echo          41     lost        -
";
    assert_eq!(PLAIN.probes(&[probe(Some(420)), probe(None)], true), expected);
    assert!(!PLAIN.probes(&[probe(None)], false).contains("TIME"));
}
