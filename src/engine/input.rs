//! What goes into the engine and what comes out.

use std::collections::BTreeSet;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::{NextHop, Notice, Outcome, Subject};
use crate::config::Config;
use crate::interface::{Family, Interface, InterfaceIndex};
use crate::packet::{Arrival, Datagram, Transmit};
use crate::wire::{LanIndex, NodeId};

/// One thing that happened.
#[derive(Debug, Clone, Copy)]
pub enum Input<'a> {
    /// All interfaces of the host as the last dump (or a fresh link query) shows them. Levels, not edges: handing in
    /// the same again changes nothing.
    Interfaces(&'a [Interface]),
    /// A datagram arrived on the probe port.
    Datagram(Datagram<'a>),
    /// A host answered an ARP or neighbour request that [`Output::Solicit`] asked for.
    NeighbourAnswered {
        /// Where the answer came in.
        interface: InterfaceIndex,
        /// Whose address it is.
        address: IpAddr,
    },
    /// The receive queue of an interface's sockets overflowed: silence on it is our fault.
    Overflow(InterfaceIndex),
    /// What became of a subject in the kernel.
    Outcome(&'a Subject, &'a Outcome),
    /// A host overlay was found in the kernel at the start, or has gone from there while nothing was decided.
    Adopted {
        /// The address that it leads to.
        address: IpAddr,
        /// The way that it uses; none if it has gone.
        way: Option<&'a NextHop>,
    },
    /// Local time of day in seconds since midnight; wanted each minute if failback has a time window.
    TimeOfDay(u32),
    /// The administrator wants traffic home (failback policy `manual`).
    FailBack,
    /// The interfaces whose LANs the administrator has taken out of service, all of them, whenever that changes.
    Offline(&'a BTreeSet<String>),
    /// The settings have changed; hand in the interfaces after it. Handing in the same again changes nothing.
    Config(&'a Config),
    /// The daemon is about to end: say goodbye.
    Stop,
    /// The deadline passed.
    DeadlinePassed,
}

impl<'a> From<Arrival<'a>> for Input<'a> {
    fn from(arrival: Arrival<'a>) -> Self {
        match arrival {
            Arrival::Datagram(datagram) => Input::Datagram(datagram),
            Arrival::NeighbourAnswered { interface, address } => {
                Input::NeighbourAnswered { interface, address }
            }
            Arrival::Overflow(interface) => Input::Overflow(interface),
        }
    }
}

/// What the engine wants done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Send a datagram.
    Send(Transmit),
    /// Send an ARP request (IPv4) or neighbour solicitation (IPv6) for an address; an answer is handed in as
    /// [`Input::NeighbourAnswered`].
    Solicit {
        /// By this interface.
        interface: InterfaceIndex,
        /// From this address of ours.
        source: IpAddr,
        /// Who has this?
        target: IpAddr,
    },
    /// Read the carrier of the interfaces afresh and hand them in: probes are being missed.
    QueryLinks,
    /// [`super::Engine::plan`] differs from before.
    PlanChanged,
    /// Write this down where it survives a reboot.
    Remember(Memory),
    /// Tell people.
    Notice(Notice),
}

/// What survives a reboot.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Memory {
    /// Our node id; absent before the first start.
    pub node: Option<NodeId>,
    /// Our LAN indices by interface name: they must not change, peers know our LANs by them.
    pub lans: Vec<(String, LanIndex)>,
    /// Paths that were proven.
    pub paths: Vec<RememberedPath>,
}

impl Eq for Memory {}

/// A path that was proven before.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RememberedPath {
    /// Name of our interface.
    pub interface: String,
    /// The peer.
    pub node: NodeId,
    /// The peer's number of the LAN.
    pub lan: LanIndex,
    /// The family.
    pub family: Family,
    /// The peer's addresses on it.
    pub addresses: Vec<IpAddr>,
    /// Damping penalty at the time of writing (decays from when it is read).
    pub penalty: f64,
    /// The failback policy holds it away from home (manual).
    pub held: bool,
}
