//! Packets out: INQs, the ACKs that answer, goodbyes.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use super::lan::Broadcast;
use super::path::{Outstanding, PathKey, UNHEARD, is_link_local};
use super::{Engine, Output, Reason};
use crate::gather::Gather;
use crate::interface::{Family, InterfaceIndex};
use crate::packet::Transmit;
use crate::time::Instant;
use crate::wire::{
    self, BootId, Cookie, Directed, Kind, LanIndex, NodeId, Nonce, Packet, PathReport, Sealing, Sender, Token,
};

/// Answers to proven peers are spread by this much a peer, so that 1,000 do not answer in one burst. One that must wait
/// goes with the next that waits already: hosts still differ, and each wakes up once for all that it has to answer.
const SPREAD_PER_PEER: Duration = Duration::from_micros(20);

/// Up to this many peers answer at once: such a burst fits the smallest receive queue (256) many times over, and
/// each spread answer costs its sender a wake-up.
const PEERS_WITHOUT_SPREAD: usize = 32;

/// Answers held back at once: a full burst of the largest LAN. More are sent undelayed.
const MAX_HELD_ANSWERS: usize = 4096;

/// An answer that waits for its moment.
#[derive(Debug, Clone)]
pub(super) struct HeldAnswer {
    pub(super) interface: InterfaceIndex,
    pub(super) lan: LanIndex,
    pub(super) source: IpAddr,
    pub(super) destination: IpAddr,
    /// Whom it answers; its run.
    pub(super) node: NodeId,
    pub(super) boot: BootId,
    pub(super) key: PathKey,
    pub(super) echo: Nonce,
    pub(super) arrived: Instant,
    /// Length of the INQ: the answer is no longer.
    pub(super) length: usize,
    pub(super) cookie: Option<Cookie>,
}

impl Engine {
    fn header(&mut self, lan: LanIndex, report_generation: u32) -> Sender {
        Sender {
            requestor: self.config.requestor,
            observer: self.config.dry_run,
            lan,
            node: self.node,
            boot: self.boot,
            sequence: self.lans.get(&lan).map_or(0, |lan| lan.sequence),
            interval: self.interval,
            nonce: self.random.nonce(),
            address_generation: self.address_generation,
            report_generation,
        }
    }

    fn transmit(&mut self, interface: InterfaceIndex, source: IpAddr, destination: IpAddr, payload: Vec<u8>) {
        self.counters.sent += 1;
        self.outputs.push_back(Output::Send(Transmit { interface, source, destination, payload }));
    }

    /// Paths that a pair can have at most: what INQs leave room for in their answers.
    fn pair_paths(&self) -> usize {
        self.lans.len() * 2
    }

    /// "Who hears me?", to everybody on the LAN.
    pub(super) fn broadcast_inquiry(&mut self, now: Instant, index: LanIndex, family: Family) {
        let packet = Packet {
            kind: Kind::Inquiry,
            sender: self.header(index, 0),
            directed: None,
            reports: None,
            addresses: None,
            cookie: None,
        };
        let Some(lan) = self.lans.get_mut(&index) else { return };
        let (Some(interface), Some(source)) = (lan.running(), lan.broadcast_source(family)) else { return };
        let destination = lan.broadcast_destination(family);
        let Sender { nonce, sequence, .. } = packet.sender;
        lan.remember_broadcast(Broadcast { nonce, sent: now, sequence, family });
        let sealing = Sealing::new(&self.keys, source, destination).with_room_for(self.lans.len() * 2);
        let payload = wire::encode(&packet, &sealing);
        self.transmit(interface, source, destination, payload);
    }

    /// Our address to speak from to an address on a LAN.
    pub(super) fn source_towards(&self, lan: LanIndex, target: &IpAddr) -> Option<IpAddr> {
        let lan = self.lans.get(&lan)?;
        if is_link_local(target) {
            return lan.broadcast_source(Family::V6);
        }
        lan.source_for(target)
    }

    /// "Do you hear me?", to one address of a peer, with all that we have to report. `first`: it opens a slot.
    pub(super) fn inquire(&mut self, now: Instant, node: NodeId, key: PathKey, target: IpAddr, first: bool) {
        self.inquire_with(now, node, key, target, first, None);
    }

    pub(super) fn inquire_with(
        &mut self,
        now: Instant,
        node: NodeId,
        key: PathKey,
        target: IpAddr,
        first: bool,
        cookie: Option<Cookie>,
    ) {
        let Some(interface) = self.lans.get(&key.lan).and_then(|lan| lan.running()) else { return };
        let Some(source) = self.source_towards(key.lan, &target) else { return };
        let Some(packet) = self.inquiry(now, node, key, target, cookie) else { return };
        let Sender { nonce, sequence, .. } = packet.sender;
        let sealing = Sealing::new(&self.keys, source, target).with_room_for(self.pair_paths());
        let payload = wire::encode(&packet, &sealing);
        if let Some(path) = self.path_mut(node, key) {
            path.on_asked(Outstanding { nonce, sent: now, sequence, target, first });
            if let Some(address) = path.addresses.get_mut(&target) {
                address.asked = Some(now);
            }
        }
        self.transmit(interface, source, target, payload);
    }

    fn inquiry(
        &mut self,
        now: Instant,
        node: NodeId,
        key: PathKey,
        target: IpAddr,
        cookie: Option<Cookie>,
    ) -> Option<Packet> {
        let reports = self.reports(now, node, (key.lan, target));
        let turn = self.turn(now, key.lan, node);
        let generation = self.address_generation;
        let lacks_list = self.path_mut(node, key).is_some_and(|path| {
            // The list goes where an answer is likely: an address that is asked anew may be gone.
            let is_main = path.main_address() == Some(target);
            let lacks = path.list_confirmed != generation && path.list_turn != turn && is_main;
            if lacks {
                path.list_turn = turn;
            }
            lacks
        });
        let addresses = (lacks_list || cookie.is_some()).then(|| self.own_addresses());
        let directed = self.directed(node, key)?;
        let report_generation = self.peers.get(&node)?.report_generation;
        let sender = self.header(key.lan, report_generation);
        Some(Packet {
            kind: Kind::Inquiry,
            sender,
            directed: Some(directed),
            reports: Some(reports),
            addresses,
            cookie,
        })
    }

    /// All our addresses, on all LANs. A list that is too long is cut: those come first that peers hear us from.
    pub(super) fn own_addresses(&self) -> Vec<IpAddr> {
        let spoken: BTreeSet<IpAddr> = self.lans.values().flat_map(|lan| lan.sources()).gather();
        let mut all: Vec<IpAddr> = self.lans.values().flat_map(|lan| lan.addresses()).collect();
        all.sort_unstable_by_key(|address| (!is_link_local(address) && !spoken.contains(address), *address));
        all.dedup();
        all.truncate(wire::fitting_addresses(&all));
        all
    }

    fn directed(&self, node: NodeId, key: PathKey) -> Option<Directed> {
        let peer = self.peers.get(&node)?;
        let path = peer.paths.get(&key);
        Some(Directed {
            node: if key.peer_lan == UNHEARD && peer.boot.is_none() { NodeId(0) } else { node },
            boot: peer.boot.unwrap_or(BootId(0)),
            address_generation: path.map_or(0, |path| path.claims_generation),
            report_generation: peer.held.generation,
            token: path.map_or(Token(0), |path| path.token_given),
        })
    }

    /// "Do you hear me?", to a configured address whose node is not known.
    pub(super) fn inquire_unmet(&mut self, lan: LanIndex, target: IpAddr) -> Option<Nonce> {
        self.inquire_bare(lan, target, (NodeId(0), BootId(0)), None)
    }

    /// The same to whoever is there, in the name of a run or none: without report, list or token.
    pub(super) fn inquire_bare(
        &mut self,
        lan: LanIndex,
        target: IpAddr,
        (node, boot): (NodeId, BootId),
        cookie: Option<Cookie>,
    ) -> Option<Nonce> {
        let interface = self.lans.get(&lan)?.running()?;
        let source = self.source_towards(lan, &target)?;
        let directed = Directed { node, boot, address_generation: 0, report_generation: 0, token: Token(0) };
        let packet = Packet {
            kind: Kind::Inquiry,
            sender: self.header(lan, 0),
            directed: Some(directed),
            reports: None,
            addresses: None,
            cookie,
        };
        let nonce = packet.sender.nonce;
        let sealing = Sealing::new(&self.keys, source, target).with_room_for(self.pair_paths());
        let payload = wire::encode(&packet, &sealing);
        self.transmit(interface, source, target, payload);
        Some(nonce)
    }

    /// Answers at once, or a little later if many hosts answer the same INQ; in time for one who asks again after an
    /// eighth of `interval`, its own. Strangers always wait for a while.
    pub(super) fn answer(&mut self, now: Instant, answer: HeldAnswer, interval: Duration, stranger: bool) {
        let spread = match (stranger, self.peers.len()) {
            (true, _) => self.interval.min(interval) / 4,
            (false, peers) if peers <= PEERS_WITHOUT_SPREAD => Duration::ZERO,
            (false, peers) => (interval / 8).min(SPREAD_PER_PEER * u32::try_from(peers).unwrap_or(u32::MAX)),
        };
        if spread.is_zero() || self.held_answers.len() >= MAX_HELD_ANSWERS {
            return self.send_answer(now, &answer);
        }
        let standing = self.timers.at(Reason::Answers).filter(|at| !stranger && *at <= now + spread);
        let at = standing.unwrap_or_else(|| now + self.random.between(Duration::ZERO, spread));
        self.answers_held = self.answers_held.wrapping_add(1);
        self.held_answers.insert((at, self.answers_held), answer);
        self.timers.set_earlier(Reason::Answers, at);
    }

    pub(super) fn on_answers_due(&mut self, now: Instant) {
        while let Some(entry) = self.held_answers.first_entry() {
            if entry.key().0 > now {
                let at = entry.key().0;
                self.timers.set(Reason::Answers, at);
                return;
            }
            let answer = entry.remove();
            self.send_answer(now, &answer);
        }
    }

    fn send_answer(&mut self, now: Instant, answer: &HeldAnswer) {
        let known = self.peers.get(&answer.node).filter(|peer| peer.boot == Some(answer.boot));
        let report_generation = known.map_or(0, |peer| peer.report_generation);
        let is_known = known.is_some_and(|peer| peer.paths.contains_key(&answer.key));
        let reports: Option<Vec<PathReport>> =
            is_known.then(|| self.reports(now, answer.node, (answer.lan, answer.destination)));
        let directed = self.directed(answer.node, answer.key).filter(|_| is_known).unwrap_or(Directed {
            node: answer.node,
            boot: answer.boot,
            address_generation: 0,
            report_generation: 0,
            token: Token(0),
        });
        let packet = Packet {
            kind: Kind::Acknowledgement { echo: answer.echo, held: now.since(answer.arrived) },
            sender: self.header(answer.lan, report_generation),
            directed: Some(directed),
            reports,
            addresses: None,
            cookie: answer.cookie,
        };
        let sealing = Sealing::new(&self.keys, answer.source, answer.destination).answering(answer.length);
        let payload = wire::encode(&packet, &sealing);
        self.transmit(answer.interface, answer.source, answer.destination, payload);
    }

    /// Says goodbye on every LAN: by broadcast, and by unicast to those whom broadcasts do not reach.
    pub(super) fn on_stop(&mut self, now: Instant) {
        self.say_goodbyes(|_| true);
        self.remember(now);
    }

    /// The same on some LANs only.
    pub(super) fn say_goodbyes(&mut self, leaves: impl Fn(LanIndex) -> bool) {
        let mut to = Vec::new();
        for (index, lan) in self.lans.iter().filter(|(index, _)| leaves(**index)) {
            for family in lan.families().filter(|_| lan.settings.broadcast) {
                let Some(source) = lan.broadcast_source(family) else { continue };
                to.push((*index, source, lan.broadcast_destination(family)));
            }
        }
        for peer in self.peers.values().filter(|peer| !peer.absent) {
            let by_unicast = peer.paths.iter().filter(|(_, path)| path.by_unicast || path.filtered);
            for (key, path) in by_unicast.filter(|(key, _)| leaves(key.lan)) {
                let Some(target) = path.main_address() else { continue };
                let Some(source) = self.source_towards(key.lan, &target) else { continue };
                to.push((key.lan, source, target));
            }
        }
        for (lan, source, destination) in to {
            self.say_goodbye(lan, source, destination);
        }
    }

    pub(super) fn say_goodbye(&mut self, lan: LanIndex, source: IpAddr, destination: IpAddr) {
        let Some(interface) = self.lans.get(&lan).and_then(|lan| lan.running()) else { return };
        let packet = Packet {
            kind: Kind::Goodbye,
            sender: self.header(lan, 0),
            directed: None,
            reports: None,
            addresses: None,
            cookie: None,
        };
        let payload = wire::encode(&packet, &Sealing::new(&self.keys, source, destination));
        self.transmit(interface, source, destination, payload);
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::config::Config;
    use crate::engine::{Memory, Peer};

    #[test]
    fn answers_are_spread_within_an_eighth_of_the_askers_interval() {
        let now = Instant::from_nanos(1_000_000_000);
        let address = IpAddr::V4(Ipv4Addr::LOCALHOST);
        for (interval, limit) in [(10, 1_250), (50, 6_250), (60_000, 40_000)] {
            let mut engine = Engine::new(&Config::default(), Memory::default(), [1; 32]);
            engine.peers.extend((0..2000).map(|n| (NodeId(n), Peer::new(NodeId(n)).into())));
            for echo in 0..100 {
                let answer = HeldAnswer {
                    interface: InterfaceIndex(1),
                    lan: LanIndex(0),
                    source: address,
                    destination: address,
                    node: NodeId(1),
                    boot: BootId(1),
                    key: PathKey { lan: LanIndex(0), family: Family::V4, peer_lan: LanIndex(0) },
                    echo: Nonce(echo),
                    arrived: now,
                    length: 100,
                    cookie: None,
                };
                engine.answer(now, answer, Duration::from_millis(interval), false);
            }
            let last = engine.held_answers.last_key_value().map(|((at, _), _)| at.since(now));
            assert!(
                last.is_some_and(|last| last <= Duration::from_micros(limit)),
                "{last:?} at {interval} ms"
            );
        }
    }
}
