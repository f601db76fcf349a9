//! Rights: faild runs as its own user with the capabilities that it needs, and everything works all the same. (All
//! other tests here run so, too.)

use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, fchown};
use std::path::Path;
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::lab::{Daemon, EventName, FAILD_UID, Lab, Loss, told, wait_until};

#[test]
fn it_keeps_two_capabilities_and_works() {
    let lab = Lab::new(2, "AB");
    let (h1, h2) = (lab.host(1), lab.host(2));
    let daemons = lab.faild_everywhere("-r");
    let own = rights(&daemons[0]);
    assert!(own.len() == 1, "all its threads have the same rights: {own:?}");
    let user = format!("{FAILD_UID} {FAILD_UID} {FAILD_UID} {FAILD_UID}");
    assert_eq!(
        own[0],
        [&user, &user, &FAILD_UID.to_string(), NONE, NET_ADMIN_RAW, NET_ADMIN_RAW, NONE, NONE, "1"]
    );
    lab.cut_lan('A', Loss::Silent);
    lab.wait_moved(h1, h2, 'A', 'B');
    lab.heal_lan('A');
    lab.wait_home();
    for file in ["", "state.toml"] {
        let path = h1.state_dir().join(file);
        assert_eq!(owner(&path), FAILD_UID, "{}", path.display());
    }
}

#[test]
fn an_interface_that_comes_later_is_probed_and_moved_from() {
    let lab = Lab::new(2, "AB");
    let (h1, h2) = (lab.host(1), lab.host(2));
    let daemons = lab.faild_everywhere("-r");
    h1.ip("link del lanA");
    lab.wait_moved(h1, h2, 'A', 'B');
    h1.attach('A', lab.switch());
    lab.wait_home();
    lab.settle(&daemons);
    lab.cut_lan('A', Loss::Silent);
    lab.wait_moved(h1, h2, 'A', 'B');
}

#[test]
fn its_log_is_opened_again_if_it_is_made_for_its_user() {
    let lab = Lab::new(1, "AB");
    let h1 = lab.host(1);
    let log = h1.file("faild.log");
    let daemon = h1.faild(&format!("-r -l {}", log.display()));
    daemon.wait_event(EventName::Ready, &[]);
    assert_eq!(owner(&log), FAILD_UID, "root made it, and hands it over");
    fs::rename(&log, h1.file("faild.log.1")).expect("cannot rename the log");
    daemon.signal(Signal::SIGHUP);
    let old = || fs::read_to_string(h1.file("faild.log.1")).unwrap_or_default();
    wait_until("the old log tells that it is still in use", PATIENCE, || {
        told(&old(), EventName::LogReopenFailed).iter().any(|line| line.contains("create 640 faild"))
    });
    // What logrotate does by `create`.
    fchown(File::create(&log).expect("cannot make a log"), Some(FAILD_UID), None).expect("cannot chown");
    daemon.signal(Signal::SIGHUP);
    daemon.wait_event(EventName::LogReopened, &[]);
}

#[test]
fn a_low_port_costs_one_capability_more() {
    let lab = Lab::new(2, "AB");
    let daemons = lab.faild_everywhere("-r -p 640");
    assert_eq!(rights(&daemons[0])[0][4], "0000000000003400");
}

#[test]
fn where_there_is_no_such_user_it_stays_root_with_those_capabilities_and_says_so_once() {
    let lab = Lab::new(2, "AB");
    let (h1, h2) = (lab.host(1), lab.host(2));
    h1.set_users("root:x:0:0::/root:/bin/sh\n");
    let daemons = lab.faild_everywhere("-r");
    let warnings = daemons[0].told(EventName::RunningAsRoot);
    assert!(warnings.len() == 1 && warnings[0].contains("fix=\"useradd --system"), "{warnings:?}");
    let rights = rights(&daemons[0]);
    assert_eq!((rights.len(), rights[0][0].as_str()), (1, "0 0 0 0"));
    assert_eq!(rights[0][3..], [NONE, NET_ADMIN_RAW, NET_ADMIN_RAW, NET_ADMIN_RAW, NONE, "1"]);
    lab.cut_lan('A', Loss::Silent);
    lab.wait_moved(h1, h2, 'A', 'B');
}

#[test]
fn files_of_a_run_as_root_are_taken_over_and_back() {
    let lab = Lab::new(2, "AB");
    let h1 = lab.host(1);
    let other = lab.host(2).faild("-r");
    let mut nodes = Vec::new();
    for (user, uid) in [("root", 0), ("faild", FAILD_UID), ("root", 0)] {
        fs::write(h1.file("log"), "").expect("cannot empty the log");
        let mut daemon = h1.faild(&format!("-r --user {user}"));
        daemon.wait_hears(&[other.host()]);
        assert!(daemon.told(EventName::RunningAsRoot).is_empty(), "it was asked for");
        nodes.push(fs::read_to_string(h1.state_dir().join("state.toml")).expect("no state"));
        assert_eq!(owner(&h1.state_dir().join("state.toml")), uid);
        assert!(daemon.terminate().success());
    }
    let node = |text: &String| text.lines().find(|line| line.starts_with("node")).map(str::to_owned);
    assert!(node(&nodes[0]).is_some() && nodes.iter().all(|text| node(text) == node(&nodes[0])), "{nodes:?}");
}

#[test]
fn what_a_crash_leaves_is_adopted_and_the_end_lifts_it() {
    let lab = Lab::new(2, "AB");
    let (h1, h2) = (lab.host(1), lab.host(2));
    let mut daemons = lab.faild_everywhere("-r");
    lab.cut_lan('A', Loss::Silent);
    lab.wait_moved(h1, h2, 'A', 'B');
    daemons[0].kill();
    daemons[0].restart();
    daemons[0].wait_event(EventName::DetourAdopted, &[]);
    lab.heal_lan('A');
    lab.wait_home();
    assert!(daemons[0].terminate().success());
}

#[test]
fn a_key_file_that_it_could_not_read_again_is_told() {
    let lab = Lab::new(1, "A");
    let h1 = lab.host(1);
    let flags = format!("-r {}", h1.configure_keys(&[1]));
    let closed = h1.faild(&flags);
    let line = closed.wait_event(EventName::KeyFileUnreadable, &[]);
    let keys = h1.file("keys");
    let mend = format!("chgrp faild {0} && chmod 640 {0}", keys.display());
    assert!(line.contains(&mend), "{line}");
    drop(closed);
    fs::write(h1.file("log"), "").expect("cannot empty the log");
    chown(&keys, None, Some(FAILD_UID)).expect("cannot chgrp");
    fs::set_permissions(&keys, fs::Permissions::from_mode(0o640)).expect("cannot chmod");
    let open = h1.faild(&flags);
    open.wait_event(EventName::Ready, &[]);
    assert!(open.told(EventName::KeyFileUnreadable).is_empty(), "{}", open.log());
}

#[test]
fn a_user_that_does_not_exist_is_refused() {
    let lab = Lab::new(1, "A");
    let refused = lab.host(1).run_faild("--user nobody-here");
    assert_eq!(refused.code, Some(1));
    assert!(refused.errors.contains("useradd --system") && refused.errors.trim().lines().count() == 1);
}

/// Users, groups, capabilities (inheritable, permitted, effective, bounding, ambient) and no-new-privs of all threads,
/// each set of them once.
fn rights(daemon: &Daemon) -> Vec<Vec<String>> {
    let tasks = fs::read_dir(format!("/proc/{}/task", daemon.pid())).expect("the daemon is gone");
    let mut all: Vec<Vec<String>> = tasks
        .flatten()
        .filter_map(|task| fs::read_to_string(task.path().join("status")).ok())
        .map(|status| KEYS.iter().map(|key| value(&status, key)).collect())
        .collect();
    all.sort();
    all.dedup();
    all
}

fn value(status: &str, key: &str) -> String {
    let line = status.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
    line.unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ")
}

fn owner(path: &Path) -> u32 {
    fs::metadata(path).unwrap_or_else(|e| panic!("{}: {e}", path.display())).uid()
}

const KEYS: [&str; 9] =
    ["Uid", "Gid", "Groups", "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs"];
const NONE: &str = "0000000000000000";
const NET_ADMIN_RAW: &str = "0000000000003000";
const PATIENCE: Duration = Duration::from_secs(15);
