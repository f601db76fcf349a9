//! When everything is silent nothing moves: it may be us, and there is nowhere to go.

use crate::lab::{Lab, Loss, Watch, pause_ms};

#[test]
fn nothing_moves_when_both_lans_fall_silent_and_return() {
    let lab = Lab::new(3, "AB");
    let _daemons = lab.faild_everywhere("-r");
    let watches = lab.watch();
    // One rule: the LANs die in the same instant.
    lab.filter_switch("all", "drop;");
    pause_ms(2000);
    lab.heal_rules("all");
    pause_ms(2000);
    watches.iter().for_each(Watch::assert_nothing_moved);
}

#[test]
fn the_first_lan_to_return_is_taken_at_once() {
    let lab = Lab::new(2, "AB");
    let (h1, h2) = (lab.host(1), lab.host(2));
    let _daemons = lab.faild_everywhere("-r");
    lab.cut_lan('A', Loss::Silent);
    lab.wait_moved(h1, h2, 'A', 'B');
    pause_ms(500);
    let overlays = h1.overlays();
    lab.cut_lan('B', Loss::Silent);
    pause_ms(1500);
    assert_eq!(h1.overlays(), overlays, "no way works: what is there stays");
    lab.heal_lan('A');
    lab.wait_moved(h1, h2, 'A', 'A');
    // What is at home on LAN B goes by A now.
    lab.wait_moved(h1, h2, 'B', 'A');
    lab.heal_lan('B');
    lab.wait_home();
}
