//! Routes that the kernel flushes with their interface come back; those that somebody deletes do not.

use std::time::Duration;

use super::rig::{DHCP, ETH0, ETH1, Rig, address, interface, ip, route};
use crate::event::EventName;
use crate::interface::InterfaceIndex;
use crate::reconcile::mirror::Insert;
use crate::reconcile::{Mirror, Notice, Notification};
use crate::route::{Leg, Route};

const SECOND: Duration = Duration::from_secs(1);

fn bounce(rig: &mut Rig) {
    rig.event(|k| k.set_up(ETH0, false));
    rig.wait(3 * SECOND);
    rig.event(|k| k.set_up(ETH0, true));
}

/// Shorter than what a loss may still be put down to.
fn bounce_briefly(rig: &mut Rig) {
    rig.event(|k| k.set_up(ETH0, false));
    rig.wait(SECOND / 10);
    rig.event(|k| k.set_up(ETH0, true));
}

#[test]
fn a_static_route_comes_back_a_second_after_its_interface() {
    let mut rig = Rig::new();
    rig.add(&route("0.0.0.0/0", "10.0.0.9", ETH0, 0));
    bounce(&mut rig);
    assert_eq!(rig.foreign(), [""; 0]);
    rig.wait(SECOND / 2);
    assert_eq!(rig.foreign(), [""; 0]);
    rig.wait(SECOND);
    assert_eq!(rig.foreign(), ["0.0.0.0/0 via 10.0.0.9 dev 2 metric 0"]);
    let put_back = Notice::RoutePutBack { routes: 1, route: "default via 10.0.0.9 dev eth0".to_owned() };
    assert_eq!(rig.told(&[EventName::RouteRestored]), [put_back]);
}

#[test]
fn a_bounce_that_is_over_at_once_is_noticed() {
    let mut rig = Rig::new();
    rig.add(&route("0.0.0.0/0", "10.0.0.9", ETH0, 0));
    rig.add(&route("::/0", "fe80::9", ETH0, 1024));
    rig.event(|k| {
        let mut told = k.set_up(ETH0, false);
        told.extend(k.set_up(ETH0, true));
        told
    });
    rig.wait(3 * SECOND);
    assert_eq!(
        rig.foreign(),
        ["0.0.0.0/0 via 10.0.0.9 dev 2 metric 0", "::/0 via fe80::9 dev 2 metric 1024"]
    );
}

#[test]
fn a_bounce_whose_messages_were_lost_is_noticed_by_the_silence_of_its_routes() {
    let mut rig = Rig::new();
    rig.add(&route("0.0.0.0/0", "10.0.0.9", ETH0, 0));
    rig.wait(10 * SECOND);
    rig.deaf = true;
    rig.event(|k| {
        let mut told = k.set_up(ETH0, false);
        told.extend(k.set_up(ETH0, true));
        told
    });
    rig.deaf = false;
    rig.wait(70 * SECOND);
    assert_eq!(rig.foreign(), ["0.0.0.0/0 via 10.0.0.9 dev 2 metric 0"]);
}

#[test]
fn what_somebody_deletes_stays_deleted() {
    let mut rig = Rig::new();
    let v4 = route("198.51.100.0/24", "10.0.0.9", ETH0, 0);
    let v6 = route("2001:db8::/32", "fd00::9", ETH0, 1024);
    rig.add(&v4);
    rig.add(&v6);
    rig.wait(10 * SECOND);
    rig.delete(&v4);
    rig.delete(&v6);
    rig.wait(200 * SECOND);
    bounce(&mut rig);
    rig.wait(200 * SECOND);
    assert_eq!(rig.foreign(), [""; 0]);
}

#[test]
fn what_somebody_deletes_as_soon_as_it_is_put_back_stays_deleted() {
    let mut rig = Rig::new();
    let v4 = route("198.51.100.0/24", "10.0.0.9", ETH0, 0);
    let v6 = route("2001:db8::/32", "fd00::9", ETH0, 1024);
    rig.add(&v4);
    rig.add(&v6);
    rig.wait(10 * SECOND);
    bounce_briefly(&mut rig);
    rig.wait(2 * SECOND);
    assert_eq!(rig.foreign().len(), 2, "put back");
    rig.delete(&v4);
    rig.delete(&v6);
    rig.wait(200 * SECOND);
    assert_eq!(rig.foreign(), [""; 0]);
}

#[test]
fn what_somebody_puts_back_and_deletes_at_once_stays_deleted() {
    let mut rig = Rig::new();
    let v4 = route("198.51.100.0/24", "10.0.0.9", ETH0, 0);
    rig.add(&v4);
    rig.wait(10 * SECOND);
    bounce_briefly(&mut rig);
    rig.wait(SECOND / 2);
    rig.add(&v4);
    rig.wait(SECOND / 4);
    rig.delete(&v4);
    rig.wait(200 * SECOND);
    assert_eq!(rig.foreign(), [""; 0]);
}

/// The old name and the new one are both looked at, and one listing shows fall and change of name.
#[test]
fn a_route_belongs_to_the_name_that_its_interface_had() {
    let mut rig = rig_with_other_name();
    rig.event(|k| rename(k, ETH0, "other0"));
    rig.wait(10 * SECOND);
    assert_eq!(rig.foreign(), [""; 0], "not on an interface of another name");
    rig.event(|k| rename(k, ETH0, "eth0"));
    rig.wait(3 * SECOND);
    assert_eq!(rig.foreign(), ["198.51.100.0/24 via 10.0.0.9 dev 2 metric 0", V6]);
}

#[test]
fn a_new_interface_of_the_old_name_gets_the_routes() {
    let mut rig = rig_with_other_name();
    rig.event(|k| rename(k, ETH0, "other0"));
    rig.wait(10 * SECOND);
    let made = interface(InterfaceIndex(9), "eth0", &["10.0.0.7/24", "fd00::7/64"]);
    rig.event(|k| k.add_interface(made));
    rig.wait(3 * SECOND);
    let there =
        ["198.51.100.0/24 via 10.0.0.9 dev 9 metric 0", "2001:db8::/32 via fd00::9 dev 9 metric 1024"];
    assert_eq!(rig.foreign(), there);
}

#[test]
fn interfaces_that_swap_their_names_leave_the_routes_to_the_names() {
    let mut rig = Rig::new();
    rig.add(&route("198.51.100.0/24", "10.0.0.9", ETH0, 0));
    rig.add(&route("203.0.113.0/24", "10.1.0.9", ETH1, 0));
    rig.wait(10 * SECOND);
    rig.event(|k| {
        let mut told = k.set_up(ETH0, false);
        told.extend(rename(k, ETH1, "eth0"));
        told.extend(rename(k, ETH0, "eth1"));
        for (index, old, new) in [(ETH0, "10.0.0.1/24", "10.1.0.1/24"), (ETH1, "10.1.0.1/24", "10.0.0.1/24")]
        {
            told.extend(k.add_address(index, address(new)).unwrap());
            told.extend(k.delete_address(index, &address(old).prefix).unwrap());
        }
        told
    });
    rig.wait(5 * SECOND);
    let there = ["198.51.100.0/24 via 10.0.0.9 dev 3 metric 0", "203.0.113.0/24 via 10.1.0.9 dev 2 metric 0"];
    assert_eq!(rig.foreign(), there);
}

/// Between the change of name and the next listing of routes something else of the group changes.
#[test]
fn what_is_written_of_a_route_has_the_name_that_it_was_learned_under() {
    for killed_after in [0, 1, 50, 2_000] {
        let mut rig = rig_with_other_name();
        rig.kernel.set_up(ETH0, false);
        rig.kernel.rename_interface(ETH0, "other0");
        rig.kernel.set_up(ETH0, true);
        if killed_after > 0 {
            rig.event(|_| vec![Notification::Link(ETH0)]);
            rig.wait(Duration::from_millis(killed_after));
        }
        rig.restart(true);
        rig.wait(10 * SECOND);
        assert_eq!(rig.foreign(), [""; 0], "killed after {killed_after} ms");
        rig.event(|k| rename(k, ETH0, "eth0"));
        rig.wait(5 * SECOND);
        assert_eq!(rig.foreign().len(), 2, "killed after {killed_after} ms: {:?}", rig.foreign());
    }
}

/// Linux 6.2 lets an interface that is up have another name: nothing falls.
#[test]
fn a_route_that_stands_belongs_to_the_new_name_of_its_interface() {
    let mut rig = rig_with_other_name();
    rig.event(|k| k.rename_interface(ETH0, "other0"));
    rig.wait(10 * SECOND);
    assert!(
        rig.journal.lines().any(|l| l.contains(" standing ") && l.contains(" other0/")),
        "{}",
        rig.journal
    );
    bounce(&mut rig);
    rig.wait(3 * SECOND);
    assert_eq!(rig.foreign(), ["198.51.100.0/24 via 10.0.0.9 dev 2 metric 0", V6]);
    // Its address stays with it as well, and another interface of that name does not get it.
    rig.event(|k| k.rename_interface(ETH0, "eth0"));
    rig.wait(3 * SECOND);
    rig.event(|k| k.add_interface(interface(InterfaceIndex(9), "other0", &[])));
    rig.wait(10 * SECOND);
    let of_new = rig.kernel.interface(InterfaceIndex(9)).map(|i| i.addresses.len());
    assert!(of_new <= Some(1), "{:?}", rig.kernel.interface(InterfaceIndex(9)));
    let of_old = &rig.kernel.interface(ETH0).unwrap().addresses;
    assert!(of_old.iter().any(|a| a.address() == ip("fd00::1")), "{of_old:?}");
}

/// A leg of it leaves by an interface that nobody looks at.
#[test]
fn a_route_with_several_legs_is_put_on_no_interface_of_another_name() {
    let mut rig = Rig::new();
    let leg = |gateway: &str, interface| Leg { gateway: Some(ip(gateway)), interface, weight: 1 };
    let tun0 = InterfaceIndex(9);
    rig.event(|k| k.add_interface(interface(tun0, "tun0", &["10.9.0.1/24"])));
    let legs = vec![leg("10.0.0.9", ETH0), leg("10.9.0.9", tun0)];
    rig.add(&Route { legs, ..route("198.51.100.0/24", "10.0.0.9", ETH0, 0) });
    rig.wait(10 * SECOND);
    rig.event(|k| {
        let mut told = k.set_up(ETH0, false);
        told.extend(rename(k, tun0, "tun1"));
        told.extend(k.set_up(ETH0, true));
        told
    });
    rig.wait(10 * SECOND);
    assert_eq!(rig.foreign(), [""; 0]);
    rig.event(|k| rename(k, tun0, "tun0"));
    rig.wait(120 * SECOND);
    assert_eq!(rig.foreign(), ["198.51.100.0/24 via 10.0.0.9 dev 2 via 10.9.0.9 dev 9 metric 0"]);
}

#[test]
fn after_a_stall_all_is_read_before_anything_is_put_back() {
    let mut rig = rig_with_other_name();
    rig.event(|k| k.set_up(ETH0, false));
    rig.wait(SECOND);
    rig.event(|k| k.set_up(ETH0, true));
    rig.wait(SECOND / 2);
    rig.take_operations();
    rig.stall(5 * SECOND, |k| rename(k, ETH0, "other0"));
    let operations = rig.take_operations();
    assert!(operations.iter().all(|o| !o.contains("dev 2")), "{operations:?}");
    rig.wait(10 * SECOND);
    assert_eq!(rig.foreign(), [""; 0]);
    // Nor is anything put back that somebody has put back and deleted meanwhile.
    rig.event(|k| rename(k, ETH0, "eth0"));
    rig.wait(SECOND / 2);
    let back = route("198.51.100.0/24", "10.0.0.9", ETH0, 0);
    rig.stall(5 * SECOND, |k| {
        let mut told = k.add_route(&back, Insert::Exclusive).unwrap();
        told.extend(k.delete_route(&back).unwrap());
        told
    });
    rig.wait(10 * SECOND);
    assert_eq!(rig.foreign(), [V6]);
}

/// The fall is read of and seen, its judgement is due a tenth of a second later: by then more time is gone than what a loss
/// is put down to a fall for, and the interface stands again.
#[test]
fn what_fell_before_a_stall_is_put_back_after_it() {
    for before in [0, 50, 99, 150] {
        for (seconds, is_bounce) in [(4, false), (4, true), (600, false), (600, true)] {
            let mut rig = rig_with_other_name();
            rig.event(|k| {
                let mut told = k.set_up(ETH0, false);
                told.extend(k.set_up(ETH0, is_bounce));
                told
            });
            rig.wait(Duration::from_millis(before));
            rig.stall(seconds * SECOND, |k| k.set_up(ETH0, true));
            rig.wait(3 * SECOND);
            let case = format!("{before} ms, then {seconds} s, stood up before: {is_bounce}");
            assert_eq!(rig.foreign(), ["198.51.100.0/24 via 10.0.0.9 dev 2 metric 0", V6], "{case}");
        }
    }
}

/// The fall is read of and seen; what it took is read of, and listed, after the stall.
#[test]
fn what_is_found_gone_after_a_stall_went_with_the_fall_before_it() {
    let mut rig = rig_with_other_name();
    rig.unheard(|k| k.set_up(ETH0, false));
    for is_errand in [false, true] {
        rig.step(is_errand);
    }
    rig.stall(4 * SECOND, |k| {
        let mut told = k.set_up(ETH0, true);
        told.extend(k.delete_address(ETH0, &address("10.0.0.1/24").prefix).unwrap());
        told.extend(k.add_address(ETH0, address("10.0.0.3/24")).unwrap());
        told
    });
    rig.wait(3 * SECOND);
    assert_eq!(rig.foreign(), ["198.51.100.0/24 via 10.0.0.9 dev 2 metric 0", V6]);
}

/// What speaks against a flush is as old as the loss when that is judged, too.
#[test]
fn what_somebody_deleted_before_a_stall_stays_deleted_after_it() {
    for is_lost in [false, true] {
        let mut rig = rig_with_other_name();
        match is_lost {
            true => {
                let deleted = route("198.51.100.0/24", "10.0.0.9", ETH0, 0);
                rig.kernel.delete_route(&deleted).unwrap();
                rig.overrun();
            }
            false => rig.event(|k| k.delete_address(ETH0, &address("10.0.0.1/24").prefix).unwrap()),
        }
        rig.stall(4 * SECOND, |_| Vec::new());
        rig.event(|k| k.add_address(ETH0, address("10.0.0.3/24")).unwrap());
        rig.wait(100 * SECOND);
        assert_eq!(rig.foreign(), [V6], "messages lost: {is_lost}");
    }
}

const V6: &str = "2001:db8::/32 via fd00::9 dev 2 metric 1024";

/// `other0` is a LAN as well as soon as there is such an interface.
fn rig_with_other_name() -> Rig {
    let mut rig = Rig::new();
    rig.plan.lans.push("other0".to_owned());
    rig.hand_in_plan();
    rig.add(&route("198.51.100.0/24", "10.0.0.9", ETH0, 0));
    rig.add(&route("2001:db8::/32", "fd00::9", ETH0, 1024));
    rig.wait(10 * SECOND);
    rig
}

/// As most kernels want it: while the interface is down.
fn rename(kernel: &mut Mirror, index: InterfaceIndex, name: &str) -> Vec<Notification> {
    let mut told = kernel.set_up(index, false);
    told.extend(kernel.rename_interface(index, name));
    told.extend(kernel.set_up(index, true));
    told
}

#[test]
fn what_somebody_else_puts_back_first_is_not_put_back_twice() {
    let mut rig = Rig::new();
    rig.add(&route("0.0.0.0/0", "10.0.0.9", ETH0, 0));
    bounce(&mut rig);
    rig.add(&route("0.0.0.0/0", "10.0.0.8", ETH0, 0));
    rig.take_operations();
    rig.wait(200 * SECOND);
    assert_eq!(rig.foreign(), ["0.0.0.0/0 via 10.0.0.8 dev 2 metric 0"]);
    assert!(rig.take_operations().iter().all(|o| o.starts_with("addr")));
}

#[test]
fn dhcp_routes_have_their_own_keeper() {
    let mut rig = Rig::new();
    rig.add(&Route { protocol: DHCP, ..route("0.0.0.0/0", "10.0.0.9", ETH0, 0) });
    bounce(&mut rig);
    rig.wait(200 * SECOND);
    assert_eq!(rig.foreign(), [""; 0]);
}

#[test]
fn an_overlay_stands_while_its_original_is_flushed_and_goes_when_it_is_back() {
    let mut rig = Rig::new();
    rig.add(&route("0.0.0.0/0", "10.0.0.9", ETH0, 0));
    rig.detour("eth0", "10.0.0.9", "eth1", "10.1.0.9");
    rig.event(|k| k.set_up(ETH0, false));
    rig.wait(100 * SECOND);
    assert_eq!(rig.gateway_to("192.0.2.1"), Some(ip("10.1.0.9")));
    rig.event(|k| k.set_up(ETH0, true));
    rig.wait(SECOND / 2);
    rig.home("eth0", "10.0.0.9");
    assert_eq!(rig.gateway_to("192.0.2.1"), Some(ip("10.1.0.9")), "nothing else would serve");
    rig.wait(2 * SECOND);
    assert_eq!(rig.gateway_to("192.0.2.1"), Some(ip("10.0.0.9")));
    assert_eq!(rig.own(), [""; 0]);
    assert!(rig.operations.contains(&"add Behind 0.0.0.0/0 via 10.0.0.9 dev 2 metric 0".to_owned()));
}

#[test]
fn a_dhcp_default_keeps_its_overlay_until_the_client_has_renewed() {
    let mut rig = Rig::new();
    let original = Route { protocol: DHCP, ..route("0.0.0.0/0", "10.0.0.9", ETH0, 100) };
    rig.add(&original);
    rig.detour("eth0", "10.0.0.9", "eth1", "10.1.0.9");
    bounce(&mut rig);
    rig.home("eth0", "10.0.0.9");
    rig.wait(20 * SECOND);
    assert_eq!(rig.gateway_to("192.0.2.1"), Some(ip("10.1.0.9")));
    rig.add(&original);
    rig.wait(SECOND);
    assert_eq!(rig.gateway_to("192.0.2.1"), Some(ip("10.0.0.9")));
    assert_eq!(rig.own(), [""; 0]);
}

#[test]
fn routes_return_to_an_interface_that_was_made_again_with_another_number() {
    let mut rig = Rig::new();
    rig.add(&route("198.51.100.0/24", "10.0.0.9", ETH0, 0));
    rig.event(|k| k.delete_interface(ETH0));
    rig.wait(10 * SECOND);
    rig.event(|k| k.add_interface(interface(InterfaceIndex(9), "eth0", &[])));
    rig.wait(10 * SECOND);
    assert_eq!(rig.foreign(), [""; 0], "the gateway is not on-link yet");
    rig.event(|k| k.add_address(InterfaceIndex(9), address("10.0.0.1/24")).unwrap());
    rig.wait(2 * SECOND);
    assert_eq!(rig.foreign(), ["198.51.100.0/24 via 10.0.0.9 dev 9 metric 0"]);
}

#[test]
fn the_last_address_removed_by_somebody_takes_the_routes_for_good() {
    let mut rig = Rig::new();
    rig.add(&route("198.51.100.0/24", "10.0.0.9", ETH0, 0));
    rig.wait(10 * SECOND);
    rig.event(|k| k.delete_address(ETH0, &address("10.0.0.1/24").prefix).unwrap());
    rig.wait(10 * SECOND);
    rig.event(|k| k.add_address(ETH0, address("10.0.0.1/24")).unwrap());
    rig.wait(100 * SECOND);
    assert_eq!(rig.foreign(), [""; 0]);
}

#[test]
fn an_overlay_over_an_interface_that_falls_comes_back_with_it() {
    let mut rig = Rig::new();
    rig.add(&route("198.51.100.0/24", "10.0.0.9", ETH0, 0));
    rig.detour("eth0", "10.0.0.9", "eth1", "10.1.0.9");
    rig.event(|k| k.set_up(ETH1, false));
    rig.wait(10 * SECOND);
    assert_eq!(rig.own(), [""; 0]);
    rig.take_notices();
    rig.event(|k| k.set_up(ETH1, true));
    rig.wait(SECOND);
    assert_eq!(rig.own().len(), 2);
    assert_eq!(rig.told(&[EventName::OverlayLost]), [], "nobody is to blame");
}

/// An administrator deletes a route and then sets its interface down, or deletes it: the kernel tells of an IPv4 route that
/// is deleted by name, and of none that goes with its interface.
#[test]
fn what_was_deleted_just_before_its_interface_fell_stays_deleted() {
    for pause in [0, 20, 90] {
        for is_known in [false, true] {
            let mut rig = Rig::new();
            let (deleted, kept) =
                (route("192.0.2.0/24", "10.0.0.9", ETH0, 0), route("198.51.100.0/24", "10.0.0.9", ETH0, 0));
            rig.add(&deleted);
            rig.add(&kept);
            rig.wait(10 * SECOND);
            if is_known {
                rig.detour("eth0", "10.0.0.9", "eth1", "10.1.0.9");
            }
            rig.delete(&deleted);
            rig.wait(Duration::from_millis(pause));
            rig.event(|k| k.set_up(ETH0, false));
            rig.wait(10 * SECOND);
            rig.event(|k| k.set_up(ETH0, true));
            rig.home("eth0", "10.0.0.9");
            rig.wait(10 * SECOND);
            assert_eq!(rig.foreign(), ["198.51.100.0/24 via 10.0.0.9 dev 2 metric 0"], "{pause} {is_known}");
            assert_eq!(rig.own(), [""; 0]);
        }
    }
}
