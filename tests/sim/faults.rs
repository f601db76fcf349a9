//! All that can go wrong, and how it is put right again.

mod draw;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use faild::config::{Config, KeyRing};
use faild::interface::Family;
use ipnet::IpNet;

use crate::kernel::{Moods, RoutePlan};
use crate::network::{LanNumber, NodeNumber, Port, Sort, Weather};
use crate::world::World;
pub use draw::Theme;

/// A fault; strikes at one moment and is over some time later.
#[derive(Debug, Clone)]
pub enum Fault {
    /// A LAN passes nothing, all carriers stay.
    Silence(LanNumber),
    /// A LAN has this weather.
    Storm(LanNumber, Weather),
    /// Nothing passes from the first to the second.
    OneWay(LanNumber, NodeNumber, NodeNumber),
    /// Nobody hears this port.
    Mute(Port),
    /// This port hears nobody.
    Deaf(Port),
    /// Some hosts hear only each other.
    Split(LanNumber, Vec<NodeNumber>),
    /// Broadcasts are dropped.
    StormControl(LanNumber),
    /// The host's firewall drops all probes that come by this port.
    Firewall(Port),
    /// The host is off: nothing on any LAN.
    Dark(NodeNumber),
    /// Two LANs are connected.
    Join(LanNumber, LanNumber),
    /// The cable is out.
    Carrier(Port),
    /// The cable goes out and in, so many times, each phase this long.
    Flap(Port, u32, Duration),
    /// The interface is set down.
    Down(Port),
    /// The interface does not exist.
    Deleted(Port),
    /// The administrator has taken it out of service.
    Offline(Port),
    /// The address is another one.
    Renumber(Port),
    /// The daemon is killed.
    Kill(NodeNumber),
    /// The daemon is killed amid its next operations.
    KillAmid(NodeNumber, u32),
    /// An interface falls, and the daemon is killed before it has heard of that.
    Unseen(Port, Fall, Start),
    /// An interface is set down, and comes back while the daemon is stopped.
    Caught(Port, Caught),
    /// An address is deleted and added again, and another LAN dies in between.
    Parted(Port, Parted),
    /// The daemon ends properly.
    Stop(NodeNumber),
    /// The host reboots.
    Reboot(NodeNumber),
    /// The daemon is stopped for a while.
    Stall(NodeNumber),
    /// The second host bears the first one's node id.
    Clone(NodeNumber, NodeNumber),
    /// The kernel has its moods.
    Moods(NodeNumber, Moods),
    /// The daemon's receive buffer for the kernel's news overflows.
    LostNews(NodeNumber),
    /// Somebody flushes the routes of faild.
    Flush(NodeNumber),
    /// Somebody adds a route.
    ForeignRoute(NodeNumber, RoutePlan),
    /// Somebody deletes a configured route.
    ForeignDelete(NodeNumber, RoutePlan),
    /// A switch starts again behind ports that stay up: nothing passes, and nobody knows his neighbours any more.
    Restart(LanNumber),
    /// A LAN keeps what is sent, so many frames at most, and passes it on when this is over.
    Held(LanNumber, usize),
    /// Of what the first sends to the second, one sort of frames is lost.
    Lossy(LanNumber, NodeNumber, NodeNumber, Sort),
    /// A virtual machine stops, and its clock; its interfaces keep the first frames.
    Pause(NodeNumber),
    /// A machine sleeps, and its clock; its carriers come back last.
    Suspend(NodeNumber),
    /// A virtual machine goes back to where it was when this began, its memory included.
    Rollback(NodeNumber),
    /// One host alone gets other settings.
    Reload(NodeNumber, Change),
    /// An interface has another name.
    Rename(Port),
    /// An address appears at the first port, and moves to the second when half of the time is over.
    MoveAddress(Port, Port),
}

/// How an interface falls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fall {
    /// The cable is out.
    Carrier,
    /// It is set down.
    Down,
    /// It does not exist.
    Deleted,
}

/// How the fall of an interface and the stop of a daemon come together.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Caught {
    /// So long after the fall the daemon is stopped.
    pub pause: Duration,
    /// The part of the time after which the interface is back.
    pub back: f64,
    /// The daemon is killed.
    pub is_killed: bool,
}

/// How an address that comes and goes and the death of a LAN come together.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Parted {
    /// The family of the address.
    pub family: Family,
    /// The LAN that dies.
    pub other: LanNumber,
    /// How long that is dead, and then works from one side only, in turns.
    pub phase: Duration,
    /// So often it does.
    pub times: u32,
    /// The host hears nobody there then; else nobody hears it.
    pub is_deaf: bool,
    /// The part of the time after which the address is back.
    pub back: f64,
}

/// When a daemon that was killed as an interface fell starts again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// While the interface is away.
    Amid,
    /// In the instant in which it returns.
    Before,
    /// When it is back, as if nothing had been.
    After,
}

/// What of its settings a host alone changes.
#[derive(Debug, Clone)]
pub enum Change {
    /// How often it asks.
    Interval(Duration),
    /// Whether it asks.
    Role(bool),
    /// Its keys.
    Keys(KeyRing),
}

impl Fault {
    /// So long it takes at least, if there is time.
    pub fn least(&self) -> Duration {
        if let Fault::Parted(_, parted) = self { parted.least() } else { Duration::ZERO }
    }

    /// Strikes now, and is over after `duration`.
    pub fn strike(self, world: &mut World, duration: Duration) {
        world.note(format_args!("fault for {duration:?}: {self:?}"));
        self.begin(world, duration);
        world.after(duration, move |world| {
            world.note(format_args!("fault over: {self:?}"));
            self.end(world);
        });
    }

    /// Strikes now.
    pub fn begin(&self, world: &mut World, duration: Duration) {
        match self {
            Fault::Silence(lan) => on_lan(world, *lan, |lan| lan.silent = true),
            Fault::Storm(lan, weather) => on_lan(world, *lan, |lan| lan.weather = *weather),
            Fault::OneWay(lan, from, to) => on_lan(world, *lan, |lan| _ = lan.cuts.insert((*from, *to))),
            Fault::Mute(port) => on_lan(world, port.lan, |lan| _ = lan.mute.insert(port.node)),
            Fault::Deaf(port) => on_lan(world, port.lan, |lan| _ = lan.deaf.insert(port.node)),
            Fault::Split(lan, side) => on_lan(world, *lan, |lan| lan.split = side.iter().copied().collect()),
            Fault::StormControl(lan) => on_lan(world, *lan, |lan| lan.filters_broadcast = true),
            Fault::Firewall(port) => on_lan(world, port.lan, |lan| _ = lan.firewalls.insert(port.node)),
            Fault::Dark(node) => on_all(world, |lan| _ = lan.mute.insert(*node) | lan.deaf.insert(*node)),
            Fault::Join(one, other) => {
                world.network.joined.insert((*one.min(other), *one.max(other)));
                world.network_changed("joined");
            }
            Fault::Carrier(port) => world.set_carrier(*port, false),
            Fault::Flap(port, times, phase) => flap(world, *port, duration, (*times, *phase)),
            Fault::Down(port) => world.set_up(*port, false),
            Fault::Offline(port) => world.set_offline(*port, true),
            Fault::Deleted(port) => world.delete_interface(*port),
            Fault::Renumber(port) => renumber(world, *port, true),
            Fault::Kill(node) => world.kill(*node),
            Fault::KillAmid(node, operations) => world.kill_amid_operations(*node, *operations),
            Fault::Unseen(port, fall, start) => {
                fall.fault(*port).begin(world, duration);
                world.kill(port.node);
                if *start == Start::Amid {
                    let node = port.node;
                    world.after(duration / 2, move |world| world.start(node));
                }
            }
            Fault::Caught(port, caught) => caught.begin(world, *port, duration),
            Fault::Parted(port, parted) => parted.begin(world, *port, duration),
            Fault::Stop(node) => world.stop(*node),
            Fault::Reboot(node) => world.reboot(*node, duration),
            Fault::Stall(node) => world.stall(*node, duration),
            Fault::Clone(from, to) => world.clone_disk(*from, *to),
            Fault::Moods(node, moods) => {
                world.meddle(*node, "the kernel gets moods", |n| n.kernel.moods = *moods);
            }
            Fault::LostNews(node) => world.lose_news(*node),
            Fault::Flush(node) => world.meddle(*node, "routes flushed", |n| n.kernel.flush_own()),
            Fault::ForeignRoute(node, plan) => world.foreign_add(*node, plan),
            Fault::ForeignDelete(node, plan) => world.foreign_delete(*node, plan),
            Fault::Restart(lan) => {
                for node in world.numbers() {
                    world.forget_neighbours(Port { node, lan: *lan });
                }
                on_lan(world, *lan, |lan| lan.silent = true);
            }
            Fault::Held(lan, most) => on_lan(world, *lan, |lan| lan.holds = Some(*most)),
            Fault::Lossy(lan, from, to, sort) => {
                on_lan(world, *lan, |lan| _ = lan.losses.insert((*from, *to, *sort)));
            }
            Fault::Pause(node) => world.freeze(*node, true),
            Fault::Suspend(node) => world.freeze(*node, false),
            Fault::Rollback(node) => roll_back_after(world, *node, duration),
            Fault::Reload(node, change) => world.resettle(*node, |config| change.make(config)),
            Fault::Rename(port) => rename(world, *port, true),
            Fault::MoveAddress(from, to) => move_address(world, *from, *to, duration),
        }
    }

    /// Is over.
    pub fn end(&self, world: &mut World) {
        match self {
            Fault::Silence(lan) => on_lan(world, *lan, |lan| lan.silent = false),
            Fault::Storm(lan, _) => on_lan(world, *lan, |lan| lan.weather = Weather::default()),
            Fault::OneWay(lan, from, to) => on_lan(world, *lan, |lan| _ = lan.cuts.remove(&(*from, *to))),
            Fault::Mute(port) => on_lan(world, port.lan, |lan| _ = lan.mute.remove(&port.node)),
            Fault::Deaf(port) => on_lan(world, port.lan, |lan| _ = lan.deaf.remove(&port.node)),
            Fault::Split(lan, _) => on_lan(world, *lan, |lan| lan.split.clear()),
            Fault::StormControl(lan) => on_lan(world, *lan, |lan| lan.filters_broadcast = false),
            Fault::Firewall(port) => on_lan(world, port.lan, |lan| _ = lan.firewalls.remove(&port.node)),
            Fault::Dark(node) => on_all(world, |lan| _ = lan.mute.remove(node) | lan.deaf.remove(node)),
            Fault::Join(one, other) => {
                world.network.joined.remove(&(*one.min(other), *one.max(other)));
                world.network_changed("apart again");
            }
            Fault::Carrier(port) | Fault::Flap(port, ..) => world.set_carrier(*port, true),
            Fault::Down(port) => world.set_up(*port, true),
            Fault::Offline(port) => world.set_offline(*port, false),
            Fault::Deleted(port) => world.create_interface(*port),
            Fault::Renumber(port) => renumber(world, *port, false),
            Fault::Kill(node) | Fault::Stop(node) => world.start(*node),
            Fault::Unseen(port, fall, start) => {
                if *start == Start::Before {
                    world.start(port.node);
                }
                fall.fault(*port).end(world);
                world.start(port.node);
            }
            Fault::Caught(port, _) => {
                world.set_up(*port, true);
                world.start(port.node);
            }
            Fault::Parted(port, parted) => parted.end(world, *port),
            Fault::KillAmid(node, _) => {
                world.nodes[node.index()].dies_after = None;
                world.start(*node);
            }
            Fault::Moods(node, _) => {
                world.meddle(*node, "the kernel is well again", |n| n.kernel.moods = Moods::default());
            }
            Fault::ForeignRoute(node, plan) => world.foreign_delete(*node, plan),
            Fault::ForeignDelete(node, plan) => world.foreign_add(*node, plan),
            Fault::Restart(lan) => on_lan(world, *lan, |lan| lan.silent = false),
            Fault::Held(lan, _) => {
                world.release_lan(*lan);
                world.network_changed("passes on what it kept");
            }
            Fault::Lossy(lan, from, to, sort) => {
                on_lan(world, *lan, |lan| _ = lan.losses.remove(&(*from, *to, *sort)));
            }
            Fault::Pause(node) => world.thaw(*node, false),
            Fault::Suspend(node) => world.thaw(*node, true),
            Fault::Reload(node, change) => {
                let original = world.node(*node).original.clone();
                world.resettle(*node, |config| change.take_back(config, original));
            }
            Fault::Rename(port) => rename(world, *port, false),
            Fault::MoveAddress(from, to) => {
                for port in [from, to] {
                    let prefix = floating(world, *from);
                    prefix.into_iter().for_each(|prefix| world.delete_address(*port, prefix));
                }
            }
            Fault::Reboot(_)
            | Fault::Stall(_)
            | Fault::Clone(..)
            | Fault::LostNews(_)
            | Fault::Flush(_)
            | Fault::Rollback(_) => {}
        }
    }
}

impl Fall {
    /// All that there is.
    pub const ALL: [Fall; 3] = [Fall::Carrier, Fall::Down, Fall::Deleted];

    const fn fault(self, port: Port) -> Fault {
        match self {
            Fall::Carrier => Fault::Carrier(port),
            Fall::Down => Fault::Down(port),
            Fall::Deleted => Fault::Deleted(port),
        }
    }
}

impl Caught {
    fn begin(self, world: &mut World, port: Port, duration: Duration) {
        world.set_up(port, false);
        let (pause, node) = (self.pause.min(duration), port.node);
        world.after(pause, move |world| match self.is_killed {
            true => world.kill(node),
            false => world.stall(node, duration - pause),
        });
        world.after(duration.mul_f64(self.back).max(pause), move |world| world.set_up(port, true));
    }
}

impl Parted {
    /// How long it takes until all of it has happened, and the other LAN has been dead for as long again.
    pub fn least(&self) -> Duration {
        self.phase * (2 * self.times + 2)
    }

    fn begin(self, world: &mut World, port: Port, duration: Duration) {
        if let Some(address) = world.address(port, self.family) {
            let name = world.interface_name(port).to_owned();
            world.meddle(port.node, "address deleted", |node| {
                node.kernel.delete_address(&name, prefix_of(address));
                node.ports[port.lan.index()].stripped = Some(self.family);
            });
        }
        let phases = (0..=2 * self.times).filter(|n| self.phase * (n + 1) < duration);
        for n in phases {
            world.after(self.phase * (n + 1), move |world| self.turn(world, port.node, n % 2 == 0));
        }
        world.after(duration.mul_f64(self.back), move |world| self.give_back(world, port));
    }

    /// The other LAN passes nothing, or only what goes one way.
    fn turn(self, world: &mut World, node: NodeNumber, is_dead: bool) {
        on_lan(world, self.other, |lan| {
            lan.silent = is_dead;
            let side = if self.is_deaf { &mut lan.deaf } else { &mut lan.mute };
            if is_dead {
                side.remove(&node);
            } else {
                side.insert(node);
            }
        });
    }

    /// The last IPv4 address took all routes along; who adds it again puts his routes there again, and waits for the interface
    /// if that is down or gone meanwhile.
    fn give_back(self, world: &mut World, port: Port) {
        const AGAIN: Duration = Duration::from_millis(100);
        let Some(address) = world.address(port, self.family) else { return };
        let name = world.interface_name(port).to_owned();
        if !world.node(port.node).kernel.interface(&name).is_some_and(|interface| interface.up) {
            return world.after(AGAIN, move |world| self.give_back(world, port));
        }
        world.meddle(port.node, "address added", |node| {
            node.kernel.add_address(&name, prefix_of(address));
            node.ports[port.lan.index()].stripped = None;
            let is_gone =
                |plan: &&RoutePlan| plan.interface == name && plan.gateway.is_ipv4() && address.is_ipv4();
            for plan in node.blueprint.routes.iter().filter(is_gone) {
                node.kernel.add_route(plan);
            }
        });
    }

    fn end(self, world: &mut World, port: Port) {
        self.give_back(world, port);
        self.turn(world, port.node, true);
        on_lan(world, self.other, |lan| lan.silent = false);
    }
}

impl Change {
    fn make(&self, config: &mut Config) {
        match self {
            Change::Interval(interval) => config.interval = *interval,
            Change::Role(requestor) => config.requestor = *requestor,
            Change::Keys(keys) => config.keys = keys.clone(),
        }
    }

    fn take_back(&self, config: &mut Config, original: Config) {
        match self {
            Change::Interval(_) => config.interval = original.interval,
            Change::Role(_) => config.requestor = original.requestor,
            Change::Keys(_) => config.keys = original.keys,
        }
    }
}

fn on_lan(world: &mut World, lan: LanNumber, change: impl FnOnce(&mut crate::network::Lan)) {
    change(&mut world.network.lans[lan.index()]);
    world.network_changed("as the fault says");
}

fn on_all(world: &mut World, change: impl FnMut(&mut crate::network::Lan)) {
    world.network.lans.iter_mut().for_each(change);
    world.network_changed("as the fault says");
}

fn flap(world: &mut World, port: Port, duration: Duration, (times, phase): (u32, Duration)) {
    for n in (0..times).filter(|n| phase * (2 * n + 1) < duration) {
        world.after(phase * (2 * n), move |w| w.set_carrier(port, false));
        world.after(phase * (2 * n + 1), move |w| w.set_carrier(port, true));
    }
}

/// Gives a port another address of each family, or its own back. The last IPv4 address takes all routes along; who
/// changes it puts his routes there again.
fn renumber(world: &mut World, port: Port, away: bool) {
    let name = world.interface_name(port).to_owned();
    for family in [Family::V4, Family::V6] {
        let Some(address) = world.address(port, family) else { continue };
        let (own, foreign) = (prefix_of(address), prefix_of(elsewhere(address)));
        let (leaves, comes) = if away { (own, foreign) } else { (foreign, own) };
        world.meddle(port.node, "address changed", |node| {
            node.kernel.delete_address(&name, leaves);
            node.kernel.add_address(&name, comes);
            for plan in node.blueprint.routes.iter().filter(|plan| plan.interface == name) {
                node.kernel.add_route(plan);
            }
        });
    }
}

fn prefix_of(address: IpAddr) -> IpNet {
    IpNet::new_assert(address, if address.is_ipv4() { 16 } else { 64 })
}

/// An address on the same LAN that no host has.
fn elsewhere(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(v4) => Ipv4Addr::from(u32::from(v4) | 0x8000).into(),
        IpAddr::V6(v6) => Ipv6Addr::from(u128::from(v6) | 0x8000).into(),
    }
}

/// The machine is saved now, and is that again when the time is over.
fn roll_back_after(world: &mut World, node: NodeNumber, duration: Duration) {
    let saved = world.save(node);
    world.after(duration, move |world| world.roll_back(node, saved));
}

/// Gives an interface another name, or its own back.
fn rename(world: &mut World, port: Port, away: bool) {
    let name = world.interface_name(port).to_owned();
    let other = match (away, name.strip_prefix("new")) {
        (true, None) => format!("new{name}"),
        (false, Some(own)) => own.to_owned(),
        (true, Some(_)) | (false, None) => return,
    };
    world.rename_interface(port, other);
}

/// An address that floats: given to one port, and later to another.
fn move_address(world: &mut World, from: Port, to: Port, duration: Duration) {
    let Some(prefix) = floating(world, from) else { return };
    world.add_address(from, prefix);
    world.after(duration / 2, move |world| {
        world.delete_address(from, prefix);
        world.add_address(to, prefix);
    });
}

/// The address that floats on the LAN of a port: one for each family.
pub fn floating(world: &World, port: Port) -> Option<IpNet> {
    let family = [Family::V4, Family::V6].into_iter().find(|f| world.address(port, *f).is_some())?;
    Some(match world.address(port, family)? {
        IpAddr::V4(v4) => prefix_of(Ipv4Addr::from(u32::from(v4) & 0xffff_0000 | 0xc8c8).into()),
        IpAddr::V6(v6) => prefix_of(Ipv6Addr::from(u128::from(v6) >> 16 << 16 | 0xc8c8).into()),
    })
}
