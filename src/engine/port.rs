//! Whether a host answers ARP or ND on a path where it answers no INQ: a firewall drops the port, there or here.
//!
//! An answer counts for the question that was asked last, and in time. It says nothing alone: at the end of an outage
//! ARP is answered a moment before the first ACK comes. Only who goes on answering no INQ is filtered.

use std::time::Duration;

use crate::time::Instant;

/// The kernel waits as long for an answer before it asks again (`retrans_time_ms` of arp(7)).
const IN_TIME: Duration = Duration::from_secs(1);

/// Slots that end without an answer after ARP was answered: the one in which it was, and two whole ones.
const SLOTS: u32 = 3;

/// See the module.
#[derive(Debug, Clone, Default)]
pub(super) struct PortCheck {
    /// When the question was asked that is not answered yet.
    asked: Option<Instant>,
    /// Slots missed since the first answer of this silence; none before it.
    missed: Option<u32>,
    /// In this outage it was asked, and people were told.
    is_asked: bool,
    is_told: bool,
}

impl PortCheck {
    /// A question was asked; an earlier one is answered no more. True if one was open.
    pub(super) fn ask(&mut self, now: Instant) -> bool {
        self.asked.replace(now).is_some()
    }

    /// Whether the one question of this outage is yet to be asked.
    pub(super) fn is_due(&self) -> bool {
        !self.is_asked
    }

    /// Asks it.
    pub(super) fn ask_once(&mut self, now: Instant) {
        self.is_asked = true;
        self.ask(now);
    }

    /// An answer came. True if it is one to an open question, in time.
    pub(super) fn on_answer(&mut self, now: Instant) -> bool {
        let is_in_time = self.asked.take().is_some_and(|asked| now.since(asked) <= IN_TIME);
        if is_in_time {
            self.missed.get_or_insert(0);
        }
        is_in_time
    }

    /// One more slot was missed. True, once an outage, if that is one too many after an answer.
    pub(super) fn on_missed(&mut self) -> bool {
        let Some(missed) = self.missed.as_mut() else { return false };
        *missed = missed.saturating_add(1);
        *missed >= SLOTS && !std::mem::replace(&mut self.is_told, true)
    }

    /// An INQ was answered: nothing is filtered, and what is asked is no longer of interest.
    pub(super) fn on_heard(&mut self) {
        (self.asked, self.missed) = (None, None);
    }

    /// The outage is over.
    pub(super) fn on_up(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SLOT: Duration = Duration::from_millis(200);

    fn at(slot: u32) -> Instant {
        Instant::from_nanos(1) + SLOT * slot
    }

    #[test]
    fn a_port_is_filtered_when_two_whole_slots_are_missed_after_an_answer() {
        let mut check = PortCheck::default();
        assert!(check.is_due() && !check.on_missed());
        check.ask_once(at(0));
        assert!(!check.is_due() && check.on_answer(at(1)));
        let told: Vec<bool> = (0..5).map(|_| check.on_missed()).collect();
        assert_eq!(told, [false, false, true, false, false]);
        check.on_up();
        assert!(check.is_due());
    }

    #[test]
    fn an_answer_counts_once_and_in_time() {
        let mut check = PortCheck::default();
        assert!(!check.on_answer(at(0)), "nothing was asked");
        check.ask_once(at(0));
        assert!(!check.on_answer(at(0) + IN_TIME + SLOT), "too late");
        assert!(!check.ask(at(10)) && check.ask(at(11)), "the first was open");
        assert!(check.on_answer(at(11)) && !check.on_answer(at(11)));
    }

    #[test]
    fn what_is_heard_in_between_clears_it() {
        let mut check = PortCheck::default();
        for _ in 0..2 {
            check.ask(at(0));
            check.on_answer(at(0));
            assert!(!check.on_missed() && !check.on_missed());
            check.on_heard();
        }
        assert!(!check.on_missed());
    }
}
