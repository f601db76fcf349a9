//! Both ends of a pair come to the same conclusions, whichever of them learns of a fault first.

use super::peer_address::Position;
use super::world::SentKind;
use super::*;
use crate::wire::Level;

fn is_detour(verdict: Option<Verdict>) -> bool {
    matches!(verdict, Some(Verdict::Detour(_)))
}

#[test]
fn what_an_absent_peer_says_counts_when_it_answers() {
    for wait in 0..20 {
        let mut world = World::new(2, 2);
        world.run(ms(2000 + wait * 10));
        world.cut(0, |_, _| true);
        world.cut(1, |from, _| from == 1);
        world.run(ms(2000));
        let said = world.told(1, &[EventName::PeerDown, EventName::PathDown]);
        assert_eq!(said.last().unwrap().name(), EventName::PeerDown, "{}", world.state(1));
    }
}

#[test]
fn a_responder_that_is_told_of_a_dead_path_goes_on_looking_for_a_way_out() {
    let mut world = World::new(2, 2);
    world.respond_only(1);
    world.run(ms(2000));
    world.cut(0, |from, _| from == 1);
    world.run(ms(300));
    world.cut(1, |_, _| true);
    world.run(ms(450));
    assert!(!is_detour(world.verdict(1, 0, 0)), "{}", world.state(1));
    world.cut(1, |_, _| false);
    world.run(ms(1000));
    for host in 0..2 {
        assert!(is_detour(world.verdict(host, 0, 1 - host)), "{}", world.state(host));
    }
}

/// An answer proves a path and calls the other dead in one packet: what it proves is judged by what it says.
#[test]
fn nobody_waits_for_a_path_that_the_answer_itself_calls_dead() {
    let mut world = World::new(2, 2);
    world.respond_only(1);
    world.run(ms(2000));
    world.cut(1, |_, _| true);
    world.run(ms(1000));
    let (now, node) = (world.now, world.engine(0).node);
    let engine = world.hosts[1].engine.as_mut().unwrap();
    let peer = engine.peers.get_mut(&node).unwrap();
    let [home, way] = [0, 1].map(|lan| *peer.paths.keys().find(|key| key.lan.0 == lan).unwrap());
    // Both paths were silent while the traffic of one went by the other.
    for path in peer.paths.values_mut() {
        path.restart_counts();
        path.verdict = Level::Unknown;
    }
    let address = |lan| address(lan, 0);
    let record = peer.paths.get_mut(&home).unwrap().addresses.get_mut(&address(0)).unwrap();
    record.position = Position::Detour(way, address(1));
    engine.inquire(now, node, home, address(0), false);
    world.wake(1);
    // There and back; nothing is asked again meanwhile.
    world.run(Duration::from_micros(250));
    assert_eq!(world.engine(1).path(node, home).unwrap().local, Level::Up, "{}", world.state(1));
}

/// Rule 9: one peer's dead NIC is not the LAN's death, whether it is the only peer there or one of several.
#[test]
fn lan_down_needs_two_silent_peers() {
    let silent = |hosts, cut| {
        let mut world = World::new(hosts, 2);
        world.run(ms(2000));
        world.cut(0, cut);
        world.run(ms(2000));
        assert!(is_detour(world.verdict(0, 0, 1)), "{}", world.state(0));
        !world.told(0, &[EventName::LanDown]).is_empty()
    };
    assert!(!silent(2, |_, _| true), "the only peer");
    assert!(!silent(3, |from, to| from == 1 || to == 1), "one of two");
    assert!(silent(3, |_, _| true), "all of two");
}

/// Rule 2: an overlay that was found at the start is kept, but not laid again once it has gone. The other end does not call
/// the home up while its own questions are lost; else both would go home at once (rule 7).
#[test]
fn an_overlay_that_has_gone_is_not_taken_over() {
    for (seed, gone) in (0..40).flat_map(|seed| [(seed, false), (seed, true)]) {
        let mut world = World::seeded(2, 2, seed);
        world.run(ms(2000));
        let memory = world.hosts[0].memory.clone();
        [0, 1].iter().for_each(|lan| world.cut(*lan, |_, _| true));
        world.start(0, &Config { requestor: true, ..Config::default() }, memory);
        let way = NextHop { interface: "lan0".into(), via: address(0, 1) };
        world.find_overlay(0, address(1, 1), Some(&way));
        world.run(ms(1000));
        if gone {
            world.find_overlay(0, address(1, 1), None);
        }
        world.cut(1, |_, _| false);
        world.lose(1, |sent| sent.from == 1 && sent.kind == SentKind::Inquiry);
        world.run(ms(1000));
        let told = world.told(0, &[EventName::DetourAdopted]);
        assert_eq!(told.is_empty(), gone, "seed {seed}{}", world.state(0));
    }
}

/// One end flees its own dead interface while nothing passes, and the other knows of nothing: when they meet again,
/// on the other LAN first, neither calls the home up yet.
#[test]
fn who_finds_that_a_peer_has_left_goes_round_too() {
    let good = std::num::NonZeroU32::new(15).unwrap();
    let config = Config { requestor: true, good, ..Config::default() };
    for wait in 0..20 {
        let mut world = World::new(2, 2);
        (0..2).for_each(|host| world.reload(host, &config));
        world.run(ms(2000 + wait * 10));
        (0..2).for_each(|lan| world.cut(lan, |_, _| true));
        world.set_carrier(0, 0, false);
        world.run(ms(3000));
        let moved = |world: &World| [0, 1].map(|host| is_detour(world.verdict(host, 0, 1 - host)));
        assert_eq!(moved(&world), [true, false], "{}{}", world.state(0), world.state(1));
        world.set_carrier(0, 0, true);
        world.cut(1, |_, _| false);
        world.run(ms(210));
        world.cut(0, |_, _| false);
        world.run(ms(400));
        assert_eq!(moved(&world), [true, true], "{}{}", world.state(0), world.state(1));
        world.run(ms(8000));
        assert_eq!(moved(&world), [false, false], "{}{}", world.state(0), world.state(1));
    }
}
