//! What was dropped, and why: counted, never logged one by one, for strangers can send as many as they like.

use std::collections::BTreeMap;
use std::fmt;

use crate::wire::DecodeError;

/// Why a datagram was dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Dropped {
    /// It is no packet.
    Malformed(DecodeError),
    /// It came by an interface that is no LAN.
    NoLan,
    /// Its TTL or hop limit was not 255: it came through a router.
    Routed,
    /// Its source is not on-link there, or is ours.
    ForeignSource,
    /// Our own broadcast came back.
    Own,
    /// It is meant for another node.
    Misdirected,
    /// It waited for longer than an interval before we read it; or an ACK that answers what was asked long ago.
    Stale,
    /// The same INQ again; or one that is behind, which is answered but counts for nothing.
    Replayed,
    /// An ACK whose nonce is not outstanding, or from another address than was asked.
    UnknownNonce,
    /// A responder asks a responder.
    TwoResponders,
    /// More INQs from one peer in a slot than anybody needs.
    TooManyInquiries,
    /// More strangers than the LAN's budget.
    TooManyStrangers,
    /// The table of peers is full.
    TableFull,
    /// From a run of the peer that is not the current one.
    OtherBoot,
    /// By the second of two interfaces on one LAN.
    JoinedLan,
}

impl fmt::Display for Dropped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Dropped::Malformed(error) => return error.fmt(f),
            Dropped::NoLan => "not-a-lan",
            Dropped::Routed => "routed",
            Dropped::ForeignSource => "foreign-source",
            Dropped::Own => "own",
            Dropped::Misdirected => "misdirected",
            Dropped::Stale => "stale",
            Dropped::Replayed => "replayed",
            Dropped::UnknownNonce => "unknown-nonce",
            Dropped::TwoResponders => "two-responders",
            Dropped::TooManyInquiries => "too-many-inqs",
            Dropped::TooManyStrangers => "too-many-strangers",
            Dropped::TableFull => "table-full",
            Dropped::OtherBoot => "other-boot",
            Dropped::JoinedLan => "bridged-lan",
        })
    }
}

/// Counts by reason.
#[derive(Debug, Clone, Default)]
pub(super) struct Counters {
    pub(super) dropped: BTreeMap<Dropped, u64>,
    pub(super) received: u64,
    pub(super) sent: u64,
}

impl Counters {
    pub(super) fn drop(&mut self, reason: Dropped) {
        *self.dropped.entry(reason).or_default() += 1;
    }
}
