//! Links that go down and come up.

use super::world::*;
use crate::watch::plan;
use crate::watch::{GroupState, Link, MemberState};

fn answered() -> World {
    let mut world = Setup::abs().start();
    world.run(s(20));
    world
}

fn by_link() -> World {
    let mut setup = Setup::abs();
    setup.without_test_addresses();
    setup.start()
}

fn flap(world: &mut World, name: &str) {
    world.set_carrier(name, false);
    world.set_carrier(name, true);
}

#[test]
fn standby_takes_over_at_once_when_carrier_is_lost() {
    let mut world = answered();
    world.set_carrier("a", false);
    assert_eq!((world.state("a"), world.member("a").link), (MemberState::Failed, Link::Down));
    assert!(world.is_active("s") && world.is_active("b") && !world.member("s").inactive);
    assert_eq!(world.group_state(), GroupState::Degraded);
    assert_eq!(world.moved(), "a>s");
    assert_eq!(world.member("a").taken_over_by.as_deref(), Some("s"));
    let told: Vec<_> = world.notices.iter().map(|(_, notice)| notice.clone()).collect();
    let (interface, standby, group) = ("a".to_owned(), "s".to_owned(), "lan0".to_owned());
    let expected = [
        Notice::LinkDown { interface: interface.clone() },
        Notice::InterfaceFailed {
            interface: interface.clone(),
            group: group.clone(),
            cause: Failure::Link,
            losses: 0,
            silent: None,
        },
        Notice::SpareActivated { interface: standby.clone(), group: group.clone(), standby: true },
        Notice::StoodIn { interface, group, by: standby, mute: false },
    ];
    assert_eq!(told, expected);
}

#[test]
fn carrier_alone_does_not_repair_a_member_that_is_probed() {
    let mut world = answered();
    world.set_carrier("a", false);
    world.run(s(5));
    world.set_carrier("a", true);
    world.run_until(s(20), |world| world.target("a", ROUTER).good == 9);
    assert_eq!(world.state("a"), MemberState::Failed);
    world.run(ms(2 * 2142));
    assert_eq!(world.state("a"), MemberState::Ok, "{}", world.text());
    assert!(world.is_active("a") && world.member("s").inactive);
    assert_eq!((world.group_state(), world.moved()), (GroupState::Ok, String::new()));
}

#[test]
fn no_probe_is_sent_over_a_link_that_is_down_and_old_answers_do_not_count() {
    let mut world = answered();
    world.host(ROUTER).delay = ms(500);
    world.run_until(s(5), |world| world.probes.last().is_some_and(|(at, _)| *at == world.now));
    world.set_carrier("a", false);
    let since = world.now;
    world.run(s(10));
    assert!(world.sent("a", since).iter().all(|(at, _)| *at == since));
    let target = world.target("a", ROUTER);
    assert_eq!((target.missed, target.good), (0, 0));
}

#[test]
fn without_test_addresses_two_flaps_in_a_minute_are_repaired_at_once_and_the_third_is_held() {
    let mut world = by_link();
    world.run(s(30));
    flap(&mut world, "a");
    assert_eq!(world.state("a"), MemberState::Ok, "the first: {}", world.text());
    world.run(s(10));
    let second = world.now;
    flap(&mut world, "a");
    assert_eq!(world.state("a"), MemberState::Ok, "the second");
    world.run(s(10));
    flap(&mut world, "a");
    assert_eq!(world.state("a"), MemberState::Failed, "the third");
    world.run(s(40));
    assert_eq!((world.told(EventName::LinkFlapping), world.state("a")), (1, MemberState::Failed));
    world.run_until(s(20), |world| world.state("a") == MemberState::Ok);
    assert_eq!(world.now, second + s(60));
    assert_eq!(world.moved(), "");
}

#[test]
fn a_probed_member_that_flaps_is_not_held_but_needs_answers_each_time() {
    let mut world = answered();
    for _ in 0..5 {
        flap(&mut world, "a");
        assert_eq!(world.state("a"), MemberState::Failed);
        world.run(s(10));
        assert_eq!(world.state("a"), MemberState::Failed);
    }
    world.run(s(15));
    assert_eq!(world.state("a"), MemberState::Ok, "{}", world.text());
    assert_eq!(world.told(EventName::LinkFlapping), 0);
}

#[test]
fn a_standby_that_serves_and_fails_is_followed_by_who_is_left() {
    let mut world = answered();
    world.set_carrier("a", false);
    world.set_carrier("s", false);
    assert_eq!(world.state("s"), MemberState::Failed);
    assert_eq!(world.moved(), "a>b s>b");
    assert!(world.is_active("b"));
}

#[test]
fn an_inactive_standby_that_fails_moves_nobody_else() {
    let mut world = answered();
    world.set_carrier("s", false);
    assert_eq!(world.group_state(), GroupState::Degraded);
    assert_eq!(world.moved(), "s>a");
    world.set_carrier("s", true);
    world.run(s(25));
    assert_eq!((world.group_state(), world.moved()), (GroupState::Ok, String::new()));
    assert!(world.member("s").inactive);
    for (_, plan) in &world.plans {
        assert_eq!((&plan.members["a"], &plan.members["b"]), (&plan::Member::Home, &plan::Member::Home));
    }
}

#[test]
fn members_with_nobody_to_ask_are_witnesses_of_a_lost_link() {
    let mut setup = Setup::new(&["a", "b"], &[]);
    setup.without_routers();
    let mut world = setup.start();
    world.run(s(5));
    world.set_carrier("a", false);
    assert_eq!(world.state("a"), MemberState::Failed);
    assert!(world.is_active("b"));
    assert_eq!((world.group_state(), world.moved().as_str()), (GroupState::Degraded, "a>b"));
    world.set_carrier("a", true);
    assert_eq!(world.state("a"), MemberState::Unknown, "its link is all there is to go by: {}", world.text());
    assert_eq!(world.moved(), "");
}

#[test]
fn all_links_lost_at_once_are_a_failure_of_the_group() {
    let mut world = answered();
    let plan = world.watch.plan().clone();
    for name in ["a", "b", "s"] {
        world.interface(name).carrier = false;
    }
    world.show_interfaces();
    assert_eq!((world.told(EventName::InterfaceFailed), world.told(EventName::GroupFailed)), (0, 1));
    assert_eq!(*world.watch.plan(), plan);
    world.set_carrier("b", true);
    world.run(s(20));
    assert_eq!(world.moved(), "a>b s>b", "{}", world.text());
}

#[test]
fn all_links_lost_one_after_the_other_leave_the_last_place_as_it_was() {
    let mut world = answered();
    for name in ["a", "b", "s"] {
        world.set_carrier(name, false);
    }
    assert_eq!(world.group_state(), GroupState::Failed);
    assert_eq!(world.moved(), "a>s b>s");
    assert_eq!(world.told(EventName::GroupFailed), 1);
}

#[test]
fn the_traffic_of_failed_members_is_spread_and_does_not_move_again() {
    let mut setup = Setup::new(&["a", "b", "c", "d"], &[]);
    setup.without_test_addresses();
    let mut world = setup.start();
    world.set_carrier("a", false);
    assert_eq!(world.moved(), "a>b");
    world.set_carrier("b", false);
    assert_eq!(world.moved(), "a>c b>d");
    world.set_carrier("b", true);
    assert_eq!(world.moved(), "a>c");
}

#[test]
fn an_interface_that_vanishes_is_stood_in_for_and_new_when_it_comes_back() {
    let mut world = answered();
    let gone = world.interfaces.remove(0);
    world.show_interfaces();
    assert_eq!((world.state("a"), world.moved().as_str()), (MemberState::Failed, "a>s"));
    let is_gone = |notice: &Notice| matches!(notice, Notice::InterfaceFailed { cause: Failure::Gone, .. });
    assert!(world.notices.iter().any(|(_, notice)| is_gone(notice)), "{}", world.text());
    world.run(s(5));
    world
        .interfaces
        .insert(0, crate::interface::Interface { index: crate::interface::InterfaceIndex(77), ..gone });
    world.show_interfaces();
    assert_eq!((world.state("a"), world.moved()), (MemberState::Ok, String::new()), "{}", world.text());
    world.run(s(20));
    assert!(world.target("a", ROUTER).good > 5, "{}", world.text());
}

#[test]
fn an_interface_that_was_replaced_between_two_looks_is_probed_anew() {
    let mut world = answered();
    world.interface("b").index = crate::interface::InterfaceIndex(78);
    world.show_interfaces();
    world.run(s(10));
    assert_eq!(world.state("b"), MemberState::Ok);
    assert!(world.target("b", ROUTER).good > 3);
}

#[test]
fn a_member_that_is_missing_from_the_start_is_waited_for() {
    let mut setup = Setup::abs();
    let late = setup.interfaces.remove(1);
    let mut world = setup.start();
    assert_eq!(world.state("b"), MemberState::Unknown);
    assert_eq!(world.place("b"), plan::Member::Undecided);
    assert!(world.is_active("s"), "the standby serves meanwhile");
    world.run(s(5));
    world.interfaces.push(late);
    world.show_interfaces();
    assert!(world.is_active("b") && !world.is_active("s"));
    assert_eq!(world.place("b"), plan::Member::Home);
}

#[test]
fn interfaces_that_are_down_at_first_sight_are_set_up_and_later_ones_are_not() {
    let mut setup = Setup::abs();
    setup.interfaces[0].up = false;
    setup.interfaces[0].carrier = false;
    setup.interfaces[2].up = false;
    setup.group().members[2].bring_up = false;
    let mut world = setup.start();
    assert_eq!(world.watch.plan().up, ["a"]);
    world.interface("a").up = true;
    world.set_carrier("a", true);
    assert!(world.watch.plan().up.is_empty());
    world.interface("a").up = false;
    world.show_interfaces();
    assert!(world.watch.plan().up.is_empty(), "an administrator who sets it down means it");
    world.config.groups[0].detection_time = s(9);
    world.reload();
    assert_eq!(world.watch.plan().up, ["a"]);
}
