//! The numbers of the format, as the tables of faild-protocol(7) give them.

/// Longest datagram in bytes. Fits the smallest MTU of IPv6 (1280) with its headers, so none is ever fragmented.
pub const MAXIMUM_LENGTH: usize = 1200;

/// Most paths that one report tells of: four LANs of one end by four of the other, in both families.
pub const MAXIMUM_REPORTS: usize = 32;

/// Most addresses in one datagram: 16 for each of four LANs. More than 34 of IPv6 do not fit beside a full report.
pub const MAXIMUM_ADDRESSES: usize = 64;

pub(super) const MAGIC: u16 = 0xFA1D;
pub(super) const VERSION: u8 = 1;

pub(super) const KIND_INQUIRY: u8 = 1;
pub(super) const KIND_ACKNOWLEDGEMENT: u8 = 2;
pub(super) const KIND_GOODBYE: u8 = 3;

pub(super) const FLAG_REQUESTOR: u8 = 0x01;
pub(super) const FLAG_OBSERVER: u8 = 0x02;
pub(super) const FLAG_DIRECTED: u8 = 0x04;

pub(super) const TLV_PADDING: u16 = 0;
pub(super) const TLV_REPORT: u16 = 1;
pub(super) const TLV_ADDRESS: u16 = 2;
pub(super) const TLV_COOKIE: u16 = 3;
pub(super) const TLV_MAC: u16 = 4;

pub(super) const FAMILY_V4: u8 = 4;
pub(super) const FAMILY_V6: u8 = 6;

pub(super) const LEVEL_MASK: u8 = 0x03;
pub(super) const LEVEL_UNKNOWN: u8 = 0;
pub(super) const LEVEL_UP: u8 = 1;
pub(super) const LEVEL_DOWN: u8 = 2;
pub(super) const PATH_READY: u8 = 0x04;
pub(super) const PATH_MOVED: u8 = 0x08;

/// Where the total length stands in the header.
pub(super) const LENGTH_OFFSET: usize = 6;

pub(super) const HEADER: usize = 48;
pub(super) const DIRECTED: usize = 32;
pub(super) const ECHO: usize = 12;
pub(super) const TLV_HEADER: usize = 4;
pub(super) const REPORT_ENTRY: usize = 12;
pub(super) const COOKIE: usize = TLV_HEADER + 8;

/// The HMAC-SHA256 itself.
pub(super) const TAG: usize = 32;
/// The whole MAC TLV: header, key id, tag.
pub(super) const MAC: usize = TLV_HEADER + 4 + TAG;
/// Type and length of the MAC TLV, which stand at a fixed place before the end.
pub(super) const MAC_HEADER: [u8; TLV_HEADER] = [0, 4, 0, 36];
