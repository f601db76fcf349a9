//! What may be believed of a datagram: sections 3 (rules 1, 4, 13) and 5 of faild-protocol(7).
//!
//! A stranger's INQ makes no entry: its ACK bears a cookie, and who returns that is known. Whoever answers a nonce of
//! ours is known too. All else that a packet says counts only if it comes from the run of a node that is known.

use std::net::IpAddr;
use std::time::Duration;

use super::counters::Dropped;
use super::freshness::Age;
use super::notice::Notice;
use super::pace::{MAX_INTERVAL, MIN_INTERVAL};
use super::path::{Path, PathKey, UNHEARD};
use super::peer::Peer;
use super::peer_address::Known;
use super::selection::MAX_LANS;
use super::send::HeldAnswer;
use super::{Engine, Reason};
use crate::interface::{Family, InterfaceIndex};
use crate::packet::Datagram;
use crate::time::Instant;
use crate::wire::{self, BootId, Cookie, Kind, LanIndex, NodeId, Nonce, Packet, Visitor};

/// A node is heard on a LAN of ours under one number, or under two while it changes: whoever invents more of them there takes
/// no places of other LANs, and together they fit into a report.
const MAX_NUMBERS: usize = wire::MAXIMUM_REPORTS / (MAX_LANS * 2);

/// How long a stranger may take to return its cookie, at least; twice that at most.
const COOKIE_EPOCH: Duration = Duration::from_secs(60);

/// How long a node id that two hosts bear is left alone after the last sign of it.
pub(super) const CLONE_QUARANTINE: Duration = Duration::from_secs(5);

/// A packet, with where it came from.
pub(super) struct Arrival<'a> {
    pub(super) datagram: &'a Datagram<'a>,
    pub(super) packet: Packet,
    pub(super) lan: LanIndex,
    pub(super) interface: InterfaceIndex,
    pub(super) key: PathKey,
}

impl Engine {
    pub(super) fn on_datagram(&mut self, now: Instant, datagram: Datagram<'_>) {
        self.counters.received += 1;
        if let Err(reason) = self.accept(now, &datagram) {
            self.counters.drop(reason);
        }
    }

    fn accept(&mut self, now: Instant, datagram: &Datagram<'_>) -> Result<(), Dropped> {
        let found = self.lans.iter().find(|(_, lan)| lan.running() == Some(datagram.interface));
        let (index, lan) = found.ok_or(Dropped::NoLan)?;
        let index = *index;
        if datagram.hop_limit != 255 {
            return Err(Dropped::Routed);
        }
        let is_ours = self.lans.values().any(|lan| lan.owns(&datagram.source));
        let is_on_link = lan.is_on_link(&datagram.source);
        let packet = wire::decode(datagram.payload, datagram.source, datagram.destination, &self.keys)
            .map_err(Dropped::Malformed)?;
        if packet.sender.node == self.node {
            return self.on_own_id(now, index, datagram, &packet);
        }
        if !is_on_link || is_ours {
            return Err(Dropped::ForeignSource);
        }
        if packet.directed.as_ref().is_some_and(|d| d.node != self.node && d.node != NodeId(0)) {
            return Err(Dropped::Misdirected);
        }
        let key = PathKey { lan: index, family: Family::of(&datagram.source), peer_lan: packet.sender.lan };
        if key.peer_lan == UNHEARD {
            return Err(Dropped::Misdirected);
        }
        let arrival = Arrival { datagram, packet, lan: index, interface: datagram.interface, key };
        match arrival.packet.kind {
            Kind::Inquiry => self.on_inquiry(now, &arrival),
            Kind::Acknowledgement { echo, held } => self.on_acknowledgement(now, &arrival, echo, held),
            Kind::Goodbye => self.on_goodbye(now, &arrival),
        }
    }

    // ----- INQ

    fn on_inquiry(&mut self, now: Instant, arrival: &Arrival<'_>) -> Result<(), Dropped> {
        let Arrival { datagram, packet, key, .. } = arrival;
        let sender = &packet.sender;
        if now.since(datagram.arrived) > sender.interval.clamp(MIN_INTERVAL, MAX_INTERVAL) {
            return Err(Dropped::Stale);
        }
        if !sender.requestor && !self.config.requestor {
            return Err(Dropped::TwoResponders);
        }
        if !self.is_known(arrival) {
            if packet.cookie.is_some_and(|cookie| self.is_our_cookie(now, arrival, cookie)) {
                self.meet(now, arrival, false)?;
                self.note_proven(sender.node);
            } else {
                return self.answer_stranger(now, arrival);
            }
        }
        let (window, usual) = (self.config.missed.get(), self.interval);
        let interval = sender.interval.clamp(MIN_INTERVAL, MAX_INTERVAL);
        let path = self.path_mut(sender.node, *key).ok_or(Dropped::JoinedLan)?;
        let age = path.freshness.judge(now, (sender.sequence, sender.nonce), interval, window);
        if age == Age::Double {
            return Err(Dropped::Replayed);
        }
        // A responder asks as often as the requestor does, whatever interval it announces.
        let asks_each = if sender.requestor { interval } else { interval.min(usual) };
        if !path.freshness.may_answer(now, age, asks_each) {
            return Err(Dropped::TooManyInquiries);
        }
        if age == Age::Behind {
            return self.on_old_inquiry(now, arrival);
        }
        self.ask_for_clone(now, arrival);
        self.on_heard(now, arrival);
        self.wake_neighbour(now, sender.node, *key, datagram.source);
        self.take_directed(now, arrival, None);
        self.count_inquiry(now, sender.node, *key, packet, datagram.arrived);
        self.settle(now, sender.node);
        self.reply(now, arrival, None, false);
        self.exchange_lists(now, sender.node, *key, datagram.source);
        Ok(())
    }

    /// An INQ that is behind says nothing of the present, and nothing in it is taken in. But its sender may well be there:
    /// it gets its answer, and a question of ours, whose answer shows how far it has come. A replay gains neither.
    fn on_old_inquiry(&mut self, now: Instant, arrival: &Arrival<'_>) -> Result<(), Dropped> {
        let (node, key, source) = (arrival.packet.sender.node, arrival.key, arrival.datagram.source);
        self.wake_neighbour(now, node, key, source);
        self.reply(now, arrival, None, false);
        let turn = self.turn(now, key.lan, node).unwrap_or_default();
        let path = self.path_mut(node, key).ok_or(Dropped::JoinedLan)?;
        let target = path.address_to_ask(source, turn);
        if let Some(target) = target.filter(|_| path.freshness.may_ask_back(turn)) {
            self.inquire(now, node, key, target, false);
        }
        Err(Dropped::Replayed)
    }

    /// Whether the current run of a known node is known on this path.
    fn is_known(&self, arrival: &Arrival<'_>) -> bool {
        self.peers.get(&arrival.packet.sender.node).is_some_and(|peer| {
            peer.boot == Some(arrival.packet.sender.boot) && peer.paths.contains_key(&arrival.key)
        })
    }

    fn visitor(arrival: &Arrival<'_>) -> Visitor {
        Visitor {
            interface: arrival.interface,
            source: arrival.datagram.source,
            node: arrival.packet.sender.node,
            boot: arrival.packet.sender.boot,
        }
    }

    fn epoch(now: Instant) -> u64 {
        now.as_nanos() / u64::try_from(COOKIE_EPOCH.as_nanos()).unwrap_or(u64::MAX)
    }

    fn is_our_cookie(&self, now: Instant, arrival: &Arrival<'_>, cookie: Cookie) -> bool {
        self.cookies.verify(&Self::visitor(arrival), Self::epoch(now), cookie)
    }

    /// Answers without keeping anything; nodes that we know do not compete with strangers. Nor does who bears our own id: his
    /// broadcasts, and those of any stranger, would leave nothing for the questions that find out who yields.
    pub(super) fn answer_stranger(&mut self, now: Instant, arrival: &Arrival<'_>) -> Result<(), Dropped> {
        let node = arrival.packet.sender.node;
        let is_known_node = node == self.node || self.peers.contains_key(&node);
        if !is_known_node {
            let lan = self.lans.get_mut(&arrival.lan).ok_or(Dropped::NoLan)?;
            if !lan.strangers.spend(now) {
                return Err(Dropped::TooManyStrangers);
            }
        }
        let cookie = self.cookies.cookie(&Self::visitor(arrival), Self::epoch(now));
        self.reply(now, arrival, Some(cookie), !is_known_node);
        Ok(())
    }

    fn reply(&mut self, now: Instant, arrival: &Arrival<'_>, cookie: Option<Cookie>, stranger: bool) {
        let Datagram { source, destination, arrived, payload, .. } = *arrival.datagram;
        let asked = self.lans.get(&arrival.lan).filter(|lan| lan.owns(&destination)).map(|_| destination);
        let Some(from) = asked.or_else(|| self.source_towards(arrival.lan, &source)) else { return };
        let answer = HeldAnswer {
            interface: arrival.interface,
            lan: arrival.lan,
            source: from,
            destination: source,
            node: arrival.packet.sender.node,
            boot: arrival.packet.sender.boot,
            key: arrival.key,
            echo: arrival.packet.sender.nonce,
            arrived,
            length: payload.len(),
            cookie,
        };
        let interval = arrival.packet.sender.interval.clamp(MIN_INTERVAL, MAX_INTERVAL);
        self.answer(now, answer, interval, stranger);
    }

    // ----- ACK

    fn on_acknowledgement(
        &mut self,
        now: Instant,
        arrival: &Arrival<'_>,
        echo: Nonce,
        held: Duration,
    ) -> Result<(), Dropped> {
        let Arrival { datagram, packet, key, lan, .. } = arrival;
        let node = packet.sender.node;
        // Two responders have no path. Its answer to what we asked as a requestor comes too late: nothing would ever be expected
        // of the peer, and its silence never seen.
        if !packet.sender.requestor && !self.config.requestor {
            return Err(Dropped::TwoResponders);
        }
        let asked = self.find_question(arrival, echo).ok_or(Dropped::UnknownNonce)?;
        let current = self.lans.get(lan).map_or(0, |lan| lan.sequence);
        if current.wrapping_sub(asked.sequence) > self.config.missed.get() {
            return Err(Dropped::UnknownNonce);
        }
        // While this host was stopped no slot began: an answer that waited meanwhile proves nothing of the present.
        if now.since(asked.sent) > self.interval * (self.config.missed.get() + 2) {
            return Err(Dropped::Stale);
        }
        if !self.is_known(arrival) {
            self.meet(now, arrival, !asked.broadcast)?;
        }
        if !asked.broadcast {
            self.note_proven(node);
        }
        self.on_heard(now, arrival);
        if asked.broadcast {
            self.wake_neighbour(now, node, *key, datagram.source);
        }
        self.doubt_after_silence(node, *key);
        let path = self.path_mut(node, *key).ok_or(Dropped::JoinedLan)?;
        let is_new_slot = path.freshness.on_answer(now, packet.sender.sequence, asked.sent);
        path.on_answer(asked.sent, asked.sequence == current, asked.first, now);
        let unfiltered = asked.broadcast && path.on_broadcast_answered();
        path.on_round_trip(datagram.arrived.since(asked.sent).saturating_sub(held));
        if !asked.broadcast {
            path.reach.on_unicast_answered(datagram.source, now);
        }
        self.on_address_answered(now, node, *key, datagram.source);
        if !asked.broadcast {
            self.take_over(node, *key, datagram.source);
        }
        if unfiltered {
            let interface = self.lan_name(*lan);
            self.notice(Notice::BroadcastHeard { peer: node, interface });
        }
        self.take_directed(now, arrival, (!asked.broadcast).then_some(asked.sent));
        // The INQ of that slot may come too late to count, or not at all.
        if is_new_slot {
            self.expect_inquiry(now, node, *key);
        }
        self.after_round_trip(now, node, *key, asked.first);
        self.settle(now, node);
        self.return_cookie(now, arrival);
        self.exchange_lists(now, node, *key, datagram.source);
        Ok(())
    }

    /// A path that missed a whole slot answers again while others are down and held for want of a way out: the peer
    /// was away for a moment, and answers on one LAN first. The others get fresh slots (see "Absence").
    fn doubt_after_silence(&mut self, node: NodeId, key: PathKey) {
        let Some(peer) = self.peers.get_mut(&node) else { return };
        if peer.paths.get(&key).is_none_or(|path| path.missed == 0) {
            return;
        }
        let lans = &self.lans;
        for (other, path) in peer.paths.iter_mut().filter(|(other, _)| **other != key) {
            if lans.get(&other.lan).is_some_and(|lan| lan.running().is_some()) {
                path.doubt_verdict();
            }
        }
    }

    /// The INQ of ours that an ACK answers. Unicast ones must be answered by the address that was asked.
    fn find_question(&mut self, arrival: &Arrival<'_>, echo: Nonce) -> Option<Question> {
        let source = arrival.datagram.source;
        let lan = self.lans.get(&arrival.lan)?;
        let family = arrival.key.family;
        if let Some(b) = lan.broadcasts.iter().find(|b| b.nonce == echo && b.family == family) {
            return Some(Question { sent: b.sent, sequence: b.sequence, first: true, broadcast: true });
        }
        if let Some(q) = self.unmet.get(&(arrival.lan, source)).and_then(|unmet| unmet.question(echo)) {
            return Some(q);
        }
        let peer = self.peers.get(&arrival.packet.sender.node)?;
        // It may have been asked under a number of its LAN that it had before, or that we do not know.
        peer.paths
            .iter()
            .filter(|(key, _)| key.lan == arrival.lan && key.family == family)
            .flat_map(|(_, path)| path.outstanding.iter())
            .find(|o| o.nonce == echo && o.target == source)
            .map(|o| Question { sent: o.sent, sequence: o.sequence, first: o.first, broadcast: false })
    }

    /// A peer that has no entry of us hands us a cookie: it comes back once a slot, with our addresses.
    fn return_cookie(&mut self, now: Instant, arrival: &Arrival<'_>) {
        let Some(cookie) = arrival.packet.cookie else { return };
        let node = arrival.packet.sender.node;
        let turn = self.turn(now, arrival.lan, node);
        let Some(path) = self.path_mut(node, arrival.key) else { return };
        if path.cookie_turn == turn {
            return;
        }
        path.cookie_turn = turn;
        self.inquire_with(now, node, arrival.key, arrival.datagram.source, false, Some(cookie));
    }

    // ----- BYE

    fn on_goodbye(&mut self, now: Instant, arrival: &Arrival<'_>) -> Result<(), Dropped> {
        let Arrival { packet, key, .. } = arrival;
        if !self.is_known(arrival) {
            return Err(Dropped::OtherBoot);
        }
        let peer = self.peers.get_mut(&packet.sender.node).ok_or(Dropped::OtherBoot)?;
        let path = peer.paths.get_mut(key).ok_or(Dropped::OtherBoot)?;
        if !path.freshness.takes_goodbye(packet.sender.sequence, packet.sender.nonce) {
            return Err(Dropped::Replayed);
        }
        // It counts only for the LAN that it came by (rule 8): a node may leave one and stay on the others.
        for (k, path) in peer.paths.iter_mut().filter(|(k, _)| k.lan == key.lan) {
            path.restart_counts();
            path.verdict = wire::Level::Unknown;
            path.gone = true;
            self.timers.cancel(Reason::Expected(packet.sender.node, *k));
        }
        self.settle(now, packet.sender.node);
        Ok(())
    }

    // ----- what all kinds share

    /// Makes an entry for a node, a run or a path that has shown that it hears us; `answered`: a unicast INQ.
    fn meet(&mut self, now: Instant, arrival: &Arrival<'_>, answered: bool) -> Result<(), Dropped> {
        let sender = &arrival.packet.sender;
        let from = (arrival.key, arrival.datagram.source);
        if !self.may_run(now, sender.node, sender.boot, from, answered) {
            self.on_other_run(now, arrival);
            return Err(Dropped::OtherBoot);
        }
        if self.is_another_host(sender.node, sender.boot, from) {
            self.forget(sender.node);
        }
        if !self.peers.contains_key(&sender.node) {
            let place = self.free_place(sender.node, &arrival.datagram.source);
            self.admit(now, arrival.lan, self.keys.is_keyed() || place.is_some())?;
            self.peers.insert(sender.node, Peer::new(sender.node).into());
            if let Some(place) = place {
                self.take_place(now, sender.node, place);
            }
        }
        self.meet_boot(now, arrival, sender.boot)?;
        self.meet_path(now, arrival)
    }

    /// Takes over a new run, at most one an interval: two hosts with one id, or somebody who invents runs, must not
    /// make us start anew with every packet.
    fn meet_boot(&mut self, now: Instant, arrival: &Arrival<'_>, boot: BootId) -> Result<(), Dropped> {
        let Some(peer) = self.peers.get_mut(&arrival.packet.sender.node) else { return Ok(()) };
        if peer.boot == Some(boot) {
            return Ok(());
        }
        let node = peer.node;
        let restarted = peer.boot.is_some();
        let is_clone = peer.former_boots.contains(&boot);
        let told = peer.is_cloned(now);
        if is_clone {
            peer.cloned_until =
                Some(now + CLONE_QUARANTINE.max(peer.interval() * 5).min(CLONE_QUARANTINE * 6));
        }
        let too_soon = peer.boot_since.is_some_and(|since| now.since(since) < peer.interval());
        if !too_soon {
            peer.on_new_boot(now, boot);
            // Its old run may have taken leave of a LAN by which the new one is never heard.
            peer.first_requestor = arrival.packet.sender.requestor;
            self.expect_inquiries(now, node);
        }
        if is_clone && !told {
            let (address, interface) = (arrival.datagram.source, self.lan_name(arrival.lan));
            let other = self.path(node, arrival.key).and_then(|path| path.answered_beside(&address));
            self.notice(Notice::PeerCloned { peer: node, address, other, interface, ignored: false });
        } else if restarted && !is_clone && !too_soon {
            self.notice(Notice::PeerRestarted { peer: node });
        }
        if too_soon { Err(Dropped::OtherBoot) } else { Ok(()) }
    }

    fn meet_path(&mut self, now: Instant, arrival: &Arrival<'_>) -> Result<(), Dropped> {
        let key = arrival.key;
        let node = arrival.packet.sender.node;
        let missed = self.config.missed.get();
        let source = arrival.datagram.source;
        let Some(peer) = self.peers.get(&node) else { return Err(Dropped::TableFull) };
        if peer.paths.contains_key(&key) {
            return Ok(());
        }
        let is_live = |path: &Path| {
            path.heard.is_some_and(|heard| now.since(heard) <= self.heard_each(peer) * (missed + 1))
        };
        let is_heard = |(twin, path): &(PathKey, &Path)| is_live(path) && self.is_running(twin.lan);
        let twin = peer.twins_of(key).find(is_heard).map(|(twin, _)| twin);
        if let Some(twin) = twin {
            let (one, other) = (self.lan_name(twin.lan), self.lan_name(key.lan));
            if !std::mem::replace(&mut self.told.joined, true) {
                self.notice(Notice::LansJoined { one, other });
            }
            return Err(Dropped::JoinedLan);
        }
        if peer.paths_beside(key).count() >= MAX_NUMBERS && !self.drop_stalest_path(now, node, key) {
            return Err(Dropped::TableFull);
        }
        let mut path = Path::new(now, &mut self.random, 0.0, &self.config.damping);
        path.by_unicast =
            self.is_configured(&source) || self.lans.get(&key.lan).is_some_and(|l| !l.settings.broadcast);
        self.adopt_unheard(node, key, &mut path);
        if let Some(peer) = self.peers.get_mut(&node) {
            peer.paths.insert(key, Box::new(path));
        }
        self.unmet.remove(&(key.lan, source));
        self.notice(Notice::PathFound { peer: node, interface: self.lan_name(key.lan), address: source });
        self.fit_interval(now);
        Ok(())
    }

    /// Addresses that were known before their path was heard move to it, with where their traffic goes.
    fn adopt_unheard(&mut self, node: NodeId, key: PathKey, path: &mut Path) {
        let unheard = PathKey { peer_lan: UNHEARD, ..key };
        let Some(placeholder) = self.peers.get_mut(&node).and_then(|peer| peer.paths.remove(&unheard)) else {
            return;
        };
        path.verdict = if placeholder.is_moved() { placeholder.verdict } else { wire::Level::Unknown };
        path.failback.set_failed(path.verdict == wire::Level::Down);
        path.addresses = placeholder.addresses;
    }

    /// Any packet of the current run on a known path.
    fn on_heard(&mut self, now: Instant, arrival: &Arrival<'_>) {
        let sender = &arrival.packet.sender;
        let missed = self.config.missed.get();
        let Some(peer) = self.peers.get_mut(&sender.node) else { return };
        peer.heard = Some(now);
        let Some(path) = peer.paths.get_mut(&arrival.key) else { return };
        path.requestor = sender.requestor;
        path.observer = sender.observer;
        path.pace.announce(sender.interval, missed, now);
        path.heard = Some(now);
        path.gone = false;
        path.on_list_offered(sender.address_generation, false);
        path.note(arrival.datagram.source, Known::Heard);
    }

    /// What a packet that is directed at this very run says: reports, and the list of addresses.
    /// `asked`: when the unicast INQ went out that it answers, if it does.
    fn take_directed(&mut self, now: Instant, arrival: &Arrival<'_>, asked: Option<Instant>) {
        let Arrival { packet, key, .. } = arrival;
        let node = packet.sender.node;
        if let Some(path) = self.path_mut(node, *key).filter(|_| asked.is_some()) {
            path.on_list_offered(packet.sender.address_generation, true);
            path.is_word_doubtful = false;
        }
        self.take_reports(now, node, *key, packet, asked);
        let is_of_this_run = packet.directed.as_ref().is_some_and(|d| d.boot == self.boot);
        if is_of_this_run {
            self.note_ties(node, *key, arrival.datagram.source, packet.reports.as_ref());
        }
        let is_ours = is_of_this_run || packet.cookie.is_some();
        if let Some(list) = packet.addresses.as_ref().filter(|_| is_ours) {
            self.take_list(now, node, *key, packet.sender.address_generation, list);
        }
    }

    /// Lists go each way and over each path: who holds an older one asks, who is asked sends. So does who has heard what
    /// may be old, or not true. The peer may have other addresses than those that have answered, if another host bears its id
    /// now: a responder asks nowhere else.
    fn exchange_lists(&mut self, now: Instant, node: NodeId, key: PathKey, source: IpAddr) {
        let generation = self.address_generation;
        let turn = self.turn(now, key.lan, node);
        let Some(peer) = self.peers.get(&node) else { return };
        let Some(path) = peer.paths.get(&key) else { return };
        let we_lack = path.claims_generation != path.offered_generation;
        let it_lacks = path.list_confirmed != generation;
        if !(we_lack || it_lacks || path.is_word_doubtful) || path.exchange_turn == turn {
            return;
        }
        let Some(target) = path.address_to_ask(source, turn.unwrap_or_default()) else { return };
        if let Some(path) = self.path_mut(node, key) {
            path.exchange_turn = turn;
        }
        self.inquire(now, node, key, target, false);
    }
}

/// An INQ of ours that was answered.
#[derive(Debug, Clone, Copy)]
pub(super) struct Question {
    pub(super) sent: Instant,
    pub(super) sequence: u32,
    pub(super) first: bool,
    pub(super) broadcast: bool,
}
