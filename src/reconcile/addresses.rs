//! What faild does to addresses: it parks on `lo` those that interfaces lost and sessions need, puts them back, makes and
//! removes test addresses, and sets interfaces up that shall be up.
//!
//! The part decides by what it is shown, and remembers what it did and what was refused. It does nothing itself: its steps
//! go out in a batch, and come back when it is known what became of them.
//!
//! ```text
//! Scene --> decide --> AddressStep --> kernel --> on_done, on_refused --> Notice
//! ```

mod parking;
mod step;
mod test_address;
#[cfg(test)]
mod tests;

use std::net::{IpAddr, Ipv4Addr};

pub(super) use parking::owner;
pub(super) use step::AddressStep;

use super::lan::LanId;
use super::lans::Lans;
use super::mirror::Mirror;
use super::notice::Notice;
use super::step::Batch;
use super::wishes::Wishes;
use crate::interface::{Interface, InterfaceAddress};
use crate::time::Instant;
use parking::Parking;
use test_address::{TestAddresses, test_address};

/// See the module.
#[derive(Debug, Clone, Default)]
pub(super) struct Addresses {
    parking: Parking,
    tests: TestAddresses,
}

/// What a decision depends on.
#[derive(Clone, Copy)]
pub(super) struct Scene<'a> {
    pub(super) now: Instant,
    pub(super) mirror: &'a Mirror,
    pub(super) lans: &'a Lans,
    pub(super) wishes: &'a Wishes,
    /// faild ends: no test address is wanted.
    pub(super) stopping: bool,
}

/// Whether the addresses that are to be parked are in the journal: a crash at the wrong moment would lose one that is
/// not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum InJournal {
    Written,
    /// Their write is under way.
    Pending,
    /// They are not, and no write is under way.
    Missing,
}

/// What follows from a decision, besides its steps.
#[derive(Debug, Default)]
pub(super) struct Decision {
    /// Addresses that no interface waits for any more.
    pub(super) forgotten: Vec<(LanId, IpAddr)>,
    pub(super) notices: Vec<Notice>,
    /// Something is to be parked as soon as the journal is written.
    pub(super) is_held: bool,
}

impl Addresses {
    /// What is to be done. `puts_back`: all that the kernel told has been read, so that nothing is put back that came by
    /// itself. `record`: asked only if there is a `lo` to park on.
    pub(super) fn decide(
        &mut self,
        scene: &Scene<'_>,
        puts_back: bool,
        record: impl FnOnce() -> InJournal,
        batch: &mut Batch,
    ) -> Decision {
        if puts_back {
            self.parking.put_back(scene, batch);
        }
        self.tests.raise(scene, batch);
        let notices = self.tests.make(scene, batch);
        self.tests.remove(scene, batch);
        let decision = Decision { notices, ..Decision::default() };
        let Some(lo) = parking::loopback(scene.mirror) else { return decision };
        match record() {
            InJournal::Written => {
                self.parking.park(scene, lo.index, batch);
                Decision { forgotten: self.parking.unpark(scene, lo, batch), ..decision }
            }
            InJournal::Pending => {
                let mut parked = Batch::default();
                self.parking.park(scene, lo.index, &mut parked);
                Decision { is_held: !parked.is_empty(), ..decision }
            }
            InJournal::Missing => decision,
        }
    }

    /// faild ends, and no route needs them any more: test addresses go.
    pub(super) fn remove_tests(&mut self, scene: &Scene<'_>, batch: &mut Batch) {
        self.tests.remove(scene, batch);
    }

    /// A step was carried out. Returns what is to be said; nothing if no route depends on it.
    pub(super) fn on_done(
        &mut self,
        mirror: &mut Mirror,
        lans: &mut Lans,
        step: AddressStep,
    ) -> Option<Notice> {
        match step {
            AddressStep::Park { lo, address: parked, lan } => {
                let address = parked.address();
                mirror.load_address(lo, parked);
                Some(self.parking.on_parked(lans, lan, address))
            }
            AddressStep::PutBack { interface, address, lan } => {
                let prefix = address.prefix;
                mirror.load_address(interface, address);
                Some(self.parking.on_put_back(lans, lan, prefix))
            }
            AddressStep::Unpark { lo, address } => {
                mirror.unload_address(lo, &address.prefix);
                Some(self.parking.on_unparked(mirror, lans, address.address()))
            }
            AddressStep::MakeTest { interface, address } => {
                mirror.load_address(interface, test_address(address));
                self.tests.on_made(interface, address);
                None
            }
            AddressStep::RemoveTest { interface, address } => {
                mirror.unload_address(interface, &test_address(address).prefix);
                self.tests.on_removed(address);
                None
            }
            AddressStep::SetUp { interface, lan } => {
                self.tests.on_set_up(interface, lan);
                None
            }
        }
    }

    /// The kernel refused a step.
    pub(super) fn on_refused(&mut self, now: Instant, step: &AddressStep) {
        match step {
            AddressStep::Park { address, .. }
            | AddressStep::Unpark { address, .. }
            | AddressStep::PutBack { address, .. } => self.parking.on_refused(now, address.address()),
            AddressStep::MakeTest { address, .. } | AddressStep::RemoveTest { address, .. } => {
                self.tests.on_refused(now, *address);
            }
            AddressStep::SetUp { lan, .. } => self.tests.on_set_up_refused(now, *lan),
        }
    }

    /// An interface has an address again.
    pub(super) fn on_returned(&mut self, lan: LanId, address: IpAddr) {
        self.parking.returned(lan, address);
    }

    /// An address is not waited for any more; if it is parked it is removed from `lo`.
    pub(super) fn disown(&mut self, mirror: &Mirror, lan: LanId, address: IpAddr) {
        self.parking.disown(mirror, lan, address);
    }

    /// An interface's number is forgotten.
    pub(super) fn forget(&mut self, lan: LanId) {
        self.tests.forget(lan);
    }

    /// The LANs that are remembered here.
    pub(super) fn lans(&self) -> impl Iterator<Item = LanId> {
        self.parking.lans()
    }

    /// When what was refused, or undone, may be tried again.
    pub(super) fn retries(&self) -> impl Iterator<Item = Instant> {
        self.parking.retries().chain(self.tests.retries())
    }

    /// The addresses that are parked.
    pub(super) fn parked<'m>(&self, mirror: &'m Mirror) -> impl Iterator<Item = &'m InterfaceAddress> {
        self.parking.on_lo(mirror)
    }

    /// The test addresses that stand, with their interfaces.
    pub(super) fn standing_tests<'m>(
        &self,
        mirror: &'m Mirror,
    ) -> impl Iterator<Item = (&'m Interface, Ipv4Addr)> {
        self.tests.on_interfaces(mirror)
    }
}
