//! What survives a restart of faild.

use super::world::*;
use crate::watch::plan;
use crate::watch::{MemberState, Memory};

fn answered() -> World {
    let mut world = Setup::abs().start();
    world.run(s(20));
    world
}

#[test]
fn a_member_that_had_failed_is_undecided_until_it_has_proven_itself() {
    let mut world = answered();
    world.cut("a", true);
    world.run(s(11));
    assert_eq!(world.moved(), "a>s");
    world.restart();
    assert_eq!(world.state("a"), MemberState::Failed);
    assert_eq!(world.place("a"), plan::Member::Undecided, "{}", world.text());
    assert!(world.is_active("s") && world.is_active("b") && !world.is_active("a"));
    world.run(s(30));
    assert_eq!(world.place("a"), plan::Member::Undecided);
    world.cut("a", false);
    world.run(s(25));
    assert_eq!(world.place("a"), plan::Member::Home);
    assert!(world.is_active("a") && !world.is_active("s"));
}

#[test]
fn a_member_that_had_failed_and_still_does_is_judged_again() {
    let mut world = answered();
    world.cut("a", true);
    world.run(s(11));
    world.restart();
    world.run(s(55));
    assert_eq!(world.place("a"), plan::Member::StandIn("s".into()), "{}", world.text());
    assert_eq!(world.told(EventName::InterfaceFailed), 2);
}

#[test]
fn a_link_that_is_down_after_a_restart_fails_its_member_at_once() {
    let mut world = answered();
    world.set_carrier("a", false);
    world.restart();
    assert_eq!(world.place("a"), plan::Member::StandIn("s".into()), "{}", world.text());
}

#[test]
fn who_was_out_of_service_is_after_a_restart() {
    let mut world = answered();
    world.set_offline("a", true);
    world.restart();
    assert_eq!(world.state("a"), MemberState::Offline);
    assert_eq!(world.moved(), "a>s");
}

#[test]
fn a_restart_moves_nobody_home_without_failback_and_does_with_it() {
    for failback in [false, true] {
        let mut setup = Setup::abs();
        setup.group().failback = false;
        let mut world = setup.start();
        world.run(s(20));
        world.set_carrier("a", false);
        world.run(s(5));
        world.set_carrier("a", true);
        world.run(s(25));
        assert_eq!(world.moved(), "a>s");
        world.config.groups[0].failback = failback;
        world.restart();
        assert_eq!(world.moved(), if failback { "" } else { "a>s" }, "{}", world.text());
        assert_eq!(world.is_active("a"), failback);
    }
}

#[test]
fn what_is_remembered_names_who_failed_and_who_is_active() {
    let mut world = answered();
    let entry = |name: &str| (GROUP.to_owned(), name.to_owned());
    assert_eq!(world.memory.active, [entry("a"), entry("b")]);
    world.set_carrier("a", false);
    let (failed, active) = (vec![entry("a")], vec![entry("b"), entry("s")]);
    let expected = Memory { failed, active, ..Memory::default() };
    assert_eq!(world.memory, expected);
}

#[test]
fn a_watch_that_has_seen_nothing_forgets_nothing() {
    let mut world = answered();
    world.cut("a", true);
    world.run(s(11));
    let memory = world.memory.clone();
    world.interfaces.clear();
    world.restart();
    world.run(s(100));
    assert_eq!(world.memory, memory);
}

#[test]
fn a_failure_that_nobody_can_prove_over_is_left_to_the_link_after_a_while() {
    let mut world = answered();
    world.cut("a", true);
    world.run(s(11));
    world.routes.clear();
    world.hosts.clear();
    world.restart();
    world.run(s(39));
    assert_eq!(world.state("a"), MemberState::Failed);
    world.run(s(2));
    assert_eq!(world.state("a"), MemberState::Unknown, "{}", world.text());
    assert_eq!(world.place("a"), plan::Member::Home);
}

#[test]
fn who_had_failed_before_and_comes_back_into_service_leaves_a_stand_in_that_is_gone() {
    let mut world = Setup::new(&["a", "b", "c"], &[]).start();
    world.run(s(20));
    world.cut("c", true);
    world.run(s(20));
    assert_eq!(world.state("c"), MemberState::Failed);
    world.restart();
    world.set_offline("c", true);
    assert_eq!(world.place("c"), plan::Member::StandIn("a".into()));
    world.set_offline("c", false);
    assert_eq!(world.state("c"), MemberState::Failed);
    world.set_carrier("a", false);
    assert_eq!(world.place("c"), plan::Member::StandIn("b".into()));
}
