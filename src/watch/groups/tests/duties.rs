//! Who carries traffic: standbys, FAILBACK, service.

use super::world::*;
use crate::interface::MacAddress;
use crate::watch::plan;
use crate::watch::{GroupState, MemberState};

fn without_failback() -> World {
    let mut setup = Setup::abs();
    setup.group().failback = false;
    let mut world = setup.start();
    world.run(s(20));
    world
}

fn fail_and_repair(world: &mut World, name: &str) {
    world.set_carrier(name, false);
    world.run(s(5));
    world.set_carrier(name, true);
    world.run(s(25));
}

#[test]
fn without_failback_a_repaired_member_is_held_back_and_its_traffic_stays() {
    let mut world = without_failback();
    fail_and_repair(&mut world, "a");
    assert!(world.member("a").inactive && world.is_active("s"), "{}", world.text());
    assert_eq!((world.state("a"), world.moved().as_str()), (MemberState::Ok, "a>s"));
    world.set_carrier("b", false);
    assert!(world.is_active("a"), "there is no standby left");
    assert_eq!(world.moved(), "b>s");
}

#[test]
fn without_failback_the_first_member_of_a_failed_group_is_active() {
    let mut world = without_failback();
    world.host(ROUTER).alive = false;
    world.run(s(20));
    assert_eq!(world.group_state(), GroupState::Failed);
    for name in ["b", "s"] {
        world.cut(name, true);
    }
    world.host(ROUTER).alive = true;
    world.run(s(25));
    assert!(world.is_active("a"), "{}", world.text());
}

#[test]
fn without_failback_who_comes_back_into_service_is_active() {
    let mut world = without_failback();
    world.set_offline("a", true);
    assert_eq!((world.state("a"), world.moved().as_str()), (MemberState::Offline, "a>s"));
    world.run(s(10));
    world.set_offline("a", false);
    assert!(world.is_active("a") && world.member("s").inactive);
    assert_eq!(world.moved(), "");
}

#[test]
fn the_administrator_can_want_traffic_home() {
    let mut world = without_failback();
    fail_and_repair(&mut world, "a");
    world.fail_back();
    assert!(world.is_active("a") && !world.is_active("s"));
    assert_eq!(world.moved(), "");
}

#[test]
fn a_member_out_of_service_is_not_probed_and_its_standby_serves() {
    let mut world = Setup::new(&["a"], &["s"]).start();
    world.run(s(20));
    world.set_offline("a", true);
    let since = world.now;
    assert_eq!((world.state("a"), world.moved().as_str()), (MemberState::Offline, "a>s"));
    assert!(world.is_active("s") && !world.is_active("a"));
    world.run(s(10));
    assert!(world.sent("a", since).is_empty());
    assert!(!world.sent("s", since).is_empty());
}

#[test]
fn a_failed_group_lets_a_member_out_of_service() {
    let mut world = Setup::abs().start();
    world.run(s(20));
    world.host(ROUTER).alive = false;
    world.run(s(20));
    let moved = world.moved();
    world.set_offline("a", true);
    assert_eq!(world.state("a"), MemberState::Offline);
    assert_eq!(world.moved(), moved);
    world.set_offline("a", false);
    assert_eq!(world.state("a"), MemberState::Failed, "it is what it was");
}

#[test]
fn carrier_lost_while_out_of_service_activates_nobody_and_shows_afterwards() {
    let mut world = Setup::new(&["a", "b"], &["s", "t"]).start();
    world.run(s(20));
    world.set_offline("a", true);
    world.set_carrier("a", false);
    assert_eq!(world.state("a"), MemberState::Offline);
    assert!(world.is_active("s") && !world.is_active("t"));
    world.set_offline("a", false);
    assert_eq!(world.state("a"), MemberState::Failed);
    assert!(world.is_active("s") && !world.is_active("t"));
    assert_eq!(world.moved(), "a>s");
}

#[test]
fn carrier_lost_and_found_while_out_of_service_is_no_failure() {
    let mut world = Setup::abs().start();
    world.run(s(20));
    world.set_offline("a", true);
    world.set_carrier("a", false);
    world.set_carrier("a", true);
    world.set_offline("a", false);
    assert_eq!((world.state("a"), world.moved()), (MemberState::Ok, String::new()));
}

#[test]
fn the_last_member_can_go_out_of_service_and_nothing_moves() {
    let mut world = Setup::new(&["a", "b"], &[]).start();
    world.run(s(20));
    world.set_offline("a", true);
    world.set_offline("b", true);
    assert_eq!((world.group_state(), world.moved().as_str()), (GroupState::Failed, "a>b"));
    world.set_offline("b", false);
    assert_eq!((world.group_state(), world.moved().as_str()), (GroupState::Degraded, "a>b"));
}

#[test]
fn two_standbys_step_in_and_back_one_for_one() {
    let mut setup = Setup::new(&["a", "b", "c"], &["s", "t"]);
    setup.without_test_addresses();
    let mut world = setup.start();
    world.set_carrier("a", false);
    world.set_carrier("b", false);
    assert_eq!(world.moved(), "a>s b>t");
    world.run(s(100));
    world.set_carrier("a", true);
    assert!(!world.is_active("s") && world.is_active("t"), "the one with nothing to do steps back");
    assert_eq!(world.moved(), "b>t");
    world.set_carrier("b", true);
    assert!(!world.is_active("s") && !world.is_active("t"));
}

#[test]
fn a_member_with_anothers_hardware_address_goes_out_of_service_until_it_has_its_own() {
    let mut world = Setup::abs().start();
    world.run(s(20));
    let own = world.interface("b").mac;
    let other = world.interface("a").mac;
    world.interface("b").mac = other;
    world.show_interfaces();
    let member = world.member("b");
    assert!(member.duplicate_mac && member.state == MemberState::Offline, "{}", world.text());
    assert_eq!((world.state("a"), world.moved().as_str()), (MemberState::Ok, "b>s"));
    world.set_offline("b", true);
    world.set_offline("b", false);
    assert_eq!(world.state("b"), MemberState::Offline, "the administrator cannot mend that");
    world.interface("b").mac = own;
    world.show_interfaces();
    assert_eq!((world.state("b"), world.moved()), (MemberState::Ok, String::new()));
    assert_eq!((world.told(EventName::DuplicateMac), world.told(EventName::DuplicateMacCleared)), (1, 1));
}

#[test]
fn of_two_members_with_one_hardware_address_the_one_that_took_it_goes() {
    let mut world = Setup::abs().start();
    world.run(s(20));
    world.interface("a").mac = Some(MacAddress([2, 0, 0, 0, 0, 1]));
    world.show_interfaces();
    assert!(world.member("a").duplicate_mac && !world.member("b").duplicate_mac);
}

#[test]
fn a_member_that_is_added_or_becomes_a_standby_keeps_the_others_states() {
    let mut world = Setup::abs().start();
    world.run(s(20));
    world.set_carrier("a", false);
    world.config.groups[0].targets.clear();
    world.config.groups[0].members[1].standby = true;
    world.reload();
    assert_eq!(world.state("a"), MemberState::Failed);
    assert_eq!(world.place("a"), plan::Member::StandIn("s".into()));
    let active = ["b", "s"].into_iter().filter(|name| world.is_active(name)).count();
    assert_eq!(active, 1, "{}", world.text());
}

#[test]
fn a_group_that_is_removed_asks_for_nothing_and_sends_nothing() {
    let mut world = Setup::abs().start();
    world.run(s(20));
    world.config.groups.clear();
    world.reload();
    let since = world.now;
    world.run(s(20));
    assert!(world.watch.plan().members.is_empty() && world.watch.plan().test_addresses.is_empty());
    assert!(world.sent("a", since).is_empty());
    assert_eq!(world.watch.deadline(), None);
}

#[test]
fn without_failback_a_member_that_joins_is_active() {
    let mut world = without_failback();
    world.restart();
    let mut joins = world.config.groups[0].members[0].clone();
    (joins.interface, joins.test_address) = ("c".into(), Some(v4(44)));
    let mut interface = world.interface("a").clone();
    interface.name = "c".into();
    interface.index = crate::interface::InterfaceIndex(44);
    interface.mac = None;
    interface.addresses.clear();
    world.interfaces.push(interface);
    world.config.groups[0].members.push(joins);
    world.reload();
    assert!(world.is_active("c"), "{}", world.text());
    assert_eq!(world.place("c"), plan::Member::Home);
    assert_eq!(world.watch.plan().test_addresses["c"], std::net::Ipv4Addr::new(10, 0, 0, 44));
}

#[test]
fn a_member_that_leaves_is_replaced_by_a_standby() {
    let mut world = Setup::abs().start();
    world.run(s(20));
    world.set_carrier("a", false);
    world.config.groups[0].members.remove(2);
    world.reload();
    assert_eq!(world.moved(), "a>b");
    let mut world = Setup::new(&["a"], &["s"]).start();
    world.config.groups[0].members.remove(0);
    world.reload();
    assert!(world.is_active("s"));
}

#[test]
fn who_has_no_address_to_be_answered_at_is_the_last_to_stand_in() {
    let mut setup = Setup::abs();
    // The test address is left.
    setup.interfaces[2].addresses.remove(0);
    let mut world = setup.start();
    let mute = |world: &World| {
        let is_mute = |notice: &Notice| matches!(notice, Notice::StoodIn { mute: true, .. });
        world.notices.iter().filter(|(_, notice)| is_mute(notice)).count()
    };
    world.run(s(20));
    world.set_carrier("a", false);
    assert!(world.is_active("s"));
    assert_eq!(world.place("a"), plan::Member::StandIn("b".into()));
    assert_eq!(mute(&world), 0);
    world.set_carrier("b", false);
    assert_eq!(world.place("a"), plan::Member::StandIn("s".into()));
    assert_eq!(mute(&world), 2);
}
