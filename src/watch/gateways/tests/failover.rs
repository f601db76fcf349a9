//! Next hops fail and come back: what moves, what does not, and what is said of it.

use super::world::{World, by, gateway, hop, judging, leg, listed, moved, ms, route};
use crate::config::{Judging, Method, Need, NextHopConfig, NextHops};
use crate::interface::InterfaceKind;
use crate::watch::gateways::{FailureCause, MoveCause, Notice};
use crate::watch::{HopState, Way};

const ONE: &str = "10.0.1.1%up1";
const TWO: &str = "10.0.2.1%up2";

fn works(number: u8) -> Notice {
    Notice::NextHopWorks { destination: World::destination(), hop: leg(number) }
}

fn failed(number: u8, cause: FailureCause) -> Notice {
    Notice::NextHopFailed { destination: World::destination(), hop: leg(number), cause }
}

#[test]
fn the_first_that_works_serves_and_nothing_is_said_of_a_move() {
    let mut world = World::new(2, vec![listed(2, Judging::default())], 1);
    assert_eq!(world.way(), Way::Undecided);
    world.run(ms(600));
    assert_eq!(world.serving(), [ONE]);
    assert_eq!(world.ways.len(), 1, "{:?}", world.ways);
    let said = world.news();
    assert!(said == [works(1), works(2)] || said == [works(2), works(1)], "{said:?}");
}

#[test]
fn at_the_start_a_better_one_that_is_not_decided_about_is_waited_for() {
    let mut world = World::new(2, vec![listed(2, Judging::default())], 1);
    world.uplink(1).gateway = false;
    world.run(ms(1000));
    assert_eq!(world.hop(2).state, HopState::Up);
    assert_eq!(world.way(), Way::Undecided, "what is there stays");
    world.run(ms(1500));
    assert_eq!(world.serving(), [TWO]);
    assert_eq!(
        world.news()[1..],
        [failed(1, FailureCause::NoAnswer), moved(&[], 2, MoveCause::Failed(FailureCause::NoAnswer))]
    );
}

#[test]
fn a_gateway_that_dies_is_left_in_time() {
    for seed in 0..20 {
        for method in [Method::Neighbour, Method::Echo] {
            let mut world = World::settled(2, by(method), seed);
            world.uplink(1).gateway = false;
            let took = world.run_until(|world| world.serving() == [TWO]);
            assert!(took <= ms(2000), "seed {seed}: {took:?}");
            assert_eq!(world.ways.len(), 1);
            assert_eq!(
                world.news(),
                [
                    failed(1, FailureCause::NoAnswer),
                    moved(&[1], 2, MoveCause::Failed(FailureCause::NoAnswer))
                ]
            );
            let lost = world.hop(1);
            assert_eq!(lost.state, HopState::Down);
            let name = if method == Method::Echo { "ping" } else { "ARP" };
            assert!(
                lost.reason.starts_with(&format!("its gateway does not answer {name} (")),
                "{}",
                lost.reason
            );
        }
    }
}

#[test]
fn it_comes_home_when_it_has_answered_often_enough() {
    let mut world = World::settled(2, Judging::default(), 1);
    world.uplink(1).gateway = false;
    world.run(ms(3000));
    world.news();
    world.uplink(1).gateway = true;
    world.run(ms(4000));
    assert_eq!(world.serving(), [TWO], "{:?} {:?}", world.said(), world.hop(1));
    assert_eq!(world.hop(1).state, HopState::Down);
    world.run(ms(2000));
    assert_eq!(world.serving(), [ONE], "{:?} {:?}", world.said(), world.hop(1));
    let back =
        Notice::RouteFailedBack { destination: World::destination(), from: vec![leg(2)], to: vec![leg(1)] };
    assert_eq!(world.news(), [works(1), back]);
}

#[test]
fn a_lost_carrier_moves_at_once() {
    let mut world = World::settled(2, judging(&["192.0.2.1"]), 1);
    world.carrier(1, false);
    assert_eq!(world.serving(), [TWO]);
    assert_eq!(world.hop(1).reason, "its interface has no carrier");
    let sent = world.probes_to(gateway(1)).len();
    world.run(ms(10_000));
    assert_eq!(world.probes_to(gateway(1)).len(), sent, "nobody is asked without a link");
    world.carrier(1, true);
    world.run(ms(3000));
    assert_eq!(world.serving(), [TWO], "it has to prove itself");
    world.run(ms(3500));
    assert_eq!(world.serving(), [ONE]);
}

#[test]
fn an_absent_interface_is_waited_for() {
    let mut world = World::settled(2, Judging::default(), 1);
    let gone = world.interfaces.remove(0);
    world.show_interfaces();
    assert_eq!(world.serving(), [TWO]);
    assert_eq!(world.hop(1).reason, "its interface does not exist; waiting for it");
    assert!(
        world.watch.plan().interfaces.contains(&"up1".to_owned()),
        "its routes are to be known when it comes"
    );
    let mut back = gone;
    back.index.0 = 17;
    world.uplinks.insert(back.index, super::world::Uplink::FINE);
    world.interfaces.insert(0, back);
    world.show_interfaces();
    world.run(ms(6500));
    assert_eq!(world.serving(), [ONE]);
}

#[test]
fn an_interface_that_was_made_again_between_two_looks_is_asked_anew() {
    let mut world = World::settled(2, Judging::default(), 1);
    world.interfaces[0].index.0 = 17;
    world.uplinks.insert(world.interfaces[0].index, super::world::Uplink::FINE);
    world.show_interfaces();
    world.run(ms(1000));
    assert_eq!(
        world.probes.last().unwrap().1.interface.0.min(17),
        world.probes.last().unwrap().1.interface.0
    );
    assert!(world.probes.iter().any(|(_, probe)| probe.interface.0 == 17));
    assert_eq!(world.serving(), [ONE]);
}

#[test]
fn a_living_router_with_a_dead_uplink_is_left() {
    let mut world = World::settled(2, judging(&["192.0.2.1", "192.0.2.2"]), 1);
    world.uplink(1).beyond = false;
    let took = world.run_until(|world| world.serving() == [TWO]);
    assert!(took <= ms(2000), "{took:?}");
    assert_eq!(world.news()[0], failed(1, FailureCause::TargetsDead));
    assert_eq!(world.hop(1).reason, "its gateway answers, but 0 of 2 targets beyond it answer, 1 required");
}

#[test]
fn a_target_that_is_dead_by_all_ways_moves_nothing() {
    let mut world = World::settled(2, judging(&["192.0.2.1"]), 1);
    world.dead.insert(super::world::ip("192.0.2.1"));
    world.run(ms(60_000));
    assert_eq!(world.ways, []);
    let destination = World::destination();
    assert_eq!(world.news(), [Notice::AllNextHopsSilent { destination }]);
    assert!(world.hop(1).reason.ends_with("no other next hop answers either; nothing moves"));
    world.dead.clear();
    world.run(ms(60_000));
    assert_eq!(world.ways, []);
    assert_eq!(world.news(), [Notice::NextHopsHeard { destination }]);
}

#[test]
fn one_dead_target_of_several_is_no_reason_unless_all_are_needed() {
    let one_dead = |need| {
        let mut world =
            World::settled(2, Judging { need, ..judging(&["192.0.2.1", "192.0.2.2", "192.0.2.3"]) }, 1);
        world.dead.insert(super::world::ip("192.0.2.2"));
        world.run(ms(10_000));
        world
    };
    for need in [Need::Any, Need::AtLeast(2)] {
        let world = one_dead(need);
        assert_eq!((world.serving(), world.said()), (vec![ONE.to_owned()], vec![]));
    }
    let silent = Notice::AllNextHopsSilent { destination: World::destination() };
    assert_eq!(one_dead(Need::All).said()[0], silent);
}

#[test]
fn need_is_counted_by_each_way() {
    let mut judging = judging(&["192.0.2.1", "192.0.2.2"]);
    judging.need = Need::All;
    let mut world = World::settled(2, judging, 1);
    world.uplink(1).beyond = false;
    world.run(ms(2000));
    assert_eq!(world.serving(), [TWO]);
}

#[test]
fn nothing_moves_when_all_are_silent_and_what_answers_first_serves() {
    let mut world = World::settled(2, Judging::default(), 1);
    (world.uplink(1).gateway, world.uplink(2).gateway) = (false, false);
    world.run(ms(20_000));
    assert_eq!(world.ways, []);
    assert_eq!(world.news().len(), 1);
    world.uplink(2).gateway = true;
    let took = world.run_until(|world| world.serving() == [TWO]);
    assert!(took <= ms(2600), "one answer, and the other gets its chance: {took:?}");
}

#[test]
fn the_last_one_stays() {
    let mut world = World::settled(1, judging(&["192.0.2.1"]), 1);
    world.uplink(1).gateway = false;
    world.run(ms(10_000));
    world.carrier(1, false);
    world.run(ms(10_000));
    assert_eq!((world.serving(), world.ways.len()), (vec![ONE.to_owned()], 0));
    world.carrier(1, true);
    world.uplink(1).gateway = true;
    world.run(ms(1500));
    assert_eq!(world.hop(1).state, HopState::Up, "alone one answer will do");
}

#[test]
fn a_blackout_as_long_as_detection_takes_moves_nothing() {
    for length in (1000..4000).step_by(50) {
        for seed in 0..4 {
            let mut world = World::settled(2, judging(&["192.0.2.1"]), seed);
            (world.uplink(1).gateway, world.uplink(2).gateway) = (false, false);
            world.run(ms(length));
            (world.uplink(1).gateway, world.uplink(2).gateway) = (true, true);
            world.run(ms(10_000));
            assert_eq!(world.ways, [], "{length} ms, seed {seed}: {:?}", world.said());
        }
    }
}

#[test]
fn equals_share_and_the_one_that_fails_is_taken_out() {
    let hops = vec![NextHopConfig { weight: 3, ..hop(1, 1) }, hop(2, 1), hop(3, 2)];
    let mut world = World::new(3, vec![route(NextHops::Listed(hops), Judging::default())], 1);
    world.run(ms(3000));
    let Way::By(both) = world.way() else { panic!() };
    assert_eq!(both.iter().map(|hop| hop.weight).collect::<Vec<_>>(), [3, 1]);
    assert_eq!(world.ways.len(), 1, "none is laid in front of the other meanwhile: {:?}", world.ways);
    world.uplink(1).gateway = false;
    world.run(ms(3000));
    assert_eq!(world.serving(), [TWO]);
    world.uplink(2).gateway = false;
    world.run(ms(3000));
    assert_eq!(world.serving(), ["10.0.3.1%up3"]);
    (world.uplink(1).gateway, world.uplink(2).gateway) = (true, true);
    world.run(ms(8000));
    assert_eq!(world.serving(), [ONE, TWO]);
}

#[test]
fn a_link_with_two_ends_is_judged_by_its_carrier_and_targets() {
    let ppp = |rank| NextHopConfig { interface: "up1".to_owned(), via: None, rank, weight: 1 };
    let mut world =
        World::asleep(2, vec![route(NextHops::Listed(vec![ppp(1), hop(2, 2)]), judging(&["192.0.2.1"]))], 1);
    world.interfaces[0].kind = InterfaceKind::Tunnel;
    world.show_interfaces();
    world.run(ms(1000));
    assert_eq!(world.serving(), ["up1"]);
    let (_, probe) = world.probes.iter().find(|(_, probe)| probe.interface.0 == 1).unwrap();
    assert_eq!((probe.next_hop, probe.hop_limit, probe.method), (None, 64, Method::Echo));
}

#[test]
fn without_anything_to_ask_the_carrier_decides_and_people_are_told() {
    let mut world = World::new(2, vec![listed(2, Judging { methods: vec![], ..Judging::default() })], 1);
    assert_eq!(world.serving(), [ONE]);
    let unjudged = Notice::Unjudged { interface: "up1".to_owned() };
    assert_eq!(world.news().into_iter().filter(|notice| *notice == unjudged).count(), 1);
    world.carrier(1, false);
    assert_eq!(world.serving(), [TWO]);
    world.carrier(1, true);
    world.run(ms(4900));
    assert_eq!(
        world.serving(),
        [TWO],
        "a link that is back has to last as long as probes would have to be answered"
    );
    world.run(ms(200));
    assert_eq!(world.serving(), [ONE]);
    assert_eq!(world.probes, []);
}

#[test]
fn the_engine_judges_gateways_that_are_peers() {
    let mut world = World::new(2, vec![listed(2, by(Method::Peer))], 1);
    let peer = |world: &mut World, number, answers| {
        let interface = format!("up{number}");
        world.input(crate::watch::Input::Peer { interface: &interface, address: gateway(number), answers });
    };
    world.run(ms(5000));
    assert_eq!(world.way(), Way::Undecided);
    assert_eq!(world.hop(1).reason, "its gateway is not known as a peer");
    peer(&mut world, 1, Some(true));
    peer(&mut world, 2, Some(true));
    assert_eq!(world.serving(), [ONE]);
    world.run(ms(5000));
    peer(&mut world, 1, Some(false));
    assert_eq!(world.serving(), [ONE], "the other may be found silent in a moment");
    world.run(ms(501));
    assert_eq!(world.serving(), [TWO]);
    peer(&mut world, 2, Some(false));
    world.run(ms(5000));
    assert_eq!(world.serving(), [TWO], "all are silent");
    peer(&mut world, 1, Some(true));
    world.run(ms(501));
    assert_eq!(world.serving(), [ONE]);
    assert_eq!(world.probes, []);
}

#[test]
fn one_way_of_asking_the_gateway_that_is_answered_will_do() {
    let judging = Judging { methods: vec![Method::Peer, Method::Neighbour], ..Judging::default() };
    let mut world = World::settled(2, judging, 1);
    let silent = crate::watch::Input::Peer { interface: "up1", address: gateway(1), answers: Some(false) };
    world.input(silent);
    world.run(ms(5000));
    assert_eq!(world.serving(), [ONE]);
    world.uplink(1).gateway = false;
    world.run(ms(2000));
    assert_eq!(world.serving(), [TWO]);
}

#[test]
fn an_offline_interface_serves_only_if_nothing_else_works() {
    let mut world = World::settled(2, Judging::default(), 1);
    world.offline(&["up1"]);
    assert_eq!(world.serving(), [TWO]);
    assert_eq!(world.news()[0], moved(&[1], 2, MoveCause::Offline));
    assert_eq!(world.hop(1).reason, "works; its interface is offline (faildctl)");
    world.uplink(2).gateway = false;
    world.run(ms(2000));
    assert_eq!(world.serving(), [ONE]);
    assert!(world.hop(1).reason.ends_with("but nothing else works"));
    world.offline(&[]);
    world.uplink(2).gateway = true;
    world.run(ms(10_000));
    assert_eq!(world.serving(), [ONE]);
}
