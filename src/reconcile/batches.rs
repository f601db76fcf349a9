//! One batch after the other: addresses before the routes that use them, neighbours when the overlay stands.

use super::Reconciler;
use super::addresses::{AddressStep, Scene};
use super::input::Output;
use super::originals::PUT_BACK_PAUSE;
use super::restoring::REVIEW;
use super::step::{Batch, RouteStep, Step};
use crate::config::Exit;
use crate::operation::Place;
use crate::route::PROTOCOL;
use crate::time::Instant;

impl Reconciler {
    /// Goes on as far as is possible without hearing from the kernel.
    pub(super) fn advance(&mut self, now: Instant) {
        let may_act = !self.work.is_in_flight() && self.is_ready();
        if may_act {
            self.recall_originals(now);
        }
        self.flush_journal(now);
        if may_act {
            match self.next_batch(now) {
                Some(batch) if batch.is_empty() => self.settle(now),
                Some(batch) => self.submit(batch),
                None => {}
            }
        }
        let idle = !self.work.is_in_flight();
        while let Some(dump) = self.dumps.next(now, idle, self.has_plan) {
            self.outputs.push_back(Output::Dump(dump));
        }
    }

    /// What of a batch is to be done still when its turn has come: what was read since it was computed may forbid it. Of
    /// groups of routes that are to be looked at again nothing is done; they have their turn in the next batch, and nothing
    /// is put back before all is read.
    pub fn review(&mut self, mut batch: Batch) -> Batch {
        if !self.work.is_in_flight() {
            return batch;
        }
        if batch.retain(|step| !self.is_outdated(step)) {
            self.restoring.recheck();
        }
        self.work.on_submitted(&batch);
        batch
    }

    fn is_outdated(&self, step: &Step) -> bool {
        match step {
            Step::Route(step @ RouteStep::PutBack { route, .. }) => {
                self.is_behind || self.work.is_marked(step.group()) || !self.originals.holds(&route.key)
            }
            Step::Route(step) => self.work.is_marked(step.group()),
            Step::Address(AddressStep::PutBack { .. }) => self.is_behind,
            Step::Address(
                AddressStep::Park { .. }
                | AddressStep::Unpark { .. }
                | AddressStep::MakeTest { .. }
                | AddressStep::RemoveTest { .. }
                | AddressStep::SetUp { .. },
            )
            | Step::Neighbour { .. } => false,
        }
    }

    fn submit(&mut self, batch: Batch) {
        self.dumps.spoil();
        self.work.on_submitted(&batch);
        self.outputs.push_back(Output::Apply(batch));
    }

    /// What is to be done next; `None` if that depends on the result of the journal's write, which is on its way: an
    /// overlay is not laid without the source that is to be parked the moment after. A failed write ends the wait.
    fn next_batch(&mut self, now: Instant) -> Option<Batch> {
        let mut batch = Batch::default();
        if !self.stopping && self.restoring.takes_addresses(now) {
            self.address_tasks(now, &mut batch);
            if !batch.is_empty() {
                return Some(batch);
            }
            if self.restoring.is_held() {
                return None;
            }
        }
        if !self.stopping {
            self.neighbour_tasks(&mut batch);
        }
        while !batch.is_full()
            && let Some(group) = self.work.next_group()
        {
            self.plan_group(now, group, &mut batch);
        }
        // Where they stand depends on whether an overlay is there already: not in one go with laying it.
        if !self.stopping && batch.is_empty() {
            self.put_back_tasks(now, &mut batch);
        }
        if self.stopping && self.settings.exit == Exit::Remove && batch.is_empty() {
            let Self { mirror, lans, wishes, addresses, .. } = self;
            addresses.remove_tests(&Scene { now, mirror, lans, wishes, stopping: true }, &mut batch);
        }
        Some(batch)
    }

    fn address_tasks(&mut self, now: Instant, batch: &mut Batch) {
        let Self { mirror, lans, wishes, addresses, keeping, .. } = self;
        let scene = Scene { now, mirror, lans, wishes, stopping: self.stopping };
        let decision = addresses.decide(&scene, !self.is_behind, || keeping.record(), batch);
        for notice in decision.notices {
            self.notice(notice);
        }
        for (lan, address) in decision.forgotten {
            if let Some(lan) = self.lans.get_mut(lan) {
                lan.forget(&address);
                self.keeping.touch_interfaces();
            }
        }
        if decision.is_held {
            self.restoring.hold();
        }
        self.restoring.set_next(self.next_review(now));
    }

    fn next_review(&self, now: Instant) -> Option<Instant> {
        let lans = || self.lans.iter().filter(|(_, lan)| lan.up && lan.absent().next().is_some());
        let pauses = [PUT_BACK_PAUSE, 2 * PUT_BACK_PAUSE, REVIEW];
        let settled = lans().flat_map(|(_, lan)| pauses.map(|pause| lan.settled_since + pause));
        let routes = self.originals.next_due(now, &self.lans);
        let review =
            (lans().next().is_some() || self.originals.groups().next().is_some()).then(|| now + REVIEW);
        let all = settled.chain(self.addresses.retries()).chain(routes).chain(review);
        all.filter(|at| *at > now).min()
    }

    fn neighbour_tasks(&mut self, batch: &mut Batch) {
        while !batch.is_full()
            && let Some(subject) = self.work.next_neighbour()
        {
            // When an interface goes down the kernel drops its neighbours itself.
            if let Some(lan) = self.lans.get(subject.lan).filter(|lan| lan.up)
                && let Some(interface) = lan.index
            {
                batch.push(Step::Neighbour { interface, address: subject.address });
            }
        }
    }

    fn put_back_tasks(&mut self, now: Instant, batch: &mut Batch) {
        if self.is_behind || !self.restoring.takes_routes() {
            return;
        }
        for route in self.originals.due(now, &self.lans, &self.mirror, batch.room()) {
            let ours = self.mirror.routes().at(&route.key).iter().any(|r| r.protocol == PROTOCOL);
            let place = if ours { Place::Behind } else { Place::Alone };
            batch.push(RouteStep::PutBack { route, place });
        }
        if batch.is_full() {
            self.restoring.recheck();
        }
    }

    /// faild ends. Overlays whose home works go, the others stay.
    pub(super) fn on_stop(&mut self, now: Instant) {
        self.stopping = true;
        self.end_journal(now);
        self.work.clear();
        self.mark_all();
    }
}
