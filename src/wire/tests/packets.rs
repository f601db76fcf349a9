//! Packets to test with.

use super::*;
use crate::interface::Family;

/// A broadcast INQ.
pub(super) fn inquiry() -> Packet {
    let sender = Sender {
        requestor: true,
        observer: false,
        lan: LanIndex(1),
        node: NodeId(0xA1),
        boot: BootId(0xB1),
        sequence: 42,
        interval: Duration::from_millis(200),
        nonce: Nonce(0x1111_1111_1111_1111),
        address_generation: 3,
        report_generation: 1,
    };
    Packet { kind: Kind::Inquiry, sender, directed: None, reports: None, addresses: None, cookie: None }
}

/// An INQ to one node.
pub(super) fn directed_inquiry() -> Packet {
    let directed = Directed {
        node: NodeId(0xA2),
        boot: BootId(0xB2),
        address_generation: 5,
        report_generation: 2,
        token: Token(0x7070_7070_7070_7070),
    };
    Packet { directed: Some(directed), ..inquiry() }
}

/// The longest ACK that tells of this many paths.
pub(super) fn acknowledgement(paths: usize) -> Packet {
    let echo = Nonce(0x2222_2222_2222_2222);
    Packet {
        kind: Kind::Acknowledgement { echo, held: Duration::from_micros(150) },
        reports: Some((0..paths).map(report).collect()),
        cookie: Some(Cookie(0xC0C0_C0C0_C0C0_C0C0)),
        ..directed_inquiry()
    }
}

fn report(number: usize) -> PathReport {
    let lan = LanIndex(u8::try_from(number / 2).unwrap());
    PathReport {
        family: if number.is_multiple_of(2) { Family::V4 } else { Family::V6 },
        sender_lan: lan,
        receiver_lan: lan,
        level: Level::Up,
        ready: true,
        moved: false,
        token: Token(0),
    }
}
