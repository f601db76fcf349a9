//! The connection to the daemon.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::poll::poll;
use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, UnixAddr, getsockopt, socket, sockopt::PeerCredentials,
};

use crate::control::{Reply, Request, Unreadable, VERSION};

/// See the module.
#[derive(Debug)]
pub(super) struct Client {
    path: PathBuf,
    stream: BufReader<UnixStream>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum ClientError {
    #[error("faild is not running: nothing listens on {}; start it, or give its --state-dir", .0.display())]
    NotRunning(PathBuf),
    #[error("permission denied on {}: only root and the socket's group may connect; use sudo, or join the group", .0.display())]
    Denied(PathBuf),
    #[error("cannot talk to faild over {}: {source}", path.display())]
    Broken { path: PathBuf, source: io::Error },
    #[error("no answer from faild on {}: it is stopped or hangs, and may still carry out the request when it resumes", .0.display())]
    Silent(PathBuf),
    #[error("faild (pid {pid}) has not exited within {}s; see its log", .limit.as_secs())]
    StillRunning { pid: i32, limit: Duration },
    #[error(
        "faild speaks version {0} of the control protocol and this faildctl version {VERSION}; use the faildctl of the same version, or restart faild"
    )]
    OtherVersion(u32),
    #[error("cannot parse faild's answer ({0}); use the faildctl of the same version")]
    Nonsense(serde_json::Error),
}

impl From<Unreadable> for ClientError {
    fn from(error: Unreadable) -> Self {
        match error {
            Unreadable::Version(version) => ClientError::OtherVersion(version),
            Unreadable::Content(error) => ClientError::Nonsense(error),
        }
    }
}

impl Client {
    pub(super) fn connect(path: &Path) -> Result<Self, ClientError> {
        let stream = connect(path).map_err(|error| refusal(path, error))?;
        let client = Self { path: path.to_owned(), stream: BufReader::new(stream) };
        client.wait_at_most(Some(PATIENCE))?;
        Ok(client)
    }

    /// Sends a request, and waits for the answer.
    pub(super) fn ask(&mut self, request: &Request) -> Result<Reply, ClientError> {
        let line = request.to_line() + "\n";
        self.stream.get_mut().write_all(line.as_bytes()).map_err(|error| self.broken(error))?;
        let reply = self.read()?.ok_or_else(|| self.broken(io::ErrorKind::UnexpectedEof.into()))?;
        // Later events come when they happen.
        self.wait_at_most(if let Request::Events { follow: true, .. } = request {
            None
        } else {
            Some(PATIENCE)
        })?;
        Ok(reply)
    }

    /// The next answer of a stream; `None` when the daemon has exited.
    pub(super) fn next(&mut self) -> Result<Option<Reply>, ClientError> {
        self.read()
    }

    /// Waits until the process at the other end has exited: the kernel closes its sockets first, and then removes it
    /// from the process table, where its parent may leave it as a zombie for longer.
    pub(super) fn wait_until_ended(&mut self) -> Result<(), ClientError> {
        let pid = getsockopt(self.stream.get_ref(), PeerCredentials).map_or(0, |caller| caller.pid());
        self.wait_at_most(Some(END))?;
        match self.stream.read_to_end(&mut Vec::new()) {
            Ok(_) => {}
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                return Err(ClientError::StillRunning { pid, limit: END });
            }
            // A process that exits with unread input causes an error as well.
            Err(_) => {}
        }
        let is_gone = (0..LOOKS).any(|_| {
            let is_there = pid > 0 && is_alive(pid);
            // If interrupted, the pause is shorter.
            let _ = is_there.then(|| poll(&mut [], LOOK_MS));
            !is_there
        });
        is_gone.then_some(()).ok_or(ClientError::StillRunning { pid, limit: END })
    }

    fn read(&mut self) -> Result<Option<Reply>, ClientError> {
        let mut line = String::new();
        match self.stream.read_line(&mut line) {
            // A connection that closes in the middle of a line means an exit as well.
            Ok(_) if !line.ends_with('\n') => Ok(None),
            Ok(_) => Ok(Some(Reply::from_line(&line)?)),
            Err(error) => Err(self.broken(error)),
        }
    }

    fn wait_at_most(&self, limit: Option<Duration>) -> Result<(), ClientError> {
        self.stream.get_ref().set_read_timeout(limit).map_err(|error| self.broken(error))
    }

    fn broken(&self, error: io::Error) -> ClientError {
        refusal(&self.path, error)
    }
}

/// Like [`UnixStream::connect`], which would wait forever if a stopped daemon has a full queue.
fn connect(path: &Path) -> io::Result<UnixStream> {
    let address = UnixAddr::new(path)?;
    let socket = socket(AddressFamily::Unix, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?;
    let stream = UnixStream::from(socket);
    stream.set_write_timeout(Some(PATIENCE))?;
    nix::sys::socket::connect(stream.as_raw_fd(), &address)?;
    Ok(stream)
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the kernel's own text is good enough for rare ones")]
fn refusal(path: &Path, error: io::Error) -> ClientError {
    let path = path.to_owned();
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => ClientError::NotRunning(path),
        io::ErrorKind::PermissionDenied => ClientError::Denied(path),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => ClientError::Silent(path),
        _ => ClientError::Broken { path, source: error },
    }
}

/// Whether a process exists and has not exited, by the state after its name in proc_pid_stat(5).
fn is_alive(pid: i32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat.rsplit(')').next().and_then(|rest| rest.trim_start().chars().next());
    state.is_some_and(|state| !matches!(state, 'Z' | 'X'))
}

/// How long an orderly exit may take: the daemon gives the kernel and the disk a second each.
const END: Duration = Duration::from_secs(10);

/// A process exits microseconds after its sockets are closed; a second, in polls of 2 ms, is enough.
const LOOKS: usize = 500;
const LOOK_MS: u8 = 2;

/// The daemon answers within milliseconds unless it is stopped.
const PATIENCE: Duration = Duration::from_secs(5);
