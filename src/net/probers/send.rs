//! How a probe goes out: by ARP or ND at once, as an echo when its next hop has told where it is.

use std::io;
use std::net::IpAddr;

use log::{debug, trace, warn};

use super::super::key::Key;
use super::Probers;
use super::hops::Step;
use super::prober::RESOLVING;
use crate::config::Method;
use crate::interface::{Family, MacAddress};
use crate::packet::Probe;
use crate::time::Instant;

impl Probers {
    /// Sends a probe, at once or as soon as its next hop has told where it is. A failure is counted, told once and
    /// otherwise a loss like any other.
    pub fn send(&mut self, now: Instant, probe: &Probe) {
        let key = match probe.method {
            Method::Echo => Key::echo(probe.interface, Family::of(&probe.target)),
            // INQ is the engine's.
            Method::Neighbour | Method::Peer => Key::neighbour(probe.interface, Family::of(&probe.target)),
        };
        match self.try_send(now, key, probe) {
            Ok(()) => {}
            Err(error) => self.on_send_failed(key, &probe.target, &error),
        }
    }

    fn try_send(&mut self, now: Instant, key: Key, probe: &Probe) -> io::Result<()> {
        let endpoint = self.endpoints.get(&probe.interface).ok_or(io::ErrorKind::NotConnected)?;
        if self.own.contains(&probe.target) || !self.own.contains(&probe.source) {
            return Err(io::ErrorKind::AddrNotAvailable.into());
        }
        match (probe.method, endpoint.mac) {
            (Method::Peer, _) => Err(io::ErrorKind::InvalidInput.into()),
            (Method::Neighbour, _) | (Method::Echo, None) => self.transmit(now, key, probe, None),
            (Method::Echo, Some(_)) => self.send_to_hop(now, key, probe),
        }
    }

    fn send_to_hop(&mut self, now: Instant, key: Key, probe: &Probe) -> io::Result<()> {
        if let Some(mac) = group_mac(probe) {
            return self.transmit(now, key, probe, Some(mac));
        }
        let Step { to, solicit, dropped } = self.hops.prepare(now, probe);
        self.counters.unresolved += u64::from(dropped);
        if solicit {
            self.solicit(now, probe);
        }
        to.map_or(Ok(()), |mac| self.transmit(now, key, probe, Some(mac)))
    }

    /// Asks where the next hop of an echo is.
    fn solicit(&mut self, now: Instant, probe: &Probe) {
        let hop = probe.next_hop.unwrap_or(probe.target);
        let key = Key::neighbour(probe.interface, Family::of(&hop));
        let link_local = self.endpoints.get(&probe.interface).and_then(|endpoint| endpoint.link_local);
        let source = link_local.map(IpAddr::V6).filter(|_| hop.is_ipv6()).unwrap_or(probe.source);
        let question = Probe {
            id: RESOLVING,
            method: Method::Neighbour,
            source,
            target: hop,
            next_hop: None,
            ..probe.clone()
        };
        if let Err(error) = self.transmit(now, key, &question, None) {
            self.on_send_failed(key, &hop, &error);
        }
    }

    fn transmit(&mut self, now: Instant, key: Key, probe: &Probe, to: Option<MacAddress>) -> io::Result<()> {
        if !self.open.contains_key(&key) {
            self.open_socket(key)?;
        }
        let prober = self.open.get_mut(&key).ok_or(io::ErrorKind::NotConnected)?;
        prober.send(now, probe, to)?;
        if probe.id != RESOLVING {
            self.counters.sent += 1;
        }
        trace!("probe-sent {} target={} sequence={}", self.words(key), probe.target, probe.sequence);
        Ok(())
    }

    /// Told at debug, but that no socket can be had at all: the watch tells what follows from silence.
    fn on_send_failed(&mut self, key: Key, target: &IpAddr, error: &io::Error) {
        self.counters.refused += 1;
        if !self.troubles.is_new(key, &format!("send: {error}")) {
            return;
        }
        let words = self.words(key);
        if error.kind() == io::ErrorKind::PermissionDenied {
            warn!("send-failed {words} target={target} error=\"{error}\" will-retry=yes");
        } else {
            debug!("send-failed {words} target={target} error=\"{error}\" will-retry=yes");
        }
    }
}

/// The hardware address of the group that a probe goes to (RFC 1112 section 6.4, RFC 2464 section 7).
fn group_mac(probe: &Probe) -> Option<MacAddress> {
    if !probe.target.is_multicast() || probe.next_hop.is_some() {
        return None;
    }
    Some(MacAddress(match probe.target {
        IpAddr::V4(group) => {
            let [_, b, c, d] = group.octets();
            [0x01, 0x00, 0x5e, b & 0x7f, c, d]
        }
        IpAddr::V6(group) => {
            let [.., a, b, c, d] = group.octets();
            [0x33, 0x33, a, b, c, d]
        }
    }))
}
