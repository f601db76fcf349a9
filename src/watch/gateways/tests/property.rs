//! What holds whatever happens.

use std::time::Duration;

use proptest::prelude::*;

use super::world::{World, hop, judging, listed, ms, route};
use crate::config::{Judging, Limits, NextHops};
use crate::watch::{HopState, Way};

/// Something that befalls the host.
#[derive(Debug, Clone)]
enum Event {
    Gateway(u8, bool),
    Beyond(u8, bool),
    Loss(u8, u8),
    Delay(u8, u64),
    Carrier(u8, bool),
    Offline(u8),
    Target(bool),
    Stall(u64),
    FailBack,
    Run(u64),
}

const UPLINKS: u8 = 3;

fn event() -> impl Strategy<Value = Event> {
    let uplink = 1..=UPLINKS;
    prop_oneof![
        (uplink.clone(), any::<bool>()).prop_map(|(n, up)| Event::Gateway(n, up)),
        (uplink.clone(), any::<bool>()).prop_map(|(n, up)| Event::Beyond(n, up)),
        (uplink.clone(), 0_u8..60).prop_map(|(n, loss)| Event::Loss(n, loss)),
        (uplink.clone(), 0_u64..900).prop_map(|(n, delay)| Event::Delay(n, delay)),
        (uplink.clone(), any::<bool>()).prop_map(|(n, up)| Event::Carrier(n, up)),
        (0..=UPLINKS).prop_map(Event::Offline),
        any::<bool>().prop_map(Event::Target),
        (0_u64..3000).prop_map(Event::Stall),
        Just(Event::FailBack),
        (0_u64..20_000).prop_map(Event::Run),
        (0_u64..20_000).prop_map(Event::Run),
    ]
}

fn play(world: &mut World, event: &Event) {
    match *event {
        Event::Gateway(n, up) => world.uplink(n).gateway = up,
        Event::Beyond(n, up) => world.uplink(n).beyond = up,
        Event::Loss(n, loss) => world.uplink(n).loss_percent = loss,
        Event::Delay(n, delay) => world.uplink(n).delay = ms(delay),
        Event::Carrier(n, up) => world.carrier(n.into(), up),
        Event::Offline(0) => world.offline(&[]),
        Event::Offline(n) => world.offline(&[&format!("up{n}")]),
        Event::Target(alive) => {
            world.dead.clear();
            world.dead.extend((!alive).then(|| super::world::ip("192.0.2.1")));
        }
        Event::Stall(time) => world.stall(ms(time)),
        Event::FailBack => world.input(crate::watch::Input::FailBack),
        Event::Run(time) => world.run(ms(time)),
    }
}

fn demanding() -> Judging {
    Judging {
        loss: Some(Limits { bad: 30, good: 10 }),
        latency: Some(Limits { bad: ms(300), good: ms(200) }),
        window: 20,
        ..judging(&["192.0.2.1"])
    }
}

/// Gateway, what is beyond it, carrier, and delay in ms, of each uplink.
type State = Vec<(bool, bool, bool, u64)>;

fn state() -> impl Strategy<Value = State> {
    prop::collection::vec((any::<bool>(), any::<bool>(), any::<bool>(), 0_u64..120), usize::from(UPLINKS))
}

fn ranks() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(1_u8..4, usize::from(UPLINKS))
}

fn befall(world: &mut World, state: &State) {
    for (number, (gateway, beyond, carrier, delay)) in (1_u8..).zip(state) {
        let (gateway, beyond, delay) = (*gateway, *beyond, ms(*delay));
        *world.uplink(number) = super::world::Uplink { gateway, beyond, loss_percent: 0, delay };
        world.interfaces[usize::from(number) - 1].carrier = *carrier;
    }
    world.show_interfaces();
}

/// Those that work, of the lowest rank that does.
fn best(state: &State, ranks: &[u8]) -> Vec<String> {
    let works = |n: &usize| state[*n].0 && state[*n].1 && state[*n].2;
    let all = 0..usize::from(UPLINKS);
    let rank = all.clone().filter(works).map(|n| ranks[n]).min();
    all.filter(works)
        .filter(|n| Some(ranks[*n]) == rank)
        .map(|n| format!("10.0.{0}.1%up{0}", n + 1))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn the_last_next_hop_is_never_withdrawn(events in prop::collection::vec(event(), 1..40), seed: u8) {
        let mut world = World::new(UPLINKS, vec![listed(UPLINKS, demanding())], seed);
        for event in &events {
            play(&mut world, event);
            if let Way::By(hops) = world.way() {
                prop_assert!(!hops.is_empty());
            }
        }
        for pair in world.ways.windows(2) {
            prop_assert!(!matches!(pair[1].1, Way::Undecided), "{:?}", world.ways);
        }
    }

    #[test]
    fn after_all_that_a_host_that_heals_is_home_and_stays(
        events in prop::collection::vec(event(), 1..40),
        seed: u8,
    ) {
        let mut world = World::new(UPLINKS, vec![listed(UPLINKS, demanding())], seed);
        events.iter().for_each(|event| play(&mut world, event));
        world.offline(&[]);
        world.dead.clear();
        for number in 1..=UPLINKS {
            *world.uplink(number) = super::world::Uplink::FINE;
            world.carrier(number.into(), true);
        }
        world.run(Duration::from_secs(700));
        prop_assert_eq!(world.serving(), ["10.0.1.1%up1"]);
        world.ways.clear();
        world.run(Duration::from_secs(600));
        prop_assert!(world.ways.is_empty());
        prop_assert!(!world.snapshot().all_silent);
        prop_assert!(world.snapshot().hops.iter().all(|hop| hop.state == HopState::Up));
    }

    #[test]
    fn same_inputs_same_outputs(events in prop::collection::vec(event(), 1..30), seed: u8) {
        let mut one = World::new(UPLINKS, vec![listed(UPLINKS, demanding())], seed);
        let mut other = one.clone();
        for event in &events {
            play(&mut one, event);
            play(&mut other, event);
        }
        prop_assert_eq!(one.probes, other.probes);
        prop_assert_eq!(one.notices, other.notices);
        prop_assert_eq!(one.ways, other.ways);
        prop_assert_eq!(one.memories, other.memories);
    }

    #[test]
    fn with_constant_answers_the_way_is_chosen_once(state in state(), ranks in ranks(), seed: u8) {
        let hops = (1..).zip(&ranks).map(|(number, rank)| hop(number, *rank)).collect();
        let route = route(NextHops::Listed(hops), judging(&["192.0.2.1"]));
        let mut world = World::asleep(UPLINKS, vec![route], seed);
        befall(&mut world, &state);
        world.run(Duration::from_secs(600));
        prop_assert!(world.ways.len() <= 1, "{:?}", world.ways);
        let mut serving = world.serving();
        serving.sort();
        prop_assert_eq!(serving, best(&state, &ranks));
    }

    #[test]
    fn what_is_left_for_good_is_not_used_again(state in state(), ranks in ranks(), seed: u8) {
        let hops = (1..).zip(&ranks).map(|(number, rank)| hop(number, *rank)).collect();
        let mut world = World::new(UPLINKS, vec![route(NextHops::Listed(hops), judging(&["192.0.2.1"]))], seed);
        world.run(ms(5000));
        world.ways.clear();
        befall(&mut world, &state);
        world.run(Duration::from_secs(600));
        let used = |way: &Way, name: &str| matches!(way, Way::By(hops) if hops.iter().any(|h| h.interface == name));
        for name in ["up1", "up2", "up3"] {
            let uses: Vec<bool> = world.ways.iter().map(|(_, way)| used(way, name)).collect();
            let returns = uses.windows(2).filter(|pair| pair[1] && !pair[0]).count();
            prop_assert!(returns <= 1 && (returns == 0 || !uses[0]), "{name}: {:?}", world.ways);
        }
        let expected = best(&state, &ranks);
        let mut serving = world.serving();
        serving.sort();
        prop_assert!(expected.is_empty() || serving == expected, "{serving:?}");
        let silent = state.iter().all(|(gateway, beyond, carrier, _)| *carrier && !(*gateway && *beyond));
        let is_shared = state.iter().all(|(gateway, ..)| *gateway) || state.iter().all(|(gateway, ..)| !*gateway);
        let moved = !(silent && is_shared) || world.ways.is_empty();
        prop_assert!(moved, "nothing moves when all are silent: {:?}", world.ways);
    }

    #[test]
    fn a_next_hop_that_fails_is_left_in_time(
        interval in 10_u64..2000,
        missed in 1_u32..6,
        percent in 0_u64..100,
        beyond: bool,
        seed: u8,
    ) {
        let judging = Judging {
            interval: ms(interval),
            missed: missed.try_into().unwrap(),
            ..judging(&["192.0.2.1"])
        };
        let mut world = World::new(2, vec![listed(2, judging)], seed);
        for number in 1..=2 {
            world.uplink(number).delay = Duration::from_micros(interval * 100);
        }
        world.run(ms(interval * 20 + interval * percent / 100));
        prop_assert_eq!(world.serving(), ["10.0.1.1%up1"]);
        if beyond { world.uplink(1).beyond = false } else { world.uplink(1).gateway = false }
        let died = world.now;
        world.run(ms(interval * u64::from(missed + 1)) + Duration::from_micros(interval * 100));
        prop_assert_eq!(world.serving(), ["10.0.2.1%up2"]);
        let moved = world.ways.last().unwrap().0.since(died);
        prop_assert!(moved <= ms(interval * u64::from(missed + 1)) + Duration::from_micros(interval * 100));
    }
}
