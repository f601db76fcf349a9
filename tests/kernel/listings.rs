//! Links, addresses, sysctls.

use std::net::IpAddr;

use faild::interface::{Fall, InterfaceKind};
use faild::kernel::{Error, Kernel, LinkState, sysctl::Sysctls};
use nix::libc;

use crate::world::{in_world, ip};

#[test]
fn interfaces_come_with_kind_carrier_and_addresses() {
    in_world(|world| {
        ip("addr add 10.1.0.9/24 dev lanA");
        ip("-6 addr add fd00:1::9/64 dev lanA nodad preferred_lft 0");
        let lan = world.interface("lanA");
        assert_eq!((lan.kind, lan.up, lan.carrier, lan.master), (InterfaceKind::Ethernet, true, true, None));
        assert!(ip("link show lanA").contains(&lan.mac.unwrap().to_string()));
        let listed: Vec<(String, bool, bool, u8)> = lan
            .addresses
            .iter()
            .filter(|a| !a.prefix.to_string().starts_with("fe80"))
            .map(|a| (a.prefix.to_string(), a.secondary, a.deprecated, a.scope))
            .collect();
        let expected = [
            ("10.1.0.1/24", false, false),
            ("10.1.0.9/24", true, false),
            ("fd00:1::9/64", false, true),
            ("fd00:1::1/64", false, false),
        ];
        assert_eq!(listed, expected.map(|(prefix, s, d)| (prefix.to_owned(), s, d, 0)));
        assert_eq!(lan.addresses[0].broadcast, Some("10.1.0.255".parse().unwrap()));
        assert!(lan.addresses[0].permanent);
        assert_eq!(world.interface("lo").kind, InterfaceKind::Loopback);
    });
}

/// Links and addresses are two listings, and an interface may fall between them.
#[test]
fn an_address_that_went_with_its_interface_is_missing_from_none_that_seems_to_have_stood() {
    in_world(|world| {
        let address: IpAddr = "fd00:2::1".parse().unwrap();
        for _ in 0..200 {
            let before = world.interface("lanB");
            std::thread::scope(|scope| {
                scope.spawn(|| ip("link set lanB down"));
                let fallen = std::iter::repeat_with(|| world.interface("lanB"))
                    .find(|lan| lan.addresses.iter().all(|a| a.address() != address))
                    .unwrap();
                let stood = fallen.up && fallen.history.since(&before.history) == Fall::Stood;
                assert!(!stood, "up, and without its address: {fallen:?}");
            });
            ip("link set lanB up");
            ip("-6 addr add fd00:2::1/64 dev lanB nodad");
        }
    });
}

#[test]
fn bridge_of_virtual_ports_has_no_physical_one() {
    in_world(|world| {
        ip("link add br0 type bridge");
        ip("link set farA master br0");
        let bridge = world.interface("br0");
        assert_eq!(bridge.kind, InterfaceKind::Bridge { has_physical_port: false });
        assert_eq!(world.interface("farA").master, Some(bridge.index));
    });
}

#[test]
fn tun_is_a_tunnel() {
    in_world(|world| {
        ip("tuntap add dev tun0 mode tun");
        assert_eq!(world.interface("tun0").kind, InterfaceKind::Tunnel);
        for made in ["tuntap add dev tap0 mode tap", "link add tap1 type vxlan id 7 dstport 4789"] {
            ip(made);
        }
        for name in ["tap0", "tap1"] {
            assert_eq!(world.interface(name).kind, InterfaceKind::EthernetTunnel, "{name}");
        }
    });
}

#[test]
fn point_to_point_address_is_ours_and_not_the_peers() {
    in_world(|world| {
        ip("addr add 10.9.0.1 peer 10.9.0.2/32 dev lanA");
        let lan = world.interface("lanA");
        assert!(lan.addresses.iter().any(|a| a.prefix.to_string() == "10.9.0.1/32"));
    });
}

#[test]
fn link_query_shows_a_lost_carrier_at_once() {
    in_world(|world| {
        let index = world.index("lanA");
        // Notifications of a second change within a second are held back; the query is not.
        for round in 0..4 {
            let far = if round % 2 == 0 { "down" } else { "up" };
            ip(&format!("link set farA {far}"));
            let state = LinkState { index, up: true, carrier: far == "up" };
            assert_eq!(world.kernel.links(&[index]).unwrap(), [state]);
        }
        ip("link set lanA down");
        let down = LinkState { index, up: false, carrier: false };
        assert_eq!(world.kernel.links(&[index]).unwrap(), [down]);
    });
}

#[test]
fn link_query_leaves_out_what_does_not_exist() {
    in_world(|world| {
        let (a, b) = (world.index("lanA"), world.index("lanB"));
        ip("link del farA");
        let states = world.kernel.links(&[a, b, a]).unwrap();
        assert_eq!(states, [LinkState { index: b, up: true, carrier: true }]);
        assert!(world.kernel.links(&[]).unwrap().is_empty());
    });
}

#[test]
fn interfaces_can_be_listed_while_links_come_and_go() {
    in_world(|world| {
        std::thread::scope(|scope| {
            // A thread made here shares the namespace.
            let busy = scope.spawn(|| {
                for _ in 0..20 {
                    ip("link add x0 type veth peer name x1");
                    ip("link del x0");
                }
            });
            while !busy.is_finished() {
                assert!(world.kernel.interfaces().unwrap().iter().any(|i| i.name == "lanA"));
            }
        });
    });
}

#[test]
fn sysctls_are_those_of_the_namespace() {
    in_world(|world| {
        std::fs::write("/proc/sys/net/ipv4/conf/all/rp_filter", "0").unwrap();
        std::fs::write("/proc/sys/net/ipv4/conf/lanA/rp_filter", "1").unwrap();
        std::fs::write("/proc/sys/net/ipv4/conf/lanA/arp_announce", "2").unwrap();
        std::fs::write("/proc/sys/net/ipv4/conf/lanB/rp_filter", "2").unwrap();
        std::fs::write("/proc/sys/net/ipv6/conf/lanA/addr_gen_mode", "0").unwrap();
        let (a, b) = (world.interface("lanA"), world.interface("lanB"));
        let found = Sysctls::default().check(&[&a, &b]);
        let warnings: Vec<(&str, &str)> = found
            .iter()
            .filter(|finding| finding.weight == faild::kernel::sysctl::Weight::Warning)
            .map(|finding| (finding.interface.as_str(), finding.what))
            .collect();
        assert_eq!(warnings, [("lanA", "rp_filter"), ("lanB", "arp_announce"), ("lanB", "addr_gen_mode")]);
    });
}

#[test]
fn the_hardware_address_of_a_neighbour_is_told_once_it_is_known() {
    in_world(|world| {
        let lan = world.index("lanA");
        ip("neigh add 10.1.0.7 lladdr 02:00:00:00:00:07 nud stale dev lanA");
        ip("-6 neigh add fd00:1::7 lladdr 02:00:00:00:06:07 nud stale dev lanA");
        ip("neigh add 10.1.0.8 nud failed dev lanA");
        let mut mac = |address: &str| {
            world.kernel.hardware_address(lan, address.parse().unwrap()).map(|mac| mac.to_string())
        };
        assert_eq!(mac("10.1.0.7").as_deref(), Some("02:00:00:00:00:07"));
        assert_eq!(mac("fd00:1::7").as_deref(), Some("02:00:00:00:06:07"));
        assert_eq!((mac("10.1.0.8"), mac("10.1.0.9")), (None, None));
    });
}

#[test]
fn the_way_of_a_packet_is_told() {
    in_world(|world| {
        let (lan, other) = (world.index("lanA"), world.index("lanB"));
        ip("route add 10.99.0.0/24 via 10.2.0.9");
        let mut hop = |address: &str| world.kernel.hop(address.parse().unwrap(), None);
        let near = hop("10.1.0.7").unwrap();
        assert_eq!((near.interface, near.gateway, near.is_local()), (Some(lan), None, false));
        assert_eq!(near.source, Some("10.1.0.1".parse().unwrap()));
        let far = hop("10.99.0.1").unwrap();
        assert_eq!((far.interface, far.gateway), (Some(other), Some("10.2.0.9".parse().unwrap())));
        assert_eq!(hop("fd00:1::7").unwrap().interface, Some(lan));
        assert_eq!((far.table, hop("fd00:1::7").unwrap().table), (254, 254));
        assert!(hop("10.1.0.1").unwrap().is_local() && hop("fd00:2::1").unwrap().is_local());
        for nowhere in ["203.0.113.1", "2001:db8::1"] {
            let refused = hop(nowhere).unwrap_err();
            let is_refusal =
                matches!(&refused, Error::Refused { source, .. } if source.errno == libc::ENETUNREACH);
            assert!(is_refusal, "{nowhere}: {refused:?}");
        }
    });
}
