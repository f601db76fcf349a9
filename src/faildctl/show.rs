//! Answers as text for people: tables for 80 columns.

use std::fmt::Write;
use std::time::Duration;

use super::table::{Cell, Colour, Table};
use crate::control::{
    Event, Health, Lan, LanState, Level, Page, PathSnapshot, PeerSnapshot, Reply, Route, RouteKind, Routes,
    Status,
};
use crate::time::Stamp;

/// Where it is shown.
#[derive(Debug, Clone, Copy)]
pub(super) struct Screen {
    pub(super) is_coloured: bool,
}

impl Screen {
    /// An answer as text; `is_first`: the first answer to a command.
    pub(super) fn text(self, reply: &Reply, is_first: bool) -> String {
        match reply {
            Reply::Status(status) => self.status(status),
            Reply::Lans(lans) => self.lans(lans).text(self.is_coloured),
            Reply::Peers(Page { items, .. }) => self.peers(items, is_first),
            Reply::Routes(routes) => self.routes(routes, is_first),
            Reply::Groups(groups) => self.groups(groups),
            Reply::Targets(targets) => self.targets(targets),
            Reply::Probes(probes) => self.probes(&probes.items, is_first),
            Reply::Events(events) => events.iter().map(|event| self.event(event)).collect(),
            Reply::Why(why) => self.why(why),
            Reply::Plan(rehearsal) => self.rehearsal(rehearsal),
            Reply::Done(words) => format!("{words}\n"),
            Reply::Error(refusal) => format!("{refusal}\n"),
        }
    }

    fn status(self, status: &Status) -> String {
        let health = match status.health {
            Health::Ok => Cell::coloured("ok", Colour::Good),
            Health::Degraded => Cell::coloured("degraded", Colour::Doubtful),
            Health::Failed => Cell::coloured("failed", Colour::Bad),
        };
        let mut head = Table::headless();
        head.row(["faild:".into(), health]);
        let mut text = head.text(self.is_coloured);
        for reason in &status.reasons {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "  {reason}");
        }
        text.push('\n');
        if !status.lans.is_empty() || status.groups.known + status.destinations.known == 0 {
            text.push_str(&self.lans(&status.lans).text(self.is_coloured));
            text.push('\n');
        }
        text.push_str(&watched(status));
        let peers = &status.peers;
        let _ = write!(
            text,
            "peers: {} of {} present, {} with a path down, {} on a detour\n\
             routes: {} overlays, {} saved, {} addresses parked on lo, {} problems\n\
             probes: every {} on each LAN, down after {} missed, up after {} good{}{}\n\
             daemon: version {}, pid {}, up {}, node {}{}\n",
            peers.present,
            peers.known,
            peers.degraded,
            peers.moved,
            status.overlays,
            status.saved,
            status.parked,
            status.problems,
            short(Duration::from_micros(status.interval_us)),
            status.missed,
            status.good,
            if status.keyed { ", signed" } else { "" },
            if status.requestor { "" } else { " (answers only)" },
            status.program,
            status.pid,
            short(Duration::from_millis(status.uptime_ms)),
            status.node,
            if status.dry_run { ", dry run, changes nothing" } else { "" },
        );
        for problem in status.realtime.iter().flat_map(|realtime| &realtime.problems) {
            let (cause, fix) = problem.split_once("; ").unwrap_or((problem, ""));
            let _ = writeln!(text, "realtime: not in force: {cause}");
            if !fix.is_empty() {
                let _ = writeln!(text, "  fix: {fix}");
            }
        }
        if let Some(left) = status.unconfirmed_ms {
            let left = short(Duration::from_millis(left));
            let _ = writeln!(
                text,
                "reload: previous configuration restored in {left} unless confirmed (faildctl confirm)"
            );
        }
        text
    }

    fn lans(self, lans: &[Lan]) -> Table {
        let mut table = Table::new(&["LAN", "STATE", "UP", "DOWN", "UNKNOWN", "ADDRESSES"]);
        for lan in lans {
            let state = match &lan.snapshot.state {
                LanState::Up | LanState::Silent if lan.offline.is_some() => {
                    Cell::coloured("offline", Colour::Doubtful)
                }
                LanState::Up => Cell::coloured("up", Colour::Good),
                LanState::Silent => Cell::coloured("silent", Colour::Bad),
                LanState::NoCarrier => Cell::coloured("no carrier", Colour::Bad),
                LanState::AdminDown => Cell::coloured("admin down", Colour::Bad),
                LanState::Absent => Cell::coloured("absent", Colour::Bad),
                LanState::Renamed(_) => Cell::coloured("renamed", Colour::Bad),
            };
            let addresses: Vec<String> = lan.snapshot.addresses.iter().map(ToString::to_string).collect();
            let count = |n: usize| Cell::from(n.to_string());
            table.row([
                lan.snapshot.interface.as_str().into(),
                state,
                count(lan.paths.up),
                count(lan.paths.down),
                count(lan.paths.unknown),
                addresses.join(" ").into(),
            ]);
        }
        table
    }

    /// One block per peer: people search a list of a thousand peers.
    fn peers(self, peers: &[PeerSnapshot], is_first: bool) -> String {
        let mut text = String::new();
        for (n, peer) in peers.iter().enumerate() {
            let gap = if is_first && n == 0 { "" } else { "\n" };
            let _ = writeln!(text, "{gap}{}", self.peer_head(peer));
            let mut table = Table::headless();
            for path in &peer.paths {
                table.row(path_cells(path));
            }
            for line in table.text(self.is_coloured).lines() {
                let _ = writeln!(text, "  {line}");
            }
            for line in peer.paths.iter().flat_map(detours) {
                let _ = writeln!(text, "  {line}");
            }
        }
        if is_first && peers.is_empty() {
            text.push_str("no peers known yet\n");
        }
        text
    }

    fn peer_head(self, peer: &PeerSnapshot) -> String {
        let address = peer.paths.iter().flat_map(|path| &path.addresses).find(|a| a.proven);
        let label = match (&peer.name, address) {
            (Some(name), _) => name.clone(),
            (None, Some(address)) => address.address.to_string(),
            (None, None) => "unproven".to_owned(),
        };
        let state = match peer.present {
            true => Cell::coloured("present", Colour::Good),
            false => Cell::coloured("absent", Colour::Bad),
        };
        let role = match (peer.requestor, peer.observer) {
            (_, true) => "observer",
            (true, false) => "requestor",
            (false, false) => "responder",
        };
        let mut table = Table::headless();
        let interval = short(peer.interval);
        table.row([
            label.into(),
            state,
            role.into(),
            format!("every {interval}").into(),
            format!("node {}", peer.node).into(),
        ]);
        table.text(self.is_coloured).trim_end().to_owned()
    }

    fn routes(self, routes: &Routes, is_first: bool) -> String {
        let mut text = self.destinations(&routes.destinations);
        text.push_str(&self.route_table(&routes.page.items, is_first));
        text
    }

    fn route_table(self, routes: &[Route], is_first: bool) -> String {
        if routes.is_empty() && is_first {
            return "no overlays, saved routes or problems\n".to_owned();
        }
        let mut table = if is_first { Table::new(&["KIND", "ROUTE"]) } else { Table::headless() };
        for route in routes {
            let (kind, text) = match route.kind {
                RouteKind::Overlay => (Cell::coloured("overlay", Colour::Doubtful), route.text.clone()),
                RouteKind::Saved => (Cell::coloured("saved", Colour::Doubtful), route.text.clone()),
                RouteKind::Parked => (
                    Cell::coloured("parked", Colour::Doubtful),
                    format!("{} {}", route.destination, route.text),
                ),
                RouteKind::Problem => {
                    (Cell::coloured("problem", Colour::Bad), format!("{}: {}", route.destination, route.text))
                }
            };
            table.row([kind, text.into()]);
        }
        table.text(self.is_coloured)
    }

    fn event(self, event: &Event) -> String {
        let colour = match event.level.as_str() {
            "error" => Some(Colour::Bad),
            "warn" => Some(Colour::Doubtful),
            _ => None,
        };
        let name =
            colour.map_or_else(|| event.event.as_str().into(), |c| Cell::coloured(event.event.as_str(), c));
        let mut table = Table::headless();
        let time = Stamp(Duration::from_millis(event.time_ms)).to_string();
        table.row([time.into(), event.level.as_str().into(), name, event.words().into()]);
        table.text(self.is_coloured)
    }
}

/// Groups and destinations, if there are any.
fn watched(status: &Status) -> String {
    let (groups, destinations) = (&status.groups, &status.destinations);
    let mut text = String::new();
    if groups.known > 0 {
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "groups: {}, {} degraded, {} failed",
            groups.known, groups.degraded, groups.failed
        );
    }
    if destinations.known > 0 {
        let _ = writeln!(
            text,
            "destinations: {}, {} with a failed next hop, {} not on the first choice, {} failed",
            destinations.known, destinations.degraded, destinations.moved, destinations.silent
        );
    }
    text
}

fn path_cells(path: &PathSnapshot) -> [Cell; 8] {
    let state = match path.state {
        Level::Up => Cell::coloured("up", Colour::Good),
        Level::Down if path.draining => Cell::coloured("offline", Colour::Doubtful),
        Level::Down => Cell::coloured("down", Colour::Bad),
        Level::Unknown => Cell::coloured("unknown", Colour::Doubtful),
    };
    let moved = match (path.moved, path.peer_moved) {
        (true, true) => "both moved",
        (true, false) => "moved",
        (false, true) => "peer moved",
        (false, false) => "",
    };
    let duration = |label: &str, time: Option<Duration>| {
        time.map_or_else(String::new, |t| format!("{label} {}", short(t)))
    };
    [
        path.interface.as_str().into(),
        path.key.family.to_string().into(),
        state,
        format!("peer: {}", path.reported).into(),
        format!("missed {} good {}", path.missed, path.good).into(),
        duration("rtt", path.round_trip).into(),
        duration("heard", path.heard).into(),
        moved.into(),
    ]
}

/// One line per address that is reached over a detour.
fn detours(path: &PathSnapshot) -> impl Iterator<Item = String> {
    path.addresses.iter().filter_map(|a| {
        let hop = a.detour.as_ref()?;
        Some(format!("{} uses {} via {}", a.address, hop.interface, hop.via))
    })
}

/// A duration with two significant digits.
pub(super) fn short(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0 if time < Duration::from_millis(1) => format!("{}us", time.as_micros()),
        0 if time < Duration::from_millis(10) => format!("{:.1}ms", time.as_secs_f64() * 1e3),
        0 => format!("{}ms", time.as_millis()),
        1..10 => format!("{:.1}s", time.as_secs_f64()),
        10..600 => format!("{seconds}s"),
        600..36_000 => format!("{}min", seconds / 60),
        36_000..864_000 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests;
