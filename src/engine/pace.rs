//! How often a peer sends INQs, as it announced. A responder counts by that, so each path keeps what was said on it:
//! without keys, somebody on one LAN must not set the pace by which the others are judged.

use std::time::Duration;

use super::{Engine, Peer};
use crate::time::Instant;
use crate::wire::{LanIndex, NodeId};

/// Bounds of an announced interval.
pub(super) const MIN_INTERVAL: Duration = Duration::from_millis(10);
pub(super) const MAX_INTERVAL: Duration = Duration::from_secs(60);

/// See the module.
#[derive(Debug, Clone, Default)]
pub(super) struct Pace {
    /// None: nothing was announced since the peer's run began, and whatever is counts at once.
    interval: Option<Duration>,
    /// A longer one that counts from this moment on.
    slower: Option<(Duration, Instant)>,
}

impl Pace {
    /// The interval that counts now.
    pub(super) fn interval(&self) -> Duration {
        self.interval.unwrap_or(MAX_INTERVAL)
    }

    /// The same; none if nothing was announced since the peer's run began.
    pub(super) fn announced(&self) -> Option<Duration> {
        self.interval
    }

    /// Takes an announcement: a slower pace counts only after f old intervals, so that none can hide its death behind
    /// it.
    pub(super) fn announce(&mut self, interval: Duration, missed: u32, now: Instant) {
        let interval = interval.clamp(MIN_INTERVAL, MAX_INTERVAL);
        let current = self.interval();
        if self.interval.is_none() || interval <= current {
            (self.interval, self.slower) = (Some(interval), None);
            return;
        }
        // It may go on changing: then the shortest of what was announced meanwhile is sure.
        let first = (interval, now + current * missed);
        let (slower, from) = self.slower.map_or(first, |(slower, from)| (slower.min(interval), from));
        if self.slower.is_some() && now >= from {
            (self.interval, self.slower) = (Some(slower), None);
        } else {
            self.slower = Some((slower, from));
        }
    }
}

impl Engine {
    /// How often the two of us ask: the lesser of our interval and that of a peer that asks too. A limit per interval
    /// uses this, or a patient responder would be slow for an impatient requestor.
    pub(super) fn pace_with(&self, peer: &Peer) -> Duration {
        self.interval.min(peer.asks_each().unwrap_or(MAX_INTERVAL)).max(MIN_INTERVAL)
    }

    /// How often something is heard of a peer at the least while all is well. A peer that does not ask of its own accord
    /// answers, so that it is heard once in a slot of ours, whatever interval it has. It counts as one that asks only if
    /// it says so on each of its paths: a stranger on one LAN could have it look silent between our questions.
    pub(super) fn heard_each(&self, peer: &Peer) -> Duration {
        let is_asked = self.config.requestor && !peer.asks_everywhere();
        peer.interval().max(if is_asked { self.interval } else { Duration::ZERO })
    }

    /// A peer of which nothing was heard for so long is silent, and what is older says nothing of the present.
    pub(super) fn silence_of(&self, peer: &Peer) -> Duration {
        self.heard_each(peer) * (self.config.missed.get() + 2)
    }

    /// A number that changes with each slot of ours on a LAN, and as often as the peer begins one if our slots are longer:
    /// what is done once a slot is done once for each.
    pub(super) fn turn(&self, now: Instant, lan: LanIndex, node: NodeId) -> Option<u32> {
        let lan = self.lans.get(&lan)?;
        let pace = self.peers.get(&node).map_or(MAX_INTERVAL, |peer| self.pace_with(peer));
        let turns =
            if pace < lan.slot_length { now.since(lan.slot_begin).as_nanos() / pace.as_nanos() } else { 0 };
        Some(lan.sequence.wrapping_add(u32::try_from(turns).unwrap_or_default()))
    }

    /// How often the fastest of the peers asks that are present; `MAX_INTERVAL` if there is none. Looks at all.
    pub fn fastest_interval(&self) -> Duration {
        let present = self.all_peers().filter(|peer| !peer.absent);
        present.filter_map(Peer::asks_each).min().unwrap_or(MAX_INTERVAL)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn announced_interval_is_clamped() {
        let start = Instant::from_nanos(0);
        let mut pace = Pace::default();
        pace.announce(Duration::ZERO, 2, start);
        assert_eq!(pace.interval(), MIN_INTERVAL);
        pace.announce(Duration::from_secs(3600), 2, start);
        pace.announce(Duration::from_secs(3600), 2, start + MIN_INTERVAL);
        assert_eq!(pace.interval(), MIN_INTERVAL, "a slower pace counts after f of the old intervals");
        pace.announce(Duration::from_secs(3600), 2, start + MIN_INTERVAL * 2);
        assert_eq!(pace.interval(), MAX_INTERVAL);
        pace.announce(Duration::from_millis(200), 2, start + MIN_INTERVAL * 3);
        assert_eq!(pace.interval(), Duration::from_millis(200), "a faster one counts at once");
    }

    #[test]
    fn a_slower_pace_that_goes_on_changing_is_believed_as_far_as_it_is_sure() {
        let start = Instant::from_nanos(0);
        let ms = Duration::from_millis;
        let mut pace = Pace::default();
        pace.announce(ms(200), 2, start);
        for (at, interval) in [(200, 300), (400, 350), (500, 320)] {
            pace.announce(ms(interval), 2, start + ms(at));
            assert_eq!(pace.interval(), ms(200));
        }
        pace.announce(ms(400), 2, start + ms(600));
        assert_eq!(pace.interval(), ms(300));
    }
}
