//! Starting: it detaches only when it is ready, and finds its LANs by itself.

use std::fs;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::lab::{EventName, Lab, Loss, wait_until};

#[test]
fn it_detaches_when_it_is_ready_and_writes_its_pid() {
    let lab = Lab::new(1, "AB");
    let h1 = lab.host(1);
    let pid_file = h1.file("pid");
    let (state, log) = (h1.state_dir(), h1.file("faild.log"));
    let flags = format!(
        "-r -d --pid-file {} --state-dir {} -l {}",
        pid_file.display(),
        state.display(),
        log.display()
    );
    let parent = h1.run_faild(&flags);
    assert_eq!(parent.code, Some(0), "{}", parent.errors);
    let pid: i32 = fs::read_to_string(&pid_file).expect("no pid file").trim().parse().expect("no pid in it");
    kill(Pid::from_raw(pid), Signal::SIGTERM).expect("the daemon is gone");
    // faild may not remove it where only root may write, and empties it then.
    wait_until("the pid file says nothing", Duration::from_secs(15), || {
        fs::read_to_string(&pid_file).unwrap_or_default().is_empty()
    });
}

#[test]
fn a_daemon_that_cannot_start_says_so_before_it_detaches() {
    let lab = Lab::new(1, "AB");
    let h1 = lab.host(1);
    let refused = h1.run_faild("-r -d -l /nowhere/faild.log");
    assert_ne!(refused.code, Some(0));
    assert!(refused.errors.contains("/nowhere/faild.log"), "{}", refused.errors);
}

#[test]
fn it_chooses_its_lans_by_itself_and_logs_why() {
    let lab = Lab::new(2, "AB");
    let (h1, h2) = (lab.host(1), lab.host(2));
    h1.ip("link add br0 type bridge");
    h1.ip("link set br0 up");
    let daemons = [h1, h2].map(|host| host.faild_with("-r -t 50ms -f 2 -s 5"));
    lab.settle(&daemons);
    for interface in ["lanA", "lanB", "lo", "br0"] {
        daemons[0].wait_log(&[interface]);
    }
    lab.cut_lan('A', Loss::Silent);
    lab.wait_moved(h1, h2, 'A', 'B');
}

#[test]
fn it_warns_of_a_default_route_by_a_lan_that_nobody_named() {
    let lab = Lab::new(2, "AB");
    let (h1, h2) = (lab.host(1), lab.host(2));
    for host in [h1, h2] {
        host.ip("route add default via 10.77.1.254 dev lanA");
    }
    let (chosen, named) = (h1.faild_with("-r"), h2.faild("-r"));
    let warning = chosen.wait_event(EventName::DefaultRouteOnLan, &["interface=lanA"]);
    assert!(warning.contains("-x lanA,"), "{warning}");
    h1.ip("-6 route add default via fd77:2::fe dev lanB");
    chosen.wait_event(EventName::DefaultRouteOnLan, &["interface=lanB"]);
    named.dump_state();
    for (daemon, warnings) in [(chosen, 2), (named, 0)] {
        assert_eq!(daemon.told(EventName::DefaultRouteOnLan).len(), warnings, "{}", daemon.log());
    }
}
