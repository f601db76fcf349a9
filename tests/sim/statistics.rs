//! Long and large worlds: how rarely faild moves for nothing, how fast it moves for something, what it costs.
//!
//! By hand: `FAILD_SIM_HOURS=24 FAILD_SIM_MISSED=1` for `needless_moves`, `FAILD_SIM_FAULTS=300` for
//! `outage_distribution`, `FAILD_SIM_NODES=1000` for `scale`; best with `--release --nocapture`.

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

/// 5 % loss in each direction, 16 nodes on two LANs: no move in an hour at defaults.
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

/// Many nodes at rest and through a LAN's death: packets, processor and memory a node.
#[test]
fn scale() {
    let nodes = setting("FAILD_SIM_NODES").and_then(|n| usize::try_from(n).ok()).unwrap_or(60);
    let interval = Duration::from_secs(1);
    let config = Config { interval, ..requestor() };
    let budget = f64::from(config.packet_budget.get());
    let before = resident_kib();
    let mut simulation =
        Simulation::new(Setup { nodes, config, routes: false, watched: false, ..Setup::default() });
    simulation.run(interval * 15).expect("nobody judges");
    let memory = resident_kib().saturating_sub(before) / nodes as u64;
    let rest = measure(&mut simulation, interval, 5);
    eprintln!("{nodes} nodes at rest: {rest}, {memory} KiB a node (with its packets on the wire)");
    assert!(rest.packets <= budget, "{:.0} packets a node and second", rest.packets);
    Fault::Silence(A).begin(&mut simulation.world, Duration::ZERO);
    let death = measure(&mut simulation, interval, 5);
    eprintln!("{nodes} nodes through the death of a LAN: {death}");
    assert!(death.packets <= budget, "{:.0} packets a node and second", death.packets);
    let numbers = simulation.world.numbers();
    let is_moved = |x: &NodeNumber, y: &NodeNumber| x == y || has_moved(&simulation.world, *x, *y);
    let missing =
        numbers.iter().flat_map(|x| numbers.iter().map(move |y| (x, y))).filter(|(x, y)| !is_moved(x, y));
    assert_eq!(missing.count(), 0, "pairs that have not moved after five intervals");
}

/// What a node costs.
struct Cost {
    /// Sent and read by a node in a second.
    packets: f64,
    /// Of a second.
    processor: Duration,
}

impl std::fmt::Display for Cost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let permille = self.processor.as_secs_f64() * 1000.0;
        write!(
            f,
            "a node sends and reads {:.0} packets a second, costs {permille:.2} ms a second",
            self.packets
        )
    }
}

/// The mean over so many intervals.
fn measure(simulation: &mut Simulation, interval: Duration, intervals: u32) -> Cost {
    let packets =
        |world: &World| world.nodes.iter().map(|n| n.counters.sent + n.counters.received).sum::<u64>();
    let before = packets(&simulation.world);
    let started = Stopwatch::start();
    simulation.run(interval * intervals).expect("nobody judges");
    let nodes = simulation.world.nodes.len() as u64;
    let seconds = (interval * intervals).as_secs_f64();
    let sum = packets(&simulation.world) - before;
    Cost {
        packets: sum as f64 / nodes as f64 / seconds,
        processor: started.elapsed().div_f64(seconds) / u32::try_from(nodes).unwrap_or(u32::MAX),
    }
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

/// Resident memory of this process.
fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:"));
    line.and_then(|l| l.split_whitespace().next()).and_then(|n| n.parse().ok()).unwrap_or(0)
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
