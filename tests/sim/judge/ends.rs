//! What the two ends of a path know of each other: both say the same of it in the end, and what one has refused of the other
//! it takes again.

use std::collections::BTreeMap;
use std::time::Duration;

use faild::engine::{Dropped, PathSnapshot, Snapshot};
use faild::interface::Family;
use faild::time::Instant;
use faild::wire::Level;

use super::Violation;
use super::promises::require;
use super::records::{ALLOWANCE, Records};
use super::ways::{Truth, Way};
use crate::network::{Frame, NodeNumber, Port};
use crate::world::World;

/// See the module.
#[derive(Debug, Default)]
pub struct Ends {
    /// INQs that were refused since the last one that was not, by reader, sender and family.
    refused: BTreeMap<(Port, NodeNumber, Family), Refusals>,
    /// Since when the two ends of a path contradict each other.
    differ: BTreeMap<Way, Instant>,
    next_look: Instant,
}

#[derive(Debug, Clone, Copy)]
struct Refusals {
    first: Instant,
    last: Instant,
    count: u32,
    reason: Dropped,
}

/// Two may come late, or twice.
const FEW_REFUSALS: u32 = 3;

impl Ends {
    /// A daemon read something; `dropped` if it did not take it in.
    pub fn note_read(&mut self, world: &World, by: Port, frame: &Frame, dropped: Option<Dropped>) {
        if !frame.is_inquiry() {
            return;
        }
        let (now, family) = (world.now, Family::of(&frame.source));
        let key = (by, frame.from.node, family);
        let Some(reason) = dropped else {
            self.refused.remove(&key);
            return;
        };
        // A responder asks now and then only: what comes after such a pause is another matter.
        let pause = longest_refusal(world, Way::between(by.node, frame.from.node, family, by.lan));
        self.refused.retain(|k, refusals| *k != key || now.since(refusals.last) <= pause);
        let refusals =
            self.refused.entry(key).or_insert(Refusals { first: now, last: now, count: 0, reason });
        *refusals = Refusals { last: now, count: refusals.count + 1, reason, ..*refusals };
    }

    /// Where packets pass both ways, INQs of the current run are refused for (f+2) slots at most, whatever came before.
    pub fn refusals_end(&self, records: &Records, world: &World) -> Result<(), Violation> {
        for ((by, from, family), refusals) in &self.refused {
            let way = Way::between(by.node, *from, *family, by.lan);
            let (interval, _) = way.terms(world);
            let long = longest_refusal(world, way);
            let Some((Truth::Works, since)) = records.ways.get(&way) else { continue };
            let is_over = refusals.count <= FEW_REFUSALS
                || world.now.since(refusals.last) > interval
                || refusals.last.since(refusals.first.max(*since)) <= long
                || !records.is_judgeable(world, way.one, way.other);
            require(is_over, by.node, "refusals_end", || {
                let Refusals { count, reason, first, last } = refusals;
                format!("{count} INQs of {from} on {:?} are {reason} for {:?}", by.lan, last.since(*first))
            })?;
        }
        Ok(())
    }

    /// Where packets have passed both ways for (s+f+2) slots, and nothing else has changed, each end counts the path up if
    /// none is lost by chance, and knows what the other says of it: its level, whether it is ready, whether it has moved.
    pub fn two_ends_agree(&mut self, records: &Records, world: &World) -> Result<(), Violation> {
        if world.now < self.next_look {
            return Ok(());
        }
        let shortest = world.nodes.iter().map(|n| n.config.interval).min().unwrap_or_default();
        self.next_look = world.now + shortest * 2;
        let mut snapshots: BTreeMap<NodeNumber, Snapshot> = BTreeMap::new();
        for way in &records.met {
            let (interval, missed) = way.terms(world);
            let good = [way.one, way.other].map(|n| world.node(n).config.good.get()).into_iter().max();
            let settled = interval * (good.unwrap_or(0) + missed + 2) + ALLOWANCE;
            let is_settled = records
                .ways
                .get(way)
                .is_some_and(|(truth, since)| *truth == Truth::Works && world.now.since(*since) > settled);
            if !is_settled || !records.is_judgeable(world, way.one, way.other) {
                self.differ.remove(way);
                continue;
            }
            for node in [way.one, way.other] {
                snapshots.entry(node).or_insert_with(|| snapshot(world, node));
            }
            let difference = difference(world, &snapshots, *way);
            let Some(detail) = difference else {
                self.differ.remove(way);
                continue;
            };
            let since = *self.differ.entry(*way).or_insert(world.now);
            let long = interval * (2 * missed + 4) + ALLOWANCE;
            require(world.now.since(since) <= long, way.one, "two_ends_agree", || {
                format!("{way:?}: {detail}")
            })?;
        }
        Ok(())
    }
}

/// (f+2) slots.
fn longest_refusal(world: &World, way: Way) -> Duration {
    let (interval, missed) = way.terms(world);
    interval * (missed + 2) + ALLOWANCE
}

fn snapshot(world: &World, node: NodeNumber) -> Snapshot {
    let host = world.node(node);
    let engine = host.daemon.as_ref().map(|daemon| daemon.core.peers());
    engine.map(|engine| engine.snapshot(host.clock(world.now))).expect("a host that is judgeable runs")
}

/// In what the two ends contradict each other.
fn difference(world: &World, snapshots: &BTreeMap<NodeNumber, Snapshot>, way: Way) -> Option<String> {
    let at = |node| Port { node, lan: way.lan };
    let (Some(here), Some(there)) = (
        path_of(world, snapshots, at(way.one), at(way.other), way.family),
        path_of(world, snapshots, at(way.other), at(way.one), way.family),
    ) else {
        return Some("one end has no such path".to_owned());
    };
    let is_lossless = world.network.lans[way.lan.index()].weather.loss == 0.0;
    let both_count = here.counted == Level::Up && there.counted == Level::Up;
    let is_known = |teller: &PathSnapshot, told: &PathSnapshot| {
        (said(teller), teller.ready, teller.moved) == (told.reported, told.peer_ready, told.peer_moved)
    };
    let agree = is_known(here, there) && is_known(there, here) && (both_count || !is_lossless);
    (!agree).then(|| format!("{here:?} / {there:?}"))
}

/// What an end says of a path: what it counts, unless it has drained it.
fn said(path: &PathSnapshot) -> Level {
    match (path.draining, path.counted) {
        (true, Level::Up | Level::Down) => Level::Down,
        (_, level) => level,
    }
}

fn path_of<'a>(
    world: &World,
    snapshots: &'a BTreeMap<NodeNumber, Snapshot>,
    from: Port,
    to: Port,
    family: Family,
) -> Option<&'a PathSnapshot> {
    let (own, other) = (snapshots.get(&from.node)?, snapshots.get(&to.node)?);
    let index = |snapshot: &Snapshot, port: Port| {
        let name = world.interface_name(port);
        snapshot.lans.iter().find(|lan| lan.interface == name).map(|lan| lan.index)
    };
    let (lan, peer_lan) = (index(own, from)?, index(other, to)?);
    let peer = own.peers.iter().find(|peer| peer.node == other.node)?;
    peer.paths.iter().find(|p| (p.key.lan, p.key.peer_lan, p.key.family) == (lan, peer_lan, family))
}
