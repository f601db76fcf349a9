//! Routes over a member: of several legs, made while it is dead, lost with its interface.

use super::{DETECTION, PATIENCE};
use crate::lab::grouped::{BEYOND, BEYOND_V6, Grouped, Made, NEIGHBOUR, group};
use crate::lab::{Transfer, pause_ms, wait_until};

/// Places behind the router, many enough for a hash to choose both legs.
fn places() -> impl Iterator<Item = String> {
    (1..40).flat_map(|number| [format!("198.51.100.{number}"), format!("2001:db8:99::{number}")])
}

#[test]
fn a_route_by_two_members_leaves_the_dead_one() {
    let lab = Grouped::pair();
    let here = lab.here();
    here.ip("route add 198.51.100.0/24 nexthop via 192.0.2.1 dev eth0 nexthop via 192.0.2.1 dev eth1");
    here.ip("-6 route add 2001:db8:99::/48 nexthop via fe80::1 dev eth0 nexthop via fe80::1 dev eth1");
    let routes = here.foreign_routes();
    let by = |interface: &str| places().filter(|place| lab.way(place).0 == interface).count();
    assert!(by("eth0") > 0 && by("eth1") > 0, "{} {}", by("eth0"), by("eth1"));
    let _daemon = lab.start(&group(2, DETECTION, ""));
    lab.silence(0);
    lab.wait_by(1, &[BEYOND]);
    wait_until("all go by eth1", PATIENCE, || by("eth1") == places().count());
    lab.unsilence(0);
    here.wait_home();
    assert!(by("eth0") > 0 && by("eth1") > 0);
    assert_eq!(here.foreign_routes(), routes);
}

#[test]
fn a_route_that_comes_and_goes_while_a_member_is_dead_has_an_overlay_meanwhile() {
    let lab = Grouped::pair();
    let here = lab.here();
    let _daemon = lab.start(&group(2, DETECTION, ""));
    lab.silence(0);
    lab.wait_by(1, &[BEYOND]);
    let before = here.overlays();
    here.ip("route add 198.51.100.0/24 via 192.0.2.1 dev eth0");
    here.ip("-6 route add 2001:db8:99::/48 via fe80::1 dev eth0");
    lab.wait_by(1, &["198.51.100.1", "2001:db8:99::1"]);
    wait_until("both have overlays", PATIENCE, || here.overlays().len() == before.len() + 2);
    here.ip("route del 198.51.100.0/24 via 192.0.2.1 dev eth0");
    here.ip("-6 route del 2001:db8:99::/48 via fe80::1 dev eth0");
    wait_until("their overlays are gone", PATIENCE, || here.overlays() == before);
    lab.unsilence(0);
    here.wait_home();
}

#[test]
fn an_interface_that_is_unplugged_and_comes_back_is_home_again() {
    let lab = Grouped::alone(&[Made::Ready, Made::Ready]);
    let here = lab.here();
    let _daemon = lab.start(&group(2, DETECTION, ""));
    here.ip("link del eth0");
    lab.wait_by(1, &[BEYOND, BEYOND_V6, NEIGHBOUR]);
    lab.wait_group("degraded:eth1 [eth0]");
    lab.plug_member(0, Made::Ready);
    lab.wait_by(0, &[BEYOND, BEYOND_V6]);
    lab.wait_group("ok:eth0 eth1");
    here.wait_home();
    lab.wait_answers();
    lab.silence(0);
    lab.wait_by(1, &[BEYOND, BEYOND_V6]);
}

#[test]
fn a_connection_with_the_address_of_a_dead_member_goes_on_after_its_repair() {
    let lab = Grouped::pair();
    let _daemon = lab.start(&group(2, DETECTION, ""));
    let address = |text: &str| text.parse().expect("an address");
    let transfer = Transfer::start(lab.here(), address("192.0.2.20"), lab.router(), address(BEYOND));
    wait_until("it flows", PATIENCE, || transfer.progress() > 0);
    lab.silence(0);
    lab.wait_by(1, &[BEYOND]);
    pause_ms(500);
    lab.unsilence(0);
    lab.wait_by(0, &[BEYOND]);
    let before = transfer.progress();
    wait_until("it flows again", PATIENCE, || transfer.progress() > before + 100_000);
    transfer.finish();
}
