use std::time::Duration;

use super::*;
use crate::config::{Judging, MemberConfig, NextHops, RouteConfig, TargetConfig};
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
    let mut tap = interface(5, "tap0", &["10.4.0.1/24"]);
    tap.kind = InterfaceKind::EthernetTunnel;
    let interfaces = [port, lo, tunnel, interface(4, "br0", &["10.1.0.1/24"]), tap];
    let mut config = config(&["eth0", "lo", "wg0", "br0", "tap0"]);
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
fn what_the_command_line_names_is_its_fault_and_the_rest_the_configurations() {
    let mut lo = interface(1, "lo", &["127.0.0.1/8"]);
    lo.kind = InterfaceKind::Loopback;
    let interfaces = [lo, interface(2, "a", &["10.1.0.1/24"]), interface(3, "b", &["10.1.0.2/24"])];
    let origins = |lans_by_flag, lans: &[&str], hops: &[(&str, &str)]| {
        let config = Config { lans_by_flag, routes: vec![route(hops)], ..config(lans) };
        let faults = check_against_interfaces(&config, &interfaces);
        faults.into_iter().map(|fault| fault.origin).collect::<Vec<_>>()
    };
    for (by_flag, origin) in [(true, Origin::Flag), (false, Origin::Host)] {
        assert_eq!(origins(by_flag, &["lo"], &[]), std::slice::from_ref(&origin));
        assert_eq!(origins(by_flag, &["a", "b"], &[]), [origin]);
        assert_eq!(origins(by_flag, &["a"], &[("lo", "10.1.0.9")]), [Origin::Host]);
        assert_eq!(origins(by_flag, &["a"], &[("b", "10.1.0.9")]), [Origin::Host], "the file's half of it");
    }
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

#[test]
fn excluded_names_that_are_absent_are_one_warning_where_lans_are_chosen() {
    let interfaces = [interface(1, "eth0", &[]), interface(2, "wan0", &[])];
    let exclude = ["wna0", "wan0", "br7", "br7"].map(str::to_owned).to_vec();
    let warnings = host_warnings(&Config { exclude: exclude.clone(), ..Config::default() }, &interfaces);
    assert_eq!(warnings.len(), 1, "{warnings:#?}");
    assert!(
        warnings[0].starts_with("excluded interfaces do not exist: br7, wna0 (did you mean wan0?); "),
        "{warnings:#?}"
    );
    assert_eq!(host_warnings(&Config { exclude, ..config(&["eth0"]) }, &interfaces), NONE);
}

#[test]
fn two_on_one_subnet_are_refused_in_whatever_role_and_told_of_groups() {
    let interfaces = [
        interface(1, "lan", &["10.1.0.1/24"]),
        interface(2, "hop", &["10.1.0.2/24", "10.2.0.1/24"]),
        interface(3, "member", &["10.2.0.2/24"]),
    ];
    let config = Config {
        routes: vec![route(&[("hop", "10.2.0.9")])],
        groups: vec![group("g", &["member"])],
        ..config(&["lan"])
    };
    let texts: Vec<String> =
        check_against_interfaces(&config, &interfaces).iter().map(ToString::to_string).collect();
    assert_eq!(texts.len(), 2, "{texts:#?}");
    let fix = "overlap; give each its own prefix, use only one of them, or put both in one [[group]]";
    let pairs = [
        "interfaces lan (10.1.0.1/24) and hop (10.1.0.2/24)",
        "interfaces member (10.2.0.2/24) and hop (10.2.0.1/24)",
    ];
    for (text, pair) in texts.iter().zip(pairs) {
        assert!(text.starts_with(&format!("{pair} {fix}")), "{text}");
    }
}

#[test]
fn one_subnet_is_what_a_group_is_for_and_one_interface_may_serve_twice() {
    let interfaces = [interface(1, "a", &["10.1.0.1/24"]), interface(2, "b", &["10.1.0.2/24"])];
    let hops = || vec![route(&[("a", "10.1.0.9"), ("a", "10.1.0.8"), ("b", "10.1.0.9")])];
    let grouped = Config { routes: hops(), groups: vec![group("g", &["a", "b"])], ..Config::default() };
    assert_eq!(check_against_interfaces(&grouped, &interfaces), []);
    assert_eq!(host_warnings(&grouped, &interfaces), NONE);
    let apart =
        Config { routes: hops(), groups: vec![group("g", &["a"]), group("h", &["b"])], ..Config::default() };
    assert_eq!(check_against_interfaces(&apart, &interfaces).len(), 1);
    let lan_and_hop = Config { routes: vec![route(&[("a", "10.1.0.9")])], ..config(&["a"]) };
    assert_eq!(check_against_interfaces(&lan_and_hop, &interfaces), []);
}

#[test]
fn members_on_different_subnets_are_a_warning_unless_nobody_stands_in() {
    let interfaces = [
        interface(1, "a", &["10.1.0.1/24", "fd00::1/64"]),
        interface(2, "b", &["10.2.0.1/24", "fd00::2/64"]),
        interface(3, "bare", &["10.3.0.1/32", "fd00::3/128"]),
    ];
    let warnings = |name| {
        let config = Config { groups: vec![group(name, &["a", "b", "bare"])], ..Config::default() };
        host_warnings(&config, &interfaces)
    };
    let text = "members a (10.1.0.1/24) and b (10.2.0.1/24) of group g are on different subnets; the members of a \
                group must share one";
    assert_eq!(warnings("g"), [text]);
    assert_eq!(warnings(""), NONE);
}

#[test]
fn a_member_that_nobody_could_answer_is_a_warning() {
    let interfaces = [
        interface(1, "a", &["10.1.0.1/24", "fd00::1/64", "fe80::1/64"]),
        interface(2, "b", &["10.1.0.2/24", "fe80::2/64", "10.1.0.12/32"]),
        interface(3, "c", &["fd00::3/64", "10.1.0.13/24"]),
    ];
    let warnings = |name: &str, members: &[&str]| {
        let mut group = group(name, members);
        group.members.iter_mut().for_each(|member| member.test_address = Some([10, 1, 0, 13].into()));
        host_warnings(&Config { groups: vec![group], ..Config::default() }, &interfaces)
    };
    let text = |member: &str, family: &str| {
        format!(
            "member {member} of group g has no {family} address besides its test address, so replies could not reach it \
             when it takes over; give it one in the subnet"
        )
    };
    assert_eq!(warnings("g", &["a", "b", "c"]), [text("c", "ipv4"), text("b", "ipv6")]);
    assert_eq!(warnings("", &["a", "b", "c"]), NONE, "nothing takes over");
    assert_eq!(warnings("g", &["c"]), NONE, "there is no other member");
}

#[test]
fn a_target_that_is_on_no_subnet_of_its_group_is_a_warning() {
    let interfaces = [interface(1, "a", &["10.1.0.1/24"]), interface(2, "b", &["10.1.0.2/24"])];
    let warnings = |address: &str, members: &[&str]| {
        let target = TargetConfig { name: "host".to_owned(), address: address.parse().unwrap() };
        let group = GroupConfig { targets: vec![target], ..group("g", members) };
        host_warnings(&Config { groups: vec![group], ..Config::default() }, &interfaces)
    };
    let text = "target host is not on a subnet of group g and is ignored; use a host that is";
    assert_eq!(warnings("10.2.0.9", &["a", "b"]), [text]);
    for address in ["10.1.0.9", "fe80::9", "fd00::9"] {
        assert_eq!(warnings(address, &["a", "b"]), NONE, "{address}");
    }
}

#[test]
fn a_next_hop_beyond_its_interfaces_subnets_is_a_warning() {
    let mut tunnel = interface(2, "ppp0", &["10.9.0.1/24"]);
    tunnel.kind = InterfaceKind::Tunnel;
    let interfaces = [interface(1, "a", &["10.1.0.1/24", "fd00::1/64"]), tunnel, interface(3, "bare", &[])];
    let warnings = |interface, via| {
        host_warnings(&Config { routes: vec![route(&[(interface, via)])], ..Config::default() }, &interfaces)
    };
    let text = "next hop 10.2.0.1 is not on a subnet of a (such as 10.1.0.1/24); the kernel will reject it, since onlink is not used";
    assert_eq!(warnings("a", "10.2.0.1"), [text]);
    for (interface, via) in
        [("a", "10.1.0.9"), ("a", "fe80::9"), ("a", "fd00::9"), ("ppp0", "10.2.0.1"), ("bare", "10.2.0.1")]
    {
        assert_eq!(warnings(interface, via), NONE, "{interface} {via}");
    }
    assert_eq!(warnings("a", "fd01::9").len(), 1);
}

#[test]
fn next_hops_and_members_have_a_kind_and_may_come_later() {
    let mut port = interface(1, "port", &[]);
    port.master = Some(InterfaceIndex(4));
    let mut lo = interface(2, "lo", &["127.0.0.1/8"]);
    lo.kind = InterfaceKind::Loopback;
    let mut tunnel = interface(3, "ppp0", &["10.3.0.1/24"]);
    tunnel.kind = InterfaceKind::Tunnel;
    let interfaces = [port, lo, tunnel, interface(4, "br0", &["10.1.0.1/24"])];
    let faults = |hops: &[(&str, &str)], name, members: &[&str]| {
        let config =
            Config { routes: vec![route(hops)], groups: vec![group(name, members)], ..Config::default() };
        check_against_interfaces(&config, &interfaces).iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let found = faults(&[("lo", "10.1.0.2"), ("ppp0", "10.3.0.2")], "g", &["port", "br0"]);
    assert_eq!(found.len(), 2, "{found:#?}");
    assert!(found[0].contains("a port of br0") && found[1].contains("loopback"), "{found:#?}");
    let found = faults(&[("ppp0", "10.3.0.2")], "g", &["ppp0"]);
    assert!(found.len() == 1 && found[0].contains("is point-to-point"), "{found:#?}");
    assert_eq!(faults(&[], "", &["ppp0"]), NONE);
    let config = Config {
        routes: vec![route(&[("wan0", "10.1.0.2"), ("pp0", "10.1.0.2")])],
        groups: vec![group("g", &["wan0", "br1"])],
        ..Config::default()
    };
    let warnings = host_warnings(&config, &interfaces);
    let starts = [
        "interface wan0 does not exist;",
        "interface pp0 does not exist (did you mean ppp0?)",
        "interface br1 does not exist",
    ];
    assert_eq!(warnings.len(), 3, "{warnings:#?}");
    assert!(warnings.iter().zip(starts).all(|(warning, start)| warning.starts_with(start)), "{warnings:#?}");
}

const NONE: Vec<String> = Vec::new();

fn route(hops: &[(&str, &str)]) -> RouteConfig {
    let hop = |(interface, via): &(&str, &str)| NextHopConfig {
        interface: (*interface).to_owned(),
        via: Some(via.parse().unwrap()),
        rank: 1,
        weight: 1,
    };
    RouteConfig {
        destination: "0.0.0.0/0".parse().unwrap(),
        table: 254,
        next_hops: NextHops::Listed(hops.iter().map(hop).collect()),
        judging: Judging::default(),
    }
}

fn group(name: &str, members: &[&str]) -> GroupConfig {
    let member = |interface: &&str| MemberConfig {
        interface: (*interface).to_owned(),
        standby: false,
        test_address: None,
        ipv6: true,
        bring_up: true,
    };
    GroupConfig {
        name: name.to_owned(),
        members: members.iter().map(member).collect(),
        detection_time: Duration::from_secs(10),
        failback: true,
        targets: Vec::new(),
    }
}

fn config(names: &[&str]) -> Config {
    Config { lans: names.iter().map(|name| LanConfig::new(name)).collect(), ..Config::default() }
}

fn interface(index: u32, name: &str, prefixes: &[&str]) -> Interface {
    let address = |prefix: &&str| InterfaceAddress::new(prefix.parse().unwrap());
    Interface {
        addresses: prefixes.iter().map(address).collect(),
        ..Interface::new(InterfaceIndex(index), name)
    }
}
