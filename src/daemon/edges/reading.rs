//! What is read from the kernel: interfaces, carriers, routes and settings; when that is done again; and what cannot be
//! read, told once.

use std::time::Duration;

use log::{debug, error, info, log};

use super::{Edges, Task};
use crate::engine::Input;
use crate::interface::{Interface, InterfaceIndex};
use crate::kernel::sysctl::Sysctls;
use crate::kernel::{Error, Event, LinkState};
use crate::reconcile::{self, Dump, Question, RouteKey};
use crate::time::Instant;

impl Edges {
    /// Takes in what the kernel has told. `is_all`: nothing more waits to be read.
    pub(in crate::daemon) fn take_events(&mut self, now: Instant, events: Vec<Event>, is_all: bool) {
        let mut is_listing_needed = false;
        if !events.is_empty() || !is_all {
            self.inform(now, reconcile::Input::Backlog(true));
        }
        for event in events {
            match event {
                Event::Links | Event::Addresses => is_listing_needed = true,
                Event::WentDown(interface) => self.inform(now, reconcile::Input::WentDown(interface)),
                Event::RouteAdded(route) => self.inform(now, reconcile::Input::RouteAdded(route)),
                Event::RouteDeleted(route) => self.inform(now, reconcile::Input::RouteDeleted(route)),
                Event::Overrun => {
                    debug!("notifications-lost consequence=\"everything is read anew\"");
                    is_listing_needed = true;
                    self.inform(now, reconcile::Input::Overrun);
                }
            }
        }
        // A listing waits while another program holds the kernel's RTNL lock; what was read is written down first.
        self.write_journal(now);
        if is_listing_needed {
            self.list_interfaces(now);
            // What is read right after an event can still show what is about to go (Linux 6.18).
            self.agenda.by(Task::ListInterfaces, now + SECOND_LOOK);
        }
        if is_all {
            self.inform(now, reconcile::Input::Backlog(false));
        }
    }

    pub(super) fn dump(&mut self, now: Instant, dump: Dump) {
        let result = match dump {
            Dump::Interfaces => return self.list_interfaces(now),
            Dump::OwnRoutes => self.kernel.own_routes().map(reconcile::Input::OwnRoutes),
            Dump::LanRoutes => {
                let scope = self.reconciler.scope();
                let named = self.interfaces.iter().filter(|i| scope.interfaces.contains(&i.name));
                let over: Vec<_> = named.map(|i| i.index).collect();
                self.kernel.routes_over(&over, &scope.tables).map(reconcile::Input::LanRoutes)
            }
        };
        match result {
            Ok(input) => {
                self.on_read("routes");
                self.inform(now, input);
            }
            Err(error) => {
                self.on_unreadable("routes", &error);
                self.agenda.by(Task::ReadRoutes, now + RETRY);
            }
        }
    }

    /// Asks what the kernel would do with a packet. A refusal of the packet is an answer.
    pub(super) fn ask(&mut self, now: Instant, question: Question) {
        let answer = match self.kernel.hop(question.address, question.source) {
            Ok(hop) => Ok(hop.answer()),
            Err(Error::Refused { source, .. }) => Err(source),
            Err(error) => return debug!("kernel-question-failed error=\"{error}\""),
        };
        self.inform(now, reconcile::Input::Answered(question, answer));
    }

    /// Reads what has a key that the kernel refused.
    pub(super) fn look_up(&mut self, now: Instant, key: RouteKey) {
        match self.kernel.routes_at(&key) {
            Ok(found) => self.inform(now, reconcile::Input::LookedUp(key, found)),
            Err(error) => debug!("route-lookup-failed error=\"{error}\""),
        }
    }

    /// Reads links and addresses and tells both halves. The sockets follow before the engine's outputs are drained, so
    /// that its first words on a new LAN find one.
    pub(super) fn list_interfaces(&mut self, now: Instant) {
        self.agenda.set(Task::ListInterfaces, now + SLOW_LOOK);
        match self.kernel.interfaces() {
            Ok(interfaces) => {
                self.on_read("interfaces");
                self.interfaces = interfaces;
                self.hand_in_interfaces(now);
            }
            Err(error) => {
                self.on_unreadable("interfaces", &error);
                self.agenda.set(Task::ListInterfaces, now + RETRY);
            }
        }
    }

    pub(super) fn hand_in_interfaces(&mut self, now: Instant) {
        self.engine.handle(now, Input::Interfaces(&self.interfaces));
        self.open_sockets(now);
        self.drain_engine(now);
        self.hand_interfaces_to_watch(now);
        self.check_sysctls();
        self.reconciler.handle(now, reconcile::Input::Interfaces(&self.interfaces));
        self.drain_reconciler(now);
    }

    /// Asks for the carriers of the LANs' and the watched interfaces, which the kernel's notifications may tell a second late.
    pub(super) fn query_links(&mut self, now: Instant) {
        self.links_queried = Some(now);
        self.agenda.set(Task::QueryLinks, now + self.query_interval());
        let wanted: Vec<InterfaceIndex> = self.cared_for().map(|interface| interface.index).collect();
        if wanted.is_empty() {
            return;
        }
        match self.kernel.links(&wanted) {
            Ok(states) => {
                self.on_read("carriers");
                self.compare_links(now, &wanted, &states);
            }
            Err(error) => self.on_unreadable("carriers", &error),
        }
    }

    /// A carrier is taken over at once; for all else a listing tells what became of the addresses, too.
    fn compare_links(&mut self, now: Instant, wanted: &[InterfaceIndex], states: &[LinkState]) {
        let mut is_changed = false;
        let mut is_listing_needed = states.len() != wanted.len();
        for interface in &mut self.interfaces {
            let Some(state) = states.iter().find(|state| state.index == interface.index) else { continue };
            is_listing_needed |= state.up != interface.up;
            is_changed |= state.carrier != interface.carrier;
            interface.carrier = state.carrier;
        }
        if is_listing_needed {
            self.list_interfaces(now);
        } else if is_changed {
            self.hand_in_interfaces(now);
        }
    }

    /// Warns of each setting of LANs and watched interfaces that defeats the job, once for each interface, those that come later included.
    pub(super) fn check_sysctls(&mut self) {
        let looked_at: Vec<&Interface> = self.cared_for().collect();
        let indices: Vec<InterfaceIndex> = looked_at.iter().map(|interface| interface.index).collect();
        if indices == self.checked {
            return;
        }
        let findings = Sysctls::default().check(&looked_at);
        self.checked = indices;
        let (lans, watching) = (&self.engine.plan().lans, &self.watching);
        self.findings.retain(|(interface, _)| lans.contains(interface) || watching.judges(interface));
        for finding in findings {
            if self.findings.insert((finding.interface.clone(), finding.what)) {
                log!(finding.level(), "{finding}");
            }
        }
    }

    /// The interval of probes, but not more than ten times a second.
    pub(super) fn query_interval(&self) -> Duration {
        self.config.interval.max(QUERY_PAUSE)
    }

    pub(super) fn earliest_query(&self, now: Instant) -> Instant {
        self.links_queried.map_or(now, |last| now.max(last + QUERY_PAUSE))
    }

    pub(super) fn on_read(&mut self, what: &'static str) {
        if self.troubles.remove(what) {
            info!("kernel-readable what={what}");
        }
    }

    pub(super) fn on_unreadable(&mut self, what: &'static str, error: &dyn std::error::Error) {
        if self.troubles.insert(what) {
            let reason = error.source().map(|source| format!(": {source}")).unwrap_or_default();
            error!("kernel-unreadable what={what} error=\"{error}{reason}\" retried=yes");
        }
    }
}

/// At most ten carrier queries a second: each takes the kernel's RTNL lock for 10 us.
const QUERY_PAUSE: Duration = Duration::from_millis(100);

/// A listing right after a link event showed 163 of 1,000 dead routes as alive, and none 100 ms later (Linux 6.18).
pub(super) const SECOND_LOOK: Duration = Duration::from_millis(100);

/// Even if no notification ever came.
const SLOW_LOOK: Duration = Duration::from_secs(60);

/// What failed is tried again.
pub(super) const RETRY: Duration = Duration::from_secs(1);
