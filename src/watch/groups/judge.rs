//! Failure and repair of members, and of all of them.
//!
//! As in.mpathd(8), but for what is odd in its sources: links speak where nobody can be asked (there a lost link then
//! means failure for ever); a member with nobody to ask is a witness to another's lost link; what happens to a member that
//! is out of service activates nobody; a failure survives a restart of faild; no estimate is 0.

use super::activation::Entry;
use super::group::Group;
use super::member::{Cause, Duty, Event, LOSSES, Member, REPAIRS, State};
use super::notice::{Notice, Proof};
use super::targets::{Status, Target};
use crate::group::{Finding, Suspicion, Witness, arbitrate};
use crate::interface::Family;
use crate::time::Instant;
use crate::watch::Context;
use crate::watch::GroupState;

impl Group {
    /// What the probes of one family say of its member by now.
    pub(super) fn judge(&mut self, context: &mut Context<'_>, place: usize, family: Family) {
        let member = &self.members[place];
        match member.state {
            State::Running(_) | State::NoTargets(_) => {
                self.judge_working(context, place, family);
            }
            State::Failed(cause) => {
                if cause == Cause::Remembered {
                    self.judge_working(context, place, family);
                }
                if self.is_proven(place, family) {
                    self.repair(context, place, Proof::Answers);
                }
            }
            State::New | State::Offline(_) => {}
        }
    }

    fn judge_working(&mut self, context: &mut Context<'_>, place: usize, family: Family) {
        let Some(instance) = self.members[place].instances.get(&family) else { return };
        let Some(run) = instance.ring.losses().filter(|_| !instance.is_quiet(context.now)) else { return };
        if run.count < LOSSES {
            self.drop_dead(context, place, family);
        } else if let Some((since, losses)) = self.members[place].silence() {
            self.suspect(context, place, Suspicion::Silent { since }, losses);
        }
    }

    /// Enough answers in a row, of all targets or of the latest.
    fn is_proven(&self, place: usize, family: Family) -> bool {
        let member = &self.members[place];
        let Some(instance) = member.instances.get(&family).filter(|_| member.has_link) else { return false };
        let Some(run) = instance.ring.answers() else { return false };
        let latest = instance.ring.latest().and_then(|sent| instance.ring.of_target(sent.target).1);
        run.count.max(latest.map_or(0, |run| run.count)) >= REPAIRS
    }

    /// The target that was asked last never answers, others do: it is dead, not the member.
    fn drop_dead(&mut self, context: &mut Context<'_>, place: usize, family: Family) {
        let Some(instance) = self.members[place].instances.get(&family) else { return };
        let Some(target) = instance.ring.latest().map(|sent| sent.target) else { return };
        let lost = instance.ring.of_target(target).0.map_or(0, |run| run.count);
        if lost >= LOSSES && instance.targets.get(target).is_some_and(Target::is_active) {
            self.drop_target(context, place, family, target, Status::Dead { since: context.now });
        }
    }

    /// Others say whether this member failed, or all.
    pub(super) fn suspect(
        &mut self,
        context: &mut Context<'_>,
        place: usize,
        suspicion: Suspicion,
        losses: u32,
    ) {
        let others = self.members.iter().enumerate().filter(|(other, _)| *other != place);
        let witnesses = others.map(|(_, member)| witness(member));
        let finding = if self.is_named() {
            arbitrate(suspicion, self.has_failed(), witnesses)
        } else {
            Finding::Member
        };
        match finding {
            Finding::Member => {
                let cause = match suspicion {
                    Suspicion::Link if self.members[place].index.is_none() => Cause::Gone,
                    Suspicion::Link => Cause::Link,
                    Suspicion::Silent { .. } => Cause::Silent,
                };
                self.fail(context, place, cause, losses);
            }
            Finding::Group if self.members[place].functions() => self.fail_all(),
            Finding::Group => {}
        }
    }

    /// A member failed, others did not.
    pub(super) fn fail(&mut self, context: &mut Context<'_>, place: usize, cause: Cause, losses: u32) {
        let was_active = self.members[place].is_active();
        let member = &mut self.members[place];
        member.state = member.state.after(Event::Fail(cause));
        member.forget_round_trips();
        let silent = member.proven().filter(|_| cause == Cause::Silent);
        context.notice(Notice::InterfaceFailed {
            interface: member.name().to_owned(),
            group: self.config.name.clone(),
            cause: cause.into(),
            losses,
            silent: silent.map(|at| context.now.since(at)),
        });
        if was_active && self.is_named() {
            self.activate_spare(context);
        }
    }

    /// All of them failed: what was asked may be dead. Nothing moves; hosts that were found are looked for afresh.
    fn fail_all(&mut self) {
        for member in &mut self.members {
            let cause = if member.index.is_none() {
                Cause::Gone
            } else if !member.has_link {
                Cause::Link
            } else if member.is_capable() {
                Cause::Silent
            } else {
                Cause::Group
            };
            member.state = member.state.after(Event::Fail(cause));
            member.forget_round_trips();
            for instance in member.instances.values_mut() {
                for host in instance.targets.clear_hosts() {
                    instance.ring.give_up(host);
                }
            }
        }
    }

    /// A failed member works again.
    pub(super) fn repair(&mut self, context: &mut Context<'_>, place: usize, proof: Proof) {
        let group_had_failed = self.has_failed();
        let duty = self.admit(context, place, Entry::Repaired { group_had_failed });
        let member = &mut self.members[place];
        member.state = member.state.after(Event::Repair(duty));
        member.told.flapping = false;
        let (interface, group) = (member.name().to_owned(), self.config.name.clone());
        context.notice(Notice::InterfaceRepaired { interface, group, proof, active: duty == Duty::Active });
    }

    /// What follows from links and from who can be asked, at any time.
    pub(super) fn review(&mut self, context: &mut Context<'_>) {
        self.review_targets(context.now);
        while let Some(place) = self.trusted_by_link(context.now) {
            self.repair(context, place, Proof::Link);
        }
        self.tell_flapping(context);
        self.tell_mute(context);
    }

    /// A failed member that its link alone proves repaired.
    fn trusted_by_link(&self, now: Instant) -> Option<usize> {
        let trusted = |member: &Member| {
            member.has_link && self.repair_by_link_at(member).is_some_and(|from| now >= from)
        };
        self.members.iter().position(trusted)
    }

    /// Whether each member that works has somebody to ask; and the group.
    pub(super) fn review_targets(&mut self, now: Instant) {
        for member in &mut self.members {
            let is_mute = member.is_probed() && !member.is_capable();
            let event = if is_mute { Event::TargetsLost } else { Event::TargetsFound };
            member.state = member.state.after(event);
        }
        if self.members.iter().any(Member::is_capable) {
            self.targetless = None;
        } else {
            self.targetless.get_or_insert(now);
        }
    }

    /// The group as a whole: said once when all have failed, and once when one works again.
    pub(super) fn tell_group(&mut self, context: &mut Context<'_>) {
        let judged = |member: &Member| match member.state {
            State::Failed(cause) => cause != Cause::Remembered,
            State::Offline(_) => true,
            State::New | State::Running(_) | State::NoTargets(_) => false,
        };
        let group = self.config.name.clone();
        if !self.has_failed() {
            if std::mem::take(&mut self.told_failed) {
                let all = self.state() == GroupState::Ok;
                context.notice(Notice::GroupUsable { group, all });
            }
        } else if !self.told_failed && self.members.iter().any(judged) {
            self.told_failed = true;
            let with_link = self.members.iter().filter(|member| member.has_link).count();
            context.notice(Notice::GroupFailed { group, members: self.members.len(), with_link });
        }
    }

    fn tell_flapping(&mut self, context: &mut Context<'_>) {
        for place in 0..self.members.len() {
            let member = &self.members[place];
            let from = self.repair_by_link_at(member).filter(|from| context.now < *from);
            let held = from.filter(|from| member.has_link && *from == member.flaps.trusted_from());
            let Some(until) = held.filter(|_| !member.told.flapping) else { continue };
            context.notice(Notice::LinkHeld {
                interface: member.name().to_owned(),
                group: self.config.name.clone(),
                wait: until.since(context.now),
            });
            self.members[place].told.flapping = true;
        }
    }
}

fn witness(member: &Member) -> Witness {
    Witness {
        has_link: member.has_link,
        serves: member.functions(),
        is_probed: member.is_probed(),
        // An answer that was under way when what was asked died proves nothing: the question has to be newer.
        answered: member.proven(),
    }
}
