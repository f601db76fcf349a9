//! What is done to hosts from outside: by administrators, by cables, by other programs.

use std::time::Duration;

use faild::config::Config;

use super::setup::DHCP;
use super::{Happening, World};
use crate::kernel::RoutePlan;
use crate::network::{NodeNumber, Port, Weather};
use crate::node::Node;

impl World {
    /// Starts the daemon of a node, unless it runs.
    pub fn start(&mut self, number: NodeNumber) {
        if self.node(number).daemon.is_none() {
            self.on_disturbed(number, "daemon started");
            self.with_effects(number, Node::start);
        }
    }

    /// kill -9.
    pub fn kill(&mut self, number: NodeNumber) {
        self.on_disturbed(number, "daemon killed");
        self.nodes[number.index()].kill();
    }

    /// kill -9 in the midst of the next operations.
    pub fn kill_amid_operations(&mut self, number: NodeNumber, operations: u32) {
        self.note(format_args!("{number} daemon will be killed after {operations} operations"));
        self.nodes[number.index()].dies_after = Some(operations.max(1));
    }

    /// SIGTERM.
    pub fn stop(&mut self, number: NodeNumber) {
        if let Some(rest) = self.stalled_for(number) {
            return self.after(rest, move |w| w.stop(number));
        }
        self.on_disturbed(number, "daemon stopped");
        self.with_effects(number, Node::stop);
    }

    /// SIGHUP, with other settings.
    pub fn reload(&mut self, number: NodeNumber, change: impl FnOnce(&mut Config)) {
        change(&mut self.nodes[number.index()].config);
        self.hang_up(number);
    }

    fn hang_up(&mut self, number: NodeNumber) {
        if let Some(rest) = self.stalled_for(number) {
            return self.after(rest, move |w| w.hang_up(number));
        }
        self.on_disturbed(number, "settings reloaded");
        self.with_effects(number, Node::reload);
    }

    /// `faildctl offline`, `faildctl online`.
    pub fn set_offline(&mut self, port: Port, offline: bool) {
        if let Some(rest) = self.stalled_for(port.node) {
            return self.after(rest, move |w| w.set_offline(port, offline));
        }
        let name = self.interface_name(port).to_owned();
        self.with_effects(port.node, |node, now, effects| node.set_offline(&name, offline, now, effects));
    }

    /// How long a daemon is stopped still: it takes no signal and no command meanwhile.
    fn stalled_for(&self, number: NodeNumber) -> Option<Duration> {
        let until = self.node(number).stalled_until.filter(|until| *until > self.now)?;
        Some(until.since(self.now))
    }

    /// SIGSTOP, and SIGCONT later.
    pub fn stall(&mut self, number: NodeNumber, duration: Duration) {
        self.on_disturbed(number, "daemon stalled");
        let until = self.now + duration;
        self.nodes[number.index()].stalled_until = Some(until);
        self.after(duration, move |w| {
            w.on_disturbed(number, "daemon goes on");
            w.wake(number);
        });
    }

    /// Power off and on; the daemon starts after a while.
    pub fn reboot(&mut self, number: NodeNumber, duration: Duration) {
        self.on_disturbed(number, "rebooted");
        self.nodes[number.index()].reboot();
        self.follow_kernel(number);
        self.after(duration, move |w| w.start(number));
    }

    /// The disk of one node is copied to another, which is then started afresh; if it sleeps, it fell asleep as the daemon
    /// began, and goes on from there.
    pub fn clone_disk(&mut self, from: NodeNumber, to: NodeNumber) {
        let memory = self.node(from).memory.clone();
        self.kill(to);
        self.nodes[to.index()].memory = memory;
        self.start(to);
    }

    /// The daemon's receive buffer for the kernel's news overflows.
    pub fn lose_news(&mut self, number: NodeNumber) {
        self.on_disturbed(number, "lost the kernel's news");
        self.with_effects(number, Node::lose_news);
    }

    /// Someone does something to a host's kernel; its news go to the daemon.
    pub fn meddle(&mut self, number: NodeNumber, what: &'static str, act: impl FnOnce(&mut Node)) {
        self.on_disturbed(number, what);
        act(&mut self.nodes[number.index()]);
        self.follow_kernel(number);
    }

    /// Pulls or plugs the cable of a port.
    pub fn set_carrier(&mut self, port: Port, carrier: bool) {
        let name = self.interface_name(port).to_owned();
        let what = if carrier { "carrier back" } else { "carrier lost" };
        self.note(format_args!("{} {name} {what}", port.node));
        let node = &mut self.nodes[port.node.index()];
        node.ports[port.lan.index()].unplugged = !carrier;
        node.kernel.set_carrier(&name, carrier);
        self.follow_kernel(port.node);
    }

    /// `ip link set up|down`. A DHCP client puts its routes back when the interface returns.
    pub fn set_up(&mut self, port: Port, up: bool) {
        let name = self.interface_name(port).to_owned();
        let what = if up { "interface set up" } else { "interface set down" };
        self.meddle(port.node, what, |node| {
            node.kernel.set_up(&name, up);
        });
        self.renew_leases(port.node);
    }

    /// Deletes an interface.
    pub fn delete_interface(&mut self, port: Port) {
        let name = self.interface_name(port).to_owned();
        self.meddle(port.node, "interface deleted", |node| node.kernel.delete(&name));
    }

    /// Makes it again, under another number.
    pub fn create_interface(&mut self, port: Port) {
        let plan = self.node(port.node).blueprint.interfaces[port.lan.index()].clone();
        self.meddle(port.node, "interface made again", |node| {
            node.kernel.create(&plan);
            let unplugged = node.ports[port.lan.index()].unplugged;
            node.kernel.set_carrier(&plan.name, !unplugged);
        });
        self.renew_leases(port.node);
    }

    /// DHCP clients and the like look after their own routes, half a second after the interface returned.
    fn renew_leases(&mut self, number: NodeNumber) {
        self.after(Duration::from_millis(500), move |w| {
            w.nodes[number.index()].renew_leases();
            w.follow_kernel(number);
        });
    }

    /// A foreign actor adds a route, if the kernel takes it: it refuses one by an interface that is down.
    pub fn foreign_add(&mut self, number: NodeNumber, plan: &RoutePlan) {
        self.meddle(number, "foreign route added", |node| node.kernel.add_route(plan));
        if self.node(number).kernel.stands(plan) {
            self.happened(Happening::ForeignAdded(number, plan.clone()));
        }
    }

    /// A foreign actor deletes a route, if it stands.
    pub fn foreign_delete(&mut self, number: NodeNumber, plan: &RoutePlan) {
        if self.node(number).kernel.stands(plan) {
            self.happened(Happening::ForeignDeleted(number, plan.clone()));
            self.meddle(number, "foreign route deleted", |node| node.kernel.delete_route(plan));
        }
    }

    /// Ends all that is wrong: LANs as at the beginning, interfaces and addresses as configured, daemons running.
    pub fn heal(&mut self, weather: Weather) {
        for lan in self.network.numbers() {
            self.release_lan(lan);
            self.network.lans[lan.index()] = crate::network::Lan { weather, ..Default::default() };
        }
        self.network.joined.clear();
        for number in self.numbers() {
            self.thaw(number, false);
            self.nodes[number.index()].kernel.moods = Default::default();
            self.nodes[number.index()].dies_after = None;
            for lan in self.network.numbers() {
                let port = Port { node: number, lan };
                self.create_interface(port);
                self.set_carrier(port, true);
                self.set_up(port, true);
                self.restore_addresses(port);
                self.set_offline(port, false);
            }
            let original = self.node(number).original.clone();
            if self.node(number).config != original {
                self.resettle(number, |config| *config = original);
            }
            self.start(number);
        }
        self.network_changed("all healed");
    }

    /// Takes away addresses that were not configured, and gives back those that were.
    fn restore_addresses(&mut self, port: Port) {
        let node = &mut self.nodes[port.node.index()];
        let plan = node.blueprint.interfaces[port.lan.index()].clone();
        let bears = node.kernel.interface(&plan.name).map(|i| i.addresses.clone()).unwrap_or_default();
        for prefix in &plan.addresses {
            node.kernel.add_address(&plan.name, *prefix);
        }
        for address in bears.iter().filter(|address| !plan.addresses.contains(&address.prefix)) {
            node.kernel.delete_address(&plan.name, address.prefix);
        }
        self.follow_kernel(port.node);
    }
}

impl Node {
    fn renew_leases(&mut self) {
        for plan in self.blueprint.routes.iter().filter(|r| r.protocol == DHCP) {
            if self.kernel.interface(&plan.interface).is_some_and(|i| i.up) {
                self.kernel.add_route(plan);
            }
        }
    }
}
