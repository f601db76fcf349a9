//! Members of groups: an interface stands in for one that failed.

use std::time::Duration;

use super::rig::{DHCP, ETH0, ETH1, ETH2, Rig, ip, route, stand_in};
use crate::operation::Operation;
use crate::reconcile::Notice;
use crate::route::{Leg, Route};
use crate::watch::Member;

const SECOND: Duration = Duration::from_secs(1);

/// A group of eth0 and eth1, both serving.
fn group() -> Rig {
    let mut rig = Rig::watching(&["eth0", "eth1"]);
    for name in ["eth0", "eth1"] {
        rig.member(name, Member::Home);
    }
    rig
}

/// So many routes of eth0 go by eth1.
fn overlaid(routes: usize) -> Notice {
    Notice::MemberOverlaid { interface: "eth0".to_owned(), by: "eth1".to_owned(), routes }
}

#[test]
fn subnets_move_before_the_routes_whose_gateways_are_in_them_and_all_come_home() {
    let mut rig = group();
    rig.add(&Route { protocol: DHCP, ..route("0.0.0.0/0", "10.0.0.9", ETH0, 100) });
    rig.add(&route("198.51.100.0/24", "10.0.0.8", ETH0, 0));
    rig.add(&route("2001:db8::/32", "fd00::9", ETH0, 1024));
    assert_eq!(rig.take_operations(), [""; 0]);
    rig.member("eth0", stand_in("eth1"));
    assert_eq!(
        rig.take_operations(),
        [
            "add Before 10.0.0.0/24 dev 3 metric 0 src 10.1.0.1",
            "add Alone fd00::/64 dev 3 metric 255 src fd01::1",
            "add Alone 0.0.0.0/0 via 10.0.0.9 dev 3 metric 99 src 10.1.0.1",
            "add Before 198.51.100.0/24 via 10.0.0.8 dev 3 metric 0 src 10.1.0.1",
            "add Alone 2001:db8::/32 via fd00::9 dev 3 metric 1023 src fd01::1",
            "neigh del 10.0.0.8 dev 2",
            "neigh del 10.0.0.9 dev 2",
            "neigh del fd00::9 dev 2",
        ]
    );
    assert_eq!(rig.take_notices(), [overlaid(5)]);
    assert_eq!(rig.core.watched().members["eth0"], 5);
    assert_eq!(rig.core.watched().members["eth1"], 0);
    rig.wait(200 * SECOND);
    assert_eq!(rig.take_operations(), [""; 0]);
    rig.member("eth0", Member::Undecided);
    assert_eq!(rig.take_operations(), [""; 0]);
    rig.member("eth0", Member::Home);
    assert_eq!(rig.own(), [""; 0]);
    assert_eq!(rig.take_notices(), [Notice::MemberLifted { interface: "eth0".to_owned(), routes: 5 }]);
    assert_eq!(rig.core.watched().members["eth0"], 0);
    assert_eq!(rig.gaps, [""; 0]);
}

#[test]
fn an_undecided_member_is_left_as_it_is() {
    let mut rig = group();
    rig.member("eth0", Member::Undecided);
    rig.wait(10 * SECOND);
    assert_eq!(rig.take_operations(), [""; 0]);
}

#[test]
fn the_kernels_link_local_and_multicast_routes_stay() {
    let mut rig = group();
    rig.add(&Route { protocol: 2, ..route("ff00::/8", "-", ETH0, 256) });
    rig.add(&Route { protocol: 2, ..route("fe80::/64", "-", ETH0, 257) });
    rig.member("eth0", stand_in("eth1"));
    let own = rig.own();
    assert!(!own.iter().any(|r| r.starts_with("f") && !r.starts_with("fd00")), "{own:?}");
}

#[test]
fn routes_of_other_programs_and_over_other_interfaces_stay() {
    let mut rig = group();
    rig.add(&Route { protocol: 186, ..route("198.51.100.0/24", "10.0.0.9", ETH0, 20) });
    rig.add(&Route { encapsulated: true, ..route("203.0.113.0/24", "10.0.0.9", ETH0, 20) });
    rig.add(&route("192.0.2.0/24", "10.2.0.9", ETH2, 0));
    rig.member("eth0", stand_in("eth1"));
    let own = ["10.0.0.0/24 dev 3 metric 0 src 10.1.0.1", "fd00::/64 dev 3 metric 255 src fd01::1"];
    assert_eq!(rig.own(), own);
}

#[test]
fn a_subnet_on_both_is_overlaid_all_the_same() {
    let mut rig = group();
    rig.event(|k| k.add_address(ETH1, super::rig::address("10.0.0.2/24")).unwrap());
    rig.wait(SECOND);
    rig.member("eth0", stand_in("eth1"));
    assert_eq!(rig.own()[0], "10.0.0.0/24 dev 3 metric 0 src 10.0.0.2", "from the stand-in's address in it");
}

#[test]
fn a_dead_leg_is_replaced_or_dropped_if_the_stand_in_is_a_leg_already() {
    let mut rig = group();
    let leg = |via: &str, interface, weight| Leg { gateway: Some(ip(via)), interface, weight };
    let mut both = route("198.51.100.0/24", "10.0.0.9", ETH0, 100);
    both.legs = vec![leg("10.0.0.9", ETH0, 3), leg("10.1.0.9", ETH1, 2)];
    let mut third = route("203.0.113.0/24", "10.0.0.9", ETH0, 100);
    third.legs = vec![leg("10.0.0.9", ETH0, 3), leg("10.2.0.9", ETH2, 2)];
    rig.add(&both);
    rig.add(&third);
    rig.member("eth0", stand_in("eth1"));
    assert_eq!(
        rig.own()[1..3],
        [
            "198.51.100.0/24 via 10.1.0.9 dev 3 metric 99",
            "203.0.113.0/24 via 10.0.0.9 dev 3 weight 3 via 10.2.0.9 dev 4 weight 2 metric 99",
        ]
    );
}

#[test]
fn a_member_that_goes_down_leaves_its_subnet_to_the_stand_in() {
    let mut rig = group();
    rig.add(&route("0.0.0.0/0", "10.0.0.9", ETH0, 100));
    rig.wait(SECOND);
    rig.event(|k| k.set_up(ETH0, false));
    rig.wait(SECOND);
    rig.member("eth0", stand_in("eth1"));
    let own = [
        "0.0.0.0/0 via 10.0.0.9 dev 3 metric 99 src 10.1.0.1",
        "10.0.0.0/24 dev 3 metric 0 src 10.1.0.1",
        "fd00::/64 dev 3 metric 255 src fd01::1",
    ];
    assert_eq!(rig.own(), own);
    rig.wait(100 * SECOND);
    assert_eq!(rig.own(), own);
    rig.event(|k| k.set_up(ETH0, true));
    rig.wait(5 * SECOND);
    assert_eq!(rig.own(), own, "it is up, and has proven nothing");
    assert_eq!(rig.gateway_to("10.0.0.7"), None);
    rig.member("eth0", Member::Home);
    rig.wait(5 * SECOND);
    assert_eq!(rig.own(), [""; 0]);
    assert_eq!(rig.foreign(), ["0.0.0.0/0 via 10.0.0.9 dev 2 metric 100"]);
    assert_eq!(rig.gaps, [""; 0]);
}

#[test]
fn home_without_the_original_keeps_the_overlay_until_it_is_back() {
    let mut rig = group();
    rig.add(&Route { protocol: DHCP, ..route("0.0.0.0/0", "10.0.0.9", ETH0, 100) });
    rig.member("eth0", stand_in("eth1"));
    rig.event(|k| {
        let mut told = k.set_up(ETH0, false);
        told.extend(k.set_up(ETH0, true));
        told
    });
    rig.member("eth0", Member::Home);
    rig.wait(5 * SECOND);
    assert_eq!(
        rig.own(),
        ["0.0.0.0/0 via 10.0.0.9 dev 3 metric 99 src 10.1.0.1"],
        "the lease is not renewed yet"
    );
    rig.add(&Route { protocol: DHCP, ..route("0.0.0.0/0", "10.0.0.9", ETH0, 100) });
    assert_eq!(rig.own(), [""; 0]);
    assert_eq!(rig.gaps, [""; 0]);
}

#[test]
fn an_address_that_somebody_removes_takes_its_subnets_overlay_along() {
    let mut rig = group();
    rig.event(|k| k.add_address(ETH0, super::rig::address("10.7.0.1/24")).unwrap());
    rig.wait(10 * SECOND);
    rig.member("eth0", stand_in("eth1"));
    assert!(rig.own().contains(&"10.7.0.0/24 dev 3 metric 0 src 10.1.0.1".to_owned()), "{:?}", rig.own());
    rig.event(|k| k.delete_address(ETH0, &"10.7.0.1/24".parse().unwrap()).unwrap());
    rig.wait(5 * SECOND);
    assert!(!rig.own().iter().any(|r| r.starts_with("10.7.")), "{:?}", rig.own());
}

#[test]
fn host_overlays_by_a_failed_member_are_none_of_this() {
    let mut rig = group();
    rig.plan.lans = ["eth0", "eth1", "eth2"].map(str::to_owned).to_vec();
    rig.detour("eth2", "10.2.0.2", "eth0", "10.0.0.2");
    rig.take_operations();
    rig.member("eth0", stand_in("eth1"));
    assert!(!rig.take_operations().iter().any(|o| o.contains("10.2.0.2")));
}

#[test]
fn a_gateway_with_a_detour_of_its_own_goes_by_that() {
    let mut rig = group();
    rig.plan.lans = ["eth0", "eth1", "eth2"].map(str::to_owned).to_vec();
    rig.add(&route("0.0.0.0/0", "10.0.0.9", ETH0, 100));
    rig.detour("eth0", "10.0.0.9", "eth2", "10.2.0.9");
    rig.member("eth0", stand_in("eth1"));
    assert_eq!(rig.gateway_to("192.0.2.1"), Some(ip("10.2.0.9")));
    rig.home("eth0", "10.0.0.9");
    assert_eq!(
        rig.own()[0],
        "0.0.0.0/0 via 10.0.0.9 dev 3 metric 99 src 10.1.0.1",
        "home for the engine is a failed member"
    );
    assert!(!rig.gaps.iter().any(|gap| gap.starts_with("del 0.0.0.0/0")), "{:?}", rig.gaps);
}

#[test]
fn a_member_that_leaves_the_plan_loses_its_overlays() {
    let mut rig = group();
    rig.add(&route("0.0.0.0/0", "10.0.0.9", ETH0, 100));
    rig.member("eth0", stand_in("eth1"));
    rig.watch.members.clear();
    rig.hand_in_watch();
    assert_eq!(rig.own(), [""; 0]);
}

#[test]
fn a_new_start_keeps_the_overlays_until_the_member_is_home() {
    for with_journal in [true, false] {
        let mut rig = group();
        rig.add(&route("0.0.0.0/0", "10.0.0.9", ETH0, 100));
        rig.member("eth0", stand_in("eth1"));
        rig.wait(5 * SECOND);
        rig.take_operations();
        rig.watch.members.insert("eth0".to_owned(), Member::Undecided);
        rig.restart(with_journal);
        rig.wait(10 * SECOND);
        assert_eq!(rig.take_operations(), [""; 0]);
        rig.member("eth0", Member::Home);
        assert_eq!(rig.own(), [""; 0], "journal: {with_journal}");
    }
}

#[test]
fn a_stand_in_that_is_down_is_waited_for() {
    let mut rig = group();
    rig.add(&route("0.0.0.0/0", "10.0.0.9", ETH0, 100));
    rig.event(|k| k.set_up(ETH1, false));
    rig.member("eth0", stand_in("eth1"));
    rig.wait(10 * SECOND);
    assert_eq!(rig.own(), [""; 0]);
    rig.event(|k| k.set_up(ETH1, true));
    rig.wait(3 * SECOND);
    assert_eq!(rig.own().len(), 3);
}

#[test]
fn a_thousand_routes_go_in_batches_and_one_line() {
    let mut rig = group();
    for i in 0..1000u32 {
        rig.add(&route(&format!("172.16.{}.{}/32", i / 250, i % 250), "10.0.0.9", ETH0, 0));
    }
    rig.batches = 0;
    rig.member("eth0", stand_in("eth1"));
    assert_eq!(rig.own().len(), 1002);
    assert!(rig.batches <= 18, "{} batches", rig.batches);
    assert_eq!(rig.take_notices(), [overlaid(1002)]);
    let neighbours = rig.asked.iter().filter(|o| matches!(o, Operation::DeleteNeighbour { .. })).count();
    assert_eq!(neighbours, 2, "with the first route, and when the last has left");
    rig.member("eth0", Member::Home);
    assert_eq!(rig.own(), [""; 0]);
    assert_eq!(rig.foreign().len(), 1000);
}
