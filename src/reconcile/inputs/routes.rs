//! What dumps and notifications tell of routes.

use std::sync::Arc;

use super::super::Reconciler;
use super::super::input::Dump;
use super::super::lan::Lan;
use super::super::notice::Notice;
use super::super::table::{Group, RouteTable};
use crate::interface::{InterfaceIndex, is_link_local};
use crate::route::{KERNEL, Leg, PROTOCOL, Route};
use crate::time::Instant;

/// Most routes of others that are looked at. A full Internet table belongs to a routing daemon, which has its own ways
/// around a dead gateway.
const ROUTES: usize = 65_536;

impl Reconciler {
    pub(in crate::reconcile) fn on_own_routes(&mut self, now: Instant, routes: Vec<Route>) {
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

    pub(in crate::reconcile) fn on_lan_routes(&mut self, now: Instant, mut routes: Vec<Route>) {
        if !self.dumps.answered(Dump::LanRoutes) {
            return;
        }
        self.limit(&mut routes);
        let mut table: RouteTable =
            routes.into_iter().filter(|r| self.wishes.sees_table(r.key.table)).collect();
        self.found.touch();
        self.homes.learn(now, &self.lans, &table);
        let has = |table: &RouteTable, route: &Route| table.at(&route.key).iter().any(|r| r.is_same(route));
        let gone: Vec<Arc<Route>> =
            self.mirror.routes().iter().filter(|r| !has(&table, r)).cloned().collect();
        let new: Vec<Arc<Route>> = table.iter().filter(|r| !has(self.mirror.routes(), r)).cloned().collect();
        if !gone.is_empty() || !new.is_empty() {
            self.ask_again();
        }
        let changed: Vec<Arc<Route>> = gone.iter().chain(&new).cloned().collect();
        let mut own_gone = Vec::new();
        for route in gone {
            if route.protocol != PROTOCOL {
                self.on_foreign_gone(now, &route, &table);
                self.places_changed(Some(Group::of(&route.key)));
                self.keeping.touch(Group::of(&route.key));
            } else if self.is_seen(&route) {
                own_gone.push(Arc::clone(&route));
            } else {
                table.prepend(Arc::clone(&route));
            }
            self.mark(Group::of(&route.key));
        }
        let reordered = self.reordered(&table);
        *self.mirror.routes_mut() = table;
        self.learn_owners();
        for group in new.iter().map(|r| Group::of(&r.key)).chain(reordered).collect::<Vec<_>>() {
            self.mark(group);
        }
        for route in new.iter().filter(|r| r.protocol != PROTOCOL) {
            self.originals.forget(&route.key);
            self.keeping.touch(Group::of(&route.key));
        }
        for route in &changed {
            self.mark_within(route);
        }
        let dump = self.mirror.routes().clone();
        self.blame(now, &own_gone, &dump);
    }

    /// What stands by this listing belongs to what its interfaces are now.
    fn learn_owners(&mut self) {
        let renamed = self.lans.learn(self.mirror.interfaces());
        if renamed.is_empty() {
            return;
        }
        let is_over = |r: &&Arc<Route>| r.legs.iter().any(|leg| renamed.contains(&leg.interface));
        let groups = self.mirror.routes().iter().filter(is_over).map(|r| Group::of(&r.key));
        for group in groups.collect::<Vec<_>>() {
            self.mark(group);
            self.keeping.touch(group);
        }
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

    /// What nothing may be put in front of always stays, and our own; then what may be overlaid, or leads to a subnet.
    fn limit(&mut self, routes: &mut Vec<Route>) {
        let total = routes.len();
        if total <= ROUTES {
            return;
        }
        let view = self.view();
        let always = |r: &Route| r.protocol == PROTOCOL || view.untouched.holds(r);
        let first = |r: &Route| !always(r) && (r.protocol == KERNEL || view.is_managed(r));
        let mut left = ROUTES;
        let mut left_for_others = ROUTES.saturating_sub(routes.iter().filter(|r| first(r)).count());
        let take = |left: &mut usize| left.checked_sub(1).map(|less| *left = less).is_some();
        routes.retain(|r| match (always(r), first(r)) {
            (true, _) => true,
            (false, true) => take(&mut left),
            (false, false) => take(&mut left_for_others),
        });
        self.notice(Notice::TooManyRoutes { routes: total, limit: ROUTES });
    }

    /// Whether the routes over an interface are looked at.
    fn looks_at(&self, index: InterfaceIndex) -> bool {
        self.lans.at(index).and_then(|id| self.lans.get(id)).is_some_and(Lan::is_seen)
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
        }
    }

    /// An original is gone, for a while or for good: what of ours stands there is known to have stood in for it.
    pub(super) fn on_original_gone(&mut self, group: Group) {
        if self.mirror.routes().group(group).any(|r| r.protocol == PROTOCOL) {
            self.known.insert(group);
        }
        self.mark(group);
    }

    /// Whether nothing may be put in front of a route.
    fn is_untouched(&self, route: &Route) -> bool {
        route.protocol != PROTOCOL && self.view().untouched.holds(route)
    }

    /// A route of others came or went: overlays without an original of their own, within its prefix, may have to go, or may
    /// be laid. Only those are marked: a program that blocks hosts adds and removes a thousand such routes.
    fn mark_within(&mut self, route: &Route) {
        if route.protocol == PROTOCOL {
            return;
        }
        match self.is_untouched(route) {
            true => self.mark_all_within(Group::of(&route.key)),
            false => self.mark_covered(Group::of(&route.key)),
        }
    }

    /// A route that covers others stands, is awaited, or is not awaited any more: beside a route that nothing is put in front
    /// of, any other may decide whether that one has a say.
    pub(in crate::reconcile) fn mark_covered(&mut self, by: Group) {
        if !self.excluded.is_empty() || self.mirror.routes().refusing().next().is_some() {
            self.mark_all_within(by);
        }
    }

    fn mark_all_within(&mut self, Group { table, destination, .. }: Group) {
        let groups = Group::within(table, destination);
        let first = groups.start().key(0);
        let last = groups.end().key(u32::MAX);
        let own = self.mirror.routes().range(first, last).filter(|r| r.protocol == PROTOCOL);
        let standing = own.map(|r| Group::of(&r.key));
        let under_way = self.work.under_way().filter(|group| groups.contains(group));
        let kept_out = self.troubles.kept_out_within(groups.clone()).copied();
        for group in standing.chain(under_way).chain(kept_out).collect::<Vec<_>>() {
            self.mark(group);
        }
    }

    /// What keeps an overlay out may be gone: of one group, or of all.
    pub(in crate::reconcile) fn places_changed(&mut self, only: Option<Group>) {
        let blocked = self.troubles.kept_out().map(|(group, _)| *group);
        let concerned: Vec<Group> = blocked.filter(|group| only.is_none_or(|only| only == *group)).collect();
        for group in concerned {
            self.troubles.place_changed(&group);
            self.mark(group);
        }
    }

    fn is_remembered(&self, route: &Route) -> bool {
        let follows = self.view().is_managed(route);
        follows || self.is_members_prefix(route)
    }

    /// A subnet is remembered for as long as its interface is a member that another stands in for.
    fn is_members_prefix(&self, route: &Route) -> bool {
        let is_member =
            |leg: &Leg| self.lans.of(leg.interface).and_then(|id| self.wishes.stand(id)).is_some();
        self.wishes.members().next().is_some()
            && self.view().is_connected_prefix(route)
            && route.legs.iter().any(is_member)
    }

    pub(in crate::reconcile) fn on_route_added(&mut self, now: Instant, route: Route) {
        // It may come first, whether it is read or not.
        self.ask_again();
        // Excluded interfaces are listed as well.
        let is_over = |leg: &Leg| self.looks_at(leg.interface) || self.excluded.contains(&leg.interface);
        let is_seen = route.is_listed_anywhere() || route.legs.iter().any(is_over);
        if !self.wishes.sees_table(route.key.table) || !is_seen {
            return;
        }
        if route.protocol != PROTOCOL {
            self.originals.came(now, &self.lans, &route);
        }
        let equal = self.mirror.routes().at(&route.key);
        let is_told = |r: &&Arc<Route>| r.is_same(&route);
        if let Some(told) = equal.iter().find(is_told) {
            // IPv4 keeps apart what differs in a metric of TCP or such; its deletion must not hit the other here.
            if route.key.destination.addr().is_ipv4() && told.attributes != route.attributes {
                self.keeping.touch(Group::of(&route.key));
                self.mirror.routes_mut().append(Arc::new(route));
                self.dumps.want(Dump::LanRoutes);
            }
            return;
        }
        // Whether it was added, and before or behind which, or took the place of one, only dumps can tell.
        let is_unclear = route.protocol == PROTOCOL || !equal.is_empty();
        if is_unclear {
            self.dumps.want(Dump::OwnRoutes);
            self.dumps.want(Dump::LanRoutes);
        }
        // Until then what nothing may be put in front of comes first: so nothing is.
        if is_unclear && !self.is_untouched(&route) {
            return;
        }
        let route = Arc::new(route);
        self.found.touch();
        self.mirror.routes_mut().prepend(Arc::clone(&route));
        self.mark(Group::of(&route.key));
        self.mark_within(&route);
        self.keeping.touch(Group::of(&route.key));
        self.originals.forget(&route.key);
    }

    pub(in crate::reconcile) fn on_route_deleted(&mut self, now: Instant, route: &Route) {
        self.ask_again();
        let known = self.mirror.routes().at(&route.key).iter().any(|r| r.is_same(route));
        if route.protocol == PROTOCOL {
            if known && !self.work.is_in_flight() {
                self.dumps.want(Dump::OwnRoutes);
            }
            return;
        }
        if !self.wishes.sees_table(route.key.table) {
            return;
        }
        self.note_link_local_lost(route);
        // Before it was known the kernel may have refused its place.
        self.places_changed(Some(Group::of(&route.key)));
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
            self.keeping.touch(Group::of(&route.key));
            self.mark(Group::of(&route.key));
            self.mark_within(&route);
        }
    }

    /// The kernel deletes fe80::/64 of an interface when it goes down, and with the address that somebody removes.
    fn note_link_local_lost(&mut self, route: &Route) {
        let link_local = is_link_local(&route.key.destination.addr());
        if route.protocol == KERNEL && link_local {
            for leg in &route.legs {
                self.lans.lost_link_local(leg.interface);
            }
        }
    }
}
