//! The core: everything that decides, wired together in one place. Packets, interfaces, the kernel's words and time in;
//! packets, operations and notices out.
//!
//! Calling contract: one [`Core::handle`], then [`Core::next_output`] until it is `None`, then the next `handle`. When
//! there is nothing to hand in, sleep until [`Core::deadline`] and hand in [`Input::DeadlinePassed`]; it may be due at once.
//! Time must not go back. Same inputs, times and seed: same outputs. The daemon, `faildctl plan --fail`, `--check` and the
//! simulator drive this very type.
//!
//! ```text
//!   Input --> peers (engine) ---- plan ------+
//!               |  ^                         v
//!        answers|  +-- outcome, adopted -- reconciler --> Output: operations, questions, journal
//!               v                            ^   |
//!             watch ------------- plan ------+   |
//!               ^------- routes of others -------+
//! ```
//!
//! Verdicts that change one after the other, by many packets or by one that says much, are handed to the reconciler
//! together: at the deadline that is due at once.

mod exchange;
mod input;
mod rehearsal;

use std::collections::VecDeque;

pub use input::{Input, Memory, Notice, Output};
pub use rehearsal::Part;

use crate::config::{Config, Exit};
use crate::engine::{self, Engine};
use crate::interface::{Interface, InterfaceIndex};
use crate::random::Random;
use crate::reconcile::{self, Batch, LastRun, Reconciler, Settings};
use crate::time::Instant;
use crate::watch::{self, Watch};
use exchange::Pending;

/// See the module.
#[derive(Debug, Clone)]
pub struct Core {
    config: Config,
    /// As they were handed in last.
    interfaces: Vec<Interface>,
    peers: Engine,
    watch: Watch,
    reconciler: Reconciler,
    pending: Pending,
    /// The LANs before the last settings, until the interfaces are handed in.
    lans_before: Option<Vec<String>>,
    outputs: VecDeque<Output>,
}

impl Core {
    /// A core that knows what earlier runs saved, and has seen nothing yet. `seed`: 32 unpredictable bytes, from which ids,
    /// nonces, tokens and jitter are drawn.
    pub fn new<'a>(config: &Config, memory: Memory, last: impl Into<LastRun<'a>>, seed: [u8; 32]) -> Self {
        let mut random = Random::new(seed);
        let reconciler = Reconciler::new(Settings::from(config), last);
        let mut peers = Engine::new(config, memory.peers, random.secret());
        peers.expect_lans(reconciler.journalled_addresses());
        let mut core = Self {
            watch: Watch::new(config, &memory.watch, random.secret()),
            interfaces: Vec::new(),
            peers,
            reconciler,
            pending: Pending::new(config),
            lans_before: None,
            outputs: VecDeque::new(),
            config: config.clone(),
        };
        core.settle(Instant::default());
        core
    }

    /// One thing happened, or the deadline passed.
    pub fn handle(&mut self, now: Instant, input: Input<'_>) {
        match input {
            Input::Interfaces(interfaces) => self.on_interfaces(now, interfaces),
            Input::Arrived(arrival) => self.peers.handle(now, engine::Input::from(arrival)),
            Input::Answer(answer) => self.watch.handle(now, watch::Input::Answer(answer)),
            Input::Neighbours { interface, addresses } => {
                self.watch.handle(now, watch::Input::Neighbours { interface, addresses });
            }
            Input::OwnRoutes(routes) => self.reconciler.handle(now, reconcile::Input::OwnRoutes(routes)),
            Input::LanRoutes(routes) => self.reconciler.handle(now, reconcile::Input::LanRoutes(routes)),
            Input::LookedUp(key, routes) => {
                self.reconciler.handle(now, reconcile::Input::LookedUp(key, routes))
            }
            Input::Answered(question, answer) => {
                self.reconciler.handle(now, reconcile::Input::Answered(question, answer));
            }
            Input::RouteAdded(route) => self.reconciler.handle(now, reconcile::Input::RouteAdded(route)),
            Input::RouteDeleted(route) => self.reconciler.handle(now, reconcile::Input::RouteDeleted(route)),
            Input::WentDown(interface) => self.reconciler.handle(now, reconcile::Input::WentDown(interface)),
            Input::Overrun => self.reconciler.handle(now, reconcile::Input::Overrun),
            Input::Backlog(waits) => self.reconciler.handle(now, reconcile::Input::Backlog(waits)),
            Input::Journalled(result) => self.reconciler.handle(now, reconcile::Input::Journalled(result)),
            Input::Results(results) => self.reconciler.handle(now, reconcile::Input::Results(results)),
            Input::Config(config) => self.on_config(now, config),
            Input::Offline(interfaces) => {
                self.peers.handle(now, engine::Input::Offline(interfaces));
                self.tell_watch(now, watch::Input::Offline(interfaces));
            }
            Input::TimeOfDay(seconds) => {
                self.peers.handle(now, engine::Input::TimeOfDay(seconds));
                self.tell_watch(now, watch::Input::TimeOfDay(seconds));
            }
            Input::FailBack => {
                self.peers.handle(now, engine::Input::FailBack);
                self.tell_watch(now, watch::Input::FailBack);
            }
            Input::Stop { keep } => self.on_stop(now, keep),
            Input::DeadlinePassed => self.on_deadline(now),
        }
        self.settle(now);
    }

    /// The next output; `None` when all have been taken.
    pub fn next_output(&mut self) -> Option<Output> {
        let next = self.outputs.pop_front();
        if next.is_none() {
            self.outputs.shrink_to(OUTPUTS_KEPT);
        }
        next
    }

    /// When to come back.
    pub fn deadline(&self) -> Option<Instant> {
        let peers = self.peers.deadline().map(|(at, _)| at);
        [self.pending.since(), peers, self.watch.deadline(), self.repair_deadline()]
            .into_iter()
            .flatten()
            .min()
    }

    /// When the reconciler does something by the clock. What the kernel has told is to be handed in before.
    pub fn repair_deadline(&self) -> Option<Instant> {
        self.reconciler.deadline().map(|(at, _)| at)
    }

    /// What of a batch is still right by what has been handed in since it was asked for: to be asked before it is carried
    /// out. Results are handed in for the rest; if nothing is left, empty ones.
    pub fn review(&mut self, batch: Batch) -> Batch {
        self.reconciler.review(batch)
    }

    /// The interfaces, as they were handed in last.
    pub fn interfaces(&self) -> &[Interface] {
        &self.interfaces
    }

    /// The interfaces of the LANs.
    pub fn lans(&self) -> impl Iterator<Item = &Interface> {
        let names = &self.peers.plan().lans;
        self.interfaces.iter().filter(|interface| names.contains(&interface.name))
    }

    /// The interfaces by which hosts are probed that may not run faild.
    pub fn probed(&self) -> impl Iterator<Item = &Interface> {
        let watched = &self.watch.plan().interfaces;
        self.interfaces.iter().filter(|i| watched.contains(&i.name) || self.pending.judges(&i.name))
    }

    /// The interfaces of LANs, groups and next hops: their carriers and settings matter.
    pub fn cared_for(&self) -> impl Iterator<Item = &Interface> {
        self.interfaces.iter().filter(|interface| self.cares_for(&interface.name))
    }

    /// Whether an interface of this name is one of those.
    pub fn cares_for(&self, interface: &str) -> bool {
        self.peers.plan().lans.iter().any(|lan| lan == interface) || self.pending.judges(interface)
    }

    /// An interface's name, or its number once it is gone.
    pub fn name(&self, index: InterfaceIndex) -> String {
        let found = self.interfaces.iter().find(|interface| interface.index == index);
        found.map_or_else(|| format!("if{index}"), |interface| interface.name.clone())
    }

    /// Whether there are destinations or groups to watch, or were until the last settings.
    pub fn is_watching(&self) -> bool {
        self.pending.is_watching()
    }

    /// What is known of peers, to be looked at.
    pub fn peers(&self) -> &Engine {
        &self.peers
    }

    /// What is known of next hops and groups, to be looked at.
    pub fn watch(&self) -> &Watch {
        &self.watch
    }

    /// What is known of the kernel's routes and addresses, to be looked at.
    pub fn reconciler(&self) -> &Reconciler {
        &self.reconciler
    }

    /// Sockets follow before anything is sent, so that the first words on a new LAN find one.
    fn on_interfaces(&mut self, now: Instant, interfaces: &[Interface]) {
        interfaces.clone_into(&mut self.interfaces);
        self.pending.note(now);
        self.peers.handle(now, engine::Input::Interfaces(interfaces));
        self.outputs.push_back(Output::Endpoints);
        self.settle(now);
        self.show_interfaces_to_watch(now);
        self.settle(now);
        self.reconciler.handle(now, reconcile::Input::Interfaces(interfaces));
        if let Some(before) = self.lans_before.take() {
            let lans = &self.peers.plan().lans;
            let left: Vec<String> = before.into_iter().filter(|name| !lans.contains(name)).collect();
            let settings = Settings::from(&self.config);
            self.settle(now);
            self.reconciler.handle(now, reconcile::Input::Settings { settings, left: &left });
        }
    }

    fn on_config(&mut self, now: Instant, config: &Config) {
        self.lans_before.get_or_insert_with(|| self.peers.plan().lans.clone());
        self.peers.handle(now, engine::Input::Config(config));
        self.settle(now);
        config.clone_into(&mut self.config);
        self.tell_watch(now, watch::Input::Config(config));
    }

    fn on_stop(&mut self, now: Instant, keep: bool) {
        if keep {
            let settings = Settings { exit: Exit::Keep, ..Settings::from(&self.config) };
            self.reconciler.handle(now, reconcile::Input::Settings { settings, left: &[] });
            self.settle(now);
        }
        self.peers.handle(now, engine::Input::Stop);
        if self.is_watching() {
            let home = !keep && self.config.exit == Exit::Remove;
            self.watch.handle(now, watch::Input::Stop { home });
        }
        self.settle(now);
        self.hand_over(now);
        self.reconciler.handle(now, reconcile::Input::Stop);
    }

    fn on_deadline(&mut self, now: Instant) {
        for part in [Part::Peers, Part::Watch, Part::Reconciler] {
            if self.deadline_of(part).is_some_and(|at| at <= now) {
                self.pass(now, part);
            }
        }
        self.hand_over(now);
    }
}

/// Room for outputs that is kept: what most inputs lead to. A change for all peers at once needs a hundred times as much.
const OUTPUTS_KEPT: usize = 64;

#[cfg(test)]
mod tests;
