//! Packets that nobody should have sent: nothing moves, nothing breaks, and the counters tell. Files and links that
//! another user has put where faild reads and writes: it starts all the same, or refuses in one line.

use std::fs;
use std::net::Ipv4Addr;
use std::os::unix::fs::{chown, lchown, symlink};
use std::os::unix::net::UnixListener;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::time::Duration;

use nix::sys::signal::Signal;
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;

use crate::lab::{EventName, FAILD, Host, Lab, Loss, Meter, Probe, Watch, pause_ms, record, wait_until};

/// Puts something in the place of a file.
type Put = fn(&Path);

#[test]
fn whatever_is_in_the_place_of_its_files_is_set_aside_and_it_starts() {
    let lab = Lab::new(1, "AB");
    let h1 = lab.host(1);
    let at = |name: &str| h1.state_dir().join(name);
    let put: [(&str, Put); 5] = [
        ("a pipe", |path| mkfifo(path, Mode::S_IRWXU).expect("cannot make a pipe")),
        ("a directory", |path| fs::create_dir(path).expect("cannot make a directory")),
        ("a socket", |path| drop(UnixListener::bind(path).expect("cannot make a socket"))),
        ("a symbolic link", |path| symlink("/dev/zero", path).expect("cannot make a link")),
        ("longer than", |path| fs::File::create(path).unwrap().set_len(1 << 40).expect("no sparse files")),
    ];
    fs::create_dir(h1.state_dir()).expect("cannot make the state directory");
    for (what, put) in put {
        for name in FILES {
            put(&at(name));
        }
        fs::write(h1.file("log"), "").expect("cannot empty the log");
        let mut daemon = h1.faild("-r");
        daemon.wait_event(EventName::Ready, &[]);
        for name in FILES {
            let line = daemon.wait_log(&["-unreadable ", name, what]);
            assert!(!line.contains("saved-as=nothing"), "{line}");
        }
        assert!(daemon.terminate().success());
        for entry in fs::read_dir(h1.state_dir()).expect("no state directory").flatten() {
            let path = entry.path();
            let _ = if path.is_dir() { fs::remove_dir(path) } else { fs::remove_file(path) };
        }
    }
}

#[test]
fn a_start_that_waits_can_be_ended() {
    let lab = Lab::new(1, "AB");
    let h1 = lab.host(1);
    let pipe = h1.file("pipe");
    mkfifo(&pipe, Mode::S_IRWXU).expect("cannot make a pipe");
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let mut daemon = h1.faild_with(&format!("-r -c {}", pipe.display()));
        let (name, files) = (format!("/proc/{}/comm", daemon.pid()), format!("/proc/{}/fd", daemon.pid()));
        wait_until("it waits for the pipe", Duration::from_secs(15), || {
            let open = || {
                fs::read_dir(&files)
                    .ok()?
                    .flatten()
                    .find(|f| fs::read_link(f.path()).is_ok_and(|t| t == pipe))
            };
            fs::read_to_string(&name).is_ok_and(|name| name.trim() == "faild") && open().is_some()
        });
        daemon.signal(signal);
        assert_eq!(daemon.wait().signal(), Some(signal as i32));
    }
    // As the first process of a container, which the kernel shields from signals that it does not handle.
    let ended = h1.sh(&format!(
        "unshare --pid --fork --kill-child {FAILD} -r -c {} & sleep 1; kill $(pgrep -P $!); wait $!",
        pipe.display()
    ));
    assert_eq!(ended.status.code(), Some(143), "{}", String::from_utf8_lossy(&ended.stderr));
}

#[test]
fn root_is_led_nowhere_by_links_and_directories_of_others() {
    let lab = Lab::new(1, "AB");
    let h1 = lab.host(1);
    let (theirs, victim) = (h1.file("theirs"), h1.file("victim"));
    for directory in [&theirs, &victim] {
        fs::create_dir(directory).expect("cannot make a directory");
    }
    chown(&theirs, Some(ATTACKER), Some(ATTACKER)).expect("cannot chown");
    let at = |name: &str| h1.file(name);
    for (name, target) in [("log", "victim/new"), ("state", "victim"), ("pid", "victim/new")] {
        let link = at(&format!("link-{name}"));
        symlink(at(target), &link).expect("cannot make a link");
        lchown(&link, Some(ATTACKER), Some(ATTACKER)).expect("cannot chown");
    }
    let path = |name: &str| at(name).display().to_string();
    let state = path("state");
    for (flags, word) in [
        (format!("-l {} --state-dir {state}", path("link-log")), "symbolic link"),
        (format!("-l {} --state-dir {state}", path("theirs/log")), "belongs to user"),
        (format!("--state-dir {}", path("link-state")), "symbolic link"),
        (format!("--state-dir {}", path("link-state/deeper")), "symbolic link"),
        (format!("--state-dir {}", path("theirs/state")), "belongs to user"),
        (format!("--pid-file {} --state-dir {state}", path("link-pid")), "regular file"),
        (format!("--pid-file {} --state-dir {state}", path("theirs/pid")), "belongs to user"),
    ] {
        for more in ["", "--user root", "--check"] {
            let refused = h1.run_faild(&format!("-r -i lanA -i lanB {more} {flags}"));
            let errors =
                refused.errors.lines().filter(|line| !line.contains(" info ") && !line.contains(" warn "));
            let errors: Vec<&str> = errors.collect();
            assert_eq!(refused.code, Some(1), "{flags}: {errors:?}");
            assert!(errors.len() == 1 && errors[0].contains(word), "{flags}: {errors:?}");
            for directory in [&theirs, &victim] {
                let made = fs::read_dir(directory).expect("it is gone").count();
                assert_eq!(made, 0, "{flags} made something in {}", directory.display());
            }
        }
    }
}

/// Where another user put it.
const ATTACKER: u32 = 12_345;

/// What faild keeps in its state directory.
const FILES: [&str; 4] = ["state.toml", "journal", "offline.toml", "unconfirmed.toml"];

#[test]
fn recorded_packets_that_are_sent_again_change_nothing() {
    assert_harmless(|recorded| {
        let again = |probe: &Probe| [probe.clone(), probe.clone()];
        recorded.iter().flat_map(again).collect()
    });
}

#[test]
fn truncated_and_lengthened_packets_change_nothing() {
    assert_harmless(|recorded| {
        let probe = recorded.iter().max_by_key(|probe| probe.payload.len()).expect("nothing was recorded");
        let cut = (0..probe.payload.len()).map(|length| with(probe, |payload| payload.truncate(length)));
        let long = [probe.payload.len() + 1, 1200, 1201, 1472]
            .map(|length| with(probe, |payload| payload.resize(length, 0)));
        cut.chain(long).collect()
    });
}

#[test]
fn packets_with_any_byte_changed_change_nothing_where_there_is_a_key() {
    assert_harmless_to(|host| format!("-r {}", host.configure_keys(&[1])), with_any_byte_changed);
}

/// Without keys whoever is on a LAN can do to faild on that LAN what he can do by ARP: here he does, and no more.
#[test]
fn packets_with_any_byte_changed_do_no_lasting_harm_where_there_is_no_key() {
    let lab = Lab::new(3, "AB");
    let (h1, h2, attacker) = (lab.host(1), lab.host(2), lab.host(3));
    let mut daemons = [h1.faild("-r"), h2.faild("-r")];
    lab.settle(&daemons);
    let recorded = record(lab.switch(), Duration::from_millis(300));
    let on_b = Meter::on_lan('B', h1, h2);
    for probe in with_any_byte_changed(&recorded) {
        probe.send(attacker, 'A');
    }
    pause_ms(500);
    assert!(daemons.iter_mut().all(|daemon| daemon.is_running()));
    on_b.finish_unharmed();
    lab.wait_home();
    lab.settle(&daemons);
    lab.cut_lan('A', Loss::Silent);
    lab.wait_moved(h1, h2, 'A', 'B');
}

#[test]
fn packets_from_beyond_a_router_or_from_nowhere_change_nothing() {
    assert_harmless(|recorded| {
        let far = recorded.iter().map(|probe| Probe { ttl: 254, ..probe.clone() });
        let sources = [[10, 77, 1, 255], [255; 4], [127, 0, 0, 1], [224, 0, 0, 1], [192, 0, 2, 7], [0; 4]];
        let strange = sources.into_iter().flat_map(|source| {
            recorded
                .iter()
                .take(3)
                .map(move |probe| Probe { source: Ipv4Addr::from(source), ..probe.clone() })
        });
        far.chain(strange).collect()
    });
}

#[test]
fn a_flood_of_strangers_does_not_keep_neighbours_from_each_other() {
    let lab = Lab::new(3, "AB");
    let (h1, h2, attacker) = (lab.host(1), lab.host(2), lab.host(3));
    let daemons = [h1.faild("-r"), h2.faild("-r")];
    lab.settle(&daemons);
    let Some(inquiry) = record(lab.switch(), Duration::from_millis(300)).pop() else { panic!("no probes") };
    let watches = lab.watch();
    for number in 0..2000_u16 {
        // A node id of its own for each: bytes 8 to 15 of the header.
        let stranger = with(&inquiry, |payload| {
            for (place, byte) in payload.iter_mut().skip(5).take(43).enumerate() {
                *byte ^= number.to_be_bytes()[place % 2];
            }
        });
        let source = Ipv4Addr::new(10, 77, 1, 100 + u8::try_from(number % 100).unwrap_or_default());
        Probe { source, ..stranger }.send(attacker, 'A');
    }
    watches.iter().for_each(Watch::assert_nothing_moved);
    drop(watches);
    lab.cut(h2, 'A', Loss::Silent);
    lab.wait_moved(h1, h2, 'A', 'B');
}

fn with_any_byte_changed(recorded: &[Probe]) -> Vec<Probe> {
    let flipped = recorded
        .iter()
        .take(8)
        .flat_map(|probe| (0..probe.payload.len()).map(|at| with(probe, |payload| payload[at] ^= 0xff)));
    flipped.collect()
}

/// Runs two hosts and a third without faild, which sends what is `made` from recorded probes on both LANs.
fn assert_harmless(made: impl FnOnce(&[Probe]) -> Vec<Probe>) {
    assert_harmless_to(|_| "-r".to_owned(), made);
}

fn assert_harmless_to(flags: impl Fn(&Host) -> String, made: impl FnOnce(&[Probe]) -> Vec<Probe>) {
    let lab = Lab::new(3, "AB");
    let (h1, h2, attacker) = (lab.host(1), lab.host(2), lab.host(3));
    let mut daemons = [h1, h2].map(|host| host.faild(&flags(host)));
    lab.settle(&daemons);
    let recorded = record(lab.switch(), Duration::from_millis(300));
    assert!(recorded.len() > 10, "only {} probes in 300 ms", recorded.len());
    let (watches, before) = (lab.watch(), daemons[0].dropped() + daemons[1].dropped());
    let meter = Meter::on_lan('A', h1, h2);
    for probe in made(&recorded) {
        ['A', 'B'].iter().for_each(|lan| probe.send(attacker, *lan));
    }
    pause_ms(500);
    meter.finish_unharmed();
    watches.iter().for_each(Watch::assert_nothing_moved);
    assert!(daemons.iter_mut().all(|daemon| daemon.is_running()));
    let after = daemons[0].dropped() + daemons[1].dropped();
    assert!(after > before, "{before} packets dropped before, {after} after");
    // And a real fault is still seen.
    lab.cut_lan('A', Loss::Silent);
    lab.wait_moved(h1, h2, 'A', 'B');
}

fn with(probe: &Probe, change: impl FnOnce(&mut Vec<u8>)) -> Probe {
    let mut changed = probe.clone();
    change(&mut changed.payload);
    changed
}
