//! Which socket: interface and kind, which make the token of the poll.

use std::fmt;

use mio::Token;

use super::Sockets;
use crate::interface::{Family, InterfaceIndex};

/// Which socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    /// Its interface.
    pub(super) interface: InterfaceIndex,
    /// Which of the interface's.
    pub(super) kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Udp(Family),
    Neighbour(Family),
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Kind::Udp(family) => write!(f, "socket=udp family={family}"),
            Kind::Neighbour(Family::V4) => write!(f, "socket=arp family=ipv4"),
            Kind::Neighbour(Family::V6) => write!(f, "socket=nd family=ipv6"),
        }
    }
}

/// A key is its token: interface number and two bits, so that no table has to be kept. Tokens that have
/// [`Sockets::FOREIGN`] set are other people's.
impl Key {
    pub(super) fn udp(interface: InterfaceIndex, family: Family) -> Self {
        Self { interface, kind: Kind::Udp(family) }
    }

    pub(super) fn neighbour(interface: InterfaceIndex, family: Family) -> Self {
        Self { interface, kind: Kind::Neighbour(family) }
    }

    pub(super) fn token(self) -> Token {
        let kind = match self.kind {
            Kind::Udp(Family::V4) => 0,
            Kind::Udp(Family::V6) => 1,
            Kind::Neighbour(Family::V4) => 2,
            Kind::Neighbour(Family::V6) => 3,
        };
        // Interface numbers are positive ints, and pointers have 64 bits wherever this runs in earnest; with 32 the
        // kernel would have to hand out 2^29 numbers first.
        Token((self.interface.0 as usize) << 2 | kind)
    }

    pub(super) fn of(token: Token) -> Option<Self> {
        if token.0 & Sockets::FOREIGN != 0 {
            return None;
        }
        let kind = match token.0 & 3 {
            0 => Kind::Udp(Family::V4),
            1 => Kind::Udp(Family::V6),
            2 => Kind::Neighbour(Family::V4),
            _ => Kind::Neighbour(Family::V6),
        };
        Some(Self { interface: InterfaceIndex(u32::try_from(token.0 >> 2).ok()?), kind })
    }
}
