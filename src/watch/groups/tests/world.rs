//! A host with one group and hosts around it, on a virtual clock: links, delays, and who answers by which interface.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use ipnet::IpNet;

use crate::config::{Config, GroupConfig, MemberConfig, TargetConfig};
pub(super) use crate::event::EventName;
use crate::interface::{Interface, InterfaceAddress, InterfaceIndex, InterfaceKind, MacAddress};
use crate::packet::{Answer, Probe};
use crate::time::Instant;
pub(super) use crate::watch::groups::notice::{Failure, Notice};
use crate::watch::plan;
use crate::watch::{
    self, Found, GroupSnapshot, GroupState, Input, InstanceSnapshot, MemberSnapshot, MemberState, Memory,
    Output, Plan, TargetSnapshot, Watch,
};

/// How often it was said that a group is usable again.
pub(super) fn usable(world: &World) -> usize {
    world.told(EventName::GroupDegraded) + world.told(EventName::GroupOk)
}

/// A host that may be asked.
#[derive(Debug, Clone)]
pub(super) struct Host {
    pub(super) alive: bool,
    /// Interfaces of ours that it does not hear.
    pub(super) deaf_to: BTreeSet<String>,
    pub(super) delay: Duration,
}

/// See the module.
#[derive(Debug, Clone)]
pub(super) struct World {
    pub(super) watch: Watch,
    pub(super) now: Instant,
    pub(super) config: Config,
    pub(super) interfaces: Vec<Interface>,
    pub(super) routes: Vec<Found>,
    pub(super) hosts: BTreeMap<IpAddr, Host>,
    pub(super) neighbours: Vec<IpAddr>,
    pub(super) offline: BTreeSet<String>,
    pub(super) probes: Vec<(Instant, Probe)>,
    pub(super) notices: Vec<(Instant, Notice)>,
    pub(super) plans: Vec<(Instant, Plan)>,
    pub(super) memory: Memory,
    pub(super) outputs: usize,
    answers: BTreeMap<(Instant, u64), Answer>,
    seed: u8,
    count: u64,
}

pub(super) const ROUTER: IpAddr = v4(254);
pub(super) const GROUP: &str = "lan0";

pub(super) const fn v4(last: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(10, 0, 0, last))
}

pub(super) const fn v6(last: u16) -> IpAddr {
    IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, last))
}

pub(super) fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

pub(super) fn s(n: u64) -> Duration {
    Duration::from_secs(n)
}

impl Host {
    pub(super) fn new() -> Self {
        Self { alive: true, deaf_to: BTreeSet::new(), delay: ms(1) }
    }
}

/// What the worlds differ in before they begin.
#[derive(Debug, Clone)]
pub(super) struct Setup {
    pub(super) config: Config,
    pub(super) interfaces: Vec<Interface>,
    pub(super) routes: Vec<Found>,
    pub(super) hosts: BTreeMap<IpAddr, Host>,
    pub(super) memory: Memory,
    pub(super) seed: u8,
}

impl Setup {
    /// A group of these members, each with a data address, an IPv4 test address, and a router.
    pub(super) fn new(active: &[&str], standby: &[&str]) -> Self {
        let names: Vec<&str> = active.iter().chain(standby).copied().collect();
        let member = |(place, name): (usize, &&str)| MemberConfig {
            interface: (*name).to_owned(),
            standby: standby.contains(name),
            test_address: Some(v4(11 + u8::try_from(place).unwrap())),
            ipv6: false,
            bring_up: true,
        };
        let members: Vec<MemberConfig> = names.iter().enumerate().map(member).collect();
        let group = GroupConfig {
            name: GROUP.to_owned(),
            members,
            detection_time: s(10),
            failback: true,
            targets: Vec::new(),
        };
        let mut setup = Self {
            config: Config { groups: vec![group], ..Config::default() },
            interfaces: names.iter().enumerate().map(|(place, name)| interface(place, name)).collect(),
            routes: Vec::new(),
            hosts: BTreeMap::new(),
            memory: Memory::default(),
            seed: 1,
        };
        setup.router(ROUTER, 0);
        setup
    }

    /// Two that carry traffic and a standby.
    pub(super) fn abs() -> Self {
        Self::new(&["a", "b"], &["s"])
    }

    pub(super) fn group(&mut self) -> &mut GroupConfig {
        &mut self.config.groups[0]
    }

    /// A host, and a route over the interface at `place` by way of it.
    pub(super) fn router(&mut self, address: IpAddr, place: usize) {
        self.hosts.insert(address, Host::new());
        self.routes.push(route(self.interfaces[place].index, address));
    }

    /// Nobody to ask.
    pub(super) fn without_routers(&mut self) {
        self.hosts.clear();
        self.routes.clear();
    }

    /// Judged by links alone.
    pub(super) fn without_test_addresses(&mut self) {
        self.group().members.iter_mut().for_each(|member| member.test_address = None);
    }

    /// Probed by IPv6 too, with a router of that family.
    pub(super) fn with_ipv6(&mut self, router: IpAddr) {
        self.group().members.iter_mut().for_each(|member| member.ipv6 = true);
        for (place, interface) in self.interfaces.iter_mut().enumerate() {
            let own = v6(11 + u16::try_from(place).unwrap());
            interface.addresses.push(address(IpNet::new(own, 64).unwrap()));
        }
        self.router(router, 0);
    }

    pub(super) fn configured(&mut self, address: IpAddr) {
        self.hosts.insert(address, Host::new());
        self.group().targets.push(TargetConfig { name: format!("host {address}"), address });
    }

    pub(super) fn start(self) -> World {
        let mut world = World {
            watch: Watch::new(&self.config, &self.memory, [self.seed; 32]),
            now: Instant::from_nanos(1_000_000_000_000),
            config: self.config,
            interfaces: self.interfaces,
            routes: self.routes,
            hosts: self.hosts,
            neighbours: Vec::new(),
            offline: BTreeSet::new(),
            probes: Vec::new(),
            notices: Vec::new(),
            plans: Vec::new(),
            memory: self.memory,
            outputs: 0,
            answers: BTreeMap::new(),
            seed: self.seed,
            count: 0,
        };
        world.drain();
        world.show_interfaces();
        world.show_routes();
        world
    }
}

impl World {
    pub(super) fn show_interfaces(&mut self) {
        let interfaces = self.interfaces.clone();
        self.watch.handle(self.now, Input::Interfaces(&interfaces));
        self.drain();
    }

    pub(super) fn show_routes(&mut self) {
        let routes = self.routes.clone();
        self.watch.handle(self.now, Input::Routes(&routes));
        self.drain();
    }

    pub(super) fn reload(&mut self) {
        let config = self.config.clone();
        self.watch.handle(self.now, Input::Config(&config));
        self.drain();
        self.show_interfaces();
        self.show_routes();
    }

    /// faild is killed and started again.
    pub(super) fn restart(&mut self) {
        self.seed += 1;
        self.watch = Watch::new(&self.config, &self.memory, [self.seed; 32]);
        self.answers.clear();
        self.drain();
        let offline = self.offline.clone();
        self.watch.handle(self.now, Input::Offline(&offline));
        self.drain();
        self.show_interfaces();
        self.show_routes();
    }

    pub(super) fn fail_back(&mut self) {
        self.watch.handle(self.now, Input::FailBack);
        self.drain();
    }

    pub(super) fn set_offline(&mut self, name: &str, offline: bool) {
        if offline {
            self.offline.insert(name.to_owned());
        } else {
            self.offline.remove(name);
        }
        let offline = self.offline.clone();
        self.watch.handle(self.now, Input::Offline(&offline));
        self.drain();
    }

    pub(super) fn set_carrier(&mut self, name: &str, carrier: bool) {
        self.interface(name).carrier = carrier;
        self.show_interfaces();
    }

    pub(super) fn interface(&mut self, name: &str) -> &mut Interface {
        self.interfaces.iter_mut().find(|interface| interface.name == name).unwrap()
    }

    pub(super) fn host(&mut self, address: IpAddr) -> &mut Host {
        self.hosts.get_mut(&address).unwrap()
    }

    /// No host answers by this interface, or all do.
    pub(super) fn cut(&mut self, name: &str, cut: bool) {
        for host in self.hosts.values_mut() {
            if cut {
                host.deaf_to.insert(name.to_owned());
            } else {
                host.deaf_to.remove(name);
            }
        }
    }

    /// Time passes: answers arrive, deadlines pass.
    pub(super) fn run(&mut self, duration: Duration) {
        let end = self.now + duration;
        while self.step(end) {}
        self.now = end;
    }

    /// The same until something holds; panics if that takes too long.
    pub(super) fn run_until(&mut self, most: Duration, holds: impl Fn(&World) -> bool) -> Duration {
        let (start, end) = (self.now, self.now + most);
        while !holds(self) {
            assert!(self.step(end), "not within {most:?}: {}", self.text());
        }
        self.now.since(start)
    }

    /// The next event until `end`; false if there is none.
    fn step(&mut self, end: Instant) -> bool {
        let answer = self.answers.first_key_value().map(|((at, _), _)| *at);
        let deadline = self.watch.deadline();
        let Some(at) = answer.into_iter().chain(deadline).min().filter(|at| *at <= end) else { return false };
        self.now = self.now.max(at);
        if answer == Some(at) {
            let (_, answer) = self.answers.pop_first().unwrap();
            self.watch.handle(self.now, Input::Answer(answer));
        } else {
            self.watch.handle(self.now, Input::DeadlinePassed);
        }
        self.drain();
        let next = self.watch.deadline();
        assert!(next.is_none_or(|next| next > self.now), "woken for nothing: {}", self.text());
        true
    }

    fn drain(&mut self) {
        while let Some(output) = self.watch.next_output() {
            self.outputs += 1;
            match output {
                Output::Probe(probe) => self.on_probe(probe),
                Output::QueryLinks => {
                    let interfaces = self.interfaces.clone();
                    self.watch.handle(self.now, Input::Interfaces(&interfaces));
                }
                Output::ListNeighbours(interface) => {
                    let addresses = &self.neighbours.clone();
                    self.watch.handle(self.now, Input::Neighbours { interface, addresses });
                }
                Output::PlanChanged => self.plans.push((self.now, self.watch.plan().clone())),
                Output::Remember(memory) => self.memory = memory,
                Output::Notice(watch::Notice::Groups(notice)) => self.notices.push((self.now, notice)),
                Output::Notice(watch::Notice::Gateways(notice)) => panic!("there are no gateways: {notice}"),
            }
        }
    }

    fn on_probe(&mut self, probe: Probe) {
        self.probes.push((self.now, probe.clone()));
        let known = self.interfaces.iter().find(|interface| interface.index == probe.interface);
        let Some(interface) = known.filter(|interface| interface.is_running()) else { return };
        assert!(interface.addresses.iter().any(|own| own.address() == probe.source), "{probe:?}");
        assert_eq!((probe.hop_limit, probe.next_hop), (1, None));
        let name = interface.name.clone();
        let asked: Vec<(IpAddr, Duration)> = self
            .hosts
            .iter()
            .filter(|(address, host)| host.alive && !host.deaf_to.contains(&name) && hears(**address, &probe))
            .map(|(address, host)| (*address, host.delay))
            .collect();
        for (from, delay) in asked {
            self.count += 1;
            let arrived = self.now + delay;
            let answer = Answer { id: probe.id, interface: probe.interface, from, arrived };
            self.answers.insert((arrived, self.count), answer);
        }
    }

    /// Somebody answers a probe who may be anybody.
    pub(super) fn forge(&mut self, answer: Answer) {
        self.watch.handle(self.now, Input::Answer(answer));
        self.drain();
    }

    pub(super) fn group(&self) -> GroupSnapshot {
        self.watch.snapshot(self.now).groups[0].clone()
    }

    pub(super) fn group_state(&self) -> GroupState {
        self.group().state
    }

    pub(super) fn member(&self, name: &str) -> MemberSnapshot {
        self.group().members.into_iter().find(|member| member.interface == name).unwrap()
    }

    pub(super) fn state(&self, name: &str) -> MemberState {
        self.member(name).state
    }

    pub(super) fn is_active(&self, name: &str) -> bool {
        self.member(name).active
    }

    pub(super) fn instance(&self, name: &str, family: crate::interface::Family) -> InstanceSnapshot {
        self.member(name).instances.into_iter().find(|instance| instance.family == family).unwrap()
    }

    pub(super) fn targets(&self, name: &str) -> Vec<TargetSnapshot> {
        self.member(name).instances.into_iter().flat_map(|instance| instance.targets).collect()
    }

    pub(super) fn target(&self, name: &str, address: IpAddr) -> TargetSnapshot {
        self.targets(name).into_iter().find(|target| target.address == address).unwrap()
    }

    pub(super) fn place(&self, name: &str) -> plan::Member {
        self.watch.plan().members[name].clone()
    }

    /// The members that do not carry their own traffic, as `a>s`.
    pub(super) fn moved(&self) -> String {
        let moved = self.watch.plan().members.iter().filter_map(|(name, member)| match member {
            plan::Member::StandIn(by) => Some(format!("{name}>{by}")),
            plan::Member::Home | plan::Member::Undecided => None,
        });
        moved.collect::<Vec<_>>().join(" ")
    }

    pub(super) fn told(&self, event: EventName) -> usize {
        self.notices.iter().filter(|(_, notice)| notice.name() == event).count()
    }

    /// Probes that count, by an interface since a moment.
    pub(super) fn sent(&self, name: &str, since: Instant) -> Vec<(Instant, Probe)> {
        let index = self.interfaces.iter().find(|interface| interface.name == name).unwrap().index;
        let own = self.probes.iter().filter(|(at, probe)| *at >= since && probe.interface == index);
        own.filter(|(_, probe)| self.is_counted(probe)).cloned().collect()
    }

    fn is_counted(&self, probe: &Probe) -> bool {
        !probe.target.is_multicast() && probe.sequence > 0
    }

    pub(super) fn text(&self) -> String {
        let members: Vec<String> = self.group().members.iter().map(in_short).collect();
        let told: Vec<String> = self.notices.iter().map(|(at, text)| format!("{at} {text}")).collect();
        format!("at {}, moved: {:?}\n{}\n{}", self.now, self.moved(), members.join("\n"), told.join("\n"))
    }
}

fn in_short(member: &MemberSnapshot) -> String {
    let MemberSnapshot { interface, state, active, link, probing, .. } = member;
    let targets = member.instances.iter().flat_map(|instance| &instance.targets);
    let targets: Vec<String> = targets
        .map(|target| format!("{} {:?} {} {}", target.address, target.state, target.missed, target.good))
        .collect();
    format!("{interface}: {state:?} active={active} link={link:?} probing={probing:?} {targets:?}")
}

fn hears(address: IpAddr, probe: &Probe) -> bool {
    address == probe.target || (probe.target.is_multicast() && address.is_ipv6())
}

pub(super) fn route(interface: InterfaceIndex, gateway: IpAddr) -> Found {
    let destination = match gateway {
        IpAddr::V4(_) => IpNet::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0).unwrap(),
        IpAddr::V6(_) => IpNet::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), 0).unwrap(),
    };
    Found { table: 254, destination, metric: 0, protocol: 4, interface, gateway: Some(gateway) }
}

pub(super) fn address(prefix: IpNet) -> InterfaceAddress {
    let is_point = prefix.prefix_len() == prefix.max_prefix_len();
    InterfaceAddress {
        protocol: if is_point { 250 } else { 0 },
        scope: if is_point { 253 } else { 0 },
        no_prefix_route: is_point,
        ..InterfaceAddress::new(prefix)
    }
}

fn interface(place: usize, name: &str) -> Interface {
    let number = u8::try_from(place).unwrap();
    Interface {
        index: InterfaceIndex(u32::from(number) + 2),
        name: name.to_owned(),
        kind: InterfaceKind::Ethernet,
        up: true,
        carrier: true,
        master: None,
        mac: Some(MacAddress([2, 0, 0, 0, 0, number])),
        addresses: vec![
            address(IpNet::new(v4(1 + number), 24).unwrap()),
            address(IpNet::new(v4(11 + number), 32).unwrap()),
        ],
        history: crate::interface::LinkHistory::default(),
    }
}
