//! Where next hops are: the hardware addresses that echoes are sent to, learned from answers to our own questions and
//! from nothing else. The kernel's neighbour table is not asked: what it has may be of another time, or of another's
//! making.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use crate::interface::{InterfaceIndex, MacAddress};
use crate::packet::Probe;
use crate::time::Instant;

/// Next hops by interface and address.
#[derive(Debug, Default)]
pub(super) struct Hops(BTreeMap<(InterfaceIndex, IpAddr), Hop>);

#[derive(Debug, Default)]
struct Hop {
    /// Where it is, and since when that is known.
    mac: Option<(MacAddress, Instant)>,
    /// When it was last asked.
    solicited: Option<Instant>,
    /// An echo was sent to it, and none has come back since.
    is_unanswered: bool,
    /// Echoes that wait for the answer, one to a target.
    waiting: Vec<(Probe, Instant)>,
    used: Instant,
}

/// What to do with an echo.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Step {
    /// Send it there; none: it waits.
    pub(super) to: Option<MacAddress>,
    /// Ask the next hop where it is.
    pub(super) solicit: bool,
    /// One that waited was given up for it.
    pub(super) dropped: bool,
}

impl Hops {
    /// An echo is to be sent.
    pub(super) fn prepare(&mut self, now: Instant, probe: &Probe) -> Step {
        let address = probe.next_hop.unwrap_or(probe.target);
        self.make_room(probe.interface, address);
        let hop = self.0.entry((probe.interface, address)).or_default();
        hop.used = now;
        let is_fresh = hop.mac.is_some_and(|(_, at)| now.since(at) < FRESH) && !hop.is_unanswered;
        let solicit = !is_fresh && hop.solicited.is_none_or(|at| now.since(at) >= PAUSE);
        if solicit {
            hop.solicited = Some(now);
        }
        let to = hop.mac.map(|(mac, _)| mac);
        hop.is_unanswered |= to.is_some();
        let dropped = to.is_none() && hop.wait(now, probe);
        Step { to, solicit, dropped }
    }

    /// A next hop has told where it is. The echoes that have waited for it, unless that is too long ago.
    pub(super) fn learn(
        &mut self,
        now: Instant,
        interface: InterfaceIndex,
        address: IpAddr,
        mac: MacAddress,
    ) -> Vec<Probe> {
        // Who is only asked by ARP or ND has no entry and needs none.
        let Some(hop) = self.0.get_mut(&(interface, address)) else { return Vec::new() };
        hop.mac = Some((mac, now));
        let waiting = std::mem::take(&mut hop.waiting).into_iter();
        waiting.filter(|(_, since)| now.since(*since) < PATIENCE).map(|(probe, _)| probe).collect()
    }

    /// An echo came back by a next hop.
    pub(super) fn on_answered(&mut self, interface: InterfaceIndex, address: IpAddr) {
        if let Some(hop) = self.0.get_mut(&(interface, address)) {
            hop.is_unanswered = false;
        }
    }

    /// Nobody on this interface is known any more.
    pub(super) fn forget(&mut self, interface: InterfaceIndex) {
        self.0.retain(|(on, _), _| *on != interface);
    }

    /// The one that was not used for longest gives way.
    fn make_room(&mut self, interface: InterfaceIndex, address: IpAddr) {
        let on_interface = || self.0.iter().filter(|((on, _), _)| *on == interface);
        if self.0.contains_key(&(interface, address)) || on_interface().count() < MOST_HOPS {
            return;
        }
        let oldest = on_interface().min_by_key(|(_, hop)| hop.used).map(|(key, _)| *key);
        oldest.map(|key| self.0.remove(&key));
    }
}

impl Hop {
    /// Puts an echo into the queue; whether another one was given up for it.
    fn wait(&mut self, now: Instant, probe: &Probe) -> bool {
        let before = self.waiting.len();
        self.waiting.retain(|(other, _)| other.target != probe.target);
        let is_full = self.waiting.len() >= MOST_WAITING;
        if is_full {
            self.waiting.remove(0);
        }
        let replaced = self.waiting.len() < before;
        self.waiting.push((probe.clone(), now));
        replaced
    }
}

/// Next hops of an interface that are known at once: sixteen gateways and as many targets on the link are plenty.
const MOST_HOPS: usize = 256;

/// Targets behind one next hop.
const MOST_WAITING: usize = 16;

/// After this time it is asked again: it may have been replaced.
const FRESH: Duration = Duration::from_secs(30);

/// Between two questions to one next hop.
const PAUSE: Duration = Duration::from_millis(200);

/// An echo that has waited longer is not sent any more: it counts as lost by then.
const PATIENCE: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Method;
    use crate::packet::ProbeId;

    const MAC: MacAddress = MacAddress([2, 0, 0, 0, 0, 9]);
    const LINK: InterfaceIndex = InterfaceIndex(3);

    #[test]
    fn an_echo_waits_until_its_next_hop_has_told_where_it_is() {
        let mut hops = Hops::default();
        assert_eq!(hops.prepare(at(0), &probe(1)), Step { to: None, solicit: true, dropped: false });
        assert_eq!(hops.prepare(at(1), &probe(2)), Step { to: None, solicit: false, dropped: false });
        assert_eq!(hops.prepare(at(201), &probe(1)), Step { to: None, solicit: true, dropped: true });
        assert_eq!(hops.learn(at(300), LINK, gateway(), MAC), [probe(2), probe(1)]);
        assert_eq!(hops.learn(at(300), LINK, gateway(), MAC), []);
        assert_eq!(hops.prepare(at(500), &probe(1)), Step { to: Some(MAC), solicit: false, dropped: false });
    }

    #[test]
    fn who_does_not_answer_and_who_has_not_been_asked_for_long_is_asked_again() {
        let mut hops = Hops::default();
        hops.prepare(at(0), &probe(1));
        hops.learn(at(1), LINK, gateway(), MAC);
        let mut solicits = |time, is_answered: bool| {
            if is_answered {
                hops.on_answered(LINK, gateway());
            }
            hops.prepare(at(time), &probe(1)).solicit
        };
        assert!(!solicits(1000, true) && solicits(1500, false) && !solicits(1600, false));
        assert!(!solicits(29_900, true) && solicits(30_100, true));
    }

    #[test]
    fn what_has_waited_too_long_is_not_sent() {
        let mut hops = Hops::default();
        hops.prepare(at(0), &probe(1));
        assert_eq!(hops.learn(at(1000), LINK, gateway(), MAC), []);
    }

    #[test]
    fn strangers_tell_nothing_and_many_have_no_room() {
        let mut hops = Hops::default();
        hops.learn(at(0), LINK, gateway(), MAC);
        assert!(hops.0.is_empty());
        for number in 0..1000_u16 {
            let [high, low] = number.to_be_bytes();
            let next_hop = Some([10, 0, high, low].into());
            hops.prepare(at(u64::from(number)), &Probe { next_hop, ..probe(1) });
        }
        assert_eq!(hops.0.len(), MOST_HOPS);
        assert!(hops.0.contains_key(&(LINK, [10, 0, 3, 231].into())));
        for target in 0..100 {
            hops.prepare(at(2000), &probe(target));
        }
        assert_eq!(hops.0[&(LINK, gateway())].waiting.len(), MOST_WAITING);
        hops.forget(LINK);
        assert!(hops.0.is_empty());
    }

    fn at(ms: u64) -> Instant {
        Instant::from_nanos(ms * 1_000_000)
    }

    fn gateway() -> IpAddr {
        [10, 0, 0, 254].into()
    }

    fn probe(target: u8) -> Probe {
        Probe {
            id: ProbeId(u64::from(target)),
            interface: LINK,
            method: Method::Echo,
            source: [10, 0, 0, 1].into(),
            target: [192, 0, 2, target].into(),
            next_hop: Some(gateway()),
            hop_limit: 64,
            sequence: 1,
        }
    }
}
