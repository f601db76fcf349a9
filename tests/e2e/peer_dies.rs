//! A host, or only its daemon, is gone: there is nothing to move to, so nobody moves.

use crate::lab::{Lab, Meter, Watch, pause_ms};

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
fn nobody_moves_when_a_peer_falls_silent_on_all_lans_while_its_links_stay_up() {
    let lab = Lab::new(3, "AB");
    let (h1, h2, h3) = (lab.host(1), lab.host(2), lab.host(3));
    let _daemons = lab.faild_everywhere("-r");
    let watches = [h1.watch(), h2.watch()];
    for _ in 0..3 {
        let ports = format!("{{ \"{}\", \"{}\" }}", h3.port('A'), h3.port('B'));
        // One ruleset: both LANs in the same instant, and neither is judged in the same slot as the other.
        lab.filter_switch("peer", &format!("iifname {ports} drop; oifname {ports} drop;"));
        pause_ms(1000);
        lab.heal_rules("peer");
        pause_ms(1000);
    }
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
