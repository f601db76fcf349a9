//! Going into the background, and telling whoever started us that we are ready.
//!
//! ```text
//! faild -d        parent: waits on the pipe ---------------------> ends with what came by the pipe
//!      \--fork--> child: setsid, starts up, complains on stderr --> ready: stdio to /dev/null, works on
//! ```
//!
//! So `faild -d && echo ready` means it, and a start that fails is told where it was asked for. SIGTERM and SIGINT to the
//! parent end the start: it passes them on, for the child is in a session of its own.
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
    /// The one that was started: all that is left to do is to end with this status.
    Parent(u8),
    /// The daemon; it tells the other by this.
    Daemon(Readiness),
}

/// Tells, once, that the daemon is ready. If it is dropped before, the start has failed.
#[derive(Debug, Default)]
pub(super) struct Readiness {
    parent: Option<PipeWriter>,
}

/// Forks; the parent waits until the child is ready or has ended.
///
/// # Errors
///
/// Out of processes or file descriptors.
pub(super) fn detach() -> anyhow::Result<Side> {
    let (reader, writer) = io::pipe().context("cannot make a pipe")?;
    let ends = signals::ends();
    ends.thread_block().context("cannot block signals")?;
    // SAFETY: this process has one thread, so that the child may do all that the parent could.
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
            setsid().context("cannot leave the terminal's session")?;
            chdir("/").context("cannot change to /")?;
            Ok(Side::Daemon(Readiness { parent: Some(writer) }))
        }
    }
}

impl Readiness {
    /// Whether somebody waits for us to detach.
    pub(super) fn is_awaited(&self) -> bool {
        self.parent.is_some()
    }

    /// The daemon works: lets the parent end well, and gives up the terminal.
    ///
    /// # Errors
    ///
    /// There is no /dev/null.
    pub(super) fn tell(mut self) -> anyhow::Result<()> {
        if let Some(mut parent) = self.parent.take() {
            silence().context("cannot give up the terminal")?;
            // A parent that was killed meanwhile needs no word.
            let _ = parent.write_all(&[READY]);
        }
        Ok(())
    }
}

/// Passes signals on to the child until it has something to say or has ended.
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
            // A child that has ended closes the pipe.
            let _ = kill(child, signal);
        }
    }
}

/// Waits for the word. The pipe ends without one when the child has ended, after it complained on our common standard
/// error.
fn is_told_ready(mut reader: PipeReader) -> bool {
    let mut word = [0];
    reader.read_exact(&mut word).is_ok() && word == [READY]
}

/// The status that the child ended with; 1 if a signal ended it.
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
