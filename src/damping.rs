//! Flap damping: a path that keeps failing has to behave for longer before traffic goes home to it.
//!
//! The penalty of RFC 2439: each failure adds, time halves. Damping holds back only the leaving of a way that works
//! (rule 6 of faild-protocol(7)), so no traffic stays on a dead way for its sake.

use std::time::Duration;

use crate::config::Damping;
use crate::time::Instant;

/// The penalty of one path.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Penalty {
    value: f64,
    at: Instant,
    suppressed: bool,
}

impl Penalty {
    /// Starts with a penalty from before, 0 for a new path.
    pub(crate) fn new(now: Instant, value: f64, settings: &Damping) -> Self {
        let value =
            if value.is_finite() { value.clamp(0.0, settings.ceiling().max(settings.suppress)) } else { 0.0 };
        Self { value, at: now, suppressed: value >= settings.suppress }
    }

    /// The path failed.
    pub(crate) fn on_failure(&mut self, now: Instant, settings: &Damping) {
        let suppressed = self.is_suppressed(now, settings);
        self.value =
            (self.value(now, settings) + settings.penalty).min(settings.ceiling().max(settings.suppress));
        self.at = now;
        self.suppressed = suppressed || self.value >= settings.suppress;
    }

    /// The penalty by now.
    pub(crate) fn value(&self, now: Instant, settings: &Damping) -> f64 {
        self.value * settings.remaining(now.since(self.at))
    }

    /// The settings have changed: what was gathered stays, as far as the new ones allow.
    pub(crate) fn fit(&mut self, now: Instant, old: &Damping, new: &Damping) {
        let (value, suppressed) = (self.value(now, old), self.is_suppressed(now, old));
        *self = Self::new(now, value, new);
        self.suppressed |= suppressed;
    }

    /// Whether the path still has to wait.
    pub(crate) fn is_suppressed(&self, now: Instant, settings: &Damping) -> bool {
        self.suppressed && self.value(now, settings) >= settings.reuse
    }

    /// How long the path still has to wait; none if it has not.
    pub(crate) fn free_in(&self, now: Instant, settings: &Damping) -> Option<Duration> {
        let whole = settings.elapsed_at(settings.reuse / self.value);
        self.is_suppressed(now, settings).then(|| whole.saturating_sub(now.since(self.at)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Instant {
        Instant::from_nanos(seconds * 1_000_000_000)
    }

    #[test]
    fn third_failure_in_a_row_suppresses_and_time_frees() {
        let settings = Damping::default();
        let mut penalty = Penalty::new(at(0), 0.0, &settings);
        penalty.on_failure(at(0), &settings);
        penalty.on_failure(at(5), &settings);
        assert!(!penalty.is_suppressed(at(5), &settings));
        penalty.on_failure(at(10), &settings);
        assert!(penalty.is_suppressed(at(10), &settings));
        assert!(penalty.is_suppressed(at(60), &settings));
        assert!(!penalty.is_suppressed(at(120), &settings));
    }

    #[test]
    fn the_wait_that_is_told_is_the_wait() {
        let settings = Damping::default();
        for failures in 3..20 {
            let mut penalty = Penalty::new(at(0), 0.0, &settings);
            (0..failures).for_each(|second| penalty.on_failure(at(second), &settings));
            let asked = at(failures + 7);
            let left = penalty.free_in(asked, &settings).unwrap();
            assert!(penalty.is_suppressed(asked + left - Duration::from_millis(1), &settings), "{left:?}");
            assert!(!penalty.is_suppressed(asked + left + Duration::from_millis(1), &settings), "{left:?}");
        }
        assert_eq!(Penalty::new(at(0), 0.0, &settings).free_in(at(1), &settings), None);
    }

    #[test]
    fn no_path_is_suppressed_longer_than_the_maximum() {
        let settings = Damping::default();
        let mut penalty = Penalty::new(at(0), f64::INFINITY, &settings);
        for second in 0..1000 {
            penalty.on_failure(at(second), &settings);
        }
        assert!(penalty.is_suppressed(at(1000), &settings));
        assert!(!penalty.is_suppressed(at(999) + settings.maximum + Duration::from_secs(1), &settings));
    }
}
