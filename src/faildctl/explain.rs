//! `why` and `plan` as text for people.

use std::fmt::Write;
use std::time::Duration;

use super::show::{Screen, short};
use super::table::{Cell, Colour, Table};
use crate::control::{Decision, GroupAccount, KernelWay, Level, PathAccount, Rehearsal, ServingRoute, Why};

impl Screen {
    pub(super) fn why(self, why: &Why) -> String {
        let mut head = Table::headless();
        head.row(["now:".into(), kernel(&why.kernel).into()]);
        for (label, text) in why.route.iter().flat_map(routes) {
            head.row([label.into(), text.into()]);
        }
        if let Some(rule) = &why.rule {
            head.row(["rule:".into(), format!("[[route]] {}", rule.destination).into()]);
            head.row(["why:".into(), rule.reason.text.as_str().into()]);
            let is_said = |text: &&String| {
                why.route.as_ref().is_some_and(|route| route.problem.as_ref() == Some(*text))
            };
            if let Some(problem) = rule.problem.as_ref().filter(|text| !is_said(text)) {
                head.row(["problem:".into(), problem.as_str().into()]);
            }
        }
        if let Some(account) = &why.group {
            head.row(["group:".into(), name(account).into()]);
            head.row(["why:".into(), account.reason.text.as_str().into()]);
        }
        let Some(decision) = &why.decision else {
            if why.rule.is_none() && why.group.is_none() {
                head.row(["why:".into(), "not managed by faild: the kernel alone decides".into()]);
            }
            return head.text(self.is_coloured) + &self.watched(why);
        };
        let whose = decision.name.clone().unwrap_or_else(|| format!("node {}", decision.node));
        let peer = format!("{whose}, {} on {}", decision.address, decision.home);
        head.row(["peer:".into(), peer.into()]);
        head.row(["why:".into(), decision.reason.text.as_str().into()]);
        let mut text = head.text(self.is_coloured) + &needs(decision) + &self.watched(why);
        for path in &decision.paths {
            // Writing to a string cannot fail.
            let _ = write!(text, "\n{}", self.account(path));
        }
        text
    }

    /// The next hops of the rule, and the group, each with the evidence.
    fn watched(self, why: &Why) -> String {
        let hops = why.rule.as_ref().map(|rule| format!("\n{}", self.hops(&rule.next_hops)));
        let group = why.group.as_ref().map(|account| format!("\n{}", self.group_account(account)));
        hops.into_iter().chain(group).collect()
    }

    pub(super) fn rehearsal(self, rehearsal: &Rehearsal) -> String {
        let mut text = format!("if {}:\n", rehearsal.fault);
        if let Some(note) = &rehearsal.note {
            let _ = writeln!(text, "  {note}");
        }
        let mut table = Table::headless();
        for step in &rehearsal.steps {
            let after = match step.after_ms {
                0 => "  at once".to_owned(),
                ms => format!("  after {}", short(Duration::from_millis(ms))),
            };
            table.row([Cell::coloured(after, Colour::Faint), step.command.as_str().into()]);
        }
        text.push_str(&table.text(self.is_coloured));
        if rehearsal.count > rehearsal.steps.len() {
            let _ = writeln!(text, "  and {} more", rehearsal.count - rehearsal.steps.len());
        }
        text
    }

    fn account(self, path: &PathAccount) -> String {
        let figures = &path.figures;
        let state = match figures.state {
            Level::Up => Cell::coloured("up", Colour::Good),
            Level::Down => Cell::coloured("down", Colour::Bad),
            Level::Unknown => Cell::coloured("unknown", Colour::Doubtful),
        };
        let role = match (figures.is_home, figures.serves) {
            (true, true) => "home, in use",
            (true, false) => "home",
            (false, true) => "detour, in use",
            (false, false) => "",
        };
        let address = figures.address.map(|address| address.to_string()).unwrap_or_default();
        let mut table = Table::headless();
        table.row([figures.interface.as_str().into(), state, address.into(), role.into()]);
        let mut text = table.text(self.is_coloured);
        for line in facts(path) {
            let _ = writeln!(text, "  {line}");
        }
        text
    }
}

fn name(account: &GroupAccount) -> &str {
    if account.group.name.is_empty() { "anonymous: nothing takes over" } else { &account.group.name }
}

fn kernel(way: &KernelWay) -> String {
    match way {
        KernelWay::Local {} => "an address of this host".to_owned(),
        KernelWay::Refused(reason) => format!("rejected by the kernel: {reason}"),
        KernelWay::Leaves { interface, via, source } => {
            let via = via.map(|via| format!(" via {via}")).unwrap_or_default();
            let source = source.map(|source| format!(" from {source}")).unwrap_or_default();
            format!("through {interface}{via}{source}")
        }
    }
}

fn routes(route: &ServingRoute) -> Vec<(&'static str, String)> {
    let gone = if route.original_gone { " (lost with its interface, saved)" } else { "" };
    let original = route.original.as_ref().map(|text| match &route.overlay {
        Some(_) => ("for:", format!("{text}{gone}")),
        None => ("route:", format!("{text}{gone}")),
    });
    let overlay = route.overlay.as_ref().map(|text| ("overlay:", text.clone()));
    let problem = route.problem.as_ref().map(|text| ("problem:", text.clone()));
    overlay.into_iter().chain(original).chain(problem).collect()
}

/// What must happen before failback; empty without a detour.
fn needs(decision: &Decision) -> String {
    let Some(detour) = &decision.detour else { return String::new() };
    if decision.waiting_for.is_empty() {
        return "fails back with the next probe: nothing is in the way\n".to_owned();
    }
    let mut text = format!("stays on {} via {} until:\n", detour.interface, detour.via);
    for need in &decision.waiting_for {
        let _ = writeln!(text, "  - {}", need.text);
    }
    text
}

fn facts(path: &PathAccount) -> Vec<String> {
    let figures = &path.figures;
    let good = figures.good_limit.map_or_else(String::new, |limit| format!(" of {limit}"));
    let mut times =
        format!("missed {} of {}, good {}{good}", figures.missed, figures.missed_limit, figures.good);
    if let Some(round_trip) = figures.round_trip {
        let _ = write!(times, ", rtt {}", short(round_trip));
    }
    if let Some(heard) = figures.heard {
        let _ = write!(times, ", heard {} ago", short(heard));
    }
    let judged = format!(
        "local count {}, peer reports {}; evidence {}",
        figures.counted, figures.reported, path.evidence
    );
    let damped = figures.damped.map(|left| format!(", failback suppressed for {}", short(left)));
    let penalty = format!("penalty {:.0}{}", figures.penalty, damped.unwrap_or_default());
    let unready = match path.unready.as_slice() {
        [] => "ready".to_owned(),
        reasons => {
            let texts: Vec<&str> = reasons.iter().map(|reason| reason.text.as_str()).collect();
            format!("not ready: {}", texts.join("; "))
        }
    };
    let peer = if figures.peer_ready { "the peer is ready" } else { "the peer is not ready" };
    vec![judged, times, format!("{penalty}; {unready}; {peer}")]
}
