//! What the watch shows, put into the words of the protocol: groups, destinations, and whom they ask.

use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;

use super::answer::{micros, millis, offline_view};
use crate::config::Method;
use crate::control::{self, DataAddress, DestinationCounts, GroupAccount, GroupCounts, Reason};
use crate::daemon::offline::Offline;
use crate::interface::{Interface, InterfaceAddress};
use crate::reconcile::MAIN_TABLE;
use crate::time::{Instant, Stamp};
use crate::watch::{
    CutOff, Destination, GroupSnapshot, GroupState, Health, HopSnapshot, InstanceSnapshot, Link,
    MemberSnapshot, MemberState, Mode, ProbeRecord, Probing, RouteSnapshot, Snapshot, TargetSnapshot, Way,
};

/// What a view is made from.
#[derive(Clone, Copy)]
pub(super) struct Picture<'a> {
    pub(super) watch: &'a Snapshot,
    pub(super) interfaces: &'a [Interface],
    pub(super) offline: &'a Offline,
}

impl Picture<'_> {
    pub(super) fn groups(&self) -> Vec<control::Group> {
        self.watch.groups.iter().map(|group| self.group(group)).collect()
    }

    /// The group that an interface is in, with the evidence for how it stands.
    pub(super) fn account(&self, interface: &str) -> Option<GroupAccount> {
        let has_it = |group: &&GroupSnapshot| group.members.iter().any(|m| m.interface == interface);
        let group = self.watch.groups.iter().find(has_it)?;
        let member = group.members.iter().find(|member| member.interface == interface)?;
        let targets = group.members.iter().flat_map(|member| member_targets(group, member)).collect();
        Some(GroupAccount { reason: member_reason(group, member), group: self.group(group), targets })
    }

    fn group(&self, group: &GroupSnapshot) -> control::Group {
        control::Group {
            name: group.name.clone(),
            state: match group.state {
                GroupState::Ok => control::GroupState::Ok,
                GroupState::Degraded => control::GroupState::Degraded,
                GroupState::Failed => control::GroupState::Failed,
            },
            detection_ms: group.detection_time.map(millis),
            members: group.members.iter().map(|member| self.member(member)).collect(),
        }
    }

    fn member(&self, member: &MemberSnapshot) -> control::Member {
        let interface = self.interfaces.iter().find(|interface| interface.name == member.interface);
        control::Member {
            interface: member.interface.clone(),
            state: match member.state {
                MemberState::Ok => control::MemberState::Ok,
                MemberState::Failed => control::MemberState::Failed,
                MemberState::Offline => control::MemberState::Offline,
                MemberState::Unknown => control::MemberState::Unknown,
            },
            active: member.active,
            standby: member.standby,
            inactive: member.inactive,
            duplicate_mac: member.duplicate_mac,
            no_data_address: member.no_data_address,
            link: match member.link {
                Link::Up => control::Link::Up,
                Link::Down => control::Link::Down,
                Link::Unknown => control::Link::Unknown,
            },
            probe: match member.probing {
                Probing::Ok => control::Probing::Ok,
                Probing::Failed => control::Probing::Failed,
                Probing::Unknown => control::Probing::Unknown,
                Probing::Disabled => control::Probing::Disabled,
            },
            stand_in: member.stand_in.clone(),
            offline: self.offline.get(&member.interface).map(offline_view),
            addresses: interface.map(|interface| data_addresses(interface, member)).unwrap_or_default(),
        }
    }

    /// The hosts that are probed, by this interface or by all.
    pub(super) fn targets(&self, interface: Option<&str>) -> control::Targets {
        let is_wanted = |name: &str| interface.is_none_or(|wanted| wanted == name);
        let members = self.watch.groups.iter().flat_map(|group| {
            group.members.iter().filter(|m| is_wanted(&m.interface)).flat_map(|m| member_targets(group, m))
        });
        let next_hops = self.watch.routes.iter().flat_map(|route| {
            let hops = route.hops.iter().filter(|hop| is_wanted(&hop.interface));
            hops.map(|hop| control::NextHopTargets {
                destination: route.destination.prefix.to_string(),
                table: route.destination.table,
                interface: hop.interface.clone(),
                via: hop.via,
                targets: hop.targets.iter().map(target).collect(),
            })
        });
        control::Targets { members: members.collect(), next_hops: next_hops.collect() }
    }

    /// The destination that governs an address or prefix in the main table: the longest that holds it.
    pub(super) fn rule(&self, wanted: &IpNet) -> Option<&RouteSnapshot> {
        let main = self.watch.routes.iter().filter(|route| route.destination.table == MAIN_TABLE);
        let holds = main.filter(|route| route.destination.prefix.contains(wanted));
        holds.max_by_key(|route| route.destination.prefix.prefix_len())
    }

    /// The probes after this number; `wall` is the time since 1970 at `now`.
    pub(super) fn probes(&self, now: Instant, wall: Duration, after: u64) -> control::Probes {
        let later = self.watch.recent.iter().filter(|record| record.number > after);
        let items = later.map(|record| probe(record, wall.saturating_sub(now.since(record.sent))));
        control::Probes { time_ms: millis(wall), items: items.collect() }
    }

    /// Whether it is a group's interface, or a next hop's.
    pub(super) fn is_watched(&self, interface: &str) -> bool {
        self.interfaces_watched().any(|name| name == interface)
    }

    /// The names of the interfaces of groups and next hops.
    pub(super) fn interfaces_watched(&self) -> impl Iterator<Item = &str> {
        let members = self.watch.groups.iter().flat_map(|group| &group.members);
        let hops = self.watch.routes.iter().flat_map(|route| &route.hops);
        members.map(|m| m.interface.as_str()).chain(hops.map(|hop| hop.interface.as_str()))
    }

    /// Whether an interface has the MAC address of another member of its group.
    pub(super) fn is_twin(&self, interface: &str) -> bool {
        let mut members = self.watch.groups.iter().flat_map(|group| &group.members);
        members.any(|member| member.interface == interface && member.duplicate_mac)
    }

    /// What an interface is the last of, in words; empty if it can go.
    pub(super) fn last_of(&self, interface: &str) -> Vec<String> {
        let words = |last: &CutOff| match last {
            CutOff::Group(name) if name.is_empty() => {
                "nothing stands in for it: it is in no group but the anonymous one".to_owned()
            }
            CutOff::Group(name) => format!("no other usable interface is in group {name}"),
            CutOff::Destination(destination) => {
                format!("the only next hop of {} that works is there", destination_words(destination))
            }
        };
        let is_offline = |name: &str| self.offline.get(name).is_some();
        self.watch.cut_off(interface, is_offline).iter().map(words).collect()
    }

    /// How many groups and destinations there are, and what is wrong with them.
    pub(super) fn counts(&self) -> (GroupCounts, DestinationCounts) {
        let groups = |state| self.watch.groups.iter().filter(|group| group.state == state).count();
        let routes = &self.watch.routes;
        let groups = GroupCounts {
            known: self.watch.groups.len(),
            degraded: groups(GroupState::Degraded),
            failed: groups(GroupState::Failed),
        };
        let destinations = DestinationCounts {
            known: routes.len(),
            degraded: routes.iter().filter(|route| route.hops.iter().any(is_broken)).count(),
            moved: routes.iter().filter(|route| !route.all_silent && is_moved(route)).count(),
            silent: routes.iter().filter(|route| route.all_silent).count(),
        };
        (groups, destinations)
    }

    /// What is wrong, a line each.
    pub(super) fn reasons(&self) -> impl Iterator<Item = String> {
        let groups = self.watch.groups.iter().filter_map(|group| self.group_reason(group));
        groups.chain(self.watch.routes.iter().flat_map(route_reasons))
    }

    fn group_reason(&self, group: &GroupSnapshot) -> Option<String> {
        let broken: Vec<String> = group.members.iter().filter_map(|member| self.broken(member)).collect();
        let state = match group.state {
            GroupState::Ok if broken.is_empty() => return None,
            // Only an anonymous one is: there nothing stands in.
            GroupState::Ok => "watched only",
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
            MemberState::Failed if member.link == Link::Down => Some(format!("{name} has no link")),
            MemberState::Failed => Some(format!("{name} has failed")),
            MemberState::Ok | MemberState::Unknown => None,
        }
    }
}

/// A destination, without what stands for it in the kernel.
pub(super) fn destination(route: &RouteSnapshot, with_targets: bool) -> control::Destination {
    let hop = |hop: &HopSnapshot| control::DestinationHop {
        interface: hop.interface.clone(),
        via: hop.via,
        rank: hop.rank,
        weight: hop.weight,
        state: health(hop.health),
        in_use: hop.in_use,
        reason: hop.reason.clone(),
        penalty: hop.penalty.round(),
        targets: if with_targets { hop.targets.iter().map(target).collect() } else { Vec::new() },
    };
    control::Destination {
        destination: route.destination.prefix.to_string(),
        table: route.destination.table,
        reason: route_words(route),
        overlay: None,
        original: None,
        trouble: None,
        next_hops: route.hops.iter().map(hop).collect(),
    }
}

/// Whether traffic goes elsewhere than by all of the first rank.
fn is_moved(route: &RouteSnapshot) -> bool {
    route.goes_by_first_choice() == Some(false)
}

/// What is wrong with a destination: each next hop that does not work, or should serve and does not.
fn route_reasons(route: &RouteSnapshot) -> Vec<String> {
    let name = destination_words(&route.destination);
    let silent = route.all_silent.then(|| format!("{name}: no next hop works, nothing is moved"));
    let first = route.hops.iter().map(|hop| hop.rank).min();
    let is_left = |hop: &HopSnapshot| route.way != Way::Undecided && Some(hop.rank) == first && !hop.in_use;
    let wrong = route.hops.iter().filter(|hop| is_broken(hop) || is_left(hop));
    let wrong = wrong.map(|hop| format!("{name}: {}: {}", hop_words(hop), hop_state(hop)));
    silent.into_iter().chain(wrong).collect()
}

const fn is_broken(hop: &HopSnapshot) -> bool {
    match hop.health {
        Health::Failed | Health::Poor => true,
        Health::Works | Health::Unknown => false,
    }
}

/// What is wrong with a next hop that does not work, or does not serve.
fn hop_state(hop: &HopSnapshot) -> &str {
    match hop.health {
        _ if !hop.reason.is_empty() => &hop.reason,
        Health::Failed => "does not work",
        Health::Poor => "works poorly",
        Health::Works | Health::Unknown => "is not used",
    }
}

fn destination_words(destination: &Destination) -> String {
    match destination.table {
        MAIN_TABLE => destination.prefix.to_string(),
        table => format!("{} table {table}", destination.prefix),
    }
}

/// Why a destination goes where it goes.
fn route_words(route: &RouteSnapshot) -> Reason {
    let used: Vec<String> = route.hops.iter().filter(|hop| hop.in_use).map(hop_words).collect();
    let used = used.join(", ");
    let (word, text) = match &route.way {
        _ if route.hops.is_empty() => ("no-next-hop", "no next hop is known: nothing is moved".to_owned()),
        _ if route.all_silent => ("all-silent", "no next hop works: nothing is moved".to_owned()),
        Way::Undecided => ("undecided", "nothing is decided yet: what is there stays".to_owned()),
        Way::By(_) if is_moved(route) => ("moved", format!("the first choice does not serve: by {used}")),
        Way::By(_) => ("first-choice", format!("the first choice works: by {used}")),
    };
    Reason { word: word.to_owned(), text }
}

/// Why traffic of a member goes where it goes.
fn member_reason(group: &GroupSnapshot, member: &MemberSnapshot) -> Reason {
    let name = &member.interface;
    let (word, text) = match (member.state, &member.stand_in) {
        (MemberState::Offline, Some(other)) => {
            ("member-offline", format!("{name} is offline, {other} stands in"))
        }
        (_, Some(other)) => ("member-failed", format!("{name} has failed, {other} stands in")),
        (_, None) if group.state == GroupState::Failed => (
            "group-failed",
            format!("no interface of {} is usable: nothing is moved", group_words(&group.name)),
        ),
        (MemberState::Ok | MemberState::Unknown, None) => ("member-works", format!("{name} works")),
        (MemberState::Failed | MemberState::Offline, None) => {
            ("no-stand-in", format!("{name} does not work, and nothing stands in"))
        }
    };
    Reason { word: word.to_owned(), text }
}

pub(super) fn group_words(name: &str) -> String {
    if name.is_empty() { "the anonymous group".to_owned() } else { format!("group {name}") }
}

fn hop_words(hop: &HopSnapshot) -> String {
    match hop.via {
        Some(via) => format!("{} via {via}", hop.interface),
        None => hop.interface.clone(),
    }
}

pub(super) fn until(until: Option<Duration>) -> String {
    until.map_or_else(|| "until told".to_owned(), |until| format!("until {}", Stamp(until)))
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

fn member_targets<'a>(
    group: &'a GroupSnapshot,
    member: &'a MemberSnapshot,
) -> impl Iterator<Item = control::MemberTargets> + 'a {
    member.instances.iter().map(|instance| control::MemberTargets {
        group: group.name.clone(),
        interface: member.interface.clone(),
        family: instance.family.to_string(),
        mode: match instance.mode {
            Mode::Routes => control::Mode::Routes,
            Mode::Multicast => control::Mode::Multicast,
            Mode::Disabled => control::Mode::Disabled,
        },
        test_address: instance.test_address,
        targets: instance.targets.iter().map(target).collect(),
        bogus: instance.bogus,
    })
}

fn target(target: &TargetSnapshot) -> control::Target {
    control::Target {
        name: target.name.clone(),
        address: target.address,
        method: method(target.method),
        state: health(target.health),
        missed: target.counts.0,
        good: target.counts.1,
        loss_percent: target.loss,
        round_trip_us: target.round_trip.map(micros),
        answered_ms: target.answered.map(millis),
    }
}

const fn method(method: Method) -> control::Method {
    match method {
        Method::Neighbour => control::Method::Neighbour,
        Method::Echo => control::Method::Echo,
        Method::Peer => control::Method::Peer,
    }
}

const fn health(health: Health) -> control::HopState {
    match health {
        Health::Unknown => control::HopState::Unknown,
        Health::Works => control::HopState::Works,
        Health::Poor => control::HopState::Poor,
        Health::Failed => control::HopState::Failed,
    }
}

fn probe(record: &ProbeRecord, sent: Duration) -> control::Probe {
    control::Probe {
        number: record.number,
        time_ms: millis(sent),
        interface: record.interface.clone(),
        sequence: record.sequence,
        target: record.target,
        method: method(record.method),
        round_trip_us: record.round_trip.map(micros),
        average_us: record.average.map(|(average, _)| micros(average)),
        deviation_us: record.average.map(|(_, deviation)| micros(deviation)),
    }
}

#[cfg(test)]
mod tests;
