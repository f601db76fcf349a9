//! Somebody on one LAN who has no key to break says what he likes there: on the other LANs nothing comes of it.

use super::*;
use crate::interface::Family;
use crate::wire::{self, Directed, Kind, Level, Nonce, Packet, PathReport, Sender, Token};

/// What host `from` could have sent to `to` on the first LAN.
pub(super) fn inquiry(world: &World, from: usize, to: usize) -> Packet {
    let engine = |host: usize| world.hosts[host].engine.as_ref().unwrap();
    let (sender, receiver) = (engine(from), engine(to));
    Packet {
        kind: Kind::Inquiry,
        sender: Sender {
            requestor: true,
            observer: false,
            lan: LanIndex(0),
            node: sender.node,
            boot: sender.boot,
            sequence: sender.lans[&LanIndex(0)].sequence,
            interval: ms(200),
            nonce: Nonce(world.now.as_nanos()),
            address_generation: 99,
            report_generation: 0,
        },
        directed: Some(Directed {
            node: receiver.node,
            boot: receiver.boot,
            address_generation: 0,
            report_generation: 0,
            token: Token(1),
        }),
        reports: None,
        addresses: None,
        cookie: None,
    }
}

#[test]
fn an_interval_that_is_announced_on_one_lan_hurries_nobody_on_another() {
    let mut world = World::new(2, 2);
    world.respond_only(1);
    world.run(ms(2000));
    let before = world.hosts[1].notices.len();
    for _ in 0..30 {
        let mut forged = inquiry(&world, 0, 1);
        forged.sender.interval = ms(0);
        world.forge(1, 0, 0, &forged);
        world.run(ms(100));
    }
    let after = world.told_since(1, before, EventName::ALL);
    assert!(!after.iter().any(|notice| notice.to_string().contains("interface=lan1")), "{after:#?}");
}

#[test]
fn an_address_does_not_float_because_somebody_on_another_lan_claims_it() {
    let mut world = World::new(3, 3);
    world.run(ms(2000));
    world.cut(1, |from, to| from + to == 1);
    world.run(ms(1000));
    let detour = world.verdict(0, 1, 1);
    assert!(matches!(detour, Some(Verdict::Detour(_))), "{}", world.state(0));
    for _ in 0..20 {
        let mut forged = inquiry(&world, 2, 0);
        forged.addresses = Some(vec![address(0, 2), address(1, 1)]);
        world.forge(0, 0, 2, &forged);
        world.run(ms(20));
    }
    assert_eq!(world.verdict(0, 1, 1), detour, "{}", world.state(0));
}

/// What a node that nobody knows answers to the newest broadcast of `to` on the first LAN, which everybody there hears.
pub(super) fn answer(world: &World, to: usize, node: u64, boot: u64) -> Packet {
    let receiver = world.hosts[to].engine.as_ref().unwrap();
    let echo = receiver.lans[&LanIndex(0)].broadcasts.back().unwrap().nonce;
    let mut packet = inquiry(world, to, to);
    packet.kind = Kind::Acknowledgement { echo, held: Duration::ZERO };
    packet.sender = Sender { node: NodeId(node), boot: BootId(boot), ..packet.sender };
    packet
}

/// `count` invented nodes answer a broadcast of host 0, under addresses that nobody has.
fn flood(world: &mut World, ids: std::ops::Range<u64>) {
    for id in ids {
        let from = 100 + usize::try_from(id % 100).unwrap();
        let packet = answer(world, 0, id, 1);
        world.forge(0, 0, from, &packet);
    }
}

fn peers(world: &World) -> usize {
    world.hosts[0].engine.as_ref().unwrap().peers.len()
}

#[test]
fn invented_nodes_neither_crowd_out_real_ones_nor_slow_us_down() {
    let mut world = World::new(3, 2);
    world.kill(2);
    world.run(ms(2000));
    for burst in 0..40 {
        flood(&mut world, 1000 + burst * 500..1000 + (burst + 1) * 500);
        world.run(ms(100));
        assert!(peers(&world) <= 1024 + 1, "{}", peers(&world));
    }
    let engine = world.hosts[0].engine.as_ref().unwrap();
    assert_eq!(engine.interval, ms(200));
    // A host that comes in the midst of it is met, and a real fault is still seen.
    world.start(2, &Config { requestor: true, ..Config::default() }, Memory::default());
    world.run(ms(2000));
    assert_eq!(world.verdict(0, 0, 2), Some(Verdict::Home));
    flood(&mut world, 100_000..102_000);
    world.cut(0, |from, to| from < 2 && to < 2);
    for burst in 0..7 {
        flood(&mut world, 110_000 + burst * 200..110_200 + burst * 200);
        world.run(ms(100));
    }
    assert!(matches!(world.verdict(0, 0, 1), Some(Verdict::Detour(_))), "no detour");
    world.cut(0, |_, _| false);
    world.run(ms(20_000));
    assert_eq!(peers(&world), 2, "they are forgotten soon");
}

#[test]
fn an_invented_boot_id_neither_restarts_a_peer_nor_keeps_it_from_moving() {
    let mut world = World::new(3, 2);
    world.kill(2);
    world.run(ms(2000));
    let node = world.hosts[1].engine.as_ref().unwrap().node;
    world.cut(0, |from, to| from < 2 && to < 2);
    for slot in 0..10 {
        // Under the peer's own address, and under another; a new run each time, and the same again.
        for (from, boot) in [(1, slot), (2, slot), (1, 7), (2, 7)] {
            let lie = answer(&world, 0, node.0, boot);
            world.forge(0, 0, from, &lie);
        }
        world.run(ms(70));
    }
    assert!(matches!(world.verdict(0, 0, 1), Some(Verdict::Detour(_))), "{}", world.state(0));
    assert_eq!(world.told(0, &[EventName::PeerRestarted]), [], "{}", world.state(0));
}

#[test]
fn a_peer_that_runs_anew_is_believed_within_a_slot() {
    let mut world = World::new(2, 2);
    world.run(ms(2000));
    let memory = world.remembered(1);
    world.start(1, &Config { requestor: true, ..Config::default() }, memory);
    world.run(ms(250));
    assert_ne!(world.told(0, &[EventName::PeerRestarted]), [], "{}", world.state(0));
    assert_eq!(world.told(0, &[EventName::DuplicateNodeId, EventName::PathDown]), [], "{}", world.state(0));
}

/// Even if he who bears it answers at his address whatever he is asked.
#[test]
fn our_id_is_drawn_anew_once_however_often_somebody_bears_it() {
    let mut world = World::new(2, 2);
    world.kill(1);
    world.run(ms(500));
    let mut ids = std::collections::BTreeSet::new();
    for _ in 0..5 {
        let own = world.hosts[0].engine.as_ref().unwrap().node;
        ids.insert(own);
        world.tap(0);
        let mut lie = answer(&world, 0, own.0, u64::MAX);
        world.forge(0, 0, 1, &lie);
        world.run(ms(1));
        let is_question = |flight: &&super::world::Flight| flight.to == 1 && !flight.sent().is_broadcast;
        let question = world.tape(0).iter().rfind(is_question).unwrap().clone();
        let asked = wire::decode(&question.payload, question.source, question.destination, &Keys::default());
        lie.kind = Kind::Acknowledgement { echo: asked.unwrap().sender.nonce, held: Duration::ZERO };
        world.forge(0, 0, 1, &lie);
        world.run(ms(300));
    }
    assert_eq!(ids.len(), 2);
}

/// "I do not hear you on the first LAN", said on the second by somebody who does not know the token of the first.
pub(super) fn denial(world: &World, from: usize, to: usize) -> Packet {
    let engine = world.hosts[from].engine.as_ref().unwrap();
    let receiver = world.hosts[to].engine.as_ref().unwrap().node;
    let mut forged = inquiry(world, from, to);
    forged.sender.lan = LanIndex(1);
    forged.sender.sequence = engine.lans[&LanIndex(1)].sequence;
    forged.sender.report_generation = engine.peers[&receiver].report_generation;
    forged.reports = Some(vec![PathReport {
        family: Family::V4,
        sender_lan: LanIndex(0),
        receiver_lan: LanIndex(0),
        level: Level::Down,
        ready: false,
        moved: true,
        token: Token(1),
    }]);
    forged
}

/// "I am an observer", said on the first LAN under the peer's id, while the peer does not hear us on the second.
#[test]
fn an_observer_that_is_forged_on_one_lan_hides_no_fault_of_another() {
    let mut world = World::new(2, 2);
    world.respond_only(0);
    world.run(ms(2000));
    world.cut(1, |from, _| from == 0);
    world.run(ms(1500));
    assert!(matches!(world.verdict(0, 1, 1), Some(Verdict::Detour(_))), "{}", world.state(0));
    for _ in 0..100 {
        let mut forged = inquiry(&world, 1, 0);
        forged.sender.observer = true;
        forged.directed = None;
        world.forge(0, 0, 1, &forged);
        assert!(matches!(world.verdict(0, 1, 1), Some(Verdict::Detour(_))), "{}", world.state(0));
        world.run(ms(50));
        assert!(matches!(world.verdict(0, 1, 1), Some(Verdict::Detour(_))), "{}", world.state(0));
    }
}

/// Rule 5: three INQs on the LAN in question come first, and an answer is worth more than the word.
#[test]
fn negative_report_without_token() {
    let mut world = World::new(2, 2);
    world.run(ms(2000));
    for _ in 0..20 {
        let forged = denial(&world, 1, 0);
        world.forge(0, 1, 1, &forged);
        world.run(ms(50));
    }
    assert_eq!(world.verdict(0, 0, 1), Some(Verdict::Home), "{}", world.state(0));
    assert_eq!(world.told(0, &[EventName::PathDown]), [], "{}", world.state(0));
}

/// A responder asks for the addresses of those who ask it, and not more because they ask often: each could be a source that
/// somebody has made up.
#[test]
fn who_asks_often_under_many_addresses_is_not_asked_as_often() {
    const PATHS: u8 = 32;
    let mut world = World::new(3, 2);
    world.respond_only(0);
    world.kill(1);
    world.kill(2);
    world.run(ms(500));
    let (mut nonces, mut sequences) = (1 << 40, 0);
    let mut packet = |world: &World, lan: u8| {
        let mut packet = inquiry(world, 0, 0);
        (nonces, sequences) = (nonces + 1, sequences + 1);
        packet.sender = Sender {
            node: NodeId(4242),
            boot: BootId(1),
            lan: LanIndex(lan),
            interval: ms(10),
            nonce: Nonce(nonces),
            sequence: sequences,
            ..packet.sender
        };
        packet
    };
    world.tap(0);
    let first = packet(&world, 0);
    world.forge(0, 0, 2, &first);
    world.run(ms(5));
    let answer = world.tape(0).iter().rfind(|flight| flight.to == 2 && !flight.sent().is_broadcast).unwrap();
    let answer = wire::decode(&answer.payload, answer.source, answer.destination, &Keys::default()).unwrap();
    for lan in 0..PATHS {
        let cookie = Packet { cookie: answer.cookie, ..packet(&world, lan) };
        world.forge(0, 0, 2, &cookie);
        for source in 0..16 {
            let inquiry = packet(&world, lan);
            world.forge(0, 0, 10 + (usize::from(lan) * 7 + source) % 200, &inquiry);
        }
    }
    assert_eq!(world.engine(0).peers[&NodeId(4242)].paths.len(), 4);
    let goodbye = Packet { kind: Kind::Goodbye, directed: None, ..packet(&world, 0) };
    world.forge(0, 0, 2, &goodbye);
    world.run(ms(100));
    let sent = world.engine(0).counters.sent;
    let mut said = 0;
    for _ in 0..200 {
        let inquiry = packet(&world, 0);
        world.tap(0);
        world.forge(0, 0, 2, &inquiry);
        said += 1;
        // It is there, and answers what it is asked.
        for flight in world.tape(0).iter().filter(|flight| flight.to == 2).cloned().collect::<Vec<_>>() {
            let asked =
                wire::decode(&flight.payload, flight.source, flight.destination, &Keys::default()).unwrap();
            if asked.kind == Kind::Inquiry {
                let kind = Kind::Acknowledgement { echo: asked.sender.nonce, held: Duration::ZERO };
                let answer = Packet { kind, ..packet(&world, 0) };
                world.forge(0, 0, 2, &answer);
                said += 1;
            }
        }
        world.run(ms(1));
    }
    let sent = world.engine(0).counters.sent - sent;
    assert!(!world.engine(0).peers[&NodeId(4242)].absent);
    assert!(sent < said * 3, "{sent} packets for {said}");
}

/// Who bears our own id gets answers, but only if he can be on the LAN.
#[test]
fn own_id_from_elsewhere_is_not_answered() {
    let mut world = World::new(2, 2);
    world.run(ms(2000));
    let mut forged = inquiry(&world, 0, 0);
    forged.sender.boot = BootId(77);
    let receiver = address(0, 0);
    for (source, answers) in [(address(0, 1), 1), (address(1, 1), 0), (IpAddr::from([192, 0, 2, 1]), 0)] {
        let payload = wire::encode(&forged, &wire::Sealing::new(&Keys::default(), source, receiver));
        let sent = world.engine(0).counters.sent;
        world.replay(&super::world::Flight {
            lan: 0,
            from: 1,
            to: 0,
            source,
            destination: receiver,
            payload,
        });
        assert_eq!(world.engine(0).counters.sent - sent, answers, "{source}");
    }
}
