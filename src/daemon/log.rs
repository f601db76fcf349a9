//! The log: one line an event, `2026-11-21T08:00:00.123Z info event key=value ...`, to standard error, to a file that
//! can be opened anew (log rotation), or to syslog for a daemon that has neither.
//!
//! A full disk, a closed pipe or a reader that has stopped reading loses lines, and never stops or ends the daemon;
//! how many were lost is the first line after that.

use std::fmt::{self, Display};
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Context;
use log::{LevelFilter, error, info};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use rate::Rates;

use super::clock;

mod rate;

/// The log's end that the daemon holds.
#[derive(Debug, Clone)]
pub(super) struct Log(Arc<Mutex<Output>>);

impl Log {
    /// Starts logging to the file, or to standard error if there is none. `verbosity`: 0 info, 1 debug, 2 trace.
    ///
    /// # Errors
    ///
    /// The file cannot be opened, or logging has been started before.
    pub(super) fn start(file: Option<&Path>, verbosity: u8) -> anyhow::Result<Self> {
        let target = match file {
            Some(path) => Target::File { path: path.to_owned(), file: open(path)? },
            None => Target::Stderr,
        };
        let log = Self(Arc::new(Mutex::new(Output { target, lost: 0, rates: Rates::default() })));
        let level = match verbosity {
            0 => LevelFilter::Info,
            1 => LevelFilter::Debug,
            _ => LevelFilter::Trace,
        };
        env_logger::Builder::new()
            .filter_level(LevelFilter::Warn)
            .filter_module("faild", level)
            .format(|line, record| {
                let level = record.level().as_str().to_ascii_lowercase();
                writeln!(line, "{} {level} {}", Stamp(clock::wall()), OneLine(record.args()))
            })
            .target(env_logger::Target::Pipe(Box::new(log.clone())))
            .try_init()
            .context("cannot start the log")?;
        log_panics();
        Ok(log)
    }

    /// Opens the log file anew; if that fails the old one stays in use, and says so.
    pub(super) fn reopen(&self) {
        let path = match &self.output().target {
            Target::File { path, .. } => path.clone(),
            Target::Stderr | Target::Syslog(_) => return,
        };
        match open(&path) {
            Ok(file) => {
                self.output().target = Target::File { path: path.clone(), file };
                info!("log-reopened file={}", path.display());
            }
            Err(error) => {
                error!(
                    "log-not-reopened error=\"{error:#}\" consequence=\"the old file is still in use\" hint=\"where faild may make no file, let logrotate make it for its user: create 640 faild adm\""
                )
            }
        }
    }

    /// Standard error is about to go: from here on to syslog, unless there is a file.
    pub(super) fn leave_stderr(&self) {
        let mut output = self.output();
        if let Target::Stderr = output.target {
            output.target = Target::Syslog(UnixDatagram::unbound().and_then(nonblocking).ok());
        }
    }

    fn output(&self) -> MutexGuard<'_, Output> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Write for Log {
    /// One whole line. Never fails: there is nobody who could be told.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.output().write_rated(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[derive(Debug)]
struct Output {
    target: Target,
    lost: u64,
    rates: Rates,
}

#[derive(Debug)]
enum Target {
    Stderr,
    File { path: PathBuf, file: File },
    Syslog(Option<UnixDatagram>),
}

impl Output {
    /// Writes the line unless too many of its event were written of late. What was asked for (-v) is written whole.
    fn write_rated(&mut self, line: &[u8]) {
        let text = String::from_utf8_lossy(line);
        let mut words = text.split_ascii_whitespace().skip(1);
        let (level, event) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        if !matches!(level, "debug" | "trace") {
            match self.rates.admit(event, clock::read().now) {
                None => return,
                Some(0) => {}
                Some(count) => self.confess(&format!("log-lines-left-out event={event} count={count}")),
            }
        }
        self.write_line(line);
    }

    fn confess(&mut self, what: &str) {
        self.write_line(format!("{} warn {what}\n", Stamp(clock::wall())).as_bytes());
    }

    fn write_line(&mut self, line: &[u8]) {
        if self.lost > 0 {
            let confession = format!("{} warn log-lines-lost count={}\n", Stamp(clock::wall()), self.lost);
            if self.target.write_line(confession.as_bytes()).is_err() {
                self.lost += 1;
                return;
            }
            self.lost = 0;
        }
        self.lost += u64::from(self.target.write_line(line).is_err());
    }
}

impl Target {
    fn write_line(&mut self, line: &[u8]) -> io::Result<()> {
        match self {
            Target::Stderr => {
                let mut stderr = io::stderr();
                has_room(&stderr)?;
                // A pipe that has room has it for a page, and only that much is sure not to block.
                stderr.write_all(shortened(line))
            }
            Target::File { file, .. } => file.write_all(line),
            Target::Syslog(socket) => {
                let socket = socket.as_ref().ok_or(io::ErrorKind::NotConnected)?;
                socket.send_to(&syslog_message(line), SYSLOG).map(|_| ())
            }
        }
    }
}

/// Whether a write will not block. It must not: whoever reads our standard error may have stopped to.
fn has_room(stream: &impl AsFd) -> io::Result<()> {
    let mut polled = [PollFd::new(stream.as_fd(), PollFlags::POLLOUT)];
    poll(&mut polled, PollTimeout::ZERO)?;
    let room = polled[0].revents().is_some_and(|events| events.contains(PollFlags::POLLOUT));
    if room { Ok(()) } else { Err(io::ErrorKind::WouldBlock.into()) }
}

fn shortened(line: &[u8]) -> &[u8] {
    line.get(..PAGE).unwrap_or(line)
}

fn open(path: &Path) -> anyhow::Result<File> {
    OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o640)
        .open(path)
        .with_context(|| format!("cannot open the log file {}", path.display()))
}

fn nonblocking(socket: UnixDatagram) -> io::Result<UnixDatagram> {
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// `<priority>faild[pid]: event key=value`: syslog has its own times (RFC 3164 section 4.1).
fn syslog_message(line: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(line);
    let mut words = text.trim_end().splitn(3, ' ').skip(1);
    let severity = match words.next() {
        Some("error") => 3,
        Some("warn") => 4,
        Some("info") => 6,
        _ => 7,
    };
    let message = words.next().unwrap_or_default();
    format!("<{}>faild[{}]: {message}", FACILITY_DAEMON | severity, std::process::id()).into_bytes()
}

/// A panic ends the daemon (release builds abort); the log says where before it does.
fn log_panics() {
    let default = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        error!(
            "panic {} consequence=\"faild ends; overlays stay and are adopted by the next start\"",
            OneLine(panic)
        );
        default(panic);
    }));
}

/// Text with its line breaks and other control characters made harmless.
struct OneLine<T>(T);

impl<T: Display> Display for OneLine<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Write::write_fmt(&mut Filter(f), format_args!("{}", self.0))
    }
}

struct Filter<'a, 'b>(&'a mut fmt::Formatter<'b>);

impl fmt::Write for Filter<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for (number, part) in text.split(char::is_control).enumerate() {
            if number > 0 {
                self.0.write_str(" ")?;
            }
            self.0.write_str(part)?;
        }
        Ok(())
    }
}

/// A moment in UTC (RFC 3339), from the time since 1970.
pub(super) struct Stamp(pub(super) Duration);

impl Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        let (year, month, day) = civil(seconds / 86_400);
        let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
        let millis = self.0.subsec_millis();
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z")
    }
}

/// Year, month and day of a day since 1970, in the Gregorian calendar: counted in eras of 400 years from the first of
/// March of the year 0, so that the odd day stands at the end of a year.
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day_of_year = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let (month, carry) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (era * 400 + year + carry, month, day)
}

/// The local syslog daemon, or the journal in its place.
const SYSLOG: &str = "/dev/log";

/// Facility 3, system daemons, in its place in the priority.
const FACILITY_DAEMON: u8 = 3 << 3;

/// What can be written to a pipe that has room, in one piece (pipe(7)).
const PAGE: usize = 4096;

#[cfg(test)]
mod tests;
