//! Checks the configuration against the host's interfaces.

use std::collections::BTreeSet;
use std::net::IpAddr;

use ipnet::IpNet;

use super::fault::{Fault, Origin};
use super::{Config, GroupConfig, LanConfig, MemberConfig, NextHopConfig, document};
use crate::gather::Gather;
use crate::interface::{Family, Interface, InterfaceAddress, InterfaceKind, is_link_local};

/// Errors that show only on the host: an interface that cannot have its configured role, two whose prefixes overlap.
///
/// A missing interface is not an error, see [`host_warnings`]. Only configured interfaces are checked.
pub fn check_against_interfaces(config: &Config, interfaces: &[Interface]) -> Vec<Fault> {
    let present = named(config, interfaces);
    let mut faults: Vec<Fault> = present.iter().filter_map(|named| check_kind(named, interfaces)).collect();
    for (index, one) in present.iter().enumerate() {
        for other in present.iter().skip(index + 1).filter(|other| !one.is_with(other)) {
            faults.extend(overlap(one, other));
        }
    }
    faults
}

/// Settings that work on this host, but are probably not what was meant: interfaces that do not exist (faild waits for
/// them), excluded ones that do not exist while LANs are selected automatically (the one that was meant may be probed),
/// members of a group on different subnets or without an address, targets and next hops on no subnet.
pub fn host_warnings(config: &Config, interfaces: &[Interface]) -> Vec<String> {
    let names = all_names(config);
    let absent = names.into_iter().filter(|name| find(interfaces, name).is_none());
    let mut warnings: Vec<String> = absent.map(|name| absent_text(name, interfaces)).collect();
    warnings.extend(excluded_absent(config, interfaces));
    for group in config.groups.iter().filter(|group| !group.name.is_empty()) {
        warnings.extend(strangers(group, interfaces));
        warnings.extend(far_targets(group, interfaces));
        warnings.extend(mute(group, interfaces));
    }
    for route in &config.routes {
        warnings.extend(route.next_hops.listed().iter().filter_map(|hop| unreached(hop, interfaces)));
    }
    warnings
}

/// A configured interface and its role.
struct Named<'a> {
    role: Role<'a>,
    /// Given on the command line.
    by_flag: bool,
    interface: &'a Interface,
}

enum Role<'a> {
    Lan(&'a LanConfig),
    Member(&'a GroupConfig),
    NextHop,
}

impl Named<'_> {
    fn origin(&self) -> Origin {
        if self.by_flag { Origin::Flag } else { Origin::Host }
    }

    /// Whether the two are in one group, whose members share a subnet.
    fn is_with(&self, other: &Named<'_>) -> bool {
        match (&self.role, &other.role) {
            (Role::Member(one), Role::Member(other)) => std::ptr::eq(*one, *other),
            (Role::Lan(_) | Role::Member(_) | Role::NextHop, _) => false,
        }
    }

    /// The prefixes that are on-link there, except link-local IPv6, which every interface has, and single addresses.
    fn prefixes(&self) -> impl Iterator<Item = IpNet> {
        let counts = |prefix: &IpNet| match (&self.role, Family::of(&prefix.addr())) {
            (Role::Lan(lan), Family::V4) => lan.ipv4,
            (Role::Lan(lan), Family::V6) => lan.ipv6,
            (Role::Member(_) | Role::NextHop, _) => true,
        };
        prefixes(self.interface).filter(counts)
    }
}

/// The interfaces that exist, each once: a LAN or member that is a next hop, too, counts as the former.
fn named<'a>(config: &'a Config, interfaces: &'a [Interface]) -> Vec<Named<'a>> {
    let lans = config.lans.iter().map(|lan| (Role::Lan(lan), &lan.interface));
    let members = config
        .groups
        .iter()
        .flat_map(|group| group.members.iter().map(move |member| (Role::Member(group), &member.interface)));
    let hops = config.routes.iter().flat_map(|route| route.next_hops.listed());
    let mut named: Vec<Named<'a>> = Vec::new();
    for (role, name) in lans.chain(members).chain(hops.map(|hop| (Role::NextHop, &hop.interface))) {
        if let Some(interface) =
            find(interfaces, name).filter(|_| named.iter().all(|n| n.interface.name != *name))
        {
            let by_flag = config.lans_by_flag && matches!(role, Role::Lan(_));
            named.push(Named { role, by_flag, interface });
        }
    }
    named
}

/// The names of all configured interfaces, each once, LANs first.
fn all_names(config: &Config) -> Vec<&str> {
    let lans = config.lans.iter().map(|lan| &lan.interface);
    let hops = config.routes.iter().flat_map(|route| route.next_hops.listed()).map(|hop| &hop.interface);
    let members = config.groups.iter().flat_map(|group| &group.members).map(|member| &member.interface);
    let mut names: Vec<&str> = Vec::new();
    for name in lans.chain(hops).chain(members) {
        if !names.contains(&name.as_str()) {
            names.push(name);
        }
    }
    names
}

fn absent_text(name: &str, interfaces: &[Interface]) -> String {
    let hint = near_hint(name, interfaces);
    format!("interface {name} does not exist{hint}; faild starts without it and waits for it")
}

fn near_hint(name: &str, interfaces: &[Interface]) -> String {
    let near = document::near(name, interfaces.iter().map(|interface| interface.name.as_str()));
    near.map(|near| format!(" (did you mean {near}?)")).unwrap_or_default()
}

/// All of them in one line: a configuration for many hosts may exclude interfaces that few of them have.
fn excluded_absent(config: &Config, interfaces: &[Interface]) -> Option<String> {
    let absent = config.exclude.iter().filter(|name| find(interfaces, name).is_none());
    let names: BTreeSet<String> =
        absent.map(|name| format!("{name}{}", near_hint(name, interfaces))).gather();
    (config.lans.is_empty() && !names.is_empty()).then(|| {
        let names = names.into_iter().collect::<Vec<_>>().join(", ");
        format!(
            "excluded interfaces do not exist: {names}; if a name is misspelled, the interface you meant may be selected \
             as a LAN and probed: correct it, or name the LANs with -i"
        )
    })
}

fn find<'a>(interfaces: &'a [Interface], name: &str) -> Option<&'a Interface> {
    interfaces.iter().find(|interface| interface.name == name)
}

/// Whether the interface can have its configured role.
fn check_kind(named: &Named<'_>, interfaces: &[Interface]) -> Option<Fault> {
    let Named { role, interface, .. } = named;
    let name = &interface.name;
    let text = match (interface.kind, interface.master, role) {
        (InterfaceKind::Loopback, _, Role::Lan(_)) => {
            format!("interface {name} is the loopback interface, which reaches no peer; use another")
        }
        (InterfaceKind::Loopback, _, Role::Member(_) | Role::NextHop) => {
            format!("interface {name} is the loopback interface, which reaches no other host; use another")
        }
        (_, Some(master), _) => {
            let master = interfaces.iter().find(|i| i.index == master).map_or("its master", |i| &i.name);
            format!("interface {name} is a port of {master} and has no addresses of its own; use {master}")
        }
        (InterfaceKind::Tunnel, _, Role::Lan(lan)) if lan.broadcast => format!(
            "interface {name} does not support broadcast; set broadcast = false in its [[lan]] and list its peers in [[peer]]"
        ),
        (InterfaceKind::Tunnel, _, Role::Member(group)) if !group.name.is_empty() => format!(
            "interface {name} is point-to-point, so no other interface can take over for it; remove it from its [[group]]"
        ),
        (
            InterfaceKind::Tunnel
            | InterfaceKind::EthernetTunnel
            | InterfaceKind::Ethernet
            | InterfaceKind::Bridge { .. },
            None,
            _,
        ) => return None,
    };
    Some(Fault::new(named.origin(), text))
}

/// The first pair of prefixes of two interfaces that share addresses: it would be unclear which interface leads to such
/// an address.
fn overlap(one: &Named<'_>, other: &Named<'_>) -> Option<Fault> {
    let (a, b) = common(one.prefixes(), || other.prefixes())?;
    let are_lans = matches!((&one.role, &other.role), (Role::Lan(_), Role::Lan(_)));
    let what = if are_lans { "LANs" } else { "interfaces" };
    let origin = one.origin().max(other.origin());
    let (one, other) = (&one.interface.name, &other.interface.name);
    let text = format!(
        "{what} {one} ({a}) and {other} ({b}) overlap; give each its own prefix, use only one of them, or put both in \
         one [[group]], whose members share a subnet"
    );
    Some(Fault::new(origin, text))
}

/// The first two that share addresses.
fn common<I: Iterator<Item = IpNet>>(
    mut ones: impl Iterator<Item = IpNet>,
    others: impl Fn() -> I,
) -> Option<(IpNet, IpNet)> {
    ones.find_map(|a| others().find(|b| a.contains(b) || b.contains(&a)).map(|b| (a, b)))
}

/// Members with addresses of one family but no common subnet: neither can take over for the other.
fn strangers(group: &GroupConfig, interfaces: &[Interface]) -> Vec<String> {
    let members = group.members.iter().filter_map(|member| find(interfaces, &member.interface));
    let Some((first, others)) = members.collect::<Vec<_>>().split_first().map(|(f, o)| (*f, o.to_vec()))
    else {
        return Vec::new();
    };
    let stranger = |other: &Interface| {
        let (a, b) = [Family::V4, Family::V6].into_iter().find_map(|family| {
            let of = |interface| prefixes(interface).filter(move |p| Family::of(&p.addr()) == family);
            let pair = of(first).next().zip(of(other).next())?;
            common(of(first), || of(other)).is_none().then_some(pair)
        })?;
        Some(format!(
            "members {} ({a}) and {} ({b}) of group {} are on different subnets; the members of a group must share one",
            first.name, other.name, group.name
        ))
    };
    others.into_iter().filter_map(stranger).collect()
}

/// Members without an address to take over with: replies would go to an address on another interface. As long as no
/// member has an address, nothing is known.
fn mute(group: &GroupConfig, interfaces: &[Interface]) -> Vec<String> {
    let has_address = |member: &MemberConfig, family: Family| {
        let own = find(interfaces, &member.interface).into_iter().flat_map(|i| &i.addresses);
        let counts =
            |a: &InterfaceAddress| Some(a.address()) != member.test_address && !is_link_local(&a.address());
        own.filter(|a| counts(a)).any(|a| Family::of(&a.address()) == family)
    };
    let there = || group.members.iter().filter(|member| find(interfaces, &member.interface).is_some());
    let mut warnings = Vec::new();
    for family in [Family::V4, Family::V6] {
        let is_used = there().any(|member| has_address(member, family));
        warnings.extend(there().filter(|member| is_used && !has_address(member, family)).map(|member| {
            format!(
                "member {} of group {} has no {family} address besides its test address, so replies could not reach it when \
                 it takes over; give it one in the subnet",
                member.interface, group.name
            )
        }));
    }
    warnings
}

/// Targets on no subnet of the members: they are ignored. As long as there are no subnets, nothing is known.
fn far_targets(group: &GroupConfig, interfaces: &[Interface]) -> Vec<String> {
    let members = || group.members.iter().filter_map(|member| find(interfaces, &member.interface));
    let is_far = |address: &IpAddr| {
        let family = Family::of(address);
        let subnets = || members().flat_map(prefixes).filter(|p| Family::of(&p.addr()) == family);
        !is_link_local(address)
            && subnets().next().is_some()
            && !subnets().any(|subnet| subnet.contains(address))
    };
    let far = group.targets.iter().filter(|target| is_far(&target.address));
    far.map(|target| {
        let name = &target.name;
        format!("target {name} is not on a subnet of group {} and is ignored; use a host that is", group.name)
    })
    .collect()
}

/// A next hop on no subnet of its interface. As long as the interface has no subnets, nothing is known.
fn unreached(hop: &NextHopConfig, interfaces: &[Interface]) -> Option<String> {
    let via = hop.via.filter(|via| !is_link_local(via))?;
    let interface = find(interfaces, &hop.interface).filter(|i| i.kind != InterfaceKind::Tunnel)?;
    let mut subnets = prefixes(interface).filter(|p| Family::of(&p.addr()) == Family::of(&via)).peekable();
    let first = *subnets.peek()?;
    (!subnets.any(|subnet| subnet.contains(&via))).then(|| {
        format!(
            "next hop {via} is not on a subnet of {} (such as {first}); the kernel will reject it, since onlink is not used",
            interface.name
        )
    })
}

/// The subnets of an interface.
fn prefixes(interface: &Interface) -> impl Iterator<Item = IpNet> {
    let is_subnet =
        |prefix: &IpNet| prefix.prefix_len() < prefix.max_prefix_len() && !is_link_local(&prefix.addr());
    interface.addresses.iter().map(|address| address.prefix).filter(is_subnet)
}

#[cfg(test)]
mod tests;
