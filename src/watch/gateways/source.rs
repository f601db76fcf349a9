//! Where probes come from. A wrong source is a probe that is answered by another way, or not at all, and the blame
//! falls on the gateway.

use std::net::{IpAddr, Ipv6Addr};

use crate::interface::{Family, HOST_SCOPE, Interface, InterfaceAddress, InterfaceKind, LINK_SCOPE};

/// The source of a probe to a host on the link: a test address too, which nobody beyond it can answer.
pub(super) fn on_link(interface: &Interface, host: &IpAddr) -> Option<IpAddr> {
    match host {
        IpAddr::V4(_) => holding(interface, host, LINK_SCOPE).or_else(|| global(interface, host)),
        IpAddr::V6(_) => {
            interface.link_local().map(IpAddr::V6).or_else(|| holding(interface, host, LINK_SCOPE))
        }
    }
}

/// The source of a probe to a host beyond a gateway, or at the other end of a link that has only two. An unnumbered
/// interface borrows the address of a loopback one.
pub(super) fn beyond(
    interfaces: &[Interface],
    interface: &Interface,
    gateway: Option<&IpAddr>,
    target: &IpAddr,
) -> Option<IpAddr> {
    let near = gateway.filter(|gateway| gateway.is_ipv4()).and_then(|gateway| holding(interface, gateway, 0));
    let own = near.or_else(|| global(interface, target));
    let mut loopbacks = interfaces.iter().filter(|other| other.kind == InterfaceKind::Loopback && other.up);
    own.or_else(|| loopbacks.find_map(|loopback| global(loopback, target)))
}

/// The address whose prefix holds a host, the longest prefix first, of no narrower scope than `scope`.
fn holding(interface: &Interface, host: &IpAddr, scope: u8) -> Option<IpAddr> {
    usable(interface)
        .filter(|a| a.scope <= scope && a.prefix.contains(host) && !is_point(a))
        .max_by_key(|a| (a.prefix.prefix_len(), !a.secondary, !a.deprecated))
        .map(InterfaceAddress::address)
}

/// An address that the world can answer: by RFC 6724 in short, not deprecated and most alike.
fn global(interface: &Interface, target: &IpAddr) -> Option<IpAddr> {
    usable(interface)
        .filter(|a| a.scope == 0 && Family::of(&a.address()) == Family::of(target))
        .filter(|a| !a.address().is_loopback())
        .max_by_key(|a| (!a.deprecated, alike(&a.address(), target), !a.secondary))
        .map(InterfaceAddress::address)
}

fn usable(interface: &Interface) -> impl Iterator<Item = &InterfaceAddress> {
    interface.addresses.iter().filter(|a| !a.tentative && a.scope < HOST_SCOPE)
}

fn is_point(address: &InterfaceAddress) -> bool {
    address.prefix.prefix_len() == address.prefix.max_prefix_len()
}

/// Leading bits that two IPv6 addresses share; nobody asks that of IPv4, where the first address is the main one.
fn alike(one: &IpAddr, other: &IpAddr) -> u32 {
    match (one, other) {
        (IpAddr::V6(one), IpAddr::V6(other)) => {
            (Ipv6Addr::to_bits(*one) ^ Ipv6Addr::to_bits(*other)).leading_zeros()
        }
        (IpAddr::V4(_) | IpAddr::V6(_), _) => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::world::{address, ethernet};
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn ipv4_speaks_from_the_prefix_of_the_gateway() {
        let mut interface = ethernet(1, "wan", &["198.51.100.7/24", "192.0.2.7/24"]);
        assert_eq!(on_link(&interface, &ip("192.0.2.1")), Some(ip("192.0.2.7")));
        let beyond = |i: &Interface| beyond(&[], i, Some(&ip("192.0.2.1")), &ip("8.8.8.8"));
        assert_eq!(beyond(&interface), Some(ip("192.0.2.7")));
        interface.addresses[1].scope = 254;
        assert_eq!(beyond(&interface), Some(ip("198.51.100.7")), "else any that the world can answer");
        assert_eq!(on_link(&interface, &ip("192.0.2.1")), Some(ip("198.51.100.7")));
    }

    #[test]
    fn a_test_address_is_only_for_the_link() {
        let mut test = address("192.0.2.9/24");
        test.scope = 253;
        let mut interface = ethernet(1, "wan", &[]);
        interface.addresses.push(test);
        assert_eq!(on_link(&interface, &ip("192.0.2.1")), Some(ip("192.0.2.9")));
        assert_eq!(beyond(&[], &interface, Some(&ip("192.0.2.1")), &ip("8.8.8.8")), None);
    }

    #[test]
    fn ipv6_speaks_link_local_on_the_link_and_globally_beyond_it() {
        let interface = ethernet(1, "wan", &["fe80::7/64", "2001:db8::7/64", "fd00::7/64"]);
        assert_eq!(on_link(&interface, &ip("2001:db8::1")), Some(ip("fe80::7")));
        let beyond = |target| beyond(&[], &interface, Some(&ip("fe80::1")), &ip(target));
        assert_eq!(beyond("2001:db8:9::1"), Some(ip("2001:db8::7")));
        assert_eq!(beyond("fd00:9::1"), Some(ip("fd00::7")));
    }

    #[test]
    fn a_tentative_or_deprecated_address_waits() {
        let mut interface = ethernet(1, "wan", &["2001:db8::7/64", "2001:db8::8/64"]);
        interface.addresses[0].tentative = true;
        let source = |i: &Interface| beyond(&[], i, None, &ip("2001:db8:9::1"));
        assert_eq!(source(&interface), Some(ip("2001:db8::8")));
        interface.addresses[1].deprecated = true;
        assert_eq!(source(&interface), Some(ip("2001:db8::8")), "better than none");
        interface.addresses.pop();
        assert_eq!(source(&interface), None);
    }

    #[test]
    fn an_unnumbered_interface_borrows_of_a_loopback_one() {
        let mut loopback = ethernet(1, "lo", &["127.0.0.1/8", "203.0.113.5/32"]);
        loopback.kind = InterfaceKind::Loopback;
        loopback.addresses[0].scope = 254;
        let ppp = ethernet(2, "ppp0", &[]);
        let all = [loopback, ethernet(3, "lan", &["10.0.0.1/8"]), ppp.clone()];
        assert_eq!(beyond(&all, &ppp, None, &ip("8.8.8.8")), Some(ip("203.0.113.5")));
        assert_eq!(beyond(&all[1..], &ppp, None, &ip("8.8.8.8")), None, "another NIC's proves nothing");
    }
}
