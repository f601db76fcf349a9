//! The pid file, for init scripts. It is no lock: a stale one is no obstacle, and one of another process is left alone.
//!
//! It is opened while faild may still write everywhere, and filled when faild is ready. Where it cannot be removed at
//! the end, because the directory belongs to root and faild has become somebody else, it is left empty.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::Context;
use nix::libc;

/// A pid file that goes when this is dropped.
#[derive(Debug)]
pub(super) struct PidFile {
    path: PathBuf,
    file: File,
}

impl PidFile {
    /// Opens `path`, or makes it.
    ///
    /// # Errors
    ///
    /// The file cannot be written.
    pub(super) fn open(path: &Path) -> anyhow::Result<Self> {
        let refusal = || {
            format!("cannot write the pid file {} (make its directory, or name another file)", path.display())
        };
        let file = open(path).with_context(refusal)?;
        Ok(Self { path: path.to_owned(), file })
    }

    /// Writes our pid into it, in place of what was there.
    ///
    /// # Errors
    ///
    /// The file cannot be written.
    pub(super) fn fill(&mut self) -> anyhow::Result<()> {
        let pid = format!("{}\n", std::process::id());
        let written = self.file.set_len(0).and_then(|()| self.file.write_all(pid.as_bytes()));
        written.with_context(|| format!("cannot write the pid file {}", self.path.display()))
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        let pid = fs::read_to_string(&self.path).unwrap_or_default();
        let is_ours = pid.is_empty() || pid.trim() == std::process::id().to_string();
        if is_ours && fs::remove_file(&self.path).is_err() {
            // One that cannot be emptied either is a stale one, which is no obstacle.
            let _ = self.file.set_len(0);
        }
    }
}

/// A plain file, and no other's behind a link: its directory may belong to somebody who is not root.
fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false).mode(0o644).custom_flags(libc::O_NOFOLLOW);
    let file = options.open(path)?;
    let found = file.metadata()?;
    if found.is_file() && found.nlink() == 1 {
        Ok(file)
    } else {
        Err(io::Error::other("it is not a plain file"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scratch(name: &str) -> PathBuf {
        std::env::temp_dir().join(format!("faild-pid-{}-{name}", std::process::id()))
    }

    #[test]
    fn it_replaces_a_stale_one_and_goes_with_us_but_not_with_another() {
        let path = scratch("stale");
        fs::write(&path, "99999999\n").unwrap();
        let mut file = PidFile::open(&path).unwrap();
        file.fill().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), format!("{}\n", std::process::id()));
        drop(file);
        assert!(!path.exists());
        let mut file = PidFile::open(&path).unwrap();
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
        drop(PidFile::open(&path).unwrap());
        assert_eq!(fs::read_to_string(&path).unwrap(), "1\n");
        fs::remove_file(&path).unwrap();
    }

    #[test]
    fn links_are_refused() {
        let (path, target) = (scratch("link"), scratch("target"));
        fs::write(&target, "").unwrap();
        std::os::unix::fs::symlink(&target, &path).unwrap();
        assert!(PidFile::open(&path).is_err());
        fs::remove_file(&path).unwrap();
        fs::hard_link(&target, &path).unwrap();
        assert!(PidFile::open(&path).is_err());
        fs::remove_file(&path).unwrap();
        fs::remove_file(&target).unwrap();
    }
}
