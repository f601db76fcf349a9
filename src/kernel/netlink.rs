//! The socket of commands: listings, link queries and batches of changes.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::IpAddr;

use log::{debug, warn};
use nix::libc;
use rtnetlink::packet_core::NLM_F_DUMP;

use super::attributes::Malformed;
use super::listing::Listing;
use super::message::{self, ERROR, Header, Messages, Request, refusal};
use super::route::Filter;
use super::socket::Socket;
use super::{Error, Hop, Kernel, LinkState, address, link, lookup, neighbour, route};
use crate::gather::Gather;
use crate::interface::{Family, Interface, InterfaceIndex, MacAddress, is_link_local};
use crate::operation::{Operation, Refusal};
use crate::route::{PROTOCOL, Route, RouteKey, RouteType};

/// The kernel, by netlink, in the network namespace of the thread that opened it.
#[derive(Debug)]
pub struct Netlink {
    socket: Socket,
    receive_buffer: usize,
    sequence: u32,
    malformed: u64,
}

impl Netlink {
    /// Opens the socket with a receive buffer of `receive_buffer` bytes; [`RECEIVE_BUFFER`] is right but for tests.
    ///
    /// # Errors
    /// [`Error::Open`].
    pub fn open(receive_buffer: usize) -> Result<Self, Error> {
        let socket = Socket::for_commands(0, receive_buffer).map_err(Error::Open)?;
        Ok(Self { socket, receive_buffer, sequence: 0, malformed: 0 })
    }

    /// The number by which notifications tell who caused a change: it stays the same as long as this lives.
    pub fn port(&self) -> u32 {
        self.socket.port()
    }

    /// How many messages of the kernel could not be read and were left out of listings.
    pub fn malformed(&self) -> u64 {
        self.malformed
    }

    /// A listing, repeated while it changes under our hands.
    fn list<T>(
        &mut self,
        what: &'static str,
        request: &Request,
        read: impl Fn(&[u8]) -> Result<Option<T>, Malformed>,
    ) -> Result<Vec<T>, Error> {
        for _ in 0..ATTEMPTS {
            if let Some(list) = self.list_once(what, request, &read)? {
                return Ok(list);
            }
        }
        Err(Error::Unstable { what, attempts: ATTEMPTS })
    }

    /// `None`: it changed while it was read.
    fn list_once<T>(
        &mut self,
        what: &'static str,
        request: &Request,
        read: impl Fn(&[u8]) -> Result<Option<T>, Malformed>,
    ) -> Result<Option<Vec<T>>, Error> {
        let sequence = self.number(1);
        let datagram = message::batch(std::slice::from_ref(request), sequence);
        self.socket.send(&datagram).map_err(|source| Error::Send { what, source })?;
        let mut listing = Listing::new(self.port(), sequence);
        while listing.end.is_none() {
            match self.socket.receive() {
                Ok(datagram) => listing.take(datagram, &read),
                Err(source) => {
                    self.reopen()?;
                    return Err(Error::Receive { what, source });
                }
            }
        }
        self.count_malformed(what, listing.malformed);
        match listing.end {
            Some(Err(source)) => Err(Error::Refused { what, source }),
            Some(Ok(())) | None => Ok((!listing.is_interrupted).then_some(listing.entries)),
        }
    }

    /// Routes as the filter says; a table or family that does not exist has none.
    fn list_routes(&mut self, filter: Filter) -> Result<Vec<Route>, Error> {
        let read = |body: &[u8]| route::read(body).map(|found| found.filter(|route| filter.admits(route)));
        match self.list("routes", &filter.request(), read) {
            Err(Error::Refused { source, .. }) if NOTHING_THERE.contains(&source.errno) => Ok(Vec::new()),
            other => other,
        }
    }

    /// The routes of one family in one table over any of the interfaces, and those that refuse packets: a few listings
    /// that the kernel filters, so that a full table of a routing daemon costs little.
    fn table_routes_over(
        &mut self,
        family: Family,
        table: u32,
        interfaces: &[InterfaceIndex],
    ) -> Result<Vec<Route>, Error> {
        let all = Filter { family, table: Some(table), kind: None, protocol: None, interface: None };
        let mut routes = Vec::new();
        let is_v6 = family == Family::V6;
        let is_filed = |kind| is_v6 && matches!(kind, RouteType::Other(_)) && kind != RouteType::LOCAL;
        let is_here = |kind| kind == RouteType::Unicast || is_filed(kind);
        for (position, interface) in interfaces.iter().enumerate() {
            let mut found = self.list_routes(Filter { interface: Some(*interface), ..all })?;
            // A multipath route comes once for each of its interfaces: the first one's listing has it.
            found.retain(|route| is_here(route.kind) && !uses(route, &interfaces[..position]));
            routes.append(&mut found);
        }
        match family {
            Family::V4 => {
                for kind in REFUSING {
                    routes.append(&mut self.list_routes(Filter { kind: Some(kind), ..all })?);
                }
            }
            Family::V6 => {
                let mut found = self.list_routes(Filter { interface: Some(LOOPBACK), ..all })?;
                found.retain(|route| REFUSING.contains(&route.kind) && route.kind != RouteType::LOCAL);
                routes.append(&mut found);
                routes.append(&mut self.list_routes(Filter { kind: Some(RouteType::LOCAL), ..all })?);
            }
        }
        let shared = shared_keys(&routes);
        if !shared.is_empty() {
            // Only a listing of all tells in which order the kernel tries equal keys of different interfaces.
            let every = self.list_routes(all)?.into_iter();
            routes.retain(|route| !shared.contains(&route.key));
            let is_wanted = |route: &Route| REFUSING.contains(&route.kind) || uses(route, interfaces);
            routes.extend(every.filter(|route| shared.contains(&route.key) && is_wanted(route)));
        }
        Ok(routes)
    }

    /// Sends requests and collects what became of each; `reply` sees what else the kernel sends, with the position of
    /// the request.
    fn exchange(
        &mut self,
        requests: &[Request],
        mut reply: impl FnMut(usize, &Header, &[u8]),
    ) -> Vec<Result<(), Refusal>> {
        let mut answers = Vec::with_capacity(requests.len());
        while answers.len() < requests.len() {
            let start = answers.len();
            let left = &requests[start..];
            let batch = &left[..message::batch_size(left)];
            answers.extend(self.exchange_batch(batch, |at, header, body| reply(start + at, header, body)));
        }
        answers
    }

    /// As [`Self::exchange`], in one datagram.
    fn exchange_batch(
        &mut self,
        requests: &[Request],
        mut reply: impl FnMut(usize, &Header, &[u8]),
    ) -> Vec<Result<(), Refusal>> {
        let Some(last) = requests.len().checked_sub(1) else { return Vec::new() };
        let first = self.number(requests.len());
        if let Err(error) = self.socket.send(&message::batch(requests, first)) {
            return vec![Err(refusal(error.raw_os_error().unwrap_or(libc::EIO))); requests.len()];
        }
        let mut answers: Vec<Option<Result<(), Refusal>>> = vec![None; requests.len()];
        let port = self.port();
        while answers[last].is_none() {
            let datagram = match self.socket.receive() {
                Ok(datagram) => datagram,
                Err(error) => return self.unknown(answers, &error),
            };
            for (header, body) in Messages(datagram).filter(|(header, _)| header.port == port) {
                // Numbers of earlier requests are far behind: they wrap to positions that do not exist.
                let position = usize::try_from(header.sequence.wrapping_sub(first)).unwrap_or(usize::MAX);
                match answers.get_mut(position) {
                    Some(answer) if header.kind == ERROR => *answer = Some(message::answer(&header, body)),
                    Some(_) => reply(position, &header, body),
                    None => {}
                }
            }
        }
        answers.into_iter().map(|answer| answer.unwrap_or(Ok(()))).collect()
    }

    /// The answers that came, and for all others that nobody knows: an answer was lost, and without the fence silence
    /// does not mean success.
    fn unknown(
        &mut self,
        answers: Vec<Option<Result<(), Refusal>>>,
        error: &io::Error,
    ) -> Vec<Result<(), Refusal>> {
        let lost = Refusal {
            errno: if error.kind() == io::ErrorKind::WouldBlock { libc::ETIMEDOUT } else { libc::ENOBUFS },
            text: format!("outcome unknown, the kernel's answer was lost: {error}"),
        };
        if let Err(error) = self.reopen() {
            warn!("netlink-reopen-failed error={error}");
        }
        answers.into_iter().map(|answer| answer.unwrap_or_else(|| Err(lost.clone()))).collect()
    }

    /// A new socket under the old number: what was under way is forgotten, and nothing of it is taken for an answer.
    fn reopen(&mut self) -> Result<(), Error> {
        let port = self.port();
        // The number is free only once the old socket is gone; until then another one holds the place.
        self.socket = Socket::for_commands(0, self.receive_buffer).map_err(Error::Open)?;
        self.socket = Socket::for_commands(port, self.receive_buffer).map_err(Error::Open)?;
        Ok(())
    }

    /// The first of `count` fresh sequence numbers.
    fn number(&mut self, count: usize) -> u32 {
        let first = self.sequence.wrapping_add(1);
        self.sequence = self.sequence.wrapping_add(u32::try_from(count).unwrap_or(u32::MAX));
        first
    }

    fn count_malformed(&mut self, what: &str, count: u64) {
        self.malformed = self.malformed.saturating_add(count);
        if count > 0 {
            debug!("netlink-malformed what={what} count={count}");
        }
    }

    /// Which of the neighbours that shall be deleted are there and were learned by the kernel: one datagram for all.
    fn learned_neighbours(&mut self, operations: &[Operation]) -> BTreeSet<(InterfaceIndex, IpAddr)> {
        let asked: Vec<(InterfaceIndex, IpAddr)> = operations.iter().filter_map(neighbour_of).collect();
        let requests: Vec<Request> =
            asked.iter().map(|(interface, address)| neighbour::query(*interface, *address)).collect();
        let mut learned = BTreeSet::new();
        self.exchange(&requests, |position, header, body| {
            if header.kind == libc::RTM_NEWNEIGH && neighbour::is_learned(body) == Ok(true) {
                learned.extend(asked.get(position));
            }
        });
        learned
    }
}

impl Kernel for Netlink {
    fn interfaces(&mut self) -> Result<Vec<Interface>, Error> {
        // The addresses first: a fall that takes one of them before they are read is then seen in the links. The other
        // way round an address would be missing from an interface that seems to have stood all the time, as if
        // somebody had removed it.
        let addresses = self.list("addresses", &address::query(NLM_F_DUMP), address::read)?;
        let links = self.list("links", &link::query(None, NLM_F_DUMP), link::read)?;
        let mut interfaces = link::interfaces(&links);
        let mut by_index: BTreeMap<InterfaceIndex, &mut Interface> =
            interfaces.iter_mut().map(|interface| (interface.index, interface)).gather();
        for address::Listed { interface, mut address, made } in addresses {
            if let Some(interface) = by_index.get_mut(&interface) {
                if is_link_local(&address.address()) {
                    let oldest = interface.history.link_local_made;
                    interface.history.link_local_made = oldest.into_iter().chain(made).min();
                }
                address.label = address.label.filter(|label| *label != interface.name);
                interface.addresses.push(address);
            }
        }
        Ok(interfaces)
    }

    fn links(&mut self, wanted: &[InterfaceIndex]) -> Result<Vec<LinkState>, Error> {
        let mut states = Vec::with_capacity(wanted.len());
        let requests: Vec<Request> = wanted.iter().map(|index| link::query(Some(*index), 0)).collect();
        let answers = self.exchange(&requests, |_, header, body| {
            if let (libc::RTM_NEWLINK, Ok(Some(link))) = (header.kind, link::read(body)) {
                states.push(link.state);
            }
        });
        match answers.into_iter().filter_map(Result::err).find(|refusal| refusal.errno != libc::ENODEV) {
            Some(source) => Err(Error::Refused { what: "single links", source }),
            None => Ok(states),
        }
    }

    fn own_routes(&mut self) -> Result<Vec<Route>, Error> {
        let mut routes = Vec::new();
        for family in [Family::V4, Family::V6] {
            let kind = Some(RouteType::Unicast);
            let filter = Filter { family, table: None, kind, protocol: Some(PROTOCOL), interface: None };
            routes.append(&mut self.list_routes(filter)?);
        }
        Ok(routes)
    }

    fn routes_over(&mut self, interfaces: &[InterfaceIndex], tables: &[u32]) -> Result<Vec<Route>, Error> {
        let mut routes = Vec::new();
        for table in tables {
            for family in [Family::V4, Family::V6] {
                routes.append(&mut self.table_routes_over(family, *table, interfaces)?);
            }
        }
        Ok(routes)
    }

    fn routes_at(&mut self, key: &RouteKey) -> Result<Vec<Route>, Error> {
        let family = Family::of(&key.destination.addr());
        let filter = Filter { family, table: Some(key.table), kind: None, protocol: None, interface: None };
        let mut routes = self.list_routes(filter)?;
        routes.retain(|route| route.key == *key);
        Ok(routes)
    }

    fn neighbours(&mut self, interface: InterfaceIndex) -> Result<Vec<IpAddr>, Error> {
        self.list("neighbours", &neighbour::list(interface), neighbour::present)
    }

    fn hardware_address(&mut self, interface: InterfaceIndex, address: IpAddr) -> Option<MacAddress> {
        let mut found = None;
        self.exchange(&[neighbour::query(interface, address)], |_, header, body| {
            if header.kind == libc::RTM_NEWNEIGH {
                found = neighbour::hardware_address(body);
            }
        });
        found
    }

    fn hop(&mut self, address: IpAddr, source: Option<IpAddr>) -> Result<Hop, Error> {
        let what = "the way to an address";
        let mut hop = None;
        let answers = self.exchange(&[lookup::query(address, source)], |_, header, body| {
            hop = (header.kind == libc::RTM_NEWROUTE).then(|| lookup::read(body).ok()).flatten().or(hop);
        });
        match answers.into_iter().find_map(Result::err) {
            Some(source) => Err(Error::Refused { what, source }),
            None => hop.ok_or(Error::Receive { what, source: io::ErrorKind::InvalidData.into() }),
        }
    }

    fn apply(&mut self, operations: &[Operation]) -> Vec<Result<(), Refusal>> {
        let learned = self.learned_neighbours(operations);
        let mut results = vec![Ok(()); operations.len()];
        let (mut requests, mut positions) = (Vec::new(), Vec::new());
        for (position, operation) in operations.iter().enumerate() {
            match request(operation, &learned) {
                Ok(Some(request)) => {
                    requests.push(request);
                    positions.push(position);
                }
                Ok(None) => {}
                Err(refusal) => results[position] = Err(refusal),
            }
        }
        for (position, answer) in positions.into_iter().zip(self.exchange(&requests, |_, _, _| {})) {
            results[position] = answer.or_else(|refusal| forgive(&operations[position], refusal));
        }
        results
    }
}

/// The request for an operation; none if there is nothing to do.
fn request(
    operation: &Operation,
    learned: &BTreeSet<(InterfaceIndex, IpAddr)>,
) -> Result<Option<Request>, Refusal> {
    match operation {
        Operation::AddRoute { route, place } => route::add(route, *place).map(Some),
        Operation::DeleteRoute(route) => route::delete(route).map(Some),
        Operation::AddAddress { interface, address } => Ok(Some(address::add(*interface, address))),
        Operation::DeleteAddress { interface, address } => Ok(Some(address::delete(*interface, address))),
        Operation::SetUp(interface) => Ok(Some(link::set_up(*interface))),
        Operation::DeleteNeighbour { interface, address } => {
            let is_learned = learned.contains(&(*interface, *address));
            Ok(is_learned.then(|| neighbour::delete(*interface, *address)))
        }
    }
}

/// A neighbour that went by itself is as good as deleted.
fn forgive(operation: &Operation, refusal: Refusal) -> Result<(), Refusal> {
    let is_gone = matches!(refusal.errno, libc::ENOENT | libc::ENODEV | libc::ENXIO);
    if neighbour_of(operation).is_some() && is_gone { Ok(()) } else { Err(refusal) }
}

fn neighbour_of(operation: &Operation) -> Option<(InterfaceIndex, IpAddr)> {
    match operation {
        Operation::DeleteNeighbour { interface, address } => Some((*interface, *address)),
        Operation::AddRoute { .. }
        | Operation::DeleteRoute(_)
        | Operation::AddAddress { .. }
        | Operation::DeleteAddress { .. }
        | Operation::SetUp(_) => None,
    }
}

/// Keys that several routes have. Link-local prefixes are left out: each interface has one, and sees its own only.
fn shared_keys(routes: &[Route]) -> BTreeSet<RouteKey> {
    let mut seen = BTreeSet::new();
    let keys = routes.iter().map(|route| route.key).filter(|key| match key.destination.addr() {
        IpAddr::V4(_) => true,
        IpAddr::V6(v6) => !v6.is_unicast_link_local(),
    });
    keys.filter(|key| !seen.insert(*key)).gather()
}

fn uses(route: &Route, interfaces: &[InterfaceIndex]) -> bool {
    route.legs.iter().any(|leg| interfaces.contains(&leg.interface))
}

/// Bytes of the receive buffers of both sockets: 4 MiB hold some 5,000 route notifications, where the default holds
/// 277 (Linux 6.18).
pub const RECEIVE_BUFFER: usize = 4 * 1024 * 1024;

/// The types of routes that are read besides unicast ones: all that the kernel accepts from a program (Linux 6.18). For
/// each listing the kernel walks through the whole table and copies what fits, in one go, so that nothing is missed while
/// routes change. That takes 1.6 ms for 100,000 IPv4 routes, and 23 ms for as many IPv6 routes: there one listing has to do
/// for all types, and it can, because the kernel files those that refuse packets under `lo`. IPv6 routes of the other types
/// are filed under their interface. Local ones, which people use as a sink, have a listing of their own; anycast and multicast
/// ones of interfaces that are not asked for are not listed.
const REFUSING: [RouteType; 8] = [
    RouteType::Blackhole,
    RouteType::Unreachable,
    RouteType::Prohibit,
    RouteType::Throw,
    RouteType::LOCAL,
    RouteType::Other(libc::RTN_BROADCAST),
    RouteType::Other(libc::RTN_ANYCAST),
    RouteType::Other(libc::RTN_MULTICAST),
];

/// The index of `lo`, the first interface of every network namespace.
const LOOPBACK: InterfaceIndex = InterfaceIndex(1);

/// How often a listing is begun that changes while it is read.
const ATTEMPTS: u8 = 5;

/// Answers to a listing of routes that mean an empty one: no such table, device or family.
const NOTHING_THERE: [i32; 4] = [libc::ENOENT, libc::ENODEV, libc::EOPNOTSUPP, libc::EAFNOSUPPORT];
