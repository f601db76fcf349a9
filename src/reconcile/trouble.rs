//! What does not go smoothly: overlays that others remove, operations that the kernel refuses. Each gets longer and
//! longer pauses, so that nobody is fought in a loop, and is forgotten after a time of peace.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::time::Duration;

use nix::errno::Errno;

use super::backoff::{Backoff, LONGEST};
use super::cause::Cause;
use super::table::Group;
use crate::route::{Leg, RouteKey};
use crate::time::Instant;

/// Removals after which it is said to be contested.
pub(super) const CONTESTED: u32 = 5;

/// Leases are renewed less often than this.
const CALM: Duration = Duration::from_secs(10);

/// Who removes it more seldom than this is not fought, but does not keep traffic on a dead way either: it comes back at
/// once, at most once a minute.
const QUIET: Duration = LONGEST;

/// After this time without trouble all is forgotten.
pub(super) const PEACE: Duration = Duration::from_secs(600);

/// What happened to the overlay of one group.
#[derive(Debug, Clone, Default)]
pub(super) struct Trouble {
    /// What others did is remembered when an attempt succeeds, or none is needed.
    removals: Backoff,
    /// What the kernel refused is not.
    refusals: Backoff,
    /// Errno of the last refusal, as long as nothing has succeeded since.
    pub(super) refused: Option<i32>,
    /// No overlay can stand in front of the original.
    pub(super) impossible: bool,
    /// The legs that were refused last: others may be accepted. None where that does not depend on them.
    refused_legs: Vec<Leg>,
    /// What keeps it out.
    pub(super) blocked: Option<Blocked>,
    /// Something that the dumps do not show has the metric below the right one.
    pub(super) no_makeshift: bool,
    last: Instant,
}

impl Trouble {
    /// How often others removed it.
    pub(super) const fn removals(&self) -> u32 {
        self.removals.failures()
    }

    /// Whether no pause is left.
    fn is_over(&self, now: Instant) -> bool {
        self.removals.may_try(now) && self.refusals.may_try(now)
    }
}

/// Why an overlay is not laid although it is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Blocked {
    /// Whose it would be.
    pub(super) cause: Cause,
    /// What it would stand in front of, if there is one.
    pub(super) route: Option<String>,
    /// What is in the way; none: it is being looked up.
    pub(super) by: Option<String>,
    /// Its key, if it is in the way for as long as it stands, although no verdict demands an overlay.
    pub(super) lifted_for: Option<RouteKey>,
}

/// Trouble by group: as many as there are overlays, at most.
#[derive(Debug, Clone, Default)]
pub(super) struct Troubles {
    groups: BTreeMap<Group, Trouble>,
    retries: BTreeSet<(Instant, Group)>,
}

impl Troubles {
    pub(super) fn get(&self, group: &Group) -> Option<&Trouble> {
        self.groups.get(group)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&Group, &Trouble)> {
        self.groups.iter()
    }

    /// Whether an attempt may be made.
    pub(super) fn may_try(&self, now: Instant, group: &Group) -> bool {
        self.groups.get(group).is_none_or(|t| t.is_over(now))
    }

    /// Whether an overlay by these legs may be tried. The pause after a refusal is for what was refused: the engine may have
    /// chosen another way since, or an interface may have been made again, which no later listing shows.
    pub(super) fn may_lay(&self, now: Instant, group: &Group, legs: &[Leg]) -> bool {
        let is_another = |t: &Trouble| !t.refused_legs.is_empty() && t.refused_legs != legs;
        self.groups.get(group).is_none_or(|t| t.is_over(now) || (t.removals.may_try(now) && is_another(t)))
    }

    /// Somebody removed the overlay. It comes back at once the first time, then after longer and longer pauses.
    pub(super) fn removed(&mut self, now: Instant, group: Group) {
        let trouble = self.fresh(now, group);
        trouble.removals.undone(now, 1);
        let at = trouble.removals.not_before();
        self.retries.insert((at, group));
    }

    /// The same where others meant their own route, and the kernel took the first of that key for it. That is no fight
    /// unless it goes on and on: each renewal of a lease may do it.
    pub(super) fn hit(&mut self, now: Instant, group: Group) {
        let was_calm = self.groups.get(&group).is_none_or(|t| now.since(t.last) >= CALM);
        let trouble = self.fresh(now, group);
        if was_calm {
            trouble.removals.forgive();
        }
        trouble.removals.undone(now, CONTESTED + 1);
        let at = trouble.removals.not_before();
        self.retries.insert((at, group));
    }

    /// The kernel refused the overlay.
    pub(super) fn refused(&mut self, now: Instant, group: Group, errno: i32) {
        let trouble = self.fresh(now, group);
        trouble.refusals.failed(now);
        trouble.refused = Some(errno);
        trouble.refused_legs.clear();
        let at = trouble.refusals.not_before();
        self.retries.insert((at, group));
    }

    /// No interface that the overlay needs is there. Nothing was tried: whatever way is wanted next may be.
    pub(super) fn blocked(&mut self, now: Instant, group: Group, errno: i32) {
        self.fresh(now, group).refused = Some(errno);
    }

    /// The kernel refused an overlay for its legs: an interface that it does not know, or that is down, or a gateway that
    /// cannot be reached. A change of the interfaces ends the pause, and so do other legs.
    pub(super) fn legs_refused(&mut self, now: Instant, group: Group, errno: i32, legs: &[Leg]) {
        self.refused(now, group, errno);
        self.fresh(now, group).refused_legs = legs.to_vec();
    }

    /// A route of others keeps the overlay out. Nothing was tried: it may be as soon as that is gone.
    pub(super) fn blocked_by(&mut self, now: Instant, group: Group, blocked: Blocked) {
        let trouble = self.fresh(now, group);
        trouble.refused = Some(Errno::EEXIST as i32);
        trouble.blocked = Some(blocked);
    }

    /// The routes of others changed: what a place was refused for, which no listing shows, may be gone.
    pub(super) fn place_changed(&mut self, group: &Group) {
        if let Some(trouble) = self.groups.get_mut(group).filter(|t| t.blocked.is_some()) {
            trouble.refusals.hurry();
        }
    }

    /// The groups that something keeps an overlay out of.
    pub(super) fn kept_out(&self) -> impl Iterator<Item = (&Group, &Blocked)> {
        self.groups.iter().filter_map(|(group, trouble)| Some((group, trouble.blocked.as_ref()?)))
    }

    /// Nothing can be laid in front. Returns whether that is news.
    pub(super) fn impossible(&mut self, now: Instant, group: Group) -> bool {
        !std::mem::replace(&mut self.fresh(now, group).impossible, true)
    }

    /// The same, of some.
    pub(super) fn kept_out_within(&self, groups: RangeInclusive<Group>) -> impl Iterator<Item = &Group> {
        self.groups.range(groups).filter(|(_, trouble)| trouble.blocked.is_some()).map(|(group, _)| group)
    }

    /// An attempt succeeded. That others removed the overlay is not forgotten so quickly.
    pub(super) fn succeeded(&mut self, group: &Group) {
        let Some(trouble) = self.groups.get_mut(group) else { return };
        *trouble = Trouble { removals: trouble.removals, last: trouble.last, ..Trouble::default() };
        if trouble.removals() == 0 {
            self.groups.remove(group);
        }
    }

    /// What stood is gone; what keeps another out still does.
    pub(super) fn lifted(&mut self, group: &Group) {
        if self.groups.get(group).is_some_and(|trouble| trouble.blocked.is_none()) {
            self.succeeded(group);
        }
    }

    /// The group needs nothing any more.
    pub(super) fn forget(&mut self, group: &Group) {
        self.succeeded(group);
    }

    /// No overlay is wanted, or nothing keeps it out any more.
    pub(super) fn unblocked(&mut self, group: &Group) {
        if self.groups.get(group).is_some_and(|trouble| trouble.blocked.is_some()) {
            self.succeeded(group);
        }
    }

    /// The kernel refused a place that no listing shows to be taken. What has it is being looked up; until then it is what
    /// it was.
    pub(super) fn place_taken(&mut self, now: Instant, group: Group, cause: Cause) {
        self.refused(now, group, Errno::EEXIST as i32);
        let trouble = self.fresh(now, group);
        trouble.blocked.get_or_insert(Blocked { cause, route: None, by: None, lifted_for: None });
    }

    /// What has the place was looked up.
    pub(super) fn looked_up(&mut self, group: &Group, by: String) {
        if let Some(blocked) = self.groups.get_mut(group).and_then(|trouble| trouble.blocked.as_mut()) {
            blocked.by = Some(by);
        }
    }

    /// The place below the right one, which an overlay takes while it changes, is not to be had.
    pub(super) fn no_makeshift(&mut self, now: Instant, group: Group) {
        self.fresh(now, group).no_makeshift = true;
    }

    /// The interfaces or their addresses changed: what was refused for an interface that was not there, or for a gateway
    /// that could not be reached, may be tried again at once.
    pub(super) fn links_changed(&mut self) {
        // Of a gateway that cannot be reached the kernel says ENETUNREACH in IPv4, EHOSTUNREACH in IPv6 (Linux 6.18).
        let for_links = [Errno::ENODEV, Errno::ENETDOWN, Errno::ENETUNREACH, Errno::EHOSTUNREACH];
        let for_links = for_links.map(|errno| Some(errno as i32));
        for trouble in self.groups.values_mut().filter(|trouble| for_links.contains(&trouble.refused)) {
            trouble.refusals.hurry();
        }
    }

    /// The groups whose pause is over.
    pub(super) fn due(&mut self, now: Instant) -> Vec<Group> {
        let mut due = Vec::new();
        while let Some(&(at, group)) = self.retries.first()
            && at <= now
        {
            self.retries.pop_first();
            due.push(group);
        }
        due
    }

    /// When the next pause is over.
    pub(super) fn next_retry(&self) -> Option<Instant> {
        self.retries.first().map(|(at, _)| *at)
    }

    /// Drops what has been quiet for long.
    pub(super) fn expire(&mut self, now: Instant) {
        self.groups.retain(|_, t| now.since(t.last) < PEACE || t.refused.is_some() || t.impossible);
    }

    fn fresh(&mut self, now: Instant, group: Group) -> &mut Trouble {
        let trouble = self.groups.entry(group).or_default();
        let quiet = now.since(trouble.last);
        if quiet >= QUIET {
            trouble.removals.forgive();
        }
        if quiet >= PEACE {
            trouble.refusals.forgive();
        }
        trouble.last = now;
        trouble
    }
}
