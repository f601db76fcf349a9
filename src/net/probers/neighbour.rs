//! ARP requests and neighbour solicitations as probes. Their answers bear no token: an answer belongs to the youngest
//! question about its address that is open, and nobody is believed who was not asked.

use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;
use std::os::fd::{AsRawFd, RawFd};
use std::time::Duration;

use super::prober::{Heard, Prober, Reading, arrival};
use crate::interface::{Family, InterfaceIndex, MacAddress};
use crate::net::{Answerer, Moment, arp, neighbour};
use crate::time::Instant;
use crate::watch::{Probe, ProbeId};

/// See the module.
#[derive(Debug)]
pub(super) struct Neighbour {
    socket: Socket,
    /// Open questions by address, the youngest last.
    asked: BTreeMap<IpAddr, Vec<(ProbeId, Instant)>>,
}

#[derive(Debug)]
enum Socket {
    Arp(arp::Arp),
    Nd(neighbour::Neighbour),
}

impl Neighbour {
    /// Opens the socket of an interface with this hardware address.
    ///
    /// # Errors
    ///
    /// What the kernel says; `InvalidInput` for ARP on an interface without a hardware address.
    pub(super) fn open(
        interface: InterfaceIndex,
        family: Family,
        mac: Option<MacAddress>,
    ) -> io::Result<Self> {
        let socket = match family {
            Family::V4 => Socket::Arp(arp::Arp::open(interface, mac)?),
            Family::V6 => Socket::Nd(neighbour::Neighbour::open(interface, mac)?),
        };
        Ok(Self { socket, asked: BTreeMap::new() })
    }

    fn note(&mut self, now: Instant, target: IpAddr, id: ProbeId) {
        if self.asked.len() >= MOST_ADDRESSES && !self.asked.contains_key(&target) {
            self.asked.retain(|_, open| open.last().is_some_and(|(_, at)| is_open(now, *at)));
        }
        if self.asked.len() >= MOST_ADDRESSES && !self.asked.contains_key(&target) {
            self.asked.pop_first();
        }
        let open = self.asked.entry(target).or_default();
        open.retain(|(_, at)| is_open(now, *at));
        if open.len() >= MOST_OPEN {
            open.remove(0);
        }
        open.push((id, now));
    }

    fn answered(&mut self, arrived: Instant, answerer: Answerer) -> Option<Heard> {
        let Answerer { address, mac, .. } = answerer;
        let open = self.asked.get_mut(&address)?;
        open.retain(|(_, at)| is_open(arrived, *at));
        let (id, _) = open.pop()?;
        if open.is_empty() {
            self.asked.remove(&address);
        }
        Some(Heard { id, from: address, hop: address, mac })
    }
}

impl Prober for Neighbour {
    fn send(&mut self, now: Instant, probe: &Probe, _: Option<MacAddress>) -> io::Result<()> {
        match (&self.socket, probe.source, probe.target) {
            (Socket::Arp(arp), IpAddr::V4(source), IpAddr::V4(target)) => arp.request(source, target)?,
            (Socket::Nd(nd), IpAddr::V6(source), IpAddr::V6(target)) => nd.solicit(source, target)?,
            (
                Socket::Arp(_) | Socket::Nd(_),
                IpAddr::V4(_) | IpAddr::V6(_),
                IpAddr::V4(_) | IpAddr::V6(_),
            ) => {
                return Err(io::ErrorKind::InvalidInput.into());
            }
        }
        self.note(now, probe.target, probe.id);
        Ok(())
    }

    fn next_answer(&mut self, moment: Moment, buffer: &mut [u8]) -> io::Result<Reading> {
        let answerer = match &mut self.socket {
            Socket::Arp(arp) => arp.receive(buffer)?,
            Socket::Nd(nd) => nd.receive(buffer)?,
        };
        let arrived = arrival(moment, answerer.and_then(|answerer| answerer.stamp));
        let heard = answerer.and_then(|answerer| self.answered(arrived, answerer));
        Ok(Reading { heard, arrived, overflowed: 0 })
    }

    fn descriptor(&self) -> RawFd {
        match &self.socket {
            Socket::Arp(arp) => arp.as_raw_fd(),
            Socket::Nd(nd) => nd.as_raw_fd(),
        }
    }
}

fn is_open(now: Instant, asked: Instant) -> bool {
    now.since(asked) <= PATIENCE
}

/// Addresses that are asked for on an interface: its next hops and the targets on its link.
const MOST_ADDRESSES: usize = 256;

/// Questions about one address that are open at once: several that watch the same gateway, each with its own pace.
const MOST_OPEN: usize = 16;

/// Who takes longer has not answered (RFC 4861 section 10 gives each solicitation 1 s).
const PATIENCE: Duration = Duration::from_secs(1);
