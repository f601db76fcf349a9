//! LANs that are dead when they become ones, or get the subnet that peers have addresses in: what is known of a peer's
//! addresses there counts as it would on any other.

use super::super::*;
use super::ms;
use super::world::{World, address};
use crate::config::{Key, KeyRing, LanConfig, PeerConfig};

/// How nothing passes on LAN 0, seen from host 0.
const DEATHS: [fn(&mut World); 2] =
    [|world| world.cut(0, |_, _| true), |world| world.set_carrier(0, 0, false)];

fn with_lans(numbers: &[usize]) -> Config {
    let lans = numbers.iter().map(|lan| LanConfig::new(&format!("lan{lan}"))).collect();
    Config { requestor: true, lans, ..Config::default() }
}

fn keyed(config: Config) -> Config {
    let key = Key { id: 7, secret: b"a secret of at least sixteen bytes".to_vec() };
    Config { keys: KeyRing { keys: vec![key] }, ..config }
}

/// Two hosts of which the first has LAN 1 only, and LAN 0 is dead.
fn apart(make: fn(Config) -> Config, die: fn(&mut World)) -> World {
    let mut world = World::new(2, 2);
    world.start(0, &make(with_lans(&[1])), Memory::default());
    world.start(1, &make(with_lans(&[0, 1])), Memory::default());
    world.run(ms(2000));
    die(&mut world);
    world.run(ms(1000));
    world
}

#[track_caller]
fn assert_goes_round(world: &World, host: usize) {
    let by_lan1 = Verdict::Detour(NextHop { interface: "lan1".into(), via: address(1, 1 - host) });
    assert_eq!(world.verdict(host, 0, 1 - host), Some(by_lan1), "{}", world.state(host));
}

#[test]
fn what_a_key_vouches_for_is_left_when_its_lan_comes_dead() {
    for die in DEATHS {
        let mut world = apart(keyed, die);
        world.reload(0, &keyed(with_lans(&[0, 1])));
        world.run(ms(3000));
        (0..2).for_each(|host| assert_goes_round(&world, host));
    }
}

#[test]
fn what_is_configured_is_left_when_its_lan_comes_dead() {
    let peer = |config| {
        let addresses = vec![address(0, 1), address(1, 1)];
        Config { peers: vec![PeerConfig { name: "h2".into(), addresses }], ..config }
    };
    for die in DEATHS {
        let mut world = apart(peer, die);
        world.reload(0, &peer(with_lans(&[0, 1])));
        world.run(ms(3000));
        assert_goes_round(&world, 0);
    }
}

#[test]
fn what_a_key_vouches_for_is_left_when_its_subnet_comes_to_a_dead_lan() {
    for die in DEATHS {
        let mut world = World::new(2, 2);
        world.remove_address(0, 0, address(0, 0));
        (0..2).for_each(|host| world.start(host, &keyed(with_lans(&[0, 1])), Memory::default()));
        world.run(ms(2000));
        die(&mut world);
        world.run(ms(1000));
        world.add_address(0, 0, address(0, 0));
        world.run(ms(3000));
        assert_goes_round(&world, 0);
    }
}

#[test]
fn what_a_key_vouches_for_is_left_when_its_peer_returns_without_a_lan_that_came_meanwhile() {
    for die in DEATHS {
        let mut world = apart(keyed, die);
        world.cut(1, |_, _| true);
        world.run(ms(2000));
        assert!(world.is_absent(0, 1), "{}", world.state(0));
        world.reload(0, &keyed(with_lans(&[0, 1])));
        world.run(ms(2000));
        world.cut(1, |_, _| false);
        world.run(ms(4000));
        assert_goes_round(&world, 0);
    }
}
