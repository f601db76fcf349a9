//! Whether the kernel really does with a destination what was decided: it is asked for one address of it, since rules,
//! more specific routes and routes that nobody reads here may come first.
//!
//! ```text
//! due -- pause --> Ask --> Answered -- as decided --> told that all is well again, if it was told otherwise
//!                            +-- otherwise --> asked once more after a moment --> told
//! ```
//!
//! Asked are destinations of the main table whose next hops are decided, at most [`AT_ONCE`] in one go, whenever routes
//! or the plan changed, and on a slow timer: rules change without a word to us. Nothing is moved by what the kernel says.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use nix::errno::Errno;

use super::input::Output;
use super::notice::Notice;
use super::place;
use super::table::Group;
use super::wishes::Lead;
use super::{Reason, Reconciler};
use crate::gather::Gather;
use crate::operation::Refusal;
use crate::route::{Answer, MAIN_TABLE, Route, RouteType};
use crate::time::Instant;
use crate::watch::Destination;

/// Questions in one go.
const AT_ONCE: usize = 64;

/// The shortest time between two rounds of questions.
const PAUSE: Duration = Duration::from_millis(100);

/// An answer that surprises is asked for again after this time: routes that are about to change are no news.
const ONCE_MORE: Duration = Duration::from_millis(500);

/// How often all are asked for, come what may.
const SLOW: Duration = Duration::from_secs(10);

/// What the kernel is asked: what becomes of a packet from here to an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Question {
    /// Whose routes it is about.
    pub group: Group,
    /// Where the packet goes.
    pub address: IpAddr,
    /// The source that it bears; none: the kernel chooses.
    pub source: Option<IpAddr>,
}

/// What the kernel does instead of what was decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Override {
    /// In the words of ip-route(8).
    pub kernel: String,
    /// It leads by an interface that the administrator has excluded: that is wanted.
    pub is_excluded: bool,
}

/// See the module.
#[derive(Debug, Clone, Default)]
pub(super) struct Asking {
    due: BTreeSet<Group>,
    asked: BTreeMap<Group, Question>,
    /// Those that surprised, and since when: they are asked once more.
    doubtful: BTreeMap<Group, Instant>,
    /// What people were told.
    told: BTreeMap<Group, Override>,
    not_before: Instant,
    all_at: Option<Instant>,
}

impl Asking {
    pub(super) fn get(&self, group: &Group) -> Option<&Override> {
        self.told.get(group)
    }
}

impl Reconciler {
    /// The plan, or routes of anybody, changed: whatever the kernel said may be otherwise.
    pub(super) fn ask_again(&mut self) {
        let leads = self.wishes.leads().filter(|group| group.table == MAIN_TABLE);
        self.asking.due.extend(leads);
    }

    /// When the kernel is to be asked next.
    pub(super) fn question_deadline(&self) -> Option<(Instant, Reason)> {
        // Until then no time that passes brings a question nearer.
        if !self.is_ready() || self.work.is_in_flight() {
            return None;
        }
        let due = (!self.asking.due.is_empty()).then_some(self.asking.not_before);
        let again = |since: &Instant| (*since + ONCE_MORE).max(self.asking.not_before);
        let doubtful = self.asking.doubtful.values().map(again).min();
        [due, doubtful, self.asking.all_at].into_iter().flatten().min().map(|at| (at, Reason::Question))
    }

    /// All is at rest: asks what is due.
    pub(super) fn ask(&mut self, now: Instant) {
        let has_leads = self.wishes.leads().next().is_some();
        if !has_leads && self.asking.told.is_empty() {
            self.asking = Asking::default();
            return;
        }
        if self.asking.all_at.is_none_or(|at| at <= now) {
            self.asking.all_at = has_leads.then_some(now + SLOW);
            self.asking.asked.clear();
            self.ask_again();
        }
        let is_ripe = |since: &Instant| now.since(*since) >= ONCE_MORE;
        let ripe = self.asking.doubtful.iter().filter(|(_, since)| is_ripe(since)).map(|(group, _)| *group);
        self.asking.due.extend(ripe.collect::<Vec<_>>());
        self.forget_undecided();
        if self.asking.not_before > now {
            return;
        }
        let mut count = 0;
        while count < AT_ONCE
            && let Some(group) = self.asking.due.pop_first()
        {
            if let Some(question) = self.question(group) {
                count += 1;
                self.asking.asked.insert(group, question);
                self.outputs.push_back(Output::Ask(question));
            } else {
                self.asking.doubtful.remove(&group);
            }
        }
        if count > 0 {
            self.asking.not_before = now + PAUSE;
        }
    }

    /// Whether there is nothing to hold the kernel to: the next hops are not decided or none of their interfaces is up, a
    /// route keeps the overlay out, or the destination is left to another program. People were told of all of these.
    fn is_open(&self, group: &Group) -> bool {
        let Some(Lead::By(hops)) = self.wishes.lead(group) else { return true };
        let view = self.view();
        hops.iter().all(|hop| view.usable(hop.lan).is_none())
            || self.troubles.get(group).is_some_and(|trouble| trouble.blocked.is_some())
            || self.wishes.left_alone.contains(group)
    }

    /// Forgets what the kernel said, and is to be asked, of those that [`Self::is_open`] is true of.
    fn forget_undecided(&mut self) {
        let groups = self.asking.due.iter().chain(self.asking.doubtful.keys()).chain(self.asking.told.keys());
        let open: BTreeSet<Group> = groups.filter(|group| self.is_open(group)).copied().gather();
        let is_open = |group: &Group| open.contains(group);
        let gone: Vec<Group> = self.asking.told.keys().filter(|group| is_open(group)).copied().collect();
        self.asking.due.retain(|group| !is_open(group));
        self.asking.doubtful.retain(|group, _| !is_open(group));
        for group in gone {
            self.asking.told.remove(&group);
            self.notice(Notice::RouteOverriddenCleared { destination: group.into() });
        }
    }

    fn question(&self, group: Group) -> Option<Question> {
        let source = self.view().original_source(group);
        Some(Question { group, address: self.address_of(group)?, source })
    }

    /// The first target that no more specific route leads to, else such an address, else one that a route holds.
    fn address_of(&self, group: Group) -> Option<IpAddr> {
        let targets = self.wishes.targets(&group).iter().copied();
        let inside = targets.filter(|target| group.destination.contains(target));
        let all: Vec<IpAddr> = inside.chain(samples(&group.destination)).collect();
        let all = all.into_iter().filter(|address| !self.mirror.is_local(address));
        let all: Vec<IpAddr> = all.collect();
        let is_free = |address: &&IpAddr| !place::is_more_specific(self.mirror.routes(), group, **address);
        all.iter().find(is_free).or(all.first()).copied()
    }

    /// What to say of a destination with which the kernel does otherwise than `leads` allows, before anything is decided.
    pub fn overridden(
        &self,
        destination: Destination,
        by: String,
        ask: impl FnOnce(&Question) -> Option<Result<Answer, Refusal>>,
        leads: impl FnOnce(&Answer) -> bool,
    ) -> Option<Notice> {
        let question = self.question(Group::main(destination.prefix))?;
        let answer = ask(&question)?;
        let is_without_route = |r: &Refusal| Errno::from_raw(r.errno) == Errno::ENETUNREACH;
        let is_fine = answer.as_ref().is_ok_and(leads) || answer.as_ref().is_err_and(is_without_route);
        if is_fine || self.is_no_answer(&question, &answer) {
            return None;
        }
        let Override { kernel, is_excluded } = self.override_by(&question, &answer);
        let asked = question.address;
        Some(Notice::RouteOverridden { destination, by, asked, kernel, is_excluded })
    }

    pub(super) fn on_answered(
        &mut self,
        now: Instant,
        question: &Question,
        answer: &Result<Answer, Refusal>,
    ) {
        let group = question.group;
        if self.asking.asked.remove(&group) != Some(*question) {
            return;
        }
        let Some(Lead::By(hops)) = self.wishes.lead(&group) else { return };
        if self.is_open(&group) || self.is_no_answer(question, answer) {
            self.asking.doubtful.remove(&group);
            return;
        }
        let by = |answer: &Answer| {
            let is_it = |hop: &super::wishes::Hop| {
                self.lans.index(hop.lan) == answer.interface && hop.via == answer.gateway
            };
            answer.kind == RouteType::Unicast && hops.iter().any(is_it)
        };
        if answer.as_ref().is_ok_and(by) {
            self.asking.doubtful.remove(&group);
            if self.asking.told.remove(&group).is_some() {
                self.notice(Notice::RouteOverriddenCleared { destination: group.into() });
            }
            return;
        }
        let found = self.override_by(question, answer);
        if self.asking.told.get(&group) == Some(&found) {
            self.asking.doubtful.remove(&group);
            return;
        }
        let since = *self.asking.doubtful.entry(group).or_insert(now);
        if now.since(since) < ONCE_MORE {
            return;
        }
        self.asking.doubtful.remove(&group);
        let by = self.wanted_hops(hops);
        let Override { kernel, is_excluded } = found.clone();
        self.asking.told.insert(group, found);
        let (destination, asked) = (group.into(), question.address);
        self.notice(Notice::RouteOverridden { destination, by, asked, kernel, is_excluded });
    }

    /// EINVAL is what IPv4 says for a blackhole, and what any question gets that the kernel does not understand.
    fn is_no_answer(&self, question: &Question, answer: &Result<Answer, Refusal>) -> bool {
        let is_invalid = answer.as_ref().is_err_and(|refusal| refusal.errno == Errno::EINVAL as i32);
        let is_plain = question.address.is_ipv4() && question.source.is_none();
        is_invalid
            && !is_plain
            && self.mirror.lookup(&question.address).is_none_or(|route| route.is_unicast())
    }

    fn wanted_hops(&self, hops: &[super::wishes::Hop]) -> String {
        let name = |hop: &super::wishes::Hop| match hop.via {
            Some(via) => format!("{via}%{}", self.lans.name(hop.lan)),
            None => self.lans.name(hop.lan).to_owned(),
        };
        hops.iter().map(name).collect::<Vec<_>>().join(",")
    }

    /// The route is named if it is known; of all others the kernel says where they lead.
    fn override_by(&self, question: &Question, answer: &Result<Answer, Refusal>) -> Override {
        let known = |kind: &dyn Fn(&Route) -> bool| {
            let found = self.mirror.lookup(&question.address);
            found.filter(|route| kind(route)).map(|route: &Arc<Route>| self.text_of(route))
        };
        let refusing = |otherwise: &str| known(&|r| !r.is_unicast()).unwrap_or_else(|| otherwise.to_owned());
        let kernel = match answer {
            Ok(Answer { kind: RouteType::Unicast, interface, gateway, table }) => {
                let via = gateway.map(|gateway| format!("via {gateway} ")).unwrap_or_default();
                let name = interface.map_or_else(|| "unknown".to_owned(), |i| self.interface_name(i));
                format!("{via}dev {name} table {}", table_name(*table))
            }
            Ok(Answer { kind, table, .. }) => {
                refusing(&format!("{} table {}", kind.word().unwrap_or("other"), table_name(*table)))
            }
            Err(refusal) => {
                let word = REFUSALS.iter().find(|(errno, _)| *errno as i32 == refusal.errno);
                refusing(word.map_or(refusal.text.as_str(), |(_, word)| word))
            }
        };
        let is_excluded = matches!(
            answer,
            Ok(Answer { kind: RouteType::Unicast, interface: Some(index), .. }) if self.excluded.contains(index)
        );
        Override { kernel, is_excluded }
    }
}

fn table_name(table: u32) -> String {
    match table {
        MAIN_TABLE => "main".to_owned(),
        other => other.to_string(),
    }
}

/// Addresses of a prefix that may be asked for. No packet is sent to them.
fn samples(prefix: &IpNet) -> Vec<IpAddr> {
    match prefix {
        IpNet::V4(v4) if v4.prefix_len() == 0 => {
            EVERYWHERE_V4.iter().map(|octets| Ipv4Addr::from(*octets).into()).collect()
        }
        IpNet::V6(v6) if v6.prefix_len() == 0 => {
            EVERYWHERE_V6.iter().map(|segments| Ipv6Addr::from(*segments).into()).collect()
        }
        IpNet::V4(v4) => {
            let (first, size) = (u32::from(v4.network()), 1_u32 << (32 - v4.prefix_len()));
            let at = |offset: u32| Ipv4Addr::from(first.saturating_add(offset.min(size - 1))).into();
            [1, size / 2 + 1, size / 4 + 1, size.saturating_sub(2), 0].map(at).to_vec()
        }
        IpNet::V6(v6) => {
            let first = u128::from(v6.network());
            let size = 1_u128 << (128 - v6.prefix_len()).min(127);
            let at = |offset: u128| Ipv6Addr::from(first.saturating_add(offset.min(size - 1))).into();
            [1, size / 2 + 1, size / 4 + 1, size.saturating_sub(2), 0].map(at).to_vec()
        }
    }
}

/// What refuses, by the error that the kernel answers for it (IPv4).
const REFUSALS: [(Errno, &str); 5] = [
    (Errno::EACCES, "prohibit"),
    (Errno::EHOSTUNREACH, "unreachable"),
    (Errno::EINVAL, "blackhole"),
    (Errno::ENETUNREACH, "no route"),
    (Errno::EAGAIN, "throw"),
];

/// Addresses that as a rule only a default route leads to: those of examples (RFC 5737), and some far apart.
const EVERYWHERE_V4: [[u8; 4]; 6] =
    [[192, 0, 2, 1], [198, 51, 100, 1], [203, 0, 113, 1], [9, 0, 0, 1], [80, 0, 0, 1], [200, 0, 0, 1]];

/// The same: RFC 3849, RFC 9637.
const EVERYWHERE_V6: [[u16; 8]; 4] = [
    [0x2001, 0xdb8, 0, 0, 0, 0, 0, 1],
    [0x2001, 0xdb8, 0xffff, 0, 0, 0, 0, 1],
    [0x3fff, 0, 0, 0, 0, 0, 0, 1],
    [0x2a00, 0, 0, 0, 0, 0, 0, 1],
];
