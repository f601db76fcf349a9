//! The edge to the kernel: netlink and sysctls. It lists, watches and carries out, and decides nothing.
//!
//! Requests and notifications have a socket each. rtnetlink requests are carried out inside `sendto`, so that all
//! calls here are synchronous; they block only while another process holds the kernel's RTNL lock. rtnetlink's async
//! half is not used: its types and builders write what is short and fixed (links, addresses, neighbours), routes are
//! patched in their raw bytes, and everything is read by a walk over the attributes, so that a message is never lost
//! because of a part that is not needed here.
//!
//! ```text
//!  Operation --> apply ----> [ batch of 64, fence on the last ] --sendto--> kernel
//!  Result    <-- by sequence number and own port <--recv-- errors as they occur, fence
//!
//!  Vec<Route>, Vec<Interface> <-- listing, again if NLM_F_DUMP_INTR <--recv-- kernel
//!  Event <-- Monitor::read, bounded; own route changes left out <-- kernel
//! ```
//!
//! When an answer is lost, or does not come, the result of the requests is unknown and reported as such; the socket is
//! reopened, so that no late answer is taken for a new one.

mod address;
mod attributes;
mod dry_run;
mod link;
mod listing;
mod lookup;
mod message;
mod monitor;
mod neighbour;
mod neighbour_table;
mod netlink;
mod route;
mod socket;
pub mod sysctl;
#[cfg(test)]
mod tests;

use std::io;
use std::net::IpAddr;

pub use dry_run::DryRun;
pub use link::LinkState;
pub use lookup::Hop;
pub use monitor::{Event, Monitor, Rest};
pub use neighbour_table::SmallTable;
pub use netlink::{Netlink, RECEIVE_BUFFER};

use crate::interface::{Interface, InterfaceIndex, MacAddress};
use crate::operation::{Operation, Refusal};
use crate::route::{Route, RouteKey};

/// What the rest of the program asks of the kernel.
pub trait Kernel {
    /// All links of this network namespace with their addresses.
    ///
    /// # Errors
    /// The listing failed; then nothing new is known, and the last one remains valid.
    fn interfaces(&mut self) -> Result<Vec<Interface>, Error>;

    /// The state of single links at this moment, carrier included, which notifications may report a second later (10 us
    /// each; Linux 6.18 handles a pending carrier event for it). A link that does not exist is left out.
    ///
    /// # Errors
    /// The kernel cannot be queried.
    fn links(&mut self, wanted: &[InterfaceIndex]) -> Result<Vec<LinkState>, Error>;

    /// All unicast routes with faild's protocol number, both families, all tables.
    ///
    /// # Errors
    /// As [`Kernel::interfaces`].
    fn own_routes(&mut self) -> Result<Vec<Route>, Error>;

    /// All unicast routes of these tables that use one of these interfaces, even with only one of several legs, and all
    /// routes of other types, which use none; both families. A table that does not exist has none. Each route comes
    /// once, equal keys in the order in which the kernel tries them. Routes that the kernel identifies only by a
    /// nexthop object (`nexthop_compat_mode` 0) are left out.
    ///
    /// # Errors
    /// As [`Kernel::interfaces`].
    fn routes_over(&mut self, interfaces: &[InterfaceIndex], tables: &[u32]) -> Result<Vec<Route>, Error>;

    /// All routes with this key, of any type, protocol and interface: those that keep ours out. It lists the whole
    /// table, so it is for rare use.
    ///
    /// # Errors
    /// As [`Kernel::interfaces`].
    fn routes_at(&mut self, key: &RouteKey) -> Result<Vec<Route>, Error>;

    /// The hardware address behind an address on a LAN, if the kernel's neighbour table has it at this moment.
    fn hardware_address(&mut self, interface: InterfaceIndex, address: IpAddr) -> Option<MacAddress>;

    /// The addresses on this interface whose neighbour entries show that a host was there recently (REACHABLE, STALE or
    /// DELAY), both families.
    ///
    /// # Errors
    /// As [`Kernel::interfaces`].
    fn neighbours(&mut self, interface: InterfaceIndex) -> Result<Vec<IpAddr>, Error>;

    /// How the kernel would route a packet to this address now.
    ///
    /// # Errors
    /// [`Error::Refused`] if there is no route, with the kernel's reason; otherwise as [`Kernel::links`].
    fn hop(&mut self, address: IpAddr, source: Option<IpAddr>) -> Result<Hop, Error>;

    /// Carries out operations in order, even if some fail. The results are aligned with the
    /// operations; see [`Refusal::is_unknown`] for those whose outcome is unknown.
    fn apply(&mut self, operations: &[Operation]) -> Vec<Result<(), Refusal>>;
}

impl<K: Kernel + ?Sized> Kernel for &mut K {
    fn interfaces(&mut self) -> Result<Vec<Interface>, Error> {
        (**self).interfaces()
    }

    fn links(&mut self, wanted: &[InterfaceIndex]) -> Result<Vec<LinkState>, Error> {
        (**self).links(wanted)
    }

    fn own_routes(&mut self) -> Result<Vec<Route>, Error> {
        (**self).own_routes()
    }

    fn routes_over(&mut self, interfaces: &[InterfaceIndex], tables: &[u32]) -> Result<Vec<Route>, Error> {
        (**self).routes_over(interfaces, tables)
    }

    fn hardware_address(&mut self, interface: InterfaceIndex, address: IpAddr) -> Option<MacAddress> {
        (**self).hardware_address(interface, address)
    }

    fn neighbours(&mut self, interface: InterfaceIndex) -> Result<Vec<IpAddr>, Error> {
        (**self).neighbours(interface)
    }

    fn routes_at(&mut self, key: &RouteKey) -> Result<Vec<Route>, Error> {
        (**self).routes_at(key)
    }

    fn hop(&mut self, address: IpAddr, source: Option<IpAddr>) -> Result<Hop, Error> {
        (**self).hop(address, source)
    }

    fn apply(&mut self, operations: &[Operation]) -> Vec<Result<(), Refusal>> {
        (**self).apply(operations)
    }
}

/// Why the kernel could not be queried.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No socket.
    #[error("cannot open a netlink socket")]
    Open(#[source] io::Error),
    /// The request was not accepted.
    #[error("cannot query the kernel for {what}")]
    Send {
        /// What was asked for.
        what: &'static str,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// No answer, or not all of it.
    #[error("cannot read the kernel's answer about {what}")]
    Receive {
        /// What was asked for.
        what: &'static str,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The kernel refused.
    #[error("the kernel cannot list {what}")]
    Refused {
        /// What was asked for.
        what: &'static str,
        /// Its reason.
        #[source]
        source: Refusal,
    },
    /// The list changed under each attempt to read it.
    #[error("the kernel's {what} changed during each of {attempts} listings")]
    Unstable {
        /// What was asked for.
        what: &'static str,
        /// How often it was tried.
        attempts: u8,
    },
}
