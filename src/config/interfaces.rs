//! The settings held against the interfaces that the host has.

use ipnet::IpNet;

use super::fault::{Fault, Origin};
use super::{Config, LanConfig, document};
use crate::interface::{Family, Interface, InterfaceAddress, InterfaceKind};

/// Faults that show only on the host: a LAN that is none, two LANs whose prefixes overlap.
///
/// An interface that is absent is no fault, see [`absent_lans`]. Only LANs that the settings name are looked at.
pub fn check_against_interfaces(config: &Config, interfaces: &[Interface]) -> Vec<Fault> {
    let present: Vec<(&LanConfig, &Interface)> =
        config.lans.iter().filter_map(|lan| Some((lan, find(interfaces, &lan.interface)?))).collect();
    let mut faults: Vec<Fault> =
        present.iter().filter_map(|(lan, interface)| check_kind(lan, interface, interfaces)).collect();
    for (index, one) in present.iter().enumerate() {
        for other in present.iter().skip(index + 1) {
            faults.extend(overlap(*one, *other));
        }
    }
    faults
}

/// A warning for each LAN of the settings whose interface is not there; faild waits for it.
pub fn absent_lans(config: &Config, interfaces: &[Interface]) -> Vec<String> {
    let absent = config.lans.iter().filter(|lan| find(interfaces, &lan.interface).is_none());
    absent.map(|lan| absent_text(&lan.interface, interfaces)).collect()
}

fn absent_text(name: &str, interfaces: &[Interface]) -> String {
    let hint = document::near(name, interfaces.iter().map(|interface| interface.name.as_str()))
        .map(|near| format!(" (did you mean {near}?)"))
        .unwrap_or_default();
    format!("interface {name} is absent{hint}; faild starts without it and takes it when it comes")
}

fn find<'a>(interfaces: &'a [Interface], name: &str) -> Option<&'a Interface> {
    interfaces.iter().find(|interface| interface.name == name)
}

/// Whether the interface can be a LAN.
fn check_kind(lan: &LanConfig, interface: &Interface, interfaces: &[Interface]) -> Option<Fault> {
    let name = &interface.name;
    let text = match (interface.kind, interface.master) {
        (InterfaceKind::Loopback, _) => {
            format!("interface {name} is the loopback interface, which reaches no peer; name another")
        }
        (_, Some(master)) => {
            let master = interfaces.iter().find(|i| i.index == master).map_or("its master", |i| &i.name);
            format!("interface {name} is a port of {master} and bears no addresses of its own; name {master}")
        }
        (InterfaceKind::Tunnel, _) if lan.broadcast => format!(
            "interface {name} has no broadcast; give its [[lan]] broadcast = false and name its peers by [[peer]]"
        ),
        (InterfaceKind::Tunnel | InterfaceKind::Ethernet | InterfaceKind::Bridge { .. }, None) => {
            return None;
        }
    };
    Some(Fault::new(Origin::Host, text))
}

/// The first pair of prefixes of two LANs that share addresses: which LAN such an address is on would be anybody's
/// guess.
fn overlap(one: (&LanConfig, &Interface), other: (&LanConfig, &Interface)) -> Option<Fault> {
    let pairs = prefixes(one).flat_map(|a| prefixes(other).map(move |b| (a, b)));
    let (a, b) = pairs.into_iter().find(|(a, b)| a.contains(b) || b.contains(a))?;
    let (one, other) = (&one.1.name, &other.1.name);
    let text = format!(
        "LANs {one} ({a}) and {other} ({b}) overlap; give each LAN its own prefix, or name one of them"
    );
    Some(Fault::new(Origin::Host, text))
}

/// The prefixes that make addresses on-link there: not link-local IPv6, which every LAN has, and not a single address.
fn prefixes<'a>((lan, interface): (&'a LanConfig, &'a Interface)) -> impl Iterator<Item = IpNet> + 'a {
    let counts = |address: &&InterfaceAddress| match Family::of(&address.address()) {
        Family::V4 => lan.ipv4,
        Family::V6 => lan.ipv6,
    };
    interface
        .addresses
        .iter()
        .filter(counts)
        .map(|address| address.prefix)
        .filter(|prefix| prefix.prefix_len() < prefix.max_prefix_len() && !is_link_local(prefix))
}

fn is_link_local(prefix: &IpNet) -> bool {
    match prefix {
        IpNet::V4(_) => false,
        IpNet::V6(v6) => v6.addr().is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests;
