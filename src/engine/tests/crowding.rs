//! Which addresses a peer has on a LAN, whatever an attacker on another names: the true ones get their places, and what is
//! vouched for is what the peer has.

use super::path::PathKey;
use super::*;
use crate::engine::peer_address::PeerAddress;
use crate::interface::Family;
use crate::wire::{self, LanIndex};

const SECOND: PathKey = PathKey { lan: LanIndex(1), family: Family::V4, peer_lan: LanIndex(1) };

/// A list comes by the first LAN in the name of host 1, with so many addresses on the second as there are places, and others
/// in each of six rounds.
fn lie(world: &mut World, round: u64) {
    let from = 100 + usize::try_from(round % 6).unwrap() * 20;
    let invented = (from..from + 20).map(|host| address(1, host));
    let mut forged = super::hostile::inquiry(world, 1, 0);
    forged.sender.address_generation = 1_000_000 + u32::try_from(world.now.as_nanos() / 1_000_000).unwrap();
    forged.addresses = Some(invented.chain([address(0, 1)]).collect());
    world.forge(0, 0, 2, &forged);
}

/// One such list after the other.
fn crowd(world: &mut World, time: u64) {
    for round in 0..time / 20 {
        lie(world, round);
        world.run(ms(20));
    }
}

fn known(world: &World, address: &IpAddr) -> Option<PeerAddress> {
    world.engine(0).path(world.hosts[1].node, SECOND)?.addresses.get(address).cloned()
}

fn places(world: &World) -> usize {
    world.engine(0).path(world.hosts[1].node, SECOND).map_or(0, |path| path.addresses.len())
}

/// One that is added while the path is full of invented ones, and one that a LAN which was dead so far is heard by.
#[test]
fn a_true_address_finds_its_place_among_invented_ones() {
    let added = address(1, 50);
    for responder in [false, true] {
        let mut world = World::new(3, 2);
        world.kill(2);
        if responder {
            world.respond_only(0);
        }
        world.run(ms(2000));
        crowd(&mut world, 500);
        assert!(places(&world) > 8, "{}", world.state(0));
        world.add_address(1, 1, added);
        crowd(&mut world, 1000);
        assert!(known(&world, &added).is_some_and(|a| a.answered.is_some()), "{}", world.state(0));
        // What it speaks from is another one now.
        world.remove_address(1, 1, address(1, 1));
        world.add_address(1, 1, address(1, 51));
        world.remove_address(1, 1, added);
        crowd(&mut world, 2000);
        assert!(known(&world, &address(1, 51)).is_some_and(|a| a.answered.is_some()), "{}", world.state(0));
    }
}

/// What nobody names any more leaves its place, and no path is left behind for it.
#[test]
fn invented_addresses_are_forgotten_when_the_lie_ends() {
    for is_cut in [false, true] {
        let mut world = World::new(3, 2);
        world.kill(2);
        if is_cut {
            world.cut(1, |_, _| true);
        }
        world.run(ms(2000));
        crowd(&mut world, 500);
        assert!(is_cut || places(&world) > 8, "{}", world.state(0));
        world.run(ms(3000));
        let peer = &world.engine(0).peers[&world.hosts[1].node];
        let all: Vec<_> = peer.paths.values().flat_map(|p| p.addresses.iter()).map(|a| a.address).collect();
        assert!(all.iter().all(|a| [address(0, 1), address(1, 1)].contains(a)), "{}", world.state(0));
        assert_eq!(peer.paths.len(), 2, "{}", world.state(0));
    }
}

/// However many addresses are invented, some are asked in a slot; all in turn, if they stay the same.
#[test]
fn invented_addresses_are_asked_in_turn() {
    for stay in [false, true] {
        let mut world = World::new(3, 2);
        world.kill(2);
        world.run(ms(2000));
        let (mut asked, mut questions) = (std::collections::BTreeSet::new(), 0);
        for round in 0..200 {
            lie(&mut world, if stay { 0 } else { round });
            let begin = world.now;
            world.run(ms(20));
            let path = world.engine(0).path(world.hosts[1].node, SECOND).unwrap();
            let new = path.addresses.iter().filter(|a| !a.is_known() && a.asked >= Some(begin));
            questions += new.clone().count();
            asked.extend(new.map(|a| a.address));
        }
        assert!((15..60).contains(&questions), "{questions} {}", world.state(0));
        assert!(!stay || asked.len() == 15, "{asked:?}");
    }
}

/// A host with more addresses than a few is known as soon as it answers for them.
#[test]
fn many_true_addresses_are_known_within_two_slots() {
    let mut world = World::new(2, 2);
    world.run(ms(2000));
    (20..34).for_each(|host| world.add_address(1, 1, address(1, host)));
    world.run(ms(600));
    for host in 20..34 {
        assert!(known(&world, &address(1, host)).is_some_and(|a| a.answered.is_some()), "{}", world.state(0));
    }
}

/// A host with more addresses than a list holds names those that it speaks from, and none is taken for withdrawn.
#[test]
fn a_list_that_is_cut_lacks_no_address_that_is_spoken_from() {
    let mut world = World::new(2, 2);
    world.run(ms(2000));
    (20..110).for_each(|host| world.add_address(1, 0, address(0, host)));
    world.run(ms(8000));
    let list = world.engine(1).own_addresses();
    assert!(list.len() < 92, "{}", list.len());
    assert!(list.contains(&address(0, 1)) && list.contains(&address(1, 1)), "{list:?}");
    for lan in 0..2 {
        let spoken = world.engine(1).source_towards(LanIndex(lan), &address(usize::from(lan), 0)).unwrap();
        assert!(list.contains(&spoken), "{list:?}");
        assert_eq!(world.verdict(0, usize::from(lan), 1), Some(Verdict::Home), "{}", world.state(0));
    }
    assert!(known(&world, &address(1, 1)).is_some_and(|a| a.vouched), "{}", world.state(0));
    world.assert_quiet(&[EventName::AddressWithdrawn]);
}

// ----- what is named over another LAN

fn is_own(world: &World, address: &IpAddr) -> bool {
    let engine = world.engine(0);
    engine.is_own(world.now, &engine.peers[&world.hosts[1].node], LanIndex(1), address)
}

fn says_on_second(world: &World) -> wire::Packet {
    let mut packet = super::hostile::inquiry(world, 1, 0);
    packet.sender.lan = LanIndex(1);
    packet.sender.sequence = world.engine(1).lans[&LanIndex(1)].sequence;
    packet.sender.address_generation = world.engine(1).address_generation;
    packet
}

/// There was no room for an address when the peer named it; now it speaks from it.
#[test]
fn an_address_that_answers_later_than_it_is_named_is_vouched_for() {
    let late = address(1, 50);
    let mut world = World::new(2, 2);
    world.add_address(1, 1, late);
    world.run(ms(8000));
    let node = world.hosts[1].node;
    let path = world.hosts[0].engine.as_mut().unwrap().path_mut(node, SECOND).unwrap();
    path.addresses.retain(|a| a.address != late);
    let packet = says_on_second(&world);
    world.forge(0, 1, 50, &packet);
    world.run(ms(1000));
    assert!(known(&world, &late).is_some_and(|a| a.answered.is_some()), "{}", world.state(0));
    assert!(is_own(&world, &late), "{}", world.state(0));
}

/// The peer gives an address up, and an attacker on its LAN takes it: it is not the peer's own any more.
#[test]
fn an_address_that_is_given_up_is_vouched_for_no_longer() {
    let given_up = address(1, 60);
    let mut world = World::new(3, 2);
    world.kill(2);
    world.add_address(1, 1, given_up);
    world.run(ms(8000));
    assert!(is_own(&world, &given_up), "{}", world.state(0));
    world.remove_address(1, 1, given_up);
    world.run(ms(2000));
    assert!(!is_own(&world, &given_up), "{}", world.state(0));
    world.add_address(2, 1, given_up);
    let packet = says_on_second(&world);
    world.forge(0, 1, 60, &packet);
    let (now, node) = (world.now, world.hosts[1].node);
    let path = world.hosts[0].engine.as_mut().unwrap().path_mut(node, SECOND).unwrap();
    let record = path.addresses.get_mut(&given_up).unwrap();
    (record.answered, record.withdrawn) = (Some(now), None);
    world.run(ms(1000));
    assert!(!is_own(&world, &given_up), "{}", world.state(0));
    world.remove_address(2, 1, given_up);
    // It has it again.
    world.add_address(1, 1, given_up);
    world.run(ms(3000));
    assert!(is_own(&world, &given_up), "{}", world.state(0));
}

/// What one LAN says alone while the address's own is dead takes nothing back: it may be an attacker who says so.
#[test]
fn one_lan_alone_takes_back_no_address_of_another() {
    let mut world = World::new(3, 2);
    world.kill(2);
    world.run(ms(2000));
    world.cut(1, |_, _| true);
    world.run(ms(2000));
    for _ in 0..100 {
        let mut forged = super::hostile::inquiry(&world, 1, 0);
        forged.sender.address_generation =
            1_000_000 + u32::try_from(world.now.as_nanos() / 1_000_000).unwrap();
        forged.addresses = Some(vec![address(0, 1)]);
        world.forge(0, 0, 2, &forged);
        world.run(ms(20));
    }
    assert!(known(&world, &address(1, 1)).is_some_and(|a| a.vouched), "{}", world.state(0));
    world.cut(1, |_, _| false);
    world.run(ms(3000));
    assert!(is_own(&world, &address(1, 1)), "{}", world.state(0));
}
