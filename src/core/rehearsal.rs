//! What a rehearsal on a clone needs beyond inputs and outputs: peers that are played, and parts that sleep.

use super::Core;
use crate::engine::{self, Cast};
use crate::packet::Transmit;
use crate::reconcile;
use crate::time::Instant;
use crate::watch;

/// A part with a deadline of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// What decides about peers.
    Peers,
    /// What decides about next hops and groups.
    Watch,
    /// What compares with the kernel.
    Reconciler,
}

impl Core {
    /// When a part does something by the clock.
    pub fn deadline_of(&self, part: Part) -> Option<Instant> {
        match part {
            Part::Peers => self.peers.deadline().map(|(at, _)| at),
            Part::Watch => self.watch.deadline(),
            Part::Reconciler => self.repair_deadline(),
        }
    }

    /// The deadline of one part passed; the others sleep.
    pub fn pass(&mut self, now: Instant, part: Part) {
        match part {
            Part::Peers => self.peers.handle(now, engine::Input::DeadlinePassed),
            Part::Watch => self.watch.handle(now, watch::Input::DeadlinePassed),
            Part::Reconciler => self.reconciler.handle(now, reconcile::Input::DeadlinePassed),
        }
        self.settle(now);
    }

    /// The peers that are played answer what was sent.
    pub fn answer_as_peers(&mut self, now: Instant, sent: &Transmit, cast: &mut Cast) {
        self.peers.answer_as_peers(now, sent, cast);
        self.settle(now);
    }

    /// The peers that are played ask what they ask by now.
    pub fn inquire_as_peers(&mut self, now: Instant, cast: &mut Cast) {
        self.peers.inquire_as_peers(now, cast);
        self.settle(now);
    }
}
