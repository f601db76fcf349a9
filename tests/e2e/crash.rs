//! kill -9 at any moment, then a new start: nothing is lost, nothing is left over.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::lab::{EventName, Host, Lab, Loss, Meter, pause_ms, wait_until};

/// Routes that nothing but faild restores when the kernel has taken them with lanA.
const ROUTES: [&str; 3] =
    ["default via 10.77.1.2", "198.51.100.0/24 via 10.77.1.2", "2001:db8::/32 via fd77:1::2"];

fn add_routes(host: &Host) {
    for route in ROUTES {
        host.ip(&format!("route add {route} dev lanA"));
    }
}

/// Those of them that stand.
fn standing(host: &Host) -> Vec<&'static str> {
    let routes = host.foreign_routes().join("\n");
    ROUTES.into_iter().filter(|route| routes.contains(route)).collect()
}

/// The lines of the daemon's journal that count: of several about one thing the last.
fn journal(host: &Host) -> BTreeMap<String, String> {
    let text = fs::read_to_string(host.state_dir().join("journal")).unwrap_or_default();
    let subject = |line: &str| line.split(' ').take(2).collect::<Vec<_>>().join(" ");
    text.lines().map(|line| (subject(line), line.to_owned())).collect()
}

/// Of how many routes over lanA it tells.
fn journalled(host: &Host) -> usize {
    journal(host).values().filter(|line| line.starts_with("routes ") && line.contains("lanA/")).count()
}

fn wait_journalled(host: &Host) {
    wait_until("the journal tells of the routes", Duration::from_secs(20), || {
        journalled(host) >= ROUTES.len()
    });
}

fn wait_restored(host: &Host, when: &str) {
    let what = format!("all routes are back, {when}");
    wait_until(&what, Duration::from_secs(20), || standing(host).len() == ROUTES.len());
}

#[test]
fn a_crash_during_failover_delays_it_at_most() {
    for after_ms in [0, 60, 110, 150, 250] {
        let lab = Lab::new(2, "AB");
        let (h1, h2) = (lab.host(1), lab.host(2));
        let mut daemons = lab.faild_everywhere("-r");
        // What was learned is written down within two seconds; before that a crash forgets the addresses.
        pause_ms(2500);
        lab.cut_lan('A', Loss::Silent);
        pause_ms(after_ms);
        daemons[0].kill();
        daemons[0].restart();
        lab.wait_moved(h1, h2, 'A', 'B');
        lab.heal_lan('A');
        lab.wait_home();
    }
}

#[test]
fn a_restart_adopts_the_overlays_it_finds_and_no_packet_is_lost() {
    let lab = Lab::new(2, "AB");
    let (h1, h2) = (lab.host(1), lab.host(2));
    let mut daemons = lab.faild_everywhere("-r");
    lab.cut_lan('A', Loss::Silent);
    lab.wait_moved(h1, h2, 'A', 'B');
    pause_ms(500);
    let (before, meter) = (h1.overlays(), Meter::on_lan('A', h1, h2));
    for _ in 0..3 {
        daemons[0].kill();
        pause_ms(300);
        assert_eq!(h1.overlays(), before, "a dead daemon's overlays serve on");
        daemons[0].restart();
        pause_ms(700);
        assert_eq!(h1.overlays(), before, "a new daemon keeps what serves");
    }
    meter.finish_unharmed();
    lab.heal_lan('A');
    lab.wait_home();
}

#[test]
fn overlays_of_a_dead_daemon_are_lifted_by_the_next_when_home_has_healed_meanwhile() {
    let lab = Lab::new(2, "AB");
    let (h1, h2) = (lab.host(1), lab.host(2));
    let mut daemons = lab.faild_everywhere("-r");
    lab.cut_lan('A', Loss::Silent);
    lab.wait_moved(h1, h2, 'A', 'B');
    daemons.iter_mut().for_each(|daemon| daemon.kill());
    lab.heal_lan('A');
    pause_ms(300);
    let meter = Meter::on_lan('A', h1, h2);
    daemons.iter_mut().for_each(|daemon| daemon.restart());
    lab.wait_home();
    pause_ms(200);
    meter.finish_unharmed();
}

/// Host 2 runs no faild, and nothing was saved of it. Its kernel answers ARP on both LANs.
#[test]
fn an_overlay_whose_address_no_known_host_has_is_removed_once_that_answers_at_home() {
    let lab = Lab::new(2, "AB");
    let h1 = lab.host(1);
    h1.ip("route add 10.77.1.2/32 via 10.77.2.2 dev lanB proto 250");
    lab.cut_lan('A', Loss::Silent);
    let daemon = h1.faild("-r");
    pause_ms(4000);
    assert_eq!(h1.overlays().len(), 1, "it may be the only way that works");
    lab.heal_lan('A');
    daemon.wait_event(EventName::OverlayUnclaimed, &["address=10.77.1.2", "cause=home-answers"]);
    wait_until("the overlay is gone", Duration::from_secs(20), || h1.overlays().is_empty());
}

#[test]
fn routes_that_the_kernel_takes_around_the_instant_of_the_kill_come_back() {
    let lab = Lab::new(2, "AB");
    let h1 = lab.host(1);
    add_routes(h1);
    let mut daemon = h1.faild("-r");
    for after_ms in [0, 1, 2, 5, 10, 20, 50, 150] {
        wait_journalled(h1);
        std::thread::scope(|scope| {
            scope.spawn(|| h1.ip("link set lanA down"));
            pause_ms(after_ms);
            daemon.kill();
        });
        daemon.restart();
        daemon.wait_event(EventName::Ready, &[]);
        assert!(standing(h1).is_empty());
        h1.ip("link set lanA up");
        wait_restored(h1, &format!("killed {after_ms} ms after it began"));
    }
}

#[test]
fn routes_come_back_that_went_before_the_daemon_could_read_of_it() {
    let lab = Lab::new(2, "AB");
    let h1 = lab.host(1);
    add_routes(h1);
    let mut daemon = h1.faild("-r");
    for bounces in [false, true] {
        wait_journalled(h1);
        daemon.signal(Signal::SIGSTOP);
        h1.ip("link set lanA down");
        if bounces {
            h1.ip("link set lanA up");
        }
        daemon.kill();
        daemon.restart();
        daemon.wait_event(EventName::Ready, &[]);
        if !bounces {
            h1.ip("link set lanA up");
        }
        wait_restored(h1, &format!("up again before the start: {bounces}"));
    }
}

#[test]
fn a_route_that_is_learned_and_taken_at_once_comes_back() {
    let lab = Lab::new(2, "AB");
    let h1 = lab.host(1);
    let mut daemon = h1.faild("-r");
    daemon.wait_event(EventName::Ready, &[]);
    add_routes(h1);
    wait_journalled(h1);
    h1.ip("link set lanA down");
    daemon.kill();
    h1.ip("link set lanA up");
    daemon.restart();
    wait_restored(h1, "learned a moment before");
}

#[test]
fn a_route_that_is_deleted_while_no_daemon_runs_stays_deleted() {
    let lab = Lab::new(2, "AB");
    let h1 = lab.host(1);
    add_routes(h1);
    let mut daemon = h1.faild("-r");
    wait_journalled(h1);
    wait_until("lanA's past is noted", Duration::from_secs(20), || {
        journal(h1).get("interface lanA").is_some_and(|line| !line.starts_with("interface lanA -"))
    });
    daemon.kill();
    h1.ip("route del 198.51.100.0/24");
    h1.ip("-6 route del 2001:db8::/32");
    // The carrier goes and comes; the interface stays up.
    lab.carrier_off(h1, 'A');
    lab.carrier_on(h1, 'A');
    daemon.restart();
    daemon.wait_event(EventName::Ready, &[]);
    wait_until("the journal has forgotten them", Duration::from_secs(20), || journalled(h1) == 1);
    // After an orderly end nothing comes back, whatever happens.
    daemon.terminate();
    h1.ip("route del default");
    h1.ip("link set lanA down");
    h1.ip("link set lanA up");
    daemon.restart();
    daemon.wait_event(EventName::Ready, &[]);
    pause_ms(3000);
    assert_eq!(standing(h1), [""; 0]);
}

#[test]
fn a_journal_that_cannot_be_written_stops_no_failover_and_status_tells() {
    let lab = Lab::new(2, "AB");
    let (h1, h2) = (lab.host(1), lab.host(2));
    let daemons = lab.faild_everywhere("-r");
    h1.wait_faildctl("status", &["faild:  ok"]);
    let journal = h1.state_dir().join("journal");
    fs::remove_file(&journal).expect("there is a journal");
    fs::create_dir(&journal).expect("its place is free");
    h1.ip("link set lanA down");
    h1.wait_way('B', h2.v4('A'));
    h1.wait_way('B', h2.v6('A'));
    h1.wait_faildctl("status", &["faild:  degraded", "cannot write the journal"]);
    daemons[0].wait_event(EventName::JournalWriteFailed, &["error=", "fix="]);
    let is_parked = || h1.ip("-6 addr show dev lo").contains(&h1.v6('A').to_string());
    assert!(!is_parked());
    fs::remove_dir(&journal).expect("it is empty");
    daemons[0].wait_event(EventName::JournalWriteOk, &[]);
    wait_until("the address is parked", Duration::from_secs(20), is_parked);
    h1.ip("link set lanA up");
    lab.wait_home();
    h1.wait_faildctl("status", &["faild:  ok"]);
}
