//! What each input changes: what is known, and which groups of routes are to be looked at.

mod blame;
mod plan;
mod routes;

use std::sync::Arc;

use super::Reconciler;
use super::input::{Dump, Output};
use super::lan::{Change, LanId};
use super::table::{Group, host_of};
use crate::engine::NextHop;
use crate::gather::Gather;
use crate::interface::{Interface, InterfaceIndex, InterfaceKind};
use crate::route::Route;
use crate::time::Instant;

impl Reconciler {
    pub(super) fn on_interfaces(&mut self, now: Instant, interfaces: &[Interface]) {
        self.dumps.answered(Dump::Interfaces);
        let changes = self.lans.observe(now, interfaces);
        if changes.is_empty() && self.mirror.interfaces().eq(interfaces) {
            return;
        }
        let lo_changed = loopback(self.mirror.interfaces()) != loopback(interfaces.iter());
        self.mirror.load_interfaces(interfaces);
        self.ask_again();
        self.exclude();
        self.places_changed(None);
        self.keeping.touch_interfaces();
        self.adopt();
        // Test addresses are no homes: no change tells of them.
        self.restoring.recheck();
        self.found.touch();
        if changes.is_empty() && !lo_changed {
            return;
        }
        self.note_returned(&changes);
        if !changes.is_empty() {
            self.dumps.on_link_event(now);
        }
        self.troubles.links_changed();
        self.restoring.recheck();
        self.mark_all();
    }

    fn note_returned(&mut self, changes: &[(LanId, Change)]) {
        for (lan, change) in changes {
            for address in &change.returned {
                self.addresses.on_returned(*lan, *address);
            }
        }
    }

    pub(super) fn on_went_down(&mut self, now: Instant, index: InterfaceIndex) {
        self.lans.fell(now, index);
        self.dumps.want(Dump::Interfaces);
        self.dumps.on_link_event(now);
    }

    pub(super) fn on_overrun(&mut self, now: Instant) {
        self.originals.overrun(now);
        self.dumps.want_all();
    }

    pub(super) fn on_backlog(&mut self, is_behind: bool) {
        if std::mem::replace(&mut self.is_behind, is_behind) && !is_behind {
            self.restoring.recheck();
        }
    }

    /// What the timers demand.
    pub(super) fn on_time(&mut self, now: Instant) {
        self.dumps.on_time(now);
        self.leave_lapsed(now);
        for group in self.troubles.due(now) {
            self.mark(group);
        }
        if self.is_behind {
            return;
        }
        if self.originals.next_judgement().is_some_and(|at| at <= now) {
            let wishes = &self.wishes;
            for group in self.originals.judge(now, &self.lans, |group| wishes.lead(group).is_some()) {
                self.on_original_gone(group);
                self.mark_covered(group);
            }
            self.restoring.recheck();
        }
        self.give_up_places(now);
        if self.restoring.is_over(now) {
            for group in self.originals.give_up(now, &self.lans) {
                self.on_original_gone(group);
                self.mark_covered(group);
            }
            self.troubles.expire(now);
            self.restoring.recheck();
        }
    }

    /// Routes that a network manager took from an interface without carrier, and has not given back, have had their time.
    fn give_up_places(&mut self, now: Instant) {
        let wishes = &self.wishes;
        for group in self.originals.vacate(now, &self.lans, |group| wishes.lead(group).is_some()) {
            self.on_original_gone(group);
            self.mark_covered(group);
        }
        if self.homes.next_expiry(&self.lans).is_some_and(|at| at <= now)
            && self.homes.expire(now, &self.lans)
        {
            self.mark_all();
        }
    }

    /// The interfaces that the settings exclude may be others: their routes are wanted, and nothing may pass them.
    pub(super) fn exclude(&mut self) {
        let named = self.mirror.interfaces().filter(|i| self.settings.excluded.contains(&i.name));
        let excluded = named.map(|interface| interface.index).gather();
        if self.excluded != excluded {
            self.excluded = excluded;
            self.dumps.want(Dump::LanRoutes);
            self.mark_all();
        }
    }

    /// Tells the engine which host overlays were found, once.
    fn adopt(&mut self) {
        if self.adopted || !self.dumps.has_seen(Dump::OwnRoutes) || !self.dumps.has_seen(Dump::Interfaces) {
            return;
        }
        self.adopted = true;
        let way = |route: &Arc<Route>| {
            let [leg] = route.legs.as_slice() else { return None };
            let interface = self.mirror.interface(leg.interface)?.name.clone();
            let group = Group::of(&route.key);
            let address = host_of(group).filter(|_| self.wishes.lead(&group).is_none())?;
            Some(Output::Adopted { address, way: Some(NextHop { interface, via: leg.gateway? }) })
        };
        let adopted: Vec<Output> = self.own_routes().filter_map(way).collect();
        self.outputs.extend(adopted);
    }
}

fn loopback<'a>(mut interfaces: impl Iterator<Item = &'a Interface>) -> Option<&'a Interface> {
    interfaces.find(|i| i.kind == InterfaceKind::Loopback)
}
