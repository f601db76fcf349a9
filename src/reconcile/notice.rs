//! What reconcile has to say to people: every event as a value, worded here.

use std::fmt;

use log::Level;

/// One event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {}

impl Notice {
    /// How loud: error, a promise is broken and a person is needed; warn, still served, redundancy or configuration is
    /// not as wished; info, a state that people notice changed; debug, why a decision went so.
    pub fn level(&self) -> Level {
        match *self {}
    }
}

impl fmt::Display for Notice {
    /// `event-name key=value ...`, one line.
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {}
    }
}
