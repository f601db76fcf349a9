//! One path: what we count of it, what the peer reports of it, and the verdict.
//!
//! ```text
//!            one clean slot (s with an overlay)
//!   unknown ------------------------------------> up
//!      |                                         |  ^
//!      | f missed, and ARP/ND silent too         |  | s clean slots; one round trip if nothing else works
//!      |                        f missed, or     v  |
//!      +-------------------------------------->  down
//!                               carrier lost
//! ```
//!
//! A path counts alone and knows nothing of the others; what depends on them (may one round trip do? is an overlay
//! in place?) it is told.

use std::collections::VecDeque;
use std::mem::Discriminant;
use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::freshness::Freshness;
use super::neighbour::Reach;
use super::notice::Evidence;
use super::offline::Duty;
use super::pace::Pace;
use super::peer_address::{Known, PeerAddress, PeerAddresses, Position};
use super::port::PortCheck;
use super::report::{Word, is_older};
use crate::config::Damping;
use crate::failback::{Hold, TrackRecord};
use crate::interface::Family;
use crate::random::Random;
use crate::time::Instant;
use crate::wire::{LanIndex, Level, Nonce, PathReport, Token};

/// The peer's LAN index of a path that was never heard: known from the configuration only.
pub(super) const UNHEARD: LanIndex = LanIndex(u8::MAX);

/// INQs that may still be answered: eight a slot, and late answers count for f slots. With the largest f that would
/// be 808; nobody waits for so many.
const OUTSTANDING: usize = 64;

/// Tells a path from the others of its peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PathKey {
    /// Our LAN.
    pub lan: LanIndex,
    /// IPv4 or IPv6.
    pub family: Family,
    /// The peer's index of the LAN; 255 if the peer was never heard there.
    pub peer_lan: LanIndex,
}

/// An INQ of ours by unicast that may still be answered.
#[derive(Debug, Clone, Copy)]
pub(super) struct Outstanding {
    pub(super) nonce: Nonce,
    pub(super) sent: Instant,
    pub(super) sequence: u32,
    pub(super) target: IpAddr,
    /// The slot's first attempt.
    pub(super) first: bool,
}

/// How a slot went so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Answered {
    No,
    /// Only a retry was answered.
    Retry,
    First,
}

/// What a judged slot did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Judged {
    Clean,
    Saved,
    Missed,
    Excused,
}

/// A negative report that came by another LAN without proof (rule 5): asked here three times before it is believed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Doubt {
    pub(super) asked: u8,
    /// When it is asked next, or believed.
    pub(super) next: Instant,
}

/// See the module.
#[derive(Debug, Clone)]
pub(super) struct Path {
    pub(super) local: Level,
    pub(super) remote: Level,
    pub(super) verdict: Level,
    /// It came as an observer's, whose reports count for nothing, when the peer was last heard here: what anybody says on
    /// another LAN does not change that.
    pub(super) observer: bool,
    pub(super) remote_ready: bool,
    pub(super) remote_moved: bool,
    /// As `remote_moved`, but said here, or with a token of ours: only that makes us follow (rule 5).
    pub(super) peer_left: bool,
    pub(super) duty: Duty,

    pub(super) missed: u32,
    pub(super) good: u32,
    excused: u32,
    /// Slots in a row that only a retry saved.
    saved: u32,
    pub(super) answered: Answered,
    /// Slots begin by unicast: broadcasts do not reach this peer.
    pub(super) by_unicast: bool,
    /// As `by_unicast`, but found out, and given up again when a broadcast is answered.
    pub(super) filtered: bool,
    /// A fresh path is given f slots before it can be down, whatever it missed before.
    pub(super) slots: u32,
    pub(super) outstanding: VecDeque<Outstanding>,
    /// When the first INQ was sent that has not been answered since; none while all is answered.
    pub(super) unanswered_since: Option<Instant>,
    /// When the newest INQ was sent that has been answered: proof that both ways worked since then.
    pub(super) proof: Option<Instant>,
    /// Whether what our kernel sends arrives, or waits for ARP or ND.
    pub(super) reach: Reach,
    /// When the peer was last heard here at all.
    pub(super) heard: Option<Instant>,
    pub(super) round_trip: Option<Duration>,

    /// How often the peer sends INQs here, and whether it does so of its own accord, as said here.
    pub(super) pace: Pace,
    pub(super) requestor: bool,
    /// Which of its INQs speak of the present.
    pub(super) freshness: Freshness,
    /// When an INQ of the peer last made a slot of it good.
    pub(super) counted: Option<Instant>,

    pub(super) token_given: Token,
    token_given_before: Token,
    /// Whether the peer has shown the token that it is given now.
    is_token_shown: bool,
    pub(super) token_held: Token,
    pub(super) doubt: Option<Doubt>,
    /// Generation of the peer's reports that was heard here last: what others say elsewhere makes nothing old that is said
    /// of the path on the path itself.
    pub(super) word: Word,
    /// ARP or ND requests in a row, one a slot, that were not answered.
    pub(super) unsolicited: u32,
    pub(super) port: PortCheck,

    /// What our own count rests on.
    pub(super) evidence: Evidence,
    pub(super) failback: TrackRecord,
    /// What people were told that failback waits for; none if it does not wait.
    pub(super) told_hold: Option<Discriminant<Hold>>,
    pub(super) addresses: PeerAddresses,
    /// Generation of the peer's address list that it says it has.
    pub(super) offered_generation: u32,
    /// Generation of the peer's address list that was received over this path.
    pub(super) claims_generation: u32,
    /// An INQ said here what is older than what we hold, or may not be believed, or what was said is forgotten: the peer is
    /// asked, and its answer decides.
    pub(super) is_word_doubtful: bool,
    /// The peer's addresses on all LANs, as named over this path (rule 4: mutual claim).
    pub(super) claims: Vec<IpAddr>,
    /// The peer said goodbye on it.
    pub(super) gone: bool,
    /// The last slot in which a cookie was returned over it, so that one slot sends one.
    pub(super) cookie_turn: Option<u32>,
    /// The last slot in which another run of the peer was asked to show itself.
    pub(super) challenge_turn: Option<u32>,
    /// The generation of our address list that the peer holds from this path.
    pub(super) list_confirmed: u32,
    /// The last slot in which the address list was sent over it.
    pub(super) list_turn: Option<u32>,
    /// The last slot in which a list was asked for or offered over it.
    pub(super) exchange_turn: Option<u32>,
}

impl Path {
    pub(super) fn new(now: Instant, random: &mut Random, penalty: f64, damping: &Damping) -> Self {
        let token = random.token();
        Self {
            local: Level::Unknown,
            remote: Level::Unknown,
            verdict: Level::Unknown,
            observer: false,
            remote_ready: false,
            remote_moved: false,
            peer_left: false,
            duty: Duty::Serving,
            missed: 0,
            good: 0,
            excused: 0,
            saved: 0,
            answered: Answered::No,
            by_unicast: false,
            filtered: false,
            slots: 0,
            outstanding: VecDeque::new(),
            unanswered_since: None,
            proof: None,
            reach: Reach::default(),
            heard: None,
            round_trip: None,
            freshness: Freshness::new(now),
            token_given: token,
            token_given_before: token,
            is_token_shown: false,
            token_held: Token(0),
            doubt: None,
            unsolicited: 0,
            port: PortCheck::default(),
            evidence: Evidence::Answer,
            failback: TrackRecord::new(now, penalty, damping),
            told_hold: None,
            addresses: PeerAddresses::default(),
            offered_generation: 0,
            claims_generation: 0,
            is_word_doubtful: false,
            claims: Vec::new(),
            gone: false,
            cookie_turn: None,
            challenge_turn: None,
            pace: Pace::default(),
            requestor: false,
            word: Word::default(),
            counted: None,
            list_confirmed: 0,
            list_turn: None,
            exchange_turn: None,
        }
    }

    /// Forgets what was counted, for a new boot of the peer or after absence. Verdict and overlays stay (rule 1).
    pub(super) fn restart_counts(&mut self) {
        self.local = Level::Unknown;
        self.remote = Level::Unknown;
        self.remote_ready = false;
        self.remote_moved = false;
        self.peer_left = false;
        self.answered = Answered::No;
        self.fresh_slots();
        self.failback.set_up(None);
        self.doubt = None;
        // The peer does not know that it would have to say it again.
        self.is_word_doubtful = true;
    }

    /// Gives the path f fresh slots.
    pub(super) fn fresh_slots(&mut self) {
        self.missed = 0;
        self.good = 0;
        self.excused = 0;
        self.slots = 0;
        self.unsolicited = 0;
        self.unanswered_since = None;
        self.counted = None;
    }

    /// Gives up a verdict of "down" that nothing has followed from: the peer itself was away, not the path.
    pub(super) fn doubt_verdict(&mut self) {
        if self.verdict == Level::Down && !self.is_moved() {
            self.restart_counts();
            self.verdict = Level::Unknown;
        }
    }

    /// A new boot of the peer: what its old run said and sent is void.
    pub(super) fn on_new_boot(&mut self) {
        self.restart_counts();
        self.doubt_verdict();
        self.freshness.forget();
        self.outstanding.clear();
        self.observer = false;
        self.pace = Pace::default();
        self.requestor = false;
        self.word.generation = 0;
        self.token_held = Token(0);
        self.claims_generation = 0;
        self.offered_generation = 0;
        self.list_confirmed = 0;
        self.gone = false;
    }

    /// The peer says which generation its address list has; `answered`: to a question of ours.
    pub(super) fn on_list_offered(&mut self, generation: u32, answered: bool) {
        if answered || !is_older(generation, self.offered_generation) {
            self.offered_generation = generation;
        } else {
            self.is_word_doubtful = true;
        }
    }

    /// The verdict that both ends' counts give (section 1 of the protocol); towards observers our own alone.
    pub(super) fn combine(&mut self) {
        let own = self.own_level();
        let remote = if self.observer { own } else { self.remote };
        self.verdict = match (own, remote) {
            (Level::Down, _) | (_, Level::Down) => Level::Down,
            (Level::Up, Level::Up) => Level::Up,
            (Level::Unknown, Level::Unknown | Level::Up) | (Level::Up, Level::Unknown) => self.verdict,
        };
    }

    /// An INQ was sent by unicast.
    pub(super) fn on_asked(&mut self, outstanding: Outstanding) {
        if self.outstanding.len() == OUTSTANDING {
            self.outstanding.pop_front();
        }
        self.outstanding.push_back(outstanding);
        self.unanswered_since.get_or_insert(outstanding.sent);
    }

    /// A broadcast INQ went out on the LAN.
    pub(super) fn on_slot_begins(&mut self, now: Instant, asked: bool) {
        self.answered = Answered::No;
        self.slots = self.slots.saturating_add(1);
        if asked {
            self.unanswered_since.get_or_insert(now);
        }
    }

    /// Forgets the INQs whose answers do not count in slot `sequence`: those from before the last `window` slots.
    pub(super) fn forget_asked(&mut self, sequence: u32, window: u32) {
        self.outstanding.retain(|asked| sequence.wrapping_sub(asked.sequence) <= window);
        if self.outstanding.is_empty() {
            self.outstanding = VecDeque::new();
        }
    }

    /// A broadcast was answered: broadcasts are not filtered. True if they were taken to be.
    pub(super) fn on_broadcast_answered(&mut self) -> bool {
        self.saved = 0;
        std::mem::take(&mut self.filtered)
    }

    /// An INQ that was sent at `sent` in slot `sequence` was answered, in time or late.
    pub(super) fn on_answer(&mut self, sent: Instant, in_this_slot: bool, first: bool, now: Instant) {
        self.heard = Some(now);
        self.missed = 0;
        self.excused = 0;
        self.unsolicited = 0;
        self.port.on_heard();
        self.gone = false;
        self.doubt = None;
        self.proof = Some(self.proof.map_or(sent, |proof| proof.max(sent)));
        self.unanswered_since = None;
        if in_this_slot {
            let how = if first { Answered::First } else { Answered::Retry };
            self.answered = self.answered.max(how);
        }
    }

    /// Whether what we sent to an address alone has arrived since the path came up: it was answered, or a peer that sends
    /// INQs receives our answers. One that only answers reports that it hears us as soon as our broadcasts arrive.
    pub(super) fn is_reached(&self, address: &IpAddr) -> bool {
        self.reach.has_answered(address, self.failback.up_since())
            || (self.requestor && self.remote == Level::Up)
    }

    /// Smooths the round trip as RFC 6298 does, by an eighth.
    pub(super) fn on_round_trip(&mut self, sample: Duration) {
        self.round_trip = Some(self.round_trip.map_or(sample, |smooth| (smooth * 7 + sample) / 8));
    }

    /// Judges the slot that ends. `excused`: our own fault, or never retried for lack of room.
    pub(super) fn judge_slot(&mut self, excused: bool, limit: u32) -> Judged {
        match self.answered {
            Answered::First => {
                self.on_good();
                self.saved = 0;
                Judged::Clean
            }
            Answered::Retry => {
                self.missed = 0;
                self.good = 0;
                self.saved = self.saved.saturating_add(1);
                Judged::Saved
            }
            Answered::No if excused && self.excused < limit => {
                self.excused += 1;
                Judged::Excused
            }
            Answered::No => {
                self.on_missed(limit);
                Judged::Missed
            }
        }
    }

    /// Heard, which adds nothing to the good slots.
    pub(super) fn on_heard_again(&mut self) {
        self.missed = 0;
        self.excused = 0;
        self.port.on_heard();
    }

    /// One clean slot.
    pub(super) fn on_good(&mut self) {
        self.on_heard_again();
        self.good = self.good.saturating_add(1);
    }

    /// One missed slot. After f excuses in a row the next one decides alone.
    pub(super) fn on_missed(&mut self, limit: u32) {
        self.good = 0;
        self.saved = 0;
        self.missed = self.missed.saturating_add(1);
        if self.excused >= limit {
            self.missed = self.missed.max(limit);
        }
    }

    /// Whether ten slots in a row were saved by unicast: broadcasts are filtered.
    pub(super) fn is_broadcast_filtered(&self) -> bool {
        self.saved >= 10
    }

    /// Takes in what the peer says of this path.
    pub(super) fn on_report(&mut self, report: &PathReport) {
        self.remote = report.level;
        self.remote_ready = report.ready;
        self.remote_moved = report.moved;
        self.peer_left = report.moved;
        if report.level != Level::Down {
            self.doubt = None;
        }
    }

    /// Whether a report says of this path what is known.
    pub(super) fn is_as_reported(&self, report: &PathReport) -> bool {
        (self.remote, self.remote_ready, self.remote_moved) == (report.level, report.ready, report.moved)
    }

    /// Whether a report that bears this token comes from somebody who heard us here.
    pub(super) fn knows_token(&self, token: Token) -> bool {
        token == self.token_given || token == self.token_given_before
    }

    /// The peer has shown a token of this path on another LAN.
    pub(super) fn on_token_shown(&mut self, token: Token) {
        self.is_token_shown |= token == self.token_given;
    }

    /// Hands out a new token from here on; the last one is still good, it may be under way. One that the peer has not shown
    /// yet stays: a peer that hears nothing here any more would soon hold neither of two newer ones.
    pub(super) fn renew_token(&mut self, new: Token) {
        if !std::mem::take(&mut self.is_token_shown) {
            return;
        }
        self.token_given_before = self.token_given;
        self.token_given = new;
    }

    /// What we tell the peer of this path.
    /// What we hear on it. `token`: whether the reader may have the token of this path.
    pub(super) fn report(&self, key: PathKey, ready: bool, token: bool) -> PathReport {
        PathReport {
            family: key.family,
            sender_lan: key.lan,
            receiver_lan: key.peer_lan,
            level: self.own_level(),
            ready,
            moved: self.is_moved(),
            token: if token { self.token_held } else { Token(0) },
        }
    }

    /// Makes an entry for an address; it is nothing until it has answered.
    pub(super) fn note(&mut self, address: IpAddr, known: Known) {
        self.addresses.note(address, known, &self.claims);
    }

    /// Takes over an address of another path of the same LAN, and, if nothing is left of that, what flapping has
    /// cost it.
    pub(super) fn succeed(&mut self, record: &PeerAddress, left: Option<&Self>) {
        if let Some(own) = self.addresses.get_mut(&record.address) {
            own.trusted |= record.trusted;
            own.vouched |= record.vouched;
            if own.position == Position::Undecided {
                own.position = record.position;
            }
            own.applied = own.applied.take().or_else(|| record.applied.clone());
        }
        if let Some(left) = left {
            self.failback.succeed(&left.failback);
        }
    }

    /// Detours that lead over an address of another path lead over it here.
    pub(super) fn redirect(&mut self, old: (PathKey, IpAddr), new: PathKey) {
        for record in self.addresses.iter_mut() {
            if let Position::Detour(way, via) = &mut record.position
                && (*way, *via) == old
            {
                *way = new;
            }
        }
    }

    /// Whether any of its addresses is served by another path.
    pub(super) fn is_moved(&self) -> bool {
        self.addresses.iter().any(|address| address.is_detoured())
    }

    /// The address besides this one that answered last: of two hosts that bear one id, the other's.
    pub(super) fn answered_beside(&self, address: &IpAddr) -> Option<IpAddr> {
        let others = self.addresses.iter().filter(|a| a.address != *address && a.answered.is_some());
        others.max_by_key(|a| a.answered).map(|a| a.address)
    }

    /// The address to ask: of those that the peer still names the one that answered last. One that it withdrew
    /// answered last just before, and would be asked for ever.
    pub(super) fn main_address(&self) -> Option<IpAddr> {
        let named = || self.addresses.iter().filter(|a| a.withdrawn.is_none());
        named()
            .filter(|a| a.answered.is_some())
            .max_by_key(|a| (is_link_local(&a.address), a.answered))
            .or_else(|| named().next())
            .or_else(|| self.addresses.iter().max_by_key(|a| a.answered))
            .map(|a| a.address)
    }

    /// Whom to ask when an INQ came from `source` that may be old or forged: that address if it is known to be the peer's,
    /// else the main one. The peer may have another address by now, so that every second slot it is asked all the same.
    pub(super) fn address_to_ask(&self, source: IpAddr, turn: u32) -> Option<IpAddr> {
        let is_known = |a: &PeerAddress| a.withdrawn.is_none() && (a.answered.is_some() || a.trusted);
        let known = self.addresses.get(&source).filter(|a| is_known(a));
        if known.is_some() || !turn.is_multiple_of(2) { Some(source) } else { self.main_address() }
    }
}

#[cfg(test)]
impl Path {
    /// Any state, for a peer whose slot is `truth`: see `tests/states.rs`. True if its list is to be forgotten.
    pub(super) fn disturb(
        &mut self,
        now: Instant,
        truth: u32,
        missed: u32,
        choices: &mut super::tests::Choices,
    ) -> bool {
        let levels = [Level::Unknown, Level::Up, Level::Down];
        self.freshness.disturb(now, truth, missed, choices);
        for level in [&mut self.local, &mut self.verdict] {
            choices.set(level, |choices| choices.among(&levels));
        }
        let main = self.main_address();
        self.reach.disturb(main.zip(choices.moment(now)), choices);
        for moment in [&mut self.heard, &mut self.proof, &mut self.unanswered_since] {
            choices.set(moment, |choices| choices.moment(now));
        }
        let counts = [0, 1, missed, missed + 1, 1000];
        for count in [&mut self.missed, &mut self.good, &mut self.slots, &mut self.unsolicited] {
            choices.set(count, |choices| choices.among(&counts));
        }
        for count in [&mut self.saved, &mut self.excused] {
            choices.set(count, |choices| choices.among(&counts));
        }
        for flag in [&mut self.filtered, &mut self.gone, &mut self.is_token_shown] {
            choices.set(flag, super::tests::Choices::is_so);
        }
        choices.set(&mut self.doubt, |choices| choices.is_so().then_some(Doubt { asked: 1, next: now }));
        choices.set(&mut self.pace, |choices| choices.pace(now));
        for token in [&mut self.token_given, &mut self.token_held, &mut self.token_given_before] {
            choices.set(token, |choices| Token(choices.below(1000).into()));
        }
        let marks = [&mut self.cookie_turn, &mut self.challenge_turn, &mut self.list_turn];
        for mark in marks.into_iter().chain([&mut self.exchange_turn]) {
            choices.set(mark, |choices| Some(choices.below(1000)));
        }
        let forgets_list = choices.is_so();
        choices.set(&mut self.offered_generation, |choices| choices.below(3));
        choices.set(&mut self.list_confirmed, |choices| choices.below(3));
        choices.set(&mut self.answered, |choices| {
            choices.among(&[Answered::No, Answered::Retry, Answered::First])
        });
        if choices.is_so() {
            self.outstanding.clear();
        }
        choices.set(&mut self.is_word_doubtful, super::tests::Choices::is_so);
        choices.set(&mut self.remote, |choices| choices.among(&levels));
        for flag in [&mut self.remote_ready, &mut self.remote_moved, &mut self.peer_left] {
            choices.set(flag, super::tests::Choices::is_so);
        }
        // A goodbye makes the counts begin again.
        if self.gone {
            self.restart_counts();
            self.verdict = Level::Unknown;
        }
        // What the peer said is forgotten in one place only, which has it asked for again.
        self.is_word_doubtful |= self.remote == Level::Unknown;
        // Since when it is up is known of a path that is, and of no other.
        let mut since = self.failback.up_since();
        choices.set(&mut since, |choices| choices.moment(now));
        self.failback.set_up((self.local == Level::Up).then(|| since.unwrap_or(now)));
        let counts = [0, 1, 1000, i32::MAX.cast_unsigned(), 1 << 31, u32::MAX];
        choices.set(&mut self.word.generation, |choices| choices.among(&counts));
        choices.set(&mut self.word.since, |choices| now - choices.age());
        choices.set(&mut self.counted, |choices| choices.moment(now));
        choices.set(&mut self.requestor, super::tests::Choices::is_so);
        for record in self.addresses.iter_mut() {
            choices.set(&mut record.vouched, super::tests::Choices::is_so);
            for moment in [&mut record.answered, &mut record.asked, &mut record.withdrawn] {
                choices.set(moment, |choices| choices.moment(now));
            }
        }
        forgets_list
    }
}

pub(super) fn is_link_local(address: &IpAddr) -> bool {
    matches!(address, IpAddr::V6(v6) if v6.is_unicast_link_local())
}
