//! Slots: one INQ an interval on each LAN, retries within it, and the judgement when the next is due (section 2 of
//! faild-protocol(7)).

use std::collections::VecDeque;
use std::net::IpAddr;
use std::time::Duration;

use super::notice::{Evidence, Notice};
use super::pace::MAX_INTERVAL;
use super::path::{Answered, Judged, Path, PathKey, UNHEARD};
use super::peer::Peer;
use super::receive::Question;
use super::{Engine, Output, Reason};
use crate::interface::Family;
use crate::time::Instant;
use crate::wire::{LanIndex, Level, NodeId, Nonce, Packet};

/// Most peers that are retried on a LAN in a slot: seven retries each are 448 packets, a burst that any LAN carries.
const MAX_RETRIED: usize = 64;

/// Peers that are down or absent are asked by unicast once in this many slots, and at most so many in one: each costs an
/// ARP or ND request, most likely for nothing, and an entry in the kernel's neighbour table for three seconds.
pub(super) const LOST_TURNS: u32 = 8;
const MAX_LOST: usize = 16;

/// Later than this a slot was late, whatever the interval: timers and schedulers are no better.
const LEAST_LATENESS: Duration = Duration::from_millis(2);

/// Packets that a pair costs each end on a path in an interval: INQ and ACK of the one, INQ and ACK of the other,
/// less the INQ that is shared by all.
const PACKETS_PER_PATH: u32 = 3;

/// Slots more than a peer needs to believe that we ask less often: its f, the first in which it hears of it, the last
/// in which it must hear so again, and one that is lost.
const EASING: u32 = 3;

/// INQs to one configured address that may still be answered.
const MAX_UNMET: usize = 8;

/// A configured address that nobody has answered from yet.
#[derive(Debug, Clone, Default)]
pub(super) struct Unmet(VecDeque<(Nonce, Instant, u32)>);

impl Unmet {
    pub(super) fn question(&self, echo: Nonce) -> Option<Question> {
        let (_, sent, sequence) = self.0.iter().find(|(nonce, ..)| *nonce == echo)?;
        Some(Question { sent: *sent, sequence: *sequence, first: true, broadcast: false })
    }
}

/// The interval that is configured, a quarter longer as often as the budget needs: one that changed with each peer that
/// comes would be announced anew all the time.
fn stepped(configured: Duration, least: Duration) -> Duration {
    let mut steps = std::iter::successors(Some(configured), |interval| Some(*interval * 5 / 4));
    let fits = |interval: &Duration| *interval >= least.min(MAX_INTERVAL);
    steps.find(fits).unwrap_or(MAX_INTERVAL).min(MAX_INTERVAL)
}

impl Engine {
    /// Our own lateness above which a silence may be our own fault.
    fn is_late(now: Instant, at: Instant, interval: Duration) -> bool {
        now.since(at) > (interval / 4).max(LEAST_LATENESS)
    }

    // ----- the slot of a requestor

    pub(super) fn on_slot_end(&mut self, now: Instant, at: Instant, lan: LanIndex) {
        let lag = now.since(at);
        let stalled = lag > self.interval * self.config.missed.get() && lag > LEAST_LATENESS;
        if stalled {
            self.notice(Notice::Stalled { lag, interface: self.lan_name(lan) });
        }
        self.judge_slot(now, lan, Self::is_late(now, at, self.interval), stalled);
        self.keep_house(now, lan);
        self.begin_slot(now, lan);
    }

    fn judge_slot(&mut self, now: Instant, lan: LanIndex, late: bool, stalled: bool) {
        let Some(state) = self.lans.get(&lan) else { return };
        let excused = late || state.excused;
        let overflowed = state.retried.len() >= MAX_RETRIED && !self.have_all_missed(&state.retried);
        let retried = state.retried.clone();
        // In a slot that began while nothing could pass nobody was asked, and what was answered is older than it.
        if !self.config.requestor || !state.ran_all_slot() || state.sequence == 0 {
            return;
        }
        for (node, key) in self.paths_on(lan) {
            let unretried = overflowed && !retried.contains(&(node, key));
            let limit = self.config.missed.get();
            let Some(path) = self.path_mut(node, key) else { continue };
            if stalled && path.answered == Answered::No {
                path.fresh_slots();
                continue;
            }
            let judged = path.judge_slot(excused || unretried, limit);
            self.after_judgement(now, node, key, judged);
        }
    }

    fn have_all_missed(&self, retried: &[(NodeId, PathKey)]) -> bool {
        retried
            .iter()
            .all(|(node, key)| self.path(*node, *key).is_none_or(|path| path.answered == Answered::No))
    }

    fn after_judgement(&mut self, now: Instant, node: NodeId, key: PathKey, judged: Judged) {
        match judged {
            Judged::Clean => self.after_clean(now, node, key),
            Judged::Missed => self.after_missed(now, node, key),
            Judged::Saved => self.after_saved(node, key),
            Judged::Excused => {}
        }
        self.settle(now, node);
    }

    /// One more slot in which all was well.
    pub(super) fn after_clean(&mut self, now: Instant, node: NodeId, key: PathKey) {
        let Some(peer) = self.peers.get(&node) else { return };
        let Some(path) = peer.paths.get(&key) else { return };
        if self.clean_slots_wanted(peer, key.family, path).is_some_and(|wanted| path.good >= wanted) {
            let good = path.good;
            self.set_local(now, node, key, Level::Up, Evidence::Good(good));
        }
    }

    /// How many clean slots in a row make a path up; none if it is.
    pub(super) fn clean_slots_wanted(&self, peer: &Peer, family: Family, path: &Path) -> Option<u32> {
        match path.local {
            Level::Up => None,
            Level::Down => Some(self.config.good.get()),
            Level::Unknown if self.is_served_by_overlay(peer, family) => Some(self.config.good.get()),
            Level::Unknown => Some(1),
        }
    }

    /// One more slot in which nothing was heard.
    fn after_missed(&mut self, now: Instant, node: NodeId, key: PathKey) {
        let missed = self.config.missed.get();
        let Some(peer) = self.peers.get(&node) else { return };
        let absent = peer.absent;
        let Some(path) = peer.paths.get(&key) else { return };
        let by_unicast = (path.by_unicast || path.filtered) && path.local != Level::Unknown;
        if let Some(target) = path.main_address().filter(|_| by_unicast) {
            self.wake_neighbour(now, node, key, target);
        }
        let Some(path) = self.path(node, key) else { return };
        match path.local {
            Level::Up if path.missed >= missed && path.slots >= missed => {
                self.set_local(now, node, key, Level::Down, Evidence::Missed(path.missed));
            }
            Level::Unknown if !absent => self.after_unknown_missed(now, node, key),
            Level::Down if !absent => self.after_dead_missed(now, node, key),
            Level::Up | Level::Down | Level::Unknown => {}
        }
    }

    /// The peer is heard elsewhere. If its host answers ARP or ND here all the same, a firewall may have begun to drop the
    /// port: asked once an outage, when a peer that died on all LANs is known to be absent, and told when two more slots
    /// are missed after the answer.
    fn after_dead_missed(&mut self, now: Instant, node: NodeId, key: PathKey) {
        if !self.is_long_missed(node, key) {
            return;
        }
        let path = self.peers.get_mut(&node).and_then(|peer| peer.paths.get_mut(&key));
        let (Some(path), Some(lan)) = (path, self.lans.get_mut(&key.lan)) else { return };
        if path.port.on_missed() {
            return self.tell_filtered(node, key);
        }
        let Some(target) = path.main_address().filter(|_| path.port.is_due() && !path.gone) else { return };
        if lan.solicitations.spend(now) {
            path.port.ask_once(now);
            self.solicit(key.lan, target);
        }
    }

    /// Whether a path was silent for two slots more than make it down.
    pub(super) fn is_long_missed(&self, node: NodeId, key: PathKey) -> bool {
        let enough = self.config.missed.get().saturating_add(2);
        self.path(node, key).is_some_and(|path| path.missed >= enough)
    }

    /// Rule 3: a path that was never heard is down only when ARP or ND is silent too.
    fn after_unknown_missed(&mut self, now: Instant, node: NodeId, key: PathKey) {
        let missed = self.config.missed.get();
        let is_long_missed = self.is_long_missed(node, key);
        let Some(path) = self.path_mut(node, key) else { return };
        // A peer that has left the LAN answers no INQ there, and its host still answers ARP.
        let is_filtered = is_long_missed && !path.gone && path.port.on_missed();
        if path.port.ask(now) {
            path.unsolicited = path.unsolicited.saturating_add(1);
        }
        let target = path.main_address();
        if path.missed >= missed && path.unsolicited >= missed {
            let count = path.missed;
            return self.set_local(now, node, key, Level::Down, Evidence::Missed(count));
        }
        if is_filtered {
            self.tell_filtered(node, key);
        }
        if let Some(target) = target {
            self.solicit(key.lan, target);
        }
    }

    pub(super) fn tell_filtered(&mut self, node: NodeId, key: PathKey) {
        let Some(path) = self.path(node, key) else { return };
        let Some(address) = path.main_address() else { return };
        let record = path.addresses.get(&address);
        let claimed = record.is_none_or(|record| !record.trusted && record.answered.is_none());
        let interface = self.lan_name(key.lan);
        self.notice(Notice::PortFiltered { peer: node, address, interface, claimed });
    }

    fn after_saved(&mut self, node: NodeId, key: PathKey) {
        let interface = self.lan_name(key.lan);
        let Some(path) = self.path_mut(node, key) else { return };
        if path.is_broadcast_filtered() && !path.by_unicast && !path.filtered {
            path.filtered = true;
            self.notice(Notice::BroadcastFiltered { peer: node, interface });
        }
    }

    fn begin_slot(&mut self, now: Instant, index: LanIndex) {
        let interval = self.slot_interval(now);
        let length = self.random.between(interval * 3 / 4, interval);
        let Some(lan) = self.lans.get_mut(&index) else { return };
        lan.sequence = lan.sequence.wrapping_add(1);
        lan.slot_begin = now;
        lan.slot_length = length;
        lan.eighths = 0;
        lan.retried.clear();
        lan.guesses.retain(|node, _| self.peers.contains_key(node));
        lan.excused = false;
        self.timers.set(Reason::SlotEnd(index), now + length);
        if self.is_running(index) {
            self.ask_all(now, index);
            self.timers.set(Reason::Retry(index), now + length / 8);
        }
    }

    /// The first INQs of a slot.
    fn ask_all(&mut self, now: Instant, index: LanIndex) {
        let asks = self.config.requestor;
        let missed = self.config.missed.get();
        let Some(lan) = self.lans.get(&index) else { return };
        let sequence = lan.sequence;
        let broadcasts = asks && lan.settings.broadcast;
        for family in lan.families().collect::<Vec<_>>() {
            if broadcasts {
                self.broadcast_inquiry(now, index, family);
            }
        }
        for (node, key) in self.paths_on(index) {
            let Some(path) = self.path_mut(node, key) else { continue };
            let by_unicast = path.by_unicast || path.filtered;
            path.on_slot_begins(now, asks);
            path.forget_asked(sequence, missed);
            let target = path.main_address();
            if let Some(target) = target.filter(|_| asks && by_unicast) {
                self.inquire(now, node, key, target, true);
            }
        }
        for node in self.nodes() {
            self.ask_unproven(now, node, index);
        }
        if asks {
            self.ask_lost(now, index);
            self.ask_unmet(now, index);
        }
    }

    /// Broadcasts may be filtered when a LAN heals, and who is down or absent is not retried: without a unicast now and then
    /// nothing would ever be heard of the other.
    fn ask_lost(&mut self, now: Instant, index: LanIndex) {
        let Some(sequence) = self.lans.get(&index).map(|lan| lan.sequence) else { return };
        let turn = usize::try_from(sequence % LOST_TURNS).unwrap_or_default();
        let mut lost: Vec<(NodeId, PathKey, IpAddr)> = self
            .paths_on(index)
            .into_iter()
            .filter(|(node, _)| is_turn_of(*node, sequence))
            .filter_map(|(node, key)| {
                let peer = self.peers.get(&node)?;
                let path = peer.paths.get(&key)?;
                let is_lost = peer.absent || path.local == Level::Down;
                let is_asked = path.by_unicast || path.filtered;
                Some((node, key, path.main_address().filter(|_| is_lost && !is_asked)?))
            })
            .collect();
        if lost.is_empty() {
            return;
        }
        let Some(lan) = self.lans.get_mut(&index) else { return };
        let Some(from) = lan.lost_from.get_mut(turn) else { return };
        *from %= lost.len();
        lost.rotate_left(*from);
        let most = lost.len().min(MAX_LOST);
        lost.truncate((0..most).take_while(|_| lan.lost.spend(now)).count());
        *from += lost.len();
        for (node, key, target) in lost {
            self.inquire(now, node, key, target, false);
        }
    }

    /// Configured addresses that belong to no peer yet. Now and then also those of an absent one: its host may have been
    /// installed again, and a question to its old id is for another node then.
    fn ask_unmet(&mut self, now: Instant, index: LanIndex) {
        let Some(lan) = self.lans.get(&index) else { return };
        let sequence = lan.sequence;
        let is_turn = sequence % LOST_TURNS == 0;
        let is_known = |a: &IpAddr| {
            let mut known = self.peers.values().filter(|peer| peer.path_by_address(index, a).is_some());
            known.any(|peer| !(is_turn && peer.absent))
        };
        let targets: Vec<IpAddr> = self
            .config
            .peers
            .iter()
            .flat_map(|peer| peer.addresses.iter().copied())
            .filter(|a| lan.is_on_link(a) && !lan.owns(a))
            .filter(|a| !is_known(a))
            .collect();
        for target in targets {
            let Some(nonce) = self.inquire_unmet(index, target) else { continue };
            let unmet = self.unmet.entry((index, target)).or_default();
            unmet.0.push_back((nonce, now, sequence));
            if unmet.0.len() > MAX_UNMET {
                unmet.0.pop_front();
            }
        }
    }

    // ----- retries

    pub(super) fn on_retry(&mut self, now: Instant, index: LanIndex) {
        let Some(lan) = self.lans.get_mut(&index) else { return };
        lan.eighths += 1;
        let (eighths, begin, length) = (lan.eighths, lan.slot_begin, lan.slot_length);
        if eighths == 1 && self.config.requestor {
            self.choose_retried(index);
        }
        let silent = self.retry_silent(now, index);
        if silent && eighths == 1 {
            self.outputs.push_back(Output::QueryLinks);
        }
        let open = silent | self.pursue_proofs(now, index);
        if open && eighths < 7 {
            let next = begin + length * (eighths + 1) / 8;
            self.timers.set(Reason::Retry(index), next.max(now + length / 16));
        }
    }

    /// Those that have not answered, the proven ones that are up first, the rest in turns.
    fn choose_retried(&mut self, index: LanIndex) {
        let missed = self.config.missed.get();
        let hopeful = missed.saturating_add(2);
        let silent: Vec<(NodeId, PathKey, bool)> = self
            .paths_on(index)
            .into_iter()
            .filter_map(|(node, key)| {
                let peer = self.peers.get(&node)?;
                let path = peer.paths.get(&key)?;
                let matters = match path.local {
                    Level::Up => true,
                    Level::Unknown if key.peer_lan == UNHEARD => !peer.absent && path.slots <= hopeful,
                    Level::Unknown => !peer.absent,
                    // One that was answered lately is on its way back.
                    Level::Down => !peer.absent && (peer.is_nothing_else_up(key) || path.missed < missed),
                };
                // Those that were invented must not keep real ones from being asked.
                let first = path.local == Level::Up && peer.proven;
                (matters && path.answered == Answered::No).then_some((node, key, first))
            })
            .collect();
        let Some(lan) = self.lans.get_mut(&index) else { return };
        let (up, mut rest): (Vec<_>, Vec<_>) = silent.into_iter().partition(|(.., up)| *up);
        if !rest.is_empty() {
            let from = lan.retry_from % rest.len();
            rest.rotate_left(from);
            lan.retry_from = from + MAX_RETRIED.saturating_sub(up.len());
        }
        lan.retried =
            up.into_iter().chain(rest).take(MAX_RETRIED).map(|(node, key, _)| (node, key)).collect();
    }

    /// Asks those again by unicast. True while some are silent.
    fn retry_silent(&mut self, now: Instant, index: LanIndex) -> bool {
        let Some(lan) = self.lans.get(&index) else { return false };
        let elapsed = now.since(lan.slot_begin);
        let decides = self.config.missed.get() - 1;
        let mut open = false;
        for (node, key) in lan.retried.clone() {
            let Some(path) = self.path(node, key).filter(|path| path.answered == Answered::No) else {
                continue;
            };
            open = true;
            let patient = path.round_trip.is_some_and(|rtt| elapsed < rtt * 4);
            let is_deciding = path.missed >= decides && path.local != Level::Down;
            if let Some(target) = path.main_address().filter(|_| !patient) {
                self.inquire(now, node, key, target, false);
            }
            if is_deciding {
                self.ask_for_proof(now, node);
            }
        }
        open
    }

    /// Peers that wait for a way out go on being asked. True while there are any.
    fn pursue_proofs(&mut self, now: Instant, index: LanIndex) -> bool {
        let waiting: Vec<NodeId> = self
            .paths_on(index)
            .into_iter()
            .filter(|(node, key)| {
                self.peers.get(node).is_some_and(|peer| !peer.absent && peer.paths.len() > 1)
                    && self
                        .path(*node, *key)
                        .is_some_and(|path| path.verdict == Level::Down && !path.is_moved())
            })
            .map(|(node, _)| node)
            .collect();
        for node in &waiting {
            self.decide(now, *node);
        }
        !waiting.is_empty()
    }

    // ----- the slot of a responder

    /// A responder counts the INQs of a requestor: any of a sequence makes its slot good.
    /// Some that were held up and come at one moment are one sign of life, whatever slots they are of: only one that
    /// arrives half an interval after the last adds to the good slots.
    pub(super) fn count_inquiry(
        &mut self,
        now: Instant,
        node: NodeId,
        key: PathKey,
        packet: &Packet,
        arrived: Instant,
    ) {
        let sequence = packet.sender.sequence;
        let Some(peer) = self.peers.get_mut(&node) else { return };
        let Some(path) = peer.paths.get_mut(&key) else { return };
        let interval = path.pace.interval();
        let Some(step) = path.freshness.advance(now, sequence) else { return };
        if self.config.requestor || !packet.sender.requestor {
            return;
        }
        if step > 1 {
            path.good = 0;
        }
        if path.counted.is_none_or(|counted| arrived.since(counted) >= interval / 2) {
            path.counted = Some(arrived);
            path.on_good();
        } else {
            path.on_heard_again();
        }
        path.slots = path.slots.saturating_add(1);
        path.unanswered_since = None;
        self.timers.set(Reason::Expected(node, key), now + interval * 3 / 2);
        self.after_heard(now, node, key);
        if interval < self.interval {
            self.ask_unproven(now, node, key.lan);
        }
    }

    /// A responder expects the next INQ of a requestor, an interval after now, with the grace of half a one. It has no other
    /// peers, whatever was said of their roles before it became one.
    pub(super) fn expect_inquiry(&mut self, now: Instant, node: NodeId, key: PathKey) {
        let Some(peer) = self.peers.get(&node).filter(|_| !self.config.requestor) else { return };
        if let Some(path) = peer.paths.get(&key) {
            let due = now + Self::expected_pace(peer, path) * 3 / 2;
            self.timers.set(Reason::Expected(node, key), due);
        }
    }

    /// The same on all paths that can be heard, whatever came by them: one that stays silent must come to be known as such.
    pub(super) fn expect_inquiries(&mut self, now: Instant, node: NodeId) {
        let keys = self.peers.get(&node).map(|peer| peer.paths.keys().copied().collect::<Vec<_>>());
        for key in keys.unwrap_or_default() {
            if key.peer_lan != UNHEARD && self.is_running(key.lan) {
                self.expect_inquiry(now, node, key);
            }
        }
    }

    /// A path that nothing is expected on would never fall silent, and its peer never become absent: whatever it was that
    /// ended the wait (goodbye, absence, carrier), each path that can be heard is waited for again.
    pub(super) fn expect_on(&mut self, now: Instant, lan: LanIndex) {
        if self.config.requestor || !self.is_running(lan) {
            return;
        }
        for (node, key) in self.paths_on(lan) {
            let peer = self.peers.get(&node).filter(|peer| !peer.absent);
            let is_there = peer.and_then(|peer| peer.paths.get(&key)).is_some_and(|path| !path.gone);
            if is_there && key.peer_lan != UNHEARD && self.timers.at(Reason::Expected(node, key)).is_none() {
                self.expect_inquiry(now, node, key);
            }
        }
    }

    /// How often INQs come by a path; by one that was not heard in this run of the peer, as often as by the others.
    fn expected_pace(peer: &Peer, path: &Path) -> Duration {
        path.pace.announced().unwrap_or_else(|| peer.interval())
    }

    /// What one more INQ heard changes at a responder. Where one round trip would do, it asks for one.
    fn after_heard(&mut self, now: Instant, node: NodeId, key: PathKey) {
        self.after_clean(now, node, key);
        let Some(peer) = self.peers.get(&node) else { return };
        let Some(path) = peer.paths.get(&key) else { return };
        let asks = peer.absent || (path.local != Level::Up && peer.is_nothing_else_up(key));
        if let Some(target) = path.main_address().filter(|_| asks) {
            self.inquire(now, node, key, target, false);
        }
    }

    /// The INQ that was due has not come.
    pub(super) fn on_expected(&mut self, now: Instant, at: Instant, node: NodeId, key: PathKey) {
        let excused = self.lans.get(&key.lan).is_some_and(|lan| lan.excused);
        let limit = self.config.missed.get();
        let Some(peer) = self.peers.get_mut(&node).filter(|peer| !peer.absent) else { return };
        let usual = peer.interval();
        let Some(path) = peer.paths.get_mut(&key) else { return };
        let interval = path.pace.announced().unwrap_or(usual);
        path.answered = Answered::No;
        let judged = path.judge_slot(excused || Self::is_late(now, at, interval), limit);
        path.unanswered_since.get_or_insert(at - interval / 2);
        let is_deciding = path.missed + 1 >= limit;
        self.timers.set(Reason::Expected(node, key), now + interval);
        if is_deciding {
            self.ask_for_proof(now, node);
        }
        self.after_judgement(now, node, key, judged);
    }

    // ----- budget

    /// With too many peers for the packet budget we ask less often, in steps, and say so. Peers get used to a longer
    /// interval before slots last so long, whatever it is that makes it longer.
    pub(super) fn fit_interval(&mut self, now: Instant) {
        let counts = |peer: &&super::Peer| !peer.absent && peer.proven;
        let paths: usize = self.all_peers().filter(counts).map(|peer| peer.paths.len()).sum();
        let packets = u32::try_from(paths).unwrap_or(u32::MAX).saturating_mul(PACKETS_PER_PATH);
        let least = Duration::from_secs_f64(f64::from(packets) / f64::from(self.config.packet_budget.get()));
        let (announced, length) = (self.interval, self.slot_interval(now));
        self.interval = stepped(self.config.interval, least);
        if self.interval <= length {
            self.easing = None;
        } else if self.interval > announced {
            let slots = self.config.missed.get().saturating_add(EASING);
            self.easing = Some((now + length * slots, length));
        }
        let slowed = self.interval > self.config.interval;
        if slowed != self.told.slowed {
            self.told.slowed = slowed;
            self.notice(Notice::IntervalRaised {
                interval: self.interval,
                paths,
                configured: self.config.interval,
            });
        }
    }

    /// Whether nothing is heard on a path: the last f slots were missed, or it cannot be heard at all.
    pub(super) fn is_silent(&self, key: PathKey, path: &Path) -> bool {
        path.missed >= self.config.missed.get()
            || path.gone
            || key.peer_lan == UNHEARD
            || !self.is_running(key.lan)
    }
}

/// Whether it is a lost peer's turn to be asked in a slot.
fn is_turn_of(node: NodeId, sequence: u32) -> bool {
    let turns = u64::from(LOST_TURNS);
    (node.0 % turns + u64::from(sequence) % turns).is_multiple_of(turns)
}
