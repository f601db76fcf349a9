use std::time::Duration;

use super::*;
use crate::engine::{AddressSnapshot, LanSnapshot, LanState, NextHop, PathKey, PathSnapshot};
use crate::interface::Family;

use Level::{Down, Unknown, Up};

#[test]
fn a_lan_is_lost_once_and_regained_when_somebody_is_heard_there() {
    let mut tracker = Tracker::default();
    let lan = |running, down, level| {
        let snapshot =
            Snapshot { lans: vec![lan(0, running, down)], peers: vec![peer(1, &[level])], ..empty() };
        move |tracker: &mut Tracker| told(tracker, &snapshot)
    };
    assert_eq!(lan(false, true, Unknown)(&mut tracker), NONE, "it never was up");
    assert_eq!(lan(true, false, Up)(&mut tracker), NONE);
    assert_eq!(lan(true, true, Down)(&mut tracker), ["lan-down interface=lan0"], "silent");
    assert_eq!(lan(false, true, Down)(&mut tracker), NONE, "it is lost already");
    assert_eq!(lan(true, false, Down)(&mut tracker), NONE, "the others are silent, too, and it may be us");
    assert_eq!(lan(true, false, Up)(&mut tracker), ["lan-up interface=lan0"]);
    assert_eq!(lan(false, false, Up)(&mut tracker), ["lan-down interface=lan0"], "set down");
    assert_eq!(told(&mut tracker, &empty()), NONE, "it is no LAN of ours any more");
    assert_eq!(lan(true, false, Up)(&mut tracker), NONE);
}

#[test]
fn a_peer_is_lost_after_it_was_there_and_has_its_name() {
    let mut tracker = Tracker::default();
    let named =
        |absent: bool| PeerSnapshot { present: !absent, name: Some("db1".to_owned()), ..peer(7, &[Up, Up]) };
    let there = |absent| Snapshot { peers: vec![named(absent)], ..empty() };
    assert_eq!(told(&mut tracker, &there(true)), NONE, "remembered, and not heard yet");
    assert_eq!(told(&mut tracker, &there(false)), NONE);
    let lost = ["peer-down peers=1 peer=0000000000000007 name=db1"];
    assert_eq!(told(&mut tracker, &there(true)), lost);
    assert_eq!(told(&mut tracker, &there(true)), NONE);
    assert_eq!(told(&mut tracker, &there(false)), ["peer-up peers=1 peer=0000000000000007 name=db1"]);
}

#[test]
fn redundancy_is_lost_with_the_first_peer_and_regained_with_the_last() {
    let mut tracker = Tracker::default();
    let peers =
        |one: &[Level], two: &[Level]| Snapshot { peers: vec![peer(1, one), peer(2, two)], ..empty() };
    assert_eq!(told(&mut tracker, &peers(&[Up, Unknown], &[Unknown])), NONE, "not decided yet");
    assert_eq!(told(&mut tracker, &peers(&[Up, Up], &[Up, Up])), NONE);
    let lost = "redundancy-lost peers=1 peer=0000000000000002";
    assert_eq!(told(&mut tracker, &peers(&[Up, Up], &[Up, Down])), [lost]);
    assert_eq!(told(&mut tracker, &peers(&[Down, Up], &[Up, Down])), NONE);
    assert_eq!(told(&mut tracker, &peers(&[Up, Up], &[Up, Down])), NONE);
    let mut absent = peers(&[Up, Up], &[Down, Down]);
    absent.peers.iter_mut().for_each(|peer| peer.present = false);
    assert_eq!(redundancy(&mut tracker, &absent), NONE, "who is silent everywhere says nothing about it");
    assert_eq!(redundancy(&mut tracker, &peers(&[Up, Up], &[Up, Up])), ["redundancy-restored"]);
}

#[test]
fn a_peer_on_one_lan_never_was_redundant() {
    let mut tracker = Tracker::default();
    let both = |levels: &[Level]| Snapshot { peers: vec![peer(1, levels), peer(2, &[Up, Up])], ..empty() };
    assert_eq!(told(&mut tracker, &both(&[Up])), NONE);
    assert_eq!(told(&mut tracker, &both(&[Down])), NONE);
}

#[test]
fn one_family_that_works_is_enough_for_a_lan() {
    let mut tracker = Tracker::default();
    let mut dual = Snapshot { peers: vec![peer(1, &[Up, Up, Up, Up])], ..empty() };
    for (number, path) in dual.peers[0].paths.iter_mut().enumerate() {
        path.key.lan = LanIndex(u8::from(number >= 2));
    }
    assert_eq!(told(&mut tracker, &dual), NONE);
    dual.peers[0].paths[3].state = Down;
    assert_eq!(told(&mut tracker, &dual), NONE);
    dual.peers[0].paths[2].state = Down;
    assert_eq!(told(&mut tracker, &dual), ["redundancy-lost peers=1 peer=0000000000000001"]);
}

#[test]
fn traffic_moves_and_comes_home() {
    let mut tracker = Tracker::default();
    let home = Snapshot { peers: vec![peer(3, &[Up, Up])], ..empty() };
    let mut moved = home.clone();
    moved.peers[0].paths[0].addresses[0].detour =
        Some(NextHop { interface: "lan1".to_owned(), via: address(3) });
    assert_eq!(told(&mut tracker, &home), NONE);
    assert_eq!(told(&mut tracker, &moved), ["peer-failover peers=1 peer=0000000000000003"]);
    assert_eq!(told(&mut tracker, &home), ["peer-failback peers=1 peer=0000000000000003"]);
}

#[test]
fn many_peers_are_counted_and_few_are_named() {
    let mut tracker = Tracker::default();
    let all =
        |levels: &[Level]| Snapshot { peers: (1..=100).map(|node| peer(node, levels)).collect(), ..empty() };
    assert_eq!(told(&mut tracker, &all(&[Up, Up])), NONE);
    let changes = tracker.observe(&all(&[Up, Down]));
    assert_eq!((changes.len(), changes[0].count, changes[0].peers.len()), (1, 100, MOST_PEERS));
}

fn told(tracker: &mut Tracker, snapshot: &Snapshot) -> Vec<String> {
    tracker.observe(snapshot).iter().map(ToString::to_string).collect()
}

fn redundancy(tracker: &mut Tracker, snapshot: &Snapshot) -> Vec<String> {
    told(tracker, snapshot).into_iter().filter(|line| line.starts_with("redundancy")).collect()
}

fn empty() -> Snapshot {
    Snapshot {
        node: NodeId(99),
        interval: Duration::from_millis(200),
        lans: Vec::new(),
        peers: Vec::new(),
        received: 0,
        sent: 0,
        dropped: BTreeMap::new(),
    }
}

fn lan(index: u8, running: bool, down: bool) -> LanSnapshot {
    LanSnapshot {
        index: LanIndex(index),
        interface: format!("lan{index}"),
        state: match (running, down) {
            (false, _) => LanState::NoCarrier,
            (true, true) => LanState::Silent,
            (true, false) => LanState::Up,
        },
        offline: false,
        addresses: Vec::new(),
    }
}

/// A peer that is there, with a path on each LAN.
fn peer(node: u64, levels: &[Level]) -> PeerSnapshot {
    let paths = levels.iter().enumerate().map(|(number, level)| path(node, number, *level)).collect();
    PeerSnapshot {
        node: NodeId(node),
        name: None,
        present: true,
        requestor: true,
        observer: false,
        interval: Duration::from_millis(200),
        paths,
    }
}

fn path(node: u64, number: usize, level: Level) -> PathSnapshot {
    let lan = LanIndex(u8::try_from(number).unwrap());
    PathSnapshot {
        key: PathKey { lan, family: Family::V4, peer_lan: lan },
        interface: format!("lan{number}"),
        state: level,
        draining: false,
        counted: level,
        reported: level,
        missed: 0,
        good: 0,
        ready: true,
        peer_ready: true,
        moved: false,
        peer_moved: false,
        round_trip: None,
        penalty: 0.0,
        heard: None,
        addresses: vec![AddressSnapshot { address: address(node), proven: true, detour: None }],
    }
}

fn address(node: u64) -> IpAddr {
    IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, u8::try_from(node % 256).unwrap()))
}

const NONE: [&str; 0] = [];
