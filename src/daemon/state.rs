//! What survives: the core's memory in the state directory (a reboot), its journal in the runtime
//! directory (the death of the process).
//!
//! The memory is forced to the disk, which may take as long as it likes when the disk is dying: that is done by a
//! thread that lives only as long, so that probing goes on. The journal goes before the operations that depend on it,
//! so that is written at once, but only as far as the page cache.

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
    /// What is to be written once the writer has ended.
    waiting: Option<String>,
    /// Where the writer that is at work tells how it ended.
    writer: Option<Receiver<io::Result<()>>>,
    failing: bool,
}

impl State {
    /// Reads what is there and makes sure that it can be written; draws a node id if there is none.
    ///
    /// # Errors
    ///
    /// The directory cannot be written, in one line with the way out. A full disk is none: a host whose disk is full
    /// needs its LANs all the same.
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

    /// Looks after the writer; to be called now and then.
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

    /// Waits until all is written, at most this long.
    pub(super) fn finish(&mut self, limit: Duration) {
        self.attend();
        while let Some(writer) = self.writer.take() {
            match writer.recv_timeout(limit) {
                Ok(result) => self.on_written(result),
                Err(RecvTimeoutError::Timeout) => {
                    warn!("state-not-written reason=\"the disk does not answer\"")
                }
                Err(RecvTimeoutError::Disconnected) => {}
            }
            self.attend();
        }
    }

    fn on_written(&mut self, result: io::Result<()>) {
        match result {
            Ok(()) if self.failing => info!("state-written"),
            Err(ref error) if !self.failing => {
                let path = self.path.as_deref().unwrap_or(Path::new("?")).display();
                error!(
                    "state-not-written file={path} error=\"{error}\" consequence=\"forgotten at the next start\""
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
    /// Reads what a former run left.
    ///
    /// # Errors
    ///
    /// The directory cannot be made.
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

    /// Takes what is to be written next; what is to be appended is put behind what waits already.
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

    /// Whether something is to be written.
    pub(super) const fn is_waiting(&self) -> bool {
        self.waiting.is_some()
    }

    /// Writes what waits, if anything does; how it went.
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

    /// What people are told of a result: the first failure, and the first success after it.
    pub(super) fn news(&mut self, result: &Result<(), Refusal>) -> Option<(Level, String)> {
        let was_failing = std::mem::replace(&mut self.failing, result.is_err());
        let file = self.path.as_deref().unwrap_or(Path::new("?")).display();
        match result {
            Ok(()) if was_failing => Some((Level::Info, format!("journal-written file={file}"))),
            Err(refusal) if !was_failing => Some((
                Level::Error,
                format!(
                    "journal-not-written file={file} error=\"{}\" action=\"routes fail over as before, no address is parked or removed, and a crash may lose routes and addresses\" fix=\"make room there, or make it writable\"",
                    refusal.text
                ),
            )),
            Ok(()) | Err(_) => None,
        }
    }
}

/// Without the journal what a crash left open cannot be finished, but without a daemon there is no failover at all.
fn set_journal_aside(path: &Path, error: &io::Error) {
    let kept = files::set_aside(path);
    error!(
        "journal-unreadable file={} error=\"{error}\" kept-as={kept} consequence=\"routes and addresses that a crash left to be put back are not\"",
        path.display()
    );
}

/// Bytes that nobody can guess: since Linux 5.6 this waits until the generator is seeded and never again.
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

/// The memory, as far as it can be read; nothing is changed.
fn peek(path: &Path) -> Memory {
    files::read(path, LONGEST).ok().and_then(|text| file::parse(&text).ok()).unwrap_or_default()
}

/// The memory. What cannot be understood is set aside: faild must start, and a person may want to look.
fn load(path: &Path) -> anyhow::Result<Memory> {
    if let Some(directory) = path.parent() {
        make_directory(directory, 0o755)?;
    }
    let problem = match files::read(path, LONGEST).map(|text| file::parse(&text)) {
        Ok(Ok(memory)) => return Ok(memory),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Default::default()),
        Err(error) if error.kind() != io::ErrorKind::InvalidData => {
            return Err(error)
                .with_context(|| format!("cannot read {}; let faild read it, or remove it", path.display()));
        }
        Ok(Err(problem)) => problem,
        Err(error) => error.to_string(),
    };
    let kept = files::set_aside(path);
    warn!(
        "state-unreadable file={} error=\"{problem}\" kept-as={kept} consequence=\"a new node id, penalties forgotten\"",
        path.display()
    );
    Ok(Default::default())
}

/// Writes the memory; false if there is no room for it now.
fn is_written(path: &Path, memory: &Memory) -> anyhow::Result<bool> {
    match write(path, memory) {
        Ok(()) => Ok(true),
        Err(error) if is_full(&error) => {
            error!(
                "state-not-written file={} error=\"{error}\" consequence=\"unknown to the next start, until there is room\"",
                path.display()
            );
            Ok(false)
        }
        Err(error) => Err(error).with_context(|| {
            format!(
                "cannot write {}: make it writable, or name another place with --state-dir",
                path.display()
            )
        }),
    }
}

/// Whether this is a matter of room, and no fault of the settings.
fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

fn make_directory(directory: &Path, mode: u32) -> anyhow::Result<()> {
    files::make_directory(directory, mode).with_context(|| {
        format!(
            "cannot make {}: make it by hand, or name another place with --state-dir",
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
        // Nobody listens any more when the daemon has ended meanwhile.
        let _ = tell.send(files::replace(&path, &text, Durability::Power));
    };
    // Without a thread the channel closes at once, and the next memory is a new attempt.
    if let Err(error) = files::in_background("faild-state", write) {
        warn!("state-not-written error=\"no thread: {error}\"");
    }
    told
}

/// Memory of 4,096 peers on eight LANs with some addresses each is about 8 MB; the journal of 100,000 routes more.
const LONGEST: u64 = 64 << 20;

#[cfg(test)]
mod tests;
