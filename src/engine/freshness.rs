//! How far a peer has come on a path, and which of its INQs speak of the present.
//!
//! An INQ may be seconds old when it arrives, in order and genuine: the kernel keeps datagrams for a neighbour that does
//! not answer ARP or ND, and delivers them when it does, which is the moment at which a LAN heals. What is behind says
//! nothing of now, but its sender may well be there: it is answered, and we ask back. The answer shows how far the peer
//! has come, and whatever was believed before, both ends agree again after one round trip.
//!
//! ```text
//!   INQ -> judge -+-> Double:  dropped
//!                 +-> Behind:  answered, and we ask back ------+
//!                 +-> Current: counted, and moves us forward   |
//!   ACK -> on_answer: moves us forwards or backwards <---------+
//! ```
//!
//! There is no limit on how far ahead an INQ may be: after a silence such a limit refuses the true ones, and an attacker
//! stays within it.

use std::time::Duration;

use crate::time::Instant;
use crate::wire::Nonce;

/// Sequence and nonce of the last INQs taken, so that each is taken once. Two slots of eight and some doubles.
const TAKEN: usize = 24;

/// Slots of the peer for which they are remembered: a double comes soon after its original.
const KEPT_SLOTS: i32 = 2;

/// INQs of one peer on one path that are answered in one of its intervals: eight a slot, proofs and reports, and as
/// much again. An attacker who forges a known node must not keep us busy. Those that are behind have a limit of their own:
/// a replay must not use up that of true ones.
const INQUIRIES: u32 = 64;

/// What an INQ is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Age {
    /// It speaks of the present.
    Current,
    /// It is older than what is known of the peer, or than the time since then.
    Behind,
    /// The same was taken before.
    Double,
}

/// See the module.
#[derive(Debug, Clone)]
pub(super) struct Freshness {
    /// The newest slot of the peer that we know of, and since when. Set together, or the one lies about the other.
    newest: Option<(u32, Instant)>,
    taken: Vec<(u32, Nonce)>,
    /// Current INQs of the peer, and those that were behind.
    current: Spent,
    behind: Spent,
    /// The last turn in which we asked back.
    asked_back: Option<u32>,
}

/// How many INQs there were, and since when: an interval at a time.
#[derive(Debug, Clone)]
struct Spent {
    since: Instant,
    count: u32,
}

impl Spent {
    fn new(now: Instant) -> Self {
        Self { since: now, count: 0 }
    }

    fn spend(&mut self, now: Instant, interval: Duration) -> bool {
        if now.since(self.since) >= interval {
            *self = Self::new(now);
        }
        self.count = self.count.saturating_add(1);
        self.count <= INQUIRIES
    }
}

impl Freshness {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            newest: None,
            taken: Vec::new(),
            current: Spent::new(now),
            behind: Spent::new(now),
            asked_back: None,
        }
    }

    /// A new boot of the peer: its slots are counted from the beginning.
    pub(super) fn forget(&mut self) {
        self.newest = None;
        self.taken.clear();
        self.asked_back = None;
    }

    /// The newest slot of the peer that we know of.
    pub(super) fn sequence(&self) -> Option<u32> {
        self.newest.map(|(sequence, _)| sequence)
    }

    /// Whether one more INQ of this age is worth an answer: a fixed number in each of the peer's intervals, a double never.
    pub(super) fn may_answer(&mut self, now: Instant, age: Age, interval: Duration) -> bool {
        match age {
            Age::Current => self.current.spend(now, interval),
            Age::Behind => self.behind.spend(now, interval),
            Age::Double => false,
        }
    }

    /// Takes an INQ once, and says what it is worth. A peer that announces `interval` begins a slot at least that often, so
    /// that its sequence cannot stay behind the time by more than the slots that may get lost (`missed`), and one.
    pub(super) fn judge(
        &mut self,
        now: Instant,
        (sequence, nonce): (u32, Nonce),
        interval: Duration,
        missed: u32,
    ) -> Age {
        if self.taken.contains(&(sequence, nonce)) {
            return Age::Double;
        }
        self.remember(sequence, nonce);
        let Some((newest, since)) = self.newest else { return Age::Current };
        let Some(step) = steps(newest, sequence) else { return Age::Behind };
        let slots = u128::from(step) + u128::from(missed) + 1;
        let is_current = now.since(since).as_nanos() <= slots * interval.as_nanos();
        if is_current { Age::Current } else { Age::Behind }
    }

    /// An INQ that is current was counted. How many slots the peer has come on since the newest one; none if it has not.
    pub(super) fn advance(&mut self, now: Instant, sequence: u32) -> Option<u32> {
        let step = self.newest.map_or(Some(1), |(newest, _)| steps(newest, sequence));
        let step = step.filter(|step| *step > 0)?;
        self.newest = Some((sequence, now));
        Some(step)
    }

    /// A question of ours that was sent at `asked` was answered: the peer knows its own slot, be that before or after the
    /// one that we took for it. True if this is another one. Since an older question the peer may have come on.
    pub(super) fn on_answer(&mut self, now: Instant, sequence: u32, asked: Instant) -> bool {
        if self.newest.is_some_and(|(_, since)| asked < since) {
            return false;
        }
        let before = self.newest.replace((sequence, now));
        before.is_none_or(|(newest, _)| newest != sequence)
    }

    /// Whether a goodbye comes after all that was heard. It says nothing of the present, so time is no matter.
    pub(super) fn takes_goodbye(&mut self, sequence: u32, nonce: Nonce) -> bool {
        let is_double = self.taken.contains(&(sequence, nonce));
        self.remember(sequence, nonce);
        !is_double && self.newest.is_none_or(|(newest, _)| steps(newest, sequence).is_some())
    }

    /// Whether to ask back in this turn (see [`super::Engine::turn`]): once.
    pub(super) fn may_ask_back(&mut self, turn: u32) -> bool {
        self.asked_back.replace(turn) != Some(turn)
    }

    /// The oldest gives way, so that old ones do not crowd out those that could be taken for new. Those of long ago would be
    /// behind in any case: there may be a thousand peers, and each entry costs memory.
    fn remember(&mut self, sequence: u32, nonce: Nonce) {
        let newest = self.newest.map_or(sequence, |(newest, _)| newest);
        let age = |(sequence, _): &(u32, Nonce)| newest.wrapping_sub(*sequence).cast_signed();
        self.taken.retain(|taken| age(taken) <= KEPT_SLOTS);
        if self.taken.len() == TAKEN {
            let oldest = (0..self.taken.len()).max_by_key(|index| (age(&self.taken[*index]), TAKEN - index));
            oldest.map(|index| self.taken.remove(index));
        }
        self.taken.push((sequence, nonce));
    }
}

#[cfg(test)]
impl Freshness {
    /// Any state, for a peer whose slot is `truth`: see `tests/states.rs`.
    pub(super) fn disturb(
        &mut self,
        now: Instant,
        truth: u32,
        missed: u32,
        choices: &mut super::tests::Choices,
    ) {
        let far = [0, 1, missed, missed + 1, 16, 17, 1000, i32::MAX.cast_unsigned(), 1 << 31];
        let step = choices.among(&far);
        let ahead = choices.is_so();
        let age = choices.age();
        match choices.below(4) {
            0 => {}
            1 => self.newest = None,
            _ => {
                let sequence = if ahead { truth.wrapping_add(step) } else { truth.wrapping_sub(step) };
                self.newest = Some((sequence, now - age));
            }
        }
        if choices.is_so() {
            self.current = Spent { since: now - choices.age(), count: choices.below(100) };
        }
        if choices.is_so() {
            self.taken = (0..24).map(|step| (truth.wrapping_add(step), Nonce(u64::from(step)))).collect();
        }
        if choices.is_so() {
            self.asked_back = Some(choices.below(1000));
        }
    }
}

/// How far ahead of `newest` a sequence is, as a serial number (RFC 1982); none if it is behind.
fn steps(newest: u32, sequence: u32) -> Option<u32> {
    Some(sequence.wrapping_sub(newest)).filter(|step| *step <= u32::MAX / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_millis(100);

    fn at(slots: u32) -> Instant {
        Instant::from_nanos(1_000_000_000) + INTERVAL * slots
    }

    /// The peer was in slot 1000 at slot 0 of ours.
    fn known() -> Freshness {
        let mut freshness = Freshness::new(at(0));
        assert_eq!(freshness.advance(at(0), 1000), Some(1));
        freshness
    }

    #[test]
    fn age_of_an_inquiry() {
        let far = 1000_u32.wrapping_add(u32::MAX / 2);
        for (after, sequence, missed, age) in [
            (0, 1000, 2, Age::Current),
            (3, 1000, 2, Age::Current),
            (4, 1000, 2, Age::Behind),
            (4, 1001, 2, Age::Current),
            (5, 1001, 2, Age::Behind),
            (5, 1001, 3, Age::Current),
            (0, 999, 20, Age::Behind),
            (100, 1097, 2, Age::Current),
            (100, 1096, 2, Age::Behind),
            // However far ahead: it was suspended here, or asked more often meanwhile.
            (0, 1017, 2, Age::Current),
            (1, 500_000, 2, Age::Current),
            (0, far, 1, Age::Current),
            (0, far.wrapping_add(1), 1, Age::Behind),
            (u32::MAX / 100, 1001, 20, Age::Behind),
        ] {
            let judged = known().judge(at(after), (sequence, Nonce(1)), INTERVAL, missed);
            assert_eq!(judged, age, "{sequence} after {after} slots, f = {missed}");
        }
        assert_eq!(Freshness::new(at(0)).judge(at(9), (7, Nonce(1)), INTERVAL, 1), Age::Current);
    }

    #[test]
    fn an_inquiry_is_taken_once_and_old_ones_crowd_out_no_new_one() {
        let mut freshness = known();
        let judge = |freshness: &mut Freshness, sequence, nonce| {
            freshness.judge(at(0), (sequence, Nonce(nonce)), INTERVAL, 2)
        };
        assert_eq!(judge(&mut freshness, 1001, 1), Age::Current);
        for nonce in 2..100 {
            assert_eq!(judge(&mut freshness, 500, nonce), Age::Behind);
            assert_eq!(judge(&mut freshness, 500, nonce), Age::Double);
        }
        assert_eq!(judge(&mut freshness, 1001, 1), Age::Double);
        assert!(!freshness.takes_goodbye(1001, Nonce(1)));
    }

    #[test]
    fn only_what_is_ahead_moves_forward_and_the_next_is_judged_from_there() {
        let mut freshness = known();
        for (sequence, step) in [(1000, None), (999, None), (1001, Some(1)), (1005, Some(4)), (1005, None)] {
            assert_eq!(freshness.advance(at(50), sequence), step, "{sequence}");
        }
        assert_eq!(freshness.judge(at(50), (1005, Nonce(1)), INTERVAL, 1), Age::Current);
        let mut wraps = Freshness::new(at(0));
        wraps.advance(at(0), u32::MAX);
        assert_eq!(wraps.advance(at(1), 0), Some(1));
    }

    #[test]
    fn an_answer_moves_forwards_and_backwards_if_its_question_is_new() {
        for (asked, sequence, is_taken) in
            [(0, 1000, false), (0, 1001, true), (0, 7, true), (2, 9_999, true), (2, 1000, false)]
        {
            let mut freshness = known();
            assert_eq!(freshness.on_answer(at(2), sequence, at(asked)), is_taken, "{sequence}");
            assert_eq!(freshness.sequence(), Some(sequence));
            assert_eq!(freshness.judge(at(3), (sequence, Nonce(1)), INTERVAL, 1), Age::Current);
            assert_eq!(freshness.judge(at(5), (sequence, Nonce(2)), INTERVAL, 1), Age::Behind);
        }
        let mut freshness = known();
        freshness.advance(at(5), 1005);
        assert!(!freshness.on_answer(at(6), 1001, at(4)), "asked before slot 1005 was known");
        assert_eq!(freshness.sequence(), Some(1005));
    }

    #[test]
    fn a_goodbye_counts_unless_something_later_was_heard() {
        assert!(known().takes_goodbye(1000, Nonce(1)));
        assert!(known().takes_goodbye(2000, Nonce(1)));
        assert!(!known().takes_goodbye(999, Nonce(1)));
        let mut freshness = known();
        assert!(freshness.takes_goodbye(1001, Nonce(1)));
        assert!(!freshness.takes_goodbye(1001, Nonce(1)));
    }

    #[test]
    fn answers_are_limited_an_interval_and_questions_a_slot() {
        let mut freshness = known();
        let answered = |freshness: &mut Freshness, after, age| {
            (0..100).filter(|_| freshness.may_answer(at(after), age, INTERVAL)).count()
        };
        for after in 0..2 {
            for (age, most) in [(Age::Double, 0), (Age::Behind, 64), (Age::Current, 64)] {
                assert_eq!(answered(&mut freshness, after, age), most, "{age:?}");
            }
        }
        let asked: Vec<bool> = [1, 1, 2, 2, 1].map(|slot| freshness.may_ask_back(slot)).to_vec();
        assert_eq!(asked, [true, false, true, false, true]);
    }

    #[test]
    fn a_new_boot_is_known_of_nothing() {
        let mut freshness = known();
        freshness.judge(at(0), (1001, Nonce(1)), INTERVAL, 1);
        freshness.forget();
        assert_eq!(freshness.sequence(), None);
        assert_eq!(freshness.judge(at(9), (1, Nonce(1)), INTERVAL, 1), Age::Current);
    }
}
