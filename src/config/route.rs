//! `[[route]]`: destinations that follow the next hop that works.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

use ipnet::IpNet;

use super::document::{Key, Value};
use super::draft::{Draft, Placed};
use super::fault::{Complaint, Fault, Origin};
use super::file::{missing, nonzero, put};
use super::target::{self, Names, family_text};
use super::{Judging, Limits, Method, Need, NextHopConfig, NextHops, RouteConfig, TargetConfig, value};
use crate::interface::Family;

/// A section before it is held against itself and the others.
#[derive(Debug)]
pub(super) struct RouteDraft {
    destination: Option<IpNet>,
    table: u32,
    hops: Hops,
    judging: Judging,
    targets: Vec<Placed<String>>,
    /// Nothing of it was refused, so that what is missing is really missing.
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
        read: |route, v, _| put(&mut route.judging.window, small::<u16>(v, &WINDOW)),
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
    Key { name: "rank", default: "", read: |hop, v, _| put(&mut hop.rank, small::<u8>(v, &RANK)) },
    Key { name: "weight", default: "1", read: |hop, v, _| put(&mut hop.weight, small::<u8>(v, &WEIGHT)) },
];

/// Reads the sections.
pub(super) fn read(draft: &mut Draft, value: &Value<'_>, faults: &mut Vec<Fault>) -> Result<(), Complaint> {
    for section in value.items("a list of sections; write [[route]] with two brackets", ROUTES)? {
        let before = faults.len();
        let mut route = RouteDraft {
            destination: None,
            table: MAIN,
            hops: Hops::Auto,
            judging: Judging::default(),
            targets: Vec::new(),
            is_sound: false,
        };
        section.read(KEYS, &mut route, faults)?;
        missing(&section, "destination", "names no destination; add destination = \"default\"", faults);
        missing(&section, "next-hops", "names no next hops; add next-hops = \"auto\", or a list", faults);
        route.is_sound = section.is_whole && faults.len() == before;
        draft.routes.push(Placed { origin: section.origin(), value: route });
    }
    Ok(())
}

/// The routes with the addresses of their targets, held against each other.
pub(super) fn finish(
    drafts: Vec<Placed<RouteDraft>>,
    names: &mut Names,
    faults: &mut Vec<Fault>,
) -> Vec<RouteConfig> {
    let mut seen = BTreeMap::new();
    for Placed { origin, value: route } in &drafts {
        let Some(destination) = route.destination else { continue };
        if seen.insert((destination, route.table), ()).is_some() {
            let text = format!(
                "[[route]] {destination} in table {} is there twice; put all next hops into one",
                route.table
            );
            faults.push(Fault::new(origin.clone(), text));
        }
    }
    drafts.into_iter().filter_map(|draft| draft.value.finish(&draft.origin, names, faults)).collect()
}

impl RouteDraft {
    fn finish(self, origin: &Origin, names: &mut Names, faults: &mut Vec<Fault>) -> Option<RouteConfig> {
        let destination = self.destination?;
        let family = Family::of(&destination.addr());
        let hops = if let Hops::Listed(hops) = &self.hops { hops.as_slice() } else { &[] };
        let targets = target::resolve(&self.targets, Some(family), names, faults);
        check_hops(hops, destination, faults);
        check_targets(&targets, hops, destination, faults);
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

    /// What can never come true, or always is.
    fn check_need(&self) -> Option<String> {
        let count = self.targets.len();
        match self.judging.need {
            Need::AtLeast(need) if usize::from(need) > count => Some(format!(
                "[[route]] needs {need} targets of {count}, which never answer; lower need, or add targets"
            )),
            Need::Any | Need::All | Need::AtLeast(_) if count == 0 && self.judging.methods.is_empty() => {
                Some(
                    "[[route]] probes nothing: probe is empty and there are no targets; add one of the two"
                        .to_owned(),
                )
            }
            Need::Any | Need::All | Need::AtLeast(_) => None,
        }
    }
}

/// Next hops that are there twice, or of another family than what they lead to.
fn check_hops(hops: &[Placed<NextHopConfig>], destination: IpNet, faults: &mut Vec<Fault>) {
    let mut seen = BTreeMap::new();
    for Placed { origin, value: hop } in hops {
        if seen.insert((&hop.interface, hop.via), ()).is_some() {
            let text = format!("next hop {} is there twice; remove one", hop_text(hop));
            faults.push(Fault::new(origin.clone(), text));
        }
        if let Some(text) = hop.via.and_then(|via| check_family("next hop", via, destination)) {
            faults.push(Fault::new(origin.clone(), text));
        }
    }
}

/// Targets that tell nothing of what is beyond a next hop.
fn check_targets(
    targets: &[Placed<TargetConfig>],
    hops: &[Placed<NextHopConfig>],
    destination: IpNet,
    faults: &mut Vec<Fault>,
) {
    for Placed { origin, value: TargetConfig { name, address } } in targets {
        let hop = hops.iter().find(|hop| hop.value.via == Some(*address));
        let is_link_local = matches!(address, IpAddr::V6(v6) if v6.is_unicast_link_local());
        let text = if let Some(text) = check_family("target", *address, destination) {
            text
        } else if let Some(hop) = hop {
            format!(
                "target {name} is next hop {}, which probe is for; name a host beyond it, or remove it",
                hop_text(&hop.value)
            )
        } else if is_link_local {
            format!("target {name} is a link-local address, which no router passes on; name a global one")
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
        format!("{what} {address} is {found}, and its destination {destination} {wanted}; name an {wanted} address")
    })
}

/// What can run, and is likely not as it was meant.
pub(super) fn warnings(routes: &[RouteConfig]) -> Vec<String> {
    let mut warnings = Vec::new();
    for route in routes.iter().filter(|route| route.judging.targets.is_empty()) {
        for hop in target::listed(&route.next_hops).iter().filter(|hop| hop.via.is_none()) {
            warnings.push(format!(
                "next hop {} of [[route]] {} has no via and there are no targets: only its link is watched; add targets",
                hop.interface, route.destination
            ));
        }
    }
    warnings
}

/// A next hop in words.
pub(super) fn hop_text(hop: &NextHopConfig) -> String {
    hop.via.map_or_else(|| hop.interface.clone(), |via| format!("{via} on {}", hop.interface))
}

fn table(value: &Value<'_>) -> Result<u32, Complaint> {
    const WANTED: &str = "\"main\" or a number";
    if value.is_text() {
        let is_main = value.text(WANTED)? == "main";
        return if is_main { Ok(MAIN) } else { Err(Complaint::Form { wanted: WANTED }) };
    }
    match value.whole(&(1..=u32::MAX))? {
        LOCAL => Err(Complaint::Other("is the table of the host's own addresses; name another")),
        other => Ok(other),
    }
}

fn read_next_hops(
    route: &mut RouteDraft,
    value: &Value<'_>,
    faults: &mut Vec<Fault>,
) -> Result<(), Complaint> {
    const WANTED: &str = "\"auto\" or a list such as [{ interface = \"eth0\", via = \"192.0.2.1\" }]";
    if value.is_text() {
        let is_auto = value.text(WANTED)? == "auto";
        return if is_auto { Ok(()) } else { Err(Complaint::Form { wanted: WANTED }) };
    }
    let items = value.items(WANTED, NEXT_HOPS)?;
    if items.is_empty() {
        return Err(Complaint::Other("is empty; name at least one next hop, or write \"auto\""));
    }
    let mut hops = Vec::new();
    for (rank, item) in (1..).zip(&items) {
        let mut hop = NextHopConfig { interface: String::new(), via: None, rank, weight: 1 };
        if let Err(complaint) = item.read(NEXT_HOP, &mut hop, faults) {
            faults.push(item.fault(&complaint));
        } else if hop.interface.is_empty() {
            missing(item, "interface", "names no interface; add interface = \"eth0\"", faults);
        } else {
            hops.push(Placed { origin: item.origin(), value: hop });
        }
    }
    route.hops = Hops::Listed(hops);
    Ok(())
}

fn read_methods(route: &mut RouteDraft, value: &Value<'_>, faults: &mut Vec<Fault>) -> Result<(), Complaint> {
    const WANTED: &str = "\"arp\" (or \"nd\"), \"icmp\" or \"inq\"";
    route.judging.methods.clear();
    for item in value.items("a list such as [\"arp\", \"icmp\"]", METHODS)? {
        let method = item.text(WANTED).and_then(|word| match word {
            "arp" | "nd" => Ok(Method::Neighbour),
            "icmp" => Ok(Method::Echo),
            "inq" => Ok(Method::Peer),
            _ => Err(Complaint::Form { wanted: WANTED }),
        });
        match method {
            Ok(method) if route.judging.methods.contains(&method) => {
                faults.push(item.fault(&Complaint::Other("stands there twice; remove one")));
            }
            Ok(method) => route.judging.methods.push(method),
            Err(complaint) => faults.push(item.fault(&complaint)),
        }
    }
    Ok(())
}

fn need(value: &Value<'_>) -> Result<Need, Complaint> {
    const WANTED: &str = "\"any\", \"all\" or a number";
    if value.is_text() {
        return match value.text(WANTED)? {
            "any" => Ok(Need::Any),
            "all" => Ok(Need::All),
            _ => Err(Complaint::Form { wanted: WANTED }),
        };
    }
    small(value, &NEED).map(Need::AtLeast)
}

/// A threshold before its two values are held against each other.
struct LimitsDraft<T> {
    bad: Option<T>,
    good: Option<T>,
}

fn read_loss(route: &mut RouteDraft, value: &Value<'_>, faults: &mut Vec<Fault>) -> Result<(), Complaint> {
    const KEYS: &[Key<LimitsDraft<u8>>] = &[
        Key { name: "bad", default: "", read: |limits, v, _| put(&mut limits.bad, small::<u8>(v, &LOSS)) },
        Key {
            name: "good",
            default: "",
            read: |limits, v, _| put(&mut limits.good, small::<u8>(v, &GOOD_LOSS)),
        },
    ];
    route.judging.loss = limits(value, KEYS, |v| small::<u8>(v, &LOSS), |bad| bad / 2, faults)?;
    Ok(())
}

fn read_latency(route: &mut RouteDraft, value: &Value<'_>, faults: &mut Vec<Fault>) -> Result<(), Complaint> {
    const KEYS: &[Key<LimitsDraft<Duration>>] = &[
        Key { name: "bad", default: "", read: |limits, v, _| put(&mut limits.bad, v.duration(&LATENCY)) },
        Key { name: "good", default: "", read: |limits, v, _| put(&mut limits.good, v.duration(&LATENCY)) },
    ];
    route.judging.latency = limits(value, KEYS, |v| v.duration(&LATENCY), |bad| bad / 2, faults)?;
    Ok(())
}

/// A threshold: `{ bad = .., good = .. }`, or one value, which is the bad one; the good one is half of that then.
fn limits<T: PartialOrd + Copy>(
    value: &Value<'_>,
    keys: &[Key<LimitsDraft<T>>],
    alone: impl Fn(&Value<'_>) -> Result<T, Complaint>,
    half: impl Fn(T) -> T,
    faults: &mut Vec<Fault>,
) -> Result<Option<Limits<T>>, Complaint> {
    if !value.is_table() {
        return alone(value).map(|bad| Some(Limits { bad, good: half(bad) }));
    }
    let before = faults.len();
    let mut limits = LimitsDraft { bad: None, good: None };
    value.read(keys, &mut limits, faults)?;
    match (limits.bad, limits.good) {
        _ if faults.len() > before => Ok(None),
        (None, _) => Err(Complaint::Other("has no bad; add it")),
        (Some(bad), Some(good)) if good > bad => Err(Complaint::Other("has good above bad; lower good")),
        (Some(bad), good) => Ok(Some(Limits { bad, good: good.unwrap_or_else(|| half(bad)) })),
    }
}

/// A whole number of a small range.
fn small<T: TryFrom<u32>>(value: &Value<'_>, range: &RangeInclusive<u32>) -> Result<T, Complaint> {
    let number = value.whole(range)?;
    T::try_from(number).map_err(|_| Complaint::Above { most: range.end().to_string() })
}

/// Sections: each destination is watched by itself, and a host has few that matter so much.
const ROUTES: usize = 64;
/// Next hops of a destination: each is probed with each target.
const NEXT_HOPS: usize = 16;
/// Methods there are.
const METHODS: usize = 3;
/// Ranks: more than there can be next hops, so that gaps may be left.
const RANK: RangeInclusive<u32> = 1..=255;
/// rtnh_hops holds a weight less one in eight bits (rtnetlink(7)).
const WEIGHT: RangeInclusive<u32> = 1..=255;
/// As many as there can be targets.
const NEED: RangeInclusive<u32> = 1..=16;
/// Over fewer probes loss in percent means nothing; more than 1,000 answer too late.
const WINDOW: RangeInclusive<u32> = 5..=1_000;
/// Percent from which on it is bad: no loss at all cannot be.
const LOSS: RangeInclusive<u32> = 1..=100;
/// Percent from which down it is good.
const GOOD_LOSS: RangeInclusive<u32> = 0..=100;
/// Round trips: less than a millisecond is the hosts' own scheduling, more than a minute is no answer.
const LATENCY: RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_secs(60);
/// RT_TABLE_MAIN and RT_TABLE_LOCAL (linux/rtnetlink.h).
const MAIN: u32 = 254;
const LOCAL: u32 = 255;
