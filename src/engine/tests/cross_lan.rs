//! An attacker on the first LAN who has an address of its own there, receives what is sent to that, and answers in a peer's
//! name: on the other LANs nothing comes of it.

use std::cell::RefCell;

use super::path::{Path, PathKey};
use super::peer_address::Known;
use super::world::Flight;
use super::*;
use crate::interface::Family;
use crate::wire::{self, Kind, LanIndex, Level, Nonce, Packet, PathReport, Token};

/// Whose address and place on the LAN the attacker has: a host that runs no daemon.
const ATTACKER: usize = 2;

/// The attacker knows what every host on the LAN can know, and what it was told.
struct Attacker {
    /// Whom it lies to, and in whose name.
    victim: usize,
    name: usize,
    nonces: u64,
}

impl Attacker {
    /// Two hosts that have met, and one that speaks to the first in the name of the second.
    fn among(world: &mut World) -> Self {
        world.kill(ATTACKER);
        world.tap(0);
        world.run(ms(2000));
        Self { victim: 0, name: 1, nonces: 1 << 40 }
    }

    /// What the peer could say on the first LAN, each time with another nonce.
    fn packet(&mut self, world: &World) -> Packet {
        let mut packet = hostile::inquiry(world, self.name, self.victim);
        self.nonces += 1;
        packet.sender.nonce = Nonce(self.nonces);
        packet.sender.requestor = engine(world, self.name).config.requestor;
        packet.sender.interval = engine(world, self.name).interval;
        packet
    }

    /// Says that its own address is one of the peer's, as part of a list that was never heard before; and something old, so
    /// that it is asked.
    fn claims_its_address(&mut self, world: &mut World) {
        let mut old = self.packet(world);
        old.sender.sequence = old.sender.sequence.wrapping_sub(1000);
        world.forge(self.victim, 0, ATTACKER, &old);
        let mut packet = self.packet(world);
        packet.sender.address_generation = 1_000_000 + u32::try_from(self.nonces & 0xffff).unwrap();
        packet.addresses = Some(vec![address(0, ATTACKER), address(0, self.name), address(1, self.name)]);
        world.forge(self.victim, 0, ATTACKER, &packet);
    }

    /// Speaks as this run of the peer, and returns the cookie that it gets for that.
    fn runs_as(&mut self, world: &mut World, boot: BootId) {
        world.tap(0);
        let mut packet = self.packet(world);
        packet.sender.boot = boot;
        world.forge(self.victim, 0, ATTACKER, &packet);
        let to_it = world.tape(0).iter().filter(|f| f.from == self.victim && f.to == ATTACKER);
        let decode = |f: &Flight| wire::decode(&f.payload, f.source, f.destination, &Keys::default()).ok();
        let cookie = to_it.filter_map(|f| decode(f)?.cookie).next_back();
        let mut packet = self.packet(world);
        packet.sender.boot = boot;
        packet.addresses = Some(vec![address(0, ATTACKER)]);
        packet.cookie = cookie;
        world.forge(self.victim, 0, ATTACKER, &packet);
    }

    /// Answers all that the victim has asked it by unicast since it was last called.
    fn answers(&mut self, world: &mut World, lie: &dyn Fn(&mut Packet)) -> usize {
        let (victim, no_keys) = (self.victim, Keys::default());
        let asked: Vec<Nonce> = world
            .tape(0)
            .iter()
            .filter(|f| f.from == victim && f.to == ATTACKER && !f.sent().is_broadcast)
            .filter_map(|f| wire::decode(&f.payload, f.source, f.destination, &no_keys).ok())
            .filter(|packet| packet.kind == Kind::Inquiry)
            .map(|packet| packet.sender.nonce)
            .collect();
        world.tap(0);
        for echo in &asked {
            let mut packet = self.packet(world);
            packet.kind = Kind::Acknowledgement { echo: *echo, held: Duration::ZERO };
            lie(&mut packet);
            world.forge(victim, 0, ATTACKER, &packet);
        }
        asked.len()
    }
}

fn engine(world: &World, host: usize) -> &Engine {
    world.engine(host)
}

fn path(world: &World, host: usize, peer: usize, lan: u8) -> &Path {
    let key = PathKey { lan: LanIndex(lan), family: Family::V4, peer_lan: LanIndex(lan) };
    engine(world, host).path(world.hosts[peer].node, key).unwrap()
}

fn is_detour(world: &World, host: usize, lan: usize, peer: usize) -> bool {
    matches!(world.verdict(host, lan, peer), Some(Verdict::Detour(_)))
}

fn says(lan: u8, level: Level, ready: bool, moved: bool) -> PathReport {
    let (sender_lan, receiver_lan) = (LanIndex(lan), LanIndex(lan));
    PathReport { family: Family::V4, sender_lan, receiver_lan, level, ready, moved, token: Token(1) }
}

// ----- runs

/// Its address has answered as the peer's, and then another run speaks from there, for as long as it likes.
#[test]
fn an_invented_run_moves_nothing_and_holds_nothing() {
    for responder in [false, true] {
        let mut world = World::new(3, 2);
        if responder {
            world.respond_only(0);
        }
        let mut attacker = Attacker::among(&mut world);
        let invented = RefCell::new(1000);
        let mut answered = 0;
        let mut slot = |world: &mut World| {
            attacker.claims_its_address(world);
            answered += attacker.answers(world, &|packet| {
                packet.sender.boot = BootId(*invented.borrow());
                *invented.borrow_mut() += 1;
            });
            // So that it is asked: as the known run, then as another.
            let mut packet = attacker.packet(world);
            packet.sender.boot = BootId(7);
            world.forge(0, 0, ATTACKER, &packet);
            world.run(ms(50));
            attacker.answers(world, &|_| {});
            world.run(ms(50));
        };
        (0..30).for_each(|_| slot(&mut world));
        world.cut(1, |_, _| true);
        (0..8).for_each(|_| slot(&mut world));
        assert!(is_detour(&world, 0, 1, 1), "{}", world.state(0));
        world.assert_quiet(&[EventName::PeerRestarted, EventName::PeerExpired]);
        assert!(answered > 5, "{answered}");
    }
}

/// The attacker goes on speaking as the run that is over: the true one is believed all the same, within a slot or two.
#[test]
fn a_true_restart_is_believed_whatever_is_said_on_another_lan() {
    for responder in [false, true] {
        for is_silent in [false, true] {
            let mut world = World::new(3, 2);
            if responder {
                world.respond_only(0);
            }
            let mut attacker = Attacker::among(&mut world);
            let old = engine(&world, 1).boot;
            let memory = world.remembered(1);
            if is_silent {
                world.cut(0, |_, _| true);
            }
            for _ in 0..20 {
                attacker.claims_its_address(&mut world);
                attacker.answers(&mut world, &|_| {});
                world.run(ms(100));
            }
            world.start(1, &Config { requestor: true, ..Config::default() }, memory);
            for _ in 0..40 {
                let mut packet = attacker.packet(&world);
                packet.sender.boot = old;
                packet.sender.sequence = packet.sender.sequence.wrapping_add(100);
                packet.addresses = Some(vec![address(0, ATTACKER)]);
                packet.sender.address_generation =
                    2_000_000 + u32::try_from(attacker.nonces & 0xffff).unwrap();
                world.forge(0, 0, ATTACKER, &packet);
                attacker.answers(&mut world, &|packet| packet.sender.boot = old);
                world.run(ms(20));
            }
            let known = engine(&world, 0).peers[&world.hosts[1].node].boot;
            assert_eq!(known, Some(engine(&world, 1).boot), "{responder} {is_silent}{}", world.state(0));
        }
    }
}

/// An address that is the node's counts for another run whatever is said on the other LAN just now; one that was never
/// named there does not.
#[test]
fn what_counts_as_an_address_for_another_run() {
    let mut world = World::new(3, 2);
    let mut attacker = Attacker::among(&mut world);
    let is_own = |world: &World, lan: u8, address: IpAddr| {
        let engine = engine(world, 0);
        engine.is_own(world.now, &engine.peers[&world.hosts[1].node], LanIndex(lan), &address)
    };
    for _ in 0..5 {
        attacker.claims_its_address(&mut world);
        world.run(ms(100));
        attacker.answers(&mut world, &|_| {});
    }
    let all = |world: &World| {
        [(0, address(0, 1)), (1, address(1, 1)), (0, address(0, ATTACKER))]
            .map(|(lan, a)| is_own(world, lan, a))
    };
    assert_eq!(all(&world), [true, true, false]);
    let mut packet = attacker.packet(&world);
    packet.sender.address_generation = 3_000_000;
    packet.addresses = Some(vec![address(0, ATTACKER)]);
    world.forge(0, 0, ATTACKER, &packet);
    assert_eq!(all(&world), [true, true, false]);
}

/// The attacker is a peer that is configured, at its own address: that makes it no other peer, and the other's own places
/// stay its own.
#[test]
fn an_address_that_is_configured_for_one_peer_counts_for_no_other() {
    let named = |name: &str, host| crate::config::PeerConfig {
        name: name.to_owned(),
        addresses: vec![address(0, host), address(1, host)],
    };
    for peers in [vec![named("attacker", ATTACKER)], vec![named("attacker", ATTACKER), named("peer", 1)]] {
        let mut world = World::new(3, 2);
        let is_peer_named = peers.len() == 2;
        world.start(0, &Config { requestor: true, peers, ..Config::default() }, Memory::default());
        let mut attacker = Attacker::among(&mut world);
        for _ in 0..20 {
            attacker.claims_its_address(&mut world);
            world.run(ms(50));
            attacker.answers(&mut world, &|_| {});
        }
        let node = world.hosts[1].node;
        let peer = &engine(&world, 0).peers[&node];
        let is_own = |address| engine(&world, 0).is_own(world.now, peer, LanIndex(0), &address);
        assert!(is_own(address(0, 1)) && !is_own(address(0, ATTACKER)), "{}", world.state(0));
        assert_eq!(peer.configured, is_peer_named.then_some(1), "{}", world.state(0));
        // The peer is installed again, with another id.
        world.start(1, &Config { requestor: true, ..Config::default() }, Memory::default());
        world.run(ms(5000));
        let peer = &engine(&world, 0).peers[&world.hosts[1].node];
        assert_eq!(peer.configured, is_peer_named.then_some(1), "{}", world.state(0));
        for lan in 0..2 {
            assert_eq!(world.verdict(0, lan, 1), Some(Verdict::Home), "{}", world.state(0));
        }
    }
}

/// A list does not say on which LAN the peer has a link-local address. One that speaks on two LANs may be the attacker's on
/// one of them, whichever was heard first.
#[test]
fn a_link_local_address_that_speaks_on_two_lans_is_the_peers_own_on_neither() {
    for order in [[0, 1], [1, 0]] {
        let mut world = World::new(2, 2);
        world.run(ms(2000));
        let (now, node) = (world.now, world.hosts[1].node);
        let link_local: IpAddr = "fe80::b".parse().unwrap();
        let key = |lan, family| PathKey { lan: LanIndex(lan), family, peer_lan: LanIndex(lan) };
        let engine = world.hosts[0].engine.as_mut().unwrap();
        let is_own =
            |engine: &Engine, lan| engine.is_own(now, &engine.peers[&node], LanIndex(lan), &link_local);
        for (heard, lan) in order.into_iter().enumerate() {
            let mut path = Path::new(now, &mut engine.random, 0.0, &engine.config.damping);
            path.note(link_local, Known::Named);
            path.addresses.get_mut(&link_local).unwrap().answered = Some(now);
            engine.peers.get_mut(&node).unwrap().paths.insert(key(lan, Family::V6), Box::new(path));
            // The peer names it over both LANs.
            for over in [0, 1] {
                let via = key(over, Family::V4);
                let generation = engine.path(node, via).unwrap().claims_generation + 1;
                let list = [address(0, 1), address(1, 1), link_local];
                engine.take_list(now, node, via, generation, &list);
            }
            assert_eq!(is_own(engine, lan), heard == 0, "{order:?}");
        }
        assert!(!is_own(engine, 0) && !is_own(engine, 1), "{order:?}");
    }
}

/// A responder is heard as often as it is asked: between two questions of a slow requestor it is not silent, and what it
/// names counts.
#[test]
fn a_responder_is_not_silent_between_the_questions_of_a_slow_requestor() {
    let mut world = World::new(3, 2);
    world.start(0, &Config { requestor: true, interval: ms(1000), ..Config::default() }, Memory::default());
    world.respond_only(1);
    let mut attacker = Attacker::among(&mut world);
    world.run(ms(3000));
    for _ in 0..100 {
        world.run(ms(70));
        attacker.runs_as(&mut world, BootId(77));
        let known = &engine(&world, 0).peers[&world.hosts[1].node];
        assert_eq!(known.boot, Some(engine(&world, 1).boot), "{}", world.state(0));
        let voices: Vec<_> = engine(&world, 0).voices(world.now, known).map(|(key, _)| key.lan.0).collect();
        assert_eq!(voices, [0, 1], "{}", world.state(0));
    }
    world.assert_quiet(&[EventName::PeerRestarted, EventName::PeerExpired, EventName::AddressWithdrawn]);
}

/// An attacker takes the node's id while it reboots: it is believed as soon as it is back on the other LAN.
#[test]
fn a_run_that_was_invented_while_the_node_was_away_gives_way_to_the_true_one() {
    for configured in [false, true] {
        let mut world = World::new(3, 2);
        let peers = vec![crate::config::PeerConfig {
            name: "peer".to_owned(),
            addresses: vec![address(0, 1), address(1, 1)],
        }];
        let peers = if configured { peers } else { Vec::new() };
        world.start(0, &Config { requestor: true, peers, ..Config::default() }, Memory::default());
        let mut attacker = Attacker::among(&mut world);
        let memory = world.remembered(1);
        world.run(ms(1000));
        let dead = world.hosts[1].engine.take().unwrap();
        world.run(ms(3000));
        world.hosts[1].engine = Some(dead);
        attacker.runs_as(&mut world, BootId(77));
        world.kill(1);
        // The first LAN is the attacker's.
        world.cut(0, |from, to| from == 1 || to == 1);
        let speak = |world: &mut World, attacker: &mut Attacker| {
            for _ in 0..20 {
                let mut packet = attacker.packet(world);
                packet.sender.boot = BootId(77);
                packet.addresses = Some(vec![address(0, ATTACKER)]);
                world.forge(0, 0, ATTACKER, &packet);
                attacker.answers(world, &|packet| packet.sender.boot = BootId(77));
                world.run(ms(50));
            }
        };
        world.start(1, &Config { requestor: true, ..Config::default() }, memory);
        speak(&mut world, &mut attacker);
        let known = engine(&world, 0).peers[&world.hosts[1].node].boot;
        assert_eq!(known, Some(engine(&world, 1).boot), "{configured}{}", world.state(0));
    }
}

// ----- reports

/// The peer does not hear us on the second LAN. An attacker who answers on the first says that all is well there.
#[test]
fn an_answer_by_one_lan_does_not_bring_home_what_another_lan_has_lost() {
    let mut world = World::new(3, 2);
    world.respond_only(0);
    let mut attacker = Attacker::among(&mut world);
    world.cut(1, |from, _| from == 0);
    world.run(ms(1000));
    assert!(is_detour(&world, 0, 1, 1), "{}", world.state(0));
    let mut answered = 0;
    for round in 1..100 {
        attacker.claims_its_address(&mut world);
        answered += attacker.answers(&mut world, &|packet| {
            packet.sender.report_generation = round * 1000;
            packet.reports = Some(vec![says(1, Level::Up, true, false)]);
        });
        assert!(is_detour(&world, 0, 1, 1), "{}", world.state(0));
        world.run(ms(30));
        assert!(is_detour(&world, 0, 1, 1), "{}", world.state(0));
    }
    assert!(answered > 5, "{answered}");
}

/// All is well, and an attacker answers on the first LAN that the peer is not ready on the second and has left it.
#[test]
fn an_answer_by_one_lan_says_nothing_of_another() {
    for (level, ready, moved) in
        [(Level::Up, false, true), (Level::Unknown, false, false), (Level::Down, false, true)]
    {
        let mut world = World::new(3, 2);
        let mut attacker = Attacker::among(&mut world);
        world.forget_notices();
        let mut answered = 0;
        for round in 1..50 {
            attacker.claims_its_address(&mut world);
            answered += attacker.answers(&mut world, &|packet| {
                packet.sender.report_generation = round * 1000;
                packet.reports = Some(vec![says(1, level, ready, moved)]);
            });
            let second = path(&world, 0, 1, 1);
            let said = (second.remote, second.remote_ready, second.remote_moved, second.peer_left);
            assert_eq!(said, (Level::Up, true, false, false), "{}", world.state(0));
            world.run(ms(30));
        }
        assert!(answered > 5, "{answered}");
        world.assert_quiet(OF_PATHS);
        world.assert_quiet(&[EventName::PeerFailover]);
    }
}

/// With the token of the second LAN an attacker on the first could say what it likes of that: it is not told, and neither is
/// it in what the victim sends of its own accord.
#[test]
fn who_answers_in_a_peers_name_gets_no_token_of_another_lan() {
    let mut world = World::new(3, 2);
    let mut attacker = Attacker::among(&mut world);
    let mut tokens = [Vec::new(), Vec::new()];
    for _ in 0..30 {
        attacker.claims_its_address(&mut world);
        world.run(ms(50));
        for flight in world.tape(0).iter().filter(|f| f.from == 0 && !f.sent().is_broadcast) {
            let packet = wire::decode(&flight.payload, flight.source, flight.destination, &Keys::default());
            let reports = packet.unwrap().reports.unwrap_or_default();
            let second = reports.iter().filter(|r| r.sender_lan == LanIndex(1)).map(|r| r.token);
            tokens[usize::from(flight.to == ATTACKER)].extend(second);
        }
        attacker.answers(&mut world, &|_| {});
    }
    let [to_peer, to_attacker] = tokens;
    assert!(!to_peer.is_empty() && to_peer.iter().all(|token| *token != Token(0)));
    assert!(!to_attacker.is_empty() && to_attacker.iter().all(|token| *token == Token(0)), "{to_attacker:?}");
}

/// A peer gives up an address on the first LAN while that is dead to it, and the attacker takes the address: it is told no token
/// of the other LAN either. `heals`: the peer has another address on the first LAN by then, and is heard from it.
#[test]
fn who_takes_an_address_that_was_given_up_gets_no_token_of_another_lan() {
    for heals in [false, true] {
        let mut world = World::new(3, 2);
        world.add_address(1, 0, address(0, ATTACKER));
        let mut attacker = Attacker::among(&mut world);
        world.run(ms(8000));
        world.cut(0, |from, to| from == 1 || to == 1);
        world.run(ms(1000));
        world.remove_address(1, 0, address(0, ATTACKER));
        world.run(ms(1000));
        if heals {
            world.cut(0, |_, _| false);
        }
        let mut tokens = Vec::new();
        world.tap(0);
        for _ in 0..40 {
            attacker.claims_its_address(&mut world);
            world.run(ms(50));
            for flight in world.tape(0).iter().filter(|f| f.to == ATTACKER && !f.sent().is_broadcast) {
                let packet =
                    wire::decode(&flight.payload, flight.source, flight.destination, &Keys::default());
                let reports = packet.unwrap().reports.unwrap_or_default();
                tokens.extend(reports.iter().filter(|r| r.sender_lan == LanIndex(1)).map(|r| r.token));
            }
            attacker.answers(&mut world, &|_| {});
        }
        assert!(!tokens.is_empty() && tokens.iter().all(|token| *token == Token(0)), "{heals} {tokens:?}");
    }
}

/// Forged reports from far ahead, some in each slot, and the peer is not heard any more on the second LAN: what it says of
/// that counts. `is_mute`: it cannot say so there, for ARP is not answered.
#[test]
fn true_news_counts_although_forged_reports_are_newer() {
    for is_mute in [false, true] {
        for forged_each in [15, 40, 70, 110] {
            for wait in 0..4 {
                let mut world = World::new(3, 2);
                world.respond_only(0);
                let mut attacker = Attacker::among(&mut world);
                world.run(ms(50 * wait));
                let mut forge = |world: &mut World, time: u64| {
                    for _ in 0..time / forged_each {
                        let mut packet = attacker.packet(world);
                        packet.sender.report_generation =
                            1_000_000 + u32::try_from(attacker.nonces & 0xffff).unwrap() * 1000;
                        packet.reports = Some(Vec::new());
                        world.forge(0, 0, ATTACKER, &packet);
                        attacker.claims_its_address(world);
                        world.run(ms(forged_each));
                        let generation = packet.sender.report_generation + 1;
                        attacker.answers(world, &|packet| {
                            packet.sender.report_generation = generation;
                            packet.reports = Some(Vec::new());
                        });
                    }
                };
                forge(&mut world, 500);
                world.cut(1, |from, _| from == 0);
                if is_mute {
                    world.lose(1, |sent| sent.from == 1 && !sent.is_broadcast);
                }
                forge(&mut world, 850);
                assert!(is_detour(&world, 0, 1, 1), "{is_mute} {forged_each} {wait}{}", world.state(0));
                world.lose(1, |_| false);
                world.cut(1, |_, _| false);
                forge(&mut world, 5000);
                for lan in 0..2 {
                    let verdict = world.verdict(0, lan, 1);
                    assert_eq!(verdict, Some(Verdict::Home), "{is_mute} {forged_each}{}", world.state(0));
                }
            }
        }
    }
}

/// On the first LAN an attacker says that the peer is a responder: what we have to tell it is told at once all the same.
#[test]
fn a_role_that_is_forged_on_one_lan_delays_no_news() {
    let mut told = 0;
    for wait in 0..20 {
        let mut world = World::new(3, 2);
        let failback = crate::config::Failback::Manual;
        world.start(0, &Config { failback, ..Config::default() }, Memory::default());
        let mut attacker = Attacker::among(&mut world);
        world.cut(1, |_, _| true);
        world.run(ms(1000));
        world.cut(1, |_, _| false);
        world.run(ms(4000));
        for _ in 0..5 {
            attacker.claims_its_address(&mut world);
            world.run(ms(100));
            attacker.answers(&mut world, &|_| {});
        }
        assert!(!path(&world, 1, 0, 1).remote_ready);
        world.run(ms(10 * wait));
        attacker.claims_its_address(&mut world);
        told += attacker.answers(&mut world, &|packet| packet.sender.requestor = false);
        let now = world.now;
        world.hosts[0].engine.as_mut().unwrap().handle(now, Input::FailBack);
        world.wake(0);
        world.run(ms(30));
        assert!(path(&world, 1, 0, 1).remote_ready, "{wait}{}", world.state(1));
    }
    assert!(told > 3, "{told}");
}
