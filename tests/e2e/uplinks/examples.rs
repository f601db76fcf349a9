//! The examples that are shipped, as they are, where their addresses exist.

use std::fs;
use std::time::Duration;

use crate::lab::{EventName, Routed, TARGET, TARGET_V6, Uplinks, pause_ms, wait_until};

#[test]
fn two_uplinks_does_what_its_comments_say() {
    let lab = Uplinks::alone(Routed::Statically);
    let shipped = fs::read_to_string("examples/config/two-uplinks.toml").expect("no such example");
    let daemon = lab.start(&shipped);
    lab.kill_router(1);
    for target in [TARGET, TARGET_V6] {
        lab.wait_by("wan1", target);
    }
    daemon.wait_event(EventName::RouteFailover, &["destination=0.0.0.0/0", "to=198.51.100.1%wan1", "cause="]);
    daemon.wait_event(EventName::RouteFailover, &["destination=::/0", "to=fe80::1%wan1", "cause="]);
    lab.revive_router(1);
    pause_ms(3000);
    assert_eq!(lab.source_to(TARGET), "198.51.100.10", "back after a quiet minute only");
    lab.host(1).wait_faildctl("why default", &["wan0 via 192.0.2.1", "down"]);
}

#[test]
fn lans_and_uplinks_shares_three_to_one_and_keeps_going_by_one() {
    let lab = Uplinks::alone(Routed::Statically);
    let host = lab.host(1);
    for (interface, address) in [
        ("lan0", "10.0.0.1/24"),
        ("lan1", "10.0.1.1/24"),
        ("san0", "10.0.9.1/24"),
        ("san1", "10.0.9.2/24"),
        ("ppp0", "10.9.9.1/32"),
    ] {
        host.ip(&format!("link add {interface} type veth peer name {interface}-peer"));
        host.ip(&format!("link set {interface}-peer up"));
        host.ip(&format!("link set {interface} up"));
        host.ip(&format!("addr add {address} dev {interface}"));
    }
    let shipped = fs::read_to_string("examples/config/lans-and-uplinks.toml").expect("no such example");
    // In the day as well as at night.
    let daemon = host.faild_with(&host.configure(&shipped.replace("02:00-04:30", "00:00-23:59")));
    daemon.wait_event(EventName::NextHopUp, &["wan0"]);
    daemon.wait_event(EventName::NextHopUp, &["wan1"]);
    let by = |interface: &str| {
        let ways = (0..200_u8).filter_map(|i| host.way_to([100, 64, i, 7].into()));
        ways.filter(|way| way == interface).count()
    };
    wait_until("both share", Duration::from_secs(10), || by("wan1") > 20);
    assert!((110..180).contains(&by("wan0")), "three of four: {} of 200", by("wan0"));
    lab.kill_router(1);
    wait_until("the other takes all", Duration::from_secs(10), || by("wan1") == 200);
    lab.kill_router(2);
    pause_ms(4000);
    assert!(by("wan0") + by("wan1") == 200, "nobody answers: nothing moves");
}
