//! All LANs, by name and by number.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

use super::journal::InterfaceRecord;
use super::lan::{Change, Lan, LanId, is_global};
use crate::interface::{Interface, InterfaceIndex};
use crate::time::Instant;

/// Most names in the life of a process: LAN numbers on the wire are a byte.
const NAMES: usize = 256;

/// So many names, and those of interfaces that are gone and that nothing refers to are forgotten.
const CROWDED: usize = 192;

/// All LANs that ever were named.
#[derive(Debug, Clone, Default)]
pub(super) struct Lans {
    lans: Vec<Lan>,
}

impl Lans {
    pub(super) fn iter(&self) -> impl Iterator<Item = (LanId, &Lan)> {
        self.lans.iter().enumerate().filter_map(|(i, lan)| Some((LanId(u8::try_from(i).ok()?), lan)))
    }

    pub(super) fn get(&self, id: LanId) -> Option<&Lan> {
        self.lans.get(usize::from(id.0))
    }

    pub(super) fn get_mut(&mut self, id: LanId) -> Option<&mut Lan> {
        self.lans.get_mut(usize::from(id.0))
    }

    /// The number of a name; `None` when there have been too many names.
    pub(super) fn intern(&mut self, name: &str) -> Option<LanId> {
        if let Some((id, _)) = self.iter().find(|(_, lan)| lan.name == name) {
            return Some(id);
        }
        if let Some(free) = self.lans.iter().position(|lan| lan.name.is_empty()) {
            self.lans[free] = Lan::new(name);
            return u8::try_from(free).ok().map(LanId);
        }
        if self.lans.len() == NAMES {
            return None;
        }
        self.lans.push(Lan::new(name));
        u8::try_from(self.lans.len() - 1).ok().map(LanId)
    }

    /// The LAN that an interface is, or was before it was deleted.
    pub(super) fn of(&self, index: InterfaceIndex) -> Option<LanId> {
        let is = self.iter().find(|(_, lan)| lan.index == Some(index));
        let was = || self.iter().find(|(_, lan)| lan.former == Some(index));
        is.or_else(was).map(|(id, _)| id)
    }

    pub(super) fn name(&self, id: LanId) -> &str {
        self.get(id).map_or("?", |lan| &lan.name)
    }

    pub(super) fn index(&self, id: LanId) -> Option<InterfaceIndex> {
        self.get(id)?.index
    }

    /// Whether there is a name that no listing of interfaces was searched for.
    pub(super) fn has_strangers(&self) -> bool {
        self.lans.iter().any(|lan| !lan.observed && !lan.name.is_empty())
    }

    /// Whether numbers get scarce: containers come and go, each with names of its own.
    pub(super) const fn is_crowded(&self) -> bool {
        self.lans.len() >= CROWDED
    }

    /// Forgets the names of interfaces that are gone, if nothing refers to their numbers. Returns those numbers.
    pub(super) fn recycle(&mut self, used: &BTreeSet<LanId>) -> Vec<LanId> {
        let is_idle = |lan: &Lan| !lan.is_seen() && lan.index.is_none() && !lan.absent().any(is_global);
        let idle: Vec<LanId> =
            self.iter().filter(|(id, lan)| is_idle(lan) && !used.contains(id)).map(|(id, _)| id).collect();
        for id in &idle {
            if let Some(lan) = self.get_mut(*id) {
                *lan = Lan::new("");
            }
        }
        idle
    }

    /// Which interfaces the watch looks at.
    pub(super) fn set_watched(&mut self, names: &[String]) {
        for lan in &mut self.lans {
            lan.watched = false;
        }
        for name in names {
            if let Some(lan) = self.intern(name).and_then(|id| self.get_mut(id)) {
                lan.watched = true;
            }
        }
    }

    /// The watch's test addresses.
    pub(super) fn set_test_addresses(&mut self, tests: &BTreeMap<LanId, Ipv4Addr>) {
        for (at, lan) in self.lans.iter_mut().enumerate() {
            let id = u8::try_from(at).ok().map(LanId);
            lan.test_address = id.and_then(|id| tests.get(&id)).map(|address| IpAddr::V4(*address));
        }
    }

    /// Which LANs the plan has.
    pub(super) fn set_plan(&mut self, names: &[String]) {
        for lan in &mut self.lans {
            lan.in_plan = false;
        }
        for name in names {
            if let Some(lan) = self.intern(name).and_then(|id| self.get_mut(id)) {
                lan.in_plan = true;
            }
        }
    }

    /// A notification said that an interface fell; the next look may find it standing again.
    pub(super) fn fell(&mut self, now: Instant, index: InterfaceIndex) {
        for lan in self.lans.iter_mut().filter(|lan| lan.index == Some(index)) {
            lan.fell(now);
        }
    }

    /// A notification said that the route of an interface's link-local address is gone.
    pub(super) fn lost_link_local(&mut self, index: InterfaceIndex) {
        for lan in self.lans.iter_mut().filter(|lan| lan.index == Some(index)) {
            lan.lost_link_local();
        }
    }

    /// Compares all with a fresh look; returns those that changed.
    pub(super) fn observe(&mut self, now: Instant, interfaces: &[Interface]) -> Vec<(LanId, Change)> {
        let look = |(i, lan): (usize, &mut Lan)| {
            let change = lan.observe(now, interfaces.iter().find(|i| i.name == lan.name));
            let id = LanId(u8::try_from(i).ok()?);
            change.any.then_some((id, change))
        };
        self.lans.iter_mut().enumerate().filter_map(look).collect()
    }

    /// What the journal knows of an interface, before the first look.
    pub(super) fn recall(&mut self, name: &str, record: InterfaceRecord) {
        if record == InterfaceRecord::default() {
            return;
        }
        if let Some(lan) = self.intern(name).and_then(|id| self.get_mut(id)) {
            lan.recall(record);
        }
    }
}
