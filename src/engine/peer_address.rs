//! The addresses of a peer on one path: whether each is proven, and where its traffic goes.

use std::net::IpAddr;

use super::NextHop;
use super::path::PathKey;
use crate::time::Instant;

/// Addresses of one peer on one path: far more than anybody has, and together still bounded memory.
pub(super) const MAX_ADDRESSES: usize = 16;

/// What speaks for an address that has not answered yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    /// The peer names it, or somebody who speaks in its name on any LAN.
    Named,
    /// Something has come from it.
    Heard,
    /// It is configured, remembered, or named under a key (rule 3).
    Trusted,
}

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

    /// Whether it is the peer's as far as itself or somebody whom we trust says.
    pub(super) fn is_known(&self) -> bool {
        self.answered.is_some() || self.trusted
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

    /// Makes an entry for an address, if there is room; `named`: what the peer names on the LAN of the path itself.
    pub(super) fn note(&mut self, address: IpAddr, known: Known, named: &[IpAddr]) {
        let trusted = known == Known::Trusted;
        if let Some(record) = self.get_mut(&address) {
            record.trusted |= trusted;
        } else if self.len() < MAX_ADDRESSES || self.make_room(address, known, named) {
            self.insert(PeerAddress::new(address, trusted));
        }
    }

    /// An attacker on another LAN can name as many addresses here as there are places. So what is heard takes the place of
    /// one that has never answered, and what is named here that of one which is named elsewhere.
    fn make_room(&mut self, address: IpAddr, known: Known, named: &[IpAddr]) -> bool {
        let is_only_named = known == Known::Named;
        if is_only_named && !named.contains(&address) {
            return false;
        }
        let idle = self.iter().filter(|a| !a.is_known() && !a.is_detoured());
        let rank = |a: &PeerAddress| (named.contains(&a.address), a.asked.is_none(), a.asked, a.address);
        let least = idle.map(rank).min().filter(|(is_named, ..)| !(is_only_named && *is_named));
        let Some((.., least)) = least else { return false };
        self.retain(|a| a.address != least);
        true
    }

    /// The entry of an address that is not there yet.
    fn insert(&mut self, record: PeerAddress) {
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
