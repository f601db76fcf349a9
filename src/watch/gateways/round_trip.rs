//! How long the answers of a target take: smoothed, as TCP does it (RFC 6298 section 2).

use std::time::Duration;

/// Mean and mean deviation; none before the first answer.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct RoundTrip(Option<(Duration, Duration)>);

impl RoundTrip {
    /// An answer came.
    pub(super) fn add(&mut self, sample: Duration) {
        self.0 = Some(match self.0 {
            None => (sample, sample / 4),
            Some((mean, deviation)) => {
                let off = sample.abs_diff(mean);
                ((mean * 7 + sample) / 8, (deviation * 3 + off) / 4)
            }
        });
    }

    /// Mean, and mean deviation.
    pub(super) fn average(&self) -> Option<(Duration, Duration)> {
        self.0
    }

    /// An answer that takes longer is lost in all likelihood; zero before the first.
    pub(super) fn limit(&self) -> Duration {
        self.0.map_or(Duration::ZERO, |(mean, deviation)| mean + deviation * 4)
    }
}
