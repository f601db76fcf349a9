//! Targets beyond the routers tell a router that leads nowhere; what is dead by all ways moves nothing.

use crate::lab::{
    EventName, Lab, Loss, OTHER_TARGET, Routed, TARGET, TARGET_V6, Uplinks, pause_ms, wait_until,
};

use super::{LISTED, QUICK, both, route, with_target};

#[test]
fn a_living_router_that_leads_nowhere_is_left() {
    let lab = Uplinks::new(Routed::Statically);
    let _daemon = lab.start(&both());
    let meters = [TARGET, TARGET_V6].map(|target| lab.meter(target));
    pause_ms(300);
    lab.cut(lab.router(1), 'C', Loss::Silent);
    for target in [TARGET, TARGET_V6] {
        lab.wait_by("wan1", target);
    }
    lab.host(1).wait_faildctl("routes", &["down", "in use"]);
    pause_ms(300);
    for meter in meters {
        meter.finish_after_failover();
    }
    lab.heal(lab.router(1), 'C');
    lab.wait_home();
}

#[test]
fn a_target_that_is_dead_by_both_ways_moves_nothing_and_is_told_once() {
    let lab = Uplinks::new(Routed::Statically);
    let daemon = lab.start(&route(LISTED, &with_target()));
    let watch = lab.host(1).watch();
    lab.internet().ip(&format!("addr del {TARGET}/32 dev lo"));
    daemon.wait_event(EventName::RouteDown, &["destination=0.0.0.0/0"]);
    pause_ms(3000);
    lab.internet().ip(&format!("addr add {TARGET}/32 dev lo"));
    daemon.wait_event(EventName::RouteUp, &["destination=0.0.0.0/0"]);
    pause_ms(1000);
    watch.assert_nothing_moved();
    assert_eq!(daemon.told(EventName::RouteDown).len(), 1, "{}", daemon.log());
    assert_eq!(daemon.told(EventName::NextHopDown), [""; 0], "nobody is blamed");
}

#[test]
fn one_target_of_several_may_die() {
    let lab = Uplinks::new(Routed::Statically);
    let _daemon = lab.start(&both());
    let watch = lab.host(1).watch();
    lab.internet().ip(&format!("addr del {TARGET}/32 dev lo"));
    pause_ms(1500);
    watch.assert_nothing_moved();
    lab.kill_router(1);
    lab.wait_by("wan1", OTHER_TARGET);
}

#[test]
fn the_last_way_stays_when_all_are_dead_and_whatever_answers_first_serves() {
    let lab = Uplinks::new(Routed::Statically);
    let daemon = lab.start(&route(LISTED, QUICK));
    let watch = lab.host(1).watch();
    lab.cut_lan('A', Loss::Silent);
    lab.wait_by("wan1", TARGET);
    lab.cut_lan('B', Loss::Silent);
    daemon.wait_event(EventName::RouteDown, &[]);
    pause_ms(3000);
    assert_eq!(watch.moves().len(), 1, "{:?}", watch.moves());
    assert_eq!(lab.host(1).way_to(TARGET.parse().expect("an address")).as_deref(), Some("wan1"));
    lab.heal_lan('A');
    lab.wait_by("wan0", TARGET);
    Lab::wait_home(&lab);
    pause_ms(500);
    lab.heal_lan('B');
    pause_ms(2000);
    assert_eq!(watch.moves().len(), 2, "laid once, lifted once: {:?}", watch.moves());
}

#[test]
fn both_dying_at_once_moves_nothing() {
    let lab = Uplinks::new(Routed::Statically);
    let daemon = lab.start(&route(LISTED, &with_target()));
    let watch = lab.host(1).watch();
    lab.cut(lab.internet(), 'C', Loss::Silent);
    daemon.wait_event(EventName::RouteDown, &[]);
    pause_ms(2000);
    lab.heal(lab.internet(), 'C');
    daemon.wait_event(EventName::RouteUp, &[]);
    pause_ms(1500);
    watch.assert_nothing_moved();
    wait_until("both work", std::time::Duration::from_secs(10), || {
        !lab.host(1).faildctl("routes").text.contains("down")
    });
}
