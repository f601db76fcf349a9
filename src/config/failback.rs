//! `[failback]`: when traffic may fail back.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::document::{Key, Value};
use super::draft::{Draft, Placed};
use super::fault::{Complaint, Fault};
use super::file::{missing, placed, put};
use super::{Failback, value};

pub(super) const KEYS: &[Key<FailbackDraft>] = &[
    Key { name: "policy", default: "\"auto\"", read: |f, v, _| put(&mut f.policy, placed(v, policy(v))) },
    Key { name: "delay", default: "", read: |f, v, _| put(&mut f.delay, placed(v, v.duration(&DELAY))) },
    Key {
        name: "window",
        default: "",
        read: |f, v, _| {
            put(&mut f.window, placed(v, value::window(v.text("a time of day range in quotes")?)))
        },
    },
];

/// The keys of `[failback]` before they are checked.
#[derive(Default)]
pub(super) struct FailbackDraft {
    policy: Option<Placed<Policy>>,
    delay: Option<Placed<Duration>>,
    window: Option<Placed<(u32, u32)>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Policy {
    Auto,
    Manual,
    Delay,
    Window,
}

fn policy(value: &Value<'_>) -> Result<Policy, Complaint> {
    const WANTED: &str = "\"auto\", \"manual\", \"delay\" or \"window\"";
    match value.text(WANTED)? {
        "auto" => Ok(Policy::Auto),
        "manual" => Ok(Policy::Manual),
        "delay" => Ok(Policy::Delay),
        "window" => Ok(Policy::Window),
        _ => Err(Complaint::Form { wanted: WANTED }),
    }
}

pub(super) fn read(draft: &mut Draft, value: &Value<'_>, faults: &mut Vec<Fault>) -> Result<(), Complaint> {
    let before = faults.len();
    let mut failback = FailbackDraft::default();
    value.read(KEYS, &mut failback, faults)?;
    if faults.len() > before {
        return Ok(());
    }
    let policy = failback.policy.map_or(Policy::Auto, |policy| policy.value);
    refuse_idle(failback.delay.as_ref(), policy == Policy::Delay, "delay", faults);
    refuse_idle(failback.window.as_ref(), policy == Policy::Window, "window", faults);
    let window = failback.window.map(|window| window.value);
    draft.settings.failback = match (policy, failback.delay, window) {
        (Policy::Auto, _, _) => Failback::Auto,
        (Policy::Manual, _, _) => Failback::Manual,
        (Policy::Delay, Some(delay), _) => Failback::Delay(delay.value),
        (Policy::Window, _, Some((from, until))) => Failback::Window { from, until },
        (Policy::Delay, None, _) => {
            missing(value, "delay", "has policy = \"delay\" but no delay; add delay = \"5m\"", faults);
            Failback::Auto
        }
        (Policy::Window, _, None) => {
            missing(
                value,
                "window",
                "has policy = \"window\" but no window; add window = \"02:00-04:30\"",
                faults,
            );
            Failback::Auto
        }
    };
    Ok(())
}

/// A key that the policy does not use is a misunderstanding.
fn refuse_idle<T>(given: Option<&Placed<T>>, is_used: bool, key: &str, faults: &mut Vec<Fault>) {
    if let Some(given) = given.filter(|_| !is_used) {
        let text = format!("{key} has no effect without policy = \"{key}\"; set that, or remove the line");
        faults.push(Fault::new(given.origin.clone(), text));
    }
}

/// More than a week is `manual`.
const DELAY: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(7 * 24 * 3600);
