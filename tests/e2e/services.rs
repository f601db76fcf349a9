//! What service managers and logrotate get to see, and the files that are shipped for them.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::lab::{EventName, FAILD, FAILD_UID, Host, Lab, told, wait_until};

#[test]
fn a_service_manager_hears_of_the_start_of_reloads_and_of_the_end() {
    let lab = Lab::new(1, "AB");
    let manager = Manager::at(lab.host(1));
    let mut daemon = lab.host(1).faild_in(&[("NOTIFY_SOCKET", &manager.name)], "-r");
    assert_eq!(manager.next(), "READY=1");
    daemon.signal(Signal::SIGHUP);
    let reloading = manager.next();
    let since = reloading.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").expect("no time of the reload");
    assert!(since.parse::<u64>().is_ok(), "{since}");
    assert_eq!(manager.next(), "READY=1");
    assert!(daemon.terminate().success());
    assert_eq!(manager.next(), "STOPPING=1");
    assert_eq!(manager.all(), Vec::<String>::new(), "nobody asked for a watchdog");
}

#[test]
fn the_watchdog_is_fed_as_long_as_the_loop_turns() {
    let lab = Lab::new(1, "AB");
    let manager = Manager::at(lab.host(1));
    let environment = [("NOTIFY_SOCKET", manager.name.as_str()), ("WATCHDOG_USEC", "400000")];
    let daemon = lab.host(1).faild_in(&environment, "");
    assert_eq!(manager.next(), "READY=1");
    for _ in 0..5 {
        assert_eq!(manager.next(), "WATCHDOG=1");
    }
    daemon.signal(Signal::SIGSTOP);
    wait_until("it has stopped", PATIENCE, || state_of(&daemon.pid().to_string()) == "T");
    manager.all();
    assert_eq!(manager.within(Duration::from_secs(1)), None, "a process that hangs feeds nobody");
    daemon.signal(Signal::SIGCONT);
    assert_eq!(manager.next(), "WATCHDOG=1");
}

#[test]
fn a_watchdog_that_is_meant_for_another_process_is_not_fed() {
    let lab = Lab::new(1, "A");
    let manager = Manager::at(lab.host(1));
    let environment =
        [("NOTIFY_SOCKET", manager.name.as_str()), ("WATCHDOG_USEC", "200000"), ("WATCHDOG_PID", "1")];
    let daemon = lab.host(1).faild_in(&environment, "-r");
    assert_eq!(manager.next(), "READY=1");
    daemon.wait_event(EventName::Ready, &[]);
    assert_eq!(manager.within(Duration::from_millis(600)), None);
}

#[test]
fn the_unit_is_sound_and_leaves_little_open() {
    let lab = Lab::new(1, "A");
    let directory = lab.host(1).file("units");
    fs::create_dir(&directory).expect("cannot make a directory");
    let unit = directory.join("faild.service");
    fs::write(&unit, text("scripts/faild.service").replace("/usr/local/sbin/faild", FAILD))
        .expect("cannot write");
    let verified = analyze(&["verify", "--man=no"], &unit);
    assert!(verified.status.success() && verified.stderr.is_empty(), "{}", words(&verified));
    // Tenths: it fails above 2.5.
    let secure = analyze(&["security", "--offline=true", "--threshold=25"], &unit);
    assert!(secure.status.success(), "{}", words(&secure));
    let open = analyze(&["security", "--offline=true", "--threshold=15"], &unit);
    assert!(!open.status.success(), "the measure measures");
}

#[test]
fn logrotate_has_the_log_opened_anew() {
    let lab = Lab::new(1, "AB");
    let h1 = lab.host(1);
    let (log, script) = (h1.file("faild.log"), fs::canonicalize("scripts/init.d/faild").expect("no script"));
    let daemon = h1.faild(&format!("-r -l {} --pid-file {}", log.display(), h1.file("pid").display()));
    daemon.wait_event(EventName::Ready, &[]);
    let defaults = h1.file("defaults");
    fs::write(&defaults, format!("DAEMON={FAILD}\nPIDFILE={}\n", h1.file("pid").display()))
        .expect("cannot write");
    let settings = h1.file("logrotate");
    let shipped = text("scripts/faild.logrotate")
        .replace("/var/log/faild.log", &log.to_string_lossy())
        .replace("/var/log/faild/", &format!("{}/none/", h1.file("none").display()))
        .replace("/run/systemd/system", "/nonexistent")
        .replace("/etc/init.d/faild", &script.to_string_lossy());
    fs::write(&settings, shipped).expect("cannot write");
    fs::set_permissions(&settings, fs::Permissions::from_mode(0o644)).expect("cannot chmod");
    let state = h1.file("logrotate.state");
    let mut command = h1.command_with_users("logrotate");
    command.env("FAILD_DEFAULTS", &defaults).arg("-f").arg("-s").arg(&state).arg(&settings);
    let output = command.output().expect("cannot start logrotate");
    assert!(output.status.success() && output.stderr.is_empty(), "{}", words(&output));
    daemon.wait_event(EventName::LogReopened, &[]);
    let found = fs::metadata(&log).expect("no log");
    assert_eq!((found.uid(), found.mode() & 0o7777), (FAILD_UID, 0o640));
    let old = fs::read_to_string(h1.file("faild.log.1")).expect("no old log");
    assert_ne!(told(&old, EventName::Ready), [""; 0], "{old}");
    assert_eq!(told(&old, EventName::LogReopened), [""; 0]);
}

/// A service manager's end of the notify socket.
struct Manager {
    socket: UnixDatagram,
    name: String,
}

impl Manager {
    fn at(host: &Host) -> Self {
        let path = host.file("notify");
        let socket = UnixDatagram::bind(&path).expect("cannot bind");
        // systemd's is open to everybody, too.
        fs::set_permissions(&path, fs::Permissions::from_mode(0o777)).expect("cannot chmod");
        Self { socket, name: path.display().to_string() }
    }

    /// What comes within this time.
    fn within(&self, limit: Duration) -> Option<String> {
        self.socket.set_read_timeout(Some(limit)).expect("cannot set a limit");
        let mut buffer = [0; 256];
        let length = self.socket.recv(&mut buffer).ok()?;
        Some(String::from_utf8_lossy(&buffer[..length]).into_owned())
    }

    #[track_caller]
    fn next(&self) -> String {
        self.within(PATIENCE).expect("the service manager hears nothing")
    }

    /// What waits to be read.
    fn all(&self) -> Vec<String> {
        std::iter::from_fn(|| self.within(Duration::from_millis(1))).collect()
    }
}

fn state_of(pid: &str) -> String {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(") ").next().unwrap_or_default().chars().take(1).collect()
}

fn analyze(words: &[&str], unit: &Path) -> Output {
    Command::new("systemd-analyze").args(words).arg(unit).output().expect("cannot start systemd-analyze")
}

fn words(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn text(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_else(|e| panic!("{path}: {e}"))
}

const PATIENCE: Duration = Duration::from_secs(15);
