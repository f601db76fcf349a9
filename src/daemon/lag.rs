//! How late the loop is: a failover daemon that is slow itself must say so, or its peers get the blame.

use std::fmt;
use std::time::Duration;

use log::warn;

use crate::time::Instant;

/// What the loop has cost so far.
#[derive(Debug, Default)]
pub(super) struct Lag {
    turns: u64,
    /// The longest turn ever.
    longest: Duration,
    /// The latest that a deadline was ever seen.
    latest: Duration,
    /// Turns longer than [`SLOW`] since the last line about them, and the longest of them.
    slow: u32,
    slowest: Duration,
    told: Option<Instant>,
}

impl Lag {
    /// The loop woke at `now`, for a deadline at `deadline` if one was set.
    pub(super) fn on_wake(&mut self, now: Instant, deadline: Option<Instant>) {
        self.turns += 1;
        self.latest = self.latest.max(deadline.map_or(Duration::ZERO, |deadline| now.since(deadline)));
    }

    /// All that was to be done at `woken` is done at `now`.
    pub(super) fn on_done(&mut self, woken: Instant, now: Instant) {
        let took = now.since(woken);
        self.longest = self.longest.max(took);
        if took < SLOW {
            return;
        }
        self.slow += 1;
        self.slowest = self.slowest.max(took);
        if self.told.is_none_or(|told| now.since(told) >= QUIET) {
            warn!(
                "loop-slow turns={} longest={:.3}s cause=\"another program holds the kernel's RTNL lock, or the host is overloaded\"",
                self.slow,
                self.slowest.as_secs_f64()
            );
            (self.slow, self.slowest, self.told) = (0, Duration::ZERO, Some(now));
        }
    }
}

impl fmt::Display for Lag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (longest, latest) = (self.longest.as_secs_f64(), self.latest.as_secs_f64());
        write!(f, "turns={} longest={longest:.6}s latest={latest:.6}s", self.turns)
    }
}

/// Half of the default interval: a probe that waits longer is late for its slot.
const SLOW: Duration = Duration::from_millis(100);

/// At most a line a minute.
const QUIET: Duration = Duration::from_secs(60);
