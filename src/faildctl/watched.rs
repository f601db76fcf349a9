//! Groups, destinations and their targets, as text for people.

use std::fmt::Write;
use std::time::Duration;

use super::show::{Screen, short};
use super::table::{Cell, Colour, Table};
use crate::control::{
    Destination, Group, GroupAccount, GroupState, HopSnapshot, HopState, InstanceSnapshot, Link,
    MemberSnapshot, MemberState, MemberTargets, NextHopTargets, Probe, TargetSnapshot, Targets,
};
use crate::route::MAIN_TABLE;
use crate::time::Stamp;

impl Screen {
    /// The groups, then their interfaces.
    pub(super) fn groups(self, groups: &[Group]) -> String {
        if groups.is_empty() {
            return "no groups; add a [[group]] section to the configuration\n".to_owned();
        }
        let mut table = Table::new(&["GROUP", "STATE", "FDT", "MEMBERS"]);
        for group in groups {
            table.row([
                name(group).into(),
                group_state(group),
                detection(group).into(),
                members(group).into(),
            ]);
        }
        let mut text = table.text(self.is_coloured);
        text.push('\n');
        text.push_str(&self.members(groups));
        text
    }

    fn members(self, groups: &[Group]) -> String {
        let mut table = Table::new(&["INTERFACE", "GROUP", "STATE", "LINK", "PROBE", "USE", "TAKEN OVER BY"]);
        for (group, member) in groups.iter().flat_map(|group| group.members.iter().map(move |m| (group, m))) {
            let member = &member.snapshot;
            table.row([
                member.interface.as_str().into(),
                name(group).into(),
                member_state(member.state),
                link(member.link),
                member.probing.to_string().into(),
                usage(member).into(),
                member.taken_over_by.as_deref().unwrap_or("-").into(),
            ]);
        }
        table.text(self.is_coloured)
    }

    /// A table of the targets of groups, and one of the targets of next hops.
    pub(super) fn targets(self, targets: &Targets) -> String {
        let mut texts = Vec::new();
        if !targets.members.is_empty() {
            texts.push(self.member_targets(&targets.members));
        }
        if !targets.next_hops.is_empty() {
            texts.push(self.hop_targets(&targets.next_hops));
        }
        match texts.as_slice() {
            [] => "only peers are probed; see faildctl peers\n".to_owned(),
            texts => texts.join("\n"),
        }
    }

    fn member_targets(self, members: &[MemberTargets]) -> String {
        let mut table = Table::new(&["INTERFACE", "MODE", "FROM", "TARGET", "STATE", "RTT"]);
        for member in members {
            let InstanceSnapshot { mode, test_address, targets, .. } = &member.instance;
            let from = test_address.map_or_else(|| "-".to_owned(), |address| address.to_string());
            let head = || [member.interface.as_str().into(), mode.to_string().into(), from.as_str().into()];
            for target in targets {
                let [interface, mode, from] = head();
                table.row([interface, mode, from, host(target).into(), hop_state(target.state), rtt(target)]);
            }
            if targets.is_empty() {
                let [interface, mode, from] = head();
                table.row([interface, mode, from, "-".into(), "-".into(), "-".into()]);
            }
        }
        let mut text = table.text(self.is_coloured);
        for MemberTargets { interface, instance, .. } in members.iter().filter(|m| m.instance.invalid > 0) {
            let InstanceSnapshot { family, invalid, .. } = instance;
            let why = "from another host, through another interface (check arp_ignore), or duplicated";
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{interface} {family}: {invalid} invalid answers: {why}");
        }
        text
    }

    fn hop_targets(self, hops: &[NextHopTargets]) -> String {
        let mut table = Table::new(&[
            "DESTINATION",
            "NEXT HOP",
            "TARGET",
            "HOW",
            "STATE",
            "MISSED",
            "GOOD",
            "LOSS",
            "RTT",
        ]);
        for hop in hops {
            for target in &hop.targets {
                let loss = target.loss_percent.map_or_else(|| "-".to_owned(), |loss| format!("{loss}%"));
                table.row([
                    prefix(&hop.destination, hop.table).into(),
                    next_hop(&hop.interface, hop.via).into(),
                    host(target).into(),
                    target.method.to_string().into(),
                    hop_state(target.state),
                    target.missed.to_string().into(),
                    target.good.to_string().into(),
                    loss.into(),
                    rtt(target),
                ]);
            }
        }
        table.text(self.is_coloured)
    }

    /// The probes in columns of fixed width, since more lines follow.
    pub(super) fn probes(self, probes: &[Probe], is_first: bool) -> String {
        let mut text = String::new();
        let mut line = |cells: [&str; 7]| {
            let [time, interface, target, how, sequence, rtt, average] = cells;
            // Writing to a string cannot fail.
            let _ = writeln!(
                text,
                "{time:<24}  {interface:<15}  {target:<15}  {how:<9}  {sequence:>5}  {rtt:>7}  {average:>7}"
            );
        };
        if is_first {
            line(["TIME", "INTERFACE", "TARGET", "HOW", "PROBE", "RTT", "AVERAGE"]);
        }
        for probe in probes {
            let time = Stamp(Duration::from_millis(probe.time_ms)).to_string();
            let record = &probe.record;
            let (target, sequence) = (record.target.to_string(), record.sequence.to_string());
            let how = record.method.to_string();
            let rtt = record.round_trip.map_or_else(|| "lost".to_owned(), short);
            let average = record.average.map_or_else(|| "-".to_owned(), short);
            line([&time, &record.interface, &target, &how, &sequence, &rtt, &average]);
        }
        text
    }

    /// One block per destination; with the evidence if the answer has it.
    pub(super) fn destinations(self, destinations: &[Destination]) -> String {
        let mut text = String::new();
        for destination in destinations {
            let name = prefix(&destination.destination, destination.table);
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{name}: {}", destination.reason.text);
            text.push_str(&self.hops(&destination.next_hops));
            let standing = [
                ("overlay", &destination.overlay),
                ("route", &destination.original),
                ("problem", &destination.problem),
            ];
            for (label, words) in standing {
                if let Some(words) = words {
                    let _ = writeln!(text, "  {label}: {words}");
                }
            }
            text.push('\n');
        }
        text
    }

    /// The next hops of a destination, each with the evidence.
    pub(super) fn hops(self, hops: &[HopSnapshot]) -> String {
        let mut table = Table::headless();
        for hop in hops {
            let used = if hop.in_use { Cell::coloured("in use", Colour::Good) } else { "-".into() };
            let damped = if hop.penalty > 0.0 { format!("penalty {}", hop.penalty) } else { String::new() };
            let reason = [hop.reason.as_str(), damped.as_str()];
            let reason: Vec<&str> = reason.into_iter().filter(|words| !words.is_empty()).collect();
            table.row([
                format!("  {}", next_hop(&hop.interface, hop.via)).into(),
                format!("rank {}", hop.rank).into(),
                format!("weight {}", hop.weight).into(),
                hop_state(hop.state),
                used,
                reason.join("; ").into(),
            ]);
        }
        let mut text = String::new();
        for (line, hop) in table.text(self.is_coloured).lines().zip(hops) {
            let _ = writeln!(text, "{line}");
            text.push_str(&self.evidence(&hop.targets));
        }
        text
    }

    fn evidence(self, targets: &[TargetSnapshot]) -> String {
        let mut table = Table::headless();
        for target in targets {
            let answered =
                target.answered.map_or_else(|| "never".to_owned(), |time| format!("{} ago", short(time)));
            let loss = target.loss_percent.map(|loss| format!("loss {loss}%")).unwrap_or_default();
            table.row([
                format!("    {}", host(target)).into(),
                target.method.to_string().into(),
                hop_state(target.state),
                format!("missed {} good {}", target.missed, target.good).into(),
                format!("answered {answered}").into(),
                loss.into(),
                target.round_trip.map(|time| format!("rtt {}", short(time))).unwrap_or_default().into(),
            ]);
        }
        table.text(self.is_coloured)
    }

    /// The group of the outgoing interface, its interfaces and the evidence.
    pub(super) fn group_account(self, account: &GroupAccount) -> String {
        let mut text = self.members(std::slice::from_ref(&account.group));
        if !account.targets.is_empty() {
            text.push('\n');
            text.push_str(&self.member_targets(&account.targets));
        }
        text
    }
}

/// Its members as ipmpstat(8) lists them: active ones, (those in reserve), [unusable ones].
pub(super) fn members(group: &Group) -> String {
    let names = |is_wanted: &dyn Fn(&MemberSnapshot) -> bool| {
        let names = group.members.iter().map(|member| &member.snapshot).filter(|member| is_wanted(member));
        names.map(|member| member.interface.as_str()).collect::<Vec<_>>().join(" ")
    };
    let active = names(&|member| member.active);
    let inactive = names(&|member| !member.active && is_usable(member));
    let unusable = names(&|member| !member.active && !is_usable(member));
    let around = |names: String, open: &str, close: &str| match names.is_empty() {
        true => names,
        false => format!("{open}{names}{close}"),
    };
    let parts = [active, around(inactive, "(", ")"), around(unusable, "[", "]")];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}

/// Whether it works, and carries no traffic only because it is in reserve.
fn is_usable(member: &MemberSnapshot) -> bool {
    match member.state {
        MemberState::Ok | MemberState::Unknown => member.inactive,
        MemberState::Failed | MemberState::Offline => false,
    }
}

fn name(group: &Group) -> &str {
    if group.name.is_empty() { "-" } else { &group.name }
}

fn group_state(group: &Group) -> Cell {
    match group.state {
        GroupState::Ok => Cell::coloured("ok", Colour::Good),
        GroupState::Degraded => Cell::coloured("degraded", Colour::Doubtful),
        GroupState::Failed => Cell::coloured("failed", Colour::Bad),
    }
}

fn detection(group: &Group) -> String {
    group.detection.map_or_else(|| "-".to_owned(), short)
}

fn member_state(state: MemberState) -> Cell {
    match state {
        MemberState::Ok => Cell::coloured("ok", Colour::Good),
        MemberState::Failed => Cell::coloured("failed", Colour::Bad),
        MemberState::Offline => Cell::coloured("offline", Colour::Doubtful),
        MemberState::Unknown => Cell::coloured("unknown", Colour::Doubtful),
    }
}

fn link(link: Link) -> Cell {
    match link {
        Link::Up => "up".into(),
        Link::Down => Cell::coloured("down", Colour::Bad),
        Link::Unknown => "unknown".into(),
    }
}

/// Its role, and what keeps it from being used.
fn usage(member: &MemberSnapshot) -> String {
    let words = [
        (member.active, "active"),
        (member.standby, "standby"),
        (member.inactive, "inactive"),
        (member.no_data_address, "no address"),
        (member.duplicate_mac, "duplicate MAC"),
    ];
    let words: Vec<&str> = words.into_iter().filter(|(is_so, _)| *is_so).map(|(_, word)| word).collect();
    if words.is_empty() { "-".to_owned() } else { words.join(", ") }
}

fn hop_state(state: HopState) -> Cell {
    match state {
        HopState::Up => Cell::coloured("up", Colour::Good),
        HopState::Degraded => Cell::coloured("degraded", Colour::Doubtful),
        HopState::Down => Cell::coloured("down", Colour::Bad),
        HopState::Unknown => Cell::coloured("unknown", Colour::Doubtful),
    }
}

fn host(target: &TargetSnapshot) -> String {
    let address = target.address.to_string();
    if target.name == address { address } else { format!("{} ({address})", target.name) }
}

fn prefix(destination: &str, table: u32) -> String {
    if table == MAIN_TABLE { destination.to_owned() } else { format!("{destination} table {table}") }
}

fn next_hop(interface: &str, via: Option<std::net::IpAddr>) -> String {
    via.map_or_else(|| interface.to_owned(), |via| format!("{interface} via {via}"))
}

fn rtt(target: &TargetSnapshot) -> Cell {
    target.round_trip.map_or_else(|| "-".to_owned(), short).into()
}

#[cfg(test)]
mod tests;
