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
use crate::packet::{Probe, ProbeId};
use crate::time::Instant;

/// See the module.
#[derive(Debug)]
pub(super) struct Neighbour {
    socket: Socket,
    questions: Questions,
}

/// Open questions by address, the youngest last.
#[derive(Debug, Default)]
struct Questions(BTreeMap<IpAddr, Vec<(ProbeId, Instant)>>);

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
        Ok(Self { socket, questions: Questions::default() })
    }
}

impl Questions {
    fn note(&mut self, now: Instant, target: IpAddr, id: ProbeId) {
        if self.0.len() >= MOST_ADDRESSES && !self.0.contains_key(&target) {
            self.0.retain(|_, open| open.last().is_some_and(|(_, at)| is_open(now, *at)));
        }
        if self.0.len() >= MOST_ADDRESSES && !self.0.contains_key(&target) {
            self.0.pop_first();
        }
        let open = self.0.entry(target).or_default();
        open.retain(|(_, at)| is_open(now, *at));
        if open.len() >= MOST_OPEN {
            open.remove(0);
        }
        open.push((id, now));
    }

    /// The question that an address answers, which is open no longer.
    fn answered(&mut self, arrived: Instant, address: IpAddr) -> Option<ProbeId> {
        let open = self.0.get_mut(&address)?;
        open.retain(|(_, at)| is_open(arrived, *at));
        let (id, _) = open.pop()?;
        if open.is_empty() {
            self.0.remove(&address);
        }
        Some(id)
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
        self.questions.note(now, probe.target, probe.id);
        Ok(())
    }

    fn next_answer(&mut self, moment: Moment, buffer: &mut [u8]) -> io::Result<Reading> {
        let answerer = match &mut self.socket {
            Socket::Arp(arp) => arp.receive(buffer)?,
            Socket::Nd(nd) => nd.receive(buffer)?,
        };
        let arrived = arrival(moment, answerer.and_then(|answerer| answerer.stamp));
        let heard = answerer.and_then(|Answerer { address, mac, .. }| {
            let id = self.questions.answered(arrived, address)?;
            Some(Heard { id, from: address, hop: address, mac })
        });
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

#[cfg(test)]
mod tests {
    use super::*;

    const GATEWAY: [u8; 4] = [10, 0, 0, 1];

    #[test]
    fn an_answer_counts_once_for_the_youngest_open_question_about_its_address() {
        let mut questions = Questions::default();
        assert_eq!(questions.answered(at(0), GATEWAY.into()), None, "nobody has asked");
        questions.note(at(0), GATEWAY.into(), ProbeId(1));
        questions.note(at(900), GATEWAY.into(), ProbeId(2));
        assert_eq!(questions.answered(at(901), [10, 0, 0, 2].into()), None, "another was asked");
        assert_eq!(questions.answered(at(902), GATEWAY.into()), Some(ProbeId(2)));
        assert_eq!(questions.answered(at(1001), GATEWAY.into()), None, "too late for the first");
        assert_eq!(questions.answered(at(1002), GATEWAY.into()), None);
        questions.note(at(2000), GATEWAY.into(), ProbeId(3));
        assert_eq!(questions.answered(at(3000), GATEWAY.into()), Some(ProbeId(3)));
        for late in [3000, 3001] {
            assert_eq!(questions.answered(at(late), GATEWAY.into()), None, "once is enough");
        }
        assert!(questions.0.is_empty());
    }

    #[test]
    fn questions_that_nobody_answers_have_bounded_room() {
        let mut questions = Questions::default();
        for number in 0..1000_u16 {
            let [high, low] = number.to_be_bytes();
            questions.note(at(0), [10, 1, high, low].into(), ProbeId(u64::from(number)));
        }
        assert_eq!(questions.0.len(), MOST_ADDRESSES);
        for id in 0..100 {
            questions.note(at(1), GATEWAY.into(), ProbeId(id));
        }
        assert_eq!(questions.0[&IpAddr::from(GATEWAY)].len(), MOST_OPEN);
        for number in 0..1000_u16 {
            let [high, low] = number.to_be_bytes();
            questions.note(at(2000), [10, 2, high, low].into(), ProbeId(u64::from(number)));
        }
        assert_eq!(questions.0.len(), MOST_ADDRESSES);
        assert_eq!(questions.answered(at(2001), [10, 2, 3, 231].into()), Some(ProbeId(999)));
    }

    fn at(ms: u64) -> Instant {
        Instant::from_nanos(ms * 1_000_000)
    }
}
