//! Writing small files so that a reader, or the next start, finds the old or the new text and never a part.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::libc::{O_NOFOLLOW, O_NONBLOCK};
use nix::sys::signal::{SigSet, SigmaskHow};

use crate::plain_file::{self, Links};

/// Whether a file must survive the loss of power.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Durability {
    /// On the disk when the call returns, which may take long.
    Power,
    /// In the page cache: survives the death of the process.
    Process,
}

/// Puts `text` in place of what is at `path`.
///
/// # Errors
///
/// What the file system says; then the old text is still there.
pub(super) fn replace(path: &Path, text: &str, durability: Durability) -> io::Result<()> {
    replace_with(path, text, durability, 0o644)
}

/// The same for what others may not read.
///
/// # Errors
///
/// As [`replace`].
pub(super) fn replace_private(path: &Path, text: &str, durability: Durability) -> io::Result<()> {
    replace_with(path, text, durability, 0o600)
}

/// Writes `text` behind what is at `path`, which must be there. It survives the death of the process.
///
/// # Errors
///
/// What the file system says; then a part of it may be there.
pub(super) fn append(path: &Path, text: &str) -> io::Result<()> {
    let flags = O_NONBLOCK | O_NOFOLLOW;
    OpenOptions::new().append(true).custom_flags(flags).open(path)?.write_all(text.as_bytes())
}

fn replace_with(path: &Path, text: &str, durability: Durability, mode: u32) -> io::Result<()> {
    let temporary = temporary(path);
    write(&temporary, text, durability, mode).and_then(|()| fs::rename(&temporary, path)).inspect_err(
        |_| {
            // What could not be written or moved is of no use; that it cannot be removed either changes nothing.
            let _ = fs::remove_file(&temporary);
        },
    )?;
    if durability == Durability::Power {
        let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        File::open(directory.unwrap_or(Path::new(".")))?.sync_all()?;
    }
    Ok(())
}

/// Sees to it that a file is on the disk soon, by a thread that may wait for it.
pub(super) fn sync_later(path: &Path) {
    let path = path.to_owned();
    let sync = move || {
        let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        // What cannot be synchronised is in the page cache all the same.
        let _ = File::open(&path).and_then(|file| file.sync_all());
        let _ = File::open(directory.unwrap_or(Path::new("."))).and_then(|directory| directory.sync_all());
    };
    // As above: without a thread only the loss of power can harm it.
    let _ = in_background("faild-sync", sync);
}

/// The text of a plain file of at most this many bytes. A symbolic link is none: what is written later takes its place.
///
/// # Errors
///
/// What the file system says, or, as `InvalidData`, that it is something else, too long, or not text.
pub(super) fn read(path: &Path, longest: u64) -> io::Result<String> {
    let bytes = plain_file::read(path, longest, Links::Refuse)?;
    String::from_utf8(bytes).map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8 text"))
}

/// Puts what cannot be used out of the way, whatever it is, under the name of `path` with `.bad` behind it, or, where
/// something is that cannot be replaced, `.bad.1` and so on. The new name, for people; `nothing` if it could not be.
pub(super) fn set_aside(path: &Path) -> String {
    let mut name = path.as_os_str().to_owned();
    name.push(".bad");
    let others = (1..=ASIDE).map(|number| {
        let mut other = name.clone();
        other.push(format!(".{number}"));
        other
    });
    let mut names = std::iter::once(name.clone()).chain(others).map(PathBuf::from);
    let kept = names.find(|aside| fs::rename(path, aside).is_ok());
    kept.map_or_else(|| "nothing".to_owned(), |aside| aside.display().to_string())
}

/// Runs something that may wait, as for a disk, in a thread of its own. No signal is for it: signals are for the loop.
///
/// # Errors
///
/// There is no thread to be had.
pub(super) fn in_background(name: &str, body: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let before = SigSet::all().thread_swap_mask(SigmaskHow::SIG_BLOCK)?;
    let spawned = std::thread::Builder::new().name(name.to_owned()).spawn(body);
    before.thread_set_mask()?;
    spawned.map(drop)
}

/// Makes a directory, and those above it, unless it exists.
///
/// # Errors
///
/// What the file system says.
pub(super) fn make_directory(path: &Path, mode: u32) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(mode).create(path)
}

fn write(path: &Path, text: &str, durability: Durability, mode: u32) -> io::Result<()> {
    // What a crash left there goes, and so does a link or a pipe: the file is a new one in any case.
    match fs::remove_file(path).or_else(|error| fs::remove_dir(path).map_err(|_| error)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(io::Error::new(error.kind(), format!("{}: {error}", path.display())));
        }
        Ok(()) | Err(_) => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
    file.write_all(text.as_bytes())?;
    if durability == Durability::Power { file.sync_all() } else { Ok(()) }
}

/// In the same directory, hence the same file system, and always the same name: a crash leaves one such file at most.
fn temporary(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    path.with_file_name(name)
}

/// Things that cannot be replaced, as directories, that may have been set aside before.
const ASIDE: u32 = 9;

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use nix::sys::signal::Signal;
    use nix::sys::stat::Mode;
    use nix::unistd::mkfifo;

    use super::*;
    use crate::scratch::Scratch;

    #[test]
    fn what_is_in_the_place_of_the_new_text_is_neither_followed_nor_waited_for() {
        let scratch = Scratch::new("files-temporary");
        let (path, temporary, secret) =
            (scratch.0.join("state"), scratch.0.join("state.new"), scratch.0.join("secret"));
        fs::write(&secret, "secret").unwrap();
        let put: [&dyn Fn(); 4] = [
            &|| symlink(&secret, &temporary).unwrap(),
            &|| fs::hard_link(&secret, &temporary).unwrap(),
            &|| mkfifo(&temporary, Mode::S_IRWXU).unwrap(),
            &|| fs::create_dir(&temporary).unwrap(),
        ];
        for (number, put) in put.into_iter().enumerate() {
            put();
            replace(&path, &number.to_string(), Durability::Process).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), number.to_string());
            assert_eq!(fs::read_to_string(&secret).unwrap(), "secret");
        }
        fs::create_dir(&temporary).unwrap();
        fs::write(temporary.join("file"), "").unwrap();
        let error = replace(&path, "", Durability::Process).unwrap_err().to_string();
        assert!(error.starts_with(&temporary.display().to_string()), "it says what is in the way: {error}");
    }

    #[test]
    fn anything_can_be_set_aside() {
        let scratch = Scratch::new("files-aside");
        let path = scratch.0.join("state.toml");
        let mut kept = Vec::new();
        for directory in [false, true, true, false] {
            if directory {
                fs::create_dir(&path).unwrap();
                fs::write(path.join("file"), "").unwrap();
            } else {
                mkfifo(&path, Mode::S_IRWXU).unwrap();
            }
            let name = set_aside(&path).replace(&*path.to_string_lossy(), "");
            kept.push(name);
            assert!(!path.exists());
        }
        assert_eq!(kept, [".bad", ".bad.1", ".bad.2", ".bad"]);
        assert_eq!(set_aside(&path), "nothing");
    }

    #[test]
    fn signals_are_not_for_threads_that_wait_for_the_disk() {
        let (tell, told) = std::sync::mpsc::channel();
        in_background("test", move || tell.send(SigSet::thread_get_mask().unwrap()).unwrap()).unwrap();
        let (theirs, ours) = (told.recv().unwrap(), SigSet::thread_get_mask().unwrap());
        assert!(theirs.contains(Signal::SIGTERM) && !ours.contains(Signal::SIGTERM));
    }
}
