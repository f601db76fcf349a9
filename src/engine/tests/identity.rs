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
    let moved = world.hosts[0].notices.iter().filter(|(_, text)| text.starts_with("failover")).count();
    assert_eq!(moved, 0, "{}", world.state(0));
}
