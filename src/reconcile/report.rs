//! What the engine and people are told, when things have come to rest: one line for each subject, with counts.

use std::collections::{BTreeMap, BTreeSet};

use super::Reconciler;
use super::cause::{Cause, Owner};
use super::input::Output;
use super::lan::{Choice, SubjectId};
use super::notice::Notice;
use super::table::Group;
use super::trouble::{Blocked, CONTESTED};
use super::wishes::Stand;
use crate::engine::{NextHop, Outcome, Subject};
use crate::gather::Gather;
use crate::interface::is_link_local;
use crate::operation::Refusal;
use crate::route::{Leg, PROTOCOL, Route};
use crate::time::Instant;
use crate::watch::Destination;

/// What has happened since the last report. Bounded by the number of subjects.
#[derive(Debug, Clone, Default)]
pub(super) struct Reports {
    /// Subjects whose outcome may have changed.
    touched: BTreeSet<SubjectId>,
    /// What the engine was told last; `None`: that no overlay stands, as for most.
    told: BTreeMap<SubjectId, Option<Box<Outcome>>>,
    laid: BTreeMap<Cause, usize>,
    lifted: BTreeMap<Option<Cause>, Counted>,
    removed: BTreeMap<Cause, Removed>,
    refused: BTreeMap<i32, (Counted, Refusal)>,
    put_back: Counted,
    /// What people were told keeps overlays out.
    blocked: BTreeMap<Cause, String>,
}

/// A number of things and one of them.
#[derive(Debug, Clone, Default)]
struct Counted {
    count: usize,
    first: String,
}

impl Counted {
    fn add(&mut self, text: String) {
        if self.count == 0 {
            self.first = text;
        }
        self.count += 1;
    }
}

#[derive(Debug, Clone, Default)]
struct Removed {
    counted: Counted,
    removals: u32,
}

impl Reports {
    /// The engine hears of subjects alone.
    pub(super) fn touch(&mut self, cause: Cause) {
        self.touched.extend(cause.subject());
    }

    /// Returns how many have been laid since the last report.
    pub(super) fn laid(&mut self, cause: Cause) -> usize {
        let count = self.laid.entry(cause).or_default();
        *count += 1;
        self.touched.extend(cause.subject());
        *count
    }

    pub(super) fn lifted(&mut self, cause: Option<Cause>, text: String) {
        self.lifted.entry(cause).or_default().add(text);
        self.touched.extend(cause.and_then(Cause::subject));
    }

    pub(super) fn removed(&mut self, cause: Cause, text: String, removals: u32) {
        let removed = self.removed.entry(cause).or_default();
        removed.counted.add(text);
        removed.removals = removed.removals.max(removals);
        self.touched.extend(cause.subject());
    }

    pub(super) fn refused(&mut self, text: String, refusal: Refusal) {
        let (counted, last) =
            self.refused.entry(refusal.errno).or_insert_with(|| (Counted::default(), refusal.clone()));
        counted.add(text);
        *last = refusal;
    }

    pub(super) fn put_back(&mut self, text: String) {
        self.put_back.add(text);
    }
}

impl Reconciler {
    pub(super) fn notice(&mut self, notice: Notice) {
        self.outputs.push_back(Output::Notice(notice));
    }

    pub(super) fn subject_named(&self, id: SubjectId) -> Subject {
        Subject { home: self.lans.name(id.lan).into(), address: id.address }
    }

    /// Nothing is left to do for the moment: say what was done.
    pub(super) fn settle(&mut self, now: Instant) {
        self.report_lifted();
        self.report_put_back();
        self.report_refusals();
        self.report_blocked();
        for subject in std::mem::take(&mut self.reports.touched) {
            self.report_outcome(now, subject);
        }
        self.report_watched();
        if !self.stopping {
            self.ask(now);
        }
        if self.stopping {
            self.report_left_behind();
            self.end_journal(now);
        }
        self.tidy_journal(now);
    }

    fn report_outcome(&mut self, now: Instant, id: SubjectId) {
        let Some(choice) = self.subjects.get(&id) else {
            self.reports.told.remove(&id);
            self.reports.laid.remove(&Cause::Subject(id));
            return;
        };
        let outcome = match *choice {
            Choice::Undecided => {
                self.reports.told.remove(&id);
                return;
            }
            Choice::Detour(way) => {
                let way = NextHop { interface: self.lans.name(way.lan).to_owned(), via: way.via };
                self.detour_outcome(now, id, way)
            }
            Choice::Home => self.home_outcome(id),
        };
        // Not yet at rest: it is looked at again whenever something was done.
        let Some(outcome) = outcome else {
            self.reports.touched.insert(id);
            return;
        };
        self.report_laid(id, &outcome);
        let told = (outcome != Outcome::Lifted).then(|| outcome.clone().into());
        if self.reports.told.get(&id) != Some(&told) {
            self.reports.told.insert(id, told);
            let subject = self.subject_named(id);
            self.outputs.push_back(Output::Outcome(subject, outcome));
        }
    }

    fn detour_outcome(&self, now: Instant, id: SubjectId, way: NextHop) -> Option<Outcome> {
        // No host overlay is laid for a link-local address; it counts as the gateway of routes, if it is one.
        if is_link_local(&id.address) && self.groups_of(id).is_empty() {
            return Some(Outcome::Lifted);
        }
        if self.troubles.is_empty() {
            return Some(Outcome::Applied(way));
        }
        let groups = self.groups_of(id);
        let troubles = || groups.iter().filter_map(|g| self.troubles.get(g).map(|t| (g, t)));
        if let Some(errno) = troubles().find_map(|(_, t)| t.refused) {
            return Some(Outcome::Refused(errno));
        }
        let pausing = || troubles().filter(|(g, _)| !self.troubles.may_try(now, g));
        if pausing().any(|(_, t)| t.removals() >= CONTESTED) {
            return Some(Outcome::Contested);
        }
        if pausing().next().is_some() { None } else { Some(Outcome::Applied(way)) }
    }

    /// Lifted, unless an overlay stays until the route that it stands in for is back, or cannot be lifted.
    fn home_outcome(&self, id: SubjectId) -> Option<Outcome> {
        let none_kept = self.kept.is_empty() && self.troubles.is_empty();
        let is_kept = |group: &Group| {
            self.kept.contains(group) || self.troubles.get(group).is_some_and(|t| t.refused.is_some())
        };
        (none_kept || !self.groups_of(id).iter().any(is_kept)).then_some(Outcome::Lifted)
    }

    fn report_laid(&mut self, id: SubjectId, outcome: &Outcome) {
        if let Outcome::Applied(way) = outcome
            && let Some(routes) = self.reports.laid.remove(&Cause::Subject(id))
        {
            let subject = self.subject_named(id);
            self.notice(Notice::OverlayLaid { subject, way: way.clone(), routes });
        }
    }

    fn report_lifted(&mut self) {
        for (cause, Counted { count, first }) in std::mem::take(&mut self.reports.lifted) {
            let notice = match cause.map(|cause| self.owner(cause)) {
                Some(Owner::Destination(destination)) => {
                    Notice::RouteLifted { destination, by: self.foreign_hops(destination) }
                }
                Some(Owner::Member(interface)) => Notice::MemberLifted { interface, routes: count },
                Some(Owner::Subject(subject)) => {
                    Notice::OverlayLifted { subject: Some(subject), routes: count, route: first }
                }
                None => Notice::OverlayLifted { subject: None, routes: count, route: first },
            };
            self.notice(notice);
        }
    }

    /// What was laid for the watch.
    fn report_watched(&mut self) {
        let all = std::mem::take(&mut self.reports.laid);
        let (subjects, watched) = all.into_iter().partition(|(cause, _)| cause.subject().is_some());
        self.reports.laid = subjects;
        for (cause, routes) in watched {
            match cause {
                Cause::Subject(_) => {}
                Cause::Destination(group) => {
                    let by = self.hops_of(group, |route| route.protocol == PROTOCOL);
                    self.notice(Notice::RouteOverlaid { destination: group.into(), by });
                }
                Cause::Member(lan) => {
                    let by = match self.wishes.stand(lan) {
                        Some(Stand::In(other)) => self.lans.name(other).to_owned(),
                        Some(Stand::Home | Stand::Undecided) | None => "unknown".to_owned(),
                    };
                    let interface = self.lans.name(lan).to_owned();
                    self.notice(Notice::MemberOverlaid { interface, by, routes });
                }
            }
        }
    }

    fn foreign_hops(&self, destination: Destination) -> String {
        let group = Group { table: destination.table, destination: destination.prefix, tos: 0 };
        let untouched = self.view().untouched;
        self.hops_of(group, |route| route.protocol != PROTOCOL && !untouched.holds(route))
    }

    /// `10.0.0.1%eth0` for each leg of the best of such routes in a group.
    fn hops_of(&self, group: Group, wanted: impl Fn(&Route) -> bool) -> String {
        let best = self.mirror.routes().group(group).find(|route| wanted(route));
        let name = |leg: &Leg| match leg.gateway {
            Some(gateway) => format!("{gateway}%{}", self.interface_name(leg.interface)),
            None => self.interface_name(leg.interface),
        };
        best.map_or_else(|| "none".to_owned(), |r| r.legs.iter().map(name).collect::<Vec<_>>().join(","))
    }

    fn report_put_back(&mut self) {
        let Counted { count, first } = std::mem::take(&mut self.reports.put_back);
        if count > 0 {
            self.notice(Notice::RoutePutBack { routes: count, route: first });
        }
    }

    fn report_refusals(&mut self) {
        for (_, (counted, refusal)) in std::mem::take(&mut self.reports.refused) {
            let Counted { count: operations, first: operation } = counted;
            self.notice(Notice::OperationRefused { operations, operation, refusal });
        }
    }

    /// Says once what keeps overlays out, and once that nothing does any more.
    fn report_blocked(&mut self) {
        if self.troubles.is_empty() && self.reports.blocked.is_empty() {
            return;
        }
        let mut blocked: BTreeMap<Cause, (usize, Blocked)> = BTreeMap::new();
        for (_, by) in self.troubles.kept_out().filter(|(_, blocked)| blocked.by.is_some()) {
            blocked.entry(by.cause).or_insert_with(|| (0, by.clone())).0 += 1;
        }
        let pending: BTreeSet<Cause> = self.troubles.kept_out().map(|(_, blocked)| blocked.cause).gather();
        let told = std::mem::take(&mut self.reports.blocked);
        for cause in told.keys().filter(|cause| !pending.contains(cause)) {
            let owner = self.owner(*cause);
            self.notice(Notice::OverlayUnblocked { owner });
        }
        for (cause, (routes, Blocked { route, by, .. })) in blocked {
            let by = by.unwrap_or_default();
            if told.get(&cause) != Some(&by) {
                let owner = self.owner(cause);
                self.notice(Notice::OverlayBlocked { owner, routes, route, by: by.clone() });
            }
            self.reports.blocked.insert(cause, by);
        }
    }

    /// At once, not at rest: who else acts on the routing table is best found while it happens.
    pub(super) fn report_removals(&mut self) {
        for (cause, Removed { counted, removals }) in std::mem::take(&mut self.reports.removed) {
            let owner = self.owner(cause);
            let Counted { count: routes, first: route } = counted;
            if removals == CONTESTED {
                let (owner, route) = (owner.clone(), route.clone());
                self.notice(Notice::Contested { owner, route, removals });
            }
            self.notice(Notice::OverlayRemovedByOthers { owner, routes, route });
        }
    }

    fn report_left_behind(&mut self) {
        if std::mem::replace(&mut self.left_behind_told, true) {
            return;
        }
        let ipv4 = self.own_routes().filter(|r| r.key.destination.addr().is_ipv4()).count();
        let ipv6 = self.own_routes().count() - ipv4;
        let addresses: Vec<_> = self.addresses.parked(&self.mirror).map(|a| a.prefix).collect();
        let tests = self.addresses.standing_tests(&self.mirror);
        let tests: Vec<_> = tests.map(|(interface, address)| (address, interface.name.clone())).collect();
        if ipv4 + ipv6 + addresses.len() + tests.len() > 0 {
            self.notice(Notice::LeftBehind { ipv4, ipv6, addresses, tests });
        }
    }
}
