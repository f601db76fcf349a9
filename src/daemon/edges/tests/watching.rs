//! The watch wired in: next hops on the loopback interface of the test's own namespace, which answers echoes.

use std::net::Ipv4Addr;

use super::*;
use crate::config::{Judging, NextHopConfig, NextHops, RouteConfig};
use crate::interface::InterfaceAddress;
use crate::scratch::needs_root;
use crate::watch::{HopState, Way};

const GATEWAY: Ipv4Addr = Ipv4Addr::new(10, 88, 0, 254);

#[test]
fn without_destinations_and_groups_there_is_no_watch() {
    needs_root!();
    let mut bench = Bench::new();
    bench.edges.tell(bench.moment.now, Input::FailBack);
    assert!(!bench.edges.core.is_watching());
    assert_eq!((bench.edges.core.watch().deadline(), bench.edges.probers.sockets()), (None, 0));
}

#[test]
fn the_watch_is_told_what_is_there_and_its_plan_is_handed_over() {
    needs_root!();
    let bench = watching(&["lan-a"]);
    assert!(bench.edges.core.is_watching());
    assert_eq!(bench.edges.core.reconciler().scope().interfaces, ["lan-a"]);
    assert!(bench.edges.core.cares_for("lan-a"), "its sysctls and its carrier matter");
}

#[test]
fn an_interface_of_next_hops_is_no_lan_and_its_carrier_is_asked_for_all_the_same() {
    needs_root!();
    let mut bench = watching(&["lan-a"]);
    assert!(bench.edges.core.peers().plan().lans.is_empty());
    bench.done();
    bench.script.borrow_mut().interfaces[0].carrier = false;
    bench.pass(Duration::from_millis(250));
    assert_eq!(bench.done(), ["links"]);
    let shown = bench.edges.core.watch().snapshot(bench.moment.now);
    assert_eq!(shown.routes[0].hops[0].state, HopState::Down);
}

#[test]
fn its_deadline_is_kept_and_a_probe_that_cannot_be_sent_is_a_lost_one() {
    needs_root!();
    let mut bench = watching(&["lan-a"]);
    let watch = bench.edges.core.watch().deadline().expect("it probes");
    assert!(bench.edges.deadline().is_some_and(|at| at <= watch));
    for _ in 0..20 {
        bench.pass(Duration::from_millis(500));
    }
    assert!(bench.edges.probers.counters().refused > 3, "lan-a is no interface of this namespace");
    let shown = bench.edges.core.watch().snapshot(bench.moment.now);
    assert_eq!(shown.routes[0].way, Way::Undecided, "when everything is silent nothing moves");
}

#[test]
fn neighbours_are_listed_after_everything_else_that_waits_and_once() {
    needs_root!();
    let mut bench = watching(&["lan-a"]);
    bench.edges.errands.clear();
    bench.done();
    let errand = Errand::Neighbours(InterfaceIndex(1));
    bench.edges.errands.extend([Errand::Dump(Dump::OwnRoutes), errand]);
    bench.edges.run_errands(bench.moment.now);
    assert_eq!(bench.done()[..2], ["own routes", "neighbours"]);
}

#[test]
fn settings_without_destinations_end_it() {
    needs_root!();
    let mut bench = watching(&["lan-a"]);
    let now = bench.moment.now;
    offer(&bench, |config| config.routes.clear());
    bench.edges.reload(now, FOR_GOOD).unwrap();
    assert!(!bench.edges.core.is_watching() && bench.edges.core.probed().next().is_none());
    assert!(bench.edges.core.reconciler().scope().interfaces.iter().all(|name| name == "lan-a"));
    assert_eq!((bench.edges.core.watch().deadline(), bench.edges.probers.sockets()), (None, 0));
    offer(&bench, |config| config.routes = vec![route(&["lan-a"])]);
    bench.edges.reload(now, FOR_GOOD).unwrap();
    assert!(bench.edges.core.is_watching() && bench.edges.core.watch().deadline().is_some());
}

#[test]
fn the_state_names_hops_and_targets() {
    needs_root!();
    let bench = watching(&["lan-a", "lan-b"]);
    let shown = bench.edges.core.watch().snapshot(bench.moment.now).to_string();
    let starts = |start: &str| shown.lines().filter(|line| line.starts_with(start)).count();
    assert_eq!(
        (starts("dump-route to=0.0.0.0/0 "), starts("dump-next-hop "), starts("dump-target ")),
        (1, 2, 2)
    );
    assert!(shown.contains("interface=lan-b via=10.88.0.254 rank=2"), "{shown}");
}

/// A core whose default route may go by these interfaces.
fn watching(interfaces: &[&str]) -> Bench {
    bench(vec![route(interfaces)])
}

fn bench(routes: Vec<RouteConfig>) -> Bench {
    let mut bench = Bench::with(Config { routes, ..Config::default() });
    // The bench names its LAN; here nobody does.
    offer(&bench, |config| config.lans.clear());
    bench.script.borrow_mut().interfaces[0].addresses.push(address());
    bench.edges.reload(bench.moment.now, FOR_GOOD).unwrap();
    bench
}

fn offer(bench: &Bench, change: impl FnOnce(&mut Config)) {
    if let Ok(loaded) = &mut *bench.offer.borrow_mut() {
        change(&mut loaded.config);
    }
}

fn route(interfaces: &[&str]) -> RouteConfig {
    let hop = |(number, interface): (u8, &&str)| NextHopConfig {
        interface: (*interface).to_owned(),
        via: Some(GATEWAY.into()),
        rank: number,
        weight: 1,
    };
    RouteConfig {
        destination: "0.0.0.0/0".parse().unwrap(),
        table: 254,
        next_hops: NextHops::Listed((1..).zip(interfaces).map(hop).collect()),
        judging: Judging::default(),
    }
}

fn address() -> InterfaceAddress {
    InterfaceAddress::new("10.88.0.1/24".parse().unwrap())
}
