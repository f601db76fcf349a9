//! The hosts that are probed, and the probes.

use std::time::Duration;

use super::super::answer::{micros, millis};
use super::Picture;
use crate::config::Method;
use crate::control;
use crate::time::Instant;
use crate::watch::{GroupSnapshot, HopState, MemberSnapshot, Mode, ProbeRecord, TargetSnapshot};

impl Picture<'_> {
    /// The hosts that are probed, through this interface or through all.
    pub(in crate::daemon::control) fn targets(&self, interface: Option<&str>) -> control::Targets {
        let is_wanted = |name: &str| interface.is_none_or(|wanted| wanted == name);
        let members = self.watch.groups.iter().flat_map(|group| {
            group.members.iter().filter(|m| is_wanted(&m.interface)).flat_map(|m| member_targets(group, m))
        });
        let next_hops = self.watch.routes.iter().flat_map(|route| {
            let hops = route.hops.iter().filter(|hop| is_wanted(&hop.interface));
            hops.map(|hop| control::NextHopTargets {
                destination: route.destination.prefix.to_string(),
                table: route.destination.table,
                interface: hop.interface.clone(),
                via: hop.via,
                targets: hop.targets.iter().map(target).collect(),
            })
        });
        control::Targets { members: members.collect(), next_hops: next_hops.collect() }
    }

    /// The probes after this number; `wall` is the time since 1970 at `now`.
    pub(in crate::daemon::control) fn probes(
        &self,
        now: Instant,
        wall: Duration,
        after: u64,
    ) -> control::Probes {
        let later = self.watch.recent.iter().filter(|record| record.number > after);
        let items = later.map(|record| probe(record, wall.saturating_sub(now.since(record.sent))));
        control::Probes { time_ms: millis(wall), items: items.collect() }
    }
}

pub(super) fn member_targets<'a>(
    group: &'a GroupSnapshot,
    member: &'a MemberSnapshot,
) -> impl Iterator<Item = control::MemberTargets> + 'a {
    member.instances.iter().map(|instance| control::MemberTargets {
        group: group.name.clone(),
        interface: member.interface.clone(),
        family: instance.family.to_string(),
        mode: match instance.mode {
            Mode::Routes => control::Mode::Routes,
            Mode::Multicast => control::Mode::Multicast,
            Mode::Disabled => control::Mode::Disabled,
        },
        test_address: instance.test_address,
        targets: instance.targets.iter().map(target).collect(),
        bogus: instance.invalid,
    })
}

pub(super) fn target(target: &TargetSnapshot) -> control::Target {
    control::Target {
        name: target.name.clone(),
        address: target.address,
        method: method(target.method),
        state: health(target.state),
        missed: target.missed,
        good: target.good,
        loss_percent: target.loss_percent,
        round_trip_us: target.round_trip.map(micros),
        answered_ms: target.answered.map(millis),
    }
}

const fn method(method: Method) -> control::Method {
    match method {
        Method::Neighbour => control::Method::Neighbour,
        Method::Echo => control::Method::Echo,
        Method::Peer => control::Method::Peer,
    }
}

pub(super) const fn health(state: HopState) -> control::HopState {
    match state {
        HopState::Unknown => control::HopState::Unknown,
        HopState::Up => control::HopState::Works,
        HopState::Degraded => control::HopState::Poor,
        HopState::Down => control::HopState::Failed,
    }
}

fn probe(record: &ProbeRecord, sent: Duration) -> control::Probe {
    control::Probe {
        number: record.number,
        time_ms: millis(sent),
        interface: record.interface.clone(),
        sequence: record.sequence,
        target: record.target,
        method: method(record.method),
        round_trip_us: record.round_trip.map(micros),
        average_us: record.average.map(micros),
        deviation_us: record.deviation.map(micros),
    }
}
