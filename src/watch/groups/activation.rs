//! Who carries traffic, and for whom: standbys, FAILBACK, and which interface stands in for which.
//!
//! As many members are active as there are ones that are no standbys, as far as they work (in.mpathd(8)). For each that
//! fails one spare member steps in; for each standby too many one steps back.

use super::group::Group;
use super::member::{Cause, Duty, Event, Member, State};
use super::notice::Notice;
use crate::watch::Context;
use crate::watch::plan;

/// How a member comes into service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Entry {
    /// It is seen for the first time.
    New,
    /// It had failed; and so had all others, or not.
    Repaired { group_had_failed: bool },
    /// The administrator wants it: it was out of service, or held back.
    Wanted,
}

impl Group {
    /// Members that shall carry traffic.
    fn wanted(&self) -> usize {
        self.members.iter().filter(|member| !member.config.standby).count()
    }

    fn active(&self) -> usize {
        self.members.iter().filter(|member| member.is_active()).count()
    }

    fn has_enough(&self) -> bool {
        self.active() > 0 && self.active() >= self.wanted()
    }

    /// The duty of a member that comes into service; makes room for it.
    pub(super) fn admit(&mut self, context: &mut Context<'_>, place: usize, entry: Entry) -> Duty {
        if !self.is_named() {
            return Duty::Active;
        }
        if self.members[place].config.standby {
            let stays = entry == Entry::New && !self.config.failback && self.members[place].recalled.active;
            return if self.has_enough() && !stays { Duty::Inactive } else { Duty::Active };
        }
        let held_back = match entry {
            Entry::New => self.was_held_back(place),
            Entry::Repaired { group_had_failed } => !self.config.failback && !group_had_failed,
            Entry::Wanted => false,
        };
        if held_back {
            return Duty::Inactive;
        }
        if self.has_enough() {
            self.release_standby(context, place);
        }
        Duty::Active
    }

    /// Without FAILBACK a restart moves nothing: who was held back is.
    fn was_held_back(&self, place: usize) -> bool {
        let others = self.members.iter().any(|member| member.recalled.active);
        !self.config.failback && others && !self.members[place].recalled.active
    }

    /// An active member is lost: a spare one steps in, a standby by preference.
    pub(super) fn activate_spare(&mut self, context: &mut Context<'_>) {
        let spare = |standby: bool| {
            self.members.iter().position(|member| member.is_spare() && member.config.standby == standby)
        };
        if let Some(place) = spare(true).or_else(|| spare(false)) {
            self.assign(context, place, Duty::Active);
        }
    }

    /// There is an active member too many: the standby with the least to do steps back.
    fn release_standby(&mut self, context: &mut Context<'_>, comes: usize) {
        let name = |place: usize| self.members[place].name();
        let standbys = self.members.iter().enumerate();
        let standbys = standbys.filter(|(_, member)| member.config.standby && member.is_active());
        let released = standbys.map(|(place, _)| place).min_by_key(|place| self.load(name(*place), comes));
        if let Some(place) = released {
            self.assign(context, place, Duty::Inactive);
        }
    }

    fn assign(&mut self, context: &mut Context<'_>, place: usize, duty: Duty) {
        let member = &mut self.members[place];
        member.state = member.state.after(Event::Assign(duty));
        let (interface, group) = (member.name().to_owned(), self.config.name.clone());
        context.notice(match duty {
            Duty::Active => Notice::SpareActivated { interface, group, standby: member.config.standby },
            Duty::Inactive => Notice::StandbyReleased { interface, group },
        });
    }

    /// How many others a member stands in for, not counting the one at `but`.
    fn load(&self, name: &str, but: usize) -> usize {
        let others = self.members.iter().enumerate().filter(|(place, _)| *place != but);
        others.filter(|(_, member)| member.stand_in() == Some(name)).count()
    }

    /// Members or their kinds have changed: as many are active as shall be.
    pub(super) fn review_standbys(&mut self, context: &mut Context<'_>) {
        let spare = |group: &Group| {
            group.members.iter().position(|member| member.is_spare() && member.config.standby)
        };
        while self.is_named()
            && !self.has_enough()
            && let Some(place) = spare(self)
        {
            self.assign(context, place, Duty::Active);
        }
        while self.active() > self.wanted().max(1)
            && self.members.iter().any(|member| member.is_active() && member.config.standby)
        {
            self.release_standby(context, usize::MAX);
        }
    }

    /// The administrator wants traffic home: who works and was held back for FAILBACK=no is active.
    pub(super) fn fail_back(&mut self, context: &mut Context<'_>) {
        for place in 0..self.members.len() {
            if self.members[place].is_spare() && !self.members[place].config.standby {
                let duty = self.admit(context, place, Entry::Wanted);
                self.assign(context, place, duty);
            }
        }
    }

    /// What becomes of the routes over each member. While nobody works everything stays.
    pub(super) fn settle(&mut self, context: &mut Context<'_>) {
        if !self.is_named() {
            return;
        }
        if self.active() == 0 {
            self.activate_spare(context);
        }
        if self.active() == 0 {
            return;
        }
        for place in 0..self.members.len() {
            let wanted = self.place_for(place);
            let before = std::mem::replace(&mut self.members[place].place, wanted.clone());
            self.tell_place(context, place, &before, &wanted);
        }
    }

    fn place_for(&self, place: usize) -> plan::Member {
        let member = &self.members[place];
        let serves = |name: &str| self.members.iter().any(|other| other.is_active() && other.name() == name);
        match member.state {
            State::New => plan::Member::Undecided,
            State::Failed(Cause::Remembered) => match &member.place {
                // It was chosen while the member was out of service, and has failed since.
                plan::Member::StandIn(name) if !serves(name) => self.choose(place),
                plan::Member::StandIn(_) | plan::Member::Undecided | plan::Member::Home => {
                    member.place.clone()
                }
            },
            State::Running(Duty::Active) | State::NoTargets(Duty::Active) => plan::Member::Home,
            State::Running(Duty::Inactive) | State::NoTargets(Duty::Inactive) => match &member.place {
                plan::Member::StandIn(_) | plan::Member::Undecided if member.config.standby => {
                    plan::Member::Home
                }
                plan::Member::StandIn(name) if serves(name) => member.place.clone(),
                plan::Member::StandIn(_) | plan::Member::Undecided => self.choose(place),
                plan::Member::Home => plan::Member::Home,
            },
            State::Failed(_) if member.place == plan::Member::Home && member.is_returning() => {
                plan::Member::Home
            }
            State::Failed(_) | State::Offline(_) => match &member.place {
                plan::Member::StandIn(name) if serves(name) => member.place.clone(),
                plan::Member::StandIn(_) | plan::Member::Undecided | plan::Member::Home => self.choose(place),
            },
        }
    }

    /// Who stands in: a standby by preference, else who has the least to do. Before all, one that has an address of each
    /// family that the member has: others would answer to that of the member, which is dead.
    fn choose(&self, place: usize) -> plan::Member {
        let others = self.members.iter().enumerate().filter(|(other, _)| *other != place);
        let active = others.map(|(_, member)| member).filter(|member| member.is_active());
        let best = active.min_by_key(|member| {
            (self.lacks(place, member), !member.config.standby, self.load(member.name(), place))
        });
        best.map_or_else(
            || self.members[place].place.clone(),
            |member| plan::Member::StandIn(member.name().to_owned()),
        )
    }

    /// Families of which the member at `place` has an address for data and another has none.
    fn lacks(&self, place: usize, other: &Member) -> usize {
        self.members[place].families.difference(&other.families).count()
    }

    fn tell_place(
        &self,
        context: &mut Context<'_>,
        place: usize,
        before: &plan::Member,
        after: &plan::Member,
    ) {
        let (interface, group) = (self.members[place].name().to_owned(), self.config.name.clone());
        match (before, after) {
            (_, plan::Member::StandIn(by)) if before != after => {
                let stand_in = self.members.iter().find(|member| member.name() == by);
                let mute = stand_in.is_some_and(|member| self.lacks(place, member) > 0);
                context.notice(Notice::StoodIn { interface, group, by: by.clone(), mute });
            }
            (plan::Member::StandIn(_), plan::Member::Home) => {
                context.notice(Notice::StandInEnded { interface, group });
            }
            (_, plan::Member::StandIn(_) | plan::Member::Home | plan::Member::Undecided) => {}
        }
    }
}
