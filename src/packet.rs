//! What goes by the network: datagrams and probes, as core and sockets hand them to each other.

use std::net::IpAddr;

use crate::config::Method;
use crate::interface::InterfaceIndex;
use crate::time::Instant;

/// Something that came in by a socket.
#[derive(Debug, Clone, Copy)]
pub enum Arrival<'a> {
    /// A datagram on the probe port.
    Datagram(Datagram<'a>),
    /// A host answered an ARP or neighbour request.
    NeighbourAnswered {
        /// Where the answer came in.
        interface: InterfaceIndex,
        /// Whose address it is.
        address: IpAddr,
    },
    /// The receive queue of an interface's sockets overflowed: silence on it is our fault.
    Overflow(InterfaceIndex),
}

/// A datagram with what the kernel says of it.
#[derive(Debug, Clone, Copy)]
pub struct Datagram<'a> {
    /// The interface that it came in by.
    pub interface: InterfaceIndex,
    /// Who sent it.
    pub source: IpAddr,
    /// Where it was sent to: one of our addresses, a broadcast or a group.
    pub destination: IpAddr,
    /// TTL or hop limit on arrival.
    pub hop_limit: u8,
    /// When the kernel received it; not after `now`.
    pub arrived: Instant,
    /// The UDP payload.
    pub payload: &'a [u8],
}

/// A datagram to send, with hop limit 255, by exactly this interface whatever the routing table says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transmit {
    /// The interface.
    pub interface: InterfaceIndex,
    /// The source address, one of ours.
    pub source: IpAddr,
    /// The destination: unicast, IPv4 broadcast, or IPv6 link-local or multicast (scope: the interface).
    pub destination: IpAddr,
    /// The UDP payload.
    pub payload: Vec<u8>,
}

/// Tells one probe from all others, and its answer from one that somebody made up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ProbeId(pub u64);

/// A question to a host, by exactly this interface and next hop, whatever the routing table says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// Comes back in the answer.
    pub id: ProbeId,
    /// The interface.
    pub interface: InterfaceIndex,
    /// [`Method::Echo`] or [`Method::Neighbour`].
    pub method: Method,
    /// One of our addresses, of the interface as a rule.
    pub source: IpAddr,
    /// Who is asked; a multicast group finds hosts.
    pub target: IpAddr,
    /// The gateway on the way to it; none: it is on the link, or the link has only one other end.
    pub next_hop: Option<IpAddr>,
    /// TTL or hop limit: 1 for hosts on the link.
    pub hop_limit: u8,
    /// Number in its series, for people who look at packets.
    pub sequence: u16,
}

/// An answer to a [`Probe`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer {
    /// Which probe.
    pub id: ProbeId,
    /// Where it came in.
    pub interface: InterfaceIndex,
    /// Who answered.
    pub from: IpAddr,
    /// When the kernel received it; not after `now`.
    pub arrived: Instant,
}
