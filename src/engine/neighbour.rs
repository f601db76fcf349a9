//! ARP and ND: what they prove of a node that answers no INQ, and requests of our own where the kernel's would be late.

use std::net::IpAddr;
use std::time::Duration;

use super::path::{Path, PathKey, is_link_local};
use super::{Engine, Output};
use crate::interface::InterfaceIndex;
use crate::time::Instant;
use crate::wire::{LanIndex, Level, NodeId};

/// The number of slots for which a path that came up is young: its address is asked for until what we send by unicast is
/// known to arrive, and its other addresses are asked more often.
pub(super) const YOUNG: u32 = 4;

/// What is known of whether our packets reach the addresses of one path.
#[derive(Debug, Clone, Default)]
pub(super) struct Reach {
    /// The address that last answered an INQ sent to it alone, and when.
    answered: Option<(IpAddr, Instant)>,
    /// The last slot in which ARP or ND asked for an address on behalf of the kernel.
    asked_in: Option<u32>,
}

impl Reach {
    pub(super) fn on_unicast_answered(&mut self, by: IpAddr, now: Instant) {
        self.answered = Some((by, now));
    }

    /// Whether the last answer came from this very address, and not before `since`.
    pub(super) fn has_answered(&self, address: &IpAddr, since: Option<Instant>) -> bool {
        self.answered.is_some_and(|(by, at)| by == *address && Some(at) >= since)
    }

    #[cfg(test)]
    pub(super) fn disturb(
        &mut self,
        answered: Option<(IpAddr, Instant)>,
        choices: &mut super::tests::Choices,
    ) {
        choices.set(&mut self.answered, |_| answered);
        choices.set(&mut self.asked_in, |choices| Some(choices.below(1000)));
    }
}

/// Whether our kernel may still hold back what we send to an address of a path that is heard. One that counts begin again on
/// was silent too: its peer was absent. A path that is met for the first time was not, for its peer has just had an answer.
fn was_silent(path: &Path, address: &IpAddr, now: Instant, young: Duration) -> bool {
    let is_young = || path.failback.up_since().is_some_and(|up| now.since(up) < young);
    path.missed > 0
        || match path.local {
            Level::Down => true,
            Level::Unknown => path.round_trip.is_some(),
            Level::Up => !path.is_reached(address) && is_young(),
        }
}

impl Engine {
    pub(super) fn solicit(&mut self, lan: LanIndex, target: IpAddr) {
        let Some(interface) = self.lans.get(&lan).and_then(|lan| lan.running()) else { return };
        let Some(source) = self.source_towards(lan, &target) else { return };
        self.outputs.push_back(Output::Solicit { interface, source, target });
    }

    /// On a path that was silent the kernel asks for its neighbour once a second and holds back our packets meanwhile
    /// (Linux 6.18), so that a path that heals could stay dead for as long. Our own request is answered at once, and
    /// fills the tables of both ends. Once a slot, by the first that is heard; by unicast peers when nothing is.
    pub(super) fn wake_neighbour(&mut self, now: Instant, node: NodeId, key: PathKey, target: IpAddr) {
        let turn = self.turn(now, key.lan, node);
        let Some(young) = self.peer(node).map(|peer| self.pace_with(peer) * YOUNG) else { return };
        let Some(lan) = self.lans.get_mut(&key.lan) else { return };
        let path = self.peers.get_mut(&node).and_then(|peer| peer.paths.get_mut(&key));
        let Some(path) = path.filter(|path| was_silent(path, &target, now, young)) else { return };
        if path.reach.asked_in != turn && lan.solicitations.spend(now) {
            path.reach.asked_in = turn;
            path.port.ask(now);
            self.solicit(key.lan, target);
        }
    }

    /// The interface behind a path that is up again may be another one. Our kernel goes on sending to the old one for 8 s
    /// (Linux 6.18) before it asks for itself. Probes show it only who has the address that they go by: we ask for the
    /// others, and what is answered corrects its table.
    pub(super) fn confirm_neighbours(&mut self, now: Instant, node: NodeId, key: PathKey) {
        let Some(path) = self.path(node, key) else { return };
        let main = path.main_address();
        let named = path.addresses.iter().filter(|a| a.withdrawn.is_none() && Some(a.address) != main);
        let others: Vec<IpAddr> = named.map(|a| a.address).collect();
        others.into_iter().for_each(|target| self.confirm_neighbour(now, key.lan, target));
    }

    /// The same of one address.
    pub(super) fn confirm_neighbour(&mut self, now: Instant, lan: LanIndex, target: IpAddr) {
        if self.lans.get_mut(&lan).is_some_and(|lan| lan.solicitations.spend(now)) {
            self.solicit(lan, target);
        }
    }

    /// An ARP or ND request of ours was answered.
    pub(super) fn on_neighbour_answered(&mut self, now: Instant, interface: InterfaceIndex, address: IpAddr) {
        let Some(lan) =
            self.lans.iter().find(|(_, lan)| lan.running() == Some(interface)).map(|(index, _)| *index)
        else {
            return;
        };
        self.orphans.on_answer(now, address, &self.adopted);
        for peer in self.peers.values_mut() {
            let Some(key) = peer.path_by_address(lan, &address) else { continue };
            let Some(path) = peer.paths.get_mut(&key) else { continue };
            if path.port.on_answer(now) {
                path.unsolicited = 0;
            }
            if let Some(record) = path.addresses.get_mut(&address).filter(|record| record.neighbour_asked) {
                record.neighbour_asked = false;
                record.neighbour_answers = record.neighbour_answers.saturating_add(1);
            }
        }
    }

    /// Rule 8: while a node runs no faild, an address goes home when its host has answered for it s times, one an
    /// interval.
    pub(super) fn watch_neighbours(&mut self, now: Instant, lan: LanIndex) {
        let good = self.config.good.get();
        let mut home = Vec::new();
        let mut ask = Vec::new();
        for peer in self.peers.values_mut() {
            let adopted = &self.adopted;
            for (key, path) in peer.paths.iter_mut().filter(|(key, _)| key.lan == lan) {
                if !(peer.absent || path.gone) {
                    continue;
                }
                for record in path.addresses.iter_mut() {
                    if !(record.is_detoured() || adopted.contains_key(&record.address))
                        || is_link_local(&record.address)
                    {
                        continue;
                    }
                    if record.neighbour_answers >= good {
                        home.push((peer.node, *key, record.address));
                    }
                    if std::mem::replace(&mut record.neighbour_asked, true) {
                        record.neighbour_answers = 0;
                    }
                    ask.push(record.address);
                }
            }
        }
        for target in ask {
            self.solicit(lan, target);
        }
        for (node, key, address) in home {
            self.go_home_by_neighbour(now, node, key, address);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Damping;
    use crate::random::Random;

    /// The kernel knows its neighbours by address: one that is reached says nothing of another.
    #[test]
    fn a_young_path_is_silent_until_the_very_address_is_reached() {
        let (young, begun) = (Duration::from_secs(1), Instant::default());
        let (up, now) = (begun + young, begun + young * 3 / 2);
        let [address, other] = [1, 2].map(|host| IpAddr::from([10, 77, 1, host]));
        // Who was reached and when, whether the peer asks, whether it reports us up, and whether the address may be silent.
        let cases = [
            (None, false, Level::Unknown, true),
            (Some((address, up)), false, Level::Unknown, false),
            (Some((address, begun)), false, Level::Unknown, true),
            (Some((other, now)), false, Level::Unknown, true),
            (None, false, Level::Up, true),
            (None, true, Level::Up, false),
            (None, true, Level::Down, true),
        ];
        for (reached, requestor, remote, is_silent) in cases {
            let mut path = Path::new(begun, &mut Random::new([1; 32]), 0.0, &Damping::default());
            path.local = Level::Up;
            path.failback.set_up(Some(up));
            path.reach.answered = reached;
            (path.requestor, path.remote) = (requestor, remote);
            assert_eq!(
                was_silent(&path, &address, now, young),
                is_silent,
                "{reached:?} {requestor} {remote:?}"
            );
            assert!(!was_silent(&path, &address, up + young, young), "it is young no more");
        }
    }
}
