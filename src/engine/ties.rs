//! Addresses of a peer that are tied to another of its paths by what it said, and not by name (rule 4 of
//! faild-protocol(7)).
//!
//! A dead path names the addresses that the peer had when it died. An address that was removed and added again meanwhile, or
//! is new, cannot be named there any more. But the peer shows the token that it was handed on the dead path in each report
//! of that path, whatever address it sends from. A stranger on the LAN of the address does not have the token.

use std::net::IpAddr;

use super::path::PathKey;
use crate::wire::LanIndex;

/// As many as a peer has addresses on one path; the oldest gives way.
const MAX_TIES: usize = 16;

#[derive(Debug, Clone, PartialEq, Eq)]
struct Tie {
    home: PathKey,
    lan: LanIndex,
    address: IpAddr,
}

/// See the module. Empty while each path names all addresses of the others, as is usual.
#[derive(Debug, Clone, Default)]
pub(super) struct Ties(Vec<Tie>);

impl Ties {
    /// Who spoke from `address` on `lan` has shown a token of the path `home`.
    pub(super) fn note(&mut self, home: PathKey, lan: LanIndex, address: IpAddr) {
        if self.has(home, lan, &address) {
            return;
        }
        if self.0.len() == MAX_TIES {
            self.0.remove(0);
        }
        self.0.push(Tie { home, lan, address });
    }

    pub(super) fn has(&self, home: PathKey, lan: LanIndex, address: &IpAddr) -> bool {
        self.0.iter().any(|tie| tie.home == home && tie.lan == lan && tie.address == *address)
    }

    /// A path speaks for itself again: what it names counts.
    pub(super) fn on_list(&mut self, home: PathKey) {
        self.0.retain(|tie| tie.home != home);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interface::Family;

    #[test]
    fn the_oldest_of_too_many_gives_way_and_a_list_ends_those_of_its_path() {
        let key = |lan| PathKey { lan: LanIndex(lan), family: Family::V4, peer_lan: LanIndex(lan) };
        let address = |n: u8| IpAddr::from([10, 0, 0, n]);
        let mut ties = Ties::default();
        (0..17).for_each(|n| ties.note(key(1), LanIndex(0), address(n)));
        ties.note(key(1), LanIndex(0), address(16));
        assert_eq!(ties.0.len(), MAX_TIES);
        assert!(!ties.has(key(1), LanIndex(0), &address(0)) && ties.has(key(1), LanIndex(0), &address(1)));
        assert!(!ties.has(key(1), LanIndex(2), &address(1)), "not on another LAN");
        ties.note(key(2), LanIndex(0), address(1));
        ties.on_list(key(1));
        assert!(ties.has(key(2), LanIndex(0), &address(1)) && ties.0.len() == 1);
    }
}
