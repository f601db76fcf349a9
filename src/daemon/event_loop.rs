//! One thread, one poll. Each turn: wake, read the clocks once, take in what has arrived (a bounded amount), hand in
//! the deadlines that have passed, send, and only then talk to the kernel. While packets come one after the other, a
//! turn may be followed by a short rest, in which only the kernel and people are heard, and the next turn takes what has
//! come meanwhile at one go. The kernel's stamps tell when each came.

use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::time::Duration;

use anyhow::Context;
use log::{info, warn};
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::time::TimeSpec;

use super::clock;
use super::control::Control;
use super::edges::{By, Edges, End};
use super::hooks::Hooks;
use super::instance::Instance as Lock;
use super::lag::Lag;
use super::rest::Rests;
use super::signals::{Request, Signals};
use super::supervisor::Supervisor;
use super::timer::Timer;
use crate::core::Input;
use crate::kernel::{Event, Monitor, Rest};
use crate::net::{Moment, Sockets};
use crate::time::Instant;

/// The loop.
pub(super) struct EventLoop {
    pub(super) edges: Edges,
    control: Control,
    poll: Poll,
    timer: Timer,
    signals: Signals,
    monitor: Monitor,
    /// The kernel's notifications may have more to tell than was read.
    is_monitor_readable: bool,
    /// So often in a row notifications were read and others were left.
    unread: usize,
    is_signalled: bool,
    /// Turns in a row in which the sockets were not emptied.
    backlogged: u32,
    /// Packets read in this turn.
    packets: usize,
    rests: Rests,
    lag: Lag,
    pub(super) supervisor: Supervisor,
    hooks: Hooks,
    lock: Lock,
}

impl EventLoop {
    /// A loop over these; `poll` is the one that the core's sockets are registered with.
    ///
    /// # Errors
    ///
    /// Out of file descriptors or memory.
    pub(super) fn new(
        edges: Edges,
        control: Control,
        poll: Poll,
        signals: Signals,
        monitor: Monitor,
        hooks: Hooks,
        lock: Lock,
    ) -> anyhow::Result<Self> {
        let timer = Timer::new().context("cannot create a timer")?;
        for (token, descriptor) in
            [(TIMER, timer.as_raw_fd()), (SIGNALS, signals.as_raw_fd()), (MONITOR, monitor.as_raw_fd())]
        {
            poll.registry()
                .register(&mut SourceFd(&descriptor), token, Interest::READABLE)
                .context("cannot set up polling")?;
        }
        Ok(Self {
            edges,
            control,
            poll,
            timer,
            signals,
            monitor,
            is_monitor_readable: false,
            unread: 0,
            is_signalled: false,
            backlogged: 0,
            packets: 0,
            rests: Rests::default(),
            lag: Lag::default(),
            supervisor: Supervisor::default(),
            hooks,
            lock,
        })
    }

    /// Turns until a signal says stop, then says goodbye.
    ///
    /// # Errors
    ///
    /// The poll itself fails, which it does not.
    pub(super) fn run(&mut self) -> anyhow::Result<()> {
        let mut events = Events::with_capacity(64);
        loop {
            let moment = self.wait(&mut events)?;
            self.note(&events);
            self.turn(moment);
            if let Some(end) = self.take_signals(moment).or(self.edges.end) {
                self.stop(end);
                return Ok(());
            }
            let done = clock::read().now;
            self.lag.on_done(moment.now, done);
            self.supervisor.handle_turn(done);
            self.edges.attend_realtime(done);
            self.lock.attend(done);
            self.rest(done);
        }
    }

    fn rest(&mut self, now: Instant) {
        let fastest = || self.edges.core.peers().fastest_interval();
        let rest = self.rests.after(now, self.packets, self.edges.config.interval, fastest);
        let due = self.edges.deadline().map_or(rest, |deadline| deadline.since(now).min(rest));
        if due.is_zero() || self.edges.has_work() || self.is_monitor_readable {
            return;
        }
        let heard = [self.monitor.as_fd(), self.signals.as_fd()];
        let mut heard = heard.map(|descriptor| PollFd::new(descriptor, PollFlags::POLLIN));
        // Whatever ends it, the poll that follows tells what there is.
        let _ = ppoll(&mut heard, Some(TimeSpec::from_duration(due)), None);
    }

    fn wait(&mut self, events: &mut Events) -> anyhow::Result<Moment> {
        let deadline = [self.edges.deadline(), self.supervisor.deadline(), self.hooks.deadline()]
            .into_iter()
            .flatten()
            .min();
        let is_busy =
            self.edges.has_work() || self.is_monitor_readable || self.control.has_work(&self.edges.events);
        self.timer.arm(deadline).context("cannot set the timer")?;
        match self.poll.poll(events, is_busy.then_some(Duration::ZERO)) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => {
                return Err(error).context("cannot poll");
            }
            Ok(()) | Err(_) => {}
        }
        let moment = clock::read();
        self.lag.on_wake(moment.now, deadline);
        Ok(moment)
    }

    fn note(&mut self, events: &Events) {
        for event in events {
            match event.token() {
                TIMER => self.timer.handle_expired(),
                MONITOR => self.is_monitor_readable = true,
                SIGNALS => self.is_signalled = true,
                _ if self.control.handle_ready(event) => {}
                // They are looked after each turn.
                token if Hooks::is_ours(token) => {}
                token => {
                    _ = self.edges.sockets.handle_readable(token)
                        || self.edges.probers.handle_readable(token);
                }
            }
        }
    }

    fn turn(&mut self, moment: Moment) {
        self.packets = self.edges.take_packets(moment, PACKETS);
        self.edges.take_answers(moment, PACKETS);
        self.is_monitor_readable |= self.edges.is_repair_due(moment.now);
        self.take_events(moment.now);
        if self.is_evidence_complete() {
            self.edges.pass_deadlines(moment);
        }
        self.edges.run_errands(moment.now);
        self.edges.state.attend();
        self.answer(moment.now);
        self.run_hooks(moment);
    }

    /// Answers one of those who ask, after everything that matters more.
    fn answer(&mut self, now: Instant) {
        if let Some((client, request)) = self.control.next_request(now, &self.edges.events) {
            let reply = self.edges.answer(now, &request);
            self.control.answer(now, client, &request, &reply, &self.edges.events);
        }
    }

    /// Tells of what has changed.
    fn run_hooks(&mut self, moment: Moment) {
        self.hooks.follow(&self.edges.config);
        let node = self.edges.core.peers().node();
        for change in self.edges.changes.drain(..) {
            self.hooks.handle_change(moment, node, &change);
        }
        self.hooks.attend(moment.now);
    }

    /// Who has not read what has arrived must not say that nothing did. A flood cannot put that off for ever.
    fn is_evidence_complete(&mut self) -> bool {
        self.backlogged = if self.edges.is_readable() { self.backlogged + 1 } else { 0 };
        self.backlogged.is_multiple_of(PATIENCE)
    }

    fn take_events(&mut self, now: Instant) {
        if !std::mem::take(&mut self.is_monitor_readable) {
            return;
        }
        let mut events = Vec::new();
        match self.monitor.read(NOTIFICATIONS, &mut events) {
            Ok(rest) => self.is_monitor_readable = rest == Rest::MoreWaiting,
            Err(error) => {
                warn!("netlink-read-failed action=\"performing a full resync\" error=\"{error}\"");
                events.push(Event::Overrun);
            }
        }
        // Who never stops talking cannot keep what is missing from being put back.
        self.unread = if self.is_monitor_readable { self.unread + 1 } else { 0 };
        self.edges.take_events(now, events, self.unread.is_multiple_of(LAST_READINGS));
    }

    /// Does what signals ask for; the end, if one says so.
    fn take_signals(&mut self, moment: Moment) -> Option<End> {
        if !std::mem::take(&mut self.is_signalled) {
            return None;
        }
        while let Some(request) = self.signals.next() {
            match request {
                Request::Stop(cause) => return Some(End { cause, keep: false }),
                Request::Reload => self.reload(moment.now),
                Request::Report => {
                    self.edges.report(moment.now, &self.lag.to_string());
                    self.hooks.report();
                }
                Request::FailBack => {
                    info!("failback-requested signal=SIGUSR2");
                    self.edges.tell(moment.now, Input::FailBack);
                }
            }
        }
        None
    }

    /// The log first: what the settings lead to goes to the new file.
    fn reload(&mut self, now: Instant) {
        self.supervisor.tell_reloading(now);
        self.edges.log.reopen();
        // How it went is in the log; nobody else asked.
        let _ = self.edges.reload(now, By::Signal);
        self.supervisor.tell_ready(now);
    }

    fn stop(&mut self, End { cause, keep }: End) {
        info!("stopping cause={cause} keep={keep}");
        self.supervisor.tell_stopping();
        let started = clock::read().now;
        // An interface that has just fallen took routes along that the next start is to restore.
        self.is_monitor_readable = true;
        for _ in 0..LAST_READINGS {
            self.take_events(started);
        }
        self.edges.stop(started, keep, || clock::read().now.since(started) > GOODBYE);
        self.edges.state.finish(GOODBYE);
        info!("stopped took={:.3}s", clock::read().now.since(started).as_secs_f64());
    }
}

const TIMER: Token = Token(Sockets::FOREIGN);
const SIGNALS: Token = Token(Sockets::FOREIGN | 1);
const MONITOR: Token = Token(Sockets::FOREIGN | 2);

/// Datagrams read in a turn: at 3 us each they cost 1.5 ms, a hundredth of the default interval.
const PACKETS: usize = 512;

/// Notifications read in a turn.
const NOTIFICATIONS: usize = 64;

/// Turns that deadlines wait for the sockets to be emptied: 4,096 datagrams, most of what a receive queue holds.
const PATIENCE: u32 = 8;

/// So often notifications are read in a row, and at the end: most that waits in the buffer.
const LAST_READINGS: usize = 64;

/// How long the end may take, for the kernel and for the disk each.
const GOODBYE: Duration = Duration::from_secs(1);
