//! A kernel that is only looked at: changes are remembered and shown as if they had been made.

use std::collections::BTreeSet;
use std::net::IpAddr;

use nix::libc;

use super::message::refusal;
use super::{Error, Hop, Kernel, LinkState};
use crate::interface::{Interface, InterfaceAddress, InterfaceIndex, MacAddress};
use crate::operation::{Operation, Place, Refusal};
use crate::route::{Route, RouteKey};

/// Reads from `kernel` and writes nothing to it. What was applied shows in later listings, so that who compares plan
/// and kernel finds the work done; what others do to the kernel shows as well.
#[derive(Debug)]
pub struct DryRun<K> {
    kernel: K,
    routes: Pretended<Route>,
    addresses: Pretended<(InterfaceIndex, InterfaceAddress)>,
    /// Interfaces that were set up in pretence.
    up: BTreeSet<InterfaceIndex>,
}

impl<K: Kernel> DryRun<K> {
    /// Looks at `kernel`.
    pub fn new(kernel: K) -> Self {
        Self { kernel, routes: Pretended::default(), addresses: Pretended::default(), up: BTreeSet::new() }
    }

    fn pretend(&mut self, operation: &Operation) -> Result<(), Refusal> {
        match operation {
            Operation::AddRoute { route, place } => {
                let is_taken = |other: &Route| other.key == route.key && *place == Place::Alone;
                self.routes.add(route.clone(), is_taken, is_same_route)
            }
            Operation::DeleteRoute(route) => {
                self.routes.delete(route.clone(), is_same_route);
                Ok(())
            }
            Operation::AddAddress { interface, address } => {
                let added = (*interface, address.clone());
                self.addresses.add(added.clone(), |other| is_same_address(other, &added), is_same_address)
            }
            Operation::DeleteAddress { interface, address } => {
                self.addresses.delete((*interface, address.clone()), is_same_address);
                Ok(())
            }
            Operation::SetUp(interface) => {
                self.up.insert(*interface);
                Ok(())
            }
            Operation::DeleteNeighbour { .. } => Ok(()),
        }
    }
}

impl<K: Kernel> Kernel for DryRun<K> {
    fn interfaces(&mut self) -> Result<Vec<Interface>, Error> {
        let mut interfaces = self.kernel.interfaces()?;
        for interface in &mut interfaces {
            let index = interface.index;
            interface.up |= self.up.contains(&index);
            let gone = |address: &InterfaceAddress| {
                self.addresses.deleted.iter().any(|other| is_same_address(other, &(index, address.clone())))
            };
            interface.addresses.retain(|address| !gone(address));
            let added = self.addresses.added.iter().filter(|(on, _)| *on == index);
            interface.addresses.extend(added.map(|(_, address)| address.clone()));
        }
        Ok(interfaces)
    }

    fn links(&mut self, wanted: &[InterfaceIndex]) -> Result<Vec<LinkState>, Error> {
        let mut links = self.kernel.links(wanted)?;
        for link in &mut links {
            link.up |= self.up.contains(&link.index);
        }
        Ok(links)
    }

    fn own_routes(&mut self) -> Result<Vec<Route>, Error> {
        Ok(self.routes.shown(self.kernel.own_routes()?, is_same_route, |_| true))
    }

    fn routes_over(&mut self, interfaces: &[InterfaceIndex], tables: &[u32]) -> Result<Vec<Route>, Error> {
        let is_over = |route: &Route| {
            let over = |leg: &crate::route::Leg| interfaces.contains(&leg.interface);
            tables.contains(&route.key.table) && route.legs.iter().any(over)
        };
        Ok(self.routes.shown(self.kernel.routes_over(interfaces, tables)?, is_same_route, is_over))
    }

    fn routes_at(&mut self, key: &RouteKey) -> Result<Vec<Route>, Error> {
        Ok(self.routes.shown(self.kernel.routes_at(key)?, is_same_route, |route| route.key == *key))
    }

    fn hardware_address(&mut self, interface: InterfaceIndex, address: IpAddr) -> Option<MacAddress> {
        self.kernel.hardware_address(interface, address)
    }

    fn neighbours(&mut self, interface: InterfaceIndex) -> Result<Vec<IpAddr>, Error> {
        self.kernel.neighbours(interface)
    }

    fn hop(&mut self, address: IpAddr, source: Option<IpAddr>) -> Result<Hop, Error> {
        self.kernel.hop(address, source)
    }

    fn apply(&mut self, operations: &[Operation]) -> Vec<Result<(), Refusal>> {
        operations.iter().map(|operation| self.pretend(operation)).collect()
    }
}

/// What was added to and deleted from the kernel's list in pretence. It grows with the overlays that are wanted, which
/// the reconciler bounds.
#[derive(Debug)]
struct Pretended<T> {
    added: Vec<T>,
    deleted: Vec<T>,
}

impl<T> Default for Pretended<T> {
    fn default() -> Self {
        Self { added: Vec::new(), deleted: Vec::new() }
    }
}

impl<T: Clone> Pretended<T> {
    fn add(
        &mut self,
        entry: T,
        is_taken: impl Fn(&T) -> bool,
        is_same: fn(&T, &T) -> bool,
    ) -> Result<(), Refusal> {
        if self.added.iter().any(is_taken) {
            return Err(refusal(libc::EEXIST));
        }
        let before = self.deleted.len();
        self.deleted.retain(|other| !is_same(other, &entry));
        if self.deleted.len() == before {
            self.added.push(entry);
        }
        Ok(())
    }

    fn delete(&mut self, entry: T, is_same: fn(&T, &T) -> bool) {
        let before = self.added.len();
        self.added.retain(|other| !is_same(other, &entry));
        if self.added.len() == before && !self.deleted.iter().any(|other| is_same(other, &entry)) {
            self.deleted.push(entry);
        }
    }

    fn shown(&self, mut real: Vec<T>, is_same: fn(&T, &T) -> bool, fits: impl Fn(&T) -> bool) -> Vec<T> {
        real.retain(|entry| !self.deleted.iter().any(|other| is_same(other, entry)));
        real.extend(self.added.iter().filter(|entry| fits(entry)).cloned());
        real
    }
}

fn is_same_route(one: &Route, other: &Route) -> bool {
    one.key == other.key && one.kind == other.kind && one.protocol == other.protocol && one.legs == other.legs
}

fn is_same_address(
    one: &(InterfaceIndex, InterfaceAddress),
    other: &(InterfaceIndex, InterfaceAddress),
) -> bool {
    one.0 == other.0 && one.1.prefix == other.1.prefix
}
