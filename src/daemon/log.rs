//! The log: one line an event, `2026-11-21T08:00:00.123Z info event key=value ...`, to standard error, to a file that
//! can be opened anew (log rotation), or to syslog for a daemon that has neither.
//!
//! A full disk, a closed pipe or a reader that has stopped reading loses lines, and never stops or ends the daemon;
//! how many were lost is the first line after that.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Context;
use log::{LevelFilter, error, info};
use nix::fcntl::OFlag;
use nix::libc::ENXIO;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::stat::{FileStat, SFlag, fstat};
use rate::Rates;

use super::clock;
use crate::event::EventName;
use crate::time::Stamp;
use crate::trusted::{LastLink, Trust, kind};
use crate::words::OneLine;

mod rate;

/// The target of lines about peers that somebody may have invented: they must not use up the allowance of true ones.
pub(super) const HEARSAY: &str = "faild::hearsay";

/// The log's end that the daemon holds.
#[derive(Debug, Clone)]
pub(super) struct Log(Arc<Mutex<Output>>);

impl Log {
    /// Starts logging to the file, or to standard error if there is none. `verbosity`: 0 info, 1 debug, 2 trace.
    ///
    /// # Errors
    ///
    /// The file cannot be opened, or logging has been started before.
    pub(super) fn start(file: Option<&Path>, verbosity: u8, trust: Trust) -> anyhow::Result<Self> {
        let target = match file {
            Some(path) => Target::File { path: path.to_owned(), file: open(path, &trust)? },
            None => Target::Stderr,
        };
        let log = Self::to(target, trust);
        let marked = log.clone();
        env_logger::Builder::new()
            .filter_level(LevelFilter::Warn)
            // What of that is wanted at the time, `set_max_level` says.
            .filter_module("faild", LevelFilter::Trace)
            .format(move |line, record| {
                marked.output().is_hearsay = record.target() == HEARSAY;
                let level = record.level().as_str().to_ascii_lowercase();
                writeln!(line, "{} {level} {}", Stamp(clock::wall()), OneLine(record.args()))
            })
            .target(env_logger::Target::Pipe(Box::new(log.clone())))
            .try_init()
            .context("cannot start the log")?;
        ::log::set_max_level(level(verbosity));
        log_panics();
        Ok(log)
    }

    fn to(target: Target, trust: Trust) -> Self {
        Self(Arc::new(Mutex::new(Output::new(target, trust))))
    }

    /// A log of its own for a test, beside the facade, which a process has only once.
    #[cfg(test)]
    pub(super) fn aside() -> Self {
        Self::to(Target::Stderr, Trust::in_users([], None))
    }

    /// Logs to another file, or to none, and as much as is wanted from here on.
    ///
    /// # Errors
    ///
    /// The file cannot be opened: then nothing changes.
    pub(super) fn follow(&self, file: Option<&Path>, verbosity: u8) -> anyhow::Result<()> {
        let mut output = self.output();
        match (file, &output.target) {
            (Some(path), Target::File { path: current, .. }) if path == current => {}
            (Some(path), _) => {
                output.target = Target::File { path: path.to_owned(), file: open(path, &output.trust)? };
            }
            (None, Target::File { .. }) => {
                output.target = if output.is_detached { syslog() } else { Target::Stderr };
            }
            (None, Target::Stderr | Target::Syslog(_)) => {}
        }
        drop(output);
        ::log::set_max_level(level(verbosity));
        Ok(())
    }

    /// Opens the log file anew; if that fails the old one stays in use, and says so.
    pub(super) fn reopen(&self) {
        let (path, opened) = {
            let output = self.output();
            let Target::File { path, .. } = &output.target else { return };
            (path.clone(), open(path, &output.trust))
        };
        match opened {
            Ok(file) => {
                self.output().target = Target::File { path: path.clone(), file };
                info!("log-reopened file={}", path.display());
            }
            Err(error) => {
                error!(
                    "log-reopen-failed action=\"still writing to the old file\" fix=\"if faild may not create files there, have logrotate do it: create 640 faild adm\" error=\"{error:#}\""
                )
            }
        }
    }

    /// Standard error is about to go: from here on to syslog, unless there is a file.
    pub(super) fn leave_stderr(&self) {
        let mut output = self.output();
        output.is_detached = true;
        if let Target::Stderr = output.target {
            output.target = syslog();
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
    /// There is no standard error any more.
    is_detached: bool,
    lost: u64,
    /// The last line was cut short, and lacks its end.
    is_torn: bool,
    rates: Rates,
    /// Of what strangers can bring about; and whether the next line is such.
    hearsay: Rates,
    is_hearsay: bool,
    /// Whose directories and files a log may be in, should this be root.
    trust: Trust,
}

#[derive(Debug)]
enum Target {
    Stderr,
    File { path: PathBuf, file: File },
    Syslog(Option<UnixDatagram>),
}

impl Output {
    fn new(target: Target, trust: Trust) -> Self {
        Self {
            target,
            is_detached: false,
            lost: 0,
            is_torn: false,
            rates: Rates::default(),
            hearsay: Rates::default(),
            is_hearsay: false,
            trust,
        }
    }

    /// Writes the line unless too many of its event were written of late. What was asked for (-v) is written whole.
    fn write_rated(&mut self, line: &[u8]) {
        let text = String::from_utf8_lossy(line);
        let mut words = text.split_ascii_whitespace().skip(1);
        let (level, event) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let is_hearsay = std::mem::take(&mut self.is_hearsay);
        if !matches!(level, "debug" | "trace") {
            let (rates, of) = match is_hearsay {
                true => (&mut self.hearsay, " of=strangers"),
                false => (&mut self.rates, ""),
            };
            match rates.admit(event, clock::read().now) {
                None => return,
                Some(0) => {}
                Some(count) => self.confess(&format!("log-lines-suppressed event={event}{of} count={count}")),
            }
        }
        self.write_line(line);
    }

    fn confess(&mut self, what: &str) {
        self.write_line(format!("{} warn {what}\n", Stamp(clock::wall())).as_bytes());
    }

    fn write_line(&mut self, line: &[u8]) {
        if self.lost > 0 {
            let confession =
                format!("{} warn {} count={}\n", Stamp(clock::wall()), EventName::LogLinesLost, self.lost);
            if self.target.write_line(&mut self.is_torn, confession.as_bytes()).is_err() {
                self.lost += 1;
                return;
            }
            self.lost = 0;
        }
        self.lost += u64::from(self.target.write_line(&mut self.is_torn, line).is_err());
    }
}

impl Target {
    fn write_line(&mut self, is_torn: &mut bool, line: &[u8]) -> io::Result<()> {
        match self {
            Target::Stderr => {
                let mut stderr = io::stderr();
                has_room(&stderr)?;
                // A pipe that has room has it for a page, and only that much is sure not to block.
                write_after(&mut stderr, is_torn, shortened(line))
            }
            Target::File { file, .. } => write_after(file, is_torn, line),
            Target::Syslog(socket) => {
                let socket = socket.as_ref().ok_or(io::ErrorKind::NotConnected)?;
                socket.send_to(&syslog_message(line), SYSLOG).map(|_| ())
            }
        }
    }
}

/// Writes a line, on a line of its own should the last one have been cut short, as by a disk that was full.
fn write_after(stream: &mut impl Write, is_torn: &mut bool, line: &[u8]) -> io::Result<()> {
    let whole = if *is_torn { [b"\n", line].concat() } else { line.to_vec() };
    let mut rest = whole.as_slice();
    while !rest.is_empty() {
        match stream.write(rest) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => {
                let (done, left) = rest.split_at(written);
                (*is_torn, rest) = (done.last() != Some(&b'\n'), left);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Whether a write will not block. It must not: whoever reads our standard error may have stopped to.
fn has_room(stream: &impl AsFd) -> io::Result<()> {
    let mut polled = [PollFd::new(stream.as_fd(), PollFlags::POLLOUT)];
    poll(&mut polled, PollTimeout::ZERO)?;
    let room = polled[0].revents().is_some_and(|events| events.contains(PollFlags::POLLOUT));
    if room { Ok(()) } else { Err(io::ErrorKind::WouldBlock.into()) }
}

fn shortened(line: &[u8]) -> &[u8] {
    line.get(..PAGE - 1).unwrap_or(line)
}

/// A pipe without a reader is an error, not a reason to wait: probing would stop.
fn open(path: &Path, trust: &Trust) -> anyhow::Result<File> {
    open_or_make(path, trust).map_err(|error| {
        let mend = match error.raw_os_error() {
            Some(ENXIO) => " (it is a pipe without a reader: start the reader first, or use a file)",
            _ => "",
        };
        anyhow::Error::new(error).context(format!("cannot open the log file {}{mend}", path.display()))
    })
}

/// A plain file, a terminal or another character device, or a pipe. A file that is there is opened and never made, for
/// the kernel may forbid root to make what another user's file in /tmp has the name of (fs.protected_regular).
fn open_or_make(path: &Path, trust: &Trust) -> io::Result<File> {
    let place = trust.file(path, LastLink::Follow)?;
    let flags = OFlag::O_WRONLY | OFlag::O_APPEND;
    let Some(found) = place.found() else {
        return place.open(flags | OFlag::O_CREAT | OFlag::O_EXCL, 0o640);
    };
    check(found)?;
    let file = place.open(flags, 0)?;
    let found = fstat(&file)?;
    check(&found)?;
    trust.check_found(path, &found, &place)?;
    Ok(file)
}

fn check(found: &FileStat) -> io::Result<()> {
    match kind(found) {
        SFlag::S_IFREG | SFlag::S_IFCHR | SFlag::S_IFIFO => Ok(()),
        SFlag::S_IFDIR => Err(io::Error::other("it is a directory; use a file in it")),
        _ => Err(io::Error::other("it is neither a file nor a character device; use one")),
    }
}

fn syslog() -> Target {
    Target::Syslog(UnixDatagram::unbound().and_then(nonblocking).ok())
}

/// 0 info, 1 debug, 2 trace.
const fn level(verbosity: u8) -> LevelFilter {
    match verbosity {
        0 => LevelFilter::Info,
        1 => LevelFilter::Debug,
        _ => LevelFilter::Trace,
    }
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
            "panic {} action=\"aborting; overlays stay and are adopted by the next start\"",
            OneLine(panic)
        );
        default(panic);
    }));
}

/// The local syslog daemon, or the journal in its place.
const SYSLOG: &str = "/dev/log";

/// Facility 3, system daemons, in its place in the priority.
const FACILITY_DAEMON: u8 = 3 << 3;

/// What can be written to a pipe that has room, in one piece (pipe(7)); a line leaves room for the end of the last one.
const PAGE: usize = 4096;

#[cfg(test)]
mod tests;
