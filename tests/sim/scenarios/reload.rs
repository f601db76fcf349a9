//! Settings change while everything runs.

use std::num::NonZeroU32;
use std::time::Duration;

use faild::config::Config;

use crate::faults::Fault;
use crate::random::Random;
use crate::story::{A, Story, X, Y, Z};

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
