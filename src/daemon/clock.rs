//! The only place that reads clocks.

use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

use crate::net::Moment;
use crate::time::Instant;

/// Reads the clocks, once for each wake-up: everything that is decided in it is decided at that moment.
pub fn read() -> Moment {
    Moment { now: Instant::from_nanos(saturating_nanos(clock(ClockId::CLOCK_MONOTONIC))), realtime: wall() }
}

/// The wall clock, since 1970 in UTC. For people and for the kernel's stamps; nothing is timed by it.
pub fn wall() -> Duration {
    clock(ClockId::CLOCK_REALTIME)
}

/// Both clocks exist on every Linux, so that zero is never seen.
fn clock(id: ClockId) -> Duration {
    clock_gettime(id).map_or(Duration::ZERO, Duration::from)
}

fn saturating_nanos(since: Duration) -> u64 {
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}
