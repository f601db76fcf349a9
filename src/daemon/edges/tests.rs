//! The core over a kernel that the test plays; its one LAN is the loopback interface of the test's own namespace.

use std::cell::RefCell;
use std::io;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::rc::Rc;

use mio::Poll;
use nix::sched::{CloneFlags, unshare};

use super::super::realtime::Limited;
use super::reading::{RETRY, SECOND_LOOK};
use super::*;
use crate::config::{Faults, LanConfig, Loaded};
use crate::control::{Reply, Request};
use crate::interface::{Interface, InterfaceKind};
use crate::kernel::{Error, Event, Hop, LinkState};
use crate::operation::Refusal;
use crate::route::Route;
use crate::scratch::needs_root;

mod reload;
mod watching;

const FOR_GOOD: By = By::Command { within: None };

#[test]
fn a_lost_carrier_is_seen_by_the_query_and_needs_no_listing() {
    needs_root!();
    let mut bench = Bench::new();
    bench.script.borrow_mut().interfaces[0].carrier = false;
    bench.pass(Duration::from_millis(250));
    assert!(!bench.edges.core.interfaces()[0].carrier);
    assert_eq!(bench.done(), ["interfaces", "links"]);
}

#[test]
fn an_interface_that_is_gone_or_down_is_listed_anew() {
    needs_root!();
    let mut bench = Bench::new();
    bench.script.borrow_mut().interfaces[0].up = false;
    bench.pass(Duration::from_millis(250));
    assert_eq!(bench.done(), ["interfaces", "links", "interfaces"]);
    bench.script.borrow_mut().interfaces.clear();
    bench.pass(Duration::from_millis(250));
    assert_eq!(bench.done(), ["links", "interfaces"]);
    assert!(bench.edges.core.interfaces().is_empty());
}

#[test]
fn carriers_are_asked_for_at_the_interval_but_ten_times_a_second_at_most() {
    needs_root!();
    for (interval, queries) in [(10, 10), (100, 10), (500, 2)] {
        let config = Config { interval: Duration::from_millis(interval), ..Config::default() };
        let mut bench = Bench::with(config);
        for _ in 0..1000 {
            bench.pass(Duration::from_millis(1));
        }
        let done = bench.done();
        let asked = done.iter().filter(|what| *what == "links").count();
        assert_eq!(asked, queries, "interval {interval} ms");
    }
}

#[test]
fn a_listing_that_fails_is_tried_again_and_the_last_one_stands() {
    needs_root!();
    let mut bench = Bench::new();
    bench.done();
    bench.script.borrow_mut().is_broken = true;
    let now = bench.moment.now;
    bench.edges.take_events(now, vec![Event::Links], true);
    assert_eq!(bench.edges.core.interfaces().len(), 1);
    bench.script.borrow_mut().is_broken = false;
    bench.pass(RETRY);
    assert!(bench.done().iter().filter(|what| *what == "interfaces").count() >= 2);
    assert!(bench.edges.troubles.is_empty());
}

#[test]
fn a_link_event_leads_to_a_listing_and_a_second_look() {
    needs_root!();
    let mut bench = Bench::new();
    bench.done();
    bench.edges.take_events(bench.moment.now, vec![Event::Links, Event::Addresses, Event::Links], true);
    assert_eq!(bench.done(), ["interfaces"]);
    bench.pass(SECOND_LOOK);
    assert_eq!(bench.done(), ["interfaces"]);
}

/// What is read may be of no interest, and yet not all.
#[test]
fn nothing_is_put_back_before_all_is_read() {
    needs_root!();
    let mut bench = Bench::new();
    for (is_all, is_behind) in [(false, true), (false, true), (true, false), (true, false)] {
        bench.edges.take_events(bench.moment.now, Vec::new(), is_all);
        assert_eq!(bench.edges.core.reconciler().is_behind(), is_behind);
    }
}

#[test]
fn errands_keep_their_order_and_one_batch_is_a_turn() {
    needs_root!();
    let mut bench = Bench::new();
    bench.edges.errands.clear();
    bench.done();
    bench.edges.errands.extend([
        Errand::Apply(Batch::of_neighbours(1)),
        Errand::Dump(Dump::OwnRoutes),
        Errand::Dump(Dump::LanRoutes),
        Errand::Apply(Batch::of_neighbours(2)),
    ]);
    bench.edges.run_errands(bench.moment.now);
    assert_eq!(bench.done(), ["apply 1"]);
    assert!(bench.edges.has_work());
    bench.edges.run_errands(bench.moment.now);
    assert_eq!(bench.done(), ["own routes", "lan routes", "apply 2"]);
}

#[test]
fn the_end_is_not_put_off_for_ever() {
    needs_root!();
    let mut bench = Bench::new();
    bench.edges.errands.extend((0..100).map(|_| Errand::Apply(Batch::of_neighbours(1))));
    let mut turns = 0;
    bench.edges.stop(bench.moment.now, false, || {
        turns += 1;
        turns > 5
    });
    assert!(bench.edges.errands.len() > 50);
}

#[test]
fn the_time_of_day_is_told_for_a_window_only() {
    needs_root!();
    let window = Failback::Window { from: 0, until: 60 };
    for (failback, is_told) in [(Failback::Auto, false), (window, true)] {
        let mut bench = Bench::with(Config { failback, ..Config::default() });
        let end = bench.moment.now + MINUTE;
        let due = std::iter::from_fn(|| bench.edges.agenda.take_due(end));
        assert_eq!(due.collect::<Vec<_>>().contains(&Task::TellTimeOfDay), is_told);
    }
}

#[test]
fn clones_are_told_with_what_the_kernel_knows_of_their_hardware() {
    needs_root!();
    let mut bench = Bench::new();
    let [known, strange] = [[10, 0, 0, 7], [10, 0, 0, 8]].map(IpAddr::from);
    let (node, interface) = (crate::wire::NodeId(1), "lan-a".to_owned());
    let mut words = |address, other| {
        let interface = interface.clone();
        bench.edges.hardware_of(&engine::Notice::PeerCloned {
            peer: node,
            address,
            other,
            interface,
            ignored: false,
        })
    };
    assert_eq!(words(known, Some(strange)), " mac=02:00:00:00:00:07 other-mac=unknown");
    assert_eq!(words(strange, None), " mac=unknown other-mac=unknown");
    assert_eq!(bench.edges.hardware_of(&engine::Notice::PeerRestarted { peer: node }), "");
}

#[test]
fn an_interface_that_was_renamed_is_put_back_by_the_name_that_it_went_offline_with() {
    needs_root!();
    let mut bench = Bench::new();
    let now = bench.moment.now;
    let (interface, reason) = ("lan-a".to_owned(), None);
    bench.edges.answer(now, &Request::Offline { interface, reason, for_s: None, force: true });
    bench.script.borrow_mut().interfaces[0].name = "lan-z".to_owned();
    bench.edges.take_events(now, vec![Event::Links], true);
    let online = |name: &str| Request::Online { interface: name.to_owned() };
    let Reply::Error(refusal) = bench.edges.answer(now, &online("lan-z")) else { panic!("no refusal") };
    assert!(refusal.message.contains("faildctl online lan-a"), "{refusal}");
    assert!(matches!(bench.edges.answer(now, &online("lan-a")), Reply::Done(_)));
}

/// What the played kernel says, and what it was asked.
#[derive(Default)]
struct Script {
    interfaces: Vec<Interface>,
    is_broken: bool,
    asked: Vec<String>,
}

struct Played(Rc<RefCell<Script>>);

impl Played {
    fn answer<T>(&self, what: &str, value: impl FnOnce(&Script) -> T) -> Result<T, Error> {
        let mut script = self.0.borrow_mut();
        script.asked.push(what.to_owned());
        if script.is_broken { Err(Error::Open(io::ErrorKind::Other.into())) } else { Ok(value(&script)) }
    }
}

impl Kernel for Played {
    fn interfaces(&mut self) -> Result<Vec<Interface>, Error> {
        self.answer("interfaces", |script| script.interfaces.clone())
    }

    fn links(&mut self, wanted: &[InterfaceIndex]) -> Result<Vec<LinkState>, Error> {
        let state = |i: &Interface| LinkState { index: i.index, up: i.up, carrier: i.carrier };
        let found = |script: &Script| {
            script.interfaces.iter().filter(|i| wanted.contains(&i.index)).map(state).collect()
        };
        self.answer("links", found)
    }

    fn own_routes(&mut self) -> Result<Vec<Route>, Error> {
        self.answer("own routes", |_| Vec::new())
    }

    fn routes_over(&mut self, _: &[InterfaceIndex], _: &[u32]) -> Result<Vec<Route>, Error> {
        self.answer("lan routes", |_| Vec::new())
    }

    fn routes_at(&mut self, _: &RouteKey) -> Result<Vec<Route>, Error> {
        self.answer("routes at a key", |_| Vec::new())
    }

    fn hardware_address(&mut self, _: InterfaceIndex, address: IpAddr) -> Option<MacAddress> {
        (address == IpAddr::from([10, 0, 0, 7])).then_some(MacAddress([2, 0, 0, 0, 0, 7]))
    }

    fn neighbours(&mut self, _: InterfaceIndex) -> Result<Vec<IpAddr>, Error> {
        self.answer("neighbours", |_| vec![[10, 0, 0, 7].into()])
    }

    fn hop(&mut self, _: IpAddr, _: Option<IpAddr>) -> Result<Hop, Error> {
        Err(Error::Open(io::ErrorKind::Unsupported.into()))
    }

    fn apply(&mut self, operations: &[Operation]) -> Vec<Result<(), Refusal>> {
        self.0.borrow_mut().asked.push(format!("apply {}", operations.len()));
        operations.iter().map(|_| Ok(())).collect()
    }
}

struct Bench {
    edges: Edges,
    script: Rc<RefCell<Script>>,
    /// What the next reload reads.
    offer: Rc<RefCell<Result<Loaded, Faults>>>,
    moment: Moment,
    _poll: Poll,
}

impl Bench {
    fn new() -> Self {
        Self::with(Config::default())
    }

    fn with(config: Config) -> Self {
        unshare(CloneFlags::CLONE_NEWNET).expect("network namespaces need root: run the tests as root");
        let config = Config {
            lans: vec![LanConfig::new("lan-a")],
            good: NonZeroU32::MIN,
            state_dir: PathBuf::from("/nonexistent"),
            runtime_dir: PathBuf::from("/nonexistent"),
            dry_run: true,
            ..config
        };
        let script = Rc::new(RefCell::new(Script { interfaces: vec![lan()], ..Script::default() }));
        let poll = Poll::new().unwrap();
        let loaded = Loaded { config: config.clone(), warnings: Vec::new(), file: None, text: String::new() };
        let offer = Rc::new(RefCell::new(Ok(loaded)));
        let offered = Rc::clone(&offer);
        let source = Source::new(move |_| offered.borrow().clone());
        let kernel = Box::new(Played(script.clone()));
        let edges = super::super::edges(
            config,
            kernel,
            &poll,
            Log::aside(),
            source,
            Confirmation::default(),
            Limited::prepare(false),
        )
        .unwrap();
        let moment = Moment { now: Instant::from_nanos(1_000_000_000), realtime: Duration::ZERO };
        let mut bench = Self { edges, script, offer, moment, _poll: poll };
        bench.edges.start(moment);
        bench.edges.errands.clear();
        bench
    }

    /// Lets time pass and hands in what is due then.
    fn pass(&mut self, time: Duration) {
        self.moment.now = self.moment.now + time;
        self.edges.pass_deadlines(self.moment);
    }

    /// What the kernel was asked since the last time.
    fn done(&mut self) -> Vec<String> {
        std::mem::take(&mut self.script.borrow_mut().asked)
    }
}

fn lan() -> Interface {
    Interface::new(InterfaceIndex(1), "lan-a")
}
