//! A world under random faults, whatever it is made of.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::action::{Action, Signal};
use super::flows::{Flow, Traffic};
use super::model::{LANS, Model, To, flag};
use super::random::Random;
use super::story::{Story, run_together, settle};
use super::{Timing, look};
use crate::lab::{Daemon, Family, Host, Lab, now, pause};

/// The kernel tells of IPv6 routes and addresses that go with an interface in the words for those that somebody removes:
/// nobody can tell the two apart when the interface falls within the next tenth of a second.
const TELLING_APART: Duration = Duration::from_millis(150);

/// The same after a start, for an interface that fell while no daemon ran: it has just come up for all that is known.
const FOUND: Duration = Duration::from_millis(500);

/// A world.
pub(super) struct World<'a> {
    lab: &'a Lab,
    parts: Parts<'a>,
    /// Since when the kill switch of each host stands.
    refusing: Vec<Option<Instant>>,
    /// When something was done last.
    disturbed: Instant,
    /// When a daemon was started last, or went on.
    begun: Instant,
    story: Story,
}

/// What the kinds of worlds differ in.
pub(super) struct Parts<'a> {
    pub(super) timing: Timing,
    /// The longest that damping keeps traffic from home.
    pub(super) damped: Duration,
    pub(super) model: Model,
    /// Those of the first hosts of the lab, as many as the model has.
    pub(super) daemons: Vec<Daemon<'a>>,
    /// What each of these hosts has on `lo`.
    pub(super) on_lo: Vec<Vec<IpAddr>>,
    /// What each of these hosts asks for all the time.
    pub(super) traffic: Vec<(Vec<Asked>, Traffic)>,
}

/// What a flow asks for.
pub(super) struct Asked {
    pub(super) to: usize,
    pub(super) what: To,
    pub(super) flow: Flow,
}

impl<'a> World<'a> {
    /// Does so much to it; panics if it does not bear it.
    pub(super) fn play(lab: &'a Lab, parts: Parts<'a>, story: Story, steps: usize, random: &mut Random) {
        let refusing = vec![None; parts.model.nodes.len()];
        let mut world = Self { lab, parts, refusing, disturbed: now(), begun: now(), story };
        world.check(now());
        while world.story.steps() < steps {
            world.step(random);
        }
        let home = world.heal();
        world.stop(home);
    }

    fn hosts(&self) -> impl Iterator<Item = (usize, &'a Host)> + use<'a> {
        let lab = self.lab;
        lab.hosts().iter().enumerate().take(self.refusing.len())
    }

    fn step(&mut self, random: &mut Random) {
        let actions = self.choose(random);
        self.story.step(actions.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "));
        self.perform(&actions, random);
        // What overlaps is not waited for.
        if random.chance(0.3) {
            pause(random.between(Duration::ZERO, Duration::from_millis(400)));
            return;
        }
        self.check(now());
        if random.chance(0.5) {
            pause(random.between(Duration::ZERO, self.parts.timing.recovery()));
        }
    }

    /// One to three things that can happen at once. The more is broken, the more is healed.
    fn choose(&self, random: &mut Random) -> Vec<Action> {
        let count = *random.pick(&[1, 1, 1, 2, 2, 3]);
        let mut actions: Vec<Action> = Vec::new();
        let repairs = Action::repairs(&self.parts.model);
        let weight = repairs.len() as f64 / (repairs.len() + 3) as f64;
        for _ in 0..count {
            let faults = Action::faults(&self.parts.model, random);
            let mut all = if random.chance(weight) { repairs.clone() } else { faults };
            all.retain(|action| actions.iter().all(|other| action.agrees_with(other)));
            if !all.is_empty() {
                actions.push(*random.pick(&all));
            }
        }
        actions
    }

    /// Everything at about the same time.
    fn perform(&mut self, actions: &[Action], random: &mut Random) {
        let takes_away = |action: &Action| matches!(action, Action::Place(_, _, what) if what.takes_away());
        if actions.iter().any(takes_away) {
            pause(FOUND.saturating_sub(now() - self.begun));
        }
        if now() - self.disturbed > self.parts.timing.acquaintance() {
            self.parts.model.acquaint();
        }
        let (mut scripts, mut signals) = (Vec::new(), Vec::new());
        for action in actions {
            scripts.extend(action.perform(self.lab, &mut self.parts.model));
            if let Action::Daemon(host, signal) = action {
                signals.push((*host, *signal));
            }
        }
        let gaps: Vec<Duration> =
            scripts.iter().map(|_| random.between(Duration::ZERO, Duration::from_millis(12))).collect();
        let before = random.between(Duration::ZERO, Duration::from_millis(30));
        let daemons = &mut self.parts.daemons;
        std::thread::scope(|scope| {
            let (alone, signals) = (scripts.is_empty(), &signals);
            scope.spawn(move || {
                pause(if alone { Duration::ZERO } else { before });
                signals.iter().for_each(|(host, signal)| send(&mut daemons[*host], *signal));
            });
            run_together(&scripts, |place| gaps[place]);
        });
        if actions.iter().any(takes_away) {
            pause(TELLING_APART);
        }
        let done = now();
        self.disturbed = done;
        if actions.iter().any(|action| matches!(action, Action::Daemon(_, signal) if signal.begins())) {
            self.begun = done;
        }
        for (node, since) in self.parts.model.nodes.iter().zip(&mut self.refusing) {
            *since = node.switch.map(|_| since.unwrap_or(done));
        }
    }

    /// What must be so, is soon.
    #[track_caller]
    fn check(&mut self, since: Instant) {
        let (late, limit) = (self.late(), self.parts.timing.limit());
        let outcome = settle(limit, || 2 * (self.late() - late), || self.wrong(since));
        let took = now() - since;
        match outcome {
            Ok(()) => {
                self.parts.model.settle();
                self.story.tell(format_args!("    as it should be after {} ms", took.as_millis()));
            }
            Err(wrong) => {
                let wrong = wrong.join("\n  ");
                self.story.tell(format_args!("    not as it should be after {took:?}:\n  {wrong}"));
                panic!("not as it should be after {took:?} (limit {limit:?}):\n  {wrong}");
            }
        }
    }

    fn late(&self) -> Duration {
        self.parts.traffic.iter().map(|(_, traffic)| traffic.late()).max().unwrap_or_default()
    }

    /// All that is not as it must be, with questions asked after `since`.
    fn wrong(&self, since: Instant) -> Vec<String> {
        let mut wrong = self.wrong_flows(since);
        if wrong.is_empty() {
            for (here, host) in self.hosts() {
                wrong.extend(self.wrong_routes(here, host));
                wrong.extend(self.wrong_addresses(here, host));
            }
        }
        wrong
    }

    fn wrong_flows(&self, since: Instant) -> Vec<String> {
        let (model, mut wrong) = (&self.parts.model, Vec::new());
        for (from, (asked, traffic)) in self.parts.traffic.iter().enumerate() {
            for (number, Asked { to, what, flow }) in asked.iter().enumerate() {
                let name = format!("{} {} -> {}", self.lab.hosts()[from].name(), flow.from, flow.to);
                if let Some(stands) = self.refusing[from]
                    && model.must_not_pass(from, *what)
                {
                    let passed = traffic.answered(number).is_some_and(|at| at > stands);
                    assert!(
                        !passed || !model.has_always_refused(from),
                        "{name} passes, which a kill switch refuses"
                    );
                    // It began to decide when somebody flushed what it stood behind.
                    if model.is_running(from) && traffic.works(number, since) {
                        wrong.push(format!("{name} passes, which a kill switch refuses"));
                    }
                } else if model.must_pass(from, *to, *what) && !traffic.works(number, since) {
                    wrong.push(format!("{name} does not pass"));
                }
            }
        }
        wrong
    }

    fn wrong_routes(&self, here: usize, host: &Host) -> Vec<String> {
        let (model, there) = (&self.parts.model, look::routes(host));
        let node = &model.nodes[here];
        let switches = node.switch.iter().flat_map(|switch| {
            node.guarded.iter().map(move |(family, prefix)| look::refusal(*family, prefix, *switch))
        });
        let text = |route| look::normal(&model.text(here, route), flag(route.family));
        let mut needed: Vec<String> = switches.collect();
        let known = node.routes.iter().filter(|route| !route.gone).map(text);
        let known: Vec<String> = known.chain(needed.iter().cloned()).collect();
        if model.is_running(here) {
            needed.extend(model.routes(here).map(text));
        }
        look::compare(host, &there, &needed, &known)
    }

    fn wrong_addresses(&self, here: usize, host: &Host) -> Vec<String> {
        let (runs, there) = (self.parts.model.is_running(here), look::addresses(host));
        let (mut needed, mut known) = (Vec::new(), Vec::new());
        needed.extend(self.parts.on_lo[here].iter().map(|address| format!("lo {address}")));
        for lan in LANS {
            let place = self.parts.model.place(here, lan);
            let on = |interface: &str| {
                place.addresses().map(|address| format!("{interface} {address}")).collect::<Vec<_>>()
            };
            if place.addressed {
                known.extend(on(&place.interface));
                known.extend(on(&format!("gone{lan}")));
            }
            if place.addressed && place.is_live() && runs {
                needed.extend(on(&place.interface));
            } else if place.addressed {
                // Parked while its own interface is not there, and until somebody looks.
                known.extend(on("lo"));
            }
        }
        known.extend(needed.iter().cloned());
        look::compare(host, &there, &needed, &known)
    }

    /// Paths and next hops that were found dead so far.
    fn ways_lost(&self) -> usize {
        self.parts.daemons.iter().map(Daemon::ways_lost).sum()
    }

    fn repair(&mut self) {
        // One repair may make another possible, or needless.
        for _ in 0..4 {
            for repair in Action::repairs(&self.parts.model) {
                if Action::repairs(&self.parts.model).contains(&repair) {
                    self.perform(&[repair], &mut Random::new(0));
                }
            }
        }
    }

    /// All faults end; then all is as it was. As [`Self::go_home`].
    fn heal(&mut self) -> usize {
        self.repair();
        // What administrators add when they see that the rest is back.
        self.check(now());
        self.repair();
        let mut routes = self.parts.model.nodes.iter().flat_map(|node| &node.routes);
        let is_left = routes.any(|route| route.gone) || !Action::repairs(&self.parts.model).is_empty();
        assert!(!is_left, "the test cannot repair what it broke");
        self.story.tell("all is healed");
        self.check(now());
        self.go_home()
    }

    /// Everything is home, damping included. How many ways had been found dead by then.
    fn go_home(&mut self) -> usize {
        let (late, limit) = (self.late(), self.parts.timing.limit() + self.parts.damped);
        let overlays = || self.hosts().flat_map(|(_, host)| look::overlays(host)).collect();
        let home = settle(limit, || 2 * (self.late() - late), overlays);
        let left = home.err().unwrap_or_default();
        assert!(left.is_empty(), "not home {limit:?} after all was healed:\n  {}", left.join("\n  "));
        self.check(now());
        self.story.tell("all is home");
        self.ways_lost()
    }

    /// After the end nothing is left over. A busy machine may have moved traffic away from home since it was there, and then
    /// overlays stay by right: all starts and goes home once more.
    fn stop(&mut self, mut lost: usize) {
        for _ in 0..3 {
            self.parts.daemons.iter_mut().for_each(end);
            let is_home = self.hosts().all(|(_, host)| look::overlays(host).is_empty());
            if is_home || self.ways_lost() == lost {
                break;
            }
            self.story.tell("not home any more when all ended");
            self.parts.daemons.iter_mut().for_each(Daemon::restart_with_log);
            lost = self.go_home();
        }
        for (here, host) in self.hosts() {
            let mut left = look::overlays(host);
            // As it was while it ran: nothing may be missing, nothing parked.
            left.extend(self.wrong_routes(here, host));
            left.extend(self.wrong_addresses(here, host));
            left.extend(look::processes(host));
            assert!(left.is_empty(), "left over after the end:\n  {}", left.join("\n  "));
        }
        self.story.tell("nothing is left over");
    }
}

fn end(daemon: &mut Daemon) {
    let status = daemon.terminate();
    assert!(status.success(), "{} ends with {status}", daemon.host().name());
}

fn send(daemon: &mut Daemon, signal: Signal) {
    match signal {
        Signal::Kill => daemon.kill(),
        Signal::Terminate => {
            // Before that nothing is there that could end in order.
            daemon.wait_ready();
            end(daemon);
        }
        Signal::Start => {
            daemon.restart_with_log();
            daemon.wait_ready();
        }
        Signal::KillAndStart => {
            daemon.kill();
            daemon.restart_with_log();
        }
        Signal::TerminateAndStart => {
            daemon.wait_ready();
            end(daemon);
            daemon.restart_with_log();
        }
        Signal::Stop => daemon.signal(nix::sys::signal::Signal::SIGSTOP),
        Signal::Continue => daemon.signal(nix::sys::signal::Signal::SIGCONT),
    }
}

/// What a host asks for, and answers at its own addresses.
pub(super) fn ask(host: &Host, own: Vec<IpAddr>, asked: Vec<Asked>) -> (Vec<Asked>, Traffic) {
    let flows = asked.iter().map(|asked| asked.flow).collect();
    let traffic = Traffic::start(host, own, flows);
    (asked, traffic)
}

/// Both families of it.
pub(super) fn both<T>(of: impl Fn(Family) -> T) -> [T; 2] {
    [of(Family::V4), of(Family::V6)]
}
