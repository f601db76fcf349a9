//! The hosts that are probed, by interfaces of groups and by next hops, and the probes.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::watch::{InstanceSnapshot, ProbeRecord, TargetSnapshot};

/// All hosts that are probed.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Targets {
    /// By the interfaces of groups, a family each.
    pub members: Vec<MemberTargets>,
    /// By next hops: themselves, and hosts beyond them.
    pub next_hops: Vec<NextHopTargets>,
}

/// The hosts that one interface of a group probes in one family.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MemberTargets {
    /// The group; empty: anonymous.
    pub group: String,
    /// The interface.
    pub interface: String,
    /// The family, and its targets.
    #[serde(flatten)]
    pub instance: InstanceSnapshot,
}

/// The hosts by which one next hop of a destination is judged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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
    pub targets: Vec<TargetSnapshot>,
}

/// The last probes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probes {
    /// When this was answered, in milliseconds since 1970, UTC.
    pub time_ms: u64,
    /// In the order in which they were answered or given up.
    pub items: Vec<Probe>,
}

/// A probe that was answered or given up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probe {
    /// What became of it.
    #[serde(flatten)]
    pub record: ProbeRecord,
    /// When it was sent, in milliseconds since 1970, UTC.
    pub time_ms: u64,
}
