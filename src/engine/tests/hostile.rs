//! Somebody on one LAN who has no key to break says what he likes there: on the other LANs nothing comes of it.

use super::*;
use crate::interface::Family;
use crate::wire::{Directed, Kind, Level, Nonce, Packet, PathReport, Sender, Token};

/// What host `from` could have sent to `to` on the first LAN.
fn inquiry(world: &World, from: usize, to: usize) -> Packet {
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
    let after: Vec<_> = world.hosts[1].notices[before..].iter().map(|(_, text)| text.clone()).collect();
    assert!(!after.iter().any(|text| text.contains("interface=lan1")), "{after:#?}");
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

/// "I do not hear you on the first LAN", said on the second by somebody who does not know the token of the first.
fn denial(world: &World, from: usize, to: usize) -> Packet {
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
    let said = world.hosts[0].notices.iter().any(|(_, text)| text.starts_with("path-down"));
    assert!(!said, "{}", world.state(0));
}
