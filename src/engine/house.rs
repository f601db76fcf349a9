//! What is looked after once a slot: withdrawn addresses, old peers, and what people should know of LANs.

use std::net::IpAddr;
use std::time::Duration;

use super::notice::Notice;
use super::path::{PathKey, UNHEARD, is_link_local};
use super::peer_address::Position;
use super::{Engine, Peer, Reason};
use crate::time::Instant;
use crate::wire::{LanIndex, NodeId};

/// A peer that has been absent for this long, and for whom no overlay stands, is forgotten.
pub(super) const FORGET_AFTER: Duration = Duration::from_secs(600);

/// The same for one that never showed that it receives what is sent to it.
const FORGET_UNPROVEN_AFTER: Duration = Duration::from_secs(10);

/// A withdrawn address is kept until its overlay is lifted, and at least this long.
const KEEP_WITHDRAWN: Duration = Duration::from_secs(60);

impl Engine {
    pub(super) fn keep_house(&mut self, now: Instant, lan: LanIndex) {
        if self.lans.get_mut(&lan).is_some_and(|lan| lan.drop_withdrawn(now)) {
            self.address_generation = self.address_generation.wrapping_add(1).max(1);
        }
        self.expect_on(now, lan);
        if self.lans.get_mut(&lan).is_some_and(|lan| lan.falls_mute(now)) {
            self.notice(Notice::LanMute { interface: self.lan_name(lan) });
        }
        // Who answers ARP where he is not wanted has not called anybody home (rule 8).
        if self.is_offline(lan) {
            self.drain_again(now, lan);
        } else {
            self.watch_neighbours(now, lan);
        }
        let may_withdraw =
            |p: &&Peer| !p.absent && (p.withdrawal_waits || p.has_overlay() || p.has_unsettled());
        for node in self.all_peers().filter(may_withdraw).map(|p| p.node).collect::<Vec<_>>() {
            self.renew_claimed(now, node);
        }
        self.tell_floating(now);
        self.drop_ghosts(now, lan);
        self.watch_orphans(now, lan);
        self.withdraw_left_behind(now);
        self.drop_withdrawn(now, lan);
        self.drop_idle_detours(now, lan);
        self.forget_old(now);
        self.fit_interval(now);
        self.tell_lan(now, lan);
        self.tell_all_silent();
        for node in self.peers.values().filter(|p| p.configured.is_some()).map(|p| p.node).collect::<Vec<_>>()
        {
            self.note_configured(now, node);
        }
        self.remember_if_changed(now);
    }

    /// A node that runs no faild answers for an address at its home again.
    pub(super) fn go_home_by_neighbour(&mut self, now: Instant, node: NodeId, key: PathKey, address: IpAddr) {
        let interface = self.lan_name(key.lan);
        let Some(record) = self.path_mut(node, key).and_then(|path| path.addresses.get_mut(&address)) else {
            return;
        };
        record.trusted = true;
        if record.position == Position::Home {
            return;
        }
        record.position = Position::Home;
        self.adopted.remove(&address);
        self.notice(Notice::FailedBack { peer: node, address, interface });
        self.settle(now, node);
    }

    /// While LANs were joined, or cables changed, a LAN of the peer was heard on two of ours. What is not heard while
    /// its twin is up was that, and goes.
    fn drop_ghosts(&mut self, now: Instant, lan: LanIndex) {
        for peer in self.peers.values_mut() {
            let on_lan = peer.paths.keys().filter(|key| key.lan == lan);
            let ghosts: Vec<PathKey> = on_lan.copied().filter(|key| peer.is_ghost(now, *key)).collect();
            for key in ghosts {
                let Some(path) = peer.paths.get_mut(&key) else { continue };
                path.addresses.retain(|record| record.applied.is_some());
                for record in path.addresses.iter_mut() {
                    record.withdrawn.get_or_insert(now);
                }
                if path.addresses.is_empty() {
                    peer.paths.remove(&key);
                    self.timers.cancel(Reason::Expected(peer.node, key));
                }
            }
        }
    }

    /// Takes over what other paths of the LAN know of an address that has just answered under this key.
    pub(super) fn take_over(&mut self, node: NodeId, key: PathKey, address: IpAddr) {
        let Some(peer) = self.peers.get_mut(&node) else { return };
        for old in peer.take_over(key, address) {
            self.timers.cancel(Reason::Expected(node, old));
        }
    }

    /// There is no room for one more path of a peer beside those of its LAN: the one that was not heard for longest goes.
    /// False if all are of use.
    pub(super) fn drop_stalest_path(&mut self, now: Instant, node: NodeId, beside: PathKey) -> bool {
        let Some(peer) = self.peers.get_mut(&node) else { return false };
        let Some(stalest) = peer.stalest_path(now, beside) else { return false };
        peer.paths.remove(&stalest);
        self.timers.cancel(Reason::Expected(node, stalest));
        true
    }

    /// An overlay for an absent node that leads to another host goes, as if the address were withdrawn.
    fn withdraw_left_behind(&mut self, now: Instant) {
        let mut left = Vec::new();
        for peer in self.peers.values().filter(|peer| peer.absent && self.has_overlay(peer)) {
            for (key, path) in &peer.paths {
                let here = path.addresses.iter().filter(|a| a.withdrawn.is_none());
                let astray = here.filter(|a| self.leads_astray(now, a, peer.node));
                left.extend(astray.map(|a| (peer.node, *key, a.address)));
            }
        }
        for (node, key, address) in left {
            let path = self.path_mut(node, key);
            let Some(record) = path.and_then(|path| path.addresses.get_mut(&address)) else { continue };
            record.withdrawn = Some(now);
            self.notice(Notice::AddressWithdrawn { peer: node, address });
            self.decide(now, node);
        }
    }

    fn drop_withdrawn(&mut self, now: Instant, lan: LanIndex) {
        let mut changed = Vec::new();
        for peer in self.peers.values_mut() {
            for (_, path) in peer.paths.iter_mut().filter(|(key, _)| key.lan == lan) {
                let before = path.addresses.len();
                path.addresses.retain(|record| {
                    let is_old = record.withdrawn.is_some_and(|since| now.since(since) >= KEEP_WITHDRAWN);
                    !is_old || record.is_detoured()
                });
                if path.addresses.len() != before {
                    changed.push(peer.node);
                }
            }
        }
        for node in changed {
            self.update_plan(now, node);
        }
    }

    /// A link-local address is the next hop of routes at most. While its node is absent, a detour that no route follows is
    /// nothing: it would keep the node from being forgotten.
    fn drop_idle_detours(&mut self, now: Instant, lan: LanIndex) {
        let mut changed = Vec::new();
        for peer in self.peers.values_mut().filter(|peer| peer.absent) {
            let paths = peer.paths.iter_mut().filter(|(key, _)| key.lan == lan);
            for record in paths.flat_map(|(_, path)| path.addresses.iter_mut()) {
                let is_detour = matches!(record.position, Position::Detour(..));
                if is_detour && record.applied.is_none() && is_link_local(&record.address) {
                    record.position = Position::Undecided;
                    changed.push(peer.node);
                }
            }
        }
        for node in changed {
            self.update_plan(now, node);
        }
    }

    fn forget_old(&mut self, now: Instant) {
        let is_old = |peer: &Peer| {
            let keep = if peer.proven { FORGET_AFTER } else { FORGET_UNPROVEN_AFTER };
            peer.absent && peer.heard.is_some_and(|heard| now.since(heard) >= keep) && !self.has_overlay(peer)
        };
        let old: Vec<NodeId> =
            self.peers.values().filter(|peer| is_old(peer)).map(|peer| peer.node).collect();
        for node in old {
            self.forget(node);
        }
    }

    pub(super) fn forget(&mut self, node: NodeId) {
        self.replace_subjects(node, Vec::new());
        self.unindex_claims(node);
        self.timers.cancel(Reason::News(node));
        let forgotten = self.peers.remove(&node);
        let was_proven = forgotten.as_ref().is_some_and(|peer| peer.proven);
        if let Some(peer) = forgotten {
            for key in peer.paths.keys() {
                self.timers.cancel(Reason::Expected(node, *key));
            }
        }
        self.notice(Notice::PeerForgotten { peer: node, was_proven });
    }

    /// Rule 9: a LAN is down when all of at least two peers on it are silent and one of them is heard elsewhere.
    /// Derived each time, never stored, for people's eyes only. The rule of [`crate::group::arbitrate`] seen from the other
    /// side: there each witness is another member, here it is a silent peer that is heard on another LAN, at its own pace.
    fn tell_lan(&mut self, now: Instant, index: LanIndex) {
        let down = self.is_lan_down(now, index);
        let Some(lan) = self.lans.get_mut(&index) else { return };
        if lan.told_down == down || lan.running().is_none() {
            return;
        }
        lan.told_down = down;
        let interface = lan.name().to_owned();
        self.notice(if down { Notice::LanSilent { interface } } else { Notice::LanHeard { interface } });
    }

    /// See [`Engine::tell_lan`].
    pub(super) fn is_lan_down(&self, now: Instant, index: LanIndex) -> bool {
        if !self.is_running(index) {
            return true;
        }
        let mut silent = 0;
        let mut heard_elsewhere = false;
        for peer in self.peers.values() {
            let here: Vec<_> =
                peer.paths.iter().filter(|(key, _)| key.lan == index && key.peer_lan != UNHEARD).collect();
            if here.is_empty() {
                continue;
            }
            if here.iter().any(|(key, path)| !self.is_silent(**key, path)) {
                return false;
            }
            silent += 1;
            heard_elsewhere |=
                !peer.absent && peer.heard.is_some_and(|heard| now.since(heard) <= self.heard_each(peer) * 2);
        }
        silent >= 2 && heard_elsewhere
    }

    /// When everything is silent nothing moves, and one line says so.
    fn tell_all_silent(&mut self) {
        let heard_once = self.peers.values().filter(|peer| peer.heard.is_some()).count();
        let silent = heard_once >= 2 && self.peers.values().all(|peer| peer.absent);
        if silent != self.told.all_silent {
            self.told.all_silent = silent;
            self.notice(if silent { Notice::AllSilent { peers: heard_once } } else { Notice::SilenceEnded });
        }
    }
}
