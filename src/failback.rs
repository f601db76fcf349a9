//! Failback policy and damping: when traffic may fail back to a path or next hop that works again (rule 6 of
//! faild-protocol(7); `failback` and `[damping]` in faild.toml(5)). Neither keeps traffic on a path that is dead.

use std::time::Duration;

use crate::config::{Config, Damping, Failback};
use crate::damping::Penalty;
use crate::time::Instant;

/// What failback waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hold {
    /// The policy: the administrator has to say so.
    Manual,
    /// The policy: it has to work for so much longer.
    Delay(Duration),
    /// The policy: that time of day, in seconds since midnight. It may span midnight.
    Window {
        /// Start.
        from: u32,
        /// End.
        until: u32,
    },
    /// It has failed too often lately.
    Damped {
        /// The penalty by now.
        penalty: u32,
        /// How long until it is low enough.
        wait: Duration,
    },
}

/// How a path or next hop has behaved, as far as failback depends on it.
#[derive(Debug, Clone)]
pub(crate) struct TrackRecord {
    up_since: Option<Instant>,
    penalty: Penalty,
    has_failed: bool,
    is_held: bool,
}

impl TrackRecord {
    /// Of a path that is not known to work yet. `penalty`: from before a restart, 0 for a new path.
    pub(crate) fn new(now: Instant, penalty: f64, damping: &Damping) -> Self {
        let has_failed = penalty > 0.0;
        Self { up_since: None, penalty: Penalty::new(now, penalty, damping), has_failed, is_held: false }
    }

    /// Since when it works without a break.
    pub(crate) const fn up_since(&self) -> Option<Instant> {
        self.up_since
    }

    /// Whether it worked once and failed since, in this run or before.
    pub(crate) const fn has_failed(&self) -> bool {
        self.has_failed
    }

    /// Whether failback waits for the administrator, if that is the policy.
    pub(crate) const fn is_held(&self) -> bool {
        self.is_held
    }

    /// The damping penalty by now.
    pub(crate) fn penalty(&self, now: Instant, damping: &Damping) -> f64 {
        self.penalty.value(now, damping)
    }

    /// How long damping still suppresses failback; none if it does not.
    pub(crate) fn damped_for(&self, now: Instant, damping: &Damping) -> Option<Duration> {
        self.penalty.free_in(now, damping)
    }

    /// It has worked since then; `None` if it does not work. That alone is no failure.
    pub(crate) fn set_up(&mut self, since: Option<Instant>) {
        self.up_since = since;
    }

    /// It worked, and has failed.
    pub(crate) fn on_failure(&mut self, now: Instant, damping: &Damping) {
        self.penalty.on_failure(now, damping);
        self.has_failed = true;
    }

    /// Sets whether it has failed, for what was learned from an earlier run or from another path.
    pub(crate) fn set_failed(&mut self, has_failed: bool) {
        self.has_failed = has_failed;
    }

    /// Sets whether failback waits for the administrator.
    pub(crate) fn set_held(&mut self, is_held: bool) {
        self.is_held = is_held;
    }

    /// The settings of damping have changed.
    pub(crate) fn fit(&mut self, now: Instant, old: &Damping, new: &Damping) {
        self.penalty.fit(now, old, new);
    }

    /// Takes over the record of a path that this one replaces.
    pub(crate) fn succeed(&mut self, other: &Self) {
        self.penalty = other.penalty;
        self.has_failed |= other.has_failed;
        self.is_held |= other.is_held;
    }

    /// What failback waits for under these settings, the policy first. `time_of_day`: seconds since midnight.
    pub(crate) fn holds(
        &self,
        now: Instant,
        config: &Config,
        time_of_day: Option<u32>,
    ) -> impl Iterator<Item = Hold> + use<> {
        let policy = match config.failback {
            Failback::Auto => None,
            Failback::Manual => self.is_held.then_some(Hold::Manual),
            Failback::Delay(delay) => {
                let left = self.up_since.map_or(delay, |since| delay.saturating_sub(now.since(since)));
                let waits = self.has_failed || self.up_since.is_none();
                (waits && !left.is_zero()).then_some(Hold::Delay(left))
            }
            Failback::Window { from, until } => {
                let waits = self.has_failed && !is_within(time_of_day, from, until);
                waits.then_some(Hold::Window { from, until })
            }
        };
        let damped = self.damped_for(now, &config.damping).map(|wait| {
            #[expect(clippy::cast_possible_truncation, reason = "it saturates, and people need no more")]
            let penalty = self.penalty(now, &config.damping).round() as u32;
            Hold::Damped { penalty, wait }
        });
        policy.into_iter().chain(damped)
    }
}

fn is_within(time_of_day: Option<u32>, from: u32, until: u32) -> bool {
    time_of_day
        .is_some_and(|t| if from <= until { (from..until).contains(&t) } else { t >= from || t < until })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn at(seconds: u32) -> Instant {
        Instant::default() + SECOND * seconds
    }

    fn config(failback: Failback) -> Config {
        Config { failback, ..Config::default() }
    }

    fn holds(record: &TrackRecord, now: u32, failback: Failback, time_of_day: Option<u32>) -> Vec<Hold> {
        record.holds(at(now), &config(failback), time_of_day).collect()
    }

    /// A path that has failed once, has worked again since the 10th second, and is not damped.
    fn repaired() -> TrackRecord {
        let mut record = TrackRecord::new(at(0), 0.0, &Damping::default());
        record.on_failure(at(0), &Damping::default());
        record.set_up(Some(at(10)));
        record
    }

    #[test]
    fn a_policy_holds_what_has_failed_and_nothing_else() {
        let (window, night) =
            (Failback::Window { from: 60, until: 120 }, Failback::Window { from: 120, until: 60 });
        let delay = Failback::Delay(SECOND * 30);
        let in_window = vec![Hold::Window { from: 60, until: 120 }];
        let in_night = vec![Hold::Window { from: 120, until: 60 }];
        let mut new = TrackRecord::new(at(0), 0.0, &Damping::default());
        new.set_up(Some(at(10)));
        for policy in [Failback::Auto, Failback::Manual, delay, window, night] {
            assert_eq!(holds(&new, 11, policy, None), [], "{policy:?}");
        }
        let failed = repaired();
        let cases = [
            (Failback::Auto, 11, None, vec![]),
            (Failback::Manual, 11, None, vec![]),
            (delay, 15, None, vec![Hold::Delay(SECOND * 25)]),
            (delay, 39, None, vec![Hold::Delay(SECOND)]),
            (delay, 40, None, vec![]),
            (window, 11, None, in_window.clone()),
            (window, 11, Some(59), in_window.clone()),
            (window, 11, Some(60), vec![]),
            (window, 11, Some(119), vec![]),
            (window, 11, Some(120), in_window.clone()),
            (night, 11, Some(119), in_night.clone()),
            (night, 11, Some(120), vec![]),
            (night, 11, Some(59), vec![]),
            (night, 11, Some(60), in_night.clone()),
        ];
        for (policy, now, time_of_day, expected) in cases {
            assert_eq!(
                holds(&failed, now, policy, time_of_day),
                expected,
                "{policy:?} {now} {time_of_day:?}"
            );
        }
        let mut left = repaired();
        left.set_held(true);
        assert_eq!(holds(&left, 11, Failback::Manual, None), [Hold::Manual]);
        assert_eq!(holds(&left, 11, Failback::Auto, None), []);
    }

    #[test]
    fn what_fails_too_often_is_held_by_any_policy() {
        let mut record = repaired();
        for _ in 0..2 {
            record.on_failure(at(10), &Damping::default());
        }
        let damped = |hold: &Hold| matches!(hold, Hold::Damped { penalty: 2000.., wait } if !wait.is_zero());
        let alone = holds(&record, 11, Failback::Auto, None);
        assert!(alone.len() == 1 && damped(&alone[0]), "{alone:?}");
        record.set_held(true);
        let both = holds(&record, 11, Failback::Manual, None);
        assert!(both.len() == 2 && both[0] == Hold::Manual && damped(&both[1]), "{both:?}");
    }
}
