//! A link that comes and goes: where nothing but the link speaks for a member, the third time up within a minute waits.

use std::time::Duration;

use crate::time::Instant;

/// Within this time a link may come up twice (in.mpathd).
const WINDOW: Duration = Duration::from_secs(60);

/// The last two times that a link came up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Flaps {
    ups: [Option<Instant>; 2],
}

impl Flaps {
    /// It is up again.
    pub(super) fn on_up(&mut self, now: Instant) {
        self.ups = [self.ups[1], Some(now)];
    }

    /// From when on it is trusted.
    pub(super) fn trusted_from(&self) -> Instant {
        self.ups[0].map_or_else(Instant::default, |oldest| oldest + WINDOW)
    }
}
