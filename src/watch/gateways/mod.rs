//! The destinations of `[[route]]`, each with its next hops: which of them answer, and which of them serve.
//!
//! ```text
//!   found        routes in the kernel ---> hops             quality   loss and latency of a target
//!   hop          link + gateway + targets                   source    where probes come from
//!     target       rounds -> unknown, works, silent         past      penalties that survive
//!       rounds       what was asked and answered            describe  what status says
//!       round_trip   how long that takes
//!     condition    what its targets amount to
//!     history      what its failures hold against it
//!   route        conditions of all -> verdicts -> way
//!     choice       verdicts -> which serve
//! ```
//!
//! A silent next hop has failed only if another was answered meanwhile ([`crate::group`]); if none was it may be us, or
//! what was asked, and nothing moves. The last way is never withdrawn: where nothing works, what carried the traffic
//! goes on, and whatever answers first serves.

mod choice;
mod condition;
mod describe;
mod found;
mod history;
mod hop;
mod notice;
mod past;
mod quality;
mod round_trip;
mod rounds;
mod route;
mod source;
mod target;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use super::Context;
use super::input::{Found, Input, Memory};
use super::plan::{Destination, Plan};
use super::probes::Owner;
use super::snapshot::RouteSnapshot;
use crate::config::{Config, Damping, Method, NextHops, RouteConfig};
use crate::interface::{Interface, InterfaceKind};
use crate::packet::Answer;
use crate::route::MAIN_TABLE;
use crate::time::Instant;
pub use notice::{FailureCause, MoveCause, Notice};

use describe::View;
use hop::Hop;
use past::Pasts;
use route::Route;

/// Next hops of a destination at most.
const HOPS: usize = 16;

/// Verdicts of the engine that are kept for next hops that may come to be configured.
const PEERS: usize = 4096;

/// Targets of a destination that others are told of: one of them is asked about.
const TARGETS: usize = 4;

/// Penalties are written down at most this often.
const REMEMBER_EVERY: Duration = Duration::from_secs(1);

/// See the module.
#[derive(Debug, Clone, Default)]
pub(super) struct Gateways {
    settings: Vec<RouteConfig>,
    /// Interfaces that are no next hops unless they are listed.
    excluded: Vec<String>,
    /// One for each of the settings, once interfaces were handed in: until then none is absent.
    routes: Vec<Route>,
    is_started: bool,
    numbers: Numbers,
    pasts: Pasts,
    /// Whether peers answer, by interface and address.
    peers: BTreeMap<(String, IpAddr), bool>,
    /// The legs that may lead to next hops that nobody listed.
    found: Vec<Found>,
    /// All interfaces of the host, and the time, as snapshots show them.
    interfaces: Vec<Interface>,
    time_of_day: Option<u32>,
    damping: Damping,
    /// How many verdicts had changed when that was last looked at, and when it may be looked at again.
    seen: u64,
    remember_at: Option<Instant>,
}

/// Numbers of targets, each given once.
#[derive(Debug, Clone, Default)]
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 += 1;
        self.0
    }
}

impl Gateways {
    pub(super) fn new(config: &Config, memory: &Memory) -> Self {
        let (settings, excluded) = (config.routes.clone(), config.exclude.clone());
        Self { settings, excluded, pasts: Pasts::new(memory), ..Self::default() }
    }

    pub(super) fn handle(&mut self, context: &mut Context<'_>, input: &Input<'_>) {
        match input {
            Input::Interfaces(interfaces) => self.on_interfaces(context, interfaces),
            Input::Routes(found) => self.on_routes(context, found),
            Input::Answer(answer) => self.on_answer(context, answer),
            Input::Peer { interface, address, answers } => {
                self.on_peer(context, (interface, *address), *answers);
            }
            Input::FailBack => self.routes.iter_mut().for_each(Route::release),
            Input::Stop { home } => self.on_stop(*home),
            Input::TimeOfDay(seconds) => self.time_of_day = Some(*seconds),
            Input::Config(config) => self.on_config(context, config),
            Input::DeadlinePassed => self.on_deadline(context),
            Input::Offline(_) | Input::Neighbours { .. } => {}
        }
        match input {
            Input::Answer(_) | Input::DeadlinePassed => {}
            Input::Interfaces(_)
            | Input::Routes(_)
            | Input::Peer { .. }
            | Input::FailBack
            | Input::Stop { .. }
            | Input::TimeOfDay(_)
            | Input::Config(_)
            | Input::Offline(_)
            | Input::Neighbours { .. } => self.routes.iter_mut().for_each(|route| route.decide(context)),
        }
        self.remember(context);
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.routes.iter().filter_map(Route::deadline).chain(self.remember_at).min()
    }

    /// Interfaces and tables are wanted from the start: no next hop is found in routes that nobody reads.
    pub(super) fn add_to(&self, plan: &mut Plan) {
        for settings in &self.settings {
            match &settings.next_hops {
                NextHops::Auto => plan.interfaces.extend(self.candidates()),
                NextHops::Listed(listed) => {
                    plan.interfaces.extend(listed.iter().map(|hop| hop.interface.clone()));
                }
            }
            if !settings.judging.targets.is_empty() {
                let destination = Destination { table: settings.table, prefix: settings.destination };
                let targets = settings.judging.targets.iter().map(|target| target.address).take(TARGETS);
                plan.targets.insert(destination, targets.collect());
            }
            // The main table is read anyway.
            plan.tables.extend((settings.table != MAIN_TABLE).then_some(settings.table));
        }
        plan.interfaces.sort_unstable();
        plan.interfaces.dedup();
        plan.tables.sort_unstable();
        plan.tables.dedup();
        for route in &self.routes {
            plan.routes.extend(route.way().map(|way| (route.destination(), way)));
            plan.away.extend(route.is_away().then(|| route.destination()));
        }
    }

    pub(super) fn snapshot(&self, now: Instant, config: &Config) -> Vec<RouteSnapshot> {
        let view = View { now, config, time_of_day: self.time_of_day, interfaces: &self.interfaces };
        self.routes.iter().map(|route| route.snapshot(view)).collect()
    }

    /// The interfaces that routes of others may lead by.
    fn candidates(&self) -> impl Iterator<Item = String> + '_ {
        let fits = |i: &&Interface| {
            i.kind != InterfaceKind::Loopback && i.master.is_none() && !self.excluded.contains(&i.name)
        };
        self.interfaces.iter().filter(fits).take(CANDIDATES).map(|interface| interface.name.clone())
    }

    /// The interfaces of all next hops, those that were found in the kernel included.
    pub(super) fn interfaces(&self) -> impl Iterator<Item = &str> {
        self.hops().map(|hop| hop.interface.as_str())
    }

    /// Interface and address of each next hop that is judged by INQ/ACK.
    pub(super) fn peers(&self) -> impl Iterator<Item = (&str, IpAddr)> {
        self.hops().flat_map(|hop| {
            let peers = hop.gateway.iter().filter(|target| target.method == Method::Peer);
            peers.map(|target| (hop.interface.as_str(), target.address))
        })
    }

    fn hops(&self) -> impl Iterator<Item = &Hop> {
        self.routes.iter().flat_map(|route| &route.hops)
    }

    fn hops_mut(&mut self) -> impl Iterator<Item = &mut Hop> {
        self.routes.iter_mut().flat_map(|route| &mut route.hops)
    }

    // ----- inputs

    fn on_interfaces(&mut self, context: &mut Context<'_>, interfaces: &[Interface]) {
        interfaces.clone_into(&mut self.interfaces);
        if !self.is_started {
            self.is_started = true;
            self.damping = context.config.damping;
            let settings = std::mem::take(&mut self.settings);
            for config in &settings {
                self.routes.push(Route::new(context, config, &self.pasts, &mut self.numbers));
            }
            self.settings = settings;
        }
        self.routes.iter_mut().for_each(|route| route.on_interfaces(context));
        // Legs of an interface that was not known yet have a name now.
        self.find(context);
        self.tell_peers(context.now);
    }

    fn on_routes(&mut self, context: &mut Context<'_>, found: &[Found]) {
        let is_wanted = |leg: &&Found| {
            let is_for = |s: &RouteConfig| {
                s.next_hops == NextHops::Auto && (s.table, s.destination) == (leg.table, leg.destination)
            };
            self.settings.iter().any(is_for)
        };
        let mut wanted: Vec<&Found> = found.iter().filter(is_wanted).collect();
        if wanted.len() > LEGS {
            // What is watched already stays, whoever adds routes.
            let hops: Vec<&Hop> = self.routes.iter().flat_map(|route| &route.hops).collect();
            let is_known = |leg: &Found| {
                hops.iter().any(|hop| hop.link == Some(leg.interface) && hop.via == leg.gateway)
            };
            wanted.sort_by_cached_key(|leg| (!is_known(leg), leg.metric));
            wanted.truncate(LEGS);
        }
        self.found = wanted.into_iter().cloned().collect();
        self.find(context);
        self.tell_peers(context.now);
    }

    fn find(&mut self, context: &mut Context<'_>) {
        for route in &mut self.routes {
            route.on_routes(context, &self.found, &self.pasts, &mut self.numbers);
        }
    }

    fn on_answer(&mut self, context: &mut Context<'_>, answer: &Answer) {
        if let Some(Owner::Gateways(number)) = context.probes.owner(answer.id) {
            for route in &mut self.routes {
                if route.on_answer(context, number, answer) {
                    return;
                }
            }
        }
    }

    fn on_peer(
        &mut self,
        context: &Context<'_>,
        (interface, address): (&str, IpAddr),
        answers: Option<bool>,
    ) {
        let key = (interface.to_owned(), address);
        match answers {
            None => _ = self.peers.remove(&key),
            Some(answers) if self.peers.len() < PEERS || self.peers.contains_key(&key) => {
                self.peers.insert(key, answers);
            }
            Some(_) => {}
        }
        self.tell_peers(context.now);
    }

    fn tell_peers(&mut self, now: Instant) {
        let hops = self.routes.iter_mut().flat_map(|route| &mut route.hops);
        for hop in hops {
            for target in hop.gateway.iter_mut().filter(|target| target.method == Method::Peer) {
                target.set_peer(now, self.peers.get(&(hop.interface.clone(), target.address)).copied());
            }
        }
    }

    fn on_deadline(&mut self, context: &mut Context<'_>) {
        for route in &mut self.routes {
            for mut hop in route.take_gone(context.now) {
                hop.stop(context);
                self.pasts.keep(context.now, context.config, &hop);
            }
            route.on_deadline(context);
        }
        if self.remember_at.is_some_and(|at| at <= context.now) {
            self.remember_at = None;
        }
    }

    /// Destinations whose settings are the same keep all; others go on with what is known of the same gateways.
    fn on_config(&mut self, context: &mut Context<'_>, config: &Config) {
        self.settings.clone_from(&config.routes);
        let is_other = self.excluded != config.exclude;
        self.excluded.clone_from(&config.exclude);
        if !self.is_started {
            return;
        }
        let (now, before) = (context.now, std::mem::replace(&mut self.damping, config.damping));
        if before != config.damping {
            self.hops_mut().for_each(|hop| hop.history.fit(now, &before, &config.damping));
        }
        let mut old = std::mem::take(&mut self.routes);
        old.iter().flat_map(|route| &route.hops).for_each(|hop| self.pasts.keep(now, config, hop));
        for settings in &config.routes {
            let is_it = |route: &Route| {
                (route.config.table, route.config.destination) == (settings.table, settings.destination)
            };
            let known = old.iter().position(is_it).map(|place| old.swap_remove(place));
            let route = match known {
                Some(route) if route.config == *settings => route,
                known => {
                    let mut route = Route::new(context, settings, &self.pasts, &mut self.numbers);
                    if let Some(known) = known {
                        route.inherit(context, known, &mut self.numbers);
                    }
                    route
                }
            };
            self.routes.push(route);
        }
        old.iter_mut().flat_map(|route| &mut route.hops).for_each(|hop| hop.stop(context));
        if is_other {
            self.find(context);
        }
        self.tell_peers(now);
    }

    fn on_stop(&mut self, home: bool) {
        self.remember_at = None;
        if home {
            self.routes.iter_mut().for_each(Route::stop);
        }
    }

    // ----- memory

    /// Writes down what has changed by more than the decay of penalties, not too often.
    fn remember(&mut self, context: &mut Context<'_>) {
        let news = self.routes.iter().fold(0_u64, |sum, route| sum.wrapping_add(route.news));
        if self.seen == news || self.remember_at.is_some() {
            return;
        }
        self.seen = news;
        let hops = self.routes.iter().flat_map(|route| &route.hops);
        let known = self.pasts.remembered(context.now, context.config, hops);
        if known.is_as_written(context.memory) {
            return;
        }
        known.write(context.memory);
        self.remember_at = Some(context.now + REMEMBER_EVERY);
    }
}

/// Interfaces whose routes are read to find next hops: hosts with more have containers, and no providers behind those.
const CANDIDATES: usize = 256;

/// Legs that are looked at to find next hops: a destination takes 16 of them.
const LEGS: usize = 1024;
