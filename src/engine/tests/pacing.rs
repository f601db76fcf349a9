//! Two ends of which one is much slower: a limit per slot follows the faster one.

use super::world::SentKind;
use super::*;
use crate::engine::path::PathKey;
use crate::interface::Family;
use crate::wire::{LanIndex, Level};

fn config(requestor: bool, interval: u64, missed: u32) -> Config {
    let missed = std::num::NonZeroU32::new(missed).unwrap();
    Config { requestor, interval: ms(interval), missed, ..Config::default() }
}

/// A requestor that asks each 50 ms, and a responder that was told a minute.
fn fast_and_slow() -> World {
    let mut world = World::new(2, 2);
    world.start(0, &config(true, 50, 2), Memory::default());
    world.start(1, &config(false, 60_000, 2), Memory::default());
    world.run(ms(1000));
    world
}

fn is_detour(world: &World, host: usize, lan: usize) -> bool {
    matches!(world.verdict(host, lan, 1 - host), Some(Verdict::Detour(_)))
}

/// They meet, and know each other's addresses, within some slots.
#[test]
fn a_slow_responder_is_met_at_once() {
    let mut world = World::new(2, 2);
    world.start(0, &config(true, 50, 2), Memory::default());
    world.start(1, &config(false, 60_000, 2), Memory::default());
    world.run(ms(500));
    for host in 0..2 {
        for lan in 0..2 {
            assert_eq!(world.verdict(host, lan, 1 - host), Some(Verdict::Home), "{}", world.state(host));
        }
    }
}

#[test]
fn a_slow_responder_follows_a_fault_within_slots_of_its_requestor() {
    let cuts: [fn(usize, usize) -> bool; 3] = [|_, _| true, |from, _| from == 0, |from, _| from == 1];
    for cut in cuts {
        for is_lossy in [false, true] {
            for wait in 0..5 {
                let mut world = fast_and_slow();
                for round in 0..2 {
                    world.run(ms(11 * wait));
                    world.cut(1, cut);
                    if is_lossy {
                        // The first proofs get lost.
                        world.lose(0, |sent| {
                            !sent.is_broadcast && sent.kind == SentKind::Inquiry && sent.from == 1
                        });
                        world.run(ms(150));
                        world.lose(0, |_| false);
                    }
                    world.run(ms(400));
                    for host in 0..2 {
                        let at = format!("round {round} {is_lossy} {wait}");
                        assert!(is_detour(&world, host, 1), "{at}{}{}", world.state(0), world.state(1));
                    }
                    world.cut(1, |_, _| false);
                    world.run(ms(2000));
                    for host in 0..2 {
                        let at = format!("home {round} {is_lossy} {wait}");
                        assert!(!is_detour(&world, host, 1), "{at}{}{}", world.state(0), world.state(1));
                    }
                }
            }
        }
    }
}

/// What a responder has to say by itself is repeated at the pace of the one who must know.
#[test]
fn news_of_a_slow_responder_is_repeated_in_time() {
    for wait in 0..5 {
        let mut world = fast_and_slow();
        for lan in 0..2 {
            world.lose(lan, |sent| sent.from == 1);
        }
        world.run(ms(7 * wait));
        world.set_offline(1, &["lan1"]);
        world.run(ms(30));
        // Answers do not say it.
        for lan in 0..2 {
            world.lose(lan, |sent| sent.from == 1 && sent.kind == SentKind::Acknowledgement);
        }
        world.run(ms(30));
        let key = PathKey { lan: LanIndex(1), family: Family::V4, peer_lan: LanIndex(1) };
        let path = world.engine(0).path(world.hosts[1].node, key).unwrap();
        assert_eq!(path.remote, Level::Down, "{wait}{}", world.state(0));
    }
}

/// A new address is known and proven within slots of the requestor.
#[test]
fn a_slow_responder_hears_of_an_address_in_time() {
    let mut world = fast_and_slow();
    let added = IpAddr::V4(std::net::Ipv4Addr::new(10, 77, 1, 50));
    world.run(ms(5000));
    for host in 0..2 {
        let added = if host == 0 { added } else { IpAddr::V4(std::net::Ipv4Addr::new(10, 77, 1, 51)) };
        world.add_address(host, 0, added);
        world.run(ms(600));
        let key = PathKey { lan: LanIndex(0), family: Family::V4, peer_lan: LanIndex(0) };
        let path = world.engine(1 - host).path(world.hosts[host].node, key).unwrap();
        let answered = path.addresses.get(&added).map(|record| record.answered.is_some());
        assert_eq!(answered, Some(true), "{host}{}", world.state(1 - host));
    }
}

/// INQs that were held up and arrive at one moment are no run of good slots.
#[test]
fn a_burst_of_inquiries_is_one_sign_of_life() {
    for missed in [2, 20] {
        let mut world = World::new(2, 2);
        world.start(0, &config(true, 50, missed), Memory::default());
        world.start(1, &config(false, 50, missed), Memory::default());
        world.run(ms(3000));
        world.tap(1);
        world.cut(1, |_, _| true);
        world.run(ms(2000));
        assert!(is_detour(&world, 1, 1), "{}", world.state(1));
        let held_up = world.tape(1).to_vec();
        held_up.iter().filter(|flight| flight.from == 0).for_each(|flight| world.replay(flight));
        let key = PathKey { lan: LanIndex(1), family: Family::V4, peer_lan: LanIndex(1) };
        let path = world.engine(1).path(world.hosts[0].node, key).unwrap();
        assert!(path.good == 1 && path.local == Level::Down, "{missed} {}{}", path.good, world.state(1));
        assert!(is_detour(&world, 1, 1), "{}", world.state(1));
        world.cut(1, |_, _| false);
        world.run(ms(2000));
        assert!(!is_detour(&world, 1, 1), "{}", world.state(1));
    }
}

/// What the last run of the peer said makes no INQ of the new one look held up: the first that counts is a good slot.
#[test]
fn the_first_inquiry_of_a_new_run_is_a_good_slot() {
    let config = config(true, 1000, 2);
    let mut world = World::new(2, 1);
    world.start(0, &config, Memory::default());
    world.respond_only(1);
    world.run(ms(5000));
    let node = world.hosts[0].node;
    let key = PathKey { lan: LanIndex(0), family: Family::V4, peer_lan: LanIndex(0) };
    let counted = |world: &World| world.engine(1).path(node, key).unwrap().counted;
    let last = counted(&world);
    while counted(&world) == last {
        world.run(ms(1));
    }
    let last = world.now;
    let memory = world.remembered(0);
    world.stop(0);
    world.start(0, &config, memory);
    while world.engine(1).peers[&node].boot != Some(world.engine(0).boot) {
        world.run(ms(1));
    }
    assert!(world.now.since(last) < ms(500), "{}", world.state(1));
    assert!(counted(&world) > Some(last), "{}", world.state(1));
}
