//! The last events, for clients that ask later.

use std::collections::VecDeque;
use std::time::Duration;

use log::Level;

use crate::control::Event;
use crate::units::millis;

/// The last events, as in the log.
#[derive(Debug, Default)]
pub(in crate::daemon) struct Events {
    kept: VecDeque<Kept>,
    last: u64,
}

#[derive(Debug)]
struct Kept {
    sequence: u64,
    time: Duration,
    level: Level,
    line: String,
}

impl Events {
    /// Keeps an event; `time` since 1970.
    pub(in crate::daemon) fn push(&mut self, time: Duration, level: Level, line: String) {
        if self.kept.len() == KEPT {
            self.kept.pop_front();
        }
        self.last += 1;
        self.kept.push_back(Kept { sequence: self.last, time, level, line });
    }

    /// Number of the last one; 0 if there is none.
    pub(super) const fn last(&self) -> u64 {
        self.last
    }

    /// Those after number `sequence`, at most `limit`, oldest first.
    pub(in crate::daemon) fn after(&self, sequence: u64, limit: usize) -> Vec<Event> {
        let later = self.kept.iter().filter(|kept| kept.sequence > sequence);
        later.take(limit).map(Kept::event).collect()
    }

    /// The last ones, at most `limit`, oldest first.
    pub(super) fn latest(&self, limit: usize) -> Vec<Event> {
        self.kept.iter().skip(self.kept.len().saturating_sub(limit)).map(Kept::event).collect()
    }
}

impl Kept {
    fn event(&self) -> Event {
        Event::from_line(
            self.sequence,
            millis::of(self.time),
            &self.level.as_str().to_ascii_lowercase(),
            &self.line,
        )
    }
}

/// Events that are kept: a failover of a hundred peers with its failback, in less than 100 kB.
const KEPT: usize = 512;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_are_kept_and_numbered() {
        let mut events = Events::default();
        assert_eq!((events.last(), events.latest(9)), (0, vec![]));
        for n in 1..=KEPT + 3 {
            events.push(Duration::from_millis(n as u64), Level::Info, format!("event n={n}"));
        }
        let numbers = |events: Vec<Event>| events.iter().map(|e| e.sequence).collect::<Vec<_>>();
        assert_eq!(events.last(), 515);
        assert_eq!(numbers(events.latest(2)), [514, 515]);
        assert_eq!(numbers(events.after(0, 2)), [4, 5], "a gap shows that some were lost");
        assert_eq!(numbers(events.after(514, 9)), [515]);
        assert_eq!(events.after(514, 9)[0].fields["n"], "515");
    }
}
