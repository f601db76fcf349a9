//! `[[peer]]`: hosts that are known before they are heard.

use std::net::IpAddr;

use super::document::{Key, Value};
use super::draft::{Draft, Placed};
use super::fault::{Complaint, Fault};
use super::file::{missing, put};
use super::{PeerConfig, value};

pub(super) const KEYS: &[Key<PeerConfig>] = &[
    Key {
        name: "name",
        default: "",
        read: |peer, v, _| put(&mut peer.name, value::peer_name(v.text("a name in quotes")?)),
    },
    Key { name: "addresses", default: "", read: read_addresses },
];

pub(super) fn read(draft: &mut Draft, value: &Value<'_>, faults: &mut Vec<Fault>) -> Result<(), Complaint> {
    for section in value.items("a list of sections; write [[peer]] with two brackets", PEERS)? {
        let mut peer = PeerConfig { name: String::new(), addresses: Vec::new() };
        section.read(KEYS, &mut peer, faults)?;
        if peer.name.is_empty() {
            missing(&section, "name", "has no name; add name = \"host2\"", faults);
        }
        if peer.addresses.is_empty() {
            missing(&section, "addresses", "has no address; add addresses = [\"192.0.2.7\"]", faults);
        }
        draft.peers.push(Placed { origin: section.origin(), value: peer });
    }
    Ok(())
}

fn read_addresses(
    peer: &mut PeerConfig,
    value: &Value<'_>,
    faults: &mut Vec<Fault>,
) -> Result<(), Complaint> {
    let items = value.items("a list of addresses such as [\"192.0.2.7\"]", ADDRESSES)?;
    if items.is_empty() {
        return Err(Complaint::Other("is empty; list at least one address"));
    }
    for item in items {
        match item.text("an address in quotes").and_then(value::peer_address) {
            Ok(address) => add_address(&mut peer.addresses, address, &item, faults),
            Err(complaint) => faults.push(item.fault(&complaint)),
        }
    }
    Ok(())
}

fn add_address(addresses: &mut Vec<IpAddr>, address: IpAddr, item: &Value<'_>, faults: &mut Vec<Fault>) {
    if addresses.contains(&address) {
        faults.push(item.fault(&Complaint::Other("is listed twice; remove one")));
    } else {
        addresses.push(address);
    }
}

/// Peers: four times what the daemon is built and measured for.
const PEERS: usize = 4096;
/// Addresses of a peer: four LANs with eight each.
const ADDRESSES: usize = 32;
