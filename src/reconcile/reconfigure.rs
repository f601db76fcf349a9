//! Other settings while all goes on: what is laid by the old ones, and would not be by the new, is lifted.

use std::collections::BTreeSet;

use super::lan::LanId;
use super::table::Group;
use super::{Reconciler, Settings};
use crate::interface::InterfaceAddress;
use crate::route::PROTOCOL;

impl Reconciler {
    /// Levels, not edges: the same settings again change nothing. `left`: LANs that are none by the new settings.
    pub(super) fn on_settings(&mut self, settings: Settings, left: &[String]) {
        for name in left {
            let found = self.lans.iter().find(|(_, lan)| lan.name == *name).map(|(id, _)| id);
            let still_watched = |id: &LanId| self.lans.get(*id).is_some_and(|lan| lan.watched);
            if let Some(id) = found.filter(|id| !still_watched(id)) {
                self.leave(id);
            }
        }
        let before = std::mem::replace(&mut self.settings, settings);
        self.exclude();
        if before.protocols != self.settings.protocols {
            self.follow(&(&before.protocols - &self.settings.protocols));
        }
    }

    /// What the kernel took from a LAN that is none any more is not put back, and nothing stands in for it.
    pub(super) fn leave(&mut self, lan: LanId) {
        let groups = self.originals.forget_if(|missing| missing.lans.contains(&Some(lan)));
        self.stood_in(groups);
        let absent = self.lans.get(lan).into_iter().flat_map(|state| state.absent());
        for address in absent.map(InterfaceAddress::address).collect::<Vec<_>>() {
            if let Some(state) = self.lans.get_mut(lan) {
                state.forget(&address);
            }
            self.addresses.disown(&self.mirror, lan, address);
        }
        self.restoring.recheck();
        self.keeping.touch_interfaces();
    }

    /// The routes that follow their gateway are others: overlays in front of those that no longer do have no reason.
    fn follow(&mut self, dropped: &BTreeSet<u8>) {
        let groups = self.originals.forget_if(|missing| dropped.contains(&missing.route.protocol));
        let is_dropped = |group: &Group| {
            self.mirror
                .routes()
                .group(*group)
                .any(|r| dropped.contains(&r.protocol) && r.protocol != PROTOCOL)
        };
        let overlaid = self.own_routes().map(|r| Group::of(&r.key)).filter(is_dropped);
        let groups: Vec<Group> = overlaid.chain(groups).collect();
        self.stood_in(groups);
        self.mark_all();
        self.restoring.recheck();
        for route in self.mirror.routes().iter() {
            self.keeping.touch(Group::of(&route.key));
        }
    }

    pub(super) fn stood_in(&mut self, groups: Vec<Group>) {
        for group in groups {
            if self.mirror.routes().group(group).any(|r| r.protocol == PROTOCOL) {
                self.known.insert(group);
            }
            self.mark(group);
            self.mark_covered(group);
        }
    }
}
