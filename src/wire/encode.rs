//! Values to bytes.

use std::net::IpAddr;
use std::time::Duration;

use super::format::*;
use super::keys::Keys;
use super::{Directed, Kind, Level, Packet, PathReport, Sender};
use crate::interface::Family;

/// How a datagram is closed: between which addresses it travels, under which keys, and how long it may be.
#[derive(Debug, Clone, Copy)]
pub struct Sealing<'a> {
    keys: &'a Keys,
    source: IpAddr,
    destination: IpAddr,
    paths: usize,
    at_most: usize,
}

impl<'a> Sealing<'a> {
    /// For a datagram from `source` to `destination`, exactly as its IP header will say (a broadcast address is what
    /// it is sent to, not whom it reaches).
    pub fn new(keys: &'a Keys, source: IpAddr, destination: IpAddr) -> Self {
        Self { keys, source, destination, paths: 0, at_most: MAXIMUM_LENGTH }
    }

    /// Pads an INQ so that its answer has room for the reports of this many paths: one for each of the sender's LANs
    /// and families, up to [`MAXIMUM_REPORTS`]. Other kinds are not padded.
    #[must_use]
    pub fn with_room_for(self, paths: usize) -> Self {
        Self { paths: paths.min(MAXIMUM_REPORTS), ..self }
    }

    /// Keeps an ACK no longer than the INQ of `length` bytes that it answers: of its reports, the last ones that do
    /// not fit are left out.
    #[must_use]
    pub fn answering(self, length: usize) -> Self {
        Self { at_most: length.min(MAXIMUM_LENGTH), ..self }
    }
}

/// Length in bytes of the longest ACK, with a cookie, that tells of `paths` paths (up to [`MAXIMUM_REPORTS`]). An INQ
/// is never shorter than what it asks for.
pub const fn acknowledgement_size(paths: usize, keyed: bool) -> usize {
    let paths = if paths > MAXIMUM_REPORTS { MAXIMUM_REPORTS } else { paths };
    let mac = if keyed { MAC } else { 0 };
    HEADER + DIRECTED + ECHO + TLV_HEADER + REPORT_ENTRY * paths + COOKIE + mac
}

/// How many of these addresses, from the first, one datagram holds whatever else is in it: at least 34, at most
/// [`MAXIMUM_ADDRESSES`].
pub fn fitting_addresses(addresses: &[IpAddr]) -> usize {
    fitting(addresses, MAXIMUM_LENGTH - (acknowledgement_size(MAXIMUM_REPORTS, true) - ECHO))
}

/// How many of these addresses, from the first, take no more than `room` bytes.
fn fitting(addresses: &[IpAddr], room: usize) -> usize {
    let sizes = addresses.iter().take(MAXIMUM_ADDRESSES).map(address_size);
    let ends = sizes.scan(0, |end, size| {
        *end += size;
        Some(*end)
    });
    ends.take_while(|end| *end <= room).count()
}

/// The datagram of a packet, at most [`MAXIMUM_LENGTH`] bytes; [`super::decode`] gives the packet back.
///
/// What does not belong into its kind (faild-protocol(7)), reports past the limits of `sealing` and addresses that do
/// not fit ([`fitting_addresses`] always do) are left out; times beyond 32 bit of microseconds become the longest.
pub fn encode(packet: &Packet, sealing: &Sealing<'_>) -> Vec<u8> {
    let mac = sealing.keys.overhead();
    let mut out = Vec::with_capacity(acknowledgement_size(sealing.paths, sealing.keys.is_keyed()));
    put_header(&mut out, packet);
    put_fixed(&mut out, packet);
    put_extensions(&mut out, packet, sealing.at_most.saturating_sub(mac));
    if packet.kind == Kind::Inquiry {
        let paths = packet.reports.as_ref().map_or(0, Vec::len).max(sealing.paths);
        put_padding(&mut out, acknowledgement_size(paths, false));
    }
    let length = u16::try_from(out.len() + mac).unwrap_or(u16::MAX);
    out[LENGTH_OFFSET..LENGTH_OFFSET + 2].copy_from_slice(&length.to_be_bytes());
    sealing.keys.seal(&mut out, sealing.source, sealing.destination);
    debug_assert!(out.len() <= MAXIMUM_LENGTH, "{} bytes: {packet}", out.len());
    out
}

fn put_header(out: &mut Vec<u8>, packet: &Packet) {
    let Sender { lan, node, boot, sequence, interval, nonce, address_generation, report_generation, .. } =
        &packet.sender;
    out.extend(MAGIC.to_be_bytes());
    out.extend([VERSION, kind_number(packet.kind), flags(packet), lan.0, 0, 0]);
    out.extend(node.0.to_be_bytes());
    out.extend(boot.0.to_be_bytes());
    out.extend(sequence.to_be_bytes());
    out.extend(microseconds(*interval).to_be_bytes());
    out.extend(nonce.0.to_be_bytes());
    out.extend(address_generation.to_be_bytes());
    out.extend(report_generation.to_be_bytes());
}

const fn kind_number(kind: Kind) -> u8 {
    match kind {
        Kind::Inquiry => KIND_INQUIRY,
        Kind::Acknowledgement { .. } => KIND_ACKNOWLEDGEMENT,
        Kind::Goodbye => KIND_GOODBYE,
    }
}

fn flags(packet: &Packet) -> u8 {
    let bit = |set: bool, flag: u8| if set { flag } else { 0 };
    bit(packet.sender.requestor, FLAG_REQUESTOR)
        | bit(packet.sender.observer, FLAG_OBSERVER)
        | bit(packet.directed.is_some(), FLAG_DIRECTED)
}

/// The parts that the header announces: the receiver by a flag, the echo by the kind.
fn put_fixed(out: &mut Vec<u8>, packet: &Packet) {
    if let Some(Directed { node, boot, address_generation, report_generation, token }) = &packet.directed {
        out.extend(node.0.to_be_bytes());
        out.extend(boot.0.to_be_bytes());
        out.extend(address_generation.to_be_bytes());
        out.extend(report_generation.to_be_bytes());
        out.extend(token.0.to_be_bytes());
    }
    if let Kind::Acknowledgement { echo, held } = packet.kind {
        out.extend(echo.0.to_be_bytes());
        out.extend(microseconds(held).to_be_bytes());
    }
}

/// Everything that is optional, in no more than `limit` bytes from the start of the datagram.
fn put_extensions(out: &mut Vec<u8>, packet: &Packet, limit: usize) {
    if let Some(cookie) = packet.cookie.filter(|_| belongs(packet, TLV_COOKIE)) {
        put_tlv(out, TLV_COOKIE, &cookie.0.to_be_bytes());
    }
    if let Some(reports) = packet.reports.as_ref().filter(|_| belongs(packet, TLV_REPORT)) {
        let room = limit.saturating_sub(out.len() + TLV_HEADER) / REPORT_ENTRY;
        put_reports(out, &reports[..reports.len().min(room).min(MAXIMUM_REPORTS)]);
    }
    if let Some(addresses) = packet.addresses.as_ref().filter(|_| belongs(packet, TLV_ADDRESS)) {
        let room = limit.saturating_sub(out.len());
        put_addresses(out, &addresses[..fitting(addresses, room)]);
    }
}

/// Whether the packet may bear a TLV of this type; the engine should not have asked for it otherwise.
fn belongs(packet: &Packet, tlv: u16) -> bool {
    let allowed = packet.directed.is_some() && is_allowed(tlv, packet.kind);
    debug_assert!(allowed, "type {tlv} in {packet}");
    allowed
}

/// Whether a TLV that is about sender and receiver may stand in a directed datagram of this kind.
pub(super) const fn is_allowed(tlv: u16, kind: Kind) -> bool {
    match kind {
        Kind::Inquiry => true,
        Kind::Acknowledgement { .. } => tlv != TLV_ADDRESS,
        Kind::Goodbye => false,
    }
}

fn put_reports(out: &mut Vec<u8>, reports: &[PathReport]) {
    put_tlv_header(out, TLV_REPORT, reports.len() * REPORT_ENTRY);
    for report in reports {
        out.extend([
            family_number(report.family),
            report.sender_lan.0,
            report.receiver_lan.0,
            path_flags(report),
        ]);
        out.extend(report.token.0.to_be_bytes());
    }
}

const fn family_number(family: Family) -> u8 {
    match family {
        Family::V4 => FAMILY_V4,
        Family::V6 => FAMILY_V6,
    }
}

const fn path_flags(report: &PathReport) -> u8 {
    let level = match report.level {
        Level::Unknown => LEVEL_UNKNOWN,
        Level::Up => LEVEL_UP,
        Level::Down => LEVEL_DOWN,
    };
    let ready = if report.ready { PATH_READY } else { 0 };
    let moved = if report.moved { PATH_MOVED } else { 0 };
    level | ready | moved
}

/// An address each, or an empty one to say that there are none.
fn put_addresses(out: &mut Vec<u8>, addresses: &[IpAddr]) {
    if addresses.is_empty() {
        put_tlv(out, TLV_ADDRESS, &[]);
    }
    for address in addresses {
        match address {
            IpAddr::V4(v4) => put_tlv(out, TLV_ADDRESS, &v4.octets()),
            IpAddr::V6(v6) => put_tlv(out, TLV_ADDRESS, &v6.octets()),
        }
    }
}

fn address_size(address: &IpAddr) -> usize {
    TLV_HEADER
        + match address {
            IpAddr::V4(_) => 4,
            IpAddr::V6(_) => 16,
        }
}

/// Zeros up to `size` bytes, or up to three more: padding is a TLV and has a header.
fn put_padding(out: &mut Vec<u8>, size: usize) {
    if out.len() < size {
        let value = (size - out.len()).saturating_sub(TLV_HEADER);
        put_tlv_header(out, TLV_PADDING, value);
        out.resize(out.len() + value, 0);
    }
}

fn put_tlv(out: &mut Vec<u8>, tlv: u16, value: &[u8]) {
    put_tlv_header(out, tlv, value.len());
    out.extend(value);
}

fn put_tlv_header(out: &mut Vec<u8>, tlv: u16, length: usize) {
    out.extend(tlv.to_be_bytes());
    out.extend(u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes());
}

fn microseconds(duration: Duration) -> u32 {
    u32::try_from(duration.as_micros()).unwrap_or(u32::MAX)
}
