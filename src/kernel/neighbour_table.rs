//! The limit of the kernel's neighbour table (ARP, ND): read, never set.
//!
//! Each peer needs an entry for each of its addresses. When the table is full the kernel makes no more, packets to
//! those that have none are dropped, and it looks as if their LAN were dead (Linux 6.18: `neighbour table overflow` in
//! the kernel's log). The table is that of the whole host; network namespaces but the first do not show its limit.

use std::fmt;

use super::sysctl::Sysctls;
use crate::interface::Family;

/// A table that is too small for the peers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SmallTable {
    /// Whose addresses it is for.
    pub family: Family,
    /// How many entries it may have: gc_thresh3.
    pub limit: usize,
    /// Addresses of peers that need one.
    pub addresses: usize,
}

impl SmallTable {
    /// The table of this family, if it has no room for so many addresses and a quarter more for everybody else.
    pub fn find(sysctls: &Sysctls, family: Family, addresses: usize) -> Option<Self> {
        let limit = sysctls.neighbour_limit(family)?;
        (addresses + addresses / 4 >= limit).then_some(Self { family, limit, addresses })
    }
}

impl fmt::Display for SmallTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { family, limit, addresses } = self;
        let room = (addresses * 2).next_power_of_two();
        let (most, soft) = (format!("net.{family}.neigh.default.gc_thresh3"), room / 2);
        write!(
            f,
            "neighbour-table-too-small family={family} limit={limit} addresses={addresses} cause=\"peers beyond \
             the limit are unreachable, as if their LAN were dead\" fix=\"sysctl -w {most}={room} \
             net.{family}.neigh.default.gc_thresh2={soft}\""
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_without_room_is_told_with_one_that_has_it() {
        let root = std::env::temp_dir().join(format!("faild-neighbours-{}", std::process::id()));
        let directory = root.join("ipv4/neigh/default");
        std::fs::create_dir_all(&directory).unwrap();
        std::fs::write(directory.join("gc_thresh3"), "1024\n").unwrap();
        let sysctls = Sysctls::at(&root);
        let find = |family, addresses| SmallTable::find(&sysctls, family, addresses);
        assert_eq!(find(Family::V4, 819), None);
        let small = find(Family::V4, 820).unwrap();
        let mend =
            "fix=\"sysctl -w net.ipv4.neigh.default.gc_thresh3=2048 net.ipv4.neigh.default.gc_thresh2=1024\"";
        assert!(small.to_string().ends_with(mend), "{small}");
        // As in a network namespace, where the kernel does not show it.
        assert_eq!(find(Family::V6, 100_000), None);
        std::fs::remove_dir_all(root).unwrap();
    }
}
