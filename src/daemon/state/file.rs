//! The memory as TOML. Ids are in hexadecimal, as in the log: TOML's numbers end at 2^63.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::engine::{Memory, RememberedPath};
use crate::interface::Family;
use crate::wire::{LanIndex, NodeId};

#[derive(Debug, Serialize, Deserialize)]
struct Document {
    version: u32,
    node: Option<String>,
    #[serde(default, rename = "lan")]
    lans: Vec<Lan>,
    #[serde(default, rename = "path", skip_serializing_if = "Vec::is_empty")]
    paths: Vec<Path>,
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
pub(super) fn text(memory: &Memory) -> String {
    let document = Document {
        version: VERSION,
        node: memory.node.map(hexadecimal),
        lans: memory
            .lans
            .iter()
            .map(|(interface, index)| Lan { interface: interface.clone(), index: index.0 })
            .collect(),
        paths: Vec::new(),
    };
    let mut text = HEADER.to_owned();
    append(&mut text, &document);
    for path in &memory.paths {
        text.push('\n');
        append(&mut text, &Entry { paths: [Path::from(path)] });
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
    Ok(Memory {
        node: document.node.as_deref().map(node).transpose()?,
        lans: document.lans.into_iter().map(|lan| (lan.interface, LanIndex(lan.index))).collect(),
        paths: document.paths.into_iter().map(remembered).collect::<Result<_, _>>()?,
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
