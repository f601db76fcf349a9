//! The values of the keys of `[[route]]`.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::{Hops, NEXT_HOP, RouteDraft};
use crate::config::document::{Key, Value};
use crate::config::draft::Placed;
use crate::config::fault::{Complaint, Fault};
use crate::config::file::{missing, put};
use crate::config::{Limits, Method, Need, NextHopConfig};
use crate::route::MAIN_TABLE;

/// The number of a table.
pub(super) fn table(value: &Value<'_>) -> Result<u32, Complaint> {
    const WANTED: &str = "\"main\" or a number";
    if value.is_text() {
        let is_main = value.text(WANTED)? == "main";
        return if is_main { Ok(MAIN_TABLE) } else { Err(Complaint::Form { wanted: WANTED }) };
    }
    match value.whole(&(1..=u32::MAX))? {
        LOCAL => Err(Complaint::Other("is the table of the host's own addresses; use another")),
        other => Ok(other),
    }
}

pub(super) fn read_next_hops(
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
        return Err(Complaint::Other("is empty; list at least one next hop, or write \"auto\""));
    }
    let mut hops = Vec::new();
    for (rank, item) in (1..).zip(&items) {
        let mut hop = NextHopConfig { interface: String::new(), via: None, rank, weight: 1 };
        if let Err(complaint) = item.read(NEXT_HOP, &mut hop, faults) {
            faults.push(item.fault(&complaint));
        } else if hop.interface.is_empty() {
            missing(item, "interface", "has no interface; add interface = \"eth0\"", faults);
        } else {
            hops.push(Placed { origin: item.origin(), value: hop });
        }
    }
    route.hops = Hops::Listed(hops);
    Ok(())
}

pub(super) fn read_methods(
    route: &mut RouteDraft,
    value: &Value<'_>,
    faults: &mut Vec<Fault>,
) -> Result<(), Complaint> {
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
                faults.push(item.fault(&Complaint::Other("is listed twice; remove one")));
            }
            Ok(method) => route.judging.methods.push(method),
            Err(complaint) => faults.push(item.fault(&complaint)),
        }
    }
    Ok(())
}

pub(super) fn need(value: &Value<'_>) -> Result<Need, Complaint> {
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

/// A threshold before its two values are compared.
struct LimitsDraft<T> {
    bad: Option<T>,
    good: Option<T>,
}

pub(super) fn read_loss(
    route: &mut RouteDraft,
    value: &Value<'_>,
    faults: &mut Vec<Fault>,
) -> Result<(), Complaint> {
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

pub(super) fn read_latency(
    route: &mut RouteDraft,
    value: &Value<'_>,
    faults: &mut Vec<Fault>,
) -> Result<(), Complaint> {
    const KEYS: &[Key<LimitsDraft<Duration>>] = &[
        Key { name: "bad", default: "", read: |limits, v, _| put(&mut limits.bad, v.duration(&LATENCY)) },
        Key { name: "good", default: "", read: |limits, v, _| put(&mut limits.good, v.duration(&LATENCY)) },
    ];
    route.judging.latency = limits(value, KEYS, |v| v.duration(&LATENCY), |bad| bad / 2, faults)?;
    Ok(())
}

/// A threshold: `{ bad = .., good = .. }`, or one value for `bad`; `good` is then half of it.
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

/// A whole number in a small range.
pub(super) fn small<T: TryFrom<u32>>(value: &Value<'_>, range: &RangeInclusive<u32>) -> Result<T, Complaint> {
    let number = value.whole(range)?;
    T::try_from(number).map_err(|_| Complaint::Above { most: range.end().to_string() })
}

/// Next hops of a destination: each is probed with each target.
const NEXT_HOPS: usize = 16;
/// The number of methods.
const METHODS: usize = 3;
/// Ranks: more than there can be next hops, so that gaps may be left.
pub(super) const RANK: RangeInclusive<u32> = 1..=255;
/// rtnh_hops holds a weight less one in eight bits (rtnetlink(7)).
pub(super) const WEIGHT: RangeInclusive<u32> = 1..=255;
/// As many as there can be targets.
const NEED: RangeInclusive<u32> = 1..=16;
/// With fewer probes, loss in percent means nothing; more than 1,000 react too late.
pub(super) const WINDOW: RangeInclusive<u32> = 5..=1_000;
/// Percent at which it becomes bad: zero loss cannot be bad.
const LOSS: RangeInclusive<u32> = 1..=100;
/// Percent at which it becomes good again.
const GOOD_LOSS: RangeInclusive<u32> = 0..=100;
/// Round trips: below a millisecond the hosts' own scheduling dominates, more than a minute counts as no answer.
const LATENCY: RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_secs(60);
/// RT_TABLE_LOCAL (linux/rtnetlink.h).
const LOCAL: u32 = 255;
