//! A node that seems to run anew: whether to believe it.
//!
//! Anybody on a LAN can say that a node has another boot id. Believed at once, that would restart all counts, and the
//! true run would look like a clone, for which nothing is moved. So while the run that we know is heard, another one
//! must answer a unicast INQ from an address that is known to be the node's; the first sign of it has one sent there.

use std::net::IpAddr;

use super::Engine;
use super::addresses::COMPLETE_LIST;
use super::notice::Notice;
use super::path::{Path, PathKey};
use super::peer::Peer;
use super::receive::Arrival;
use crate::time::Instant;
use crate::wire::{BootId, LanIndex, NodeId, Sender};

impl Engine {
    /// Whether this run of a node is the one that we know, or may take its place. `answered`: from this address it has
    /// just answered a unicast INQ.
    pub(super) fn may_run(
        &self,
        now: Instant,
        node: NodeId,
        boot: BootId,
        from: (PathKey, IpAddr),
        answered: bool,
    ) -> bool {
        let Some(peer) = self.peers.get(&node) else { return true };
        let is_known = peer.boot.is_none_or(|known| known == boot);
        let is_silent = self.is_run_silent(now, peer);
        // What a former run said with its cookie may be a recording.
        is_known
            || (is_silent && (answered || !peer.former_boots.contains(&boot)))
            || (answered && self.is_own(now, peer, from.0.lan, &from.1))
    }

    /// Whether an address is the node's own as far as its runs are concerned. An attacker on the LAN of an address can
    /// have answered from it in the node's name, and can name it there: it counts once the node has named it over another
    /// LAN. Where nothing was ever heard of the node elsewhere, an answer is all that there is.
    pub(super) fn is_own(&self, now: Instant, peer: &Peer, lan: LanIndex, address: &IpAddr) -> bool {
        // An attacker on another LAN can have it look withdrawn.
        let is_vouched = peer.record(lan, address).is_some_and(|record| record.vouched);
        let is_sure =
            || self.keys.is_keyed() || !(self.speaks_elsewhere(now, peer, lan) || peer.has_vouched(lan));
        // A run that was taken up while the peer was away has no address yet that it could show itself by.
        is_vouched || self.is_configured_as(peer, address) || (peer.has_proven(lan, address) && is_sure())
    }

    /// Whether an address may be told the node's tokens of other LANs: it is the node's own, and still is by what the node says
    /// on these. One that was given up there while its own LAN was dead may be another host's by now. It goes on counting for
    /// runs: otherwise an attacker on one LAN could keep the true node from showing itself on another.
    pub(super) fn may_have_tokens(&self, now: Instant, peer: &Peer, lan: LanIndex, address: &IpAddr) -> bool {
        let names = |(key, path): (PathKey, &Path)| key.lan != lan && path.claims.contains(address);
        let is_named = || self.voices(now, peer).any(names);
        self.is_own(now, peer, lan, address)
            && (self.keys.is_keyed() || !self.speaks_elsewhere(now, peer, lan) || is_named())
    }

    /// Whether the node is heard on another LAN and has named its addresses there. A list that may have been cut says nothing
    /// of what it lacks.
    fn speaks_elsewhere(&self, now: Instant, peer: &Peer, lan: LanIndex) -> bool {
        self.voices(now, peer).any(|(key, path)| key.lan != lan && path.claims.len() < COMPLETE_LIST)
    }

    /// Whether the run that we know was not heard for so long that another may take its place.
    fn is_run_silent(&self, now: Instant, peer: &Peer) -> bool {
        peer.absent || peer.heard.is_none_or(|heard| now.since(heard) > self.silence_of(peer))
    }

    /// Whether a run that takes the place of a silent one speaks from an address that was not the node's: the other of
    /// two clones, or a host that got new addresses. What was known of the old one would be wrong of it. But where an
    /// address on another LAN is known to be the node's, it stays: the run may have been invented, and the true one must
    /// be able to show itself by that.
    pub(super) fn is_another_host(&self, node: NodeId, boot: BootId, from: (PathKey, IpAddr)) -> bool {
        self.peers.get(&node).is_some_and(|peer| {
            let runs_anew = peer.boot.is_some_and(|known| known != boot);
            let is_known_elsewhere = || {
                let others = peer.paths.iter().filter(|(key, _)| key.lan != from.0.lan);
                let mut records = others.flat_map(|(_, path)| path.addresses.iter());
                records
                    .any(|a| a.withdrawn.is_none() && (a.vouched || self.is_configured_as(peer, &a.address)))
            };
            let is_at_home = peer.has_proven(from.0.lan, &from.1);
            runs_anew && !is_at_home && !self.has_overlay(peer) && !is_known_elsewhere()
        })
    }

    /// Another run shows itself while the one that we know lives, or a former one while that is silent. At an address of the
    /// node it is asked, once a slot, and so is a former run at any address while nothing else is heard of the node;
    /// from elsewhere it is another host under the node's id: it hears of it, and so do people if it stays.
    pub(super) fn on_other_run(&mut self, now: Instant, arrival: &Arrival<'_>) {
        let (key, source) = (arrival.key, arrival.datagram.source);
        let Sender { node, boot, requestor, .. } = arrival.packet.sender;
        let turn = self.turn(now, key.lan, node);
        let Some(patience) = self.peer(node).map(|peer| self.silence_of(peer)) else { return };
        let is_asked = self
            .peer(node)
            .is_some_and(|peer| self.is_run_silent(now, peer) || self.is_own(now, peer, key.lan, &source));
        let Some(peer) = self.peers.get_mut(&node) else { return };
        if is_asked {
            // The run may have another number for its LAN.
            let is_here = |k: &PathKey| k.lan == key.lan && k.family == key.family;
            let here = peer.paths.keys().copied().filter(|k| is_here(k));
            let Some(key) = here.min_by_key(|k| *k != key) else { return };
            let Some(path) = peer.paths.get_mut(&key) else { return };
            if std::mem::replace(&mut path.challenge_turn, turn) != turn {
                self.inquire(now, node, key, source, false);
            }
            return;
        }
        let since = match peer.rival {
            Some((rival, since)) if rival == boot => since,
            Some(_) | None => now,
        };
        peer.rival = Some((boot, since));
        let stays = now.since(since) > patience;
        if stays && !std::mem::replace(&mut peer.rival_told, true) {
            let other = peer.paths.get(&key).and_then(|path| path.answered_beside(&source));
            let interface = self.lan_name(key.lan);
            self.notice(Notice::PeerCloned { peer: node, address: source, other, interface, ignored: true });
        }
        if !requestor {
            self.tell_rival(now, arrival);
        }
    }

    /// A responder that is ignored would never learn that another host has its id, for it asks nobody: an INQ that names
    /// the run which we know, once a slot, has it look (rule 13). It returns the cookie, so that it is not a
    /// stranger's; its answer is not waited for, and it bears nothing that only the node itself may know.
    fn tell_rival(&mut self, now: Instant, arrival: &Arrival<'_>) {
        let interval = self.interval;
        let Some(peer) = self.peers.get_mut(&arrival.packet.sender.node) else { return };
        let (node, Some(boot)) = (peer.node, peer.boot) else { return };
        if peer.rival_asked.is_some_and(|asked| now.since(asked) < interval * 3 / 4) {
            return;
        }
        peer.rival_asked = Some(now);
        self.inquire_bare(arrival.lan, arrival.datagram.source, (node, boot), arrival.packet.cookie);
    }
}
