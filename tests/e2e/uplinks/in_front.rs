//! What the administrator put in front is respected and named: kill switches, a VPN, rules.

use std::time::Duration;

use crate::lab::{EventName, Host, Lab, Loss, Routed, TARGET, TARGET_V6, Uplinks, pause_ms, wait_until};

use super::{LISTED, LISTED_V6, both, route, section, with_target};

/// The `ip` flag of a family, its targets and its listed next hops.
const FAMILIES: [(&str, &str); 2] = [("", TARGET), ("-6 ", TARGET_V6)];

/// Questions to the kernel, damping of alarms and a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

fn one(family: &str) -> String {
    match family {
        "" => route(LISTED, &with_target()),
        _ => section("default6", LISTED_V6, &format!("targets = [\"{TARGET_V6}\"]\n{}", super::QUICK)),
    }
}

/// Waits until the status is degraded and has this.
#[track_caller]
fn wait_degraded(host: &Host, words: &str) {
    wait_until(&format!("status is degraded with {words:?}"), PATIENCE, || {
        let answer = host.faildctl("status");
        answer.code == Some(1) && answer.text.contains(words)
    });
}

fn gets_through(host: &Host, target: &str) -> bool {
    host.sh(&format!("ping -c1 -W1 {target}")).status.success()
}

#[test]
fn a_kill_switch_in_the_place_of_the_overlay_is_respected_from_the_start() {
    for (family, target) in FAMILIES {
        let lab = Uplinks::new(Routed::Statically);
        let host = lab.host(1);
        host.ip(&format!("{family}route add prohibit default metric 99"));
        let daemon = lab.start(&one(family));
        wait_degraded(host, "prohibit");
        lab.cut_lan('A', Loss::Silent);
        let log = daemon.wait_event(EventName::OverlayBlocked, &[]);
        assert!(log.contains("metric 99\""), "{log}");
        assert_eq!(host.overlays(), Vec::<String>::new());
        assert!(!gets_through(host, target));
        wait_degraded(host, "is in the way");
        host.ip(&format!("{family}route del prohibit default metric 99"));
        lab.wait_by("wan1", target);
        daemon.wait_event(EventName::OverlayBlockedCleared, &[]);
        assert!(host.overlays()[0].contains("metric 99"), "{:?}", host.overlays());
    }
}

#[test]
fn a_kill_switch_that_replaces_the_overlay_is_respected() {
    for (family, target) in FAMILIES {
        let lab = Uplinks::new(Routed::Statically);
        let host = lab.host(1);
        let daemon = lab.start(&one(family));
        lab.cut_lan('A', Loss::Silent);
        lab.wait_by("wan1", target);
        host.ip(&format!("{family}route replace prohibit default metric 99"));
        daemon.wait_event(EventName::OverlayBlocked, &[]);
        wait_degraded(host, "is in the way");
        assert_eq!(host.overlays(), Vec::<String>::new());
        assert!(!gets_through(host, target));
        host.ip(&format!("{family}route del prohibit default metric 99"));
        lab.wait_by("wan1", target);
    }
}

#[test]
fn a_refusing_route_far_in_front_is_named_and_nothing_passes_it() {
    for (family, target) in FAMILIES {
        let lab = Uplinks::new(Routed::Statically);
        let host = lab.host(1);
        let daemon = lab.start(&one(family));
        host.ip(&format!("{family}route add unreachable default metric 10"));
        let log = daemon.wait_event(EventName::RouteOverridden, &["unreachable default"]);
        assert!(log.contains("metric 10\""), "{log}");
        wait_degraded(host, "unreachable default");
        lab.cut_lan('A', Loss::Silent);
        daemon.wait_event(EventName::OverlayBlocked, &[]);
        assert!(!gets_through(host, target));
        host.ip(&format!("{family}route del unreachable default metric 10"));
        lab.wait_by("wan1", target);
    }
}

#[test]
fn a_vpn_on_an_excluded_interface_is_not_failed_over_into_the_clear() {
    let lab = Uplinks::new(Routed::Statically);
    let host = lab.host(1);
    host.ip("link add tun0 type veth peer name tun1");
    host.ip("addr add 10.88.0.1/24 dev tun0");
    for end in ["tun0", "tun1"] {
        host.ip(&format!("link set {end} up"));
    }
    host.ip("route add default dev tun0 metric 50");
    let before = host.foreign_routes();
    let settings = format!("exclude = [\"tun0\", \"tun1\"]\n{}", route("auto", &with_target()));
    let mut daemon = lab.start(&settings);
    let log = daemon.wait_event(EventName::RouteOverridden, &["excluded"]);
    assert!(log.contains("kernel=\"dev tun0 table main\""), "{log}");
    lab.cut_lan('A', Loss::Silent);
    wait_until("the second uplink is chosen", PATIENCE, || {
        host.overlays().iter().any(|own| own.contains("dev wan1") && own.contains("metric 99"))
    });
    assert_eq!(host.way_to(TARGET.parse().expect("an address")).as_deref(), Some("tun0"));
    daemon.terminate();
    assert_eq!(host.foreign_routes(), before);
    assert_eq!(host.way_to(TARGET.parse().expect("an address")).as_deref(), Some("tun0"));
}

#[test]
fn a_rule_that_decides_otherwise_is_named() {
    for (family, target) in FAMILIES {
        let lab = Uplinks::new(Routed::Statically);
        let host = lab.host(1);
        let via = if family.is_empty() { "192.0.2.1" } else { "fe80::1" };
        host.ip(&format!("{family}rule add pref 100 lookup 200"));
        host.ip(&format!("{family}route add default via {via} dev wan0 table 200"));
        let daemon = lab.start(&both());
        lab.cut_lan('A', Loss::Silent);
        let log = daemon.wait_event(EventName::RouteOverridden, &[]);
        assert!(log.contains(&format!("kernel=\"via {via} dev wan0 table 200\"")), "{log}");
        wait_degraded(host, "table 200");
        let why = host.faildctl(&format!("why {target}"));
        assert!(why.text.contains("the kernel decides otherwise"), "{why:?}");
        host.ip(&format!("{family}rule del pref 100"));
        daemon.wait_event(EventName::RouteOverriddenCleared, &[]);
        lab.wait_by("wan1", target);
    }
}

#[test]
fn two_halves_of_the_default_are_named() {
    let lab = Uplinks::new(Routed::Statically);
    let host = lab.host(1);
    host.ip("route add 0.0.0.0/1 via 192.0.2.1 dev wan0");
    host.ip("route add 128.0.0.0/1 via 192.0.2.1 dev wan0");
    let daemon = lab.start(&route(LISTED, &with_target()));
    lab.cut_lan('A', Loss::Silent);
    let log = daemon.wait_event(EventName::RouteOverridden, &[]);
    assert!(log.contains("kernel=\"via 192.0.2.1 dev wan0 table main\""), "{log}");
    wait_degraded(host, "dev wan0");
}

/// What a network manager may take, in milliseconds: longer than faild doubts a route that is gone.
const A_WHILE: u64 = 1500;

#[test]
fn a_network_manager_that_takes_the_route_of_a_lost_carrier_opens_nothing_behind_it() {
    let v4 = ("", TARGET, "203.0.113.0/24", "203.0.0.0/16", LISTED, "192.0.2.1", "192.0.2.10/24");
    let v6 =
        ("-6 ", TARGET_V6, "2001:db8:53::/48", "2001:db8::/32", LISTED_V6, "fe80::1", "2001:db8:a::10/64");
    for (family, target, destination, refused, next_hops, via, address) in [v4, v6] {
        let lab = Uplinks::new(Routed::Statically);
        let host = lab.host(1);
        let original = format!("{destination} via {via} dev wan0 proto static metric 100");
        host.ip(&format!("{family}route add unreachable {refused} metric 4096"));
        host.ip(&format!("{family}route add {original}"));
        let default = format!("default via {via} dev wan0 metric 100");
        let targets = format!("targets = [\"{target}\"]\n{}", super::QUICK);
        let daemon = lab.start(&section(destination, next_hops, &targets));
        lab.wait_by("wan0", target);
        lab.carrier_off(host, 'A');
        lab.wait_by("wan1", target);
        let meter = lab.meter(target);
        // As NetworkManager and networkd do: route and address go, and come back some time after the carrier.
        host.ip(&format!("{family}route del {original}"));
        host.ip(&format!("addr del {address} dev wan0"));
        pause_ms(A_WHILE);
        lab.carrier_on(host, 'A');
        pause_ms(A_WHILE);
        host.ip(&format!("addr add {address} dev wan0 {}", if family.is_empty() { "" } else { "nodad" }));
        host.ip(&format!("{family}route add {original}"));
        host.ip(&format!("{family}route replace {default}"));
        lab.wait_by("wan0", target);
        Lab::wait_home(&lab);
        meter.finish_unharmed();
        assert!(daemon.told(EventName::OverlayBlocked).is_empty(), "{}", daemon.log());
        // Deleted while all is well it is forgotten, and what refuses decides.
        lab.cut_lan('A', Loss::Silent);
        lab.wait_by("wan1", target);
        host.ip(&format!("{family}route del {original}"));
        daemon.wait_event(EventName::OverlayRemoved, &["cause=original-deleted"]);
        assert!(!gets_through(host, target));
    }
}
