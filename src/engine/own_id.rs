//! Packets that bear our own id: our broadcast, come back by another LAN, or another host that has it too (rule 13 of
//! faild-protocol(7)).

use super::counters::Dropped;
use super::notice::Notice;
use super::path::PathKey;
use super::receive::{Arrival, CLONE_QUARANTINE};
use super::{Datagram, Engine};
use crate::interface::Family;
use crate::time::Instant;
use crate::wire::{BootId, Kind, LanIndex, NodeId, Nonce, Packet};

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
            if packet.sender.lan != lan && !self.told.joined {
                self.told.joined = true;
                let (one, other) = (self.lan_name(packet.sender.lan), self.lan_name(lan));
                self.notice(Notice::LansJoined { one, other });
            }
            return Err(Dropped::Own);
        }
        let Kind::Acknowledgement { echo, .. } = packet.kind else {
            return self.answer_own_clone(now, lan, datagram, packet);
        };
        if !self.is_outstanding_broadcast(lan, echo) {
            return Err(Dropped::UnknownNonce);
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

    /// Takes in one more sign of another host with our id. Whether there have been some for so long that the other would have
    /// yielded, if it meant to.
    fn is_cloned_for_long(&mut self, now: Instant) -> bool {
        let patience = CLONE_QUARANTINE.max(self.interval * 5);
        let fresh = self.own_clone.filter(|(_, last)| now.since(*last) <= patience);
        let (first, _) = *self.own_clone.insert((fresh.map_or(now, |(first, _)| first), now));
        now.since(first) > patience
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
