//! The hosts that are probed, by interfaces of groups and by next hops, and the probes.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// All hosts that are probed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Targets {
    /// By the interfaces of groups, a family each.
    pub members: Vec<MemberTargets>,
    /// By next hops: themselves, and hosts beyond them.
    pub next_hops: Vec<NextHopTargets>,
}

/// The hosts that one interface of a group asks in one family.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberTargets {
    /// The group; empty: anonymous.
    pub group: String,
    /// The interface.
    pub interface: String,
    /// `ipv4` or `ipv6`.
    pub family: String,
    /// Where they come from.
    pub mode: Mode,
    /// Where probes come from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test_address: Option<IpAddr>,
    /// In the order in which they are asked.
    pub targets: Vec<Target>,
    /// Answers that were none: from somebody else, by another interface, or a second time.
    #[serde(default)]
    pub bogus: u64,
}

/// Where the targets of an interface come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Routers of the routing table, or what the settings name.
    Routes,
    /// Hosts that were found.
    Multicast,
    /// Nobody is asked.
    Disabled,
}

/// The hosts by which one next hop of a destination is judged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NextHopTargets {
    /// The destination, a prefix.
    pub destination: String,
    /// Its routing table.
    pub table: u32,
    /// The interface.
    pub interface: String,
    /// The gateway; absent on a link with only one other end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub via: Option<IpAddr>,
    /// The gateway itself first.
    pub targets: Vec<Target>,
}

/// One probed host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// Its name in the configuration, or its address.
    pub name: String,
    /// Its address.
    pub address: IpAddr,
    /// How it is asked.
    pub method: Method,
    /// What is thought of it.
    pub state: HopState,
    /// Probes missed in a row.
    pub missed: u32,
    /// Probes answered in a row.
    pub good: u32,
    /// Percent of probes lost within the window.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loss_percent: Option<u8>,
    /// Mean round trip.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub round_trip_us: Option<u64>,
    /// How long ago it answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answered_ms: Option<u64>,
}

/// How a host is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// ARP or neighbour discovery.
    Neighbour,
    /// ICMP echo.
    Echo,
    /// INQ and ACK: it runs faild.
    Peer,
}

/// What is thought of a next hop or target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HopState {
    /// Not decided.
    Unknown,
    /// It works.
    Works,
    /// It answers, with too much loss or too slowly.
    Poor,
    /// It does not answer.
    Failed,
}

/// The last probes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probes {
    /// When this was answered, in milliseconds since 1970 in UTC.
    pub time_ms: u64,
    /// In the order in which they were answered or given up.
    pub items: Vec<Probe>,
}

/// A probe that was answered or given up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probe {
    /// Counts all since the start, from 1; a gap tells of some that were missed.
    pub number: u64,
    /// When it was sent, in milliseconds since 1970 in UTC.
    pub time_ms: u64,
    /// The interface.
    pub interface: String,
    /// Its number in its series.
    pub sequence: u16,
    /// Who was asked.
    pub target: IpAddr,
    /// How.
    pub method: Method,
    /// From sending to the kernel's stamp of the answer; absent: it was lost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub round_trip_us: Option<u64>,
    /// Smoothed round trip of the target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub average_us: Option<u64>,
    /// Smoothed deviation of that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deviation_us: Option<u64>,
}
