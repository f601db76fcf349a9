//! The kernel's neighbour table on one port: who is known, and what waits for an unresolved address.
//!
//! ```text
//!            a unicast frame            answered
//!   (none) ----------------> asking ----------------> known ----- life over, a frame -----> probed
//!      ^                     | holds frames             ^  ^                                | lets frames pass
//!      |  3 tries unanswered |                          |  +----------- answered -----------+
//!      +---------------------+--------------------------|------- 3 tries unanswered --------+
//! ```
//!
//! As Linux does it (arp(7); 6.18): a request each second, and when one is answered all that was held leaves at once, in order,
//! however old it is.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::rc::Rc;
use std::time::Duration;

use faild::time::Instant;

use crate::network::{Frame, Port};

/// Frames that one unresolved address holds; one more, and the oldest is dropped.
const HELD: usize = 101;

/// Requests before an address is given up.
const TRIES: u32 = 3;

/// From one request to the next.
pub const TRY_PAUSE: Duration = Duration::from_secs(1);

/// How long an answer counts: 15 to 45 s in Linux. Shorter here at times, for most stories end before 45 s.
pub const LIFE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(45));

/// See the module.
#[derive(Debug, Clone, Default)]
pub struct Neighbours {
    known: BTreeMap<IpAddr, Neighbour>,
    asked: u64,
}

#[derive(Debug, Clone)]
struct Neighbour {
    state: State,
    /// Until then an answer counts.
    fresh_until: Instant,
    held: VecDeque<Rc<Frame>>,
}

#[derive(Debug, Clone, Copy)]
enum State {
    Known(Port),
    /// Known before, and asked again.
    Probed(Port, Asking),
    Asking(Asking),
}

#[derive(Debug, Clone, Copy)]
struct Asking {
    tries: u32,
    /// Tells this series of requests from others for the same address.
    series: u64,
}

/// What becomes of a frame, or of a series of requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Leaves for this port.
    Goes(Port),
    /// Leaves for this port, which is to be asked by unicast; the series of requests.
    GoesAndAsks(Port, u64),
    /// Waits; a request is to be sent to all.
    Asks(u64),
    /// Waits.
    Waits,
    /// There is nothing to do any more.
    Over,
}

impl Neighbours {
    /// A unicast frame is to leave.
    pub fn send(&mut self, now: Instant, frame: &Rc<Frame>) -> Verdict {
        self.asked += 1;
        let asking = Asking { tries: 1, series: self.asked };
        let Some(neighbour) = self.known.get_mut(&frame.destination) else {
            let held = VecDeque::from([Rc::clone(frame)]);
            let state = State::Asking(asking);
            self.known.insert(frame.destination, Neighbour { state, fresh_until: now, held });
            return Verdict::Asks(asking.series);
        };
        match neighbour.state {
            State::Known(port) if now < neighbour.fresh_until => Verdict::Goes(port),
            State::Known(port) => {
                neighbour.state = State::Probed(port, asking);
                Verdict::GoesAndAsks(port, asking.series)
            }
            State::Probed(port, _) => Verdict::Goes(port),
            State::Asking(_) => {
                if neighbour.held.len() == HELD {
                    neighbour.held.pop_front();
                }
                neighbour.held.push_back(Rc::clone(frame));
                Verdict::Waits
            }
        }
    }

    /// A second after a request: whether another is due. What was held is lost with the last one.
    pub fn try_again(&mut self, target: &IpAddr, series: u64) -> Verdict {
        let Some(neighbour) = self.known.get_mut(target) else { return Verdict::Over };
        let (asking, port) = match &mut neighbour.state {
            State::Probed(port, asking) => (asking, Some(*port)),
            State::Asking(asking) => (asking, None),
            State::Known(_) => return Verdict::Over,
        };
        if asking.series != series {
            return Verdict::Over;
        }
        if asking.tries == TRIES {
            self.known.remove(target);
            return Verdict::Over;
        }
        asking.tries += 1;
        port.map_or(Verdict::Asks(series), |port| Verdict::GoesAndAsks(port, series))
    }

    /// A request of ours was answered. What leaves now, in order.
    pub fn on_answer(&mut self, address: IpAddr, port: Port, fresh_until: Instant) -> VecDeque<Rc<Frame>> {
        let known = Neighbour { state: State::Known(port), fresh_until, held: VecDeque::new() };
        self.known.insert(address, known).map(|before| before.held).unwrap_or_default()
    }

    /// The other asked for us, or told everybody of itself: that makes it known, and proves nothing of the way to it.
    pub fn on_request(&mut self, now: Instant, address: IpAddr, port: Port) -> VecDeque<Rc<Frame>> {
        match self.known.get(&address).map(|neighbour| neighbour.state) {
            Some(State::Known(before) | State::Probed(before, _)) if before == port => VecDeque::new(),
            None | Some(State::Known(_) | State::Probed(..) | State::Asking(_)) => {
                self.on_answer(address, port, now)
            }
        }
    }

    /// Whether there is an entry for an address.
    pub fn has(&self, address: &IpAddr) -> bool {
        self.known.contains_key(address)
    }

    /// The port lost its carrier, or its table was flushed.
    pub fn clear(&mut self) {
        self.known.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::{LanNumber, NodeNumber};

    const THERE: Port = Port { node: NodeNumber(1), lan: LanNumber(0) };

    fn frame(number: u8) -> Rc<Frame> {
        let (source, destination) = ([10, 0, 0, 1].into(), [10, 0, 0, 2].into());
        let from = Port { node: NodeNumber(0), ..THERE };
        Rc::new(Frame { from, source, destination, hop_limit: 255, payload: Box::new([0, 0, 0, number]) })
    }

    fn at(seconds: u64) -> Instant {
        Instant::from_nanos(seconds * 1_000_000_000)
    }

    #[test]
    fn what_waits_leaves_in_order_and_the_oldest_is_dropped() {
        let mut table = Neighbours::default();
        assert_eq!(table.send(at(0), &frame(0)), Verdict::Asks(1));
        for number in 1..=101 {
            assert_eq!(table.send(at(0), &frame(number)), Verdict::Waits);
        }
        let left = table.on_answer(frame(0).destination, THERE, at(30));
        assert_eq!(left.iter().map(|f| f.payload[3]).collect::<Vec<_>>(), (1..=101).collect::<Vec<_>>());
        assert_eq!(table.send(at(29), &frame(0)), Verdict::Goes(THERE));
        assert!(matches!(table.send(at(30), &frame(0)), Verdict::GoesAndAsks(THERE, _)), "its life is over");
        assert_eq!(table.send(at(30), &frame(0)), Verdict::Goes(THERE), "asked once at a time");
    }

    #[test]
    fn three_tries_then_nothing_is_held() {
        let mut table = Neighbours::default();
        let target = frame(0).destination;
        assert_eq!(table.send(at(0), &frame(0)), Verdict::Asks(1));
        assert_eq!(table.try_again(&target, 1), Verdict::Asks(1));
        assert_eq!(table.try_again(&target, 1), Verdict::Asks(1));
        assert_eq!(table.try_again(&target, 1), Verdict::Over);
        assert!(table.on_answer(target, THERE, at(9)).is_empty());
    }

    #[test]
    fn a_request_of_the_other_releases_what_waits() {
        let mut table = Neighbours::default();
        table.send(at(0), &frame(0));
        assert_eq!(table.on_request(at(1), frame(0).destination, THERE).len(), 1);
        assert!(
            matches!(table.send(at(1), &frame(0)), Verdict::GoesAndAsks(THERE, _)),
            "proves no way to it"
        );
    }
}
