//! The state of the watch, in terms of the protocol.

mod destination;
mod group;
mod target;
#[cfg(test)]
mod tests;

use std::time::Duration;

use crate::control::{DestinationCounts, GroupCounts};
use crate::daemon::offline::Offline;
use crate::interface::Interface;
use crate::time::Stamp;
use crate::watch::{CutOff, GroupState, Snapshot};

pub(super) use destination::destination;
use destination::{destination_words, is_broken, is_moved, route_reasons};

/// The data behind a view.
#[derive(Clone, Copy)]
pub(super) struct Picture<'a> {
    pub(super) watch: &'a Snapshot,
    pub(super) interfaces: &'a [Interface],
    pub(super) offline: &'a Offline,
}

impl Picture<'_> {
    /// Whether it is an interface of a group or next hop.
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

    /// What would be cut off without an interface, as text; empty if it can go offline.
    pub(super) fn last_of(&self, interface: &str) -> Vec<String> {
        let words = |last: &CutOff| match last {
            CutOff::Group(name) if name.is_empty() => {
                "it is in the anonymous group, where nothing takes over".to_owned()
            }
            CutOff::Group(name) => format!("no other usable interface is in group {name}"),
            CutOff::Destination(destination) => {
                format!("it has the only working next hop of {}", destination_words(destination))
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

    /// What is wrong, one line each.
    pub(super) fn reasons(&self) -> impl Iterator<Item = String> {
        let groups = self.watch.groups.iter().filter_map(|group| self.group_reason(group));
        groups.chain(self.watch.routes.iter().flat_map(route_reasons))
    }
}

pub(super) fn until(until: Option<Duration>) -> String {
    until.map_or_else(|| "until further notice".to_owned(), |until| format!("until {}", Stamp(until)))
}
