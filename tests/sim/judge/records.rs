//! What the judge knows.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use faild::interface::Family;
use faild::operation::Operation;
use faild::route::{PROTOCOL, Route};
use faild::time::Instant;
use faild::wire::NodeId;
use ipnet::IpNet;

use super::losses::Losses;
use super::ways::{Truth, Way, all_ways, planned_ways, way_of};
use crate::kernel::RoutePlan;
use crate::network::{LanNumber, NodeNumber, Port};
use crate::node::{Counters, Node};
use crate::traffic;
use crate::world::{Happening, World};

/// Time that a host gets after something was done to it, at least: the reconciler's slow timer is 5 s.
const QUIET_AFTER_DISTURBANCE: Duration = Duration::from_secs(7);

/// How long a host is left alone after another bore its id, at least: the quarantine of rule 13.
const QUARANTINE: Duration = Duration::from_secs(5);

/// The longest pause before what the kernel refused is tried again.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Scheduling and travel, on top of what the protocol promises.
pub const ALLOWANCE: Duration = Duration::from_millis(30);

/// See the module.
#[derive(Debug)]
pub struct Records {
    /// What each way is, and since when.
    pub ways: BTreeMap<Way, (Truth, Instant)>,
    /// When a daemon last read a packet of another on a LAN, by the reader's own clock.
    pub heard: BTreeMap<(Port, NodeNumber, Family), Instant>,
    /// Ways on which both daemons heard each other since they began, and under the ids that they bear; only their addresses
    /// can be known as proven (rule 4), unless a key vouches for them.
    pub met: BTreeSet<Way>,
    /// The id that a host bears, or wrote down last, and since when.
    ids: Vec<(Option<NodeId>, Instant)>,
    /// When the interface of a host there got the name that it has: to the host it is another LAN then.
    named: BTreeMap<Port, Instant>,
    /// The families whose address an owner has deleted at each port.
    stripped: BTreeMap<Port, Family>,
    /// When such an address came back.
    given_back: BTreeMap<(Port, Family), Instant>,
    /// When something was last done to a host.
    pub disturbed: Vec<Instant>,
    /// When the id of a host was last another's too.
    pub shared_id: Vec<Option<Instant>>,
    /// The addresses that a host's LAN showed it: who bore them there when it was last heard, and when that was, by the
    /// host's own clock. Others it cannot know.
    pub shown: BTreeMap<(NodeNumber, LanNumber, IpAddr), (Port, Instant)>,
    /// Addresses that a host can have proven: it heard the one that bore them on a LAN, while packets passed both ways there.
    provable: BTreeSet<(NodeNumber, IpAddr)>,
    /// When an interface of a host last ceased to run.
    pub lost_interface: Vec<Instant>,
    /// Ways that a host's overlays use (interface, next hop), from the first overlay asked for until it is given up: one
    /// that the kernel refused, or flushed with its interface, is still meant, and laid again when that is possible.
    pub used: Vec<BTreeSet<(String, IpAddr)>>,
    /// Hosts that have lifted something in this instant.
    lifted: BTreeSet<NodeNumber>,
    /// Foreign routes that stood at some time.
    pub stood: Vec<Vec<Arc<Route>>>,
    /// Addresses that an interface of a host bore at some time, by its name.
    pub borne: Vec<BTreeSet<(String, IpNet)>>,
    /// Configured routes that a foreign actor took away.
    pub taken_away: Vec<Vec<TakenAway>>,
    /// What hosts lost of what they were configured with.
    pub losses: Vec<Losses>,
    /// Since when the two ends differ.
    pub differ: BTreeMap<Way, Instant>,
    /// When a way that worked but for a configured address last got that back.
    pub renumbered: BTreeMap<Way, Instant>,
    /// How long the kernel of a host refuses what it is asked, or last did.
    sulked: Vec<Sulk>,
    /// Counters a second ago.
    pub rates: Vec<Rate>,
}

/// A time in which a kernel refuses what it is asked.
#[derive(Debug, Clone, Copy, Default)]
struct Sulk {
    from: Instant,
    until: Option<Instant>,
}

/// A configured route that somebody deleted.
#[derive(Debug)]
pub struct TakenAway {
    /// The route.
    pub plan: RoutePlan,
    /// The host's daemon was in a state to notice it.
    pub is_noticed: bool,
}

/// What a host had done at some time.
#[derive(Debug, Clone, Copy, Default)]
pub struct Rate {
    /// The time.
    pub since: Instant,
    /// Kernel operations until then.
    pub operations: u64,
    /// Packets sent until then.
    pub sent: u64,
    /// Starts and reloads until then.
    pub beginnings: u64,
}

impl Rate {
    /// Now.
    pub const fn of(since: Instant, counters: &Counters) -> Self {
        let Counters { operations, sent, beginnings, .. } = *counters;
        Self { since, operations, sent, beginnings }
    }
}

impl Records {
    /// At the beginning.
    pub fn new(world: &World) -> Self {
        let n = world.nodes.len();
        let mut records = Self {
            ways: BTreeMap::new(),
            heard: BTreeMap::new(),
            met: BTreeSet::new(),
            ids: vec![(None, world.now); n],
            named: BTreeMap::new(),
            stripped: BTreeMap::new(),
            given_back: BTreeMap::new(),
            disturbed: vec![world.now; n],
            shared_id: vec![None; n],
            shown: BTreeMap::new(),
            provable: BTreeSet::new(),
            lost_interface: vec![Instant::default(); n],
            used: vec![BTreeSet::new(); n],
            lifted: BTreeSet::new(),
            stood: world.nodes.iter().map(|n| n.kernel.foreign()).collect(),
            borne: vec![BTreeSet::new(); n],
            taken_away: world.nodes.iter().map(|_| Vec::new()).collect(),
            losses: world.nodes.iter().map(|_| Losses::default()).collect(),
            differ: BTreeMap::new(),
            renumbered: BTreeMap::new(),
            sulked: vec![Sulk { until: Some(Instant::default()), ..Sulk::default() }; n],
            rates: vec![Rate { since: world.now, ..Rate::default() }; n],
        };
        records.survey(world);
        records
    }

    /// Takes in what is true; before it is judged.
    pub fn take_in(&mut self, world: &World, happening: &Happening) {
        match happening {
            Happening::Heard { by, frame, .. } => {
                self.note_heard(world, *by, frame.from, Family::of(&frame.source));
            }
            Happening::Disturbed(node) => {
                self.disturbed[node.index()] = world.now;
                self.note_stripped(world, *node);
                self.note_moods(world, *node);
                // After a rollback, or under another name, it uses what stands.
                let standing = world.node(*node).kernel.own_routes();
                self.used[node.index()].extend(standing.filter_map(|r| way_of(world, *node, r)));
                self.note_ids(world);
                self.losses[node.index()].look(world.now, world.node(*node));
            }
            Happening::NetworkChanged => self.survey(world),
            Happening::ForeignDeleted(node, plan) => {
                let is_noticed = self.is_undisturbed(world, *node);
                self.taken_away[node.index()].push(TakenAway { plan: plan.clone(), is_noticed });
            }
            Happening::ForeignAdded(node, plan) => {
                let gone = &mut self.taken_away[node.index()];
                if gone.iter().any(|gone| gone.plan == *plan) {
                    self.losses[node.index()].came_back(world.node(*node), plan);
                }
                gone.retain(|gone| gone.plan != *plan);
                self.learn_foreign(world, *node);
            }
            Happening::Renamed(node, name) => {
                self.losses[node.index()].give_up(world.now, world.node(*node), name);
                self.forget_met(world, *node, name);
            }
            Happening::Applied(..) | Happening::Notice(..) | Happening::Restless(_) => {}
        }
    }

    /// Takes in what a host did; after it was judged.
    pub fn note_deed(&mut self, world: &World, happening: &Happening) {
        let Happening::Applied(node, applied) = happening else { return };
        match &applied.operation {
            Operation::AddRoute { route, .. } if route.protocol == PROTOCOL => {
                self.used[node.index()].extend(way_of(world, *node, route));
            }
            Operation::DeleteRoute(_) => _ = self.lifted.insert(*node),
            Operation::AddRoute { .. }
            | Operation::AddAddress { .. }
            | Operation::DeleteAddress { .. }
            | Operation::SetUp(_)
            | Operation::DeleteNeighbour { .. } => {}
        }
    }

    /// Forgets the ways that no host uses any more; after all that happened at one instant. The kernel is by then as the last of
    /// it left it: an overlay that is laid anew by its old way, with another source, and then lifted, stands no more.
    pub fn forget_unused(&mut self, world: &World) {
        for node in std::mem::take(&mut self.lifted) {
            let standing =
                world.node(node).kernel.own_routes().filter_map(|route| way_of(world, node, route));
            let in_use: BTreeSet<_> = standing.chain(planned_ways(world, node)).collect();
            self.used[node.index()].retain(|way| in_use.contains(way));
        }
    }

    fn note_heard(&mut self, world: &World, by: Port, from: Port, family: Family) {
        let clock = world.node(by.node).clock(world.now);
        self.heard.insert((by, from.node, family), clock);
        let interface = world.node(from.node).kernel.interface(world.interface_name(from));
        for address in interface.iter().flat_map(|i| &i.addresses) {
            self.shown.insert((by.node, by.lan, address.address()), (from, clock));
            if traffic::frames_pass(world, by, from) {
                self.provable.insert((by.node, address.address()));
            }
        }
        let back = Port { node: from.node, lan: by.lan };
        let named = [by, back].iter().filter_map(|port| self.named.get(port)).max().copied();
        let way = Way::between(by.node, from.node, family, by.lan);
        let ends = [by.node, from.node];
        let begun = ends.map(|node| self.ids[node.index()].1.max(self.alone_since(way, node, world)));
        let since = begun[0].max(begun[1]).max(named.unwrap_or_default());
        let other = world.node(from.node);
        let heard_back = self.heard.get(&(back, by.node, family));
        let is_mutual = heard_back.is_some_and(|at| other.world_time(*at) >= since);
        if by.node != from.node && is_mutual {
            self.met.insert(way);
        }
    }

    /// Since when a host is known by its id after another bore it, too: a run is believed once the other one has fallen silent.
    fn alone_since(&self, way: Way, node: NodeNumber, world: &World) -> Instant {
        let (interval, missed) = way.terms(world);
        self.shared_id[node.index()].map_or(Instant::default(), |shared| shared + interval * (missed + 2))
    }

    /// Notes which addresses their owner has deleted, or given back.
    fn note_stripped(&mut self, world: &World, node: NodeNumber) {
        for (port, state) in
            world.network.numbers().map(|lan| Port { node, lan }).zip(&world.node(node).ports)
        {
            let before = match state.stripped {
                Some(family) => self.stripped.insert(port, family),
                None => self.stripped.remove(&port),
            };
            if let Some(family) = before.filter(|family| Some(*family) != state.stripped) {
                self.given_back.insert((port, family), world.now);
            }
        }
    }

    /// An interface under another name is another LAN: by that no address was ever proven (rule 4), and while it does not
    /// run, none can be.
    fn forget_met(&mut self, world: &World, node: NodeNumber, name: &str) {
        for lan in world.network.numbers() {
            let port = Port { node, lan };
            if world.interface_name(port) != name {
                continue;
            }
            self.named.insert(port, world.now);
            if world.node(node).config.keys.keys.is_empty() {
                self.met.retain(|way| way.lan != lan || (way.one != node && way.other != node));
            }
        }
    }

    /// Notes which hosts bear an id that another bears too, and which have got another.
    pub fn note_ids(&mut self, world: &World) {
        let id = |node: &Node| node.daemon.as_ref().map(|d| d.core.peers().node()).or(node.memory.peers.node);
        let ids: Vec<_> = world.nodes.iter().map(id).collect();
        for (shared, own) in self.shared_id.iter_mut().zip(&ids) {
            if own.is_some() && ids.iter().filter(|id| *id == own).count() > 1 {
                *shared = Some(world.now);
            }
        }
        for (node, id) in world.nodes.iter().zip(ids) {
            let (known, since) = &mut self.ids[node.number.index()];
            if std::mem::replace(known, id) == id {
                continue;
            }
            *since = world.now;
            if node.config.keys.keys.is_empty() {
                self.met.retain(|way| way.one != node.number && way.other != node.number);
            }
        }
    }

    /// Whether another host bore the same id at the last look.
    pub fn shares_id(&self, world: &World, node: NodeNumber) -> bool {
        let own = self.ids[node.index()].0;
        let others = world.numbers().into_iter().filter(|other| *other != node);
        own.is_some() && others.map(|other| self.ids[other.index()].0).any(|id| id == own)
    }

    /// Whether nobody bears the id of a host but itself, and that for so long that all others act for it again: after
    /// the quarantine of rule 13, homes and ways out have to be proven anew.
    fn is_alone(&self, world: &World, node: NodeNumber) -> bool {
        let config = &world.node(node).config;
        let slots = config.good.get() + config.missed.get() + 2;
        let quarantine = QUARANTINE.max(config.interval * 5).min(QUARANTINE * 6) + config.interval * slots;
        self.shared_id[node.index()].is_none_or(|at| world.now.since(at) > quarantine)
    }

    /// Whether a host can have proven an address, on the LAN where that is.
    pub fn is_provable(&self, by: NodeNumber, address: &IpAddr) -> bool {
        self.provable.contains(&(by, *address))
    }

    fn note_moods(&mut self, world: &World, node: NodeNumber) {
        let moods = world.node(node).kernel.moods;
        let sulk = &mut self.sulked[node.index()];
        match (moods.refusal + moods.lost_result > 0.0, sulk.until) {
            (true, Some(_)) => *sulk = Sulk { from: world.now, until: None },
            (false, None) => sulk.until = Some(world.now),
            (true, None) | (false, Some(_)) => {}
        }
    }

    /// Whether a host may still wait with what its kernel refused: each pause is as long as all before it, and a second.
    pub fn may_wait(&self, world: &World, node: NodeNumber) -> bool {
        let Sulk { from, until } = self.sulked[node.index()];
        until.is_none_or(|until| {
            let pause = (until.since(from) + Duration::from_secs(1)).min(LONGEST_PAUSE);
            world.now.since(until) <= pause + ALLOWANCE
        })
    }

    /// Looks at all ways anew.
    fn survey(&mut self, world: &World) {
        for way in all_ways(world) {
            let truth = way.truth(world);
            let before = self.ways.get(&way).map(|(before, _)| *before);
            if before != Some(truth) {
                self.ways.insert(way, (truth, world.now));
            }
            if (before, truth) == (Some(Truth::Renumbered), Truth::Works) {
                self.renumbered.insert(way, world.now);
            }
        }
        for node in &world.nodes {
            self.note_moods(world, node.number);
            self.losses[node.number.index()].look(world.now, node);
            if node.ports.iter().any(|p| !p.running) {
                self.lost_interface[node.number.index()] = world.now;
            }
            for interface in node.kernel.interfaces() {
                let foreign = interface.addresses.iter().filter(|a| a.protocol != PROTOCOL);
                let borne = foreign.map(|a| (interface.name.clone(), a.prefix));
                self.borne[node.number.index()].extend(borne);
            }
        }
    }

    fn learn_foreign(&mut self, world: &World, node: NodeNumber) {
        for route in world.node(node).kernel.foreign() {
            if !self.stood[node.index()].contains(&route) {
                self.stood[node.index()].push(route);
            }
        }
    }

    /// Whether a host has been left in peace long enough to have put everything right.
    pub fn is_undisturbed(&self, world: &World, node: NodeNumber) -> bool {
        let host = world.node(node);
        let slots = host.config.good.get() + 2 * host.config.missed.get() + 10;
        let quiet = QUIET_AFTER_DISTURBANCE.max(host.config.interval * slots);
        let moods = host.kernel.moods;
        host.daemon.is_some()
            && !host.is_frozen()
            && host.stalled_until.is_none_or(|until| until <= world.now)
            && moods.refusal + moods.lost_result + moods.lost_notification == 0.0
            && world.now.since(self.disturbed[node.index()]) > quiet
    }

    /// Whether what the two do to each other can be judged: both in peace, acting, alone with their ids
    /// (rule 13 leaves clones alone), and at least one of them asking.
    pub fn is_judgeable(&self, world: &World, one: NodeNumber, other: NodeNumber) -> bool {
        let asks = |n: NodeNumber| world.node(n).config.requestor;
        let acts = |n: NodeNumber| !world.node(n).config.dry_run;
        (asks(one) || asks(other))
            && acts(one)
            && acts(other)
            && self.is_alone(world, one)
            && self.is_alone(world, other)
            && self.is_undisturbed(world, one)
            && self.is_undisturbed(world, other)
    }

    /// Whether faild may call a way up or down.
    pub fn is_doubtful(&self, way: Way) -> bool {
        self.ways.get(&way).is_some_and(|(truth, _)| *truth == Truth::Doubtful)
    }

    /// Whether a way works, and surely no other of the pair.
    pub fn works_alone(&self, way: Way) -> bool {
        let is_of_pair = |w: &Way| (w.one, w.other, w.family) == (way.one, way.other, way.family);
        let working = self.ways.iter().filter(|(w, (truth, _))| is_of_pair(w) && *truth == Truth::Works);
        working.map(|(w, _)| *w).eq([way])
    }

    /// Whether some way of the pair works that both ends may use for the addresses on this one, and all have been as they are
    /// for so long.
    pub fn has_settled_way(&self, world: &World, way: Way, long: Duration) -> bool {
        let others = world.network.numbers().map(|lan| Way { lan, ..way });
        let ways: Vec<_> = others.filter_map(|other| Some((other, self.ways.get(&other)?))).collect();
        ways.iter().all(|(_, (_, since))| world.now.since(*since) > long)
            && ways
                .iter()
                .any(|(other, (truth, _))| *truth == Truth::Works && self.serves(world, way, *other))
    }

    /// Whether a way may serve for another (rule 4): without keys an end has to hear of its address over the other. One that
    /// was given back when that was dead already cannot be known to be the same host's.
    fn serves(&self, world: &World, way: Way, other: Way) -> bool {
        let (interval, missed) = way.terms(world);
        let is_keyed = |node: NodeNumber| !world.node(node).config.keys.keys.is_empty();
        let hears_of_it = |by: Port, of: NodeNumber| {
            let given_back = self.given_back.get(&(Port { node: of, lan: other.lan }, way.family));
            let heard = self.heard.get(&(by, of, way.family));
            given_back.is_none_or(|since| {
                let told = *since + interval * (missed + 2);
                heard.is_some_and(|at| world.node(by.node).world_time(*at) >= told)
            })
        };
        way.lan == other.lan
            || (is_keyed(way.one) && is_keyed(way.other))
            || way.directions().iter().all(|(from, to)| hears_of_it(*from, to.node))
    }
}
