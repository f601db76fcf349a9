//! Reports: each end tells the other what it hears, path by path. A change travels at once (rule 10), and bad news that
//! comes by another LAN is believed only from somebody who heard us on the LAN in question (rule 5).

use std::net::IpAddr;

use super::path::{Doubt, Path, PathKey};
use super::{Engine, Reason};
use crate::time::Instant;
use crate::wire::{Kind, LanIndex, Level, NodeId, Packet, PathReport};

impl Engine {
    /// What we have to tell a peer at an address. The tokens of its other LANs are for itself alone: who answers in its name
    /// from an address that it does not name elsewhere must not get them.
    pub(super) fn reports(&self, now: Instant, node: NodeId, to: (LanIndex, IpAddr)) -> Vec<PathReport> {
        let Some(peer) = self.peers.get(&node) else { return Vec::new() };
        let is_told = self.may_have_tokens(now, peer, to.0, &to.1);
        let ready = |key: &PathKey| peer.reported.iter().any(|(k, _, ready, _)| k == key && *ready);
        peer.paths_to_tell()
            .into_iter()
            .filter(|(key, _)| Self::is_reportable(*key))
            .map(|(key, path)| path.report(key, ready(&key), is_told || key.lan == to.0))
            .collect()
    }

    /// Sends our reports by all ways if they differ from the last ones, and sees to it that they are repeated.
    pub(super) fn spread_news(&mut self, now: Instant, node: NodeId) {
        let missed = self.config.missed.get();
        let Some(peer) = self.peers.get(&node) else { return };
        let current = || {
            let reported = peer.paths.iter().filter(|(key, _)| Self::is_reportable(**key));
            reported.map(|(key, path)| (*key, path.own_level(), self.is_ready(now, path), path.is_moved()))
        };
        if current().eq(peer.reported.iter().copied()) {
            return;
        }
        let current = current().collect();
        let is_news = peer.boot.is_some() && !peer.absent;
        // One count for all peers: a peer that was forgotten and is met again never sees an older one.
        self.report_count = self.report_count.wrapping_add(1).max(1);
        let generation = self.report_count;
        if let Some(peer) = self.peers.get_mut(&node) {
            peer.reported = current;
            peer.report_generation = generation;
            peer.news_left = if is_news { missed.saturating_mul(2) } else { 0 };
        }
        if is_news {
            self.on_news_due(now, node);
        }
    }

    /// Tells the peer by every path, and again after half an interval unless it confirms.
    pub(super) fn on_news_due(&mut self, now: Instant, node: NodeId) {
        let both_respond = |requestor: bool| !requestor && !self.config.requestor;
        let Some(pace) = self.peer(node).map(|peer| self.pace_with(peer)) else { return };
        let Some(peer) = self.peers.get_mut(&node) else { return };
        if peer.news_left == 0
            || peer.confirmed_generation == peer.report_generation
            || both_respond(peer.is_requestor())
        {
            return;
        }
        // Whatever flips without end is told eight times an interval, no more.
        let next = peer.news_sent.map_or(now, |sent| sent + pace / 8);
        if next > now {
            self.timers.set(Reason::News(node), next);
            return;
        }
        peer.news_sent = Some(now);
        peer.news_left -= 1;
        let repeat = peer.news_left > 0;
        let targets: Vec<_> =
            peer.paths.iter().filter_map(|(key, path)| Some((*key, path.main_address()?))).collect();
        for (key, target) in targets {
            self.inquire(now, node, key, target, false);
        }
        if repeat {
            self.timers.set(Reason::News(node), now + pace / 2);
        }
    }

    /// Takes in what a directed packet of the current boot tells of the paths between us. `via`: the path it came by;
    /// `asked`: when the unicast INQ went out that it answers, if it answers one.
    pub(super) fn take_reports(
        &mut self,
        now: Instant,
        node: NodeId,
        via: PathKey,
        packet: &Packet,
        asked: Option<Instant>,
    ) {
        let Some(directed) = packet.directed.as_ref().filter(|d| d.boot == self.boot) else { return };
        let keyed = self.keys.is_keyed();
        self.on_generation_held(now, node, directed.report_generation);
        let Some(peer) = self.peers.get_mut(&node) else { return };
        if let Some(path) = peer.paths.get_mut(&via) {
            path.token_held = directed.token;
            path.list_confirmed = directed.address_generation;
        }
        // What an absent peer says counts from its first answer on: one end that takes it in before would come back with
        // a verdict that the other does not have.
        let is_answer = matches!(packet.kind, Kind::Acknowledgement { .. });
        if peer.absent && !is_answer {
            return;
        }
        let Some(reports) = packet.reports.as_ref() else { return };
        let said = packet.sender.report_generation;
        let is_newest = peer.held.take(now, said, asked);
        let is_newest_here = peer.paths.get_mut(&via).is_some_and(|path| path.word.take(now, said, asked));
        if !(is_newest && is_newest_here) {
            peer.doubt_word(via);
        }
        // An observer is told that it was heard, or it would repeat itself for ever, and not believed.
        if peer.paths.get(&via).is_some_and(|path| path.observer) {
            return;
        }
        for report in reports {
            let key =
                PathKey { lan: report.receiver_lan, family: report.family, peer_lan: report.sender_lan };
            let Some(path) = peer.paths.get_mut(&key) else { continue };
            let is_believed = if key == via {
                is_newest_here
            } else {
                is_newest && (keyed || path.knows_token(report.token))
            };
            if is_believed {
                path.on_report(report);
            } else if report.level == Level::Down && path.remote != Level::Down {
                path.doubt.get_or_insert(Doubt { asked: 0, next: now });
                self.timers.set_earlier(Reason::Doubt(key.lan), now);
            } else if !path.is_as_reported(report) {
                path.is_word_doubtful = true;
            }
        }
    }

    /// The peer says which of our reports it holds. If that is an older one, although we have told it as often as we
    /// do, it has lost all of that: it is told again, once an interval.
    fn on_generation_held(&mut self, now: Instant, node: NodeId, held: u32) {
        let Some(pace) = self.peer(node).map(|peer| self.pace_with(peer)) else { return };
        let is_on_its_way = self.timers.at(Reason::News(node)).is_some();
        let Some(peer) = self.peers.get_mut(&node) else { return };
        peer.confirmed_generation = held;
        if held == peer.report_generation || is_on_its_way || peer.absent {
            return;
        }
        peer.news_left = 1;
        let next = peer.news_sent.map_or(now, |sent| now.max(sent + pace));
        self.timers.set_earlier(Reason::News(node), next);
    }

    /// Asks on the path itself before an unproven "I do not hear you there" is believed: three times, an eighth
    /// apart. An answer clears the doubt (its own report decides); silence confirms it. Each doubt has its own pace, so
    /// that many of them hurry none.
    pub(super) fn pursue_doubts(&mut self, now: Instant, lan: LanIndex) {
        let mut soonest = None;
        for (node, key) in self.paths_on(lan) {
            let Some(gap) = self.peer(node).map(|peer| self.pace_with(peer) / 8) else { continue };
            let Some(path) = self.path_mut(node, key) else { continue };
            let Some(doubt) = path.doubt.as_mut() else { continue };
            if doubt.next > now {
                soonest = soonest.into_iter().chain([doubt.next]).min();
                continue;
            }
            if doubt.asked >= 3 {
                path.doubt = None;
                path.remote = Level::Down;
                self.settle(now, node);
                continue;
            }
            doubt.asked += 1;
            doubt.next = now + gap;
            soonest = soonest.into_iter().chain([doubt.next]).min();
            if let Some(target) = path.main_address() {
                self.inquire(now, node, key, target, false);
            }
        }
        if let Some(soonest) = soonest {
            self.timers.set_earlier(Reason::Doubt(lan), soonest);
        }
    }

    /// Asks all paths of a peer that might serve as a way out and are not freshly proven.
    pub(super) fn ask_for_proof(&mut self, now: Instant, node: NodeId) {
        let Some(peer) = self.peers.get(&node) else { return };
        let gap = self.pace_with(peer) / 8;
        let decides = self.config.missed.get() - 1;
        // A path that is down by the peer's word alone answers us all the time: then any proof that is not fresh is old.
        let silent_since = |path: &Path| match path.verdict {
            Level::Down => Some(self.silent_since(now, peer, Some(path))),
            Level::Up | Level::Unknown => path.unanswered_since.filter(|_| path.missed >= decides),
        };
        let Some(latest) = peer.paths.values().filter_map(|path| silent_since(path)).max() else { return };
        let latest = latest.max(self.lately(now, peer));
        let targets: Vec<_> = peer
            .paths
            .iter()
            .filter(|(_, path)| path.proof.is_none_or(|proof| proof < latest))
            .filter(|(_, path)| path.outstanding.back().is_none_or(|last| now.since(last.sent) >= gap))
            .filter_map(|(key, path)| Some((*key, path.main_address()?)))
            .collect();
        for (key, target) in targets {
            self.inquire(now, node, key, target, false);
        }
    }
}

/// Which reports of a peer were heard last.
#[derive(Debug, Clone)]
pub(super) struct Word {
    pub(super) generation: u32,
    pub(super) since: Instant,
}

impl Default for Word {
    fn default() -> Self {
        Self { generation: 0, since: Instant::from_nanos(0) }
    }
}

impl Word {
    /// Whether reports of this generation are not older than what was heard; then they are what is held. `asked`: when the
    /// question was sent that they answer: who answers one that we have asked since knows what is newest, whatever was said
    /// before.
    fn take(&mut self, now: Instant, generation: u32, asked: Option<Instant>) -> bool {
        let decides = asked.is_some_and(|asked| asked >= self.since);
        let is_newest = decides || !is_older(generation, self.generation);
        if is_newest {
            *self = Self { generation, since: now };
        }
        is_newest
    }
}

/// Whether a generation comes before another: they are serial numbers (RFC 1982), and the count of them wraps.
pub(super) fn is_older(generation: u32, than: u32) -> bool {
    generation != than && than.wrapping_sub(generation) <= u32::MAX / 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generations_are_compared_as_serial_numbers() {
        assert!(
            is_older(1, 2) && is_older(u32::MAX, 0) && is_older(u32::MAX, 5) && is_older(0, u32::MAX / 2)
        );
        assert!(!is_older(2, 2) && !is_older(2, 1) && !is_older(0, u32::MAX));
    }
}
