//! What the daemon answers: engine and reconciler, put into the words of the protocol.

use std::time::Duration;

use crate::control::{
    Address, Health, Lan, LanState, NextHop, Offline, Page, Path, PathState, Peer, PeerCounts, Refusal,
    RefusalKind, Reply, Request, Route, RouteKind, Status, TRIAL,
};
use crate::daemon::core::{Core, End};
use crate::engine::{self, LanSnapshot, Levels, PathSnapshot, PeerSnapshot, Tally};
use crate::reconcile::Trouble;
use crate::time::{Instant, Stamp};
use crate::wire::{Level, NodeId};

impl Core {
    /// Does what is asked and says how it went.
    pub(in crate::daemon) fn answer(&mut self, now: Instant, request: &Request) -> Reply {
        match request {
            Request::Status {} => Reply::Status(Box::new(self.status(now))),
            Request::Lans {} => Reply::Lans(self.lan_views(&self.engine.tally(now))),
            Request::Peers { after } => self.peers(now, after.as_deref()),
            Request::Routes { after } => Reply::Routes(page(self.routes(), *after)),
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
                done(check_trial(within).and_then(|()| self.reload(now, within)))
            }
            Request::Confirm {} => done(self.confirm()),
            Request::Stop { keep } => {
                self.end = Some(End { cause: "faildctl", keep: *keep });
                Reply::Done("faild ends".to_owned())
            }
        }
    }

    fn status(&self, now: Instant) -> Status {
        let tally = self.engine.tally(now);
        let troubles = self.reconciler.troubles();
        let lans = self.lan_views(&tally);
        let (health, reasons) = judge(&tally, &lans, &troubles);
        let (received, sent, dropped) = self.engine.traffic();
        Status {
            health,
            reasons,
            node: self.engine.node().to_string(),
            program: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            uptime_ms: millis(now.since(self.started)),
            requestor: self.config.requestor,
            dry_run: self.config.dry_run,
            unconfirmed_ms: self.unconfirmed(now).map(millis),
            keyed: !self.config.keys.keys.is_empty(),
            interval_us: micros(self.engine.interval()),
            missed: self.config.missed.get(),
            good: self.config.good.get(),
            lans,
            peers: PeerCounts {
                known: tally.peers,
                present: tally.present,
                degraded: tally.degraded,
                moved: tally.moved,
            },
            overlays: self.reconciler.overlays().count(),
            remembered: self.reconciler.remembered().count(),
            waiting: self.reconciler.waiting_addresses().len(),
            troubles: troubles.len(),
            received,
            sent,
            dropped: dropped.iter().map(|(reason, count)| (reason.to_string(), *count)).collect(),
        }
    }

    fn lan_views(&self, tally: &Tally) -> Vec<Lan> {
        let view =
            |counted: &(LanSnapshot, Levels)| Lan { offline: self.offline_view(counted), ..lan(counted) };
        tally.lans.iter().map(view).collect()
    }

    fn offline_view(&self, (lan, _): &(LanSnapshot, Levels)) -> Option<Offline> {
        let entry = self.offline.get(&lan.interface)?;
        let (since_ms, until_ms) = (millis(entry.since), entry.until.map(millis));
        Some(Offline { reason: entry.reason.clone(), since_ms, until_ms })
    }

    fn peers(&self, now: Instant, after: Option<&str>) -> Reply {
        let after = match after.map(|text| u64::from_str_radix(text, 16)) {
            Some(Err(_)) => {
                let message =
                    format!("{} is no node id; take \"more\" of the last page", after.unwrap_or(""));
                return Reply::Error(Refusal { kind: RefusalKind::BadRequest, message });
            }
            Some(Ok(number)) => Some(NodeId(number)),
            None => None,
        };
        let peers = self.engine.peers_after(now, after, PEERS);
        let more = peers.last().filter(|_| peers.len() == PEERS).map(|peer| peer.node.to_string());
        Reply::Peers(Page { items: peers.iter().map(peer).collect(), more })
    }

    /// All that the reconciler has to show, in its order.
    fn routes(&self) -> impl Iterator<Item = Route> {
        let of = |kind| {
            move |route: &std::sync::Arc<crate::reconcile::Route>| Route {
                kind,
                destination: route.key.destination.to_string(),
                text: self.reconciler.describe_route(route),
            }
        };
        let waiting = |w: crate::reconcile::Waiting| Route {
            kind: RouteKind::Waiting,
            destination: w.address.to_string(),
            text: format!("dev lo, for {}", w.interface.as_deref().unwrap_or("an unknown interface")),
        };
        let overlays = self.reconciler.overlays().map(of(RouteKind::Overlay));
        let remembered = self.reconciler.remembered().map(|(route, _)| route).map(of(RouteKind::Remembered));
        let troubles = self.reconciler.troubles().into_iter().map(trouble);
        overlays
            .chain(remembered)
            .chain(self.reconciler.waiting_addresses().into_iter().map(waiting))
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
    let message = "within_ms is not 1000 to 3600000 (a second to an hour); correct it".to_owned();
    Err(Refusal { kind: RefusalKind::BadRequest, message })
}

/// The verdict on everything, with what it rests on.
fn judge(tally: &Tally, lans: &[Lan], troubles: &[Trouble]) -> (Health, Vec<String>) {
    let mut reasons = Vec::new();
    reasons.extend(lans.iter().filter_map(lan_reason));
    reasons.extend(tally.missing.iter().take(NAMED).map(|name| format!("{name}: not heard on any LAN")));
    if !troubles.is_empty() {
        reasons.push(format!("{} routes are not as wanted: see faildctl routes", troubles.len()));
    }
    let works = tally.lans.iter().any(|(lan, _)| state(lan) == LanState::Up);
    let health = match reasons.is_empty() {
        _ if tally.lans.is_empty() => {
            reasons.push("there is no LAN".to_owned());
            Health::Failed
        }
        _ if !works => Health::Failed,
        _ if tally.present == 0 && tally.peers > 0 => {
            reasons.push(format!("none of {} known peers is heard", tally.peers));
            Health::Failed
        }
        true => Health::Ok,
        false => Health::Degraded,
    };
    (health, reasons)
}

/// What is wrong with a LAN.
fn lan_reason(lan: &Lan) -> Option<String> {
    let name = &lan.interface;
    if let Some(offline) = &lan.offline {
        let until = |ms| format!("until {}", Stamp(Duration::from_millis(ms)));
        let until = offline.until_ms.map_or_else(|| "until told".to_owned(), until);
        let reason = if offline.reason.is_empty() { String::new() } else { format!(": {}", offline.reason) };
        return Some(format!("{name}: offline {until}{reason}"));
    }
    match lan.state {
        LanState::Up if lan.down > 0 => Some(format!("{name}: {} of its paths are down", lan.down)),
        LanState::Up => None,
        LanState::Silent => Some(format!("{name}: everybody is silent there")),
        LanState::NoCarrier => Some(format!("{name}: no carrier")),
    }
}

fn told(outcome: Result<Reply, Refusal>) -> Reply {
    outcome.unwrap_or_else(Reply::Error)
}

const fn state(lan: &LanSnapshot) -> LanState {
    match lan {
        LanSnapshot { running: false, .. } => LanState::NoCarrier,
        LanSnapshot { down: true, .. } => LanState::Silent,
        LanSnapshot { .. } => LanState::Up,
    }
}

fn lan((lan, levels): &(LanSnapshot, Levels)) -> Lan {
    Lan {
        interface: lan.interface.clone(),
        index: lan.index.0,
        state: state(lan),
        offline: None,
        addresses: lan.addresses.clone(),
        up: levels.up,
        down: levels.down,
        unknown: levels.unknown,
    }
}

fn peer(peer: &PeerSnapshot) -> Peer {
    Peer {
        node: peer.node.to_string(),
        name: peer.name.clone(),
        present: !peer.absent,
        requestor: peer.requestor,
        observer: peer.observer,
        interval_us: micros(peer.interval),
        paths: peer.paths.iter().map(path).collect(),
    }
}

fn path(path: &PathSnapshot) -> Path {
    let (counted, reported, verdict) = path.levels;
    let hop = |way: &engine::NextHop| NextHop { interface: way.interface.clone(), via: way.via };
    let address = |(address, proven, way): &(_, _, Option<engine::NextHop>)| Address {
        address: *address,
        proven: *proven,
        way: way.as_ref().map(hop),
    };
    Path {
        interface: path.interface.clone(),
        family: path.key.family.to_string(),
        state: level(verdict),
        drained: path.drained,
        counted: level(counted),
        reported: level(reported),
        missed: path.counts.0,
        good: path.counts.1,
        ready: path.ready.0,
        peer_ready: path.ready.1,
        moved: path.moved.0,
        peer_moved: path.moved.1,
        round_trip_us: path.round_trip.map(micros),
        heard_ms: path.heard.map(millis),
        penalty: path.penalty.round(),
        addresses: path.addresses.iter().map(address).collect(),
    }
}

pub(super) const fn level(level: Level) -> PathState {
    match level {
        Level::Unknown => PathState::Unknown,
        Level::Up => PathState::Up,
        Level::Down => PathState::Down,
    }
}

fn trouble(trouble: Trouble) -> Route {
    let destination = trouble.group.destination.to_string();
    Route { kind: RouteKind::Trouble, destination, text: trouble_text(&trouble) }
}

pub(super) fn trouble_text(trouble: &Trouble) -> String {
    match trouble {
        Trouble { impossible: true, .. } => "nothing can stand in front of the route".to_owned(),
        Trouble { refused: Some(errno), .. } => {
            format!("the kernel refuses it: {}", std::io::Error::from_raw_os_error(*errno))
        }
        Trouble { removals, .. } => format!("others removed it {removals} times"),
    }
}

fn page(routes: impl Iterator<Item = Route>, after: usize) -> Page<Route, usize> {
    let mut items: Vec<Route> = routes.skip(after).take(ROUTES + 1).collect();
    let more = (items.len() > ROUTES).then_some(after + ROUTES);
    items.truncate(ROUTES);
    Page { items, more }
}

pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

pub(super) fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// Peers of a page: about 40 kB of them, made in less than a tenth of a millisecond.
const PEERS: usize = 32;

/// Routes of a page.
const ROUTES: usize = 256;

/// Events of an answer: all that are kept.
const EVENTS: usize = 512;

/// Missing peers that are named.
const NAMED: usize = 8;
