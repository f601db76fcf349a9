//! The configuration of gateways, targets and groups: `[[route]]` and `[[group]]`.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::time::Duration;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::words::display_as_in_json;

/// A destination that follows a working next hop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteConfig {
    /// The destination: a prefix, or everything (length 0).
    pub destination: IpNet,
    /// The routing table. Default 254, main.
    pub table: u32,
    /// Its next hops.
    pub next_hops: NextHops,
    /// How the next hops are judged.
    pub judging: Judging,
}

/// The next hops of a destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NextHops {
    /// Those of the routes to the destination that other programs installed in the kernel, by metric.
    Auto,
    /// These.
    Listed(Vec<NextHopConfig>),
}

impl NextHops {
    /// Those that are listed.
    pub fn listed(&self) -> &[NextHopConfig] {
        match self {
            NextHops::Auto => &[],
            NextHops::Listed(hops) => hops,
        }
    }
}

/// One next hop of a destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NextHopConfig {
    /// The interface.
    pub interface: String,
    /// The gateway there; `None` on a point-to-point link.
    pub via: Option<IpAddr>,
    /// The lowest working rank is used. Default: the position in the list, from 1. Equal ones share the traffic.
    pub rank: u8,
    /// Its share of the traffic among its equals, 1 to 255. Default 1.
    pub weight: u8,
}

/// How next hops are judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judging {
    /// Time between two probes of a target. Default 500 ms, 10 ms to 60 s.
    pub interval: Duration,
    /// Consecutive missed probes before a target is silent. Default 3, 1 to 100.
    pub missed: NonZeroU32,
    /// Consecutive answered probes before it works again. Default 10, 1 to 10,000.
    pub good: NonZeroU32,
    /// How the gateway itself is probed; empty: only targets beyond it count. Default ARP or ND.
    pub methods: Vec<Method>,
    /// Hosts beyond the gateway, probed by ICMP echo through each next hop. At most 16.
    pub targets: Vec<TargetConfig>,
    /// How many of the targets must answer. Default any.
    pub need: Need,
    /// Percent of probes lost within the window: bad at or above the first, good again at or below the second.
    pub loss: Option<Limits<u8>>,
    /// Mean round trip within the window: bad at or above the first, good again at or below the second.
    pub latency: Option<Limits<Duration>>,
    /// The number of probes of a target over which the two are measured. Default 50, 5 to 1,000.
    pub window: u16,
}

impl Default for Judging {
    fn default() -> Self {
        Self {
            interval: Duration::from_millis(500),
            missed: NonZeroU32::MIN.saturating_add(2),
            good: NonZeroU32::MIN.saturating_add(9),
            methods: vec![Method::Neighbour],
            targets: Vec::new(),
            need: Need::Any,
            loss: None,
            latency: None,
            window: 50,
        }
    }
}

/// How a gateway or target is probed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// ARP request or neighbour solicitation (RFC 826, RFC 4861).
    Neighbour,
    /// ICMP or ICMPv6 echo (RFC 792, RFC 4443).
    Echo,
    /// INQ and ACK: it runs faild, on one of our LANs.
    Peer,
}

display_as_in_json!(Method);

/// A host that is probed, as written and with the address that its name had when the configuration was loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetConfig {
    /// An address, or a name.
    pub name: String,
    /// Its address.
    pub address: IpAddr,
}

/// How many targets must answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// One.
    Any,
    /// Every one.
    All,
    /// At least this many.
    AtLeast(u8),
}

/// A threshold with hysteresis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits<T> {
    /// Bad at or above this.
    pub bad: T,
    /// Good again at or below this; not above `bad`.
    pub good: T,
}

/// Interfaces on one subnet that take over for each other (in.mpathd(8)).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupConfig {
    /// The name; empty: anonymous, its members are monitored and nothing takes over for them.
    pub name: String,
    /// The interfaces, at most 16.
    pub members: Vec<MemberConfig>,
    /// Time within which a silent interface is declared failed. Default 10 s, 100 ms to 1 h.
    pub detection_time: Duration,
    /// Whether a repaired interface becomes active again (FAILBACK). Default yes.
    pub failback: bool,
    /// Hosts on the subnet to probe, after the routers that are known there; if there are either, no others are
    /// searched for. At most 16.
    pub targets: Vec<TargetConfig>,
}

/// One interface of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberConfig {
    /// Its name.
    pub interface: String,
    /// Used only while another member has failed. Default no.
    pub standby: bool,
    /// Source address of IPv4 probes. faild adds it (/32, scope link) unless the interface has it; without one the
    /// interface is judged by its carrier alone, and by IPv6 if it has a link-local address.
    pub test_address: Option<IpAddr>,
    /// Probe over IPv6 from the link-local address. Default yes.
    pub ipv6: bool,
    /// Set the interface up (IFF_UP) when it is found down at the start. Default yes.
    pub bring_up: bool,
}

/// The failure detection time of in.mpathd(8).
pub(super) const DETECTION_TIME: Duration = Duration::from_secs(10);
