//! The command line of faild(8), and how the program reports errors in it: every error is one line on standard error,
//! and every exit has an [`ExitStatus`].

use std::ffi::OsString;
use std::fmt::Display;
use std::io::Write;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{ArgAction, Parser};

use crate::config::{
    Complaint, Config, DEFAULT_FILE, Draft, FaultKind, Faults, Loaded, Origin, check_against_interfaces,
    check_places, host_warnings, value,
};
use crate::interface::Interface;

/// The exit status (faild(8), EXIT STATUS): an init system can tell "try again" from "do not".
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum ExitStatus {
    /// Success.
    Done = 0,
    /// Something failed that may succeed later: not root, a second instance, a log that is not writable.
    Failed = 1,
    /// The command line is invalid.
    Usage = 2,
    /// The configuration is invalid (EX_CONFIG of sysexits.h).
    Configuration = 78,
}

impl From<ExitStatus> for ExitCode {
    fn from(status: ExitStatus) -> Self {
        ExitCode::from(status as u8)
    }
}

impl From<&Faults> for ExitStatus {
    /// The most severe error decides.
    fn from(faults: &Faults) -> Self {
        let statuses = faults.list.iter().map(|fault| match (fault.kind, &fault.origin) {
            (FaultKind::Environment, _) => ExitStatus::Failed,
            (FaultKind::Setting, Origin::Flag) => ExitStatus::Usage,
            (FaultKind::Setting, Origin::File(_) | Origin::Line { .. } | Origin::Host) => {
                ExitStatus::Configuration
            }
        });
        statuses.max().unwrap_or(ExitStatus::Failed)
    }
}

/// Keep every host reachable over redundant LANs.
#[derive(Debug, Clone, PartialEq, Eq, Parser)]
#[command(name = "faild", version, disable_help_flag = true, disable_version_flag = true)]
#[command(after_help = "See faild(8), faild.toml(5) and faild(7).")]
#[command(override_usage = "faild [-r] [-t SECONDS] [-f SLOTS] [-s SLOTS] [-p PORT] [-l FILE] [OPTION]...")]
pub struct Arguments {
    /// Send INQs in addition to answering them
    #[arg(short, long)]
    pub requestor: bool,
    /// Time between INQs: 0.05, 50ms, 2s [default: 0.2]
    #[arg(short = 't', long, value_name = "SECONDS", value_parser = interval, allow_negative_numbers = true)]
    pub interval: Option<Duration>,
    /// Missed slots before a path is down [default: 2]
    #[arg(short = 'f', long, value_name = "SLOTS", value_parser = missed, allow_negative_numbers = true)]
    pub missed: Option<NonZeroU32>,
    /// Good slots before a path is up [default: 10]
    #[arg(short = 's', long, value_name = "SLOTS", value_parser = good, allow_negative_numbers = true)]
    pub good: Option<NonZeroU32>,
    /// UDP port of the probes [default: 64029]
    #[arg(short, long, value_name = "PORT", value_parser = port, allow_negative_numbers = true)]
    pub port: Option<u16>,
    /// Log to this file [default: standard error]
    #[arg(short, long, value_name = "FILE")]
    pub log: Option<PathBuf>,
    /// Use this interface as a LAN; may be repeated
    #[arg(short, long, value_name = "NAME", value_parser = value::interface_name)]
    pub interface: Vec<String>,
    /// Do not use this interface; may be repeated
    #[arg(short = 'x', long, value_name = "NAME", value_parser = value::interface_name)]
    pub exclude: Vec<String>,
    /// Configuration [default: /etc/faild/faild.toml]
    #[arg(short, long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Detach from the terminal when ready
    #[arg(short, long)]
    pub daemon: bool,
    /// Write the process id to this file
    #[arg(long, value_name = "FILE")]
    pub pid_file: Option<PathBuf>,
    /// Keep all state in this directory
    #[arg(long, value_name = "DIRECTORY")]
    pub state_dir: Option<PathBuf>,
    /// Run as this user [default: faild]
    #[arg(long, value_name = "NAME", value_parser = value::user_name)]
    pub user: Option<String>,
    /// Check configuration and host, then exit
    #[arg(long)]
    pub check: bool,
    /// Probe, decide and log, but change nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Log more; given twice, log every packet
    #[arg(short, long, action = ArgAction::Count)]
    pub verbose: u8,
    /// Print the version
    #[arg(short = 'V', long, action = ArgAction::Version)]
    version: Option<bool>,
    /// Print this help
    #[arg(short, long, action = ArgAction::HelpShort)]
    help: Option<bool>,
}

impl Arguments {
    /// The arguments of this process. Prints help, version or an error itself, before it returns a status.
    ///
    /// # Errors
    /// The status to exit with at once.
    pub fn parse_from_env() -> Result<Self, ExitStatus> {
        Self::try_parse().map_err(|error| {
            if error.use_stderr() {
                return refuse(&usage_line(&error), ExitStatus::Usage);
            }
            print(&error.render());
            ExitStatus::Done
        })
    }

    /// The same from the given words; the first is the program's name.
    ///
    /// # Errors
    /// One line that says what is wrong and how to fix it; help and version are errors, too.
    pub fn parse_from_words(
        words: impl IntoIterator<Item = impl Into<OsString> + Clone>,
    ) -> Result<Self, String> {
        Self::try_parse_from(words).map_err(|error| usage_line(&error))
    }

    /// The configuration from file and options; options override the file.
    ///
    /// # Errors
    /// Every error in both. They convert to an [`ExitStatus`].
    pub fn load(&self) -> Result<Loaded, Faults> {
        let mut draft = Draft::from_file(self.config.as_deref());
        self.apply(&mut draft);
        draft.finish()
    }

    /// The same for a reload: waits for no name server and no pipe, see [`Draft::keep_names`].
    ///
    /// # Errors
    /// As [`Arguments::load`].
    pub fn load_again(&self, running: &Config) -> Result<Loaded, Faults> {
        let mut draft = Draft::from_file_at_once(self.config.as_deref());
        self.apply(&mut draft);
        draft.keep_names(running);
        draft.finish()
    }

    /// The same with this text instead of the file's.
    ///
    /// # Errors
    /// As [`Arguments::load`].
    pub fn load_text(&self, text: &str) -> Result<Loaded, Faults> {
        let path = self.config.as_deref().unwrap_or(Path::new(DEFAULT_FILE));
        let mut draft = Draft::from_text(path, text);
        self.apply(&mut draft);
        draft.finish()
    }

    /// The same with absolute paths, for a process that changes to another directory.
    #[must_use]
    pub fn rooted(&self) -> Self {
        let mut rooted = self.clone();
        let paths = [&mut rooted.log, &mut rooted.config, &mut rooted.pid_file, &mut rooted.state_dir];
        for path in paths.into_iter().flatten() {
            *path = absolute(path);
        }
        rooted
    }

    /// `--check`: reports every error and warning on standard error, and changes nothing. `interfaces` are
    /// the host's, if they could be read; `preview` returns the warnings that a start would log.
    pub fn check(
        &self,
        interfaces: Option<&[Interface]>,
        preview: impl FnOnce(&Config) -> Vec<String>,
    ) -> ExitStatus {
        let (loaded, faults) = match self.load() {
            Ok(loaded) => {
                let mut list = check_against_interfaces(&loaded.config, interfaces.unwrap_or_default());
                list.extend(check_places(&loaded.config));
                (Some(loaded), Faults { list })
            }
            Err(faults) => (None, faults),
        };
        for fault in &faults.list {
            report(fault);
        }
        let Some(loaded) = loaded else { return ExitStatus::from(&faults) };
        let on_host =
            interfaces.map(|interfaces| host_warnings(&loaded.config, interfaces)).unwrap_or_default();
        for warning in loaded.warnings.iter().chain(&on_host).chain(&preview(&loaded.config)) {
            report(&format_args!("warning: {warning}"));
        }
        if !faults.list.is_empty() {
            return ExitStatus::from(&faults);
        }
        let file = loaded.file.as_deref().map_or("defaults and options".into(), Path::to_string_lossy);
        print(&format_args!("{file}: no errors\n"));
        ExitStatus::Done
    }

    /// Applies the options on top of the file.
    fn apply(&self, draft: &mut Draft) {
        let settings = &mut draft.settings;
        settings.requestor |= self.requestor;
        replace(&mut settings.interval, self.interval);
        replace(&mut settings.missed, self.missed);
        replace(&mut settings.good, self.good);
        replace(&mut settings.port, self.port);
        replace(&mut settings.verbosity, (self.verbose > 0).then_some(self.verbose.min(2)));
        settings.daemon = self.daemon;
        settings.dry_run = self.dry_run;
        settings.pid_file = self.pid_file.as_deref().map(absolute);
        if let Some(directory) = self.state_dir.as_deref().map(absolute) {
            settings.runtime_dir.clone_from(&directory);
            settings.state_dir = directory;
        }
        if let Some(log) = &self.log {
            draft.set_log(absolute(log));
        }
        if let Some(user) = &self.user {
            draft.set_user(user.clone());
        }
        if !self.interface.is_empty() {
            draft.set_lans(&self.interface);
        }
        draft.add_exclude(&self.exclude);
    }
}

/// Prints on standard error, in one line, why the program exits; returns the status for the caller to exit with.
pub fn refuse(why: &dyn Display, status: ExitStatus) -> ExitStatus {
    report(&format_args!("faild: {}", one_line(&why.to_string())));
    status
}

/// Writes a line to standard error. A failure is ignored: there is nowhere else to report it.
fn report(line: &dyn Display) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Writes data to standard output. A closed pipe is not an error: the reader has seen enough.
fn print(data: &dyn Display) {
    let _ = write!(std::io::stdout(), "{data}");
}

fn replace<T>(place: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *place = value;
    }
}

/// Command-line paths are relative to the user's directory, but the daemon changes to `/`.
fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// clap's error as one line: what, where, how to fix it.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "clap may add kinds; its own text is good enough for rare ones"
)]
fn usage_line(error: &clap::Error) -> String {
    let context = |kind| error.get(kind).map(context_text).unwrap_or_default();
    let (argument, value) = (context(ContextKind::InvalidArg), context(ContextKind::InvalidValue));
    let option = argument.split(' ').next().unwrap_or_default();
    let fix = match context(ContextKind::SuggestedArg) {
        near if near.is_empty() => "remove it".to_owned(),
        near => format!("did you mean {near}?"),
    };
    let what = match error.kind() {
        ErrorKind::ValueValidation => {
            let complaint = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
            format!("{option} {} {complaint}", if value.is_empty() { "''" } else { &value })
        }
        ErrorKind::InvalidValue if value.is_empty() => format!("{argument} needs a value; add one"),
        ErrorKind::UnknownArgument if option.starts_with('-') => {
            format!("unknown option {argument}; {fix}")
        }
        ErrorKind::UnknownArgument => format!("unexpected argument {argument}; remove it"),
        ErrorKind::ArgumentConflict => format!("{option} is given twice; remove one"),
        ErrorKind::TooManyValues => format!("{option} takes no value; remove {value}"),
        ErrorKind::InvalidUtf8 => "an argument is not valid UTF-8".to_owned(),
        _ => error.to_string(),
    };
    one_line(&format!("{what} (see faild --help)"))
}

fn context_text(value: &ContextValue) -> String {
    if let ContextValue::Strings(list) = value { list.join(" or ") } else { value.to_string() }
}

/// Foreign text may contain line breaks; our error message must not.
fn one_line(text: &str) -> String {
    text.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
}

fn interval(text: &str) -> Result<Duration, Complaint> {
    value::duration_in(text, &value::INTERVAL)
}

fn missed(text: &str) -> Result<NonZeroU32, Complaint> {
    nonzero(text, &value::MISSED)
}

fn good(text: &str) -> Result<NonZeroU32, Complaint> {
    nonzero(text, &value::GOOD)
}

fn port(text: &str) -> Result<u16, Complaint> {
    let number = value::whole_text_in(text, &value::PORT)?;
    u16::try_from(number).map_err(|_| Complaint::Above { most: u16::MAX.to_string() })
}

fn nonzero(text: &str, range: &std::ops::RangeInclusive<u32>) -> Result<NonZeroU32, Complaint> {
    NonZeroU32::new(value::whole_text_in(text, range)?).ok_or(Complaint::Below { least: "1".to_owned() })
}

#[cfg(test)]
mod tests;
