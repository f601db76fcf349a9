//! Going into the background, and telling the process that started us when we are ready.
//!
//! ```text
//! faild -d        parent: waits on the pipe ---------------------> exits with the status from the pipe
//!      \--fork--> child: setsid, starts up, errors to stderr ----> ready: stdio to /dev/null, keeps running
//! ```
//!
//! So `faild -d && echo ready` is reliable, and a failed start is reported where it was requested. SIGTERM and SIGINT
//! to the parent abort the start: it passes them on, because the child is in its own session.
#![allow(unsafe_code)]

use std::fs::OpenOptions;
use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::os::fd::AsFd;

use anyhow::Context;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, kill};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, chdir, dup2_stderr, dup2_stdin, dup2_stdout, fork, setsid};

use super::signals;

/// Which process this is after [`detach`].
#[derive(Debug)]
pub(super) enum Side {
    /// The one that was started: all that remains is to exit with this status.
    Parent(u8),
    /// The daemon; it reports to the other through this.
    Daemon(Readiness),
}

/// Reports, once, that the daemon is ready. If it is dropped before, the start has failed.
#[derive(Debug, Default)]
pub(super) struct Readiness {
    parent: Option<PipeWriter>,
}

/// Forks; the parent waits until the child is ready or has exited.
///
/// # Errors
///
/// Out of processes or file descriptors.
pub(super) fn detach() -> anyhow::Result<Side> {
    let (reader, writer) = io::pipe().context("cannot create a pipe")?;
    let ends = signals::ends();
    ends.thread_block().context("cannot block signals")?;
    // SAFETY: this process has one thread, so the child may do anything that the parent could.
    match unsafe { fork() }.context("cannot detach")? {
        ForkResult::Parent { child } => {
            drop(writer);
            let signals = SignalFd::with_flags(&ends, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)
                .context("cannot wait for signals")?;
            pass_on(&signals, &reader, child);
            Ok(Side::Parent(if is_told_ready(reader) { 0 } else { status(child) }))
        }
        ForkResult::Child => {
            drop(reader);
            ends.thread_unblock().context("cannot unblock signals")?;
            setsid().context("cannot start a new session")?;
            chdir("/").context("cannot change to /")?;
            Ok(Side::Daemon(Readiness { parent: Some(writer) }))
        }
    }
}

impl Readiness {
    /// Whether a parent is waiting for us to detach.
    pub(super) fn is_awaited(&self) -> bool {
        self.parent.is_some()
    }

    /// The daemon works: lets the parent exit with success, and detaches from the terminal.
    ///
    /// # Errors
    ///
    /// There is no /dev/null.
    pub(super) fn tell(mut self) -> anyhow::Result<()> {
        if let Some(mut parent) = self.parent.take() {
            silence().context("cannot detach from the terminal")?;
            // If the parent was killed in the meantime, this fails, and that does not matter.
            let _ = parent.write_all(&[READY]);
        }
        Ok(())
    }
}

/// Passes signals on to the child until it reports or exits.
fn pass_on(signals: &SignalFd, reader: &PipeReader, child: Pid) {
    let mut polled =
        [reader.as_fd(), signals.as_fd()].map(|descriptor| PollFd::new(descriptor, PollFlags::POLLIN));
    loop {
        match poll(&mut polled, PollTimeout::NONE) {
            Ok(_) if polled[0].any().unwrap_or(true) => return,
            Ok(_) => {}
            Err(Errno::EINTR) => continue,
            // Then the read that follows waits without us.
            Err(_) => return,
        }
        while let Ok(Some(signal)) = signals.read_signal() {
            let signal =
                i32::try_from(signal.ssi_signo).ok().and_then(|signal| Signal::try_from(signal).ok());
            // A child that has exited closes the pipe.
            let _ = kill(child, signal);
        }
    }
}

/// Waits for the report. The pipe closes without one if the child has exited, after printing the error on our common
/// standard error.
fn is_told_ready(mut reader: PipeReader) -> bool {
    let mut word = [0];
    reader.read_exact(&mut word).is_ok() && word == [READY]
}

/// The exit status of the child; 1 if a signal killed it.
fn status(child: Pid) -> u8 {
    match waitpid(child, None) {
        Ok(WaitStatus::Exited(_, status)) => u8::try_from(status).unwrap_or(1),
        _ => 1,
    }
}

fn silence() -> io::Result<()> {
    let null = OpenOptions::new().read(true).write(true).open("/dev/null")?;
    dup2_stdin(&null)?;
    dup2_stdout(&null)?;
    dup2_stderr(&null)?;
    Ok(())
}

const READY: u8 = b'+';

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parent_believes_only_the_word() {
        for (word, is_ready) in [(&b"+"[..], true), (b"", false), (b"-", false)] {
            let (reader, mut writer) = io::pipe().unwrap();
            writer.write_all(word).unwrap();
            drop(writer);
            assert_eq!(is_told_ready(reader), is_ready);
        }
    }

    #[test]
    fn signals_to_the_parent_end_a_start_that_hangs() {
        let (reader, writer) = io::pipe().unwrap();
        // It waits for input that does not come, and has no signals blocked.
        let mut cat = std::process::Command::new("cat");
        cat.stdin(std::process::Stdio::piped()).stdout(writer);
        let mut child = cat.spawn().unwrap();
        drop(cat);
        signals::ends().thread_block().unwrap();
        let held = SignalFd::with_flags(&signals::ends(), SfdFlags::SFD_NONBLOCK).unwrap();
        nix::sys::pthread::pthread_kill(nix::sys::pthread::pthread_self(), Signal::SIGINT).unwrap();
        pass_on(&held, &reader, Pid::from_raw(child.id().try_into().unwrap()));
        assert!(!is_told_ready(reader) && !child.wait().unwrap().success());
    }
}
