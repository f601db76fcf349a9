//! When the core looks what has changed for people and for hooks.

use std::time::Duration;

use log::{Level, debug};

use super::agenda::Task;
use super::edges::Edges;
use super::heap;
use crate::config::ChangeKind;
use crate::time::Instant;

impl Edges {
    /// Something has changed.
    pub(super) fn compare_soon(&mut self, now: Instant) {
        self.agenda.by(Task::Compare, now + PAUSE);
    }

    /// Looks what it comes to. That redundancy was lost only all peers together show, so that no notice tells it.
    pub(super) fn compare(&mut self, now: Instant) {
        let mut changes = self.tracker.observe(&self.core.peers().snapshot(now));
        changes.extend(self.tracker.observe_watch(&self.core.watch().snapshot(now)));
        for change in changes {
            match change.kind {
                ChangeKind::RedundancyLost => self.say(Level::Warn, &change),
                ChangeKind::RedundancyRestored => self.say(Level::Info, &change),
                ChangeKind::PeerDown
                | ChangeKind::PeerUp
                | ChangeKind::LanDown
                | ChangeKind::LanUp
                | ChangeKind::PeerFailover
                | ChangeKind::PeerFailback
                | ChangeKind::GroupFailed
                | ChangeKind::GroupDegraded
                | ChangeKind::GroupOk
                | ChangeKind::InterfaceFailed
                | ChangeKind::InterfaceRepaired
                | ChangeKind::RouteFailover
                | ChangeKind::RouteFailback
                | ChangeKind::RouteDown
                | ChangeKind::RouteUp => debug!("change {change}"),
            }
            self.changes.push(change);
        }
        // A picture of a thousand peers takes a megabyte.
        heap::trim();
    }
}

/// Changes come in swarms: a LAN that dies is one for each of its peers.
const PAUSE: Duration = Duration::from_millis(20);
