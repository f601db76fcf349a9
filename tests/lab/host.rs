//! A host of the lab: a namespace, and `ip` in it.

use std::fs::File;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::thread::JoinHandle;
use std::time::Duration;

use nix::sched::{CloneFlags, setns};

use super::wait_until;

/// IPv4 or IPv6.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Family {
    V4,
    V6,
}

/// What a host is plugged into.
#[derive(Clone, Copy)]
pub(super) struct On<'a> {
    /// Letters of its LANs.
    pub(super) lans: &'a str,
    /// What it has addresses of.
    pub(super) families: &'static [Family],
}

/// A host.
pub(crate) struct Host {
    name: String,
    number: u8,
    netns: String,
    lans: String,
    directory: PathBuf,
    families: &'static [Family],
}

impl Host {
    /// Makes the namespace, with sysctls as faild(7) advises.
    pub(super) fn new(prefix: &str, name: &str, number: u8, on: On, directory: &Path) -> Self {
        let directory = directory.join(name);
        std::fs::create_dir_all(&directory).expect("cannot make the host's directory");
        let netns = format!("{prefix}-{name}");
        run("ip", &["netns", "add", &netns]);
        let host = Self {
            name: name.to_owned(),
            number,
            netns,
            lans: on.lans.to_owned(),
            directory,
            families: on.families,
        };
        host.set_users(USERS);
        host.ip("link set lo up");
        host.sysctl("net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0");
        host.sysctl("net.ipv4.conf.all.arp_announce=2 net.ipv4.conf.all.promote_secondaries=1");
        host.sysctl("net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0");
        host.sysctl("net.ipv6.conf.default.accept_ra=0 net.ipv4.icmp_ratelimit=0");
        host
    }

    /// Plugs the host into a LAN of the switch: once when the lab is built, again after the interface was deleted.
    pub(crate) fn attach(&self, lan: char, switch: &Host) {
        self.plug(&format!("lan{lan}"), lan, switch);
        for family in self.families {
            self.ip(&format!("addr add {} dev lan{lan}", self.prefix(lan, *family)));
        }
    }

    /// The same by an interface of any name, without addresses.
    pub(crate) fn plug(&self, interface: &str, lan: char, switch: &Host) {
        let port = self.port(lan);
        self.ip(&format!("link add {interface} type veth peer name {port} netns {}", switch.netns));
        switch.ip(&format!("link set {port} master lan{lan} up"));
        self.ip(&format!("link set {interface} up"));
    }

    pub(super) fn add_service_addresses(&self) {
        for family in self.families {
            self.ip(&format!("addr add {} dev lo", self.service(*family)));
        }
    }

    /// How it is called: `h1`.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The namespace.
    pub(crate) fn netns(&self) -> &str {
        &self.netns
    }

    /// The letters of its LANs.
    pub(crate) fn lans(&self) -> &str {
        &self.lans
    }

    /// What it has addresses of.
    pub(crate) fn families(&self) -> &'static [Family] {
        self.families
    }

    /// Paths that it has to each other host: LANs times families.
    pub(super) fn paths(&self) -> usize {
        self.lans.len() * self.families.len()
    }

    /// A file of this host's own.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// Its port at the switch: `h1A`.
    pub(crate) fn port(&self, lan: char) -> String {
        format!("{}{lan}", self.name)
    }

    /// Its IPv4 address on a LAN.
    pub(crate) fn v4(&self, lan: char) -> IpAddr {
        IpAddr::V4(Ipv4Addr::new(10, 77, lan_number(lan), self.number))
    }

    /// Its IPv6 address on a LAN.
    pub(crate) fn v6(&self, lan: char) -> IpAddr {
        IpAddr::V6(Ipv6Addr::new(0xfd77, lan_number(lan).into(), 0, 0, 0, 0, 0, self.number.into()))
    }

    /// Its address on a LAN.
    pub(crate) fn address(&self, lan: char, family: Family) -> IpAddr {
        match family {
            Family::V4 => self.v4(lan),
            Family::V6 => self.v6(lan),
        }
    }

    /// Its service address, on `lo`.
    pub(crate) fn service(&self, family: Family) -> IpAddr {
        self.address('@', family)
    }

    /// Its addresses on all LANs, of all families.
    pub(super) fn lan_addresses(&self) -> Vec<IpAddr> {
        let places = self.lans.chars().flat_map(|lan| self.families.iter().map(move |family| (lan, *family)));
        places.map(|(lan, family)| self.address(lan, family)).collect()
    }

    /// Its address on a LAN as `ip addr add` takes it.
    pub(crate) fn prefix(&self, lan: char, family: Family) -> String {
        match family {
            Family::V4 => format!("{}/24", self.v4(lan)),
            Family::V6 => format!("{}/64 nodad", self.v6(lan)),
        }
    }

    /// `ip` with these arguments in the host; panics when it fails.
    pub(crate) fn ip(&self, arguments: &str) -> String {
        let mut all = vec!["-n", &self.netns];
        all.extend(arguments.split_whitespace());
        run("ip", &all)
    }

    /// The same where failing is an answer.
    pub(crate) fn try_ip(&self, arguments: &str) -> Option<String> {
        let output = Command::new("ip").args(["-n", &self.netns]).args(arguments.split_whitespace()).output();
        output.ok().filter(|o| o.status.success()).map(|o| String::from_utf8_lossy(&o.stdout).into_owned())
    }

    /// A command for this host, not started yet.
    pub(crate) fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.netns]).arg(program);
        command
    }

    /// A command for this host that sees the host's own users, [`USERS`] unless [`Host::set_users`] says otherwise.
    pub(crate) fn command_with_users(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = self.command("sh");
        // `ip netns exec` has made a mount namespace for it alone.
        let mounts = "mount --bind \"$0\" /etc/passwd && mount --bind \"$0\".group /etc/group";
        command.args(["-c", &format!("{mounts} && exec \"$@\"")]);
        command.arg(self.file("passwd")).arg(program);
        command
    }

    /// From here on these are the host's users, as in passwd(5).
    pub(crate) fn set_users(&self, passwd: &str) {
        std::fs::write(self.file("passwd"), passwd).expect("cannot write the host's users");
        std::fs::write(self.file("passwd.group"), GROUPS).expect("cannot write the host's groups");
    }

    /// Runs a command line of the shell in the host to its end.
    pub(crate) fn sh(&self, line: &str) -> Output {
        self.command("sh").args(["-c", line]).output().expect("cannot start sh")
    }

    /// Writes sysctls: `key=value ...`.
    pub(crate) fn sysctl(&self, settings: &str) {
        let output = self.sh(&format!("sysctl -qw {settings}"));
        assert!(output.status.success(), "sysctl {settings}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// Loads a ruleset of nftables.
    pub(crate) fn nft(&self, rules: &str) {
        let output = self.command("nft").arg(rules).output().expect("cannot start nft");
        assert!(output.status.success(), "nft {rules}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// The interface that a packet to `address` leaves by; none if the kernel would refuse it.
    pub(crate) fn way_to(&self, address: IpAddr) -> Option<String> {
        let route = self.try_ip(&format!("route get {address}"))?;
        let mut words = route.split_whitespace();
        words.find(|word| *word == "dev")?;
        words.next().map(str::to_owned)
    }

    /// Whether packets to `address` leave by this LAN.
    pub(crate) fn goes_by(&self, lan: char, address: IpAddr) -> bool {
        self.way_to(address).is_some_and(|way| way == format!("lan{lan}"))
    }

    /// faild's routes, both families.
    pub(crate) fn overlays(&self) -> Vec<String> {
        let list = |family| self.ip(&format!("{family} route show table all proto 250"));
        format!("{}{}", list("-4"), list("-6")).lines().map(|line| line.trim().to_owned()).collect()
    }

    /// All routes that are not faild's, both families, as `ip` shows them.
    pub(crate) fn foreign_routes(&self) -> Vec<String> {
        let list = format!(
            "{}{}",
            self.ip("-N -4 -d route show table main"),
            self.ip("-N -6 -d route show table main")
        );
        list.lines().filter(|line| !line.contains("proto 250")).map(|line| line.trim().to_owned()).collect()
    }

    /// Waits until faild has nothing laid here.
    #[track_caller]
    pub(crate) fn wait_home(&self) {
        let mut left = Vec::new();
        wait_until(&format!("{} is home", self.name), Duration::from_secs(20), || {
            left = self.overlays();
            left.is_empty()
        });
    }

    /// Waits until packets to `address` leave by this LAN.
    #[track_caller]
    pub(crate) fn wait_way(&self, lan: char, address: IpAddr) {
        let what = format!("{} reaches {address} by lan{lan}", self.name);
        wait_until(&what, Duration::from_secs(15), || self.goes_by(lan, address));
    }

    /// Runs a closure in a thread of this namespace: the sockets that it opens are the host's.
    pub(crate) fn thread<T: Send + 'static>(
        &self,
        body: impl FnOnce() -> T + Send + 'static,
    ) -> JoinHandle<T> {
        let path = Path::new("/run/netns").join(&self.netns);
        std::thread::spawn(move || {
            let namespace = File::open(&path).expect("the namespace is gone");
            setns(namespace, CloneFlags::CLONE_NEWNET).expect("cannot enter the namespace");
            body()
        })
    }

    /// What a person would want to see of a host after a failure.
    pub(super) fn describe(&self) {
        for what in ["-br addr", "-4 route", "-6 route show table main"] {
            eprintln!("--- {} ip {what}\n{}", self.name, self.try_ip(what).unwrap_or_default());
        }
    }
}

/// The users of a host where faild has been installed; [`FAILD_UID`] is nobody's on the machine that tests.
pub(crate) const USERS: &str =
    "root:x:0:0::/root:/bin/sh\nfaild:x:64029:64029::/nonexistent:/usr/sbin/nologin\n";

/// The groups there.
const GROUPS: &str = "root:x:0:\nadm:x:4:\nfaild:x:64029:\n";

/// The number of user and group `faild` there.
pub(crate) const FAILD_UID: u32 = 64029;

/// A, B, C are 1, 2, 3; @, the letter before A, is the service address.
fn lan_number(lan: char) -> u8 {
    u8::try_from(lan).expect("a LAN is a capital letter") - b'@'
}

/// Runs a command to its end; panics with what it said when it fails.
fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap_or_else(|e| panic!("{program}: {e}"));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {}: {}", arguments.join(" "), errors.trim());
    String::from_utf8_lossy(&output.stdout).into_owned()
}
