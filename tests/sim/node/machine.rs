//! The machine under a host: its clock, which may stop, and what a virtual machine can do that no other can.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use faild::config::Config;
use faild::core::Memory;
use faild::engine::Dropped;
use faild::time::Instant;

use super::{Arrival, Node};
use crate::daemon::Daemon;
use crate::kernel::Kernel;

/// Frames that a network interface keeps while they are not read.
const RING: usize = 256;

/// The clock of a host, and whether it stands still.
#[derive(Debug, Default)]
pub struct Machine {
    /// How far its monotonic clock is behind the world's.
    lag: Duration,
    /// Since when it sleeps, by the world's clock.
    frozen: Option<Instant>,
    /// When it last woke up, or was rolled back, by the world's clock.
    woke: Option<Instant>,
    /// Its interfaces keep what arrives meanwhile.
    has_ring: bool,
    /// What its daemon had dropped when it last was asked.
    dropped: BTreeMap<Dropped, u64>,
}

/// All that a virtual machine had in memory and on its disk.
pub struct Saved {
    clock: Instant,
    daemon: Option<Daemon>,
    memory: Memory,
    offline: BTreeSet<String>,
    journal: Option<String>,
    is_stopped: bool,
    kernel: Kernel,
    config: Config,
}

impl Node {
    /// What CLOCK_MONOTONIC of this host says.
    pub fn clock(&self, now: Instant) -> Instant {
        self.machine.frozen.unwrap_or(now) - self.machine.lag
    }

    /// When its clock will say that, unless it stops.
    pub fn world_time(&self, clock: Instant) -> Instant {
        clock + self.machine.lag
    }

    /// When its daemon has rested, by the world's clock.
    pub fn rested(&self) -> Instant {
        self.world_time(self.rests_until)
    }

    /// Whether it sleeps: nothing of it runs, its clock neither.
    pub fn is_frozen(&self) -> bool {
        self.machine.frozen.is_some()
    }

    /// Whether it woke up, or was rolled back, within this time: it cannot know that the world went on without it.
    pub fn has_just_woken(&self, now: Instant, within: Duration) -> bool {
        self.machine.woke.is_some_and(|at| now.since(at) <= within)
    }

    /// It falls asleep. `has_ring`: its interfaces keep the first frames that arrive.
    pub fn freeze(&mut self, now: Instant, has_ring: bool) {
        if self.machine.frozen.is_none() {
            (self.machine.frozen, self.machine.has_ring) = (Some(now), has_ring);
        }
    }

    /// It wakes up: what its interfaces kept arrives now.
    pub fn thaw(&mut self, now: Instant) {
        let Some(since) = self.machine.frozen.take() else { return };
        self.machine.lag += now.since(since);
        self.machine.woke = Some(now);
    }

    pub(super) fn keep_in_ring(&mut self, arrival: Arrival) {
        if self.machine.has_ring && self.inbox.len() < RING {
            self.inbox.push_back(arrival);
        }
    }

    /// Whether the journal has all that stood when the daemon was last there to see it.
    pub fn is_kept_in_mind(&self) -> bool {
        !self.is_stopped && self.journal.is_some()
    }

    /// Why the daemon dropped the datagram that it was just handed, if it did.
    pub(super) fn newest_drop(&mut self) -> Option<Dropped> {
        let counts = self.daemon.as_ref()?.core.peers().traffic().2;
        let seen = &mut self.machine.dropped;
        let (reason, count) = counts.iter().find(|(reason, count)| seen.get(reason) != Some(count))?;
        seen.insert(*reason, *count);
        Some(*reason)
    }

    /// A daemon that starts has dropped nothing yet.
    pub(super) fn forget_drops(&mut self) {
        self.machine.dropped.clear();
    }

    /// A snapshot of the machine, its memory included.
    pub fn save(&self, now: Instant) -> Saved {
        let daemon = self.daemon.as_ref().map(|daemon| Daemon {
            core: daemon.core.clone(),
            feedback: VecDeque::new(),
            interfaces: Vec::new(),
            next_look: daemon.next_look,
        });
        Saved {
            clock: self.clock(now),
            daemon,
            memory: self.memory.clone(),
            offline: self.offline.clone(),
            journal: self.journal.clone(),
            is_stopped: self.is_stopped,
            kernel: self.kernel.clone(),
            config: self.config.clone(),
        }
    }

    /// All is as it was, the clock too. What others have done to its kernel since then they do again. False if it has
    /// other interfaces by now.
    pub fn roll_back(&mut self, now: Instant, saved: Saved) -> bool {
        let mut kernel = saved.kernel;
        if self.is_frozen() || !kernel.catch_up_with(&self.kernel) {
            return false;
        }
        self.kill();
        self.machine.lag = now.since(saved.clock);
        self.machine.woke = Some(now);
        self.kernel = kernel;
        self.memory = saved.memory;
        self.offline = saved.offline;
        self.journal = saved.journal;
        self.is_stopped = saved.is_stopped;
        self.config = saved.config;
        self.daemon = saved.daemon;
        self.forget_drops();
        self.last_read = Instant::default();
        true
    }
}
