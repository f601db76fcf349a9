//! Probes: what is given up, what is due, and what comes back.

use std::net::IpAddr;
use std::time::Duration;

use super::detection::Sample;
use super::group::Group;
use super::instance::{METHOD, Timing};
use super::member::State;
use super::notice::Notice;
use super::ring::{Fate, Sent};
use super::schedule::Sort;
use super::targets::Status;
use crate::interface::Family;
use crate::packet::Answer;
use crate::watch::Context;
use crate::watch::input::Output;
use crate::watch::snapshot::ProbeRecord;

/// Links are not asked for more often.
const LINK_PAUSE: Duration = Duration::from_millis(100);

/// Active targets without which a slow one is no exception (in.mpathd).
const ENOUGH_TARGETS: usize = 4;

impl Group {
    /// Does what is due: for each family of each member first what was lost, then what follows from it, then the next
    /// probe (in.mpathd).
    pub(super) fn probe(&mut self, context: &mut Context<'_>) {
        self.keep_schedules(context);
        for place in 0..self.members.len() {
            for family in [Family::V4, Family::V6] {
                let instance = self.members[place].instances.get(&family);
                if instance.is_some_and(|instance| instance.schedule.is_due(context.now)) {
                    self.expire(context, place, family);
                    self.judge(context, place, family);
                    self.send(context, place, family);
                }
            }
        }
    }

    /// Who may send has a schedule, who may not has none.
    fn keep_schedules(&mut self, context: &mut Context<'_>) {
        let interval = self.detection.configured_interval();
        for member in &mut self.members {
            let may = member.may_probe();
            for instance in member.instances.values_mut() {
                match (may && instance.unique, instance.schedule.is_running()) {
                    (true, false) => instance.schedule.start(context.now, interval, context.random),
                    (false, true) => instance.schedule.stop(),
                    (true, true) | (false, false) => {}
                }
            }
        }
    }

    fn expire(&mut self, context: &mut Context<'_>, place: usize, family: Family) {
        let interval = self.detection.interval();
        let member = &mut self.members[place];
        let Some(instance) = member.instances.get_mut(&family) else { return };
        let targets = &instance.targets;
        let limit = |target: &IpAddr| targets.get(*target).and_then(|target| target.round_trip.limit());
        let lost = instance.ring.expire(context.now, |target| limit(target).unwrap_or(interval));
        let is_news = !lost.is_empty();
        for sent in lost {
            self.record(context, place, family, &sent);
        }
        let rested = self.queried.is_none_or(|at| context.now.since(at) >= LINK_PAUSE);
        if is_news && rested {
            self.queried = Some(context.now);
            context.outputs.push_back(Output::QueryLinks);
        }
    }

    fn send(&mut self, context: &mut Context<'_>, place: usize, family: Family) {
        let (interval, counted) = (self.detection.configured_interval(), self.detection.interval());
        let member = &mut self.members[place];
        let (Some(index), Some(instance)) = (member.index, member.instances.get_mut(&family)) else { return };
        let sort = instance.schedule.take(context.now, interval, counted, context.random);
        let target = match sort {
            Sort::Counted => instance.targets.next(context.now),
            Sort::Timing => instance.targets.next_timed(),
        };
        if let Some(target) = target {
            let sequence = if sort == Sort::Counted { instance.next_sequence() } else { 0 };
            let probe = instance.probe(context, index, target, sequence);
            let (id, at) = (probe.id, context.now);
            match sort {
                Sort::Counted => {
                    instance.on_sent(Sent { id, sequence, target, at, fate: Fate::Pending }, context.probes);
                }
                Sort::Timing => instance.on_timing(Timing { id, target, at }, context.probes),
            }
            context.outputs.push_back(Output::Probe(probe));
        }
        self.search(context, place, family);
    }

    /// Somebody answered a probe of the instance with this serial.
    pub(super) fn on_answer(&mut self, context: &mut Context<'_>, serial: u64, answer: &Answer) {
        let Some((place, family)) = self.owner(serial) else { return };
        let member = &mut self.members[place];
        if !member.may_probe() {
            return;
        }
        let from_here = member.index == Some(answer.interface);
        let Some(instance) = member.instances.get_mut(&family) else { return };
        let is_good = if !from_here {
            false
        } else if let Some(sent) = instance.ring.answer(answer.id, answer.from, answer.arrived) {
            self.on_counted(context, place, family, &sent);
            true
        } else if let Some(search) = instance.search(answer.id) {
            self.on_found(place, family, search, answer)
        } else if let Some(timing) = instance.timing.filter(|timing| timing.id == answer.id) {
            self.on_timed(context, place, family, timing, answer)
        } else {
            false
        };
        if !is_good && let Some(instance) = self.members[place].instances.get_mut(&family) {
            instance.invalid += 1;
        }
    }

    fn owner(&self, serial: u64) -> Option<(usize, Family)> {
        self.members.iter().enumerate().find_map(|(place, member)| {
            let own = member.instances.values().find(|instance| instance.serial == serial);
            own.map(|instance| (place, instance.family()))
        })
    }

    fn on_counted(&mut self, context: &mut Context<'_>, place: usize, family: Family, sent: &Sent) {
        let Some(instance) = self.members[place].instances.get_mut(&family) else { return };
        instance.on_proven(sent.at);
        if let Some(target) = instance.targets.get_mut(sent.target) {
            target.answered = Some(context.now);
        }
        let is_latest = !instance.ring.is_overtaken(sent);
        if let Fate::Answered(round_trip) = sent.fate
            && is_latest
        {
            self.measure(context, place, family, sent.target, Sample::Counted(round_trip));
        }
        self.record(context, place, family, sent);
    }

    fn on_timed(
        &mut self,
        context: &mut Context<'_>,
        place: usize,
        family: Family,
        timing: Timing,
        answer: &Answer,
    ) -> bool {
        if timing.target != answer.from {
            return false;
        }
        if let Some(instance) = self.members[place].instances.get_mut(&family) {
            instance.timing = None;
        }
        context.probes.end(timing.id);
        let sample = Sample::Timing(answer.arrived.since(timing.at));
        self.measure(context, place, family, timing.target, sample);
        true
    }

    /// A round trip: detection may have to be slower, or may be quicker.
    fn measure(
        &mut self,
        context: &mut Context<'_>,
        place: usize,
        family: Family,
        target: IpAddr,
        sample: Sample,
    ) {
        let interval = self.detection.interval();
        let works = matches!(self.members[place].state, State::Running(_)) && !self.has_failed();
        let Some(instance) = self.members[place].instances.get_mut(&family).filter(|_| works) else { return };
        let Some(found) = instance.targets.get_mut(target) else { return };
        let Some(limit) = found.round_trip.add(sample, interval) else { return };
        if limit > interval {
            self.on_slow(context, place, family, target, limit);
        } else if self.detection.is_quick(limit) && self.detection.may_lower(context.now) {
            self.lower(context);
        }
    }

    /// One slow target among quick ones is left out; else detection takes longer.
    fn on_slow(
        &mut self,
        context: &mut Context<'_>,
        place: usize,
        family: Family,
        target: IpAddr,
        limit: Duration,
    ) {
        let Some(instance) = self.members[place].instances.get(&family) else { return };
        let is_ordinary = |limit: Option<Duration>| limit.is_none_or(|it| self.detection.is_ordinary(it));
        let others = || instance.targets.active().filter(|other| other.address != target);
        let is_exception = instance.targets.active().count() >= ENOUGH_TARGETS
            && others().all(|other| is_ordinary(other.round_trip.limit()));
        if is_exception {
            self.drop_target(context, place, family, target, Status::Slow { since: context.now });
        } else if self.detection.raise(context.now, limit) && self.is_named() {
            context.notice(Notice::DetectionRaised {
                group: self.config.name.clone(),
                interface: self.members[place].name().to_owned(),
                family,
                configured: self.detection.configured(),
                time: self.detection.time(),
            });
        }
    }

    /// Quicker, if all targets of all members that work are quick.
    fn lower(&mut self, context: &mut Context<'_>) {
        let working = self.members.iter().filter(|member| member.functions());
        let instances = working.flat_map(|member| member.instances.values());
        let mut targets =
            instances.filter(|instance| instance.is_capable()).flat_map(|instance| instance.targets.active());
        let all_quick = targets
            .all(|target| target.round_trip.limit().is_none_or(|limit| self.detection.is_quick(limit)));
        if !all_quick {
            return;
        }
        self.detection.lower();
        if self.is_named() {
            let (group, time) = (self.config.name.clone(), self.detection.time());
            context.notice(Notice::DetectionLowered { group, time });
        }
    }

    /// For those who look at single probes.
    fn record(&mut self, context: &mut Context<'_>, place: usize, family: Family, sent: &Sent) {
        let member = &self.members[place];
        let target = member.instances.get(&family).and_then(|instance| instance.targets.get(sent.target));
        let round_trip = match sent.fate {
            Fate::Answered(round_trip) => Some(round_trip),
            Fate::Pending | Fate::Lost => None,
        };
        let (average, deviation) = target.and_then(|target| target.round_trip.average()).unzip();
        context.probes.record(ProbeRecord {
            number: 0,
            interface: member.name().to_owned(),
            sequence: sent.sequence,
            target: sent.target,
            method: METHOD,
            sent: sent.at,
            round_trip,
            average,
            deviation,
        });
    }
}
