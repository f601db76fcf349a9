//! The daemon of a host: both halves of the core, and what one has for the other.

use std::collections::VecDeque;
use std::net::IpAddr;

use faild::engine::{self, Engine, Memory, Subject};
use faild::interface::Interface;
use faild::reconcile::{self, Dump, Operation, Reconciler, Route};
use faild::time::Instant;

use crate::kernel::Kernel;
use crate::node::Effect;

/// The daemon's process: all that a kill -9 destroys.
pub struct Daemon {
    /// The half that decides.
    pub engine: Engine,
    /// The half that compares with the kernel.
    pub reconciler: Reconciler,
    /// The plan has changed since the reconciler saw it.
    pub plan_changed: bool,
    /// What waits to be handed in.
    pub feedback: VecDeque<Feedback>,
    /// What was last handed in.
    pub interfaces: Vec<Interface>,
    /// When the links are looked at next, news or no news.
    pub next_look: Instant,
}

/// What one half, or the kernel, has for the other.
pub enum Feedback {
    /// What became of a subject.
    Outcome(Subject, engine::Outcome),
    /// An overlay was found, or is gone.
    Adopted(IpAddr, Option<engine::NextHop>),
    /// Something for the reconciler.
    Reconcile(reconcile::Input<'static>),
    /// The interfaces are to be looked at.
    Interfaces,
}

impl Daemon {
    /// Does what the engine wants.
    pub fn drain_engine(&mut self, memory: &mut Memory, effects: &mut Vec<Effect>) {
        while let Some(output) = self.engine.next_output() {
            self.on_engine(output, memory, effects);
        }
    }

    fn on_engine(&mut self, output: engine::Output, memory: &mut Memory, effects: &mut Vec<Effect>) {
        match output {
            engine::Output::Send(transmit) => effects.push(Effect::Send(transmit)),
            engine::Output::Solicit { interface, source, target } => {
                effects.push(Effect::Solicit { interface, source, target });
            }
            engine::Output::QueryLinks => self.feedback.push_back(Feedback::Interfaces),
            engine::Output::PlanChanged => {
                self.plan_changed = true;
                effects.push(Effect::PlanChanged);
            }
            engine::Output::Remember(latest) => *memory = latest,
            engine::Output::Notice(n) => effects.push(Effect::Notice(n.level(), n.to_string())),
        }
    }

    /// Returns the operations to carry out, if the output is that.
    pub fn on_reconciler(
        &mut self,
        output: reconcile::Output,
        kernel: &Kernel,
        shadow: &[Route],
        journal: &mut Option<String>,
        effects: &mut Vec<Effect>,
    ) -> Option<Vec<Operation>> {
        match output {
            reconcile::Output::Apply(operations) => return Some(operations),
            reconcile::Output::Dump(what) => {
                let answer = self.dump(what, kernel, shadow);
                self.feedback.push_back(answer);
            }
            reconcile::Output::LookUp(key) => {
                let found = kernel.routes_at(&key);
                self.feedback.push_back(Feedback::Reconcile(reconcile::Input::LookedUp(key, found)));
            }
            reconcile::Output::Journal(write) => {
                write.apply_to(journal.get_or_insert_default());
                self.feedback.push_back(Feedback::Reconcile(reconcile::Input::Journalled(Ok(()))));
            }
            reconcile::Output::Outcome(subject, outcome) => {
                self.feedback.push_back(Feedback::Outcome(subject, outcome));
            }
            reconcile::Output::Adopted { address, way } => {
                self.feedback.push_back(Feedback::Adopted(address, way));
            }
            reconcile::Output::Found(_) | reconcile::Output::Ask(_) => {}
            reconcile::Output::Notice(n) => effects.push(Effect::Notice(n.level(), n.to_string())),
        }
        None
    }

    fn dump(&mut self, what: Dump, kernel: &Kernel, shadow: &[Route]) -> Feedback {
        let shadow = shadow.iter().cloned();
        match what {
            Dump::Interfaces => {
                // Who asks is answered, whether anything has changed or not.
                self.interfaces.clear();
                Feedback::Interfaces
            }
            Dump::OwnRoutes => {
                let own = kernel.own_routes().map(|r| Route::clone(r));
                Feedback::Reconcile(reconcile::Input::OwnRoutes(own.chain(shadow).collect()))
            }
            Dump::LanRoutes => {
                let scope = self.reconciler.scope();
                let mut routes = kernel.routes_over(&scope.interfaces, &scope.tables);
                routes.extend(shadow);
                Feedback::Reconcile(reconcile::Input::LanRoutes(routes))
            }
        }
    }

    /// Hands in one thing that waits; false if there is none.
    pub fn feed_back(&mut self, now: Instant, kernel: &Kernel) -> bool {
        match self.feedback.pop_front() {
            Some(Feedback::Outcome(subject, outcome)) => {
                self.engine.handle(now, engine::Input::Outcome(&subject, &outcome));
            }
            Some(Feedback::Adopted(address, way)) => {
                self.engine.handle(now, engine::Input::Adopted { address, way: way.as_ref() });
            }
            Some(Feedback::Reconcile(input)) => self.reconciler.handle(now, input),
            Some(Feedback::Interfaces) => {
                let interfaces = kernel.interfaces();
                if interfaces != self.interfaces {
                    self.engine.handle(now, engine::Input::Interfaces(&interfaces));
                    self.reconciler.handle(now, reconcile::Input::Interfaces(&interfaces));
                    self.interfaces = interfaces;
                }
            }
            None if self.plan_changed => {
                self.plan_changed = false;
                self.reconciler.handle(now, reconcile::Input::Plan(self.engine.plan()));
            }
            None => return false,
        }
        true
    }
}
