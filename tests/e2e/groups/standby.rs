//! A standby carries traffic only while another member cannot.

use super::{DETECTION, OUTAGE};
use crate::lab::grouped::{BEYOND, BEYOND_V6, Grouped, Made, NEIGHBOUR, NEIGHBOUR_V6};
use crate::lab::{Daemon, EventName, Host, pause_ms};

const EVERYWHERE: [&str; 4] = [BEYOND, NEIGHBOUR, BEYOND_V6, NEIGHBOUR_V6];

/// eth0 and eth1 in use and a standby with `standby`.
fn settings(standby: &str, more: &str) -> String {
    format!(
        "[[group]]\nname = \"lan0\"\ndetection-time = \"{}ms\"\nmembers = [\n\
         {{ interface = \"eth0\", test-address = \"192.0.2.11\" }},\n\
         {{ interface = \"eth1\", test-address = \"192.0.2.12\" }},\n\
         {{ interface = \"eth2\", test-address = \"192.0.2.13\", standby = true{standby} }},\n]\n{more}\n",
        DETECTION.as_millis()
    )
}

fn is_up(host: &Host, interface: &str) -> bool {
    let flags = host.ip(&format!("-o link show {interface}"));
    flags
        .split_once('<')
        .and_then(|(_, rest)| rest.split_once('>'))
        .is_some_and(|(flags, _)| flags.split(',').any(|flag| flag == "UP"))
}

fn wait_logged(daemon: &Daemon<'_>, event: EventName, interface: &str) {
    daemon.wait_event(event, &[&format!("interface={interface} ")]);
}

#[test]
fn a_standby_that_was_down_is_set_up_takes_over_and_goes_back() {
    let lab = Grouped::new(&[Made::Ready, Made::Ready, Made::Down]);
    let here = lab.here();
    let routes = here.foreign_routes();
    let daemon = lab.start(&settings("", ""));
    lab.wait_group("ok:eth0 eth1 (eth2)");
    assert!(is_up(here, "eth2"), "the standby was not set up");
    let meter = lab.meter(BEYOND);
    pause_ms(300);
    lab.silence(0);
    wait_logged(&daemon, EventName::StandbyActivated, "eth2");
    lab.wait_group("degraded:eth1 eth2 [eth0]");
    lab.wait_by(2, &EVERYWHERE);
    pause_ms(500);
    lab.unsilence(0);
    wait_logged(&daemon, EventName::StandbyDeactivated, "eth2");
    lab.wait_group("ok:eth0 eth1 (eth2)");
    here.wait_home();
    lab.wait_by(0, &EVERYWHERE);
    pause_ms(300);
    let echoes = meter.finish();
    assert!(echoes.longest_outage() < OUTAGE, "{echoes:?}");
    let own = |route: &&String| !route.contains("dev eth2");
    let after = here.foreign_routes();
    assert_eq!(after.iter().filter(own).collect::<Vec<_>>(), routes.iter().filter(own).collect::<Vec<_>>());
}

#[test]
fn a_standby_that_nobody_could_answer_is_the_last_to_stand_in() {
    let lab = Grouped::new(&[Made::Ready, Made::Ready, Made::Bare]);
    let daemon = lab.start(&settings("", ""));
    for family in ["ipv4", "ipv6"] {
        daemon.wait_log(&["member eth2 of group lan0 has no", family, "give it one in the subnet"]);
    }
    let meters = EVERYWHERE.map(|destination| lab.meter(destination));
    pause_ms(300);
    lab.silence(0);
    wait_logged(&daemon, EventName::StandbyActivated, "eth2");
    lab.wait_by(1, &EVERYWHERE);
    pause_ms(300);
    for echoes in meters.map(crate::lab::Meter::finish) {
        assert!(echoes.longest_outage() < OUTAGE, "{echoes:?}");
    }
    lab.silence(1);
    daemon.wait_event(EventName::GroupFailover, &["interface=eth1 ", "to=eth2", "has no address"]);
}

#[test]
fn a_standby_that_is_not_to_be_set_up_stays_down() {
    let lab = Grouped::new(&[Made::Ready, Made::Ready, Made::Down]);
    let daemon = lab.start(&settings(", bring-up = false", ""));
    lab.silence(0);
    daemon.wait_event(EventName::GroupFailover, &["interface=eth0 ", "to=eth1"]);
    lab.wait_group("degraded:eth1 [eth0 eth2]");
    assert!(!is_up(lab.here(), "eth2"), "the standby was set up");
}

#[test]
fn without_failback_traffic_stays_on_the_standby() {
    let lab = Grouped::new(&[Made::Ready, Made::Ready, Made::Ready]);
    let daemon = lab.start(&settings("", "failback = false"));
    lab.silence(0);
    lab.wait_by(2, &EVERYWHERE);
    lab.unsilence(0);
    daemon.wait_event(EventName::InterfaceRepaired, &["interface=eth0 ", "active=false"]);
    lab.wait_group("ok:eth1 eth2 (eth0)");
    pause_ms(500);
    lab.wait_by(2, &EVERYWHERE);
    // What is held back is the first to help.
    lab.silence(2);
    wait_logged(&daemon, EventName::InterfaceActivated, "eth0");
    lab.wait_by(0, &EVERYWHERE);
    lab.here().wait_home();
}
