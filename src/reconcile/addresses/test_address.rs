//! Test addresses: the watch's probes bear them, nothing else does. They are /32, of scope link and without prefix route,
//! so that the kernel never chooses one as a source (Linux 6.1, 6.18). Interfaces that shall be up are set up here, too.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use ipnet::{IpNet, Ipv4Net};

use super::super::Reconciler;
use super::super::backoff::Backoff;
use super::super::input::Dump;
use super::super::lan::LanId;
use super::super::notice::Notice;
use super::super::step::{AddressStep, Batch, Step};
use super::super::trouble::PEACE;
use crate::interface::{Interface, InterfaceAddress, InterfaceIndex, InterfaceKind, LINK_SCOPE};
use crate::route::PROTOCOL;
use crate::time::Instant;

/// What was done about test addresses and interfaces that shall be up. Bounded by the plan, and by what stands.
#[derive(Debug, Clone, Default)]
pub(in crate::reconcile) struct TestAddresses {
    made: BTreeMap<Ipv4Addr, Attempt>,
    raised: BTreeMap<LanId, (InterfaceIndex, Attempt)>,
}

/// How it goes with one of them.
#[derive(Debug, Clone, Copy, Default)]
struct Attempt {
    /// Where it is, as far as is known.
    stands_on: Option<InterfaceIndex>,
    /// This run has made it; else it was there before, and may be somebody else's.
    is_made: bool,
    attempts: Backoff,
    last: Instant,
}

impl Attempt {
    /// Somebody undid it: it is done again at once the first time, then after longer and longer pauses.
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
    pub(in crate::reconcile) fn forget(&mut self, lan: LanId) {
        self.raised.remove(&lan);
    }

    /// When the next attempt may be made.
    pub(in crate::reconcile) fn next(&self) -> impl Iterator<Item = Instant> {
        let made = self.made.values().map(|attempt| attempt.attempts.not_before());
        made.chain(self.raised.values().map(|(_, attempt)| attempt.attempts.not_before()))
    }
}

impl Reconciler {
    /// Interfaces that shall be up are set up once: who sets one down later means it.
    pub(in crate::reconcile) fn raise_interfaces(&mut self, now: Instant, batch: &mut Batch) {
        let up = self.wishes.up();
        self.tests.raised.retain(|lan, _| up.contains(lan));
        for lan in up {
            let Some(interface) = self.lans.get(*lan).and_then(|l| self.mirror.interface(l.index?)) else {
                continue;
            };
            let fresh = (interface.index, Attempt::default());
            let (index, attempt) = self.tests.raised.entry(*lan).or_insert(fresh);
            if *index != interface.index {
                (*index, *attempt) = fresh;
            }
            if interface.up {
                attempt.stands_on = Some(interface.index);
            }
            if attempt.stands_on.is_none() && attempt.attempts.may_try(now) && !batch.is_full() {
                let step = AddressStep::SetUp { interface: interface.index, lan: *lan };
                batch.push(Step::Address(step));
            }
        }
    }

    /// Test addresses that are wanted and lacking.
    pub(in crate::reconcile) fn make_tests(&mut self, now: Instant, batch: &mut Batch) {
        for (lan, address) in self.wishes.tests().clone() {
            let Some(interface) =
                self.lans.get(lan).filter(|l| l.up).and_then(|l| self.mirror.interface(l.index?))
            else {
                continue;
            };
            let index = interface.index;
            let is_there = interface.addresses.iter().any(|a| a.address() == IpAddr::V4(address));
            let attempt = self.tests.made.entry(address).or_default();
            if is_there {
                attempt.stands_on = Some(index);
                continue;
            }
            if attempt.stands_on.take() == Some(index) {
                attempt.undone(now);
                let (interface, removals) = (self.lans.name(lan).to_owned(), attempt.attempts.failures());
                self.notice(Notice::TestAddressRemoved { interface, address, removals });
            }
            let may_try = self.tests.made.get(&address).is_none_or(|a| a.attempts.may_try(now));
            if may_try && !batch.is_full() {
                batch.push(Step::Address(AddressStep::MakeTest { interface: index, address }));
            }
        }
    }

    /// Test addresses that nobody wants; at the end, all of them.
    pub(in crate::reconcile) fn remove_tests(&mut self, now: Instant, batch: &mut Batch) {
        let unwanted = self.unwanted_tests();
        let wishes = &self.wishes;
        self.tests.made.retain(|address, _| {
            wishes.tests().values().any(|a| a == address) || unwanted.iter().any(|(_, a)| a == address)
        });
        for (interface, address) in unwanted {
            let may_try = self.tests.made.get(&address).is_none_or(|a| a.attempts.may_try(now));
            if may_try && self.may_lose(interface, address) && !batch.is_full() {
                batch.push(Step::Address(AddressStep::RemoveTest { interface, address }));
            }
        }
    }

    fn unwanted_tests(&self) -> Vec<(InterfaceIndex, Ipv4Addr)> {
        let is_wanted = |interface: &Interface, address: Ipv4Addr| {
            let mut wanted = self.wishes.tests().iter();
            !self.stopping
                && wanted.any(|(lan, a)| *a == address && self.lans.index(*lan) == Some(interface.index))
        };
        self.tests_on_interfaces().filter(|(i, a)| !is_wanted(i, *a)).map(|(i, a)| (i.index, a)).collect()
    }

    /// By the mark, or by memory: kernels before 5.18 do not keep the mark.
    fn tests_on_interfaces(&self) -> impl Iterator<Item = (&Interface, Ipv4Addr)> {
        let others = self.mirror.interfaces().filter(|i| i.kind != InterfaceKind::Loopback);
        others.flat_map(move |interface| {
            interface.addresses.iter().filter_map(move |a| {
                let IpAddr::V4(address) = a.address() else { return None };
                let made = self.tests.made.get(&address);
                let is_made = a.scope == LINK_SCOPE
                    && made.is_some_and(|m| m.is_made && m.stands_on == Some(interface.index));
                let is_ours = a.prefix.prefix_len() == 32 && (a.protocol == PROTOCOL || is_made);
                is_ours.then_some((interface, address))
            })
        })
    }

    /// The last IPv4 address of an interface takes every route over it along, silently.
    fn may_lose(&self, index: InterfaceIndex, address: Ipv4Addr) -> bool {
        let Some(interface) = self.mirror.interface(index) else { return true };
        let is_other = |a: &InterfaceAddress| a.address().is_ipv4() && a.address() != IpAddr::V4(address);
        let uses = |r: &crate::route::Route| r.legs.iter().any(|leg| leg.interface == index);
        let is_used = || self.mirror.routes().iter().any(|r| r.key.destination.addr().is_ipv4() && uses(r));
        let is_seen = self.lans.at(index).and_then(|id| self.lans.get(id)).is_some_and(|lan| lan.is_seen());
        interface.addresses.iter().any(is_other) || (is_seen && !is_used())
    }

    pub(in crate::reconcile) fn on_test_made(&mut self, interface: InterfaceIndex, address: Ipv4Addr) {
        let attempt = self.tests.made.entry(address).or_default();
        (attempt.stands_on, attempt.is_made) = (Some(interface), true);
        self.load_address(interface, test_address(address));
    }

    pub(in crate::reconcile) fn on_test_removed(&mut self, interface: InterfaceIndex, address: Ipv4Addr) {
        self.tests.made.remove(&address);
        self.mirror.unload_address(interface, &test_address(address).prefix);
    }

    pub(in crate::reconcile) fn on_test_refused(&mut self, now: Instant, address: Ipv4Addr) {
        self.tests.made.entry(address).or_default().refused(now);
    }

    pub(in crate::reconcile) fn on_set_up(&mut self, interface: InterfaceIndex, lan: LanId) {
        let done = Attempt { stands_on: Some(interface), ..Attempt::default() };
        self.tests.raised.insert(lan, (interface, done));
        self.dumps.want(Dump::Interfaces);
    }

    pub(in crate::reconcile) fn on_set_up_refused(&mut self, now: Instant, lan: LanId) {
        if let Some((_, attempt)) = self.tests.raised.get_mut(&lan) {
            attempt.refused(now);
        }
    }

    /// The test addresses that stand, with the names of their interfaces.
    pub(in crate::reconcile) fn standing_tests(&self) -> Vec<(Ipv4Addr, String)> {
        self.tests_on_interfaces().map(|(interface, address)| (address, interface.name.clone())).collect()
    }
}

/// A test address as it stands on an interface.
pub(in crate::reconcile) fn test_address(address: Ipv4Addr) -> InterfaceAddress {
    InterfaceAddress {
        protocol: PROTOCOL,
        scope: LINK_SCOPE,
        no_prefix_route: true,
        ..InterfaceAddress::new(IpNet::V4(Ipv4Net::from(address)))
    }
}
