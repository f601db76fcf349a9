//! LANs that do not carry broadcasts.

use crate::lab::{Lab, Loss, Meter, Watch, pause_ms};

/// What a switch with storm control does to probes: no broadcast, no multicast, but neighbour discovery.
const NO_BROADCASTS: &str = "ether daddr & 01:00:00:00:00:00 != 0 udp dport 64029 drop;";

#[test]
fn configured_peers_need_no_broadcast() {
    let lab = Lab::new(2, "AB");
    let (h1, h2) = (lab.host(1), lab.host(2));
    lab.filter_switch("storm", NO_BROADCASTS);
    let daemons = [(h1, h2), (h2, h1)]
        .map(|(here, there)| here.faild(&format!("-r {}", here.configure(&there.as_peer()))));
    lab.settle(&daemons);
    let meter = Meter::on_lan('A', h1, h2);
    pause_ms(300);
    lab.cut_lan('A', Loss::Silent);
    lab.wait_moved(h1, h2, 'A', 'B');
    pause_ms(300);
    meter.finish_after_failover();
    lab.heal_lan('A');
    lab.wait_home();
}

#[test]
fn nobody_moves_when_a_switch_begins_to_filter_broadcasts() {
    let lab = Lab::new(2, "AB");
    let (h1, h2) = (lab.host(1), lab.host(2));
    let _daemons = lab.faild_everywhere("-r");
    let watches = lab.watch();
    lab.filter_switch("storm", NO_BROADCASTS);
    pause_ms(3000);
    watches.iter().for_each(Watch::assert_nothing_moved);
    // And the fault that comes then is still seen.
    lab.cut_lan('A', Loss::Silent);
    lab.wait_moved(h1, h2, 'A', 'B');
}
