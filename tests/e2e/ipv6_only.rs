//! Hosts without any IPv4 address.

use crate::lab::{Lab, Loss, Meter, Transfer, pause_ms};

#[test]
fn hosts_without_ipv4_are_kept_reachable() {
    let lab = Lab::ipv6_only(3, "AB");
    let (h1, h2) = (lab.host(1), lab.host(2));
    let _daemons = lab.faild_everywhere("-r");
    let meter = Meter::start(h1, h1.v6('A'), h2, h2.v6('A'));
    let transfer = Transfer::start(h2, h2.v6('A'), h1, h1.v6('A'));
    pause_ms(300);
    lab.cut_lan('A', Loss::Silent);
    lab.pairs().for_each(|(here, there)| lab.wait_moved(here, there, 'A', 'B'));
    pause_ms(500);
    meter.finish_after_failover();
    lab.heal_lan('A');
    lab.wait_home();
    transfer.finish();
}
