//! The answers of the daemon: engine and reconciler in terms of the protocol.

use std::time::Duration;

use super::watched::{Picture, destination, until};
use crate::control::{
    Destination, Health, Lan, LanSnapshot, LanState, Page, Refusal, RefusalKind, Reply, Request, Route,
    RouteKind, Routes, Status, TRIAL,
};
use crate::daemon::clock;
use crate::daemon::edges::{By, Edges, End};
use crate::engine::{Levels, Tally};
use crate::gather::Gather;
use crate::reconcile::{self, Fortune, Override, Trouble, WatchedRoute};
use crate::time::Instant;
use crate::units::{micros, millis};
use crate::watch::{GroupState, RouteSnapshot, Snapshot};
use crate::wire::NodeId;

impl Edges {
    /// Carries out a request and returns the answer.
    pub(in crate::daemon) fn answer(&mut self, now: Instant, request: &Request) -> Reply {
        match request {
            Request::Status {} => Reply::Status(Box::new(self.status(now))),
            Request::Lans {} => Reply::Lans(self.lan_views(&self.core.peers().tally(now))),
            Request::Peers { after } => self.peers(now, after.as_deref()),
            Request::Routes { after } => Reply::Routes(self.routes_page(now, *after)),
            Request::Groups {} => Reply::Groups(self.picture(&self.core.watch().snapshot(now)).groups()),
            Request::Targets { interface } => told(self.targets(now, interface.as_deref())),
            Request::Probes { after } => {
                let (watch, wall) = (self.core.watch().snapshot(now), clock::wall());
                Reply::Probes(self.picture(&watch).probes(now, wall, after.unwrap_or(0)))
            }
            Request::Offline { interface, reason, for_s, force } => {
                told(self.go_offline(now, interface, reason.as_deref(), *for_s, *force))
            }
            Request::Online { interface } => told(self.go_online(now, interface)),
            Request::Failback {} => self.fail_back(now),
            Request::Why { destination } => told(self.why(now, destination)),
            Request::Plan { fail } => told(self.rehearse(now, fail)),
            Request::Events { after, follow: _ } => Reply::Events(match after {
                Some(after) => self.events.after(*after, EVENTS),
                None => self.events.latest(EVENTS),
            }),
            Request::Reload { within_ms } => {
                let within = within_ms.map(Duration::from_millis);
                done(check_trial(within).and_then(|()| self.reload(now, By::Command { within })))
            }
            Request::Confirm {} => done(self.confirm()),
            Request::Stop { keep } => {
                self.end = Some(End { cause: "faildctl", keep: *keep });
                Reply::Done("faild is stopping".to_owned())
            }
        }
    }

    fn status(&self, now: Instant) -> Status {
        let tally = self.core.peers().tally(now);
        let troubles = self.core.reconciler().troubles();
        let lans = self.lan_views(&tally);
        let watch = self.core.watch().snapshot(now);
        let picture = self.picture(&watch);
        let mut kernel = self.kernel_reasons(&troubles);
        kernel.extend(self.core.reconciler().journal_failure().map(journal_reason));
        let (health, reasons) = judge(&tally, &lans, &troubles, &picture, kernel);
        let (groups, destinations) = picture.counts();
        let (received, sent, dropped) = self.core.peers().traffic();
        Status {
            health,
            reasons,
            node: self.core.peers().node().to_string(),
            program: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            uptime_ms: millis::of(now.since(self.started)),
            requestor: self.config.requestor,
            dry_run: self.config.dry_run,
            unconfirmed_ms: self.unconfirmed(now).map(millis::of),
            realtime: Some(self.realtime.view()),
            keyed: !self.config.keys.keys.is_empty(),
            interval_us: micros::of(self.core.peers().interval()),
            missed: self.config.missed.get(),
            good: self.config.good.get(),
            lans,
            peers: tally.peers,
            groups,
            destinations,
            overlays: self.core.reconciler().overlays().count(),
            saved: self.core.reconciler().remembered().count(),
            parked: self.core.reconciler().waiting_addresses().len(),
            problems: troubles.len(),
            received,
            sent,
            dropped: dropped.iter().map(|(reason, count)| (reason.to_string(), *count)).gather(),
        }
    }

    /// Where the kernel's routes and rules defeat a decision.
    fn kernel_reasons(&self, troubles: &[Trouble]) -> Vec<String> {
        let name = |prefix: &ipnet::IpNet| match (prefix.prefix_len(), prefix.addr().is_ipv4()) {
            (0, true) => "default".to_owned(),
            (0, false) => "default6".to_owned(),
            _ => prefix.to_string(),
        };
        let blocked = troubles.iter().filter_map(|trouble| {
            let by = trouble.blocked.as_ref()?;
            Some(format!("{}: `{by}` is in the way: nothing is installed", name(&trouble.group.destination)))
        });
        let watched = self.core.reconciler().watched().routes;
        let overridden = watched.iter().filter_map(|route| {
            let found = route.overridden.as_ref().filter(|found| !found.is_excluded)?;
            Some(format!("{}: {}", name(&route.destination.prefix), overridden_text(found)))
        });
        blocked.take(NAMED).chain(overridden.take(NAMED)).collect()
    }

    fn lan_views(&self, tally: &Tally) -> Vec<Lan> {
        let view = |(lan, paths): &(LanSnapshot, Levels)| Lan {
            snapshot: lan.clone(),
            offline: self.offline.get(&lan.interface).cloned(),
            paths: *paths,
        };
        tally.lans.iter().map(view).collect()
    }

    fn peers(&self, now: Instant, after: Option<&str>) -> Reply {
        let after = match after.map(|text| u64::from_str_radix(text, 16)) {
            Some(Err(_)) => {
                let message =
                    format!("{} is not a node id; use \"more\" from the last page", after.unwrap_or(""));
                return Reply::Error(Refusal { kind: RefusalKind::BadRequest, message });
            }
            Some(Ok(number)) => Some(NodeId(number)),
            None => None,
        };
        let peers = self.core.peers().peers_after(now, after, PEERS);
        let more = peers.last().filter(|_| peers.len() == PEERS).map(|peer| peer.node.to_string());
        Reply::Peers(Page { items: peers, more })
    }

    /// The data behind all views of the watch.
    pub(super) fn picture<'a>(&'a self, watch: &'a Snapshot) -> Picture<'a> {
        Picture { watch, interfaces: self.core.interfaces(), offline: &self.offline }
    }

    fn targets(&self, now: Instant, interface: Option<&str>) -> Result<Reply, Refusal> {
        let watch = self.core.watch().snapshot(now);
        let picture = self.picture(&watch);
        match interface.filter(|name| !picture.is_watched(name)) {
            Some(name) => {
                let message = format!("{name:?} is not an interface of a group or next hop");
                Err(Refusal { kind: RefusalKind::NotFound, message })
            }
            None => Ok(Reply::Targets(picture.targets(interface))),
        }
    }

    fn routes_page(&self, now: Instant, after: usize) -> Routes {
        let standing = if after == 0 { self.core.reconciler().watched().routes } else { Vec::new() };
        let shown = |route: &RouteSnapshot| self.destination(route, &standing, false);
        let destinations = match after {
            0 => self.core.watch().snapshot(now).routes.iter().map(shown).collect(),
            _ => Vec::new(),
        };
        Routes { destinations, page: page(self.routes(), after) }
    }

    /// A destination with its routes in the kernel.
    pub(super) fn destination(
        &self,
        route: &RouteSnapshot,
        standing: &[WatchedRoute],
        with_targets: bool,
    ) -> Destination {
        let text = |route: &Option<std::sync::Arc<crate::route::Route>>| {
            route.as_ref().map(|route| self.core.reconciler().describe_route(route))
        };
        let view = destination(route, with_targets);
        let Some(found) = standing.iter().find(|found| found.destination == route.destination) else {
            return view;
        };
        let left_alone = found.is_left_alone.then(|| LEFT_ALONE.to_owned());
        let overridden = || found.overridden.as_ref().map(overridden_text);
        let problem = found.trouble.as_ref().map(trouble_text).or(left_alone).or_else(overridden);
        Destination { overlay: text(&found.overlay), original: text(&found.foreign), problem, ..view }
    }

    /// Everything that the reconciler has to show, in its order.
    fn routes(&self) -> impl Iterator<Item = Route> {
        let of = move |kind| {
            move |route: &std::sync::Arc<crate::route::Route>| Route {
                kind,
                destination: route.key.destination.to_string(),
                text: self.core.reconciler().describe_route(route),
            }
        };
        let waiting = |w: reconcile::Waiting| Route {
            kind: RouteKind::Parked,
            destination: w.address.to_string(),
            text: format!("dev lo, for {}", w.interface.as_deref().unwrap_or("an unknown interface")),
        };
        let overlays = self.core.reconciler().overlays().map(of(RouteKind::Overlay));
        let remembered = self.core.reconciler().remembered().map(move |(route, fortune)| {
            let route = of(RouteKind::Saved)(route);
            match fortune {
                Fortune::Kept => Route { text: format!("{}, {KEPT}", route.text), ..route },
                Fortune::PutBack | Fortune::Awaited => route,
            }
        });
        let troubles = self.core.reconciler().troubles().into_iter().map(trouble);
        overlays
            .chain(remembered)
            .chain(self.core.reconciler().waiting_addresses().into_iter().map(waiting))
            .chain(troubles)
    }
}

fn done(result: Result<String, Refusal>) -> Reply {
    result.map_or_else(Reply::Error, Reply::Done)
}

fn check_trial(within: Option<Duration>) -> Result<(), Refusal> {
    if within.is_none_or(|within| TRIAL.contains(&within)) {
        return Ok(());
    }
    let message = "within_ms must be 1000 to 3600000 (one second to one hour)".to_owned();
    Err(Refusal { kind: RefusalKind::BadRequest, message })
}

/// The overall verdict, with its reasons. With groups or destinations, a LAN is not required.
fn judge(
    tally: &Tally,
    lans: &[Lan],
    troubles: &[Trouble],
    picture: &Picture<'_>,
    kernel: Vec<String>,
) -> (Health, Vec<String>) {
    let mut reasons = Vec::new();
    reasons.extend(lans.iter().filter_map(lan_reason));
    reasons.extend(picture.reasons());
    reasons.extend(kernel);
    reasons.extend(tally.missing.iter().take(NAMED).map(|name| format!("{name}: no answer on any LAN")));
    if !troubles.is_empty() {
        reasons.push(format!("routes with problems: {}; run faildctl routes", troubles.len()));
    }
    let works = tally.lans.iter().any(|(lan, _)| lan.state == LanState::Up);
    let watch = picture.watch;
    let is_lost = watch.groups.iter().any(|group| group.state == GroupState::Failed)
        || watch.routes.iter().any(|route| route.all_silent);
    let health = match reasons.is_empty() {
        _ if tally.lans.is_empty() && watch.groups.is_empty() && watch.routes.is_empty() => {
            reasons.push("no LAN".to_owned());
            Health::Failed
        }
        _ if is_lost || (!works && !tally.lans.is_empty()) => Health::Failed,
        _ if tally.peers.present == 0 && tally.peers.known > 0 => {
            reasons.push(format!("no peer answers ({} known)", tally.peers.known));
            Health::Failed
        }
        true => Health::Ok,
        false => Health::Degraded,
    };
    (health, reasons)
}

fn journal_reason(refusal: &crate::operation::Refusal) -> String {
    format!(
        "cannot write the journal ({}): no address is parked or removed, and a crash may lose routes; free some space there, or make it writable",
        refusal.text
    )
}

/// What is wrong with a LAN, if anything.
fn lan_reason(lan: &Lan) -> Option<String> {
    let name = &lan.snapshot.interface;
    if let Some(offline) = &lan.offline {
        let until = until(offline.until);
        let reason = if offline.reason.is_empty() { String::new() } else { format!(": {}", offline.reason) };
        return Some(format!("{name}: offline {until}{reason}"));
    }
    match &lan.snapshot.state {
        LanState::Up if lan.paths.down > 0 => Some(format!("{name}: paths down: {}", lan.paths.down)),
        LanState::Up => None,
        LanState::Silent => Some(format!("{name}: no peer answers")),
        LanState::NoCarrier => Some(format!("{name}: no carrier")),
        LanState::AdminDown => Some(format!("{name}: administratively down")),
        LanState::Absent => Some(format!("{name}: no such interface")),
        LanState::Renamed(other) => Some(format!("{name}: renamed to {other}")),
    }
}

fn told(outcome: Result<Reply, Refusal>) -> Reply {
    outcome.unwrap_or_else(Reply::Error)
}

fn trouble(trouble: Trouble) -> Route {
    let destination = trouble.group.destination.to_string();
    Route { kind: RouteKind::Problem, destination, text: trouble_text(&trouble) }
}

/// That the kernel decides otherwise, and the likely cause.
fn overridden_text(found: &Override) -> String {
    let why =
        if found.is_excluded { "its interface is excluded" } else { "a rule or another route comes first" };
    format!("the kernel decides otherwise: {}: {why}", found.kernel)
}

pub(super) fn trouble_text(trouble: &Trouble) -> String {
    match trouble {
        Trouble { blocked: Some(by), .. } => {
            format!("nothing is installed: {by} is in the way")
        }
        Trouble { impossible: true, .. } => "no lower metric is free for an overlay".to_owned(),
        Trouble { refused: Some(errno), .. } => {
            format!("rejected by the kernel: {}", std::io::Error::from_raw_os_error(*errno))
        }
        Trouble { removals, .. } => format!("removed {removals} times by another program"),
    }
}

fn page(routes: impl Iterator<Item = Route>, after: usize) -> Page<Route, usize> {
    let mut items: Vec<Route> = routes.skip(after).take(ROUTES + 1).collect();
    let more = (items.len() > ROUTES).then_some(after + ROUTES);
    items.truncate(ROUTES);
    Page { items, more }
}

/// Why a deleted route is still saved.
const KEPT: &str = "deleted while its interface had no carrier";

/// Why a destination has no overlay although its next hop has failed.
const LEFT_ALONE: &str = "its route belongs to a protocol not listed in route-protocols";

/// Peers of a page: about 40 kB, built in less than a tenth of a millisecond.
const PEERS: usize = 32;

/// Routes of a page.
const ROUTES: usize = 256;

/// Events of an answer: all that are kept.
const EVENTS: usize = 512;

/// How many missing peers are named.
const NAMED: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lan_whose_interface_is_down_is_shown_with_the_reason() {
        let reason = |state: LanState| {
            let (interface, index) = ("lanA".to_owned(), crate::wire::LanIndex(0));
            let (offline, addresses) = (false, Vec::new());
            let snapshot = LanSnapshot { index, interface, state, offline, addresses };
            lan_reason(&Lan { snapshot, offline: None, paths: Levels::default() }).unwrap()
        };
        assert_eq!(reason(LanState::NoCarrier), "lanA: no carrier");
        assert_eq!(reason(LanState::AdminDown), "lanA: administratively down");
        assert_eq!(reason(LanState::Absent), "lanA: no such interface");
        assert_eq!(reason(LanState::Renamed("eth7".to_owned())), "lanA: renamed to eth7");
    }
}
