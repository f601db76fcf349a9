//! Two and more engines on one virtual clock, without a kernel: what they send each other and where they want traffic.

mod agreement;
mod cross_lan;
mod crowding;
mod exits;
mod explain;
mod hostile;
mod identity;
mod late_lans;
mod naming;
mod offline;
mod old_packets;
mod orphans;
mod pacing;
mod placing;
mod reconfigure;
mod reports;
mod several;
mod states;
mod world;

use std::time::Duration;

use super::*;
use crate::event::EventName;
use crate::failback::Hold;
use crate::interface::Family;
pub(super) use states::Choices;
use world::{Arp, OF_PATHS, OF_PEERS, World, address};

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

#[test]
fn two_hosts_meet_and_are_at_home() {
    let mut world = World::new(2, 2);
    world.run(ms(1500));
    for host in 0..2 {
        for lan in 0..2 {
            assert_eq!(world.verdict(host, lan, 1 - host), Some(Verdict::Home), "{}", world.state(host));
        }
    }
}

#[test]
fn a_silent_lan_moves_both_ends_and_comes_home() {
    let mut world = World::new(2, 2);
    world.run(ms(2000));
    world.cut(0, |_, _| true);
    world.run(ms(700));
    for host in 0..2 {
        let expected = Verdict::Detour(NextHop { interface: "lan1".into(), via: address(1, 1 - host) });
        assert_eq!(world.verdict(host, 0, 1 - host), Some(expected), "{}", world.state(host));
        assert_eq!(world.verdict(host, 1, 1 - host), Some(Verdict::Home));
    }
    world.cut(0, |_, _| false);
    world.run(ms(4000));
    for host in 0..2 {
        assert_eq!(world.verdict(host, 0, 1 - host), Some(Verdict::Home), "{}", world.state(host));
    }
}

#[test]
fn a_one_way_fault_moves_both_ends() {
    let mut world = World::new(2, 2);
    world.run(ms(2000));
    world.cut(0, |from, _| from == 0);
    world.run(ms(700));
    for host in 0..2 {
        assert!(
            matches!(world.verdict(host, 0, 1 - host), Some(Verdict::Detour(_))),
            "{}",
            world.state(host)
        );
    }
}

#[test]
fn a_dying_peer_moves_nobody() {
    let mut world = World::new(3, 2);
    world.run(ms(2000));
    world.kill(1);
    world.run(ms(5000));
    for lan in 0..2 {
        assert_eq!(world.verdict(0, lan, 1), Some(Verdict::Home), "{}", world.state(0));
    }
}

#[test]
fn own_carrier_lost_moves_at_once() {
    let mut world = World::new(2, 2);
    world.run(ms(2000));
    world.set_carrier(0, 0, false);
    assert!(matches!(world.verdict(0, 0, 1), Some(Verdict::Detour(_))), "{}", world.state(0));
    world.run(ms(20));
    assert!(matches!(world.verdict(1, 0, 0), Some(Verdict::Detour(_))), "{}", world.state(1));
}

#[test]
fn a_responder_and_a_requestor_move_together() {
    let mut world = World::new(2, 2);
    world.respond_only(1);
    world.run(ms(2000));
    assert_eq!(world.verdict(1, 0, 0), Some(Verdict::Home), "{}", world.state(1));
    world.cut(0, |_, _| true);
    world.run(ms(900));
    for host in 0..2 {
        assert!(
            matches!(world.verdict(host, 0, 1 - host), Some(Verdict::Detour(_))),
            "{}",
            world.state(host)
        );
    }
    world.cut(0, |_, _| false);
    world.run(ms(4000));
    for host in 0..2 {
        assert_eq!(world.verdict(host, 0, 1 - host), Some(Verdict::Home), "{}", world.state(host));
    }
}

#[test]
fn a_goodbye_lifts_nothing_and_judges_nothing() {
    let mut world = World::new(2, 2);
    world.run(ms(2000));
    world.cut(0, |_, _| true);
    world.run(ms(1000));
    world.stop(1);
    let before = world.hosts[0].notices.len();
    world.run(ms(3000));
    assert!(matches!(world.verdict(0, 0, 1), Some(Verdict::Detour(_))), "{}", world.state(0));
    assert_eq!(world.told_since(0, before, OF_PATHS), []);
}

#[test]
fn a_goodbye_in_the_middle_of_a_slot_that_was_answered_is_no_silence() {
    for wait in 0..20 {
        let mut world = World::new(2, 2);
        world.run(ms(2000 + wait * 10));
        world.stop(1);
        let before = world.hosts[0].notices.len();
        world.run(ms(2000));
        assert_eq!(world.told_since(0, before, OF_PATHS), []);
    }
}

#[test]
fn a_renamed_lan_is_not_in_its_own_way() {
    let mut world = World::new(1, 2);
    world.rename(0, 0, "uplink");
    let renamed = Notice::LanRenamed { from: "lan0".to_owned(), to: "uplink".to_owned() };
    assert_eq!(world.told(0, &[EventName::LanRenamed, EventName::InterfaceSkipped]), [renamed]);
}

#[test]
fn a_path_that_damping_keeps_from_failback_is_told_of_once() {
    let mut world = World::new(2, 2);
    world.run(ms(2000));
    for _ in 0..3 {
        world.cut(0, |_, _| true);
        world.run(ms(1000));
        world.cut(0, |_, _| false);
        world.run(ms(4000));
    }
    let waits = |world: &World| world.told(0, &[EventName::FailbackHeld]);
    let [Notice::FailbackWaits { interface, family, hold, .. }] = &waits(&world)[..] else {
        panic!("{}", world.state(0))
    };
    assert_eq!((interface.as_str(), *family), ("lan0", Family::V4));
    assert!(matches!(hold, Hold::Damped { .. }), "{hold:?}");
    let backs = world.told(0, &[EventName::PeerFailback]).len();
    world.run(ms(110_000));
    assert_eq!(world.told(0, &[EventName::PeerFailback]).len(), backs + 1, "{}", world.state(0));
    assert_eq!(waits(&world).len(), 1);
}

#[test]
fn a_failback_that_waits_for_the_administrator_is_told_of() {
    let mut world = World::new(2, 2);
    for host in 0..2 {
        let config =
            Config { requestor: true, failback: crate::config::Failback::Manual, ..Config::default() };
        world.start(host, &config, Memory::default());
    }
    world.run(ms(2000));
    world.cut(0, |_, _| true);
    world.run(ms(1000));
    world.cut(0, |_, _| false);
    world.run(ms(20_000));
    let waits = world.told(0, &[EventName::FailbackHeld]);
    assert!(matches!(waits[..], [Notice::FailbackWaits { hold: Hold::Manual, .. }]), "{waits:#?}");
}

#[test]
fn a_port_that_is_filtered_while_faild_runs_is_told_of_once_an_outage() {
    for is_answered in [true, false] {
        let mut world = World::new(2, 2);
        world.hosts[0].arp = if is_answered { Arp::Always } else { Arp::Never };
        world.run(ms(2000));
        for outage in 1..=2 {
            world.cut(0, |_, _| true);
            world.hosts[0].solicited.clear();
            world.run(ms(20_000));
            assert_eq!(world.hosts[0].solicited.len(), 1, "one ARP request an outage");
            let told = world.told(0, &[EventName::PortFiltered]);
            assert_eq!(told.len(), if is_answered { outage } else { 0 }, "{told:#?}");
            world.cut(0, |_, _| false);
            world.run(ms(20_000));
        }
    }
}

#[test]
fn a_peer_that_dies_is_not_said_to_be_filtered() {
    for wait in 0..20 {
        let mut world = World::new(2, 2);
        world.hosts[0].arp = Arp::Always;
        world.run(ms(2000 + wait * 10));
        world.kill(1);
        world.run(ms(20_000));
        assert_eq!(world.told(0, &[EventName::PortFiltered]), []);
    }
}

/// While a LAN is silent its ARP is too. At the heal the peer's probe comes first now and then, and the host that hears it
/// asks for its neighbour at once: that answer is none to what was asked during the outage.
#[test]
fn a_lan_that_heals_with_its_arp_is_not_said_to_be_filtered() {
    for (wait, is_one_way) in (0..20).flat_map(|wait| [(wait, true), (wait, false)]) {
        let mut world = World::new(2, 2);
        if wait % 2 == 1 {
            world.respond_only(1);
        }
        world.hosts.iter_mut().for_each(|host| host.arp = Arp::AsProbesPass);
        world.run(ms(2000 + wait * 10));
        world.cut(0, if is_one_way { |from, _| from == 0 } else { |_, _| true });
        world.run(ms(2500 + wait * 17));
        world.cut(0, |_, _| false);
        world.run(ms(5000));
        world.assert_quiet(&[EventName::PortFiltered]);
    }
}

/// A firewall that drops the port in one direction only is named as well, although the peer's probes are heard.
#[test]
fn a_port_that_is_filtered_in_one_direction_is_told_of() {
    let mut world = World::new(2, 2);
    world.hosts.iter_mut().for_each(|host| host.arp = Arp::Always);
    world.run(ms(2000));
    world.cut(0, |from, _| from == 0);
    world.run(ms(5000));
    assert_eq!(world.told(0, &[EventName::PortFiltered]).len(), 1, "{}", world.state(0));
}

#[test]
fn a_lan_says_why_it_does_not_run_and_which_addresses_its_interface_has() {
    let mut world = World::new(1, 1);
    let lans = vec![crate::config::LanConfig::new("lan0")];
    world.start(0, &Config { requestor: true, lans, ..Config::default() }, Memory::default());
    let expect = |world: &World, state, addresses| {
        let snapshot = world.hosts[0].engine.as_ref().unwrap().snapshot(world.now);
        let lan = &snapshot.lans[0];
        assert_eq!((&lan.state, lan.addresses.len()), (&state, addresses));
    };
    expect(&world, LanState::Up, 1);
    world.set_carrier(0, 0, false);
    expect(&world, LanState::NoCarrier, 1);
    world.set_up(0, 0, false);
    expect(&world, LanState::AdminDown, 1);
    world.rename(0, 0, "other");
    expect(&world, LanState::Renamed("other".to_owned()), 0);
    world.rename(0, 0, "lan0");
    world.unplug(0, 0);
    expect(&world, LanState::Absent, 0);
}

#[test]
fn a_lan_without_an_address_that_has_neighbours_is_told_of_once() {
    let mut world = World::new(2, 2);
    world.set_prefix(0, 0, 32);
    world.run(ms(4000));
    let mute = [EventName::LanNoAddress];
    assert_eq!(world.told(0, &mute), [], "an address may yet come");
    world.run(ms(30_000));
    let told = Notice::LanMute { interface: "lan0".to_owned() };
    assert_eq!(world.told(0, &mute), [told], "{}", world.state(0));
}
