//! Destinations that the watch leads.

use std::time::Duration;

use nix::errno::Errno;

use super::rig::{DHCP, ETH0, ETH1, ETH2, Rig, by, destination, ip, kernel, route, settings};
use crate::event::EventName;
use crate::operation::Refusal;
use crate::reconcile::mirror::Insert;
use crate::reconcile::{Notice, Owner, Settings, describe};
use crate::route::{Leg, MAIN_TABLE, Route};
use crate::watch::{Destination, Hop, Way};

const ALL: [&str; 3] = ["eth0", "eth1", "eth2"];
const DEFAULT: &str = "0.0.0.0/0";
const HOME: (&str, &str) = ("10.0.0.9", "eth0");
const AWAY: (&str, &str) = ("10.1.0.9", "eth1");
const SECOND: Duration = Duration::from_secs(1);

/// The default destination of a table is led away.
fn overlaid(table: u32) -> Notice {
    let destination = Destination { table, ..destination(DEFAULT) };
    Notice::RouteOverlaid { destination, by: "10.1.0.9%eth1".to_owned() }
}

/// A default route by 10.0.0.9 at this metric, and the watch that leads it.
fn led(metric: u32) -> Rig {
    let mut rig = Rig::watching(&ALL);
    rig.add(&route(DEFAULT, HOME.0, ETH0, metric));
    rig.lead(DEFAULT, &[HOME]);
    rig
}

#[test]
fn home_needs_nothing_and_away_needs_one_overlay_in_front_of_all() {
    let mut rig = led(100);
    rig.add(&Route { protocol: DHCP, ..route(DEFAULT, AWAY.0, ETH1, 200) });
    assert_eq!(rig.take_operations(), [""; 0]);
    rig.lead(DEFAULT, &[AWAY]);
    assert_eq!(
        rig.take_operations(),
        ["add Alone 0.0.0.0/0 via 10.1.0.9 dev 3 metric 99 src 10.1.0.1", "neigh del 10.0.0.9 dev 2"]
    );
    assert_eq!(rig.take_notices(), [overlaid(MAIN_TABLE)]);
    rig.lead(DEFAULT, &[HOME]);
    assert_eq!(rig.take_operations(), ["del 0.0.0.0/0 via 10.1.0.9 dev 3 metric 99 src 10.1.0.1"]);
    let lifted = Notice::RouteLifted { destination: destination(DEFAULT), by: "10.0.0.9%eth0".to_owned() };
    assert_eq!(rig.take_notices(), [lifted]);
    rig.wait(300 * SECOND);
    assert_eq!(rig.take_operations(), [""; 0]);
}

#[test]
fn away_from_the_first_choice_the_overlay_stays_while_a_lease_is_renewed() {
    let mut rig = led(100);
    let lease = route(DEFAULT, HOME.0, ETH0, 100);
    rig.add(&Route { protocol: DHCP, ..route(DEFAULT, AWAY.0, ETH1, 200) });
    rig.watch.away.insert(destination(DEFAULT));
    rig.lead(DEFAULT, &[AWAY]);
    rig.take_operations();
    rig.delete(&lease);
    rig.wait(SECOND);
    rig.add(&lease);
    rig.wait(SECOND);
    assert_eq!(rig.take_operations(), [""; 0]);
    rig.delete(&lease);
    rig.watch.away.clear();
    rig.hand_in_watch();
    let lifted = "del 0.0.0.0/0 via 10.1.0.9 dev 3 metric 99 src 10.1.0.1";
    assert_eq!(rig.take_operations(), [lifted], "the watch has given the lease up");
}

#[test]
fn an_overlay_makes_room_for_a_route_without_a_metric_that_is_about_to_come_back() {
    for rest in [None, Some(200)] {
        let mut rig = led(0);
        if let Some(metric) = rest {
            rig.add(&Route { protocol: DHCP, ..route(DEFAULT, AWAY.0, ETH1, metric) });
        }
        rig.watch.away.insert(destination(DEFAULT));
        rig.lead(DEFAULT, &[AWAY]);
        rig.take_operations();
        let bare = Route { protocol: DHCP, ..route(DEFAULT, HOME.0, ETH0, 0) };
        rig.delete(&route(DEFAULT, HOME.0, ETH0, 0));
        let metric = rest.map_or(50, |metric| metric - 1);
        assert_eq!(
            rig.take_operations(),
            [
                format!("add Alone 0.0.0.0/0 via 10.1.0.9 dev 3 metric {metric} src 10.1.0.1"),
                "del 0.0.0.0/0 via 10.1.0.9 dev 3 metric 0 src 10.1.0.1".to_owned(),
            ]
        );
        rig.add(&bare);
        assert_eq!(rig.gateway_to("192.0.2.1"), Some(ip(AWAY.0)), "it is overlaid again");
    }
}

#[test]
fn a_lease_without_a_metric_that_hits_the_overlay_at_each_renewal_is_covered_at_once_each_time() {
    let mut rig = led(0);
    rig.lead(DEFAULT, &[AWAY]);
    let renewed = Route { protocol: DHCP, ..route(DEFAULT, HOME.0, ETH0, 0) };
    for _ in 0..20 {
        rig.event(|k| k.add_route(&renewed, Insert::Replace).unwrap());
        assert_eq!(rig.gateway_to("192.0.2.1"), Some(ip(AWAY.0)));
        rig.delete(&renewed);
        rig.wait(60 * SECOND);
    }
}

#[test]
fn a_twin_that_differs_in_a_metric_comes_and_goes_and_the_original_is_still_known() {
    let mut rig = led(100);
    rig.lead(DEFAULT, &[AWAY]);
    rig.take_operations();
    let twin = Route { attributes: vec![8, 0, 8, 0, 1, 2, 3, 4], ..route(DEFAULT, HOME.0, ETH0, 100) };
    rig.core.handle(rig.now, crate::reconcile::Input::RouteAdded(twin.clone()));
    rig.core.handle(rig.now, crate::reconcile::Input::RouteDeleted(twin));
    rig.settle();
    rig.wait(SECOND);
    assert_eq!(rig.take_operations(), [""; 0]);
    let standing = rig.core.serving(&DEFAULT.parse().unwrap()).and_then(|serving| serving.original);
    assert_eq!(standing.map(|route| route.legs.clone()), Some(route(DEFAULT, HOME.0, ETH0, 100).legs));
}

#[test]
fn a_way_whose_interface_went_down_is_left_as_soon_as_another_is_chosen() {
    let mut rig = led(100);
    rig.event(|kernel| kernel.set_up(ETH0, false));
    rig.take_operations();
    rig.lead(DEFAULT, &[AWAY]);
    assert_eq!(rig.gateway_to("192.0.2.1"), Some(ip(AWAY.0)));
}

#[test]
fn a_way_that_moves_on_is_made_before_the_last_one_is_broken() {
    let mut rig = led(100);
    rig.lead(DEFAULT, &[AWAY]);
    rig.take_operations();
    rig.lead(DEFAULT, &[("10.2.0.9", "eth2")]);
    assert_eq!(
        rig.take_operations(),
        [
            "add Alone 0.0.0.0/0 via 10.2.0.9 dev 4 metric 98 src 10.2.0.1",
            "neigh del 10.0.0.9 dev 2",
            "neigh del 10.1.0.9 dev 3",
            "del 0.0.0.0/0 via 10.1.0.9 dev 3 metric 99 src 10.1.0.1",
            // Only for that moment it had another metric.
            "add Alone 0.0.0.0/0 via 10.2.0.9 dev 4 metric 99 src 10.2.0.1",
            "del 0.0.0.0/0 via 10.2.0.9 dev 4 metric 98 src 10.2.0.1",
        ]
    );
}

#[test]
fn at_metric_zero_the_overlay_comes_first_and_ipv6_gets_a_lower_metric() {
    let mut rig = led(0);
    rig.lead(DEFAULT, &[AWAY]);
    assert_eq!(rig.take_operations()[0], "add Before 0.0.0.0/0 via 10.1.0.9 dev 3 metric 0 src 10.1.0.1");
    assert_eq!(rig.gateway_to("192.0.2.1"), Some(ip(AWAY.0)));
    rig.add(&Route { protocol: 9, ..route("::/0", "fe80::9", ETH0, 1024) });
    rig.lead("::/0", &[("fe80::19", "eth1")]);
    assert_eq!(rig.take_operations()[0], "add Alone ::/0 via fe80::19 dev 3 metric 1023 src fd01::1");
}

#[test]
fn a_destination_without_a_route_gets_one_at_metric_50_that_stays() {
    let mut rig = Rig::watching(&ALL);
    rig.lead("198.51.100.0/24", &[AWAY]);
    rig.lead("2001:db8::/32", &[("-", "eth1")]);
    let own = [
        "198.51.100.0/24 via 10.1.0.9 dev 3 metric 50 src 10.1.0.1",
        "2001:db8::/32 dev 3 metric 50 src fd01::1",
    ];
    assert_eq!(rig.own(), own);
    rig.wait(300 * SECOND);
    assert_eq!(rig.own(), own);
    rig.lead("198.51.100.0/24", &[HOME]);
    assert_eq!(rig.own()[0], "198.51.100.0/24 via 10.0.0.9 dev 2 metric 49 src 10.0.0.1");
    assert_eq!(rig.gaps, [""; 0]);
}

#[test]
fn an_on_link_destination_gets_a_route_of_link_scope() {
    let mut rig = Rig::watching(&ALL);
    rig.lead("198.51.100.0/24", &[("-", "eth1")]);
    let route = rig.core.overlays().next().expect("an overlay").clone();
    assert_eq!((route.scope, route.source), (253, Some(ip("10.1.0.1"))));
}

#[test]
fn several_hops_become_legs_with_weights_and_no_source() {
    let mut rig = led(100);
    let hop = |(via, interface): (&str, &str), weight| Hop {
        interface: interface.into(),
        via: Some(ip(via)),
        weight,
    };
    rig.decide_way(DEFAULT, Way::By(vec![hop(HOME, 3), hop(AWAY, 2)]));
    let text = "0.0.0.0/0 via 10.0.0.9 dev 2 weight 3 via 10.1.0.9 dev 3 weight 2 metric 99";
    assert_eq!(rig.take_operations(), [format!("add Alone {text}")]);
    let leg = |(via, interface, weight): (&str, _, _)| Leg { gateway: Some(ip(via)), interface, weight };
    let mut other = route(DEFAULT, HOME.0, ETH0, 50);
    other.legs = vec![leg((AWAY.0, ETH1, 2)), leg((HOME.0, ETH0, 2))];
    rig.add(&other);
    assert_eq!(rig.own(), [text.replace("99", "49")], "other weights: not what is wanted");
    other.legs[1].weight = 3;
    other.key.metric = 40;
    rig.add(&other);
    assert_eq!(rig.own(), [""; 0], "somebody else does it, in whatever order");
}

#[test]
fn a_leg_whose_interface_is_down_is_left_out_while_another_serves() {
    let mut rig = led(100);
    rig.event(|k| k.set_up(ETH2, false));
    rig.lead(DEFAULT, &[("10.2.0.9", "eth2"), AWAY]);
    assert_eq!(rig.own(), ["0.0.0.0/0 via 10.1.0.9 dev 3 metric 99 src 10.1.0.1"]);
    rig.event(|k| k.set_up(ETH2, true));
    rig.wait(SECOND);
    assert_eq!(rig.own(), ["0.0.0.0/0 via 10.2.0.9 dev 4 via 10.1.0.9 dev 3 metric 99"]);
}

#[test]
fn an_interface_that_is_down_or_absent_blocks_until_it_is_there() {
    let mut rig = led(100);
    rig.event(|k| k.set_up(ETH1, false));
    rig.lead(DEFAULT, &[AWAY]);
    rig.wait(10 * SECOND);
    assert_eq!(rig.own(), [""; 0]);
    assert_eq!(
        rig.core.watched().routes[0].trouble.as_ref().and_then(|t| t.refused),
        Some(Errno::ENODEV as i32)
    );
    rig.event(|k| k.set_up(ETH1, true));
    rig.wait(SECOND);
    assert_eq!(rig.own(), ["0.0.0.0/0 via 10.1.0.9 dev 3 metric 99 src 10.1.0.1"]);
    assert_eq!(rig.core.watched().routes[0].trouble, None);
}

#[test]
fn a_table_besides_main_is_led_on_its_own_and_named_in_full() {
    let mut rig = Rig::watching(&ALL);
    let mut original = route(DEFAULT, HOME.0, ETH0, 100);
    original.key.table = 77;
    rig.add(&original);
    rig.add(&route(DEFAULT, HOME.0, ETH0, 100));
    rig.watch.tables = vec![77];
    rig.watch.routes.insert(Destination { table: 77, ..destination(DEFAULT) }, by(&[AWAY]));
    rig.hand_in_watch();
    let text = "0.0.0.0/0 via 10.1.0.9 dev 3 metric 99 table 77 src 10.1.0.1";
    assert_eq!(rig.own(), [text]);
    assert_eq!(rig.take_notices(), [overlaid(77)]);
    rig.wait(100 * SECOND);
    assert_eq!(rig.own(), [text], "dumps show it where it is");
    rig.watch.routes.clear();
    rig.hand_in_watch();
    let delete = rig.asked.last().expect("a delete");
    let names = |index| format!("if{index}");
    let command = "ip route del default table 77 via 10.1.0.9 dev if3 proto 250 src 10.1.0.1 metric 99";
    assert_eq!(describe(delete, &names), command);
    assert_eq!(rig.foreign().len(), 2);
}

#[test]
fn what_others_do_in_tables_that_nobody_asked_for_is_not_looked_at() {
    let mut rig = led(100);
    let mut other = route(DEFAULT, HOME.0, ETH0, 100);
    other.key.table = 78;
    rig.add(&other);
    rig.wait(100 * SECOND);
    rig.event(|k| k.set_up(ETH0, false));
    rig.wait(10 * SECOND);
    assert_eq!(rig.core.remembered().map(|(r, _)| r.key.table).collect::<Vec<_>>(), [MAIN_TABLE]);
}

#[test]
fn a_route_of_another_program_is_left_alone_and_told_once() {
    let mut rig = led(100);
    let bgp = Route { protocol: 186, ..route(DEFAULT, HOME.0, ETH0, 20) };
    rig.lead(DEFAULT, &[AWAY]);
    rig.take_notices();
    rig.add(&bgp);
    assert_eq!(rig.own(), [""; 0], "not in its way, and not behind it either");
    rig.wait(200 * SECOND);
    let told = rig.told(&[EventName::RouteSkipped]);
    assert!(matches!(told[..], [Notice::DestinationLeftAlone { protocol: 186, .. }]), "{told:?}");
    assert!(rig.core.watched().routes[0].is_left_alone);
    rig.delete(&bgp);
    rig.wait(SECOND);
    assert_eq!(rig.gateway_to("192.0.2.1"), Some(ip(AWAY.0)));
    assert!(!rig.core.watched().routes[0].is_left_alone);
    assert_eq!(rig.gaps, [""; 0]);
}

#[test]
fn undecided_keeps_what_is_there() {
    let mut rig = led(100);
    rig.lead(DEFAULT, &[AWAY]);
    rig.take_operations();
    rig.decide_way(DEFAULT, Way::Undecided);
    rig.wait(100 * SECOND);
    assert_eq!(rig.take_operations(), [""; 0]);
    assert_eq!(rig.own().len(), 1);
}

#[test]
fn a_destination_that_leaves_the_plan_loses_its_overlay() {
    let mut rig = led(100);
    rig.lead(DEFAULT, &[AWAY]);
    rig.watch.routes.clear();
    rig.hand_in_watch();
    assert_eq!(rig.own(), [""; 0]);
    assert_eq!(rig.gaps, [""; 0]);
}

#[test]
fn after_it_left_the_plan_a_subject_has_its_say_and_not_before() {
    let mut rig = led(100);
    rig.plan.lans = ALL.map(str::to_owned).to_vec();
    rig.detour("eth0", HOME.0, "eth2", "10.2.0.9");
    let of_default =
        |rig: &Rig| -> Vec<String> { rig.own().into_iter().filter(|r| r.starts_with(DEFAULT)).collect() };
    assert_eq!(of_default(&rig), [""; 0], "the watch says that it works");
    rig.watch.routes.clear();
    rig.hand_in_watch();
    assert_eq!(of_default(&rig), ["0.0.0.0/0 via 10.2.0.9 dev 4 metric 99 src 10.0.0.1"]);
    rig.lead(DEFAULT, &[HOME]);
    assert_eq!(of_default(&rig), [""; 0]);
}

#[test]
fn while_the_original_is_missing_our_route_by_home_stands_until_it_is_back() {
    let mut rig = led(100);
    rig.lead(DEFAULT, &[AWAY]);
    rig.event(|k| {
        let mut told = k.set_up(ETH0, false);
        told.extend(k.set_up(ETH0, true));
        told
    });
    assert_eq!(rig.foreign(), [""; 0], "the bounce flushed it");
    rig.lead(DEFAULT, &[HOME]);
    assert_eq!(rig.gateway_to("192.0.2.1"), Some(ip(HOME.0)));
    assert_eq!(rig.own().len(), 1);
    rig.wait(5 * SECOND);
    assert_eq!(rig.foreign(), ["0.0.0.0/0 via 10.0.0.9 dev 2 metric 100"]);
    assert_eq!(rig.own(), [""; 0]);
    assert_eq!(rig.gaps, [""; 0]);
}

#[test]
fn a_renewal_that_deletes_and_adds_leaves_no_gap() {
    let mut rig = Rig::watching(&ALL);
    let lease = Route { protocol: DHCP, ..route("::/0", "fd00::9", ETH0, 50) };
    rig.add(&lease);
    rig.lead("::/0", &[("fd01::9", "eth1")]);
    rig.delete(&lease);
    rig.lead("::/0", &[("fd00::9", "eth0")]);
    assert_eq!(rig.gateway_to("2001:db8::1"), Some(ip("fd00::9")));
    rig.wait(2 * SECOND);
    assert_eq!(rig.gateway_to("2001:db8::1"), Some(ip("fd00::9")), "no original: ours stays");
    assert!(!rig.own()[0].contains("metric 50 "), "the kernel would merge the two: {:?}", rig.own());
    rig.add(&lease);
    rig.wait(2 * SECOND);
    assert_eq!(rig.own(), [""; 0]);
    assert_eq!(rig.foreign(), ["::/0 via fd00::9 dev 2 metric 50"]);
    assert_eq!(rig.gaps, [""; 0]);
}

#[test]
fn a_new_start_keeps_the_overlay_until_the_watch_knows() {
    let mut rig = led(100);
    rig.lead(DEFAULT, &[AWAY]);
    rig.take_operations();
    rig.watch.routes.insert(destination(DEFAULT), Way::Undecided);
    rig.restart(false);
    rig.wait(10 * SECOND);
    assert_eq!(rig.take_operations(), [""; 0]);
    rig.lead(DEFAULT, &[AWAY]);
    assert_eq!(rig.take_operations(), [""; 0]);
    assert!(rig.core.watched().routes[0].overlay.is_some());
    rig.lead(DEFAULT, &[HOME]);
    assert_eq!(rig.own(), [""; 0]);
}

#[test]
fn nothing_is_done_before_the_watch_has_spoken() {
    let watches = Settings { watches: true, ..settings() };
    let mut rig = Rig::with_settings(kernel(), watches);
    rig.detour("eth0", "10.0.0.2", "eth1", "10.1.0.2");
    assert_eq!(rig.take_operations(), [""; 0]);
    rig.hand_in_watch();
    assert_eq!(rig.own().len(), 1);
}

#[test]
fn what_others_remove_comes_back_and_what_is_refused_is_tried_again() {
    let mut rig = led(100);
    rig.lead(DEFAULT, &[AWAY]);
    rig.wait(10 * SECOND);
    rig.take_notices();
    let own = rig.core.overlays().next().expect("an overlay").clone();
    rig.event(|k| k.delete_route(&own).unwrap());
    assert_eq!(rig.own().len(), 1);
    let notices = rig.take_notices();
    let of = Owner::Destination(destination(DEFAULT));
    assert!(
        matches!(&notices[0], Notice::OverlayRemovedByOthers { owner, routes: 1, .. } if *owner == of),
        "{notices:?}"
    );
    rig.refuses = Some(Refusal::new(Errno::ENOMEM, "Cannot allocate memory"));
    rig.lead(DEFAULT, &[("10.2.0.9", "eth2")]);
    rig.wait(20 * SECOND);
    let refused = rig.told(&[EventName::OperationRefused]);
    assert!(matches!(&refused[..], [Notice::OperationRefused { refusal, .. }, ..] if refusal.errno == 12));
    rig.refuses = None;
    rig.wait(70 * SECOND);
    assert_eq!(rig.gateway_to("192.0.2.1"), Some(ip("10.2.0.9")));
    assert_eq!(rig.own().len(), 1);
}

#[test]
fn what_no_gateway_was_there_for_is_laid_as_soon_as_an_address_returns() {
    for errno in [Errno::ENETUNREACH, Errno::EHOSTUNREACH] {
        let mut rig = led(100);
        rig.refuses = Some(Refusal::new(errno, "Nexthop has invalid gateway"));
        rig.lead(DEFAULT, &[AWAY]);
        rig.wait(20 * SECOND);
        rig.take_operations();
        rig.wait(Duration::from_millis(10));
        assert_eq!(rig.take_operations(), [""; 0], "it pauses");
        rig.refuses = None;
        rig.event(|k| k.add_address(ETH1, super::rig::address("10.1.0.77/24")).unwrap());
        assert_eq!(rig.own().len(), 1, "{errno}");
    }
}

#[test]
fn at_the_end_what_leads_away_stays_and_what_is_home_goes() {
    let mut rig = led(100);
    rig.lead(DEFAULT, &[AWAY]);
    rig.stop();
    assert_eq!(rig.own().len(), 1);
    let mut rig = led(100);
    rig.stop();
    assert_eq!(rig.own(), [""; 0]);
}

#[test]
fn a_strangers_replace_of_our_route_is_answered() {
    let mut rig = led(0);
    rig.lead(DEFAULT, &[AWAY]);
    rig.event(|k| {
        let renewed = Route { protocol: DHCP, ..route(DEFAULT, HOME.0, ETH0, 0) };
        k.add_route(&renewed, Insert::Replace).unwrap()
    });
    rig.wait(SECOND);
    assert_eq!(rig.gateway_to("192.0.2.1"), Some(ip(AWAY.0)));
}
