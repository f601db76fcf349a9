//! What survives kill -9.

use std::time::Duration;

use nix::errno::Errno;

use super::rig::{ETH0, ETH1, KERNEL, LO, Rig, address, interface, ip, route, settings};
use crate::engine::Outcome;
use crate::interface::{InterfaceIndex, LinkHistory};
use crate::operation::Refusal;
use crate::reconcile::journal::{HEADER, Journal, KEPT, ROUTES, render_group, render_route};
use crate::reconcile::mirror::Insert;
use crate::reconcile::{LastRun, Mirror, Notice, Output, Reconciler};
use crate::route::Leg;

const SECOND: Duration = Duration::from_secs(1);

const STANDING: &str = "routes 198.51.100.0/24 0 standing";
const MISSING: &str = "routes 198.51.100.0/24 0 missing";

/// A rig with a route by a gateway on `eth0`, and time to learn of it.
fn rig_with_route() -> Rig {
    let mut rig = Rig::new();
    rig.add(&route("198.51.100.0/24", "10.0.0.9", ETH0, 0));
    rig.add(&route("2001:db8::/32", "fd00::9", ETH0, 1024));
    rig
}

const BOTH: [&str; 2] =
    ["198.51.100.0/24 via 10.0.0.9 dev 2 metric 0", "2001:db8::/32 via fd00::9 dev 2 metric 1024"];

#[test]
fn a_route_is_in_the_journal_as_soon_as_it_is_learned() {
    let rig = rig_with_route();
    assert!(rig.journal.contains(STANDING), "{}", rig.journal);
    assert!(rig.journal.contains("routes 2001:db8::/32 0 standing"), "{}", rig.journal);
    assert!(rig.journal.contains(" present fd00::1/64"), "{}", rig.journal);
}

#[test]
fn what_the_kernel_took_in_the_instant_of_the_kill_comes_back_with_its_interface() {
    for settled in [false, true] {
        let mut rig = rig_with_route();
        if settled {
            rig.wait(10 * SECOND);
        }
        rig.kernel.set_up(ETH0, false);
        rig.restart(true);
        rig.wait(10 * SECOND);
        assert_eq!(rig.foreign(), [""; 0]);
        rig.event(|k| k.set_up(ETH0, true));
        rig.wait(5 * SECOND);
        assert_eq!(rig.foreign(), BOTH);
    }
}

#[test]
fn the_next_start_is_told_all_addresses_for_their_interface_may_have_fallen() {
    let rig = rig_with_route();
    let next = Reconciler::new(settings(), LastRun::from(Some(rig.journal.as_str())));
    let told = next.journalled_addresses();
    let on_eth0: Vec<_> = told["eth0"].iter().map(|a| a.prefix.to_string()).collect();
    assert_eq!(on_eth0, ["10.0.0.1/24", "fd00::1/64"]);
}

#[test]
fn a_bounce_that_went_by_while_no_daemon_ran_is_known_by_the_links_history() {
    let mut rig = rig_with_route();
    rig.wait(10 * SECOND);
    rig.kernel.set_up(ETH0, false);
    rig.kernel.set_up(ETH0, true);
    rig.restart(true);
    rig.wait(5 * SECOND);
    assert_eq!(rig.foreign(), BOTH);
    let eth0 = rig.kernel.interface(ETH0).expect("eth0 is there");
    assert!(eth0.addresses.iter().any(|a| a.address() == ip("fd00::1")), "{:?}", eth0.addresses);
}

#[test]
fn a_kill_at_any_moment_after_a_bounce_loses_nothing() {
    for millis in [0, 50, 99, 100, 150, 500, 1000, 1200, 2900, 3100, 5000] {
        let mut rig = rig_with_route();
        rig.wait(10 * SECOND);
        rig.event(|k| {
            let mut told = k.set_up(ETH0, false);
            told.extend(k.set_up(ETH0, true));
            told
        });
        rig.wait(Duration::from_millis(millis));
        rig.restart(true);
        rig.wait(5 * SECOND);
        assert_eq!(rig.foreign(), BOTH, "killed after {millis} ms");
    }
}

#[test]
fn what_somebody_deletes_soon_after_a_start_did_not_go_with_an_earlier_fall() {
    let mut rig = rig_with_route();
    rig.wait(10 * SECOND);
    rig.kernel.set_up(ETH0, false);
    rig.kernel.set_up(ETH0, true);
    let routes =
        [route("198.51.100.0/24", "10.0.0.9", ETH0, 0), route("2001:db8::/32", "fe80::9", ETH0, 1024)];
    for route in &routes {
        rig.kernel.add_route(route, Insert::Exclusive).unwrap();
    }
    rig.restart(true);
    rig.wait(SECOND / 2);
    for route in &routes {
        rig.delete(route);
    }
    rig.wait(SECOND / 2);
    rig.restart(true);
    rig.wait(100 * SECOND);
    assert_eq!(rig.foreign(), [""; 0]);
}

#[test]
fn what_was_learned_a_moment_ago_is_not_lost_by_a_bounce() {
    let mut rig = rig_with_route();
    rig.kernel.set_up(ETH0, false);
    rig.kernel.set_up(ETH0, true);
    rig.restart(true);
    rig.add(&route("203.0.113.0/24", "10.0.0.9", ETH0, 0));
    rig.kernel.set_up(ETH0, false);
    rig.kernel.set_up(ETH0, true);
    rig.restart(true);
    rig.wait(5 * SECOND);
    let three = [BOTH[0], "203.0.113.0/24 via 10.0.0.9 dev 2 metric 0", BOTH[1]];
    assert_eq!(rig.foreign(), three);
}

#[test]
fn an_interface_that_was_made_again_while_no_daemon_ran_gets_its_routes_back() {
    let mut rig = rig_with_route();
    rig.wait(10 * SECOND);
    rig.kernel.delete_interface(ETH0);
    let again = interface(InterfaceIndex(9), "eth0", &["10.0.0.1/24", "fd00::1/64"]);
    rig.kernel.add_interface(again);
    rig.restart(true);
    rig.wait(5 * SECOND);
    assert_eq!(
        rig.foreign(),
        ["198.51.100.0/24 via 10.0.0.9 dev 9 metric 0", "2001:db8::/32 via fd00::9 dev 9 metric 1024"]
    );
}

#[test]
fn what_a_person_deletes_while_no_daemon_runs_stays_deleted() {
    for flap in [false, true] {
        let mut rig = rig_with_route();
        rig.wait(10 * SECOND);
        rig.kernel.delete_route(&route("198.51.100.0/24", "10.0.0.9", ETH0, 0)).expect("it stands");
        if flap {
            rig.kernel.set_carrier(ETH0, false);
            rig.kernel.set_carrier(ETH0, true);
        }
        rig.restart(true);
        rig.wait(200 * SECOND);
        assert_eq!(rig.foreign(), BOTH[1..]);
        assert!(!rig.journal.lines().any(|line| line.starts_with(STANDING)), "{}", rig.journal);
        // And it is forgotten: the interface may fall later.
        rig.kernel.set_up(ETH0, false);
        rig.restart(true);
        rig.event(|k| k.set_up(ETH0, true));
        rig.wait(200 * SECOND);
        assert_eq!(rig.foreign(), BOTH[1..]);
    }
}

/// A rig with a route by `eth0` and by an interface that is no LAN.
fn rig_with_two_legs() -> (Rig, crate::route::Route) {
    let mut kernel = super::rig::kernel();
    kernel.add_interface(interface(InterfaceIndex(9), "ppp9", &["10.9.0.1/24"]));
    let mut rig = Rig::with_kernel(kernel);
    let mut route = route("198.51.100.0/24", "10.0.0.9", ETH0, 0);
    route.legs.push(Leg { gateway: Some(ip("10.9.0.9")), interface: InterfaceIndex(9), weight: 1 });
    rig.add(&route);
    rig.wait(10 * SECOND);
    assert!(rig.journal.contains(STANDING), "{}", rig.journal);
    (rig, route)
}

#[test]
fn a_route_that_a_person_deletes_stays_deleted_though_one_of_its_interfaces_is_no_lan() {
    let (mut rig, route) = rig_with_two_legs();
    rig.kernel.delete_route(&route).expect("it stands");
    rig.restart(true);
    rig.wait(200 * SECOND);
    assert_eq!(rig.foreign(), [""; 0]);
}

#[test]
fn a_route_that_went_with_its_interfaces_comes_back_though_one_of_them_is_no_lan() {
    let (mut rig, _) = rig_with_two_legs();
    let before = rig.foreign();
    // The kernel deletes it when the last leg is dead.
    for up in [false, true] {
        rig.kernel.set_up(ETH0, up);
        rig.kernel.set_up(InterfaceIndex(9), up);
    }
    assert_ne!(rig.foreign(), before);
    rig.restart(true);
    rig.wait(5 * SECOND);
    assert_eq!(rig.foreign(), before);
}

#[test]
fn what_a_person_deletes_before_the_kill_stays_deleted_though_the_interface_falls_then() {
    let mut rig = rig_with_route();
    rig.wait(10 * SECOND);
    rig.delete(&route("198.51.100.0/24", "10.0.0.9", ETH0, 0));
    rig.wait(SECOND);
    rig.kernel.set_up(ETH0, false);
    rig.restart(true);
    rig.event(|k| k.set_up(ETH0, true));
    rig.wait(200 * SECOND);
    assert_eq!(rig.foreign(), BOTH[1..]);
}

#[test]
fn an_address_that_a_person_flushes_while_no_daemon_runs_takes_its_routes_for_good() {
    let mut rig = rig_with_route();
    rig.wait(10 * SECOND);
    rig.kernel.delete_address(ETH0, &address("10.0.0.1/24").prefix).expect("it is there");
    rig.kernel.add_address(ETH0, address("10.0.0.1/24")).expect("it is gone");
    rig.restart(true);
    rig.wait(200 * SECOND);
    assert_eq!(rig.foreign(), BOTH[1..]);
}

/// Without IPv6 only the carrier tells, and that goes for other reasons, too; but the kernel takes all routes or none.
#[test]
fn without_ipv6_a_route_that_another_one_outlived_was_deleted() {
    for also in [false, true] {
        let mut rig = Rig::with_kernel(without_ipv6());
        rig.add(&route("198.51.100.0/24", "10.0.0.9", ETH0, 0));
        rig.add(&route("203.0.113.0/24", "10.0.0.9", ETH0, 0));
        rig.wait(10 * SECOND);
        rig.kernel.delete_route(&route("198.51.100.0/24", "10.0.0.9", ETH0, 0)).expect("it stands");
        if also {
            rig.kernel.delete_route(&route("203.0.113.0/24", "10.0.0.9", ETH0, 0)).expect("it stands");
        }
        rig.kernel.change_history(ETH0, |h| h.carrier_losses = Some(7));
        rig.restart(true);
        rig.wait(200 * SECOND);
        assert_eq!(rig.foreign().len(), if also { 2 } else { 1 });
    }
}

/// `lo` and `eth0`, of which the kernel only counts the carrier's losses.
fn without_ipv6() -> Mirror {
    let mut kernel = Mirror::default();
    kernel.add_interface(interface(LO, "lo", &[]));
    let eth0 = interface(ETH0, "eth0", &["10.0.0.1/24"]);
    kernel.add_interface(crate::interface::Interface { mac: None, ..eth0 });
    let history = LinkHistory { carrier_losses: Some(1), ..LinkHistory::default() };
    kernel.change_history(ETH0, |h| *h = history);
    kernel
}

#[test]
fn an_orderly_end_leaves_nothing_that_would_bring_back_what_is_deleted_later() {
    let mut rig = rig_with_route();
    rig.wait(10 * SECOND);
    rig.stop();
    assert!(!rig.journal.contains("routes "), "{}", rig.journal);
    rig.kernel.delete_route(&route("198.51.100.0/24", "10.0.0.9", ETH0, 0)).expect("it stands");
    rig.kernel.set_up(ETH0, false);
    rig.kernel.set_up(ETH0, true);
    rig.restart(true);
    rig.wait(200 * SECOND);
    assert_eq!(rig.foreign(), [""; 0]);
}

#[test]
fn an_orderly_end_keeps_what_is_missing_and_what_an_interface_that_fell_may_have_taken() {
    for heard in [false, true] {
        let mut rig = rig_with_route();
        rig.wait(10 * SECOND);
        rig.event(|k| k.set_up(ETH0, false));
        if heard {
            rig.wait(10 * SECOND);
        }
        rig.stop();
        assert!(
            rig.journal.contains(if heard { MISSING } else { "routes 198.51.100.0/24" }),
            "{}",
            rig.journal
        );
        rig.restart(true);
        rig.event(|k| k.set_up(ETH0, true));
        rig.wait(5 * SECOND);
        assert_eq!(rig.foreign(), BOTH);
    }
}

#[test]
fn a_journal_of_another_boot_or_namespace_is_not_believed() {
    let mut rig = rig_with_route();
    rig.wait(10 * SECOND);
    let journal = rig.journal.clone();
    assert!(journal.contains(&format!("\nkernel {KERNEL}\n")), "{journal}");
    let mut other = Rig::new();
    other.journal = journal;
    other.start_on("other-boot/1", true);
    other.wait(200 * SECOND);
    assert_eq!(other.foreign(), [""; 0]);
    assert_eq!(other.take_notices(), [Notice::JournalOutdated]);
    assert!(!other.journal.contains("routes"), "{}", other.journal);
    assert!(other.journal.contains("kernel other-boot/1\n"), "{}", other.journal);
}

#[test]
fn a_journal_of_version_1_is_read() {
    let mut rig = Rig::new();
    rig.event(|k| k.set_up(ETH0, false));
    rig.journal = "faild-journal 1\n\
        address eth0 absent fd00::1/64 0 1 0 -\n\
        original missing 198.51.100.0/24 0 0 4 0 - 0 - eth0/10.0.0.9 -\n"
        .to_owned();
    rig.restart(true);
    rig.event(|k| k.set_up(ETH0, true));
    rig.wait(5 * SECOND);
    assert_eq!(rig.foreign(), BOTH[..1]);
    assert!(rig.operations.contains(&"addr add fd00::1/64 dev 2".to_owned()), "{:?}", rig.operations);
    assert!(rig.journal.starts_with("faild-journal 2\n"), "{}", rig.journal);
}

/// kill -9 may come while a line is written.
#[test]
fn a_journal_that_was_torn_anywhere_in_its_last_line_tells_all_but_that() {
    let mut rig = rig_with_route();
    rig.wait(10 * SECOND);
    rig.add(&route("203.0.113.0/24", "10.0.0.9", ETH0, 0));
    let whole = rig.journal.clone();
    let last = whole.lines().last().expect("a line");
    assert!(last.starts_with("routes 203.0.113.0/24"), "{last}");
    for torn in 1..=last.len() {
        let text = &whole[..whole.len() - torn];
        let (read, fault) = Journal::parse(text);
        assert_eq!(fault, None);
        assert_eq!(read.routes.len(), 2, "{text}");
    }
    // What comes next is not written behind the torn line.
    rig.journal = whole[..whole.len() - 3].to_owned();
    rig.restart(true);
    rig.wait(SECOND);
    let (read, fault) = Journal::parse(&rig.journal);
    assert_eq!((read.routes.len(), fault), (3, None), "{}", rig.journal);
}

#[test]
fn the_file_is_bounded_and_appended_to() {
    let mut rig = rig_with_route();
    rig.wait(10 * SECOND);
    let writes = rig.journal_writes;
    let busy = route("192.0.2.0/24", "10.0.0.9", ETH0, 0);
    let mut longest = 0;
    for _ in 0..1000 {
        rig.add(&busy);
        rig.delete(&busy);
        rig.wait(Duration::from_millis(200));
        longest = longest.max(rig.journal.len());
    }
    assert!(longest < 16 << 10, "{longest} bytes");
    assert!(rig.journal_writes - writes >= 2000, "each is written at once");
    let (read, fault) = Journal::parse(&rig.journal);
    assert_eq!((read.routes.len(), fault), (2, None));
}

#[test]
fn a_disk_that_is_full_stops_no_failover_but_no_address_is_parked() {
    let mut rig = rig_with_route();
    rig.wait(10 * SECOND);
    rig.disk = Some(Refusal::new(Errno::ENOSPC, "No space left on device"));
    rig.event(|k| k.set_up(ETH0, false));
    rig.detour("eth0", "10.0.0.9", "eth1", "10.1.0.9");
    rig.detour("eth0", "fd00::2", "eth1", "fd01::2");
    rig.wait(10 * SECOND);
    assert_eq!(rig.gateway_to("198.51.100.1"), Some(ip("10.1.0.9")));
    assert_eq!(rig.gateway_to("fd00::2"), Some(ip("fd01::2")));
    assert_eq!(rig.on_lo(), [""; 0]);
    assert_eq!(rig.core.journal_failure().map(|refusal| refusal.errno), Some(Errno::ENOSPC as i32));
    let attempts = rig.journal_writes;
    rig.wait(100 * SECOND);
    assert!(rig.journal_writes - attempts <= 20, "{} attempts", rig.journal_writes - attempts);
    rig.disk = None;
    rig.wait(11 * SECOND);
    assert_eq!(rig.core.journal_failure(), None);
    assert_eq!(rig.on_lo(), ["fd00::1/128"]);
    rig.restart(true);
    rig.event(|k| k.set_up(ETH0, true));
    rig.wait(5 * SECOND);
    assert_eq!(rig.foreign(), BOTH);
}

#[test]
fn an_address_is_not_removed_from_lo_while_the_journal_cannot_be_written() {
    let mut rig = rig_with_route();
    rig.detour("eth0", "fd00::2", "eth1", "fd01::2");
    rig.event(|k| k.set_up(ETH0, false));
    rig.wait(2 * SECOND);
    assert_eq!(rig.on_lo(), ["fd00::1/128"]);
    rig.disk = Some(Refusal::new(Errno::EROFS, "Read-only file system"));
    rig.event(|k| k.set_up(ETH0, true));
    rig.wait(100 * SECOND);
    let eth0 = rig.kernel.interface(ETH0).expect("eth0 is there");
    assert!(eth0.addresses.iter().any(|a| a.address() == ip("fd00::1")), "adding one loses nothing");
    assert_eq!(rig.on_lo(), ["fd00::1/128"]);
    rig.disk = None;
    rig.wait(11 * SECOND);
    assert_eq!(rig.on_lo(), [""; 0]);
}

#[test]
fn a_kill_while_nothing_could_be_written_leaves_the_journal_as_it_was() {
    let mut rig = rig_with_route();
    rig.wait(10 * SECOND);
    let before = rig.journal.clone();
    rig.disk = Some(Refusal::new(Errno::ENOSPC, "No space left on device"));
    rig.add(&route("203.0.113.0/24", "10.0.0.9", ETH0, 0));
    rig.kernel.set_up(ETH1, false);
    rig.restart(true);
    assert_eq!(rig.journal, before);
}

#[test]
fn a_route_that_was_flushed_before_the_crash_is_put_back_after_it() {
    let mut rig = Rig::new();
    rig.add(&route("198.51.100.0/24", "10.0.0.9", ETH0, 0));
    rig.event(|k| k.set_up(ETH0, false));
    rig.wait(5 * SECOND);
    assert!(rig.journal.contains(MISSING), "{}", rig.journal);
    rig.restart(true);
    rig.event(|k| k.set_up(ETH0, true));
    rig.wait(5 * SECOND);
    assert_eq!(rig.foreign(), ["198.51.100.0/24 via 10.0.0.9 dev 2 metric 0"]);
    rig.wait(5 * SECOND);
    let (read, _) = Journal::parse(&rig.journal);
    assert!(read.routes.values().flatten().all(|record| !record.missing), "{}", rig.journal);
}

#[test]
fn an_original_that_is_flushed_while_nobody_watches_is_put_back_before_its_overlay_is_lifted() {
    let mut rig = Rig::new();
    rig.add(&route("198.51.100.0/24", "10.0.0.9", ETH0, 0));
    rig.detour("eth0", "10.0.0.9", "eth1", "10.1.0.9");
    rig.wait(5 * SECOND);
    assert!(rig.journal.contains(STANDING), "{}", rig.journal);
    rig.kernel.set_up(ETH0, false);
    rig.kernel.set_up(ETH0, true);
    rig.restart(true);
    rig.home("eth0", "10.0.0.9");
    rig.wait(5 * SECOND);
    assert_eq!(rig.gateway_to("198.51.100.1"), Some(ip("10.0.0.9")));
    assert_eq!(rig.own(), [""; 0]);
    assert_eq!(rig.last_outcome("eth0", "10.0.0.9"), Some(&Outcome::Lifted));
}

#[test]
fn without_a_journal_an_overlay_that_stands_in_for_nothing_is_left_as_found() {
    let mut rig = Rig::new();
    rig.add(&route("198.51.100.0/24", "10.0.0.9", ETH0, 0));
    rig.detour("eth0", "10.0.0.9", "eth1", "10.1.0.9");
    rig.kernel.set_up(ETH0, false);
    rig.kernel.set_up(ETH0, true);
    rig.restart(false);
    rig.home("eth0", "10.0.0.9");
    rig.wait(100 * SECOND);
    assert_eq!(
        rig.gateway_to("198.51.100.1"),
        Some(ip("10.1.0.9")),
        "a route by a way that works is never taken away"
    );
    rig.add(&route("198.51.100.0/24", "10.0.0.9", ETH0, 5));
    rig.wait(SECOND);
    assert_eq!(rig.own(), [""; 0]);
}

#[test]
fn the_journal_is_written_when_its_content_changes_and_not_else() {
    let mut rig = Rig::new();
    rig.detour("eth0", "10.0.0.9", "eth1", "10.1.0.9");
    rig.wait(5 * SECOND);
    assert!(rig.journal.contains(" present 10.0.0.1/24"), "{}", rig.journal);
    let before = rig.journal_writes;
    rig.wait(200 * SECOND);
    assert_eq!(rig.journal_writes, before);
}

#[test]
fn it_reads_what_it_writes() {
    let mut rig = Rig::new();
    let mut original = route("198.51.100.0/24", "10.0.0.9", ETH0, 7);
    original.legs.push(Leg { gateway: None, interface: ETH0, weight: 1 });
    original.attributes = vec![0, 1, 0xfe, 0xff];
    original.source = Some(ip("10.0.0.1"));
    rig.add(&original);
    rig.detour("eth0", "10.0.0.9", "eth1", "10.1.0.9");
    rig.wait(5 * SECOND);
    assert!(rig.journal.contains("eth0/10.0.0.9//eth0/- 0001feff"), "{}", rig.journal);
    let (read, fault) = Journal::parse(&rig.journal);
    assert_eq!(fault, None);
    let record = &read.routes.values().next().expect("a group")[0];
    let mut expected = original;
    expected.legs.iter_mut().for_each(|leg| leg.interface = InterfaceIndex(0));
    assert_eq!((&record.route, record.missing), (&expected, false));
    assert_eq!(record.interfaces, ["eth0", "eth0"]);
    let eth0 = &read.interfaces["eth0"];
    let seen = rig.kernel.interface(ETH0).expect("eth0 is there");
    assert!(eth0.is_away);
    assert_eq!(eth0.vouched.map(|v| (v.index, v.history)), Some((ETH0, seen.history)));
    assert_eq!(eth0.addresses.len(), 2);
}

#[test]
fn a_journal_that_does_not_parse_is_ignored_with_a_notice() {
    let faults = [
        ("nonsense\n", 1, ""),
        ("faild-journal 1\nwhat is this\n", 2, "unknown kind \"what\""),
        ("faild-journal 1\naddress eth0 present 10.0.0.1/33 0 1 0 -\n", 2, ""),
        ("faild-journal 1\noriginal missing 1.2.3.0/24 0 0 4 0 - 0 - eth0 -\n", 2, ""),
        ("faild-journal 1\noriginal missing 1.2.3.0/24 0 0 4 0 - 0 - eth0/- abc\n", 2, ""),
        ("faild-journal 2\nkernel a b\n", 2, "\"b\" is one word too many"),
        ("faild-journal 2\ninterface eth0 1 2 3 4 quiet present\n", 2, ""),
        ("faild-journal 2\nroutes 1.2.3.0/24 0 standing 0 4\n", 2, ""),
        ("faild-journal 3\nroutes 1.2.3.0/24 0\n", 1, ""),
    ];
    for (text, at, why) in faults {
        let mut core = Reconciler::new(settings(), LastRun::from(Some(text)));
        match core.next_output() {
            Some(Output::Notice(Notice::JournalIgnored { line, fault })) => {
                assert!(line == at && (why.is_empty() || fault == why), "{text:?}: line {line}: {fault}");
            }
            other => panic!("{text:?} gives {other:?}"),
        }
    }
}

#[test]
fn a_line_that_cannot_be_read_costs_no_other() {
    let text = "faild-journal 2\nnonsense\nroutes 198.51.100.0/24 0 missing 0 4 0 - 0 - eth0/10.0.0.9 -\n";
    let (read, fault) = Journal::parse(text);
    assert_eq!(fault.map(|fault| fault.line), Some(2));
    assert_eq!(read.routes.len(), 1);
}

/// What is read, in lines old and new, is written as the same journal again.
#[test]
fn mutated_journals_are_passed_over_or_read_the_same_again() {
    crate::mutated::each_of("journal", &[], |bytes| {
        let Ok(text) = std::str::from_utf8(bytes) else { return };
        let (journal, _) = Journal::parse(text);
        let written = written(&journal);
        let (again, fault) = Journal::parse(&written);
        assert_eq!(
            (again.interfaces, again.routes, fault),
            (journal.interfaces, journal.routes, None),
            "{written}"
        );
    });
}

fn written(journal: &Journal) -> String {
    let mut text = format!("{HEADER}\n");
    for (name, record) in &journal.interfaces {
        record.render(name, &mut text);
    }
    for (group, routes) in &journal.routes {
        for (kind, is_place) in [(ROUTES, false), (KEPT, true)] {
            render_group(kind, group, &mut text);
            for record in routes.iter().filter(|record| record.is_place == is_place) {
                render_route(record.missing, &record.route, |leg| &record.interfaces[leg], &mut text);
            }
            text.push('\n');
        }
    }
    text
}

/// The first listing still shows what is about to go, the second does not; the judgement comes a little late.
#[test]
fn what_the_second_look_of_a_start_misses_went_with_the_interface() {
    let gone = route("2001:db8:9::/48", "fe80::9", ETH0, 1024);
    let mut rig = rig_with_route();
    rig.add(&gone);
    rig.wait(10 * SECOND);
    rig.kernel.set_up(ETH0, false);
    rig.kernel.set_up(ETH0, true);
    rig.kernel.add_route(&gone, Insert::Exclusive).unwrap();
    rig.restart(true);
    rig.kernel.delete_route(&gone).unwrap();
    rig.wait(Duration::from_millis(199));
    rig.now = rig.now + Duration::from_millis(10);
    rig.core.handle(rig.now, crate::reconcile::Input::DeadlinePassed);
    rig.settle();
    rig.wait(5 * SECOND);
    assert!(rig.kernel.routes().iter().any(|r| r.is_same(&gone)), "{:?}", rig.foreign());
}
