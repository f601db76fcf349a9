//! What ipmpstat(8) shows, field by field: a row has a text for every column of its mode, empty if there is no value.

use std::collections::BTreeMap;
use std::io::Read;
use std::net::IpAddr;
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::poll::poll;

use super::columns::Column;
use crate::control::{
    Group, Member, MemberSnapshot, MemberState, MemberTargets, Method, Mode, Probe, Probing, Targets,
};
use crate::faildctl::watched::members;

/// A row's fields.
pub(super) type Row = Vec<String>;

/// Names for addresses, each looked up once.
#[derive(Debug, Default)]
pub(super) struct Names {
    /// `-n`: no name is looked up.
    pub(super) is_numeric: bool,
    known: BTreeMap<IpAddr, String>,
}

impl Names {
    pub(super) fn new(is_numeric: bool) -> Self {
        Self { is_numeric, known: BTreeMap::new() }
    }

    /// The name from the host's databases (nsswitch.conf(5)), or the address.
    fn of(&mut self, address: IpAddr) -> String {
        if self.is_numeric {
            return address.to_string();
        }
        if let Some(name) = self.known.get(&address) {
            return name.clone();
        }
        // If one takes too long, the others would, too.
        let name = look_up(address);
        self.is_numeric = name.is_none();
        let name = name.unwrap_or_else(|| address.to_string());
        self.known.insert(address, name.clone());
        name
    }
}

pub(super) const ADDRESSES: &[Column] = &[
    Column { name: "ADDRESS", width: 26 },
    Column { name: "STATE", width: 7 },
    Column { name: "GROUP", width: 12 },
    Column { name: "INBOUND", width: 12 },
    Column { name: "OUTBOUND", width: 23 },
];

/// An address receives on its own interface while that is active; packets leave through any active one.
pub(super) fn addresses(groups: &[Group], names: &mut Names) -> Vec<Row> {
    let mut rows = Vec::new();
    for group in groups {
        let active: Vec<&str> = group
            .members
            .iter()
            .map(|m| &m.snapshot)
            .filter(|m| m.active)
            .map(|m| m.interface.as_str())
            .collect();
        for Member { snapshot: member, addresses, .. } in &group.members {
            for address in addresses {
                let serves = address.up && !active.is_empty();
                let inbound = if serves && member.active { member.interface.clone() } else { String::new() };
                let outbound = if serves { active.join(" ") } else { String::new() };
                let state = if address.up { "up" } else { "down" };
                let name = names.of(address.address);
                rows.push(vec![name, state.to_owned(), group.name.clone(), inbound, outbound]);
            }
        }
    }
    rows
}

pub(super) const GROUPS: &[Column] = &[
    Column { name: "GROUP", width: 12 },
    Column { name: "GROUPNAME", width: 12 },
    Column { name: "STATE", width: 10 },
    Column { name: "FDT", width: 10 },
    Column { name: "INTERFACES", width: 30 },
];

pub(super) fn groups(groups: &[Group]) -> Vec<Row> {
    let row = |group: &Group| {
        let detection =
            group.detection.map(|time| format!("{}.{:02}s", time.as_secs(), time.subsec_millis() / 10));
        let name = || group.name.clone();
        vec![name(), name(), group.state.to_string(), detection.unwrap_or_default(), members(group)]
    };
    groups.iter().map(row).collect()
}

pub(super) const INTERFACES: &[Column] = &[
    Column { name: "INTERFACE", width: 12 },
    Column { name: "ACTIVE", width: 8 },
    Column { name: "GROUP", width: 12 },
    Column { name: "FLAGS", width: 10 },
    Column { name: "LINK", width: 10 },
    Column { name: "PROBE", width: 10 },
    Column { name: "STATE", width: 10 },
];

pub(super) fn interfaces(groups: &[Group]) -> Vec<Row> {
    let members = groups.iter().flat_map(|group| group.members.iter().map(move |m| (group, &m.snapshot)));
    let row = |(group, member): (&Group, &MemberSnapshot)| {
        let active = if member.active { "yes" } else { "no" };
        let texts = [&member.interface, active, &group.name, &flags(member), &member.link.to_string()];
        let mut row: Row = texts.map(str::to_owned).to_vec();
        row.extend([probe(member).to_string(), member.state.to_string()]);
        row
    };
    members.map(row).collect()
}

/// i inactive, s standby, d no address, h duplicate MAC. Linux does not nominate an interface for multicast (m, M) or
/// broadcast (b): each route has its own.
fn flags(member: &MemberSnapshot) -> String {
    let flag = |is_set: bool, letter: char| if is_set { letter } else { '-' };
    [
        flag(member.inactive, 'i'),
        flag(member.standby, 's'),
        '-',
        '-',
        '-',
        flag(member.no_data_address, 'd'),
        flag(member.duplicate_mac, 'h'),
    ]
    .iter()
    .collect()
}

/// An interface that is probed and has failed has failed probes, even if only its link is down.
const fn probe(member: &MemberSnapshot) -> Probing {
    match (member.probing, member.state) {
        (Probing::Ok, MemberState::Failed) => Probing::Failed,
        (probing, _) => probing,
    }
}

pub(super) const TARGETS: &[Column] = &[
    Column { name: "INTERFACE", width: 12 },
    Column { name: "MODE", width: 10 },
    Column { name: "TESTADDR", width: 20 },
    Column { name: "TARGETS", width: 38 },
];

/// A row for each family that is probed, or one with `disabled` if none is.
pub(super) fn targets(groups: &[Group], targets: &Targets, names: &mut Names) -> Vec<Row> {
    let mut rows = Vec::new();
    for member in groups.iter().flat_map(|group| &group.members).map(|member| &member.snapshot) {
        let families = targets.members.iter().filter(|family| family.interface == member.interface);
        let probed: Vec<&MemberTargets> = families.filter(|family| is_probed(family)).collect();
        if probed.is_empty() {
            rows.push(vec![member.interface.clone(), "disabled".to_owned(), String::new(), String::new()]);
        }
        for family in probed {
            let address = family.instance.test_address.map(|address| names.of(address));
            let hosts: Vec<String> =
                family.instance.targets.iter().map(|target| names.of(target.address)).collect();
            let interface = family.interface.clone();
            rows.push(vec![
                interface,
                family.instance.mode.to_string(),
                address.unwrap_or_default(),
                hosts.join(" "),
            ]);
        }
    }
    rows
}

/// Whether an interface is probed in a family.
pub(super) fn is_probed(family: &MemberTargets) -> bool {
    family.instance.mode != Mode::Disabled
}

pub(super) const PROBES: &[Column] = &[
    Column { name: "TIME", width: 10 },
    Column { name: "INTERFACE", width: 12 },
    Column { name: "PROBE", width: 7 },
    Column { name: "NETRTT", width: 10 },
    Column { name: "RTT", width: 10 },
    Column { name: "RTTAVG", width: 10 },
    Column { name: "TARGET", width: 20 },
    Column { name: "RTTDEV", width: 10 },
];

/// The probes sent by group interfaces; times count from `began`, since 1970. faild uses only the kernel's
/// timestamps, so both round trips are the same.
pub(super) fn probes(
    probes: &[Probe],
    is_member: impl Fn(&str) -> bool,
    began_ms: u64,
    names: &mut Names,
) -> Vec<Row> {
    let wanted = probes.iter().filter(|p| p.record.method == Method::Echo && is_member(&p.record.interface));
    let mut row = |probe: &Probe| {
        let sent = since(began_ms, probe.time_ms);
        let record = &probe.record;
        let round_trip = record.round_trip.map(millis).unwrap_or_default();
        vec![
            sent,
            record.interface.clone(),
            record.sequence.to_string(),
            round_trip.clone(),
            round_trip,
            record.average.map(millis).unwrap_or_default(),
            names.of(record.target),
            record.deviation.map(millis).unwrap_or_default(),
        ]
    };
    wanted.map(&mut row).collect()
}

/// Seconds from one time to another, which may be earlier.
fn since(began_ms: u64, at_ms: u64) -> String {
    let ms = at_ms.abs_diff(began_ms);
    let sign = if at_ms < began_ms && ms >= 10 { "-" } else { "" };
    format!("{sign}{}.{:02}s", ms / 1000, ms % 1000 / 10)
}

fn millis(time: Duration) -> String {
    format!("{}.{:02}ms", time.as_millis(), time.subsec_micros() % 1000 / 10)
}

/// By getent(1), which asks whatever the host is configured to ask; `None` if that takes too long.
fn look_up(address: IpAddr) -> Option<String> {
    let numeric = address.to_string();
    let mut getent = Command::new("getent");
    getent.args(["hosts", &numeric]).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let Ok(mut child) = getent.spawn() else { return Some(numeric) };
    for _ in 0..LOOKS {
        if let Ok(Some(_)) | Err(_) = child.try_wait() {
            let mut text = String::new();
            child.stdout.take()?.read_to_string(&mut text).ok()?;
            return Some(text.split_whitespace().nth(1).map_or(numeric, str::to_owned));
        }
        // If interrupted, the pause is shorter.
        let _ = poll(&mut [], LOOK_MS);
    }
    // It may have exited in the meantime.
    let _ = child.kill();
    let _ = child.wait();
    None
}

/// How long a lookup may take, in polls of 5 ms: a user who asks because the network is down wants to see something.
const LOOKS: usize = 200;
const LOOK_MS: u8 = 5;

#[cfg(test)]
pub(super) mod tests;
