//! The watch and its edges: probes go out at once, its plan goes to the reconciler, and everybody who learns something
//! that it must know hands it in. Where the settings name neither destinations nor groups it is never called.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use log::info;

use super::{Edges, Errand, Task};
use crate::config::{Config, Method};
use crate::engine;
use crate::interface::{Interface, InterfaceIndex};
use crate::net::{Moment, ProbeEndpoint};
use crate::reconcile;
use crate::time::Instant;
use crate::watch::{Found, Input, Output, Snapshot};

/// What the core knows of the watch's affairs.
#[derive(Debug, Default)]
pub(in crate::daemon) struct Watching {
    /// There is something to watch, or was until the last settings.
    pub(super) is_on: bool,
    /// The plan has changed since the reconciler saw it.
    is_plan_new: bool,
    /// The engine's verdicts may differ from what the watch was told.
    are_verdicts_new: bool,
    /// Some next hop is judged by INQ/ACK.
    asks_engine: bool,
    /// The interfaces whose next hops or members are judged, by name.
    judged: BTreeSet<String>,
    /// What the watch was told of peers, by interface and address.
    pub(super) told: BTreeMap<(String, IpAddr), Option<bool>>,
}

impl Watching {
    /// The engine may think otherwise of some peer.
    pub(super) fn on_verdicts(&mut self) {
        self.are_verdicts_new = self.asks_engine;
    }

    /// Whether there is anything to watch.
    pub(in crate::daemon) fn is_on(&self) -> bool {
        self.is_on
    }

    /// Whether something is to be handed over.
    pub(super) fn has_news(&self) -> bool {
        self.is_plan_new || self.are_verdicts_new
    }

    /// Whether somebody is judged on the interface of this name.
    pub(super) fn judges(&self, interface: &str) -> bool {
        self.judged.contains(interface)
    }
}

impl Edges {
    /// The first plans go to the reconciler, whatever they say: that waits for both, and without LANs the engine's says
    /// nothing and never changes.
    pub(super) fn start_watching(&mut self) {
        self.watching.is_plan_new |= self.watching.is_on;
        self.is_plan_new |= self.watching.is_on;
    }

    /// Takes in answers to probes, at most `budget`. Whether there was any.
    pub(in crate::daemon) fn take_answers(&mut self, moment: Moment, budget: usize) -> bool {
        for taken in 0..budget {
            let Some(answer) = self.probers.next_answer(moment) else { return taken > 0 };
            self.tell_watch(moment.now, &Input::Answer(answer));
        }
        true
    }

    /// Gives the watch an input and does what it wants.
    pub(super) fn tell_watch(&mut self, now: Instant, input: &Input<'_>) {
        self.watch.handle(now, *input);
        self.drain_watch(now);
    }

    /// What the engine is told and the watch must know as well.
    pub(super) fn pass_on(&mut self, now: Instant, input: &engine::Input<'_>) {
        let input = match input {
            engine::Input::Config(config) => return self.follow_settings(now, config),
            engine::Input::TimeOfDay(seconds) => Input::TimeOfDay(*seconds),
            engine::Input::FailBack => Input::FailBack,
            engine::Input::Offline(interfaces) => Input::Offline(interfaces),
            engine::Input::Interfaces(_)
            | engine::Input::Datagram(_)
            | engine::Input::NeighbourAnswered { .. }
            | engine::Input::Overflow(_)
            | engine::Input::Outcome(..)
            | engine::Input::Adopted { .. }
            | engine::Input::Stop
            | engine::Input::DeadlinePassed => return,
        };
        if self.watching.is_on || watches(&self.config) {
            self.tell_watch(now, &input);
        }
    }

    /// Hands the interfaces to the watch; those that may be probed by are known before the first probe goes out.
    pub(super) fn hand_interfaces_to_watch(&mut self, now: Instant) {
        if !self.watching.is_on && !watches(&self.config) {
            return;
        }
        self.watching.is_on = true;
        self.watch.handle(now, Input::Interfaces(&self.interfaces));
        self.open_probers();
        self.drain_watch(now);
        if !watches(&self.config) {
            // This was the last that it is told: what it wanted is nobody's wish any more.
            self.watching = Watching { is_plan_new: true, ..Watching::default() };
        }
    }

    /// Hands over what is new between watch, engine and reconciler.
    pub(super) fn hand_over_watch(&mut self, now: Instant) {
        if std::mem::take(&mut self.watching.are_verdicts_new) {
            self.tell_of_peers(now);
        }
        if std::mem::take(&mut self.watching.is_plan_new) {
            self.open_probers();
            self.reconciler.handle(now, reconcile::Input::Watch(self.watch.plan()));
            self.drain_reconciler(now);
            self.look_whom_it_judges(now);
        }
    }

    /// The routes of others have changed.
    pub(super) fn on_found(&mut self, now: Instant, found: &[Found]) {
        if self.watching.is_on {
            self.tell_watch(now, &Input::Routes(found));
            self.look_whom_it_judges(now);
        }
    }

    /// Reads who the kernel knows on an interface.
    pub(super) fn list_neighbours(&mut self, now: Instant, interface: InterfaceIndex) {
        match self.kernel.neighbours(interface) {
            Ok(mut addresses) => {
                self.on_read("neighbours");
                addresses.truncate(MOST_NEIGHBOURS);
                self.tell_watch(now, &Input::Neighbours { interface, addresses: &addresses });
            }
            Err(error) => self.on_unreadable("neighbours", &error),
        }
    }

    /// Lines for the state in the log.
    pub(super) fn report_watch(&self, now: Instant) {
        if self.watching.is_on {
            info!("state-probers sockets={} {}", self.probers.sockets(), self.probers.counters());
            self.watch.snapshot(now).to_string().lines().for_each(|line| info!("{line}"));
        }
    }

    fn follow_settings(&mut self, now: Instant, config: &Config) {
        if self.watching.is_on || watches(config) {
            self.watching.is_on = true;
            self.tell_watch(now, &Input::Config(config));
            self.start_watching();
        }
    }

    fn drain_watch(&mut self, now: Instant) {
        while let Some(output) = self.watch.next_output() {
            match output {
                Output::Probe(probe) => self.probers.send(now, &probe),
                Output::QueryLinks => self.agenda.by(Task::QueryLinks, self.earliest_query(now)),
                Output::ListNeighbours(interface) => {
                    let errand = Errand::Neighbours(interface);
                    if !self.errands.contains(&errand) {
                        self.errands.push_back(errand);
                    }
                }
                Output::PlanChanged => {
                    self.watching.is_plan_new = true;
                    self.compare_soon(now);
                }
                Output::Remember(memory) => self.state.remember_watch(&self.engine.memory(now), memory),
                Output::Notice(notice) => {
                    self.say(notice.level(), &notice);
                    self.compare_soon(now);
                }
            }
        }
    }

    /// Probes may go out by the interfaces that the watch speaks of, while they are up.
    fn open_probers(&mut self) {
        let watched = &self.watch.plan().interfaces;
        let is_wanted = |i: &&Interface| i.up && (watched.contains(&i.name) || self.watching.judges(&i.name));
        let wanted: Vec<ProbeEndpoint> = self.interfaces.iter().filter(is_wanted).map(endpoint).collect();
        let own = self.interfaces.iter().flat_map(|interface| &interface.addresses);
        self.probers.keep(&wanted, own.map(|address| address.address()));
    }

    /// Next hops that are found in the kernel's routes show only in what the watch says of them.
    fn look_whom_it_judges(&mut self, now: Instant) {
        let shown = self.watch.snapshot(now);
        let judged = judged(&self.config, &shown);
        self.watching.asks_engine = peers_of(&shown).next().is_some();
        self.watching.on_verdicts();
        if judged != self.watching.judged {
            self.watching.judged = judged;
            self.open_probers();
            self.check_sysctls();
        }
    }

    /// Tells what the engine thinks of the peers that next hops are judged by, as far as that has changed.
    fn tell_of_peers(&mut self, now: Instant) {
        let asked: BTreeSet<(String, IpAddr)> = peers_of(&self.watch.snapshot(now)).collect();
        self.watching.told.retain(|key, _| asked.contains(key));
        for (interface, address) in asked {
            let answers = self.engine.answers(&interface, address);
            let told = self.watching.told.insert((interface.clone(), address), answers);
            if told != Some(answers) {
                self.tell_watch(now, &Input::Peer { interface: &interface, address, answers });
            }
        }
    }
}

/// Whether there is anything to watch.
fn watches(config: &Config) -> bool {
    !config.routes.is_empty() || !config.groups.is_empty()
}

/// The interfaces that the settings name or next hops were found on.
pub(in crate::daemon) fn judged(config: &Config, shown: &Snapshot) -> BTreeSet<String> {
    let listed = config.routes.iter().flat_map(|route| route.next_hops.listed());
    let members = config.groups.iter().flat_map(|group| &group.members);
    let found = shown.routes.iter().flat_map(|route| &route.hops).map(|hop| &hop.interface);
    let named = listed.map(|hop| &hop.interface).chain(members.map(|member| &member.interface));
    named.chain(found).cloned().collect()
}

/// Interface and address of each next hop that is judged by INQ/ACK.
fn peers_of(shown: &Snapshot) -> impl Iterator<Item = (String, IpAddr)> + '_ {
    let hops = shown.routes.iter().flat_map(|route| &route.hops);
    hops.flat_map(|hop| {
        let peers = hop.targets.iter().filter(|target| target.method == Method::Peer);
        peers.map(|target| (hop.interface.clone(), target.address))
    })
}

fn endpoint(interface: &Interface) -> ProbeEndpoint {
    ProbeEndpoint {
        interface: interface.index,
        name: interface.name.clone(),
        mac: interface.mac,
        link_local: interface.link_local(),
    }
}

/// Neighbours that the watch is told of: it probes a handful.
const MOST_NEIGHBOURS: usize = 256;
