//! A host that only answers is kept reachable by those that ask; two such hosts have nothing to do with each other.

use crate::lab::{Lab, Loss, Meter, pause_ms};

#[test]
fn a_responder_moves_with_the_requestor_that_asks_it() {
    let lab = Lab::new(3, "AB");
    let (h1, h2, h3) = (lab.host(1), lab.host(2), lab.host(3));
    let [asker, answerer, other] = [h1.faild("-r"), h2.faild(""), h3.faild("")];
    asker.wait_hears(&[h2, h3]);
    answerer.wait_hears(&[h1]);
    other.wait_hears(&[h1]);
    let meter = Meter::on_lan('A', h2, h1);
    pause_ms(300);
    lab.cut_lan('A', Loss::Silent);
    lab.wait_moved(h1, h2, 'A', 'B');
    lab.wait_moved(h1, h3, 'A', 'B');
    pause_ms(300);
    meter.finish_after_failover();
    assert!(h2.goes_by('A', h3.v4('A')), "two responders know nothing of each other");
    lab.heal_lan('A');
    lab.wait_home();
}
