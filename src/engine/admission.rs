//! Who gets an entry: without keys anybody on a LAN can invent nodes, and they must not crowd out those that are real.
//!
//! A node that was heard on one LAN only, and that no configuration names, is a *loner*. There are so many of them a
//! LAN at most, and so many new ones a second. The first to give way are those that never showed that they receive
//! what is sent to their address. A node that is heard on a second LAN is beyond the reach of somebody on the first.

use super::counters::Dropped;
use super::path::{PathKey, UNHEARD};
use super::peer::Peer;
use super::{Engine, MAX_PEERS};
use crate::time::Instant;
use crate::wire::{LanIndex, NodeId};

/// Loners of one LAN: the largest network that the design speaks of, a quarter of the table.
const MAX_LONERS: usize = 1024;

impl Engine {
    /// Whether a node that is not known yet may get an entry; others make room where they must. `vouched`: it was
    /// named by the configuration, or whatever it says is signed.
    pub(super) fn admit(&mut self, now: Instant, lan: LanIndex, vouched: bool) -> Result<(), Dropped> {
        if !vouched {
            let state = self.lans.get_mut(&lan).ok_or(Dropped::NoLan)?;
            if !state.newcomers.spend(now) {
                return Err(Dropped::TooManyStrangers);
            }
            if self.loners(lan).count() >= MAX_LONERS {
                self.make_room(lan)?;
            }
        }
        if self.peers.len() >= MAX_PEERS {
            self.make_room(lan)?;
        }
        Ok(())
    }

    fn loners(&self, lan: LanIndex) -> impl Iterator<Item = &Peer> {
        let is_elsewhere = move |key: &PathKey| key.lan != lan && key.peer_lan != UNHEARD;
        self.all_peers().filter(move |peer| {
            peer.configured.is_none() && !peer.paths.is_empty() && !peer.paths.keys().any(is_elsewhere)
        })
    }

    /// Forgets the loner that matters least: of those that have proven nothing, else of those that are absent, the one
    /// that was heard longest ago.
    fn make_room(&mut self, lan: LanIndex) -> Result<(), Dropped> {
        let idle = self.loners(lan).filter(|peer| (!peer.proven || peer.absent) && !self.has_overlay(peer));
        let least = idle.min_by_key(|peer| (peer.proven, peer.heard)).map(|peer| peer.node);
        self.forget(least.ok_or(Dropped::TableFull)?);
        Ok(())
    }

    /// Whether the node has shown that it receives what is sent to it: by the answer to a unicast INQ, or by a cookie.
    pub(super) fn note_proven(&mut self, node: NodeId) {
        if let Some(peer) = self.peers.get_mut(&node) {
            peer.proven = true;
        }
    }
}
