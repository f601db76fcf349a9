//! The state of a destination, in words that an administrator understands at three in the morning.

use std::time::Duration;

use super::super::plan::Way;
use super::super::snapshot::{HopSnapshot, HopState, RouteSnapshot};
use super::condition::Condition;
use super::hop::Hop;
use super::notice::FailureCause;
use super::route::Route;
use super::target::{Level, Target};
use crate::config::{Config, Judging, Method};
use crate::failback::Hold;
use crate::interface::{Family, Interface};
use crate::time::Instant;

/// What a snapshot needs in addition to the route.
#[derive(Clone, Copy)]
pub(super) struct View<'a> {
    pub(super) now: Instant,
    pub(super) config: &'a Config,
    pub(super) time_of_day: Option<u32>,
    pub(super) interfaces: &'a [Interface],
}

impl Route {
    pub(super) fn snapshot(&self, view: View<'_>) -> RouteSnapshot {
        RouteSnapshot {
            destination: self.destination(),
            way: self.way().unwrap_or(Way::Undecided),
            all_silent: self.all_silent,
            hops: self.hops.iter().map(|hop| self.hop_snapshot(view, hop)).collect(),
        }
    }

    fn hop_snapshot(&self, view: View<'_>, hop: &Hop) -> HopSnapshot {
        let all = hop.gateway.iter().chain(&hop.targets);
        HopSnapshot {
            interface: hop.interface.clone(),
            via: hop.via,
            rank: hop.rank,
            weight: hop.weight,
            state: hop.verdict,
            in_use: hop.in_use,
            reason: self.reason(view, hop),
            penalty: hop.history.penalty(view.now, view.config).round(),
            targets: all.map(|target| target.snapshot(view.now)).collect(),
        }
    }

    /// The reason for its state, and why it is not in use although it works.
    fn reason(&self, view: View<'_>, hop: &Hop) -> String {
        let mut reason = self.state(view, hop);
        if hop.vanished.is_some() {
            reason.push_str("; its route is gone from the kernel; waiting for it");
        }
        if hop.offline {
            reason.push_str("; its interface is offline (faildctl)");
            if hop.in_use {
                reason.push_str(", but nothing else works");
            }
        } else if hop.verdict == HopState::Up && !hop.in_use {
            reason.push_str(&self.why_not_used(view, hop));
        } else if hop.in_use && matches!(hop.verdict, HopState::Down | HopState::Degraded) {
            reason.push_str("; kept in use because no other is better");
        }
        reason
    }

    fn state(&self, view: View<'_>, hop: &Hop) -> String {
        if let Some(reason) = link_state(view, hop) {
            return reason;
        }
        let judging = &self.config.judging;
        match hop.condition(view.now, judging, false) {
            Condition::Link => "its link is down".to_owned(),
            Condition::Silent { cause, .. } => {
                let shared = hop.verdict != HopState::Down;
                let others = if shared { "; no other next hop answers either; nothing moves" } else { "" };
                format!("{}{others}", silence(hop, judging, cause))
            }
            Condition::Poor(cause) => poor(hop, cause),
            Condition::Works if hop.is_probed() => "works".to_owned(),
            Condition::Works => "its carrier is up; nothing else is monitored".to_owned(),
            Condition::Unknown => unknown(hop, judging),
        }
    }

    fn why_not_used(&self, view: View<'_>, hop: &Hop) -> String {
        match hop.history.holds(view.now, view.config, view.time_of_day).next() {
            Some(Hold::Damped { wait, .. }) => {
                format!("; failed too often; failback suppressed for {} more", seconds(wait))
            }
            Some(Hold::Manual) => "; failback is manual; run faildctl failback".to_owned(),
            Some(Hold::Delay(left)) => format!("; failback in {} (failback delay)", seconds(left)),
            Some(Hold::Window { from, until }) => {
                format!("; failback between {} and {} (failback window)", clock(from), clock(until))
            }
            None if self.hops.iter().any(|other| other.in_use && other.rank < hop.rank) => {
                "; a next hop of lower rank is in use".to_owned()
            }
            None => "; not yet decided".to_owned(),
        }
    }
}

/// What is wrong with the interface, so that nothing can be probed.
fn link_state(view: View<'_>, hop: &Hop) -> Option<String> {
    let interface = view.interfaces.iter().find(|interface| interface.name == hop.interface);
    match interface {
        None => Some("its interface does not exist; waiting for it".to_owned()),
        Some(interface) if !interface.up => Some("its interface is down".to_owned()),
        Some(interface) if !interface.carrier => Some("its interface has no carrier".to_owned()),
        Some(_) if !hop.has_source(view.interfaces) => {
            let target = hop.gateway.first().or(hop.targets.first());
            let family = target.map_or_else(String::new, |t| format!("{} ", Family::of(&t.address)));
            Some(format!("its interface has no {family}source address for probes"))
        }
        Some(_) => None,
    }
}

fn silence(hop: &Hop, judging: &Judging, cause: FailureCause) -> String {
    if cause == FailureCause::TargetsDead {
        let works = hop.targets.iter().filter(|target| target.level == Level::Works).count();
        let (all, needed) = (hop.targets.len(), hop.needed(judging));
        let gateway = if hop.gateway.is_empty() { "" } else { "its gateway answers, but " };
        return format!("{gateway}{works} of {all} targets beyond it answer, {needed} required");
    }
    let missed = hop.gateway.iter().map(|target| target.missed).max().unwrap_or_default();
    let asked: Vec<&str> = hop.gateway.iter().map(method).collect();
    format!("its gateway does not answer {} ({missed} missed)", asked.join(" or "))
}

fn poor(hop: &Hop, cause: FailureCause) -> String {
    let measured = if hop.targets.is_empty() { &hop.gateway } else { &hop.targets };
    let faulty = measured.iter().find(|target| target.quality.fault() == Some(cause));
    let quality = faulty.map(|target| &target.quality);
    if cause == FailureCause::Latency {
        let mean = quality.and_then(|q| q.latency()).unwrap_or_default();
        return format!("answers take {} ms", mean.as_millis());
    }
    format!("{} % of probes lost", quality.and_then(|q| q.loss()).unwrap_or_default())
}

fn unknown(hop: &Hop, judging: &Judging) -> String {
    let is_peer = |t: &Target| t.method == Method::Peer && t.level == Level::Unknown;
    if !hop.gateway.is_empty() && hop.gateway.iter().all(is_peer) {
        return "its gateway is not known as a peer".to_owned();
    }
    let late = hop.gateway.iter().chain(&hop.targets).find_map(|target| target.lateness(judging));
    if let Some(mean) = late.filter(|_| hop.verdict == HopState::Down) {
        let patience = judging.interval.saturating_mul(judging.missed.get());
        return format!(
            "answers take {} ms, later than the {} ms limit",
            mean.as_millis(),
            patience.as_millis()
        );
    }
    if hop.verdict == HopState::Down {
        return format!("answers again; {} consecutive answers needed", judging.good);
    }
    "not yet decided".to_owned()
}

fn method(target: &Target) -> &'static str {
    match target.method {
        Method::Neighbour if target.address.is_ipv4() => "ARP",
        Method::Neighbour => "ND",
        Method::Echo => "ping",
        Method::Peer => "INQ",
    }
}

fn seconds(left: Duration) -> String {
    format!("{} s", left.as_millis().div_ceil(1000))
}

fn clock(seconds: u32) -> String {
    format!("{:02}:{:02}", seconds / 3600, seconds / 60 % 60)
}
