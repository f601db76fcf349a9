//! Signals as something to read: SIGTERM and SIGINT end, SIGHUP opens the log anew and reads the settings again, SIGUSR1
//! writes the state to the log, SIGUSR2 lets traffic go home. SIGPIPE is ignored by Rust's runtime: a closed pipe is an error of its write.
//!
//! Until the loop turns, SIGTERM and SIGINT end the process as they end any other: a start may wait for a disk, a server
//! or a kernel that does not answer, and has nothing to say goodbye for. The kernel ends even what hangs on NFS so, but
//! only where no handler is installed.
//!
//! ```text
//!              first instant       Signals::open      hold_ends
//! TERM, INT    end the process --------------------> read by the loop
//! the others   end the process --> wait -----------> read by the loop
//! ```
#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};

use nix::libc;
use nix::sys::signal::Signal::{SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGUSR2};
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, sigaction};
use nix::sys::signalfd::{SfdFlags, SignalFd};

/// What a signal asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Request {
    /// End; the name of the signal is for the log.
    Stop(&'static str),
    /// Open the log file anew, and read the settings again.
    Reload,
    /// Write the state to the log.
    Report,
    /// Go home where failback waits to be told.
    FailBack,
}

/// Lets SIGTERM and SIGINT end the process, whatever whoever started it had blocked. To be called first of all.
///
/// The first process of a container gets no signal that it has no handler for, hence one for it.
pub fn begin() {
    // Both can fail only for arguments that are wrong.
    let _ = ends().thread_unblock();
    if std::process::id() != 1 {
        return;
    }
    let end = SigAction::new(SigHandler::Handler(end), SaFlags::empty(), SigSet::empty());
    for signal in &ends() {
        // SAFETY: the handler makes one system call, which may be made at any moment.
        let _ = unsafe { sigaction(signal, &end) };
    }
}

/// From here on SIGTERM and SIGINT are read as well.
///
/// # Errors
///
/// None that is known.
pub(super) fn hold_ends() -> io::Result<()> {
    Ok(ends().thread_block()?)
}

/// The signals that end the daemon.
pub(super) fn ends() -> SigSet {
    SigSet::from_iter([SIGTERM, SIGINT])
}

/// Ends as a shell reports a program that a signal has ended.
extern "C" fn end(signal: libc::c_int) {
    // SAFETY: always possible, and async-signal-safe (signal-safety(7)).
    unsafe { libc::_exit(128 + signal) }
}

/// The signals that are read here and disturb nobody anywhere else.
#[derive(Debug)]
pub(super) struct Signals(SignalFd);

impl Signals {
    /// Opens the descriptor that tells of the signals, and blocks all but those that end a start (see [`hold_ends`]), for
    /// this thread and those that it starts.
    ///
    /// # Errors
    ///
    /// Out of file descriptors or memory.
    pub(super) fn open() -> io::Result<Self> {
        let others = SigSet::from_iter([SIGHUP, SIGUSR1, SIGUSR2]);
        others.thread_block()?;
        let set: SigSet = ends().iter().chain(&others).collect();
        Ok(Self(SignalFd::with_flags(&set, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)?))
    }

    /// The next request; `None` if there is none.
    pub(super) fn next(&mut self) -> Option<Request> {
        let signal = self.0.read_signal().ok()??;
        match i32::try_from(signal.ssi_signo).ok()? {
            libc::SIGTERM => Some(Request::Stop("SIGTERM")),
            libc::SIGINT => Some(Request::Stop("SIGINT")),
            libc::SIGHUP => Some(Request::Reload),
            libc::SIGUSR1 => Some(Request::Report),
            _ => Some(Request::FailBack),
        }
    }
}

impl AsRawFd for Signals {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_fd().as_raw_fd()
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use nix::sys::pthread::{pthread_kill, pthread_self};

    use super::*;

    #[test]
    fn each_signal_is_its_request() {
        let mut signals = Signals::open().unwrap();
        let blocked = SigSet::thread_get_mask().unwrap();
        assert!(blocked.contains(SIGHUP) && !blocked.contains(SIGTERM) && !blocked.contains(SIGINT));
        hold_ends().unwrap();
        assert_eq!(signals.next(), None);
        for (signal, request) in [
            (SIGHUP, Request::Reload),
            (SIGUSR1, Request::Report),
            (SIGUSR2, Request::FailBack),
            (SIGTERM, Request::Stop("SIGTERM")),
            (SIGINT, Request::Stop("SIGINT")),
        ] {
            pthread_kill(pthread_self(), signal).unwrap();
            assert_eq!(signals.next(), Some(request));
        }
        assert_eq!(signals.next(), None);
    }
}
