//! What others put in front of a route, or in the way of an overlay, is never passed: kill switches, routes of excluded
//! interfaces, and whatever has the one place that an overlay may have.

mod any_table;
mod asked;
mod gone;
mod hosts;
mod under_way;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use proptest::prelude::*;

use super::rig::{
    self, ETH0, ETH1, Rig, STATIC, by, interface, ip, kernel, route, route_text, settings, stand_in,
};
use crate::engine::{Outcome, Verdict};
use crate::event::EventName;
use crate::interface::{InterfaceAddress, InterfaceIndex};
use crate::operation::Refusal;
use crate::reconcile::mirror::Insert;
use crate::reconcile::{Input, Mirror, Notice, Settings};
use crate::route::{Answer, MAIN_TABLE, PROTOCOL, Route, RouteKey, RouteType};
use crate::watch::Way;

const HOME: (&str, &str) = ("10.0.0.9", "eth0");
const AWAY: (&str, &str) = ("10.1.0.9", "eth1");
const NEVER: [&str; 0] = [];

fn refusing(kind: RouteType, destination: &str, metric: u32) -> Route {
    Route { kind, legs: Vec::new(), ..route(destination, "-", ETH0, metric) }
}

fn prohibit(destination: &str, metric: u32) -> Route {
    refusing(RouteType::Prohibit, destination, metric)
}

/// Two default routes, and the destination leads by the first.
fn uplinks(destination: &str, via: [&str; 2]) -> Rig {
    let mut rig = Rig::watching(&["eth0", "eth1", "eth2"]);
    rig.add(&route(destination, via[0], ETH0, 100));
    rig.add(&route(destination, via[1], ETH1, 200));
    rig.lead(destination, &[(via[0], "eth0")]);
    rig.take_operations();
    rig.take_notices();
    rig
}

/// What is in the way, as each notice of it says.
fn in_the_way(notices: &[Notice]) -> Vec<&str> {
    let mut all = Vec::new();
    for notice in notices {
        if let Notice::OverlayBlocked { by, .. } = notice {
            all.push(by.as_str());
        }
    }
    all
}

const FAMILIES: [(&str, [&str; 2], &str); 2] =
    [("0.0.0.0/0", ["10.0.0.9", "10.1.0.9"], "203.0.113.1"), ("::/0", ["fd00::9", "fd01::9"], "2001:db8::1")];

const TYPES: [RouteType; 5] = [
    RouteType::Blackhole,
    RouteType::Unreachable,
    RouteType::Prohibit,
    RouteType::Throw,
    RouteType::Other(2),
];

#[test]
fn a_kill_switch_just_below_the_original_is_not_passed_and_its_removal_lets_the_overlay_in() {
    for (destination, via, target) in FAMILIES {
        for kind in TYPES {
            let mut rig = uplinks(destination, via);
            let switch = refusing(kind, destination, 99);
            rig.add(&switch);
            rig.lead(destination, &[(via[1], "eth1")]);
            assert_eq!(rig.own(), NEVER, "{kind:?}");
            assert_eq!(rig.kernel.lookup(&ip(target)).unwrap().kind, kind);
            let lines = rig.told(&[EventName::OverlayBlocked]);
            let name = if destination == "::/0" { "default6" } else { "default" };
            let by = format!("{} {name} metric 99", kind.word().unwrap());
            assert_eq!(in_the_way(&lines), [by.as_str()]);
            assert_eq!(rig.core.troubles()[0].blocked.as_deref(), Some(by.as_str()));
            rig.wait(Duration::from_secs(120));
            assert_eq!((rig.own(), rig.told(&[EventName::OverlayBlocked])), (Vec::new(), Vec::new()));
            rig.delete(&switch);
            assert_eq!(rig.kernel.lookup(&ip(target)).unwrap().protocol, PROTOCOL);
            assert_eq!(rig.told(&[EventName::OverlayBlockedCleared]).len(), 1);
            assert_eq!(rig.core.troubles(), []);
        }
    }
}

#[test]
fn what_a_wider_kill_switch_lifts_is_told_and_laid_again_when_that_is_gone() {
    let mut rig = Rig::watching(&["eth0", "eth1", "eth2"]);
    rig.lead("203.0.113.0/24", &[AWAY]);
    let switch = prohibit("203.0.0.0/16", 10);
    rig.add(&switch);
    assert_eq!((rig.own(), rig.told(&[EventName::OverlayBlocked]).len()), (Vec::new(), 1));
    assert_eq!(rig.core.troubles()[0].blocked.as_deref(), Some("prohibit 203.0.0.0/16 metric 10"));
    rig.delete(&switch);
    assert_eq!((rig.own().len(), rig.told(&[EventName::OverlayBlockedCleared]).len()), (1, 1));
}

#[test]
fn a_kill_switch_that_takes_the_place_of_the_overlay_stays() {
    for (destination, via, target) in FAMILIES {
        let mut rig = uplinks(destination, via);
        rig.lead(destination, &[(via[1], "eth1")]);
        assert_eq!(rig.own().len(), 1);
        rig.event(|kernel| kernel.add_route(&prohibit(destination, 99), Insert::Replace).unwrap());
        rig.wait(Duration::from_secs(600));
        assert_eq!(rig.own(), NEVER);
        assert_eq!(rig.kernel.lookup(&ip(target)).unwrap().kind, RouteType::Prohibit);
        rig.delete(&prohibit(destination, 99));
        rig.wait(Duration::from_secs(61));
        assert_eq!(rig.own().len(), 1);
    }
}

#[test]
fn a_kill_switch_far_in_front_keeps_everything_out_and_one_behind_does_not() {
    for (destination, via, target) in FAMILIES {
        let mut rig = uplinks(destination, via);
        rig.add(&prohibit(destination, 150));
        rig.lead(destination, &[(via[1], "eth1")]);
        assert_eq!(rig.kernel.lookup(&ip(target)).unwrap().protocol, PROTOCOL);
        rig.add(&prohibit(destination, 10));
        assert_eq!(rig.own(), NEVER);
        rig.delete(&prohibit(destination, 10));
        assert_eq!(rig.own().len(), 1);
        // The original is deleted for good: of what is left the kill switch decides.
        rig.delete(&route(destination, via[0], ETH0, 100));
        rig.wait(Duration::from_secs(5));
        assert_eq!(rig.kernel.lookup(&ip(target)).unwrap().kind, RouteType::Prohibit);
    }
}

#[test]
fn a_destination_without_a_route_does_not_lead_out_of_what_refuses_it() {
    for refused in ["203.0.113.0/24", "203.0.0.0/16", "0.0.0.0/0"] {
        for metric in [0, 10, 50, 51, 4000] {
            let mut rig = Rig::watching(&["eth0", "eth1", "eth2"]);
            rig.add(&prohibit(refused, metric));
            rig.lead("203.0.113.0/24", &[AWAY]);
            assert_eq!(rig.own(), NEVER, "{refused} {metric}");
            rig.delete(&prohibit(refused, metric));
            assert_eq!(rig.own().len(), 1);
        }
    }
}

/// Each: what is led, a route that covers it, what refuses more than that, and the next hops.
const UNDER: [(&str, &str, &str, [&str; 2], &str); 2] = [
    ("203.0.113.0/24", "203.0.0.0/16", "0.0.0.0/0", ["10.0.0.9", "10.1.0.9"], "203.0.113.1"),
    ("2001:db8:7::/48", "2001:db8::/32", "::/0", ["fd00::9", "fd01::9"], "2001:db8:7::1"),
];

#[test]
fn a_route_that_no_listing_shows_is_looked_up_and_named() {
    for (destination, via, _) in FAMILIES {
        let mut rig = uplinks(destination, via);
        rig.event(|kernel| {
            kernel.add_interface(super::rig::interface(
                InterfaceIndex(9),
                "tun0",
                &["10.9.0.1/24", "fd09::1/64"],
            ))
        });
        let stranger = Route { protocol: 186, ..route(destination, "-", InterfaceIndex(9), 99) };
        rig.add(&stranger);
        rig.lead(destination, &[(via[1], "eth1")]);
        rig.wait(Duration::from_secs(300));
        assert_eq!(rig.own(), NEVER);
        let lines = rig.told(&[EventName::OverlayBlocked]);
        let [by] = in_the_way(&lines)[..] else { panic!("{lines:?}") };
        assert!(by.ends_with("dev tun0 metric 99"), "{by}");
        rig.delete(&stranger);
        assert_eq!(rig.own().len(), 1);
        assert_eq!(rig.told(&[EventName::OverlayBlockedCleared]).len(), 1);
    }
}

#[test]
fn a_place_that_falls_vacant_without_a_word_is_taken_in_time() {
    let mut rig = uplinks("0.0.0.0/0", FAMILIES[0].1);
    let tun = InterfaceIndex(9);
    rig.event(|kernel| kernel.add_interface(super::rig::interface(tun, "tun0", &["10.9.0.1/24"])));
    rig.add(&route("0.0.0.0/0", "-", tun, 99));
    rig.lead("0.0.0.0/0", &[AWAY]);
    assert_eq!(rig.own(), NEVER);
    rig.event(|kernel| kernel.set_up(tun, false));
    rig.wait(Duration::from_secs(1));
    assert_eq!(rig.own().len(), 1);
}

#[test]
fn an_overlay_of_a_destination_that_nothing_is_decided_about_passes_no_kill_switch() {
    for refused in ["10.9.0.0/16", "10.0.0.0/8", "0.0.0.0/0"] {
        for metric in [60, 4000] {
            for has_original in [false, true] {
                for is_restarted in [false, true] {
                    let case = format!("{refused} {metric} {has_original} {is_restarted}");
                    let mut rig = Rig::watching(&["eth0", "eth1", "eth2"]);
                    if has_original {
                        rig.add(&route("10.9.0.0/16", HOME.0, ETH0, 100));
                    }
                    rig.lead("10.9.0.0/16", &[AWAY]);
                    if has_original {
                        rig.event(|kernel| kernel.set_up(ETH0, false));
                        rig.wait(5 * SECOND);
                    }
                    assert_eq!(rig.own().len(), 1);
                    rig.watch.routes.insert(super::rig::destination("10.9.0.0/16"), Way::Undecided);
                    if is_restarted {
                        rig.restart(true);
                    }
                    rig.hand_in_watch();
                    rig.add(&prohibit(refused, metric));
                    rig.wait(SECOND);
                    // What the original stands in front of, or decides before, its overlay does, too.
                    assert_eq!(rig.own().is_empty(), !has_original, "{case}");
                    assert_eq!(
                        rig.told(&[EventName::OverlayBlocked]).len(),
                        usize::from(!has_original),
                        "{case}"
                    );
                    assert_eq!(rig.core.troubles().is_empty(), has_original, "{case}");
                }
            }
        }
    }
}

/// What follows is in the kernel behind all that a routing daemon put there.
#[test]
fn among_the_routes_of_a_routing_daemon_no_kill_switch_and_no_route_to_overlay_is_overlooked() {
    const BGP: u8 = 186;
    let mut rig = Rig::watching(&["eth0", "eth1", "eth2"]);
    for number in 0..70_000_u32 {
        let destination = format!("{}/32", std::net::Ipv4Addr::from(0x0100_0000 + number));
        let full = Route { protocol: BGP, ..route(&destination, "10.0.0.8", ETH0, 0) };
        rig.kernel.add_route(&full, Insert::Exclusive).unwrap();
    }
    rig.kernel.add_route(&prohibit("198.51.0.0/16", 10), Insert::Exclusive).unwrap();
    rig.overrun();
    assert_eq!(rig.told(&[EventName::TooManyRoutes]).len(), 1);
    rig.add(&route("203.0.113.0/24", HOME.0, ETH0, 100));
    rig.lead("198.51.100.0/24", &[AWAY]);
    assert_eq!(rig.own(), NEVER);
    rig.lead("203.0.113.0/24", &[AWAY]);
    rig.take_operations();
    rig.wait(65 * SECOND);
    assert_eq!(rig.take_operations(), NEVER);
    assert_eq!(rig.own().len(), 1);
}

const SECOND: Duration = Duration::from_secs(1);

/// The kernel lists IPv6 routes of other types than those that refuse packets only with their interface.
#[test]
fn a_route_that_no_listing_will_show_is_not_taken_in() {
    let tun = InterfaceIndex(9);
    let mut rig = uplinks("::/0", FAMILIES[1].1);
    rig.event(|kernel| kernel.add_interface(interface(tun, "tun0", &[])));
    let multicast = Route { kind: RouteType::Other(5), ..route("2001:db8::/32", "-", tun, 10) };
    rig.add(&multicast);
    rig.lead("2001:db8:7::/48", &[("fd01::9", "eth1")]);
    let laid = rig.own().len();
    rig.overrun();
    assert_eq!((rig.own().len(), laid), (1, 1));
}

#[test]
fn a_local_route_is_a_sink_by_whatever_interface() {
    let tun = InterfaceIndex(9);
    for (at, (destination, via, target)) in FAMILIES.into_iter().enumerate() {
        for (refused, metric) in [(destination, 99), (["203.0.0.0/16", "2001:db8::/32"][at], 10)] {
            let mut rig = uplinks(destination, via);
            rig.event(|kernel| kernel.add_interface(interface(tun, "tun0", &["10.9.0.1/24", "fd09::1/64"])));
            let led = [destination, UNDER[at].0][usize::from(metric == 10)];
            let sink = Route { kind: RouteType::LOCAL, ..route(refused, "-", tun, metric) };
            let is_sunk = |rig: &Rig| rig.kernel.lookup(&ip(target)).unwrap().is_same(&sink);
            rig.add(&sink);
            rig.lead(led, &[(via[1], "eth1")]);
            for _ in 0..2 {
                assert!(is_sunk(&rig) || metric == 10, "{refused}: {:?}", rig.own());
                assert_eq!(
                    (rig.own(), rig.told(&[EventName::OverlayBlocked]).len()),
                    (Vec::new(), 1),
                    "{refused}"
                );
                // A start finds it in the listings.
                rig.restart(true);
                rig.wait(SECOND);
            }
        }
    }
}

#[test]
fn gateways_and_groups_respect_it_as_well() {
    let mut rig = Rig::new();
    rig.add(&route("0.0.0.0/0", "10.0.0.9", ETH0, 100));
    rig.add(&prohibit("0.0.0.0/0", 99));
    rig.detour("eth0", "10.0.0.9", "eth1", "10.1.0.9");
    assert!(rig.own().iter().all(|own| own.starts_with("10.0.0.9/32")), "{:?}", rig.own());
    assert_eq!(rig.told(&[EventName::OverlayBlocked]).len(), 1);
    rig.delete(&prohibit("0.0.0.0/0", 99));
    assert_eq!(rig.own().len(), 2);

    let mut rig = Rig::watching(&["eth0", "eth1", "eth2"]);
    rig.add(&route("198.51.100.0/24", "10.0.0.9", ETH0, 100));
    rig.add(&prohibit("198.51.100.0/24", 99));
    rig.member("eth0", stand_in("eth1"));
    assert!(!rig.own().iter().any(|own| own.starts_with("198.51.100")), "{:?}", rig.own());
    rig.delete(&prohibit("198.51.100.0/24", 99));
    assert!(rig.own().iter().any(|own| own.starts_with("198.51.100")), "{:?}", rig.own());
}

#[test]
fn the_overlay_has_no_other_metric_when_it_has_changed() {
    for (destination, via, target) in FAMILIES {
        let third = if destination == "::/0" { "fd02::9" } else { "10.2.0.9" };
        let mut rig = uplinks(destination, via);
        rig.lead(destination, &[(via[1], "eth1")]);
        rig.lead(destination, &[(third, "eth2")]);
        assert_eq!(rig.own().len(), 1);
        assert!(rig.own()[0].contains("dev 4 metric 99"), "{:?}", rig.own());
        assert_eq!(rig.gateway_to(target), Some(ip(third)));
        assert_eq!(rig.gaps, NEVER);
        // A stranger, whom no listing shows, has the metric below.
        rig.event(|kernel| {
            kernel.add_interface(super::rig::interface(
                InterfaceIndex(9),
                "tun0",
                &["10.9.0.1/24", "fd09::1/64"],
            ))
        });
        rig.add(&route(destination, "-", InterfaceIndex(9), 98));
        rig.lead(destination, &[(via[1], "eth1")]);
        assert_eq!(rig.own().len(), 1);
        assert!(rig.own()[0].contains("dev 3 metric 99"), "{:?}", rig.own());
    }
}

/// A VPN on an interface that is excluded.
fn vpn(metric: u32) -> Rig {
    let tun = InterfaceIndex(9);
    let mut kernel = kernel();
    kernel.add_interface(super::rig::interface(tun, "tun0", &["10.9.0.1/24", "fd09::1/64"]));
    kernel.add_route(&route("0.0.0.0/0", "-", tun, metric), Insert::Exclusive).unwrap();
    let excluded = ["tun0".to_owned()].into();
    let mut rig = Rig::watching_under(
        kernel,
        &["eth0", "eth1", "eth2"],
        Settings { excluded, watches: true, ..settings() },
    );
    rig.add(&route("0.0.0.0/0", "10.0.0.9", ETH0, 100));
    rig.add(&route("0.0.0.0/0", "10.1.0.9", ETH1, 200));
    rig
}

#[test]
fn nothing_is_put_in_front_of_a_route_by_an_excluded_interface() {
    for metric in [0, 50, 98] {
        let mut rig = vpn(metric);
        rig.lead("0.0.0.0/0", &[HOME]);
        assert_eq!(rig.own(), NEVER);
        rig.lead("0.0.0.0/0", &[AWAY]);
        assert_eq!(rig.own(), ["0.0.0.0/0 via 10.1.0.9 dev 3 metric 99 src 10.1.0.1"], "it stays behind");
        assert_eq!(rig.kernel.lookup(&ip("203.0.113.1")).unwrap().legs[0].interface, InterfaceIndex(9));
    }
    let mut rig = vpn(99);
    rig.lead("0.0.0.0/0", &[AWAY]);
    assert_eq!(rig.own(), NEVER);
    assert_eq!(in_the_way(&rig.told(&[EventName::OverlayBlocked])), ["default dev tun0 metric 99"]);
}
