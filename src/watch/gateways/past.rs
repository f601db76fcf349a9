//! What is known of next hops that are not watched just now: from before a restart, or of a route that is gone. One that
//! had failed when it went has to prove itself when it comes again, or it would flap its way around the damping.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::super::input::Memory;
use super::history::Past;
use super::hop::Hop;
use crate::config::Config;
use crate::gather::Gather;
use crate::time::Instant;

/// Next hops that are remembered at most: more than are watched on any host.
const MOST: usize = 1024;

/// Below this a penalty tells nothing: it halves every minute, from a thousand for a failure.
const NEGLIGIBLE: f64 = 1.0;

/// See the module.
#[derive(Debug, Clone, Default)]
pub(super) struct Pasts(BTreeMap<(String, Option<IpAddr>), Past>);

impl Pasts {
    pub(super) fn new(memory: &Memory) -> Self {
        let mut pasts = BTreeMap::new();
        for (interface, via, penalty) in memory.penalties.iter().take(MOST) {
            let left = memory.held.iter().any(|(i, v)| (i, v) == (interface, via));
            let past = Past { penalty: *penalty, at: None, failed: false, left };
            pasts.insert((interface.clone(), *via), past);
        }
        Self(pasts)
    }

    pub(super) fn get(&self, interface: &str, via: Option<IpAddr>) -> Option<Past> {
        self.0.get(&(interface.to_owned(), via)).copied()
    }

    /// Keeps what is known of one that goes, if that is anything.
    pub(super) fn keep(&mut self, now: Instant, config: &Config, hop: &Hop) {
        let key = (hop.interface.clone(), hop.via);
        let past = hop.past(now, config);
        if past.penalty < NEGLIGIBLE && !past.failed && !past.left {
            self.0.remove(&key);
        } else if self.0.len() < MOST || self.0.contains_key(&key) {
            self.0.insert(key, past);
        }
    }

    /// What of it and of those that are watched is to survive a restart.
    pub(super) fn remembered<'a>(
        &self,
        now: Instant,
        config: &Config,
        hops: impl Iterator<Item = &'a Hop>,
    ) -> Remembered {
        let mut all = self.0.clone();
        hops.for_each(|hop| _ = all.insert((hop.interface.clone(), hop.via), hop.past(now, config)));
        let value = |past: Past| {
            let left = past.at.map_or(1.0, |at| config.damping.remaining(now.since(at)));
            ((past.penalty * left).round(), past.left)
        };
        let worth = |(penalty, left): &(f64, bool)| *penalty >= NEGLIGIBLE || *left;
        let values = all.into_iter().map(|(key, past)| (key, value(past)));
        Remembered(values.filter(|(_, value)| worth(value)).gather())
    }
}

/// Penalty, and whether traffic has left it, by interface and gateway.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Remembered(BTreeMap<(String, Option<IpAddr>), (f64, bool)>);

impl Remembered {
    /// Whether what is written differs by no more than the decay of penalties.
    pub(super) fn is_as_written(&self, memory: &Memory) -> bool {
        let left = self.0.iter().filter(|(_, (_, left))| *left).map(|(key, _)| key.clone());
        let written = |key: &(String, Option<IpAddr>)| {
            let is_it = |known: &&(String, Option<IpAddr>, f64)| (&known.0, known.1) == (&key.0, key.1);
            memory.penalties.iter().find(is_it).map_or(0.0, |known| known.2)
        };
        left.eq(memory.held.iter().cloned())
            && self.0.iter().all(|(key, (penalty, _))| penalty - written(key) < PENALTY_STEP)
    }

    pub(super) fn write(self, memory: &mut Memory) {
        memory.held = self.0.iter().filter(|(_, (_, left))| *left).map(|(key, _)| key.clone()).collect();
        let penalties = self.0.into_iter().filter(|(_, (penalty, _))| *penalty >= NEGLIGIBLE);
        memory.penalties =
            penalties.map(|((interface, via), (penalty, _))| (interface, via, penalty)).collect();
    }
}

/// A penalty that rose by less is not worth a write.
const PENALTY_STEP: f64 = 100.0;
