//! Real-time priority and locked memory: taken where the system allows it, never handed on, and done without elsewhere.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::process::Command;
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::lab::{Daemon, EventName, FAILD_UID, Lab, Loss, told, wait_until};

#[test]
fn it_runs_at_the_lowest_real_time_priority_and_its_memory_is_locked() {
    if !is_possible() {
        return;
    }
    let lab = Lab::new(1, "AB");
    let h1 = lab.host(1);
    let daemon = h1.faild("-r");
    let line = daemon.wait_event(EventName::RealtimeOk, &[]);
    assert!(line.contains("info realtime-ok priority=1"), "{line}");
    daemon.wait_event(EventName::Ready, &[]);
    assert_eq!(scheduling(&daemon), real_time());
    let shown = status(h1);
    let realtime = &shown["realtime"];
    assert_eq!((&realtime["wanted"], &realtime["priority"]), (&true.into(), &1.into()));
    let can_lock = can_raise_limits();
    assert_eq!((locked_kb(&daemon) != 0, &realtime["memory_locked"]), (can_lock, &can_lock.into()));
    assert_eq!(realtime["problems"].as_array().map(Vec::is_empty), Some(can_lock));
    assert_eq!(h1.faildctl("status").text.contains("realtime"), !can_lock, "said only if there is something");
}

#[test]
fn neither_threads_nor_hooks_inherit_it() {
    if !is_possible() {
        return;
    }
    let lab = Lab::new(2, "AB");
    let h1 = lab.host(1);
    let (hook, told) = (h1.file("hook"), h1.file("told"));
    // The second line is complete once the hook has tried to take the priority for itself.
    let script = format!(
        "#!/bin/sh\nexec >>{0} 2>&1\nchrt -p $$ | tr '\\n' ' '\necho locked $(sed -n 's/VmLck:[^0-9]*//p' /proc/self/status) \
         rtprio $(ulimit -r)\nchrt -r -p 1 $$\necho end\n",
        told.display()
    );
    fs::write(&hook, script).expect("cannot write the hook");
    fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).expect("cannot chmod");
    fs::write(&told, "").expect("cannot make a file");
    chown(&told, Some(FAILD_UID), None).expect("cannot chown");
    let settings = format!("[[hook]]\ncommand = [\"{}\"]\nevents = [\"peer-failover\"]\n", hook.display());
    let daemons = [h1.faild(&format!("-r {}", h1.configure(&settings))), lab.host(2).faild("-r")];
    daemons[0].wait_event(EventName::RealtimeOk, &[]);
    lab.settle(&daemons);
    lab.cut_lan('A', Loss::Silent);
    let mut text = String::new();
    wait_until("the hook has ended", PATIENCE, || {
        text = fs::read_to_string(&told).unwrap_or_default();
        text.contains("\nend\n")
    });
    let first = text.lines().next().unwrap_or_default();
    assert!(first.contains("SCHED_OTHER") && first.contains("priority: 0"), "{text}");
    assert!(first.ends_with("locked 0 kB rtprio 0"), "{text}");
    assert!(text.contains("Operation not permitted"), "{text}");
    let threads = fs::read_dir(format!("/proc/{}/task", daemons[0].pid())).expect("the daemon is gone");
    for thread in threads.flatten().filter(|thread| thread.file_name() != *daemons[0].pid().to_string()) {
        let stat = fs::read_to_string(thread.path().join("stat")).unwrap_or_default();
        assert_ne!(policy(&stat), real_time(), "{stat}");
    }
}

#[test]
fn where_it_is_forbidden_faild_works_without_says_so_once_and_shows_it() {
    let lab = Lab::new(2, "AB");
    let (h1, h2) = (lab.host(1), lab.host(2));
    let daemons = [h1.faild_by(POWERLESS, "-r"), h2.faild("-r")];
    lab.settle(&daemons);
    let log = daemons[0].log();
    let [line] = &told(&log, EventName::RealtimeFailed)[..] else { panic!("{log}") };
    assert!(line.contains("cause=\"the limit of real-time priority (RLIMIT_RTPRIO) is 0\""), "{line}");
    assert!(line.contains("fix=\"restart faild as root, or with LimitRTPRIO=1"), "{line}");
    let [line] = &told(&log, EventName::MemoryLockFailed)[..] else { panic!("{log}") };
    assert!(line.contains("RLIMIT_MEMLOCK) is 64 kB") && line.contains("LimitMEMLOCK=infinity"), "{line}");
    assert_eq!((scheduling(&daemons[0]), locked_kb(&daemons[0])), (ordinary(), 0));
    let shown = status(h1);
    let realtime = &shown["realtime"];
    assert_eq!((&realtime["wanted"], &realtime["memory_locked"]), (&true.into(), &false.into()));
    assert_eq!((realtime.get("priority"), realtime["problems"].as_array().map(Vec::len)), (None, Some(2)));
    assert_eq!(shown["health"], "ok", "traffic is served as well as before");
    let text = h1.faildctl("status").text;
    assert!(text.contains("\nrealtime: not in force: the limit of real-time priority"), "{text}");
    lab.cut_lan('A', Loss::Silent);
    lab.wait_moved(h1, h2, 'A', 'B');
}

#[test]
fn a_control_group_without_real_time_runtime_is_the_same() {
    if !is_possible() || fs::metadata("/sys/fs/cgroup/cpu/cpu.rt_runtime_us").is_err() {
        return eprintln!("SKIPPED: no control groups with real-time runtime here");
    }
    let name = format!("faild-test-{}", std::process::id());
    let group = Group::new(format!("/sys/fs/cgroup/cpu/{name}"));
    let lab = Lab::new(1, "AB");
    let h1 = lab.host(1);
    let (enter, mounted) = (h1.file("enter"), h1.file("groups"));
    // `ip netns exec` has put another /sys over the one with the groups.
    let mounted = mounted.display();
    let script = format!(
        "#!/bin/sh\nset -e\nmkdir {mounted}\nmount -t cgroup -o cpu cgroup {mounted}\necho $$ >{mounted}/{name}/cgroup.procs\n\
         umount {mounted}\nexec \"$@\"\n"
    );
    fs::write(&enter, script).expect("cannot write");
    fs::set_permissions(&enter, fs::Permissions::from_mode(0o755)).expect("cannot chmod");
    let mut daemon = h1.faild_by(&enter.display().to_string(), &format!("-r {}", h1.configure("")));
    let line = daemon.wait_event(EventName::RealtimeFailed, &[]);
    assert!(line.contains("RT_GROUP_SCHED") && line.contains("cpu.rt_runtime_us"), "{line}");
    daemon.wait_event(EventName::Ready, &[]);
    assert_eq!(scheduling(&daemon), ordinary());
    assert_eq!(locked_kb(&daemon) != 0, can_raise_limits(), "that is another matter");
    if !can_raise_limits() {
        return eprintln!("SKIPPED in part: limits cannot be raised here");
    }
    fs::write(format!("{}/cpu.rt_runtime_us", group.0), "100000").expect("cannot give runtime");
    // Sooner than after a minute.
    for setting in ["false", "true"] {
        h1.configure(&format!("realtime = {setting}\n"));
        assert_eq!(h1.faildctl("reload").code, Some(0));
    }
    daemon.wait_event(EventName::RealtimeOk, &[]);
    assert_eq!(scheduling(&daemon), real_time());
    assert!(daemon.terminate().success());
}

#[test]
fn a_reload_takes_it_gives_it_up_and_says_if_that_needs_a_restart() {
    if !is_possible() {
        return;
    }
    let lab = Lab::new(1, "AB");
    let h1 = lab.host(1);
    let mut daemon = h1.faild(&format!("-r {}", h1.configure("realtime = false\n")));
    daemon.wait_event(EventName::Ready, &[]);
    assert!(!daemon.log().contains("realtime"), "{}", daemon.log());
    assert_eq!((scheduling(&daemon), locked_kb(&daemon)), (ordinary(), 0));
    assert_eq!(status(h1)["realtime"]["wanted"], false);
    h1.configure("realtime = true\n");
    let answer = h1.faildctl("reload");
    assert!(answer.text.starts_with("reloaded: realtime\n"), "{}", answer.text);
    assert!(answer.text.contains("warning: realtime is not in force: the limit"), "{}", answer.text);
    assert!(answer.text.contains("restart faild as root"), "{}", answer.text);
    daemon.wait_event(EventName::RealtimeFailed, &[]);
    assert!(daemon.terminate().success());
    daemon.restart();
    daemon.wait_event(EventName::Ready, &[]);
    assert_eq!(scheduling(&daemon), real_time());
    h1.configure("realtime = false\n");
    assert_eq!(h1.faildctl("reload").text, "reloaded: realtime\n");
    assert_eq!((scheduling(&daemon), locked_kb(&daemon)), (ordinary(), 0));
    if !can_raise_limits() {
        return eprintln!("SKIPPED in part: limits cannot be raised here");
    }
    h1.configure("realtime = true\n");
    assert_eq!(h1.faildctl("reload").text, "reloaded: realtime\n");
    assert_eq!(scheduling(&daemon), real_time());
    assert_ne!(locked_kb(&daemon), 0);
}

#[test]
fn the_kernels_signal_for_too_much_cpu_time_lowers_it() {
    if !is_possible() {
        return;
    }
    let lab = Lab::new(1, "AB");
    let h1 = lab.host(1);
    let daemon = h1.faild("-r");
    daemon.wait_event(EventName::Ready, &[]);
    daemon.signal(Signal::SIGXCPU);
    let line = daemon.wait_event(EventName::RealtimeSuspended, &[]);
    assert!(line.contains("error realtime-suspended cause="), "{line}");
    assert_eq!(scheduling(&daemon), ordinary());
    let text = h1.faildctl("status").text;
    assert!(text.contains("\nrealtime: not in force: suspended"), "{text}");
    assert_eq!(locked_kb(&daemon) != 0, can_raise_limits(), "memory is another matter");
}

#[test]
fn a_priority_that_it_was_started_with_is_kept() {
    if !is_possible() {
        return;
    }
    let lab = Lab::new(1, "AB");
    let daemon = lab.host(1).faild_by("chrt -f 3", "-r");
    daemon.wait_event(EventName::RealtimeOk, &["priority=3"]);
    daemon.wait_event(EventName::Ready, &[]);
    assert_eq!(scheduling(&daemon), ("3".to_owned(), "1".to_owned()));
}

/// Whether this machine allows it; says so if not.
fn is_possible() -> bool {
    let is_possible =
        Command::new("chrt").args(["-r", "1", "true"]).status().is_ok_and(|status| status.success());
    if !is_possible {
        eprintln!("SKIPPED: no real-time priority here");
    }
    is_possible
}

/// Whether root may raise limits here, which takes CAP_SYS_RESOURCE.
fn can_raise_limits() -> bool {
    Command::new("prlimit")
        .args(["--memlock=unlimited:unlimited", "--rtprio=1:1", "true"])
        .status()
        .is_ok_and(|status| status.success())
}

/// A control group without real-time runtime, removed in the end.
struct Group(String);

impl Group {
    fn new(path: String) -> Self {
        fs::create_dir(&path).expect("cannot make a control group");
        Self(path)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.0);
    }
}

/// Priority and policy of its main thread, as in proc_pid_stat(5).
fn scheduling(daemon: &Daemon) -> (String, String) {
    policy(&fs::read_to_string(format!("/proc/{}/stat", daemon.pid())).expect("the daemon is gone"))
}

fn policy(stat: &str) -> (String, String) {
    let mut fields =
        stat.rsplit(") ").next().unwrap_or_default().split_whitespace().skip(37).map(str::to_owned);
    (fields.next().unwrap_or_default(), fields.next().unwrap_or_default())
}

fn real_time() -> (String, String) {
    ("1".to_owned(), "2".to_owned())
}

fn ordinary() -> (String, String) {
    ("0".to_owned(), "0".to_owned())
}

fn locked_kb(daemon: &Daemon) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", daemon.pid())).expect("the daemon is gone");
    let line = status.lines().find_map(|line| line.strip_prefix("VmLck:")).unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse().expect("no VmLck")
}

fn status(host: &crate::lab::Host) -> serde_json::Value {
    let answer = host.faildctl("status --json");
    let value: serde_json::Value = serde_json::from_str(&answer.text).expect("no JSON");
    value["status"].clone()
}

/// Root without the rights that it takes, and with limits as they are by default.
const POWERLESS: &str =
    "setpriv --bounding-set=-sys_nice,-sys_resource,-ipc_lock prlimit --rtprio=0 --memlock=65536";
const PATIENCE: Duration = Duration::from_secs(15);
