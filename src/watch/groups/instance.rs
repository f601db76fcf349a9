//! One family of a member: the address that it is probed from, whom it asks, when, and what came back.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;

use super::ring::{Ring, Sent};
use super::schedule::Schedule;
use super::targets::Targets;
use crate::config::Method;
use crate::interface::{Family, InterfaceIndex};
use crate::packet::{Probe, ProbeId};
use crate::random::Random;
use crate::time::Instant;
use crate::watch::Context;
use crate::watch::probes::{Owner, Probes};

/// So long after the start nothing is held against a family by which nothing was ever answered: switches take their
/// time before they forward (spanning tree; in.mpathd).
const QUIET: Duration = Duration::from_secs(40);

/// Questions to anybody whose answers are waited for: a few rounds of at most six.
const MOST_SEARCHES: usize = 24;

/// How members are asked.
pub(super) const METHOD: Method = Method::Echo;

/// Hosts on the link are asked: one behind a router that passes probes on proves nothing.
const HOP_LIMIT: u8 = 1;

/// See the module.
#[derive(Debug, Clone)]
pub(super) struct Instance {
    /// Tells the instances of all groups apart; a new one for a new address.
    pub(super) serial: u64,
    pub(super) address: IpAddr,
    /// No other member has the address.
    pub(super) unique: bool,
    /// What is on the link of the address, as last known.
    pub(super) subnets: Vec<IpNet>,
    pub(super) targets: Targets,
    pub(super) ring: Ring,
    pub(super) schedule: Schedule,
    /// When the latest probe that was answered was sent.
    pub(super) proven: Option<Instant>,
    /// Answers that were none.
    pub(super) invalid: u64,
    pub(super) timing: Option<Timing>,
    pub(super) searched: Option<Instant>,
    quiet_until: Option<Instant>,
    sequence: u16,
    /// Rounds of looking for hosts.
    pub(super) rounds: u16,
    searches: VecDeque<Search>,
}

/// A probe that only measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Timing {
    pub(super) id: ProbeId,
    pub(super) target: IpAddr,
    pub(super) at: Instant,
}

/// A question to one who may be a host, or to all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Search {
    pub(super) id: ProbeId,
    pub(super) target: IpAddr,
}

impl Instance {
    pub(super) fn new(now: Instant, address: IpAddr, random: &mut Random) -> Self {
        Self {
            serial: random.number(),
            address,
            unique: true,
            subnets: Vec::new(),
            targets: Targets::default(),
            ring: Ring::default(),
            schedule: Schedule::default(),
            proven: None,
            invalid: 0,
            timing: None,
            searched: None,
            quiet_until: Some(now + QUIET),
            sequence: 0,
            rounds: 0,
            searches: VecDeque::new(),
        }
    }

    pub(super) fn family(&self) -> Family {
        Family::of(&self.address)
    }

    /// Probes can be sent, and there is somebody to ask.
    pub(super) fn is_capable(&self) -> bool {
        self.unique && self.targets.active().next().is_some()
    }

    /// Losses mean nothing yet.
    pub(super) fn is_quiet(&self, now: Instant) -> bool {
        self.quiet_until.is_some_and(|end| now < end)
    }

    /// A probe of any sort; its answer comes back under the serial.
    pub(super) fn probe(
        &self,
        context: &mut Context<'_>,
        interface: InterfaceIndex,
        target: IpAddr,
        sequence: u16,
    ) -> Probe {
        Probe {
            id: context.probes.begin(context.random, Owner::Groups(self.serial)),
            interface,
            method: METHOD,
            source: self.address,
            target,
            next_hop: None,
            hop_limit: HOP_LIMIT,
            sequence,
        }
    }

    /// Numbers of probes that count start at 1.
    pub(super) fn next_sequence(&mut self) -> u16 {
        self.sequence = self.sequence.wrapping_add(1);
        self.sequence
    }

    /// A probe that counts was sent.
    pub(super) fn on_sent(&mut self, sent: Sent, probes: &mut Probes) {
        if let Some(forgotten) = self.ring.push(sent) {
            probes.end(forgotten.id);
        }
    }

    /// One that only measures was sent; the one before it is given up.
    pub(super) fn on_timing(&mut self, timing: Timing, probes: &mut Probes) {
        if let Some(before) = self.timing.replace(timing) {
            probes.end(before.id);
        }
    }

    /// Somebody was asked who may be a host.
    pub(super) fn on_search(&mut self, search: Search, probes: &mut Probes) {
        self.searches.push_back(search);
        if self.searches.len() > MOST_SEARCHES
            && let Some(oldest) = self.searches.pop_front()
        {
            probes.end(oldest.id);
        }
    }

    /// The question that this may be an answer to.
    pub(super) fn search(&self, id: ProbeId) -> Option<Search> {
        self.searches.iter().find(|search| search.id == id).copied()
    }

    /// A probe by this family was answered.
    pub(super) fn on_proven(&mut self, sent: Instant) {
        self.proven = self.proven.max(Some(sent));
        self.quiet_until = None;
    }

    /// Forgets all probes: answers to them prove nothing about the link as it is.
    pub(super) fn wipe(&mut self, probes: &mut Probes) {
        self.ring.clear().for_each(|sent| probes.end(sent.id));
        self.searches.drain(..).for_each(|search| probes.end(search.id));
        if let Some(timing) = self.timing.take() {
            probes.end(timing.id);
        }
        self.schedule.stop();
    }
}
