//! Cables, interfaces, addresses and routes come and go.

use std::num::NonZeroU32;
use std::time::Duration;

use faild::interface::Family;

use crate::faults::Fault;
use crate::kernel::Moods;
use crate::network::Port;
use crate::story::{A, B, Story, X, Y, Z};

const PORT: Port = Port { node: Y, lan: A };

/// Our own carrier is exempt from proof (rule 2), and the others hear of it at once (rule 10).
#[test]
fn carrier_loss_moves_both_ends() {
    let mut story = Story::of(3).begin();
    story
        .strikes(Fault::Carrier(PORT))
        .after(2.75)
        .both_moved(X, Y, A)
        .both_moved(Z, Y, A)
        .both_home(X, Z, A);
    story.talk(X, Y, A).talk(Z, Y, A).ends(Fault::Carrier(PORT)).all_home_within(25.0);
}

/// The kernel flushes what it flushes, silently; traffic goes on, and afterwards all is as it was.
#[test]
fn interface_down_and_up_restores_everything() {
    for families in [&[Family::V4][..], &[Family::V6], &[Family::V4, Family::V6]] {
        let mut story = Story::of(3).families(families).begin();
        story.strikes(Fault::Down(PORT)).pass(10.0).talk(X, Y, A).talk(Z, Y, A).talk(X, Y, B);
        story.ends(Fault::Down(PORT)).all_home_within(60.0);
    }
}

/// The same when it is deleted and made again, under another number.
#[test]
fn interface_deleted_and_made_again() {
    for families in [&[Family::V4][..], &[Family::V6]] {
        let mut story = Story::of(3).families(families).begin();
        story.strikes(Fault::Deleted(PORT)).pass(10.0).talk(X, Y, B).talk(X, Z, A);
        story.ends(Fault::Deleted(PORT)).all_home_within(60.0);
    }
}

/// A reboot brings back what somebody had deleted, and the world knows it.
#[test]
fn reboot_brings_a_deleted_interface_back() {
    let mut story = Story::of(3).begin();
    story.strikes(Fault::Deleted(PORT)).pass(10.0).act(|world| world.reboot(Y, Duration::from_secs(1)));
    story.pass(20.0).talk(X, Y, A).talk(Z, Y, A);
}

/// The detour dies while home is up and still damped at one end: both ends flee to the same LAN.
#[test]
fn both_ends_leave_a_dead_detour_for_the_same() {
    let mut story = Story::of(2).lans(3).config(|config| config.good = NonZeroU32::MIN).begin();
    for _ in 0..3 {
        story.strikes(Fault::Carrier(PORT)).pass(2.0).ends(Fault::Carrier(PORT)).pass(3.0);
    }
    story.both_moved(X, Y, A).strikes(Fault::Carrier(Port { lan: B, ..PORT }));
    story.after(1.5).talk(X, Y, A).talk(X, Y, B);
    let moved = story.has_moved(X, Y, A);
    story.expect(moved == story.has_moved(Y, X, A), format_args!("only one has moved"));
}

/// A detour's address is given up while the home that it serves is dead: no overlay leads to it any more.
#[test]
fn address_of_a_detour_changes_while_home_is_dead() {
    for seed in 1..=20 {
        let mut story = Story::of(2).seed(seed).begin();
        story.strikes(Fault::Silence(B)).pass(10.0).both_moved(X, Y, B).strikes(Fault::Renumber(PORT));
        story.pass(40.0).talk(X, Y, B).ends(Fault::Renumber(PORT)).pass(40.0).talk(X, Y, B);
        story.ends(Fault::Silence(B)).all_home_within(60.0);
    }
}

/// Rule 4: its address on LAN A is taken away and put back, and LAN B dies before it has said so there. A is the way out.
#[test]
fn address_is_put_back_while_the_other_lan_is_dead() {
    let own = "10.100.0.2/16".parse().expect("a prefix");
    for seed in 1..=10 {
        let mut story = Story::of(2).seed(seed).begin();
        story.pass(30.0).act(|world| world.delete_address(PORT, own)).pass(30.0);
        story.strikes(Fault::Silence(B)).act(|world| world.add_address(PORT, own)).pass(20.0);
        story.both_moved(X, Y, B).talk(X, Y, B);
        story.ends(Fault::Silence(B)).pass(60.0).talk(X, Y, A).talk(X, Y, B);
    }
}

/// An address is changed under it: the old one is withdrawn, the new one is proven and moves as well.
#[test]
fn address_changes_under_it() {
    let mut story = Story::of(3).begin();
    story.strikes(Fault::Renumber(PORT)).pass(30.0).ends(Fault::Renumber(PORT)).pass(30.0);
    story.strikes(Fault::Silence(A)).after(2.75).both_moved(X, Y, A).talk(X, Y, A);
    story.ends(Fault::Silence(A)).all_home_within(60.0);
}

/// Rule 4: a withdrawn address lifts its overlay at once, after the five seconds in which an address that is only
/// gone for a bounce comes back.
#[test]
fn withdrawn_address_lifts_its_overlay() {
    let extra = "10.100.9.9/16".parse().expect("a prefix");
    let address = "10.100.9.9".parse().expect("an address");
    let mut story = Story::of(2).begin();
    story.act(|w| w.meddle(Y, "address added", |n| n.kernel.add_address("lan0", extra))).pass(20.0);
    story.strikes(Fault::Silence(A)).after(2.75).both_moved(X, Y, A);
    let is_moved = crate::judge::is_overlaid(story.world(), X, &address);
    story.expect(is_moved, format_args!("the second address did not move"));
    story.act(|w| w.meddle(Y, "address deleted", |n| n.kernel.delete_address("lan0", extra))).pass(27.2);
    let is_moved = crate::judge::is_overlaid(story.world(), X, &address);
    story.expect(!is_moved, format_args!("the second address is still moved")).both_moved(X, Y, A);
}

/// Somebody flushes our overlays; they come back.
#[test]
fn flushed_overlays_come_back() {
    let mut story = Story::of(3).begin();
    story.strikes(Fault::Silence(A)).pass(10.0).both_moved(X, Y, A);
    story.strikes(Fault::Flush(X)).pass(2.0).both_moved(X, Y, A).talk(X, Y, A).routes_by(X, "192.0.2.9", B);
    story.ends(Fault::Silence(A)).all_home_within(30.0);
}

/// Somebody adds a route by a gateway that has moved; it is overlaid.
#[test]
fn route_added_by_a_dead_gateway_is_overlaid() {
    let mut story = Story::of(3).begin();
    story.strikes(Fault::Silence(A)).pass(10.0);
    let plan = crate::kernel::RoutePlan {
        destination: "198.51.100.0/24".parse().expect("a prefix"),
        gateway: story.address(Y, A),
        interface: "lan0".to_owned(),
        metric: 50,
        protocol: 4,
    };
    story.act(|w| w.foreign_add(X, &plan)).pass(2.0).routes_by(X, "198.51.100.7", B);
    story.ends(Fault::Silence(A)).all_home_within(30.0).routes_by(X, "198.51.100.7", A);
}

/// A kernel that refuses half of everything is asked again, in moderation, until it obeys.
#[test]
fn refused_operations_are_tried_again() {
    let mut story = Story::of(3).begin();
    let moods = Moods { refusal: 0.5, lost_result: 0.2, ..Moods::default() };
    story.strikes(Fault::Moods(X, moods)).strikes(Fault::Silence(A)).pass(60.0);
    story.both_moved(X, Y, A).talk(X, Y, A).ends(Fault::Moods(X, moods));
    story.ends(Fault::Silence(A)).all_home_within(60.0);
}

/// The kernel's news were lost: everything is looked at again.
#[test]
fn lost_news_lead_to_another_look() {
    let mut story = Story::of(3).begin();
    let moods = Moods { lost_notification: 1.0, ..Moods::default() };
    story.strikes(Fault::Moods(Y, moods)).strikes(Fault::Down(PORT)).pass(10.0).talk(X, Y, B);
    story.ends(Fault::Down(PORT)).pass(2.0).strikes(Fault::LostNews(Y)).ends(Fault::Moods(Y, moods));
    story.all_home_within(60.0);
}

/// A port that flaps faster than it can prove itself stays left, and is gone home to in the end.
#[test]
fn flapping_port_settles() {
    let mut story = Story::of(3).begin();
    story.strikes(Fault::Flap(PORT, 20, std::time::Duration::from_millis(300))).pass(70.0);
    story.talk(X, Y, A).talk(X, Y, B).all_home_within(5.0 * 600.0);
}
