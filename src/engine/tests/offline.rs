//! LANs that are taken out of service: both ends leave, and come back without waiting.

use super::world::{World, address};
use super::*;

fn detour(lan: usize, host: usize) -> Option<Verdict> {
    Some(Verdict::Detour(NextHop { interface: format!("lan{lan}"), via: address(lan, host) }))
}

/// Where the two hosts want the traffic of LAN `home` between them.
fn verdicts(world: &World, home: usize) -> [Option<Verdict>; 2] {
    [0, 1].map(|host| world.verdict(host, home, 1 - host))
}

const HOME: [Option<Verdict>; 2] = [Some(Verdict::Home), Some(Verdict::Home)];

fn moved_to(lan: usize) -> [Option<Verdict>; 2] {
    [detour(lan, 1), detour(lan, 0)]
}

fn settled(hosts: usize, lans: usize) -> World {
    let mut world = World::new(hosts, lans);
    world.run(ms(4000));
    world
}

#[test]
fn both_ends_leave_a_lan_that_works_and_return_at_once() {
    let mut world = settled(2, 2);
    world.set_offline(0, &["lan0"]);
    world.run(ms(10));
    assert_eq!(verdicts(&world, 0), moved_to(1), "{}{}", world.state(0), world.state(1));
    assert_eq!(verdicts(&world, 1), HOME);
    world.run(ms(20_000));
    assert_eq!(verdicts(&world, 0), moved_to(1), "{}", world.state(1));
    world.set_offline(0, &[]);
    world.run(ms(10));
    assert_eq!(verdicts(&world, 0), HOME, "it has proven itself all along{}", world.state(0));
}

#[test]
fn with_three_lans_the_next_one_is_taken_at_once() {
    let mut world = settled(2, 3);
    let before = world.hosts[0].notices.len();
    world.set_offline(0, &["lan0"]);
    let told = world.told_since(0, before, &[EventName::PeerFailover]);
    assert_eq!(told.len(), 1, "{told:#?}");
    assert_eq!(world.verdict(0, 0, 1), detour(1, 1));
}

#[test]
fn a_cable_that_was_pulled_meanwhile_has_to_prove_itself() {
    let mut world = settled(2, 2);
    world.set_offline(0, &["lan0"]);
    world.run(ms(1000));
    world.set_carrier(0, 0, false);
    world.run(ms(3000));
    world.set_carrier(0, 0, true);
    world.set_offline(0, &[]);
    world.run(ms(1000));
    assert_eq!(verdicts(&world, 0), moved_to(1), "{}", world.state(0));
    world.run(ms(3000));
    assert_eq!(verdicts(&world, 0), HOME, "{}", world.state(0));
}

#[test]
fn the_others_stay_on_it_among_themselves() {
    let mut world = settled(3, 2);
    world.set_offline(0, &["lan0"]);
    world.run(ms(2000));
    assert_eq!(world.verdict(1, 0, 2), Some(Verdict::Home));
    assert_eq!(world.verdict(2, 0, 1), Some(Verdict::Home));
    assert_eq!(world.verdict(2, 0, 0), detour(1, 0));
}

#[test]
fn a_responder_and_a_requestor_agree_whoever_drains() {
    for drainer in [0, 1] {
        let mut world = World::new(2, 2);
        world.respond_only(1);
        world.run(ms(4000));
        world.set_offline(drainer, &["lan0"]);
        world.run(ms(500));
        assert_eq!(verdicts(&world, 0), moved_to(1), "{drainer}{}{}", world.state(0), world.state(1));
        world.set_offline(drainer, &[]);
        world.run(ms(500));
        assert_eq!(verdicts(&world, 0), HOME, "{drainer}{}", world.state(1));
    }
}

#[test]
fn what_is_offline_serves_again_when_nothing_else_does() {
    let mut world = settled(2, 2);
    world.set_offline(0, &["lan0"]);
    world.run(ms(1000));
    world.cut(1, |_, _| true);
    world.run(ms(1000));
    assert_eq!(verdicts(&world, 0), HOME, "{}{}", world.state(0), world.state(1));
    assert_eq!(verdicts(&world, 1), moved_to(0), "{}", world.state(0));
    world.cut(1, |_, _| false);
    world.run(ms(10_000));
    assert_eq!(verdicts(&world, 0), moved_to(1), "{}", world.state(0));
    assert_eq!(verdicts(&world, 1), HOME);
}

#[test]
fn the_last_lan_stays_in_use_whatever_is_said() {
    let mut world = settled(2, 1);
    world.set_offline(0, &["lan0"]);
    world.run(ms(5000));
    assert_eq!(verdicts(&world, 0), HOME, "{}", world.state(0));
    let mut world = settled(2, 2);
    world.set_offline(0, &["lan0", "lan1"]);
    world.run(ms(5000));
    for lan in 0..2 {
        assert_eq!(verdicts(&world, lan), HOME, "{}", world.state(0));
    }
}

#[test]
fn two_that_drain_different_lans_at_once_settle_on_one() {
    let mut world = settled(2, 2);
    world.set_offline(0, &["lan0"]);
    world.set_offline(1, &["lan1"]);
    world.run(ms(20_000));
    let before = world.hosts[0].notices.len() + world.hosts[1].notices.len();
    world.run(ms(20_000));
    let after = world.hosts[0].notices.len() + world.hosts[1].notices.len();
    assert_eq!(before, after, "it goes on and on{}{}", world.state(0), world.state(1));
    let [first, second] = [verdicts(&world, 0), verdicts(&world, 1)];
    let is_settled = |home: &[Option<Verdict>; 2], lan| *home == HOME || *home == moved_to(lan);
    assert!(is_settled(&first, 1) && is_settled(&second, 0), "{first:?} {second:?}");
    assert!(first == HOME || second == HOME, "{first:?} {second:?}");
}

#[test]
fn a_restart_finds_it_offline_and_moves_nothing() {
    for restarted in [0, 1] {
        let mut world = settled(2, 2);
        world.set_offline(0, &["lan0"]);
        world.run(ms(3000));
        let memory = world.hosts[restarted].memory.clone();
        world.kill(restarted);
        world.run(ms(100));
        let config = Config { requestor: true, ..Config::default() };
        let watched = 1 - restarted;
        let before = world.hosts[watched].notices.len();
        world.start(restarted, &config, memory);
        let found = NextHop { interface: "lan1".into(), via: address(1, watched) };
        world.find_overlay(restarted, address(0, watched), Some(&found));
        world.set_offline(0, &["lan0"]);
        world.run(ms(6000));
        assert_eq!(verdicts(&world, 0), moved_to(1), "{}{}", world.state(0), world.state(1));
        let moves = [EventName::PeerFailover, EventName::PeerFailback, EventName::FailbackHeld];
        assert_eq!(world.told_since(watched, before, &moves), []);
    }
}

#[test]
fn a_peer_that_was_away_comes_back_to_the_detour() {
    let mut world = settled(2, 2);
    world.set_offline(0, &["lan0"]);
    world.run(ms(3000));
    for lan in 0..2 {
        world.cut(lan, |_, _| true);
    }
    world.run(ms(3000));
    for lan in 0..2 {
        world.cut(lan, |_, _| false);
    }
    let before = world.hosts[0].notices.len();
    world.run(ms(6000));
    assert_eq!(verdicts(&world, 0), moved_to(1), "{}{}", world.state(0), world.state(1));
    assert_eq!(world.told_since(0, before, &[EventName::PeerFailback, EventName::FailbackHeld]), []);
}

#[test]
fn a_dying_peer_calls_nothing_back() {
    for wait in 0..40 {
        let mut world = settled(2, 2);
        world.set_offline(0, &["lan0"]);
        world.run(ms(2000 + wait * 7));
        world.kill(1);
        world.run(ms(3000));
        assert_eq!(world.verdict(0, 0, 1), detour(1, 1), "after {wait}{}", world.state(0));
    }
}

#[test]
fn who_would_be_cut_off_is_named() {
    let mut world = settled(3, 2);
    world.cut(1, |from, to| from == 2 || to == 2);
    world.run(ms(3000));
    let engine = world.hosts[0].engine.as_ref().unwrap();
    let cut_off = engine.cut_off("lan0");
    assert_eq!(cut_off.len(), 1, "{cut_off:?}{}", world.state(0));
    assert_eq!(cut_off[0].address, Some(address(0, 2)));
    assert_eq!(engine.cut_off("lan1"), []);
    assert_eq!(engine.cut_off("lan9"), []);
    assert!(engine.is_lan("lan1") && !engine.is_lan("lan9"));
    world.set_offline(0, &["lan0"]);
    world.run(ms(1000));
    assert_eq!(world.hosts[0].engine.as_ref().unwrap().cut_off("lan1").len(), 1, "lan0 does not count");
}
