//! Destinations with their next hops, as they are shown.

use serde::{Deserialize, Serialize};

use super::why::Reason;
use crate::watch::HopSnapshot;

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
    pub problem: Option<String>,
    /// By rank; with their targets only in the answer to `why`.
    pub next_hops: Vec<HopSnapshot>,
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
