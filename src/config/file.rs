//! The keys of faild.toml(5): the tables here and in the file of each section are the only list of them, with their
//! defaults and limits.

use std::num::NonZeroU32;
use std::ops::RangeInclusive;
use std::path::PathBuf;

use super::document::{Key, Source, Value};
use super::draft::{Draft, Placed};
use super::fault::{Complaint, Fault};
use super::{Exit, damping, failback, group, hook, lan, peer, route, value};

/// A key of the file, to check the manual against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyName {
    /// The section, empty at the top.
    pub section: &'static str,
    /// The key.
    pub name: &'static str,
    /// Its default, in TOML; empty if that cannot be written.
    pub default: &'static str,
}

/// Every key of the file, except sections.
pub fn keys() -> impl Iterator<Item = KeyName> {
    let section = |section, names: Vec<(&'static str, &'static str)>| {
        names.into_iter().map(move |(name, default)| KeyName { section, name, default })
    };
    section("", names(TOP))
        .chain(section("lan", names(lan::KEYS)))
        .chain(section("peer", names(peer::KEYS)))
        .chain(section("hook", names(hook::KEYS)))
        .chain(section("auth", names(AUTH)))
        .chain(section("damping", names(damping::KEYS)))
        .chain(section("failback", names(failback::KEYS)))
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
    Key { name: "realtime", default: "true", read: |d, v, _| put(&mut d.settings.realtime, v.boolean()) },
    Key {
        name: "control-group",
        default: "\"faild\"",
        read: |d, v, _| put(&mut d.settings.control_group, value::group_name(v.text("a group in quotes")?)),
    },
    Key { name: "exit", default: "\"remove\"", read: |d, v, _| read_exit(d, v) },
    Key { name: "user", default: "\"faild\"", read: |d, v, _| put(&mut d.user, placed(v, user(v))) },
];

const SECTIONS: &[Key<Draft>] = &[
    Key { name: "lan", default: "", read: lan::read },
    Key { name: "peer", default: "", read: peer::read },
    Key { name: "hook", default: "", read: hook::read },
    Key { name: "auth", default: "", read: |d, v, faults| v.read(AUTH, d, faults) },
    Key { name: "damping", default: "", read: damping::read },
    Key { name: "failback", default: "", read: failback::read },
    Key { name: "route", default: "", read: route::read },
    Key { name: "group", default: "", read: group::read },
];

const AUTH: &[Key<Draft>] = &[Key {
    name: "key-file",
    default: "",
    read: |d, v, _| put(&mut d.key_file, placed(v, v.path().map(PathBuf::from))),
}];

/// Stores a valid value, or passes the complaint on.
pub(super) fn put<T>(place: &mut T, value: Result<impl Into<T>, Complaint>) -> Result<(), Complaint> {
    *place = value?.into();
    Ok(())
}

/// A valid value with its position.
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

fn read_exit(draft: &mut Draft, value: &Value<'_>) -> Result<(), Complaint> {
    const WANTED: &str = "\"remove\" or \"keep\"";
    draft.settings.exit = match value.text(WANTED)? {
        "remove" => Exit::Remove,
        "lift" => {
            draft.former.push("exit: \"lift\" is now named \"remove\"; write that".to_owned());
            Exit::Remove
        }
        "keep" => Exit::Keep,
        _ => return Err(Complaint::Form { wanted: WANTED }),
    };
    Ok(())
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
                faults.push(item.fault(&Complaint::Other("is listed twice; remove one")));
            }
            Ok(number) => protocols.push(number),
            Err(complaint) => faults.push(item.fault(&complaint)),
        }
    }
    draft.settings.route_protocols = protocols;
    Ok(())
}

/// A protocol by number or name. The kernel's routes and ours are never followed.
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
        0..=2 => Err(Complaint::Other("is reserved for the kernel; remove it")),
        250 => Err(Complaint::Other("is reserved for faild; remove it")),
        other => Ok(other),
    }
}

fn is_type(complaint: &Complaint) -> bool {
    matches!(complaint, Complaint::Type { .. })
}

/// An error for a missing key that a section requires. A key that was given and refused has its own error already.
pub(super) fn missing(section: &Value<'_>, key: &str, text: &str, faults: &mut Vec<Fault>) {
    if section.is_whole && !section.has(key) {
        faults.push(section.fault_of_section(text));
    }
}

/// Fewer than 100 packets per second are not enough for two LANs at the default interval; no core handles a million.
const PACKET_BUDGET: RangeInclusive<u32> = 100..=1_000_000;
/// Interfaces that can be excluded: more than a host has, few enough to search for each interface.
const EXCLUDED: usize = 1024;
/// There are 256 protocol numbers.
const PROTOCOLS: usize = 256;
#[cfg(test)]
mod tests;
