//! One peer: a node that we know, its run, and the paths to it.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use super::Subject;
use super::pace::MAX_INTERVAL;
use super::path::{Path, PathKey, UNHEARD, is_link_local};
use super::peer_address::{PeerAddress, Position};
use super::report::Word;
use super::ties::Ties;
use crate::time::Instant;
use crate::wire::{BootId, LanIndex, Level, NodeId};

/// A peer's earlier runs; one of them heard again is a clone, not a restart.
const FORMER_BOOTS: usize = 4;

/// A path that was not heard for so long while its twin is up is none.
const GHOST_AFTER: Duration = Duration::from_secs(5);

/// See the module.
#[derive(Debug, Clone)]
pub(super) struct Peer {
    pub(super) node: NodeId,
    /// Its run; none before it was heard.
    pub(super) boot: Option<BootId>,
    pub(super) former_boots: Vec<BootId>,
    /// When its run replaced another that we knew.
    pub(super) boot_since: Option<Instant>,
    /// Another run that was heard from an address that is not the node's, since when, and whether people know.
    pub(super) rival: Option<(BootId, Instant)>,
    pub(super) rival_told: bool,
    /// When such a run was last asked, so that it learns of the one that we know.
    pub(super) rival_asked: Option<Instant>,
    /// Two hosts bear this id: nothing is moved until this moment.
    pub(super) cloned_until: Option<Instant>,
    /// What its list no longer names was not withdrawn yet: it had just restarted, or two hosts bore its id.
    pub(super) withdrawal_waits: bool,
    /// Whether its run was a requestor when it was first heard: that counts until it is heard on a path.
    pub(super) first_requestor: bool,
    /// Boxed, because a node of a map has room for eleven, and a peer has two or four.
    pub(super) paths: BTreeMap<PathKey, Box<Path>>,
    /// Addresses that paths would name which cannot say so any more.
    pub(super) ties: Ties,
    /// It receives what is sent to an address of its own; anybody can answer a broadcast under any address.
    pub(super) proven: bool,
    /// Silent on all paths.
    pub(super) absent: bool,
    /// When it was last heard on any path.
    pub(super) heard: Option<Instant>,
    /// Counts our reports to it; what of them it has confirmed; how often the newest is still repeated.
    pub(super) report_generation: u32,
    pub(super) confirmed_generation: u32,
    pub(super) news_left: u32,
    /// When the last report of a change went out.
    pub(super) news_sent: Option<Instant>,
    /// The last reports, to see a change.
    pub(super) reported: Vec<(PathKey, Level, bool, bool)>,
    /// Its report generation that we hold, and since when.
    pub(super) held: Word,
    /// How often its last run sent INQs: that counts until the new one has said so.
    former_interval: Duration,
    /// The `[[peer]]` that it was configured as.
    pub(super) configured: Option<usize>,
    /// The positions of its addresses that were last put into the plan; `None` if they must be put there again.
    pub(super) planned: Option<Box<[(LanIndex, IpAddr, Position)]>>,
    /// What it has in the plan.
    pub(super) subjects: Vec<Subject>,
}

impl Peer {
    pub(super) fn new(node: NodeId) -> Self {
        Self {
            node,
            boot: None,
            former_boots: Vec::new(),
            boot_since: None,
            rival: None,
            rival_told: false,
            rival_asked: None,
            cloned_until: None,
            withdrawal_waits: false,
            first_requestor: false,
            paths: BTreeMap::new(),
            ties: Ties::default(),
            proven: false,
            absent: true,
            heard: None,
            report_generation: 0,
            confirmed_generation: 0,
            news_left: 0,
            news_sent: None,
            reported: Vec::new(),
            held: Word::default(),
            former_interval: MAX_INTERVAL,
            configured: None,
            planned: None,
            subjects: Vec::new(),
        }
    }

    /// A new run, proven by a nonce: counts start anew, verdicts and overlays stay (rule 1).
    pub(super) fn on_new_boot(&mut self, now: Instant, boot: BootId) {
        if let Some(old) = self.boot.replace(boot) {
            self.boot_since = Some(now);
            self.former_boots.retain(|b| *b != old);
            self.former_boots.push(old);
            if self.former_boots.len() > FORMER_BOOTS {
                self.former_boots.remove(0);
            }
        }
        self.held.generation = 0;
        self.confirmed_generation = 0;
        self.former_interval = self.interval();
        self.ties = Ties::default();
        self.paths.values_mut().for_each(|path| path.on_new_boot());
    }

    /// What it said over a path was older than what we hold, or more than may be believed: it is asked there, and its
    /// answer decides.
    pub(super) fn doubt_word(&mut self, via: PathKey) {
        if let Some(path) = self.paths.get_mut(&via) {
            path.is_word_doubtful = true;
        }
    }

    /// How often it sends INQs: the longest of what it says on its paths, for without keys a stranger on one LAN could
    /// have it look hurried, and so silent, on the others.
    pub(super) fn interval(&self) -> Duration {
        self.paths.values().filter_map(|path| path.pace.announced()).max().unwrap_or(self.former_interval)
    }

    /// Whether it sends INQs of its own accord: as it says on any path, for a stranger on one LAN must not have it fall
    /// silent on the others.
    pub(super) fn is_requestor(&self) -> bool {
        let mut heard = self.paths.values().filter(|path| path.pace.announced().is_some()).peekable();
        if heard.peek().is_none() { self.first_requestor } else { heard.any(|path| path.requestor) }
    }

    /// [`Peer::interval`] of one that is a requestor, in one look at its paths.
    pub(super) fn asks_each(&self) -> Option<Duration> {
        let heard = self.paths.values().filter_map(|path| Some((path.pace.announced()?, path.requestor)));
        let all = heard.reduce(|(interval, asks), (other, also)| (interval.max(other), asks || also));
        let (interval, asks) = all.unwrap_or((self.former_interval, self.first_requestor));
        asks.then_some(interval)
    }

    /// Whether it says so on all its paths.
    pub(super) fn asks_everywhere(&self) -> bool {
        let mut heard = self.paths.values().filter(|path| path.pace.announced().is_some()).peekable();
        if heard.peek().is_none() { self.first_requestor } else { heard.all(|path| path.requestor) }
    }

    pub(super) fn is_cloned(&self, now: Instant) -> bool {
        self.cloned_until.is_some_and(|until| now < until)
    }

    /// Two hosts bear its id, or it began a new run so lately that this may yet turn out: what it says of its addresses
    /// may be another host's word. `silence`: how long it takes to say what the last run said.
    pub(super) fn is_doubtful(&self, now: Instant, silence: Duration) -> bool {
        let fresh = self.boot_since.is_some_and(|since| now.since(since) <= silence);
        fresh || self.is_cloned(now)
    }

    /// Whether it was last heard as an observer on all its paths, as people are told.
    pub(super) fn is_observer(&self) -> bool {
        let mut heard = self.paths.values().filter(|path| path.heard.is_some()).peekable();
        heard.peek().is_some() && heard.all(|path| path.observer)
    }

    /// Whether nothing but this path could serve: then one round trip brings it up.
    pub(super) fn is_nothing_else_up(&self, key: PathKey) -> bool {
        !self.paths.iter().any(|(k, p)| *k != key && k.family == key.family && p.verdict == Level::Up)
    }

    /// Whether all its other paths of the family are known to be dead: then no overlay can serve.
    pub(super) fn are_others_down(&self, key: PathKey) -> bool {
        let mut others = self.paths.iter().filter(|(k, _)| **k != key && k.family == key.family);
        others.all(|(_, p)| p.verdict == Level::Down)
    }

    /// Whether an overlay for it stands.
    pub(super) fn has_overlay(&self) -> bool {
        self.paths.values().any(|path| path.is_moved())
    }

    /// Whether it has an address that it no longer names, or did not for a while, or that has not answered.
    pub(super) fn has_unsettled(&self) -> bool {
        let mut records = self.paths.values().flat_map(|path| path.addresses.iter());
        records.any(|a| a.withdrawn.is_some() || !a.is_known())
    }

    /// Whether the peer names this address as its own, over a path other than the address's.
    pub(super) fn claims(&self, over: PathKey, address: &IpAddr) -> bool {
        self.paths.get(&over).is_some_and(|path| path.claims.contains(address))
    }

    /// Our paths by the peer's own LAN index, on other LANs of ours (rule 13).
    pub(super) fn twins_of(&self, key: PathKey) -> impl Iterator<Item = (PathKey, &Path)> {
        let is_twin =
            move |k: &PathKey| k.lan != key.lan && k.family == key.family && k.peer_lan == key.peer_lan;
        self.paths.iter().filter(move |(k, _)| is_twin(k)).map(|(k, path)| (*k, path.as_ref()))
    }

    /// Whether a path is none: its LAN of the peer was heard there while LANs were joined or cables changed, is no more,
    /// and is heard on another LAN of ours.
    pub(super) fn is_ghost(&self, now: Instant, key: PathKey) -> bool {
        let Some(path) = self.paths.get(&key).filter(|path| path.verdict != Level::Up) else { return false };
        let is_old = path.heard.is_none_or(|heard| now.since(heard) >= GHOST_AFTER);
        let is_elsewhere = || self.twins_of(key).any(|(_, twin)| twin.verdict == Level::Up);
        key.peer_lan != UNHEARD && is_old && is_elsewhere()
    }

    /// Its paths in the order of the reports to it. An answer is no longer than its question, which has room for one path
    /// for each of the peer's LANs and each family. So the paths heard last come first, one for each LAN of either end. What
    /// does not fit belongs to LANs that the peer no longer has, or that had another number or were connected to another LAN
    /// of ours.
    pub(super) fn paths_to_tell(&self) -> Vec<(PathKey, &Path)> {
        let mut rest: Vec<(PathKey, &Path)> =
            self.paths.iter().map(|(k, path)| (*k, path.as_ref())).collect();
        rest.sort_by_key(|(_, path)| std::cmp::Reverse(path.heard));
        let mut first: Vec<(PathKey, &Path)> = Vec::with_capacity(rest.len());
        rest.retain(|(key, path)| {
            let shares =
                |k: &PathKey| k.family == key.family && (k.lan == key.lan || k.peer_lan == key.peer_lan);
            let is_superseded = first.iter().any(|(k, _)| shares(k));
            if !is_superseded {
                first.push((*key, *path));
            }
            is_superseded
        });
        first.extend(rest);
        first
    }

    /// Its paths on the LAN and in the family of one.
    pub(super) fn paths_beside(&self, key: PathKey) -> impl Iterator<Item = (&PathKey, &Path)> {
        let is_here = move |k: &PathKey| (k.lan, k.family) == (key.lan, key.family);
        self.paths.iter().filter(move |(k, _)| is_here(k)).map(|(k, path)| (k, path.as_ref()))
    }

    /// Of those the one that was not heard for longest, if nothing would be lost with it.
    pub(super) fn stalest_path(&self, now: Instant, beside: PathKey) -> Option<PathKey> {
        let is_stale = |path: &Path| {
            let is_old = path.heard.is_none_or(|heard| now.since(heard) >= GHOST_AFTER);
            is_old && path.verdict != Level::Up && !path.is_moved()
        };
        let stale = self.paths_beside(beside).filter(|(_, path)| is_stale(path));
        stale.min_by_key(|(_, path)| path.heard).map(|(key, _)| *key)
    }

    /// An address has answered under `key`: it is there, with where its traffic goes, and on no other path of the LAN
    /// and family any more. Paths that have no address left go as well: the peer has another number for its LAN now.
    pub(super) fn take_over(&mut self, key: PathKey, address: IpAddr) -> Vec<PathKey> {
        // A path that is full has no entry for it: then it stays where it is.
        if self.paths.get(&key).is_none_or(|path| !path.addresses.contains(&address)) {
            return Vec::new();
        }
        let is_other = |k: &PathKey| k.lan == key.lan && k.family == key.family && *k != key;
        let has_it = |path: &Path| path.addresses.contains(&address);
        let olds: Vec<PathKey> =
            self.paths.iter().filter(|(k, p)| is_other(k) && has_it(p)).map(|(k, _)| *k).collect();
        let mut emptied = Vec::new();
        for old in olds {
            let Some(path) = self.paths.get_mut(&old) else { continue };
            let Some(record) = path.addresses.get(&address).cloned() else { continue };
            path.addresses.retain(|other| other.address != address);
            let left = path.addresses.is_empty().then(|| self.paths.remove(&old)).flatten();
            emptied.extend(left.is_some().then_some(old));
            if let Some(path) = self.paths.get_mut(&key) {
                path.succeed(&record, left.as_deref());
            }
            for path in self.paths.values_mut() {
                path.redirect((old, address), key);
            }
        }
        emptied
    }

    /// Whether an address is known to be its own, and not withdrawn.
    pub(super) fn has_proven(&self, lan: LanIndex, address: &IpAddr) -> bool {
        self.record(lan, address)
            .is_some_and(|a| (a.answered.is_some() || a.trusted) && a.withdrawn.is_none())
    }

    pub(super) fn record(&self, lan: LanIndex, address: &IpAddr) -> Option<&PeerAddress> {
        let key = self.path_by_address(lan, address)?;
        self.paths.get(&key)?.addresses.get(address)
    }

    /// Whether an address of it on a LAN was named over another, and is its own still.
    pub(super) fn has_vouched(&self, lan: LanIndex) -> bool {
        let here = self.paths.iter().filter(|(key, _)| key.lan == lan);
        here.flat_map(|(_, path)| path.addresses.iter()).any(|a| a.vouched && a.withdrawn.is_none())
    }

    /// Whether a link-local address is the peer's on another LAN too, or only there, and another's here: a list does not say
    /// on which LAN the peer has it.
    pub(super) fn is_ambiguous(&self, lan: LanIndex, address: &IpAddr) -> bool {
        let is_elsewhere =
            || self.paths.iter().any(|(key, path)| key.lan != lan && path.addresses.contains(address));
        is_link_local(address) && is_elsewhere()
    }

    pub(super) fn path_by_address(&self, lan: LanIndex, address: &IpAddr) -> Option<PathKey> {
        self.paths.iter().find(|(k, p)| k.lan == lan && p.addresses.contains(address)).map(|(k, _)| *k)
    }
}
