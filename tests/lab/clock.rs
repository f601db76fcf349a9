//! The only place of the tests that reads the clock or sleeps.

use std::time::{Duration, Instant};

/// Time between two looks at a condition: each look starts a process or two, and the machine has other work.
const LOOK: Duration = Duration::from_millis(20);

/// The time.
#[expect(clippy::disallowed_methods, reason = "tests run against the real clock; all of them read it here")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Sleeps: for what must take time (traffic, a fault that lasts), never to wait for a condition.
#[expect(clippy::disallowed_methods, reason = "the one sleep of the tests")]
pub(crate) fn pause(duration: Duration) {
    std::thread::sleep(duration);
}

/// Waits until a condition holds; panics with its name when it does not within `limit`.
#[track_caller]
pub(crate) fn wait_until(what: &str, limit: Duration, mut holds: impl FnMut() -> bool) {
    let start = now();
    while !holds() {
        assert!(now() - start < limit, "waited {limit:?} in vain: {what}");
        pause(LOOK);
    }
}

/// [`pause`] for so many milliseconds.
pub(crate) fn pause_ms(milliseconds: u64) {
    pause(Duration::from_millis(milliseconds));
}

/// The time of the day, UTC, as the log has it: to the millisecond.
pub(crate) fn time_of_day() -> String {
    let since =
        nix::time::clock_gettime(nix::time::ClockId::CLOCK_REALTIME).map_or(Duration::ZERO, Duration::from);
    let (seconds, millis) = (since.as_secs() % 86_400, since.subsec_millis());
    format!("{:02}:{:02}:{:02}.{millis:03}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}
