//! Frames that come late: what waited for a neighbour, in a switch or in the interface of a machine that slept.

use std::time::Duration;

use faild::event::EventName;

use crate::faults::Fault;
use crate::network::Port;
use crate::story::{A, B, Story, X, Y};

fn fast(seed: u64, responders: &[crate::network::NodeNumber]) -> Story {
    let opening = Story::of(2).seed(seed).responders(responders);
    opening.config(|config| config.interval = Duration::from_millis(50)).begin()
}

/// A switch starts again. When it is back the kernels deliver what they held for a neighbour whom they did not know, seconds
/// old, before anything new: both ends take it for what it is, and hear each other at once.
#[test]
fn old_inquiries_do_not_hide_new_ones() {
    for responders in [&[][..], &[X], &[Y]] {
        for seed in 1..=10 {
            let mut story = fast(seed, responders);
            story.strikes(Fault::Restart(B)).at(2000 + 5 * seed).ends(Fault::Restart(B));
            // ARP is asked once a second; nothing is dead for longer than that.
            story.pass(24.0);
            for _ in 0..10 {
                story.pass(1.0).hears(X, Y, B, 2.0).hears(Y, X, B, 2.0);
            }
        }
    }
}

/// The same when a LAN keeps what is sent and passes it on, as far as it had room: the newest are lost.
#[test]
fn a_lan_that_kept_the_oldest_frames_serves_at_once() {
    for responders in [&[][..], &[X], &[Y]] {
        for seed in 1..=10 {
            let mut story = fast(seed, responders);
            let held = Fault::Held(B, 50);
            story.strikes(held.clone()).at(3000 + 5 * seed).ends(held).pass(3.0);
            for _ in 0..10 {
                story.pass(1.0).hears(X, Y, B, 2.0).hears(Y, X, B, 2.0);
            }
        }
    }
}

/// And when all that came first waited in the interface of a machine that slept, with or without carriers at first.
#[test]
fn a_machine_that_slept_is_heard_at_once() {
    for responders in [&[][..], &[X], &[Y]] {
        for (seed, fault) in [(1, Fault::Pause(Y)), (2, Fault::Suspend(Y)), (3, Fault::Pause(Y))] {
            let mut story = fast(seed, responders);
            story.strikes(fault.clone()).pass(200.0).ends(fault.clone()).pass(if seed == 2 {
                24.0
            } else {
                3.0
            });
            for _ in 0..10 {
                story.pass(1.0).hears(X, Y, A, 2.0).hears(Y, X, A, 2.0);
            }
            story.all_home_within(100.0);
        }
    }
}

/// Nothing of the old run counts when it comes after the host has started again: no host is taken for a clone.
#[test]
fn answers_of_an_old_run_that_come_late() {
    for seed in 1..=10 {
        let mut story = fast(seed, &[]);
        let held = Fault::Held(A, 500);
        story.strikes(held.clone()).pass(0.5).act(|world| world.kill(Y)).act(|world| world.start(Y));
        story.pass(1.0).ends(held).pass(20.0);
        let clones = story.count_said(X, EventName::DuplicateNodeId);
        story.expect(clones == 0, format_args!("seed {seed}: taken for a clone"));
        story.all_home_within(100.0).talk(X, Y, A).talk(X, Y, B);
    }
}

/// A kernel that forgets its neighbours asks for them again; nothing moves.
#[test]
fn forgotten_neighbours_move_nobody() {
    for seed in 1..=10 {
        let mut story = Story::of(3).seed(seed).begin();
        for lan in [A, B] {
            story.act(|world| world.forget_neighbours(Port { node: Y, lan })).pass(10.0).nothing_moved();
        }
    }
}
