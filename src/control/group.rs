//! Groups of interfaces, as they are shown. The words are those of ipmpstat(8) where it has some.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::target::MemberTargets;
use super::view::Offline;
use super::why::Reason;

/// Interfaces that stand in for each other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// Its name; empty: anonymous, nothing stands in.
    pub name: String,
    /// What it is worth.
    pub state: GroupState,
    /// Within this time a silent member is found failed; absent if none is probed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detection_ms: Option<u64>,
    /// The interfaces.
    pub members: Vec<Member>,
}

/// What a group is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GroupState {
    /// All its members are usable.
    Ok,
    /// Some are not.
    Degraded,
    /// None is.
    Failed,
}

/// One interface of a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Its name.
    pub interface: String,
    /// How it is.
    pub state: MemberState,
    /// Carries traffic.
    pub active: bool,
    /// Is used only while another one is not.
    pub standby: bool,
    /// Works and is held back.
    pub inactive: bool,
    /// Its MAC address is another member's too.
    pub duplicate_mac: bool,
    /// Has no address that data could bear.
    pub no_data_address: bool,
    /// Its link.
    pub link: Link,
    /// What its probes say.
    pub probe: Probing,
    /// Who stands in for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stand_in: Option<String>,
    /// The administrator has taken it out of service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offline: Option<Offline>,
    /// Its addresses for data: neither the test address nor one of the link alone.
    pub addresses: Vec<DataAddress>,
}

/// How an interface of a group is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MemberState {
    /// It works.
    Ok,
    /// It does not.
    Failed,
    /// It is out of service.
    Offline,
    /// Nobody can tell.
    Unknown,
}

/// The link of an interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Link {
    /// Packets can pass.
    Up,
    /// They cannot.
    Down,
    /// The driver does not tell.
    Unknown,
}

/// What the probes of an interface say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Probing {
    /// They are answered.
    Ok,
    /// They are not.
    Failed,
    /// There is nobody to ask.
    Unknown,
    /// There is no address to ask from.
    Disabled,
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
