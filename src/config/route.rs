//! `[[route]]`: destinations that follow a working next hop.

mod values;

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;

use self::values::{need, read_latency, read_loss, read_methods, read_next_hops, small, table};
use super::document::{Key, Value};
use super::draft::{Draft, Placed};
use super::fault::{Complaint, Fault, Origin};
use super::file::{missing, nonzero, put};
use super::target::{self, Names, family_text};
use super::{
    GroupConfig, Judging, LanConfig, Method, Need, NextHopConfig, NextHops, RouteConfig, TargetConfig, value,
};
use crate::interface::{Family, is_link_local};
use crate::route::MAIN_TABLE;

/// A section before it is checked.
#[derive(Debug)]
pub(super) struct RouteDraft {
    destination: Option<IpNet>,
    table: u32,
    hops: Hops,
    judging: Judging,
    targets: Vec<Placed<String>>,
    /// No part of it was refused, so a missing key is really missing.
    is_sound: bool,
}

#[derive(Debug)]
enum Hops {
    Auto,
    Listed(Vec<Placed<NextHopConfig>>),
}

pub(super) const KEYS: &[Key<RouteDraft>] = &[
    Key {
        name: "destination",
        default: "",
        read: |route, v, _| {
            put(&mut route.destination, v.text("a destination in quotes").and_then(value::destination))
        },
    },
    Key { name: "table", default: "\"main\"", read: |route, v, _| put(&mut route.table, table(v)) },
    Key { name: "next-hops", default: "", read: read_next_hops },
    Key {
        name: "interval",
        default: "\"500ms\"",
        read: |route, v, _| put(&mut route.judging.interval, v.duration(&value::INTERVAL)),
    },
    Key {
        name: "missed",
        default: "3",
        read: |route, v, _| put(&mut route.judging.missed, nonzero(v, &value::MISSED)),
    },
    Key {
        name: "good",
        default: "10",
        read: |route, v, _| put(&mut route.judging.good, nonzero(v, &value::GOOD)),
    },
    Key { name: "probe", default: "[\"arp\"]", read: read_methods },
    Key {
        name: "targets",
        default: "[]",
        read: |route, v, faults| target::read(&mut route.targets, v, faults),
    },
    Key { name: "need", default: "\"any\"", read: |route, v, _| put(&mut route.judging.need, need(v)) },
    Key { name: "loss", default: "", read: read_loss },
    Key { name: "latency", default: "", read: read_latency },
    Key {
        name: "window",
        default: "50",
        read: |route, v, _| put(&mut route.judging.window, small::<u16>(v, &values::WINDOW)),
    },
];

pub(super) const NEXT_HOP: &[Key<NextHopConfig>] = &[
    Key {
        name: "interface",
        default: "",
        read: |hop, v, _| put(&mut hop.interface, value::interface_name(v.text("a name in quotes")?)),
    },
    Key {
        name: "via",
        default: "",
        read: |hop, v, _| put(&mut hop.via, value::host_address(v.text("an address in quotes")?)),
    },
    Key { name: "rank", default: "", read: |hop, v, _| put(&mut hop.rank, small::<u8>(v, &values::RANK)) },
    Key {
        name: "weight",
        default: "1",
        read: |hop, v, _| put(&mut hop.weight, small::<u8>(v, &values::WEIGHT)),
    },
];

/// Reads the sections.
pub(super) fn read(draft: &mut Draft, value: &Value<'_>, faults: &mut Vec<Fault>) -> Result<(), Complaint> {
    for section in value.items("a list of sections; write [[route]] with two brackets", ROUTES)? {
        let before = faults.len();
        let mut route = RouteDraft {
            destination: None,
            table: MAIN_TABLE,
            hops: Hops::Auto,
            judging: Judging::default(),
            targets: Vec::new(),
            is_sound: false,
        };
        section.read(KEYS, &mut route, faults)?;
        missing(&section, "destination", "has no destination; add destination = \"default\"", faults);
        missing(&section, "next-hops", "has no next hops; add next-hops = \"auto\", or a list", faults);
        route.is_sound = section.is_whole && faults.len() == before;
        draft.routes.push(Placed { origin: section.origin(), value: route });
    }
    Ok(())
}

/// The routes with the addresses of their targets, checked against each other.
pub(super) fn finish(
    drafts: Vec<Placed<RouteDraft>>,
    lans: &[Placed<LanConfig>],
    names: &mut Names,
    faults: &mut Vec<Fault>,
) -> Vec<RouteConfig> {
    let mut seen = BTreeMap::new();
    for Placed { origin, value: route } in &drafts {
        let Some(destination) = route.destination else { continue };
        if seen.insert((destination, route.table), ()).is_some() {
            let text = format!(
                "[[route]] {destination} in table {} is listed twice; put all next hops into one section",
                route.table
            );
            faults.push(Fault::new(origin.clone(), text));
        }
    }
    for route in drafts.iter().filter(|draft| draft.value.judging.methods == [Method::Peer]) {
        faults.extend(route.value.hops().iter().filter_map(|hop| check_lan(hop, lans)));
    }
    drafts.into_iter().filter_map(|draft| draft.value.finish(&draft.origin, names, faults)).collect()
}

impl RouteDraft {
    fn hops(&self) -> &[Placed<NextHopConfig>] {
        if let Hops::Listed(hops) = &self.hops { hops } else { &[] }
    }

    fn finish(self, origin: &Origin, names: &mut Names, faults: &mut Vec<Fault>) -> Option<RouteConfig> {
        let destination = self.destination?;
        let family = Family::of(&destination.addr());
        let targets = target::resolve(&self.targets, Some(family), names, faults);
        check_hops(self.hops(), destination, faults);
        check_targets(&targets, self.hops(), destination, faults);
        if self.is_sound {
            faults.extend(self.check_need().map(|text| Fault::new(origin.clone(), text)));
        }
        let judging =
            Judging { targets: targets.into_iter().map(|target| target.value).collect(), ..self.judging };
        let next_hops = match self.hops {
            Hops::Auto => NextHops::Auto,
            Hops::Listed(hops) => NextHops::Listed(hops.into_iter().map(|hop| hop.value).collect()),
        };
        Some(RouteConfig { destination, table: self.table, next_hops, judging })
    }

    /// A condition that can never be true, or always is.
    fn check_need(&self) -> Option<String> {
        let count = self.targets.len();
        match self.judging.need {
            Need::AtLeast(need) if usize::from(need) > count => Some(format!(
                "[[route]] has need = {need}, more than the number of targets ({count}); lower need, or add targets"
            )),
            Need::Any | Need::All | Need::AtLeast(_) if count == 0 && self.judging.methods.is_empty() => {
                Some(
                    "[[route]] probes nothing: probe is empty and there are no targets; set one of them"
                        .to_owned(),
                )
            }
            Need::Any | Need::All | Need::AtLeast(_) => None,
        }
    }
}

/// Next hops that are listed twice, or of another family than their destination.
fn check_hops(hops: &[Placed<NextHopConfig>], destination: IpNet, faults: &mut Vec<Fault>) {
    let mut seen = BTreeMap::new();
    for Placed { origin, value: hop } in hops {
        if seen.insert((&hop.interface, hop.via), ()).is_some() {
            let text = format!("next hop {} is listed twice; remove one", hop_text(hop));
            faults.push(Fault::new(origin.clone(), text));
        }
        if let Some(text) = hop.via.and_then(|via| check_family("next hop", via, destination)) {
            faults.push(Fault::new(origin.clone(), text));
        }
    }
}

/// A next hop that is only probed as a peer, on an interface that is not a LAN.
fn check_lan(hop: &Placed<NextHopConfig>, lans: &[Placed<LanConfig>]) -> Option<Fault> {
    let name = &hop.value.interface;
    let is_lan = lans.iter().any(|lan| lan.value.interface == *name);
    (!is_lan).then(|| {
        let text =
            format!("next hop on {name} is probed by INQ only, but {name} is not a LAN; add a [[lan]] for it, or another probe");
        Fault::new(hop.origin.clone(), text)
    })
}

/// Targets that show nothing about the network beyond a next hop.
fn check_targets(
    targets: &[Placed<TargetConfig>],
    hops: &[Placed<NextHopConfig>],
    destination: IpNet,
    faults: &mut Vec<Fault>,
) {
    for Placed { origin, value: TargetConfig { name, address } } in targets {
        let hop = hops.iter().find(|hop| hop.value.via == Some(*address));
        let text = if let Some(text) = check_family("target", *address, destination) {
            text
        } else if let Some(hop) = hop {
            format!(
                "target {name} is next hop {} itself, which is checked by probe; use a host beyond it, or remove it",
                hop_text(&hop.value)
            )
        } else if is_link_local(address) {
            format!("target {name} is a link-local address, which routers do not forward; use a global one")
        } else {
            continue;
        };
        faults.push(Fault::new(origin.clone(), text));
    }
}

fn check_family(what: &str, address: IpAddr, destination: IpNet) -> Option<String> {
    let (found, wanted) = (Family::of(&address), Family::of(&destination.addr()));
    (found != wanted).then(|| {
        let (found, wanted) = (family_text(found), family_text(wanted));
        format!("{what} {address} is {found}, but its destination {destination} is {wanted}; use an {wanted} address")
    })
}

/// Valid settings that are probably not what was meant.
pub(super) fn warnings(routes: &[RouteConfig], groups: &[GroupConfig]) -> Vec<String> {
    // With a next hop on each member it is intended.
    let is_alone = |name: &String, route: &RouteConfig| {
        let has_hop = |name: &String| route.next_hops.listed().iter().any(|hop| hop.interface == *name);
        groups.iter().filter(|group| !group.name.is_empty()).map(|group| &group.members).any(|members| {
            members.iter().any(|m| m.interface == *name) && !members.iter().all(|m| has_hop(&m.interface))
        })
    };
    let warning = |hop: &NextHopConfig, route: &RouteConfig| {
        let (name, destination) = (&hop.interface, route.destination);
        if hop.via.is_none() && route.judging.targets.is_empty() {
            Some(format!(
                "next hop {name} of [[route]] {destination} has no via and no targets, so only its carrier is monitored; \
                 add targets"
            ))
        } else if is_alone(name, route) {
            Some(format!(
                "next hop {} of [[route]] {destination} uses a member of a [[group]] and fails with it; leave the subnet's \
                 routes to the group, or add a next hop on each member",
                hop_text(hop)
            ))
        } else {
            None
        }
    };
    routes
        .iter()
        .flat_map(|route| route.next_hops.listed().iter().filter_map(move |h| warning(h, route)))
        .collect()
}

/// A next hop as text.
pub(super) fn hop_text(hop: &NextHopConfig) -> String {
    hop.via.map_or_else(|| hop.interface.clone(), |via| format!("{via} on {}", hop.interface))
}

/// Sections: each destination is monitored separately, and a host has few that matter that much.
const ROUTES: usize = 64;

#[cfg(test)]
mod tests;
