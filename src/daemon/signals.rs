//! Signals as something to read: SIGTERM and SIGINT end, SIGHUP opens the log anew and reads the settings again, SIGUSR1
//! writes the state to the log, SIGUSR2 lets traffic go home. SIGPIPE is ignored by Rust's runtime: a closed pipe is an error of its write.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};

use nix::libc;
use nix::sys::signal::SigSet;
use nix::sys::signal::Signal::{SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGUSR2};
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

/// The signals that are read here and disturb nobody anywhere else.
#[derive(Debug)]
pub(super) struct Signals(SignalFd);

impl Signals {
    /// Blocks the signals for this thread and those that it starts, and opens the descriptor that tells of them.
    ///
    /// # Errors
    ///
    /// Out of file descriptors or memory.
    pub(super) fn open() -> io::Result<Self> {
        let set = SigSet::from_iter([SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2]);
        set.thread_block()?;
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
