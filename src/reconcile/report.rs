//! What the engine and people are told, when things have come to rest: one line for each subject, with counts.

use std::collections::{BTreeMap, BTreeSet};

use super::input::Output;
use super::lan::{Choice, SubjectId};
use super::notice::Notice;
use super::overlay::is_link_local;
use super::route::Refusal;
use super::table::Group;
use super::trouble::CONTESTED;
use super::{Reconciler, waiting};
use crate::engine::{NextHop, Outcome, Subject};
use crate::time::Instant;

/// What has happened since the last report. Bounded by the number of subjects.
#[derive(Debug, Clone, Default)]
pub(super) struct Reports {
    /// Subjects whose outcome may have changed.
    touched: BTreeSet<SubjectId>,
    told: BTreeMap<SubjectId, Outcome>,
    laid: BTreeMap<SubjectId, usize>,
    lifted: BTreeMap<Option<SubjectId>, Counted>,
    removed: BTreeMap<SubjectId, Removed>,
    refused: BTreeMap<i32, (Counted, Refusal)>,
    put_back: Counted,
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
    pub(super) fn touch(&mut self, subject: SubjectId) {
        self.touched.insert(subject);
    }

    /// Returns how many have been laid since the last report.
    pub(super) fn laid(&mut self, subject: SubjectId) -> usize {
        let count = self.laid.entry(subject).or_default();
        *count += 1;
        self.touched.insert(subject);
        *count
    }

    pub(super) fn lifted(&mut self, subject: Option<SubjectId>, text: String) {
        self.lifted.entry(subject).or_default().add(text);
        self.touched.extend(subject);
    }

    pub(super) fn removed(&mut self, subject: SubjectId, text: String, removals: u32) {
        let removed = self.removed.entry(subject).or_default();
        removed.counted.add(text);
        removed.removals = removed.removals.max(removals);
        self.touched.insert(subject);
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
        Subject { home: self.lans.name(id.lan).to_owned(), address: id.address }
    }

    /// Nothing is left to do for the moment: say what was done.
    pub(super) fn settle(&mut self, now: Instant) {
        self.report_lifted();
        self.report_put_back();
        self.report_refusals();
        for subject in std::mem::take(&mut self.reports.touched) {
            self.report_outcome(now, subject);
        }
        if self.stopping {
            self.report_left_behind();
            self.write_journal(now);
        } else if self.keeping.is_due(now) {
            self.write_journal(now);
        }
    }

    fn report_outcome(&mut self, now: Instant, id: SubjectId) {
        let Some(choice) = self.subjects.get(&id) else {
            self.reports.told.remove(&id);
            self.reports.laid.remove(&id);
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
        if self.reports.told.get(&id) != Some(&outcome) {
            self.reports.told.insert(id, outcome.clone());
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
        if pausing().any(|(_, t)| t.removals >= CONTESTED) {
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
            && let Some(routes) = self.reports.laid.remove(&id)
        {
            let subject = self.subject_named(id);
            self.notice(Notice::OverlayLaid { subject, way: way.clone(), routes });
        }
    }

    fn report_lifted(&mut self) {
        for (id, Counted { count, first }) in std::mem::take(&mut self.reports.lifted) {
            let subject = id.map(|id| self.subject_named(id));
            self.notice(Notice::OverlayLifted { subject, routes: count, route: first });
        }
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

    /// At once, not at rest: who else acts on the routing table is best found while it happens.
    pub(super) fn report_removals(&mut self) {
        for (id, Removed { counted, removals }) in std::mem::take(&mut self.reports.removed) {
            let subject = self.subject_named(id);
            let Counted { count: routes, first: route } = counted;
            if removals == CONTESTED {
                let (subject, route) = (subject.clone(), route.clone());
                self.notice(Notice::Contested { subject, route, removals });
            }
            self.notice(Notice::OverlayRemovedByOthers { subject, routes, route });
        }
    }

    fn report_left_behind(&mut self) {
        if std::mem::replace(&mut self.left_behind_told, true) {
            return;
        }
        let ipv4 = self.own_routes().filter(|r| r.key.destination.addr().is_ipv4()).count();
        let ipv6 = self.own_routes().count() - ipv4;
        let lo = waiting::loopback(&self.mirror);
        let waiting = lo.into_iter().flat_map(|lo| &lo.addresses).filter(|a| self.is_waiting(a));
        let addresses: Vec<_> = waiting.map(|a| a.prefix).collect();
        if ipv4 + ipv6 + addresses.len() > 0 {
            self.notice(Notice::LeftBehind { ipv4, ipv6, addresses });
        }
    }
}
