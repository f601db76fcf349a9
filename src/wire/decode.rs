//! Bytes to values.

use std::net::IpAddr;
use std::time::Duration;

use super::encode::{acknowledgement_size, is_allowed};
use super::format::*;
use super::keys::Keys;
use super::{
    BootId, Cookie, Directed, Kind, LanIndex, Level, NodeId, Nonce, Packet, PathReport, Sender, Token,
};
use crate::interface::Family;

/// Why a datagram is no packet. Displayed as a short name, fit for counters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum DecodeError {
    /// Longer than [`MAXIMUM_LENGTH`].
    #[error("too-long")]
    TooLong,
    /// We have keys, and it does not end with a MAC: its sender has none.
    #[error("missing-mac")]
    MissingMac,
    /// Signed with a key that we do not have.
    #[error("unknown-key")]
    UnknownKey,
    /// The MAC is wrong: forged, changed on the way, another secret under the same id, or addresses translated.
    #[error("bad-mac")]
    BadMac,
    /// We have no keys, and it bears a MAC: its sender would not hear us. Refused, so that both ends agree.
    #[error("keyed")]
    Keyed,
    /// Ends before its fixed parts do.
    #[error("truncated")]
    Truncated,
    /// Not of this protocol.
    #[error("bad-magic")]
    BadMagic,
    /// Of a version that we do not speak.
    #[error("unknown-version")]
    UnknownVersion,
    /// Neither INQ nor ACK nor BYE.
    #[error("unknown-kind")]
    UnknownKind,
    /// Its length field disagrees with what arrived.
    #[error("wrong-length")]
    WrongLength,
    /// The sender's node or boot id is 0.
    #[error("zero-id")]
    ZeroId,
    /// An ACK that is to nobody.
    #[error("undirected")]
    Undirected,
    /// An INQ shorter than its ACK may be: answering would amplify.
    #[error("short-inquiry")]
    ShortInquiry,
    /// A TLV reaches past the end, or its value has an impossible length.
    #[error("bad-tlv")]
    BadTlv,
    /// A TLV that may not stand in this kind of datagram, or a second MAC.
    #[error("misplaced")]
    Misplaced,
    /// A TLV twice that may occur once, or a path twice in a report.
    #[error("duplicate")]
    Duplicate,
    /// More reports or addresses than the limits.
    #[error("too-many")]
    TooMany,
    /// A report with an unknown family or level.
    #[error("bad-report")]
    BadReport,
}

/// The packet in a datagram that came from `source` to `destination`, as its IP header said.
///
/// With keys, the MAC is checked (in constant time) before any byte is interpreted; without, a datagram that has one is
/// refused. Costs one HMAC at most, and never more memory than the limits allow.
///
/// # Errors
/// Any departure from faild-protocol(7), except types of TLVs and bits of flags that it leaves to later versions: those
/// are ignored.
pub fn decode(bytes: &[u8], source: IpAddr, destination: IpAddr, keys: &Keys) -> Result<Packet, DecodeError> {
    if bytes.len() > MAXIMUM_LENGTH {
        return Err(DecodeError::TooLong);
    }
    let mut reader = Reader(keys.open(bytes, source, destination)?);
    let header = header(&mut reader, bytes.len())?;
    let directed = if header.directed { Some(directed(&mut reader)?) } else { None };
    let kind = kind(&mut reader, header.kind)?;
    check_kind(kind, directed.is_some(), bytes.len(), keys.is_keyed())?;
    let mut packet =
        Packet { kind, sender: header.sender, directed, reports: None, addresses: None, cookie: None };
    while !reader.0.is_empty() {
        let (tlv, value) = reader.tlv()?;
        if tlv == TLV_MAC {
            // With keys, the one at the end is gone already.
            return Err(if keys.is_keyed() { DecodeError::Misplaced } else { DecodeError::Keyed });
        }
        extend(&mut packet, tlv, value)?;
    }
    Ok(packet)
}

struct Header {
    kind: u8,
    directed: bool,
    sender: Sender,
}

fn header(reader: &mut Reader<'_>, length: usize) -> Result<Header, DecodeError> {
    if reader.u16()? != MAGIC {
        return Err(DecodeError::BadMagic);
    }
    if reader.u8()? != VERSION {
        return Err(DecodeError::UnknownVersion);
    }
    let kind = reader.u8()?;
    let flags = reader.u8()?;
    let lan = LanIndex(reader.u8()?);
    if usize::from(reader.u16()?) != length {
        return Err(DecodeError::WrongLength);
    }
    Ok(Header { kind, directed: flags & FLAG_DIRECTED != 0, sender: sender(reader, flags, lan)? })
}

fn sender(reader: &mut Reader<'_>, flags: u8, lan: LanIndex) -> Result<Sender, DecodeError> {
    let sender = Sender {
        requestor: flags & FLAG_REQUESTOR != 0,
        observer: flags & FLAG_OBSERVER != 0,
        lan,
        node: NodeId(reader.u64()?),
        boot: BootId(reader.u64()?),
        sequence: reader.u32()?,
        interval: reader.microseconds()?,
        nonce: Nonce(reader.u64()?),
        address_generation: reader.u32()?,
        report_generation: reader.u32()?,
    };
    if sender.node.0 == 0 || sender.boot.0 == 0 {
        return Err(DecodeError::ZeroId);
    }
    Ok(sender)
}

fn directed(reader: &mut Reader<'_>) -> Result<Directed, DecodeError> {
    Ok(Directed {
        node: NodeId(reader.u64()?),
        boot: BootId(reader.u64()?),
        address_generation: reader.u32()?,
        report_generation: reader.u32()?,
        token: Token(reader.u64()?),
    })
}

fn kind(reader: &mut Reader<'_>, number: u8) -> Result<Kind, DecodeError> {
    match number {
        KIND_INQUIRY => Ok(Kind::Inquiry),
        KIND_ACKNOWLEDGEMENT => {
            Ok(Kind::Acknowledgement { echo: Nonce(reader.u64()?), held: reader.microseconds()? })
        }
        KIND_GOODBYE => Ok(Kind::Goodbye),
        _ => Err(DecodeError::UnknownKind),
    }
}

fn check_kind(kind: Kind, directed: bool, length: usize, keyed: bool) -> Result<(), DecodeError> {
    match kind {
        Kind::Inquiry if length < acknowledgement_size(0, keyed) => Err(DecodeError::ShortInquiry),
        Kind::Acknowledgement { .. } if !directed => Err(DecodeError::Undirected),
        Kind::Inquiry | Kind::Acknowledgement { .. } | Kind::Goodbye => Ok(()),
    }
}

/// Takes one TLV into the packet; types of later versions are skipped.
fn extend(packet: &mut Packet, tlv: u16, value: &[u8]) -> Result<(), DecodeError> {
    match tlv {
        TLV_REPORT | TLV_ADDRESS | TLV_COOKIE => {
            if packet.directed.is_none() || !is_allowed(tlv, packet.kind) {
                return Err(DecodeError::Misplaced);
            }
            match tlv {
                TLV_REPORT => once(&mut packet.reports, reports(value)?),
                TLV_COOKIE => once(&mut packet.cookie, cookie(value)?),
                _ => add_address(packet.addresses.get_or_insert_default(), value),
            }
        }
        _ => Ok(()),
    }
}

fn once<T>(place: &mut Option<T>, value: T) -> Result<(), DecodeError> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(DecodeError::Duplicate),
    }
}

fn reports(value: &[u8]) -> Result<Vec<PathReport>, DecodeError> {
    let (entries, []) = value.as_chunks::<REPORT_ENTRY>() else { return Err(DecodeError::BadTlv) };
    if entries.len() > MAXIMUM_REPORTS {
        return Err(DecodeError::TooMany);
    }
    let mut reports: Vec<PathReport> = Vec::with_capacity(entries.len());
    for entry in entries {
        let report = report(entry)?;
        if reports.iter().any(|earlier| path(earlier) == path(&report)) {
            return Err(DecodeError::Duplicate);
        }
        reports.push(report);
    }
    Ok(reports)
}

fn path(report: &PathReport) -> (Family, LanIndex, LanIndex) {
    (report.family, report.sender_lan, report.receiver_lan)
}

fn report(entry: &[u8; REPORT_ENTRY]) -> Result<PathReport, DecodeError> {
    let mut reader = Reader(entry);
    let family = family(reader.u8()?)?;
    let sender_lan = LanIndex(reader.u8()?);
    let receiver_lan = LanIndex(reader.u8()?);
    let flags = reader.u8()?;
    let level = level(flags & LEVEL_MASK)?;
    let (ready, moved) = (flags & PATH_READY != 0, flags & PATH_MOVED != 0);
    Ok(PathReport { family, sender_lan, receiver_lan, level, ready, moved, token: Token(reader.u64()?) })
}

fn family(number: u8) -> Result<Family, DecodeError> {
    match number {
        FAMILY_V4 => Ok(Family::V4),
        FAMILY_V6 => Ok(Family::V6),
        _ => Err(DecodeError::BadReport),
    }
}

fn level(bits: u8) -> Result<Level, DecodeError> {
    match bits {
        LEVEL_UNKNOWN => Ok(Level::Unknown),
        LEVEL_UP => Ok(Level::Up),
        LEVEL_DOWN => Ok(Level::Down),
        _ => Err(DecodeError::BadReport),
    }
}

/// An empty value says that the list is given, and adds nothing to it.
fn add_address(addresses: &mut Vec<IpAddr>, value: &[u8]) -> Result<(), DecodeError> {
    if value.is_empty() {
        return Ok(());
    }
    if addresses.len() >= MAXIMUM_ADDRESSES {
        return Err(DecodeError::TooMany);
    }
    let v4 = <[u8; 4]>::try_from(value).map(IpAddr::from);
    let v6 = || <[u8; 16]>::try_from(value).map(IpAddr::from);
    addresses.push(v4.or_else(|_| v6()).map_err(|_| DecodeError::BadTlv)?);
    Ok(())
}

fn cookie(value: &[u8]) -> Result<Cookie, DecodeError> {
    let bytes = <[u8; 8]>::try_from(value).map_err(|_| DecodeError::BadTlv)?;
    Ok(Cookie(u64::from_be_bytes(bytes)))
}

/// The bytes that are still to be read.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let (head, tail) = self.0.split_first_chunk().ok_or(DecodeError::Truncated)?;
        self.0 = tail;
        Ok(*head)
    }

    fn u8(&mut self) -> Result<u8, DecodeError> {
        self.array().map(u8::from_be_bytes)
    }

    fn u16(&mut self) -> Result<u16, DecodeError> {
        self.array().map(u16::from_be_bytes)
    }

    fn u32(&mut self) -> Result<u32, DecodeError> {
        self.array().map(u32::from_be_bytes)
    }

    fn u64(&mut self) -> Result<u64, DecodeError> {
        self.array().map(u64::from_be_bytes)
    }

    fn microseconds(&mut self) -> Result<Duration, DecodeError> {
        self.u32().map(|us| Duration::from_micros(us.into()))
    }

    /// Type and value of the next TLV.
    fn tlv(&mut self) -> Result<(u16, &'a [u8]), DecodeError> {
        let bad = |_| DecodeError::BadTlv;
        let tlv = self.u16().map_err(bad)?;
        let length = self.u16().map_err(bad)?;
        let (value, rest) = self.0.split_at_checked(length.into()).ok_or(DecodeError::BadTlv)?;
        self.0 = rest;
        Ok((tlv, value))
    }
}
