//! What survives a reboot: our id, our LAN indices, and the paths that were proven, with penalty and policy.

use std::time::Duration;

use super::path::{Path, PathKey, UNHEARD};
use super::peer::Peer;
use super::{Engine, Memory, Output, Reason, RememberedPath};
use crate::time::Instant;
use crate::wire::LanIndex;

/// Changes are gathered for this long before they are written: what was proven is known after a crash, too.
const GATHER: Duration = Duration::from_millis(100);

/// Paths that are remembered at most: more than the largest network that the design speaks of has.
const MAX_REMEMBERED: usize = 8192;

/// A change of penalty below this is not worth a write.
const PENALTY_STEP: f64 = 100.0;

impl Engine {
    /// Takes in what an earlier run wrote down.
    pub(super) fn recall(&mut self, memory: &Memory) {
        let start = Instant::default();
        for known in memory.paths.iter().take(MAX_REMEMBERED) {
            if self.may_be_lan(&known.interface) {
                self.recall_path(start, known);
            } else {
                self.aside.push(known.clone());
            }
        }
        self.memory_written = Some(memory.clone());
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

    fn may_be_lan(&self, interface: &String) -> bool {
        let named = &self.config.lans;
        (named.is_empty() && !self.config.exclude.contains(interface))
            || named.iter().any(|lan| lan.interface == *interface)
    }

    fn recall_path(&mut self, now: Instant, known: &RememberedPath) {
        let Some((_, lan)) = self.indices.iter().find(|(name, _)| *name == known.interface) else { return };
        if known.node == self.node || known.lan == UNHEARD {
            return;
        }
        let key = PathKey { lan: *lan, family: known.family, peer_lan: known.lan };
        let mut path = Path::new(now, &mut self.random, known.penalty, &self.config.damping);
        path.held = known.held;
        path.has_failed |= known.held;
        for address in &known.addresses {
            Self::note_address(&mut path, *address, true);
        }
        let peer = self.peers.entry(known.node).or_insert_with(|| Peer::new(known.node));
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
        let current = self.memory(now);
        if self.memory_written.as_ref().is_none_or(|written| differs(written, &current)) {
            self.remember_soon(now);
        }
    }

    pub(super) fn remember(&mut self, now: Instant) {
        let memory = self.memory(now);
        if self.memory_written.as_ref() != Some(&memory) {
            self.memory_written = Some(memory.clone());
            self.outputs.push_back(Output::Remember(memory));
        }
    }

    fn memory(&self, now: Instant) -> Memory {
        let mut paths = Vec::new();
        for peer in self.peers.values() {
            for (key, path) in peer.paths.iter().filter(|(key, _)| Self::is_reportable(**key)) {
                let addresses: Vec<_> = path
                    .addresses
                    .values()
                    .filter(|a| (a.answered.is_some() || a.trusted) && a.withdrawn.is_none())
                    .map(|a| a.address)
                    .collect();
                if addresses.is_empty() || paths.len() >= MAX_REMEMBERED {
                    continue;
                }
                paths.push(RememberedPath {
                    interface: self.lan_name(key.lan),
                    node: peer.node,
                    lan: key.peer_lan,
                    family: key.family,
                    addresses,
                    penalty: path.penalty.value(now, &self.config.damping).round(),
                    held: path.held,
                });
            }
        }
        paths.extend(self.aside.iter().take(MAX_REMEMBERED.saturating_sub(paths.len())).cloned());
        Memory { node: Some(self.node), lans: self.indices.clone(), paths }
    }
}

/// Whether two memories differ in more than the decay of penalties.
fn differs(one: &Memory, other: &Memory) -> bool {
    one.node != other.node
        || one.lans != other.lans
        || one.paths.len() != other.paths.len()
        || one.paths.iter().zip(&other.paths).any(|(a, b)| {
            b.penalty - a.penalty >= PENALTY_STEP
                || RememberedPath { penalty: 0.0, ..a.clone() }
                    != RememberedPath { penalty: 0.0, ..b.clone() }
        })
}
