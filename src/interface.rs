//! An interface as the kernel describes it: what a dump of links and addresses says, nothing that faild thinks of it.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::words::display_as_in_json;

/// IPv4 or IPv6: the two are probed and judged apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Family {
    /// IPv4.
    #[serde(rename = "ipv4")]
    V4,
    /// IPv6.
    #[serde(rename = "ipv6")]
    V6,
}

impl Family {
    /// The family of an address.
    pub const fn of(address: &IpAddr) -> Self {
        match address {
            IpAddr::V4(_) => Family::V4,
            IpAddr::V6(_) => Family::V6,
        }
    }
}

display_as_in_json!(Family);

/// The kernel's number of an interface; another one after it was deleted and made again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct InterfaceIndex(pub u32);

impl fmt::Display for InterfaceIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A hardware address of Ethernet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct MacAddress(pub [u8; 6]);

impl fmt::Display for MacAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

/// What sort of device it is, as far as the choice of LANs needs to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InterfaceKind {
    /// Broadcast-capable Ethernet, physical or virtual (also VLAN, bond, macvlan, veth).
    Ethernet,
    /// A bridge; `has_physical_port` tells whether any port of it is a device with hardware behind it.
    Bridge {
        /// Whether a port is a device with hardware behind it (`/sys/class/net/PORT/device` exists).
        has_physical_port: bool,
    },
    /// The loopback interface.
    Loopback,
    /// Ethernet frames, broadcasts too, inside something else (tap, vxlan, gretap): a LAN only if somebody says so, for
    /// what is behind it shares the fate of what carries it.
    EthernetTunnel,
    /// tun, wireguard, ppp and all else that has no Ethernet broadcast.
    Tunnel,
}

/// RT_SCOPE_LINK: of an address or route that means something on one link only.
pub const LINK_SCOPE: u8 = 253;

/// RT_SCOPE_HOST: of an address that never leaves the host.
pub const HOST_SCOPE: u8 = 254;

/// One address of an interface, with all that the kernel keeps of one but what passes by itself: how long it is still
/// valid, and how far duplicate detection has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InterfaceAddress {
    /// The address with its prefix length.
    pub prefix: IpNet,
    /// IFA_F_SECONDARY (IPv4 only).
    pub secondary: bool,
    /// IFA_F_TENTATIVE or IFA_F_DADFAILED: cannot be used as a source yet, or ever.
    pub tentative: bool,
    /// IFA_F_DEPRECATED: its preferred lifetime is over, or was never meant to begin (`preferred_lft 0`). It is chosen as the
    /// source of nothing new (IPv6).
    pub deprecated: bool,
    /// IFA_F_PERMANENT: has no lifetime (set by hand, not by DHCP or a router advertisement).
    pub permanent: bool,
    /// IFA_PROTO (Linux 5.18), 0 if unspecified. Addresses that faild put somewhere bear 250.
    pub protocol: u8,
    /// RT_SCOPE of the address: 0 global, 253 link, 254 host.
    pub scope: u8,
    /// IFA_F_NOPREFIXROUTE.
    pub no_prefix_route: bool,
    /// IFA_BROADCAST (IPv4 only).
    pub broadcast: Option<Ipv4Addr>,
    /// IFA_ADDRESS where it is not our own: the other end of the link (`ip address add ... peer`). The prefix length is that
    /// of the peer's subnet then (IPv4).
    pub peer: Option<IpAddr>,
    /// IFA_RT_PRIORITY: the metric of the routes that the kernel makes for the address; 0 for the usual one.
    pub metric: u32,
    /// IFA_LABEL (IPv4 only), where it is not the name of the interface.
    pub label: Option<String>,
    /// What else an administrator may have set: those of [`KEPT_ADDRESS_FLAGS`].
    pub flags: u32,
}

/// Flags of an address that faild ignores but keeps, with their words in ip-address(8): IFA_F_HOMEADDRESS,
/// IFA_F_MANAGETEMPADDR and IFA_F_MCAUTOJOIN.
pub const KEPT_ADDRESS_FLAGS: [(u32, &str); 3] = [(0x10, "home"), (0x100, "mngtmpaddr"), (0x400, "autojoin")];

impl InterfaceAddress {
    /// An address as `ip address add` makes it: it has no lifetime, serves at once, and means something beyond the link
    /// unless it is link-local.
    pub fn new(prefix: IpNet) -> Self {
        Self {
            prefix,
            secondary: false,
            tentative: false,
            deprecated: false,
            permanent: true,
            protocol: 0,
            scope: if is_link_local(&prefix.addr()) { LINK_SCOPE } else { 0 },
            no_prefix_route: false,
            broadcast: None,
            peer: None,
            metric: 0,
            label: None,
            flags: 0,
        }
    }

    /// The address without its prefix length.
    pub fn address(&self) -> IpAddr {
        self.prefix.addr()
    }

    /// IFA_ADDRESS with the prefix length: the subnet is that of the peer, if there is one.
    pub fn network(&self) -> IpNet {
        let peer = self.peer.and_then(|peer| IpNet::new(peer, self.prefix.prefix_len()).ok());
        peer.unwrap_or(self.prefix)
    }
}

/// What the kernel remembers of a link's past. It tells a start whether the interface was set down while no daemon ran:
/// that takes IPv4 routes along without a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LinkHistory {
    /// When the oldest link-local IPv6 address was made (IFA_CACHEINFO, `cstamp`), in hundredths of a second since
    /// boot. It goes when the interface is set down, whatever sysctl keep_addr_on_down says, and comes back new.
    pub link_local_made: Option<u32>,
    /// When IPv6 on the interface last changed its state (IFLA_INET6_CACHEINFO, `tstamp`), in the same unit. Being set
    /// down changes it, the loss of a carrier does not; a router advertisement may.
    pub ipv6_changed: Option<u32>,
    /// How often the carrier went (IFLA_CARRIER_DOWN_COUNT, Linux 4.16); most drivers count being set down as well.
    pub carrier_losses: Option<u32>,
}

/// What two looks at a link's history say of the time between them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fall {
    /// Nothing shows that it was set down.
    Stood,
    /// Its carrier went, or it was set down: without IPv6 the kernel does not tell one from the other.
    Doubtful,
    /// It was set down.
    Fell,
}

impl LinkHistory {
    /// What happened to the link since `earlier`. The best witness that was there both times decides.
    pub fn since(&self, earlier: &Self) -> Fall {
        let both = |one: Option<u32>, other: Option<u32>| Some(one? == other?);
        if let Some(is_same) = both(self.link_local_made, earlier.link_local_made)
            .or_else(|| both(self.ipv6_changed, earlier.ipv6_changed))
        {
            return if is_same { Fall::Stood } else { Fall::Fell };
        }
        match both(self.carrier_losses, earlier.carrier_losses) {
            Some(false) => Fall::Doubtful,
            Some(true) | None => Fall::Stood,
        }
    }
}

/// A link and its addresses as the last dump showed them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    /// The kernel's number.
    pub index: InterfaceIndex,
    /// The name, at most 15 bytes.
    pub name: String,
    /// What sort of device.
    pub kind: InterfaceKind,
    /// IFF_UP: set up by the administrator.
    pub up: bool,
    /// IFLA_CARRIER, with IFF_UP; a fresh query shows it while notifications are held back.
    pub carrier: bool,
    /// Enslaved to a bridge or bond: carries no addresses of its own.
    pub master: Option<InterfaceIndex>,
    /// Hardware address, if it has one of six bytes.
    pub mac: Option<MacAddress>,
    /// Addresses in the kernel's order (IPv4 primaries before their secondaries).
    pub addresses: Vec<InterfaceAddress>,
    /// What the kernel remembers of its past.
    pub history: LinkHistory,
}

impl Interface {
    /// An Ethernet interface that is up and has carrier, and so far no address.
    pub fn new(index: InterfaceIndex, name: &str) -> Self {
        Self {
            index,
            name: name.to_owned(),
            kind: InterfaceKind::Ethernet,
            up: true,
            carrier: true,
            master: None,
            mac: None,
            addresses: Vec::new(),
            history: LinkHistory::default(),
        }
    }

    /// Whether packets can pass: administratively up and with carrier.
    pub fn is_running(&self) -> bool {
        self.up && self.carrier
    }

    /// Our address whose prefix holds `neighbour` (usable as a source), the longest prefix first.
    pub fn source_for(&self, neighbour: &IpAddr) -> Option<IpAddr> {
        self.addresses
            .iter()
            .filter(|a| !a.tentative && a.prefix.contains(neighbour) && !is_point(&a.prefix))
            .max_by_key(|a| (a.prefix.prefix_len(), !a.secondary, !a.deprecated))
            .map(InterfaceAddress::address)
    }

    /// The link-local IPv6 address, once it can be used.
    pub fn link_local(&self) -> Option<Ipv6Addr> {
        self.addresses.iter().filter(|a| !a.tentative).find_map(|a| match a.address() {
            IpAddr::V6(v6) if v6.is_unicast_link_local() => Some(v6),
            IpAddr::V4(_) | IpAddr::V6(_) => None,
        })
    }
}

/// Whether an address is IPv6 link-local, fe80::/10: it means something on one link only.
pub fn is_link_local(address: &IpAddr) -> bool {
    matches!(address, IpAddr::V6(v6) if v6.is_unicast_link_local())
}

/// Whether a prefix holds a single address, so that nothing is on-link by it.
fn is_point(prefix: &IpNet) -> bool {
    prefix.prefix_len() == prefix.max_prefix_len()
}
