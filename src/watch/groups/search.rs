//! Who may be asked: routers of the routing table, configured hosts, and hosts that are found by asking around.

use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use ipnet::IpNet;

use super::group::Group;
use super::instance::Search;
use super::notice::Notice;
use super::targets::{Kind, MOST, Status, Target};
use crate::interface::{Family, Interface};
use crate::packet::Answer;
use crate::watch::Context;
use crate::watch::input::Output;

/// All hosts on the link (RFC 4291 section 2.7.1). Linux answers an echo to it; to 224.0.0.1 it does not.
const ALL_HOSTS: IpAddr = IpAddr::V6(Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1));

/// Neighbours that are asked at a time.
const ASKED: usize = 5;

/// Nobody is looked for more often, however quick detection is.
const PAUSE: Duration = Duration::from_millis(500);

impl Group {
    /// Routers and configured hosts of all members, by what is known of the routing table and the subnets.
    pub(super) fn see_targets(&mut self, context: &mut Context<'_>) {
        let group_failed = self.has_failed();
        let members = &self.members;
        self.surroundings.forget_routers(|over| {
            group_failed || members.iter().any(|member| member.name() == over && !member.functions())
        });
        for place in 0..self.members.len() {
            for family in [Family::V4, Family::V6] {
                self.see_subnets(context, place, family);
                let named = self.named_targets(place, family);
                let Some(instance) = self.members[place].instances.get_mut(&family) else { continue };
                for gone in instance.targets.set_named(named) {
                    instance.ring.give_up(gone);
                }
                self.copy_hosts(place, family);
            }
        }
        self.review_targets(context.now);
    }

    /// Whose links are this member's too.
    fn shares_link(&self, place: usize, other: &str) -> bool {
        if self.is_named() { self.place_of(other).is_some() } else { self.members[place].name() == other }
    }

    /// Keeps the last known subnets while nothing says what they are: the interface that showed them may be gone.
    fn see_subnets(&mut self, context: &Context<'_>, place: usize, family: Family) {
        let Some(instance) = self.members[place].instances.get(&family) else { return };
        let around = context.interfaces.iter().filter(|interface| self.shares_link(place, &interface.name));
        let around: Vec<&Interface> = around.collect();
        let subnets =
            self.surroundings.subnets(instance.address, &around, |other| self.shares_link(place, other));
        if let Some(instance) = self.members[place].instances.get_mut(&family)
            && !subnets.is_empty()
        {
            instance.subnets = subnets;
        }
    }

    fn named_targets(&self, place: usize, family: Family) -> Vec<Target> {
        let Some(instance) = self.members[place].instances.get(&family) else { return Vec::new() };
        let fits = |address: &IpAddr| self.is_neighbour(&instance.subnets, family, *address);
        let routers = self.surroundings.routers(|over| self.shares_link(place, over));
        let routers = routers.filter(|address| fits(address) && is_link_scope(*address));
        let routers = routers.map(|address| Target::new(address, address.to_string(), Kind::Router));
        let configured = self.config.targets.iter().filter(|target| fits(&target.address));
        let configured =
            configured.map(|target| Target::new(target.address, target.name.clone(), Kind::Configured));
        let mut named: Vec<Target> = Vec::new();
        for target in routers.chain(configured) {
            if named.len() < MOST && !named.iter().any(|other| other.address == target.address) {
                named.push(target);
            }
        }
        named
    }

    /// On the link, and not we ourselves.
    fn is_neighbour(&self, subnets: &[IpNet], family: Family, address: IpAddr) -> bool {
        Family::of(&address) == family
            && !self.own.contains(&address)
            && subnets.iter().any(|subnet| subnet.contains(&address))
    }

    /// A member that has nobody asks whom the others have found.
    fn copy_hosts(&mut self, place: usize, family: Family) {
        if !self.is_named() {
            return;
        }
        let others = self.members.iter().enumerate().filter(|(other, _)| *other != place);
        let instances = others.filter_map(|(_, member)| member.instances.get(&family));
        let hosts: Vec<IpAddr> = instances.flat_map(|instance| instance.targets.hosts()).collect();
        let Some(instance) = self.members[place].instances.get_mut(&family) else { return };
        if instance.targets.in_order().next().is_none() {
            hosts.into_iter().for_each(|host| {
                instance.targets.add_host(host);
            });
        }
    }

    /// A target is left out; if that was the only host, others are looked for.
    pub(super) fn drop_target(
        &mut self,
        context: &mut Context<'_>,
        place: usize,
        family: Family,
        target: IpAddr,
        status: Status,
    ) {
        let member = &mut self.members[place];
        let interface = member.name().to_owned();
        let Some(instance) = member.instances.get_mut(&family) else { return };
        instance.targets.drop_out(target, context.now, status);
        instance.ring.give_up(target);
        let slow = matches!(status, Status::Slow { .. });
        context.notice(Notice::TargetLeftOut { interface, target, slow });
        self.search(context, place, family);
    }

    /// Looks for hosts where there are too few.
    pub(super) fn search(&mut self, context: &mut Context<'_>, place: usize, family: Family) {
        let member = &self.members[place];
        let Some(index) = member.index else { return };
        let Some(instance) = member.instances.get(&family).filter(|_| member.may_probe()) else { return };
        let rested = instance.searched.is_none_or(|at| context.now.since(at) >= PAUSE);
        if !instance.targets.needs_hosts() || !rested || !instance.unique {
            return;
        }
        let round = instance.rounds.wrapping_add(1);
        let asked = self.candidates(place, family);
        context.outputs.push_back(Output::ListNeighbours(index));
        let Some(instance) = self.members[place].instances.get_mut(&family) else { return };
        instance.rounds = round;
        instance.searched = Some(context.now);
        for target in asked {
            let probe = instance.probe(context, index, target, round);
            instance.on_search(Search { id: probe.id, target }, context.probes);
            context.outputs.push_back(Output::Probe(probe));
        }
    }

    /// Neighbours that may be asked, others each time; and in IPv6 everybody.
    fn candidates(&self, place: usize, family: Family) -> Vec<IpAddr> {
        let Some(instance) = self.members[place].instances.get(&family) else { return Vec::new() };
        let neighbours = self.surroundings.neighbours(|of| self.shares_link(place, of));
        let mut fitting: Vec<IpAddr> = neighbours
            .filter(|address| is_link_scope(*address))
            .filter(|address| self.is_neighbour(&instance.subnets, family, *address))
            .filter(|address| instance.targets.get(*address).is_none())
            .collect();
        fitting.sort_unstable();
        fitting.dedup();
        let turn = usize::from(instance.rounds) * ASKED % fitting.len().max(1);
        fitting.rotate_left(turn);
        fitting.truncate(ASKED);
        fitting.extend((family == Family::V6).then_some(ALL_HOSTS));
        fitting
    }

    /// Somebody answered who may be a host: all members may ask it.
    pub(super) fn on_found(&mut self, place: usize, family: Family, search: Search, answer: &Answer) -> bool {
        let Some(instance) = self.members[place].instances.get(&family) else { return false };
        let asked = search.target == answer.from || search.target == ALL_HOSTS;
        let host = answer.from;
        if !asked || !is_link_scope(host) || !self.is_neighbour(&instance.subnets, family, host) {
            return false;
        }
        for other in 0..self.members.len() {
            if (other == place || self.is_named())
                && let Some(instance) = self.members[other].instances.get_mut(&family)
            {
                instance.targets.add_host(host);
            }
        }
        true
    }
}

/// Probes of IPv6 go to link-local addresses, but for those that the configuration names.
fn is_link_scope(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(_) => true,
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    }
}
