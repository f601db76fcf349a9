//! `[[hook]]`: programs that are run for events.

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::unistd::{AccessFlags, eaccess};

use super::account::{self, Account};
use super::document::{Key, Value};
use super::draft::{Draft, Placed};
use super::fault::{Complaint, Fault};
use super::value;
use crate::event::EventName;

/// A program that is run for events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HookConfig {
    /// The program, an absolute path, and its arguments. No shell sees them.
    pub command: Vec<String>,
    /// The events it is run for. Default all.
    pub events: Vec<ChangeKind>,
    /// Longest that it may run, 100 ms to 10 min. Default 10 s.
    pub timeout: Duration,
    /// The user that it runs as. Default the user that faild runs as, unless that is root.
    pub user: Option<String>,
}

/// The changes of state that others can be told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ChangeKind {
    /// A peer is silent on all LANs, or has said goodbye.
    PeerLost,
    /// It is back.
    PeerRegained,
    /// A LAN is down: no carrier, no interface, or all peers (two at least) silent there and not elsewhere.
    LanLost,
    /// Somebody is heard there again.
    LanRegained,
    /// Some peer can be reached over one LAN only.
    RedundancyLost,
    /// None is.
    RedundancyRegained,
    /// Traffic for a peer takes a detour.
    Failover,
    /// It is home again.
    Failback,
    /// No interface of a group is usable.
    GroupFailed,
    /// Some interface of a group is not usable, and another is.
    GroupDegraded,
    /// All interfaces of a group are usable.
    GroupOk,
    /// An interface of a group has failed.
    InterfaceFailed,
    /// It works again.
    InterfaceRepaired,
    /// A destination does not go by its first choice.
    RouteMoved,
    /// It does again.
    RouteBack,
    /// No next hop of a destination works.
    RouteLost,
    /// One does again.
    RouteRegained,
}

impl ChangeKind {
    /// All of them.
    pub const ALL: [Self; 17] = [
        Self::PeerLost,
        Self::PeerRegained,
        Self::LanLost,
        Self::LanRegained,
        Self::RedundancyLost,
        Self::RedundancyRegained,
        Self::Failover,
        Self::Failback,
        Self::GroupFailed,
        Self::GroupDegraded,
        Self::GroupOk,
        Self::InterfaceFailed,
        Self::InterfaceRepaired,
        Self::RouteMoved,
        Self::RouteBack,
        Self::RouteLost,
        Self::RouteRegained,
    ];

    /// The name that people and programs see.
    pub const fn name(self) -> &'static str {
        match self {
            Self::PeerLost => "peer-lost",
            Self::PeerRegained => "peer-regained",
            Self::LanLost => "lan-lost",
            Self::LanRegained => "lan-regained",
            Self::RedundancyLost => EventName::RedundancyLost.as_str(),
            Self::RedundancyRegained => EventName::RedundancyRegained.as_str(),
            Self::Failover => "failover",
            Self::Failback => "failback",
            Self::GroupFailed => "group-failed",
            Self::GroupDegraded => "group-degraded",
            Self::GroupOk => "group-ok",
            Self::InterfaceFailed => "interface-failed",
            Self::InterfaceRepaired => "interface-repaired",
            Self::RouteMoved => "route-moved",
            Self::RouteBack => "route-back",
            Self::RouteLost => "route-lost",
            Self::RouteRegained => "route-regained",
        }
    }
}

pub(super) const KEYS: &[Key<HookConfig>] = &[
    Key { name: "command", default: "", read: read_command },
    Key {
        name: "events",
        default: "[\"peer-lost\", \"peer-regained\", \"lan-lost\", \"lan-regained\", \"redundancy-lost\", \
                  \"redundancy-regained\", \"failover\", \"failback\", \"group-failed\", \"group-degraded\", \
                  \"group-ok\", \"interface-failed\", \"interface-repaired\", \"route-moved\", \"route-back\", \
                  \"route-lost\", \"route-regained\"]",
        read: read_events,
    },
    Key {
        name: "timeout",
        default: "\"10s\"",
        read: |hook, value, _| {
            hook.timeout = value.duration(&TIMEOUT)?;
            Ok(())
        },
    },
    Key {
        name: "user",
        default: "",
        read: |hook, value, _| {
            hook.user = Some(value.text("a user's name in quotes").and_then(value::user_name)?);
            Ok(())
        },
    },
];

/// Reads the sections.
pub(super) fn read(draft: &mut Draft, value: &Value<'_>, faults: &mut Vec<Fault>) -> Result<(), Complaint> {
    for section in value.items("a list of sections; write [[hook]] with two brackets", HOOKS)? {
        let mut hook = HookConfig {
            command: Vec::new(),
            events: ChangeKind::ALL.to_vec(),
            timeout: Duration::from_secs(10),
            user: None,
        };
        section.read(KEYS, &mut hook, faults)?;
        if section.is_whole && !section.has("command") {
            faults.push(section.fault_of_section("has no command; add command = [\"/usr/local/bin/tell\"]"));
        }
        draft.hooks.push(Placed { origin: section.origin(), value: hook });
    }
    Ok(())
}

/// Whether the users of the hooks exist, and whether faild, running as `user`, may run programs as them.
pub(super) fn check_users(hooks: &[Placed<HookConfig>], user: &str) -> Vec<Fault> {
    let named = hooks.iter().filter_map(|hook| Some((hook, hook.value.user.as_deref()?)));
    let fault = |(hook, name): (&Placed<HookConfig>, &str)| {
        if name != user && user != "root" {
            let text = format!(
                "[[hook]] user = \"{name}\" requires user = \"root\" at the top of the file; set that, or remove it"
            );
            return Some(Fault::new(hook.origin.clone(), text));
        }
        let is_there = name == user || Account::find(name).is_some();
        let text = || {
            format!("[[hook]]: user {name} is not in /etc/passwd; create it: {}", account::make_command(name))
        };
        (!is_there).then(|| Fault::environment(hook.origin.clone(), text()))
    };
    named.filter_map(fault).collect()
}

/// A program that cannot be run is only a warning: failover is more important.
pub(super) fn warnings(hooks: &[HookConfig]) -> Vec<String> {
    let programs = hooks.iter().filter_map(|hook| hook.command.first());
    let unfit = programs.filter(|path| {
        let is_file = std::fs::metadata(path).is_ok_and(|found| found.is_file());
        !is_file || eaccess(Path::new(path), AccessFlags::X_OK).is_err()
    });
    unfit
        .map(|path| format!("hook {path} does not exist or is not executable; fix that, or remove it"))
        .collect()
}

fn read_command(hook: &mut HookConfig, value: &Value<'_>, faults: &mut Vec<Fault>) -> Result<(), Complaint> {
    const WANTED: &str = "a list of a program and its arguments such as [\"/usr/local/bin/tell\", \"me\"]";
    for item in value.items(WANTED, WORDS)? {
        match item.text("a word in quotes") {
            Ok(word) if word.len() > LONGEST_WORD || word.contains('\0') => {
                faults.push(item.fault(&Complaint::Other("is too long or contains a NUL; change it")));
            }
            Ok(word) => hook.command.push(word.to_owned()),
            Err(complaint) => faults.push(item.fault(&complaint)),
        }
    }
    match hook.command.first().map(PathBuf::from) {
        None => Err(Complaint::Other("is empty; put the path of the program first")),
        Some(program) if !program.is_absolute() => Err(Complaint::Other(
            "does not start with the absolute path of a program; start the first word with '/'",
        )),
        Some(_) => Ok(()),
    }
}

fn read_events(hook: &mut HookConfig, value: &Value<'_>, faults: &mut Vec<Fault>) -> Result<(), Complaint> {
    const WANTED: &str = "an event such as \"peer-lost\" or \"failover\"";
    hook.events.clear();
    for item in
        value.items("a list of events such as [\"lan-lost\", \"lan-regained\"]", ChangeKind::ALL.len())?
    {
        let known =
            item.text(WANTED).map(|name| ChangeKind::ALL.into_iter().find(|kind| kind.name() == name));
        match known {
            Ok(Some(kind)) => hook.events.push(kind),
            Ok(None) => faults.push(item.fault(&Complaint::Form { wanted: WANTED })),
            Err(complaint) => faults.push(item.fault(&complaint)),
        }
    }
    if hook.events.is_empty() {
        Err(Complaint::Other("is empty; remove the line to use all events"))
    } else {
        Ok(())
    }
}

/// After ten minutes an event is no longer news; starting a program may take a tenth of a second.
const TIMEOUT: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_secs(600);
/// Hooks: each event may start this many programs.
const HOOKS: usize = 16;
/// Words of a command.
const WORDS: usize = 32;
/// Bytes of a word.
const LONGEST_WORD: usize = 1024;
