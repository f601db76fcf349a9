//! A host with uplinks that answer or do not, as a seeded generator has it, and all that the watch says about them.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use crate::config::{Config, Judging, Method, NextHopConfig, NextHops, RouteConfig, TargetConfig};
use crate::interface::{Interface, InterfaceAddress, InterfaceIndex, MacAddress};
use crate::packet::{Answer, Probe};
use crate::random::Random;
use crate::time::Instant;
use crate::watch::gateways::{MoveCause, Notice};
use crate::watch::{
    self, Destination, Found, Hop, HopSnapshot, Input, Memory, Output, RouteSnapshot, Watch, Way,
};

/// An address as the kernel shows it.
pub(in crate::watch::gateways) fn address(prefix: &str) -> InterfaceAddress {
    InterfaceAddress::new(prefix.parse().unwrap())
}

/// An Ethernet interface that runs.
pub(in crate::watch::gateways) fn ethernet(index: u32, name: &str, addresses: &[&str]) -> Interface {
    Interface {
        mac: Some(MacAddress([2, 0, 0, 0, 0, 1])),
        addresses: addresses.iter().map(|prefix| address(prefix)).collect(),
        ..Interface::new(InterfaceIndex(index), name)
    }
}

pub(super) fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

pub(super) fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// The destination of all tests that need no other.
pub(super) const DEFAULT: &str = "0.0.0.0/0";

/// Uplinks by number, from 1: interface `upN` with address 10.0.N.2/24, gateway 10.0.N.1.
pub(super) fn hop(number: u8, rank: u8) -> NextHopConfig {
    NextHopConfig { interface: format!("up{number}"), via: Some(gateway(number)), rank, weight: 1 }
}

pub(super) fn gateway(number: u8) -> IpAddr {
    IpAddr::from([10, 0, number, 1])
}

pub(super) fn target(text: &str) -> TargetConfig {
    TargetConfig { name: text.to_owned(), address: ip(text) }
}

/// A route to everywhere by these.
pub(super) fn route(next_hops: NextHops, judging: Judging) -> RouteConfig {
    RouteConfig { destination: DEFAULT.parse().unwrap(), table: 254, next_hops, judging }
}

/// One by listed uplinks of ranks 1, 2, ...
pub(super) fn listed(count: u8, judging: Judging) -> RouteConfig {
    route(NextHops::Listed((1..=count).map(|number| hop(number, number)).collect()), judging)
}

/// How an uplink behaves.
#[derive(Debug, Clone)]
pub(super) struct Uplink {
    pub(super) gateway: bool,
    /// What is beyond the gateway can be reached.
    pub(super) beyond: bool,
    pub(super) loss_percent: u8,
    pub(super) delay: Duration,
}

impl Uplink {
    pub(super) const FINE: Self =
        Self { gateway: true, beyond: true, loss_percent: 0, delay: Duration::from_millis(2) };
}

/// See the module.
#[derive(Clone)]
pub(super) struct World {
    pub(super) watch: Watch,
    pub(super) config: Config,
    pub(super) now: Instant,
    pub(super) interfaces: Vec<Interface>,
    pub(super) uplinks: BTreeMap<InterfaceIndex, Uplink>,
    /// Targets and gateways that answer nobody.
    pub(super) dead: BTreeSet<IpAddr>,
    /// Gateways that answer and pass nothing on.
    pub(super) holes: BTreeSet<IpAddr>,
    random: Random,
    answers: BTreeMap<(Instant, u64), Answer>,
    /// What was sent, and when.
    pub(super) probes: Vec<(Instant, Probe)>,
    pub(super) notices: Vec<(Instant, watch::Notice)>,
    /// The way of the first route, whenever it changed.
    pub(super) ways: Vec<(Instant, Way)>,
    last: Way,
    pub(super) memories: Vec<Memory>,
    pub(super) link_queries: usize,
}

/// The time at which worlds begin: not 0, as clocks do not either.
pub(super) const START: Instant = Instant::from_nanos(1_000_000_000_000);

impl World {
    /// `count` uplinks that work. The watch has seen nothing yet.
    pub(super) fn asleep(count: u8, routes: Vec<RouteConfig>, seed: u8) -> Self {
        let config = Config { routes, ..Config::default() };
        Self::with(count, config, &Memory::default(), seed)
    }

    pub(super) fn with(count: u8, config: Config, memory: &Memory, seed: u8) -> Self {
        let uplink = |n: u8| ethernet(u32::from(n), &format!("up{n}"), &[&format!("10.0.{n}.2/24")]);
        let interfaces: Vec<Interface> = (1..=count).map(uplink).collect();
        Self {
            watch: Watch::new(&config, memory, [seed; 32]),
            config,
            now: START,
            uplinks: interfaces.iter().map(|i| (i.index, Uplink::FINE)).collect(),
            interfaces,
            dead: BTreeSet::new(),
            holes: BTreeSet::new(),
            random: Random::new([!seed; 32]),
            answers: BTreeMap::new(),
            probes: Vec::new(),
            notices: Vec::new(),
            ways: Vec::new(),
            last: Way::Undecided,
            memories: Vec::new(),
            link_queries: 0,
        }
    }

    /// As [`World::asleep`], and the interfaces are known.
    pub(super) fn new(count: u8, routes: Vec<RouteConfig>, seed: u8) -> Self {
        let mut world = Self::asleep(count, routes, seed);
        world.show_interfaces();
        world
    }

    /// One that has worked for some seconds, by listed uplinks.
    pub(super) fn settled(count: u8, judging: Judging, seed: u8) -> Self {
        let mut world = Self::new(count, vec![listed(count, judging)], seed);
        world.run(ms(3000));
        assert_eq!(world.serving(), ["10.0.1.1%up1"]);
        world.notices.clear();
        world.ways.clear();
        world
    }

    // ----- inputs

    pub(super) fn input(&mut self, input: Input<'_>) {
        self.watch.handle(self.now, input);
        self.drain();
    }

    pub(super) fn show_interfaces(&mut self) {
        let interfaces = self.interfaces.clone();
        self.input(Input::Interfaces(&interfaces));
    }

    pub(super) fn carrier(&mut self, number: usize, carrier: bool) {
        self.interfaces[number - 1].carrier = carrier;
        self.show_interfaces();
    }

    pub(super) fn offline(&mut self, names: &[&str]) {
        let names: BTreeSet<String> = names.iter().map(|name| (*name).to_owned()).collect();
        self.input(Input::Offline(&names));
    }

    /// Routes to everywhere by uplinks and metrics, as DHCP makes them.
    pub(super) fn show_routes(&mut self, legs: &[(u32, &str, u32)]) {
        let leg = |(interface, via, metric): &(u32, &str, u32)| Found {
            table: 254,
            destination: DEFAULT.parse().unwrap(),
            metric: *metric,
            protocol: 16,
            interface: InterfaceIndex(*interface),
            gateway: Some(ip(via)),
        };
        let found: Vec<Found> = legs.iter().map(leg).collect();
        self.input(Input::Routes(&found));
    }

    pub(super) fn reload(&mut self, routes: Vec<RouteConfig>) {
        self.config.routes = routes;
        let config = self.config.clone();
        self.input(Input::Config(&config));
        self.show_interfaces();
    }

    pub(super) fn uplink(&mut self, number: u8) -> &mut Uplink {
        self.uplinks.get_mut(&InterfaceIndex(number.into())).unwrap()
    }

    /// Plays until `time` has passed.
    pub(super) fn run(&mut self, time: Duration) {
        let until = self.now + time;
        loop {
            let answer = self.answers.keys().next().copied();
            let deadline = self.watch.deadline();
            match (answer, deadline) {
                (Some(key), _) if key.0 <= until && deadline.is_none_or(|at| key.0 <= at) => {
                    let answer = self.answers.remove(&key).unwrap();
                    self.now = self.now.max(key.0);
                    self.input(Input::Answer(answer));
                }
                (_, Some(at)) if at <= until => {
                    assert!(at > self.now || !self.is_idle(at), "comes back for nothing at {at}");
                    self.now = self.now.max(at);
                    self.input(Input::DeadlinePassed);
                }
                _ => break,
            }
        }
        self.now = until;
    }

    /// Whether a deadline that is over stays over when it is handed in.
    fn is_idle(&self, at: Instant) -> bool {
        let mut copy = self.watch.clone();
        copy.handle(at.max(self.now), Input::DeadlinePassed);
        copy.deadline() == Some(at)
    }

    /// Plays until a condition holds; fails after a minute.
    pub(super) fn run_until(&mut self, holds: impl Fn(&World) -> bool) -> Duration {
        let start = self.now;
        while !holds(self) {
            assert!(self.now.since(start) < Duration::from_secs(60), "it does not come to be");
            self.run(ms(1));
        }
        self.now.since(start)
    }

    /// The daemon does nothing for this long; what arrives meanwhile is handed in late, with its own stamp.
    pub(super) fn stall(&mut self, time: Duration) {
        self.now = self.now + time;
    }

    // ----- outputs

    fn drain(&mut self) {
        while let Some(output) = self.watch.next_output() {
            match output {
                Output::Probe(probe) => self.on_probe(probe),
                Output::QueryLinks => self.link_queries += 1,
                Output::PlanChanged => self.on_plan(),
                Output::Remember(memory) => self.memories.push(memory),
                Output::Notice(notice) => self.notices.push((self.now, notice)),
                Output::ListNeighbours(_) => panic!("nobody asked for neighbours"),
            }
        }
    }

    fn on_plan(&mut self) {
        let way = self.watch.plan().routes.values().next().cloned().unwrap_or(Way::Undecided);
        if self.last != way {
            self.last = way.clone();
            self.ways.push((self.now, way));
        }
    }

    fn on_probe(&mut self, probe: Probe) {
        let interface = self.interfaces.iter().find(|i| i.index == probe.interface).unwrap();
        let uplink = self.uplinks[&probe.interface].clone();
        let is_gateway = probe.next_hop.is_none();
        let passes = |gateway: IpAddr| !self.dead.contains(&gateway) && !self.holes.contains(&gateway);
        let lives = uplink.gateway
            && !self.dead.contains(&probe.target)
            && (is_gateway || (uplink.beyond && probe.next_hop.is_none_or(passes)));
        let draw = self.random.number() % 100;
        if interface.is_running() && lives && draw >= u64::from(uplink.loss_percent) {
            let arrived = self.now + uplink.delay;
            let answer = Answer { id: probe.id, interface: probe.interface, from: probe.target, arrived };
            self.answers.insert((arrived, probe.id.0), answer);
        }
        self.probes.push((self.now, probe));
    }

    // ----- what is asked of it

    pub(super) fn way(&self) -> Way {
        self.watch.plan().routes.values().next().cloned().unwrap_or(Way::Undecided)
    }

    /// The next hops that carry the first route, as people read them.
    pub(super) fn serving(&self) -> Vec<String> {
        match self.way() {
            Way::Undecided => Vec::new(),
            Way::By(hops) => hops.iter().map(ToString::to_string).collect(),
        }
    }

    pub(super) fn said(&self) -> Vec<Notice> {
        let own = |(_, notice): &(Instant, watch::Notice)| match notice {
            watch::Notice::Gateways(notice) => notice.clone(),
            watch::Notice::Groups(notice) => panic!("there are no groups: {notice}"),
        };
        self.notices.iter().map(own).collect()
    }

    /// What was said since the last time.
    pub(super) fn news(&mut self) -> Vec<Notice> {
        let said = self.said();
        self.notices.clear();
        said
    }

    pub(super) fn snapshot(&self) -> RouteSnapshot {
        self.watch.snapshot(self.now).routes.into_iter().next().unwrap()
    }

    pub(super) fn hop(&self, number: u8) -> HopSnapshot {
        let name = format!("up{number}");
        self.snapshot().hops.into_iter().find(|hop| hop.interface == name).unwrap()
    }

    pub(super) fn probes_to(&self, target: IpAddr) -> Vec<(Instant, Probe)> {
        self.probes.iter().filter(|(_, probe)| probe.target == target).cloned().collect()
    }

    pub(super) fn destination() -> Destination {
        Destination { table: 254, prefix: DEFAULT.parse().unwrap() }
    }
}

/// Uplink `number`, as traffic goes by it.
pub(super) fn leg(number: u8) -> Hop {
    Hop { interface: format!("up{number}"), via: Some(gateway(number)), weight: 1 }
}

/// Traffic for everywhere has moved, as is said.
pub(super) fn moved(from: &[u8], to: u8, cause: MoveCause) -> Notice {
    let from = from.iter().map(|number| leg(*number)).collect();
    Notice::RouteMoved { destination: World::destination(), from, to: vec![leg(to)], cause }
}

/// Why traffic has moved, by each notice that it has.
pub(super) fn causes(notices: &[Notice]) -> Vec<MoveCause> {
    let cause = |notice: &Notice| {
        let Notice::RouteMoved { cause, .. } = notice else { return None };
        Some(*cause)
    };
    notices.iter().filter_map(cause).collect()
}

/// Judging by the gateway and targets beyond it.
pub(super) fn judging(targets: &[&str]) -> Judging {
    Judging { targets: targets.iter().map(|text| target(text)).collect(), ..Judging::default() }
}

/// Only by the gateway, in this way.
pub(super) fn by(method: Method) -> Judging {
    Judging { methods: vec![method], ..Judging::default() }
}
