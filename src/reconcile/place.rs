//! Where an overlay may stand, so that no packet is let through, or let out another way, that was refused or diverted
//! before. Pure functions.
//!
//! The kernel looks for the longest prefix, then for the type of service, then for the lowest metric; of equals the
//! first decides. An overlay belongs to an original, in whose place it decides:
//!
//! ```text
//! metric  10   prohibit               in front of the original: nothing that we add has an effect, so nothing is added
//! metric  99   <- the only place      taken by any other route, of whatever type: nothing is added
//! metric 100   default via a dev i    the original
//! metric 300   prohibit               behind the original: an overlay may stand in front of it as the original does
//! ```
//!
//! An overlay without an original of its own prefix (a host's, or that of a destination that has no other route) takes
//! packets from what decided for them by a shorter prefix. If that is a route that refuses them, or one of an interface
//! that the administrator has excluded, nothing is added either.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;

use super::lan::{LEASE_WAIT, Lan, LanId, SubjectId};
use super::lans::Lans;
use super::order::foreign;
use super::originals::{Originals, PUT_BACK_PAUSE};
use super::table::{Group, RouteTable, host_of};
use crate::gather::Gather;
use crate::interface::InterfaceIndex;
use crate::operation::Place;
use crate::route::{Leg, PROTOCOL, Route};
use crate::time::Instant;

/// Why there is no place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Obstacle {
    /// This route has the place, or nothing may stand in front of it.
    Route(Arc<Route>),
    /// There is no metric below the original's.
    NoMetric,
}

/// Which routes are neither stood in for nor passed: those that send no packets on, and those by an interface that the
/// administrator has excluded.
#[derive(Debug, Clone, Copy)]
pub(super) struct Untouched<'a> {
    pub(super) excluded: &'a BTreeSet<InterfaceIndex>,
}

impl Untouched<'_> {
    pub(super) fn holds(&self, route: &Route) -> bool {
        !route.is_unicast() || route.legs.iter().any(|leg| self.excluded.contains(&leg.interface))
    }
}

/// The route of a host's home that is gone with its interface: how long its prefix was, and its metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Home {
    pub(super) prefix_length: u8,
    pub(super) metric: u32,
}

impl Home {
    /// As the kernel makes it.
    pub(super) fn usual(subnet: &IpNet) -> Self {
        let metric = if subnet.addr().is_ipv4() { 0 } else { CONNECTED_IPV6 };
        Self { prefix_length: subnet.prefix_len(), metric }
    }
}

/// What an overlay's place depends on.
pub(super) struct Surroundings<'a> {
    /// All routes of its group, in the kernel's order.
    pub(super) routes: &'a [Arc<Route>],
    /// What it stands in front of; it may be gone.
    pub(super) original: Option<&'a Arc<Route>>,
    /// Metrics of routes that are gone and expected back: theirs is no place.
    pub(super) awaited: &'a [u32],
    pub(super) untouched: Untouched<'a>,
}

impl Surroundings<'_> {
    /// The one metric that an overlay may have. `alone`: that of one that has no original.
    pub(super) fn position(&self, alone: u32) -> Result<(u32, Place), Obstacle> {
        let taken_by = |route: &Arc<Route>| Obstacle::Route(Arc::clone(route));
        let Some(original) = self.original else {
            if let Some(first) = foreign(self.routes).next() {
                return Err(taken_by(first));
            }
            return Ok((self.below(alone + 1), Place::Alone));
        };
        if let Some(refusing) = self.before(original).find(|route| !route.is_unicast()) {
            return Err(taken_by(refusing));
        }
        let v4 = original.key.destination.addr().is_ipv4();
        let metric = match original.key.metric {
            0 if v4 => {
                let first =
                    self.before(original).find(|route| route.key.metric == 0 && self.untouched.holds(route));
                return first.map_or(Ok((0, Place::Before)), |first| Err(taken_by(first)));
            }
            0 | 1 if !v4 => return Err(Obstacle::NoMetric),
            metric => self.below(metric),
        };
        let is_passed = |route: &&Arc<Route>| route.key.metric > metric && self.untouched.holds(route);
        let taken = foreign(self.routes).find(|route| route.key.metric == metric);
        match taken.or_else(|| self.before(original).find(is_passed)) {
            Some(route) => Err(taken_by(route)),
            None => Ok((metric, Place::Alone)),
        }
    }

    /// What an overlay that stands passes and must not: anything but what it stands in for.
    pub(super) fn passed_by(&self, own: &Route) -> Option<&Arc<Route>> {
        let stood_in_for = |route: &Route| {
            self.awaited.iter().any(|metric| (own.key.metric..=route.key.metric).contains(metric))
        };
        let position = |wanted: &Route| self.routes.iter().position(|route| route.is_same(wanted));
        let own_position = position(own);
        let is_behind = |route: &Route| match own.key.metric.cmp(&route.key.metric) {
            std::cmp::Ordering::Less => true,
            std::cmp::Ordering::Equal => own_position < position(route),
            std::cmp::Ordering::Greater => false,
        };
        let mut concerned: Box<dyn Iterator<Item = &Arc<Route>>> = match self.original {
            Some(original) => Box::new(self.before(original)),
            None => Box::new(foreign(self.routes)),
        };
        concerned.find(|r| self.untouched.holds(r) && is_behind(r) && !stood_in_for(r))
    }

    /// The routes of others that the kernel prefers to the original. One that is gone is behind its equals.
    fn before<'r>(&'r self, original: &'r Arc<Route>) -> impl Iterator<Item = &'r Arc<Route>> {
        let all = foreign(self.routes).take_while(|route| !route.is_same(original));
        all.filter(|route| route.key.metric <= original.key.metric)
    }

    /// The next metric below one that is nobody's who is expected back.
    fn below(&self, metric: u32) -> u32 {
        let mut metric = metric.saturating_sub(1);
        while metric > 1 && self.awaited.contains(&metric) {
            metric -= 1;
        }
        metric
    }
}

/// What would decide for packets to `group` if there were no route of ours, provided that nothing may be put in front of
/// it. Routes that went with their interface decide as they did: those of `gone`, and `home`, that of a subnet.
pub(super) fn in_the_way(
    table: &RouteTable,
    gone: &Originals,
    group: Group,
    home: Option<Home>,
    untouched: Untouched<'_>,
) -> Option<Arc<Route>> {
    if untouched.excluded.is_empty() && table.refusing().next().is_none() {
        return None;
    }
    // Packets of a service with a route of its own in this very group are not taken by one of another.
    let has_own_route = |tos: &u8| table.group(Group { tos: *tos, ..group }).next().is_some();
    let others = table.services().filter(|tos| *tos != group.tos && !has_own_route(tos));
    let services: BTreeSet<u8> = others.chain([group.tos]).gather();
    services.into_iter().find_map(|tos| decides(table, gone, group, tos, home).filter(|r| untouched.holds(r)))
}

/// The route of others that decides for packets of this type of service to all of a group. None: none, or one that is
/// gone.
fn decides(
    table: &RouteTable,
    gone: &Originals,
    group: Group,
    tos: u8,
    home: Option<Home>,
) -> Option<Arc<Route>> {
    for length in (0..group.destination.prefix_len()).rev() {
        let prefix = IpNet::new(group.destination.addr(), length).ok()?.trunc();
        let home = home.filter(|home| home.prefix_length == length).map(|home| home.metric);
        // A type of service with a route of its own here comes first.
        for tos in [Some(tos), (tos != 0).then_some(0)].into_iter().flatten() {
            let group = Group { destination: prefix, tos, ..group };
            let gone = gone.group(&group).first().map(|missing| missing.route.key.metric);
            let gone = gone.into_iter().chain(home.filter(|_| group.tos == 0)).min();
            let standing = table.group(group).find(|route| route.protocol != PROTOCOL);
            match (standing, gone) {
                (Some(first), Some(gone)) if gone < first.key.metric => return None,
                (Some(first), _) => return Some(Arc::clone(first)),
                (None, Some(_)) => return None,
                (None, None) => {}
            }
        }
    }
    None
}

/// Whether any route, ours included, leads to an address by a longer prefix than that of its group.
pub(super) fn is_more_specific(table: &RouteTable, group: Group, address: IpAddr) -> bool {
    let longer = (group.destination.prefix_len() + 1)..=group.destination.max_prefix_len();
    let prefixes = longer.filter_map(|length| IpNet::new(address, length).ok());
    let groups = prefixes.map(|prefix| Group { destination: prefix.trunc(), ..group });
    groups.into_iter().any(|group| table.group(group).next().is_some())
}

/// The routes to the subnets of LANs, as they are or were until their interface failed.
#[derive(Debug, Clone, Default)]
pub(super) struct Homes(BTreeMap<(LanId, IpNet), Known>);

/// What is known of the route to a subnet.
#[derive(Debug, Clone, Copy)]
struct Known {
    /// Its metric. None: there was no such route, so something else decided.
    metric: Option<u32>,
    /// When the interface was last seen to work with an address of the subnet.
    seen: Instant,
}

impl Known {
    /// Whether the interface works again, and nothing has shown yet whether the subnet is still on it.
    fn is_awaited(&self, lan: &Lan, subnet: &IpNet) -> bool {
        lan.is_running() && self.seen < lan.running_since && !lan.has_subnet(subnet)
    }
}

impl Homes {
    /// Takes over what stands. Of interfaces that are down or without carrier what is known stays: the kernel, or a
    /// network manager, takes addresses and routes from them, and gives them back some time after they work again.
    pub(super) fn learn(&mut self, now: Instant, lans: &Lans, table: &RouteTable) {
        for (id, lan) in lans.iter().filter(|(_, lan)| lan.in_plan && lan.is_running()) {
            let has = |prefix: &IpNet| lan.addresses.iter().any(|h| h.address.prefix.trunc() == *prefix);
            let stays = |prefix: &IpNet, known: &Known| has(prefix) || known.is_awaited(lan, prefix);
            self.0.retain(|(of, prefix), known| *of != id || stays(prefix, known));
            for home in &lan.addresses {
                let prefix = home.address.prefix.trunc();
                // The kernel's, or one that a network manager made in its place.
                let leads = |r: &&Arc<Route>| {
                    let is_on_link = |leg: &Leg| Some(leg.interface) == lan.index && leg.gateway.is_none();
                    r.protocol != PROTOCOL && r.legs.iter().any(is_on_link)
                };
                let metric = table.group(Group::main(prefix)).find(leads).map(|route| route.key.metric);
                // The route of an address that is yet to be put back comes with it, and a network manager's after its address.
                let was_known = self.0.get(&(id, prefix)).is_some_and(|known| known.metric.is_some());
                let is_on_its_way = was_known && !lan.is_settled(now, PUT_BACK_PAUSE);
                if metric.is_some() || (home.present && !is_on_its_way) {
                    self.0.insert((id, prefix), Known { metric, seen: now });
                }
            }
        }
        self.forget_left(lans, table);
    }

    /// Of a LAN that is none any more what overlays that stand depend on is kept.
    fn forget_left(&mut self, lans: &Lans, table: &RouteTable) {
        let is_lan = |id: &LanId| lans.get(*id).is_some_and(|lan| lan.in_plan);
        if self.0.keys().all(|(id, _)| is_lan(id)) {
            return;
        }
        let own = table.iter().filter(|route| route.protocol == PROTOCOL);
        let hosts: Vec<IpAddr> = own.filter_map(|route| host_of(Group::of(&route.key))).collect();
        self.0.retain(|(id, prefix), _| is_lan(id) || hosts.iter().any(|host| prefix.contains(host)));
    }

    /// Gives up what has not come back in time. Returns whether there was something.
    pub(super) fn expire(&mut self, now: Instant, lans: &Lans) -> bool {
        let before = self.0.len();
        let is_late = |lan: &Lan| now.since(lan.running_since) >= LEASE_WAIT;
        self.0.retain(|(id, prefix), known| {
            !lans.get(*id).is_some_and(|lan| known.is_awaited(lan, prefix) && is_late(lan))
        });
        self.0.len() != before
    }

    /// When that is next.
    pub(super) fn next_expiry(&self, lans: &Lans) -> Option<Instant> {
        let expiry = |((id, prefix), known): (&(LanId, IpNet), &Known)| {
            let lan = lans.get(*id).filter(|lan| known.is_awaited(lan, prefix))?;
            Some(lan.running_since + LEASE_WAIT)
        };
        self.0.iter().filter_map(expiry).min()
    }

    /// The number of a LAN is given to another.
    pub(super) fn forget(&mut self, lan: LanId) {
        self.0.retain(|(id, _), _| *id != lan);
    }

    /// The route that led to a subject at home, if its interface is down or has no carrier, or had none a moment ago and
    /// has not got its address again.
    pub(super) fn gone(&self, lans: &Lans, subject: SubjectId) -> Option<Home> {
        let lan = lans.get(subject.lan)?;
        let known = self.0.keys().filter(|(id, _)| *id == subject.lan).map(|(_, prefix)| *prefix);
        // What the last run knew of one that is down.
        let recalled = lan.addresses.iter().filter(|_| !lan.up).map(|home| home.address.prefix.trunc());
        let all = known.chain(recalled);
        let longest = all.filter(|p| p.contains(&subject.address)).max_by_key(IpNet::prefix_len)?;
        let known = self.0.get(&(subject.lan, longest));
        if lan.is_running() && !known.is_some_and(|known| known.is_awaited(lan, &longest)) {
            return None;
        }
        let usual = Home::usual(&longest);
        let metric = known.map_or(Some(usual.metric), |known| known.metric)?;
        Some(Home { metric, ..usual })
    }

    /// The longest subnet, present or remembered, that an address is in, and its LAN.
    pub(super) fn subnet_of(&self, lans: &Lans, address: &IpAddr) -> Option<(LanId, IpNet)> {
        let of = |(id, lan): (LanId, &Lan)| -> Vec<(LanId, IpNet)> {
            lan.addresses.iter().map(|home| (id, home.address.prefix.trunc())).collect()
        };
        let all = self.0.keys().copied().chain(lans.iter().flat_map(of));
        all.filter(|(_, subnet)| subnet.contains(address)).max_by_key(|(_, subnet)| subnet.prefix_len())
    }
}

/// The metric that the kernel gives its IPv6 routes to subnets.
const CONNECTED_IPV6: u32 = 256;
