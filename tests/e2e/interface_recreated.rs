//! An interface is deleted and made again, with another index: it serves again without a restart.

use std::time::Duration;

use crate::lab::{EventName, Family, Lab, Loss, Meter, pause_ms};

#[test]
fn an_interface_that_was_made_again_is_probed_again() {
    let lab = Lab::alone(2, "AB");
    let (h1, h2) = (lab.host(1), lab.host(2));
    let _daemons = lab.faild_everywhere("-r");
    h2.ip("link del lanA");
    h1.wait_way('B', h2.v4('A'));
    pause_ms(500);
    h2.attach('A', lab.switch());
    lab.wait_home();
    assert!(h1.goes_by('A', h2.v4('A')));
    // The new sockets hear: the next failure is noticed like the first.
    pause_ms(1000);
    let meter = Meter::on_lan('A', h1, h2);
    pause_ms(300);
    lab.cut_lan('A', Loss::Silent);
    lab.wait_moved(h1, h2, 'A', 'B');
    pause_ms(300);
    meter.finish_after_failover();
}

#[test]
fn a_restart_while_an_interface_is_gone_cuts_nobody_off() {
    for flags in ["-r -t 50ms -f 2 -s 5", "-r -t 50ms -f 2 -s 5 -i lanA -i lanB"] {
        let lab = Lab::alone(2, "AB");
        let (h1, h2) = (lab.host(1), lab.host(2));
        let mut daemons = [1, 2].map(|number| lab.host(number).faild_with(flags));
        lab.settle(&daemons);
        h2.ip("link del lanA");
        h1.wait_way('B', h2.v4('A'));
        pause_ms(500);
        let meter = Meter::on_lan('A', h1, h2);
        daemons[1].kill();
        pause_ms(200);
        daemons[1].restart();
        daemons[1].wait_event(EventName::PathUp, &["interface=lanB"]);
        pause_ms(2000);
        meter.finish_unharmed();
        h2.attach('A', lab.switch());
        lab.wait_home();
    }
}

#[test]
fn an_interface_that_is_absent_at_the_start_is_taken_when_it_comes() {
    let lab = Lab::new(2, "AB");
    let (h1, h2) = (lab.host(1), lab.host(2));
    h2.ip("link del lanA");
    let daemons = [h1.faild("-r"), h2.faild("-r")];
    daemons[1].wait_event(EventName::PathUp, &["lanB"]);
    h2.attach('A', lab.switch());
    lab.settle(&daemons);
    lab.cut_lan('A', Loss::Silent);
    lab.wait_moved(h1, h2, 'A', 'B');
}

/// The other end has gone on without us and has another hardware address by now: our kernel does not go on sending to the
/// old one once the path is up.
#[test]
fn a_peer_with_another_hardware_address_is_reached_as_soon_as_its_path_is_up() {
    let lab = Lab::alone(2, "AB");
    let (h1, h2) = (lab.host(1), lab.host(2));
    let mut daemons = lab.faild_everywhere("-r");
    for family in [Family::V4, Family::V6] {
        let (from, to) = (h1.address('A', family), h2.address('A', family));
        let meter = Meter::start(h1, from, h2, to);
        pause_ms(300);
        meter.finish_unharmed();
        daemons[0].terminate();
        h2.ip("link del lanA");
        h2.attach('A', lab.switch());
        daemons[0].restart();
        for address in ["10.77.1.2", "fe80:"] {
            daemons[0].wait_event(EventName::PathUp, &["interface=lanA", &format!("address={address}")]);
        }
        let meter = Meter::start(h1, from, h2, to);
        pause_ms(2000);
        let outage = meter.finish().longest_outage();
        assert!(outage < Duration::from_millis(600), "{family:?}: {outage:?}");
    }
}
