//! Whether the kernel's neighbour tables have room for the peers: looked at again as peers grow, told once a family.

use log::warn;

use crate::engine::Plan;
use crate::interface::Family;
use crate::kernel::SmallTable;
use crate::kernel::sysctl::Sysctls;

/// More addresses than at the last look before there is another: each reads two files and counts all.
const STEP: usize = 32;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Neighbours {
    /// Addresses in the plan below which there is no need to look.
    looked_at: usize,
    told: Vec<Family>,
}

impl Neighbours {
    /// Warns if the addresses of a plan are too many, unless that was said before.
    pub(super) fn consider(&mut self, plan: &Plan) {
        for table in self.look(plan, &Sysctls::default()) {
            warn!("{table}");
        }
    }

    fn look(&mut self, plan: &Plan, sysctls: &Sysctls) -> Vec<SmallTable> {
        if plan.subjects.len() < self.looked_at {
            return Vec::new();
        }
        self.looked_at = plan.subjects.len() + STEP;
        let of = |family| plan.subjects.keys().filter(|s| Family::of(&s.address) == family).count();
        let small = |family| SmallTable::find(sysctls, family, of(family));
        let tables: Vec<SmallTable> = [Family::V4, Family::V6].into_iter().filter_map(small).collect();
        let fresh: Vec<SmallTable> = tables.into_iter().filter(|t| !self.told.contains(&t.family)).collect();
        self.told.extend(fresh.iter().map(|table| table.family));
        fresh
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::engine::{Subject, Verdict};

    #[test]
    fn a_table_that_gets_too_small_is_told_once() {
        let root = std::env::temp_dir().join(format!("faild-room-{}", std::process::id()));
        let directory = root.join("ipv4/neigh/default");
        std::fs::create_dir_all(&directory).unwrap();
        std::fs::write(directory.join("gc_thresh3"), "1024\n").unwrap();
        let (sysctls, mut neighbours, mut plan) =
            (Sysctls::at(&root), Neighbours::default(), Plan::default());
        let mut told_at = Vec::new();
        for number in 0..2000_u32 {
            let address = Ipv4Addr::from(0x0a00_0000 | number).into();
            plan.subjects.insert(Subject { home: "eth0".into(), address }, Verdict::Home);
            told_at.extend(neighbours.look(&plan, &sysctls).iter().map(|table| table.addresses));
        }
        assert_eq!(told_at.len(), 1);
        assert!((820..820 + STEP).contains(&told_at[0]), "{told_at:?}");
        std::fs::remove_dir_all(root).unwrap();
    }
}
