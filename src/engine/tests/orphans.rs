//! Overlays that were found at the start, and that no node claims.

use super::*;

/// Host 0 starts without a memory, and finds an overlay for host 2, which runs no faild.
fn world_with_an_orphan() -> World {
    let mut world = World::new(3, 2);
    world.hosts[0].arp = Arp::AsProbesPass;
    world.run(ms(2000));
    world.kill(2);
    world.start(0, &Config { requestor: true, ..Config::default() }, Memory::default());
    let way = NextHop { interface: "lan1".into(), via: address(1, 2) };
    world.find_overlay(0, address(0, 2), Some(&way));
    world
}

fn causes(world: &World) -> Vec<Unclaimed> {
    let cause = |(_, notice): &(_, Notice)| {
        let Notice::OverlayUnclaimed { cause, .. } = notice else { return None };
        Some(*cause)
    };
    world.hosts[0].notices.iter().filter_map(cause).collect()
}

#[test]
fn an_orphan_goes_when_its_address_answers_at_home() {
    let mut world = world_with_an_orphan();
    world.cut(0, |from, to| from == 2 || to == 2);
    world.run(ms(60_000));
    assert_eq!((world.verdict(0, 0, 2), causes(&world)), (None, Vec::new()), "{}", world.state(0));
    world.cut(0, |_, _| false);
    world.run(ms(15_000));
    assert_eq!(world.verdict(0, 0, 2), Some(Verdict::Home), "{}", world.state(0));
    assert_eq!(causes(&world), [Unclaimed::HomeAnswers]);
}

/// Nor does silence at home end it: the way may be the only one that works.
#[test]
fn an_orphan_stays_while_its_next_hop_answers_and_goes_when_that_has_been_silent() {
    let mut world = world_with_an_orphan();
    world.cut(0, |from, to| from == 2 || to == 2);
    world.run(ms(700_000));
    world.cut(1, |from, to| from == 2 || to == 2);
    world.run(ms(590_000));
    assert_eq!((world.verdict(0, 0, 2), causes(&world)), (None, Vec::new()), "{}", world.state(0));
    world.run(ms(15_000));
    assert_eq!(world.verdict(0, 0, 2), Some(Verdict::Home), "{}", world.state(0));
    assert_eq!(causes(&world), [Unclaimed::NextHopSilent]);
}

/// Its home is dead, so that the address cannot answer; but what was found leads to a node that names it.
#[test]
fn who_is_led_to_and_names_the_address_has_it() {
    let mut world = World::new(2, 3);
    world.run(ms(2000));
    world.cut(0, |_, _| true);
    world.start(0, &Config { requestor: true, ..Config::default() }, Memory::default());
    let way = NextHop { interface: "lan1".into(), via: address(1, 1) };
    world.find_overlay(0, address(0, 1), Some(&way));
    world.run(ms(2000));
    assert_eq!(world.verdict(0, 0, 1), Some(Verdict::Detour(way)), "{}", world.state(0));
    world.cut(1, |_, _| true);
    world.run(ms(1000));
    let other = NextHop { interface: "lan2".into(), via: address(2, 1) };
    assert_eq!(world.verdict(0, 0, 1), Some(Verdict::Detour(other)), "{}", world.state(0));
}

/// An interface without carrier asks nobody, and proves nothing.
#[test]
fn silence_of_our_own_ends_nothing() {
    let mut world = world_with_an_orphan();
    (0..2).for_each(|lan| world.set_carrier(0, lan, false));
    world.run(ms(700_000));
    assert_eq!((world.verdict(0, 0, 2), causes(&world)), (None, Vec::new()), "{}", world.state(0));
}
