//! The netlink sockets: opening them, one send, one receive.
//!
//! The socket of commands waits, but not for ever: requests are carried out inside the send, so that the answer is
//! there when it returns. The socket of notifications never waits.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};

use mio::event::Source;
use mio::{Interest, Registry, Token};
use netlink_sys::{Socket as Raw, SocketAddr, protocols::NETLINK_ROUTE};
use nix::libc;
use nix::sys::socket::{setsockopt, sockopt};
use nix::sys::time::TimeVal;
use rtnetlink::MulticastGroup;
use socket2::{SockFilter, SockRef};

/// A netlink socket of the route family and the datagram that it received last.
#[derive(Debug)]
pub(super) struct Socket {
    raw: Raw,
    port: u32,
    datagram: Vec<u8>,
}

impl Socket {
    /// A socket for requests, at most one at work at a time. A `port` of 0 lets the kernel choose.
    pub(super) fn for_commands(port: u32, receive_buffer: usize) -> io::Result<Self> {
        let socket = Self::open(port, receive_buffer)?;
        socket.raw.set_cap_ack(true)?;
        socket.raw.set_ext_ack(true)?;
        // Linux before 4.20 cannot filter listings; whoever reads them filters again.
        let _ = socket.raw.set_netlink_get_strict_chk(true);
        setsockopt(&socket.raw, sockopt::ReceiveTimeout, &TimeVal::new(ANSWER_TIME_S, 0))?;
        Ok(socket)
    }

    /// A socket that hears what changes, as far as `filter` lets it pass.
    pub(super) fn for_notifications(
        groups: &[MulticastGroup],
        filter: &[SockFilter],
        receive_buffer: usize,
    ) -> io::Result<Self> {
        let socket = Self::open(0, receive_buffer)?;
        socket.raw.set_non_blocking(true)?;
        SockRef::from(&socket.raw).attach_filter(filter)?;
        for group in groups {
            socket.raw.add_membership(*group as u32)?;
        }
        Ok(socket)
    }

    fn open(port: u32, receive_buffer: usize) -> io::Result<Self> {
        let mut raw = Raw::new(NETLINK_ROUTE)?;
        // Without CAP_NET_ADMIN (a listing only) the system's limit has to do.
        setsockopt(&raw, sockopt::RcvBufForce, &receive_buffer)
            .or_else(|_| setsockopt(&raw, sockopt::RcvBuf, &receive_buffer))?;
        raw.bind(&SocketAddr::new(port, 0))?;
        let mut bound = SocketAddr::new(0, 0);
        raw.get_address(&mut bound)?;
        Ok(Self { raw, port: bound.port_number(), datagram: Vec::with_capacity(DATAGRAM) })
    }

    /// The number by which the kernel tells this socket from others.
    pub(super) fn port(&self) -> u32 {
        self.port
    }

    /// Hands a datagram to the kernel, which has carried it out when this returns.
    pub(super) fn send(&self, bytes: &[u8]) -> io::Result<()> {
        self.raw.send_to(bytes, &SocketAddr::new(0, 0), 0).map(drop)
    }

    /// The next datagram of the kernel.
    ///
    /// Errors: `WouldBlock` if there is none (or none came in time), ENOBUFS if some were lost, EMSGSIZE if this one
    /// is larger than any that the kernel is known to send.
    pub(super) fn receive(&mut self) -> io::Result<&[u8]> {
        loop {
            self.datagram.clear();
            match self.raw.recv_from(&mut self.datagram, libc::MSG_TRUNC) {
                // Any process may send to a netlink port; the kernel's is 0.
                Ok((_, sender)) if sender.port_number() != 0 => {}
                Ok((length, _)) if length > self.datagram.len() => {
                    return Err(io::Error::from_raw_os_error(libc::EMSGSIZE));
                }
                Ok(_) => return Ok(&self.datagram),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

impl AsRawFd for Socket {
    fn as_raw_fd(&self) -> RawFd {
        self.raw.as_raw_fd()
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.raw.as_fd()
    }
}

impl Source for Socket {
    fn register(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()> {
        self.raw.register(registry, token, interests)
    }

    fn reregister(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()> {
        self.raw.reregister(registry, token, interests)
    }

    fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        self.raw.deregister(registry)
    }
}

/// How long an answer may take that should be there already: so long that only a broken kernel lets it pass.
const ANSWER_TIME_S: i64 = 1;

/// Room for one datagram. Listings come in at most 32 KiB (Linux 6.18); a link with many virtual functions may take
/// more, but these are not asked for.
const DATAGRAM: usize = 64 * 1024;
