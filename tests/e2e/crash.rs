//! kill -9 at any moment, then a new start: nothing is lost, nothing is left over.

use crate::lab::{Lab, Loss, Meter, pause_ms};

#[test]
fn a_crash_during_failover_delays_it_at_most() {
    for after_ms in [0, 60, 110, 150, 250] {
        let lab = Lab::new(2, "AB");
        let (h1, h2) = (lab.host(1), lab.host(2));
        let mut daemons = lab.faild_everywhere("-r");
        // What was learned is written down within two seconds; before that a crash forgets the addresses.
        pause_ms(2500);
        lab.cut_lan('A', Loss::Silent);
        pause_ms(after_ms);
        daemons[0].kill();
        daemons[0].restart();
        lab.wait_moved(h1, h2, 'A', 'B');
        lab.heal_lan('A');
        lab.wait_home();
    }
}

#[test]
fn a_restart_adopts_the_overlays_it_finds_and_no_packet_is_lost() {
    let lab = Lab::new(2, "AB");
    let (h1, h2) = (lab.host(1), lab.host(2));
    let mut daemons = lab.faild_everywhere("-r");
    lab.cut_lan('A', Loss::Silent);
    lab.wait_moved(h1, h2, 'A', 'B');
    pause_ms(500);
    let (before, meter) = (h1.overlays(), Meter::on_lan('A', h1, h2));
    for _ in 0..3 {
        daemons[0].kill();
        pause_ms(300);
        assert_eq!(h1.overlays(), before, "a dead daemon's overlays serve on");
        daemons[0].restart();
        pause_ms(700);
        assert_eq!(h1.overlays(), before, "a new daemon keeps what serves");
    }
    meter.finish_unharmed();
    lab.heal_lan('A');
    lab.wait_home();
}

#[test]
fn overlays_of_a_dead_daemon_are_lifted_by_the_next_when_home_has_healed_meanwhile() {
    let lab = Lab::new(2, "AB");
    let (h1, h2) = (lab.host(1), lab.host(2));
    let mut daemons = lab.faild_everywhere("-r");
    lab.cut_lan('A', Loss::Silent);
    lab.wait_moved(h1, h2, 'A', 'B');
    daemons.iter_mut().for_each(|daemon| daemon.kill());
    lab.heal_lan('A');
    pause_ms(300);
    let meter = Meter::on_lan('A', h1, h2);
    daemons.iter_mut().for_each(|daemon| daemon.restart());
    lab.wait_home();
    pause_ms(200);
    meter.finish_unharmed();
}
