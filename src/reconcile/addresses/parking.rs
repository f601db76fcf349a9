//! Addresses of interfaces that fell. An IPv6 address dies with its interface going down, any address with its
//! deletion; sessions that go by a detour need it still. So it waits on `lo`, marked as ours, until it is back. Static
//! IPv6 addresses have nobody to bring them back but the program that set them once: that is done here as well.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;
use nix::errno::Errno;

use super::super::Reconciler;
use super::super::backoff::Backoff;
use super::super::diff::is_routable;
use super::super::input::Dump;
use super::super::lan::{Lan, LanId, Stance, is_global};
use super::super::lans::Lans;
use super::super::mirror::Mirror;
use super::super::notice::Notice;
use super::super::originals::PUT_BACK_PAUSE;
use super::super::step::{AddressStep, Batch, Step};
use crate::interface::{Family, Interface, InterfaceAddress, InterfaceIndex, InterfaceKind};
use crate::operation::Refusal;
use crate::route::PROTOCOL;
use crate::time::Instant;

/// How often routes and addresses that do not come back are looked at, to give them up in the end.
const REVIEW: Duration = Duration::from_secs(60);

/// When there is something to do about addresses, and what was refused.
#[derive(Debug, Clone, Default)]
pub(in crate::reconcile) struct WaitingAddresses {
    due: bool,
    routes_due: bool,
    next: Option<Instant>,
    refused: BTreeMap<IpAddr, Backoff>,
    /// Which interface had an address again, for the log.
    returned: BTreeMap<IpAddr, LanId>,
    /// Addresses that were laid in this run: kernels before 5.18 do not keep the mark.
    laid: BTreeMap<IpAddr, LanId>,
}

impl WaitingAddresses {
    /// Something changed that addresses or routes to be put back may depend on.
    pub(in crate::reconcile) fn recheck(&mut self) {
        self.due = true;
        self.routes_due = true;
    }

    pub(in crate::reconcile) fn is_due(&mut self, now: Instant) -> bool {
        if self.next.is_some_and(|at| at <= now) {
            self.recheck();
        }
        std::mem::take(&mut self.due)
    }

    pub(in crate::reconcile) fn takes_routes(&mut self) -> bool {
        std::mem::take(&mut self.routes_due)
    }

    /// Whether addresses are to be parked as soon as the journal is written.
    pub(in crate::reconcile) const fn is_held(&self) -> bool {
        self.due
    }

    /// When time alone will give something to do.
    pub(in crate::reconcile) fn next(&self) -> Option<Instant> {
        self.next
    }

    pub(in crate::reconcile) fn returned(&mut self, lan: LanId, address: IpAddr) {
        self.returned.insert(address, lan);
    }

    /// The LANs that are remembered here.
    pub(in crate::reconcile) fn lans(&self) -> impl Iterator<Item = LanId> {
        self.returned.values().chain(self.laid.values()).copied()
    }

    fn may_try(&self, now: Instant, address: &IpAddr) -> bool {
        self.refused.get(address).is_none_or(|attempts| attempts.may_try(now))
    }

    fn refuse(&mut self, now: Instant, address: IpAddr) {
        self.refused.entry(address).or_default().failed(now);
    }
}

impl Reconciler {
    /// What is to be done about addresses.
    pub(in crate::reconcile) fn address_tasks(&mut self, now: Instant, batch: &mut Batch) {
        if !self.is_behind {
            self.put_back_addresses(now, batch);
        }
        self.raise_interfaces(now, batch);
        self.make_tests(now, batch);
        self.remove_tests(now, batch);
        if let Some(lo) = loopback(&self.mirror).cloned() {
            // An address that the journal does not know of would be lost by a crash at the wrong moment: without it
            // nothing is parked and nothing removed.
            if self.keeping.is_current() {
                self.lay_addresses(now, lo.index, batch);
                self.lift_addresses(now, &lo, batch);
            } else if self.keeping.is_pending() {
                let mut parked = Batch::default();
                self.lay_addresses(now, lo.index, &mut parked);
                self.waiting.due |= !parked.is_empty();
            }
        }
        self.waiting.next = self.next_review(now);
    }

    /// Those that sessions over a detour need.
    fn lay_addresses(&mut self, now: Instant, lo: InterfaceIndex, batch: &mut Batch) {
        for (id, lan) in self.lans.iter() {
            for lost in lan.absent().filter(|a| is_global(a)) {
                let address = lost.address();
                let detoured = lan.stance(Family::of(&address)) == Stance::Detoured;
                let needed = detoured && !self.mirror.is_local(&address) && is_routable(&address);
                if needed && self.waiting.may_try(now, &address) && !batch.is_full() {
                    batch.push(Step::Address(AddressStep::Park { lo, address: on_lo(lost), lan: id }));
                }
            }
        }
    }

    /// Those that another interface has again, or that nobody waits for any more.
    fn lift_addresses(&mut self, now: Instant, lo: &Interface, batch: &mut Batch) {
        let mut forgotten = Vec::new();
        for waiting in lo.addresses.iter().filter(|a| self.is_waiting(a)) {
            let address = waiting.address();
            let elsewhere = is_elsewhere(&self.mirror, lo.index, &address);
            let owner = owner(&self.lans, &address);
            let given_up = match owner.and_then(|id| self.lans.get(id)) {
                // It comes back by us, be it late: the daemon may have been stopped, or have news to read first.
                Some(lan) if self.is_to_be_put_back(lan, &address) => false,
                Some(lan) => match lan.stance(Family::of(&address)) {
                    // Home works without it: it has been changed, and is not coming back.
                    Stance::Home => lan.is_settled(now, 2 * PUT_BACK_PAUSE),
                    // A peer that is away for good may leave it open for ever whether home works.
                    Stance::Unclear => lan.is_settled(now, REVIEW),
                    Stance::Detoured => false,
                },
                None => self.waiting.laid.contains_key(&address),
            };
            if (elsewhere || given_up) && self.waiting.may_try(now, &address) && !batch.is_full() {
                let step = AddressStep::Unpark { lo: lo.index, address: waiting.clone() };
                batch.push(Step::Address(step));
                forgotten.extend(owner.filter(|_| !elsewhere).map(|id| (id, address)));
            }
        }
        for (id, address) in forgotten {
            if let Some(lan) = self.lans.get_mut(id) {
                lan.forget(&address);
                self.keeping.touch_interfaces();
            }
        }
    }

    /// Static IPv6 addresses whose interface is up again; not those that another interface has taken along.
    fn put_back_addresses(&mut self, now: Instant, batch: &mut Batch) {
        for (id, lan) in
            self.lans.iter().filter(|(_, lan)| lan.is_seen() && lan.is_settled(now, PUT_BACK_PAUSE))
        {
            let Some(interface) = lan.index else { continue };
            for address in lan.absent().filter(|a| is_static_v6(a)) {
                let is_lost = !self.is_taken_along(interface, address);
                if is_lost && self.waiting.may_try(now, &address.address()) && !batch.is_full() {
                    let address = InterfaceAddress { tentative: false, ..address.clone() };
                    batch.push(Step::Address(AddressStep::PutBack { interface, address, lan: id }));
                }
            }
        }
    }

    /// Whether another interface has an address of this one, as one that was renamed has taken it along.
    fn is_taken_along(&self, from: InterfaceIndex, address: &InterfaceAddress) -> bool {
        let is_it = |a: &InterfaceAddress| a.prefix == address.prefix && !self.is_waiting(a);
        let mut others = self.mirror.interfaces().filter(|other| other.index != from);
        others.any(|other| other.addresses.iter().any(is_it))
    }

    /// Whether an address is one that we put back as soon as its interface is up, and was not refused yet.
    fn is_to_be_put_back(&self, lan: &Lan, address: &IpAddr) -> bool {
        let mut lost = lan.absent().filter(|a| a.address() == *address && is_static_v6(a));
        let is_lost = |index| lost.any(|a| !self.is_taken_along(index, a));
        lan.is_seen() && !self.waiting.refused.contains_key(address) && lan.index.is_some_and(is_lost)
    }

    /// No listing will show as a change what an operation of ours did: it is what a refused overlay may have lacked.
    pub(in crate::reconcile) fn on_addresses_changed(&mut self) {
        self.waiting.recheck();
        self.keeping.touch_interfaces();
        self.troubles.links_changed();
    }

    pub(in crate::reconcile) fn on_address_done(&mut self, step: AddressStep) {
        match step {
            AddressStep::Park { lo, address: on_lo, lan } => {
                let address = on_lo.address();
                self.load_address(lo, on_lo);
                self.waiting.refused.remove(&address);
                self.waiting.laid.insert(address, lan);
                let interface = self.lans.name(lan).to_owned();
                self.notice(Notice::AddressWaits { interface, address });
                self.mark_all();
            }
            AddressStep::PutBack { interface, address: added, lan } => {
                let (address, prefix) = (added.address(), added.prefix);
                self.load_address(interface, added);
                self.waiting.refused.remove(&address);
                self.waiting.returned.insert(address, lan);
                if let Some(lan) = self.lans.get_mut(lan) {
                    lan.restored(&address);
                }
                let interface = self.lans.name(lan).to_owned();
                self.notice(Notice::AddressPutBack { interface, address: prefix });
                self.mark_all();
            }
            AddressStep::Unpark { lo, address } => self.on_address_lifted(lo, &address),
            AddressStep::MakeTest { interface, address } => self.on_test_made(interface, address),
            AddressStep::RemoveTest { interface, address } => self.on_test_removed(interface, address),
            AddressStep::SetUp { interface, lan } => self.on_set_up(interface, lan),
        }
    }

    fn on_address_lifted(&mut self, lo: InterfaceIndex, on_lo: &InterfaceAddress) {
        let address = on_lo.address();
        self.mirror.unload_address(lo, &on_lo.prefix);
        self.waiting.refused.remove(&address);
        self.waiting.laid.remove(&address);
        let returned = self.waiting.returned.remove(&address);
        let back = returned.filter(|_| self.mirror.is_local(&address));
        let interface = back.map(|id| self.lans.name(id).to_owned());
        self.notice(Notice::AddressReturned { interface, address });
        self.mark_all();
    }

    pub(in crate::reconcile) fn on_address_refused(
        &mut self,
        now: Instant,
        step: &AddressStep,
        refusal: Refusal,
    ) {
        let errno = Errno::from_raw(refusal.errno);
        self.dumps.want(Dump::Interfaces);
        match step {
            AddressStep::Park { address, .. } | AddressStep::PutBack { address, .. } => {
                self.waiting.refuse(now, address.address());
            }
            AddressStep::Unpark { lo, address } => {
                self.waiting.refuse(now, address.address());
                if matches!(errno, Errno::EADDRNOTAVAIL | Errno::ENODEV) {
                    return self.on_address_lifted(*lo, address);
                }
            }
            AddressStep::MakeTest { address, .. } => self.on_test_refused(now, *address),
            AddressStep::RemoveTest { interface, address } => {
                if matches!(errno, Errno::EADDRNOTAVAIL | Errno::ENODEV) {
                    return self.on_test_removed(*interface, *address);
                }
                self.on_test_refused(now, *address);
            }
            AddressStep::SetUp { lan, .. } => self.on_set_up_refused(now, *lan),
        }
        let is_test = matches!(step, AddressStep::MakeTest { .. } | AddressStep::SetUp { .. });
        let is_unavailable = is_test && errno == Errno::EADDRNOTAVAIL;
        if !is_unavailable && !matches!(errno, Errno::EEXIST | Errno::ENODEV) {
            self.report_refused(&step.operation(), refusal);
        }
    }

    pub(in crate::reconcile) fn load_address(
        &mut self,
        interface: InterfaceIndex,
        address: InterfaceAddress,
    ) {
        self.mirror.load_address(interface, address);
    }

    /// Nobody waits for an address any more: if it waits on `lo` it is lifted from there.
    pub(in crate::reconcile) fn give_up_address(&mut self, lan: LanId, address: IpAddr) {
        let is_ours = |a: &&InterfaceAddress| a.address() == address && self.is_waiting(a);
        let waits = loopback(&self.mirror).is_some_and(|lo| lo.addresses.iter().any(|a| is_ours(&a)));
        if let Some(state) = self.lans.get_mut(lan) {
            state.forget(&address);
            self.keeping.touch_interfaces();
        }
        if waits {
            self.waiting.laid.insert(address, lan);
        }
    }

    /// Whether an address of `lo` is one that faild laid there.
    pub(in crate::reconcile) fn is_waiting(&self, address: &InterfaceAddress) -> bool {
        address.protocol == PROTOCOL || self.waiting.laid.contains_key(&address.address())
    }

    fn next_review(&self, now: Instant) -> Option<Instant> {
        let lans = || self.lans.iter().filter(|(_, lan)| lan.up && lan.absent().next().is_some());
        let pauses = [PUT_BACK_PAUSE, 2 * PUT_BACK_PAUSE, REVIEW];
        let settled = lans().flat_map(|(_, lan)| pauses.map(|pause| lan.settled_since + pause));
        let retries = self.waiting.refused.values().map(Backoff::not_before);
        let routes = self.originals.next_due(now, &self.lans);
        let review =
            (lans().next().is_some() || self.originals.groups().next().is_some()).then(|| now + REVIEW);
        let tests = self.tests.next();
        settled.chain(retries).chain(routes).chain(review).chain(tests).filter(|at| *at > now).min()
    }
}

/// An address as it waits. One that is the source of nothing new does not become one there.
fn on_lo(lost: &InterfaceAddress) -> InterfaceAddress {
    InterfaceAddress {
        protocol: PROTOCOL,
        deprecated: lost.deprecated,
        no_prefix_route: true,
        scope: 0,
        ..InterfaceAddress::new(IpNet::from(lost.address()))
    }
}

fn is_static_v6(address: &InterfaceAddress) -> bool {
    let by_kernel = (KERNEL_LOOPBACK..=KERNEL_LINK_LOCAL).contains(&address.protocol);
    address.address().is_ipv6() && address.permanent && is_global(address) && !by_kernel
}

pub(in crate::reconcile) fn loopback(mirror: &Mirror) -> Option<&Interface> {
    mirror.interfaces().find(|i| i.kind == InterfaceKind::Loopback)
}

fn is_elsewhere(mirror: &Mirror, lo: InterfaceIndex, address: &IpAddr) -> bool {
    let others = mirror.interfaces().filter(|i| i.index != lo && (i.up || address.is_ipv4()));
    others.flat_map(|i| &i.addresses).any(|a| a.address() == *address && !a.tentative)
}

/// The LAN whose interface lost the address.
pub(in crate::reconcile) fn owner(lans: &Lans, address: &IpAddr) -> Option<LanId> {
    lans.iter().find(|(_, lan)| lan.absent().any(|a| a.address() == *address)).map(|(id, _)| id)
}

/// IFAPROT_KERNEL_LO, IFAPROT_KERNEL_RA and IFAPROT_KERNEL_LL are 1 to 3: the kernel makes these itself.
const KERNEL_LOOPBACK: u8 = 1;
const KERNEL_LINK_LOCAL: u8 = 3;
