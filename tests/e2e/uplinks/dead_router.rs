//! A router is silent: what goes by it goes by the other, with the other's address, until it answers again.

use std::time::Duration;

use crate::lab::{Lab, Loss, Routed, TARGET, TARGET_V6, Uplinks, pause_ms, wait_until};

use super::both;

#[test]
fn a_dead_router_is_left_for_the_other_and_gone_back_to() {
    let lab = Uplinks::new(Routed::Statically);
    let before = lab.host(1).foreign_routes();
    let mut daemon = lab.start(&both());
    assert_moves_and_returns(&lab, || lab.kill_router(1), || lab.revive_router(1));
    assert!(daemon.terminate().success());
    assert_eq!(lab.host(1).overlays(), Vec::<String>::new(), "nothing of ours is left");
    assert_eq!(lab.host(1).foreign_routes(), before);
}

#[test]
fn a_switch_that_swallows_everything_is_left_as_well() {
    let lab = Uplinks::new(Routed::Statically);
    let _daemon = lab.start(&both());
    assert_moves_and_returns(&lab, || lab.cut_lan('A', Loss::Silent), || lab.heal_lan('A'));
}

#[test]
fn a_router_that_hears_nothing_and_one_that_is_not_heard_are_dead() {
    for loss in [Loss::ToHost, Loss::FromHost] {
        let lab = Uplinks::new(Routed::Statically);
        let _daemon = lab.start(&both());
        assert_moves_and_returns(&lab, || lab.cut(lab.router(1), 'A', loss), || lab.heal(lab.router(1), 'A'));
    }
}

#[test]
fn overlays_that_still_serve_at_the_end_stay_and_those_that_need_not_go() {
    let lab = Uplinks::new(Routed::Statically);
    let settings = both() + "[failback]\npolicy = \"manual\"\n";
    let mut daemon = lab.start(&settings);
    lab.cut_lan('A', Loss::Silent);
    wait_both_by(&lab, "wan1");
    let overlays = lab.host(1).overlays();
    assert!(daemon.terminate().success());
    assert_eq!(lab.host(1).overlays(), overlays, "the way home is dead");
    assert!(!daemon.undo_commands().is_empty(), "people are told how to be rid of them");
    daemon.restart();
    lab.wait_judged();
    lab.heal_lan('A');
    let waiting = || lab.host(1).faildctl("routes").text.matches("failback is manual").count();
    wait_until("both families wait for the word", Duration::from_secs(20), || waiting() == 2);
    assert_eq!(lab.host(1).overlays(), overlays, "failback is manual");
    assert!(daemon.terminate().success());
    lab.wait_home();
}

fn wait_both_by(lab: &Uplinks, interface: &str) {
    [TARGET, TARGET_V6].iter().for_each(|target| lab.wait_by(interface, target));
}

/// Nothing is lost but for a moment when `fault` comes, and nothing at all when `healing` does.
fn assert_moves_and_returns(lab: &Uplinks, fault: impl FnOnce(), healing: impl FnOnce()) {
    let host = lab.host(1);
    let before = host.foreign_routes();
    let meters = [TARGET, TARGET_V6].map(|target| lab.meter(target));
    pause_ms(300);
    fault();
    wait_both_by(lab, "wan1");
    assert_eq!(lab.source_to(TARGET), "198.51.100.10", "the source follows the way");
    assert_eq!(lab.source_to(TARGET_V6), "2001:db8:b::10");
    assert_eq!(host.foreign_routes(), before, "routes of others are untouched");
    pause_ms(300);
    for meter in meters {
        meter.finish_after_failover();
    }
    let meters = [TARGET, TARGET_V6].map(|target| lab.meter(target));
    healing();
    wait_both_by(lab, "wan0");
    Lab::wait_home(lab);
    pause_ms(200);
    for meter in meters {
        meter.finish_unharmed();
    }
    assert_eq!(host.foreign_routes(), before);
}
