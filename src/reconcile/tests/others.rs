//! Others act on the routing table, and the kernel refuses.

use std::time::Duration;

use nix::errno::Errno;

use super::rig::{ETH0, ETH1, Rig, ip, route};
use crate::engine::{Outcome, Verdict};
use crate::event::EventName;
use crate::operation::Refusal;
use crate::reconcile::Notice;
use crate::reconcile::mirror::Insert;
use crate::route::{PROTOCOL, Route};

const SECOND: Duration = Duration::from_secs(1);

fn flush(rig: &mut Rig) {
    let own: Vec<Route> =
        rig.kernel.routes().iter().filter(|r| r.protocol == PROTOCOL).map(|r| Route::clone(r)).collect();
    rig.event(|k| own.iter().flat_map(|r| k.delete_route(r).unwrap()).collect());
}

#[test]
fn an_adopted_overlay_that_others_remove_is_no_longer_taken_for_standing() {
    let mut rig = Rig::new();
    rig.detour("eth0", "10.0.0.2", "eth1", "10.1.0.2");
    rig.restart(false);
    rig.decide("eth0", "10.0.0.2", Verdict::Undecided);
    rig.adopted.clear();
    rig.wait(10 * SECOND);
    assert_eq!(rig.adopted, []);
    flush(&mut rig);
    assert_eq!(rig.adopted, [(ip("10.0.0.2"), None)]);
    assert_eq!(rig.own(), [""; 0]);
}

/// Of an overlay that the kernel takes, too: nothing was decided, so it is not laid again when its interface is back.
#[test]
fn an_adopted_overlay_that_falls_with_its_interface_is_no_longer_taken_for_standing() {
    let mut rig = Rig::new();
    rig.detour("eth0", "10.0.0.2", "eth1", "10.1.0.2");
    rig.restart(false);
    rig.decide("eth0", "10.0.0.2", Verdict::Undecided);
    rig.adopted.clear();
    rig.event(|k| k.set_up(ETH1, false));
    rig.wait(10 * SECOND);
    rig.event(|k| k.set_up(ETH1, true));
    rig.wait(10 * SECOND);
    assert_eq!(rig.adopted, [(ip("10.0.0.2"), None)]);
    assert_eq!(rig.own(), [""; 0]);
}

#[test]
fn a_removed_overlay_comes_back_with_longer_and_longer_pauses() {
    let mut rig = Rig::new();
    rig.detour("eth0", "10.0.0.2", "eth1", "10.1.0.2");
    rig.wait(10 * SECOND);
    rig.take_notices();
    for (removal, pause) in [0, 1, 2, 4, 8].into_iter().enumerate() {
        flush(&mut rig);
        assert_eq!(rig.own().len(), usize::from(pause == 0), "removal {removal}");
        let notices = rig.take_notices();
        let count = |event| notices.iter().filter(|notice| notice.name() == event).count();
        assert_eq!(count(EventName::OverlayLost), 1, "{notices:?}");
        assert_eq!(count(EventName::OverlayContested), usize::from(removal == 4), "{notices:?}");
        rig.wait(pause * SECOND);
        assert_eq!(rig.own().len(), 1, "removal {removal}");
    }
    assert!(rig.outcomes.iter().any(|(_, o)| *o == Outcome::Contested));
    assert!(matches!(rig.last_outcome("eth0", "10.0.0.2"), Some(Outcome::Applied(_))));
    rig.wait(60 * SECOND);
    flush(&mut rig);
    assert_eq!(rig.own().len(), 1, "once a minute is no fight");
}

#[test]
fn what_others_removed_is_no_trouble_any_more_when_traffic_is_home() {
    let mut rig = Rig::new();
    rig.detour("eth0", "10.0.0.2", "eth1", "10.1.0.2");
    rig.wait(10 * SECOND);
    flush(&mut rig);
    assert_eq!(rig.core.troubles().len(), 1);
    rig.home("eth0", "10.0.0.2");
    rig.wait(SECOND);
    assert_eq!(rig.core.troubles(), []);
}

#[test]
fn a_removal_that_nobody_told_of_is_found_within_five_seconds() {
    let mut rig = Rig::new();
    rig.detour("eth0", "10.0.0.2", "eth1", "10.1.0.2");
    rig.deaf = true;
    flush(&mut rig);
    assert_eq!(rig.own(), [""; 0]);
    rig.wait(5 * SECOND);
    assert_eq!(rig.own().len(), 1);
}

#[test]
fn an_overrun_leads_to_dumps() {
    let mut rig = Rig::new();
    rig.detour("eth0", "10.0.0.2", "eth1", "10.1.0.2");
    rig.deaf = true;
    flush(&mut rig);
    rig.deaf = false;
    rig.overrun();
    assert_eq!(rig.own().len(), 1);
}

#[test]
fn a_strangers_replace_at_metric_zero_hits_the_overlay_and_it_is_laid_again() {
    let mut rig = Rig::new();
    rig.add(&route("0.0.0.0/0", "10.0.0.9", ETH0, 0));
    rig.detour("eth0", "10.0.0.9", "eth1", "10.1.0.9");
    rig.take_operations();
    rig.event(|k| k.add_route(&route("0.0.0.0/0", "10.0.0.9", ETH0, 0), Insert::Replace).unwrap_or_default());
    rig.event(|k| {
        let renewed = Route { protocol: 16, ..route("0.0.0.0/0", "10.0.0.9", ETH0, 0) };
        k.add_route(&renewed, Insert::Replace).unwrap()
    });
    rig.wait(SECOND);
    assert_eq!(rig.gateway_to("192.0.2.1"), Some(ip("10.1.0.9")));
    rig.home("eth0", "10.0.0.9");
    assert_eq!(rig.gateway_to("192.0.2.1"), Some(ip("10.0.0.9")));
    assert_eq!(rig.own(), [""; 0]);
}

#[test]
fn a_stranger_who_comes_first_at_metric_zero_is_covered_if_his_gateway_is_dead_and_served_if_not() {
    let mut rig = Rig::new();
    rig.add(&route("0.0.0.0/0", "10.0.0.9", ETH0, 0));
    rig.detour("eth0", "10.0.0.9", "eth1", "10.1.0.9");
    rig.event(|k| {
        let other = Route { protocol: 3, ..route("0.0.0.0/0", "10.0.0.9", ETH0, 0) };
        k.add_route(&other, Insert::Prepend).unwrap()
    });
    rig.wait(SECOND);
    assert_eq!(rig.gateway_to("192.0.2.1"), Some(ip("10.1.0.9")));
    rig.event(|k| k.add_route(&route("0.0.0.0/0", "10.0.0.8", ETH0, 0), Insert::Prepend).unwrap());
    rig.wait(SECOND);
    assert_eq!(rig.gateway_to("192.0.2.1"), Some(ip("10.0.0.8")));
    assert!(!rig.own().iter().any(|r| r.starts_with("0.0.0.0/0")));
}

#[test]
fn a_refused_operation_is_retried_and_shown() {
    let mut rig = Rig::new();
    rig.refuses = Some(Refusal::new(Errno::ENOMEM, "Cannot allocate memory"));
    rig.detour("eth0", "10.0.0.2", "eth1", "10.1.0.2");
    assert_eq!(rig.last_outcome("eth0", "10.0.0.2"), Some(&Outcome::Refused(12)));
    assert_eq!(rig.core.troubles()[0].refused, Some(12));
    rig.wait(100 * SECOND);
    let attempts = rig.operations.len();
    assert!((5..=9).contains(&attempts), "{attempts} attempts");
    let refused = rig.told(&[EventName::OperationRefused]);
    let [Notice::OperationRefused { operation, refusal, .. }, ..] = &refused[..] else {
        panic!("{refused:?}")
    };
    assert!(refusal.errno == 12 && operation.contains("ip route add 10.0.0.2/32"), "{refused:?}");
    rig.refuses = None;
    rig.wait(70 * SECOND);
    assert_eq!(rig.own().len(), 1);
    assert!(matches!(rig.last_outcome("eth0", "10.0.0.2"), Some(Outcome::Applied(_))));
    assert_eq!(rig.core.troubles(), []);
}

#[test]
fn a_refused_lift_is_retried() {
    let mut rig = Rig::new();
    rig.detour("eth0", "10.0.0.2", "eth1", "10.1.0.2");
    rig.refuses = Some(Refusal::new(Errno::EPERM, "Operation not permitted"));
    rig.home("eth0", "10.0.0.2");
    assert_eq!(rig.own().len(), 1);
    assert_ne!(rig.last_outcome("eth0", "10.0.0.2"), Some(&Outcome::Lifted));
    rig.refuses = None;
    rig.wait(70 * SECOND);
    assert_eq!(rig.own(), [""; 0]);
    assert_eq!(rig.last_outcome("eth0", "10.0.0.2"), Some(&Outcome::Lifted));
}

/// An administrator flushes the addresses of the interface that a detour uses: the kernel takes the overlays along, and
/// refuses them for as long as there is no address. Meanwhile traffic goes home. When it leaves again, with the address
/// back, the pauses of then are over.
#[test]
fn an_overlay_that_was_refused_once_is_laid_at_once_when_it_is_wanted_again() {
    for is_refused_by_the_address in [true, false] {
        let mut rig = Rig::new();
        rig.add(&route("192.0.2.0/24", "10.0.0.9", ETH0, 100));
        rig.detour("eth0", "10.0.0.9", "eth1", "10.1.0.9");
        if is_refused_by_the_address {
            let prefix = "10.1.0.1/24".parse().unwrap();
            rig.event(|k| k.delete_address(ETH1, &prefix).unwrap());
        } else {
            rig.refuses = Some(Refusal::new(Errno::ENOMEM, "Cannot allocate memory"));
            flush(&mut rig);
        }
        assert_eq!(rig.own(), [""; 0]);
        rig.wait(40 * SECOND);
        rig.home("eth0", "10.0.0.9");
        rig.refuses = None;
        if is_refused_by_the_address {
            rig.event(|k| k.add_address(ETH1, super::rig::address("10.1.0.1/24")).unwrap());
        }
        rig.wait(SECOND);
        rig.detour("eth0", "10.0.0.9", "eth1", "10.1.0.9");
        assert_eq!(rig.own().len(), 2, "{:?} {:?}", rig.own(), rig.core.troubles());
    }
}

/// With the last IPv4 address of an interface the kernel removes all IPv4 routes over it, without a word.
#[test]
fn what_the_kernel_takes_with_an_address_was_not_removed_by_others() {
    let mut rig = Rig::new();
    rig.detour("eth0", "10.0.0.2", "eth1", "10.1.0.2");
    rig.take_notices();
    for _ in 0..4 {
        let prefix = "10.1.0.1/24".parse().unwrap();
        rig.event(|k| k.delete_address(ETH1, &prefix).unwrap());
        rig.wait(SECOND);
        assert_eq!(rig.own(), [""; 0]);
        rig.event(|k| k.add_address(ETH1, super::rig::address("10.1.0.1/24")).unwrap());
        assert_eq!(rig.own().len(), 1, "{:?}", rig.core.troubles());
        rig.wait(SECOND);
    }
    assert_eq!(rig.told(&[EventName::OverlayLost, EventName::OverlayContested]), []);
}

/// A gateway of the first detour cannot be reached, and the engine finds out and takes another way: what the kernel
/// refused of the first does not delay the second.
#[test]
fn what_was_refused_by_one_way_is_laid_by_another_at_once() {
    for errno in [Errno::ENETUNREACH, Errno::EHOSTUNREACH, Errno::EINVAL, Errno::ENETDOWN] {
        for wait in [0, 40] {
            let mut rig = Rig::new();
            rig.refuses = Some(Refusal::new(errno, "Nexthop has invalid gateway"));
            rig.detour("eth0", "10.0.0.2", "eth1", "10.1.0.2");
            rig.wait(wait * SECOND);
            rig.refuses = None;
            rig.detour("eth0", "10.0.0.2", "eth2", "10.2.0.2");
            assert_eq!(rig.own(), ["10.0.0.2/32 via 10.2.0.2 dev 4 metric 0 src 10.0.0.1"], "{errno} {wait}");
        }
    }
}
