//! Probes under way, and the last ones that were answered or given up.

use std::collections::{BTreeMap, VecDeque};

use super::snapshot::ProbeRecord;
use crate::packet::ProbeId;
use crate::random::Random;

/// Probes under way at most: 64 next hops or interfaces with 16 targets each, two probes of each.
const MOST: usize = 2048;

/// Records that are kept: a few seconds of what an ordinary host asks, for those who look.
const RECORDS: usize = 256;

/// Ids of probes, and whose they are.
#[derive(Debug, Clone, Default)]
pub(super) struct Probes {
    under_way: BTreeMap<ProbeId, Owner>,
    order: VecDeque<ProbeId>,
    recent: VecDeque<ProbeRecord>,
    recorded: u64,
}

/// Which part sent a probe, and the number by which the part knows what it is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Owner {
    Gateways(u64),
    Groups(u64),
}

impl Probes {
    /// A new id. If there are too many under way the oldest is given up.
    pub(super) fn begin(&mut self, random: &mut Random, owner: Owner) -> ProbeId {
        let id = ProbeId(random.number());
        if self.order.len() >= MOST
            && let Some(oldest) = self.order.pop_front()
        {
            self.under_way.remove(&oldest);
        }
        self.under_way.insert(id, owner);
        self.order.push_back(id);
        id
    }

    /// Whose a probe is that is under way.
    pub(super) fn owner(&self, id: ProbeId) -> Option<Owner> {
        self.under_way.get(&id).copied()
    }

    /// Nothing more is expected of a probe.
    pub(super) fn end(&mut self, id: ProbeId) {
        if self.under_way.remove(&id).is_some() {
            self.order.retain(|other| *other != id);
        }
    }

    /// Writes down what became of one; the number is given here.
    pub(super) fn record(&mut self, record: ProbeRecord) {
        self.recorded += 1;
        if self.recent.len() == RECORDS {
            self.recent.pop_front();
        }
        self.recent.push_back(ProbeRecord { number: self.recorded, ..record });
    }

    pub(super) fn recent(&self) -> impl Iterator<Item = &ProbeRecord> {
        self.recent.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probes_that_nobody_answers_have_bounded_room() {
        let (mut probes, mut random) = (Probes::default(), Random::new([1; 32]));
        let ids: Vec<ProbeId> =
            (0..MOST as u64 + 100).map(|n| probes.begin(&mut random, Owner::Gateways(n))).collect();
        assert_eq!((probes.under_way.len(), probes.order.len()), (MOST, MOST));
        assert_eq!(probes.owner(ids[99]), None, "the oldest were given up");
        assert_eq!(probes.owner(ids[100]), Some(Owner::Gateways(100)));
        ids.into_iter().for_each(|id| probes.end(id));
        assert!(probes.under_way.is_empty() && probes.order.is_empty());
    }
}
