//! What the engine wants: for each address of each peer, where its traffic should go.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// What a verdict is about: an address of a peer on one of our LANs. Routes to it, and routes by it as a gateway,
/// follow the verdict. Link-local addresses are subjects too: they serve as gateways.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Subject {
    /// Name of the interface of the address's home LAN; shared, thousands of subjects have the same.
    pub home: Arc<str>,
    /// The peer's address there.
    pub address: IpAddr,
}

/// Where traffic for a subject should go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Home works and has been proven: no overlay.
    Home,
    /// Home is dead: overlays by this next hop.
    Detour(NextHop),
    /// Not known: whatever overlay is there stays, none is made.
    Undecided,
}

/// A way to a peer.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct NextHop {
    /// Name of our interface.
    pub interface: String,
    /// The peer's address on the LAN behind it.
    pub via: IpAddr,
}

/// The engine's verdict on all subjects. A subject that is not in it is undecided.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    /// The verdicts.
    pub subjects: BTreeMap<Subject, Verdict>,
    /// Names of the interfaces that serve as LANs, whether they exist just now or not. Routes over others are
    /// none of our business.
    pub lans: Vec<String>,
}

/// What became of a subject in the kernel, told to the engine by reconcile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The overlays of the subject stand in the kernel and use this way.
    Applied(NextHop),
    /// No overlay of the subject stands in the kernel.
    Lifted,
    /// The kernel refused the overlay (errno); it will be tried again.
    Refused(i32),
    /// Somebody else removes the overlay again and again.
    Contested,
}
