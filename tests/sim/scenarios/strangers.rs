//! What nobody configured: two hosts with one id, two LANs with one cable, one address in two places.

use faild::config::{Key, KeyRing};
use faild::core::Memory;
use faild::event::EventName;
use faild::interface::Family;

use crate::faults::Fault;
use crate::judge::is_overlaid;
use crate::network::{NodeNumber, Port};
use crate::story::{A, B, Story, X, Y, Z};
use crate::world::World;

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
    story.expect(!is_moved, format_args!("a floating address was moved")).said(
        X,
        EventName::AddressFloating,
        "address=10.100.200.1",
    );
}

/// Rule 13: two live boots under one node id: left alone, said, and the lower one draws a new id.
#[test]
fn cloned_ids_are_left_alone() {
    let mut story = Story::of(3).begin();
    story.act(|w| w.clone_disk(Y, Z)).pass(60.0).nothing_moved();
    let (one, other) = (story.world().node(Y).memory.peers.node, story.world().node(Z).memory.peers.node);
    story.expect(one != other, format_args!("both are still {one:?}"));
    story
        .all_home_within(40.0)
        .strikes(Fault::Silence(A))
        .after(2.75)
        .both_moved(X, Y, A)
        .both_moved(X, Z, A);
}

/// A host that comes back under another id takes over the detour that stands for it, and the old id gets nothing back
/// when the new one is away for a while.
#[test]
fn host_with_a_new_id_takes_over_its_detour() {
    for families in [&[Family::V4][..], &[Family::V6]] {
        let mut story = Story::of(2).families(families).begin();
        story.strikes(Fault::Silence(A)).pass(10.0).both_moved(X, Y, A).act(|world| start_anew(world, Y));
        story.pass(10.0).moved(X, Y, A).ends(Fault::Silence(A)).all_home_within(60.0);
        story.strikes(Fault::Dark(Y)).pass(20.0).ends(Fault::Dark(Y)).all_home_within(60.0);
    }
}

/// The same while its home LAN is dead, where it cannot answer, if a key vouches for it.
#[test]
fn host_with_a_new_id_is_reached_by_a_detour_under_a_key() {
    let key = || KeyRing { keys: vec![Key { id: 1, secret: b"sixteen bytes and more".to_vec() }] };
    let mut story = Story::of(2).config(|config| config.keys = key()).begin();
    story.strikes(Fault::Kill(Y)).pass(10.0).strikes(Fault::Silence(A)).act(|world| start_anew(world, Y));
    story.pass(20.0).moved(X, Y, A).talk(X, Y, A).ends(Fault::Silence(A)).all_home_within(60.0);
}

/// What the host no longer bears under its new id goes home too.
#[test]
fn address_that_was_left_behind_with_an_id_goes_home() {
    let mut story = Story::of(2).begin();
    let renumbered = Fault::Renumber(Port { node: Y, lan: A });
    story.strikes(renumbered.clone()).pass(40.0).strikes(Fault::Silence(A)).pass(10.0).act(|w| w.kill(Y));
    story.ends(renumbered).ends(Fault::Silence(A)).act(|world| start_anew(world, Y)).all_home_within(60.0);
}

/// An overlay that is found at the start for an address that nobody has any more, and nobody remembers, goes too.
#[test]
fn overlay_for_an_address_that_nobody_remembers_is_lifted() {
    let mut story = Story::of(2).begin();
    let renumbered = Fault::Renumber(Port { node: Y, lan: A });
    story.strikes(renumbered.clone()).pass(40.0).strikes(Fault::Silence(A)).pass(10.0).act(|w| w.kill(X));
    story.ends(renumbered).ends(Fault::Silence(A)).act(|world| start_anew(world, X)).all_home_within(60.0);
}

fn start_anew(world: &mut World, node: NodeNumber) {
    world.kill(node);
    world.nodes[node.index()].memory = Memory::default();
    world.start(node);
}

/// Rule 13: responders never ask, and learn of each other all the same.
#[test]
fn responders_with_one_id_part() {
    let mut story = Story::of(3).responders(&[Y, Z]).begin();
    story.act(|world| world.clone_disk(Y, Z)).pass(40.0);
    let (one, other) = (story.world().node(Y).memory.peers.node, story.world().node(Z).memory.peers.node);
    story.expect(one != other, format_args!("both are still {one:?}")).all_home_within(60.0);
}

/// Rule 13: one LAN index heard on two of our interfaces: the second is ignored, and said; nobody moves.
#[test]
fn joined_lans_are_noticed() {
    let mut story = Story::of(3).begin();
    story.strikes(Fault::Join(A, B)).pass(60.0).nothing_moved().said(X, EventName::LansBridged, "");
    story.ends(Fault::Join(A, B)).pass(60.0).nothing_moved();
}

/// Rule 4: an address that has moved to another host fails over with it, although its former host could say so on one
/// LAN only, for its own path on the other is dead.
#[test]
fn an_address_that_moved_away_from_a_dead_path_fails_over() {
    let (there, here) = (Port { node: Y, lan: A }, Port { node: Z, lan: A });
    let mut story = Story::of(3).begin();
    let floats = crate::faults::floating(story.world(), there).expect("an address floats");
    story.act(|world| world.add_address(there, floats)).pass(20.0);
    story.strikes(Fault::Mute(there)).strikes(Fault::Deaf(there)).pass(10.0).both_moved(X, Y, A);
    story.act(|world| world.delete_address(there, floats)).act(|world| world.add_address(here, floats));
    story.pass(40.0).strikes(Fault::Mute(here)).strikes(Fault::Deaf(here)).pass(10.0).both_moved(X, Z, A);
    let is_moved = is_overlaid(story.world(), X, &floats.addr());
    story.expect(is_moved, format_args!("the address that moved to another host is not failed over"));
}
