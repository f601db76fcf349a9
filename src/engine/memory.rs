//! What survives a reboot: our id, our LAN indices, and the paths that were proven, with penalty and policy.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::IpAddr;
use std::time::Duration;

use super::path::{Path, PathKey, UNHEARD};
use super::peer::Peer;
use super::peer_address::Known;
use super::{Engine, Memory, Output, PeerAddress, Reason, RememberedPath};
use crate::interface::Family;
use crate::time::Instant;
use crate::wire::{LanIndex, NodeId};

/// Changes are gathered for this long before they are written: what was proven is known after a crash, too.
const GATHER: Duration = Duration::from_millis(100);

/// Paths that are remembered at most: more than the largest network that the design speaks of has.
const MAX_REMEMBERED: usize = 8192;

/// A change of penalty below this is not worth a write.
const PENALTY_STEP: f64 = 100.0;

/// What a memory held, in as little room as tells whether another differs: with a thousand peers the words of it take a
/// quarter of a megabyte.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Written {
    /// Of everything but penalties. Two memories of one digest are as likely as not being heard for a year.
    digest: u64,
    penalties: Vec<f64>,
}

impl Written {
    fn of(memory: &Memory) -> Self {
        let mut digest = Digest::new(memory.node, &memory.lans);
        memory.paths.iter().for_each(|path| digest.add_remembered(path));
        Self { digest: digest.finish(), penalties: memory.paths.iter().map(|path| path.penalty).collect() }
    }
}

/// The digest of a [`Memory`], made of its parts without building one.
struct Digest(DefaultHasher);

impl Digest {
    fn new(node: Option<NodeId>, lans: &[(String, LanIndex)]) -> Self {
        let mut hasher = DefaultHasher::new();
        node.map(|node| node.0).hash(&mut hasher);
        lans.iter().for_each(|(name, index)| (name, index.0).hash(&mut hasher));
        Self(hasher)
    }

    fn add(&mut self, interface: &str, node: NodeId, (lan, family): (LanIndex, Family), held: bool) {
        (interface, node.0, lan.0, family == Family::V6, held).hash(&mut self.0);
    }

    fn add_address(&mut self, address: IpAddr) {
        address.hash(&mut self.0);
    }

    fn add_remembered(&mut self, path: &RememberedPath) {
        self.add(&path.interface, path.node, (path.lan, path.family), path.held);
        path.addresses.iter().for_each(|address| self.add_address(*address));
    }

    fn finish(self) -> u64 {
        self.0.finish()
    }
}

impl Engine {
    /// Takes in what an earlier run wrote down. What it knew of a LAN is asked for when that is one.
    pub(super) fn recall(&mut self, memory: &Memory) {
        self.aside.extend(memory.paths.iter().take(MAX_REMEMBERED).cloned());
        self.written = Some(Written::of(memory));
    }

    /// Takes in what is known of a LAN that is one again.
    pub(super) fn recall_lan(&mut self, now: Instant, index: LanIndex) {
        let name = self.lan_name(index);
        let known: Vec<RememberedPath> = self.aside.extract_if(.., |path| path.interface == name).collect();
        known.iter().for_each(|path| self.recall_path(now, path));
    }

    /// Keeps what is known of a LAN that is about to be none.
    pub(super) fn lay_aside(&mut self, now: Instant, index: LanIndex) {
        let name = self.lan_name(index);
        let known = self.memory(now).paths.into_iter().filter(|path| path.interface == name);
        self.aside.extend(known);
        self.aside.truncate(MAX_REMEMBERED);
    }

    fn recall_path(&mut self, now: Instant, known: &RememberedPath) {
        let Some((_, lan)) = self.indices.iter().find(|(name, _)| *name == known.interface) else { return };
        if known.node == self.node || known.lan == UNHEARD {
            return;
        }
        let key = PathKey { lan: *lan, family: known.family, peer_lan: known.lan };
        let mut path = Path::new(now, &mut self.random, known.penalty, &self.config.damping);
        path.failback.set_held(known.held);
        path.failback.set_failed(path.failback.has_failed() || known.held);
        for address in &known.addresses {
            path.note(*address, Known::Trusted);
        }
        let peer = self.peers.entry(known.node).or_insert_with(|| Peer::new(known.node).into());
        peer.proven = true;
        peer.paths.entry(key).or_insert(Box::new(path));
    }

    pub(super) fn remember_soon(&mut self, now: Instant) {
        self.timers.set_earlier(Reason::Remember, now + GATHER);
    }

    /// Sees whether anything that is worth it has changed.
    pub(super) fn remember_if_changed(&mut self, now: Instant) {
        if self.timers.at(Reason::Remember).is_some() {
            return;
        }
        if !self.written.as_ref().is_some_and(|written| self.is_as_written(now, written)) {
            self.remember_soon(now);
        }
    }

    pub(super) fn remember(&mut self, now: Instant) {
        let memory = self.memory(now);
        let written = Some(Written::of(&memory));
        if self.written != written {
            self.written = written;
            self.outputs.push_back(Output::Remember(memory));
        }
    }

    /// What should survive a reboot, at this moment.
    pub fn memory(&self, now: Instant) -> Memory {
        let proven = self.proven_paths().map(|(peer, key, path)| RememberedPath {
            interface: self.lan_name(key.lan),
            node: peer.node,
            lan: key.peer_lan,
            family: key.family,
            addresses: proven_addresses(path).collect(),
            penalty: self.penalty(now, path),
            held: path.failback.is_held(),
        });
        let paths = proven.chain(self.aside.iter().cloned()).take(MAX_REMEMBERED).collect();
        Memory { node: Some(self.node), lans: self.indices.clone(), paths }
    }

    /// Whether anybody has proven to be there.
    pub(super) fn has_met(&self, lan: LanIndex) -> bool {
        self.proven_paths().any(|(_, key, _)| key.lan == lan)
    }

    fn proven_paths(&self) -> impl Iterator<Item = (&Peer, &PathKey, &Path)> {
        let paths = self
            .all_peers()
            .flat_map(|peer| peer.paths.iter().map(move |(key, path)| (peer, key, path.as_ref())));
        let is_proven = |(_, key, path): &(&Peer, &PathKey, &Path)| {
            Self::is_reportable(**key) && proven_addresses(path).next().is_some()
        };
        paths.filter(is_proven).take(MAX_REMEMBERED)
    }

    /// Whether what is written differs from what is by no more than the decay of penalties. Asked once a slot, so
    /// nothing is built for it.
    fn is_as_written(&self, now: Instant, written: &Written) -> bool {
        let mut digest = Digest::new(Some(self.node), &self.indices);
        let mut penalties = written.penalties.iter();
        let mut count = 0;
        for (peer, key, path) in self.proven_paths() {
            count += 1;
            let has_grown = |old: &f64| self.penalty(now, path) - old >= PENALTY_STEP;
            if penalties.next().is_none_or(has_grown) {
                return false;
            }
            let interface = self.lans.get(&key.lan).map_or("", |lan| lan.name());
            digest.add(interface, peer.node, (key.peer_lan, key.family), path.failback.is_held());
            proven_addresses(path).for_each(|address| digest.add_address(address));
        }
        let aside = self.aside.iter().take(MAX_REMEMBERED - count);
        aside.for_each(|path| digest.add_remembered(path));
        digest.finish() == written.digest
    }

    fn penalty(&self, now: Instant, path: &Path) -> f64 {
        path.failback.penalty(now, &self.config.damping).round()
    }
}

/// Those that are known to be the peer's own.
fn proven_addresses(path: &Path) -> impl Iterator<Item = IpAddr> {
    let is_proven = |a: &&PeerAddress| (a.answered.is_some() || a.trusted) && a.withdrawn.is_none();
    path.addresses.iter().filter(is_proven).map(|a| a.address)
}
