//! Two or three hosts on two LANs, all of which run faild.

use std::fmt;
use std::net::IpAddr;

use super::flows::Flow;
use super::model::{FAMILIES, LANS, Model, Node, Place, Process, Route, To};
use super::random::Random;
use super::story::{Story, run};
use super::world::{Asked, Parts, World, ask, both};
use super::{Damping, Timing};
use crate::lab::{Daemon, Family, Host, Lab};

/// What a world is like, as its seed says.
struct Shape {
    hosts: u8,
    /// Whether the second host only answers.
    responder: bool,
    timing: Timing,
    damping: Damping,
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { hosts, responder, timing, damping } = self;
        let roles = if *responder { "requestor/responder" } else { "all requestors" };
        write!(f, "{hosts} hosts on two LANs, {roles}, {timing}, damping {damping:?}")
    }
}

impl Shape {
    fn of(random: &mut Random) -> Self {
        let (hosts, responder) = (*random.pick(&[2, 2, 3]), random.chance(0.5));
        Self { hosts, responder, timing: Timing::of(random), damping: Damping::of(random) }
    }

    fn flags(&self, host: &Host) -> String {
        let role = if self.responder && host.name() == "h2" { "" } else { "-r" };
        let Timing { interval, missed, good } = self.timing;
        let settings = host.configure(self.damping.settings());
        format!("{role} -t {}ms -f {missed} -s {good} -i lanA -i lanB -v {settings}", interval.as_millis())
    }
}

/// Plays the seed for so many steps.
pub(super) fn play(seed: u64, steps: usize) {
    let mut random = Random::new(seed);
    let shape = Shape::of(&mut random);
    let lab = Lab::new(shape.hosts, "AB");
    let hosts = 0..lab.hosts().len();
    let model = Model {
        nodes: hosts.clone().map(|here| node(&lab, here)).collect(),
        cables: Default::default(),
        routers: Vec::new(),
    };
    for (here, host) in lab.hosts().iter().enumerate() {
        for to in [To::Beyond, To::Guarded] {
            both(|family| host.ip(&format!("addr add {} dev lo", address(&lab, here, to, family))));
        }
        LANS.iter().for_each(|lan| run(host, &model.commands(here, *lan)));
    }
    let story = Story::new(seed, &shape);
    let daemons: Vec<Daemon> = lab.hosts().iter().map(|host| host.faild_with(&shape.flags(host))).collect();
    lab.settle(&daemons);
    let on_lo = |here| [To::Service, To::Beyond, To::Guarded].map(|to| both(|f| address(&lab, here, to, f)));
    let parts = Parts {
        timing: shape.timing,
        damped: shape.damping.lasts(),
        model,
        daemons,
        on_lo: hosts.clone().map(|here| on_lo(here).concat()).collect(),
        traffic: hosts.map(|here| ask(&lab.hosts()[here], own(&lab, here), asked(&lab, here))).collect(),
    };
    World::play(&lab, parts, story, steps, &mut random);
}

/// All that is asked for at other hosts.
const DESTINATIONS: [To; 5] = [To::Lan('A'), To::Lan('B'), To::Service, To::Beyond, To::Guarded];

fn own(lab: &Lab, here: usize) -> Vec<IpAddr> {
    DESTINATIONS.map(|to| both(|family| address(lab, here, to, family))).concat()
}

fn asked(lab: &Lab, here: usize) -> Vec<Asked> {
    let mut asked = Vec::new();
    for to in others(lab, here) {
        for (what, family) in DESTINATIONS.into_iter().flat_map(|what| FAMILIES.map(|family| (what, family)))
        {
            let source = if matches!(what, To::Lan(_)) { what } else { To::Service };
            let from = address(lab, here, source, family);
            asked.push(Asked { to, what, flow: Flow { from, to: address(lab, to, what, family) } });
        }
    }
    asked
}

fn others(lab: &Lab, here: usize) -> impl Iterator<Item = usize> + use<> {
    (0..lab.hosts().len()).filter(move |there| *there != here)
}

fn address(lab: &Lab, host: usize, to: To, family: Family) -> IpAddr {
    let (host, number) = (&lab.hosts()[host], host + 1);
    let behind = |net: u8| match family {
        Family::V4 => format!("10.{net}.{number}.1"),
        Family::V6 => format!("fd{net}:{number}::1"),
    };
    match to {
        To::Lan(lan) => host.address(lan, family),
        To::Beyond => behind(99).parse().expect("an address"),
        To::Guarded => behind(98).parse().expect("an address"),
        To::Service | To::World => host.service(family),
    }
}

fn prefix(lab: &Lab, host: usize, to: To, family: Family) -> String {
    let address = address(lab, host, to, family).to_string();
    match (to, family) {
        (To::Service, _) => address,
        (_, Family::V4) => format!("{}0/24", address.trim_end_matches('1')),
        (_, Family::V6) => format!("{}/64", address.trim_end_matches('1')),
    }
}

fn node(lab: &Lab, here: usize) -> Node {
    let host = &lab.hosts()[here];
    let place = |lan| Place::new(host, format!("lan{lan}"), both(|family| host.prefix(lan, family)));
    let pairs = || others(lab, here).flat_map(|there| FAMILIES.map(|family| (there, family)));
    Node {
        places: LANS.map(place),
        process: Process::Running,
        routes: pairs().flat_map(|(there, family)| routes_to(lab, here, there, family)).collect(),
        guarded: pairs().map(|(there, family)| (family, prefix(lab, there, To::Guarded, family))).collect(),
        switch: None,
    }
}

fn routes_to(lab: &Lab, here: usize, there: usize, family: Family) -> [Route; 4] {
    let via = LANS.map(|lan| lab.hosts()[there].address(lan, family));
    let source = Some(lab.hosts()[here].service(family));
    let route = |to, lan, metric| {
        let prefix = prefix(lab, there, to, family);
        Route { family, prefix, to, host: there, lan, via, source, metric, gone: false }
    };
    [
        route(To::Service, 'A', Some(100)),
        route(To::Service, 'B', Some(200)),
        route(To::Beyond, 'A', None),
        route(To::Guarded, 'A', Some(100)),
    ]
}
