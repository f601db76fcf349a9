//! The lab does what the other tests rely on: shown with routes of `ip`, without faild.

use std::time::Duration;

use crate::lab::{Family, Lab, Loss, Meter, Probe, Transfer, now, pause, record};

#[test]
fn hosts_reach_each_other_over_each_lan_and_family() {
    let lab = Lab::new(2, "ABC");
    let (h1, h2) = (lab.host(1), lab.host(2));
    for lan in "ABC".chars() {
        for family in [Family::V4, Family::V6] {
            let meter = Meter::start(h1, h1.address(lan, family), h2, h2.address(lan, family));
            pause(Duration::from_millis(200));
            let echoes = meter.finish();
            assert!(echoes.sent() > 20 && echoes.lost() == 0, "{lan} {family:?}: {echoes:?}");
        }
    }
}

#[test]
fn a_silent_cut_is_seen_as_an_outage_and_heals() {
    let lab = Lab::new(2, "A");
    let meter = Meter::on_lan('A', lab.host(1), lab.host(2));
    pause(Duration::from_millis(200));
    let begun = now();
    lab.cut(lab.host(2), 'A', Loss::Silent);
    let cut = now();
    pause(Duration::from_millis(400));
    let cut_for = now() - cut;
    lab.heal(lab.host(2), 'A');
    pause(Duration::from_millis(1500));
    let outage = meter.finish().longest_outage();
    // However slow the machine: as long as the cut but for an echo at each end, and over before the end.
    let end = now() - begun;
    assert!(outage * 5 > cut_for * 4 && outage * 5 < end * 4, "{outage:?} of {cut_for:?}, {end:?}");
}

#[test]
fn an_overlay_on_both_sides_keeps_a_transfer_alive() {
    let lab = Lab::new(2, "AB");
    let (h1, h2) = (lab.host(1), lab.host(2));
    let transfer = Transfer::on_lan('A', h1, h2);
    pause(Duration::from_millis(300));
    lab.cut_lan('A', Loss::Silent);
    for (here, there) in [(h1, h2), (h2, h1)] {
        let (to, via, source) = (there.v4('A'), there.v4('B'), here.v4('A'));
        here.ip(&format!("route add {to} via {via} dev lanB src {source} proto 250"));
        assert!(here.goes_by('B', to));
        assert_eq!(here.overlays().len(), 1);
    }
    let before = transfer.progress();
    pause(Duration::from_millis(1500));
    assert!(transfer.progress() > before, "nothing arrives by the overlay");
    let received = transfer.finish();
    assert!(received.longest_stall < Duration::from_secs(2), "{received:?}");
}

#[test]
fn one_way_loss_stops_only_that_way_and_percent_only_some() {
    let lab = Lab::new(2, "A");
    let meter = Meter::on_lan('A', lab.host(1), lab.host(2));
    pause(Duration::from_millis(200));
    lab.cut(lab.host(1), 'A', Loss::Percent(50));
    pause(Duration::from_millis(600));
    let echoes = meter.finish();
    assert!(echoes.lost() > echoes.sent() / 4 && echoes.lost() < echoes.sent(), "{echoes:?}");
    lab.heal(lab.host(1), 'A');
    lab.cut(lab.host(1), 'A', Loss::ToHost);
    let probe = probe(&lab);
    let seen = std::thread::scope(|scope| {
        let recorder = scope.spawn(|| record(lab.host(2), Duration::from_millis(500)));
        pause(Duration::from_millis(200));
        probe.send(lab.host(1), 'A');
        recorder.join().expect("the recorder panicked")
    });
    assert_eq!(seen, [probe], "what a host sends that hears nothing");
}

fn probe(lab: &Lab) -> Probe {
    let address = |host: u8| match lab.host(host).v4('A') {
        std::net::IpAddr::V4(address) => address,
        std::net::IpAddr::V6(_) => std::net::Ipv4Addr::UNSPECIFIED,
    };
    Probe { source: address(1), destination: address(2), ttl: 255, payload: b"forged".to_vec() }
}
