//! kill -9 and a new start while traffic is away from home.

use crate::lab::{Loss, Routed, TARGET, TARGET_V6, Uplinks, pause_ms};

use super::both;

#[test]
fn a_new_daemon_adopts_what_the_dead_one_laid_and_takes_it_home() {
    let lab = Uplinks::new(Routed::Statically);
    let host = lab.host(1);
    let mut daemon = lab.start(&both());
    lab.cut_lan('A', Loss::Silent);
    for target in [TARGET, TARGET_V6] {
        lab.wait_by("wan1", target);
    }
    pause_ms(1500);
    let (before, watch) = (host.overlays(), host.watch());
    let meters = [TARGET, TARGET_V6].map(|target| lab.meter(target));
    for _ in 0..3 {
        daemon.kill();
        pause_ms(200);
        daemon.restart();
        lab.wait_judged();
        pause_ms(700);
        assert_eq!(host.overlays(), before, "a new daemon keeps what serves");
    }
    for meter in meters {
        meter.finish_unharmed();
    }
    watch.assert_nothing_moved();
    lab.heal_lan('A');
    lab.wait_home();
    lab.wait_by("wan0", TARGET);
}

#[test]
fn a_crash_at_any_moment_of_a_failover_delays_it_at_most() {
    for after_ms in [0, 60, 110, 150] {
        let lab = Uplinks::new(Routed::Statically);
        let mut daemon = lab.start(&both());
        lab.cut_lan('A', Loss::Silent);
        pause_ms(after_ms);
        daemon.kill();
        daemon.restart();
        for target in [TARGET, TARGET_V6] {
            lab.wait_by("wan1", target);
        }
        daemon.kill();
        lab.heal_lan('A');
        daemon.restart();
        lab.wait_home();
    }
}
