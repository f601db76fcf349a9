//! Hosts that change their id, share one, or were heard where they are not.

use super::*;
use crate::config::PeerConfig;
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

/// A LAN of the peer that was heard on two of ours beside its own: neither of the two may pass for its home.
#[test]
fn all_paths_from_the_time_when_lans_were_joined_are_dropped() {
    let mut world = World::new(2, 3);
    world.run(ms(1000));
    let node = world.hosts[1].node;
    let lans = (0..3).map(|lan| (format!("lan{lan}"), LanIndex(lan))).collect();
    let paths =
        [(0, 2), (1, 2), (0, 0), (1, 1), (2, 2)].map(|(lan, theirs)| remembered(node, lan, theirs, 1));
    let config = Config { requestor: true, ..Config::default() };
    world.start(0, &config, Memory { node: None, lans, paths: paths.to_vec() });
    world.run(ms(10_000));
    let keys: Vec<_> = world.engine(0).peers[&node].paths.keys().map(|k| (k.lan.0, k.peer_lan.0)).collect();
    assert_eq!(keys, [(0, 0), (1, 1), (2, 2)], "{}", world.state(0));
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

/// An address of host 1 on LAN 1 besides its first.
fn extra() -> IpAddr {
    address(1, 80)
}

fn is_extra_detoured(world: &World) -> bool {
    let subject = Subject { home: "lan1".into(), address: extra() };
    matches!(world.plan(0).subjects.get(&subject), Some(Verdict::Detour(_)))
}

/// What a node no longer has is not on a detour: neither when the node falls silent as soon as that is known, here at the end
/// of its quarantine, nor when it is absent and only our settings said that it had it.
#[test]
fn what_an_absent_node_no_longer_has_goes_home() {
    let missed = std::num::NonZeroU32::MIN;
    let mut withdrawn = 0;
    for wait in 0..20 {
        let mut world = World::new(2, 2);
        let extra = extra();
        (0..2).for_each(|host| world.reload(host, &Config { requestor: true, missed, ..Config::default() }));
        world.add_address(1, 1, extra);
        world.run(ms(2000));
        world.cut(1, |_, _| true);
        world.run(ms(1000));
        let (now, node) = (world.now, world.engine(1).node);
        let engine = world.hosts[0].engine.as_mut().unwrap();
        engine.peers.get_mut(&node).unwrap().cloned_until = Some(now + ms(5000));
        world.remove_address(1, 1, extra);
        world.run(ms(4800 + wait * 20));
        world.cut(0, |_, _| true);
        world.run(ms(3000));
        let is_withdrawn = !world.told(0, &[EventName::AddressWithdrawn]).is_empty();
        assert!(
            world.is_absent(0, 1) && is_withdrawn != is_extra_detoured(&world),
            "{wait}{}",
            world.state(0)
        );
        withdrawn += u32::from(is_withdrawn);
    }
    assert!((1..20).contains(&withdrawn), "the end of the quarantine is within these times: {withdrawn}");
}

#[test]
fn what_an_absent_peer_was_only_said_to_have_goes_home() {
    let mut world = World::new(2, 2);
    let extra = extra();
    let peer = |addresses| PeerConfig { name: "other".to_owned(), addresses };
    let config = Config {
        requestor: true,
        peers: vec![peer(vec![address(0, 1), address(1, 1), extra])],
        ..Config::default()
    };
    world.reload(0, &config);
    world.run(ms(2000));
    world.cut(1, |_, _| true);
    world.run(ms(1000));
    world.cut(0, |_, _| true);
    world.run(ms(2000));
    assert!(world.is_absent(0, 1) && is_extra_detoured(&world), "{}", world.state(0));
    world.reload(0, &Config { peers: vec![peer(vec![address(0, 1), address(1, 1)])], ..config });
    world.run(ms(1000));
    assert!(!is_extra_detoured(&world), "{}", world.state(0));
}
