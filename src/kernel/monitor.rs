//! The socket of notifications: what somebody changed, as hints to look again.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};

use mio::event::Source;
use mio::{Interest, Registry, Token};
use nix::libc;
use rtnetlink::MulticastGroup;
use socket2::SockFilter;

use super::message::{Header, Messages};
use super::socket::Socket;
use super::{Error, link, route};
use crate::interface::InterfaceIndex;
use crate::route::Route;

/// Something changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A link: at most once in a read.
    Links,
    /// This interface was down when something about it was told, or was deleted: at most once in a read. It may be up
    /// again by now.
    WentDown(InterfaceIndex),
    /// An address, also one that faild itself changed: at most once in a read.
    Addresses,
    /// Somebody else added or replaced this route.
    RouteAdded(Route),
    /// Somebody else, or the kernel, deleted this route. IPv4 routes often go without a word.
    RouteDeleted(Route),
    /// Notifications were lost: everything may have changed.
    Overrun,
}

/// Whether a read left something behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rest {
    /// Nothing waits; the poll will tell of the next.
    Nothing,
    /// The budget was spent first: read again without waiting for the poll, which tells of arrivals only.
    MoreWaiting,
}

/// Hears of changes to links, addresses and routes of both families.
#[derive(Debug)]
pub struct Monitor {
    socket: Socket,
}

impl Monitor {
    /// Opens the socket; route changes that came by the socket with the number `own_port` are not reported
    /// ([`super::Netlink::port`]); with 0 all are.
    ///
    /// # Errors
    /// [`Error::Open`].
    pub fn open(own_port: u32, receive_buffer: usize) -> Result<Self, Error> {
        let filter = others_routes_only(own_port);
        let socket = Socket::for_notifications(&GROUPS, &filter, receive_buffer).map_err(Error::Open)?;
        Ok(Self { socket })
    }

    /// Reads at most `budget` datagrams and appends what they tell to `events`.
    ///
    /// # Errors
    /// [`Error::Receive`]; a lost notification is an event and no error.
    pub fn read(&mut self, budget: usize, events: &mut Vec<Event>) -> Result<Rest, Error> {
        let start = events.len();
        for _ in 0..budget {
            match self.socket.receive() {
                Ok(datagram) => {
                    for (header, body) in Messages(datagram) {
                        push(events, start, event(&header, body));
                        push(events, start, went_down(&header, body));
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(Rest::Nothing),
                Err(error) if is_loss(&error) => push(events, start, Some(Event::Overrun)),
                Err(source) => return Err(Error::Receive { what: "changes", source }),
            }
        }
        Ok(Rest::MoreWaiting)
    }
}

impl AsRawFd for Monitor {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}

impl AsFd for Monitor {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Source for Monitor {
    fn register(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()> {
        self.socket.register(registry, token, interests)
    }

    fn reregister(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()> {
        self.socket.reregister(registry, token, interests)
    }

    fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        self.socket.deregister(registry)
    }
}

/// Appends an event; a hint that was given since `start` is not repeated.
fn push(events: &mut Vec<Event>, start: usize, event: Option<Event>) {
    let Some(event) = event else { return };
    let is_route = matches!(event, Event::RouteAdded(_) | Event::RouteDeleted(_));
    if is_route || !events[start..].contains(&event) {
        events.push(event);
    }
}

/// What a notification means; a route that cannot be read is none that faild could care for.
fn event(header: &Header, body: &[u8]) -> Option<Event> {
    match header.kind {
        libc::RTM_NEWLINK | libc::RTM_DELLINK => Some(Event::Links),
        libc::RTM_NEWADDR | libc::RTM_DELADDR => Some(Event::Addresses),
        libc::RTM_NEWROUTE => route::read(body).ok().flatten().map(Event::RouteAdded),
        libc::RTM_DELROUTE => route::read(body).ok().flatten().map(Event::RouteDeleted),
        _ => None,
    }
}

/// Leaves out the route changes that came by the socket with this number, inside the kernel: read here and thrown away,
/// ten thousand of them take as long as the changes themselves (Linux 6.18). What the kernel does by itself bears 0.
fn others_routes_only(own_port: u32) -> [SockFilter; 7] {
    let own_port = if own_port == 0 { u32::MAX } else { own_port };
    [
        SockFilter::new(LOAD_HALF_WORD, 0, 0, 4),
        SockFilter::new(JUMP_IF_EQUAL, 1, 0, u16::from_be_bytes(libc::RTM_NEWROUTE.to_ne_bytes()).into()),
        SockFilter::new(JUMP_IF_EQUAL, 0, 2, u16::from_be_bytes(libc::RTM_DELROUTE.to_ne_bytes()).into()),
        SockFilter::new(LOAD_WORD, 0, 0, 12),
        SockFilter::new(JUMP_IF_EQUAL, 1, 0, u32::from_be_bytes(own_port.to_ne_bytes())),
        SockFilter::new(RETURN, 0, 0, u32::MAX),
        SockFilter::new(RETURN, 0, 0, 0),
    ]
}

/// What else a notification of a link means. A bridge tells of its ports as links too, but of another family.
fn went_down(header: &Header, body: &[u8]) -> Option<Event> {
    let is_deleted = header.kind == libc::RTM_DELLINK;
    if (!is_deleted && header.kind != libc::RTM_NEWLINK) || i32::from(*body.first()?) != libc::AF_UNSPEC {
        return None;
    }
    let state = link::read(body).ok()??.state;
    (is_deleted || !state.up).then_some(Event::WentDown(state.index))
}

/// ENOBUFS: the queue overflowed. EMSGSIZE: a message was larger than our buffer.
fn is_loss(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOBUFS | libc::EMSGSIZE))
}

const GROUPS: [MulticastGroup; 5] = [
    MulticastGroup::Link,
    MulticastGroup::Ipv4Ifaddr,
    MulticastGroup::Ipv6Ifaddr,
    MulticastGroup::Ipv4Route,
    MulticastGroup::Ipv6Route,
];

// Classic BPF: BPF_LD|BPF_H|BPF_ABS, BPF_LD|BPF_W|BPF_ABS, BPF_JMP|BPF_JEQ|BPF_K, BPF_RET|BPF_K. Words are loaded as if
// they were big-endian.
const LOAD_HALF_WORD: u16 = 0x28;
const LOAD_WORD: u16 = 0x20;
const JUMP_IF_EQUAL: u16 = 0x15;
const RETURN: u16 = 0x06;
