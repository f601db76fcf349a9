//! How many lines one event may write: strangers can cause events (be found, vanish, restart), and must not fill the
//! disk with them. Each event has its own allowance, so that none of them crowds out another; and what is told of peers
//! that somebody may have invented has allowances of its own beside those of true ones.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::time::Instant;

/// Lines of one event in a burst: two LANs of 1,000 peers may be found, or fail over, in both families.
const BURST: u64 = 5000;

/// After that, one line in this time: under 100,000 a day.
const REFILL: Duration = Duration::from_secs(1);

/// Events that are told apart: more than there are.
const EVENTS: usize = 256;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Rates(BTreeMap<String, Allowance>);

#[derive(Debug)]
struct Allowance {
    lines: u64,
    refilled: Instant,
    left_out: u64,
}

impl Rates {
    /// Whether a line of this event may be written now, and how many before it were not.
    pub(super) fn admit(&mut self, event: &str, now: Instant) -> Option<u64> {
        if !self.0.contains_key(event) && self.0.len() >= EVENTS {
            return Some(0);
        }
        let fresh = || Allowance { lines: BURST, refilled: now, left_out: 0 };
        self.0.entry(event.to_owned()).or_insert_with(fresh).take(now)
    }
}

impl Allowance {
    fn take(&mut self, now: Instant) -> Option<u64> {
        let refills = now.since(self.refilled).as_secs() / REFILL.as_secs();
        self.refilled = self.refilled + REFILL * u32::try_from(refills).unwrap_or(u32::MAX);
        self.lines = self.lines.saturating_add(refills).min(BURST);
        if self.lines == 0 {
            self.left_out += 1;
            return None;
        }
        self.lines -= 1;
        Some(std::mem::take(&mut self.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_one_event_is_cut_and_counted_and_leaves_the_others_alone() {
        let mut rates = Rates::default();
        let start = Instant::from_nanos(7);
        let written = (0..3 * BURST).filter(|_| rates.admit("path-found", start).is_some()).count();
        assert_eq!(u64::try_from(written), Ok(BURST));
        assert_eq!(rates.admit("peer-failover", start), Some(0));
        let later = start + REFILL;
        assert_eq!(rates.admit("path-found", later), Some(2 * BURST));
        assert_eq!(rates.admit("path-found", later), None);
        let next_day = later + Duration::from_secs(86_400);
        let written = (0..2 * BURST).filter(|_| rates.admit("path-found", next_day).is_some()).count();
        assert_eq!(u64::try_from(written), Ok(BURST));
    }
}
