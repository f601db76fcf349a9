//! Addresses: what RTM_NEWADDR says of one, and the requests that add and delete one.

use std::net::IpAddr;

use ipnet::IpNet;
use nix::libc;
use rtnetlink::packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use rtnetlink::packet_route::AddressFamily;
use rtnetlink::packet_route::address::{
    AddressAttribute, AddressFlags, AddressMessage, AddressProtocol, AddressScope, CacheInfo,
};

use super::attributes::{Attributes, Malformed, read_u32};
use super::message::Request;
use crate::interface::{InterfaceAddress, InterfaceIndex, KEPT_ADDRESS_FLAGS};

/// A request for all addresses of both families.
pub(super) fn query(flags: u16) -> Request {
    Request::typed(libc::RTM_GETADDR, flags, &AddressMessage::default())
}

/// An address as a listing shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Listed {
    pub interface: InterfaceIndex,
    pub address: InterfaceAddress,
    /// When it was made, in hundredths of a second since boot.
    pub made: Option<u32>,
}

/// Reads the body of RTM_NEWADDR.
pub(super) fn read(body: &[u8]) -> Result<Option<Listed>, Malformed> {
    let &[family, length, header_flags, scope] = body.first_chunk().ok_or(Malformed)?;
    if i32::from(family) != libc::AF_INET && i32::from(family) != libc::AF_INET6 {
        return Ok(None);
    }
    let mut flags = AddressFlags::from_bits_retain(u32::from(header_flags));
    let (mut own, mut peer, mut broadcast, mut label) = (None, None, None, None);
    let (mut protocol, mut metric, mut made) = (0, 0, None);
    for attribute in Attributes(body.get(HEADER..).ok_or(Malformed)?) {
        let attribute = attribute?;
        match attribute.kind {
            libc::IFA_LOCAL => own = Some(attribute.address()?),
            libc::IFA_ADDRESS => peer = Some(attribute.address()?),
            libc::IFA_BROADCAST => broadcast = Some(attribute.address()?),
            libc::IFA_FLAGS => flags = AddressFlags::from_bits_retain(attribute.u32()?),
            libc::IFA_LABEL => label = Some(attribute.text()),
            IFA_RT_PRIORITY => metric = attribute.u32()?,
            IFA_PROTO => protocol = attribute.u8()?,
            // The third number of `struct ifa_cacheinfo`.
            libc::IFA_CACHEINFO => made = Some(read_u32(attribute.payload, 8)?),
            _ => {}
        }
    }
    // On a point-to-point link IFA_ADDRESS is the other end; without IFA_LOCAL (IPv6) it is ours.
    let Some(address) = own.or(peer) else { return Ok(None) };
    let address = InterfaceAddress {
        prefix: IpNet::new(address, length).map_err(|_| Malformed)?,
        secondary: address.is_ipv4() && flags.contains(AddressFlags::Secondary),
        tentative: flags.intersects(AddressFlags::Tentative | AddressFlags::Dadfailed),
        deprecated: flags.contains(AddressFlags::Deprecated),
        permanent: flags.contains(AddressFlags::Permanent),
        protocol,
        scope,
        no_prefix_route: flags.contains(AddressFlags::Noprefixroute),
        broadcast: match broadcast {
            Some(IpAddr::V4(v4)) => Some(v4),
            Some(IpAddr::V6(_)) | None => None,
        },
        peer: peer.filter(|peer| *peer != address),
        metric,
        label,
        flags: KEPT_ADDRESS_FLAGS.iter().fold(0, |kept, (flag, _)| kept | (flags.bits() & flag)),
    };
    Ok(Some(Listed { interface: InterfaceIndex(read_u32(body, 4)?), address, made }))
}

/// The request that adds an address, for ever; an IPv6 one without duplicate detection, in which our own other
/// interface would answer, and which would keep the address unusable for a second.
pub(super) fn add(interface: InterfaceIndex, address: &InterfaceAddress) -> Request {
    let mut message = naming(interface, address);
    let mut flags = AddressFlags::from_bits_retain(address.flags);
    flags.set(AddressFlags::Nodad, address.address().is_ipv6());
    flags.set(AddressFlags::Noprefixroute, address.no_prefix_route);
    message.header.scope = AddressScope::from(address.scope);
    message.attributes.push(AddressAttribute::Flags(flags));
    message.attributes.extend(address.broadcast.map(AddressAttribute::Broadcast));
    if address.deprecated {
        let mut lifetimes = CacheInfo::default();
        lifetimes.ifa_valid = FOREVER;
        message.attributes.push(AddressAttribute::CacheInfo(lifetimes));
    }
    message.attributes.extend(address.label.clone().map(AddressAttribute::Label));
    if address.metric != 0 {
        message.attributes.push(AddressAttribute::RoutePriority(address.metric));
    }
    if address.protocol != 0 {
        message.attributes.push(AddressAttribute::Protocol(AddressProtocol::from(address.protocol)));
    }
    Request::typed(libc::RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, &message)
}

/// The request that deletes an address of exactly this prefix length.
pub(super) fn delete(interface: InterfaceIndex, address: &InterfaceAddress) -> Request {
    Request::typed(libc::RTM_DELADDR, 0, &naming(interface, address))
}

fn naming(interface: InterfaceIndex, address: &InterfaceAddress) -> AddressMessage {
    let mut message = AddressMessage::default();
    message.header.family = match address.address() {
        IpAddr::V4(_) => AddressFamily::Inet,
        IpAddr::V6(_) => AddressFamily::Inet6,
    };
    message.header.prefix_len = address.prefix.prefix_len();
    message.header.index = interface.0;
    message.attributes =
        vec![AddressAttribute::Local(address.address()), AddressAttribute::Address(address.network().addr())];
    message
}

/// Length of `ifaddrmsg`.
const HEADER: usize = 8;

/// INFINITY_LIFE_TIME, in seconds.
const FOREVER: u32 = u32::MAX;

/// The metric of its routes (Linux 4.18).
const IFA_RT_PRIORITY: u16 = 9;

/// Who added the address (Linux 5.18).
const IFA_PROTO: u16 = 11;
