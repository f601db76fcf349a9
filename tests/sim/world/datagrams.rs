//! How datagrams go from host to host.

use std::rc::Rc;
use std::time::Duration;

use faild::packet::Transmit;

use super::{Event, World};
use crate::network::{Frame, LanNumber, NodeNumber, Port, is_for_all};
use crate::node::Arrival;

impl World {
    pub fn deliver(&mut self, frame: Rc<Frame>, to: Port) {
        let node = &mut self.nodes[to.node.index()];
        let port = &node.ports[to.lan.index()];
        if !port.running || !(is_for_all(&frame.destination) || port.addresses.contains(&frame.destination)) {
            return;
        }
        let at = node.clock(self.now);
        node.receive(Arrival { frame, lan: to.lan, at });
        let rested = node.rested();
        self.plan_wake(to.node, rested);
    }

    pub fn transmit(&mut self, from: NodeNumber, transmit: Transmit) {
        let node = &mut self.nodes[from.index()];
        let Some(lan) = node.lan_of(transmit.interface) else { return };
        let port = &node.ports[lan.index()];
        if !port.running || !port.addresses.contains(&transmit.source) || node.is_frozen() {
            return;
        }
        node.counters.sent += 1;
        let from = Port { node: from, lan };
        let frame = Rc::new(Frame {
            from,
            source: transmit.source,
            destination: transmit.destination,
            hop_limit: 255,
            payload: transmit.payload.into_boxed_slice(),
        });
        if is_for_all(&frame.destination) {
            self.flood(&frame);
        } else {
            self.forward(&frame);
        }
    }

    fn flood(&mut self, frame: &Rc<Frame>) {
        for lan in self.network.numbers() {
            if !self.network.floods(frame.from.lan, lan) {
                continue;
            }
            for node in 0..self.nodes.len() {
                let to = Port { node: self.nodes[node].number, lan };
                if to != frame.from {
                    self.carry(frame, to);
                }
            }
        }
    }

    /// Takes a frame to a port, if the network and chance allow.
    pub fn carry(&mut self, frame: &Rc<Frame>, to: Port) {
        let lan = &mut self.network.lans[frame.from.lan.index()];
        if let Some(most) = lan.holds {
            if lan.held.len() < most {
                lan.held.push_back((Rc::clone(frame), to));
            }
            return;
        }
        let weather = lan.weather;
        let copies = 1 + u32::from(self.random.chance(weather.duplication));
        for _ in 0..copies {
            let delay = self.random.between(weather.delay, weather.delay + weather.jitter);
            self.carry_within(frame, to, delay);
        }
    }

    /// The same, once, in just this time.
    pub fn carry_within(&mut self, frame: &Rc<Frame>, to: Port, delay: Duration) {
        let is_dropped = !self.network.passes(frame.from, to)
            || self.network.lans[to.lan.index()].firewalls.contains(&to.node)
            || self.network.drops(frame, to);
        let loss = self.network.lans[frame.from.lan.index()].weather.loss;
        if !is_dropped && !self.random.chance(loss) {
            self.queue.push(self.now + delay, Event::Deliver(Rc::clone(frame), to));
        }
    }

    /// A LAN passes on what it has kept: all at one instant, in order, as far as it passes now.
    pub fn release_lan(&mut self, lan: LanNumber) {
        let state = &mut self.network.lans[lan.index()];
        state.holds = None;
        let delay = state.weather.delay;
        for (frame, to) in std::mem::take(&mut state.held) {
            self.carry_within(&frame, to, delay);
        }
    }
}
