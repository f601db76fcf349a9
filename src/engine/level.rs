//! Changes of a path's level, of a peer's presence, and what follows from them at once.

use super::notice::{Evidence, Notice};
use super::path::{Path, PathKey, UNHEARD};
use super::peer::Peer;
use super::peer_address::Position;
use super::{Engine, Output, PeerAddress};
use crate::config::Failback;
use crate::interface::Family;
use crate::time::Instant;
use crate::wire::{LanIndex, Level, NodeId};

impl Engine {
    pub(super) fn peer(&self, node: NodeId) -> Option<&Peer> {
        self.peers.get(&node).map(AsRef::as_ref)
    }

    pub(super) fn all_peers(&self) -> impl Iterator<Item = &Peer> {
        self.peers.values().map(AsRef::as_ref)
    }

    pub(super) fn path(&self, node: NodeId, key: PathKey) -> Option<&Path> {
        Some(self.peers.get(&node)?.paths.get(&key)?)
    }

    pub(super) fn path_mut(&mut self, node: NodeId, key: PathKey) -> Option<&mut Path> {
        Some(self.peers.get_mut(&node)?.paths.get_mut(&key)?)
    }

    pub(super) fn is_running(&self, lan: LanIndex) -> bool {
        self.lans.get(&lan).is_some_and(|lan| lan.running().is_some())
    }

    pub(super) fn lan_name(&self, lan: LanIndex) -> String {
        self.lans.get(&lan).map(|lan| lan.name().to_owned()).unwrap_or_default()
    }

    /// Our own count changes. The verdict, and all that hangs on it, follows in [`Engine::settle`].
    pub(super) fn set_local(
        &mut self,
        now: Instant,
        node: NodeId,
        key: PathKey,
        level: Level,
        evidence: Evidence,
    ) {
        let damping = self.config.damping;
        let manual = self.config.failback == Failback::Manual;
        let random = &mut self.random;
        let Some(path) = self.peers.get_mut(&node).and_then(|peer| peer.paths.get_mut(&key)) else { return };
        if path.local == level {
            return;
        }
        if level == Level::Down {
            if path.local == Level::Up {
                path.failback.on_failure(now, &damping);
                path.failback.set_held(path.failback.is_held() || manual);
            }
            path.unanswered_since.get_or_insert(now);
        }
        path.failback.set_up((level == Level::Up).then_some(now));
        path.good = 0;
        path.local = level;
        path.evidence = evidence;
        path.renew_token(random.token());
        if level == Level::Up {
            path.port.on_up();
            self.ask_unproven(now, node, key.lan);
            self.confirm_neighbours(now, node, key);
        }
    }

    /// An INQ of ours was answered on this path: what that alone changes. What the answer says of other paths counts first:
    /// those that it calls dead are not waited for.
    pub(super) fn after_round_trip(&mut self, now: Instant, node: NodeId, key: PathKey, first: bool) {
        let was_absent = self.peer(node).is_some_and(|peer| peer.absent);
        if was_absent {
            self.on_return(now, node, key);
        }
        let Some(peer) = self.peer(node) else { return };
        if peer.paths.get(&key).is_none_or(|path| path.local == Level::Up) {
            return;
        }
        let waits = self.is_served_by_overlay(peer, key.family);
        self.combine(now, node);
        let Some(peer) = self.peer(node) else { return };
        let suffices = match peer.paths.get(&key).map(|path| path.local) {
            Some(Level::Down) => peer.is_nothing_else_up(key),
            Some(Level::Unknown) => was_absent || peer.are_others_down(key) || (first && !waits),
            Some(Level::Up) | None => false,
        };
        if suffices {
            self.set_local(now, node, key, Level::Up, Evidence::Answer);
        }
    }

    /// Whether traffic for the peer goes by an overlay, laid in this run or found at the start.
    pub(super) fn has_overlay(&self, peer: &Peer) -> bool {
        peer.has_overlay()
            || (!self.adopted.is_empty()
                && peer
                    .paths
                    .values()
                    .flat_map(|p| p.addresses.iter())
                    .any(|a| self.adopted.contains_key(&a.address)))
    }

    /// Whether some of the peer's traffic of a family goes by an overlay whose way is not known to be dead: only that is
    /// worth waiting for (rule 6).
    pub(super) fn is_served_by_overlay(&self, peer: &Peer, family: Family) -> bool {
        let serves = |a: &PeerAddress| match (a.position, self.current_way(peer, a)) {
            (_, Some((way, _))) => self.is_serving(peer, way),
            (Position::Undecided, None) => self.adopted.contains_key(&a.address),
            (Position::Home | Position::Detour(..), None) => a.applied.is_some(),
        };
        let paths = peer.paths.iter().filter(|(key, _)| key.family == family);
        paths.flat_map(|(_, path)| path.addresses.iter()).any(serves)
    }

    /// The peer is back on this path. Each other one gets f fresh slots before it can be down.
    fn on_return(&mut self, now: Instant, node: NodeId, key: PathKey) {
        let Some(peer) = self.peers.get_mut(&node) else { return };
        peer.absent = false;
        for (_, path) in peer.paths.iter_mut().filter(|(other, _)| **other != key) {
            path.fresh_slots();
        }
        self.note_claimed(now, node);
        self.expect_inquiries(now, node);
        let interface = self.lan_name(key.lan);
        self.notice(Notice::PeerPresent { peer: node, interface });
    }

    /// Draws all conclusions for a peer after something about it changed.
    pub(super) fn settle(&mut self, now: Instant, node: NodeId) {
        self.check_presence(node);
        self.heed_carriers(now, node);
        self.combine(now, node);
        if self.drain(now, node) {
            self.combine(now, node);
        }
        self.decide(now, node);
        self.tell_holds(now, node);
        self.spread_news(now, node);
    }

    /// Silent on all paths: absent. Nothing is known of it then, and nothing moves.
    fn check_presence(&mut self, node: NodeId) {
        let Some(peer) = self.peers.get(&node) else { return };
        if peer.absent || !peer.paths.iter().all(|(key, path)| self.is_silent(*key, path)) {
            return;
        }
        let said_goodbye = peer.paths.values().any(|path| path.gone);
        if let Some(peer) = self.peers.get_mut(&node) {
            peer.absent = true;
            for path in peer.paths.values_mut() {
                path.restart_counts();
                path.verdict = Level::Unknown;
            }
        }
        self.notice(Notice::PeerAbsent { peer: node, said_goodbye });
    }

    /// Our own loss of carrier is proof enough against a path of a peer that is there. No slot is judged on such a LAN: a path
    /// that came to it later, or whose counts began again, would stay unknown.
    fn heed_carriers(&mut self, now: Instant, node: NodeId) {
        let Some(peer) = self.peers.get(&node).filter(|peer| !peer.absent) else { return };
        let paths = peer.paths.iter().filter(|(_, path)| path.local != Level::Down).map(|(key, _)| *key);
        let unheeded: Vec<PathKey> = paths.filter(|key| !self.is_running(key.lan)).collect();
        for key in unheeded {
            self.set_local(now, node, key, Level::Down, Evidence::Carrier);
        }
    }

    /// Verdicts from both ends' counts, with a line for each that changed.
    fn combine(&mut self, now: Instant, node: NodeId) {
        let lans = &self.lans;
        let Some(peer) = self.peers.get_mut(&node) else { return };
        for (key, path) in &mut peer.paths {
            let before = path.verdict;
            path.combine();
            if path.verdict == before {
                continue;
            }
            // One that is drained is not silent: whatever answered lately may take over at once.
            if path.verdict == Level::Down && !path.is_drained() {
                path.unanswered_since.get_or_insert(now);
            }
            if key.peer_lan == UNHEARD && before == Level::Unknown && path.verdict != Level::Down {
                continue;
            }
            let evidence = path.grounds();
            let interface = lans.get(&key.lan).map(|lan| lan.name().to_owned()).unwrap_or_default();
            self.outputs.push_back(Output::Notice(Notice::PathChanged {
                peer: node,
                interface,
                family: key.family,
                level: path.verdict,
                before,
                evidence,
                missed: path.missed,
                address: path.main_address(),
            }));
        }
    }

    /// Failback policy `manual`: the administrator says when.
    pub(super) fn on_fail_back(&mut self, now: Instant) {
        for path in self.peers.values_mut().flat_map(|peer| peer.paths.values_mut()) {
            path.failback.set_held(false);
        }
        for node in self.peers.keys().copied().collect::<Vec<_>>() {
            self.settle(now, node);
        }
        self.remember_soon(now);
    }
}
