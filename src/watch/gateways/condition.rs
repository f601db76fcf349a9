//! What the link of a next hop and its probes say of it, and what they say of the others.

use super::super::snapshot::HopState;
use super::hop::Hop;
use super::notice::FailureCause;
use super::target::{Level, Target};
use crate::config::{Judging, Method, Need};
use crate::group::Witness;
use crate::time::Instant;

/// What its probes and its link say of a next hop, before the others are asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Condition {
    Unknown,
    Works,
    Poor(FailureCause),
    /// Its link is down: no question.
    Link,
    /// Not answered since then; the last round that was missed began at `until`.
    Silent {
        cause: FailureCause,
        since: Instant,
        until: Instant,
    },
}

impl Hop {
    /// The ways of asking the gateway that mean something on its interface.
    fn methods(&self) -> impl Iterator<Item = &Target> {
        self.gateway.iter().filter(|target| self.is_ethernet || target.method != Method::Neighbour)
    }

    /// Whether anything is asked; else its link is all that speaks for it.
    pub(super) fn is_probed(&self) -> bool {
        !self.targets.is_empty() || self.methods().next().is_some()
    }

    /// What its link and its probes say.
    pub(super) fn condition(&self, now: Instant, judging: &Judging, alone: bool) -> Condition {
        if self.link.is_none() {
            return Condition::Link;
        }
        if !self.is_probed() {
            let proven = self.verdict != HopState::Down || alone || now >= self.proven_at(judging);
            return if proven { Condition::Works } else { Condition::Unknown };
        }
        match (self.gateway_condition(now), self.targets_condition(now, judging)) {
            (Condition::Works, beyond) => self.with_quality(beyond, judging),
            (Condition::Unknown, beyond @ Condition::Silent { .. }) => beyond,
            (gateway, _) => gateway,
        }
    }

    /// When a link that is not probed has been up for as long as probes would have to be answered.
    pub(super) fn proven_at(&self, judging: &Judging) -> Instant {
        self.running_since + judging.interval.saturating_mul(judging.good.get())
    }

    fn gateway_condition(&self, now: Instant) -> Condition {
        if self.methods().next().is_none() || self.methods().any(|method| method.level == Level::Works) {
            return Condition::Works;
        }
        // One that is silent no more and has to prove itself is as good as unknown.
        let silences: Option<Vec<_>> = self.methods().map(|method| method.silence(now)).collect();
        match silences.and_then(|silences| silences.into_iter().max()) {
            Some((since, until)) => Condition::Silent { cause: FailureCause::NoAnswer, since, until },
            None => Condition::Unknown,
        }
    }

    fn targets_condition(&self, now: Instant, judging: &Judging) -> Condition {
        let needed = self.needed(judging);
        let count = |level| self.targets.iter().filter(|target| target.level == level).count();
        if count(Level::Works) >= needed {
            return Condition::Works;
        }
        let spare = self.targets.len() - needed;
        let mut silences: Vec<_> = self.targets.iter().filter_map(|target| target.silence(now)).collect();
        silences.sort_unstable();
        match silences.get(spare) {
            Some((since, until)) => {
                Condition::Silent { cause: FailureCause::TargetsDead, since: *since, until: *until }
            }
            None => Condition::Unknown,
        }
    }

    /// How many of its targets must answer.
    pub(super) fn needed(&self, judging: &Judging) -> usize {
        let all = self.targets.len();
        match judging.need {
            Need::Any => all.min(1),
            Need::All => all,
            Need::AtLeast(count) => usize::from(count).min(all),
        }
    }

    /// The targets tell loss and latency; without any the gateway does, which may be too busy to answer all.
    fn with_quality(&self, condition: Condition, judging: &Judging) -> Condition {
        if condition != Condition::Works {
            return condition;
        }
        let measured = |targets: &[&Target], needed: usize| {
            let works = targets.iter().filter(|target| target.level == Level::Works);
            let faults: Vec<_> = works.map(|target| target.quality.fault()).collect();
            let good = faults.iter().filter(|fault| fault.is_none()).count();
            faults.into_iter().flatten().min().filter(|_| good < needed)
        };
        let fault = if self.targets.is_empty() {
            measured(&self.methods().collect::<Vec<_>>(), 1)
        } else {
            measured(&self.targets.iter().collect::<Vec<_>>(), self.needed(judging))
        };
        fault.map_or(Condition::Works, Condition::Poor)
    }

    /// What it says of another that seems to have failed of `cause`, missed last at `until`.
    pub(super) fn witness(
        &self,
        now: Instant,
        judging: &Judging,
        cause: FailureCause,
        until: Instant,
    ) -> Witness {
        let mut beyond: Vec<_> = self.targets.iter().filter_map(|t| t.proof(now, until)).collect();
        beyond.sort_unstable();
        let answered = if cause == FailureCause::TargetsDead {
            beyond.len().checked_sub(self.needed(judging)).and_then(|place| beyond.get(place).copied())
        } else {
            beyond.into_iter().chain(self.methods().filter_map(|t| t.proof(now, until))).max()
        };
        Witness {
            has_link: self.link.is_some(),
            serves: self.verdict != HopState::Down,
            is_probed: self.is_probed(),
            answered,
        }
    }
}
