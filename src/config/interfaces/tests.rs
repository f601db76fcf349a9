use super::*;
use crate::interface::{InterfaceAddress, InterfaceIndex};

#[test]
fn two_lans_with_their_own_prefixes_are_fine() {
    let interfaces = [
        interface(1, "eth0", &["10.1.0.1/24", "fd00:1::1/64", "fe80::1/64", "10.2.0.9/32"]),
        interface(2, "eth1", &["10.2.0.1/24", "fd00:2::1/64", "fe80::2/64"]),
        interface(3, "eth2", &["10.1.0.2/16"]),
    ];
    assert_eq!(check_against_interfaces(&config(&["eth0", "eth1"]), &interfaces), []);
}

#[test]
fn overlapping_prefixes_are_refused_once_a_pair() {
    let interfaces = [
        interface(1, "eth0", &["10.1.0.1/24", "10.9.0.1/24"]),
        interface(2, "eth1", &["10.1.0.2/16", "10.9.0.2/24"]),
        interface(3, "eth2", &["fd00::1/64"]),
        interface(4, "eth3", &["fd00::2/64"]),
    ];
    let faults = check_against_interfaces(&config(&["eth0", "eth1", "eth2", "eth3"]), &interfaces);
    let texts: Vec<String> = faults.iter().map(ToString::to_string).collect();
    assert_eq!(texts.len(), 2);
    assert!(texts[0].starts_with("LANs eth0 (10.1.0.1/24) and eth1 (10.1.0.2/16) overlap;"), "{}", texts[0]);
    assert!(texts[1].starts_with("LANs eth2 (fd00::1/64) and eth3 (fd00::2/64) overlap;"), "{}", texts[1]);
}

#[test]
fn a_family_that_is_not_probed_does_not_count() {
    let interfaces = [interface(1, "eth0", &["10.1.0.1/24"]), interface(2, "eth1", &["10.1.0.2/24"])];
    let mut config = config(&["eth0", "eth1"]);
    config.lans[0].ipv4 = false;
    assert_eq!(check_against_interfaces(&config, &interfaces), []);
}

#[test]
fn what_can_be_no_lan_is_refused() {
    let mut port = interface(1, "eth0", &[]);
    port.master = Some(InterfaceIndex(4));
    let mut lo = interface(2, "lo", &["127.0.0.1/8"]);
    lo.kind = InterfaceKind::Loopback;
    let mut tunnel = interface(3, "wg0", &["10.3.0.1/24"]);
    tunnel.kind = InterfaceKind::Tunnel;
    let interfaces = [port, lo, tunnel, interface(4, "br0", &["10.1.0.1/24"])];
    let mut config = config(&["eth0", "lo", "wg0", "br0"]);
    let texts: Vec<String> =
        check_against_interfaces(&config, &interfaces).iter().map(ToString::to_string).collect();
    assert_eq!(texts.len(), 3);
    assert!(texts[0].contains("a port of br0"), "{}", texts[0]);
    assert!(texts[1].contains("loopback"), "{}", texts[1]);
    assert!(texts[2].contains("broadcast = false"), "{}", texts[2]);
    config.lans[2].broadcast = false;
    assert_eq!(check_against_interfaces(&config, &interfaces).len(), 2);
}

#[test]
fn an_absent_interface_is_a_warning_that_knows_slips_of_the_pen() {
    let interfaces = [interface(1, "eth0", &[]), interface(2, "enp3s0", &[])];
    let config = config(&["eht0", "eth0", "wan7"]);
    assert_eq!(check_against_interfaces(&config, &interfaces), []);
    let warnings = host_warnings(&config, &interfaces);
    assert_eq!(warnings.len(), 2);
    assert!(warnings[0].contains("did you mean eth0?"), "{}", warnings[0]);
    assert!(!warnings[1].contains("did you mean"), "{}", warnings[1]);
}

fn config(names: &[&str]) -> Config {
    Config { lans: names.iter().map(|name| LanConfig::new(name)).collect(), ..Config::default() }
}

fn interface(index: u32, name: &str, prefixes: &[&str]) -> Interface {
    let address = |prefix: &&str| InterfaceAddress {
        prefix: prefix.parse().unwrap(),
        secondary: false,
        tentative: false,
        deprecated: false,
        permanent: true,
        protocol: 0,
        scope: 0,
        no_prefix_route: false,
        broadcast: None,
    };
    Interface {
        index: InterfaceIndex(index),
        name: name.to_owned(),
        kind: InterfaceKind::Ethernet,
        up: true,
        carrier: true,
        master: None,
        mac: None,
        addresses: prefixes.iter().map(address).collect(),
    }
}
