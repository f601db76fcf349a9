//! Netlink attributes: a walk over bytes that others wrote, and the writing of our own.
//!
//! The walk keeps unknown attributes as bytes and fails only on lengths that do not fit, so that no message is lost
//! for an attribute that a newer kernel added.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The bytes do not hold what their lengths promise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("malformed netlink message")]
pub(super) struct Malformed;

/// One attribute.
#[derive(Debug, Clone, Copy)]
pub(super) struct Attribute<'a> {
    /// The type, without NLA_F_NESTED and NLA_F_NET_BYTEORDER.
    pub kind: u16,
    /// What it holds.
    pub payload: &'a [u8],
    /// The whole of it, header included, without the padding behind it.
    pub raw: &'a [u8],
}

impl<'a> Attribute<'a> {
    /// A number in the host's byte order; more bytes may follow it.
    pub(super) fn u32(&self) -> Result<u32, Malformed> {
        read_u32(self.payload, 0)
    }

    /// One byte.
    pub(super) fn u8(&self) -> Result<u8, Malformed> {
        self.payload.first().copied().ok_or(Malformed)
    }

    /// An address; its family follows from its length.
    pub(super) fn address(&self) -> Result<IpAddr, Malformed> {
        address_from(self.payload)
    }

    /// RTA_VIA: a family and an address of that family.
    pub(super) fn via(&self) -> Result<IpAddr, Malformed> {
        address_from(self.payload.get(2..).ok_or(Malformed)?)
    }

    /// A string that ends at its first zero byte.
    pub(super) fn text(&self) -> String {
        let end = self.payload.iter().position(|byte| *byte == 0).unwrap_or(self.payload.len());
        String::from_utf8_lossy(&self.payload[..end]).into_owned()
    }

    /// The attributes inside it.
    pub(super) fn nested(&self) -> Attributes<'a> {
        Attributes(self.payload)
    }
}

/// A walk over attributes; it ends after the first that is malformed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Attributes<'a>(pub &'a [u8]);

impl<'a> Iterator for Attributes<'a> {
    type Item = Result<Attribute<'a>, Malformed>;

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

/// The first attribute, and what stands behind it and its padding.
fn split(bytes: &[u8]) -> Result<(Attribute<'_>, &[u8]), Malformed> {
    let length = usize::from(read_u16(bytes, 0)?);
    let kind = read_u16(bytes, 2)? & TYPE_MASK;
    let raw = bytes.get(..length).ok_or(Malformed)?;
    let payload = raw.get(HEADER..).ok_or(Malformed)?;
    Ok((Attribute { kind, payload, raw }, bytes.get(aligned(length)..).unwrap_or_default()))
}

/// A number in the host's byte order.
pub(super) fn read_u16(bytes: &[u8], at: usize) -> Result<u16, Malformed> {
    let found = bytes.get(at..).and_then(<[u8]>::first_chunk);
    found.map(|number| u16::from_ne_bytes(*number)).ok_or(Malformed)
}

/// A number in the host's byte order.
pub(super) fn read_u32(bytes: &[u8], at: usize) -> Result<u32, Malformed> {
    let found = bytes.get(at..).and_then(<[u8]>::first_chunk);
    found.map(|number| u32::from_ne_bytes(*number)).ok_or(Malformed)
}

fn address_from(bytes: &[u8]) -> Result<IpAddr, Malformed> {
    if let Ok(octets) = <[u8; 4]>::try_from(bytes) {
        return Ok(Ipv4Addr::from(octets).into());
    }
    <[u8; 16]>::try_from(bytes).map(|octets| Ipv6Addr::from(octets).into()).map_err(|_| Malformed)
}

/// Appends an attribute with its padding.
pub(super) fn put(out: &mut Vec<u8>, kind: u16, payload: &[u8]) {
    put_with(out, kind, |out| out.extend_from_slice(payload));
}

/// Appends an attribute that holds an address.
pub(super) fn put_address(out: &mut Vec<u8>, kind: u16, address: IpAddr) {
    match address {
        IpAddr::V4(v4) => put(out, kind, &v4.octets()),
        IpAddr::V6(v6) => put(out, kind, &v6.octets()),
    }
}

/// Appends an attribute as it stood, flags of its type included.
pub(super) fn copy(out: &mut Vec<u8>, attribute: &Attribute<'_>) {
    out.extend_from_slice(attribute.raw);
    pad(out);
}

/// Appends an attribute whose payload `fill` writes.
pub(super) fn put_with(out: &mut Vec<u8>, kind: u16, fill: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend_from_slice(&[0; 2]);
    out.extend_from_slice(&kind.to_ne_bytes());
    fill(out);
    set_length(out, start);
    pad(out);
}

/// Writes the length of what stands from `start` to the end into its first two bytes.
pub(super) fn set_length(out: &mut [u8], start: usize) {
    // Nothing that we write comes near 64 KiB: the kernel's own attributes, which are copied, have the same limit.
    let length = u16::try_from(out.len() - start).unwrap_or(u16::MAX);
    out[start..start + 2].copy_from_slice(&length.to_ne_bytes());
}

/// Appends zeros up to the next multiple of four.
pub(super) fn pad(out: &mut Vec<u8>) {
    out.resize(aligned(out.len()), 0);
}

/// The next multiple of four.
pub(super) const fn aligned(length: usize) -> usize {
    length.next_multiple_of(4)
}

// linux/rtnetlink.h, as far as the C library of musl does not have it.
pub(super) const RTA_VIA: u16 = 18;
pub(super) const RTA_ENCAP_TYPE: u16 = 21;
pub(super) const RTA_ENCAP: u16 = 22;
pub(super) const RTA_EXPIRES: u16 = 23;

/// Length of an attribute's header: length and type.
const HEADER: usize = 4;

/// NLA_TYPE_MASK: all but NLA_F_NESTED and NLA_F_NET_BYTEORDER.
const TYPE_MASK: u16 = 0x3fff;
