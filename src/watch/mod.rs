//! The watch: hosts that run no faild. Interfaces, kernel routes, answers to probes and time in; probes, and which next
//! hops and interfaces serve, out. The engine does the same for peers, who help; here nobody does.
//!
//! Calling contract: the engine's. One [`Watch::handle`], then [`Watch::next_output`] until it is `None`; when there is
//! nothing to hand in, sleep until [`Watch::deadline`] and hand in [`Input::DeadlinePassed`].
//!
//! ```text
//!   gateways  [[route]]: the next hops of a destination        probes   what is under way, and whose it is
//!   groups    [[group]]: interfaces that stand in for each other     plan, snapshot   what reconcile and people see
//!   cut_off   what would be without a way
//! ```
//!
//! Both judge members by targets, and settle by the one rule of [`crate::group`] whether a silent member failed or all
//! of them did. Each keeps to the three verbs; what it wants goes to the `Context` that it is given.

mod cut_off;
pub mod gateways;
pub mod groups;
mod input;
mod notice;
mod plan;
mod probes;
mod report;
mod snapshot;

use std::collections::{BTreeSet, VecDeque};
use std::net::IpAddr;

pub use cut_off::CutOff;
pub use input::{Found, Input, Memory, Output};
pub use notice::Notice;
pub use plan::{Destination, Hop, Member, Plan, Way};
pub use snapshot::{
    GroupSnapshot, GroupState, HopSnapshot, HopState, InstanceSnapshot, Link, MemberSnapshot, MemberState,
    Mode, ProbeRecord, Probing, RouteSnapshot, Snapshot, TargetSnapshot,
};

use crate::config::Config;
use crate::interface::Interface;
use crate::random::Random;
use crate::time::Instant;
use gateways::Gateways;
use groups::Groups;
use probes::Probes;

/// See the module.
#[derive(Debug, Clone)]
pub struct Watch {
    config: Config,
    random: Random,
    interfaces: Vec<Interface>,
    /// Interfaces that the administrator has taken out of service.
    offline: BTreeSet<String>,
    time_of_day: Option<u32>,
    probes: Probes,
    gateways: Gateways,
    groups: Groups,
    plan: Plan,
    memory: Memory,
    /// What of it was written down last.
    written: Memory,
    outputs: VecDeque<Output>,
}

/// What a part is given with each call, and where its wishes go.
struct Context<'a> {
    now: Instant,
    config: &'a Config,
    /// All interfaces of the host.
    interfaces: &'a [Interface],
    offline: &'a BTreeSet<String>,
    time_of_day: Option<u32>,
    random: &'a mut Random,
    probes: &'a mut Probes,
    /// What survives a restart: each part writes its own, and no more often than a file may be written.
    memory: &'a mut Memory,
    outputs: &'a mut VecDeque<Output>,
}

impl Context<'_> {
    /// The interface of this name, if there is one.
    fn interface(&self, name: &str) -> Option<&Interface> {
        self.interfaces.iter().find(|interface| interface.name == name)
    }

    /// Tells people.
    fn notice(&mut self, notice: impl Into<Notice>) {
        self.outputs.push_back(Output::Notice(notice.into()));
    }
}

impl Watch {
    /// A watch that knows what `memory` holds and has seen nothing yet. `seed`: 32 bytes that nobody can guess; the ids
    /// of probes come from it, so that no answer can be forged by who does not see the probe.
    pub fn new(config: &Config, memory: &Memory, seed: [u8; 32]) -> Self {
        let mut watch = Self {
            config: config.clone(),
            random: Random::new(seed),
            interfaces: Vec::new(),
            offline: BTreeSet::new(),
            time_of_day: None,
            probes: Probes::default(),
            gateways: Gateways::new(config, memory),
            groups: Groups::new(&config.groups, memory),
            plan: Plan::default(),
            memory: memory.clone(),
            written: memory.clone(),
            outputs: VecDeque::new(),
        };
        watch.plan = watch.current_plan();
        watch
    }

    /// One thing happened, or the deadline passed.
    pub fn handle(&mut self, now: Instant, input: Input<'_>) {
        match input {
            Input::Interfaces(interfaces) => interfaces.clone_into(&mut self.interfaces),
            Input::Offline(interfaces) => interfaces.clone_into(&mut self.offline),
            Input::TimeOfDay(seconds) => self.time_of_day = Some(seconds),
            Input::Config(config) => config.clone_into(&mut self.config),
            Input::Routes(_)
            | Input::Neighbours { .. }
            | Input::Answer(_)
            | Input::Peer { .. }
            | Input::FailBack
            | Input::Stop { .. }
            | Input::DeadlinePassed => {}
        }

        let mut context = Context {
            now,
            config: &self.config,
            interfaces: &self.interfaces,
            offline: &self.offline,
            time_of_day: self.time_of_day,
            random: &mut self.random,
            probes: &mut self.probes,
            memory: &mut self.memory,
            outputs: &mut self.outputs,
        };
        self.gateways.handle(&mut context, &input);
        self.groups.handle(&mut context, &input);
        if self.memory != self.written {
            self.written.clone_from(&self.memory);
            self.outputs.push_back(Output::Remember(self.memory.clone()));
        }
        let plan = self.current_plan();
        if plan != self.plan {
            self.plan = plan;
            self.outputs.push_back(Output::PlanChanged);
        }
    }

    /// The next thing to do, until there is none.
    pub fn next_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to come back.
    pub fn deadline(&self) -> Option<Instant> {
        [self.gateways.deadline(), self.groups.deadline()].into_iter().flatten().min()
    }

    /// Which next hops and interfaces shall serve.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// What survives a restart, as it is now.
    pub fn memory(&self) -> &Memory {
        &self.memory
    }

    /// The interfaces that the settings name or next hops were found on; some more than once.
    pub fn judged(&self) -> impl Iterator<Item = &str> {
        let listed = self.config.routes.iter().flat_map(|route| route.next_hops.listed());
        let members = self.config.groups.iter().flat_map(|group| &group.members);
        let named = listed.map(|hop| &hop.interface).chain(members.map(|member| &member.interface));
        named.map(String::as_str).chain(self.gateways.interfaces())
    }

    /// Interface and address of each next hop that is judged by INQ/ACK.
    pub fn peers(&self) -> impl Iterator<Item = (&str, IpAddr)> {
        self.gateways.peers()
    }

    /// Whether there is any.
    pub fn asks_peers(&self) -> bool {
        self.peers().next().is_some()
    }

    /// All that status and logs may see.
    pub fn snapshot(&self, now: Instant) -> Snapshot {
        Snapshot {
            routes: self.gateways.snapshot(now, &self.config),
            groups: self.groups.snapshot(now),
            recent: self.probes.recent().cloned().collect(),
        }
    }

    fn current_plan(&self) -> Plan {
        let mut plan = Plan::default();
        self.gateways.add_to(&mut plan);
        self.groups.add_to(&mut plan);
        plan
    }
}
