//! What people should know: each part words its own.

use std::fmt;

use log::Level;

use super::{gateways, groups};
use crate::event::EventName;

/// Something that happened. [`fmt::Display`] gives one line: event name, then key=value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// To a destination or next hop.
    Gateways(gateways::Notice),
    /// To a group or one of its members.
    Groups(groups::Notice),
}

impl Notice {
    /// Which event it is.
    pub const fn name(&self) -> EventName {
        match self {
            Notice::Gateways(notice) => notice.name(),
            Notice::Groups(notice) => notice.name(),
        }
    }

    /// How much it matters.
    pub fn level(&self) -> Level {
        match self {
            Notice::Gateways(notice) => notice.level(),
            Notice::Groups(notice) => notice.level(),
        }
    }
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Notice::Gateways(notice) => notice.fmt(f),
            Notice::Groups(notice) => notice.fmt(f),
        }
    }
}

impl From<gateways::Notice> for Notice {
    fn from(notice: gateways::Notice) -> Self {
        Notice::Gateways(notice)
    }
}

impl From<groups::Notice> for Notice {
    fn from(notice: groups::Notice) -> Self {
        Notice::Groups(notice)
    }
}
