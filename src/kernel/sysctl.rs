//! Sysctls that silently defeat the job: read at the start, never set.
//!
//! What is not as it should be comes with the reason and the command that mends it. A setting that this kernel does
//! not have is no finding.

use std::fmt;
use std::path::PathBuf;

use ipnet::IpNet;
use log::Level;

use crate::interface::{Family, Interface};
use crate::words::shell_word;

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weight {
    /// Good to know when something is unclear.
    Note,
    /// Failover does not work as it should until this is mended.
    Warning,
}

/// A setting that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How much it matters.
    pub weight: Weight,
    /// The setting's short name: `rp_filter`.
    pub what: &'static str,
    /// The interface that it is about.
    pub interface: String,
    /// The value in force there: what the kernel makes of those for `all` and for the interface.
    pub value: u32,
    /// What it does to us.
    pub why: &'static str,
    /// The command that mends it.
    pub mend: String,
}

impl Finding {
    /// How loud it is told.
    pub const fn level(&self) -> Level {
        match self.weight {
            Weight::Warning => Level::Warn,
            Weight::Note => Level::Info,
        }
    }
}

impl fmt::Display for Finding {
    /// `event-name key=value ...`, one line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, interface, value, why, mend, .. } = self;
        write!(
            f,
            "sysctl-unsuitable interface={interface} setting={what} value={value} cause=\"{why}\" fix=\"{mend}\""
        )
    }
}

/// The settings below a directory.
#[derive(Debug, Clone)]
pub struct Sysctls {
    root: PathBuf,
}

impl Default for Sysctls {
    /// Those of the calling thread's network namespace, whoever mounted /proc.
    fn default() -> Self {
        Self::at("/proc/sys/net")
    }
}

impl Sysctls {
    /// Those below `root`, which looks like /proc/sys/net.
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// What is to be mended for these LAN interfaces, in their order.
    pub fn check(&self, lans: &[&Interface]) -> Vec<Finding> {
        lans.iter().flat_map(|lan| self.check_interface(lan, lans)).collect()
    }

    /// Most entries of the neighbour table of a family; the kernel shows it in the first network namespace only.
    pub(super) fn neighbour_limit(&self, family: Family) -> Option<usize> {
        let path = self.root.join(family.to_string()).join("neigh/default/gc_thresh3");
        std::fs::read_to_string(path).ok()?.trim().parse().ok()
    }

    fn check_interface(&self, lan: &Interface, all: &[&Interface]) -> Vec<Finding> {
        let is_redundant = all.len() > 1;
        let shares = all.iter().any(|other| other.index != lan.index && share_a_subnet(lan, other));
        RULES
            .iter()
            .filter(|rule| match rule.applies {
                Applies::Always => true,
                Applies::IfRedundant => is_redundant,
                Applies::IfSubnetIsShared => shares,
            })
            .filter_map(|rule| self.check_rule(rule, &lan.name))
            .collect()
    }

    fn check_rule(&self, rule: &Rule, interface: &str) -> Option<Finding> {
        let own = self.read(rule, interface)?;
        let (value, all) = match rule.combined {
            Combined::Maximum => {
                let all = self.read(rule, "all").unwrap_or(0);
                (own.max(all), all)
            }
            Combined::OwnOnly => (own, 0),
        };
        let good = rule.is_good;
        if good(value) {
            return None;
        }
        // One command mends it, unless the value for all interfaces alone is wrong too.
        let mut mend = Vec::new();
        if matches!(rule.combined, Combined::Maximum) && !good(rule.want.max(all)) {
            mend.push(rule.command("all"));
        }
        if mend.is_empty() || !good(own) {
            mend.push(rule.command(interface));
        }
        Some(Finding {
            weight: rule.weight,
            what: rule.name,
            interface: interface.to_owned(),
            value,
            why: rule.why,
            mend: mend.join(" && "),
        })
    }

    fn read(&self, rule: &Rule, interface: &str) -> Option<u32> {
        let path = self.root.join(rule.family).join("conf").join(interface).join(rule.name);
        std::fs::read_to_string(path).ok()?.trim().parse().ok()
    }
}

/// What a setting should be.
struct Rule {
    family: &'static str,
    name: &'static str,
    applies: Applies,
    combined: Combined,
    is_good: fn(u32) -> bool,
    want: u32,
    weight: Weight,
    why: &'static str,
}

impl Rule {
    /// sysctl(8) takes a slash where a name has a dot.
    fn command(&self, interface: &str) -> String {
        let (family, name, want) = (self.family, self.name, self.want);
        let assignment = format!("net.{family}.conf.{}.{name}={want}", interface.replace('.', "/"));
        format!("sysctl -w {}", shell_word(&assignment))
    }
}

/// When a rule matters.
#[derive(Clone, Copy)]
enum Applies {
    Always,
    IfRedundant,
    IfSubnetIsShared,
}

/// What counts besides the interface's own value.
#[derive(Clone, Copy)]
enum Combined {
    /// The larger of it and that for `all`.
    Maximum,
    /// Nothing.
    OwnOnly,
}

/// IPv4 in force: max(all, interface), or for flags all OR interface, which is the same (Linux 6.1, 6.18).
const RULES: [Rule; 7] = [
    Rule {
        family: "ipv4",
        name: "rp_filter",
        applies: Applies::Always,
        combined: Combined::Maximum,
        is_good: |value| value != 1,
        want: 2,
        weight: Weight::Warning,
        why: "strict reverse path filtering drops packets that arrive over a LAN other than the return path",
    },
    Rule {
        family: "ipv4",
        name: "arp_announce",
        applies: Applies::IfRedundant,
        combined: Combined::Maximum,
        is_good: |value| value == 2,
        want: 2,
        weight: Weight::Warning,
        why: "ARP requests carry another LAN's address as sender, and neighbours may not answer them",
    },
    Rule {
        family: "ipv4",
        name: "arp_ignore",
        applies: Applies::IfSubnetIsShared,
        combined: Combined::Maximum,
        is_good: |value| value == 1,
        want: 1,
        weight: Weight::Warning,
        why: "with the same subnet on two interfaces, both or neither answer for an address",
    },
    Rule {
        family: "ipv4",
        name: "arp_filter",
        applies: Applies::IfSubnetIsShared,
        combined: Combined::Maximum,
        is_good: |value| value == 0,
        want: 0,
        weight: Weight::Warning,
        why: "with the same subnet on two interfaces, only the first answers, even for the other's address",
    },
    Rule {
        family: "ipv6",
        name: "addr_gen_mode",
        applies: Applies::Always,
        combined: Combined::OwnOnly,
        is_good: |value| value != 1,
        want: 0,
        weight: Weight::Warning,
        why: "the interface gets no link-local address, so IPv6 probes cannot be sent once it has been down",
    },
    Rule {
        family: "ipv4",
        name: "promote_secondaries",
        applies: Applies::Always,
        combined: Combined::Maximum,
        is_good: |value| value != 0,
        want: 1,
        weight: Weight::Note,
        why: "deleting the first address of a subnet also deletes its other addresses and their routes",
    },
    Rule {
        family: "ipv4",
        name: "ignore_routes_with_linkdown",
        applies: Applies::Always,
        combined: Combined::Maximum,
        is_good: |value| value == 0,
        want: 0,
        weight: Weight::Note,
        why: "without carrier the kernel stops using the LAN's routes on its own, including the default route",
    },
];

/// Whether both have an IPv4 address in the same subnet.
fn share_a_subnet(one: &Interface, other: &Interface) -> bool {
    let subnets = |interface: &Interface| -> Vec<IpNet> {
        let prefixes = interface.addresses.iter().map(|address| address.prefix);
        prefixes.filter(|prefix| prefix.addr().is_ipv4() && prefix.prefix_len() < 32).collect()
    };
    let others = subnets(other);
    subnets(one).iter().any(|a| others.iter().any(|b| a.contains(&b.network()) || b.contains(&a.network())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interface::{InterfaceAddress, InterfaceIndex};

    #[test]
    fn strict_rp_filter_of_all_counts_for_each_interface() {
        let tree = Tree::new("strict_all");
        tree.set("ipv4", "all", "rp_filter", 1).set("ipv4", "eth0", "rp_filter", 0);
        let found = tree.check(&[&interface(1, "eth0", "10.1.0.1/24")]);
        assert_eq!(found, [("rp_filter", 1, "sysctl -w net.ipv4.conf.eth0.rp_filter=2".to_owned())]);
    }

    #[test]
    fn loose_interface_outweighs_strict_all() {
        let tree = Tree::new("loose");
        tree.set("ipv4", "all", "rp_filter", 1).set("ipv4", "eth0", "rp_filter", 2);
        assert!(tree.check(&[&interface(1, "eth0", "10.1.0.1/24")]).is_empty());
    }

    #[test]
    fn arp_announce_matters_with_two_lans_only() {
        let tree = Tree::new("announce");
        tree.set("ipv4", "eth0", "arp_announce", 0).set("ipv4", "eth1", "arp_announce", 2);
        let (a, b) = (interface(1, "eth0", "10.1.0.1/24"), interface(2, "eth1", "10.2.0.1/24"));
        assert!(tree.check(&[&a]).is_empty());
        let mend = "sysctl -w net.ipv4.conf.eth0.arp_announce=2".to_owned();
        assert_eq!(tree.check(&[&a, &b]), [("arp_announce", 0, mend)]);
    }

    #[test]
    fn arp_filter_of_all_is_mended_there() {
        let tree = Tree::new("filter");
        tree.set("ipv4", "all", "arp_filter", 1).set("ipv4", "eth0", "arp_filter", 0);
        let (a, b) = (interface(1, "eth0", "10.1.0.1/24"), interface(2, "eth1", "10.1.0.2/24"));
        let mend = "sysctl -w net.ipv4.conf.all.arp_filter=0".to_owned();
        assert_eq!(tree.check(&[&a, &b]), [("arp_filter", 1, mend)]);
    }

    #[test]
    fn same_subnet_on_two_lans_wants_arp_ignore_1() {
        let tree = Tree::new("ignore");
        tree.set("ipv4", "all", "arp_ignore", 2).set("ipv4", "eth0", "arp_ignore", 0);
        let (a, b) = (interface(1, "eth0", "10.1.0.1/24"), interface(2, "eth1", "10.1.0.2/16"));
        let mend = "sysctl -w net.ipv4.conf.all.arp_ignore=1 && sysctl -w net.ipv4.conf.eth0.arp_ignore=1";
        assert_eq!(tree.check(&[&a, &b]), [("arp_ignore", 2, mend.to_owned())]);
        let elsewhere = interface(2, "eth1", "10.2.0.2/24");
        assert!(tree.check(&[&a, &elsewhere]).is_empty());
    }

    #[test]
    fn dotted_names_are_written_as_sysctl_wants_them() {
        let tree = Tree::new("dotted");
        tree.set("ipv6", "eth0.10", "addr_gen_mode", 1);
        let found = tree.check(&[&interface(1, "eth0.10", "fd00::1/64")]);
        assert_eq!(
            found,
            [("addr_gen_mode", 1, "sysctl -w net.ipv6.conf.eth0/10.addr_gen_mode=0".to_owned())]
        );
    }

    #[test]
    fn missing_and_unreadable_settings_are_no_findings() {
        let tree = Tree::new("missing");
        tree.write("ipv4", "eth0", "rp_filter", "what?\n");
        assert!(tree.check(&[&interface(1, "eth0", "10.1.0.1/24")]).is_empty());
    }

    /// A directory that looks like /proc/sys/net and goes when this does.
    struct Tree(PathBuf);

    impl Tree {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("faild-sysctl-{name}-{}", std::process::id()));
            std::fs::create_dir_all(&path).unwrap();
            Self(path)
        }

        fn set(&self, family: &str, interface: &str, name: &str, value: u32) -> &Self {
            self.write(family, interface, name, &format!("{value}\n"));
            self
        }

        fn write(&self, family: &str, interface: &str, name: &str, text: &str) {
            let directory = self.0.join(family).join("conf").join(interface);
            std::fs::create_dir_all(&directory).unwrap();
            std::fs::write(directory.join(name), text).unwrap();
        }

        fn check(&self, lans: &[&Interface]) -> Vec<(&'static str, u32, String)> {
            let findings = Sysctls::at(&self.0).check(lans);
            findings.into_iter().map(|finding| (finding.what, finding.value, finding.mend)).collect()
        }
    }

    impl Drop for Tree {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    fn interface(index: u32, name: &str, prefix: &str) -> Interface {
        let address = InterfaceAddress::new(prefix.parse().unwrap());
        Interface { addresses: vec![address], ..Interface::new(InterfaceIndex(index), name) }
    }
}
