//! What went wrong last with each socket, so that each trouble is told once.

use std::collections::BTreeMap;

use super::key::Key;
use crate::interface::InterfaceIndex;

/// One entry a socket at most.
#[derive(Debug, Default)]
pub(super) struct Troubles(BTreeMap<Key, String>);

impl Troubles {
    /// Whether this trouble is a new one for this socket.
    pub(super) fn is_new(&mut self, key: Key, trouble: &str) -> bool {
        if self.0.get(&key).is_some_and(|last| last == trouble) {
            return false;
        }
        self.0.insert(key, trouble.to_owned());
        true
    }

    /// The socket works; whether there had been trouble.
    pub(super) fn is_over(&mut self, key: Key) -> bool {
        self.0.remove(&key).is_some()
    }

    /// An interface has gone, or its sockets are closed.
    pub(super) fn forget(&mut self, interface: InterfaceIndex) {
        self.0.retain(|key, _| key.interface != interface);
    }
}
