//! The world: hosts, LANs and one clock. It plays what is asked of it and tells what happened; it judges nothing.

mod datagrams;
mod deeds;
mod event_log;
mod machines;
mod neighbours;
mod setup;

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::rc::Rc;
use std::time::Duration;

use faild::core::Notice;
use faild::engine::Dropped;
use faild::interface::{Family, is_link_local};
use faild::operation::Operation;
use faild::route::PROTOCOL;
use faild::time::Instant;
use ipnet::IpNet;

use crate::kernel::{Applied, News, RoutePlan};
use crate::network::{Frame, LanNumber, Network, NodeNumber, Port};
use crate::node::{Effect, Node, PortState};
use crate::queue::Queue;
use crate::random::Random;
pub use event_log::EventLog;
use event_log::Short;
use neighbours::Request;
pub use setup::Setup;
use setup::host;

/// From a packet's arrival to the daemon's wake-up: a scheduler that is not idle.
const WAKE_DELAY: (Duration, Duration) = (Duration::from_micros(5), Duration::from_micros(60));

/// Linux tells of a second carrier change within a second up to this much later (observed on 6.18).
const CARRIER_NEWS_DELAY: Duration = Duration::from_secs(1);

/// All other news take at most so long.
const NEWS_DELAY: Duration = Duration::from_micros(200);

/// Something that a judge may want to know.
#[derive(Debug)]
pub enum Happening {
    /// The daemon of a node read a datagram from another.
    Heard {
        /// The reader.
        by: Port,
        /// What it read.
        frame: Rc<Frame>,
        /// Why the daemon dropped it, if it did.
        dropped: Option<Dropped>,
    },
    /// A node asked its kernel for something.
    Applied(NodeNumber, Box<Applied>),
    /// Something was done to a host that may cost it time: started, killed, ...
    Disturbed(NodeNumber),
    /// Which ways work may be different from before.
    NetworkChanged,
    /// A node logged something.
    Notice(NodeNumber, Notice),
    /// The core of a node does not come to rest.
    Restless(NodeNumber),
    /// A foreign actor is about to take this route away.
    ForeignDeleted(NodeNumber, RoutePlan),
    /// A foreign actor put this route there.
    ForeignAdded(NodeNumber, RoutePlan),
    /// An interface got this name, and the settings with it.
    Renamed(NodeNumber, String),
}

/// How long all hosts have been up as the first daemon starts: a clock that began just now cuts short what lies before that.
const UPTIME: Duration = Duration::from_secs(1000);

type Deed = Box<dyn FnOnce(&mut World)>;

enum Event {
    Deliver(Rc<Frame>, Port),
    Wake(NodeNumber),
    Timer(NodeNumber),
    News(NodeNumber, News),
    Asked(Request, Port),
    Answered(Request, Port),
    AskAgain(Port, IpAddr, IpAddr, u64),
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
    /// See [`Setup::known_neighbours`].
    known_neighbours: bool,
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
            now: Instant::default() + UPTIME,
            nodes: (0..setup.nodes).map(|n| host(setup, n, random.fork())).collect(),
            network,
            happenings: Vec::new(),
            log: EventLog::new(setup.traced, setup.watched),
            owners: BTreeMap::new(),
            queue: Queue::new(),
            random,
            watched: setup.watched,
            known_neighbours: setup.known_neighbours,
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
            Event::Asked(request, owner) => self.on_asked(request, owner),
            Event::Answered(request, owner) => self.on_answered(request, owner),
            Event::AskAgain(asker, source, target, series) => self.ask_again(asker, source, target, series),
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

    /// Whether an interface exists, is up and has carrier, and its host does not sleep.
    pub fn is_running(&self, port: Port) -> bool {
        let node = self.node(port.node);
        node.ports[port.lan.index()].running && !node.is_frozen()
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
        let node = self.node(number);
        if !node.is_frozen() && node.stalled_until.is_none_or(|until| until <= self.now) {
            self.with_effects(number, Node::wake);
        }
    }

    /// Lets a node do something by its own clock, then sees to all that follows from it.
    fn with_effects(&mut self, number: NodeNumber, act: impl FnOnce(&mut Node, Instant, &mut Vec<Effect>)) {
        let mut effects = std::mem::take(&mut self.effects);
        let node = &mut self.nodes[number.index()];
        let clock = node.clock(self.now);
        act(node, clock, &mut effects);
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
            Effect::Solicit { interface, source, target } => {
                self.solicit(number, interface, source, target);
            }
            Effect::Heard { frame, lan, dropped } => {
                let by = Port { node: number, lan };
                self.happened(Happening::Heard { by, frame, dropped });
            }
            Effect::Applied(applied) => self.on_applied(number, applied),
            Effect::PlanChanged => self.note(format_args!("{number} plan changed")),
            Effect::Notice(notice) => {
                self.note(format_args!("{number} {} {notice}", notice.level()));
                self.happened(Happening::Notice(number, notice));
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
        let deadline = node.world_time(deadline);
        let wanted = deadline.max(self.now).max(node.stalled_until.unwrap_or(self.now));
        if node.timer.is_none_or(|set| wanted < set) {
            node.timer = Some(wanted);
            self.queue.push(wanted, Event::Timer(number));
        }
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
        let state = |port: &PortState| (port.index, port.running, port.addresses.clone());
        let before: Vec<_> = node.ports.iter().map(state).collect();
        node.refresh_ports();
        let mut changed = false;
        for ((index, running, addresses), port) in before.iter().zip(&mut node.ports) {
            changed |= *addresses != port.addresses;
            // A kernel forgets whom it knew behind a port that lost its carrier, or went.
            if (*index, *running) != (port.index, port.running) {
                port.neighbours.clear();
            }
        }
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
