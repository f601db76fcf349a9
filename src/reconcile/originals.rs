//! Routes of others that went with their interface. The kernel never brings gateway, static and default routes back
//! (Linux 6.1, 6.18); those of the protocols boot and static have no keeper, so they are put back from here. All are
//! remembered, dhcp and ra ones too, as long as an overlay stands in for them.
//!
//! The art is to tell a flush from a deletion. IPv4 routes are flushed without a word, IPv6 ones with the same word as
//! a deletion; so what vanished is a suspect until a fresh look at the interfaces tells whether one of them fell. An IPv6
//! route that somebody deletes just before that is taken for flushed.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use super::backoff::Backoff;
use super::journal::RouteRecord;
use super::lan::{AFTERMATH, HomeAddress, LEASE_WAIT, Lan, LanId, SubjectId};
use super::lans::Lans;
use super::mirror::Mirror;
use super::table::Group;
use crate::gather::{Gather, insert_by_key};
use crate::interface::is_link_local;
use crate::route::{BOOT, Leg, ONLINK, PROTOCOL, Route, RouteKey, STATIC};
use crate::time::Instant;

/// How long after its interface settled a route is put back, if nobody else did.
pub(super) const PUT_BACK_PAUSE: Duration = Duration::from_secs(1);

/// How long a suspect waits for the fresh look.
pub(super) const DOUBT: Duration = Duration::from_millis(100);

/// A route with a keeper of its own that has not come back in this time after its interface settled is given up, and a place
/// when its interface has been absent for so long.
const GIVEN_UP: Duration = Duration::from_secs(600);

/// How long a loss of messages, or a change of addresses, may explain what vanished.
const DEAFNESS: Duration = Duration::from_secs(3);

/// So long after an interface has its carrier and its addresses again the routes that somebody took from it are awaited.
const COMPLETED: Duration = Duration::from_secs(5);

/// Most places kept for one destination: more uplinks than hosts have.
const PLACES: usize = 8;

/// Most routes remembered: a host with more static routes has a routing daemon.
const CAPACITY: usize = 65_536;

/// A route that is gone.
#[derive(Debug, Clone)]
pub(super) struct Missing {
    /// As it stood; interface numbers may have changed since.
    pub(super) route: Arc<Route>,
    /// The LANs of its legs, where they are LANs: what their interfaces were when it was learned.
    pub(super) lans: Vec<Option<LanId>>,
    /// The names of the interfaces of its legs, if some are no LANs.
    names: Vec<String>,
    /// Not yet known whether somebody wanted it gone.
    suspect_since: Option<Instant>,
    /// The kernel told of the deletion.
    announced: bool,
    /// Somebody deleted it while its interface did not work, as network managers do: it is not put back, but what stands in
    /// for it keeps its place until the interface has had time to get it back.
    is_place: bool,
    /// When it came, if that was after a fall of its interface.
    came: Option<Instant>,
    attempts: Backoff,
}

/// All routes that are gone and not forgotten.
#[derive(Debug, Clone, Default)]
pub(super) struct Originals {
    missing: BTreeMap<Group, Vec<Missing>>,
    by_subject: BTreeMap<SubjectId, BTreeSet<Group>>,
    count: usize,
    deaf_at: Option<Instant>,
    /// Routes that came, or were put back, within the aftermath of a fall of their interface. What goes of these did not
    /// go with that fall.
    came: BTreeMap<RouteKey, Instant>,
    /// Groups of which the journal may say something else than is true.
    changed: BTreeSet<Group>,
    /// Groups with a [`Missing::is_place`].
    places: BTreeSet<Group>,
}

impl Missing {
    fn new(
        route: Arc<Route>,
        lans: Vec<Option<LanId>>,
        names: Vec<String>,
        suspect_since: Option<Instant>,
    ) -> Self {
        Self {
            route,
            lans,
            names,
            suspect_since,
            announced: false,
            is_place: false,
            came: None,
            attempts: Backoff::default(),
        }
    }

    /// Its legs, each with its LAN.
    pub(super) fn legs(&self) -> impl Iterator<Item = (&Leg, Option<LanId>)> + Clone {
        self.route.legs.iter().zip(self.lans.iter().copied())
    }

    /// Whether faild puts it back, and not a DHCP client or a router.
    pub(super) fn has_no_keeper(&self) -> bool {
        has_no_keeper(&self.route) && !self.is_place
    }

    /// Whether it was deleted by somebody who may give it back; see there.
    pub(super) const fn is_place(&self) -> bool {
        self.is_place
    }

    /// Whether an interface of its legs has no carrier, or has it again and not yet the address that the leg needs.
    fn is_out_of_order(&self, now: Instant, lans: &Lans) -> bool {
        let is_broken = |(leg, lan): (&Leg, Option<LanId>)| {
            let Some(lan) = lan.and_then(|id| lans.get(id)) else { return false };
            let is_recent = now.since(lan.running_since) < LEASE_WAIT;
            !lan.is_running() || (is_recent && self.lacks_address(leg, lan, lans))
        };
        self.legs().any(is_broken)
    }

    /// Whether an address is not there that the leg needs, or the whole route for its source.
    fn lacks_address(&self, leg: &Leg, lan: &Lan, lans: &Lans) -> bool {
        let holds = |source: &IpAddr| {
            self.lans.iter().flatten().any(|id| lans.get(*id).is_some_and(|l| l.holds(source)))
        };
        let lacks_source = |source: &IpAddr| !holds(source) && !lans.is_on_lo(source);
        !is_reachable(&self.route, leg, Some(lan)) || self.route.source.as_ref().is_some_and(lacks_source)
    }

    /// Until when its place is kept, if all interfaces of its legs work, or one is not there. A modem that starts anew is
    /// absent for a while; one that stays away has nothing to give back.
    fn vacated_at(&self, lans: &Lans) -> Option<Instant> {
        let legs = || self.legs().filter_map(|(leg, lan)| Some((leg, lans.get(lan?)?)));
        if let Some(since) = legs().filter_map(|(_, lan)| lan.absent_since).min() {
            return Some(since + GIVEN_UP);
        }
        if legs().any(|(_, lan)| !lan.is_running()) {
            return None;
        }
        let at = |(leg, lan): (&Leg, &Lan)| {
            let complete = lan.running_since.max(lan.settled_since) + COMPLETED;
            let latest = lan.running_since + LEASE_WAIT;
            if self.lacks_address(leg, lan, lans) { latest } else { complete.min(latest) }
        };
        legs().map(at).max()
    }

    /// Whether somebody may have wanted it gone.
    pub(super) const fn is_suspect(&self) -> bool {
        self.suspect_since.is_some()
    }

    /// The route with the numbers that the interfaces of these names have by now.
    fn renumbered(&self, lans: &Lans, mirror: &Mirror) -> Option<Route> {
        let mut route = Route::clone(&self.route);
        for (place, leg) in route.legs.iter_mut().enumerate() {
            let lan = self.lans.get(place).copied().flatten();
            leg.interface = match lan {
                Some(lan) => lans.index(lan)?,
                None => mirror.interface_named(self.names.get(place)?)?.index,
            };
        }
        Some(route)
    }

    /// The name of the interface of a leg.
    pub(super) fn interface_name<'a>(&'a self, lans: &'a Lans, leg: usize) -> &'a str {
        match self.lans.get(leg).copied().flatten() {
            Some(lan) => lans.name(lan),
            None => self.names.get(leg).map_or("?", String::as_str),
        }
    }

    fn subjects(&self) -> impl Iterator<Item = SubjectId> {
        self.legs().filter_map(|(leg, lan)| Some(SubjectId { lan: lan?, address: leg.gateway? }))
    }

    fn all_lans(&self, lans: &Lans, holds: impl Fn(&Lan) -> bool) -> bool {
        self.lans.iter().flatten().filter_map(|id| lans.get(*id)).all(holds)
    }
}

impl Originals {
    /// The missing routes of a group, best first.
    pub(super) fn group(&self, group: &Group) -> &[Missing] {
        self.missing.get(group).map_or(&[], Vec::as_slice)
    }

    /// The groups in which a missing route has a subject for gateway.
    pub(super) fn groups_of(&self, subject: &SubjectId) -> impl Iterator<Item = Group> {
        self.by_subject.get(subject).into_iter().flatten().copied()
    }

    /// All groups with missing routes.
    pub(super) fn groups(&self) -> impl Iterator<Item = Group> {
        self.missing.keys().copied()
    }

    /// All missing routes.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Missing> {
        self.missing.values().flatten()
    }

    /// Whether there is one of which it is not known yet whether somebody wanted it gone.
    pub(super) fn has_suspects(&self) -> bool {
        self.iter().any(Missing::is_suspect)
    }

    /// Whether a route with this key is missing.
    pub(super) fn holds(&self, key: &RouteKey) -> bool {
        self.group(&Group::of(key)).iter().any(|missing| missing.route.key == *key)
    }

    /// The groups that changed since the last time.
    pub(super) fn take_changed(&mut self) -> BTreeSet<Group> {
        std::mem::take(&mut self.changed)
    }

    /// A route is gone, by the kernel's or somebody's doing. `announced`: there was a message.
    pub(super) fn suspect(&mut self, now: Instant, lans: &Lans, route: Arc<Route>, announced: bool) {
        let lans_of_legs: Vec<Option<LanId>> = route.legs.iter().map(|leg| lans.of(leg.interface)).collect();
        let name = |leg: &Leg| lans.name_of(leg.interface).unwrap_or_default().to_owned();
        let names = match lans_of_legs.iter().all(Option::is_some) {
            true => Vec::new(),
            false => route.legs.iter().map(name).collect(),
        };
        let suspect = Missing::new(Arc::clone(&route), lans_of_legs, names, Some(now));
        let came = self.came.get(&route.key).copied();
        self.insert(Missing { announced, came, ..suspect });
    }

    /// The message about a route that was already found gone has come. Returns whether there is such a route.
    pub(super) fn announced(&mut self, now: Instant, route: &Route) -> bool {
        let all = self.missing.get_mut(&Group::of(&route.key)).into_iter().flatten();
        let mut found = false;
        for missing in all.filter(|m| m.route.is_same(route)) {
            missing.announced = true;
            missing.suspect_since = Some(now);
            found = true;
        }
        if found {
            self.changed.insert(Group::of(&route.key));
        }
        found
    }

    /// A route came: the kernel said so, or has just put it there for us. A listing does not tell: right after a fall it
    /// still shows what is about to go.
    pub(super) fn came(&mut self, now: Instant, lans: &Lans, route: &Route) {
        let falls = |id: LanId| lans.get(id).is_some_and(|lan| lan.up && lan.has_just_fallen(now));
        if !route.legs.iter().filter_map(|leg| lans.at(leg.interface)).any(falls) {
            return;
        }
        self.came.retain(|_, at| now.since(*at) <= AFTERMATH);
        if self.came.len() < CAPACITY {
            self.came.insert(route.key, now);
        }
    }

    /// Messages were lost: silence proves nothing.
    pub(super) fn overrun(&mut self, now: Instant) {
        self.deaf_at = Some(now);
    }

    /// The journal says that a route was flushed, or that its place is kept; its interfaces are known by name.
    pub(super) fn recall(&mut self, record: RouteRecord, lans: Vec<Option<LanId>>) {
        let RouteRecord { is_place, route, interfaces, .. } = record;
        let names = if lans.iter().all(Option::is_some) { Vec::new() } else { interfaces };
        let group = Group::of(&route.key);
        self.insert(Missing { is_place, ..Missing::new(Arc::new(route), lans, names, None) });
        self.limit_places(group);
    }

    /// A route with this key stands: whoever put it there has decided.
    pub(super) fn forget(&mut self, key: &RouteKey) {
        self.retain(Group::of(key), |m| m.route.key != *key);
    }

    /// Forgets those that meet a condition; returns their groups.
    pub(super) fn forget_if(&mut self, forgets: impl Fn(&Missing) -> bool) -> Vec<Group> {
        let concerned = self.missing.iter().filter(|(_, all)| all.iter().any(&forgets));
        let groups: Vec<Group> = concerned.map(|(group, _)| *group).collect();
        for group in &groups {
            self.retain(*group, |missing| !forgets(missing));
        }
        groups
    }

    /// Makes up its mind on suspects; returns the groups that this concerns. `is_led`: those that the watch leads.
    pub(super) fn judge(&mut self, now: Instant, lans: &Lans, is_led: impl Fn(&Group) -> bool) -> Vec<Group> {
        let ripe = |m: &Missing| m.suspect_since.is_some_and(|since| now.since(since) >= DOUBT);
        let groups: Vec<Group> =
            self.missing.iter().filter(|(_, all)| all.iter().any(ripe)).map(|(g, _)| *g).collect();
        let deaf_at = self.deaf_at;
        for group in &groups {
            let is_kept = |m: &Missing| is_led(group) && m.is_out_of_order(now, lans);
            self.retain(*group, |m| !ripe(m) || was_flushed(lans, m, deaf_at) || is_kept(m));
            for missing in self.missing.get_mut(group).into_iter().flatten().filter(|m| ripe(m)) {
                missing.is_place = !was_flushed(lans, missing, deaf_at);
                missing.suspect_since = None;
            }
            self.limit_places(*group);
        }
        self.changed.extend(&groups);
        groups
    }

    /// Notes the group if places are kept in it: the best ones.
    fn limit_places(&mut self, group: Group) {
        let mut count = 0;
        self.retain(group, |missing| {
            count += usize::from(missing.is_place);
            !missing.is_place || count <= PLACES
        });
        if count > 0 {
            self.places.insert(group);
        }
    }

    /// Gives up routes whose keeper has not brought them back; returns the groups that this concerns.
    pub(super) fn give_up(&mut self, now: Instant, lans: &Lans) -> Vec<Group> {
        let lost = |m: &Missing| {
            !m.has_no_keeper() && !m.is_place && m.all_lans(lans, |lan| lan.is_settled(now, GIVEN_UP))
        };
        let groups: Vec<Group> =
            self.missing.iter().filter(|(_, all)| all.iter().any(lost)).map(|(g, _)| *g).collect();
        for group in &groups {
            self.retain(*group, |m| !lost(m));
        }
        groups
    }

    /// Gives up places that were kept for long enough, and those of groups that nobody leads; returns their groups.
    pub(super) fn vacate(
        &mut self,
        now: Instant,
        lans: &Lans,
        is_led: impl Fn(&Group) -> bool,
    ) -> Vec<Group> {
        let mut concerned = Vec::new();
        for group in std::mem::take(&mut self.places) {
            let is_over = |m: &Missing| {
                m.is_place && (!is_led(&group) || m.vacated_at(lans).is_some_and(|at| at <= now))
            };
            if self.group(&group).iter().any(is_over) {
                self.retain(group, |m| !is_over(m));
                concerned.push(group);
            }
            if self.group(&group).iter().any(Missing::is_place) {
                self.places.insert(group);
            }
        }
        concerned
    }

    /// When that is next, if interfaces stay as they are.
    pub(super) fn next_vacated(&self, lans: &Lans) -> Option<Instant> {
        let all = self.places.iter().flat_map(|group| self.group(group));
        all.filter(|m| m.is_place).filter_map(|m| m.vacated_at(lans)).min()
    }

    /// When the next suspect is ripe for judgement.
    pub(super) fn next_judgement(&self) -> Option<Instant> {
        self.iter().filter_map(|m| m.suspect_since).min().map(|since| since + DOUBT)
    }

    /// The routes to put back at this moment, at most `most`.
    pub(super) fn due(&self, now: Instant, lans: &Lans, mirror: &Mirror, most: usize) -> Vec<Route> {
        let due = |m: &&Missing| m.attempts.may_try(now) && is_ready(m, now, lans, mirror);
        self.iter().filter(due).filter_map(|m| m.renumbered(lans, mirror)).take(most).collect()
    }

    /// When the next route may have to be put back, if interfaces stay as they are.
    pub(super) fn next_due(&self, now: Instant, lans: &Lans) -> Option<Instant> {
        let at = |m: &Missing| {
            let settled =
                m.lans.iter().flatten().filter_map(|id| lans.get(*id)).map(|l| l.settled_since).max()?;
            Some((settled + PUT_BACK_PAUSE).max(m.attempts.not_before()))
        };
        let waits = |m: &&Missing| m.has_no_keeper() && !m.is_suspect() && m.all_lans(lans, |lan| lan.up);
        self.iter().filter(waits).filter_map(at).filter(|at| *at > now).min()
    }

    /// The kernel refused a route that was put back.
    pub(super) fn refused(&mut self, now: Instant, key: &RouteKey) {
        for missing in self.missing.get_mut(&Group::of(key)).into_iter().flatten() {
            if missing.route.key == *key {
                missing.attempts.failed(now);
            }
        }
    }

    fn insert(&mut self, missing: Missing) {
        if self.count >= CAPACITY || missing.lans.iter().all(Option::is_none) {
            return;
        }
        let group = Group::of(&missing.route.key);
        self.forget_same(group, &missing.route);
        for subject in missing.subjects() {
            self.by_subject.entry(subject).or_default().insert(group);
        }
        insert_by_key(self.missing.entry(group).or_default(), missing, |m| m.route.key.metric);
        self.count += 1;
        self.changed.insert(group);
    }

    fn forget_same(&mut self, group: Group, route: &Route) {
        self.retain(group, |m| !m.route.is_same(route));
    }

    fn retain(&mut self, group: Group, mut keep: impl FnMut(&Missing) -> bool) {
        let Some(all) = self.missing.get_mut(&group) else { return };
        let dropped: Vec<Missing> = all.extract_if(.., |m| !keep(m)).collect();
        let left: BTreeSet<SubjectId> = all.iter().flat_map(Missing::subjects).gather();
        if all.is_empty() {
            self.missing.remove(&group);
        }
        self.count -= dropped.len();
        if !dropped.is_empty() {
            self.changed.insert(group);
        }
        for subject in dropped.iter().flat_map(Missing::subjects).filter(|s| !left.contains(s)) {
            if let Some(groups) = self.by_subject.get_mut(&subject) {
                groups.remove(&group);
                if groups.is_empty() {
                    self.by_subject.remove(&subject);
                }
            }
        }
    }
}

/// Whether the kernel flushed a suspect. It does so silently in IPv4; somebody who deletes a route is always heard, also just
/// before an interface falls, and who removes the last address of an interface is seen to. What counts is what happened
/// when it vanished: the judgement may come seconds later (SIGSTOP, a suspended machine).
fn was_flushed(lans: &Lans, missing: &Missing, deaf_at: Option<Instant>) -> bool {
    let Some(gone) = missing.suspect_since else { return false };
    let v4 = missing.route.key.destination.addr().is_ipv4();
    if v4 && missing.announced {
        return false;
    }
    let heard_all = deaf_at.is_none_or(|at| gone.since(at) > DEAFNESS);
    let unchanged = missing.all_lans(lans, |lan| gone.since(lan.ipv4_changed_at) > DEAFNESS);
    went_with_interface(gone, lans, missing) || (v4 && heard_all && unchanged)
}

/// Whether a route that vanished did so because an interface of its legs, or that of its source, fell.
fn went_with_interface(gone: Instant, lans: &Lans, missing: &Missing) -> bool {
    let falls = |lan: &Lan| lan.may_have_taken(gone, missing.came);
    let by_leg = missing.lans.iter().flatten().filter_map(|id| lans.get(*id)).any(falls);
    let holds_source = |lan: &Lan| lan.absent().any(|a| Some(a.address()) == missing.route.source);
    by_leg || lans.iter().any(|(_, lan)| falls(lan) && holds_source(lan))
}

/// Protocols boot and static, and nothing in it that faild does not emit.
pub(super) fn has_no_keeper(route: &Route) -> bool {
    matches!(route.protocol, BOOT | STATIC)
        && route.protocol != PROTOCOL
        && route.nexthop_id.is_none()
        && !route.encapsulated
}

fn is_ready(missing: &Missing, now: Instant, lans: &Lans, mirror: &Mirror) -> bool {
    missing.has_no_keeper()
        && !missing.is_suspect()
        && missing.all_lans(lans, |lan| lan.is_settled(now, PUT_BACK_PAUSE))
        && missing.route.source.is_none_or(|source| mirror.is_local(&source))
        && missing.legs().all(|(leg, lan)| is_reachable(&missing.route, leg, lan.and_then(|id| lans.get(id))))
}

/// Whether the kernel will accept the leg's gateway.
fn is_reachable(route: &Route, leg: &Leg, lan: Option<&Lan>) -> bool {
    let (Some(gateway), Some(lan)) = (leg.gateway, lan) else { return true };
    let on_link = |h: &HomeAddress| h.present && h.address.prefix.contains(&gateway);
    is_link_local(&gateway) || route.flags & ONLINK != 0 || lan.addresses.iter().any(on_link)
}
