//! The host: its kernel, its disk, and the daemon's loop around the core.

use std::collections::{BTreeSet, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

use faild::config::{Config, Failback};
use faild::core::{Core, Input, Memory, Output};
use faild::interface::Interface;
use faild::operation::{Operation, Refusal};
use faild::packet::{Answer, Probe};
use faild::reconcile::{Batch, Dump};
use faild::route::Route;
use faild::time::Instant;

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
    /// When it last put back an address of an interface, until that was judged.
    pub address_put_at: Option<Instant>,
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
    pub core: Core,
    feedback: VecDeque<Feedback>,
    interfaces: Vec<Interface>,
    next_look: Option<Instant>,
    /// When the core is told the time of day next, if it is to know it.
    next_minute: Option<Instant>,
}

/// What the kernel has for the core.
enum Feedback {
    Tell(Input<'static>),
    Interfaces,
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
            address_put_at: None,
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
            core: Core::new(&self.config, self.memory.clone(), self.journal.as_deref(), self.random.bytes()),
            feedback: VecDeque::from([Feedback::Interfaces]),
            interfaces: Vec::new(),
            next_look: None,
            next_minute: matches!(self.config.failback, Failback::Window { .. }).then_some(now),
        });
        self.set_offline(now, |_| {});
    }

    /// The administrator takes interfaces out of service, or puts them back. A daemon that is stopped hears of it later.
    pub fn set_offline(&mut self, now: Instant, change: impl FnOnce(&mut BTreeSet<String>)) {
        change(&mut self.offline);
        if self.stalled_until.is_none() {
            let offline = self.offline.clone();
            self.tell(now, Input::Offline(&offline));
        }
    }

    /// The administrator wants traffic home.
    pub fn fail_back(&mut self, now: Instant) {
        self.tell(now, Input::FailBack);
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
        self.tell(now, Input::Stop { keep: false });
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
        let all = [daemon.core.deadline(), daemon.next_look, daemon.next_minute];
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
            self.tell(now, Input::Answer(answer));
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
                daemon.core.handle(now, Input::TimeOfDay(time_of_day(now)));
            } else {
                daemon.core.handle(now, Input::DeadlinePassed);
            }
            self.settle(now);
        }
        self.is_restless = true;
    }

    fn tell(&mut self, now: Instant, input: Input<'_>) {
        if let Some(daemon) = &mut self.daemon {
            daemon.core.handle(now, input);
            self.settle(now);
        }
    }

    fn read_news(&mut self, now: Instant) {
        let Some(daemon) = &mut self.daemon else { return };
        daemon.feedback.push_back(Feedback::Tell(Input::Backlog(true)));
        for news in self.news.drain(..) {
            daemon.feedback.push_back(match news {
                News::RouteAdded(route) => Feedback::Tell(Input::RouteAdded(Route::clone(&route))),
                News::RouteDeleted(route) => Feedback::Tell(Input::RouteDeleted(Route::clone(&route))),
                News::WentDown(index) => {
                    daemon.next_look = Some(now + SECOND_LOOK);
                    Feedback::Tell(Input::WentDown(index))
                }
                News::Carrier | News::Interfaces => {
                    daemon.next_look = Some(now + SECOND_LOOK);
                    Feedback::Interfaces
                }
            });
        }
        daemon.feedback.push_back(Feedback::Tell(Input::Backlog(false)));
        self.settle(now);
    }

    /// Drains the core until it has nothing more to say.
    fn settle(&mut self, now: Instant) {
        for _ in 0..RESTLESS {
            while let Some(output) = self.daemon.as_mut().and_then(|daemon| daemon.core.next_output()) {
                self.on_output(now, output);
            }
            let Some(daemon) = &mut self.daemon else { return };
            if !daemon.feed_back(now, &self.kernel) {
                return;
            }
        }
        self.is_restless = true;
    }

    fn on_output(&mut self, now: Instant, output: Output) {
        let Some(daemon) = &mut self.daemon else { return };
        match output {
            Output::Probe(probe) => self.probes.push(probe),
            Output::QueryLinks => daemon.feedback.push_back(Feedback::Interfaces),
            Output::ListNeighbours(interface) => {
                daemon.feedback.push_back(Feedback::Tell(Input::Neighbours { interface, addresses: &[] }));
            }
            Output::Apply(batch) => self.carry_out(now, batch),
            Output::Dump(what) => daemon.dump(what, &self.kernel),
            Output::Ask(question) => {
                let answer = self.kernel.answer(&question);
                daemon.feedback.push_back(Feedback::Tell(Input::Answered(question, answer)));
            }
            Output::LookUp(key) => {
                let found = self.kernel.routes_at(&key);
                daemon.feedback.push_back(Feedback::Tell(Input::LookedUp(key, found)));
            }
            Output::Journal(write) => {
                write.apply_to(self.journal.get_or_insert_default());
                daemon.feedback.push_back(Feedback::Tell(Input::Journalled(Ok(()))));
            }
            Output::Remember(memory) => self.memory = memory,
            Output::Notice(notice) => self.notices.push(notice.to_string()),
            // Nobody else runs faild there, and sockets are always there.
            Output::Send(_) | Output::Solicit { .. } | Output::Endpoints | Output::PlanChanged => {}
        }
    }

    /// The kernel carries out a batch; the daemon may die amid it.
    fn carry_out(&mut self, now: Instant, batch: Batch) {
        let results = batch.carry_out(|operations| self.apply(now, operations));
        if let Some(daemon) = &mut self.daemon {
            daemon.feedback.push_back(Feedback::Tell(Input::Results(results)));
        }
    }

    fn apply(&mut self, now: Instant, operations: &[Operation]) -> Vec<Result<(), Refusal>> {
        let mut results = Vec::with_capacity(operations.len());
        for operation in operations {
            let had: Vec<IpAddr> =
                self.destinations.iter().filter(|to| self.kernel.lookup(to).is_some()).copied().collect();
            self.operations += 1;
            let applied = self.kernel.apply(operation.clone());
            results.push(applied.result.clone());
            if matches!(&applied.operation, Operation::AddAddress { address, .. } if address.address().is_ipv6())
            {
                self.address_put_at = Some(now);
            }
            let gaps = had.into_iter().filter(|to| self.kernel.lookup(to).is_none()).collect();
            self.done.push(Done { applied, gaps });
            if let Some(left) = &mut self.dies_after {
                *left = left.saturating_sub(1);
                if *left == 0 {
                    self.kill();
                    break;
                }
            }
        }
        results
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
                Feedback::Tell(Input::OwnRoutes(own))
            }
            Dump::LanRoutes => {
                let scope = self.core.reconciler().scope();
                let routes = kernel.routes_over(&scope.interfaces, &scope.tables);
                Feedback::Tell(Input::LanRoutes(routes))
            }
        });
    }

    /// Hands in one thing that waits; false if there is none.
    fn feed_back(&mut self, now: Instant, kernel: &Kernel) -> bool {
        match self.feedback.pop_front() {
            Some(Feedback::Tell(input)) => self.core.handle(now, input),
            Some(Feedback::Interfaces) => {
                let interfaces = kernel.interfaces();
                if interfaces != self.interfaces {
                    self.core.handle(now, Input::Interfaces(&interfaces));
                    self.interfaces = interfaces;
                }
            }
            None => return self.core.hand_over(now),
        }
        true
    }
}

/// Local time in seconds since midnight.
pub fn time_of_day(now: Instant) -> u32 {
    u32::try_from(now.as_nanos() / 1_000_000_000 % DAY.as_secs()).unwrap_or(0)
}
