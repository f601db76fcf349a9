//! A disk that was copied: two hosts bear one node id.

use std::fs;
use std::time::Duration;

use crate::lab::{EventName, Host, Lab, told, wait_until};

#[test]
fn the_hosts_that_bear_one_id_are_told_by_their_hardware() {
    let lab = Lab::new(3, "AB");
    let (h1, h2, h3) = (lab.host(1), lab.host(2), lab.host(3));
    let mut first = h2.faild("-r");
    first.wait_event(EventName::Ready, &[]);
    first.terminate();
    drop(first);
    fs::create_dir_all(h3.state_dir()).expect("cannot make a directory");
    fs::copy(h2.state_dir().join("state.toml"), h3.state_dir().join("state.toml")).expect("no state to copy");
    // Both kernels know both on all LANs.
    for lan in ['A', 'B'] {
        for (from, to) in [(h2, h3), (h3, h2)] {
            from.sh(&format!("ping -c1 -W1 {0}; ping -c1 -W1 {1}", to.v4(lan), to.v6(lan)));
        }
    }
    let (bystander, original, copy) = (h1.faild(""), h2.faild("-r"), h3.faild("-r"));
    // One of the two learns of the other and draws a new id; it knows its own hardware, and the kernel the other's.
    wait_until("one of the two draws a new id", Duration::from_secs(20), || {
        [&original, &copy].iter().any(|daemon| daemon.log().contains("action=\"drawing a new node id\""))
    });
    let log = original.log() + &copy.log();
    let told = told(&log, EventName::DuplicateNodeId);
    let macs = ['A', 'B'].map(|lan| [h2, h3].map(|host| hardware_address(host, lan)));
    let names_both = |line: &String| macs.iter().any(|pair| pair.iter().all(|mac| line.contains(mac)));
    assert!(told.iter().any(names_both), "{macs:?} {told:#?}");
    bystander.wait_hears(&[h2, h3]);
}

fn hardware_address(host: &Host, lan: char) -> String {
    let link = host.ip(&format!("-br link show dev lan{lan}"));
    link.split_whitespace().nth(2).expect("no hardware address").to_owned()
}
