//! What is done to machines: they sleep, and are rolled back; and how their settings and interfaces are changed under them.

use std::time::Duration;

use faild::config::Config;
use ipnet::IpNet;

use super::{Happening, World};
use crate::network::{NodeNumber, Port};
use crate::node::{Node, Saved};

/// How long network interfaces are without carrier when a machine wakes up from its sleep.
const NEGOTIATION: Duration = Duration::from_secs(1);

impl World {
    /// A machine stops, its clock too. `has_ring`: a virtual one, whose interfaces keep the first frames.
    pub fn freeze(&mut self, number: NodeNumber, has_ring: bool) {
        let now = self.now;
        self.nodes[number.index()].freeze(now, has_ring);
        self.on_disturbed(number, "machine sleeps");
        self.network_changed("a machine sleeps");
    }

    /// It goes on. `bounces`: its interfaces have to find their carriers first.
    pub fn thaw(&mut self, number: NodeNumber, bounces: bool) {
        if !self.node(number).is_frozen() {
            return;
        }
        let now = self.now;
        self.nodes[number.index()].thaw(now);
        self.on_disturbed(number, "machine wakes up");
        if bounces {
            self.bounce(number);
        }
        self.network_changed("a machine wakes up");
        self.wake(number);
        self.set_timer(number);
    }

    fn bounce(&mut self, number: NodeNumber) {
        for lan in self.network.numbers() {
            let port = Port { node: number, lan };
            if !self.node(number).ports[lan.index()].unplugged {
                self.set_carrier(port, false);
                self.after(NEGOTIATION, move |w| w.set_carrier(port, true));
            }
        }
    }

    /// A snapshot of a machine is taken.
    pub fn save(&self, number: NodeNumber) -> Saved {
        self.node(number).save(self.now)
    }

    /// And is what the machine is again.
    pub fn roll_back(&mut self, number: NodeNumber, saved: Saved) {
        let now = self.now;
        if self.nodes[number.index()].roll_back(now, saved) {
            self.follow_kernel(number);
            self.on_disturbed(number, "rolled back");
            self.with_effects(number, Node::lose_news);
            self.set_timer(number);
        }
    }

    /// `ip neighbour flush`.
    pub fn forget_neighbours(&mut self, port: Port) {
        self.note(format_args!("{} forgets its neighbours on {:?}", port.node, port.lan));
        self.nodes[port.node.index()].ports[port.lan.index()].neighbours.clear();
    }

    /// Other settings for one host, which its peers have to get used to.
    pub fn resettle(&mut self, number: NodeNumber, change: impl FnOnce(&mut Config)) {
        self.reload(number, change);
        self.network_changed("settings of a host");
    }

    /// An interface gets another name, and the settings with it.
    pub fn rename_interface(&mut self, port: Port, name: String) {
        let before = self.interface_name(port).to_owned();
        self.meddle(port.node, "interface renamed", |node| {
            node.kernel.rename(&before, &name);
            node.blueprint.interfaces[port.lan.index()].name.clone_from(&name);
            for route in node.blueprint.routes.iter_mut().filter(|route| route.interface == before) {
                route.interface.clone_from(&name);
            }
            node.original = with_name(&node.original, &before, &name);
        });
        self.resettle(port.node, |config| *config = with_name(config, &before, &name));
        self.happened(Happening::Renamed(port.node, name));
    }

    /// A host bears one more address on a LAN, and says so to all.
    pub fn add_address(&mut self, port: Port, prefix: IpNet) {
        let name = self.interface_name(port).to_owned();
        self.meddle(port.node, "address added", |node| node.kernel.add_address(&name, prefix));
        if self.node(port.node).ports[port.lan.index()].addresses.contains(&prefix.addr()) {
            self.tell_address(port, prefix.addr());
        }
    }

    /// And no longer.
    pub fn delete_address(&mut self, port: Port, prefix: IpNet) {
        let name = self.interface_name(port).to_owned();
        self.meddle(port.node, "address deleted", |node| node.kernel.delete_address(&name, prefix));
    }
}

fn with_name(config: &Config, before: &str, after: &str) -> Config {
    let mut config = config.clone();
    for lan in config.lans.iter_mut().filter(|lan| lan.interface == before) {
        after.clone_into(&mut lan.interface);
    }
    config
}
