//! What can go wrong with uplinks and members of groups, each with an end.

use std::time::Duration;

use faild::config::{Config, Failback};

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

impl Fault {
    /// Some fault that can befall this world.
    pub fn draw(world: &World, random: &mut Random) -> Self {
        let port = random.below(world.ports.len());
        let lan = world.ports[port].lan;
        match random.below(29) {
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
            Fault::Loss(port, loss) => world.ports[port].loss = loss,
            Fault::Delay(port, delay) => world.ports[port].delay = delay,
            Fault::Targets => world.are_targets_dead = true,
            Fault::Lapse(port) => {
                world.ports[port].has_lapsed = true;
                each_lease(world, port, |kernel, lease| kernel.delete_route(lease));
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
            Fault::Renewal(port) => each_lease(world, port, |kernel, lease| kernel.replace_route(lease)),
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
            Fault::Loss(port, _) => world.ports[port].loss = 0.0,
            Fault::Delay(port, _) => world.ports[port].delay = Duration::ZERO,
            Fault::Targets => world.are_targets_dead = false,
            Fault::Lapse(port) | Fault::Withdrawal(port) => {
                (world.ports[port].has_lapsed, world.ports[port].is_contested) = (false, false);
                each_lease(world, port, |kernel, lease| kernel.add_route(lease));
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

    fn disturb(&self, world: &mut World) {
        // Where the last change is not over yet all may seem silent, and then each gets the chance to answer first.
        let is_over = world.now >= world.settled_at;
        let chance = if is_over { Duration::ZERO } else { detection(&world.host.config) };
        world.disturb(self.patience(&world.host.config) + chance);
        let is_unheard =
            matches!(self, Fault::Deleted(_) | Fault::Renamed(_) | Fault::Withdrawal(_) | Fault::Crash(_));
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
    let name = &world.ports[port].plan.name;
    world.leases.iter().any(|lease| lease.interface == *name && lease.protocol == 4)
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

fn come_back(world: &mut World, port: usize) {
    let plan = world.ports[port].plan.clone();
    world.host.kernel.create(&plan);
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
    let lan = &mut world.lans[world.ports[port].lan];
    let std::net::IpAddr::V4(old) = lan.router else { return };
    let [a, b, c, d] = old.octets();
    lan.router = [a, b, c, if d == 1 { 254 } else { 1 }].into();
    let (name, router) = (world.ports[port].plan.name.clone(), lan.router);
    world.leases.iter_mut().filter(|lease| lease.interface == name).for_each(|lease| lease.gateway = router);
    each_lease(world, port, |kernel, lease| kernel.add_route(lease));
}

/// Longest pause between two attempts of the reconciler.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// So long after its start nothing is held against a member of a group by which nothing was ever answered.
const QUIET: Duration = Duration::from_secs(40);
