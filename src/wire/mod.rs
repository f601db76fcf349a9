//! The probe protocol's bytes: INQ, ACK and BYE to values and back, nothing else (faild-protocol(7)); and [`echo`], by
//! which hosts are asked that do not speak it.
//!
//! ```text
//! header 48 | receiver 32, if directed | echo 12, in an ACK | TLVs: report, address, cookie, padding | MAC 40
//! ```
//!
//! [`decode`] is given a datagram from the network and may be given anything; it never panics and never allocates more
//! than [`MAXIMUM_REPORTS`] and [`MAXIMUM_ADDRESSES`] need. Under a key nothing is read before the MAC has been
//! checked. What a packet says is well-formed then, no more: who may say it, and what follows from it, is for the
//! engine to decide.

mod cookie;
mod decode;
mod display;
pub mod echo;
mod encode;
mod format;
mod keys;
#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::interface::Family;

pub use cookie::{CookieSecret, Visitor};
pub use decode::{DecodeError, decode};
pub use encode::{Sealing, acknowledgement_size, encode, fitting_addresses};
pub use format::{MAXIMUM_ADDRESSES, MAXIMUM_LENGTH, MAXIMUM_REPORTS};
pub use keys::Keys;

/// Identifies a host that runs faild; drawn at random once, kept in the state directory. Never 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct NodeId(pub u64);

/// Identifies one run of the daemon; drawn at random at each start. Never 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct BootId(pub u64);

/// A node's own number for one of its LANs, the same as long as the node lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct LanIndex(pub u8);

/// A number that nobody can answer who has not seen it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Nonce(pub u64);

/// Handed to a peer on one LAN, returned by it over another: proves that it heard us there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Token(pub u64);

/// Handed to a stranger in an ACK, returned in its unicast INQ: proves that it can be reached at its address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cookie(pub u64);

/// One datagram.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packet {
    /// INQ, ACK or BYE, with what only that kind bears.
    pub kind: Kind,
    /// Who sends.
    pub sender: Sender,
    /// To whom; absent in a broadcast, always there in an ACK.
    pub directed: Option<Directed>,
    /// What the sender hears of the receiver, each path at most once (directed INQ and ACK). A path that is not in it
    /// keeps what was last said of it.
    pub reports: Option<Vec<PathReport>>,
    /// All addresses of the sender, on all its LANs (directed INQ, when the receiver has not got them yet). Those
    /// past [`fitting_addresses`] are not sent.
    pub addresses: Option<Vec<IpAddr>>,
    /// See [`Cookie`] (directed INQ and ACK).
    pub cookie: Option<Cookie>,
}

/// What a datagram is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// "Do you hear me?"
    Inquiry,
    /// "I heard you."
    Acknowledgement {
        /// The nonce of the INQ that this answers.
        echo: Nonce,
        /// How long the INQ waited at the answering host, so that round trips can be measured; whole
        /// microseconds, at most 4294 s on the wire.
        held: Duration,
    },
    /// "I stop now; think nothing of my silence."
    Goodbye,
}

/// The fixed header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sender {
    /// The sender sends INQs of its own accord.
    pub requestor: bool,
    /// The sender only watches (`--dry-run`): it will move nothing.
    pub observer: bool,
    /// The sender's number of the LAN that this was sent on.
    pub lan: LanIndex,
    /// The sender.
    pub node: NodeId,
    /// Its run.
    pub boot: BootId,
    /// The sender's slot on this LAN.
    pub sequence: u32,
    /// The sender's interval (`-t`), whole microseconds, at most 4294 s on the wire; not to be believed unclamped.
    pub interval: Duration,
    /// Fresh in each datagram.
    pub nonce: Nonce,
    /// Counts the changes of the sender's address list.
    pub address_generation: u32,
    /// Counts the changes of what the sender reports to this receiver (0 in a broadcast).
    pub report_generation: u32,
}

/// What every unicast adds to the header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Directed {
    /// The receiver; 0 while the sender does not know it (a configured peer that was not heard yet).
    pub node: NodeId,
    /// The receiver's run; 0 while the sender does not know it.
    pub boot: BootId,
    /// The receiver's address generation that the sender holds.
    pub address_generation: u32,
    /// The receiver's report generation that the sender holds.
    pub report_generation: u32,
    /// For the receiver to return, see [`Token`].
    pub token: Token,
}

/// What one end of a path has counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// Not yet decided.
    #[default]
    Unknown,
    /// Probes get through.
    Up,
    /// Too many in a row did not.
    Down,
}

/// What the sender has to say of one path between it and the receiver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PathReport {
    /// The family that the path is probed by.
    pub family: Family,
    /// The sender's number of the LAN.
    pub sender_lan: LanIndex,
    /// The receiver's number of it.
    pub receiver_lan: LanIndex,
    /// The sender's own count, never a combined verdict.
    pub level: Level,
    /// The sender would go home to this path.
    pub ready: bool,
    /// The sender has moved its traffic for this path to another.
    pub moved: bool,
    /// The last token that the receiver handed to the sender on that LAN; 0 if none.
    pub token: Token,
}
