//! What happened, for the reader of a failure.

use std::collections::VecDeque;
use std::fmt;

use faild::operation::Operation;
use faild::time::Instant;

use crate::kernel::Applied;
use crate::network::NodeNumber;

/// Lines that a failure shows.
const RECENT_LINES: usize = 400;

/// What happened lately, in words.
pub struct EventLog {
    traced: bool,
    watched: bool,
    recent: VecDeque<String>,
}

impl EventLog {
    /// Nothing has happened yet.
    pub fn new(traced: bool, watched: bool) -> Self {
        Self { traced, watched, recent: VecDeque::new() }
    }

    /// Takes a line in.
    pub fn line(&mut self, now: Instant, line: fmt::Arguments<'_>) {
        if self.traced {
            eprintln!("{now} {line}");
        }
        if self.watched {
            if self.recent.len() == RECENT_LINES {
                self.recent.pop_front();
            }
            self.recent.push_back(format!("{now} {line}"));
        }
    }

    /// The last lines, the oldest first.
    pub fn recent(&self) -> impl Iterator<Item = &str> {
        self.recent.iter().map(String::as_str)
    }
}

impl fmt::Display for NodeNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "node{}", self.0)
    }
}

/// A kernel operation on one line.
pub struct Short<'a>(pub &'a Applied);

impl fmt::Display for Short<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0.operation {
            Operation::AddRoute { route, .. } => {
                write!(f, "adds {} by {:?} protocol {}", route.key.destination, route.legs, route.protocol)?;
            }
            Operation::DeleteRoute(route) => {
                write!(f, "deletes {} by {:?}", route.key.destination, route.legs)?
            }
            Operation::AddAddress { interface, address } => {
                write!(f, "adds {} to {interface}", address.prefix)?
            }
            Operation::DeleteAddress { interface, address } => {
                write!(f, "deletes {} from {interface}", address.prefix)?;
            }
            Operation::SetUp(interface) => write!(f, "sets {interface} up")?,
            Operation::DeleteNeighbour { interface, address } => {
                write!(f, "forgets {address} on {interface}")?
            }
        }
        match &self.0.result {
            Ok(()) => Ok(()),
            Err(refusal) => write!(f, ": {refusal}"),
        }
    }
}
