//! The model kernel of one host, with a hand in it: it can be told to refuse, or to lose the news of what it did.
//!
//! The rules of Linux are those of `faild::reconcile::Mirror`, which the conformance test holds against a real
//! kernel. What is added here is what the simulator alone does to a host.

mod rollback;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use faild::interface::{Interface, InterfaceAddress, InterfaceIndex, InterfaceKind, MacAddress};
use faild::operation::{Operation, Refusal};
use faild::reconcile::mirror::Insert;
use faild::reconcile::{Mirror, Notification, Question};
use faild::route::{Answer, Leg, MAIN_TABLE, PROTOCOL, Route, RouteKey, RouteType};
use ipnet::IpNet;
use nix::errno::Errno;

use crate::random::Random;

/// A host's configuration: what stands after a reboot.
#[derive(Debug, Clone, Default)]
pub struct Blueprint {
    /// Its interfaces, by LAN.
    pub interfaces: Vec<InterfacePlan>,
    /// Routes that somebody other than faild puts there.
    pub routes: Vec<RoutePlan>,
}

/// An interface as the administrator configured it.
#[derive(Debug, Clone)]
pub struct InterfacePlan {
    /// The name.
    pub name: String,
    /// The hardware address.
    pub mac: MacAddress,
    /// Its addresses.
    pub addresses: Vec<IpNet>,
}

/// A route as somebody configured it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoutePlan {
    /// Destination.
    pub destination: IpNet,
    /// Next hop.
    pub gateway: IpAddr,
    /// Name of the interface.
    pub interface: String,
    /// Metric, 0 for none.
    pub metric: u32,
    /// Who puts it there: 3 boot, 4 static, 16 dhcp.
    pub protocol: u8,
}

/// What goes wrong when the host's own programs ask the kernel for something.
#[derive(Debug, Clone, Copy, Default)]
pub struct Moods {
    /// Probability that an operation is refused.
    pub refusal: f64,
    /// Probability that an operation is carried out and yet said to have failed.
    pub lost_result: f64,
    /// Probability that a notification never comes, with nothing said.
    pub lost_notification: f64,
}

/// One operation of faild, and what it did to what is not faild's.
#[derive(Debug)]
pub struct Applied {
    /// What was asked.
    pub operation: Operation,
    /// What was answered.
    pub result: Result<(), Refusal>,
    /// Foreign routes that stood before and do not stand any more.
    pub harmed: Vec<Arc<Route>>,
}

/// What the kernel tells the daemon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// A cable was pulled or put in.
    Carrier,
    /// An interface was set down, or deleted.
    WentDown(InterfaceIndex),
    /// Any other change of links or addresses.
    Interfaces,
    /// A route appeared.
    RouteAdded(Arc<Route>),
    /// A route was deleted.
    RouteDeleted(Arc<Route>),
}

/// The model kernel of one host.
#[derive(Debug, Clone)]
pub struct Kernel {
    mirror: Mirror,
    /// How it treats its programs.
    pub moods: Moods,
    random: Random,
    news: Vec<News>,
    /// The number of the next interface.
    next_index: u32,
    /// What packets took since the last change: judges ask at every step.
    lookups: RefCell<BTreeMap<IpAddr, Option<Arc<Route>>>>,
}

impl Kernel {
    /// A kernel after booting by this plan, all links with carrier.
    pub fn boot(blueprint: &Blueprint, random: Random) -> Self {
        let mut mirror = Mirror::default();
        mirror.promote_secondaries = true;
        let mut kernel = Self {
            mirror,
            moods: Moods::default(),
            random,
            news: Vec::new(),
            next_index: LOOPBACK.0 + 1,
            lookups: RefCell::default(),
        };
        kernel.mirror.add_interface(loopback());
        for plan in &blueprint.interfaces {
            kernel.create(plan);
        }
        for plan in &blueprint.routes {
            kernel.add_route(plan);
        }
        kernel.news.clear();
        kernel
    }

    /// Carries out an operation of faild, if it is in the mood.
    pub fn apply(&mut self, operation: Operation) -> Applied {
        if self.random.chance(self.moods.refusal) {
            return Applied { operation, result: Err(refusal(Errno::EBUSY)), harmed: Vec::new() };
        }
        let before = self.foreign();
        let told = self.mirror.execute(&operation);
        let mut result = told.map(|told| self.tell(told));
        if result.is_ok() && self.random.chance(self.moods.lost_result) {
            result = Err(refusal(Errno::ENOBUFS));
        }
        let stands =
            |route: &Arc<Route>| self.mirror.routes().at(&route.key).iter().any(|r| r.is_same(route));
        let harmed = before.into_iter().filter(|route| !stands(route)).collect();
        Applied { operation, result, harmed }
    }

    /// Links and addresses, as a dump shows them.
    pub fn interfaces(&self) -> Vec<Interface> {
        self.mirror.interfaces().cloned().collect()
    }

    /// All unicast routes in the kernel's order.
    pub fn routes(&self) -> impl Iterator<Item = &Arc<Route>> {
        self.mirror.routes().iter()
    }

    /// How many routes there are.
    pub fn route_count(&self) -> usize {
        self.mirror.routes().len()
    }

    /// The route that a packet takes.
    pub fn lookup(&self, destination: &IpAddr) -> Option<Arc<Route>> {
        let mut lookups = self.lookups.borrow_mut();
        lookups.entry(*destination).or_insert_with(|| self.mirror.lookup(destination).cloned()).clone()
    }

    /// The host routes to an address.
    pub fn host_routes(&self, address: &IpAddr) -> impl Iterator<Item = &Arc<Route>> {
        self.mirror.routes().group(faild::reconcile::Group::host(*address))
    }

    /// An interface by name.
    pub fn interface(&self, name: &str) -> Option<&Interface> {
        self.mirror.interface_named(name)
    }

    /// An interface by number.
    pub fn interface_at(&self, index: InterfaceIndex) -> Option<&Interface> {
        self.mirror.interface(index)
    }

    /// The routes that faild made.
    pub fn own_routes(&self) -> impl Iterator<Item = &Arc<Route>> {
        self.routes().filter(|r| r.protocol == PROTOCOL)
    }

    /// All unicast routes of these tables over these interfaces.
    pub fn routes_over(&self, names: &[String], tables: &[u32]) -> Vec<Route> {
        let over = |leg: &Leg| self.interface_at(leg.interface).is_some_and(|i| names.contains(&i.name));
        let is_wanted =
            |r: &&Arc<Route>| tables.contains(&r.key.table) && (!r.is_unicast() || r.legs.iter().any(over));
        self.routes().filter(is_wanted).map(|r| Route::clone(r)).collect()
    }

    /// What becomes of a packet.
    pub fn answer(&self, question: &Question) -> Result<Answer, Refusal> {
        self.mirror.answer(question)
    }

    /// The routes with exactly this key.
    pub fn routes_at(&self, key: &RouteKey) -> Vec<Route> {
        self.routes().filter(|r| r.key == *key).map(|r| Route::clone(r)).collect()
    }

    /// The routes that somebody else made (the kernel's own connected routes left out: the kernel does as it likes).
    pub fn foreign(&self) -> Vec<Arc<Route>> {
        self.routes().filter(|r| r.protocol != PROTOCOL && r.protocol != KERNEL).cloned().collect()
    }

    /// The addresses that faild laid.
    pub fn own_addresses(&self) -> impl Iterator<Item = &InterfaceAddress> {
        self.mirror.interfaces().flat_map(|i| &i.addresses).filter(|a| a.protocol == PROTOCOL)
    }

    /// Whether the host takes packets for this address.
    pub fn is_local(&self, address: &IpAddr) -> bool {
        self.mirror.is_local(address)
    }

    /// What there is to tell since the last time, less what got lost.
    pub fn news(&mut self) -> Vec<News> {
        let mut all = std::mem::take(&mut self.news);
        let lost = self.moods.lost_notification;
        all.retain(|_| !self.random.chance(lost));
        all
    }

    /// Whatever changes the kernel ends here.
    fn tell(&mut self, told: Vec<Notification>) {
        self.lookups.get_mut().clear();
        self.news.extend(told.into_iter().map(|notification| match notification {
            Notification::Link(_) | Notification::Address(_) => News::Interfaces,
            Notification::RouteAdded(route) => News::RouteAdded(route),
            Notification::RouteDeleted(route) => News::RouteDeleted(route),
        }));
    }

    /// `ip link set NAME up|down`.
    pub fn set_up(&mut self, name: &str, up: bool) {
        let Some(index) = self.interface(name).filter(|i| i.up != up).map(|i| i.index) else { return };
        if !up {
            self.news.push(News::WentDown(index));
        }
        let told = self.mirror.set_up(index, up);
        self.tell(told);
    }

    /// The cable.
    pub fn set_carrier(&mut self, name: &str, carrier: bool) {
        let Some(index) = self.interface(name).map(|i| i.index) else { return };
        if !self.mirror.set_carrier(index, carrier).is_empty() {
            self.tell(Vec::new());
            self.news.push(News::Carrier);
        }
    }

    /// Makes an interface with its addresses and sets it up, unless it is there.
    pub fn create(&mut self, plan: &InterfacePlan) {
        if self.interface(&plan.name).is_some() {
            return;
        }
        let index = InterfaceIndex(self.next_index);
        self.next_index += 1;
        let told = self.mirror.add_interface(Interface {
            mac: Some(plan.mac),
            addresses: plan.addresses.iter().copied().map(InterfaceAddress::new).collect(),
            ..Interface::new(index, &plan.name)
        });
        self.tell(told);
    }

    /// `ip link delete NAME`.
    pub fn delete(&mut self, name: &str) {
        let Some(index) = self.interface(name).map(|i| i.index) else { return };
        self.news.push(News::WentDown(index));
        let told = self.mirror.delete_interface(index);
        self.tell(told);
    }

    /// `ip address add`, unless it is there.
    pub fn add_address(&mut self, name: &str, prefix: IpNet) {
        let Some(index) = self.interface(name).filter(|i| !has(i, &prefix.addr())).map(|i| i.index) else {
            return;
        };
        // What an administrator asks for and is refused is his affair; so below.
        let told = self.mirror.add_address(index, InterfaceAddress::new(prefix));
        self.tell(told.unwrap_or_default());
    }

    /// `ip address del`.
    pub fn delete_address(&mut self, name: &str, prefix: IpNet) {
        let Some(index) = self.interface(name).map(|i| i.index) else { return };
        let told = self.mirror.delete_address(index, &prefix);
        self.tell(told.unwrap_or_default());
    }

    /// `ip route append` by somebody else, unless it is there: an overlay is no obstacle to him.
    pub fn add_route(&mut self, plan: &RoutePlan) {
        let Some(route) = self.route(plan).filter(|_| !self.stands(plan)) else { return };
        let how = if plan.destination.addr().is_ipv4() { Insert::Append } else { Insert::Exclusive };
        let told = self.mirror.add_route(&route, how);
        self.tell(told.unwrap_or_default());
    }

    /// `ip route replace` by somebody else: takes over whatever stands first at its key.
    pub fn replace_route(&mut self, plan: &RoutePlan) {
        let Some(route) = self.route(plan) else { return };
        let told = self.mirror.add_route(&route, Insert::Replace);
        self.tell(told.unwrap_or_default());
    }

    /// `ip route del` by somebody else.
    pub fn delete_route(&mut self, plan: &RoutePlan) {
        let Some(route) = self.route(plan) else { return };
        let told = self.mirror.delete_route(&route);
        self.tell(told.unwrap_or_default());
    }

    /// `ip link set NAME name OTHER`.
    pub fn rename(&mut self, name: &str, other: &str) {
        let Some(index) = self.interface(name).map(|i| i.index) else { return };
        let told = self.mirror.rename_interface(index, other);
        self.tell(told);
    }

    /// `ip route flush proto 250`, both families.
    pub fn flush_own(&mut self) {
        for route in self.own_routes().cloned().collect::<Vec<_>>() {
            let told = self.mirror.delete_route(&route);
            self.tell(told.unwrap_or_default());
        }
    }

    /// Whether a configured route stands.
    pub fn stands(&self, plan: &RoutePlan) -> bool {
        let wanted = self.route(plan);
        wanted.is_some_and(|w| self.mirror.routes().at(&w.key).iter().any(|r| is_same(r, &w)))
    }

    fn route(&self, plan: &RoutePlan) -> Option<Route> {
        let interface = self.interface(&plan.interface)?.index;
        let metric = if plan.metric == 0 && plan.destination.addr().is_ipv6() { 1024 } else { plan.metric };
        Some(Route {
            key: RouteKey { table: MAIN_TABLE, destination: plan.destination, tos: 0, metric },
            protocol: plan.protocol,
            scope: 0,
            source: None,
            legs: vec![Leg { gateway: Some(plan.gateway), interface, weight: 1 }],
            kind: RouteType::Unicast,
            nexthop_id: None,
            encapsulated: false,
            linkdown: false,
            attributes: Vec::new(),
            flags: 0,
        })
    }
}

/// Whether two routes are the same to a human: key, maker and legs.
pub fn is_same(one: &Route, other: &Route) -> bool {
    one.key == other.key && one.protocol == other.protocol && one.legs == other.legs
}

/// Whether an interface bears an address.
pub fn has(interface: &Interface, address: &IpAddr) -> bool {
    interface.addresses.iter().any(|a| a.address() == *address)
}

fn refusal(errno: Errno) -> Refusal {
    Refusal::new(errno, "by the simulator")
}

fn loopback() -> Interface {
    Interface { kind: InterfaceKind::Loopback, ..Interface::new(LOOPBACK, "lo") }
}

/// RTPROT_KERNEL of rtnetlink(7): connected routes.
pub const KERNEL: u8 = 2;

/// `lo` is always number 1.
const LOOPBACK: InterfaceIndex = InterfaceIndex(1);
