//! Several faults at once, or one after the other: what is left over from the first must not mislead in the second. Most
//! of these moments come about in the simulator once in a thousand worlds, so they are set up here by hand.

use super::path::{Path, PathKey, UNHEARD};
use super::peer_address::{Known, Position};
use super::*;
use crate::interface::Family;
use crate::wire::Level;

/// The path to the other host on a LAN.
fn key(lan: u8) -> PathKey {
    PathKey { lan: LanIndex(lan), family: Family::V4, peer_lan: LanIndex(lan) }
}

/// The first host, which knows the other by so many LANs.
fn acquainted(lans: usize) -> (World, NodeId) {
    let mut world = World::new(2, lans);
    world.run(ms(2000));
    let node = world.hosts[1].engine.as_ref().unwrap().node();
    (world, node)
}

fn engine(world: &mut World) -> &mut Engine {
    world.hosts[0].engine.as_mut().unwrap()
}

fn path(world: &mut World, node: NodeId, lan: u8) -> &mut Path {
    engine(world).peers.get_mut(&node).unwrap().paths.get_mut(&key(lan)).unwrap()
}

fn position(world: &mut World, node: NodeId, lan: u8) -> Position {
    path(world, node, lan).addresses.iter().next().unwrap().position
}

fn set_level(path: &mut Path, level: Level) {
    (path.local, path.remote, path.verdict) = (level, level, level);
}

/// A path that has no room for one more address does not take it from the path that has it.
#[test]
fn no_address_is_lost_to_a_path_that_is_full() {
    let (mut world, node) = acquainted(2);
    let now = world.now;
    let own = address(0, 1);
    let other = PathKey { peer_lan: LanIndex(7), ..key(0) };
    let mut full = path(&mut world, node, 0).clone();
    full.addresses = super::peer_address::PeerAddresses::default();
    (100..130).for_each(|host| full.note(address(0, host), Known::Named));
    let peer = engine(&mut world).peers.get_mut(&node).unwrap();
    peer.paths.insert(other, Box::new(full));
    engine(&mut world).take_over(node, other, own);
    assert!(path(&mut world, node, 0).addresses.contains(&own));
    engine(&mut world).settle(now, node);
    assert_eq!(world.verdict(0, 0, 1), Some(Verdict::Home), "{}", world.state(0));
}

/// Peers that are lost are asked at a rate that does not grow with the slots, and each has its turn.
#[test]
fn lost_peers_are_asked_so_often_in_a_second_however_short_the_slots() {
    let mut world = World::new(18, 1);
    let budget = std::num::NonZeroU32::MIN.saturating_add(1_000_000);
    let hurried = Config { requestor: true, interval: ms(10), packet_budget: budget, ..Config::default() };
    world.start(0, &hurried, Memory::default());
    (1..18).for_each(|host| world.respond_only(host));
    world.run(ms(1000));
    (1..18).for_each(|host| world.kill(host));
    world.run(ms(1000));
    assert!((1..18).all(|host| world.is_absent(0, host)), "{}", world.state(0));
    world.tap(0);
    world.run(ms(5000));
    let asked: Vec<usize> = world.tape(0).iter().filter(|f| !f.sent().is_broadcast).map(|f| f.to).collect();
    assert!(asked.len() <= 32 * 6, "{}", asked.len());
    for host in 1..18 {
        let turns = asked.iter().filter(|to| **to == host).count();
        assert!(turns >= 3, "host {host} was asked {turns} times of {}", asked.len());
    }
}

/// The first host goes to the other's address on the first LAN by the second.
fn send_round(world: &mut World, node: NodeId) {
    set_level(path(world, node, 0), Level::Down);
    let way = Position::Detour(key(1), address(1, 1));
    path(world, node, 0).addresses.iter_mut().for_each(|a| a.position = way);
}

/// What was answered before our carrier went is no clean slot of the LAN that it comes back to.
#[test]
fn a_slot_without_carrier_is_not_judged_by_what_was_answered_before() {
    for wait in 0..20 {
        let (mut world, node) = acquainted(2);
        let good = std::num::NonZeroU32::MIN;
        world.reload(0, &Config { requestor: true, good, ..Config::default() });
        world.run(ms(1000 + wait * 10));
        world.set_carrier(0, 0, false);
        world.cut(0, |_, _| true);
        world.run(ms(1000));
        world.set_carrier(0, 0, true);
        world.run(ms(10));
        let local = path(&mut world, node, 0).local;
        assert_eq!(local, Level::Down, "{}", world.state(0));
    }
}

/// Rule 2: both ways fell silent, the detour after home; what it answered meanwhile proves nothing of it any more.
#[test]
fn a_way_that_has_gone_silent_since_it_answered_is_no_way_out() {
    for is_fresh in [true, false] {
        let (mut world, node) = acquainted(2);
        let now = world.now;
        let interval = Config::default().interval;
        set_level(path(&mut world, node, 0), Level::Down);
        path(&mut world, node, 0).unanswered_since = Some(now - interval * 20);
        set_level(path(&mut world, node, 1), Level::Down);
        path(&mut world, node, 1).proof = Some(now - interval * if is_fresh { 1 } else { 10 });
        engine(&mut world).decide(now, node);
        let moved = matches!(position(&mut world, node, 0), Position::Detour(..));
        assert_eq!(moved, is_fresh, "{}", world.state(0));
    }
}

/// Two ways that both ends call down, and that answer all the same, are not left for each other with every packet.
#[test]
fn two_doubtful_ways_are_not_swapped_for_ever() {
    let (mut world, node) = acquainted(3);
    send_round(&mut world, node);
    let now = world.now;
    for lan in [1, 2] {
        set_level(path(&mut world, node, lan), Level::Down);
        path(&mut world, node, lan).proof = Some(now);
        path(&mut world, node, lan).unanswered_since = None;
    }
    for _ in 0..3 {
        engine(&mut world).decide(now, node);
        assert_eq!(position(&mut world, node, 0), Position::Detour(key(1), address(1, 1)));
    }
}

/// Nor if the first of them has lost a question since it answered: the other one serves until it answers again.
#[test]
fn a_doubtful_way_that_loses_questions_is_not_taken_again_with_every_packet() {
    let (mut world, node) = acquainted(3);
    send_round(&mut world, node);
    let now = world.now;
    for lan in [1, 2] {
        set_level(path(&mut world, node, lan), Level::Down);
        path(&mut world, node, lan).proof = Some(now);
        path(&mut world, node, lan).unanswered_since = None;
    }
    for lan in [1, 2, 2, 2] {
        engine(&mut world).decide(now, node);
        let way = Position::Detour(key(lan), address(lan.into(), 1));
        assert_eq!(position(&mut world, node, 0), way);
        path(&mut world, node, 1).proof = Some(now - ms(600));
        path(&mut world, node, 1).unanswered_since = Some(now - ms(500));
    }
    path(&mut world, node, 1).unanswered_since = None;
    engine(&mut world).decide(now, node);
    assert_eq!(position(&mut world, node, 0), Position::Detour(key(1), address(1, 1)));
}

/// Rule 6: s slots are worth waiting for only while the overlay serves.
#[test]
fn an_unknown_home_is_up_at_once_when_the_overlay_is_dead() {
    for (way, wanted) in [(Level::Up, Config::default().good.get()), (Level::Down, 1)] {
        let (mut world, node) = acquainted(3);
        send_round(&mut world, node);
        set_level(path(&mut world, node, 0), Level::Unknown);
        set_level(path(&mut world, node, 1), way);
        set_level(path(&mut world, node, 2), Level::Unknown);
        let engine = engine(&mut world);
        let peer = &engine.peers[&node];
        assert_eq!(engine.clean_slots_wanted(peer, Family::V4, &peer.paths[&key(0)]), Some(wanted));
    }
}

/// A list that the peer has replaced says nothing of what came since.
#[test]
fn a_list_that_is_known_to_be_old_withdraws_nothing() {
    for is_old in [true, false] {
        let (mut world, node) = acquainted(2);
        let now = world.now;
        for lan in [0, 1] {
            let path = path(&mut world, node, lan);
            path.claims = vec![address(0, 77), address(1, 1)];
            path.offered_generation = path.claims_generation + u32::from(is_old);
        }
        engine(&mut world).renew_claimed(now, node);
        let withdrawn = path(&mut world, node, 0).addresses.iter().next().unwrap().withdrawn;
        assert_eq!(withdrawn.is_some(), !is_old);
    }
}

/// A responder asks for nothing on a LAN that the peer only claims: that LAN must not keep a dead peer present.
#[test]
fn a_peer_is_absent_although_one_of_its_lans_was_never_heard() {
    let mut world = World::new(2, 2);
    world.respond_only(0);
    world.cut(1, |_, _| true);
    world.run(ms(3000));
    let node = world.hosts[1].engine.as_ref().unwrap().node();
    let unheard = PathKey { peer_lan: UNHEARD, ..key(1) };
    assert!(engine(&mut world).peers[&node].paths.contains_key(&unheard), "{}", world.state(0));
    world.kill(1);
    world.run(ms(3000));
    assert_eq!(world.told(0, &[EventName::PeerDown]).len(), 1, "{}", world.state(0));
}

/// An address that has not answered in this run is asked as soon as its home is up, although it was asked in vain just
/// before; and in each slot while its overlay stands.
#[test]
fn an_unproven_address_is_asked_when_its_home_is_up() {
    let slots = Config::default().interval;
    for (up_for, is_round, is_asked) in [(0, false, true), (5, false, false), (5, true, true)] {
        let (mut world, node) = acquainted(2);
        let (now, unproven) = (world.now, address(0, 77));
        let path_to = path(&mut world, node, 0);
        path_to.failback.set_up(Some(now - slots * up_for));
        path_to.note(unproven, Known::Trusted);
        let record = path_to.addresses.get_mut(&unproven).unwrap();
        record.asked = Some(now - slots);
        if is_round {
            record.position = Position::Detour(key(1), address(1, 1));
        }
        engine(&mut world).ask_unproven(now, node, LanIndex(0));
        let asked = path(&mut world, node, 0).addresses.get(&unproven).unwrap().asked;
        assert_eq!(asked == Some(now), is_asked, "up for {up_for} slots");
    }
}

/// The peer has another number for its LAN: the addresses that stayed behind on the silent path are asked under the new one.
#[test]
fn addresses_of_a_silent_path_are_asked_under_the_one_that_is_up() {
    for is_silent in [true, false] {
        let (mut world, node) = acquainted(2);
        let (now, left) = (world.now, address(0, 77));
        let mut old = path(&mut world, node, 0).clone();
        old.addresses = super::peer_address::PeerAddresses::default();
        old.note(left, Known::Trusted);
        old.gone = is_silent;
        let other = PathKey { peer_lan: LanIndex(7), ..key(0) };
        engine(&mut world).peers.get_mut(&node).unwrap().paths.insert(other, Box::new(old));
        engine(&mut world).ask_unproven(now, node, LanIndex(0));
        let asked = path(&mut world, node, 0).outstanding.iter().any(|asked| asked.target == left);
        assert_eq!(asked, is_silent);
    }
}

/// Rule 13: who drew his id in this run does not yield to one that was copied from his disk since; so the other does. At
/// whatever pace they ask: answers to strangers are few, and their broadcasts must not use them up.
#[test]
fn a_copy_of_an_id_that_was_drawn_lately_draws_another() {
    for (interval, rounds) in [(200, 8), (10, 2)] {
        for requestor in [true, false].repeat(rounds) {
            let config = Config { requestor, interval: ms(interval), ..Config::default() };
            let mut world = World::new(2, 2);
            world.start(0, &Config { requestor: true, ..config.clone() }, Memory::default());
            world.run(ms(1000));
            engine(&mut world).told.redrawn = true;
            // The one that has drawn an id would have to yield.
            engine(&mut world).boot = BootId(1);
            let copy = world.remembered(0);
            world.start(1, &config, copy);
            world.run(ms(12_000));
            let ids = [0, 1].map(|host| world.hosts[host].engine.as_ref().unwrap().node());
            assert_ne!(ids[0], ids[1], "{}{}", world.state(0), world.state(1));
            world.run(ms(1_000));
            let later = [0, 1].map(|host| world.hosts[host].engine.as_ref().unwrap().node());
            assert_eq!(ids, later);
        }
    }
}

/// A link-local address is the gateway of routes or nothing: a detour that nothing stands for does not keep an absent
/// node for ever.
#[test]
fn an_absent_node_is_forgotten_although_a_link_local_address_has_a_detour() {
    let (mut world, node) = acquainted(2);
    world.kill(1);
    world.run(ms(3000));
    let link_local = "fe80::1".parse().unwrap();
    for stands in [true, false] {
        let path = path(&mut world, node, 0);
        path.note(link_local, Known::Trusted);
        let record = path.addresses.get_mut(&link_local).unwrap();
        let way = NextHop { interface: "lan1".into(), via: address(1, 1) };
        record.position = Position::Detour(key(1), address(1, 1));
        record.applied = stands.then(|| way.into());
        world.run(ms(700_000));
        assert_eq!(engine(&mut world).peers.contains_key(&node), stands, "{}", world.state(0));
    }
}
