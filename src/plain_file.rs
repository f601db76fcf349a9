//! Reads small files that may have been replaced by something else.
//!
//! Only a regular file of a sensible length is read: a pipe or a device could keep its reader waiting forever, or never
//! end. The kind is checked before the file is opened, because opening some devices has side effects, and again after
//! that.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::time::{Duration, Instant};

use nix::libc::{self, O_NOCTTY, O_NOFOLLOW, O_NONBLOCK};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// What to do with a symbolic link in place of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Links {
    /// It leads to the file.
    Follow,
    /// It is not a regular file.
    Refuse,
}

/// Opens a regular file to read it.
///
/// # Errors
///
/// That of the kernel, or, as `InvalidData`, what is there instead.
pub(crate) fn open(path: &Path, links: Links) -> io::Result<File> {
    let (found, flags) = match links {
        Links::Follow => (fs::metadata(path)?, 0),
        Links::Refuse => (fs::symlink_metadata(path)?, O_NOFOLLOW),
    };
    check(&found)?;
    let file = open_at_once(path, flags)?;
    check(&file.metadata()?)?;
    Ok(file)
}

/// The bytes of a regular file.
///
/// # Errors
///
/// As [`open`]; longer than `longest` bytes is `InvalidData`, too.
pub(crate) fn read(path: &Path, longest: u64, links: Links) -> io::Result<Vec<u8>> {
    read_open(open(path, links)?, longest)
}

/// The bytes of an open regular file.
///
/// # Errors
///
/// As [`read`].
pub(crate) fn read_open(file: File, longest: u64) -> io::Result<Vec<u8>> {
    if file.metadata()?.len() > longest {
        return Err(too_long(longest));
    }
    let mut bytes = Vec::new();
    match file.take(longest + 1).read_to_end(&mut bytes) {
        // Some files of the kernel, such as /proc/kmsg, wait for more.
        Err(error) if error.kind() == ErrorKind::WouldBlock => {
            Err(io::Error::new(ErrorKind::InvalidData, "it has no end, so it is not a regular file"))
        }
        Err(error) => Err(error),
        Ok(_) if bytes.len() as u64 > longest => Err(too_long(longest)),
        Ok(_) => Ok(bytes),
    }
}

/// The bytes of a regular file; /dev/null counts as an empty one.
///
/// # Errors
///
/// As [`read`].
pub(crate) fn read_or_nothing(path: &Path, longest: u64) -> io::Result<Vec<u8>> {
    let found = fs::metadata(path)?;
    if found.file_type().is_char_device() && found.rdev() == libc::makedev(1, 3) {
        return Ok(Vec::new());
    }
    read(path, longest, Links::Follow)
}

/// The same, or the bytes that arrive through a pipe within `limit`.
///
/// # Errors
///
/// As [`read`]; or the pipe's other end did not write and close it in time.
pub(crate) fn read_or_receive(path: &Path, longest: u64, limit: Duration) -> io::Result<Vec<u8>> {
    if !fs::metadata(path)?.file_type().is_fifo() {
        return read_or_nothing(path, longest);
    }
    receive(open_at_once(path, 0)?, longest, limit)
}

fn receive(mut pipe: File, longest: u64, limit: Duration) -> io::Result<Vec<u8>> {
    let until = clock() + limit;
    let (mut bytes, mut page) = (Vec::new(), [0; 4096]);
    loop {
        // A pipe that has had no writer yet looks like one at its end, but not to poll(2).
        if !is_readable(&pipe, until)? {
            let text = format!("it is a pipe that was not written and closed within {} s", limit.as_secs());
            return Err(io::Error::new(ErrorKind::TimedOut, text));
        }
        match pipe.read(&mut page) {
            Ok(0) => return Ok(bytes),
            Ok(length) => bytes.extend_from_slice(page.get(..length).unwrap_or_default()),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
            Err(error) => return Err(error),
        }
        if bytes.len() as u64 > longest {
            return Err(too_long(longest));
        }
    }
}

fn is_readable(pipe: &impl AsFd, until: Instant) -> io::Result<bool> {
    let mut polled = [PollFd::new(pipe.as_fd(), PollFlags::POLLIN)];
    loop {
        let left = until.saturating_duration_since(clock());
        match poll(&mut polled, PollTimeout::try_from(left).unwrap_or(PollTimeout::ZERO)) {
            Err(nix::errno::Errno::EINTR) => {}
            result => return Ok(result? > 0),
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "settings are read before there is a loop, and a wait must end"
)]
fn clock() -> Instant {
    Instant::now()
}

fn open_at_once(path: &Path, flags: i32) -> io::Result<File> {
    OpenOptions::new().read(true).custom_flags(O_NONBLOCK | O_NOCTTY | flags).open(path)
}

fn check(found: &Metadata) -> io::Result<()> {
    let kind = found.file_type();
    let what = match () {
        () if kind.is_file() => return Ok(()),
        () if kind.is_dir() => "a directory",
        () if kind.is_symlink() => "a symbolic link",
        () if kind.is_fifo() => "a pipe",
        () if kind.is_socket() => "a socket",
        () => "a device",
    };
    Err(io::Error::new(ErrorKind::InvalidData, format!("it is {what}, not a regular file")))
}

fn too_long(longest: u64) -> io::Error {
    let text = match longest >> 20 {
        0 => format!("it is longer than {} KiB", longest >> 10),
        mebibytes => format!("it is longer than {mebibytes} MiB"),
    };
    io::Error::new(ErrorKind::InvalidData, text)
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;

    use nix::sys::stat::Mode;
    use nix::unistd::mkfifo;

    use super::*;
    use crate::scratch::Scratch;

    fn refusal(path: &Path) -> String {
        let error = read(path, 1 << 20, Links::Refuse).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidData, "{error}");
        error.to_string()
    }

    #[test]
    fn what_is_not_a_plain_file_is_refused_at_once() {
        let scratch = Scratch::new("plain-kinds");
        let at = |name: &str| scratch.0.join(name);
        mkfifo(&at("pipe"), Mode::S_IRWXU).unwrap();
        let _listener = UnixListener::bind(at("socket")).unwrap();
        fs::write(at("file"), "text").unwrap();
        symlink(at("file"), at("link")).unwrap();
        for (path, what) in [
            (at("pipe"), "a pipe"),
            (at("socket"), "a socket"),
            (at("link"), "a symbolic link"),
            (scratch.0.clone(), "a directory"),
            ("/dev/zero".into(), "a device"),
        ] {
            assert_eq!(refusal(&path), format!("it is {what}, not a regular file"), "{}", path.display());
        }
        assert_eq!(read(&at("link"), 4, Links::Follow).unwrap(), b"text");
        symlink(at("nowhere"), at("dangling")).unwrap();
        assert_eq!(read(&at("dangling"), 4, Links::Follow).unwrap_err().kind(), ErrorKind::NotFound);
        symlink(at("loop"), at("loop")).unwrap();
        assert!(read(&at("loop"), 4, Links::Follow).is_err());
    }

    #[test]
    fn what_is_too_long_is_not_read() {
        let scratch = Scratch::new("plain-length");
        let path = scratch.0.join("file");
        // It takes no room on the disk, and would take a minute and all memory to read.
        File::create(&path).unwrap().set_len(1 << 40).unwrap();
        assert_eq!(refusal(&path), "it is longer than 1 MiB");
        fs::write(&path, "text").unwrap();
        assert_eq!(read(&path, 4, Links::Refuse).unwrap(), b"text");
        assert_eq!(read(&path, 3, Links::Refuse).unwrap_err().to_string(), "it is longer than 0 KiB");
        // Files of the kernel that say they are empty, and wait for more.
        let error = read(Path::new("/proc/kmsg"), 1, Links::Refuse);
        assert!(error.is_err_and(|error| error.kind() != ErrorKind::WouldBlock));
    }

    #[test]
    fn a_pipe_is_read_to_its_end_but_not_waited_for_for_ever() {
        let scratch = Scratch::new("plain-pipe");
        let path = scratch.0.join("pipe");
        mkfifo(&path, Mode::S_IRWXU).unwrap();
        let brief = Duration::from_millis(50);
        let error = read_or_receive(&path, 1 << 20, brief).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut, "{error}");
        let long = "x".repeat(100_000);
        let (writer, text) = (path.clone(), long.clone());
        let writer = std::thread::spawn(move || {
            OpenOptions::new().write(true).open(writer).unwrap().write_all(text.as_bytes()).unwrap();
        });
        let patient = Duration::from_secs(60);
        assert_eq!(read_or_receive(&path, 1 << 20, patient).unwrap(), long.as_bytes());
        writer.join().unwrap();
        // Who holds it open and writes nothing more is not waited for either.
        let mut held = OpenOptions::new().read(true).write(true).open(&path).unwrap();
        held.write_all(b"half").unwrap();
        assert_eq!(read_or_receive(&path, 1 << 20, brief).unwrap_err().kind(), ErrorKind::TimedOut);
        held.write_all(&[b'x'; 8192]).unwrap();
        let error = read_or_receive(&path, 1024, patient).unwrap_err();
        assert_eq!(error.to_string(), "it is longer than 1 KiB");
        assert_eq!(read_or_receive(Path::new("/dev/null"), 1, brief).unwrap(), b"");
    }
}
