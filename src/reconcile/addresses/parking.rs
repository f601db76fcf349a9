//! Addresses of interfaces that fell. An IPv6 address dies with its interface going down, any address with its
//! deletion; sessions over a detour still need it. So it is parked on `lo`, marked as ours, until it is back. No network
//! manager restores a static IPv6 address that was set once by hand, so faild does.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;

use super::super::backoff::Backoff;
use super::super::lan::{Lan, LanId, Stance, is_global};
use super::super::lans::Lans;
use super::super::mirror::Mirror;
use super::super::notice::Notice;
use super::super::originals::PUT_BACK_PAUSE;
use super::super::restoring::REVIEW;
use super::super::step::Batch;
use super::{AddressStep, Scene};
use crate::interface::{Family, Interface, InterfaceAddress, InterfaceIndex, InterfaceKind, is_link_local};
use crate::route::PROTOCOL;
use crate::time::Instant;

/// What was parked and put back, and what was refused.
#[derive(Debug, Clone, Default)]
pub(super) struct Parking {
    refused: BTreeMap<IpAddr, Backoff>,
    /// Which interface had an address again, for the log.
    returned: BTreeMap<IpAddr, LanId>,
    /// Addresses that were parked in this run: kernels before 5.18 do not keep the mark.
    parked: BTreeMap<IpAddr, LanId>,
}

impl Parking {
    /// An interface has an address again.
    pub(super) fn returned(&mut self, lan: LanId, address: IpAddr) {
        self.returned.insert(address, lan);
    }

    /// No interface waits for an address any more; if it is parked it is removed from `lo`.
    pub(super) fn disown(&mut self, mirror: &Mirror, lan: LanId, address: IpAddr) {
        let is_parked = self.on_lo(mirror).any(|parked| parked.address() == address);
        if is_parked {
            self.parked.insert(address, lan);
        }
    }

    /// The LANs that are remembered here.
    pub(super) fn lans(&self) -> impl Iterator<Item = LanId> {
        self.returned.values().chain(self.parked.values()).copied()
    }

    /// When attempts may be made again.
    pub(super) fn retries(&self) -> impl Iterator<Item = Instant> {
        self.refused.values().map(Backoff::not_before)
    }

    /// Whether an address of `lo` is one that faild parked there.
    fn is_parked(&self, address: &InterfaceAddress) -> bool {
        address.protocol == PROTOCOL || self.parked.contains_key(&address.address())
    }

    /// The parked addresses.
    pub(super) fn on_lo<'m>(&self, mirror: &'m Mirror) -> impl Iterator<Item = &'m InterfaceAddress> {
        let all = loopback(mirror).into_iter().flat_map(|lo| &lo.addresses);
        all.filter(|address| self.is_parked(address))
    }

    fn may_try(&self, now: Instant, address: &IpAddr) -> bool {
        self.refused.get(address).is_none_or(|attempts| attempts.may_try(now))
    }

    /// Those that sessions over a detour need.
    pub(super) fn park(&self, scene: &Scene<'_>, lo: InterfaceIndex, batch: &mut Batch) {
        for (id, lan) in scene.lans.iter() {
            for lost in lan.absent().filter(|a| is_global(a)) {
                let address = lost.address();
                let detoured = lan.stance(Family::of(&address)) == Stance::Detoured;
                let needed = detoured && !scene.mirror.is_local(&address) && is_routable(&address);
                if needed && self.may_try(scene.now, &address) && !batch.is_full() {
                    batch.push(AddressStep::Park { lo, address: on_lo(lost), lan: id });
                }
            }
        }
    }

    /// Removes from `lo` what an interface has again, and what is no longer needed. Returns the latter.
    pub(super) fn unpark(
        &self,
        scene: &Scene<'_>,
        lo: &Interface,
        batch: &mut Batch,
    ) -> Vec<(LanId, IpAddr)> {
        let mut forgotten = Vec::new();
        for parked in self.on_lo(scene.mirror) {
            let address = parked.address();
            let elsewhere = is_elsewhere(scene.mirror, lo.index, &address);
            let owner = owner(scene.lans, &address);
            let is_over = elsewhere || self.is_given_up(scene, owner, &address);
            if is_over && self.may_try(scene.now, &address) && !batch.is_full() {
                batch.push(AddressStep::Unpark { lo: lo.index, address: parked.clone() });
                forgotten.extend(owner.filter(|_| !elsewhere).map(|id| (id, address)));
            }
        }
        forgotten
    }

    fn is_given_up(&self, scene: &Scene<'_>, owner: Option<LanId>, address: &IpAddr) -> bool {
        match owner.and_then(|id| scene.lans.get(id)) {
            // It comes back by us, be it late: the daemon may have been stopped, or have news to read first.
            Some(lan) if self.is_to_be_put_back(scene.mirror, lan, address) => false,
            Some(lan) => match lan.stance(Family::of(address)) {
                // Home works without it: it has been changed, and is not coming back.
                Stance::Home => lan.is_settled(scene.now, 2 * PUT_BACK_PAUSE),
                // A peer that is away for good may leave it open for ever whether home works.
                Stance::Unclear => lan.is_settled(scene.now, REVIEW),
                Stance::Detoured => false,
            },
            None => self.parked.contains_key(address),
        }
    }

    /// Static IPv6 addresses whose interface is up again; not those that another interface has taken along.
    pub(super) fn put_back(&self, scene: &Scene<'_>, batch: &mut Batch) {
        let is_ready = |lan: &Lan| lan.is_seen() && lan.is_settled(scene.now, PUT_BACK_PAUSE);
        for (id, lan) in scene.lans.iter().filter(|(_, lan)| is_ready(lan)) {
            let Some(interface) = lan.index else { continue };
            for address in lan.absent().filter(|a| is_static_v6(a)) {
                let is_lost = !self.is_taken_along(scene.mirror, interface, address);
                if is_lost && self.may_try(scene.now, &address.address()) && !batch.is_full() {
                    let address = InterfaceAddress { tentative: false, ..address.clone() };
                    batch.push(AddressStep::PutBack { interface, address, lan: id });
                }
            }
        }
    }

    /// Whether another interface has an address of this one, as one that was renamed has taken it along.
    fn is_taken_along(&self, mirror: &Mirror, from: InterfaceIndex, address: &InterfaceAddress) -> bool {
        let is_it = |a: &InterfaceAddress| a.prefix == address.prefix && !self.is_parked(a);
        let mut others = mirror.interfaces().filter(|other| other.index != from);
        others.any(|other| other.addresses.iter().any(is_it))
    }

    /// Whether an address is one that we put back as soon as its interface is up, and was not refused yet.
    fn is_to_be_put_back(&self, mirror: &Mirror, lan: &Lan, address: &IpAddr) -> bool {
        let mut lost = lan.absent().filter(|a| a.address() == *address && is_static_v6(a));
        let is_lost = |index| lost.any(|a| !self.is_taken_along(mirror, index, a));
        lan.is_seen() && !self.refused.contains_key(address) && lan.index.is_some_and(is_lost)
    }

    /// It is parked.
    pub(super) fn on_parked(&mut self, lans: &Lans, lan: LanId, address: IpAddr) -> Notice {
        self.refused.remove(&address);
        self.parked.insert(address, lan);
        Notice::AddressWaits { interface: lans.name(lan).to_owned(), address }
    }

    /// It is back on its interface.
    pub(super) fn on_put_back(&mut self, lans: &mut Lans, lan: LanId, prefix: IpNet) -> Notice {
        let address = prefix.addr();
        self.refused.remove(&address);
        self.returned.insert(address, lan);
        if let Some(lan) = lans.get_mut(lan) {
            lan.restored(&address);
        }
        Notice::AddressPutBack { interface: lans.name(lan).to_owned(), address: prefix }
    }

    /// It is not on `lo` any more.
    pub(super) fn on_unparked(&mut self, mirror: &Mirror, lans: &Lans, address: IpAddr) -> Notice {
        self.refused.remove(&address);
        self.parked.remove(&address);
        let returned = self.returned.remove(&address);
        let back = returned.filter(|_| mirror.is_local(&address));
        Notice::AddressReturned { interface: back.map(|id| lans.name(id).to_owned()), address }
    }

    /// The kernel refused to add or to remove it.
    pub(super) fn on_refused(&mut self, now: Instant, address: IpAddr) {
        self.refused.entry(address).or_default().failed(now);
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

/// Whether it means something beyond its link.
fn is_routable(address: &IpAddr) -> bool {
    !is_link_local(address) && !address.is_loopback()
}

fn is_static_v6(address: &InterfaceAddress) -> bool {
    let by_kernel = (KERNEL_LOOPBACK..=KERNEL_LINK_LOCAL).contains(&address.protocol);
    address.address().is_ipv6() && address.permanent && is_global(address) && !by_kernel
}

pub(super) fn loopback(mirror: &Mirror) -> Option<&Interface> {
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
