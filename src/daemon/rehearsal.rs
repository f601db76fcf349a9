//! A fault, played through on a clone of the core: what faild would ask of the kernel, and when.
//!
//! ```text
//!                 +----> peers, played (engine::Cast)
//!   clone of Core <----> other hosts, played (Hosts)
//!                 +----> its own mirror as the kernel
//! ```
//!
//! It is the very code that decides when the fault comes. Nothing leaves it; its clock is its own.

mod hosts;

use std::collections::VecDeque;
use std::net::IpAddr;
use std::time::Duration;

use super::edges::{Edges, Errand};
use crate::core::{Core, Input, Output, Part};
use crate::engine::{Cast, Silence};
use crate::interface::Interface;
use crate::operation::Operation;
use crate::packet::{Answer, Probe};
use crate::reconcile::{Batch, Dump, Mirror};
use crate::route::{PROTOCOL, Route, RouteKey};
use crate::time::Instant;
use hosts::Hosts;

pub(super) use hosts::is_gateway;

/// What is played.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fault {
    /// The interface of this name loses its carrier.
    Carrier(String),
    /// A peer falls silent.
    Silence(Silence),
    /// The gateway of a next hop falls silent, and all beyond it; it may be a peer's interface as well.
    Gateway(IpAddr, Option<Silence>),
}

impl Fault {
    /// What of a peer falls silent.
    const fn silence(&self) -> Option<Silence> {
        match self {
            Fault::Silence(silence) => Some(*silence),
            Fault::Gateway(_, silence) => *silence,
            Fault::Carrier(_) => None,
        }
    }

    /// The gateway that falls silent.
    const fn gateway(&self) -> Option<IpAddr> {
        match self {
            Fault::Gateway(address, _) => Some(*address),
            Fault::Silence(_) | Fault::Carrier(_) => None,
        }
    }
}

/// An operation, and how long after the fault it would be asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) after: Duration,
    pub(super) operation: Operation,
}

/// See the module.
struct Stage {
    core: Core,
    kernel: Mirror,
    cast: Cast,
    hosts: Hosts,
    /// What waits to be handed in.
    waiting: VecDeque<Input<'static>>,
    began: Instant,
    /// Until when peers and watch may think.
    ends: (Instant, Instant),
    steps: Vec<Step>,
}

/// What follows from the fault, if it comes at `now`, until it has been acted upon.
pub(super) fn rehearse(edges: &Edges, now: Instant, fault: &Fault) -> Vec<Step> {
    let mut steps = play(edges, now, Some(fault));
    // In quiet times nothing is under way, and the question needs no second play.
    let (peers, watch) = (edges.core.peers(), edges.core.watch());
    let is_unsettled = || peers.is_unsettled() || hosts::is_unsettled(&watch.snapshot(now));
    if !steps.is_empty() && is_unsettled() {
        let anyway = play(edges, now, None);
        steps.retain(|step| !anyway.iter().any(|other| other.operation == step.operation));
    }
    steps
}

fn play(edges: &Edges, now: Instant, fault: Option<&Fault>) -> Vec<Step> {
    let core = &edges.core;
    let shown = core.watch().snapshot(now);
    let mut stage = Stage {
        core: core.clone(),
        kernel: core.reconciler().mirror().clone(),
        cast: core.peers().cast(now, fault.and_then(Fault::silence)),
        hosts: Hosts::new(&shown, fault.and_then(Fault::gateway)),
        waiting: VecDeque::new(),
        began: now,
        ends: (now + core.peers().longest_judgement(), now + hosts::longest_judgement(&edges.config, &shown)),
        steps: Vec::new(),
    };
    stage.catch_up(now, &edges.errands);
    if let Some(Fault::Carrier(interface)) = fault {
        stage.lose_carrier(now, interface);
    }
    stage.run(now);
    stage.steps
}

impl Stage {
    /// What is under way already is no consequence of the fault.
    fn catch_up(&mut self, now: Instant, errands: &VecDeque<Errand>) {
        for errand in errands {
            match errand {
                Errand::Apply(batch) => {
                    let batch = self.core.review(batch.clone());
                    self.apply(now, batch);
                }
                Errand::Dump(dump) => self.dump(now, *dump),
                Errand::LookUp(key) => self.look_up(key),
                Errand::Ask(_) | Errand::Neighbours(_) => {}
            }
        }
        self.waiting.push_back(Input::Journalled(Ok(())));
        self.settle(now);
        self.steps.clear();
    }

    fn lose_carrier(&mut self, now: Instant, interface: &str) {
        let Some(index) = self.kernel.interface_named(interface).map(|i| i.index) else { return };
        self.kernel.set_carrier(index, false);
        self.show_interfaces(now);
        self.settle(now);
    }

    fn show_interfaces(&mut self, now: Instant) {
        let interfaces: Vec<Interface> = self.kernel.interfaces().cloned().collect();
        self.core.handle(now, Input::Interfaces(&interfaces));
    }

    fn run(&mut self, start: Instant) {
        let end = self.ends.0.max(self.ends.1);
        for _ in 0..LONGEST {
            // What takes the watch long would be a thousand needless rounds with a thousand peers.
            let decides = self.core.deadline_of(Part::Peers).filter(|at| *at <= self.ends.0);
            let asks = self.core.peers().next_inquiry(&self.cast).filter(|at| *at <= self.ends.0);
            let watches = self.core.deadline_of(Part::Watch).filter(|at| *at <= self.ends.1);
            let compares = self.core.deadline_of(Part::Reconciler);
            let Some(now) = [decides, compares, asks, watches].into_iter().flatten().min() else { return };
            let now = now.max(start);
            if now > end {
                return;
            }
            if asks.is_some_and(|at| at <= now) {
                self.core.inquire_as_peers(now, &mut self.cast);
            } else if decides.is_some_and(|at| at <= now) {
                self.core.pass(now, Part::Peers);
            } else if watches.is_some_and(|at| at <= now) {
                self.core.pass(now, Part::Watch);
            } else {
                self.core.pass(now, Part::Reconciler);
            }
            self.settle(now);
        }
    }

    /// Does what the core wants until it wants nothing more.
    fn settle(&mut self, now: Instant) {
        loop {
            while let Some(output) = self.core.next_output() {
                self.carry_out(now, output);
            }
            if let Some(input) = self.waiting.pop_front() {
                self.core.handle(now, input);
            } else if !self.core.hand_over(now) {
                return;
            }
        }
    }

    fn carry_out(&mut self, now: Instant, output: Output) {
        match output {
            Output::Send(transmit) => self.core.answer_as_peers(now, &transmit, &mut self.cast),
            Output::Probe(probe) => self.waiting.extend(self.answer(now, &probe).map(Input::Answer)),
            Output::Apply(batch) => self.apply(now, batch),
            Output::Dump(dump) => self.dump(now, dump),
            Output::LookUp(key) => self.look_up(&key),
            Output::Journal(_) => self.waiting.push_back(Input::Journalled(Ok(()))),
            // A rehearsal shows what faild would do, whatever rules there are.
            Output::Ask(_)
            | Output::Solicit { .. }
            | Output::Endpoints
            | Output::QueryLinks
            | Output::ListNeighbours(_)
            | Output::Remember(_)
            | Output::PlanChanged
            | Output::Notice(_) => {}
        }
    }

    /// What comes back to a probe: nothing by an interface whose link is down.
    fn answer(&self, now: Instant, probe: &Probe) -> Option<Answer> {
        let mut interfaces = self.kernel.interfaces();
        let interface = interfaces.find(|interface| interface.index == probe.interface)?;
        if interface.is_running() { self.hosts.answer(now, &interface.name, probe) } else { None }
    }

    fn apply(&mut self, now: Instant, batch: Batch) {
        let after = now.since(self.began);
        let results = batch.carry_out(|operations| {
            self.steps
                .extend(operations.iter().map(|operation| Step { after, operation: operation.clone() }));
            operations.iter().map(|operation| self.kernel.apply(operation)).collect()
        });
        self.waiting.push_back(Input::Results(results));
    }

    fn look_up(&mut self, key: &RouteKey) {
        let found = self.kernel.routes().at(key).iter().map(|route| Route::clone(route)).collect();
        self.waiting.push_back(Input::LookedUp(*key, found));
    }

    fn dump(&mut self, now: Instant, dump: Dump) {
        let routes = |is_wanted: &dyn Fn(&Route) -> bool| {
            let wanted = self.kernel.routes().iter().filter(|route| is_wanted(route));
            wanted.map(|route| Route::clone(route)).collect()
        };
        match dump {
            // The mirror's own are what the core has; who asks is answered by them again.
            Dump::Interfaces => self.show_interfaces(now),
            Dump::OwnRoutes => {
                let own = routes(&|route| route.protocol == PROTOCOL);
                self.waiting.push_back(Input::OwnRoutes(own));
            }
            Dump::LanRoutes => {
                let scope = self.core.reconciler().scope();
                let over = routes(&|route| scope.holds(&self.kernel, route));
                self.waiting.push_back(Input::LanRoutes(over));
            }
        }
    }
}

/// Turns that a rehearsal may take: some slots of the largest network. More means that the core goes round in circles.
const LONGEST: u32 = 100_000;
