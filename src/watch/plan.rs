//! What the watch wants of the kernel: which next hops carry a destination, which interface stands in for which.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

use ipnet::IpNet;

use crate::route::MAIN_TABLE;

/// What a `[[route]]` is about: its destination in its table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Destination {
    /// The routing table.
    pub table: u32,
    /// The prefix.
    pub prefix: IpNet,
}

impl fmt::Display for Destination {
    /// The prefix, and `@TABLE` unless it is main, which goes without saying.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.prefix.fmt(f)?;
        if self.table == MAIN_TABLE { Ok(()) } else { write!(f, "@{}", self.table) }
    }
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

impl fmt::Display for Hop {
    /// `GATEWAY%INTERFACE`, or the interface alone.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.via {
            Some(via) => write!(f, "{via}%{}", self.interface),
            None => f.write_str(&self.interface),
        }
    }
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
    /// Those of them that do not go by their first choice. An overlay of theirs stays while it serves, even where what it
    /// stands in front of is gone: a lease that is renewed deletes its route and adds it again.
    pub away: BTreeSet<Destination>,
    /// What is beyond the next hops of a destination: what its traffic is for, as far as anybody said.
    pub targets: BTreeMap<Destination, Vec<IpAddr>>,
    /// The members of groups, by interface.
    pub members: BTreeMap<String, Member>,
    /// IPv4 test addresses that shall be there, as /32, scope link, without a prefix route, by interface.
    pub test_addresses: BTreeMap<String, Ipv4Addr>,
    /// Interfaces that shall be set up (IFF_UP).
    pub up: Vec<String>,
}
