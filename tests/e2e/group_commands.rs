//! The commands that show groups and destinations and take interfaces out of service; those of Solaris among them.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use crate::lab::control::{Answer, FAILDCTL};
use crate::lab::{EventName, Host, Lab, Loss, ROUTER, pause_ms, wait_until};

/// One of `scripts/compat` as somebody has it in his PATH, but with the state directory of the test.
fn compat(host: &Host, line: &str) -> Answer {
    let program = host.file("faildctl");
    let text = format!("#!/bin/sh\nexec {FAILDCTL} --state-dir {} \"$@\"\n", host.state_dir().display());
    fs::write(&program, text).expect("cannot write the script");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("cannot make it a program");
    let scripts = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/compat");
    let output = host.sh(&format!("FAILDCTL={} timeout 20 {scripts}/{line}", program.display()));
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Answer { code: output.status.code(), text: text(output.stdout), errors: text(output.stderr) }
}

/// Waits until the group is as ipmpstat shows it.
#[track_caller]
fn wait_group(host: &Host, row: &str) {
    host.wait_faildctl("ipmpstat -g", &[row]);
}

const ALL_WELL: &str = "lan0        lan0        ok        1.00s     eth0 eth1 (eth2)\n";

/// The commands that a plan names, sorted.
fn planned(host: &Host, fail: &str) -> Vec<String> {
    let answer = host.faildctl(&format!("plan --fail {fail}"));
    assert_eq!(answer.code, Some(0), "{answer:?}");
    let commands =
        answer.text.lines().filter_map(|line| line.find(" ip ").map(|at| line[at + 1..].to_owned()));
    let mut commands: Vec<String> = commands.collect();
    commands.sort();
    assert!(!commands.is_empty(), "{answer:?}");
    commands
}

#[test]
fn if_mpadm_and_ipmpstat_do_what_people_know() {
    let lab = Lab::new(2, "A");
    let h1 = lab.host(1);
    let settings = lab.add_group();
    let _daemon = h1.faild(&h1.configure(&settings));
    wait_group(h1, ALL_WELL);
    let detached = compat(h1, "if_mpadm -d eth0");
    assert_eq!((detached.code, detached.errors.as_str()), (Some(0), ""), "{detached:?}");
    wait_group(h1, "lan0        lan0        degraded  1.00s     eth1 eth2 [eth0]\n");
    wait_until("traffic leaves eth0", Duration::from_secs(15), || {
        h1.way_to(ROUTER).is_some_and(|way| way != "eth0")
    });
    let status = h1.faildctl("status");
    assert_eq!(status.code, Some(1), "{status:?}");
    assert!(status.text.contains("group lan0 degraded: eth0 is offline until further notice"), "{status:?}");
    assert_eq!(compat(h1, "if_mpadm -d eth1").code, Some(0), "the standby is left");
    for (line, words) in [
        ("if_mpadm -d eth0", "if_mpadm: fatal: cannot offline eth0: already offline\n"),
        ("if_mpadm -r eth2", "if_mpadm: fatal: cannot online eth2: not offline\n"),
        (
            "if_mpadm -d eth2",
            "if_mpadm: fatal: cannot offline eth2: no other functioning interface in its group\n",
        ),
        ("if_mpadm -d lanA", "if_mpadm: fatal: cannot offline lanA: not an interface of a group\n"),
    ] {
        let refused = compat(h1, line);
        assert_eq!((refused.code, refused.errors.as_str()), (Some(1), words), "{refused:?}");
    }
    let refused = h1.faildctl("offline eth2");
    assert!(refused.code == Some(1) && refused.errors.contains("no other usable interface"), "{refused:?}");
    let interfaces = compat(h1, "ipmpstat -iP -o interface,active,flags,state");
    assert_eq!(
        interfaces.text, "eth0:no:-------:offline\neth1:no:-------:offline\neth2:yes:-s-----:ok\n",
        "{interfaces:?}"
    );
    assert_eq!(compat(h1, "if_mpadm -r eth0").code, Some(0));
    assert_eq!(compat(h1, "if_mpadm -r eth1").code, Some(0));
    wait_group(h1, ALL_WELL);
    let targets = compat(h1, "ipmpstat -tn").text;
    assert!(targets.contains("eth0        routes    192.0.2.11          192.0.2.1"), "{targets}");
    let fatal = compat(h1, "ipmpstat -gP");
    assert!(fatal.code == Some(1) && fatal.errors.starts_with("ipmpstat: fatal: "), "{fatal:?}");
}

#[test]
fn probes_are_followed_and_a_dead_interface_is_explained() {
    let lab = Lab::new(2, "A");
    let h1 = lab.host(1);
    let settings = lab.add_group();
    let _daemon = h1.faild(&h1.configure(&settings));
    wait_group(h1, ALL_WELL);
    let follow =
        h1.sh(&format!("timeout 3 {FAILDCTL} --state-dir {} ipmpstat -pn", h1.state_dir().display()));
    let rows = String::from_utf8_lossy(&follow.stdout).into_owned();
    assert!(
        rows.starts_with("TIME      INTERFACE   PROBE  NETRTT    RTT       RTTAVG    TARGET\n"),
        "{rows}"
    );
    for interface in ["eth0", "eth1", "eth2"] {
        assert!(rows.lines().any(|row| row.contains(interface) && row.ends_with("192.0.2.1")), "{rows}");
    }
    lab.set_group_port(0, "down");
    let why = h1.wait_faildctl(&format!("why {ROUTER}"), &["eth0 has failed; eth2 has taken over"]);
    assert!(why.text.contains("group:") && why.text.contains("lan0"), "{why:?}");
    wait_group(h1, "lan0        lan0        degraded  1.00s     eth1 eth2 [eth0]\n");
    let groups = h1.faildctl("groups --json").text;
    let groups: serde_json::Value = serde_json::from_str(&groups).expect("no JSON");
    assert_eq!(groups["groups"][0]["members"][0]["taken_over_by"], "eth2", "{groups}");
}

#[test]
fn an_interface_of_a_group_stays_away_over_a_kill_and_comes_back_in_time() {
    let lab = Lab::new(2, "A");
    let h1 = lab.host(1);
    let settings = lab.add_group();
    let mut daemon = h1.faild(&h1.configure(&settings));
    wait_group(h1, ALL_WELL);
    assert_eq!(h1.faildctl("offline eth0 --for 5s --reason new-switch").code, Some(0));
    wait_group(h1, "eth1 eth2 [eth0]\n");
    daemon.kill();
    daemon.restart();
    daemon.wait_event(
        EventName::InterfaceOffline,
        &["interface=eth0", "reason=\"new-switch\"", "cause=restart"],
    );
    wait_group(h1, "eth1 eth2 [eth0]\n");
    daemon.wait_event(EventName::InterfaceOnline, &["interface=eth0 cause=expired"]);
    wait_group(h1, ALL_WELL);
}

#[test]
fn hooks_are_told_of_a_group_and_of_a_destination() {
    let lab = Lab::new(2, "AB");
    let (h1, h2) = (lab.host(1), lab.host(2));
    let told = h1.file("told");
    let hook = h1.file("hook");
    let words = "$FAILD_EVENT ${FAILD_GROUP-} ${FAILD_INTERFACE-} ${FAILD_DESTINATION-}";
    let text = format!("#!/bin/sh\necho \"{words}\" >>{}\n", told.display());
    fs::write(&hook, text).expect("cannot write the hook");
    fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).expect("cannot make it a program");
    fs::write(&told, "").expect("cannot write");
    fs::set_permissions(&told, fs::Permissions::from_mode(0o666)).expect("cannot open it to all");
    let route = format!(
        "[[route]]\ndestination = \"198.51.100.0/24\"\ninterval = \"50ms\"\ngood = 3\nnext-hops = [\n\
         {{ interface = \"lanB\", via = \"{}\" }},\n{{ interface = \"lanA\", via = \"{}\" }},\n]\n",
        h2.v4('B'),
        h2.v4('A')
    );
    let hooks = format!("[[hook]]\ncommand = [\"{}\"]\n", hook.display());
    let _daemon = h1.faild(&h1.configure(&format!("{}{route}{hooks}", lab.add_group())));
    wait_group(h1, ALL_WELL);
    h1.wait_faildctl("routes", &["the first choice is in use: lanB"]);
    let wait_told = |line: &str| {
        wait_until(&format!("the hook is told {line:?}"), Duration::from_secs(20), || {
            fs::read_to_string(&told).unwrap_or_default().lines().any(|told| told == line)
        });
    };
    wait_until("faild has looked once, 20 ms after its start", Duration::from_secs(10), || {
        let status: serde_json::Value =
            serde_json::from_str(&h1.faildctl("status --json").text).unwrap_or_default();
        status["status"]["uptime_ms"].as_u64().is_some_and(|uptime| uptime > 200)
    });
    lab.set_group_port(0, "down");
    wait_told(&format!("{} lan0 eth0 ", EventName::InterfaceFailed));
    wait_told("group-degraded lan0  ");
    lab.cut(h2, 'B', Loss::Silent);
    wait_told(&format!("{}   198.51.100.0/24", EventName::RouteFailover));
    lab.heal(h2, 'B');
    lab.set_group_port(0, "up");
    wait_told(&format!("{} lan0 eth0 ", EventName::InterfaceRepaired));
    wait_told("group-ok lan0  ");
    wait_told("route-failback   198.51.100.0/24");
}

#[test]
fn the_loss_of_an_interface_of_a_group_leads_to_what_was_planned() {
    let lab = Lab::alone(2, "A");
    let h1 = lab.host(1);
    let settings = lab.add_group();
    let daemon = h1.faild(&format!("-v {}", h1.configure(&settings)));
    wait_group(h1, ALL_WELL);
    let plan = planned(h1, "eth0");
    assert!(plan.iter().any(|c| c.contains("203.0.113.0/24") && c.contains("dev eth2")), "{plan:#?}");
    let from = daemon.log().len();
    lab.set_group_port(0, "down");
    wait_group(h1, "lan0        lan0        degraded  1.00s     eth1 eth2 [eth0]\n");
    pause_ms(500);
    assert_eq!(daemon.commands_done(from), plan);
}

#[test]
fn the_silence_of_a_gateway_leads_to_what_was_planned() {
    let lab = Lab::alone(2, "AB");
    let (h1, h2) = (lab.host(1), lab.host(2));
    let settings = format!(
        "[[route]]\ndestination = \"203.0.113.0/24\"\ninterval = \"50ms\"\ngood = 3\nnext-hops = [\n\
         {{ interface = \"lanA\", via = \"{}\" }},\n{{ interface = \"lanB\", via = \"{}\" }},\n]\n",
        h2.v4('A'),
        h2.v4('B')
    );
    let daemon = h1.faild(&format!("-v {}", h1.configure(&settings)));
    h1.wait_faildctl("routes", &["203.0.113.0/24: the first choice is in use: lanA", "overlay:"]);
    pause_ms(500);
    let (plan, spare) = (planned(h1, "10.77.1.2"), h1.faildctl("plan --fail 10.77.2.2"));
    assert!(spare.text.contains("no change"), "nothing uses it: {spare:?}");
    let from = daemon.log().len();
    lab.cut(h2, 'A', Loss::Silent);
    h1.wait_faildctl("status", &["203.0.113.0/24: lanA via 10.77.1.2: its gateway does not answer ARP"]);
    h1.wait_faildctl("why 203.0.113.7", &["rule:", "through lanB via 10.77.2.2"]);
    pause_ms(500);
    assert_eq!(daemon.commands_done(from), plan);
    let refused = h1.faildctl("offline lanB");
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.errors.contains("the only working next hop of 203.0.113.0/24"), "{refused:?}");
}
