//! The program is replaced while everything runs: `faildctl stop --keep`, then the new one.

use crate::lab::{EventName, Lab, Loss, Meter, pause_ms};

#[test]
fn no_packet_is_lost_when_faild_is_replaced_during_a_failover() {
    let lab = Lab::new(2, "AB");
    let (h1, h2) = (lab.host(1), lab.host(2));
    let mut daemons = lab.faild_everywhere("-r");
    lab.cut_lan('A', Loss::Silent);
    lab.wait_moved(h1, h2, 'A', 'B');
    pause_ms(500);
    let (before, meter) = (h1.overlays(), Meter::on_lan('A', h1, h2));
    pause_ms(200);
    for daemon in &mut daemons {
        let stopped = daemon.host().faildctl("stop --keep");
        assert_eq!(stopped.code, Some(0), "{stopped:?}");
        assert!(!daemon.is_running(), "it has ended when faildctl returns");
        daemon.wait_event(EventName::Stopped, &[]);
        pause_ms(700);
        assert_eq!(h1.overlays(), before, "its overlays serve on");
        daemon.restart();
        daemon.wait_event(EventName::Ready, &[]);
        pause_ms(700);
        assert_eq!(h1.overlays(), before, "the new one keeps what serves");
    }
    meter.finish_unharmed();
    lab.heal_lan('A');
    lab.wait_home();
}

#[test]
fn overlays_whose_home_works_again_are_kept_as_well() {
    let lab = Lab::new(2, "AB");
    let (h1, h2) = (lab.host(1), lab.host(2));
    let mut daemons = [h1, h2]
        .map(|host| host.faild(&format!("-r {}", host.configure("[failback]\npolicy = \"manual\"\n"))));
    lab.settle(&daemons);
    lab.cut_lan('A', Loss::Silent);
    lab.wait_moved(h1, h2, 'A', 'B');
    lab.heal_lan('A');
    daemons[0].wait_event(EventName::PathUp, &["lanA", "was=down"]);
    let (before, meter) = (h1.overlays(), Meter::on_lan('A', h1, h2));
    assert_eq!(h1.faildctl("stop --keep").code, Some(0));
    assert_eq!(h1.overlays(), before);
    daemons[0].restart();
    daemons[0].wait_event(EventName::Ready, &[]);
    pause_ms(500);
    meter.finish_unharmed();
}

#[test]
fn a_new_start_right_after_stop_finds_the_place_free() {
    let lab = Lab::new(1, "AB");
    let h1 = lab.host(1);
    let mut daemon = h1.faild("-r");
    for _ in 0..5 {
        daemon.wait_event(EventName::Ready, &[]);
        assert_eq!(h1.faildctl("stop").code, Some(0));
        assert!(!daemon.is_running());
        daemon.restart();
    }
    daemon.wait_event(EventName::Ready, &[]);
}

#[test]
fn a_daemon_that_does_not_end_is_told_of() {
    let lab = Lab::new(1, "AB");
    let h1 = lab.host(1);
    let daemon = h1.faild("-r");
    daemon.wait_event(EventName::Ready, &[]);
    daemon.signal(nix::sys::signal::Signal::SIGSTOP);
    let answer = h1.faildctl("stop");
    assert!(answer.code == Some(3) && answer.errors.contains("stopped or hangs"), "{answer:?}");
    daemon.signal(nix::sys::signal::Signal::SIGCONT);
}
