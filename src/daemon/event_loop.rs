//! One thread, one poll. Each turn: wake, read the clocks once, take in what has arrived (a bounded amount), hand in
//! the deadlines that have passed, send, and only then talk to the kernel.

use std::io;
use std::os::fd::AsRawFd;
use std::time::Duration;

use anyhow::Context;
use log::{info, warn};
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};

use super::clock;
use super::core::Core;
use super::hooks::Hooks;
use super::lag::Lag;
use super::log::Log;
use super::signals::{Request, Signals};
use super::supervisor::Supervisor;
use super::timer::Timer;
use crate::engine::Input;
use crate::kernel::{Event, Monitor, Rest};
use crate::net::{Moment, Sockets};
use crate::time::Instant;

/// The loop.
pub(super) struct EventLoop {
    pub(super) core: Core,
    poll: Poll,
    timer: Timer,
    signals: Signals,
    monitor: Monitor,
    /// The kernel's notifications may have more to tell than was read.
    is_monitor_readable: bool,
    is_signalled: bool,
    /// Turns in a row in which the sockets were not emptied.
    backlogged: u32,
    log: Log,
    lag: Lag,
    pub(super) supervisor: Supervisor,
    hooks: Hooks,
}

impl EventLoop {
    /// A loop over these; `poll` is the one that the core's sockets are registered with.
    ///
    /// # Errors
    ///
    /// Out of file descriptors or memory.
    pub(super) fn new(
        core: Core,
        poll: Poll,
        signals: Signals,
        monitor: Monitor,
        log: Log,
        hooks: Hooks,
    ) -> anyhow::Result<Self> {
        let timer = Timer::new().context("cannot make a timer")?;
        for (token, descriptor) in
            [(TIMER, timer.as_raw_fd()), (SIGNALS, signals.as_raw_fd()), (MONITOR, monitor.as_raw_fd())]
        {
            poll.registry()
                .register(&mut SourceFd(&descriptor), token, Interest::READABLE)
                .context("cannot poll")?;
        }
        Ok(Self {
            core,
            poll,
            timer,
            signals,
            monitor,
            is_monitor_readable: false,
            is_signalled: false,
            backlogged: 0,
            log,
            lag: Lag::default(),
            supervisor: Supervisor::default(),
            hooks,
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
            if let Some(signal) = self.take_signals(moment) {
                self.stop(signal);
                return Ok(());
            }
            let done = clock::read().now;
            self.lag.on_done(moment.now, done);
            self.supervisor.handle_turn(done);
        }
    }

    fn wait(&mut self, events: &mut Events) -> anyhow::Result<Moment> {
        let deadline = [self.core.deadline(), self.supervisor.deadline(), self.hooks.deadline()]
            .into_iter()
            .flatten()
            .min();
        let is_busy = self.core.has_work() || self.is_monitor_readable;
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
                // They are looked after each turn.
                token if Hooks::is_ours(token) => {}
                token => {
                    self.core.sockets.handle_readable(token);
                }
            }
        }
    }

    fn turn(&mut self, moment: Moment) {
        self.core.take_packets(moment, PACKETS);
        self.take_events(moment.now);
        if self.is_evidence_complete() {
            self.core.pass_deadlines(moment);
        }
        self.core.hand_over_plan(moment.now);
        self.core.run_errands(moment.now);
        self.core.state.attend();
        self.run_hooks(moment);
    }

    /// Tells of what has changed.
    fn run_hooks(&mut self, moment: Moment) {
        let node = self.core.engine.node();
        for change in self.core.changes.drain(..) {
            self.hooks.handle_change(moment, node, &change);
        }
        self.hooks.attend(moment.now);
    }

    /// Who has not read what has arrived must not say that nothing did. A flood cannot put that off for ever.
    fn is_evidence_complete(&mut self) -> bool {
        self.backlogged = if self.core.sockets.is_readable() { self.backlogged + 1 } else { 0 };
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
                warn!("notifications-unreadable error=\"{error}\" consequence=\"everything is read anew\"");
                events.push(Event::Overrun);
            }
        }
        self.core.take_events(now, events);
    }

    /// Does what signals ask for; the name of one that says stop.
    fn take_signals(&mut self, moment: Moment) -> Option<&'static str> {
        if !std::mem::take(&mut self.is_signalled) {
            return None;
        }
        while let Some(request) = self.signals.next() {
            match request {
                Request::Stop(signal) => return Some(signal),
                Request::ReopenLog => self.reload(moment.now),
                Request::Report => {
                    self.core.report(moment.now, &self.lag.to_string());
                    self.hooks.report();
                }
                Request::FailBack => {
                    info!("failback-requested signal=SIGUSR2");
                    self.core.tell(moment.now, Input::FailBack);
                }
            }
        }
        None
    }

    /// What can be read anew while we run.
    fn reload(&mut self, now: Instant) {
        self.supervisor.tell_reloading(now);
        self.log.reopen();
        self.supervisor.tell_ready(now);
    }

    fn stop(&mut self, signal: &str) {
        info!("stopping signal={signal}");
        self.supervisor.tell_stopping();
        let started = clock::read().now;
        self.core.stop(started, || clock::read().now.since(started) > GOODBYE);
        self.core.state.finish(GOODBYE);
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

/// How long the end may take, for the kernel and for the disk each.
const GOODBYE: Duration = Duration::from_secs(1);
