//! The real systemd-networkd, which takes away routes that it did not make itself, unless it is told not to.

use std::fs::File;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::lab::{Daemon, EventName, Host, Lab, Routed, TARGET, Uplinks, pause_ms, wait_until};

use super::{route, with_target};

#[test]
fn what_networkd_takes_away_during_a_failover_is_back_at_once_and_told() {
    let lab = Uplinks::new(Routed::Not);
    let Some(mut networkd) = Networkd::start(lab.host(1), "yes") else { return };
    let daemon = fail_over(&lab);
    networkd.networkctl("reconfigure wan0");
    networkd.restart();
    lab.wait_by("wan1", TARGET);
    let before = overlaid(&daemon);
    networkd.reload_changed("wan1");
    let told = daemon.wait_event(REMOVED, &["198.51.100.1"]);
    assert!(told.contains("wan1"), "{told}");
    wait_again(&daemon, before);
    // With the address that it comes from, which networkd takes and gives back.
    let before = overlaid(&daemon);
    networkd.networkctl("reconfigure wan1");
    wait_again(&daemon, before);
    lab.wait_by("wan1", TARGET);
    come_home(&lab);
}

#[test]
fn told_to_leave_foreign_routes_alone_networkd_takes_none_away() {
    let lab = Uplinks::new(Routed::Not);
    let Some(mut networkd) = Networkd::start(lab.host(1), "no") else { return };
    let daemon = fail_over(&lab);
    pause_ms(200);
    let (before, meter) = (overlaid(&daemon), lab.meter(TARGET));
    networkd.networkctl("reconfigure wan0");
    networkd.restart();
    networkd.reload_changed("wan1");
    pause_ms(1000);
    networkd.wait_configured();
    meter.finish_unharmed();
    assert_eq!(overlaid(&daemon), before, "{}", daemon.log());
    assert_eq!(daemon.told(REMOVED), [""; 0]);
    come_home(&lab);
}

/// How often the log says that the route was laid.
fn overlaid(daemon: &Daemon) -> usize {
    daemon.told(EventName::OverlayInstalled).len()
}

/// Waits until it is laid once more, no longer than a person would think that all is well.
#[track_caller]
fn wait_again(daemon: &Daemon, before: usize) {
    wait_until("it is laid again", Duration::from_secs(5), || overlaid(daemon) > before);
}

/// The first router falls silent, and the default route leaves it.
fn fail_over(lab: &Uplinks) -> Daemon<'_> {
    let daemon = lab.start(&route("auto", &with_target()));
    lab.wait_by("wan0", TARGET);
    lab.kill_router(1);
    lab.wait_by("wan1", TARGET);
    daemon
}

fn come_home(lab: &Uplinks) {
    lab.revive_router(1);
    lab.wait_by("wan0", TARGET);
    Lab::wait_home(lab);
}

/// networkd and a message bus, which networkctl asks it by, in a mount namespace of their own.
struct Networkd<'a> {
    host: &'a Host,
    bus: Child,
    networkd: Option<Child>,
}

impl<'a> Networkd<'a> {
    /// Both uplinks by networkd. None, loudly, where it is absent or cannot run.
    fn start(host: &'a Host, manages_foreign: &str) -> Option<Self> {
        if !Path::new(NETWORKD).exists() || !Path::new("/usr/bin/dbus-daemon").exists() {
            eprintln!("SKIPPED: there is no systemd-networkd, or no dbus-daemon for it");
            return None;
        }
        let mut command = host.command("unshare");
        command.args(["--mount", "sh", "-c", ROOM, manages_foreign]);
        let bus = spawn(command, host, "bus.log");
        let mut networkd = Self { host, bus, networkd: None };
        let socket = "/run/dbus/system_bus_socket";
        let is_up = |networkd: &mut Self| networkd.inside("test").args(["-S", socket]).status();
        for _ in 0..100 {
            if is_up(&mut networkd).is_ok_and(|status| status.success()) {
                networkd.run();
                return Some(networkd);
            }
            pause_ms(50);
        }
        let log = std::fs::read_to_string(host.file("bus.log")).unwrap_or_default();
        eprintln!("SKIPPED: systemd-networkd cannot run here: {log}");
        None
    }

    fn run(&mut self) {
        let command = self.inside(NETWORKD);
        self.networkd = Some(spawn(command, self.host, "networkd.log"));
        self.wait_configured();
    }

    /// As `systemctl restart systemd-networkd` does it.
    fn restart(&mut self) {
        self.stop();
        self.run();
    }

    /// As after an edit of the file of an interface.
    fn reload_changed(&self, interface: &str) {
        let file = format!("/run/systemd/network/{interface}.network");
        let touched = self.inside("touch").arg(file).status();
        assert!(touched.is_ok_and(|status| status.success()), "cannot touch the file");
        self.networkctl("reload");
    }

    fn stop(&mut self) {
        let Some(mut networkd) = self.networkd.take() else { return };
        let pid = nix::unistd::Pid::from_raw(i32::try_from(networkd.id()).expect("a pid fits"));
        let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM);
        let _ = networkd.wait();
    }

    fn wait_configured(&self) {
        wait_until("networkd has configured both uplinks", PATIENCE, || {
            self.networkctl("list").lines().filter(|line| line.contains(" configured")).count() == 2
        });
    }

    fn networkctl(&self, arguments: &str) -> String {
        let mut command = self.inside("networkctl");
        command.args(["--no-pager", "--no-legend"]).args(arguments.split_whitespace());
        let output = command.output().expect("cannot start nsenter");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// A command beside the bus.
    fn inside(&self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["--mount", "--net", "--target", &self.bus.id().to_string(), "--", program]);
        command
    }
}

impl Drop for Networkd<'_> {
    fn drop(&mut self) {
        self.stop();
        let _ = self.bus.kill();
        let _ = self.bus.wait();
    }
}

fn spawn(mut command: Command, host: &Host, log: &str) -> Child {
    let log = File::options().append(true).create(true).open(host.file(log)).expect("cannot write a log");
    command.stdin(Stdio::null()).stdout(log.try_clone().expect("cannot share a log")).stderr(log);
    command.spawn().expect("cannot start it")
}

const NETWORKD: &str = "/lib/systemd/systemd-networkd";

const REMOVED: EventName = EventName::OverlayLost;

const PATIENCE: Duration = Duration::from_secs(20);

/// Where networkd lives: an empty /run, and a /sys that cannot be written, by which it knows that there is no udev to
/// wait for. Static addresses are kept when a
/// file changes. Its only argument is that of ManageForeignRoutes=.
const ROOM: &str = r#"
set -e
mount --make-rprivate /
mount -t tmpfs -o mode=755 tmpfs /run
mount -o remount,bind,ro /sys
mkdir -p /run/dbus /run/systemd/network /run/systemd/networkd.conf.d /run/systemd/netif/links
mkdir -p /run/systemd/netif/leases /run/systemd/netif/lldp
chown -R systemd-network:systemd-network /run/systemd/netif
printf '[Network]\nManageForeignRoutes=%s\n' "$0" >/run/systemd/networkd.conf.d/foreign.conf
uplink() {
    printf '[Match]\nName=%s\n[Network]\nLinkLocalAddressing=no\nIPv6AcceptRA=no\n' "$1"
    printf 'KeepConfiguration=static\nAddress=%s.10/24\n' "$2"
    printf '[Route]\nGateway=%s.1\nMetric=%s\n' "$2" "$3"
}
uplink wan0 192.0.2 100 >/run/systemd/network/wan0.network
uplink wan1 198.51.100 200 >/run/systemd/network/wan1.network
exec dbus-daemon --system --nofork --nopidfile
"#;
