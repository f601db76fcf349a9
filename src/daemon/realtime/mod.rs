//! Real-time priority, so that other work on this host does not delay probes until they look lost, and memory that
//! stays resident, so that the disk does not.
//!
//! ```text
//!              +--------- a minute ----------+
//!              v                             |
//!   off --> attempt --denied--> warned once-+   works on at ordinary priority
//!              |                             |
//!              +--> in force --CPU limit-----+   lowered by the kernel's signal, at once
//! ```
//!
//! Nothing depends on it: what the system refuses (no right to it, a control group without real-time runtime, a limit
//! on locked memory) is said once, with the way out, and tried again each minute. The same goes for the limit of CPU
//! time: a loop that computes for longer without a pause, by a bug or in a flood, competes like any other program from
//! then on.

mod system;

use std::time::Duration;

use log::Level;

pub(super) use self::system::{ChildLimits, Limited};
use crate::control::Realtime as View;
use crate::event::EventName;
use crate::time::Instant;

/// What the operating system is asked for.
pub(super) trait System {
    /// Takes real-time priority; which.
    fn raise(&mut self) -> Result<u32, Denial>;
    /// Goes back to ordinary priority.
    fn lower(&mut self);
    /// Keeps all memory resident, what is allocated later as well.
    fn lock(&mut self) -> Result<(), Denial>;
    /// Gives that up.
    fn unlock(&mut self);
    /// Whether it is in force: the kernel may refuse it when free memory was returned.
    fn is_locked(&self) -> bool;
    /// Whether the limit of CPU time has ended real-time priority since the last time this was asked.
    fn take_exhausted(&mut self) -> bool;
}

/// Why something is not to be had, and what helps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Denial {
    pub(super) cause: String,
    pub(super) fix: &'static str,
}

/// See the module.
pub(super) struct Realtime {
    system: Box<dyn System>,
    is_wanted: bool,
    priority: State<u32>,
    memory: State<()>,
    /// When what is not in force is tried again.
    retry: Option<Instant>,
    news: Vec<(Level, String)>,
}

/// How it is with one of the two.
#[derive(Debug, Clone, PartialEq, Eq)]
enum State<T> {
    Off,
    InForce(T),
    Denied(Denial),
    /// The limit of CPU time was reached.
    Suspended,
}

impl Realtime {
    /// Off, until [`Realtime::follow`] says otherwise.
    pub(super) fn new(system: Box<dyn System>) -> Self {
        Self {
            system,
            is_wanted: false,
            priority: State::Off,
            memory: State::Off,
            retry: None,
            news: Vec::new(),
        }
    }

    /// Takes it, or gives it up, as the settings say. At most two lines of news.
    pub(super) fn follow(&mut self, now: Instant, is_wanted: bool) {
        if std::mem::replace(&mut self.is_wanted, is_wanted) == is_wanted {
            return;
        }
        if is_wanted {
            self.attempt(now);
        } else {
            self.system.lower();
            self.system.unlock();
            (self.priority, self.memory, self.retry) = (State::Off, State::Off, None);
        }
    }

    /// Looks after it; once a turn.
    pub(super) fn attend(&mut self, now: Instant) {
        if self.system.take_exhausted() && self.is_wanted {
            self.priority = State::Suspended;
            self.retry = Some(now + PAUSE);
            let line = format!(
                "realtime-suspended cause=\"the loop has used {}s of CPU time without a pause\" \
                 action=\"running at ordinary priority for {}s\"",
                system::CPU_LIMIT.as_secs(),
                PAUSE.as_secs()
            );
            self.news.push((Level::Error, line));
        } else if self.retry.is_some_and(|at| at <= now) {
            self.attempt(now);
        }
        if self.memory.in_force().is_some() && !self.system.is_locked() {
            self.memory = State::Off;
            self.retry.get_or_insert(now);
        }
    }

    /// When to look after it, if nothing else wakes the loop.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.retry
    }

    /// What people are to be told, since the last time.
    pub(super) fn take_news(&mut self) -> Vec<(Level, String)> {
        std::mem::take(&mut self.news)
    }

    /// How it is, for status.
    pub(super) fn view(&self) -> View {
        let denied = [self.priority.denial(), self.memory.denial()].into_iter().flatten();
        let mut problems: Vec<String> =
            denied.map(|denial| format!("{}; {}", denial.cause, denial.fix)).collect();
        if self.priority == State::Suspended {
            problems.push("suspended: the loop has used too much CPU time without a pause".to_owned());
        }
        View {
            wanted: self.is_wanted,
            priority: self.priority.in_force().copied(),
            memory_locked: self.memory.in_force().is_some(),
            problems,
        }
    }

    fn attempt(&mut self, now: Instant) {
        if self.priority.in_force().is_none() {
            let after = match self.system.raise() {
                Ok(priority) => State::InForce(priority),
                Err(denial) => State::Denied(denial),
            };
            self.news.extend(priority_news(&self.priority, &after));
            self.priority = after;
        }
        if self.memory.in_force().is_none() {
            let after = match self.system.lock() {
                Ok(()) => State::InForce(()),
                Err(denial) => State::Denied(denial),
            };
            self.news.extend(memory_news(&self.memory, &after));
            self.memory = after;
        }
        let is_complete = self.priority.in_force().is_some() && self.memory.in_force().is_some();
        self.retry = (!is_complete).then_some(now + PAUSE);
    }
}

impl<T> State<T> {
    fn in_force(&self) -> Option<&T> {
        match self {
            State::InForce(what) => Some(what),
            State::Off | State::Denied(_) | State::Suspended => None,
        }
    }

    fn denial(&self) -> Option<&Denial> {
        match self {
            State::Denied(denial) => Some(denial),
            State::Off | State::InForce(_) | State::Suspended => None,
        }
    }
}

fn priority_news(before: &State<u32>, after: &State<u32>) -> Option<(Level, String)> {
    match (before, after) {
        (State::Suspended, State::InForce(priority)) => {
            Some((Level::Info, format!("realtime-resumed priority={priority}")))
        }
        (_, State::InForce(priority)) => Some((Level::Info, format!("realtime-ok priority={priority}"))),
        (State::Denied(said), State::Denied(denial)) if said == denial => None,
        (_, State::Denied(denial)) => Some((
            Level::Warn,
            format!("realtime-failed {denial} action=\"running at ordinary priority, trying again\""),
        )),
        (_, State::Off | State::Suspended) => None,
    }
}

fn memory_news(before: &State<()>, after: &State<()>) -> Option<(Level, String)> {
    match (before, after) {
        (State::Denied(_), State::InForce(())) => Some((Level::Info, EventName::MemoryLockOk.to_string())),
        (State::Denied(said), State::Denied(denial)) if said == denial => None,
        (_, State::Denied(denial)) => Some((
            Level::Warn,
            format!("memory-lock-failed {denial} action=\"memory is not locked, trying again\""),
        )),
        (_, State::InForce(()) | State::Off | State::Suspended) => None,
    }
}

impl std::fmt::Display for Denial {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "cause=\"{}\" fix=\"{}\"", self.cause, self.fix)
    }
}

/// Between attempts, and how long a loop that has used too much CPU time competes like other programs: it takes at most
/// a sixtieth of a processor from them.
const PAUSE: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests;
