//! Hosts that are led elsewhere: what refuses them at home, also while the route home is gone.

use super::*;

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
                assert_eq!(rig.told(&[EventName::OverlayBlocked]).len(), 1);
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
                        let is_lift = |notice: &&Notice| notice.name() == EventName::OverlayRemoved;
                        let lifts = rig.notices.iter().filter(is_lift).count();
                        assert_eq!(lifts, usize::from(is_respected), "{case}: {:?}", rig.notices);
                        // Status shows it for as long as it is so and concerns somebody.
                        let by =
                            rig.core.troubles().into_iter().filter_map(|trouble| trouble.blocked).count();
                        assert_eq!(by, usize::from(is_respected && !is_forgotten), "{case}");
                        assert_eq!(rig.told(&[EventName::OverlayBlocked]).len(), by, "{case}");
                        rig.wait(70 * SECOND);
                        assert_eq!(rig.own().is_empty(), is_respected, "{case}, later");
                        rig.delete(&prohibit(&refused, metric));
                        assert_eq!(rig.told(&[EventName::OverlayBlockedCleared]).len(), by, "{case}");
                        assert_eq!(rig.core.troubles(), [], "{case}");
                    }
                }
            }
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
    let bare = InterfaceAddress { no_prefix_route: true, ..rig::address("10.0.0.1/24") };
    rig.event(|kernel| kernel.add_address(ETH0, bare).unwrap());
    rig.wait(SECOND / 5);
    rig.event(|kernel| kernel.set_carrier(ETH0, false));
    rig.event(|kernel| kernel.delete_address(ETH0, &address).unwrap());
    rig.wait(10 * SECOND);
    assert_eq!(rig.own().len(), 1);
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
        let address = rig::address(hosted.1);
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
fn a_host_is_not_led_out_of_a_route_by_an_excluded_interface() {
    let mut rig = vpn(0);
    rig.add(&route("10.0.0.0/25", "-", InterfaceIndex(9), 0));
    rig.detour("eth0", "10.0.0.2", "eth1", "10.1.0.2");
    rig.detour("eth0", "10.0.0.200", "eth1", "10.1.0.200");
    assert_eq!(rig.own().len(), 1, "{:?}", rig.own());
    assert!(rig.own()[0].starts_with("10.0.0.200/32"));
}
