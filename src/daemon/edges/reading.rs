//! What is read from the kernel: interfaces, carriers, routes and settings; when that is done again; and what cannot be
//! read, told once.

use std::time::Duration;

use log::{debug, error, info, log};

use super::{Edges, Task};
use crate::core::Input;
use crate::interface::{Interface, InterfaceIndex};
use crate::kernel::sysctl::Sysctls;
use crate::kernel::{Error, Event, LinkState};
use crate::reconcile::{Dump, Question};
use crate::route::RouteKey;
use crate::time::Instant;

impl Edges {
    /// Takes in what the kernel has told. `is_all`: nothing more waits to be read.
    pub(in crate::daemon) fn take_events(&mut self, now: Instant, events: Vec<Event>, is_all: bool) {
        let mut is_listing_needed = false;
        if !events.is_empty() || !is_all {
            self.tell(now, Input::Backlog(true));
        }
        for event in events {
            match event {
                Event::Links | Event::Addresses => is_listing_needed = true,
                Event::WentDown(interface) => self.tell(now, Input::WentDown(interface)),
                Event::RouteAdded(route) => self.tell(now, Input::RouteAdded(route)),
                Event::RouteDeleted(route) => self.tell(now, Input::RouteDeleted(route)),
                Event::Overrun => {
                    debug!("netlink-overrun action=\"performing a full resync\"");
                    is_listing_needed = true;
                    self.tell(now, Input::Overrun);
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
            self.tell(now, Input::Backlog(false));
        }
    }

    pub(super) fn dump(&mut self, now: Instant, dump: Dump) {
        let result = match dump {
            Dump::Interfaces => return self.list_interfaces(now),
            Dump::OwnRoutes => self.kernel.own_routes().map(Input::OwnRoutes),
            Dump::LanRoutes => {
                let scope = self.core.reconciler().scope();
                let named = self.core.interfaces().iter().filter(|i| scope.interfaces.contains(&i.name));
                let over: Vec<_> = named.map(|i| i.index).collect();
                self.kernel.routes_over(&over, &scope.tables).map(Input::LanRoutes)
            }
        };
        match result {
            Ok(input) => {
                self.on_read("routes");
                self.tell(now, input);
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
        self.tell(now, Input::Answered(question, answer));
    }

    /// Reads what has a key that the kernel refused.
    pub(super) fn look_up(&mut self, now: Instant, key: RouteKey) {
        match self.kernel.routes_at(&key) {
            Ok(found) => self.tell(now, Input::LookedUp(key, found)),
            Err(error) => debug!("route-lookup-failed error=\"{error}\""),
        }
    }

    /// Reads links and addresses.
    pub(super) fn list_interfaces(&mut self, now: Instant) {
        self.agenda.set(Task::ListInterfaces, now + SLOW_LOOK);
        match self.kernel.interfaces() {
            Ok(interfaces) => {
                self.on_read("interfaces");
                self.tell(now, Input::Interfaces(&interfaces));
            }
            Err(error) => {
                self.on_unreadable("interfaces", &error);
                self.agenda.set(Task::ListInterfaces, now + RETRY);
            }
        }
    }

    /// Reads who the kernel knows on an interface.
    pub(super) fn list_neighbours(&mut self, now: Instant, interface: InterfaceIndex) {
        match self.kernel.neighbours(interface) {
            Ok(mut addresses) => {
                self.on_read("neighbours");
                addresses.truncate(MOST_NEIGHBOURS);
                self.tell(now, Input::Neighbours { interface, addresses: &addresses });
            }
            Err(error) => self.on_unreadable("neighbours", &error),
        }
    }

    /// Asks for the carriers of the LANs' and the watched interfaces, which the kernel's notifications may tell a second late.
    pub(super) fn query_links(&mut self, now: Instant) {
        self.links_queried = Some(now);
        self.agenda.set(Task::QueryLinks, now + self.query_interval());
        let wanted: Vec<InterfaceIndex> = self.core.cared_for().map(|interface| interface.index).collect();
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
        let find = |interface: &Interface| states.iter().find(|state| state.index == interface.index);
        let known = self.core.interfaces();
        let is_other = |i: &Interface| find(i).is_some_and(|state| state.up != i.up);
        if states.len() != wanted.len() || known.iter().any(is_other) {
            return self.list_interfaces(now);
        }
        if known.iter().any(|i| find(i).is_some_and(|state| state.carrier != i.carrier)) {
            let mut interfaces = known.to_vec();
            for interface in &mut interfaces {
                interface.carrier = find(interface).map_or(interface.carrier, |state| state.carrier);
            }
            self.tell(now, Input::Interfaces(&interfaces));
        }
    }

    /// Warns of each setting of LANs and watched interfaces that defeats the job, once for each interface, those that come later included.
    pub(super) fn check_sysctls(&mut self) {
        let looked_at: Vec<&Interface> = self.core.cared_for().collect();
        let indices: Vec<InterfaceIndex> = looked_at.iter().map(|interface| interface.index).collect();
        if indices == self.checked {
            return;
        }
        let findings = Sysctls::default().check(&looked_at);
        self.checked = indices;
        self.findings.retain(|(interface, _)| self.core.cares_for(interface));
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
            info!("kernel-read-ok what={what}");
        }
    }

    pub(super) fn on_unreadable(&mut self, what: &'static str, error: &dyn std::error::Error) {
        if self.troubles.insert(what) {
            let reason = error.source().map(|source| format!(": {source}")).unwrap_or_default();
            error!("kernel-read-failed what={what} error=\"{error}{reason}\" will-retry=yes");
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

/// Most neighbours that are passed to the core, which probes only a few.
const MOST_NEIGHBOURS: usize = 256;
