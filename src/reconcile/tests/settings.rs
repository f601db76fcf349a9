//! Other settings while all goes on.

use std::time::Duration;

use super::rig::{DHCP, ETH0, Rig, STATIC, ip, route, settings};
use crate::reconcile::Settings;

const GATEWAY: &str = "10.0.0.9";

fn following(protocols: &[u8]) -> Settings {
    Settings { protocols: protocols.iter().copied().collect(), ..settings() }
}

/// A host and what is behind a gateway, both by a detour.
fn detoured(protocols: &[u8]) -> Rig {
    let mut rig = Rig::new();
    rig.settings(following(protocols), &[]);
    rig.add(&route("192.0.2.0/24", GATEWAY, ETH0, 100));
    rig.detour("eth0", GATEWAY, "eth1", "10.1.0.9");
    rig.take_operations();
    rig
}

#[test]
fn the_same_settings_again_write_nothing() {
    let mut rig = detoured(&[STATIC, DHCP]);
    rig.settings(following(&[STATIC, DHCP]), &[]);
    rig.wait(Duration::from_secs(120));
    assert_eq!(rig.take_operations(), [""; 0]);
    assert_eq!(rig.own().len(), 2);
}

#[test]
fn a_protocol_that_is_followed_no_longer_gives_up_its_overlays_and_only_those() {
    let mut rig = detoured(&[STATIC, DHCP]);
    let host = rig.own().into_iter().find(|line| line.contains(GATEWAY)).unwrap();
    rig.settings(following(&[DHCP]), &[]);
    assert_eq!(rig.take_operations(), ["del 192.0.2.0/24 via 10.1.0.9 dev 3 metric 99 src 10.0.0.1"]);
    assert_eq!(rig.own(), [host]);
    rig.settings(following(&[DHCP, STATIC]), &[]);
    assert_eq!(rig.take_operations()[0], "add Alone 192.0.2.0/24 via 10.1.0.9 dev 3 metric 99 src 10.0.0.1");
    assert_eq!(rig.gateway_to("192.0.2.1"), Some(ip("10.1.0.9")));
}

#[test]
fn a_lan_that_leaves_has_its_overlays_lifted() {
    let mut rig = detoured(&[STATIC]);
    rig.plan.lans.retain(|lan| lan != "eth0");
    rig.settings(following(&[STATIC]), &["eth0"]);
    rig.home("eth0", GATEWAY);
    assert_eq!(rig.own(), [""; 0]);
    rig.plan.subjects.clear();
    rig.hand_in_plan();
    rig.wait(Duration::from_secs(120));
    assert_eq!(rig.own(), [""; 0]);
    assert_eq!(rig.gateway_to("192.0.2.1"), Some(ip(GATEWAY)));
}

#[test]
fn nothing_stands_in_for_a_route_that_went_with_a_lan_that_leaves() {
    let mut rig = detoured(&[STATIC]);
    rig.detour("eth0", "fd00::9", "eth1", "fd01::9");
    rig.event(|kernel| kernel.set_up(ETH0, false));
    rig.wait(Duration::from_secs(2));
    assert_eq!(rig.gateway_to("192.0.2.1"), Some(ip("10.1.0.9")), "the overlay stands in for it");
    assert_eq!(rig.on_lo(), ["fd00::1/128"]);
    rig.plan.lans.retain(|lan| lan != "eth0");
    rig.settings(following(&[STATIC]), &["eth0"]);
    [GATEWAY, "fd00::9"].into_iter().for_each(|address| rig.home("eth0", address));
    rig.wait(Duration::from_secs(2));
    assert_eq!(rig.own(), [""; 0]);
    assert_eq!(rig.on_lo(), [""; 0], "no address waits for it");
    rig.take_operations();
    rig.event(|kernel| kernel.set_up(ETH0, true));
    rig.wait(Duration::from_secs(10));
    assert_eq!(rig.take_operations(), [""; 0], "nor is anything put back");
}
