//! Who is asked.

use std::net::IpAddr;

use super::world::*;
use crate::config::TargetConfig;
use crate::interface::{Family, InterfaceIndex};
use crate::packet::{Answer, ProbeId};
use crate::time::Instant;
use crate::watch::groups::targets::{Kind, Status, Target, Targets};
use crate::watch::{Found, GroupState, MemberState, Mode, Output};

fn addresses(world: &World, name: &str) -> Vec<IpAddr> {
    let mut addresses: Vec<IpAddr> = world.targets(name).iter().map(|target| target.address).collect();
    addresses.sort_unstable();
    addresses
}

/// Members with link-local addresses only, and nobody in the routing table.
fn ipv6_hosts(hosts: &[u16]) -> World {
    let mut setup = Setup::abs();
    setup.with_ipv6(v6(0xff));
    setup.without_test_addresses();
    setup.without_routers();
    setup.hosts.extend(hosts.iter().map(|host| (v6(*host), Host::new())));
    setup.start()
}

#[test]
fn next_hops_of_one_members_routes_are_asked_by_all_members() {
    let mut world = Setup::abs().start();
    world.run(s(3));
    for name in ["a", "b", "s"] {
        assert_eq!(addresses(&world, name), [ROUTER]);
        let instance = world.instance(name, Family::V4);
        assert_eq!((instance.mode, instance.test_address.is_some()), (Mode::Routes, true));
    }
}

#[test]
fn hosts_that_die_are_forgotten_and_new_ones_that_answer_prove_the_repair() {
    let mut world = ipv6_hosts(&[1, 2]);
    world.run(s(20));
    assert_eq!(addresses(&world, "a"), [v6(1), v6(2)], "{}", world.text());
    assert_eq!(world.instance("a", Family::V6).mode, Mode::Multicast);
    let plan = world.watch.plan().clone();
    world.hosts.clear();
    world.run_until(s(15), |world| world.group_state() == GroupState::Failed);
    assert!(world.targets("a").is_empty() && world.targets("b").is_empty());
    world.hosts.insert(v6(9), Host::new());
    world.run(s(3));
    for name in ["a", "b", "s"] {
        assert_eq!(addresses(&world, name), [v6(9)]);
        assert_eq!(world.state(name), MemberState::Failed);
    }
    world.run(s(20));
    assert_eq!((world.group_state(), usable(&world)), (GroupState::Ok, 1));
    assert_eq!(*world.watch.plan(), plan);
}

#[test]
fn everybody_is_asked_at_each_interval_while_nobody_is_known() {
    let mut world = ipv6_hosts(&[]);
    world.run(s(60));
    let asked = world.probes.iter().filter(|(_, probe)| probe.target.is_multicast());
    let by_a = asked.filter(|(_, probe)| probe.interface == InterfaceIndex(2)).count();
    assert!((40..=44).contains(&by_a), "{by_a}");
}

#[test]
fn with_a_single_host_others_are_looked_for_all_the_time() {
    let mut world = ipv6_hosts(&[1]);
    world.run(s(20));
    world.hosts.insert(v6(2), Host::new());
    world.run(s(3));
    assert_eq!(addresses(&world, "a"), [v6(1), v6(2)]);
    let since = world.now;
    world.run(s(20));
    let asked = world.probes.iter().filter(|(at, probe)| *at > since && probe.target.is_multicast());
    assert_eq!(asked.count(), 0, "two are enough");
}

#[test]
fn at_most_five_hosts_are_kept() {
    let mut world = ipv6_hosts(&[1, 2, 3, 4, 5, 6, 7, 8]);
    world.run(s(20));
    assert_eq!(world.targets("a").len(), 5);
}

#[test]
fn neighbours_of_the_kernel_become_targets_when_they_answer() {
    let mut setup = Setup::abs();
    setup.without_routers();
    let mut world = setup.start();
    world.hosts.insert(v4(100), Host::new());
    world.neighbours = vec![v4(99), v4(100), v4(2), "192.0.2.1".parse().unwrap()];
    world.run(s(10));
    for name in ["a", "b", "s"] {
        assert_eq!(addresses(&world, name), [v4(100)], "neither who is silent, nor ourselves, nor strangers");
        assert_eq!(world.state(name), MemberState::Ok);
    }
    assert!(!world.probes.iter().any(|(_, probe)| probe.target == v4(2)));
}

#[test]
fn of_many_neighbours_all_are_tried() {
    let mut setup = Setup::abs();
    setup.without_routers();
    let mut world = setup.start();
    world.neighbours = (100..116).map(v4).collect();
    world.hosts.insert(v4(115), Host::new());
    world.run(s(15));
    assert_eq!(addresses(&world, "a"), [v4(115)]);
}

#[test]
fn a_router_takes_the_place_of_hosts() {
    let mut setup = Setup::abs();
    setup.without_routers();
    let mut world = setup.start();
    world.hosts.insert(v4(100), Host::new());
    world.neighbours = vec![v4(100)];
    world.run(s(10));
    world.hosts.insert(ROUTER, Host::new());
    world.routes.push(route(InterfaceIndex(3), ROUTER));
    world.show_routes();
    assert_eq!(addresses(&world, "a"), [ROUTER]);
    assert_eq!(world.state("a"), MemberState::Ok);
}

#[test]
fn a_router_without_a_route_is_forgotten_but_not_while_the_group_has_failed() {
    let mut world = Setup::abs().start();
    world.run(s(20));
    let routes = std::mem::take(&mut world.routes);
    world.show_routes();
    assert!(world.targets("a").is_empty());
    assert_eq!(world.state("a"), MemberState::Unknown);
    world.routes = routes;
    world.show_routes();
    world.run(s(5));
    world.host(ROUTER).alive = false;
    world.run_until(s(15), |world| world.group_state() == GroupState::Failed);
    world.routes.clear();
    world.show_routes();
    assert_eq!(addresses(&world, "a"), [ROUTER]);
    world.host(ROUTER).alive = true;
    world.run(s(25));
    assert_eq!(world.group_state(), GroupState::Ok, "{}", world.text());
    world.show_routes();
    assert!(world.targets("a").is_empty(), "the repair is proven");
}

#[test]
fn a_router_whose_route_went_with_its_interface_still_proves_the_repair() {
    let mut world = Setup::abs().start();
    world.run(s(20));
    world.interface("a").up = false;
    world.routes.clear();
    world.set_carrier("a", false);
    world.show_routes();
    assert_eq!((addresses(&world, "a"), addresses(&world, "b")), (vec![ROUTER], vec![ROUTER]));
    assert_eq!(world.moved(), "a>s");
    world.interface("a").up = true;
    world.set_carrier("a", true);
    world.run(s(5));
    assert_eq!(world.state("a"), MemberState::Failed);
    world.run(s(20));
    assert_eq!(world.state("a"), MemberState::Ok);
}

#[test]
fn next_hops_that_are_not_on_the_link_of_the_test_address_are_not_asked() {
    let mut setup = Setup::abs();
    setup.router("192.0.2.1".parse().unwrap(), 1);
    let world = setup.start();
    assert_eq!(addresses(&world, "a"), [ROUTER]);
}

#[test]
fn a_connected_route_says_what_is_on_the_link_where_no_address_does() {
    let mut setup = Setup::abs();
    setup.interfaces.iter_mut().for_each(|interface| {
        interface.addresses.remove(0);
    });
    let mut world = setup.start();
    assert!(world.targets("b").is_empty());
    world.routes.push(Found {
        destination: "10.0.0.0/24".parse().unwrap(),
        gateway: None,
        ..route(InterfaceIndex(2), ROUTER)
    });
    world.show_routes();
    assert_eq!(addresses(&world, "b"), [ROUTER]);
}

#[test]
fn ipv6_targets_are_link_local_next_hops() {
    let mut setup = Setup::abs();
    setup.with_ipv6(v6(0xff));
    setup.router("2001:db8::1".parse().unwrap(), 0);
    let world = setup.start();
    let instance = world.instance("b", Family::V6);
    assert_eq!(instance.targets.iter().map(|target| target.address).collect::<Vec<_>>(), [v6(0xff)]);
    assert_eq!(instance.test_address, Some(v6(12)));
}

#[test]
fn configured_targets_come_after_routers_and_instead_of_hosts() {
    let mut setup = Setup::abs();
    setup.configured(v4(200));
    let mut world = setup.start();
    assert_eq!(addresses(&world, "a"), [v4(200), ROUTER]);
    let order: Vec<IpAddr> = world.targets("a").iter().map(|target| target.address).collect();
    assert_eq!(order, [ROUTER, v4(200)]);
    assert_eq!(world.target("a", v4(200)).name, "host 10.0.0.200");
    world.host(ROUTER).alive = false;
    world.run(s(100));
    assert_eq!(world.group_state(), GroupState::Ok, "{}", world.text());
    world.routes.clear();
    world.show_routes();
    assert_eq!(addresses(&world, "a"), [v4(200)]);
    assert_eq!(world.instance("a", Family::V4).mode, Mode::Routes);
}

#[test]
fn routers_have_the_places_of_configured_targets() {
    let mut setup = Setup::abs();
    setup.without_routers();
    (200..206).for_each(|host| setup.configured(v4(host)));
    let mut world = setup.start();
    world.run(s(60));
    let asked = |world: &World, since: Instant| {
        let sent = world.sent("a", since);
        sent.iter().map(|(_, probe)| probe.target).collect::<std::collections::BTreeSet<_>>()
    };
    let first_five: Vec<IpAddr> = (200..205).map(v4).collect();
    assert!(asked(&world, Instant::default()).iter().eq(&first_five));
    world.hosts.insert(ROUTER, Host::new());
    world.routes.push(route(InterfaceIndex(2), ROUTER));
    world.show_routes();
    let since = world.now;
    world.run(s(60));
    let with_router: Vec<IpAddr> = (200..204).chain([254]).map(v4).collect();
    assert!(asked(&world, since).iter().eq(&with_router), "{:?}", asked(&world, since));
}

#[test]
fn targets_are_asked_in_turn() {
    let mut setup = Setup::abs();
    setup.without_routers();
    (201..204).for_each(|host| setup.router(v4(host), 0));
    let mut world = setup.start();
    world.run(s(20));
    let sent = world.sent("b", Instant::default());
    let turn: Vec<IpAddr> = sent.iter().map(|(_, probe)| probe.target).take(6).collect();
    assert_eq!(turn, [201, 202, 203, 201, 202, 203].map(v4));
    let numbers: Vec<u16> = sent.iter().map(|(_, probe)| probe.sequence).take(6).collect();
    assert_eq!(numbers, [1, 2, 3, 4, 5, 6]);
}

#[test]
fn no_table_grows_without_end() {
    let mut setup = Setup::abs();
    (50..250).for_each(|host| setup.router(v4(host), 0));
    (20..50).for_each(|host| {
        setup.group().targets.push(TargetConfig { name: String::new(), address: v4(host) });
    });
    let mut world = setup.start();
    assert_eq!(world.targets("a").len(), 16);
    world.run(s(10));
    world.routes.clear();
    world.config.groups[0].targets.clear();
    world.reload();
    world.neighbours = (20..220).map(v4).collect();
    world.run(s(60));
    let group = &world.watch.groups.groups[0];
    assert_eq!(group.surroundings.neighbours(|_| true).count(), 3 * 16);
    assert!(
        world.watch.groups.groups[0]
            .members
            .iter()
            .all(|member| { member.instances.values().all(|instance| instance.ring.iter().count() <= 52) })
    );
}

#[test]
fn answers_that_are_none_are_counted_and_change_nothing() {
    let mut world = Setup::abs().start();
    world.cut("a", true);
    world.run(s(30));
    let (_, probe) = world.sent("a", Instant::default()).pop().unwrap();
    let good = Answer { id: probe.id, interface: probe.interface, from: ROUTER, arrived: world.now };
    world.forge(Answer { from: v4(77), ..good });
    world.forge(Answer { interface: InterfaceIndex(3), ..good });
    world.forge(Answer { id: ProbeId(1), ..good });
    assert_eq!((world.instance("a", Family::V4).invalid, world.target("a", ROUTER).good), (2, 0));
    world.forge(good);
    world.forge(good);
    assert_eq!((world.instance("a", Family::V4).invalid, world.target("a", ROUTER).good), (3, 1));
}

#[test]
fn a_late_answer_within_the_window_makes_good_the_loss() {
    let mut world = Setup::abs().start();
    world.host(ROUTER).delay = ms(2500);
    world.run(s(10));
    let recent = world.watch.snapshot(world.now).recent;
    let of =
        |sequence| recent.iter().filter(move |record| record.interface == "a" && record.sequence == sequence);
    let fates: Vec<bool> = of(1).map(|record| record.round_trip.is_some()).collect();
    assert_eq!(fates, [false, true], "lost, then answered");
    world.run(s(120));
    assert_eq!(world.told(EventName::GroupFailed), 0, "{}", world.text());
}

#[test]
fn links_are_looked_at_afresh_when_a_probe_is_lost() {
    let mut world = Setup::abs().start();
    world.run(s(20));
    // Notices of links are held back: only a fresh look shows it.
    world.interface("a").carrier = false;
    world.run_until(s(5), |world| world.state("a") == MemberState::Failed);
    let down = Notice::LinkDown { interface: "a".to_owned() };
    assert!(world.notices.iter().any(|(_, notice)| *notice == down), "{}", world.text());
}

#[test]
fn each_probe_that_is_answered_or_lost_is_recorded() {
    let mut world = Setup::abs().start();
    world.run(s(10));
    world.cut("a", true);
    world.run(s(5));
    let recent = world.watch.snapshot(world.now).recent;
    let of_a: Vec<_> = recent.iter().filter(|record| record.interface == "a").collect();
    let answered = of_a.iter().filter(|record| record.round_trip == Some(ms(1))).count();
    let lost = of_a.iter().filter(|record| record.round_trip.is_none()).count();
    assert!(answered >= 6 && (2..=4).contains(&lost), "{answered} {lost}");
    let numbers: Vec<u16> = of_a.iter().map(|record| record.sequence).collect();
    assert!(numbers.iter().copied().eq(1..=u16::try_from(of_a.len()).unwrap()), "{numbers:?}");
    assert!(of_a.last().unwrap().average.is_some());
}

#[test]
fn when_all_are_left_out_the_best_three_are_tried() {
    let at = |seconds: u64| Instant::from_nanos(seconds * 1_000_000_000);
    let mut targets = Targets::default();
    targets.set_named((201..207).map(|n| Target::new(v4(n), String::new(), Kind::Router)).collect());
    assert_eq!(targets.active().count(), 5);
    for (n, seconds) in [(201, 0), (202, 10), (203, 100), (204, 101), (205, 102)] {
        let since = at(seconds);
        let status = if n == 203 { Status::Slow { since } } else { Status::Dead { since } };
        targets.drop_out(v4(n), at(102), status);
    }
    assert_eq!(targets.active().map(|target| target.address).collect::<Vec<_>>(), [v4(206)]);
    targets.drop_out(v4(206), at(103), Status::Dead { since: at(103) });
    let tried: Vec<IpAddr> = targets.active().map(|target| target.address).collect();
    assert_eq!(tried, [v4(201), v4(202), v4(203)], "a slow one before the dead, then who had its minute");
}

#[test]
fn a_member_whose_address_comes_late_asks_whom_the_others_found() {
    let mut setup = Setup::abs();
    setup.with_ipv6(v6(0xff));
    setup.without_test_addresses();
    setup.without_routers();
    let late = setup.interfaces[1].addresses.pop().unwrap();
    setup.hosts.extend([(v6(1), Host::new()), (v6(2), Host::new())]);
    let mut world = setup.start();
    world.run(s(10));
    world.interface("b").addresses.push(late);
    world.show_interfaces();
    assert_eq!(addresses(&world, "b"), [v6(1), v6(2)]);
}

#[test]
fn outputs_ask_for_neighbours_only_where_hosts_are_needed() {
    let mut world = Setup::abs().start();
    world.run(s(10));
    let routes = world.routes.clone();
    world.watch.handle(world.now, crate::watch::Input::Routes(&routes));
    let mut listed = 0;
    while let Some(output) = world.watch.next_output() {
        listed += usize::from(matches!(output, Output::ListNeighbours(_)));
    }
    assert_eq!(listed, 0);
}
