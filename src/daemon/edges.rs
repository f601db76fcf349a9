//! The core with its edges: what goes into it, and what becomes of what it wants. Nothing is decided here.
//!
//! ```text
//!  sockets, probers ---> +------+ ---Send, Solicit, Probe--> sockets, probers, at once
//!                        |      |
//!  monitor ------------> | Core | ---Apply, Dump, Ask--> errands, in their order, one Apply a turn
//!                        |      | <---Results, routes-----+
//!  clock, people ------> |      | ---Journal--> file, at once
//!                        +------+ ---Notice---> log, events
//! ```
//!
//! What is due on the wire goes out before netlink is touched, which waits while another program holds the kernel's
//! RTNL lock.

use std::collections::{BTreeSet, VecDeque};
use std::fmt::Display;
use std::net::IpAddr;
use std::time::Duration;

use log::{Level, info, log, log_enabled};

use super::agenda::{Agenda, Task};
use super::clock;
use super::confirmation::Confirmation;
use super::control::Events;
use super::local_time::time_of_day;
use super::log::Log;
use super::neighbours::Neighbours;
use super::offline::Offline;
use super::realtime::Realtime;
use super::state::{Journal, State};
use crate::change::{Change, Tracker};
use crate::config::{Config, Failback};
use crate::core::{Core, Input, Notice, Output};
use crate::engine;
use crate::interface::{InterfaceIndex, MacAddress};
use crate::kernel::Kernel;
use crate::net::{Moment, Probers, Sockets};
use crate::operation::{Operation, Refusal};
use crate::reconcile::{Batch, Dump, Question, describe};
use crate::route::RouteKey;
use crate::time::Instant;

mod endpoints;
mod reading;
mod reload;
mod stop;

pub use reload::Reading;
pub(super) use reload::{By, Source, Trial};
pub(super) use stop::End;

/// Everything but the poll.
pub(super) struct Edges {
    pub(super) config: Config,
    pub(super) core: Core,
    pub(super) probers: Probers,
    pub(super) kernel: Box<dyn Kernel>,
    pub(super) sockets: Sockets,
    pub(super) state: State,
    pub(super) journal: Journal,
    pub(super) agenda: Agenda,
    /// What the core wants of the kernel, in its order.
    pub(super) errands: VecDeque<Errand>,
    /// When the kernel was last asked for carriers.
    pub(super) links_queried: Option<Instant>,
    /// Kernel readings that failed, so that each trouble is told once.
    pub(super) troubles: BTreeSet<&'static str>,
    /// The interfaces whose sysctls were looked at.
    pub(super) checked: Vec<InterfaceIndex>,
    /// Sysctls that people were told of.
    pub(super) findings: BTreeSet<(String, &'static str)>,
    /// What the administrator has taken out of service.
    pub(super) offline: Offline,
    /// What has happened lately.
    pub(super) events: Events,
    /// When the daemon began.
    pub(super) started: Instant,
    pub(super) realtime: Realtime,
    /// Whether the kernel has room for the peers.
    pub(super) neighbours: Neighbours,
    pub(super) log: Log,
    /// Where the settings come from.
    pub(super) source: Source,
    /// Settings that are not confirmed yet.
    pub(super) trial: Option<Trial>,
    /// Which text of the settings file is confirmed.
    pub(super) confirmation: Confirmation,
    /// Somebody wants the daemon to end.
    pub(super) end: Option<End>,
    pub(super) tracker: Tracker,
    /// What has changed since the loop took them last.
    pub(super) changes: Vec<Change>,
}

/// Something to ask of the kernel.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Errand {
    /// Carry out these.
    Apply(Batch),
    /// Read this.
    Dump(Dump),
    /// Ask what it would do.
    Ask(Question),
    /// Read what has this key.
    LookUp(RouteKey),
    /// Read who it knows on this interface.
    Neighbours(InterfaceIndex),
}

impl Edges {
    /// The first look at the kernel; after it the daemon is ready.
    pub(super) fn start(&mut self, moment: Moment) {
        self.drain(moment.now);
        self.recall_offline(moment);
        self.list_interfaces(moment.now);
        self.tell_time_of_day(moment);
        self.tell(moment.now, Input::DeadlinePassed);
        self.agenda.set(Task::QueryLinks, moment.now + self.query_interval());
    }

    /// Takes in what has arrived, at most `budget` pieces. How many there were.
    pub(super) fn take_packets(&mut self, moment: Moment, budget: usize) -> usize {
        for taken in 0..budget {
            let Some(arrival) = self.sockets.next_arrival(moment) else { return taken };
            self.core.handle(moment.now, Input::Arrived(arrival));
            self.drain(moment.now);
        }
        budget
    }

    /// Takes in answers to probes, at most `budget`.
    pub(super) fn take_answers(&mut self, moment: Moment, budget: usize) {
        for _ in 0..budget {
            let Some(answer) = self.probers.next_answer(moment) else { return };
            self.tell(moment.now, Input::Answer(answer));
        }
    }

    /// Hands in every deadline that has passed.
    pub(super) fn pass_deadlines(&mut self, moment: Moment) {
        let now = moment.now;
        if is_due(self.core.deadline(), now) {
            self.tell(now, Input::DeadlinePassed);
        }
        while let Some(task) = self.agenda.take_due(now) {
            self.carry_out(task, moment);
        }
    }

    /// Runs errands in their order, up to and including one batch of operations.
    pub(super) fn run_errands(&mut self, now: Instant) {
        self.write_journal(now);
        while let Some(errand) = self.errands.pop_front() {
            match errand {
                Errand::Dump(dump) => self.dump(now, dump),
                Errand::LookUp(key) => self.look_up(now, key),
                Errand::Ask(question) => self.ask(now, question),
                Errand::Neighbours(interface) => self.list_neighbours(now, interface),
                Errand::Apply(batch) => {
                    let batch = self.core.review(batch);
                    let was_empty = batch.is_empty();
                    let results = batch.carry_out(|operations| self.apply(operations));
                    self.tell(now, Input::Results(results));
                    self.write_journal(now);
                    // What takes the place of an empty one is computed from what is known now.
                    if !was_empty {
                        return;
                    }
                }
            }
        }
        self.write_journal(now);
    }

    /// Writes to the journal what is to be written. It does not wait for its turn among the errands: a kill in the next
    /// instant must find what was read from the kernel.
    pub(super) fn write_journal(&mut self, now: Instant) {
        while let Some(result) = self.journal.write() {
            if let Some((level, words)) = self.journal.news(&result) {
                self.say(level, &words);
            }
            self.tell(now, Input::Journalled(result));
        }
    }

    /// Looks after real-time priority, once a turn.
    pub(super) fn attend_realtime(&mut self, now: Instant) {
        self.realtime.attend(now);
        for (level, line) in self.realtime.take_news() {
            self.say(level, &line);
        }
    }

    /// When to come back.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let all = [self.core.deadline(), self.agenda.deadline(), self.realtime.deadline()];
        all.into_iter().flatten().min()
    }

    /// Whether there is something to do that no descriptor and no deadline will tell of.
    pub(super) fn has_work(&self) -> bool {
        !self.errands.is_empty() || self.journal.is_waiting() || self.is_readable()
    }

    /// Whether the core repairs something by the clock now. What the kernel has told is to be read before: this may be the
    /// first turn after seconds.
    pub(super) fn is_repair_due(&self, now: Instant) -> bool {
        is_due(self.core.repair_deadline(), now)
    }

    /// Whether something has arrived that is not taken in yet.
    pub(super) fn is_readable(&self) -> bool {
        self.sockets.is_readable() || self.probers.is_readable()
    }

    /// Gives the core an input and does what it wants.
    pub(super) fn tell(&mut self, now: Instant, input: Input<'_>) {
        self.core.handle(now, input);
        self.drain(now);
    }

    /// Writes the whole state to the log, a line an item.
    pub(super) fn report(&self, now: Instant, loop_words: &str) {
        info!("dump-loop {loop_words} jobs={}", self.errands.len());
        info!("dump-sockets {}", self.sockets.counters());
        if self.core.is_watching() {
            info!("dump-probe-sockets sockets={} {}", self.probers.sockets(), self.probers.counters());
            self.core.watch().snapshot(now).to_string().lines().for_each(|line| info!("{line}"));
        }
        for line in self.core.peers().snapshot(now).to_string().lines() {
            info!("{line}");
        }
        for (interface, entry) in self.offline.iter() {
            info!("dump-offline interface={interface} {entry}");
        }
        for line in self.core.reconciler().report() {
            info!("{line}");
        }
    }

    fn apply(&mut self, operations: &[Operation]) -> Vec<Result<(), Refusal>> {
        if operations.is_empty() {
            return Vec::new();
        }
        self.show(operations);
        let results = self.kernel.apply(operations);
        debug_assert_eq!(results.len(), operations.len());
        results
    }

    /// What the kernel is about to be asked for, as commands: all that a dry run has to show.
    fn show(&self, operations: &[Operation]) {
        let level = if self.config.dry_run { Level::Info } else { Level::Debug };
        if log_enabled!(level) {
            for operation in operations {
                let command = describe(operation, &|index| self.core.name(index));
                log!(level, "kernel-operation command=\"{command}\"{}", self.pretence());
            }
        }
    }

    /// Tells people: those who read the log, and those who ask later.
    pub(super) fn say(&mut self, level: Level, what: &dyn Display) {
        self.say_of(false, level, what);
    }

    /// The same; what an unproven packet alone can bring about has its own allowance of log lines.
    fn say_of(&mut self, is_hearsay: bool, level: Level, what: &dyn Display) {
        if is_hearsay {
            log!(target: super::log::HEARSAY, level, "{what}");
        } else {
            log!(level, "{what}");
        }
        if level <= Level::Info {
            self.events.push(clock::wall(), level, what.to_string());
        }
    }

    fn drain(&mut self, now: Instant) {
        while let Some(output) = self.core.next_output() {
            match output {
                Output::Send(transmit) => self.sockets.send(&transmit),
                Output::Solicit { interface, source, target } => {
                    self.sockets.solicit(interface, source, target);
                }
                Output::Probe(probe) => self.probers.send(now, &probe),
                Output::Endpoints => self.follow_endpoints(now),
                Output::QueryLinks => self.agenda.by(Task::QueryLinks, self.earliest_query(now)),
                Output::ListNeighbours(interface) => {
                    let errand = Errand::Neighbours(interface);
                    if !self.errands.contains(&errand) {
                        self.errands.push_back(errand);
                    }
                }
                Output::Apply(batch) => self.errands.push_back(Errand::Apply(batch)),
                Output::Dump(dump) => self.errands.push_back(Errand::Dump(dump)),
                Output::Ask(question) => self.errands.push_back(Errand::Ask(question)),
                Output::LookUp(key) => self.errands.push_back(Errand::LookUp(key)),
                Output::Journal(write) => self.journal.hold(write),
                Output::Remember(memory) => self.state.remember(&memory),
                Output::PlanChanged => self.compare_soon(now),
                Output::Notice(notice) => self.on_notice(now, &notice),
            }
        }
    }

    fn on_notice(&mut self, now: Instant, notice: &Notice) {
        let level = notice.level();
        match notice {
            Notice::Peers(peers) => {
                let hardware = self.hardware_of(peers);
                let is_move =
                    matches!(peers, engine::Notice::FailedOver { .. } | engine::Notice::FailedBack { .. });
                let pretence = if is_move { self.pretence() } else { "" };
                let is_hearsay = peers.hearsay_of().is_some_and(|node| !self.core.peers().is_proven(node));
                self.say_of(is_hearsay, level, &format_args!("{notice}{hardware}{pretence}"));
                self.compare_soon(now);
            }
            Notice::Watch(_) => {
                self.say(level, notice);
                self.compare_soon(now);
            }
            Notice::Reconcile(_) => self.say(level, &format_args!("{notice}{}", self.pretence())),
        }
    }

    /// What a line about routes ends with where none was changed.
    fn pretence(&self) -> &'static str {
        if self.config.dry_run { " dry-run=yes" } else { "" }
    }

    /// The hardware addresses that a line shall have, as far as the kernel knows them.
    fn hardware_of(&mut self, notice: &engine::Notice) -> String {
        let Some((lan, hosts)) = notice.hosts() else { return String::new() };
        let Some(lan) = self.core.interfaces().iter().find(|i| i.name == lan) else { return String::new() };
        let (index, own_mac, own) = (lan.index, lan.mac, lan.addresses.clone());
        let mut mac = |address: IpAddr| match own.iter().any(|a| a.address() == address) {
            true => own_mac,
            false => self.kernel.hardware_address(index, address),
        };
        let words = |mac: Option<MacAddress>| mac.map_or("unknown".to_owned(), |mac| mac.to_string());
        let [one, other] = hosts.map(|host| words(host.and_then(&mut mac)));
        format!(" mac={one} other-mac={other}")
    }

    fn carry_out(&mut self, task: Task, moment: Moment) {
        match task {
            Task::QueryLinks => self.query_links(moment.now),
            Task::ListInterfaces => self.list_interfaces(moment.now),
            Task::ReadRoutes => self.tell(moment.now, Input::Overrun),
            Task::OpenSockets => self.open_sockets(moment.now),
            Task::TellTimeOfDay => self.tell_time_of_day(moment),
            Task::ExpireOffline => self.expire_offline(moment),
            Task::RollBack => self.roll_back(moment.now),
            Task::Compare => self.compare(moment.now),
        }
    }

    fn tell_time_of_day(&mut self, moment: Moment) {
        if let Failback::Window { .. } = self.config.failback {
            self.tell(moment.now, Input::TimeOfDay(time_of_day(moment.realtime)));
            self.agenda.set(Task::TellTimeOfDay, moment.now + MINUTE);
        }
    }
}

fn is_due(deadline: Option<Instant>, now: Instant) -> bool {
    deadline.is_some_and(|deadline| deadline <= now)
}

const MINUTE: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests;
