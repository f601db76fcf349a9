//! Other tables, prefixes, shares of the traffic, and a kernel that filters by source.

use crate::lab::{EventName, Lab, Loss, OTHER_TARGET, Routed, TARGET, Uplinks, pause_ms, wait_until};

use super::{LISTED, QUICK, both, route, section, with_target};

#[test]
fn a_table_of_its_own_is_led_and_main_is_left_alone() {
    let lab = Uplinks::new(Routed::Statically);
    let host = lab.host(1);
    host.ip(&format!("rule add to {TARGET} lookup 100"));
    host.ip("route add default via 192.0.2.1 table 100");
    let before = host.ip("route show table 100");
    let _daemon = lab.start(&route(LISTED, &format!("table = 100\n{}", with_target())));
    lab.cut_lan('A', Loss::Silent);
    lab.wait_by("wan1", TARGET);
    assert_eq!(host.way_to(OTHER_TARGET.parse().expect("an address")).as_deref(), Some("wan0"));
    assert!(host.overlays().iter().all(|line| line.contains("table 100")), "{:?}", host.overlays());
    lab.heal_lan('A');
    lab.wait_by("wan0", TARGET);
    Lab::wait_home(&lab);
    assert_eq!(host.ip("route show table 100"), before);
}

#[test]
fn a_prefix_is_led_with_and_without_a_route_of_others() {
    let lab = Uplinks::new(Routed::Statically);
    let host = lab.host(1);
    let mut daemon = lab.start(&section("203.0.113.0/24", LISTED, &with_target()));
    lab.wait_by("wan0", TARGET);
    lab.cut_lan('A', Loss::Silent);
    lab.wait_by("wan1", TARGET);
    assert_eq!(host.way_to([8, 8, 8, 8].into()).as_deref(), Some("wan0"), "only the prefix moves");
    host.ip("route add 203.0.113.0/24 via 192.0.2.1 metric 20");
    lab.wait_by("wan1", TARGET);
    lab.heal_lan('A');
    lab.wait_by("wan0", TARGET);
    assert!(daemon.terminate().success());
    host.ip("route flush proto 250");
}

#[test]
fn equal_next_hops_share_and_the_survivor_takes_all() {
    let lab = Uplinks::new(Routed::Not);
    let host = lab.host(1);
    host.ip("addr add 192.0.2.10/24 dev wan0");
    host.ip("addr add 198.51.100.10/24 dev wan1");
    let two = "nexthop via 192.0.2.1 dev wan0 weight 3 nexthop via 198.51.100.1 dev wan1 weight 1";
    host.ip(&format!("route add default {two}"));
    let hops = LISTED.replace("192.0.2.1\"", "192.0.2.1\", rank = 1, weight = 3");
    let hops = hops.replace("198.51.100.1\"", "198.51.100.1\", rank = 1");
    let _daemon = lab.start(&route(&hops, &with_target()));
    assert_eq!(host.overlays(), Vec::<String>::new(), "the route that is there will do");
    let before = host.foreign_routes();
    for (lan, left) in [('A', "wan1"), ('B', "wan0")] {
        lab.cut_lan(lan, Loss::Silent);
        wait_until("all goes by the other", std::time::Duration::from_secs(10), || {
            (1..40).all(|i| host.way_to([203, 0, 113, i].into()).as_deref() == Some(left))
        });
        assert_eq!(host.foreign_routes(), before);
        lab.heal_lan(lan);
        Lab::wait_home(&lab);
    }
}

#[test]
fn equal_routes_found_in_the_kernel_share_as_well() {
    let lab = Uplinks::new(Routed::Not);
    let host = lab.host(1);
    host.ip("addr add 192.0.2.10/24 dev wan0");
    host.ip("addr add 198.51.100.10/24 dev wan1");
    host.ip("route add default nexthop via 192.0.2.1 dev wan0 nexthop via 198.51.100.1 dev wan1");
    let before = host.foreign_routes();
    let _daemon = lab.start(&route("auto", &with_target()));
    lab.cut_lan('A', Loss::Silent);
    wait_until("all goes by the other", std::time::Duration::from_secs(10), || {
        (1..40).all(|i| host.way_to([203, 0, 113, i].into()).as_deref() == Some("wan1"))
    });
    lab.heal_lan('A');
    Lab::wait_home(&lab);
    assert_eq!(host.foreign_routes(), before);
}

#[test]
fn a_strict_filter_is_told_and_does_not_blind_the_probes() {
    let lab = Uplinks::new(Routed::Statically);
    lab.host(1).sysctl("net.ipv4.conf.all.rp_filter=1");
    let daemon = lab.start(&both());
    daemon.wait_log(&["warn", "rp_filter"]);
    let watch = lab.host(1).watch();
    pause_ms(1500);
    watch.assert_nothing_moved();
    assert!(!lab.host(1).faildctl("routes").text.contains("down"), "the backup works");
    lab.cut(lab.router(1), 'C', Loss::Silent);
    lab.wait_by("wan1", TARGET);
    lab.heal(lab.router(1), 'C');
    lab.wait_by("wan0", TARGET);
}

#[test]
fn a_dead_router_on_a_leg_of_no_interest_moves_nothing() {
    let lab = Uplinks::new(Routed::Statically);
    let daemon = lab.start(&route(LISTED, QUICK));
    let watch = lab.host(1).watch();
    lab.kill_router(2);
    daemon.wait_event(EventName::NextHopDown, &["wan1"]);
    lab.revive_router(2);
    daemon.wait_event(EventName::NextHopUp, &["wan1"]);
    pause_ms(500);
    watch.assert_nothing_moved();
}
