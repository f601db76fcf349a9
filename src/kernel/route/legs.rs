//! The legs of a route: `rtnexthop` in RTA_MULTIPATH, or gateway and interface of an ordinary route.

use std::net::IpAddr;

use nix::libc;

use super::{encapsulation, family_of};
use crate::interface::{Family, InterfaceIndex};
use crate::kernel::attributes::{
    Attributes, Malformed, RTA_ENCAP, RTA_ENCAP_TYPE, RTA_VIA, aligned, copy, pad, put, put_address,
    put_with, read_u16, read_u32, set_length,
};
use crate::kernel::message::refusal;
use crate::operation::Refusal;
use crate::route::{Leg, Route};

/// A leg of a multipath route, as it stands in the message.
#[derive(Debug, Clone, Copy)]
pub(super) struct RawLeg<'a> {
    /// RTNH_F_ flags.
    pub flags: u8,
    /// The interface that it leaves by.
    pub interface: InterfaceIndex,
    /// Weight, less one.
    weight: u8,
    attributes: Attributes<'a>,
}

impl RawLeg<'_> {
    /// The leg without what no typed field stands for.
    pub(super) fn leg(&self) -> Result<Leg, Malformed> {
        Ok(Leg { gateway: self.gateway()?, interface: self.interface, weight: u16::from(self.weight) + 1 })
    }

    /// The next hop's address, if it is not on-link.
    pub(super) fn gateway(&self) -> Result<Option<IpAddr>, Malformed> {
        for attribute in self.attributes {
            let attribute = attribute?;
            match attribute.kind {
                libc::RTA_GATEWAY => return attribute.address().map(Some),
                RTA_VIA => return attribute.via().map(Some),
                _ => {}
            }
        }
        Ok(None)
    }

    /// Whether packets of this leg are wrapped.
    pub(super) fn is_encapsulated(&self) -> Result<bool, Malformed> {
        for attribute in self.attributes {
            if matches!(attribute?.kind, RTA_ENCAP | RTA_ENCAP_TYPE) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// A walk over the legs in RTA_MULTIPATH; it ends after the first that is malformed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Legs<'a>(pub &'a [u8]);

impl<'a> Iterator for Legs<'a> {
    type Item = Result<RawLeg<'a>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let (first, rest) = match split(self.0) {
            Ok((first, rest)) => (Ok(first), rest),
            Err(malformed) => (Err(malformed), &[][..]),
        };
        self.0 = rest;
        Some(first)
    }
}

fn split(bytes: &[u8]) -> Result<(RawLeg<'_>, &[u8]), Malformed> {
    let length = usize::from(read_u16(bytes, 0)?);
    let &[_, _, flags, weight] = bytes.first_chunk().ok_or(Malformed)?;
    let interface = InterfaceIndex(read_u32(bytes, 4)?);
    let attributes = Attributes(bytes.get(HEADER..length).ok_or(Malformed)?);
    Ok((RawLeg { flags, interface, weight, attributes }, bytes.get(aligned(length)..).unwrap_or_default()))
}

/// Writes the legs of a route: one as RTA_GATEWAY and RTA_OIF, several as RTA_MULTIPATH with their weights, and with
/// the flags and realms of the template, if that has as many.
pub(super) fn put_legs(body: &mut Vec<u8>, route: &Route) -> Result<(), Refusal> {
    let family = family_of(&route.key.destination);
    match route.legs.as_slice() {
        [] => Err(refusal(libc::EINVAL)),
        [only] => {
            put_gateway(body, family, only);
            put(body, libc::RTA_OIF, &only.interface.0.to_ne_bytes());
            Ok(())
        }
        legs => put_multipath(body, family, legs, &template(route)?),
    }
}

fn put_multipath(
    body: &mut Vec<u8>,
    family: Family,
    legs: &[Leg],
    template: &[RawLeg<'_>],
) -> Result<(), Refusal> {
    let has_pattern = template.len() == legs.len();
    let mut result = Ok(());
    put_with(body, libc::RTA_MULTIPATH, |body| {
        for (position, leg) in legs.iter().enumerate() {
            let pattern = template.get(position).filter(|_| has_pattern);
            result = result.clone().and_then(|()| put_leg(body, family, leg, pattern));
        }
    });
    result
}

fn put_leg(
    body: &mut Vec<u8>,
    family: Family,
    leg: &Leg,
    pattern: Option<&RawLeg<'_>>,
) -> Result<(), Refusal> {
    let start = body.len();
    let flags = pattern.map_or(0, |pattern| pattern.flags & KEPT_LEG_FLAGS);
    let hops = u8::try_from(leg.weight.saturating_sub(1)).unwrap_or(u8::MAX);
    body.extend_from_slice(&[0, 0, flags, hops]);
    body.extend_from_slice(&leg.interface.0.to_ne_bytes());
    put_gateway(body, family, leg);
    for attribute in pattern.map_or(Attributes(&[]), |pattern| pattern.attributes) {
        let attribute = attribute.map_err(|_| refusal(libc::EINVAL))?;
        match attribute.kind {
            RTA_ENCAP | RTA_ENCAP_TYPE => return Err(encapsulation()),
            libc::RTA_GATEWAY | RTA_VIA => {}
            _ => copy(body, &attribute),
        }
    }
    set_length(body, start);
    pad(body);
    Ok(())
}

fn put_gateway(body: &mut Vec<u8>, family: Family, leg: &Leg) {
    match leg.gateway {
        None => {}
        Some(gateway) if Family::of(&gateway) == family => put_address(body, libc::RTA_GATEWAY, gateway),
        Some(gateway) => put_with(body, RTA_VIA, |body| match gateway {
            IpAddr::V4(v4) => {
                body.extend_from_slice(&u16::from(super::family_number(Family::V4)).to_ne_bytes());
                body.extend_from_slice(&v4.octets());
            }
            IpAddr::V6(v6) => {
                body.extend_from_slice(&u16::from(super::family_number(Family::V6)).to_ne_bytes());
                body.extend_from_slice(&v6.octets());
            }
        }),
    }
}

/// The legs of the template; none if it is not a multipath route.
fn template(route: &Route) -> Result<Vec<RawLeg<'_>>, Refusal> {
    for attribute in Attributes(&route.attributes) {
        let attribute = attribute.map_err(|_| refusal(libc::EINVAL))?;
        if attribute.kind == libc::RTA_MULTIPATH {
            return Legs(attribute.payload).collect::<Result<_, _>>().map_err(|_| refusal(libc::EINVAL));
        }
    }
    Ok(Vec::new())
}

/// Length of `rtnexthop`.
const HEADER: usize = 8;

/// RTNH_F_PERVASIVE and RTNH_F_ONLINK.
const KEPT_LEG_FLAGS: u8 = 2 | 4;
