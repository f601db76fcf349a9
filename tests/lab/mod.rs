//! The lab: hosts, LANs, faults and traffic in network namespaces; the real daemon runs in them.
//!
//! ```text
//!   namespace fd<pid>-<n>-sw      bridge lanA      bridge lanB      (one for each LAN)
//!                                 h1A h2A h3A      h1B h2B h3B      (its ports)
//!                                  |   |   |        |   |   |
//!   namespaces fd<pid>-<n>-h<i>   lanA 10.77.1.i   lanB 10.77.2.i   (the hosts' interfaces; fd77:1::i, fd77:2::i)
//!                                        lo 10.77.0.i, fd77::i      (the host's service address)
//! ```
//!
//! A [`Lab`] removes its namespaces, processes and files when it is dropped. What a killed run left behind is removed
//! by the next one: the pid in the name tells whether anybody still needs it.

mod clock;
pub(crate) mod control;
mod daemon;
mod fault;
mod forge;
mod group;
pub(crate) mod grouped;
mod host;
mod late;
mod measure;
mod settings;
mod traffic;
mod uplinks;
mod watch;
mod words;

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

pub(crate) use clock::{now, pause, pause_ms, time_of_day, wait_until};
pub(crate) use daemon::{Daemon, FAILD, OUTAGE};
pub(crate) use fault::Loss;
pub(crate) use forge::{Probe, record};
pub(crate) use group::ROUTER;
use host::On;
pub(crate) use host::{FAILD_UID, Family, Host};
pub(crate) use measure::{Meter, Transfer};
pub(crate) use uplinks::{OTHER_TARGET, Routed, TARGET, TARGET_V6, Uplinks};
pub(crate) use watch::Watch;
pub(crate) use words::{EventName, is_event, told};

/// Every host speaks both, where a test does not say otherwise.
const BOTH: &[Family] = &[Family::V4, Family::V6];

/// A switch and its hosts.
pub(crate) struct Lab {
    switch: Host,
    hosts: Vec<Host>,
    directory: PathBuf,
    /// Held as long as the lab stands: see [`Lab::alone`].
    _turn: File,
}

impl Lab {
    /// `hosts` hosts on the LANs named by the letters of `lans`, "AB" for two.
    pub(crate) fn new(hosts: u8, lans: &str) -> Self {
        Self::build(hosts, lans, BOTH, File::lock_shared)
    }

    /// The same, while no other lab stands: for what times the loss of a carrier, since the kernel holds back news of
    /// it when any interface of the machine has had some within a second.
    pub(crate) fn alone(hosts: u8, lans: &str) -> Self {
        Self::build(hosts, lans, BOTH, File::lock)
    }

    /// The same with IPv6 addresses only.
    pub(crate) fn ipv6_only(hosts: u8, lans: &str) -> Self {
        Self::build(hosts, lans, &[Family::V6], File::lock_shared)
    }

    fn build(hosts: u8, lans: &str, families: &'static [Family], lock: fn(&File) -> io::Result<()>) -> Self {
        assert!(
            nix::unistd::geteuid().is_root(),
            "the end-to-end tests make network namespaces: run them as root"
        );
        let turn =
            File::create(std::env::temp_dir().join("faild-lab.lock")).expect("cannot make the lock file");
        lock(&turn).expect("cannot wait for the other labs");
        sweep();
        let prefix = prefix();
        let directory = std::env::temp_dir().join(&prefix);
        fs::create_dir_all(&directory).expect("cannot make the lab's directory");
        let switch = Host::new(&prefix, "sw", 0, On { lans: "", families }, &directory);
        // From here on a panic drops what was made so far.
        let mut lab = Self { switch, hosts: Vec::new(), directory, _turn: turn };
        for lan in lans.chars() {
            lab.switch.ip(&format!("link add lan{lan} type bridge forward_delay 0 mcast_snooping 0"));
            lab.switch.ip(&format!("link set lan{lan} up"));
        }
        for number in 1..=hosts {
            let on = On { lans, families };
            lab.hosts.push(Host::new(&prefix, &format!("h{number}"), number, on, &lab.directory));
            let host = lab.host(number);
            host.add_service_addresses();
            lans.chars().for_each(|lan| host.attach(lan, &lab.switch));
        }
        lab
    }

    /// Host `number`, from 1.
    pub(crate) fn host(&self, number: u8) -> &Host {
        &self.hosts[usize::from(number) - 1]
    }

    /// All hosts.
    pub(crate) fn hosts(&self) -> &[Host] {
        &self.hosts
    }

    /// The namespace that all LANs meet in; its ports are named `h1A`.
    pub(crate) fn switch(&self) -> &Host {
        &self.switch
    }

    /// Starts `faild` with these flags on every host and waits until all hear each other on all LANs.
    pub(crate) fn faild_everywhere(&self, flags: &str) -> Vec<Daemon<'_>> {
        let daemons: Vec<Daemon> = self.hosts.iter().map(|host| host.faild(flags)).collect();
        self.settle(&daemons);
        daemons
    }

    /// Waits until each of these daemons, on different hosts, hears all the others.
    #[track_caller]
    pub(crate) fn settle(&self, daemons: &[Daemon]) {
        for daemon in daemons {
            let others = daemons.iter().map(Daemon::host).filter(|host| host.name() != daemon.host().name());
            daemon.wait_hears(&others.collect::<Vec<_>>());
        }
    }

    /// Waits until nothing is overlaid on any host.
    #[track_caller]
    pub(crate) fn wait_home(&self) {
        for host in &self.hosts {
            host.wait_home();
        }
    }

    /// Every host with every other.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = (&Host, &Host)> {
        let pairs = self.hosts.iter().flat_map(|here| self.hosts.iter().map(move |there| (here, there)));
        pairs.filter(|(here, there)| here.name() != there.name())
    }

    /// Begins to record all changes of routes on all hosts.
    pub(crate) fn watch(&self) -> Vec<Watch> {
        self.hosts.iter().map(Host::watch).collect()
    }

    /// Waits until traffic between two hosts for their addresses on LAN `home` goes by LAN `by`, both ways and in both
    /// families.
    #[track_caller]
    pub(crate) fn wait_moved(&self, one: &Host, other: &Host, home: char, by: char) {
        for family in one.families() {
            one.wait_way(by, other.address(home, *family));
            other.wait_way(by, one.address(home, *family));
        }
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.hosts.iter().for_each(Host::describe);
        }
        for host in self.hosts.iter().chain([&self.switch]) {
            remove_namespace(host.netns());
        }
        // Left-over files of a test are no reason to fail it.
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// A name that no other lab has: `fd<pid>-<n>`.
fn prefix() -> String {
    static LABS: AtomicU32 = AtomicU32::new(0);
    format!("fd{}-{}", std::process::id(), LABS.fetch_add(1, Ordering::Relaxed))
}

/// Removes the namespaces and files of runs that were killed.
fn sweep() {
    for name in names_in(Path::new("/run/netns")).filter(|name| is_orphan(name)) {
        remove_namespace(&name);
    }
    for name in names_in(&std::env::temp_dir()).filter(|name| is_orphan(name)) {
        let _ = fs::remove_dir_all(std::env::temp_dir().join(name));
    }
}

fn names_in(directory: &Path) -> impl Iterator<Item = String> + use<> {
    fs::read_dir(directory)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok())
}

/// Whether a name is a lab's whose process is gone.
fn is_orphan(name: &str) -> bool {
    let Some((pid, rest)) = name.strip_prefix("fd").and_then(|name| name.split_once('-')) else {
        return false;
    };
    pid.parse::<u32>().is_ok()
        && rest.starts_with(|c: char| c.is_ascii_digit())
        && !Path::new("/proc").join(pid).exists()
}

/// Ends what still runs in a namespace of ours, then deletes it.
fn remove_namespace(name: &str) {
    let pids =
        Command::new("ip").args(["netns", "pids", name]).output().map(|o| o.stdout).unwrap_or_default();
    for pid in String::from_utf8_lossy(&pids).split_whitespace().filter_map(|pid| pid.parse::<i32>().ok()) {
        // The test's own threads are in there too while it measures: they end with it.
        if u32::try_from(pid) != Ok(std::process::id()) {
            let _ =
                nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL);
        }
    }
    let _ = Command::new("ip").args(["netns", "del", name]).output();
}
