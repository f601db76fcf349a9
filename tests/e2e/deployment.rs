//! Installing, the init script, and removing again.

use std::fs;
use std::os::unix::fs::chown;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use crate::lab::{FAILD, FAILD_UID, Host, Lab, wait_until};

#[test]
fn the_init_script_starts_reports_reloads_and_stops() {
    let lab = Lab::new(1, "AB");
    let h1 = lab.host(1);
    let log = h1.file("logs").join("faild.log");
    fs::create_dir(h1.file("logs")).expect("cannot make a directory");
    chown(h1.file("logs"), Some(FAILD_UID), None).expect("cannot chown");
    write_defaults(h1, &log);
    assert_eq!(init(h1, "status"), Some(3), "not running");
    assert_eq!(init(h1, "reload"), Some(7), "nothing to reload");
    assert_eq!(init(h1, "stop"), Some(0), "stopping what does not run is done at once");
    for word in ["condrestart", "try-restart"] {
        assert_eq!(init(h1, word), Some(0), "what does not run is not started");
    }
    assert_eq!(init(h1, "status"), Some(3));
    assert_eq!(init(h1, "start"), Some(0));
    assert_eq!(init(h1, "status"), Some(0));
    let first = pid(h1);
    assert_eq!(init(h1, "start"), Some(0), "starting what runs is done at once");
    assert_eq!(pid(h1), first);
    fs::rename(&log, log.with_extension("1")).expect("cannot rename the log");
    assert_eq!(init(h1, "reload"), Some(0));
    wait_until("the log is there again", Duration::from_secs(15), || log.exists());
    assert_eq!(init(h1, "restart"), Some(0));
    assert_ne!(pid(h1), first);
    let second = pid(h1);
    assert_eq!(init(h1, "condrestart"), Some(0));
    assert_ne!(pid(h1), second, "what runs is");
    assert_eq!(h1.sh(&format!("kill -9 {}", pid(h1))).status.code(), Some(0));
    wait_until("it is dead", Duration::from_secs(15), || init(h1, "status") == Some(1));
    assert_eq!(init(h1, "start"), Some(0), "a pid file that was left behind keeps nobody from starting");
    assert_eq!(init(h1, "force-reload"), Some(0));
    assert_eq!(init(h1, "stop"), Some(0));
    assert_eq!(init(h1, "status"), Some(3));
    assert_eq!(init(h1, "nonsense"), Some(2));
}

#[test]
fn the_init_script_tells_wrong_settings_from_failures() {
    let lab = Lab::new(1, "AB");
    let h1 = lab.host(1);
    write_defaults(h1, &h1.file("faild.log"));
    let wrong = h1.configure("interval = \"0s\"\n");
    fs::write(defaults(h1), format!("{}DAEMON_OPTS='{wrong}'\n", text(&defaults(h1)))).expect("cannot write");
    assert_eq!(init(h1, "start"), Some(6), "not configured");
    fs::write(defaults(h1), "DAEMON=/nowhere/faild\n").expect("cannot write");
    assert_eq!(init(h1, "start"), Some(5), "not installed");
}

#[test]
fn an_installation_is_complete_keeps_settings_and_can_be_removed() {
    let lab = Lab::new(1, "A");
    let root = lab.host(1).file("root");
    assert!(install(&root, &[]).status.success());
    let at = |path: &str| root.join(path.trim_start_matches('/'));
    for path in [
        "/opt/x/sbin/faild",
        "/opt/x/sbin/faildctl",
        "/opt/x/share/man/man8/faildctl.8",
        "/opt/x/share/man/man8/faild.8",
        "/opt/x/lib/sysusers.d/faild.conf",
        "/opt/x/lib/tmpfiles.d/faild.conf",
        "/etc/init.d/faild",
        "/etc/logrotate.d/faild",
        "/var/lib/faild",
    ] {
        assert!(at(path).exists(), "{path} is not installed");
    }
    assert!(text(&at("/opt/x/lib/systemd/system/faild.service")).contains("ExecStart=/opt/x/sbin/faild "));
    assert!(text(&at("/etc/init.d/faild")).contains("DAEMON=/opt/x/sbin/faild\n"));
    for name in ["ipmpstat", "if_mpadm"] {
        let script = at(&format!("/opt/x/lib/faild/compat/{name}"));
        assert!(text(&script).contains(&format!(":-/opt/x/sbin/faildctl}}\" {name}")), "{}", text(&script));
    }
    assert!(text(&at("/opt/x/share/man/man8/faildctl.8")).contains(" /opt/x/lib/faild/compat\n"));
    assert!(text(&at("/etc/iproute2/rt_protos.d/faild.conf")).contains("250\tfaild\n"));
    let settings = at("/etc/faild/faild.toml");
    let check =
        Command::new(FAILD).arg("--check").arg("-c").arg(&settings).output().expect("cannot start faild");
    assert!(check.status.success(), "{}", String::from_utf8_lossy(&check.stderr));
    let defaults = at("/etc/default/faild");
    fs::write(&settings, "# mine\n").expect("cannot write");
    // As an older version has shipped it, and nobody has changed it since.
    fs::write(&defaults, "# old\n").expect("cannot write");
    fs::write(at("/opt/x/share/faild/_etc_default_faild"), "# old\n").expect("cannot write");
    assert!(install(&root, &[]).status.success());
    assert_eq!(text(&settings), "# mine\n", "what was changed is left alone");
    assert!(text(&defaults).contains("DAEMON_OPTS="), "what was not is upgraded");
    assert!(install(&root, &["uninstall"]).status.success());
    let left = Command::new("find").arg(&root).args(["-type", "f"]).output().expect("cannot start find");
    let left = String::from_utf8_lossy(&left.stdout).replace(&root.display().to_string(), "");
    let mut left: Vec<&str> = left.lines().collect();
    left.sort_unstable();
    assert_eq!(left, ["/etc/default/faild", "/etc/faild/faild.toml"]);
}

#[test]
fn an_installation_for_openrc_has_its_script_and_settings_instead() {
    let lab = Lab::new(1, "A");
    let root = lab.host(1).file("root");
    let at = |path: &str| root.join(path.trim_start_matches('/'));
    let install = |words: &[&str]| {
        let mut command = install_command(&root, words);
        assert!(command.env("INIT", "openrc").status().expect("cannot start scripts/install").success());
    };
    install(&[]);
    assert!(text(&at("/etc/init.d/faild")).starts_with("#!/sbin/openrc-run\n"));
    assert!(text(&at("/etc/init.d/faild")).contains("DAEMON:=/opt/x/sbin/faild}"));
    assert!(text(&at("/etc/conf.d/faild")).contains("DAEMON_OPTS="));
    assert!(!at("/etc/default").exists());
    install(&["uninstall"]);
    assert!(!at("/etc/init.d/faild").exists());
}

fn install(root: &Path, arguments: &[&str]) -> Output {
    let output = install_command(root, arguments).output().expect("cannot start scripts/install");
    eprintln!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    output
}

fn install_command(root: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new("scripts/install");
    command.args(arguments).env("DESTDIR", root).env("PREFIX", "/opt/x").env("FAILD", FAILD);
    command
}

fn defaults(host: &Host) -> std::path::PathBuf {
    host.file("defaults")
}

/// What `/etc/default/faild` is on a real host.
fn write_defaults(host: &Host, log: &Path) {
    let (pid, state) = (host.file("pid"), host.state_dir());
    let lines = [
        format!("DAEMON={FAILD}"),
        format!("PIDFILE={}", pid.display()),
        format!("LOG={}", log.display()),
        format!("DAEMON_OPTS='-r -t 50ms --state-dir {}'\n", state.display()),
    ];
    fs::write(defaults(host), lines.join("\n")).expect("cannot write the defaults");
}

/// Exit code of the init script.
fn init(host: &Host, word: &str) -> Option<i32> {
    let mut command = host.command_with_users("scripts/init.d/faild");
    let output =
        command.arg(word).env("FAILD_DEFAULTS", defaults(host)).output().expect("cannot start the script");
    eprintln!(
        "{word}: {}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    output.status.code()
}

fn pid(host: &Host) -> String {
    text(&host.file("pid")).trim().to_owned()
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}
