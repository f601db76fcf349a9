//! Counts of everything, for a status that costs the same to read however many peers there are.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Engine;
use super::path::Path;
use super::peer::Peer;
use super::peer_address::Position;
use crate::time::Instant;
use crate::wire::{LanIndex, Level};

use super::snapshot::LanSnapshot;

/// How many of each there are.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tally {
    /// How many peers there are.
    pub peers: PeerCounts,
    /// Those of the configuration that are not present, by name.
    pub missing: Vec<String>,
    /// The LANs, and the paths there to peers that are present: up, down, unknown.
    pub lans: Vec<(LanSnapshot, Levels)>,
}

/// How many peers there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct PeerCounts {
    /// All that are known.
    pub known: usize,
    /// Those that are heard on some path.
    pub present: usize,
    /// Those of them with a path that is down.
    pub degraded: usize,
    /// Those with traffic away from home.
    pub moved: usize,
}

/// How many paths are on which level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Levels {
    /// They work.
    pub up: usize,
    /// They do not.
    pub down: usize,
    /// Not decided.
    pub unknown: usize,
}

impl Engine {
    /// Counts of everything.
    pub fn tally(&self, now: Instant) -> Tally {
        let mut tally = Tally::default();
        let mut lans: BTreeMap<LanIndex, Levels> = BTreeMap::new();
        for peer in self.peers.values() {
            let counts = &mut tally.peers;
            counts.known += 1;
            counts.present += usize::from(!peer.absent);
            counts.degraded += usize::from(!peer.absent && paths(peer).any(|p| p.verdict == Level::Down));
            counts.moved += usize::from(paths(peer).any(is_away));
            for (key, path) in peer.paths.iter().filter(|_| !peer.absent) {
                lans.entry(key.lan).or_default().count(path.verdict);
            }
        }
        tally.missing = self.missing();
        let lan = |index: &LanIndex| {
            Some((self.lan_snapshot(now, *index)?, lans.get(index).copied().unwrap_or_default()))
        };
        tally.lans = self.lans.keys().filter_map(lan).collect();
        tally
    }

    /// Names of configured peers that nobody hears.
    fn missing(&self) -> Vec<String> {
        let is_present = |n: usize| self.peers.values().any(|p| p.configured == Some(n) && !p.absent);
        let missing = self.config.peers.iter().enumerate().filter(|(n, _)| !is_present(*n));
        missing.map(|(_, peer)| peer.name.clone()).collect()
    }
}

impl Levels {
    fn count(&mut self, level: Level) {
        *match level {
            Level::Up => &mut self.up,
            Level::Down => &mut self.down,
            Level::Unknown => &mut self.unknown,
        } += 1;
    }
}

fn paths(peer: &Peer) -> impl Iterator<Item = &Path> {
    peer.paths.values().map(AsRef::as_ref)
}

fn is_away(path: &Path) -> bool {
    path.addresses.iter().any(|address| matches!(address.position, Position::Detour(..)))
}
