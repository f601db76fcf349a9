//! The pid file, for init scripts. It is not a lock: a stale one is replaced, and one of another process is left alone.
//!
//! It is opened while faild may still write everywhere, and filled when faild is ready. If it cannot be removed at
//! exit, because the directory belongs to root and faild has switched to another user, it is left empty.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use nix::fcntl::OFlag;
use nix::sys::stat::{SFlag, fstat};

use crate::trusted::{LastLink, Place, Trust, kind};

/// A pid file that is removed when this is dropped.
#[derive(Debug)]
pub(super) struct PidFile {
    path: PathBuf,
    place: Place,
    file: File,
}

impl PidFile {
    /// Opens `path`, or creates it.
    ///
    /// # Errors
    ///
    /// The file is not writable.
    pub(super) fn open(path: &Path, trust: &Trust) -> anyhow::Result<Self> {
        let refusal = || {
            format!(
                "cannot write the pid file {} (create its directory, or choose another file)",
                path.display()
            )
        };
        let (place, file) = open(path, trust).with_context(refusal)?;
        Ok(Self { path: path.to_owned(), place, file })
    }

    /// Replaces its contents with our pid.
    ///
    /// # Errors
    ///
    /// The file is not writable.
    pub(super) fn fill(&mut self) -> anyhow::Result<()> {
        let pid = format!("{}\n", std::process::id());
        let written = self.file.set_len(0).and_then(|()| self.file.write_all(pid.as_bytes()));
        written.with_context(|| format!("cannot write the pid file {}", self.path.display()))
    }

    /// The contents of the file now under that name.
    fn text(&self) -> io::Result<String> {
        let mut text = String::new();
        self.place.open(OFlag::O_RDONLY, 0)?.take(LONGEST).read_to_string(&mut text)?;
        Ok(text)
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        let pid = self.text().unwrap_or_default();
        let is_ours = pid.is_empty() || pid.trim() == std::process::id().to_string();
        if is_ours && self.place.remove().is_err() {
            // If that fails, too, the file is stale, which is no obstacle.
            let _ = self.file.set_len(0);
        }
    }
}

/// A regular file, and not another user's behind a link: its directory may belong to a user other than root.
fn open(path: &Path, trust: &Trust) -> io::Result<(Place, File)> {
    let not_plain = || io::Error::other("it is not a regular file");
    let place = trust.file(path, LastLink::Keep)?;
    let file = match place.found() {
        None => place.open(OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL, 0o644)?,
        Some(found) if kind(found) == SFlag::S_IFREG => place.open(OFlag::O_WRONLY, 0)?,
        Some(_) => return Err(not_plain()),
    };
    let found = fstat(&file)?;
    if kind(&found) != SFlag::S_IFREG || found.st_nlink != 1 {
        return Err(not_plain());
    }
    trust.check_found(path, &found, &place)?;
    Ok((place, file))
}

/// Longer than any pid.
const LONGEST: u64 = 64;

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn trust() -> Trust {
        Trust::in_users([], None)
    }

    fn scratch(name: &str) -> PathBuf {
        std::env::temp_dir().join(format!("faild-pid-{}-{name}", std::process::id()))
    }

    #[test]
    fn it_replaces_a_stale_one_and_goes_with_us_but_not_with_another() {
        let path = scratch("stale");
        fs::write(&path, "99999999\n").unwrap();
        let mut file = PidFile::open(&path, &trust()).unwrap();
        file.fill().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), format!("{}\n", std::process::id()));
        drop(file);
        assert!(!path.exists());
        let mut file = PidFile::open(&path, &trust()).unwrap();
        file.fill().unwrap();
        fs::write(&path, "1\n").unwrap();
        drop(file);
        assert_eq!(fs::read_to_string(&path).unwrap(), "1\n");
        fs::remove_file(&path).unwrap();
    }

    #[test]
    fn a_start_that_fails_leaves_what_was_there() {
        let path = scratch("failed");
        fs::write(&path, "1\n").unwrap();
        drop(PidFile::open(&path, &trust()).unwrap());
        assert_eq!(fs::read_to_string(&path).unwrap(), "1\n");
        fs::remove_file(&path).unwrap();
    }

    #[test]
    fn links_are_refused() {
        let (path, target) = (scratch("link"), scratch("target"));
        fs::write(&target, "").unwrap();
        std::os::unix::fs::symlink(&target, &path).unwrap();
        assert!(PidFile::open(&path, &trust()).is_err());
        fs::remove_file(&path).unwrap();
        fs::hard_link(&target, &path).unwrap();
        assert!(PidFile::open(&path, &trust()).is_err());
        fs::remove_file(&path).unwrap();
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert!(PidFile::open(&path, &trust()).is_err(), "a pipe is not waited for");
        fs::remove_file(&path).unwrap();
        fs::remove_file(&target).unwrap();
    }
}
