//! What people should know, as values; here is the only place that words them.

use std::fmt;

use log::Level;

/// Something that happened. [`fmt::Display`] gives one line: event name, then key=value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// There is nothing to judge a next hop or member by.
    Unjudged {
        /// Whose.
        interface: String,
    },
}

impl Notice {
    /// How much it matters.
    pub fn level(&self) -> Level {
        match self {
            Notice::Unjudged { .. } => Level::Warn,
        }
    }
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Notice::Unjudged { interface } => write!(f, "unjudged interface={interface}"),
        }
    }
}
