//! What the kernel would do with a packet: RTM_GETROUTE for one address.

use std::net::IpAddr;

use nix::libc;

use super::attributes::{Attributes, Malformed, put_address};
use super::message::Request;
use crate::interface::{Family, InterfaceIndex};

/// The way of a packet to an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hop {
    /// The interface that it leaves by.
    pub interface: Option<InterfaceIndex>,
    /// The next hop; none: the address itself.
    pub gateway: Option<IpAddr>,
    /// The source that it gets if its sender does not say.
    pub source: Option<IpAddr>,
    /// The address is this host's own.
    pub is_local: bool,
}

/// The question.
pub(super) fn query(address: IpAddr) -> Request {
    let length = if address.is_ipv4() { 32 } else { 128 };
    let family = match Family::of(&address) {
        Family::V4 => 2,
        Family::V6 => 10,
    };
    let mut body = vec![0; HEADER];
    (body[0], body[1]) = (family, length);
    put_address(&mut body, libc::RTA_DST, address);
    Request { kind: libc::RTM_GETROUTE, flags: 0, body }
}

/// The answer, RTM_NEWROUTE.
pub(super) fn read(body: &[u8]) -> Result<Hop, Malformed> {
    let kind = *body.get(KIND).ok_or(Malformed)?;
    let mut hop = Hop { interface: None, gateway: None, source: None, is_local: kind == libc::RTN_LOCAL };
    for attribute in Attributes(body.get(HEADER..).ok_or(Malformed)?) {
        let attribute = attribute?;
        match attribute.kind {
            libc::RTA_OIF => hop.interface = Some(InterfaceIndex(attribute.u32()?)),
            libc::RTA_GATEWAY => hop.gateway = Some(attribute.address()?),
            libc::RTA_VIA => hop.gateway = Some(attribute.via()?),
            libc::RTA_PREFSRC => hop.source = Some(attribute.address()?),
            _ => {}
        }
    }
    Ok(hop)
}

/// Length of `rtmsg`.
const HEADER: usize = 12;

/// Where `rtmsg` has the type of the route.
const KIND: usize = 7;
