//! One `[[route]]`: judges its next hops by each other, and chooses.

use std::time::Duration;

use super::super::Context;
use super::super::plan::{self, Destination, Way};
use super::super::snapshot::HopState;
use super::choice::{Candidate, Choice, choose};
use super::condition::Condition;
use super::hop::Hop;
use super::notice::{FailureCause, MoveCause, Notice};
use super::past::Pasts;
use super::{HOPS, Numbers};
use crate::config::{NextHopConfig, NextHops, RouteConfig};
use crate::failback::Hold;
use crate::gather::insert_by_key;
use crate::group::{Finding, Suspicion, arbitrate};
use crate::packet::Answer;
use crate::time::Instant;

/// A next hop whose route is gone from the kernel is kept for so long.
pub(super) const GRACE: Duration = Duration::from_secs(5);

/// See the module.
#[derive(Debug, Clone)]
pub(super) struct Route {
    pub(super) config: RouteConfig,
    pub(super) hops: Vec<Hop>,
    /// A choice was made, and there is no way back to none.
    decided: bool,
    /// Nobody answers: nothing moves until somebody does.
    pub(super) all_silent: bool,
    stopping: bool,
    /// What carried traffic when that was last looked at.
    serving: Vec<plan::Hop>,
    /// When something changes by itself.
    moment: Option<Instant>,
    /// Counts what is worth to be written down.
    pub(super) news: u64,
}

impl Route {
    pub(super) fn new(
        context: &mut Context<'_>,
        config: &RouteConfig,
        pasts: &Pasts,
        numbers: &mut Numbers,
    ) -> Self {
        let mut route = Self {
            config: config.clone(),
            hops: Vec::new(),
            decided: false,
            all_silent: false,
            stopping: false,
            serving: Vec::new(),
            moment: None,
            news: 0,
        };
        if let NextHops::Listed(listed) = &config.next_hops {
            for settings in listed.iter().take(HOPS) {
                let hop = route.new_hop(context, settings, pasts, numbers);
                route.insert_hop(hop);
            }
        }
        route
    }

    pub(super) fn insert_hop(&mut self, hop: Hop) {
        insert_by_key(&mut self.hops, hop, |hop| hop.rank);
    }

    pub(super) fn new_hop(
        &self,
        context: &mut Context<'_>,
        settings: &NextHopConfig,
        pasts: &Pasts,
        numbers: &mut Numbers,
    ) -> Hop {
        let past = pasts.get(&settings.interface, settings.via);
        let mut hop = Hop::new(context, settings, &self.config, past, numbers);
        if !hop.is_probed() {
            context.notice(Notice::Unjudged { interface: hop.interface.clone() });
        }
        hop.on_interfaces(context, &self.config.judging);
        hop
    }

    /// Goes on where the same destination was under other settings.
    pub(super) fn inherit(&mut self, context: &mut Context<'_>, mut old: Route, numbers: &mut Numbers) {
        let is_found = |route: &Route| route.config.next_hops == NextHops::Auto;
        let (finds, found) = (is_found(self), is_found(&old));
        for known in old.hops.iter().filter(|_| finds) {
            let (interface, via) = (known.interface.clone(), known.via);
            let settings = NextHopConfig { interface, via, rank: known.rank, weight: known.weight };
            let hop = self.new_hop(context, &settings, &Pasts::default(), numbers);
            self.hops.push(hop);
        }
        for hop in &mut self.hops {
            let Some(place) = old.hops.iter().position(|known| known.key() == hop.key()) else { continue };
            hop.inherit(context, old.hops.swap_remove(place), &self.config.judging);
            // What was listed is taken for found until the routes are seen.
            (hop.metric, hop.vanished) = match (finds, found) {
                (true, true) => (hop.metric, hop.vanished),
                (true, false) => (Some(hop.rank.into()), Some(context.now)),
                (false, _) => (None, None),
            };
        }
        old.hops.iter_mut().for_each(|hop| hop.stop(context));
        (self.decided, self.all_silent, self.news) = (old.decided, old.all_silent, old.news + 1);
        self.serving = old.serving;
    }

    pub(super) fn destination(&self) -> Destination {
        Destination { table: self.config.table, prefix: self.config.destination }
    }

    /// The interfaces may have changed.
    pub(super) fn on_interfaces(&mut self, context: &mut Context<'_>) {
        for hop in &mut self.hops {
            hop.on_interfaces(context, &self.config.judging);
        }
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.hops.iter().filter_map(Hop::deadline).chain(self.moment).min()
    }

    /// Judges and asks, as far as it is time.
    pub(super) fn on_deadline(&mut self, context: &mut Context<'_>) {
        let now = context.now;
        if self.deadline().is_none_or(|at| at > now) {
            return;
        }
        for place in 0..self.hops.len() {
            if self.hops[place].deadline().is_some_and(|at| at <= now) {
                let alone = self.is_alone(now, place);
                self.hops[place].on_deadline(context, &self.config.judging, alone);
            }
        }
        self.decide(context);
    }

    /// A probe of one of its targets was answered. False if it is none of them.
    pub(super) fn on_answer(&mut self, context: &mut Context<'_>, number: u64, answer: &Answer) -> bool {
        let asked = |hop: &Hop| hop.gateway.iter().chain(&hop.targets).any(|t| t.number == number);
        let Some(place) = self.hops.iter().position(asked) else { return false };
        let alone = self.is_alone(context.now, place);
        self.hops[place].on_answer(context, &self.config.judging, alone, (number, answer));
        self.decide(context);
        true
    }

    /// Whether no other next hop is answered.
    fn is_alone(&self, now: Instant, place: usize) -> bool {
        let answers = |hop: &Hop| {
            matches!(hop.condition(now, &self.config.judging, false), Condition::Works | Condition::Poor(_))
        };
        !self.hops.iter().enumerate().any(|(other, hop)| other != place && answers(hop))
    }

    /// The administrator wants traffic home.
    pub(super) fn release(&mut self) {
        self.hops.iter_mut().for_each(|hop| hop.history.release());
    }

    /// faild ends: nothing holds traffic back any more from what works.
    pub(super) fn stop(&mut self) {
        self.stopping = true;
    }

    // ----- verdicts

    /// Judges all, chooses, and tells people.
    pub(super) fn decide(&mut self, context: &mut Context<'_>) {
        let now = context.now;
        self.end_silence(context);
        let conditions = self.conditions(now);
        for (place, condition) in conditions.iter().enumerate() {
            if let Some((verdict, cause)) = self.verdict(now, place, *condition) {
                self.set_verdict(context, place, verdict, cause);
            }
            self.hops[place].offline = context.offline.contains(&self.hops[place].interface);
        }
        self.begin_silence(context, &conditions);
        self.choose(context);
        self.moment = self.next_moment(context);
    }

    fn conditions(&self, now: Instant) -> Vec<Condition> {
        let condition = |(place, hop): (usize, &Hop)| {
            let alone = !hop.is_probed() && self.is_alone(now, place);
            hop.condition(now, &self.config.judging, alone)
        };
        self.hops.iter().enumerate().map(condition).collect()
    }

    /// What follows for one from what its probes say and what the others do; none: what it was.
    fn verdict(
        &self,
        now: Instant,
        place: usize,
        condition: Condition,
    ) -> Option<(HopState, Option<FailureCause>)> {
        match condition {
            Condition::Unknown => None,
            Condition::Works => Some((HopState::Up, None)),
            Condition::Poor(cause) => Some((HopState::Degraded, Some(cause))),
            Condition::Link => Some((HopState::Down, Some(FailureCause::Link))),
            Condition::Silent { cause, since, until } => {
                let others = self.hops.iter().enumerate().filter(|(other, _)| *other != place);
                let witnesses = others.map(|(_, hop)| hop.witness(now, &self.config.judging, cause, until));
                match arbitrate(Suspicion::Silent { since }, self.all_silent, witnesses) {
                    Finding::Member => Some((HopState::Down, Some(cause))),
                    Finding::Group => None,
                }
            }
        }
    }

    fn set_verdict(
        &mut self,
        context: &mut Context<'_>,
        place: usize,
        verdict: HopState,
        cause: Option<FailureCause>,
    ) {
        let destination = self.destination();
        let hop = &mut self.hops[place];
        let news = hop.cause;
        let changed = hop.set_verdict(context.now, context.config, verdict, cause);
        let named = hop.named();
        self.news += u64::from(changed);
        match (verdict, cause) {
            (HopState::Up, _) if changed => {
                context.notice(Notice::NextHopWorks { destination, hop: named });
            }
            (_, Some(cause)) if changed || (cause == FailureCause::Link && news != cause) => {
                context.notice(Notice::NextHopFailed { destination, hop: named, cause });
            }
            (HopState::Unknown | HopState::Up | HopState::Degraded | HopState::Down, _) => {}
        }
    }

    /// Somebody answers after all were silent. What was held to be in order then gets the chance to answer, too.
    fn end_silence(&mut self, context: &mut Context<'_>) {
        let conditions = self.conditions(context.now);
        if !self.all_silent || !conditions.iter().any(|c| matches!(c, Condition::Works | Condition::Poor(_)))
        {
            return;
        }
        self.all_silent = false;
        context.notice(Notice::NextHopsHeard { destination: self.destination() });
        for (hop, condition) in self.hops.iter_mut().zip(conditions) {
            if hop.verdict != HopState::Down && matches!(condition, Condition::Silent { .. }) {
                hop.forget_silence(context);
            }
        }
    }

    /// When all are silent nothing moves, and one line says so.
    fn begin_silence(&mut self, context: &mut Context<'_>, conditions: &[Condition]) {
        let is_silent = |c: &Condition| matches!(c, Condition::Silent { .. } | Condition::Link);
        if !self.all_silent && !conditions.is_empty() && conditions.iter().all(is_silent) {
            self.all_silent = true;
            context.notice(Notice::AllNextHopsSilent { destination: self.destination() });
        }
    }

    // ----- choice

    fn choose(&mut self, context: &mut Context<'_>) {
        let candidates: Vec<Candidate> = self.hops.iter().map(|hop| self.candidate(context, hop)).collect();
        if let Choice::By(places) = choose(&candidates, self.decided) {
            let rank = places.iter().filter_map(|place| candidates.get(*place)).map(|c| c.rank).min();
            for (place, hop) in self.hops.iter_mut().enumerate() {
                let in_use = places.contains(&place);
                self.news += u64::from(hop.on_choice(context.config, in_use, rank.unwrap_or_default()));
            }
            self.decided = true;
            self.tell_moves(context);
        }
    }

    fn candidate(&self, context: &Context<'_>, hop: &Hop) -> Candidate {
        let holds = hop.history.holds(context.now, context.config, context.time_of_day);
        let holds: Vec<Hold> = holds.filter(|_| !self.stopping).collect();
        Candidate {
            rank: hop.rank,
            state: hop.verdict,
            damped: holds.iter().any(|hold| matches!(hold, Hold::Damped { .. })),
            held: !holds.is_empty(),
            offline: hop.offline,
            vanished: hop.vanished.is_some(),
            in_use: hop.in_use,
        }
    }

    fn tell_moves(&mut self, context: &mut Context<'_>) {
        let to = self.in_use();
        let from = std::mem::replace(&mut self.serving, to.clone());
        let is_same = |(one, other): (&plan::Hop, &plan::Hop)| {
            (&one.interface, one.via) == (&other.interface, other.via)
        };
        if from.len() == to.len() && from.iter().zip(&to).all(is_same) {
            return;
        }
        let destination = self.destination();
        let cause = self.cause(&from);
        match cause {
            MoveCause::Better if from.is_empty() => {}
            MoveCause::Better => context.notice(Notice::RouteFailedBack { destination, from, to }),
            MoveCause::Failed(_) | MoveCause::Offline | MoveCause::Gone => {
                context.notice(Notice::RouteMoved { destination, from, to, cause });
            }
        }
    }

    /// Why traffic left these; if it is not known where it was, why it does not go by the first.
    fn cause(&self, from: &[plan::Hop]) -> MoveCause {
        let left: Vec<Option<&Hop>> = if from.is_empty() {
            let first = self.hops.first().map(|hop| hop.rank);
            self.hops.iter().filter(|hop| Some(hop.rank) == first && !hop.in_use).map(Some).collect()
        } else {
            let now =
                |named: &plan::Hop| self.hops.iter().find(|hop| hop.key() == (&named.interface, named.via));
            from.iter().map(now).filter(|hop| hop.is_none_or(|hop| !hop.in_use)).collect()
        };
        let why = |hop: &Option<&Hop>| match hop {
            None => Some(MoveCause::Gone),
            Some(hop) if matches!(hop.verdict, HopState::Down | HopState::Degraded) => {
                Some(MoveCause::Failed(hop.cause))
            }
            Some(hop) if hop.offline => Some(MoveCause::Offline),
            Some(hop) if hop.vanished.is_some() => Some(MoveCause::Gone),
            Some(_) => None,
        };
        left.iter().find_map(why).unwrap_or(MoveCause::Better)
    }

    fn in_use(&self) -> Vec<plan::Hop> {
        self.hops.iter().filter(|hop| hop.in_use).map(Hop::named).collect()
    }

    /// Where its traffic shall go; none while there is no next hop at all, and so no route of others.
    pub(super) fn way(&self) -> Option<Way> {
        if self.hops.is_empty() {
            return None;
        }
        let serving = self.in_use();
        Some(if serving.is_empty() { Way::Undecided } else { Way::By(serving) })
    }

    /// Whether it goes by others than its first choice.
    pub(super) fn is_away(&self) -> bool {
        let first = self.hops.iter().map(|hop| hop.rank).min();
        let serves = |hop: &Hop| hop.in_use && Some(hop.rank) != first;
        self.hops.iter().any(serves)
    }

    // ----- what goes by itself

    /// Takes out those whose routes have been gone for too long.
    pub(super) fn take_gone(&mut self, now: Instant) -> Vec<Hop> {
        let crowded = Self::is_full(&self.hops);
        let is_over = |hop: &Hop| {
            hop.vanished.is_some_and(|since| now.since(since) >= GRACE || (crowded && !hop.in_use))
        };
        let gone = self.hops.extract_if(.., |hop| is_over(hop)).collect();
        if self.hops.is_empty() {
            (self.decided, self.all_silent) = (false, false);
            self.serving.clear();
        }
        gone
    }

    fn next_moment(&self, context: &Context<'_>) -> Option<Instant> {
        let now = context.now;
        let moments = self.hops.iter().flat_map(|hop| {
            let holds = hop.history.holds(now, context.config, context.time_of_day);
            let waits = holds.filter_map(|hold| match hold {
                Hold::Damped { wait, .. } | Hold::Delay(wait) => Some(now + wait.max(SOON)),
                Hold::Manual | Hold::Window { .. } => None,
            });
            let wait = waits.min().filter(|_| hop.verdict == HopState::Up);
            let waits = !hop.is_probed() && hop.link.is_some() && hop.verdict == HopState::Down;
            let proven = waits.then(|| hop.proven_at(&self.config.judging).max(now + SOON));
            [wait, proven, hop.vanished.map(|since| (since + GRACE).max(now + SOON))]
        });
        // The engine's word on a peer has no time. What it has to say of others that fell silent with it comes within a slot
        // of its own.
        let slot = self.config.judging.interval.min(context.config.interval);
        let is_held = |hop: &Hop| {
            let condition = hop.condition(now, &self.config.judging, false);
            hop.verdict != HopState::Down && matches!(condition, Condition::Silent { .. })
        };
        let doubt = (!self.all_silent && self.hops.iter().any(is_held)).then(|| now + slot);
        moments.flatten().chain(doubt).min()
    }
}

/// Rounding must not make us come back for nothing.
const SOON: Duration = Duration::from_millis(1);
