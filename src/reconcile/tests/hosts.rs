//! Host overlays: laid, moved, lifted, left alone.

use std::time::Duration;

use super::rig::{ETH0, ETH1, ETH2, Rig, ip, route};
use crate::config::Exit;
use crate::engine::{NextHop, Outcome, Subject, Verdict};
use crate::reconcile::Notice;

#[test]
fn a_detour_becomes_a_host_route_with_our_home_address_and_the_neighbour_is_forgotten() {
    let mut rig = Rig::new();
    rig.detour("eth0", "10.0.0.2", "eth1", "10.1.0.2");
    assert_eq!(
        rig.take_operations(),
        ["add Alone 10.0.0.2/32 via 10.1.0.2 dev 3 metric 0 src 10.0.0.1", "neigh del 10.0.0.2 dev 2"]
    );
    let way = NextHop { interface: "eth1".into(), via: ip("10.1.0.2") };
    assert_eq!(rig.last_outcome("eth0", "10.0.0.2"), Some(&Outcome::Applied(way.clone())));
    let subject = Subject { home: "eth0".into(), address: ip("10.0.0.2") };
    assert_eq!(rig.take_notices(), [Notice::OverlayLaid { subject, way, routes: 1 }]);
}

#[test]
fn routes_that_differ_by_type_of_service_do_not_look_alike() {
    let mut lowdelay = route("10.9.0.0/24", "10.1.0.2", ETH1, 7);
    lowdelay.key.tos = 0x10;
    let text = Rig::new().core.describe_route(&lowdelay);
    assert_eq!(text, "10.9.0.0/24 tos 0x10 via 10.1.0.2 dev eth1 metric 7");
}

#[test]
fn home_lifts_it_and_says_so_once() {
    let mut rig = Rig::new();
    rig.detour("eth0", "10.0.0.2", "eth1", "10.1.0.2");
    rig.take_operations();
    rig.take_notices();
    rig.home("eth0", "10.0.0.2");
    assert_eq!(rig.take_operations(), ["del 10.0.0.2/32 via 10.1.0.2 dev 3 metric 0 src 10.0.0.1"]);
    assert_eq!(rig.last_outcome("eth0", "10.0.0.2"), Some(&Outcome::Lifted));
    let lifted = rig.take_notices();
    let of = Subject { home: "eth0".into(), address: ip("10.0.0.2") };
    assert!(
        matches!(&lifted[..], [Notice::OverlayLifted { subject, routes: 1, .. }] if *subject == Some(of)),
        "{lifted:?}"
    );
    rig.wait(Duration::from_secs(300));
    assert_eq!(rig.take_operations(), [""; 0]);
    assert_eq!(rig.take_notices(), []);
}

#[test]
fn an_ipv6_overlay_has_the_kernels_usual_metric() {
    let mut rig = Rig::new();
    rig.detour("eth0", "fd00::2", "eth1", "fd01::2");
    assert_eq!(
        rig.take_operations(),
        ["add Alone fd00::2/128 via fd01::2 dev 3 metric 1024 src fd00::1", "neigh del fd00::2 dev 2"]
    );
}

#[test]
fn a_link_local_subject_has_no_host_route() {
    let mut rig = Rig::new();
    rig.detour("eth0", "fe80::2", "eth1", "fe80::22");
    assert_eq!(rig.take_operations(), [""; 0]);
    assert_eq!(rig.last_outcome("eth0", "fe80::2"), Some(&Outcome::Lifted));
}

#[test]
fn a_move_from_way_to_way_makes_before_it_breaks() {
    let mut rig = Rig::new();
    rig.detour("eth0", "10.0.0.2", "eth1", "10.1.0.2");
    rig.detour("eth0", "fd00::2", "eth1", "fd01::2");
    rig.take_operations();
    rig.detour("eth0", "10.0.0.2", "eth2", "10.2.0.2");
    assert_eq!(
        rig.take_operations(),
        [
            "add Before 10.0.0.2/32 via 10.2.0.2 dev 4 metric 0 src 10.0.0.1",
            "neigh del 10.0.0.2 dev 2",
            "del 10.0.0.2/32 via 10.1.0.2 dev 3 metric 0 src 10.0.0.1",
        ]
    );
    rig.detour("eth0", "fd00::2", "eth2", "fd02::2");
    let operations = rig.take_operations();
    assert_eq!(operations[0], "add Alone fd00::2/128 via fd02::2 dev 4 metric 1023 src fd00::1");
    assert!(operations.contains(&"del fd00::2/128 via fd01::2 dev 3 metric 1024 src fd00::1".to_owned()));
    assert_eq!(rig.own().len(), 2);
}

#[test]
fn a_host_route_of_others_over_the_dead_interface_is_covered() {
    let mut rig = Rig::new();
    rig.add(&route("10.0.0.2/32", "-", ETH0, 0));
    rig.add(&route("fd00::2/128", "-", ETH0, 1024));
    rig.detour("eth0", "10.0.0.2", "eth1", "10.1.0.2");
    rig.detour("eth0", "fd00::2", "eth1", "fd01::2");
    let operations = rig.take_operations();
    assert!(operations.contains(&"add Before 10.0.0.2/32 via 10.1.0.2 dev 3 metric 0 src 10.0.0.1".into()));
    assert!(operations.contains(&"add Alone fd00::2/128 via fd01::2 dev 3 metric 1023 src fd00::1".into()));
    assert_eq!(rig.gateway_to("10.0.0.2"), Some(ip("10.1.0.2")));
    assert_eq!(rig.gateway_to("fd00::2"), Some(ip("fd01::2")));
}

#[test]
fn a_host_route_of_others_by_another_way_is_left_in_force() {
    let mut rig = Rig::new();
    rig.add(&route("10.0.0.2/32", "10.2.0.2", ETH2, 5));
    rig.detour("eth0", "10.0.0.2", "eth1", "10.1.0.2");
    assert_eq!(rig.take_operations(), [""; 0]);
    assert!(matches!(rig.last_outcome("eth0", "10.0.0.2"), Some(Outcome::Applied(_))));
}

#[test]
fn undecided_and_withdrawn_subjects_keep_what_they_have() {
    let mut rig = Rig::new();
    rig.detour("eth0", "10.0.0.2", "eth1", "10.1.0.2");
    rig.take_operations();
    rig.decide("eth0", "10.0.0.2", Verdict::Undecided);
    rig.plan.subjects.clear();
    rig.hand_in_plan();
    rig.wait(Duration::from_secs(120));
    assert_eq!(rig.take_operations(), [""; 0]);
    assert_eq!(rig.own().len(), 1);
}

#[test]
fn a_new_start_adopts_what_it_finds_and_touches_nothing_until_home_is_proven() {
    let mut rig = Rig::new();
    rig.detour("eth0", "10.0.0.2", "eth1", "10.1.0.2");
    rig.take_operations();
    rig.restart(false);
    assert_eq!(
        rig.adopted,
        [(ip("10.0.0.2"), Some(NextHop { interface: "eth1".into(), via: ip("10.1.0.2") }))]
    );
    rig.wait(Duration::from_secs(70));
    rig.detour("eth0", "10.0.0.2", "eth1", "10.1.0.2");
    assert_eq!(rig.take_operations(), [""; 0]);
    assert!(matches!(rig.last_outcome("eth0", "10.0.0.2"), Some(Outcome::Applied(_))));
    rig.home("eth0", "10.0.0.2");
    assert_eq!(rig.own(), [""; 0]);
}

#[test]
fn a_detour_over_an_interface_that_is_down_waits_for_it() {
    let mut rig = Rig::new();
    rig.event(|k| k.set_up(super::rig::ETH1, false));
    rig.detour("eth0", "10.0.0.2", "eth1", "10.1.0.2");
    assert_eq!(rig.take_operations(), [""; 0]);
    assert!(matches!(rig.last_outcome("eth0", "10.0.0.2"), Some(Outcome::Refused(_))));
    rig.event(|k| k.set_up(super::rig::ETH1, true));
    assert_eq!(rig.own(), ["10.0.0.2/32 via 10.1.0.2 dev 3 metric 0 src 10.0.0.1"]);
    assert!(matches!(rig.last_outcome("eth0", "10.0.0.2"), Some(Outcome::Applied(_))));
}

#[test]
fn the_end_leaves_detours_and_names_the_undo_command() {
    let mut rig = Rig::new();
    rig.detour("eth0", "10.0.0.2", "eth1", "10.1.0.2");
    rig.detour("eth0", "fd00::2", "eth1", "fd01::2");
    rig.take_operations();
    rig.take_notices();
    rig.stop();
    assert_eq!(rig.take_operations(), [""; 0]);
    let left = Notice::LeftBehind { ipv4: 1, ipv6: 1, addresses: Vec::new(), tests: Vec::new() };
    assert_eq!(rig.take_notices(), [left]);
    assert_eq!(rig.core.deadline(), None);
    assert_eq!(super::rig::settings().exit, Exit::Remove);
}

#[test]
fn the_end_with_keep_lifts_nothing_that_is_not_lifted_yet() {
    let mut rig = Rig::new();
    rig.core = crate::reconcile::Reconciler::new(
        crate::reconcile::Settings { exit: Exit::Keep, ..super::rig::settings() },
        None,
    );
    rig.hand_in_plan();
    rig.detour("eth0", "10.0.0.2", "eth1", "10.1.0.2");
    rig.refuses = Some(crate::operation::Refusal::new(nix::errno::Errno::EPERM, "Operation not permitted"));
    rig.home("eth0", "10.0.0.2");
    rig.refuses = None;
    rig.take_operations();
    rig.stop();
    assert_eq!(rig.take_operations(), [""; 0]);
    assert_eq!(rig.own().len(), 1);
}
