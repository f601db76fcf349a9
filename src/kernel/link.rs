//! Links: what RTM_NEWLINK says of one, and what sort of interface it is.

use nix::libc;
use rtnetlink::packet_route::link::{LinkAttribute, LinkExtentMask, LinkMessage};

use super::attributes::{Attribute, Attributes, Malformed, read_u16, read_u32};
use super::message::Request;
use crate::interface::{Interface, InterfaceIndex, InterfaceKind, MacAddress};

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
}

/// A request for all links, or for one, without the counters that nobody here looks at.
pub(super) fn query(index: Option<InterfaceIndex>, flags: u16) -> Request {
    let mut message = LinkMessage::default();
    message.header.index = index.map_or(0, |index| index.0);
    message.attributes = vec![LinkAttribute::ExtMask(vec![LinkExtentMask::SkipStats])];
    Request::typed(libc::RTM_GETLINK, flags, &message)
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
            _ => {}
        }
        Ok(())
    }

    fn interface(&self, all: &[Link]) -> Interface {
        Interface {
            index: self.state.index,
            name: self.name.clone(),
            kind: self.interface_kind(all),
            up: self.state.up,
            carrier: self.state.carrier,
            master: self.master,
            mac: self.mac,
            addresses: Vec::new(),
        }
    }

    fn interface_kind(&self, all: &[Link]) -> InterfaceKind {
        if self.flags & IFF_LOOPBACK != 0 {
            return InterfaceKind::Loopback;
        }
        if self.kind == "bridge" {
            return InterfaceKind::Bridge { has_physical_port: self.has_hardware_below(all, DEPTH) };
        }
        let has_broadcast = self.flags & (IFF_BROADCAST | IFF_NOARP) == IFF_BROADCAST;
        match self.device_type == libc::ARPHRD_ETHER && has_broadcast && !self.is_tunnel() {
            true => InterfaceKind::Ethernet,
            false => InterfaceKind::Tunnel,
        }
    }

    /// Ethernet frames inside something else: there is no LAN behind it that we could judge.
    fn is_tunnel(&self) -> bool {
        TUNNELS.contains(&self.kind.as_str())
    }

    /// Whether a port (or a port of a bond that is a port, or the device below a VLAN that is one) is hardware.
    fn has_hardware_below(&self, all: &[Link], depth: u8) -> bool {
        let is_below =
            |other: &&Link| other.master == Some(self.state.index) || self.lower == Some(other.state.index);
        depth > 0
            && all
                .iter()
                .filter(is_below)
                .any(|other| other.has_hardware || other.has_hardware_below(all, depth - 1))
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

/// The links as interfaces that have no addresses yet.
pub(super) fn interfaces(links: &[Link]) -> Vec<Interface> {
    links.iter().map(|link| link.interface(links)).collect()
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

/// How deep devices are stacked below a bridge: port, VLAN, bond, its slave; and some more.
const DEPTH: u8 = 6;

/// Length of `ifinfomsg`.
const HEADER: usize = 16;

const IFF_UP: u32 = libc::IFF_UP as u32;
const IFF_BROADCAST: u32 = libc::IFF_BROADCAST as u32;
const IFF_LOOPBACK: u32 = libc::IFF_LOOPBACK as u32;
const IFF_NOARP: u32 = libc::IFF_NOARP as u32;
const IFF_LOWER_UP: u32 = libc::IFF_LOWER_UP as u32;
