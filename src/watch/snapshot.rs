//! All that status and logs may see of the watch.

use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::plan::{Destination, Way};
use crate::config::Method;
use crate::interface::Family;
use crate::time::Instant;
use crate::units::{micros, millis};
use crate::words::display_as_in_json;

/// The state at one moment.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Snapshot {
    /// The destinations of `[[route]]`.
    pub routes: Vec<RouteSnapshot>,
    /// The groups.
    pub groups: Vec<GroupSnapshot>,
    /// The last probes that were answered or given up, oldest first.
    pub recent: Vec<ProbeRecord>,
}

/// What is thought of a next hop or target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HopState {
    /// Not decided yet.
    Unknown,
    /// It answers.
    Up,
    /// It answers, with too much loss or too slowly.
    Degraded,
    /// It does not.
    Down,
}

/// One destination.
#[derive(Debug, Clone, PartialEq)]
pub struct RouteSnapshot {
    /// Which.
    pub destination: Destination,
    /// Where it goes.
    pub way: Way,
    /// No next hop works: nothing moves.
    pub all_silent: bool,
    /// The next hops by rank.
    pub hops: Vec<HopSnapshot>,
}

impl RouteSnapshot {
    /// Whether all next hops of the first rank serve; `None`: nothing is decided.
    pub fn goes_by_first_choice(&self) -> Option<bool> {
        let first = self.hops.iter().map(|hop| hop.rank).min();
        let is_left = |hop: &HopSnapshot| Some(hop.rank) == first && !hop.in_use;
        (self.way != Way::Undecided).then(|| !self.hops.iter().any(is_left))
    }
}

/// One next hop.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HopSnapshot {
    /// Name of the interface.
    pub interface: String,
    /// The gateway.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub via: Option<IpAddr>,
    /// The lowest that works is used.
    pub rank: u8,
    /// Its share among equals.
    pub weight: u8,
    /// The verdict.
    pub state: HopState,
    /// Carries traffic.
    pub in_use: bool,
    /// Why it does not serve although it works, or why it is as it is, in words.
    pub reason: String,
    /// Damping penalty by now, rounded.
    pub penalty: f64,
    /// The gateway itself and the targets beyond it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub targets: Vec<TargetSnapshot>,
}

/// One probed host.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TargetSnapshot {
    /// Its name as it was written, or its address.
    pub name: String,
    /// Its address.
    pub address: IpAddr,
    /// How it is asked.
    pub method: Method,
    /// The verdict.
    pub state: HopState,
    /// Probes missed in a row.
    pub missed: u32,
    /// Probes answered in a row.
    pub good: u32,
    /// Percent of probes lost within the window.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loss_percent: Option<u8>,
    /// Mean round trip within the window.
    #[serde(rename = "round_trip_us", with = "micros", default, skip_serializing_if = "Option::is_none")]
    pub round_trip: Option<Duration>,
    /// How long ago it answered.
    #[serde(rename = "answered_ms", with = "millis", default, skip_serializing_if = "Option::is_none")]
    pub answered: Option<Duration>,
}

/// What a group is worth (ipmpstat(8)).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GroupState {
    /// All members are usable.
    Ok,
    /// Some are not.
    Degraded,
    /// None is.
    Failed,
}

/// One group.
#[derive(Debug, Clone, PartialEq)]
pub struct GroupSnapshot {
    /// The name; empty: anonymous.
    pub name: String,
    /// Its worth.
    pub state: GroupState,
    /// The detection time in force; none if nobody is probed.
    pub detection_time: Option<Duration>,
    /// The interfaces.
    pub members: Vec<MemberSnapshot>,
}

/// State of an interface (ipmpstat(8)).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MemberState {
    /// Works.
    Ok,
    /// Does not.
    Failed,
    /// Taken out of service.
    Offline,
    /// Nobody can tell.
    Unknown,
}

/// State of its link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Link {
    /// Up.
    Up,
    /// Down.
    Down,
    /// The driver does not tell.
    Unknown,
}

/// What its probes say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Probing {
    /// Answered.
    Ok,
    /// Not answered.
    Failed,
    /// There is nobody to ask.
    Unknown,
    /// There is no address to ask from.
    Disabled,
}

/// One interface of a group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MemberSnapshot {
    /// Its name.
    pub interface: String,
    /// Carries traffic.
    pub active: bool,
    /// Is a standby.
    pub standby: bool,
    /// Works and is held back.
    pub inactive: bool,
    /// Its MAC is another member's too.
    pub duplicate_mac: bool,
    /// Has no address that data could bear.
    pub no_data_address: bool,
    /// Its state.
    pub state: MemberState,
    /// Its link.
    pub link: Link,
    /// Its probes.
    #[serde(rename = "probe")]
    pub probing: Probing,
    /// Who stands in for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub taken_over_by: Option<String>,
    /// The families that are probed.
    #[serde(skip)]
    pub instances: Vec<InstanceSnapshot>,
}

/// Where targets come from (ipmpstat(8), MODE).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Routers of the routing table, or configured ones.
    Routes,
    /// Hosts that were found.
    Multicast,
    /// Nobody is probed.
    Disabled,
}

/// One family of an interface.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InstanceSnapshot {
    /// The family.
    pub family: Family,
    /// Where probes come from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test_address: Option<IpAddr>,
    /// Where targets come from.
    pub mode: Mode,
    /// The targets in the order in which they are asked.
    pub targets: Vec<TargetSnapshot>,
    /// Answers that were none: from somebody else, by another interface, or a second time.
    pub invalid: u64,
}

/// A probe that was answered or given up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbeRecord {
    /// Counts all records since the start, from 1: a follower asks for what comes after the last it saw.
    pub number: u64,
    /// The interface.
    pub interface: String,
    /// Its number in its series.
    pub sequence: u16,
    /// Who was asked.
    pub target: IpAddr,
    /// How.
    pub method: Method,
    /// When.
    #[serde(skip)]
    pub sent: Instant,
    /// From sending to the kernel's stamp of the answer; none: lost.
    #[serde(rename = "round_trip_us", with = "micros", default, skip_serializing_if = "Option::is_none")]
    pub round_trip: Option<Duration>,
    /// Smoothed round trip of the target.
    #[serde(rename = "average_us", with = "micros", default, skip_serializing_if = "Option::is_none")]
    pub average: Option<Duration>,
    /// Smoothed deviation of that.
    #[serde(rename = "deviation_us", with = "micros", default, skip_serializing_if = "Option::is_none")]
    pub deviation: Option<Duration>,
}

display_as_in_json!(HopState, GroupState, MemberState, Link, Probing, Mode);
