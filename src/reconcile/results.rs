//! What became of operations: what is known of the kernel is brought up to date, what was refused is tried again.

use std::sync::Arc;

use nix::errno::Errno;

use super::Reconciler;
use super::addresses::AddressStep;
use super::cause::Cause;
use super::describe::describe;
use super::input::{Dump, Output};
use super::overlay::Wanted;
use super::step::{Results, RouteStep, Step};
use super::table::Group;
use crate::operation::{Operation, Place, Refusal};
use crate::route::{PROTOCOL, Route, RouteKey};
use crate::time::Instant;

impl Reconciler {
    /// What became of the batch in flight.
    pub(super) fn on_results(&mut self, now: Instant, results: Results) {
        if !self.work.on_results() {
            return;
        }
        for (step, result) in results.into_steps() {
            match result {
                Some(Ok(())) => self.on_done(now, step),
                Some(Err(refusal)) => self.on_refused(now, &step, refusal),
                // Look at what happened.
                None => {
                    self.dumps.want_all();
                    if let Some(group) = step.group() {
                        self.mark(group);
                    }
                }
            }
        }
    }

    fn on_done(&mut self, now: Instant, step: Step) {
        match step {
            Step::Route(step) => self.on_route_done(now, step),
            Step::Address(step) => {
                self.on_addresses_changed();
                self.on_address_done(step);
            }
            Step::Neighbour { .. } => self.on_addresses_changed(),
        }
    }

    /// No listing will show as a change what an operation of ours did: it is what a refused overlay may have lacked.
    fn on_addresses_changed(&mut self) {
        self.restoring.recheck();
        self.keeping.touch_interfaces();
        self.troubles.links_changed();
    }

    fn on_address_done(&mut self, step: AddressStep) {
        if matches!(step, AddressStep::SetUp { .. }) {
            self.dumps.want(Dump::Interfaces);
        }
        if let Some(notice) = self.addresses.on_done(&mut self.mirror, &mut self.lans, step) {
            self.notice(notice);
            self.mark_all();
        }
    }

    fn on_address_refused(&mut self, now: Instant, step: &AddressStep, refusal: Refusal) {
        let errno = Errno::from_raw(refusal.errno);
        self.restoring.recheck();
        self.dumps.want(Dump::Interfaces);
        if step.is_done_already(errno) {
            return self.on_address_done(step.clone());
        }
        self.addresses.on_refused(now, step);
        if step.is_news(errno) {
            self.report_refused(&step.operation(), refusal);
        }
    }

    fn on_route_done(&mut self, now: Instant, step: RouteStep) {
        let group = step.group();
        match step {
            RouteStep::Lay { route, place, cause, others, again } => {
                self.insert(route, place);
                self.troubles.succeeded(&group);
                self.wishes.stands_for(group, cause);
                let is_first = self.reports.laid(cause) == 1;
                self.work.forget_neighbours(cause, others, is_first);
                if again {
                    self.mark(group);
                }
            }
            RouteStep::Settle { route, place, cause } => {
                self.insert(route, place);
                self.troubles.succeeded(&group);
                self.wishes.stands_for(group, cause);
                self.mark(group);
            }
            RouteStep::Lift { route, again: true, .. } => {
                self.mirror.routes_mut().remove(&route);
                self.mark(group);
            }
            RouteStep::Lift { route, cause, again: false } => self.on_lifted(cause, &route),
            RouteStep::PutBack { route, place } => {
                self.originals.forget(&route.key);
                self.originals.came(now, &self.lans, &route);
                let text = self.text_of(&route);
                self.reports.put_back(text);
                self.insert(route, place);
                self.found.touch();
                self.mark(group);
                self.keeping.touch(group);
            }
        }
    }

    fn insert(&mut self, route: Route, place: Place) {
        self.ask_again();
        let table = self.mirror.routes_mut();
        match place {
            Place::Alone | Place::Before => table.prepend(Arc::new(route)),
            Place::Behind => table.append(Arc::new(route)),
        }
    }

    fn on_lifted(&mut self, cause: Option<Cause>, route: &Route) {
        let group = Group::of(&route.key);
        self.mirror.routes_mut().remove(route);
        self.ask_again();
        let text = if cause.is_none() { self.text_of(route) } else { String::new() };
        let left = self.mirror.routes().group(group).any(|r| r.protocol == PROTOCOL);
        if !left {
            self.known.remove(&group);
            self.wishes.lifted(&group);
            self.troubles.lifted(&group);
            self.reports.lifted(cause, text);
            if self.view().wanted(group) == Wanted::Keep {
                self.report_vanished(group);
            }
        }
    }

    fn on_refused(&mut self, now: Instant, step: &Step, refusal: Refusal) {
        if refusal.is_unknown() {
            self.dumps.want_all();
        }
        match step {
            Step::Route(route) => self.on_route_refused(now, route, refusal),
            Step::Address(address) => self.on_address_refused(now, address, refusal),
            Step::Neighbour { .. } => self.restoring.recheck(),
        }
    }

    fn on_route_refused(&mut self, now: Instant, step: &RouteStep, refusal: Refusal) {
        let (group, errno) = (step.group(), Errno::from_raw(refusal.errno));
        match step {
            RouteStep::Lay { route, place, cause, .. } | RouteStep::Settle { route, place, cause } => {
                self.reports.touch(*cause);
                self.mark(group);
                if errno == Errno::EEXIST {
                    self.on_place_taken(now, *cause, route, *place);
                } else {
                    self.dumps.want(Dump::Interfaces);
                    self.troubles.legs_refused(now, group, refusal.errno, &route.legs);
                    if !matches!(errno, Errno::ENODEV | Errno::ENETDOWN) {
                        self.report_refused(&step.operation(), refusal);
                    }
                }
            }
            RouteStep::Lift { route, cause, again } => {
                if *again {
                    self.mark(group);
                }
                if matches!(errno, Errno::ESRCH | Errno::ENOENT | Errno::ENODEV) {
                    self.on_lifted(*cause, route);
                } else {
                    self.troubles.refused(now, group, refusal.errno);
                    self.report_refused(&step.operation(), refusal);
                }
            }
            RouteStep::PutBack { route, .. } => {
                self.restoring.recheck();
                self.dumps.want(Dump::LanRoutes);
                if errno == Errno::EEXIST {
                    // Another program was quicker.
                    self.originals.forget(&route.key);
                    self.mark(group);
                } else {
                    self.originals.refused(now, &route.key);
                    self.report_refused(&step.operation(), refusal);
                }
            }
        }
    }

    /// Something has the key already. Dumps show only the routes of the LANs: it may be one that they do not show. It is
    /// never passed by a lower metric; what it is can be asked.
    fn on_place_taken(&mut self, now: Instant, cause: Cause, route: &Route, place: Place) {
        self.dumps.want(Dump::OwnRoutes);
        self.dumps.want(Dump::LanRoutes);
        let group = Group::of(&route.key);
        let above = route.key.metric.checked_add(1);
        if self.own_routes().any(|own| Group::of(&own.key) == group && Some(own.key.metric) == above) {
            // It was to be there for a moment only.
            self.troubles.no_makeshift(now, group);
            self.mark(group);
            return;
        }
        self.troubles.place_taken(now, group, cause);
        if place == Place::Alone {
            self.outputs.push_back(Output::LookUp(route.key));
        }
    }

    /// What has a key that the kernel refused us.
    pub(super) fn on_looked_up(&mut self, key: &RouteKey, found: &[Route]) {
        let group = Group::of(key);
        let by = found.iter().find(|r| r.protocol != PROTOCOL).map(|route| self.text_of(route));
        // If it is gone by now, or was our own, the next attempt will do.
        if let Some(by) = by {
            self.troubles.looked_up(&group, by);
            self.mark(group);
        }
    }

    /// Shows the exact operation: it can be tried by hand.
    pub(super) fn report_refused(&mut self, operation: &Operation, refusal: Refusal) {
        let text = describe(operation, &|index| self.interface_name(index));
        self.reports.refused(text, refusal);
    }
}
