//! The model kernel of one host, with a hand in it: it can be told to refuse, or to lose the news of what it did.
//!
//! The rules of Linux are those of `faild::reconcile::Mirror`, which the conformance test holds against a real
//! kernel. What is added here is what the simulator alone does to a host.

use std::net::IpAddr;

use faild::interface::{Interface, InterfaceAddress, InterfaceIndex, InterfaceKind, MacAddress};
use faild::reconcile::{Leg, MAIN_TABLE, Operation, PROTOCOL, Refusal, Route, RouteKey};
use ipnet::IpNet;

use crate::random::Random;
use crate::standin::{Mirror, Notification};

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
    pub harmed: Vec<Route>,
}

/// The model kernel of one host.
#[derive(Debug)]
pub struct Kernel {
    mirror: Mirror,
    /// How it treats its programs.
    pub moods: Moods,
    random: Random,
}

impl Kernel {
    /// A kernel after booting by this plan, all links with carrier.
    pub fn boot(blueprint: &Blueprint, random: Random) -> Self {
        let mut kernel = Self { mirror: Mirror::default(), moods: Moods::default(), random };
        for plan in &blueprint.interfaces {
            kernel.create(plan);
        }
        for plan in &blueprint.routes {
            kernel.add_route(plan);
        }
        kernel.notifications();
        kernel
    }

    /// Carries out an operation of faild, if it is in the mood.
    pub fn apply(&mut self, operation: Operation) -> Applied {
        if self.random.chance(self.moods.refusal) {
            return Applied { operation, result: Err(refusal(16, "EBUSY")), harmed: Vec::new() };
        }
        let before = self.foreign();
        let mut result = self.mirror.apply(&operation);
        if result.is_ok() && self.random.chance(self.moods.lost_result) {
            result = Err(refusal(105, "ENOBUFS"));
        }
        let after = self.foreign();
        let harmed = before.into_iter().filter(|route| !after.contains(route)).collect();
        Applied { operation, result, harmed }
    }

    /// Links and addresses, as a dump shows them.
    pub fn interfaces(&self) -> Vec<Interface> {
        self.mirror.interfaces().to_vec()
    }

    /// All unicast routes in the kernel's order.
    pub fn routes(&self) -> &[Route] {
        self.mirror.routes()
    }

    /// An interface by name.
    pub fn interface(&self, name: &str) -> Option<&Interface> {
        self.mirror.interfaces().iter().find(|i| i.name == name)
    }

    /// An interface by number.
    pub fn interface_at(&self, index: InterfaceIndex) -> Option<&Interface> {
        self.mirror.interfaces().iter().find(|i| i.index == index)
    }

    /// The routes that faild made.
    pub fn own_routes(&self) -> impl Iterator<Item = &Route> {
        self.routes().iter().filter(|r| r.protocol == PROTOCOL)
    }

    /// All unicast routes of the main table over these interfaces.
    pub fn routes_over(&self, names: &[String]) -> Vec<Route> {
        let over = |leg: &Leg| self.interface_at(leg.interface).is_some_and(|i| names.contains(&i.name));
        let is_wanted = |r: &&Route| r.key.table == MAIN_TABLE && r.legs.iter().any(over);
        self.routes().iter().filter(is_wanted).cloned().collect()
    }

    /// The routes that somebody else made (the kernel's own connected routes left out: the kernel does as it likes).
    pub fn foreign(&self) -> Vec<Route> {
        self.routes().iter().filter(|r| r.protocol != PROTOCOL && r.protocol != KERNEL).cloned().collect()
    }

    /// The addresses that faild laid.
    pub fn own_addresses(&self) -> impl Iterator<Item = &InterfaceAddress> {
        self.mirror.interfaces().iter().flat_map(|i| &i.addresses).filter(|a| a.protocol == PROTOCOL)
    }

    /// Whether the host takes packets for this address. IPv4 addresses of an interface that is down still serve.
    pub fn is_local(&self, address: &IpAddr) -> bool {
        let serves = |i: &Interface| i.up || address.is_ipv4();
        self.mirror.interfaces().iter().filter(|i| serves(i)).any(|i| has(i, address))
    }

    /// What there is to tell since the last time, less what got lost.
    pub fn notifications(&mut self) -> Vec<Notification> {
        let mut all = self.mirror.notifications();
        let lost = self.moods.lost_notification;
        all.retain(|_| !self.random.chance(lost));
        all
    }

    /// `ip link set NAME up|down`.
    pub fn set_up(&mut self, name: &str, up: bool) {
        self.mirror.set_up(name, up);
    }

    /// The cable.
    pub fn set_carrier(&mut self, name: &str, carrier: bool) {
        self.mirror.set_carrier(name, carrier);
    }

    /// Makes an interface, sets it up and gives it its addresses.
    pub fn create(&mut self, plan: &InterfacePlan) {
        if self.interface(&plan.name).is_some() {
            return;
        }
        self.mirror.create(&plan.name, InterfaceKind::Ethernet, Some(plan.mac));
        self.mirror.set_carrier(&plan.name, true);
        self.mirror.set_up(&plan.name, true);
        for prefix in &plan.addresses {
            self.add_address(&plan.name, *prefix);
        }
    }

    /// `ip link delete NAME`.
    pub fn delete(&mut self, name: &str) {
        self.mirror.delete(name);
    }

    /// `ip address add`, unless it is there.
    pub fn add_address(&mut self, name: &str, prefix: IpNet) {
        if let Some(interface) = self.interface(name).filter(|i| !has(i, &prefix.addr())).map(|i| i.index) {
            // What an administrator asks for and is refused is his affair.
            let _ = self.mirror.apply(&Operation::AddAddress { interface, address: plain_address(prefix) });
        }
    }

    /// `ip address del`.
    pub fn delete_address(&mut self, name: &str, prefix: IpNet) {
        if let Some(interface) = self.interface(name).map(|i| i.index) {
            let _ =
                self.mirror.apply(&Operation::DeleteAddress { interface, address: plain_address(prefix) });
        }
    }

    /// `ip route add` by somebody else, unless it is there.
    pub fn add_route(&mut self, plan: &RoutePlan) {
        if let Some(route) = self.route(plan).filter(|_| !self.stands(plan)) {
            let _ = self.mirror.apply(&Operation::AddRoute { route, prepend: false });
        }
    }

    /// `ip route del` by somebody else.
    pub fn delete_route(&mut self, plan: &RoutePlan) {
        if let Some(route) = self.route(plan) {
            let _ = self.mirror.apply(&Operation::DeleteRoute(route));
        }
    }

    /// `ip route flush proto 250`, both families.
    pub fn flush_own(&mut self) {
        for route in self.own_routes().cloned().collect::<Vec<_>>() {
            let _ = self.mirror.apply(&Operation::DeleteRoute(route));
        }
    }

    /// Whether a configured route stands.
    pub fn stands(&self, plan: &RoutePlan) -> bool {
        let wanted = self.route(plan);
        wanted.is_some_and(|w| self.routes().iter().any(|r| is_same(r, &w)))
    }

    fn route(&self, plan: &RoutePlan) -> Option<Route> {
        let interface = self.interface(&plan.interface)?.index;
        let metric = if plan.metric == 0 && plan.destination.addr().is_ipv6() { 1024 } else { plan.metric };
        Some(Route {
            key: RouteKey { table: MAIN_TABLE, destination: plan.destination, tos: 0, metric },
            protocol: plan.protocol,
            scope: 0,
            source: None,
            legs: vec![Leg { gateway: Some(plan.gateway), interface }],
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

fn refusal(errno: i32, name: &str) -> Refusal {
    Refusal { errno, text: format!("{name} by the simulator") }
}

fn plain_address(prefix: IpNet) -> InterfaceAddress {
    let is_link_local = matches!(prefix.addr(), IpAddr::V6(v6) if v6.is_unicast_link_local());
    InterfaceAddress {
        prefix,
        secondary: false,
        tentative: false,
        deprecated: false,
        permanent: true,
        protocol: 0,
        scope: if is_link_local { 253 } else { 0 },
        no_prefix_route: false,
        broadcast: None,
    }
}

/// RTPROT_KERNEL of rtnetlink(7): connected routes.
pub const KERNEL: u8 = 2;
