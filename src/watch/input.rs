//! What goes into the watch and what comes out.

use std::collections::BTreeSet;
use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::Notice;
use crate::config::Config;
use crate::interface::{Interface, InterfaceIndex};
use crate::packet::{Answer, Probe};

/// One thing that happened.
#[derive(Debug, Clone, Copy)]
pub enum Input<'a> {
    /// All interfaces of the host as the last dump (or a fresh link query) shows them. Levels, not edges.
    Interfaces(&'a [Interface]),
    /// The legs of routes that others put into the kernel, over the interfaces of [`super::Plan::interfaces`], by metric.
    Routes(&'a [Found]),
    /// The neighbours that the kernel knows on an interface: answer to [`Output::ListNeighbours`].
    Neighbours {
        /// The interface.
        interface: InterfaceIndex,
        /// Their addresses, reachable or stale ones only.
        addresses: &'a [IpAddr],
    },
    /// A probe was answered.
    Answer(Answer),
    /// The engine's verdict on a peer's address changed, for next hops that are judged by INQ/ACK.
    Peer {
        /// The interface of our LAN.
        interface: &'a str,
        /// The peer's address there.
        address: IpAddr,
        /// It answers; `None`: not known.
        answers: Option<bool>,
    },
    /// The interfaces that the administrator has taken out of service, all of them, whenever that changes.
    Offline(&'a BTreeSet<String>),
    /// Local time of day in seconds since midnight.
    TimeOfDay(u32),
    /// The administrator wants traffic home.
    FailBack,
    /// faild ends. What there is to remember is told at once.
    Stop {
        /// What may go home shall: nothing is held back any more.
        home: bool,
    },
    /// The settings have changed; hand in interfaces and routes after it.
    Config(&'a Config),
    /// The deadline passed.
    DeadlinePassed,
}

/// A leg of a route in the kernel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The routing table.
    pub table: u32,
    /// The destination.
    pub destination: IpNet,
    /// RTA_PRIORITY.
    pub metric: u32,
    /// rtm_protocol.
    pub protocol: u8,
    /// The interface.
    pub interface: InterfaceIndex,
    /// The next hop; none: on-link.
    pub gateway: Option<IpAddr>,
}

/// What the watch wants done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Send it; an answer is handed in as [`Input::Answer`].
    Probe(Probe),
    /// Read the carrier of the interfaces afresh and hand them in: probes are being missed.
    QueryLinks,
    /// Hand in the neighbours that the kernel knows on this interface.
    ListNeighbours(InterfaceIndex),
    /// [`super::Watch::plan`] differs from before.
    PlanChanged,
    /// Write this down where it survives a reboot.
    Remember(Memory),
    /// Tell people.
    Notice(Notice),
}

/// What survives a restart: a way that had failed is not trusted before it has proven itself.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Memory {
    /// Members of groups that had failed, by group and interface.
    pub failed: Vec<(String, String)>,
    /// Members of groups that were active, by group and interface: which standby stood in (FAILBACK=no keeps it).
    pub active: Vec<(String, String)>,
    /// Damping penalties of next hops, by interface and gateway.
    pub penalties: Vec<(String, Option<IpAddr>, f64)>,
    /// Next hops that had failed and that traffic has not gone home to, by interface and gateway: the failback policy
    /// holds for them.
    pub held: Vec<(String, Option<IpAddr>)>,
}

impl Eq for Memory {}
