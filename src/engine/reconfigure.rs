//! Other settings while all goes on: what they concern changes, the rest keeps its counts.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use super::lan::Lan;
use super::path::{PathKey, UNHEARD};
use super::{Engine, Reason, selection};
use crate::config::{Config, Failback, KeyRing, LanConfig};
use crate::gather::Gather;
use crate::interface::Family;
use crate::time::Instant;
use crate::wire::{Keys, LanIndex, Level, NodeId};

impl Engine {
    /// Levels, not edges: compares with the settings that it has and acts on the difference. LANs that are new begin
    /// when the interfaces are handed in.
    pub(super) fn on_config(&mut self, now: Instant, config: &Config) {
        if self.config == *config {
            return;
        }
        if config.port != self.config.port || !are_understood(&self.config.keys, &config.keys) {
            self.say_goodbyes(|_| true);
        }
        let before = std::mem::replace(&mut self.config, config.clone());
        if before.requestor != config.requestor {
            self.change_role(now);
        }
        self.fit_lans(now, &before);
        self.keys = Keys::new(config.keys.keys.iter().map(|key| (key.id, key.secret.as_slice())));
        self.change_interval(now);
        self.change_failback(now, &before);
        if before.peers != config.peers {
            self.change_peers(now, &before);
        }
        for node in self.nodes() {
            self.note_configured(now, node);
            self.settle(now, node);
        }
        self.remember_soon(now);
    }

    pub(super) fn nodes(&self) -> Vec<NodeId> {
        self.peers.keys().copied().collect()
    }

    fn all_paths(&self) -> Vec<(NodeId, PathKey)> {
        self.lans.keys().flat_map(|lan| self.paths_on(*lan)).collect()
    }

    // ----- LANs

    fn fit_lans(&mut self, now: Instant, before: &Config) {
        let gone: Vec<LanIndex> =
            self.lans.iter().filter(|(_, lan)| !self.stays(lan, before)).map(|(index, _)| *index).collect();
        for index in gone {
            self.leave_lan(now, index);
        }
        for index in self.lans.keys().copied().collect::<Vec<_>>() {
            self.fit_lan(now, index);
        }
    }

    /// A LAN stays if it is named; where none are named, if it was found by ourselves and has no other use, or would be.
    fn stays(&self, lan: &Lan, before: &Config) -> bool {
        if !self.config.lans.is_empty() {
            return self.config.lans.iter().any(|named| named.interface == lan.name());
        }
        if before.lans.is_empty() {
            return selection::other_use(&self.config, lan.name()).is_none();
        }
        let refusal = |interface| selection::refusal(&self.config, interface, std::iter::empty());
        lan.interface.as_ref().is_some_and(|interface| refusal(interface).is_none())
    }

    fn fit_lan(&mut self, now: Instant, index: LanIndex) {
        let Some(lan) = self.lans.get_mut(&index) else { return };
        let named = self.config.lans.iter().find(|named| named.interface == lan.name()).cloned();
        let settings = named.unwrap_or_else(|| LanConfig::new(lan.name()));
        let before = std::mem::replace(&mut lan.settings, settings.clone());
        if before == settings {
            return;
        }
        let dropped = move |family| match family {
            Family::V4 => before.ipv4 && !settings.ipv4,
            Family::V6 => before.ipv6 && !settings.ipv6,
        };
        if dropped(Family::V4) || dropped(Family::V6) {
            self.leave_paths(now, index, dropped);
        }
        self.fit_unicast();
    }

    /// Who is asked by unicast from the first INQ of a slot on.
    fn fit_unicast(&mut self) {
        for (node, key) in self.all_paths() {
            let broadcast = self.lans.get(&key.lan).is_some_and(|lan| lan.settings.broadcast);
            let named = self
                .path(node, key)
                .is_some_and(|p| p.addresses.iter().any(|a| self.is_configured(&a.address)));
            if let Some(path) = self.path_mut(node, key) {
                path.by_unicast = key.peer_lan == UNHEARD || !broadcast || named;
            }
        }
    }

    // ----- roles and times

    /// A requestor counts its own round trips, a responder what it hears of requestors. What was counted stays.
    fn change_role(&mut self, now: Instant) {
        let asks = self.config.requestor;
        for (node, key) in self.all_paths() {
            let is_asked = self.peers.get(&node).is_some_and(|peer| peer.is_requestor() && !peer.absent);
            let Some(path) = self.path_mut(node, key) else { continue };
            path.unanswered_since = None;
            match (asks, is_asked) {
                (true, _) => self.timers.cancel(Reason::Expected(node, key)),
                (false, true) => self.expect_inquiry(now, node, key),
                (false, false) => self.part(node, key),
            }
        }
    }

    /// Two responders have no path.
    fn part(&mut self, node: NodeId, key: PathKey) {
        let target = self.path(node, key).and_then(|path| path.main_address());
        if let Some((source, target)) = target.and_then(|t| Some((self.source_towards(key.lan, &t)?, t))) {
            self.say_goodbye(key.lan, source, target);
        }
        if let Some(path) = self.path_mut(node, key) {
            path.restart_counts();
            path.verdict = Level::Unknown;
            path.gone = true;
        }
    }

    /// More often: at once, and the slot that this cuts short counts for nothing. Less often: peers are told so first,
    /// at the old pace, for as long as they need to believe it (section 2 of faild-protocol(7)).
    fn change_interval(&mut self, now: Instant) {
        let before = self.slot_interval(now);
        self.fit_interval(now);
        if self.interval < before {
            for (index, lan) in &mut self.lans {
                lan.excused = true;
                let phase = self.random.between(Duration::ZERO, self.interval / 4);
                self.timers.set_earlier(Reason::SlotEnd(*index), now + phase);
            }
        }
    }

    /// How long slots last: the interval that we announce, but for the time in which peers get used to a longer one.
    pub(super) fn slot_interval(&self, now: Instant) -> Duration {
        self.easing.filter(|(until, _)| now < *until).map_or(self.interval, |(_, length)| length)
    }

    // ----- failback

    /// What is away from home when the policy becomes manual waits to be told, like what leaves home from then on.
    fn change_failback(&mut self, now: Instant, before: &Config) {
        let (is_manual, was_manual) =
            (self.config.failback == Failback::Manual, before.failback == Failback::Manual);
        let (old, new) = (before.damping, self.config.damping);
        for path in self.peers.values_mut().flat_map(|peer| peer.paths.values_mut()) {
            if is_manual != was_manual {
                let has_left = path.is_moved() || (path.local == Level::Down && path.failback.has_failed());
                path.failback.set_held(is_manual && has_left);
            }
            if old != new {
                path.failback.fit(now, &old, &new);
            }
        }
    }

    // ----- configured peers

    fn change_peers(&mut self, now: Instant, before: &Config) {
        let named = |config: &Config| -> BTreeSet<IpAddr> {
            config.peers.iter().flat_map(|peer| peer.addresses.iter().copied()).gather()
        };
        let gone: BTreeSet<IpAddr> = &named(before) - &named(&self.config);
        self.unmet.retain(|(_, address), _| !gone.contains(address));
        self.place_anew(now, before);
        for peer in self.peers.values_mut() {
            for record in peer.paths.values_mut().flat_map(|path| path.addresses.iter_mut()) {
                if !gone.contains(&record.address) {
                    continue;
                }
                if record.answered.is_some() {
                    record.trusted = false;
                } else {
                    // Nothing but our settings spoke for it: what was laid for it goes.
                    record.withdrawn.get_or_insert(now);
                }
            }
        }
        self.fit_unicast();
    }
}

/// Whether those who have the old keys understand what the new ones sign, and the other way round.
fn are_understood(old: &KeyRing, new: &KeyRing) -> bool {
    let holds = |ring: &KeyRing, signing: Option<&crate::config::Key>| match signing {
        Some(key) => ring.keys.contains(key),
        None => ring.keys.is_empty(),
    };
    holds(old, new.keys.first()) && holds(new, old.keys.first())
}
