//! How hosts find each other on a LAN: ARP and neighbour discovery, by their kernels and by their daemons.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::rc::Rc;

use faild::interface::InterfaceIndex;

use super::{Event, World};
use crate::neighbours::{LIFE, TRY_PAUSE, Verdict};
use crate::network::{Frame, NodeNumber, Port};

/// A request on its way, or its answer.
#[derive(Debug, Clone, Copy)]
pub struct Request {
    /// Who asks.
    asker: Port,
    /// The address that it asks from.
    source: IpAddr,
    /// Who has this?
    target: IpAddr,
    /// The interface, if the daemon asked and not the kernel.
    daemon: Option<InterfaceIndex>,
}

impl World {
    /// Takes a unicast frame to its destination, or lets it wait until that is known.
    pub fn forward(&mut self, frame: &Rc<Frame>) {
        let (from, now) = (frame.from, self.now);
        if self.known_neighbours {
            if let Some(to) = self.owner(from.lan, &frame.destination) {
                self.carry(frame, to);
            }
            return;
        }
        match self.neighbours(from).send(now, frame) {
            Verdict::Goes(to) => self.carry(frame, to),
            Verdict::GoesAndAsks(to, series) => {
                self.carry(frame, to);
                self.ask_for_kernel(from, frame.source, frame.destination, series, Some(to));
            }
            Verdict::Asks(series) => {
                self.ask_for_kernel(from, frame.source, frame.destination, series, None);
            }
            Verdict::Waits | Verdict::Over => {}
        }
    }

    fn neighbours(&mut self, port: Port) -> &mut crate::neighbours::Neighbours {
        &mut self.nodes[port.node.index()].ports[port.lan.index()].neighbours
    }

    fn ask_for_kernel(
        &mut self,
        asker: Port,
        source: IpAddr,
        target: IpAddr,
        series: u64,
        known: Option<Port>,
    ) {
        self.ask(Request { asker, source, target, daemon: None }, known);
        self.queue.push(self.now + TRY_PAUSE, Event::AskAgain(asker, source, target, series));
    }

    /// A second has passed since a request of a kernel.
    pub fn ask_again(&mut self, asker: Port, source: IpAddr, target: IpAddr, series: u64) {
        if self.node(asker.node).is_frozen() {
            self.queue.push(self.now + TRY_PAUSE, Event::AskAgain(asker, source, target, series));
            return;
        }
        match self.neighbours(asker).try_again(&target, series) {
            Verdict::Asks(series) => self.ask_for_kernel(asker, source, target, series, None),
            Verdict::GoesAndAsks(to, series) => self.ask_for_kernel(asker, source, target, series, Some(to)),
            Verdict::Goes(_) | Verdict::Waits | Verdict::Over => {}
        }
    }

    /// A request of a daemon: a broadcast there, a unicast back, answered by the other's kernel.
    pub fn solicit(&mut self, from: NodeNumber, interface: InterfaceIndex, source: IpAddr, target: IpAddr) {
        let Some(lan) = self.node(from).lan_of(interface) else { return };
        let asker = Port { node: from, lan };
        self.ask(Request { asker, source, target, daemon: Some(interface) }, None);
    }

    /// Sends a request, to all or to one that is known.
    fn ask(&mut self, request: Request, known: Option<Port>) {
        let Request { asker, target, .. } = request;
        let Some(owner) = self.owner(asker.lan, &target).filter(|owner| *owner != asker) else { return };
        let reaches = match known {
            Some(known) => known == owner,
            None => self.network.floods(asker.lan, owner.lan),
        };
        if reaches && self.is_running(asker) {
            self.travel(asker, owner, Event::Asked(request, owner));
        }
    }

    /// A request arrives: the other's kernel learns who asks, and answers.
    pub fn on_asked(&mut self, request: Request, owner: Port) {
        let Request { asker, source, target, .. } = request;
        let bears = self.node(owner.node).ports[owner.lan.index()].addresses.contains(&target);
        if !bears || !self.is_running(owner) {
            return;
        }
        let now = self.now;
        let waiting = self.neighbours(owner).on_request(now, source, asker);
        self.release(waiting, asker);
        self.travel(owner, asker, Event::Answered(request, owner));
    }

    /// An answer arrives: what waited for it leaves.
    pub fn on_answered(&mut self, request: Request, owner: Port) {
        let Request { asker, target, daemon, .. } = request;
        if !self.is_running(asker) {
            return;
        }
        let fresh_until = self.now + self.random.between(LIFE.0, LIFE.1);
        let waiting = self.neighbours(asker).on_answer(target, owner, fresh_until);
        self.release(waiting, owner);
        if let Some(interface) = daemon {
            self.nodes[asker.node.index()].answer(interface, target);
            let rested = self.node(asker.node).rested();
            self.plan_wake(asker.node, rested);
        }
    }

    /// A host tells a LAN that it bears an address now; those who know of that address learn it.
    pub fn tell_address(&mut self, from: Port, address: IpAddr) {
        for node in self.numbers() {
            let to = Port { node, lan: from.lan };
            let hears = self.network.passes(from, to) && self.network.floods(from.lan, to.lan);
            if to != from && hears && self.is_running(to) && self.neighbours(to).has(&address) {
                let now = self.now;
                let waiting = self.neighbours(to).on_request(now, address, from);
                self.release(waiting, from);
            }
        }
    }

    /// All at one instant, in order, however old.
    fn release(&mut self, waiting: VecDeque<Rc<Frame>>, to: Port) {
        for frame in waiting {
            let delay = self.network.lans[frame.from.lan.index()].weather.delay;
            self.carry_within(&frame, to, delay);
        }
    }

    /// What is no datagram goes by the same wire.
    fn travel(&mut self, from: Port, to: Port, event: Event) {
        let weather = self.network.lans[from.lan.index()].weather;
        if self.network.passes(from, to) && !self.random.chance(weather.loss) {
            let delay = self.random.between(weather.delay, weather.delay + weather.jitter);
            self.queue.push(self.now + delay, event);
        }
    }
}
