//! What a next hop's failures hold against it: traffic goes home to it when it is damped no more and the failback policy
//! allows.

use std::time::Duration;

use super::super::Context;
use super::super::snapshot::Health;
use crate::config::{Config, Damping, Failback};
use crate::damping::Penalty;
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

/// What holds traffic back from a next hop that works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Obstacle {
    /// It failed too often lately.
    Damped(Duration),
    /// The administrator says when.
    Held,
    /// It has not worked for long enough.
    Delay(Duration),
    /// It is not the time of day.
    Window { from: u32, until: u32 },
}

/// See the module.
#[derive(Debug, Clone)]
pub(super) struct History {
    works_since: Option<Instant>,
    penalty: Penalty,
    /// It worked once and failed since, in this run or before.
    has_failed: bool,
    /// Failback waits for the administrator.
    held: bool,
    /// Traffic has left it and not gone home.
    left: bool,
}

impl History {
    pub(super) fn new(context: &Context<'_>, past: Past) -> Self {
        Self {
            works_since: None,
            penalty: Penalty::new(past.at.unwrap_or(context.now), past.penalty, &context.config.damping),
            has_failed: past.left || past.failed,
            held: past.left && context.config.failback == Failback::Manual,
            left: past.left,
        }
    }

    /// Traffic has left the next hop and not gone home.
    pub(super) fn is_left(&self) -> bool {
        self.left
    }

    /// Damping penalty by now.
    pub(super) fn penalty(&self, now: Instant, config: &Config) -> f64 {
        self.penalty.value(now, &config.damping)
    }

    /// The settings of damping have changed.
    pub(super) fn fit(&mut self, now: Instant, old: &Damping, new: &Damping) {
        self.penalty.fit(now, old, new);
    }

    /// The administrator wants traffic home.
    pub(super) fn release(&mut self) {
        self.held = false;
    }

    /// Traffic goes by the next hop, or by others that come before it or not. True if that is news.
    pub(super) fn on_choice(&mut self, config: &Config, in_use: bool, is_outranked: bool) -> bool {
        let left = self.has_failed && !in_use && !is_outranked;
        let is_news = std::mem::replace(&mut self.left, left) != left;
        if is_news {
            // Also if it failed while another one was in use: traffic would have gone to it.
            self.held = left && config.failback == Failback::Manual;
        }
        is_news
    }

    /// The verdict has changed.
    pub(super) fn on_verdict(&mut self, now: Instant, config: &Config, (before, after): (Health, Health)) {
        self.works_since = (after == Health::Works).then_some(now);
        if before == Health::Works {
            self.penalty.on_failure(now, &config.damping);
            self.has_failed = true;
        }
    }

    /// What holds traffic back from the next hop although it works.
    pub(super) fn obstacle(
        &self,
        now: Instant,
        config: &Config,
        time_of_day: Option<u32>,
    ) -> Option<Obstacle> {
        if let Some(left) = self.penalty.free_in(now, &config.damping) {
            return Some(Obstacle::Damped(left));
        }
        match config.failback {
            Failback::Manual => self.held.then_some(Obstacle::Held),
            Failback::Delay(delay) if self.has_failed => {
                let left = self.works_since.map_or(delay, |since| delay.saturating_sub(now.since(since)));
                (!left.is_zero()).then_some(Obstacle::Delay(left))
            }
            Failback::Window { from, until } if self.has_failed && !is_within(time_of_day, from, until) => {
                Some(Obstacle::Window { from, until })
            }
            Failback::Auto | Failback::Delay(_) | Failback::Window { .. } => None,
        }
    }
}

/// Whether it is that part of the day, which may span midnight.
fn is_within(time_of_day: Option<u32>, from: u32, until: u32) -> bool {
    time_of_day
        .is_some_and(|t| if from <= until { (from..until).contains(&t) } else { t >= from || t < until })
}
