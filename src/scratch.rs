//! What tests need: a directory that goes with the test, or root.

use std::fs;
use std::io::Write;
use std::path::PathBuf;

/// A directory for a test.
pub(crate) struct Scratch(pub(crate) PathBuf);

impl Scratch {
    /// An empty one; `name` tells it from those of other tests that run at the same time.
    pub(crate) fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("faild-test-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir(&path).expect("cannot make a directory for a test");
        Self(path)
    }

    /// What has this name in it.
    pub(crate) fn at(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Skips a test that makes namespaces, or files of other users, if it does not run as root, and says so.
macro_rules! needs_root {
    () => {
        if !nix::unistd::geteuid().is_root() {
            return $crate::scratch::tell_skipped();
        }
    };
}
pub(crate) use needs_root;

/// Writes to the real standard error: what a test prints is captured, and shown only if it fails.
pub(crate) fn tell_skipped() {
    let name = std::thread::current().name().unwrap_or_default().to_owned();
    let _ = writeln!(std::io::stderr(), "skipped (needs root): {name}");
}
