//! When to look at the kernel again, and whether an answer can be trusted.
//!
//! Routes are asked for only when nothing is in flight, and an answer is thrown away if operations were carried out
//! since the question: nobody can say which of them it shows.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::Reason;
use super::input::Dump;
use crate::time::Instant;

/// How often our own routes are looked at, come what may.
const OWN_ROUTES: Duration = Duration::from_secs(5);

/// How often all routes of the LANs are.
const LAN_ROUTES: Duration = Duration::from_secs(60);

/// A dump right after a link event may still show routes that are about to be flushed (Linux 6.18: for 0.6 ms).
const SECOND_LOOK: Duration = Duration::from_millis(100);

/// An answer that has not come in this time is asked for again.
const OVERDUE: Duration = Duration::from_secs(5);

#[derive(Debug, Clone, Default)]
pub(super) struct Dumps {
    wanted: BTreeSet<Dump>,
    asked: BTreeMap<Dump, Asked>,
    seen: BTreeSet<Dump>,
    own_at: Option<Instant>,
    lan_at: Option<Instant>,
    second_look: Option<Instant>,
}

#[derive(Debug, Clone, Copy)]
struct Asked {
    at: Instant,
    spoiled: bool,
}

impl Dumps {
    pub(super) fn want(&mut self, dump: Dump) {
        self.wanted.insert(dump);
    }

    pub(super) fn want_all(&mut self) {
        self.wanted.extend([Dump::Interfaces, Dump::OwnRoutes, Dump::LanRoutes]);
    }

    /// Routes over other interfaces or in other tables are asked for: what was seen so far, or is being read, is not all.
    pub(super) fn widen(&mut self) {
        self.wanted.extend([Dump::Interfaces, Dump::LanRoutes]);
        self.seen.remove(&Dump::LanRoutes);
        if let Some(asked) = self.asked.get_mut(&Dump::LanRoutes) {
            asked.spoiled = true;
        }
    }

    /// A link or address changed: look at routes, and once more when the kernel has done its work.
    pub(super) fn on_link_event(&mut self, now: Instant) {
        self.wanted.extend([Dump::OwnRoutes, Dump::LanRoutes]);
        self.second_look = Some(now + SECOND_LOOK);
    }

    /// Whether every dump has been answered once.
    pub(super) fn seen_all(&self) -> bool {
        self.seen.len() == 3
    }

    pub(super) fn has_seen(&self, dump: Dump) -> bool {
        self.seen.contains(&dump)
    }

    /// Whether all that was asked for has been answered, and nothing more is to be asked.
    pub(super) fn are_quiet(&self) -> bool {
        self.seen_all() && self.wanted.is_empty() && self.asked.is_empty() && self.second_look.is_none()
    }

    /// Timers that are over lead to wishes.
    pub(super) fn on_time(&mut self, now: Instant) {
        if self.second_look.is_some_and(|at| at <= now) {
            self.second_look = None;
            self.want_all();
        }
        if *self.own_at.get_or_insert(now + OWN_ROUTES) <= now {
            self.own_at = Some(now + OWN_ROUTES);
            self.wanted.insert(Dump::OwnRoutes);
        }
        if *self.lan_at.get_or_insert(now + LAN_ROUTES) <= now {
            self.lan_at = Some(now + LAN_ROUTES);
            self.wanted.insert(Dump::LanRoutes);
        }
        let overdue = |asked: &Asked| now.since(asked.at) >= OVERDUE;
        for (dump, _) in self.asked.extract_if(.., |_, asked| overdue(asked)) {
            self.wanted.insert(dump);
        }
    }

    /// What to ask for at this moment.
    pub(super) fn next(&mut self, now: Instant, idle: bool, has_plan: bool) -> Option<Dump> {
        let may_ask = |dump: &&Dump| match dump {
            Dump::Interfaces => true,
            Dump::OwnRoutes => idle,
            Dump::LanRoutes => idle && has_plan,
        };
        let dump = *self.wanted.iter().filter(|d| !self.asked.contains_key(d)).find(may_ask)?;
        self.wanted.remove(&dump);
        self.asked.insert(dump, Asked { at: now, spoiled: false });
        Some(dump)
    }

    /// Operations are carried out: answers still to come cannot be trusted.
    pub(super) fn spoil(&mut self) {
        for asked in self.asked.values_mut() {
            asked.spoiled = true;
        }
    }

    /// An answer came. Returns whether it can be trusted; if not it is asked for again. Interfaces are always
    /// believed: a stale look at them does no harm and another follows.
    pub(super) fn answered(&mut self, dump: Dump) -> bool {
        let spoiled = self.asked.remove(&dump).is_some_and(|asked| asked.spoiled);
        if spoiled && dump != Dump::Interfaces {
            self.wanted.insert(dump);
            return false;
        }
        self.seen.insert(dump);
        true
    }

    pub(super) fn deadline(&self) -> Option<(Instant, Reason)> {
        let own = self.own_at.map(|at| (at, Reason::OwnRoutes));
        let lan = self.lan_at.map(|at| (at, Reason::LanRoutes));
        let second = self.second_look.map(|at| (at, Reason::SecondLook));
        let overdue = self.asked.values().map(|a| a.at + OVERDUE).min().map(|at| (at, Reason::Overdue));
        [own, lan, second, overdue].into_iter().flatten().min()
    }
}
