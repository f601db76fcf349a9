//! SIGTERM does not cut traffic: overlays that are needed stay, and the log names the commands that undo them.

use std::time::Duration;

use nix::sys::signal::Signal;

use crate::lab::{Lab, Loss, Meter, pause_ms, wait_until};

#[test]
fn a_daemon_that_ends_while_all_is_well_leaves_nothing() {
    let lab = Lab::new(2, "AB");
    let (h1, h2) = (lab.host(1), lab.host(2));
    let mut daemons = lab.faild_everywhere("-r");
    let (before, meter) = (h1.foreign_routes(), Meter::on_lan('A', h1, h2));
    for (daemon, signal) in daemons.iter_mut().zip([Signal::SIGTERM, Signal::SIGINT]) {
        daemon.signal(signal);
        assert!(daemon.wait().success());
    }
    pause_ms(300);
    meter.finish_unharmed();
    assert_eq!(h1.overlays(), Vec::<String>::new());
    assert_eq!(h1.foreign_routes(), before);
}

#[test]
fn overlays_that_are_needed_stay_and_the_logged_commands_undo_them() {
    let lab = Lab::new(2, "AB");
    let (h1, h2) = (lab.host(1), lab.host(2));
    let mut daemons = lab.faild_everywhere("-r");
    lab.cut_lan('A', Loss::Silent);
    lab.wait_moved(h1, h2, 'A', 'B');
    let meter = Meter::on_lan('A', h1, h2);
    daemons.iter_mut().for_each(|daemon| assert!(daemon.terminate().success()));
    pause_ms(500);
    meter.finish_unharmed();
    assert!(h1.goes_by('B', h2.v4('A')));
    for daemon in &daemons {
        let commands = daemon.undo_commands();
        assert!(!commands.is_empty(), "the log names no command");
        for command in commands {
            let output = daemon.host().sh(&command);
            assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
        }
        assert_eq!(daemon.host().overlays(), Vec::<String>::new());
    }
}

#[test]
fn addresses_that_wait_on_lo_are_undone_by_the_logged_commands() {
    let lab = Lab::alone(2, "AB");
    let (h1, h2) = (lab.host(1), lab.host(2));
    let mut daemons = lab.faild_everywhere("-r");
    let before = h2.ip("-6 -o addr show dev lo");
    h2.ip("link set lanA down");
    h1.wait_way('B', h2.v6('A'));
    let waits = || h2.ip("-6 -o addr show dev lo").contains(&h2.v6('A').to_string());
    wait_until("the address waits on lo", Duration::from_secs(15), waits);
    assert!(daemons[1].terminate().success());
    for command in daemons[1].undo_commands() {
        assert!(h2.sh(&command).status.success(), "{command}");
    }
    assert_eq!(h2.overlays(), Vec::<String>::new());
    assert_eq!(h2.ip("-6 -o addr show dev lo"), before);
}

#[test]
fn a_goodbye_moves_nobody() {
    let lab = Lab::new(3, "AB");
    let mut daemons = lab.faild_everywhere("-r");
    let watch = lab.host(1).watch();
    assert!(daemons[1].terminate().success());
    pause_ms(1500);
    watch.assert_nothing_moved();
    daemons[1].restart();
    lab.settle(&daemons);
    watch.assert_nothing_moved();
}

#[test]
fn all_overlays_stay_if_the_settings_say_so() {
    let lab = Lab::new(2, "AB");
    let (h1, h2) = (lab.host(1), lab.host(2));
    let mut daemons = [h1, h2].map(|host| host.faild(&format!("-r {}", host.configure("exit = \"keep\"\n"))));
    lab.settle(&daemons);
    lab.cut_lan('A', Loss::Silent);
    lab.wait_moved(h1, h2, 'A', 'B');
    let before = h1.overlays();
    assert!(daemons[0].terminate().success());
    assert_eq!(h1.overlays(), before);
}
