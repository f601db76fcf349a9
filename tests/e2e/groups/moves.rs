//! Traffic that is moved on purpose, or left where it is over a restart, loses nothing.

use std::time::Duration;

use super::DETECTION;
use crate::lab::grouped::{BEYOND, BEYOND_V6, Grouped, NEIGHBOUR, NEIGHBOUR_V6, group};
use crate::lab::{EventName, pause, pause_ms, wait_until};

const EVERYWHERE: [&str; 4] = [BEYOND, NEIGHBOUR, BEYOND_V6, NEIGHBOUR_V6];

#[test]
fn a_member_that_is_taken_out_of_service_loses_no_packet() {
    let lab = Grouped::pair();
    let here = lab.here();
    let _daemon = lab.start(&group(2, DETECTION, ""));
    let meters = EVERYWHERE.map(|destination| lab.meter(destination));
    pause_ms(300);
    assert_eq!(here.faildctl("offline eth0").code, Some(0));
    lab.wait_by(1, &EVERYWHERE);
    lab.wait_group("degraded:eth1 [eth0]");
    pause_ms(300);
    let addresses = here.faildctl("ipmpstat -anP -o address,state,group,inbound,outbound").text;
    for row in ["192.0.2.20:up:lan0::eth1", "192.0.2.21:up:lan0:eth1:eth1"] {
        assert!(addresses.lines().any(|line| line == row), "no {row}: {addresses}");
    }
    let refused = here.faildctl("offline eth1");
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert_eq!(here.faildctl("online eth0").code, Some(0));
    lab.wait_by(0, &EVERYWHERE);
    here.wait_home();
    pause_ms(300);
    meters.into_iter().for_each(crate::lab::Meter::finish_unharmed);
}

#[test]
fn a_daemon_that_is_killed_while_a_member_is_dead_finds_all_as_it_was() {
    let lab = Grouped::pair();
    let here = lab.here();
    let mut daemon = lab.start(&group(2, DETECTION, ""));
    lab.silence(0);
    lab.wait_by(1, &EVERYWHERE);
    lab.wait_group("degraded:eth1 [eth0]");
    let overlays = here.overlays();
    let meters = EVERYWHERE.map(|destination| lab.meter(destination));
    pause_ms(300);
    daemon.kill();
    assert_eq!(here.overlays(), overlays);
    daemon.restart();
    lab.wait_group("degraded:eth1 [eth0]");
    // Longer than it would take to be found failed afresh.
    pause(3 * DETECTION);
    assert_eq!(here.overlays(), overlays);
    meters.into_iter().for_each(crate::lab::Meter::finish_unharmed);
    lab.unsilence(0);
    lab.wait_by(0, &EVERYWHERE);
    here.wait_home();
    lab.wait_group("ok:eth0 eth1");
    assert!(daemon.terminate().success());
    let addresses = here.ip("-4 -o addr show");
    assert!(!addresses.contains("/32"), "a test address of the run that was killed is left: {addresses}");
}

#[test]
fn a_hardware_address_that_is_there_twice_puts_one_out_of_service_until_it_is_unique() {
    let lab = Grouped::pair();
    let here = lab.here();
    let mac = |interface: &str| {
        let link = here.ip(&format!("-o link show {interface}"));
        let mut words = link.split_whitespace().skip_while(|word| *word != "link/ether");
        words.nth(1).unwrap_or_default().to_owned()
    };
    let (first, second) = (mac("eth0"), mac("eth1"));
    let daemon = lab.start(&group(2, DETECTION, ""));
    here.ip(&format!("link set eth1 address {first}"));
    daemon.wait_event(EventName::DuplicateMac, &["interface=eth1 ", "other=eth0", &first]);
    wait_until("eth1 is out of service", Duration::from_secs(20), || {
        let shown = here.faildctl("ipmpstat -iP -o interface,flags,state").text;
        shown.lines().any(|line| line == "eth1:------h:offline")
    });
    here.ip(&format!("link set eth1 address {second}"));
    daemon.wait_event(EventName::DuplicateMacCleared, &["interface=eth1 "]);
    lab.wait_group("ok:eth0 eth1");
}
