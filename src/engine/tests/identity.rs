//! Hosts that change their id, share one, or were heard where they are not.

use super::*;
use crate::interface::Family;

fn remembered(node: NodeId, lan: usize, peer_lan: u8, host: usize) -> RememberedPath {
    RememberedPath {
        interface: format!("lan{lan}"),
        node,
        lan: LanIndex(peer_lan),
        family: Family::V4,
        addresses: vec![address(usize::from(peer_lan), host)],
        penalty: 0.0,
        held: false,
    }
}

#[test]
fn a_path_from_the_time_when_lans_were_joined_moves_nothing() {
    let mut world = World::new(2, 2);
    world.run(ms(1000));
    let node = world.hosts[1].engine.as_ref().unwrap().node();
    let lans = vec![("lan0".to_owned(), LanIndex(0)), ("lan1".to_owned(), LanIndex(1))];
    let paths = vec![remembered(node, 0, 0, 1), remembered(node, 0, 1, 1), remembered(node, 1, 1, 1)];
    let config = Config { requestor: true, ..Config::default() };
    world.start(0, &config, Memory { node: None, lans, paths });
    world.run(ms(20_000));
    assert_eq!(world.told(0, &[EventName::PeerFailover]), [], "{}", world.state(0));
}

/// A host takes over the id of another, which draws a new one, while a responder hears neither. It asks only now and then, and
/// the addresses that answered it under that id are those of the other: the host has to be asked where it is heard.
#[test]
fn a_responder_finds_a_node_that_came_back_with_other_addresses() {
    let mut world = World::new(3, 2);
    world.respond_only(0);
    world.kill(2);
    world.run(ms(2000));
    let disk = world.remembered(1);
    for lan in 0..2 {
        world.set_carrier(0, lan, false);
    }
    world.run(ms(1000));
    let config = Config { requestor: true, ..Config::default() };
    world.start(1, &config, Memory::default());
    world.start(2, &config, disk);
    world.run(ms(1000));
    for lan in 0..2 {
        world.set_carrier(0, lan, true);
    }
    world.run(ms(10_000));
    for host in [1, 2] {
        assert!(!world.is_absent(0, host), "{host}{}", world.state(0));
        assert!(!world.is_absent(host, 0), "{host}{}", world.state(host));
    }
}
