//! What is around the members of a group: routers, prefixes on the link, and neighbours, by the member that knows them.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;

use super::member::Member;
use crate::interface::{Interface, InterfaceIndex};
use crate::watch::input::Found;

/// Routers and connected prefixes that are remembered of a group: more than it can ask.
const MOST: usize = 64;

/// Neighbours that are remembered of a member: they are asked in turn.
const MOST_NEIGHBOURS: usize = 16;

/// A next hop, and the member that a route to it goes over.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Router {
    over: String,
    address: IpAddr,
    /// It stands in the routing table, as last seen.
    listed: bool,
}

/// See the module.
#[derive(Debug, Clone, Default)]
pub(super) struct Surroundings {
    routers: Vec<Router>,
    connected: Vec<(String, IpNet)>,
    neighbours: BTreeMap<String, Vec<IpAddr>>,
}

impl Surroundings {
    /// The routes over the members, by metric.
    pub(super) fn see_routes(&mut self, found: &[Found], members: &[Member]) {
        let owner = |index: InterfaceIndex| members.iter().find(|member| member.index == Some(index));
        self.connected.clear();
        self.routers.iter_mut().for_each(|router| router.listed = false);
        for route in found {
            let Some(member) = owner(route.interface) else { continue };
            match route.gateway {
                Some(gateway) => self.see_router(member.name(), gateway),
                None => self.see_connected(member.name(), route.destination),
            }
        }
    }

    fn see_router(&mut self, over: &str, address: IpAddr) {
        let is_this = |router: &&mut Router| router.address == address && router.over == over;
        if let Some(router) = self.routers.iter_mut().find(is_this) {
            router.listed = true;
        } else if self.routers.len() < MOST {
            self.routers.push(Router { over: over.to_owned(), address, listed: true });
        }
    }

    fn see_connected(&mut self, over: &str, prefix: IpNet) {
        let is_link = prefix.prefix_len() > 0 && prefix.prefix_len() < prefix.max_prefix_len();
        if is_link && self.connected.len() < MOST {
            self.connected.push((over.to_owned(), prefix));
        }
    }

    /// Forgets routers that are in no route any more, but for those that `stays` says may yet prove a repair.
    pub(super) fn forget_routers(&mut self, stays: impl Fn(&str) -> bool) {
        self.routers.retain(|router| router.listed || stays(&router.over));
    }

    /// The group has these members only.
    pub(super) fn keep_only(&mut self, stays: impl Fn(&str) -> bool) {
        self.routers.retain(|router| stays(&router.over));
        self.connected.retain(|(member, _)| stays(member));
        self.neighbours.retain(|member, _| stays(member));
    }

    /// The neighbours that the kernel knows on a member's link.
    pub(super) fn see_neighbours(&mut self, member: &str, addresses: &[IpAddr]) {
        let first = addresses.iter().take(MOST_NEIGHBOURS).copied().collect();
        self.neighbours.insert(member.to_owned(), first);
    }

    /// The routers that routes over these members lead to.
    pub(super) fn routers(&self, over: impl Fn(&str) -> bool) -> impl Iterator<Item = IpAddr> {
        self.routers.iter().filter(move |router| over(&router.over)).map(|router| router.address)
    }

    /// The neighbours of these members.
    pub(super) fn neighbours(&self, of: impl Fn(&str) -> bool) -> impl Iterator<Item = IpAddr> {
        let some = self.neighbours.iter().filter(move |(member, _)| of(member));
        some.flat_map(|(_, addresses)| addresses.iter().copied())
    }

    /// The prefixes of these members' links that hold an address; for a link-local one, all of IPv6.
    pub(super) fn subnets(
        &self,
        address: IpAddr,
        members: &[&Interface],
        over: impl Fn(&str) -> bool,
    ) -> Vec<IpNet> {
        let own = members.iter().flat_map(|interface| &interface.addresses).map(|own| own.prefix.trunc());
        let own = own.filter(|prefix| prefix.prefix_len() < prefix.max_prefix_len());
        let connected = self.connected.iter().filter(|(member, _)| over(member)).map(|(_, prefix)| *prefix);
        let holds =
            |prefix: &IpNet| prefix.contains(&address) || (address.is_ipv6() && prefix.addr().is_ipv6());
        let mut subnets: Vec<IpNet> = own.chain(connected).filter(holds).collect();
        subnets.sort_unstable();
        subnets.dedup();
        subnets.truncate(MOST);
        subnets
    }
}
