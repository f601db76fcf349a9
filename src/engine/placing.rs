//! Which node is which of the peers in the configuration: the one that was first met at an address of that, or that has
//! answered from one which is known to be its own. An address that is configured for one peer says nothing of another node:
//! who has it could speak in that one's name.
//!
//! Another node takes the place only while the first is absent: its host may have been installed again. Without keys it must
//! also have answered from the peer's addresses on two LANs: whoever invents a node on one LAN would draw there what is sent
//! to the peer on the others. Who has done so takes the place of one that has not, present or absent.

use std::net::IpAddr;

use super::path::UNHEARD;
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

    /// The configured peer that has an address, if no other node keeps this one from being it.
    pub(super) fn free_place(&self, node: NodeId, address: &IpAddr) -> Option<usize> {
        let place = self.config.peers.iter().position(|peer| peer.addresses.contains(address))?;
        let is_shown = self.peer(node).is_some_and(|peer| self.shows(peer, place));
        let keeps = |other: &Peer| {
            let (is_there, shows) = (!other.absent, self.shows(other, place));
            let is_it = other.configured == Some(place) || shows;
            let outdoes = u8::from(is_there) + u8::from(shows) > u8::from(is_shown);
            is_it && if self.keys.is_keyed() { is_there } else { outdoes }
        };
        let mut others = self.all_peers().filter(|other| other.node != node);
        (!others.any(keeps)).then_some(place)
    }

    /// Whether a node speaks from addresses of a configured peer on two LANs, or on the only one that has any, or did so
    /// when it was last there.
    fn shows(&self, peer: &Peer, place: usize) -> bool {
        let addresses = self.config.peers.get(place).map_or(&[][..], |known| known.addresses.as_slice());
        let is_spoken_from = |lan: LanIndex, address: &IpAddr| {
            let is_heard = peer.path_by_address(lan, address).is_some_and(|key| key.peer_lan != UNHEARD);
            is_heard && peer.has_proven(lan, address)
        };
        let on = |is_there: &dyn Fn(LanIndex, &IpAddr) -> bool| {
            self.lans.keys().filter(|lan| addresses.iter().any(|address| is_there(**lan, address))).count()
        };
        let is_on_link =
            |lan: LanIndex, address: &IpAddr| self.lans.get(&lan).is_some_and(|lan| lan.is_on_link(address));
        on(&is_spoken_from) >= on(&is_on_link).clamp(1, 2)
    }

    /// A node has answered from an address.
    pub(super) fn place(&mut self, now: Instant, node: NodeId, lan: LanIndex, address: &IpAddr) {
        let Some(peer) = self.peer(node).filter(|peer| peer.configured.is_none()) else { return };
        let Some(place) = self.free_place(node, address).filter(|_| self.is_own(now, peer, lan, address))
        else {
            return;
        };
        self.take_place(now, node, place);
    }

    /// The same for all addresses that it has answered from: some may be known to be its own only now.
    pub(super) fn place_answered(&mut self, now: Instant, node: NodeId) {
        let Some(peer) = self.peer(node).filter(|peer| peer.configured.is_none()) else { return };
        let all = peer.paths.iter().flat_map(|(key, path)| path.addresses.iter().map(|a| (key.lan, a)));
        let answered: Vec<_> =
            all.filter(|(_, a)| a.answered.is_some()).map(|(lan, a)| (lan, a.address)).collect();
        for (lan, address) in answered {
            self.place(now, node, lan, &address);
        }
    }

    /// The node is this configured peer from here on, and no other is.
    pub(super) fn take_place(&mut self, now: Instant, node: NodeId, place: usize) {
        let had: Vec<NodeId> =
            self.all_peers().filter(|peer| peer.configured == Some(place)).map(|peer| peer.node).collect();
        for other in had {
            self.lose_place(now, other);
        }
        if let Some(peer) = self.peers.get_mut(&node) {
            peer.configured = Some(place);
        }
    }

    /// What was the node's by the configuration alone is its own no more.
    fn lose_place(&mut self, now: Instant, node: NodeId) {
        let Some(peer) = self.peers.get_mut(&node) else { return };
        peer.configured = None;
        for (_, path) in peer.paths.iter_mut().filter(|(key, _)| key.peer_lan == UNHEARD) {
            path.addresses.iter_mut().for_each(|record| record.trusted = false);
        }
        self.update_plan(now, node);
        let Some(peer) = self.peers.get_mut(&node) else { return };
        peer.paths.retain(|key, path| {
            path.addresses.retain(|record| key.peer_lan != UNHEARD || record.is_known());
            key.peer_lan != UNHEARD || !path.addresses.is_empty()
        });
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
        self.nodes().into_iter().for_each(|node| self.place_answered(now, node));
    }
}
