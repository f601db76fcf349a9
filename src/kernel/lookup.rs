//! What the kernel would do with a packet: RTM_GETROUTE for one address.

use std::net::IpAddr;

use nix::libc;

use super::attributes::{Attributes, Malformed, RTA_VIA, put_address};
use super::message::Request;
use crate::interface::{Family, InterfaceIndex};
use crate::route::{Answer, RouteType};

/// The way of a packet to an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hop {
    /// The interface that it leaves by.
    pub interface: Option<InterfaceIndex>,
    /// The next hop; none: the address itself.
    pub gateway: Option<IpAddr>,
    /// The source that it gets if its sender does not say.
    pub source: Option<IpAddr>,
    /// What the route does that decides.
    pub kind: RouteType,
    /// Its table.
    pub table: u32,
}

/// The question; without a source the kernel chooses one.
pub(super) fn query(address: IpAddr, source: Option<IpAddr>) -> Request {
    let length: u8 = if address.is_ipv4() { 32 } else { 128 };
    let family = match Family::of(&address) {
        Family::V4 => 2,
        Family::V6 => 10,
    };
    let mut body = vec![0; HEADER];
    (body[0], body[1]) = (family, length);
    if address.is_ipv4() {
        body[FLAGS..HEADER].copy_from_slice(&RTM_F_LOOKUP_TABLE.to_ne_bytes());
    }
    put_address(&mut body, libc::RTA_DST, address);
    if let Some(source) = source.filter(|source| source.is_ipv4() == address.is_ipv4()) {
        body[SOURCE_LENGTH] = length;
        put_address(&mut body, libc::RTA_SRC, source);
    }
    Request { kind: libc::RTM_GETROUTE, flags: 0, body }
}

/// The answer, RTM_NEWROUTE.
pub(super) fn read(body: &[u8]) -> Result<Hop, Malformed> {
    let kind = RouteType::from_number(*body.get(KIND).ok_or(Malformed)?);
    let table = u32::from(*body.get(TABLE).ok_or(Malformed)?);
    let mut hop = Hop { interface: None, gateway: None, source: None, kind, table };
    for attribute in Attributes(body.get(HEADER..).ok_or(Malformed)?) {
        let attribute = attribute?;
        match attribute.kind {
            libc::RTA_OIF => hop.interface = Some(InterfaceIndex(attribute.u32()?)),
            libc::RTA_TABLE => hop.table = attribute.u32()?,
            libc::RTA_GATEWAY => hop.gateway = Some(attribute.address()?),
            RTA_VIA => hop.gateway = Some(attribute.via()?),
            libc::RTA_PREFSRC => hop.source = Some(attribute.address()?),
            _ => {}
        }
    }
    Ok(hop)
}

impl Hop {
    /// What the reconciler asks for.
    pub const fn answer(&self) -> Answer {
        Answer { kind: self.kind, interface: self.interface, gateway: self.gateway, table: self.table }
    }

    /// Whether the address is this host's own.
    pub fn is_local(&self) -> bool {
        self.kind == RouteType::Other(libc::RTN_LOCAL)
    }
}

/// Length of `rtmsg`.
const HEADER: usize = 12;

/// Where `rtmsg` has the length of the source.
const SOURCE_LENGTH: usize = 2;

/// Where it has the table.
const TABLE: usize = 4;

/// Where it has the flags.
const FLAGS: usize = 8;

/// The answer says which table decided (Linux 4.4), and not that it was main. IPv6 always says so, and refuses the flag.
const RTM_F_LOOKUP_TABLE: u32 = 0x1000;

/// Where `rtmsg` has the type of the route.
const KIND: usize = 7;
