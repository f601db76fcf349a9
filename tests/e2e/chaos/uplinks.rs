//! A host with two uplinks, whose routers run no faild.

use std::net::IpAddr;

use super::flows::{Flow, Traffic};
use super::model::{FAMILIES, LANS, Model, Node, Place, Process, Route, Router, To};
use super::random::Random;
use super::story::{Story, run};
use super::world::{Asked, Parts, World, ask};
use super::{Damping, Timing};
use crate::lab::{Family, Host, Routed, TARGET, TARGET_V6, Uplinks};

/// Plays the seed for so many steps.
pub(super) fn play(seed: u64, steps: usize) {
    let mut random = Random::new(seed);
    let (timing, damping) = (Timing::of(&mut random), Damping::of(&mut random));
    let uplinks = Uplinks::new(Routed::Not);
    let host = uplinks.host(1);
    let model =
        Model { nodes: vec![node(host)], cables: Default::default(), routers: vec![Router::default(); 2] };
    for place in &model.nodes[0].places {
        place
            .prefixes
            .iter()
            .for_each(|prefix| drop(host.ip(&format!("addr add {prefix} dev {}", place.interface))));
    }
    LANS.iter().for_each(|lan| run(host, &model.commands(0, *lan)));
    let story = Story::new(seed, format_args!("a host with two uplinks, {timing}, damping {damping:?}"));
    let daemon = uplinks.start_with(&settings(timing, damping), "-v");
    let targets: Vec<IpAddr> = [TARGET, TARGET_V6].iter().filter_map(|target| target.parse().ok()).collect();
    let _answers = Traffic::start(uplinks.internet(), targets.clone(), Vec::new());
    let any: Vec<IpAddr> = vec![[0; 4].into(), [0_u16; 8].into()];
    let flows = any.iter().zip(&targets).map(|(from, to)| Flow { from: *from, to: *to });
    let asked = flows.map(|flow| Asked { to: 0, what: To::World, flow }).collect();
    let parts = Parts {
        timing,
        damped: damping.lasts(),
        model,
        daemons: vec![daemon],
        on_lo: vec![Vec::new()],
        traffic: vec![ask(host, any, asked)],
    };
    World::play(&uplinks, parts, story, steps, &mut random);
}

/// Both families by both routers, each with a target beyond.
fn settings(timing: Timing, damping: Damping) -> String {
    let Timing { interval, missed, good } = timing;
    let judged = format!("interval = \"{}ms\"\nmissed = {missed}\ngood = {good}\n", interval.as_millis());
    let section = |family, destination: &str, target: &str| {
        let hop =
            |lan| format!("{{ interface = \"{}\", via = \"{}\" }}", interface(lan), router(lan, family));
        let hops = LANS.map(hop).join(", ");
        format!(
            "[[route]]\ndestination = \"{destination}\"\nnext-hops = [{hops}]\ntargets = [\"{target}\"]\n{judged}"
        )
    };
    let sections = section(Family::V4, "default", TARGET) + &section(Family::V6, "default6", TARGET_V6);
    sections + damping.settings()
}

fn interface(lan: char) -> &'static str {
    if lan == 'A' { "wan0" } else { "wan1" }
}

fn router(lan: char, family: Family) -> IpAddr {
    let address = match (family, lan) {
        (Family::V4, 'A') => "192.0.2.1",
        (Family::V4, _) => "198.51.100.1",
        (Family::V6, _) => "fe80::1",
    };
    address.parse().expect("an address")
}

fn node(host: &Host) -> Node {
    let prefixes = |lan| {
        if lan == 'A' {
            ["192.0.2.10/24", "2001:db8:a::10/64 nodad"]
        } else {
            ["198.51.100.10/24", "2001:db8:b::10/64 nodad"]
        }
    };
    let place = |lan| Place::new(host, interface(lan).to_owned(), prefixes(lan).map(str::to_owned));
    let route = |family: Family, (lan, metric)| Route {
        family,
        prefix: "default".to_owned(),
        to: To::World,
        host: 0,
        lan,
        via: LANS.map(|lan| router(lan, family)),
        source: None,
        metric: Some(metric),
        gone: false,
    };
    Node {
        places: LANS.map(place),
        process: Process::Running,
        routes: FAMILIES
            .iter()
            .flat_map(|family| [('A', 100), ('B', 200)].map(|by| route(*family, by)))
            .collect(),
        guarded: FAMILIES.map(|family| (family, "default".to_owned())).to_vec(),
        switch: None,
    }
}
