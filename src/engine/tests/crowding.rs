//! An attacker on the first LAN names addresses on the second, as many as there are places: the true ones get theirs.

use super::path::PathKey;
use super::*;
use crate::engine::peer_address::PeerAddress;
use crate::interface::Family;
use crate::wire::LanIndex;

const SECOND: PathKey = PathKey { lan: LanIndex(1), family: Family::V4, peer_lan: LanIndex(1) };

/// Lists come by the first LAN in the name of host 1, one after the other, each with other addresses on the second.
fn crowd(world: &mut World, time: u64) {
    for round in 0..time / 20 {
        let from = 100 + usize::try_from(round % 6).unwrap() * 20;
        let invented = (from..from + 20).map(|host| address(1, host));
        let mut forged = super::hostile::inquiry(world, 1, 0);
        forged.sender.address_generation =
            1_000_000 + u32::try_from(world.now.as_nanos() / 1_000_000).unwrap();
        forged.addresses = Some(invented.chain([address(0, 1)]).collect());
        world.forge(0, 0, 2, &forged);
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
