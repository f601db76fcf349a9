//! The configuration: command line and file, checked, in the form that the rest of the program uses.
//!
//! Nothing is checked again later: faild can run with any [`Config`] that exists.
//!
//! ```text
//! file  --> document (lines, tables)  --> file (the keys) --+
//! flags --> cli                       --> value (the forms) +--> Draft --finish--> Loaded { Config, warnings }
//! key file -----------------------------> key_file ---------+            or Faults, all of them
//! ```
//!
//! Each section of the file has its keys in its own module.
//!
//! [`check_against_interfaces`] checks it against the host's interfaces, and [`check_places`] against its directories.

pub mod account;
mod damping;
mod document;
mod draft;
mod failback;
mod fault;
mod file;
mod group;
mod hook;
mod interfaces;
pub mod key_file;
mod lan;
mod live;
mod peer;
mod places;
mod route;
mod target;
pub(crate) mod value;
mod watch;

pub use draft::{DEFAULT_FILE, Draft, Loaded, MOST_LANS};
pub use fault::{Complaint, Fault, FaultKind, Faults, Origin};
pub use file::{KeyName, keys};
pub use hook::{ChangeKind, HookConfig};
pub use interfaces::{check_against_interfaces, host_warnings};
pub use live::{differences, keep_fixed};
pub use places::check_places;
pub use watch::{
    GroupConfig, Judging, Limits, MemberConfig, Method, Need, NextHopConfig, NextHops, RouteConfig,
    TargetConfig,
};

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use crate::gather::Gather;

/// Everything that can be set, with its default (faild.toml(5)).
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// `-r`: send INQs; without it only answer.
    pub requestor: bool,
    /// `-t`: time between two INQs on a LAN, 10 ms to 60 s. Default 200 ms.
    pub interval: Duration,
    /// `-f`: consecutive missed slots before a path is down, 1 to 100. Default 2.
    pub missed: NonZeroU32,
    /// `-s`: consecutive good slots before a path is up again, 1 to 10,000. Default 10.
    pub good: NonZeroU32,
    /// `-p`: UDP port. Default 64029.
    pub port: u16,
    /// `-l`: the log file; standard error if there is none.
    pub log: Option<PathBuf>,
    /// `-v`: 0 info, 1 debug, 2 and more trace.
    pub verbosity: u8,
    /// `-i` and `[[lan]]`: the LANs; if there are none, every suitable interface is one.
    pub lans: Vec<LanConfig>,
    /// Whether they come from `-i`: then an error in them is an error in the command line.
    pub lans_by_flag: bool,
    /// `-x`: interfaces that are not used.
    pub exclude: Vec<String>,
    /// `[[peer]]`: hosts that broadcasts do not reach, or whose addresses must be known before they are heard.
    pub peers: Vec<PeerConfig>,
    /// `[[hook]]`: programs that are run for events.
    pub hooks: Vec<HookConfig>,
    /// `[[route]]`: destinations that follow a working next hop.
    pub routes: Vec<RouteConfig>,
    /// `[[group]]`: interfaces on one subnet that take over for each other.
    pub groups: Vec<GroupConfig>,
    /// Keys; empty: probes are not authenticated.
    pub keys: KeyRing,
    /// The file with the keys.
    pub key_file: Option<PathBuf>,
    /// Flap damping.
    pub damping: Damping,
    /// When traffic may fail back.
    pub failback: Failback,
    /// Protocol numbers (rtnetlink(7)) of the routes that follow their gateway: by default boot 3, static 4,
    /// ra 9, dhcp 16.
    pub route_protocols: Vec<u8>,
    /// Maximum number of packets sent and received per second, on all LANs together. Default 10,000.
    pub packet_budget: NonZeroU32,
    /// Run at real-time priority, with all memory locked, where the system allows it. Default true.
    pub realtime: bool,
    /// What happens to overlays when faild is told to stop.
    pub exit: Exit,
    /// Members of this group may read the control socket. Default faild.
    pub control_group: String,
    /// `--user`: the user to run as. Default `faild`, or root with fewer privileges if there is no such user.
    pub user: String,
    /// Directory of everything that must survive a reboot (node id, penalties, known peers). Default /var/lib/faild.
    pub state_dir: PathBuf,
    /// Directory of everything that must survive only the process (journal). Default /run/faild.
    pub runtime_dir: PathBuf,
    /// `-d`: detach when ready.
    pub daemon: bool,
    /// `--pid-file`.
    pub pid_file: Option<PathBuf>,
    /// `--dry-run`: decide and log, change nothing.
    pub dry_run: bool,
}

impl Config {
    /// The excluded interfaces without a listed next hop: listing one there overrides the exclusion.
    pub fn left_alone(&self) -> BTreeSet<String> {
        let listed = |name: &String| {
            self.routes.iter().flat_map(|route| route.next_hops.listed()).any(|hop| hop.interface == *name)
        };
        self.exclude.iter().filter(|name| !listed(name)).cloned().gather()
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            requestor: false,
            interval: Duration::from_millis(200),
            missed: NonZeroU32::MIN.saturating_add(1),
            good: NonZeroU32::MIN.saturating_add(9),
            port: 64029,
            log: None,
            verbosity: 0,
            lans: Vec::new(),
            lans_by_flag: false,
            exclude: Vec::new(),
            peers: Vec::new(),
            hooks: Vec::new(),
            routes: Vec::new(),
            groups: Vec::new(),
            keys: KeyRing::default(),
            key_file: None,
            damping: Damping::default(),
            failback: Failback::Auto,
            route_protocols: vec![3, 4, 9, 16],
            packet_budget: NonZeroU32::MIN.saturating_add(9_999),
            realtime: true,
            exit: Exit::Remove,
            control_group: "faild".to_owned(),
            user: DEFAULT_USER.to_owned(),
            state_dir: PathBuf::from("/var/lib/faild"),
            runtime_dir: PathBuf::from("/run/faild"),
            daemon: false,
            pid_file: None,
            dry_run: false,
        }
    }
}

/// The user that faild runs as by default.
pub const DEFAULT_USER: &str = "faild";

/// One configured LAN.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LanConfig {
    /// The interface; it may not exist yet.
    pub interface: String,
    /// Probe over IPv4. Default true.
    pub ipv4: bool,
    /// Probe over IPv6. Default true.
    pub ipv6: bool,
    /// Destination of IPv6 INQs, a link-local multicast group. Default ff02::1.
    pub multicast_group: Ipv6Addr,
    /// Send broadcast or multicast INQs. False: only configured peers are probed, by unicast. Default true.
    pub broadcast: bool,
}

impl LanConfig {
    /// A LAN with the defaults.
    pub fn new(interface: &str) -> Self {
        Self {
            interface: interface.to_owned(),
            ipv4: true,
            ipv6: true,
            multicast_group: Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1),
            broadcast: true,
        }
    }
}

/// A host that is known before it is heard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerConfig {
    /// For the log.
    pub name: String,
    /// Its addresses on all LANs; probed by unicast, and taken to belong to one node (rule 3 of the protocol).
    pub addresses: Vec<IpAddr>,
}

/// Keys by id. The first signs, all are accepted. To change keys: add the new one at the end on all nodes, then move
/// it to the front on all nodes, then remove the old one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct KeyRing {
    /// The keys, the signing one first.
    pub keys: Vec<Key>,
}

/// A shared secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Key {
    /// Identifies the key to the receiver.
    pub id: u32,
    /// 16 to 64 bytes.
    pub secret: Vec<u8>,
}

impl std::fmt::Debug for Key {
    /// Never shows the secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Key").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Flap damping: each failure of a path adds to its penalty, which decays; failback to a path above `suppress` is
/// suppressed until its penalty is below `reuse`. Traffic never stays on a dead path because of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Damping {
    /// Added for each failure. Default 1000.
    pub penalty: f64,
    /// Suppressed at and above this. Default 2500 (the third failure in a short time).
    pub suppress: f64,
    /// No longer suppressed below this. Default 1000.
    pub reuse: f64,
    /// The penalty halves in this time. Default 60 s.
    pub half_life: Duration,
    /// Longest time that a path is suppressed after its last failure; caps the penalty. Default 10 min.
    pub maximum: Duration,
}

impl Damping {
    /// What is left of a penalty of 1 after this time: half after each half-life, and a straight line in between, which
    /// is never more than 7 % off the curve. (The curve needs libm, which takes half a megabyte of resident memory.)
    pub fn remaining(&self, elapsed: Duration) -> f64 {
        let (mut left, mut share) = (elapsed, 1.0);
        while left > self.half_life && share > f64::EPSILON {
            left -= self.half_life;
            share /= 2.0;
        }
        share * (1.0 - left.div_duration_f64(self.half_life).min(1.0) / 2.0)
    }

    /// The time after which this share of a penalty is left: the inverse of [`Damping::remaining`].
    pub fn elapsed_at(&self, share: f64) -> Duration {
        let (mut elapsed, mut left) = (Duration::ZERO, 1.0);
        while share < left / 2.0 && left > f64::EPSILON {
            elapsed = elapsed.saturating_add(self.half_life);
            left /= 2.0;
        }
        let rest = (2.0 * (1.0 - share / left)).clamp(0.0, 1.0);
        elapsed.saturating_add(self.half_life.mul_f64(rest))
    }

    /// The maximum penalty, so that it falls to `reuse` within `maximum` (RFC 2439 section 4.8.1).
    pub fn ceiling(&self) -> f64 {
        self.reuse / self.remaining(self.maximum)
    }
}

impl Default for Damping {
    fn default() -> Self {
        Self {
            penalty: 1000.0,
            suppress: 2500.0,
            reuse: 1000.0,
            half_life: Duration::from_secs(60),
            maximum: Duration::from_secs(600),
        }
    }
}

/// When traffic may leave a working detour for a working home path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failback {
    /// As soon as the home path is proven.
    Auto,
    /// On command (`faildctl failback`, SIGUSR2).
    Manual,
    /// When the home path has been up for this long without interruption.
    Delay(Duration),
    /// In this time of day, local time, in seconds since midnight; `from` may be after `until`.
    Window {
        /// Start.
        from: u32,
        /// End.
        until: u32,
    },
}

/// What happens to overlays when faild exits on SIGTERM or SIGINT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Those with a working home path are removed, the others stay.
    Remove,
    /// All stay.
    Keep,
}
