//! Test addresses, and interfaces that shall be up.

use std::time::Duration;

use ipnet::IpNet;
use nix::errno::Errno;

use super::rig::{ETH0, ETH1, ETH2, Rig, address, interface, kernel, route, settings, stand_in};
use crate::config::Exit;
use crate::event::EventName;
use crate::interface::InterfaceIndex;
use crate::operation::{Operation, Refusal};
use crate::reconcile::{Mirror, Notice, Settings};
use crate::route::PROTOCOL;
use crate::watch::Member;

const SECOND: Duration = Duration::from_secs(1);
const TEST: &str = "10.1.0.77/32";

/// The watch looks at all three and has a test address on eth1.
fn tested(kernel: Mirror) -> Rig {
    let mut rig = Rig::watching_with(kernel, &["eth0", "eth1", "eth2"]);
    rig.watch.test_addresses.insert("eth1".into(), "10.1.0.77".parse().unwrap());
    rig.hand_in_watch();
    rig
}

fn prefix(text: &str) -> IpNet {
    text.parse().unwrap()
}

fn stands(rig: &Rig) -> bool {
    rig.kernel.interface(ETH1).is_some_and(|i| i.addresses.iter().any(|a| a.prefix == prefix(TEST)))
}

/// eth1 has no address but the test address and a link-local one.
fn bare() -> Mirror {
    let mut kernel = kernel();
    for own in ["10.1.0.1/24", "fd01::1/64"] {
        kernel.delete_address(ETH1, &prefix(own)).unwrap();
    }
    kernel
}

#[test]
fn it_is_made_so_that_nobody_takes_it_for_a_source() {
    let mut rig = tested(kernel());
    assert_eq!(rig.take_operations(), ["addr add 10.1.0.77/32 dev 3"]);
    let Some(Operation::AddAddress { address, .. }) = rig.asked.last() else { panic!("{:?}", rig.asked) };
    assert_eq!((address.scope, address.no_prefix_route, address.protocol), (253, true, PROTOCOL));
    rig.wait(200 * SECOND);
    assert_eq!(rig.take_operations(), [""; 0]);
    assert_eq!(rig.take_notices(), []);
}

#[test]
fn it_waits_for_its_interface() {
    let mut down = kernel();
    down.set_up(ETH1, false);
    let mut rig = tested(down);
    rig.wait(10 * SECOND);
    assert!(!stands(&rig));
    rig.event(|k| k.set_up(ETH1, true));
    rig.wait(SECOND);
    assert!(stands(&rig));
    rig.event(|k| k.delete_interface(ETH1));
    rig.event(|k| k.add_interface(interface(InterfaceIndex(9), "eth1", &["10.1.0.1/24"])));
    rig.wait(SECOND);
    let again = rig.kernel.interface_named("eth1").unwrap();
    assert!(again.addresses.iter().any(|a| a.prefix == prefix(TEST)), "{again:?}");
    assert_eq!(rig.told(&[EventName::TestAddressLost]), []);
}

#[test]
fn who_removes_it_finds_it_again_after_longer_and_longer_pauses() {
    let mut rig = tested(kernel());
    for pause in [0, 1, 2, 4] {
        rig.take_notices();
        rig.event(|k| k.delete_address(ETH1, &prefix(TEST)).unwrap());
        assert_eq!(stands(&rig), pause == 0, "pause {pause}");
        let notices = rig.take_notices();
        let Notice::TestAddressRemoved { interface, address, .. } = &notices[0] else {
            panic!("{notices:?}")
        };
        assert_eq!((interface.as_str(), address.to_string().as_str()), ("eth1", "10.1.0.77"));
        rig.wait(pause * SECOND);
        assert!(stands(&rig), "pause {pause}");
    }
}

#[test]
fn it_goes_when_it_leaves_the_plan_and_a_new_one_comes() {
    let mut rig = tested(kernel());
    rig.take_operations();
    rig.watch.test_addresses.insert("eth1".into(), "10.1.0.78".parse().unwrap());
    rig.hand_in_watch();
    assert_eq!(rig.take_operations(), ["addr add 10.1.0.78/32 dev 3", "addr del 10.1.0.77/32 dev 3"]);
    rig.watch.test_addresses.clear();
    rig.restart(false);
    assert_eq!(rig.take_operations(), ["addr del 10.1.0.78/32 dev 3"], "it is known by its mark");
}

#[test]
fn an_interfaces_last_ipv4_address_stays_while_routes_use_it() {
    let mut rig = tested(bare());
    rig.add(&route("198.51.100.0/24", "-", ETH1, 0));
    rig.watch.test_addresses.clear();
    rig.hand_in_watch();
    rig.wait(SECOND);
    assert!(stands(&rig), "every route over it would go along");
    rig.delete(&route("198.51.100.0/24", "-", ETH1, 0));
    rig.wait(120 * SECOND);
    assert!(!stands(&rig));
}

#[test]
fn the_end_removes_it_unless_all_is_to_be_kept() {
    let mut rig = tested(kernel());
    rig.stop();
    assert!(!stands(&rig));
    assert!(!rig.core.is_busy());
    let keep = Settings { exit: Exit::Keep, watches: true, ..settings() };
    let mut rig = tested(kernel());
    rig.settings(keep, &[]);
    rig.stop();
    assert!(stands(&rig));
    let Some(Notice::LeftBehind { tests, .. }) = rig.notices.last() else { panic!("{:?}", rig.notices) };
    assert_eq!(tests[..], [("10.1.0.77".parse().unwrap(), "eth1".to_owned())]);
}

#[test]
fn one_that_was_there_before_is_somebody_elses() {
    let mut made = kernel();
    let mut own = address(TEST);
    (own.scope, own.no_prefix_route, own.protocol) = (253, true, 0);
    made.add_address(ETH1, own).unwrap();
    let mut rig = tested(made);
    rig.wait(200 * SECOND);
    assert_eq!(rig.take_operations(), [""; 0]);
    rig.stop();
    assert_eq!(rig.take_operations(), [""; 0]);
    assert!(stands(&rig));
}

#[test]
fn it_is_never_the_source_of_a_route_nor_is_a_link_local_address() {
    let mut rig = tested(bare());
    rig.add(&route("10.1.0.0/24", "-", ETH1, 0));
    rig.add(&route("0.0.0.0/0", "10.0.0.9", ETH0, 100));
    rig.add(&route("::/0", "fe80::9", ETH0, 1024));
    for (prefix, via) in [("0.0.0.0/0", "10.1.0.9"), ("::/0", "fe80::19")] {
        rig.lead(prefix, &[(via, "eth1")]);
    }
    let own = ["0.0.0.0/0 via 10.1.0.9 dev 3 metric 99", "::/0 via fe80::19 dev 3 metric 1023"];
    assert_eq!(rig.own(), own, "the kernel chooses");
    rig.event(|k| k.add_address(ETH1, address("10.1.0.1/24")).unwrap());
    rig.event(|k| k.add_address(ETH1, address("fd01::1/64")).unwrap());
    rig.wait(5 * SECOND);
    assert!(
        rig.own()[0].ends_with("src 10.1.0.1") && rig.own()[1].ends_with("src fd01::1"),
        "{:?}",
        rig.own()
    );
    assert_eq!(rig.gaps, [""; 0]);
}

#[test]
fn it_is_never_the_source_of_what_a_stand_in_carries_before_and_after() {
    let mut rig = tested(bare());
    rig.add(&route("0.0.0.0/0", "10.0.0.9", ETH0, 100));
    rig.add(&route("::/0", "fe80::9", ETH0, 1024));
    rig.member("eth0", stand_in("eth1"));
    let by_eth1: Vec<String> = rig.own();
    assert_eq!(by_eth1.len(), 4, "{by_eth1:?}");
    assert!(!by_eth1.iter().any(|r| r.contains("10.1.0.77") || r.contains("src fe80")), "{by_eth1:?}");
    rig.member("eth0", Member::Home);
    rig.event(|k| k.add_address(ETH1, address("10.1.0.1/24")).unwrap());
    rig.event(|k| k.add_address(ETH1, address("fd01::1/64")).unwrap());
    rig.wait(5 * SECOND);
    rig.member("eth1", stand_in("eth0"));
    rig.member("eth0", stand_in("eth2"));
    rig.wait(5 * SECOND);
    let own = rig.own();
    assert!(
        own.len() > 4 && !own.iter().any(|r| r.contains("10.1.0.77") || r.contains("src fe80")),
        "{own:?}"
    );
}

#[test]
fn a_bounce_does_not_make_it_an_address_that_is_waited_for() {
    let mut rig = tested(kernel());
    rig.event(|k| {
        let mut told = k.set_up(ETH1, false);
        told.extend(k.delete_address(ETH1, &prefix(TEST)).unwrap());
        told
    });
    rig.event(|k| k.set_up(ETH1, true));
    rig.wait(20 * SECOND);
    assert!(stands(&rig));
    assert_eq!(rig.on_lo(), [""; 0]);
    assert!(!rig.journal.contains("10.1.0.77"), "{}", rig.journal);
}

#[test]
fn interfaces_are_set_up_once() {
    let mut down = kernel();
    down.set_up(ETH2, false);
    let mut rig = Rig::watching_with(down, &["eth0"]);
    rig.refuses = Some(Refusal::new(Errno::EPERM, "Operation not permitted"));
    rig.watch.up = vec!["eth2".into(), "eth1".into()];
    rig.hand_in_watch();
    assert_eq!(rig.take_operations(), ["up 4"]);
    let refused = rig.told(&[EventName::OperationRefused]);
    let [Notice::OperationRefused { operation, .. }, ..] = &refused[..] else { panic!("{refused:?}") };
    assert!(operation.contains("ip link set eth2 up"), "{operation}");
    rig.refuses = None;
    rig.wait(10 * SECOND);
    assert_eq!(rig.take_operations(), ["up 4"]);
    assert!(rig.kernel.interface(ETH2).unwrap().up);
    for index in [ETH1, ETH2] {
        rig.event(|k| k.set_up(index, false));
    }
    rig.wait(100 * SECOND);
    assert_eq!(rig.take_operations(), [""; 0], "somebody meant it");
    rig.event(|k| k.delete_interface(ETH2));
    rig.event(|k| {
        let again = interface(InterfaceIndex(9), "eth2", &[]);
        k.add_interface(crate::interface::Interface { up: false, ..again })
    });
    rig.wait(SECOND);
    assert_eq!(rig.take_operations(), ["up 9"], "another interface of that name");
}
