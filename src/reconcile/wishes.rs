//! What the watch wants, with numbers for names, and which of the overlays that stand are its own.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

use super::cause::Cause;
use super::input::Dump;
use super::lan::{Choice, LanId};
use super::lans::Lans;
use super::originals::PUT_BACK_PAUSE;
use super::table::Group;
use super::{Mirror, Reconciler};
use crate::gather::Gather;
use crate::route::{MAIN_TABLE, PROTOCOL, Route};
use crate::time::Instant;
use crate::watch::{Member, Plan, Way};

/// What to list when [`Dump::LanRoutes`] is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// The routes over the interfaces of these names, be it by one leg of several.
    pub interfaces: Vec<String>,
    /// In these tables; main is always among them.
    pub tables: Vec<u32>,
}

impl Scope {
    /// Whether such a listing of this kernel holds a route.
    pub fn holds(&self, kernel: &Mirror, route: &Route) -> bool {
        let is_named = |index| kernel.interface(index).is_some_and(|i| self.interfaces.contains(&i.name));
        let is_over = route.is_listed_anywhere() || route.legs.iter().any(|leg| is_named(leg.interface));
        self.tables.contains(&route.key.table) && is_over
    }
}

/// The next hop of a destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hop {
    pub(super) lan: LanId,
    pub(super) via: Option<IpAddr>,
    pub(super) weight: u16,
}

/// Where a group of routes shall lead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Lead {
    Undecided,
    By(Vec<Hop>),
}

/// What becomes of routes over an interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stand {
    Home,
    Undecided,
    In(LanId),
}

/// See the module.
#[derive(Debug, Clone, Default)]
pub(super) struct Wishes {
    plan: Option<Plan>,
    leads: BTreeMap<Group, Lead>,
    /// Those that do not lead by the first choice.
    away: BTreeSet<Group>,
    members: BTreeMap<LanId, Stand>,
    tests: BTreeMap<LanId, Ipv4Addr>,
    up: BTreeSet<LanId>,
    /// Whose the overlays are that are no subject's.
    causes: BTreeMap<Group, Cause>,
    /// Destinations of which people know that somebody else leads them.
    pub(super) left_alone: BTreeSet<Group>,
}

impl Wishes {
    /// Whether a plan has come.
    pub(super) const fn has_plan(&self) -> bool {
        self.plan.is_some()
    }

    /// Whether the watch has no part in any route.
    pub(super) fn is_quiet(&self) -> bool {
        self.leads.is_empty() && self.members.is_empty() && self.causes.is_empty()
    }

    pub(super) fn lead(&self, group: &Group) -> Option<&Lead> {
        self.leads.get(group)
    }

    /// The targets of a destination.
    pub(super) fn targets(&self, group: &Group) -> &[IpAddr] {
        let targets = self.plan.as_ref().and_then(|plan| plan.targets.get(&(*group).into()));
        targets.map_or(&[], Vec::as_slice)
    }

    /// Whether it leads by another than the first choice.
    pub(super) fn is_away(&self, group: &Group) -> bool {
        self.away.contains(group)
    }

    pub(super) fn leads(&self) -> impl Iterator<Item = &Group> {
        self.leads.keys()
    }

    pub(super) fn stand(&self, lan: LanId) -> Option<Stand> {
        self.members.get(&lan).copied()
    }

    pub(super) fn members(&self) -> impl Iterator<Item = (LanId, Stand)> {
        self.members.iter().map(|(lan, stand)| (*lan, *stand))
    }

    pub(super) const fn tests(&self) -> &BTreeMap<LanId, Ipv4Addr> {
        &self.tests
    }

    pub(super) const fn up(&self) -> &BTreeSet<LanId> {
        &self.up
    }

    /// Whose the overlay of a group is, if it is no subject's.
    pub(super) fn cause(&self, group: &Group) -> Option<Cause> {
        self.causes.get(group).copied()
    }

    /// How many overlays there are for a failed member.
    pub(super) fn overlays_of(&self, lan: LanId) -> usize {
        self.causes.values().filter(|cause| **cause == Cause::Member(lan)).count()
    }

    /// Notes for whom the overlay of a group stands.
    pub(super) fn stands_for(&mut self, group: Group, cause: Cause) {
        if cause.subject().is_none() {
            self.causes.insert(group, cause);
        } else if !self.causes.is_empty() {
            self.causes.remove(&group);
        }
    }

    /// Nothing of ours stands in this group.
    pub(super) fn lifted(&mut self, group: &Group) {
        self.causes.remove(group);
    }

    pub(super) fn sees_table(&self, table: u32) -> bool {
        table == MAIN_TABLE || self.plan.as_ref().is_some_and(|plan| plan.tables.contains(&table))
    }

    pub(super) fn tables(&self) -> Vec<u32> {
        let others = self.plan.iter().flat_map(|plan| &plan.tables).filter(|t| **t != MAIN_TABLE);
        [MAIN_TABLE].into_iter().chain(others.copied().gather::<BTreeSet<u32>>()).collect()
    }

    /// The interfaces that play a part.
    fn lans(&self) -> impl Iterator<Item = LanId> {
        let hops = self.leads.values().flat_map(|lead| match lead {
            Lead::By(hops) => hops.as_slice(),
            Lead::Undecided => &[],
        });
        let stand_ins = self.members.values().filter_map(|stand| match stand {
            Stand::In(lan) => Some(*lan),
            Stand::Home | Stand::Undecided => None,
        });
        let causes = self.causes.values().filter_map(|cause| match cause {
            Cause::Member(lan) => Some(*lan),
            Cause::Subject(_) | Cause::Destination(_) => None,
        });
        let members = self.members.keys().chain(self.tests.keys()).chain(&self.up).copied();
        hops.map(|hop| hop.lan).chain(stand_ins).chain(causes).chain(members)
    }

    fn resolve(plan: &Plan, lans: &mut Lans) -> Self {
        let mut wishes = Self { plan: Some(plan.clone()), ..Self::default() };
        for (destination, way) in &plan.routes {
            let prefix = destination.prefix.trunc();
            let group = Group { table: destination.table, destination: prefix, tos: 0 };
            wishes.leads.insert(group, lead(way, lans));
            if plan.away.contains(destination) {
                wishes.away.insert(group);
            }
        }
        for (interface, member) in &plan.members {
            let Some(lan) = lans.intern(interface) else { continue };
            let stand = match member {
                Member::Home => Stand::Home,
                Member::Undecided => Stand::Undecided,
                Member::StandIn(other) => lans.intern(other).map_or(Stand::Undecided, Stand::In),
            };
            wishes.members.insert(lan, stand);
        }
        let tests = plan.test_addresses.iter();
        wishes.tests.extend(tests.filter_map(|(name, address)| Some((lans.intern(name)?, *address))));
        wishes.up.extend(plan.up.iter().filter_map(|name| lans.intern(name)));
        wishes
    }
}

fn lead(way: &Way, lans: &mut Lans) -> Lead {
    let Way::By(hops) = way else { return Lead::Undecided };
    let hop = |hop: &crate::watch::Hop| {
        let lan = lans.intern(&hop.interface)?;
        Some(Hop { lan, via: hop.via, weight: u16::from(hop.weight.max(1)) })
    };
    let hops: Vec<Hop> = hops.iter().filter_map(hop).collect();
    if hops.is_empty() { Lead::Undecided } else { Lead::By(hops) }
}

impl Reconciler {
    pub(super) fn on_watch(&mut self, now: Instant, plan: &Plan) {
        if self.wishes.plan.as_ref() == Some(plan) {
            return;
        }
        self.recycle();
        let next = Wishes::resolve(plan, &mut self.lans);
        let last = std::mem::replace(&mut self.wishes, next);
        self.wishes.causes.clone_from(&last.causes);
        self.wishes.left_alone =
            last.left_alone.iter().copied().filter(|g| self.wishes.leads.contains_key(g)).gather();
        let before = last.plan.clone().unwrap_or_default();
        self.look_at(now, &before, plan);
        self.lans.set_test_addresses(&self.wishes.tests);
        self.mark_leads(&last);
        self.mark_members(&last);
        self.restoring.recheck();
        self.found.touch();
        self.ask_again();
        self.keeping.touch_interfaces();
    }

    /// Other interfaces or tables are looked at.
    fn look_at(&mut self, now: Instant, before: &Plan, plan: &Plan) {
        self.lans.set_watched(&plan.interfaces);
        if before.interfaces == plan.interfaces && before.tables == plan.tables {
            if self.lans.has_strangers() {
                self.dumps.want(Dump::Interfaces);
            }
            return;
        }
        let is_new = |name: &String| !before.interfaces.contains(name);
        if plan.interfaces.iter().any(is_new)
            || plan.tables.iter().any(|table| !before.tables.contains(table))
        {
            self.dumps.widen();
        } else {
            self.dumps.want(Dump::LanRoutes);
        }
        let unseen = self.lans.iter().filter(|(_, lan)| !lan.is_seen());
        let gone = unseen.filter(|(_, lan)| before.interfaces.contains(&lan.name));
        self.lapsed.extend(gone.map(|(id, _)| (id, now)));
        let wishes = &self.wishes;
        let groups = self.originals.forget_if(|missing| !wishes.sees_table(missing.route.key.table));
        self.stood_in(groups);
    }

    /// Forgets what the kernel took from interfaces that nobody looks at any more. One that is absent may only be on
    /// its way back: the watch may have dropped it for that.
    pub(super) fn leave_lapsed(&mut self, now: Instant) {
        if self.lapsed.is_empty() {
            return;
        }
        let lans = &self.lans;
        self.lapsed.retain(|id, _| lans.get(*id).is_some_and(|lan| !lan.is_seen()));
        let is_over = |id: &LanId, since: &Instant| {
            let settled = lans.get(*id).is_some_and(|lan| lan.is_settled(now, PUT_BACK_PAUSE));
            settled && now.since(*since) >= PUT_BACK_PAUSE
        };
        let over: Vec<LanId> =
            self.lapsed.iter().filter(|(id, at)| is_over(id, at)).map(|(id, _)| *id).collect();
        for lan in over {
            self.lapsed.remove(&lan);
            self.leave(lan);
        }
    }

    /// Names of interfaces that come and go must not use up the numbers.
    fn recycle(&mut self) {
        if !self.lans.is_crowded() {
            return;
        }
        let ways = self.subjects.values().filter_map(|choice| match choice {
            Choice::Detour(way) => Some(way.lan),
            Choice::Home | Choice::Undecided => None,
        });
        let missing = self.originals.iter().flat_map(|m| m.lans.iter().flatten().copied());
        let subjects = self.subjects.keys().map(|subject| subject.lan);
        let others = self.wishes.lans().chain(self.addresses.lans());
        let used: BTreeSet<LanId> = subjects.chain(ways).chain(missing).chain(others).gather();
        for lan in self.lans.recycle(&used) {
            self.wans_told.remove(&lan);
            self.lapsed.remove(&lan);
            self.addresses.forget(lan);
            self.homes.forget(lan);
        }
    }

    /// Groups that shall lead elsewhere than they did.
    fn mark_leads(&mut self, last: &Wishes) {
        let differs = |group: &&Group| {
            self.wishes.lead(group) != last.lead(group) || self.wishes.is_away(group) != last.is_away(group)
        };
        let groups: BTreeSet<Group> =
            self.wishes.leads().chain(last.leads()).filter(differs).copied().gather();
        for group in groups {
            // What stands in a group that nobody leads any more is known to be the watch's, and is lifted.
            if self.wishes.lead(&group).is_none() && self.has_own(group) {
                self.wishes.stands_for(group, Cause::Destination(group));
            }
            self.mark(group);
        }
    }

    fn mark_members(&mut self, last: &Wishes) {
        let lans: BTreeSet<LanId> = self.wishes.members.keys().chain(last.members.keys()).copied().gather();
        for lan in lans {
            if self.wishes.stand(lan) == last.stand(lan) {
                continue;
            }
            let left = self.wishes.stand(lan).is_none();
            let groups = self.mark_member(lan);
            for group in groups.into_iter().filter(|_| left) {
                // As above; what does not look like a stand-in's route is a subject's.
                let routes: Vec<_> = self.mirror.routes().group(group).cloned().collect();
                if self.wishes.lead(&group).is_none() && super::order::is_stand_in(&routes) {
                    self.wishes.stands_for(group, Cause::Member(lan));
                }
            }
        }
    }

    /// All groups with a route over a member are to be looked at, connected ones first: gateways are reached by them.
    pub(super) fn mark_member(&mut self, lan: LanId) -> Vec<Group> {
        let index = self.lans.index(lan);
        let over =
            |r: &&std::sync::Arc<crate::route::Route>| r.legs.iter().any(|leg| Some(leg.interface) == index);
        let standing = self.mirror.routes().iter().filter(|r| r.protocol != PROTOCOL).filter(over);
        let missing = self.originals.iter().filter(|m| m.lans.contains(&Some(lan))).map(|m| &m.route);
        let on_link = |r: &crate::route::Route| r.legs.iter().all(|leg| leg.gateway.is_none());
        let all: Vec<(bool, Group)> =
            standing.chain(missing).map(|r| (on_link(r), Group::of(&r.key))).collect();
        for (is_on_link, group) in &all {
            if *is_on_link {
                self.work.mark_connected(*group);
            } else {
                self.mark(*group);
            }
        }
        all.into_iter().map(|(_, group)| group).collect()
    }

    pub(super) fn has_own(&self, group: Group) -> bool {
        self.mirror.routes().group(group).any(|r| r.protocol == PROTOCOL)
    }

    /// What a listing of routes over the LANs and the watch's interfaces shall hold.
    pub fn scope(&self) -> Scope {
        let seen = self.lans.iter().filter(|(_, lan)| lan.is_seen()).map(|(_, lan)| &lan.name);
        // What leads by excluded interfaces is read so that nothing is put in front of it.
        let names = seen.chain(&self.settings.excluded).cloned().collect();
        Scope { interfaces: names, tables: self.wishes.tables() }
    }
}
