//! Pauses between attempts at what does not succeed: 1, 2, 4 ... 60 s. Nobody is fought in a loop, and what may have got
//! well is not waited for much longer than it took.

use std::time::Duration;

use crate::time::Instant;

/// Longest pause between two attempts.
pub(super) const LONGEST: Duration = Duration::from_secs(60);

/// How often it has failed, and when it may be tried again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Backoff {
    failures: u32,
    not_before: Instant,
}

impl Backoff {
    /// An attempt failed.
    pub(super) fn failed(&mut self, now: Instant) {
        self.failed_with(now, LONGEST);
    }

    /// An attempt failed, and no pause is to be longer than this.
    pub(super) fn failed_with(&mut self, now: Instant, longest: Duration) {
        self.failures = self.failures.saturating_add(1);
        self.not_before = now + pause(self.failures).min(longest);
    }

    /// What had succeeded was undone: it is done again at once the first `free` times.
    pub(super) fn undone(&mut self, now: Instant, free: u32) {
        self.failures = self.failures.saturating_add(1);
        self.not_before = now + pause(self.failures.saturating_sub(free));
    }

    /// What it failed for may have gone: the next attempt is made at once.
    pub(super) fn hurry(&mut self) {
        self.not_before = Instant::default();
    }

    /// Earlier failures are forgotten; a pause that has begun goes on.
    pub(super) fn forgive(&mut self) {
        self.failures = 0;
    }

    /// How often it has failed.
    pub(super) const fn failures(&self) -> u32 {
        self.failures
    }

    /// When the next attempt may be made.
    pub(super) const fn not_before(&self) -> Instant {
        self.not_before
    }

    /// Whether an attempt may be made.
    pub(super) fn may_try(&self, now: Instant) -> bool {
        self.not_before <= now
    }
}

/// After so many failures.
fn pause(failures: u32) -> Duration {
    match failures {
        0 => Duration::ZERO,
        n => Duration::from_secs(1 << (n - 1).min(6)).min(LONGEST),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pauses(mut fail: impl FnMut(&mut Backoff, Instant)) -> Vec<u64> {
        let (now, mut backoff) = (Instant::from_nanos(7), Backoff::default());
        let mut pause = |_| {
            fail(&mut backoff, now);
            assert_eq!(backoff.may_try(now), backoff.not_before() == now);
            backoff.not_before().since(now).as_secs()
        };
        (0..9).map(&mut pause).collect()
    }

    #[test]
    fn pauses_double_up_to_a_minute() {
        assert_eq!(pauses(|b, now| b.failed(now)), [1, 2, 4, 8, 16, 32, 60, 60, 60]);
        let longest = Duration::from_secs(10);
        assert_eq!(pauses(|b, now| b.failed_with(now, longest)), [1, 2, 4, 8, 10, 10, 10, 10, 10]);
        assert_eq!(pauses(|b, now| b.undone(now, 1)), [0, 1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(pauses(|b, now| b.undone(now, 6)), [0, 0, 0, 0, 0, 0, 1, 2, 4]);
    }

    #[test]
    fn a_hurry_forgets_no_failure() {
        let mut backoff = Backoff::default();
        (0..3).for_each(|_| backoff.failed(Instant::from_nanos(7)));
        backoff.hurry();
        assert!(backoff.may_try(Instant::from_nanos(7)));
        assert_eq!(backoff.failures(), 3);
        backoff.forgive();
        assert_eq!(backoff.failures(), 0);
    }
}
