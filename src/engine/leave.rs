//! A LAN, or one family of it, leaves the settings: its overlays are lifted, and the host is as without faild there.
//!
//! ```text
//! goodbye on it -> its paths go -> its subjects are home -> reconcile lifts -> Outcome::Lifted -> they leave the plan
//!                      |
//!                      +--> detours by it: another way if there is one, else home
//! ```

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use super::lan::Lan;
use super::notice::Notice;
use super::path::{PathKey, is_link_local};
use super::peer_address::Position;
use super::{Engine, Output, Reason, Subject, Verdict};
use crate::gather::Gather;
use crate::interface::Family;
use crate::time::Instant;
use crate::wire::{LanIndex, NodeId};

impl Engine {
    /// The LAN is none any more. Its number and its sequence stay: peers know both.
    pub(super) fn leave_lan(&mut self, now: Instant, index: LanIndex) {
        self.say_goodbyes(|lan| lan == index);
        self.lay_aside(now, index);
        self.leave_paths(now, index, |_| true);
        let Some(lan) = self.lans.remove(&index) else { return };
        self.left_at.insert(index, lan.sequence);
        self.timers.cancel(Reason::SlotEnd(index));
        self.timers.cancel(Reason::Retry(index));
        self.timers.cancel(Reason::Doubt(index));
        self.unmet.retain(|(lan, _), _| *lan != index);
        self.held_answers.retain(|_, answer| answer.lan != index);
        self.plan.lans.retain(|name| name != lan.name());
        self.told.same_mac.remove(lan.name());
        self.left_out.remove(lan.name());
        self.notice(Notice::LanLeft { interface: lan.name().to_owned() });
        self.leave_detours(now, &lan);
        self.address_generation = self.address_generation.wrapping_add(1).max(1);
        self.outputs.push_back(Output::PlanChanged);
        self.remember_soon(now);
    }

    /// The paths of these families on a LAN go, and what was laid for the addresses on them.
    pub(super) fn leave_paths(&mut self, now: Instant, lan: LanIndex, leaves: impl Fn(Family) -> bool) {
        let leaving = self.overlaid_on(lan, &leaves);
        let mut paths = self.paths_on(lan);
        paths.retain(|(_, key)| leaves(key.family));
        for (node, key) in &paths {
            self.timers.cancel(Reason::Expected(*node, *key));
            let left = self.peers.get_mut(node).and_then(|peer| peer.paths.remove(key));
            // Until it is lifted, what stands serves the same address on another LAN, as when an interface is renamed.
            for record in left.iter().flat_map(|path| path.addresses.iter()) {
                let way = record.applied.as_deref().filter(|_| !is_link_local(&record.address));
                self.adopted.extend(way.map(|way| (record.address, way.clone())));
            }
        }
        let nodes: BTreeSet<NodeId> = paths.iter().map(|(node, _)| *node).gather();
        nodes.iter().for_each(|node| self.update_plan(now, *node));
        for subject in leaving {
            self.plan.subjects.insert(subject.clone(), Verdict::Home);
            self.leaving.insert(subject);
        }
        nodes.into_iter().for_each(|node| self.settle(now, node));
    }

    /// An overlay is lifted. If its subject has left, and is nobody's again, it is nothing to us any more.
    pub(super) fn on_left(&mut self, subject: &Subject) -> bool {
        if !self.leaving.remove(subject) || self.subject_nodes.contains_key(subject) {
            return false;
        }
        self.adopted.remove(&subject.address);
        if self.plan.subjects.remove(subject).is_some() {
            self.outputs.push_back(Output::PlanChanged);
        }
        true
    }

    /// The subjects of a LAN for which an overlay stands, or may.
    fn overlaid_on(&self, index: LanIndex, leaves: &impl Fn(Family) -> bool) -> Vec<Subject> {
        let Some(lan) = self.lans.get(&index) else { return Vec::new() };
        let stands = |subject: &Subject| {
            self.plan.subjects.get(subject).is_some_and(|verdict| *verdict != Verdict::Home)
                || self.adopted.contains_key(&subject.address)
        };
        let known = self.peers.values().flat_map(|peer| &peer.paths);
        let known = known.filter(|(key, _)| key.lan == index && leaves(key.family));
        let known = known.flat_map(|(_, path)| path.addresses.iter()).filter_map(|record| {
            let subject = Subject { home: lan.home(), address: record.address };
            (record.applied.is_some() || stands(&subject)).then_some(subject)
        });
        let found = self.adopted.keys().filter(|a| leaves(Family::of(a)) && lan.is_on_link(a));
        let found = found.map(|address| Subject { home: lan.home(), address: *address });
        known.chain(found).collect()
    }

    /// Whose detour went by that LAN takes another, or is home: a way that nobody watches is none.
    fn leave_detours(&mut self, now: Instant, left: &Lan) {
        for node in self.peers.keys().copied().collect::<Vec<_>>() {
            self.settle(now, node);
            for (key, address) in self.stranded(node) {
                self.set_position(node, key, address, Position::Home);
            }
            self.update_plan(now, node);
        }
        let by_it = self.adopted.extract_if(.., |_, way| way.interface == left.name());
        let strange: Vec<IpAddr> = by_it.map(|(address, _)| address).collect();
        for address in strange {
            if !self.plan.subjects.keys().any(|subject| subject.address == address) {
                let subject = Subject { home: self.home_of(&address, left), address };
                self.plan.subjects.insert(subject.clone(), Verdict::Home);
                self.leaving.insert(subject);
            }
        }
    }

    /// Addresses of a peer whose detour goes by something that is no LAN.
    fn stranded(&self, node: NodeId) -> Vec<(PathKey, IpAddr)> {
        let Some(peer) = self.peers.get(&node) else { return Vec::new() };
        let addresses = peer.paths.iter().flat_map(|(key, path)| path.addresses.iter().map(|a| (*key, a)));
        let is_stranded = |a: &super::PeerAddress| match a.position {
            Position::Detour(way, _) => !self.lans.contains_key(&way.lan),
            Position::Undecided => self
                .adopted
                .get(&a.address)
                .is_some_and(|way| !self.lans.values().any(|lan| lan.name() == way.interface)),
            Position::Home => false,
        };
        addresses.filter(|(_, a)| is_stranded(a)).map(|(key, a)| (key, a.address)).collect()
    }

    /// The LAN that an address lies on.
    fn home_of(&self, address: &IpAddr, left: &Lan) -> Arc<str> {
        let home = self.lans.values().find(|lan| lan.is_on_link(address));
        home.unwrap_or(left).home()
    }
}
