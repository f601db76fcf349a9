//! Gives files created by root, or by an earlier run as another user, to the user that faild runs as.
//!
//! Only faild's files are changed: its own directories, another one if it is empty or contains faild's files, and the
//! log. No link is followed: a file with two hard links, or one that is not a regular file, is left alone, so that a
//! user who could write to a directory is not given the files of others.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::fchown;
use std::path::Path;

use anyhow::Context;
use log::warn;
use nix::dir::Dir;
use nix::fcntl::{AtFlags, OFlag, openat};
use nix::sys::stat::{Mode, SFlag, fstat, fstatat};

use crate::config::Config;
use crate::config::account::Account;
use crate::control::SOCKET;
use crate::trusted::{LastLink, Trust, kind};

/// Creates missing state directories, and makes sure that no other user can create files in one or replace one. In a
/// dry run nothing is created.
///
/// # Errors
///
/// One of them cannot be created, or is not trusted, in one line with the fix.
pub(in crate::daemon) fn prepare(config: &Config, trust: &Trust) -> anyhow::Result<()> {
    for path in [&config.state_dir, &config.runtime_dir] {
        let checked = match config.dry_run {
            true => trust.check_directory(path),
            false => trust.directory(path, Some(0o755)).map(drop),
        };
        checked.with_context(|| {
            format!("cannot use the state directory {} (choose another with --state-dir)", path.display())
        })?;
    }
    Ok(())
}

/// Gives everything to the user. A failure is logged, but does not prevent the start: if a file cannot be written
/// later, that is reported then.
pub(super) fn hand_over(config: &Config, account: &Account, trust: &Trust) {
    let defaults = Config::default();
    let own = [&defaults.state_dir, &defaults.runtime_dir];
    for directory in [&config.state_dir, &config.runtime_dir] {
        report(directory, hand_over_directory(directory, own.contains(&directory), account, trust));
    }
    if let Some(log) = &config.log {
        report(log, hand_over_log(log, account, trust));
    }
}

fn report(path: &Path, result: io::Result<()>) {
    if let Err(error) = result {
        warn!("chown-failed path={} error=\"{error}\"", path.display());
    }
}

/// A directory and the files in it; created if it does not exist.
fn hand_over_directory(path: &Path, is_own: bool, account: &Account, trust: &Trust) -> io::Result<()> {
    let directory = trust.directory(path, Some(0o755))?;
    let owner = fstat(&directory)?.st_uid;
    let names = names(&directory)?;
    let is_there = |name: &&str| fstatat(&directory, *name, AtFlags::AT_SYMLINK_NOFOLLOW).is_ok();
    let is_ours = is_own || names.is_empty() || OURS.iter().any(is_there);
    if owner == account.uid || !is_ours || (owner != 0 && account.uid != 0) {
        return Ok(());
    }
    for name in names {
        let found = fstatat(&directory, name.as_os_str(), AtFlags::AT_SYMLINK_NOFOLLOW)?;
        if kind(&found) == SFlag::S_IFREG {
            let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
            let file = openat(&directory, name.as_os_str(), flags, Mode::empty())?;
            hand_over_file(&file, account, Some(account.gid))?;
        }
    }
    // The directory last: until then no other user can create files in it.
    fchown(&directory, Some(account.uid), Some(account.gid))?;
    Ok(())
}

/// A symbolic link, or a device such as a terminal, is left as the administrator wants it.
fn hand_over_log(path: &Path, account: &Account, trust: &Trust) -> io::Result<()> {
    let place = trust.file(path, LastLink::Keep)?;
    match place.found() {
        Some(found) if kind(found) == SFlag::S_IFREG => {
            hand_over_file(&place.open(OFlag::O_RDONLY, 0)?, account, None)
        }
        Some(_) | None => Ok(()),
    }
}

fn hand_over_file(file: &impl AsFd, account: &Account, gid: Option<u32>) -> io::Result<()> {
    let found = fstat(file)?;
    let is_plain = kind(&found) == SFlag::S_IFREG && found.st_nlink == 1;
    if is_plain && found.st_uid != account.uid && (found.st_uid == 0 || account.uid == 0) {
        fchown(file, Some(account.uid), gid)?;
    }
    Ok(())
}

/// The names in a directory, at most as many as are handed over.
fn names(directory: &OwnedFd) -> io::Result<Vec<OsString>> {
    let mut listing = Dir::from_fd(directory.try_clone()?)?;
    let name = |entry: nix::Result<nix::dir::Entry>| {
        let name = OsStr::from_bytes(entry.ok()?.file_name().to_bytes()).to_owned();
        (name != OsStr::new(".") && name != OsStr::new("..")).then_some(name)
    };
    Ok(listing.iter().filter_map(name).take(FILES).collect())
}

/// A directory with one of these belongs to faild.
const OURS: [&str; 3] = ["state.toml", "journal", SOCKET];

/// How many files of a directory are handed over: faild keeps a handful.
const FILES: usize = 64;

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::os::unix::fs::MetadataExt;
    use std::path::PathBuf;

    use super::*;
    use crate::scratch::needs_root;

    fn trust() -> Trust {
        Trust::in_users([12_345], Some(54_321))
    }

    fn somebody() -> Account {
        Account { name: "somebody".to_owned(), uid: 12_345, gid: 54_321, groups: vec![54_321] }
    }

    fn scratch(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("faild-places-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        path
    }

    fn owner(path: &Path) -> (u32, u32) {
        let found = fs::symlink_metadata(path).unwrap();
        (found.uid(), found.gid())
    }

    #[test]
    fn a_new_directory_and_one_with_our_files_are_handed_over() {
        needs_root!();
        let path = scratch("ours");
        hand_over_directory(&path, false, &somebody(), &trust()).unwrap();
        assert_eq!(owner(&path), (12_345, 54_321));
        fchown(File::open(&path).unwrap(), Some(0), Some(0)).unwrap();
        fs::write(path.join("state.toml"), "").unwrap();
        hand_over_directory(&path, false, &somebody(), &trust()).unwrap();
        assert_eq!(owner(&path.join("state.toml")), (12_345, 54_321));
        assert_eq!(owner(&path), (12_345, 54_321));
        let root = Account { name: "root".to_owned(), uid: 0, gid: 0, groups: vec![0] };
        hand_over_directory(&path, false, &root, &trust()).unwrap();
        assert_eq!((owner(&path), owner(&path.join("state.toml"))), ((0, 0), (0, 0)));
        fs::remove_dir_all(&path).unwrap();
    }

    #[test]
    fn a_directory_of_another_user_s_choice_is_not_used() {
        needs_root!();
        let path = scratch("refused");
        fs::create_dir(&path).unwrap();
        let (theirs, link) = (path.join("theirs"), path.join("link"));
        fs::create_dir(&theirs).unwrap();
        std::os::unix::fs::chown(&theirs, Some(666), None).unwrap();
        std::os::unix::fs::symlink("/", &link).unwrap();
        std::os::unix::fs::lchown(&link, Some(666), None).unwrap();
        for directory in [theirs.join("a"), link.join("a")] {
            for dry_run in [false, true] {
                let config = Config {
                    state_dir: directory.clone(),
                    runtime_dir: directory.clone(),
                    dry_run,
                    ..Config::default()
                };
                let refusal = format!("{:#}", prepare(&config, &trust()).unwrap_err());
                assert!(refusal.contains("--state-dir") && !refusal.contains('\n'), "{refusal}");
            }
            assert!(hand_over_directory(&directory, true, &somebody(), &trust()).is_err());
            assert!(!directory.exists());
        }
        fs::remove_dir_all(&path).unwrap();
    }

    #[test]
    fn what_is_not_ours_is_left_alone() {
        needs_root!();
        let path = scratch("foreign");
        fs::create_dir(&path).unwrap();
        fs::write(path.join("shadow"), "").unwrap();
        hand_over_directory(&path, false, &somebody(), &trust()).unwrap();
        assert_eq!((owner(&path), owner(&path.join("shadow"))), ((0, 0), (0, 0)));
        fs::remove_dir_all(&path).unwrap();
    }

    #[test]
    fn neither_links_nor_files_of_two_names_are_followed() {
        needs_root!();
        let path = scratch("links");
        fs::create_dir(&path).unwrap();
        let (secret, log, twin) = (path.join("secret"), path.join("log"), path.join("journal"));
        fs::write(&secret, "").unwrap();
        std::os::unix::fs::symlink(&secret, &log).unwrap();
        hand_over_log(&log, &somebody(), &trust()).unwrap();
        fs::hard_link(&secret, &twin).unwrap();
        hand_over_directory(&path, true, &somebody(), &trust()).unwrap();
        assert_eq!(owner(&secret), (0, 0));
        fs::remove_dir_all(&path).unwrap();
    }
}
