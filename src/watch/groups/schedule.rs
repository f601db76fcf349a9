//! When the probes of one family of a member are due: a strictly periodic base, and a jitter on top.

use std::time::Duration;

use crate::random::Random;
use crate::time::Instant;

/// What is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sort {
    /// A probe that counts.
    Counted,
    /// Detection is slowed down: one that only measures whether it still has to be.
    Timing,
}

/// See the module.
#[derive(Debug, Clone, Default)]
pub(super) struct Schedule {
    base: Instant,
    next: Option<Instant>,
    counted: Option<Instant>,
}

impl Schedule {
    /// Begins with a phase of its own, so that members do not ask all at once.
    pub(super) fn start(&mut self, now: Instant, interval: Duration, random: &mut Random) {
        self.base = now + random.between(Duration::ZERO, interval);
        self.counted = None;
        self.aim(interval, random);
    }

    pub(super) fn stop(&mut self) {
        self.next = None;
    }

    pub(super) fn is_running(&self) -> bool {
        self.next.is_some()
    }

    pub(super) fn next(&self) -> Option<Instant> {
        self.next
    }

    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.next.is_some_and(|next| now >= next)
    }

    /// Takes what is due and plans the next. `interval`: as configured; `counted`: between two probes that count.
    pub(super) fn take(
        &mut self,
        now: Instant,
        interval: Duration,
        counted: Duration,
        random: &mut Random,
    ) -> Sort {
        let counts = self.counted.is_none_or(|last| self.base >= last + counted);
        if counts {
            self.counted = Some(self.base);
        }
        self.base = self.base + interval;
        self.skip_missed(now, interval);
        self.aim(interval, random);
        if counts { Sort::Counted } else { Sort::Timing }
    }

    /// Whole intervals that passed while nobody looked are left out: a burst would prove nothing.
    fn skip_missed(&mut self, now: Instant, interval: Duration) {
        let late = now.since(self.base + interval / 2);
        if !late.is_zero() {
            let whole = late.as_nanos().div_ceil(interval.as_nanos().max(1));
            self.base = self.base + interval.saturating_mul(u32::try_from(whole).unwrap_or(u32::MAX));
        }
    }

    fn aim(&mut self, interval: Duration, random: &mut Random) {
        self.next = Some(self.base + random.between(interval / 2, interval));
    }
}
