//! A directory for a test, which goes with it.

use std::fs;
use std::path::PathBuf;

/// See the module.
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
