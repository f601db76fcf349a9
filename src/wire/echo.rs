//! ICMP and ICMPv6 echo with the IP header around it (RFC 791, RFC 792, RFC 8200, RFC 4443): bytes and values, nothing
//! else. Packet sockets take and give whole IP packets, so that both checksums are made and checked here.
//!
//! ```text
//! IPv4 20 | ICMP 8   | mark 8 | token 8        IPv6 40 | ICMPv6 8 | mark 8 | token 8
//! ```
//!
//! What comes from the network may be anything. Fragments, IPv6 extension headers and other people's echoes are no
//! answers to us.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// An echo, be it the request or the reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Echo {
    /// Who sends it.
    pub source: IpAddr,
    /// To whom, of the same family.
    pub destination: IpAddr,
    /// TTL or hop limit.
    pub hop_limit: u8,
    /// Whose echoes they are.
    pub identifier: u16,
    /// For people who look at packets.
    pub sequence: u16,
    /// Comes back as it was sent; nobody can guess it.
    pub token: u64,
}

impl Echo {
    /// The packet that asks; `None` if the addresses are of two families.
    pub fn encode(&self) -> Option<Vec<u8>> {
        match (self.source, self.destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                let message = self.message(REQUEST_V4, 0);
                let mut packet = header_v4(source, destination, self.hop_limit).to_vec();
                packet.extend(message);
                Some(packet)
            }
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                let message = self.message(REQUEST_V6, pseudo_header(source, destination));
                let mut packet = header_v6(source, destination, self.hop_limit).to_vec();
                packet.extend(message);
                Some(packet)
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => None,
        }
    }

    /// The reply in an IP packet; `None` if it is anything else, or damaged, or not to one of our echoes. There may be
    /// padding behind it.
    pub fn decode_reply(packet: &[u8]) -> Option<Self> {
        match packet.first()? >> 4 {
            4 => decode_v4(packet),
            6 => decode_v6(packet),
            _ => None,
        }
    }

    fn message(&self, kind: u8, sum: u64) -> [u8; MESSAGE] {
        let mut message = [0; MESSAGE];
        message[0] = kind;
        message[4..6].copy_from_slice(&self.identifier.to_be_bytes());
        message[6..8].copy_from_slice(&self.sequence.to_be_bytes());
        message[8..16].copy_from_slice(&MARK);
        message[16..].copy_from_slice(&self.token.to_be_bytes());
        let checksum = checksum(sum, &message);
        message[2..4].copy_from_slice(&checksum.to_be_bytes());
        message
    }
}

/// No fragment, DSCP CS6 as all that faild sends, and no identification: a packet that must not be fragmented needs
/// none (RFC 6864).
fn header_v4(source: Ipv4Addr, destination: Ipv4Addr, hop_limit: u8) -> [u8; HEADER_V4] {
    let mut header = [0; HEADER_V4];
    header[0] = 0x45;
    header[1] = CLASS_SELECTOR_6;
    header[2..4].copy_from_slice(&TOTAL_V4.to_be_bytes());
    header[6..8].copy_from_slice(&DO_NOT_FRAGMENT.to_be_bytes());
    header[8] = hop_limit;
    header[9] = ICMP;
    header[12..16].copy_from_slice(&source.octets());
    header[16..].copy_from_slice(&destination.octets());
    let checksum = checksum(0, &header);
    header[10..12].copy_from_slice(&checksum.to_be_bytes());
    header
}

fn header_v6(source: Ipv6Addr, destination: Ipv6Addr, hop_limit: u8) -> [u8; HEADER_V6] {
    let mut header = [0; HEADER_V6];
    header[0] = 0x60 | CLASS_SELECTOR_6 >> 4;
    header[1] = CLASS_SELECTOR_6 << 4;
    header[4..6].copy_from_slice(&PAYLOAD_V6.to_be_bytes());
    header[6] = ICMPV6;
    header[7] = hop_limit;
    header[8..24].copy_from_slice(&source.octets());
    header[24..].copy_from_slice(&destination.octets());
    header
}

fn decode_v4(packet: &[u8]) -> Option<Echo> {
    let fixed: &[u8; HEADER_V4] = packet.first_chunk()?;
    let length = usize::from(fixed[0] & 0x0f) * 4;
    let (header, _) = packet.split_at_checked(length).filter(|_| length >= HEADER_V4)?;
    let message = packet.get(length..usize::from(half_word(fixed, 2)?))?;
    let is_whole = half_word(fixed, 6)? & FRAGMENT == 0;
    if !is_whole || fixed[9] != ICMP || checksum(0, header) != 0 {
        return None;
    }
    let source = Ipv4Addr::from(u32::from_be_bytes(*fixed[12..].first_chunk()?));
    let destination = Ipv4Addr::from(u32::from_be_bytes(*fixed[16..].first_chunk()?));
    decode_message(message, REPLY_V4, 0, (source.into(), destination.into()), fixed[8])
}

fn decode_v6(packet: &[u8]) -> Option<Echo> {
    let header: &[u8; HEADER_V6] = packet.first_chunk()?;
    let length = usize::from(half_word(header, 4)?);
    let message = packet.get(HEADER_V6..HEADER_V6 + length)?;
    if header[6] != ICMPV6 {
        return None;
    }
    let source = Ipv6Addr::from(*header[8..].first_chunk::<16>()?);
    let destination = Ipv6Addr::from(*header[24..].first_chunk::<16>()?);
    let sum = pseudo_header(source, destination);
    decode_message(message, REPLY_V6, sum, (source.into(), destination.into()), header[7])
}

fn decode_message(
    message: &[u8],
    kind: u8,
    sum: u64,
    (source, destination): (IpAddr, IpAddr),
    hop_limit: u8,
) -> Option<Echo> {
    let message: &[u8; MESSAGE] = message.try_into().ok()?;
    if message[..2] != [kind, 0] || message[8..16] != MARK || checksum(sum, message) != 0 {
        return None;
    }
    Some(Echo {
        source,
        destination,
        hop_limit,
        identifier: half_word(message, 4)?,
        sequence: half_word(message, 6)?,
        token: u64::from_be_bytes(*message[16..].first_chunk()?),
    })
}

fn half_word(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().map(|bytes| u16::from_be_bytes(*bytes))
}

/// What of an IPv6 header the checksum covers (RFC 8200 section 8.1).
fn pseudo_header(source: Ipv6Addr, destination: Ipv6Addr) -> u64 {
    let addresses = words(&source.octets()) + words(&destination.octets());
    addresses + u64::from(PAYLOAD_V6) + u64::from(ICMPV6)
}

/// The Internet checksum (RFC 1071) of bytes that go on from `sum`; 0 over bytes that bear theirs and are sound.
fn checksum(sum: u64, bytes: &[u8]) -> u16 {
    let mut sum = sum + words(bytes);
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap_or(0)
}

fn words(bytes: &[u8]) -> u64 {
    let word = |pair: &[u8]| match pair {
        [high, low] => u16::from_be_bytes([*high, *low]),
        [high] => u16::from_be_bytes([*high, 0]),
        _ => 0,
    };
    bytes.chunks(2).map(|pair| u64::from(word(pair))).sum()
}

/// The first bytes of the payload: tells people whose echo it is, and us that it is one of ours.
const MARK: [u8; 8] = *b"faild\0\0\x01";

/// Length of ICMP header and payload.
const MESSAGE: usize = 24;

const HEADER_V4: usize = 20;
const HEADER_V6: usize = 40;

/// Total length of an IPv4 packet, payload length of an IPv6 one.
const TOTAL_V4: u16 = 44;
const PAYLOAD_V6: u16 = 24;

/// More fragments, or an offset.
const FRAGMENT: u16 = 0x3fff;
const DO_NOT_FRAGMENT: u16 = 0x4000;

/// DSCP CS6, network control (RFC 2474 section 4.2.2.2).
const CLASS_SELECTOR_6: u8 = 0xc0;

const ICMP: u8 = 1;
const ICMPV6: u8 = 58;

const REQUEST_V4: u8 = 8;
pub(crate) const REPLY_V4: u8 = 0;
const REQUEST_V6: u8 = 128;
pub(crate) const REPLY_V6: u8 = 129;

#[cfg(test)]
pub(crate) mod tests;
