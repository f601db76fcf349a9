//! Steps: each is an operation together with the reason for it, from the moment when it is decided on until its result is
//! back. What is carried out follows from the step, so neither can be taken for that of another; and results are put
//! beside their steps in one place, [`Batch::carry_out`].
//!
//! ```text
//! decided --> Batch --> review --> carry_out --operations--> the kernel
//!    ^                                 |
//!    +------------ Results <-----------+
//! ```

use std::net::IpAddr;

use super::addresses::AddressStep;
use super::cause::Cause;
use super::lan::SubjectId;
use super::table::Group;
use crate::interface::InterfaceIndex;
use crate::operation::{Operation, Place, Refusal};
use crate::route::Route;

/// Most operations in one go: the loop must get back to the wire in time (64 take less than a millisecond).
const BATCH: usize = 64;

/// One thing to do in the kernel, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// About a route.
    Route(RouteStep),
    /// About an address, or the interface that it is on.
    Address(AddressStep),
    /// The dead neighbour entry of a subject is deleted. Nothing depends on it.
    Neighbour { interface: InterfaceIndex, address: IpAddr },
}

/// One thing to do about a route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum RouteStep {
    /// An overlay is laid.
    Lay {
        route: Route,
        place: Place,
        cause: Cause,
        others: Vec<SubjectId>,
        /// There are older ones to lift then.
        again: bool,
    },
    /// An overlay that was laid beside its place, while another left that, is laid there.
    Settle { route: Route, place: Place, cause: Cause },
    /// An overlay is lifted; its route has no attributes. `again`: another is to be laid then.
    Lift { route: Route, cause: Option<Cause>, again: bool },
    /// A route that the kernel flushed is put back.
    PutBack { route: Route, place: Place },
}

/// Steps that are carried out in one go, in their order. At most 64.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Batch {
    steps: Vec<Step>,
}

/// What became of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Results {
    steps: Vec<(Step, Option<Result<(), Refusal>>)>,
}

impl Step {
    /// What the kernel is asked to do.
    pub(super) fn operation(&self) -> Operation {
        match self {
            Self::Route(step) => step.operation(),
            Self::Address(step) => step.operation(),
            Self::Neighbour { interface, address } => {
                Operation::DeleteNeighbour { interface: *interface, address: *address }
            }
        }
    }

    /// The group whose overlay it is about.
    pub(super) fn group(&self) -> Option<Group> {
        match self {
            Self::Route(
                step @ (RouteStep::Lay { .. } | RouteStep::Settle { .. } | RouteStep::Lift { .. }),
            ) => Some(step.group()),
            Self::Route(RouteStep::PutBack { .. }) | Self::Address(_) | Self::Neighbour { .. } => None,
        }
    }
}

impl From<RouteStep> for Step {
    fn from(step: RouteStep) -> Self {
        Self::Route(step)
    }
}

impl From<AddressStep> for Step {
    fn from(step: AddressStep) -> Self {
        Self::Address(step)
    }
}

impl RouteStep {
    /// The group of its route.
    pub(super) const fn group(&self) -> Group {
        match self {
            Self::Lay { route, .. }
            | Self::Settle { route, .. }
            | Self::Lift { route, .. }
            | Self::PutBack { route, .. } => Group::of(&route.key),
        }
    }

    pub(super) fn operation(&self) -> Operation {
        match self {
            Self::Lay { route, place, .. }
            | Self::Settle { route, place, .. }
            | Self::PutBack { route, place } => Operation::AddRoute { route: route.clone(), place: *place },
            Self::Lift { route, .. } => Operation::DeleteRoute(route.clone()),
        }
    }
}

impl Batch {
    pub(super) fn push(&mut self, step: impl Into<Step>) {
        self.steps.push(step.into());
    }

    pub(super) const fn is_full(&self) -> bool {
        self.steps.len() >= BATCH
    }

    pub(super) const fn room(&self) -> usize {
        BATCH.saturating_sub(self.steps.len())
    }

    /// Whether there is nothing to do.
    pub const fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// The groups whose overlays it is about.
    pub(super) fn groups(&self) -> Vec<Group> {
        self.steps.iter().filter_map(Step::group).collect()
    }

    /// Leaves the steps out that `keeps` says no to; whether there were any.
    pub(super) fn retain(&mut self, keeps: impl FnMut(&Step) -> bool) -> bool {
        let before = self.steps.len();
        self.steps.retain(keeps);
        self.steps.len() < before
    }

    /// Has the kernel carry it out. `apply` gets all operations, in order, and returns what became of each; of those
    /// that it returns nothing of, nobody knows.
    pub fn carry_out(self, apply: impl FnOnce(&[Operation]) -> Vec<Result<(), Refusal>>) -> Results {
        let operations: Vec<Operation> = self.steps.iter().map(Step::operation).collect();
        let results = apply(&operations);
        debug_assert!(results.len() <= operations.len(), "more results than operations");
        let results = results.into_iter().map(Some).chain(std::iter::repeat(None));
        Results { steps: self.steps.into_iter().zip(results).collect() }
    }
}

impl Results {
    /// Each step with what became of it, in order. None: that is not known.
    pub(super) fn into_steps(self) -> impl Iterator<Item = (Step, Option<Result<(), Refusal>>)> {
        self.steps.into_iter()
    }
}

#[cfg(test)]
impl Batch {
    /// For those who carry batches out: one that deletes so many neighbours.
    pub(crate) fn of_neighbours(count: usize) -> Self {
        let neighbour = Step::Neighbour { interface: InterfaceIndex(1), address: [10, 0, 0, 1].into() };
        Self { steps: vec![neighbour; count] }
    }

    pub(super) fn into_address_steps(self) -> Vec<AddressStep> {
        let address = |step| if let Step::Address(step) = step { Some(step) } else { None };
        self.steps.into_iter().filter_map(address).collect()
    }
}
