//! The promises of faild, each a function that finds the world in which it is broken.

use std::net::IpAddr;
use std::time::Duration;

use faild::core::Notice;
use faild::engine::Verdict;
use faild::event::EventName;
use faild::interface::Family;
use faild::operation::{Operation, Place};
use faild::route::{PROTOCOL, Route};
use faild::time::Instant;
use log::Level;

use super::Violation;
use super::records::{ALLOWANCE, Rate, Records};
use super::ways::{Way, all_ways, way_of};
use crate::kernel::{Applied, RoutePlan, has, is_same};
use crate::neighbours::TRY_PAUSE;
use crate::network::{NodeNumber, Port};
use crate::node::Node;
use crate::traffic::{self, Fate};
use crate::world::World;

/// No route that faild did not make is changed or deleted, ever; one that vanished may be put back as it was, unless
/// somebody deleted it.
pub fn foreign_routes_are_untouched(
    records: &Records,
    world: &World,
    node: NodeNumber,
    applied: &Applied,
) -> Result<(), Violation> {
    const PROMISE: &str = "foreign_routes_are_untouched";
    if let Some(route) = applied.harmed.first() {
        return broken(node, PROMISE, format!("{:?} took away {route:?}", applied.operation));
    }
    match &applied.operation {
        Operation::DeleteRoute(route) if route.protocol != PROTOCOL => {
            broken(node, PROMISE, format!("would delete {route:?}"))
        }
        Operation::AddRoute { route, place } if route.protocol != PROTOCOL => {
            let stood = records.stood[node.index()].iter().any(|r| is_put_back(world, node, r, route));
            require(stood && *place != Place::Before, node, PROMISE, || format!("{route:?} never stood"))?;
            let is_unwanted = records.taken_away[node.index()].iter().any(|gone| {
                let key = (gone.plan.destination, gone.plan.metric);
                gone.is_noticed && key == (route.key.destination, route.key.metric)
            });
            require(!is_unwanted, node, PROMISE, || format!("{route:?} was deleted by will"))
        }
        Operation::AddRoute { .. }
        | Operation::DeleteRoute(_)
        | Operation::AddAddress { .. }
        | Operation::DeleteAddress { .. }
        | Operation::SetUp(_)
        | Operation::DeleteNeighbour { .. } => Ok(()),
    }
}

/// The interface may bear another number than before.
fn is_put_back(world: &World, node: NodeNumber, before: &Route, after: &Route) -> bool {
    let gateways = |r: &Route| r.legs.iter().map(|leg| leg.gateway).collect::<Vec<_>>();
    let exists =
        |r: &Route| r.legs.iter().all(|l| world.node(node).kernel.interface_at(l.interface).is_some());
    is_same(before, after)
        || (before.key == after.key
            && before.protocol == after.protocol
            && gateways(before) == gateways(after)
            && exists(after))
}

/// Addresses of others are not deleted; those that stood somewhere may be put back there, and ours are laid on `lo`.
pub fn foreign_addresses_are_untouched(
    records: &Records,
    world: &World,
    node: NodeNumber,
    applied: &Applied,
) -> Result<(), Violation> {
    const PROMISE: &str = "foreign_addresses_are_untouched";
    let host = world.node(node);
    match &applied.operation {
        Operation::DeleteAddress { address, .. } => {
            require(address.protocol == PROTOCOL, node, PROMISE, || format!("would delete {address:?}"))
        }
        Operation::AddAddress { interface, address } => {
            let name = host.kernel.interface_at(*interface).map_or("", |i| i.name.as_str());
            let stood = records.borne[node.index()].contains(&(name.to_owned(), address.prefix));
            let is_overlay = address.protocol == PROTOCOL && name == "lo";
            let is_fine = is_overlay || (address.protocol != PROTOCOL && stood);
            // The interface may have gone since faild looked; then nothing happened.
            require(is_fine || applied.result.is_err(), node, PROMISE, || format!("{address:?} on {name:?}"))
        }
        Operation::AddRoute { .. }
        | Operation::DeleteRoute(_)
        | Operation::SetUp(_)
        | Operation::DeleteNeighbour { .. } => Ok(()),
    }
}

/// No overlay is asked for that leads onto a way on which the two hosts did not hear each other within (f+2) intervals,
/// except one that replaces another by the same way (which somebody flushed, or another route by it), or that was asked
/// for before and refused. Once an interface of its own does not run, a host may try anything else; just after it came
/// back, nothing was asked afresh, so twice the time. An address that went within that time counts as its last bearer's:
/// nobody was told yet. Who slept hears from its interfaces' memory what was true before that, and who was rolled back has just
/// heard it.
pub fn overlays_have_proof(
    records: &Records,
    world: &World,
    node: NodeNumber,
    applied: &Applied,
) -> Result<(), Violation> {
    let Operation::AddRoute { route, .. } = &applied.operation else { return Ok(()) };
    let Some((interface, via)) = way_of(world, node, route) else { return Ok(()) };
    let is_known = records.used[node.index()].contains(&(interface.clone(), via));
    let fled_own_loss = world.node(node).ports.iter().any(|port| !port.running);
    if route.protocol != PROTOCOL || is_known || fled_own_loss {
        return Ok(());
    }
    let detail = |what: &str| format!("{} by {via} on {interface}: {what}", route.key.destination);
    let lan = world.node(node).lan_of(route.legs[0].interface);
    let shown = |lan| records.shown.get(&(node, lan, via));
    // So does one that has moved to another host since.
    let last = |lan| {
        let (port, at) = *shown(lan)?;
        (world.node(node).clock(world.now).since(at) <= memory_of(world, node)
            && world.owner(lan, &via) != Some(port))
        .then_some(port)
    };
    let bearer =
        |lan| last(lan).or_else(|| world.owner(lan, &via)).or_else(|| shown(lan).map(|(bearer, _)| *bearer));
    let owner = lan.and_then(|lan| Some((lan, bearer(lan)?)));
    let Some((lan, peer)) = owner else {
        return broken(node, "overlays_have_proof", detail("nobody bears that address"));
    };
    let way = Way::between(node, peer.node, Family::of(&via), lan);
    let (interval, missed) = way.terms(world);
    // The peer may ask more often since a change of its settings of which it has told nobody yet.
    let interval = interval.max(announced(world, node, peer.node));
    let mut window = interval * (missed + 2) + ALLOWANCE;
    if world.now.since(records.lost_interface[node.index()]) < window {
        window *= 2;
    }
    let is_lately = |by: NodeNumber, at: Instant| world.node(by).clock(world.now).since(at) <= window;
    let is_fresh = |by: Port, from: NodeNumber| {
        let heard = records.heard.get(&(by, from, way.family));
        heard.is_some_and(|at| is_lately(by.node, *at))
    };
    let is_there = world.owner(lan, &via).is_some();
    let was_there = shown(lan).is_some_and(|(_, at)| is_lately(node, *at));
    require(is_there || was_there, node, "overlays_have_proof", || detail("nobody bears that address"))?;
    let slept = world.node(node).has_just_woken(world.now, window);
    let both = is_fresh(Port { node, lan }, peer.node) && (slept || is_fresh(peer, node));
    require(both, node, "overlays_have_proof", || detail("the two have not heard each other there lately"))
}

/// So long a host may believe what it last heard of an address.
fn memory_of(world: &World, node: NodeNumber) -> Duration {
    let config = &world.node(node).config;
    config.interval * (config.missed.get() + 2) + ALLOWANCE
}

/// How often a host says that it asks, as another one knows it.
fn announced(world: &World, node: NodeNumber, peer: NodeNumber) -> Duration {
    let host = world.node(node);
    let Some(id) = world.node(peer).daemon.as_ref().map(|daemon| daemon.core.peers().node()) else {
        return Duration::ZERO;
    };
    let snapshot = host.daemon.as_ref().map(|daemon| daemon.core.peers().snapshot(host.clock(world.now)));
    let known = snapshot.into_iter().flat_map(|snapshot| snapshot.peers).find(|known| known.node == id);
    known.map_or(Duration::ZERO, |known| known.interval)
}

/// Two hosts between which a way has worked for (f+2) intervals, with nothing else changing meanwhile, reach each
/// other, by all their proven addresses. A request whose source never stood on a LAN where the other heard the host, and
/// could ask it (it was given while that LAN was dead, or passed one way only), bears an address that is not proven: the
/// reply may be lost, unless a key vouches for the address. What an interface was given while it was set down its host does
/// not claim, key or not, until it is up. And what is in no subnet of the other (whose interface there is gone) is on no LAN
/// that it knows.
pub fn working_way_means_traffic(records: &Records, world: &World) -> Result<(), Violation> {
    for way in &records.met {
        let (interval, missed) = way.terms(world);
        let long = interval * (missed + 2) + ALLOWANCE;
        if !records.is_judgeable(world, way.one, way.other) || !records.has_settled_way(world, *way, long) {
            continue;
        }
        for (from, to) in way.directions() {
            let Some(address) = reachable_address(records, world, to, way.family) else { continue };
            let fate = traffic::round_trip(world, from.node, &address);
            let is_keyed = !world.node(to.node).config.keys.keys.is_empty();
            let source = || traffic::source(world, from.node, &address);
            let is_claimed =
                |s: &IpAddr| is_keyed && is_told(world, from.node, s) && is_on_link(world, to.node, s);
            let is_proven = || source().is_none_or(|s| is_claimed(&s) || records.is_provable(to.node, &s));
            let is_fine = matches!(fate, Fate::Delivered(..))
                || is_lost_in_doubt(records, *way, fate)
                || !is_proven()
                || (has_lost_address(records, world, from, way.family)
                    && !is_overlaid(world, from.node, &address));
            require(is_fine, from.node, "working_way_means_traffic", || format!("to {address}: {fate:?}"))?;
        }
    }
    Ok(())
}

/// Whether a host tells its peers of an address that it has: it stands on an interface that is not set down.
fn is_told(world: &World, node: NodeNumber, address: &IpAddr) -> bool {
    let interfaces = world.node(node).kernel.interfaces();
    interfaces.into_iter().any(|interface| interface.up && has(&interface, address))
}

/// Whether a host has an interface in the subnet of an address.
fn is_on_link(world: &World, node: NodeNumber, address: &IpAddr) -> bool {
    let interfaces = world.node(node).kernel.interfaces();
    interfaces.into_iter().any(|interface| interface.source_for(address).is_some())
}

/// Whether a host lost its address on a LAN while nobody watched, or by its owner's will: then it has no subnet there, and
/// nobody's address in it is known to be on that LAN.
fn has_lost_address(records: &Records, world: &World, port: Port, family: Family) -> bool {
    if world.node(port.node).ports[port.lan.index()].stripped == Some(family) {
        return true;
    }
    let address = world.address(port, family);
    address.is_some_and(|a| records.losses[port.node.index()].has_address(world.interface_name(port), &a))
}

/// A configured address, while its host takes packets for it, and knows on which LAN it is at home: one that is parked for
/// an interface that got another name while no daemon ran is named to nobody.
fn reachable_address(records: &Records, world: &World, port: Port, family: Family) -> Option<IpAddr> {
    let losses = &records.losses[port.node.index()];
    let is_lost = |a: &IpAddr| losses.has_address(world.interface_name(port), a);
    world.address(port, family).filter(|a| world.node(port.node).kernel.is_local(a) && !is_lost(a))
}

fn is_lost_in_doubt(records: &Records, way: Way, fate: Fate) -> bool {
    let Fate::Lost(port) = fate else { return false };
    records.is_doubtful(Way { lan: port.lan, ..way })
}

/// One interval and a travel after one end of a pair has moved (or gone home), so has the other, as long as there is
/// a way on which they can tell each other. A home of which each end may think what it likes (packets pass, most or some)
/// must at least be left, or kept, so that packets pass: an address goes home when it has itself answered there, and that
/// answer may be lost for long. The same holds where home works and no other way surely does: an end that went home while the
/// other was absent to it (rule 8) leaves it for nothing that is not proven (rule 2), and the other counts clean slots first.
/// And so it is where an address came anew while the host that bears it kept its own detour, for home was damped: a new
/// address begins at home, and nothing says that it shall leave a home that is up. And where a kernel refused for long to
/// lift an overlay, until that is tried again.
pub fn both_ends_agree(records: &mut Records, world: &World) -> Result<(), Violation> {
    for way in records.met.clone() {
        let [(one, other), _] = way.directions();
        let (Some(to_other), Some(to_one)) = (
            reachable_address(records, world, other, way.family),
            reachable_address(records, world, one, way.family),
        ) else {
            records.differ.remove(&way);
            continue;
        };
        let has_moved = (is_overlaid(world, way.one, &to_other), is_overlaid(world, way.other, &to_one));
        if has_moved.0 == has_moved.1 {
            records.differ.remove(&way);
            continue;
        }
        let since = *records.differ.entry(way).or_insert(world.now);
        let (interval, missed) = way.terms(world);
        let mut long = interval + ALLOWANCE;
        if world.network.lans[way.lan.index()].weather.loss > 0.0 {
            // A kernel asks once a second for a neighbour, and that may be lost, too.
            long += TRY_PAUSE;
        }
        let settled = interval * (missed + 2) + long;
        let is_fine = world.now.since(since) <= long
            || !records.is_judgeable(world, way.one, way.other)
            || !records.has_settled_way(world, way, settled)
            || ((records.is_doubtful(way)
                || records.works_alone(way)
                || begins_anew(records, world, way, since)
                || [way.one, way.other].iter().any(|node| records.may_wait(world, *node)))
                && reach_each_other(world, way, (to_one, to_other)));
        require(is_fine, way.one, "both_ends_agree", || {
            format!("{way:?}: moved {has_moved:?} for {:?}", world.now.since(since))
        })?;
    }
    Ok(())
}

/// Whether two ends differ since an address of one of them came anew, and damping may keep that one from home yet.
fn begins_anew(records: &Records, world: &World, way: Way, since: Instant) -> bool {
    let Some(came) = records.renumbered.get(&way) else { return false };
    let (interval, _) = way.terms(world);
    let damping = [way.one, way.other].map(|node| world.node(node).config.damping.maximum);
    since.since(*came) <= interval + ALLOWANCE
        && world.now.since(*came) <= damping[0].max(damping[1]) + interval + ALLOWANCE
}

/// Whether packets and replies pass between two hosts, to these addresses of theirs.
fn reach_each_other(world: &World, way: Way, (one, other): (IpAddr, IpAddr)) -> bool {
    let reaches = |from, to| matches!(traffic::round_trip(world, from, to), Fate::Delivered(..));
    reaches(way.one, &other) && reaches(way.other, &one)
}

/// Whether a host overlay for this very address stands.
pub fn is_overlaid(world: &World, node: NodeNumber, address: &IpAddr) -> bool {
    world.node(node).kernel.host_routes(address).any(|r| r.protocol == PROTOCOL)
}

/// A host asks its kernel for no more in a second than a few things for each subject and route, whatever happens; and with
/// each start and each change of its settings in that second it may lift all overlays, and lay them again.
pub fn operations_are_bounded(records: &mut Records, world: &World) -> Result<(), Violation> {
    for (node, rate) in world.nodes.iter().zip(&records.rates) {
        // Who has just died asks for nothing, and was judged before that by what he had.
        let Some(daemon) = &node.daemon else { continue };
        let subjects = daemon.core.peers().plan().subjects.len();
        let beginnings = usize::try_from(node.counters.beginnings - rate.beginnings).unwrap_or(usize::MAX);
        let most = 64 + (8 + 2 * beginnings) * (subjects + node.kernel.route_count());
        let count = node.counters.operations - rate.operations;
        require(count <= most as u64, node.number, "operations_are_bounded", || {
            format!("{count} operations in a second, {most} are enough")
        })?;
    }
    Ok(())
}

/// A host sends no more in a second than its budget. (Restarts the second for both rates.)
pub fn packets_are_bounded(records: &mut Records, world: &World) -> Result<(), Violation> {
    for (node, rate) in world.nodes.iter().zip(&mut records.rates) {
        let count = node.counters.sent - rate.sent;
        let most = u64::from(node.config.packet_budget.get());
        require(count <= most, node.number, "packets_are_bounded", || {
            format!("{count} packets in a second")
        })?;
        if world.now.since(rate.since) >= Duration::from_secs(1) {
            *rate = Rate::of(world.now, &node.counters);
        }
    }
    Ok(())
}

/// Tables do not outgrow the world: no more subjects and remembered paths than there are peers, LANs and addresses.
pub fn memory_is_bounded(world: &World) -> Result<(), Violation> {
    let lans = world.network.lans.len();
    // Per peer and LAN: an address of each family and a link-local one; twice, for addresses that changed.
    let most = world.nodes.len() * lans * lans * 3 * 2;
    for node in &world.nodes {
        let subjects = node.daemon.as_ref().map_or(0, |d| d.core.peers().plan().subjects.len());
        let paths = node.memory.peers.paths.len();
        require(subjects <= most && paths <= most, node.number, "memory_is_bounded", || {
            format!("{subjects} subjects, {paths} remembered paths, {most} are enough")
        })?;
    }
    Ok(())
}

/// The core does not feed itself for ever.
pub fn core_comes_to_rest(node: NodeNumber) -> Result<(), Violation> {
    broken(node, "core_comes_to_rest", "it goes on and on, or its deadline stays in the past".to_owned())
}

/// The level `error` is for broken promises; there is none unless the kernel itself misbehaves, or all are silent.
pub fn no_promise_is_said_to_be_broken(
    records: &Records,
    world: &World,
    node: NodeNumber,
    notice: &Notice,
) -> Result<(), Violation> {
    let is_expected = notice.level() != Level::Error
        || notice.name() == EventName::AllPeersSilent
        || !records.is_undisturbed(world, node);
    require(is_expected, node, "no_promise_is_said_to_be_broken", || notice.to_string())
}

/// In peace everything is home: no route or address of faild anywhere, each configured route stands that was not lost
/// while nobody watched, nothing is on a detour, and whoever shared an id has another (rule 13).
pub fn all_is_home(records: &Records, world: &World) -> Result<(), Violation> {
    const PROMISE: &str = "all_is_home";
    for node in &world.nodes {
        let number = node.number;
        require(!records.shares_id(world, number), number, PROMISE, || "another bears its id".to_owned())?;
        let is_left = |route: &Route| {
            let mut ways = route.legs.iter().filter_map(|leg| leg.gateway);
            !ways.all(|via| is_nobodys(world, number, &route.key.destination.addr(), &via))
        };
        if let Some(route) = node.kernel.own_routes().find(|route| is_left(route)) {
            return broken(
                number,
                PROMISE,
                format!("left over: {} by {:?}", route.key.destination, route.legs),
            );
        }
        if let Some(address) = node.kernel.own_addresses().next() {
            return broken(number, PROMISE, format!("left over: address {}", address.prefix));
        }
        let is_away = |plan: &RoutePlan| {
            records.taken_away[number.index()].iter().any(|gone| gone.plan == *plan)
                || records.losses[number.index()].has_route(node, plan)
        };
        let missing = node.blueprint.routes.iter().find(|p| !node.kernel.stands(p) && !is_away(p));
        if let Some(plan) = missing {
            return broken(number, PROMISE, format!("missing: {plan:?}"));
        }
        let plan = node.daemon.iter().flat_map(|d| &d.core.peers().plan().subjects);
        for (subject, verdict) in plan {
            let Verdict::Detour(way) = verdict else { continue };
            let is_nobodys = is_nobodys(world, number, &subject.address, &way.via);
            require(is_nobodys, number, PROMISE, || format!("still on a detour: {subject:?}"))?;
        }
    }
    every_pair_talks(records, world)
}

/// Whether an address is no host's, and its way leads to no host, or to one that asks as little as this one does: nobody can
/// tell it. If its daemon was killed before it had written down whose it is, it is lifted after ten minutes; nothing goes by
/// it until then.
fn is_nobodys(world: &World, number: NodeNumber, address: &IpAddr, via: &IpAddr) -> bool {
    let bearer = |address: &IpAddr| world.nodes.iter().find(|node| node.kernel.is_local(address));
    let talks = |other: &Node| other.config.requestor || world.node(number).config.requestor;
    bearer(address).is_none() && !bearer(via).is_some_and(talks)
}

/// Every pair that includes a requestor has met on every LAN and reaches each other directly.
fn every_pair_talks(records: &Records, world: &World) -> Result<(), Violation> {
    for way in all_ways(world) {
        let asks = |n: NodeNumber| world.node(n).config.requestor;
        let Some((from, to)) = way.directions().into_iter().find(|(from, _)| asks(from.node)) else {
            continue;
        };
        let Some(address) = world.address(to, way.family) else { continue };
        require(records.met.contains(&way), from.node, "all_is_home", || format!("{way:?} was never used"))?;
        let fate = traffic::round_trip(world, from.node, &address);
        let is_direct = fate == Fate::Delivered(from, to);
        require(is_direct, from.node, "all_is_home", || format!("to {address}: {fate:?}"))?;
    }
    Ok(())
}

pub fn require(
    is_kept: bool,
    node: NodeNumber,
    promise: &'static str,
    detail: impl FnOnce() -> String,
) -> Result<(), Violation> {
    if is_kept { Ok(()) } else { broken(node, promise, detail()) }
}

fn broken(node: NodeNumber, promise: &'static str, detail: String) -> Result<(), Violation> {
    Err(Violation { node, promise, detail })
}
