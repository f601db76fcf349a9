//! Where probes come from.

use ipnet::IpNet;

use super::world::*;
use crate::interface::Family;
use crate::watch::{MemberState, Mode, Probing};

#[test]
fn an_address_that_the_interface_has_is_adopted_and_one_that_it_has_not_is_made() {
    let mut setup = Setup::abs();
    setup.interfaces[0].addresses.pop();
    setup.group().members[1].test_address = Some(v4(2));
    let mut world = setup.start();
    let wanted: Vec<String> = world.watch.plan().test_addresses.keys().cloned().collect();
    assert_eq!(wanted, ["a", "s"], "the one of s is there as faild makes it");
    assert_eq!(world.member("a").probing, Probing::Disabled);
    assert_eq!(world.instance("b", Family::V4).test_address, Some(v4(2)));
    world.interface("a").addresses.push(address(IpNet::new(v4(11), 32).unwrap()));
    world.show_interfaces();
    assert_eq!(world.instance("a", Family::V4).test_address, Some(v4(11)));
    assert_eq!(world.watch.plan().test_addresses["a"], std::net::Ipv4Addr::new(10, 0, 0, 11));
}

#[test]
fn a_deprecated_address_with_a_subnet_is_adopted_with_one_warning() {
    let mut setup = Setup::abs();
    setup.interfaces[0].addresses[0].deprecated = true;
    setup.group().members[0].test_address = Some(v4(1));
    let mut world = setup.start();
    world.run(s(60));
    world.show_interfaces();
    assert_eq!(world.told(EventName::TestAddressDeprecated), 1);
    let (interface, prefix) = ("a".to_owned(), "10.0.0.1/24".parse().unwrap());
    assert_eq!(world.notices[0].1, Notice::TestAddressDeprecated { interface, prefix });
    assert_eq!(world.instance("a", Family::V4).test_address, Some(v4(1)));
    assert_eq!(world.state("a"), MemberState::Ok);
}

#[test]
fn members_with_the_same_test_address_are_not_probed_until_it_is_one_members() {
    let mut world = Setup::abs().start();
    world.run(s(10));
    world.config.groups[0].members[1].test_address = Some(v4(11));
    world.interface("b").addresses[1] = address(IpNet::new(v4(11), 32).unwrap());
    world.reload();
    for name in ["a", "b"] {
        assert_eq!(world.member(name).probing, Probing::Disabled);
        assert_eq!(world.instance(name, Family::V4).mode, Mode::Disabled);
        assert!(!world.watch.plan().test_addresses.contains_key(name));
    }
    let since = world.now;
    world.run(s(10));
    assert!(world.sent("a", since).is_empty() && world.sent("b", since).is_empty());
    assert_eq!(world.state("a"), MemberState::Ok, "its link speaks for it");
    world.config.groups[0].members[1].test_address = Some(v4(12));
    world.interface("b").addresses[1] = address(IpNet::new(v4(12), 32).unwrap());
    world.reload();
    world.run(s(10));
    assert_eq!((world.member("a").probing, world.member("b").probing), (Probing::Ok, Probing::Ok));
    assert_eq!(
        (world.told(EventName::DuplicateTestAddress), world.told(EventName::DuplicateTestAddressCleared)),
        (1, 1)
    );
}

#[test]
fn a_failed_member_whose_test_address_is_taken_away_is_repaired_by_its_link() {
    let mut world = Setup::abs().start();
    world.run(s(20));
    world.cut("a", true);
    world.run(s(11));
    assert_eq!(world.state("a"), MemberState::Failed);
    world.config.groups[0].members[0].test_address = None;
    world.reload();
    assert_eq!((world.state("a"), world.moved()), (MemberState::Ok, String::new()), "{}", world.text());
}

#[test]
fn a_failed_member_whose_test_address_is_being_made_is_not_repaired_by_its_link() {
    let mut world = Setup::abs().start();
    world.run(s(20));
    world.interface("a").up = false;
    world.set_carrier("a", false);
    world.interface("a").addresses.clear();
    world.interface("a").up = true;
    world.set_carrier("a", true);
    assert_eq!(world.state("a"), MemberState::Failed);
    world.run(s(19));
    assert_eq!(world.state("a"), MemberState::Failed);
    world.run(s(2));
    assert_eq!(world.state("a"), MemberState::Ok, "it does not come: {}", world.text());
}

#[test]
fn people_are_told_once_that_a_member_has_no_address_to_probe_from() {
    let mut setup = Setup::abs();
    setup.interfaces[0].addresses.pop();
    let mut world = setup.start();
    world.run(s(19));
    assert_eq!(world.told(EventName::TestAddressMissing), 0);
    world.run(s(100));
    assert_eq!(world.told(EventName::TestAddressMissing), 1);
    assert_eq!(world.state("a"), MemberState::Ok);
    world.interface("a").addresses.push(address(IpNet::new(v4(11), 32).unwrap()));
    world.show_interfaces();
    assert_eq!(world.told(EventName::TestAddressFound), 1);
}

#[test]
fn who_wishes_no_probes_is_not_told_of_their_absence() {
    let mut setup = Setup::abs();
    setup.without_test_addresses();
    let mut world = setup.start();
    world.run(s(100));
    assert_eq!(world.notices, []);
    assert_eq!(world.group().detection_time, None);
    assert_eq!(world.watch.deadline(), None);
}

#[test]
fn a_member_whose_ipv6_address_is_being_checked_waits_for_it() {
    let mut setup = Setup::abs();
    setup.with_ipv6(v6(0xff));
    setup.without_test_addresses();
    let mut world = setup.start();
    world.run(s(20));
    world.set_carrier("a", false);
    let checked = world.interface("a").addresses.pop().unwrap();
    let mut tentative = checked.clone();
    tentative.tentative = true;
    world.interface("a").addresses.push(tentative);
    world.set_carrier("a", true);
    world.run(s(2));
    assert_eq!(world.state("a"), MemberState::Failed);
    world.interface("a").addresses.pop();
    world.interface("a").addresses.push(checked);
    world.show_interfaces();
    assert_eq!(world.state("a"), MemberState::Failed);
    world.run(s(25));
    assert_eq!(world.state("a"), MemberState::Ok);
}
