//! Links: what RTM_NEWLINK says of one, and what sort of interface it is.

use std::collections::BTreeSet;

use nix::libc;
use rtnetlink::packet_route::link::{LinkFlags, LinkHeader};

use super::attributes::{Attribute, Attributes, Malformed, put, read_u16, read_u32};
use super::message::Request;
use crate::gather::Gather;
use crate::interface::{Interface, InterfaceIndex, InterfaceKind, LinkHistory, MacAddress};

/// Whether packets can pass, as the kernel knows it at this moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LinkState {
    /// The interface.
    pub index: InterfaceIndex,
    /// IFF_UP: set up by the administrator.
    pub up: bool,
    /// IFLA_CARRIER, with IFF_UP.
    pub carrier: bool,
}

/// A link as a listing shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Link {
    pub state: LinkState,
    name: String,
    device_type: u16,
    flags: u32,
    kind: String,
    master: Option<InterfaceIndex>,
    mac: Option<MacAddress>,
    has_hardware: bool,
    /// The device below it in this namespace (VLAN, macvlan).
    lower: Option<InterfaceIndex>,
    history: LinkHistory,
}

/// A request for all links, or for one, without the counters that nobody here looks at.
///
/// Only the header is typed: the code that can write each attribute of a `LinkMessage` would be 70 kB of the program.
pub(super) fn query(index: Option<InterfaceIndex>, flags: u16) -> Request {
    let header = LinkHeader { index: index.map_or(0, |index| index.0), ..LinkHeader::default() };
    let mut request = Request::typed(libc::RTM_GETLINK, flags, &header);
    put(&mut request.body, libc::IFLA_EXT_MASK, &libc::RTEXT_FILTER_SKIP_STATS.to_ne_bytes());
    request
}

/// The request that sets a link up.
pub(super) fn set_up(index: InterfaceIndex) -> Request {
    let header = LinkHeader {
        index: index.0,
        flags: LinkFlags::Up,
        change_mask: LinkFlags::Up,
        ..LinkHeader::default()
    };
    Request::typed(libc::RTM_NEWLINK, 0, &header)
}

/// Reads the body of RTM_NEWLINK.
pub(super) fn read(body: &[u8]) -> Result<Option<Link>, Malformed> {
    let flags = read_u32(body, 8)?;
    let mut link = Link {
        state: LinkState {
            index: InterfaceIndex(read_u32(body, 4)?),
            up: flags & IFF_UP != 0,
            carrier: flags & IFF_UP != 0 && flags & IFF_LOWER_UP != 0,
        },
        name: String::new(),
        device_type: read_u16(body, 2)?,
        flags,
        kind: String::new(),
        master: None,
        mac: None,
        has_hardware: false,
        lower: None,
        history: LinkHistory::default(),
    };
    let mut is_lower_elsewhere = false;
    for attribute in Attributes(body.get(HEADER..).ok_or(Malformed)?) {
        let attribute = attribute?;
        is_lower_elsewhere |= attribute.kind == libc::IFLA_LINK_NETNSID;
        link.take(&attribute)?;
    }
    // The number of a device in another namespace means nothing here; a veth has no device below it, but a peer.
    if is_lower_elsewhere || link.kind == "veth" {
        link.lower = None;
    }
    Ok((!link.name.is_empty()).then_some(link))
}

impl Link {
    fn take(&mut self, attribute: &Attribute<'_>) -> Result<(), Malformed> {
        match attribute.kind {
            libc::IFLA_IFNAME => self.name = attribute.text(),
            libc::IFLA_CARRIER => self.state.carrier = self.state.up && attribute.u8()? != 0,
            libc::IFLA_MASTER => self.master = Some(InterfaceIndex(attribute.u32()?)),
            libc::IFLA_LINK => self.lower = Some(InterfaceIndex(attribute.u32()?)),
            libc::IFLA_ADDRESS => self.mac = attribute.payload.try_into().ok().map(MacAddress),
            libc::IFLA_PARENT_DEV_NAME => self.has_hardware = true,
            libc::IFLA_LINKINFO => self.kind = kind_of(attribute)?,
            libc::IFLA_CARRIER_DOWN_COUNT => self.history.carrier_losses = Some(attribute.u32()?),
            libc::IFLA_AF_SPEC => self.history.ipv6_changed = ipv6_changed(attribute)?,
            _ => {}
        }
        Ok(())
    }

    fn interface(&self, on_hardware: &BTreeSet<InterfaceIndex>) -> Interface {
        Interface {
            index: self.state.index,
            name: self.name.clone(),
            kind: self.interface_kind(on_hardware),
            up: self.state.up,
            carrier: self.state.carrier,
            master: self.master,
            mac: self.mac,
            addresses: Vec::new(),
            history: self.history,
        }
    }

    fn interface_kind(&self, on_hardware: &BTreeSet<InterfaceIndex>) -> InterfaceKind {
        if self.flags & IFF_LOOPBACK != 0 {
            return InterfaceKind::Loopback;
        }
        if self.kind == "bridge" {
            return InterfaceKind::Bridge { has_physical_port: on_hardware.contains(&self.state.index) };
        }
        let has_broadcast = self.flags & (IFF_BROADCAST | IFF_NOARP) == IFF_BROADCAST;
        match self.device_type == libc::ARPHRD_ETHER && has_broadcast {
            true if TUNNELS.contains(&self.kind.as_str()) => InterfaceKind::EthernetTunnel,
            true => InterfaceKind::Ethernet,
            false => InterfaceKind::Tunnel,
        }
    }
}

fn kind_of(info: &Attribute<'_>) -> Result<String, Malformed> {
    for attribute in info.nested() {
        let attribute = attribute?;
        if attribute.kind == libc::IFLA_INFO_KIND {
            return Ok(attribute.text());
        }
    }
    Ok(String::new())
}

/// The second number of `struct ifla_cacheinfo`, which is inside IFLA_INET6_CACHEINFO inside the part for IPv6.
fn ipv6_changed(families: &Attribute<'_>) -> Result<Option<u32>, Malformed> {
    for family in families.nested() {
        let family = family?;
        if i32::from(family.kind) != libc::AF_INET6 {
            continue;
        }
        for attribute in family.nested() {
            let attribute = attribute?;
            if attribute.kind == IFLA_INET6_CACHEINFO {
                return read_u32(attribute.payload, 4).map(Some);
            }
        }
    }
    Ok(None)
}

/// The links as interfaces that have no addresses yet.
pub(super) fn interfaces(links: &[Link]) -> Vec<Interface> {
    let on_hardware = on_hardware(links);
    links.iter().map(|link| link.interface(&on_hardware)).collect()
}

/// The links that are hardware or stand on it: bridges and bonds by their ports, VLANs by the device below, stacked
/// as they may be.
fn on_hardware(links: &[Link]) -> BTreeSet<InterfaceIndex> {
    let mut known: BTreeSet<InterfaceIndex> =
        links.iter().filter(|link| link.has_hardware).map(|link| link.state.index).gather();
    loop {
        let before = known.len();
        for link in links {
            if known.contains(&link.state.index) || link.lower.is_some_and(|lower| known.contains(&lower)) {
                known.insert(link.state.index);
                known.extend(link.master);
            }
        }
        if known.len() == before {
            return known;
        }
    }
}

/// Kinds of devices (rtnetlink's IFLA_INFO_KIND) that carry Ethernet frames over a network of a higher layer.
const TUNNELS: [&str; 12] = [
    "batadv",
    "bareudp",
    "erspan",
    "geneve",
    "gretap",
    "ip6erspan",
    "ip6gretap",
    "l2tpeth",
    "ovpn",
    "tun",
    "vxlan",
    "wireguard",
];

/// linux/if_link.h.
const IFLA_INET6_CACHEINFO: u16 = 5;

/// Length of `ifinfomsg`.
const HEADER: usize = 16;

const IFF_UP: u32 = libc::IFF_UP as u32;
const IFF_BROADCAST: u32 = libc::IFF_BROADCAST as u32;
const IFF_LOOPBACK: u32 = libc::IFF_LOOPBACK as u32;
const IFF_NOARP: u32 = libc::IFF_NOARP as u32;
const IFF_LOWER_UP: u32 = libc::IFF_LOWER_UP as u32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_a_header_and_what_they_name() {
        let asking = query(Some(InterfaceIndex(7)), 0);
        let counters_left_out = [8, 0, 29, 0, 8, 0, 0, 0];
        assert_eq!(asking.kind, libc::RTM_GETLINK);
        assert_eq!(asking.body, [[0, 0, 0, 0, 7, 0, 0, 0], [0; 8], counters_left_out].concat());
        let setting = set_up(InterfaceIndex(7));
        assert_eq!(setting.kind, libc::RTM_NEWLINK);
        assert_eq!(setting.body, [[0, 0, 0, 0, 7, 0, 0, 0], [1, 0, 0, 0, 1, 0, 0, 0]].concat());
    }

    #[test]
    fn bridge_finds_the_hardware_below_a_vlan_on_a_bond() {
        let links = [
            link(1, "", Some(2), None, true),
            link(2, "bond", None, None, false),
            link(3, "vlan", Some(4), Some(2), false),
            link(4, "bridge", None, None, false),
            link(5, "bridge", None, None, false),
            link(6, "veth", Some(5), None, false),
        ];
        let kinds: Vec<InterfaceKind> = interfaces(&links).into_iter().map(|i| i.kind).collect();
        assert_eq!(kinds[3], InterfaceKind::Bridge { has_physical_port: true });
        assert_eq!(kinds[4], InterfaceKind::Bridge { has_physical_port: false });
        assert_eq!(kinds[2], InterfaceKind::Ethernet);
    }

    #[test]
    fn a_tunnel_is_one_of_ethernet_if_it_has_broadcasts() {
        for kind in TUNNELS {
            let mut link = link(1, kind, None, None, false);
            assert_eq!(interfaces(&[link.clone()])[0].kind, InterfaceKind::EthernetTunnel);
            link.device_type = libc::ARPHRD_NONE;
            assert_eq!(interfaces(&[link])[0].kind, InterfaceKind::Tunnel);
        }
    }

    fn link(index: u32, kind: &str, master: Option<u32>, lower: Option<u32>, has_hardware: bool) -> Link {
        Link {
            state: LinkState { index: InterfaceIndex(index), up: true, carrier: true },
            name: format!("x{index}"),
            device_type: libc::ARPHRD_ETHER,
            flags: IFF_UP | IFF_BROADCAST,
            kind: kind.to_owned(),
            master: master.map(InterfaceIndex),
            mac: None,
            has_hardware,
            lower: lower.map(InterfaceIndex),
            history: LinkHistory::default(),
        }
    }
}
