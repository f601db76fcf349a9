//! All LANs, by name and by number.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

use super::journal::InterfaceRecord;
use super::lan::{Change, Lan, LanId, is_global};
use crate::gather::Gather;
use crate::interface::{Interface, InterfaceAddress, InterfaceIndex, InterfaceKind};
use crate::route::PROTOCOL;
use crate::time::Instant;

/// Most names in the life of a process: LAN numbers on the wire are a byte.
const NAMES: usize = 256;

/// So many names, and those of interfaces that are gone and that nothing refers to are forgotten.
const CROWDED: usize = 192;

/// All LANs that ever were named.
#[derive(Debug, Clone, Default)]
pub(super) struct Lans {
    lans: Vec<Lan>,
    /// What each interface was when its routes were last learned. The kernel may take them and let the number have
    /// another name before anybody looks again: they belong to the name that they were learned under.
    learned: BTreeMap<InterfaceIndex, Learned>,
    /// The addresses of `lo`, but for those that wait there.
    on_lo: BTreeSet<IpAddr>,
}

/// What an interface was.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Learned {
    Lan(LanId),
    /// None of the LANs; its name.
    Other(String),
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
        if name.is_empty() {
            return None;
        }
        if let Some((id, _)) = self.iter().find(|(_, lan)| lan.name == name) {
            return Some(id);
        }
        let place = match self.lans.iter().position(|lan| lan.name.is_empty()) {
            Some(free) => {
                self.lans[free] = Lan::new(name);
                free
            }
            None if self.lans.len() == NAMES => return None,
            None => {
                self.lans.push(Lan::new(name));
                self.lans.len() - 1
            }
        };
        let id = LanId(u8::try_from(place).ok()?);
        let is_it = |learned: &&mut Learned| matches!(learned, Learned::Other(other) if other == name);
        self.learned.values_mut().filter(is_it).for_each(|learned| *learned = Learned::Lan(id));
        Some(id)
    }

    /// The LAN that the routes over an interface belong to that are known: what it was when they were learned.
    pub(super) fn of(&self, index: InterfaceIndex) -> Option<LanId> {
        match self.learned.get(&index) {
            Some(Learned::Lan(id)) => Some(*id),
            Some(Learned::Other(_)) => None,
            None => self.at(index),
        }
    }

    /// The LAN that an interface is by the last look, or was before it was deleted.
    pub(super) fn at(&self, index: InterfaceIndex) -> Option<LanId> {
        let is = self.iter().find(|(_, lan)| lan.index == Some(index));
        let was = || self.iter().find(|(_, lan)| lan.former == Some(index));
        is.or_else(was).map(|(id, _)| id)
    }

    /// The name that the routes over an interface were learned under.
    pub(super) fn name_of(&self, index: InterfaceIndex) -> Option<&str> {
        match self.learned.get(&index) {
            Some(Learned::Other(name)) => Some(name),
            Some(Learned::Lan(_)) | None => self.of(index).map(|id| self.name(id)),
        }
    }

    /// All routes have been listed: those that stand belong to what their interfaces are now. Returns the interfaces that
    /// were something else before.
    pub(super) fn learn<'a>(
        &mut self,
        interfaces: impl Iterator<Item = &'a Interface>,
    ) -> BTreeSet<InterfaceIndex> {
        let others = interfaces.map(|i| (i.index, Learned::Other(i.name.clone())));
        let mut learned: BTreeMap<InterfaceIndex, Learned> = others.gather();
        let lans = self.iter().filter_map(|(id, lan)| Some((lan.index?, Learned::Lan(id))));
        learned.extend(lans);
        let before = std::mem::replace(&mut self.learned, learned);
        let differs = |(index, was): &(InterfaceIndex, Learned)| {
            self.learned.get(index).is_some_and(|learned| learned != was)
        };
        before.into_iter().filter(differs).map(|(index, _)| index).gather()
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
        self.learned.retain(|_, learned| !matches!(learned, Learned::Lan(id) if idle.contains(id)));
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

    /// Whether an address is at home on `lo`.
    pub(super) fn is_on_lo(&self, address: &IpAddr) -> bool {
        self.on_lo.contains(address)
    }

    /// Compares all with a fresh look; returns those that changed.
    pub(super) fn observe(&mut self, now: Instant, interfaces: &[Interface]) -> Vec<(LanId, Change)> {
        let lo = interfaces.iter().filter(|i| i.kind == InterfaceKind::Loopback);
        let at_home = lo.flat_map(|lo| &lo.addresses).filter(|a| a.protocol != PROTOCOL);
        self.on_lo = at_home.map(InterfaceAddress::address).gather();
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
