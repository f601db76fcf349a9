//! What counts as an address of a node: rule 4 of faild-protocol(7), and what is known before it was ever proven (3).

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::notice::Notice;
use super::path::{Path, PathKey, UNHEARD, is_link_local};
use super::peer_address::{Known, PeerAddress, Position};
use super::report::is_older;
use super::{Engine, Peer};
use crate::gather::Gather;
use crate::interface::Family;
use crate::time::Instant;
use crate::wire::{Level, NodeId, PathReport};

/// A list this long may have been cut: what is missing from it is not withdrawn.
pub(super) const COMPLETE_LIST: usize = 34;

impl Engine {
    /// A peer's list of all its addresses, come over one path.
    pub(super) fn take_list(
        &mut self,
        now: Instant,
        node: NodeId,
        via: PathKey,
        generation: u32,
        list: &[IpAddr],
    ) {
        let Some(path) = self.path_mut(node, via) else { return };
        path.on_list_offered(generation, false);
        if is_older(generation, path.offered_generation) {
            return;
        }
        path.claims_generation = generation;
        if path.claims != list {
            path.claims = list.to_vec();
            self.index_claims(node);
        }
        if let Some(peer) = self.peers.get_mut(&node) {
            peer.ties.on_list(via);
        }
        // What the same list named before may have been withdrawn since, by what was said elsewhere.
        self.mark_withdrawn(now, node);
        self.note_claimed(now, node);
        self.vouch(now, node);
        self.place_answered(now, node);
    }

    /// A sender whose report shows a token that the peer was handed on another path is the peer. So that path and the
    /// address it sends from belong together, even if the path died before it could name the address.
    pub(super) fn note_ties(
        &mut self,
        node: NodeId,
        via: PathKey,
        source: IpAddr,
        reports: Option<&Vec<PathReport>>,
    ) {
        let Some(peer) = self.peers.get_mut(&node) else { return };
        for report in reports.into_iter().flatten() {
            let key =
                PathKey { lan: report.receiver_lan, family: report.family, peer_lan: report.sender_lan };
            let Some(path) = peer.paths.get_mut(&key).filter(|path| path.knows_token(report.token)) else {
                continue;
            };
            // On its own LAN anybody may be told it.
            if key.lan != via.lan {
                path.on_token_shown(report.token);
            }
            if key != via && !path.claims.contains(&source) {
                peer.ties.note(key, via.lan, source);
            }
        }
    }

    /// What a peer said last of its addresses over the paths by which it is heard: what it said over one that has died
    /// since may have changed. A path whose counts began again has missed nothing, and may not have been heard for long.
    /// What its last run said counts until the new one has had time to say it again.
    pub(super) fn voices<'a>(
        &'a self,
        now: Instant,
        peer: &'a Peer,
    ) -> impl Iterator<Item = (PathKey, &'a Path)> {
        let window = self.silence_of(peer);
        let is_kept = peer.is_doubtful(now, window);
        let speaks = move |key: PathKey, path: &Path| {
            let is_of_this_run = path.claims_generation != 0 || is_kept;
            let is_heard = path.heard.is_some_and(|heard| now.since(heard) <= window);
            is_of_this_run && is_heard && !path.claims.is_empty() && !self.is_silent(key, path)
        };
        peer.paths
            .iter()
            .map(|(key, path)| (*key, path.as_ref()))
            .filter(move |(key, path)| speaks(*key, path))
    }

    /// Whether a peer names an address as its own, over any path by which it is heard.
    pub(super) fn names(&self, now: Instant, peer: &Peer, address: &IpAddr) -> bool {
        self.voices(now, peer).any(|(_, path)| path.claims.contains(address))
    }

    /// Keeps the index of who claims what: of all that could count, see [`Engine::names`] for what does.
    pub(super) fn index_claims(&mut self, node: NodeId) {
        let Some(peer) = self.peers.get(&node) else { return };
        let claims: BTreeSet<IpAddr> =
            peer.paths.values().flat_map(|p| p.claims.iter().copied()).filter(|a| !is_link_local(a)).gather();
        let dropped: Vec<IpAddr> = self
            .claimants
            .iter()
            .filter(|(address, claimant)| *claimant == node && !claims.contains(address))
            .map(|(address, _)| *address)
            .collect();
        self.unindex(node, &dropped);
        for address in claims {
            self.claimants.insert((address, node));
            if self.claimants_of(&address).nth(1).is_some() {
                self.claimants_differ.insert(address);
            }
        }
    }

    /// Tells of addresses that float, once. Those that somebody merely claims do not: the node that has such an address goes
    /// on being served.
    pub(super) fn tell_floating(&mut self, now: Instant) {
        let has_it =
            |peer: &Peer, address: &IpAddr| self.lans.keys().any(|lan| peer.has_proven(*lan, address));
        let floats = |address: &IpAddr| {
            self.claimants_of(address).any(|node| {
                self.peers.get(&node).is_some_and(|peer| has_it(peer, address))
                    && self.is_floating(now, node, address)
            })
        };
        let told = &self.told.floating;
        let untold = self.claimants_differ.iter().filter(|address| !told.contains(*address));
        let floating: Vec<IpAddr> = untold.filter(|address| floats(address)).copied().collect();
        for address in floating {
            self.told.floating.insert(address);
            self.notice(Notice::AddressFloats { address });
        }
    }

    /// The node is forgotten, and claims nothing.
    pub(super) fn unindex_claims(&mut self, node: NodeId) {
        let is_its = |(address, claimant): &(IpAddr, NodeId)| (*claimant == node).then_some(*address);
        let all: Vec<IpAddr> = self.claimants.iter().filter_map(is_its).collect();
        self.unindex(node, &all);
    }

    /// The nodes that claim an address.
    pub(super) fn claimants_of(&self, address: &IpAddr) -> impl Iterator<Item = NodeId> + '_ {
        let (first, last) = ((*address, NodeId(0)), (*address, NodeId(u64::MAX)));
        self.claimants.range(first..=last).map(|(_, node)| *node)
    }

    fn unindex(&mut self, node: NodeId, addresses: &[IpAddr]) {
        for address in addresses {
            self.claimants.remove(&(*address, node));
            if self.claimants_of(address).nth(1).is_none() {
                self.claimants_differ.remove(address);
                self.told.floating.remove(address);
            }
        }
    }

    /// Makes an entry for each claimed address on a LAN of ours, to be proven there by its own answer. Under a key the
    /// claim alone counts.
    pub(super) fn note_claimed(&mut self, now: Instant, node: NodeId) {
        let keyed = self.keys.is_keyed();
        let Some(peer) = self.peers.get(&node) else { return };
        let claims: BTreeSet<IpAddr> =
            self.voices(now, peer).flat_map(|(_, path)| path.claims.iter().copied()).gather();
        let known = if keyed { Known::Trusted } else { Known::Named };
        for address in claims {
            self.note_on_its_lan(now, node, address, known);
        }
    }

    /// Enters an address under the path of the LAN that it lies on, or under one that is yet to be heard: asked there
    /// too, so that people learn of a LAN that is dead from the start, or a port that is filtered.
    pub(super) fn note_on_its_lan(&mut self, now: Instant, node: NodeId, address: IpAddr, known: Known) {
        if is_link_local(&address) || !self.is_plausible(&address) {
            return;
        }
        let Some(lan) = self.lans.iter().find(|(_, lan)| lan.is_on_link(&address)).map(|(index, _)| *index)
        else {
            return;
        };
        let family = Family::of(&address);
        let Some(peer) = self.peers.get(&node) else { return };
        let heard =
            peer.paths.keys().find(|k| k.lan == lan && k.family == family && k.peer_lan != UNHEARD).copied();
        let key = peer.path_by_address(lan, &address).or(heard);
        let key = key.unwrap_or(PathKey { lan, family, peer_lan: UNHEARD });
        if let Some(path) = self.path_mut(node, key) {
            return path.note(address, known);
        }
        let mut path = Path::new(now, &mut self.random, 0.0, &self.config.damping);
        path.by_unicast = true;
        path.note(address, known);
        if let Some(peer) = self.peers.get_mut(&node) {
            peer.paths.insert(key, Box::new(path));
        }
    }

    /// Never our own, a group, or no address at all.
    fn is_plausible(&self, address: &IpAddr) -> bool {
        !address.is_multicast()
            && !address.is_unspecified()
            && !address.is_loopback()
            && !self.lans.values().any(|lan| lan.owns(address))
    }

    /// A configured peer's addresses are known to be its own once one of them has answered.
    pub(super) fn note_configured(&mut self, now: Instant, node: NodeId) {
        let configured = self.peers.get(&node).and_then(|peer| peer.configured);
        let Some(addresses) = configured.and_then(|n| self.config.peers.get(n)).map(|p| p.addresses.clone())
        else {
            return;
        };
        for address in addresses {
            self.note_on_its_lan(now, node, address, Known::Trusted);
        }
    }

    /// Notes which addresses are named over a LAN that is not theirs, whenever there is another list, or an answer from an
    /// address that is not known to be so. A link-local one that speaks on two LANs never counts:
    /// on one of them it may be an attacker's, which took the place of the true one before that was heard.
    pub(super) fn vouch(&mut self, now: Instant, node: NodeId) {
        let Some(peer) = self.peers.get(&node) else { return };
        let is_named = |key: &PathKey, address: &IpAddr| {
            let mut elsewhere = self.voices(now, peer).filter(|(voice, _)| voice.lan != key.lan);
            elsewhere.any(|(_, path)| path.claims.contains(address))
        };
        let mut changed = Vec::new();
        for (key, path) in &peer.paths {
            let vouched = |a: &PeerAddress| {
                !peer.is_ambiguous(key.lan, &a.address) && (a.vouched || is_named(key, &a.address))
            };
            let new = path.addresses.iter().map(|a| (*key, a.address, a.vouched, vouched(a)));
            changed.extend(new.filter(|(_, _, was, is)| was != is));
        }
        for (key, address, _, vouched) in changed {
            let path = self.path_mut(node, key);
            if let Some(record) = path.and_then(|path| path.addresses.get_mut(&address)) {
                record.vouched = vouched;
            }
        }
    }

    /// The same for all that have no place yet, after [`Engine::mark_withdrawn`] may have made some. What was withdrawn has
    /// no detour, even if its node is never heard again.
    pub(super) fn renew_claimed(&mut self, now: Instant, node: NodeId) {
        if self.mark_withdrawn(now, node) {
            self.note_claimed(now, node);
        }
        let has_left = |p: &Peer| {
            p.paths
                .values()
                .flat_map(|p| p.addresses.iter())
                .any(|a| a.withdrawn.is_some() && a.position != Position::Home)
        };
        if self.peer(node).is_some_and(has_left) {
            self.decide(now, node);
        }
    }

    /// An address is withdrawn when no path over which the peer is heard names it: an attacker on one LAN cannot
    /// withdraw what is named on another. One that has never answered is forgotten then; true if there was any. What another
    /// LAN has vouched for is taken back by two that agree.
    fn mark_withdrawn(&mut self, now: Instant, node: NodeId) -> bool {
        let configured: Vec<IpAddr> = self
            .peer(node)
            .and_then(|peer| self.config.peers.get(peer.configured?))
            .map_or_else(Vec::new, |known| known.addresses.clone());
        let Some(silence) = self.peers.get(&node).map(|peer| self.silence_of(peer)) else { return false };
        let Some(peer) = self.peers.get_mut(&node) else { return false };
        // A host that was cloned speaks like one that runs anew with other addresses, until the first is heard again.
        peer.withdrawal_waits = peer.is_doubtful(now, silence);
        if peer.withdrawal_waits {
            return false;
        }
        // A list that is known to be old may lack what has come since; the new one is on its way.
        let is_current = |p: &Path| p.claims_generation == p.offered_generation;
        let Some(peer) = self.peers.get(&node) else { return false };
        let voices: Vec<_> = self
            .voices(now, peer)
            .filter(|(_, path)| path.verdict != Level::Down && is_current(path))
            .collect();
        if voices.is_empty() || voices.iter().any(|(_, p)| p.claims.len() >= COMPLETE_LIST) {
            return false;
        }
        let named: BTreeSet<IpAddr> = voices.iter().flat_map(|(_, p)| p.claims.iter().copied()).gather();
        let is_sure = voices.iter().any(|(key, _)| key.lan != voices[0].0.lan);
        let ghosts: Vec<_> = peer.paths.keys().copied().filter(|key| peer.is_ghost(now, *key)).collect();
        let Some(peer) = self.peers.get_mut(&node) else { return false };
        let is_named = |address: &IpAddr| named.contains(address) || configured.contains(address);
        let (mut withdrawn, mut has_dropped) = (Vec::new(), false);
        for (_, path) in peer.paths.iter_mut().filter(|(key, _)| !ghosts.contains(key)) {
            let before = path.addresses.len();
            path.addresses.retain(|a| is_named(&a.address) || a.is_known() || a.is_detoured());
            has_dropped |= path.addresses.len() < before;
            for record in path.addresses.iter_mut() {
                if is_named(&record.address) {
                    record.withdrawn = None;
                    continue;
                }
                record.vouched &= !is_sure;
                if record.withdrawn.is_none() && record.is_known() {
                    record.withdrawn = Some(now);
                    withdrawn.push(record.address);
                }
            }
        }
        peer.paths.retain(|key, path| key.peer_lan != UNHEARD || !path.addresses.is_empty());
        for address in withdrawn {
            self.notice(Notice::AddressWithdrawn { peer: node, address });
        }
        has_dropped
    }
}
