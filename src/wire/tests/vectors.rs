//! The worked examples of faild-protocol(7), byte by byte, in both directions.

use super::*;
use crate::interface::Family;

const MANUAL: &str = include_str!("../../../man/faild-protocol.7");

const A: (NodeId, BootId) = (NodeId(0xA100_0000_0000_0001), BootId(0xA1B0_0000_0000_0011));
const B: (NodeId, BootId) = (NodeId(0xB200_0000_0000_0002), BootId(0xB2B0_0000_0000_0022));
const COOKIE: Option<Cookie> = Some(Cookie(0xC0C0_C0C0_C0C0_C0C0));

/// The bytes of the literal display that follows the comment `vector NAME`; what stands behind two spaces explains.
fn vector(name: &str) -> Vec<u8> {
    let after = MANUAL.split(&format!(".\\\" vector {name}\n")).nth(1).unwrap_or_else(|| panic!("no {name}"));
    after.lines().skip(1).take_while(|line| *line != ".Ed").flat_map(line_bytes).collect()
}

/// The bytes of one line: pairs of digits, or `00 times N`.
fn line_bytes(line: &str) -> Vec<u8> {
    let hex = line.split("  ").next().unwrap();
    match hex.split_once(" times ") {
        Some((byte, times)) => vec![u8::from_str_radix(byte, 16).unwrap(); times.parse().unwrap()],
        None => hex.split(' ').map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect(),
    }
}

fn check(name: &str, packet: &Packet, (from, to): (&str, &str), keys: &Keys, paths: usize) {
    let bytes = vector(name);
    let sealing = Sealing::new(keys, address(from), address(to)).with_room_for(paths);
    assert_eq!(decode(&bytes, address(from), address(to), keys).as_ref(), Ok(packet), "{name}");
    assert_eq!(encode(packet, &sealing), bytes, "{name}");
}

fn sender((node, boot): (NodeId, BootId), lan: u8, sequence: u32, nonce: u64) -> Sender {
    Sender {
        requestor: true,
        observer: false,
        lan: LanIndex(lan),
        node,
        boot,
        sequence,
        interval: Duration::from_millis(200),
        nonce: Nonce(nonce),
        address_generation: if node == A.0 { 3 } else { 5 },
        report_generation: 0,
    }
}

fn directed((node, boot): (NodeId, BootId), addresses: u32, reports: u32, token: u64) -> Option<Directed> {
    let (address_generation, report_generation) = (addresses, reports);
    Some(Directed { node, boot, address_generation, report_generation, token: Token(token) })
}

fn report(family: Family, lan: u8, level: Level, token: u64) -> PathReport {
    let lan = LanIndex(lan);
    let (ready, moved) = (false, false);
    PathReport { family, sender_lan: lan, receiver_lan: lan, level, ready, moved, token: Token(token) }
}

fn plain(kind: Kind, sender: Sender) -> Packet {
    Packet { kind, sender, directed: None, reports: None, addresses: None, cookie: None }
}

#[test]
fn broadcast_inquiry() {
    let packet = plain(Kind::Inquiry, sender(A, 1, 42, 0x1111_1111_1111_1111));
    check("inquiry", &packet, ("192.0.2.1", "192.0.2.255"), &unkeyed(), 2);
}

#[test]
fn acknowledgement_to_a_stranger() {
    let kind = Kind::Acknowledgement { echo: Nonce(0x1111_1111_1111_1111), held: Duration::from_micros(150) };
    let sender = Sender { requestor: false, ..sender(B, 1, 0, 0x2222_2222_2222_2222) };
    let packet = Packet { directed: directed(A, 0, 0, 0), cookie: COOKIE, ..plain(kind, sender) };
    check("acknowledgement", &packet, ("192.0.2.2", "192.0.2.1"), &unkeyed(), 0);
}

#[test]
fn directed_inquiry() {
    let sender = Sender { report_generation: 1, ..sender(A, 1, 42, 0x3333_3333_3333_3333) };
    let packet = Packet {
        directed: directed(B, 0, 0, 0x8080_8080_8080_8080),
        reports: Some(vec![report(Family::V4, 1, Level::Up, 0)]),
        addresses: Some(vec![address("192.0.2.1"), address("198.51.100.1")]),
        cookie: COOKIE,
        ..plain(Kind::Inquiry, sender)
    };
    check("directed", &packet, ("192.0.2.1", "192.0.2.2"), &unkeyed(), 2);
}

#[test]
fn keyed_acknowledgement() {
    let kind = Kind::Acknowledgement { echo: Nonce(0x5555_5555_5555_5555), held: Duration::from_micros(80) };
    let dead = PathReport { moved: true, ..report(Family::V6, 1, Level::Down, 0x8080_8080_8080_8080) };
    let live = PathReport { ready: true, ..report(Family::V6, 2, Level::Up, 0x8181_8181_8181_8181) };
    let sender = Sender { report_generation: 2, ..sender(B, 2, 43, 0x4444_4444_4444_4444) };
    let packet = Packet {
        directed: directed(A, 3, 1, 0x9090_9090_9090_9090),
        reports: Some(vec![dead, live]),
        ..plain(kind, sender)
    };
    let secret: Vec<u8> = (0..32).collect();
    check("keyed", &packet, ("fe80::2", "fe80::1"), &Keys::new([(7, secret.as_slice())]), 0);
}

#[test]
fn goodbye() {
    let sender = Sender { report_generation: 1, ..sender(A, 2, 44, 0x6666_6666_6666_6666) };
    let packet =
        Packet { directed: directed(B, 5, 2, 0x8282_8282_8282_8282), ..plain(Kind::Goodbye, sender) };
    check("goodbye", &packet, ("198.51.100.1", "198.51.100.2"), &unkeyed(), 0);
}

/// Every bit of the signed example counts, and every bit of the MAC.
#[test]
fn no_bit_of_the_keyed_example_can_change() {
    let secret: Vec<u8> = (0..32).collect();
    let keys = Keys::new([(7, secret.as_slice())]);
    let bytes = vector("keyed");
    for bit in 0..bytes.len() * 8 {
        let mut changed = bytes.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        assert!(decode(&changed, address("fe80::2"), address("fe80::1"), &keys).is_err(), "bit {bit}");
    }
}

/// What is read is written as the same packet again.
#[test]
fn mutated_probes_are_refused_or_read_the_same_again() {
    let names = ["inquiry", "acknowledgement", "directed", "keyed", "goodbye"];
    let seeds = names.map(vector);
    let (from, to, keyed) = (address("192.0.2.1"), address("192.0.2.2"), super::keyed());
    crate::mutated::each_of("probe", &seeds, |bytes| {
        assert!(decode(bytes, from, to, &keyed).is_err(), "nothing is signed by that key");
        let Ok(packet) = decode(bytes, from, to, &unkeyed()) else { return };
        let again = encode(&packet, &Sealing::new(&unkeyed(), from, to));
        assert_eq!(decode(&again, from, to, &unkeyed()).as_ref(), Ok(&packet));
    });
}
