//! Every state and every event, and what is told.

use ipnet::IpNet;
use log::Level;

use super::world::*;
use crate::interface::{Family, MacAddress};
use crate::watch::groups::member::{Cause, Duty, Event, State};
use crate::watch::groups::notice::{Failure, Notice, Proof};

const ACTIVE: Duty = Duty::Active;
const INACTIVE: Duty = Duty::Inactive;

/// A state in three letters: what it is, and its duty or cause.
fn short(state: State) -> String {
    let cause = |cause| match cause {
        Cause::Link => "link",
        Cause::Gone => "gone",
        Cause::Silent => "silent",
        Cause::Group => "group",
        Cause::Remembered => "remembered",
    };
    let duty = |duty| if duty == ACTIVE { "active" } else { "held" };
    match state {
        State::New => "new".into(),
        State::Running(it) => format!("runs-{}", duty(it)),
        State::NoTargets(it) => format!("mute-{}", duty(it)),
        State::Failed(it) => format!("failed-{}", cause(it)),
        State::Offline(None) => "offline".into(),
        State::Offline(Some(it)) => format!("offline-{}", cause(it)),
    }
}

/// What becomes of a state by each event in turn; `.`: nothing.
fn row(state: State) -> String {
    let events = [
        Event::Seen(INACTIVE),
        Event::Recalled,
        Event::TargetsLost,
        Event::TargetsFound,
        Event::Fail(Cause::Link),
        Event::Fail(Cause::Silent),
        Event::Repair(INACTIVE),
        Event::Assign(INACTIVE),
        Event::Withdraw,
        Event::Return(ACTIVE),
    ];
    let after = events.map(|event| match state.after(event) {
        same if same == state => ".".to_owned(),
        other => short(other),
    });
    format!("{}: {}", short(state), after.join(" "))
}

#[test]
fn every_event_has_its_place_in_every_state() {
    use State::{Failed, New, NoTargets, Offline, Running};
    let table = [
        (New, "new: runs-held failed-remembered . . . . . . . ."),
        (Running(ACTIVE), "runs-active: . . mute-active . failed-link failed-silent . runs-held offline ."),
        (NoTargets(ACTIVE), "mute-active: . . . runs-active failed-link failed-silent . mute-held offline ."),
        (Failed(Cause::Link), "failed-link: . . . . . . runs-held . offline-link ."),
        (Failed(Cause::Silent), "failed-silent: . . . . . . runs-held . offline-silent ."),
        (Failed(Cause::Gone), "failed-gone: . . . . failed-link . runs-held . offline-gone ."),
        (Failed(Cause::Group), "failed-group: . . . . failed-link failed-silent runs-held . offline-group ."),
        (
            Failed(Cause::Remembered),
            "failed-remembered: . . . . failed-link failed-silent runs-held . offline-remembered .",
        ),
        (Offline(None), "offline: . . . . offline-link offline-silent . . . runs-active"),
        (Offline(Some(Cause::Link)), "offline-link: . . . . . . offline . . failed-link"),
        (
            Offline(Some(Cause::Group)),
            "offline-group: . . . . offline-link offline-silent offline . . failed-group",
        ),
    ];
    for (state, expected) in table {
        assert_eq!(row(state), expected);
    }
}

#[test]
fn what_is_told_has_stable_names() {
    let (interface, group) = ("eth1".to_owned(), "lan0".to_owned());
    let failed = Notice::InterfaceFailed {
        interface: interface.clone(),
        group: group.clone(),
        cause: Failure::NoReply,
        losses: 5,
        silent: Some(ms(7140)),
    };
    let expected = "interface-failed interface=eth1 group=lan0 cause=no-reply losses=5 silent=7.14s";
    assert_eq!((failed.to_string().as_str(), failed.level()), (expected, Level::Warn));
    let repaired = Notice::InterfaceRepaired {
        interface: interface.clone(),
        group: String::new(),
        proof: Proof::Answers,
        active: true,
    };
    let expected = "interface-repaired interface=eth1 group=- proof=answers active=true";
    assert_eq!((repaired.to_string().as_str(), repaired.level()), (expected, Level::Info));
    let all = Notice::GroupFailed { group: group.clone(), members: 2, with_link: 1 };
    assert!(all.to_string().starts_with("group-failed group=lan0 members=2 links-up=1 note="));
    assert_eq!(all.level(), Level::Error);
    let raised = Notice::DetectionRaised {
        group: group.clone(),
        interface: interface.clone(),
        family: Family::V6,
        configured: s(10),
        time: s(28),
    };
    let expected = "detection-raised group=lan0 interface=eth1 family=ipv6 time=28.00s configured=10.00s";
    assert_eq!(raised.to_string(), expected);
    let mac = Notice::MacDuplicate {
        interface,
        group,
        other: "eth0".to_owned(),
        mac: MacAddress([2, 0, 0, 0, 0, 9]),
    };
    assert!(
        mac.to_string()
            .starts_with("mac-duplicate interface=eth1 group=lan0 other=eth0 mac=02:00:00:00:00:09")
    );
    let prefix = IpNet::new(v4(7), 24).unwrap();
    let adopted = Notice::TestAddressDeprecated { interface: "eth0".to_owned(), prefix };
    assert!(
        adopted.to_string().starts_with("test-address-deprecated interface=eth0 address=10.0.0.7/24 note=")
    );
}
