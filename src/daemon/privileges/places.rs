//! Files that root has made, or a former run by another user, handed over to the user that faild runs as.
//!
//! Only what is faild's is touched: its own directories, another one if it is empty or holds faild's files, and the
//! log. Nothing is followed: a file with two names, or one that is not a file, is left alone, so that whoever could
//! write to a directory cannot be given what is not his.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, fchown};
use std::path::Path;

use log::warn;
use nix::libc;

use super::super::files;
use crate::config::Config;
use crate::config::account::Account;
use crate::control::SOCKET;

/// Hands over everything. What cannot be is told, and is no reason not to start: who cannot write there later says so
/// himself.
pub(super) fn hand_over(config: &Config, account: &Account) {
    let defaults = Config::default();
    let own = [&defaults.state_dir, &defaults.runtime_dir];
    for directory in [&config.state_dir, &config.runtime_dir] {
        report(directory, hand_over_directory(directory, own.contains(&directory), account));
    }
    if let Some(log) = &config.log {
        report(log, hand_over_file(log, account, None));
    }
}

fn report(path: &Path, result: io::Result<()>) {
    if let Err(error) = result {
        warn!("not-handed-over path={} error=\"{error}\"", path.display());
    }
}

/// A directory and the files in it; made if it is not there.
fn hand_over_directory(path: &Path, is_own: bool, account: &Account) -> io::Result<()> {
    files::make_directory(path, 0o755)?;
    let directory = open(path, libc::O_DIRECTORY)?;
    let owner = directory.metadata()?.uid();
    if owner == account.uid || !(is_own || is_faild_directory(path)?) || (owner != 0 && account.uid != 0) {
        return Ok(());
    }
    for entry in fs::read_dir(path)?.flatten().take(FILES) {
        if entry.file_type().is_ok_and(|kind| kind.is_file()) {
            hand_over_file(&entry.path(), account, Some(account.gid))?;
        }
    }
    // The directory last: until then nobody else can put anything into it.
    fchown(&directory, Some(account.uid), Some(account.gid))
}

fn hand_over_file(path: &Path, account: &Account, gid: Option<u32>) -> io::Result<()> {
    // A symbolic link, or a device such as a terminal, is what the administrator wants it to be.
    if !fs::symlink_metadata(path)?.is_file() {
        return Ok(());
    }
    let file = open(path, 0)?;
    let found = file.metadata()?;
    let is_plain = found.is_file() && found.nlink() == 1;
    if is_plain && found.uid() != account.uid && (found.uid() == 0 || account.uid == 0) {
        fchown(&file, Some(account.uid), gid)?;
    }
    Ok(())
}

/// Whether a directory is empty, or one that faild has used.
fn is_faild_directory(path: &Path) -> io::Result<bool> {
    let is_used = ["state.toml", "journal", SOCKET].iter().any(|name| path.join(name).exists());
    Ok(is_used || fs::read_dir(path)?.next().is_none())
}

fn open(path: &Path, flags: i32) -> io::Result<File> {
    OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK | flags).open(path)
}

/// Files of a directory that are handed over: faild keeps a handful.
const FILES: usize = 64;

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

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
        let path = scratch("ours");
        hand_over_directory(&path, false, &somebody()).unwrap();
        assert_eq!(owner(&path), (12_345, 54_321));
        fchown(File::open(&path).unwrap(), Some(0), Some(0)).unwrap();
        fs::write(path.join("state.toml"), "").unwrap();
        hand_over_directory(&path, false, &somebody()).unwrap();
        assert_eq!(owner(&path.join("state.toml")), (12_345, 54_321));
        assert_eq!(owner(&path), (12_345, 54_321));
        let root = Account { name: "root".to_owned(), uid: 0, gid: 0, groups: vec![0] };
        hand_over_directory(&path, false, &root).unwrap();
        assert_eq!((owner(&path), owner(&path.join("state.toml"))), ((0, 0), (0, 0)));
        fs::remove_dir_all(&path).unwrap();
    }

    #[test]
    fn what_is_not_ours_is_left_alone() {
        let path = scratch("foreign");
        fs::create_dir(&path).unwrap();
        fs::write(path.join("shadow"), "").unwrap();
        hand_over_directory(&path, false, &somebody()).unwrap();
        assert_eq!((owner(&path), owner(&path.join("shadow"))), ((0, 0), (0, 0)));
        fs::remove_dir_all(&path).unwrap();
    }

    #[test]
    fn neither_links_nor_files_of_two_names_are_followed() {
        let path = scratch("links");
        fs::create_dir(&path).unwrap();
        let (secret, log, twin) = (path.join("secret"), path.join("log"), path.join("journal"));
        fs::write(&secret, "").unwrap();
        std::os::unix::fs::symlink(&secret, &log).unwrap();
        hand_over_file(&log, &somebody(), None).unwrap();
        fs::hard_link(&secret, &twin).unwrap();
        hand_over_directory(&path, true, &somebody()).unwrap();
        assert_eq!(owner(&secret), (0, 0));
        fs::remove_dir_all(&path).unwrap();
    }
}
