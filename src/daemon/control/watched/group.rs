//! The groups of interfaces.

use std::net::IpAddr;

use super::target::member_targets;
use super::{Picture, until};
use crate::control::{self, DataAddress, GroupAccount, Reason};
use crate::interface::{Interface, InterfaceAddress};
use crate::watch::{GroupSnapshot, GroupState, InstanceSnapshot, Link, MemberSnapshot, MemberState};

impl Picture<'_> {
    pub(in crate::daemon::control) fn groups(&self) -> Vec<control::Group> {
        self.watch.groups.iter().map(|group| self.group(group)).collect()
    }

    /// The group that an interface is in, with the evidence for its state.
    pub(in crate::daemon::control) fn account(&self, interface: &str) -> Option<GroupAccount> {
        let has_it = |group: &&GroupSnapshot| group.members.iter().any(|m| m.interface == interface);
        let group = self.watch.groups.iter().find(has_it)?;
        let member = group.members.iter().find(|member| member.interface == interface)?;
        let targets = group.members.iter().flat_map(|member| member_targets(group, member)).collect();
        Some(GroupAccount { reason: member_reason(group, member), group: self.group(group), targets })
    }

    fn group(&self, group: &GroupSnapshot) -> control::Group {
        control::Group {
            name: group.name.clone(),
            state: group.state,
            detection: group.detection_time,
            members: group.members.iter().map(|member| self.member(member)).collect(),
        }
    }

    fn member(&self, member: &MemberSnapshot) -> control::Member {
        let interface = self.interfaces.iter().find(|interface| interface.name == member.interface);
        control::Member {
            snapshot: member.clone(),
            offline: self.offline.get(&member.interface).cloned(),
            addresses: interface.map(|interface| data_addresses(interface, member)).unwrap_or_default(),
        }
    }

    pub(super) fn group_reason(&self, group: &GroupSnapshot) -> Option<String> {
        let broken: Vec<String> = group.members.iter().filter_map(|member| self.broken(member)).collect();
        let state = match group.state {
            GroupState::Ok if broken.is_empty() => return None,
            // Only in the anonymous group, where nothing takes over.
            GroupState::Ok => "monitored only",
            GroupState::Degraded => "degraded",
            GroupState::Failed => "failed",
        };
        let colon = if broken.is_empty() { "" } else { ": " };
        Some(format!("{} {state}{colon}{}", group_words(&group.name), broken.join(", ")))
    }

    /// A member that cannot be used, and why.
    fn broken(&self, member: &MemberSnapshot) -> Option<String> {
        let name = &member.interface;
        match member.state {
            MemberState::Offline => Some(match self.offline.get(name) {
                Some(entry) => format!("{name} is offline {}", until(entry.until)),
                None if member.duplicate_mac => format!("{name} has the MAC address of another member"),
                None => format!("{name} is offline"),
            }),
            MemberState::Failed if member.link == Link::Down => Some(format!("{name} has no carrier")),
            MemberState::Failed => Some(format!("{name} has failed")),
            MemberState::Ok | MemberState::Unknown => None,
        }
    }
}

/// Why traffic of a member takes the path it takes.
fn member_reason(group: &GroupSnapshot, member: &MemberSnapshot) -> Reason {
    let name = &member.interface;
    let (word, text) = match (member.state, &member.taken_over_by) {
        (MemberState::Offline, Some(other)) => {
            ("member-offline", format!("{name} is offline; {other} has taken over"))
        }
        (_, Some(other)) => ("member-failed", format!("{name} has failed; {other} has taken over")),
        (_, None) if group.state == GroupState::Failed => (
            "group-failed",
            format!("no interface of {} is usable; nothing is moved", group_words(&group.name)),
        ),
        (MemberState::Ok | MemberState::Unknown, None) => ("member-up", format!("{name} works")),
        (MemberState::Failed | MemberState::Offline, None) => {
            ("no-takeover", format!("{name} has failed, and nothing has taken over"))
        }
    };
    Reason { word: word.to_owned(), text }
}

fn group_words(name: &str) -> String {
    if name.is_empty() { "the anonymous group".to_owned() } else { format!("group {name}") }
}

fn data_addresses(interface: &Interface, member: &MemberSnapshot) -> Vec<DataAddress> {
    let is_test = |address: &IpAddr| {
        member.instances.iter().any(|instance: &InstanceSnapshot| instance.test_address == Some(*address))
    };
    let is_for_data = |a: &&InterfaceAddress| match a.address() {
        IpAddr::V4(_) => !is_test(&a.address()),
        IpAddr::V6(v6) => !v6.is_unicast_link_local() && !is_test(&a.address()),
    };
    let up = |a: &InterfaceAddress| interface.up && !a.tentative;
    let addresses = interface.addresses.iter().filter(is_for_data);
    addresses.map(|a| DataAddress { address: a.address(), up: up(a) }).collect()
}
