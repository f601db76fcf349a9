//! Next hops that nobody listed: the legs of the routes of others to the destination, by their metrics.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::super::Context;
use super::super::input::Found;
use super::super::snapshot::HopState;
use super::hop::Hop;
use super::past::Pasts;
use super::route::Route;
use super::{HOPS, Numbers};
use crate::config::{NextHopConfig, NextHops};
use crate::gather::Gather;
use crate::route::PROTOCOL;

/// Metrics by interface and gateway.
type Legs = BTreeMap<(String, Option<IpAddr>), u32>;

impl Route {
    /// Fits the next hops to the routes that are in the kernel. One whose route is gone keeps its verdict for a while:
    /// a renewal by DHCP deletes it and adds it again, and a link that goes down takes it along without a word.
    pub(super) fn on_routes(
        &mut self,
        context: &mut Context<'_>,
        found: &[Found],
        pasts: &Pasts,
        numbers: &mut Numbers,
    ) {
        if self.config.next_hops != NextHops::Auto {
            return;
        }
        let is_excluded = |hop: &mut Hop| context.config.exclude.contains(&hop.interface);
        let excluded: Vec<Hop> = self.hops.extract_if(.., is_excluded).collect();
        excluded.into_iter().for_each(|mut hop| hop.stop(context));
        let legs = self.best(self.legs(context, found));
        for hop in &mut self.hops {
            let metric = legs.get(&(hop.interface.clone(), hop.via)).copied();
            hop.vanished = if metric.is_some() { None } else { hop.vanished.or(Some(context.now)) };
            hop.metric = metric.or(hop.metric);
        }
        for ((interface, via), metric) in legs {
            if !self.hops.iter().any(|hop| hop.key() == (interface.as_str(), via)) {
                let settings = NextHopConfig { interface, via, rank: 1, weight: 1 };
                let mut hop = self.new_hop(context, &settings, pasts, numbers);
                hop.metric = Some(metric);
                self.hops.push(hop);
            }
        }
        self.rank();
    }

    /// The lowest metric of each interface and gateway. Excluded interfaces lead nowhere.
    fn legs(&self, context: &Context<'_>, found: &[Found]) -> Legs {
        let mut legs = Legs::new();
        let is_ours = |leg: &&Found| {
            (leg.table, leg.destination) == (self.config.table, self.config.destination)
                // Our own lead where we want, and prove nothing.
                && leg.protocol != PROTOCOL
                && context.config.route_protocols.contains(&leg.protocol)
        };
        for leg in found.iter().filter(is_ours) {
            let interface = context.interfaces.iter().find(|interface| interface.index == leg.interface);
            let Some(interface) = interface.filter(|i| !context.config.exclude.contains(&i.name)) else {
                continue;
            };
            let metric = legs.entry((interface.name.clone(), leg.gateway)).or_insert(leg.metric);
            *metric = leg.metric.min(*metric);
        }
        legs
    }

    /// As many as are watched: first what serves or has proven itself, then the lowest metrics. Whoever floods us with
    /// better ones does not push out what works for what nobody has asked yet.
    fn best(&self, legs: Legs) -> Legs {
        let is_proven = |interface: &str, via| {
            let is_good = |hop: &Hop| hop.in_use || matches!(hop.verdict, HopState::Up | HopState::Degraded);
            self.hops.iter().any(|hop| hop.key() == (interface, via) && is_good(hop))
        };
        let mut best: Vec<_> = legs.into_iter().collect();
        best.sort_by_cached_key(|((interface, via), metric)| (!is_proven(interface, *via), *metric));
        best.truncate(HOPS);
        best.into_iter().gather()
    }

    /// Ranks by metric, from 1; equal metrics are one route with several legs.
    fn rank(&mut self) {
        let mut metrics: Vec<Option<u32>> = self.hops.iter().map(|hop| hop.metric).collect();
        metrics.sort_unstable();
        metrics.dedup();
        for hop in &mut self.hops {
            let place = metrics.iter().position(|metric| *metric == hop.metric).unwrap_or_default();
            hop.rank = u8::try_from(place + 1).unwrap_or(u8::MAX);
        }
        std::mem::take(&mut self.hops).into_iter().for_each(|hop| self.insert_hop(hop));
    }

    /// Those that serve nobody go at once if there are too many.
    pub(super) fn is_full(hops: &[Hop]) -> bool {
        hops.len() > HOPS * 2
    }
}
