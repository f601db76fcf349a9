//! Persistent state: the core's memory in the state directory (survives a reboot), its journal in the runtime
//! directory (survives a crash).
//!
//! The memory is synced to the disk, which may take very long when the disk is failing: a short-lived thread does it,
//! so that probing continues. The journal must precede the operations that depend on it, so it is written at once, but
//! only to the page cache.

mod file;

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError, sync_channel};
use std::time::Duration;

use anyhow::Context;
use log::{Level, error, info, warn};

use super::files::{self, Durability};
use super::heap;
use crate::core::Memory;
use crate::operation::Refusal;
use crate::reconcile::JournalWrite;
use crate::wire::NodeId;

/// The file of the memory.
#[derive(Debug)]
pub(super) struct State {
    /// `None` in a dry run: nothing is written.
    path: Option<PathBuf>,
    /// The text to write once the writer has finished.
    waiting: Option<String>,
    /// The result of the writer that is running.
    writer: Option<Receiver<io::Result<()>>>,
    failing: bool,
}

impl State {
    /// Reads the file and makes sure that it can be written; chooses a node id if there is none.
    ///
    /// # Errors
    ///
    /// The directory is not writable, in one line with the fix. A full disk is not an error: a host with a full disk
    /// still needs its LANs.
    pub(super) fn open(directory: &Path, is_dry_run: bool) -> anyhow::Result<(Self, Memory)> {
        let path = directory.join("state.toml");
        let mut memory = if is_dry_run { peek(&path) } else { load(&path)? };
        if memory.peers.node.is_none() {
            memory.peers.node = Some(NodeId(u64::from_le_bytes(random()?)));
        }
        let failing = !is_dry_run && !is_written(&path, &memory)?;
        let path = Some(path).filter(|_| !is_dry_run);
        Ok((Self { path, waiting: None, writer: None, failing }, memory))
    }

    /// Has the memory written, soon.
    pub(super) fn remember(&mut self, memory: &Memory) {
        self.waiting = Some(file::text(memory));
        self.attend();
    }

    /// Checks on the writer; to be called now and then.
    pub(super) fn attend(&mut self) {
        match self.writer.as_ref().map(Receiver::try_recv) {
            Some(Err(TryRecvError::Empty)) => return,
            Some(Ok(result)) => self.on_written(result),
            Some(Err(TryRecvError::Disconnected)) | None => {}
        }
        self.writer = None;
        if let (Some(path), Some(text)) = (self.path.clone(), self.waiting.take()) {
            self.writer = Some(start_writer(path, text));
        }
    }

    /// Waits until everything is written, at most this long.
    pub(super) fn finish(&mut self, limit: Duration) {
        self.attend();
        while let Some(writer) = self.writer.take() {
            match writer.recv_timeout(limit) {
                Ok(result) => self.on_written(result),
                Err(RecvTimeoutError::Timeout) => {
                    warn!("state-file-write-failed cause=\"the disk does not respond\"")
                }
                Err(RecvTimeoutError::Disconnected) => {}
            }
            self.attend();
        }
    }

    fn on_written(&mut self, result: io::Result<()>) {
        match result {
            Ok(()) if self.failing => info!("state-file-write-ok"),
            Err(ref error) if !self.failing => {
                let path = self.path.as_deref().unwrap_or(Path::new("?")).display();
                error!(
                    "state-file-write-failed file={path} action=\"lost at the next start, unless a later write succeeds\" error=\"{error}\""
                );
            }
            _ => {}
        }
        self.failing = result.is_err();
        heap::trim();
    }
}

/// The file of the reconciler's journal.
#[derive(Debug)]
pub(super) struct Journal {
    /// `None` in a dry run.
    path: Option<PathBuf>,
    waiting: Option<JournalWrite>,
    failing: bool,
}

impl Journal {
    /// Reads the journal of an earlier run.
    ///
    /// # Errors
    ///
    /// The directory cannot be created.
    pub(super) fn open(directory: &Path, is_dry_run: bool) -> anyhow::Result<(Self, Option<String>)> {
        let path = directory.join("journal");
        if !is_dry_run {
            make_directory(directory, 0o755)?;
        }
        let text = match files::read(&path, LONGEST) {
            Ok(text) => Some(text),
            Err(error) => {
                if error.kind() != io::ErrorKind::NotFound && !is_dry_run {
                    set_journal_aside(&path, &error);
                }
                None
            }
        };
        let path = Some(path).filter(|_| !is_dry_run);
        Ok((Self { path, waiting: None, failing: false }, text))
    }

    /// Takes the next text to write; text to append is added to text that is already waiting.
    pub(super) fn hold(&mut self, write: JournalWrite) {
        self.waiting = Some(match (self.waiting.take(), write) {
            (Some(JournalWrite::Append(before)), JournalWrite::Append(text)) => {
                JournalWrite::Append(before + &text)
            }
            (Some(JournalWrite::Replace(before)), JournalWrite::Append(text)) => {
                JournalWrite::Replace(before + &text)
            }
            (_, write) => write,
        });
    }

    /// Whether there is something to write.
    pub(super) const fn is_waiting(&self) -> bool {
        self.waiting.is_some()
    }

    /// Writes the waiting text, if there is any; returns the result.
    pub(super) fn write(&mut self) -> Option<Result<(), Refusal>> {
        let write = self.waiting.take()?;
        let Some(path) = &self.path else { return Some(Ok(())) };
        let result = match &write {
            JournalWrite::Append(text) => files::append(path, text),
            JournalWrite::Replace(text) => files::replace(path, text, Durability::Process),
        };
        Some(result.map_err(|error| Refusal {
            errno: error.raw_os_error().unwrap_or(nix::libc::EIO),
            text: format!("{}: {error}", path.display()),
        }))
    }

    /// The message to log for a result: for the first failure, and the first success after it.
    pub(super) fn news(&mut self, result: &Result<(), Refusal>) -> Option<(Level, String)> {
        let was_failing = std::mem::replace(&mut self.failing, result.is_err());
        let file = self.path.as_deref().unwrap_or(Path::new("?")).display();
        match result {
            Ok(()) if was_failing => Some((Level::Info, format!("journal-write-ok file={file}"))),
            Err(refusal) if !was_failing => Some((
                Level::Error,
                format!(
                    "journal-write-failed file={file} action=\"routes fail over as before, no address is parked or removed, and a crash may lose routes and addresses\" fix=\"make room there, or make it writable\" error=\"{}\"",
                    refusal.text
                ),
            )),
            Ok(()) | Err(_) => None,
        }
    }
}

/// Without the journal, operations interrupted by a crash cannot be finished, but without a daemon there is no failover
/// at all.
fn set_journal_aside(path: &Path, error: &io::Error) {
    let kept = files::set_aside(path);
    error!(
        "journal-unreadable file={} saved-as={kept} action=\"not restoring routes and addresses saved before a crash\" error=\"{error}\"",
        path.display()
    );
}

/// Bytes that cannot be guessed: since Linux 5.6 this waits until the generator is seeded, and never again.
///
/// # Errors
///
/// There is no /dev/random.
pub(super) fn random<const N: usize>() -> anyhow::Result<[u8; N]> {
    let mut bytes = [0; N];
    let source = fs::File::open("/dev/random").and_then(|mut file| file.read_exact(&mut bytes));
    source.context("cannot read /dev/random")?;
    Ok(bytes)
}

/// The memory, if it can be read; nothing is changed.
fn peek(path: &Path) -> Memory {
    files::read(path, LONGEST).ok().and_then(|text| file::parse(&text).ok()).unwrap_or_default()
}

/// The memory. A file that cannot be parsed is set aside: faild must start, and a person may want to look at it.
fn load(path: &Path) -> anyhow::Result<Memory> {
    if let Some(directory) = path.parent() {
        make_directory(directory, 0o755)?;
    }
    let problem = match files::read(path, LONGEST).map(|text| file::parse(&text)) {
        Ok(Ok(memory)) => return Ok(memory),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Default::default()),
        Err(error) if error.kind() != io::ErrorKind::InvalidData => {
            return Err(error)
                .with_context(|| format!("cannot read {}: make it readable, or remove it", path.display()));
        }
        Ok(Err(problem)) => problem,
        Err(error) => error.to_string(),
    };
    let kept = files::set_aside(path);
    warn!(
        "state-file-unreadable file={} saved-as={kept} action=\"using a new node id; penalties are lost\" error=\"{problem}\"",
        path.display()
    );
    Ok(Default::default())
}

/// Writes the memory; false if there is no space for it now.
fn is_written(path: &Path, memory: &Memory) -> anyhow::Result<bool> {
    match write(path, memory) {
        Ok(()) => Ok(true),
        Err(error) if is_full(&error) => {
            error!(
                "state-file-write-failed file={} action=\"lost at the next start, unless a later write succeeds\" error=\"{error}\"",
                path.display()
            );
            Ok(false)
        }
        Err(error) => Err(error).with_context(|| {
            format!(
                "cannot write {}: make it writable, or choose another directory with --state-dir",
                path.display()
            )
        }),
    }
}

/// Whether the disk is full, which is not an error in the configuration.
fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

fn make_directory(directory: &Path, mode: u32) -> anyhow::Result<()> {
    files::make_directory(directory, mode).with_context(|| {
        format!(
            "cannot create {}: create it by hand, or choose another directory with --state-dir",
            directory.display()
        )
    })
}

fn write(path: &Path, memory: &Memory) -> io::Result<()> {
    files::replace(path, &file::text(memory), Durability::Power)
}

fn start_writer(path: PathBuf, text: String) -> Receiver<io::Result<()>> {
    let (tell, told) = sync_channel(1);
    let write = move || {
        // This fails if the daemon has exited in the meantime.
        let _ = tell.send(files::replace(&path, &text, Durability::Power));
    };
    // Without a thread the channel closes at once, and the next memory is a new attempt.
    if let Err(error) = files::in_background("faild-state", write) {
        warn!("state-file-write-failed error=\"no thread: {error}\"");
    }
    told
}

/// Memory of 4,096 peers on eight LANs with some addresses each is about 8 MB; the journal of 100,000 routes more.
const LONGEST: u64 = 64 << 20;

#[cfg(test)]
mod tests;
