//! Long worlds and many: how rarely faild moves for nothing, how fast it moves for something.
//!
//! By hand: `FAILD_SIM_HOURS=24 FAILD_SIM_MISSED=1` for `needless_moves`, `FAILD_SIM_FAULTS=300` for
//! `outage_distribution`; best with `--release --nocapture`.

use std::num::NonZeroU32;
use std::time::Duration;

use faild::config::Config;

use crate::faults::Fault;
use crate::judge::is_overlaid;
use crate::network::{LanNumber, NodeNumber, Port, Weather};
use crate::random::Random;
use crate::runner::setting;
use crate::simulation::Simulation;
use crate::world::{Setup, World};

const A: LanNumber = LanNumber(0);
const X: NodeNumber = NodeNumber(0);
const Y: NodeNumber = NodeNumber(1);

/// Needless moves that a day at `-f 1` may have; none at more.
const NEEDLESS_A_DAY: u64 = 10;

/// 5 % of datagrams lost in each direction, 16 nodes on two LANs: no move in an hour at defaults.
#[test]
fn needless_moves() {
    let hours = setting("FAILD_SIM_HOURS").unwrap_or(1);
    let missed = setting("FAILD_SIM_MISSED").and_then(|n| u32::try_from(n).ok()).and_then(NonZeroU32::new);
    let mut config = requestor();
    config.missed = missed.unwrap_or(config.missed);
    let may_move = if config.missed.get() == 1 { NEEDLESS_A_DAY * hours / 24 } else { 0 };
    let weather = Weather { loss: 0.05, ..Weather::default() };
    let mut simulation = Simulation::new(Setup {
        nodes: 16,
        config,
        weather,
        routes: false,
        known_neighbours: true,
        watched: false,
        ..Setup::default()
    });
    let started = Stopwatch::start();
    for minute in 1..=hours * 60 {
        simulation.run(Duration::from_secs(60)).expect("nobody judges");
        let laid = laid(&simulation.world);
        assert!(laid <= may_move * 2, "{laid} overlays laid after {minute} minutes of mere loss");
    }
    let received: u64 = simulation.world.nodes.iter().map(|n| n.counters.received).sum();
    let laid = laid(&simulation.world);
    eprintln!("{hours} h: {laid} overlays, {received} packets, {:?}", started.elapsed());
}

/// Outages of silent and one-way faults until both ends have moved, against the budget: worst (f + 0.75) intervals
/// and 5 ms.
#[test]
fn outage_distribution() {
    let faults = setting("FAILD_SIM_FAULTS").unwrap_or(40);
    for missed in 1..=3 {
        for loss in [0.0, 0.05] {
            for is_one_way in [false, true] {
                let mut outages: Vec<f64> =
                    (1..=faults).map(|seed| outage(seed, missed, loss, is_one_way)).collect();
                outages.sort_by(f64::total_cmp);
                let (median, worst) = (outages[outages.len() / 2], outages[outages.len() - 1]);
                let kind = if is_one_way { "one-way" } else { "silent" };
                eprintln!(
                    "-f {missed}, {kind}, {:2.0} % loss: median {median:.2} I, worst {worst:.2} I",
                    loss * 100.0
                );
                let budget = f64::from(missed) + BUDGET_SLOTS + BUDGET_MS / INTERVAL_MS;
                assert!(worst <= budget + tolerance(loss), "-f {missed}, {kind}: worst {worst:.2} I");
            }
        }
    }
}

/// Slots on top of `-f` in the worst case.
const BUDGET_SLOTS: f64 = 0.75;

/// Milliseconds on top of that.
const BUDGET_MS: f64 = 5.0;

/// The interval of the outages.
const INTERVAL_MS: f64 = 200.0;

/// The judge looks every twentieth of a slot. Where 5 % is lost, the packets that carry the news are too, now and then.
fn tolerance(loss: f64) -> f64 {
    if loss > 0.0 { 0.5 } else { 0.05 }
}

/// Intervals from a fault until both ends have moved.
fn outage(seed: u64, missed: u32, loss: f64, is_one_way: bool) -> f64 {
    let mut config = requestor();
    config.missed = NonZeroU32::new(missed).expect("not zero");
    let interval = config.interval;
    let weather = Weather { loss, ..Weather::default() };
    let setup = Setup { seed, nodes: 2, config, weather, routes: false, watched: false, ..Setup::default() };
    let mut simulation = Simulation::new(setup);
    let mut random = Random::new(seed);
    let warm_up = interval * 20 + interval.mul_f64(random.fraction());
    simulation.run(warm_up).expect("nobody judges");
    let fault = if is_one_way { Fault::OneWay(A, X, Y) } else { Fault::Silence(A) };
    fault.begin(&mut simulation.world, Duration::ZERO);
    let mut slots = 0.0;
    while !(has_moved(&simulation.world, X, Y) && has_moved(&simulation.world, Y, X)) {
        simulation.run(interval / 20).expect("nobody judges");
        slots += 0.05;
        assert!(slots < 20.0, "seed {seed}, -f {missed}, one-way {is_one_way}: never moved");
    }
    slots
}

fn requestor() -> Config {
    Config { requestor: true, ..Config::default() }
}

fn laid(world: &World) -> u64 {
    world.nodes.iter().map(|n| n.counters.laid).sum()
}

fn has_moved(world: &World, from: NodeNumber, to: NodeNumber) -> bool {
    let address = world.address(Port { node: to, lan: A }, faild::interface::Family::V4);
    address.is_some_and(|address| is_overlaid(world, from, &address))
}

/// The only real clock in the simulator.
struct Stopwatch(std::time::Instant);

impl Stopwatch {
    #[expect(clippy::disallowed_methods, reason = "measures the simulator itself, nothing depends on it")]
    fn start() -> Self {
        Self(std::time::Instant::now())
    }

    #[expect(clippy::disallowed_methods, reason = "measures the simulator itself, nothing depends on it")]
    fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}
