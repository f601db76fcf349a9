//! Which interfaces are LANs, if nobody named them.

use super::Notice;
use crate::config::{Config, NextHops, RouteConfig};
use crate::interface::{Interface, InterfaceAddress, InterfaceKind};

/// More LANs than this nobody has, and packets, reports and ACK sizes are bounded by it.
pub(super) const MAX_LANS: usize = 4;

/// Chooses `room` of the interfaces at most, given those that are LANs already; says each choice with its reason.
pub(super) fn select(
    config: &Config,
    interfaces: &[Interface],
    lans: &[&Interface],
    room: usize,
) -> (Vec<String>, Vec<Notice>) {
    let mut chosen: Vec<&Interface> = Vec::new();
    let mut notices = Vec::new();
    for interface in interfaces {
        if lans.iter().any(|lan| lan.name == interface.name) {
            continue;
        }
        match refusal(config, interface, lans.iter().copied().chain(chosen.iter().copied())) {
            None if chosen.len() < room => {
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
    /// Member of a `[[group]]`: others of its subnet stand in for it.
    Member,
    /// A next hop of a `[[route]]`, as a rule to a provider, is behind it, or may be.
    NextHop,
    /// The loopback interface.
    Loopback,
    /// A port of a bridge or bond.
    Enslaved,
    /// Ethernet inside something else.
    Tunnel,
    /// No broadcast.
    NoBroadcast,
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
    if let Some(reason) = other_use(config, &interface.name) {
        return Some(reason);
    }
    match interface.kind {
        InterfaceKind::Loopback => return Some(Reason::Loopback),
        InterfaceKind::EthernetTunnel => return Some(Reason::Tunnel),
        InterfaceKind::Tunnel => return Some(Reason::NoBroadcast),
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

/// What the settings say of an interface that keeps it from being a LAN unless it is named as one: asking a provider's
/// network for peers would be impolite. Where next hops are to be found in the kernel any interface may lead to one.
pub(super) fn other_use(config: &Config, name: &str) -> Option<Reason> {
    let mut members = config.groups.iter().flat_map(|group| &group.members);
    let leads = |route: &RouteConfig| match &route.next_hops {
        NextHops::Auto => true,
        NextHops::Listed(hops) => hops.iter().any(|hop| hop.interface == name),
    };
    if config.exclude.iter().any(|excluded| excluded == name) {
        Some(Reason::Excluded)
    } else if members.any(|member| member.interface == name) {
        Some(Reason::Member)
    } else {
        config.routes.iter().any(leads).then_some(Reason::NextHop)
    }
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

impl Reason {
    /// One word.
    pub(super) const fn word(&self) -> &'static str {
        match self {
            Reason::Excluded => "excluded",
            Reason::Member => "group-member",
            Reason::NextHop => "route-next-hop",
            Reason::Loopback => "loopback",
            Reason::Enslaved => "bridge-or-bond-port",
            Reason::Tunnel => "tunnel",
            Reason::NoBroadcast => "no-broadcast",
            Reason::InnerBridge => "bridge-without-physical-port",
            Reason::NoAddress => "no-address",
            Reason::SameSubnet(_) => "same-subnet",
            Reason::TooMany => "too-many-lans",
        }
    }
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "cause={}", self.word())?;
        match self {
            Reason::NextHop | Reason::Tunnel => f.write_str(" fix=\"if it is also a LAN, name it with -i\""),
            Reason::TooMany => f.write_str(" fix=\"name the LANs to use with -i\""),
            Reason::SameSubnet(other) => write!(f, " other={other} fix=\"give each LAN its own subnet\""),
            Reason::Excluded
            | Reason::Member
            | Reason::Loopback
            | Reason::Enslaved
            | Reason::NoBroadcast
            | Reason::InnerBridge
            | Reason::NoAddress => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{GroupConfig, Judging, MemberConfig, NextHopConfig};
    use crate::interface::InterfaceIndex;

    #[test]
    fn what_groups_and_next_hops_use_is_no_lan_by_itself() {
        let config =
            Config { groups: vec![group("a")], routes: vec![route(listed("b"))], ..Config::default() };
        let chosen = chosen(&config);
        assert_eq!(chosen, [Some(Reason::Member), Some(Reason::NextHop), None]);
    }

    #[test]
    fn where_next_hops_are_to_be_found_any_interface_may_lead_to_a_provider() {
        let config = Config { routes: vec![route(NextHops::Auto)], ..Config::default() };
        assert_eq!(chosen(&config), [Some(Reason::NextHop), Some(Reason::NextHop), Some(Reason::NextHop)]);
        assert_eq!(chosen(&Config::default()), [None, None, None]);
    }

    #[test]
    fn a_tunnel_is_no_lan_by_itself_and_the_reason_is_true() {
        for (kind, reason) in [
            (InterfaceKind::EthernetTunnel, "cause=tunnel fix="),
            (InterfaceKind::Tunnel, "cause=no-broadcast"),
        ] {
            let tunnel = Interface { kind, ..interface("a", 1) };
            let refusal = refusal(&Config::default(), &tunnel, std::iter::empty()).unwrap().to_string();
            assert!(refusal.starts_with(reason), "{refusal}");
        }
    }

    fn chosen(config: &Config) -> [Option<Reason>; 3] {
        let interfaces = [interface("a", 1), interface("b", 2), interface("c", 3)];
        interfaces.map(|interface| refusal(config, &interface, std::iter::empty()))
    }

    fn interface(name: &str, number: u8) -> Interface {
        let address = InterfaceAddress::new(format!("10.{number}.0.1/24").parse().unwrap());
        Interface {
            index: InterfaceIndex(number.into()),
            name: name.to_owned(),
            kind: InterfaceKind::Ethernet,
            up: true,
            carrier: true,
            master: None,
            mac: None,
            addresses: vec![address],
            history: crate::interface::LinkHistory::default(),
        }
    }

    fn group(interface: &str) -> GroupConfig {
        let member = MemberConfig {
            interface: interface.to_owned(),
            standby: false,
            test_address: None,
            ipv6: true,
            bring_up: true,
        };
        GroupConfig {
            name: "data".to_owned(),
            members: vec![member],
            detection_time: std::time::Duration::from_secs(10),
            failback: true,
            targets: Vec::new(),
        }
    }

    fn listed(interface: &str) -> NextHops {
        let via = Some([10, 2, 0, 254].into());
        NextHops::Listed(vec![NextHopConfig { interface: interface.to_owned(), via, rank: 1, weight: 1 }])
    }

    fn route(next_hops: NextHops) -> RouteConfig {
        let destination = "0.0.0.0/0".parse().unwrap();
        RouteConfig { destination, table: 254, next_hops, judging: Judging::default() }
    }
}
