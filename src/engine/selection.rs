//! Which interfaces are LANs, if nobody named them.

use super::Notice;
use crate::config::{Config, NextHops, RouteConfig};
use crate::interface::{Interface, InterfaceAddress, InterfaceKind};

/// More LANs than this nobody has, and packets, reports and ACK sizes are bounded by it.
pub(super) const MAX_LANS: usize = 4;

/// Chooses among the interfaces, given the names of those that are LANs already; says each choice with its reason.
pub(super) fn select(
    config: &Config,
    interfaces: &[Interface],
    lans: &[&Interface],
) -> (Vec<String>, Vec<Notice>) {
    let mut chosen: Vec<&Interface> = Vec::new();
    let mut notices = Vec::new();
    for interface in interfaces {
        if lans.iter().any(|lan| lan.name == interface.name) {
            continue;
        }
        match refusal(config, interface, lans.iter().copied().chain(chosen.iter().copied())) {
            None if lans.len() + chosen.len() < MAX_LANS => {
                notices.push(Notice::LanChosen { interface: interface.name.clone() });
                chosen.push(interface);
            }
            None => notices.push(left_out(interface, Reason::TooMany)),
            Some(reason) => notices.push(left_out(interface, reason)),
        }
    }
    (chosen.into_iter().map(|i| i.name.clone()).collect(), notices)
}

/// Why an interface is no LAN.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// `-x`.
    Excluded,
    /// It is in a `[[group]]`.
    Member,
    /// Next hops of a `[[route]]` are there, or may be.
    NextHop,
    /// The loopback interface.
    Loopback,
    /// A port of a bridge or bond.
    Enslaved,
    /// No broadcast.
    Tunnel,
    /// Containers and virtual machines of this host, nobody else.
    InnerBridge,
    /// Nothing to probe from.
    NoAddress,
    /// On the same subnet as this LAN.
    SameSubnet(String),
    /// Four LANs are there already.
    TooMany,
}

fn left_out(interface: &Interface, reason: Reason) -> Notice {
    Notice::InterfaceLeftOut { interface: interface.name.clone(), reason }
}

/// Why this one cannot be a LAN, beside `others` that are.
pub(super) fn refusal<'a>(
    config: &Config,
    interface: &Interface,
    mut others: impl Iterator<Item = &'a Interface>,
) -> Option<Reason> {
    if config.exclude.contains(&interface.name) {
        return Some(Reason::Excluded);
    }
    if let Some(reason) = other_use(config, &interface.name) {
        return Some(reason);
    }
    match interface.kind {
        InterfaceKind::Loopback => return Some(Reason::Loopback),
        InterfaceKind::Tunnel => return Some(Reason::Tunnel),
        InterfaceKind::Bridge { has_physical_port: false } => return Some(Reason::InnerBridge),
        InterfaceKind::Ethernet | InterfaceKind::Bridge { has_physical_port: true } => {}
    }
    if interface.master.is_some() {
        return Some(Reason::Enslaved);
    }
    if !interface.addresses.iter().any(is_global) {
        return Some(Reason::NoAddress);
    }
    others.find(|other| share_subnet(interface, other)).map(|other| Reason::SameSubnet(other.name.clone()))
}

/// What the settings use an interface for that makes it no LAN of itself: asking a provider's network for peers would be
/// impolite. Where next hops are to be found in the kernel's routes any interface may lead to a provider.
pub(super) fn other_use(config: &Config, name: &str) -> Option<Reason> {
    if config.groups.iter().flat_map(|group| &group.members).any(|member| member.interface == name) {
        return Some(Reason::Member);
    }
    let leads = |route: &RouteConfig| match &route.next_hops {
        NextHops::Auto => true,
        NextHops::Listed(hops) => hops.iter().any(|hop| hop.interface == name),
    };
    config.routes.iter().any(leads).then_some(Reason::NextHop)
}

fn is_global(address: &InterfaceAddress) -> bool {
    address.scope == 0
}

/// Whether two interfaces have addresses in overlapping prefixes.
pub(super) fn share_subnet(one: &Interface, other: &Interface) -> bool {
    one.addresses.iter().filter(|a| is_global(a)).any(|a| {
        other.addresses.iter().filter(|b| is_global(b)).any(|b| {
            let (a, b) = (a.prefix.trunc(), b.prefix.trunc());
            a.prefix_len() < a.max_prefix_len()
                && b.prefix_len() < b.max_prefix_len()
                && (a.contains(&b) || b.contains(&a))
        })
    })
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Reason::Excluded => "reason=excluded",
            Reason::Member => "reason=member-of-a-group hint=\"name it by [[lan]] if peers are there\"",
            Reason::NextHop => "reason=next-hops-of-a-route hint=\"name it by [[lan]] if peers are there\"",
            Reason::Loopback => "reason=loopback",
            Reason::Enslaved => "reason=port-of-a-bridge-or-bond",
            Reason::Tunnel => "reason=no-broadcast",
            Reason::InnerBridge => "reason=bridge-without-physical-port",
            Reason::NoAddress => "reason=no-address",
            Reason::TooMany => "reason=four-lans-are-enough hint=\"name those that count with -i\"",
            Reason::SameSubnet(other) => {
                return write!(f, "reason=same-subnet other={other} hint=\"two LANs need two subnets\"");
            }
        })
    }
}
