//! Makes a directory safe that belongs to root, but that others may write to.
//!
//! Volumes of containers are often like that: an emptyDir of Kubernetes has mode 0777, a tmpfs of Docker 1777, and one
//! with an fsGroup 2775. A daemon that refused to start there would help no one, since root can change it.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use log::warn;
use nix::dir::Dir;
use nix::fcntl::{AtFlags, OFlag, openat, renameat};
use nix::sys::stat::{FileStat, Mode, fchmod, fstat, fstatat};

use super::{Trust, is_owner_of_root, refusal};

impl Trust {
    /// Removes the write permission of others than the owner, if this is needed and only faild uses the directory.
    /// Files that others have put into it are set aside.
    ///
    /// # Errors
    ///
    /// It cannot be changed, or contains too many files of others.
    pub(super) fn tighten(&self, path: &Path, directory: &OwnedFd) -> io::Result<()> {
        let found = fstat(directory)?;
        if !self.can_tighten(path, directory, &found)? {
            return Ok(());
        }
        let mode = Mode::from_bits_truncate(found.st_mode & 0o7777 & !0o022);
        fchmod(directory, mode).map_err(|errno| {
            refusal(path, &format!("is writable by others, and chmod go-w fails: {}", errno.desc()))
        })?;
        warn!(
            "directory-tightened path={} cause=\"other users could write to it\" action=\"chmod go-w\"",
            path.display()
        );
        // From now on nothing can be added.
        for name in names(directory, path)? {
            let found = fstatat(directory, name.as_os_str(), AtFlags::AT_SYMLINK_NOFOLLOW)?;
            if !self.believes(found.st_uid) && !name.as_bytes().ends_with(ASIDE) {
                set_aside(directory, path, &name, found.st_uid)?;
            }
        }
        Ok(())
    }

    /// Whether others may write to it, and faild may change that: its name is faild, or it is empty or contains
    /// faild's files and is not sticky, as /tmp is.
    pub(super) fn can_tighten(&self, path: &Path, directory: &OwnedFd, found: &FileStat) -> io::Result<bool> {
        let is_foreign = found.st_gid != 0 && Some(found.st_gid) != self.group;
        let is_open = found.st_mode & 0o002 != 0 || (found.st_mode & 0o020 != 0 && is_foreign);
        if self.owners.is_none() || !is_open || !self.believes(found.st_uid) {
            return Ok(false);
        }
        if path.file_name() == Some(OsStr::new("faild")) {
            return Ok(true);
        }
        let is_sticky = found.st_mode & 0o1000 != 0;
        if is_sticky {
            return Ok(false);
        }
        let names = names(directory, path)?;
        let is_ours = |name: &OsString| OURS.iter().any(|ours| name.as_os_str() == OsStr::new(ours));
        Ok(names.iter().any(is_ours) || names.iter().all(|name| name.as_os_str() == OsStr::new("lost+found")))
    }

    fn believes(&self, uid: u32) -> bool {
        self.owners.as_ref().is_none_or(|owners| owners.contains(&uid)) || is_owner_of_root(uid)
    }
}

fn set_aside(directory: &OwnedFd, path: &Path, name: &OsStr, owner: u32) -> io::Result<()> {
    let mut aside = name.to_owned();
    aside.push(OsStr::from_bytes(ASIDE));
    renameat(directory, name, directory, aside.as_os_str()).map_err(|errno| {
        let text = format!("belongs to user {owner}, and cannot be renamed: {}; remove it", errno.desc());
        refusal(&path.join(name), &text)
    })?;
    warn!(
        "file-set-aside file={} cause=\"it belongs to user {owner}\" saved-as={}",
        path.join(name).display(),
        path.join(aside).display()
    );
    Ok(())
}

fn names(directory: &OwnedFd, path: &Path) -> io::Result<Vec<OsString>> {
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    // A new descriptor, so that each listing starts at the beginning.
    let mut listing = Dir::from_fd(openat(directory, ".", flags, Mode::empty())?)?;
    let mut names = Vec::new();
    for entry in listing.iter() {
        let name = OsStr::from_bytes(entry?.file_name().to_bytes()).to_owned();
        if name == OsStr::new(".") || name == OsStr::new("..") {
            continue;
        }
        if names.len() == MOST {
            return Err(refusal(
                path,
                "contains too many files; remove those of other users, or use another directory",
            ));
        }
        names.push(name);
    }
    Ok(names)
}

/// Added to the name of a file that is set aside.
const ASIDE: &[u8] = b".bad";

/// A directory with one of these belongs to faild.
const OURS: [&str; 3] = ["state.toml", "journal", "control.sock"];

/// How many files of a directory are checked: faild keeps a handful.
const MOST: usize = 1024;
