//! When traffic goes home: damping, and the policies. None of them keeps it on a dead way.

use super::world::{World, listed, ms};
use crate::config::{Config, Failback, Judging};
use crate::watch::{Input, Memory};

const ONE: &str = "10.0.1.1%up1";
const TWO: &str = "10.0.2.1%up2";
const THREE: &str = "10.0.3.1%up3";

/// Two uplinks with a policy, of which the first has failed and works again.
fn returned(failback: Failback) -> World {
    let routes = vec![listed(2, Judging::default())];
    let mut world = World::with(2, Config { routes, failback, ..Config::default() }, &Memory::default(), 1);
    world.show_interfaces();
    world.run(ms(3000));
    world.uplink(1).gateway = false;
    world.run(ms(3000));
    world.uplink(1).gateway = true;
    world.run(ms(5500));
    world
}

fn flap(world: &mut World, times: usize) {
    for _ in 0..times {
        world.uplink(1).gateway = false;
        world.run(ms(2500));
        world.uplink(1).gateway = true;
        world.run(ms(6000));
    }
}

#[test]
fn manual_waits_for_the_administrator_over_a_restart() {
    let mut world = returned(Failback::Manual);
    world.run(ms(600_000));
    assert_eq!(world.serving(), [TWO]);
    assert_eq!(world.hop(1).reason, "works; failback is manual; run faildctl failback");
    let memory = world.memories.last().unwrap().clone();
    let mut again = World::with(2, world.config.clone(), &memory, 2);
    again.show_interfaces();
    again.run(ms(10_000));
    assert_eq!(again.serving(), [TWO]);
    assert!(again.hop(1).reason.contains("manual"), "{}", again.hop(1).reason);
    world.input(Input::FailBack);
    assert_eq!(world.serving(), [ONE]);
    world.run(ms(2000));
    assert!(world.memories.last().unwrap().held.is_empty());
}

/// It failed while traffic went by another one, and would have been the next.
#[test]
fn manual_holds_back_what_was_passed_over_because_it_had_failed() {
    let routes = vec![listed(3, Judging::default())];
    let config = Config { routes, failback: Failback::Manual, ..Config::default() };
    let mut world = World::with(3, config, &Memory::default(), 1);
    world.show_interfaces();
    world.run(ms(3000));
    for uplink in [2, 1] {
        world.uplink(uplink).gateway = false;
        world.run(ms(3000));
    }
    assert_eq!(world.serving(), [THREE]);
    world.uplink(2).gateway = true;
    world.run(ms(600_000));
    assert_eq!(world.serving(), [THREE]);
    world.input(Input::FailBack);
    assert_eq!(world.serving(), [TWO]);
}

#[test]
fn what_works_is_gone_home_to_when_faild_ends_whatever_holds_it_back() {
    for failback in [Failback::Manual, Failback::Delay(ms(600_000)), Failback::Window { from: 0, until: 0 }] {
        let mut world = returned(failback);
        world.run(ms(5000));
        assert_eq!(world.serving(), [TWO], "{failback:?}");
        world.input(Input::Stop { home: true });
        assert_eq!(world.serving(), [ONE], "{failback:?}");
    }
}

#[test]
fn what_is_known_at_the_end_is_written_at_once() {
    let config = Config { routes: vec![listed(3, Judging::default())], ..Config::default() };
    let mut world = World::with(3, config, &Memory::default(), 1);
    world.show_interfaces();
    world.run(ms(3000));
    world.uplink(1).gateway = false;
    world.run(ms(300));
    world.uplink(2).gateway = false;
    while world.serving() != [THREE] {
        world.run(ms(10));
    }
    // The second failure came too soon after the first to be written.
    world.memories.clear();
    world.input(Input::Stop { home: false });
    assert_eq!(world.serving(), [THREE]);
    assert_eq!(world.memories.len(), 1);
}

#[test]
fn a_restart_does_not_send_traffic_home_before_its_time() {
    for failback in [Failback::Delay(ms(600_000)), Failback::Window { from: 0, until: 0 }] {
        let world = returned(failback);
        let memory = world.memories.last().unwrap().clone();
        let mut again = World::with(2, world.config.clone(), &memory, 2);
        again.show_interfaces();
        again.run(ms(10_000));
        assert_eq!(again.serving(), [TWO], "{failback:?}");
    }
}

#[test]
fn a_restart_long_after_a_failure_moves_nothing() {
    let mut world = returned(Failback::Delay(ms(1000)));
    world.run(ms(2000));
    assert_eq!(world.serving(), [ONE]);
    let memory = world.memories.last().unwrap().clone();
    let config = Config { failback: Failback::Delay(ms(600_000)), ..world.config.clone() };
    let mut again = World::with(2, config, &memory, 2);
    again.show_interfaces();
    again.run(ms(10_000));
    assert_eq!((again.serving(), again.ways.len()), (vec![ONE.to_owned()], 1));
}

#[test]
fn delay_waits_for_as_long_without_a_break() {
    let mut world = returned(Failback::Delay(ms(30_000)));
    assert_eq!(world.serving(), [TWO]);
    assert!(world.hop(1).reason.ends_with("(failback delay)"), "{}", world.hop(1).reason);
    let left = world.run_until(|world| world.serving() == [ONE]);
    assert!((ms(28_000)..=ms(31_000)).contains(&left), "{left:?}");
}

#[test]
fn window_waits_for_its_time_of_day() {
    let mut world = returned(Failback::Window { from: 7200, until: 14_400 });
    assert!(world.hop(1).reason.ends_with("; failback between 02:00 and 04:00 (failback window)"));
    world.input(Input::TimeOfDay(7199));
    assert_eq!(world.serving(), [TWO]);
    world.input(Input::TimeOfDay(7200));
    assert_eq!(world.serving(), [ONE]);
}

#[test]
fn policies_do_not_keep_traffic_on_a_dead_way() {
    for failback in [Failback::Manual, Failback::Delay(ms(600_000)), Failback::Window { from: 0, until: 0 }] {
        let mut world = returned(failback);
        assert_eq!(world.serving(), [TWO]);
        world.uplink(2).gateway = false;
        world.run(ms(2000));
        assert_eq!(world.serving(), [ONE], "{failback:?}");
    }
}

#[test]
fn one_that_flaps_is_damped_and_told_how_long() {
    let mut world = World::settled(2, Judging::default(), 1);
    flap(&mut world, 3);
    world.run(ms(20_000));
    assert_eq!(world.serving(), [TWO]);
    assert!(
        world.hop(1).reason.starts_with("works; failed too often; failback suppressed for "),
        "{}",
        world.hop(1).reason
    );
    let moves = world.ways.len();
    world.run(ms(120_000));
    assert_eq!((world.serving(), world.ways.len()), (vec![ONE.to_owned()], moves + 1));
}

#[test]
fn damping_does_not_keep_traffic_on_a_dead_way() {
    let mut world = World::settled(2, Judging::default(), 1);
    flap(&mut world, 3);
    world.uplink(2).gateway = false;
    world.run(ms(2000));
    assert_eq!(world.serving(), [ONE]);
}

#[test]
fn penalties_survive_a_restart_and_are_written_seldom() {
    let mut world = World::settled(2, Judging::default(), 1);
    flap(&mut world, 3);
    let writes = world.memories.len();
    assert!(writes <= 6, "each failure and each return is one: {writes}");
    let memory = world.memories.last().unwrap().clone();
    assert_eq!(memory.penalties.len(), 1);
    assert!(memory.penalties[0].2 > 2500.0);
    let mut again = World::with(2, world.config.clone(), &memory, 2);
    again.show_interfaces();
    again.run(ms(10_000));
    assert_eq!(again.serving(), [TWO], "what flapped before the restart waits after it");
    world.run(ms(600_000));
    assert!(world.memories.len() <= writes + 1, "decay is not written");
}

#[test]
fn a_standby_that_failed_is_no_worse_a_refuge_under_a_policy() {
    let routes = vec![listed(3, Judging::default())];
    let config = Config { routes, failback: Failback::Window { from: 0, until: 0 }, ..Config::default() };
    let mut world = World::with(3, config, &Memory::default(), 1);
    world.show_interfaces();
    world.run(ms(3000));
    world.uplink(2).gateway = false;
    world.run(ms(3000));
    world.uplink(2).gateway = true;
    world.run(ms(6000));
    world.uplink(1).gateway = false;
    world.run(ms(2000));
    assert_eq!(world.serving(), [TWO]);
}
