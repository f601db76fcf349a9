//! Other settings while traffic runs: what is the same keeps what it knows.

use super::world::{World, hop, judging, listed, moved, ms, route};
use crate::config::{Judging, NextHops};
use crate::watch::gateways::MoveCause;
use crate::watch::{Destination, HopState, Way};

const ONE: &str = "10.0.1.1%up1";
const TWO: &str = "10.0.2.1%up2";

#[test]
fn the_same_settings_change_nothing() {
    let mut world = World::settled(2, Judging::default(), 1);
    let (before, deadline) = (world.snapshot(), world.watch.deadline());
    world.reload(vec![listed(2, Judging::default())]);
    assert_eq!((world.snapshot(), world.watch.deadline()), (before, deadline));
    assert_eq!((world.ways.len(), world.news().len()), (0, 0));
}

#[test]
fn a_changed_destination_goes_on_with_what_is_known_of_its_gateways() {
    let mut world = World::settled(2, Judging::default(), 1);
    world.uplink(1).gateway = false;
    world.run(ms(3000));
    world.ways.clear();
    world.reload(vec![listed(3, judging(&["192.0.2.1"]))]);
    assert_eq!(world.serving(), [TWO]);
    assert_eq!((world.hop(1).state, world.hop(2).state), (HopState::Down, HopState::Up));
    world.run(ms(5000));
    assert_eq!((world.serving(), world.ways.len()), (vec![TWO.to_owned()], 0));
    assert_eq!(world.hop(2).targets.len(), 2);
    assert_eq!(world.hop(2).targets[1].state, HopState::Up);
}

#[test]
fn a_next_hop_that_is_taken_out_is_left() {
    let mut world = World::settled(2, Judging::default(), 1);
    world.reload(vec![route(NextHops::Listed(vec![hop(2, 1)]), Judging::default())]);
    assert_eq!(world.serving(), [TWO]);
    assert_eq!(world.news()[0], moved(&[1], 2, MoveCause::Gone));
    let before = world.probes_to(super::world::gateway(1)).len();
    world.run(ms(2000));
    assert_eq!(world.probes_to(super::world::gateway(1)).len(), before);
}

#[test]
fn listing_what_was_found_moves_nothing_and_back() {
    let mut world = World::new(2, vec![route(NextHops::Auto, Judging::default())], 1);
    let legs = [(1, "10.0.1.1", 100), (2, "10.0.2.1", 200)];
    world.show_routes(&legs);
    world.run(ms(3000));
    world.ways.clear();
    world.reload(vec![listed(2, Judging::default())]);
    world.show_routes(&[]);
    world.run(ms(10_000));
    world.reload(vec![route(NextHops::Auto, Judging::default())]);
    world.show_routes(&legs);
    world.run(ms(10_000));
    assert_eq!((world.serving(), world.ways.len()), (vec![ONE.to_owned()], 0));
}

#[test]
fn several_destinations_each_go_their_way() {
    let mut other = listed(2, Judging::default());
    (other.destination, other.table) = ("192.0.2.0/24".parse().unwrap(), 7);
    if let NextHops::Listed(hops) = &mut other.next_hops {
        hops.reverse();
        (hops[0].rank, hops[1].rank) = (1, 2);
    }
    let mut world = World::new(2, vec![listed(2, Judging::default()), other], 1);
    world.run(ms(1000));
    let plan = world.watch.plan();
    assert_eq!((plan.interfaces.len(), plan.tables.clone()), (2, vec![7]));
    let way = |destination: &Destination| match &plan.routes[destination] {
        Way::By(hops) => hops[0].to_string(),
        Way::Undecided => String::new(),
    };
    assert_eq!(way(&World::destination()), ONE);
    assert_eq!(way(&Destination { table: 7, prefix: "192.0.2.0/24".parse().unwrap() }), TWO);
}
