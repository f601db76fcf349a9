//! The interfaces of the LANs, and the sockets on them.

use super::reading::RETRY;
use super::{Edges, Task};
use crate::config::LanConfig;
use crate::interface::Interface;
use crate::net::Endpoint;
use crate::time::Instant;

impl Edges {
    /// Has sockets on the LANs whose interfaces are up, and on no others.
    pub(super) fn open_sockets(&mut self, now: Instant) {
        let wanted: Vec<Endpoint> = self.lans_up().map(|interface| self.endpoint(interface)).collect();
        if !self.sockets.keep(&wanted) {
            self.agenda.by(Task::OpenSockets, now + RETRY);
        }
    }

    fn lans_up(&self) -> impl Iterator<Item = &Interface> {
        self.lans().filter(|interface| interface.up)
    }

    fn lans(&self) -> impl Iterator<Item = &Interface> {
        let names = &self.engine.plan().lans;
        self.interfaces.iter().filter(|interface| names.contains(&interface.name))
    }

    /// The LANs' interfaces and those that the watch judges.
    pub(super) fn cared_for(&self) -> impl Iterator<Item = &Interface> {
        let lans = &self.engine.plan().lans;
        let is_cared_for = |i: &&Interface| lans.contains(&i.name) || self.watching.judges(&i.name);
        self.interfaces.iter().filter(is_cared_for)
    }

    fn endpoint(&self, interface: &Interface) -> Endpoint {
        let configured = self.config.lans.iter().find(|lan| lan.interface == interface.name);
        let lan = configured.cloned().unwrap_or_else(|| LanConfig::new(&interface.name));
        Endpoint {
            interface: interface.index,
            name: interface.name.clone(),
            mac: interface.mac,
            ipv4: lan.ipv4,
            ipv6: lan.ipv6,
            multicast_group: lan.multicast_group,
        }
    }
}
