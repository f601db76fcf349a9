//! What each input changes: what is known, and which groups of routes are to be looked at.

use std::net::IpAddr;
use std::sync::Arc;

use super::Reconciler;
use super::input::{Dump, Output};
use super::lan::{Change, Choice, Lan, LanId, Stance, SubjectId, Way};
use super::notice::Notice;
use super::overlay::{Wanted, host_of};
use super::route::{KERNEL, PROTOCOL, Route};
use super::table::{Group, RouteTable};
use crate::engine::{NextHop, Plan, Verdict};
use crate::interface::{Interface, InterfaceIndex, InterfaceKind};
use crate::time::Instant;

/// Most routes of others that are looked at. A full Internet table belongs to a routing daemon, which has its own ways
/// around a dead gateway.
const ROUTES: usize = 65_536;

impl Reconciler {
    pub(super) fn on_plan(&mut self, plan: &Plan) {
        if !self.has_plan || !self.are_lans(&plan.lans) {
            self.lans.set_plan(&plan.lans);
            self.dumps.want(Dump::Interfaces);
            self.dumps.want(Dump::LanRoutes);
        }
        self.has_plan = true;
        let mut home: Option<(&str, LanId)> = None;
        let mut count = 0;
        for (subject, verdict) in &plan.subjects {
            // Subjects come ordered by home: its number is looked up once for each.
            let lan = match home {
                Some((name, lan)) if *name == *subject.home => Some(lan),
                _ => self.lans.intern(&subject.home),
            };
            let Some(lan) = lan else { continue };
            home = Some((&subject.home, lan));
            count += 1;
            let choice = self.choice(verdict);
            let id = SubjectId { lan, address: subject.address };
            if self.subjects.get(&id) != Some(&choice) {
                self.subjects.insert(id, choice);
                self.mark_subject(id);
            }
        }
        if count < self.subjects.len() {
            self.withdraw_others(plan);
        }
        self.take_stances();
    }

    fn are_lans(&self, names: &[String]) -> bool {
        let in_plan = self.lans.iter().filter(|(_, lan)| lan.in_plan).count();
        let known = |name: &String| self.lans.iter().any(|(_, lan)| lan.in_plan && lan.name == *name);
        in_plan == names.len() && names.iter().all(known)
    }

    fn choice(&mut self, verdict: &Verdict) -> Choice {
        match verdict {
            Verdict::Home => Choice::Home,
            Verdict::Undecided => Choice::Undecided,
            Verdict::Detour(NextHop { interface, via }) => match self.lans.intern(interface) {
                Some(lan) => Choice::Detour(Way { lan, via: *via }),
                None => Choice::Undecided,
            },
        }
    }

    /// Subjects that are no longer in the plan are undecided: what they have stays as it is.
    fn withdraw_others(&mut self, plan: &Plan) {
        let lans = &self.lans;
        let is_in_plan = |s: &SubjectId| {
            let subject = crate::engine::Subject { home: lans.name(s.lan).into(), address: s.address };
            plan.subjects.contains_key(&subject)
        };
        let gone: Vec<SubjectId> = self.subjects.keys().filter(|s| !is_in_plan(s)).copied().collect();
        for subject in gone {
            self.subjects.remove(&subject);
            self.mark_subject(subject);
        }
    }

    fn take_stances(&mut self) {
        let ids: Vec<LanId> = self.lans.iter().map(|(id, _)| id).collect();
        for id in ids {
            let first = SubjectId { lan: id, address: std::net::Ipv4Addr::UNSPECIFIED.into() };
            let subjects = || self.subjects.range(first..).take_while(|(s, _)| s.lan == id);
            let of = |v4: bool| {
                stance(subjects().filter(|(s, _)| s.address.is_ipv4() == v4).map(|(_, choice)| choice))
            };
            let (v4, v6) = (of(true), of(false));
            if let Some(lan) = self.lans.get_mut(id)
                && lan.set_stances(v4, v6)
            {
                self.waiting.recheck();
            }
        }
    }

    pub(super) fn on_interfaces(&mut self, now: Instant, interfaces: &[Interface]) {
        self.dumps.answered(Dump::Interfaces);
        let changes = self.lans.observe(now, interfaces);
        if changes.is_empty() && self.mirror.interfaces().eq(interfaces) {
            return;
        }
        let lo_changed = loopback(self.mirror.interfaces()) != loopback(interfaces.iter());
        self.mirror.load_interfaces(interfaces);
        self.adopt();
        // Test addresses are no homes: no change tells of them.
        self.waiting.recheck();
        self.found.touch();
        if changes.is_empty() && !lo_changed {
            return;
        }
        self.note_returned(&changes);
        if !changes.is_empty() {
            self.dumps.on_link_event(now);
        }
        self.troubles.links_changed();
        self.waiting.recheck();
        self.keeping.touch(now);
        self.mark_all();
    }

    fn note_returned(&mut self, changes: &[(LanId, Change)]) {
        for (lan, change) in changes {
            for address in &change.returned {
                self.waiting.returned(*lan, *address);
            }
        }
    }

    pub(super) fn on_own_routes(&mut self, now: Instant, routes: Vec<Route>) {
        if !self.dumps.answered(Dump::OwnRoutes) {
            return;
        }
        let dump: RouteTable = routes.into_iter().filter(|r| r.protocol == PROTOCOL).collect();
        let has = |table: &RouteTable, route: &Route| table.at(&route.key).iter().any(|r| r.is_same(route));
        let gone: Vec<Arc<Route>> = self.own_routes().filter(|r| !has(&dump, r)).cloned().collect();
        let new: Vec<Arc<Route>> = dump.iter().filter(|r| !has(self.mirror.routes(), r)).cloned().collect();
        for route in &gone {
            self.mirror.routes_mut().remove(route);
            self.mark(Group::of(&route.key));
        }
        for route in &new {
            // Only a dump of all routes tells where it stands among its equals.
            if !self.mirror.routes().at(&route.key).is_empty() {
                self.dumps.want(Dump::LanRoutes);
            }
            self.mirror.routes_mut().prepend(Arc::clone(route));
            self.mark(Group::of(&route.key));
        }
        self.blame(now, &gone, &dump);
        self.adopt();
    }

    pub(super) fn on_lan_routes(&mut self, now: Instant, mut routes: Vec<Route>) {
        if !self.dumps.answered(Dump::LanRoutes) {
            return;
        }
        self.limit(&mut routes);
        let mut table: RouteTable =
            routes.into_iter().filter(|r| self.wishes.sees_table(r.key.table)).collect();
        self.found.touch();
        let has = |table: &RouteTable, route: &Route| table.at(&route.key).iter().any(|r| r.is_same(route));
        let gone: Vec<Arc<Route>> =
            self.mirror.routes().iter().filter(|r| !has(&table, r)).cloned().collect();
        let new: Vec<Arc<Route>> = table.iter().filter(|r| !has(self.mirror.routes(), r)).cloned().collect();
        let mut own_gone = Vec::new();
        for route in gone {
            if route.protocol != PROTOCOL {
                self.on_foreign_gone(now, &route, &table);
            } else if self.is_seen(&route) {
                own_gone.push(Arc::clone(&route));
            } else {
                table.prepend(Arc::clone(&route));
            }
            self.mark(Group::of(&route.key));
        }
        let reordered = self.reordered(&table);
        *self.mirror.routes_mut() = table;
        for group in new.iter().map(|r| Group::of(&r.key)).chain(reordered).collect::<Vec<_>>() {
            self.mark(group);
        }
        for route in new.iter().filter(|r| r.protocol != PROTOCOL) {
            self.originals.forget(&route.key);
        }
        let dump = self.mirror.routes().clone();
        self.blame(now, &own_gone, &dump);
    }

    /// Groups in which equal keys stand in another order than was thought.
    fn reordered(&self, table: &RouteTable) -> Vec<Group> {
        let own = self.own_routes().filter(|r| table.at(&r.key).len() > 1);
        let same = |a: &[Arc<Route>], b: &[Arc<Route>]| {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.is_same(b))
        };
        own.filter(|r| !same(table.at(&r.key), self.mirror.routes().at(&r.key)))
            .map(|r| Group::of(&r.key))
            .collect()
    }

    fn limit(&mut self, routes: &mut Vec<Route>) {
        let total = routes.len();
        if total > ROUTES {
            let mut left = ROUTES;
            routes.retain(|r| {
                left = left.saturating_sub(1);
                left > 0 || r.protocol == PROTOCOL
            });
            self.notice(Notice::TooManyRoutes { routes: total, limit: ROUTES });
        }
    }

    /// Whether the routes over an interface are looked at.
    fn looks_at(&self, index: InterfaceIndex) -> bool {
        self.lans.of(index).and_then(|id| self.lans.get(id)).is_some_and(Lan::is_seen)
    }

    /// Whether a dump shows such a route, if it stands.
    fn is_seen(&self, route: &Route) -> bool {
        self.wishes.sees_table(route.key.table) && route.legs.iter().all(|leg| self.looks_at(leg.interface))
    }

    /// A route of others is not there any more, and nothing of others has its key.
    fn on_foreign_gone(&mut self, now: Instant, route: &Arc<Route>, table: &RouteTable) {
        let replaced = table.at(&route.key).iter().any(|r| r.protocol != PROTOCOL);
        // Of a LAN that left the plan the dump shows nothing: that does not mean that its routes are gone.
        let unseen = route.legs.iter().all(|leg| {
            let lan = self.lans.of(leg.interface).and_then(|id| self.lans.get(id));
            lan.is_some_and(|lan| !lan.is_seen() && lan.index.is_some())
        });
        let unseen = unseen || !self.wishes.sees_table(route.key.table);
        if self.is_remembered(route) {
            self.on_original_gone(Group::of(&route.key));
        }
        if self.is_remembered(route) && !replaced && !unseen {
            self.originals.suspect(now, &self.lans, Arc::clone(route), false);
            self.dumps.want(Dump::Interfaces);
            self.keeping.touch(now);
        }
    }

    /// An original is gone, for a while or for good: what of ours stands there is known to have stood in for it.
    fn on_original_gone(&mut self, group: Group) {
        if self.mirror.routes().group(group).any(|r| r.protocol == PROTOCOL) {
            self.known.insert(group);
        }
        self.mark(group);
    }

    fn is_remembered(&self, route: &Route) -> bool {
        let follows = self.settings.protocols.contains(&route.protocol) && !route.encapsulated;
        follows || self.is_members_prefix(route)
    }

    /// A subnet is remembered for as long as its interface is a member that another stands in for.
    fn is_members_prefix(&self, route: &Route) -> bool {
        let is_member =
            |leg: &super::Leg| self.lans.of(leg.interface).and_then(|id| self.wishes.stand(id)).is_some();
        self.wishes.members().next().is_some()
            && self.view().is_connected_prefix(route)
            && route.legs.iter().any(is_member)
    }

    pub(super) fn on_route_added(&mut self, route: Route) {
        if !self.wishes.sees_table(route.key.table)
            || !route.legs.iter().any(|leg| self.looks_at(leg.interface))
        {
            return;
        }
        let equal = self.mirror.routes().at(&route.key);
        let is_told = |r: &&Arc<Route>| r.is_same(&route);
        if let Some(told) = equal.iter().find(is_told) {
            // IPv4 keeps apart what differs in a metric of TCP or such; its deletion must not hit the other here.
            if route.key.destination.addr().is_ipv4() && told.attributes != route.attributes {
                self.mirror.routes_mut().append(Arc::new(route));
                self.dumps.want(Dump::LanRoutes);
            }
            return;
        }
        // Whether it was added, and before or behind which, or took the place of one, only dumps can tell.
        if route.protocol == PROTOCOL || !equal.is_empty() {
            self.dumps.want(Dump::OwnRoutes);
            self.dumps.want(Dump::LanRoutes);
            return;
        }
        let route = Arc::new(route);
        self.found.touch();
        self.mirror.routes_mut().append(Arc::clone(&route));
        self.mark(Group::of(&route.key));
        self.originals.forget(&route.key);
    }

    pub(super) fn on_route_deleted(&mut self, now: Instant, route: &Route) {
        let known = self.mirror.routes().at(&route.key).iter().any(|r| r.is_same(route));
        if route.protocol == PROTOCOL {
            if known && self.in_flight.is_none() {
                self.dumps.want(Dump::OwnRoutes);
            }
            return;
        }
        if !self.wishes.sees_table(route.key.table) {
            return;
        }
        self.note_link_local_lost(now, route);
        if !known {
            if self.originals.announced(now, route) {
                self.dumps.want(Dump::Interfaces);
            }
            return;
        }
        if let Some(route) = self.mirror.routes_mut().remove(route) {
            self.found.touch();
            let table = RouteTable::default();
            self.on_foreign_gone(now, &route, &table);
            self.originals.announced(now, &route);
            self.mark(Group::of(&route.key));
        }
    }

    /// The kernel deletes fe80::/64 of an interface when it goes down, and on hardly any other occasion.
    fn note_link_local_lost(&mut self, now: Instant, route: &Route) {
        let link_local = super::overlay::is_link_local(&route.key.destination.addr());
        if route.protocol == KERNEL && link_local {
            for leg in &route.legs {
                self.lans.fell(now, leg.interface);
            }
        }
    }

    pub(super) fn on_went_down(&mut self, now: Instant, index: InterfaceIndex) {
        self.lans.fell(now, index);
        self.dumps.want(Dump::Interfaces);
        self.dumps.on_link_event(now);
    }

    pub(super) fn on_overrun(&mut self, now: Instant) {
        self.originals.overrun(now);
        self.dumps.want_all();
    }

    /// What the timers demand.
    pub(super) fn on_time(&mut self, now: Instant) {
        self.dumps.on_time(now);
        self.leave_lapsed(now);
        for group in self.troubles.due(now) {
            self.mark(group);
        }
        if self.originals.next_judgement().is_some_and(|at| at <= now) {
            for group in self.originals.judge(now, &self.lans) {
                self.on_original_gone(group);
            }
            self.waiting.recheck();
            self.keeping.touch(now);
        }
        if self.waiting.next().is_some_and(|at| at <= now) {
            for group in self.originals.give_up(now, &self.lans) {
                self.on_original_gone(group);
            }
            self.troubles.expire(now);
            self.waiting.recheck();
        }
    }

    /// Tells the engine which host overlays were found, once.
    fn adopt(&mut self) {
        if self.adopted || !self.dumps.has_seen(Dump::OwnRoutes) || !self.dumps.has_seen(Dump::Interfaces) {
            return;
        }
        self.adopted = true;
        let way = |route: &Arc<Route>| {
            let [leg] = route.legs.as_slice() else { return None };
            let interface = self.mirror.interface(leg.interface)?.name.clone();
            let group = Group::of(&route.key);
            let address = host_of(group).filter(|_| self.wishes.lead(&group).is_none())?;
            Some(Output::Adopted { address, way: Some(NextHop { interface, via: leg.gateway? }) })
        };
        let adopted: Vec<Output> = self.own_routes().filter_map(way).collect();
        self.outputs.extend(adopted);
    }

    /// Overlays are gone. If an interface fell that explains it; else somebody removed them.
    fn blame(&mut self, now: Instant, gone: &[Arc<Route>], dump: &RouteTable) {
        for route in gone {
            let group = Group::of(&route.key);
            // Linux 6.18 takes the source off an IPv6 route when the address goes: it is still ours.
            let altered = dump.at(&route.key).iter().any(|r| r.protocol == PROTOCOL && r.legs == route.legs);
            if altered {
                continue;
            }
            match self.view().wanted(group) {
                Wanted::Overlay(_) if self.was_flushed(now, route) => {}
                Wanted::Overlay(overlay) => {
                    // Among equal keys of IPv4 a replace hits the first, and so does a delete that names no more.
                    let equal = self.mirror.routes().at(&route.key);
                    if route.key.destination.addr().is_ipv4() && equal.iter().any(|r| r.protocol != PROTOCOL)
                    {
                        self.troubles.hit(now, group);
                    } else {
                        self.troubles.removed(now, group);
                    }
                    let text = self.text_of(route);
                    let removals = self.troubles.get(&group).map_or(0, |t| t.removals);
                    self.reports.removed(overlay.cause, text, removals);
                }
                Wanted::Keep if self.wishes.lead(&group).is_none() => self.report_vanished(group),
                Wanted::Keep | Wanted::Nothing | Wanted::LeftAlone | Wanted::Blocked(_) => {}
            }
        }
        self.report_removals();
    }

    /// What nothing was decided for is not laid again: the engine must not take it for standing.
    fn report_vanished(&mut self, group: Group) {
        let stands = self.own_routes().any(|route| Group::of(&route.key) == group);
        if let Some(address) = host_of(group).filter(|_| self.adopted && !stands) {
            self.outputs.push_back(Output::Adopted { address, way: None });
        }
    }

    /// Whether an overlay went with an interface or with its source.
    fn was_flushed(&self, now: Instant, route: &Route) -> bool {
        let falling = |id: LanId| self.lans.get(id).is_none_or(|lan| lan.is_falling(now));
        let by_leg = route.legs.iter().any(|leg| self.lans.of(leg.interface).is_none_or(falling));
        // The source may be back by now, on its interface or waiting on lo: its routes are not.
        let fell_with = |source: IpAddr| {
            let mut falling = self.lans.iter().filter(|(_, lan)| lan.is_falling(now));
            falling.any(|(_, lan)| lan.addresses.iter().any(|h| h.address.address() == source))
        };
        by_leg || route.source.is_some_and(|source| !self.mirror.is_local(&source) || fell_with(source))
    }
}

fn stance<'a>(choices: impl Iterator<Item = &'a Choice>) -> Stance {
    let (mut away, mut unclear, mut any) = (false, false, false);
    for choice in choices {
        any = true;
        away |= matches!(choice, Choice::Detour(_));
        unclear |= *choice == Choice::Undecided;
    }
    match (away, unclear || !any) {
        (true, _) => Stance::Detoured,
        (false, true) => Stance::Unclear,
        (false, false) => Stance::Home,
    }
}

fn loopback<'a>(mut interfaces: impl Iterator<Item = &'a Interface>) -> Option<&'a Interface> {
    interfaces.find(|i| i.kind == InterfaceKind::Loopback)
}
