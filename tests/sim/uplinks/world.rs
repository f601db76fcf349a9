//! What is around the host: LANs with a router and hosts, what is beyond the routers, and other programs of the host.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use faild::config::Config;
use faild::interface::{Family, Interface, MacAddress, is_link_local};
use faild::packet::{Answer, Probe};
use faild::route::{Leg, Route};
use faild::time::Instant;

use super::host::Host;
use super::losses::{Losses, STATIC, Thing};
use crate::kernel::{Blueprint, InterfacePlan, Kernel, RoutePlan, has};
use crate::random::Random;

/// Answers take so long when nothing delays them.
const ROUND_TRIP: Duration = Duration::from_millis(3);

/// So long a DHCP client waits until it asks the kernel again.
const KEEPER_PAUSE: Duration = Duration::from_secs(2);

/// Of what is found gone it is known so long after whether its interface fell, with a little for the work.
const DOUBT: Duration = Duration::from_millis(150);

/// What went with its interface is back so long after all else has settled: it is put back one second after that.
const RESTORED: Duration = Duration::from_secs(3);

/// Lines that are kept for whoever reads of a failure.
const LINES: usize = 60;

/// A LAN, its router, and its hosts.
#[derive(Debug, Clone)]
pub struct Lan {
    /// The router's addresses: one of each family that is spoken there.
    pub routers: Vec<IpAddr>,
    /// It answers and forwards.
    pub is_alive: bool,
    /// It reaches what is beyond it.
    pub is_through: bool,
    /// Hosts beyond the router are probed.
    pub is_watched: bool,
    /// The other hosts.
    pub hosts: Vec<IpAddr>,
}

/// An interface of the host, and its cable.
#[derive(Debug, Clone)]
pub struct Port {
    /// As the administrator configured it.
    pub plan: InterfacePlan,
    /// The LAN that it leads to, by place.
    pub lan: usize,
    /// Frames are lost in both directions, with carrier.
    pub is_silent: bool,
    /// The cable is pulled, whether the interface is there or not.
    pub is_unplugged: bool,
    /// The DHCP client has deleted its route.
    pub has_lapsed: bool,
    /// Somebody is about to delete its routes.
    pub is_contested: bool,
    /// Somebody deleted its routes of these families before the eyes of the daemon, which may not put them back.
    pub withdrawn: Vec<Family>,
    /// When that last was.
    pub withdrawn_at: Option<Instant>,
    /// Its interface fell, or the daemon was stopped, right after that.
    pub fell_after_withdrawal: bool,
    /// Its route has not come back since it lapsed, or went while no daemon ran.
    pub is_forgotten: bool,
    /// Probability that a probe or its answer is lost.
    pub loss: f64,
    /// How much longer answers take.
    pub delay: Duration,
}

/// Somebody sends packets there.
#[derive(Debug, Clone, Copy)]
pub struct Destination {
    /// One of its addresses.
    pub address: IpAddr,
    /// It is reached by these ports: from the first to before the second.
    pub ports: (usize, usize),
    /// Only by routes that others put there: next hops are found, not listed.
    pub is_found: bool,
    /// The ports are a group.
    pub is_in_group: bool,
}

/// What happens later.
#[derive(Debug, Clone)]
pub enum Event {
    /// An answer arrives.
    Answer(Answer),
    /// The DHCP client sees to the routes over a port.
    Lease(usize),
    /// Somebody deletes the routes over a port, if they are there.
    Withdraw(usize),
    /// The daemon is killed, or stopped until then.
    Halt(Option<Instant>),
    /// An interface that fell comes back.
    Rise(usize),
    /// A fault ends.
    Heal(super::story::Fault),
}

/// See the module.
pub struct World {
    /// The clock.
    pub now: Instant,
    /// The host.
    pub host: Host,
    /// The LANs.
    pub lans: Vec<Lan>,
    /// The host's interfaces.
    pub ports: Vec<Port>,
    /// Routes that a DHCP client or router keeps, and static ones, which nobody does.
    pub leases: Vec<RoutePlan>,
    /// What is gone of what nobody keeps.
    pub losses: Losses,
    /// Where traffic goes.
    pub destinations: Vec<Destination>,
    /// Overlays that are no detours: the settings prefer other ways than the routes of others do.
    pub permanent: usize,
    /// Hosts beyond the routers that are probed do not answer, nor does anybody on a LAN of a group.
    pub are_targets_dead: bool,
    /// Since when nothing was done to the world.
    pub undisturbed_since: Instant,
    /// By then what went with its interface is put back.
    pub restored_at: Instant,
    /// Until then what others did to our routes, or the kernel refused without a reason, may keep overlays waiting.
    pub at_odds_until: Instant,
    /// By then traffic goes by what works.
    pub settled_at: Instant,
    /// The same for groups, which hold nothing against a member by which nothing was ever answered for 40 s.
    pub groups_settled_at: Instant,
    /// What was done last is a plain fault: one verdict follows, and one move.
    pub is_plain: bool,
    /// What was done since all was home leaves routes and the daemon alone.
    pub is_gentle: bool,
    /// What happened lately.
    pub log: VecDeque<String>,
    /// The log goes to the error output, too.
    pub is_traced: bool,
    /// For losses and delays.
    pub random: Random,
    events: BTreeMap<(Instant, u64), Event>,
    count: u64,
}

impl World {
    /// A world in which all works; the daemon does not run yet.
    pub fn new(
        config: Config,
        lans: Vec<Lan>,
        ports: Vec<Port>,
        leases: Vec<RoutePlan>,
        destinations: Vec<Destination>,
        mut random: Random,
    ) -> Self {
        let interfaces = ports.iter().map(|port| port.plan.clone()).collect();
        let kernel = Kernel::boot(&Blueprint { interfaces, routes: leases.clone() }, random.fork());
        let addresses = destinations.iter().map(|destination| destination.address).collect();
        let start = Instant::from_nanos(1_000_000_000_000);
        Self {
            now: start,
            host: Host::new(config, kernel, addresses, random.fork()),
            losses: Losses::new(&ports, &leases),
            lans,
            ports,
            leases,
            destinations,
            permanent: 0,
            are_targets_dead: false,
            undisturbed_since: start,
            restored_at: start,
            at_odds_until: start,
            settled_at: start,
            groups_settled_at: start,
            is_plain: false,
            is_gentle: true,
            log: VecDeque::new(),
            is_traced: false,
            random,
            events: BTreeMap::new(),
            count: 0,
        }
    }

    /// Something happens later.
    pub fn at(&mut self, when: Instant, event: Event) {
        self.count += 1;
        self.events.insert((when, self.count), event);
    }

    /// Forgets all that was to happen but for answers.
    pub fn cancel(&mut self) {
        self.events.retain(|_, event| matches!(event, Event::Answer(_)));
    }

    /// The next thing to happen, not after `until`; false if there is none.
    pub fn step(&mut self, until: Instant) -> bool {
        let event = self.events.keys().next().map(|(at, _)| *at);
        let next = event.into_iter().chain(self.host.deadline()).min();
        let Some(at) = next.filter(|at| *at <= until) else {
            self.now = self.now.max(until);
            return false;
        };
        self.now = self.now.max(at);
        while let Some(entry) = self.events.first_entry().filter(|entry| entry.key().0 <= self.now) {
            match entry.remove() {
                Event::Answer(answer) => self.host.answer(answer),
                Event::Lease(port) => self.renew(port),
                Event::Withdraw(port) => self.withdraw(port),
                Event::Halt(until) => self.halt(until),
                Event::Rise(port) => super::story::rise(self, port),
                Event::Heal(fault) => fault.heal(self),
            }
        }
        self.settle();
        true
    }

    /// The daemon hears of all that happened by now, and does what follows.
    pub fn settle(&mut self) {
        self.forget_routes();
        self.look();
        loop {
            self.host.hear_kernel();
            self.host.wake(self.now);
            for probe in std::mem::take(&mut self.host.probes) {
                self.carry(&probe);
            }
            for notice in std::mem::take(&mut self.host.notices) {
                self.note(&notice);
            }
            if self.host.stalled_until.is_some() || !self.host.hear_kernel() {
                return;
            }
        }
    }

    /// Writes a line of the story.
    pub fn note(&mut self, line: &str) {
        let line = format!("{} {line}", self.now);
        if self.is_traced {
            eprintln!("{line}");
        }
        if self.log.len() == LINES {
            self.log.pop_front();
        }
        self.log.push_back(line);
    }

    /// Something was done to the world; what follows from it may take so long.
    pub fn disturb(&mut self, patience: Duration) {
        self.is_plain = false;
        self.undisturbed_since = self.now;
        self.settled_at = self.settled_at.max(self.now + patience);
        self.restored_at = self.restored_at.max(self.settled_at + RESTORED);
    }

    /// Interfaces fall, or the daemon is stopped: what was deleted within a tenth of a second before may be put down to that.
    pub fn doubt_withdrawals(&mut self, is_it: impl Fn(usize) -> bool) {
        for (_, port) in self.ports.iter_mut().enumerate().filter(|(at, _)| is_it(*at)) {
            port.fell_after_withdrawal |= port.withdrawn_at.is_some_and(|at| self.now.since(at) <= DOUBT);
        }
    }

    /// What of the static routes and addresses stands at this moment.
    pub fn look(&mut self) {
        let watches = self.host.daemon.is_some() && self.host.stalled_until.is_none();
        self.losses.look(self.now, &self.host.kernel, &self.ports, &self.leases, watches);
    }

    /// The daemon is killed, or stopped.
    fn halt(&mut self, until: Option<Instant>) {
        if self.host.daemon.is_none() {
            return;
        }
        self.doubt_withdrawals(|_| true);
        match until {
            None => self.host.kill(),
            Some(until) if until > self.now => {
                self.host.stalled_until = self.host.stalled_until.max(Some(until));
            }
            Some(_) => return,
        }
        self.note("the daemon is stopped or killed");
    }

    /// The routes over a port, each with its place.
    pub fn leases_of(&self, port: usize) -> Vec<(usize, RoutePlan)> {
        let name = &self.ports[port].plan.name;
        let leases = self.leases.iter().cloned().enumerate();
        leases.filter(|(_, lease)| lease.interface == *name).collect()
    }

    /// Somebody takes the routes over a port away; of one family, if that is given.
    pub fn take_leases(&mut self, port: usize, family: Option<Family>) {
        self.look();
        let is_seen = self.is_fair();
        let is_it = |lease: &RoutePlan| family.is_none_or(|f| Family::of(&lease.gateway) == f);
        for (at, lease) in self.leases_of(port).into_iter().filter(|(_, lease)| is_it(lease)) {
            self.host.kernel.delete_route(&lease);
            self.losses.take(&Thing::Route(at), is_seen);
        }
    }

    /// The routes over a port are made as they shall be, but those that nobody but faild puts back.
    pub fn give_leases(&mut self, port: usize) {
        self.look();
        for (at, lease) in self.leases_of(port) {
            if !self.losses.is_owed(&Thing::Route(at)) {
                self.host.kernel.add_route(&lease);
            }
        }
    }

    /// The DHCP client makes the routes of a port as they shall be.
    fn renew(&mut self, port: usize) {
        if self.ports[port].has_lapsed {
            return;
        }
        let name = self.ports[port].plan.name.clone();
        let before = self.count_standing(port);
        self.give_leases(port);
        let leases = self.leases_of(port);
        let is_wanted = |(at, lease): &(usize, RoutePlan)| {
            lease.protocol != STATIC || !self.losses.is_owed(&Thing::Route(*at))
        };
        let mut wanted = leases.iter().filter(|lease| is_wanted(lease));
        // A keeper whose route the kernel refuses for want of an address tries again.
        let is_refused = wanted.any(|(_, lease)| !self.host.kernel.stands(lease));
        if is_refused && self.host.kernel.interface(&name).is_some_and(|i| i.up) {
            self.at(self.now + KEEPER_PAUSE, Event::Lease(port));
        }
        if self.count_standing(port) != before {
            self.note(&format!("{name}: lease renewed"));
            self.disturb(super::story::patience_for_routes(&self.host.config));
        }
    }

    fn count_standing(&self, port: usize) -> usize {
        self.leases_of(port).iter().filter(|(_, lease)| self.host.kernel.stands(lease)).count()
    }

    /// Somebody deletes the routes over a port, but not what is still to be put back.
    fn withdraw(&mut self, port: usize) {
        let name = self.ports[port].plan.name.clone();
        let leases = self.leases_of(port);
        let stand = leases.iter().all(|(_, lease)| self.host.kernel.stands(lease));
        if !std::mem::take(&mut self.ports[port].is_contested) || leases.is_empty() || !stand {
            return;
        }
        self.take_leases(port, None);
        self.ports[port].has_lapsed = true;
        let is_fair = self.is_fair();
        let families = leases.iter().filter(|_| is_fair).map(|(_, lease)| Family::of(&lease.gateway));
        self.ports[port].withdrawn = families.collect();
        (self.ports[port].withdrawn_at, self.ports[port].fell_after_withdrawal) = (Some(self.now), false);
        self.note(&format!("{name}: routes withdrawn"));
        self.disturb(super::story::patience_for_routes(&self.host.config));
    }

    /// The host behind a probe answers, or nobody does.
    fn carry(&mut self, probe: &Probe) {
        let Some(port) = self.port_of(probe.interface) else { return };
        let (loss, delay) = (self.ports[port].loss, self.ports[port].delay);
        let source = &probe.source;
        let has_source = |interface: &Interface| interface.addresses.iter().any(|a| a.address() == *source);
        let can_leave = self.host.kernel.interface_at(probe.interface).is_some_and(has_source);
        let is_deaf = self.are_targets_dead
            && (probe.next_hop.is_some() || !self.lans[self.ports[port].lan].hosts.is_empty());
        if !can_leave
            || is_deaf
            || !self.reaches(port, probe.next_hop, &probe.target)
            || self.random.chance(loss)
        {
            return;
        }
        let arrived = self.now + ROUND_TRIP + delay;
        let answer = Answer { id: probe.id, interface: probe.interface, from: probe.target, arrived };
        self.at(arrived, Event::Answer(answer));
    }

    fn port_of(&self, index: faild::interface::InterfaceIndex) -> Option<usize> {
        let name = &self.host.kernel.interface_at(index)?.name;
        self.ports.iter().position(|port| port.plan.name == *name)
    }

    /// Whether the kernel takes a gateway on an interface.
    pub fn takes(&self, name: &str, gateway: Option<IpAddr>) -> bool {
        let Some(interface) = self.host.kernel.interface(name).filter(|i| i.up) else { return false };
        gateway.is_none_or(|gateway| {
            is_link_local(&gateway) || interface.addresses.iter().any(|a| a.prefix.contains(&gateway))
        })
    }

    /// Whether a port carries frames.
    pub fn carries(&self, port: usize) -> bool {
        let port = &self.ports[port];
        let interface = self.host.kernel.interface(&port.plan.name);
        !port.is_silent && interface.is_some_and(Interface::is_running)
    }

    /// Whether a packet gets from a port, by a next hop or without, to its destination.
    fn reaches(&self, port: usize, via: Option<IpAddr>, to: &IpAddr) -> bool {
        self.carries(port) && self.passes(port, via, to)
    }

    /// The same, if its interface carries frames.
    fn passes(&self, port: usize, via: Option<IpAddr>, to: &IpAddr) -> bool {
        let lan = &self.lans[self.ports[port].lan];
        let is_router = |address: &IpAddr| lan.routers.contains(address) && lan.is_alive;
        match via {
            None => is_router(to) || lan.hosts.contains(to),
            Some(via) => is_router(&via) && (lan.is_through || lan.hosts.contains(to)),
        }
    }

    /// The port of an interface, also while that has another name: packets pass by its cable as before.
    fn cable_of(&self, index: faild::interface::InterfaceIndex) -> Option<usize> {
        let name = &self.host.kernel.interface_at(index)?.name;
        let is_it =
            |port: &Port| port.plan.name == *name || super::story::other_name(&port.plan.name) == *name;
        self.ports.iter().position(is_it)
    }

    fn leg_works(&self, leg: &Leg, to: &IpAddr) -> bool {
        let is_running = || self.host.kernel.interface_at(leg.interface).is_some_and(Interface::is_running);
        self.cable_of(leg.interface).is_some_and(|port| {
            !self.ports[port].is_silent && is_running() && self.passes(port, leg.gateway, to)
        })
    }

    /// Whether traffic to a destination gets there by all legs of a route, none of them out of service.
    pub fn works(&self, route: &Route, destination: &Destination) -> bool {
        let is_offline = |leg: &Leg| {
            self.port_of(leg.interface).is_some_and(|p| self.host.offline.contains(&self.ports[p].plan.name))
        };
        route.legs.iter().all(|leg| self.leg_works(leg, &destination.address) && !is_offline(leg))
    }

    /// The route that traffic to a destination takes, and whether it gets there by all legs.
    pub fn route(&self, destination: &Destination) -> Option<(Arc<Route>, bool)> {
        let route = self.host.kernel.lookup(&destination.address)?;
        let works = route.legs.iter().all(|leg| self.leg_works(leg, &destination.address));
        Some((route, works))
    }

    /// Whether there is a way that works. Whose route its owner deleted has none, unless its next hops are listed.
    pub fn has_way(&self, destination: &Destination) -> bool {
        !self.is_deleted(destination)
            && (destination.ports.0..destination.ports.1).any(|port| self.is_way(port, destination))
    }

    /// Whether traffic goes by an interface that is out of service although another works.
    pub fn goes_by_offline(&self, destination: &Destination, route: &Route) -> bool {
        let is_offline = |port: usize| self.host.offline.contains(&self.ports[port].plan.name);
        let mut ports = destination.ports.0..destination.ports.1;
        route.legs.iter().filter_map(|leg| self.port_of(leg.interface)).any(is_offline)
            && ports.any(|port| !is_offline(port) && self.is_way(port, destination))
    }

    /// Whether a route leads over an interface that bears another name than the settings know.
    pub fn goes_by_renamed(&self, route: &Route) -> bool {
        route.legs.iter().any(|leg| self.port_of(leg.interface).is_none())
    }

    /// Whether the owners of all its routes have deleted them, or they went while no daemon ran: nobody knows of them.
    pub fn is_deleted(&self, destination: &Destination) -> bool {
        if !destination.is_found && !destination.is_in_group {
            return false;
        }
        let is_ours = |(_, lease): &(usize, &RoutePlan)| {
            let mut ports = self.ports[destination.ports.0..destination.ports.1].iter();
            let is_of_family = Family::of(&lease.gateway) == Family::of(&destination.address);
            is_of_family && ports.any(|port| port.plan.name == lease.interface)
        };
        let is_lost = |(at, lease): (usize, &RoutePlan)| {
            let port = self.ports.iter().find(|port| port.plan.name == lease.interface);
            let is_known = port.is_some_and(|port| !port.has_lapsed && !port.is_forgotten);
            let is_owed = || self.losses.is_owed(&Thing::Route(at));
            !self.host.kernel.stands(lease) && (destination.is_found || !is_known || !is_owed())
        };
        self.leases.iter().enumerate().filter(is_ours).all(is_lost)
    }

    /// Routes that go while no daemon runs are known to nobody until they are made again.
    fn forget_routes(&mut self) {
        for port in &mut self.ports {
            let leases = || self.leases.iter().filter(|lease| lease.interface == port.plan.name);
            let stands = leases().all(|lease| self.host.kernel.stands(lease));
            let is_back = |family: Family| {
                let mut of_family = leases().filter(|lease| Family::of(&lease.gateway) == family);
                of_family.any(|lease| self.host.kernel.stands(lease))
            };
            port.withdrawn.retain(|family| !is_back(*family));
            let went_unseen = port.has_lapsed || self.host.daemon.is_none();
            port.is_forgotten = !stands && (port.is_forgotten || went_unseen);
        }
    }

    fn is_way(&self, port: usize, destination: &Destination) -> bool {
        let (plan, to) = (&self.ports[port].plan, &destination.address);
        let family = Family::of(to);
        let mut routers = self.lans[self.ports[port].lan].routers.iter();
        let mut leases = self.leases.iter().filter(|lease| lease.interface == plan.name);
        // Without an address of its own nothing goes by it in the end.
        let mut addresses = plan.addresses.iter().filter(|prefix| Family::of(&prefix.addr()) == family);
        let holds =
            |address: IpAddr| self.host.kernel.interface(&plan.name).is_some_and(|i| has(i, &address));
        if !addresses.any(|prefix| holds(prefix.addr())) {
            return false;
        }
        // The router is whom a group asks: while it is dead nobody can know.
        if destination.is_in_group && !self.lans[self.ports[port].lan].is_alive {
            return false;
        }
        if destination.is_in_group && self.host.offline.contains(&plan.name) {
            return false;
        }
        let is_known = !destination.is_found
            || leases.any(|lease| Family::of(&lease.gateway) == family && self.host.kernel.stands(lease));
        is_known
            && (self.reaches(port, None, to) || routers.any(|router| self.reaches(port, Some(*router), to)))
    }

    /// Whether nothing is wrong that may make the daemon judge or act late.
    pub fn is_fair(&self) -> bool {
        let is_calm = |port: &Port| port.loss == 0.0 && port.delay.is_zero();
        self.host.daemon.is_some()
            && self.host.stalled_until.is_none()
            && self.host.dies_after.is_none()
            && self.host.kernel.moods.refusal == 0.0
            && self.host.kernel.moods.lost_result == 0.0
            && self.ports.iter().all(is_calm)
    }
}

/// A port with addresses on a LAN.
pub fn port(name: String, number: u8, lan: usize, addresses: Vec<ipnet::IpNet>) -> Port {
    let plan = InterfacePlan { name, mac: MacAddress([2, 0, 0, 0, 9, number]), addresses };
    Port {
        plan,
        lan,
        is_silent: false,
        is_unplugged: false,
        has_lapsed: false,
        is_contested: false,
        withdrawn: Vec::new(),
        withdrawn_at: None,
        fell_after_withdrawal: false,
        is_forgotten: false,
        loss: 0.0,
        delay: Duration::ZERO,
    }
}
