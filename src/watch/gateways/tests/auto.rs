//! Next hops that are found in the kernel's routes: they come, go, come back, and are replaced.

use super::world::{DEFAULT, World, causes, ip, judging, moved, ms, route};
use crate::config::{Config, Judging, NextHops};
use crate::interface::InterfaceIndex;
use crate::watch::gateways::MoveCause;
use crate::watch::{Found, HopState, Input, Memory, Way};

const ONE: &str = "10.0.1.1%up1";
const TWO: &str = "10.0.2.1%up2";
const BOTH: [(u32, &str, u32); 2] = [(1, "10.0.1.1", 100), (2, "10.0.2.1", 200)];

fn world() -> World {
    let mut world = World::new(2, vec![route(NextHops::Auto, Judging::default())], 1);
    world.show_routes(&BOTH);
    world.run(ms(3000));
    assert_eq!(world.serving(), [ONE]);
    world.ways.clear();
    world.notices.clear();
    world
}

#[test]
fn routes_are_ranked_by_metric() {
    let mut world = World::new(3, vec![route(NextHops::Auto, Judging::default())], 1);
    assert_eq!(world.watch.plan().interfaces, ["up1", "up2", "up3"]);
    assert!(world.watch.plan().routes.is_empty(), "nobody has a route there");
    world.show_routes(&[(3, "10.0.3.1", 100), (1, "10.0.1.1", 1024), (2, "10.0.2.1", 100)]);
    let ranks: Vec<_> = world.snapshot().hops.into_iter().map(|hop| (hop.interface, hop.rank)).collect();
    assert_eq!(ranks, [("up2".to_owned(), 1), ("up3".to_owned(), 1), ("up1".to_owned(), 2)]);
    assert_eq!(world.way(), Way::Undecided);
    world.run(ms(1000));
    assert_eq!(world.serving(), [TWO, "10.0.3.1%up3"]);
}

#[test]
fn routes_of_other_tables_protocols_and_destinations_are_no_next_hops() {
    let mut world = World::new(1, vec![route(NextHops::Auto, Judging::default())], 1);
    let right = Found {
        table: 254,
        destination: DEFAULT.parse().unwrap(),
        metric: 0,
        protocol: 3,
        interface: InterfaceIndex(1),
        gateway: Some(ip("10.0.1.1")),
    };
    let wrong = [
        Found { table: 7, ..right.clone() },
        Found { destination: "10.0.0.0/8".parse().unwrap(), ..right.clone() },
        Found { protocol: 250, ..right.clone() },
        Found { protocol: 186, ..right.clone() },
        Found { interface: InterfaceIndex(9), ..right.clone() },
    ];
    world.input(Input::Routes(&wrong));
    assert!(world.snapshot().hops.is_empty());
    world.input(Input::Routes(&[right]));
    assert_eq!(world.snapshot().hops.len(), 1);
}

#[test]
fn routes_by_excluded_interfaces_are_no_next_hops() {
    let routes = vec![route(NextHops::Auto, Judging::default())];
    let config = Config { routes, exclude: vec!["up1".to_owned()], ..Config::default() };
    let mut world = World::with(2, config.clone(), &Memory::default(), 1);
    world.show_interfaces();
    assert_eq!(world.watch.plan().interfaces, ["up2"]);
    world.show_routes(&BOTH);
    world.run(ms(3000));
    assert_eq!(world.serving(), [TWO]);
    // The settings change while it serves.
    world.config.exclude.clear();
    world.reload(config.routes.clone());
    world.show_routes(&BOTH);
    world.run(ms(10_000));
    assert_eq!(world.serving(), [ONE]);
    world.config.exclude.clone_from(&config.exclude);
    world.reload(config.routes);
    world.run(ms(3000));
    assert_eq!(world.serving(), [TWO]);
    assert_eq!(world.snapshot().hops.len(), 1);
}

#[test]
fn our_own_routes_are_never_next_hops_even_if_the_settings_say_so() {
    let mut world = World::asleep(1, vec![route(NextHops::Auto, Judging::default())], 1);
    world.config.route_protocols.push(250);
    let config = world.config.clone();
    world.input(Input::Config(&config));
    world.show_interfaces();
    let own = Found {
        table: 254,
        destination: DEFAULT.parse().unwrap(),
        metric: 0,
        protocol: 250,
        interface: InterfaceIndex(1),
        gateway: Some(ip("10.0.1.1")),
    };
    world.input(Input::Routes(&[own]));
    assert!(world.snapshot().hops.is_empty());
}

#[test]
fn a_renewal_that_deletes_and_adds_changes_nothing() {
    let mut world = world();
    world.show_routes(&BOTH[1..]);
    assert!(world.hop(1).reason.ends_with("its route is gone from the kernel; waiting for it"));
    world.run(ms(4900));
    world.show_routes(&BOTH);
    world.run(ms(10_000));
    assert_eq!((world.ways.len(), world.news().len()), (0, 0));
}

#[test]
fn one_that_does_not_come_back_is_dropped() {
    let mut world = world();
    world.show_routes(&BOTH[1..]);
    world.run(ms(5001));
    assert_eq!(world.serving(), [TWO]);
    assert_eq!(world.snapshot().hops.len(), 1);
    assert_eq!(world.news(), [moved(&[1], 2, MoveCause::Gone)]);
}

#[test]
fn a_router_that_is_replaced_is_followed_once_the_new_one_is_proven() {
    let mut world = world();
    world.show_routes(&[(1, "10.0.1.9", 100), BOTH[1]]);
    assert_eq!(world.serving(), [ONE]);
    let took = world.run_until(|world| world.serving() != [ONE]);
    assert!(took <= ms(510), "{took:?}");
    assert_eq!(world.serving(), ["10.0.1.9%up1"]);
    world.run(ms(10_000));
    assert_eq!(world.ways.len(), 1);
}

#[test]
fn a_new_router_that_is_the_only_one_serves_whatever_is_known_of_it() {
    let mut world = World::new(1, vec![route(NextHops::Auto, Judging::default())], 1);
    world.show_routes(&BOTH[..1]);
    world.run(ms(3000));
    world.uplink(1).gateway = false;
    world.show_routes(&[(1, "10.0.1.9", 100)]);
    world.run(ms(5001));
    assert_eq!(world.serving(), ["10.0.1.9%up1"], "what the kernel itself does");
    world.run(ms(5000));
    assert_eq!(world.serving(), ["10.0.1.9%up1"]);
}

#[test]
fn a_destination_without_routes_is_none_of_our_business() {
    let mut world = world();
    world.show_routes(&[]);
    world.run(ms(4000));
    assert_eq!(world.serving(), [ONE], "for a while they may come back");
    world.run(ms(2000));
    assert!(world.watch.plan().routes.is_empty());
}

#[test]
fn a_link_that_takes_its_route_along_has_to_prove_itself_when_both_are_back() {
    let mut world = world();
    world.carrier(1, false);
    world.show_routes(&BOTH[1..]);
    assert_eq!(world.serving(), [TWO]);
    world.run(ms(30_000));
    assert_eq!(world.snapshot().hops.len(), 1);
    world.carrier(1, true);
    world.show_routes(&BOTH);
    world.run(ms(4000));
    assert_eq!(world.hop(1).state, HopState::Down);
    assert_eq!(world.serving(), [TWO]);
    world.run(ms(2000));
    assert_eq!(world.serving(), [ONE]);
}

#[test]
fn a_flood_of_routes_is_cut_to_the_best() {
    let mut world = World::new(1, vec![route(NextHops::Auto, Judging::default())], 1);
    let vias: Vec<String> = (1..=200).map(|n| format!("10.0.1.{n}")).collect();
    for offset in 0..4 {
        let legs: Vec<_> =
            (0_u32..50).map(|n| (1, vias[offset * 50 + n as usize].as_str(), 100 + n)).collect();
        world.show_routes(&legs);
        world.run(ms(10));
    }
    assert!(world.snapshot().hops.len() <= 34, "{}", world.snapshot().hops.len());
    assert!(world.hop(1).via.is_some());
    world.run(ms(6000));
    assert_eq!(world.snapshot().hops.len(), 16);
}

/// A router that somebody else on the link announces, with a better metric.
const ROGUE: &str = "10.0.1.66";

#[test]
fn a_router_that_answers_nothing_gets_nothing_however_often_it_comes_and_goes() {
    let mut world = world();
    world.dead.insert(ip(ROGUE));
    for with in [700, 3000, 20, 6000, 1500] {
        for metric in [50, 100, 0] {
            world.show_routes(&[(1, ROGUE, metric), BOTH[0], BOTH[1]]);
            world.run(ms(with));
            world.show_routes(&BOTH);
            world.run(ms(900));
        }
    }
    assert_eq!((world.ways.len(), causes(&world.news())), (0, vec![]), "{:?}", world.ways);
    world.run(ms(6000));
    assert_eq!(world.snapshot().hops.len(), 2);
}

#[test]
fn a_router_that_leads_nowhere_gets_nothing_where_targets_are_asked_through_it() {
    let mut world = World::new(2, vec![route(NextHops::Auto, judging(&["192.0.2.53"]))], 1);
    world.show_routes(&BOTH);
    world.run(ms(3000));
    world.ways.clear();
    world.holes.insert(ip(ROGUE));
    for _ in 0..5 {
        world.show_routes(&[(1, ROGUE, 50), BOTH[0], BOTH[1]]);
        world.run(ms(8000));
        world.show_routes(&BOTH);
        world.run(ms(2000));
    }
    assert_eq!((world.serving(), world.ways.len()), (vec![ONE.to_owned()], 0));
}

/// Without targets its own answer is all the proof that is asked for, as the manual says.
#[test]
fn a_router_that_answers_is_believed_where_nothing_beyond_it_is_asked() {
    let mut world = world();
    world.show_routes(&[(1, ROGUE, 50), BOTH[0], BOTH[1]]);
    world.run(ms(10_000));
    assert_eq!(world.serving(), ["10.0.1.66%up1"]);
    world.show_routes(&BOTH);
    world.run(ms(10_000));
    assert_eq!((world.serving(), world.ways.len()), (vec![ONE.to_owned()], 2));
}

#[test]
fn a_flood_of_better_routes_pushes_out_nothing_that_works() {
    let mut world = world();
    let rogues: Vec<String> = (0..1000).map(|n| format!("10.0.{}.{}", 100 + n / 250, 1 + n % 250)).collect();
    world.dead.extend(rogues.iter().map(|via| ip(via)));
    for metric in [50, 100, 150] {
        let mut legs: Vec<(u32, &str, u32)> = rogues.iter().map(|via| (1, via.as_str(), metric)).collect();
        legs.extend(BOTH);
        world.show_routes(&legs);
        for _ in 0..200 {
            world.run(ms(100));
            assert!(world.snapshot().hops.len() <= 34, "{}", world.snapshot().hops.len());
        }
        // Every interface that is shown again finds the next hops again.
        world.show_interfaces();
        world.run(ms(6000));
        assert_eq!((world.serving(), world.ways.len()), (vec![ONE.to_owned()], 0));
        assert_eq!(world.snapshot().hops.len(), 16);
    }
    // The other one was kept as well, and serves when it has to.
    world.uplink(1).gateway = false;
    world.run(ms(3000));
    assert_eq!(world.serving(), [TWO]);
    world.uplink(1).gateway = true;
    world.show_routes(&BOTH);
    world.run(ms(20_000));
    assert_eq!((world.serving(), world.snapshot().hops.len()), (vec![ONE.to_owned()], 2));
}
