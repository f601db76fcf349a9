//! When the journal is written and what is made of an old one.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::Reconciler;
use super::input::Output;
use super::journal::{Address, Journal, Original};
use super::lan::{HomeAddress, LanId, is_global};
use super::notice::Notice;
use super::originals::Missing;
use super::route::{PROTOCOL, Route};
use super::table::Group;
use crate::interface::InterfaceAddress;
use crate::time::Instant;

/// Changes are collected for so long: ten thousand overlays are laid first and written about then. The overlays
/// themselves are found by their mark; what must be written before it is done is written at once.
const COLLECT: Duration = Duration::from_secs(1);

/// The state of the journal.
#[derive(Debug, Clone, Default)]
pub(super) struct Keeping {
    read: Journal,
    written: String,
    changed: bool,
    due: Option<Instant>,
}

impl Keeping {
    /// Starts from the last run's journal, if it can be read.
    pub(super) fn read(text: Option<&str>) -> (Self, Option<Notice>) {
        let text = text.unwrap_or_default();
        match Journal::parse(text) {
            Ok(read) => (Self { read, written: text.to_owned(), ..Self::default() }, None),
            Err(e) => (Self::default(), Some(Notice::JournalIgnored { line: e.line, fault: e.fault })),
        }
    }

    /// Something changed that the journal tells of.
    pub(super) fn change(&mut self) {
        self.changed = true;
    }

    /// Something was lost, and only the journal knows of it: it is written as soon as things are at rest.
    pub(super) fn touch(&mut self, now: Instant) {
        self.due = Some(now);
    }

    pub(super) fn is_due(&mut self, now: Instant) -> bool {
        if std::mem::take(&mut self.changed) {
            self.due.get_or_insert(now + COLLECT);
        }
        self.due.is_some_and(|at| at <= now)
    }

    pub(super) fn due(&self) -> Option<Instant> {
        self.due
    }
}

impl Reconciler {
    pub(super) fn recall_addresses(&mut self) {
        for Address { interface, present, address } in std::mem::take(&mut self.keeping.read.addresses) {
            self.lans.remember(&interface, HomeAddress { address, present });
        }
    }

    /// The interfaces that the last run wrote down, and their addresses: what was laid for them may be there still. To
    /// be asked before the first input.
    pub fn journalled_addresses(&self) -> BTreeMap<String, Vec<InterfaceAddress>> {
        let told = self.lans.iter().filter(|(_, lan)| !lan.addresses.is_empty());
        let addresses =
            |lan: &super::lan::Lan| lan.addresses.iter().map(|home| home.address.clone()).collect();
        told.map(|(_, lan)| (lan.name.clone(), addresses(lan))).collect()
    }

    /// What the last run knew of routes, once it can be compared with what there is.
    pub(super) fn recall_originals(&mut self, now: Instant) {
        for Original { missing, route, interfaces } in std::mem::take(&mut self.keeping.read.originals) {
            let group = Group::of(&route.key);
            let lans: Vec<Option<LanId>> = interfaces.iter().map(|name| self.lans.intern(name)).collect();
            let stands = self.mirror.routes().at(&route.key).iter().any(|r| r.protocol != PROTOCOL);
            let overlaid = self.mirror.routes().group(group).any(|r| r.protocol == PROTOCOL);
            if overlaid && super::table::host_of(group).is_none() {
                self.known.insert(group);
            }
            if !stands && (overlaid || missing) {
                self.originals.recall(Arc::new(route), lans);
            }
            self.mark(group);
            self.waiting.recheck();
            self.keeping.touch(now);
        }
    }

    /// Writes the journal if it would say something new.
    pub(super) fn write_journal(&mut self, now: Instant) {
        self.keeping.due = None;
        self.keeping.changed = false;
        let text = self.journal(now).render();
        if text != self.keeping.written && !(self.keeping.written.is_empty() && text.lines().count() <= 1) {
            self.keeping.written.clone_from(&text);
            self.outputs.push_back(Output::Journal(text));
        }
    }

    fn journal(&self, now: Instant) -> Journal {
        let missing = self.originals.flushed(now, &self.lans).map(|m| self.missing_original(m));
        let overlaid = self.own_routes().filter_map(|own| self.overlaid_original(Group::of(&own.key)));
        Journal { addresses: self.home_addresses(), originals: missing.chain(overlaid).collect() }
    }

    fn home_addresses(&self) -> Vec<Address> {
        let concerned = |lan: &super::lan::Lan| lan.is_detoured() || lan.absent().next().is_some();
        let mut addresses = Vec::new();
        for (_, lan) in self.lans.iter().filter(|(_, lan)| concerned(lan)) {
            for home in lan.addresses.iter().filter(|h| is_global(&h.address)) {
                let interface = lan.name.clone();
                addresses.push(Address { interface, present: home.present, address: home.address.clone() });
            }
        }
        addresses
    }

    fn missing_original(&self, missing: &Missing) -> Original {
        let names = missing.legs().map(|(leg, lan)| match lan {
            Some(lan) => self.lans.name(lan).to_owned(),
            None => self.name_of(leg.interface),
        });
        Original { missing: true, route: plain(&missing.route), interfaces: names.collect() }
    }

    /// The route by a gateway that an overlay of this group stands in front of.
    fn overlaid_original(&self, group: Group) -> Option<Original> {
        let managed = |r: &&Arc<Route>| self.settings.protocols.contains(&r.protocol) && !r.encapsulated;
        let route = self.mirror.routes().group(group).find(managed)?;
        let interfaces = route.legs.iter().map(|leg| self.name_of(leg.interface)).collect();
        Some(Original { missing: false, route: plain(route), interfaces })
    }

    fn name_of(&self, index: crate::interface::InterfaceIndex) -> String {
        self.mirror.interface(index).map_or_else(|| "?".to_owned(), |i| i.name.clone())
    }
}

/// Without interface numbers, which the journal does not keep.
fn plain(route: &Route) -> Route {
    let mut route = route.clone();
    for leg in &mut route.legs {
        leg.interface = crate::interface::InterfaceIndex(0);
    }
    route
}
