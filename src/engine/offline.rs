//! LANs that the administrator drains: they work, and shall carry traffic only while nothing else does.
//!
//! A drained path is reported as down while probing and counting go on underneath. So both ends leave it by the rules
//! that they have for a dead one, only by a way that is proven (rule 2 of faild-protocol(7)), and it needs no fresh
//! proof when the LAN is put back.
//!
//! ```text
//!           offline, another path may serve          all others are down
//!   serving -------------------------------> drained -------------------> recalled
//!      ^                                      |   ^  another is ready      |   |
//!      |                                      |   +------ for s slots -----+   |
//!      +---------------- online --------------+--------------------------------+
//! ```
//!
//! Leaving a dead way is never delayed (rule 6), be it by a way that somebody wants drained: traffic on an interface
//! that may be unplugged soon is better than none.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::Engine;
use super::notice::{Evidence, Notice};
use super::path::{Path, PathKey, UNHEARD};
use super::peer::Peer;
use crate::interface::Family;
use crate::time::Instant;
use crate::wire::{LanIndex, Level, NodeId};

/// What a path is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Duty {
    /// Whatever it is good for.
    #[default]
    Serving,
    /// Nothing: its LAN is offline.
    Drained,
    /// Its LAN is offline, and nothing else works.
    Recalled { since: Instant },
}

/// A peer that would not be reached any more without a LAN.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CutOff {
    /// Which.
    pub node: NodeId,
    /// Its name in the configuration.
    pub name: Option<String>,
    /// In which family.
    pub family: Family,
    /// Its address there.
    pub address: Option<IpAddr>,
}

impl Engine {
    /// Whether an interface is a LAN's, here or not.
    pub fn is_lan(&self, interface: &str) -> bool {
        self.lan_named(interface).is_some()
    }

    /// The peers, by family, that only the LAN of this interface reaches just now.
    pub fn cut_off(&self, interface: &str) -> Vec<CutOff> {
        let Some(lan) = self.lan_named(interface) else { return Vec::new() };
        let hangs_on = |peer: &Peer, family: Family| {
            let works = |on_it: bool| {
                let mut working =
                    peer.paths.iter().filter(|(k, p)| k.family == family && p.verdict == Level::Up);
                working.any(move |(k, _)| {
                    (k.lan == lan) == on_it && (on_it || !self.is_offline(k.lan)) && k.peer_lan != UNHEARD
                })
            };
            works(true) && !works(false)
        };
        let families = [Family::V4, Family::V6];
        let present = self.peers.values().filter(|peer| !peer.absent);
        let pairs = present.flat_map(|peer| families.map(|family| (peer, family)));
        pairs
            .filter(|(peer, family)| hangs_on(peer, *family))
            .map(|(peer, family)| self.cut_off_peer(peer, family, lan))
            .collect()
    }

    fn cut_off_peer(&self, peer: &Peer, family: Family, lan: LanIndex) -> CutOff {
        let mut paths = peer.paths.iter().filter(|(k, _)| k.lan == lan && k.family == family);
        let address = paths.find_map(|(_, path)| path.shown_address());
        CutOff { node: peer.node, name: self.name_of(peer), family, address }
    }

    /// Takes the whole set of interfaces that are offline. Levels, not edges: the same again changes nothing.
    pub(super) fn on_offline(&mut self, now: Instant, interfaces: &BTreeSet<String>) {
        let before = std::mem::replace(&mut self.offline, interfaces.clone());
        if before == *interfaces {
            return;
        }
        for node in self.peers.keys().copied().collect::<Vec<_>>() {
            self.settle(now, node);
        }
    }

    /// Whether the administrator has taken a LAN out of service.
    pub(super) fn is_offline(&self, lan: LanIndex) -> bool {
        !self.offline.is_empty() && self.lans.get(&lan).is_some_and(|lan| self.offline.contains(lan.name()))
    }

    /// Drains and recalls the paths of a peer as is due. True if that changes what any of them is worth.
    pub(super) fn drain(&mut self, now: Instant, node: NodeId) -> bool {
        let Some(peer) = self.peers.get(&node) else { return false };
        let next = |(key, path): (&PathKey, &Path)| match (self.is_offline(key.lan), path.duty) {
            (false, _) => Duty::Serving,
            (true, Duty::Recalled { .. }) => path.duty,
            (true, Duty::Serving | Duty::Drained)
                if !peer.absent && self.is_needed(now, peer, *key, path) =>
            {
                Duty::Recalled { since: now }
            }
            (true, Duty::Serving | Duty::Drained) => Duty::Drained,
        };
        let paths = peer.paths.iter().map(|(key, path)| (key, path.as_ref()));
        let changes: Vec<(PathKey, Duty)> = paths
            .map(|(key, path)| (*key, next((key, path)), path.duty))
            .filter(|(_, next, duty)| next != duty)
            .map(|(key, next, _)| (key, next))
            .collect();
        for (key, duty) in &changes {
            self.set_duty(node, *key, *duty);
        }
        !changes.is_empty()
    }

    /// Looked at once a slot, whose phase is random: two ends that drain different LANs must not go on swapping them
    /// in step.
    pub(super) fn drain_again(&mut self, now: Instant, lan: LanIndex) {
        let pause = self.interval * self.config.good.get();
        for (node, key) in self.paths_on(lan) {
            let Some(peer) = self.peers.get(&node).filter(|peer| !peer.absent) else { continue };
            let Some(Duty::Recalled { since }) = peer.paths.get(&key).map(|path| path.duty) else { continue };
            if now.since(since) >= pause && self.is_relieved(now, peer, key) {
                self.set_duty(node, key, Duty::Drained);
                self.settle(now, node);
            }
        }
    }

    fn set_duty(&mut self, node: NodeId, key: PathKey, duty: Duty) {
        let interface = self.lan_name(key.lan);
        let Some(path) = self.path_mut(node, key) else { return };
        match (std::mem::replace(&mut path.duty, duty), duty) {
            (_, Duty::Recalled { .. }) => {
                self.notice(Notice::DrainSuspended { peer: node, interface, family: key.family });
            }
            (Duty::Recalled { .. }, Duty::Drained) => {
                self.notice(Notice::DrainResumed { peer: node, interface, family: key.family });
            }
            (_, Duty::Serving | Duty::Drained) => {}
        }
    }

    /// Whether no other path works or may turn out to, and this one is proven since (rule 2): when a peer dies, one path
    /// is down before the other.
    fn is_needed(&self, now: Instant, peer: &Peer, key: PathKey, path: &Path) -> bool {
        let missed = self.config.missed.get();
        self.others(peer, key).all(|(other, p)| {
            let is_out = match p.verdict {
                Level::Up => false,
                Level::Unknown => p.missed >= missed,
                Level::Down => true,
            };
            is_out && (!self.is_running(other.lan) || self.is_proven_since(now, peer, *other, path))
        })
    }

    /// Whether another path works as well as one may ask: one that flaps would move traffic with each turn.
    fn is_relieved(&self, now: Instant, peer: &Peer, key: PathKey) -> bool {
        let mut others = self.others(peer, key);
        others.any(|(_, path)| path.verdict == Level::Up && self.is_ready_at_both(now, path))
    }

    /// The other paths of the family that nobody wants drained.
    fn others<'a>(&'a self, peer: &'a Peer, key: PathKey) -> impl Iterator<Item = (&'a PathKey, &'a Path)> {
        let counts = move |k: &PathKey| {
            *k != key && k.family == key.family && k.peer_lan != UNHEARD && !self.is_offline(k.lan)
        };
        peer.paths.iter().filter(move |(k, _)| counts(k)).map(|(k, path)| (k, path.as_ref()))
    }

    pub(super) fn lan_named(&self, interface: &str) -> Option<LanIndex> {
        self.lans.iter().find(|(_, lan)| lan.name() == interface).map(|(index, _)| *index)
    }

    pub(super) fn name_of(&self, peer: &Peer) -> Option<String> {
        Some(self.config.peers.get(peer.configured?)?.name.clone())
    }
}

impl Path {
    /// What our own end makes of the path: what it counts, but nothing good of one that is drained.
    pub(super) fn own_level(&self) -> Level {
        match (self.duty, self.local) {
            (Duty::Drained, Level::Up | Level::Down) => Level::Down,
            (Duty::Drained | Duty::Serving | Duty::Recalled { .. }, level) => level,
        }
    }

    /// What the verdict rests on.
    pub(super) fn grounds(&self) -> Evidence {
        match self.verdict {
            Level::Down if self.is_drained() => Evidence::Offline,
            verdict if verdict == self.local => self.evidence,
            Level::Down | Level::Up | Level::Unknown => Evidence::Report,
        }
    }

    pub(super) fn is_drained(&self) -> bool {
        self.duty == Duty::Drained
    }

    /// The address to name it by: one that people know, if there is one.
    pub(super) fn shown_address(&self) -> Option<IpAddr> {
        let named = || self.addresses.iter().filter(|a| a.withdrawn.is_none());
        let global = named().find(|a| a.answered.is_some() && !super::path::is_link_local(&a.address));
        global.map(|a| a.address).or_else(|| self.main_address())
    }
}
