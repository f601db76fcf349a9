//! What the kernel does when it is asked: operations, and routes of strangers.

use std::net::IpAddr;
use std::sync::Arc;

use nix::errno::Errno;

use super::{Mirror, Notification};
use crate::interface::{Family, Interface, InterfaceIndex};
use crate::operation::{Operation, Place, Refusal};
use crate::route::{Leg, ONLINK, Route, RouteKey};

/// Netlink flags of a new route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Insert {
    /// NLM_F_CREATE and NLM_F_EXCL: `ip route add`.
    Exclusive,
    /// NLM_F_CREATE alone: before an equal key (IPv4), merged with it (IPv6). `ip route prepend`.
    Prepend,
    /// NLM_F_CREATE and NLM_F_APPEND: behind an equal key (IPv4), merged with it (IPv6). `ip route append`.
    Append,
    /// NLM_F_CREATE and NLM_F_REPLACE: takes over the first equal key. `ip route replace`.
    Replace,
}

impl From<Place> for Insert {
    fn from(place: Place) -> Self {
        match place {
            Place::Alone => Insert::Exclusive,
            Place::Before => Insert::Prepend,
            Place::Behind => Insert::Append,
        }
    }
}

/// Metric of an IPv6 route that gives none.
const IPV6_METRIC: u32 = 1024;

impl Mirror {
    /// As [`Mirror::apply`]; returns what the kernel tells its listeners.
    ///
    /// # Errors
    ///
    /// The kernel's error number, and its extended message where it has one.
    pub fn execute(&mut self, operation: &Operation) -> Result<Vec<Notification>, Refusal> {
        match operation {
            Operation::AddRoute { route, place } => self.add_route(route, Insert::from(*place)),
            Operation::DeleteRoute(route) => self.delete_route(route),
            Operation::AddAddress { interface, address } => self.add_address(*interface, address.clone()),
            Operation::DeleteAddress { interface, address } => {
                self.delete_address(*interface, &address.prefix)
            }
            Operation::SetUp(interface) => match self.interface(*interface) {
                Some(_) => Ok(self.set_up(*interface, true)),
                None => Err(Refusal::new(Errno::ENODEV, "No such device")),
            },
            Operation::DeleteNeighbour { .. } => Ok(Vec::new()),
        }
    }

    /// Somebody adds a route.
    ///
    /// # Errors
    ///
    /// As the kernel: EEXIST, ENODEV, ENETDOWN, ENETUNREACH, EHOSTUNREACH, EINVAL.
    pub fn add_route(&mut self, route: &Route, insert: Insert) -> Result<Vec<Notification>, Refusal> {
        let mut route = route.clone();
        if route.key.destination.addr().is_ipv6() && route.key.metric == 0 {
            route.key.metric = IPV6_METRIC;
        }
        for leg in &route.legs {
            self.check_leg(&route, leg)?;
        }
        if let Some(source) = &route.source
            && !self.is_local(source)
        {
            let text = if source.is_ipv4() { "Invalid prefsrc address" } else { "Invalid source address" };
            return Err(Refusal::new(Errno::EINVAL, text));
        }
        route.linkdown = self.is_linkdown(&route);
        self.insert(route, insert)
    }

    /// Somebody deletes a route, naming everything. Metric 0 is a wildcard, and so is an absent source; IPv6 does not
    /// look at the source at all, and neither family at weights (Linux 6.18).
    ///
    /// # Errors
    ///
    /// ESRCH if there is none.
    pub fn delete_route(&mut self, route: &Route) -> Result<Vec<Notification>, Refusal> {
        let v6 = route.key.destination.addr().is_ipv6();
        let last = if route.key.metric == 0 { u32::MAX } else { route.key.metric };
        let mut same_group =
            self.routes.range(route.key, RouteKey { metric: last, ..route.key }).filter(|r| {
                let same_source = route.source.is_none() || v6 || r.source == route.source;
                r.protocol == route.protocol
                    && r.kind == route.kind
                    && r.leads_as(route)
                    && r.nexthop_id == route.nexthop_id
                    && same_source
            });
        let found =
            same_group.next().cloned().ok_or_else(|| Refusal::new(Errno::ESRCH, "No such process"))?;
        drop(same_group);
        self.routes.remove(&found);
        Ok(vec![Notification::RouteDeleted(found)])
    }

    fn insert(&mut self, route: Route, insert: Insert) -> Result<Vec<Notification>, Refusal> {
        let equal = self.routes.at(&route.key);
        let exists = equal.iter().position(|r| r.is_same(&route));
        let route = Arc::new(route);
        let v6 = Family::of(&route.key.destination.addr()) == Family::V6;
        match (insert, exists) {
            (Insert::Exclusive, _) if !equal.is_empty() => Err(exists_already()),
            (Insert::Replace, Some(0)) if !v6 => Ok(Vec::new()),
            (Insert::Prepend | Insert::Append, Some(_)) => Err(exists_already()),
            (Insert::Replace, Some(1..)) if !v6 => Err(exists_already()),
            (Insert::Replace, _) => {
                self.routes.replace_first(Arc::clone(&route));
                Ok(vec![Notification::RouteAdded(route)])
            }
            (Insert::Prepend | Insert::Append, None) if v6 && can_merge(equal, &route) => {
                Ok(self.merge(&route))
            }
            (Insert::Append, None) => {
                self.routes.append(Arc::clone(&route));
                Ok(vec![Notification::RouteAdded(route)])
            }
            (Insert::Exclusive | Insert::Prepend, _) => {
                self.routes.prepend(Arc::clone(&route));
                Ok(vec![Notification::RouteAdded(route)])
            }
        }
    }

    /// IPv6 makes a multipath route of two with the same key.
    fn merge(&mut self, route: &Arc<Route>) -> Vec<Notification> {
        let Some(first) = self.routes.at(&route.key).first().cloned() else { return Vec::new() };
        let mut merged = Route::clone(&first);
        merged.legs.extend(route.legs.iter().cloned());
        let merged = Arc::new(merged);
        self.routes.replace_first(Arc::clone(&merged));
        vec![Notification::RouteAdded(merged)]
    }

    fn check_leg(&self, route: &Route, leg: &Leg) -> Result<(), Refusal> {
        let Some(interface) = self.interface(leg.interface) else {
            return Err(Refusal::new(Errno::ENODEV, "Cannot find device"));
        };
        let onlink = route.flags & ONLINK != 0;
        let text = "Nexthop has invalid gateway";
        match (leg.gateway, route.key.destination.addr().is_ipv4()) {
            (Some(IpAddr::V4(_)), true) if !onlink && !self.is_on_link(leg) => {
                Err(Refusal::new(Errno::ENETUNREACH, text))
            }
            _ if !interface.up => Err(Refusal::new(Errno::ENETDOWN, "Nexthop device is not up")),
            (Some(IpAddr::V6(gateway)), false)
                if !onlink && !gateway.is_unicast_link_local() && !self.is_on_link(leg) =>
            {
                Err(Refusal::new(Errno::EHOSTUNREACH, "No route to host"))
            }
            (Some(IpAddr::V4(_)), false) => Err(Refusal::new(Errno::EINVAL, text)),
            _ => Ok(()),
        }
    }

    /// Whether the main table has a route without gateway to the leg's gateway over the leg's interface.
    fn is_on_link(&self, leg: &Leg) -> bool {
        let Some(gateway) = leg.gateway else { return true };
        let on_link = Leg { gateway: None, interface: leg.interface, weight: 1 };
        self.interface(leg.interface).is_some_and(|i| i.up)
            && self.prefixes_of(&gateway).any(|r| r.legs.contains(&on_link))
    }

    /// Whether a leg of the route has no carrier, or its interface is down or (IPv4) has lost its last address.
    pub(super) fn is_linkdown(&self, route: &Route) -> bool {
        let v4 = route.key.destination.addr().is_ipv4();
        let has_v4 = |i: &Interface| i.addresses.iter().any(|a| a.address().is_ipv4());
        let is_alive = |index: InterfaceIndex| {
            self.interface(index)
                .is_some_and(|i| i.is_running() && (!v4 || route.legs.len() == 1 || has_v4(i)))
        };
        route.legs.iter().any(|leg| !is_alive(leg.interface))
    }
}

fn can_merge(equal: &[Arc<Route>], route: &Route) -> bool {
    let has_gateways = |r: &Route| r.is_unicast() && r.legs.iter().all(|leg| leg.gateway.is_some());
    equal.first().is_some_and(|first| has_gateways(first)) && has_gateways(route)
}

fn exists_already() -> Refusal {
    Refusal::new(Errno::EEXIST, "File exists")
}
