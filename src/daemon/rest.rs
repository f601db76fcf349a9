//! How long the loop rests after a turn that read packets, so that the next takes what has come meanwhile at one go: a
//! wake-up costs more than the packet that it is for.
//!
//! A short rest follows when packets come closely; nobody can see it. In a crowd, where hundreds of packets come in an
//! eighth of an interval, it is longer: one wake-up for sixteen packets and more, still far within the eighth after
//! which those who asked ask again.

use std::time::Duration;

use crate::time::Instant;

/// Remembers how closely packets come.
#[derive(Debug, Default)]
pub(super) struct Rests {
    /// When the last turn ended that read some.
    last_read: Instant,
    /// Packets are counted since this moment; there were so many.
    since: Instant,
    read: u32,
    /// The rest in a crowd, if there was one then.
    in_crowd: Option<Duration>,
}

impl Rests {
    /// The longest rest after a turn that ended at `now` and read so many packets; none if they come singly. `interval`:
    /// how often we ask; `fastest`: how often the fastest of those asks who ask us, wanted eight times an interval at most.
    pub(super) fn after(
        &mut self,
        now: Instant,
        read: usize,
        interval: Duration,
        fastest: impl FnOnce() -> Duration,
    ) -> Duration {
        if read == 0 {
            return Duration::ZERO;
        }
        let pause = now.since(std::mem::replace(&mut self.last_read, now));
        let short = (interval / PART).min(LONGEST);
        if short < SHORTEST {
            return Duration::ZERO;
        }
        self.count(now, read, interval, fastest);
        let alone = if pause > short * 2 { Duration::ZERO } else { short };
        self.in_crowd.map_or(alone, |rest| rest.max(short))
    }

    fn count(&mut self, now: Instant, read: usize, interval: Duration, fastest: impl FnOnce() -> Duration) {
        self.read = self.read.saturating_add(u32::try_from(read).unwrap_or(u32::MAX));
        let elapsed = now.since(self.since);
        let window = (interval / 8).min(LONGEST_IN_CROWD * 8);
        if elapsed >= window {
            let is_crowd = window * self.read >= elapsed * CROWD;
            let rest = || (interval.min(fastest()) / PART_IN_CROWD).min(LONGEST_IN_CROWD);
            self.in_crowd = is_crowd.then(rest);
            (self.since, self.read) = (now, 0);
        }
    }
}

/// A rest is this part of the interval: nothing in what traffic sees of a fault, and at the default interval half of
/// the millisecond in which a peer's report is to be followed.
const PART: u32 = 400;

/// 1,000 peers at 1 s are 4 packets a millisecond.
const LONGEST: Duration = Duration::from_millis(1);

/// A shorter one would cost more than it saves.
const SHORTEST: Duration = Duration::from_micros(100);

/// In a crowd it is this part: an eighth of the time after which a question is repeated.
const PART_IN_CROWD: u32 = 64;

/// Even if all ask seldom: the longest that a crowd's report may wait.
const LONGEST_IN_CROWD: Duration = Duration::from_millis(16);

/// So many packets in an eighth of an interval make a crowd. All answers to an INQ of ours may come within one: 64 peers
/// on one LAN, 32 on two, are none yet.
const CROWD: u32 = 128;

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const MILLISECOND: Duration = Duration::from_millis(1);

    /// The rests of a loop that reads `read` packets each `pause`, from the second window on.
    fn rests(interval: Duration, read: usize, pause: Duration, fastest: Duration) -> Vec<Duration> {
        let mut rests = Rests::default();
        let mut now = Instant::from_nanos(1_000_000_000);
        let mut all = Vec::new();
        for _ in 0..500 {
            now = now + pause;
            all.push(rests.after(now, read, interval, || fastest));
        }
        all.split_off(400)
    }

    #[test]
    fn packets_that_come_singly_are_read_at_once() {
        assert!(rests(SECOND, 1, MILLISECOND * 5, SECOND).iter().all(Duration::is_zero));
        assert!(rests(SECOND, 0, MILLISECOND / 10, SECOND).iter().all(Duration::is_zero));
    }

    #[test]
    fn packets_that_come_closely_wait_for_company() {
        assert!(rests(SECOND, 1, MILLISECOND * 2, SECOND).iter().all(|rest| *rest == MILLISECOND));
        let at_defaults = rests(SECOND / 5, 2, MILLISECOND, SECOND);
        assert!(at_defaults.iter().all(|rest| *rest == MILLISECOND / 2), "{at_defaults:?}");
    }

    #[test]
    fn a_fast_interval_never_rests() {
        assert!(rests(MILLISECOND * 10, 8, MILLISECOND / 10, SECOND).iter().all(Duration::is_zero));
    }

    #[test]
    fn a_crowd_waits_longer_but_not_longer_than_the_fastest_of_it_allows() {
        assert!(rests(SECOND, 4, MILLISECOND, SECOND).iter().all(|rest| *rest == SECOND / 64));
        assert!(rests(SECOND * 60, 4, MILLISECOND, SECOND * 60).iter().all(|rest| *rest == MILLISECOND * 16));
        assert!(rests(SECOND, 4, MILLISECOND, SECOND / 5).iter().all(|rest| *rest == SECOND / 5 / 64));
        assert!(rests(SECOND, 4, MILLISECOND, MILLISECOND * 10).iter().all(|rest| *rest == MILLISECOND));
    }

    /// Fifteen peers on two LANs answer all at once, each second; then they ask one after the other.
    #[test]
    fn a_burst_is_no_crowd() {
        let mut rests = Rests::default();
        let mut now = Instant::from_nanos(1_000_000_000);
        for _ in 0..10 {
            for _ in 0..30 {
                now = now + MILLISECOND / 20;
                assert!(rests.after(now, 1, SECOND, || SECOND) <= MILLISECOND);
            }
            for _ in 0..30 {
                now = now + MILLISECOND * 30;
                assert_eq!(rests.after(now, 1, SECOND, || SECOND), Duration::ZERO);
            }
        }
    }
}
