//! The carrier is lost, on our side or on the peer's: both ends move. These run alone, see `Lab::alone`.

use crate::lab::{Host, Lab, Meter, pause_ms};

#[test]
fn both_ends_move_when_our_carrier_is_lost() {
    let lab = Lab::alone(2, "AB");
    assert_moves_when_lost(&lab, lab.host(1));
}

#[test]
fn both_ends_move_when_the_carrier_of_the_peer_is_lost() {
    let lab = Lab::alone(2, "AB");
    assert_moves_when_lost(&lab, lab.host(2));
}

#[test]
fn all_move_when_a_switch_loses_power() {
    let lab = Lab::alone(3, "AB");
    let _daemons = lab.faild_everywhere("-r");
    let meter = Meter::on_lan('A', lab.host(1), lab.host(2));
    pause_ms(300);
    lab.hosts().iter().for_each(|host| lab.carrier_off(host, 'A'));
    lab.pairs().for_each(|(here, there)| lab.wait_moved(here, there, 'A', 'B'));
    pause_ms(200);
    meter.finish_after_failover();
    lab.hosts().iter().for_each(|host| lab.carrier_on(host, 'A'));
    lab.wait_home();
}

fn assert_moves_when_lost(lab: &Lab, struck: &Host) {
    let (h1, h2) = (lab.host(1), lab.host(2));
    let _daemons = lab.faild_everywhere("-r");
    let meter = Meter::on_lan('A', h1, h2);
    pause_ms(300);
    lab.carrier_off(struck, 'A');
    lab.wait_moved(h1, h2, 'A', 'B');
    pause_ms(200);
    meter.finish_after_failover();
    let meter = Meter::on_lan('A', h1, h2);
    lab.carrier_on(struck, 'A');
    lab.wait_home();
    pause_ms(200);
    meter.finish_unharmed();
}
