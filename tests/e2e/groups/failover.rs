//! A member that fails: its traffic goes over another within the detection time, and home when it is repaired.

use super::{DETECTION, OUTAGE};
use crate::lab::grouped::{BEYOND, BEYOND_V6, Grouped, Made, NEIGHBOUR, NEIGHBOUR_V6, group};
use crate::lab::{EventName, pause_ms};

const EVERYWHERE: [&str; 4] = [BEYOND, NEIGHBOUR, BEYOND_V6, NEIGHBOUR_V6];

#[test]
fn traffic_of_a_silent_member_goes_by_another_within_the_detection_time_and_home_again() {
    let lab = Grouped::pair();
    let here = lab.here();
    let routes = here.foreign_routes();
    let _daemon = lab.start(&group(2, DETECTION, ""));
    lab.wait_by(0, &EVERYWHERE);
    let meters = EVERYWHERE.map(|destination| (destination, lab.meter(destination)));
    pause_ms(300);
    lab.silence(0);
    lab.wait_by(1, &EVERYWHERE);
    lab.wait_group("degraded:eth1 [eth0]");
    assert_eq!(here.foreign_routes(), routes, "a route of others was touched");
    pause_ms(500);
    lab.unsilence(0);
    lab.wait_by(0, &EVERYWHERE);
    here.wait_home();
    lab.wait_group("ok:eth0 eth1");
    pause_ms(300);
    for (destination, meter) in meters {
        let echoes = meter.finish();
        assert!(echoes.longest_outage() < OUTAGE, "{destination}: {echoes:?}");
        // Nothing is lost once the overlay stands, though nobody spoke by it before, nor on the way home.
        assert_eq!(echoes.outages(), 1, "{destination}: {echoes:?}");
    }
    assert_eq!(here.foreign_routes(), routes, "a route of others was touched");
}

#[test]
fn traffic_of_a_member_without_carrier_goes_by_another_at_once() {
    let lab = Grouped::alone(&[Made::Ready, Made::Ready]);
    // So that only the carrier can tell so soon.
    let daemon = lab.start(&group(2, 10 * DETECTION, ""));
    let meters = EVERYWHERE.map(|destination| (destination, lab.meter(destination)));
    pause_ms(1300);
    lab.set_carrier(0, "down");
    lab.wait_by(1, &EVERYWHERE);
    daemon.wait_event(EventName::InterfaceFailed, &["eth0", "cause=no-carrier"]);
    pause_ms(300);
    for (destination, meter) in meters {
        let echoes = meter.finish();
        assert!(echoes.longest_outage() < OUTAGE, "{destination}: {echoes:?}");
    }
}
