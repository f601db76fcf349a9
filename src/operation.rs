//! What faild asks of the kernel, and the kernel's refusal.

use std::net::IpAddr;

use crate::interface::{InterfaceAddress, InterfaceIndex};
use crate::route::Route;

/// Where a new route stands among routes with the same key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// There shall be no other: NLM_F_CREATE and NLM_F_EXCL.
    Alone,
    /// Before all others: NLM_F_CREATE alone. IPv4 at metric 0 only; IPv6 would merge the two.
    Before,
    /// Behind all others: NLM_F_CREATE and NLM_F_APPEND. IPv4 only: an original comes back behind its overlay.
    Behind,
}

/// One thing that the kernel is asked to do. Each is complete in itself and does not depend on what the kernel is
/// believed to hold: a delete names everything, an add never takes over a stranger's route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation {
    /// Add a route.
    AddRoute {
        /// The route, with `protocol` saying whose it shall be.
        ///
        /// If `attributes` is not empty it is the template that is patched: priority, source and legs. As many legs as
        /// the template has take their places one by one and keep flags and realms; any other number is written plainly. A
        /// route with our protocol number gets no lifetime and no nexthop object, whatever the template has; of
        /// `flags` only ONLINK and PERVASIVE are sent. Without `attributes` the message is built from the typed fields.
        route: Route,
        /// Where it shall stand among routes with its key.
        place: Place,
    },
    /// Delete exactly this route: key, protocol, gateway and interface are all named.
    DeleteRoute(Route),
    /// Add an address to an interface; IPv6 with nodad.
    AddAddress {
        /// The interface.
        interface: InterfaceIndex,
        /// The address; `protocol` says whose it shall be.
        address: InterfaceAddress,
    },
    /// Delete an address.
    DeleteAddress {
        /// The interface.
        interface: InterfaceIndex,
        /// The address.
        address: InterfaceAddress,
    },
    /// Set an interface up (IFF_UP).
    SetUp(InterfaceIndex),
    /// Delete a neighbour entry, unless it is permanent. That there is none is no error.
    DeleteNeighbour {
        /// The interface.
        interface: InterfaceIndex,
        /// The neighbour.
        address: IpAddr,
    },
}

/// The kernel's refusal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text} (errno {errno})")]
pub struct Refusal {
    /// The error number, positive.
    pub errno: i32,
    /// The kernel's extended message if it gave one, else the name of the error.
    pub text: String,
}

impl Refusal {
    /// A refusal with the kernel's words.
    pub fn new(errno: nix::errno::Errno, text: &str) -> Self {
        Self { errno: errno as i32, text: text.to_owned() }
    }

    /// Whether nobody knows if the operation was carried out, because the kernel's answer was lost (ENOBUFS) or never
    /// came (ETIMEDOUT): only a dump can tell.
    pub fn is_unknown(&self) -> bool {
        use nix::errno::Errno::{ENOBUFS, ETIMEDOUT};
        [ENOBUFS, ETIMEDOUT].into_iter().any(|errno| errno as i32 == self.errno)
    }
}
