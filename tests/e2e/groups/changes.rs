//! What happens to a group while it has something to do: its interfaces, its settings and its daemon change.

use nix::sys::signal::Signal;

use super::{DETECTION, OUTAGE};
use crate::lab::grouped::{BEYOND, BEYOND_V6, Grouped, Made, NEIGHBOUR, NEIGHBOUR_V6, group};
use crate::lab::{EventName, Meter, pause, pause_ms};

const EVERYWHERE: [&str; 4] = [BEYOND, NEIGHBOUR, BEYOND_V6, NEIGHBOUR_V6];

#[test]
fn a_member_that_is_set_down_is_stood_in_for_and_gets_its_routes_back() {
    let lab = Grouped::alone(&[Made::Ready, Made::Ready]);
    let here = lab.here();
    here.sysctl("net.ipv6.conf.eth0.keep_addr_on_down=1");
    let routes = here.foreign_routes();
    let _daemon = lab.start(&group(2, DETECTION, ""));
    let meters = EVERYWHERE.map(|destination| lab.meter(destination));
    pause_ms(1300);
    here.ip("link set eth0 down");
    lab.wait_by(1, &EVERYWHERE);
    lab.wait_group("degraded:eth1 [eth0]");
    pause_ms(300);
    here.ip("link set eth0 up");
    lab.wait_by(0, &[BEYOND, BEYOND_V6]);
    lab.wait_group("ok:eth0 eth1");
    here.wait_home();
    pause_ms(300);
    for echoes in meters.map(Meter::finish) {
        assert!(echoes.longest_outage() < OUTAGE, "{echoes:?}");
    }
    let sorted = |mut routes: Vec<String>| {
        routes.sort();
        routes
    };
    assert_eq!(sorted(here.foreign_routes()), sorted(routes));
}

#[test]
fn when_the_stand_in_dies_too_the_next_one_takes_over() {
    let lab = Grouped::new(&[Made::Ready; 3]);
    let _daemon = lab.start(&group(3, DETECTION, ""));
    lab.silence(0);
    lab.wait_by(1, &EVERYWHERE);
    let meters = EVERYWHERE.map(|destination| lab.meter(destination));
    pause_ms(300);
    lab.silence(1);
    lab.wait_by(2, &EVERYWHERE);
    pause_ms(300);
    lab.wait_group("degraded:eth2 [eth0 eth1]");
    for echoes in meters.map(Meter::finish) {
        assert!(echoes.longest_outage() < OUTAGE, "{echoes:?}");
    }
    lab.unsilence(0);
    lab.wait_by(0, &EVERYWHERE);
    lab.unsilence(1);
    lab.here().wait_home();
    lab.wait_group("ok:eth0 eth1 eth2");
}

#[test]
fn a_daemon_that_ends_while_a_member_is_dead_leaves_the_overlays_and_says_how_to_undo_them() {
    let lab = Grouped::pair();
    let here = lab.here();
    let mut daemon = lab.start(&group(2, DETECTION, ""));
    lab.silence(0);
    lab.wait_by(1, &EVERYWHERE);
    let meters = EVERYWHERE.map(|destination| lab.meter(destination));
    pause_ms(300);
    assert!(daemon.terminate().success());
    pause_ms(300);
    meters.into_iter().for_each(Meter::finish_unharmed);
    lab.wait_by(1, &EVERYWHERE);
    assert_eq!(here.overlays().len(), 4, "{:?}", here.overlays());
    let undo = daemon.undo_commands();
    assert!(!undo.is_empty(), "{}", daemon.log());
    for command in undo {
        assert!(here.sh(&command).status.success(), "{command}");
    }
    assert_eq!(here.overlays(), [""; 0]);
    lab.wait_by(0, &EVERYWHERE);
}

#[test]
fn a_group_that_leaves_the_settings_leaves_nothing_behind() {
    let lab = Grouped::pair();
    let here = lab.here();
    let routes = here.foreign_routes();
    let daemon = lab.start(&group(2, DETECTION, ""));
    lab.silence(0);
    lab.wait_by(1, &EVERYWHERE);
    // With something else to do, so that it goes on.
    here.configure(
        "[[group]]\nname = \"other\"\nmembers = [{ interface = \"eth8\" }, { interface = \"eth9\" }]\n",
    );
    daemon.signal(Signal::SIGHUP);
    here.wait_home();
    lab.wait_by(0, &EVERYWHERE);
    let addresses = || here.ip("-4 -o addr show");
    crate::lab::wait_until("the test addresses are gone", super::PATIENCE, || !addresses().contains("/32"));
    assert_eq!(here.foreign_routes(), routes);
    here.configure(&group(2, DETECTION, ""));
    daemon.signal(Signal::SIGHUP);
    crate::lab::wait_until("the test addresses are back", super::PATIENCE, || {
        addresses().matches("/32 scope link").count() == 2
    });
}

#[test]
fn a_dry_run_watches_a_group_and_changes_nothing() {
    let lab = Grouped::new(&[Made::Ready, Made::Ready, Made::Down]);
    let here = lab.here();
    let (routes, addresses) = (here.foreign_routes(), here.ip("-br addr"));
    let daemon = here.faild_with(&format!("-v --dry-run {}", here.configure(&group(3, DETECTION, ""))));
    daemon.wait_log(&["192.0.2.11/32 dev eth0"]);
    lab.set_carrier(0, "down");
    daemon.wait_event(EventName::InterfaceFailed, &["interface=eth0 "]);
    daemon.wait_log(&["default via 192.0.2.1 dev eth1"]);
    lab.set_carrier(0, "up");
    daemon.wait_event(EventName::InterfaceRepaired, &["interface=eth0 "]);
    pause(DETECTION);
    assert_eq!(here.overlays(), [""; 0]);
    assert_eq!(here.foreign_routes(), routes);
    assert_eq!(here.ip("-br addr"), addresses);
}

#[test]
fn interfaces_that_get_their_addresses_after_the_start_become_a_group() {
    let lab = Grouped::new(&[Made::Bare, Made::Bare]);
    let here = lab.here();
    let _daemon = here.faild_with(&here.configure(&group(2, DETECTION, "")));
    // The test address is the first one, and must not become what the kernel takes for a source.
    crate::lab::wait_until("the test addresses are there", super::PATIENCE, || {
        here.ip("-4 -o addr show").matches("/32 scope link").count() == 2
    });
    lab.address_member(0);
    lab.address_member(1);
    lab.add_default_routes();
    lab.wait_answers();
    lab.wait_by(0, &EVERYWHERE);
    lab.silence(0);
    lab.wait_by(1, &EVERYWHERE);
    lab.unsilence(0);
    lab.wait_by(0, &EVERYWHERE);
    here.wait_home();
}

#[test]
fn an_interface_whose_addresses_are_flushed_and_made_again_serves_as_before() {
    let lab = Grouped::pair();
    let here = lab.here();
    let _daemon = lab.start(&group(2, DETECTION, ""));
    here.ip("-4 addr flush dev eth0");
    here.ip("-6 addr flush dev eth0 scope global");
    lab.address_member(0);
    here.try_ip("route add default via 192.0.2.1 dev eth0");
    lab.wait_by(0, &[BEYOND, BEYOND_V6]);
    crate::lab::wait_until("the test address is there", super::PATIENCE, || {
        here.ip("-4 -o addr show dev eth0").contains("192.0.2.11/32 scope link")
    });
    lab.wait_answers();
    lab.wait_group("ok:eth0 eth1");
    lab.silence(0);
    lab.wait_by(1, &EVERYWHERE);
    lab.unsilence(0);
    lab.wait_by(0, &[BEYOND, BEYOND_V6]);
    here.wait_home();
}
