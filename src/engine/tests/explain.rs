//! What is explained is what is done.

use super::world::{World, address};
use super::*;
use crate::config::Failback;
use crate::failback::Hold;
use crate::wire::Level;

fn settled(config: &Config) -> World {
    let mut world = World::new(2, 2);
    for host in 0..2 {
        world.start(host, config, Memory::default());
    }
    world.run(ms(4000));
    world
}

fn requestor() -> Config {
    Config { requestor: true, ..Config::default() }
}

/// Why host 0 sends what is for host 1's address on LAN 0 where it does.
fn explain(world: &World) -> Explanation {
    let subject = Subject { home: "lan0".into(), address: address(0, 1) };
    world.hosts[0].engine.as_ref().unwrap().explain(world.now, &subject).unwrap()
}

fn cut_for(world: &mut World, time: u64) {
    world.cut(0, |_, _| true);
    world.run(ms(time));
    world.cut(0, |_, _| false);
}

/// When the obstacles go, the address goes home, and not before: looked at every 10 ms.
fn assert_obstacles_decide(world: &mut World, most: u64) -> Vec<Vec<Obstacle>> {
    let mut seen: Vec<Vec<Obstacle>> = Vec::new();
    let mut free = 0;
    for _ in 0..most / 10 {
        let told = explain(world);
        if told.verdict == Verdict::Home {
            assert_eq!((told.ground, told.obstacles), (Ground::HomeWorks, vec![]));
            return seen;
        }
        // What time alone takes out of the way is noticed with the next packet or slot.
        free += u32::from(told.obstacles.is_empty());
        assert!(free < 20, "nothing is in its way and it is not home");
        if seen.last() != Some(&told.obstacles) {
            seen.push(told.obstacles);
        }
        world.run(ms(10));
    }
    panic!("it never went home: {seen:?}{}", world.state(0));
}

#[test]
fn who_is_home_is_told_so() {
    let world = settled(&requestor());
    let told = explain(&world);
    assert_eq!((told.verdict, told.ground, told.obstacles), (Verdict::Home, Ground::HomeWorks, vec![]));
    assert_eq!(told.paths.len(), 2);
    assert!(told.paths[0].figures.is_home && told.paths[0].figures.serves && !told.paths[1].figures.serves);
    assert_eq!(told.paths[0].figures.good_limit, None);
    let engine = world.hosts[0].engine.as_ref().unwrap();
    assert_eq!(engine.subjects_at(&address(1, 1)).len(), 1);
    assert_eq!(engine.subjects_at(&"192.0.2.1".parse().unwrap()), []);
    let stranger = Subject { home: "lan0".into(), address: "192.0.2.1".parse().unwrap() };
    assert_eq!(engine.explain(world.now, &stranger), None);
}

#[test]
fn a_dead_home_needs_clean_slots_at_both_ends() {
    let mut world = settled(&requestor());
    cut_for(&mut world, 1000);
    let told = explain(&world);
    assert_eq!(told.ground, Ground::HomeDead);
    assert_eq!(told.paths[0].figures.state, Level::Down);
    assert!(told.paths[0].figures.missed >= 2 && told.paths[1].figures.serves, "{told:?}");
    assert_eq!(told.paths[0].figures.good_limit, Some(10));
    let seen = assert_obstacles_decide(&mut world, 5000);
    assert!(seen[0].contains(&Obstacle::NotUp) && seen[0].contains(&Obstacle::PeerSaysDown), "{seen:?}");
}

#[test]
fn the_policy_is_named_and_it_is_the_last_in_the_way() {
    let manual = Config { failback: Failback::Manual, ..requestor() };
    let mut world = settled(&manual);
    cut_for(&mut world, 1000);
    world.run(ms(5000));
    let told = explain(&world);
    assert_eq!(told.ground, Ground::HeldBack);
    assert_eq!(told.obstacles, [Obstacle::Held(Hold::Manual), Obstacle::PeerNotReady]);
    let delay = Config { failback: Failback::Delay(ms(3000)), ..requestor() };
    let mut world = settled(&delay);
    cut_for(&mut world, 1000);
    let seen = assert_obstacles_decide(&mut world, 9000);
    let is_delay = |o: &Obstacle| matches!(o, Obstacle::Held(Hold::Delay(left)) if *left <= ms(3000));
    assert!(seen.iter().any(|list| list.iter().any(is_delay)), "{seen:?}");
}

#[test]
fn a_path_that_flaps_says_how_long_it_waits() {
    let mut world = settled(&requestor());
    for _ in 0..3 {
        cut_for(&mut world, 1000);
        world.run(ms(4000));
    }
    let told = explain(&world);
    assert!(told.obstacles.iter().any(|o| matches!(o, Obstacle::Held(Hold::Damped { .. }))), "{told:?}");
    let Some(left) = told.paths[0].figures.damped else { panic!("{told:?}") };
    assert!(told.paths[0].figures.penalty > 1000.0 && left > ms(10_000));
    world.run(left + ms(1000));
    assert_eq!(explain(&world).verdict, Verdict::Home, "{:?}", explain(&world));
}

#[test]
fn offline_and_absence_are_told() {
    let mut world = settled(&requestor());
    world.set_offline(0, &["lan0"]);
    world.run(ms(500));
    let told = explain(&world);
    assert_eq!(told.ground, Ground::HomeOffline);
    assert!(told.obstacles.contains(&Obstacle::Offline), "{told:?}");
    assert_eq!(told.paths[0].evidence, Evidence::Offline);
    world.kill(1);
    world.run(ms(3000));
    let told = explain(&world);
    assert_eq!(told.ground, Ground::PeerAbsent);
    assert_eq!(told.obstacles[0], Obstacle::PeerAbsent);
}

#[test]
fn a_dead_home_without_a_way_out_stays() {
    let mut world = settled(&requestor());
    world.cut(1, |_, _| true);
    world.run(ms(2000));
    world.set_carrier(0, 0, false);
    let told = explain(&world);
    assert!(matches!(told.ground, Ground::NoDetour | Ground::PeerAbsent), "{told:?}");
}
