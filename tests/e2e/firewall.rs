//! A firewall begins to drop the port while faild runs: the log names it, once.

use crate::lab::{EventName, Lab, pause_ms};

#[test]
fn a_port_that_a_firewall_begins_to_drop_is_named_once() {
    let lab = Lab::new(2, "AB");
    let (h1, h2) = (lab.host(1), lab.host(2));
    let daemons = lab.faild_everywhere("-r");
    let rule = "iifname lanA udp dport 64029 drop;";
    h2.nft(&format!("table inet t {{ chain c {{ type filter hook input priority 0; {rule} }}; }}"));
    let address = format!("address={} ", h2.v4('A'));
    daemons[0].wait_event(EventName::PortFiltered, &["interface=lanA", &address]);
    h1.wait_way('B', h2.v4('A'));
    pause_ms(1000);
    let mut told = daemons[0].told(EventName::PortFiltered);
    told.retain(|line| line.contains(&address));
    assert_eq!(told.len(), 1, "{}", daemons[0].log());
}
