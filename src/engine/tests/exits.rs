//! What ends each wait: nothing may wait for what never comes.

use super::world::SentKind;
use super::*;
use crate::engine::path::PathKey;
use crate::interface::Family;
use crate::wire::{Kind, LanIndex, Level, Packet, Sender};

fn key(lan: u8) -> PathKey {
    PathKey { lan: LanIndex(lan), family: Family::V4, peer_lan: LanIndex(lan) }
}

/// A responder and a requestor; what was heard of the latter on LAN 1 is over.
fn assert_that_the_end_is_noticed(mut world: World) {
    world.cut(1, |_, _| true);
    world.run(ms(1000));
    world.kill(0);
    world.run(ms(3000));
    assert!(world.is_absent(1, 0), "{}", world.state(1));
}

/// While a carrier is gone nothing is expected there; when it is back, but nothing comes, that must be noticed.
#[test]
fn a_responder_expects_inquiries_on_a_lan_whose_carrier_is_back() {
    let mut world = World::new(2, 2);
    world.respond_only(1);
    world.run(ms(2000));
    (0..2).for_each(|lan| world.cut(lan, |_, _| true));
    world.set_carrier(1, 1, false);
    world.run(ms(2000));
    assert!(world.is_absent(1, 0));
    world.cut(0, |_, _| false);
    world.run(ms(3000));
    assert!(!world.is_absent(1, 0));
    world.set_carrier(1, 1, true);
    assert_that_the_end_is_noticed(world);
}

/// A path that was not heard in this run of the peer has no pace of its own, but its peer has one.
#[test]
fn who_becomes_a_responder_does_not_wait_for_a_minute() {
    let mut world = World::new(2, 2);
    world.run(ms(2000));
    world.cut(1, |_, _| true);
    let memory = world.remembered(0);
    world.kill(0);
    world.start(0, &Config { requestor: true, ..Config::default() }, memory);
    world.run(ms(250));
    world.reload(1, &Config::default());
    assert_that_the_end_is_noticed(world);
}

/// A forged goodbye makes a responder forget what the peer said, and the peer does not know: the
/// responder asks until it is told again.
#[test]
fn what_a_goodbye_made_forget_is_asked_for_again() {
    let mut world = World::new(2, 2);
    world.respond_only(1);
    world.run(ms(2000));
    let engine = world.engine(0);
    let sender = Sender {
        requestor: true,
        observer: false,
        lan: LanIndex(1),
        node: engine.node,
        boot: engine.boot,
        sequence: engine.lans[&LanIndex(1)].sequence,
        interval: engine.interval,
        nonce: crate::wire::Nonce(1),
        address_generation: 1,
        report_generation: 0,
    };
    let goodbye =
        Packet { kind: Kind::Goodbye, sender, directed: None, reports: None, addresses: None, cookie: None };
    for lan in 0..2 {
        world.lose(lan, |sent| sent.from == 1 && sent.kind == SentKind::Inquiry);
    }
    world.forge(1, 1, 0, &goodbye);
    world.run(ms(3000));
    (0..2).for_each(|lan| world.lose(lan, |_| false));
    world.run(ms(1000));
    let path = world.engine(1).path(world.engine(0).node, key(1)).unwrap();
    assert_eq!((path.local, path.remote, path.verdict), (Level::Up, Level::Up, Level::Up));
}

/// An address is named again by a list that is the one from before it was withdrawn.
#[test]
fn an_address_that_the_same_list_names_again_is_no_longer_withdrawn() {
    let extra = IpAddr::V4(std::net::Ipv4Addr::new(10, 77, 1, 50));
    let is_withdrawn = |world: &World| {
        let path = world.engine(0).path(world.engine(1).node, key(0)).unwrap();
        path.addresses.get(&extra).map(|record| record.withdrawn.is_some())
    };
    let mut world = World::new(2, 2);
    world.add_address(1, 0, extra);
    world.run(ms(3000));
    assert_eq!(is_withdrawn(&world), Some(false));
    // LAN 0 is silent, and the address goes, as is said by LAN 1.
    world.cut(0, |_, _| true);
    world.run(ms(1000));
    world.remove_address(1, 0, extra);
    world.run(ms(15_000));
    assert_eq!(is_withdrawn(&world), Some(true), "{}", world.state(0));
    // LAN 0 is back, but no new list comes by it before the address is there again.
    let loses_lists: fn(&super::world::Sent) -> bool =
        |sent| sent.from == 1 && sent.kind == SentKind::Inquiry && !sent.is_broadcast;
    world.lose(0, loses_lists);
    world.cut(0, |_, _| false);
    world.run(ms(10_000));
    assert_eq!(world.verdict(0, 0, 1), Some(Verdict::Home));
    world.lose(1, loses_lists);
    world.add_address(1, 0, extra);
    // Nothing is sent from it, or its answers would prove it.
    world.hosts[1].interfaces[0].addresses.rotate_right(1);
    world.set_carrier(1, 0, true);
    world.lose(0, |_| false);
    world.run(ms(2000));
    assert_eq!(is_withdrawn(&world), Some(false), "{}", world.state(0));
}

/// The interface behind a path may be another one when it is up again: our kernel is shown where each address is, and not
/// only that by which the probes go.
#[test]
fn all_addresses_of_a_path_that_is_up_again_are_asked_for() {
    for responds in [false, true] {
        let mut world = World::new(2, 2);
        if responds {
            world.respond_only(0);
        }
        (60..63).for_each(|host| world.add_address(1, 0, address(0, host)));
        world.run(ms(5000));
        // They have answered, the last one last; from then on the first one does.
        for (late, host) in [60, 61, 62, 1].into_iter().enumerate() {
            let (now, node) = (world.now, world.hosts[1].node);
            let late = Duration::from_micros(u64::try_from(late).unwrap());
            let path = world.hosts[0].engine.as_mut().unwrap().path_mut(node, key(0)).unwrap();
            path.addresses.get_mut(&address(0, host)).unwrap().answered = Some(now + late);
        }
        world.hosts[0].solicited.clear();
        world.run(ms(5000));
        assert_eq!(world.hosts[0].solicited, [], "while all is well nothing is asked for");
        world.cut(0, |_, _| true);
        world.run(ms(1000));
        world.hosts[0].solicited.clear();
        world.cut(0, |_, _| false);
        world.run(ms(4000));
        assert_eq!(world.verdict(0, 0, 1), Some(Verdict::Home), "{}", world.state(0));
        // By the first one the probes go.
        for other in (60..63).map(|host| address(0, host)) {
            let is_asked = world.hosts[0].solicited.iter().any(|(_, target)| *target == other);
            assert!(is_asked, "{other}{}", world.state(0));
        }
    }
}

/// A responder that knows its requestor by LAN 0 alone, because LAN 1 was dead when it started, learns of LAN 1 when that
/// heals: also where broadcasts are lost, and where the requestor knows nothing of its addresses there but what it named.
#[test]
fn a_responder_that_forgot_its_requestor_learns_of_a_lan_that_heals() {
    let broadcasts: fn(&super::world::Sent) -> bool = |sent| sent.is_broadcast;
    let to_responder: fn(usize, usize) -> bool = |from, _| from == 0;
    let from_responder: fn(usize, usize) -> bool = |from, _| from == 1;
    for filtered in [false, true] {
        for forgets in [false, true] {
            for half in [to_responder, from_responder] {
                let mut world = World::new(2, 2);
                world.respond_only(1);
                world.run(ms(2000));
                world.cut(1, |_, _| true);
                world.run(ms(2000));
                world.respond_only(1);
                if forgets {
                    world.start(0, &Config { requestor: true, ..Config::default() }, Memory::default());
                }
                world.run(ms(5000));
                if filtered {
                    world.lose(1, broadcasts);
                }
                // It heals one way first.
                world.cut(1, half);
                world.run(ms(5000));
                world.cut(1, |_, _| false);
                world.run(ms(10_000));
                for host in 0..2 {
                    let paths = &world.engine(host).peers[&world.hosts[1 - host].node].paths;
                    assert_eq!(paths[&key(1)].verdict, Level::Up, "{}", world.state(host));
                    assert_eq!(world.verdict(host, 1, 1 - host), Some(Verdict::Home));
                }
                world.cut(0, |_, _| true);
                world.run(ms(1500));
                for host in 0..2 {
                    let verdict = world.verdict(host, 0, 1 - host);
                    assert!(matches!(verdict, Some(Verdict::Detour(_))), "{}", world.state(host));
                }
            }
        }
    }
}

/// Who only answers was silent, and answers a broadcast: that it hears our broadcasts does not say that our kernel knows where
/// it is. It is asked for at once, and again in the next slots, until it answers what we send to it alone.
#[test]
fn who_answers_a_broadcast_after_a_silence_is_asked_for() {
    let mut world = World::new(2, 1);
    world.respond_only(1);
    world.run(ms(2000));
    world.cut(0, |from, _| from == 1);
    world.run(ms(3000));
    assert!(world.is_absent(0, 1) && !world.is_absent(1, 0));
    world.hosts[0].solicited.clear();
    world.lose(0, |sent| sent.from == 0 && !sent.is_broadcast);
    world.cut(0, |_, _| false);
    world.run(ms(620));
    let asked: Vec<_> = world.hosts[0].solicited.iter().map(|(_, target)| *target).collect();
    assert!(asked.len() >= 2 && asked.iter().all(|a| *a == address(0, 1)), "{asked:?}{}", world.state(0));
    world.lose(0, |_| false);
    world.run(ms(1000));
    world.hosts[0].solicited.clear();
    world.run(ms(2000));
    assert_eq!(world.hosts[0].solicited, [], "while all is well nothing is asked for");
}

/// Who was absent is heard again, and asked for by ARP at once: the kernel asks once a second, and holds back our answers
/// meanwhile. And again in the next slots, for the request may be lost, until the peer says that it hears us.
#[test]
fn who_was_absent_is_asked_for_when_it_is_heard() {
    for responds in [true, false] {
        let mut world = World::new(2, 1);
        if responds {
            world.respond_only(1);
        }
        world.run(ms(2000));
        world.cut(0, |_, _| true);
        world.run(ms(3000));
        assert!(world.is_absent(1, 0));
        world.hosts[1].solicited.clear();
        world.lose(0, |sent| sent.from == 1);
        world.cut(0, |_, _| false);
        world.run(ms(420));
        let asked: Vec<_> = world.hosts[1].solicited.iter().map(|(_, target)| *target).collect();
        assert!(asked.len() >= 2 && asked.iter().all(|a| *a == address(0, 0)), "{asked:?}{}", world.state(1));
        world.lose(0, |_| false);
        world.run(ms(1000));
        world.hosts[1].solicited.clear();
        world.run(ms(2000));
        assert_eq!(world.hosts[1].solicited, [], "while all is well nothing is asked for");
    }
}
