//! What the watch is told of the routes of others, whenever it changed.

use std::collections::BTreeSet;
use std::time::Duration;

use super::input::{Dump, Output};
use super::{Reason, Reconciler};
use crate::gather::Gather;
use crate::interface::InterfaceIndex;
use crate::route::PROTOCOL;
use crate::time::Instant;
use crate::watch::Found;

/// The shortest time between two looks at all routes: ten thousand that come one by one are not walked through ten
/// thousand times.
const PAUSE: Duration = Duration::from_millis(100);

/// What was told, and whether that may be out of date.
#[derive(Debug, Clone, Default)]
pub(super) struct Findings {
    stale: bool,
    told: Vec<Found>,
    not_before: Instant,
}

impl Findings {
    /// Routes, interfaces or the plan changed.
    pub(super) fn touch(&mut self) {
        self.stale = true;
    }
}

impl Reconciler {
    pub(super) fn report_found(&mut self, now: Instant) {
        if self.findings_due().is_none_or(|at| at > now) {
            return;
        }
        self.found.stale = false;
        self.found.not_before = now + PAUSE;
        let found = self.found_routes();
        if found != self.found.told {
            self.found.told.clone_from(&found);
            self.outputs.push_back(Output::Found(found));
        }
    }

    pub(super) fn found_deadline(&self) -> Option<(Instant, Reason)> {
        self.findings_due().map(|at| (at, Reason::Found))
    }

    fn findings_due(&self) -> Option<Instant> {
        let can_tell = self.wishes.has_plan() && self.dumps.has_seen(Dump::LanRoutes);
        (self.found.stale && can_tell).then_some(self.found.not_before)
    }

    /// The legs of all routes of others over the watch's interfaces, by table, destination and metric.
    fn found_routes(&self) -> Vec<Found> {
        let watched = self.lans.iter().filter(|(_, lan)| lan.watched);
        let over: BTreeSet<InterfaceIndex> = watched.filter_map(|(_, lan)| lan.index).gather();
        if over.is_empty() {
            return Vec::new();
        }
        let routes = self.mirror.routes().iter();
        let foreign = routes
            .filter(|r| r.protocol != PROTOCOL && r.is_unicast() && self.wishes.sees_table(r.key.table));
        let legs = foreign.flat_map(|route| route.legs.iter().map(move |leg| (route, leg)));
        let seen = legs.filter(|(_, leg)| over.contains(&leg.interface)).map(|(route, leg)| Found {
            table: route.key.table,
            destination: route.key.destination,
            metric: route.key.metric,
            protocol: route.protocol,
            interface: leg.interface,
            gateway: leg.gateway,
        });
        seen.collect()
    }
}
