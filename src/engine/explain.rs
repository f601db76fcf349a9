//! Why traffic goes where it goes, and what must happen before it goes home: the decisions of `decide`, told.
//!
//! What keeps a path from being READY, and an address from going home, is listed here, and the decisions ask whether
//! that list is empty: so no explanation can differ from what is done.

use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::decide::has_gone;
use super::notice::{Evidence, Notice};
use super::path::{Path, PathKey};
use super::peer::Peer;
use super::peer_address::{PeerAddress, Position};
use super::{Engine, NextHop, Subject, Verdict};
use crate::failback::Hold;
use crate::time::Instant;
use crate::units::{micros, millis};
use crate::wire::{Level, NodeId};

/// All about one subject.
#[derive(Debug, Clone, PartialEq)]
pub struct Explanation {
    /// Which.
    pub subject: Subject,
    /// Whose it is.
    pub node: NodeId,
    /// The peer's name in the configuration.
    pub name: Option<String>,
    /// Where it is wanted to go.
    pub verdict: Verdict,
    /// The overlay that was found at the start, or that reconcile says stands.
    pub standing: Option<NextHop>,
    /// Why.
    pub ground: Ground,
    /// What keeps it from home; empty if it is there.
    pub obstacles: Vec<Obstacle>,
    /// The paths to the peer of the subject's family, home among them.
    pub paths: Vec<PathExplanation>,
}

/// Why an address goes where it goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ground {
    /// The peer is silent on all paths: nothing moves.
    PeerAbsent,
    /// Two hosts bear the peer's id: nothing moves.
    PeerCloned,
    /// The peer no longer has the address.
    Withdrawn,
    /// Two nodes that live claim the address: it is left alone.
    Floating,
    /// The address has never answered: nothing moves.
    NeverAnswered,
    /// Home works.
    HomeWorks,
    /// Nothing is decided yet about home: what is there stays.
    HomeUnknown,
    /// Home is dead, and no other way is proven to be better.
    NoDetour,
    /// Home is dead, and the detour works.
    HomeDead,
    /// Home is taken out of service, and the detour works.
    HomeOffline,
    /// The detour works, and home may not be gone to yet.
    HeldBack,
    /// The detour is dead, and no other way is proven to be better.
    DetourDead,
}

/// Something that keeps an address from home, or a path from being READY.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Obstacle {
    /// The peer is silent on all paths.
    PeerAbsent,
    /// Two hosts bear its id.
    PeerCloned,
    /// Our interface has no carrier, is down or is not there.
    NotRunning,
    /// The LAN is taken out of service.
    Offline,
    /// We have not counted enough clean slots in a row.
    NotUp,
    /// The peer says that it does not hear us there, or that it has taken that LAN out of service.
    PeerSaysDown,
    /// The peer has not said yet what it hears there.
    PeerSaysNothing,
    /// The failback policy, or damping.
    Held(Hold),
    /// The peer would not go home yet.
    PeerNotReady,
    /// This very address has not answered since home is up.
    Unanswered,
}

/// One path of an explanation.
#[derive(Debug, Clone, PartialEq)]
pub struct PathExplanation {
    /// Its counters against their thresholds.
    pub figures: PathFigures,
    /// What the verdict rests on.
    pub evidence: Evidence,
    /// What keeps us from calling it READY.
    pub obstacles: Vec<Obstacle>,
}

/// One path, its counters against their thresholds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PathFigures {
    /// Our interface.
    pub interface: String,
    /// An address of the peer there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<IpAddr>,
    /// The subject's home.
    pub is_home: bool,
    /// Its traffic goes here.
    pub serves: bool,
    /// The verdict.
    pub state: Level,
    /// What we count.
    pub counted: Level,
    /// What the peer reports.
    pub reported: Level,
    /// Slots missed in a row.
    pub missed: u32,
    /// How many make it down.
    pub missed_limit: u32,
    /// Clean slots in a row.
    pub good: u32,
    /// How many make it up; none if it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub good_limit: Option<u32>,
    /// Smoothed round trip.
    #[serde(rename = "round_trip_us", with = "micros", default, skip_serializing_if = "Option::is_none")]
    pub round_trip: Option<Duration>,
    /// How long ago it was heard.
    #[serde(rename = "heard_ms", with = "millis", default, skip_serializing_if = "Option::is_none")]
    pub heard: Option<Duration>,
    /// The damping penalty by now, rounded.
    pub penalty: f64,
    /// Below this, failback to it is no longer suppressed.
    pub penalty_reuse: f64,
    /// How long until then; none if it is not suppressed.
    #[serde(rename = "damped_ms", with = "millis", default, skip_serializing_if = "Option::is_none")]
    pub damped: Option<Duration>,
    /// The peer calls it READY.
    pub peer_ready: bool,
}

impl Engine {
    /// Explains where the traffic for a subject goes; none if no peer has that address there.
    pub fn explain(&self, now: Instant, subject: &Subject) -> Option<Explanation> {
        let lan = self.lan_named(&subject.home)?;
        let owner = self.subject_nodes.get(subject).and_then(|node| self.peer(*node));
        let has_it = |peer: &&Peer| peer.path_by_address(lan, &subject.address).is_some();
        let peer = owner.filter(has_it).or_else(|| self.all_peers().find(has_it))?;
        let key = peer.path_by_address(lan, &subject.address)?;
        let path = peer.paths.get(&key)?;
        let address = path.addresses.get(&subject.address)?;
        let way = self.current_way(peer, address);
        let obstacles = if way.is_some() { self.homeward(now, peer, key, path, address) } else { Vec::new() };
        let mut paths: Vec<_> = peer.paths.iter().filter(|(k, _)| k.family == key.family).collect();
        if let Some(at) = paths.iter().position(|(k, _)| **k == key) {
            paths[..=at].rotate_right(1);
        }
        Some(Explanation {
            subject: subject.clone(),
            node: peer.node,
            name: self.name_of(peer),
            verdict: self.verdict_on(address.position),
            standing: address.applied.as_deref().or_else(|| self.adopted.get(&address.address)).cloned(),
            ground: self.ground(now, peer, path, address),
            obstacles,
            paths: paths.iter().map(|(k, p)| self.account(now, peer, (**k, p), key, way)).collect(),
        })
    }

    /// An address as a subject, on each LAN where a peer has it.
    pub fn subjects_at(&self, address: &IpAddr) -> Vec<Subject> {
        let is_there = |lan| self.peers.values().any(|peer| peer.path_by_address(lan, address).is_some());
        let lans = self.lans.iter().filter(|(index, _)| is_there(**index));
        lans.map(|(_, lan)| Subject { home: lan.home(), address: *address }).collect()
    }

    /// What keeps a path from being READY, as it is reported: up, not damped, and the policy agrees.
    pub(super) fn unready(&self, now: Instant, path: &Path) -> impl Iterator<Item = Obstacle> + use<> {
        let obstacles = [
            path.is_drained().then_some(Obstacle::Offline),
            (path.local != Level::Up).then_some(Obstacle::NotUp),
        ];
        let holds = path.failback.holds(now, &self.config, self.time_of_day);
        obstacles.into_iter().flatten().chain(holds.map(Obstacle::Held))
    }

    /// What holds failback to a path that is up, as far as it is for this end alone to say.
    fn hold(&self, now: Instant, path: &Path) -> Option<Hold> {
        path.failback.holds(now, &self.config, self.time_of_day).next()
    }

    /// Says of each path with traffic away that has come up what failback waits for, once for each such thing.
    pub(super) fn tell_holds(&mut self, now: Instant, node: NodeId) {
        let Some(peer) = self.peer(node) else { return };
        let mut news = Vec::new();
        for (key, path) in &peer.paths {
            let is_away = |a: &PeerAddress| self.current_way(peer, a).is_some();
            let waits = !peer.absent && path.verdict == Level::Up && path.addresses.iter().any(is_away);
            let hold = waits.then(|| self.hold(now, path)).flatten();
            let kind = hold.as_ref().map(std::mem::discriminant);
            if kind != path.told_hold {
                news.push((*key, kind, hold));
            }
        }
        for (key, kind, hold) in news {
            if let Some(path) = self.path_mut(node, key) {
                path.told_hold = kind;
            }
            if let Some(hold) = hold {
                let (interface, family) = (self.lan_name(key.lan), key.family);
                self.notice(Notice::FailbackWaits { peer: node, interface, family, hold });
            }
        }
    }

    /// What keeps an address from home (rule 7): both ends would go there, or the peer has gone already (its own detour
    /// died), and this very address has answered there.
    pub(super) fn unfit_for_home(
        &self,
        now: Instant,
        path: &Path,
        a: &PeerAddress,
    ) -> impl Iterator<Item = Obstacle> + use<> {
        let up = match (path.verdict, path.remote) {
            (Level::Up, _) => None,
            (Level::Down | Level::Unknown, Level::Down) => Some(Obstacle::PeerSaysDown),
            (Level::Down | Level::Unknown, Level::Unknown) => Some(Obstacle::PeerSaysNothing),
            (Level::Down | Level::Unknown, Level::Up) if path.is_drained() => Some(Obstacle::Offline),
            (Level::Down | Level::Unknown, Level::Up) => Some(Obstacle::NotUp),
        };
        let peer_is_home = !(path.observer || path.remote_moved);
        let peer_ready = path.observer || path.remote_ready;
        let answered = a.answered.zip(path.failback.up_since()).is_some_and(|(answered, up)| answered >= up);
        let unready = self.unready(now, path).chain((!peer_ready).then_some(Obstacle::PeerNotReady));
        let unready = unready.filter(move |_| !peer_is_home);
        up.into_iter().chain(unready).chain((!answered).then_some(Obstacle::Unanswered))
    }

    /// All of it for people: what is in the way of everything first, nothing twice.
    fn homeward(
        &self,
        now: Instant,
        peer: &Peer,
        key: PathKey,
        path: &Path,
        a: &PeerAddress,
    ) -> Vec<Obstacle> {
        let first = [
            peer.absent.then_some(Obstacle::PeerAbsent),
            peer.is_cloned(now).then_some(Obstacle::PeerCloned),
            (!self.is_running(key.lan)).then_some(Obstacle::NotRunning),
        ];
        let mut obstacles: Vec<Obstacle> = first.into_iter().flatten().collect();
        for obstacle in self.unfit_for_home(now, path, a) {
            if !obstacles.contains(&obstacle) {
                obstacles.push(obstacle);
            }
        }
        obstacles
    }

    /// The branch of the decision that an address is in.
    fn ground(&self, now: Instant, peer: &Peer, path: &Path, a: &PeerAddress) -> Ground {
        if peer.absent {
            return Ground::PeerAbsent;
        }
        if peer.is_cloned(now) {
            return Ground::PeerCloned;
        }
        if a.withdrawn.is_some() {
            return Ground::Withdrawn;
        }
        if self.is_floating(now, peer.node, &a.address) {
            return Ground::Floating;
        }
        if a.answered.is_none() && !a.trusted {
            return Ground::NeverAnswered;
        }
        let works = |(way, via): (PathKey, IpAddr)| self.is_serving(peer, way) && !has_gone(peer, way, &via);
        match (self.current_way(peer, a), path.verdict) {
            (Some(way), _) if !works(way) => Ground::DetourDead,
            (Some(_), Level::Up) => Ground::HeldBack,
            (Some(_), Level::Down) if path.is_drained() => Ground::HomeOffline,
            (Some(_), Level::Down) => Ground::HomeDead,
            (None, Level::Up) => Ground::HomeWorks,
            (None, Level::Down) => Ground::NoDetour,
            (Some(_) | None, Level::Unknown) => Ground::HomeUnknown,
        }
    }

    fn verdict_on(&self, position: Position) -> Verdict {
        match position {
            Position::Undecided => Verdict::Undecided,
            Position::Home => Verdict::Home,
            Position::Detour(way, via) => Verdict::Detour(NextHop { interface: self.lan_name(way.lan), via }),
        }
    }

    fn account(
        &self,
        now: Instant,
        peer: &Peer,
        (key, path): (PathKey, &Path),
        home: PathKey,
        way: Option<(PathKey, IpAddr)>,
    ) -> PathExplanation {
        let damping = &self.config.damping;
        let not_running = (!self.is_running(key.lan)).then_some(Obstacle::NotRunning);
        let figures = PathFigures {
            interface: self.lan_name(key.lan),
            address: path.shown_address(),
            is_home: key == home,
            serves: way.map_or(home, |(way, _)| way) == key,
            state: path.verdict,
            counted: path.local,
            reported: path.remote,
            missed: path.missed,
            missed_limit: self.config.missed.get(),
            good: path.good,
            good_limit: self.clean_slots_wanted(peer, key.family, path),
            round_trip: path.round_trip,
            heard: path.heard.map(|heard| now.since(heard)),
            penalty: path.failback.penalty(now, damping).round(),
            penalty_reuse: damping.reuse,
            damped: path.failback.damped_for(now, damping),
            peer_ready: path.observer || path.remote_ready,
        };
        let obstacles = not_running.into_iter().chain(self.unready(now, path)).collect();
        PathExplanation { figures, evidence: path.grounds(), obstacles }
    }
}
