//! Lines that lose packets or take too long.

use crate::lab::{EventName, Lab, Loss, OTHER_TARGET, Routed, TARGET, Uplinks, pause_ms};

use super::{LISTED, route, with_target};

#[test]
fn a_line_that_loses_every_fifth_packet_each_way_is_not_left_by_itself() {
    let lab = Uplinks::new(Routed::Statically);
    let settings = format!("interval = \"50ms\"\ntargets = [\"{TARGET}\", \"{OTHER_TARGET}\"]");
    let _daemon = lab.start(&route(LISTED, &settings));
    let watch = lab.host(1).watch();
    lab.cut(lab.router(1), 'A', Loss::Percent(20));
    pause_ms(12_000);
    watch.assert_nothing_moved();
}

#[test]
fn with_a_limit_it_is_left_once_and_gone_back_to_when_it_is_clean() {
    let lab = Uplinks::new(Routed::Statically);
    let limits = "loss = { bad = 15, good = 5 }\nwindow = 40\ninterval = \"30ms\"\nmissed = 5";
    let _daemon = lab.start(&route(LISTED, &format!("targets = [\"{TARGET}\"]\n{limits}")));
    let watch = lab.host(1).watch();
    lab.cut(lab.router(1), 'A', Loss::Percent(20));
    lab.wait_by("wan1", TARGET);
    lab.host(1).wait_faildctl("routes", &["% of probes lost"]);
    pause_ms(6000);
    assert_eq!(watch.moves().len(), 1, "{:?}", watch.moves());
    lab.heal(lab.router(1), 'A');
    lab.wait_by("wan0", TARGET);
    Lab::wait_home(&lab);
    assert_eq!(watch.moves().len(), 2, "{:?}", watch.moves());
}

#[test]
fn when_all_lines_are_lossy_none_is_better_and_nothing_moves() {
    let lab = Uplinks::new(Routed::Statically);
    let limits = "loss = { bad = 15, good = 5 }\nwindow = 40\ninterval = \"30ms\"\nmissed = 5";
    let daemon = lab.start(&route(LISTED, &format!("targets = [\"{TARGET}\"]\n{limits}")));
    lab.cut(lab.router(2), 'B', Loss::Percent(20));
    daemon.wait_event(EventName::NextHopDown, &["wan1", "cause=loss"]);
    let watch = lab.host(1).watch();
    lab.cut(lab.router(1), 'A', Loss::Percent(20));
    daemon.wait_event(EventName::NextHopDown, &["wan0", "cause=loss"]);
    pause_ms(2000);
    watch.assert_nothing_moved();
}

#[test]
fn a_slow_line_is_left_by_its_limit_only() {
    let lab = Uplinks::new(Routed::Statically);
    let limits = "latency = { bad = \"60ms\", good = \"30ms\" }\nwindow = 20";
    let settings = format!("targets = [\"{TARGET}\"]\ninterval = \"50ms\"\nmissed = 4\ngood = 10\n{limits}");
    let daemon = lab.start(&route(LISTED, &settings));
    let watch = lab.host(1).watch();
    let slow = lab.slow_answers("192.0.2.10", 100);
    lab.wait_by("wan1", TARGET);
    daemon.wait_event(EventName::NextHopDown, &["wan0", "cause=latency"]);
    pause_ms(1500);
    assert_eq!(watch.moves().len(), 1, "{:?}", watch.moves());
    slow.finish().expect("the slow answers failed");
    lab.wait_by("wan0", TARGET);
    Lab::wait_home(&lab);
}

#[test]
fn answers_that_take_two_intervals_are_answers() {
    let lab = Uplinks::new(Routed::Statically);
    let slow = lab.slow_answers("192.0.2.10", 100);
    let settings = format!("targets = [\"{TARGET}\"]\ninterval = \"50ms\"\nmissed = 3\ngood = 10\n");
    let _daemon = lab.start(&route(LISTED, &settings));
    let watch = lab.host(1).watch();
    lab.wait_by("wan0", TARGET);
    pause_ms(3000);
    watch.assert_nothing_moved();
    slow.finish().expect("the slow answers failed");
}

#[test]
fn answers_that_take_longer_than_silence_is_found_in_are_told_as_such() {
    let lab = Uplinks::new(Routed::Statically);
    let _daemon = lab.start(&route(LISTED, &with_target()));
    let slow = lab.slow_answers("192.0.2.10", 160);
    lab.wait_by("wan1", TARGET);
    lab.host(1).wait_faildctl("routes", &["answers take 1", "later than the 100 ms limit"]);
    slow.finish().expect("the slow answers failed");
    lab.wait_by("wan0", TARGET);
}
