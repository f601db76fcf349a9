//! Why an overlay is laid, and whose it is for people.

use std::fmt;

use super::Reconciler;
use super::lan::{LanId, SubjectId};
use super::table::Group;
use crate::engine::Subject;
use crate::route::MAIN_TABLE;
use crate::watch::Destination;

/// Why an overlay is laid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Cause {
    /// A subject of the engine is not reached at home.
    Subject(SubjectId),
    /// The watch leads this group of routes.
    Destination(Group),
    /// The interface is a failed member of a group.
    Member(LanId),
}

/// The same by name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Owner {
    /// A peer's address, or a gateway.
    Subject(Subject),
    /// A destination that follows the next hop that works.
    Destination(Destination),
    /// A member of a group of interfaces.
    Member(String),
}

impl Cause {
    pub(super) const fn subject(self) -> Option<SubjectId> {
        match self {
            Cause::Subject(subject) => Some(subject),
            Cause::Destination(_) | Cause::Member(_) => None,
        }
    }
}

impl Owner {
    /// The subject, if it is one's.
    pub const fn subject(&self) -> Option<&Subject> {
        match self {
            Owner::Subject(subject) => Some(subject),
            Owner::Destination(_) | Owner::Member(_) => None,
        }
    }
}

impl fmt::Display for Owner {
    /// `key=value ...`, for the log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Owner::Subject(Subject { home, address }) => write!(f, "address={address} home={home}"),
            Owner::Destination(Destination { table: MAIN_TABLE, prefix }) => {
                write!(f, "destination={prefix}")
            }
            Owner::Destination(Destination { table, prefix }) => {
                write!(f, "destination={prefix} table={table}")
            }
            Owner::Member(interface) => write!(f, "member={interface}"),
        }
    }
}

impl Reconciler {
    pub(super) fn owner(&self, cause: Cause) -> Owner {
        match cause {
            Cause::Subject(id) => Owner::Subject(self.subject_named(id)),
            Cause::Destination(group) => Owner::Destination(group.into()),
            Cause::Member(lan) => Owner::Member(self.lans.name(lan).to_owned()),
        }
    }
}

impl From<Group> for Destination {
    fn from(group: Group) -> Self {
        Self { table: group.table, prefix: group.destination }
    }
}
