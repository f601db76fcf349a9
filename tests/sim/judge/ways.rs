//! The ways between two hosts, and what is really true of them.

use std::net::IpAddr;
use std::time::Duration;

use faild::config::Config;
use faild::engine::Verdict;
use faild::interface::Family;
use faild::route::Route;

use crate::network::{LanNumber, NodeNumber, Port};
use crate::traffic;
use crate::world::World;

/// A way between two hosts, the one with the lower number first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Way {
    /// One end.
    pub one: NodeNumber,
    /// The other.
    pub other: NodeNumber,
    /// The family.
    pub family: Family,
    /// The LAN.
    pub lan: LanNumber,
}

/// What is really true of a way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Truth {
    /// Packets pass both ways.
    Works,
    /// Some do, or late: faild may call it up or down.
    Doubtful,
    /// They would, but not to the address that was configured: an end bears another.
    Renumbered,
    /// In one direction at least, none does.
    Dead,
}

/// Losses above this make a way doubtful.
const TOLERABLE_LOSS: f64 = 0.06;

impl Way {
    /// The way between two hosts.
    pub fn between(a: NodeNumber, b: NodeNumber, family: Family, lan: LanNumber) -> Self {
        Self { one: a.min(b), other: a.max(b), family, lan }
    }

    /// The longer of the two intervals and the greater of the two limits.
    pub fn terms(&self, world: &World) -> (Duration, u32) {
        let (one, other) = (&world.node(self.one).config, &world.node(self.other).config);
        (one.interval.max(other.interval), one.missed.max(other.missed).get())
    }

    /// Both ends, each seen from the other: (from, to).
    pub fn directions(&self) -> [(Port, Port); 2] {
        let one = Port { node: self.one, lan: self.lan };
        let other = Port { node: self.other, lan: self.lan };
        [(one, other), (other, one)]
    }

    pub fn truth(&self, world: &World) -> Truth {
        let works = self.directions().iter().all(|(from, to)| {
            world.address(*to, self.family).is_some_and(|a| traffic::way_works(world, *from, *to, &a))
        });
        let lan = &world.network.lans[self.lan.index()];
        let (interval, _) = self.terms(world);
        let is_doubtful = lan.weather.loss > TOLERABLE_LOSS
            || lan.filters_broadcast
            || lan.firewalls.contains(&self.one)
            || lan.firewalls.contains(&self.other)
            || lan.weather.delay + lan.weather.jitter > interval / 8
            || lan.losses.iter().any(|(from, to, _)| {
                [(self.one, self.other), (self.other, self.one)].contains(&(*from, *to))
            })
            || !understand_each_other(&world.node(self.one).config, &world.node(self.other).config)
            || !world.network.joined.is_empty();
        let [(one, other), _] = self.directions();
        match (works, is_doubtful) {
            (false, _) if traffic::frames_pass(world, one, other) => Truth::Renumbered,
            (false, _) => Truth::Dead,
            (true, true) => Truth::Doubtful,
            (true, false) => Truth::Works,
        }
    }
}

/// Whether each takes for genuine what the other signs.
fn understand_each_other(one: &Config, other: &Config) -> bool {
    let takes = |signed: &Config, by: &Config| match signed.keys.keys.first() {
        Some(key) => by.keys.keys.contains(key),
        None => by.keys.keys.is_empty(),
    };
    takes(one, other) && takes(other, one)
}

/// All ways of a world.
pub fn all_ways(world: &World) -> Vec<Way> {
    let mut ways = Vec::new();
    for one in world.numbers() {
        for other in world.numbers().into_iter().filter(|other| one < *other) {
            for lan in world.network.numbers() {
                for family in [Family::V4, Family::V6] {
                    if world.address(Port { node: one, lan }, family).is_some() {
                        ways.push(Way { one, other, family, lan });
                    }
                }
            }
        }
    }
    ways
}

/// The ways that a host means its traffic to go by.
pub fn planned_ways(world: &World, node: NodeNumber) -> impl Iterator<Item = (String, IpAddr)> {
    let subjects = world.node(node).daemon.iter().flat_map(|daemon| &daemon.core.peers().plan().subjects);
    subjects.filter_map(|(_, verdict)| match verdict {
        Verdict::Detour(way) => Some((way.interface.clone(), way.via)),
        Verdict::Home | Verdict::Undecided => None,
    })
}

/// The interface and next hop of an overlay.
pub fn way_of(world: &World, node: NodeNumber, route: &Route) -> Option<(String, IpAddr)> {
    let leg = route.legs.first()?;
    let interface = world.node(node).kernel.interface_at(leg.interface)?;
    Some((interface.name.clone(), leg.gateway?))
}
