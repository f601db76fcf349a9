//! Settings that change while the host runs on them.

use crate::lab::{Lab, Loss, Routed, TARGET, TARGET_V6, Uplinks, pause_ms};

use super::{LISTED, LISTED_V6, QUICK, both, route, section};

#[test]
fn a_section_that_comes_is_led_and_one_that_goes_is_let_go() {
    let lab = Uplinks::new(Routed::Statically);
    let host = lab.host(1);
    let _daemon = lab.start("verbosity = 1\n");
    host.wait_faildctl("status", &["daemon:"]);
    reload(&lab, &both());
    lab.wait_judged();
    lab.cut_lan('A', Loss::Silent);
    for target in [TARGET, TARGET_V6] {
        lab.wait_by("wan1", target);
    }
    let meter = lab.meter(TARGET);
    pause_ms(200);
    reload(&lab, &route(LISTED, QUICK));
    lab.wait_by("wan0", TARGET_V6);
    pause_ms(500);
    meter.finish_unharmed();
    assert_eq!(lab.source_to(TARGET), "198.51.100.10", "what stays goes on");
    reload(&lab, &section("default6", LISTED_V6, QUICK));
    lab.wait_by("wan0", TARGET);
    lab.wait_by("wan1", TARGET_V6);
    reload(&lab, "");
    Lab::wait_home(&lab);
    assert_eq!(host.faildctl("status").code, Some(0));
}

fn reload(lab: &Uplinks, toml: &str) {
    lab.host(1).configure(toml);
    let answer = lab.host(1).faildctl("reload");
    assert_eq!(answer.code, Some(0), "{answer:?}");
}
