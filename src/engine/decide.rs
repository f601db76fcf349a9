//! Where each address's traffic goes: rules 2 to 8, 11 and 12 of faild-protocol(7), for one peer at a time.

use std::net::IpAddr;

use super::notice::Notice;
use super::path::{Path, PathKey, is_link_local};
use super::peer::Peer;
use super::peer_address::{PeerAddress, Position};
use super::{Engine, NextHop};
use crate::time::Instant;
use crate::wire::{LanIndex, Level, NodeId};

/// Whether the peer no longer has the address that a way goes by.
pub(super) fn has_gone(peer: &Peer, way: PathKey, via: &IpAddr) -> bool {
    let record = peer.paths.get(&way).and_then(|path| path.addresses.get(via));
    record.is_none_or(|record| record.withdrawn.is_some())
}

/// Whether verdicts on a peer may change: it is heard, and its id is that of one host. If not, only the detours of addresses
/// that it no longer has are removed.
fn is_judged(now: Instant, peer: &Peer) -> bool {
    !peer.absent && !peer.is_cloned(now)
}

/// How good a way to leave for is; the best first (rule 11).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Class {
    /// Both ends would call it home.
    Ready,
    Up,
    /// One fresh round trip and no more.
    Answered,
}

/// A way that an address could be served by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Candidate {
    class: Class,
    /// The LAN's index at the node with the lower id, so that both ends choose the same.
    order: u8,
    key: PathKey,
    via: IpAddr,
}

impl Engine {
    /// Decides anew for all addresses of a peer, and puts the verdicts into the plan.
    pub(super) fn decide(&mut self, now: Instant, node: NodeId) {
        let Some(peer) = self.peers.get(&node) else { return };
        let moves = self.next_moves(now, peer);
        let stuck = is_judged(now, peer) && self.is_stuck(peer, &moves);
        for (key, address, position) in moves {
            self.set_position(node, key, address, position);
        }
        if stuck {
            self.ask_for_proof(now, node);
        }
        self.update_plan(now, node);
    }

    /// The addresses whose place should change.
    fn next_moves(&self, now: Instant, peer: &Peer) -> Vec<(PathKey, IpAddr, Position)> {
        let mut moves = Vec::new();
        for (key, path) in &peer.paths {
            for address in path.addresses.iter() {
                let next = self.next_position(now, peer, *key, path, address);
                if next != address.position {
                    moves.push((*key, address.address, next));
                }
            }
        }
        moves
    }

    fn next_position(
        &self,
        now: Instant,
        peer: &Peer,
        key: PathKey,
        path: &Path,
        a: &PeerAddress,
    ) -> Position {
        if a.withdrawn.is_some() {
            return Position::Home;
        }
        if !is_judged(now, peer) {
            return a.position;
        }
        if self.is_floating(now, peer.node, &a.address) {
            return if self.is_claim_doubtful(now, &a.address) { a.position } else { Position::Home };
        }
        if a.answered.is_none() && !a.trusted {
            return a.position;
        }
        match self.current_way(peer, a) {
            Some((way, via)) => self.next_from_detour(now, peer, (key, path, a), (way, via)),
            None => self.next_from_home(now, peer, (key, path, a)),
        }
    }

    /// The detour that serves an address: ours, or one that was found at the start and leads to a path of the peer.
    pub(super) fn current_way(&self, peer: &Peer, a: &PeerAddress) -> Option<(PathKey, IpAddr)> {
        match a.position {
            Position::Detour(way, via) => Some((way, via)),
            Position::Home => None,
            Position::Undecided => {
                let found = self.adopted.get(&a.address)?;
                let lan = self
                    .lans
                    .iter()
                    .find(|(_, lan)| lan.name() == found.interface)
                    .map(|(index, _)| *index)?;
                Some((peer.path_by_address(lan, &found.via)?, found.via))
            }
        }
    }

    fn next_from_home(&self, now: Instant, peer: &Peer, home: (PathKey, &Path, &PeerAddress)) -> Position {
        let (key, path, a) = home;
        match path.verdict {
            Level::Down => self.next_from_dead_home(now, peer, key, a),
            // The peer has left, for a reason that neither end knows any more: it goes home once both call that up, and
            // until then both go round.
            Level::Unknown if path.peer_left => self.next_from_dead_home(now, peer, key, a),
            // A detour that was found in the kernel, by a way that is not known yet, is left like any other.
            Level::Up if self.adopted.contains_key(&a.address) && !self.may_go_home(now, path, a) => {
                a.position
            }
            Level::Up if a.answered.is_some() => Position::Home,
            Level::Up | Level::Unknown => a.position,
        }
    }

    fn next_from_dead_home(&self, now: Instant, peer: &Peer, key: PathKey, a: &PeerAddress) -> Position {
        let best = self.best(now, peer, key, a, None);
        best.map_or(a.position, |best| Position::Detour(best.key, best.via))
    }

    fn next_from_detour(
        &self,
        now: Instant,
        peer: &Peer,
        home: (PathKey, &Path, &PeerAddress),
        current: (PathKey, IpAddr),
    ) -> Position {
        let (key, path, a) = home;
        let (way, via) = current;
        let stay = Position::Detour(way, via);
        if self.may_go_home(now, path, a) {
            return Position::Home;
        }
        if self.is_serving(peer, way) && !has_gone(peer, way, &via) {
            // Leaving a way that works needs one that both ends call home.
            return match self.best(now, peer, key, a, None) {
                Some(best) if best.class == Class::Ready && self.is_worse(now, peer, way, &best) => {
                    Position::Detour(best.key, best.via)
                }
                Some(_) | None => stay,
            };
        }
        let is_own_fault = !self.is_running(way.lan);
        if path.verdict == Level::Up && (is_own_fault || self.is_proven_since(now, peer, way, path)) {
            return Position::Home;
        }
        match self.best(now, peer, key, a, Some(way).filter(|way| !self.is_serving(peer, *way))) {
            Some(best) if !self.is_no_better(now, peer, (way, via), &best) => {
                Position::Detour(best.key, best.via)
            }
            Some(_) | None => stay,
        }
    }

    /// Whether a way that is down answers all the same, as the best other does: two such would be left for each other with
    /// every packet. Both ends stay with the first of them, unless that has questions of ours unanswered: it would be left
    /// again at once.
    fn is_no_better(&self, now: Instant, peer: &Peer, current: (PathKey, IpAddr), best: &Candidate) -> bool {
        let (way, via) = current;
        let lately = self.lately(now, peer);
        let answers = |path: &Path| path.unanswered_since.is_none() && path.proof >= Some(lately);
        let best_answers = peer.paths.get(&best.key).is_some_and(|path| answers(path));
        best.class == Class::Answered
            && (best.order >= self.order(peer, way) || !best_answers)
            && self.is_running(way.lan)
            && !has_gone(peer, way, &via)
            && peer.paths.get(&way).is_some_and(|path| !path.is_drained() && answers(path))
    }

    /// Rule 7: both ends would, or the peer has gone already (its own detour died), and this very address has answered at
    /// home.
    fn may_go_home(&self, now: Instant, path: &Path, a: &PeerAddress) -> bool {
        self.unfit_for_home(now, path, a).next().is_none()
    }

    /// Whether a way may go on being used: not down, and our side of it exists.
    pub(super) fn is_serving(&self, peer: &Peer, way: PathKey) -> bool {
        self.is_running(way.lan) && peer.paths.get(&way).is_some_and(|path| path.verdict != Level::Down)
    }

    fn is_worse(&self, now: Instant, peer: &Peer, way: PathKey, best: &Candidate) -> bool {
        let Some(path) = peer.paths.get(&way) else { return true };
        !self.is_ready_at_both(now, path) || best.order < self.order(peer, way)
    }

    /// READY, as it is reported: up, not damped, and the policy agrees.
    pub(super) fn is_ready(&self, now: Instant, path: &Path) -> bool {
        self.unready(now, path).next().is_none()
    }

    pub(super) fn is_ready_at_both(&self, now: Instant, path: &Path) -> bool {
        self.is_ready(now, path) && (path.observer || path.remote_ready)
    }

    /// The best other way for an address of the path `home`, if there is one that is freshly proven (rule 2).
    fn best(
        &self,
        now: Instant,
        peer: &Peer,
        home: PathKey,
        a: &PeerAddress,
        dead: Option<PathKey>,
    ) -> Option<Candidate> {
        let fled = dead.unwrap_or(home);
        peer.paths
            .iter()
            .filter(|(key, path)| {
                **key != home && **key != fled && key.family == home.family && !path.is_drained()
            })
            .filter_map(|(key, path)| {
                let class = self.class(now, peer, fled, path).filter(|_| self.is_running(key.lan))?;
                let via = self.via(now, peer, (home, a), *key, (path, fled))?;
                Some(Candidate { class, order: self.order(peer, *key), key: *key, via })
            })
            .min()
    }

    /// Rule 2: a path is taken only if it answered an INQ that was sent after the other went silent, so that the death
    /// of the peer, or our own, is not taken for that of a LAN; and lately, for it may have gone silent itself since.
    pub(super) fn is_proven_since(&self, now: Instant, peer: &Peer, silent: PathKey, path: &Path) -> bool {
        let silent = peer.paths.get(&silent).map(AsRef::as_ref);
        let since = self.silent_since(now, peer, silent).max(self.lately(now, peer));
        path.proof.is_some_and(|proof| proof >= since)
    }

    /// Since when a path is silent, as far as proofs of others are concerned. A verdict from before the peer's restart or
    /// absence, or from its report, has no beginning that counts: then what is fresh does.
    pub(super) fn silent_since(&self, now: Instant, peer: &Peer, path: Option<&Path>) -> Instant {
        path.and_then(|path| path.unanswered_since).unwrap_or_else(|| self.lately(now, peer))
    }

    /// What is older than this proves nothing of the present.
    pub(super) fn lately(&self, now: Instant, peer: &Peer) -> Instant {
        now - self.silence_of(peer)
    }

    /// How good a path is as a way out of `fled`; none if it is not proven since that went silent.
    fn class(&self, now: Instant, peer: &Peer, fled: PathKey, path: &Path) -> Option<Class> {
        let is_proven = self.is_proven_since(now, peer, fled, path);
        let is_own_fault = !self.is_running(fled.lan);
        match path.verdict {
            Level::Up if is_proven || is_own_fault => {
                Some(if self.is_ready_at_both(now, path) { Class::Ready } else { Class::Up })
            }
            Level::Up | Level::Down | Level::Unknown if is_proven && !path.gone => Some(Class::Answered),
            Level::Up | Level::Down | Level::Unknown => None,
        }
    }

    /// The peer's address to go by: proven on that path since `fled` went silent, as the path is (another may have been
    /// given up), and tied to the address that it shall serve (rule 4).
    fn via(
        &self,
        now: Instant,
        peer: &Peer,
        (home, a): (PathKey, &PeerAddress),
        way: PathKey,
        (path, fled): (&Path, PathKey),
    ) -> Option<IpAddr> {
        let silent = peer.paths.get(&fled).map(AsRef::as_ref);
        let since = self.is_running(fled.lan).then(|| self.silent_since(now, peer, silent));
        let configured = |address: &IpAddr| {
            peer.configured
                .and_then(|n| self.config.peers.get(n))
                .is_some_and(|p| p.addresses.contains(address))
        };
        path.addresses
            .iter()
            .filter(|b| b.answered.is_some() && b.answered >= since && b.withdrawn.is_none())
            .filter(|b| {
                let forth = peer.claims(way, &a.address) || configured(&a.address);
                let named = peer.claims(home, &b.address) || self.names_lan(peer, home, way.lan);
                let tied = || peer.ties.has(home, way.lan, &b.address);
                let back = a.trusted || named || configured(&b.address) || tied();
                forth && back
            })
            .max_by_key(|b| (is_link_local(&b.address), b.answered, std::cmp::Reverse(b.address)))
            .map(|b| b.address)
    }

    /// Whether the peer named, over a path, any address of its own on another LAN. It may have a new one there by now, and
    /// nobody but its neighbours on that LAN could take the place of either.
    fn names_lan(&self, peer: &Peer, over: PathKey, other: LanIndex) -> bool {
        let is_there =
            |a: &IpAddr| !is_link_local(a) && self.lans.get(&other).is_some_and(|l| l.is_on_link(a));
        peer.paths.get(&over).is_some_and(|path| path.claims.iter().any(is_there))
    }

    fn order(&self, peer: &Peer, key: PathKey) -> u8 {
        if self.node < peer.node { key.lan.0 } else { key.peer_lan.0 }
    }

    /// Two nodes that live claim it: it floats between them (VRRP, DHCP), and is nobody's to move. Without keys only a
    /// claim that came by the address's own LAN counts, so that nobody on another can pin it to a dead way.
    pub(super) fn is_floating(&self, now: Instant, node: NodeId, address: &IpAddr) -> bool {
        let several = self.claimants_differ.contains(address);
        several
            && self.claimants_of(address).filter(|other| *other != node).any(|other| {
                self.peers.get(&other).is_some_and(|peer| {
                    let window = self.silence_of(peer);
                    !peer.absent
                        && self.names(now, peer, address)
                        && (self.keys.is_keyed() || self.is_claimed_at_home(peer, address, node))
                        && peer.heard.is_some_and(|heard| now.since(heard) <= window)
                })
            })
    }

    /// Whether a node named the address on the address's LAN while `owner` was last heard there: when the whole LAN dies,
    /// the claims of both become old together, and the address floats all the same.
    fn is_claimed_at_home(&self, peer: &Peer, address: &IpAddr, owner: NodeId) -> bool {
        let is_home = |key: &PathKey| self.lans.get(&key.lan).is_some_and(|lan| lan.is_on_link(address));
        let own = self.peers.get(&owner).into_iter().flat_map(|peer| &peer.paths);
        let own = own.filter(|(key, _)| is_home(key)).filter_map(|(_, path)| path.heard).max();
        let window = self.silence_of(peer);
        let is_of_that_time = |path: &Path| path.heard.map(|heard| heard + window) >= own;
        let mut here = peer.paths.iter().filter(|(key, _)| is_home(key));
        here.any(|(_, path)| path.claims.contains(address) && is_of_that_time(path))
    }

    /// Whether one of those that claim an address may be a clone, which speaks for two hosts: then it is not known
    /// whose the address is, and its overlay stays (rule 13).
    fn is_claim_doubtful(&self, now: Instant, address: &IpAddr) -> bool {
        let is_doubtful = |node: NodeId| {
            let peer = self.peers.get(&node);
            peer.is_some_and(|p| p.is_doubtful(now, self.silence_of(p)) && self.names(now, p, address))
        };
        self.claimants_of(address).any(is_doubtful)
    }

    /// Whether an address waits for a way out and has none: its path is down, or its detour is.
    fn is_stuck(&self, peer: &Peer, moves: &[(PathKey, IpAddr, Position)]) -> bool {
        peer.paths.iter().any(|(key, path)| {
            path.addresses.iter().any(|a| {
                let waits = match self.current_way(peer, a) {
                    Some((way, _)) => !self.is_serving(peer, way),
                    None => path.verdict == Level::Down && (a.answered.is_some() || a.trusted),
                };
                waits && !moves.iter().any(|(k, address, _)| k == key && *address == a.address)
            })
        })
    }

    pub(super) fn set_position(&mut self, node: NodeId, key: PathKey, address: IpAddr, position: Position) {
        let Some(record) = self.path_mut(node, key).and_then(|path| path.addresses.get_mut(&address)) else {
            return;
        };
        let before = std::mem::replace(&mut record.position, position);
        let found = self.adopted.contains_key(&address);
        match (before, position) {
            (_, Position::Detour(way, via)) => {
                let to = NextHop { interface: self.lan_name(way.lan), via };
                let from = self.lan_name(key.lan);
                let adopted = before == Position::Undecided && self.adopted.get(&address) == Some(&to);
                self.notice(Notice::FailedOver { peer: node, address, from, to, adopted });
            }
            (Position::Detour(..), Position::Home) => self.tell_home(node, key, address),
            (Position::Undecided, Position::Home) if found => self.tell_home(node, key, address),
            (_, Position::Home | Position::Undecided) => {}
        }
    }

    fn tell_home(&mut self, node: NodeId, key: PathKey, address: IpAddr) {
        let interface = self.lan_name(key.lan);
        self.notice(Notice::FailedBack { peer: node, address, interface });
    }
}
