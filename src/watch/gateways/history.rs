//! What a next hop's failures hold against it: traffic goes home to it when it is damped no more and the failback policy
//! allows.

use super::super::Context;
use super::super::snapshot::HopState;
use crate::config::{Config, Damping, Failback};
use crate::failback::{Hold, TrackRecord};
use crate::time::Instant;

/// What is known of a next hop from before.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Past {
    pub(super) penalty: f64,
    /// When the penalty was that; none: when the watch began.
    pub(super) at: Option<Instant>,
    /// It has failed, and has not worked since.
    pub(super) failed: bool,
    /// Traffic has left it and not gone home: the failback policy holds.
    pub(super) left: bool,
}

/// See the module.
#[derive(Debug, Clone)]
pub(super) struct History {
    record: TrackRecord,
    /// Traffic has left it and not gone home.
    left: bool,
}

impl History {
    pub(super) fn new(context: &Context<'_>, past: Past) -> Self {
        let mut record =
            TrackRecord::new(past.at.unwrap_or(context.now), past.penalty, &context.config.damping);
        record.set_failed(past.left || past.failed);
        record.set_held(past.left && context.config.failback == Failback::Manual);
        Self { record, left: past.left }
    }

    /// Traffic has left the next hop and not gone home.
    pub(super) fn is_left(&self) -> bool {
        self.left
    }

    /// Damping penalty by now.
    pub(super) fn penalty(&self, now: Instant, config: &Config) -> f64 {
        self.record.penalty(now, &config.damping)
    }

    /// The settings of damping have changed.
    pub(super) fn fit(&mut self, now: Instant, old: &Damping, new: &Damping) {
        self.record.fit(now, old, new);
    }

    /// The administrator wants traffic home.
    pub(super) fn release(&mut self) {
        self.record.set_held(false);
    }

    /// Traffic goes by the next hop, or by others that come before it or not. True if that is news.
    pub(super) fn on_choice(&mut self, config: &Config, in_use: bool, is_outranked: bool) -> bool {
        let left = self.record.has_failed() && !in_use && !is_outranked;
        let is_news = std::mem::replace(&mut self.left, left) != left;
        if is_news {
            // Also if it failed while another one was in use: traffic would have gone to it.
            self.record.set_held(left && config.failback == Failback::Manual);
        }
        is_news
    }

    /// The verdict has changed.
    pub(super) fn on_verdict(
        &mut self,
        now: Instant,
        config: &Config,
        (before, after): (HopState, HopState),
    ) {
        self.record.set_up((after == HopState::Up).then_some(now));
        if before == HopState::Up {
            self.record.on_failure(now, &config.damping);
        }
    }

    /// What holds traffic back from the next hop although it works.
    pub(super) fn holds(
        &self,
        now: Instant,
        config: &Config,
        time_of_day: Option<u32>,
    ) -> impl Iterator<Item = Hold> + use<> {
        self.record.holds(now, config, time_of_day)
    }
}
