//! The host: its kernel, its disk, and the daemon's loop around watch and reconciler.

use std::collections::{BTreeSet, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

use faild::config::{Config, Failback};
use faild::engine;
use faild::interface::{Interface, InterfaceIndex, InterfaceKind};
use faild::reconcile::{self, Dump, Operation, Reconciler, Route, Settings};
use faild::time::Instant;
use faild::watch::{self, Answer, Found, Memory, Probe, Watch};

use crate::kernel::{Applied, Kernel, News};
use crate::random::Random;

/// Links are looked at once more so long after an event: what is seen right after it may not be all of it.
const SECOND_LOOK: Duration = Duration::from_millis(100);

/// The watch is told the time of day so often.
pub const MINUTE: Duration = Duration::from_secs(60);

/// Days are short here, so that a story has several.
pub const DAY: Duration = Duration::from_secs(1200);

/// Inputs that may follow from one wake-up; more means that the core feeds itself for ever.
const RESTLESS: u32 = 10_000;

/// See the module.
pub struct Host {
    /// Its kernel.
    pub kernel: Kernel,
    /// The daemon's settings.
    pub config: Config,
    /// The daemon, while it runs.
    pub daemon: Option<Daemon>,
    /// What survives the daemon, not the kernel.
    pub journal: Option<String>,
    /// What survives everything.
    pub memory: Memory,
    /// Interfaces that the administrator has taken out of service; on the disk as well.
    pub offline: BTreeSet<String>,
    /// The daemon is killed right after so many more kernel operations.
    pub dies_after: Option<u32>,
    /// Until then the daemon is stopped (SIGSTOP).
    pub stalled_until: Option<Instant>,
    /// Addresses that traffic goes to.
    pub destinations: Vec<IpAddr>,
    /// What it did since that was last taken.
    pub done: Vec<Done>,
    /// What it sent since that was last taken.
    pub probes: Vec<Probe>,
    /// What it said since that was last taken.
    pub notices: Vec<String>,
    /// Kernel operations asked for.
    pub operations: u64,
    /// It does not come to rest.
    pub is_restless: bool,
    news: VecDeque<News>,
    answers: VecDeque<Answer>,
    random: Random,
}

/// An operation, and the destinations that had a route before it and have none after it.
#[derive(Debug)]
pub struct Done {
    /// What was asked, and what it did to what is not ours.
    pub applied: Applied,
    /// See above.
    pub gaps: Vec<IpAddr>,
}

/// The daemon's process: all that a kill -9 destroys.
pub struct Daemon {
    /// What decides.
    pub watch: Watch,
    /// What compares with the kernel.
    pub reconciler: Reconciler,
    feedback: VecDeque<Feedback>,
    interfaces: Vec<Interface>,
    next_look: Option<Instant>,
    /// When the watch is told the time of day next, if it is to know it.
    next_minute: Option<Instant>,
    is_plan_new: bool,
    is_watch_new: bool,
}

/// What one part, or the kernel, has for another.
enum Feedback {
    Reconcile(reconcile::Input<'static>),
    Found(Vec<Found>),
    Interfaces,
    Neighbours(InterfaceIndex),
}

impl Host {
    /// A host that has just booted; its daemon does not run yet.
    pub fn new(config: Config, kernel: Kernel, destinations: Vec<IpAddr>, random: Random) -> Self {
        Self {
            kernel,
            config,
            daemon: None,
            journal: None,
            memory: Memory::default(),
            offline: BTreeSet::new(),
            dies_after: None,
            stalled_until: None,
            destinations,
            done: Vec::new(),
            probes: Vec::new(),
            notices: Vec::new(),
            operations: 0,
            is_restless: false,
            news: VecDeque::new(),
            answers: VecDeque::new(),
            random,
        }
    }

    /// Starts the daemon, unless it runs.
    pub fn start(&mut self, now: Instant) {
        if self.daemon.is_some() {
            return;
        }
        self.daemon = Some(Daemon {
            watch: Watch::new(&self.config, &self.memory, self.random.bytes()),
            reconciler: Reconciler::new(Settings::from(&self.config), self.journal.as_deref()),
            feedback: VecDeque::from([Feedback::Interfaces]),
            interfaces: Vec::new(),
            next_look: None,
            next_minute: matches!(self.config.failback, Failback::Window { .. }).then_some(now),
            is_plan_new: true,
            is_watch_new: true,
        });
        self.set_offline(now, |_| {});
    }

    /// The administrator takes interfaces out of service, or puts them back. A daemon that is stopped hears of it later.
    pub fn set_offline(&mut self, now: Instant, change: impl FnOnce(&mut BTreeSet<String>)) {
        change(&mut self.offline);
        if self.stalled_until.is_none() {
            let offline = self.offline.clone();
            self.tell_watch(now, watch::Input::Offline(&offline));
        }
    }

    /// The administrator wants traffic home.
    pub fn fail_back(&mut self, now: Instant) {
        self.tell_watch(now, watch::Input::FailBack);
    }

    /// kill -9: what is in the kernel and on the disk stays.
    pub fn kill(&mut self) {
        self.daemon = None;
        self.stalled_until = None;
        self.dies_after = None;
        self.news.clear();
        self.answers.clear();
    }

    /// SIGTERM.
    pub fn stop(&mut self, now: Instant) {
        self.tell_watch(now, watch::Input::Stop { home: true });
        if let Some(daemon) = &mut self.daemon {
            daemon.feedback.push_back(Feedback::Reconcile(reconcile::Input::Stop));
        }
        self.settle(now);
        self.kill();
    }

    /// Somebody answered a probe.
    pub fn answer(&mut self, answer: Answer) {
        if self.daemon.is_some() {
            self.answers.push_back(answer);
        }
    }

    /// Takes what the kernel has to tell; false if that is nothing.
    pub fn hear_kernel(&mut self) -> bool {
        let news = self.kernel.news();
        if self.daemon.is_none() || news.is_empty() {
            return false;
        }
        self.news.extend(news);
        true
    }

    /// When the daemon wants to be woken.
    pub fn deadline(&self) -> Option<Instant> {
        let daemon = self.daemon.as_ref()?;
        let compares = daemon.reconciler.deadline().map(|(at, _)| at);
        let all = [daemon.watch.deadline(), compares, daemon.next_look, daemon.next_minute];
        let first = all.into_iter().flatten().min();
        self.stalled_until.map_or(first, |until| Some(first.map_or(until, |at| at.max(until))))
    }

    /// The daemon wakes up and does all there is to do.
    pub fn wake(&mut self, now: Instant) {
        if self.stalled_until.is_some_and(|until| until > now) {
            return;
        }
        let has_stalled = self.stalled_until.take().is_some();
        while let Some(answer) = self.answers.pop_front() {
            self.tell_watch(now, watch::Input::Answer(answer));
        }
        self.read_news(now);
        // Requests are heard after the kernel.
        if has_stalled {
            self.set_offline(now, |_| {});
        }
        for _ in 0..RESTLESS {
            if self.deadline().is_none_or(|at| at > now) {
                return;
            }
            let Some(daemon) = &mut self.daemon else { return };
            if daemon.next_look.is_some_and(|at| at <= now) {
                daemon.next_look = None;
                daemon.feedback.push_back(Feedback::Interfaces);
            } else if daemon.next_minute.is_some_and(|at| at <= now) {
                daemon.next_minute = Some(now + MINUTE);
                daemon.watch.handle(now, watch::Input::TimeOfDay(time_of_day(now)));
            } else if daemon.watch.deadline().is_some_and(|at| at <= now) {
                daemon.watch.handle(now, watch::Input::DeadlinePassed);
            } else {
                daemon.feedback.push_back(Feedback::Reconcile(reconcile::Input::DeadlinePassed));
            }
            self.settle(now);
        }
        self.is_restless = true;
    }

    fn tell_watch(&mut self, now: Instant, input: watch::Input<'_>) {
        if let Some(daemon) = &mut self.daemon {
            daemon.watch.handle(now, input);
            self.settle(now);
        }
    }

    fn read_news(&mut self, now: Instant) {
        let Some(daemon) = &mut self.daemon else { return };
        daemon.feedback.push_back(Feedback::Reconcile(reconcile::Input::Backlog(true)));
        for news in self.news.drain(..) {
            daemon.feedback.push_back(match news {
                News::RouteAdded(route) => {
                    Feedback::Reconcile(reconcile::Input::RouteAdded(Route::clone(&route)))
                }
                News::RouteDeleted(route) => {
                    Feedback::Reconcile(reconcile::Input::RouteDeleted(Route::clone(&route)))
                }
                News::WentDown(index) => {
                    daemon.next_look = Some(now + SECOND_LOOK);
                    Feedback::Reconcile(reconcile::Input::WentDown(index))
                }
                News::Carrier | News::Interfaces => {
                    daemon.next_look = Some(now + SECOND_LOOK);
                    Feedback::Interfaces
                }
            });
        }
        daemon.feedback.push_back(Feedback::Reconcile(reconcile::Input::Backlog(false)));
        self.settle(now);
    }

    /// Drains both parts until neither has anything to say to the other.
    fn settle(&mut self, now: Instant) {
        for _ in 0..RESTLESS {
            let Some(daemon) = &mut self.daemon else { return };
            while let Some(output) = daemon.watch.next_output() {
                match output {
                    watch::Output::Probe(probe) => self.probes.push(probe),
                    watch::Output::QueryLinks => daemon.feedback.push_back(Feedback::Interfaces),
                    watch::Output::ListNeighbours(index) => {
                        daemon.feedback.push_back(Feedback::Neighbours(index));
                    }
                    watch::Output::PlanChanged => daemon.is_watch_new = true,
                    watch::Output::Remember(memory) => self.memory = memory,
                    watch::Output::Notice(notice) => self.notices.push(notice.to_string()),
                }
            }
            while let Some(output) = self.daemon.as_mut().and_then(|daemon| daemon.reconciler.next_output()) {
                self.on_reconciler(output);
            }
            let Some(daemon) = &mut self.daemon else { return };
            if !daemon.feed_back(now, &self.kernel) {
                return;
            }
        }
        self.is_restless = true;
    }

    fn on_reconciler(&mut self, output: reconcile::Output) {
        let Some(daemon) = &mut self.daemon else { return };
        match output {
            reconcile::Output::Apply(operations) => self.carry_out(operations),
            reconcile::Output::Dump(what) => daemon.dump(what, &self.kernel),
            reconcile::Output::Ask(question) => {
                let answer = self.kernel.answer(&question);
                daemon.feedback.push_back(Feedback::Reconcile(reconcile::Input::Answered(question, answer)));
            }
            reconcile::Output::LookUp(key) => {
                let found = self.kernel.routes_at(&key);
                daemon.feedback.push_back(Feedback::Reconcile(reconcile::Input::LookedUp(key, found)));
            }
            reconcile::Output::Journal(write) => {
                write.apply_to(self.journal.get_or_insert_default());
                daemon.feedback.push_back(Feedback::Reconcile(reconcile::Input::Journalled(Ok(()))));
            }
            reconcile::Output::Found(found) => daemon.feedback.push_back(Feedback::Found(found)),
            reconcile::Output::Notice(notice) => self.notices.push(notice.to_string()),
            reconcile::Output::Outcome(..) | reconcile::Output::Adopted { .. } => {}
        }
    }

    /// The kernel carries out a batch; the daemon may die amid it.
    fn carry_out(&mut self, operations: Vec<Operation>) {
        let mut results = Vec::with_capacity(operations.len());
        for operation in operations {
            let had: Vec<IpAddr> =
                self.destinations.iter().filter(|to| self.kernel.lookup(to).is_some()).copied().collect();
            self.operations += 1;
            let applied = self.kernel.apply(operation);
            results.push((applied.operation.clone(), applied.result.clone()));
            let gaps = had.into_iter().filter(|to| self.kernel.lookup(to).is_none()).collect();
            self.done.push(Done { applied, gaps });
            if let Some(left) = &mut self.dies_after {
                *left = left.saturating_sub(1);
                if *left == 0 {
                    self.kill();
                    return;
                }
            }
        }
        if let Some(daemon) = &mut self.daemon {
            daemon.feedback.push_back(Feedback::Reconcile(reconcile::Input::Results(results)));
        }
    }
}

impl Daemon {
    fn dump(&mut self, what: Dump, kernel: &Kernel) {
        self.feedback.push_back(match what {
            Dump::Interfaces => {
                // Who asks is answered, whether anything has changed or not.
                self.interfaces.clear();
                Feedback::Interfaces
            }
            Dump::OwnRoutes => {
                let own = kernel.own_routes().map(|route| Route::clone(route)).collect();
                Feedback::Reconcile(reconcile::Input::OwnRoutes(own))
            }
            Dump::LanRoutes => {
                let scope = self.reconciler.scope();
                let routes = kernel.routes_over(&scope.interfaces, &scope.tables);
                Feedback::Reconcile(reconcile::Input::LanRoutes(routes))
            }
        });
    }

    /// Hands in one thing that waits; false if there is none.
    fn feed_back(&mut self, now: Instant, kernel: &Kernel) -> bool {
        match self.feedback.pop_front() {
            Some(Feedback::Reconcile(input)) => self.reconciler.handle(now, input),
            Some(Feedback::Found(found)) => self.watch.handle(now, watch::Input::Routes(&found)),
            Some(Feedback::Neighbours(interface)) => {
                self.watch.handle(now, watch::Input::Neighbours { interface, addresses: &[] });
            }
            Some(Feedback::Interfaces) => {
                let interfaces = kernel.interfaces();
                if interfaces != self.interfaces {
                    self.watch.handle(now, watch::Input::Interfaces(&interfaces));
                    self.reconciler.handle(now, reconcile::Input::Interfaces(&interfaces));
                    self.interfaces = interfaces;
                    self.is_plan_new = true;
                }
            }
            None if std::mem::take(&mut self.is_plan_new) => {
                // Nobody names the LANs, and nobody else runs faild there.
                let others = self.interfaces.iter().filter(|i| i.kind != InterfaceKind::Loopback);
                let lans = others.map(|interface| interface.name.clone()).collect();
                let plan = engine::Plan { lans, ..engine::Plan::default() };
                self.reconciler.handle(now, reconcile::Input::Plan(&plan));
            }
            None if std::mem::take(&mut self.is_watch_new) => {
                self.reconciler.handle(now, reconcile::Input::Watch(self.watch.plan()));
            }
            None => return false,
        }
        true
    }
}

/// Local time in seconds since midnight.
pub fn time_of_day(now: Instant) -> u32 {
    u32::try_from(now.as_nanos() / 1_000_000_000 % DAY.as_secs()).unwrap_or(0)
}
