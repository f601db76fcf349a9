//! Writing small files so that a reader, or the next start, finds the old or the new text and never a part.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::libc::{O_NOFOLLOW, O_NONBLOCK};

/// Whether a file must survive the loss of power.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Durability {
    /// On the disk when the call returns, which may take long.
    Power,
    /// In the page cache: survives the death of the process.
    Process,
}

/// Puts `text` in place of what is at `path`.
///
/// # Errors
///
/// What the file system says; then the old text is still there.
pub(super) fn replace(path: &Path, text: &str, durability: Durability) -> io::Result<()> {
    replace_with(path, text, durability, 0o644)
}

/// The same for what others may not read.
///
/// # Errors
///
/// As [`replace`].
pub(super) fn replace_private(path: &Path, text: &str, durability: Durability) -> io::Result<()> {
    replace_with(path, text, durability, 0o600)
}

/// Writes `text` behind what is at `path`, which must be there. It survives the death of the process.
///
/// # Errors
///
/// What the file system says; then a part of it may be there.
pub(super) fn append(path: &Path, text: &str) -> io::Result<()> {
    let flags = O_NONBLOCK | O_NOFOLLOW;
    OpenOptions::new().append(true).custom_flags(flags).open(path)?.write_all(text.as_bytes())
}

fn replace_with(path: &Path, text: &str, durability: Durability, mode: u32) -> io::Result<()> {
    let temporary = temporary(path);
    write(&temporary, text, durability, mode).and_then(|()| fs::rename(&temporary, path)).inspect_err(
        |_| {
            // What could not be written or moved is of no use; that it cannot be removed either changes nothing.
            let _ = fs::remove_file(&temporary);
        },
    )?;
    if durability == Durability::Power {
        let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        File::open(directory.unwrap_or(Path::new(".")))?.sync_all()?;
    }
    Ok(())
}

/// Sees to it that a file is on the disk soon, by a thread that may wait for it.
pub(super) fn sync_later(path: &Path) {
    let path = path.to_owned();
    let sync = move || {
        let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        // What cannot be synchronised is in the page cache all the same.
        let _ = File::open(&path).and_then(|file| file.sync_all());
        let _ = File::open(directory.unwrap_or(Path::new("."))).and_then(|directory| directory.sync_all());
    };
    // As above: without a thread only the loss of power can harm it.
    let _ = std::thread::Builder::new().name("faild-sync".to_owned()).spawn(sync);
}

/// A whole file, or as much of it as is sensible; a pipe is an empty file, and nobody waits for who might write to it.
///
/// # Errors
///
/// What the file system says, or that it is not text.
pub(super) fn read(path: &Path, longest: u64) -> io::Result<String> {
    let mut text = String::new();
    let file = OpenOptions::new().read(true).custom_flags(O_NONBLOCK).open(path)?;
    file.take(longest).read_to_string(&mut text)?;
    Ok(text)
}

/// Makes a directory, and those above it, unless it exists.
///
/// # Errors
///
/// What the file system says.
pub(super) fn make_directory(path: &Path, mode: u32) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(mode).create(path)
}

fn write(path: &Path, text: &str, durability: Durability, mode: u32) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(path)?;
    file.write_all(text.as_bytes())?;
    if durability == Durability::Power { file.sync_all() } else { Ok(()) }
}

/// In the same directory, hence the same file system, and always the same name: a crash leaves one such file at most.
fn temporary(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    path.with_file_name(name)
}
