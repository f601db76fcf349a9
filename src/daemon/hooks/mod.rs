//! Hooks: programs that are told of changes (`[[hook]]`), started beside the loop and never waited for.
//!
//! ```text
//! change --> queue (bounded, in order for each subject) --> run (a few at once, each with a time limit)
//!                                                              |
//!                          failures are counted, told once  <--+
//! ```
//!
//! A hook that hangs, fails, reads nothing or writes without end costs its own runs and nobody else's; what it has
//! started in its process group ends with it. Hooks run as the user that faild runs as; if that is root, as `faild` or
//! `nobody`, unless the configuration names another user. They run at ordinary priority.

mod message;
mod queue;
mod run;
mod stderr;

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use log::{info, warn};
use mio::{Registry, Token, Waker};
use nix::unistd::geteuid;

use self::message::Message;
use self::queue::{Queue, Topic};
use self::run::{End, Program, Run};
use self::stderr::LINES;
use super::realtime::ChildLimits;
use crate::change::Change;
use crate::config::account::Account;
use crate::config::{Config, DEFAULT_USER, HookConfig};
use crate::net::{Moment, Sockets};
use crate::time::Instant;
use crate::wire::NodeId;

/// All hooks and their runs.
#[derive(Debug)]
pub(super) struct Hooks {
    hooks: Vec<Hook>,
    /// What they were made from.
    settings: Vec<HookConfig>,
    /// Hooks so far: none gets the number of one that is gone, whose runs may still be at work.
    made: usize,
    queue: Queue<(Message, &'static str)>,
    running: BTreeMap<Topic, (Run, &'static str)>,
    /// What the programs are limited to.
    limits: ChildLimits,
    registry: Registry,
    waker: Arc<Waker>,
    /// When a loss of messages was told last.
    told_dropped: Option<Instant>,
}

#[derive(Debug)]
struct Hook {
    number: usize,
    settings: HookConfig,
    program: Program,
    runs: u64,
    failures: u64,
    is_failing: bool,
    /// When a failure was told last.
    told: Option<Instant>,
    /// Whether it was told that it leaves programs behind.
    is_leaving_told: bool,
    /// Since when the lines of its standard error are counted.
    counted_from: Option<Instant>,
    lines: usize,
}

impl Hooks {
    /// The hooks of the settings; in a dry run none. After rights were dropped: who we are decides who they are.
    ///
    /// # Errors
    ///
    /// Out of file descriptors.
    pub(super) fn new(config: &Config, registry: Registry, limits: ChildLimits) -> io::Result<Self> {
        let mut hooks = Self {
            hooks: Vec::new(),
            settings: Vec::new(),
            made: 0,
            queue: Queue::new(MOST_WAITING, MOST_RUNNING),
            running: BTreeMap::new(),
            limits,
            waker: Arc::new(Waker::new(&registry, WAKER)?),
            registry,
            told_dropped: None,
        };
        hooks.follow(config);
        Ok(hooks)
    }

    /// Other settings: hooks that stay keep their counts, what waits for those that go is forgotten.
    pub(super) fn follow(&mut self, config: &Config) {
        if config.hooks == self.settings || config.dry_run {
            return;
        }
        self.settings.clone_from(&config.hooks);
        let mut before = std::mem::take(&mut self.hooks);
        for settings in &config.hooks {
            let same = before.iter().position(|hook| hook.settings == *settings);
            self.made += 1;
            self.hooks.extend(same.map(|at| before.remove(at)).or_else(|| Hook::new(self.made, settings)));
        }
    }

    /// Whether a token of the poll is ours.
    pub(super) fn is_ours(token: Token) -> bool {
        token == WAKER || token == ENDED
    }

    /// Tells the hooks that want to know of it; `node` is this host.
    pub(super) fn handle_change(&mut self, moment: Moment, node: NodeId, change: &Change) {
        for hook in &self.hooks {
            if !hook.settings.events.contains(&change.kind) {
                continue;
            }
            let message = Message::new(change, node, moment.realtime);
            let topic = Topic { hook: hook.number, subject: change.subject() };
            if self.queue.push(topic, (message, change.kind.name())).is_some()
                && self.told_dropped.is_none_or(|told| moment.now.since(told) >= QUIET)
            {
                self.told_dropped = Some(moment.now);
                warn!(
                    "hook-events-dropped count={} cause=\"more than {MOST_WAITING} events are queued\"",
                    self.queue.dropped
                );
            }
        }
    }

    /// Looks after the runs and starts what may be started; once a turn.
    pub(super) fn attend(&mut self, now: Instant) {
        let mut ended = Vec::new();
        for (topic, (run, event)) in &mut self.running {
            if let Some(end) = run.attend(now, &self.registry, ENDED) {
                ended.push((topic.clone(), end, *event));
            }
            let lines = run.take_lines();
            if let Some(hook) = self.hooks.iter_mut().find(|hook| hook.number == topic.hook) {
                hook.on_lines(now, &lines, event);
            }
        }
        for (topic, end, event) in ended {
            self.running.remove(&topic);
            self.on_ended(now, &topic, &end, event);
        }
        while let Some((topic, (message, event))) = self.queue.start() {
            self.start(now, topic, message, event);
        }
    }

    /// When to look after the runs, if for nothing else.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.running.values().filter_map(|(run, _)| run.deadline()).min()
    }

    /// For the state in the log.
    pub(super) fn report(&self) {
        for hook in &self.hooks {
            info!(
                "dump-hook command=\"{}\" runs={} failures={}",
                hook.settings.command.join(" "),
                hook.runs,
                hook.failures
            );
        }
        if !self.hooks.is_empty() {
            let (running, waiting, dropped) = (self.running.len(), self.queue.len(), self.queue.dropped);
            info!("dump-hooks running={running} waiting={waiting} dropped={dropped}");
        }
    }

    fn start(&mut self, now: Instant, topic: Topic, message: Message, event: &'static str) {
        let Some(hook) = self.hooks.iter().find(|hook| hook.number == topic.hook) else {
            return self.queue.finish(&topic);
        };
        let limit = now + hook.settings.timeout;
        match Run::start(hook.program.clone(), message, self.limits, limit, Arc::clone(&self.waker)) {
            Ok(run) => _ = self.running.insert(topic, (run, event)),
            Err(error) => self.on_ended(now, &topic, &End::NotStarted(error), event),
        }
    }

    fn on_ended(&mut self, now: Instant, topic: &Topic, end: &End, event: &'static str) {
        self.queue.finish(topic);
        if let Some(hook) = self.hooks.iter_mut().find(|hook| hook.number == topic.hook) {
            hook.on_ended(now, end, event);
        }
    }
}

impl Hook {
    /// `None`: there is nobody that it could run as.
    fn new(number: usize, settings: &HookConfig) -> Option<Self> {
        let is_root = geteuid().is_root();
        let account = match &settings.user {
            Some(name) => Account::find(name).map(Some),
            None if is_root => Account::find(DEFAULT_USER).or_else(|| Account::find("nobody")).map(Some),
            None => Some(None),
        };
        let Some(account) = account else {
            warn!(
                "hook-skipped command=\"{}\" cause=\"there is no user to run it as\"",
                settings.command.join(" ")
            );
            return None;
        };
        let us = geteuid().as_raw();
        let program = Program {
            command: settings.command.clone(),
            account: account.filter(|account| account.uid != us),
        };
        Some(Self {
            number,
            settings: settings.clone(),
            program,
            runs: 0,
            failures: 0,
            is_failing: false,
            told: None,
            is_leaving_told: false,
            counted_from: None,
            lines: 0,
        })
    }

    /// What it has written on standard error, as far as the log can bear it.
    fn on_lines(&mut self, now: Instant, lines: &[String], event: &'static str) {
        if lines.is_empty() {
            return;
        }
        if self.counted_from.is_none_or(|from| now.since(from) >= QUIET) {
            (self.counted_from, self.lines) = (Some(now), 0);
        }
        let command = self.settings.command.join(" ");
        for line in lines {
            match self.lines {
                0..LINES => info!("hook-output command=\"{command}\" event={event} text=\"{line}\""),
                LINES => warn!(
                    "hook-output-truncated command=\"{command}\" event={event} cause=\"more than {LINES} lines per minute on standard error\""
                ),
                _ => return,
            }
            self.lines += 1;
        }
    }

    /// The first failure is told, then at most one a minute, and that it works again.
    fn on_ended(&mut self, now: Instant, end: &End, event: &'static str) {
        self.runs += 1;
        let command = self.settings.command.join(" ");
        if matches!(end, End::Exited { left_others: true, .. })
            && !std::mem::replace(&mut self.is_leaving_told, true)
        {
            warn!(
                "hook-processes-killed command=\"{command}\" event={event} action=\"killed processes that were still running\" fix=\"have the hook wait for them, or start them with setsid\""
            );
        }
        if matches!(end, End::Exited { status, .. } if status.success()) {
            if std::mem::take(&mut self.is_failing) {
                info!("hook-ok command=\"{command}\" event={event} failures={}", self.failures);
            }
            return;
        }
        self.failures += 1;
        if !std::mem::replace(&mut self.is_failing, true)
            || self.told.is_none_or(|told| now.since(told) >= QUIET)
        {
            self.told = Some(now);
            warn!(
                "hook-failed command=\"{command}\" event={event} cause=\"{end}\" failures={}",
                self.failures
            );
        }
    }
}

const WAKER: Token = Token(Sockets::FOREIGN | 0x200);
const ENDED: Token = Token(Sockets::FOREIGN | 0x201);

/// Messages that wait: a storm of changes of some hundred peers, 1 MB at the very most.
const MOST_WAITING: usize = 256;

/// Programs at once: news of other things is not held up by one that hangs, and the host is not by hooks.
const MOST_RUNNING: usize = 4;

/// At most a line a minute.
const QUIET: Duration = Duration::from_secs(60);
