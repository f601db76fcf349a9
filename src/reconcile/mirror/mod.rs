//! The mirror of the kernel: interfaces, addresses and routes, with the rules by which Linux changes them.
//!
//! It serves three: the reconciler keeps what dumps and results say in it; `--dry-run` and the simulator use it as the
//! kernel itself, by [`Mirror::execute`] and the events below; one test runs the same script against it and a real
//! network namespace.
//!
//! As a kernel it plays Linux 6.18 (6.1 where both agree): the main table, routes of all types, both families. Not played:
//! duplicate address detection (an address is tentative if it was added so), lifetimes, policy rules, neighbours,
//! deletion of nexthop objects at carrier loss.

mod events;
mod kernel;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;
use nix::errno::Errno;

pub use kernel::Insert;

use super::asking::Question;
use super::table::{Group, RouteTable};
use crate::gather::Gather;
use crate::interface::{Interface, InterfaceAddress, InterfaceIndex, LinkHistory};
use crate::operation::{Operation, Refusal};
use crate::route::Answer;
use crate::route::{Leg, Route, RouteType};

/// Interfaces, addresses and routes as the kernel holds them. Cheap to clone: routes are shared.
#[derive(Debug, Clone, Default)]
pub struct Mirror {
    interfaces: BTreeMap<InterfaceIndex, Interface>,
    routes: RouteTable,
    /// Sysctl promote_secondaries (kernel default 0, systemd sets 1).
    pub promote_secondaries: bool,
    /// Changes of links and addresses so far: what it has for a clock.
    ticks: u32,
    /// Link-local addresses of interfaces that are down: they come back.
    link_locals: BTreeMap<InterfaceIndex, InterfaceAddress>,
}

/// What the kernel says of a change to those who listen. What it does not say is the point: IPv4 routes vanish
/// silently with their interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notification {
    /// RTM_NEWLINK or RTM_DELLINK.
    Link(InterfaceIndex),
    /// RTM_NEWADDR or RTM_DELADDR.
    Address(InterfaceIndex),
    /// RTM_NEWROUTE, also for a replaced route.
    RouteAdded(Arc<Route>),
    /// RTM_DELROUTE.
    RouteDeleted(Arc<Route>),
}

impl Mirror {
    /// All interfaces by index, as a dump shows them.
    pub fn interfaces(&self) -> impl Iterator<Item = &Interface> {
        self.interfaces.values()
    }

    /// One interface.
    pub fn interface(&self, index: InterfaceIndex) -> Option<&Interface> {
        self.interfaces.get(&index)
    }

    /// The interface of this name.
    pub fn interface_named(&self, name: &str) -> Option<&Interface> {
        self.interfaces.values().find(|i| i.name == name)
    }

    /// The routes.
    pub const fn routes(&self) -> &RouteTable {
        &self.routes
    }

    /// The routes, to be changed without asking the kernel's rules: for what a dump has shown.
    pub const fn routes_mut(&mut self) -> &mut RouteTable {
        &mut self.routes
    }

    /// Takes the interfaces of a dump for its own; routes are left alone.
    pub fn load_interfaces(&mut self, interfaces: &[Interface]) {
        self.interfaces = interfaces.iter().map(|i| (i.index, i.clone())).gather();
    }

    /// What a link remembers of its past becomes something else.
    pub fn change_history(&mut self, index: InterfaceIndex, change: impl FnOnce(&mut LinkHistory)) {
        if let Some(interface) = self.interfaces.get_mut(&index) {
            change(&mut interface.history);
        }
    }

    /// An address that a result says has been added.
    pub fn load_address(&mut self, index: InterfaceIndex, address: InterfaceAddress) {
        if let Some(interface) = self.interfaces.get_mut(&index) {
            interface.addresses.retain(|a| a.prefix != address.prefix);
            interface.addresses.push(address);
        }
    }

    /// An address that a result says has been deleted; routes are left alone.
    pub fn unload_address(&mut self, index: InterfaceIndex, prefix: &IpNet) {
        if let Some(interface) = self.interfaces.get_mut(&index) {
            interface.addresses.retain(|a| a.prefix != *prefix);
        }
    }

    /// Whether an address is ours, so that a route may have it as its source. An IPv4 address stays so while its
    /// interface is down, an IPv6 one does not (Linux 6.1, 6.18).
    pub fn is_local(&self, address: &IpAddr) -> bool {
        self.interfaces.values().any(|i| {
            i.addresses
                .iter()
                .any(|a| a.address() == *address && (address.is_ipv4() || (i.up && !a.tentative)))
        })
    }

    /// The route that decides for a packet: longest prefix (TOS 0), lowest metric, first of equals; routes whose interface
    /// is down are passed over, those without carrier are not. One that is not unicast refuses it.
    pub fn lookup(&self, destination: &IpAddr) -> Option<&Arc<Route>> {
        self.prefixes_of(destination).find(|r| self.is_usable(r))
    }

    /// What the kernel says of a packet: as [`Self::lookup`], by the first leg that is up.
    ///
    /// # Errors
    ///
    /// As the kernel: ENETUNREACH without a route, and the errors of routes that refuse (IPv4).
    pub fn answer(&self, question: &Question) -> Result<Answer, Refusal> {
        let refuse = |errno, text| Err(Refusal::new(errno, text));
        let Some(route) = self.lookup(&question.address) else {
            return refuse(Errno::ENETUNREACH, "Network is unreachable");
        };
        match route.kind {
            RouteType::Prohibit => return refuse(Errno::EACCES, "Permission denied"),
            RouteType::Unreachable => return refuse(Errno::EHOSTUNREACH, "No route to host"),
            RouteType::Blackhole => return refuse(Errno::EINVAL, "Invalid argument"),
            RouteType::Throw => return refuse(Errno::ENETUNREACH, "Network is unreachable"),
            RouteType::Unicast | RouteType::Other(_) => {}
        }
        let is_up = |leg: &&Leg| self.interface(leg.interface).is_some_and(|i| i.up);
        let leg = route.legs.iter().find(is_up);
        Ok(Answer {
            kind: route.kind,
            interface: leg.map(|leg| leg.interface),
            gateway: leg.and_then(|leg| leg.gateway),
            table: route.key.table,
        })
    }

    /// Does as the kernel would, or refuses as it would.
    ///
    /// # Errors
    ///
    /// The kernel's error number, and its extended message where it has one.
    pub fn apply(&mut self, operation: &Operation) -> Result<(), Refusal> {
        self.execute(operation).map(drop)
    }

    /// The routes of the main table that hold an address (TOS 0), in the order in which the kernel prefers them.
    fn prefixes_of(&self, address: &IpAddr) -> impl Iterator<Item = &Arc<Route>> {
        let address = *address;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let prefixes = (0..=longest).rev().filter_map(move |length| IpNet::new(address, length).ok());
        prefixes.flat_map(|p| self.routes.group(Group::main(p.trunc())))
    }

    fn is_usable(&self, route: &Route) -> bool {
        !route.is_unicast()
            || route.legs.iter().any(|leg| self.interface(leg.interface).is_some_and(|i| i.up))
    }
}
