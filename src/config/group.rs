//! `[[group]]`: interfaces on one subnet that take over for each other.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::document::{Key, Value};
use super::draft::{Draft, Placed};
use super::fault::{Complaint, Fault, Origin};
use super::file::{missing, put};
use super::target::{self, Names};
use super::watch::DETECTION_TIME;
use super::{GroupConfig, LanConfig, MemberConfig, TargetConfig, value};
use crate::interface::Family;

/// A section before it is checked.
#[derive(Debug)]
pub(super) struct GroupDraft {
    /// Without members and targets.
    group: GroupConfig,
    members: Vec<Placed<MemberConfig>>,
    targets: Vec<Placed<String>>,
    /// No part of it was refused, so a missing key is really missing.
    is_sound: bool,
}

pub(super) const KEYS: &[Key<GroupDraft>] = &[
    Key {
        name: "name",
        default: "",
        read: |draft, v, _| put(&mut draft.group.name, value::peer_name(v.text("a name in quotes")?)),
    },
    Key { name: "members", default: "", read: read_members },
    Key {
        name: "detection-time",
        default: "\"10s\"",
        read: |draft, v, _| put(&mut draft.group.detection_time, v.duration(&DETECTION)),
    },
    Key {
        name: "failback",
        default: "true",
        read: |draft, v, _| put(&mut draft.group.failback, v.boolean()),
    },
    Key {
        name: "targets",
        default: "[]",
        read: |draft, v, faults| target::read(&mut draft.targets, v, faults),
    },
];

pub(super) const MEMBER: &[Key<MemberConfig>] = &[
    Key {
        name: "interface",
        default: "",
        read: |member, v, _| put(&mut member.interface, value::interface_name(v.text("a name in quotes")?)),
    },
    Key {
        name: "test-address",
        default: "",
        read: |member, v, _| put(&mut member.test_address, test_address(v)),
    },
    Key { name: "standby", default: "false", read: |member, v, _| put(&mut member.standby, v.boolean()) },
    Key { name: "ipv6", default: "true", read: |member, v, _| put(&mut member.ipv6, v.boolean()) },
    Key { name: "bring-up", default: "true", read: |member, v, _| put(&mut member.bring_up, v.boolean()) },
];

/// Reads the sections.
pub(super) fn read(draft: &mut Draft, value: &Value<'_>, faults: &mut Vec<Fault>) -> Result<(), Complaint> {
    for section in value.items("a list of sections; write [[group]] with two brackets", GROUPS)? {
        let before = faults.len();
        let group = GroupConfig {
            name: String::new(),
            members: Vec::new(),
            detection_time: DETECTION_TIME,
            failback: true,
            targets: Vec::new(),
        };
        let mut group = GroupDraft { group, members: Vec::new(), targets: Vec::new(), is_sound: false };
        section.read(KEYS, &mut group, faults)?;
        let text = "has no members; add members = [{ interface = \"eth0\" }, { interface = \"eth1\" }]";
        missing(&section, "members", text, faults);
        group.is_sound = section.is_whole && faults.len() == before;
        draft.groups.push(Placed { origin: section.origin(), value: group });
    }
    Ok(())
}

fn read_members(draft: &mut GroupDraft, value: &Value<'_>, faults: &mut Vec<Fault>) -> Result<(), Complaint> {
    const WANTED: &str = "a list such as [{ interface = \"eth0\" }, { interface = \"eth1\" }]";
    let items = value.items(WANTED, MEMBERS)?;
    if items.is_empty() {
        return Err(Complaint::Other("is empty; list at least one interface"));
    }
    for item in items {
        let mut member = MemberConfig {
            interface: String::new(),
            standby: false,
            test_address: None,
            ipv6: true,
            bring_up: true,
        };
        if let Err(complaint) = item.read(MEMBER, &mut member, faults) {
            faults.push(item.fault(&complaint));
        } else if member.interface.is_empty() {
            missing(&item, "interface", "has no interface; add interface = \"eth0\"", faults);
        } else {
            draft.members.push(Placed { origin: item.origin(), value: member });
        }
    }
    Ok(())
}

/// The source address of IPv4 probes. IPv6 probes use the link-local one.
fn test_address(value: &Value<'_>) -> Result<IpAddr, Complaint> {
    match value.text("an address in quotes").and_then(value::host_address)? {
        address @ IpAddr::V4(_) => Ok(address),
        IpAddr::V6(_) => Err(Complaint::Other(
            "is IPv6, where probes always use the link-local address; use an IPv4 address, or remove it",
        )),
    }
}

/// The groups with the addresses of their targets, checked against each other, the LANs and the excluded interfaces.
pub(super) fn finish(
    drafts: Vec<Placed<GroupDraft>>,
    lans: &[Placed<LanConfig>],
    exclude: &[Placed<String>],
    names: &mut Names,
    faults: &mut Vec<Fault>,
) -> Vec<GroupConfig> {
    check_names(&drafts, faults);
    check_interfaces(&drafts, faults);
    check_test_addresses(&drafts, faults);
    for member in drafts.iter().flat_map(|draft| &draft.value.members) {
        let name = &member.value.interface;
        if lans.iter().any(|lan| lan.value.interface == *name) {
            let text =
                format!("interface {name} is both a LAN and in a [[group]]; remove it from one of them");
            faults.push(Fault::new(member.origin.clone(), text));
        }
        if exclude.iter().any(|excluded| excluded.value == *name) {
            let text =
                format!("interface {name} is both excluded and in a [[group]]; remove it from one of them");
            faults.push(Fault::new(member.origin.clone(), text));
        }
    }
    drafts.into_iter().map(|draft| draft.value.finish(&draft.origin, names, faults)).collect()
}

/// Two groups with the same name.
fn check_names(drafts: &[Placed<GroupDraft>], faults: &mut Vec<Fault>) {
    let mut seen = BTreeMap::new();
    for Placed { origin, value: draft } in drafts.iter().filter(|draft| !draft.value.group.name.is_empty()) {
        if seen.insert(&draft.group.name, ()).is_some() {
            let text = format!("group name {} is used twice; rename one", draft.group.name);
            faults.push(Fault::new(origin.clone(), text));
        }
    }
}

/// An interface that is in two groups, or in one twice.
fn check_interfaces(drafts: &[Placed<GroupDraft>], faults: &mut Vec<Fault>) {
    let mut owners = BTreeMap::new();
    for (index, draft) in drafts.iter().enumerate() {
        for Placed { origin, value: member } in &draft.value.members {
            let name = &member.interface;
            let text = match owners.insert(name, index) {
                None => continue,
                Some(other) if other == index => {
                    format!("interface {name} is listed twice in its group; remove one")
                }
                Some(_) => format!("interface {name} is in two groups; remove it from one"),
            };
            faults.push(Fault::new(origin.clone(), text));
        }
    }
}

/// A test address used by two interfaces: answers could not be assigned to one of them.
fn check_test_addresses(drafts: &[Placed<GroupDraft>], faults: &mut Vec<Fault>) {
    let mut owners = BTreeMap::new();
    for Placed { origin, value: member } in drafts.iter().flat_map(|draft| &draft.value.members) {
        let Some(address) = member.test_address else { continue };
        if let Some(other) = owners.insert(address, &member.interface) {
            let text = format!(
                "test address {address} is used by both {other} and {}; give each its own",
                member.interface
            );
            faults.push(Fault::new(origin.clone(), text));
        }
    }
}

impl GroupDraft {
    fn finish(self, origin: &Origin, names: &mut Names, faults: &mut Vec<Fault>) -> GroupConfig {
        // Without a test address no member could probe an IPv4 target, and a name may have addresses of both families.
        let has_test_address = self.members.iter().any(|member| member.value.test_address.is_some());
        let family = has_test_address.then_some(Family::V4);
        let targets = target::resolve(&self.targets, family, names, faults);
        if self.is_sound {
            faults.extend(self.check_standbys(origin));
            for target in &targets {
                faults.extend(self.check_target(target));
            }
        }
        GroupConfig {
            members: self.members.into_iter().map(|member| member.value).collect(),
            targets: targets.into_iter().map(|target| target.value).collect(),
            ..self.group
        }
    }

    fn check_standbys(&self, origin: &Origin) -> Option<Fault> {
        let is_anonymous = self.group.name.is_empty();
        if let Some(standby) = self.members.iter().find(|member| member.value.standby && is_anonymous) {
            let text = format!(
                "{} is a standby in an anonymous group, where nothing takes over; name the group",
                standby.value.interface
            );
            return Some(Fault::new(standby.origin.clone(), text));
        }
        let has_active = self.members.iter().any(|member| !member.value.standby);
        (!has_active).then(|| {
            let text = format!(
                "group {} has only standbys; set standby = false for at least one member",
                self.group.name
            );
            Fault::new(origin.clone(), text)
        })
    }

    /// A target that no member could probe, or that is a member's own address.
    fn check_target(&self, target: &Placed<TargetConfig>) -> Option<Fault> {
        let TargetConfig { name, address } = &target.value;
        let members = || self.members.iter().map(|member| &member.value);
        let text = if let Some(own) = members().find(|member| member.test_address == Some(*address)) {
            format!("target {name} is the test address of {}; use another host", own.interface)
        } else if address.is_ipv4() && members().all(|member| member.test_address.is_none()) {
            format!(
                "target {name} is IPv4, but no member has a test address to probe it from; add test-address"
            )
        } else if address.is_ipv6() && members().all(|member| !member.ipv6) {
            format!("target {name} is IPv6, but every member has ipv6 = false; use an IPv4 target")
        } else {
            return None;
        };
        Some(Fault::new(target.origin.clone(), text))
    }
}

/// Valid settings that are probably not what was meant.
pub(super) fn warnings(groups: &[GroupConfig]) -> Vec<String> {
    let mut warnings = Vec::new();
    for group in groups.iter().filter(|group| !group.name.is_empty()) {
        if let [only] = group.members.as_slice() {
            warnings.push(format!(
                "{} is the only member of group {}, so nothing can take over for it; add another",
                only.interface, group.name
            ));
        }
    }
    warnings
}

/// Sections: more than any host has subnets with spare interfaces.
const GROUPS: usize = 32;
/// Members of a group: each is probed with each target.
const MEMBERS: usize = 16;
/// in.mpathd(8) accepts no less than 100 ms: it is divided among seven probes. More than an hour is not a failover.
const DETECTION: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_secs(3600);

#[cfg(test)]
mod tests;
