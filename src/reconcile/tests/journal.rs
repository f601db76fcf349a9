//! What survives kill -9.

use std::time::Duration;

use super::rig::{ETH0, Rig, ip, route, settings};
use crate::engine::Outcome;
use crate::reconcile::journal::Journal;
use crate::reconcile::{Leg, Output, Reconciler};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_route_that_was_flushed_before_the_crash_is_put_back_after_it() {
    let mut rig = Rig::new();
    rig.add(&route("198.51.100.0/24", "10.0.0.9", ETH0, 0));
    rig.event(|k| k.set_up(ETH0, false));
    rig.wait(5 * SECOND);
    assert!(rig.journal.contains("original missing 198.51.100.0/24"), "{}", rig.journal);
    rig.restart(true);
    rig.event(|k| k.set_up(ETH0, true));
    rig.wait(5 * SECOND);
    assert_eq!(rig.foreign(), ["198.51.100.0/24 via 10.0.0.9 dev 2 metric 0"]);
    rig.wait(5 * SECOND);
    assert!(!rig.journal.contains("original"), "{}", rig.journal);
}

#[test]
fn a_route_is_in_the_journal_as_soon_as_its_interface_is_seen_to_fall() {
    let mut rig = Rig::new();
    rig.add(&route("198.51.100.0/24", "10.0.0.9", ETH0, 0));
    rig.event(|k| k.set_up(ETH0, false));
    assert!(rig.journal.contains("original missing 198.51.100.0/24"), "{}", rig.journal);
    rig.restart(true);
    rig.event(|k| k.set_up(ETH0, true));
    rig.wait(5 * SECOND);
    assert_eq!(rig.foreign(), ["198.51.100.0/24 via 10.0.0.9 dev 2 metric 0"]);
}

#[test]
fn an_original_that_is_flushed_while_nobody_watches_is_put_back_before_its_overlay_is_lifted() {
    let mut rig = Rig::new();
    rig.add(&route("198.51.100.0/24", "10.0.0.9", ETH0, 0));
    rig.detour("eth0", "10.0.0.9", "eth1", "10.1.0.9");
    rig.wait(5 * SECOND);
    assert!(rig.journal.contains("original overlaid 198.51.100.0/24"), "{}", rig.journal);
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
    let before = std::mem::take(&mut rig.journal);
    assert!(before.contains("address eth0 present 10.0.0.1/24"), "{before}");
    rig.wait(200 * SECOND);
    assert_eq!(rig.journal, "");
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
    let read = Journal::parse(&rig.journal).expect("our own journal");
    assert_eq!(read.render(), rig.journal);
}

#[test]
fn a_journal_that_does_not_parse_is_ignored_with_a_notice() {
    let faults = [
        ("nonsense\n", "journal-ignored line=1"),
        ("faild-journal 1\nwhat is this\n", "journal-ignored line=2 fault=\"unknown kind \"what\"\""),
        ("faild-journal 1\naddress eth0 present 10.0.0.1/33 0 1 0 -\n", "journal-ignored line=2"),
        ("faild-journal 1\noriginal missing 1.2.3.0/24 0 0 4 0 - 0 - eth0 -\n", "journal-ignored line=2"),
        ("faild-journal 1\noriginal missing 1.2.3.0/24 0 0 4 0 - 0 - eth0/- abc\n", "journal-ignored line=2"),
    ];
    for (text, expected) in faults {
        let mut core = Reconciler::new(settings(), Some(text));
        match core.next_output() {
            Some(Output::Notice(notice)) => assert!(notice.to_string().starts_with(expected), "{notice}"),
            other => panic!("{text:?} gives {other:?}"),
        }
    }
}
