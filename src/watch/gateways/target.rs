//! One host that is asked by one next hop: the gateway itself, or a target beyond it.
//!
//! ```text
//!               one answer to a first try               `missed` rounds in a row
//!   unknown ------------------------------> works ------------------------------> silent
//!      |            `missed` rounds in a row              `good` first tries in a row |
//!      +------------------------------------> silent    (one, if the next hop has not |
//!                                         works <------ failed, or nothing else works) +
//! ```
//!
//! A round is one interval: a first try, and while that is not answered another at each quarter, so that loss is not
//! taken for death. A round is judged when the next is due; where the way is longer than an interval, by as many rounds
//! later. An answer that comes after the judgement clears what was missed and adds nothing to good.

use std::net::IpAddr;
use std::time::Duration;

use super::super::Context;
use super::super::input::Output;
use super::super::probes::Owner;
use super::super::snapshot::{HopState, ProbeRecord, TargetSnapshot};
use super::quality::Quality;
use super::round_trip::RoundTrip;
use super::rounds::{Answered, Judged, Reply, Rounds};
use crate::config::{Judging, Method};
use crate::interface::InterfaceIndex;
use crate::packet::{Answer, Probe};
use crate::time::Instant;

/// An interface that has just come up may take so long to get an address: a target that was never asked is not silent.
const WITHOUT_ADDRESS: Duration = Duration::from_secs(5);

/// By what share of the interval a round may be shorter, so that hosts started at once do not ask at once for ever.
const JITTER: u32 = 16;

/// What is thought of a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Level {
    Unknown,
    Works,
    Silent,
}

/// How a target is reached.
#[derive(Debug, Clone, Copy)]
pub(super) struct Line<'a> {
    pub(super) interface: &'a str,
    pub(super) index: InterfaceIndex,
    /// Where probes come from; none: there is no address, nothing can be asked.
    pub(super) source: Option<IpAddr>,
    pub(super) next_hop: Option<IpAddr>,
    pub(super) hop_limit: u8,
}

/// How a target is judged.
#[derive(Debug, Clone, Copy)]
pub(super) struct Terms<'a> {
    pub(super) judging: &'a Judging,
    /// No other next hop is answered: what comes back first serves.
    pub(super) alone: bool,
    /// The next hop has failed, and has to prove itself. One that was merely silent with all others has not.
    pub(super) failed: bool,
}

/// See the module.
#[derive(Debug, Clone)]
pub(super) struct Target {
    /// Tells it from all others as long as the watch lives.
    pub(super) number: u64,
    name: String,
    pub(super) address: IpAddr,
    pub(super) method: Method,
    pub(super) level: Level,
    pub(super) quality: Quality,
    pub(super) missed: u32,
    good: u32,
    /// Rounds in a row that did not count because the daemon was late.
    excused: u32,
    /// Rounds in a row in which there was no address to ask from.
    blocked: u32,
    rounds: Rounds,
    due: Option<Instant>,
    retry: Option<Instant>,
    round_trip: RoundTrip,
    answered: Option<Instant>,
    /// When the newest probe was sent that has been answered.
    proof: Option<Instant>,
    unanswered_since: Option<Instant>,
    /// When the first probe was sent since which none was missed.
    sound_since: Option<Instant>,
    /// When the last round began that was missed.
    last_missed: Option<Instant>,
}

impl Target {
    pub(super) fn new(number: u64, name: String, address: IpAddr, method: Method) -> Self {
        Self {
            number,
            name,
            address,
            method,
            level: Level::Unknown,
            quality: Quality::default(),
            missed: 0,
            good: 0,
            excused: 0,
            blocked: 0,
            rounds: Rounds::default(),
            due: None,
            retry: None,
            round_trip: RoundTrip::default(),
            answered: None,
            proof: None,
            unanswered_since: None,
            sound_since: None,
            last_missed: None,
        }
    }

    /// Whether another asks the same of the same host.
    pub(super) fn is_alike(&self, other: &Target) -> bool {
        (self.address, self.method) == (other.address, other.method)
    }

    /// The link is there: the first probe goes out somewhere within an interval, or within a second.
    pub(super) fn start(&mut self, context: &mut Context<'_>, interval: Duration) {
        self.forget(context);
        let soon = interval.min(Duration::from_secs(1));
        let asked = self.method != Method::Peer;
        self.due = asked.then(|| context.now + context.random.between(Duration::ZERO, soon));
    }

    /// The link is gone: nothing is asked, and nothing is known when it comes back.
    pub(super) fn stop(&mut self, context: &mut Context<'_>) {
        self.forget(context);
        self.due = None;
    }

    /// What was counted is void; proofs and measurements stay.
    pub(super) fn forget(&mut self, context: &mut Context<'_>) {
        if self.method != Method::Peer {
            self.level = Level::Unknown;
        }
        (self.missed, self.good, self.excused, self.blocked) = (0, 0, 0, 0);
        (self.unanswered_since, self.sound_since, self.last_missed) = (None, None, None);
        self.retry = None;
        self.rounds.clear(context.probes);
    }

    /// When to come back.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.due.into_iter().chain(self.retry).min()
    }

    /// Judges, asks and asks again, as far as it is time.
    pub(super) fn on_deadline(&mut self, context: &mut Context<'_>, line: Line<'_>, terms: Terms<'_>) {
        let now = context.now;
        if let Some(due) = self.due.filter(|due| *due <= now) {
            self.on_round(context, line, terms, due);
        } else if self.retry.is_some_and(|at| at <= now) {
            self.on_retry(context, line, terms.judging.interval);
        }
    }

    /// Whether a deadline is the target's.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.deadline().is_some_and(|at| at <= now)
    }

    fn on_round(&mut self, context: &mut Context<'_>, line: Line<'_>, terms: Terms<'_>, due: Instant) {
        let (now, interval) = (context.now, terms.judging.interval);
        let lag = now.since(due);
        self.judge(context, line, terms, lag > interval / 2);
        self.retry = None;
        if lag > interval {
            // After a stall all targets would be asked at once.
            self.due = Some(now + context.random.between(Duration::ZERO, interval));
            return;
        }
        self.due = Some(due + context.random.between(interval - interval / JITTER, interval));
        self.rounds.begin(now);
        self.unanswered_since.get_or_insert(now);
        self.ask(context, line);
        let retries = self.level != Level::Silent && line.source.is_some();
        self.retry = retries.then(|| now + interval / 4);
    }

    fn on_retry(&mut self, context: &mut Context<'_>, line: Line<'_>, interval: Duration) {
        let Some(began) = self.rounds.open_since() else { return self.retry = None };
        let elapsed = context.now.since(began);
        let quarters = (1..4).map(|quarter| interval * quarter / 4);
        self.retry = quarters.filter(|at| *at > elapsed).min().map(|after| began + after);
        // An answer that takes longer is not missing yet, unless one has been missed already.
        if self.missed > 0 || elapsed >= self.round_trip.limit() {
            self.ask(context, line);
        }
    }

    fn ask(&mut self, context: &mut Context<'_>, line: Line<'_>) {
        let Some(source) = line.source else { return };
        let id = context.probes.begin(context.random, Owner::Gateways(self.number));
        self.rounds.on_try(id, context.now);
        context.outputs.push_back(Output::Probe(Probe {
            id,
            interface: line.index,
            method: self.method,
            source,
            target: self.address,
            next_hop: line.next_hop,
            hop_limit: line.hop_limit,
            sequence: self.rounds.sequence(),
        }));
    }

    /// Judges the rounds whose time is over. `late`: we were, and a missed round may be our own fault.
    fn judge(&mut self, context: &mut Context<'_>, line: Line<'_>, terms: Terms<'_>, late: bool) {
        let patience = self.patience(terms.judging);
        while let Some(round) = self.rounds.judge(patience) {
            if round.answered != Answered::First
                && let Some(sent) = round.first
            {
                self.record(context, line, round.sequence, sent, None);
            }
            self.count(context, terms, round, late);
        }
        self.rounds.drop_old(context.probes, terms.judging.missed.get().saturating_add(patience));
    }

    fn count(&mut self, context: &mut Context<'_>, terms: Terms<'_>, round: Judged, late: bool) {
        let Judged { sequence, began, answered, first } = round;
        if answered == Answered::First {
            return;
        }
        self.good = 0;
        let limit = terms.judging.missed.get();
        if answered == Answered::No && late && self.excused < limit {
            self.excused += 1;
            return;
        }
        if first.is_some() {
            self.blocked = 0;
            self.quality.note(sequence, None, terms.judging);
        }
        if answered == Answered::Retry || (first.is_none() && self.is_young(terms.judging.interval)) {
            return;
        }
        self.missed = self.missed.saturating_add(1);
        (self.sound_since, self.last_missed) = (None, Some(began));
        if self.missed == 1 && self.level == Level::Works && !context.outputs.contains(&Output::QueryLinks) {
            context.outputs.push_back(Output::QueryLinks);
        }
        if self.missed >= limit {
            self.level = Level::Silent;
        }
    }

    /// Nothing was asked for want of an address, and it may still come.
    fn is_young(&mut self, interval: Duration) -> bool {
        self.blocked = self.blocked.saturating_add(1);
        self.level == Level::Unknown && interval.saturating_mul(self.blocked) < WITHOUT_ADDRESS
    }

    /// A probe was answered.
    pub(super) fn on_answer(
        &mut self,
        context: &mut Context<'_>,
        line: Line<'_>,
        terms: Terms<'_>,
        answer: &Answer,
    ) {
        if answer.interface != line.index || answer.from != self.address {
            return;
        }
        let Some(Reply { sequence, sent, is_first, is_late }) = self.rounds.on_answer(answer.id) else {
            return;
        };
        context.probes.end(answer.id);
        let round_trip = answer.arrived.since(sent);
        self.on_proof(answer.arrived, sent, round_trip);
        if is_first {
            self.quality.note(sequence, Some(round_trip), terms.judging);
        }
        if is_first && !is_late {
            self.record(context, line, sequence, sent, Some(round_trip));
            self.on_good(terms);
        }
    }

    fn on_proof(&mut self, arrived: Instant, sent: Instant, round_trip: Duration) {
        self.answered = self.answered.max(Some(arrived));
        self.proof = self.proof.max(Some(sent));
        self.unanswered_since = None;
        self.sound_since.get_or_insert(sent);
        (self.missed, self.excused, self.blocked) = (0, 0, 0);
        self.retry = None;
        self.round_trip.add(round_trip);
    }

    fn on_good(&mut self, terms: Terms<'_>) {
        self.good = self.good.saturating_add(1);
        let one_will_do = terms.alone || !terms.failed;
        if self.level != Level::Works && (one_will_do || self.good >= terms.judging.good.get()) {
            if self.level == Level::Silent {
                self.quality.forget();
            }
            self.level = Level::Works;
        }
    }

    /// What the engine says, for a host that is asked by INQ.
    pub(super) fn set_peer(&mut self, now: Instant, answers: Option<bool>) {
        let level = match answers {
            Some(true) => Level::Works,
            Some(false) => Level::Silent,
            None => Level::Unknown,
        };
        if answers == Some(true) {
            (self.answered, self.unanswered_since) = (Some(now), None);
        } else if self.level != level {
            self.unanswered_since = Some(now);
        }
        self.level = level;
    }

    /// When the newest probe was sent that was answered; none if one was missed since `before`: who was silent as well
    /// is no witness.
    pub(super) fn proof(&self, now: Instant, before: Instant) -> Option<Instant> {
        if self.level != Level::Works {
            return None;
        }
        match self.method {
            Method::Peer => Some(now),
            Method::Neighbour | Method::Echo => {
                self.proof.filter(|_| self.sound_since.is_some_and(|sound| sound <= before))
            }
        }
    }

    /// Since when nothing was answered, and when the last round began that was missed, if it is silent.
    pub(super) fn silence(&self, now: Instant) -> Option<(Instant, Instant)> {
        let since = self.unanswered_since.filter(|_| self.level == Level::Silent)?;
        Some((since, self.last_missed.unwrap_or(now)))
    }

    /// Judged by what the settings have become.
    pub(super) fn fit(&mut self, judging: &Judging) {
        self.quality.fit(judging);
    }

    /// How long its answers take, if that is longer than they are waited for.
    pub(super) fn lateness(&self, judging: &Judging) -> Option<Duration> {
        let patience = judging.interval.saturating_mul(judging.missed.get());
        let (mean, _) = self.round_trip.average()?;
        (mean > patience && self.level != Level::Works).then_some(mean)
    }

    /// Rounds that an answer may take: 1, unless the way is longer than the interval; never so many that silence would
    /// be found twice as late as it was asked for.
    fn patience(&self, judging: &Judging) -> u32 {
        let interval = judging.interval.as_nanos().max(1);
        let rounds = self.round_trip.limit().as_nanos().div_ceil(interval);
        u32::try_from(rounds).unwrap_or(u32::MAX).clamp(1, judging.missed.get())
    }

    fn record(
        &self,
        context: &mut Context<'_>,
        line: Line<'_>,
        sequence: u16,
        sent: Instant,
        round_trip: Option<Duration>,
    ) {
        let (average, deviation) = self.round_trip.average().unzip();
        context.probes.record(ProbeRecord {
            number: 0,
            interface: line.interface.to_owned(),
            sequence,
            target: self.address,
            method: self.method,
            sent,
            round_trip,
            average,
            deviation,
        });
    }

    pub(super) fn snapshot(&self, now: Instant) -> TargetSnapshot {
        let state = match self.level {
            Level::Unknown => HopState::Unknown,
            Level::Works if self.quality.fault().is_some() => HopState::Degraded,
            Level::Works => HopState::Up,
            Level::Silent => HopState::Down,
        };
        TargetSnapshot {
            name: self.name.clone(),
            address: self.address,
            method: self.method,
            state,
            missed: self.missed,
            good: self.good,
            loss_percent: self.quality.loss(),
            round_trip: self.quality.latency(),
            answered: self.answered.map(|at| now.since(at)),
        }
    }
}
