//! Overlays that were found at startup and whose address no known node has: the daemon was killed before it had saved the
//! owner, or the owner has not been heard since. ARP and ND decide, as for a node that runs no faild (rule 8). The overlay is
//! removed when its address has answered at home s times, or when its next hop has not answered for ten minutes; and at once
//! if its next hop is a live node that does not have the address.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use super::house::FORGET_AFTER;
use super::notice::{Notice, Unclaimed};
use super::peer_address::Known;
use super::{Engine, NextHop, Output, Subject, Verdict};
use crate::time::Instant;
use crate::wire::LanIndex;

/// Minimum pause between two requests for one overlay: there may be thousands, and none is urgent.
const PACE: Duration = Duration::from_secs(1);

/// What ARP and ND say of each.
#[derive(Debug, Clone, Default)]
pub(super) struct Orphans(BTreeMap<IpAddr, Orphan>);

#[derive(Debug, Clone)]
struct Orphan {
    home: Asked,
    next_hop: Asked,
    /// Answers from home in a row.
    answers: u32,
    /// When its next hop last answered, or could not be asked.
    carried: Instant,
}

#[derive(Debug, Clone, Copy, Default)]
struct Asked {
    at: Option<Instant>,
    is_open: bool,
}

impl Asked {
    /// Asks once more; true if the last question was never answered.
    fn again(&mut self, now: Instant) -> bool {
        self.at = Some(now);
        std::mem::replace(&mut self.is_open, true)
    }
}

impl Orphans {
    /// An address answered an ARP or ND request.
    pub(super) fn on_answer(&mut self, now: Instant, address: IpAddr, found: &BTreeMap<IpAddr, NextHop>) {
        for (orphan, trial) in &mut self.0 {
            if *orphan == address && std::mem::take(&mut trial.home.is_open) {
                trial.answers += 1;
            }
            let is_next_hop = found.get(orphan).is_some_and(|way| way.via == address);
            if is_next_hop && std::mem::take(&mut trial.next_hop.is_open) {
                trial.carried = now;
            }
        }
    }
}

impl Engine {
    /// Whether no known node has the address of an overlay that was found.
    pub(super) fn is_orphan(&self, now: Instant, address: &IpAddr) -> bool {
        let subject = |home| Subject { home, address: *address };
        let is_claimed = || {
            let names = |peer: &super::Peer| !peer.absent && self.names(now, peer, address);
            self.claimants_of(address).any(|node| self.peer(node).is_some_and(names))
        };
        !self.lans.values().any(|lan| self.subject_nodes.contains_key(&subject(lan.home()))) && !is_claimed()
    }

    /// An overlay that was found and leads to a node that names the address is that node's, even if the address cannot
    /// answer, as its home is dead: it was proven when the overlay was laid.
    fn claim_found(&mut self, now: Instant) {
        let bearer = |(address, way): (&IpAddr, &NextHop)| {
            let next_hop = Subject { home: way.interface.as_str().into(), address: way.via };
            let peer = self.peer(*self.subject_nodes.get(&next_hop)?)?;
            let is_new = !self.lans.keys().any(|lan| peer.has_proven(*lan, address));
            (is_new && !peer.absent && self.names(now, peer, address)).then_some((peer.node, *address))
        };
        for (node, address) in self.adopted.iter().filter_map(bearer).collect::<Vec<_>>() {
            self.note_on_its_lan(now, node, address, Known::Trusted);
            self.settle(now, node);
        }
    }

    /// Once a slot: asks on a LAN for the addresses that are at home there, and for the next hops.
    pub(super) fn watch_orphans(&mut self, now: Instant, index: LanIndex) {
        self.claim_found(now);
        let Some(lan) = self.lans.get(&index) else { return };
        let (home, runs) = (lan.home(), lan.running().is_some());
        let found: Vec<(IpAddr, NextHop)> = self
            .adopted
            .iter()
            .filter(|(address, _)| self.is_orphan(now, address))
            .map(|(address, way)| (*address, way.clone()))
            .collect();
        let is_home = |address: &IpAddr| {
            let first = self.lans.iter().find(|(_, lan)| lan.is_on_link(address));
            first.is_some_and(|(first, _)| *first == index) && !self.is_offline(index)
        };
        let found: Vec<_> = found
            .into_iter()
            .map(|(address, way)| {
                let is_astray = self.disowner(now, &way, &address).is_some();
                (address, way, runs && is_home(&address), is_astray)
            })
            .collect();
        self.orphans.0.retain(|address, _| found.iter().any(|(orphan, ..)| orphan == address));

        let pace = self.config.interval.max(PACE);
        let is_due = |asked: &Asked| asked.at.is_none_or(|at| now.since(at) >= pace);
        let (mut due, mut gone) = (Vec::new(), Vec::new());
        for (address, way, at_home, is_astray) in found {
            let orphan = self.orphans.0.entry(address).or_insert_with(|| Orphan {
                home: Asked::default(),
                next_hop: Asked::default(),
                answers: 0,
                carried: now,
            });
            let carries = way.interface == *home;
            if carries && !runs {
                orphan.carried = now;
            }
            if is_astray {
                gone.push((address, Unclaimed::NextHopDiffers));
            } else if at_home && orphan.answers >= self.config.good.get() {
                gone.push((address, Unclaimed::HomeAnswers));
            } else if carries && now.since(orphan.carried) >= FORGET_AFTER {
                gone.push((address, Unclaimed::NextHopSilent));
            } else {
                due.extend((at_home && is_due(&orphan.home)).then_some((orphan.home.at, address, address)));
                let asks_hop = carries && runs && is_due(&orphan.next_hop);
                due.extend(asks_hop.then_some((orphan.next_hop.at, address, way.via)));
            }
        }
        due.sort();
        for (_, address, target) in due {
            if !self.lans.get_mut(&index).is_some_and(|lan| lan.solicitations.spend(now)) {
                break;
            }
            if let Some(orphan) = self.orphans.0.get_mut(&address) {
                if target != address {
                    orphan.next_hop.again(now);
                } else if orphan.home.again(now) {
                    orphan.answers = 0;
                }
            }
            self.solicit(index, target);
        }
        for (address, cause) in gone {
            self.lift_orphan(address, cause);
        }
    }

    fn lift_orphan(&mut self, address: IpAddr, cause: Unclaimed) {
        let home = self.lans.values().find(|lan| lan.is_on_link(&address)).map(super::lan::Lan::home);
        let way = self.adopted.get(&address).map(|way| way.interface.as_str().into());
        let Some(home) = home.or(way) else { return };
        let interface = home.to_string();
        let subject = Subject { home, address };
        if self.leaving.insert(subject.clone()) {
            self.plan.subjects.insert(subject, Verdict::Home);
            self.outputs.push_back(Output::PlanChanged);
            self.notice(Notice::OverlayUnclaimed { address, interface, cause });
        }
    }
}
