//! What shall stand in front of what: from verdicts, routes and remembered originals to overlays. Pure functions.
//!
//! Of each group of routes (one prefix, one type of service) the kernel uses the best. If its gateway is dead, one
//! overlay in front of it suffices; if it lives, nothing is needed, whatever stands behind it.
//!
//! ```text
//! metric 99    overlay via b dev j           <- laid in front of the best route, whose gateway a is dead
//! metric 100   original via a dev i             untouched
//! metric 200   another via c dev k              shadowed: left alone, dead or not
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use super::cause::Cause;
use super::fate::{Fate, Instead};
use super::lan::{Choice, LanId, SubjectId, Way};
use super::lans::Lans;
use super::mirror::Mirror;
use super::order::{foreign, has_own, is_stand_in, own_in_front, replaced, stands_before};
use super::originals::{Missing, Originals};
use super::place::{self, Homes, Obstacle, Surroundings, Untouched};
use super::table::{Group, host_of};
use super::wishes::Wishes;
use crate::interface::is_link_local;
use crate::operation::Place;
use crate::route::{KERNEL, Leg, ONLINK, PROTOCOL, Route, RouteType, put, weighed};

/// All that the decision on a group depends on.
#[derive(Clone, Copy)]
pub(super) struct View<'a> {
    pub(super) mirror: &'a Mirror,
    pub(super) lans: &'a Lans,
    pub(super) untouched: Untouched<'a>,
    pub(super) homes: &'a Homes,
    pub(super) subjects: &'a BTreeMap<SubjectId, Choice>,
    pub(super) originals: &'a Originals,
    /// Groups whose overlay is known to stand in for a route that is gone.
    pub(super) known: &'a BTreeSet<Group>,
    pub(super) protocols: &'a BTreeSet<u8>,
    pub(super) wishes: &'a Wishes,
}

/// What a group of routes needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Wanted {
    /// What of ours is there stays, nothing is added.
    Keep,
    /// Nothing of ours.
    Nothing,
    /// One overlay.
    Overlay(Overlay),
    /// An overlay by an interface that is not there.
    Blocked(Cause),
    /// Nothing of ours: another program, whose routes faild does not overlay, leads the destination.
    LeftAlone,
}

/// One overlay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Overlay {
    /// The route; its metric is yet to be chosen.
    pub(super) route: Route,
    /// Why it is laid: as a rule the (first) subject that is not reached at home.
    pub(super) cause: Cause,
    /// The neighbours whose place it takes, but for that subject.
    pub(super) others: Vec<SubjectId>,
    /// What it must stand in front of.
    pub(super) front: Option<Arc<Route>>,
}

/// What one route of a group says about the need for an overlay.
enum Finding {
    /// It works: no overlay.
    Serves,
    /// It is out of the question; look at the next.
    Passes,
    /// The rest is for another time.
    Decided(Wanted),
}

impl<'a> View<'a> {
    /// What this group needs.
    pub(super) fn wanted(&self, group: Group) -> Wanted {
        let routes: Vec<Arc<Route>> = self.mirror.routes().group(group).cloned().collect();
        self.wanted_among(group, &routes)
    }

    /// The same for somebody who has the routes of the group at hand, in the kernel's order.
    pub(super) fn wanted_among(&self, group: Group, routes: &[Arc<Route>]) -> Wanted {
        if let Some(lead) = self.wishes.lead(&group) {
            return self.led(group, routes, lead);
        }
        let Some(address) = host_of(group) else {
            let was_led = matches!(self.wishes.cause(&group), Some(Cause::Destination(_)));
            let alone = if was_led { Wanted::Nothing } else { Wanted::Keep };
            return self.wanted_by_gateway(group, routes, alone);
        };
        match self.choice_of(address) {
            Some((subject, Choice::Detour(way))) => self.host(group, routes, subject, way),
            Some((_, Choice::Home)) => self.wanted_by_gateway(group, routes, Wanted::Nothing),
            Some((_, Choice::Undecided)) | None => {
                let wanted = self.wanted_by_gateway(group, routes, Wanted::Keep);
                let unowned = wanted == Wanted::Nothing && !self.is_by_gateway(group, routes);
                if unowned { Wanted::Keep } else { wanted }
            }
        }
    }

    /// Whether what is laid in a group of host routes is for a gateway, and not for the host itself.
    fn is_by_gateway(&self, group: Group, routes: &[Arc<Route>]) -> bool {
        let is_home = |leg: &Leg| matches!(self.fate(group, leg, self.lans.of(leg.interface)), Fate::Lives);
        let by_home = |r: &Arc<Route>| r.legs.iter().any(|leg| leg.gateway.is_some() && is_home(leg));
        let is_watchs = self.wishes.cause(&group).is_some();
        is_watchs || self.known.contains(&group) || foreign(routes).any(by_home)
    }

    /// The verdict on an address on whichever LAN it is a subject; a detour before others.
    pub(super) fn choice_of(&self, address: IpAddr) -> Option<(SubjectId, Choice)> {
        let subjects = self.lans.iter().map(|(lan, _)| SubjectId { lan, address });
        let choices = subjects.filter_map(|s| self.subjects.get(&s).map(|choice| (s, *choice)));
        choices.max_by_key(|(_, choice)| match choice {
            Choice::Detour(_) => 2,
            Choice::Undecided => 1,
            Choice::Home => 0,
        })
    }

    /// The host overlay of a subject that takes a detour.
    fn host(&self, group: Group, routes: &[Arc<Route>], subject: SubjectId, way: Way) -> Wanted {
        let home = self.lans.index(subject.lan);
        let is_dead = |leg: &Leg| {
            let fate = || self.fate(group, leg, self.lans.of(leg.interface));
            Some(leg.interface) == home || matches!(fate(), Fate::Dead(..))
        };
        let front = self.plain(routes).next().cloned();
        if front.as_ref().is_some_and(|r| !r.legs.iter().any(is_dead)) {
            return Wanted::Nothing;
        }
        let Some(interface) = self.usable(way.lan) else { return Wanted::Blocked(Cause::Subject(subject)) };
        let lan = self.lans.get(subject.lan);
        let route = Route {
            key: group.key(0),
            protocol: PROTOCOL,
            scope: 0,
            source: lan
                .and_then(|lan| lan.source_for(&subject.address))
                .filter(|s| self.is_local(subject, s)),
            legs: vec![Leg { gateway: Some(way.via), interface, weight: 1 }],
            kind: RouteType::Unicast,
            nexthop_id: None,
            encapsulated: false,
            linkdown: false,
            attributes: Vec::new(),
            flags: 0,
        };
        Wanted::Overlay(Overlay { route, cause: Cause::Subject(subject), others: Vec::new(), front })
    }

    /// What the routes by gateways need. `alone` is for an overlay of which nobody knows what it stands in front of.
    fn wanted_by_gateway(&self, group: Group, routes: &[Arc<Route>], alone: Wanted) -> Wanted {
        let mut missing = self.originals.group(&group).iter().filter(|m| !m.is_place()).peekable();
        for route in foreign(routes) {
            while let Some(m) = missing.next_if(|m| m.route.key.metric < route.key.metric) {
                if let Finding::Decided(wanted) = self.consider_missing(group, routes, m) {
                    return wanted;
                }
            }
            match self.consider(group, routes, route) {
                Finding::Serves => return Wanted::Nothing,
                Finding::Decided(wanted) => return wanted,
                Finding::Passes => {}
            }
        }
        for m in missing {
            if let Finding::Decided(wanted) = self.consider_missing(group, routes, m) {
                return wanted;
            }
        }
        if self.known.contains(&group) || !has_own(routes) { Wanted::Nothing } else { alone }
    }

    fn consider(&self, group: Group, routes: &[Arc<Route>], route: &Arc<Route>) -> Finding {
        // What an overlay behind it needs does not depend on it; whether there is a place for one does.
        if self.untouched.holds(route) {
            return Finding::Passes;
        }
        let (mut dead, mut unclear) = (0, false);
        for leg in &route.legs {
            match self.fate(group, leg, self.lans.of(leg.interface)) {
                Fate::Dead(..) => dead += 1,
                Fate::Unclear => unclear |= replaced(routes, route, leg),
                Fate::Unknown => unclear |= replaced(routes, route, leg) && !is_stand_in(routes),
                Fate::Lives => {}
            }
        }
        match (dead, self.is_overlaid(route)) {
            (1.., true) => {
                let legs = route.legs.iter().map(|leg| (leg, self.lans.of(leg.interface)));
                Finding::Decided(self.in_front_of(group, routes, route, legs))
            }
            (dead, false) if dead == route.legs.len() => Finding::Passes,
            (0, true) if unclear => Finding::Decided(Wanted::Keep),
            _ => Finding::Serves,
        }
    }

    fn consider_missing(&self, group: Group, routes: &[Arc<Route>], missing: &Missing) -> Finding {
        let dead = |(leg, lan): (&Leg, Option<LanId>)| matches!(self.fate(group, leg, lan), Fate::Dead(..));
        if missing.is_suspect() {
            Finding::Decided(Wanted::Keep)
        } else if missing.legs().any(dead) && self.is_overlaid(&missing.route) {
            Finding::Decided(self.in_front_of(group, routes, &missing.route, missing.legs()))
        } else if has_own(routes) {
            Finding::Decided(Wanted::Keep)
        } else {
            Finding::Passes
        }
    }

    /// The overlay in front of a route by a dead gateway or interface: the same, with another leg in the place of each
    /// dead one.
    fn in_front_of<'r>(
        &self,
        group: Group,
        routes: &[Arc<Route>],
        original: &Arc<Route>,
        legs: impl Iterator<Item = (&'r Leg, Option<LanId>)> + Clone,
    ) -> Wanted {
        let mut first: Option<(Cause, Instead)> = None;
        let mut others = Vec::new();
        let mut kept = Vec::with_capacity(1);
        let (mut alive, mut unclear) = (false, false);
        for (leg, lan) in legs.clone() {
            match self.fate(group, leg, lan) {
                Fate::Dead(cause, instead) => {
                    others.extend(
                        neighbour(leg, lan).filter(|n| first.is_some() || cause.subject() != Some(*n)),
                    );
                    first.get_or_insert((cause, instead));
                    // The interface that stands in is a leg already.
                    if cause.subject().is_none() && legs.clone().any(|(_, lan)| lan == Some(instead.lan)) {
                        continue;
                    }
                    let Some(interface) = self.usable(instead.lan) else { return Wanted::Blocked(cause) };
                    put(&mut kept, Leg { gateway: instead.via, interface, weight: leg.weight });
                }
                Fate::Unclear if replaced(routes, original, leg) => unclear = true,
                Fate::Lives | Fate::Unclear | Fate::Unknown => {
                    let interface = lan.map_or(Some(leg.interface), |lan| self.usable(lan));
                    let Some(interface) = interface else { continue };
                    alive = true;
                    put(&mut kept, Leg { interface, ..leg.clone() });
                }
            }
        }
        let Some((cause, instead)) = first.filter(|_| !kept.is_empty()) else { return Wanted::Keep };
        let holds_all = |o: &Arc<Route>| kept.iter().all(|leg| o.legs.iter().any(|own| own.is_same_hop(leg)));
        if unclear && own_in_front(routes, original).any(holds_all) {
            return Wanted::Keep;
        }
        let on_link = kept.iter().all(|leg| leg.gateway.is_none());
        let route = Route {
            key: original.key,
            protocol: PROTOCOL,
            scope: if on_link { original.scope } else { 0 },
            source: self.source(original, cause, instead, alive),
            legs: weighed(kept),
            kind: RouteType::Unicast,
            nexthop_id: None,
            encapsulated: false,
            linkdown: false,
            attributes: original.attributes.clone(),
            flags: if cause.subject().is_some() { 0 } else { original.flags & ONLINK },
        };
        Wanted::Overlay(Overlay { route, cause, others, front: Some(Arc::clone(original)) })
    }

    /// Whether overlays are laid in front of such a route, if its leg is dead. Connected routes die with a member only.
    fn is_overlaid(&self, route: &Route) -> bool {
        self.is_managed(route) || (!self.wishes.is_quiet() && self.is_connected_prefix(route))
    }

    /// Whether it is the kernel's own route to a subnet that another interface may lead to.
    pub(super) fn is_connected_prefix(&self, route: &Route) -> bool {
        let address = route.key.destination.addr();
        let whole = route.key.destination.prefix_len() == route.key.destination.max_prefix_len();
        route.protocol == KERNEL
            && route.legs.iter().all(|leg| leg.gateway.is_none())
            && !is_link_local(&address)
            && !address.is_multicast()
            && !(whole && self.mirror.is_local(&address))
    }

    /// The routes of others that an overlay may stand in front of.
    pub(super) fn plain<'r>(
        &self,
        routes: &'r [Arc<Route>],
    ) -> impl Iterator<Item = &'r Arc<Route>> + use<'r, 'a> {
        let untouched = self.untouched;
        foreign(routes).filter(move |route| !untouched.holds(route))
    }

    /// The one place of an overlay, or what is in the way.
    pub(super) fn position(
        &self,
        group: Group,
        routes: &[Arc<Route>],
        overlay: &Overlay,
    ) -> Result<(u32, Place), Obstacle> {
        let awaited = self.awaited(group, overlay);
        let surroundings = self.surroundings(routes, overlay, &awaited);
        let found = surroundings.position(alone(group, overlay.cause));
        if overlay.front.is_none()
            && !self.has_missing_original(group, overlay.cause)
            && let Some(route) = self.in_the_way(group, overlay.cause)
        {
            return Err(Obstacle::Route(route));
        }
        found
    }

    /// Whether an overlay that stands passes nothing that it must not.
    pub(super) fn is_allowed(
        &self,
        group: Group,
        routes: &[Arc<Route>],
        overlay: &Overlay,
        own: &Route,
    ) -> bool {
        let awaited: Vec<u32> = self.originals.group(&group).iter().map(|m| m.route.key.metric).collect();
        self.surroundings(routes, overlay, &awaited).passed_by(own).is_none()
    }

    /// What an overlay that stands although no verdict demands it passes and must not. What it was laid in front of may be
    /// known no longer; then a longer prefix than that of the subnet that a host is in tells.
    pub(super) fn passed_by(
        &self,
        group: Group,
        routes: &[Arc<Route>],
        own: &Arc<Route>,
    ) -> Option<Arc<Route>> {
        let gone = self.originals.group(&group);
        let behind = self.plain(routes).filter(|route| stands_before(routes, own, route));
        let gone_behind = gone.iter().map(|m| &m.route).filter(|route| own.key.metric <= route.key.metric);
        let original = behind.chain(gone_behind).min_by_key(|route| route.key.metric);
        let surroundings = Surroundings { routes, original, awaited: &[], untouched: self.untouched };
        let is_alone = original.is_none() && gone.is_empty();
        let passed = surroundings.passed_by(own).cloned();
        passed.or_else(|| is_alone.then(|| self.overruling(group)).flatten())
    }

    /// What would refuse packets to a group that has no route but ours without it.
    fn overruling(&self, group: Group) -> Option<Arc<Route>> {
        let home = match host_of(group) {
            _ if self.wishes.lead(&group).is_some() => None,
            Some(address) if !self.known.contains(&group) => {
                let (lan, subnet) = self.homes.subnet_of(self.lans, &address)?;
                let subject = SubjectId { lan, address };
                let stands =
                    self.lans.get(lan).is_some_and(|lan| lan.is_running() && lan.has_subnet(&subnet));
                let presumed = || (!stands).then(|| place::Home::usual(&subnet));
                self.homes.gone(self.lans, subject).or_else(presumed)
            }
            Some(_) | None => return None,
        };
        place::in_the_way(self.mirror.routes(), self.originals, group, home, self.untouched)
    }

    fn surroundings<'r>(
        &self,
        routes: &'r [Arc<Route>],
        overlay: &'r Overlay,
        awaited: &'r [u32],
    ) -> Surroundings<'r>
    where
        'a: 'r,
    {
        Surroundings { routes, original: overlay.front.as_ref(), awaited, untouched: self.untouched }
    }

    /// What stands for a route that is gone must not stand in its way: IPv6 would merge the two.
    fn awaited(&self, group: Group, overlay: &Overlay) -> Vec<u32> {
        match overlay.cause {
            Cause::Destination(_) => {
                self.originals.group(&group).iter().map(|m| m.route.key.metric).collect()
            }
            Cause::Subject(_) | Cause::Member(_) => Vec::new(),
        }
    }

    /// Whether an original of a destination is gone for a while: it decided before any shorter prefix, so an overlay in
    /// its place takes no packets from one.
    fn has_missing_original(&self, group: Group, cause: Cause) -> bool {
        matches!(cause, Cause::Destination(_)) && !self.originals.group(&group).is_empty()
    }

    fn in_the_way(&self, group: Group, cause: Cause) -> Option<Arc<Route>> {
        let home = cause.subject().and_then(|subject| self.homes.gone(self.lans, subject));
        place::in_the_way(self.mirror.routes(), self.originals, group, home, self.untouched)
    }

    pub(super) fn is_managed(&self, route: &Route) -> bool {
        self.protocols.contains(&route.protocol) && !route.encapsulated && !self.untouched.holds(route)
    }

    /// The number of a LAN's interface, if routes over it can be laid.
    pub(super) fn usable(&self, lan: LanId) -> Option<crate::interface::InterfaceIndex> {
        self.lans.get(lan).filter(|lan| lan.up)?.index
    }
}

impl Overlay {
    /// Whether a route of ours, one of its group's `routes`, already does what this overlay is for.
    pub(super) fn is_served_by(&self, routes: &[Arc<Route>], own: &Arc<Route>) -> bool {
        own.legs == self.route.legs
            && own.source == self.route.source
            && self.front.as_ref().is_none_or(|front| stands_before(routes, own, front))
    }
}

/// The metric of an overlay without an original.
fn alone(group: Group, cause: Cause) -> u32 {
    match cause {
        Cause::Destination(_) => DESTINATION_METRIC,
        Cause::Subject(_) | Cause::Member(_) if group.destination.addr().is_ipv6() => IPV6_METRIC,
        Cause::Subject(_) | Cause::Member(_) => 0,
    }
}

/// Metric of the host overlays of IPv6: what the kernel gives a route without one.
const IPV6_METRIC: u32 = 1024;

/// Metric of the route to a destination that has no other: below those that DHCP clients and network managers give
/// (100 and more).
const DESTINATION_METRIC: u32 = 50;

/// The neighbour that a leg leads to.
pub(super) fn neighbour(leg: &Leg, lan: Option<LanId>) -> Option<SubjectId> {
    Some(SubjectId { lan: lan?, address: leg.gateway? })
}
