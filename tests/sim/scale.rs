//! Large worlds: many nodes at rest and through the death of a LAN. What a node sends, costs and remembers, how long it takes
//! until all have moved, and that nothing moves for nothing.
//!
//! By hand, optimised; not by cargo-nextest, which ends what takes minutes. 1,000 nodes need some 5 GB and, for each virtual
//! second, a minute of a core. The figures are in `tests/README.md`.
//!
//! ```text
//! FAILD_SIM_NODES=1000 CARGO_PROFILE_TEST_OPT_LEVEL=3 cargo test --test sim scale:: -- --nocapture
//! ```

use std::fmt;
use std::time::Duration;

use faild::config::Config;
use faild::engine::Verdict;
use faild::interface::Family;
use nix::time::ClockId;

use crate::faults::Fault;
use crate::judge::is_overlaid;
use crate::network::{LanNumber, NodeNumber, Port};
use crate::node::{Counters, Node};
use crate::runner::setting;
use crate::simulation::Simulation;
use crate::world::{Setup, World};

const A: LanNumber = LanNumber(0);
const INTERVAL: Duration = Duration::from_secs(1);

/// Strangers are met at 50 a second and LAN: 1,000 nodes need half a minute at most.
const MEETING: u32 = 40;

/// Intervals that are measured at rest, and after the last one has moved.
const MEASURED: u32 = 3;

/// The last pair of many: an end judges f slots after the one that the fault cut short, and the earlier of the two tells the other.
/// Each slot is an interval at most, so that is f + 1 of them; the more pairs, the closer to it. And 5 ms to travel, and a step
/// of the measurement.
const OUTAGE: Duration = Duration::from_millis(3055);

#[test]
fn many_nodes_at_rest_and_through_the_death_of_a_lan() {
    let nodes = setting("FAILD_SIM_NODES").and_then(|n| usize::try_from(n).ok()).unwrap_or(60);
    let before = resident_kib();
    let mut simulation = Simulation::new(large(nodes));
    let met = pass_until(&mut simulation, "meeting", INTERVAL, INTERVAL * MEETING, everybody_is_home);
    let memory = (resident_kib().saturating_sub(before)) / nodes as u64;
    eprintln!("{nodes} nodes know each other after {met:?}, {memory} KiB a node (with what is on the wire)");
    measure(&mut simulation, "at rest", INTERVAL * MEASURED);
    assert_eq!(laid(&simulation.world), 0, "overlays laid while nothing was wrong");

    Fault::Silence(A).begin(&mut simulation.world, Duration::ZERO);
    let died = Measurement::begin(&simulation.world);
    let outage = pass_until(&mut simulation, "death", INTERVAL / 20, OUTAGE * 4, everybody_has_moved);
    eprintln!("all {} have moved after {outage:?}", pairs(nodes));
    died.end(&simulation.world, "until all have moved");
    measure(&mut simulation, "after it", INTERVAL * MEASURED);
    assert!(outage <= OUTAGE, "all have moved after {outage:?}");
    assert_eq!(
        laid(&simulation.world),
        pairs(nodes),
        "overlays laid, one for each address behind the dead LAN"
    );
}

fn large(nodes: usize) -> Setup {
    let config = Config { requestor: true, interval: INTERVAL, ..Config::default() };
    Setup { nodes, config, routes: false, watched: false, ..Setup::default() }
}

/// Plays until all nodes are as they should be; how long that took.
fn pass_until(
    simulation: &mut Simulation,
    what: &str,
    step: Duration,
    patience: Duration,
    is_so: fn(&World) -> bool,
) -> Duration {
    let begin = simulation.world.now;
    while !is_so(&simulation.world) {
        let passed = simulation.world.now.since(begin);
        assert!(passed < patience, "{what}: not all after {passed:?}");
        simulation.run(step).expect("nobody judges");
    }
    simulation.world.now.since(begin)
}

/// All know each other's addresses on both LANs, and all of them serve.
fn everybody_is_home(world: &World) -> bool {
    let all = (world.nodes.len() - 1) * world.network.lans.len();
    let home = |node: &Node| {
        let plan = node.daemon.as_ref().map(|daemon| daemon.core.peers().plan());
        plan.is_some_and(|p| p.subjects.len() == all && p.subjects.values().all(|v| *v == Verdict::Home))
    };
    world.nodes.iter().all(home)
}

fn everybody_has_moved(world: &World) -> bool {
    let numbers = world.numbers();
    let has_moved = |x: NodeNumber, y: NodeNumber| {
        let address = world.address(Port { node: y, lan: A }, Family::V4);
        x == y || address.is_some_and(|address| is_overlaid(world, x, &address))
    };
    laid(world) >= pairs(numbers.len()) && numbers.iter().all(|x| numbers.iter().all(|y| has_moved(*x, *y)))
}

fn pairs(nodes: usize) -> u64 {
    (nodes * (nodes - 1)) as u64
}

fn laid(world: &World) -> u64 {
    world.nodes.iter().map(|n| n.counters.laid).sum()
}

/// Plays for so long and tells what it cost. No node may exceed its budget in the mean of it.
fn measure(simulation: &mut Simulation, what: &str, duration: Duration) {
    let measurement = Measurement::begin(&simulation.world);
    simulation.run(duration).expect("nobody judges");
    measurement.end(&simulation.world, what);
}

/// What had happened when a measurement began.
struct Measurement {
    at: faild::time::Instant,
    processor: Duration,
    counters: Vec<Counters>,
}

impl Measurement {
    fn begin(world: &World) -> Self {
        Self {
            at: world.now,
            processor: processor(),
            counters: world.nodes.iter().map(|n| n.counters).collect(),
        }
    }

    /// Packets and processor of a node and a second; the processor's time has the simulator in it.
    fn end(self, world: &World, what: &str) {
        let seconds = world.now.since(self.at).as_secs_f64();
        let processor = processor().saturating_sub(self.processor).as_secs_f64();
        let each = |count: fn(&Counters) -> u64| -> Vec<f64> {
            let both = self.counters.iter().zip(&world.nodes);
            both.map(|(before, node)| (count(&node.counters) - count(before)) as f64 / seconds).collect()
        };
        let (sent, received) = (Spread::of(&each(|c| c.sent)), Spread::of(&each(|c| c.received)));
        let (packets, wakes) = (Spread::of(&each(|c| c.sent + c.received)), Spread::of(&each(|c| c.wakes)));
        let cost = processor * 1000.0 / seconds / world.nodes.len() as f64;
        eprintln!(
            "{what}, a node and second: sent {sent}, read {received}, wakes up {wakes}, {cost:.1} ms of a core"
        );
        let budget = f64::from(world.nodes[0].config.packet_budget.get());
        assert!(packets.most <= budget, "{what}: {packets} packets a second, {budget} are allowed");
    }
}

/// The mean node, and the busiest.
struct Spread {
    mean: f64,
    most: f64,
}

impl Spread {
    fn of(all: &[f64]) -> Self {
        let most = all.iter().copied().fold(0.0, f64::max);
        Self { mean: all.iter().sum::<f64>() / all.len() as f64, most }
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.0} (at most {:.0})", self.mean, self.most)
    }
}

/// Resident memory of this process.
fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:"));
    line.and_then(|l| l.split_whitespace().next()).and_then(|n| n.parse().ok()).unwrap_or(0)
}

/// Time that this thread has had of a core.
fn processor() -> Duration {
    ClockId::CLOCK_THREAD_CPUTIME_ID.now().map(Duration::from).unwrap_or_default()
}
