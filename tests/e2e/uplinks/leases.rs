//! Real DHCP and real router advertisements: dnsmasq on the routers, udhcpc on the host.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Stdio};

use crate::lab::{Host, Lab, Loss, Routed, TARGET, TARGET_V6, Uplinks, pause_ms, wait_until};

use super::{QUICK, route, section, with_target};

/// As a client's script does it: the old routes go, the new one comes, at every renewal.
const SCRIPT: &str = r#"#!/bin/sh
case $1 in
bound | renew)
    ip addr replace "$ip/$mask" dev "$interface"
    while ip route del default dev "$interface" proto dhcp 2>/dev/null; do :; done
    ip route add default via "$router" dev "$interface" proto dhcp metric "$METRIC"
    echo "$1" >>"$0.log"
    ;;
esac
"#;

#[test]
fn a_real_client_renews_during_a_failover_and_nothing_goes_by_the_dead_way() {
    if is_absent("dnsmasq") || is_absent("udhcpc") {
        return;
    }
    let lab = Uplinks::new(Routed::Not);
    let host = lab.host(1);
    let serve = |number: u8, net: &str| {
        let range = format!("--dhcp-range={net}.10,{net}.10,255.255.255.0,2m");
        dnsmasq(lab.router(number), &[&range, &format!("--dhcp-option=3,{net}.1")])
    };
    let _servers = [serve(1, "192.0.2"), serve(2, "198.51.100")];
    let clients = [udhcpc(host, "wan0", 100), udhcpc(host, "wan1", 200)];
    wait_until("both are bound", std::time::Duration::from_secs(20), || {
        host.ip("route show default proto dhcp").lines().count() == 2
    });
    let _daemon = lab.start(&route("auto", &with_target()));
    // The router still leases, and leads nowhere.
    lab.cut(lab.router(1), 'C', Loss::Silent);
    lab.wait_by("wan1", TARGET);
    pause_ms(200);
    let meter = lab.meter(TARGET);
    for _ in 0..3 {
        let before = renewals(host, "wan0");
        clients[0].renew();
        wait_until("the lease is renewed", std::time::Duration::from_secs(20), || {
            renewals(host, "wan0") > before
        });
        pause_ms(300);
    }
    meter.finish_unharmed();
    lab.heal(lab.router(1), 'C');
    lab.wait_by("wan0", TARGET);
    Lab::wait_home(&lab);
}

#[test]
fn of_two_routers_that_advertise_themselves_the_dead_one_is_left() {
    if is_absent("dnsmasq") {
        return;
    }
    let lab = Uplinks::new(Routed::Not);
    let host = lab.host(1);
    host.sysctl("net.ipv6.conf.wan0.accept_ra=2 net.ipv6.conf.wan1.accept_ra=2");
    let advertise = |number: u8, net: &str| {
        let range = format!("--dhcp-range={net}::,ra-only,64,10m");
        dnsmasq(lab.router(number), &[&range, "--enable-ra", "--ra-param=outside,4,600"])
    };
    let _servers = [advertise(1, "2001:db8:a"), advertise(2, "2001:db8:b")];
    wait_until("both have advertised themselves", std::time::Duration::from_secs(60), || {
        let routes = host.ip("-6 route show default");
        routes.contains("wan0")
            && routes.contains("wan1")
            && host.ip("addr").matches("2001:db8:").count() >= 2
    });
    let _daemon = lab.start(&section("default6", "auto", &format!("targets = [\"{TARGET_V6}\"]\n{QUICK}")));
    let way = || host.way_to(TARGET_V6.parse().expect("an address"));
    let first = way().expect("no way");
    let (number, other) = if first == "wan0" { (1, "wan1") } else { (2, "wan0") };
    lab.cut(lab.router(number), 'C', Loss::Silent);
    lab.wait_by(other, TARGET_V6);
    let meter = lab.meter(TARGET_V6);
    // Advertisements go on meanwhile, every few seconds.
    pause_ms(10_000);
    meter.finish_unharmed();
    lab.heal(lab.router(number), 'C');
    // Which of two equal ones the kernel takes is its own affair.
    lab.host(1).wait_faildctl("routes", &["works"]);
    wait_until("none is down", std::time::Duration::from_secs(20), || {
        !host.faildctl("routes").text.contains("down")
    });
}

/// Whether a program is not there, told loudly.
fn is_absent(program: &str) -> bool {
    let found = Command::new("sh").args(["-c", &format!("command -v {program}")]).output();
    let absent = !found.is_ok_and(|output| output.status.success());
    if absent {
        eprintln!("SKIPPED: there is no {program}");
    }
    absent
}

/// Something that runs in a host until dropped.
struct Server(Child);

impl Server {
    fn start(mut command: Command, log: std::path::PathBuf) -> Self {
        let log = fs::File::create(log).expect("cannot write a log");
        command.stdin(Stdio::null()).stdout(log.try_clone().expect("cannot share a log")).stderr(log);
        Self(command.spawn().expect("cannot start it"))
    }

    /// What SIGUSR1 means to udhcpc.
    fn renew(&self) {
        let pid = nix::unistd::Pid::from_raw(i32::try_from(self.0.id()).expect("a pid fits"));
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGUSR1).expect("the client is gone");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn dnsmasq(router: &Host, options: &[&str]) -> Server {
    let mut command = router.command("dnsmasq");
    let file = |name: &str| router.file(name).display().to_string();
    command.args(["--keep-in-foreground", "--port=0", "--conf-file=/dev/null", "--interface=outside"]);
    command.args(["--bind-interfaces", "--user=root", "--group=root", "--dhcp-authoritative", "--no-ping"]);
    command.arg(format!("--dhcp-leasefile={}", file("leases"))).arg(format!("--pid-file={}", file("pid")));
    command.args(options);
    Server::start(command, router.file("dnsmasq.log"))
}

fn udhcpc(host: &Host, interface: &str, metric: u32) -> Server {
    let script = host.file(&format!("script-{interface}"));
    fs::write(&script, SCRIPT).expect("cannot write the script");
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).expect("cannot permit the script");
    let mut command = host.command("udhcpc");
    command.args(["--foreground", "--interface", interface, "--script"]).arg(&script);
    command.env("METRIC", metric.to_string());
    Server::start(command, host.file(&format!("udhcpc-{interface}.log")))
}

fn renewals(host: &Host, interface: &str) -> usize {
    let log = fs::read_to_string(host.file(&format!("script-{interface}.log"))).unwrap_or_default();
    log.lines().filter(|line| *line == "renew").count()
}
