//! What is to be done next, and whether a batch is on its way.

use std::collections::BTreeSet;

use super::cause::Cause;
use super::lan::SubjectId;
use super::step::Batch;
use super::table::Group;

/// See the module.
#[derive(Debug, Clone, Default)]
pub(super) struct Work {
    /// Groups to look at, those that matter most first.
    marked: BTreeSet<(Urgency, Group)>,
    /// Subjects whose dead neighbour entry is to be deleted.
    neighbours: BTreeSet<SubjectId>,
    /// Neighbours on failed interfaces whose entry is to be deleted once more when all routes have left.
    moved: BTreeSet<SubjectId>,
    /// A batch is being carried out: the groups whose overlays it is about.
    in_flight: Option<Vec<Group>>,
}

/// In what order groups are looked at: hosts and default routes carry most of the traffic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Urgency {
    /// Subnets: gateways are reached by them.
    Connected,
    First,
    Then,
}

impl Work {
    /// A group is to be looked at.
    pub(super) fn mark(&mut self, group: Group) {
        let host = group.destination.prefix_len() == group.destination.max_prefix_len();
        let first = host || group.destination.prefix_len() == 0;
        self.marked.insert((if first { Urgency::First } else { Urgency::Then }, group));
    }

    /// The group of a subnet is.
    pub(super) fn mark_connected(&mut self, group: Group) {
        self.marked.insert((Urgency::Connected, group));
    }

    /// Whether a group is still to be looked at.
    pub(super) fn is_marked(&self, group: Group) -> bool {
        [Urgency::Connected, Urgency::First, Urgency::Then]
            .into_iter()
            .any(|urgency| self.marked.contains(&(urgency, group)))
    }

    /// The next group to look at.
    pub(super) fn next_group(&mut self) -> Option<Group> {
        self.marked.pop_first().map(|(_, group)| group)
    }

    /// No group is to be looked at any more.
    pub(super) fn clear(&mut self) {
        self.marked.clear();
    }

    /// The next neighbour entry to delete.
    pub(super) fn next_neighbour(&mut self) -> Option<SubjectId> {
        self.neighbours.pop_first()
    }

    /// An overlay was laid. The entries of the neighbours that it leads away from are deleted at once for the host or
    /// the `first` route, and when the last one has left: until then an entry may be made anew.
    pub(super) fn forget_neighbours(&mut self, cause: Cause, others: Vec<SubjectId>, first: bool) {
        let last = self.marked.is_empty();
        if cause.subject().is_some() {
            if first || last {
                self.neighbours.extend(others.into_iter().chain(cause.subject()));
            }
            return;
        }
        // Routes over one interface lead to many a gateway.
        for neighbour in others {
            if self.moved.insert(neighbour) {
                self.neighbours.insert(neighbour);
            }
        }
        if last {
            self.neighbours.extend(std::mem::take(&mut self.moved));
        }
    }

    /// A batch is on its way, or is no longer all that it was.
    pub(super) fn on_submitted(&mut self, batch: &Batch) {
        self.in_flight = Some(batch.groups());
    }

    /// Its results are here. Returns whether one was on its way.
    pub(super) fn on_results(&mut self) -> bool {
        self.in_flight.take().is_some()
    }

    /// Whether a batch is on its way.
    pub(super) const fn is_in_flight(&self) -> bool {
        self.in_flight.is_some()
    }

    /// The groups whose overlays it is about.
    pub(super) fn under_way(&self) -> impl Iterator<Item = Group> {
        self.in_flight.iter().flatten().copied()
    }

    /// Whether a batch is on its way, or a group is to be looked at.
    pub(super) fn is_busy(&self) -> bool {
        self.is_in_flight() || !self.marked.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::super::lan::LanId;
    use super::*;

    #[test]
    fn what_carries_most_traffic_is_looked_at_first() {
        let mut work = Work::default();
        let [subnet, host, default] = ["10.1.0.0/16", "10.1.0.1/32", "0.0.0.0/0"].map(group);
        [subnet, host, default].into_iter().for_each(|group| work.mark(group));
        work.mark_connected(group("10.2.0.0/16"));
        assert!(work.is_busy() && work.is_marked(host) && !work.is_marked(group("10.3.0.0/16")));
        let order: Vec<Group> = std::iter::from_fn(|| work.next_group()).collect();
        assert_eq!(order, [group("10.2.0.0/16"), default, host, subnet]);
        assert!(!work.is_busy());
    }

    #[test]
    fn neighbours_are_forgotten_with_the_first_route_and_the_last() {
        let subject = |last: u8| SubjectId { lan: LanId(0), address: [10, 0, 0, last].into() };
        let mut work = Work::default();
        let mut forgotten = |marked: bool, cause: Cause, first: bool| {
            work.clear();
            if marked {
                work.mark(group("10.1.0.0/16"));
            }
            work.forget_neighbours(cause, vec![subject(2)], first);
            std::iter::from_fn(|| work.next_neighbour()).collect::<Vec<_>>()
        };
        let (of_subject, of_member) = (Cause::Subject(subject(1)), Cause::Member(LanId(0)));
        assert_eq!(forgotten(true, of_subject, true), [subject(1), subject(2)]);
        assert!(forgotten(true, of_subject, false).is_empty());
        assert_eq!(forgotten(false, of_subject, false), [subject(1), subject(2)]);
        assert_eq!(forgotten(true, of_member, true), [subject(2)]);
        assert!(forgotten(true, of_member, false).is_empty());
        assert_eq!(forgotten(false, of_member, false), [subject(2)]);
    }

    #[test]
    fn a_batch_is_on_its_way_until_its_results_are_here() {
        let mut work = Work::default();
        assert!(!work.on_results());
        work.on_submitted(&Batch::of_neighbours(2));
        assert!(work.is_in_flight() && work.is_busy() && work.under_way().next().is_none());
        assert!(work.on_results() && !work.is_in_flight());
    }

    fn group(prefix: &str) -> Group {
        Group::main(prefix.parse().unwrap())
    }
}
