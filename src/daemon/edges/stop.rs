//! The orderly end.

use log::warn;

use super::Edges;
use crate::core::Input;
use crate::time::Instant;

/// How the daemon shall end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::daemon) struct End {
    /// Who said so.
    pub(in crate::daemon) cause: &'static str,
    /// All overlays stay, whatever the settings say: another run follows.
    pub(in crate::daemon) keep: bool,
}

impl Edges {
    /// What the core wants of the kernel when it is told to stop is done; at most until `is_over` says so.
    pub(in crate::daemon) fn stop(&mut self, now: Instant, keep: bool, mut is_over: impl FnMut() -> bool) {
        self.tell(now, Input::Stop { keep });
        self.write_journal(now);
        while !self.errands.is_empty() {
            if is_over() {
                warn!(
                    "stop-incomplete jobs={} fix=\"ip route flush proto 250; ip -6 route flush proto 250\"",
                    self.errands.len()
                );
                return;
            }
            self.run_errands(now);
        }
    }
}
