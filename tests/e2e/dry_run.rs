//! `--dry-run` probes, decides and logs; it changes nothing, and its peers know.

use crate::lab::{EventName, Lab, Loss, pause_ms};

#[test]
fn an_observer_logs_what_it_would_do_and_does_nothing() {
    let lab = Lab::new(3, "AB");
    let (h1, h2, h3) = (lab.host(1), lab.host(2), lab.host(3));
    let daemons = [h1.faild("-r --dry-run"), h2.faild("-r"), h3.faild("-r")];
    lab.settle(&daemons);
    let (watch, before) = (h1.watch(), (h1.foreign_routes(), h1.ip("addr")));
    lab.cut_lan('A', Loss::Silent);
    lab.wait_moved(h2, h3, 'A', 'B');
    let wanted = [h2.v4('A').to_string(), h2.v4('B').to_string()];
    daemons[0].wait_event(EventName::KernelOperation, &["dry-run=yes", &wanted[0], &wanted[1], "lanB"]);
    for event in [EventName::PeerFailover, EventName::OverlayInstalled] {
        daemons[0].wait_event(event, &[&wanted[0], "lanB", "dry-run=yes"]);
    }
    daemons[1].wait_event(EventName::OverlayInstalled, &[]);
    assert!(!daemons[1].log().contains("dry-run=yes"));
    pause_ms(500);
    watch.assert_nothing_moved();
    assert_eq!((h1.foreign_routes(), h1.ip("addr")), before);
    lab.heal_lan('A');
    lab.wait_home();
}
