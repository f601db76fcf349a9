//! When routes and addresses that are gone, or stand where they do not belong, are looked at again.

use std::time::Duration;

use crate::time::Instant;

/// How often routes and addresses that do not come back are looked at, to give them up in the end.
pub(super) const REVIEW: Duration = Duration::from_secs(60);

/// See the module.
#[derive(Debug, Clone, Default)]
pub(super) struct Restoring {
    addresses: bool,
    routes: bool,
    next: Option<Instant>,
}

impl Restoring {
    /// Something changed that addresses or routes to be put back may depend on.
    pub(super) fn recheck(&mut self) {
        self.addresses = true;
        self.routes = true;
    }

    /// Whether addresses are to be looked at; once for each time that something changed.
    pub(super) fn takes_addresses(&mut self, now: Instant) -> bool {
        if self.is_over(now) {
            self.recheck();
        }
        std::mem::take(&mut self.addresses)
    }

    /// The same of routes.
    pub(super) fn takes_routes(&mut self) -> bool {
        std::mem::take(&mut self.routes)
    }

    /// Addresses are to be looked at again as soon as the journal is written.
    pub(super) fn hold(&mut self) {
        self.addresses = true;
    }

    /// Whether that is so.
    pub(super) const fn is_held(&self) -> bool {
        self.addresses
    }

    /// When time alone will give something to do.
    pub(super) const fn next(&self) -> Option<Instant> {
        self.next
    }

    /// Whether that time has come.
    pub(super) fn is_over(&self, now: Instant) -> bool {
        self.next.is_some_and(|at| at <= now)
    }

    pub(super) fn set_next(&mut self, next: Option<Instant>) {
        self.next = next;
    }
}
