//! Addresses that wait on `lo`, and static IPv6 addresses that are put back.

use std::time::Duration;

use super::rig::{ETH0, ETH1, LO, Rig, address, interface, ip, route};
use crate::engine::Verdict;
use crate::event::EventName;
use crate::interface::{InterfaceAddress, InterfaceIndex};
use crate::reconcile::Notice;

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn an_ipv6_address_waits_on_lo_while_its_interface_is_down_and_a_detour_is_in_force() {
    let mut rig = Rig::new();
    rig.detour("eth0", "fd00::2", "eth1", "fd01::2");
    rig.take_operations();
    rig.take_notices();
    rig.event(|k| k.set_up(ETH0, false));
    rig.wait(SECOND);
    assert_eq!(rig.take_operations(), ["addr add fd00::1/128 dev 1"]);
    let (interface, address) = ("eth0".to_owned(), ip("fd00::1"));
    let waits = Notice::AddressWaits { interface: interface.clone(), address };
    assert_eq!(rig.take_notices(), [waits]);
    assert_eq!(rig.own(), ["fd00::2/128 via fd01::2 dev 3 metric 1024 src fd00::1"]);
    rig.event(|k| k.set_up(ETH0, true));
    rig.wait(3 * SECOND);
    assert_eq!(rig.take_operations(), ["addr add fd00::1/64 dev 2", "addr del fd00::1/128 dev 1"]);
    let put_back =
        Notice::AddressPutBack { interface: interface.clone(), address: "fd00::1/64".parse().unwrap() };
    let expected = [put_back, Notice::AddressReturned { interface: Some(interface), address }];
    assert_eq!(rig.take_notices(), expected);
    assert_eq!(rig.own(), ["fd00::2/128 via fd01::2 dev 3 metric 1024 src fd00::1"]);
}

#[test]
fn a_detour_that_comes_after_the_interface_fell_lays_the_address_first() {
    let mut rig = Rig::new();
    rig.event(|k| k.set_up(ETH0, false));
    rig.wait(SECOND);
    rig.take_operations();
    rig.detour("eth0", "fd00::2", "eth1", "fd01::2");
    assert_eq!(
        rig.take_operations(),
        ["addr add fd00::1/128 dev 1", "add Alone fd00::2/128 via fd01::2 dev 3 metric 1024 src fd00::1"]
    );
}

#[test]
fn without_a_detour_no_address_waits_but_a_static_one_is_put_back() {
    let mut rig = Rig::new();
    rig.event(|k| k.set_up(ETH0, false));
    rig.wait(5 * SECOND);
    rig.event(|k| k.set_up(ETH0, true));
    rig.wait(5 * SECOND);
    assert_eq!(rig.take_operations(), ["addr add fd00::1/64 dev 2"]);
}

/// Changes elsewhere have made the pause long by then.
#[test]
fn a_detour_that_lacked_an_address_is_laid_as_soon_as_we_put_it_back() {
    let mut rig = Rig::new();
    rig.event(|k| k.set_up(ETH0, false));
    rig.event(|k| k.set_up(ETH0, true));
    rig.detour("eth1", "fd01::2", "eth0", "fd00::2");
    for number in 70..75 {
        rig.event(|k| k.add_address(ETH1, address(&format!("10.1.0.{number}/24"))).unwrap());
    }
    assert_eq!(rig.own(), [""; 0]);
    rig.wait(2 * SECOND);
    assert_eq!(rig.own(), ["fd01::2/128 via fd00::2 dev 2 metric 1024 src fd01::1"]);
}

#[test]
fn addresses_with_a_lifetime_are_not_put_back() {
    let mut rig = Rig::new();
    let leased = InterfaceAddress { permanent: false, ..address("fd00::77/64") };
    rig.event(|k| k.add_address(ETH0, leased).unwrap());
    rig.event(|k| k.set_up(ETH0, false));
    rig.wait(5 * SECOND);
    rig.event(|k| k.set_up(ETH0, true));
    rig.wait(5 * SECOND);
    assert_eq!(rig.take_operations(), ["addr add fd00::1/64 dev 2"]);
}

#[test]
fn an_address_is_put_back_as_it_was() {
    let mut rig = Rig::new();
    let peer = Some("fd00:7::2".parse().unwrap());
    let was = InterfaceAddress { deprecated: true, metric: 77, flags: 0x100, peer, ..address("fd00::77/64") };
    rig.event(|k| k.add_address(ETH0, was.clone()).unwrap());
    rig.event(|k| k.set_up(ETH0, false));
    rig.detour("eth0", "fd00::2", "eth1", "fd01::2");
    let lo = rig.kernel.interface(LO).unwrap().addresses.iter().find(|a| a.address() == was.address());
    assert!(lo.unwrap().deprecated);
    // What is to be put back is read from the journal.
    rig.restart(true);
    rig.event(|k| k.set_up(ETH0, true));
    rig.wait(5 * SECOND);
    let found = |a: &&InterfaceAddress| a.address() == was.address();
    assert_eq!(rig.kernel.interface(ETH0).unwrap().addresses.iter().find(found), Some(&was));
}

#[test]
fn an_address_removed_while_the_interface_is_up_is_somebodys_will() {
    let mut rig = Rig::new();
    rig.detour("eth0", "fd00::2", "eth1", "fd01::2");
    rig.wait(10 * SECOND);
    rig.take_operations();
    rig.event(|k| k.delete_address(ETH0, &address("fd00::1/64").prefix).unwrap());
    rig.wait(100 * SECOND);
    assert_eq!(rig.on_lo(), [""; 0]);
    assert!(!rig.take_operations().iter().any(|o| o.starts_with("addr")));
    assert_eq!(rig.own(), ["fd00::2/128 via fd01::2 dev 3 metric 1023"], "laid again without that source");
}

#[test]
fn a_bounce_whose_messages_were_lost_is_noticed_by_a_link_local_address_made_anew() {
    let mut rig = with_link_local();
    rig.deaf = true;
    rig.event(|k| {
        k.set_up(ETH0, false);
        k.set_up(ETH0, true);
        k.delete_address(ETH0, &address("fe80::1/64").prefix).unwrap();
        let anew = InterfaceAddress { tentative: true, ..address("fe80::1/64") };
        k.add_address(ETH0, anew).unwrap()
    });
    rig.deaf = false;
    rig.overrun();
    assert_eq!(rig.on_lo(), ["fd00::1/128"; 1]);
    rig.wait(3 * SECOND);
    assert!(rig.take_operations().contains(&"addr add fd00::1/64 dev 2".to_owned()));
}

/// SIGSTOP: when it goes on, both times are over, that to put the address back and that to give it up.
#[test]
fn a_daemon_that_was_stopped_puts_an_address_back_before_it_gives_it_up() {
    for stop in [1, 2, 5] {
        let mut rig = Rig::new();
        rig.detour("eth0", "fd00::2", "eth1", "fd01::2");
        rig.event(|k| k.set_up(ETH0, false));
        assert_eq!(rig.on_lo(), ["fd00::1/128"]);
        rig.event(|k| k.set_up(ETH0, true));
        rig.home("eth0", "fd00::2");
        rig.take_operations();
        rig.stall(stop * SECOND, |k| k.set_up(ETH1, false));
        rig.wait(5 * SECOND);
        let addresses = rig.take_operations().into_iter().filter(|o| o.contains("fd00::1/"));
        let expected = ["addr add fd00::1/64 dev 2", "addr del fd00::1/128 dev 1"];
        assert_eq!(addresses.collect::<Vec<_>>(), expected, "{stop} s");
    }
}

/// Detours for both addresses of `eth0`, which has a link-local one besides.
fn with_link_local() -> Rig {
    let mut rig = Rig::new();
    rig.event(|k| k.add_address(ETH0, address("fe80::1/64")).unwrap());
    rig.detour("eth0", "10.0.0.2", "eth1", "10.1.0.2");
    rig.detour("eth0", "fd00::2", "eth1", "fd01::2");
    rig.wait(10 * SECOND);
    rig.take_operations();
    rig
}

#[test]
fn an_address_that_was_removed_from_a_downed_interface_does_not_wait_for_ever() {
    for verdict in [Verdict::Home, Verdict::Undecided] {
        let mut rig = Rig::new();
        rig.detour("eth0", "10.0.0.9", "eth1", "10.1.0.9");
        rig.event(|k| k.set_up(ETH0, false));
        rig.event(|k| k.delete_address(ETH0, &address("10.0.0.1/24").prefix).unwrap());
        rig.wait(SECOND);
        assert_eq!(rig.on_lo(), ["10.0.0.1/32"; 1]);
        rig.event(|k| k.set_up(ETH0, true));
        rig.wait(5 * SECOND);
        assert_eq!(rig.on_lo(), ["10.0.0.1/32"; 1], "a session over the detour may need it");
        rig.decide("eth0", "10.0.0.9", verdict);
        rig.wait(65 * SECOND);
        assert_eq!(rig.on_lo(), [""; 0]);
    }
}

#[test]
fn an_ipv4_address_waits_when_its_interface_is_deleted_and_overlays_are_laid_again() {
    let mut rig = Rig::new();
    rig.add(&route("198.51.100.0/24", "10.0.0.9", ETH0, 0));
    rig.detour("eth0", "10.0.0.9", "eth1", "10.1.0.9");
    rig.event(|k| k.set_up(ETH0, false));
    rig.wait(SECOND);
    assert_eq!(rig.on_lo(), [""; 0], "a downed interface keeps its IPv4 addresses");
    rig.event(|k| k.delete_interface(ETH0));
    rig.wait(SECOND);
    assert_eq!(rig.on_lo(), ["10.0.0.1/32"; 1]);
    assert_eq!(rig.told(&[EventName::OverlayLost]), [], "nobody is to blame");
    assert_eq!(
        rig.own(),
        [
            "10.0.0.9/32 via 10.1.0.9 dev 3 metric 0 src 10.0.0.1",
            "198.51.100.0/24 via 10.1.0.9 dev 3 metric 0 src 10.0.0.1",
        ]
    );
    rig.event(|k| k.add_interface(interface(InterfaceIndex(9), "eth0", &["10.0.0.1/24"])));
    rig.wait(5 * SECOND);
    assert_eq!(rig.on_lo(), [""; 0]);
    rig.home("eth0", "10.0.0.9");
    assert_eq!(rig.own(), [""; 0]);
    assert_eq!(rig.gateway_to("198.51.100.1"), Some(ip("10.0.0.9")));
}

#[test]
fn a_waiting_address_is_found_again_after_a_crash_with_and_without_journal() {
    for with_journal in [true, false] {
        let mut rig = Rig::new();
        rig.detour("eth0", "fd00::2", "eth1", "fd01::2");
        rig.event(|k| k.set_up(ETH0, false));
        rig.wait(2 * SECOND);
        assert!(rig.journal.contains(" absent fd00::1/64"), "{}", rig.journal);
        rig.take_operations();
        rig.restart(with_journal);
        rig.wait(10 * SECOND);
        assert_eq!(rig.take_operations(), [""; 0]);
        assert_eq!(rig.on_lo(), ["fd00::1/128"]);
        if !with_journal {
            // Nobody remembers the static address; somebody else puts it back.
            rig.event(|k| k.set_up(ETH0, true));
            rig.event(|k| k.add_address(ETH0, address("fd00::1/64")).unwrap());
        } else {
            rig.event(|k| k.set_up(ETH0, true));
        }
        rig.wait(5 * SECOND);
        assert_eq!(rig.on_lo(), [""; 0]);
        let eth0 = rig.kernel.interface(ETH0).unwrap();
        assert!(eth0.addresses.iter().any(|a| a.prefix == address("fd00::1/64").prefix));
        rig.home("eth0", "fd00::2");
        assert_eq!(rig.own(), [""; 0]);
    }
}

#[test]
fn the_end_names_waiting_addresses() {
    let mut rig = Rig::new();
    rig.detour("eth0", "fd00::2", "eth1", "fd01::2");
    rig.event(|k| k.set_up(ETH0, false));
    rig.wait(SECOND);
    rig.take_notices();
    rig.stop();
    let addresses = vec!["fd00::1/128".parse().unwrap()];
    let left = Notice::LeftBehind { ipv4: 0, ipv6: 1, addresses, tests: Vec::new() };
    assert_eq!(rig.take_notices(), [left]);
    assert_eq!(rig.on_lo(), ["fd00::1/128"]);
}

#[test]
fn an_address_that_the_kernel_keeps_on_a_downed_interface_waits_all_the_same() {
    let mut rig = Rig::new();
    rig.detour("eth0", "fd00::2", "eth1", "fd01::2");
    rig.take_operations();
    // Sysctl keep_addr_on_down: listed, but not local.
    rig.event(|k| {
        let told = k.set_up(ETH0, false);
        k.load_address(ETH0, InterfaceAddress { tentative: true, ..address("fd00::1/64") });
        told
    });
    rig.wait(SECOND);
    assert_eq!(rig.take_operations(), ["addr add fd00::1/128 dev 1"]);
    rig.event(|k| {
        k.load_address(ETH0, address("fd00::1/64"));
        k.set_up(ETH0, true)
    });
    rig.wait(3 * SECOND);
    assert_eq!(rig.take_operations(), ["addr del fd00::1/128 dev 1"]);
}

#[test]
fn overlays_follow_a_changed_source_and_come_to_rest() {
    let mut rig = Rig::new();
    rig.event(|k| k.add_address(ETH0, address("10.0.0.77/16")).unwrap());
    rig.event(|k| k.delete_address(ETH0, &address("10.0.0.1/24").prefix).unwrap());
    rig.detour("eth0", "10.0.0.2", "eth1", "10.1.0.2");
    rig.wait(10 * SECOND);
    assert_eq!(rig.own(), ["10.0.0.2/32 via 10.1.0.2 dev 3 metric 0 src 10.0.0.77"]);
    rig.event(|k| k.delete_interface(ETH0));
    rig.wait(10 * SECOND);
    rig.event(|k| k.add_interface(interface(InterfaceIndex(9), "eth0", &["10.0.0.1/16"])));
    rig.wait(10 * SECOND);
    assert_eq!(rig.own(), ["10.0.0.2/32 via 10.1.0.2 dev 3 metric 0 src 10.0.0.1"]);
    rig.take_operations();
    rig.wait(200 * SECOND);
    assert_eq!(rig.take_operations(), [""; 0]);
    rig.home("eth0", "10.0.0.2");
    rig.wait(10 * SECOND);
    assert_eq!(rig.own(), [""; 0]);
    assert_eq!(rig.on_lo(), [""; 0], "it is not coming back");
}

#[test]
fn an_address_that_stands_on_an_interface_of_another_name_is_not_put_on_a_second_one() {
    // The names were swapped while no daemon ran.
    let mut rig = Rig::new();
    rig.wait(10 * SECOND);
    for (index, name) in [(ETH0, "spare"), (ETH1, "eth0"), (ETH0, "eth1")] {
        rig.kernel.rename_interface(index, name);
    }
    rig.restart(true);
    rig.take_operations();
    rig.wait(120 * SECOND);
    assert_eq!(rig.take_operations(), [""; 0]);
    // It was renamed, and the second one of its old name was made anew.
    let mut rig = Rig::new();
    rig.wait(10 * SECOND);
    rig.event(|k| k.rename_interface(ETH0, "wan9"));
    rig.wait(SECOND);
    let [second, third] = [7, 8].map(InterfaceIndex);
    rig.event(|k| k.add_interface(interface(second, "eth0", &[])));
    rig.wait(10 * SECOND);
    rig.event(|k| k.delete_interface(second));
    rig.wait(SECOND);
    rig.event(|k| k.add_interface(interface(third, "eth0", &[])));
    rig.take_operations();
    rig.wait(120 * SECOND);
    assert_eq!(rig.take_operations(), [""; 0]);
    // It gets the address as soon as no other has it.
    rig.event(|k| k.delete_interface(ETH0));
    rig.wait(61 * SECOND);
    assert_eq!(rig.take_operations(), ["addr add fd00::1/64 dev 8"]);
}
