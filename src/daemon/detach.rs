//! Going into the background, and telling whoever started us that we are ready.
//!
//! ```text
//! faild -d        parent: waits on the pipe ---------------------> ends with what came by the pipe
//!      \--fork--> child: setsid, starts up, complains on stderr --> ready: stdio to /dev/null, works on
//! ```
//!
//! So `faild -d && echo ready` means it, and a start that fails is told where it was asked for.
#![allow(unsafe_code)]

use std::fs::OpenOptions;
use std::io::{self, PipeReader, PipeWriter, Read, Write};

use anyhow::Context;
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, chdir, dup2_stderr, dup2_stdin, dup2_stdout, fork, setsid};

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
    // SAFETY: this process has one thread, so that the child may do all that the parent could.
    match unsafe { fork() }.context("cannot detach")? {
        ForkResult::Parent { child } => {
            drop(writer);
            Ok(Side::Parent(if is_told_ready(reader) { 0 } else { status(child) }))
        }
        ForkResult::Child => {
            drop(reader);
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
}
