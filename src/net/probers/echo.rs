//! ICMP and ICMPv6 echo by packet sockets: both ways past the routing table, reverse path filters and policy rules.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::IpAddr;
use std::os::fd::{AsRawFd, RawFd};

use socket2::SockFilter;

use super::prober::{Heard, Prober, Reading, arrival};
use crate::interface::{Family, InterfaceIndex, MacAddress};
use crate::net::Moment;
use crate::net::packet::bpf::{LOAD_BYTE, LOAD_HALF_WORD, LOAD_HALF_WORD_BEHIND, LOAD_HEADER_LENGTH};
use crate::net::packet::bpf::{Test, all};
use crate::net::packet::{IPV4, IPV6, PacketSocket};
use crate::packet::{Probe, ProbeId};
use crate::time::Instant;
use crate::wire::echo::{self, REPLY_V4, REPLY_V6};

/// See the module.
#[derive(Debug)]
pub(super) struct Echo {
    socket: PacketSocket,
    identifier: u16,
    /// What was asked and may be answered.
    asked: BTreeMap<ProbeId, Asked>,
    /// In which order; those that were answered are still in here.
    order: VecDeque<ProbeId>,
}

#[derive(Debug, Clone, Copy)]
struct Asked {
    source: IpAddr,
    target: IpAddr,
    hop: IpAddr,
    sequence: u16,
}

impl Echo {
    /// Opens the socket of an interface and family, which echo replies to `identifier` come to and nothing else.
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub(super) fn open(interface: InterfaceIndex, family: Family, identifier: u16) -> io::Result<Self> {
        let socket = match family {
            Family::V4 => PacketSocket::open(interface, IPV4, &replies_v4(identifier))?,
            Family::V6 => PacketSocket::open(interface, IPV6, &replies_v6(identifier))?,
        };
        Ok(Self { socket, identifier, asked: BTreeMap::new(), order: VecDeque::new() })
    }

    fn note(&mut self, id: ProbeId, asked: Asked) {
        if self.order.len() >= MOST_ASKED
            && let Some(oldest) = self.order.pop_front()
        {
            self.asked.remove(&oldest);
        }
        self.order.push_back(id);
        self.asked.insert(id, asked);
    }

    /// Which probe a reply belongs to: one that we sent to who replies. A group is answered by many.
    fn answered(&mut self, reply: &echo::Echo) -> Option<Heard> {
        let id = ProbeId(reply.token);
        let asked = *self.asked.get(&id)?;
        let is_group = asked.target.is_multicast();
        let is_from_target = reply.source == asked.target || is_group;
        let is_ours = (reply.identifier, reply.sequence) == (self.identifier, asked.sequence);
        if !is_ours || reply.destination != asked.source || !is_from_target {
            return None;
        }
        if !is_group {
            self.asked.remove(&id);
        }
        Some(Heard { id, from: reply.source, hop: asked.hop, mac: None })
    }
}

impl Prober for Echo {
    fn send(&mut self, _: Instant, probe: &Probe, to: Option<MacAddress>) -> io::Result<()> {
        let echo = echo::Echo {
            source: probe.source,
            destination: probe.target,
            hop_limit: probe.hop_limit,
            identifier: self.identifier,
            sequence: probe.sequence,
            token: probe.id.0,
        };
        self.socket.send(&echo.encode().ok_or(io::ErrorKind::InvalidInput)?, to)?;
        let hop = probe.next_hop.unwrap_or(probe.target);
        self.note(
            probe.id,
            Asked { source: probe.source, target: probe.target, hop, sequence: probe.sequence },
        );
        Ok(())
    }

    fn next_answer(&mut self, moment: Moment, buffer: &mut [u8]) -> io::Result<Reading> {
        let frame = self.socket.receive(buffer)?;
        let reply = buffer.get(..frame.length).and_then(echo::Echo::decode_reply);
        Ok(Reading {
            heard: reply.and_then(|reply| self.answered(&reply)),
            arrived: arrival(moment, frame.stamp),
            overflowed: frame.overflowed,
        })
    }

    fn descriptor(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}

/// Whole ICMP packets, type and code of a reply, our identifier.
fn replies_v4(identifier: u16) -> Vec<SockFilter> {
    let tests = [
        Test::for_us(),
        Test::equal(LOAD_BYTE, 9, 1),
        Test::clear(LOAD_HALF_WORD, 6, 0x3fff),
        Test::equal(LOAD_HALF_WORD_BEHIND, 0, u32::from(REPLY_V4) << 8),
        Test::equal(LOAD_HALF_WORD_BEHIND, 4, u32::from(identifier)),
    ];
    all(Some((LOAD_HEADER_LENGTH, 0)), &tests)
}

/// As for IPv4; a fragment has another next header.
fn replies_v6(identifier: u16) -> Vec<SockFilter> {
    let tests = [
        Test::for_us(),
        Test::equal(LOAD_BYTE, 6, 58),
        Test::equal(LOAD_HALF_WORD, 40, u32::from(REPLY_V6) << 8),
        Test::equal(LOAD_HALF_WORD, 44, u32::from(identifier)),
    ];
    all(None, &tests)
}

/// Echoes of an interface that are known: some seconds' worth of sixteen targets of sixteen next hops.
const MOST_ASKED: usize = 1024;
