//! A routing table: routes by the kernel's key, equal keys in the kernel's order, found again by their gateway.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::sync::Arc;

use ipnet::IpNet;

use crate::interface::{InterfaceIndex, is_link_local};
use crate::route::{MAIN_TABLE, PROTOCOL, Route, RouteKey};

/// All routes to one destination with one type of service: the kernel uses the first of them that it can, by metric
/// and, among equal metrics, by order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Group {
    /// The routing table.
    pub table: u32,
    /// Destination prefix.
    pub destination: IpNet,
    /// Type of service (IPv4 only, 0 in IPv6).
    pub tos: u8,
}

impl Group {
    /// The group that a key belongs to.
    pub const fn of(key: &RouteKey) -> Self {
        Self { table: key.table, destination: key.destination, tos: key.tos }
    }

    /// The group of the main table for a destination, without type of service.
    pub const fn main(destination: IpNet) -> Self {
        Self { table: MAIN_TABLE, destination, tos: 0 }
    }

    /// The group of the host route to an address, in the main table.
    pub fn host(address: IpAddr) -> Self {
        Self::main(IpNet::from(address))
    }

    /// The first and the last group of all that are within a prefix of a table, whatever their type of service.
    pub(super) fn within(table: u32, prefix: IpNet) -> RangeInclusive<Self> {
        let last = IpNet::new(prefix.broadcast(), prefix.max_prefix_len()).unwrap_or(prefix);
        Self { table, destination: prefix.trunc(), tos: 0 }..=Self { table, destination: last, tos: u8::MAX }
    }

    /// The key with this metric.
    pub const fn key(&self, metric: u32) -> RouteKey {
        RouteKey { table: self.table, destination: self.destination, tos: self.tos, metric }
    }
}

/// Routes of any number of tables. Clones share the routes themselves.
#[derive(Debug, Clone, Default)]
pub struct RouteTable {
    routes: BTreeMap<RouteKey, Vec<Arc<Route>>>,
    by_gateway: BTreeMap<(InterfaceIndex, IpAddr), BTreeSet<RouteKey>>,
    /// Types of service other than none, and how many routes have them.
    services: BTreeMap<u8, usize>,
    /// Keys with a route that is not unicast.
    refusing: BTreeSet<RouteKey>,
    count: usize,
}

impl RouteTable {
    /// How many routes there are.
    pub const fn len(&self) -> usize {
        self.count
    }

    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// All routes, by key, equal keys in the kernel's order.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Route>> {
        self.routes.values().flatten()
    }

    /// The routes with exactly this key, the one that the kernel uses first.
    pub fn at(&self, key: &RouteKey) -> &[Arc<Route>] {
        self.routes.get(key).map_or(&[], Vec::as_slice)
    }

    /// The routes of a group, in the order in which the kernel prefers them.
    pub fn group(&self, group: Group) -> impl Iterator<Item = &Arc<Route>> {
        // Searching for the end as well would cost as much again.
        let is_of_group = move |key: &RouteKey| Group::of(key) == group;
        let routes = self.routes.range(group.key(0)..).take_while(move |(key, _)| is_of_group(key));
        routes.flat_map(|(_, routes)| routes)
    }

    /// The routes with keys from `first` to `last`, both included.
    pub fn range(&self, first: RouteKey, last: RouteKey) -> impl Iterator<Item = &Arc<Route>> {
        self.routes.range(first..=last).flat_map(|(_, routes)| routes)
    }

    /// Keys of the routes that have a leg with this gateway on this interface, but for our own: nobody asks for those.
    pub fn by_gateway(&self, interface: InterfaceIndex, gateway: IpAddr) -> impl Iterator<Item = &RouteKey> {
        self.by_gateway.get(&(interface, gateway)).into_iter().flatten()
    }

    /// The types of service, but for none, that some route has.
    pub(super) fn services(&self) -> impl Iterator<Item = u8> {
        self.services.keys().copied()
    }

    /// Keys of the routes that are not unicast: a handful, if any.
    pub(super) fn refusing(&self) -> impl Iterator<Item = &RouteKey> {
        self.refusing.iter()
    }

    /// Inserts before all routes with the same key.
    pub fn prepend(&mut self, route: Arc<Route>) {
        self.insert(0, route);
    }

    /// Inserts behind all routes with the same key.
    pub fn append(&mut self, route: Arc<Route>) {
        self.insert(usize::MAX, route);
    }

    /// Puts `route` in the place of the first route with the same key, or simply in if there is none.
    pub fn replace_first(&mut self, route: Arc<Route>) {
        if let Some(old) = self.at(&route.key).first().cloned() {
            self.remove(&old);
        }
        self.prepend(route);
    }

    /// Removes the first route that is the same as this one ([`Route::is_same`]).
    pub fn remove(&mut self, route: &Route) -> Option<Arc<Route>> {
        let routes = self.routes.get_mut(&route.key)?;
        let exact = routes.iter().position(|r| r.is_same(route) && r.attributes == route.attributes);
        let position = exact.or_else(|| routes.iter().position(|r| r.is_same(route)))?;
        let removed = routes.remove(position);
        if routes.is_empty() {
            self.routes.remove(&route.key);
        }
        self.count -= 1;
        self.unindex(&removed);
        Some(removed)
    }

    /// Puts another route with the same key where this one stands.
    pub fn substitute(&mut self, old: &Route, new: Route) {
        let position = self.at(&old.key).iter().position(|r| r.is_same(old));
        if let Some(position) = position {
            self.remove(old);
            self.insert(position, Arc::new(new));
        }
    }

    fn insert(&mut self, position: usize, route: Arc<Route>) {
        for leg in route.legs.iter().filter(|_| route.protocol != PROTOCOL) {
            if let Some(gateway) = leg.gateway {
                self.by_gateway.entry((leg.interface, gateway)).or_default().insert(route.key);
            }
        }
        if !route.is_unicast() {
            self.refusing.insert(route.key);
        }
        if route.key.tos != 0 {
            *self.services.entry(route.key.tos).or_default() += 1;
        }
        // Most keys have one route, hardly any more than two.
        let routes = self.routes.entry(route.key).or_insert_with(|| Vec::with_capacity(1));
        routes.insert(position.min(routes.len()), route);
        self.count += 1;
    }

    /// Takes a removed route out of the index, but for gateways that another route with its key uses, too.
    fn unindex(&mut self, removed: &Route) {
        if let Some(count) = self.services.get_mut(&removed.key.tos) {
            *count -= 1;
            if *count == 0 {
                self.services.remove(&removed.key.tos);
            }
        }
        if !removed.is_unicast() && self.at(&removed.key).iter().all(|r| r.is_unicast()) {
            self.refusing.remove(&removed.key);
        }
        for leg in removed.legs.iter().filter(|_| removed.protocol != PROTOCOL) {
            let Some(gateway) = leg.gateway else { continue };
            let place = (leg.interface, gateway);
            if self.at(&removed.key).iter().any(|r| r.protocol != PROTOCOL && r.legs.contains(leg)) {
                continue;
            }
            if let Some(keys) = self.by_gateway.get_mut(&place) {
                keys.remove(&removed.key);
                if keys.is_empty() {
                    self.by_gateway.remove(&place);
                }
            }
        }
    }
}

impl FromIterator<Route> for RouteTable {
    /// Keeps the order of equal keys.
    fn from_iter<T: IntoIterator<Item = Route>>(routes: T) -> Self {
        let mut table = Self::default();
        for route in routes {
            table.append(Arc::new(route));
        }
        table
    }
}

/// The address that a group of host routes leads to, unless it is link-local.
pub(super) fn host_of(group: Group) -> Option<IpAddr> {
    let prefix = group.destination;
    let whole = prefix.prefix_len() == prefix.max_prefix_len() && group.table == MAIN_TABLE;
    Some(prefix.addr()).filter(|a| whole && group.tos == 0 && !is_link_local(a))
}
