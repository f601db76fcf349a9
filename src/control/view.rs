//! What can be seen from outside. Durations and times bear their unit in the name.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::destination::{Destination, DestinationCounts};
use super::group::GroupCounts;

/// How things are, in short.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// The verdict on everything, for monitoring.
    pub health: Health,
    /// What is wrong, a line each; none if all is well.
    pub reasons: Vec<String>,
    /// Our node id.
    pub node: String,
    /// Version of the program.
    pub program: String,
    /// The process.
    pub pid: u32,
    /// How long it has run.
    pub uptime_ms: u64,
    /// Asks of its own accord.
    pub requestor: bool,
    /// Changes nothing.
    pub dry_run: bool,
    /// Settings were reloaded on trial, and go back after this time unless they are confirmed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unconfirmed_ms: Option<u64>,
    /// Whether the daemon runs at real-time priority; absent from daemons that do not know it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub realtime: Option<Realtime>,
    /// Probes bear a key's signature.
    pub keyed: bool,
    /// The interval of probes in force.
    pub interval_us: u64,
    /// Missed slots that make a path down.
    pub missed: u32,
    /// Good slots that make it up.
    pub good: u32,
    /// The LANs.
    pub lans: Vec<Lan>,
    /// How many peers there are.
    pub peers: PeerCounts,
    /// How many groups of interfaces there are.
    #[serde(default)]
    pub groups: GroupCounts,
    /// How many destinations there are that follow the next hop that works.
    #[serde(default)]
    pub destinations: DestinationCounts,
    /// Overlays that stand.
    pub overlays: usize,
    /// Routes that are gone and remembered.
    pub remembered: usize,
    /// Addresses that wait on `lo`.
    pub waiting: usize,
    /// Routes of which something does not go smoothly.
    pub troubles: usize,
    /// Datagrams received.
    pub received: u64,
    /// Datagrams sent.
    pub sent: u64,
    /// Datagrams dropped, by reason.
    pub dropped: BTreeMap<String, u64>,
}

/// Real-time priority, as it is in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Realtime {
    /// The settings want it, and this is no dry run.
    pub wanted: bool,
    /// The priority; absent while the daemon runs at ordinary priority.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<u32>,
    /// All memory stays resident.
    pub memory_locked: bool,
    /// Why something that is wanted is not in force, each as `CAUSE; FIX`; none if all is.
    pub problems: Vec<String>,
}

/// The verdict on everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Health {
    /// Every LAN works, every path to every peer that is present, every group, and every destination's first choice.
    Ok,
    /// Everybody who is present is reached, but something is broken.
    Degraded,
    /// No LAN works, no peer is reached of those that are known, a group has no usable interface, or a destination no
    /// next hop that works.
    Failed,
}

/// One LAN.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lan {
    /// Its interface.
    pub interface: String,
    /// Our number for it on the wire.
    pub index: u8,
    /// How it is.
    pub state: LanState,
    /// The name that its interface has by now, if the state is `renamed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renamed_to: Option<String>,
    /// The administrator has taken it out of service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offline: Option<Offline>,
    /// Our addresses there, as far as the interface has them just now.
    pub addresses: Vec<IpAddr>,
    /// Paths there that are up, down and unknown; those to absent peers are not counted.
    pub up: usize,
    /// See `up`.
    pub down: usize,
    /// See `up`.
    pub unknown: usize,
}

/// Why a LAN is out of service, and for how long. Times since 1970 in UTC.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offline {
    /// What the administrator said.
    pub reason: String,
    /// Since then.
    pub since_ms: u64,
    /// Until then; absent: until it is put back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until_ms: Option<u64>,
}

/// How a LAN is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LanState {
    /// It works.
    Up,
    /// Everybody is silent there who is heard elsewhere.
    Silent,
    /// Its interface has no carrier.
    NoCarrier,
    /// Somebody set its interface down.
    SetDown,
    /// There is no interface of that name.
    Gone,
    /// Its interface has another name by now, and the settings want the old one.
    Renamed,
}

/// How many peers there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct PeerCounts {
    /// All that are known.
    pub known: usize,
    /// Those that are heard on some path.
    pub present: usize,
    /// Those of them with a path that is down.
    pub degraded: usize,
    /// Those with traffic away from home.
    pub moved: usize,
}

/// A part of a long list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Page<T, K> {
    /// The items.
    pub items: Vec<T>,
    /// Ask again with this as `after` for those that follow; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub more: Option<K>,
}

/// A part of the routes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Routes {
    /// The destinations that follow the next hop that works; on the first page only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub destinations: Vec<Destination>,
    /// The routes.
    #[serde(flatten)]
    pub page: Page<Route, usize>,
}

/// One peer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Peer {
    /// Its id.
    pub node: String,
    /// Its name in the configuration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Heard on some path.
    pub present: bool,
    /// Asks of its own accord.
    pub requestor: bool,
    /// Only watches.
    pub observer: bool,
    /// The interval that it announces.
    pub interval_us: u64,
    /// The paths to it.
    pub paths: Vec<Path>,
}

/// One path.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Path {
    /// Our interface.
    pub interface: String,
    /// `ipv4` or `ipv6`.
    pub family: String,
    /// The verdict.
    pub state: PathState,
    /// We have taken its LAN out of service, and something else serves.
    #[serde(default)]
    pub drained: bool,
    /// What we count.
    pub counted: PathState,
    /// What the peer reports.
    pub reported: PathState,
    /// Slots missed in a row.
    pub missed: u32,
    /// Clean slots in a row.
    pub good: u32,
    /// We would go home to it.
    pub ready: bool,
    /// The peer would.
    pub peer_ready: bool,
    /// We have moved traffic away from it.
    pub moved: bool,
    /// The peer has.
    pub peer_moved: bool,
    /// Smoothed round trip.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub round_trip_us: Option<u64>,
    /// How long ago it was heard.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub heard_ms: Option<u64>,
    /// Damping penalty by now.
    pub penalty: f64,
    /// The peer's addresses there.
    pub addresses: Vec<Address>,
}

/// The verdict on a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PathState {
    /// Not decided.
    Unknown,
    /// It works.
    Up,
    /// It does not.
    Down,
}

/// An address of a peer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Address {
    /// The address.
    pub address: IpAddr,
    /// It has answered.
    pub proven: bool,
    /// What its traffic goes by if not home.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub way: Option<NextHop>,
}

/// A way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NextHop {
    /// Our interface.
    pub interface: String,
    /// The address behind it.
    pub via: IpAddr,
}

/// A route of ours, or one that we remember.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// What it is.
    pub kind: RouteKind,
    /// Destination, or the address.
    pub destination: String,
    /// What `ip route` would write; for an address where it belongs.
    pub text: String,
}

/// What a line of `routes` is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RouteKind {
    /// Stands in the kernel in front of another.
    Overlay,
    /// Somebody else's, gone with its interface; put back when that returns.
    Remembered,
    /// An address of an interface that is down, which waits on `lo`.
    Waiting,
    /// An overlay that the kernel refused, that others remove, or that cannot stand.
    Trouble,
}
