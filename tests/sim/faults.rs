//! All that can go wrong, and how it is put right again.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use faild::interface::Family;
use ipnet::IpNet;

use crate::kernel::{Moods, RoutePlan};
use crate::network::{LanNumber, NodeNumber, Port, Weather};
use crate::random::Random;
use crate::world::{Setup, World};

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
}

/// Which faults a story has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Theme {
    /// LANs that fail silently.
    Lans,
    /// Interfaces and cables.
    Interfaces,
    /// Daemons and hosts.
    Hosts,
    /// Kernels and other programs.
    Kernels,
    /// All of it.
    Everything,
    /// Administrators take interfaces out of service, while LANs, cables and daemons fail.
    Administrators,
}

impl Theme {
    /// The themes of ordinary seeds.
    pub const ALL: [Theme; 5] =
        [Theme::Lans, Theme::Interfaces, Theme::Hosts, Theme::Kernels, Theme::Everything];
}

/// What to strike at.
struct Targets {
    lan: LanNumber,
    other_lan: LanNumber,
    node: NodeNumber,
    other: NodeNumber,
    port: Port,
}

impl Fault {
    /// Some fault of a theme.
    pub fn draw(theme: Theme, world: &World, setup: &Setup, random: &mut Random) -> Fault {
        let lans: Vec<_> = world.network.numbers().collect();
        let nodes = world.numbers();
        let (at, lan_at) = (random.below(nodes.len()), random.below(lans.len()));
        let targets = Targets {
            lan: lans[lan_at],
            other_lan: lans[(lan_at + 1) % lans.len()],
            node: nodes[at],
            other: nodes[(at + 1 + random.below(nodes.len() - 1)) % nodes.len()],
            port: Port { node: nodes[at], lan: lans[lan_at] },
        };
        match theme {
            Theme::Lans => Self::of_lans(&targets, &nodes, setup, random),
            Theme::Interfaces => Self::of_interfaces(&targets, setup, random),
            Theme::Hosts => Self::of_hosts(&targets, random),
            Theme::Kernels => Self::of_kernels(&targets, world, random),
            Theme::Administrators => Self::of_administrators(&targets, setup, random),
            Theme::Everything => Self::draw(Theme::ALL[random.below(4)], world, setup, random),
        }
    }

    fn of_lans(t: &Targets, nodes: &[NodeNumber], setup: &Setup, random: &mut Random) -> Fault {
        match random.below(11) {
            0 | 1 => Fault::Silence(t.lan),
            9 => Fault::Dark(t.node),
            10 => Fault::Firewall(t.port),
            2 => Fault::Storm(t.lan, storm(setup, random)),
            3 | 4 => Fault::OneWay(t.lan, t.node, t.other),
            5 => Fault::Mute(t.port),
            6 => Fault::Deaf(t.port),
            7 => Fault::Split(t.lan, nodes.iter().copied().filter(|_| random.chance(0.5)).collect()),
            _ if random.chance(0.5) => Fault::StormControl(t.lan),
            _ => Fault::Join(t.lan, t.other_lan),
        }
    }

    fn of_interfaces(t: &Targets, setup: &Setup, random: &mut Random) -> Fault {
        let interval = setup.config.interval;
        match random.below(6) {
            0 | 1 => Fault::Carrier(t.port),
            2 => {
                let times = 1 + u32::try_from(random.below(5)).unwrap_or(0);
                Fault::Flap(t.port, times, random.between(interval / 10, interval * 5))
            }
            3 => Fault::Down(t.port),
            4 => Fault::Deleted(t.port),
            _ => Fault::Renumber(t.port),
        }
    }

    /// The faults that leave the addresses and the LANs as they are.
    fn of_administrators(t: &Targets, setup: &Setup, random: &mut Random) -> Fault {
        let interval = setup.config.interval;
        match random.below(10) {
            0..4 => Fault::Offline(t.port),
            4 => Fault::Silence(t.lan),
            5 => Fault::OneWay(t.lan, t.node, t.other),
            6 => Fault::Mute(t.port),
            7 => Fault::Carrier(t.port),
            8 => Fault::Flap(t.port, 2, random.between(interval, interval * 5)),
            _ => Fault::Kill(t.node),
        }
    }

    fn of_hosts(t: &Targets, random: &mut Random) -> Fault {
        match random.below(8) {
            0 | 1 => Fault::Kill(t.node),
            2 => Fault::KillAmid(t.node, 1 + u32::try_from(random.below(4)).unwrap_or(0)),
            3 => Fault::Stop(t.node),
            4 => Fault::Reboot(t.node),
            5 | 6 => Fault::Stall(t.node),
            _ => Fault::Clone(t.node, t.other),
        }
    }

    fn of_kernels(t: &Targets, world: &World, random: &mut Random) -> Fault {
        let chance = |random: &mut Random| if random.chance(0.5) { random.fraction() } else { 0.0 };
        match random.below(5) {
            0 | 1 => Fault::Moods(
                t.node,
                Moods {
                    refusal: chance(random),
                    lost_result: chance(random),
                    lost_notification: chance(random),
                },
            ),
            2 => Fault::LostNews(t.node),
            3 => Fault::Flush(t.node),
            _ => {
                let routes = &world.node(t.node).blueprint.routes;
                match (routes.is_empty(), random.chance(0.5)) {
                    (false, true) => Fault::ForeignDelete(t.node, random.pick(routes).clone()),
                    _ => foreign_route(t, world, random).unwrap_or(Fault::Flush(t.node)),
                }
            }
        }
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
            Fault::Flap(port, times, phase) => flap(world, *port, *times, *phase),
            Fault::Down(port) => world.set_up(*port, false),
            Fault::Offline(port) => world.set_offline(*port, true),
            Fault::Deleted(port) => world.delete_interface(*port),
            Fault::Renumber(port) => renumber(world, *port, true),
            Fault::Kill(node) => world.kill(*node),
            Fault::KillAmid(node, operations) => world.kill_amid_operations(*node, *operations),
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
            Fault::KillAmid(node, _) => {
                world.nodes[node.index()].dies_after = None;
                world.start(*node);
            }
            Fault::Moods(node, _) => {
                world.meddle(*node, "the kernel is well again", |n| n.kernel.moods = Moods::default());
            }
            Fault::ForeignRoute(node, plan) => world.foreign_delete(*node, plan),
            Fault::ForeignDelete(node, plan) => world.foreign_add(*node, plan),
            Fault::Reboot(_) | Fault::Stall(_) | Fault::Clone(..) | Fault::LostNews(_) | Fault::Flush(_) => {}
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

fn flap(world: &mut World, port: Port, times: u32, phase: Duration) {
    for n in 0..times {
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

fn storm(setup: &Setup, random: &mut Random) -> Weather {
    let interval = setup.config.interval;
    let worst_jitter = if random.chance(0.5) { interval / 16 } else { interval * 2 };
    Weather {
        loss: random.fraction() * if random.chance(0.5) { 0.05 } else { 0.9 },
        duplication: random.fraction() * 0.3,
        delay: random.between(Duration::from_micros(50), interval / 16),
        jitter: random.between(Duration::ZERO, worst_jitter),
    }
}

/// A route by some other host that somebody adds while faild runs.
fn foreign_route(t: &Targets, world: &World, random: &mut Random) -> Option<Fault> {
    let gateway = world.address(Port { node: t.other, lan: t.lan }, Family::V4)?;
    let third = u8::try_from(random.below(4)).unwrap_or(0);
    let destination = IpNet::new_assert(Ipv4Addr::new(198, 51, 100, third * 64).into(), 26);
    let interface = world.interface_name(t.port).to_owned();
    let metric = *random.pick(&[0, 10, 100]);
    let plan = RoutePlan { destination, gateway, interface, metric, protocol: 4 };
    Some(Fault::ForeignRoute(t.node, plan))
}
