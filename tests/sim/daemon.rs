//! The daemon of a host: the core, and what the kernel has for it.

use std::collections::VecDeque;

use faild::core::{Core, Input, Memory, Output};
use faild::interface::Interface;
use faild::reconcile::{Batch, Dump};
use faild::route::Route;
use faild::time::Instant;

use crate::kernel::Kernel;
use crate::node::Effect;

/// The daemon's process: all that a kill -9 destroys.
pub struct Daemon {
    /// What decides.
    pub core: Core,
    /// What waits to be handed in.
    pub feedback: VecDeque<Feedback>,
    /// What was last handed in.
    pub interfaces: Vec<Interface>,
    /// When the links are looked at next, news or no news.
    pub next_look: Instant,
}

/// What the kernel has for the core.
pub enum Feedback {
    /// This.
    Tell(Input<'static>),
    /// The interfaces are to be looked at.
    Interfaces,
}

impl Daemon {
    /// Does what the core wants; returns the batches to carry out.
    pub fn drain(
        &mut self,
        kernel: &Kernel,
        shadow: &[Route],
        memory: &mut Memory,
        journal: &mut Option<String>,
        effects: &mut Vec<Effect>,
    ) -> Vec<Batch> {
        let mut batches = Vec::new();
        while let Some(output) = self.core.next_output() {
            match output {
                Output::Send(transmit) => effects.push(Effect::Send(transmit)),
                Output::Solicit { interface, source, target } => {
                    effects.push(Effect::Solicit { interface, source, target });
                }
                Output::QueryLinks => self.feedback.push_back(Feedback::Interfaces),
                Output::Apply(batch) => batches.push(batch),
                Output::Dump(what) => self.dump(what, kernel, shadow),
                Output::LookUp(key) => {
                    let found = kernel.routes_at(&key);
                    self.feedback.push_back(Feedback::Tell(Input::LookedUp(key, found)));
                }
                Output::Journal(write) => {
                    write.apply_to(journal.get_or_insert_default());
                    self.feedback.push_back(Feedback::Tell(Input::Journalled(Ok(()))));
                }
                Output::Remember(latest) => *memory = latest,
                Output::PlanChanged => effects.push(Effect::PlanChanged),
                Output::Notice(n) => effects.push(Effect::Notice(n)),
                // Sockets are always there, and nobody is probed who does not run faild.
                Output::Endpoints | Output::Probe(_) | Output::ListNeighbours(_) | Output::Ask(_) => {}
            }
        }
        batches
    }

    fn dump(&mut self, what: Dump, kernel: &Kernel, shadow: &[Route]) {
        let shadow = shadow.iter().cloned();
        self.feedback.push_back(match what {
            Dump::Interfaces => {
                // Who asks is answered, whether anything has changed or not.
                self.interfaces.clear();
                Feedback::Interfaces
            }
            Dump::OwnRoutes => {
                let own = kernel.own_routes().map(|r| Route::clone(r));
                Feedback::Tell(Input::OwnRoutes(own.chain(shadow).collect()))
            }
            Dump::LanRoutes => {
                let scope = self.core.reconciler().scope();
                let mut routes = kernel.routes_over(&scope.interfaces, &scope.tables);
                routes.extend(shadow);
                Feedback::Tell(Input::LanRoutes(routes))
            }
        });
    }

    /// Hands in one thing that waits; false if there is none.
    pub fn feed_back(&mut self, now: Instant, kernel: &Kernel) -> bool {
        match self.feedback.pop_front() {
            Some(Feedback::Tell(input)) => self.core.handle(now, input),
            Some(Feedback::Interfaces) => {
                let interfaces = kernel.interfaces();
                if interfaces != self.interfaces {
                    self.core.handle(now, Input::Interfaces(&interfaces));
                    self.interfaces = interfaces;
                }
            }
            None => return self.core.hand_over(now),
        }
        true
    }
}
