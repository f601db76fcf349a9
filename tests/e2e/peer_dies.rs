//! A host, or only its daemon, is gone: there is nothing to move to, so nobody moves.

use crate::lab::{Lab, Loss, Meter, Watch, pause_ms};

#[test]
fn nobody_moves_when_a_peer_dies_and_when_it_returns() {
    let lab = Lab::new(3, "AB");
    let mut daemons = lab.faild_everywhere("-r");
    let watches = lab.watch();
    let meter = Meter::on_lan('A', lab.host(1), lab.host(2));
    for lan in ['A', 'B'] {
        lab.carrier_off(lab.host(3), lan);
    }
    daemons[2].kill();
    pause_ms(2000);
    for lan in ['A', 'B'] {
        lab.carrier_on(lab.host(3), lan);
    }
    pause_ms(300);
    daemons[2].restart();
    lab.settle(&daemons);
    pause_ms(1000);
    meter.finish_unharmed();
    watches.iter().for_each(Watch::assert_nothing_moved);
}

#[test]
fn nobody_moves_when_a_silent_peer_vanishes_from_one_lan_before_the_other() {
    let lab = Lab::new(3, "AB");
    let _daemons = lab.faild_everywhere("-r");
    let watches = [lab.host(1).watch(), lab.host(2).watch()];
    // Half a slot apart: the one LAN is judged before the other falls silent for the judge.
    lab.cut(lab.host(3), 'A', Loss::Silent);
    pause_ms(25);
    lab.cut(lab.host(3), 'B', Loss::Silent);
    pause_ms(2000);
    watches.iter().for_each(Watch::assert_nothing_moved);
}

#[test]
fn nobody_moves_when_a_daemon_is_killed_and_started_again() {
    let lab = Lab::new(3, "AB");
    let mut daemons = lab.faild_everywhere("-r");
    let watches = lab.watch();
    let meter = Meter::on_lan('A', lab.host(1), lab.host(2));
    for _ in 0..3 {
        daemons[1].kill();
        pause_ms(700);
        daemons[1].restart();
        lab.settle(&daemons);
    }
    meter.finish_unharmed();
    watches.iter().for_each(Watch::assert_nothing_moved);
}
