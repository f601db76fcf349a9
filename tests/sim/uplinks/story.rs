//! What can go wrong with uplinks and members of groups, each with an end.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use faild::config::{Config, Failback};
use faild::interface::Family;

use super::losses::{STATIC, Thing};
use super::world::{Event, World};
use crate::kernel::Moods;
use crate::random::Random;

/// Something that goes wrong. Numbers are places of ports or LANs.
#[derive(Debug, Clone, PartialEq)]
pub enum Fault {
    /// The router dies.
    Router(usize),
    /// The router lives, what is beyond it cannot be reached.
    Uplink(usize),
    /// The interface has carrier, and nothing goes by it.
    Silence(usize),
    /// The cable is pulled.
    Carrier(usize),
    /// The interface is set down.
    Down(usize),
    /// The interface is deleted, and made again.
    Deleted(usize),
    /// The interface is set down and up again under another name, and then back.
    Renamed(usize),
    /// The interface is set down or deleted, the daemon is stopped or killed a moment later, and the interface comes back
    /// before that is over.
    Caught(usize, Caught),
    /// Somebody deletes the address of one family, and adds it again at the end.
    Address(usize, Family),
    /// Packets are lost.
    Loss(usize, f64),
    /// Answers are late.
    Delay(usize, Duration),
    /// All that is probed beyond the routers is dead, and all hosts of groups.
    Targets,
    /// The DHCP client deletes its route, and makes it anew at the end.
    Lapse(usize),
    /// The interface is set down and up again, and a moment after its routes are back somebody deletes them.
    Withdrawal(usize),
    /// The DHCP client replaces its route by the same.
    Renewal(usize),
    /// The router gets another address, and the DHCP client learns of it at once. It keeps it.
    Replaced(usize),
    /// Somebody flushes all that is ours.
    Flush,
    /// The kernel refuses some of what it is asked.
    Refusals,
    /// The answers of the kernel get lost.
    LostResults,
    /// The daemon is killed, right now or after so many operations; it starts again at the end.
    Crash(u32),
    /// The daemon is stopped until the end.
    Stall,
    /// The administrator takes the interface out of service.
    Offline(usize),
    /// Nothing: the administrator wants traffic home.
    FailBack,
}

/// How a fall and the end of the daemon's attention come together.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Caught {
    /// The interface is deleted, not only set down.
    is_deleted: bool,
    /// The daemon is killed, not only stopped.
    is_killed: bool,
    /// So long it still attends to the fall.
    pause: Duration,
}

impl Fault {
    /// Some fault that can befall this world.
    pub fn draw(world: &World, random: &mut Random) -> Self {
        let port = random.below(world.ports.len());
        let lan = world.ports[port].lan;
        match random.below(34) {
            0 | 1 => Fault::Router(lan),
            // Without targets nobody can know.
            2 | 3 if world.lans[lan].is_watched => Fault::Uplink(lan),
            2 | 3 => Fault::Router(lan),
            4 | 5 => Fault::Silence(port),
            6 | 7 => Fault::Carrier(port),
            8 => Fault::Down(port),
            9 => Fault::Deleted(port),
            26 => Fault::Renamed(port),
            27 | 28 => Fault::Withdrawal(port),
            29..32 => Fault::Caught(port, Caught::draw(random)),
            32 => Fault::Address(port, *random.pick(&[Family::V4, Family::V6])),
            10 => Fault::Loss(port, random.fraction()),
            11 => Fault::Delay(port, random.between(Duration::ZERO, Duration::from_secs(2))),
            12 => Fault::Targets,
            13 => Fault::Lapse(port),
            14 => Fault::Renewal(port),
            15 if world.destinations.iter().any(|d| d.is_found && (d.ports.0..d.ports.1).contains(&port))
                && !is_static(world, port) =>
            {
                Fault::Replaced(port)
            }
            15 => Fault::Flush,
            16 => Fault::Refusals,
            17 => Fault::LostResults,
            18 => Fault::Crash(u32::try_from(random.below(4)).unwrap_or(0)),
            19 => Fault::Stall,
            20..23 => Fault::Offline(port),
            _ if world.host.config.failback == Failback::Manual => Fault::FailBack,
            _ => Fault::Router(lan),
        }
    }

    /// It strikes, and is over after `duration`.
    pub fn strike(self, world: &mut World, duration: Duration) {
        world.note(&format!("{self:?} for {duration:?}"));
        let end = world.now + duration;
        let name = |world: &World, port: usize| world.ports[port].plan.name.clone();
        self.doubt(world);
        match self {
            Fault::Router(lan) => world.lans[lan].is_alive = false,
            Fault::Uplink(lan) => world.lans[lan].is_through = false,
            Fault::Silence(port) => world.ports[port].is_silent = true,
            Fault::Carrier(port) => set_plugged(world, port, false),
            Fault::Down(port) => world.host.kernel.set_up(&name(world, port), false),
            Fault::Deleted(port) => world.host.kernel.delete(&name(world, port)),
            Fault::Renamed(port) => {
                let name = name(world, port);
                rename(world, &name, &other_name(&name));
            }
            Fault::Caught(port, caught) => {
                if caught.is_deleted {
                    world.host.kernel.delete(&name(world, port));
                } else {
                    world.host.kernel.set_up(&name(world, port), false);
                }
                world.at(world.now + caught.pause, Event::Halt((!caught.is_killed).then_some(end)));
                let rise = world.random.between(caught.pause, duration);
                world.at(world.now + rise, Event::Rise(port));
            }
            Fault::Address(port, family) => take_address(world, port, family),
            Fault::Loss(port, loss) => world.ports[port].loss = loss,
            Fault::Delay(port, delay) => world.ports[port].delay = delay,
            Fault::Targets => world.are_targets_dead = true,
            Fault::Lapse(port) => {
                world.ports[port].has_lapsed = true;
                world.take_leases(port, None);
            }
            Fault::Withdrawal(port) => {
                let name = name(world, port);
                world.host.kernel.set_up(&name, false);
                come_back(world, port);
                world.ports[port].is_contested = true;
                // What goes within three seconds of a fall may be put down to that.
                let pause = world.random.between(Duration::from_millis(1050), Duration::from_secs(3));
                world.at(world.now + pause, Event::Withdraw(port));
            }
            Fault::Renewal(port) => {
                world.look();
                for (at, lease) in world.leases_of(port) {
                    if world.host.kernel.stands(&lease) || !world.losses.is_owed(&Thing::Route(at)) {
                        world.host.kernel.replace_route(&lease);
                    }
                }
            }
            Fault::Replaced(port) => replace_router(world, port),
            Fault::Flush => world.host.kernel.flush_own(),
            Fault::Refusals => world.host.kernel.moods = Moods { refusal: 0.5, ..Moods::default() },
            Fault::LostResults => world.host.kernel.moods = Moods { lost_result: 0.3, ..Moods::default() },
            Fault::Crash(0) => world.host.kill(),
            Fault::Crash(after) if world.host.daemon.is_some() => world.host.dies_after = Some(after),
            Fault::Crash(_) => {}
            Fault::Stall if world.host.daemon.is_some() => world.host.stalled_until = Some(end),
            Fault::Stall => {}
            Fault::Offline(port) => set_offline(world, port, true),
            Fault::FailBack if world.host.stalled_until.is_none() => world.host.fail_back(world.now),
            Fault::FailBack => {}
        }
        self.disturb(world);
        world.is_plain = matches!(
            self,
            Fault::Router(_)
                | Fault::Uplink(_)
                | Fault::Silence(_)
                | Fault::Carrier(_)
                | Fault::Targets
                | Fault::Offline(_)
        );
        world.is_gentle &= world.is_plain;
        world.at(end, Event::Heal(self));
        world.settle();
    }

    /// It is over.
    pub fn heal(self, world: &mut World) {
        world.note(&format!("{self:?} is over"));
        match self {
            Fault::Router(lan) => world.lans[lan].is_alive = true,
            Fault::Uplink(lan) => world.lans[lan].is_through = true,
            Fault::Silence(port) => world.ports[port].is_silent = false,
            Fault::Carrier(port) => set_plugged(world, port, true),
            Fault::Down(port) | Fault::Deleted(port) => come_back(world, port),
            Fault::Renamed(port) => {
                let name = world.ports[port].plan.name.clone();
                rename(world, &other_name(&name), &name);
                come_back(world, port);
            }
            Fault::Caught(port, _) => {
                come_back(world, port);
                world.host.start(world.now);
            }
            Fault::Address(port, _) => give_addresses(world, port),
            Fault::Loss(port, _) => world.ports[port].loss = 0.0,
            Fault::Delay(port, _) => world.ports[port].delay = Duration::ZERO,
            Fault::Targets => world.are_targets_dead = false,
            Fault::Lapse(port) | Fault::Withdrawal(port) => {
                (world.ports[port].has_lapsed, world.ports[port].is_contested) = (false, false);
                world.give_leases(port);
            }
            Fault::Refusals | Fault::LostResults => world.host.kernel.moods = Moods::default(),
            Fault::Crash(_) => {
                world.host.dies_after = None;
                world.host.start(world.now);
            }
            Fault::Offline(port) => set_offline(world, port, false),
            Fault::Renewal(_) | Fault::Replaced(_) | Fault::Flush | Fault::Stall | Fault::FailBack => {}
        }
        self.disturb(world);
    }

    /// What was deleted just before may be put down to this.
    fn doubt(&self, world: &mut World) {
        match *self {
            Fault::Down(port)
            | Fault::Deleted(port)
            | Fault::Renamed(port)
            | Fault::Withdrawal(port)
            | Fault::Caught(port, _) => world.doubt_withdrawals(|at| at == port),
            Fault::Stall | Fault::Crash(_) => world.doubt_withdrawals(|_| true),
            Fault::Router(_)
            | Fault::Uplink(_)
            | Fault::Silence(_)
            | Fault::Carrier(_)
            | Fault::Address(..)
            | Fault::Loss(..)
            | Fault::Delay(..)
            | Fault::Targets
            | Fault::Lapse(_)
            | Fault::Renewal(_)
            | Fault::Replaced(_)
            | Fault::Flush
            | Fault::Refusals
            | Fault::LostResults
            | Fault::Offline(_)
            | Fault::FailBack => {}
        }
    }

    fn disturb(&self, world: &mut World) {
        // Where the last change is not over yet all may seem silent, and then each gets the chance to answer first.
        // What changed while the daemon was stopped begins for it when it goes on.
        let was_stopped = matches!(self, Fault::Stall | Fault::Caught(..));
        let is_over = world.now >= world.settled_at && !was_stopped;
        let chance = if is_over { Duration::ZERO } else { detection(&world.host.config) };
        world.disturb(self.patience(&world.host.config) + chance);
        if matches!(self, Fault::Flush | Fault::Refusals | Fault::LostResults | Fault::Renewal(_)) {
            world.at_odds_until = world.at_odds_until.max(world.now + LONGEST_PAUSE * 2);
        }
        let is_unheard = matches!(
            self,
            Fault::Deleted(_)
                | Fault::Renamed(_)
                | Fault::Withdrawal(_)
                | Fault::Crash(_)
                | Fault::Caught(..)
                | Fault::Address(..)
        );
        let quiet = if is_unheard { QUIET } else { Duration::ZERO };
        world.groups_settled_at = world.groups_settled_at.max(world.settled_at + quiet);
    }

    /// How long it may take until traffic goes by what works after this has struck or ended.
    fn patience(&self, config: &Config) -> Duration {
        match self {
            Fault::Router(_)
            | Fault::Uplink(_)
            | Fault::Silence(_)
            | Fault::Carrier(_)
            | Fault::Targets
            | Fault::Stall
            | Fault::Offline(_)
            | Fault::FailBack => detection(config),
            Fault::Down(_)
            | Fault::Deleted(_)
            | Fault::Renamed(_)
            | Fault::Lapse(_)
            | Fault::Withdrawal(_)
            | Fault::Renewal(_)
            | Fault::Replaced(_)
            | Fault::Caught(..)
            | Fault::Address(..)
            | Fault::Crash(_) => patience_for_routes(config),
            // What is late or lost may have been taken for death, and what was refused is tried again after a pause.
            Fault::Loss(..) | Fault::Delay(..) => detection(config) * 3,
            Fault::Flush | Fault::Refusals | Fault::LostResults => detection(config) + LONGEST_PAUSE * 2,
        }
    }
}

/// Faults are over, all of them.
pub fn heal_all(world: &mut World) {
    world.cancel();
    for lan in 0..world.lans.len() {
        Fault::Router(lan).heal(world);
        Fault::Uplink(lan).heal(world);
    }
    for port in 0..world.ports.len() {
        Fault::Silence(port).heal(world);
        Fault::Loss(port, 0.0).heal(world);
        Fault::Delay(port, Duration::ZERO).heal(world);
        Fault::Renamed(port).heal(world);
        Fault::Carrier(port).heal(world);
        Fault::Address(port, Family::V4).heal(world);
        Fault::Lapse(port).heal(world);
        Fault::Offline(port).heal(world);
    }
    Fault::Targets.heal(world);
    Fault::Refusals.heal(world);
    // It hears of all that was missed.
    world.host.stalled_until = world.host.stalled_until.map(|_| world.now);
    Fault::Crash(0).heal(world);
    world.settle();
}

/// A silence is judged and acted upon within this time: what `missed` probes take and three intervals more, twice the
/// detection time of a group, and a little for the work.
pub fn detection(config: &Config) -> Duration {
    let routes = config.routes.iter().map(|route| route.judging.interval * (route.judging.missed.get() + 3));
    let groups = config.groups.iter().map(|group| group.detection_time * 2);
    routes.chain(groups).max().unwrap_or_default() + Duration::from_millis(500)
}

/// The same when interfaces or routes come and go: next hops whose routes are gone are kept for 5 s, routes that the
/// kernel flushed are put back after 1 s.
pub fn patience_for_routes(config: &Config) -> Duration {
    detection(config) + Duration::from_secs(7)
}

fn set_plugged(world: &mut World, port: usize, plugged: bool) {
    world.ports[port].is_unplugged = !plugged;
    let name = world.ports[port].plan.name.clone();
    world.host.kernel.set_carrier(&name, plugged);
}

/// As most kernels want it: while the interface is down. Nothing if there is none of this name, or one of the other.
fn rename(world: &mut World, name: &str, other: &str) {
    let kernel = &mut world.host.kernel;
    if kernel.interface(name).is_some() && kernel.interface(other).is_none() {
        kernel.set_up(name, false);
        kernel.rename(name, other);
        kernel.set_up(other, true);
    }
}

/// Whether faild puts the routes over a port back: an old one too, if another was meant when it was not there to be deleted.
fn is_static(world: &World, port: usize) -> bool {
    world.leases_of(port).iter().any(|(_, lease)| lease.protocol == STATIC)
}

/// What a renamed interface is called.
pub fn other_name(name: &str) -> String {
    format!("{name}x")
}

fn set_offline(world: &mut World, port: usize, offline: bool) {
    let name = world.ports[port].plan.name.clone();
    world.host.set_offline(world.now, |names| {
        if offline {
            names.insert(name)
        } else {
            names.remove(&name)
        };
    });
}

/// An interface that fell comes back.
pub fn rise(world: &mut World, port: usize) {
    come_back(world, port);
    world.disturb(patience_for_routes(&world.host.config));
    world.groups_settled_at = world.groups_settled_at.max(world.settled_at + QUIET);
}

/// Who deletes the only IPv4 address of an interface knows that all routes of the family go with it.
fn take_address(world: &mut World, port: usize, family: Family) {
    world.look();
    let plan = world.ports[port].plan.clone();
    let is_seen = world.is_fair();
    let Some(prefix) = plan.addresses.iter().find(|prefix| Family::of(&prefix.addr()) == family) else {
        return;
    };
    if family == Family::V4 {
        world.take_leases(port, Some(family));
    }
    world.host.kernel.delete_address(&plan.name, *prefix);
    world.losses.take(&Thing::Address(port, *prefix), is_seen);
}

/// The addresses of a port are made as they shall be, but those that nobody but faild puts back.
fn give_addresses(world: &mut World, port: usize) {
    world.look();
    let plan = world.ports[port].plan.clone();
    for prefix in &plan.addresses {
        if !world.losses.is_owed(&Thing::Address(port, *prefix)) {
            world.host.kernel.add_address(&plan.name, *prefix);
        }
    }
    world.at(world.now, Event::Lease(port));
}

fn come_back(world: &mut World, port: usize) {
    let mut plan = world.ports[port].plan.clone();
    // What makes it again may leave the IPv6 addresses to whoever puts them back.
    if world.random.chance(0.5) {
        plan.addresses.retain(|prefix| !world.losses.is_owed(&Thing::Address(port, *prefix)));
    }
    // One that bears another name is not made a second time: it has the cable.
    if world.host.kernel.interface(&other_name(&plan.name)).is_none() {
        world.host.kernel.create(&plan);
    }
    world.host.kernel.set_up(&plan.name, true);
    world.host.kernel.set_carrier(&plan.name, !world.ports[port].is_unplugged);
    let pause = world.random.between(Duration::from_millis(1), Duration::from_secs(4));
    world.at(world.now + pause, Event::Lease(port));
}

fn each_lease(
    world: &mut World,
    port: usize,
    change: impl Fn(&mut crate::kernel::Kernel, &crate::kernel::RoutePlan),
) {
    let name = &world.ports[port].plan.name;
    for lease in world.leases.iter().filter(|lease| lease.interface == *name) {
        change(&mut world.host.kernel, lease);
    }
}

fn replace_router(world: &mut World, port: usize) {
    each_lease(world, port, |kernel, lease| kernel.delete_route(lease));
    let name = world.ports[port].plan.name.clone();
    for router in &mut world.lans[world.ports[port].lan].routers {
        let (old, new) = (*router, other_router(*router));
        *router = new;
        let of_router =
            |lease: &&mut crate::kernel::RoutePlan| lease.interface == name && lease.gateway == old;
        world.leases.iter_mut().filter(of_router).for_each(|lease| lease.gateway = new);
    }
    each_lease(world, port, |kernel, lease| kernel.add_route(lease));
}

/// The other address that a router may have.
fn other_router(router: IpAddr) -> IpAddr {
    let other = |last: u128| if last & 0xff == 1 { last + 253 } else { last - 253 };
    match router {
        IpAddr::V4(v4) => {
            let bits = u32::try_from(other(u128::from(u32::from(v4)))).expect("32 bits stay 32 bits");
            Ipv4Addr::from(bits).into()
        }
        IpAddr::V6(v6) => Ipv6Addr::from(other(u128::from(v6))).into(),
    }
}

impl Caught {
    fn draw(random: &mut Random) -> Self {
        Self {
            is_deleted: random.chance(0.3),
            is_killed: random.chance(0.3),
            pause: random.between(Duration::ZERO, Duration::from_millis(150)),
        }
    }
}

/// Longest pause between two attempts of the reconciler.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// So long after its start nothing is held against a member of a group by which nothing was ever answered.
const QUIET: Duration = Duration::from_secs(40);
