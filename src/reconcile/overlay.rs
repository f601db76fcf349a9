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
use super::lan::{Choice, LanId, Lans, SubjectId, Way};
use super::mirror::Mirror;
use super::originals::{Missing, Originals};
use super::route::{KERNEL, Leg, MAIN_TABLE, ONLINK, PROTOCOL, Route};
use super::table::Group;
use super::wishes::{Stand, Wishes};

/// All that the decision on a group depends on.
#[derive(Clone, Copy)]
pub(super) struct View<'a> {
    pub(super) mirror: &'a Mirror,
    pub(super) lans: &'a Lans,
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

/// How a leg fares.
enum Fate {
    Lives,
    Unclear,
    /// The engine does not know its gateway, and it leaves by a member of a group that serves: an overlay of a member
    /// is not needed, one of a subject may be.
    Unknown,
    Dead(Cause, Instead),
}

/// What takes the place of a dead leg.
#[derive(Clone, Copy)]
struct Instead {
    lan: LanId,
    via: Option<IpAddr>,
}

impl View<'_> {
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
        let front = foreign(routes).next().cloned();
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
        let mut missing = self.originals.group(&group).iter().peekable();
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
            nexthop_id: None,
            encapsulated: false,
            linkdown: false,
            attributes: original.attributes.clone(),
            flags: if cause.subject().is_some() { 0 } else { original.flags & ONLINK },
        };
        Wanted::Overlay(Overlay { route, cause, others, front: Some(Arc::clone(original)) })
    }

    /// The source that packets by the overlay bear.
    fn source(&self, original: &Route, cause: Cause, instead: Instead, alive: bool) -> Option<IpAddr> {
        match cause {
            Cause::Subject(subject) => {
                self.home_source(original, subject, alive).filter(|s| self.is_local(subject, s))
            }
            Cause::Destination(_) | Cause::Member(_) => self.stand_in_source(original, instead, alive),
        }
    }

    /// The source that packets by the original have borne: its own, else what the kernel chose for its gateway. If
    /// some legs live on, the kernel goes on choosing.
    fn home_source(&self, original: &Route, subject: SubjectId, alive: bool) -> Option<IpAddr> {
        if original.source.is_some() || alive {
            return original.source;
        }
        let v4 = original.key.destination.addr().is_ipv4();
        let lan = self.lans.get(subject.lan)?;
        let of_subnet = lan.source_for(&subject.address).filter(|s| s.is_ipv4() == v4 && !is_link_local(s));
        of_subnet.or_else(|| lan.global_source(v4))
    }

    /// The address of the interface that stands in, so that answers come back to where they can.
    fn stand_in_source(&self, original: &Route, instead: Instead, alive: bool) -> Option<IpAddr> {
        let destination = original.key.destination;
        let near = instead.via.unwrap_or_else(|| destination.network());
        let own = self.lans.get(instead.lan).filter(|_| !alive);
        let own = own.and_then(|lan| lan.own_source(Some(&near), destination.addr().is_ipv4()));
        own.or(original.source).filter(|source| self.mirror.is_local(source))
    }

    /// Whether the kernel accepts an address as a source; most often it is one of the subject's home LAN.
    fn is_local(&self, subject: SubjectId, source: &IpAddr) -> bool {
        self.lans.get(subject.lan).is_some_and(|lan| lan.holds(source)) || self.mirror.is_local(source)
    }

    fn fate(&self, group: Group, leg: &Leg, lan: Option<LanId>) -> Fate {
        let Some(lan) = lan else { return Fate::Lives };
        let subject = leg.gateway.filter(|_| group.table == MAIN_TABLE);
        let choice = subject.map(|address| {
            let id = SubjectId { lan, address };
            (id, self.subjects.get(&id))
        });
        let by_subject = match choice {
            None | Some((_, Some(Choice::Home))) => Fate::Lives,
            Some((id, Some(Choice::Detour(way)))) => {
                return Fate::Dead(Cause::Subject(id), Instead { lan: way.lan, via: Some(way.via) });
            }
            Some((_, Some(Choice::Undecided) | None)) => Fate::Unclear,
        };
        if self.wishes.is_quiet() {
            return by_subject;
        }
        let is_unknown = matches!(choice, Some((_, None)));
        match self.wishes.stand(lan) {
            Some(Stand::In(other)) => {
                Fate::Dead(Cause::Member(lan), Instead { lan: other, via: leg.gateway })
            }
            Some(Stand::Undecided) => Fate::Unclear,
            _ if is_unknown && self.wishes.cause(&group).is_some() => Fate::Lives,
            Some(Stand::Home) if is_unknown => Fate::Unknown,
            Some(Stand::Home) | None => by_subject,
        }
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

    pub(super) fn is_managed(&self, route: &Route) -> bool {
        self.protocols.contains(&route.protocol) && !route.encapsulated
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

/// Whether what is ours in a group looks like a stand-in's route: by a gateway that a route of others has, too.
pub(super) fn is_stand_in(routes: &[Arc<Route>]) -> bool {
    let is_known =
        |leg: &Leg| foreign(routes).any(|r| r.legs.iter().any(|other| other.gateway == leg.gateway));
    has_own(routes) && own(routes).all(|r| r.legs.iter().all(is_known))
}

/// The neighbour that a leg leads to.
pub(super) fn neighbour(leg: &Leg, lan: Option<LanId>) -> Option<SubjectId> {
    Some(SubjectId { lan: lan?, address: leg.gateway? })
}

/// Two legs by one hop are one, that bears what both bore.
pub(super) fn put(legs: &mut Vec<Leg>, leg: Leg) {
    match legs.iter_mut().find(|other| other.is_same_hop(&leg)) {
        Some(other) => other.weight = (other.weight + leg.weight).min(HEAVIEST),
        None => legs.push(leg),
    }
}

/// A weight is a share among several: the kernel shows none of a single leg.
pub(super) fn weighed(mut legs: Vec<Leg>) -> Vec<Leg> {
    if let [only] = legs.as_mut_slice() {
        only.weight = 1;
    }
    legs
}

pub(super) fn own(routes: &[Arc<Route>]) -> impl Iterator<Item = &Arc<Route>> {
    routes.iter().filter(|r| r.protocol == PROTOCOL)
}

pub(super) fn foreign(routes: &[Arc<Route>]) -> impl Iterator<Item = &Arc<Route>> {
    routes.iter().filter(|r| r.protocol != PROTOCOL)
}

fn has_own(routes: &[Arc<Route>]) -> bool {
    routes.iter().any(|r| r.protocol == PROTOCOL)
}

/// Whether an overlay of ours stands in front of the route and has something else in the place of this leg: then it
/// was laid when that leg was dead, and stays until the leg's subject is home.
fn replaced(routes: &[Arc<Route>], route: &Arc<Route>, leg: &Leg) -> bool {
    let mut in_front = own_in_front(routes, route).peekable();
    in_front.peek().is_some() && in_front.all(|o| !o.legs.iter().any(|own| own.is_same_hop(leg)))
}

fn own_in_front<'r>(routes: &'r [Arc<Route>], route: &'r Arc<Route>) -> impl Iterator<Item = &'r Arc<Route>> {
    routes.iter().filter(move |o| o.protocol == PROTOCOL && stands_before(routes, o, route))
}

/// Whether the kernel prefers `own` to `other`, both of one group. A route that is gone is behind its equals.
fn stands_before(routes: &[Arc<Route>], own: &Arc<Route>, other: &Arc<Route>) -> bool {
    if own.key.metric != other.key.metric {
        return own.key.metric < other.key.metric;
    }
    let place = |route: &Arc<Route>| routes.iter().position(|r| r.is_same(route));
    match (place(own), place(other)) {
        (Some(own), Some(other)) => own < other,
        (Some(_), None) => true,
        (None, _) => false,
    }
}

/// The address that a group of host routes leads to, unless it is link-local.
pub(super) fn host_of(group: Group) -> Option<IpAddr> {
    let prefix = group.destination;
    let whole = prefix.prefix_len() == prefix.max_prefix_len() && group.table == MAIN_TABLE;
    Some(prefix.addr()).filter(|a| whole && group.tos == 0 && !is_link_local(a))
}

/// Whether an address is IPv6 link-local.
pub(super) fn is_link_local(address: &IpAddr) -> bool {
    matches!(address, IpAddr::V6(v6) if v6.is_unicast_link_local())
}

/// The heaviest leg that rtnh_hops, a byte, can tell.
const HEAVIEST: u16 = 256;
