//! Routes: what RTM_NEWROUTE says of one, and the requests that list, add and delete them.
//!
//! A route that is emitted again is patched in its raw attributes: all that faild does not mean to change is copied
//! as the kernel sent it, also what this program does not know. What the typed fields say is written anew.

mod legs;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use nix::libc;
use rtnetlink::packet_core::{NLM_F_APPEND, NLM_F_CREATE, NLM_F_DUMP, NLM_F_EXCL};

use super::attributes::{
    Attribute, Attributes, Malformed, RTA_ENCAP, RTA_ENCAP_TYPE, RTA_EXPIRES, RTA_VIA, copy, put,
    put_address, read_u32,
};
use super::message::{Request, refusal};
use crate::interface::{Family, InterfaceIndex};
use crate::operation::{Place, Refusal};
use crate::route::{Leg, PROTOCOL, Route, RouteKey, RouteType};

/// What a listing shall hold; the kernel filters it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Filter {
    /// The family.
    pub family: Family,
    /// Only this table.
    pub table: Option<u32>,
    /// Only this type.
    pub kind: Option<RouteType>,
    /// Only this protocol.
    pub protocol: Option<u8>,
    /// Only routes that use this interface, be it by one leg of several.
    pub interface: Option<InterfaceIndex>,
}

impl Filter {
    /// The request for the listing.
    pub(super) fn request(&self) -> Request {
        let header = Header {
            family: family_number(self.family),
            protocol: self.protocol.unwrap_or(0),
            kind: self.kind.map_or(0, RouteType::number),
            ..Header::default()
        };
        let mut body = header.bytes().to_vec();
        if let Some(table) = self.table {
            put(&mut body, libc::RTA_TABLE, &table.to_ne_bytes());
        }
        if let Some(interface) = self.interface {
            put(&mut body, libc::RTA_OIF, &interface.0.to_ne_bytes());
        }
        Request { kind: libc::RTM_GETROUTE, flags: NLM_F_DUMP, body }
    }

    /// Whether a route belongs into the listing: a kernel before 4.20 does not filter, and one without IPv6 answers
    /// with the routes of other families.
    pub(super) fn admits(&self, route: &Route) -> bool {
        family_of(&route.key.destination) == self.family
            && self.table.is_none_or(|table| route.key.table == table)
            && self.kind.is_none_or(|kind| route.kind == kind)
            && self.protocol.is_none_or(|protocol| route.protocol == protocol)
            && self.interface.is_none_or(|index| is_over(route, index))
    }
}

/// Whether a route uses an interface. One that refuses packets has no legs to tell it by.
fn is_over(route: &Route, index: InterfaceIndex) -> bool {
    route.kind != RouteType::Unicast || route.legs.iter().any(|leg| leg.interface == index)
}

/// Reads the body of RTM_NEWROUTE or RTM_DELROUTE. `None`: a cached route, one that depends on the source of packets, or
/// a unicast one that is told by a nexthop object alone.
pub(super) fn read(body: &[u8]) -> Result<Option<Route>, Malformed> {
    let header = Header::read(body)?;
    let Some(family) = header.family_kept() else { return Ok(None) };
    let attributes = &body[HEADER..];
    let mut found = Found::default();
    for attribute in Attributes(attributes) {
        found.take(&attribute?)?;
    }
    found.table.get_or_insert(u32::from(header.table));
    found.finish(&header, family, attributes)
}

/// What the attributes of a route say.
#[derive(Debug, Default)]
struct Found {
    destination: Option<IpAddr>,
    table: Option<u32>,
    metric: u32,
    source: Option<IpAddr>,
    gateway: Option<IpAddr>,
    interface: Option<InterfaceIndex>,
    legs: Vec<Leg>,
    nexthop_id: Option<u32>,
    encapsulated: bool,
    leg_flags: u32,
}

impl Found {
    fn take(&mut self, attribute: &Attribute<'_>) -> Result<(), Malformed> {
        match attribute.kind {
            libc::RTA_DST => self.destination = Some(attribute.address()?),
            libc::RTA_TABLE => self.table = Some(attribute.u32()?),
            libc::RTA_PRIORITY => self.metric = attribute.u32()?,
            libc::RTA_PREFSRC => self.source = Some(attribute.address()?),
            libc::RTA_GATEWAY => self.gateway = Some(attribute.address()?),
            RTA_VIA => self.gateway = Some(attribute.via()?),
            libc::RTA_OIF => self.interface = Some(InterfaceIndex(attribute.u32()?)),
            RTA_NH_ID => self.nexthop_id = Some(attribute.u32()?),
            RTA_ENCAP | RTA_ENCAP_TYPE => self.encapsulated = true,
            libc::RTA_MULTIPATH => self.take_legs(attribute.payload)?,
            _ => {}
        }
        Ok(())
    }

    fn take_legs(&mut self, payload: &[u8]) -> Result<(), Malformed> {
        for leg in legs::Legs(payload) {
            let leg = leg?;
            self.leg_flags |= u32::from(leg.flags);
            self.encapsulated |= leg.is_encapsulated()?;
            self.legs.push(leg.leg()?);
        }
        Ok(())
    }

    fn finish(self, header: &Header, family: Family, raw: &[u8]) -> Result<Option<Route>, Malformed> {
        let only = self.interface.map(|interface| Leg { gateway: self.gateway, interface, weight: 1 });
        let mut legs = if self.legs.is_empty() { only.into_iter().collect() } else { self.legs };
        if let [only] = legs.as_mut_slice() {
            only.weight = 1;
        }
        let kind = RouteType::from_number(header.kind);
        let is_filed =
            family == Family::V6 && matches!(kind, RouteType::Other(_)) && kind != RouteType::LOCAL;
        if kind != RouteType::Unicast && !is_filed {
            // IPv6 shows such routes on `lo`, which no packet takes; others tell by which listing they are found.
            legs.clear();
        } else if kind == RouteType::Unicast && legs.is_empty() {
            return Ok(None);
        }
        let destination = self.destination.unwrap_or_else(|| any(family));
        Ok(Some(Route {
            key: RouteKey {
                table: self.table.unwrap_or_default(),
                // The kernel sends none with bits behind its prefix; to two keys they would be one route.
                destination: IpNet::new(destination, header.destination_length)
                    .map_err(|_| Malformed)?
                    .trunc(),
                tos: header.tos,
                metric: self.metric,
            },
            kind,
            protocol: header.protocol,
            scope: header.scope,
            source: self.source,
            legs,
            nexthop_id: self.nexthop_id,
            encapsulated: self.encapsulated,
            linkdown: (header.flags | self.leg_flags) & (DEAD | LINKDOWN) != 0,
            attributes: raw.to_vec(),
            flags: header.flags,
        }))
    }
}

/// The request that adds a route; its flags tell the kernel the place among equal keys.
///
/// Errors: EOPNOTSUPP for a route with encapsulation, which is never emitted (Linux 6.18 dies of some); EINVAL for a
/// template that is malformed.
pub(super) fn add(route: &Route, place: Place) -> Result<Request, Refusal> {
    if route.encapsulated {
        return Err(encapsulation());
    }
    let header = Header { flags: route.flags & KEPT_FLAGS, scope: route.scope, ..Header::of(route) };
    let mut body = header.bytes().to_vec();
    copy_template(&mut body, route)?;
    put_key(&mut body, route);
    if let Some(source) = route.source {
        put_address(&mut body, libc::RTA_PREFSRC, source);
    }
    legs::put_legs(&mut body, route)?;
    Ok(Request { kind: libc::RTM_NEWROUTE, flags: place_flags(place), body })
}

fn place_flags(place: Place) -> u16 {
    NLM_F_CREATE
        | match place {
            Place::Alone => NLM_F_EXCL,
            Place::Before => 0,
            Place::Behind => NLM_F_APPEND,
        }
}

/// The request that deletes exactly this route. The kernel takes what is not named for a wildcard and removes the
/// first that fits, so that all is named that it compares; but for the scope, which does not tell routes apart.
pub(super) fn delete(route: &Route) -> Result<Request, Refusal> {
    let header = Header { scope: libc::RT_SCOPE_NOWHERE, ..Header::of(route) };
    let mut body = header.bytes().to_vec();
    put_key(&mut body, route);
    match route.nexthop_id {
        Some(id) => put(&mut body, RTA_NH_ID, &id.to_ne_bytes()),
        None => legs::put_legs(&mut body, &Route { attributes: Vec::new(), ..route.clone() })?,
    }
    if let (Some(source), Family::V4) = (route.source, family_of(&route.key.destination)) {
        put_address(&mut body, libc::RTA_PREFSRC, source);
    }
    Ok(Request { kind: libc::RTM_DELROUTE, flags: 0, body })
}

/// Copies the attributes that no typed field stands for.
fn copy_template(body: &mut Vec<u8>, route: &Route) -> Result<(), Refusal> {
    for attribute in Attributes(&route.attributes) {
        let attribute = attribute.map_err(|_| refusal(libc::EINVAL))?;
        match attribute.kind {
            RTA_ENCAP | RTA_ENCAP_TYPE => return Err(encapsulation()),
            libc::RTA_CACHEINFO => put_lifetime(body, route, attribute.payload),
            libc::RTA_DST | libc::RTA_TABLE | libc::RTA_PRIORITY | libc::RTA_PREFSRC => {}
            libc::RTA_GATEWAY | RTA_VIA | libc::RTA_OIF | libc::RTA_MULTIPATH | RTA_NH_ID => {}
            _ => copy(body, &attribute),
        }
    }
    Ok(())
}

/// A listing tells the lifetime as RTA_CACHEINFO in 1/100 s, a request as RTA_EXPIRES in seconds. It is the
/// original's: an overlay ends when faild lifts it, not in the midst of an outage because its template was old.
fn put_lifetime(body: &mut Vec<u8>, route: &Route, cache_info: &[u8]) {
    let left = read_u32(cache_info, 8).unwrap_or(0).cast_signed();
    if left != 0 && route.protocol != PROTOCOL {
        let seconds = u32::try_from(left / 100).unwrap_or(0).max(1);
        put(body, RTA_EXPIRES, &seconds.to_ne_bytes());
    }
}

fn put_key(body: &mut Vec<u8>, route: &Route) {
    if route.key.destination.prefix_len() > 0 {
        put_address(body, libc::RTA_DST, route.key.destination.network());
    }
    put(body, libc::RTA_TABLE, &route.key.table.to_ne_bytes());
    if route.key.metric != 0 {
        put(body, libc::RTA_PRIORITY, &route.key.metric.to_ne_bytes());
    }
}

fn encapsulation() -> Refusal {
    Refusal {
        errno: libc::EOPNOTSUPP,
        text: "routes with encapsulation are left alone, since some kernels die of adding one".to_owned(),
    }
}

/// `rtmsg`.
#[derive(Debug, Clone, Copy, Default)]
struct Header {
    family: u8,
    destination_length: u8,
    source_length: u8,
    tos: u8,
    table: u8,
    protocol: u8,
    scope: u8,
    kind: u8,
    flags: u32,
}

impl Header {
    fn read(body: &[u8]) -> Result<Self, Malformed> {
        let &[family, destination_length, source_length, tos, table, protocol, scope, kind] =
            body.first_chunk().ok_or(Malformed)?;
        let flags = read_u32(body, 8)?;
        Ok(Self { family, destination_length, source_length, tos, table, protocol, scope, kind, flags })
    }

    /// What adding and deleting a route have in common.
    fn of(route: &Route) -> Self {
        Self {
            family: family_number(family_of(&route.key.destination)),
            destination_length: route.key.destination.prefix_len(),
            tos: route.key.tos,
            table: u8::try_from(route.key.table).unwrap_or(RT_TABLE_COMPAT),
            protocol: route.protocol,
            kind: route.kind.number(),
            ..Self::default()
        }
    }

    fn bytes(&self) -> [u8; HEADER] {
        let [a, b, c, d] = self.flags.to_ne_bytes();
        [
            self.family,
            self.destination_length,
            self.source_length,
            self.tos,
            self.table,
            self.protocol,
            self.scope,
            self.kind,
            a,
            b,
            c,
            d,
        ]
    }

    /// The family, if this is a route of a kind that is kept.
    fn family_kept(&self) -> Option<Family> {
        let is_kept = self.flags & libc::RTM_F_CLONED == 0 && self.source_length == 0;
        [Family::V4, Family::V6].into_iter().find(|family| is_kept && family_number(*family) == self.family)
    }
}

fn family_of(prefix: &IpNet) -> Family {
    Family::of(&prefix.addr())
}

/// AF_INET, AF_INET6.
const fn family_number(family: Family) -> u8 {
    match family {
        Family::V4 => 2,
        Family::V6 => 10,
    }
}

const fn any(family: Family) -> IpAddr {
    match family {
        Family::V4 => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        Family::V6 => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    }
}

/// Length of `rtmsg`.
const HEADER: usize = 12;

/// Stands in `rtmsg` for a table whose number needs RTA_TABLE.
const RT_TABLE_COMPAT: u8 = 252;

/// The nexthop object of a route (Linux 5.3).
const RTA_NH_ID: u16 = 30;

/// RTNH_F_DEAD.
const DEAD: u32 = 1;

/// RTNH_F_LINKDOWN.
const LINKDOWN: u32 = 16;

/// RTNH_F_PERVASIVE and RTNH_F_ONLINK: the flags that are the administrator's; the others are the kernel's, which
/// refuses some of them in a request.
const KEPT_FLAGS: u32 = 2 | 4;
