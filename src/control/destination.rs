//! Destinations with their next hops, as they are shown.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::target::{HopState, Target};
use super::why::Reason;

/// A destination that follows the next hop that works.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Destination {
    /// The prefix.
    pub destination: String,
    /// The routing table.
    pub table: u32,
    /// Why it goes where it goes.
    pub reason: Reason,
    /// Our route to it, as `ip route` would write it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overlay: Option<String>,
    /// The best route of others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub original: Option<String>,
    /// What does not go as wanted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
    /// By rank.
    pub next_hops: Vec<DestinationHop>,
}

/// A next hop of a destination.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DestinationHop {
    /// The interface.
    pub interface: String,
    /// The gateway; absent on a link with only one other end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub via: Option<IpAddr>,
    /// The lowest that works is used.
    pub rank: u8,
    /// Its share among equals.
    pub weight: u8,
    /// What is thought of it.
    pub state: HopState,
    /// Carries traffic.
    pub in_use: bool,
    /// Why it is not used, or why it is as it is, in words; may be empty.
    pub reason: String,
    /// Damping penalty by now.
    pub penalty: f64,
    /// What that rests on; only in the answer to `why`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub targets: Vec<Target>,
}

/// How many destinations there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct DestinationCounts {
    /// All.
    pub known: usize,
    /// Those with a next hop that does not work, or poorly.
    pub degraded: usize,
    /// Those that do not go by their first choice.
    pub moved: usize,
    /// Those none of whose next hops works.
    pub silent: usize,
}
