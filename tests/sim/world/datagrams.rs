//! How datagrams and neighbour requests go from host to host.

use std::net::IpAddr;
use std::rc::Rc;

use faild::engine::Transmit;
use faild::interface::InterfaceIndex;

use super::{Event, World};
use crate::network::{Frame, NodeNumber, Port, is_for_all};
use crate::node::Arrival;

impl World {
    pub fn deliver(&mut self, frame: Rc<Frame>, to: Port) {
        let node = &mut self.nodes[to.node.index()];
        let port = &node.ports[to.lan.index()];
        if !port.running || !(is_for_all(&frame.destination) || port.addresses.contains(&frame.destination)) {
            return;
        }
        node.receive(Arrival { frame, lan: to.lan, at: self.now });
        let rests_until = node.rests_until;
        self.plan_wake(to.node, rests_until);
    }

    pub fn transmit(&mut self, from: NodeNumber, transmit: Transmit) {
        let node = &mut self.nodes[from.index()];
        let Some(lan) = node.lan_of(transmit.interface) else { return };
        let port = &node.ports[lan.index()];
        if !port.running || !port.addresses.contains(&transmit.source) {
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
        } else if let Some(to) = self.owner(lan, &frame.destination) {
            self.carry(&frame, to);
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
    fn carry(&mut self, frame: &Rc<Frame>, to: Port) {
        if !self.network.passes(frame.from, to)
            || self.network.lans[to.lan.index()].firewalls.contains(&to.node)
        {
            return;
        }
        let weather = self.network.lans[frame.from.lan.index()].weather;
        let copies = 1 + u32::from(self.random.chance(weather.duplication));
        for _ in 0..copies {
            if !self.random.chance(weather.loss) {
                let delay = self.random.between(weather.delay, weather.delay + weather.jitter);
                self.queue.push(self.now + delay, Event::Deliver(Rc::clone(frame), to));
            }
        }
    }

    /// An ARP or neighbour request: a broadcast there, a unicast back, answered by the other's kernel.
    pub fn solicit(&mut self, from: NodeNumber, interface: InterfaceIndex, target: IpAddr) {
        let Some(lan) = self.node(from).lan_of(interface) else { return };
        let asker = Port { node: from, lan };
        let Some(owner) = self.owner(lan, &target).filter(|o| *o != asker) else { return };
        let both_run = self.is_running(asker) && self.is_running(owner);
        let weather = self.network.lans[lan.index()].weather;
        let both_ways = self.network.passes(asker, owner)
            && self.network.floods(asker.lan, owner.lan)
            && self.network.passes(owner, asker);
        let lost = self.random.chance(weather.loss) | self.random.chance(weather.loss);
        if both_run && both_ways && !lost {
            let delay = self.random.between(weather.delay * 2, (weather.delay + weather.jitter) * 2);
            self.queue.push(self.now + delay, Event::Answer(from, interface, target));
        }
    }
}
