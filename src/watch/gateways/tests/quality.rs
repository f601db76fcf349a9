//! Loss and latency limits.

use std::time::Duration;

use super::world::{World, causes, judging, ms};
use crate::config::{Judging, Limits};
use crate::watch::HopState;
use crate::watch::gateways::{FailureCause, MoveCause};

const ONE: &str = "10.0.1.1%up1";
const TWO: &str = "10.0.2.1%up2";

fn limits() -> Judging {
    Judging {
        loss: Some(Limits { bad: 10, good: 2 }),
        latency: Some(Limits { bad: ms(100), good: ms(50) }),
        window: 100,
        ..judging(&["192.0.2.1"])
    }
}

#[test]
fn one_fifth_lost_moves_once_and_stays() {
    for seed in 0..4 {
        let mut world = World::settled(2, limits(), seed);
        world.uplink(1).loss_percent = 20;
        world.run(Duration::from_secs(3600));
        assert_eq!(world.serving(), [TWO]);
        assert_eq!(world.ways.len(), 1, "seed {seed}: {:?}", world.said());
        assert_eq!(world.hop(1).state, HopState::Degraded);
        assert_eq!(causes(&world.said()), [MoveCause::Failed(FailureCause::Loss)]);
        assert!(world.hop(1).reason.ends_with(" % of probes lost"), "{}", world.hop(1).reason);
    }
}

#[test]
fn slow_answers_move_and_quick_ones_bring_home() {
    let mut world = World::settled(2, limits(), 1);
    world.uplink(1).delay = ms(150);
    world.run(ms(60_000));
    assert_eq!(world.serving(), [TWO]);
    assert_eq!(world.hop(1).reason, "answers take 150 ms");
    assert_eq!(causes(&world.news()), [MoveCause::Failed(FailureCause::Latency)]);
    world.uplink(1).delay = ms(5);
    world.run(ms(60_000));
    assert_eq!(world.serving(), [ONE]);
}

#[test]
fn poor_serves_before_dead() {
    let mut world = World::settled(2, limits(), 1);
    world.uplink(1).delay = ms(150);
    world.run(ms(60_000));
    world.uplink(2).gateway = false;
    world.run(ms(2000));
    assert_eq!(world.serving(), [ONE]);
    assert_eq!(world.hop(1).state, HopState::Degraded);
    world.uplink(2).gateway = true;
    world.run(ms(6000));
    assert_eq!(world.serving(), [TWO], "and is left for one that works");
}

#[test]
fn when_all_are_poor_nothing_goes_to_and_fro() {
    for seed in 0..4 {
        let mut world = World::settled(2, limits(), seed);
        (world.uplink(1).loss_percent, world.uplink(2).loss_percent) = (30, 30);
        world.run(Duration::from_secs(1800));
        assert!(world.ways.len() <= 1, "seed {seed}: {:?}", world.said());
    }
}

#[test]
fn one_good_target_of_those_that_are_needed_is_enough() {
    let mut judging = limits();
    judging.targets = super::world::judging(&["192.0.2.1", "192.0.2.2"]).targets;
    let mut world = World::settled(2, judging, 1);
    world.dead.insert(super::world::ip("192.0.2.1"));
    world.run(ms(120_000));
    assert_eq!((world.ways.len(), world.hop(1).state), (0, HopState::Up));
}
