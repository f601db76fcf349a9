//! Writing small files so that a reader, or the next start, finds the old or the new text and never a part.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

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
    let temporary = temporary(path);
    write(&temporary, text, durability).and_then(|()| fs::rename(&temporary, path)).inspect_err(|_| {
        // What could not be written or moved is of no use; that it cannot be removed either changes nothing.
        let _ = fs::remove_file(&temporary);
    })?;
    if durability == Durability::Power {
        let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        File::open(directory.unwrap_or(Path::new(".")))?.sync_all()?;
    }
    Ok(())
}

/// Makes a directory, and those above it, unless it exists.
///
/// # Errors
///
/// What the file system says.
pub(super) fn make_directory(path: &Path, mode: u32) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(mode).create(path)
}

fn write(path: &Path, text: &str, durability: Durability) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o644).open(path)?;
    file.write_all(text.as_bytes())?;
    if durability == Durability::Power { file.sync_all() } else { Ok(()) }
}

/// In the same directory, hence the same file system, and always the same name: a crash leaves one such file at most.
fn temporary(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    path.with_file_name(name)
}
