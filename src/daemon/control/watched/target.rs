//! The hosts that are probed, and the probes.

use std::time::Duration;

use super::Picture;
use crate::control;
use crate::time::Instant;
use crate::units::millis;
use crate::watch::{GroupSnapshot, MemberSnapshot, ProbeRecord};

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
                targets: hop.targets.clone(),
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
        let probe = |record: &ProbeRecord| control::Probe {
            record: record.clone(),
            time_ms: millis::of(wall.saturating_sub(now.since(record.sent))),
        };
        control::Probes { time_ms: millis::of(wall), items: later.map(probe).collect() }
    }
}

pub(super) fn member_targets<'a>(
    group: &'a GroupSnapshot,
    member: &'a MemberSnapshot,
) -> impl Iterator<Item = control::MemberTargets> + 'a {
    member.instances.iter().map(|instance| control::MemberTargets {
        group: group.name.clone(),
        interface: member.interface.clone(),
        instance: instance.clone(),
    })
}
