//! What people see of a group.

use std::time::Duration;

use super::group::Group;
use super::instance::{Instance, METHOD};
use super::member::{Duty, LOSSES, Member, State};
use super::ring::{Fate, Sent};
use super::targets::{Kind, Status, Target};
use crate::time::Instant;
use crate::watch::snapshot::{
    GroupSnapshot, GroupState, HopState, InstanceSnapshot, Link, MemberSnapshot, MemberState, Mode, Probing,
    TargetSnapshot,
};

impl Group {
    pub(super) fn snapshot(&self, now: Instant) -> GroupSnapshot {
        let is_probed = self.members.iter().any(Member::is_probed);
        GroupSnapshot {
            name: self.config.name.clone(),
            state: self.state(),
            detection_time: is_probed.then(|| self.detection.time()),
            members: self.members.iter().map(|member| member.snapshot(now)).collect(),
        }
    }

    /// An anonymous group promises nothing.
    pub(super) fn state(&self) -> GroupState {
        let working = self.members.iter().filter(|member| member.functions()).count();
        if !self.is_named() || working == self.members.len() {
            GroupState::Ok
        } else if working == 0 {
            GroupState::Failed
        } else {
            GroupState::Degraded
        }
    }
}

impl Member {
    fn snapshot(&self, now: Instant) -> MemberSnapshot {
        MemberSnapshot {
            interface: self.name().to_owned(),
            active: self.is_active(),
            standby: self.config.standby,
            inactive: self.is_spare(),
            duplicate_mac: self.duplicate_mac,
            no_data_address: self.families.is_empty(),
            state: self.state(),
            link: self.link(),
            probing: self.probing(),
            taken_over_by: self.stand_in().map(str::to_owned),
            instances: self.instances.values().map(|instance| instance.snapshot(now)).collect(),
        }
    }

    fn state(&self) -> MemberState {
        match self.state {
            State::Running(Duty::Active | Duty::Inactive) => MemberState::Ok,
            State::Failed(_) => MemberState::Failed,
            State::Offline(_) => MemberState::Offline,
            State::New | State::NoTargets(_) => MemberState::Unknown,
        }
    }

    fn link(&self) -> Link {
        match self.state {
            State::New => Link::Unknown,
            State::Running(_) | State::NoTargets(_) | State::Failed(_) | State::Offline(_) => {
                if self.has_link { Link::Up } else { Link::Down }
            }
        }
    }

    fn probing(&self) -> Probing {
        if !self.is_probed() || self.is_offline() {
            Probing::Disabled
        } else if self.has_failed() {
            Probing::Failed
        } else if self.is_capable() {
            Probing::Ok
        } else {
            Probing::Unknown
        }
    }
}

impl Instance {
    fn snapshot(&self, now: Instant) -> InstanceSnapshot {
        InstanceSnapshot {
            family: self.family(),
            test_address: Some(self.address),
            mode: self.mode(),
            targets: self.targets.in_order().map(|target| self.target_snapshot(now, target)).collect(),
            invalid: self.invalid,
        }
    }

    fn mode(&self) -> Mode {
        let named = self.targets.in_order().any(|target| target.kind != Kind::Host);
        match (self.unique, named) {
            (false, _) => Mode::Disabled,
            (true, true) => Mode::Routes,
            (true, false) => Mode::Multicast,
        }
    }

    fn target_snapshot(&self, now: Instant, target: &Target) -> TargetSnapshot {
        let (losses, answers) = self.ring.of_target(target.address);
        let missed = losses.map_or(0, |run| run.count);
        let (loss_percent, round_trip) = self.quality(target);
        TargetSnapshot {
            name: target.name.clone(),
            address: target.address,
            method: METHOD,
            state: target_state(target, missed),
            missed,
            good: answers.map_or(0, |run| run.count),
            loss_percent,
            round_trip,
            answered: target.answered.map(|at| now.since(at)),
        }
    }

    /// Percent lost of the probes that are remembered, and the mean round trip of the others.
    fn quality(&self, target: &Target) -> (Option<u8>, Option<Duration>) {
        let decided = || {
            let own = self.ring.iter().filter(|sent| sent.target == target.address);
            own.filter(|sent| sent.fate != Fate::Pending)
        };
        let answered = |sent: &Sent| match sent.fate {
            Fate::Answered(round_trip) => Some(round_trip),
            Fate::Pending | Fate::Lost => None,
        };
        let all = decided().count();
        let round_trips: Vec<Duration> = decided().filter_map(answered).collect();
        let percent = (all - round_trips.len()) * 100 / all.max(1);
        let count = u32::try_from(round_trips.len()).unwrap_or(u32::MAX);
        let mean = (count > 0).then(|| round_trips.iter().sum::<Duration>() / count.max(1));
        ((all > 0).then_some(u8::try_from(percent).unwrap_or(100)), mean)
    }
}

fn target_state(target: &Target, missed: u32) -> HopState {
    match target.status {
        Status::Dead { .. } => HopState::Down,
        Status::Slow { .. } => HopState::Degraded,
        Status::Active | Status::Unused if missed >= LOSSES => HopState::Down,
        Status::Active | Status::Unused if target.answered.is_some() => HopState::Up,
        Status::Active | Status::Unused => HopState::Unknown,
    }
}
