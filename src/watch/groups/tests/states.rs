//! Every state and every event.

use crate::watch::groups::member::{Cause, Duty, Event, State};

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
    let after = events.map(|event| {
        let after = state.after(event);
        if after == state { ".".to_owned() } else { short(after) }
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
