//! All that status and logs may see of the engine.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::ops::Bound;
use std::time::Duration;

use super::counters::Dropped;
use super::notice::InterfaceFault;
use super::peer_address::Position;
use super::{Engine, NextHop, PathKey};
use crate::time::Instant;
use crate::wire::{LanIndex, Level, NodeId};

/// The engine's state at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Snapshot {
    /// Our own id.
    pub node: NodeId,
    /// Our interval, longer than configured if there are too many peers.
    pub interval: Duration,
    /// Our LANs.
    pub lans: Vec<LanSnapshot>,
    /// Our peers.
    pub peers: Vec<PeerSnapshot>,
    /// Datagrams received and sent.
    pub packets: (u64, u64),
    /// Datagrams dropped, by reason.
    pub dropped: BTreeMap<Dropped, u64>,
}

/// One LAN.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LanSnapshot {
    /// Our number for it.
    pub index: LanIndex,
    /// Its interface.
    pub interface: String,
    /// Why packets cannot pass; none if they can.
    pub fault: Option<InterfaceFault>,
    /// Whether it is down: packets cannot pass, or all peers silent here and not elsewhere.
    pub down: bool,
    /// The administrator has taken it out of service.
    pub offline: bool,
    /// Our addresses there, as far as the interface has them just now.
    pub addresses: Vec<IpAddr>,
}

/// One peer.
#[derive(Debug, Clone, PartialEq)]
pub struct PeerSnapshot {
    /// Its id.
    pub node: NodeId,
    /// Its name in the configuration.
    pub name: Option<String>,
    /// Silent on all paths.
    pub absent: bool,
    /// Asks of its own accord.
    pub requestor: bool,
    /// Only watches.
    pub observer: bool,
    /// What it announces.
    pub interval: Duration,
    /// The paths to it.
    pub paths: Vec<PathSnapshot>,
}

/// One path.
#[derive(Debug, Clone, PartialEq)]
pub struct PathSnapshot {
    /// Which.
    pub key: PathKey,
    /// Our interface.
    pub interface: String,
    /// What we count, what the peer counts, and the verdict.
    pub levels: (Level, Level, Level),
    /// We and the peer would go home to it.
    pub ready: (bool, bool),
    /// We and the peer have moved traffic away from it.
    pub moved: (bool, bool),
    /// We have taken its LAN out of service, and something else serves.
    pub drained: bool,
    /// Slots missed and good in a row.
    pub counts: (u32, u32),
    /// Smoothed round trip.
    pub round_trip: Option<Duration>,
    /// Damping penalty by now.
    pub penalty: f64,
    /// How long ago it was heard.
    pub heard: Option<Duration>,
    /// Its addresses: proven or not, and the way that serves it if not home.
    pub addresses: Vec<(IpAddr, bool, Option<NextHop>)>,
}

impl Engine {
    /// All that status and logs may see.
    pub fn snapshot(&self, now: Instant) -> Snapshot {
        Snapshot {
            node: self.node,
            interval: self.interval,
            lans: self.lans.keys().filter_map(|index| self.lan_snapshot(now, *index)).collect(),
            peers: self.peers.values().map(|peer| self.peer_snapshot(now, peer)).collect(),
            packets: (self.counters.received, self.counters.sent),
            dropped: self.counters.dropped.clone(),
        }
    }

    /// Datagrams received, sent, and dropped by reason.
    pub fn traffic(&self) -> (u64, u64, &BTreeMap<Dropped, u64>) {
        (self.counters.received, self.counters.sent, &self.counters.dropped)
    }

    /// Whether the peer with this address answers on the LAN of this interface; `None` if that is not known. Of two that
    /// claim an address one that answers is enough.
    pub fn answers(&self, interface: &str, address: IpAddr) -> Option<bool> {
        let lan = self.lan_named(interface)?;
        let peers = self.claimants_of(&address).filter_map(|node| self.peers.get(&node));
        let paths = peers.flat_map(|peer| peer.paths.iter().map(|(key, path)| (peer.absent, key, path)));
        let there = paths.filter(|(_, key, path)| key.lan == lan && path.addresses.get(&address).is_some());
        let answer = there.filter_map(|(absent, _, path)| match path.verdict {
            // It was there, and has fallen silent everywhere.
            _ if absent => path.heard.map(|_| false),
            Level::Up => Some(true),
            Level::Down => Some(false),
            Level::Unknown => None,
        });
        answer.reduce(|one, other| one || other)
    }

    /// The interval of our probes.
    pub fn interval(&self) -> Duration {
        self.interval
    }

    /// A page of peers: those after this one, at most so many.
    pub fn peers_after(&self, now: Instant, after: Option<NodeId>, limit: usize) -> Vec<PeerSnapshot> {
        let first = after.map_or(Bound::Unbounded, Bound::Excluded);
        let peers = self.peers.range((first, Bound::Unbounded)).take(limit);
        peers.map(|(_, peer)| self.peer_snapshot(now, peer)).collect()
    }

    pub(super) fn lan_snapshot(&self, now: Instant, index: LanIndex) -> Option<LanSnapshot> {
        let lan = self.lans.get(&index)?;
        Some(LanSnapshot {
            index,
            interface: lan.name().to_owned(),
            fault: lan.fault.clone(),
            down: self.is_lan_down(now, index),
            offline: self.is_offline(index),
            addresses: lan.addresses().filter(|address| lan.has(address)).collect(),
        })
    }

    fn peer_snapshot(&self, now: Instant, peer: &super::Peer) -> PeerSnapshot {
        PeerSnapshot {
            node: peer.node,
            name: self.name_of(peer),
            absent: peer.absent,
            requestor: peer.is_requestor(),
            observer: peer.is_observer(),
            interval: peer.interval(),
            paths: peer.paths.iter().map(|(key, path)| self.path_snapshot(now, *key, path)).collect(),
        }
    }

    fn path_snapshot(&self, now: Instant, key: PathKey, path: &super::path::Path) -> PathSnapshot {
        let way = |position: Position| match position {
            Position::Detour(way, via) => Some(NextHop { interface: self.lan_name(way.lan), via }),
            Position::Home | Position::Undecided => None,
        };
        PathSnapshot {
            key,
            interface: self.lan_name(key.lan),
            levels: (path.local, path.remote, path.verdict),
            ready: (self.is_ready(now, path), path.remote_ready),
            moved: (path.is_moved(), path.remote_moved),
            drained: path.is_drained(),
            counts: (path.missed, path.good),
            round_trip: path.round_trip,
            penalty: path.penalty.value(now, &self.config.damping),
            heard: path.heard.map(|heard| now.since(heard)),
            addresses: path
                .addresses
                .iter()
                .map(|a| (a.address, a.answered.is_some(), way(a.position)))
                .collect(),
        }
    }
}

impl fmt::Display for Snapshot {
    /// One line an item, key=value.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (received, sent) = self.packets;
        writeln!(f, "state node={} interval={:?} received={received} sent={sent}", self.node, self.interval)?;
        for lan in &self.lans {
            let LanSnapshot { index, interface, fault, down, offline, .. } = lan;
            let running = fault.is_none();
            writeln!(
                f,
                "state-lan lan={index} interface={interface} running={running} down={down} offline={offline}"
            )?;
        }
        for peer in &self.peers {
            peer.fmt(f)?;
        }
        for (reason, count) in &self.dropped {
            writeln!(f, "state-dropped reason={reason} count={count}")?;
        }
        Ok(())
    }
}

impl fmt::Display for PeerSnapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { node, name, absent, requestor, observer, interval, paths } = self;
        write!(f, "state-peer peer={node} ")?;
        if let Some(name) = name {
            write!(f, "name={name} ")?;
        }
        writeln!(f, "absent={absent} requestor={requestor} observer={observer} interval={interval:?}")?;
        for path in paths {
            let (local, remote, verdict) = path.levels;
            let (ready, remote_ready) = path.ready;
            let (moved, remote_moved) = path.moved;
            let (missed, good) = path.counts;
            write!(
                f,
                "state-path peer={node} interface={} family={} verdict={verdict} counted={local} reported={remote} \
                 missed={missed} good={good} ready={ready} peer-ready={remote_ready} \
                 moved={moved} peer-moved={remote_moved} penalty={:.0}",
                path.interface, path.key.family, path.penalty
            )?;
            if let Some(round_trip) = path.round_trip {
                write!(f, " rtt={round_trip:?}")?;
            }
            if let Some(heard) = path.heard {
                write!(f, " heard-ago={heard:?}")?;
            }
            writeln!(f)?;
            for (address, proven, way) in &path.addresses {
                let way = way
                    .as_ref()
                    .map_or_else(|| "home".to_owned(), |w| format!("{} via {}", w.interface, w.via));
                writeln!(f, "state-address peer={node} address={address} proven={proven} way=\"{way}\"")?;
            }
        }
        Ok(())
    }
}
