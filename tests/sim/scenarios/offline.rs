//! Interfaces that administrators take out of service while they work.

use crate::faults::{Fault, Theme};
use crate::network::Port;
use crate::runner::{run_as, setting};
use crate::story::{A, B, C, Story, X, Y, Z};

const XA: Port = Port { node: X, lan: A };
const XB: Port = Port { node: X, lan: B };
const YB: Port = Port { node: Y, lan: B };

/// Both ends leave within a travel, and return as soon; what does not concern the host stays.
#[test]
fn both_ends_drain_and_return_without_waiting() {
    for responders in [&[][..], &[X], &[Y]] {
        let mut story = Story::of(3).responders(responders).begin();
        story.strikes(Fault::Offline(XA)).after(0.5).both_moved(X, Y, A).both_home(X, Y, B);
        if responders.is_empty() {
            story.both_home(Y, Z, A);
        }
        story.routes_by(X, "192.0.2.9", B).pass(50.0).both_moved(X, Y, A).talk(X, Y, A);
        story.ends(Fault::Offline(XA)).after(1.0).both_home(X, Y, A).all_home_within(5.0);
    }
}

/// Rule 6: what is offline is better than nothing, and is left again when something else has proven itself.
#[test]
fn an_offline_lan_serves_while_nothing_else_does() {
    let mut story = Story::of(2).begin();
    story.strikes(Fault::Offline(XA)).pass(5.0).both_moved(X, Y, A);
    story.strikes(Fault::Silence(B)).pass(5.0).both_home(X, Y, A).both_moved(X, Y, B).talk(X, Y, B);
    story.ends(Fault::Silence(B)).pass(40.0).both_moved(X, Y, A).both_home(X, Y, B);
    story.ends(Fault::Offline(XA)).all_home_within(5.0);
}

/// Rule 4 of the promises: when the peer dies nothing moves, whatever is offline.
#[test]
fn a_dying_peer_moves_nothing_back() {
    for seed in 1..=30 {
        let mut story = Story::of(2).seed(seed).begin();
        story.strikes(Fault::Offline(XA)).pass(3.0 + seed as f64 / 30.0).moved(X, Y, A);
        story.strikes(Fault::Kill(Y)).pass(30.0).moved(X, Y, A);
    }
}

/// Two administrators take different LANs out of service at the same moment: one of them has its will.
#[test]
fn the_last_two_lans_are_not_both_drained() {
    for seed in 1..=30 {
        let mut story = Story::of(2).seed(seed).begin();
        story.strikes(Fault::Offline(XA)).strikes(Fault::Offline(YB)).pass(60.0).talk(X, Y, A).talk(X, Y, B);
        let mut settled = story.begin_anew();
        settled.pass(100.0).nothing_moved();
    }
}

/// With three LANs the third takes over from both.
#[test]
fn all_but_one_lan_may_be_offline() {
    let mut story = Story::of(2).lans(3).begin();
    story.strikes(Fault::Offline(XA)).strikes(Fault::Offline(XB)).pass(3.0);
    story.both_moved(X, Y, A).both_moved(X, Y, B).both_home(X, Y, C).talk(X, Y, A).talk(X, Y, B);
}

/// All promises hold while interfaces go offline and online amid every other fault.
#[test]
fn administrators_amid_faults() {
    let (first, count) =
        (setting("FAILD_SIM_FIRST").unwrap_or(1), setting("FAILD_SIM_OFFLINE").unwrap_or(60));
    let play = |seed| run_as(seed, count == 1, Some(Theme::Administrators)).err();
    let failures: Vec<_> = (first..first + count)
        .filter_map(play)
        .map(|failure| format!("seed {} at {}: {}", failure.seed, failure.at, failure.violation))
        .collect();
    assert!(failures.is_empty(), "{} of {count}: {failures:#?}", failures.len());
}
