//! Which socket: interface and kind, which make the token of the poll.

use std::fmt;

use mio::Token;

use super::{Probers, Sockets};
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
    Echo(Family),
}

/// Whose socket it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Room {
    Sockets,
    Probers,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Kind::Udp(family) => write!(f, "socket=udp family={family}"),
            Kind::Neighbour(Family::V4) => write!(f, "socket=arp family=ipv4"),
            Kind::Neighbour(Family::V6) => write!(f, "socket=nd family=ipv6"),
            Kind::Echo(family) => write!(f, "socket=echo family={family}"),
        }
    }
}

/// A key is its token: interface number, three bits, and one that tells the room, so that no table has to be kept.
/// Tokens that have [`Sockets::FOREIGN`] set are other people's.
impl Key {
    pub(super) fn udp(interface: InterfaceIndex, family: Family) -> Self {
        Self { interface, kind: Kind::Udp(family) }
    }

    pub(super) fn neighbour(interface: InterfaceIndex, family: Family) -> Self {
        Self { interface, kind: Kind::Neighbour(family) }
    }

    pub(super) fn echo(interface: InterfaceIndex, family: Family) -> Self {
        Self { interface, kind: Kind::Echo(family) }
    }

    pub(super) fn token(self, room: Room) -> Token {
        let kind = match self.kind {
            Kind::Udp(Family::V4) => 0,
            Kind::Udp(Family::V6) => 1,
            Kind::Neighbour(Family::V4) => 2,
            Kind::Neighbour(Family::V6) => 3,
            Kind::Echo(Family::V4) => 4,
            Kind::Echo(Family::V6) => 5,
        };
        let room = match room {
            Room::Sockets => 0,
            Room::Probers => Probers::OURS,
        };
        // Interface numbers are positive ints, and pointers have 64 bits wherever this runs in earnest; with 32 the
        // kernel would have to hand out 2^27 numbers first.
        Token((self.interface.0 as usize) << 3 | kind | room)
    }

    /// The key of a token of this room.
    pub(super) fn of(token: Token, room: Room) -> Option<Self> {
        let kind = match token.0 & 7 {
            0 => Kind::Udp(Family::V4),
            1 => Kind::Udp(Family::V6),
            2 => Kind::Neighbour(Family::V4),
            3 => Kind::Neighbour(Family::V6),
            4 => Kind::Echo(Family::V4),
            5 => Kind::Echo(Family::V6),
            _ => return None,
        };
        let number = (token.0 & !(Sockets::FOREIGN | Probers::OURS)) >> 3;
        let key = Self { interface: InterfaceIndex(u32::try_from(number).ok()?), kind };
        (key.token(room) == token).then_some(key)
    }
}
