//! Neighbours (ARP and ND entries): asking for one, what it says, and deleting it.

use std::net::IpAddr;

use nix::libc;
use rtnetlink::packet_route::AddressFamily;
use rtnetlink::packet_route::neighbour::{NeighbourAddress, NeighbourAttribute, NeighbourMessage};

use super::attributes::{Attributes, Malformed, read_u16};
use super::message::Request;
use crate::interface::{InterfaceIndex, MacAddress};

/// The request for one entry; ENOENT if there is none.
pub(super) fn query(interface: InterfaceIndex, address: IpAddr) -> Request {
    Request::typed(libc::RTM_GETNEIGH, 0, &naming(interface, address))
}

/// The request that deletes one entry.
pub(super) fn delete(interface: InterfaceIndex, address: IpAddr) -> Request {
    Request::typed(libc::RTM_DELNEIGH, 0, &naming(interface, address))
}

/// Whether the entry in this body of RTM_NEWNEIGH was made by the kernel and not set by hand.
pub(super) fn is_learned(body: &[u8]) -> Result<bool, Malformed> {
    Ok(read_u16(body, 8)? & (libc::NUD_PERMANENT | libc::NUD_NOARP) == 0)
}

/// The hardware address in this body of RTM_NEWNEIGH; an entry that is being resolved, or could not be, has none.
pub(super) fn hardware_address(body: &[u8]) -> Option<MacAddress> {
    let attributes = Attributes(body.get(HEADER..)?);
    let found = attributes.flatten().find(|attribute| attribute.kind == libc::NDA_LLADDR)?;
    found.payload.try_into().ok().map(MacAddress)
}

fn naming(interface: InterfaceIndex, address: IpAddr) -> NeighbourMessage {
    let mut message = NeighbourMessage::default();
    message.header.ifindex = interface.0;
    let (family, destination) = match address {
        IpAddr::V4(v4) => (AddressFamily::Inet, NeighbourAddress::Inet(v4)),
        IpAddr::V6(v6) => (AddressFamily::Inet6, NeighbourAddress::Inet6(v6)),
    };
    message.header.family = family;
    message.attributes = vec![NeighbourAttribute::Destination(destination)];
    message
}

/// Length of ndmsg.
const HEADER: usize = 12;
