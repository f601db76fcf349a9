//! Which address is whose while the path that would say so is dead.

use super::path::{Path, PathKey};
use super::peer_address::{Known, Position};
use super::*;
use crate::interface::Family;
use crate::wire::{Level, PathReport, Token};

fn key(lan: u8) -> PathKey {
    PathKey { lan: LanIndex(lan), family: Family::V4, peer_lan: LanIndex(lan) }
}

fn path(world: &mut World, host: usize, peer: usize, lan: u8) -> &mut Path {
    let node = world.hosts[peer].node;
    let engine = world.hosts[host].engine.as_mut().unwrap();
    engine.peers.get_mut(&node).unwrap().paths.get_mut(&key(lan)).unwrap()
}

fn claims(world: &mut World, lan: u8) -> Vec<IpAddr> {
    path(world, 0, 1, lan).claims.clone()
}

fn has_way_out(world: &World) -> bool {
    let way = NextHop { interface: "lan0".into(), via: address(0, 1) };
    world.verdict(0, 1, 1) == Some(Verdict::Detour(way))
}

/// Two hosts, the second of which has just said by LAN 1 that it has no address on LAN 0 any more.
fn taken_away() -> World {
    let mut world = World::new(2, 2);
    world.run(ms(8000));
    world.remove_address(1, 0, address(0, 1));
    world.run(ms(3000));
    assert_eq!(claims(&mut world, 1), [address(1, 1)]);
    world
}

/// A peer takes its address on LAN 0 away and puts it back, and LAN 1 dies before it has said so there.
#[test]
fn an_address_that_was_put_back_while_the_other_lan_is_dead_is_a_way_out() {
    for role in [true, false] {
        for wait in [0, 2000] {
            let mut world = World::new(2, 2);
            world.start(1, &Config { requestor: role, ..Config::default() }, Memory::default());
            world.run(ms(8000));
            world.remove_address(1, 0, address(0, 1));
            world.run(ms(3000));
            assert_eq!(claims(&mut world, 1), [address(1, 1)]);
            world.cut(1, |_, _| true);
            world.run(ms(wait));
            world.add_address(1, 0, address(0, 1));
            world.run(ms(3000));
            assert!(has_way_out(&world), "{}", world.state(0));
            assert!(matches!(world.verdict(1, 1, 0), Some(Verdict::Detour(_))), "{}", world.state(1));
            world.cut(1, |_, _| false);
            world.run(ms(15_000));
            assert_eq!(world.verdict(0, 1, 1), Some(Verdict::Home), "{}", world.state(0));
        }
    }
}

/// The same with an address that it never had before, put there at any time in the last slots before LAN 1 dies, or after:
/// both ends find a way out within a few slots. `both`: both hosts do so at the same time.
#[test]
fn an_address_that_is_new_when_the_other_lan_dies_is_a_way_out() {
    let is_detour = |verdict| matches!(verdict, Some(Verdict::Detour(_)));
    let mut stuck = Vec::new();
    for both in [false, true] {
        for roles in [(true, true), (true, false), (false, true)] {
            for wait in [0, 30, 100, 300] {
                for first in [true, false] {
                    let mut world = World::new(2, 2);
                    for (host, role) in [(0, roles.0), (1, roles.1)] {
                        world.start(
                            host,
                            &Config { requestor: role, ..Config::default() },
                            Memory::default(),
                        );
                    }
                    world.run(ms(8000));
                    let hosts = if both { 0..2 } else { 1..2 };
                    for host in hosts.clone() {
                        world.remove_address(host, 0, address(0, host));
                    }
                    world.run(ms(3000));
                    if first {
                        hosts.clone().for_each(|host| world.add_address(host, 0, address(0, 10 + host)));
                        world.run(ms(wait));
                        world.cut(1, |_, _| true);
                    } else {
                        world.cut(1, |_, _| true);
                        world.run(ms(wait));
                        hosts.clone().for_each(|host| world.add_address(host, 0, address(0, 10 + host)));
                    }
                    world.run(ms(1500));
                    let away = [0, 1].map(|host| is_detour(world.verdict(host, 1, 1 - host)));
                    if away != [true, true] {
                        stuck.push((both, roles, wait, first, away));
                    }
                }
            }
        }
    }
    assert!(stuck.is_empty(), "{stuck:#?}");
}

/// LAN 1 comes up for a responder and goes down, again and again, but the peer hears nothing there any more. It still holds
/// the token that it was given there, and that shows which address is its own on LAN 0. `hears`: it heard one more token there
/// when it could not show it.
#[test]
fn an_address_that_is_put_back_is_a_way_out_however_often_the_other_lan_came_up_meanwhile() {
    for hears in [false, true] {
        let mut world = World::new(2, 3);
        world.respond_only(0);
        world.run(ms(8000));
        world.remove_address(1, 0, address(0, 1));
        world.run(ms(3000));
        world.cut(1, |_, _| true);
        world.run(ms(1500));
        if hears {
            world.cut(1, |from, _| from == 1);
            world.lose(2, |sent| sent.from == 1);
            world.run(ms(300));
            world.cut(1, |_, _| true);
            world.lose(2, |_| false);
            world.run(ms(1500));
        }
        for _ in 0..3 {
            world.cut(1, |from, _| from == 0);
            world.run(ms(3000));
            assert_eq!(path(&mut world, 0, 1, 1).local, Level::Up);
            world.cut(1, |_, _| true);
            world.run(ms(1500));
        }
        world.add_address(1, 0, address(0, 1));
        world.run(ms(2000));
        world.cut(2, |_, _| true);
        world.run(ms(1500));
        for host in 0..2 {
            let way = NextHop { interface: "lan0".into(), via: address(0, 1 - host) };
            let verdict = world.verdict(host, 1, 1 - host);
            assert_eq!(verdict, Some(Verdict::Detour(way)), "{hears} {host}{}", world.state(host));
        }
    }
}

/// A stranger on LAN 0 who takes an address that the peer has given up, and speaks in its name, is no way out. Nor is he
/// with any token but that of LAN 1.
#[test]
fn who_takes_an_address_that_a_peer_has_given_up_is_no_way_out() {
    let mut world = taken_away();
    let node = world.hosts[1].node;
    world.cut(1, |_, _| true);
    for lan_0_token in [false, true] {
        for _ in 0..20 {
            let token = if lan_0_token { path(&mut world, 0, 1, 0).token_given } else { Token(1) };
            let mut forged = super::hostile::inquiry(&world, 1, 0);
            forged.addresses = Some(vec![address(0, 1), address(1, 1)]);
            forged.reports = Some(vec![PathReport {
                family: Family::V4,
                sender_lan: LanIndex(1),
                receiver_lan: LanIndex(1),
                level: Level::Down,
                ready: false,
                moved: true,
                token,
            }]);
            world.forge(0, 0, 1, &forged);
            // He answers what he is asked.
            let now = world.now;
            let engine = world.hosts[0].engine.as_mut().unwrap();
            let path = engine.path_mut(node, key(0)).unwrap();
            path.proof = Some(now);
            if let Some(record) = path.addresses.get_mut(&address(0, 1)) {
                record.answered = Some(now);
            }
            engine.settle(now, node);
            world.wake(0);
            assert!(!has_way_out(&world), "{}", world.state(0));
            world.run(ms(100));
        }
    }
}

/// Host 1 and host 2 both have a floating address on LAN 0; then host 1 is cut off there, and still names it by LAN 1.
/// What it said by LAN 0 before is old, also when its counts there have begun again.
#[test]
fn an_address_that_is_named_by_a_dead_path_does_not_float() {
    let shared = address(0, 99);
    let mut world = World::new(3, 2);
    world.add_address(1, 0, shared);
    world.run(ms(3000));
    world.cut(0, |from, to| from == 1 || to == 1);
    world.run(ms(3000));
    world.add_address(2, 0, shared);
    world.run(ms(3000));
    let (now, node) = (world.now, world.hosts[2].node);
    for begins_again in [false, true] {
        if begins_again {
            path(&mut world, 0, 1, 0).fresh_slots();
        }
        let engine = world.engine(0);
        assert!(!engine.is_floating(now, node, &shared), "{}", world.state(0));
    }
    world.cut(0, |_, _| true);
    world.run(ms(1000));
    let subject = Subject { home: "lan0".into(), address: shared };
    let verdict = world.plan(0).subjects.get(&subject);
    assert!(matches!(verdict, Some(Verdict::Detour(_))), "{}", world.state(0));
}

/// The overlay of an address that is withdrawn is lifted although another node named it before it died.
#[test]
fn an_address_is_not_given_away_to_a_node_that_is_dead() {
    let shared = address(0, 99);
    let subject = Subject { home: "lan0".into(), address: shared };
    for dies in [true, false] {
        let mut world = World::new(3, 2);
        world.add_address(1, 0, shared);
        world.run(ms(8000));
        // By LAN 1 only, so that it has not proven it.
        world.cut(0, |from, to| from == 2 || to == 2);
        world.add_address(2, 0, shared);
        world.run(ms(3000));
        if dies {
            world.kill(2);
            world.run(ms(3000));
        }
        world.remove_address(1, 0, shared);
        world.run(ms(3000));
        let verdict = world.plan(0).subjects.get(&subject).cloned();
        assert_eq!(verdict, dies.then_some(Verdict::Home), "{}", world.state(0));
    }
}

/// Two hosts have had a floating address, and the one that does not own it dies while it is on a detour in its name: nothing
/// is laid onto the dead host when the other one gives the address up.
#[test]
fn an_address_that_is_inherited_from_a_peer_that_lives_needs_a_way_that_is_proven() {
    let shared = address(0, 99);
    let subject = Subject { home: "lan0".into(), address: shared };
    let mut world = World::new(3, 2);
    world.add_address(1, 0, shared);
    world.run(ms(8000));
    world.kill(2);
    world.run(ms(3000));
    assert!(world.is_absent(0, 2), "{}", world.state(0));
    let (now, node) = (world.now, world.hosts[2].node);
    let record = path(&mut world, 0, 2, 0);
    record.note(shared, Known::Named);
    let record = record.addresses.get_mut(&shared).unwrap();
    record.answered = Some(now - ms(4000));
    record.position = Position::Detour(key(1), address(1, 2));
    world.hosts[0].engine.as_mut().unwrap().update_plan(now, node);
    assert_eq!(world.plan(0).subjects.get(&subject), Some(&Verdict::Home), "{}", world.state(0));
    world.remove_address(1, 0, shared);
    world.run(ms(3000));
    let verdict = world.plan(0).subjects.get(&subject);
    assert_eq!(verdict, Some(&Verdict::Undecided), "{}", world.state(0));
}

/// A host that was installed again goes on under a new id, with an interface out of service. When its address there answers,
/// the way round it is chosen in the very moment in which the address is found to be the new id's.
#[test]
fn what_is_decided_of_an_address_as_it_is_inherited_is_in_the_plan() {
    let mut world = World::new(2, 2);
    world.run(ms(2000));
    let memory = world.memory(0);
    let config = Config { requestor: true, ..Config::default() };
    world.kill(0);
    world.start(1, &config, Memory::default());
    world.set_offline(1, &["lan0"]);
    world.cut(0, |_, _| true);
    world.start(0, &config, memory);
    world.run(ms(1000));
    world.cut(0, |_, _| false);
    world.run(ms(1000));
    let way = |host| Some(Verdict::Detour(NextHop { interface: "lan1".into(), via: address(1, host) }));
    for (host, peer) in [(0, 1), (1, 0)] {
        assert_eq!(world.verdict(host, 0, peer), way(peer), "{}", world.state(host));
    }
}
