//! The peers, played for a rehearsal of a fault: they answer, and ask, on every path on which they are heard now, but
//! for those that are to fail. The engine under test is a clone, and cannot tell the difference: it is given datagrams.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use super::path::{Path, PathKey};
use super::peer::Peer;
use super::{Engine, Input};
use crate::interface::{Family, InterfaceIndex};
use crate::packet::{Datagram, Transmit};
use crate::time::Instant;
use crate::wire::{self, Directed, Kind, LanIndex, Level, NodeId, Nonce, Packet, Sealing, Sender, decode};

/// What of a peer falls silent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Silence {
    /// All of it.
    Node(NodeId),
    /// Its interface on this LAN of ours.
    Interface {
        /// The peer.
        node: NodeId,
        /// Our number of the LAN.
        lan: LanIndex,
        /// The peer's.
        peer_lan: LanIndex,
    },
}

/// The paths on which peers go on being heard.
#[derive(Debug, Clone)]
pub struct Cast {
    alive: BTreeMap<(NodeId, PathKey), Voice>,
    nonces: u64,
}

#[derive(Debug, Clone, Copy)]
struct Voice {
    sequence: u32,
    /// When it asks next.
    asks: Instant,
}

impl Engine {
    /// The peer with this name in the configuration, or this id.
    pub fn node_called(&self, word: &str) -> Option<NodeId> {
        let by_id = || u64::from_str_radix(word, 16).ok().map(NodeId).filter(|_| word.len() == ID_LENGTH);
        let named = self.peers.values().find(|peer| self.name_of(peer).as_deref() == Some(word));
        named.map(|peer| peer.node).or_else(by_id).filter(|node| self.peers.contains_key(node))
    }

    /// The interface of a peer that bears this address.
    pub fn interface_with(&self, address: &IpAddr) -> Option<Silence> {
        let bears = |peer: &Peer| {
            let mut paths = peer.paths.iter();
            paths.find(|(_, path)| path.addresses.contains(address)).map(|(key, _)| *key)
        };
        self.peers.values().find_map(|peer| {
            let key = bears(peer)?;
            Some(Silence::Interface { node: peer.node, lan: key.lan, peer_lan: key.peer_lan })
        })
    }

    /// Everybody as they are heard now, but for who falls silent.
    pub fn cast(&self, now: Instant, silence: Option<Silence>) -> Cast {
        let is_silenced = |node: NodeId, key: &PathKey| match silence {
            Some(Silence::Node(dead)) => node == dead,
            Some(Silence::Interface { node: dead, lan, peer_lan }) => {
                node == dead && key.lan == lan && key.peer_lan == peer_lan
            }
            None => false,
        };
        let mut alive = BTreeMap::new();
        for peer in self.peers.values().filter(|peer| !peer.absent) {
            for (key, path) in &peer.paths {
                if !is_silenced(peer.node, key) && !self.is_silent(*key, path) {
                    let (sequence, asks) =
                        (path.freshness.sequence().unwrap_or(0), now + path.pace.interval() / 2);
                    alive.insert((peer.node, *key), Voice { sequence, asks });
                }
            }
        }
        Cast { alive, nonces: 0 }
    }

    /// Whether something has just failed or is on its way home, so that moves follow without a further fault.
    pub fn is_unsettled(&self) -> bool {
        let mut present =
            self.peers.values().filter(|peer| !peer.absent).flat_map(|peer| peer.paths.values());
        present.any(|path| path.missed > 0 || path.verdict == Level::Down || path.is_moved())
    }

    /// How long it takes until a silence is judged and has been acted upon, with some room.
    pub fn longest_judgement(&self) -> Duration {
        let paces = self.peers.values().filter(|peer| !peer.absent && !self.config.requestor);
        let slowest = paces.map(|peer| peer.interval()).max().unwrap_or_default();
        self.interval.max(slowest) * (self.config.missed.get() + 3)
    }

    /// The peers answer what this engine has sent.
    pub fn answer_as_peers(&mut self, now: Instant, sent: &Transmit, cast: &mut Cast) {
        let Ok(packet) = decode(&sent.payload, sent.source, sent.destination, &self.keys) else { return };
        let Kind::Inquiry = packet.kind else { return };
        let hearers: Vec<(NodeId, PathKey)> =
            cast.alive.keys().filter(|(node, key)| self.is_for(sent, *node, *key)).copied().collect();
        for (node, key) in hearers {
            let kind = Kind::Acknowledgement { echo: packet.sender.nonce, held: Duration::ZERO };
            let from = Some(sent.destination).filter(|to| self.has_address(node, key, to));
            self.speak(now, cast, (node, key), kind, from);
        }
    }

    /// When the peers ask next, of their own accord. One that asks itself counts its own round trips and needs none.
    pub fn next_inquiry(&self, cast: &Cast) -> Option<Instant> {
        let asks =
            |(node, _): &(NodeId, PathKey)| self.peers.get(node).is_some_and(|peer| peer.is_requestor());
        let voices = cast.alive.iter().filter(|(path, _)| !self.config.requestor && asks(path));
        voices.map(|(_, voice)| voice.asks).min()
    }

    /// The peers whose time has come ask.
    pub fn inquire_as_peers(&mut self, now: Instant, cast: &mut Cast) {
        let due = cast.alive.iter().filter(|(_, voice)| voice.asks <= now);
        for (node, key) in due.map(|(path, _)| *path).collect::<Vec<_>>() {
            let Some(interval) = self.path(node, key).map(|path| path.pace.interval()) else { continue };
            if let Some(voice) = cast.alive.get_mut(&(node, key)) {
                voice.asks = now + interval;
                voice.sequence = voice.sequence.wrapping_add(1);
            }
            self.speak(now, cast, (node, key), Kind::Inquiry, None);
        }
    }

    fn is_for(&self, sent: &Transmit, node: NodeId, key: PathKey) -> bool {
        let is_there = self.running_index(key.lan) == Some(sent.interface);
        let is_group = sent.destination.is_multicast() || is_broadcast(&sent.destination);
        let is_family = key.family == Family::of(&sent.destination);
        is_there && is_family && (is_group || self.has_address(node, key, &sent.destination))
    }

    fn has_address(&self, node: NodeId, key: PathKey, address: &IpAddr) -> bool {
        self.path(node, key).is_some_and(|path| path.addresses.contains(address))
    }

    fn running_index(&self, lan: LanIndex) -> Option<InterfaceIndex> {
        self.lans.get(&lan)?.running()
    }

    /// A datagram of a peer arrives, as the peer would word it who has nothing new to say.
    fn speak(
        &mut self,
        now: Instant,
        cast: &mut Cast,
        (node, key): (NodeId, PathKey),
        kind: Kind,
        from: Option<IpAddr>,
    ) {
        cast.nonces += 1;
        let Some(voice) = cast.alive.get(&(node, key)) else { return };
        let Some(interface) = self.running_index(key.lan) else { return };
        let Some((peer, path)) = self.peers.get(&node).and_then(|peer| Some((peer, peer.paths.get(&key)?)))
        else {
            return;
        };
        let Some(packet) = self.words_of(peer, key, path, (kind, voice.sequence, cast.nonces)) else {
            return;
        };
        let Some(source) = from.or_else(|| path.main_address()) else { return };
        let Some(destination) = self.source_towards(key.lan, &source) else { return };
        let payload = wire::encode(&packet, &Sealing::new(&self.keys, source, destination));
        let hop_limit = 255;
        let arrived = now;
        let datagram = Datagram { interface, source, destination, hop_limit, arrived, payload: &payload };
        self.handle(now, Input::Datagram(datagram));
    }

    fn words_of(
        &self,
        peer: &Peer,
        key: PathKey,
        path: &Path,
        (kind, sequence, nonce): (Kind, u32, u64),
    ) -> Option<Packet> {
        let sender = Sender {
            requestor: peer.is_requestor(),
            observer: path.observer,
            lan: key.peer_lan,
            node: peer.node,
            boot: peer.boot?,
            sequence,
            interval: path.pace.interval(),
            nonce: Nonce(nonce),
            address_generation: path.offered_generation,
            report_generation: peer.held.generation,
        };
        let directed = Directed {
            node: self.node,
            boot: self.boot,
            address_generation: self.address_generation,
            report_generation: peer.report_generation,
            token: path.token_held,
        };
        Some(Packet { kind, sender, directed: Some(directed), reports: None, addresses: None, cookie: None })
    }
}

fn is_broadcast(address: &IpAddr) -> bool {
    matches!(address, IpAddr::V4(v4) if v4.is_broadcast())
}

/// Digits of a node id as it is shown.
const ID_LENGTH: usize = 16;
