//! What the watch is told of the routes of others.

use std::time::Duration;

use super::rig::{DHCP, ETH0, ETH1, ETH2, Rig, interface, ip, route};
use crate::interface::InterfaceIndex;
use crate::route::{MAIN_TABLE, Route};
use crate::watch::Found;

const SECOND: Duration = Duration::from_secs(1);

fn gateways(rig: &Rig) -> Vec<(u32, u32, String)> {
    let by_gateway = rig.found.iter().filter(|f| f.gateway.is_some());
    by_gateway.map(|f| (f.table, f.metric, f.gateway.map(|g| g.to_string()).unwrap_or_default())).collect()
}

#[test]
fn the_legs_of_routes_over_its_interfaces_are_told_whenever_they_change() {
    let mut rig = Rig::watching(&["eth0", "eth1"]);
    let connected = Found {
        table: MAIN_TABLE,
        destination: "10.0.0.0/24".parse().unwrap(),
        metric: 0,
        protocol: 2,
        interface: ETH0,
        gateway: None,
    };
    assert!(rig.found.contains(&connected), "{:?}", rig.found);
    assert!(!rig.found.iter().any(|f| f.interface == ETH2), "{:?}", rig.found);
    rig.add(&Route { protocol: DHCP, ..route("0.0.0.0/0", "10.1.0.9", ETH1, 200) });
    rig.add(&Route { protocol: DHCP, ..route("0.0.0.0/0", "10.0.0.9", ETH0, 100) });
    rig.add(&route("192.0.2.0/24", "10.2.0.9", ETH2, 0));
    rig.wait(SECOND);
    let both = [(MAIN_TABLE, 100, "10.0.0.9".to_owned()), (MAIN_TABLE, 200, "10.1.0.9".to_owned())];
    assert_eq!(gateways(&rig), both);
    rig.found.clear();
    rig.lead("0.0.0.0/0", &[("10.1.0.9", "eth1")]);
    rig.wait(100 * SECOND);
    assert_eq!(rig.found, [], "our own are none of it, and nothing else has changed");
    rig.delete(&Route { protocol: DHCP, ..route("0.0.0.0/0", "10.0.0.9", ETH0, 100) });
    rig.wait(SECOND);
    assert_eq!(gateways(&rig), both[1..]);
}

#[test]
fn tables_are_told_if_they_are_asked_for_and_flushes_are_seen() {
    let mut rig = Rig::watching(&["eth0"]);
    let mut other = route("0.0.0.0/0", "10.0.0.9", ETH0, 7);
    other.key.table = 77;
    rig.add(&other);
    rig.wait(SECOND);
    assert_eq!(gateways(&rig), []);
    rig.watch.tables = vec![77];
    rig.hand_in_watch();
    rig.wait(SECOND);
    assert_eq!(gateways(&rig), [(77, 7, "10.0.0.9".to_owned())]);
    rig.event(|k| k.set_up(ETH0, false));
    rig.wait(SECOND);
    assert_eq!(rig.found, []);
    rig.event(|k| k.set_up(ETH0, true));
    rig.wait(5 * SECOND);
    assert_eq!(gateways(&rig), [(77, 7, "10.0.0.9".to_owned())], "it was put back where it stood");
    assert_eq!(rig.foreign(), ["0.0.0.0/0 via 10.0.0.9 dev 2 metric 7 table 77"]);
    assert_eq!(ip("10.0.0.9"), rig.found.iter().find_map(|f| f.gateway).unwrap());
}

#[test]
fn an_interface_that_is_deleted_and_made_again_gets_its_routes_back_though_the_watch_dropped_it_meanwhile() {
    let mut rig = Rig::watching(&["eth0", "eth1"]);
    rig.add(&route("198.51.100.0/24", "10.1.0.9", ETH1, 0));
    rig.wait(10 * SECOND);
    rig.event(|k| k.delete_interface(ETH1));
    rig.watch.interfaces = vec!["eth0".into()];
    rig.hand_in_watch();
    rig.wait(30 * SECOND);
    let again = interface(InterfaceIndex(9), "eth1", &["10.1.0.1/24"]);
    rig.event(|k| k.add_interface(again));
    rig.watch.interfaces.push("eth1".into());
    rig.hand_in_watch();
    rig.wait(5 * SECOND);
    assert_eq!(rig.foreign(), ["198.51.100.0/24 via 10.1.0.9 dev 9 metric 0"]);
}

#[test]
fn what_an_interface_lost_is_forgotten_when_nobody_looks_at_it_any_more() {
    let mut rig = Rig::watching(&["eth0", "eth1"]);
    rig.add(&route("198.51.100.0/24", "10.1.0.9", ETH1, 0));
    rig.wait(10 * SECOND);
    rig.event(|k| k.set_up(ETH1, false));
    rig.wait(SECOND);
    rig.watch.interfaces = vec!["eth0".into()];
    rig.hand_in_watch();
    rig.wait(SECOND);
    assert_eq!(rig.core.remembered().count(), 1, "it may only be on its way back");
    rig.event(|k| k.set_up(ETH1, true));
    rig.wait(10 * SECOND);
    assert_eq!(rig.core.remembered().count(), 0);
    assert_eq!(rig.foreign(), [""; 0]);
}

#[test]
fn a_thousand_interfaces_of_containers_do_not_use_up_the_names() {
    let mut rig = Rig::watching(&["eth0", "eth1", "eth2"]);
    for number in 0..1000u32 {
        let (index, name) = (InterfaceIndex(100 + number), format!("veth{number}"));
        rig.event(|k| k.add_interface(interface(index, &name, &["10.9.0.1/24"])));
        rig.watch.interfaces.push(name);
        rig.hand_in_watch();
        rig.wait(SECOND);
        rig.event(|k| k.delete_interface(index));
        rig.watch.interfaces.pop();
        rig.hand_in_watch();
    }
    rig.lead("192.0.2.0/24", &[("10.9.0.9", "veth7")]);
    rig.event(|k| k.add_interface(interface(InterfaceIndex(9), "veth7", &["10.9.0.1/24"])));
    rig.wait(5 * SECOND);
    assert_eq!(rig.own(), ["192.0.2.0/24 via 10.9.0.9 dev 9 metric 50 src 10.9.0.1"]);
}

#[test]
fn without_interfaces_nothing_is_told() {
    let mut rig = Rig::new();
    rig.add(&route("0.0.0.0/0", "10.0.0.9", ETH0, 100));
    rig.wait(100 * SECOND);
    assert_eq!(rig.found, []);
}

#[test]
fn what_a_crash_finds_missing_in_a_table_is_put_back_there() {
    let mut rig = Rig::watching(&["eth0", "eth1"]);
    let mut other = route("0.0.0.0/0", "10.0.0.9", ETH0, 7);
    other.key.table = 77;
    other.legs.push(crate::route::Leg { gateway: Some(ip("10.0.0.8")), interface: ETH0, weight: 5 });
    rig.watch.tables = vec![77];
    rig.hand_in_watch();
    rig.add(&other);
    let text = "0.0.0.0/0 via 10.0.0.9 dev 2 via 10.0.0.8 dev 2 weight 5 metric 7 table 77";
    assert_eq!(rig.foreign(), [text]);
    rig.event(|k| k.set_up(ETH0, false));
    rig.wait(5 * SECOND);
    rig.restart(true);
    rig.event(|k| k.set_up(ETH0, true));
    rig.wait(5 * SECOND);
    assert_eq!(rig.foreign(), [text]);
}
