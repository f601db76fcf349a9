//! What is made of an old journal: what the last run knew is compared with what there is.

use std::collections::{BTreeMap, BTreeSet};

use super::super::Reconciler;
use super::super::input::Dump;
use super::super::journal::{InterfaceRecord, RouteRecord};
use super::super::lan::{Lan, LanId};
use super::super::originals::has_no_keeper;
use super::super::table::{Group, host_of};
use crate::gather::Gather;
use crate::interface::{Fall, InterfaceAddress};
use crate::route::{PROTOCOL, Route};
use crate::time::Instant;

impl Reconciler {
    pub(in crate::reconcile) fn recall_addresses(&mut self) {
        for (name, record) in self.keeping.read.interfaces.clone() {
            self.lans.recall(&name, record);
        }
    }

    /// The interfaces that the last run knew, and their addresses. One that fell after that run was killed may have lost
    /// them, and peers must still be told of them. To be asked before the first input.
    pub fn journalled_addresses(&self) -> BTreeMap<String, Vec<InterfaceAddress>> {
        let told = |record: &&InterfaceRecord| !record.addresses.is_empty();
        let addresses =
            |record: &InterfaceRecord| record.addresses.iter().map(|home| home.address.clone()).collect();
        let interfaces = self.keeping.read.interfaces.iter();
        interfaces.filter(|(_, r)| told(r)).map(|(name, r)| (name.clone(), addresses(r))).gather()
    }

    /// What the last run knew of routes, once it can be compared with what there is.
    pub(in crate::reconcile) fn recall_originals(&mut self, now: Instant) {
        if std::mem::replace(&mut self.keeping.is_recalled, true) {
            return;
        }
        self.keeping.touch_interfaces();
        let read = std::mem::take(&mut self.keeping.read).routes;
        let records: Vec<(RouteRecord, Vec<Option<LanId>>)> = read
            .into_values()
            .flatten()
            .map(|record| {
                let lans = record.interfaces.iter().map(|name| self.lans.intern(name)).collect();
                (record, lans)
            })
            .collect();
        if self.lans.has_strangers() {
            // What is missing over them would wait for whatever looks at the interfaces next.
            self.dumps.want(Dump::Interfaces);
        }
        let survived = self.survived(&records);
        for (record, lans) in records {
            let group = Group::of(&record.route.key);
            let overlaid = self.mirror.routes().group(group).any(|r| r.protocol == PROTOCOL);
            if overlaid && host_of(group).is_none() {
                self.known.insert(group);
            }
            let is_gone = !self.is_standing(&record.route);
            if is_gone && (overlaid || record.missing || self.was_taken(now, &record, &lans, &survived)) {
                self.originals.recall(record, lans);
            }
            self.keeping.touch(group);
            self.mark(group);
        }
        self.restoring.recheck();
    }

    fn is_standing(&self, route: &Route) -> bool {
        self.mirror.routes().at(&route.key).iter().any(|r| r.protocol != PROTOCOL)
    }

    /// Interfaces, each with a family, over which a route stands that nothing but the last run would have restored.
    fn survived(&self, records: &[(RouteRecord, Vec<Option<LanId>>)]) -> BTreeSet<(LanId, bool)> {
        let standing = records.iter().filter(|(record, _)| {
            !record.missing && has_no_keeper(&record.route) && self.is_standing(&record.route)
        });
        let over = |(record, lans): &(RouteRecord, Vec<Option<LanId>>)| {
            let is_v4 = record.route.key.destination.addr().is_ipv4();
            lans.iter().flatten().map(|lan| (*lan, is_v4)).collect::<Vec<_>>()
        };
        standing.flat_map(over).gather()
    }

    /// Whether the kernel took a route that stood when the last run ended: an interface of its legs, or that of its
    /// source, fell since.
    fn was_taken(
        &self,
        now: Instant,
        record: &RouteRecord,
        legs: &[Option<LanId>],
        survived: &BTreeSet<(LanId, bool)>,
    ) -> bool {
        let is_v4 = record.route.key.destination.addr().is_ipv4();
        // What no listing was searched for is not known to be down.
        let observed = |id: LanId| self.lans.get(id).filter(|lan| lan.observed);
        let fell = |id: LanId| match observed(id).map_or(Fall::Stood, |lan| lan.fall(now)) {
            Fall::Fell => true,
            // That takes all of them, or none.
            Fall::Doubtful => !survived.contains(&(id, is_v4)),
            Fall::Stood => false,
        };
        let holds_source =
            |lan: &Lan| lan.addresses.iter().any(|home| Some(home.address.address()) == record.route.source);
        legs.iter().flatten().any(|id| fell(*id))
            || self.lans.iter().any(|(id, lan)| holds_source(lan) && fell(id))
    }
}
