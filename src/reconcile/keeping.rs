//! What is written to the journal, and when; and what is made of an old one.
//!
//! What changed is appended at the end of the same [`Reconciler::handle`], before anything that the kernel is asked for
//! because of it: a line for each interface and each group of routes that would read otherwise than it does. Only when
//! the lines that no longer count outweigh the others is the file written as a whole, and that waits for a rest.
//!
//! ```text
//!  changed --append--> in flight --written--> current: addresses may be parked and removed
//!     ^                    |
//!     +-----failed---------+   the next attempt, after a pause, writes the whole file: the end may be torn
//! ```

mod recall;

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use super::Reconciler;
use super::addresses::InJournal;
use super::backoff::Backoff;
use super::input::{JournalWrite, Output};
use super::journal::{HEADER, InterfaceRecord, Journal, KEPT, ROUTES, render_group, render_route};
use super::lan::{HomeAddress, Lan, LanId, is_global};
use super::notice::Notice;
use super::originals::Missing;
use super::table::Group;
use crate::gather::Gather;
use crate::interface::{InterfaceAddress, InterfaceIndex};
use crate::operation::Refusal;
use crate::route::{PROTOCOL, Route, RouteType};
use crate::time::Instant;

/// Lines that no longer count take at most this room, or as much as those that do.
const SLACK: usize = 8 << 10;

/// So many times that room, and the file is written as a whole although there is no rest.
const LONGEST_WAIT: usize = 4;

/// Longest pause between two attempts to write: nobody is fought, and what is to be parked waits.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// What the last run left, and which kernel this is.
#[derive(Debug, Clone, Copy, Default)]
pub struct LastRun<'a> {
    /// The text of its journal, if there is one.
    pub journal: Option<&'a str>,
    /// A word that no other boot and no other network namespace has; empty if it is not known.
    pub kernel: &'a str,
}

impl<'a> From<Option<&'a str>> for LastRun<'a> {
    /// A journal of whatever kernel.
    fn from(journal: Option<&'a str>) -> Self {
        Self { journal, kernel: "" }
    }
}

/// The state of the journal.
#[derive(Debug, Clone, Default)]
pub(super) struct Keeping {
    kernel: String,
    read: Journal,
    /// What the last run knew has been compared with what there is. Nothing is written before.
    is_recalled: bool,
    /// Groups of routes whose line may read otherwise.
    changed: BTreeSet<Group>,
    /// The lines of interfaces may read otherwise.
    are_interfaces_changed: bool,
    /// The file is there, and ends with a whole line.
    is_sound: bool,
    interfaces: BTreeMap<String, Written>,
    routes: BTreeMap<Group, Written>,
    /// Bytes of the lines that count, and of the file.
    live: usize,
    file: usize,
    /// A write whose result has not come.
    in_flight: bool,
    failure: Option<Failure>,
    /// Something waits for a result.
    is_awaited: bool,
    /// What the orderly end wrote.
    end: Option<u64>,
    /// At the orderly end: interfaces that may just have taken routes along.
    falling: Option<BTreeSet<LanId>>,
    /// When interfaces that fell may be vouched for again.
    vouch_at: Option<Instant>,
}

/// A line as it was written last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Written {
    digest: u64,
    length: usize,
}

/// Writing failed.
#[derive(Debug, Clone)]
struct Failure {
    refusal: Refusal,
    attempts: Backoff,
}

impl Keeping {
    /// Starts from the last run's journal, as far as it can be read and is of this kernel.
    pub(super) fn read(last: LastRun<'_>) -> (Self, Option<Notice>) {
        let text = last.journal.unwrap_or_default();
        let (read, fault) = Journal::parse(text);
        let fresh = Self { kernel: last.kernel.to_owned(), file: text.len(), ..Self::default() };
        let is_other = |kernel: &String| !last.kernel.is_empty() && kernel != last.kernel;
        if read.kernel.as_ref().is_some_and(is_other) {
            return (fresh, Some(Notice::JournalOutdated));
        }
        let notice = fault.map(|e| Notice::JournalIgnored { line: e.line, fault: e.fault });
        (Self { read, ..fresh }, notice)
    }

    /// The routes of a group changed.
    pub(super) fn touch(&mut self, group: Group) {
        self.changed.insert(group);
    }

    /// An interface, its addresses or what is decided about it changed.
    pub(super) fn touch_interfaces(&mut self) {
        self.are_interfaces_changed = true;
    }

    /// Whether all that is to be in the journal is known to be in it. If not, its result is awaited; it will come at once,
    /// after a failure it is a matter of seconds.
    pub(super) fn record(&mut self) -> InJournal {
        let is_current = self.is_recalled
            && !self.in_flight
            && self.failure.is_none()
            && self.changed.is_empty()
            && !self.are_interfaces_changed;
        self.is_awaited |= !is_current;
        match is_current {
            true => InJournal::Written,
            false if self.in_flight && self.failure.is_none() => InJournal::Pending,
            false => InJournal::Missing,
        }
    }

    /// What became of all writes so far. Returns whether something may go on that waited for it.
    pub(super) fn on_result(&mut self, now: Instant, result: Result<(), Refusal>) -> bool {
        self.in_flight = false;
        match result {
            Ok(()) => {
                self.failure = None;
                std::mem::take(&mut self.is_awaited)
            }
            Err(refusal) => {
                let mut attempts = self.failure.take().map(|failure| failure.attempts).unwrap_or_default();
                attempts.failed_with(now, LONGEST_PAUSE);
                self.failure = Some(Failure { refusal, attempts });
                self.is_sound = false;
                false
            }
        }
    }

    /// When time alone gives something to do.
    pub(super) fn due(&self) -> Option<Instant> {
        let retry = self.failure.as_ref().filter(|_| !self.in_flight).map(|f| f.attempts.not_before());
        retry.into_iter().chain(self.vouch_at).min()
    }

    fn may_write(&self, now: Instant) -> bool {
        self.is_recalled && self.failure.as_ref().is_none_or(|failure| failure.attempts.may_try(now))
    }

    const fn slack(&self) -> usize {
        if self.live > SLACK { self.live } else { SLACK }
    }

    /// Notes a line as written. Returns whether it reads otherwise than before.
    fn note(known: &mut Option<Written>, line: &str, live: &mut usize) -> bool {
        let next = (!line.is_empty()).then(|| Written { digest: digest(line), length: line.len() });
        if *known == next {
            return false;
        }
        *live = *live + line.len() - known.map_or(0, |written| written.length);
        *known = next;
        true
    }
}

impl Reconciler {
    /// Why the journal cannot be written, if so: until it can be, no address is parked or removed.
    pub fn journal_failure(&self) -> Option<&Refusal> {
        self.keeping.failure.as_ref().map(|failure| &failure.refusal)
    }

    pub(super) fn on_journalled(&mut self, now: Instant, result: Result<(), Refusal>) {
        if self.keeping.on_result(now, result) {
            self.restoring.recheck();
        }
    }

    /// Writes what would read otherwise.
    pub(super) fn flush_journal(&mut self, now: Instant) {
        let dropped = self.originals.take_changed();
        self.keeping.changed.extend(dropped);
        let is_retry = self.keeping.failure.is_some();
        if self.stopping || !self.keeping.may_write(now) || (is_retry && self.keeping.in_flight) {
            return;
        }
        let longest = LONGEST_WAIT * (self.keeping.live + SLACK);
        if !is_retry && !self.has_changes() {
            return;
        }
        if !self.keeping.is_sound || self.keeping.file > longest {
            self.rewrite_journal();
        } else {
            self.append_to_journal();
        }
    }

    /// The orderly end: what is of use for the next start, once more whenever that has changed.
    pub(super) fn end_journal(&mut self, now: Instant) {
        if !self.keeping.is_recalled {
            return;
        }
        let is_settled = self.dumps.are_quiet() && !self.originals.has_suspects();
        let may_lose = |lan: &Lan| !lan.up || (!is_settled && !lan.has_stood(now));
        self.keeping.falling =
            Some(self.lans.iter().filter(|(_, lan)| may_lose(lan)).map(|(id, _)| id).gather());
        let text = self.whole_journal();
        let digest = digest(&text);
        if self.keeping.end.replace(digest) != Some(digest) {
            self.keeping.file = text.len();
            self.submit_journal(JournalWrite::Replace(text));
        }
    }

    fn has_changes(&self) -> bool {
        !self.keeping.changed.is_empty() || self.keeping.are_interfaces_changed
    }

    /// Nothing else is to be done: interfaces at which all is accounted for are vouched for, and a file that is mostly
    /// history is written as a whole.
    pub(super) fn tidy_journal(&mut self, now: Instant) {
        if self.stopping || !self.keeping.is_recalled {
            return;
        }
        self.vouch(now);
        let is_long = self.keeping.file > self.keeping.live + self.keeping.slack();
        if is_long && self.keeping.is_sound && self.keeping.failure.is_none() {
            self.rewrite_journal();
        }
    }

    /// Notes the history of interfaces when every route over them is known to stand, or to be missing: what has fallen
    /// until then is no evidence against what is missing later.
    fn vouch(&mut self, now: Instant) {
        self.keeping.vouch_at = None;
        let is_open = |lan: &Lan| lan.is_seen() && lan.up && !lan.is_vouched();
        if !self.lans.iter().any(|(_, lan)| is_open(lan)) {
            return;
        }
        if !self.dumps.are_quiet() || self.originals.has_suspects() {
            // Another input follows.
            return;
        }
        let falling = |lan: &Lan| lan.falls_until().filter(|until| *until > now);
        let open: Vec<LanId> = self.lans.iter().filter(|(_, lan)| is_open(lan)).map(|(id, _)| id).collect();
        for id in open {
            let Some(lan) = self.lans.get_mut(id) else { continue };
            match falling(lan) {
                None => {
                    lan.vouch();
                    self.keeping.touch_interfaces();
                }
                Some(until) => {
                    let at = self.keeping.vouch_at.get_or_insert(until);
                    *at = (*at).min(until);
                }
            }
        }
        self.flush_journal(now);
    }

    fn append_to_journal(&mut self) {
        let mut text = String::new();
        if std::mem::take(&mut self.keeping.are_interfaces_changed) {
            self.append_interfaces(&mut text);
        }
        let mut line = String::new();
        for group in std::mem::take(&mut self.keeping.changed) {
            line.clear();
            self.render_routes(group, &mut line);
            let keeping = &mut self.keeping;
            let mut known = keeping.routes.get(&group).copied();
            if !Keeping::note(&mut known, &line, &mut keeping.live) {
                continue;
            }
            match known {
                Some(written) => drop(keeping.routes.insert(group, written)),
                None => {
                    keeping.routes.remove(&group);
                    render_group(ROUTES, &group, &mut line);
                    line.push('\n');
                }
            }
            text.push_str(&line);
        }
        if !text.is_empty() {
            self.keeping.file += text.len();
            self.submit_journal(JournalWrite::Append(text));
        }
    }

    fn append_interfaces(&mut self, text: &mut String) {
        let records = self.interface_records();
        let gone = self.keeping.interfaces.keys().filter(|name| !records.contains_key(*name));
        for name in gone.cloned().collect::<Vec<_>>() {
            let mut known = self.keeping.interfaces.remove(&name);
            Keeping::note(&mut known, "", &mut self.keeping.live);
            InterfaceRecord::default().render(&name, text);
        }
        for (name, record) in records {
            let mut line = String::new();
            record.render(&name, &mut line);
            let mut known = self.keeping.interfaces.get(&name).copied();
            if Keeping::note(&mut known, &line, &mut self.keeping.live) {
                self.keeping.interfaces.extend(known.map(|written| (name, written)));
                text.push_str(&line);
            }
        }
    }

    /// Writes the whole file; not for the sake of its first lines alone.
    fn rewrite_journal(&mut self) {
        let text = self.whole_journal();
        let is_empty = self.keeping.interfaces.is_empty() && self.keeping.routes.is_empty();
        if is_empty && self.keeping.file == 0 && self.keeping.failure.is_none() {
            return;
        }
        self.keeping.is_sound = true;
        self.keeping.file = text.len();
        self.submit_journal(JournalWrite::Replace(text));
    }

    fn whole_journal(&mut self) -> String {
        let mut text = format!("{HEADER}\n");
        if !self.keeping.kernel.is_empty() {
            text.push_str(&format!("kernel {}\n", self.keeping.kernel));
        }
        self.keeping.interfaces.clear();
        self.keeping.routes.clear();
        self.keeping.changed.clear();
        self.keeping.are_interfaces_changed = false;
        self.keeping.live = text.len();
        self.append_interfaces(&mut text);
        for group in self.journalled_groups() {
            let start = text.len();
            self.render_routes(group, &mut text);
            let mut known = None;
            Keeping::note(&mut known, &text[start..], &mut self.keeping.live);
            self.keeping.routes.extend(known.map(|written| (group, written)));
        }
        text
    }

    fn submit_journal(&mut self, write: JournalWrite) {
        self.keeping.in_flight = true;
        self.outputs.push_back(Output::Journal(write));
    }

    fn journalled_groups(&self) -> Vec<Group> {
        let mut groups: Vec<Group> = self.originals.groups().collect();
        let standing = self.mirror.routes().iter().filter(|route| self.is_journalled(route));
        groups.extend(standing.map(|route| Group::of(&route.key)));
        groups.sort_unstable();
        groups.dedup();
        groups
    }

    /// A route of others that is to be restored if the kernel takes it, or that an overlay may stand in front of.
    fn is_journalled(&self, route: &Route) -> bool {
        route.kind == RouteType::Unicast
            && route.protocol != PROTOCOL
            && self.settings.protocols.contains(&route.protocol)
            && !route.encapsulated
    }

    /// At an orderly end only what is overlaid stays, and what may be about to go.
    fn is_of_use(&self, group: Group, route: &Route) -> bool {
        let Some(falling) = &self.keeping.falling else { return true };
        let is_falling =
            |index: InterfaceIndex| self.lans.of(index).is_some_and(|lan| falling.contains(&lan));
        self.mirror.routes().group(group).any(|r| r.protocol == PROTOCOL)
            || route.legs.iter().any(|leg| is_falling(leg.interface))
    }

    /// Appends the line of a group, if there is anything to say, and that of the places in it.
    fn render_routes(&self, group: Group, text: &mut String) {
        let start = text.len();
        render_group(ROUTES, &group, text);
        let head = text.len();
        let standing = self.mirror.routes().group(group).filter(|route| self.is_journalled(route));
        for route in standing.filter(|route| self.is_of_use(group, route)) {
            render_route(false, route, |leg| self.name_of(route.legs[leg].interface), text);
        }
        let (places, missing): (Vec<&Missing>, Vec<&Missing>) =
            self.originals.group(&group).iter().partition(|missing| missing.is_place());
        let render = |missing: &Missing, text: &mut String| {
            let name = |leg: usize| missing.interface_name(&self.lans, leg);
            render_route(!missing.is_suspect(), &missing.route, name, text);
        };
        missing.into_iter().for_each(|missing| render(missing, text));
        if text.len() == head && places.is_empty() {
            return text.truncate(start);
        }
        text.push('\n');
        if !places.is_empty() {
            render_group(KEPT, &group, text);
            places.into_iter().for_each(|place| render(place, text));
            text.push('\n');
        }
    }

    /// The name that a route over an interface was learned under; it may have another by now.
    fn name_of(&self, index: InterfaceIndex) -> &str {
        let present = || self.mirror.interface(index).map_or("?", |i| &i.name);
        self.lans.name_of(index).unwrap_or_else(present)
    }

    fn interface_records(&self) -> BTreeMap<String, InterfaceRecord> {
        let is_away = |lan: &Lan| lan.is_detoured() || lan.absent().next().is_some();
        // What happens after an orderly end to an interface that stands is no reason to restore anything.
        let is_left = |id: LanId| self.keeping.falling.as_ref().is_some_and(|all| !all.contains(&id));
        let has_global = |lan: &Lan| lan.addresses.iter().any(|home| is_global(&home.address));
        let concerned =
            |id: LanId, lan: &Lan| (lan.is_seen() && !is_left(id)) || (is_away(lan) && has_global(lan));
        let record = |id: LanId, lan: &Lan| InterfaceRecord {
            vouched: lan.vouched().filter(|_| !is_left(id)),
            is_away: is_away(lan),
            addresses: lan.addresses.iter().filter(|h| is_global(&h.address)).map(journalled).collect(),
        };
        let lans = self.lans.iter().filter(|(id, lan)| !lan.name.is_empty() && concerned(*id, lan));
        lans.map(|(id, lan)| (lan.name.clone(), record(id, lan))).gather()
    }
}

fn digest(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

/// Without what is true for a moment only, and without labels: only IPv6 addresses are put back, and they have none.
fn journalled(home: &HomeAddress) -> HomeAddress {
    let address =
        InterfaceAddress { secondary: false, tentative: false, label: None, ..home.address.clone() };
    HomeAddress { address, present: home.present }
}
