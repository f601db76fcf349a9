//! What moving 10,000 routes costs, against the same messages sent raw in batches of 64; and what listing them costs.
//!
//! In a network namespace of its own; root is needed.

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on has failed")]

use std::net::IpAddr;
use std::process::Command;

use criterion::Criterion;
use faild::kernel::{Kernel, Netlink, RECEIVE_BUFFER};
use faild::operation::{Operation, Place};
use faild::route::{Leg, MAIN_TABLE, PROTOCOL, Route, RouteKey, RouteType};
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};
use nix::sched::{CloneFlags, unshare};

fn main() {
    unshare(CloneFlags::CLONE_NEWNET).unwrap();
    for arguments in ["link add lan type veth peer name far", "link set far up", "link set lan up"] {
        ip(arguments);
    }
    ip("addr add 10.2.0.1/24 dev lan");
    let mut criterion = Criterion::default().configure_from_args().sample_size(20);
    let mut kernel = Netlink::open(RECEIVE_BUFFER).unwrap();
    let interface = kernel.interfaces().unwrap().into_iter().find(|i| i.name == "lan").unwrap().index;
    let routes: Vec<Route> =
        (0..ROUTES).map(|n| route(n, Leg { gateway: GATEWAY, interface, weight: 1 })).collect();
    let add = |route: &Route| Operation::AddRoute { route: route.clone(), place: Place::Alone };
    let adds: Vec<Operation> = routes.iter().map(add).collect();
    let deletes: Vec<Operation> = routes.iter().cloned().map(Operation::DeleteRoute).collect();

    criterion.bench_function("apply: 10,000 routes added and deleted", |bencher| {
        bencher.iter(|| {
            assert!(kernel.apply(&adds).iter().all(Result::is_ok));
            assert!(kernel.apply(&deletes).iter().all(Result::is_ok));
        });
    });
    let raw = Raw::new();
    let batches: Vec<Vec<u8>> = [24, 25].iter().flat_map(|kind| raw_batches(*kind, interface.0)).collect();
    criterion.bench_function("raw: 10,000 routes added and deleted", |bencher| {
        bencher.iter(|| batches.iter().for_each(|batch| raw.exchange(batch)));
    });
    assert!(kernel.apply(&adds).iter().all(Result::is_ok));
    criterion.bench_function("own_routes: 10,000", |bencher| {
        bencher.iter(|| assert_eq!(kernel.own_routes().unwrap().len(), adds.len()));
    });
    criterion.bench_function("links: one", |bencher| {
        bencher.iter(|| kernel.links(&[interface]).unwrap());
    });
    criterion.final_summary();
}

/// A socket that does no more than it must.
struct Raw(Socket);

impl Raw {
    fn new() -> Self {
        let mut socket = Socket::new(NETLINK_ROUTE).unwrap();
        socket.bind_auto().unwrap();
        Self(socket)
    }

    fn exchange(&self, batch: &[u8]) {
        self.0.send_to(batch, &SocketAddr::new(0, 0), 0).unwrap();
        let mut answer = Vec::with_capacity(4096);
        self.0.recv(&mut answer, 0).unwrap();
        assert_eq!(answer[16..20], [0; 4]);
    }
}

fn raw_batches(kind: u16, interface: u32) -> Vec<Vec<u8>> {
    let all: Vec<u32> = (0..ROUTES).collect();
    all.chunks(64)
        .map(|some| {
            let last = some.len() - 1;
            some.iter().enumerate().flat_map(|(at, n)| message(kind, *n, interface, at == last)).collect()
        })
        .collect()
}

fn message(kind: u16, number: u32, interface: u32, is_last: bool) -> Vec<u8> {
    let mut bytes = 60_u32.to_ne_bytes().to_vec();
    let flags: u16 = if kind == 24 { 0x601 } else { 0x001 } | if is_last { 4 } else { 0 };
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(flags.to_ne_bytes());
    bytes.extend([0; 8]);
    bytes.extend([2, 32, 0, 0, 254, PROTOCOL, 0, 1, 0, 0, 0, 0]);
    let attributes: [(u16, [u8; 4]); 4] = [
        (1, (FIRST + number).to_be_bytes()),
        (6, 5_u32.to_ne_bytes()),
        (5, [10, 2, 0, 2]),
        (4, interface.to_ne_bytes()),
    ];
    for (kind, payload) in attributes {
        bytes.extend(8_u16.to_ne_bytes());
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(payload);
    }
    bytes
}

fn route(number: u32, leg: Leg) -> Route {
    let destination = IpAddr::from((FIRST + number).to_be_bytes()).into();
    Route {
        key: RouteKey { table: MAIN_TABLE, destination, tos: 0, metric: 5 },
        protocol: PROTOCOL,
        scope: 0,
        source: None,
        legs: vec![leg],
        kind: RouteType::Unicast,
        nexthop_id: None,
        encapsulated: false,
        linkdown: false,
        attributes: Vec::new(),
        flags: 0,
    }
}

fn ip(arguments: &str) {
    assert!(Command::new("ip").args(arguments.split(' ')).status().unwrap().success());
}

const ROUTES: u32 = 10_000;
const FIRST: u32 = 0x0b00_0000;
const GATEWAY: Option<IpAddr> = Some(IpAddr::V4(std::net::Ipv4Addr::new(10, 2, 0, 2)));
