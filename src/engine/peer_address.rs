//! One address of a peer on one path: whether it is proven, and where its traffic goes.

use std::net::IpAddr;

use super::NextHop;
use super::path::PathKey;
use crate::time::Instant;

/// Where the traffic for an address goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Position {
    /// Never decided: what is found in the kernel stays.
    Undecided,
    /// By its own path.
    Home,
    /// By another path of the same peer.
    Detour(PathKey, IpAddr),
}

/// See the module.
#[derive(Debug, Clone)]
pub(super) struct PeerAddress {
    pub(super) address: IpAddr,
    /// When it last answered a nonce of ours that was sent to it (or a broadcast).
    pub(super) answered: Option<Instant>,
    /// When it was last asked by name.
    pub(super) asked: Option<Instant>,
    /// Known without having answered in this run: configured, remembered, or claimed under a key (rule 3).
    pub(super) trusted: bool,
    pub(super) position: Position,
    /// The overlay that stands in the kernel.
    pub(super) applied: Option<NextHop>,
    /// ARP or ND answers in a row while the node runs no faild (rule 8).
    pub(super) neighbour_answers: u32,
    pub(super) neighbour_asked: bool,
    /// Since when the peer no longer names it: it stays until its overlay is lifted.
    pub(super) withdrawn: Option<Instant>,
}

impl PeerAddress {
    pub(super) fn new(address: IpAddr, trusted: bool) -> Self {
        Self {
            address,
            answered: None,
            asked: None,
            trusted,
            position: Position::Undecided,
            applied: None,
            neighbour_answers: 0,
            neighbour_asked: false,
            withdrawn: None,
        }
    }

    pub(super) fn is_detoured(&self) -> bool {
        matches!(self.position, Position::Detour(..)) || self.applied.is_some()
    }
}
