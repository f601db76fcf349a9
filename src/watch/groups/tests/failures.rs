//! Silence: whose it is, and what proves that it is over.

use super::world::*;
use crate::interface::Family;
use crate::watch::plan;
use crate::watch::{GroupState, MemberState, Probing};

/// A group that has answered for a while.
fn quiet() -> World {
    let mut world = Setup::abs().start();
    world.run(s(30));
    assert_eq!(world.group_state(), GroupState::Ok, "{}", world.text());
    world
}

/// Answers in a row at the newest probes by a member.
fn counts(world: &World, name: &str) -> (u32, u32) {
    let target = world.target(name, ROUTER);
    (target.missed, target.good)
}

#[test]
fn a_member_whose_probes_are_lost_while_others_are_answered_fails_within_the_detection_time() {
    for seed in 1..30 {
        let mut setup = Setup::abs();
        setup.seed = seed;
        let mut world = setup.start();
        world.run(s(30));
        world.cut("a", true);
        let took = world.run_until(s(10), |world| world.state("a") == MemberState::Failed);
        assert!(took > s(4), "{took:?}");
        assert_eq!(world.moved(), "a>s", "{}", world.text());
        assert!(world.is_active("s") && world.is_active("b"));
        assert_eq!(world.group_state(), GroupState::Degraded);
        assert_eq!(world.told(EventName::InterfaceFailed), 1);
    }
}

#[test]
fn four_losses_are_no_failure() {
    let mut world = quiet();
    world.cut("a", true);
    let (since, plans) = (world.now, world.plans.len());
    world.run_until(s(10), |world| world.sent("a", since).len() == 4);
    world.cut("a", false);
    world.run_until(s(3), |world| counts(world, "a") == (4, 0));
    world.run(s(30));
    assert_eq!(world.told(EventName::InterfaceFailed), 0, "{}", world.text());
    assert_eq!(world.plans.len(), plans, "{:#?}", world.plans);
}

#[test]
fn a_target_that_dies_for_all_is_a_failure_of_the_group_and_moves_nothing() {
    let mut world = quiet();
    let plan = world.watch.plan().clone();
    world.host(ROUTER).alive = false;
    world.run(s(120));
    for name in ["a", "b", "s"] {
        assert_eq!(world.state(name), MemberState::Failed);
        assert!(!world.is_active(name) && !world.member(name).inactive);
        assert_eq!(world.targets(name).len(), 1, "the router is asked on");
    }
    assert_eq!(world.group_state(), GroupState::Failed);
    assert_eq!(*world.watch.plan(), plan);
    assert_eq!((world.told(EventName::GroupFailed), world.told(EventName::InterfaceFailed)), (1, 0));
    let asked = world.sent("a", world.now - s(10));
    assert!(asked.len() >= 6, "{}", asked.len());
}

#[test]
fn the_first_member_that_is_answered_again_ends_the_failure_of_the_group() {
    let mut world = quiet();
    world.host(ROUTER).alive = false;
    world.run(s(20));
    world.host(ROUTER).alive = true;
    world.cut("a", true);
    world.cut("s", true);
    world.run_until(s(25), |world| world.state("b") == MemberState::Ok);
    assert!(world.is_active("b"));
    assert_eq!(world.group_state(), GroupState::Degraded);
    assert_eq!(usable(&world), 1);
    assert_eq!(world.moved(), "a>b s>b");
    world.cut("a", false);
    world.cut("s", false);
    world.run(s(30));
    assert_eq!(world.group_state(), GroupState::Ok);
    assert_eq!(usable(&world), 1);
    assert_eq!(world.moved(), "");
}

#[test]
fn a_failed_member_needs_ten_answers_in_a_row() {
    let mut world = quiet();
    world.cut("a", true);
    world.run_until(s(10), |world| world.state("a") == MemberState::Failed);
    world.cut("a", false);
    world.run_until(s(20), |world| counts(world, "a").1 == 9);
    assert_eq!(world.state("a"), MemberState::Failed);
    world.cut("a", true);
    world.run_until(s(7), |world| counts(world, "a").0 > 0);
    world.cut("a", false);
    world.run_until(s(20), |world| counts(world, "a").1 == 9);
    assert_eq!(world.state("a"), MemberState::Failed, "one loss starts it afresh");
    world.run(ms(2 * 2142));
    assert_eq!(world.state("a"), MemberState::Ok, "{}", world.text());
    assert_eq!(world.moved(), "");
    assert!(world.is_active("a") && !world.is_active("s"));
}

#[test]
fn a_dead_target_is_left_out_while_the_others_answer_and_tried_again_after_a_minute() {
    let (first, second) = (v4(251), v4(252));
    let mut setup = Setup::abs();
    setup.without_routers();
    setup.router(first, 0);
    setup.router(second, 1);
    let mut world = setup.start();
    world.run(s(60));
    world.host(first).alive = false;
    let (since, plans) = (world.now, world.plans.len());
    world.run(s(30));
    assert_eq!(world.state("a"), MemberState::Ok, "{}", world.text());
    assert_eq!(world.plans.len(), plans);
    let asked = |world: &World, target| {
        world.sent("a", since).iter().filter(|(_, probe)| probe.target == target).count()
    };
    assert!((5..=6).contains(&asked(&world, first)), "{}", asked(&world, first));
    world.run(s(35));
    assert!((5..=6).contains(&asked(&world, first)), "left out for a minute: {}", asked(&world, first));
    world.host(first).alive = true;
    world.run(s(25));
    assert!(asked(&world, first) > 7, "{}", asked(&world, first));
    assert_eq!(world.told(EventName::InterfaceFailed) + world.told(EventName::GroupFailed), 0);
}

#[test]
fn a_member_with_two_families_has_failed_when_both_are_silent() {
    let router = v6(0xff);
    let mut setup = Setup::abs();
    setup.with_ipv6(router);
    let mut world = setup.start();
    world.run(s(45));
    world.host(ROUTER).deaf_to.insert("a".into());
    world.run(s(30));
    assert_eq!(world.state("a"), MemberState::Ok, "IPv6 still works: {}", world.text());
    world.host(router).deaf_to.insert("a".into());
    world.run(s(11));
    assert_eq!(world.state("a"), MemberState::Failed);
    assert_eq!(world.instance("a", Family::V6).targets[0].address, router);
    world.host(ROUTER).deaf_to.clear();
    world.run(s(20));
    assert_eq!(world.state("a"), MemberState::Ok, "one family is enough: {}", world.text());
}

#[test]
fn nothing_is_held_against_members_that_were_never_answered_for_forty_seconds() {
    let mut setup = Setup::abs();
    setup.hosts.get_mut(&ROUTER).unwrap().alive = false;
    let mut world = setup.start();
    world.run(s(39));
    assert!(world.group().members.iter().all(|member| member.state == MemberState::Ok), "{}", world.text());
    world.run(s(4));
    assert_eq!(world.group_state(), GroupState::Failed);
    assert_eq!(world.told(EventName::GroupFailed), 1);
}

#[test]
fn the_first_answer_ends_the_quiet_time() {
    let mut setup = Setup::abs();
    setup.hosts.get_mut(&ROUTER).unwrap().deaf_to.insert("a".into());
    let mut world = setup.start();
    world.run(s(5));
    world.cut("a", false);
    world.run_until(s(3), |world| counts(world, "a").1 == 1);
    world.cut("a", true);
    world.run(s(10));
    assert_eq!(world.state("a"), MemberState::Failed, "{}", world.text());
}

#[test]
fn nobody_to_ask_is_no_failure() {
    let mut setup = Setup::abs();
    setup.without_routers();
    let mut world = setup.start();
    world.run(s(120));
    for name in ["a", "b"] {
        let member = world.member(name);
        assert_eq!((member.state, member.probing), (MemberState::Unknown, Probing::Unknown));
        assert!(member.active);
    }
    assert_eq!(world.group_state(), GroupState::Ok);
    assert_eq!(world.moved(), "");
}

#[test]
fn members_of_an_anonymous_group_fail_alone_and_nothing_moves() {
    let mut setup = Setup::new(&["a", "b"], &[]);
    setup.group().name.clear();
    setup.router(v4(253), 1);
    let mut world = setup.start();
    world.run(s(30));
    assert_eq!(world.targets("a").len(), 1, "targets are not shared");
    world.cut("a", true);
    world.run(s(11));
    assert_eq!(world.state("a"), MemberState::Failed);
    assert_eq!(world.group_state(), GroupState::Ok);
    assert!(world.watch.plan().members.is_empty());
    assert_eq!(world.watch.plan().interfaces, ["a", "b"]);
    world.set_offline("b", true);
    assert_eq!(world.state("b"), MemberState::Ok);
}

#[test]
fn a_single_member_is_a_group_that_fails_as_a_whole() {
    let mut world = Setup::new(&["a"], &[]).start();
    world.run(s(30));
    world.set_carrier("a", false);
    assert_eq!((world.told(EventName::GroupFailed), world.told(EventName::InterfaceFailed)), (1, 0));
    assert_eq!(world.place("a"), plan::Member::Home);
    world.set_carrier("a", true);
    world.run(s(25));
    assert_eq!(world.group_state(), GroupState::Ok);
}

#[test]
fn a_group_that_is_silent_stays_as_it_was_moved() {
    let mut world = quiet();
    world.set_carrier("a", false);
    assert_eq!(world.moved(), "a>s");
    let plan = world.watch.plan().clone();
    world.host(ROUTER).alive = false;
    world.run(s(60));
    assert_eq!(world.group_state(), GroupState::Failed);
    assert_eq!(*world.watch.plan(), plan);
}

#[test]
fn an_answer_to_a_question_from_before_the_silence_is_no_witness() {
    // By b somebody was asked just before all died, and the answer comes while a is silent already.
    for seed in 1..60 {
        let mut setup = Setup::new(&["a", "b"], &[]);
        setup.seed = seed;
        setup.hosts.get_mut(&ROUTER).unwrap().delay = ms(300);
        let mut world = setup.start();
        world.run(s(30) + ms(u64::from(seed) * 37));
        world.host(ROUTER).alive = false;
        world.run(s(30));
        assert_eq!(world.moved(), "", "seed {seed}: {}", world.text());
        assert_eq!(world.told(EventName::GroupFailed), 1);
    }
}

#[test]
fn when_what_was_asked_returns_traffic_does_not_move_to_and_fro() {
    for seed in 0..20 {
        let mut world = Setup { seed, ..Setup::abs() }.start();
        world.run(s(20));
        world.host(ROUTER).alive = false;
        world.run(s(20));
        assert_eq!(world.group_state(), GroupState::Failed);
        world.host(ROUTER).alive = true;
        world.run(s(60));
        assert_eq!(world.group_state(), GroupState::Ok);
        assert_eq!(world.moved(), "", "seed {seed}: {}", world.text());
    }
}

#[test]
fn who_stays_silent_when_what_was_asked_returns_is_left() {
    let mut world = Setup::abs().start();
    world.run(s(20));
    world.host(ROUTER).alive = false;
    world.run(s(20));
    world.cut("a", true);
    world.host(ROUTER).alive = true;
    world.run(s(30));
    assert_eq!(world.place("a"), plan::Member::StandIn("s".into()));
}
