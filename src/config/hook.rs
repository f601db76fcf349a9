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
    /// Those of them that are named as they were before.
    pub former: Vec<ChangeKind>,
    /// Longest that it may run, 100 ms to 10 min. Default 10 s.
    pub timeout: Duration,
    /// The user that it runs as. Default the user that faild runs as, unless that is root.
    pub user: Option<String>,
}

/// The changes of state that others can be told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ChangeKind {
    /// A peer is silent on all LANs, or has said goodbye.
    PeerDown,
    /// It is back.
    PeerUp,
    /// A LAN is down: no carrier, no interface, or all peers (two at least) silent there and not elsewhere.
    LanDown,
    /// Somebody is heard there again.
    LanUp,
    /// Some peer can be reached over one LAN only.
    RedundancyLost,
    /// None is.
    RedundancyRestored,
    /// Traffic for a peer takes a detour.
    PeerFailover,
    /// It is home again.
    PeerFailback,
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
    RouteFailover,
    /// It does again.
    RouteFailback,
    /// No next hop of a destination works.
    RouteDown,
    /// One does again.
    RouteUp,
}

impl ChangeKind {
    /// All of them.
    pub const ALL: [Self; 17] = [
        Self::PeerDown,
        Self::PeerUp,
        Self::LanDown,
        Self::LanUp,
        Self::RedundancyLost,
        Self::RedundancyRestored,
        Self::PeerFailover,
        Self::PeerFailback,
        Self::GroupFailed,
        Self::GroupDegraded,
        Self::GroupOk,
        Self::InterfaceFailed,
        Self::InterfaceRepaired,
        Self::RouteFailover,
        Self::RouteFailback,
        Self::RouteDown,
        Self::RouteUp,
    ];

    /// The event, by the name that the log has for it.
    pub const fn event(self) -> EventName {
        match self {
            Self::PeerDown => EventName::PeerDown,
            Self::PeerUp => EventName::PeerUp,
            Self::LanDown => EventName::LanDown,
            Self::LanUp => EventName::LanUp,
            Self::RedundancyLost => EventName::RedundancyLost,
            Self::RedundancyRestored => EventName::RedundancyRestored,
            Self::PeerFailover => EventName::PeerFailover,
            Self::PeerFailback => EventName::PeerFailback,
            Self::GroupFailed => EventName::GroupFailed,
            Self::GroupDegraded => EventName::GroupDegraded,
            Self::GroupOk => EventName::GroupOk,
            Self::InterfaceFailed => EventName::InterfaceFailed,
            Self::InterfaceRepaired => EventName::InterfaceRepaired,
            Self::RouteFailover => EventName::RouteFailover,
            Self::RouteFailback => EventName::RouteFailback,
            Self::RouteDown => EventName::RouteDown,
            Self::RouteUp => EventName::RouteUp,
        }
    }

    /// The name that people and programs see.
    pub const fn name(self) -> &'static str {
        self.event().as_str()
    }

    /// The event of that name, and whether that is the name that it had before.
    fn named(name: &str) -> Option<(Self, bool)> {
        let known = Self::ALL.into_iter().find(|kind| kind.name() == name).map(|kind| (kind, false));
        let former =
            || FORMER_NAMES.iter().find(|(former, _)| *former == name).map(|(_, kind)| (*kind, true));
        known.or_else(former)
    }
}

impl ChangeKind {
    /// What to write instead of the name that it had before.
    fn former_warning(self) -> String {
        let former = FORMER_NAMES.iter().find(|(_, kind)| *kind == self).map_or("", |(former, _)| *former);
        format!("[[hook]] events: \"{former}\" is now named \"{}\"; write that", self.name())
    }
}

/// Names that events had for hooks before they got those of the log. They are still taken.
const FORMER_NAMES: [(&str, ChangeKind); 11] = [
    ("peer-lost", ChangeKind::PeerDown),
    ("peer-regained", ChangeKind::PeerUp),
    ("lan-lost", ChangeKind::LanDown),
    ("lan-regained", ChangeKind::LanUp),
    ("redundancy-regained", ChangeKind::RedundancyRestored),
    ("failover", ChangeKind::PeerFailover),
    ("failback", ChangeKind::PeerFailback),
    ("route-moved", ChangeKind::RouteFailover),
    ("route-back", ChangeKind::RouteFailback),
    ("route-lost", ChangeKind::RouteDown),
    ("route-regained", ChangeKind::RouteUp),
];

pub(super) const KEYS: &[Key<HookConfig>] = &[
    Key { name: "command", default: "", read: read_command },
    Key {
        name: "events",
        default: "[\"peer-down\", \"peer-up\", \"lan-down\", \"lan-up\", \"redundancy-lost\", \
                  \"redundancy-restored\", \"peer-failover\", \"peer-failback\", \"group-failed\", \
                  \"group-degraded\", \"group-ok\", \"interface-failed\", \"interface-repaired\", \
                  \"route-failover\", \"route-failback\", \"route-down\", \"route-up\"]",
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
            former: Vec::new(),
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
    let former = hooks.iter().flat_map(|hook| &hook.former);
    unfit
        .map(|path| format!("hook {path} does not exist or is not executable; fix that, or remove it"))
        .chain(former.map(|kind| kind.former_warning()))
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
    const WANTED: &str = "an event such as \"peer-down\" or \"peer-failover\"";
    hook.events.clear();
    for item in value.items("a list of events such as [\"lan-down\", \"lan-up\"]", ChangeKind::ALL.len())? {
        match item.text(WANTED).map(ChangeKind::named) {
            Ok(Some((kind, is_former))) => {
                hook.events.push(kind);
                hook.former.extend(is_former.then_some(kind));
            }
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
