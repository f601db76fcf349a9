//! What happens to the kernel from outside: links and addresses come and go, and take routes along.
//!
//! Observed on Linux 6.1 and 6.18:
//!
//! ```text
//! carrier lost     routes stay, marked linkdown                              NEWLINK
//! admin down       IPv4 routes gone silently, multipath: leg dead;           NEWLINK, then
//!                  IPv6 routes and addresses gone                            DELROUTE, DELADDR (IPv6)
//! admin up         connected routes and the link-local address come back     NEWLINK, NEWROUTE, NEWADDR
//! interface gone   as admin down; IPv4 multipath routes whole                DELLINK
//! address gone     its connected route, IPv4 routes with it as source        DELADDR, DELROUTE
//! last IPv4 gone   every IPv4 route of the interface, silently               DELADDR
//! ```

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use ipnet::{IpNet, Ipv6Net};
use nix::errno::Errno;

use super::{Mirror, Notification};
use crate::interface::{
    Family, Interface, InterfaceAddress, InterfaceIndex, InterfaceKind, LINK_SCOPE, is_link_local,
};
use crate::operation::Refusal;
use crate::route::{KERNEL, Leg, MAIN_TABLE, Route, RouteKey, RouteType};

/// IP6_RT_PRIO_ADDRCONF.
const CONNECTED_IPV6_METRIC: u32 = 256;

impl Mirror {
    /// An interface appears, with addresses or without, up or down. If it is up it gets its connected routes.
    pub fn add_interface(&mut self, interface: Interface) -> Vec<Notification> {
        let (index, up, carrier) = (interface.index, interface.up, interface.carrier);
        self.interfaces.insert(index, Interface { up: false, ..interface });
        let mut told = vec![Notification::Link(index)];
        if up {
            told.extend(self.set_up(index, true));
            self.set_carrier(index, carrier);
        }
        told
    }

    /// An interface is deleted, with all that hangs on it.
    pub fn delete_interface(&mut self, index: InterfaceIndex) -> Vec<Notification> {
        let mut told = self.set_up(index, false);
        self.drop_v4_multipath(index);
        let addresses = self.interface(index).map(|i| i.addresses.clone()).unwrap_or_default();
        for address in addresses {
            told.extend(self.delete_address(index, &address.prefix).unwrap_or_default());
        }
        self.shrink_v6_multipath(index);
        self.interfaces.remove(&index);
        self.link_locals.remove(&index);
        told.push(Notification::Link(index));
        told
    }

    /// An interface gets another name; nothing else changes.
    pub fn rename_interface(&mut self, index: InterfaceIndex, name: &str) -> Vec<Notification> {
        if let Some(interface) = self.interfaces.get_mut(&index) {
            name.clone_into(&mut interface.name);
        }
        vec![Notification::Link(index)]
    }

    /// The administrator sets an interface up or down.
    pub fn set_up(&mut self, index: InterfaceIndex, up: bool) -> Vec<Notification> {
        let Some(interface) = self.interfaces.get_mut(&index) else { return Vec::new() };
        if interface.up == up {
            return Vec::new();
        }
        interface.up = up;
        self.ticks += 1;
        interface.history.ipv6_changed = Some(self.ticks);
        let mut told = vec![Notification::Link(index)];
        if up {
            self.on_up(index, &mut told)
        } else {
            // Most drivers take the carrier away as well.
            if interface.carrier {
                count_loss(interface);
            }
            self.on_down(index, &mut told)
        }
        self.mark_linkdown(index);
        told
    }

    /// The cable is pulled or put in.
    pub fn set_carrier(&mut self, index: InterfaceIndex, carrier: bool) -> Vec<Notification> {
        let Some(interface) = self.interfaces.get_mut(&index) else { return Vec::new() };
        if interface.carrier == carrier {
            return Vec::new();
        }
        interface.carrier = carrier;
        if !carrier && interface.up {
            count_loss(interface);
        }
        self.mark_linkdown(index);
        vec![Notification::Link(index)]
    }

    /// Somebody adds an address. The flag `secondary` is set as the kernel sets it.
    ///
    /// # Errors
    ///
    /// ENODEV, EEXIST, EINVAL as the kernel.
    pub fn add_address(
        &mut self,
        index: InterfaceIndex,
        mut address: InterfaceAddress,
    ) -> Result<Vec<Notification>, Refusal> {
        let interface = self.interfaces.get_mut(&index).ok_or_else(no_device)?;
        let clash = |a: &InterfaceAddress| {
            a.address() == address.address() && (is_same_v4_subnet(a, &address) || a.address().is_ipv6())
        };
        if interface.addresses.iter().any(clash) {
            let text = if address.address().is_ipv4() {
                "ipv4: Address already assigned"
            } else {
                "address already assigned"
            };
            return Err(Refusal::new(Errno::EEXIST, text));
        }
        let same_subnet = |a: &&InterfaceAddress| !a.secondary && is_same_v4_subnet(a, &address);
        if let Some(primary) = interface.addresses.iter().find(same_subnet) {
            if primary.scope != address.scope {
                return Err(Refusal::new(Errno::EINVAL, "Invalid argument"));
            }
            address.secondary = true;
        }
        let position = place_of(&interface.addresses, &address);
        interface.addresses.insert(position, address.clone());
        if is_link_local(&address.address()) {
            self.ticks += 1;
            interface.history.link_local_made.get_or_insert(self.ticks);
        }
        let up = interface.up;
        let mut told = vec![Notification::Address(index)];
        if up {
            self.connect(index, &address, &mut told);
            self.mark_linkdown(index);
        }
        Ok(told)
    }

    /// Somebody deletes an address.
    ///
    /// # Errors
    ///
    /// ENODEV, EADDRNOTAVAIL as the kernel.
    pub fn delete_address(
        &mut self,
        index: InterfaceIndex,
        prefix: &IpNet,
    ) -> Result<Vec<Notification>, Refusal> {
        let interface = self.interfaces.get_mut(&index).ok_or_else(no_device)?;
        let position = interface.addresses.iter().position(|a| a.prefix == *prefix);
        let position = position.ok_or_else(|| {
            Refusal::new(
                Errno::EADDRNOTAVAIL,
                if prefix.addr().is_ipv4() { "ipv4: Address not found" } else { "ipv6: address not found" },
            )
        })?;
        let address = interface.addresses.remove(position);
        forget_link_local(interface);
        let mut told = vec![Notification::Address(index)];
        match Family::of(&address.address()) {
            Family::V4 => self.on_v4_address_deleted(index, &address, &mut told),
            Family::V6 => self.on_v6_address_deleted(index, &address, &mut told),
        }
        Ok(told)
    }

    fn on_up(&mut self, index: InterfaceIndex, told: &mut Vec<Notification>) {
        let addresses = self.interface(index).map(|i| i.addresses.clone()).unwrap_or_default();
        for address in &addresses {
            self.connect(index, address, told);
        }
        let has_link_local = addresses.iter().any(|a| is_link_local(&a.address()));
        if !has_link_local && let Some(link_local) = self.link_local_of(index) {
            told.extend(self.add_address(index, link_local).unwrap_or_default());
        }
    }

    fn on_down(&mut self, index: InterfaceIndex, told: &mut Vec<Notification>) {
        for route in self.routes_over(index) {
            let v4 = route.key.destination.addr().is_ipv4();
            let alive = |leg: &Leg| self.interface(leg.interface).is_some_and(|i| i.up);
            if route.legs.iter().any(alive) {
                continue;
            }
            self.routes.remove(&route);
            if !v4 {
                told.push(Notification::RouteDeleted(route));
            }
        }
        let Some(interface) = self.interfaces.get_mut(&index) else { return };
        for address in interface.addresses.extract_if(.., |a| a.address().is_ipv6()) {
            told.push(Notification::Address(index));
            if is_link_local(&address.address()) {
                self.link_locals.insert(index, address);
            }
        }
        forget_link_local(interface);
    }

    /// The connected routes of an address.
    fn connect(&mut self, index: InterfaceIndex, address: &InterfaceAddress, told: &mut Vec<Notification>) {
        for mut route in connected(index, address) {
            route.linkdown = self.is_linkdown(&route);
            if self.routes.at(&route.key).iter().any(|r| r.is_same(&route)) {
                continue;
            }
            let route = Arc::new(route);
            self.routes.append(Arc::clone(&route));
            told.push(Notification::RouteAdded(route));
        }
    }

    fn on_v4_address_deleted(
        &mut self,
        index: InterfaceIndex,
        address: &InterfaceAddress,
        told: &mut Vec<Notification>,
    ) {
        let promoted = if address.secondary { None } else { self.drop_secondaries(index, address, told) };
        self.disconnect(index, address, told);
        self.drop_routes_from(&address.address(), told);
        if let Some(promoted) = promoted {
            told.push(Notification::Address(index));
            self.connect(index, &promoted, told);
        }
        let is_v4 = |a: &InterfaceAddress| a.address().is_ipv4();
        if !self.interface(index).is_some_and(|i| i.addresses.iter().any(is_v4)) {
            self.flush_v4(index);
            self.mark_linkdown(index);
        }
    }

    fn on_v6_address_deleted(
        &mut self,
        index: InterfaceIndex,
        address: &InterfaceAddress,
        told: &mut Vec<Notification>,
    ) {
        self.disconnect(index, address, told);
        if self.is_local(&address.address()) {
            return;
        }
        // Linux 6.18 takes the source off such routes without a word; 6.1 leaves it dangling.
        for route in self.routes.iter().cloned().collect::<Vec<_>>() {
            if route.source == Some(address.address()) {
                self.rewrite(&route, |r| r.source = None);
            }
        }
    }

    /// A primary takes its secondaries along, unless the first of them may take its place.
    fn drop_secondaries(
        &mut self,
        index: InterfaceIndex,
        primary: &InterfaceAddress,
        told: &mut Vec<Notification>,
    ) -> Option<InterfaceAddress> {
        let promote = self.promote_secondaries;
        let interface = self.interfaces.get_mut(&index)?;
        if promote {
            let heir = interface.addresses.iter_mut().find(|a| is_same_v4_subnet(a, primary))?;
            heir.secondary = false;
            return Some(heir.clone());
        }
        let gone: Vec<_> =
            interface.addresses.extract_if(.., |a| a.secondary && is_same_v4_subnet(a, primary)).collect();
        for secondary in gone {
            told.push(Notification::Address(index));
            self.drop_routes_from(&secondary.address(), told);
        }
        None
    }

    /// Removes the connected routes of an address that is gone, unless another address has the same.
    fn disconnect(
        &mut self,
        index: InterfaceIndex,
        address: &InterfaceAddress,
        told: &mut Vec<Notification>,
    ) {
        for route in connected(index, address) {
            let is_needed = self.interface(index).is_some_and(|i| {
                i.addresses.iter().flat_map(|a| connected(index, a)).any(|other| other.is_same(&route))
            });
            if is_needed {
                continue;
            }
            if let Some(route) = self.routes.remove(&route) {
                told.push(Notification::RouteDeleted(route));
            }
        }
    }

    /// IPv4: routes whose source is gone go along, wherever they lead.
    fn drop_routes_from(&mut self, source: &IpAddr, told: &mut Vec<Notification>) {
        if self.is_local(source) {
            return;
        }
        let gone: Vec<_> = self.routes.iter().filter(|r| r.source == Some(*source)).cloned().collect();
        for route in gone {
            self.routes.remove(&route);
            told.push(Notification::RouteDeleted(route));
        }
    }

    /// The last IPv4 address of an interface takes all routes over it along, silently.
    fn flush_v4(&mut self, index: InterfaceIndex) {
        for route in self.routes_over(index) {
            if route.key.destination.addr().is_ipv4() && route.legs.iter().all(|l| l.interface == index) {
                self.routes.remove(&route);
            }
        }
    }

    fn drop_v4_multipath(&mut self, index: InterfaceIndex) {
        for route in self.routes_over(index) {
            if route.key.destination.addr().is_ipv4() {
                self.routes.remove(&route);
            }
        }
    }

    fn shrink_v6_multipath(&mut self, index: InterfaceIndex) {
        for route in self.routes_over(index) {
            let mut shrunk = Route::clone(&route);
            shrunk.legs.retain(|leg| leg.interface != index);
            if let [only] = shrunk.legs.as_mut_slice() {
                only.weight = 1;
            }
            shrunk.linkdown = self.is_linkdown(&shrunk);
            self.routes.substitute(&route, shrunk);
        }
    }

    fn mark_linkdown(&mut self, index: InterfaceIndex) {
        for route in self.routes_over(index) {
            let linkdown = self.is_linkdown(&route);
            if route.linkdown != linkdown {
                self.rewrite(&route, |r| r.linkdown = linkdown);
            }
        }
    }

    /// Changes a route where it stands.
    fn rewrite(&mut self, route: &Arc<Route>, change: impl FnOnce(&mut Route)) {
        let mut changed = Route::clone(route);
        change(&mut changed);
        self.routes.substitute(route, changed);
    }

    fn routes_over(&self, index: InterfaceIndex) -> Vec<Arc<Route>> {
        self.routes.iter().filter(|r| r.legs.iter().any(|leg| leg.interface == index)).cloned().collect()
    }

    /// The link-local address that an interface had or, if it never had one, the one made from its hardware address.
    fn link_local_of(&self, index: InterfaceIndex) -> Option<InterfaceAddress> {
        let interface = self.interface(index)?;
        if interface.kind == InterfaceKind::Loopback {
            return None;
        }
        self.link_locals.get(&index).cloned().or_else(|| interface.mac.map(|mac| eui64(mac.0)))
    }
}

fn count_loss(interface: &mut Interface) {
    *interface.history.carrier_losses.get_or_insert_default() += 1;
}

fn forget_link_local(interface: &mut Interface) {
    if !interface.addresses.iter().any(|a| is_link_local(&a.address())) {
        interface.history.link_local_made = None;
    }
}

/// The routes that the kernel makes for an address: to its subnet, and in IPv6 to the peer as well.
fn connected(index: InterfaceIndex, address: &InterfaceAddress) -> Vec<Route> {
    let v4 = address.address().is_ipv4();
    let is_point = address.prefix.prefix_len() == address.prefix.max_prefix_len() && address.peer.is_none();
    if address.no_prefix_route || address.secondary || (v4 && is_point) {
        return Vec::new();
    }
    let metric = if address.metric == 0 && !v4 { CONNECTED_IPV6_METRIC } else { address.metric };
    let peer = address.peer.filter(|_| !v4).map(IpNet::from);
    let subnet = if v4 { address.network() } else { address.prefix };
    let route = |destination: IpNet| Route {
        key: RouteKey { table: MAIN_TABLE, destination: destination.trunc(), tos: 0, metric },
        protocol: KERNEL,
        scope: if v4 { LINK_SCOPE } else { 0 },
        source: v4.then(|| address.address()),
        legs: vec![Leg { gateway: None, interface: index, weight: 1 }],
        kind: RouteType::Unicast,
        nexthop_id: None,
        encapsulated: false,
        linkdown: false,
        attributes: Vec::new(),
        flags: 0,
    };
    [subnet].into_iter().chain(peer).map(route).collect()
}

/// IPv4 primaries stand before secondaries; else the order of arrival.
fn place_of(addresses: &[InterfaceAddress], address: &InterfaceAddress) -> usize {
    let is_v4_secondary = |a: &InterfaceAddress| a.secondary && a.address().is_ipv4();
    if address.secondary || address.address().is_ipv6() {
        return addresses.len();
    }
    addresses.iter().position(is_v4_secondary).unwrap_or(addresses.len())
}

fn is_same_v4_subnet(a: &InterfaceAddress, b: &InterfaceAddress) -> bool {
    a.address().is_ipv4() && a.network().trunc() == b.network().trunc()
}

fn eui64([a, b, c, d, e, f]: [u8; 6]) -> InterfaceAddress {
    let address = Ipv6Addr::from([0xfe, 0x80, 0, 0, 0, 0, 0, 0, a ^ 2, b, c, 0xff, 0xfe, d, e, f]);
    InterfaceAddress { protocol: 3, ..InterfaceAddress::new(Ipv6Net::new_assert(address, 64).into()) }
}

fn no_device() -> Refusal {
    Refusal::new(Errno::ENODEV, "No such device")
}
