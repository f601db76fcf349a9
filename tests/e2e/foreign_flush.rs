//! Somebody else removes or adds routes while traffic is moved.

use crate::lab::{Lab, Loss, Meter, pause_ms};

#[test]
fn overlays_that_somebody_flushes_come_back() {
    let lab = Lab::new(2, "AB");
    let (h1, h2) = (lab.host(1), lab.host(2));
    let _daemons = lab.faild_everywhere("-r");
    lab.cut_lan('A', Loss::Silent);
    lab.wait_moved(h1, h2, 'A', 'B');
    h1.ip("route flush proto 250");
    h1.ip("-6 route flush proto 250");
    lab.wait_moved(h1, h2, 'A', 'B');
}

#[test]
fn a_program_that_flushes_all_the_time_is_not_fought_in_a_loop() {
    let lab = Lab::new(2, "AB");
    let (h1, h2) = (lab.host(1), lab.host(2));
    let _daemons = lab.faild_everywhere("-r");
    lab.cut_lan('A', Loss::Silent);
    lab.wait_moved(h1, h2, 'A', 'B');
    let watch = h1.watch();
    for _ in 0..60 {
        h1.ip("route flush proto 250");
        pause_ms(50);
    }
    let laid = watch.laid(&h2.v4('A').to_string());
    assert!(laid < 30, "laid {laid} times in 3 seconds");
    // Once it is left alone, it comes back for good.
    h1.wait_way('B', h2.v4('A'));
}

#[test]
fn flushing_is_a_complete_undo() {
    let lab = Lab::new(2, "AB");
    let (h1, h2) = (lab.host(1), lab.host(2));
    h1.ip(&format!("route add 10.99.0.0/24 via {}", h2.v4('A')));
    let mut daemons = lab.faild_everywhere("-r");
    let before = h1.foreign_routes();
    lab.cut_lan('A', Loss::Silent);
    lab.wait_moved(h1, h2, 'A', 'B');
    daemons[0].kill();
    h1.ip("route flush proto 250");
    h1.ip("-6 route flush proto 250");
    assert_eq!(h1.overlays(), Vec::<String>::new());
    assert_eq!(h1.foreign_routes(), before);
}

#[test]
fn traffic_is_unharmed_while_another_routing_table_is_busy() {
    let lab = Lab::new(2, "AB");
    let (h1, h2) = (lab.host(1), lab.host(2));
    let _daemons = lab.faild_everywhere("-r");
    lab.cut_lan('A', Loss::Silent);
    lab.wait_moved(h1, h2, 'A', 'B');
    let meter = Meter::on_lan('A', h1, h2);
    // More notifications than a socket buffer holds: ENOBUFS, and a dump.
    let line = |n: u32| format!("route add 10.{}.{}.0/24 dev lo table 77\n", 100 + n / 256, n % 256);
    let lines: String = (0..20_000).map(line).collect();
    std::fs::write(h1.file("batch"), lines).expect("cannot write the batch");
    h1.ip(&format!("-batch {}", h1.file("batch").display()));
    pause_ms(500);
    lab.wait_moved(h1, h2, 'A', 'B');
    meter.finish_unharmed();
    lab.heal_lan('A');
    lab.wait_home();
}
