//! The interface itself: carrier lost, set down, deleted. These run alone, see `Lab::alone`.

use crate::lab::{Routed, TARGET, TARGET_V6, Uplinks, pause_ms, wait_until};

use super::{LISTED, route, section};

/// Probes would take two seconds to find out.
const SLOW: &str = "interval = \"500ms\"\nmissed = 4\ngood = 2\n";

#[test]
fn a_lost_carrier_is_not_waited_for() {
    let lab = Uplinks::alone(Routed::Statically);
    let _daemon = lab.start(&route(LISTED, SLOW));
    let meter = lab.meter(TARGET);
    pause_ms(500);
    lab.carrier_off(lab.host(1), 'A');
    lab.wait_by("wan1", TARGET);
    pause_ms(500);
    meter.finish_after_failover();
    let meter = lab.meter(TARGET);
    lab.carrier_on(lab.host(1), 'A');
    lab.wait_by("wan0", TARGET);
    lab.wait_home();
    pause_ms(200);
    meter.finish_unharmed();
}

#[test]
fn an_interface_that_was_set_down_gets_its_routes_back() {
    let lab = Uplinks::alone(Routed::Statically);
    let host = lab.host(1);
    let mut before = host.foreign_routes();
    before.retain(|line| line.contains("default"));
    let settings = route(LISTED, super::QUICK) + &section("default6", super::LISTED_V6, super::QUICK);
    let _daemon = lab.start(&settings);
    host.ip("link set wan0 down");
    for target in [TARGET, TARGET_V6] {
        lab.wait_by("wan1", target);
    }
    pause_ms(300);
    host.ip("link set wan0 up");
    host.ip("addr replace 2001:db8:a::10/64 dev wan0 nodad");
    for target in [TARGET, TARGET_V6] {
        lab.wait_by("wan0", target);
    }
    lab.wait_home();
    wait_until("the routes are as they were", std::time::Duration::from_secs(10), || {
        let mut routes = host.foreign_routes();
        routes.retain(|line| line.contains("default"));
        routes == before
    });
}

#[test]
fn an_interface_that_is_made_anew_is_gone_back_to() {
    let lab = Uplinks::alone(Routed::Statically);
    let host = lab.host(1);
    let _daemon = lab.start(&route(LISTED, super::QUICK));
    host.ip("link del wan0");
    lab.wait_by("wan1", TARGET);
    pause_ms(300);
    host.plug("wan0", 'A', lab.switch());
    host.ip("addr add 192.0.2.10/24 dev wan0");
    host.try_ip("route add default via 192.0.2.1 metric 100");
    lab.wait_by("wan0", TARGET);
    lab.wait_home();
}
