//! Addresses that have to answer before they count, and again before their traffic goes home: which are asked, and when.
//!
//! What has answered before, or is trusted, is asked as soon as it is due. Of the others an attacker on any LAN can name as
//! many as there are places: a peer has a few such questions at once on a LAN, and two more with each slot.

use std::net::IpAddr;
use std::time::Duration;

use super::Engine;
use super::neighbour::YOUNG;
use super::path::{Path, PathKey};
use super::peer::Peer;
use super::peer_address::{MAX_ADDRESSES, PeerAddress};
use crate::time::Instant;
use crate::wire::{LanIndex, Level, NodeId};

/// Questions to addresses of a peer on a LAN that nobody has answered: more than most have there. What is answered does not
/// count.
const GUESSES: usize = 8;

/// Those that are asked on in each slot: as many as had one full path asked every eighth slot.
const GUESSES_PER_SLOT: usize = 2;

impl Engine {
    /// Asks those of a peer's addresses on a LAN whose answer is wanted. At the begin of each slot of ours, and of the
    /// peer's if those are shorter.
    pub(super) fn ask_unproven(&mut self, now: Instant, node: NodeId, lan: LanIndex) {
        let requestor = self.config.requestor;
        let asks = |peer: &&Peer| !peer.absent && (requestor || peer.is_requestor());
        let Some(peer) = self.peer(node).filter(asks) else { return };
        let pace = self.pace_with(peer);
        let keys: Vec<PathKey> = peer.paths.keys().filter(|key| key.lan == lan).copied().collect();
        if keys.is_empty() {
            return;
        }
        for key in keys {
            self.ask_known(now, node, key, pace);
            self.ask_left_behind(now, node, key, pace);
        }
        self.ask_guessed(now, node, lan, pace);
    }

    pub(super) fn on_address_answered(&mut self, now: Instant, node: NodeId, key: PathKey, address: IpAddr) {
        let path = self.path_mut(node, key);
        let Some(record) = path.and_then(|path| path.addresses.get_mut(&address)) else { return };
        let is_first = record.answered.replace(now).is_none();
        record.withdrawn = None;
        let is_vouched = record.vouched;
        let guesses = self.lans.get_mut(&key.lan).and_then(|lan| lan.guesses.get_mut(&node));
        if let Some(guesses) = guesses.filter(|_| is_first) {
            guesses.open = guesses.open.saturating_sub(1);
        }
        if !is_vouched {
            self.vouch(now, node);
        }
        self.place(now, node, key.lan, &address);
    }

    fn ask_known(&mut self, now: Instant, node: NodeId, key: PathKey, pace: Duration) {
        let Some(path) = self.path(node, key) else { return };
        let waits = |a: &PeerAddress| {
            let is_stale = path.failback.up_since().is_some_and(|up| a.answered < Some(up));
            let goes_home = is_stale && a.is_detoured();
            // What has answered before is asked at once when its path comes up, whenever that was last.
            let comes_up = goes_home && a.answered.is_some() && a.asked < path.failback.up_since();
            comes_up || ((goes_home || a.answered.is_none()) && is_due(now, path, a, pace, goes_home))
        };
        let named = path.addresses.iter().filter(|a| a.withdrawn.is_none() && !is_guessed(a));
        let targets: Vec<IpAddr> = named.filter(|a| waits(a)).map(|a| a.address).collect();
        targets.into_iter().for_each(|target| self.ask_address(now, node, key, target));
    }

    /// What may be invented, on all paths of the LAN together: first what the peer names there itself, then what was not
    /// asked for longest.
    fn ask_guessed(&mut self, now: Instant, node: NodeId, lan: LanIndex, pace: Duration) {
        let Some(peer) = self.peer(node) else { return };
        let due = |path: &Path, a: &PeerAddress| {
            a.withdrawn.is_none() && is_guessed(a) && is_due(now, path, a, pace, false)
        };
        let mut guessed: Vec<_> = peer
            .paths
            .iter()
            .filter(|(key, _)| key.lan == lan)
            .flat_map(|(key, path)| path.addresses.iter().map(move |a| (*key, path, a)))
            .filter(|(_, path, a)| due(path, a))
            .map(|(key, path, a)| (!path.claims.contains(&a.address), a.asked, key, a.address))
            .collect();
        let Some(open) = self.lans.get_mut(&lan).map(|lan| &mut lan.guesses) else { return };
        if guessed.is_empty() && !open.contains_key(&node) {
            return;
        }
        let guesses = open.entry(node).or_insert(Guesses { open: 0, since: now });
        let room = guesses.room(now, pace);
        // Those that were never asked are equal.
        if guessed.len() > room {
            let from = usize::try_from(self.random.number() % 1024).unwrap_or_default() % guessed.len();
            guessed.rotate_left(from);
        }
        guessed.sort_by_key(|(is_foreign, asked, ..)| (*is_foreign, *asked));
        guessed.truncate(room);
        guesses.open += guessed.len();
        if guesses.open == 0 {
            open.remove(&node);
        }
        guessed.into_iter().for_each(|(.., key, target)| self.ask_address(now, node, key, target));
    }

    fn ask_address(&mut self, now: Instant, node: NodeId, key: PathKey, target: IpAddr) {
        // The question itself may go to an interface that its host has no more.
        if self.path(node, key).is_some_and(|path| path.main_address() != Some(target)) {
            self.confirm_neighbour(now, key.lan, target);
        }
        self.inquire(now, node, key, target, false);
    }

    /// The peer has another number for its LAN by now: what answers here moves to this path.
    fn ask_left_behind(&mut self, now: Instant, node: NodeId, key: PathKey, pace: Duration) {
        let Some(peer) = self.peer(node) else { return };
        let Some(path) = peer.paths.get(&key).filter(|path| path.local == Level::Up) else { return };
        let left_behind = |k: PathKey, p: &Path| {
            let is_here = (k.lan, k.family) == (key.lan, key.family) && k != key;
            is_here && self.is_silent(k, p)
        };
        let behind: Vec<(PathKey, IpAddr)> = peer
            .paths
            .iter()
            .filter(|(k, p)| left_behind(**k, p))
            .flat_map(|(k, p)| p.addresses.iter().map(|a| (*k, a)))
            .filter(|(_, a)| a.withdrawn.is_none() && a.is_known())
            .filter(|(_, a)| !path.addresses.contains(&a.address) && is_due(now, path, a, pace, false))
            .map(|(k, a)| (k, a.address))
            .take(MAX_ADDRESSES)
            .collect();
        for (old, target) in behind {
            self.inquire(now, node, key, target, false);
            let record = self.path_mut(node, old).and_then(|path| path.addresses.get_mut(&target));
            record.into_iter().for_each(|record| record.asked = Some(now));
        }
    }
}

/// Questions to addresses of a peer on a LAN that may be invented.
#[derive(Debug, Clone)]
pub(super) struct Guesses {
    /// Those that nobody has answered.
    open: usize,
    /// When some of them were last given up for others.
    since: Instant,
}

impl Guesses {
    /// How many more there may be. `pace`: of the slots.
    fn room(&mut self, now: Instant, pace: Duration) -> usize {
        if now.since(self.since) >= pace * 3 / 4 {
            self.since = now;
            self.open = self.open.saturating_sub(GUESSES_PER_SLOT);
        }
        GUESSES.saturating_sub(self.open)
    }
}

/// Whether it may be somebody's invention, as far as questions go.
fn is_guessed(a: &PeerAddress) -> bool {
    !a.is_known() && !a.is_detoured()
}

/// Whether an address may be asked again. A node that asks often, or restarts often, makes us ask none more often than the
/// pace allows.
fn is_due(now: Instant, path: &Path, a: &PeerAddress, pace: Duration, hurries: bool) -> bool {
    // What was asked while nothing could pass proves nothing, and one question may be lost.
    let is_young = path.failback.up_since().is_some_and(|up| now.since(up) < pace * YOUNG);
    let wait = if hurries || is_young { pace * 3 / 4 } else { pace * 8 };
    a.asked.is_none_or(|asked| now.since(asked) >= wait)
}
