//! Probers: they ask hosts that run no faild, by exactly the interface and next hop that a probe names, whatever routes
//! and reverse path filters say; also without any route there.
//!
//! ```text
//!   Probe --> echo  -- next hop's MAC known? --> packet socket --> interface
//!               |           | no: it waits, and is asked for            |
//!               |           v                                           |
//!         --> neighbour (ARP, ND) ----------------------------------> interface
//!   Answer <-- the id that came back, or the address that was asked for <-- packet and ND sockets
//! ```
//!
//! [`Probers`] is used as [`super::Sockets`]: it is told which interfaces may be probed by ([`Probers::keep`]), sends
//! ([`Probers::send`]) and hands out what came back ([`Probers::next_answer`]). Sockets are made at the first probe and
//! closed when their interface goes or goes down. What bypasses the routing table bypasses the host's packet filter as
//! well: a firewall that forbids pings does not make gateways look dead.
//!
//! A probe that cannot be sent is a lost one. Everything is bounded: see the constants of each part.

mod counters;
mod echo;
mod hops;
mod neighbour;
mod prober;
mod send;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::net::{IpAddr, Ipv6Addr};

use log::{debug, info, trace};
use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};

pub use self::counters::ProbeCounters;
use self::hops::Hops;
use self::prober::{Prober, RESOLVING, Reading};
use super::Moment;
use super::key::{Key, Kind, Room};
use super::trouble::Troubles;
use crate::gather::Gather;
use crate::interface::{InterfaceIndex, MacAddress};
use crate::packet::Answer;
use crate::time::Instant;

/// An interface that may be probed by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProbeEndpoint {
    /// The interface.
    pub interface: InterfaceIndex,
    /// Its name, for the log.
    pub name: String,
    /// Its hardware address; without one its link has only one other end, and nobody there has one.
    pub mac: Option<MacAddress>,
    /// Its link-local address, which IPv6 next hops are asked from.
    pub link_local: Option<Ipv6Addr>,
}

/// See the module.
#[derive(Debug)]
pub struct Probers {
    registry: Registry,
    /// Whose echoes ours are, on this host.
    identifier: u16,
    endpoints: BTreeMap<InterfaceIndex, ProbeEndpoint>,
    /// All addresses of the host.
    own: BTreeSet<IpAddr>,
    open: BTreeMap<Key, Box<dyn Prober>>,
    /// As in [`super::Sockets`].
    readable: VecDeque<Key>,
    hops: Hops,
    troubles: Troubles,
    counters: ProbeCounters,
}

impl Probers {
    /// Tokens of ours have this bit, and not [`super::Sockets::FOREIGN`].
    pub(super) const OURS: usize = 1 << (usize::BITS - 2);

    /// Probers without sockets, to be polled by way of `registry`. `identifier`: a random number, so that two programs
    /// on a host do not wake each other.
    pub fn new(registry: Registry, identifier: u16) -> Self {
        Self {
            registry,
            identifier,
            endpoints: BTreeMap::new(),
            own: BTreeSet::new(),
            open: BTreeMap::new(),
            readable: VecDeque::new(),
            hops: Hops::default(),
            troubles: Troubles::default(),
            counters: ProbeCounters::default(),
        }
    }

    /// Probes may be sent by exactly these interfaces: what is open on others is closed. `own`: all addresses of the
    /// host, which are never asked and always asked from.
    pub fn keep(&mut self, wanted: &[ProbeEndpoint], own: impl Iterator<Item = IpAddr>) {
        let is_same = |one: &ProbeEndpoint, other: &ProbeEndpoint| {
            (one.interface, one.mac) == (other.interface, other.mac)
        };
        let gone = |have: &&ProbeEndpoint| !wanted.iter().any(|want| is_same(want, have));
        let gone: Vec<InterfaceIndex> = self.endpoints.values().filter(gone).map(|e| e.interface).collect();
        gone.into_iter().for_each(|interface| self.close(interface));
        for endpoint in wanted {
            self.endpoints.insert(endpoint.interface, endpoint.clone());
        }
        self.own = if wanted.is_empty() { BTreeSet::new() } else { own.gather() };
    }

    /// The poll said that there is something to read behind this token. Returns whether the token is one of ours.
    pub fn handle_readable(&mut self, token: Token) -> bool {
        let Some(key) = Key::of(token, Room::Probers) else { return false };
        if self.open.contains_key(&key) && !self.readable.contains(&key) {
            self.readable.push_back(key);
        }
        true
    }

    /// Whether something may be left to read, so that the next poll must not wait.
    pub fn is_readable(&self) -> bool {
        !self.readable.is_empty()
    }

    /// The next answer, the sockets taken in turn; `None` when all are empty, or after so many packets that were
    /// none.
    pub fn next_answer(&mut self, moment: Moment) -> Option<Answer> {
        for _ in 0..READINGS {
            let key = self.readable.pop_front()?;
            let Some(reading) = self.read(key, moment) else { continue };
            self.readable.push_back(key);
            self.counters.overflowed += u64::from(reading.overflowed);
            if let Some(answer) = self.take_in(moment.now, key, &reading) {
                return Some(answer);
            }
        }
        None
    }

    /// What has been done so far.
    pub fn counters(&self) -> ProbeCounters {
        self.counters
    }

    /// Sockets that are open.
    pub fn sockets(&self) -> usize {
        self.open.len()
    }

    fn open_socket(&mut self, key: Key) -> io::Result<()> {
        let endpoint = self.endpoints.get(&key.interface).ok_or(io::ErrorKind::NotConnected)?;
        let prober: Box<dyn Prober> = match key.kind {
            Kind::Echo(family) => Box::new(echo::Echo::open(key.interface, family, self.identifier)?),
            Kind::Neighbour(family) => {
                Box::new(neighbour::Neighbour::open(key.interface, family, endpoint.mac)?)
            }
            Kind::Udp(_) => return Err(io::ErrorKind::InvalidInput.into()),
        };
        let descriptor = prober.descriptor();
        self.registry.register(&mut SourceFd(&descriptor), key.token(Room::Probers), Interest::READABLE)?;
        self.open.insert(key, prober);
        if self.troubles.is_over(key) {
            info!("socket-opened {}", self.words(key));
        } else {
            debug!("socket-opened {}", self.words(key));
        }
        Ok(())
    }

    /// Closes the sockets of an interface and forgets who is there.
    fn close(&mut self, interface: InterfaceIndex) {
        self.endpoints.remove(&interface);
        for (_, prober) in self.open.extract_if(.., |key, _| key.interface == interface) {
            // As in `Sockets`: an error means that the kernel has forgotten it already.
            let _ = self.registry.deregister(&mut SourceFd(&prober.descriptor()));
        }
        self.readable.retain(|key| key.interface != interface);
        self.hops.forget(interface);
        self.troubles.forget(interface);
    }

    /// Reads one packet; `None` if the socket is empty, and has left the queue.
    fn read(&mut self, key: Key, moment: Moment) -> Option<Reading> {
        let nothing = Reading { heard: None, arrived: moment.now, overflowed: 0 };
        let mut buffer = [0; BUFFER];
        match self.open.get_mut(&key)?.next_answer(moment, &mut buffer) {
            Ok(reading) => Some(reading),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => None,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Some(nothing),
            // An error of the interface (ENETDOWN once after it went down); reading it clears it. One that stays is
            // not asked for again before the poll tells of something new.
            Err(error) => self.troubles.is_new(key, &format!("receive: {error}")).then(|| {
                debug!("receive-failed {} error=\"{error}\"", self.words(key));
                nothing
            }),
        }
    }

    /// What follows from a packet for the next hops; the answer that it is for the watch.
    fn take_in(&mut self, now: Instant, key: Key, reading: &Reading) -> Option<Answer> {
        let Some(heard) = reading.heard else {
            self.counters.strange += 1;
            return None;
        };
        if let Some(mac) = heard.mac {
            let waiting = self.hops.learn(now, key.interface, heard.hop, mac);
            waiting.iter().for_each(|probe| self.send(now, probe));
        } else {
            self.hops.on_answered(key.interface, heard.hop);
        }
        if heard.id == RESOLVING {
            return None;
        }
        self.counters.answered += 1;
        trace!("probe-answered {} from={}", self.words(key), heard.from);
        Some(Answer { id: heard.id, interface: key.interface, from: heard.from, arrived: reading.arrived })
    }

    fn words(&self, key: Key) -> String {
        let name = self.endpoints.get(&key.interface).map_or("?", |endpoint| endpoint.name.as_str());
        format!("interface={name} {}", key.kind)
    }
}

/// Space for one packet: an echo of ours has 64 bytes at most with options 104, an advertisement is not much longer.
const BUFFER: usize = 256;

/// Packets that are read for one answer: who floods us with replies that are none does not keep us from everything else.
const READINGS: u32 = 64;
