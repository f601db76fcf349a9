//! Test addresses: the watch's probes bear them, nothing else does. They are /32, of scope link and without prefix route,
//! so that the kernel never chooses one as a source (Linux 6.1, 6.18). Interfaces that shall be up are set up here, too.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use ipnet::{IpNet, Ipv4Net};

use super::super::backoff::Backoff;
use super::super::lan::LanId;
use super::super::mirror::Mirror;
use super::super::notice::Notice;
use super::super::step::Batch;
use super::super::trouble::PEACE;
use super::{AddressStep, Scene};
use crate::interface::{Interface, InterfaceAddress, InterfaceIndex, InterfaceKind, LINK_SCOPE};
use crate::route::{PROTOCOL, Route};
use crate::time::Instant;

/// What was done about test addresses and interfaces that shall be up. Bounded by the plan, and by what stands.
#[derive(Debug, Clone, Default)]
pub(super) struct TestAddresses {
    made: BTreeMap<Ipv4Addr, Attempt>,
    raised: BTreeMap<LanId, (InterfaceIndex, Attempt)>,
}

/// How it goes with one of them.
#[derive(Debug, Clone, Copy, Default)]
struct Attempt {
    /// Where it is, as far as is known.
    stands_on: Option<InterfaceIndex>,
    /// This run of faild added it. If not, it was there before, and may belong to another program.
    is_made: bool,
    attempts: Backoff,
    last: Instant,
}

impl Attempt {
    /// Another program removed it. It is added again at once the first time, later after increasing pauses.
    fn undone(&mut self, now: Instant) {
        self.is_made = false;
        self.trouble(now);
        self.attempts.undone(now, 1);
    }

    /// The kernel refused it.
    fn refused(&mut self, now: Instant) {
        self.trouble(now);
        self.attempts.failed(now);
    }

    fn trouble(&mut self, now: Instant) {
        if now.since(self.last) >= PEACE {
            self.attempts.forgive();
        }
        self.last = now;
    }
}

impl TestAddresses {
    /// An interface's number is forgotten.
    pub(super) fn forget(&mut self, lan: LanId) {
        self.raised.remove(&lan);
    }

    /// When the next attempt may be made.
    pub(super) fn retries(&self) -> impl Iterator<Item = Instant> {
        let made = self.made.values().map(|attempt| attempt.attempts.not_before());
        made.chain(self.raised.values().map(|(_, attempt)| attempt.attempts.not_before()))
    }

    /// Interfaces that shall be up are set up once: who sets one down later means it.
    pub(super) fn raise(&mut self, scene: &Scene<'_>, batch: &mut Batch) {
        let up = scene.wishes.up();
        self.raised.retain(|lan, _| up.contains(lan));
        for lan in up {
            let Some(interface) = scene.lans.get(*lan).and_then(|l| scene.mirror.interface(l.index?)) else {
                continue;
            };
            let fresh = (interface.index, Attempt::default());
            let (index, attempt) = self.raised.entry(*lan).or_insert(fresh);
            if *index != interface.index {
                (*index, *attempt) = fresh;
            }
            if interface.up {
                attempt.stands_on = Some(interface.index);
            }
            if attempt.stands_on.is_none() && attempt.attempts.may_try(scene.now) && !batch.is_full() {
                batch.push(AddressStep::SetUp { interface: interface.index, lan: *lan });
            }
        }
    }

    /// Test addresses that are wanted and lacking. Returns what is to be said.
    pub(super) fn make(&mut self, scene: &Scene<'_>, batch: &mut Batch) -> Vec<Notice> {
        let mut notices = Vec::new();
        for (lan, address) in scene.wishes.tests() {
            let (lan, address) = (*lan, *address);
            let lan_up = scene.lans.get(lan).filter(|l| l.up);
            let Some(interface) = lan_up.and_then(|l| scene.mirror.interface(l.index?)) else { continue };
            let index = interface.index;
            let is_there = interface.addresses.iter().any(|a| a.address() == IpAddr::V4(address));
            let attempt = self.made.entry(address).or_default();
            if is_there {
                attempt.stands_on = Some(index);
                continue;
            }
            if attempt.stands_on.take() == Some(index) {
                attempt.undone(scene.now);
                let interface = scene.lans.name(lan).to_owned();
                let removals = attempt.attempts.failures();
                notices.push(Notice::TestAddressRemoved { interface, address, removals });
            }
            if attempt.attempts.may_try(scene.now) && !batch.is_full() {
                batch.push(AddressStep::MakeTest { interface: index, address });
            }
        }
        notices
    }

    /// Test addresses that nobody wants; at the end, all of them.
    pub(super) fn remove(&mut self, scene: &Scene<'_>, batch: &mut Batch) {
        let unwanted = self.unwanted(scene);
        self.made.retain(|address, _| {
            scene.wishes.tests().values().any(|a| a == address) || unwanted.iter().any(|(_, a)| a == address)
        });
        for (interface, address) in unwanted {
            let may_try = self.made.get(&address).is_none_or(|a| a.attempts.may_try(scene.now));
            if may_try && may_lose(scene, interface, address) && !batch.is_full() {
                batch.push(AddressStep::RemoveTest { interface, address });
            }
        }
    }

    fn unwanted(&self, scene: &Scene<'_>) -> Vec<(InterfaceIndex, Ipv4Addr)> {
        let is_wanted = |interface: &Interface, address: Ipv4Addr| {
            let mut wanted = scene.wishes.tests().iter();
            !scene.stopping
                && wanted.any(|(lan, a)| *a == address && scene.lans.index(*lan) == Some(interface.index))
        };
        let all = self.on_interfaces(scene.mirror);
        all.filter(|(i, a)| !is_wanted(i, *a)).map(|(i, a)| (i.index, a)).collect()
    }

    /// By the mark, or by memory: kernels before 5.18 do not keep the mark.
    pub(super) fn on_interfaces<'m>(
        &self,
        mirror: &'m Mirror,
    ) -> impl Iterator<Item = (&'m Interface, Ipv4Addr)> {
        let others = mirror.interfaces().filter(|i| i.kind != InterfaceKind::Loopback);
        others.flat_map(move |interface| {
            interface.addresses.iter().filter_map(move |a| {
                let IpAddr::V4(address) = a.address() else { return None };
                let made = self.made.get(&address);
                let is_made = a.scope == LINK_SCOPE
                    && made.is_some_and(|m| m.is_made && m.stands_on == Some(interface.index));
                let is_ours = a.prefix.prefix_len() == 32 && (a.protocol == PROTOCOL || is_made);
                is_ours.then_some((interface, address))
            })
        })
    }

    pub(super) fn on_made(&mut self, interface: InterfaceIndex, address: Ipv4Addr) {
        let attempt = self.made.entry(address).or_default();
        (attempt.stands_on, attempt.is_made) = (Some(interface), true);
    }

    pub(super) fn on_removed(&mut self, address: Ipv4Addr) {
        self.made.remove(&address);
    }

    pub(super) fn on_refused(&mut self, now: Instant, address: Ipv4Addr) {
        self.made.entry(address).or_default().refused(now);
    }

    pub(super) fn on_set_up(&mut self, interface: InterfaceIndex, lan: LanId) {
        let done = Attempt { stands_on: Some(interface), ..Attempt::default() };
        self.raised.insert(lan, (interface, done));
    }

    pub(super) fn on_set_up_refused(&mut self, now: Instant, lan: LanId) {
        if let Some((_, attempt)) = self.raised.get_mut(&lan) {
            attempt.refused(now);
        }
    }
}

/// The last IPv4 address of an interface takes every route over it along, silently.
fn may_lose(scene: &Scene<'_>, index: InterfaceIndex, address: Ipv4Addr) -> bool {
    let Some(interface) = scene.mirror.interface(index) else { return true };
    let is_other = |a: &InterfaceAddress| a.address().is_ipv4() && a.address() != IpAddr::V4(address);
    let uses = |r: &Route| r.legs.iter().any(|leg| leg.interface == index);
    let is_used = || scene.mirror.routes().iter().any(|r| r.key.destination.addr().is_ipv4() && uses(r));
    let is_seen = scene.lans.at(index).and_then(|id| scene.lans.get(id)).is_some_and(|lan| lan.is_seen());
    interface.addresses.iter().any(is_other) || (is_seen && !is_used())
}

/// A test address as it stands on an interface.
pub(super) fn test_address(address: Ipv4Addr) -> InterfaceAddress {
    InterfaceAddress {
        protocol: PROTOCOL,
        scope: LINK_SCOPE,
        no_prefix_route: true,
        ..InterfaceAddress::new(IpNet::V4(Ipv4Net::from(address)))
    }
}
