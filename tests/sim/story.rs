//! The words in which scenarios are told.
//!
//! ```ignore
//! let mut story = Story::of(3).begin();          // three hosts that know each other; the clock stands at 0
//! story.at(1400).strikes(Fault::Silence(A));     // milliseconds
//! story.after(2.75).moved(X, Y, A).moved(Y, X, A); // slots
//! ```
//!
//! Every word that is not kept ends the test with the log of what happened. The judge watches all along.

use std::net::IpAddr;
use std::time::Duration;

use faild::config::Config;
use faild::event::EventName;
use faild::interface::Family;
use faild::time::Instant;

use crate::faults::Fault;
use crate::judge::{Violation, is_overlaid};
use crate::network::{LanNumber, NodeNumber, Port};
use crate::simulation::{Failure, Simulation};
use crate::traffic::{self, Fate};
use crate::world::{Setup, World};

/// The first host.
pub const X: NodeNumber = NodeNumber(0);
/// The second.
pub const Y: NodeNumber = NodeNumber(1);
/// The third.
pub const Z: NodeNumber = NodeNumber(2);
/// The first LAN, home of all routes by gateways.
pub const A: LanNumber = LanNumber(0);
/// The second.
pub const B: LanNumber = LanNumber(1);
/// The third.
pub const C: LanNumber = LanNumber(2);

/// A scenario that is being told.
pub struct Story {
    simulation: Simulation,
    beginning: Instant,
    laid_before: u64,
    operations_before: u64,
}

/// How a scenario begins.
pub struct Opening(Setup);

impl Story {
    /// So many hosts on two IPv4 LANs, all requestors with defaults.
    pub fn of(nodes: usize) -> Opening {
        let traced = crate::runner::setting("FAILD_SIM_TRACE").is_some();
        Opening(Setup { nodes, traced, ..Setup::default() })
    }
}

impl Opening {
    /// So many LANs.
    pub fn lans(mut self, lans: usize) -> Self {
        self.0.lans = lans;
        self
    }

    /// Addresses of these families.
    pub fn families(mut self, families: &[Family]) -> Self {
        self.0.families = families.to_vec();
        self
    }

    /// Another course of chance.
    pub fn seed(mut self, seed: u64) -> Self {
        self.0.seed = seed;
        self
    }

    /// Settings of all hosts.
    pub fn config(mut self, change: impl FnOnce(&mut Config)) -> Self {
        change(&mut self.0.config);
        self
    }

    /// Settings of single hosts.
    pub fn adjust(mut self, adjust: fn(usize, &mut Config)) -> Self {
        self.0.adjust = adjust;
        self
    }

    /// These only answer.
    pub fn responders(mut self, nodes: &[NodeNumber]) -> Self {
        self.0.responders = nodes.iter().map(|n| n.index()).collect();
        self
    }

    /// Nobody has to ask for the neighbours' hardware addresses.
    pub fn known_neighbours(mut self) -> Self {
        self.0.known_neighbours = true;
        self
    }

    /// Without a judge, for large worlds.
    pub fn unwatched(mut self) -> Self {
        self.0.watched = false;
        self
    }

    /// Begins before the first daemon has started.
    pub fn in_the_dark(self) -> Story {
        let simulation = Simulation::new(self.0);
        let beginning = simulation.world.now;
        Story { simulation, beginning, laid_before: 0, operations_before: 0 }
    }

    /// Begins when all know each other and everything is home.
    pub fn begin(self) -> Story {
        let mut story = self.in_the_dark();
        story.all_home_within(40.0);
        story.pass(5.0).begin_anew()
    }
}

impl Story {
    /// From here on the clock stands at 0 and no overlay has been laid.
    pub fn begin_anew(&mut self) -> Story {
        let laid = self.laid();
        let operations = self.operations();
        let simulation =
            std::mem::replace(&mut self.simulation, Simulation::new(Setup { nodes: 0, ..Setup::default() }));
        let beginning = simulation.world.now;
        Story { simulation, beginning, laid_before: laid, operations_before: operations }
    }

    /// Plays until `ms` milliseconds after the beginning.
    pub fn at(&mut self, ms: u64) -> &mut Self {
        let until = self.beginning + Duration::from_millis(ms);
        assert!(until >= self.simulation.world.now, "time does not go back to {ms} ms");
        self.play(until.since(self.simulation.world.now))
    }

    /// Plays for so many slots.
    pub fn pass(&mut self, slots: f64) -> &mut Self {
        let interval = self.simulation.setup().config.interval;
        self.play(interval.mul_f64(slots))
    }

    /// Plays for so many slots and a travel: time enough for what is to be finished within them.
    pub fn after(&mut self, slots: f64) -> &mut Self {
        self.pass(slots).play(Duration::from_millis(5))
    }

    fn play(&mut self, duration: Duration) -> &mut Self {
        let result = self.simulation.run(duration);
        self.check(result)
    }

    /// Something goes wrong from now on.
    pub fn strikes(&mut self, fault: Fault) -> &mut Self {
        self.simulation.world.note(format_args!("fault: {fault:?}"));
        fault.begin(&mut self.simulation.world, Duration::MAX / 4);
        self
    }

    /// It is over.
    pub fn ends(&mut self, fault: Fault) -> &mut Self {
        self.simulation.world.note(format_args!("fault over: {fault:?}"));
        fault.end(&mut self.simulation.world);
        self
    }

    /// Does something else to the world.
    pub fn act(&mut self, deed: impl FnOnce(&mut World)) -> &mut Self {
        deed(&mut self.simulation.world);
        self
    }

    /// The world.
    pub fn world(&self) -> &World {
        &self.simulation.world
    }

    /// Overlays laid by all hosts since the beginning.
    pub fn laid(&self) -> u64 {
        self.world().nodes.iter().map(|n| n.counters.laid).sum::<u64>() - self.laid_before
    }

    fn operations(&self) -> u64 {
        self.world().nodes.iter().map(|n| n.counters.operations).sum()
    }

    // Expectations

    /// The first has an overlay to the second's address on the LAN.
    pub fn moved(&mut self, from: NodeNumber, to: NodeNumber, lan: LanNumber) -> &mut Self {
        self.expect(
            self.has_moved(from, to, lan),
            format_args!("{from} has not moved {to} away from {lan:?}"),
        )
    }

    /// The first has no overlay to the second's address on the LAN.
    pub fn home(&mut self, from: NodeNumber, to: NodeNumber, lan: LanNumber) -> &mut Self {
        self.expect(!self.has_moved(from, to, lan), format_args!("{from} has moved {to} away from {lan:?}"))
    }

    /// Both have moved.
    pub fn both_moved(&mut self, one: NodeNumber, other: NodeNumber, lan: LanNumber) -> &mut Self {
        self.moved(one, other, lan).moved(other, one, lan)
    }

    /// Neither has moved.
    pub fn both_home(&mut self, one: NodeNumber, other: NodeNumber, lan: LanNumber) -> &mut Self {
        self.home(one, other, lan).home(other, one, lan)
    }

    /// Packets and replies pass between the two, to each one's address on the LAN, whichever way they take.
    pub fn talk(&mut self, one: NodeNumber, other: NodeNumber, lan: LanNumber) -> &mut Self {
        for (from, to) in [(one, other), (other, one)] {
            let address = self.address(to, lan);
            let fate = traffic::round_trip(self.world(), from, &address);
            let passes = matches!(fate, Fate::Delivered(..));
            self.expect(passes, format_args!("{from} to {address}: {fate:?}"));
        }
        self
    }

    /// No overlay was laid and nothing else was asked of any kernel since the beginning.
    pub fn nothing_moved(&mut self) -> &mut Self {
        let (laid, operations) = (self.laid(), self.operations() - self.operations_before);
        self.expect(operations == 0, format_args!("{laid} overlays laid, {operations} operations in all"))
    }

    /// A host's route to `destination` leads by this LAN.
    pub fn routes_by(&mut self, node: NodeNumber, destination: &str, lan: LanNumber) -> &mut Self {
        let destination: IpAddr = destination.parse().expect("an address");
        let host = self.world().node(node);
        let choice = traffic::choose(&host.kernel, &destination);
        let by = choice.as_ref().and_then(|c| host.lan_of(c.interface));
        self.expect(by == Some(lan), format_args!("{node} to {destination}: {choice:?}"))
    }

    /// The first has an answer of the second on the LAN that is no older than so many slots.
    pub fn hears(&mut self, from: NodeNumber, to: NodeNumber, lan: LanNumber, slots: f64) -> &mut Self {
        let host = self.world().node(from);
        let other = self.world().node(to).memory.peers.node;
        let name = self.world().interface_name(Port { node: from, lan });
        let snapshot = host.daemon.as_ref().map(|d| d.core.peers().snapshot(host.clock(self.world().now)));
        let peers = snapshot.into_iter().flat_map(|s| s.peers).filter(|p| Some(p.node) == other);
        let heard = peers.flat_map(|p| p.paths).filter(|p| p.interface == name).filter_map(|p| p.heard).min();
        let longest = self.simulation.setup().config.interval.mul_f64(slots);
        let is_heard = heard.is_some_and(|heard| heard <= longest);
        self.expect(is_heard, format_args!("{from} heard {to} on {lan:?} {heard:?} ago"))
    }

    /// Some host told of this event lately, in a line that begins so behind its name.
    pub fn said(&mut self, node: NodeNumber, event: EventName, keys: &str) -> &mut Self {
        let said = format!(" {event} {keys}");
        let is_said = self.lines_of(node).any(|line| line.contains(&said));
        self.expect(is_said, format_args!("{node} did not say{said}"))
    }

    /// How often a host told of this event lately.
    pub fn count_said(&self, node: NodeNumber, event: EventName) -> usize {
        self.lines_of(node).filter(|line| line.split(' ').any(|word| word == event.as_str())).count()
    }

    fn lines_of(&self, node: NodeNumber) -> impl Iterator<Item = &str> {
        let who = format!(" {node} ");
        self.world().log.recent().filter(move |line| line.contains(&who))
    }

    /// Everything is home within so many slots.
    pub fn all_home_within(&mut self, slots: f64) -> &mut Self {
        let patience = self.simulation.setup().config.interval.mul_f64(slots);
        let result = self.simulation.run_home(patience);
        self.check(result)
    }

    /// Anything else.
    pub fn expect(&mut self, is_so: bool, otherwise: std::fmt::Arguments<'_>) -> &mut Self {
        if is_so {
            return self;
        }
        let detail = otherwise.to_string();
        let violation = Violation { node: X, promise: "the scenario", detail };
        let failure = self.simulation.failure(violation);
        self.check(Err(failure))
    }

    /// Whether the first has an overlay to the second's address on the LAN (of the first family).
    pub fn has_moved(&self, from: NodeNumber, to: NodeNumber, lan: LanNumber) -> bool {
        is_overlaid(self.world(), from, &self.address(to, lan))
    }

    /// A host's configured address on a LAN, of the first family.
    pub fn address(&self, node: NodeNumber, lan: LanNumber) -> IpAddr {
        let family = self.simulation.setup().families[0];
        self.world().address(Port { node, lan }, family).expect("every port has an address")
    }

    fn check(&mut self, result: Result<(), Failure>) -> &mut Self {
        if let Err(failure) = result {
            let since = failure.at.since(self.beginning);
            panic!("{failure}\n({since:?} after the beginning; FAILD_SIM_TRACE=1 shows all of it)");
        }
        self
    }
}
