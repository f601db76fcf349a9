//! `[[lan]]`: the configured LANs.

use super::document::{Key, Value};
use super::draft::{Draft, Placed};
use super::fault::{Complaint, Fault};
use super::file::{missing, put};
use super::{LanConfig, value};

pub(super) const KEYS: &[Key<LanConfig>] = &[
    Key {
        name: "interface",
        default: "",
        read: |lan, v, _| put(&mut lan.interface, value::interface_name(v.text("a name in quotes")?)),
    },
    Key { name: "ipv4", default: "true", read: |lan, v, _| put(&mut lan.ipv4, v.boolean()) },
    Key { name: "ipv6", default: "true", read: |lan, v, _| put(&mut lan.ipv6, v.boolean()) },
    Key {
        name: "multicast-group",
        default: "\"ff02::1\"",
        read: |lan, v, _| put(&mut lan.multicast_group, value::multicast_group(v.text("a group in quotes")?)),
    },
    Key { name: "broadcast", default: "true", read: |lan, v, _| put(&mut lan.broadcast, v.boolean()) },
];

pub(super) fn read(draft: &mut Draft, value: &Value<'_>, faults: &mut Vec<Fault>) -> Result<(), Complaint> {
    for section in value.items("a list of sections; write [[lan]] with two brackets", LANS)? {
        let mut lan = LanConfig::new("");
        section.read(KEYS, &mut lan, faults)?;
        if !lan.ipv4 && !lan.ipv6 {
            faults
                .push(section.fault_of_section("has neither ipv4 nor ipv6 enabled; set one of them to true"));
        }
        if lan.interface.is_empty() {
            missing(&section, "interface", "has no interface; add interface = \"eth0\"", faults);
        } else {
            draft.lans.push(Placed { origin: section.origin(), value: lan });
        }
    }
    Ok(())
}

/// `[[lan]]` sections that are read: the number that may be used is checked later, with a better message.
const LANS: usize = 64;
