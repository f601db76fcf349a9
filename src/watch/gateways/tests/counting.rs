//! Rounds, tries and answers: when probes go out, where from, and what counts.

use std::time::Duration;

use super::world::{World, by, gateway, ip, judging, listed, ms};
use crate::config::{Judging, Method};
use crate::packet::Answer;
use crate::watch::{HopState, Input};

#[test]
fn probes_go_by_the_interface_and_next_hop_that_they_are_to_prove() {
    let world = World::settled(2, judging(&["192.0.2.1"]), 1);
    for number in [1_u8, 2] {
        let of = |target| world.probes_to(target).into_iter().map(|(_, probe)| probe);
        let near = of(gateway(number)).next().unwrap();
        assert_eq!((near.method, near.next_hop, near.hop_limit), (Method::Neighbour, None, 1));
        let is_mine = |probe: &crate::packet::Probe| probe.interface.0 == u32::from(number);
        let far = of(ip("192.0.2.1")).find(is_mine).unwrap();
        assert_eq!((far.method, far.next_hop, far.hop_limit), (Method::Echo, Some(gateway(number)), 64));
        assert_eq!(far.source, std::net::IpAddr::from([10, 0, number, 2]));
    }
}

#[test]
fn rounds_are_an_interval_apart_and_those_of_several_targets_are_spread() {
    let mut world = World::settled(4, judging(&["192.0.2.1", "192.0.2.2"]), 3);
    world.probes.clear();
    world.run(ms(10_000));
    let times: Vec<_> = world.probes_to(gateway(1)).into_iter().map(|(at, _)| at).collect();
    let gaps: Vec<Duration> = times.windows(2).map(|pair| pair[1].since(pair[0])).collect();
    assert!(gaps.iter().all(|gap| (ms(468)..=ms(500)).contains(gap)), "{gaps:?}");
    assert!(gaps.iter().min() < gaps.iter().max(), "some jitter");
    let burst = |window: &[(crate::time::Instant, crate::packet::Probe)]| {
        window[3].0.since(window[0].0) == Duration::ZERO
    };
    assert!(!world.probes.windows(4).any(burst));
}

#[test]
fn a_missed_first_try_is_repeated_at_each_quarter_and_the_link_is_looked_at() {
    let mut world = World::settled(2, Judging::default(), 1);
    world.probes.clear();
    world.uplink(1).gateway = false;
    world.run(ms(1100));
    let (first, _) = world.probes_to(gateway(1))[0];
    let after: Vec<_> =
        world.probes_to(gateway(1)).iter().map(|(at, _)| at.since(first).as_millis()).collect();
    assert_eq!(after[..4], [0, 125, 250, 375]);
    assert!(world.link_queries >= 1);
    world.run(ms(2000));
    world.probes.clear();
    world.run(ms(5000));
    assert!(world.probes_to(gateway(1)).len() <= 11, "one that has failed is asked once a round");
}

#[test]
fn a_round_in_which_we_were_late_does_not_count() {
    let mut world = World::settled(2, Judging::default(), 1);
    world.uplink(1).gateway = false;
    for _ in 0..3 {
        world.stall(ms(900));
        world.run(ms(1));
    }
    assert_eq!(world.ways, []);
    assert_eq!(world.hop(1).targets[0].missed, 0);
    world.run(ms(4000));
    assert_eq!(world.serving(), ["10.0.2.1%up2"], "excuses end");
}

#[test]
fn a_daemon_that_is_always_late_still_finds_the_dead() {
    let mut world = World::settled(2, Judging::default(), 1);
    world.uplink(1).gateway = false;
    let mut turns = 0;
    while world.serving() != ["10.0.2.1%up2"] {
        turns += 1;
        assert!(turns < 40);
        world.stall(ms(300));
        world.run(ms(100));
    }
}

#[test]
fn an_answer_that_comes_late_takes_the_miss_back_and_counts_for_nothing_else() {
    let mut world = World::settled(2, Judging::default(), 1);
    world.uplink(1).gateway = false;
    world.probes.clear();
    world.run_until(|world| world.hop(1).targets[0].missed == 2);
    let (sent, probe) = world.probes_to(gateway(1))[0].clone();
    let answer = Answer { id: probe.id, interface: probe.interface, from: probe.target, arrived: world.now };
    world.input(Input::Answer(answer));
    let target = world.hop(1).targets[0].clone();
    assert_eq!((target.state, target.missed, target.good), (HopState::Up, 0, 0));
    assert!(target.round_trip > Some(ms(20)), "{:?} {sent}", target.round_trip);
    world.input(Input::Answer(answer));
    assert_eq!(world.hop(1).targets[0], target, "each is taken once");
}

#[test]
fn an_answer_by_another_interface_or_of_another_host_proves_nothing() {
    let mut world = World::settled(2, Judging::default(), 1);
    world.uplink(1).gateway = false;
    for _ in 0..400 {
        let sent = world.probes.len();
        world.run(ms(10));
        let fresh = world.probes[sent..].to_vec();
        for (_, probe) in fresh {
            let right =
                Answer { id: probe.id, interface: probe.interface, from: probe.target, arrived: world.now };
            if probe.target == gateway(1) {
                world.input(Input::Answer(Answer { from: ip("10.0.1.9"), ..right }));
                world
                    .input(Input::Answer(Answer { interface: crate::interface::InterfaceIndex(2), ..right }));
            }
        }
    }
    assert_eq!(world.serving(), ["10.0.2.1%up2"]);
}

#[test]
fn a_way_that_is_longer_than_the_interval_works() {
    let mut world = World::new(2, vec![listed(2, by(Method::Echo))], 1);
    world.uplink(1).delay = ms(1200);
    world.run(ms(20_000));
    assert_eq!(world.serving(), ["10.0.1.1%up1"]);
    assert_eq!(world.hop(1).targets[0].loss_percent, Some(0));
    world.uplink(1).gateway = false;
    let took = world.run_until(|world| world.serving() == ["10.0.2.1%up2"]);
    assert!(took <= ms(6 * 500 + 1200), "{took:?}");
    world.uplink(1).gateway = true;
    world.run(ms(12_000));
    assert_eq!(world.serving(), ["10.0.1.1%up1"], "and can come back: {:?}", world.hop(1));
}

#[test]
fn one_fifth_lost_moves_nothing() {
    for (delay, seed) in [(2, 1), (40, 2), (150, 3), (300, 4)] {
        let mut world = World::settled(2, judging(&["192.0.2.1"]), seed);
        (world.uplink(1).loss_percent, world.uplink(1).delay) = (20, ms(delay));
        world.run(Duration::from_secs(3600));
        assert_eq!(world.ways, [], "at {delay} ms: {:?}", world.said());
        let loss = world.hop(1).targets[1].loss_percent.unwrap();
        assert!((5..=40).contains(&loss), "retries hide nothing: {loss}");
    }
}

#[test]
fn a_record_is_written_for_each_first_try() {
    let mut world = World::settled(2, Judging::default(), 1);
    let before = world.watch.snapshot(world.now).recent.last().unwrap().number;
    world.probes.clear();
    world.uplink(1).gateway = false;
    world.run(ms(5000));
    let recent = world.watch.snapshot(world.now).recent;
    let fresh: Vec<_> = recent.iter().filter(|record| record.number > before).collect();
    let of =
        |number| fresh.iter().filter(|record| record.target == gateway(number)).copied().collect::<Vec<_>>();
    assert!(of(1).len() >= 9 && of(1).iter().all(|record| record.round_trip.is_none()));
    assert!(of(2).len() >= 9 && of(2).iter().all(|record| record.round_trip == Some(ms(2))));
    let mut sequences: Vec<u16> = of(1).iter().map(|record| record.sequence).collect();
    sequences.dedup();
    assert_eq!(sequences.len(), of(1).len(), "one for each");
}

#[test]
fn an_interface_without_an_address_gets_time_to_get_one() {
    let mut world = World::asleep(2, vec![listed(2, Judging::default())], 1);
    let addresses = std::mem::take(&mut world.interfaces[0].addresses);
    world.show_interfaces();
    world.run(ms(4000));
    assert_eq!(world.hop(1).state, HopState::Unknown);
    assert_eq!(world.hop(1).reason, "its interface has no ipv4 source address for probes");
    world.interfaces[0].addresses = addresses;
    world.show_interfaces();
    world.run(ms(600));
    assert_eq!(world.serving(), ["10.0.1.1%up1"]);
    world.interfaces[0].addresses.clear();
    world.show_interfaces();
    world.run(ms(2500));
    assert_eq!(world.serving(), ["10.0.2.1%up2"], "one that had an address is silent without it");
}
