//! The addresses of a peer on one path: whether each is proven, and where its traffic goes.

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
    /// Named as the peer's over another LAN since it is known: an attacker on its own LAN cannot have invented it.
    pub(super) vouched: bool,
    pub(super) position: Position,
    /// The overlay that stands in the kernel; boxed, because most have none.
    pub(super) applied: Option<Box<NextHop>>,
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
            vouched: false,
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

/// The addresses of a peer on a path, in order: one or two, where a node of a tree has room for eleven. With a thousand
/// peers that is half a megabyte.
#[derive(Debug, Clone, Default)]
pub(super) struct PeerAddresses(Vec<PeerAddress>);

impl PeerAddresses {
    pub(super) fn get(&self, address: &IpAddr) -> Option<&PeerAddress> {
        self.0.iter().find(|record| record.address == *address)
    }

    pub(super) fn get_mut(&mut self, address: &IpAddr) -> Option<&mut PeerAddress> {
        self.0.iter_mut().find(|record| record.address == *address)
    }

    pub(super) fn contains(&self, address: &IpAddr) -> bool {
        self.get(address).is_some()
    }

    /// The entry of an address that is not there yet.
    pub(super) fn insert(&mut self, record: PeerAddress) {
        let place = self.0.partition_point(|other| other.address < record.address);
        self.0.reserve_exact(1);
        self.0.insert(place, record);
    }

    pub(super) fn retain(&mut self, is_kept: impl FnMut(&PeerAddress) -> bool) {
        self.0.retain(is_kept);
    }

    pub(super) fn iter(&self) -> std::slice::Iter<'_, PeerAddress> {
        self.0.iter()
    }

    pub(super) fn iter_mut(&mut self) -> std::slice::IterMut<'_, PeerAddress> {
        self.0.iter_mut()
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
