//! What can be seen from outside. Durations and times bear their unit in the name.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::destination::{Destination, DestinationCounts};
use super::group::GroupCounts;
use crate::engine::{LanSnapshot, Levels, PeerCounts};
use crate::units::millis;

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
    /// Routes that went with their interface and are saved.
    pub saved: usize,
    /// Addresses that are parked on `lo`.
    pub parked: usize,
    /// Routes with problems.
    pub problems: usize,
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
    /// How it is.
    #[serde(flatten)]
    pub snapshot: LanSnapshot,
    /// The administrator has taken it out of service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offline: Option<OfflineEntry>,
    /// Paths there that are up, down and unknown; those to absent peers are not counted.
    #[serde(flatten)]
    pub paths: Levels,
}

/// Why an interface is out of service, and for how long. Times are since 1970, UTC.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OfflineEntry {
    /// What the administrator said.
    pub reason: String,
    /// Since then.
    #[serde(rename = "since_ms", with = "millis")]
    pub since: Duration,
    /// Until then; absent: until it is put back.
    #[serde(rename = "until_ms", with = "millis", default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Duration>,
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

/// A route of ours, or one that is saved.
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
    /// Of another program, gone with its interface; restored when that returns.
    Saved,
    /// An address of an interface that is down, parked on `lo`.
    Parked,
    /// An overlay that the kernel refused, that others remove, or that cannot stand.
    Problem,
}
