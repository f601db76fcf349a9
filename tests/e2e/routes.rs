//! Routes whose gateway is a peer follow it, and go home with it; what the kernel drops is put back.

use crate::lab::{Host, Lab, Loss, Meter, pause_ms};

/// Something behind host 2.
const BEYOND: [u8; 4] = [10, 99, 0, 1];
const BEYOND_V6: &str = "fd99::1";

#[test]
fn a_static_route_by_a_peer_follows_it_and_goes_home() {
    let lab = Lab::new(2, "AB");
    assert_follows(&lab, &format!("10.99.0.0/24 via {}", lab.host(2).v4('A')), BEYOND.into());
}

#[test]
fn the_default_route_by_a_peer_follows_it_and_goes_home() {
    let lab = Lab::new(2, "AB");
    assert_follows(&lab, &format!("default via {}", lab.host(2).v4('A')), BEYOND.into());
}

#[test]
fn a_route_with_a_metric_follows_its_gateway_and_goes_home() {
    let lab = Lab::new(2, "AB");
    assert_follows(
        &lab,
        &format!("10.99.0.0/24 via {} metric 100 proto dhcp", lab.host(2).v4('A')),
        BEYOND.into(),
    );
}

#[test]
fn an_ipv6_route_by_a_peer_follows_it_and_goes_home() {
    let lab = Lab::new(2, "AB");
    let route = format!("fd99::/64 via {}", lab.host(2).v6('A'));
    assert_follows(&lab, &route, BEYOND_V6.parse().expect("an address"));
}

#[test]
fn an_ipv6_default_route_by_a_peer_follows_it_and_goes_home() {
    let lab = Lab::new(2, "AB");
    let route = format!("default via {}", lab.host(2).v6('A'));
    assert_follows(&lab, &route, BEYOND_V6.parse().expect("an address"));
}

#[test]
fn a_route_that_is_added_through_a_dead_gateway_is_overlaid() {
    let lab = Lab::new(2, "AB");
    let (h1, h2) = (lab.host(1), lab.host(2));
    let _daemons = lab.faild_everywhere("-r");
    lab.cut_lan('A', Loss::Silent);
    lab.wait_moved(h1, h2, 'A', 'B');
    h1.ip(&format!("route add 10.99.0.0/24 via {}", h2.v4('A')));
    h1.wait_way('B', BEYOND.into());
    h1.ip(&format!("route del 10.99.0.0/24 via {}", h2.v4('A')));
    crate::lab::wait_until("the overlay goes with its original", std::time::Duration::from_secs(15), || {
        !h1.overlays().iter().any(|line| line.starts_with("10.99."))
    });
    lab.heal_lan('A');
    lab.wait_home();
}

#[test]
fn routes_of_other_protocols_and_interfaces_are_left_alone() {
    let lab = Lab::new(2, "AB");
    let (h1, h2) = (lab.host(1), lab.host(2));
    h1.ip(&format!("route add 10.98.0.0/24 via {} proto bgp", h2.v4('A')));
    h1.ip(&format!("route add 10.99.0.0/24 via {} table 77", h2.v4('A')));
    h1.ip("route add blackhole 10.97.0.0/24");
    let _daemons = lab.faild_everywhere("-r");
    lab.cut_lan('A', Loss::Silent);
    lab.wait_moved(h1, h2, 'A', 'B');
    pause_ms(300);
    let strange: Vec<_> = h1.overlays().into_iter().filter(|line| line.starts_with("10.9")).collect();
    assert_eq!(strange, Vec::<String>::new());
}

#[test]
fn static_routes_that_an_interface_bounce_removed_are_put_back() {
    let lab = Lab::alone(2, "AB");
    let (h1, h2) = (lab.host(1), lab.host(2));
    h1.ip(&format!("route add 10.99.0.0/24 via {} proto static", h2.v4('A')));
    h1.ip(&format!("route add default via {} metric 50", h2.v4('A')));
    h1.ip(&format!("-6 route add fd99::/64 via {} proto static", h2.v6('A')));
    let _daemons = lab.faild_everywhere("-r");
    let before = static_routes(h1);
    assert_eq!(before.len(), 3);
    h1.ip("link set lanA down");
    pause_ms(700);
    h1.ip("link set lanA up");
    crate::lab::wait_until("the routes are back", std::time::Duration::from_secs(15), || {
        static_routes(h1) == before
    });
    lab.wait_home();
    assert_eq!(static_routes(h1), before);
}

#[test]
fn a_route_that_somebody_deleted_stays_deleted() {
    let lab = Lab::alone(2, "AB");
    let (h1, h2) = (lab.host(1), lab.host(2));
    h1.ip(&format!("route add 10.99.0.0/24 via {} proto static", h2.v4('A')));
    let _daemons = lab.faild_everywhere("-r");
    pause_ms(500);
    h1.ip("route del 10.99.0.0/24");
    pause_ms(500);
    h1.ip("link set lanA down");
    pause_ms(300);
    h1.ip("link set lanA up");
    lab.wait_home();
    pause_ms(2500);
    assert_eq!(static_routes(h1), Vec::<String>::new());
}

/// Adds `route` on host 1; `beyond` is behind host 2.
fn assert_follows(lab: &Lab, route: &str, beyond: std::net::IpAddr) {
    let (h1, h2) = (lab.host(1), lab.host(2));
    h2.ip(&format!("addr add {beyond} dev lo"));
    h1.ip(&format!("route add {route}"));
    let before = h1.foreign_routes();
    let _daemons = lab.faild_everywhere("-r");
    let source = if beyond.is_ipv4() { h1.v4('A') } else { h1.v6('A') };
    let meter = Meter::start(h1, source, h2, beyond);
    pause_ms(300);
    lab.cut_lan('A', Loss::Silent);
    h1.wait_way('B', beyond);
    lab.wait_moved(h1, h2, 'A', 'B');
    assert_eq!(h1.foreign_routes(), before, "the original is untouched");
    pause_ms(300);
    meter.finish_after_failover();
    let meter = Meter::start(h1, source, h2, beyond);
    lab.heal_lan('A');
    lab.wait_home();
    assert!(h1.goes_by('A', beyond));
    pause_ms(200);
    meter.finish_unharmed();
    assert_eq!(h1.foreign_routes(), before);
}

fn static_routes(host: &Host) -> Vec<String> {
    let mut routes = host.foreign_routes();
    routes.retain(|line| !line.contains("proto 2 "));
    routes.sort();
    routes
}
