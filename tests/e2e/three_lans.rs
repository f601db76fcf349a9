//! Three LANs: each failure is followed by the next choice, and both ends choose the same.

use crate::lab::{Lab, Loss, Meter, pause_ms};

#[test]
fn two_of_three_lans_may_fail() {
    let lab = Lab::new(2, "ABC");
    let (h1, h2) = (lab.host(1), lab.host(2));
    let _daemons = lab.faild_everywhere("-r");
    let meter = Meter::on_lan('A', h1, h2);
    pause_ms(300);
    lab.cut_lan('A', Loss::Silent);
    lab.wait_moved(h1, h2, 'A', 'B');
    pause_ms(500);
    lab.cut_lan('B', Loss::Silent);
    lab.wait_moved(h1, h2, 'A', 'C');
    lab.wait_moved(h1, h2, 'B', 'C');
    pause_ms(300);
    meter.finish_after_failover();
    lab.heal_lan('A');
    lab.wait_moved(h1, h2, 'A', 'A');
    lab.heal_lan('B');
    lab.wait_home();
}
