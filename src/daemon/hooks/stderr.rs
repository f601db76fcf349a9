//! What a run writes on standard error, as lines for the log.
//!
//! The pipe is not in the poll: a hook that writes a byte at a time would turn the loop for each. It is looked into now
//! and then, for what a pipe holds. So a hook that writes without end waits for us most of the time, until its time limit
//! ends it; nothing is kept of it but the lines that the log may still have.

use std::io::{self, PipeReader, PipeWriter, Read};
use std::time::Duration;

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::stat::{Mode, fchmod};

use crate::time::Instant;

/// Lines of all runs of a hook that the log gets in a minute: an error of an interpreter with its trace.
pub(super) const LINES: usize = 32;

/// Our end of the pipe.
#[derive(Debug)]
pub(super) struct Stderr {
    /// `None`: the other end is closed.
    pipe: Option<PipeReader>,
    /// The line that has not ended yet.
    line: Vec<u8>,
    /// Those that have, one more than can be told at most.
    lines: Vec<String>,
    next_look: Instant,
}

impl Stderr {
    /// A pipe: our end, and the one for the program.
    pub(super) fn pipe() -> io::Result<(Self, PipeWriter)> {
        let (ours, theirs) = io::pipe()?;
        fcntl(&ours, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        // A hook of another user may open /dev/stderr by its name.
        fchmod(&theirs, Mode::from_bits_truncate(0o622))?;
        let next_look = Instant::default();
        Ok((Self { pipe: Some(ours), line: Vec::new(), lines: Vec::new(), next_look }, theirs))
    }

    /// Reads what there is, unless the last look was just now.
    pub(super) fn look(&mut self, now: Instant) {
        if now >= self.next_look {
            self.next_look = now + PAUSE;
            self.read();
        }
    }

    /// Reads the rest; what comes later is lost.
    pub(super) fn finish(&mut self) {
        self.read();
        self.pipe = None;
        if !self.line.is_empty() {
            self.end_line();
        }
    }

    /// The lines since the last time; if they are more than [`LINES`], some are left out at the end.
    pub(super) fn take(&mut self) -> Vec<String> {
        std::mem::take(&mut self.lines)
    }

    /// When to look again.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.pipe.as_ref().map(|_| self.next_look)
    }

    fn read(&mut self) {
        let mut bytes = [0; PAGE];
        for _ in 0..PAGES {
            let Some(pipe) = &mut self.pipe else { return };
            match pipe.read(&mut bytes) {
                Ok(0) => self.pipe = None,
                Ok(count) => self.take_in(&bytes[..count]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => self.pipe = None,
            }
        }
    }

    fn take_in(&mut self, bytes: &[u8]) {
        for byte in bytes {
            match byte {
                b'\n' => self.end_line(),
                _ if self.line.len() < LONGEST => self.line.push(*byte),
                _ => {}
            }
        }
    }

    fn end_line(&mut self) {
        if self.lines.len() <= LINES {
            self.lines.push(String::from_utf8_lossy(&self.line).replace('"', "'"));
        }
        self.line.clear();
    }
}

/// Between two looks: nobody waits for these lines.
const PAUSE: Duration = Duration::from_millis(100);

/// Read at once, and as often in a look: all that a pipe holds, 64 KiB (pipe(7)), in some ten microseconds.
const PAGE: usize = 4096;
const PAGES: usize = 16;

/// Bytes of a line that are told.
const LONGEST: usize = 256;

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    const START: Instant = Instant::from_nanos(1);

    #[test]
    fn a_hook_that_writes_without_end_waits_for_the_next_look() {
        let (mut stderr, mut theirs) = Stderr::pipe().unwrap();
        fcntl(&theirs, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).unwrap();
        let mut fill = || (0..).take_while(|_| theirs.write(&[b'\n'; PAGE]).is_ok()).count();
        let whole = fill();
        assert!(whole <= PAGES, "{whole} pages");
        stderr.look(START);
        assert_eq!(stderr.take().len(), LINES + 1, "one more tells that there were more");
        assert_eq!(fill(), whole);
        stderr.look(START + PAUSE / 2);
        assert_eq!((stderr.take().len(), fill()), (0, 0));
        stderr.look(START + PAUSE);
        assert_eq!(fill(), whole);
        assert!(stderr.line.capacity() <= 2 * LONGEST);
    }

    #[test]
    fn lines_come_whole_but_not_longer_than_they_may_be() {
        let (mut stderr, mut theirs) = Stderr::pipe().unwrap();
        theirs.write_all(b"one\nt").unwrap();
        stderr.look(START);
        theirs.write_all(b"w\"o\n").unwrap();
        theirs.write_all(&[b'x'; 3 * LONGEST]).unwrap();
        theirs.write_all(b"\n\xff").unwrap();
        stderr.look(START + PAUSE);
        assert_eq!(stderr.take(), ["one".to_owned(), "tw'o".to_owned(), "x".repeat(LONGEST)]);
        drop(theirs);
        stderr.finish();
        assert_eq!((stderr.take(), stderr.deadline()), (vec!["\u{fffd}".to_owned()], None));
    }
}
