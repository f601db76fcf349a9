//! The engine: packets, interfaces and time in; packets and a plan out. It knows peers and paths, never routes.
//!
//! Calling contract: one [`Engine::handle`], then [`Engine::next_output`] until it is `None`, then the next `handle`;
//! when there is nothing to hand in, sleep until [`Engine::deadline`] and hand in [`Input::DeadlinePassed`].
//! Time must not go back. Same inputs, times and seed: same outputs.
//!
//! ```text
//!   lan      slots: one INQ an interval, retries by eighths    selection  which interfaces are LANs
//!   neighbour, port  ARP and ND beside the INQs
//!   receive  what may be believed of a datagram                report     what both ends tell each other
//!   freshness  which INQs speak of the present
//!   own_id   another host that bears our id
//!   peer - path - peer_address: what is known and counted      decide     where each address's traffic goes
//!   admission  who gets an entry                            run        whether a node runs anew
//!   damping  how long a path that flaps has to wait            subjects   whose address it is, what became of it
//!   proving  which addresses have to answer yet
//!   placing  which node is which of the configured peers
//!   ties     which address a dead path would name now
//!   memory   what survives a reboot                            offline    LANs that are drained
//!   reconfigure, leave  other settings while all goes on
//! ```

mod addresses;
mod admission;
mod bucket;
mod counters;
mod decide;
mod explain;
mod freshness;
mod house;
mod input;
mod interfaces;
mod lan;
mod leave;
mod level;
mod memory;
mod neighbour;
mod notice;
mod offline;
mod orphans;
mod own_id;
mod pace;
mod path;
mod peer;
mod peer_address;
mod placing;
mod plan;
mod port;
mod proving;
mod receive;
mod reconfigure;
mod rehearsal;
mod report;
mod run;
mod selection;
mod send;
mod slot;
mod snapshot;
mod subjects;
mod tally;
#[cfg(test)]
mod tests;
mod ties;
mod timers;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

use crate::config::Config;
use crate::interface::InterfaceAddress;
use crate::random::Random;
use crate::time::Instant;
use crate::wire::{BootId, CookieSecret, Keys, LanIndex, NodeId};
use counters::Counters;
use lan::Lan;
use orphans::Orphans;
use peer::Peer;
use peer_address::PeerAddress;
use send::HeldAnswer;
use timers::Timers;

pub use counters::Dropped;
pub use explain::{Explanation, Ground, Obstacle, PathExplanation, PathFigures};
pub use input::{Input, Memory, Output, RememberedPath};
pub use notice::{Evidence, InterfaceFault, Notice, Unclaimed};
pub use offline::CutOff;
pub use path::PathKey;
pub use plan::{NextHop, Outcome, Plan, Subject, Verdict};
pub use rehearsal::{Cast, Silence};
pub use selection::Reason as LeftOut;
pub use snapshot::{AddressSnapshot, LanSnapshot, LanState, PathSnapshot, PeerSnapshot, Snapshot};
pub use tally::{Levels, PeerCounts, Tally};
pub use timers::Reason;

/// Peers that are known at once: four times what the design is measured with; see admission for who gives way.
const MAX_PEERS: usize = 4096;

/// Room for outputs that is kept: what most inputs lead to. A change for all peers at once needs a hundred times as much.
const OUTPUTS_KEPT: usize = 64;

/// See the module.
#[derive(Debug, Clone)]
pub struct Engine {
    config: Config,
    keys: Keys,
    random: Random,
    node: NodeId,
    boot: BootId,
    /// Our interval, longer than the configured one while there are too many peers for the packet budget.
    interval: Duration,
    /// While peers get used to a longer interval: until when, and how long slots last meanwhile.
    easing: Option<(Instant, Duration)>,
    lans: BTreeMap<LanIndex, Lan>,
    /// The last sequence of LANs that are none any more: peers know it.
    left_at: BTreeMap<LanIndex, u32>,
    /// Proven paths of such LANs, should they be LANs again.
    aside: Vec<RememberedPath>,
    /// Indices of LANs by interface name, for ever.
    indices: Vec<(String, LanIndex)>,
    /// Boxed: nodes of the tree are a third empty.
    peers: BTreeMap<NodeId, Box<Peer>>,
    /// Which nodes claim an address: one claimed by two that live is nobody's (rule 4).
    claimants: BTreeSet<(IpAddr, NodeId)>,
    /// Those of them that more than one node claims.
    claimants_differ: BTreeSet<IpAddr>,
    /// Unicast INQs to configured addresses that nobody has answered from yet.
    unmet: BTreeMap<(LanIndex, IpAddr), slot::Unmet>,
    /// Interfaces that were LANs when the last run ended, and in trouble, with their addresses.
    expected: BTreeMap<String, Vec<InterfaceAddress>>,
    /// Interfaces whose LANs are drained.
    offline: BTreeSet<String>,
    /// Host overlays that were found at the start.
    adopted: BTreeMap<IpAddr, NextHop>,
    /// Those whose address no known node has.
    orphans: Orphans,
    own_clone: own_id::OwnClone,
    address_generation: u32,
    /// Generations of reports so far, to all peers.
    report_count: u32,
    cookies: CookieSecret,
    held_answers: BTreeMap<(Instant, u64), HeldAnswer>,
    answers_held: u64,
    timers: Timers,
    outputs: VecDeque<Output>,
    plan: Plan,
    /// Subjects of LANs that are none any more, until their overlays are lifted.
    leaving: BTreeSet<Subject>,
    /// Whose the subjects of the plan are.
    subject_nodes: BTreeMap<Subject, NodeId>,
    /// Others that have the subject too: none, as a rule.
    rivals: BTreeMap<Subject, BTreeSet<NodeId>>,
    counters: Counters,
    /// What people were told last, so that they are told once.
    told: Told,
    /// Things that were left out, with the reason: told once each.
    left_out: BTreeMap<String, LeftOut>,
    time_of_day: Option<u32>,
    /// What was written down last.
    written: Option<memory::Written>,
}

/// What people were told last.
#[derive(Debug, Clone, Default)]
struct Told {
    all_silent: bool,
    slowed: bool,
    joined: bool,
    cloned: bool,
    /// Our id is one that this run drew because of a clone.
    redrawn: bool,
    no_lan: bool,
    floating: BTreeSet<IpAddr>,
    same_mac: BTreeSet<String>,
}

impl Engine {
    /// An engine that knows what `memory` holds and has seen nothing yet. `seed`: 32 bytes that nobody can guess;
    /// nonces, cookies and ids come from it.
    pub fn new(config: &Config, memory: Memory, seed: [u8; 32]) -> Self {
        let mut random = Random::new(seed);
        let node = memory.node.unwrap_or_else(|| NodeId(random.number()));
        let boot = BootId(random.number());
        let cookies = CookieSecret::new(&random.secret());
        let mut engine = Self {
            keys: Keys::new(config.keys.keys.iter().map(|key| (key.id, key.secret.as_slice()))),
            config: config.clone(),
            random,
            node,
            boot,
            interval: config.interval,
            easing: None,
            lans: BTreeMap::new(),
            left_at: BTreeMap::new(),
            aside: Vec::new(),
            indices: memory.lans.clone(),
            peers: BTreeMap::new(),
            claimants: BTreeSet::new(),
            claimants_differ: BTreeSet::new(),
            unmet: BTreeMap::new(),
            expected: BTreeMap::new(),
            offline: BTreeSet::new(),
            adopted: BTreeMap::new(),
            orphans: Orphans::default(),
            own_clone: own_id::OwnClone::default(),
            address_generation: 1,
            report_count: 0,
            cookies,
            held_answers: BTreeMap::new(),
            answers_held: 0,
            timers: Timers::default(),
            outputs: VecDeque::new(),
            plan: Plan::default(),
            leaving: BTreeSet::new(),
            subject_nodes: BTreeMap::new(),
            rivals: BTreeMap::new(),
            counters: Counters::default(),
            told: Told::default(),
            left_out: BTreeMap::new(),
            time_of_day: None,
            written: None,
        };
        engine.recall(&memory);
        engine
    }

    /// Interfaces that were LANs when the last run ended, with the addresses that they had or are to have again. To be
    /// said before the first [`Input::Interfaces`]. If nobody names the LANs these are such even if they are gone or
    /// have no address; and in any case their addresses are not withdrawn before they have had time to return.
    pub fn expect_lans(&mut self, interfaces: BTreeMap<String, Vec<InterfaceAddress>>) {
        self.expected = interfaces;
    }

    /// One thing happened, or the deadline passed.
    pub fn handle(&mut self, now: Instant, input: Input<'_>) {
        match input {
            Input::Interfaces(interfaces) => self.on_interfaces(now, interfaces),
            Input::Datagram(datagram) => self.on_datagram(now, datagram),
            Input::NeighbourAnswered { interface, address } => {
                self.on_neighbour_answered(now, interface, address);
            }
            Input::Overflow(interface) => self.on_overflow(interface),
            Input::Outcome(subject, outcome) => self.on_outcome(now, subject, outcome),
            Input::Adopted { address, way: Some(way) } => {
                self.adopted.insert(address, way.clone());
            }
            Input::Adopted { address, way: None } => self.on_vanished(now, address),
            Input::TimeOfDay(seconds) => self.time_of_day = Some(seconds),
            Input::FailBack => self.on_fail_back(now),
            Input::Offline(interfaces) => self.on_offline(now, interfaces),
            Input::Config(config) => self.on_config(now, config),
            Input::Stop => self.on_stop(now),
            Input::DeadlinePassed => self.on_deadline(now),
        }
    }

    /// The next thing to do, until there is none.
    pub fn next_output(&mut self) -> Option<Output> {
        let next = self.outputs.pop_front();
        if next.is_none() {
            self.outputs.shrink_to(OUTPUTS_KEPT);
        }
        next
    }

    /// When to come back, and why.
    pub fn deadline(&self) -> Option<(Instant, Reason)> {
        self.timers.next()
    }

    /// Where all traffic should go.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Our own id.
    pub fn node(&self) -> NodeId {
        self.node
    }

    /// Whether a node receives what is sent to it; others may be somebody's invention.
    pub fn is_proven(&self, node: NodeId) -> bool {
        self.peers.get(&node).is_some_and(|peer| peer.proven)
    }

    fn on_deadline(&mut self, now: Instant) {
        while let Some((at, reason)) = self.timers.pop_due(now) {
            match reason {
                Reason::SlotEnd(lan) => self.on_slot_end(now, at, lan),
                Reason::Retry(lan) => self.on_retry(now, lan),
                Reason::Doubt(lan) => self.pursue_doubts(now, lan),
                Reason::Answers => self.on_answers_due(now),
                Reason::News(node) => self.on_news_due(now, node),
                Reason::Expected(node, key) => self.on_expected(now, at, node, key),
                Reason::Remember => self.remember(now),
            }
        }
    }

    fn notice(&mut self, notice: Notice) {
        self.outputs.push_back(Output::Notice(notice));
    }
}
