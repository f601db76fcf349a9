//! How a world begins: hosts, their addresses and their routes.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use faild::config::{Config, LanConfig};
use faild::interface::{Family, MacAddress};
use ipnet::IpNet;

use crate::kernel::{Blueprint, InterfacePlan, RoutePlan};
use crate::network::{NodeNumber, Weather};
use crate::node::Node;
use crate::random::Random;

/// How a world begins.
#[derive(Clone)]
pub struct Setup {
    /// Everything random follows from this.
    pub seed: u64,
    /// Hosts.
    pub nodes: usize,
    /// LANs; each host is on all of them.
    pub lans: usize,
    /// The families that have addresses.
    pub families: Vec<Family>,
    /// What chance does on each LAN.
    pub weather: Weather,
    /// Settings of all hosts.
    pub config: Config,
    /// These hosts only answer.
    pub responders: Vec<usize>,
    /// Hosts have static and DHCP routes whose gateways are their peers.
    pub routes: bool,
    /// What is different for single hosts.
    pub adjust: fn(usize, &mut Config),
    /// Neighbours are entered in the kernels' tables for good, as with `ip neighbour replace ... nud permanent`: no packet
    /// waits for an answer that got lost.
    pub known_neighbours: bool,
    /// Happenings are kept for a judge.
    pub watched: bool,
    /// Every line of the log is printed at once.
    pub traced: bool,
}

impl Default for Setup {
    /// Three requestors on two IPv4 LANs, defaults otherwise, watched.
    fn default() -> Self {
        Self {
            seed: 1,
            nodes: 3,
            lans: 2,
            families: vec![Family::V4],
            weather: Weather::default(),
            config: Config { requestor: true, ..Config::default() },
            responders: Vec::new(),
            routes: true,
            adjust: |_, _| {},
            known_neighbours: false,
            watched: true,
            traced: false,
        }
    }
}

/// A host that has just booted.
pub fn host(setup: &Setup, at: usize, random: Random) -> Node {
    let number = NodeNumber(u16::try_from(at).unwrap_or(u16::MAX));
    let interfaces: Vec<_> = (0..setup.lans).map(|lan| interface_plan(setup, at, lan)).collect();
    let routes = if setup.routes { route_plans(setup, at) } else { Vec::new() };
    let mut config = Config {
        requestor: setup.config.requestor && !setup.responders.contains(&at),
        lans: interfaces.iter().map(|i| lan_config(setup, i)).collect(),
        ..setup.config.clone()
    };
    (setup.adjust)(at, &mut config);
    Node::new(number, config, Blueprint { interfaces, routes }, random)
}

fn lan_config(setup: &Setup, interface: &InterfacePlan) -> LanConfig {
    LanConfig {
        ipv4: setup.families.contains(&Family::V4),
        ipv6: setup.families.contains(&Family::V6),
        ..LanConfig::new(&interface.name)
    }
}

fn interface_plan(setup: &Setup, node: usize, lan: usize) -> InterfacePlan {
    let mut addresses = Vec::new();
    if setup.families.contains(&Family::V4) {
        addresses.push(prefix(v4(lan, node), 16));
    }
    if setup.families.contains(&Family::V6) {
        let (l, n) = (word(lan), word(node) + 1);
        addresses.push(prefix(Ipv6Addr::new(0xfd77, l, 0, 0, 0, 0, 0, n).into(), 64));
        addresses.push(prefix(Ipv6Addr::new(0xfe80, 0, 0, 0, 0x77, l, 0, n).into(), 64));
    }
    let [high, low] = (word(node) + 1).to_be_bytes();
    let mac = MacAddress([2, 0, 0, word(lan).to_be_bytes()[1], high, low]);
    InterfacePlan { name: format!("lan{lan}"), mac, addresses }
}

/// A static route by the next node, and a default route by another one that DHCP looks after.
fn route_plans(setup: &Setup, node: usize) -> Vec<RoutePlan> {
    if !setup.families.contains(&Family::V4) || setup.nodes < 2 {
        return Vec::new();
    }
    let gateway = |distance: usize| v4(0, (node + distance) % setup.nodes);
    let plan = |destination, gateway, metric, protocol| RoutePlan {
        destination,
        gateway,
        interface: "lan0".to_owned(),
        metric,
        protocol,
    };
    let mut routes = vec![plan(prefix(Ipv4Addr::new(192, 0, 2, 0).into(), 24), gateway(1), 0, STATIC)];
    if setup.nodes > 2 {
        routes.push(plan(prefix(Ipv4Addr::UNSPECIFIED.into(), 0), gateway(2), 100, DHCP));
    }
    routes
}

fn v4(lan: usize, node: usize) -> IpAddr {
    let byte = |n: usize| u8::try_from(n).unwrap_or(u8::MAX);
    Ipv4Addr::new(10, byte(100 + lan), byte(node / 250), byte(node % 250 + 1)).into()
}

fn prefix(address: IpAddr, length: u8) -> IpNet {
    IpNet::new_assert(address, length)
}

fn word(number: usize) -> u16 {
    u16::try_from(number).unwrap_or(u16::MAX)
}

/// rtnetlink(7).
const STATIC: u8 = 4;

/// rtnetlink(7).
pub const DHCP: u8 = 16;
