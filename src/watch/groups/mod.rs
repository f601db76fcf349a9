//! Groups of interfaces on one subnet that stand in for each other, as in.mpathd(8) judges them.
//!
//! A member is watched by its link, and by probes from its test address to hosts on the subnet: routers of the routing
//! table, configured hosts, or hosts that were found. When it fails another one stands in for it; when all of them are
//! silent what was asked is dead, and nothing moves. Having nobody to ask is no failure.
//!
//! ```text
//!   group       one group: the order of a turn, plan, deadline
//!     look        what the host's interfaces show: links, hardware addresses, test addresses
//!     probing     what is due, what was lost, what came back        judge       failure, repair, arbitration
//!     search      who may be asked                                  activation  who carries traffic, and for whom
//!   member      the states        instance, schedule, ring, targets   one family of a member
//!   detection   round trips, and how long detection takes
//! ```
//!
//! Where the sources of in.mpathd are odd this differs: see `judge`.

mod activation;
mod detection;
mod flaps;
mod group;
mod instance;
mod judge;
mod look;
mod member;
mod notice;
mod probing;
mod report;
mod ring;
mod schedule;
mod search;
mod surroundings;
mod targets;
#[cfg(test)]
mod tests;

pub use notice::{Failure, Notice, Proof};

use super::Context;
use super::input::{Input, Memory};
use super::plan::Plan;
use super::probes::Owner;
use super::snapshot::GroupSnapshot;
use crate::config::GroupConfig;
use crate::packet::Answer;
use crate::time::Instant;
use group::Group;

/// Members of a group at most.
const MOST_MEMBERS: usize = 16;

/// See the module.
#[derive(Debug, Clone, Default)]
pub(super) struct Groups {
    groups: Vec<Group>,
}

impl Groups {
    pub(super) fn new(groups: &[GroupConfig], memory: &Memory) -> Self {
        Self { groups: groups.iter().map(|config| Group::new(config, memory)).collect() }
    }

    pub(super) fn handle(&mut self, context: &mut Context<'_>, input: &Input<'_>) {
        match input {
            Input::Interfaces(_) | Input::Offline(_) => self.each(context, Group::look),
            Input::Config(config) => self.reconfigure(context, &config.groups),
            Input::Routes(found) => self.each(context, |group, context| group.on_routes(context, found)),
            Input::Neighbours { interface, addresses } => {
                self.groups.iter_mut().for_each(|group| group.on_neighbours(*interface, addresses));
            }
            Input::Answer(answer) => self.on_answer(context, answer),
            Input::FailBack | Input::Stop { home: true } => self.each(context, Group::fail_back),
            Input::Stop { home: false }
            | Input::Peer { .. }
            | Input::TimeOfDay(_)
            | Input::DeadlinePassed => {}
        }
        self.each(context, Group::turn);
        self.remember(context.memory);
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.groups.iter().filter_map(Group::deadline).min()
    }

    pub(super) fn add_to(&self, plan: &mut Plan) {
        self.groups.iter().for_each(|group| group.add_to(plan));
    }

    pub(super) fn snapshot(&self, now: Instant) -> Vec<GroupSnapshot> {
        self.groups.iter().map(|group| group.snapshot(now)).collect()
    }

    fn each(&mut self, context: &mut Context<'_>, act: impl Fn(&mut Group, &mut Context<'_>)) {
        self.groups.iter_mut().for_each(|group| act(group, context));
    }

    fn on_answer(&mut self, context: &mut Context<'_>, answer: &Answer) {
        if let Some(Owner::Groups(serial)) = context.probes.owner(answer.id) {
            self.each(context, |group, context| group.on_answer(context, serial, answer));
        }
    }

    /// Groups of the same name keep what they know; what is theirs no longer is given up.
    fn reconfigure(&mut self, context: &mut Context<'_>, configs: &[GroupConfig]) {
        let mut old = std::mem::take(&mut self.groups);
        for config in configs {
            match old.iter().position(|group| group.is_for(config)) {
                Some(place) => {
                    let mut group = old.swap_remove(place);
                    group.reconfigure(context, config);
                    self.groups.push(group);
                }
                None => self.groups.push(Group::new(config, &Memory::default())),
            }
        }
        old.iter_mut().for_each(|group| group.give_up(context));
        self.each(context, Group::look);
    }

    /// What survives a restart. Written anew only when it differs: this is looked at after every probe.
    fn remember(&self, memory: &mut Memory) {
        let all = || self.groups.iter().flat_map(Group::memories);
        update(&mut memory.failed, || all().filter(|(_, failed, _)| *failed).map(|(key, ..)| key));
        update(&mut memory.active, || all().filter(|(.., active)| *active).map(|(key, ..)| key));
    }
}

fn update<'a, I: Iterator<Item = (&'a str, &'a str)>>(
    list: &mut Vec<(String, String)>,
    keys: impl Fn() -> I,
) {
    let is_same =
        |(one, (group, interface)): (&(String, String), (&str, &str))| one.0 == group && one.1 == interface;
    if keys().count() != list.len() || !list.iter().zip(keys()).all(is_same) {
        *list = keys().map(|(group, interface)| (group.to_owned(), interface.to_owned())).collect();
    }
}
