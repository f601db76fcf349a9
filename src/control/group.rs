//! Groups of interfaces, as they are shown. The words are those of ipmpstat(8) where it has some.

use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::target::MemberTargets;
use super::view::OfflineEntry;
use super::why::Reason;
use crate::units::millis;
use crate::watch::{GroupState, MemberSnapshot};

/// Interfaces that take over for each other.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Group {
    /// Its name; empty: anonymous, nothing takes over.
    pub name: String,
    /// What it is worth.
    pub state: GroupState,
    /// Within this time a silent member is found failed; absent if none is probed.
    #[serde(rename = "detection_ms", with = "millis", default, skip_serializing_if = "Option::is_none")]
    pub detection: Option<Duration>,
    /// The interfaces.
    pub members: Vec<Member>,
}

/// One interface of a group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Member {
    /// How it is.
    #[serde(flatten)]
    pub snapshot: MemberSnapshot,
    /// The administrator has taken it out of service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offline: Option<OfflineEntry>,
    /// Its addresses for data: neither the test address nor one of the link alone.
    pub addresses: Vec<DataAddress>,
}

/// An address of an interface.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataAddress {
    /// The address.
    pub address: IpAddr,
    /// It can be used: the interface is set up, and nobody else was found to have it.
    pub up: bool,
}

/// A group by whose interface traffic leaves, or would.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GroupAccount {
    /// Why it leaves by that interface.
    pub reason: Reason,
    /// The group.
    pub group: Group,
    /// What its interfaces ask.
    pub targets: Vec<MemberTargets>,
}

/// How many groups there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct GroupCounts {
    /// All.
    pub known: usize,
    /// Those with a member that is not usable, and with another that is.
    pub degraded: usize,
    /// Those without a usable member.
    pub failed: usize,
}
