//! LANs die and return.

use std::num::NonZeroU32;
use std::time::Duration;

use faild::interface::Family;

use crate::faults::Fault;
use crate::network::{Port, Sort, Weather};
use crate::story::{A, B, C, Story, X, Y, Z};
use crate::traffic;

/// The main job: away within (f + 0.75) slots, home after s clean ones, gateways as well.
#[test]
fn silent_lan_moves_everybody_and_back() {
    let mut story = Story::of(3).begin();
    story.at(1000).strikes(Fault::Silence(A));
    story.after(2.75).both_moved(X, Y, A).both_moved(Y, Z, A).both_moved(X, Z, A).both_home(X, Y, B);
    story.talk(X, Y, A).talk(Y, Z, A).talk(X, Z, A);
    story.routes_by(X, "192.0.2.9", B).routes_by(X, "203.0.113.9", B);
    story.at(3000).ends(Fault::Silence(A));
    story.pass(8.0).both_moved(X, Y, A);
    story.all_home_within(10.0).routes_by(X, "192.0.2.9", A);
}

/// Section 2: eight attempts a slot; loss is not taken for death.
#[test]
fn loss_below_the_limit_moves_nobody() {
    let mut story = Story::of(4).begin();
    let storm = Weather { loss: 0.05, ..Weather::default() };
    story.strikes(Fault::Storm(A, storm)).strikes(Fault::Storm(B, storm));
    story.pass(3000.0).nothing_moved();
}

/// Rule 5 and 10: each side tells the other what it hears, in either direction, whoever asks.
#[test]
fn one_way_loss_moves_both_ends() {
    for responders in [&[][..], &[X], &[Y]] {
        for (from, to) in [(X, Y), (Y, X)] {
            let mut story = Story::of(3).responders(responders).begin();
            story.strikes(Fault::OneWay(A, from, to));
            story.after(3.75).both_moved(X, Y, A).both_home(X, Z, A).both_home(Y, Z, A).talk(X, Y, A);
            story.ends(Fault::OneWay(A, from, to)).all_home_within(25.0);
        }
    }
}

/// Rule 10: both ends agree within an interval and a travel, for each phase of their slots.
#[test]
fn changes_travel_at_once() {
    for seed in 1..=20 {
        let mut story = Story::of(2).seed(seed).begin();
        story.strikes(Fault::OneWay(A, X, Y));
        let (mut first, mut slots) = (None, 0.0);
        while !(story.has_moved(X, Y, A) && story.has_moved(Y, X, A)) {
            story.pass(0.05);
            slots += 0.05;
            if first.is_none() && (story.has_moved(X, Y, A) || story.has_moved(Y, X, A)) {
                first = Some(slots);
            }
            story.expect(slots < 4.0, format_args!("seed {seed}: not both moved after four slots"));
        }
        let apart = slots - first.unwrap_or(slots);
        story.expect(apart <= 1.1, format_args!("seed {seed}: {apart} slots apart"));
    }
}

/// Rule 2: everything silent may be our own fault; nothing moves.
#[test]
fn nothing_moves_when_all_is_silent() {
    let mut story = Story::of(3).begin();
    story.strikes(Fault::Silence(A)).strikes(Fault::Silence(B));
    story.pass(50.0).nothing_moved();
    story.ends(Fault::Silence(A)).ends(Fault::Silence(B)).all_home_within(25.0);
}

/// Rule 2, its other half: silent one after the other, a slot apart, is not a LAN failure.
#[test]
fn lans_that_die_one_after_the_other_leave_no_overlay_to_nowhere() {
    for seed in 1..=20 {
        let mut story = Story::of(3).seed(seed).begin();
        story.strikes(Fault::Silence(A)).pass(1.0).strikes(Fault::Silence(B));
        story.pass(20.0).ends(Fault::Silence(B)).pass(4.0).talk(X, Y, A).talk(Y, Z, A).talk(X, Y, B);
        story.ends(Fault::Silence(A)).all_home_within(30.0);
    }
}

/// Rule 6: s, damping and policy hold back only the leaving of a way that works.
#[test]
fn leaving_a_dead_way_is_never_delayed() {
    let mut story = Story::of(2).begin();
    for _ in 0..6 {
        story.strikes(Fault::Silence(A)).after(2.75).both_moved(X, Y, A);
        // A is back, damped and far from s clean slots, when B dies.
        story.ends(Fault::Silence(A)).pass(4.0).strikes(Fault::Silence(B));
        story.after(2.75).talk(X, Y, A).talk(X, Y, B);
        story.ends(Fault::Silence(B)).pass(4.0);
    }
}

/// Damping: a LAN that keeps failing is not gone home to at once, but it is in the end.
#[test]
fn flapping_lan_is_damped_and_forgiven() {
    let mut story = Story::of(2).begin();
    for _ in 0..5 {
        story.strikes(Fault::Silence(A)).pass(4.0).ends(Fault::Silence(A)).pass(14.0);
    }
    story.both_moved(X, Y, A).pass(50.0).both_moved(X, Y, A);
    story.all_home_within(5.0 * 600.0);
}

/// Rule 7: each end goes home only when the other is ready as well.
#[test]
fn both_ends_ready_before_failback() {
    let slow: fn(usize, &mut faild::config::Config) = |node, config| {
        config.good = NonZeroU32::new(if node == 1 { 40 } else { 5 }).expect("not zero");
    };
    let mut story = Story::of(2).adjust(slow).in_the_dark();
    let mut story = story.pass(80.0).begin_anew();
    story.strikes(Fault::Silence(A)).after(2.75).both_moved(X, Y, A).ends(Fault::Silence(A));
    story.pass(28.0).both_moved(X, Y, A).pass(20.0).both_home(X, Y, A).talk(X, Y, A);
}

/// Rule 11: among equals the order of the LANs of the node with the lower id, so that both ends choose the same.
#[test]
fn three_lans_both_ends_choose_the_same() {
    for seed in 1..=10 {
        let backwards: fn(usize, &mut faild::config::Config) = |node, config| {
            if node == 1 {
                config.lans.reverse();
            }
        };
        let mut story = Story::of(2).lans(3).seed(seed).adjust(backwards).begin();
        for dead in [A, B, C] {
            story.strikes(Fault::Silence(dead)).after(3.0).both_moved(X, Y, dead);
            let address = (story.address(Y, dead), story.address(X, dead));
            let there = traffic::choose(&story.world().node(X).kernel, &address.0).map(|c| c.interface);
            let back = traffic::choose(&story.world().node(Y).kernel, &address.1).map(|c| c.interface);
            story.expect(there == back, format_args!("by {there:?} there, by {back:?} back"));
            story.ends(Fault::Silence(dead)).all_home_within(5.0 * 600.0);
        }
    }
}

/// Two of three LANs may die.
#[test]
fn third_lan_carries_all() {
    let mut story = Story::of(3).lans(3).begin();
    story.strikes(Fault::Silence(A)).pass(10.0).strikes(Fault::Silence(B)).after(3.0);
    story.talk(X, Y, A).talk(X, Y, B).talk(X, Y, C).talk(Y, Z, A).talk(Y, Z, B);
    story.ends(Fault::Silence(A)).ends(Fault::Silence(B)).all_home_within(30.0);
}

/// Section 2: storm control kills broadcasts, unicast works; nobody moves, and death is seen as fast as before.
#[test]
fn broadcast_filtered_peer_is_asked_by_unicast() {
    let mut story = Story::of(3).begin();
    story.strikes(Fault::StormControl(A)).pass(40.0).nothing_moved();
    story.strikes(Fault::Silence(A)).after(2.75).both_moved(X, Y, A);
}

/// Rule 14: families are judged apart.
#[test]
fn families_move_apart_and_together() {
    for families in [&[Family::V6][..], &[Family::V4, Family::V6], &[Family::V6, Family::V4]] {
        let mut story = Story::of(3).families(families).begin();
        story.strikes(Fault::Silence(A)).after(2.75).both_moved(X, Y, A).talk(X, Y, A).talk(Y, Z, A);
        story.ends(Fault::Silence(A)).all_home_within(25.0);
    }
}

/// Section 2: an answer that comes late but within f slots clears what was missed.
#[test]
fn slow_lan_is_not_a_dead_one() {
    let mut story = Story::of(3).begin();
    let slow = Weather { delay: Duration::from_millis(150), ..Weather::default() };
    story.strikes(Fault::Storm(A, slow)).pass(100.0).nothing_moved();
}

/// Section 2: ACKs to proven peers are spread over 20 us for each peer, so that many do not answer in one burst.
#[test]
fn thousand_answers_are_spread() {
    const NODES: u16 = 120;
    let mut story = Story::of(NODES.into()).lans(1).known_neighbours().unwatched().in_the_dark();
    story.pass(30.0);
    let mut worst = 0;
    for _ in 0..2000 {
        let before = story.world().node(X).counters.received;
        story.pass(0.001);
        worst = worst.max(story.world().node(X).counters.received - before);
    }
    story.expect(worst < 40, format_args!("{worst} packets within 0.2 ms"));
}

/// Broadcasts are filtered when a LAN heals, as switches do after a loop: unicast finds it.
#[test]
fn a_lan_that_heals_without_broadcasts_is_found() {
    for responders in [&[][..], &[X], &[Y]] {
        let mut story = Story::of(2).responders(responders).begin();
        story.strikes(Fault::Silence(A)).pass(10.0).both_moved(X, Y, A);
        story.strikes(Fault::StormControl(A)).ends(Fault::Silence(A)).all_home_within(60.0);
    }
}

/// What a requestor has to say is lost on its way to a responder for as long as it says it, broadcasts are not: the
/// responder hears of it afterwards.
#[test]
fn news_that_were_lost_come_later() {
    for (requestor, responder) in [(X, Y), (Y, X)] {
        let mut story = Story::of(2).responders(&[responder]).begin();
        let lossy = Fault::Lossy(A, requestor, responder, Sort::Unicast);
        story.strikes(Fault::Silence(A)).pass(10.0).both_moved(X, Y, A);
        story.ends(Fault::Silence(A)).strikes(lossy.clone()).strikes(Fault::Lossy(
            B,
            requestor,
            responder,
            Sort::Unicast,
        ));
        story.pass(20.0).ends(lossy);
        story.ends(Fault::Lossy(B, requestor, responder, Sort::Unicast)).all_home_within(60.0);
    }
}

/// Rules 2 and 8: who went home because the address answers there, while its peer was absent to it, does not leave again for
/// a way that answers nothing. The other end follows when it has counted its clean slots; until then packets pass.
#[test]
fn two_ends_differ_while_one_of_them_has_no_proven_way_out() {
    let good = NonZeroU32::new(10).unwrap_or(NonZeroU32::MIN);
    let mut story = Story::of(2).responders(&[Y]).config(|c| c.good = good).begin();
    let (filter, lossy) =
        (Fault::Firewall(Port { node: Y, lan: A }), Fault::Lossy(B, Y, X, Sort::Acknowledgement));
    story.strikes(filter.clone()).pass(10.0).both_moved(X, Y, A);
    story.strikes(lossy.clone()).pass(30.0).home(X, Y, A).moved(Y, X, A).talk(X, Y, A);
    story.ends(filter).pass(8.0).home(X, Y, A).moved(Y, X, A).talk(X, Y, A);
    story.pass(8.0).both_home(X, Y, A).ends(lossy).all_home_within(40.0);
}
