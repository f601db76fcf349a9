//! What a host has and does, as the world sees it.

use std::net::IpAddr;
use std::rc::Rc;

use faild::core::Notice;
use faild::engine::Dropped;
use faild::interface::{Family, Interface, InterfaceIndex};
use faild::time::Instant;

use super::Node;
use crate::kernel::Applied;
use crate::neighbours::Neighbours;
use crate::network::{Frame, LanNumber};

/// An interface as the network sees it; follows the kernel.
#[derive(Debug, Clone, Default)]
pub struct PortState {
    /// Its number, while it exists.
    pub index: Option<InterfaceIndex>,
    /// Up and with carrier.
    pub running: bool,
    /// Its addresses, as far as they can be used.
    pub addresses: Vec<IpAddr>,
    /// The cable, as long as the interface exists or not.
    pub unplugged: bool,
    /// Its owner has deleted its address of this family.
    pub stripped: Option<Family>,
    /// Whom its kernel knows there.
    pub neighbours: Neighbours,
}

/// A datagram in a receive buffer.
pub struct Arrival {
    /// The frame.
    pub frame: Rc<Frame>,
    /// The LAN that it came by.
    pub lan: LanNumber,
    /// When.
    pub at: Instant,
}

/// What a host did since the simulation began.
#[derive(Debug, Clone, Copy, Default)]
pub struct Counters {
    /// Datagrams sent.
    pub sent: u64,
    /// Datagrams received by the daemon.
    pub received: u64,
    /// Kernel operations asked for.
    pub operations: u64,
    /// Overlays laid.
    pub laid: u64,
    /// Starts of the daemon, and reloads of its settings.
    pub beginnings: u64,
    /// Wake-ups of the daemon.
    pub wakes: u64,
}

/// What a wake-up of the daemon does to the world.
pub enum Effect {
    /// A datagram to send.
    Send(faild::packet::Transmit),
    /// An ARP or neighbour request.
    Solicit {
        /// By this interface.
        interface: InterfaceIndex,
        /// From this address.
        source: IpAddr,
        /// For this address.
        target: IpAddr,
    },
    /// A datagram was read by the daemon.
    Heard {
        /// What it was.
        frame: Rc<Frame>,
        /// The LAN that it came by.
        lan: LanNumber,
        /// Why the daemon dropped it, if it did.
        dropped: Option<Dropped>,
    },
    /// A kernel operation was asked for.
    Applied(Box<Applied>),
    /// The plan changed.
    PlanChanged,
    /// Something was logged.
    Notice(Notice),
    /// The daemon was killed amid its operations.
    Died,
    /// The core does not come to rest.
    Restless,
}

impl Node {
    /// Follows the kernel: which ports exist, run and bear which addresses.
    pub fn refresh_ports(&mut self) {
        for (plan, port) in self.blueprint.interfaces.iter().zip(&mut self.ports) {
            let interface = self.kernel.interface(&plan.name);
            port.index = interface.map(|i| i.index);
            port.running = interface.is_some_and(Interface::is_running);
            port.addresses.clear();
            let usable = interface.into_iter().flat_map(|i| &i.addresses).filter(|a| !a.tentative);
            port.addresses.extend(usable.map(|a| a.address()));
        }
    }

    /// The LAN behind an interface.
    pub fn lan_of(&self, interface: InterfaceIndex) -> Option<LanNumber> {
        let at = self.ports.iter().position(|p| p.index == Some(interface))?;
        u8::try_from(at).ok().map(LanNumber)
    }
}
