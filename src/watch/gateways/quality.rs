//! Loss and latency of one target over its last probes: first tries only, so that retries hide nothing.

use std::collections::VecDeque;
use std::time::Duration;

use super::notice::FailureCause;
use crate::config::{Judging, Limits};

/// What became of the first try of a round.
#[derive(Debug, Clone, Copy)]
struct Sample {
    sequence: u16,
    round_trip: Option<Duration>,
}

/// The last samples, and which limits they have crossed.
#[derive(Debug, Clone, Default)]
pub(super) struct Quality {
    samples: VecDeque<Sample>,
    lossy: bool,
    slow: bool,
}

impl Quality {
    /// A first try was answered, if late, or given up.
    pub(super) fn note(&mut self, sequence: u16, round_trip: Option<Duration>, judging: &Judging) {
        match self.samples.iter_mut().rev().find(|sample| sample.sequence == sequence) {
            Some(sample) => sample.round_trip = round_trip,
            None => self.samples.push_back(Sample { sequence, round_trip }),
        }
        self.fit(judging);
    }

    /// Judges anew, by limits that may have changed.
    pub(super) fn fit(&mut self, judging: &Judging) {
        let window = usize::from(judging.window);
        self.samples.drain(..self.samples.len().saturating_sub(window));
        self.lossy = judging.loss.is_some_and(|limits| self.is_lossy(limits, window));
        self.slow = judging.latency.is_some_and(|limits| self.is_slow(limits, window));
    }

    /// After silence a way starts anew: it was dead, not lossy.
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }

    /// The limit that is broken.
    pub(super) fn fault(&self) -> Option<FailureCause> {
        let loss = self.lossy.then_some(FailureCause::Loss);
        loss.or(self.slow.then_some(FailureCause::Latency))
    }

    /// Percent of the probes that were lost; none before the first.
    pub(super) fn loss(&self) -> Option<u8> {
        let whole = self.samples.len();
        if whole == 0 {
            return None;
        }
        u8::try_from((self.lost() * 100 + whole / 2) / whole).ok()
    }

    /// Mean round trip of those that were answered.
    pub(super) fn latency(&self) -> Option<Duration> {
        let (sum, count) = self.round_trips();
        sum.checked_div(count)
    }

    /// Until the window is full what is to come counts as answered: so many lost are too many whatever follows.
    fn is_lossy(&self, limits: Limits<u8>, window: usize) -> bool {
        let whole = window.max(self.samples.len());
        let (lost, bad, good) = (self.lost() * 100, usize::from(limits.bad), usize::from(limits.good));
        lost > 0 && (lost >= bad * whole || (self.lossy && lost > good * whole))
    }

    /// Half a window has to be answered: one slow answer after ARP has to be no verdict.
    fn is_slow(&self, limits: Limits<Duration>, window: usize) -> bool {
        let (sum, count) = self.round_trips();
        let Some(mean) = sum.checked_div(count) else { return self.slow };
        if usize::try_from(count).is_ok_and(|count| count * 2 < window) {
            return self.slow;
        }
        mean >= limits.bad || (self.slow && mean > limits.good)
    }

    fn lost(&self) -> usize {
        self.samples.iter().filter(|sample| sample.round_trip.is_none()).count()
    }

    fn round_trips(&self) -> (Duration, u32) {
        let answered = self.samples.iter().filter_map(|sample| sample.round_trip);
        answered.fold((Duration::ZERO, 0), |(sum, count), next| (sum.saturating_add(next), count + 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judging() -> Judging {
        Judging {
            loss: Some(Limits { bad: 20, good: 5 }),
            latency: Some(Limits { bad: Duration::from_millis(100), good: Duration::from_millis(50) }),
            window: 20,
            ..Judging::default()
        }
    }

    fn feed(quality: &mut Quality, from: u16, samples: &[Option<u64>]) -> u16 {
        let mut sequence = from;
        for sample in samples {
            quality.note(sequence, sample.map(Duration::from_millis), &judging());
            sequence += 1;
        }
        sequence
    }

    #[test]
    fn so_many_lost_that_the_rest_cannot_help_is_lossy_before_the_window_is_full() {
        let mut quality = Quality::default();
        let next = feed(&mut quality, 0, &[None, None, None]);
        assert_eq!(quality.fault(), None);
        feed(&mut quality, next, &[None]);
        assert_eq!(quality.fault(), Some(FailureCause::Loss));
    }

    #[test]
    fn loss_is_good_again_only_at_the_lower_limit() {
        let mut quality = Quality::default();
        let next = feed(&mut quality, 0, &[None, None, None, None]);
        let next = feed(&mut quality, next, &[Some(1); 18]);
        assert_eq!((quality.loss(), quality.fault()), (Some(10), Some(FailureCause::Loss)));
        feed(&mut quality, next, &[Some(1)]);
        assert_eq!((quality.loss(), quality.fault()), (Some(5), None));
    }

    #[test]
    fn a_late_answer_takes_the_loss_back() {
        let mut quality = Quality::default();
        let next = feed(&mut quality, 0, &[None, None, None]);
        quality.note(2, Some(Duration::from_millis(700)), &judging());
        feed(&mut quality, next, &[None]);
        assert_eq!((quality.loss(), quality.fault()), (Some(75), None));
    }

    #[test]
    fn latency_waits_for_half_a_window_and_has_hysteresis() {
        let mut quality = Quality::default();
        let next = feed(&mut quality, 0, &[Some(150); 9]);
        assert_eq!(quality.fault(), None);
        let next = feed(&mut quality, next, &[Some(150)]);
        assert_eq!(quality.fault(), Some(FailureCause::Latency));
        let next = feed(&mut quality, next, &[Some(40); 18]);
        assert_eq!(quality.latency(), Some(Duration::from_millis(51)));
        assert_eq!(quality.fault(), Some(FailureCause::Latency));
        feed(&mut quality, next, &[Some(40)]);
        assert_eq!(quality.fault(), None);
    }

    #[test]
    fn the_sequence_may_wrap() {
        let mut quality = Quality::default();
        for sequence in [65_534, 65_535, 0, 1_u16] {
            quality.note(sequence, None, &judging());
        }
        assert_eq!(quality.loss(), Some(100));
    }
}
