//! A few hosts on a few LANs: datagrams take 100 us, everything due is handled at its time.

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use super::super::*;
use crate::event::EventName;
use crate::interface::{Interface, InterfaceAddress, InterfaceIndex, InterfaceKind};
use crate::packet::{Datagram, Transmit};
use crate::wire::{self, Packet, Sealing};

const TRAVEL: Duration = Duration::from_micros(100);

/// Packets that the kernel keeps for a neighbour that does not answer ARP (Linux 6.18: 212992 bytes with overhead). When
/// more come, the oldest go.
const NEIGHBOUR_QUEUE: usize = 101;

pub(super) struct World {
    pub(super) now: Instant,
    pub(super) hosts: Vec<Host>,
    cuts: Vec<fn(usize, usize) -> bool>,
    losses: Vec<fn(&Sent) -> bool>,
    /// By LAN, while its neighbour queues are modelled: what could not be sent to each host by each.
    queues: BTreeMap<usize, BTreeMap<(usize, usize), VecDeque<Flight>>>,
    flying: BTreeMap<(Instant, u64), Flight>,
    /// What was sent on tapped LANs, whether it arrived or not.
    tapes: BTreeMap<usize, Vec<Flight>>,
    count: u64,
}

/// A datagram as a LAN that loses some kinds of them sees it.
pub(super) struct Sent {
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) kind: SentKind,
    pub(super) is_broadcast: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SentKind {
    Inquiry,
    Acknowledgement,
    Goodbye,
}

pub(super) struct Host {
    pub(super) engine: Option<Engine>,
    /// Its node id, also after its end.
    pub(super) node: NodeId,
    pub(super) interfaces: Vec<Interface>,
    pub(super) notices: Vec<(Instant, Notice)>,
    pub(super) memory: Memory,
    /// Its ARP requests, with their times, and whether they are answered.
    pub(super) solicited: Vec<(Instant, IpAddr)>,
    pub(super) arp: Arp,
    /// How long it was suspended: its clock stood still meanwhile.
    slept: Duration,
}

/// Which of a host's ARP requests are answered.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Arp {
    Never,
    Always,
    /// Those that pass, with their answers, where probes would.
    AsProbesPass,
}

#[derive(Debug, Clone)]
pub(super) struct Flight {
    pub(super) lan: usize,
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) source: IpAddr,
    pub(super) destination: IpAddr,
    pub(super) payload: Vec<u8>,
}

impl Flight {
    pub(super) fn sent(&self) -> Sent {
        let kind = match self.payload[3] {
            1 => SentKind::Inquiry,
            2 => SentKind::Acknowledgement,
            _ => SentKind::Goodbye,
        };
        let is_broadcast = self.destination == IpAddr::V4(Ipv4Addr::BROADCAST);
        Sent { from: self.from, to: self.to, kind, is_broadcast }
    }
}

pub(super) fn address(lan: usize, host: usize) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(10, 77, u8::try_from(lan).unwrap() + 1, u8::try_from(host).unwrap() + 1))
}

fn interface(lan: usize, host: usize) -> Interface {
    Interface {
        index: InterfaceIndex(u32::try_from(lan).unwrap() + 2),
        name: format!("lan{lan}"),
        kind: InterfaceKind::Ethernet,
        up: true,
        carrier: true,
        master: None,
        mac: None,
        addresses: vec![InterfaceAddress::new(ipnet::IpNet::new(address(lan, host), 24).unwrap())],
        history: crate::interface::LinkHistory::default(),
    }
}

fn config() -> Config {
    Config { requestor: true, ..Config::default() }
}

impl World {
    pub(super) fn new(hosts: usize, lans: usize) -> Self {
        Self::seeded(hosts, lans, 0)
    }

    /// The same with other random numbers for each seed.
    pub(super) fn seeded(hosts: usize, lans: usize, seed: u64) -> Self {
        let mut world = Self {
            now: Instant::from_nanos(1_000_000_000),
            hosts: Vec::new(),
            cuts: vec![|_, _| false; lans],
            losses: vec![|_| false; lans],
            queues: BTreeMap::new(),
            flying: BTreeMap::new(),
            tapes: BTreeMap::new(),
            count: seed,
        };
        for host in 0..hosts {
            let interfaces: Vec<_> = (0..lans).map(|lan| interface(lan, host)).collect();
            world.hosts.push(Host {
                engine: None,
                node: NodeId(0),
                interfaces,
                notices: Vec::new(),
                memory: Memory::default(),
                solicited: Vec::new(),
                arp: Arp::Never,
                slept: Duration::ZERO,
            });
            world.start(host, &config(), Memory::default());
        }
        world
    }

    pub(super) fn start(&mut self, host: usize, config: &Config, memory: Memory) {
        self.start_expecting(host, config, memory, &[]);
    }

    /// A start after a run that left these LANs in its journal.
    pub(super) fn start_expecting(&mut self, host: usize, config: &Config, memory: Memory, lans: &[usize]) {
        self.count += 1;
        let mut seed = [u8::try_from(host).unwrap(); 32];
        seed[0] = u8::try_from(self.count % 251).unwrap();
        let mut engine = Engine::new(config, memory, seed);
        let expected = lans.iter().map(|lan| interface(*lan, host)).map(|i| (i.name, i.addresses));
        engine.expect_lans(expected.collect());
        self.hosts[host].node = engine.node;
        self.hosts[host].engine = Some(engine);
        self.show_interfaces(host);
    }

    /// Other settings, as the daemon hands them in.
    pub(super) fn reload(&mut self, host: usize, config: &Config) {
        let now = self.clock(host);
        if let Some(engine) = &mut self.hosts[host].engine {
            engine.handle(now, Input::Config(config));
        }
        self.drain(host);
        self.show_interfaces(host);
    }

    pub(super) fn outcome(&mut self, host: usize, subject: &Subject, outcome: &Outcome) {
        let now = self.clock(host);
        if let Some(engine) = &mut self.hosts[host].engine {
            engine.handle(now, Input::Outcome(subject, outcome));
        }
        self.drain(host);
    }

    pub(super) fn plan(&self, host: usize) -> &Plan {
        self.hosts[host].engine.as_ref().unwrap().plan()
    }

    /// What the host wrote down last.
    pub(super) fn memory(&self, host: usize) -> Memory {
        self.hosts[host].memory.clone()
    }

    pub(super) fn forget_notices(&mut self) {
        self.hosts.iter_mut().for_each(|host| host.notices.clear());
    }

    /// What a host told of these events, and of nothing else.
    pub(super) fn told(&self, host: usize, events: &[EventName]) -> Vec<Notice> {
        self.told_since(host, 0, events)
    }

    /// The same, without what it had told before that many notices.
    pub(super) fn told_since(&self, host: usize, before: usize, events: &[EventName]) -> Vec<Notice> {
        let all = self.hosts[host].notices[before..].iter().map(|(_, notice)| notice);
        all.filter(|notice| events.contains(&notice.name())).cloned().collect()
    }

    /// Nobody tells of any of these events.
    pub(super) fn assert_quiet(&self, events: &[EventName]) {
        for host in 0..self.hosts.len() {
            assert_eq!(self.told(host, events), [], "host {host}{}", self.state(host));
        }
    }

    /// What a host would know after a reboot.
    pub(super) fn remembered(&self, host: usize) -> Memory {
        let engine = self.hosts[host].engine.as_ref().unwrap();
        Memory { node: Some(engine.node), lans: engine.indices.clone(), paths: Vec::new() }
    }

    pub(super) fn respond_only(&mut self, host: usize) {
        self.start(host, &Config::default(), Memory::default());
    }

    pub(super) fn stop(&mut self, host: usize) {
        let now = self.clock(host);
        if let Some(engine) = &mut self.hosts[host].engine {
            engine.handle(now, Input::Stop);
        }
        self.drain(host);
        self.kill(host);
    }

    pub(super) fn kill(&mut self, host: usize) {
        self.hosts[host].engine = None;
    }

    /// A host hears, does and knows nothing for a while, and its clock stands still.
    pub(super) fn suspend(&mut self, host: usize, time: Duration) {
        let engine = self.hosts[host].engine.take();
        self.run(time);
        self.hosts[host].engine = engine;
        self.hosts[host].slept += time;
    }

    pub(super) fn cut(&mut self, lan: usize, cut: fn(usize, usize) -> bool) {
        self.cuts[lan] = cut;
    }

    /// The LAN loses what this picks, on top of what is cut.
    pub(super) fn lose(&mut self, lan: usize, loss: fn(&Sent) -> bool) {
        self.losses[lan] = loss;
    }

    /// From here on ARP is not answered where a LAN is cut: each end keeps what it sends by unicast there.
    pub(super) fn queue(&mut self, lan: usize) {
        self.queues.insert(lan, BTreeMap::new());
    }

    /// ARP is answered: all that was kept arrives at one moment, in order.
    pub(super) fn flush(&mut self, lan: usize) {
        for kept in self.queues.remove(&lan).unwrap_or_default().into_values() {
            kept.iter().for_each(|flight| self.deliver(flight));
        }
    }

    /// Sends what a test has made an engine say.
    pub(super) fn wake(&mut self, host: usize) {
        self.drain(host);
    }

    /// Somebody records what is sent on a LAN.
    pub(super) fn tap(&mut self, lan: usize) {
        self.tapes.insert(lan, Vec::new());
    }

    /// What was recorded so far.
    pub(super) fn tape(&self, lan: usize) -> &[Flight] {
        &self.tapes[&lan]
    }

    /// A recorded datagram comes again.
    pub(super) fn replay(&mut self, flight: &Flight) {
        self.deliver(flight);
    }

    pub(super) fn engine(&self, host: usize) -> &Engine {
        self.hosts[host].engine.as_ref().unwrap()
    }

    /// How many datagrams a host dropped for this reason.
    pub(super) fn dropped(&self, host: usize, reason: Dropped) -> u64 {
        self.engine(host).counters.dropped.get(&reason).copied().unwrap_or_default()
    }

    /// When the newest INQ was sent that a host had answered on a LAN by another.
    pub(super) fn proof(&self, host: usize, lan: usize, peer: usize) -> Option<Instant> {
        let node = self.engine(peer).node;
        let known = self.engine(host).peers.get(&node)?;
        let here = address(lan, peer);
        let paths = known.paths.values().filter(|path| path.addresses.contains(&here));
        paths.filter_map(|path| path.proof).max().map(|proof| proof + self.hosts[host].slept)
    }

    pub(super) fn is_absent(&self, host: usize, peer: usize) -> bool {
        let node = self.hosts[peer].node;
        self.engine(host).peers.get(&node).is_none_or(|peer| peer.absent)
    }

    pub(super) fn set_carrier(&mut self, host: usize, lan: usize, carrier: bool) {
        self.hosts[host].interfaces[lan].carrier = carrier;
        self.show_interfaces(host);
    }

    /// The administrator of a host wants these interfaces drained, and no others.
    pub(super) fn set_offline(&mut self, host: usize, interfaces: &[&str]) {
        let interfaces = interfaces.iter().map(|name| (*name).to_owned()).collect();
        self.tell(host, Input::Offline(&interfaces));
    }

    /// A host finds an overlay in its kernel, or that it has gone.
    pub(super) fn find_overlay(&mut self, host: usize, address: IpAddr, way: Option<&NextHop>) {
        self.tell(host, Input::Adopted { address, way });
    }

    fn tell(&mut self, host: usize, input: Input<'_>) {
        let now = self.clock(host);
        if let Some(engine) = &mut self.hosts[host].engine {
            engine.handle(now, input);
        }
        self.drain(host);
    }

    /// An interface appears where no other host is.
    pub(super) fn plug(&mut self, host: usize, lan: usize) {
        self.cuts.resize(self.cuts.len().max(lan + 1), |_, _| true);
        self.losses.resize(self.cuts.len(), |_| false);
        self.hosts[host].interfaces.push(interface(lan, host));
        self.show_interfaces(host);
    }

    /// `ip link set`.
    pub(super) fn set_up(&mut self, host: usize, lan: usize, up: bool) {
        self.hosts[host].interfaces[lan].up = up;
        self.show_interfaces(host);
    }

    /// An interface is deleted.
    pub(super) fn unplug(&mut self, host: usize, lan: usize) {
        let name = format!("lan{lan}");
        self.hosts[host].interfaces.retain(|i| i.name != name);
        self.show_interfaces(host);
    }

    pub(super) fn set_prefix(&mut self, host: usize, lan: usize, length: u8) {
        let prefix = ipnet::IpNet::new(address(lan, host), length).unwrap();
        self.hosts[host].interfaces[lan].addresses[0].prefix = prefix;
        self.show_interfaces(host);
    }

    /// `ip addr add`, with the prefix of the LAN.
    pub(super) fn add_address(&mut self, host: usize, lan: usize, added: IpAddr) {
        let first = interface(lan, host).addresses[0].clone();
        let prefix = ipnet::IpNet::new(added, 24).unwrap();
        self.hosts[host].interfaces[lan].addresses.push(InterfaceAddress { prefix, ..first });
        self.show_interfaces(host);
    }

    /// `ip addr del`.
    pub(super) fn remove_address(&mut self, host: usize, lan: usize, removed: IpAddr) {
        self.hosts[host].interfaces[lan].addresses.retain(|a| a.address() != removed);
        self.show_interfaces(host);
    }

    pub(super) fn rename(&mut self, host: usize, lan: usize, name: &str) {
        name.clone_into(&mut self.hosts[host].interfaces[lan].name);
        self.show_interfaces(host);
    }

    fn show_interfaces(&mut self, host: usize) {
        let interfaces = self.hosts[host].interfaces.clone();
        let now = self.clock(host);
        if let Some(engine) = &mut self.hosts[host].engine {
            engine.handle(now, Input::Interfaces(&interfaces));
        }
        self.drain(host);
    }

    pub(super) fn verdict(&self, host: usize, lan: usize, peer: usize) -> Option<Verdict> {
        let subject = Subject { home: format!("lan{lan}").into(), address: address(lan, peer) };
        self.hosts[host].engine.as_ref()?.plan().subjects.get(&subject).cloned()
    }

    pub(super) fn state(&self, host: usize) -> String {
        let host = &self.hosts[host];
        let notices: String = host.notices.iter().map(|(at, n)| format!("{at} {n}\n")).collect();
        format!(
            "\n{notices}{}",
            host.engine.as_ref().map(|e| e.snapshot(self.now).to_string()).unwrap_or_default()
        )
    }

    pub(super) fn run(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(at) = self.next().filter(|at| *at <= end) {
            self.now = at.max(self.now);
            if self.flying.first_key_value().is_some_and(|((due, _), _)| *due <= self.now) {
                let (_, flight) = self.flying.pop_first().unwrap();
                self.deliver(&flight);
                continue;
            }
            for host in 0..self.hosts.len() {
                let now = self.clock(host);
                let Some(engine) = &mut self.hosts[host].engine else { continue };
                if engine.deadline().is_some_and(|(due, _)| due <= now) {
                    engine.handle(now, Input::DeadlinePassed);
                    self.drain(host);
                }
            }
        }
        self.now = end;
    }

    /// Hands a host a datagram from another's address on a LAN, whoever made it.
    pub(super) fn forge(&mut self, to: usize, lan: usize, from: usize, packet: &Packet) {
        let (source, destination) = (address(lan, from), address(lan, to));
        let payload = wire::encode(packet, &Sealing::new(&Keys::default(), source, destination));
        self.deliver(&Flight { lan, from, to, source, destination, payload });
    }

    fn clock(&self, host: usize) -> Instant {
        self.now - self.hosts[host].slept
    }

    fn next(&self) -> Option<Instant> {
        let engines = self.hosts.iter().filter_map(|h| Some(h.engine.as_ref()?.deadline()?.0 + h.slept));
        engines.chain(self.flying.keys().map(|(due, _)| *due)).min()
    }

    fn deliver(&mut self, flight: &Flight) {
        let now = self.clock(flight.to);
        let host = &mut self.hosts[flight.to];
        let interface = &host.interfaces[flight.lan];
        if !interface.carrier {
            return;
        }
        let datagram = Datagram {
            interface: interface.index,
            source: flight.source,
            destination: flight.destination,
            hop_limit: 255,
            arrived: now,
            payload: &flight.payload,
        };
        let Some(engine) = &mut host.engine else { return };
        engine.handle(now, Input::Datagram(datagram));
        self.drain(flight.to);
    }

    fn drain(&mut self, from: usize) {
        while let Some(output) = self.hosts[from].engine.as_mut().and_then(Engine::next_output) {
            match output {
                Output::Send(transmit) => self.send(from, &transmit),
                Output::Notice(notice) => {
                    let at = self.now;
                    self.hosts[from].notices.push((at, notice));
                }
                Output::Remember(memory) => self.hosts[from].memory = memory,
                Output::Solicit { interface, target, .. } => self.solicit(from, interface, target),
                Output::QueryLinks | Output::PlanChanged => {}
            }
        }
    }

    fn solicit(&mut self, from: usize, interface: InterfaceIndex, address: IpAddr) {
        let now = self.clock(from);
        let lan = usize::try_from(interface.0).unwrap() - 2;
        let passes = |to: usize| !(self.cuts[lan])(from, to) && !(self.cuts[lan])(to, from);
        let mut owners = (0..self.hosts.len()).filter(|to| self::address(lan, *to) == address);
        let passes = owners.any(passes);
        let host = &mut self.hosts[from];
        host.solicited.push((self.now, address));
        let is_answered = match host.arp {
            Arp::Never => false,
            Arp::Always => true,
            Arp::AsProbesPass => passes,
        };
        if let Some(engine) = host.engine.as_mut().filter(|_| is_answered) {
            engine.handle(now, Input::NeighbourAnswered { interface, address });
        }
    }

    fn send(&mut self, from: usize, transmit: &Transmit) {
        let lan = usize::try_from(transmit.interface.0).unwrap() - 2;
        for to in 0..self.hosts.len() {
            let is_for = transmit.destination == IpAddr::V4(Ipv4Addr::BROADCAST)
                || self.hosts[to]
                    .interfaces
                    .get(lan)
                    .is_some_and(|i| i.addresses.iter().any(|a| a.address() == transmit.destination));
            let has_carrier = self.hosts[from].interfaces.get(lan).is_none_or(|i| i.carrier);
            if to == from || !is_for || !has_carrier {
                continue;
            }
            let flight = Flight {
                lan,
                from,
                to,
                source: transmit.source,
                destination: transmit.destination,
                payload: transmit.payload.clone(),
            };
            if let Some(tape) = self.tapes.get_mut(&lan) {
                tape.push(flight.clone());
            }
            let sent = flight.sent();
            if (self.cuts[lan])(from, to) {
                self.keep(flight);
            } else if !(self.losses[lan])(&sent) {
                self.count += 1;
                self.flying.insert((self.now + TRAVEL, self.count), flight);
            }
        }
    }

    fn keep(&mut self, flight: Flight) {
        let Some(queues) = self.queues.get_mut(&flight.lan).filter(|_| !flight.sent().is_broadcast) else {
            return;
        };
        let queue = queues.entry((flight.from, flight.to)).or_default();
        if queue.len() == NEIGHBOUR_QUEUE {
            queue.pop_front();
        }
        queue.push_back(flight);
    }
}

/// All that is told of paths.
pub(super) const OF_PATHS: &[EventName] =
    &[EventName::PathFound, EventName::PathUp, EventName::PathDown, EventName::PathUnknown];

/// All that is told of whether there is a peer, and which.
pub(super) const OF_PEERS: &[EventName] = &[
    EventName::PeerUp,
    EventName::PeerDown,
    EventName::PeerRestarted,
    EventName::PeerExpired,
    EventName::DuplicateNodeId,
];
