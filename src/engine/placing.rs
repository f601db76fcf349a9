//! Which node is which of the peers in the configuration: the one that was first met at an address of that, or that has
//! answered from one which is known to be its own. An address that is configured for one peer says nothing of another node:
//! who has it could speak in that one's name.
//!
//! Another node takes the place only while the first is absent: its host may have been installed again.

use std::net::IpAddr;

use super::{Engine, Peer};
use crate::config::Config;
use crate::time::Instant;
use crate::wire::{LanIndex, NodeId};

impl Engine {
    /// Whether an address is configured, for whichever peer: it is asked by unicast then.
    pub(super) fn is_configured(&self, address: &IpAddr) -> bool {
        self.config.peers.iter().any(|peer| peer.addresses.contains(address))
    }

    /// Whether an address is configured for the peer that this node is.
    pub(super) fn is_configured_as(&self, peer: &Peer, address: &IpAddr) -> bool {
        let known = peer.configured.and_then(|n| self.config.peers.get(n));
        known.is_some_and(|known| known.addresses.contains(address))
    }

    /// The configured peer that has an address, if no node that is present is that one.
    pub(super) fn free_place(&self, address: &IpAddr) -> Option<usize> {
        let place = self.config.peers.iter().position(|peer| peer.addresses.contains(address));
        place.filter(|n| !self.all_peers().any(|peer| peer.configured == Some(*n) && !peer.absent))
    }

    /// A node has answered from an address.
    pub(super) fn place(&mut self, now: Instant, node: NodeId, lan: LanIndex, address: &IpAddr) {
        let Some(peer) = self.peer(node).filter(|peer| peer.configured.is_none()) else { return };
        let Some(place) = self.free_place(address).filter(|_| self.is_own(now, peer, lan, address)) else {
            return;
        };
        if let Some(peer) = self.peers.get_mut(&node) {
            peer.configured = Some(place);
        }
    }

    /// Other peers are configured: a node keeps its place if that is still there and has an address which it answers from.
    pub(super) fn place_anew(&mut self, now: Instant, before: &Config) {
        let peers = &self.config.peers;
        for peer in self.peers.values_mut() {
            let answered = |address: &IpAddr| {
                peer.paths.values().any(|p| p.addresses.get(address).is_some_and(|a| a.answered.is_some()))
            };
            let name = peer.configured.and_then(|n| before.peers.get(n)).map(|known| &known.name);
            peer.configured = peers
                .iter()
                .position(|known| Some(&known.name) == name && known.addresses.iter().any(answered));
        }
        let answered: Vec<(NodeId, LanIndex, IpAddr)> = self
            .all_peers()
            .flat_map(|peer| peer.paths.iter().map(move |(key, path)| (peer.node, key.lan, path)))
            .flat_map(|(node, lan, path)| path.addresses.iter().map(move |a| (node, lan, a)))
            .filter(|(.., a)| a.answered.is_some())
            .map(|(node, lan, a)| (node, lan, a.address))
            .collect();
        for (node, lan, address) in answered {
            self.place(now, node, lan, &address);
        }
    }
}
