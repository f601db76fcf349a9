//! Settings change while everything runs: what they do not concern goes on, traffic most of all.

use std::fs;
use std::path::PathBuf;

use nix::sys::signal::Signal;

use crate::lab::{Daemon, EventName, FAILD, Host, Lab, Loss, Meter, pause_ms, told, wait_until};

/// Settings of the tests' timing on these LANs, and more.
fn settings(lans: &str, more: &str) -> String {
    let lans: String = lans.chars().map(|lan| format!("[[lan]]\ninterface = \"lan{lan}\"\n")).collect();
    format!("requestor = true\ninterval = \"50ms\"\ngood = 5\n{more}\n{lans}")
}

/// A daemon on each host with these settings in a file, which hear each other.
fn start<'a>(lab: &'a Lab, text: &str) -> Vec<Daemon<'a>> {
    let start = |host: &'a Host| host.faild_with(&format!("-v {}", host.configure(text)));
    let daemons: Vec<Daemon> = lab.hosts().iter().map(start).collect();
    lab.settle(&daemons);
    daemons
}

/// Other settings for a host, taken over.
#[track_caller]
fn reload(host: &Host, text: &str, changes: &str) {
    host.configure(text);
    let answer = host.faildctl("reload");
    assert_eq!(answer.code, Some(0), "{answer:?}");
    assert!(answer.text.starts_with(&format!("reloaded: {changes}")), "{answer:?}");
}

/// Times that a daemon has told of one of these.
fn count(daemon: &Daemon, events: &[EventName]) -> usize {
    events.iter().map(|event| daemon.told(*event).len()).sum()
}

/// What there is to tell when something moves.
const MOVES: &[EventName] = &[
    EventName::KernelOperation,
    EventName::PathFound,
    EventName::PathUp,
    EventName::PathDown,
    EventName::PathUnknown,
];

#[test]
fn the_same_settings_again_write_nothing_to_the_kernel() {
    let lab = Lab::new(2, "AB");
    let (h1, h2) = (lab.host(1), lab.host(2));
    let daemons = start(&lab, &settings("AB", ""));
    lab.cut_lan('A', Loss::Silent);
    lab.wait_moved(h1, h2, 'A', 'B');
    pause_ms(300);
    let watch = h1.watch();
    let before = (h1.overlays(), count(&daemons[0], MOVES));
    for _ in 0..3 {
        daemons[0].signal(Signal::SIGHUP);
    }
    h1.faildctl("reload");
    daemons[0].wait_event(EventName::ReloadDone, &["changes=none"]);
    pause_ms(500);
    let after = (h1.overlays(), count(&daemons[0], MOVES));
    assert_eq!(after, before);
    watch.assert_nothing_moved();
}

#[test]
fn a_reload_during_a_failover_loses_no_packet() {
    let lab = Lab::new(2, "AB");
    let (h1, h2) = (lab.host(1), lab.host(2));
    let daemons = start(&lab, &settings("AB", ""));
    lab.cut_lan('A', Loss::Silent);
    lab.wait_moved(h1, h2, 'A', 'B');
    let (before, meter) = (h1.overlays(), Meter::on_lan('A', h1, h2));
    pause_ms(200);
    let others = "missed = 3\npacket-budget = 5000\nexclude = []\n[damping]\npenalty = 500\n\
                  [failback]\npolicy = \"delay\"\ndelay = \"1s\"\n";
    for host in lab.hosts() {
        reload(host, &settings("AB", others), "missed, packet-budget, damping, failback");
    }
    pause_ms(500);
    assert_eq!(h1.overlays(), before);
    for host in lab.hosts() {
        let slower =
            settings("AB", "").replace("50ms", "200ms").replace("[[lan]]", "[[lan]]\nbroadcast = true");
        reload(host, &slower, "interval, missed, packet-budget, damping, failback");
    }
    pause_ms(2000);
    assert_eq!(h1.overlays(), before);
    let lost = daemons.iter().map(|daemon| count(daemon, &[EventName::PeerDown])).sum::<usize>();
    assert_eq!(lost, 0, "nobody is lost when the interval grows");
    meter.finish_unharmed();
    lab.heal_lan('A');
    lab.wait_home();
}

#[test]
fn a_lan_leaves_with_its_overlays_and_comes_back() {
    let lab = Lab::new(2, "AB");
    let (h1, h2) = (lab.host(1), lab.host(2));
    let daemons = start(&lab, &settings("AB", ""));
    lab.cut_lan('A', Loss::Silent);
    lab.wait_moved(h1, h2, 'A', 'B');
    let sockets = || String::from_utf8_lossy(&h1.sh("ss -Huln").stdout).matches("%lanA").count();
    assert!(sockets() > 0);
    let foreign = h1.foreign_routes();
    reload(h1, &settings("B", ""), "lan");
    h1.wait_home();
    assert_eq!((sockets(), h1.foreign_routes()), (0, foreign));
    h2.wait_home();
    let lans = h1.faildctl("lans");
    assert!(lans.text.contains("lanB") && !lans.text.contains("lanA"), "{lans:?}");
    lab.heal_lan('A');
    reload(h1, &settings("AB", ""), "lan");
    lab.settle(&daemons);
    lab.cut_lan('B', Loss::Silent);
    lab.wait_moved(h1, h2, 'B', 'A');
}

#[test]
fn a_file_with_faults_changes_nothing_and_every_fault_is_told() {
    let lab = Lab::new(2, "AB");
    let (h1, h2) = (lab.host(1), lab.host(2));
    let daemons = start(&lab, &settings("AB", ""));
    h1.configure("interval = \"1ms\"\nmissed = 0\nwhat = 1\n");
    let answer = h1.faildctl("reload");
    assert_eq!((answer.code, answer.errors.lines().count()), (Some(1), 3), "{answer:?}");
    for line in ["line 1: interval", "line 2: missed", "line 3: "] {
        assert!(answer.errors.contains(line), "{answer:?}");
        daemons[0].wait_event(EventName::ReloadError, &[line]);
    }
    daemons[0].wait_event(EventName::ReloadRejected, &[]);
    lab.cut_lan('A', Loss::Silent);
    lab.wait_moved(h1, h2, 'A', 'B');
}

#[test]
fn settings_on_trial_go_back_unless_they_are_confirmed() {
    let lab = Lab::new(2, "AB");
    let h1 = lab.host(1);
    let daemons = start(&lab, &settings("AB", ""));
    let other = settings("AB", "missed = 4\n");
    h1.configure(&other);
    assert_eq!(h1.faildctl("reload --confirm 1s").code, Some(0));
    let status = h1.faildctl("status");
    assert!(
        status.text.contains("down after 4 missed") && status.text.contains("unless confirmed"),
        "{status:?}"
    );
    let second = h1.faildctl("reload");
    assert!(second.code == Some(1) && second.errors.contains("faildctl confirm"), "{second:?}");
    daemons[0].wait_event(EventName::ReloadRolledBack, &["changes=missed"]);
    h1.wait_faildctl("status", &["down after 2 missed"]);
    assert_eq!(h1.faildctl("confirm").code, Some(1), "too late");
    assert_eq!(h1.faildctl("reload --confirm 1s").code, Some(0));
    assert_eq!(h1.faildctl("confirm").code, Some(0));
    pause_ms(1500);
    assert!(h1.faildctl("status").text.contains("down after 4 missed"));
}

#[test]
fn what_was_on_trial_when_faild_was_killed_is_in_force_only_when_somebody_takes_it() {
    let lab = Lab::new(2, "AB");
    let h1 = lab.host(1);
    let mut daemons = start(&lab, &settings("AB", ""));
    h1.configure(&settings("AB", "missed = 4\n"));
    assert_eq!(h1.faildctl("reload --confirm 1h").code, Some(0));
    h1.wait_faildctl("status", &["down after 4 missed"]);
    daemons[0].kill();
    daemons[0].restart();
    daemons[0].wait_event(EventName::ConfigUnconfirmed, &["faildctl reload"]);
    h1.wait_faildctl("status", &["down after 2 missed"]);
    daemons[0].signal(Signal::SIGHUP);
    daemons[0].wait_event(EventName::ReloadError, &["run faildctl reload to apply it"]);
    assert_eq!(h1.faildctl("reload").code, Some(0));
    daemons[0].kill();
    daemons[0].restart();
    h1.wait_faildctl("status", &["down after 4 missed"]);
    assert!(!daemons[0].log().contains("unconfirmed"), "{}", daemons[0].log());
}

#[test]
fn another_port_is_taken_by_one_host_after_the_other_and_nothing_moves() {
    let lab = Lab::new(2, "AB");
    let (h1, h2) = (lab.host(1), lab.host(2));
    let daemons = start(&lab, &settings("AB", ""));
    lab.cut_lan('A', Loss::Silent);
    lab.wait_moved(h1, h2, 'A', 'B');
    let meter = Meter::on_lan('A', h1, h2);
    for host in lab.hosts() {
        reload(host, &settings("AB", "port = 7777\n"), "port");
        pause_ms(500);
    }
    meter.finish_unharmed();
    lab.heal_lan('A');
    lab.wait_home();
    lab.settle(&daemons);
}

#[test]
fn paths_of_the_command_line_stay_what_they_were_when_it_has_detached() {
    let lab = Lab::new(1, "AB");
    let h1 = lab.host(1);
    h1.configure(&settings("AB", ""));
    let file: PathBuf = h1.configure("").split_whitespace().nth(1).expect("-c and a file").into();
    let (place, name) = (file.parent().expect("a directory"), file.file_name().expect("a name"));
    let name = name.to_string_lossy();
    let start =
        format!("cd {} && {FAILD} -d -r -t 50ms -c {name} -l d.log --pid-file d.pid", place.display());
    let started = h1.sh(&format!("{start} --state-dir {}", h1.state_dir().display()));
    assert!(started.status.success(), "{}", String::from_utf8_lossy(&started.stderr));
    reload(h1, "missed = 9\n", "missed");
    h1.wait_faildctl("status", &["down after 9 missed"]);
    fs::rename(place.join("d.log"), place.join("d.log.1")).expect("cannot rename the log");
    let pid = fs::read_to_string(place.join("d.pid")).expect("there is a pid file");
    h1.sh(&format!("kill -HUP {pid}"));
    let reloaded = || {
        let log = fs::read_to_string(place.join("d.log")).unwrap_or_default();
        told(&log, EventName::ReloadDone).iter().any(|line| line.contains("changes=none"))
    };
    wait_until("the new log tells of the reload", std::time::Duration::from_secs(20), reloaded);
    assert_eq!(h1.faildctl("stop").code, Some(0));
}
