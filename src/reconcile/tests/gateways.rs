//! Overlays of routes whose gateway is dead.

use std::time::Duration;

use super::rig::{DHCP, ETH0, ETH1, ETH2, Rig, ip, route};
use crate::engine::{Outcome, Verdict};
use crate::event::EventName;
use crate::operation::Operation;
use crate::reconcile::Notice;
use crate::route::{Leg, Route};

const GATEWAY: &str = "10.0.0.9";

fn dead(rig: &mut Rig) {
    rig.detour("eth0", GATEWAY, "eth1", "10.1.0.9");
}

/// The operations but for the host overlay of the gateway itself and neighbours.
fn by_gateway(rig: &mut Rig) -> Vec<String> {
    let host = |line: &String| line.contains(" 10.0.0.9") || line.contains(" fd00::9");
    rig.take_operations().into_iter().filter(|line| !host(line)).collect()
}

#[test]
fn a_route_with_a_metric_gets_an_overlay_one_below() {
    let mut rig = Rig::new();
    rig.add(&route("0.0.0.0/0", GATEWAY, ETH0, 100));
    dead(&mut rig);
    assert_eq!(by_gateway(&mut rig), ["add Alone 0.0.0.0/0 via 10.1.0.9 dev 3 metric 99 src 10.0.0.1"]);
    rig.home("eth0", GATEWAY);
    assert_eq!(by_gateway(&mut rig), ["del 0.0.0.0/0 via 10.1.0.9 dev 3 metric 99 src 10.0.0.1"]);
    assert_eq!(rig.foreign(), ["0.0.0.0/0 via 10.0.0.9 dev 2 metric 100"]);
}

#[test]
fn at_metric_zero_the_overlay_comes_first() {
    let mut rig = Rig::new();
    rig.add(&route("0.0.0.0/0", GATEWAY, ETH0, 0));
    dead(&mut rig);
    assert_eq!(by_gateway(&mut rig), ["add Before 0.0.0.0/0 via 10.1.0.9 dev 3 metric 0 src 10.0.0.1"]);
    assert_eq!(rig.gateway_to("192.0.2.1"), Some(ip("10.1.0.9")));
    rig.wait(Duration::from_secs(120));
    assert_eq!(rig.take_operations(), [""; 0]);
    rig.home("eth0", GATEWAY);
    assert_eq!(rig.gateway_to("192.0.2.1"), Some(ip(GATEWAY)));
    assert_eq!(rig.own(), [""; 0]);
}

#[test]
fn a_strangers_metric_is_neither_taken_nor_passed() {
    let mut rig = Rig::new();
    let stranger = Route { protocol: 186, ..route("0.0.0.0/0", GATEWAY, ETH0, 99) };
    rig.add(&stranger);
    rig.add(&route("0.0.0.0/0", GATEWAY, ETH0, 100));
    dead(&mut rig);
    assert_eq!(by_gateway(&mut rig), [""; 0]);
    rig.delete(&stranger);
    assert_eq!(by_gateway(&mut rig), ["add Alone 0.0.0.0/0 via 10.1.0.9 dev 3 metric 99 src 10.0.0.1"]);
}

#[test]
fn a_metric_taken_by_a_route_that_no_dump_shows_is_not_passed() {
    let mut rig = Rig::new();
    rig.add(&route("0.0.0.0/0", GATEWAY, ETH0, 100));
    rig.plan.lans = vec!["eth0".into(), "eth1".into()];
    rig.hand_in_plan();
    let hidden = Route { protocol: DHCP, ..route("0.0.0.0/0", "10.2.0.9", ETH2, 99) };
    rig.add(&hidden);
    dead(&mut rig);
    rig.wait(Duration::from_secs(5));
    let attempt = "add Alone 0.0.0.0/0 via 10.1.0.9 dev 3 metric 99 src 10.0.0.1";
    assert!(by_gateway(&mut rig).iter().all(|operation| operation == attempt));
    assert_eq!(rig.gateway_to("192.0.2.1"), Some(ip("10.2.0.9")));
    rig.delete(&hidden);
    assert_eq!(rig.gateway_to("192.0.2.1"), Some(ip("10.1.0.9")));
}

#[test]
fn a_better_live_route_shadows_and_nothing_is_laid() {
    let mut rig = Rig::new();
    rig.add(&route("198.51.100.0/24", "10.2.0.9", ETH2, 50));
    rig.add(&route("198.51.100.0/24", GATEWAY, ETH0, 100));
    dead(&mut rig);
    assert_eq!(by_gateway(&mut rig), [""; 0]);
}

#[test]
fn only_the_best_of_two_dead_routes_needs_an_overlay() {
    let mut rig = Rig::new();
    rig.add(&route("198.51.100.0/24", GATEWAY, ETH0, 100));
    rig.add(&route("198.51.100.0/24", GATEWAY, ETH0, 101));
    dead(&mut rig);
    assert_eq!(by_gateway(&mut rig), ["add Alone 198.51.100.0/24 via 10.1.0.9 dev 3 metric 99 src 10.0.0.1"]);
}

#[test]
fn type_of_service_stays() {
    let mut rig = Rig::new();
    let mut with_tos = route("198.51.100.0/24", GATEWAY, ETH0, 7);
    with_tos.key.tos = 16;
    rig.add(&with_tos);
    dead(&mut rig);
    assert_eq!(
        by_gateway(&mut rig),
        ["add Alone 198.51.100.0/24 tos 16 via 10.1.0.9 dev 3 metric 6 src 10.0.0.1"]
    );
}

#[test]
fn an_ipv6_route_gets_one_below_and_at_metric_one_a_warning_once() {
    let mut rig = Rig::new();
    rig.add(&route("::/0", "fd00::9", ETH0, 1024));
    rig.add(&route("2001:db8::/32", "fd00::9", ETH0, 1));
    rig.detour("eth0", "fd00::9", "eth1", "fd01::9");
    assert_eq!(by_gateway(&mut rig), ["add Alone ::/0 via fd01::9 dev 3 metric 1023 src fd00::1"]);
    rig.wait(Duration::from_secs(300));
    let warnings = rig.told(&[EventName::OverlayImpossible]);
    let [Notice::CannotOverlay { route, .. }] = &warnings[..] else { panic!("{warnings:?}") };
    assert!(route.contains("2001:db8::/32"), "{route}");
}

#[test]
fn a_link_local_gateway_keeps_the_global_source() {
    let mut rig = Rig::new();
    rig.add(&Route { protocol: 9, ..route("::/0", "fe80::9", ETH0, 1024) });
    rig.detour("eth0", "fe80::9", "eth1", "fe80::19");
    assert_eq!(rig.take_operations()[0], "add Alone ::/0 via fe80::19 dev 3 metric 1023 src fd00::1");
}

#[test]
fn the_originals_own_source_and_attributes_are_kept() {
    let mut rig = Rig::new();
    let original = Route {
        source: Some(ip("10.2.0.1")),
        attributes: vec![8, 0, 15, 0, 254, 0, 0, 0],
        ..route("0.0.0.0/0", GATEWAY, ETH0, 100)
    };
    rig.add(&original);
    dead(&mut rig);
    let laid = rig.asked.iter().find_map(|o| match o {
        Operation::AddRoute { route, .. } => (route.key.metric == 99).then_some(route),
        Operation::DeleteRoute(_)
        | Operation::AddAddress { .. }
        | Operation::DeleteAddress { .. }
        | Operation::SetUp(_)
        | Operation::DeleteNeighbour { .. } => None,
    });
    let laid = laid.expect("an overlay is laid");
    assert_eq!((laid.source, &laid.attributes), (original.source, &original.attributes));
}

#[test]
fn of_a_multipath_route_only_dead_legs_are_replaced() {
    let mut rig = Rig::new();
    let mut original = route("0.0.0.0/0", GATEWAY, ETH0, 100);
    original.legs.push(Leg { gateway: Some(ip("10.2.0.9")), interface: ETH2, weight: 1 });
    rig.add(&original);
    dead(&mut rig);
    assert_eq!(by_gateway(&mut rig), ["add Alone 0.0.0.0/0 via 10.1.0.9 dev 3 via 10.2.0.9 dev 4 metric 99"]);
    rig.detour("eth2", "10.2.0.9", "eth1", "10.1.0.9");
    rig.wait(Duration::from_secs(1));
    assert_eq!(
        rig.own()[0],
        "0.0.0.0/0 via 10.1.0.9 dev 3 metric 99 src 10.0.0.1",
        "two legs by the same detour are one"
    );
    rig.decide("eth2", "10.2.0.9", Verdict::Undecided);
    rig.home("eth0", GATEWAY);
    assert_eq!(
        rig.own().iter().filter(|r| r.starts_with("0.0")).count(),
        1,
        "half of it is undecided: it stays"
    );
    rig.home("eth2", "10.2.0.9");
    assert_eq!(rig.own(), [""; 0]);
}

#[test]
fn other_protocols_and_encapsulated_routes_are_left_alone() {
    let mut rig = Rig::new();
    rig.add(&Route { protocol: 186, ..route("198.51.100.0/24", GATEWAY, ETH0, 20) });
    rig.add(&Route { encapsulated: true, ..route("203.0.113.0/24", GATEWAY, ETH0, 20) });
    dead(&mut rig);
    assert_eq!(by_gateway(&mut rig), [""; 0]);
}

#[test]
fn a_route_that_somebody_adds_by_a_dead_gateway_is_overlaid_at_once() {
    let mut rig = Rig::new();
    dead(&mut rig);
    rig.take_operations();
    rig.add(&Route { protocol: DHCP, ..route("0.0.0.0/0", GATEWAY, ETH0, 0) });
    assert_eq!(by_gateway(&mut rig), ["add Before 0.0.0.0/0 via 10.1.0.9 dev 3 metric 0 src 10.0.0.1"]);
}

#[test]
fn an_original_that_somebody_deletes_takes_its_overlay_along() {
    let mut rig = Rig::new();
    let original = route("198.51.100.0/24", GATEWAY, ETH0, 100);
    rig.add(&original);
    dead(&mut rig);
    by_gateway(&mut rig);
    rig.delete(&original);
    rig.wait(Duration::from_secs(1));
    assert_eq!(by_gateway(&mut rig), ["del 198.51.100.0/24 via 10.1.0.9 dev 3 metric 99 src 10.0.0.1"]);
    rig.wait(Duration::from_secs(300));
    assert_eq!(rig.foreign(), [""; 0]);
}

#[test]
fn three_lans_move_a_gateway_from_way_to_way() {
    let mut rig = Rig::new();
    rig.add(&route("0.0.0.0/0", GATEWAY, ETH0, 0));
    rig.add(&route("198.51.100.0/24", GATEWAY, ETH0, 100));
    dead(&mut rig);
    by_gateway(&mut rig);
    rig.detour("eth0", GATEWAY, "eth2", "10.2.0.9");
    assert_eq!(
        by_gateway(&mut rig),
        [
            "add Before 0.0.0.0/0 via 10.2.0.9 dev 4 metric 0 src 10.0.0.1",
            "add Alone 198.51.100.0/24 via 10.2.0.9 dev 4 metric 98 src 10.0.0.1",
            "del 0.0.0.0/0 via 10.1.0.9 dev 3 metric 0 src 10.0.0.1",
            "del 198.51.100.0/24 via 10.1.0.9 dev 3 metric 99 src 10.0.0.1",
            "add Alone 198.51.100.0/24 via 10.2.0.9 dev 4 metric 99 src 10.0.0.1",
            "del 198.51.100.0/24 via 10.2.0.9 dev 4 metric 98 src 10.0.0.1",
        ]
    );
}

#[test]
fn a_thousand_routes_go_in_batches_and_one_line() {
    let mut rig = Rig::new();
    for i in 0..1000u32 {
        let prefix = format!("172.16.{}.{}/32", i / 250, i % 250);
        rig.add(&route(&prefix, GATEWAY, ETH0, 0));
    }
    rig.batches = 0;
    dead(&mut rig);
    assert_eq!(rig.own().len(), 1001);
    assert!(rig.batches <= 17, "{} batches", rig.batches);
    let notices = rig.take_notices();
    assert_eq!(notices.len(), 1, "{notices:?}");
    let neighbours = rig.asked.iter().filter(|o| matches!(o, Operation::DeleteNeighbour { .. })).count();
    assert_eq!(neighbours, 2, "once for the host, once when the last route has left");
    rig.home("eth0", GATEWAY);
    assert_eq!(rig.own(), [""; 0]);
    let lifted = rig.take_notices();
    let [Notice::OverlayLifted { subject: Some(subject), routes: 1001, .. }] = &lifted[..] else {
        panic!("{lifted:?}")
    };
    assert_eq!(subject.address, ip(GATEWAY));
    assert_eq!(rig.foreign().len(), 1000);
    assert_eq!(rig.last_outcome("eth0", GATEWAY), Some(&Outcome::Lifted));
    let _ = ETH1;
}
