//! A namespace with two LANs, and what tests do in it.

use std::net::IpAddr;
use std::process::Command;

use faild::interface::{Interface, InterfaceAddress, InterfaceIndex};
use faild::kernel::{Kernel, Netlink, RECEIVE_BUFFER};
use faild::operation::{Operation, Place};
use faild::route::{Leg, MAIN_TABLE, PROTOCOL, Route, RouteKey, RouteType};
use nix::sched::{CloneFlags, unshare};

/// Runs a test in a thread with a new network namespace and the two LANs.
pub(crate) fn in_world(test: impl FnOnce(&mut World) + Send) {
    let body = || {
        unshare(CloneFlags::CLONE_NEWNET).expect("a network namespace: run this test as root");
        test(&mut World::new());
    };
    let result = std::thread::scope(|scope| scope.spawn(body).join());
    result.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
}

/// The namespace of the calling thread.
pub(crate) struct World {
    /// The room under test.
    pub(crate) kernel: Netlink,
}

impl World {
    fn new() -> Self {
        ip("link set lo up");
        for (lan, number) in [("A", 1), ("B", 2)] {
            ip(&format!("link add lan{lan} type veth peer name far{lan}"));
            // Link-local addresses would come late and be heard in the midst of a test.
            ip(&format!("link set lan{lan} addrgenmode none"));
            ip(&format!("link set far{lan} addrgenmode none up"));
            ip(&format!("link set lan{lan} up"));
            ip(&format!("addr add 10.{number}.0.1/24 broadcast + dev lan{lan}"));
            ip(&format!("-6 addr add fd00:{number}::1/64 dev lan{lan} nodad"));
        }
        Self { kernel: Netlink::open(RECEIVE_BUFFER).unwrap() }
    }

    pub(crate) fn interface(&mut self, name: &str) -> Interface {
        let all = self.kernel.interfaces().unwrap();
        all.into_iter().find(|interface| interface.name == name).unwrap()
    }

    pub(crate) fn index(&mut self, name: &str) -> InterfaceIndex {
        self.interface(name).index
    }

    /// A route of ours by one LAN.
    pub(crate) fn route(&mut self, destination: &str, gateway: &str, name: &str) -> Route {
        route(destination, Some(gateway), self.index(name))
    }

    /// Applies one operation.
    pub(crate) fn apply(&mut self, operation: Operation) -> Result<(), faild::operation::Refusal> {
        self.kernel.apply(&[operation]).pop().unwrap()
    }

    /// The routes over an interface that have this protocol.
    pub(crate) fn routes_over(&mut self, name: &str, protocol: u8) -> Vec<Route> {
        let index = self.index(name);
        let routes = self.kernel.routes_over(&[index], &[MAIN_TABLE]).unwrap();
        routes.into_iter().filter(|route| route.protocol == protocol).collect()
    }
}

/// A route of ours in the main table.
pub(crate) fn route(destination: &str, gateway: Option<&str>, interface: InterfaceIndex) -> Route {
    let gateway: Option<IpAddr> = gateway.map(|gateway| gateway.parse().unwrap());
    Route {
        key: RouteKey { table: MAIN_TABLE, destination: destination.parse().unwrap(), tos: 0, metric: 5 },
        protocol: PROTOCOL,
        scope: 0,
        source: None,
        legs: vec![Leg { gateway, interface, weight: 1 }],
        kind: RouteType::Unicast,
        nexthop_id: None,
        encapsulated: false,
        linkdown: false,
        attributes: Vec::new(),
        flags: 0,
    }
}

/// The operation that adds a route.
pub(crate) fn add(route: &Route) -> Operation {
    Operation::AddRoute { route: route.clone(), place: Place::Alone }
}

/// An address as faild would lay it.
pub(crate) fn address(prefix: &str) -> InterfaceAddress {
    InterfaceAddress { protocol: PROTOCOL, ..InterfaceAddress::new(prefix.parse().unwrap()) }
}

/// Runs `ip` in the namespace of the calling thread and returns what it printed.
pub(crate) fn ip(arguments: &str) -> String {
    let output = Command::new("ip").args(arguments.split_whitespace()).output().unwrap();
    assert!(output.status.success(), "ip {arguments}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}
