//! What is told of settings that cannot work, and that the examples do.

use std::fs;
use std::time::Duration;

use super::DETECTION;
use crate::lab::grouped::{BEYOND, Grouped, Made, NEIGHBOUR, group};
use crate::lab::{Daemon, EventName, wait_until};

#[test]
fn two_interfaces_of_one_subnet_are_refused_outside_a_group() {
    let lab = Grouped::pair();
    let here = lab.here();
    let overlap = "eth0 (192.0.2.20/24) and eth1 (192.0.2.21/24) overlap";
    let one = "[[group]]\nname = \"a\"\nmembers = [{ interface = \"eth0\" }, { interface = \"eth9\" }]\n";
    let two = "[[group]]\nname = \"b\"\nmembers = [{ interface = \"eth1\" }, { interface = \"eth8\" }]\n";
    let lans = "[[lan]]\ninterface = \"eth0\"\n[[lan]]\ninterface = \"eth1\"\n";
    for settings in [lans.to_owned(), format!("{one}{two}")] {
        let flags = here.configure(&settings);
        let state = here.state_dir();
        let ended = here.run_faild(&format!("--state-dir {} {flags}", state.display()));
        assert_eq!(ended.code, Some(78), "{}", ended.errors);
        assert!(ended.errors.contains(overlap), "{}", ended.errors);
        assert!(ended.errors.contains("or put both in one [[group]]"), "{}", ended.errors);
    }
}

#[test]
fn settings_of_the_kernel_that_make_probes_lie_are_told() {
    let lab = Grouped::pair();
    lab.here().sysctl("net.ipv4.conf.all.arp_ignore=0 net.ipv4.conf.eth1.rp_filter=1");
    let daemon = lab.here().faild_with(&lab.here().configure(&group(2, DETECTION, "")));
    daemon.wait_event(
        EventName::SysctlUnsuitable,
        &["interface=eth1 ", "rp_filter", "net.ipv4.conf.eth1.rp_filter=2"],
    );
    for interface in ["eth0", "eth1"] {
        let mend = format!("net.ipv4.conf.{interface}.arp_ignore=1");
        daemon.wait_event(
            EventName::SysctlUnsuitable,
            &[&format!("interface={interface} "), "arp_ignore", &mend],
        );
    }
}

/// A file of `examples/config`, with detection in the time of the tests.
fn example(name: &str, detection_time: &str) -> String {
    let path = format!("{}/examples/config/{name}", env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(path).expect("cannot read the example");
    let line = format!("detection-time = \"{detection_time}\"");
    assert_eq!(text.matches(&line).count(), 1, "{name} has another detection time");
    text.replace(&line, &format!("detection-time = \"{}ms\"", DETECTION.as_millis()))
}

/// But for what is said of an interface that is down, and of real-time priority in a container that forbids it.
fn assert_no_warning(daemon: &Daemon<'_>) {
    let log = daemon.log();
    let is_warning = |line: &&str| line.contains(" warn ") || line.contains(" error ");
    let is_known = |line: &&str| {
        ["mgmt0", "realtime-failed", "memory-lock-failed"].iter().any(|word| line.contains(word))
    };
    let warnings: Vec<&str> = log.lines().filter(is_warning).filter(|line| !is_known(line)).collect();
    assert_eq!(warnings, [""; 0]);
}

#[test]
fn the_example_of_two_works_as_it_says() {
    let lab = Grouped::pair();
    let daemon = lab.start(&example("group.toml", "10s"));
    assert_no_warning(&daemon);
    lab.silence(0);
    lab.wait_by(1, &[BEYOND, NEIGHBOUR]);
    lab.unsilence(0);
    lab.wait_by(0, &[BEYOND, NEIGHBOUR]);
    lab.here().wait_home();
}

#[test]
fn the_example_with_a_standby_works_as_it_says() {
    let lab = Grouped::new(&[Made::Ready, Made::Ready, Made::Ready]);
    let here = lab.here();
    here.ip("link add mgmt0 type veth peer name mgmt0p");
    let daemon = lab.start(&example("group-standby.toml", "1s"));
    assert_no_warning(&daemon);
    lab.silence(0);
    lab.wait_by(2, &[BEYOND, NEIGHBOUR]);
    lab.unsilence(0);
    daemon.wait_event(EventName::InterfaceRepaired, &["interface=eth0 ", "active=false"]);
    lab.wait_by(2, &[BEYOND, NEIGHBOUR]);
    // An interface whose bring-up = false is left as it is, one without a name is only watched.
    assert!(here.ip("-o link show mgmt0").contains("state DOWN"));
    here.ip("link set mgmt0p up");
    here.ip("link set mgmt0 up");
    daemon.wait_event(EventName::InterfaceRepaired, &["interface=mgmt0 ", "group=-"]);
}

#[test]
fn the_example_of_everything_has_a_group_that_works() {
    let lab = Grouped::new(&[Made::Bare, Made::Bare]);
    let (here, other) = (lab.here(), lab.other());
    other.ip("addr add 10.0.9.1/24 dev lan0");
    other.ip("addr add 10.0.9.2/24 dev lan0");
    for number in 0..2 {
        here.ip(&format!("link set eth{number} down"));
        here.ip(&format!("link set eth{number} name san{number}"));
        here.ip(&format!("link set san{number} up"));
        here.ip(&format!("addr add 10.0.9.2{number}/24 dev san{number}"));
    }
    let others = ["lan0 10.0.0.9", "lan1 10.0.1.9", "wan0 192.0.2.10", "wan1 198.51.100.10", "ppp0 10.9.9.9"];
    for (name, address) in others.iter().filter_map(|other| other.split_once(' ')) {
        here.ip(&format!("link add {name} type veth peer name {name}p"));
        here.ip(&format!("link set {name}p up"));
        here.ip(&format!("link set {name} up"));
        here.ip(&format!("addr add {address}/24 dev {name}"));
    }
    let daemon = here.faild_with(&here.configure(&example("lans-and-uplinks.toml", "2s")));
    let wait_by = |interface: &str| {
        wait_until(&format!("storage is reached by {interface}"), Duration::from_secs(20), || {
            lab.way("10.0.9.1").0 == interface
        });
    };
    lab.wait_answers();
    wait_by("san0");
    lab.silence(0);
    daemon.wait_event(EventName::GroupFailover, &["interface=san0 ", "group=storage", "to=san1"]);
    wait_by("san1");
    lab.unsilence(0);
    daemon.wait_event(EventName::GroupFailback, &["interface=san0 "]);
    wait_by("san0");
}
