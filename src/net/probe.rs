//! The UDP socket of one LAN and family: sends by its interface and no other, and receives what came in there.
//!
//! Bound to the interface before it is bound to the port: so the sockets of several LANs share the port without
//! SO_REUSEADDR, which would let another program take datagrams away from us. Hop limit 255 on all that is sent, so
//! that the receiver can tell that no router was passed (RFC 5082); IP_MINTTL does nothing for UDP (Linux 6.18), so
//! what came in is checked by the engine.

use std::io::{self, IoSlice};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::num::NonZeroU32;
use std::os::fd::{AsRawFd, RawFd};

use nix::libc;
use nix::sys::socket::sockopt::{
    Ipv4PacketInfo, Ipv4RecvTtl, Ipv6RecvPacketInfo, Priority, RcvBufForce, ReceiveTimestampns, RxqOvfl,
};
use nix::sys::socket::{
    ControlMessage, MsgFlags, SockaddrIn, SockaddrIn6, SockaddrLike, sendmsg, setsockopt,
};
use socket2::{Domain, Protocol, Socket, Type};

use super::Endpoint;
use super::datagram::{self, Arrival, Control};
use crate::interface::{Family, InterfaceIndex};
use crate::packet::Transmit;

/// One UDP socket.
#[derive(Debug)]
pub(super) struct Probe {
    socket: Socket,
    interface: InterfaceIndex,
    port: u16,
    /// The kernel's count of lost datagrams when we last saw it.
    lost: u32,
    control: Box<Control>,
}

impl Probe {
    /// Opens the socket of `endpoint` for `family`, bound to `port`.
    ///
    /// # Errors
    ///
    /// What the kernel says; EADDRINUSE if another program has the port, ENODEV if the interface is gone.
    pub(super) fn open(endpoint: &Endpoint, family: Family, port: u16) -> io::Result<Self> {
        let socket = match family {
            Family::V4 => open_v4(endpoint.interface)?,
            Family::V6 => open_v6(endpoint)?,
        };
        setsockopt(&socket, ReceiveTimestampns, &true)?;
        setsockopt(&socket, RxqOvfl, &1)?;
        widen(&socket)?;
        let any = match family {
            Family::V4 => SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)),
            Family::V6 => SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)),
        };
        socket.bind(&any.into())?;
        Ok(Self { socket, interface: endpoint.interface, port, lost: 0, control: Box::new([0; 256]) })
    }

    /// Sends one datagram from `transmit.source` by our interface, whatever the routing table prefers.
    ///
    /// # Errors
    ///
    /// What the kernel says: ENETUNREACH if the interface is down, ENODEV if it is gone, EADDRNOTAVAIL if the source is
    /// not ours, EPERM if a packet filter objects.
    pub(super) fn send(&self, transmit: &Transmit) -> io::Result<()> {
        match (transmit.source, transmit.destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                self.send_v4(source, destination, &transmit.payload)
            }
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                let to = scoped(destination, self.port, self.interface);
                send_v6(&self.socket, self.interface, source, &to, &transmit.payload)
            }
            _ => Err(io::ErrorKind::InvalidInput.into()),
        }
    }

    /// Reads one datagram.
    ///
    /// # Errors
    ///
    /// `WouldBlock` if there is none.
    pub(super) fn receive(&mut self, buffer: &mut [u8]) -> io::Result<Arrival> {
        let mut arrival = datagram::receive(self.socket.as_raw_fd(), buffer, &mut self.control)?;
        if let Some(lost) = arrival.lost {
            arrival.overflowed = lost.wrapping_sub(self.lost);
            self.lost = lost;
        }
        Ok(arrival)
    }

    fn send_v4(&self, source: Ipv4Addr, destination: Ipv4Addr, payload: &[u8]) -> io::Result<()> {
        let info = libc::in_pktinfo {
            ipi_ifindex: index(self.interface),
            ipi_spec_dst: libc::in_addr { s_addr: u32::from_ne_bytes(source.octets()) },
            ipi_addr: libc::in_addr { s_addr: 0 },
        };
        let to = SockaddrIn::from(std::net::SocketAddrV4::new(destination, self.port));
        send(&self.socket, payload, &ControlMessage::Ipv4PacketInfo(&info), &to)
    }
}

impl AsRawFd for Probe {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}

fn open_v4(interface: InterfaceIndex) -> io::Result<Socket> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
    bind_to(&socket, interface)?;
    socket.set_nonblocking(true)?;
    socket.set_broadcast(true)?;
    socket.set_ttl_v4(255)?;
    socket.set_multicast_ttl_v4(255)?;
    socket.set_multicast_loop_v4(false)?;
    socket.set_tos_v4(CLASS_SELECTOR_6)?;
    // After the TOS, which resets it.
    setsockopt(&socket, Priority, &PRIORITY)?;
    setsockopt(&socket, Ipv4PacketInfo, &true)?;
    setsockopt(&socket, Ipv4RecvTtl, &true)?;
    Ok(socket)
}

fn open_v6(endpoint: &Endpoint) -> io::Result<Socket> {
    let socket = Socket::new(Domain::IPV6, Type::DGRAM, Some(Protocol::UDP))?;
    prepare_v6(&socket, endpoint.interface)?;
    socket.set_only_v6(true)?;
    socket.set_tclass_v6(CLASS_SELECTOR_6)?;
    setsockopt(&socket, Priority, &PRIORITY)?;
    if endpoint.multicast_group != ALL_NODES {
        socket.join_multicast_v6(&endpoint.multicast_group, endpoint.interface.0)?;
    }
    Ok(socket)
}

/// What every IPv6 socket of ours needs.
pub(super) fn prepare_v6(socket: &Socket, interface: InterfaceIndex) -> io::Result<()> {
    bind_to(socket, interface)?;
    socket.set_nonblocking(true)?;
    socket.set_unicast_hops_v6(255)?;
    socket.set_multicast_hops_v6(255)?;
    socket.set_multicast_loop_v6(false)?;
    socket.set_recv_hoplimit_v6(true)?;
    setsockopt(socket, Ipv6RecvPacketInfo, &true)?;
    Ok(())
}

/// Sends from `source` by `interface`.
pub(super) fn send_v6(
    socket: &Socket,
    interface: InterfaceIndex,
    source: Ipv6Addr,
    to: &SockaddrIn6,
    payload: &[u8],
) -> io::Result<()> {
    let info = libc::in6_pktinfo {
        ipi6_addr: libc::in6_addr { s6_addr: source.octets() },
        ipi6_ifindex: interface.0,
    };
    send(socket, payload, &ControlMessage::Ipv6PacketInfo(&info), to)
}

/// A destination with the interface as its scope, which link-local addresses and groups need and others ignore.
pub(super) fn scoped(destination: Ipv6Addr, port: u16, interface: InterfaceIndex) -> SockaddrIn6 {
    SockaddrIn6::from(std::net::SocketAddrV6::new(destination, port, 0, interface.0))
}

fn send<S: SockaddrLike>(
    socket: &Socket,
    payload: &[u8],
    info: &ControlMessage<'_>,
    to: &S,
) -> io::Result<()> {
    let slices = [IoSlice::new(payload)];
    let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
    sendmsg(socket.as_raw_fd(), &slices, std::slice::from_ref(info), flags, Some(to))?;
    Ok(())
}

/// By number, not by name: between the dump that told us and this call the name may have gone to another interface.
fn bind_to(socket: &Socket, interface: InterfaceIndex) -> io::Result<()> {
    let number = NonZeroU32::new(interface.0).ok_or(io::ErrorKind::InvalidInput)?;
    // The option behind this is SO_BINDTOIFINDEX, which knows no families.
    socket.bind_device_by_index_v4(Some(number))
}

/// A thousand peers that answer a broadcast at once need 1.3 MiB; the default holds 256 small datagrams. Without
/// CAP_NET_ADMIN the system's limit (net.core.rmem_max) must do.
fn widen(socket: &Socket) -> io::Result<()> {
    setsockopt(socket, RcvBufForce, &RECEIVE_BUFFER).or_else(|_| socket.set_recv_buffer_size(RECEIVE_BUFFER))
}

fn index(interface: InterfaceIndex) -> libc::c_int {
    libc::c_int::try_from(interface.0).unwrap_or(0)
}

/// ff02::1, to which every IPv6 host belongs.
const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);

/// DSCP CS6, network control (RFC 2474 section 4.2.2.2): congested switches drop data first.
const CLASS_SELECTOR_6: u32 = 0xc0;

/// The same for our own queues; the highest that needs no privilege. IP_TOS alone leaves it at 0 (Linux 6.18).
const PRIORITY: libc::c_int = 6;

/// Bytes asked for; the kernel doubles it.
const RECEIVE_BUFFER: usize = 4 << 20;
