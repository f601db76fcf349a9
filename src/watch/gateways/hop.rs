//! One next hop of a destination: its link, the gateway, the targets beyond it, and what has become of it.

use std::net::IpAddr;
use std::time::Duration;

use super::super::Context;
use super::super::input::Answer;
use super::super::plan;
use super::super::snapshot::Health;
use super::notice::FailureCause;
use super::target::{Line, Target, Terms};
use super::{Numbers, source};
use crate::config::{Config, Damping, Failback, Judging, Method, NextHopConfig, RouteConfig};
use crate::damping::Penalty;
use crate::interface::{Family, Interface, InterfaceIndex, InterfaceKind};
use crate::time::Instant;

/// Targets beyond a gateway at most, as the settings allow.
const TARGETS: usize = 16;

/// What holds traffic back from a next hop that works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Obstacle {
    /// It failed too often lately.
    Damped(Duration),
    /// The administrator says when.
    Held,
    /// It has not worked for long enough.
    Delay(Duration),
    /// It is not the time of day.
    Window { from: u32, until: u32 },
}

/// What is known of a next hop from before.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Past {
    pub(super) penalty: f64,
    /// When the penalty was that; none: when the watch began.
    pub(super) at: Option<Instant>,
    /// It has failed, and has not worked since.
    pub(super) failed: bool,
    /// Traffic has left it and not gone home: the failback policy holds.
    pub(super) left: bool,
}

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
    pub(super) verdict: Health,
    pub(super) cause: FailureCause,
    works_since: Option<Instant>,
    penalty: Penalty,
    /// It worked once and failed since, in this run or before.
    has_failed: bool,
    /// Failback waits for the administrator.
    held: bool,
    /// Traffic has left it and not gone home.
    left: bool,
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
            verdict: if past.failed { Health::Failed } else { Health::Unknown },
            cause: FailureCause::NoAnswer,
            works_since: None,
            penalty: Penalty::new(past.at.unwrap_or(context.now), past.penalty, &context.config.damping),
            has_failed: past.left || past.failed,
            held: past.left && context.config.failback == Failback::Manual,
            left: past.left,
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
        let penalty = self.penalty.value(now, &config.damping);
        Past { penalty, at: Some(now), failed: self.verdict == Health::Failed, left: self.left }
    }

    /// Damping penalty by now.
    pub(super) fn penalty(&self, now: Instant, config: &Config) -> f64 {
        self.penalty.value(now, &config.damping)
    }

    /// The settings of damping have changed.
    pub(super) fn fit_damping(&mut self, now: Instant, old: &Damping, new: &Damping) {
        self.penalty.fit(now, old, new);
    }

    /// The administrator wants traffic home.
    pub(super) fn release(&mut self) {
        self.held = false;
    }

    /// Traffic goes by hops of this rank. True if that is news for this one.
    pub(super) fn on_choice(&mut self, in_use: bool, rank: u8) -> bool {
        self.in_use = in_use;
        self.held &= !in_use;
        let left = self.has_failed && !in_use && self.rank <= rank;
        std::mem::replace(&mut self.left, left) != left
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
        let terms = Terms { judging, alone, failed: self.verdict == Health::Failed };
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
        let terms = Terms { judging, alone, failed: self.verdict == Health::Failed };
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
        verdict: Health,
        cause: Option<FailureCause>,
    ) -> bool {
        if let Some(cause) = cause {
            self.cause = cause;
        }
        let before = std::mem::replace(&mut self.verdict, verdict);
        if before == verdict {
            return false;
        }
        self.works_since = (verdict == Health::Works).then_some(now);
        if before == Health::Works {
            self.penalty.on_failure(now, &config.damping);
            self.has_failed = true;
            self.held |= self.in_use && config.failback == Failback::Manual;
        }
        true
    }

    /// What holds traffic back from it although it works.
    pub(super) fn obstacle(
        &self,
        now: Instant,
        config: &Config,
        time_of_day: Option<u32>,
    ) -> Option<Obstacle> {
        if let Some(left) = self.penalty.free_in(now, &config.damping) {
            return Some(Obstacle::Damped(left));
        }
        match config.failback {
            Failback::Manual => self.held.then_some(Obstacle::Held),
            Failback::Delay(delay) if self.has_failed => {
                let left = self.works_since.map_or(delay, |since| delay.saturating_sub(now.since(since)));
                (!left.is_zero()).then_some(Obstacle::Delay(left))
            }
            Failback::Window { from, until } if self.has_failed && !is_within(time_of_day, from, until) => {
                Some(Obstacle::Window { from, until })
            }
            Failback::Auto | Failback::Delay(_) | Failback::Window { .. } => None,
        }
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
        InterfaceKind::Ethernet | InterfaceKind::Bridge { .. } => true,
        InterfaceKind::Loopback | InterfaceKind::Tunnel => false,
    }
}

/// Whether it is that part of the day, which may span midnight.
fn is_within(time_of_day: Option<u32>, from: u32, until: u32) -> bool {
    time_of_day
        .is_some_and(|t| if from <= until { (from..until).contains(&t) } else { t >= from || t < until })
}
