//! The world: hosts, LANs and one clock. It plays what is asked of it and tells what happened; it judges nothing.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::rc::Rc;
use std::time::Duration;

use faild::config::{Config, LanConfig};
use faild::interface::{Family, MacAddress};
use faild::reconcile::{Operation, PROTOCOL};
use faild::time::Instant;
use ipnet::IpNet;
use log::Level;

use crate::kernel::{Applied, Blueprint, InterfacePlan, News, RoutePlan};
use crate::network::{Frame, LanNumber, Network, NodeNumber, Port, Weather, is_for_all};
use crate::node::{Arrival, Effect, Node};
use crate::queue::Queue;
use crate::random::Random;

/// From a packet's arrival to the daemon's wake-up: a scheduler that is not idle.
const WAKE_DELAY: (Duration, Duration) = (Duration::from_micros(5), Duration::from_micros(60));

/// Linux tells of a second carrier change within a second up to this much later (observed on 6.18).
const CARRIER_NEWS_DELAY: Duration = Duration::from_secs(1);

/// All other news take at most so long.
const NEWS_DELAY: Duration = Duration::from_micros(200);

/// Lines that a failure shows.
const RECENT_LINES: usize = 400;

/// How a world begins.
#[derive(Clone)]
pub struct Setup {
    /// Everything random follows from this.
    pub seed: u64,
    /// Hosts.
    pub nodes: usize,
    /// LANs; each host is on all of them.
    pub lans: usize,
    /// The families that have addresses.
    pub families: Vec<Family>,
    /// What chance does on each LAN.
    pub weather: Weather,
    /// Settings of all hosts.
    pub config: Config,
    /// These hosts only answer.
    pub responders: Vec<usize>,
    /// Hosts have static and DHCP routes whose gateways are their peers.
    pub routes: bool,
    /// What is different for single hosts.
    pub adjust: fn(usize, &mut Config),
    /// Happenings are kept for a judge.
    pub watched: bool,
    /// Every line of the log is printed at once.
    pub traced: bool,
}

impl Default for Setup {
    /// Three requestors on two IPv4 LANs, defaults otherwise, watched.
    fn default() -> Self {
        Self {
            seed: 1,
            nodes: 3,
            lans: 2,
            families: vec![Family::V4],
            weather: Weather::default(),
            config: Config { requestor: true, ..Config::default() },
            responders: Vec::new(),
            routes: true,
            adjust: |_, _| {},
            watched: true,
            traced: false,
        }
    }
}

/// Something that a judge may want to know.
#[derive(Debug)]
pub enum Happening {
    /// The daemon of a node read a datagram from another.
    Heard {
        /// The reader.
        by: Port,
        /// The sender.
        from: Port,
        /// The family of the packet.
        family: Family,
    },
    /// A node asked its kernel for something.
    Applied(NodeNumber, Box<Applied>),
    /// Something was done to a host that may cost it time: started, killed, ...
    Disturbed(NodeNumber),
    /// Which ways work may be different from before.
    NetworkChanged,
    /// A node logged something.
    Notice(NodeNumber, Level, String),
    /// The core of a node does not come to rest.
    Restless(NodeNumber),
    /// A foreign actor is about to take this route away.
    ForeignDeleted(NodeNumber, RoutePlan),
    /// A foreign actor put this route there.
    ForeignAdded(NodeNumber, RoutePlan),
}

type Deed = Box<dyn FnOnce(&mut World)>;

enum Event {
    Deliver(Rc<Frame>, Port),
    Wake(NodeNumber),
    Timer(NodeNumber),
    News(NodeNumber, News),
    Answer(NodeNumber, faild::interface::InterfaceIndex, IpAddr),
    Do(Deed),
}

/// Hosts, LANs and a clock.
pub struct World {
    /// The time.
    pub now: Instant,
    /// The hosts, by number.
    pub nodes: Vec<Node>,
    /// The LANs.
    pub network: Network,
    /// What happened and was not looked at yet.
    pub happenings: Vec<Happening>,
    /// What happened, for a reader.
    pub log: EventLog,
    owners: BTreeMap<IpAddr, Vec<Port>>,
    queue: Queue<Event>,
    random: Random,
    watched: bool,
    effects: Vec<Effect>,
}

impl World {
    /// A world as `setup` says; all daemons start within the first interval.
    pub fn new(setup: &Setup) -> Self {
        let mut random = Random::new(setup.seed);
        let network = Network {
            lans: vec![crate::network::Lan { weather: setup.weather, ..Default::default() }; setup.lans],
            ..Network::default()
        };
        let mut world = Self {
            now: Instant::from_nanos(1_000_000_000),
            nodes: (0..setup.nodes).map(|n| host(setup, n, random.fork())).collect(),
            network,
            happenings: Vec::new(),
            log: EventLog { traced: setup.traced, watched: setup.watched, recent: VecDeque::new() },
            owners: BTreeMap::new(),
            queue: Queue::new(),
            random,
            watched: setup.watched,
            effects: Vec::new(),
        };
        for n in world.numbers() {
            world.learn_owner(n);
            let delay = world.random.between(Duration::ZERO, setup.config.interval);
            world.after(delay, move |w| w.start(n));
        }
        world
    }

    /// The numbers of all nodes.
    pub fn numbers(&self) -> Vec<NodeNumber> {
        (0..self.nodes.len()).map(|n| NodeNumber(u16::try_from(n).unwrap_or(u16::MAX))).collect()
    }

    /// A node.
    pub fn node(&self, number: NodeNumber) -> &Node {
        &self.nodes[number.index()]
    }

    /// A node's interface on a LAN, by name.
    pub fn interface_name(&self, port: Port) -> &str {
        &self.node(port.node).blueprint.interfaces[port.lan.index()].name
    }

    /// The address that a node was given on a LAN.
    pub fn address(&self, port: Port, family: Family) -> Option<IpAddr> {
        let plan = &self.node(port.node).blueprint.interfaces[port.lan.index()];
        plan.addresses.iter().map(IpNet::addr).find(|a| Family::of(a) == family && !is_link_local(a))
    }

    /// The port in the domain of `lan` that answers for an address.
    pub fn owner(&self, lan: LanNumber, address: &IpAddr) -> Option<Port> {
        self.owners.get(address)?.iter().copied().find(|port| self.network.is_one(lan, port.lan))
    }

    /// Plans something to be done.
    pub fn after(&mut self, delay: Duration, deed: impl FnOnce(&mut World) + 'static) {
        self.queue.push(self.now + delay, Event::Do(Box::new(deed)));
    }

    /// Plays the next event that is due at `until` at the latest; false, and the clock at `until`, if there is none.
    pub fn step(&mut self, until: Instant) -> bool {
        let Some((at, event)) = self.queue.pop(until) else {
            self.now = self.now.max(until);
            return false;
        };
        self.now = self.now.max(at);
        match event {
            Event::Deliver(frame, to) => self.deliver(frame, to),
            Event::Wake(number) => {
                if self.nodes[number.index()].waking == Some(at) {
                    self.nodes[number.index()].waking = None;
                    self.wake(number);
                }
            }
            Event::Timer(number) => {
                if self.nodes[number.index()].timer == Some(at) {
                    self.nodes[number.index()].timer = None;
                    self.wake(number);
                }
            }
            Event::News(number, item) => {
                self.nodes[number.index()].notify(item);
                self.plan_wake(number, at);
            }
            Event::Answer(number, interface, address) => {
                self.nodes[number.index()].answer(interface, address);
                let rests_until = self.node(number).rests_until;
                self.plan_wake(number, rests_until);
            }
            Event::Do(deed) => deed(self),
        }
        true
    }

    /// Writes a line for the reader of a failure.
    pub fn note(&mut self, line: fmt::Arguments<'_>) {
        self.log.line(self.now, line);
    }

    /// Tells a judge.
    pub fn happened(&mut self, happening: Happening) {
        if self.watched {
            self.happenings.push(happening);
        }
    }

    // Datagrams

    fn deliver(&mut self, frame: Rc<Frame>, to: Port) {
        let node = &mut self.nodes[to.node.index()];
        let port = &node.ports[to.lan.index()];
        if !port.running || !(is_for_all(&frame.destination) || port.addresses.contains(&frame.destination)) {
            return;
        }
        node.receive(Arrival { frame, lan: to.lan, at: self.now });
        let rests_until = node.rests_until;
        self.plan_wake(to.node, rests_until);
    }

    fn transmit(&mut self, from: NodeNumber, transmit: faild::engine::Transmit) {
        let node = &mut self.nodes[from.index()];
        let Some(lan) = node.lan_of(transmit.interface) else { return };
        let port = &node.ports[lan.index()];
        if !port.running || !port.addresses.contains(&transmit.source) {
            return;
        }
        node.counters.sent += 1;
        let from = Port { node: from, lan };
        let frame = Rc::new(Frame {
            from,
            source: transmit.source,
            destination: transmit.destination,
            hop_limit: 255,
            payload: transmit.payload.into_boxed_slice(),
        });
        if is_for_all(&frame.destination) {
            self.flood(&frame);
        } else if let Some(to) = self.owner(lan, &frame.destination) {
            self.carry(&frame, to);
        }
    }

    fn flood(&mut self, frame: &Rc<Frame>) {
        for lan in self.network.numbers() {
            if !self.network.floods(frame.from.lan, lan) {
                continue;
            }
            for node in 0..self.nodes.len() {
                let to = Port { node: self.nodes[node].number, lan };
                if to != frame.from {
                    self.carry(frame, to);
                }
            }
        }
    }

    /// Takes a frame to a port, if the network and chance allow.
    fn carry(&mut self, frame: &Rc<Frame>, to: Port) {
        if !self.network.passes(frame.from, to)
            || self.network.lans[to.lan.index()].firewalls.contains(&to.node)
        {
            return;
        }
        let weather = self.network.lans[frame.from.lan.index()].weather;
        let copies = 1 + u32::from(self.random.chance(weather.duplication));
        for _ in 0..copies {
            if !self.random.chance(weather.loss) {
                let delay = self.random.between(weather.delay, weather.delay + weather.jitter);
                self.queue.push(self.now + delay, Event::Deliver(Rc::clone(frame), to));
            }
        }
    }

    /// An ARP or neighbour request: a broadcast there, a unicast back, answered by the other's kernel.
    fn solicit(&mut self, from: NodeNumber, interface: faild::interface::InterfaceIndex, target: IpAddr) {
        let Some(lan) = self.node(from).lan_of(interface) else { return };
        let asker = Port { node: from, lan };
        let Some(owner) = self.owner(lan, &target).filter(|o| *o != asker) else { return };
        let both_run = self.is_running(asker) && self.is_running(owner);
        let weather = self.network.lans[lan.index()].weather;
        let both_ways = self.network.passes(asker, owner)
            && self.network.floods(asker.lan, owner.lan)
            && self.network.passes(owner, asker);
        let lost = self.random.chance(weather.loss) | self.random.chance(weather.loss);
        if both_run && both_ways && !lost {
            let delay = self.random.between(weather.delay * 2, (weather.delay + weather.jitter) * 2);
            self.queue.push(self.now + delay, Event::Answer(from, interface, target));
        }
    }

    /// Whether an interface exists, is up and has carrier.
    pub fn is_running(&self, port: Port) -> bool {
        self.node(port.node).ports[port.lan.index()].running
    }

    // Hosts

    /// Something arrived that the daemon wakes up for, not before `rested`.
    fn plan_wake(&mut self, number: NodeNumber, rested: Instant) {
        let node = &mut self.nodes[number.index()];
        let earliest = rested.max(self.now);
        if node.daemon.is_some() && node.waking.is_none_or(|at| at > earliest + WAKE_DELAY.1) {
            let at = earliest + node.random.between(WAKE_DELAY.0, WAKE_DELAY.1);
            node.waking = Some(at);
            self.queue.push(at, Event::Wake(number));
        }
    }

    fn wake(&mut self, number: NodeNumber) {
        self.with_effects(number, |node, now, effects| node.wake(now, effects));
    }

    /// Lets a node do something, then sees to all that follows from it.
    fn with_effects(&mut self, number: NodeNumber, act: impl FnOnce(&mut Node, Instant, &mut Vec<Effect>)) {
        let mut effects = std::mem::take(&mut self.effects);
        act(&mut self.nodes[number.index()], self.now, &mut effects);
        let has_operations = effects.iter().any(|e| matches!(e, Effect::Applied(_)));
        if has_operations {
            self.follow_kernel(number);
        }
        for effect in effects.drain(..) {
            self.on_effect(number, effect);
        }
        self.effects = effects;
        self.set_timer(number);
    }

    fn on_effect(&mut self, number: NodeNumber, effect: Effect) {
        match effect {
            Effect::Send(transmit) => self.transmit(number, transmit),
            Effect::Solicit { interface, target } => self.solicit(number, interface, target),
            Effect::Heard(from, source, lan) => {
                let by = Port { node: number, lan };
                self.happened(Happening::Heard { by, from, family: Family::of(&source) });
            }
            Effect::Applied(applied) => self.on_applied(number, applied),
            Effect::PlanChanged => self.note(format_args!("{number} plan changed")),
            Effect::Notice(level, text) => {
                self.note(format_args!("{number} {level} {text}"));
                self.happened(Happening::Notice(number, level, text));
            }
            Effect::Died => self.on_disturbed(number, "killed amid operations"),
            Effect::Restless => self.happened(Happening::Restless(number)),
        }
    }

    fn on_applied(&mut self, number: NodeNumber, applied: Box<Applied>) {
        if let (Operation::AddRoute { route, .. }, Ok(())) = (&applied.operation, &applied.result) {
            self.nodes[number.index()].counters.laid += u64::from(route.protocol == PROTOCOL);
        }
        self.note(format_args!("{number} {}", Short(&applied)));
        self.happened(Happening::Applied(number, applied));
    }

    /// Sets the node's timer, unless an earlier one is set already; that one will look again.
    fn set_timer(&mut self, number: NodeNumber) {
        let node = &mut self.nodes[number.index()];
        let Some(deadline) = node.deadline() else { return };
        let wanted = deadline.max(self.now).max(node.stalled_until.unwrap_or(self.now));
        if node.timer.is_none_or(|set| wanted < set) {
            node.timer = Some(wanted);
            self.queue.push(wanted, Event::Timer(number));
        }
    }

    /// Starts the daemon of a node, unless it runs.
    pub fn start(&mut self, number: NodeNumber) {
        if self.node(number).daemon.is_none() {
            self.on_disturbed(number, "daemon started");
            self.with_effects(number, Node::start);
        }
    }

    /// kill -9.
    pub fn kill(&mut self, number: NodeNumber) {
        self.on_disturbed(number, "daemon killed");
        self.nodes[number.index()].kill();
    }

    /// kill -9 in the midst of the next operations.
    pub fn kill_amid_operations(&mut self, number: NodeNumber, operations: u32) {
        self.note(format_args!("{number} daemon will be killed after {operations} operations"));
        self.nodes[number.index()].dies_after = Some(operations.max(1));
    }

    /// SIGTERM.
    pub fn stop(&mut self, number: NodeNumber) {
        self.on_disturbed(number, "daemon stopped");
        self.with_effects(number, Node::stop);
    }

    /// SIGHUP, with other settings.
    pub fn reload(&mut self, number: NodeNumber, change: impl FnOnce(&mut Config)) {
        self.on_disturbed(number, "settings reloaded");
        self.with_effects(number, |node, now, effects| node.reload(now, change, effects));
    }

    /// `faildctl offline`, `faildctl online`.
    pub fn set_offline(&mut self, port: Port, offline: bool) {
        let name = self.interface_name(port).to_owned();
        self.with_effects(port.node, |node, now, effects| node.set_offline(&name, offline, now, effects));
    }

    /// SIGSTOP, and SIGCONT later.
    pub fn stall(&mut self, number: NodeNumber, duration: Duration) {
        self.on_disturbed(number, "daemon stalled");
        let until = self.now + duration;
        self.nodes[number.index()].stalled_until = Some(until);
        self.after(duration, move |w| {
            w.on_disturbed(number, "daemon goes on");
            w.wake(number);
        });
    }

    /// Power off and on; the daemon starts after a while.
    pub fn reboot(&mut self, number: NodeNumber, duration: Duration) {
        self.on_disturbed(number, "rebooted");
        self.nodes[number.index()].reboot();
        self.follow_kernel(number);
        self.after(duration, move |w| w.start(number));
    }

    /// The disk of one node is copied to another, which is then started afresh.
    pub fn clone_disk(&mut self, from: NodeNumber, to: NodeNumber) {
        let memory = self.node(from).memory.clone();
        self.kill(to);
        self.nodes[to.index()].memory = memory;
        self.start(to);
    }

    /// The daemon's receive buffer for the kernel's news overflows.
    pub fn lose_news(&mut self, number: NodeNumber) {
        self.on_disturbed(number, "lost the kernel's news");
        self.with_effects(number, Node::lose_news);
    }

    /// Someone does something to a host's kernel; its news go to the daemon.
    pub fn meddle(&mut self, number: NodeNumber, what: &'static str, act: impl FnOnce(&mut Node)) {
        self.on_disturbed(number, what);
        act(&mut self.nodes[number.index()]);
        self.follow_kernel(number);
    }

    /// Pulls or plugs the cable of a port.
    pub fn set_carrier(&mut self, port: Port, carrier: bool) {
        let name = self.interface_name(port).to_owned();
        let what = if carrier { "carrier back" } else { "carrier lost" };
        self.note(format_args!("{} {name} {what}", port.node));
        let node = &mut self.nodes[port.node.index()];
        node.ports[port.lan.index()].unplugged = !carrier;
        node.kernel.set_carrier(&name, carrier);
        self.follow_kernel(port.node);
    }

    /// `ip link set up|down`. A DHCP client puts its routes back when the interface returns.
    pub fn set_up(&mut self, port: Port, up: bool) {
        let name = self.interface_name(port).to_owned();
        let what = if up { "interface set up" } else { "interface set down" };
        self.meddle(port.node, what, |node| {
            node.kernel.set_up(&name, up);
        });
        self.renew_leases(port.node);
    }

    /// Deletes an interface.
    pub fn delete_interface(&mut self, port: Port) {
        let name = self.interface_name(port).to_owned();
        self.meddle(port.node, "interface deleted", |node| node.kernel.delete(&name));
    }

    /// Makes it again, under another number.
    pub fn create_interface(&mut self, port: Port) {
        let plan = self.node(port.node).blueprint.interfaces[port.lan.index()].clone();
        self.meddle(port.node, "interface made again", |node| {
            node.kernel.create(&plan);
            let unplugged = node.ports[port.lan.index()].unplugged;
            node.kernel.set_carrier(&plan.name, !unplugged);
        });
        self.renew_leases(port.node);
    }

    /// DHCP clients and the like look after their own routes, half a second after the interface returned.
    fn renew_leases(&mut self, number: NodeNumber) {
        self.after(Duration::from_millis(500), move |w| {
            w.nodes[number.index()].renew_leases();
            w.follow_kernel(number);
        });
    }

    /// A foreign actor adds a route.
    pub fn foreign_add(&mut self, number: NodeNumber, plan: &RoutePlan) {
        self.meddle(number, "foreign route added", |node| node.kernel.add_route(plan));
        self.happened(Happening::ForeignAdded(number, plan.clone()));
    }

    /// A foreign actor deletes a route, if it stands.
    pub fn foreign_delete(&mut self, number: NodeNumber, plan: &RoutePlan) {
        if self.node(number).kernel.stands(plan) {
            self.happened(Happening::ForeignDeleted(number, plan.clone()));
            self.meddle(number, "foreign route deleted", |node| node.kernel.delete_route(plan));
        }
    }

    /// Ends all that is wrong: LANs as at the beginning, interfaces and addresses as configured, daemons running.
    pub fn heal(&mut self, weather: Weather) {
        for lan in &mut self.network.lans {
            *lan = crate::network::Lan { weather, ..Default::default() };
        }
        self.network.joined.clear();
        for number in self.numbers() {
            self.nodes[number.index()].kernel.moods = Default::default();
            self.nodes[number.index()].dies_after = None;
            for lan in self.network.numbers() {
                let port = Port { node: number, lan };
                self.create_interface(port);
                self.set_carrier(port, true);
                self.set_up(port, true);
                self.restore_addresses(port);
                self.set_offline(port, false);
            }
            self.start(number);
        }
        self.network_changed("all healed");
    }

    /// Takes away IPv4 addresses that were not configured. Those that were come back by create and set up.
    fn restore_addresses(&mut self, port: Port) {
        let node = &mut self.nodes[port.node.index()];
        let plan = node.blueprint.interfaces[port.lan.index()].clone();
        for prefix in &plan.addresses {
            node.kernel.add_address(&plan.name, *prefix);
        }
        self.follow_kernel(port.node);
    }

    /// To be called whenever the network was changed from outside.
    pub fn network_changed(&mut self, what: &str) {
        self.note(format_args!("network: {what}"));
        self.happened(Happening::NetworkChanged);
    }

    fn on_disturbed(&mut self, number: NodeNumber, what: &'static str) {
        self.note(format_args!("{number} {what}"));
        self.happened(Happening::Disturbed(number));
    }

    /// After any change of a kernel: who owns which address, and the news for the daemon.
    fn follow_kernel(&mut self, number: NodeNumber) {
        let node = &mut self.nodes[number.index()];
        let before = node.ports.clone();
        node.refresh_ports();
        let changed = before.iter().zip(&node.ports).any(|(b, a)| b.addresses != a.addresses);
        let news = node.kernel.news();
        if changed {
            self.learn_owner(number);
        }
        // A socket keeps the order; only the news of a carrier may be held back by the kernel itself.
        let at = (self.now + self.random.between(NEWS_DELAY / 10, NEWS_DELAY))
            .max(self.nodes[number.index()].told);
        self.nodes[number.index()].told = at;
        for item in news {
            let is_held_back = item == News::Carrier && self.random.chance(0.5);
            let extra = if is_held_back {
                CARRIER_NEWS_DELAY.mul_f64(self.random.fraction())
            } else {
                Duration::ZERO
            };
            self.queue.push(at + extra, Event::News(number, item));
        }
        self.happened(Happening::NetworkChanged);
    }

    fn learn_owner(&mut self, number: NodeNumber) {
        for ports in self.owners.values_mut() {
            ports.retain(|port| port.node != number);
        }
        for (at, port) in self.nodes[number.index()].ports.iter().enumerate() {
            let lan = LanNumber(u8::try_from(at).unwrap_or(u8::MAX));
            for address in &port.addresses {
                self.owners.entry(*address).or_default().push(Port { node: number, lan });
            }
        }
    }
}

impl Node {
    fn renew_leases(&mut self) {
        for plan in self.blueprint.routes.iter().filter(|r| r.protocol == DHCP) {
            if self.kernel.interface(&plan.interface).is_some_and(|i| i.up) {
                self.kernel.add_route(plan);
            }
        }
    }
}

/// What happened lately, in words.
pub struct EventLog {
    traced: bool,
    watched: bool,
    recent: VecDeque<String>,
}

impl EventLog {
    fn line(&mut self, now: Instant, line: fmt::Arguments<'_>) {
        if self.traced {
            eprintln!("{now} {line}");
        }
        if self.watched {
            if self.recent.len() == RECENT_LINES {
                self.recent.pop_front();
            }
            self.recent.push_back(format!("{now} {line}"));
        }
    }

    /// The last lines, the oldest first.
    pub fn recent(&self) -> impl Iterator<Item = &str> {
        self.recent.iter().map(String::as_str)
    }
}

impl fmt::Display for NodeNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "node{}", self.0)
    }
}

/// A kernel operation on one line.
struct Short<'a>(&'a Applied);

impl fmt::Display for Short<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0.operation {
            Operation::AddRoute { route, .. } => {
                write!(f, "adds {} by {:?} protocol {}", route.key.destination, route.legs, route.protocol)?;
            }
            Operation::DeleteRoute(route) => {
                write!(f, "deletes {} by {:?}", route.key.destination, route.legs)?
            }
            Operation::AddAddress { interface, address } => {
                write!(f, "adds {} to {interface}", address.prefix)?
            }
            Operation::DeleteAddress { interface, address } => {
                write!(f, "deletes {} from {interface}", address.prefix)?;
            }
            Operation::SetUp(interface) => write!(f, "sets {interface} up")?,
            Operation::DeleteNeighbour { interface, address } => {
                write!(f, "forgets {address} on {interface}")?
            }
        }
        match &self.0.result {
            Ok(()) => Ok(()),
            Err(refusal) => write!(f, ": {refusal}"),
        }
    }
}

/// Whether an address is fe80::/10.
pub fn is_link_local(address: &IpAddr) -> bool {
    matches!(address, IpAddr::V6(v6) if v6.is_unicast_link_local())
}

fn host(setup: &Setup, at: usize, random: Random) -> Node {
    let number = NodeNumber(u16::try_from(at).unwrap_or(u16::MAX));
    let interfaces: Vec<_> = (0..setup.lans).map(|lan| interface_plan(setup, at, lan)).collect();
    let routes = if setup.routes { route_plans(setup, at) } else { Vec::new() };
    let mut config = Config {
        requestor: setup.config.requestor && !setup.responders.contains(&at),
        lans: interfaces.iter().map(|i| lan_config(setup, i)).collect(),
        ..setup.config.clone()
    };
    (setup.adjust)(at, &mut config);
    Node::new(number, config, Blueprint { interfaces, routes }, random)
}

fn lan_config(setup: &Setup, interface: &InterfacePlan) -> LanConfig {
    LanConfig {
        ipv4: setup.families.contains(&Family::V4),
        ipv6: setup.families.contains(&Family::V6),
        ..LanConfig::new(&interface.name)
    }
}

fn interface_plan(setup: &Setup, node: usize, lan: usize) -> InterfacePlan {
    let mut addresses = Vec::new();
    if setup.families.contains(&Family::V4) {
        addresses.push(prefix(v4(lan, node), 16));
    }
    if setup.families.contains(&Family::V6) {
        let (l, n) = (word(lan), word(node) + 1);
        addresses.push(prefix(Ipv6Addr::new(0xfd77, l, 0, 0, 0, 0, 0, n).into(), 64));
        addresses.push(prefix(Ipv6Addr::new(0xfe80, 0, 0, 0, 0x77, l, 0, n).into(), 64));
    }
    let [high, low] = (word(node) + 1).to_be_bytes();
    let mac = MacAddress([2, 0, 0, word(lan).to_be_bytes()[1], high, low]);
    InterfacePlan { name: format!("lan{lan}"), mac, addresses }
}

/// A static route by the next node, and a default route by another one that DHCP looks after.
fn route_plans(setup: &Setup, node: usize) -> Vec<RoutePlan> {
    if !setup.families.contains(&Family::V4) || setup.nodes < 2 {
        return Vec::new();
    }
    let gateway = |distance: usize| v4(0, (node + distance) % setup.nodes);
    let plan = |destination, gateway, metric, protocol| RoutePlan {
        destination,
        gateway,
        interface: "lan0".to_owned(),
        metric,
        protocol,
    };
    let mut routes = vec![plan(prefix(Ipv4Addr::new(192, 0, 2, 0).into(), 24), gateway(1), 0, STATIC)];
    if setup.nodes > 2 {
        routes.push(plan(prefix(Ipv4Addr::UNSPECIFIED.into(), 0), gateway(2), 100, DHCP));
    }
    routes
}

fn v4(lan: usize, node: usize) -> IpAddr {
    let byte = |n: usize| u8::try_from(n).unwrap_or(u8::MAX);
    Ipv4Addr::new(10, byte(100 + lan), byte(node / 250), byte(node % 250 + 1)).into()
}

fn prefix(address: IpAddr, length: u8) -> IpNet {
    IpNet::new_assert(address, length)
}

fn word(number: usize) -> u16 {
    u16::try_from(number).unwrap_or(u16::MAX)
}

/// rtnetlink(7).
const STATIC: u8 = 4;

/// rtnetlink(7).
const DHCP: u8 = 16;
