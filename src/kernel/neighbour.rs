//! Neighbours (ARP and ND entries): asking for one or all of an interface, what they say, and deleting one.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use nix::libc;
use rtnetlink::packet_core::NLM_F_DUMP;
use rtnetlink::packet_route::AddressFamily;
use rtnetlink::packet_route::neighbour::{NeighbourAddress, NeighbourAttribute, NeighbourMessage};

use super::attributes::{Attributes, Malformed, read_u16};
use super::message::Request;
use crate::interface::{InterfaceIndex, MacAddress};

/// The request for one entry; ENOENT if there is none.
pub(super) fn query(interface: InterfaceIndex, address: IpAddr) -> Request {
    Request::typed(libc::RTM_GETNEIGH, 0, &naming(interface, address))
}

/// The request for all entries of an interface. Strict checking wants it as an attribute (Linux 6.18).
pub(super) fn list(interface: InterfaceIndex) -> Request {
    let mut message = NeighbourMessage::default();
    message.attributes = vec![NeighbourAttribute::IfIndex(interface.0)];
    Request::typed(libc::RTM_GETNEIGH, NLM_F_DUMP, &message)
}

/// The address in this body of RTM_NEWNEIGH, if somebody was there lately.
pub(super) fn present(body: &[u8]) -> Result<Option<IpAddr>, Malformed> {
    if read_u16(body, 8)? & (libc::NUD_REACHABLE | libc::NUD_STALE | libc::NUD_DELAY) == 0 {
        return Ok(None);
    }
    let attributes = Attributes(body.get(HEADER..).ok_or(Malformed)?);
    let found = attributes.flatten().find(|attribute| attribute.kind == libc::NDA_DST).ok_or(Malformed)?;
    let v4 = <[u8; 4]>::try_from(found.payload).map(|octets| Ipv4Addr::from(octets).into());
    let v6 = || <[u8; 16]>::try_from(found.payload).map(|octets| Ipv6Addr::from(octets).into());
    v4.or_else(|_| v6()).map(Some).map_err(|_| Malformed)
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
