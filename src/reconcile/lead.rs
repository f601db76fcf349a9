//! Groups of routes that the watch leads: the best route leads exactly to the hops that shall serve, or an overlay does
//! that stands in front of all others.

use std::net::IpAddr;
use std::sync::Arc;

use super::cause::Cause;
use super::lan::SubjectId;
use super::order::{foreign, own};
use super::overlay::{Overlay, View, Wanted, neighbour};
use super::table::Group;
use super::wishes::{Hop, Lead};
use crate::interface::LINK_SCOPE;
use crate::route::{KERNEL, Leg, ONLINK, PROTOCOL, Route, RouteType, put, weighed};

impl View<'_> {
    /// What a group needs that the watch leads.
    pub(super) fn led(&self, group: Group, routes: &[Arc<Route>], lead: &Lead) -> Wanted {
        let Lead::By(hops) = lead else { return Wanted::Keep };
        let cause = Cause::Destination(group);
        // An interface that is down is left out as long as others serve.
        let leg =
            |hop: &Hop| Some(Leg { gateway: hop.via, interface: self.usable(hop.lan)?, weight: hop.weight });
        let mut legs = Vec::with_capacity(hops.len());
        hops.iter().filter_map(leg).for_each(|leg| put(&mut legs, leg));
        let legs = weighed(legs);
        if legs.is_empty() {
            return Wanted::Blocked(cause);
        }
        let best = self.plain(routes).next();
        let serves = |best: &Route| leads_to(best, &legs) && !self.stays(group, routes, &legs);
        match best {
            Some(best) if serves(best) => return Wanted::Nothing,
            Some(best) if !self.is_managed(best) && best.protocol != KERNEL => return Wanted::LeftAlone,
            Some(_) | None => {}
        }
        let others = self.displaced(routes, &legs);
        let route = self.way(group, routes, legs);
        let front = best.cloned().or_else(|| self.missing_front(group, routes));
        Wanted::Overlay(Overlay { route, cause, others, front })
    }

    /// Whether an overlay stays although the best route leads where it does: what it was laid in front of is gone for a
    /// moment, or for good, which the watch will say.
    fn stays(&self, group: Group, routes: &[Arc<Route>], legs: &[Leg]) -> bool {
        self.wishes.is_away(&group) && own(routes).any(|own| leads_to(own, legs))
    }

    /// The original that is gone, where nothing but routes that may not be passed is left: it tells which of them it
    /// stood in front of.
    fn missing_front(&self, group: Group, routes: &[Arc<Route>]) -> Option<Arc<Route>> {
        foreign(routes).next()?;
        self.originals.group(&group).first().map(|missing| Arc::clone(&missing.route))
    }

    /// The source that packets bear by the route that is led elsewhere.
    pub(super) fn original_source(&self, group: Group) -> Option<IpAddr> {
        let routes: Vec<Arc<Route>> = self.mirror.routes().group(group).cloned().collect();
        let source = self.plain(&routes).next()?.source;
        source.filter(|source| self.mirror.is_local(source))
    }

    fn way(&self, group: Group, routes: &[Arc<Route>], legs: Vec<Leg>) -> Route {
        let on_link = legs.iter().all(|leg| leg.gateway.is_none());
        // An IPv4 route without gateway, by which gateways can be reached.
        let scope = if on_link && group.destination.addr().is_ipv4() { LINK_SCOPE } else { 0 };
        // Who reaches this hop without a subnet of it has said so.
        let is_same =
            |r: &&Arc<Route>| matches!((r.legs.as_slice(), legs.as_slice()), ([a], [b]) if a.is_same_hop(b));
        let flags = self.plain(routes).find(is_same).map_or(0, |r| r.flags & ONLINK);
        Route {
            key: group.key(0),
            protocol: PROTOCOL,
            scope,
            source: self.way_source(group, &legs),
            legs,
            kind: RouteType::Unicast,
            nexthop_id: None,
            encapsulated: false,
            linkdown: false,
            attributes: Vec::new(),
            flags,
        }
    }

    /// Packets bear an address of the interface that they leave by; with several interfaces the kernel chooses.
    fn way_source(&self, group: Group, legs: &[Leg]) -> Option<IpAddr> {
        let (first, rest) = legs.split_first()?;
        if rest.iter().any(|leg| leg.interface != first.interface) {
            return None;
        }
        let lan = self.lans.get(self.lans.at(first.interface)?)?;
        let source = lan.own_source(first.gateway.as_ref(), group.destination.addr().is_ipv4());
        source.filter(|source| self.mirror.is_local(source))
    }

    /// The neighbours that routes of the group lead to so far, and no longer.
    fn displaced(&self, routes: &[Arc<Route>], legs: &[Leg]) -> Vec<SubjectId> {
        let all = routes.iter().flat_map(|r| &r.legs);
        let gone = all.filter(|leg| !legs.iter().any(|other| other.is_same_hop(leg)));
        gone.filter_map(|leg| neighbour(leg, self.lans.of(leg.interface))).collect()
    }
}

/// Whether a route leads to these legs, in whatever order.
fn leads_to(route: &Route, legs: &[Leg]) -> bool {
    !route.encapsulated && route.legs.len() == legs.len() && route.legs.iter().all(|leg| legs.contains(leg))
}
