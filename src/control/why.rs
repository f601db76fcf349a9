//! The answers to `why` and `plan`. Each reason is a word for programs with a sentence for people.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::destination::Destination;
use super::group::GroupAccount;
use crate::engine::{NextHop, PathFigures};
use crate::wire::NodeId;

/// Why traffic goes where it goes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Why {
    /// What was asked for.
    pub destination: String,
    /// What the kernel does with it now.
    pub kernel: KernelWay,
    /// The routes over the LANs that lead to it; absent if there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub route: Option<ServingRoute>,
    /// The destination of the settings that governs it; absent if none does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<Destination>,
    /// The group by whose interface it leaves; absent if it is none's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<GroupAccount>,
    /// The peer's address that decides; absent if nothing is known of any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decision: Option<Decision>,
}

/// What the kernel does with a packet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KernelWay {
    /// It leaves.
    Leaves {
        /// By this interface.
        interface: String,
        /// To this next hop; absent: to its destination itself.
        #[serde(skip_serializing_if = "Option::is_none")]
        via: Option<IpAddr>,
        /// With this source if its sender does not say.
        #[serde(skip_serializing_if = "Option::is_none")]
        source: Option<IpAddr>,
    },
    /// It is for this host.
    Local {},
    /// It is refused, for this reason.
    Refused(String),
}

/// Routes to one prefix.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServingRoute {
    /// The prefix.
    pub prefix: String,
    /// Ours, as `ip route` would write it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub overlay: Option<String>,
    /// The one that it stands in for, or that serves.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub original: Option<String>,
    /// It went with its interface and is remembered.
    pub original_gone: bool,
    /// What does not go smoothly.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// What was decided about a peer's address.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    /// The address.
    pub address: IpAddr,
    /// The interface of its home LAN.
    pub home: String,
    /// The peer.
    pub node: NodeId,
    /// Its name in the configuration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Where its traffic is wanted; absent: at home, or undecided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detour: Option<NextHop>,
    /// Why.
    pub reason: Reason,
    /// What must happen before failback; empty if it is home.
    pub waiting_for: Vec<Reason>,
    /// The paths to the peer, home first.
    pub paths: Vec<PathAccount>,
}

/// A reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// For programs.
    pub word: String,
    /// For people.
    pub text: String,
}

/// A path of a decision.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PathAccount {
    /// Its counters against their thresholds.
    #[serde(flatten)]
    pub figures: PathFigures,
    /// What the verdict rests on, a word.
    pub evidence: String,
    /// What keeps us from failing back to it.
    pub unready: Vec<Reason>,
}

/// What would be done if something failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rehearsal {
    /// What was played, in words.
    pub fault: String,
    /// What faild would do, the first of it.
    pub steps: Vec<Step>,
    /// How many steps there are in all.
    pub count: usize,
    /// Why there is none, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// One operation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// Time from the fault until it is asked for, about.
    pub after_ms: u64,
    /// The command of iproute2 that does the same.
    pub command: String,
}
