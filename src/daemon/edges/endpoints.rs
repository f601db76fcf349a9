//! The sockets: on LANs, and on interfaces by which other hosts are probed.

use super::reading::RETRY;
use super::{Edges, Task};
use crate::config::LanConfig;
use crate::interface::Interface;
use crate::net::{Endpoint, ProbeEndpoint};
use crate::time::Instant;

impl Edges {
    /// Has sockets where packets are to go by, and nowhere else, and looks whether the host is fit for them.
    pub(super) fn follow_endpoints(&mut self, now: Instant) {
        self.open_sockets(now);
        self.open_probers();
        self.check_sysctls();
        self.neighbours.consider(self.core.peers().plan());
    }

    /// Has sockets on the LANs whose interfaces are up, and on no others.
    pub(super) fn open_sockets(&mut self, now: Instant) {
        let up = self.core.lans().filter(|interface| interface.up);
        let wanted: Vec<Endpoint> = up.map(|interface| self.endpoint(interface)).collect();
        if !self.sockets.keep(&wanted) {
            self.agenda.by(Task::OpenSockets, now + RETRY);
        }
    }

    /// Probes may go out by the interfaces that are watched, while they are up.
    fn open_probers(&mut self) {
        if !self.core.is_watching() && self.probers.sockets() == 0 {
            return;
        }
        let wanted: Vec<ProbeEndpoint> =
            self.core.probed().filter(|interface| interface.up).map(probe_endpoint).collect();
        let own = self.core.interfaces().iter().flat_map(|interface| &interface.addresses);
        self.probers.keep(&wanted, own.map(|address| address.address()));
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

fn probe_endpoint(interface: &Interface) -> ProbeEndpoint {
    ProbeEndpoint {
        interface: interface.index,
        name: interface.name.clone(),
        mac: interface.mac,
        link_local: interface.link_local(),
    }
}
