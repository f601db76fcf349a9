//! Other settings while all goes on.

use super::super::*;
use super::ms;
use super::world::{Flight, SentKind, World, address};
use crate::config::{
    Failback, GroupConfig, Judging, Key, KeyRing, LanConfig, MemberConfig, NextHopConfig, NextHops,
    PeerConfig, RouteConfig,
};
use crate::event::EventName;
use crate::interface::Interface;

fn lans(numbers: &[usize]) -> Vec<LanConfig> {
    numbers.iter().map(|lan| LanConfig::new(&format!("lan{lan}"))).collect()
}

fn named() -> Config {
    Config { requestor: true, lans: lans(&[0, 1]), ..Config::default() }
}

fn found() -> Config {
    Config { requestor: true, ..Config::default() }
}

fn ring(ids: &[u32]) -> KeyRing {
    let key = |id: &u32| Key { id: *id, secret: vec![u8::try_from(*id).unwrap(); 32] };
    KeyRing { keys: ids.iter().map(key).collect() }
}

/// Two hosts that have met, with these settings.
fn met(config: &Config) -> World {
    let mut world = World::new(2, 2);
    for host in 0..2 {
        world.start(host, config, Memory::default());
    }
    world.run(ms(2000));
    world
}

/// The same, while LAN 0 is dead and traffic goes by LAN 1.
fn moved(config: &Config) -> World {
    let mut world = met(config);
    world.cut(0, |_, _| true);
    world.run(ms(800));
    for host in 0..2 {
        assert_eq!(world.verdict(host, 0, 1 - host), Some(by_lan1(1 - host)), "{}", world.state(host));
    }
    world
}

fn by_lan1(peer: usize) -> Verdict {
    Verdict::Detour(NextHop { interface: "lan1".into(), via: address(1, peer) })
}

fn subject(lan: usize, peer: usize) -> Subject {
    Subject { home: format!("lan{lan}").into(), address: address(lan, peer) }
}

#[test]
fn the_same_settings_again_change_nothing() {
    let mut world = moved(&named());
    let now = world.now;
    let engine = world.hosts[0].engine.as_mut().unwrap();
    let before = format!("{engine:?}");
    engine.handle(now, Input::Config(&named()));
    assert_eq!(engine.next_output(), None);
    assert_eq!(format!("{engine:?}"), before);
}

#[test]
fn numbers_change_and_nobody_is_lost_or_moved() {
    let mut world = met(&named());
    let other = Config {
        interval: ms(50),
        missed: std::num::NonZeroU32::MIN,
        good: std::num::NonZeroU32::MIN,
        packet_budget: std::num::NonZeroU32::MIN.saturating_add(5000),
        ..named()
    };
    (0..2).for_each(|host| world.reload(host, &other));
    world.run(ms(500));
    world.assert_quiet(&[
        EventName::PathDown,
        EventName::PathUnknown,
        EventName::PeerDown,
        EventName::PeerFailover,
    ]);
    world.cut(0, |_, _| true);
    world.run(ms(150));
    assert_eq!(world.verdict(0, 0, 1), Some(by_lan1(1)), "the new interval counts{}", world.state(0));
}

#[test]
fn a_longer_interval_is_announced_before_it_is_kept() {
    for responder in [false, true] {
        let mut world = met(&named());
        if responder {
            world.start(1, &Config { requestor: false, ..named() }, Memory::default());
            world.run(ms(3000));
        }
        let slow = Config { interval: ms(5000), ..named() };
        world.forget_notices();
        world.reload(0, &slow);
        world.run(ms(60_000));
        world.assert_quiet(&[
            EventName::PathDown,
            EventName::PathUnknown,
            EventName::PeerDown,
            EventName::PeerFailover,
        ]);
    }
}

#[test]
fn a_lan_that_was_dead_while_the_interval_shrank_and_grew_is_believed_at_once() {
    let mut world = moved(&named());
    (0..2).for_each(|host| world.reload(host, &Config { interval: ms(50), ..named() }));
    world.run(ms(30_000));
    (0..2).for_each(|host| world.reload(host, &Config { interval: ms(1000), ..named() }));
    world.run(ms(2000));
    world.cut(0, |_, _| false);
    world.run(ms(20_000));
    for host in 0..2 {
        assert_eq!(world.verdict(host, 0, 1 - host), Some(Verdict::Home), "{}", world.state(host));
    }
}

#[test]
fn a_lan_that_leaves_lifts_its_overlays_and_goes_from_the_plan() {
    let mut world = moved(&named());
    world.reload(0, &Config { lans: lans(&[1]), ..named() });
    assert_eq!(world.verdict(0, 0, 1), Some(Verdict::Home), "{}", world.state(0));
    assert_eq!(world.plan(0).lans, ["lan1"]);
    world.outcome(0, &subject(0, 1), &Outcome::Lifted);
    assert_eq!(world.verdict(0, 0, 1), None);
    world.run(ms(1000));
    assert_eq!(world.verdict(0, 1, 1), Some(Verdict::Home));
    assert_eq!(world.verdict(1, 0, 0), Some(Verdict::Home), "withdrawn at the peer{}", world.state(1));
}

/// An interface gets another name, and the settings with it, while its LAN is dead. What stands is lifted for the old name or
/// serves the new one, and leaves a way that dies.
#[test]
fn what_stands_for_a_lan_that_leaves_serves_the_same_address_on_another() {
    let mut world = World::new(2, 3);
    for host in 0..2 {
        world.start(host, &Config { lans: lans(&[0, 1, 2]), ..named() }, Memory::default());
    }
    world.run(ms(2000));
    world.cut(0, |_, _| true);
    world.run(ms(800));
    let NextHop { interface, via } = NextHop { interface: "lan1".into(), via: address(1, 1) };
    world.outcome(0, &subject(0, 1), &Outcome::Applied(NextHop { interface, via }));
    world.rename(0, 0, "other");
    let mut renamed = lans(&[0, 1, 2]);
    renamed[0].interface = "other".to_owned();
    world.reload(0, &Config { lans: renamed, ..named() });
    world.run(ms(50));
    let there = Subject { home: "other".into(), address: address(0, 1) };
    assert_eq!(world.plan(0).subjects.get(&there), Some(&by_lan1(1)), "{}", world.state(0));
}

/// Its interface stays, and the kernel goes on answering ARP there.
#[test]
fn a_lan_that_a_peer_drops_is_not_said_to_be_filtered() {
    let mut world = met(&named());
    world.hosts[0].arp = super::Arp::Always;
    world.reload(1, &Config { lans: lans(&[1]), ..named() });
    world.run(ms(20_000));
    world.assert_quiet(&[EventName::PortFiltered]);
}

#[test]
fn a_detour_by_a_lan_that_leaves_takes_another_or_none() {
    let mut world = World::new(2, 3);
    for host in 0..2 {
        world.start(host, &Config { lans: lans(&[0, 1, 2]), ..named() }, Memory::default());
    }
    world.run(ms(2000));
    world.cut(0, |_, _| true);
    world.run(ms(800));
    assert_eq!(world.verdict(0, 0, 1), Some(by_lan1(1)));
    world.reload(0, &Config { lans: lans(&[0, 2]), ..named() });
    world.run(ms(50));
    let by_lan2 = Verdict::Detour(NextHop { interface: "lan2".into(), via: address(2, 1) });
    assert_eq!(world.verdict(0, 0, 1), Some(by_lan2), "{}", world.state(0));
    world.reload(0, &Config { lans: lans(&[0]), ..named() });
    assert_eq!(world.verdict(0, 0, 1), Some(Verdict::Home), "{}", world.state(0));
}

#[test]
fn a_lan_that_comes_back_is_met_again_at_once() {
    let mut world = met(&named());
    world.reload(0, &Config { lans: lans(&[1]), ..named() });
    world.run(ms(500));
    world.reload(0, &named());
    world.run(ms(1500));
    world.cut(0, |_, _| true);
    world.run(ms(800));
    for host in 0..2 {
        assert_eq!(world.verdict(host, 0, 1 - host), Some(by_lan1(1 - host)), "{}", world.state(host));
    }
}

#[test]
fn what_was_known_of_a_lan_is_known_when_it_comes_back_dead() {
    let mut world = moved(&named());
    world.reload(0, &Config { lans: lans(&[1]), ..named() });
    world.outcome(0, &subject(0, 1), &Outcome::Lifted);
    world.run(ms(500));
    world.reload(0, &named());
    world.run(ms(3000));
    assert_eq!(world.verdict(0, 0, 1), Some(by_lan1(1)), "{}", world.state(0));
}

#[test]
fn other_settings_of_a_lan_keep_its_overlays() {
    let mut world = moved(&named());
    let mut other = named();
    other.lans[0].broadcast = false;
    other.lans[1].multicast_group = "ff02::fa1d".parse().unwrap();
    world.reload(0, &other);
    assert_eq!(world.verdict(0, 0, 1), Some(by_lan1(1)));
    let mut other = named();
    other.lans[0].ipv4 = false;
    world.reload(0, &other);
    assert_eq!(world.verdict(0, 0, 1), Some(Verdict::Home), "IPv4 has left{}", world.state(0));
}

#[test]
fn lans_found_by_ourselves_stay_unless_excluded() {
    let mut world = met(&Config { requestor: true, ..Config::default() });
    world.reload(0, &Config { requestor: true, exclude: vec!["lan0".into()], ..Config::default() });
    assert_eq!(world.plan(0).lans, ["lan1"]);
    world.reload(0, &Config { requestor: true, ..Config::default() });
    assert_eq!(world.plan(0).lans, ["lan1", "lan0"]);
    world.reload(0, &named());
    world.run(ms(1500));
    assert_eq!(world.verdict(0, 0, 1), Some(Verdict::Home), "{}", world.state(0));
}

#[test]
fn interfaces_of_groups_and_next_hops_are_no_lans_by_themselves() {
    let found = || Config { requestor: true, ..Config::default() };
    let member = MemberConfig {
        interface: "lan0".into(),
        standby: false,
        test_address: None,
        ipv6: true,
        bring_up: true,
    };
    let group = GroupConfig {
        name: String::new(),
        members: vec![member],
        detection_time: ms(10_000),
        failback: true,
        targets: Vec::new(),
    };
    let hop = NextHopConfig { interface: "lan0".into(), via: None, rank: 1, weight: 1 };
    let route = RouteConfig {
        destination: "0.0.0.0/0".parse().unwrap(),
        table: 254,
        next_hops: NextHops::Listed(vec![hop]),
        judging: Judging::default(),
    };
    let routes = || vec![route.clone()];
    for config in [Config { groups: vec![group], ..found() }, Config { routes: routes(), ..found() }] {
        let mut world = met(&found());
        world.reload(0, &config);
        assert_eq!(world.plan(0).lans, ["lan1"]);
        world.start(1, &config, Memory::default());
        assert_eq!(world.plan(1).lans, ["lan1"]);
    }
    // Who names it means it.
    let mut world = met(&named());
    world.reload(0, &Config { routes: routes(), ..named() });
    assert_eq!(world.plan(0).lans, ["lan0", "lan1"]);
}

#[test]
fn keys_roll_over_without_losing_a_peer() {
    let with = |ids: &[u32]| Config { keys: ring(ids), ..named() };
    let mut world = met(&with(&[1]));
    for ids in [&[1, 2][..], &[2, 1], &[2]] {
        for host in 0..2 {
            world.forget_notices();
            world.reload(host, &with(ids));
            world.run(ms(1500));
            world.assert_quiet(&[EventName::PathDown, EventName::PathUnknown, EventName::PeerDown]);
            assert_eq!(world.verdict(0, 0, 1), Some(Verdict::Home));
        }
    }
}

#[test]
fn keys_that_nobody_has_yet_move_nobody() {
    let mut world = moved(&named());
    for host in 0..2 {
        world.reload(host, &Config { keys: ring(&[1]), ..named() });
        world.run(ms(2000));
        assert_eq!(world.verdict(0, 0, 1), Some(by_lan1(1)), "{}", world.state(0));
    }
    world.cut(0, |_, _| false);
    world.run(ms(5000));
    assert_eq!(world.verdict(0, 0, 1), Some(Verdict::Home), "{}", world.state(0));
}

#[test]
fn what_is_away_when_failback_becomes_manual_waits_to_be_told() {
    let manual = Config { failback: Failback::Manual, ..named() };
    let mut world = moved(&named());
    world.reload(0, &manual);
    world.cut(0, |_, _| false);
    world.run(ms(6000));
    assert_eq!(world.verdict(0, 0, 1), Some(by_lan1(1)), "{}", world.state(0));
    world.reload(0, &named());
    world.run(ms(1000));
    assert_eq!(world.verdict(0, 0, 1), Some(Verdict::Home), "{}", world.state(0));
}

#[test]
fn roles_change_and_both_still_notice_a_dead_lan() {
    let responder = Config { requestor: false, ..named() };
    let mut world = met(&named());
    world.forget_notices();
    world.reload(1, &responder);
    world.run(ms(2000));
    world.assert_quiet(&[EventName::PathDown, EventName::PathUnknown, EventName::PeerDown]);
    world.cut(0, |_, _| true);
    world.run(ms(1200));
    for host in 0..2 {
        assert_eq!(world.verdict(host, 0, 1 - host), Some(by_lan1(1 - host)), "{}", world.state(host));
    }
    world.reload(1, &named());
    world.run(ms(1000));
    assert_eq!(world.verdict(1, 0, 0), Some(by_lan1(0)), "{}", world.state(1));
    world.cut(0, |_, _| false);
    world.run(ms(5000));
    for host in 0..2 {
        assert_eq!(world.verdict(host, 0, 1 - host), Some(Verdict::Home), "{}", world.state(host));
    }
}

#[test]
fn two_responders_part_and_move_nothing() {
    let responder = Config { requestor: false, ..named() };
    let mut world = moved(&named());
    (0..2).for_each(|host| world.reload(host, &responder));
    world.run(ms(3000));
    assert_eq!(world.verdict(0, 0, 1), Some(by_lan1(1)), "{}", world.state(0));
    world.cut(0, |_, _| false);
    world.reload(0, &named());
    world.run(ms(6000));
    assert_eq!(world.verdict(0, 0, 1), Some(Verdict::Home), "{}", world.state(0));
}

#[test]
fn an_answer_that_comes_after_two_responders_have_parted_brings_nobody_back() {
    let responder = Config { requestor: false, ..named() };
    let mut world = met(&named());
    world.start(1, &responder, Memory::default());
    world.run(ms(2000));
    world.tap(0);
    world.run(ms(200));
    let is_answer = |flight: &&Flight| flight.from == 1 && flight.sent().kind == SentKind::Acknowledgement;
    let late = world.tape(0).iter().rev().find(is_answer).unwrap().clone();
    world.reload(0, &responder);
    world.replay(&late);
    world.run(ms(2000));
    assert!(world.is_absent(0, 1), "{}", world.state(0));
}

#[test]
fn configured_peers_come_and_go() {
    let peer = |addresses: Vec<std::net::IpAddr>| PeerConfig { name: "h2".into(), addresses };
    let unheard = "10.77.1.99".parse().unwrap();
    let with = Config { peers: vec![peer(vec![address(0, 1), unheard])], ..named() };
    let mut world = met(&named());
    world.reload(0, &with);
    let strange = Subject { home: "lan0".into(), address: unheard };
    assert!(world.plan(0).subjects.contains_key(&strange), "{}", world.state(0));
    world.reload(0, &named());
    assert_eq!(world.plan(0).subjects.get(&strange), Some(&Verdict::Home), "lifted, if it was laid");
    assert_eq!(world.verdict(0, 0, 1), Some(Verdict::Home));
}

#[test]
fn a_port_that_changes_on_one_host_after_the_other_moves_nothing() {
    let mut world = moved(&named());
    world.reload(0, &Config { port: 7, ..named() });
    world.run(ms(1));
    let absent = world.told(1, &[EventName::PeerDown]);
    assert!(matches!(absent[..], [Notice::PeerAbsent { said_goodbye: true, .. }]), "{}", world.state(1));
    assert_eq!(world.verdict(1, 0, 0), Some(by_lan1(0)));
}

#[test]
fn what_an_earlier_run_knew_of_a_lan_that_is_none_by_now_lays_nothing() {
    let mut world = met(&named());
    let memory = world.memory(0);
    assert_eq!(memory.paths.len(), 2);
    world.start(0, &Config { lans: lans(&[1]), ..named() }, memory);
    world.run(ms(3000));
    assert!(world.plan(0).subjects.keys().all(|subject| *subject.home == *"lan1"), "{}", world.state(0));
    assert_eq!(world.memory(0).paths.len(), 2, "it is remembered on");
}

#[test]
fn a_restart_while_an_interface_is_gone_or_bare_keeps_the_detour_to_its_addresses() {
    fn bare(interface: &mut Interface) {
        interface.addresses.clear();
        interface.up = false;
    }
    fn gone(interface: &mut Interface) {
        bare(interface);
        "another".clone_into(&mut interface.name);
    }
    let changes: [fn(&mut Interface); 2] = [gone, bare];
    for (change, config) in changes.into_iter().flat_map(|change| [(change, found()), (change, named())]) {
        let mut world = moved(&config);
        let memory = world.memory(0);
        world.kill(0);
        change(&mut world.hosts[0].interfaces[0]);
        world.start_expecting(0, &config, memory, &[0]);
        world.run(ms(5000));
        assert_eq!(world.verdict(1, 0, 0), Some(by_lan1(0)), "{}", world.state(1));
        assert_eq!(world.verdict(0, 0, 1), Some(by_lan1(1)), "{}", world.state(0));
    }
}

#[test]
fn what_was_a_lan_before_a_restart_is_none_if_the_settings_say_so() {
    let mut world = moved(&found());
    let memory = world.memory(0);
    world.kill(0);
    world.start_expecting(0, &Config { exclude: vec!["lan0".to_owned()], ..found() }, memory, &[0]);
    world.run(ms(100));
    assert_eq!(world.plan(0).lans, ["lan1"]);
    assert_eq!(world.memory(0).paths.len(), 2, "it is remembered on");
}

#[test]
fn interfaces_that_come_and_go_without_a_peer_take_no_lans_place() {
    let mut world = met(&found());
    for number in 2..8 {
        world.plug(0, number);
        world.run(ms(500));
        assert_eq!(world.plan(0).lans.len(), 3, "{}", world.state(0));
        world.unplug(0, number);
        assert_eq!(world.plan(0).lans, ["lan0", "lan1"], "{}", world.state(0));
    }
    world.unplug(0, 1);
    assert_eq!(world.plan(0).lans, ["lan0", "lan1"], "where somebody was met it is waited for");
}

#[test]
fn who_has_no_room_for_another_lan_says_so_once() {
    let mut world = met(&found());
    (2..5).for_each(|number| world.plug(0, number));
    world.set_carrier(0, 0, true);
    let said = |notice: &Notice| world.hosts[0].notices.iter().filter(|(_, told)| told == notice).count();
    let interface = || "lan4".to_owned();
    assert_eq!(said(&Notice::LanChosen { interface: interface() }), 0, "{}", world.state(0));
    let left_out = Notice::InterfaceLeftOut { interface: interface(), reason: LeftOut::TooMany };
    assert_eq!(said(&left_out), 1, "{}", world.state(0));
}

#[test]
fn without_a_lan_the_reasons_are_told_once_and_again_after_one_has_gone() {
    let excluded = (2..12).map(|lan| format!("lan{lan}")).chain(["lan0".to_owned(), "lan1".to_owned()]);
    let mut world = World::new(1, 2);
    let memory = world.memory(0);
    world.kill(0);
    world.start_expecting(0, &Config { exclude: excluded.collect(), ..found() }, memory, &[]);
    let said = |world: &World| world.told(0, &[EventName::NoLan]);
    let excluded = |lan: &str| (lan.to_owned(), LeftOut::Excluded);
    let line = Notice::NoLan { left_out: vec![excluded("lan0"), excluded("lan1")], alone: true };
    world.set_carrier(0, 0, true);
    assert_eq!(said(&world), std::slice::from_ref(&line), "{}", world.state(0));
    world.plug(0, 12);
    world.unplug(0, 12);
    assert_eq!(said(&world), [line.clone(), line], "{}", world.state(0));
    (2..12).for_each(|number| world.plug(0, number));
    world.plug(0, 13);
    world.unplug(0, 13);
    let words = said(&world)[2].to_string();
    assert!(words.contains("lan7: excluded, 4 more\""), "{words}");
}

#[test]
fn without_a_lan_nothing_is_amiss_where_there_is_something_else_to_care_for() {
    let level = |alone| Notice::NoLan { left_out: Vec::new(), alone }.level();
    assert_eq!([level(true), level(false)], [log::Level::Warn, log::Level::Info]);
}
