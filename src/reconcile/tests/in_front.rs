//! What others put in front of a route, or in the way of an overlay, is never passed: kill switches, routes of excluded
//! interfaces, and whatever has the one place that an overlay may have.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use proptest::prelude::*;

use super::rig::{ETH0, ETH1, Rig, STATIC, by, interface, ip, kernel, route, route_text, settings, stand_in};
use crate::engine::{Outcome, Verdict};
use crate::interface::{InterfaceAddress, InterfaceIndex};
use crate::reconcile::mirror::Insert;
use crate::reconcile::{
    Answer, Input, MAIN_TABLE, Mirror, PROTOCOL, Refusal, Route, RouteKey, RouteType, Settings,
};
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

fn told(rig: &mut Rig, event: &str) -> Vec<String> {
    rig.take_notices().into_iter().filter(|line| line.split(' ').next() == Some(event)).collect()
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
            let lines = told(&mut rig, "overlay-blocked");
            assert_eq!(lines.len(), 1, "{lines:?}");
            let name = if destination == "::/0" { "default6" } else { "default" };
            let cause = format!("cause=\"{} {name} metric 99\"", kind.word().unwrap());
            assert!(lines[0].contains(&cause), "{lines:?}");
            assert_eq!(rig.core.troubles()[0].blocked.as_deref(), lines[0].split('"').nth(3));
            rig.wait(Duration::from_secs(120));
            assert_eq!((rig.own(), told(&mut rig, "overlay-blocked")), (Vec::new(), Vec::new()));
            rig.delete(&switch);
            assert_eq!(rig.kernel.lookup(&ip(target)).unwrap().protocol, PROTOCOL);
            assert_eq!(told(&mut rig, "overlay-blocked-cleared").len(), 1);
            assert_eq!(rig.core.troubles(), []);
        }
    }
}

/// The second way's interface, made again while the overlay by the first one was on its way to the kernel.
fn made_again(rig: &mut Rig, destination: &str, via: [&str; 2], switch: Option<&Route>) {
    rig.want(destination, &[(via[1], "eth1")]);
    rig.stall(Duration::from_secs(3), |kernel| {
        let mut told = kernel.delete_interface(ETH1);
        told.extend(kernel.add_interface(interface(NEW_ETH1, "eth1", &["10.1.0.1/24", "fd01::1/64"])));
        let second = route(destination, via[1], NEW_ETH1, 200);
        for route in [&second].into_iter().chain(switch) {
            told.extend(kernel.add_route(route, Insert::Exclusive).unwrap());
        }
        told
    });
}

const NEW_ETH1: InterfaceIndex = InterfaceIndex(13);

#[test]
fn an_overlay_does_not_wait_for_an_interface_that_is_there_under_another_number() {
    for (destination, via, target) in FAMILIES {
        let mut rig = uplinks(destination, via);
        made_again(&mut rig, destination, via, None);
        assert_eq!(rig.kernel.lookup(&ip(target)).unwrap().protocol, PROTOCOL);
        assert_eq!(rig.core.troubles(), []);
    }
}

#[test]
fn an_overlay_that_a_kill_switch_kept_out_stands_when_that_is_gone_whatever_was_refused_before() {
    for (destination, via, target) in FAMILIES {
        let mut rig = uplinks(destination, via);
        let switch = refusing(RouteType::Unreachable, destination, 99);
        made_again(&mut rig, destination, via, Some(&switch));
        assert_eq!(rig.own(), NEVER);
        rig.delete(&switch);
        assert_eq!(rig.kernel.lookup(&ip(target)).unwrap().protocol, PROTOCOL);
        assert_eq!(rig.core.troubles(), []);
    }
}

/// What may happen next, in any order.
const STEPS: [fn(&mut Rig, &Route); 3] = [
    |rig, switch| {
        let equal = rig.kernel.routes().at(&switch.key).first().map(|route| route.protocol);
        match equal {
            None => rig.unheard(|kernel| kernel.add_route(switch, Insert::Exclusive).unwrap()),
            // The administrator insists.
            Some(PROTOCOL) => rig.unheard(|kernel| kernel.add_route(switch, Insert::Replace).unwrap()),
            Some(_) => rig.unheard(|kernel| kernel.delete_route(switch).unwrap()),
        }
    },
    |rig, _| rig.step(false),
    |rig, _| rig.step(true),
];

const MOST_STEPS: u32 = 6;

#[test]
fn a_kill_switch_comes_and_goes_between_all_that_is_read_and_done() {
    for order in 0..3_usize.pow(MOST_STEPS) {
        let steps: Vec<usize> = (0..MOST_STEPS).map(|at| order / 3_usize.pow(at) % 3).collect();
        let changes = steps.iter().filter(|step| **step == 0).count();
        // Each further pair of changes repeats what two of them play.
        if !(1..=3).contains(&changes) {
            continue;
        }
        let (destination, via, target) = FAMILIES[order % 2];
        let mut rig = uplinks(destination, via);
        let switch = refusing(RouteType::Unreachable, destination, 99);
        rig.waits_its_turn = true;
        rig.want(destination, &[(via[1], "eth1")]);
        for step in &steps {
            STEPS[*step](&mut rig, &switch);
            let decides = rig.kernel.lookup(&ip(target)).unwrap();
            let stands = rig.kernel.routes().at(&switch.key).iter().any(|r| r.is_same(&switch));
            assert!(!stands || decides.is_same(&switch), "{steps:?}: {decides:?}");
        }
        rig.settle();
        rig.wait(Duration::from_millis(2100));
        let decides = rig.kernel.lookup(&ip(target)).unwrap();
        if rig.kernel.routes().at(&switch.key).iter().any(|r| r.is_same(&switch)) {
            assert!(decides.is_same(&switch), "{steps:?}: {decides:?}");
            rig.delete(&switch);
            let decides = rig.kernel.lookup(&ip(target)).unwrap();
            assert_eq!(decides.protocol, PROTOCOL, "{steps:?}: {:?}", rig.core.troubles());
        } else {
            assert_eq!(decides.protocol, PROTOCOL, "{steps:?}: {:?}", rig.core.troubles());
        }
    }
}

/// Each: what is led, its original if there is one, and a kill switch that others put in its way.
fn in_its_way() -> [(&'static str, Option<Route>, Route, Insert); 5] {
    let original = |metric| Some(route("203.0.113.0/24", HOME.0, ETH0, metric));
    let led = "203.0.113.0/24";
    [
        (led, None, prohibit(led, 4000), Insert::Exclusive),
        (led, None, prohibit("203.0.0.0/16", 10), Insert::Exclusive),
        (led, original(100), prohibit(led, 99), Insert::Exclusive),
        (led, original(0), prohibit(led, 0), Insert::Replace),
        (led, original(0), prohibit(led, 0), Insert::Prepend),
    ]
}

#[test]
fn an_overlay_that_is_not_laid_yet_passes_no_kill_switch_that_was_read_of_in_the_meantime() {
    for (led, original, switch, insert) in in_its_way() {
        let text = format!("{} {insert:?}", route_text(&switch));
        let mut rig = Rig::watching(&["eth0", "eth1", "eth2"]);
        original.iter().for_each(|original| rig.add(original));
        rig.waits_its_turn = true;
        rig.want(led, &[AWAY]);
        rig.want("198.51.100.0/24", &[AWAY]);
        rig.unheard(|kernel| kernel.add_route(&switch, insert).unwrap());
        rig.step(false);
        for _ in 0..4 {
            rig.step(true);
            assert!(
                rig.kernel.lookup(&ip("203.0.113.1")).unwrap().is_same(&switch),
                "{text}: {:?}",
                rig.own()
            );
        }
        rig.settle();
        rig.wait(SECOND);
        assert!(rig.kernel.lookup(&ip("203.0.113.1")).unwrap().is_same(&switch), "{text}: {:?}", rig.own());
        assert_eq!(rig.own().len(), 1, "the other is laid: {text}");
        rig.delete(&switch);
        rig.wait(SECOND);
        assert_eq!(rig.own().len(), 2, "{text}: {:?}", rig.own());
    }
}

#[test]
fn an_overlay_stays_if_the_route_that_serves_in_its_place_goes_before_it_is_lifted() {
    let mut rig = uplinks("0.0.0.0/0", FAMILIES[0].1);
    rig.lead("0.0.0.0/0", &[AWAY]);
    rig.delete(&route("0.0.0.0/0", HOME.0, ETH0, 100));
    rig.waits_its_turn = true;
    let back = route("0.0.0.0/0", HOME.0, ETH0, 100);
    rig.unheard(|kernel| kernel.add_route(&back, Insert::Exclusive).unwrap());
    rig.step(false);
    rig.want("0.0.0.0/0", &[HOME]);
    rig.unheard(|kernel| kernel.delete_route(&back).unwrap());
    rig.want("0.0.0.0/0", &[AWAY]);
    rig.step(false);
    rig.take_operations();
    rig.settle();
    rig.wait(SECOND);
    assert_eq!((rig.gateway_to("203.0.113.1"), rig.take_operations()), (Some(ip(AWAY.0)), Vec::new()));
}

#[test]
fn more_routes_of_ours_in_one_group_than_a_batch_holds_are_lifted_in_turn() {
    let mut kernel = kernel();
    for metric in 1..=150 {
        let own = Route { protocol: PROTOCOL, ..route("203.0.113.0/24", AWAY.0, ETH1, metric) };
        kernel.add_route(&own, Insert::Exclusive).unwrap();
    }
    let mut rig = Rig::watching_with(kernel, &["eth0", "eth1", "eth2"]);
    rig.waits_its_turn = true;
    rig.add(&route("203.0.113.0/24", HOME.0, ETH0, 1000));
    rig.lead("203.0.113.0/24", &[HOME]);
    assert_eq!(rig.own(), NEVER);
}

#[test]
fn what_a_wider_kill_switch_lifts_is_told_and_laid_again_when_that_is_gone() {
    let mut rig = Rig::watching(&["eth0", "eth1", "eth2"]);
    rig.lead("203.0.113.0/24", &[AWAY]);
    let switch = prohibit("203.0.0.0/16", 10);
    rig.add(&switch);
    assert_eq!((rig.own(), told(&mut rig, "overlay-blocked").len()), (Vec::new(), 1));
    assert_eq!(rig.core.troubles()[0].blocked.as_deref(), Some("prohibit 203.0.0.0/16 metric 10"));
    rig.delete(&switch);
    assert_eq!((rig.own().len(), told(&mut rig, "overlay-blocked-cleared").len()), (1, 1));
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

#[test]
fn a_destination_whose_original_went_with_its_interface_is_still_led_past_what_that_passed() {
    let deleted = |rig: &mut Rig| rig.event(|kernel| kernel.delete_interface(ETH0));
    let down = |rig: &mut Rig| rig.event(|kernel| kernel.set_up(ETH0, false));
    for fall in [deleted as fn(&mut Rig), down] {
        for refused in ["203.0.113.0/24", "203.0.0.0/16", "0.0.0.0/0"] {
            for metric in [0, 10, 50, 51, 4000] {
                let mut rig = Rig::watching(&["eth0", "eth1", "eth2"]);
                let original = route("203.0.113.0/24", HOME.0, ETH0, 100);
                rig.add(&original);
                rig.add(&prohibit(refused, metric));
                let is_passed = refused != "203.0.113.0/24" || metric > 100;
                for is_away in [false, true] {
                    rig.lead("203.0.113.0/24", &[if is_away { AWAY } else { HOME }]);
                    assert_eq!(rig.own().len(), usize::from(is_away && is_passed), "{refused} {metric}");
                }
                fall(&mut rig);
                rig.wait(Duration::from_secs(5));
                let decides = rig.kernel.lookup(&ip("203.0.113.1")).unwrap();
                assert_eq!(decides.protocol == PROTOCOL, is_passed, "{refused} {metric}: it is gone");
                // One for a part of it, that comes in the meantime, decides for that.
                rig.add(&prohibit("203.0.113.0/25", 0));
                assert_ne!(rig.kernel.lookup(&ip("203.0.113.1")).unwrap().protocol, PROTOCOL);
            }
        }
    }
}

/// Each: what is led, a route that covers it, what refuses more than that, and the next hops.
const UNDER: [(&str, &str, &str, [&str; 2], &str); 2] = [
    ("203.0.113.0/24", "203.0.0.0/16", "0.0.0.0/0", ["10.0.0.9", "10.1.0.9"], "203.0.113.1"),
    ("2001:db8:7::/48", "2001:db8::/32", "::/0", ["fd00::9", "fd01::9"], "2001:db8:7::1"),
];

/// A destination by the second next hop, under a route by the first that decides in front of a kill switch.
fn under(at: usize, protocol: u8, metric: u32) -> (Rig, Route) {
    let (led, cover, refused, via, _) = UNDER[at];
    let mut rig = Rig::watching(&["eth0", "eth1", "eth2"]);
    let cover = Route { protocol, ..route(cover, via[0], ETH0, metric) };
    rig.add(&prohibit(refused, 4000));
    rig.add(&cover);
    rig.lead(led, &[(via[1], "eth1")]);
    assert_eq!(rig.own().len(), 1);
    (rig, cover)
}

#[test]
fn a_destination_is_led_on_while_the_route_that_covers_it_is_gone_with_its_interface() {
    for at in 0..UNDER.len() {
        let (led, _, _, via, target) = UNDER[at];
        let is_led = |rig: &Rig| rig.kernel.lookup(&ip(target)).unwrap().protocol == PROTOCOL;
        let (mut rig, cover) = under(at, STATIC, 1024);
        rig.event(|kernel| kernel.set_up(ETH0, false));
        rig.wait(70 * SECOND);
        assert!(is_led(&rig), "{led}");
        // It is laid in that time as well, and passes nothing that the missing route did not pass.
        rig.decide_way(led, by(&[(via[0], "eth0")]));
        rig.decide_way(led, by(&[(via[1], "eth1")]));
        assert!(is_led(&rig), "{led}");
        let switch = prohibit(&cover.key.destination.to_string(), 10);
        rig.add(&switch);
        assert!(!is_led(&rig), "{led}");
        rig.delete(&switch);
        assert!(is_led(&rig), "{led}");
        rig.event(|kernel| kernel.set_up(ETH0, true));
        rig.event(|kernel| kernel.add_address(ETH0, super::rig::address("fd00::1/64")).unwrap_or_default());
        rig.wait(70 * SECOND);
        assert!(rig.kernel.routes().at(&cover.key).len() == 1 && is_led(&rig), "{led}: {:?}", rig.foreign());
        // Whoever deletes it now means it.
        rig.delete(&cover);
        rig.wait(SECOND);
        assert_eq!(rig.own(), NEVER, "{led}");
    }
}

#[test]
fn a_destination_is_led_no_longer_when_the_route_that_covers_it_is_given_up() {
    for at in 0..UNDER.len() {
        let (mut rig, cover) = under(at, super::rig::DHCP, 1024);
        assert!(rig.core.settings.protocols.contains(&cover.protocol));
        rig.event(|kernel| kernel.set_up(ETH0, false));
        rig.wait(5 * SECOND);
        rig.event(|kernel| kernel.set_up(ETH0, true));
        rig.wait(500 * SECOND);
        assert_eq!(rig.own().len(), 1);
        rig.wait(200 * SECOND);
        assert_eq!(rig.own(), NEVER);
        assert_eq!(told(&mut rig, "overlay-blocked").len(), 1);
    }
}

#[test]
fn a_destination_whose_original_went_with_its_interface_is_led_out_of_no_vpn_that_was_in_front() {
    let mut rig = vpn(0);
    rig.add(&route("10.9.0.0/16", HOME.0, ETH0, 0));
    rig.lead("10.9.0.0/16", &[AWAY]);
    rig.lead("10.8.0.0/16", &[AWAY]);
    rig.event(|kernel| kernel.set_up(ETH0, false));
    rig.wait(Duration::from_secs(5));
    assert_eq!(rig.own().len(), 1, "{:?}", rig.own());
    assert_eq!(rig.gateway_to("10.9.1.1"), Some(ip(AWAY.0)));
    assert_eq!(rig.kernel.lookup(&ip("10.8.1.1")).unwrap().legs[0].interface, InterfaceIndex(9));
}

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
        let lines = told(&mut rig, "overlay-blocked");
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert!(lines[0].contains("dev tun0 metric 99\" action="), "{lines:?}");
        rig.delete(&stranger);
        assert_eq!(rig.own().len(), 1);
        assert_eq!(told(&mut rig, "overlay-blocked-cleared").len(), 1);
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
fn hosts_are_not_led_out_of_what_refuses_them_at_home() {
    for (subject, home, away, route_home) in
        [("10.0.0.2", "10.0.0.0/24", "10.1.0.2", 0), ("fd00::2", "fd00::/64", "fd01::2", 256)]
    {
        let length = home.parse::<IpNet>().unwrap().prefix_len();
        let host = if subject.contains(':') { 128 } else { 32 };
        let prefix = |length: u8| IpNet::new(ip(subject), length).unwrap().trunc().to_string();
        for (refused, metric, is_respected) in [
            (prefix(host), 5, true),
            (prefix(host), 5000, true),
            (prefix(length + 1), 5000, true),
            (prefix(length - 8), 1, false),
            (home.to_owned(), 5000, false),
            (prefix(0), 1, false),
        ] {
            let mut rig = Rig::new();
            rig.add(&prohibit(&refused, metric));
            rig.detour("eth0", subject, "eth1", away);
            assert_eq!(rig.own().is_empty(), is_respected, "{refused} metric {metric}");
            if is_respected {
                assert_eq!(rig.last_outcome("eth0", subject), Some(&Outcome::Refused(17)));
                assert_eq!(told(&mut rig, "overlay-blocked").len(), 1);
            }
            // The route home goes with its interface; what it stood in front of is still behind it.
            rig.event(|kernel| kernel.set_up(ETH0, false));
            rig.wait(Duration::from_secs(1));
            let is_led = rig.kernel.lookup(&ip(subject)).is_some_and(|route| route.protocol == PROTOCOL);
            assert_eq!(is_led, !is_respected, "{refused} metric {metric}, eth0 down");
            rig.event(|kernel| kernel.set_up(ETH0, true));
            rig.wait(Duration::from_secs(1));
            assert_eq!(rig.own().is_empty(), is_respected, "{refused} metric {metric}, eth0 up again");
            rig.delete(&prohibit(&refused, metric));
            assert_eq!(rig.own().len(), 1, "{refused} metric {metric} deleted");
        }
        // One that takes the place of the route home.
        let mut rig = Rig::new();
        rig.event(|kernel| kernel.add_route(&prohibit(home, route_home), Insert::Replace).unwrap());
        rig.detour("eth0", subject, "eth1", away);
        assert_eq!(rig.own(), NEVER, "{home}");
    }
}

#[test]
fn hosts_are_still_led_when_a_network_manager_takes_the_addresses_of_an_interface_without_carrier() {
    for (subject, address, away, refused, metric) in [
        ("10.0.0.2", "10.0.0.1/24", "10.1.0.2", "10.0.0.0/8", 0),
        ("fd00::2", "fd00::1/64", "fd01::2", "fd00::/8", 256),
    ] {
        let address: IpNet = address.parse().unwrap();
        for replaced in [false, true] {
            let mut rig = Rig::new();
            rig.add(&prohibit(refused, 4000));
            rig.detour("eth0", subject, "eth1", away);
            assert_eq!(rig.own().len(), 1);
            rig.event(|kernel| kernel.set_carrier(ETH0, false));
            rig.event(|kernel| kernel.delete_address(ETH0, &address).unwrap());
            rig.wait(Duration::from_secs(70));
            assert_eq!(rig.own().len(), 1, "{subject}");
            if replaced {
                // A kill switch for as much as the route home decided for is not passed.
                rig.add(&prohibit(&address.trunc().to_string(), metric));
                rig.wait(Duration::from_secs(1));
                assert_eq!(rig.own(), NEVER, "{subject}");
            }
        }
        // With a carrier it was somebody's will.
        let mut rig = Rig::new();
        rig.add(&prohibit(refused, 4000));
        rig.detour("eth0", subject, "eth1", away);
        rig.event(|kernel| kernel.delete_address(ETH0, &address).unwrap());
        rig.wait(Duration::from_secs(70));
        assert_eq!(rig.own(), NEVER, "{subject}");
        // What decided before the fault is not passed after it either.
        rig.event(|kernel| kernel.set_carrier(ETH0, false));
        rig.wait(Duration::from_secs(70));
        assert_eq!(rig.own(), NEVER, "{subject}");
    }
}

#[test]
fn an_overlay_of_a_host_that_nothing_is_decided_about_passes_no_kill_switch() {
    for (subject, home, away) in
        [("10.0.0.2", "10.0.0.0/24", "10.1.0.2"), ("fd00::2", "fd00::/64", "fd01::2")]
    {
        let length = home.parse::<IpNet>().unwrap().prefix_len();
        let host = if subject.contains(':') { 128 } else { 32 };
        let prefix = |length: u8| IpNet::new(ip(subject), length).unwrap().trunc().to_string();
        for is_home_down in [false, true] {
            for is_restarted in [false, true] {
                for is_forgotten in [false, true] {
                    for (refused, metric, is_respected) in [
                        (prefix(host), 5000, true),
                        (prefix(length + 1), 10, true),
                        (home.to_owned(), 5000, false),
                        (prefix(length - 8), 1, false),
                        (prefix(0), 1, false),
                    ] {
                        let case = format!("{refused} {is_home_down} {is_restarted} {is_forgotten}");
                        let mut rig = Rig::new();
                        rig.detour("eth0", subject, "eth1", away);
                        if is_home_down {
                            rig.event(|kernel| kernel.set_up(ETH0, false));
                            rig.wait(SECOND);
                        }
                        if is_restarted {
                            rig.restart(true);
                        }
                        rig.decide("eth0", subject, Verdict::Undecided);
                        if is_forgotten {
                            rig.plan.subjects.clear();
                            rig.hand_in_plan();
                        }
                        rig.adopted.clear();
                        rig.add(&prohibit(&refused, metric));
                        rig.wait(SECOND);
                        assert_eq!(rig.own().is_empty(), is_respected, "{case}");
                        let vanished = [(ip(subject), None)];
                        assert_eq!(rig.adopted == vanished, is_respected, "{case}: {:?}", rig.adopted);
                        let (lines, _) = rig
                            .notices
                            .iter()
                            .partition::<Vec<_>, _>(|line| line.starts_with("overlay-lifted"));
                        assert_eq!(lines.len(), usize::from(is_respected), "{case}: {lines:?}");
                        // Status shows it for as long as it is so and concerns somebody.
                        let by =
                            rig.core.troubles().into_iter().filter_map(|trouble| trouble.blocked).count();
                        assert_eq!(by, usize::from(is_respected && !is_forgotten), "{case}");
                        assert_eq!(told(&mut rig, "overlay-blocked").len(), by, "{case}");
                        rig.wait(70 * SECOND);
                        assert_eq!(rig.own().is_empty(), is_respected, "{case}, later");
                        rig.delete(&prohibit(&refused, metric));
                        assert_eq!(told(&mut rig, "overlay-blocked-cleared").len(), by, "{case}");
                        assert_eq!(rig.core.troubles(), [], "{case}");
                    }
                }
            }
        }
    }
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
                    assert_eq!(told(&mut rig, "overlay-blocked").len(), usize::from(!has_original), "{case}");
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
    assert_eq!(told(&mut rig, "too-many-routes").len(), 1);
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

/// Each: a destination, its next hops, the first one's address, what refuses more than that, and the original's metric.
const COVERED: [(&str, [&str; 2], &str, &str, u32); 2] = [
    ("203.0.113.0/24", ["10.0.0.9", "10.1.0.9"], "10.0.0.1/24", "203.0.0.0/16", 100),
    ("2001:db8:7::/48", ["fd00::9", "fd01::9"], "fd00::1/64", "2001:db8::/32", 1024),
];

/// A destination that is led by the second next hop, because the first has no carrier; a network manager deletes the
/// original, and with it the address if `takes_address`.
fn managed(
    covered: (&str, [&str; 2], &str, &str, u32),
    kind: RouteType,
    takes_address: bool,
) -> (Rig, Route) {
    let (destination, via, address, refused, metric) = covered;
    let mut rig = Rig::watching(&["eth0", "eth1", "eth2"]);
    rig.add(&refusing(kind, refused, 10));
    let original = route(destination, via[0], ETH0, metric);
    rig.add(&original);
    rig.lead(destination, &[(via[0], "eth0")]);
    rig.wait(10 * SECOND);
    rig.event(|kernel| kernel.set_carrier(ETH0, false));
    rig.lead(destination, &[(via[1], "eth1")]);
    rig.wait(5 * SECOND);
    rig.delete(&original);
    if takes_address {
        rig.event(|kernel| kernel.delete_address(ETH0, &address.parse().unwrap()).unwrap());
    }
    rig.wait(100 * SECOND);
    (rig, original)
}

#[test]
fn a_destination_is_still_led_when_a_network_manager_takes_its_route_from_an_interface_without_carrier() {
    let switches = [RouteType::Unreachable, RouteType::Blackhole, RouteType::Prohibit];
    for (covered, kind) in COVERED.into_iter().flat_map(|covered| switches.map(|kind| (covered, kind))) {
        let (destination, _, address, _, metric) = covered;
        let text = format!("{destination} {kind:?}");
        for takes_address in [false, true] {
            let (mut rig, original) = managed(covered, kind, takes_address);
            assert_eq!(rig.own().len(), 1, "{text}");
            // A kill switch for the destination itself is respected, also in its very place.
            for at in [metric - 1, metric - 50] {
                let switch = prohibit(destination, at);
                rig.event(|kernel| kernel.add_route(&switch, Insert::Replace).unwrap());
                rig.wait(2 * SECOND);
                assert_eq!(rig.own(), NEVER, "{text} {at}");
                rig.delete(&switch);
                rig.wait(70 * SECOND);
                assert_eq!(rig.own().len(), 1, "{text} {at}");
            }
            // With the carrier come the address and the route, after a while.
            rig.event(|kernel| kernel.set_carrier(ETH0, true));
            rig.wait(4 * SECOND);
            assert_eq!(rig.own().len(), 1, "{text}");
            if takes_address {
                rig.wait(46 * SECOND);
                let address = super::rig::address(address);
                rig.event(|kernel| kernel.add_address(ETH0, address).unwrap());
                rig.wait(4 * SECOND);
                assert_eq!(rig.own().len(), 1, "{text}");
            }
            rig.take_operations();
            rig.add(&original);
            rig.wait(100 * SECOND);
            assert_eq!((rig.own().len(), rig.take_operations()), (1, Vec::new()), "{text}");
        }
    }
}

#[test]
fn a_route_that_a_network_manager_does_not_give_back_is_given_up() {
    for covered in COVERED {
        for (takes_address, stands, over) in [(false, 4, 2), (true, 55, 6)] {
            let (mut rig, _) = managed(covered, RouteType::Unreachable, takes_address);
            rig.event(|kernel| kernel.set_carrier(ETH0, true));
            rig.wait(stands * SECOND);
            assert_eq!(rig.own().len(), 1);
            rig.wait(over * SECOND);
            assert_eq!(rig.own(), NEVER);
            rig.wait(100 * SECOND);
            assert_eq!(rig.foreign().len(), 1, "it is not put back: {:?}", rig.foreign());
        }
    }
}

/// The source that the route bears is an address that a DHCP client brings back.
#[test]
fn a_place_is_kept_until_the_interface_has_the_source_of_the_route() {
    let lease = "10.0.7.1/24";
    let source = Some(ip("10.0.7.1"));
    let original = Route { source, ..route("203.0.113.0/24", HOME.0, ETH0, 100) };
    for is_on_lo in [false, true] {
        let mut rig = Rig::watching(&["eth0", "eth1", "eth2"]);
        let index = if is_on_lo { super::rig::LO } else { ETH0 };
        rig.event(|kernel| kernel.add_address(index, super::rig::address(lease)).unwrap());
        rig.add(&refusing(RouteType::Unreachable, "203.0.0.0/16", 10));
        rig.add(&original);
        rig.lead("203.0.113.0/24", &[HOME]);
        rig.wait(10 * SECOND);
        rig.event(|kernel| kernel.set_carrier(ETH0, false));
        rig.lead("203.0.113.0/24", &[AWAY]);
        rig.wait(5 * SECOND);
        rig.delete(&original);
        if !is_on_lo {
            rig.event(|kernel| kernel.delete_address(ETH0, &lease.parse().unwrap()).unwrap());
        }
        rig.wait(10 * SECOND);
        rig.event(|kernel| kernel.set_carrier(ETH0, true));
        rig.wait(20 * SECOND);
        assert_eq!(rig.own().len(), usize::from(!is_on_lo), "{is_on_lo}");
        if !is_on_lo {
            rig.event(|kernel| kernel.add_address(ETH0, super::rig::address(lease)).unwrap());
            rig.wait(4 * SECOND);
            assert_eq!(rig.own().len(), 1);
            rig.wait(2 * SECOND);
            assert_eq!(rig.own(), NEVER);
        }
    }
}

#[test]
fn the_route_home_is_not_forgotten_while_its_address_is_back_and_it_is_not() {
    let mut rig = Rig::new();
    let address: IpNet = "10.0.0.1/24".parse().unwrap();
    rig.add(&prohibit("10.0.0.0/8", 4000));
    rig.detour("eth0", "10.0.0.2", "eth1", "10.1.0.2");
    rig.event(|kernel| kernel.set_carrier(ETH0, false));
    rig.event(|kernel| kernel.delete_address(ETH0, &address).unwrap());
    rig.wait(10 * SECOND);
    assert_eq!(rig.own().len(), 1);
    rig.event(|kernel| kernel.set_carrier(ETH0, true));
    let bare = InterfaceAddress { no_prefix_route: true, ..super::rig::address("10.0.0.1/24") };
    rig.event(|kernel| kernel.add_address(ETH0, bare).unwrap());
    rig.wait(SECOND / 5);
    rig.event(|kernel| kernel.set_carrier(ETH0, false));
    rig.event(|kernel| kernel.delete_address(ETH0, &address).unwrap());
    rig.wait(10 * SECOND);
    assert_eq!(rig.own().len(), 1);
}

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
    for at in 0..FAMILIES.len() {
        let (destination, via, target) = FAMILIES[at];
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
                    (rig.own(), told(&mut rig, "overlay-blocked").len()),
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
fn a_route_that_is_deleted_while_its_interface_works_is_forgotten() {
    for (destination, via, _, refused, metric) in COVERED {
        let mut rig = Rig::watching(&["eth0", "eth1", "eth2"]);
        rig.add(&refusing(RouteType::Unreachable, refused, 10));
        let original = route(destination, via[0], ETH0, metric);
        rig.add(&original);
        rig.lead(destination, &[(via[1], "eth1")]);
        rig.wait(100 * SECOND);
        assert_eq!(rig.own().len(), 1);
        rig.delete(&original);
        rig.wait(SECOND);
        assert_eq!(rig.own(), NEVER);
        // The carrier that goes later is no reason either.
        rig.event(|kernel| kernel.set_carrier(ETH0, false));
        rig.wait(10 * SECOND);
        assert_eq!(rig.own(), NEVER);
    }
}

#[test]
fn a_place_is_kept_across_a_crash_and_its_route_is_not_put_back() {
    for covered in COVERED {
        let (mut rig, original) = managed(covered, RouteType::Unreachable, false);
        assert_eq!(rig.own().len(), 1);
        rig.take_operations();
        for _ in 0..2 {
            rig.restart(true);
            rig.wait(100 * SECOND);
            assert_eq!((rig.own().len(), rig.take_operations()), (1, Vec::new()), "{:?}", rig.notices);
        }
        rig.event(|kernel| kernel.set_carrier(ETH0, true));
        rig.wait(4 * SECOND);
        assert_eq!(rig.own().len(), 1);
        rig.wait(2 * SECOND);
        assert_eq!(rig.own(), NEVER);
        rig.wait(100 * SECOND);
        assert!(!rig.kernel.routes().iter().any(|r| r.is_same(&original)));
        rig.restart(true);
        assert_eq!(rig.core.remembered().count(), 0, "{}", rig.journal);
    }
}

#[test]
fn a_place_that_an_older_journal_does_not_know_costs_that_line_only() {
    let (rig, _) = managed(COVERED[0], RouteType::Unreachable, false);
    let others: Vec<&str> = rig.journal.lines().filter(|line| !line.starts_with("kept ")).collect();
    let places: Vec<&str> = rig.journal.lines().filter(|line| line.starts_with("kept ")).collect();
    assert_eq!(places, ["kept 203.0.113.0/24 0 missing 100 4 0 - 0 - eth0/10.0.0.9 -"], "{others:?}");
}

#[test]
fn a_place_is_not_kept_for_an_interface_that_stays_away() {
    for covered in COVERED {
        let (mut rig, _) = managed(covered, RouteType::Unreachable, false);
        rig.wait(3600 * SECOND);
        assert_eq!(rig.own().len(), 1, "the outage goes on");
        assert!(rig.core.remembered().all(|(_, fortune)| fortune == crate::reconcile::Fortune::Kept));
        rig.event(|kernel| kernel.delete_interface(ETH0));
        rig.wait(595 * SECOND);
        assert_eq!(rig.own().len(), 1, "a modem may start anew");
        rig.wait(6 * SECOND);
        assert_eq!((rig.own(), told(&mut rig, "overlay-blocked").len()), (Vec::new(), 1));
        assert_eq!(rig.core.remembered().count(), 0);
    }
}

#[test]
fn no_more_places_are_kept_for_a_destination_than_hosts_have_uplinks() {
    let (destination, via, _, _, _) = COVERED[0];
    let (mut rig, _) = managed(COVERED[0], RouteType::Unreachable, false);
    for metric in 101..140 {
        let another = route(destination, via[0], ETH0, metric);
        rig.add(&another);
        rig.delete(&another);
        rig.wait(SECOND);
    }
    assert_eq!(rig.core.remembered().count(), 8);
    rig.restart(true);
    assert_eq!((rig.core.remembered().count(), rig.own().len()), (8, 1));
}

#[test]
fn a_destination_is_led_past_a_vpn_when_its_route_is_taken_without_carrier() {
    let mut rig = vpn(0);
    let original = route("10.9.0.0/16", HOME.0, ETH0, 0);
    rig.add(&original);
    rig.lead("10.9.0.0/16", &[AWAY]);
    rig.event(|kernel| kernel.set_carrier(ETH0, false));
    rig.wait(5 * SECOND);
    rig.delete(&original);
    rig.wait(100 * SECOND);
    assert_eq!(rig.gateway_to("10.9.1.1"), Some(ip(AWAY.0)));
}

/// Each: a host, the address at its home, its way elsewhere, and what refuses more than its subnet.
const HOSTED: [(&str, &str, &str, &str); 2] =
    [("10.0.0.2", "10.0.0.1/24", "10.1.0.2", "10.0.0.0/8"), ("fd00::2", "fd00::1/64", "fd01::2", "fd00::/8")];

/// A host that is led elsewhere; a network manager has taken the address of its home.
fn without_address((subject, address, away, refused): (&str, &str, &str, &str)) -> Rig {
    let mut rig = Rig::new();
    rig.add(&prohibit(refused, 4000));
    rig.detour("eth0", subject, "eth1", away);
    rig.event(|kernel| kernel.set_carrier(ETH0, false));
    rig.event(|kernel| kernel.delete_address(ETH0, &address.parse().unwrap()).unwrap());
    rig.wait(70 * SECOND);
    assert_eq!(rig.own().len(), 1, "{subject}");
    rig
}

#[test]
fn hosts_are_led_on_until_an_interface_has_its_address_again() {
    for hosted in HOSTED {
        let address = super::rig::address(hosted.1);
        let mut rig = without_address(hosted);
        rig.event(|kernel| kernel.set_carrier(ETH0, true));
        rig.wait(50 * SECOND);
        assert_eq!(rig.own().len(), 1);
        rig.event(|kernel| kernel.add_address(ETH0, address.clone()).unwrap());
        rig.wait(100 * SECOND);
        assert_eq!(rig.own().len(), 1);
        // Who takes it now means it.
        rig.event(|kernel| kernel.delete_address(ETH0, &address.prefix).unwrap());
        rig.wait(SECOND);
        assert_eq!(rig.own(), NEVER);
        // An address that never comes is not waited for any longer.
        let mut rig = without_address(hosted);
        rig.event(|kernel| kernel.set_carrier(ETH0, true));
        rig.wait(59 * SECOND);
        assert_eq!(rig.own().len(), 1);
        rig.wait(2 * SECOND);
        assert_eq!(rig.own(), NEVER);
    }
}

#[test]
fn hosts_are_led_on_when_their_home_is_no_lan_for_a_while() {
    for hosted in HOSTED {
        let mut rig = without_address(hosted);
        rig.plan.lans.retain(|lan| lan != "eth0");
        rig.hand_in_plan();
        rig.wait(130 * SECOND);
        rig.event(|kernel| kernel.set_carrier(InterfaceIndex(4), false));
        rig.wait(SECOND);
        assert_eq!(rig.own().len(), 1);
        rig.plan.lans.push("eth0".to_owned());
        rig.hand_in_plan();
        rig.wait(SECOND);
        assert_eq!(rig.own().len(), 1);
        // Without an overlay there is nothing to know.
        rig.plan.lans.retain(|lan| lan != "eth0");
        rig.home("eth0", hosted.0);
        rig.wait(130 * SECOND);
        rig.detour("eth0", hosted.0, "eth1", hosted.2);
        assert_eq!(rig.own(), NEVER);
    }
}

#[test]
fn what_stops_to_decide_in_front_of_a_kill_switch_lets_nothing_pass_it() {
    for (destination, lead, via, away) in [
        ("0.0.0.0/0", "203.0.113.0/24", "10.0.0.9", AWAY),
        ("::/0", "2001:db8::/32", "fd00::9", ("fd01::9", "eth1")),
    ] {
        let mut rig = Rig::watching(&["eth0", "eth1", "eth2"]);
        let in_front = Route { protocol: 186, ..route(destination, via, ETH0, 100) };
        rig.add(&prohibit(destination, 4000));
        rig.lead(lead, &[away]);
        assert_eq!(rig.own(), NEVER);
        rig.add(&in_front);
        assert_eq!(rig.own().len(), 1, "the other default route decides");
        rig.delete(&in_front);
        assert_eq!(rig.own(), NEVER, "the kill switch decides again");
    }
}

/// The destinations that are looked at again because of a route of others, told while a batch is under way.
fn looked_at_again(rig: &Rig, route: Route) -> BTreeSet<IpNet> {
    let mut core = rig.core.clone();
    core.in_flight = Some(Vec::new());
    core.handle(rig.now, Input::RouteAdded(route));
    core.dirty.iter().map(|(_, group)| group.destination).collect()
}

#[test]
fn only_overlays_within_a_refused_prefix_are_looked_at_again() {
    let hosts = ["10.0.0.2", "10.0.0.3", "10.0.0.130", "fd00::2", "fd00::3"];
    let prefix = |text: &str| text.parse::<IpNet>().unwrap();
    for (refused, concerned) in [
        ("10.0.0.2/32", vec!["10.0.0.2/32"]),
        ("10.0.0.0/30", vec!["10.0.0.2/32", "10.0.0.3/32"]),
        ("10.0.0.128/25", vec!["10.0.0.130/32"]),
        ("10.0.0.77/32", vec![]),
        ("198.51.100.0/24", vec![]),
        ("0.0.0.0/0", vec!["10.0.0.2/32", "10.0.0.3/32", "10.0.0.130/32"]),
        ("fd00::3/128", vec!["fd00::3/128"]),
        ("::/0", vec!["fd00::2/128", "fd00::3/128"]),
    ] {
        // What stands is looked at, and what is kept out.
        for is_kept_out in [false, true] {
            let mut rig = Rig::new();
            if is_kept_out {
                rig.add(&prohibit("10.0.0.0/25", 4000));
                rig.add(&prohibit("10.0.0.128/26", 4000));
                rig.add(&prohibit("fd00::/65", 4000));
            }
            for host in hosts {
                let away = if host.contains(':') { "fd01::9" } else { "10.1.0.9" };
                rig.detour("eth0", host, "eth1", away);
            }
            assert_eq!(rig.own().is_empty(), is_kept_out);
            for kind in [RouteType::Blackhole, RouteType::Throw] {
                let marked = looked_at_again(&rig, refusing(kind, refused, 4000));
                let groups: BTreeSet<IpNet> =
                    concerned.iter().copied().chain([refused]).map(prefix).collect();
                assert_eq!(marked, groups, "{refused}, kept out: {is_kept_out}");
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
    assert_eq!(told(&mut rig, "overlay-blocked").len(), 1);
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
    assert!(told(&mut rig, "overlay-blocked")[0].contains("cause=\"default dev tun0 metric 99\""));
}

#[test]
fn a_host_is_not_led_out_of_a_route_by_an_excluded_interface() {
    let mut rig = vpn(0);
    rig.add(&route("10.0.0.0/25", "-", InterfaceIndex(9), 0));
    rig.detour("eth0", "10.0.0.2", "eth1", "10.1.0.2");
    rig.detour("eth0", "10.0.0.200", "eth1", "10.1.0.200");
    assert_eq!(rig.own().len(), 1, "{:?}", rig.own());
    assert!(rig.own()[0].starts_with("10.0.0.200/32"));
}

// ----- any table, against a lookup that is written down as the kernel's rules are

#[derive(Debug, Clone)]
struct Table {
    others: Vec<Route>,
    /// What the watch leads: to which hop.
    leads: Vec<(usize, usize)>,
    /// Hosts that take a detour.
    hosts: Vec<usize>,
    /// Gateways that do.
    gateway: bool,
}

const PREFIXES: [&str; 6] =
    ["0.0.0.0/0", "10.0.0.0/8", "10.0.0.0/24", "10.0.0.2/32", "198.51.100.0/24", "198.51.100.7/32"];
const HOSTS: [&str; 2] = ["10.0.0.2", "10.0.0.3"];
const ASKED: [&str; 6] = ["10.0.0.2", "10.0.0.3", "10.0.0.9", "10.7.0.1", "198.51.100.7", "203.0.113.1"];
const HOPS: [(&str, &str); 3] = [("10.0.0.9", "eth0"), ("10.1.0.9", "eth1"), ("10.2.0.9", "eth2")];

fn table() -> impl Strategy<Value = Table> {
    let metric =
        prop_oneof![Just(0u32), Just(1), Just(49), Just(50), Just(98), Just(99), Just(100), Just(101)];
    let other = (0..PREFIXES.len(), metric, 0..7usize, prop_oneof![4 => Just(0u8), 1 => Just(0x10)]);
    let other = other.prop_map(|(prefix, metric, what, tos)| {
        let made = match what {
            0 => refusing(RouteType::Prohibit, PREFIXES[prefix], metric),
            1 => refusing(RouteType::Throw, PREFIXES[prefix], metric),
            2 => route(PREFIXES[prefix], "-", InterfaceIndex(9), metric),
            3 => Route { protocol: 186, ..route(PREFIXES[prefix], "10.1.0.9", ETH1, metric) },
            4 => route(PREFIXES[prefix], "10.1.0.9", ETH1, metric),
            _ => route(PREFIXES[prefix], "10.0.0.9", ETH0, metric),
        };
        Route { key: RouteKey { tos, ..made.key }, ..made }
    });
    let lead = (prop_oneof![Just(0usize), Just(4), Just(5)], 0..3usize);
    (
        prop::collection::vec(other, 0..9),
        prop::collection::vec(lead, 0..3),
        prop::collection::vec(0..2usize, 0..3),
        any::<bool>(),
    )
        .prop_map(|(others, leads, hosts, gateway)| Table { others, leads, hosts, gateway })
}

/// Longest prefix, then the type of service of the packet before none, then the lowest metric, then the first.
fn decides(kernel: &Mirror, to: IpAddr, tos: u8, counts: impl Fn(&Route) -> bool) -> Option<&Arc<Route>> {
    let fits = |route: &&Arc<Route>| {
        route.key.table == MAIN_TABLE
            && route.key.destination.contains(&to)
            && (route.key.tos == 0 || route.key.tos == tos)
            && counts(route)
    };
    let rank = |route: &Arc<Route>| {
        (u8::MAX - route.key.destination.prefix_len(), route.key.tos == 0, route.key.metric)
    };
    // Of equals `min_by_key` takes the first.
    kernel.routes().iter().filter(fits).min_by_key(|route| rank(route))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_packet_passes_that_was_refused_or_diverted_without_us(table in table()) {
        let mut kernel = kernel();
        kernel.add_interface(super::rig::interface(InterfaceIndex(9), "tun0", &["10.9.0.1/24"]));
        for other in &table.others {
            let _ = kernel.add_route(other, Insert::Append);
        }
        let excluded = ["tun0".to_owned()].into();
        let under = Settings { excluded, watches: true, ..settings() };
        let mut rig = Rig::watching_under(kernel, &["eth0", "eth1", "eth2"], under);
        for (prefix, hop) in &table.leads {
            rig.decide_way(PREFIXES[*prefix], by(&[HOPS[*hop]]));
        }
        for host in &table.hosts {
            rig.detour("eth0", HOSTS[*host], "eth1", "10.1.0.2");
        }
        if table.gateway {
            rig.detour("eth0", "10.0.0.9", "eth2", "10.2.0.9");
        }
        rig.wait(Duration::from_secs(70));
        for to in ASKED {
            for tos in [0, 0x10] {
                let before = decides(&rig.kernel, ip(to), tos, |route| route.protocol != PROTOCOL);
                let after = decides(&rig.kernel, ip(to), tos, |_| true);
                let is_untouched = |route: &Route| {
                    !route.is_unicast() || route.legs.iter().any(|leg| leg.interface == InterfaceIndex(9))
                };
                if let Some(before) = before.filter(|route| is_untouched(route)) {
                    let after = after.unwrap();
                    prop_assert!(
                        after.is_same(before),
                        "{} tos {}: {} instead of {:?} {}", to, tos, route_text(after), before.kind, route_text(before)
                    );
                }
            }
        }
        // What an original led past a refusal still goes by another interface while that original is missing.
        let led: BTreeMap<&str, usize> =
            table.leads.iter().map(|(prefix, hop)| (PREFIXES[*prefix], *hop)).collect();
        let by_original = |kernel: &Mirror, prefix: &str, to: &str| {
            let decides = decides(kernel, ip(to), 0, |route| route.protocol != PROTOCOL);
            decides.is_some_and(|route| {
                route.protocol == STATIC
                    && route.key.destination.to_string() == prefix
                    && route.legs.iter().any(|leg| leg.interface == ETH0)
            })
        };
        let is_led = |kernel: &Mirror, to: &str| {
            decides(kernel, ip(to), 0, |_| true).is_some_and(|route| route.protocol == PROTOCOL)
        };
        let away = led.iter().filter(|(_, hop)| **hop != 0);
        let served: Vec<&str> = away
            .flat_map(|(prefix, _)| ASKED.map(|to| (*prefix, to)))
            .filter(|(prefix, to)| by_original(&rig.kernel, prefix, to) && is_led(&rig.kernel, to))
            .map(|(_, to)| to)
            .collect();
        rig.event(|kernel| kernel.set_up(ETH0, false));
        rig.wait(Duration::from_secs(70));
        for to in served {
            let left = decides(&rig.kernel, ip(to), 0, |route| route.protocol != PROTOCOL);
            // A route of another program that is left is not overlaid, and an original that is gone is taken to have
            // stood behind its equals.
            let refuses = |route: &Route| is_refusing(route) || route.legs[0].interface == InterfaceIndex(9);
            if left.is_some_and(|route| !refuses(route))
                || table.others.iter().any(|other| other.protocol == 186 || is_equal(&table, other, refuses))
            {
                continue;
            }
            prop_assert!(is_led(&rig.kernel, to), "{} without eth0: {:?}", to, rig.own());
        }
        rig.event(|kernel| kernel.set_up(ETH0, true));
        rig.wait(Duration::from_secs(70));
        // It holds while it changes as well, and what kept an overlay out no longer does when it is gone.
        let others: Vec<Route> = rig.kernel.routes().iter().filter(|r| r.protocol == STATIC && is_refusing(r)).map(|r| Route::clone(r)).collect();
        for other in others {
            rig.delete(&other);
        }
        rig.wait(Duration::from_secs(70));
        let waits = rig.core.troubles().into_iter().filter(|t| t.blocked.as_deref().is_some_and(|by| by.starts_with("prohibit") || by.starts_with("throw")));
        prop_assert_eq!(waits.count(), 0);
    }
}

/// Whether a route that refuses has the prefix and the metric of one that does not.
fn is_equal(table: &Table, other: &Route, refuses: impl Fn(&Route) -> bool) -> bool {
    refuses(other) && table.others.iter().any(|route| !refuses(route) && route.key == other.key)
}

fn is_refusing(route: &Route) -> bool {
    !route.is_unicast()
}

// ----- the kernel is asked

fn rules(answer: Result<Answer, Refusal>) -> Rig {
    let mut rig = uplinks("0.0.0.0/0", FAMILIES[0].1);
    rig.answers = Some(answer);
    rig.lead("0.0.0.0/0", &[AWAY]);
    rig.wait(Duration::from_secs(2));
    rig
}

fn leaves(interface: InterfaceIndex, gateway: &str, table: u32) -> Answer {
    Answer { kind: RouteType::Unicast, interface: Some(interface), gateway: Some(ip(gateway)), table }
}

#[test]
fn a_kernel_that_does_otherwise_is_told_of_once_and_once_that_it_no_longer_does() {
    let mut rig = rules(Ok(leaves(ETH0, "10.0.0.9", 200)));
    let lines = told(&mut rig, "route-overridden");
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].contains("by=10.1.0.9%eth1 asked=192.0.2.1 kernel=\"via 10.0.0.9 dev eth0 table 200\""));
    let found = rig.core.watched().routes[0].overridden.clone().unwrap();
    assert_eq!((found.kernel.as_str(), found.is_excluded), ("via 10.0.0.9 dev eth0 table 200", false));
    rig.wait(Duration::from_secs(120));
    assert_eq!(rig.take_notices(), NEVER);
    // Rules change without a word; the slow timer finds out.
    rig.answers = None;
    rig.wait(Duration::from_secs(11));
    assert_eq!(told(&mut rig, "route-overridden-cleared").len(), 1);
    assert_eq!(rig.core.watched().routes[0].overridden, None);
}

#[test]
fn what_refuses_is_named_by_its_route_or_by_what_the_kernel_says() {
    let refuses = Refusal::new(nix::errno::Errno::EACCES, "Permission denied");
    let mut rig = rules(Err(refuses));
    assert!(told(&mut rig, "route-overridden")[0].contains("kernel=\"prohibit\""));
    let mut rig = uplinks("0.0.0.0/0", FAMILIES[0].1);
    rig.add(&refusing(RouteType::Unreachable, "0.0.0.0/0", 10));
    rig.wait(Duration::from_secs(2));
    assert!(told(&mut rig, "route-overridden")[0].contains("kernel=\"unreachable default metric 10\""));
}

#[test]
fn an_answer_that_passes_is_no_news() {
    let mut rig = rules(Ok(leaves(ETH1, "10.1.0.9", 254)));
    rig.answers = Some(Ok(leaves(ETH0, "10.0.0.9", 254)));
    rig.add(&route("198.51.100.0/24", "10.0.0.9", ETH0, 0));
    rig.wait(Duration::from_millis(300));
    rig.answers = None;
    rig.add(&route("198.51.101.0/24", "10.0.0.9", ETH0, 0));
    rig.wait(Duration::from_secs(30));
    assert_eq!(told(&mut rig, "route-overridden"), NEVER);
}

#[test]
fn a_vpn_on_an_excluded_interface_is_told_of_and_no_fault() {
    let mut rig = vpn(50);
    rig.lead("0.0.0.0/0", &[HOME]);
    rig.wait(Duration::from_secs(2));
    let lines = told(&mut rig, "route-overridden");
    assert!(lines[0].contains("kernel=\"dev tun0 table main\" cause=\"a route by an excluded"), "{lines:?}");
    assert!(rig.core.watched().routes[0].overridden.as_ref().unwrap().is_excluded);
}

#[test]
fn it_is_asked_for_what_no_other_route_leads_to_and_first_for_a_target() {
    let mut rig = uplinks("0.0.0.0/0", FAMILIES[0].1);
    rig.watch
        .targets
        .insert(super::rig::destination("0.0.0.0/0"), vec![ip("198.51.100.7"), ip("203.0.113.9")]);
    rig.add(&route("198.51.100.0/24", "10.2.0.9", InterfaceIndex(4), 0));
    rig.answers = Some(Ok(leaves(ETH0, "10.0.0.8", 254)));
    rig.lead("0.0.0.0/0", &[AWAY]);
    rig.wait(Duration::from_secs(2));
    assert!(told(&mut rig, "route-overridden")[0].contains(" asked=203.0.113.9 "));
}

#[test]
fn a_more_specific_route_of_ours_is_no_reason_for_an_alarm() {
    let mut rig = uplinks("0.0.0.0/0", FAMILIES[0].1);
    // The first address of both that would be asked for is the same.
    rig.lead("172.16.0.0/24", &[AWAY]);
    rig.lead("172.16.0.0/12", &[HOME]);
    // A target of one lies in another, or is a host that is led elsewhere.
    let targets = vec![ip("172.16.0.7"), ip("10.0.0.7")];
    rig.watch.targets.insert(super::rig::destination("0.0.0.0/0"), targets);
    rig.detour("eth0", "10.0.0.7", "eth1", "10.1.0.2");
    rig.lead("0.0.0.0/0", &[HOME]);
    rig.wait(Duration::from_secs(30));
    assert_eq!(told(&mut rig, "route-overridden"), NEVER);
}

#[test]
fn while_all_interfaces_of_a_destination_are_down_the_kernel_is_not_asked() {
    let mut rig = Rig::watching(&["eth0", "eth1", "eth2"]);
    rig.lead("198.51.100.0/24", &[HOME]);
    rig.wait(Duration::from_secs(2));
    rig.event(|kernel| kernel.set_up(ETH0, false));
    rig.wait(Duration::from_secs(30));
    assert_eq!(told(&mut rig, "route-overridden"), NEVER);
    // It is asked again as soon as one is up.
    rig.answers = Some(Ok(leaves(ETH1, "10.1.0.9", 200)));
    rig.event(|kernel| kernel.set_up(ETH0, true));
    rig.wait(Duration::from_secs(12));
    assert_eq!(told(&mut rig, "route-overridden").len(), 1);
}

#[test]
fn of_a_destination_that_is_left_to_another_program_the_kernel_is_not_asked() {
    let mut rig = uplinks("0.0.0.0/0", FAMILIES[0].1);
    rig.lead("0.0.0.0/0", &[AWAY]);
    rig.wait(Duration::from_secs(2));
    let other = Route { protocol: 186, ..route("0.0.0.0/0", HOME.0, ETH0, 20) };
    rig.add(&other);
    rig.wait(Duration::from_secs(30));
    let lines = rig.take_notices();
    let count = |event: &str| lines.iter().filter(|line| line.starts_with(event)).count();
    assert_eq!((count("destination-left-alone"), count("route-overridden")), (1, 0), "{lines:?}");
}
