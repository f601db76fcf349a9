//! All that status and logs may see of the engine.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::ops::Bound;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::counters::Dropped;
use super::notice::InterfaceFault;
use super::peer_address::Position;
use super::{Engine, NextHop, PathKey, PeerAddress};
use crate::time::Instant;
use crate::units::{micros, millis};
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
    /// Datagrams received.
    pub received: u64,
    /// Datagrams sent.
    pub sent: u64,
    /// Datagrams dropped, by reason.
    pub dropped: BTreeMap<Dropped, u64>,
}

/// One LAN.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LanSnapshot {
    /// Its interface.
    pub interface: String,
    /// Our number for it.
    pub index: LanIndex,
    /// Whether it can be used, and why not.
    #[serde(flatten)]
    pub state: LanState,
    /// The administrator has taken it out of service.
    #[serde(skip)]
    pub offline: bool,
    /// Our addresses there, as far as the interface has them just now.
    pub addresses: Vec<IpAddr>,
}

/// Whether a LAN can be used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", content = "renamed_to", rename_all = "kebab-case")]
pub enum LanState {
    /// Packets can pass.
    Up,
    /// They can, but every peer that is heard elsewhere is silent here.
    Silent,
    /// Its interface has no carrier.
    NoCarrier,
    /// Its interface was set down.
    AdminDown,
    /// There is no interface of that name.
    Absent,
    /// Its interface has this name now, and the configuration has the old one.
    Renamed(String),
}

impl LanState {
    /// Whether packets can pass.
    pub const fn is_running(&self) -> bool {
        match self {
            LanState::Up | LanState::Silent => true,
            LanState::NoCarrier | LanState::AdminDown | LanState::Absent | LanState::Renamed(_) => false,
        }
    }

    fn new(fault: Option<&InterfaceFault>, is_down: bool) -> Self {
        match fault {
            Some(InterfaceFault::NoCarrier) => LanState::NoCarrier,
            Some(InterfaceFault::SetDown) => LanState::AdminDown,
            Some(InterfaceFault::Gone) => LanState::Absent,
            Some(InterfaceFault::Renamed(name)) => LanState::Renamed(name.clone()),
            None if is_down => LanState::Silent,
            None => LanState::Up,
        }
    }
}

/// One peer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PeerSnapshot {
    /// Its id.
    pub node: NodeId,
    /// Its name in the configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Heard on some path.
    pub present: bool,
    /// Asks of its own accord.
    pub requestor: bool,
    /// Only watches.
    pub observer: bool,
    /// What it announces.
    #[serde(rename = "interval_us", with = "micros")]
    pub interval: Duration,
    /// The paths to it.
    pub paths: Vec<PathSnapshot>,
}

/// One path.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PathSnapshot {
    /// Our interface.
    pub interface: String,
    /// Which.
    #[serde(flatten)]
    pub key: PathKey,
    /// The verdict.
    pub state: Level,
    /// We have taken its LAN out of service, and something else serves.
    pub draining: bool,
    /// What we count.
    pub counted: Level,
    /// What the peer reports.
    pub reported: Level,
    /// Slots missed in a row.
    pub missed: u32,
    /// Clean slots in a row.
    pub good: u32,
    /// We would fail back to it.
    pub ready: bool,
    /// The peer would.
    pub peer_ready: bool,
    /// We have moved traffic away from it.
    pub moved: bool,
    /// The peer has.
    pub peer_moved: bool,
    /// Smoothed round trip.
    #[serde(rename = "round_trip_us", with = "micros", default, skip_serializing_if = "Option::is_none")]
    pub round_trip: Option<Duration>,
    /// Damping penalty by now, rounded.
    pub penalty: f64,
    /// How long ago it was heard.
    #[serde(rename = "heard_ms", with = "millis", default, skip_serializing_if = "Option::is_none")]
    pub heard: Option<Duration>,
    /// The peer's addresses there.
    pub addresses: Vec<AddressSnapshot>,
}

/// One address of a peer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddressSnapshot {
    /// The address.
    pub address: IpAddr,
    /// It has answered.
    pub proven: bool,
    /// What its traffic uses if it is not home.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detour: Option<NextHop>,
}

impl Engine {
    /// All that status and logs may see.
    pub fn snapshot(&self, now: Instant) -> Snapshot {
        Snapshot {
            node: self.node,
            interval: self.interval,
            lans: self.lans.keys().filter_map(|index| self.lan_snapshot(now, *index)).collect(),
            peers: self.peers.values().map(|peer| self.peer_snapshot(now, peer)).collect(),
            received: self.counters.received,
            sent: self.counters.sent,
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
            state: LanState::new(lan.fault.as_ref(), self.is_lan_down(now, index)),
            offline: self.is_offline(index),
            addresses: lan.addresses().filter(|address| lan.has(address)).collect(),
        })
    }

    fn peer_snapshot(&self, now: Instant, peer: &super::Peer) -> PeerSnapshot {
        PeerSnapshot {
            node: peer.node,
            name: self.name_of(peer),
            present: !peer.absent,
            requestor: peer.is_requestor(),
            observer: peer.is_observer(),
            interval: peer.interval(),
            paths: peer.paths.iter().map(|(key, path)| self.path_snapshot(now, *key, path)).collect(),
        }
    }

    fn path_snapshot(&self, now: Instant, key: PathKey, path: &super::path::Path) -> PathSnapshot {
        let detour = |position: Position| match position {
            Position::Detour(way, via) => Some(NextHop { interface: self.lan_name(way.lan), via }),
            Position::Home | Position::Undecided => None,
        };
        let address = |a: &PeerAddress| AddressSnapshot {
            address: a.address,
            proven: a.answered.is_some(),
            detour: detour(a.position),
        };
        PathSnapshot {
            key,
            interface: self.lan_name(key.lan),
            state: path.verdict,
            draining: path.is_drained(),
            counted: path.local,
            reported: path.remote,
            missed: path.missed,
            good: path.good,
            ready: self.is_ready(now, path),
            peer_ready: path.remote_ready,
            moved: path.is_moved(),
            peer_moved: path.remote_moved,
            round_trip: path.round_trip,
            penalty: path.failback.penalty(now, &self.config.damping).round(),
            heard: path.heard.map(|heard| now.since(heard)),
            addresses: path.addresses.iter().map(address).collect(),
        }
    }
}

impl fmt::Display for Snapshot {
    /// One line an item, key=value.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { node, interval, received, sent, .. } = self;
        writeln!(f, "dump node={node} interval={interval:?} received={received} sent={sent}")?;
        for lan in &self.lans {
            let LanSnapshot { index, interface, state, offline, .. } = lan;
            let (running, down) = (state.is_running(), *state != LanState::Up);
            writeln!(
                f,
                "dump-lan lan={index} interface={interface} running={running} down={down} offline={offline}"
            )?;
        }
        for peer in &self.peers {
            peer.fmt(f)?;
        }
        for (reason, count) in &self.dropped {
            writeln!(f, "dump-dropped reason={reason} count={count}")?;
        }
        Ok(())
    }
}

impl fmt::Display for PeerSnapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { node, name, present, requestor, observer, interval, paths } = self;
        let absent = !present;
        write!(f, "dump-peer peer={node} ")?;
        if let Some(name) = name {
            write!(f, "name={name} ")?;
        }
        writeln!(f, "absent={absent} requestor={requestor} observer={observer} interval={interval:?}")?;
        for path in paths {
            let PathSnapshot { interface, state, counted, reported, missed, good, .. } = path;
            let PathSnapshot { ready, peer_ready, moved, peer_moved, penalty, .. } = path;
            write!(
                f,
                "dump-path peer={node} interface={interface} family={} verdict={state} counted={counted} \
                 reported={reported} missed={missed} good={good} ready={ready} peer-ready={peer_ready} \
                 moved={moved} peer-moved={peer_moved} penalty={penalty:.0}",
                path.key.family
            )?;
            if let Some(round_trip) = path.round_trip {
                write!(f, " rtt={round_trip:?}")?;
            }
            if let Some(heard) = path.heard {
                write!(f, " heard-ago={heard:?}")?;
            }
            writeln!(f)?;
            for AddressSnapshot { address, proven, detour } in &path.addresses {
                let detour = detour
                    .as_ref()
                    .map_or_else(|| "home".to_owned(), |hop| format!("{} via {}", hop.interface, hop.via));
                writeln!(
                    f,
                    "dump-address peer={node} address={address} proven={proven} detour=\"{detour}\""
                )?;
            }
        }
        Ok(())
    }
}
