//! The promises about gateways, targets and groups, as code.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use faild::config::{Config, Failback, GroupConfig};
use faild::interface::{Family, InterfaceIndex};
use faild::operation::Operation;
use faild::route::{Leg, PROTOCOL, Route};
use faild::time::Instant;
use faild::watch::{GroupState, HopSnapshot, HopState};

use super::host::{DAY, Done, MINUTE, time_of_day};
use super::losses::Thing;
use super::world::{Destination, Port, World};
use crate::kernel::{RoutePlan, is_same};

/// What the judge remembers.
#[derive(Debug, Clone, Default)]
pub struct Judge {
    /// Routes that somebody else once made.
    known: Vec<Route>,
    /// The disturbance that the counts below began with.
    since: Instant,
    operations: u64,
    /// All was home when all targets died, and nothing has happened since.
    is_frozen: bool,
    /// How often the route of a destination may change.
    most_moves: u32,
    was_home: bool,
    /// When the first fault struck after all was home, if nothing has happened since that the policy of failback does not
    /// outlast, or that its administrator did.
    left_home: Option<Instant>,
    were_targets_dead: bool,
    /// How often the route of each destination changed, and what it is.
    moves: Vec<(u32, Option<Arc<Route>>)>,
}

/// Which promise was broken, and how.
pub type Verdict = Result<(), String>;

impl Judge {
    /// Looks at all that has happened since the last time.
    pub fn watch(&mut self, world: &mut World) -> Verdict {
        if self.since != world.undisturbed_since {
            self.learn_routes(world);
        }
        for done in std::mem::take(&mut world.host.done) {
            self.check_operation(world, &done)?;
        }
        if world.host.is_restless {
            return Err("it does not come to rest".to_owned());
        }
        self.check_bounds(world)?;
        check_losses(world)?;
        check_choice(world)?;
        self.check_pace(world)?;
        self.check_traffic(world)
    }

    /// Others make and delete routes only when something happens.
    fn learn_routes(&mut self, world: &World) {
        for route in world.host.kernel.foreign() {
            if !self.known.iter().any(|known| is_same(known, &route)) {
                self.known.push(Route::clone(&route));
            }
        }
    }

    /// The next fault is about to strike.
    pub fn before_fault(&mut self, world: &mut World) {
        self.was_home = is_home(world).is_ok();
        if self.was_home && world.is_fair() {
            self.left_home = Some(world.now);
            world.is_gentle = true;
        }
    }

    /// The administrator is about to ask for traffic to go home.
    pub fn before_failback(&mut self) {
        self.left_home = None;
    }

    /// Nothing foreign is touched, and no route of ours is taken from a destination that has no other.
    fn check_operation(&self, world: &mut World, done: &Done) -> Verdict {
        world.note(&format!("{:?} {:?}", in_short(&done.applied.operation), done.applied.result));
        let is_fine = match &done.applied.operation {
            Operation::DeleteRoute(route) => route.protocol == PROTOCOL,
            Operation::AddRoute { route, .. } => {
                route.protocol == PROTOCOL
                    || (is_at_home(world, route)
                        && self.known.iter().any(|known| is_same_route(known, route)))
            }
            Operation::AddAddress { interface, address } => {
                is_test_address(world, address.address()) || is_own_address(world, *interface, address.prefix)
            }
            Operation::DeleteAddress { address, .. } => is_test_address(world, address.address()),
            Operation::SetUp(_) => !world.host.config.groups.is_empty(),
            Operation::DeleteNeighbour { .. } => true,
        };
        if !is_fine || !done.applied.harmed.is_empty() {
            return Err(format!("something foreign was touched: {done:?}"));
        }
        let is_kept = |d: &&Destination| {
            done.gaps.contains(&d.address)
                && !world.is_deleted(d)
                && !(is_hit_by_its_own_end(&done.applied.operation) && world.route(d).is_some())
        };
        if let Some(destination) = world.destinations.iter().find(is_kept) {
            return Err(format!("{} had a route and has none: {done:?}", destination.address));
        }
        Ok(())
    }

    /// Where something works traffic goes by it, in time.
    fn check_traffic(&self, world: &World) -> Verdict {
        // While nobody answers nothing can be known, and nothing moves.
        if !world.is_fair() || world.are_targets_dead || world.now < world.settled_at {
            return Ok(());
        }
        // What works again proves itself before traffic leaves for it.
        let proven_at = world.settled_at + proving(&world.host.config);
        for destination in world.destinations.iter().filter(|destination| world.has_way(destination)) {
            match world.route(destination) {
                Some((route, true))
                    if world.now < proven_at || !world.goes_by_offline(destination, &route) => {}
                _ if destination.is_in_group && world.now < world.groups_settled_at + slowness(world) => {}
                Some((route, true)) => {
                    let legs = &route.legs;
                    return Err(format!("{} goes by what is out of service: {legs:?}", destination.address));
                }
                // An interface under another name is no member: its own subnet is left to it.
                Some((route, false)) if destination.is_in_group && world.goes_by_renamed(&route) => {}
                Some((route, false)) => {
                    let legs = &route.legs;
                    return Err(format!(
                        "{} goes by a dead way although one works: {legs:?}",
                        destination.address
                    ));
                }
                None => return Err(format!("{} has no route although a way works", destination.address)),
            }
        }
        Ok(())
    }

    /// From home one fault is one move; else what may be in the making is one for each way. And nothing moves when all targets are dead.
    fn check_pace(&mut self, world: &World) -> Verdict {
        let most = 1 + u32::try_from(world.ports.len()).unwrap_or(u32::MAX);
        let routes = world.destinations.iter().map(|d| world.host.kernel.lookup(&d.address));
        let routes: Vec<Option<Arc<Route>>> = routes.collect();
        if !world.is_fair() || !world.is_gentle {
            self.left_home = None;
        }
        if self.since != world.undisturbed_since || !world.is_fair() {
            let is_struck = world.are_targets_dead && !self.were_targets_dead;
            // A route that somebody deletes in the same moment has its next hop moved from.
            self.is_frozen = is_struck && world.is_plain && self.was_home && world.is_fair();
            self.most_moves = if world.is_plain && self.was_home && world.is_fair() { 1 } else { most };
            self.since = world.undisturbed_since;
            self.operations = world.host.operations;
            self.moves = routes.into_iter().map(|route| (0, route)).collect();
        } else {
            self.check_policy(world, &routes)?;
            for (counted, route) in self.moves.iter_mut().zip(routes) {
                counted.0 += u32::from(counted.1 != route);
                counted.1 = route;
            }
        }
        self.were_targets_dead = world.are_targets_dead;
        let operations = world.host.operations - self.operations;
        if let Some((moves, _)) = self.moves.iter().find(|(moves, _)| *moves > self.most_moves) {
            return Err(format!("{moves} moves after one event"));
        }
        // An overlay is laid beside its place, then in it, with the neighbours forgotten: up to seven for a move. Each
        // destination has its own, and what went with an interface is put back.
        let led = world.host.config.routes.len().max(1) as u64;
        if operations > u64::from(most) * 4 * led {
            return Err(format!("{operations} operations after one event"));
        }
        if self.is_frozen && operations > 0 {
            return Err("something moved although all are silent".to_owned());
        }
        Ok(())
    }

    /// Traffic does not leave a way that works before the policy of failback lets it.
    fn check_policy(&self, world: &World, routes: &[Option<Arc<Route>>]) -> Verdict {
        // What was just mended may still be taken for dead.
        let intervals = world.host.config.routes.iter().map(|route| route.judging.interval * 2);
        let answered_at = world.undisturbed_since + intervals.max().unwrap_or_default() + A_TRIP;
        let is_known = world.now > answered_at && !world.are_targets_dead;
        let Some(left) = self.left_home.filter(|_| is_known) else { return Ok(()) };
        let may_go_home = match world.host.config.failback {
            Failback::Auto => true,
            Failback::Manual => false,
            Failback::Delay(delay) => world.now.since(left) >= delay,
            // The time of day is told once a minute.
            Failback::Window { from, until } => (0..=MINUTE.as_secs()).any(|ago| {
                let t = time_of_day(world.now - Duration::from_secs(ago));
                if from <= until { (from..until).contains(&t) } else { t >= from || t < until }
            }),
        };
        let moved = world.destinations.iter().zip(&self.moves).zip(routes);
        let gone =
            moved.filter(|((d, _), _)| !d.is_in_group && !d.is_found).find(|((d, (_, before)), now)| {
                before != *now && before.as_ref().is_some_and(|route| world.works(route, d))
            });
        match gone {
            Some(((destination, (_, before)), now)) if !may_go_home => {
                Err(format!("{} left {before:?} for {now:?} against the policy", destination.address))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Memory is bounded by what there is to know.
    fn check_bounds(&self, world: &World) -> Verdict {
        let ports = world.ports.len();
        let own = world.host.kernel.own_routes().count();
        let journal = world.host.journal.as_ref().map_or(0, String::len);
        let memory = &world.host.memory;
        let remembered = memory.watch.failed.len()
            + memory.watch.active.len()
            + memory.watch.penalties.len()
            + memory.watch.held.len();
        // A next hop that went is remembered for a while, and each uplink has two.
        if own > ports * 3 || journal > 16_384 || remembered > ports * 8 {
            return Err(format!(
                "unbounded: {own} routes, {journal} bytes of journal, {remembered} remembered"
            ));
        }
        Ok(())
    }
}

/// All is home and known to work: the routes of others carry all traffic, and nothing of ours is left but test
/// addresses; where the settings prefer another way than those routes do, one overlay for that.
pub fn is_home(world: &World) -> Verdict {
    let shown =
        world.host.daemon.as_ref().map(|daemon| daemon.core.watch().snapshot(world.now)).unwrap_or_default();
    if let Some(hop) = shown.routes.iter().flat_map(|r| &r.hops).find(|hop| hop.state != HopState::Up) {
        return Err(format!("{} is {:?}", hop.interface, hop.state));
    }
    if let Some(route) = shown.routes.iter().find(|route| route.goes_by_first_choice() != Some(true)) {
        return Err(format!("{} does not go by its first choice", route.destination));
    }
    for route in &shown.routes {
        let first = route.hops.iter().map(|hop| hop.rank).min();
        if let Some(hop) = route.hops.iter().find(|hop| Some(hop.rank) == first && !hop.in_use) {
            return Err(format!("{} is held back", hop.interface));
        }
    }
    if let Some(group) = shown.groups.iter().find(|group| group.state != GroupState::Ok) {
        return Err(format!("group {} is {:?}", group.name, group.state));
    }
    if let Some(lease) = world.leases.iter().find(|lease| !world.host.kernel.stands(lease)) {
        return Err(format!("lost route: {lease:?}"));
    }
    if let Some(thing) = world.losses.missing(&world.host.kernel, &world.ports, &world.leases) {
        return Err(format!("lost address: {thing:?}"));
    }
    let own: Vec<_> = world.host.kernel.own_routes().collect();
    if own.len() != world.permanent {
        return Err(format!("{own:?} are left"));
    }
    // One that was refused may be waiting, and an older one with fewer legs stand in its place.
    let serving = shown.routes.iter().flat_map(|route| &route.hops).filter(|hop| hop.in_use).count();
    if world.permanent > 0 && own.iter().map(|route| route.legs.len()).sum::<usize>() != serving {
        return Err(format!("{own:?} instead of {serving} legs"));
    }
    match world.destinations.iter().find(|d| !matches!(world.route(d), Some((_, true)))) {
        Some(destination) => Err(format!("{} is not reached", destination.address)),
        None => check_test_addresses(world),
    }
}

/// After an orderly end there is nothing of ours.
pub fn is_clean(world: &World) -> Verdict {
    let own: Vec<_> = world.host.kernel.own_routes().collect();
    let addresses: Vec<_> = world.host.kernel.own_addresses().collect();
    let is_left = own.len() > world.permanent || !addresses.is_empty();
    if is_left { Err(format!("left behind: {own:?} {addresses:?}")) } else { Ok(()) }
}

/// How much later a group finds out than it was told to, because answers were late a while ago.
fn slowness(world: &World) -> Duration {
    let shown =
        world.host.daemon.as_ref().map(|daemon| daemon.core.watch().snapshot(world.now)).unwrap_or_default();
    let slow = shown.groups.iter().filter_map(|group| group.detection_time).max().unwrap_or_default();
    let configured = world.host.config.groups.iter().map(|group| group.detection_time).max();
    slow.saturating_sub(configured.unwrap_or_default()) * 2
}

fn check_test_addresses(world: &World) -> Verdict {
    let members = world.host.config.groups.iter().flat_map(|group| &group.members);
    for member in members {
        let interface = world.host.kernel.interface(&member.interface);
        let wanted = member.test_address;
        let is_there = interface.is_some_and(|i| i.addresses.iter().any(|a| Some(a.address()) == wanted));
        if wanted.is_some() && !is_there {
            return Err(format!("{} has no test address", member.interface));
        }
    }
    Ok(())
}

/// What went with its interface is put back in time: nobody else does that.
fn check_losses(world: &World) -> Verdict {
    if !world.is_fair() || world.now < world.restored_at {
        return Ok(());
    }
    match world.losses.overdue(world.now, RESTORED) {
        Some(Thing::Route(at)) => Err(format!("lost route: {:?}", world.leases[*at])),
        Some(Thing::Address(at, prefix)) => {
            Err(format!("lost address: {prefix} of {}", world.ports[*at].plan.name))
        }
        None => Ok(()),
    }
}

/// An address that was put back is what an overlay may have lacked: what was chosen is in force at once, whatever pause the
/// kernel's refusals have earned. Those that the simulator makes up lack nothing.
fn check_choice(world: &mut World) -> Verdict {
    let Some(at) = world.host.address_put_at.filter(|at| world.now >= *at + AT_ONCE) else { return Ok(()) };
    world.host.address_put_at = None;
    if !world.is_fair() || world.undisturbed_since > at || world.at_odds_until > at {
        return Ok(());
    }
    let shown =
        world.host.daemon.as_ref().map(|daemon| daemon.core.watch().snapshot(world.now)).unwrap_or_default();
    for route in &shown.routes {
        let chosen: Vec<_> = route.hops.iter().filter(|hop| hop.in_use).collect();
        let fits = |hop: &&HopSnapshot| hop.state == HopState::Up && world.takes(&hop.interface, hop.via);
        let is_of_family =
            |d: &&Destination| d.address.is_ipv6() == route.destination.prefix.addr().is_ipv6();
        let Some(destination) =
            world.destinations.iter().filter(|d| !d.is_in_group && !d.is_found).find(is_of_family)
        else {
            continue;
        };
        if chosen.is_empty() || !chosen.iter().all(fits) {
            continue;
        }
        let leg =
            |hop: &&HopSnapshot| (world.host.kernel.interface(&hop.interface).map(|i| i.index), hop.via);
        let wanted: BTreeSet<_> = chosen.iter().map(leg).collect();
        let taken = world.host.kernel.lookup(&destination.address);
        let legs = taken.iter().flat_map(|route| &route.legs).map(|leg| (Some(leg.interface), leg.gateway));
        let legs: BTreeSet<_> = legs.collect();
        if legs != wanted {
            return Err(format!("{wanted:?} is chosen, and an address put back, but {legs:?} is in force"));
        }
    }
    Ok(())
}

fn is_test_address(world: &World, address: std::net::IpAddr) -> bool {
    world.host.config.groups.iter().any(|group| is_test(group, address))
}

/// Whether an address goes where it is configured, and nobody has deleted it there.
fn is_own_address(world: &World, interface: InterfaceIndex, prefix: ipnet::IpNet) -> bool {
    let name = world.host.kernel.interface_at(interface).map(|i| &i.name);
    let at = world.ports.iter().position(|port| Some(&port.plan.name) == name);
    at.is_some_and(|at| {
        prefix.addr().is_ipv6()
            && world.ports[at].plan.addresses.contains(&prefix)
            && !world.losses.is_refused(&Thing::Address(at, prefix))
    })
}

fn is_test(group: &GroupConfig, address: std::net::IpAddr) -> bool {
    group.members.iter().any(|member| member.test_address == Some(address))
}

/// Whether a route of others is put on interfaces of the names that it was made on, and nobody has deleted it there.
fn is_at_home(world: &World, route: &Route) -> bool {
    let name = |leg: &Leg| world.host.kernel.interface_at(leg.interface).map(|i| i.name.as_str());
    let is_same = |lease: &&RoutePlan| {
        lease.destination == route.key.destination
            && lease.metric == route.key.metric
            && route.legs.iter().all(|leg| name(leg) == Some(&lease.interface))
    };
    let is_withdrawn = |lease: &RoutePlan| {
        // The kernel tells of an IPv6 route that is deleted and of one that goes with its interface in the same words.
        let is_doubtful = |port: &Port| port.fell_after_withdrawal && lease.gateway.is_ipv6();
        let family = Family::of(&lease.gateway);
        let is_gone = |port: &Port| port.withdrawn.contains(&family) && !is_doubtful(port);
        world.ports.iter().any(|port| port.plan.name == lease.interface && is_gone(port))
    };
    world.leases.iter().any(|lease| is_same(&lease) && !is_withdrawn(lease))
}

/// IPv4 without metric has no place beside an overlay, and a delete of one that has no source would hit the next one, too:
/// it goes first, and that takes its place at once.
fn is_hit_by_its_own_end(operation: &Operation) -> bool {
    let Operation::DeleteRoute(route) = operation else { return false };
    route.key.destination.addr().is_ipv4() && route.key.metric == 0 && route.source.is_none()
}

fn is_same_route(known: &Route, route: &Route) -> bool {
    // The interface may have been made again, with another number.
    let gateways = |route: &Route| route.legs.iter().map(|leg| leg.gateway).collect::<Vec<_>>();
    known.key == route.key && known.protocol == route.protocol && gateways(known) == gateways(route)
}

fn in_short(operation: &Operation) -> String {
    match operation {
        Operation::AddRoute { route, place } => {
            format!("add {} metric {} {:?} {place:?}", route.key.destination, route.key.metric, route.legs)
        }
        Operation::DeleteRoute(route) => {
            format!("delete {} metric {} {:?}", route.key.destination, route.key.metric, route.legs)
        }
        Operation::AddAddress { interface, address } => format!("add {} to {interface}", address.prefix),
        Operation::DeleteAddress { interface, address } => {
            format!("delete {} from {interface}", address.prefix)
        }
        Operation::SetUp(interface) => format!("set {interface} up"),
        Operation::DeleteNeighbour { interface, address } => format!("forget {address} on {interface}"),
    }
}

/// How long peace may take until all is home: damping runs out, routes and refusals are looked at by slow timers.
pub fn longest_peace(world: &World) -> Duration {
    let config = &world.host.config;
    let policy = match config.failback {
        Failback::Auto | Failback::Manual => Duration::ZERO,
        Failback::Delay(delay) => delay,
        Failback::Window { .. } => DAY + MINUTE,
    };
    policy
        + config.damping.maximum
        + proving(config)
        + super::story::detection(config)
        + Duration::from_secs(200)
}

/// How long what works again takes to prove itself.
fn proving(config: &Config) -> Duration {
    let routes = config.routes.iter().map(|route| route.judging.interval * (route.judging.good.get() + 2));
    let groups = config.groups.iter().map(|group| group.detection_time * 4);
    routes.chain(groups).max().unwrap_or_default()
}

/// What is put back one second after its interface returned stands by then.
const RESTORED: Duration = Duration::from_secs(5);

/// The loop looks at interfaces and routes once more a tenth of a second after an event.
const AT_ONCE: Duration = Duration::from_millis(300);

/// More than a probe and its answer take.
const A_TRIP: Duration = Duration::from_millis(50);
