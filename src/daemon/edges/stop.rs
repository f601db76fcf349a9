//! The orderly end.

use log::warn;

use super::Edges;
use crate::config::Exit;
use crate::engine::Input;
use crate::reconcile::{self, Settings};
use crate::time::Instant;
use crate::watch;

/// How the daemon shall end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::daemon) struct End {
    /// Who said so.
    pub(in crate::daemon) cause: &'static str,
    /// All overlays stay, whatever the settings say: another run follows.
    pub(in crate::daemon) keep: bool,
}

impl Edges {
    /// What the reconciler said when it was told to stop goes to the kernel; at most until `is_over` says so.
    pub(in crate::daemon) fn stop(&mut self, now: Instant, keep: bool, mut is_over: impl FnMut() -> bool) {
        if keep {
            let settings = Settings { exit: Exit::Keep, ..Settings::from(&self.config) };
            self.inform(now, reconcile::Input::Settings { settings, left: &[] });
        }
        self.tell(now, Input::Stop);
        if self.watching.is_on() {
            let home = !keep && self.config.exit == Exit::Lift;
            self.tell_watch(now, &watch::Input::Stop { home });
        }
        self.hand_over_plan(now);
        self.inform(now, reconcile::Input::Stop);
        self.write_journal(now);
        while !self.errands.is_empty() {
            if is_over() {
                warn!(
                    "stop-incomplete errands={} hint=\"ip route flush proto 250; ip -6 route flush proto 250\"",
                    self.errands.len()
                );
                return;
            }
            self.run_errands(now);
        }
    }
}
