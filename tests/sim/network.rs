//! The virtual LANs: who is on them, and what becomes of a frame.
//!
//! ```text
//!   node 0     node 1     node 2
//!   |    |     |    |     |    |
//!  =+====|=====+====|=====+====|==   LAN 0 (interface lan0)     a frame passes if neither port, nor the pair,
//!        |          |          |                                nor the LAN stands in its way, and chance allows;
//!  ======+==========+==========+==   LAN 1 (interface lan1)     joined LANs are one broadcast domain
//! ```

use std::collections::{BTreeSet, VecDeque};
use std::net::IpAddr;
use std::rc::Rc;
use std::time::Duration;

/// A node, by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct NodeNumber(pub u16);

/// A LAN, by number; also the number of the port by which each node is connected to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct LanNumber(pub u8);

/// Where a node is connected to a LAN.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Port {
    /// The node.
    pub node: NodeNumber,
    /// The LAN.
    pub lan: LanNumber,
}

impl NodeNumber {
    /// For indexing.
    pub fn index(self) -> usize {
        usize::from(self.0)
    }
}

impl LanNumber {
    /// For indexing.
    pub fn index(self) -> usize {
        usize::from(self.0)
    }
}

/// A datagram on its way.
#[derive(Debug)]
pub struct Frame {
    /// Who sent it, and by which port.
    pub from: Port,
    /// IP source.
    pub source: IpAddr,
    /// IP destination.
    pub destination: IpAddr,
    /// TTL or hop limit.
    pub hop_limit: u8,
    /// UDP payload.
    pub payload: Box<[u8]>,
}

/// Frames that have something in common, which a switch or a firewall may drop while all others pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sort {
    /// To one host.
    Unicast,
    /// To all.
    Broadcast,
    /// INQ.
    Inquiry,
    /// ACK.
    Acknowledgement,
}

impl Sort {
    /// All of them.
    pub const ALL: [Sort; 4] = [Sort::Unicast, Sort::Broadcast, Sort::Inquiry, Sort::Acknowledgement];

    fn has(self, frame: &Frame) -> bool {
        match self {
            Sort::Unicast => !is_for_all(&frame.destination),
            Sort::Broadcast => is_for_all(&frame.destination),
            Sort::Inquiry => frame.is_inquiry(),
            Sort::Acknowledgement => frame.payload.get(KIND_OFFSET) == Some(&ACKNOWLEDGEMENT),
        }
    }
}

impl Frame {
    /// Whether it is an INQ.
    pub fn is_inquiry(&self) -> bool {
        self.payload.get(KIND_OFFSET) == Some(&INQUIRY)
    }
}

/// Where faild-protocol(7) has the kind of a datagram, and two of its values.
const KIND_OFFSET: usize = 3;
const INQUIRY: u8 = 1;
const ACKNOWLEDGEMENT: u8 = 2;

/// What chance does to frames on a LAN.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Weather {
    /// Probability that a frame is lost, for each receiver apart.
    pub loss: f64,
    /// Probability that a frame comes twice.
    pub duplication: f64,
    /// Least time from sender to receiver.
    pub delay: Duration,
    /// Up to this much more, for each frame anew: frames overtake each other.
    pub jitter: Duration,
}

impl Default for Weather {
    /// A quiet switch.
    fn default() -> Self {
        Self {
            loss: 0.0,
            duplication: 0.0,
            delay: Duration::from_micros(50),
            jitter: Duration::from_micros(100),
        }
    }
}

/// One LAN and all that can be wrong with it. What is set here is seen by no carrier.
#[derive(Debug, Clone, Default)]
pub struct Lan {
    /// What chance does.
    pub weather: Weather,
    /// Nothing passes any more.
    pub silent: bool,
    /// Broadcasts and multicasts do not pass (storm control).
    pub filters_broadcast: bool,
    /// Nothing passes from the first to the second.
    pub cuts: BTreeSet<(NodeNumber, NodeNumber)>,
    /// These are not heard by anybody.
    pub mute: BTreeSet<NodeNumber>,
    /// These hear nobody.
    pub deaf: BTreeSet<NodeNumber>,
    /// These drop all probes that come by here; ARP and traffic pass.
    pub firewalls: BTreeSet<NodeNumber>,
    /// These hear only each other, the rest only the rest.
    pub split: BTreeSet<NodeNumber>,
    /// Of what the first sends, this sort does not reach the second.
    pub losses: BTreeSet<(NodeNumber, NodeNumber, Sort)>,
    /// Frames are kept, so many at most, and passed on later.
    pub holds: Option<usize>,
    /// Those frames, and to whom they go.
    pub held: VecDeque<(Rc<Frame>, Port)>,
}

impl Lan {
    /// Whether frames pass from one node to another at once, chance aside.
    fn passes(&self, from: NodeNumber, to: NodeNumber) -> bool {
        !self.silent
            && self.holds.is_none()
            && !self.mute.contains(&from)
            && !self.deaf.contains(&to)
            && !self.cuts.contains(&(from, to))
            && self.split.contains(&from) == self.split.contains(&to)
    }
}

/// All LANs.
#[derive(Debug, Clone, Default)]
pub struct Network {
    /// By number.
    pub lans: Vec<Lan>,
    /// Pairs that somebody connected by a cable; the lower number first.
    pub joined: BTreeSet<(LanNumber, LanNumber)>,
}

impl Network {
    /// The numbers of all LANs.
    pub fn numbers(&self) -> impl Iterator<Item = LanNumber> + use<> {
        (0..self.lans.len()).map(|n| LanNumber(u8::try_from(n).unwrap_or(u8::MAX)))
    }

    /// Whether two LANs are one broadcast domain: the same one, or joined by a cable (not by way of a third).
    pub fn is_one(&self, one: LanNumber, other: LanNumber) -> bool {
        one == other || self.joined.contains(&(one.min(other), one.max(other)))
    }

    /// Whether frames pass from port to port, chance aside. Whether the interfaces run is not looked at.
    pub fn passes(&self, from: Port, to: Port) -> bool {
        self.is_one(from.lan, to.lan)
            && self.lans[from.lan.index()].passes(from.node, to.node)
            && (from.lan == to.lan || self.lans[to.lan.index()].passes(from.node, to.node))
    }

    /// Whether the LANs between two ports drop this frame for its sort.
    pub fn drops(&self, frame: &Frame, to: Port) -> bool {
        let is_lost = |(from, receiver, sort): &(NodeNumber, NodeNumber, Sort)| {
            (*from, *receiver) == (frame.from.node, to.node) && sort.has(frame)
        };
        self.lans[frame.from.lan.index()].losses.iter().any(is_lost)
    }

    /// Whether broadcasts from one LAN reach the other.
    pub fn floods(&self, from: LanNumber, to: LanNumber) -> bool {
        self.is_one(from, to)
            && !self.lans[from.index()].filters_broadcast
            && !self.lans[to.index()].filters_broadcast
    }
}

/// Whether a destination means everybody on the LAN (the LANs here are /16 and /64).
pub fn is_for_all(destination: &IpAddr) -> bool {
    match destination {
        IpAddr::V4(v4) => v4.is_broadcast() || v4.is_multicast() || v4.octets()[2..] == [255, 255],
        IpAddr::V6(v6) => v6.is_multicast(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn port(node: u16, lan: u8) -> Port {
        Port { node: NodeNumber(node), lan: LanNumber(lan) }
    }

    #[test]
    fn each_hindrance_hinders_what_it_says_and_no_more() {
        let mut network = Network { lans: vec![Lan::default(), Lan::default()], ..Network::default() };
        assert!(network.passes(port(0, 0), port(1, 0)));
        assert!(!network.passes(port(0, 0), port(1, 1)), "LANs are apart");
        network.lans[0].cuts.insert((NodeNumber(0), NodeNumber(1)));
        assert!(!network.passes(port(0, 0), port(1, 0)) && network.passes(port(1, 0), port(0, 0)));
        network.lans[0].deaf.insert(NodeNumber(2));
        assert!(!network.passes(port(0, 0), port(2, 0)) && network.passes(port(2, 0), port(0, 0)));
        network.lans[0].split.insert(NodeNumber(3));
        assert!(!network.passes(port(3, 0), port(4, 0)) && !network.passes(port(4, 0), port(3, 0)));
        network.joined.insert((LanNumber(0), LanNumber(1)));
        assert!(network.passes(port(5, 0), port(6, 1)) && network.floods(LanNumber(1), LanNumber(0)));
    }
}
