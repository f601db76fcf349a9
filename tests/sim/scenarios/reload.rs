//! Settings change while everything runs.

use std::num::NonZeroU32;
use std::time::Duration;

use faild::config::Config;

use crate::faults::Fault;
use crate::random::Random;
use crate::story::{A, B, Story, X, Y, Z};

/// Any numbers that hosts can have.
fn draw(random: &mut Random, config: &mut Config) {
    let number = |random: &mut Random, most: usize| {
        NonZeroU32::new(1 + u32::try_from(random.below(most)).unwrap_or(0)).unwrap_or(NonZeroU32::MIN)
    };
    config.interval = random.between(Duration::from_millis(50), Duration::from_secs(1));
    config.missed = number(random, 4).saturating_add(1);
    config.good = number(random, 10);
    config.damping.penalty = random.fraction() * 1000.0;
}

/// A longer interval is announced before it is kept, a shorter one cuts no slot short: nobody misses anything.
#[test]
fn other_numbers_move_nobody() {
    for seed in 1..=30 {
        let mut random = Random::new(seed);
        let mut story = Story::of(3).seed(seed).begin();
        for _ in 0..10 {
            let node = [X, Y, Z][random.below(3)];
            story.act(|world| world.reload(node, |config| draw(&mut random, config)));
            story.pass(20.0).nothing_moved();
        }
    }
}

/// Who only answers counts what others ask, at the pace that they announce.
#[test]
fn other_numbers_and_roles_move_nobody_who_only_answers() {
    for seed in 1..=30 {
        let mut random = Random::new(seed);
        let mut story = Story::of(3).responders(&[Y]).seed(seed).begin();
        for _ in 0..10 {
            story.act(|world| world.reload(X, |config| draw(&mut random, config)));
            story.pass(20.0).nothing_moved();
            story.act(|world| world.reload(Y, |config| config.requestor = !config.requestor));
            story.pass(20.0).nothing_moved();
        }
    }
}

/// What stands keeps standing.
#[test]
fn reload_on_a_detour_keeps_the_overlays() {
    for seed in 1..=20 {
        let mut random = Random::new(seed);
        let mut story = Story::of(3).seed(seed).begin();
        story.strikes(Fault::Silence(A)).pass(10.0).both_moved(X, Y, A);
        for _ in 0..20 {
            let node = [X, Y, Z][random.below(3)];
            story.act(|world| world.reload(node, |config| draw(&mut random, config)));
            story.pass(random.fraction() * 10.0).both_moved(X, Y, A).talk(X, Y, A);
        }
        story.ends(Fault::Silence(A)).all_home_within(200.0);
    }
}

/// At home nobody notices that a host gives up a LAN and takes it back, and then it is watched as before.
#[test]
fn a_lan_leaves_and_returns() {
    for seed in 1..=30 {
        let mut story = Story::of(3).seed(seed).begin();
        let mut lans = Vec::new();
        story.act(|world| world.reload(Y, |config| lans = vec![config.lans.remove(0)]));
        story.pass(0.3 * seed as f64).nothing_moved();
        story.act(|world| world.reload(Y, |config| config.lans.insert(0, lans.remove(0))));
        story.pass(20.0).nothing_moved();
        story.strikes(Fault::Silence(A)).pass(10.0).both_moved(X, Y, A).talk(X, Y, A);
        story.ends(Fault::Silence(A)).all_home_within(60.0);
    }
}

/// A requestor asks fast for a while and slowly again, and a responder hears none of it: it hears the next INQ.
#[test]
fn fast_and_slow_again_while_unheard() {
    let mut story = Story::of(2).responders(&[Y]).begin();
    story.strikes(Fault::Silence(A)).pass(10.0).both_moved(X, Y, A).strikes(Fault::Silence(B)).pass(10.0);
    story.act(|world| world.resettle(X, |config| config.interval = Duration::from_millis(10))).pass(100.0);
    story.act(|world| world.resettle(X, |config| config.interval = Duration::from_millis(200))).pass(5.0);
    story.ends(Fault::Silence(A)).pass(8.0).hears(X, Y, A, 2.0).hears(Y, X, A, 2.0);
    story.ends(Fault::Silence(B)).all_home_within(100.0);
}

/// Only one host has new keys: it is left alone, and comes back with them.
#[test]
fn keys_on_one_side_only() {
    use faild::config::{Key, KeyRing};
    let ring = || KeyRing { keys: vec![Key { id: 3, secret: b"sixteen bytes and more".to_vec() }] };
    let mut story = Story::of(3).begin();
    story.act(|world| world.resettle(Y, |config| config.keys = ring())).pass(30.0).nothing_moved();
    for node in [X, Z] {
        story.act(|world| world.resettle(node, |config| config.keys = ring())).pass(10.0).nothing_moved();
    }
    story.all_home_within(60.0);
}

/// An interface gets another name, and its own back: one address is in one place.
#[test]
fn an_interface_is_renamed_and_back() {
    for seed in 1..=5 {
        let mut story = Story::of(2).seed(seed).begin();
        let rename = Fault::Rename(crate::network::Port { node: Y, lan: A });
        story.strikes(rename.clone()).pass(15.0).ends(rename).all_home_within(60.0);
        story.strikes(Fault::Silence(A)).after(2.75).both_moved(X, Y, A).ends(Fault::Silence(A));
        story.all_home_within(60.0);
    }
}
