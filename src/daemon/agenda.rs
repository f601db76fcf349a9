//! What the daemon itself has to do at a time, beside the deadlines of engine and reconciler.

use std::collections::BTreeMap;

use crate::time::Instant;

/// Something that comes due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Task {
    /// Ask the kernel for the carrier of the LANs' interfaces.
    QueryLinks,
    /// List links and addresses.
    ListInterfaces,
    /// Have the reconciler read all routes: an attempt failed.
    ReadRoutes,
    /// Try again to open sockets.
    OpenSockets,
    /// Tell the engine the time of day.
    TellTimeOfDay,
    /// Put interfaces back that are offline for long enough.
    ExpireOffline,
    /// Go back to the settings from before, unless those on trial were confirmed.
    RollBack,
    /// Compare the engine's state with what it was.
    Compare,
}

/// When each is due; each at most once.
#[derive(Debug, Default)]
pub(super) struct Agenda(BTreeMap<Task, Instant>);

impl Agenda {
    /// Due at `at`, or earlier if it was to be earlier already.
    pub(super) fn by(&mut self, task: Task, at: Instant) {
        self.0.entry(task).and_modify(|due| *due = at.min(*due)).or_insert(at);
    }

    /// Due at `at`, whatever was said before.
    pub(super) fn set(&mut self, task: Task, at: Instant) {
        self.0.insert(task, at);
    }

    /// The earliest.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.0.values().min().copied()
    }

    /// Takes something that is due.
    pub(super) fn take_due(&mut self, now: Instant) -> Option<Task> {
        let task = self.0.iter().find(|(_, due)| **due <= now).map(|(task, _)| *task)?;
        self.0.remove(&task);
        Some(task)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_earlier_wish_counts_unless_it_is_set() {
        let at = Instant::from_nanos;
        let mut agenda = Agenda::default();
        agenda.by(Task::QueryLinks, at(30));
        agenda.by(Task::QueryLinks, at(20));
        agenda.by(Task::QueryLinks, at(40));
        agenda.set(Task::OpenSockets, at(10));
        agenda.set(Task::OpenSockets, at(25));
        assert_eq!(agenda.deadline(), Some(at(20)));
        assert_eq!(agenda.take_due(at(19)), None);
        assert_eq!(agenda.take_due(at(25)), Some(Task::QueryLinks));
        assert_eq!(agenda.take_due(at(25)), Some(Task::OpenSockets));
        assert_eq!(agenda.deadline(), None);
    }
}
