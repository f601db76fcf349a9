//! Nobody names the LANs: those that are found fail over, and a start in the middle of it finds them again.

use crate::lab::{EventName, Lab, Loss, Meter, pause_ms};

#[test]
fn lans_that_were_found_fail_over_and_are_found_again_by_a_start_meanwhile() {
    let lab = Lab::alone(2, "AB");
    let (h1, h2) = (lab.host(1), lab.host(2));
    let mut daemons = [h1, h2].map(|host| host.faild_with("-r -t 50ms -f 2 -s 5"));
    lab.settle(&daemons);
    daemons[0].wait_event(EventName::LanSelected, &["interface=lanA"]);
    let meter = Meter::on_lan('A', h1, h2);
    pause_ms(300);
    lab.cut_lan('A', Loss::Silent);
    lab.wait_moved(h1, h2, 'A', 'B');
    pause_ms(500);
    meter.finish_after_failover();
    let (before, meter) = (h1.overlays(), Meter::on_lan('A', h1, h2));
    daemons[0].kill();
    daemons[0].restart();
    daemons[0].wait_event(EventName::LanSelected, &["interface=lanA"]);
    daemons[0].wait_event(EventName::DetourAdopted, &[]);
    pause_ms(700);
    assert_eq!(h1.overlays(), before, "what is found serves on");
    meter.finish_unharmed();
    lab.heal_lan('A');
    lab.wait_home();
}
