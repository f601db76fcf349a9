//! Whom the members ask, and what follows when nobody, somebody or one too few answers.

use std::time::Duration;

use super::{DETECTION, PATIENCE};
use crate::lab::grouped::{BEYOND, BEYOND_V6, Grouped, NEIGHBOUR, group};
use crate::lab::{EventName, pause, wait_until};

/// The IPv4 targets of the members, as ipmpstat shows them: mode, address, hosts.
fn targets(lab: &Grouped) -> Vec<String> {
    let text = lab.here().faildctl("ipmpstat -tnP -o interface,mode,testaddr,targets").text;
    text.lines().filter(|line| line.contains("192.0.2.")).map(str::to_owned).collect()
}

#[test]
fn a_router_that_dies_for_all_moves_nothing_and_is_told_once() {
    let lab = Grouped::pair();
    let here = lab.here();
    let daemon = lab.start(&group(2, DETECTION, ""));
    let watch = here.watch();
    let meter = lab.meter(NEIGHBOUR);
    lab.cut_off("rA");
    daemon.wait_event(EventName::GroupFailed, &["group=lan0", "links-up=2"]);
    lab.wait_group("failed:[eth0 eth1]");
    // Long enough for it to be told again, or for somebody to be taken for a stand-in.
    pause(4 * DETECTION);
    let router = ["eth0:routes:192.0.2.11:192.0.2.1", "eth1:routes:192.0.2.12:192.0.2.1"];
    assert_eq!(targets(&lab), router, "hosts do not take the place of a router");
    let failed = daemon.told(EventName::GroupFailed);
    assert!(failed.len() == 1 && failed[0].contains(" error "), "{failed:?}");
    lab.plug_back("rA");
    wait_until("it is told that the group is usable", PATIENCE, || {
        [EventName::GroupDegraded, EventName::GroupOk].iter().any(|event| !daemon.told(*event).is_empty())
    });
    lab.wait_group("ok:eth0 eth1");
    assert_eq!(lab.way(BEYOND).0, "eth0");
    meter.finish_unharmed();
    watch.assert_nothing_moved();
}

#[test]
fn a_target_that_dies_moves_nothing_while_another_answers() {
    let lab = Grouped::pair();
    let daemon = lab.start(&group(2, DETECTION, "targets = [\"192.0.2.2\"]"));
    let watch = lab.here().watch();
    let meter = lab.meter(BEYOND);
    lab.cut_off("oA");
    for interface in ["eth0", "eth1"] {
        daemon.wait_event(
            EventName::TargetSkipped,
            &[&format!("interface={interface} "), "192.0.2.2", "no-answer"],
        );
    }
    pause(2 * DETECTION);
    lab.wait_group("ok:eth0 eth1");
    meter.finish_unharmed();
    watch.assert_nothing_moved();
}

#[test]
fn without_a_router_hosts_are_found_and_asked() {
    let lab = Grouped::pair();
    let here = lab.here();
    here.ip("route del default");
    here.ip("-6 route del default");
    // Whom the kernel has talked to is in its table of neighbours.
    assert!(here.sh("ping -c 1 -W 2 192.0.2.2").status.success());
    let daemon = lab.start(&group(2, DETECTION, ""));
    let found = ["eth0:multicast:192.0.2.11:192.0.2.2", "eth1:multicast:192.0.2.12:192.0.2.2"];
    wait_until("the neighbour is found", Duration::from_secs(20), || targets(&lab) == found);
    lab.wait_by(0, &[NEIGHBOUR]);
    let meter = lab.meter(NEIGHBOUR);
    lab.silence(0);
    daemon.wait_event(EventName::InterfaceFailed, &["interface=eth0 "]);
    lab.wait_by(1, &[NEIGHBOUR]);
    pause(DETECTION);
    let echoes = meter.finish();
    assert!(echoes.longest_outage() < super::OUTAGE, "{echoes:?}");
}

#[test]
fn a_group_with_ipv6_alone_is_watched_by_it() {
    let lab = Grouped::pair();
    let here = lab.here();
    for interface in ["eth0", "eth1"] {
        here.ip(&format!("-4 addr flush dev {interface}"));
    }
    let members = "members = [{ interface = \"eth0\" }, { interface = \"eth1\" }]";
    let daemon = lab.start(&format!(
        "[[group]]\nname = \"lan0\"\ndetection-time = \"{}ms\"\n{members}\n",
        DETECTION.as_millis()
    ));
    let meter = lab.meter(BEYOND_V6);
    lab.silence(0);
    daemon.wait_event(EventName::InterfaceFailed, &["interface=eth0 ", "cause=no-answer"]);
    lab.wait_by(1, &[BEYOND_V6]);
    lab.unsilence(0);
    lab.wait_by(0, &[BEYOND_V6]);
    here.wait_home();
    let echoes = meter.finish();
    assert!(echoes.longest_outage() < super::OUTAGE, "{echoes:?}");
}
