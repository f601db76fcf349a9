//! Groups of interfaces on one subnet (faild.toml(5), GROUPS).

mod changes;
mod failover;
mod moves;
mod quality;
mod routes;
mod settings;
mod standby;
mod targets;
mod test_addresses;

use std::time::Duration;

/// In the tests: ten times what a busy machine delays a process by is one probe.
const DETECTION: Duration = Duration::from_millis(500);

/// Longest outage that a silent member may show: detection on an idle machine, and what a busy one adds.
const OUTAGE: Duration = Duration::from_millis(2 * 500);

/// Longest that anything may take that is not measured.
const PATIENCE: Duration = Duration::from_secs(20);
