//! Whether faild can create its directories and its pid file, for `--check`: nothing is created.
//!
//! A start finds out by creating them, and reports errors itself; a reload must not check this, because faild has
//! dropped the privileges that it created them with.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::errno::Errno;
use nix::sys::statfs::{PROC_SUPER_MAGIC, SYSFS_MAGIC, statfs};
use nix::unistd::{AccessFlags, eaccess, geteuid};

use super::fault::{Fault, Origin};
use super::{Config, account};
use crate::trusted::Trust;

/// Errors with the state directories and the pid file that a start would find.
pub fn check_places(config: &Config) -> Vec<Fault> {
    let trust = account::trust(&config.user);
    let look = |path| directory_refusal(path, &trust);
    let state = look(&config.state_dir).map(|refusal| (&config.state_dir, refusal));
    let runtime = look(&config.runtime_dir).map(|refusal| (&config.runtime_dir, refusal));
    let directories = state.into_iter().chain(runtime.filter(|_| config.runtime_dir != config.state_dir));
    let texts = directories.map(|(path, refusal)| {
        format!("state directory {} {refusal}; choose another with --state-dir", path.display())
    });
    let pid_file = config.pid_file.as_deref().and_then(|path| Some((path, pid_file_refusal(path, &trust)?)));
    let texts = texts.chain(pid_file.map(|(path, refusal)| {
        format!("pid file {} {refusal}; create its directory, or choose another file", path.display())
    }));
    texts.map(|text| Fault::environment(Origin::Flag, text)).collect()
}

/// A missing directory is created, with its parents.
fn directory_refusal(path: &Path, trust: &Trust) -> Option<String> {
    let (place, found) = path.ancestors().find_map(|place| Some((place, fs::metadata(place).ok()?)))?;
    match found.is_dir() {
        true => unwritable(place).or_else(|| untrusted(trust.check_directory(path))),
        false => Some(format!("cannot be used: {} is not a directory", place.display())),
    }
}

/// Its directory must exist; only a regular file is written to.
fn pid_file_refusal(path: &Path, trust: &Trust) -> Option<String> {
    let directory = path.parent().unwrap_or(Path::new("/"));
    let refusal = match fs::symlink_metadata(path) {
        Ok(found) if found.is_file() && found.nlink() == 1 => unwritable(path),
        Ok(_) => Some("is not a regular file".to_owned()),
        Err(_) if directory.is_dir() => unwritable(directory),
        Err(_) => Some(format!("cannot be created: there is no directory {}", directory.display())),
    };
    refusal.or_else(|| untrusted(trust.check_file(path)))
}

fn untrusted(checked: io::Result<()>) -> Option<String> {
    checked.err().map(|error| format!("cannot be used: {error}"))
}

fn unwritable(place: &Path) -> Option<String> {
    // For root, /proc looks writable.
    if statfs(place).is_ok_and(|found| [PROC_SUPER_MAGIC, SYSFS_MAGIC].contains(&found.filesystem_type())) {
        return Some(format!("cannot be created: {} is a kernel file system", place.display()));
    }
    match eaccess(place, AccessFlags::W_OK) {
        Ok(()) => None,
        // A check by another user shows nothing about a start by root.
        Err(Errno::EACCES) if !geteuid().is_root() => None,
        Err(errno) => {
            Some(format!("cannot be created: {} is not writable: {}", place.display(), errno.desc()))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::scratch::needs_root;

    #[test]
    fn places_that_can_be_created_are_no_error_and_are_not_created() {
        let place = std::env::temp_dir().join(format!("faild-places-check-{}", std::process::id()));
        assert_eq!(faults(&place.join("a/b"), None), NONE);
        assert!(!place.exists());
        fs::create_dir(&place).unwrap();
        assert_eq!(faults(&place, Some(&place.join("pid"))), NONE);
        fs::write(place.join("stale"), "1").unwrap();
        assert_eq!(faults(&place, Some(&place.join("stale"))), NONE);
        assert_eq!(fs::read_dir(&place).unwrap().count(), 1);
        fs::remove_dir_all(&place).unwrap();
    }

    #[test]
    fn places_that_cannot_be_created_are_reported_once_with_a_fix() {
        for (directory, text) in [
            ("/dev/null", "cannot be used: /dev/null is not a directory"),
            ("/dev/null/x", "cannot be used: /dev/null is not a directory"),
            ("/proc/x", "cannot be created: /proc is a kernel file system"),
            ("/sys/x/y", "cannot be created: /sys is a kernel file system"),
        ] {
            let fault = format!("state directory {directory} {text}; choose another with --state-dir");
            assert_eq!(faults(Path::new(directory), None), [fault]);
        }
        for (file, text) in [
            ("/nonexistent/pid", "cannot be created: there is no directory /nonexistent"),
            ("/dev/null/pid", "cannot be created: there is no directory /dev/null"),
            ("/dev/null", "is not a regular file"),
            ("/proc/pid", "cannot be created: /proc is a kernel file system"),
        ] {
            let fault = format!("pid file {file} {text}; create its directory, or choose another file");
            assert_eq!(faults(Path::new("/run"), Some(Path::new(file))), [fault]);
        }
    }

    #[test]
    fn places_of_another_user_are_reported() {
        needs_root!();
        let place = std::env::temp_dir().join(format!("faild-places-theirs-{}", std::process::id()));
        fs::create_dir(&place).unwrap();
        std::os::unix::fs::chown(&place, Some(12_345), None).unwrap();
        let found = faults(&place.join("a"), Some(&place.join("pid")));
        fs::remove_dir(&place).unwrap();
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(
            found.iter().all(|fault| fault.contains("belongs to user 12345; run chown root on it")),
            "{found:?}"
        );
    }

    const NONE: [String; 0] = [];

    fn faults(state: &Path, pid_file: Option<&Path>) -> Vec<String> {
        let (state_dir, runtime_dir) = (state.to_owned(), state.to_owned());
        let pid_file = pid_file.map(PathBuf::from);
        let config = Config { state_dir, runtime_dir, pid_file, ..Config::default() };
        check_places(&config).iter().map(ToString::to_string).collect()
    }
}
