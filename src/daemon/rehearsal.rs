//! A fault, played through on a clone of the core: what faild would ask of the kernel, and when.
//!
//! ```text
//!   clone of engine <---- its peers, played (engine::Cast)     clone of watch <---- other hosts, played (Hosts)
//!     Plan | ^ Outcome                                           Plan | ^ Found
//!          v |                                                        v |
//!   clone of reconciler <-> its own mirror as the kernel -----------------
//! ```
//!
//! It is the very code that decides when the fault comes. Nothing leaves it; its clock is its own.

mod hosts;

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

use super::edges::{Edges, Errand};
use crate::engine::{self, Cast, Engine, Silence};
use crate::interface::Interface;
use crate::reconcile::{self, Dump, Mirror, Operation, PROTOCOL, Reconciler, Route, RouteKey};
use crate::time::Instant;
use crate::watch::{self, Probe, Watch};
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
    engine: Engine,
    watch: Watch,
    reconciler: Reconciler,
    kernel: Mirror,
    cast: Cast,
    hosts: Hosts,
    /// Next hops that are judged by INQ/ACK, by interface and address, with what the watch was told of them.
    peers: BTreeMap<(String, IpAddr), Option<bool>>,
    /// Answers to probes of the watch that are on their way.
    answers: VecDeque<watch::Answer>,
    /// What waits to be handed to the reconciler.
    waiting: VecDeque<reconcile::Input<'static>>,
    is_plan_new: bool,
    /// The watch's plan has changed since the reconciler saw it.
    is_watch_new: bool,
    began: Instant,
    /// Until when the engine and the watch may think.
    ends: (Instant, Instant),
    steps: Vec<Step>,
}

/// What follows from the fault, if it comes at `now`, until it has been acted upon.
pub(super) fn rehearse(edges: &Edges, now: Instant, fault: &Fault) -> Vec<Step> {
    let mut steps = play(edges, now, Some(fault));
    // In quiet times nothing is under way, and the question needs no second play.
    let is_unsettled = || edges.engine.is_unsettled() || hosts::is_unsettled(&edges.watch.snapshot(now));
    if !steps.is_empty() && is_unsettled() {
        let anyway = play(edges, now, None);
        steps.retain(|step| !anyway.iter().any(|other| other.operation == step.operation));
    }
    steps
}

fn play(edges: &Edges, now: Instant, fault: Option<&Fault>) -> Vec<Step> {
    let shown = edges.watch.snapshot(now);
    let mut stage = Stage {
        engine: edges.engine.clone(),
        watch: edges.watch.clone(),
        reconciler: edges.reconciler.clone(),
        kernel: edges.reconciler.mirror().clone(),
        cast: edges.engine.cast(now, fault.and_then(Fault::silence)),
        hosts: Hosts::new(&shown, fault.and_then(Fault::gateway)),
        peers: hosts::peers(&shown).map(|key| (key.clone(), edges.engine.answers(&key.0, key.1))).collect(),
        answers: VecDeque::new(),
        waiting: VecDeque::new(),
        is_plan_new: edges.is_plan_new,
        is_watch_new: edges.watching.is_on(),
        began: now,
        ends: (now + edges.engine.longest_judgement(), now + hosts::longest_judgement(&edges.config, &shown)),
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
                Errand::Apply(operations) => {
                    let operations = self.reconciler.review(operations.clone());
                    self.apply(now, operations);
                }
                Errand::Dump(dump) => self.dump(*dump),
                Errand::LookUp(key) => self.look_up(key),
                Errand::Ask(_) | Errand::Neighbours(_) => {}
            }
        }
        self.waiting.push_back(reconcile::Input::Journalled(Ok(())));
        self.settle(now);
        self.steps.clear();
    }

    fn lose_carrier(&mut self, now: Instant, interface: &str) {
        let Some(index) = self.kernel.interface_named(interface).map(|i| i.index) else { return };
        self.kernel.set_carrier(index, false);
        let interfaces: Vec<Interface> = self.kernel.interfaces().cloned().collect();
        self.engine.handle(now, engine::Input::Interfaces(&interfaces));
        self.watch.handle(now, watch::Input::Interfaces(&interfaces));
        self.reconciler.handle(now, reconcile::Input::Interfaces(&interfaces));
        self.settle(now);
    }

    fn run(&mut self, start: Instant) {
        let end = self.ends.0.max(self.ends.1);
        for _ in 0..LONGEST {
            // What takes the watch long would be a thousand needless rounds with a thousand peers.
            let decides = self.engine.deadline().map(|(at, _)| at).filter(|at| *at <= self.ends.0);
            let asks = self.engine.next_inquiry(&self.cast).filter(|at| *at <= self.ends.0);
            let watches = self.watch.deadline().filter(|at| *at <= self.ends.1);
            let compares = self.reconciler.deadline().map(|(at, _)| at);
            let Some(now) = [decides, compares, asks, watches].into_iter().flatten().min() else { return };
            let now = now.max(start);
            if now > end {
                return;
            }
            if asks.is_some_and(|at| at <= now) {
                self.engine.inquire_as_peers(now, &mut self.cast);
            } else if decides.is_some_and(|at| at <= now) {
                self.engine.handle(now, engine::Input::DeadlinePassed);
            } else if watches.is_some_and(|at| at <= now) {
                self.watch.handle(now, watch::Input::DeadlinePassed);
            } else {
                self.reconciler.handle(now, reconcile::Input::DeadlinePassed);
            }
            self.settle(now);
        }
    }

    /// Tells the watch what the engine thinks of next hops that run faild.
    fn tell_of_peers(&mut self, now: Instant) {
        for ((interface, address), told) in &mut self.peers {
            let answers = self.engine.answers(interface, *address);
            if std::mem::replace(told, answers) != answers {
                self.watch.handle(now, watch::Input::Peer { interface, address: *address, answers });
            }
        }
    }

    /// Drains all parts until none has anything to say to another.
    fn settle(&mut self, now: Instant) {
        loop {
            while let Some(output) = self.engine.next_output() {
                self.on_engine(now, output);
            }
            self.tell_of_peers(now);
            while let Some(output) = self.watch.next_output() {
                self.on_watch(now, output);
            }
            while let Some(output) = self.reconciler.next_output() {
                self.on_reconciler(now, output);
            }
            if let Some(answer) = self.answers.pop_front() {
                self.watch.handle(now, watch::Input::Answer(answer));
            } else if let Some(input) = self.waiting.pop_front() {
                self.reconciler.handle(now, input);
            } else if std::mem::take(&mut self.is_plan_new) {
                self.reconciler.handle(now, reconcile::Input::Plan(self.engine.plan()));
            } else if std::mem::take(&mut self.is_watch_new) {
                self.reconciler.handle(now, reconcile::Input::Watch(self.watch.plan()));
            } else {
                return;
            }
        }
    }

    fn on_engine(&mut self, now: Instant, output: engine::Output) {
        match output {
            engine::Output::Send(transmit) => self.engine.answer_as_peers(now, &transmit, &mut self.cast),
            engine::Output::PlanChanged => self.is_plan_new = true,
            engine::Output::Solicit { .. }
            | engine::Output::QueryLinks
            | engine::Output::Remember(_)
            | engine::Output::Notice(_) => {}
        }
    }

    fn on_watch(&mut self, now: Instant, output: watch::Output) {
        match output {
            watch::Output::Probe(probe) => self.answers.extend(self.answer(now, &probe)),
            watch::Output::PlanChanged => self.is_watch_new = true,
            watch::Output::QueryLinks
            | watch::Output::ListNeighbours(_)
            | watch::Output::Remember(_)
            | watch::Output::Notice(_) => {}
        }
    }

    /// What comes back to a probe: nothing by an interface whose link is down.
    fn answer(&self, now: Instant, probe: &Probe) -> Option<watch::Answer> {
        let mut interfaces = self.kernel.interfaces();
        let interface = interfaces.find(|interface| interface.index == probe.interface)?;
        if interface.is_running() { self.hosts.answer(now, &interface.name, probe) } else { None }
    }

    fn on_reconciler(&mut self, now: Instant, output: reconcile::Output) {
        match output {
            reconcile::Output::Apply(operations) => self.apply(now, operations),
            reconcile::Output::Dump(dump) => self.dump(dump),
            reconcile::Output::Outcome(subject, outcome) => {
                self.engine.handle(now, engine::Input::Outcome(&subject, &outcome));
            }
            reconcile::Output::Adopted { address, way } => {
                self.engine.handle(now, engine::Input::Adopted { address, way: way.as_ref() });
            }
            reconcile::Output::Found(found) => self.watch.handle(now, watch::Input::Routes(&found)),
            reconcile::Output::LookUp(key) => self.look_up(&key),
            reconcile::Output::Journal(_) => self.waiting.push_back(reconcile::Input::Journalled(Ok(()))),
            // A rehearsal shows what faild would do, whatever rules there are.
            reconcile::Output::Ask(_) | reconcile::Output::Notice(_) => {}
        }
    }

    fn apply(&mut self, now: Instant, operations: Vec<Operation>) {
        let after = now.since(self.began);
        self.steps.extend(operations.iter().map(|operation| Step { after, operation: operation.clone() }));
        let results = operations.into_iter().map(|operation| {
            let result = self.kernel.apply(&operation);
            (operation, result)
        });
        self.waiting.push_back(reconcile::Input::Results(results.collect()));
    }

    fn look_up(&mut self, key: &RouteKey) {
        let found = self.kernel.routes().at(key).iter().map(|route| Route::clone(route)).collect();
        self.waiting.push_back(reconcile::Input::LookedUp(*key, found));
    }

    fn dump(&mut self, dump: Dump) {
        let routes = |is_wanted: &dyn Fn(&Route) -> bool| {
            let wanted = self.kernel.routes().iter().filter(|route| is_wanted(route));
            wanted.map(|route| Route::clone(route)).collect()
        };
        match dump {
            // The mirror's own are what the reconciler has; who asks is answered by them again.
            Dump::Interfaces => {
                let interfaces: Vec<Interface> = self.kernel.interfaces().cloned().collect();
                self.reconciler.handle(self.began, reconcile::Input::Interfaces(&interfaces));
            }
            Dump::OwnRoutes => {
                let own = routes(&|route| route.protocol == PROTOCOL);
                self.waiting.push_back(reconcile::Input::OwnRoutes(own));
            }
            Dump::LanRoutes => {
                let scope = self.reconciler.scope();
                let over = routes(&|route| scope.holds(&self.kernel, route));
                self.waiting.push_back(reconcile::Input::LanRoutes(over));
            }
        }
    }
}

/// Turns that a rehearsal may take: some slots of the largest network. More means that the core goes round in circles.
const LONGEST: u32 = 100_000;
