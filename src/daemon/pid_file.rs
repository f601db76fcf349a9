//! The pid file, for init scripts. It is no lock: a stale one is no obstacle, and one of another process is left alone.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;

use super::files::{self, Durability};

/// A pid file that goes when this is dropped.
#[derive(Debug)]
pub(super) struct PidFile(PathBuf);

impl PidFile {
    /// Writes our pid to `path`.
    ///
    /// # Errors
    ///
    /// The file cannot be written.
    pub(super) fn write(path: &Path) -> anyhow::Result<Self> {
        let pid = format!("{}\n", std::process::id());
        files::replace(path, &pid, Durability::Process)
            .with_context(|| format!("cannot write the pid file {}", path.display()))?;
        Ok(Self(path.to_owned()))
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        let pid = fs::read_to_string(&self.0).unwrap_or_default();
        if pid.trim() == std::process::id().to_string() {
            // Where it cannot be removed it is a stale one, which is no obstacle.
            let _ = fs::remove_file(&self.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_replaces_a_stale_one_and_goes_with_us_but_not_with_another() {
        let path = std::env::temp_dir().join(format!("faild-pid-{}", std::process::id()));
        fs::write(&path, "99999999\n").unwrap();
        let file = PidFile::write(&path).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), format!("{}\n", std::process::id()));
        drop(file);
        assert!(!path.exists());
        let file = PidFile::write(&path).unwrap();
        fs::write(&path, "1\n").unwrap();
        drop(file);
        assert_eq!(fs::read_to_string(&path).unwrap(), "1\n");
        fs::remove_file(&path).unwrap();
    }
}
