//! Random days: links and addresses come and go, others add and delete routes, verdicts change, operations fail,
//! messages are lost, the disk is full, the daemon crashes, also in the instant in which a link falls. At every moment
//! nothing of others is touched; when all is over nothing of ours is left and what stood at the start stands again.

use std::time::Duration;

use proptest::prelude::*;

use super::rig::{ETH0, ETH1, ETH2, LO, Rig, ip, route, route_text};
use crate::engine::Verdict;
use crate::interface::InterfaceIndex;
use crate::operation::{Operation, Refusal};
use crate::reconcile::mirror::Insert;
use crate::route::{PROTOCOL, Route};
use nix::errno::Errno;

const SUBJECTS: [&str; 4] = ["10.0.0.2", "10.0.0.9", "fd00::2", "fe80::9"];
const LINKS: [InterfaceIndex; 3] = [ETH0, ETH1, ETH2];

#[derive(Debug, Clone)]
enum Event {
    SetUp(usize, bool),
    Bounce(usize),
    Carrier(usize, bool),
    Detour(usize, usize),
    Home(usize),
    Undecided(usize),
    Add(usize, Insert),
    Delete(usize),
    FlushOurs,
    Crash(bool),
    /// In the instant of the crash a link goes down, and comes back before the next start or does not.
    Fall(usize, bool),
    /// The journal cannot be written.
    Full(bool),
    Refuse(bool),
    Deaf(bool),
    Wait(u64),
}

fn event() -> impl Strategy<Value = Event> {
    let insert = prop_oneof![Just(Insert::Exclusive), Just(Insert::Prepend), Just(Insert::Append)];
    prop_oneof![
        4 => (0..3usize, any::<bool>()).prop_map(|(i, up)| Event::SetUp(i, up)),
        1 => (0..3usize).prop_map(Event::Bounce),
        1 => (0..3usize, any::<bool>()).prop_map(|(i, c)| Event::Carrier(i, c)),
        6 => (0..4usize, 1..3usize).prop_map(|(s, w)| Event::Detour(s, w)),
        4 => (0..4usize).prop_map(Event::Home),
        1 => (0..4usize).prop_map(Event::Undecided),
        2 => (0..strangers().len(), insert).prop_map(|(r, i)| Event::Add(r, i)),
        2 => (0..strangers().len()).prop_map(Event::Delete),
        1 => Just(Event::FlushOurs),
        1 => any::<bool>().prop_map(Event::Crash),
        2 => (0..3usize, any::<bool>()).prop_map(|(i, up)| Event::Fall(i, up)),
        1 => any::<bool>().prop_map(Event::Full),
        1 => any::<bool>().prop_map(Event::Refuse),
        1 => any::<bool>().prop_map(Event::Deaf),
        6 => prop_oneof![Just(1u64), Just(100), Just(1500), Just(20_000)].prop_map(Event::Wait),
    ]
}

/// Static routes that stand from the start; nobody but the kernel takes them away.
fn originals() -> Vec<Route> {
    vec![
        route("0.0.0.0/0", "10.0.0.9", ETH0, 0),
        route("198.51.100.0/24", "10.0.0.9", ETH0, 100),
        route("2001:db8::/32", "fe80::9", ETH0, 1024),
        route("203.0.113.0/24", "10.1.0.9", ETH1, 0),
    ]
}

/// Routes that others add and delete; they have keepers of their own.
fn strangers() -> Vec<Route> {
    vec![
        Route { protocol: 16, ..route("0.0.0.0/0", "10.0.0.9", ETH0, 10) },
        Route { protocol: 186, ..route("198.51.100.0/24", "10.2.0.9", ETH2, 99) },
        Route { protocol: 186, ..route("192.0.2.0/24", "10.0.0.9", ETH0, 0) },
        Route { protocol: 16, ..route("10.0.0.2/32", "-", ETH0, 0) },
        Route { protocol: 9, ..route("::/0", "fe80::9", ETH0, 1024) },
    ]
}

fn carry_out(rig: &mut Rig, event: &Event) {
    match event {
        Event::SetUp(i, up) => rig.event(|k| k.set_up(LINKS[*i], *up)),
        Event::Bounce(i) => rig.event(|k| {
            let mut told = k.set_up(LINKS[*i], false);
            told.extend(k.set_up(LINKS[*i], true));
            told
        }),
        Event::Carrier(i, carrier) => rig.event(|k| k.set_carrier(LINKS[*i], *carrier)),
        Event::Detour(s, way) => detour(rig, SUBJECTS[*s], *way),
        Event::Home(s) => rig.home("eth0", SUBJECTS[*s]),
        Event::Undecided(s) => rig.decide("eth0", SUBJECTS[*s], Verdict::Undecided),
        Event::Add(r, insert) => rig.event(|k| k.add_route(&strangers()[*r], *insert).unwrap_or_default()),
        Event::Delete(r) => rig.event(|k| k.delete_route(&strangers()[*r]).unwrap_or_default()),
        Event::FlushOurs => flush(rig),
        Event::Crash(with_journal) => rig.restart(*with_journal),
        Event::Fall(i, up) => {
            rig.kernel.set_up(LINKS[*i], false);
            if *up {
                rig.kernel.set_up(LINKS[*i], true);
            }
            rig.restart(true);
        }
        Event::Full(on) => rig.disk = on.then(|| Refusal::new(Errno::ENOSPC, "No space left on device")),
        Event::Refuse(on) => rig.refuses = on.then(|| Refusal::new(Errno::ENOMEM, "Cannot allocate memory")),
        Event::Deaf(on) => set_deaf(rig, *on),
        Event::Wait(millis) => rig.wait(Duration::from_millis(*millis)),
    }
}

fn detour(rig: &mut Rig, address: &str, way: usize) {
    let via = match address {
        "fe80::9" => "fe80::19".to_owned(),
        "fd00::2" => format!("fd0{way}::2"),
        v4 => v4.replacen("10.0", &format!("10.{way}"), 1),
    };
    rig.detour("eth0", address, ["eth0", "eth1", "eth2"][way], &via);
}

/// Messages are lost for a while; that they were is told at the end.
fn set_deaf(rig: &mut Rig, on: bool) {
    let was = std::mem::replace(&mut rig.deaf, on);
    if was && !on {
        rig.overrun();
    }
}

fn flush(rig: &mut Rig) {
    let own: Vec<Route> =
        rig.kernel.routes().iter().filter(|r| r.protocol == PROTOCOL).map(|r| Route::clone(r)).collect();
    rig.event(|k| own.iter().flat_map(|r| k.delete_route(r).unwrap_or_default()).collect());
}

/// Nothing of others is deleted, nothing of others is made but what stood before.
fn check_operations(rig: &Rig) {
    let stood: Vec<String> = originals().iter().map(route_text).collect();
    for operation in &rig.asked {
        match operation {
            Operation::DeleteRoute(route) => assert_eq!(route.protocol, PROTOCOL, "{operation:?}"),
            Operation::AddRoute { route, .. } => {
                assert!(route.protocol == PROTOCOL || stood.contains(&route_text(route)), "{operation:?}");
            }
            Operation::AddAddress { interface, address } => {
                let waits = *interface == LO && address.protocol == PROTOCOL;
                assert!(waits || address.prefix.addr().is_ipv6(), "{operation:?}");
            }
            Operation::DeleteAddress { interface, address } => {
                assert!(*interface == LO && address.protocol == PROTOCOL, "{operation:?}");
            }
            Operation::SetUp(_) => panic!("{operation:?}"),
            Operation::DeleteNeighbour { .. } => {}
        }
    }
}

/// Faults stop: all links are up, all takes a detour and then is home, and there is time.
fn heal(rig: &mut Rig, blind: bool) {
    rig.refuses = None;
    rig.disk = None;
    set_deaf(rig, false);
    for link in LINKS {
        rig.event(|k| k.set_up(link, true));
        rig.event(|k| k.set_carrier(link, true));
    }
    for subject in SUBJECTS {
        detour(rig, subject, 1);
    }
    rig.wait(Duration::from_secs(200));
    for (address, gateway) in [("10.0.0.2", "10.1.0.2"), ("10.0.0.9", "10.1.0.9"), ("fd00::2", "fd01::2")] {
        // A detour needs our address on its LAN, which may be lost with the memory of it.
        let possible = !blind || address.starts_with("10.");
        let taken = rig.gateway_to(address);
        assert!(!possible || taken == Some(ip(gateway)), "{address} goes by {taken:?}");
    }
    for subject in SUBJECTS {
        rig.home("eth0", subject);
    }
    rig.wait(Duration::from_secs(1500));
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn nothing_of_others_is_touched_and_in_the_end_all_is_home(events in prop::collection::vec(event(), 1..40)) {
        let mut rig = Rig::new();
        for original in originals() {
            rig.add(&original);
        }
        rig.wait(Duration::from_secs(10));
        let (mut blind, mut forgot) = (false, false);
        for event in &events {
            let is_start = matches!(event, Event::Crash(_) | Event::Fall(..));
            forgot |= matches!(event, Event::Crash(false)) || (is_start && rig.disk.is_some());
            carry_out(&mut rig, event);
            // What falls while nobody watches cannot be told from what somebody deletes.
            blind |= forgot || matches!(event, Event::Deaf(true));
        }
        heal(&mut rig, blind);
        check_operations(&rig);
        // Without the journal nobody knows where a waiting address belongs: it stays, marked as ours.
        prop_assert!(forgot || rig.on_lo().is_empty(), "{:?} is left on lo", rig.on_lo());
        let foreign = rig.foreign();
        if !blind {
            prop_assert!(rig.own().is_empty(), "{:?} is left", rig.own());
            for original in originals() {
                prop_assert!(foreign.contains(&route_text(&original)), "{} is lost: {:?}", route_text(&original), foreign);
            }
        }
        let attempts = rig.asked.len();
        rig.wait(Duration::from_secs(200));
        prop_assert_eq!(rig.asked.len(), attempts, "it has come to rest");
    }
}

/// 200 days, or as many as PROPTEST_CASES says.
fn config() -> ProptestConfig {
    let default = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    if std::env::var_os("PROPTEST_CASES").is_some() {
        default
    } else {
        ProptestConfig { cases: 200, ..default }
    }
}
