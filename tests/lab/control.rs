//! `faildctl` in a host of the lab, and its socket by hand.

use std::os::unix::net::UnixStream;
use std::process::Stdio;
use std::time::Duration;

use super::{Host, wait_until};

/// The program under test.
pub(crate) const FAILDCTL: &str = env!("CARGO_BIN_EXE_faildctl");

/// What it said.
#[derive(Debug)]
pub(crate) struct Answer {
    /// Exit code.
    pub(crate) code: Option<i32>,
    /// Standard output.
    pub(crate) text: String,
    /// Standard error.
    pub(crate) errors: String,
}

impl Host {
    /// Asks the host's daemon.
    pub(crate) fn faildctl(&self, arguments: &str) -> Answer {
        self.faildctl_as("", arguments)
    }

    /// The same, by a command line such as `setpriv --reuid ...` before it.
    pub(crate) fn faildctl_as(&self, before: &str, arguments: &str) -> Answer {
        let mut command = self.command("timeout");
        command.arg("20").args(before.split_whitespace()).arg(FAILDCTL);
        command.arg("--state-dir").arg(self.state_dir()).args(arguments.split_whitespace());
        let output = command.stdin(Stdio::null()).output().expect("cannot start ip netns exec");
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Answer { code: output.status.code(), text: text(output.stdout), errors: text(output.stderr) }
    }

    /// Waits until `faildctl` with these arguments says all of these words; what it said.
    #[track_caller]
    pub(crate) fn wait_faildctl(&self, arguments: &str, words: &[&str]) -> Answer {
        let mut answer = self.faildctl(arguments);
        wait_until(&format!("faildctl {arguments} says {words:?}"), Duration::from_secs(20), || {
            answer = self.faildctl(arguments);
            words.iter().all(|word| answer.text.contains(word))
        });
        answer
    }

    /// A connection to the daemon's control socket.
    pub(crate) fn connect_control(&self) -> UnixStream {
        let stream = UnixStream::connect(self.state_dir().join("control.sock")).expect("no control socket");
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a socket takes a time limit");
        stream
    }
}
