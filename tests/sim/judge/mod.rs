//! The judge: sees everything that happens, knows what is really wrong with the world, and holds the promises of
//! faild against what the hosts do (each promise is a function in [`promises`]).
//!
//! Some promises hold only once the dust has settled. The judge therefore keeps, for each way between two hosts,
//! since when it has been as it is, and for each host, when something last was done to it.

mod ends;
mod losses;
mod promises;
mod records;
mod ways;

use std::fmt;
use std::time::Duration;

use faild::time::Instant;

use crate::network::NodeNumber;
use crate::world::{Happening, World};
use ends::Ends;
pub use promises::is_overlaid;
use records::Records;

/// A broken promise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Who broke it.
    pub node: NodeNumber,
    /// The function that found it.
    pub promise: &'static str,
    /// What was seen.
    pub detail: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} broke `{}`: {}", self.node, self.promise, self.detail)
    }
}

/// See the module.
#[derive(Debug)]
pub struct Judge {
    records: Records,
    ends: Ends,
    next_inspection: Instant,
    /// How often settled promises are looked at.
    pace: Duration,
}

impl Judge {
    /// A judge for this world, which has just begun.
    pub fn new(world: &World) -> Self {
        let shortest = world.nodes.iter().map(|n| n.config.interval).min().unwrap_or(Duration::from_secs(1));
        let (records, ends) = (Records::new(world), Ends::default());
        Self { records, ends, next_inspection: world.now, pace: shortest / 4 }
    }

    /// Takes in what happened since the last time, and looks whether all promises are kept.
    pub fn watch(&mut self, world: &mut World) -> Result<(), Violation> {
        for happening in std::mem::take(&mut world.happenings) {
            self.records.take_in(world, &happening);
            if let Happening::Heard { by, frame, dropped } = &happening {
                self.ends.note_read(world, *by, frame, *dropped);
            }
            self.judge(world, &happening)?;
            self.records.note_deed(world, &happening);
        }
        self.records.forget_unused(world);
        if world.now < self.next_inspection {
            return Ok(());
        }
        self.next_inspection = world.now + self.pace;
        self.inspect(world)
    }

    fn judge(&self, world: &World, happening: &Happening) -> Result<(), Violation> {
        match happening {
            Happening::Applied(node, applied) => {
                promises::foreign_routes_are_untouched(&self.records, world, *node, applied)?;
                promises::foreign_addresses_are_untouched(&self.records, world, *node, applied)?;
                promises::overlays_have_proof(&self.records, world, *node, applied)
            }
            Happening::Restless(node) => promises::core_comes_to_rest(*node),
            Happening::Notice(node, notice) => {
                promises::no_promise_is_said_to_be_broken(&self.records, world, *node, notice)
            }
            Happening::Heard { .. }
            | Happening::Disturbed(_)
            | Happening::NetworkChanged
            | Happening::ForeignAdded(..)
            | Happening::ForeignDeleted(..)
            | Happening::Renamed(..) => Ok(()),
        }
    }

    fn inspect(&mut self, world: &World) -> Result<(), Violation> {
        self.records.note_ids(world);
        promises::operations_are_bounded(&mut self.records, world)?;
        promises::packets_are_bounded(&mut self.records, world)?;
        promises::memory_is_bounded(world)?;
        promises::working_way_means_traffic(&self.records, world)?;
        promises::both_ends_agree(&mut self.records, world)?;
        self.ends.refusals_end(&self.records, world)?;
        self.ends.two_ends_agree(&self.records, world)
    }

    /// Whether everything is home and nothing is left over; says what is not.
    pub fn all_home(&self, world: &World) -> Result<(), Violation> {
        promises::all_is_home(&self.records, world)
    }
}
