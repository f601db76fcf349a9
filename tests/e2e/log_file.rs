//! The log file.

use std::fs;
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::lab::{Lab, Loss, wait_until};

#[test]
fn the_log_is_opened_again_on_sighup() {
    let lab = Lab::new(2, "AB");
    let (h1, h2) = (lab.host(1), lab.host(2));
    let (log, old) = (h1.file("faild.log"), h1.file("faild.log.1"));
    // Only root may make files where this log is.
    let first = h1.faild(&format!("-r --user root -l {}", log.display()));
    let second = h2.faild("-r");
    let lines = |path: &std::path::Path| fs::read_to_string(path).unwrap_or_default().lines().count();
    first.wait_hears(&[h2]);
    second.wait_hears(&[h1]);
    fs::rename(&log, &old).expect("cannot rename the log");
    first.signal(Signal::SIGHUP);
    wait_until("there is a new log", Duration::from_secs(15), || log.exists());
    let before = (lines(&log), lines(&old));
    lab.cut_lan('A', Loss::Silent);
    h1.wait_way('B', h2.v4('A'));
    wait_until("the new log has lines", Duration::from_secs(15), || lines(&log) > before.0);
    assert_eq!(lines(&old), before.1, "nothing goes to the old one");
}
