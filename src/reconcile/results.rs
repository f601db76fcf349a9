//! What became of operations: what is known of the kernel is brought up to date, what was refused is tried again.

use std::sync::Arc;

use nix::errno::Errno;

use super::Reconciler;
use super::cause::Cause;
use super::describe::describe;
use super::diff::Task;
use super::input::{Dump, Output};
use super::lan::SubjectId;
use super::overlay::Wanted;
use super::table::Group;
use crate::operation::{Operation, Place, Refusal};
use crate::route::{PROTOCOL, Route, RouteKey};
use crate::time::Instant;

impl Reconciler {
    /// What became of the operations in flight.
    pub(super) fn on_results(&mut self, now: Instant, results: Vec<(Operation, Result<(), Refusal>)>) {
        let mut tasks = self.in_flight.take().unwrap_or_default().into_iter();
        for ((operation, result), task) in results.into_iter().zip(tasks.by_ref()) {
            match result {
                Ok(()) => self.on_done(now, task, operation),
                Err(refusal) => self.on_refused(now, task, operation, refusal),
            }
        }
        // Results that never came: look at what happened.
        for task in tasks {
            self.dumps.want_all();
            if let Some(group) = task.group() {
                self.mark(group);
            }
        }
    }

    fn on_done(&mut self, now: Instant, task: Task, operation: Operation) {
        match (task, operation) {
            (Task::Lay { group, cause, others, again }, Operation::AddRoute { route, place }) => {
                self.insert(route, place);
                self.troubles.succeeded(&group);
                self.wishes.stands_for(group, cause);
                self.forget_neighbours(cause, others);
                if again {
                    self.mark(group);
                }
            }
            (Task::Settle { group, cause }, Operation::AddRoute { route, place }) => {
                self.insert(route, place);
                self.troubles.succeeded(&group);
                self.wishes.stands_for(group, cause);
                self.mark(group);
            }
            (Task::Lift { group, again: true, .. }, Operation::DeleteRoute(route)) => {
                self.mirror.routes_mut().remove(&route);
                self.mark(group);
            }
            (Task::Lift { group, cause, .. }, Operation::DeleteRoute(route)) => {
                self.on_lifted(group, cause, &route);
            }
            (Task::PutRoute { key }, Operation::AddRoute { route, place }) => {
                self.originals.forget(&key);
                self.originals.came(now, &self.lans, &route);
                let text = self.text_of(&route);
                self.reports.put_back(text);
                self.insert(route, place);
                self.found.touch();
                self.mark(Group::of(&key));
                self.keeping.touch(Group::of(&key));
            }
            (task, operation) => self.on_address_done(task, operation),
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

    /// At once for the host or the first route, and when the last one has left: until then the entry may be made anew.
    fn forget_neighbours(&mut self, cause: Cause, others: Vec<SubjectId>) {
        let first = self.reports.laid(cause) == 1;
        let last = self.dirty.is_empty();
        if cause.subject().is_some() {
            if first || last {
                self.neighbours.extend(others.into_iter().chain(cause.subject()));
            }
            return;
        }
        // Routes over one interface lead to many a gateway.
        for neighbour in others {
            if self.moved.insert(neighbour) {
                self.neighbours.insert(neighbour);
            }
        }
        if last {
            self.neighbours.extend(std::mem::take(&mut self.moved));
        }
    }

    fn on_lifted(&mut self, group: Group, cause: Option<Cause>, route: &Route) {
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

    fn on_refused(&mut self, now: Instant, task: Task, operation: Operation, refusal: Refusal) {
        let errno = Errno::from_raw(refusal.errno);
        if refusal.is_unknown() {
            self.dumps.want_all();
        }
        match (task, &operation) {
            (
                Task::Lay { group, cause, .. } | Task::Settle { group, cause },
                Operation::AddRoute { route, place },
            ) => {
                self.reports.touch(cause);
                self.mark(group);
                if errno == Errno::EEXIST {
                    self.on_place_taken(now, cause, route, *place);
                } else {
                    self.on_lay_refused(now, group, (&operation, route), refusal);
                }
            }
            (Task::Lift { group, cause, again }, Operation::DeleteRoute(route)) => {
                if again {
                    self.mark(group);
                }
                if matches!(errno, Errno::ESRCH | Errno::ENOENT | Errno::ENODEV) {
                    self.on_lifted(group, cause, route);
                } else {
                    self.troubles.refused(now, group, refusal.errno);
                    self.report_refused(&operation, refusal);
                }
            }
            (Task::PutRoute { key }, _) => self.on_put_back_refused(now, &key, &operation, refusal),
            (task, operation) => self.on_address_refused(now, task, operation, refusal),
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

    fn on_lay_refused(
        &mut self,
        now: Instant,
        group: Group,
        (operation, route): (&Operation, &Route),
        refusal: Refusal,
    ) {
        self.dumps.want(Dump::Interfaces);
        self.troubles.legs_refused(now, group, refusal.errno, &route.legs);
        if !matches!(Errno::from_raw(refusal.errno), Errno::ENODEV | Errno::ENETDOWN) {
            self.report_refused(operation, refusal);
        }
    }

    fn on_put_back_refused(&mut self, now: Instant, key: &RouteKey, operation: &Operation, refusal: Refusal) {
        self.waiting.recheck();
        self.dumps.want(Dump::LanRoutes);
        if Errno::from_raw(refusal.errno) == Errno::EEXIST {
            // Somebody was quicker.
            self.originals.forget(key);
            self.mark(Group::of(key));
        } else {
            self.originals.refused(now, key);
            self.report_refused(operation, refusal);
        }
    }

    /// Shows the exact operation: it can be tried by hand.
    pub(super) fn report_refused(&mut self, operation: &Operation, refusal: Refusal) {
        let text = describe(operation, &|index| self.interface_name(index));
        self.reports.refused(text, refusal);
    }
}
