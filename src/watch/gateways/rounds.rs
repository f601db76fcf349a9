//! The rounds of one target: what it was asked lately, and what of that it answered in time.

use super::super::probes::Probes;
use crate::packet::ProbeId;
use crate::time::Instant;

/// What was answered of a round in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Answered {
    No,
    /// Only a retry.
    Retry,
    First,
}

#[derive(Debug, Clone)]
struct Round {
    sequence: u16,
    began: Instant,
    /// The first try and the others; none if there was no address to ask from.
    tries: Vec<(ProbeId, Instant)>,
    answered: Answered,
    judged: bool,
}

/// A round whose time is over.
#[derive(Debug, Clone, Copy)]
pub(super) struct Judged {
    pub(super) sequence: u16,
    pub(super) began: Instant,
    pub(super) answered: Answered,
    /// When the first try was sent; none: nothing was asked.
    pub(super) first: Option<Instant>,
}

/// A try that was answered.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reply {
    pub(super) sequence: u16,
    pub(super) sent: Instant,
    pub(super) is_first: bool,
    /// Its round was judged already.
    pub(super) is_late: bool,
}

/// See the module; the oldest first.
#[derive(Debug, Clone, Default)]
pub(super) struct Rounds {
    list: Vec<Round>,
    sequence: u16,
}

impl Rounds {
    /// The number of the newest round; it wraps around.
    pub(super) fn sequence(&self) -> u16 {
        self.sequence
    }

    /// One more begins.
    pub(super) fn begin(&mut self, now: Instant) {
        self.sequence = self.sequence.wrapping_add(1);
        self.list.push(Round {
            sequence: self.sequence,
            began: now,
            tries: Vec::new(),
            answered: Answered::No,
            judged: false,
        });
    }

    /// When the newest round began, while it is neither answered nor judged.
    pub(super) fn open_since(&self) -> Option<Instant> {
        let open = |round: &&Round| round.answered == Answered::No && !round.judged;
        self.list.last().filter(open).map(|round| round.began)
    }

    /// The target was asked in the newest round.
    pub(super) fn on_try(&mut self, id: ProbeId, now: Instant) {
        if let Some(round) = self.list.last_mut() {
            round.tries.push((id, now));
        }
    }

    /// A try was answered; none if nothing is known of it.
    pub(super) fn on_answer(&mut self, id: ProbeId) -> Option<Reply> {
        let place = |round: &Round| round.tries.iter().position(|(tried, _)| *tried == id);
        let (round, place) =
            self.list.iter_mut().find_map(|round| place(round).map(|place| (round, place)))?;
        let is_first = place == 0;
        if !round.judged {
            round.answered = round.answered.max(if is_first { Answered::First } else { Answered::Retry });
        }
        let sent = round.tries[place].1;
        Some(Reply { sequence: round.sequence, sent, is_first, is_late: round.judged })
    }

    /// Judges the next of those that are `patience` rounds old.
    pub(super) fn judge(&mut self, patience: u32) -> Option<Judged> {
        let newest = self.sequence;
        let is_over = |round: &Round| !round.judged && age(newest, round) >= patience;
        let round = self.list.iter_mut().find(|round| is_over(round))?;
        round.judged = true;
        let first = round.tries.first().map(|(_, sent)| *sent);
        Some(Judged { sequence: round.sequence, began: round.began, answered: round.answered, first })
    }

    /// Nothing more is expected of those that were judged and are more than `keep` rounds old.
    pub(super) fn drop_old(&mut self, probes: &mut Probes, keep: u32) {
        let newest = self.sequence;
        self.end(probes, |round| round.judged && age(newest, round) > keep);
    }

    /// Nothing more is expected of any.
    pub(super) fn clear(&mut self, probes: &mut Probes) {
        self.end(probes, |_| true);
    }

    fn end(&mut self, probes: &mut Probes, is_old: impl Fn(&Round) -> bool) {
        for round in self.list.extract_if(.., |round| is_old(round)) {
            round.tries.iter().for_each(|(id, _)| probes.end(*id));
        }
    }
}

/// How many rounds have begun since this one, and the one that is about to.
fn age(newest: u16, round: &Round) -> u32 {
    u32::from(newest.wrapping_add(1).wrapping_sub(round.sequence))
}
