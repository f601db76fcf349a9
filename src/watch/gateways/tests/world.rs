//! A host with uplinks that answer or do not.

use crate::interface::{Interface, InterfaceAddress, InterfaceIndex, InterfaceKind, MacAddress};

/// An address as the kernel shows it.
pub(in crate::watch::gateways) fn address(prefix: &str) -> InterfaceAddress {
    let prefix: ipnet::IpNet = prefix.parse().unwrap();
    let is_local = matches!(prefix.addr(), std::net::IpAddr::V6(v6) if v6.is_unicast_link_local());
    InterfaceAddress {
        prefix,
        secondary: false,
        tentative: false,
        deprecated: false,
        permanent: true,
        protocol: 0,
        scope: if is_local { 253 } else { 0 },
        no_prefix_route: false,
        broadcast: None,
    }
}

/// An Ethernet interface that runs.
pub(in crate::watch::gateways) fn ethernet(index: u32, name: &str, addresses: &[&str]) -> Interface {
    Interface {
        index: InterfaceIndex(index),
        name: name.to_owned(),
        kind: InterfaceKind::Ethernet,
        up: true,
        carrier: true,
        master: None,
        mac: Some(MacAddress([2, 0, 0, 0, 0, 1])),
        addresses: addresses.iter().map(|prefix| address(prefix)).collect(),
    }
}
