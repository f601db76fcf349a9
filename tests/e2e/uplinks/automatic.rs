//! `next-hops = "auto"`: the routes that others put into the kernel say which next hops there are.

use crate::lab::{Loss, Routed, TARGET, TARGET_V6, Uplinks, pause_ms, wait_until};

use super::{QUICK, route, section, with_target};

const LEASE: &str = "default via 192.0.2.1 dev wan0 proto dhcp metric 100 src 192.0.2.10";

fn leased() -> Uplinks {
    let lab = Uplinks::new(Routed::Statically);
    let host = lab.host(1);
    host.ip("route flush default");
    host.ip(&format!("route add {LEASE}"));
    host.ip("route add default via 198.51.100.1 dev wan1 proto dhcp metric 200 src 198.51.100.10");
    lab
}

#[test]
fn renewals_of_the_lease_during_a_failover_do_not_lead_back_to_the_dead_way() {
    let lab = leased();
    let host = lab.host(1);
    let before = host.foreign_routes();
    let _daemon = lab.start(&route("auto", &with_target()));
    lab.cut_lan('A', Loss::Silent);
    lab.wait_by("wan1", TARGET);
    pause_ms(300);
    let meter = lab.meter(TARGET);
    pause_ms(100);
    for _ in 0..10 {
        host.ip(&format!("route replace {LEASE}"));
        pause_ms(50);
        host.ip(&format!("route del {LEASE}"));
        pause_ms(50);
        host.ip(&format!("route add {LEASE}"));
        pause_ms(50);
        // As a client does that makes the new one before it removes the old one.
        host.ip(&format!("route append {LEASE} advmss 1400"));
        host.ip(&format!("route del {LEASE} advmss 1400"));
    }
    meter.finish_unharmed();
    assert_eq!(lab.source_to(TARGET), "198.51.100.10");
    lab.heal_lan('A');
    lab.wait_by("wan0", TARGET);
    lab.wait_home();
    assert_eq!(host.foreign_routes(), before);
}

#[test]
fn a_client_that_knows_no_metrics_is_endured_as_well() {
    let lab = Uplinks::new(Routed::Statically);
    let host = lab.host(1);
    host.ip("route flush default");
    host.ip("route add default via 192.0.2.1 dev wan0 proto dhcp");
    host.ip("route add default via 198.51.100.1 dev wan1 metric 200");
    let _daemon = lab.start(&route("auto", &with_target()));
    lab.cut_lan('A', Loss::Silent);
    lab.wait_by("wan1", TARGET);
    for _ in 0..5 {
        // The kernel takes our overlay for what is to be replaced: with an equal route at hand it refuses, and with a
        // new one our overlay is gone.
        host.try_ip("route replace default via 192.0.2.1 dev wan0 proto dhcp");
        lab.wait_by("wan1", TARGET);
        host.ip("route replace default via 192.0.2.1 dev wan0 proto dhcp advmss 1400");
        lab.wait_by("wan1", TARGET);
        host.ip("route del default via 192.0.2.1 dev wan0 proto dhcp advmss 1400");
        host.ip("route del default via 192.0.2.1 dev wan0 proto dhcp");
        // Our overlay has had its metric, and goes out of its way; clients add theirs exclusively.
        wait_until("there is room at metric 0", std::time::Duration::from_secs(10), || {
            host.overlays().iter().any(|line| line.contains("metric 199"))
        });
        host.ip("route add default via 192.0.2.1 dev wan0 proto dhcp");
        lab.wait_by("wan1", TARGET);
    }
    lab.heal_lan('A');
    lab.wait_by("wan0", TARGET);
    lab.wait_home();
}

#[test]
fn a_router_with_another_hardware_address_is_followed() {
    let lab = leased();
    let _daemon = lab.start(&route("auto", &with_target()));
    let watch = lab.host(1).watch();
    let meter = lab.meter(TARGET);
    pause_ms(500);
    lab.router(1).ip("link set outside address 02:00:00:00:99:01");
    pause_ms(3000);
    assert_eq!(lab.host(1).way_to(TARGET.parse().expect("an address")).as_deref(), Some("wan0"));
    meter.finish_after_failover();
    assert!(watch.moves().len() <= 2, "{:?}", watch.moves());
}

#[test]
fn a_lease_with_another_router_is_followed() {
    let lab = leased();
    let host = lab.host(1);
    let _daemon = lab.start(&route("auto", &with_target()));
    lab.router(1).ip("addr add 192.0.2.2/24 dev outside");
    lab.router(1).ip("addr del 192.0.2.1/24 dev outside");
    lab.wait_by("wan1", TARGET);
    let meter = lab.meter(TARGET);
    host.ip("route append default via 192.0.2.2 dev wan0 proto dhcp metric 100 src 192.0.2.10");
    host.ip(&format!("route del {LEASE}"));
    lab.wait_by("wan0", TARGET);
    lab.wait_home();
    pause_ms(300);
    meter.finish_unharmed();
    lab.cut_lan('A', Loss::Silent);
    lab.wait_by("wan1", TARGET);
}

#[test]
fn the_other_uplink_may_come_later_and_go() {
    let lab = leased();
    let host = lab.host(1);
    host.ip("route del default dev wan1");
    let _daemon = lab.start(&route("auto", QUICK));
    lab.cut_lan('A', Loss::Silent);
    pause_ms(1000);
    host.ip("route add default via 198.51.100.1 dev wan1 proto dhcp metric 200");
    lab.wait_by("wan1", TARGET);
    host.ip("route del default via 198.51.100.1 dev wan1 proto dhcp metric 200");
    // Its lease is gone: so is our reason to use it.
    lab.wait_by("wan0", TARGET);
    lab.wait_home();
}

#[test]
fn the_routes_of_ipv6_are_found_as_well() {
    let lab = Uplinks::new(Routed::Statically);
    let _daemon = lab.start(&section("default6", "auto", &format!("targets = [\"{TARGET_V6}\"]\n{QUICK}")));
    lab.kill_router(1);
    lab.wait_by("wan1", TARGET_V6);
    for _ in 0..5 {
        lab.host(1).ip("-6 route replace default via fe80::1 dev wan0 metric 100");
        pause_ms(50);
        lab.wait_by("wan1", TARGET_V6);
    }
    lab.revive_router(1);
    lab.wait_home();
    lab.wait_by("wan0", TARGET_V6);
}
