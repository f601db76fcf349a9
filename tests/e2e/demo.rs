//! The demo is what a newcomer sees first: it works, and leaves nothing behind.

use std::process::Command;

use crate::lab::FAILD;

#[test]
fn the_demo_shows_a_failover_and_a_failback() {
    let output =
        Command::new("scripts/demo").env("FAILD", FAILD).output().expect("cannot start scripts/demo");
    let (shown, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{shown}\n{errors}");
    for wanted in ["LAN A dies", "via 10.77.2.3 dev lanB", "LAN A heals", "all of them right"] {
        assert!(shown.contains(wanted), "no {wanted:?} in\n{shown}");
    }
    let namespaces = Command::new("ip").args(["netns", "list"]).output().expect("cannot start ip");
    let left = String::from_utf8_lossy(&namespaces.stdout).into_owned();
    assert!(!left.contains("faild-demo-"), "left behind: {left}");
}
