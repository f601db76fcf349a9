//! When the engine wants to be called again, and why.

use std::collections::{BTreeMap, BTreeSet};

use super::path::PathKey;
use crate::time::Instant;
use crate::wire::{LanIndex, NodeId};

/// Why the engine wants to be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// When to judge a LAN's slot and begin the next.
    SlotEnd(LanIndex),
    /// When to ask again those who have not answered yet in this slot.
    Retry(LanIndex),
    /// When to ask again on a LAN of which a peer said by another that it does not hear us there.
    Doubt(LanIndex),
    /// When to send the answers that were held back.
    Answers,
    /// When to repeat a report that the peer has not confirmed.
    News(NodeId),
    /// When a requestor's INQ should have been heard on a path.
    Expected(NodeId, PathKey),
    /// When to write down what must survive.
    Remember,
}

/// One deadline for each reason, soonest first.
#[derive(Debug, Clone, Default)]
pub(super) struct Timers {
    queue: BTreeSet<(Instant, Reason)>,
    set: BTreeMap<Reason, Instant>,
}

impl Timers {
    /// Replaces the deadline for this reason.
    pub(super) fn set(&mut self, reason: Reason, at: Instant) {
        self.cancel(reason);
        self.set.insert(reason, at);
        self.queue.insert((at, reason));
    }

    /// Sets the deadline unless an earlier one stands.
    pub(super) fn set_earlier(&mut self, reason: Reason, at: Instant) {
        if self.set.get(&reason).is_none_or(|standing| at < *standing) {
            self.set(reason, at);
        }
    }

    pub(super) fn cancel(&mut self, reason: Reason) {
        if let Some(at) = self.set.remove(&reason) {
            self.queue.remove(&(at, reason));
        }
    }

    /// The deadline for this reason, if one stands.
    pub(super) fn at(&self, reason: Reason) -> Option<Instant> {
        self.set.get(&reason).copied()
    }

    pub(super) fn next(&self) -> Option<(Instant, Reason)> {
        self.queue.first().copied()
    }

    /// Takes the soonest deadline that has passed.
    pub(super) fn pop_due(&mut self, now: Instant) -> Option<(Instant, Reason)> {
        let (at, reason) = self.next()?;
        if at > now {
            return None;
        }
        self.cancel(reason);
        Some((at, reason))
    }
}
