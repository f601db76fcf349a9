//! The protocol of the control socket (faild-control(7)): what the daemon can be asked, and what it answers. What the
//! core shows is sent as the core shows it: its snapshots are part of the protocol, and faildctl knows them from here.
//! Only what comes from several rooms, or is put into words, has types of its own.
//!
//! ```text
//! client                                   daemon
//!   {"version":2,"command":"lans"}\n  --->
//!                                     <--- {"version":2,"lans":[...]}\n
//! ```
//!
//! One request, one answer, a line each. What can be long comes in pages, so that no answer grows with the number of
//! peers or routes; only `events` with `follow` goes on for as long as the client listens.

mod destination;
mod event;
mod group;
mod target;
mod view;
mod why;

pub use crate::config::Method;
pub use crate::engine::{
    AddressSnapshot, LanSnapshot, LanState, Levels, NextHop, PathFigures, PathSnapshot, PeerCounts,
    PeerSnapshot,
};
pub use crate::watch::{
    GroupState, HopSnapshot, HopState, InstanceSnapshot, Link, MemberSnapshot, MemberState, Mode,
    ProbeRecord, Probing, TargetSnapshot,
};
pub use crate::wire::Level;
pub use destination::{Destination, DestinationCounts};
pub use event::Event;
pub use group::{DataAddress, Group, GroupAccount, GroupCounts, Member};
pub use target::{MemberTargets, NextHopTargets, Probe, Probes, Targets};
pub use view::{Health, Lan, OfflineEntry, Page, Realtime, Route, RouteKind, Routes, Status};
pub use why::{Decision, KernelWay, PathAccount, Reason, Rehearsal, ServingRoute, Step, Why};

use std::ops::RangeInclusive;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Version of requests and answers. It grows when a client that does not know the change would misread something;
/// new fields do not count.
pub const VERSION: u32 = 2;

/// Name of the socket in the runtime directory.
pub const SOCKET: &str = "control.sock";

/// Bytes of a request's line: the longest there is has a reason in it.
pub const LONGEST_REQUEST: usize = 4096;

/// Something that the daemon is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Request {
    /// How things are, in short.
    Status {},
    /// The LANs.
    Lans {},
    /// The peers and the paths to them, a page.
    Peers {
        /// Those after this node; from the beginning if absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after: Option<String>,
    },
    /// The groups of interfaces.
    Groups {},
    /// The hosts that are probed for groups and destinations.
    Targets {
        /// Those that this interface asks; all if absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        interface: Option<String>,
    },
    /// The last probes that were answered or given up.
    Probes {
        /// Those after this one; all that are kept if absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after: Option<u64>,
    },
    /// The overlays, what is remembered, and the destinations with their next hops, a page.
    Routes {
        /// Those after so many.
        #[serde(default)]
        after: usize,
    },
    /// Take an interface out of service: its traffic moves to where another way works.
    Offline {
        /// The interface.
        interface: String,
        /// For those who find it so.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
        /// Put it back after so many seconds.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        for_s: Option<u64>,
        /// Even if it is the last way to something.
        #[serde(default)]
        force: bool,
    },
    /// Put it back.
    Online {
        /// The interface.
        interface: String,
    },
    /// Failback policy `manual`: let traffic go home.
    Failback {},
    /// Why traffic goes where it goes.
    Why {
        /// An address or a prefix.
        destination: String,
    },
    /// What would be done if something failed; nothing is changed.
    Plan {
        /// An interface, a gateway, or a peer: its node id, name, or one of its addresses.
        fail: String,
    },
    /// What has happened.
    Events {
        /// Events after this one; all that are kept if absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after: Option<u64>,
        /// Go on with those that come, an answer each time.
        #[serde(default)]
        follow: bool,
    },
    /// Read the settings again.
    Reload {
        /// The settings from before come back after so many milliseconds, unless [`Request::Confirm`] comes.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        within_ms: Option<u64>,
    },
    /// Settings that are on trial stay.
    Confirm {},
    /// End.
    Stop {
        /// All overlays stay: another run follows.
        #[serde(default)]
        keep: bool,
    },
}

/// How long settings can be on trial.
pub const TRIAL: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(3600);

impl Request {
    /// Whether it changes something: then only root may ask.
    pub const fn is_change(&self) -> bool {
        match self {
            Request::Status {}
            | Request::Lans {}
            | Request::Peers { .. }
            | Request::Routes { .. }
            | Request::Groups {}
            | Request::Targets { .. }
            | Request::Probes { .. }
            | Request::Why { .. }
            | Request::Plan { .. }
            | Request::Events { .. } => false,
            Request::Offline { .. } | Request::Online { .. } | Request::Failback {} => true,
            Request::Reload { .. } | Request::Confirm {} | Request::Stop { .. } => true,
        }
    }

    /// The request as a line.
    pub fn to_line(&self) -> String {
        line(self)
    }

    /// Reads a request.
    ///
    /// # Errors
    ///
    /// What is wrong with the line.
    pub fn from_line(line: &[u8]) -> Result<Self, Refusal> {
        let bad = |message: String| Refusal { kind: RefusalKind::BadRequest, message };
        let mut value: serde_json::Value =
            serde_json::from_slice(line).map_err(|error| bad(format!("not a line of JSON: {error}")))?;
        let version = value.as_object_mut().and_then(|fields| fields.remove("version"));
        match version.as_ref().and_then(serde_json::Value::as_u64) {
            Some(version) if version == u64::from(VERSION) => {}
            Some(other) => {
                return Err(Refusal {
                    kind: RefusalKind::WrongVersion,
                    message: format!(
                        "protocol version {other} is not supported, only {VERSION}; use the faildctl of the same version"
                    ),
                });
            }
            None => return Err(bad(format!("has no version; add \"version\":{VERSION}"))),
        }
        serde_json::from_value(value).map_err(|error| bad(error.to_string()))
    }
}

/// What the daemon answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reply {
    /// To [`Request::Status`].
    Status(Box<Status>),
    /// To [`Request::Lans`].
    Lans(Vec<Lan>),
    /// To [`Request::Peers`].
    Peers(Page<PeerSnapshot, String>),
    /// To [`Request::Routes`].
    Routes(Routes),
    /// To [`Request::Groups`].
    Groups(Vec<Group>),
    /// To [`Request::Targets`].
    Targets(Targets),
    /// To [`Request::Probes`].
    Probes(Probes),
    /// To [`Request::Events`].
    Events(Vec<Event>),
    /// To [`Request::Why`].
    Why(Box<Why>),
    /// To [`Request::Plan`].
    Plan(Rehearsal),
    /// It was done; in words.
    Done(String),
    /// It was not.
    Error(Refusal),
}

impl Reply {
    /// The answer as a line.
    pub fn to_line(&self) -> String {
        line(self)
    }

    /// Reads an answer. Fields that are not known are left out: a newer daemon may say more.
    ///
    /// # Errors
    ///
    /// It is in another version of the protocol, whatever it says, or cannot be read.
    pub fn from_line(line: &str) -> Result<Self, Unreadable> {
        match serde_json::from_str::<Envelope>(line)?.version {
            VERSION => Ok(serde_json::from_str::<Versioned<Reply>>(line)?.content),
            other => Err(Unreadable::Version(other)),
        }
    }
}

/// Why an answer cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// It is in this version of the protocol.
    #[error("protocol version {0} is not supported, only {VERSION}")]
    Version(u32),
    /// It is not an answer of this version.
    #[error(transparent)]
    Content(#[from] serde_json::Error),
}

/// Why something was not done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// For programs.
    pub kind: RefusalKind,
    /// For people: what, why, how to fix it.
    pub message: String,
}

/// The kinds of refusals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RefusalKind {
    /// The request cannot be understood.
    BadRequest,
    /// Of another version of the protocol.
    WrongVersion,
    /// Only root may.
    Denied,
    /// What was named is not there.
    NotFound,
    /// It would do harm, or makes no sense just now.
    Refused,
    /// It was tried.
    Failed,
}

/// The envelope of everything.
#[derive(Serialize, Deserialize)]
struct Versioned<T> {
    version: u32,
    #[serde(flatten)]
    content: T,
}

/// What is read first: the rest may be in another version.
#[derive(Deserialize)]
struct Envelope {
    version: u32,
}

/// These types have text as keys and no number that JSON lacks, so that writing them cannot fail.
fn line(content: &impl Serialize) -> String {
    serde_json::to_string(&Versioned { version: VERSION, content }).unwrap_or_default()
}

#[cfg(test)]
mod tests;
