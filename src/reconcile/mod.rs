//! Reconcile: the engine's plan against a mirror of the kernel; the difference becomes operations.
//!
//! A detour of a subject becomes a host overlay and an overlay for each route whose gateway the subject is. Nothing
//! that faild did not make is changed or deleted.
//!
//! ```text
//! Plan ----------> subjects --+
//! Interfaces ----> lans ------+--> groups of routes  --> wanted  --diff--> steps --> Apply (a batch at a time)
//! dumps, hints --> mirror ----+    that may differ       (overlay)           ^         |
//!                  originals -+    (work)                                    |         |
//!                  restoring ----> addresses: parked, put back, tests -------+         |
//!        mirror, troubles, outcomes for the engine <------------- Results -------------+
//! ```
//!
//! Work is kept as a set of groups to look at, never as a queue of operations: what is to be done is computed when it
//! can be done, from what is known then; what is learned before the kernel is asked withdraws what it touches. So the
//! memory is bounded by the routes, and nothing stale is carried out.
//!
//! Calling contract: as the engine's; after [`Reconciler::new`] drain the outputs as well.

mod addresses;
mod asking;
mod backoff;
mod batches;
mod cause;
mod describe;
mod diff;
mod dumps;
mod fate;
mod found;
mod input;
mod inputs;
mod journal;
mod keeping;
mod lan;
mod lans;
mod lead;
pub mod mirror;
mod notice;
mod order;
mod originals;
mod overlay;
mod place;
mod reconfigure;
mod report;
mod restoring;
mod results;
mod serving;
mod source;
mod state;
mod step;
mod table;
#[cfg(test)]
mod tests;
mod text;
mod trouble;
mod wan;
mod watched;
mod wishes;
mod work;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

pub use asking::{Override, Question};
pub use cause::Owner;
pub use describe::describe;
pub use input::{Dump, Input, JournalWrite, Output};
pub use keeping::LastRun;
pub use mirror::{Mirror, Notification};
pub use notice::Notice;
pub use serving::Serving;
pub use state::{Fortune, Trouble, Waiting};
pub use step::{Batch, Results};
pub use table::{Group, RouteTable};
pub use watched::{Watched, WatchedRoute};
pub use wishes::Scope;

use crate::config::{Config, Exit};
use crate::gather::Gather;
use crate::interface::InterfaceIndex;
use crate::route::{MAIN_TABLE, PROTOCOL, Route};
use crate::time::Instant;

use addresses::Addresses;
use cause::Cause;
use dumps::Dumps;
use found::Findings;
use lan::{Choice, LanId, SubjectId};
use lans::Lans;
use originals::Originals;
use overlay::View;
use report::Reports;
use restoring::Restoring;
use trouble::Troubles;
use wishes::{Stand, Wishes};
use work::Work;

/// What of the configuration concerns routes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Protocol numbers (rtnetlink(7)) of the routes that follow their gateway.
    pub protocols: BTreeSet<u8>,
    /// Names of interfaces that the administrator has excluded: nothing stands in front of routes by them.
    pub excluded: BTreeSet<String>,
    /// What becomes of overlays at the end.
    pub exit: Exit,
    /// Somebody named the LANs; otherwise they were chosen by themselves.
    pub lans_named: bool,
    /// There are destinations or groups: the watch has a say.
    pub watches: bool,
}

impl From<&Config> for Settings {
    fn from(config: &Config) -> Self {
        let protocols = config.route_protocols.iter().copied().filter(|p| *p != PROTOCOL).gather();
        let watches = !config.routes.is_empty() || !config.groups.is_empty();
        let excluded = config.left_alone();
        Self { protocols, excluded, exit: config.exit, lans_named: !config.lans.is_empty(), watches }
    }
}

/// Why [`Reconciler::deadline`] wants to be heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// Time for a look at our routes.
    OwnRoutes,
    /// Time for a look at all routes of the LANs.
    LanRoutes,
    /// A link event was 100 ms ago: dumps no longer show routes that are about to go.
    SecondLook,
    /// An answer to a dump is overdue.
    Overdue,
    /// A removed or refused overlay may be tried again.
    Retry,
    /// A route or address may be put back, or given up.
    PutBack,
    /// The journal may be written again, or an interface that fell be vouched for.
    Journal,
    /// The watch may be told of routes.
    Found,
    /// Time to ask the kernel what it does with destinations.
    Question,
}

/// The reconciler. Cheap enough to clone for a dry run: routes are shared.
#[derive(Debug, Clone)]
pub struct Reconciler {
    settings: Settings,
    mirror: Mirror,
    lans: Lans,
    /// The interfaces that the settings exclude, as far as they exist.
    excluded: BTreeSet<InterfaceIndex>,
    homes: place::Homes,
    subjects: BTreeMap<SubjectId, Choice>,
    originals: Originals,
    /// Groups whose overlay is known to stand in for a route that is gone.
    known: BTreeSet<Group>,
    /// Groups whose overlay stays although no detour demands it.
    kept: BTreeSet<Group>,
    troubles: Troubles,
    keeping: keeping::Keeping,
    work: Work,
    wishes: Wishes,
    /// Interfaces that the watch does not look at any more, since then.
    lapsed: BTreeMap<LanId, Instant>,
    found: Findings,
    asking: asking::Asking,
    dumps: Dumps,
    reports: Reports,
    addresses: Addresses,
    restoring: Restoring,
    outputs: VecDeque<Output>,
    has_plan: bool,
    /// Notifications wait to be read.
    is_behind: bool,
    adopted: bool,
    stopping: bool,
    left_behind_told: bool,
    /// LANs that people were told a default route leaves by.
    wans_told: BTreeSet<lan::LanId>,
}

impl Reconciler {
    /// A reconciler that knows nothing of the kernel yet: its first outputs ask for dumps. `last`: the journal that the
    /// last run wrote, if there is one; what cannot be read is passed over with a notice.
    pub fn new<'a>(settings: Settings, last: impl Into<LastRun<'a>>) -> Self {
        let (keeping, fault) = keeping::Keeping::read(last.into());
        let mut reconciler = Self {
            settings,
            mirror: Mirror::default(),
            lans: Lans::default(),
            excluded: BTreeSet::new(),
            homes: place::Homes::default(),
            subjects: BTreeMap::new(),
            originals: Originals::default(),
            known: BTreeSet::new(),
            kept: BTreeSet::new(),
            troubles: Troubles::default(),
            keeping,
            work: Work::default(),
            wishes: Wishes::default(),
            lapsed: BTreeMap::new(),
            found: Findings::default(),
            asking: asking::Asking::default(),
            dumps: Dumps::default(),
            reports: Reports::default(),
            addresses: Addresses::default(),
            restoring: Restoring::default(),
            outputs: VecDeque::new(),
            has_plan: false,
            is_behind: false,
            adopted: false,
            stopping: false,
            left_behind_told: false,
            wans_told: BTreeSet::new(),
        };
        reconciler.outputs.extend(fault.map(Output::Notice));
        reconciler.recall_addresses();
        reconciler.dumps.want(Dump::Interfaces);
        reconciler.dumps.want(Dump::OwnRoutes);
        reconciler
    }

    /// One thing happened, or the deadline passed.
    pub fn handle(&mut self, now: Instant, input: Input<'_>) {
        match input {
            Input::Plan(plan) => self.on_plan(plan),
            Input::Watch(plan) => self.on_watch(now, plan),
            Input::Interfaces(interfaces) => self.on_interfaces(now, interfaces),
            Input::OwnRoutes(routes) => self.on_own_routes(now, routes),
            Input::LanRoutes(routes) => self.on_lan_routes(now, routes),
            Input::LookedUp(key, found) => self.on_looked_up(&key, &found),
            Input::Answered(question, answer) => self.on_answered(now, &question, &answer),
            Input::RouteAdded(route) => self.on_route_added(now, route),
            Input::RouteDeleted(route) => self.on_route_deleted(now, &route),
            Input::WentDown(index) => self.on_went_down(now, index),
            Input::Overrun => self.on_overrun(now),
            Input::Backlog(is_behind) => self.on_backlog(is_behind),
            Input::Results(results) => self.on_results(now, results),
            Input::Journalled(result) => self.on_journalled(now, result),
            Input::Settings { settings, left } => self.on_settings(settings, left),
            Input::Stop => self.on_stop(now),
            Input::DeadlinePassed => {}
        }
        self.on_time(now);
        self.warn_of_wans();
        self.report_found(now);
        self.advance(now);
    }

    /// Whether notifications wait to be read: nothing is put back until then.
    pub const fn is_behind(&self) -> bool {
        self.is_behind
    }

    /// What is to be done next; drain to `None` before the next [`Self::handle`].
    pub fn next_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to hand in [`Input::DeadlinePassed`], and why.
    pub fn deadline(&self) -> Option<(Instant, Reason)> {
        if self.stopping {
            return None;
        }
        let journal = self.keeping.due().map(|at| (at, Reason::Journal));
        let retry = self.troubles.next_retry().map(|at| (at, Reason::Retry));
        let judgement = self.originals.next_judgement().map(|at| (at, Reason::PutBack));
        let put_back = self.restoring.next().map(|at| (at, Reason::PutBack));
        let expiry = self.homes.next_expiry(&self.lans).map(|at| (at, Reason::PutBack));
        let vacated = self.originals.next_vacated(&self.lans).map(|at| (at, Reason::PutBack));
        let found = self.found_deadline();
        let question = self.question_deadline();
        [self.dumps.deadline(), journal, retry, judgement, put_back, expiry, vacated, found, question]
            .into_iter()
            .flatten()
            .min()
    }

    fn view(&self) -> View<'_> {
        View {
            mirror: &self.mirror,
            lans: &self.lans,
            untouched: place::Untouched { excluded: &self.excluded },
            homes: &self.homes,
            subjects: &self.subjects,
            originals: &self.originals,
            known: &self.known,
            protocols: &self.settings.protocols,
            wishes: &self.wishes,
        }
    }

    /// Whether enough of the kernel has been seen to act.
    fn is_ready(&self) -> bool {
        self.has_plan && self.dumps.seen_all() && (!self.settings.watches || self.wishes.has_plan())
    }

    fn mark(&mut self, group: Group) {
        self.work.mark(group);
    }

    /// All groups that a subject's verdict bears upon are to be looked at.
    fn mark_subject(&mut self, subject: SubjectId) {
        for group in self.groups_of(subject) {
            self.mark(group);
        }
        self.reports.touch(Cause::Subject(subject));
    }

    fn mark_all(&mut self) {
        let own = self.own_routes().map(|r| Group::of(&r.key));
        let groups: Vec<Group> = own.chain(self.originals.groups()).collect();
        for group in groups {
            self.mark(group);
        }
        let away = |(s, choice): (&SubjectId, &Choice)| (*choice != Choice::Undecided).then_some(*s);
        for subject in self.subjects.iter().filter_map(away).collect::<Vec<_>>() {
            self.mark_subject(subject);
        }
        for group in self.wishes.leads().copied().collect::<Vec<_>>() {
            self.mark(group);
        }
        let failed = |(lan, stand): (LanId, Stand)| matches!(stand, Stand::In(_)).then_some(lan);
        for lan in self.wishes.members().filter_map(failed).collect::<Vec<_>>() {
            self.mark_member(lan);
        }
    }

    /// The groups that a subject's verdict bears upon; those that the watch leads are none of them.
    fn groups_of(&self, subject: SubjectId) -> Vec<Group> {
        let host = Group::host(subject.address);
        let host = table::host_of(host).map(|_| host);
        let by_gateway = |index: InterfaceIndex| self.mirror.routes().by_gateway(index, subject.address);
        let standing = self.lans.index(subject.lan).into_iter().flat_map(by_gateway);
        let standing = standing.filter(|key| key.table == MAIN_TABLE).map(Group::of);
        let all = host.into_iter().chain(standing).chain(self.originals.groups_of(&subject));
        all.filter(|group| self.wishes.lead(group).is_none()).collect()
    }

    fn own_routes(&self) -> impl Iterator<Item = &std::sync::Arc<Route>> {
        self.mirror.routes().iter().filter(|r| r.protocol == PROTOCOL)
    }
}
