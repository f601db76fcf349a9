//! What the probers have done.

use std::fmt;

/// What the probers have done so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ProbeCounters {
    /// Probes sent.
    pub sent: u64,
    /// Answers to them.
    pub answered: u64,
    /// Probes that could not be sent.
    pub refused: u64,
    /// Probes given up because nobody told where their next hop is.
    pub unresolved: u64,
    /// Packets that were no answer to anything that was asked.
    pub strange: u64,
    /// Packets lost because our receive queue was full.
    pub overflowed: u64,
}

impl fmt::Display for ProbeCounters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { sent, answered, refused, unresolved, strange, overflowed } = self;
        write!(
            f,
            "sent={sent} answered={answered} refused={refused} unresolved={unresolved} strange={strange} \
             overflowed={overflowed}"
        )
    }
}
