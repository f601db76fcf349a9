//! What all ways of asking have in common.

use std::fmt;
use std::io;
use std::net::IpAddr;
use std::os::fd::RawFd;
use std::time::Duration;

use super::super::Moment;
use crate::interface::MacAddress;
use crate::packet::{Probe, ProbeId};
use crate::time::Instant;

/// One way of asking, by one interface and in one family.
pub(super) trait Prober: fmt::Debug {
    /// Sends a probe, to this hardware address where that is not its own affair.
    ///
    /// # Errors
    ///
    /// What the kernel says; ENETDOWN if the interface is down.
    fn send(&mut self, now: Instant, probe: &Probe, to: Option<MacAddress>) -> io::Result<()>;

    /// Reads one packet.
    ///
    /// # Errors
    ///
    /// `WouldBlock` if there is none.
    fn next_answer(&mut self, moment: Moment, buffer: &mut [u8]) -> io::Result<Reading>;

    /// What to poll.
    fn descriptor(&self) -> RawFd;
}

/// What one attempt to read gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Reading {
    /// An answer to something that was asked.
    pub(super) heard: Option<Heard>,
    /// When it came.
    pub(super) arrived: Instant,
    /// How many packets the socket has lost before it.
    pub(super) overflowed: u32,
}

/// An answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Heard {
    /// To which probe; [`RESOLVING`] if we asked for ourselves.
    pub(super) id: ProbeId,
    /// Whose it is.
    pub(super) from: IpAddr,
    /// By which next hop it was asked for.
    pub(super) hop: IpAddr,
    /// Where that is, if it was said.
    pub(super) mac: Option<MacAddress>,
}

/// Who asks for a next hop's hardware address is not the watch; no probe of the watch's has this id.
pub(super) const RESOLVING: ProbeId = ProbeId(0);

/// When the kernel received what bears this stamp.
pub(super) fn arrival(moment: Moment, stamp: Option<Duration>) -> Instant {
    stamp.map_or(moment.now, |stamp| moment.arrival(stamp))
}
