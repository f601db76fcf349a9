//! What the parts have for one another, and when it is handed over.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::{Core, Memory, Notice, Output};
use crate::config::Config;
use crate::engine;
use crate::gather::Gather;
use crate::reconcile;
use crate::time::Instant;
use crate::watch;

/// What waits to be handed over.
#[derive(Debug, Clone, Default)]
pub(super) struct Pending {
    since: Option<Instant>,
    /// The reconciler is to see the peers' plan.
    peers: bool,
    /// It is to see the watch's plan.
    watch: bool,
    /// There is something to watch, or was until the last settings. Where the settings name neither destinations nor groups
    /// the watch is never called.
    is_watching: bool,
    /// Verdicts on peers may differ from what the watch was told.
    verdicts: bool,
    /// What the watch was told of the peers that next hops are judged by, by interface and address.
    told: BTreeMap<(String, IpAddr), Option<bool>>,
    /// The interfaces whose next hops or members are judged, by name.
    judged: BTreeSet<String>,
}

impl Pending {
    /// The first plans are handed over whatever they say, once the interfaces are known: the reconciler waits for them, and
    /// without LANs the peers' says nothing and never changes.
    pub(super) fn new(config: &Config) -> Self {
        let is_watching = watches(config);
        Self { peers: true, watch: is_watching, is_watching, ..Self::default() }
    }

    /// Since when something waits.
    pub(super) const fn since(&self) -> Option<Instant> {
        self.since
    }

    pub(super) const fn is_watching(&self) -> bool {
        self.is_watching
    }

    /// Whether a next hop or group member on this interface is monitored.
    pub(super) fn judges(&self, interface: &str) -> bool {
        self.judged.contains(interface)
    }

    /// What waits is due now.
    pub(super) fn note(&mut self, now: Instant) {
        self.since.get_or_insert(now);
    }
}

impl Core {
    /// Lets the parts hear what they have for one another, until none has anything to say.
    pub(super) fn settle(&mut self, now: Instant) {
        loop {
            if let Some(output) = self.peers.next_output() {
                self.on_peers(now, output);
            } else if let Some(output) = self.watch.next_output() {
                self.on_watch(now, output);
            } else if let Some(output) = self.reconciler.next_output() {
                self.on_reconciler(now, output);
            } else {
                return;
            }
        }
    }

    /// Hands over at once what waits for the deadline; whether that is anything.
    pub fn hand_over(&mut self, now: Instant) -> bool {
        self.settle(now);
        if self.pending.since.take().is_none() {
            return false;
        }
        if std::mem::take(&mut self.pending.verdicts) {
            self.tell_of_peers(now);
        }
        if std::mem::take(&mut self.pending.watch) {
            self.outputs.push_back(Output::Endpoints);
            self.reconciler.handle(now, reconcile::Input::Watch(self.watch.plan()));
            self.settle(now);
            self.look_whom_it_judges(now);
        }
        if std::mem::take(&mut self.pending.peers) {
            self.outputs.push_back(Output::Endpoints);
            self.reconciler.handle(now, reconcile::Input::Plan(self.peers.plan()));
            self.settle(now);
        }
        true
    }

    /// Tells the watch something that everybody hears, if it has anything to do.
    pub(super) fn tell_watch(&mut self, now: Instant, input: watch::Input<'_>) {
        if !self.is_watching() && !watches(&self.config) {
            return;
        }
        if let watch::Input::Config(_) = input {
            self.pending.is_watching = true;
            self.pending.watch = true;
            self.pending.peers = true;
            self.pending.note(now);
        }
        self.watch.handle(now, input);
    }

    /// Hands the interfaces to the watch.
    pub(super) fn show_interfaces_to_watch(&mut self, now: Instant) {
        if !self.is_watching() && !watches(&self.config) {
            return;
        }
        self.pending.is_watching = true;
        self.watch.handle(now, watch::Input::Interfaces(&self.interfaces));
        self.outputs.push_back(Output::Endpoints);
        if !watches(&self.config) {
            // Nothing is left to watch. This is the last input it gets, and its old plan no longer counts.
            self.settle(now);
            let Pending { since, peers, .. } = self.pending;
            self.pending = Pending { since, peers, watch: true, ..Pending::default() };
            self.pending.note(now);
        }
    }

    fn on_peers(&mut self, now: Instant, output: engine::Output) {
        match output {
            engine::Output::Send(transmit) => self.outputs.push_back(Output::Send(transmit)),
            engine::Output::Solicit { interface, source, target } => {
                self.outputs.push_back(Output::Solicit { interface, source, target });
            }
            engine::Output::QueryLinks => self.outputs.push_back(Output::QueryLinks),
            engine::Output::PlanChanged => {
                self.pending.peers = true;
                self.pending.note(now);
                self.on_verdicts(now);
                self.outputs.push_back(Output::PlanChanged);
            }
            engine::Output::Remember(peers) => {
                let watch = self.watch.memory().clone();
                self.outputs.push_back(Output::Remember(Memory { peers, watch }));
            }
            engine::Output::Notice(notice) => {
                self.on_verdicts(now);
                self.outputs.push_back(Output::Notice(Notice::Peers(notice)));
            }
        }
    }

    fn on_watch(&mut self, now: Instant, output: watch::Output) {
        match output {
            watch::Output::Probe(probe) => self.outputs.push_back(Output::Probe(probe)),
            watch::Output::QueryLinks => self.outputs.push_back(Output::QueryLinks),
            watch::Output::ListNeighbours(interface) => {
                self.outputs.push_back(Output::ListNeighbours(interface));
            }
            watch::Output::PlanChanged => {
                self.pending.watch = true;
                self.pending.note(now);
                self.outputs.push_back(Output::PlanChanged);
            }
            watch::Output::Remember(watch) => {
                let peers = self.peers.memory(now);
                self.outputs.push_back(Output::Remember(Memory { peers, watch }));
            }
            watch::Output::Notice(notice) => self.outputs.push_back(Output::Notice(Notice::Watch(notice))),
        }
    }

    fn on_reconciler(&mut self, now: Instant, output: reconcile::Output) {
        let output = match output {
            reconcile::Output::Apply(batch) => Output::Apply(batch),
            reconcile::Output::Dump(dump) => Output::Dump(dump),
            reconcile::Output::Ask(question) => Output::Ask(question),
            reconcile::Output::LookUp(key) => Output::LookUp(key),
            reconcile::Output::Journal(write) => Output::Journal(write),
            reconcile::Output::Notice(notice) => Output::Notice(Notice::Reconcile(notice)),
            reconcile::Output::Outcome(subject, outcome) => {
                return self.peers.handle(now, engine::Input::Outcome(&subject, &outcome));
            }
            reconcile::Output::Adopted { address, way } => {
                return self.peers.handle(now, engine::Input::Adopted { address, way: way.as_ref() });
            }
            reconcile::Output::Found(found) => {
                if self.is_watching() {
                    self.watch.handle(now, watch::Input::Routes(&found));
                    self.settle(now);
                    self.look_whom_it_judges(now);
                }
                return;
            }
        };
        self.outputs.push_back(output);
    }

    /// Verdicts on peers may have changed.
    fn on_verdicts(&mut self, now: Instant) {
        if self.watch.asks_peers() {
            self.pending.verdicts = true;
            self.pending.note(now);
        }
    }

    /// Next hops that are found in the kernel's routes show only in what the watch says of them.
    fn look_whom_it_judges(&mut self, now: Instant) {
        self.on_verdicts(now);
        let judged: BTreeSet<String> = self.watch.judged().map(str::to_owned).gather();
        if judged != self.pending.judged {
            self.pending.judged = judged;
            self.outputs.push_back(Output::Endpoints);
        }
    }

    /// Tells what is known of the peers that next hops are judged by, as far as that has changed.
    fn tell_of_peers(&mut self, now: Instant) {
        let asked: BTreeSet<(String, IpAddr)> =
            self.watch.peers().map(|(interface, address)| (interface.to_owned(), address)).gather();
        self.pending.told.retain(|key, _| asked.contains(key));
        for (interface, address) in asked {
            let answers = self.peers.answers(&interface, address);
            let told = self.pending.told.insert((interface.clone(), address), answers);
            if told != Some(answers) {
                self.watch.handle(now, watch::Input::Peer { interface: &interface, address, answers });
                self.settle(now);
            }
        }
    }
}

/// Whether there is anything to watch.
fn watches(config: &Config) -> bool {
    !config.routes.is_empty() || !config.groups.is_empty()
}
