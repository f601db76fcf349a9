//! Packets get through one way only: a fault like any other, for requestors and responders, and both ends move.

use crate::lab::{Lab, Loss, Meter, pause_ms};

#[test]
fn a_requestor_that_is_not_heard_is_moved() {
    assert_both_move("-r", Loss::FromHost);
}

#[test]
fn a_requestor_that_does_not_hear_is_moved() {
    assert_both_move("-r", Loss::ToHost);
}

#[test]
fn a_responder_that_is_not_heard_is_moved() {
    assert_both_move("", Loss::FromHost);
}

#[test]
fn a_responder_that_does_not_hear_is_moved() {
    assert_both_move("", Loss::ToHost);
}

/// Host 2 runs with `flags` and is struck, host 1 is a requestor.
fn assert_both_move(flags: &str, loss: Loss) {
    let lab = Lab::new(2, "AB");
    let (h1, h2) = (lab.host(1), lab.host(2));
    let daemons = [h1.faild("-r"), h2.faild(flags)];
    lab.settle(&daemons);
    let meter = Meter::on_lan('A', h1, h2);
    pause_ms(300);
    lab.cut(h2, 'A', loss);
    lab.wait_moved(h1, h2, 'A', 'B');
    pause_ms(300);
    meter.finish_after_failover();
    lab.heal(h2, 'A');
    lab.wait_home();
}
