//! A route as the kernel keeps it.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::interface::InterfaceIndex;

/// The protocol number that marks a route or address as faild's.
pub const PROTOCOL: u8 = 250;

/// Number of the main routing table.
pub const MAIN_TABLE: u32 = 254;

/// RTPROT_KERNEL: the kernel's own connected routes.
pub(crate) const KERNEL: u8 = 2;

/// RTPROT_BOOT: `ip route` without `proto`.
pub(crate) const BOOT: u8 = 3;

/// RTPROT_STATIC.
pub(crate) const STATIC: u8 = 4;

/// The number of `lo` in every network namespace (LOOPBACK_IFINDEX).
const LOOPBACK: InterfaceIndex = InterfaceIndex(1);

/// RTNH_F_ONLINK.
pub(crate) const ONLINK: u32 = 4;

/// What the kernel tells routes apart by: not gateway, device or protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RouteKey {
    /// The routing table.
    pub table: u32,
    /// Destination prefix.
    pub destination: IpNet,
    /// Type of service (IPv4 only, 0 in IPv6).
    pub tos: u8,
    /// RTA_PRIORITY, 0 if absent (IPv6: never 0, 1024 if not given).
    pub metric: u32,
}

/// One leg of a multipath route, or the only next hop of an ordinary one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leg {
    /// Next hop address; absent: on-link. May be IPv6 for an IPv4 route (RTA_VIA).
    pub gateway: Option<IpAddr>,
    /// The interface that it leaves by.
    pub interface: InterfaceIndex,
    /// Share of the traffic among several legs, 1 to 256 (rtnh_hops plus one); the only leg of a route has 1.
    pub weight: u16,
}

/// What a route does with a packet: rtm_type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RouteType {
    /// It sends it on.
    #[default]
    Unicast,
    /// It drops it without a word.
    Blackhole,
    /// It refuses it: host unreachable.
    Unreachable,
    /// It refuses it: forbidden.
    Prohibit,
    /// It ends the lookup in this table; as a rule no later table has a route.
    Throw,
    /// Any other (local, broadcast ...), by number.
    Other(u8),
}

/// A route, typed as far as decisions and the log need it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The kernel's key.
    pub key: RouteKey,
    /// What it does; faild's own are unicast.
    pub kind: RouteType,
    /// Who made it: rtm_protocol.
    pub protocol: u8,
    /// rtm_scope.
    pub scope: u8,
    /// RTA_PREFSRC.
    pub source: Option<IpAddr>,
    /// One leg, or several if it is a multipath route. Never empty in a unicast route.
    pub legs: Vec<Leg>,
    /// Uses a nexthop object (RTA_NH_ID).
    pub nexthop_id: Option<u32>,
    /// Has RTA_ENCAP: never emitted again (one kernel dies of it).
    pub encapsulated: bool,
    /// RTNH_F_DEAD or RTNH_F_LINKDOWN on a leg. (Routes with RTM_F_CLONED are not kept at all.)
    pub linkdown: bool,
    /// The attributes as the kernel sent them (after `rtmsg`), for emitting the route again with none lost.
    pub attributes: Vec<u8>,
    /// rtm_flags as the kernel sent them.
    pub flags: u32,
}

impl Leg {
    /// Whether the two lead to the same hop, with whatever weight.
    pub fn is_same_hop(&self, other: &Leg) -> bool {
        (self.gateway, self.interface) == (other.gateway, other.interface)
    }
}

impl RouteType {
    /// It takes packets in.
    pub const LOCAL: Self = Self::Other(2);

    /// By its number in rtnetlink(7).
    pub const fn from_number(number: u8) -> Self {
        match number {
            1 => Self::Unicast,
            6 => Self::Blackhole,
            7 => Self::Unreachable,
            8 => Self::Prohibit,
            9 => Self::Throw,
            other => Self::Other(other),
        }
    }

    /// Its number in rtnetlink(7).
    pub const fn number(self) -> u8 {
        match self {
            Self::Unicast => 1,
            Self::Blackhole => 6,
            Self::Unreachable => 7,
            Self::Prohibit => 8,
            Self::Throw => 9,
            Self::Other(number) => number,
        }
    }

    /// The word of ip-route(8) before the destination; none for an ordinary route.
    pub const fn word(self) -> Option<&'static str> {
        match self {
            Self::Unicast => None,
            Self::Blackhole => Some("blackhole"),
            Self::Unreachable => Some("unreachable"),
            Self::Prohibit => Some("prohibit"),
            Self::Throw => Some("throw"),
            Self::Other(2) => Some("local"),
            Self::Other(3) => Some("broadcast"),
            Self::Other(4) => Some("anycast"),
            Self::Other(5) => Some("multicast"),
            Self::Other(_) => Some("type-unknown"),
        }
    }
}

impl Route {
    /// Whether it sends packets on, by one of its legs.
    pub fn is_unicast(&self) -> bool {
        self.kind == RouteType::Unicast
    }

    /// Whether a listing has it whatever interfaces it asks for. The kernel files what refuses packets under `lo`, or
    /// under none, and local ones are asked for; IPv6 routes of other types have an interface.
    pub(crate) fn is_listed_anywhere(&self) -> bool {
        let is_v6 = self.key.destination.addr().is_ipv6();
        let is_refusal = !is_v6 || !matches!(self.kind, RouteType::Other(_)) || self.kind == RouteType::LOCAL;
        !self.is_unicast() && (is_refusal || self.legs.iter().all(|leg| leg.interface == LOOPBACK))
    }

    /// Whether the two lead to the same hops in the same order, whatever their weights: all that the kernel looks at when
    /// it deletes one (Linux 6.18).
    pub fn leads_as(&self, other: &Route) -> bool {
        self.legs.len() == other.legs.len()
            && self.legs.iter().zip(&other.legs).all(|(a, b)| a.is_same_hop(b))
    }

    /// Whether the kernel would call the two the same route: all but flags, link state and raw attributes.
    pub fn is_same(&self, other: &Route) -> bool {
        self.key == other.key
            && self.kind == other.kind
            && self.protocol == other.protocol
            && self.scope == other.scope
            && self.source == other.source
            && self.legs == other.legs
            && self.nexthop_id == other.nexthop_id
    }
}

/// What the kernel would do with a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer {
    /// What the deciding route does.
    pub kind: RouteType,
    /// The interface that the packet leaves by.
    pub interface: Option<InterfaceIndex>,
    /// The next hop; none: the address itself.
    pub gateway: Option<IpAddr>,
    /// The table of the deciding route.
    pub table: u32,
}

/// Two legs by one hop are one, that bears what both bore.
pub(crate) fn put(legs: &mut Vec<Leg>, leg: Leg) {
    match legs.iter_mut().find(|other| other.is_same_hop(&leg)) {
        Some(other) => other.weight = (other.weight + leg.weight).min(HEAVIEST),
        None => legs.push(leg),
    }
}

/// A weight is a share among several: the kernel shows none of a single leg.
pub(crate) fn weighed(mut legs: Vec<Leg>) -> Vec<Leg> {
    if let [only] = legs.as_mut_slice() {
        only.weight = 1;
    }
    legs
}

/// The heaviest leg that rtnh_hops, a byte, can tell.
const HEAVIEST: u16 = 256;
