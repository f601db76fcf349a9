//! A TCP connection goes on across failover and failback: no reset, no byte lost, and a stall that nobody notices.

use std::time::Duration;

use crate::lab::{Family, Lab, Loss, Transfer, pause_ms};

/// The outage, and TCP's retransmission timer after it: about as long again.
const STALL: Duration = Duration::from_secs(2);

#[test]
fn an_ipv4_connection_goes_on() {
    assert_goes_on(Family::V4);
}

#[test]
fn an_ipv6_connection_goes_on() {
    assert_goes_on(Family::V6);
}

fn assert_goes_on(family: Family) {
    let lab = Lab::new(2, "AB");
    let (h1, h2) = (lab.host(1), lab.host(2));
    let _daemons = lab.faild_everywhere("-r");
    let transfer = Transfer::start(h1, h1.address('A', family), h2, h2.address('A', family));
    pause_ms(1000);
    for _ in 0..2 {
        lab.cut_lan('A', Loss::Silent);
        lab.wait_moved(h1, h2, 'A', 'B');
        pause_ms(1500);
        lab.heal_lan('A');
        lab.wait_home();
        pause_ms(500);
    }
    let received = transfer.finish();
    assert!(received.longest_stall < STALL, "{received:?}");
    eprintln!("longest stall of {family:?}: {:?}", received.longest_stall);
}
