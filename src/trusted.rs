//! Paths that root can rely on.
//!
//! Root must not write where another user chooses. A path is therefore walked name by name, each opened below the
//! directory before it, so that the file that was checked is the one that is used:
//!
//! ```text
//! directory        belongs to root or to the user that faild switches to, and is not writable by all, unless it is
//!                  sticky like /tmp: then only the owner of a file can replace it
//! symbolic link    created by root, in directories of root only: another user's could lead to any file
//! regular file     belongs to root or to that user; where others may write it has no second hard link
//! ```
//!
//! A process that is not root can harm only its own files: nothing is refused to it here. If `/` does not belong to
//! root, as in a user namespace, its owner is trusted like root, since there is no protection against that user.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Component, Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, open, openat, readlinkat};
use nix::sys::stat::{FileStat, Mode, SFlag, fstat, fstatat, mkdirat};
use nix::sys::statfs::{PROC_SUPER_MAGIC, fstatfs};
use nix::unistd::{UnlinkatFlags, geteuid, unlinkat};

/// Whose files and directories are trusted.
#[derive(Debug, Clone)]
pub(crate) struct Trust {
    /// `None`: those of all users.
    owners: Option<Vec<u32>>,
    /// A group that may write where no other group may.
    group: Option<u32>,
}

/// A name in a directory: a file, or the place for one.
#[derive(Debug)]
pub(crate) struct Place {
    directory: OwnedFd,
    name: OsString,
    /// The file that is there now.
    found: Option<FileStat>,
    /// Users other than root can create a file there.
    is_shared: bool,
    /// A link in /proc to a file that this process has open.
    is_magic: bool,
}

/// What to do with a symbolic link at the end of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LastLink {
    /// It leads to the file, if root has created it.
    Follow,
    /// It is the file.
    Keep,
}

impl Trust {
    /// Trusts root, these users and this group; or all users, if this process is not root.
    pub(crate) fn in_users(users: impl IntoIterator<Item = u32>, group: Option<u32>) -> Self {
        let owners = geteuid().is_root().then(|| [0].into_iter().chain(users).collect());
        Self { owners, group }
    }

    /// The place of a file; nothing is created.
    ///
    /// # Errors
    ///
    /// Its directory cannot be reached, or is not trusted: then the error says which one, why, and how to fix it.
    pub(crate) fn file(&self, path: &Path, last: LastLink) -> io::Result<Place> {
        let mut walk = Walk::new(self, false)?;
        walk.to(path, last, None)
    }

    /// A directory for files that are rewritten again and again: no other user can create files in it or replace it.
    /// With `mode` it is created if it does not exist, with its parents; and if it belongs to root and only faild
    /// uses it, but others may write to it, their write permission is removed.
    ///
    /// # Errors
    ///
    /// As [`Trust::file`], or it cannot be created.
    pub(crate) fn directory(&self, path: &Path, mode: Option<u32>) -> io::Result<OwnedFd> {
        let mut walk = Walk::new(self, true)?;
        let place = walk.to(path, LastLink::Follow, mode)?;
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let directory = match place.name.as_os_str() {
            name if name == OsStr::new(".") => openat(&place.directory, ".", flags, Mode::empty()),
            name => openat(&place.directory, name, flags | OFlag::O_NOFOLLOW, Mode::empty()),
        };
        let directory = directory.map_err(|errno| walk.error(&place.name, errno))?;
        walk.walked = path.to_owned();
        if mode.is_some() {
            self.tighten(path, &directory)?;
        }
        let found = fstat(&directory)?;
        // A directory that is only checked is tightened when it is used.
        if mode.is_none() && self.can_tighten(path, &directory, &found)? {
            return Ok(directory);
        }
        walk.check_directory(&found)?;
        if self.owners.is_some() && found.st_mode & 0o002 != 0 {
            return Err(refusal(
                path,
                "is writable by all users; run chmod o-w on it, or use another directory",
            ));
        }
        Ok(directory)
    }

    /// Whether a directory could be used; one that is missing could.
    ///
    /// # Errors
    ///
    /// As [`Trust::directory`].
    pub(crate) fn check_directory(&self, path: &Path) -> io::Result<()> {
        match self.directory(path, None) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// Whether a file could be used; one that is missing could.
    ///
    /// # Errors
    ///
    /// As [`Trust::file`] and [`Trust::check_found`].
    pub(crate) fn check_file(&self, path: &Path) -> io::Result<()> {
        let place = self.file(path, LastLink::Follow)?;
        match place.found() {
            Some(found) => self.check_found(path, found, &place),
            None => Ok(()),
        }
    }

    /// Whether a file found at `place` belongs to root or that user, and has no second hard link. Anything but a
    /// regular file belongs to its user, as a terminal does.
    ///
    /// # Errors
    ///
    /// It is not.
    pub(crate) fn check_found(&self, path: &Path, found: &FileStat, place: &Place) -> io::Result<()> {
        if kind(found) != SFlag::S_IFREG || place.is_magic {
            return Ok(());
        }
        let Some(owners) = &self.owners else { return Ok(()) };
        if !owners.contains(&found.st_uid) && !is_owner_of_root(found.st_uid) {
            let text = format!("belongs to user {}; remove it, or use another file", found.st_uid);
            return Err(refusal(path, &text));
        }
        if place.is_shared && found.st_nlink > 1 {
            return Err(refusal(path, "has a second hard link; remove that, or use another file"));
        }
        Ok(())
    }
}

impl Place {
    /// The file that is there, if there is one.
    pub(crate) fn found(&self) -> Option<&FileStat> {
        self.found.as_ref()
    }

    /// Opens the file, or creates it if `flags` say so; follows no link.
    ///
    /// # Errors
    ///
    /// That of the kernel.
    pub(crate) fn open(&self, flags: OFlag, mode: u32) -> io::Result<File> {
        let follow = if self.is_magic { OFlag::empty() } else { OFlag::O_NOFOLLOW };
        let flags = flags | OFlag::O_CLOEXEC | OFlag::O_NOCTTY | OFlag::O_NONBLOCK | follow;
        let mode = Mode::from_bits_truncate(mode);
        Ok(openat(&self.directory, self.name.as_os_str(), flags, mode)?.into())
    }

    /// Removes it.
    ///
    /// # Errors
    ///
    /// That of the kernel.
    pub(crate) fn remove(&self) -> io::Result<()> {
        Ok(unlinkat(&self.directory, self.name.as_os_str(), UnlinkatFlags::NoRemoveDir)?)
    }
}

/// A path while it is walked.
struct Walk<'a> {
    trust: &'a Trust,
    /// No other user may write to any directory on the way, because the names are used again later.
    is_strict: bool,
    directory: OwnedFd,
    /// The path so far, for errors.
    walked: PathBuf,
    /// Every directory so far belongs to root.
    is_of_root: bool,
    /// Users other than root may write to the directory.
    is_shared: bool,
}

impl<'a> Walk<'a> {
    fn new(trust: &'a Trust, is_strict: bool) -> io::Result<Self> {
        let (directory, walked) = (open_root()?, PathBuf::from("/"));
        Ok(Self { trust, is_strict, directory, walked, is_of_root: true, is_shared: false })
    }

    fn to(&mut self, path: &Path, last: LastLink, make: Option<u32>) -> io::Result<Place> {
        let path = std::path::absolute(path)?;
        let mut names: VecDeque<OsString> = names(&path).collect();
        let mut links = 0;
        while let Some(name) = names.pop_front() {
            if name == OsStr::new("/") {
                (self.directory, self.walked) = (open_root()?, PathBuf::from("/"));
                continue;
            }
            let is_last = names.is_empty();
            let found = match fstatat(&self.directory, name.as_os_str(), AtFlags::AT_SYMLINK_NOFOLLOW) {
                Ok(found) => found,
                Err(Errno::ENOENT) if make.is_none() && is_last => return self.place(name, None, false),
                Err(Errno::ENOENT) => match make {
                    Some(mode) => self.make(&name, mode)?,
                    None => return Err(self.error(&name, Errno::ENOENT)),
                },
                Err(errno) => return Err(self.error(&name, errno)),
            };
            let is_link = kind(&found) == SFlag::S_IFLNK;
            if is_link
                && fstatfs(&self.directory).is_ok_and(|found| found.filesystem_type() == PROC_SUPER_MAGIC)
            {
                // Links in /proc such as /proc/self/fd/2 lead to files that this process has open already.
                if is_last {
                    let open = fstatat(&self.directory, name.as_os_str(), AtFlags::empty()).ok();
                    return self.place(name, open, true);
                }
                self.enter(&name, OFlag::empty())?;
            } else if is_link && !(is_last && last == LastLink::Keep) {
                links += 1;
                self.check_link(&name, &found, links)?;
                let target = PathBuf::from(readlinkat(&self.directory, name.as_os_str())?);
                self::names(&target).collect::<Vec<_>>().into_iter().rev().for_each(|n| names.push_front(n));
            } else if is_last {
                return self.place(name, Some(found), false);
            } else {
                self.enter(&name, OFlag::O_NOFOLLOW)?;
            }
        }
        let found = fstat(&self.directory)?;
        self.place(".".into(), Some(found), false)
    }

    fn place(&self, name: OsString, found: Option<FileStat>, is_magic: bool) -> io::Result<Place> {
        let (directory, is_shared) = (self.directory.try_clone()?, self.is_shared);
        Ok(Place { directory, name, found, is_shared, is_magic })
    }

    fn make(&self, name: &OsStr, mode: u32) -> io::Result<FileStat> {
        match mkdirat(&self.directory, name, Mode::from_bits_truncate(mode)) {
            Ok(()) | Err(Errno::EEXIST) => {}
            Err(errno) => return Err(self.error(name, errno)),
        }
        Ok(fstatat(&self.directory, name, AtFlags::AT_SYMLINK_NOFOLLOW)?)
    }

    fn enter(&mut self, name: &OsStr, follow: OFlag) -> io::Result<()> {
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC | follow;
        let directory =
            openat(&self.directory, name, flags, Mode::empty()).map_err(|errno| self.error(name, errno))?;
        if name == OsStr::new("..") {
            self.walked.pop();
        } else {
            self.walked.push(name);
        }
        self.directory = directory;
        self.check_directory(&fstat(&self.directory)?)
    }

    fn check_directory(&mut self, found: &FileStat) -> io::Result<()> {
        let Some(owners) = &self.trust.owners else { return Ok(()) };
        let (owner, mode) = (found.st_uid, found.st_mode);
        let is_roots = owner == 0 || is_owner_of_root(owner);
        if !is_roots && !owners.contains(&owner) {
            let text = format!(
                "belongs to user {owner}; run chown root on it, or use a directory that belongs to root"
            );
            return Err(refusal(&self.walked, &text));
        }
        let is_sticky = mode & 0o1000 != 0;
        if mode & 0o002 != 0 && !is_sticky {
            let text = "is writable by all users; run chmod o-w on it, or use another directory";
            return Err(refusal(&self.walked, text));
        }
        let is_open_to_group =
            mode & 0o020 != 0 && found.st_gid != 0 && Some(found.st_gid) != self.trust.group;
        if self.is_strict && is_open_to_group && !is_sticky {
            let group = found.st_gid;
            let text = format!("is writable by group {group}; run chmod g-w on it, or use another directory");
            return Err(refusal(&self.walked, &text));
        }
        self.is_of_root &= is_roots;
        self.is_shared = !is_roots || mode & 0o022 != 0;
        Ok(())
    }

    fn check_link(&self, name: &OsStr, found: &FileStat, links: usize) -> io::Result<()> {
        if links > LINKS {
            return Err(self.error(name, Errno::ELOOP));
        }
        let is_roots = found.st_uid == 0 || is_owner_of_root(found.st_uid);
        if self.trust.owners.is_none() || (is_roots && self.is_of_root) {
            return Ok(());
        }
        let text = "is a symbolic link not created by root; use the path that it points to";
        Err(refusal(&self.walked.join(name), text))
    }

    /// The error of the kernel, with the name that it is about.
    fn error(&self, name: &OsStr, errno: Errno) -> io::Error {
        let kind = io::Error::from(errno).kind();
        io::Error::new(kind, format!("{}: {}", self.walked.join(name).display(), errno.desc()))
    }
}

/// The names of a path in order; `/` if it starts at the root.
fn names(path: &Path) -> impl Iterator<Item = OsString> {
    path.components().filter_map(|component| match component {
        Component::CurDir | Component::Prefix(_) => None,
        Component::RootDir => Some(OsString::from("/")),
        Component::ParentDir => Some(OsString::from("..")),
        Component::Normal(name) => Some(name.to_owned()),
    })
}

fn open_root() -> io::Result<OwnedFd> {
    Ok(open("/", OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty())?)
}

fn is_owner_of_root(uid: u32) -> bool {
    open_root().is_ok_and(|root| fstat(root.as_fd()).is_ok_and(|found| found.st_uid == uid))
}

/// The kind of a file.
pub(crate) fn kind(found: &FileStat) -> SFlag {
    SFlag::from_bits_truncate(found.st_mode) & SFlag::S_IFMT
}

fn refusal(path: &Path, text: &str) -> io::Error {
    io::Error::new(io::ErrorKind::PermissionDenied, format!("{} {text}", path.display()))
}

/// How many links are followed, as in the kernel (path_resolution(7)).
const LINKS: usize = 40;

mod loose;
#[cfg(test)]
mod tests;
