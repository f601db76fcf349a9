//! A change as a hook gets it: environment variables for shell scripts, one line of JSON on standard input for all else.

use std::time::Duration;

use serde::Serialize;

use crate::change::{Change, PeerWords};
use crate::time::Stamp;
use crate::wire::NodeId;

/// What a run is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Message {
    /// Names and values; nothing else is in the environment.
    pub(super) environment: Vec<(&'static str, String)>,
    /// For standard input: at most [`LONGEST`] bytes, with the line break.
    pub(super) json: String,
}

impl Message {
    /// The message of `node`, this host, about what changed at `at`, the time since 1970.
    pub(super) fn new(change: &Change, node: NodeId, at: Duration) -> Self {
        let time = Stamp(at).to_string();
        let first = change.peers.first();
        let words = |peers: &[String]| peers.join(" ");
        let mut environment = vec![
            ("PATH", PATH.to_owned()),
            ("FAILD_EVENT", change.kind.name().to_owned()),
            ("FAILD_TIME", time.clone()),
            ("FAILD_NODE", node.to_string()),
        ];
        let more = [
            ("FAILD_INTERFACE", change.interface.clone()),
            ("FAILD_PEER", first.map(|peer| peer.node.to_string())),
            ("FAILD_PEER_NAME", first.and_then(|peer| peer.name.clone())),
            ("FAILD_PEER_ADDRESSES", first.map(|peer| words(&texts(&peer.addresses)))),
            ("FAILD_PEERS", (change.count > 0).then(|| change.count.to_string())),
            ("FAILD_GROUP", change.group.clone()),
            ("FAILD_DESTINATION", change.destination.map(|to| to.prefix.to_string())),
            ("FAILD_TABLE", change.destination.map(|to| to.table.to_string())),
        ];
        environment.extend(more.into_iter().filter_map(|(name, value)| Some((name, value?))));
        Self { environment, json: json(change, node, &time) }
    }
}

#[derive(Serialize)]
struct Json<'a> {
    version: u8,
    event: &'static str,
    time: &'a str,
    node: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    interface: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    group: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    destination: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    table: Option<u32>,
    #[serde(skip_serializing_if = "is_zero")]
    count: usize,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    peers: Vec<JsonPeer<'a>>,
}

#[derive(Serialize)]
struct JsonPeer<'a> {
    node: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    addresses: Vec<String>,
}

/// One line. If it does not fit, fewer peers are in it; `count` still tells how many there are.
fn json(change: &Change, node: NodeId, time: &str) -> String {
    for most in (0..=change.peers.len()).rev() {
        let line = Json {
            version: 1,
            event: change.kind.name(),
            time,
            node: node.to_string(),
            interface: change.interface.as_deref(),
            group: change.group.as_deref(),
            destination: change.destination.map(|to| to.prefix.to_string()),
            table: change.destination.map(|to| to.table),
            count: change.count,
            peers: change.peers.iter().take(most).map(json_peer).collect(),
        };
        // Texts and numbers are always JSON.
        let line = serde_json::to_string(&line).unwrap_or_default() + "\n";
        if line.len() <= LONGEST {
            return line;
        }
    }
    String::new()
}

fn json_peer(peer: &PeerWords) -> JsonPeer<'_> {
    JsonPeer { node: peer.node.to_string(), name: peer.name.as_deref(), addresses: texts(&peer.addresses) }
}

fn texts<T: ToString>(list: &[T]) -> Vec<String> {
    list.iter().map(ToString::to_string).collect()
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands it so")]
fn is_zero(count: &usize) -> bool {
    *count == 0
}

const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Whatever room a pipe has, it has it for a page (pipe(7)): so who does not read blocks nobody.
const LONGEST: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ChangeKind;
    use crate::watch::Destination;

    fn change(peers: usize) -> Change {
        let peer = |number: u64| PeerWords {
            node: NodeId(number),
            name: Some(format!("name-\"{number}\"")),
            addresses: vec!["fd00:1111:2222:3333:4444:5555:6666:7777".parse().unwrap(); 8],
        };
        let peers: Vec<PeerWords> = (1..=peers as u64).map(peer).collect();
        let count = peers.len();
        Change { peers, count, ..Change::plain(ChangeKind::RedundancyLost) }
    }

    #[test]
    fn a_lan_is_told_without_peers() {
        let lan = Change { interface: Some("eth0".to_owned()), ..Change::plain(ChangeKind::LanDown) };
        let message = Message::new(&lan, NodeId(0xfa1d), Duration::from_millis(1_700_000_000_123));
        assert_eq!(
            message.json,
            "{\"version\":1,\"event\":\"lan-down\",\"time\":\"2023-11-14T22:13:20.123Z\",\
             \"node\":\"000000000000fa1d\",\"interface\":\"eth0\"}\n"
        );
        let names: Vec<&str> = message.environment.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, ["PATH", "FAILD_EVENT", "FAILD_TIME", "FAILD_NODE", "FAILD_INTERFACE"]);
    }

    #[test]
    fn any_name_of_an_interface_is_valid_json_on_one_line() {
        for bytes in [&b"a\xff\xfe"[..], b"\"b\\", b"\x1b[2J\x7f", b"$(id);c", "\u{2028}d\u{202e}".as_bytes()]
        {
            // As names are read from the kernel.
            let name = String::from_utf8_lossy(bytes).into_owned();
            let lan = Change { interface: Some(name.clone()), ..Change::plain(ChangeKind::LanDown) };
            let message = Message::new(&lan, NodeId(1), Duration::ZERO);
            assert_eq!(message.json.matches('\n').count(), 1, "{}", message.json);
            let json: serde_json::Value = serde_json::from_str(&message.json).unwrap();
            assert_eq!(json["interface"], *name);
            assert!(message.environment.contains(&("FAILD_INTERFACE", name)));
        }
    }

    #[test]
    fn a_destination_is_told_with_its_table_and_an_interface_with_its_group() {
        let to = Destination { table: 100, prefix: "10.9.0.0/16".parse().unwrap() };
        let moved = Change { destination: Some(to), ..Change::plain(ChangeKind::RouteFailover) };
        let message = Message::new(&moved, NodeId(1), Duration::ZERO);
        assert!(message.json.contains(r#""destination":"10.9.0.0/16","table":100"#), "{}", message.json);
        assert!(message.environment.contains(&("FAILD_TABLE", "100".to_owned())));
        let failed = Change {
            interface: Some("eth1".to_owned()),
            group: Some("lan0".to_owned()),
            ..Change::plain(ChangeKind::InterfaceFailed)
        };
        let message = Message::new(&failed, NodeId(1), Duration::ZERO);
        assert!(message.json.contains(r#""interface":"eth1","group":"lan0""#), "{}", message.json);
        assert!(message.environment.contains(&("FAILD_GROUP", "lan0".to_owned())));
    }

    #[test]
    fn peers_are_told_as_far_as_they_fit_and_quotes_are_no_way_out() {
        let message = Message::new(&change(1), NodeId(1), Duration::ZERO);
        let value: serde_json::Value = serde_json::from_str(&message.json).unwrap();
        assert_eq!(value["peers"][0]["name"], "name-\"1\"");
        let message = Message::new(&change(16), NodeId(1), Duration::ZERO);
        let value: serde_json::Value = serde_json::from_str(&message.json).unwrap();
        assert!(message.json.len() <= LONGEST && message.json.ends_with("}\n"));
        assert_eq!(value["count"], 16);
        let told = value["peers"].as_array().unwrap().len();
        assert!((4..16).contains(&told), "{told}");
    }
}
