//! A reconciler and a mirror that plays the kernel, tied together as the daemon ties them.
//!
//! ```text
//!          eth0 10.0.0.1/24 fd00::1/64   (home)      peers 10.0.0.2, fd00::2, gateway 10.0.0.9
//!  host ---eth1 10.1.0.1/24 fd01::1/64               the same peers as 10.1.0.2 ...
//!          eth2 10.2.0.1/24 fd02::1/64
//! ```

use std::collections::VecDeque;
use std::net::IpAddr;
use std::time::Duration;

use crate::config::{Config, Exit};
use crate::engine::{NextHop, Outcome, Plan, Subject, Verdict};
use crate::event::EventName;
use crate::interface::{Interface, InterfaceAddress, InterfaceIndex, InterfaceKind, MacAddress};
use crate::operation::{Operation, Refusal};
use crate::reconcile::mirror::Insert;
use crate::reconcile::{
    Batch, Dump, Group, Input, JournalWrite, LastRun, Mirror, Notice, Notification, Output, Question,
    Reconciler, Results, Settings,
};
use crate::route::{Answer, Leg, MAIN_TABLE, PROTOCOL, Route, RouteKey, RouteType};
use crate::time::Instant;
use crate::watch::{self, Destination, Found, Hop, Member, Way};

/// Which boot and network namespace it is.
pub(super) const KERNEL: &str = "boot/1";

pub(super) const STATIC: u8 = 4;
pub(super) const DHCP: u8 = 16;
pub(super) const LO: InterfaceIndex = InterfaceIndex(1);
pub(super) const ETH0: InterfaceIndex = InterfaceIndex(2);
pub(super) const ETH1: InterfaceIndex = InterfaceIndex(3);
pub(super) const ETH2: InterfaceIndex = InterfaceIndex(4);

enum Pending {
    Journalled(Result<(), Refusal>),
    Results(Results),
    Dump(Dump),
    LookUp(RouteKey),
    Ask(Question),
    Told(Notification),
    Backlog(bool),
    Apply(Batch),
}

pub(super) struct Rig {
    pub(super) kernel: Mirror,
    pub(super) core: Reconciler,
    pub(super) now: Instant,
    pub(super) plan: Plan,
    /// All operations as text, in order.
    pub(super) operations: Vec<String>,
    /// All operations as they were.
    pub(super) asked: Vec<Operation>,
    pub(super) notices: Vec<Notice>,
    pub(super) outcomes: Vec<(Subject, Outcome)>,
    pub(super) adopted: Vec<(IpAddr, Option<NextHop>)>,
    pub(super) journal: String,
    /// How often it was written.
    pub(super) journal_writes: usize,
    /// It cannot be written, while this is set.
    pub(super) disk: Option<Refusal>,
    /// What the watch was told last.
    pub(super) found: Vec<Found>,
    /// What the watch wants.
    pub(super) watch: watch::Plan,
    /// The kernel refuses everything with this, while it is set.
    pub(super) refuses: Option<Refusal>,
    /// What the kernel says to all questions, if it has rules that the mirror does not know.
    pub(super) answers: Option<Result<Answer, Refusal>>,
    /// Notifications are lost.
    pub(super) deaf: bool,
    /// Operations are carried out when their turn comes ([`Self::step`]), and not as soon as they are asked for.
    pub(super) waits_its_turn: bool,
    pub(super) batches: usize,
    /// Operations of ours that left a group without any route, although it had one.
    pub(super) gaps: Vec<String>,
    settings: Settings,
    pending: VecDeque<Pending>,
}

impl Rig {
    pub(super) fn new() -> Self {
        Self::with_kernel(kernel())
    }

    pub(super) fn with_kernel(kernel: Mirror) -> Self {
        Self::with_settings(kernel, settings())
    }

    pub(super) fn with_settings(kernel: Mirror, settings: Settings) -> Self {
        let lans = ["eth0", "eth1", "eth2"].map(str::to_owned).to_vec();
        let mut rig = Self {
            kernel,
            core: Reconciler::new(settings.clone(), LastRun { journal: None, kernel: KERNEL }),
            now: Instant::from_nanos(1_000_000_000_000),
            plan: Plan { subjects: std::collections::BTreeMap::new(), lans },
            operations: Vec::new(),
            asked: Vec::new(),
            notices: Vec::new(),
            outcomes: Vec::new(),
            adopted: Vec::new(),
            journal: String::new(),
            journal_writes: 0,
            disk: None,
            found: Vec::new(),
            watch: watch::Plan::default(),
            refuses: None,
            answers: None,
            deaf: false,
            waits_its_turn: false,
            batches: 0,
            gaps: Vec::new(),
            settings: settings.clone(),
            pending: VecDeque::new(),
        };
        rig.settle();
        rig.hand_in_plan();
        rig
    }

    /// kill -9, and a new start with or without the journal.
    pub(super) fn restart(&mut self, with_journal: bool) {
        self.start_on(KERNEL, with_journal);
    }

    /// The same after a boot, or in another network namespace.
    pub(super) fn start_on(&mut self, kernel: &str, with_journal: bool) {
        let journal = with_journal.then_some(self.journal.as_str());
        self.core = Reconciler::new(self.settings.clone(), LastRun { journal, kernel });
        self.pending.clear();
        for verdict in self.plan.subjects.values_mut() {
            *verdict = Verdict::Undecided;
        }
        self.settle();
        self.hand_in_plan();
        self.hand_in_watch();
    }

    pub(super) fn detour(&mut self, home: &str, address: &str, interface: &str, via: &str) {
        let way = NextHop { interface: interface.to_owned(), via: ip(via) };
        self.decide(home, address, Verdict::Detour(way));
    }

    pub(super) fn home(&mut self, home: &str, address: &str) {
        self.decide(home, address, Verdict::Home);
    }

    pub(super) fn decide(&mut self, home: &str, address: &str, verdict: Verdict) {
        self.plan.subjects.insert(subject(home, address), verdict);
        self.hand_in_plan();
    }

    pub(super) fn hand_in_plan(&mut self) {
        let plan = self.plan.clone();
        self.core.handle(self.now, Input::Plan(&plan));
        self.settle();
    }

    /// The watch looks at these interfaces; the engine has no LANs.
    pub(super) fn watching(names: &[&str]) -> Self {
        Self::watching_with(kernel(), names)
    }

    pub(super) fn watching_with(kernel: Mirror, names: &[&str]) -> Self {
        let mut rig = Self::with_settings(kernel, Settings { watches: true, ..settings() });
        rig.plan.lans.clear();
        rig.watch.interfaces = names.iter().map(|name| (*name).to_owned()).collect();
        rig.hand_in_plan();
        rig.hand_in_watch();
        rig.wait(Duration::from_secs(1));
        rig
    }

    /// The engine has LANs, and the watch looks at these interfaces.
    pub(super) fn watching_under(kernel: Mirror, names: &[&str], settings: Settings) -> Self {
        let mut rig = Self::with_settings(kernel, settings);
        rig.watch.interfaces = names.iter().map(|name| (*name).to_owned()).collect();
        rig.hand_in_watch();
        rig.wait(Duration::from_secs(1));
        rig
    }

    /// The same as [`Self::lead`], but nothing of what follows happens yet.
    pub(super) fn want(&mut self, prefix: &str, hops: &[(&str, &str)]) {
        self.watch.routes.insert(destination(prefix), by(hops));
        self.core.handle(self.now, Input::Watch(&self.watch));
    }

    /// The watch leads a destination of the main table by these hops: `gateway interface`, `-` for no gateway.
    pub(super) fn lead(&mut self, prefix: &str, hops: &[(&str, &str)]) {
        self.decide_way(prefix, by(hops));
    }

    pub(super) fn decide_way(&mut self, prefix: &str, way: Way) {
        self.watch.routes.insert(destination(prefix), way);
        self.hand_in_watch();
    }

    /// What becomes of a member of a group.
    pub(super) fn member(&mut self, interface: &str, member: Member) {
        self.watch.members.insert(interface.to_owned(), member);
        self.hand_in_watch();
    }

    pub(super) fn hand_in_watch(&mut self) {
        let plan = self.watch.clone();
        self.core.handle(self.now, Input::Watch(&plan));
        self.settle();
    }

    /// Other settings, as the daemon hands them in.
    pub(super) fn settings(&mut self, settings: Settings, left: &[&str]) {
        let left: Vec<String> = left.iter().map(|name| (*name).to_owned()).collect();
        self.core.handle(self.now, Input::Settings { settings, left: &left });
        self.settle();
    }

    /// Something happens to the kernel; everybody hears of it.
    pub(super) fn event(&mut self, event: impl FnOnce(&mut Mirror) -> Vec<Notification>) {
        let told = event(&mut self.kernel);
        if !self.deaf {
            self.pending.extend(told.into_iter().map(Pending::Told));
        }
        self.settle();
    }

    pub(super) fn add(&mut self, route: &Route) {
        self.event(|k| k.add_route(route, Insert::Exclusive).expect("a route of others is accepted"));
    }

    pub(super) fn delete(&mut self, route: &Route) {
        self.event(|k| k.delete_route(route).expect("a route of others is there"));
    }

    /// Time passes; all deadlines are kept.
    pub(super) fn wait(&mut self, duration: Duration) {
        let until = self.now + duration;
        while let Some((at, _)) = self.core.deadline()
            && at <= until
        {
            self.now = self.now.max(at);
            self.core.handle(self.now, Input::DeadlinePassed);
            self.settle();
        }
        self.now = until;
    }

    /// The daemon finds out that messages were lost.
    pub(super) fn overrun(&mut self) {
        self.core.handle(self.now, Input::Overrun);
        self.settle();
    }

    /// SIGSTOP: all this happens, and then so much time passes, before the daemon reads of any of it.
    pub(super) fn stall(&mut self, duration: Duration, event: impl FnOnce(&mut Mirror) -> Vec<Notification>) {
        let told = event(&mut self.kernel);
        self.now = self.now + duration;
        self.pending.push_back(Pending::Backlog(true));
        self.pending.extend(told.into_iter().map(Pending::Told));
        self.pending.push_back(Pending::Dump(Dump::Interfaces));
        self.pending.push_back(Pending::Backlog(false));
        self.settle();
    }

    pub(super) fn stop(&mut self) {
        self.core.handle(self.now, Input::Stop);
        self.settle();
    }

    pub(super) fn settle(&mut self) {
        for _ in 0..100_000 {
            while let Some(output) = self.core.next_output() {
                self.carry_out(output);
            }
            let Some(pending) = self.pending.pop_front() else { return };
            self.hand_in(pending);
        }
        panic!("it never comes to rest; last operations: {:?}", self.operations.last_chunk::<8>());
    }

    /// Something happens to the kernel that is read of later.
    pub(super) fn unheard(&mut self, event: impl FnOnce(&mut Mirror) -> Vec<Notification>) {
        let told = event(&mut self.kernel);
        self.pending.extend(told.into_iter().map(Pending::Told));
    }

    /// The oldest notification is read, or the oldest errand run, as the daemon does both in their own order. An errand
    /// sees the kernel as it is by then. Nothing if none waits.
    pub(super) fn step(&mut self, is_errand: bool) {
        let is_told = |p: &Pending| matches!(p, Pending::Told(_));
        if let Some(at) = self.pending.iter().position(|p| is_told(p) != is_errand)
            && let Some(pending) = self.pending.remove(at)
        {
            self.hand_in(pending);
        }
        while let Some(output) = self.core.next_output() {
            self.carry_out(output);
        }
    }

    fn carry_out(&mut self, output: Output) {
        match output {
            Output::Apply(batch) if self.waits_its_turn => self.pending.push_back(Pending::Apply(batch)),
            Output::Apply(batch) => self.apply(batch),
            Output::Dump(dump) => self.pending.push_back(Pending::Dump(dump)),
            Output::Ask(question) => self.pending.push_back(Pending::Ask(question)),
            Output::LookUp(key) => self.pending.push_back(Pending::LookUp(key)),
            Output::Journal(write) => self.write_journal(write),
            Output::Outcome(subject, outcome) => self.outcomes.push((subject, outcome)),
            Output::Adopted { address, way } => self.adopted.push((address, way)),
            Output::Found(found) => self.found = found,
            Output::Notice(notice) => self.notices.push(notice),
        }
    }

    fn write_journal(&mut self, write: JournalWrite) {
        self.journal_writes += 1;
        let result = match &self.disk {
            Some(refusal) => Err(refusal.clone()),
            None => {
                if let JournalWrite::Append(text) = &write {
                    assert!(self.journal.ends_with('\n') && text.ends_with('\n'), "{text:?}");
                }
                write.apply_to(&mut self.journal);
                Ok(())
            }
        };
        self.pending.push_back(Pending::Journalled(result));
    }

    fn apply(&mut self, batch: Batch) {
        let (results, told) = self.execute_all(batch);
        self.pending.push_back(Pending::Results(results));
        if !self.deaf {
            self.pending.extend(told.into_iter().map(Pending::Told));
        }
    }

    fn execute_all(&mut self, batch: Batch) -> (Results, Vec<Notification>) {
        self.batches += 1;
        let mut told = Vec::new();
        let results = batch.carry_out(|operations| {
            assert!(operations.len() <= 64, "a batch has at most 64 operations");
            let execute = |operation: &Operation| {
                self.operations.push(text_of(operation));
                self.asked.push(operation.clone());
                let result = match &self.refuses {
                    Some(refusal) => Err(refusal.clone()),
                    None => self.execute(operation),
                };
                result.map(|t| told.extend(t))
            };
            operations.iter().map(execute).collect()
        });
        (results, told)
    }

    fn execute(&mut self, operation: &Operation) -> Result<Vec<Notification>, Refusal> {
        let group = match operation {
            Operation::DeleteRoute(route) => Some(Group::of(&route.key)),
            Operation::AddRoute { .. }
            | Operation::AddAddress { .. }
            | Operation::DeleteAddress { .. }
            | Operation::SetUp(_)
            | Operation::DeleteNeighbour { .. } => None,
        };
        let told = self.kernel.execute(operation)?;
        if group.is_some_and(|group| self.kernel.routes().group(group).next().is_none()) {
            self.gaps.push(text_of(operation));
        }
        Ok(told)
    }

    fn hand_in(&mut self, pending: Pending) {
        let now = self.now;
        match pending {
            Pending::Journalled(result) => self.core.handle(now, Input::Journalled(result)),
            Pending::Backlog(is_behind) => self.core.handle(now, Input::Backlog(is_behind)),
            Pending::Apply(batch) => {
                let batch = self.core.review(batch);
                let (results, told) = self.execute_all(batch);
                self.pending.extend(told.into_iter().map(Pending::Told));
                self.core.handle(now, Input::Results(results));
            }
            Pending::Results(results) => self.core.handle(now, Input::Results(results)),
            Pending::Dump(Dump::Interfaces) => self.hand_in_interfaces(),
            Pending::Dump(Dump::OwnRoutes) => {
                let routes = self.dump(|r| r.protocol == PROTOCOL);
                self.core.handle(now, Input::OwnRoutes(routes));
            }
            Pending::Dump(Dump::LanRoutes) => {
                let scope = self.core.scope();
                let routes = self.dump(|r| scope.holds(&self.kernel, r));
                self.core.handle(now, Input::LanRoutes(routes));
            }
            Pending::Ask(question) => {
                let answer = self.answers.clone().unwrap_or_else(|| self.kernel.answer(&question));
                self.core.handle(now, Input::Answered(question, answer));
            }
            Pending::LookUp(key) => {
                let routes = self.dump(|r| r.key == key);
                self.core.handle(now, Input::LookedUp(key, routes));
            }
            Pending::Told(Notification::RouteAdded(route)) => {
                self.core.handle(now, Input::RouteAdded(Route::clone(&route)));
            }
            Pending::Told(Notification::RouteDeleted(route)) => {
                self.core.handle(now, Input::RouteDeleted(Route::clone(&route)));
            }
            Pending::Told(Notification::Link(index)) => {
                if self.kernel.interface(index).is_none_or(|i| !i.up) {
                    self.core.handle(now, Input::WentDown(index));
                }
                self.pending.push_back(Pending::Dump(Dump::Interfaces));
            }
            Pending::Told(Notification::Address(_)) => {
                self.pending.push_back(Pending::Dump(Dump::Interfaces))
            }
        }
    }

    fn hand_in_interfaces(&mut self) {
        let interfaces: Vec<Interface> = self.kernel.interfaces().cloned().collect();
        self.core.handle(self.now, Input::Interfaces(&interfaces));
    }

    fn dump(&self, wanted: impl Fn(&Route) -> bool) -> Vec<Route> {
        self.kernel.routes().iter().filter(|r| wanted(r)).map(|r| Route::clone(r)).collect()
    }

    /// The operations since the last call.
    pub(super) fn take_operations(&mut self) -> Vec<String> {
        std::mem::take(&mut self.operations)
    }

    /// The notices since the last call.
    pub(super) fn take_notices(&mut self) -> Vec<Notice> {
        std::mem::take(&mut self.notices)
    }

    /// Those of them that are such events.
    pub(super) fn told(&mut self, events: &[EventName]) -> Vec<Notice> {
        self.take_notices().into_iter().filter(|notice| events.contains(&notice.name())).collect()
    }

    pub(super) fn last_outcome(&self, home: &str, address: &str) -> Option<&Outcome> {
        let subject = subject(home, address);
        self.outcomes.iter().rev().find(|(s, _)| *s == subject).map(|(_, outcome)| outcome)
    }

    /// All routes of the kernel with our mark.
    pub(super) fn own(&self) -> Vec<String> {
        let own = self.kernel.routes().iter().filter(|r| r.protocol == PROTOCOL);
        own.map(|r| route_text(r)).collect()
    }

    /// All routes of others but the kernel's own.
    pub(super) fn foreign(&self) -> Vec<String> {
        let foreign = self.kernel.routes().iter().filter(|r| r.protocol != PROTOCOL && r.protocol != 2);
        foreign.map(|r| route_text(r)).collect()
    }

    pub(super) fn gateway_to(&self, address: &str) -> Option<IpAddr> {
        self.kernel.lookup(&ip(address)).and_then(|r| r.legs.first()?.gateway)
    }

    pub(super) fn on_lo(&self) -> Vec<String> {
        let lo = self.kernel.interface(LO).expect("lo is always there");
        lo.addresses.iter().filter(|a| a.protocol == PROTOCOL).map(|a| a.prefix.to_string()).collect()
    }
}

pub(super) fn settings() -> Settings {
    Settings { exit: Exit::Remove, ..Settings::from(&Config::default()) }
}

/// The way by hops of equal weight.
pub(super) fn by(hops: &[(&str, &str)]) -> Way {
    let hop = |(via, interface): &(&str, &str)| Hop {
        interface: (*interface).to_owned(),
        via: (*via != "-").then(|| ip(via)),
        weight: 1,
    };
    Way::By(hops.iter().map(hop).collect())
}

pub(super) fn destination(prefix: &str) -> Destination {
    Destination { table: MAIN_TABLE, prefix: prefix.parse().expect("a literal prefix") }
}

pub(super) fn stand_in(name: &str) -> Member {
    Member::StandIn(name.to_owned())
}

pub(super) fn ip(text: &str) -> IpAddr {
    text.parse().expect("a literal address")
}

pub(super) fn subject(home: &str, address: &str) -> Subject {
    Subject { home: home.into(), address: ip(address) }
}

pub(super) fn address(prefix: &str) -> InterfaceAddress {
    InterfaceAddress::new(prefix.parse().expect("a literal prefix"))
}

pub(super) fn interface(index: InterfaceIndex, name: &str, addresses: &[&str]) -> Interface {
    Interface {
        kind: if name == "lo" { InterfaceKind::Loopback } else { InterfaceKind::Ethernet },
        mac: (name != "lo").then(|| MacAddress([2, 0, 0, 0, 0, name.as_bytes()[3]])),
        addresses: addresses.iter().map(|a| address(a)).collect(),
        ..Interface::new(index, name)
    }
}

/// Interfaces `lo`, `eth0`, `eth1` and `eth2`.
pub(super) fn kernel() -> Mirror {
    let mut kernel = Mirror::default();
    kernel.add_interface(interface(LO, "lo", &[]));
    kernel.add_interface(interface(ETH0, "eth0", &["10.0.0.1/24", "fd00::1/64"]));
    kernel.add_interface(interface(ETH1, "eth1", &["10.1.0.1/24", "fd01::1/64"]));
    kernel.add_interface(interface(ETH2, "eth2", &["10.2.0.1/24", "fd02::1/64"]));
    kernel
}

/// A static route with one leg.
pub(super) fn route(destination: &str, gateway: &str, interface: InterfaceIndex, metric: u32) -> Route {
    let destination: ipnet::IpNet = destination.parse().expect("a literal prefix");
    let legs = vec![Leg { gateway: (gateway != "-").then(|| ip(gateway)), interface, weight: 1 }];
    Route {
        key: RouteKey { table: MAIN_TABLE, destination, tos: 0, metric },
        protocol: STATIC,
        scope: 0,
        source: None,
        legs,
        kind: RouteType::Unicast,
        nexthop_id: None,
        encapsulated: false,
        linkdown: false,
        attributes: Vec::new(),
        flags: 0,
    }
}

pub(super) fn route_text(route: &Route) -> String {
    let mut text = format!("{}", route.key.destination);
    if route.key.tos != 0 {
        text += &format!(" tos {}", route.key.tos);
    }
    for leg in &route.legs {
        if let Some(gateway) = leg.gateway {
            text += &format!(" via {gateway}");
        }
        text += &format!(" dev {}", leg.interface);
        if leg.weight != 1 {
            text += &format!(" weight {}", leg.weight);
        }
    }
    text += &format!(" metric {}", route.key.metric);
    if route.key.table != MAIN_TABLE {
        text += &format!(" table {}", route.key.table);
    }
    if let Some(source) = route.source {
        text += &format!(" src {source}");
    }
    text
}

pub(super) fn text_of(operation: &Operation) -> String {
    match operation {
        Operation::AddRoute { route, place } => format!("add {place:?} {}", route_text(route)),
        Operation::DeleteRoute(route) => format!("del {}", route_text(route)),
        Operation::AddAddress { interface, address } => {
            format!("addr add {} dev {interface}", address.prefix)
        }
        Operation::DeleteAddress { interface, address } => {
            format!("addr del {} dev {interface}", address.prefix)
        }
        Operation::SetUp(interface) => format!("up {interface}"),
        Operation::DeleteNeighbour { interface, address } => format!("neigh del {address} dev {interface}"),
    }
}
