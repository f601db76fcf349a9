use std::collections::BTreeSet;
use std::path::Path;

use super::*;
use crate::config::Method;
use crate::control::OfflineEntry;
use crate::interface::{Family, InterfaceAddress, InterfaceIndex};
use crate::route::MAIN_TABLE;
use crate::time::Instant;
use crate::watch::{
    Destination, GroupSnapshot, Hop, HopSnapshot, HopState, InstanceSnapshot, Link, MemberSnapshot,
    MemberState, Mode, ProbeRecord, Probing, RouteSnapshot, TargetSnapshot, Way,
};

use GroupState::{Degraded, Failed as AllFailed, Ok as AllOk};

/// All that a view is made from.
struct Scene {
    watch: Snapshot,
    interfaces: Vec<Interface>,
    offline: Offline,
}

impl Scene {
    fn new(groups: Vec<GroupSnapshot>, routes: Vec<RouteSnapshot>) -> Self {
        let watch = Snapshot { groups, routes, recent: Vec::new() };
        Self { watch, interfaces: Vec::new(), offline: Offline::open(Path::new("/nonexistent"), true) }
    }

    fn picture(&self) -> Picture<'_> {
        Picture { watch: &self.watch, interfaces: &self.interfaces, offline: &self.offline }
    }

    fn reasons(&self) -> Vec<String> {
        self.picture().reasons().collect()
    }

    fn take_offline(&mut self, interface: &str) {
        let entry = OfflineEntry { reason: String::new(), since: Duration::ZERO, until: None };
        self.offline.add(interface, entry).unwrap();
    }
}

fn group(name: &str, state: GroupState, members: Vec<MemberSnapshot>) -> GroupSnapshot {
    let detection_time = Some(Duration::from_secs(10));
    GroupSnapshot { name: name.to_owned(), state, detection_time, members }
}

fn member(interface: &str, state: MemberState) -> MemberSnapshot {
    let instance = InstanceSnapshot {
        family: Family::V4,
        test_address: Some([192, 0, 2, 11].into()),
        mode: Mode::Routes,
        targets: vec![target("192.0.2.1", HopState::Up)],
        invalid: 0,
    };
    MemberSnapshot {
        interface: interface.to_owned(),
        active: state == MemberState::Ok,
        standby: false,
        inactive: false,
        duplicate_mac: false,
        no_data_address: false,
        state,
        link: Link::Up,
        probing: Probing::Ok,
        taken_over_by: None,
        instances: vec![instance],
    }
}

fn target(address: &str, state: HopState) -> TargetSnapshot {
    TargetSnapshot {
        name: address.to_owned(),
        address: address.parse().unwrap(),
        method: Method::Echo,
        state,
        missed: 3,
        good: 0,
        loss_percent: Some(7),
        round_trip: Some(Duration::from_micros(420)),
        answered: Some(Duration::from_millis(1500)),
    }
}

fn hop(interface: &str, rank: u8, state: HopState, in_use: bool) -> HopSnapshot {
    HopSnapshot {
        interface: interface.to_owned(),
        via: Some([10, 0, 0, rank].into()),
        rank,
        weight: 1,
        state,
        in_use,
        reason: String::new(),
        penalty: 0.0,
        targets: vec![target("203.0.113.9", state)],
    }
}

fn route(prefix: &str, hops: Vec<HopSnapshot>) -> RouteSnapshot {
    let used = hops.iter().filter(|hop| hop.in_use);
    let way: Vec<Hop> =
        used.map(|hop| Hop { interface: hop.interface.clone(), via: hop.via, weight: 1 }).collect();
    RouteSnapshot {
        destination: Destination { table: MAIN_TABLE, prefix: prefix.parse().unwrap() },
        way: if way.is_empty() { Way::Undecided } else { Way::By(way) },
        all_silent: false,
        hops,
    }
}

#[test]
fn what_works_gives_no_reason() {
    let members = vec![member("eth0", MemberState::Ok), member("eth1", MemberState::Unknown)];
    let hops = vec![hop("eth0", 1, HopState::Up, true), hop("eth1", 2, HopState::Unknown, false)];
    let scene = Scene::new(vec![group("lan0", AllOk, members)], vec![route("0.0.0.0/0", hops)]);
    assert_eq!(scene.reasons(), [""; 0]);
    let (groups, destinations) = scene.picture().counts();
    assert_eq!(groups, GroupCounts { known: 1, degraded: 0, failed: 0 });
    assert_eq!(destinations, DestinationCounts { known: 1, ..DestinationCounts::default() });
}

#[test]
fn a_group_says_which_interfaces_are_wrong_and_how() {
    let down = MemberSnapshot { link: Link::Down, ..member("eth1", MemberState::Failed) };
    let twin = MemberSnapshot { duplicate_mac: true, ..member("eth3", MemberState::Offline) };
    let bare = MemberSnapshot { no_data_address: true, ..member("eth4", MemberState::Ok) };
    let members = vec![
        member("eth0", MemberState::Ok),
        down,
        member("eth2", MemberState::Offline),
        twin,
        bare,
        member("eth5", MemberState::Failed),
    ];
    let mut scene = Scene::new(vec![group("lan0", Degraded, members)], Vec::new());
    scene.take_offline("eth2");
    assert_eq!(
        scene.reasons(),
        ["group lan0 degraded: eth1 has no carrier, eth2 is offline until further notice, \
          eth3 has the MAC address of another member, eth5 has failed"]
    );
    let watched = vec![member("eth9", MemberState::Failed)];
    let anonymous = Scene::new(vec![group("", AllOk, watched)], Vec::new());
    assert_eq!(anonymous.reasons(), ["the anonymous group monitored only: eth9 has failed"]);
}

#[test]
fn a_destination_says_which_next_hops_are_wrong() {
    let held = HopSnapshot {
        reason: "works; failed too often; failback suppressed for 9 s more".to_owned(),
        ..hop("eth0", 1, HopState::Up, false)
    };
    for (hops, expected, moved) in [
        (
            vec![hop("eth0", 1, HopState::Down, false), hop("eth1", 2, HopState::Up, true)],
            "10.9.0.0/16: eth0 via 10.0.0.1: has failed",
            1,
        ),
        (
            vec![held, hop("eth1", 2, HopState::Up, true)],
            "10.9.0.0/16: eth0 via 10.0.0.1: works; failed too often; failback suppressed for 9 s more",
            1,
        ),
        (
            vec![hop("eth0", 1, HopState::Up, true), hop("eth1", 2, HopState::Degraded, false)],
            "10.9.0.0/16: eth1 via 10.0.0.2: is degraded",
            0,
        ),
        (
            vec![hop("eth0", 1, HopState::Up, true), hop("eth1", 1, HopState::Down, false)],
            "10.9.0.0/16: eth1 via 10.0.0.1: has failed",
            1,
        ),
    ] {
        let scene = Scene::new(Vec::new(), vec![route("10.9.0.0/16", hops)]);
        assert_eq!(scene.reasons(), [expected]);
        assert_eq!(scene.picture().counts().1.moved, moved, "{expected}");
    }
    let dead = vec![hop("eth0", 1, HopState::Down, true), hop("eth1", 2, HopState::Down, false)];
    let silent = RouteSnapshot { all_silent: true, ..route("::/0", dead) };
    let scene = Scene::new(Vec::new(), vec![silent]);
    assert_eq!(
        scene.reasons(),
        [
            "::/0: no next hop works; nothing is moved",
            "::/0: eth0 via 10.0.0.1: has failed",
            "::/0: eth1 via 10.0.0.2: has failed",
        ]
    );
    assert_eq!(scene.picture().counts().1, DestinationCounts { known: 1, degraded: 1, moved: 0, silent: 1 });
}

#[test]
fn an_undecided_destination_is_not_a_fault() {
    let hops = vec![hop("eth0", 1, HopState::Unknown, false), hop("eth1", 2, HopState::Unknown, false)];
    let scene = Scene::new(Vec::new(), vec![route("10.0.0.0/8", hops)]);
    assert_eq!(scene.reasons(), [""; 0]);
    let view = destination(&scene.watch.routes[0], false);
    assert_eq!(view.reason.word, "undecided");
}

#[test]
fn an_interface_may_go_where_another_of_its_group_can_follow() {
    use MemberState as M;
    for (state, other, is_last) in [
        (AllOk, M::Ok, false),
        (AllOk, M::Unknown, false),
        (Degraded, M::Failed, true),
        (Degraded, M::Offline, true),
        (AllFailed, M::Failed, false),
        (AllFailed, M::Offline, true),
    ] {
        let members = vec![member("eth0", M::Ok), member("eth1", other)];
        let scene = Scene::new(vec![group("lan0", state, members)], Vec::new());
        let expected: &[&str] = if is_last { &["no other usable interface is in group lan0"] } else { &[] };
        assert_eq!(scene.picture().last_of("eth0"), expected, "{state:?} {other:?}");
        assert_eq!(scene.picture().last_of("eth7"), [""; 0]);
    }
    let watched = vec![member("eth0", M::Ok), member("eth1", M::Ok)];
    let anonymous = Scene::new(vec![group("", AllOk, watched)], Vec::new());
    assert_eq!(anonymous.picture().last_of("eth0").len(), 1, "nothing would take over");
}

#[test]
fn an_interface_may_go_unless_only_it_has_a_next_hop_that_works() {
    let pair = |one, other| {
        vec![hop("eth0", 1, one, true), hop("eth0", 2, one, false), hop("eth1", 3, other, false)]
    };
    for (one, other, is_last) in [
        (HopState::Up, HopState::Up, false),
        (HopState::Up, HopState::Degraded, false),
        (HopState::Up, HopState::Down, true),
        (HopState::Up, HopState::Unknown, true),
        (HopState::Down, HopState::Down, false),
    ] {
        let scene = Scene::new(Vec::new(), vec![route("10.9.0.0/16", pair(one, other))]);
        let expected: &[&str] =
            if is_last { &["it has the only working next hop of 10.9.0.0/16"] } else { &[] };
        assert_eq!(scene.picture().last_of("eth0"), expected, "{one:?} {other:?}");
    }
    let mut scene = Scene::new(Vec::new(), vec![route("10.9.0.0/16", pair(HopState::Up, HopState::Up))]);
    scene.take_offline("eth1");
    assert_eq!(scene.picture().last_of("eth0").len(), 1, "the other is offline");
}

#[test]
fn the_longest_prefix_of_the_main_table_governs() {
    let hops = || vec![hop("eth0", 1, HopState::Up, true)];
    let mut other_table = route("10.9.8.0/24", hops());
    other_table.destination.table = 100;
    let routes = vec![route("0.0.0.0/0", hops()), route("10.9.0.0/16", hops()), other_table];
    let scene = Scene::new(Vec::new(), routes);
    let rule = |wanted: &str| {
        let rule = scene.picture().rule(&wanted.parse().unwrap()).map(|rule| rule.destination.prefix);
        rule.map(|prefix| prefix.to_string())
    };
    assert_eq!(rule("10.9.8.7/32").as_deref(), Some("10.9.0.0/16"));
    assert_eq!(rule("10.0.0.0/8").as_deref(), Some("0.0.0.0/0"));
    assert_eq!(rule("2001:db8::1/128"), None);
}

#[test]
fn targets_are_those_of_an_interface_or_all() {
    let members = vec![member("eth0", MemberState::Ok), member("eth1", MemberState::Ok)];
    let hops = vec![hop("eth1", 1, HopState::Up, true), hop("eth2", 2, HopState::Up, false)];
    let scene = Scene::new(vec![group("lan0", AllOk, members)], vec![route("::/0", hops)]);
    let counts = |interface| {
        let targets = scene.picture().targets(interface);
        (targets.members.len(), targets.next_hops.len())
    };
    assert_eq!(counts(None), (2, 2));
    assert_eq!(counts(Some("eth1")), (1, 1));
    assert_eq!(counts(Some("eth2")), (0, 1));
    let names: BTreeSet<&str> = BTreeSet::from(["eth0", "eth1", "eth2"]);
    assert_eq!(scene.watch.groups.len(), 1);
    assert!(scene.picture().interfaces_watched().all(|name| names.contains(name)));
    let target = &scene.picture().targets(Some("eth2")).next_hops[0].targets[0];
    assert_eq!(
        (target.missed, target.loss_percent, target.round_trip),
        (3, Some(7), Some(Duration::from_micros(420)))
    );
}

#[test]
fn data_addresses_are_neither_test_addresses_nor_of_the_link_alone() {
    let address = |prefix: &str, tentative| InterfaceAddress {
        tentative,
        ..InterfaceAddress::new(prefix.parse().unwrap())
    };
    let addresses = ["192.0.2.11/32", "192.0.2.20/24", "fe80::1/64", "2001:db8::1/64"];
    let mut scene = Scene::new(vec![group("lan0", AllOk, vec![member("eth0", MemberState::Ok)])], Vec::new());
    scene.interfaces.push(Interface {
        addresses: addresses.iter().map(|a| address(a, a.starts_with("2001"))).collect(),
        ..Interface::new(InterfaceIndex(2), "eth0")
    });
    let shown = scene.picture().groups()[0].members[0].addresses.clone();
    let shown: Vec<_> = shown.iter().map(|a| (a.address.to_string(), a.up)).collect();
    assert_eq!(shown, [("192.0.2.20".to_owned(), true), ("2001:db8::1".to_owned(), false)]);
}

#[test]
fn a_member_that_is_stood_in_for_says_by_whom() {
    let failed =
        MemberSnapshot { taken_over_by: Some("eth1".to_owned()), ..member("eth0", MemberState::Failed) };
    let members = vec![failed, member("eth1", MemberState::Ok)];
    let scene = Scene::new(vec![group("lan0", Degraded, members)], Vec::new());
    let account = scene.picture().account("eth0").unwrap();
    assert_eq!(account.reason.text, "eth0 has failed; eth1 has taken over");
    assert_eq!((account.group.name.as_str(), account.targets.len()), ("lan0", 2));
    assert_eq!(scene.picture().account("eth1").unwrap().reason.word, "member-up");
    assert!(scene.picture().account("eth7").is_none());
}

#[test]
fn probes_are_told_by_the_wall_clock_and_after_a_number() {
    let record = |number, round_trip| ProbeRecord {
        number,
        interface: "eth0".to_owned(),
        sequence: 41,
        target: [192, 0, 2, 1].into(),
        method: Method::Echo,
        sent: Instant::from_nanos(2_000_000_000),
        round_trip,
        average: None,
        deviation: None,
    };
    let mut scene = Scene::new(Vec::new(), Vec::new());
    scene.watch.recent = vec![record(6, None), record(7, Some(Duration::from_micros(550)))];
    let now = Instant::from_nanos(2_500_000_000);
    let told = scene.picture().probes(now, Duration::from_millis(100_500), 6);
    assert_eq!((told.time_ms, told.items.len()), (100_500, 1));
    assert_eq!((told.items[0].time_ms, told.items[0].record.number), (100_000, 7));
    assert_eq!(scene.picture().probes(now, Duration::ZERO, 0).items.len(), 2);
}
