//! What would be without a way if an interface were taken out of service: the counterpart of what the engine says of peers.

use super::plan::Destination;
use super::snapshot::{GroupSnapshot, GroupState, HopSnapshot, HopState, MemberSnapshot, MemberState};
use super::snapshot::{RouteSnapshot, Snapshot};

/// Something that an interface is the last of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CutOff {
    /// None of the others in the group of this name is usable or, if the group has failed, all of them are offline
    /// (if_mpadm(8)). Without a name: in the anonymous group nothing stands in for anybody.
    Group(String),
    /// No next hop of the destination works but those on the interface.
    Destination(Destination),
}

impl Snapshot {
    /// What an interface is the last of; empty if it can go. `is_offline` tells which are out of service already.
    pub fn cut_off(&self, interface: &str, is_offline: impl Fn(&str) -> bool) -> Vec<CutOff> {
        let groups = self.groups.iter().filter(|group| is_last_of(group, interface));
        let groups = groups.map(|group| CutOff::Group(group.name.clone()));
        let routes = self.routes.iter().filter(|route| hangs_on(route, interface, &is_offline));
        groups.chain(routes.map(|route| CutOff::Destination(route.destination))).collect()
    }
}

fn is_last_of(group: &GroupSnapshot, interface: &str) -> bool {
    let is_it = |member: &&MemberSnapshot| member.interface == interface;
    let is_spare = |member: &MemberSnapshot| match (member.state, group.state) {
        (MemberState::Ok | MemberState::Unknown, _) | (MemberState::Failed, GroupState::Failed) => true,
        (MemberState::Failed | MemberState::Offline, _) => false,
    };
    let mut others = group.members.iter().filter(|member| !is_it(member));
    group.members.iter().any(|member| is_it(&member)) && (group.name.is_empty() || !others.any(is_spare))
}

fn hangs_on(route: &RouteSnapshot, interface: &str, is_offline: &impl Fn(&str) -> bool) -> bool {
    let works = |hop: &HopSnapshot| match hop.state {
        HopState::Up | HopState::Degraded => true,
        HopState::Unknown | HopState::Down => false,
    };
    let (here, elsewhere): (Vec<_>, Vec<_>) =
        route.hops.iter().filter(|hop| works(hop)).partition(|hop| hop.interface == interface);
    !here.is_empty() && elsewhere.iter().all(|hop| is_offline(&hop.interface))
}
