//! What a peer said before must not outlive what it says now: reports, lists, claims and intervals.

use super::path::{Path, PathKey};
use super::report::is_older;
use super::world::{Flight, Sent, SentKind};
use super::*;
use crate::interface::Family;
use crate::wire::{Level, Nonce, Packet, PathReport, Token};

fn engine(world: &World, host: usize) -> &Engine {
    world.hosts[host].engine.as_ref().unwrap()
}

fn node(world: &World, host: usize) -> NodeId {
    engine(world, host).node()
}

fn paths(world: &World, host: usize, peer: usize) -> Vec<(PathKey, &Path)> {
    let peer = &engine(world, host).peers[&node(world, peer)];
    peer.paths.iter().map(|(key, path)| (*key, path.as_ref())).collect()
}

fn is_detour(world: &World, host: usize, lan: usize, address: IpAddr) -> bool {
    let subject = Subject { home: format!("lan{lan}").into(), address };
    matches!(world.plan(host).subjects.get(&subject), Some(Verdict::Detour(_)))
}

/// "It is up there, I am not ready and have left": said of the second LAN on the first, without its token, as of a report
/// that comes `ahead` of the true ones.
fn forged_news(world: &World, from: usize, to: usize, ahead: u32) -> Packet {
    let mut forged = super::hostile::inquiry(world, from, to);
    forged.sender.address_generation = engine(world, from).address_generation;
    let true_one = engine(world, from).peers[&node(world, to)].report_generation;
    forged.sender.report_generation = true_one.wrapping_add(ahead);
    forged.reports = Some(vec![PathReport {
        family: Family::V4,
        sender_lan: LanIndex(1),
        receiver_lan: LanIndex(1),
        level: Level::Up,
        ready: false,
        moved: true,
        token: Token(1),
    }]);
    forged
}

/// One packet that anybody on a LAN can make must not end what the peer has to say on all of them.
#[test]
fn a_forged_report_does_not_make_true_ones_look_old() {
    for ahead in [1, 1000, u32::MAX / 2, u32::MAX / 2 + 1, u32::MAX - 3] {
        let mut world = World::new(2, 2);
        world.respond_only(1);
        world.run(ms(2000));
        let forged = forged_news(&world, 0, 1, ahead);
        world.forge(1, 0, 0, &forged);
        world.run(ms(300));
        // Only the requestor notices: what the responder sends on the second LAN is lost.
        world.cut(1, |from, _| from == 1);
        world.run(ms(1000));
        assert!(is_detour(&world, 1, 1, address(1, 0)), "{ahead}{}", world.state(1));
    }
}

/// Good news of another LAN is as good as bad news: it needs the token of that LAN, or an answer to a question of ours.
#[test]
fn what_is_said_of_another_lan_without_its_token_counts_for_nothing() {
    let mut world = World::new(2, 2);
    world.respond_only(1);
    world.run(ms(2000));
    let forged = forged_news(&world, 0, 1, 1);
    world.forge(1, 0, 0, &forged);
    let other = |world: &World| {
        let (_, path) = paths(world, 1, 0).into_iter().find(|(key, _)| key.lan == LanIndex(1)).unwrap();
        (path.remote, path.remote_ready, path.remote_moved)
    };
    assert_eq!(other(&world), (Level::Up, true, false));
    world.run(ms(300));
    assert_eq!(other(&world), (Level::Up, true, false));
}

/// The count of reports wraps: the one after the last is no old one.
#[test]
fn news_still_counts_when_the_generation_wraps() {
    let mut world = World::new(2, 2);
    world.respond_only(1);
    for host in 0..2 {
        world.hosts[host].engine.as_mut().unwrap().report_count = u32::MAX - 1;
    }
    world.run(ms(2000));
    world.cut(1, |from, _| from == 1);
    world.run(ms(1000));
    assert!(is_detour(&world, 1, 1, address(1, 0)), "{}", world.state(1));
}

/// News that was lost as often as it was sent is sent again as soon as a packet shows that the peer holds older news.
#[test]
fn news_that_was_lost_is_sent_again_when_older_news_is_seen() {
    let mut world = World::new(2, 2);
    let good = std::num::NonZeroU32::new(20).unwrap();
    world.start(0, &Config { requestor: true, good, ..Config::default() }, Memory::default());
    world.respond_only(1);
    world.run(ms(6000));
    world.cut(0, |_, _| true);
    world.run(ms(1000));
    assert!(is_detour(&world, 1, 0, address(0, 0)), "{}", world.state(1));
    world.cut(0, |_, _| false);
    world.run(ms(3000));
    // From before the requestor calls it up: its broadcasts and answers arrive, what it says of its own accord does not.
    let lost = |sent: &Sent| sent.from == 0 && sent.kind == SentKind::Inquiry && !sent.is_broadcast;
    (0..2).for_each(|lan| world.lose(lan, lost));
    world.run(ms(6000));
    (0..2).for_each(|lan| world.lose(lan, |_| false));
    world.run(ms(1000));
    assert!(!is_detour(&world, 1, 0, address(0, 0)), "{}", world.state(1));
    assert!(!is_detour(&world, 0, 0, address(0, 1)), "{}", world.state(0));
}

/// A virtual machine goes back to a snapshot with its memory: the same run, with all its counts lower than they were.
#[test]
fn a_run_that_goes_back_in_time_is_believed_again() {
    let mut world = World::new(2, 2);
    world.respond_only(1);
    world.run(ms(3000));
    let snapshot = world.hosts[0].engine.clone();
    for _ in 0..3 {
        world.cut(0, |_, _| true);
        world.run(ms(1500));
        world.cut(0, |_, _| false);
        world.run(ms(4000));
    }
    let generation = |world: &World| engine(world, 0).peers[&node(world, 1)].report_generation;
    let last = generation(&world);
    world.hosts[0].engine = snapshot;
    assert!(is_older(generation(&world), last));
    world.run(ms(2000));
    world.cut(1, |from, _| from == 1);
    world.run(ms(1000));
    assert!(is_detour(&world, 1, 1, address(1, 0)), "{}", world.state(1));
}

/// The other end holds older news than it had confirmed, as after a snapshot: it is told again.
#[test]
fn a_peer_that_has_lost_what_it_confirmed_is_told_again() {
    let mut world = World::new(2, 2);
    world.respond_only(1);
    world.run(ms(3000));
    let (us, peer) = (node(&world, 0), node(&world, 1));
    let held = |world: &World| engine(world, 1).peers[&us].held.generation;
    let last = engine(&world, 0).peers[&peer].report_generation;
    assert_eq!(held(&world), last);
    world.hosts[1].engine.as_mut().unwrap().peers.get_mut(&us).unwrap().held.generation -= 1;
    world.run(ms(1000));
    assert_eq!(held(&world), last, "{}", world.state(0));
}

/// Once both ends hold what there is to say, nothing is repeated; nor by an observer, whose reports are not acted upon.
#[test]
fn two_ends_that_agree_say_nothing_again() {
    for (requestor, dry_run) in [(true, false), (false, false), (true, true), (false, true)] {
        let mut world = World::new(2, 2);
        world.start(1, &Config { requestor, dry_run, ..Config::default() }, Memory::default());
        world.run(ms(4000));
        (0..2).for_each(|lan| world.tap(lan));
        world.run(ms(4000));
        let repeats =
            |flight: &&Flight| flight.sent().kind == SentKind::Inquiry && !flight.sent().is_broadcast;
        let repeated: usize = (0..2).map(|lan| world.tape(lan).iter().filter(repeats).count()).sum();
        assert_eq!(repeated, 0, "{}", world.state(1));
    }
}

/// An address moves to another host while the first is cut off on its LAN: what that one said there before it was cut
/// off names the address still, and must not make it float.
#[test]
fn what_was_claimed_over_a_dead_path_does_not_float() {
    let moved = address(0, 99);
    let mut world = World::new(3, 2);
    world.add_address(1, 0, moved);
    world.run(ms(3000));
    world.cut(0, |from, to| from == 1 || to == 1);
    world.run(ms(1000));
    world.remove_address(1, 0, moved);
    world.run(ms(1000));
    world.add_address(2, 0, moved);
    world.run(ms(3000));
    world.cut(0, |_, _| true);
    world.run(ms(1000));
    assert!(is_detour(&world, 0, 0, address(0, 2)), "{}", world.state(0));
    assert!(is_detour(&world, 0, 0, moved), "{}", world.state(0));
}

/// An address that two live hosts name floats, as before.
#[test]
fn what_two_current_lists_name_floats() {
    let shared = address(0, 99);
    let mut world = World::new(3, 2);
    world.add_address(1, 0, shared);
    world.add_address(2, 0, shared);
    world.run(ms(3000));
    assert_eq!(world.told(0, &[EventName::AddressFloating]).len(), 1, "{}", world.state(0));
    world.cut(0, |_, _| true);
    world.run(ms(1000));
    assert!(is_detour(&world, 0, 0, address(0, 2)), "{}", world.state(0));
    assert!(!is_detour(&world, 0, 0, shared), "{}", world.state(0));
}

/// Somebody on another LAN who claims an address does not make it float, and so nobody is told that it does.
#[test]
fn an_address_that_fails_over_is_not_said_to_float() {
    let mut world = World::new(3, 3);
    world.run(ms(2000));
    world.cut(1, |from, to| from + to == 1);
    for _ in 0..50 {
        let mut forged = super::hostile::inquiry(&world, 2, 0);
        forged.addresses = Some(vec![address(0, 2), address(1, 1)]);
        world.forge(0, 0, 2, &forged);
        world.run(ms(20));
    }
    assert!(is_detour(&world, 0, 1, address(1, 1)), "{}", world.state(0));
    assert_eq!(world.told(0, &[EventName::AddressFloating]), []);
}

/// eth0 becomes bond0 or br0: the address that answers under the new index is there once.
#[test]
fn a_lan_that_got_another_index_takes_over_what_it_had() {
    let mut world = World::new(2, 2);
    world.hosts[0].arp = Arp::Always;
    world.run(ms(2000));
    let memory = world.remembered(1);
    world.kill(1);
    "br0".clone_into(&mut world.hosts[1].interfaces[0].name);
    let lans = vec![("br0".to_owned(), LanIndex(7)), ("lan1".to_owned(), LanIndex(1))];
    world.start(1, &Config { requestor: true, ..Config::default() }, Memory { lans, ..memory });
    world.run(ms(4000));
    let on_first: Vec<_> =
        paths(&world, 0, 1).iter().map(|(key, _)| *key).filter(|key| key.lan == LanIndex(0)).collect();
    assert_eq!(on_first, [PathKey { lan: LanIndex(0), family: Family::V4, peer_lan: LanIndex(7) }]);
    assert_eq!(world.told(0, &[EventName::PortFiltered]), []);
    world.cut(0, |_, _| true);
    world.run(ms(1000));
    assert!(is_detour(&world, 0, 0, address(0, 1)), "{}", world.state(0));
    world.cut(0, |_, _| false);
    world.run(ms(4000));
    assert!(!is_detour(&world, 0, 0, address(0, 1)), "{}", world.state(0));
}

#[test]
fn a_lan_whose_index_changes_again_and_again_fills_no_table() {
    let mut world = World::new(2, 2);
    world.run(ms(2000));
    let id = node(&world, 1);
    for name in 0..33_u8 {
        world.kill(1);
        format!("br{name}").clone_into(&mut world.hosts[1].interfaces[0].name);
        let lans = vec![(format!("br{name}"), LanIndex(name + 10)), ("lan1".to_owned(), LanIndex(1))];
        let memory = Memory { node: Some(id), lans, paths: Vec::new() };
        world.start(1, &Config { requestor: true, ..Config::default() }, memory);
        world.run(ms(3000));
    }
    assert!(paths(&world, 0, 1).len() <= 3, "{}", world.state(0));
    world.cut(0, |_, _| true);
    world.run(ms(1000));
    assert!(is_detour(&world, 0, 0, address(0, 1)), "{}", world.state(0));
}

/// With more peers than the budget allows a requestor asks less often. Those that it has met already judge it by the
/// interval that it announced before, and must have time to believe the longer one.
#[test]
fn an_interval_that_the_budget_raises_is_eased_in() {
    let once = std::num::NonZeroU32::MIN;
    for seed in 0..5 {
        let mut world = World::new(8, 2);
        world.kill(0);
        let patient = Config { missed: once, ..Config::default() };
        (1..8).for_each(|host| world.start(host, &patient, Memory::default()));
        let packet_budget = std::num::NonZeroU32::new(60).unwrap();
        world.run(ms(100 + seed));
        let config = Config { requestor: true, packet_budget, missed: once, ..Config::default() };
        world.start(0, &config, Memory::default());
        world.run(ms(20_000));
        assert!(engine(&world, 0).interval >= ms(700), "{:?}", engine(&world, 0).interval);
        for host in 0..8 {
            assert_eq!(world.told(host, &[EventName::PathDown]), [], "{}", world.state(host));
        }
    }
}

/// Lists that overtake each other: what is older than the one that is held is dropped.
#[test]
fn an_older_list_replaces_no_newer_one() {
    let mut world = World::new(2, 2);
    world.run(ms(2000));
    let (now, peer) = (world.now, node(&world, 1));
    let (key, _) = paths(&world, 0, 1)[0];
    let held = paths(&world, 0, 1)[0].1.claims_generation;
    let new = [address(0, 1), address(1, 1), address(0, 77)];
    let engine = world.hosts[0].engine.as_mut().unwrap();
    engine.take_list(now, peer, key, held.wrapping_add(2), &new);
    engine.take_list(now, peer, key, held.wrapping_add(1), &new[..2]);
    let claims = &engine.peers[&peer].paths[&key].claims;
    assert_eq!(claims.as_slice(), new);
}

fn keyed() -> Config {
    let key = crate::config::Key { id: 1, secret: b"sixteen bytes 01".to_vec() };
    Config { requestor: true, keys: crate::config::KeyRing { keys: vec![key] }, ..Config::default() }
}

/// A reload that takes one LAN away from the settings says goodbye there: the others are none of its business.
#[test]
fn a_goodbye_under_a_key_counts_for_its_own_lan_only() {
    let mut world = World::new(2, 3);
    (0..2).for_each(|host| world.start(host, &keyed(), Memory::default()));
    world.run(ms(3000));
    let lans = ["lan0", "lan2"].map(crate::config::LanConfig::new).to_vec();
    world.reload(1, &Config { lans, ..keyed() });
    world.run(ms(10));
    assert_eq!(world.told(0, &[EventName::PeerDown]), [], "{}", world.state(0));
    for (key, path) in paths(&world, 0, 1) {
        let expected = if key.lan == LanIndex(1) { Level::Unknown } else { Level::Up };
        assert_eq!((path.verdict, path.gone), (expected, key.lan == LanIndex(1)), "{key:?}");
    }
}

/// Who announces ten milliseconds on one LAN must not make a host that asks each 200 look silent.
#[test]
fn an_interval_that_is_announced_on_one_lan_makes_no_run_look_silent() {
    let mut world = World::new(3, 2);
    world.kill(2);
    world.run(ms(2000));
    let id = node(&world, 1);
    for _ in 0..40 {
        let mut forged = super::hostile::inquiry(&world, 1, 0);
        forged.sender.interval = ms(0);
        world.forge(0, 0, 1, &forged);
        world.run(ms(45));
        let lie = super::hostile::answer(&world, 0, id.0, 7);
        world.forge(0, 0, 2, &lie);
        world.run(ms(5));
    }
    world.assert_quiet(&[EventName::PeerExpired, EventName::PeerRestarted]);
}

/// Doubts about a LAN have their own pace: they must not use up the retries of its slot.
#[test]
fn a_doubt_costs_no_retry() {
    let mut world = World::new(2, 2);
    world.run(ms(2000));
    let begin = engine(&world, 0).lans[&LanIndex(0)].slot_begin;
    while engine(&world, 0).lans[&LanIndex(0)].slot_begin == begin {
        world.run(ms(1));
    }
    for _ in 0..10 {
        let forged = super::hostile::denial(&world, 1, 0);
        world.forge(0, 1, 1, &forged);
        world.run(Duration::from_micros(50));
    }
    let (_, path) = paths(&world, 0, 1).into_iter().find(|(key, _)| key.lan == LanIndex(0)).unwrap();
    assert!(
        path.doubt.is_none_or(|doubt| doubt.asked <= 1) && path.verdict == Level::Up,
        "{}",
        world.state(0)
    );
    let eighths = engine(&world, 0).lans[&LanIndex(0)].eighths;
    assert!(eighths <= 1, "{eighths}");
}

/// Whoever hears our broadcast can answer it under our own id. Only who answers a question that was sent to it alone is
/// another host with that id.
#[test]
fn one_forged_answer_does_not_make_us_draw_another_id() {
    let mut world = World::new(2, 2);
    world.run(ms(2000));
    let own = node(&world, 0);
    for _ in 0..10 {
        let lie = super::hostile::answer(&world, 0, own.0, u64::MAX);
        world.forge(0, 0, 50, &lie);
        world.run(ms(50));
    }
    assert_eq!(node(&world, 0), own);
    world.assert_quiet(&[EventName::DuplicateNodeId, EventName::PathDown]);
}

/// A packet that bears our id, our run and a LAN that we do not have, or another one of ours, is not our broadcast.
#[test]
fn nobody_but_our_own_broadcast_says_that_lans_are_joined() {
    let mut world = World::new(2, 2);
    world.run(ms(2000));
    for lan in [1, 9] {
        let mut forged = super::hostile::inquiry(&world, 0, 1);
        forged.sender.lan = LanIndex(lan);
        forged.sender.nonce = Nonce(4711);
        world.forge(0, 0, 1, &forged);
    }
    assert_eq!(world.told(0, &[EventName::LansBridged]), []);
}

/// An answer has room for as many paths as the asker has LANs, and who has it holds all of that generation, so that nothing
/// of it is said again. While a host knows more of them, from when LANs were joined, it tells of those that are in use.
#[test]
fn answers_tell_of_the_paths_in_use() {
    let mut world = World::new(2, 3);
    world.run(ms(2000));
    world.cut(2, |_, _| true);
    world.run(ms(1000));
    let (now, peer) = (world.now, node(&world, 1));
    let engine = world.hosts[0].engine.as_mut().unwrap();
    for (lan, peer_lan) in
        [(0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1)].map(|(a, b)| (LanIndex(a), LanIndex(b)))
    {
        let mut path = Path::new(now, &mut engine.random, 0.0, &engine.config.damping);
        path.heard = Some(now - ms(300));
        let key = PathKey { lan, family: Family::V4, peer_lan };
        engine.peers.get_mut(&peer).unwrap().paths.insert(key, path.into());
    }
    // The answers alone tell that LAN 2 is up, that it is ready, and that all is at home.
    let loses: fn(&Sent) -> bool =
        |sent| sent.from == 0 && sent.kind == SentKind::Inquiry && !sent.is_broadcast;
    (0..3).for_each(|lan| world.lose(lan, loses));
    world.cut(2, |_, _| false);
    world.run(ms(3000));
    assert_eq!(paths(&world, 0, 1).len(), 9, "{}", world.state(0));
    for (key, path) in paths(&world, 1, 0) {
        let known = (path.remote, path.remote_ready, path.remote_moved);
        assert_eq!(known, (Level::Up, true, false), "{key:?}{}", world.state(1));
    }
}

/// What hosts know of each other, without times.
fn knowledge(world: &World, host: usize, peer: usize) -> Vec<(PathKey, Level, Level, bool)> {
    paths(world, host, peer).iter().map(|(key, path)| (*key, path.verdict, path.remote, path.gone)).collect()
}

/// Recorded answers and goodbyes, handed in again: at once, later, and on another LAN.
#[test]
fn what_was_recorded_says_nothing_again() {
    for config in [Config { requestor: true, ..Config::default() }, keyed()] {
        let mut world = World::new(2, 3);
        (0..2).for_each(|host| world.start(host, &config, Memory::default()));
        (0..3).for_each(|lan| world.tap(lan));
        world.run(ms(2000));
        // A goodbye of a run that goes on: a LAN is taken away from the settings and comes back.
        let lans = ["lan0", "lan2"].map(crate::config::LanConfig::new).to_vec();
        world.reload(1, &Config { lans, ..config.clone() });
        world.run(ms(500));
        world.reload(1, &config);
        world.run(ms(5000));
        let recorded: Vec<Flight> = (0..3).flat_map(|lan| world.tape(lan).to_vec()).collect();
        let goodbyes = recorded.iter().filter(|flight| flight.sent().kind == SentKind::Goodbye);
        assert!(goodbyes.count() > 0);
        let before = [knowledge(&world, 0, 1), knowledge(&world, 1, 0)];
        assert!(before[0].iter().all(|(_, verdict, ..)| *verdict == Level::Up), "{}", world.state(0));
        world.forget_notices();
        for flight in recorded.iter().filter(|flight| flight.sent().kind != SentKind::Inquiry) {
            world.replay(flight);
            for lan in (0..3).filter(|lan| *lan != flight.lan) {
                world.replay(&Flight { lan, ..flight.clone() });
            }
        }
        assert_eq!([knowledge(&world, 0, 1), knowledge(&world, 1, 0)], before);
        world.run(ms(2000));
        assert_eq!([knowledge(&world, 0, 1), knowledge(&world, 1, 0)], before);
        world.assert_quiet(OF_PATHS);
        world.assert_quiet(OF_PEERS);
        world.assert_quiet(&[EventName::LansBridged, EventName::PeerFailover]);
    }
}

/// The same on a LAN where the addresses of the first would be right as well, as link-local ones of two VLANs on one
/// interface are: the number of the LAN tells them apart.
#[test]
fn what_was_recorded_on_one_lan_says_nothing_on_another_with_its_addresses() {
    for config in [Config { requestor: true, ..Config::default() }, keyed()] {
        let mut world = World::new(2, 2);
        let lans = ["lan0", "lan1"].map(crate::config::LanConfig::new).to_vec();
        let config = Config { lans, ..config };
        (0..2).for_each(|host| world.start(host, &config, Memory::default()));
        (0..2).for_each(|host| world.set_prefix(host, 1, 16));
        world.tap(0);
        world.run(ms(3000));
        world.reload(1, &Config { lans: vec![crate::config::LanConfig::new("lan1")], ..config.clone() });
        world.run(ms(500));
        world.reload(1, &config);
        world.run(ms(5000));
        let recorded = world.tape(0).to_vec();
        let before = [knowledge(&world, 0, 1), knowledge(&world, 1, 0)];
        assert!(before[0].iter().all(|(_, verdict, ..)| *verdict == Level::Up), "{}", world.state(0));
        world.forget_notices();
        let refused =
            |world: &World| [Dropped::UnknownNonce, Dropped::OtherBoot].map(|r| world.dropped(0, r));
        let refused_before = refused(&world);
        recorded.iter().for_each(|flight| world.replay(&Flight { lan: 1, ..flight.clone() }));
        let both_are_more = refused(&world).iter().zip(refused_before).all(|(after, before)| *after > before);
        assert!(both_are_more, "it is not the addresses that they are refused for");
        world.run(ms(2000));
        assert_eq!([knowledge(&world, 0, 1), knowledge(&world, 1, 0)], before);
        world.assert_quiet(OF_PATHS);
        world.assert_quiet(OF_PEERS);
        world.assert_quiet(&[EventName::LansBridged, EventName::PeerFailover]);
    }
}

/// A new key is added, made the signing one, and the old one is removed: what was signed with it is void.
#[test]
fn what_was_signed_with_a_key_that_is_gone_counts_for_nothing() {
    let key = |id: u32| crate::config::Key { id, secret: vec![u8::try_from(id).unwrap(); 16] };
    let ring = |ids: &[u32]| {
        let keys = crate::config::KeyRing { keys: ids.iter().map(|id| key(*id)).collect() };
        Config { requestor: true, keys, ..Config::default() }
    };
    let mut world = World::new(2, 2);
    (0..2).for_each(|host| world.start(host, &ring(&[1]), Memory::default()));
    (0..2).for_each(|lan| world.tap(lan));
    world.run(ms(2000));
    let recorded: Vec<Flight> = (0..2).flat_map(|lan| world.tape(lan).to_vec()).collect();
    for ids in [&[1, 2][..], &[2, 1], &[2]] {
        for host in 0..2 {
            world.reload(host, &ring(ids));
            world.run(ms(500));
        }
        let before = [knowledge(&world, 0, 1), knowledge(&world, 1, 0)];
        world.forget_notices();
        recorded.iter().for_each(|flight| world.replay(flight));
        world.run(ms(1000));
        assert_eq!([knowledge(&world, 0, 1), knowledge(&world, 1, 0)], before, "{ids:?}");
        world.assert_quiet(OF_PATHS);
        world.assert_quiet(OF_PEERS);
        world.assert_quiet(&[EventName::PeerFailover]);
    }
}
