//! One host: its kernel, its disk, and the daemon's loop around the core.
//!
//! The loop does what the real one does: one bounded drain of the sockets, then the news of the kernel, then the
//! deadlines; after the drain, and after each other input, the core is drained to rest. What must leave the host comes out
//! as [`Effect`]s.

mod machine;
mod operations;
mod parts;

use std::collections::{BTreeSet, VecDeque};
use std::net::IpAddr;
use std::rc::Rc;
use std::time::Duration;

use faild::config::Config;
use faild::core::{Core, Input, Memory};
use faild::interface::InterfaceIndex;
use faild::packet::{self, Datagram};
use faild::route::Route;
use faild::time::Instant;

use crate::daemon::{Daemon, Feedback};
use crate::kernel::{Blueprint, Kernel, News};
use crate::network::{LanNumber, NodeNumber};
use crate::random::Random;
use machine::Machine;
pub use machine::Saved;
pub use parts::{Arrival, Counters, Effect, PortState};

/// Datagrams that an interface's socket holds: 4 MiB of receive buffer at 2 KiB of kernel memory each.
const RECEIVE_BUFFER: usize = 2048;

/// The links are looked at once an interval, but not more often than so.
const LOOK_PAUSE: Duration = Duration::from_millis(100);

/// After it has read packets, and had read others not long before, the daemon rests for this part of its interval, but not
/// longer and not shorter than so: it wakes up once for several of them.
const REST_OF_INTERVAL: u32 = 400;
const LONGEST_REST: Duration = Duration::from_millis(1);
const SHORTEST_REST: Duration = Duration::from_micros(100);

/// Inputs that may follow from one wake-up; more means that the core feeds itself for ever.
const RESTLESS: u32 = 100_000;

/// A host.
pub struct Node {
    /// Which one.
    pub number: NodeNumber,
    /// The daemon's settings.
    pub config: Config,
    /// What they were at the beginning.
    pub original: Config,
    /// What it boots into.
    pub blueprint: Blueprint,
    /// What survives everything but the loss of the disk.
    pub memory: Memory,
    /// Interfaces that the administrator has taken out of service; on the disk as well.
    pub offline: BTreeSet<String>,
    /// What survives the daemon, not the kernel.
    pub journal: Option<String>,
    /// The last run came to an orderly end.
    is_stopped: bool,
    /// Its kernel.
    pub kernel: Kernel,
    /// The daemon, while it runs.
    pub daemon: Option<Daemon>,
    /// The daemon is killed right after so many more kernel operations.
    pub dies_after: Option<u32>,
    /// Until then the daemon is stopped (SIGSTOP).
    pub stalled_until: Option<Instant>,
    /// Its interfaces as the network needs them, by LAN.
    pub ports: Vec<PortState>,
    /// What it did so far.
    pub counters: Counters,
    /// The timer that is set.
    pub timer: Option<Instant>,
    /// When the latest news of the kernel reach the daemon.
    pub told: Instant,
    /// When the wake-up that is planned because of something that arrived comes.
    pub waking: Option<Instant>,
    /// What a dry run would have laid.
    shadow: Vec<Route>,
    inbox: VecDeque<Arrival>,
    /// When the daemon last read packets.
    last_read: Instant,
    /// Until then it rests, by its own clock; news of the kernel and deadlines end that.
    rests_until: Instant,
    machine: Machine,
    overflown: BTreeSet<LanNumber>,
    news: VecDeque<News>,
    answers: VecDeque<(InterfaceIndex, IpAddr)>,
    /// For delays and seeds of this host.
    pub random: Random,
}

impl Node {
    /// A host that has just booted; its daemon does not run yet.
    pub fn new(number: NodeNumber, config: Config, blueprint: Blueprint, mut random: Random) -> Self {
        let kernel = Kernel::boot(&blueprint, random.fork());
        let ports = vec![PortState::default(); blueprint.interfaces.len()];
        let mut node = Self {
            number,
            original: config.clone(),
            config,
            blueprint,
            memory: Memory::default(),
            offline: BTreeSet::new(),
            journal: None,
            is_stopped: false,
            kernel,
            daemon: None,
            dies_after: None,
            stalled_until: None,
            ports,
            counters: Counters::default(),
            timer: None,
            told: Instant::default(),
            waking: None,
            shadow: Vec::new(),
            inbox: VecDeque::new(),
            last_read: Instant::default(),
            rests_until: Instant::default(),
            machine: Machine::default(),
            overflown: BTreeSet::new(),
            news: VecDeque::new(),
            answers: VecDeque::new(),
            random,
        };
        node.refresh_ports();
        node
    }

    /// Starts the daemon.
    pub fn start(&mut self, now: Instant, effects: &mut Vec<Effect>) {
        let (memory, journal) = (self.memory.clone(), self.journal.as_deref());
        let mut core = Core::new(&self.config, memory, journal, self.random.bytes());
        core.handle(now, Input::Offline(&self.offline));
        let feedback = VecDeque::from([Feedback::Interfaces]);
        self.daemon = Some(Daemon { core, feedback, interfaces: Vec::new(), next_look: now });
        self.shadow.clear();
        self.is_stopped = false;
        self.counters.beginnings += 1;
        self.forget_drops();
        self.settle(now, effects);
    }

    /// The administrator takes an interface out of service, or puts it back.
    pub fn set_offline(&mut self, name: &str, offline: bool, now: Instant, effects: &mut Vec<Effect>) {
        let is_news = if offline { self.offline.insert(name.to_owned()) } else { self.offline.remove(name) };
        if is_news {
            let names = self.offline.clone();
            self.feed(now, effects, Some(Input::Offline(&names)));
        }
    }

    /// kill -9: what is in the kernel and on the disk stays.
    pub fn kill(&mut self) {
        self.daemon = None;
        self.stalled_until = None;
        self.timer = None;
        self.rests_until = Instant::default();
        self.inbox.clear();
        self.overflown.clear();
        self.news.clear();
        self.answers.clear();
    }

    /// SIGTERM.
    pub fn stop(&mut self, now: Instant, effects: &mut Vec<Effect>) {
        if let Some(daemon) = &mut self.daemon {
            daemon.core.handle(now, Input::Stop { keep: false });
        }
        self.settle(now, effects);
        // It may have been killed before, or amid that.
        self.is_stopped |= self.daemon.is_some();
        self.kill();
    }

    /// The settings have changed, and are taken over as the daemon does.
    pub fn reload(&mut self, now: Instant, effects: &mut Vec<Effect>) {
        self.counters.beginnings += 1;
        let Some(daemon) = &mut self.daemon else { return };
        daemon.core.handle(now, Input::Config(&self.config));
        daemon.core.handle(now, Input::Interfaces(&self.kernel.interfaces()));
        self.settle(now, effects);
    }

    /// Power off and on: the kernel is as configured, the daemon does not run yet.
    pub fn reboot(&mut self) {
        self.kill();
        self.journal = None;
        let moods = self.kernel.moods;
        self.kernel = Kernel::boot(&self.blueprint, self.random.fork());
        self.kernel.moods = moods;
        self.ports.iter_mut().for_each(|port| port.neighbours.clear());
        for (plan, _) in self.blueprint.interfaces.iter().zip(&self.ports).filter(|(_, p)| p.unplugged) {
            self.kernel.set_carrier(&plan.name, false);
        }
    }

    /// A frame arrives at an interface of ours.
    pub fn receive(&mut self, arrival: Arrival) {
        if self.daemon.is_none() {
            return;
        }
        if self.is_frozen() {
            self.keep_in_ring(arrival);
        } else if self.inbox.len() < RECEIVE_BUFFER {
            self.inbox.push_back(arrival);
        } else {
            self.overflown.insert(arrival.lan);
        }
    }

    /// The kernel has news for the daemon.
    pub fn notify(&mut self, news: News) {
        if self.daemon.is_some() {
            self.news.push_back(news);
        }
    }

    /// Somebody answered an ARP request of ours.
    pub fn answer(&mut self, interface: InterfaceIndex, address: IpAddr) {
        if self.daemon.is_some() {
            self.answers.push_back((interface, address));
        }
    }

    /// The daemon's receive buffer for the kernel's news overflowed.
    pub fn lose_news(&mut self, now: Instant, effects: &mut Vec<Effect>) {
        self.news.clear();
        if let Some(daemon) = &mut self.daemon {
            daemon.feedback.push_back(Feedback::Tell(Input::Overrun));
            daemon.feedback.push_back(Feedback::Interfaces);
        }
        self.settle(now, effects);
    }

    /// When the daemon wants to be woken.
    pub fn deadline(&self) -> Option<Instant> {
        let daemon = self.daemon.as_ref()?;
        daemon.core.deadline().into_iter().chain([daemon.next_look]).min()
    }

    /// The daemon wakes up and does all there is to do.
    pub fn wake(&mut self, now: Instant, effects: &mut Vec<Effect>) {
        if self.daemon.is_none() {
            return;
        }
        self.counters.wakes += 1;
        self.rest(now);
        self.read_sockets(now, effects);
        self.read_news(now, effects);
        self.pass_deadlines(now, effects);
    }

    fn rest(&mut self, now: Instant) {
        if self.inbox.is_empty() {
            return;
        }
        let pause = now.since(std::mem::replace(&mut self.last_read, now));
        let rest = (self.config.interval / REST_OF_INTERVAL).min(LONGEST_REST);
        let is_rested = rest < SHORTEST_REST || pause > rest * 2;
        self.rests_until = if is_rested { now } else { now + rest };
    }

    fn read_sockets(&mut self, now: Instant, effects: &mut Vec<Effect>) {
        for lan in std::mem::take(&mut self.overflown) {
            let index = self.ports[lan.index()].index;
            self.feed(now, effects, index.map(|index| Input::Arrived(packet::Arrival::Overflow(index))));
        }
        while let Some(arrival) = self.inbox.pop_front() {
            let Some(interface) = self.ports[arrival.lan.index()].index else { continue };
            let frame = &*arrival.frame;
            self.counters.received += 1;
            let heard = effects.len();
            let (frame_read, lan) = (Rc::clone(&arrival.frame), arrival.lan);
            effects.push(Effect::Heard { frame: frame_read, lan, dropped: None });
            let datagram = Datagram {
                interface,
                source: frame.source,
                destination: frame.destination,
                hop_limit: frame.hop_limit,
                arrived: arrival.at,
                payload: &frame.payload,
            };
            self.hand_in(effects, now, Input::Arrived(packet::Arrival::Datagram(datagram)));
            let dropped = self.newest_drop();
            if dropped.is_some() {
                effects[heard] = Effect::Heard { frame: arrival.frame, lan, dropped };
            }
        }
        self.settle(now, effects);
        while let Some((interface, address)) = self.answers.pop_front() {
            let answer = packet::Arrival::NeighbourAnswered { interface, address };
            self.feed(now, effects, Some(Input::Arrived(answer)));
        }
    }

    fn read_news(&mut self, now: Instant, effects: &mut Vec<Effect>) {
        let Some(daemon) = &mut self.daemon else { return };
        let mut links_changed = false;
        daemon.feedback.push_back(Feedback::Tell(Input::Backlog(true)));
        for news in self.news.drain(..) {
            links_changed |= matches!(news, News::Carrier | News::Interfaces | News::WentDown(_));
            daemon.feedback.push_back(Feedback::Tell(match news {
                News::RouteAdded(route) => Input::RouteAdded(Route::clone(&route)),
                News::RouteDeleted(route) => Input::RouteDeleted(Route::clone(&route)),
                News::WentDown(index) => Input::WentDown(index),
                News::Carrier | News::Interfaces => continue,
            }));
        }
        if links_changed {
            // What is seen right after an event may not be all of it.
            daemon.next_look = daemon.next_look.min(now + LOOK_PAUSE);
            daemon.feedback.push_back(Feedback::Interfaces);
        }
        daemon.feedback.push_back(Feedback::Tell(Input::Backlog(false)));
        self.settle(now, effects);
    }

    fn pass_deadlines(&mut self, now: Instant, effects: &mut Vec<Effect>) {
        for _ in 0..RESTLESS {
            if self.deadline().is_none_or(|at| at > now) {
                return;
            }
            let Some(daemon) = &mut self.daemon else { return };
            if daemon.next_look <= now {
                daemon.next_look = now + self.config.interval.max(LOOK_PAUSE);
                daemon.feedback.push_back(Feedback::Interfaces);
            } else {
                daemon.core.handle(now, Input::DeadlinePassed);
            }
            self.settle(now, effects);
        }
        effects.push(Effect::Restless);
    }

    /// What was decided waits until all that has arrived is taken in.
    fn hand_in(&mut self, effects: &mut Vec<Effect>, now: Instant, input: Input<'_>) {
        if let Some(daemon) = &mut self.daemon {
            daemon.core.handle(now, input);
            self.drain(effects);
        }
    }

    fn feed(&mut self, now: Instant, effects: &mut Vec<Effect>, input: Option<Input<'_>>) {
        if let Some(input) = input {
            self.hand_in(effects, now, input);
            self.settle(now, effects);
        }
    }

    fn drain(&mut self, effects: &mut Vec<Effect>) {
        let Some(daemon) = &mut self.daemon else { return };
        let batches = daemon.drain(&self.kernel, &self.shadow, &mut self.memory, &mut self.journal, effects);
        for batch in batches {
            self.carry_out(batch, effects);
        }
    }

    /// Drains the core until it has nothing more to say.
    fn settle(&mut self, now: Instant, effects: &mut Vec<Effect>) {
        for _ in 0..RESTLESS {
            self.drain(effects);
            let Some(daemon) = &mut self.daemon else { return };
            if !daemon.feed_back(now, &self.kernel) {
                return;
            }
        }
        effects.push(Effect::Restless);
    }
}
