//! A link that comes and goes: traffic is taken off it and kept off it until it has behaved for a while.

use crate::lab::{Lab, Loss, Meter, pause_ms};

#[test]
fn traffic_stays_off_a_link_that_flaps() {
    let lab = Lab::new(2, "AB");
    let (h1, h2) = (lab.host(1), lab.host(2));
    let _daemons = lab.faild_everywhere("-r");
    let watch = h1.watch();
    flap(&lab, 5);
    // Three failures within a minute are too many (damping): from here on the link is not gone home to.
    let meter = Meter::on_lan('A', h1, h2);
    flap(&lab, 4);
    meter.finish_unharmed();
    let laid = watch.laid(&h2.v4('A').to_string());
    assert!((1..=4).contains(&laid), "moved away {laid} times");
    assert!(h1.goes_by('B', h2.v4('A')), "it works at the moment, and is not trusted yet");
}

#[test]
fn damping_never_keeps_traffic_on_a_dead_way() {
    let lab = Lab::new(2, "AB");
    let (h1, h2) = (lab.host(1), lab.host(2));
    let _daemons = lab.faild_everywhere("-r");
    flap(&lab, 5);
    lab.wait_moved(h1, h2, 'A', 'B');
    let meter = Meter::on_lan('A', h1, h2);
    pause_ms(200);
    lab.cut_lan('B', Loss::Silent);
    lab.wait_moved(h1, h2, 'A', 'A');
    pause_ms(200);
    meter.finish_after_failover();
}

/// Dead for 300 ms, good for 700 ms, so many times.
fn flap(lab: &Lab, times: u32) {
    for _ in 0..times {
        lab.cut(lab.host(2), 'A', Loss::Silent);
        pause_ms(300);
        lab.heal(lab.host(2), 'A');
        pause_ms(700);
    }
}
