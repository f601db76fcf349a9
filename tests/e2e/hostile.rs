//! Packets that nobody should have sent: nothing moves, nothing breaks, and the counters tell.

use std::net::Ipv4Addr;
use std::time::Duration;

use crate::lab::{Host, Lab, Loss, Meter, Probe, Watch, pause_ms, record};

#[test]
fn recorded_packets_that_are_sent_again_change_nothing() {
    assert_harmless(|recorded| {
        let again = |probe: &Probe| [probe.clone(), probe.clone()];
        recorded.iter().flat_map(again).collect()
    });
}

#[test]
fn truncated_and_lengthened_packets_change_nothing() {
    assert_harmless(|recorded| {
        let probe = recorded.iter().max_by_key(|probe| probe.payload.len()).expect("nothing was recorded");
        let cut = (0..probe.payload.len()).map(|length| with(probe, |payload| payload.truncate(length)));
        let long = [probe.payload.len() + 1, 1200, 1201, 1472]
            .map(|length| with(probe, |payload| payload.resize(length, 0)));
        cut.chain(long).collect()
    });
}

#[test]
fn packets_with_any_byte_changed_change_nothing_where_there_is_a_key() {
    assert_harmless_to(|host| format!("-r {}", host.configure_keys(&[1])), with_any_byte_changed);
}

/// Without keys whoever is on a LAN can do to faild on that LAN what he can do by ARP: here he does, and no more.
#[test]
fn packets_with_any_byte_changed_do_no_lasting_harm_where_there_is_no_key() {
    let lab = Lab::new(3, "AB");
    let (h1, h2, attacker) = (lab.host(1), lab.host(2), lab.host(3));
    let mut daemons = [h1.faild("-r"), h2.faild("-r")];
    lab.settle(&daemons);
    let recorded = record(lab.switch(), Duration::from_millis(300));
    let on_b = Meter::on_lan('B', h1, h2);
    for probe in with_any_byte_changed(&recorded) {
        probe.send(attacker, 'A');
    }
    pause_ms(500);
    assert!(daemons.iter_mut().all(|daemon| daemon.is_running()));
    on_b.finish_unharmed();
    lab.wait_home();
    lab.settle(&daemons);
    lab.cut_lan('A', Loss::Silent);
    lab.wait_moved(h1, h2, 'A', 'B');
}

#[test]
fn packets_from_beyond_a_router_or_from_nowhere_change_nothing() {
    assert_harmless(|recorded| {
        let far = recorded.iter().map(|probe| Probe { ttl: 254, ..probe.clone() });
        let sources = [[10, 77, 1, 255], [255; 4], [127, 0, 0, 1], [224, 0, 0, 1], [192, 0, 2, 7], [0; 4]];
        let strange = sources.into_iter().flat_map(|source| {
            recorded
                .iter()
                .take(3)
                .map(move |probe| Probe { source: Ipv4Addr::from(source), ..probe.clone() })
        });
        far.chain(strange).collect()
    });
}

#[test]
fn a_flood_of_strangers_does_not_keep_neighbours_from_each_other() {
    let lab = Lab::new(3, "AB");
    let (h1, h2, attacker) = (lab.host(1), lab.host(2), lab.host(3));
    let daemons = [h1.faild("-r"), h2.faild("-r")];
    lab.settle(&daemons);
    let Some(inquiry) = record(lab.switch(), Duration::from_millis(300)).pop() else { panic!("no probes") };
    let watches = lab.watch();
    for number in 0..2000_u16 {
        // A node id of its own for each: bytes 8 to 15 of the header.
        let stranger = with(&inquiry, |payload| {
            for (place, byte) in payload.iter_mut().skip(5).take(43).enumerate() {
                *byte ^= number.to_be_bytes()[place % 2];
            }
        });
        let source = Ipv4Addr::new(10, 77, 1, 100 + u8::try_from(number % 100).unwrap_or_default());
        Probe { source, ..stranger }.send(attacker, 'A');
    }
    watches.iter().for_each(Watch::assert_nothing_moved);
    drop(watches);
    lab.cut(h2, 'A', Loss::Silent);
    lab.wait_moved(h1, h2, 'A', 'B');
}

fn with_any_byte_changed(recorded: &[Probe]) -> Vec<Probe> {
    let flipped = recorded
        .iter()
        .take(8)
        .flat_map(|probe| (0..probe.payload.len()).map(|at| with(probe, |payload| payload[at] ^= 0xff)));
    flipped.collect()
}

/// Runs two hosts and a third without faild, which sends what is `made` from recorded probes on both LANs.
fn assert_harmless(made: impl FnOnce(&[Probe]) -> Vec<Probe>) {
    assert_harmless_to(|_| "-r".to_owned(), made);
}

fn assert_harmless_to(flags: impl Fn(&Host) -> String, made: impl FnOnce(&[Probe]) -> Vec<Probe>) {
    let lab = Lab::new(3, "AB");
    let (h1, h2, attacker) = (lab.host(1), lab.host(2), lab.host(3));
    let mut daemons = [h1, h2].map(|host| host.faild(&flags(host)));
    lab.settle(&daemons);
    let recorded = record(lab.switch(), Duration::from_millis(300));
    assert!(recorded.len() > 10, "only {} probes in 300 ms", recorded.len());
    let (watches, before) = (lab.watch(), daemons[0].dropped() + daemons[1].dropped());
    let meter = Meter::on_lan('A', h1, h2);
    for probe in made(&recorded) {
        ['A', 'B'].iter().for_each(|lan| probe.send(attacker, *lan));
    }
    pause_ms(500);
    meter.finish_unharmed();
    watches.iter().for_each(Watch::assert_nothing_moved);
    assert!(daemons.iter_mut().all(|daemon| daemon.is_running()));
    let after = daemons[0].dropped() + daemons[1].dropped();
    assert!(after > before, "{before} packets dropped before, {after} after");
    // And a real fault is still seen.
    lab.cut_lan('A', Loss::Silent);
    lab.wait_moved(h1, h2, 'A', 'B');
}

fn with(probe: &Probe, change: impl FnOnce(&mut Vec<u8>)) -> Probe {
    let mut changed = probe.clone();
    change(&mut changed.payload);
    changed
}
