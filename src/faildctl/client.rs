//! The connection to the daemon.

use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::control::{Reply, Request};

/// See the module.
#[derive(Debug)]
pub(super) struct Client {
    path: PathBuf,
    stream: BufReader<UnixStream>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum ClientError {
    #[error("faild does not run here: nobody serves {}; start it, or name its --state-dir", .0.display())]
    NotRunning(PathBuf),
    #[error("{} may be asked by root and by its group only; ask as root (sudo), or join the group", .0.display())]
    Denied(PathBuf),
    #[error("cannot talk to faild by {}: {source}", path.display())]
    Broken { path: PathBuf, source: io::Error },
    #[error("faild does not answer by {}: it is stopped, or hangs", .0.display())]
    Silent(PathBuf),
    #[error("faild answered what faildctl does not understand ({0}); use the faildctl of this faild")]
    Nonsense(#[from] serde_json::Error),
}

impl Client {
    pub(super) fn connect(path: &Path) -> Result<Self, ClientError> {
        let stream = UnixStream::connect(path).map_err(|error| refusal(path, error))?;
        let client = Self { path: path.to_owned(), stream: BufReader::new(stream) };
        client.wait_at_most(Some(PATIENCE))?;
        Ok(client)
    }

    /// Asks, and waits for the answer.
    pub(super) fn ask(&mut self, request: &Request) -> Result<Reply, ClientError> {
        let line = request.to_line() + "\n";
        self.stream.get_mut().write_all(line.as_bytes()).map_err(|error| self.broken(error))?;
        let reply = self.read()?.ok_or_else(|| self.broken(io::ErrorKind::UnexpectedEof.into()))?;
        // What follows comes when it happens.
        self.wait_at_most(if let Request::Events { follow: true, .. } = request {
            None
        } else {
            Some(PATIENCE)
        })?;
        Ok(reply)
    }

    /// The next answer of those that go on; none when the daemon has ended.
    pub(super) fn next(&mut self) -> Result<Option<Reply>, ClientError> {
        self.read()
    }

    fn read(&mut self) -> Result<Option<Reply>, ClientError> {
        let mut line = String::new();
        match self.stream.read_line(&mut line) {
            Ok(0) => Ok(None),
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

#[expect(clippy::wildcard_enum_match_arm, reason = "the kernel's own words do for the rare ones")]
fn refusal(path: &Path, error: io::Error) -> ClientError {
    let path = path.to_owned();
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => ClientError::NotRunning(path),
        io::ErrorKind::PermissionDenied => ClientError::Denied(path),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => ClientError::Silent(path),
        _ => ClientError::Broken { path, source: error },
    }
}

/// The daemon answers within milliseconds unless it is stopped.
const PATIENCE: Duration = Duration::from_secs(5);
