//! `--check` on a host: what a start would warn of, and nothing changed.

use crate::lab::{EventName, Lab, is_event};

#[test]
fn check_tells_what_a_start_would_warn_of() {
    let lab = Lab::new(1, "AB");
    let h1 = lab.host(1);
    assert_eq!(warnings(&lab, "-r -i lanA -i lanB"), [""; 0]);
    h1.sysctl("net.ipv4.conf.lanA.rp_filter=1 net.ipv4.conf.all.arp_announce=0");
    h1.ip("link set lanA address 02:00:00:00:00:07");
    h1.ip("link set lanB address 02:00:00:00:00:07");
    h1.ip("link add twin type veth peer name other");
    h1.ip("link set twin up");
    h1.ip("addr add 10.77.1.77/24 dev twin");
    h1.ip("route add default via 10.77.2.254 dev lanB");
    let told = warnings(&lab, "-r");
    let expected = [
        (
            EventName::SysctlUnsuitable,
            &["interface=lanA setting=rp_filter", "net.ipv4.conf.lanA.rp_filter=2"][..],
        ),
        (
            EventName::SysctlUnsuitable,
            &["interface=lanB setting=arp_announce", "net.ipv4.conf.lanB.arp_announce=2"],
        ),
        (EventName::DuplicateMac, &["lanA", "lanB", "02:00:00:00:00:07"]),
        (EventName::InterfaceSkipped, &["interface=twin cause=same-subnet other=lanA"]),
        (EventName::DefaultRouteOnLan, &["interface=lanB", "-x lanB"]),
    ];
    for (event, words) in expected {
        let is_it = |line: &&String| is_event(line, event) && words.iter().all(|word| line.contains(word));
        let found = told.iter().filter(is_it).count();
        assert_eq!(found, 1, "{event} {words:?} in {told:#?}");
    }
}

#[test]
fn check_tells_that_no_interface_serves_as_a_lan_and_names_slips_of_the_pen() {
    let lab = Lab::new(1, "AB");
    let told = warnings(&lab, "-r -x lanA -x lanB");
    assert_eq!(told.len(), 1, "{told:#?}");
    let reasons = "\"lanA: excluded, lanB: excluded";
    assert!(is_event(&told[0], EventName::NoLan) && told[0].contains(reasons), "{told:#?}");
    let told = warnings(&lab, "-r -x lanAA");
    assert!(
        told.iter()
            .any(|line| line.starts_with("excluded interfaces do not exist: lanAA (did you mean lanA?)")),
        "{told:#?}"
    );
    let daemon = lab.host(1).faild_with("-r -x lanA -x lanB");
    daemon.wait_event(EventName::Ready, &[]);
    daemon.wait_event(EventName::NoLan, &["lanB: excluded"]);
}

#[test]
fn check_tells_who_may_not_start_it_and_what_cannot_be_made() {
    let lab = Lab::new(1, "AB");
    let command =
        format!("setpriv --bounding-set=-net_raw --inh-caps=-net_raw {} --check", crate::lab::FAILD);
    let errors = lab.host(1).sh(&command).stderr;
    let errors = String::from_utf8_lossy(&errors);
    assert!(
        errors.contains(
            "warning: a start as this user would fail: insufficient privileges: CAP_NET_RAW missing"
        ),
        "{errors}"
    );
    for (flags, text) in [
        ("--state-dir /dev/null", "state directory /dev/null cannot be used"),
        ("--state-dir /tmp", "state directory /tmp cannot be used: /tmp is writable by all users"),
        (
            "--state-dir /run/faild-check --pid-file /nonexistent/pid",
            "pid file /nonexistent/pid cannot be created",
        ),
    ] {
        let ended = lab.host(1).run_faild(&format!("--check -i lanA -i lanB {flags}"));
        assert_eq!((ended.code, ended.errors.starts_with(text)), (Some(1), true), "{}", ended.errors);
    }
    let ended = lab.host(1).run_faild("-i lanA -i lanB --state-dir /dev/null");
    assert_eq!(ended.code, Some(1));
    let refusal = "cannot use the state directory /dev/null (choose another with --state-dir): ";
    assert!(ended.errors.contains(refusal), "{}", ended.errors);
}

/// The warnings of a check that finds no fault.
fn warnings(lab: &Lab, flags: &str) -> Vec<String> {
    let (h1, state) = (lab.host(1), lab.host(1).state_dir());
    let ended = h1.run_faild(&format!("--check --state-dir {} {flags}", state.display()));
    assert_eq!(ended.code, Some(0), "{}", ended.errors);
    assert!(!state.exists());
    ended.errors.lines().map(|line| line.strip_prefix("warning: ").unwrap_or(line).to_owned()).collect()
}
