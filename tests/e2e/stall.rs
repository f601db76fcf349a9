//! A daemon that is stopped for a long time, as by a debugger or the migration of a virtual machine, and goes on.

use nix::sys::signal::Signal;

use crate::lab::{Lab, Loss, Meter, Watch, pause_ms};

#[test]
fn nobody_moves_when_a_daemon_sleeps_ten_seconds_and_wakes() {
    let lab = Lab::new(3, "AB");
    let (h1, h2) = (lab.host(1), lab.host(2));
    let daemons = lab.faild_everywhere("-r");
    let (watches, meter) = (lab.watch(), Meter::on_lan('A', h1, h2));
    daemons[1].signal(Signal::SIGSTOP);
    pause_ms(10_000);
    daemons[1].signal(Signal::SIGCONT);
    pause_ms(2000);
    meter.finish_unharmed();
    watches.iter().for_each(Watch::assert_nothing_moved);
    // It has woken up: the next fault moves it.
    lab.cut_lan('A', Loss::Silent);
    lab.wait_moved(h1, h2, 'A', 'B');
}

#[test]
fn a_daemon_that_slept_through_a_fault_follows_when_it_wakes() {
    let lab = Lab::new(2, "AB");
    let (h1, h2) = (lab.host(1), lab.host(2));
    let daemons = lab.faild_everywhere("-r");
    daemons[1].signal(Signal::SIGSTOP);
    pause_ms(500);
    lab.cut_lan('A', Loss::Silent);
    pause_ms(1000);
    assert_eq!(h2.overlays(), Vec::<String>::new(), "who sleeps does nothing");
    daemons[1].signal(Signal::SIGCONT);
    lab.wait_moved(h1, h2, 'A', 'B');
}
