//! Packets that arrive long after they were sent: what a queue kept, what somebody recorded, what a stopped host said.

use super::world::{Flight, SentKind};
use super::*;
use crate::config::{Key, KeyRing};

fn config(interval: u64, missed: u32) -> Config {
    let missed = std::num::NonZeroU32::new(missed).unwrap();
    Config { requestor: true, interval: ms(interval), missed, ..Config::default() }
}

/// Two hosts that have met, by two LANs.
fn met(first: &Config, second: &Config) -> World {
    let mut world = World::new(2, 2);
    world.start(0, first, Memory::default());
    world.start(1, second, Memory::default());
    world.run(ms(2000));
    world
}

/// Both ends have had an answer on a LAN to what they asked since then.
fn has_round_trip(world: &World, lan: usize, since: Instant) -> bool {
    (0..2).all(|host| world.proof(host, lan, 1 - host) >= Some(since))
}

/// LAN 1 is silent for a while, and its neighbour queues are delivered when it heals.
fn heals_with_a_burst(config: &Config, silence: Duration) {
    let mut world = met(config, config);
    world.queue(1);
    world.cut(1, |_, _| true);
    world.run(silence);
    world.cut(1, |_, _| false);
    let healed = world.now;
    world.flush(1);
    world.run(config.interval * 2 + ms(1));
    assert!(has_round_trip(&world, 1, healed), "{}{}", world.state(0), world.state(1));
    let refused = [0, 1].map(|host| world.dropped(host, Dropped::Replayed));
    world.run(config.interval * 20);
    assert_eq!([0, 1].map(|host| world.dropped(host, Dropped::Replayed)), refused, "refused no more");
    assert!(has_round_trip(&world, 1, world.now - config.interval * 2));
}

#[test]
fn inquiries_that_waited_for_arp_do_not_make_true_ones_look_forged() {
    heals_with_a_burst(&config(50, 2), ms(2000));
    heals_with_a_burst(&config(200, 1), ms(3000));
}

#[test]
fn a_burst_that_is_cut_at_the_limit_of_an_interval_does_not_either() {
    heals_with_a_burst(&config(10, 2), ms(3000));
}

/// An ACK that was held back counts for f slots; it does not make the peer's INQs since then look new or forged.
#[test]
fn a_late_answer_does_not_set_back_what_was_heard_since() {
    let mut world = met(&config(50, 30), &config(50, 30));
    let before = [0, 1].map(|host| world.dropped(host, Dropped::Replayed));
    world.tap(1);
    world.run(ms(50));
    let late: Vec<Flight> = world.tape(1).to_vec();
    let late = late.iter().filter(|flight| flight.sent().kind == SentKind::Acknowledgement);
    world.run(ms(1200));
    late.for_each(|flight| world.replay(flight));
    world.run(ms(1000));
    assert_eq!([0, 1].map(|host| world.dropped(host, Dropped::Replayed)), before);
}

/// While a longer interval is eased in, slots are still as short as before.
#[test]
fn a_much_longer_interval_that_is_eased_in_looks_no_more_forged() {
    let mut world = met(&config(10, 30), &config(10, 30));
    world.reload(0, &config(5000, 30));
    world.run(ms(25));
    world.cut(1, |_, _| true);
    world.run(ms(250));
    world.cut(1, |_, _| false);
    let before = [0, 1].map(|host| world.dropped(host, Dropped::Replayed));
    let since = world.now;
    world.run(ms(30));
    assert!(has_round_trip(&world, 1, since), "{}{}", world.state(0), world.state(1));
    assert_eq!([0, 1].map(|host| world.dropped(host, Dropped::Replayed)), before);
}

/// A requestor's sequence ran far ahead while a responder had no LAN.
#[test]
fn a_responder_to_which_the_peer_is_absent_believes_its_first_inquiry() {
    let mut world = met(&config(200, 2), &config(200, 2));
    world.respond_only(1);
    world.run(ms(2000));
    world.cut(0, |_, _| true);
    world.run(ms(1000));
    assert!(matches!(world.verdict(1, 0, 0), Some(Verdict::Detour(_))), "{}", world.state(1));
    world.cut(1, |_, _| true);
    world.run(ms(2000));
    assert!(world.is_absent(1, 0), "{}", world.state(1));
    world.reload(0, &config(10, 2));
    world.run(ms(20_000));
    world.reload(0, &config(200, 2));
    world.run(ms(1000));
    world.cut(0, |_, _| false);
    let healed = world.now;
    world.run(ms(401));
    assert!(has_round_trip(&world, 0, healed), "{}{}", world.state(0), world.state(1));
    world.run(ms(3000));
    for host in 0..2 {
        assert_eq!(world.verdict(host, 0, 1 - host), Some(Verdict::Home), "{}", world.state(host));
    }
}

/// A responder's clock stands still while it is suspended, and the requestor's sequence goes on.
#[test]
fn a_responder_that_was_suspended_believes_the_first_inquiry() {
    for wait in 0..5 {
        let mut world = met(&config(200, 2), &config(200, 2));
        world.respond_only(1);
        world.run(ms(2000 + 40 * wait));
        (0..2).for_each(|lan| world.set_carrier(1, lan, false));
        world.run(ms(1000));
        assert!(world.is_absent(1, 0) && world.is_absent(0, 1), "{}", world.state(1));
        world.suspend(1, ms(60_000));
        (0..2).for_each(|lan| world.set_carrier(1, lan, true));
        let resumed = world.now;
        world.run(ms(401));
        for lan in 0..2 {
            assert!(world.proof(0, lan, 1) >= Some(resumed), "{}{}", world.state(0), world.state(1));
        }
        assert!(!world.is_absent(1, 0), "{}", world.state(1));
    }
}

/// Home comes back at the first LAN alone, and then its host dies: the responder must come to know it, or nothing calls
/// home what goes by an overlay.
#[test]
fn a_peer_that_dies_while_a_lan_of_it_was_not_heard_yet_becomes_absent() {
    let mut world = met(&config(200, 2), &config(200, 2));
    world.respond_only(1);
    world.run(ms(2000));
    (0..2).for_each(|lan| world.cut(lan, |_, _| true));
    world.run(ms(2000));
    assert!(world.is_absent(1, 0), "{}", world.state(1));
    world.cut(0, |_, _| false);
    world.run(ms(3000));
    assert!(!world.is_absent(1, 0), "{}", world.state(1));
    world.kill(0);
    world.run(ms(2000));
    assert!(world.is_absent(1, 0), "{}", world.state(1));
}

/// The same for a responder that starts again while a LAN is dead and knows from its last run what was there.
#[test]
fn a_peer_that_is_remembered_on_a_dead_lan_becomes_absent() {
    let mut world = met(&config(200, 2), &config(200, 2));
    world.respond_only(1);
    world.run(ms(2000));
    let memory = world.memory(1);
    world.cut(1, |_, _| true);
    world.start(1, &Config::default(), memory);
    world.run(ms(3000));
    assert!(!world.is_absent(1, 0), "{}", world.state(1));
    world.kill(0);
    world.run(ms(2000));
    assert!(world.is_absent(1, 0), "{}", world.state(1));
}

/// And for a peer that takes leave of one LAN, and runs again without it.
#[test]
fn a_peer_that_runs_again_without_a_lan_that_it_left_becomes_absent() {
    let mut world = met(&config(200, 2), &config(200, 2));
    world.respond_only(1);
    world.run(ms(2000));
    let memory = world.remembered(0);
    let lans = vec![crate::config::LanConfig::new("lan1")];
    let without = Config { lans, ..config(200, 2) };
    world.reload(0, &without);
    world.run(ms(500));
    world.start(0, &without, memory);
    world.run(ms(3000));
    world.kill(0);
    world.run(ms(2000));
    assert!(world.is_absent(1, 0), "{}", world.state(1));
}

/// A host that was stopped for long reads what was answered before: by that nobody is present, and no path is up.
#[test]
fn an_answer_that_waited_while_this_host_was_stopped_proves_nothing() {
    let mut world = met(&config(50, 2), &config(50, 2));
    world.cut(0, |_, _| true);
    world.run(ms(1000));
    world.lose(1, |sent| sent.from == 1);
    world.run(ms(1000));
    assert!(world.is_absent(0, 1), "{}", world.state(0));
    world.tap(1);
    world.run(ms(100));
    let late = world.tape(1).iter().rfind(|f| f.from == 1 && f.sent().kind == SentKind::Acknowledgement);
    let late = late.unwrap().clone();
    let stopped = world.hosts[0].engine.take();
    world.run(ms(3000));
    world.hosts[0].engine = stopped;
    world.replay(&late);
    assert!(world.is_absent(0, 1), "{}", world.state(0));
    assert_eq!(world.dropped(0, Dropped::Stale), 1);
}

/// An answer of a run that is over arrives after the next run was heard: that is no clone.
#[test]
fn a_late_answer_of_the_run_before_is_no_clone() {
    for wait in 0..10 {
        let mut world = met(&config(200, 5), &config(200, 5));
        world.run(ms(20 * wait));
        // The old run's answers on LAN 1 are held back.
        world.lose(1, |sent| (sent.from, sent.to) == (1, 0) && sent.kind == SentKind::Acknowledgement);
        world.tap(1);
        world.run(ms(300));
        let memory = world.remembered(1);
        world.cut(1, |_, _| true);
        world.start(1, &config(200, 5), memory);
        world.run(ms(300));
        let tape = world.tape(1).to_vec();
        tape.iter().filter(|f| f.from == 1).for_each(|flight| world.replay(flight));
        world.assert_quiet(&[EventName::DuplicateNodeId]);
    }
}

/// The first INQ of a slot is lost, and before the retry comes the responder's own question is answered: then the retry says
/// nothing new, and the slot was heard all the same.
#[test]
fn an_answer_counts_at_a_responder_like_the_inquiry_that_was_lost() {
    for wait in 0..20 {
        let mut world = met(&config(200, 1), &config(200, 1));
        let memory = world.remembered(1);
        world.start(1, &Config { requestor: false, ..config(200, 1) }, memory);
        world.run(ms(2000 + 10 * wait));
        world.forget_notices();
        world.lose(0, |sent| sent.is_broadcast);
        for _ in 0..60 {
            let (node, key) = first_path(&world, 1, 0);
            let now = world.now;
            let engine = world.hosts[1].engine.as_mut().unwrap();
            engine.inquire(now, node, key, address(0, 0), false);
            world.wake(1);
            world.run(ms(10));
        }
        world.assert_quiet(&[EventName::PathDown, EventName::PeerFailover]);
    }
}

fn first_path(world: &World, host: usize, lan: usize) -> (NodeId, PathKey) {
    let engine = world.engine(host);
    let (node, peer) = engine.peers.iter().next().unwrap();
    (*node, *peer.paths.keys().nth(lan).unwrap())
}

/// Storm control drops broadcasts when a LAN that had a loop comes back.
#[test]
fn a_lan_that_heals_without_broadcasts_is_used_again() {
    for responder in [false, true] {
        for absent in [false, true] {
            let mut world = met(&config(200, 2), &config(200, 2));
            if responder {
                world.respond_only(1);
                world.run(ms(2000));
            }
            world.cut(0, |_, _| true);
            world.run(ms(1000));
            if absent {
                world.cut(1, |_, _| true);
                world.run(ms(2000));
            }
            world.lose(0, |sent| sent.is_broadcast);
            world.cut(0, |_, _| false);
            world.run(ms(10_000));
            for host in 0..2 {
                assert_eq!(world.verdict(host, 0, 1 - host), Some(Verdict::Home), "{}", world.state(host));
            }
        }
    }
}

/// A configured peer on LANs without broadcast is installed again, under another node id, while an overlay leads to it.
#[test]
fn a_configured_peer_that_was_installed_again_is_found() {
    let lan = |number: usize| {
        let name = format!("lan{number}");
        crate::config::LanConfig { broadcast: false, ..crate::config::LanConfig::new(&name) }
    };
    let addresses = vec![address(0, 1), address(1, 1)];
    let peer = crate::config::PeerConfig { name: "db".to_owned(), addresses };
    let asks = Config { lans: vec![lan(0), lan(1)], peers: vec![peer], ..config(200, 2) };
    let mut world = met(&asks, &Config::default());
    world.cut(1, |_, _| true);
    world.run(ms(1000));
    assert!(matches!(world.verdict(0, 1, 1), Some(Verdict::Detour(_))), "{}", world.state(0));
    world.start(1, &Config::default(), Memory::default());
    world.run(ms(5000));
    assert!(!world.is_absent(0, 1), "{}", world.state(0));
    world.cut(1, |_, _| false);
    world.run(ms(5000));
    for lan in 0..2 {
        assert_eq!(world.verdict(0, lan, 1), Some(Verdict::Home), "{}", world.state(0));
    }
}

// ----- what attackers gain

fn keyed(config: Config) -> Config {
    let key = Key { id: 1, secret: vec![7; 32] };
    Config { keys: KeyRing { keys: vec![key] }, ..config }
}

/// What one end sent to the other.
fn sent_by(tape: &[Flight], from: usize, kind: SentKind) -> Vec<Flight> {
    tape.iter().filter(|f| f.from == from && f.sent().kind == kind).cloned().collect()
}

/// Replayed while a responder hears nobody, an INQ that it never had does not keep a LAN from being used.
#[test]
fn an_old_inquiry_that_is_replayed_keeps_no_lan_unusable() {
    for has_key in [false, true] {
        let sign = |config| if has_key { keyed(config) } else { config };
        let (asks, answers) = (sign(config(200, 2)), sign(Config { requestor: false, ..config(200, 2) }));
        let mut world = met(&asks, &answers);
        world.tap(1);
        (0..2).for_each(|lan| world.cut(lan, |_, _| true));
        world.run(ms(2000));
        let recorded = sent_by(world.tape(1), 0, SentKind::Inquiry);
        world.run(ms(20_000));
        for _ in 0..50 {
            world.replay(&recorded[0]);
            world.replay(recorded.last().unwrap());
            world.run(ms(37));
        }
        assert!(world.is_absent(1, 0), "a replay makes nobody present{}", world.state(1));
        world.cut(1, |_, _| false);
        let healed = world.now;
        for _ in 0..10 {
            world.replay(&recorded[0]);
            world.replay(recorded.last().unwrap());
            world.run(ms(41));
        }
        assert!(has_round_trip(&world, 1, healed), "{}{}", world.state(0), world.state(1));
    }
}

/// However many old INQs come: a bounded number of answers, none longer than its question, and one question a slot.
#[test]
fn replays_are_not_amplified() {
    for has_key in [false, true] {
        let sign = |config| if has_key { keyed(config) } else { config };
        let mut world = met(&sign(config(200, 2)), &sign(config(200, 2)));
        world.tap(1);
        world.cut(1, |_, _| true);
        world.run(ms(60_000));
        let recorded = sent_by(world.tape(1), 0, SentKind::Inquiry);
        assert!(recorded.len() > 200);
        world.tap(1);
        for flight in &recorded[..200] {
            world.replay(flight);
            world.replay(flight);
        }
        let answers = sent_by(world.tape(1), 1, SentKind::Acknowledgement);
        assert_eq!(answers.len(), 64);
        let longest = answers.iter().map(|f| f.payload.len()).max().unwrap();
        assert!(recorded.iter().all(|f| f.payload.len() >= longest));
        assert!(sent_by(world.tape(1), 1, SentKind::Inquiry).len() <= 1);
    }
}

/// Replays use up neither the answers nor the attention that true INQs get.
#[test]
fn a_flood_of_replays_silences_nobody() {
    for responder in [false, true] {
        let second = keyed(Config { requestor: !responder, ..config(200, 2) });
        let mut world = met(&keyed(config(200, 2)), &second);
        world.tap(1);
        world.cut(1, |_, _| true);
        world.run(ms(30_000));
        world.cut(1, |_, _| false);
        world.run(ms(5000));
        let recorded = sent_by(world.tape(1), 0, SentKind::Inquiry);
        let newest = recorded.iter().rev().take(100).cloned().collect::<Vec<_>>();
        world.forget_notices();
        for flight in recorded.iter().take(100).chain(&newest) {
            (0..100).for_each(|_| world.replay(flight));
            world.run(ms(7));
        }
        for flight in &recorded[..100] {
            newest.iter().for_each(|newest| world.replay(newest));
            recorded[..100].iter().for_each(|oldest| world.replay(oldest));
            world.replay(flight);
            world.run(ms(7));
        }
        world.assert_quiet(OF_PATHS);
        world.assert_quiet(OF_PEERS);
        world.assert_quiet(&[EventName::PeerFailover, EventName::PeerFailback]);
    }
}

/// What a former run said with its cookie is replayed while the peer is silent: a recording answers no question.
#[test]
fn an_old_inquiry_of_a_former_run_is_no_clone() {
    let config = keyed(config(200, 2));
    let mut world = World::new(2, 2);
    world.start(0, &config, Memory::default());
    world.start(1, &config, Memory::default());
    world.tap(0);
    world.run(ms(2000));
    let recorded = sent_by(world.tape(0), 1, SentKind::Inquiry);
    let memory = world.remembered(1);
    world.start(1, &config, memory);
    world.run(ms(2000));
    (0..2).for_each(|lan| world.cut(lan, |_, _| true));
    world.run(ms(2000));
    assert!(world.is_absent(0, 1), "{}", world.state(0));
    world.forget_notices();
    recorded.iter().for_each(|flight| world.replay(flight));
    world.assert_quiet(&[EventName::DuplicateNodeId]);
    let node = world.engine(1).node;
    assert_eq!(world.engine(0).peers[&node].boot, Some(world.engine(1).boot));
}

/// A machine that is set back to a snapshot is its former run, and no recording: it answers.
#[test]
fn a_former_run_that_lives_is_believed_while_the_last_is_silent() {
    let config = keyed(config(200, 2));
    let mut world = met(&config, &config);
    let snapshot = world.hosts[1].engine.clone();
    let memory = world.remembered(1);
    world.start(1, &config, memory);
    world.run(ms(2000));
    world.kill(1);
    world.run(ms(2000));
    assert!(world.is_absent(0, 1), "{}", world.state(0));
    world.hosts[1].engine = snapshot;
    world.run(ms(20_000));
    assert!(!world.is_absent(0, 1), "{}", world.state(0));
    for lan in 0..2 {
        assert_eq!(world.verdict(0, lan, 1), Some(Verdict::Home), "{}", world.state(0));
    }
}

/// Without keys an attacker on a LAN can make all true INQs look old, once a slot: each costs a round trip and no more.
#[test]
fn an_inquiry_that_is_forged_far_ahead_each_slot_moves_nobody() {
    let mut world = met(&config(200, 2), &config(200, 2));
    world.respond_only(1);
    world.run(ms(2000));
    world.forget_notices();
    for slot in 1..=50 {
        let mut forged = hostile::inquiry(&world, 0, 1);
        forged.sender.sequence = forged.sender.sequence.wrapping_add(100_000 * slot);
        world.forge(1, 0, 0, &forged);
        world.run(ms(190));
    }
    world.assert_quiet(OF_PATHS);
    world.assert_quiet(OF_PEERS);
    world.assert_quiet(&[EventName::PeerFailover, EventName::PeerFailback]);
    let stopped = world.now;
    world.run(ms(401));
    assert!(world.proof(0, 0, 1) >= Some(stopped));
    let refused = world.dropped(1, Dropped::Replayed);
    world.run(ms(2000));
    assert_eq!(world.dropped(1, Dropped::Replayed), refused);
}

/// An old INQ brings back neither a pace that was announced before nor a peer that has said goodbye.
#[test]
fn an_old_inquiry_announces_nothing() {
    let mut world = met(&config(50, 2), &config(50, 2));
    world.respond_only(1);
    world.run(ms(2000));
    world.tap(0);
    world.run(ms(500));
    let old = sent_by(world.tape(0), 0, SentKind::Inquiry);
    world.reload(0, &config(1000, 2));
    world.run(ms(10_000));
    let (node, key) = first_path(&world, 1, 0);
    let pace = |world: &World| world.engine(1).path(node, key).unwrap().pace.interval();
    assert_eq!(pace(&world), ms(1000));
    old.iter().take(20).for_each(|flight| world.replay(flight));
    assert_eq!(pace(&world), ms(1000));
    world.stop(0);
    world.run(ms(100));
    assert!(world.engine(1).path(node, key).unwrap().gone);
    old.iter().skip(20).for_each(|flight| world.replay(flight));
    assert!(world.engine(1).path(node, key).unwrap().gone, "{}", world.state(1));
}
