//! Changes of groups, their interfaces, and destinations.

use std::collections::BTreeSet;

use super::{Change, Subject, Tracker};
use crate::config::ChangeKind;
use crate::watch::{GroupSnapshot, GroupState, MemberState, RouteSnapshot, Snapshot};

/// What a group was worth when last seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Worth {
    state: GroupState,
    /// That it was not all well was told.
    is_told: bool,
}

impl Tracker {
    /// What has changed of these since the last time.
    pub fn observe_watch(&mut self, snapshot: &Snapshot) -> Vec<Change> {
        let mut changes = Vec::new();
        let mut seen = BTreeSet::new();
        for group in &snapshot.groups {
            changes.extend(self.observe_group(group));
            self.observe_members(group, &mut seen, &mut changes);
        }
        for route in &snapshot.routes {
            self.observe_route(route, &mut seen, &mut changes);
        }
        self.worth.retain(|name, _| snapshot.groups.iter().any(|group| group.name == *name));
        self.known.retain(|subject, _| seen.contains(subject) || !subject.is_watched());
        changes
    }

    /// A group is failed until its first interface is found usable, and degraded until all are: that is no loss. A loss
    /// is told with each step down, and steps up only after one.
    fn observe_group(&mut self, group: &GroupSnapshot) -> Option<Change> {
        let state = group.state;
        let Some(worth) = self.worth.get_mut(&group.name) else {
            if state != GroupState::Failed {
                self.worth.insert(group.name.clone(), Worth { state, is_told: false });
            }
            return None;
        };
        let before = std::mem::replace(&mut worth.state, state);
        let is_loss = rank(state) > rank(before);
        let is_news = is_loss || (state != before && worth.is_told);
        worth.is_told = (worth.is_told || is_loss) && state != GroupState::Ok;
        let kind = match state {
            GroupState::Ok => ChangeKind::GroupOk,
            GroupState::Degraded => ChangeKind::GroupDegraded,
            GroupState::Failed => ChangeKind::GroupFailed,
        };
        is_news.then(|| Change { group: Some(group.name.clone()), ..Change::plain(kind) })
    }

    fn observe_members(
        &mut self,
        group: &GroupSnapshot,
        seen: &mut BTreeSet<Subject>,
        changes: &mut Vec<Change>,
    ) {
        for member in &group.members {
            let subject = Subject::Member(member.interface.clone());
            let is_good = match member.state {
                MemberState::Ok => true,
                MemberState::Failed => false,
                // Nobody can tell, or nobody wants to know.
                MemberState::Unknown | MemberState::Offline => {
                    seen.insert(subject);
                    continue;
                }
            };
            let kinds = (ChangeKind::InterfaceFailed, ChangeKind::InterfaceRepaired);
            self.compare(seen, subject, is_good, kinds, |kind| {
                let (interface, name) = (member.interface.clone(), group.name.clone());
                changes.push(Change { interface: Some(interface), group: Some(name), ..Change::plain(kind) });
            });
        }
    }

    fn observe_route(
        &mut self,
        route: &RouteSnapshot,
        seen: &mut BTreeSet<Subject>,
        changes: &mut Vec<Change>,
    ) {
        let destination = route.destination;
        let mut tell = |kind| changes.push(Change { destination: Some(destination), ..Change::plain(kind) });
        let reach = (ChangeKind::RouteDown, ChangeKind::RouteUp);
        let ways = (ChangeKind::RouteFailover, ChangeKind::RouteFailback);
        let (reached, gone) = (Subject::Reach(Some(destination)), Subject::Route(Some(destination)));
        match route.goes_by_first_choice() {
            // While nothing works nothing moves, and before anything is decided neither.
            _ if route.all_silent => {
                seen.insert(gone);
                self.compare(seen, reached, false, reach, &mut tell);
            }
            None => seen.extend([reached, gone]),
            Some(is_first) => {
                self.compare(seen, reached, true, reach, &mut tell);
                self.compare(seen, gone, is_first, ways, &mut tell);
            }
        }
    }
}

const fn rank(state: GroupState) -> u8 {
    match state {
        GroupState::Ok => 0,
        GroupState::Degraded => 1,
        GroupState::Failed => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watch::{Destination, Hop, HopSnapshot, HopState, Link, MemberSnapshot, Probing, Way};

    use GroupState::{Degraded, Failed, Ok as AllOk};

    const NONE: [&str; 0] = [];

    fn told(tracker: &mut Tracker, snapshot: &Snapshot) -> Vec<String> {
        tracker.observe_watch(snapshot).iter().map(ToString::to_string).collect()
    }

    fn group(state: GroupState, members: &[(&str, MemberState)]) -> Snapshot {
        let member = |(interface, state): &(&str, MemberState)| MemberSnapshot {
            interface: (*interface).to_owned(),
            active: true,
            standby: false,
            inactive: false,
            duplicate_mac: false,
            no_data_address: false,
            state: *state,
            link: Link::Up,
            probing: Probing::Ok,
            taken_over_by: None,
            instances: Vec::new(),
        };
        let members = members.iter().map(member).collect();
        let group = GroupSnapshot { name: "lan0".to_owned(), state, detection_time: None, members };
        Snapshot { groups: vec![group], ..Snapshot::default() }
    }

    fn route(all_silent: bool, in_use: Option<u8>) -> Snapshot {
        let hop = |rank: u8| HopSnapshot {
            interface: format!("eth{rank}"),
            via: None,
            rank,
            weight: 1,
            state: HopState::Up,
            in_use: in_use == Some(rank),
            reason: String::new(),
            penalty: 0.0,
            targets: Vec::new(),
        };
        let by = |rank: u8| Way::By(vec![Hop { interface: format!("eth{rank}"), via: None, weight: 1 }]);
        let route = RouteSnapshot {
            destination: Destination { table: 254, prefix: "0.0.0.0/0".parse().unwrap() },
            way: in_use.map_or(Way::Undecided, by),
            all_silent,
            hops: vec![hop(1), hop(2)],
        };
        Snapshot { routes: vec![route], ..Snapshot::default() }
    }

    #[test]
    fn a_group_is_told_of_with_each_step_down_and_on_its_way_up_after_one() {
        let mut tracker = Tracker::default();
        let mut go = |state| told(&mut tracker, &group(state, &[]));
        assert_eq!(go(Failed), NONE, "as it starts");
        assert_eq!(go(Degraded), NONE);
        assert_eq!(go(AllOk), NONE);
        assert_eq!(go(Degraded), ["group-degraded group=lan0"]);
        assert_eq!(go(Degraded), NONE);
        assert_eq!(go(Failed), ["group-failed group=lan0"]);
        assert_eq!(go(Degraded), ["group-degraded group=lan0"]);
        assert_eq!(go(AllOk), ["group-ok group=lan0"]);
        assert_eq!(go(AllOk), NONE);
    }

    #[test]
    fn an_interface_is_told_of_when_it_fails_after_it_worked_and_not_when_it_is_taken_away() {
        use MemberState as M;
        let mut tracker = Tracker::default();
        let mut go = |state| told(&mut tracker, &group(AllOk, &[("eth0", state)]));
        assert_eq!(go(M::Failed), NONE, "it never worked");
        assert_eq!(go(M::Ok), NONE);
        assert_eq!(go(M::Offline), NONE);
        assert_eq!(go(M::Failed), ["interface-failed interface=eth0 group=lan0"]);
        assert_eq!(go(M::Unknown), NONE);
        assert_eq!(go(M::Ok), ["interface-repaired interface=eth0 group=lan0"]);
    }

    #[test]
    fn a_destination_is_moved_and_back_and_lost_when_nothing_works() {
        let mut tracker = Tracker::default();
        let mut go = |all_silent, in_use| told(&mut tracker, &route(all_silent, in_use));
        assert_eq!(go(false, None), NONE, "nothing is decided");
        assert_eq!(go(false, Some(1)), NONE);
        assert_eq!(go(false, Some(2)), ["route-failover destination=0.0.0.0/0 table=254"]);
        assert_eq!(go(true, Some(2)), ["route-down destination=0.0.0.0/0 table=254"]);
        assert_eq!(
            go(false, Some(1)),
            ["route-up destination=0.0.0.0/0 table=254", "route-failback destination=0.0.0.0/0 table=254"]
        );
    }

    #[test]
    fn peers_and_the_watch_do_not_forget_each_others() {
        let mut tracker = Tracker::default();
        assert_eq!(told(&mut tracker, &route(false, Some(1))), NONE);
        tracker.known.insert(Subject::Redundancy, true);
        assert_eq!(told(&mut tracker, &Snapshot::default()), NONE);
        assert_eq!(tracker.known.keys().collect::<Vec<_>>(), [&Subject::Redundancy]);
    }

    #[test]
    fn changes_of_one_thing_keep_their_order_by_its_subject() {
        let to = Destination { table: 254, prefix: "::/0".parse().unwrap() };
        let change = |kind| Change { destination: Some(to), ..Change::plain(kind) };
        assert_eq!(change(ChangeKind::RouteFailover).subject(), change(ChangeKind::RouteFailback).subject());
        assert_ne!(change(ChangeKind::RouteFailover).subject(), change(ChangeKind::RouteDown).subject());
    }
}
