//! The administrator takes an interface down and up again.

use crate::lab::{Family, Lab, Loss, Meter, Transfer, pause_ms};

#[test]
fn traffic_goes_on_while_an_interface_is_down() {
    let lab = Lab::alone(2, "AB");
    let (h1, h2) = (lab.host(1), lab.host(2));
    let _daemons = lab.faild_everywhere("-r");
    let meter = Meter::on_lan('A', h1, h2);
    pause_ms(300);
    h2.ip("link set lanA down");
    h1.wait_way('B', h2.v4('A'));
    h2.wait_way('B', h1.v4('A'));
    pause_ms(300);
    meter.finish_after_failover();
    h2.ip("link set lanA up");
    lab.wait_home();
    assert!(h1.goes_by('A', h2.v4('A')) && h2.goes_by('A', h1.v4('A')));
}

#[test]
fn an_ipv6_connection_outlives_its_interface_being_down() {
    let lab = Lab::alone(2, "AB");
    let (h1, h2) = (lab.host(1), lab.host(2));
    let _daemons = lab.faild_everywhere("-r");
    let before = h2.ip("-6 -br addr show lanA");
    let transfer = Transfer::start(h1, h1.v6('A'), h2, h2.v6('A'));
    pause_ms(300);
    h2.ip("link set lanA down");
    h1.wait_way('B', h2.v6('A'));
    let progress = transfer.progress();
    pause_ms(3000);
    assert!(transfer.progress() > progress, "the connection stands still");
    h2.ip("link set lanA up");
    lab.wait_home();
    transfer.finish();
    let waiting = h2.ip("-6 addr show dev lo");
    assert!(!waiting.contains(&h2.v6('A').to_string()), "still waits on lo: {waiting}");
    assert!(h2.ip("-6 addr show lanA").contains(&h2.v6('A').to_string()), "not put back; before: {before}");
}

#[test]
fn a_service_address_outlives_its_home_interface_on_both_sides() {
    let lab = Lab::alone(2, "AB");
    let (h1, h2) = (lab.host(1), lab.host(2));
    for (here, there) in lab.pairs() {
        for (lan, metric) in [('A', 100), ('B', 200)] {
            let (to, via) = (there.service(Family::V4), there.v4(lan));
            here.ip(&format!("route add {to} via {via} metric {metric} src {}", here.service(Family::V4)));
        }
    }
    let _daemons = lab.faild_everywhere("-r");
    let meter = Meter::start(h1, h1.service(Family::V4), h2, h2.service(Family::V4));
    pause_ms(300);
    h2.ip("link set lanA down");
    h1.wait_way('B', h2.service(Family::V4));
    pause_ms(300);
    meter.finish_after_failover();
    h2.ip("link set lanA up");
    lab.wait_home();
    h2.wait_way('A', h1.service(Family::V4));
}

#[test]
fn addresses_that_somebody_flushes_are_not_put_anywhere() {
    let lab = Lab::alone(2, "AB");
    let (h1, h2) = (lab.host(1), lab.host(2));
    let daemons = lab.faild_everywhere("-r");
    lab.cut_lan('A', Loss::Silent);
    lab.wait_moved(h1, h2, 'A', 'B');
    h2.ip("addr flush dev lanA");
    pause_ms(3000);
    let left = h2.ip("-br addr show");
    assert!(!left.contains("10.77.1.2") && !left.contains("fd77:1::2"), "{left}");
    assert!(!daemons[1].log().contains("address-"), "{}", daemons[1].log());
}
