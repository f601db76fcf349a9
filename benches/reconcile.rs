//! What it costs to reconcile: 1,000 peers on two LANs, 10,000 routes. The kernel says yes to everything at once, so
//! what is measured is derivation, difference and bookkeeping. A raw netlink batch takes about 2.5 us a route (Linux
//! 6.18); this is to be a small fraction of it.

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use ipnet::{IpNet, Ipv4Net};

use faild::config::Config;
use faild::engine::{NextHop, Plan, Subject, Verdict};
use faild::interface::{Interface, InterfaceAddress, InterfaceIndex};
use faild::reconcile::{Dump, Input, Mirror, Output, Reconciler, Settings};
use faild::route::{Leg, MAIN_TABLE, PROTOCOL, Route, RouteKey, RouteType};
use faild::time::Instant;

const PEERS: u16 = 1_000;
const ROUTES: u16 = 10_000;
const NOW: Instant = Instant::from_nanos(1_000_000_000_000);

fn reconcile(c: &mut Criterion) {
    let (kernel, plan) = (kernel(), plan());
    let core = started(&kernel, &plan);

    let mut group = c.benchmark_group("reconcile");
    group.throughput(Throughput::Elements(u64::from(ROUTES)));
    let away = with(&plan, 0, &Verdict::Detour(way(0)));
    group.bench_function("10,000 routes leave by a detour", |b| {
        b.iter_batched_ref(|| core.clone(), |core| black_box(carry_out(core, &away)), BatchSize::LargeInput);
    });
    let mut moved = core.clone();
    carry_out(&mut moved, &away);
    group.bench_function("10,000 routes come home", |b| {
        b.iter_batched_ref(|| moved.clone(), |core| black_box(carry_out(core, &plan)), BatchSize::LargeInput);
    });
    group.finish();

    let mut group = c.benchmark_group("reconcile one of 1,000 peers");
    let one = with(&plan, 500, &Verdict::Detour(way(500)));
    group.bench_function("leaves", |b| {
        b.iter_batched_ref(|| core.clone(), |core| black_box(carry_out(core, &one)), BatchSize::LargeInput);
    });
    let own = dump(&kernel, |r| r.protocol == PROTOCOL);
    group.bench_function("and a look at our routes", |b| {
        b.iter_batched(
            || (core.clone(), own.clone()),
            |(mut core, own)| {
                core.handle(NOW, Input::OwnRoutes(own));
                core
            },
            BatchSize::LargeInput,
        );
    });
    let all = dump(&kernel, |_| true);
    group.bench_function("and a look at 10,000 routes", |b| {
        b.iter_batched(
            || (core.clone(), all.clone()),
            |(mut core, all)| {
                core.handle(NOW, Input::LanRoutes(all));
                core
            },
            BatchSize::LargeInput,
        );
    });
    group.finish();

    let mut group = c.benchmark_group("reconcile learns");
    let fresh: Vec<Route> = (0..64).map(|n| route(learned(n))).collect();
    group.throughput(Throughput::Elements(64));
    group.bench_function("64 routes one by one, beside 10,000", |b| {
        b.iter_batched(|| (core.clone(), fresh.clone()), learn, BatchSize::LargeInput);
    });
    let refused: Vec<Route> = (0..64).map(refused).collect();
    group.bench_function("64 refused hosts one by one, beside 10,000 overlays", |b| {
        b.iter_batched(|| (moved.clone(), refused.clone()), learn, BatchSize::LargeInput);
    });
    group.throughput(Throughput::Elements(u64::from(ROUTES)));
    group.bench_function("10,000 routes at the start", |b| {
        b.iter(|| started(&kernel, &plan));
    });
    group.finish();
}

/// Notifications of new routes; the bytes that are to be written because of them.
fn learn((mut core, routes): (Reconciler, Vec<Route>)) -> Reconciler {
    for route in routes {
        core.handle(NOW, Input::RouteAdded(route));
        while let Some(output) = core.next_output() {
            black_box(output);
        }
    }
    core
}

fn learned(number: u8) -> IpNet {
    Ipv4Net::new_assert(Ipv4Addr::new(198, 18, number, 0), 24).into()
}

/// What a program adds that blocks hosts.
fn refused(number: u8) -> Route {
    let host = Ipv4Net::new_assert(Ipv4Addr::new(198, 18, 0, number), 32);
    Route { legs: Vec::new(), kind: RouteType::Blackhole, ..route(host.into()) }
}

/// Hands in a plan and plays a kernel that accepts everything; returns how many operations it took.
fn carry_out(core: &mut Reconciler, plan: &Plan) -> usize {
    core.handle(NOW, Input::Plan(plan));
    let mut count = 0;
    while let Some(output) = core.next_output() {
        if let Output::Apply(batch) = output {
            let results = batch.carry_out(|operations| {
                count += operations.len();
                vec![Ok(()); operations.len()]
            });
            core.handle(NOW, Input::Results(results));
        }
    }
    count
}

/// A reconciler that has seen everything, with all at home.
fn started(kernel: &Mirror, plan: &Plan) -> Reconciler {
    let mut core = Reconciler::new(Settings::from(&Config::default()), None);
    core.handle(NOW, Input::Plan(plan));
    while let Some(output) = core.next_output() {
        match output {
            Output::Dump(Dump::Interfaces) => {
                let interfaces: Vec<Interface> = kernel.interfaces().cloned().collect();
                core.handle(NOW, Input::Interfaces(&interfaces));
            }
            Output::Dump(Dump::OwnRoutes) => {
                core.handle(NOW, Input::OwnRoutes(dump(kernel, |r| r.protocol == PROTOCOL)));
            }
            Output::Dump(Dump::LanRoutes) => core.handle(NOW, Input::LanRoutes(dump(kernel, |_| true))),
            Output::Apply(_)
            | Output::LookUp(_)
            | Output::Ask(_)
            | Output::Journal(_)
            | Output::Outcome(..)
            | Output::Adopted { .. }
            | Output::Found(_)
            | Output::Notice(_) => {}
        }
    }
    core
}

fn dump(kernel: &Mirror, wanted: impl Fn(&Route) -> bool) -> Vec<Route> {
    kernel.routes().iter().filter(|r| wanted(r)).map(|r| Route::clone(r)).collect()
}

fn peer(lan: u8, number: u16) -> IpAddr {
    let [high, low] = (number + 2).to_be_bytes();
    Ipv4Addr::new(10, lan, high, low).into()
}

fn way(number: u16) -> NextHop {
    NextHop { interface: "eth1".to_owned(), via: peer(1, number) }
}

fn plan() -> Plan {
    let subject = |lan: u8, n: u16| Subject { home: format!("eth{lan}").into(), address: peer(lan, n) };
    let subjects = (0..2).flat_map(|lan| (0..PEERS).map(move |n| (subject(lan, n), Verdict::Home)));
    Plan { subjects: subjects.collect(), lans: vec!["eth0".to_owned(), "eth1".to_owned()] }
}

fn with(plan: &Plan, number: u16, verdict: &Verdict) -> Plan {
    let mut plan = plan.clone();
    plan.subjects.insert(Subject { home: "eth0".into(), address: peer(0, number) }, verdict.clone());
    plan
}

/// 10,000 routes whose gateway is the first peer.
fn kernel() -> Mirror {
    let mut kernel = Mirror::default();
    for lan in 0..2 {
        kernel.add_interface(interface(lan));
    }
    for number in 0..ROUTES {
        let [high, low] = number.to_be_bytes();
        let destination = Ipv4Net::new_assert(Ipv4Addr::new(172, 16 + high / 16, low, (high % 16) << 4), 28);
        let route = route(destination.into());
        kernel
            .add_route(&route, faild::reconcile::mirror::Insert::Exclusive)
            .expect("a route that is accepted");
    }
    kernel
}

fn route(destination: IpNet) -> Route {
    Route {
        key: RouteKey { table: MAIN_TABLE, destination, tos: 0, metric: 100 },
        protocol: 4,
        scope: 0,
        source: None,
        legs: vec![Leg { gateway: Some(peer(0, 0)), interface: InterfaceIndex(2), weight: 1 }],
        kind: RouteType::Unicast,
        nexthop_id: None,
        encapsulated: false,
        linkdown: false,
        attributes: vec![0; 44],
        flags: 0,
    }
}

fn interface(lan: u8) -> Interface {
    let address = InterfaceAddress::new(Ipv4Net::new_assert(Ipv4Addr::new(10, lan, 0, 1), 16).into());
    Interface {
        addresses: vec![address],
        ..Interface::new(InterfaceIndex(u32::from(lan) + 2), &format!("eth{lan}"))
    }
}

criterion_group!(benches, reconcile);
criterion_main!(benches);
