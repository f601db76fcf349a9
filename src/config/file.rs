//! The keys of faild.toml(5): the tables below are the only list of them, with their defaults and limits.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use super::document::{Key, Source, Value};
use super::draft::{Draft, Placed};
use super::fault::{Complaint, Fault};
use super::{Damping, Exit, Failback, LanConfig, PeerConfig, group, hook, route, value};

/// A key of the file, for the manual's sake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyName {
    /// The section, empty at the top.
    pub section: &'static str,
    /// The key.
    pub name: &'static str,
    /// What it is if it is not given, in TOML; empty if there is nothing to be written for that.
    pub default: &'static str,
}

/// Every key of the file, sections left out.
pub fn keys() -> impl Iterator<Item = KeyName> {
    let section = |section, names: Vec<(&'static str, &'static str)>| {
        names.into_iter().map(move |(name, default)| KeyName { section, name, default })
    };
    section("", names(TOP))
        .chain(section("lan", names(LAN)))
        .chain(section("peer", names(PEER)))
        .chain(section("hook", names(hook::KEYS)))
        .chain(section("auth", names(AUTH)))
        .chain(section("damping", names(DAMPING)))
        .chain(section("failback", names(FAILBACK)))
        .chain(section("route", names(route::KEYS)))
        .chain(section("route.next-hops", names(route::NEXT_HOP)))
        .chain(section("group", names(group::KEYS)))
        .chain(section("group.members", names(group::MEMBER)))
}

/// Reads a file's text into the draft.
pub(super) fn read(draft: &mut Draft, source: &Source<'_>) {
    let mut faults = Vec::new();
    source.parse(&mut faults, |top, faults| {
        // A table as the top of a document cannot have another type.
        let _ = top.read(&everything(), draft, faults);
    });
    draft.faults.append(&mut faults);
}

/// The keys of the top and the sections.
fn everything() -> Vec<Key<Draft>> {
    TOP.iter().chain(SECTIONS).map(|key| Key { ..*key }).collect()
}

fn names<T>(keys: &[Key<T>]) -> Vec<(&'static str, &'static str)> {
    keys.iter().map(|key| (key.name, key.default)).collect()
}

const TOP: &[Key<Draft>] = &[
    Key { name: "requestor", default: "false", read: |d, v, _| put(&mut d.settings.requestor, v.boolean()) },
    Key {
        name: "interval",
        default: "\"200ms\"",
        read: |d, v, _| put(&mut d.settings.interval, v.duration(&value::INTERVAL)),
    },
    Key {
        name: "missed",
        default: "2",
        read: |d, v, _| put(&mut d.settings.missed, nonzero(v, &value::MISSED)),
    },
    Key { name: "good", default: "10", read: |d, v, _| put(&mut d.settings.good, nonzero(v, &value::GOOD)) },
    Key { name: "port", default: "64029", read: |d, v, _| put(&mut d.settings.port, port(v)) },
    Key { name: "log", default: "", read: |d, v, _| put(&mut d.log, placed(v, v.path().map(PathBuf::from))) },
    Key { name: "verbosity", default: "0", read: |d, v, _| put(&mut d.settings.verbosity, verbosity(v)) },
    Key { name: "exclude", default: "[]", read: read_exclude },
    Key {
        name: "route-protocols",
        default: "[\"boot\", \"static\", \"ra\", \"dhcp\"]",
        read: read_protocols,
    },
    Key {
        name: "packet-budget",
        default: "10000",
        read: |d, v, _| put(&mut d.settings.packet_budget, nonzero(v, &PACKET_BUDGET)),
    },
    Key {
        name: "control-group",
        default: "\"faild\"",
        read: |d, v, _| put(&mut d.settings.control_group, value::group_name(v.text("a group in quotes")?)),
    },
    Key { name: "exit", default: "\"lift\"", read: |d, v, _| put(&mut d.settings.exit, exit(v)) },
    Key { name: "user", default: "\"faild\"", read: |d, v, _| put(&mut d.user, placed(v, user(v))) },
];

const SECTIONS: &[Key<Draft>] = &[
    Key { name: "lan", default: "", read: read_lans },
    Key { name: "peer", default: "", read: read_peers },
    Key { name: "hook", default: "", read: hook::read },
    Key { name: "auth", default: "", read: |d, v, faults| v.read(AUTH, d, faults) },
    Key { name: "damping", default: "", read: read_damping },
    Key { name: "failback", default: "", read: read_failback },
    Key { name: "route", default: "", read: route::read },
    Key { name: "group", default: "", read: group::read },
];

const LAN: &[Key<LanConfig>] = &[
    Key {
        name: "interface",
        default: "",
        read: |lan, v, _| put(&mut lan.interface, value::interface_name(v.text("a name in quotes")?)),
    },
    Key { name: "ipv4", default: "true", read: |lan, v, _| put(&mut lan.ipv4, v.boolean()) },
    Key { name: "ipv6", default: "true", read: |lan, v, _| put(&mut lan.ipv6, v.boolean()) },
    Key {
        name: "multicast-group",
        default: "\"ff02::1\"",
        read: |lan, v, _| put(&mut lan.multicast_group, value::multicast_group(v.text("a group in quotes")?)),
    },
    Key { name: "broadcast", default: "true", read: |lan, v, _| put(&mut lan.broadcast, v.boolean()) },
];

const PEER: &[Key<PeerConfig>] = &[
    Key {
        name: "name",
        default: "",
        read: |peer, v, _| put(&mut peer.name, value::peer_name(v.text("a name in quotes")?)),
    },
    Key { name: "addresses", default: "", read: read_addresses },
];

const AUTH: &[Key<Draft>] = &[Key {
    name: "key-file",
    default: "",
    read: |d, v, _| put(&mut d.key_file, placed(v, v.path().map(PathBuf::from))),
}];

const DAMPING: &[Key<Damping>] = &[
    Key { name: "penalty", default: "1000", read: |d, v, _| put(&mut d.penalty, v.number(&(0.0..=PENALTY))) },
    Key {
        name: "suppress",
        default: "2500",
        read: |d, v, _| put(&mut d.suppress, v.number(&(1.0..=PENALTY))),
    },
    Key { name: "reuse", default: "1000", read: |d, v, _| put(&mut d.reuse, v.number(&(1.0..=PENALTY))) },
    Key {
        name: "half-life",
        default: "\"60s\"",
        read: |d, v, _| put(&mut d.half_life, v.duration(&HALF_LIFE)),
    },
    Key { name: "maximum", default: "\"10m\"", read: |d, v, _| put(&mut d.maximum, v.duration(&SUPPRESSED)) },
];

const FAILBACK: &[Key<FailbackDraft>] = &[
    Key { name: "policy", default: "\"auto\"", read: |f, v, _| put(&mut f.policy, placed(v, policy(v))) },
    Key { name: "delay", default: "", read: |f, v, _| put(&mut f.delay, placed(v, v.duration(&DELAY))) },
    Key {
        name: "window",
        default: "",
        read: |f, v, _| put(&mut f.window, placed(v, value::window(v.text("a part of the day in quotes")?))),
    },
];

/// Puts a good value into its place, or passes the complaint on.
pub(super) fn put<T>(place: &mut T, value: Result<impl Into<T>, Complaint>) -> Result<(), Complaint> {
    *place = value?.into();
    Ok(())
}

/// A good value with its place.
pub(super) fn placed<T>(value: &Value<'_>, read: Result<T, Complaint>) -> Result<Placed<T>, Complaint> {
    read.map(|read| Placed { origin: value.origin(), value: read })
}

pub(super) fn nonzero(value: &Value<'_>, range: &RangeInclusive<u32>) -> Result<NonZeroU32, Complaint> {
    let number = value.whole(range)?;
    NonZeroU32::new(number).ok_or(Complaint::Below { least: "1".to_owned() })
}

fn port(value: &Value<'_>) -> Result<u16, Complaint> {
    let number = value.whole(&value::PORT)?;
    u16::try_from(number).map_err(|_| Complaint::Above { most: u16::MAX.to_string() })
}

fn verbosity(value: &Value<'_>) -> Result<u8, Complaint> {
    Ok(match value.whole(&(0..=2))? {
        0 => 0,
        1 => 1,
        _ => 2,
    })
}

fn exit(value: &Value<'_>) -> Result<Exit, Complaint> {
    const WANTED: &str = "\"lift\" or \"keep\"";
    match value.text(WANTED)? {
        "lift" => Ok(Exit::Lift),
        "keep" => Ok(Exit::Keep),
        _ => Err(Complaint::Form { wanted: WANTED }),
    }
}

fn user(value: &Value<'_>) -> Result<String, Complaint> {
    value.text("a user's name in quotes").and_then(value::user_name)
}

fn read_exclude(draft: &mut Draft, value: &Value<'_>, faults: &mut Vec<Fault>) -> Result<(), Complaint> {
    for item in value.items("a list of interfaces such as [\"wlan0\"]", EXCLUDED)? {
        match item.text("a name in quotes").and_then(value::interface_name) {
            Ok(name) => draft.exclude.push(Placed { origin: item.origin(), value: name }),
            Err(complaint) => faults.push(item.fault(&complaint)),
        }
    }
    Ok(())
}

fn read_protocols(draft: &mut Draft, value: &Value<'_>, faults: &mut Vec<Fault>) -> Result<(), Complaint> {
    let mut protocols = Vec::new();
    for item in value.items("a list of routing protocols such as [\"static\", 16]", PROTOCOLS)? {
        match protocol(&item) {
            Ok(number) if protocols.contains(&number) => {
                faults.push(item.fault(&Complaint::Other("stands there twice; remove one")));
            }
            Ok(number) => protocols.push(number),
            Err(complaint) => faults.push(item.fault(&complaint)),
        }
    }
    draft.settings.route_protocols = protocols;
    Ok(())
}

/// A protocol by number or name. The kernel's own routes and ours are never followed.
fn protocol(value: &Value<'_>) -> Result<u8, Complaint> {
    const WANTED: &str = "a routing protocol by number, or by a name such as \"static\"";
    let number = match value.text(WANTED) {
        Ok(name) => value::route_protocol(name).ok_or(Complaint::Form { wanted: WANTED })?,
        Err(wrong_type) => {
            let number = value.whole(&(0..=255)).map_err(|e| if is_type(&e) { wrong_type } else { e })?;
            u8::try_from(number).map_err(|_| Complaint::Form { wanted: WANTED })?
        }
    };
    match number {
        0..=2 => Err(Complaint::Other("is the kernel's own; leave it out")),
        250 => Err(Complaint::Other("is faild's own; leave it out")),
        other => Ok(other),
    }
}

fn is_type(complaint: &Complaint) -> bool {
    matches!(complaint, Complaint::Type { .. })
}

fn read_lans(draft: &mut Draft, value: &Value<'_>, faults: &mut Vec<Fault>) -> Result<(), Complaint> {
    for section in value.items("a list of sections; write [[lan]] with two brackets", SECTIONS_EACH)? {
        let mut lan = LanConfig::new("");
        section.read(LAN, &mut lan, faults)?;
        if !lan.ipv4 && !lan.ipv6 {
            faults.push(section.fault_of_section("is probed by no family; set ipv4 or ipv6 to true"));
        }
        if lan.interface.is_empty() {
            missing(&section, "interface", "names no interface; add interface = \"eth0\"", faults);
        } else {
            draft.lans.push(Placed { origin: section.origin(), value: lan });
        }
    }
    Ok(())
}

fn read_peers(draft: &mut Draft, value: &Value<'_>, faults: &mut Vec<Fault>) -> Result<(), Complaint> {
    for section in value.items("a list of sections; write [[peer]] with two brackets", PEERS)? {
        let mut peer = PeerConfig { name: String::new(), addresses: Vec::new() };
        section.read(PEER, &mut peer, faults)?;
        if peer.name.is_empty() {
            missing(&section, "name", "has no name; add name = \"host2\"", faults);
        }
        if peer.addresses.is_empty() {
            missing(&section, "addresses", "has no address; add addresses = [\"192.0.2.7\"]", faults);
        }
        draft.peers.push(Placed { origin: section.origin(), value: peer });
    }
    Ok(())
}

/// A fault for a key that a section must have. One that was given and refused has its own fault already.
pub(super) fn missing(section: &Value<'_>, key: &str, text: &str, faults: &mut Vec<Fault>) {
    if section.is_whole && !section.has(key) {
        faults.push(section.fault_of_section(text));
    }
}

fn read_addresses(
    peer: &mut PeerConfig,
    value: &Value<'_>,
    faults: &mut Vec<Fault>,
) -> Result<(), Complaint> {
    let items = value.items("a list of addresses such as [\"192.0.2.7\"]", ADDRESSES)?;
    if items.is_empty() {
        return Err(Complaint::Other("is empty; name at least one address"));
    }
    for item in items {
        match item.text("an address in quotes").and_then(value::peer_address) {
            Ok(address) => add_address(&mut peer.addresses, address, &item, faults),
            Err(complaint) => faults.push(item.fault(&complaint)),
        }
    }
    Ok(())
}

fn add_address(addresses: &mut Vec<IpAddr>, address: IpAddr, item: &Value<'_>, faults: &mut Vec<Fault>) {
    if addresses.contains(&address) {
        faults.push(item.fault(&Complaint::Other("stands there twice; remove one")));
    } else {
        addresses.push(address);
    }
}

fn read_damping(draft: &mut Draft, value: &Value<'_>, faults: &mut Vec<Fault>) -> Result<(), Complaint> {
    let before = faults.len();
    let damping = &mut draft.settings.damping;
    value.read(DAMPING, damping, faults)?;
    if faults.len() > before {
        return Ok(());
    }
    let Damping { suppress, reuse, .. } = *damping;
    let ceiling = damping.ceiling();
    if reuse >= suppress {
        faults.push(value.fault_of_section(&format!(
            "has reuse {reuse}, which is not below suppress {suppress}; lower reuse or raise suppress"
        )));
    } else if ceiling < suppress {
        faults.push(value.fault_of_section(&format!(
            "never suppresses: maximum caps the penalty at {ceiling:.0}, below suppress {suppress}; raise maximum, \
             shorten half-life or lower suppress"
        )));
    }
    Ok(())
}

/// The keys of `[failback]` before they are held against each other.
#[derive(Default)]
struct FailbackDraft {
    policy: Option<Placed<Policy>>,
    delay: Option<Placed<Duration>>,
    window: Option<Placed<(u32, u32)>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Policy {
    Auto,
    Manual,
    Delay,
    Window,
}

fn policy(value: &Value<'_>) -> Result<Policy, Complaint> {
    const WANTED: &str = "\"auto\", \"manual\", \"delay\" or \"window\"";
    match value.text(WANTED)? {
        "auto" => Ok(Policy::Auto),
        "manual" => Ok(Policy::Manual),
        "delay" => Ok(Policy::Delay),
        "window" => Ok(Policy::Window),
        _ => Err(Complaint::Form { wanted: WANTED }),
    }
}

fn read_failback(draft: &mut Draft, value: &Value<'_>, faults: &mut Vec<Fault>) -> Result<(), Complaint> {
    let before = faults.len();
    let mut failback = FailbackDraft::default();
    value.read(FAILBACK, &mut failback, faults)?;
    if faults.len() > before {
        return Ok(());
    }
    let policy = failback.policy.map_or(Policy::Auto, |policy| policy.value);
    refuse_idle(failback.delay.as_ref(), policy == Policy::Delay, "delay", faults);
    refuse_idle(failback.window.as_ref(), policy == Policy::Window, "window", faults);
    let window = failback.window.map(|window| window.value);
    draft.settings.failback = match (policy, failback.delay, window) {
        (Policy::Auto, _, _) => Failback::Auto,
        (Policy::Manual, _, _) => Failback::Manual,
        (Policy::Delay, Some(delay), _) => Failback::Delay(delay.value),
        (Policy::Window, _, Some((from, until))) => Failback::Window { from, until },
        (Policy::Delay, None, _) => {
            missing(value, "delay", "has policy \"delay\" and no delay; add delay = \"5m\"", faults);
            Failback::Auto
        }
        (Policy::Window, _, None) => {
            missing(
                value,
                "window",
                "has policy \"window\" and no window; add window = \"02:00-04:30\"",
                faults,
            );
            Failback::Auto
        }
    };
    Ok(())
}

/// A key that the policy makes no use of is a misunderstanding.
fn refuse_idle<T>(given: Option<&Placed<T>>, is_used: bool, key: &str, faults: &mut Vec<Fault>) {
    if let Some(given) = given.filter(|_| !is_used) {
        let text = format!("{key} has no effect without policy = \"{key}\"; set that, or remove the line");
        faults.push(Fault::new(given.origin.clone(), text));
    }
}

/// Below 100 packets a second two LANs at the default interval are not served; above a million no core keeps up.
const PACKET_BUDGET: RangeInclusive<u32> = 100..=1_000_000;
/// Sizes of penalties: only their proportions count, so a million is room enough.
const PENALTY: f64 = 1_000_000.0;
/// A penalty that halves in under a second damps nothing; one that takes over a day never goes.
const HALF_LIFE: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(24 * 3600);
/// As for the half-life.
const SUPPRESSED: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(24 * 3600);
/// More than a week is `manual`.
const DELAY: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(7 * 24 * 3600);
/// Interfaces that can be excluded: more than a host has, few enough to be looked through for each interface.
const EXCLUDED: usize = 1024;
/// There are 256 protocol numbers.
const PROTOCOLS: usize = 256;
/// `[[lan]]` sections that are read: how many may be used is checked later, with a better message.
const SECTIONS_EACH: usize = 64;
/// Peers: four times what the daemon is built and measured for.
const PEERS: usize = 4096;
/// Addresses of a peer: four LANs with eight each.
const ADDRESSES: usize = 32;

#[cfg(test)]
mod tests;
