//! Changes of state that people and programs want to be told of, all derived here, by comparing what the engine and the
//! watch show from one moment to the next. Hooks and followers of events get the same.
//!
//! Everything is unknown at first. What was good and is no longer is lost; what was lost and is good again is regained:
//! so each loss is told once, and each return only after its loss.

mod watched;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;

use crate::config::ChangeKind;
use crate::engine::{LanSnapshot, LanState, PeerSnapshot, Snapshot};
use crate::gather::Gather;
use crate::watch::Destination;
use crate::wire::{LanIndex, Level, NodeId};
use watched::Worth;

/// A peer, as it is told of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerWords {
    /// Its id.
    pub node: NodeId,
    /// Its name, where the settings name it.
    pub name: Option<String>,
    /// Addresses that it has shown, [`MOST_ADDRESSES`] at most.
    pub addresses: Vec<IpAddr>,
}

/// What has changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// How.
    pub kind: ChangeKind,
    /// The interface of the LAN, or of the group.
    pub interface: Option<String>,
    /// The group; empty: anonymous.
    pub group: Option<String>,
    /// The destination.
    pub destination: Option<Destination>,
    /// The peer; or for redundancy those that have none, [`MOST_PEERS`] at most.
    pub peers: Vec<PeerWords>,
    /// How many peers there are, `peers` may be less.
    pub count: usize,
}

/// What a change is about: changes of one thing keep their order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// Whether a peer is there.
    Peer(NodeId),
    /// A LAN, by its interface.
    Lan(String),
    /// Whether all peers can be reached in two ways.
    Redundancy,
    /// Where traffic for a peer goes.
    Traffic(NodeId),
    /// What a group of interfaces is worth, by its name.
    Group(String),
    /// An interface of a group, by its name.
    Member(String),
    /// Where a destination goes.
    Route(Option<Destination>),
    /// Whether any next hop of a destination works.
    Reach(Option<Destination>),
}

impl Subject {
    /// Whether it is the watch's, not the engine's.
    const fn is_watched(&self) -> bool {
        match self {
            Subject::Group(_) | Subject::Member(_) | Subject::Route(_) | Subject::Reach(_) => true,
            Subject::Peer(_) | Subject::Lan(_) | Subject::Redundancy | Subject::Traffic(_) => false,
        }
    }
}

/// Remembers what was.
#[derive(Debug, Default)]
pub struct Tracker {
    /// Whether each thing was good when last seen; what is not in here is unknown.
    known: BTreeMap<Subject, bool>,
    /// What groups were worth, those that were ever usable.
    worth: BTreeMap<String, Worth>,
}

impl Tracker {
    /// What has changed since the last time.
    pub fn observe(&mut self, snapshot: &Snapshot) -> Vec<Change> {
        let mut changes = Vec::new();
        let mut seen = BTreeSet::new();
        for lan in &snapshot.lans {
            let subject = Subject::Lan(lan.interface.clone());
            let kinds = (ChangeKind::LanDown, ChangeKind::LanUp);
            let Some(is_good) = is_good(lan, snapshot) else {
                seen.insert(subject);
                continue;
            };
            self.compare(&mut seen, subject, is_good, kinds, |kind| {
                changes.push(Change { interface: Some(lan.interface.clone()), ..Change::plain(kind) });
            });
        }
        for peer in &snapshot.peers {
            let words = Self::words(peer);
            let mut tell =
                |kind| changes.push(Change { peers: vec![words.clone()], count: 1, ..Change::plain(kind) });
            let presence = (ChangeKind::PeerDown, ChangeKind::PeerUp);
            self.compare(&mut seen, Subject::Peer(peer.node), peer.present, presence, &mut tell);
            let traffic = (ChangeKind::PeerFailover, ChangeKind::PeerFailback);
            self.compare(&mut seen, Subject::Traffic(peer.node), !is_moved(peer), traffic, &mut tell);
        }
        self.observe_redundancy(snapshot, &mut seen, &mut changes);
        self.known.retain(|subject, _| seen.contains(subject) || subject.is_watched());
        changes
    }

    fn observe_redundancy(
        &mut self,
        snapshot: &Snapshot,
        seen: &mut BTreeSet<Subject>,
        changes: &mut Vec<Change>,
    ) {
        let present = || snapshot.peers.iter().filter(|peer| peer.present);
        let single: Vec<&PeerSnapshot> =
            present().filter(|peer| standing(peer) == Standing::Single).collect();
        let is_good = single.is_empty();
        if is_good && !present().any(|peer| standing(peer) == Standing::Redundant) {
            // Nobody is there, or nobody is known well enough: what was said last still stands.
            seen.insert(Subject::Redundancy);
            return;
        }
        let peers = single.iter().take(MOST_PEERS).map(|peer| Self::words(peer)).collect();
        let kinds = (ChangeKind::RedundancyLost, ChangeKind::RedundancyRestored);
        self.compare(seen, Subject::Redundancy, is_good, kinds, |kind| {
            changes.push(Change { peers, count: single.len(), ..Change::plain(kind) });
        });
    }

    /// Calls `tell` if what was good is lost, or what was lost is good.
    fn compare(
        &mut self,
        seen: &mut BTreeSet<Subject>,
        subject: Subject,
        is_good: bool,
        (lost, regained): (ChangeKind, ChangeKind),
        tell: impl FnOnce(ChangeKind),
    ) {
        seen.insert(subject.clone());
        match (self.known.get(&subject), is_good) {
            (None, false) | (Some(false), false) | (Some(true), true) => {}
            (None, true) => _ = self.known.insert(subject, true),
            (Some(_), is_good) => {
                self.known.insert(subject, is_good);
                tell(if is_good { regained } else { lost });
            }
        }
    }

    fn words(peer: &PeerSnapshot) -> PeerWords {
        let all = || peer.paths.iter().flat_map(|path| &path.addresses).map(|a| a.address);
        PeerWords {
            node: peer.node,
            name: peer.name.clone(),
            addresses: all().take(MOST_ADDRESSES).collect(),
        }
    }
}

impl Change {
    /// A change of which nothing else is told.
    pub(crate) const fn plain(kind: ChangeKind) -> Self {
        Self { kind, interface: None, group: None, destination: None, peers: Vec::new(), count: 0 }
    }

    /// What it is about.
    pub fn subject(&self) -> Subject {
        let node = self.peers.first().map_or(NodeId(0), |peer| peer.node);
        match self.kind {
            ChangeKind::PeerDown | ChangeKind::PeerUp => Subject::Peer(node),
            ChangeKind::LanDown | ChangeKind::LanUp => {
                Subject::Lan(self.interface.clone().unwrap_or_default())
            }
            ChangeKind::RedundancyLost | ChangeKind::RedundancyRestored => Subject::Redundancy,
            ChangeKind::PeerFailover | ChangeKind::PeerFailback => Subject::Traffic(node),
            ChangeKind::GroupFailed | ChangeKind::GroupDegraded | ChangeKind::GroupOk => {
                Subject::Group(self.group.clone().unwrap_or_default())
            }
            ChangeKind::InterfaceFailed | ChangeKind::InterfaceRepaired => {
                Subject::Member(self.interface.clone().unwrap_or_default())
            }
            ChangeKind::RouteFailover | ChangeKind::RouteFailback => Subject::Route(self.destination),
            ChangeKind::RouteDown | ChangeKind::RouteUp => Subject::Reach(self.destination),
        }
    }
}

impl fmt::Display for Change {
    /// `event-name key=value ...`, one line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.name())?;
        if let Some(interface) = &self.interface {
            write!(f, " interface={interface}")?;
        }
        if let Some(group) = &self.group {
            write!(f, " group={group}")?;
        }
        if let Some(Destination { prefix, table }) = &self.destination {
            write!(f, " destination={prefix} table={table}")?;
        }
        if self.count > 0 {
            write!(f, " peers={}", self.count)?;
        }
        if let Some(first) = self.peers.first() {
            write!(f, " peer={}", first.node)?;
            first.name.iter().try_for_each(|name| write!(f, " name={name}"))?;
        }
        Ok(())
    }
}

/// Whether a LAN works; `None` if its silence proves nothing, for silence may be ours. Somebody was heard there before it
/// is good: a link that is up is not enough.
fn is_good(lan: &LanSnapshot, snapshot: &Snapshot) -> Option<bool> {
    let mut paths = snapshot.peers.iter().filter(|peer| peer.present).flat_map(|peer| &peer.paths);
    if lan.state != LanState::Up {
        return Some(false);
    }
    paths.any(|path| path.key.lan == lan.index && path.state == Level::Up).then_some(true)
}

/// In how many ways a peer can be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// Not decided yet, or it is on one LAN only and never was different.
    Unclear,
    Single,
    Redundant,
}

fn standing(peer: &PeerSnapshot) -> Standing {
    let lans = |level: Option<Level>| -> BTreeSet<LanIndex> {
        let at = peer.paths.iter().filter(|path| level.is_none_or(|level| path.state == level));
        at.map(|path| path.key.lan).gather()
    };
    let (all, up, down) = (lans(None), lans(Some(Level::Up)), lans(Some(Level::Down)));
    match (all.len(), up.len()) {
        (_, 2..) => Standing::Redundant,
        (2.., 1) if down.difference(&up).next().is_some() => Standing::Single,
        _ => Standing::Unclear,
    }
}

fn is_moved(peer: &PeerSnapshot) -> bool {
    peer.paths.iter().flat_map(|path| &path.addresses).any(|a| a.detour.is_some())
}

/// Addresses of a peer that are told: two families on four LANs.
pub const MOST_ADDRESSES: usize = 8;

/// Peers that are told by name; the others are counted.
pub const MOST_PEERS: usize = 16;

#[cfg(test)]
mod tests;
