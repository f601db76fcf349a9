//! Routes that are gone, with their interface or taken from it without carrier: what they came before is passed, nothing else.

use super::*;

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
    for (at, (led, _, _, via, target)) in UNDER.into_iter().enumerate() {
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
        rig.event(|kernel| kernel.add_address(ETH0, rig::address("fd00::1/64")).unwrap_or_default());
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
        let (mut rig, cover) = under(at, rig::DHCP, 1024);
        assert!(rig.core.settings.protocols.contains(&cover.protocol));
        rig.event(|kernel| kernel.set_up(ETH0, false));
        rig.wait(5 * SECOND);
        rig.event(|kernel| kernel.set_up(ETH0, true));
        rig.wait(500 * SECOND);
        assert_eq!(rig.own().len(), 1);
        rig.wait(200 * SECOND);
        assert_eq!(rig.own(), NEVER);
        assert_eq!(rig.told(&[EventName::OverlayBlocked]).len(), 1);
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
                let address = rig::address(address);
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
        let index = if is_on_lo { rig::LO } else { ETH0 };
        rig.event(|kernel| kernel.add_address(index, rig::address(lease)).unwrap());
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
            rig.event(|kernel| kernel.add_address(ETH0, rig::address(lease)).unwrap());
            rig.wait(4 * SECOND);
            assert_eq!(rig.own().len(), 1);
            rig.wait(2 * SECOND);
            assert_eq!(rig.own(), NEVER);
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
        assert_eq!((rig.own(), rig.told(&[EventName::OverlayBlocked]).len()), (Vec::new(), 1));
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
