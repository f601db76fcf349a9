//! What a probe costs on its way out and in: `cargo bench --bench codec`.
//!
//! The yardstick: of 16 requestors at 10 ms on two LANs, each reads 3,000 INQs and 3,000 ACKs a second and writes
//! 3,000 ACKs.
#![allow(missing_docs)]

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use faild::interface::{Family, InterfaceIndex};
use faild::wire::{
    BootId, Cookie, CookieSecret, Directed, Keys, Kind, LanIndex, Level, NodeId, Nonce, Packet, PathReport,
    Sealing, Sender, Token, Visitor, decode, encode,
};

const SOURCE: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
const DESTINATION: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2));

/// Two LANs, both families.
const PATHS: usize = 4;

fn codec(criterion: &mut Criterion) {
    let rings = [("unkeyed", Keys::default()), ("keyed", Keys::new([(1, &[7; 32][..])]))];
    for (ring, keys) in &rings {
        for packet in [inquiry(), acknowledgement()] {
            let sealing = Sealing::new(keys, SOURCE, DESTINATION).with_room_for(PATHS);
            let bytes = encode(&packet, &sealing);
            criterion.bench_function(&format!("encode {} {ring}", packet.kind), |bencher| {
                bencher.iter(|| encode(black_box(&packet), &sealing));
            });
            criterion.bench_function(&format!("decode {} {ring}", packet.kind), |bencher| {
                bencher.iter(|| decode(black_box(&bytes), SOURCE, DESTINATION, keys));
            });
        }
    }
}

fn cookies(criterion: &mut Criterion) {
    let secret = CookieSecret::new(&[7; 32]);
    let visitor = Visitor { interface: InterfaceIndex(2), source: SOURCE, node: NodeId(1), boot: BootId(2) };
    criterion.bench_function("cookie", |bencher| bencher.iter(|| secret.cookie(black_box(&visitor), 3)));
    criterion.bench_function("cookie of another", |bencher| {
        bencher.iter(|| secret.verify(black_box(&visitor), 3, Cookie(4)));
    });
}

fn inquiry() -> Packet {
    let sender = Sender {
        requestor: true,
        observer: false,
        lan: LanIndex(1),
        node: NodeId(1),
        boot: BootId(2),
        sequence: 3,
        interval: Duration::from_millis(10),
        nonce: Nonce(4),
        address_generation: 5,
        report_generation: 6,
    };
    Packet { kind: Kind::Inquiry, sender, directed: None, reports: None, addresses: None, cookie: None }
}

fn acknowledgement() -> Packet {
    let directed = Directed {
        node: NodeId(7),
        boot: BootId(8),
        address_generation: 9,
        report_generation: 10,
        token: Token(11),
    };
    let echo = Kind::Acknowledgement { echo: Nonce(12), held: Duration::from_micros(50) };
    let reports = (0..PATHS).map(report).collect();
    Packet { kind: echo, directed: Some(directed), reports: Some(reports), ..inquiry() }
}

fn report(number: usize) -> PathReport {
    let lan = LanIndex(if number < 2 { 1 } else { 2 });
    PathReport {
        family: if number.is_multiple_of(2) { Family::V4 } else { Family::V6 },
        sender_lan: lan,
        receiver_lan: lan,
        level: Level::Up,
        ready: true,
        moved: false,
        token: Token(13),
    }
}

criterion_group!(benches, codec, cookies);
criterion_main!(benches);
