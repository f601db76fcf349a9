//! One faild per network namespace, because two would fight over its routes.
//!
//! The lock is an abstract unix socket: it belongs to the network namespace, like routes; it needs no directory; and
//! the kernel removes it when its owner exits, however that happens. The kernel also reports its owner.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::socket::sockopt::PeerCredentials;
use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, UnixAddr, bind, connect, getsockopt, listen, socket,
};

use crate::time::Instant;

/// The lock; released when this is dropped.
#[derive(Debug)]
pub(super) struct Instance {
    listener: UnixListener,
    attended: Instant,
}

/// Why there is no lock.
#[derive(Debug, thiserror::Error)]
pub(super) enum InstanceError {
    /// Another faild is running.
    #[error("another faild ({holder}) is already running in this network namespace; stop it first")]
    Taken {
        /// `pid 123`, or why that is unknown.
        holder: String,
    },
    /// The lock cannot be created at all.
    #[error("cannot create the lock for this network namespace (abstract unix socket @{NAME})")]
    Failed(#[source] io::Error),
}

impl Instance {
    /// Takes the lock.
    ///
    /// # Errors
    ///
    /// [`InstanceError`].
    pub(super) fn take() -> Result<Self, InstanceError> {
        let listener = stream().map_err(InstanceError::failed)?;
        let address = UnixAddr::new_abstract(NAME.as_bytes()).map_err(InstanceError::failed)?;
        match bind(listener.as_raw_fd(), &address) {
            Ok(()) => {}
            Err(Errno::EADDRINUSE) => return Err(InstanceError::Taken { holder: holder(&address) }),
            Err(errno) => return Err(InstanceError::failed(errno)),
        }
        // Only for a listening socket does the kernel show our pid to processes that connect.
        listen(&listener, Backlog::new(BACKLOG).map_err(InstanceError::failed)?)
            .map_err(InstanceError::failed)?;
        Ok(Self { listener: listener.into(), attended: Instant::default() })
    }

    /// Makes room in the backlog: a process that was told our pid stays there until it is accepted. Connecting does
    /// not wake us.
    pub(super) fn attend(&mut self, now: Instant) {
        if now.since(self.attended) < PAUSE {
            return;
        }
        self.attended = now;
        // The connection is closed at once.
        for _ in 0..BACKLOG {
            if self.listener.accept().is_err() {
                return;
            }
        }
    }
}

impl InstanceError {
    fn failed(errno: Errno) -> Self {
        InstanceError::Failed(errno.into())
    }
}

/// The process that listens on `address`.
fn holder(address: &UnixAddr) -> String {
    let peer = stream().and_then(|client| {
        connect(client.as_raw_fd(), address)?;
        getsockopt(&client, PeerCredentials)
    });
    match peer {
        // Pid 0 is a process in another pid namespace, such as that of a container.
        Ok(peer) if peer.pid() == 0 => "in another container, or outside this one".to_owned(),
        Ok(peer) if peer.uid() != 0 => format!("pid {} of user {}", peer.pid(), peer.uid()),
        Ok(peer) => format!("pid {}", peer.pid()),
        // The backlog is full of other connections, or the other faild is just starting or exiting.
        Err(_) => format!("pid unknown: see ss -xlp src @{NAME}"),
    }
}

/// Non-blocking, since a connect blocks while a backlog is full.
fn stream() -> Result<OwnedFd, Errno> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    socket(AddressFamily::Unix, SockType::Stream, flags, None)
}

const NAME: &str = "faild";

/// How many processes can ask at once.
const BACKLOG: i32 = 16;

/// Minimum time between two times that the backlog is emptied.
const PAUSE: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use nix::sched::{CloneFlags, unshare};

    use super::*;
    use crate::scratch::needs_root;

    #[test]
    fn the_second_is_told_the_pid_of_the_first_and_may_when_that_is_gone() {
        needs_root!();
        unshare(CloneFlags::CLONE_NEWNET).expect("network namespaces need root: run the tests as root");
        let first = Instance::take().unwrap();
        let refusal = Instance::take().unwrap_err().to_string();
        let pid = std::process::id();
        assert!(refusal.starts_with(&format!("another faild (pid {pid}) is already running")), "{refusal}");
        drop(first);
        Instance::take().unwrap();
    }

    #[test]
    fn whoever_asks_is_told_the_pid_however_many_asked_before() {
        needs_root!();
        unshare(CloneFlags::CLONE_NEWNET).unwrap();
        let mut first = Instance::take().unwrap();
        for second in 1..=100 {
            let refusal = Instance::take().unwrap_err().to_string();
            assert!(refusal.contains(&format!("pid {}", std::process::id())), "{refusal}");
            first.attend(Instant::from_nanos(second * 1_000_000_000));
        }
    }

    #[test]
    fn another_network_namespace_is_another_matter() {
        needs_root!();
        unshare(CloneFlags::CLONE_NEWNET).unwrap();
        let _first = Instance::take().unwrap();
        unshare(CloneFlags::CLONE_NEWNET).unwrap();
        Instance::take().unwrap();
    }

    #[test]
    fn a_full_backlog_does_not_block_the_refusal() {
        needs_root!();
        unshare(CloneFlags::CLONE_NEWNET).unwrap();
        let _first = Instance::take().unwrap();
        let address = UnixAddr::new_abstract(NAME.as_bytes()).unwrap();
        let clients: Vec<OwnedFd> = (0..2 * BACKLOG).map(|_| stream().unwrap()).collect();
        let full = clients.iter().any(|client| connect(client.as_raw_fd(), &address).is_err());
        assert!(full && Instance::take().unwrap_err().to_string().contains("pid unknown"));
    }
}
