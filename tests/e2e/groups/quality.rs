//! Slow answers and lost ones are no failure.

use std::time::Duration;

use super::DETECTION;
use crate::lab::grouped::{BEYOND, Grouped, group};
use crate::lab::{EventName, pause, wait_until};

#[test]
fn answers_that_come_late_slow_detection_down_and_move_nothing() {
    let lab = Grouped::pair();
    let here = lab.here();
    // By IPv6 the router would answer as quickly as ever.
    let settings = group(2, DETECTION, "").replace(" }", ", ipv6 = false }");
    let daemon = lab.start(&settings);
    let watch = here.watch();
    // Twice the time between two probes.
    let _late = lab.router().answer_late(DETECTION * 2 / 7);
    daemon.wait_event(EventName::DetectionTimeRaised, &["group=lan0", "configured=0.50s"]);
    wait_until("ipmpstat shows more", Duration::from_secs(20), || {
        let shown = here.faildctl("ipmpstat -gP -o fdt").text;
        shown.trim().trim_end_matches('s').parse::<f64>().is_ok_and(|seconds| seconds > 1.0)
    });
    pause(4 * DETECTION);
    lab.wait_group("ok:eth0 eth1");
    watch.assert_nothing_moved();
}

#[test]
fn a_member_that_loses_a_fifth_of_its_packets_keeps_its_traffic() {
    let lab = Grouped::pair();
    let daemon = lab.start(&group(2, DETECTION, ""));
    let watch = lab.here().watch();
    lab.filter_switch("eth0g", "iifname \"eth0g\" numgen random mod 100 < 20 drop;");
    pause(10 * DETECTION);
    lab.wait_group("ok:eth0 eth1");
    assert_eq!(lab.way(BEYOND).0, "eth0");
    assert!(daemon.told(EventName::InterfaceFailed).is_empty(), "a lossy member has failed");
    watch.assert_nothing_moved();
}
