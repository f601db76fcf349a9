//! Other settings while the daemon runs. They are read and checked first, by the same code as at the start; only what
//! is good as a whole is taken over. On trial, the settings from before come back unless somebody confirms in time:
//! whoever locked himself out need not be there to undo it.
//!
//! ```text
//!  SIGHUP, faildctl --> read --> check --> log file --> core, sockets                   (zero faults)
//!                         +--------+----------+-------> a line for each fault           (all stays as it is)
//!
//!  on trial:  confirmed ----> stays          in time: neither ----> as before
//! ```
//!
//! What went back is not taken again by itself, neither by a start nor by the SIGHUP of whoever rotates the log.

use std::fmt;
use std::time::Duration;

use log::Level;

use super::{Edges, Task};
use crate::config::{
    Config, Faults, Loaded, check_against_interfaces, differences, host_warnings, keep_fixed,
};
use crate::control::{Refusal, RefusalKind};
use crate::core::Input;
use crate::daemon::{clock, privileges};
use crate::event::EventName;
use crate::interface::Interface;
use crate::net::Moment;
use crate::time::Instant;
use crate::words::Unquoted;

/// Settings that are to be read; the flags of the start are put over them.
#[derive(Debug, Clone, Copy)]
pub enum Reading<'a> {
    /// Those of the file, while the daemon runs with these, which have the addresses of names.
    File {
        /// Those that run.
        running: &'a Config,
    },
    /// This text in place of the file's.
    Text(&'a str),
}

/// Where the settings come from.
pub(in crate::daemon) struct Source(Box<Load>);

type Load = dyn Fn(Reading<'_>) -> Result<Loaded, Faults>;

impl Source {
    pub(in crate::daemon) fn new(load: impl Fn(Reading<'_>) -> Result<Loaded, Faults> + 'static) -> Self {
        Self(Box::new(load))
    }

    pub(in crate::daemon) fn read(&self, reading: Reading<'_>) -> Result<Loaded, Faults> {
        (self.0)(reading)
    }
}

/// Who wants the settings read again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::daemon) enum By {
    /// SIGHUP, which whoever rotates the log sends, too.
    Signal,
    /// faildctl; `within`: only for so long, unless they are confirmed.
    Command { within: Option<Duration> },
}

/// Settings that go back unless they are confirmed.
#[derive(Debug, Clone)]
pub(in crate::daemon) struct Trial {
    before: Config,
    until: Instant,
}

impl Edges {
    /// Reads the settings again and takes them over. What was changed, in words.
    pub(in crate::daemon) fn reload(&mut self, now: Instant, by: By) -> Result<String, Refusal> {
        let result = self.try_reload(now, by);
        match &result {
            Ok(_) => {}
            Err(refusal) => {
                for line in refusal.message.lines() {
                    self.say(Level::Warn, &format_args!("reload-error error=\"{}\"", Unquoted(line)));
                }
                self.say(Level::Warn, &"reload-rejected action=\"keeping the running configuration\"");
            }
        }
        result
    }

    fn try_reload(&mut self, now: Instant, by: By) -> Result<String, Refusal> {
        if let Some(left) = self.unconfirmed(now) {
            return Err(refused(format!(
                "the last reload is not confirmed and will be undone in {:.0}s; confirm it first (faildctl confirm), or wait",
                left.as_secs_f64().ceil()
            )));
        }
        let reading = Reading::File { running: &self.config };
        let Loaded { mut config, mut warnings, text, .. } =
            self.source.read(reading).map_err(|faults| faulty(&faults))?;
        if by == By::Signal && self.confirmation.is_unconfirmed(&text) {
            let message = "this configuration file was never confirmed; run faildctl reload to apply it";
            return Err(refused(message.to_owned()));
        }
        let interfaces = self.kernel.interfaces().map_err(|error| failed(&error))?;
        let list = check_against_interfaces(&config, &interfaces);
        if !list.is_empty() {
            return Err(faulty(&Faults { list }));
        }
        warnings.extend(host_warnings(&config, &interfaces));
        warnings.extend(privileges::hooks_that_wait(&config));
        let is_realtime_new = config.realtime && !self.config.realtime;
        let fixed = keep_fixed(&self.config, &mut config);
        if !fixed.is_empty() {
            warnings.push(format!("{} takes effect at the next start", fixed.join(", ")));
        }
        self.log.follow(config.log.as_deref(), config.verbosity).map_err(|error| failed(&error))?;
        let words = match by {
            By::Command { within: Some(within) } if config != self.config => {
                warnings.extend(self.begin_trial(now, within, text));
                let words = self.take_over(now, config, interfaces, EventName::ReloadDone);
                let seconds = within.as_secs_f64();
                format!("{words}\nit will be undone in {seconds}s unless confirmed: faildctl confirm")
            }
            By::Command { .. } | By::Signal => {
                self.confirmation.accept(text);
                self.take_over(now, config, interfaces, EventName::ReloadDone)
            }
        };
        let words = if is_realtime_new { words + &self.realtime_warnings() } else { words };
        Ok(self.warn_of(words, &warnings))
    }

    fn warn_of(&mut self, mut words: String, warnings: &[String]) -> String {
        for warning in warnings {
            self.say(Level::Warn, &format_args!("config-warning text=\"{}\"", Unquoted(warning)));
            words.push_str(&format!("\nwarning: {warning}"));
        }
        words
    }

    /// For who asked; the log is told as at the start.
    fn realtime_warnings(&self) -> String {
        let problems = self.realtime.view().problems;
        problems.iter().map(|problem| format!("\nwarning: realtime is not in force: {problem}")).collect()
    }

    /// Notes the settings from before, for the next start as well, before others are in force. A warning, if that
    /// could not be.
    fn begin_trial(&mut self, now: Instant, within: Duration, text: String) -> Option<String> {
        self.trial = Some(Trial { before: self.config.clone(), until: now + within });
        self.agenda.set(Task::RollBack, now + within);
        let seconds = within.as_secs_f64();
        self.say(Level::Info, &format_args!("reload-trial within={seconds}s fix=\"faildctl confirm\""));
        let kept = self.confirmation.try_out(text);
        kept.err().map(|error| format!("cannot write unconfirmed.toml in the state directory ({error}): if faild stops before confirmation, the new configuration stays in force"))
    }

    /// How long the settings on trial have left.
    pub(in crate::daemon) fn unconfirmed(&self, now: Instant) -> Option<Duration> {
        self.trial.as_ref().map(|trial| trial.until.since(now))
    }

    /// The settings on trial stay.
    pub(in crate::daemon) fn confirm(&mut self) -> Result<String, Refusal> {
        match self.trial.take() {
            Some(_) => {
                self.confirmation.confirm();
                self.say(Level::Info, &EventName::ReloadConfirmed);
                Ok("confirmed: the configuration is kept".to_owned())
            }
            None => Err(refused("nothing to confirm: already confirmed or undone".to_owned())),
        }
    }

    /// Nobody has confirmed in time.
    pub(super) fn roll_back(&mut self, now: Instant) {
        let Some(Trial { before, .. }) = self.trial.take() else { return };
        self.confirmation.go_back();
        if let Err(error) = self.log.follow(before.log.as_deref(), before.verbosity) {
            self.say(
                Level::Error,
                &format_args!("log-reopen-failed error=\"{}\"", Unquoted(&format!("{error:#}"))),
            );
        }
        let interfaces = self.kernel.interfaces().unwrap_or_else(|_| self.core.interfaces().to_vec());
        self.take_over(now, before, interfaces, EventName::ReloadRolledBack);
        self.say(
            Level::Warn,
            &"reload-rolled-back action=\"restored the previous configuration\" fix=\"run faildctl reload to apply the file again, or edit it\"",
        );
    }

    /// Puts other settings in force. What differs, in words.
    fn take_over(
        &mut self,
        now: Instant,
        config: Config,
        interfaces: Vec<Interface>,
        event: EventName,
    ) -> String {
        let changes = differences(&self.config, &config);
        let list = if changes.is_empty() { "none".to_owned() } else { changes.join(",") };
        self.say(Level::Info, &format_args!("{event} changes={list}"));
        if !changes.is_empty() {
            self.configure(now, config, interfaces);
        }
        format!("reloaded: {}", if changes.is_empty() { "no changes".to_owned() } else { changes.join(", ") })
    }

    /// Goodbyes go out by the old sockets, first words by the new ones.
    fn configure(&mut self, now: Instant, config: Config, interfaces: Vec<Interface>) {
        self.tell(now, Input::Config(&config));
        self.config = config;
        self.realtime.follow(now, self.config.realtime && !self.config.dry_run);
        self.sockets.set_port(self.config.port);
        self.tell(now, Input::Interfaces(&interfaces));
        self.tell_time_of_day(Moment { now, realtime: clock::wall() });
        self.tell(now, Input::DeadlinePassed);
        self.agenda.set(Task::QueryLinks, now + self.query_interval());
    }
}

/// All faults, a line each.
fn faulty(faults: &Faults) -> Refusal {
    let lines: Vec<String> = faults.list.iter().map(ToString::to_string).collect();
    refused(lines.join("\n"))
}

fn refused(message: String) -> Refusal {
    Refusal { kind: RefusalKind::Refused, message }
}

fn failed(error: &dyn fmt::Display) -> Refusal {
    Refusal { kind: RefusalKind::Failed, message: format!("{error:#}") }
}
