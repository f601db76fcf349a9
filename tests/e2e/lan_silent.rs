//! A LAN falls silent while its links stay up: traffic moves to the other, and returns when it has healed.

use crate::lab::{Host, Lab, Loss, Meter, pause_ms};

#[test]
fn traffic_moves_when_a_lan_falls_silent_and_returns_when_it_heals() {
    let lab = Lab::new(3, "AB");
    let _daemons = lab.faild_everywhere("-r");
    let foreign: Vec<_> = lab.hosts().iter().map(Host::foreign_routes).collect();
    let meter = Meter::on_lan('A', lab.host(1), lab.host(2));
    pause_ms(300);
    lab.cut_lan('A', Loss::Silent);
    for (here, there) in lab.pairs() {
        lab.wait_moved(here, there, 'A', 'B');
        assert!(here.goes_by('B', there.v4('B')), "what uses LAN B stays there");
    }
    pause_ms(300);
    meter.finish_after_failover();
    assert_goes_home(&lab);
    let now: Vec<_> = lab.hosts().iter().map(Host::foreign_routes).collect();
    assert_eq!(now, foreign, "what is not faild's is as before");
}

#[test]
fn one_silent_port_moves_only_what_needs_it() {
    let lab = Lab::new(3, "AB");
    let _daemons = lab.faild_everywhere("-r");
    let unconcerned = Meter::on_lan('A', lab.host(1), lab.host(3));
    let meter = Meter::on_lan('A', lab.host(1), lab.host(2));
    pause_ms(300);
    lab.cut(lab.host(2), 'A', Loss::Silent);
    lab.wait_moved(lab.host(1), lab.host(2), 'A', 'B');
    lab.wait_moved(lab.host(3), lab.host(2), 'A', 'B');
    assert!(lab.host(1).goes_by('A', lab.host(3).v4('A')), "the others still hear each other");
    pause_ms(300);
    meter.finish_after_failover();
    unconcerned.finish_unharmed();
    lab.heal(lab.host(2), 'A');
    lab.wait_home();
}

#[test]
fn an_overlay_bears_the_source_address_of_home() {
    let lab = Lab::new(2, "AB");
    let (h1, h2) = (lab.host(1), lab.host(2));
    let _daemons = lab.faild_everywhere("-r");
    lab.cut_lan('A', Loss::Silent);
    lab.wait_moved(h1, h2, 'A', 'B');
    let overlay = format!("{} via {} dev lanB", h2.v4('A'), h2.v4('B'));
    let source = format!("src {}", h1.v4('A'));
    let overlays = h1.overlays();
    assert!(overlays.iter().any(|line| line.starts_with(&overlay) && line.contains(&source)), "{overlays:?}");
}

fn assert_goes_home(lab: &Lab) {
    let meter = Meter::on_lan('A', lab.host(1), lab.host(2));
    pause_ms(200);
    lab.heal_lan('A');
    lab.wait_home();
    for (here, there) in lab.pairs() {
        assert!(here.goes_by('A', there.v4('A')));
    }
    pause_ms(200);
    meter.finish_unharmed();
}
