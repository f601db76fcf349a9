//! Subjects: what of the peers' addresses is in the plan, whose each is, and what became of it in the kernel.

use std::net::IpAddr;

use super::path::{PathKey, UNHEARD};
use super::peer::Peer;
use super::peer_address::{PeerAddress, Position};
use super::{Engine, NextHop, Outcome, Output, Subject, Verdict};
use crate::time::Instant;
use crate::wire::{LanIndex, NodeId};

impl Engine {
    /// Whether an address has passed to another node: withdrawn here and claimed there; or this node is absent, and
    /// the other was heard after it and has proven the address (the host draws a new id, or the hardware is replaced).
    fn is_anothers(&self, peer: &Peer, lan: LanIndex, a: &PeerAddress) -> bool {
        if self.has_passed_on(peer.node, lan, a) {
            return true;
        }
        let Some(claimants) = self.claimants.get(&a.address) else { return false };
        let mut others = claimants.iter().filter(|node| **node != peer.node);
        if a.withdrawn.is_some() {
            return others.next().is_some();
        }
        peer.absent
            && others
                .filter_map(|node| self.peers.get(node))
                .any(|other| other.heard > peer.heard && other.has_proven(lan, &a.address))
    }

    /// Brings the plan in line with the positions of a peer's addresses.
    pub(super) fn update_plan(&mut self, node: NodeId) {
        let Some(peer) = self.peers.get(&node) else { return };
        let engine: &Self = self;
        let positions = || {
            peer.paths.iter().flat_map(|(key, path)| {
                let counts = move |a: &PeerAddress| {
                    (a.answered.is_some() || a.trusted) && !engine.is_anothers(peer, key.lan, a)
                };
                path.addresses.values().filter(move |a| counts(a)).map(|a| (key.lan, a.address, a.position))
            })
        };
        if positions().eq(peer.planned.iter().copied()) {
            return;
        }
        let planned: Vec<_> = positions().collect();
        let subjects = planned.iter().map(|planned| self.subject(planned)).collect();
        if let Some(peer) = self.peers.get_mut(&node) {
            peer.planned = planned;
        }
        self.replace_subjects(node, subjects);
    }

    /// Whether another node that lives has answered from the address since.
    fn has_passed_on(&self, node: NodeId, lan: LanIndex, a: &PeerAddress) -> bool {
        let subject = Subject { home: self.lan_name(lan), address: a.address };
        let owner = self.subject_nodes.get(&subject).filter(|owner| **owner != node);
        let peer = owner.and_then(|owner| self.peers.get(owner)).filter(|peer| !peer.absent);
        let record = peer.and_then(|peer| {
            let path = peer.paths.get(&peer.path_by_address(lan, &a.address)?)?;
            path.addresses.get(&a.address)
        });
        record.is_some_and(|record| record.withdrawn.is_none() && record.answered > a.answered)
    }

    fn subject(&self, (lan, address, position): &(LanIndex, IpAddr, Position)) -> (Subject, Verdict) {
        let verdict = match position {
            Position::Home => Verdict::Home,
            Position::Undecided => Verdict::Undecided,
            Position::Detour(way, via) => {
                Verdict::Detour(NextHop { interface: self.lan_name(way.lan), via: *via })
            }
        };
        (Subject { home: self.lan_name(*lan), address: *address }, verdict)
    }

    /// Puts a peer's subjects into the plan in place of those that it had there.
    pub(super) fn replace_subjects(&mut self, node: NodeId, subjects: Vec<(Subject, Verdict)>) {
        let mut changed = false;
        let new: Vec<Subject> = subjects.iter().map(|(subject, _)| subject.clone()).collect();
        let old = self
            .peers
            .get_mut(&node)
            .map(|p| std::mem::replace(&mut p.subjects, new.clone()))
            .unwrap_or_default();
        for gone in old.iter().filter(|subject| !new.contains(subject)) {
            if self.subject_nodes.get(gone) != Some(&node) {
                continue;
            }
            changed |= self.pass_on(gone);
        }
        for (subject, verdict) in subjects {
            self.subject_nodes.insert(subject.clone(), node);
            if self.plan.subjects.get(&subject) != Some(&verdict) {
                self.plan.subjects.insert(subject, verdict);
                changed = true;
            }
        }
        if changed && !matches!(self.outputs.back(), Some(Output::PlanChanged)) {
            self.outputs.push_back(Output::PlanChanged);
        }
    }

    /// A subject that its node gave up falls to another one that has it too, or leaves the plan. Whether that changed.
    fn pass_on(&mut self, gone: &Subject) -> bool {
        let mut heirs = self.peers.values().filter_map(|peer| {
            let at = peer.subjects.iter().position(|subject| subject == gone)?;
            Some((peer.node, self.subject(peer.planned.get(at)?).1))
        });
        let Some((heir, verdict)) = heirs.next() else {
            self.subject_nodes.remove(gone);
            return self.plan.subjects.remove(gone).is_some();
        };
        drop(heirs);
        self.subject_nodes.insert(gone.clone(), heir);
        self.plan.subjects.insert(gone.clone(), verdict.clone()) != Some(verdict)
    }

    /// What became of a subject in the kernel.
    pub(super) fn on_outcome(&mut self, now: Instant, subject: &Subject, outcome: &Outcome) {
        let Some(node) = self.subject_nodes.get(subject).copied() else { return };
        let Some(lan) = self.lans.iter().find(|(_, lan)| lan.name() == subject.home).map(|(index, _)| *index)
        else {
            return;
        };
        let Some(key) = self.peers.get(&node).and_then(|peer| peer.path_by_address(lan, &subject.address))
        else {
            return;
        };
        if let Some(record) = self.path_mut(node, key).and_then(|p| p.addresses.get_mut(&subject.address)) {
            match outcome {
                Outcome::Applied(way) => record.applied = Some(way.clone()),
                Outcome::Lifted => record.applied = None,
                Outcome::Refused(_) | Outcome::Contested => {}
            }
        }
        if *outcome == Outcome::Lifted {
            self.adopted.remove(&subject.address);
        }
        self.spread_news(now, node);
    }

    /// A path that was never heard has no number to be reported by.
    pub(super) fn is_reportable(key: PathKey) -> bool {
        key.peer_lan != UNHEARD
    }
}
