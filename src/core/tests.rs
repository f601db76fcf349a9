//! Whole hosts on two LANs: cores, model kernels, and packets that take 100 us.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::num::NonZeroU32;
use std::time::Duration;

use super::*;
use crate::config::{Damping, Judging, LanConfig, Method, NextHopConfig, NextHops, RouteConfig};
use crate::interface::InterfaceAddress;
use crate::packet::{Arrival, Datagram, Transmit};
use crate::reconcile::mirror::Insert;
use crate::reconcile::{Dump, Mirror};
use crate::route::{Leg, MAIN_TABLE, PROTOCOL, Route, RouteKey, RouteType};
use crate::watch::HopState;
use crate::wire::NodeId;

const TRAVEL: Duration = Duration::from_micros(100);
const INTERVAL: Duration = Duration::from_millis(50);
const BEHIND: Ipv4Addr = Ipv4Addr::new(10, 99, 0, 1);

/// It is a peer, so that nothing else is sent to it.
#[test]
fn a_next_hop_that_runs_faild_is_judged_by_its_answers_to_inquiries() {
    let mut world = World::new([Config { routes: vec![route()], ..config() }, config()]);
    world.pass(Duration::from_secs(2));
    assert_eq!((world.health(), world.hop(0, BEHIND)), (vec![HopState::Up; 2], Some(gateway(1))));
    assert_eq!(world.probes, 0);

    // Two missed slots, that of the other end, and the one in which the other next hop would have been found dead as well.
    world.silent = Some(1);
    world.pass(INTERVAL * 5);
    assert_eq!(world.health(), [HopState::Down, HopState::Up]);
    assert_eq!(world.hop(0, BEHIND), Some(gateway(2)));

    world.silent = None;
    world.pass(Duration::from_secs(2));
    assert_eq!((world.health(), world.hop(0, BEHIND)), (vec![HopState::Up; 2], Some(gateway(1))));
}

/// Each packet of a swarm may change a verdict; operations follow at the deadline that is due at once.
#[test]
fn plans_are_handed_over_at_deadlines_and_never_amid_packets() {
    let mut world = World::new([config(), config()]);
    world.pass(Duration::from_secs(2));
    for silent in [Some(1), None] {
        world.silent = silent;
        world.applied.clear();
        world.pass(Duration::from_secs(2));
        assert!(!world.applied.is_empty() && world.applied.iter().all(|at_deadline| *at_deadline));
    }
}

#[test]
fn settings_without_next_hops_end_the_watch() {
    let mut world = World::new([Config { routes: vec![route()], ..config() }, config()]);
    world.pass(Duration::from_secs(2));
    assert!(world.hosts[0].core.is_watching());
    let interfaces = world.hosts[0].core.interfaces().to_vec();
    world.tell(0, |core, now| {
        core.handle(now, Input::Config(&config()));
        core.handle(now, Input::Interfaces(&interfaces));
    });
    world.pass(Duration::from_secs(2));
    let core = &world.hosts[0].core;
    assert_eq!((core.is_watching(), core.probed().count(), core.cared_for().count()), (false, 0, 2));
    assert!(world.hosts[0].kernel.routes().iter().all(|route| route.protocol != PROTOCOL));
}

/// A world that is played twice, once from a copy made amid a fault, goes the same way.
#[test]
fn a_copy_goes_on_as_the_core_itself() {
    let play = |copied: bool| {
        let mut world = World::new([Config { routes: vec![route()], ..config() }, config()]);
        world.pass(Duration::from_secs(1));
        world.silent = Some(1);
        world.pass(INTERVAL);
        if copied {
            let core = world.hosts[0].core.clone();
            world.hosts[0].core = core;
        }
        world.pass(Duration::from_secs(1));
        (world.sent, world.hosts[0].core.peers().snapshot(world.now).to_string())
    };
    assert_eq!(play(true), play(false));
}

struct World {
    now: Instant,
    hosts: Vec<Host>,
    flying: BTreeMap<(Instant, u64), (usize, Transmit)>,
    sent: u64,
    probes: u64,
    /// For each batch of operations whether a deadline led to it.
    applied: Vec<bool>,
    at_deadline: bool,
    /// The LAN that loses every packet.
    silent: Option<u32>,
}

struct Host {
    core: Core,
    kernel: Mirror,
}

impl World {
    fn new(configs: [Config; 2]) -> Self {
        let host = |(number, config): (u8, Config)| {
            let node = Some(NodeId(u64::from(number)));
            let peers = engine::Memory { node, ..engine::Memory::default() };
            let memory = Memory { peers, ..Memory::default() };
            let mut kernel = Mirror::default();
            kernel.load_interfaces(&interfaces(number));
            for lan in [1, 2] {
                kernel.add_route(&connected(lan), Insert::Exclusive).unwrap();
            }
            Host { core: Core::new(&config, memory, None, [number; 32]), kernel }
        };
        let hosts = (1..).zip(configs).map(host).collect();
        let now = Instant::from_nanos(1_000_000_000);
        let mut world = Self {
            now,
            hosts,
            flying: BTreeMap::new(),
            sent: 0,
            probes: 0,
            applied: Vec::new(),
            at_deadline: false,
            silent: None,
        };
        for number in 0..2 {
            let interfaces: Vec<Interface> = world.hosts[number].kernel.interfaces().cloned().collect();
            world.tell(number, |core, now| core.handle(now, Input::Interfaces(&interfaces)));
        }
        world
    }

    fn tell(&mut self, number: usize, input: impl FnOnce(&mut Core, Instant)) {
        input(&mut self.hosts[number].core, self.now);
        self.drain(number);
    }

    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        loop {
            let deadlines = self.hosts.iter().map(|host| host.core.deadline());
            let due = deadlines.enumerate().filter_map(|(number, at)| Some((at?, number))).min();
            let arrives = self.flying.keys().next().copied();
            match (due, arrives) {
                (Some((at, number)), arrival)
                    if arrival.is_none_or(|(first, _)| at <= first) && at <= end =>
                {
                    self.now = self.now.max(at);
                    self.at_deadline = true;
                    self.tell(number, |core, now| core.handle(now, Input::DeadlinePassed));
                    self.at_deadline = false;
                }
                (_, Some(key)) if key.0 <= end => {
                    let (from, transmit) = self.flying.remove(&key).unwrap();
                    self.now = key.0;
                    if Some(transmit.interface.0) != self.silent.map(|lan| lan + 1) {
                        self.deliver(1 - from, &transmit);
                    }
                }
                _ => break,
            }
        }
        self.now = end;
    }

    fn deliver(&mut self, number: usize, transmit: &Transmit) {
        self.tell(number, |core, now| {
            core.handle(
                now,
                Input::Arrived(Arrival::Datagram(Datagram {
                    interface: transmit.interface,
                    source: transmit.source,
                    destination: transmit.destination,
                    hop_limit: 255,
                    arrived: now,
                    payload: &transmit.payload,
                })),
            );
        });
    }

    fn drain(&mut self, number: usize) {
        let now = self.now;
        while let Some(output) = self.hosts[number].core.next_output() {
            let Host { core, kernel } = &mut self.hosts[number];
            let routes = |is_wanted: &dyn Fn(&Route) -> bool| -> Vec<Route> {
                let all = kernel.routes().iter().map(|route| Route::clone(route));
                all.filter(|route| is_wanted(route)).collect()
            };
            match output {
                Output::Send(transmit) => {
                    self.sent += 1;
                    self.flying.insert((now + TRAVEL, self.sent), (number, transmit));
                }
                Output::Probe(_) => self.probes += 1,
                Output::Apply(batch) => {
                    self.applied.push(self.at_deadline);
                    let results = batch.carry_out(|all| all.iter().map(|one| kernel.apply(one)).collect());
                    core.handle(now, Input::Results(results));
                }
                Output::Dump(Dump::OwnRoutes) => {
                    let own = routes(&|route| route.protocol == PROTOCOL);
                    core.handle(now, Input::OwnRoutes(own));
                }
                Output::Dump(Dump::LanRoutes) => core.handle(now, Input::LanRoutes(routes(&|_| true))),
                Output::Dump(Dump::Interfaces) => {
                    let interfaces: Vec<Interface> = kernel.interfaces().cloned().collect();
                    core.handle(now, Input::Interfaces(&interfaces));
                }
                Output::Journal(_) => core.handle(now, Input::Journalled(Ok(()))),
                Output::Ask(question) => {
                    core.handle(now, Input::Answered(question, kernel.answer(&question)))
                }
                Output::LookUp(key) => {
                    core.handle(now, Input::LookedUp(key, routes(&|route| route.key == key)))
                }
                Output::Solicit { .. }
                | Output::Endpoints
                | Output::QueryLinks
                | Output::ListNeighbours(_)
                | Output::Remember(_)
                | Output::PlanChanged
                | Output::Notice(_) => {}
            }
        }
    }

    /// What host 1 thinks of its next hops.
    fn health(&self) -> Vec<HopState> {
        let shown = self.hosts[0].core.watch().snapshot(self.now);
        shown.routes[0].hops.iter().map(|hop| hop.state).collect()
    }

    fn hop(&self, number: usize, to: Ipv4Addr) -> Option<IpAddr> {
        self.hosts[number].kernel.lookup(&to.into())?.legs[0].gateway
    }
}

fn config() -> Config {
    Config {
        requestor: true,
        interval: INTERVAL,
        good: NonZeroU32::MIN.saturating_add(2),
        lans: ["lan-a", "lan-b"].map(LanConfig::new).to_vec(),
        damping: Damping { penalty: 0.0, ..Damping::default() },
        ..Config::default()
    }
}

/// To the network behind host 2, by LAN A or else by LAN B.
fn route() -> RouteConfig {
    let hop = |(rank, lan): (u8, &str)| NextHopConfig {
        interface: lan.to_owned(),
        via: Some(gateway(rank)),
        rank,
        weight: 1,
    };
    RouteConfig {
        destination: "10.99.0.0/24".parse().unwrap(),
        table: 254,
        next_hops: NextHops::Listed((1..).zip(["lan-a", "lan-b"]).map(hop).collect()),
        judging: Judging { methods: vec![Method::Peer], good: NonZeroU32::MIN, ..Judging::default() },
    }
}

/// Host 2 on a LAN.
fn gateway(lan: u8) -> IpAddr {
    [10, 77, lan, 2].into()
}

fn interfaces(host: u8) -> [Interface; 2] {
    [(1_u8, "lan-a"), (2, "lan-b")].map(|(lan, name)| {
        let mut interface = Interface::new(InterfaceIndex(u32::from(lan) + 1), name);
        let prefix = format!("10.77.{lan}.{host}/24").parse().unwrap();
        interface.addresses.push(InterfaceAddress {
            broadcast: Some([10, 77, lan, 255].into()),
            ..InterfaceAddress::new(prefix)
        });
        interface
    })
}

fn connected(lan: u8) -> Route {
    let destination = format!("10.77.{lan}.0/24").parse().unwrap();
    Route {
        key: RouteKey { table: MAIN_TABLE, destination, tos: 0, metric: 0 },
        kind: RouteType::Unicast,
        protocol: 2,
        scope: 253,
        source: None,
        legs: vec![Leg { gateway: None, interface: InterfaceIndex(u32::from(lan) + 1), weight: 1 }],
        nexthop_id: None,
        encapsulated: false,
        linkdown: false,
        attributes: Vec::new(),
        flags: 0,
    }
}
