//! Round trips, and how long detection takes: slower than configured where the targets are slow.
//!
//! The estimate is that of TCP (Jacobson and Karels, RFC 6298): mean plus four times the mean deviation. It is how long an
//! answer is waited for; when it outgrows the time between two probes, these are sent more slowly.

use std::time::Duration;

use super::ring::WINDOW;
use crate::time::Instant;

/// Probes to a verdict: five losses, and two probes whose fate may be open (in.mpathd).
const PROBES: u32 = 7;

/// No estimate is shorter: scheduling takes that long.
const SHORTEST: Duration = Duration::from_millis(1);

/// How long detection stays slow at least, so that it does not swing.
const SETTLING: Duration = Duration::from_secs(60);

/// The longest detection time, as in the configuration.
const LONGEST: Duration = Duration::from_secs(3600);

/// What a sample of the round trip means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sample {
    /// Of a probe that counts.
    Counted(Duration),
    /// Of one that may only shorten the estimate.
    Timing(Duration),
}

/// The round trip to a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct RoundTrip {
    estimate: Option<Estimate>,
    /// A sample that alone would slow detection down: the next one decides.
    held: Option<Duration>,
}

/// Mean, and four times the mean deviation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Estimate {
    mean: Duration,
    deviation: Duration,
}

impl RoundTrip {
    /// How long an answer may take; none before the first.
    pub(super) fn limit(&self) -> Option<Duration> {
        self.estimate.map(|estimate| estimate.limit())
    }

    /// Mean, and mean deviation.
    pub(super) fn average(&self) -> Option<(Duration, Duration)> {
        self.estimate.map(|estimate| (estimate.mean, estimate.deviation / 4))
    }

    /// Takes in a sample; returns the new limit if it changed.
    pub(super) fn add(&mut self, sample: Sample, interval: Duration) -> Option<Duration> {
        match sample {
            Sample::Counted(sample) => self.add_counted(sample, interval),
            Sample::Timing(sample) => {
                let after = Estimate::after(self.estimate, sample);
                let is_shorter = self.limit().is_some_and(|limit| after.limit() < limit);
                is_shorter.then(|| self.set(after))
            }
        }
    }

    fn add_counted(&mut self, sample: Duration, interval: Duration) -> Option<Duration> {
        if sample > interval.saturating_mul(u32::try_from(WINDOW).unwrap_or(u32::MAX)) {
            return None;
        }
        let after = Estimate::after(self.estimate, sample);
        match self.held.take() {
            None if after.limit() > interval => {
                self.held = Some(sample);
                None
            }
            Some(held) if after.limit() > interval => {
                let both = Estimate::after(Some(Estimate::after(self.estimate, held)), sample);
                Some(self.set(both))
            }
            None | Some(_) => Some(self.set(after)),
        }
    }

    fn set(&mut self, estimate: Estimate) -> Duration {
        self.estimate = Some(estimate);
        estimate.limit()
    }
}

impl Estimate {
    fn after(before: Option<Estimate>, sample: Duration) -> Estimate {
        let Some(Estimate { mean, deviation }) = before else {
            return Estimate { mean: sample, deviation: sample * 2 };
        };
        let error = sample.abs_diff(mean);
        let mean = if sample > mean { mean + error / 8 } else { mean - error / 8 };
        Estimate { mean, deviation: deviation + error - deviation / 4 }
    }

    /// In whole milliseconds, as in.mpathd has it.
    fn limit(&self) -> Duration {
        let whole = u64::try_from((self.mean + self.deviation).as_millis()).unwrap_or(u64::MAX);
        Duration::from_millis(whole).max(SHORTEST)
    }
}

/// How fast a group finds out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Detection {
    configured: Duration,
    time: Duration,
    interval: Duration,
    raised: Option<Instant>,
}

impl Detection {
    pub(super) fn new(configured: Duration) -> Self {
        Self { configured, time: configured, interval: interval_for(configured), raised: None }
    }

    pub(super) fn configured(&self) -> Duration {
        self.configured
    }

    /// Within this time a silent member is found failed.
    pub(super) fn time(&self) -> Duration {
        self.time
    }

    /// Between two probes that count.
    pub(super) fn interval(&self) -> Duration {
        self.interval
    }

    /// Between two probes of any sort.
    pub(super) fn configured_interval(&self) -> Duration {
        interval_for(self.configured)
    }

    /// Answers take as long as this: probes are sent more slowly. False if that is the longest already.
    pub(super) fn raise(&mut self, now: Instant, limit: Duration) -> bool {
        let time = (limit * 2).saturating_mul(PROBES).min(LONGEST.max(self.configured));
        let before = std::mem::replace(&mut self.time, time);
        self.interval = time / PROBES;
        self.raised = Some(now);
        time > before
    }

    /// Whether it may go down by now.
    pub(super) fn may_lower(&self, now: Instant) -> bool {
        self.time > self.configured && self.raised.is_none_or(|at| now.since(at) > SETTLING)
    }

    /// All answers come quickly again: twice as fast, down to what is configured.
    pub(super) fn lower(&mut self) {
        self.time = (self.time / 2).max(self.configured);
        self.interval = interval_for(self.time);
    }

    /// Whether an estimate is short enough to go down.
    pub(super) fn is_quick(&self, limit: Duration) -> bool {
        limit <= self.interval / 4
    }

    /// Whether an estimate is so short that a slower target is an exception.
    pub(super) fn is_ordinary(&self, limit: Duration) -> bool {
        limit <= self.interval / 2
    }
}

fn interval_for(time: Duration) -> Duration {
    let whole = u64::try_from(time.as_millis()).unwrap_or(u64::MAX) / u64::from(PROBES);
    Duration::from_millis(whole.max(1))
}
