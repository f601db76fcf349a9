//! Interfaces come, go, change and lose carrier: what follows for LANs and paths.

use ipnet::IpNet;

use super::lan::Lan;
use super::notice::Notice;
use super::path::PathKey;
use super::selection::{self, MAX_LANS};
use super::{Engine, LeftOut, Output, Reason};
use crate::config::LanConfig;
use crate::interface::{Interface, InterfaceIndex};
use crate::time::Instant;
use crate::wire::{LanIndex, NodeId};

impl Engine {
    /// Levels, not edges: compares with what is known and acts on the difference.
    pub(super) fn on_interfaces(&mut self, now: Instant, interfaces: &[Interface]) {
        self.follow_renames(interfaces);
        self.choose_lans(now, interfaces);
        self.expected.clear();
        let (mut list_changed, mut subnets_changed) = (false, false);
        for index in self.lans.keys().copied().collect::<Vec<_>>() {
            let before = self.subnets(index);
            list_changed |= self.update_lan(now, index, interfaces);
            subnets_changed |= self.subnets(index) != before;
        }
        if list_changed {
            self.address_generation = self.address_generation.wrapping_add(1).max(1);
        }
        if subnets_changed {
            self.note_on_new_subnets(now);
        }
        self.warn_of_same_mac();
    }

    pub(super) fn on_overflow(&mut self, interface: InterfaceIndex) {
        for lan in self.lans.values_mut().filter(|lan| lan.running() == Some(interface)) {
            lan.excused = true;
        }
    }

    /// A discovered LAN keeps its place when its interface gets another name; a named one waits for the name.
    fn follow_renames(&mut self, interfaces: &[Interface]) {
        if !self.config.lans.is_empty() {
            return;
        }
        let mut renames = false;
        for (index, lan) in &mut self.lans {
            let Some(known) = lan.interface.as_mut() else { continue };
            if interfaces.iter().any(|i| i.name == known.name) {
                continue;
            }
            if let Some(renamed) = interfaces.iter().find(|i| i.index == known.index) {
                let (from, to) = (known.name.clone(), renamed.name.clone());
                if self.offline.remove(&from) {
                    self.offline.insert(to.clone());
                }
                self.outputs.push_back(Output::Notice(Notice::LanRenamed { from, to }));
                known.name.clone_from(&renamed.name);
                lan.rename(&renamed.name);
                self.indices.retain(|(name, i)| i != index && *name != renamed.name);
                self.indices.push((renamed.name.clone(), *index));
                renames = true;
            }
        }
        if renames {
            self.peers.values_mut().for_each(|peer| peer.planned = None);
            self.plan.lans = self.lans.values().map(|lan| lan.name().to_owned()).collect();
            self.outputs.push_back(Output::PlanChanged);
        }
    }

    fn choose_lans(&mut self, now: Instant, interfaces: &[Interface]) {
        if !self.config.lans.is_empty() {
            for settings in self.config.lans.clone() {
                if self.lans.values().any(|lan| lan.name() == settings.interface) {
                    continue;
                }
                if !interfaces.iter().any(|i| i.name == settings.interface) {
                    self.notice(Notice::InterfaceAbsent { interface: settings.interface.clone() });
                }
                self.add_lan(now, settings);
            }
            return;
        }
        self.keep_lans(now, interfaces);
        self.leave_passers_by(now, interfaces);
        let known: Vec<&Interface> = self.lans.values().filter_map(|lan| lan.interface.as_ref()).collect();
        let absent: Vec<&str> =
            self.lans.values().filter(|lan| lan.interface.is_none()).map(Lan::name).collect();
        let candidates: Vec<Interface> =
            interfaces.iter().filter(|i| !absent.contains(&i.name.as_str())).cloned().collect();
        let room = MAX_LANS.saturating_sub(self.lans.len());
        let (chosen, notices) = selection::select(&self.config, &candidates, &known, room);
        for notice in notices {
            self.tell_selection(notice);
        }
        for name in chosen {
            self.add_lan(now, LanConfig::new(&name));
        }
        self.warn_of_no_lan(interfaces);
    }

    /// Without a LAN all would look well, and nobody be probed. Who has groups or destinations may want no LAN.
    fn warn_of_no_lan(&mut self, interfaces: &[Interface]) {
        let was_told = std::mem::replace(&mut self.told.no_lan, self.lans.is_empty());
        if was_told || !self.lans.is_empty() {
            return;
        }
        let reason = |i: &Interface| {
            let reason = self.left_out.get(&i.name).filter(|reason| **reason != LeftOut::Loopback)?;
            Some((i.name.clone(), reason.clone()))
        };
        let left_out = interfaces.iter().filter_map(reason).collect();
        let alone = self.config.groups.is_empty() && self.config.routes.is_empty();
        self.notice(Notice::NoLan { left_out, alone });
    }

    /// What was a LAN before a restart is one after it, though its interface may be gone or bare by then.
    fn keep_lans(&mut self, now: Instant, interfaces: &[Interface]) {
        for name in self.expected.keys().cloned().collect::<Vec<_>>() {
            let interface = interfaces.iter().find(|i| i.name == name);
            let fits = match interface.map(|i| selection::refusal(&self.config, i, std::iter::empty())) {
                None => selection::other_use(&self.config, &name).is_none(),
                // One that fits is chosen anyway.
                Some(reason) => reason == Some(LeftOut::NoAddress),
            };
            if fits && self.lans.len() < MAX_LANS {
                self.notice(Notice::LanKept { interface: name.clone() });
                self.add_lan(now, LanConfig::new(&name));
            }
        }
    }

    /// An interface that is gone, and on which nobody was ever met, was a container's or the like. It takes no LAN's
    /// place, and is not waited for.
    fn leave_passers_by(&mut self, now: Instant, interfaces: &[Interface]) {
        let is_gone = |lan: &Lan| lan.interface.is_some() && !interfaces.iter().any(|i| i.name == lan.name());
        let gone = self.lans.iter().filter(|(index, lan)| is_gone(lan) && !self.has_met(**index));
        for index in gone.map(|(index, _)| *index).collect::<Vec<_>>() {
            self.leave_lan(now, index);
        }
    }

    /// Says why an interface was left out once, and again when the reason changes.
    fn tell_selection(&mut self, notice: Notice) {
        if let Notice::InterfaceLeftOut { interface, reason } = &notice {
            if self.left_out.get(interface) == Some(reason) {
                return;
            }
            self.left_out.insert(interface.clone(), reason.clone());
        }
        self.notice(notice);
    }

    fn add_lan(&mut self, now: Instant, settings: LanConfig) {
        let index = self.index_for(&settings.interface);
        self.plan.lans.push(settings.interface.clone());
        self.outputs.push_back(Output::PlanChanged);
        let mut lan = Lan::new(settings, now);
        lan.sequence = self.left_at.get(&index).copied().unwrap_or_default();
        lan.expect(&self.expected.remove(lan.name()).unwrap_or_default(), now);
        self.lans.insert(index, lan);
        self.recall_lan(now, index);
        // The first phase is random, so that hosts that start together do not ask together.
        let phase = self.random.between(std::time::Duration::ZERO, self.interval / 4);
        self.timers.set(Reason::SlotEnd(index), now + phase);
        self.remember_soon(now);
    }

    /// The index of a LAN never changes: peers know our LANs by it.
    fn index_for(&mut self, name: &str) -> LanIndex {
        if let Some((_, index)) = self.indices.iter().find(|(n, _)| n == name) {
            return *index;
        }
        let free = (0..u8::MAX)
            .map(LanIndex)
            .find(|index| self.indices.iter().all(|(_, i)| i != index) && !self.lans.contains_key(index))
            .or_else(|| self.recycle_index());
        let index = free.unwrap_or(LanIndex(0));
        self.indices.push((name.to_owned(), index));
        index
    }

    /// After 255 names the oldest that is no LAN now gives up its index.
    fn recycle_index(&mut self) -> Option<LanIndex> {
        let at = self.indices.iter().position(|(_, index)| !self.lans.contains_key(index))?;
        Some(self.indices.remove(at).1)
    }

    /// True if our address list changed.
    fn update_lan(&mut self, now: Instant, index: LanIndex, interfaces: &[Interface]) -> bool {
        let Some(lan) = self.lans.get_mut(&index) else { return false };
        let interface = interfaces.iter().find(|i| i.name == lan.settings.interface).cloned();
        let before = lan.running();
        let changed = lan.set_interface(interface, now);
        lan.find_fault(interfaces);
        let name = lan.name().to_owned();
        match (before, lan.running(), lan.fault.clone()) {
            (Some(_), None, Some(reason)) => {
                self.notice(Notice::InterfaceDown { interface: name, reason });
                self.on_own_carrier_lost(now, index);
            }
            (None, Some(number), _) => {
                self.notice(Notice::InterfaceUp { interface: name, index: number });
                self.on_own_carrier_back(now, index);
            }
            (Some(_), Some(_) | None, _) | (None, None, _) => {}
        }
        changed
    }

    fn subnets(&self, index: LanIndex) -> Vec<IpNet> {
        let interface = self.lans.get(&index).and_then(|lan| lan.interface.as_ref());
        interface.into_iter().flat_map(|i| &i.addresses).map(|a| a.prefix).collect()
    }

    /// What peers named, or we were told of them, before we had the subnet that it lies in.
    fn note_on_new_subnets(&mut self, now: Instant) {
        for node in self.peers.keys().copied().collect::<Vec<_>>() {
            self.note_claimed(now, node);
            self.note_configured(now, node);
            self.settle(now, node);
        }
    }

    /// All paths of the LAN are down at once.
    fn on_own_carrier_lost(&mut self, now: Instant, lan: LanIndex) {
        for (node, _) in self.paths_on(lan) {
            self.settle(now, node);
        }
    }

    /// The slots begin afresh; a detour still needs a proof from after the loss (rule 2): one from before it may be
    /// of a way that has died since.
    fn on_own_carrier_back(&mut self, now: Instant, lan: LanIndex) {
        for (node, key) in self.paths_on(lan) {
            if let Some(path) = self.path_mut(node, key) {
                let lost = path.unanswered_since;
                path.fresh_slots();
                path.unanswered_since = lost;
            }
        }
        self.timers.set_earlier(Reason::SlotEnd(lan), now);
    }

    pub(super) fn paths_on(&self, lan: LanIndex) -> Vec<(NodeId, PathKey)> {
        let of_peer = |peer: &super::Peer| {
            let node = peer.node;
            peer.paths.keys().filter(|key| key.lan == lan).map(|key| (node, *key)).collect::<Vec<_>>()
        };
        self.all_peers().flat_map(of_peer).collect()
    }

    /// Switches learn one place for a MAC: two interfaces with the same one on joined LANs lose packets.
    fn warn_of_same_mac(&mut self) {
        let macs: Vec<_> = self
            .lans
            .values()
            .filter_map(|lan| lan.interface.as_ref())
            .filter_map(|i| Some((i.mac?, i)))
            .collect();
        let mut doubles = Vec::new();
        for (n, (mac, one)) in macs.iter().enumerate() {
            for (_, other) in macs[..n].iter().filter(|(m, _)| m == mac) {
                doubles.push((one.name.clone(), other.name.clone(), *mac));
            }
        }
        for (interface, other, mac) in doubles {
            if self.told.same_mac.insert(interface.clone()) {
                self.notice(Notice::SameMac { interface, other, mac });
            }
        }
    }
}
