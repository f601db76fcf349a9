//! The memory as TOML. Ids are in hexadecimal, as in the log: TOML's numbers end at 2^63.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::core::Memory;
use crate::engine::{self, RememberedPath};
use crate::interface::Family;
use crate::watch;
use crate::wire::{LanIndex, NodeId};

#[derive(Debug, Serialize, Deserialize)]
struct Document {
    version: u32,
    node: Option<String>,
    #[serde(default, rename = "lan")]
    lans: Vec<Lan>,
    #[serde(default, rename = "path", skip_serializing_if = "Vec::is_empty")]
    paths: Vec<Path>,
    #[serde(default, skip_serializing)]
    watch: Watch,
}

/// The watch's part, at the end of a document; there is none where it has nothing to remember.
#[derive(Debug, Serialize)]
struct Last<'a> {
    watch: &'a Watch,
}

/// What the watch remembers.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Watch {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    failed: Vec<Member>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    active: Vec<Member>,
    #[serde(rename = "penalty", skip_serializing_if = "Vec::is_empty")]
    penalties: Vec<Penalty>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    held: Vec<Hop>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Member {
    group: String,
    interface: String,
}

/// A next hop; on a link with one other end there is no gateway.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Hop {
    interface: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    gateway: Option<IpAddr>,
}

/// A next hop's.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Penalty {
    interface: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    gateway: Option<IpAddr>,
    penalty: f64,
}

/// One more path of a document.
#[derive(Debug, Serialize)]
struct Entry {
    #[serde(rename = "path")]
    paths: [Path; 1],
}

#[derive(Debug, Serialize, Deserialize)]
struct Lan {
    interface: String,
    index: u8,
}

#[derive(Debug, Serialize, Deserialize)]
struct Path {
    interface: String,
    node: String,
    lan: u8,
    family: String,
    addresses: Vec<IpAddr>,
    penalty: f64,
    held: bool,
}

/// The memory as text. Path by path: a thousand peers have two thousand, and a document of them all at once would stay
/// in the process as holes between what lives longer.
pub(super) fn text(Memory { peers, watch }: &Memory) -> String {
    let document = Document {
        version: VERSION,
        node: peers.node.map(hexadecimal),
        lans: peers
            .lans
            .iter()
            .map(|(interface, index)| Lan { interface: interface.clone(), index: index.0 })
            .collect(),
        paths: Vec::new(),
        watch: Watch::default(),
    };
    let mut text = HEADER.to_owned();
    append(&mut text, &document);
    for path in &peers.paths {
        text.push('\n');
        append(&mut text, &Entry { paths: [Path::from(path)] });
    }
    let watch = Watch::from(watch);
    if watch != Watch::default() {
        text.push('\n');
        append(&mut text, &Last { watch: &watch });
    }
    text
}

fn append(text: &mut String, part: &impl Serialize) {
    let part = toml::to_string(part);
    debug_assert!(part.is_ok(), "{part:?}");
    text.push_str(&part.unwrap_or_default());
}

/// The memory that a text holds.
///
/// # Errors
///
/// What is wrong with it, on one line.
pub(super) fn parse(text: &str) -> Result<Memory, String> {
    let document: Document = toml::from_str(text).map_err(|error| error.message().replace('\n', " "))?;
    if document.version != VERSION {
        return Err(format!("version {} is not {VERSION}", document.version));
    }
    let watch = watched(document.watch)?;
    let peers = engine::Memory {
        node: document.node.as_deref().map(node).transpose()?,
        lans: document.lans.into_iter().map(|lan| (lan.interface, LanIndex(lan.index))).collect(),
        paths: document.paths.into_iter().map(remembered).collect::<Result<_, _>>()?,
    };
    Ok(Memory { peers, watch })
}

impl From<&watch::Memory> for Watch {
    fn from(memory: &watch::Memory) -> Self {
        let members = |list: &[(String, String)]| {
            let member = |(group, interface): &(String, String)| Member {
                group: group.clone(),
                interface: interface.clone(),
            };
            list.iter().map(member).collect()
        };
        let penalty = |(interface, gateway, penalty): &(String, Option<IpAddr>, f64)| Penalty {
            interface: interface.clone(),
            gateway: *gateway,
            penalty: *penalty,
        };
        let hop = |(interface, gateway): &(String, Option<IpAddr>)| Hop {
            interface: interface.clone(),
            gateway: *gateway,
        };
        Self {
            failed: members(&memory.failed),
            active: members(&memory.active),
            penalties: memory.penalties.iter().map(penalty).collect(),
            held: memory.held.iter().map(hop).collect(),
        }
    }
}

fn watched(watch: Watch) -> Result<watch::Memory, String> {
    let members =
        |list: Vec<Member>| list.into_iter().map(|member| (member.group, member.interface)).collect();
    if let Some(bad) = watch.penalties.iter().find(|entry| !entry.penalty.is_finite()) {
        return Err(format!("penalty {} is not a number", bad.penalty));
    }
    let penalties = watch.penalties.into_iter().map(|entry| (entry.interface, entry.gateway, entry.penalty));
    Ok(watch::Memory {
        failed: members(watch.failed),
        active: members(watch.active),
        penalties: penalties.collect(),
        held: watch.held.into_iter().map(|hop| (hop.interface, hop.gateway)).collect(),
    })
}

impl From<&RememberedPath> for Path {
    fn from(path: &RememberedPath) -> Self {
        Self {
            interface: path.interface.clone(),
            node: hexadecimal(path.node),
            lan: path.lan.0,
            family: path.family.to_string(),
            addresses: path.addresses.clone(),
            penalty: path.penalty,
            held: path.held,
        }
    }
}

fn remembered(path: Path) -> Result<RememberedPath, String> {
    let family = [Family::V4, Family::V6].into_iter().find(|family| family.to_string() == path.family);
    // No penalty is infinite: it would never decay.
    if !path.penalty.is_finite() {
        return Err(format!("penalty {} is not a number", path.penalty));
    }
    Ok(RememberedPath {
        interface: path.interface,
        node: node(&path.node)?,
        lan: LanIndex(path.lan),
        family: family.ok_or_else(|| format!("unknown family {:?}", path.family))?,
        addresses: path.addresses,
        penalty: path.penalty,
        held: path.held,
    })
}

fn hexadecimal(NodeId(id): NodeId) -> String {
    format!("{id:016x}")
}

fn node(text: &str) -> Result<NodeId, String> {
    u64::from_str_radix(text, 16).map(NodeId).map_err(|_| format!("{text:?} is not a node id"))
}

const VERSION: u32 = 1;

const HEADER: &str = "# Written by faild, read at its start. A copy of this file on another host clones the node id: remove it there.\n";
