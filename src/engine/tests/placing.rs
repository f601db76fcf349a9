//! Which node is a configured peer, while an attacker on the first LAN invents one that has the peer's address there.

use super::world::Flight;
use super::*;
use crate::config::PeerConfig;
use crate::wire::{self, Kind, LanIndex, Packet, Sender};

/// Whose address the attacker has besides that of the peer: a host that runs no daemon.
const ATTACKER: usize = 2;

/// The node that it invents.
const INVENTED: NodeId = NodeId(4242);

/// The peer is configured with an address on each of these LANs.
fn config(lans: std::ops::Range<usize>) -> Config {
    let addresses = lans.map(|lan| address(lan, 1)).collect();
    let peer = PeerConfig { name: "peer".to_owned(), addresses };
    Config { requestor: true, peers: vec![peer], ..Config::default() }
}

/// Host 0, which is told of its peer, host 1, and the place of an attacker.
fn world(lans: std::ops::Range<usize>) -> World {
    let mut world = World::new(3, 2);
    world.kill(ATTACKER);
    world.start(0, &config(lans), Memory::default());
    world.tap(0);
    world
}

fn is_invented(packet: &mut Packet) {
    packet.sender = Sender { node: INVENTED, boot: BootId(7), lan: LanIndex(0), ..packet.sender };
}

/// For so many slots the invented node answers from the peer's address, which takes no more than to hear the questions, and
/// from its own, and names addresses of the first LAN, and of the second if `names_all`.
fn attack(world: &mut World, slots: u32, names_all: bool) {
    world.run(ms(300));
    for _ in 0..slots * 4 {
        for from in [1, ATTACKER] {
            let mut answer = hostile::answer(world, 0, INVENTED.0, 7);
            is_invented(&mut answer);
            world.forge(0, 0, from, &answer);
        }
        let mut list = hostile::inquiry(world, 0, 0);
        is_invented(&mut list);
        let named = [address(0, 1), address(0, ATTACKER), address(1, 1)];
        list.addresses = Some(named[..if names_all { 3 } else { 2 }].to_vec());
        world.forge(0, 0, ATTACKER, &list);
        let asked: Vec<Flight> = world.tape(0).iter().filter(|f| f.to == ATTACKER).cloned().collect();
        world.tap(0);
        for flight in asked.iter().filter(|flight| !flight.sent().is_broadcast) {
            let asked = wire::decode(&flight.payload, flight.source, flight.destination, &Keys::default());
            let echo = asked.unwrap().sender.nonce;
            let mut answer = hostile::inquiry(world, 0, 0);
            is_invented(&mut answer);
            answer.kind = Kind::Acknowledgement { echo, held: Duration::ZERO };
            world.forge(0, 0, ATTACKER, &answer);
        }
        world.run(ms(50));
    }
}

/// Which nodes are the configured peer.
fn placed(world: &World) -> Vec<NodeId> {
    let placed = world.engine(0).all_peers().filter(|peer| peer.configured.is_some());
    placed.map(|peer| peer.node).collect()
}

fn is_detour(world: &World, lan: usize) -> bool {
    matches!(world.verdict(0, lan, 1), Some(Verdict::Detour(_)))
}

/// The true peer is absent, and known: from this run, or from the memory of the last.
#[test]
fn an_invented_node_takes_no_place_of_a_peer_that_is_known() {
    for (is_remembered, names_all) in [(false, false), (false, true), (true, false), (true, true)] {
        let mut world = world(0..2);
        world.run(ms(2000));
        let (node, memory) = (world.hosts[1].node, world.remembered(1));
        world.kill(1);
        world.run(ms(2000));
        if is_remembered {
            let known = world.memory(0);
            world.start(0, &config(0..2), known);
        }
        attack(&mut world, 40, names_all);
        assert!(!placed(&world).contains(&INVENTED), "{}", world.state(0));
        assert!(!is_detour(&world, 1), "{}", world.state(0));
        world.start(1, &Config { requestor: true, ..Config::default() }, memory);
        attack(&mut world, 10, names_all);
        assert_eq!(placed(&world), [node], "{is_remembered}{}", world.state(0));
        for lan in 0..2 {
            assert_eq!(world.verdict(0, lan, 1), Some(Verdict::Home), "{}", world.state(0));
        }
    }
}

/// Nothing is known of the true peer, so that the invented node is taken for it. That ends when the peer is heard on a LAN that
/// is not the attacker's. `is_cut`: it is heard there alone.
#[test]
fn an_invented_node_gives_the_place_back_to_the_true_peer() {
    for (responder, names_all) in [(false, false), (false, true), (true, false), (true, true)] {
        for is_cut in [false, true] {
            let mut world = world(0..2);
            world.kill(1);
            attack(&mut world, 20, names_all);
            assert_eq!(placed(&world), [INVENTED], "{}", world.state(0));
            assert!(is_detour(&world, 1), "{}", world.state(0));
            if is_cut {
                world.cut(0, |from, to| from == 1 || to == 1);
            }
            world.start(1, &Config { requestor: !responder, ..Config::default() }, Memory::default());
            attack(&mut world, 20, names_all);
            assert_eq!(world.verdict(0, 1, 1), Some(Verdict::Home), "{responder} {is_cut}{}", world.state(0));
            if !is_cut {
                assert_eq!(placed(&world), [world.hosts[1].node], "{}", world.state(0));
            }
            // When it is away again the invented node gets nothing of it.
            world.kill(1);
            attack(&mut world, 20, names_all);
            assert!(is_cut || !is_detour(&world, 1), "{responder}{}", world.state(0));
        }
    }
}

/// The host of a peer is installed again, under another id.
#[test]
fn a_host_that_was_installed_again_is_the_configured_peer() {
    for (lans, requestor) in [(0..2, true), (0..2, false), (0..1, true), (1..2, false)] {
        let mut world = world(lans);
        world.run(ms(2000));
        world.kill(1);
        world.run(ms(1000));
        world.start(1, &Config { requestor, ..Config::default() }, Memory::default());
        world.run(ms(2000));
        assert_eq!(placed(&world), [world.hosts[1].node], "{}", world.state(0));
        for lan in 0..2 {
            assert_eq!(world.verdict(0, lan, 1), Some(Verdict::Home), "{}", world.state(0));
        }
    }
}

/// The same while one LAN is dead: it might be invented, and waits until that LAN is back or its former id is forgotten.
#[test]
fn a_host_that_was_installed_again_while_a_lan_is_dead_waits() {
    for heals in [false, true] {
        let mut world = world(0..2);
        world.run(ms(2000));
        let former = world.hosts[1].node;
        world.kill(1);
        world.run(ms(1000));
        world.cut(1, |_, _| true);
        world.start(1, &Config { requestor: true, ..Config::default() }, Memory::default());
        world.run(ms(5000));
        assert_eq!(placed(&world), [former], "{}", world.state(0));
        assert_eq!(world.verdict(0, 0, 1), Some(Verdict::Home), "{}", world.state(0));
        if heals {
            world.cut(1, |_, _| false);
            world.run(ms(4000));
        } else {
            world.run(ms(602_000));
        }
        assert_eq!(placed(&world), [world.hosts[1].node], "{}", world.state(0));
        assert_eq!(is_detour(&world, 1), !heals, "{}", world.state(0));
    }
}
