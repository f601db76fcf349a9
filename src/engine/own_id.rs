//! Packets that bear our own id: our broadcast, come back by another LAN, or another host that has it too (rule 13 of
//! faild-protocol(7)).

use std::collections::VecDeque;
use std::net::IpAddr;
use std::time::Duration;

use super::Engine;
use super::counters::Dropped;
use super::notice::Notice;
use super::path::PathKey;
use super::receive::{Arrival, CLONE_QUARANTINE};
use crate::interface::Family;
use crate::packet::Datagram;
use crate::time::Instant;
use crate::wire::{BootId, Kind, LanIndex, NodeId, Nonce, Packet};

/// Questions to others that may have our id: a few, so that who forges answers does not keep us from asking the true
/// one.
const ASKED: usize = 8;

/// What we know of another host that has our id.
#[derive(Debug, Clone, Default)]
pub(super) struct OwnClone {
    /// The first and the last sign of it.
    seen: Option<(Instant, Instant)>,
    /// Who was asked lately whether he is one, in which slot, and with what.
    asked: VecDeque<((LanIndex, IpAddr), u32, Nonce)>,
}

impl OwnClone {
    /// Whether somebody is to be asked in this slot of his LAN.
    fn may_ask(&self, whom: (LanIndex, IpAddr), slot: u32) -> bool {
        let now = || self.asked.iter().filter(|((lan, _), at, _)| (*lan, *at) == (whom.0, slot));
        now().count() < ASKED / 2 && now().all(|(other, ..)| *other != whom)
    }

    fn asked(&mut self, whom: (LanIndex, IpAddr), slot: u32, nonce: Nonce) {
        if self.asked.len() == ASKED {
            self.asked.pop_front();
        }
        self.asked.push_back((whom, slot, nonce));
    }

    /// Whether this answers such a question; each is answered once.
    fn is_answer(&mut self, from: (LanIndex, IpAddr), echo: Nonce) -> bool {
        let asked = self.asked.iter().position(|(whom, _, nonce)| (*whom, *nonce) == (from, echo));
        asked.and_then(|at| self.asked.remove(at)).is_some()
    }

    /// One more sign; signs that are further apart than `patience` are not of one time. When the first came.
    fn on_sign(&mut self, now: Instant, patience: Duration) -> Instant {
        let fresh = self.seen.filter(|(_, last)| now.since(*last) <= patience);
        let first = fresh.map_or(now, |(first, _)| first);
        self.seen = Some((first, now));
        first
    }
}

impl Engine {
    /// Our own broadcast, come back by another LAN; or another host with our id (rule 13).
    pub(super) fn on_own_id(
        &mut self,
        now: Instant,
        lan: LanIndex,
        datagram: &Datagram<'_>,
        packet: &Packet,
    ) -> Result<(), Dropped> {
        if packet.sender.boot == self.boot {
            let is_our_broadcast = self.is_outstanding_broadcast(packet.sender.lan, packet.sender.nonce);
            if packet.sender.lan != lan && is_our_broadcast && !self.told.joined {
                self.told.joined = true;
                let (one, other) = (self.lan_name(packet.sender.lan), self.lan_name(lan));
                self.notice(Notice::LansJoined { one, other });
            }
            return Err(Dropped::Own);
        }
        // What leaves the LAN would reach a host that has asked for nothing. True clones may have our very address.
        if self.lans.get(&lan).is_none_or(|lan| !lan.is_on_link(&datagram.source)) {
            return Err(Dropped::ForeignSource);
        }
        let Kind::Acknowledgement { echo, .. } = packet.kind else {
            return self.answer_own_clone(now, lan, datagram, packet);
        };
        if !self.own_clone.is_answer((lan, datagram.source), echo) {
            return self.ask_own_clone(lan, datagram, packet, echo);
        }
        // A responder never asks, so it never learns of us: then it is we who yield. So do we if the other does not, although
        // it should: it drew the id itself. But only once a run: who bears that id too has made it up, or yields in his turn.
        let yields =
            self.boot < packet.sender.boot || !packet.sender.requestor || self.is_cloned_for_long(now);
        let redraw = !self.told.redrawn && yields;
        if redraw || !std::mem::replace(&mut self.told.cloned, true) {
            let (node, other, interface) = (self.node, datagram.source, self.lan_name(lan));
            let own = self.source_towards(lan, &other);
            self.notice(Notice::OwnIdCloned { node, own, other, interface, redraw });
        }
        if redraw {
            self.told.cloned = false;
            self.told.redrawn = true;
            self.node = NodeId(self.random.number());
            self.remember_soon(now);
        }
        Ok(())
    }

    /// Whoever hears our broadcast can answer it under our id, with a source that no host has: who does is asked by
    /// unicast, once a slot, and believed once he answers that.
    fn ask_own_clone(
        &mut self,
        lan: LanIndex,
        datagram: &Datagram<'_>,
        packet: &Packet,
        echo: Nonce,
    ) -> Result<(), Dropped> {
        if !self.is_outstanding_broadcast(lan, echo) {
            return Err(Dropped::UnknownNonce);
        }
        let slot = self.lans.get(&lan).map_or(0, |lan| lan.sequence);
        let whom = (lan, datagram.source);
        if self.own_clone.may_ask(whom, slot)
            && let Some(nonce) = self.inquire_bare(
                lan,
                datagram.source,
                (packet.sender.node, packet.sender.boot),
                packet.cookie,
            )
        {
            self.own_clone.asked(whom, slot, nonce);
        }
        Err(Dropped::Own)
    }

    /// Takes in one more sign of another host with our id. Whether there have been some for so long that the other would have
    /// yielded, if it meant to.
    fn is_cloned_for_long(&mut self, now: Instant) -> bool {
        let patience = CLONE_QUARANTINE.max(self.interval * 5);
        now.since(self.own_clone.on_sign(now, patience)) > patience
    }

    /// Our answer proves to the other that there are two of us; it is answered like a stranger.
    fn answer_own_clone(
        &mut self,
        now: Instant,
        lan: LanIndex,
        datagram: &Datagram<'_>,
        packet: &Packet,
    ) -> Result<(), Dropped> {
        let Kind::Inquiry = packet.kind else { return Err(Dropped::Own) };
        let key = PathKey { lan, family: Family::of(&datagram.source), peer_lan: packet.sender.lan };
        let arrival = Arrival { datagram, packet: packet.clone(), lan, interface: datagram.interface, key };
        let answered = self.answer_stranger(now, &arrival);
        // If he has drawn his id in this run he draws no other: then it is on us, once he has answered us.
        self.ask_as_responder(now, lan, key.family);
        answered
    }

    /// A known peer addresses another run under our id: another host has it too. A requestor's broadcasts find that one; a
    /// responder, which sends none, asks for it once a slot.
    pub(super) fn ask_for_clone(&mut self, now: Instant, arrival: &Arrival<'_>) {
        let to = arrival.packet.directed.as_ref();
        let is_for_other = to.is_some_and(|to| ![self.boot, BootId(0)].contains(&to.boot));
        if is_for_other {
            self.ask_as_responder(now, arrival.lan, arrival.key.family);
        }
    }

    /// A requestor asks all the time anyway.
    fn ask_as_responder(&mut self, now: Instant, index: LanIndex, family: Family) {
        let Some(lan) = self.lans.get_mut(&index).filter(|lan| lan.settings.broadcast) else { return };
        let slot = lan.sequence;
        if !self.config.requestor && lan.asked_for_clone.replace(slot) != Some(slot) {
            self.broadcast_inquiry(now, index, family);
        }
    }

    fn is_outstanding_broadcast(&self, lan: LanIndex, echo: Nonce) -> bool {
        self.lans.get(&lan).is_some_and(|lan| lan.broadcasts.iter().any(|b| b.nonce == echo))
    }
}
