//! One step of the engine at 1,000 peers on two LANs: an answer taken in, an INQ answered, a slot judged and begun.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use faild::config::Config;
use faild::engine::{Engine, Input, Memory, Output};
use faild::interface::{Interface, InterfaceAddress, InterfaceIndex};
use faild::packet::Datagram;
use faild::time::Instant;
use faild::wire::{
    BootId, Directed, Keys, Kind, LanIndex, Level, NodeId, Nonce, Packet, PathReport, Sealing, Sender, Token,
    decode, encode,
};

const PEERS: u16 = 1000;
const LANS: u8 = 2;

fn address(lan: u8, host: u16) -> IpAddr {
    let [high, low] = host.to_be_bytes();
    IpAddr::V4(Ipv4Addr::new(10, lan + 1, high, low))
}

fn interface(lan: u8) -> Interface {
    Interface {
        addresses: vec![InterfaceAddress::new(ipnet::IpNet::new(address(lan, 1), 16).expect("16 fits"))],
        ..Interface::new(InterfaceIndex(u32::from(lan) + 2), &format!("lan{lan}"))
    }
}

/// A host that answers whatever it is asked, with lists and reports as a real one would.
struct Puppet(u16);

impl Puppet {
    fn sender(&self, lan: u8, sequence: u32, nonce: u64) -> Sender {
        Sender {
            requestor: true,
            observer: false,
            lan: LanIndex(lan),
            node: NodeId(u64::from(self.0)),
            boot: BootId(u64::from(self.0)),
            sequence,
            interval: Duration::from_secs(1),
            nonce: Nonce(nonce),
            address_generation: 1,
            report_generation: 1,
        }
    }

    fn packet(&self, lan: u8, inquiry: &Packet, kind: Kind, nonce: u64) -> Packet {
        let report = |lan| PathReport {
            family: faild::interface::Family::V4,
            sender_lan: LanIndex(lan),
            receiver_lan: LanIndex(lan),
            level: Level::Up,
            ready: true,
            moved: false,
            token: Token(0),
        };
        Packet {
            kind,
            sender: self.sender(lan, inquiry.sender.sequence, nonce),
            directed: Some(Directed {
                node: inquiry.sender.node,
                boot: inquiry.sender.boot,
                address_generation: inquiry.sender.address_generation,
                report_generation: 0,
                token: Token(7),
            }),
            reports: Some((0..LANS).map(report).collect()),
            addresses: (kind == Kind::Inquiry).then(|| (0..LANS).map(|lan| address(lan, self.0)).collect()),
            cookie: None,
        }
    }
}

/// Carries what the engine says to the puppets and their answers back, for so many slots. Gives the datagrams of the
/// last slot instead of handing them in.
fn run(engine: &mut Engine, now: &mut Instant, slots: u32) -> Vec<(u8, IpAddr, IpAddr, Vec<u8>)> {
    let keys = Keys::default();
    let mut nonce = 1;
    let mut last = Vec::new();
    for slot in 0..slots {
        *now = *now + Duration::from_secs(1);
        engine.handle(*now, Input::DeadlinePassed);
        last.clear();
        while let Some(output) = engine.next_output() {
            let Output::Send(sent) = output else { continue };
            let lan = u8::try_from(sent.interface.0).unwrap_or(2) - 2;
            let inquiry =
                decode(&sent.payload, sent.source, sent.destination, &keys).expect("the engine's own packet");
            let everybody = sent.destination == IpAddr::V4(Ipv4Addr::BROADCAST);
            for host in (2..PEERS + 2).filter(|host| everybody || address(lan, *host) == sent.destination) {
                let puppet = Puppet(host);
                let echo = Kind::Acknowledgement { echo: inquiry.sender.nonce, held: Duration::ZERO };
                for kind in [echo, Kind::Inquiry] {
                    nonce += 1;
                    let (source, to) = (address(lan, host), address(lan, 1));
                    let packet = puppet.packet(lan, &inquiry, kind, nonce);
                    let sealing = Sealing::new(&keys, source, to).with_room_for(4);
                    last.push((lan, source, to, encode(&packet, &sealing)));
                }
            }
        }
        if slot + 1 < slots {
            take_in(engine, *now, &last);
        }
    }
    last
}

fn take_in(engine: &mut Engine, now: Instant, datagrams: &[(u8, IpAddr, IpAddr, Vec<u8>)]) {
    for (lan, source, destination, payload) in datagrams {
        let datagram = Datagram {
            interface: InterfaceIndex(u32::from(*lan) + 2),
            source: *source,
            destination: *destination,
            hop_limit: 255,
            arrived: now,
            payload,
        };
        engine.handle(now, Input::Datagram(datagram));
    }
}

fn thousand_peers(criterion: &mut Criterion) {
    let config = Config { requestor: true, interval: Duration::from_secs(1), ..Config::default() };
    let mut engine = Engine::new(&config, Memory::default(), [7; 32]);
    let mut now = Instant::from_nanos(1_000_000_000);
    let interfaces: Vec<_> = (0..LANS).map(interface).collect();
    engine.handle(now, Input::Interfaces(&interfaces));
    let datagrams = run(&mut engine, &mut now, 8);
    assert_eq!(engine.plan().subjects.len(), usize::from(PEERS) * usize::from(LANS));

    let mut group = criterion.benchmark_group("engine, 1,000 peers on two LANs");
    group.bench_function("answers and inquiries of one interval", |bench| {
        bench.iter_batched(
            || engine.clone(),
            |mut engine| {
                take_in(&mut engine, now, &datagrams);
                while engine.next_output().is_some() {}
                engine
            },
            BatchSize::LargeInput,
        );
    });
    take_in(&mut engine, now, &datagrams);
    while engine.next_output().is_some() {}
    group.bench_function("slots of both LANs judged and begun", |bench| {
        bench.iter_batched(
            || engine.clone(),
            |mut engine| {
                engine.handle(now + Duration::from_millis(1001), Input::DeadlinePassed);
                while engine.next_output().is_some() {}
                engine
            },
            BatchSize::LargeInput,
        );
    });
    group.finish();
}

criterion_group!(benches, thousand_peers);
criterion_main!(benches);
