//! What the watch wants of the kernel: which next hops carry a destination, which interface stands in for which.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use ipnet::IpNet;

/// What a `[[route]]` is about: its destination in its table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Destination {
    /// The routing table.
    pub table: u32,
    /// The prefix.
    pub prefix: IpNet,
}

/// Where the traffic of a destination shall go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Way {
    /// Not known: what is there stays.
    Undecided,
    /// By these, weighted; never empty. If a route of others leads exactly there nothing is needed, else an overlay stands
    /// in front of all others.
    By(Vec<Hop>),
}

/// A next hop of a destination.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hop {
    /// Name of the interface.
    pub interface: String,
    /// The gateway; none: on-link.
    pub via: Option<IpAddr>,
    /// Share of the traffic, 1 to 255.
    pub weight: u8,
}

/// What becomes of the routes over a member of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Member {
    /// It serves: no overlays.
    Home,
    /// Not known: what is there stays.
    Undecided,
    /// It has failed, or is offline: routes over it, connected ones included, are overlaid by this interface.
    StandIn(String),
}

/// All of it. A destination or interface that is not in it is none of our business.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    /// Names of the interfaces whose routes are to be known.
    pub interfaces: Vec<String>,
    /// The tables besides main whose routes are to be known.
    pub tables: Vec<u32>,
    /// Where destinations shall go.
    pub routes: BTreeMap<Destination, Way>,
    /// The members of groups, by interface.
    pub members: BTreeMap<String, Member>,
    /// IPv4 test addresses that shall be there, as /32, scope link, without a prefix route, by interface.
    pub test_addresses: BTreeMap<String, Ipv4Addr>,
    /// Interfaces that shall be set up (IFF_UP).
    pub up: Vec<String>,
}
