//! Which faults strike in a story, and how often each.

use std::net::Ipv4Addr;
use std::time::Duration;

use faild::config::{Key, KeyRing};
use faild::interface::Family;
use ipnet::IpNet;

use super::{Caught, Change, Fall, Fault, Parted, Start};
use crate::kernel::{Moods, RoutePlan};
use crate::network::{LanNumber, NodeNumber, Port, Sort, Weather};
use crate::random::Random;
use crate::world::{Setup, World};

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
            Theme::Hosts => Self::of_hosts(&targets, setup, random),
            Theme::Kernels => Self::of_kernels(&targets, world, random),
            Theme::Administrators => Self::of_administrators(&targets, setup, random),
            Theme::Everything => Self::draw(Theme::ALL[random.below(4)], world, setup, random),
        }
    }

    fn of_lans(t: &Targets, nodes: &[NodeNumber], setup: &Setup, random: &mut Random) -> Fault {
        match random.below(15) {
            11 => Fault::Restart(t.lan),
            12 | 13 => Fault::Held(t.lan, *random.pick(&[50, 200, 500])),
            14 => Fault::Lossy(t.lan, t.node, t.other, *random.pick(&Sort::ALL)),
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
        match random.below(14) {
            10 | 11 => Fault::Caught(t.port, caught(random)),
            12 | 13 => Fault::Parted(t.port, parted(t, setup, random)),
            8 | 9 => {
                let start = *random.pick(&[Start::Amid, Start::Before, Start::After]);
                Fault::Unseen(t.port, *random.pick(&Fall::ALL), start)
            }
            6 => Fault::Rename(t.port),
            7 => Fault::MoveAddress(t.port, Port { node: t.other, ..t.port }),
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

    fn of_hosts(t: &Targets, setup: &Setup, random: &mut Random) -> Fault {
        match random.below(14) {
            8 | 9 => Fault::Pause(t.node),
            10 => Fault::Suspend(t.node),
            11 => Fault::Rollback(t.node),
            12 | 13 => Fault::Reload(t.node, change(setup, random)),
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
}

/// What is found gone is judged a tenth of a second after the fall.
fn caught(random: &mut Random) -> Caught {
    Caught {
        pause: random.between(Duration::ZERO, Duration::from_millis(150)),
        back: random.fraction(),
        is_killed: random.chance(0.3),
    }
}

fn parted(t: &Targets, setup: &Setup, random: &mut Random) -> Parted {
    let slots = setup.config.good.get() + setup.config.missed.get() + 3;
    Parted {
        family: *random.pick(&setup.families),
        other: t.other_lan,
        phase: setup.config.interval * slots,
        times: u32::try_from(random.below(4)).unwrap_or(0),
        is_deaf: random.chance(0.5),
        back: random.fraction(),
    }
}

fn change(setup: &Setup, random: &mut Random) -> Change {
    match random.below(3) {
        0 => {
            let quarters = *random.pick(&[1, 2, 8, 16]);
            let (least, most) = (Duration::from_millis(10), Duration::from_secs(1));
            Change::Interval((setup.config.interval / 4 * quarters).clamp(least, most))
        }
        1 => Change::Role(random.chance(0.5)),
        _ => Change::Keys(rolled_over(&setup.config.keys, random)),
    }
}

/// A key more, to sign with or only to be understood; or none any more.
fn rolled_over(ring: &KeyRing, random: &mut Random) -> KeyRing {
    let mut keys = ring.keys.clone();
    let fresh = Key { id: 8, secret: b"another secret of sixteen bytes".to_vec() };
    match random.below(3) {
        0 => keys.insert(0, fresh),
        1 => keys.push(fresh),
        _ => keys.clear(),
    }
    KeyRing { keys }
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
