//! Subjects: what of the peers' addresses is in the plan, whose each is, and what became of it in the kernel.
//!
//! More than one node may have a subject: a host draws a new id, an address moves, LANs are joined. One of them owns it
//! and its verdict counts; the others are rivals, and the first that is found to be the better owner takes over what
//! stands in the kernel.

use std::net::IpAddr;

use super::addresses::COMPLETE_LIST;
use super::lan::Lan;
use super::path::{Path, PathKey, UNHEARD, is_link_local};
use super::peer::Peer;
use super::peer_address::{PeerAddress, Position};
use super::{Engine, NextHop, Outcome, Output, Subject, Verdict};
use crate::time::Instant;
use crate::wire::{LanIndex, NodeId};

impl Engine {
    /// Brings the plan in line with the positions of a peer's addresses.
    pub(super) fn update_plan(&mut self, now: Instant, node: NodeId) {
        let Some(peer) = self.peers.get(&node) else { return };
        let engine: &Self = self;
        let positions = || {
            peer.paths.iter().flat_map(|(key, path)| {
                let counts = move |a: &PeerAddress| {
                    (a.answered.is_some() || a.trusted) && !engine.is_given_away(now, node, a)
                };
                path.addresses.iter().filter(move |a| counts(a)).map(|a| (key.lan, a.address, a.position))
            })
        };
        if !peer.planned.as_ref().is_some_and(|planned| positions().eq(planned.iter().copied())) {
            let planned: Vec<_> = positions().collect();
            let subjects = planned.iter().map(|planned| self.subject(planned)).collect();
            if let Some(peer) = self.peers.get_mut(&node) {
                peer.planned = Some(planned.into());
            }
            self.replace_subjects(node, subjects);
        }
        self.settle_rivalries(node);
    }

    /// Whether an address is withdrawn here and claimed by another node that is heard. It belongs to neither until that one
    /// has proven it.
    fn is_given_away(&self, now: Instant, node: NodeId, a: &PeerAddress) -> bool {
        let names =
            |other| self.peer(other).is_some_and(|peer| !peer.absent && self.names(now, peer, &a.address));
        a.withdrawn.is_some() && self.claimants_of(&a.address).any(|other| other != node && names(other))
    }

    fn subject(&self, (lan, address, position): &(LanIndex, IpAddr, Position)) -> (Subject, Verdict) {
        let home = self.lans.get(lan).map(Lan::home).unwrap_or_default();
        (Subject { home, address: *address }, self.verdict_of(*position))
    }

    fn verdict_of(&self, position: Position) -> Verdict {
        match position {
            Position::Home => Verdict::Home,
            Position::Undecided => Verdict::Undecided,
            Position::Detour(way, via) => Verdict::Detour(NextHop { interface: self.lan_name(way.lan), via }),
        }
    }

    /// Puts a peer's subjects into the plan in place of those that it had there.
    pub(super) fn replace_subjects(&mut self, node: NodeId, subjects: Vec<(Subject, Verdict)>) {
        let new: Vec<Subject> = subjects.iter().map(|(subject, _)| subject.clone()).collect();
        let old = self
            .peers
            .get_mut(&node)
            .map(|p| std::mem::replace(&mut p.subjects, new.clone()))
            .unwrap_or_default();
        for gone in old.iter().filter(|subject| !new.contains(subject)) {
            self.give_up(node, gone);
        }
        for (subject, verdict) in subjects {
            match self.subject_nodes.get(&subject) {
                Some(owner) if *owner != node => {
                    self.rivals.entry(subject).or_default().insert(node);
                }
                Some(_) | None => {
                    self.subject_nodes.insert(subject.clone(), node);
                    self.put_into_plan(subject, verdict);
                }
            }
        }
    }

    fn put_into_plan(&mut self, subject: Subject, verdict: Verdict) {
        if self.plan.subjects.get(&subject) != Some(&verdict) {
            self.plan.subjects.insert(subject, verdict);
            self.tell_plan_changed();
        }
    }

    fn tell_plan_changed(&mut self) {
        if !matches!(self.outputs.back(), Some(Output::PlanChanged)) {
            self.outputs.push_back(Output::PlanChanged);
        }
    }

    /// A node no longer has a subject: if it was the owner, a rival inherits it, or it leaves the plan.
    fn give_up(&mut self, node: NodeId, gone: &Subject) {
        if self.subject_nodes.get(gone) != Some(&node) {
            return self.drop_rival(node, gone);
        }
        let heir = self.rivals.get(gone).and_then(|nodes| {
            nodes.iter().copied().max_by_key(|rival| {
                let record = self.record_of(*rival, gone);
                record.map(|(peer, a)| (!peer.absent, a.withdrawn.is_none(), a.answered))
            })
        });
        if let Some(heir) = heir {
            self.hand_over(gone, node, heir);
            return self.drop_rival(node, gone);
        }
        self.subject_nodes.remove(gone);
        if self.plan.subjects.remove(gone).is_some() {
            self.tell_plan_changed();
        }
    }

    fn drop_rival(&mut self, node: NodeId, subject: &Subject) {
        let Some(nodes) = self.rivals.get_mut(subject) else { return };
        nodes.remove(&node);
        if nodes.is_empty() {
            self.rivals.remove(subject);
        }
    }

    /// Whether a node's subjects have a better owner by now: this node, or a rival of it.
    fn settle_rivalries(&mut self, node: NodeId) {
        if self.rivals.is_empty() {
            return;
        }
        let Some(peer) = self.peers.get(&node) else { return };
        let mut passed = Vec::new();
        for subject in &peer.subjects {
            let Some(nodes) = self.rivals.get(subject) else { continue };
            let Some(owner) = self.subject_nodes.get(subject).copied() else { continue };
            if let Some(rival) = nodes.iter().copied().find(|rival| self.outranks(*rival, owner, subject)) {
                passed.push((subject.clone(), owner, rival));
            }
        }
        for (subject, owner, rival) in passed {
            self.hand_over(&subject, owner, rival);
        }
    }

    /// Whether a subject is the rival's rather than its owner's: the owner withdrew it; or is absent, and the rival was
    /// heard since and has answered from it since, or is trusted to have it; or both live, and only the rival has answered
    /// from it for f slots and more.
    fn outranks(&self, rival: NodeId, owner: NodeId, subject: &Subject) -> bool {
        let Some((owner, owned)) = self.record_of(owner, subject) else { return true };
        let Some((rival, claimed)) = self.record_of(rival, subject) else { return false };
        if rival.absent || claimed.withdrawn.is_some() || owned.withdrawn.is_some() {
            return owned.withdrawn.is_some() && claimed.withdrawn.is_none();
        }
        let silence = self.silence_of(owner);
        let is_long_after = |c: Instant| owned.answered.is_none_or(|o| c.since(o) > silence);
        let long_after = claimed.answered.is_some_and(is_long_after);
        let answered = claimed.answered > owned.answered;
        (owner.absent && rival.heard > owner.heard && (answered || claimed.trusted))
            || (answered && long_after)
    }

    /// The new owner takes over what stands in the kernel, and leaves it until it has decided.
    fn hand_over(&mut self, subject: &Subject, from: NodeId, to: NodeId) {
        let standing = self.record_of_mut(from, subject).and_then(|record| {
            record.position = Position::Undecided;
            record.applied.take()
        });
        self.drop_rival(to, subject);
        self.rivals.entry(subject.clone()).or_default().insert(from);
        self.subject_nodes.insert(subject.clone(), to);
        if let Some(way) = standing.clone().filter(|_| !is_link_local(&subject.address)) {
            self.adopted.insert(subject.address, *way);
        }
        let Some(record) = self.record_of_mut(to, subject) else { return };
        record.applied = standing;
        // A detour that it chose as a rival was never installed, and it may be absent by now: it must be proven again.
        if matches!(record.position, Position::Detour(..)) {
            record.position = Position::Undecided;
        }
        let position = record.position;
        self.put_into_plan(subject.clone(), self.verdict_of(position));
        // The plan no longer says what it had decided: if it decides the same again, that has to be put there.
        if let Some(peer) = self.peers.get_mut(&to) {
            peer.planned = None;
        }
    }

    fn key_of(&self, node: NodeId, subject: &Subject) -> Option<PathKey> {
        let (lan, _) = self.lans.iter().find(|(_, lan)| lan.name() == &*subject.home)?;
        self.peers.get(&node)?.path_by_address(*lan, &subject.address)
    }

    fn record_of(&self, node: NodeId, subject: &Subject) -> Option<(&Peer, &PeerAddress)> {
        let key = self.key_of(node, subject)?;
        let peer = self.peers.get(&node)?;
        Some((peer, peer.paths.get(&key)?.addresses.get(&subject.address)?))
    }

    fn record_of_mut(&mut self, node: NodeId, subject: &Subject) -> Option<&mut PeerAddress> {
        let key = self.key_of(node, subject)?;
        self.path_mut(node, key)?.addresses.get_mut(&subject.address)
    }

    /// Whether what stands in the kernel for an address of an absent node leads to another by now, which does not bear the
    /// address: the host goes on under a new id, or another one has got its next hop.
    pub(super) fn leads_astray(&self, now: Instant, a: &PeerAddress, of: NodeId) -> bool {
        let way = a.applied.as_deref().or_else(|| self.adopted.get(&a.address));
        way.and_then(|way| self.disowner(now, way, &a.address)).is_some_and(|node| node != of)
    }

    /// The live node that a way leads to, if it says of all its addresses that this one is not among them.
    pub(super) fn disowner(&self, now: Instant, way: &NextHop, address: &IpAddr) -> Option<NodeId> {
        let next_hop = Subject { home: way.interface.as_str().into(), address: way.via };
        let peer = self.subject_nodes.get(&next_hop).and_then(|node| self.peers.get(node))?;
        let mut voices = self.voices(now, peer).peekable();
        let speaks = !peer.absent && !peer.is_doubtful(now, self.silence_of(peer)) && voices.peek().is_some();
        let disowns =
            |(_, path): (PathKey, &Path)| path.claims.len() < COMPLETE_LIST && !path.claims.contains(address);
        (speaks && voices.all(disowns)).then_some(peer.node)
    }

    /// What became of a subject in the kernel.
    pub(super) fn on_outcome(&mut self, now: Instant, subject: &Subject, outcome: &Outcome) {
        if *outcome == Outcome::Lifted && self.on_left(subject) {
            return;
        }
        let Some(node) = self.subject_nodes.get(subject).copied() else { return };
        let Some(record) = self.record_of_mut(node, subject) else { return };
        match outcome {
            Outcome::Applied(way) => record.applied = Some(way.clone().into()),
            Outcome::Lifted => record.applied = None,
            Outcome::Refused(_) | Outcome::Contested => {}
        }
        if *outcome == Outcome::Lifted {
            self.adopted.remove(&subject.address);
        }
        self.spread_news(now, node);
    }

    /// An overlay that was found is gone before anything was decided: taken for one that stands, it would be laid without
    /// proof as soon as its node is heard again.
    pub(super) fn on_vanished(&mut self, now: Instant, address: IpAddr) {
        self.adopted.remove(&address);
        let homes: Vec<_> = self.lans.values().map(Lan::home).collect();
        for home in homes {
            self.on_outcome(now, &Subject { home, address }, &Outcome::Lifted);
        }
    }

    /// A path that was never heard has no number to be reported by.
    pub(super) fn is_reportable(key: PathKey) -> bool {
        key.peer_lan != UNHEARD
    }
}
