//! The real systemd: installed, started, reloaded, hung, stopped and removed by it, in a copy of this machine.

use std::fs;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use crate::lab::{EventName, FAILD, Host, Lab, Loss, pause_ms, told, wait_until};

#[test]
fn systemd_runs_it_in_its_sandbox_and_ends_one_that_hangs() {
    let lab = Lab::new(2, "AB");
    let (h1, h2) = (lab.host(1), lab.host(2));
    let Some(system) = System::boot(h1) else { return };
    system.run("FAILD=/srv/faild/faild bash scripts/install");
    assert!(system.run("getent passwd faild").contains(":/nonexistent:"), "the installer makes the user");
    // Quicker than it is shipped.
    system.run("echo 'DAEMON_OPTS=\"-r -t 50ms -s 5\"' >/etc/default/faild");
    system.run("mkdir -p /run/systemd/system/faild.service.d");
    system.run("printf '[Service]\\nWatchdogSec=1s\\nRestartSec=100ms\\n' >/run/systemd/system/faild.service.d/quick.conf");
    system.run("systemctl daemon-reload && systemctl start faild");
    let status = system.run("cat /proc/$(systemctl show -P MainPID faild)/status");
    for line in ["CapEff:\t0000000000003000", "CapBnd:\t0000000000003000", "NoNewPrivs:\t1", "Seccomp:\t2"] {
        assert!(status.contains(line), "{line} in {status}");
    }
    let log = system.run("journalctl -u faild --no-pager || true");
    if status.contains("VmLck:\t       0 kB") {
        eprintln!("SKIPPED: no real-time priority in the copy: {log}");
    } else {
        let scheduling = system.run("chrt -p $(systemctl show -P MainPID faild)");
        assert!(scheduling.contains("SCHED_RR|SCHED_RESET_ON_FORK"), "{scheduling}{log}");
    }
    let peer = h2.faild("-r");
    peer.wait_hears(&[h1]);
    lab.cut_lan('A', Loss::Silent);
    lab.wait_moved(h1, h2, 'A', 'B');
    assert!(system.run("systemctl reload faild && systemctl is-active faild").contains("active"));
    let first = system.run("systemctl show -P MainPID faild");
    system.run("kill -STOP $(systemctl show -P MainPID faild)");
    wait_until("the watchdog has it started again", PATIENCE, || {
        let pid = system.run("systemctl show -P MainPID faild");
        pid != first
            && pid.trim() != "0"
            && system.run("systemctl is-active faild || true").starts_with("active")
    });
    lab.heal_lan('A');
    lab.wait_home();
    system.run("systemctl stop faild");
    assert_eq!(system.run("systemctl show -P Result faild").trim(), "success");
    system.run("echo '# mine' >/etc/faild/faild.toml && FAILD=/srv/faild/faild bash scripts/install");
    assert_eq!(system.run("cat /etc/faild/faild.toml"), "# mine\n");
    system.run("bash scripts/install uninstall");
    let left = "ls -d /usr/local/sbin/faild /usr/local/lib/*/faild* /usr/local/lib/systemd/system/faild* /etc/init.d/faild";
    assert_eq!(system.run(&format!("{left} /etc/logrotate.d/faild 2>/dev/null || true")), "");
}

#[test]
fn without_sysusers_the_installer_makes_the_user_and_lets_it_read_old_keys() {
    let lab = Lab::new(1, "AB");
    let Some(system) = System::boot(lab.host(1)) else { return };
    system.run("rm /usr/bin/systemd-sysusers");
    system.run("mkdir -p /etc/faild && echo '[auth]' >/etc/faild/faild.toml");
    system.run("echo 'key-file = \"/etc/faild/keys\"' >>/etc/faild/faild.toml");
    system.run("umask 077 && echo 1 $(od -An -tx1 -N32 /dev/urandom | tr -d ' \\n') >/etc/faild/keys");
    let installed = system.run("FAILD=/srv/faild/faild bash scripts/install");
    assert!(installed.contains("made /etc/faild/keys readable for group faild"), "{installed}");
    assert_eq!(system.run("stat -c '%a %U %G' /etc/faild/keys"), "640 root faild\n");
    assert!(system.run("getent passwd faild").ends_with(":/nonexistent:/usr/sbin/nologin\n"));
    system.run("systemctl start faild && systemctl is-active faild");
    // The other way to start it hands everything over to the same user.
    system.run("systemctl stop faild && chown -R root:root /var/lib/faild");
    system.run("SYSTEMCTL_SKIP_REDIRECT=1 /etc/init.d/faild start");
    assert_eq!(system.run("stat -c %U /var/lib/faild/state.toml /var/log/faild.log"), "faild\nfaild\n");
    assert_eq!(told(&system.run("cat /var/log/faild.log"), EventName::KeyFileUnreadable), [""; 0]);
    system.run("/etc/init.d/faild condrestart && /etc/init.d/faild status && /etc/init.d/faild stop");
}

/// A booted copy of this machine.
struct System {
    boot: Child,
    directory: String,
    init: String,
}

impl System {
    /// None, loudly, where the machine does not let one boot: in most containers.
    fn boot(host: &Host) -> Option<Self> {
        let directory = host.file("boot").display().to_string();
        let check = Command::new("tests/lab/boot").args(["check", &directory]).output();
        let check = check.expect("cannot start tests/lab/boot");
        if !check.status.success() {
            eprintln!("SKIPPED: no systemd can boot here: {}", String::from_utf8_lossy(&check.stderr));
            return None;
        }
        let net = format!("--net=/run/netns/{}", host.netns());
        let mut command = Command::new("nsenter");
        command.args([&net, "tests/lab/boot", &directory]).env("FAILD", FAILD).stdin(Stdio::null());
        let boot = command.spawn().expect("cannot start nsenter");
        let mut system = Self { boot, directory, init: String::new() };
        let children = format!("/proc/{0}/task/{0}/children", system.boot.id());
        wait_until("systemd is up", PATIENCE, || {
            system.init = fs::read_to_string(&children).unwrap_or_default().trim().to_owned();
            let name = fs::read_to_string(format!("/proc/{}/comm", system.init)).unwrap_or_default();
            name == "systemd\n" && system.command("systemctl is-system-running").status.success()
        });
        Some(system)
    }

    /// What a command of the shell says there; panics if it fails.
    #[track_caller]
    fn run(&self, line: &str) -> String {
        let output = self.command(line);
        let (out, errors) =
            (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{line}: {out}{errors}");
        out.into_owned()
    }

    fn command(&self, line: &str) -> Output {
        let mut command = Command::new("nsenter");
        command.args(["-t", &self.init, "-p", "-m", "-n", "-u", "-i", "-C", "-r", "-w", "--"]);
        command
            .args(["sh", "-c", &format!("cd /srv/faild && {line}")])
            .output()
            .expect("cannot start nsenter")
    }
}

impl Drop for System {
    fn drop(&mut self) {
        let _ = self.boot.kill();
        let _ = self.boot.wait();
        // Its processes are on their way out.
        let clean = || Command::new("tests/lab/boot").args(["clean", &self.directory]).output();
        for _ in 0..50 {
            if clean().is_ok_and(|output| output.status.success()) {
                return;
            }
            pause_ms(100);
        }
    }
}

const PATIENCE: Duration = Duration::from_secs(30);
