//! Test addresses: probes bear them, nothing else does, and they never move.

use std::net::{IpAddr, UdpSocket};
use std::time::Duration;

use super::DETECTION;
use crate::lab::grouped::{BEYOND, BEYOND_V6, Grouped, NEIGHBOUR, NEIGHBOUR_V6, group, source};
use crate::lab::{EventName, Host, wait_until};

const EVERYWHERE: [&str; 4] = [BEYOND, NEIGHBOUR, BEYOND_V6, NEIGHBOUR_V6];

/// The line of `ip` about an address of an interface.
fn shown(host: &Host, interface: &str, address: &str) -> Option<String> {
    let all = host.ip(&format!("-4 -o -d addr show dev {interface}"));
    all.lines().find(|line| line.split_whitespace().any(|w| w.starts_with(address))).map(str::to_owned)
}

#[track_caller]
fn wait_shown(host: &Host, interface: &str, address: &str) -> String {
    let what = format!("{interface} has {address}");
    wait_until(&what, Duration::from_secs(20), || shown(host, interface, address).is_some());
    shown(host, interface, address).unwrap_or_default()
}

/// The address that the packets of an ordinary program bear, which names none.
fn chosen(host: &Host, destination: &str) -> String {
    let destination: IpAddr = destination.parse().expect("an address");
    let any: IpAddr = if destination.is_ipv4() { [0; 4].into() } else { [0_u16; 8].into() };
    let connecting = host.thread(move || {
        let socket = UdpSocket::bind((any, 0))?;
        socket.connect((destination, 7007))?;
        socket.local_addr()
    });
    connecting.join().expect("the thread panicked").expect("cannot connect").ip().to_string()
}

#[test]
fn they_are_made_so_that_nothing_chooses_them_and_go_with_the_daemon() {
    let lab = Grouped::pair();
    let here = lab.here();
    let routes = here.foreign_routes();
    let mut daemon = lab.start(&group(2, DETECTION, ""));
    for (interface, address) in [("eth0", "192.0.2.11/32"), ("eth1", "192.0.2.12/32")] {
        let line = wait_shown(here, interface, address);
        for word in ["scope link", "noprefixroute"] {
            assert!(line.contains(word), "no {word}: {line}");
        }
    }
    let check = |number: u8| {
        for destination in EVERYWHERE {
            assert_eq!(chosen(here, destination), source(number, destination), "to {destination}");
            assert_eq!(lab.way(destination).1, source(number, destination), "to {destination}");
        }
    };
    check(0);
    lab.silence(0);
    lab.wait_by(1, &EVERYWHERE);
    check(1);
    assert!(shown(here, "eth0", "192.0.2.11/32").is_some(), "it has moved");
    assert!(shown(here, "eth1", "192.0.2.11").is_none(), "it has moved");
    lab.unsilence(0);
    lab.wait_by(0, &EVERYWHERE);
    here.wait_home();
    assert!(daemon.terminate().success());
    for (interface, address) in [("eth0", "192.0.2.11"), ("eth1", "192.0.2.12")] {
        assert_eq!(shown(here, interface, address), None);
    }
    assert_eq!(here.foreign_routes(), routes);
}

#[test]
fn one_that_somebody_removes_is_put_back() {
    let lab = Grouped::pair();
    let here = lab.here();
    let daemon = lab.start(&group(2, DETECTION, ""));
    wait_shown(here, "eth0", "192.0.2.11/32");
    here.ip("addr del 192.0.2.11/32 dev eth0");
    daemon.wait_event(EventName::TestAddressLost, &["192.0.2.11"]);
    wait_shown(here, "eth0", "192.0.2.11/32");
    lab.wait_answers();
    lab.wait_group("ok:eth0 eth1");
}

#[test]
fn one_that_was_there_before_is_used_and_left() {
    let lab = Grouped::pair();
    let here = lab.here();
    here.ip("addr add 192.0.2.11/32 dev eth0 noprefixroute scope link");
    let mut daemon = lab.start(&group(2, DETECTION, ""));
    lab.silence(0);
    lab.wait_by(1, &EVERYWHERE);
    lab.unsilence(0);
    lab.wait_by(0, &EVERYWHERE);
    assert!(daemon.terminate().success());
    assert!(shown(here, "eth0", "192.0.2.11/32").is_some(), "somebody else's address was removed");
    assert_eq!(shown(here, "eth1", "192.0.2.12"), None);
}

#[test]
fn one_as_solaris_has_it_is_used_with_a_warning() {
    let lab = Grouped::pair();
    let here = lab.here();
    here.ip("addr add 192.0.2.11/24 dev eth0 preferred_lft 0 noprefixroute");
    let mut daemon = lab.start(&group(2, DETECTION, ""));
    daemon.wait_event(EventName::TestAddressDeprecated, &["interface=eth0", "192.0.2.11/24"]);
    assert_eq!(shown(here, "eth0", "192.0.2.11/32"), None, "it was made although it was there");
    assert!(daemon.terminate().success());
    assert!(shown(here, "eth0", "192.0.2.11/24").is_some(), "somebody else's address was removed");
}
