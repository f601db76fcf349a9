//! What nobody configured: two hosts with one id, two LANs with one cable, one address in two places.

use crate::faults::Fault;
use crate::judge::is_overlaid;
use crate::story::{A, B, Story, X, Y, Z};

/// Rule 4: an address that two live nodes claim is nobody's: excluded, and said.
#[test]
fn floating_address_is_excluded() {
    let floating = "10.100.200.1/16".parse().expect("a prefix");
    let address = "10.100.200.1".parse().expect("an address");
    let mut story = Story::of(3).begin();
    for node in [Y, Z] {
        story.act(|w| w.meddle(node, "floating address", |n| n.kernel.add_address("lan0", floating)));
    }
    story.pass(30.0).strikes(Fault::Silence(A)).pass(10.0).both_moved(X, Y, A);
    let is_moved = is_overlaid(story.world(), X, &address);
    story.expect(!is_moved, format_args!("a floating address was moved")).said(X, "10.100.200.1");
}

/// Rule 13: two live boots under one node id: left alone, said, and the lower one draws a new id.
#[test]
fn cloned_ids_are_left_alone() {
    let mut story = Story::of(3).begin();
    story.act(|w| w.clone_disk(Y, Z)).pass(60.0).nothing_moved();
    let (one, other) = (story.world().node(Y).memory.node, story.world().node(Z).memory.node);
    story.expect(one != other, format_args!("both are still {one:?}"));
    story
        .all_home_within(40.0)
        .strikes(Fault::Silence(A))
        .after(2.75)
        .both_moved(X, Y, A)
        .both_moved(X, Z, A);
}

/// Rule 13: one LAN index heard on two of our interfaces: the second is ignored, and said; nobody moves.
#[test]
fn joined_lans_are_noticed() {
    let mut story = Story::of(3).begin();
    story.strikes(Fault::Join(A, B)).pass(60.0).nothing_moved().said(X, "joined");
    story.ends(Fault::Join(A, B)).pass(60.0).nothing_moved();
}
