//! One next hop of a destination: its link, the gateway, the targets beyond it, and what has become of it.

use std::net::IpAddr;

use super::super::Context;
use super::super::plan;
use super::super::snapshot::HopState;
use super::history::{History, Past};
use super::notice::FailureCause;
use super::target::{Line, Target, Terms};
use super::{Numbers, source};
use crate::config::{Config, Judging, Method, NextHopConfig, RouteConfig};
use crate::interface::{Family, Interface, InterfaceIndex, InterfaceKind};
use crate::packet::Answer;
use crate::time::Instant;

/// Targets beyond a gateway at most, as the settings allow.
const TARGETS: usize = 16;

/// See the module.
#[derive(Debug, Clone)]
pub(super) struct Hop {
    pub(super) interface: String,
    pub(super) via: Option<IpAddr>,
    pub(super) rank: u8,
    pub(super) weight: u8,
    /// RTA_PRIORITY of the route that it was found in.
    pub(super) metric: Option<u32>,
    /// The ways of asking the gateway: one that is answered will do.
    pub(super) gateway: Vec<Target>,
    pub(super) targets: Vec<Target>,
    /// The interface, while packets can pass.
    pub(super) link: Option<InterfaceIndex>,
    /// It has broadcasts, so that ARP and ND mean something.
    pub(super) is_ethernet: bool,
    pub(super) running_since: Instant,
    pub(super) verdict: HopState,
    pub(super) cause: FailureCause,
    pub(super) history: History,
    pub(super) offline: bool,
    /// Since when no route of others leads by it.
    pub(super) vanished: Option<Instant>,
    pub(super) in_use: bool,
}

impl Hop {
    pub(super) fn new(
        context: &Context<'_>,
        settings: &NextHopConfig,
        route: &RouteConfig,
        past: Option<Past>,
        numbers: &mut Numbers,
    ) -> Self {
        let past = past.unwrap_or(Past { penalty: 0.0, at: None, failed: false, left: false });
        let gateway = settings.via.map(|via| {
            let methods = route.judging.methods.iter();
            methods.map(|method| Target::new(numbers.next(), via.to_string(), via, *method)).collect()
        });
        let is_fit = |address: &IpAddr| Family::of(address) == Family::of(&route.destination.addr());
        let targets = route.judging.targets.iter().filter(|target| is_fit(&target.address)).take(TARGETS);
        Self {
            interface: settings.interface.clone(),
            via: settings.via,
            rank: settings.rank,
            weight: settings.weight.max(1),
            metric: None,
            gateway: gateway.unwrap_or_default(),
            targets: targets
                .map(|t| Target::new(numbers.next(), t.name.clone(), t.address, Method::Echo))
                .collect(),
            link: None,
            is_ethernet: true,
            running_since: context.now,
            verdict: if past.failed { HopState::Down } else { HopState::Unknown },
            cause: FailureCause::NoAnswer,
            history: History::new(context, past),
            offline: false,
            vanished: None,
            in_use: false,
        }
    }

    pub(super) fn key(&self) -> (&str, Option<IpAddr>) {
        (&self.interface, self.via)
    }

    /// As the plan and people name it.
    pub(super) fn named(&self) -> plan::Hop {
        plan::Hop { interface: self.interface.clone(), via: self.via, weight: self.weight }
    }

    /// Goes on with what was known of it under other settings.
    pub(super) fn inherit(&mut self, context: &mut Context<'_>, mut known: Hop, judging: &Judging) {
        let fresh = std::mem::replace(self, known.clone());
        (self.rank, self.weight) = (fresh.rank, fresh.weight);
        self.gateway = inherited(fresh.gateway, &mut known.gateway, judging);
        self.targets = inherited(fresh.targets, &mut known.targets, judging);
        known.stop(context);
    }

    /// It is not watched any more.
    pub(super) fn stop(&mut self, context: &mut Context<'_>) {
        self.gateway.iter_mut().chain(&mut self.targets).for_each(|target| target.stop(context));
    }

    /// What is to be known of it when it comes again.
    pub(super) fn past(&self, now: Instant, config: &Config) -> Past {
        let penalty = self.history.penalty(now, config);
        Past { penalty, at: Some(now), failed: self.verdict == HopState::Down, left: self.history.is_left() }
    }

    /// Traffic goes by hops of this rank. True if that is news for this one.
    pub(super) fn on_choice(&mut self, config: &Config, in_use: bool, rank: u8) -> bool {
        self.in_use = in_use;
        self.history.on_choice(config, in_use, self.rank > rank)
    }

    // ----- link and probes

    /// Sees what has become of the interface.
    pub(super) fn on_interfaces(&mut self, context: &mut Context<'_>, judging: &Judging) {
        let interface = context.interface(&self.interface);
        let running = interface.filter(|interface| interface.is_running()).map(|i| (i.index, i.kind));
        let index = running.map(|(index, _)| index);
        let is_other_kind = running.is_some_and(|(_, kind)| self.is_ethernet != is_ethernet(kind));
        if index == self.link && !is_other_kind {
            return;
        }
        if let Some((_, kind)) = running {
            self.is_ethernet = is_ethernet(kind);
            self.running_since = context.now;
        }
        self.link = index;
        let is_ethernet = self.is_ethernet;
        for target in self.gateway.iter_mut().chain(&mut self.targets) {
            if index.is_some() && (is_ethernet || target.method != Method::Neighbour) {
                target.start(context, judging.interval);
            } else {
                target.stop(context);
            }
        }
    }

    /// What was counted of a silence that all shared says nothing of this one.
    pub(super) fn forget_silence(&mut self, context: &mut Context<'_>) {
        for target in self.gateway.iter_mut().chain(&mut self.targets) {
            target.forget(context);
        }
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.gateway.iter().chain(&self.targets).filter_map(Target::deadline).min()
    }

    /// Judges and asks, as far as it is time. `alone`: no other next hop is answered.
    pub(super) fn on_deadline(&mut self, context: &mut Context<'_>, judging: &Judging, alone: bool) {
        let terms = Terms { judging, alone, failed: self.verdict == HopState::Down };
        let now = context.now;
        self.each(
            context,
            |target| target.is_due(now),
            |target, context, line| {
                target.on_deadline(context, line, terms);
            },
        );
    }

    /// A probe was answered.
    pub(super) fn on_answer(
        &mut self,
        context: &mut Context<'_>,
        judging: &Judging,
        alone: bool,
        (number, answer): (u64, &Answer),
    ) {
        let terms = Terms { judging, alone, failed: self.verdict == HopState::Down };
        self.each(
            context,
            |target| target.number == number,
            |target, context, line| {
                target.on_answer(context, line, terms, answer);
            },
        );
    }

    /// Does something with those of its targets that are meant, and tells how they are reached.
    fn each(
        &mut self,
        context: &mut Context<'_>,
        is_meant: impl Fn(&Target) -> bool,
        mut act: impl FnMut(&mut Target, &mut Context<'_>, Line<'_>),
    ) {
        let interfaces = context.interfaces;
        let Some(interface) = interfaces.iter().find(|i| Some(i.index) == self.link) else { return };
        let (name, via, index) = (self.interface.as_str(), self.via, interface.index);
        for target in self.gateway.iter_mut().filter(|target| is_meant(target)) {
            let source = source::on_link(interface, &target.address);
            act(target, context, Line { interface: name, index, source, next_hop: None, hop_limit: 1 });
        }
        for target in self.targets.iter_mut().filter(|target| is_meant(target)) {
            let source = source::beyond(interfaces, interface, via.as_ref(), &target.address);
            act(target, context, Line { interface: name, index, source, next_hop: via, hop_limit: 64 });
        }
    }

    /// Whether there is an address to ask from.
    pub(super) fn has_source(&self, interfaces: &[Interface]) -> bool {
        let Some(interface) = interfaces.iter().find(|i| Some(i.index) == self.link) else { return true };
        let via = self.via.as_ref();
        let gateway = self.gateway.first();
        let target = self.targets.first();
        gateway.is_none_or(|t| t.method == Method::Peer || source::on_link(interface, &t.address).is_some())
            && target.is_none_or(|t| source::beyond(interfaces, interface, via, &t.address).is_some())
    }

    /// Takes a verdict. True if it differs from the one before.
    pub(super) fn set_verdict(
        &mut self,
        now: Instant,
        config: &Config,
        verdict: HopState,
        cause: Option<FailureCause>,
    ) -> bool {
        if let Some(cause) = cause {
            self.cause = cause;
        }
        let before = std::mem::replace(&mut self.verdict, verdict);
        let is_news = before != verdict;
        if is_news {
            self.history.on_verdict(now, config, (before, verdict));
        }
        is_news
    }
}

/// Fresh targets; where one of the known is alike it goes on.
fn inherited(fresh: Vec<Target>, known: &mut Vec<Target>, judging: &Judging) -> Vec<Target> {
    let of_old = |target: Target| match known.iter().position(|other| other.is_alike(&target)) {
        Some(place) => known.swap_remove(place),
        None => target,
    };
    let mut targets: Vec<Target> = fresh.into_iter().map(of_old).collect();
    targets.iter_mut().for_each(|target| target.fit(judging));
    targets
}

fn is_ethernet(kind: InterfaceKind) -> bool {
    match kind {
        InterfaceKind::Ethernet | InterfaceKind::EthernetTunnel | InterfaceKind::Bridge { .. } => true,
        InterfaceKind::Loopback | InterfaceKind::Tunnel => false,
    }
}
