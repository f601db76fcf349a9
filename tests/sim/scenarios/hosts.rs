//! Hosts and daemons die, return, sleep and start late.

use std::time::Duration;

use faild::config::{Config, Exit, Key, KeyRing};
use faild::event::EventName;
use faild::interface::Family;

use crate::faults::{Fall, Fault, Start};
use crate::network::Port;
use crate::story::{A, B, Story, X, Y, Z};

/// Rule 1: a restart moves nobody, at home.
#[test]
fn restart_moves_nobody() {
    for seed in 1..=20 {
        let mut story = Story::of(3).seed(seed).begin();
        story.strikes(Fault::Kill(Y)).pass(0.1 * seed as f64).ends(Fault::Kill(Y));
        story.pass(40.0).nothing_moved();
    }
}

/// Rule 1: and on a detour no packet is lost by it.
#[test]
fn restart_on_a_detour_keeps_the_overlays() {
    for seed in 1..=20 {
        let mut story = Story::of(3).seed(seed).begin();
        story.strikes(Fault::Silence(A)).pass(10.0).both_moved(X, Y, A);
        story.strikes(Fault::Kill(Y)).pass(0.1 * seed as f64).ends(Fault::Kill(Y));
        for _ in 0..40 {
            story.pass(0.5).both_moved(X, Y, A).talk(X, Y, A);
        }
        story.ends(Fault::Silence(A)).all_home_within(30.0);
    }
}

/// kill -9 between any two kernel operations: the next start adopts what it finds and goes on.
#[test]
fn killed_amid_failover() {
    for operations in 1..=8 {
        let mut story = Story::of(3).begin();
        let kill = Fault::KillAmid(Y, operations);
        story
            .strikes(kill.clone())
            .strikes(Fault::Silence(A))
            .pass(4.0)
            .ends(kill)
            .pass(8.0)
            .both_moved(X, Y, A)
            .talk(X, Y, A)
            .talk(Y, Z, A);
        story.ends(Fault::Silence(A)).all_home_within(30.0);
    }
}

/// kill -9 in the instant in which an interface falls: the next start knows what stood, and puts back what the kernel took.
#[test]
fn killed_as_an_interface_falls() {
    for fall in Fall::ALL {
        for start in [Start::Amid, Start::Before, Start::After] {
            let mut story = Story::of(3).families(&[Family::V4, Family::V6]).begin();
            let fault = Fault::Unseen(Port { node: Y, lan: A }, fall, start);
            let duration = Duration::from_secs(12);
            story.act(|world| fault.strike(world, duration)).pass(80.0).all_home_within(60.0);
        }
    }
}

/// Rule 2: a crashing peer falls silent on all LANs at once, and yet expires on one before the other.
#[test]
fn dying_peer_moves_nobody() {
    for seed in 1..=100 {
        let mut story = Story::of(3).seed(seed).begin();
        story.pass(0.01 * seed as f64).strikes(Fault::Dark(Y)).pass(30.0).nothing_moved();
    }
}

/// Absence: it comes back on one LAN before the other, too.
#[test]
fn returning_peer_moves_nobody() {
    for seed in 1..=100 {
        let mut story = Story::of(3).seed(seed).begin();
        story.strikes(Fault::Dark(Y)).pass(20.0 + 0.01 * seed as f64).ends(Fault::Dark(Y));
        story.pass(30.0).nothing_moved();
    }
}

/// Absence: the same after a reboot, and after waking from SIGSTOP.
#[test]
fn rebooting_or_sleeping_peer_moves_nobody() {
    for seed in 1..=20 {
        let mut story = Story::of(3).seed(seed).begin();
        story.act(|world| world.reboot(Y, Duration::from_secs(3)));
        story.pass(40.0).nothing_moved();
        story.act(|world| world.stall(Z, Duration::from_secs(10)));
        story.pass(90.0).nothing_moved();
    }
}

/// Section 2: excuses are finite. A loop that is late in every slot still sees the death of a LAN.
#[test]
fn late_loop_is_excused_finitely() {
    let mut story = Story::of(3).begin();
    for _ in 0..40 {
        story.act(|world| world.stall(X, Duration::from_millis(120))).pass(1.0);
    }
    story.nothing_moved().strikes(Fault::Silence(A));
    for _ in 0..8 {
        story.act(|world| world.stall(X, Duration::from_millis(120))).pass(1.0);
    }
    story.moved(X, Z, A).moved(Z, X, A);
}

/// Rule 3: an address that was proven before the reboot is not black because its LAN was dead while booting.
#[test]
fn booting_with_a_dead_lan() {
    let mut story = Story::of(3).begin();
    story.strikes(Fault::Silence(A)).pass(10.0).both_moved(X, Y, A);
    story.act(|world| world.reboot(X, Duration::from_secs(2))).pass(10.0).home(X, Y, A);
    story.pass(15.0).moved(X, Y, A).talk(X, Y, A).talk(X, Z, A);
    story.ends(Fault::Silence(A)).all_home_within(40.0);
}

/// Rule 3: the same for hosts that have never met, if they share a key.
#[test]
fn first_boot_with_a_dead_lan_under_a_key() {
    let key = || KeyRing { keys: vec![Key { id: 1, secret: b"sixteen bytes and more".to_vec() }] };
    let mut story = Story::of(3).config(|c| c.keys = key()).in_the_dark();
    story.strikes(Fault::Silence(A)).pass(30.0).both_moved(X, Y, A).talk(X, Y, A).talk(Y, Z, A);
    story.ends(Fault::Silence(A)).all_home_within(40.0);
}

/// Rule 3: ARP answered and INQ not is no death; "port filtered?" is said once.
#[test]
fn port_that_is_filtered_is_not_a_dead_lan() {
    let key = || KeyRing { keys: vec![Key { id: 1, secret: b"sixteen bytes and more".to_vec() }] };
    let mut story = Story::of(2).config(|c| c.keys = key()).in_the_dark();
    let filter = Fault::Firewall(crate::network::Port { node: Y, lan: A });
    story.strikes(filter).pass(60.0).home(X, Y, A);
    let said = story.count_said(X, EventName::PortFiltered);
    story.expect(said == 1, format_args!("said {said} times"));
}

/// Rule 8: a goodbye lifts nothing.
#[test]
fn goodbye_lifts_nothing() {
    let mut story = Story::of(3).config(|c| c.exit = Exit::Keep).begin();
    story.strikes(Fault::Silence(A)).pass(10.0).both_moved(X, Y, A);
    story.strikes(Fault::Stop(Y)).pass(50.0).both_moved(X, Y, A).talk(X, Y, A);
    story.ends(Fault::Stop(Y)).pass(10.0).both_moved(X, Y, A);
    story.ends(Fault::Silence(A)).all_home_within(30.0);
}

/// Rule 8: and at home it moves nothing.
#[test]
fn goodbye_moves_nobody() {
    let mut story = Story::of(3).begin();
    story.strikes(Fault::Stop(Y)).pass(50.0).nothing_moved();
    story.ends(Fault::Stop(Y)).pass(50.0).nothing_moved();
}

/// Rule 8: while the node runs no faild, its address goes home when it has answered s ARP requests.
#[test]
fn address_goes_home_by_arp_while_its_node_runs_no_faild() {
    let mut story = Story::of(2).begin();
    story.strikes(Fault::Silence(A)).pass(10.0).both_moved(X, Y, A);
    story.strikes(Fault::Kill(Y)).pass(20.0).moved(X, Y, A).ends(Fault::Silence(A));
    story.pass(8.0).moved(X, Y, A).pass(10.0).home(X, Y, A).talk(X, Y, A);
}

/// SIGTERM: overlays whose home works are lifted, the others stay.
#[test]
fn leaving_host_lifts_what_works_and_keeps_the_rest() {
    let mut story = Story::of(3).begin();
    story.strikes(Fault::Silence(A)).pass(10.0).both_moved(X, Y, A).strikes(Fault::Stop(X));
    story.pass(5.0).moved(X, Y, A).moved(X, Z, A).talk(X, Y, A);
}

/// Rule 12: observers move nothing, and nobody waits for them.
#[test]
fn observers_move_nothing() {
    let observer: fn(usize, &mut Config) = |node, config| config.dry_run = node == 1;
    let mut story = Story::of(3).adjust(observer).begin();
    story
        .strikes(Fault::Silence(A))
        .after(2.75)
        .moved(X, Y, A)
        .home(Y, X, A)
        .home(Y, Z, A)
        .both_moved(X, Z, A);
    story.ends(Fault::Silence(A)).all_home_within(25.0);
}

/// Two responders have no path; each has one with the requestor.
#[test]
fn responders_move_with_the_requestor() {
    let mut story = Story::of(3).responders(&[Y, Z]).begin();
    story.strikes(Fault::Silence(A)).after(3.75).both_moved(X, Y, A).both_moved(X, Z, A).both_home(Y, Z, A);
    story.talk(X, Y, A).talk(X, Z, A).talk(Y, Z, B);
    story.ends(Fault::Silence(A)).all_home_within(30.0);
}

/// A responder to which a peer came back on one LAN only knows all the same when it dies.
#[test]
fn a_responder_notices_a_death_while_a_lan_stays_dead() {
    let mut story = Story::of(2).responders(&[Y]).begin();
    story.strikes(Fault::Silence(A)).strikes(Fault::Silence(B)).pass(10.0);
    let before = story.count_said(Y, EventName::PeerDown);
    story.ends(Fault::Silence(A)).pass(15.0).strikes(Fault::Kill(X)).pass(150.0);
    let said = story.count_said(Y, EventName::PeerDown);
    story.expect(before == 1 && said == 2, format_args!("absent {before}, then {said} times"));
}

/// A virtual machine that is what it was minutes ago: all that it counts is behind what its peers hold.
#[test]
fn a_machine_that_was_rolled_back_is_heard_at_once() {
    for responders in [&[][..], &[X], &[Y]] {
        for seconds in [1, 20, 120] {
            let mut story = Story::of(2).responders(responders).begin();
            let fault = Fault::Mute(crate::network::Port { node: X, lan: A });
            story.act(|world| {
                let saved = world.save(Y);
                world.after(Duration::from_secs(seconds), move |world| world.roll_back(Y, saved));
            });
            // Much is reported meanwhile.
            for _ in 0..seconds.min(20) {
                story.strikes(fault.clone()).pass(2.5).ends(fault.clone()).pass(2.5);
            }
            story.at(seconds * 1000).pass(4.0);
            for _ in 0..10 {
                story.pass(1.0).hears(X, Y, B, 2.0).hears(Y, X, B, 2.0);
            }
            story.all_home_within(5.0 * 600.0);
        }
    }
}
