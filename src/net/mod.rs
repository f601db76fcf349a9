//! Sockets: one set for each LAN, all bound to its interface, and nothing that decides.
//!
//! [`Sockets`] is told which LANs there are ([`Sockets::keep`]), hands out what arrived as inputs of the engine
//! ([`Sockets::next_arrival`]) and sends what the engine wants sent. UDP sockets are open as long as their LAN is; those
//! for ARP and neighbour discovery are made at the first request. A socket holds the number of its interface for good
//! (Linux 6.18: after the interface is made again the socket is deaf, sends end with ENODEV and no poll error tells),
//! so sockets are closed when their interface goes or goes down and made again when it is back.
//!
//! [`Probers`] does the same for hosts that run no faild: it sends the watch's probes and hands out the answers.
//!
//! What fails here is told once and tried again by the next `keep`. A datagram that could not be sent is a lost one:
//! the engine notices by the answer that does not come.

mod arp;
mod datagram;
mod key;
#[cfg(test)]
mod lab;
mod link_address;
mod neighbour;
mod packet;
mod probe;
mod probers;
mod trouble;

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv6Addr};
use std::os::fd::{AsRawFd, RawFd};
use std::time::Duration;

use log::{debug, info, trace, warn};
use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};
use nix::libc;

pub use self::probers::{ProbeCounters, ProbeEndpoint, Probers};

use self::key::{Key, Kind, Room};
use self::trouble::Troubles;
use crate::interface::{Family, InterfaceIndex, MacAddress};
use crate::packet::{Arrival, Transmit};
use crate::time::Instant;

/// A LAN whose sockets shall be open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Its interface.
    pub interface: InterfaceIndex,
    /// The interface's name, for the log.
    pub name: String,
    /// The interface's hardware address; without one no ARP requests can be sent.
    pub mac: Option<MacAddress>,
    /// Open an IPv4 socket.
    pub ipv4: bool,
    /// Open an IPv6 socket.
    pub ipv6: bool,
    /// The group that IPv6 INQs go to; joined unless it is ff02::1, to which every host belongs.
    pub multicast_group: Ipv6Addr,
}

/// The clocks, read together once for each wake-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// The monotonic clock.
    pub now: Instant,
    /// CLOCK_REALTIME since 1970, which the kernel stamps datagrams with.
    pub realtime: Duration,
}

impl Moment {
    /// When a datagram that the kernel stamped with `stamp` came in, on the monotonic clock. A step of the wall clock
    /// between the two cannot push it into the future, nor further back than [`OLDEST`].
    fn arrival(&self, stamp: Duration) -> Instant {
        self.now - self.realtime.saturating_sub(stamp).min(OLDEST)
    }
}

/// What the sockets have done so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counters {
    /// Datagrams received on the probe port.
    pub received: u64,
    /// Datagrams sent.
    pub sent: u64,
    /// Datagrams that the kernel refused to send.
    pub refused: u64,
    /// Datagrams lost because our receive queue was full.
    pub overflowed: u64,
    /// ARP requests and neighbour solicitations sent.
    pub solicited: u64,
    /// Answers to those.
    pub solicitations_answered: u64,
}

impl fmt::Display for Counters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "received={} sent={} refused={} overflowed={} solicited={} answered={}",
            self.received,
            self.sent,
            self.refused,
            self.overflowed,
            self.solicited,
            self.solicitations_answered
        )
    }
}

/// All sockets of all LANs.
#[derive(Debug)]
pub struct Sockets {
    registry: Registry,
    port: u16,
    endpoints: BTreeMap<InterfaceIndex, Endpoint>,
    open: BTreeMap<Key, Socket>,
    /// Sockets that may have something left to read, in turn. Polling is edge-triggered: who leaves this queue before
    /// the kernel said EAGAIN is never heard of again.
    readable: VecDeque<Key>,
    troubles: Troubles,
    buffer: Box<[u8; BUFFER]>,
    overflow: Option<InterfaceIndex>,
    counters: Counters,
}

impl Sockets {
    /// Tokens with this bit are not ours: for the other sources of the same poll.
    pub const FOREIGN: usize = 1 << (usize::BITS - 1);

    /// Sockets for UDP port `port`, none open yet, to be polled by way of `registry`.
    pub fn new(registry: Registry, port: u16) -> Self {
        Self {
            registry,
            port,
            endpoints: BTreeMap::new(),
            open: BTreeMap::new(),
            readable: VecDeque::new(),
            troubles: Troubles::default(),
            buffer: Box::new([0; BUFFER]),
            overflow: None,
            counters: Counters::default(),
        }
    }

    /// Has the sockets of exactly these LANs open: closes others, opens what is missing, leaves the rest alone.
    /// Returns whether all are open; if not, try again later.
    pub fn keep(&mut self, wanted: &[Endpoint]) -> bool {
        self.close_unless(wanted);
        for endpoint in wanted {
            self.endpoints.insert(endpoint.interface, endpoint.clone());
        }
        let missing = wanted.iter().flat_map(udp_keys).filter(|key| !self.is_open_or_opens(*key)).count();
        missing == 0
    }

    /// Uses another UDP port from here on: what is open is closed, and `keep` opens it there.
    pub fn set_port(&mut self, port: u16) {
        if std::mem::replace(&mut self.port, port) != port {
            self.close_unless(&[]);
        }
    }

    /// Closes the sockets of an interface, for instance because it went down; `keep` opens them again.
    pub fn close(&mut self, interface: InterfaceIndex) {
        self.endpoints.remove(&interface);
        let keys: Vec<Key> = self.open.keys().filter(|key| key.interface == interface).copied().collect();
        for key in keys {
            self.close_socket(key);
        }
        self.troubles.forget(interface);
    }

    /// The poll said that there is something to read behind this token. Returns whether the token is one of ours.
    pub fn handle_readable(&mut self, token: Token) -> bool {
        let Some(key) = Key::of(token, Room::Sockets) else { return false };
        if self.open.contains_key(&key) && !self.readable.contains(&key) {
            self.readable.push_back(key);
        }
        true
    }

    /// Whether something may be left to read, so that the next poll must not wait.
    pub fn is_readable(&self) -> bool {
        !self.readable.is_empty() || self.overflow.is_some()
    }

    /// The next thing that came in, the sockets taken in turn; `None` when all are empty.
    pub fn next_arrival(&mut self, moment: Moment) -> Option<Arrival<'_>> {
        if let Some(interface) = self.overflow.take() {
            return Some(Arrival::Overflow(interface));
        }
        while let Some(key) = self.readable.pop_front() {
            match self.receive(key) {
                Received::Nothing => {}
                Received::Irrelevant => self.readable.push_back(key),
                Received::Neighbour(address) => {
                    self.readable.push_back(key);
                    return Some(Arrival::NeighbourAnswered { interface: key.interface, address });
                }
                Received::Datagram(arrival) => {
                    self.readable.push_back(key);
                    let (from, to) = (arrival.source, arrival.destination);
                    trace!(
                        "packet-received {} from={from} to={to} bytes={}",
                        self.words(key),
                        arrival.length
                    );
                    return Some(Arrival::Datagram(self.datagram(key.interface, &arrival, moment)));
                }
            }
        }
        None
    }

    /// Sends a datagram by its interface. A failure is counted, told once and otherwise a loss like any other.
    pub fn send(&mut self, transmit: &Transmit) {
        let key = Key::udp(transmit.interface, Family::of(&transmit.destination));
        let result = match self.open.get(&key) {
            Some(Socket::Udp(probe)) => probe.send(transmit),
            _ => Err(io::ErrorKind::NotConnected.into()),
        };
        match result {
            Ok(()) => {
                self.counters.sent += 1;
                let (from, to) = (transmit.source, transmit.destination);
                trace!(
                    "packet-sent {} from={from} to={to} bytes={}",
                    self.words(key),
                    transmit.payload.len()
                );
            }
            Err(error) => self.on_send_failed(key, &transmit.destination, &error),
        }
    }

    /// Asks by ARP or neighbour solicitation who has `target`. The answer comes by [`Sockets::next_arrival`].
    pub fn solicit(&mut self, interface: InterfaceIndex, source: IpAddr, target: IpAddr) {
        let key = Key::neighbour(interface, Family::of(&target));
        if !self.is_open_or_opens(key) {
            return;
        }
        let result = match (self.open.get(&key), source, target) {
            (Some(Socket::Arp(arp)), IpAddr::V4(source), IpAddr::V4(target)) => arp.request(source, target),
            (Some(Socket::Neighbour(nd)), IpAddr::V6(source), IpAddr::V6(target)) => {
                nd.solicit(source, target)
            }
            _ => Err(io::ErrorKind::InvalidInput.into()),
        };
        match result {
            Ok(()) => self.counters.solicited += 1,
            Err(error) => self.on_send_failed(key, &target, &error),
        }
    }

    /// What has been done so far.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    fn close_unless(&mut self, wanted: &[Endpoint]) {
        let gone: Vec<InterfaceIndex> = self
            .endpoints
            .values()
            .filter(|have| !wanted.contains(have))
            .map(|have| have.interface)
            .collect();
        for interface in gone {
            self.close(interface);
        }
    }

    fn close_socket(&mut self, key: Key) {
        let Some(socket) = self.open.remove(&key) else { return };
        // An error means that the kernel has forgotten the socket already; closing it ends the matter either way.
        let _ = self.registry.deregister(&mut SourceFd(&socket.as_raw_fd()));
        self.readable.retain(|other| *other != key);
    }

    fn is_open_or_opens(&mut self, key: Key) -> bool {
        if self.open.contains_key(&key) {
            return true;
        }
        match self.open_socket(key) {
            Ok(()) => self.on_opened(key),
            Err(error) => self.on_open_failed(key, &error),
        }
        self.open.contains_key(&key)
    }

    fn open_socket(&mut self, key: Key) -> io::Result<()> {
        let endpoint = self.endpoints.get(&key.interface).ok_or(io::ErrorKind::NotFound)?;
        let socket = match key.kind {
            Kind::Udp(family) => Socket::Udp(probe::Probe::open(endpoint, family, self.port)?),
            Kind::Neighbour(Family::V4) => Socket::Arp(arp::Arp::open(key.interface, endpoint.mac)?),
            Kind::Neighbour(Family::V6) => {
                Socket::Neighbour(neighbour::Neighbour::open(key.interface, endpoint.mac)?)
            }
            Kind::Echo(_) => return Err(io::ErrorKind::InvalidInput.into()),
        };
        self.registry.register(
            &mut SourceFd(&socket.as_raw_fd()),
            key.token(Room::Sockets),
            Interest::READABLE,
        )?;
        self.open.insert(key, socket);
        Ok(())
    }

    fn receive(&mut self, key: Key) -> Received {
        let Some(socket) = self.open.get_mut(&key) else { return Received::Nothing };
        let result = match socket {
            Socket::Udp(probe) => probe.receive(&mut self.buffer[..]).map(Received::Datagram),
            Socket::Arp(arp) => arp.receive(&mut self.buffer[..]).map(Received::from),
            Socket::Neighbour(nd) => nd.receive(&mut self.buffer[..]).map(Received::from),
        };
        match result {
            Ok(received) => self.count(key, received),
            Err(error) => self.on_receive_failed(key, &error),
        }
    }

    fn count(&mut self, key: Key, received: Received) -> Received {
        match &received {
            Received::Datagram(arrival) => {
                self.counters.received += 1;
                self.counters.overflowed += u64::from(arrival.overflowed);
                self.overflow = (arrival.overflowed > 0).then_some(key.interface);
            }
            Received::Neighbour(_) => self.counters.solicitations_answered += 1,
            Received::Nothing | Received::Irrelevant => {}
        }
        received
    }

    /// Errors of a receive are those of the interface (ENETDOWN once after it went down). Reading them clears them, so
    /// the socket stays in the queue until it says EAGAIN.
    fn on_receive_failed(&mut self, key: Key, error: &io::Error) -> Received {
        if error.kind() == io::ErrorKind::WouldBlock {
            return Received::Nothing;
        }
        if error.kind() != io::ErrorKind::Interrupted {
            debug!("receive-failed {} error=\"{error}\"", self.words(key));
            if !self.troubles.is_new(key, &format!("receive: {error}")) {
                return Received::Nothing;
            }
        }
        Received::Irrelevant
    }

    fn datagram(
        &self,
        interface: InterfaceIndex,
        arrival: &datagram::Arrival,
        moment: Moment,
    ) -> crate::packet::Datagram<'_> {
        crate::packet::Datagram {
            interface,
            source: arrival.source,
            destination: arrival.destination,
            hop_limit: arrival.hop_limit,
            arrived: arrival.stamp.map_or(moment.now, |stamp| moment.arrival(stamp)),
            payload: self.buffer.get(..arrival.length).unwrap_or_default(),
        }
    }

    fn on_opened(&mut self, key: Key) {
        if self.troubles.is_over(key) {
            info!("socket-opened {}", self.words(key));
        } else {
            debug!("socket-opened {}", self.words(key));
        }
    }

    fn on_open_failed(&mut self, key: Key, error: &io::Error) {
        if !self.troubles.is_new(key, &format!("open: {error}")) {
            return;
        }
        match (error.raw_os_error(), key.kind) {
            // The kernel was built or booted without IPv6: nothing to mend, and nothing is missed.
            (Some(libc::EAFNOSUPPORT), _) => debug!("socket-failed {} error=\"{error}\"", self.words(key)),
            (Some(libc::EADDRINUSE), _) => warn!(
                "socket-failed {} fix=\"stop that program, or choose another port on all hosts (-p)\" error=\"port {} is in use by another program\"",
                self.words(key),
                self.port
            ),
            _ => warn!("socket-failed {} error=\"{error}\" will-retry=yes", self.words(key)),
        }
    }

    /// Told at debug: the engine tells what follows from it, and an interface that is down refuses every datagram.
    fn on_send_failed(&mut self, key: Key, destination: &IpAddr, error: &io::Error) {
        self.counters.refused += 1;
        if self.troubles.is_new(key, &format!("send: {error}")) {
            debug!("send-failed {} destination={destination} error=\"{error}\"", self.words(key));
        }
    }

    fn words(&self, key: Key) -> String {
        let name = self.endpoints.get(&key.interface).map_or("?", |endpoint| endpoint.name.as_str());
        format!("interface={name} {}", key.kind)
    }
}

/// The UDP sockets that a LAN needs.
fn udp_keys(endpoint: &Endpoint) -> impl Iterator<Item = Key> {
    let v4 = endpoint.ipv4.then_some(Family::V4);
    let v6 = endpoint.ipv6.then_some(Family::V6);
    let interface = endpoint.interface;
    v4.into_iter().chain(v6).map(move |family| Key::udp(interface, family))
}

#[derive(Debug)]
enum Socket {
    Udp(probe::Probe),
    Arp(arp::Arp),
    Neighbour(neighbour::Neighbour),
}

impl AsRawFd for Socket {
    fn as_raw_fd(&self) -> RawFd {
        match self {
            Socket::Udp(probe) => probe.as_raw_fd(),
            Socket::Arp(arp) => arp.as_raw_fd(),
            Socket::Neighbour(nd) => nd.as_raw_fd(),
        }
    }
}

/// What one attempt to read a socket gave.
enum Received {
    Datagram(datagram::Arrival),
    Neighbour(IpAddr),
    /// Something that is nobody's business; there may be more.
    Irrelevant,
    /// The socket is empty.
    Nothing,
}

impl From<Option<Answerer>> for Received {
    fn from(answer: Option<Answerer>) -> Self {
        answer.map_or(Received::Irrelevant, |answerer| Received::Neighbour(answerer.address))
    }
}

/// Who answered an ARP request or a neighbour solicitation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Answerer {
    /// Whose address it is.
    address: IpAddr,
    /// Where it is, if that was said.
    mac: Option<MacAddress>,
    /// CLOCK_REALTIME since 1970 when the kernel received it.
    stamp: Option<Duration>,
}

/// Space for one datagram. Longer than any of the protocol's (1,200 bytes), so that one that is too long is seen to be.
const BUFFER: usize = 2048;

/// A datagram that waited longer than this for us is as old as this: after such a stall the engine starts anew anyway.
const OLDEST: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests;
