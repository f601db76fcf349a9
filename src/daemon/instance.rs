//! One faild for each network namespace, because two would fight over its routes.
//!
//! The lock is an abstract unix socket: it belongs to the network namespace, as routes do, it needs no directory, and
//! the kernel removes it when its owner ends, however that ends. The kernel also tells who listens.

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

/// The lock; free again when this is dropped.
#[derive(Debug)]
pub(super) struct Instance {
    listener: UnixListener,
    attended: Instant,
}

/// Why there is no lock.
#[derive(Debug, thiserror::Error)]
pub(super) enum InstanceError {
    /// Another one runs.
    #[error(
        "another faild ({holder}) runs in this network namespace; stop it first, or let that one do the work"
    )]
    Taken {
        /// `pid 123`, or why nobody can tell.
        holder: String,
    },
    /// The lock cannot be made at all.
    #[error("cannot make the lock of this network namespace (abstract unix socket @{NAME})")]
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
        // Listening is what makes the kernel note our pid for those who connect.
        listen(&listener, Backlog::new(BACKLOG).map_err(InstanceError::failed)?)
            .map_err(InstanceError::failed)?;
        Ok(Self { listener: listener.into(), attended: Instant::default() })
    }

    /// Makes room for others who ask: who has been told our pid stays in the backlog until he is accepted. Nobody can
    /// wake us by asking.
    pub(super) fn attend(&mut self, now: Instant) {
        if now.since(self.attended) < PAUSE {
            return;
        }
        self.attended = now;
        // Whoever is accepted is let go at once.
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

/// Who listens at `address`.
fn holder(address: &UnixAddr) -> String {
    let peer = stream().and_then(|client| {
        connect(client.as_raw_fd(), address)?;
        getsockopt(&client, PeerCredentials)
    });
    match peer {
        // Pid 0 is a process of another pid namespace, as a container's is.
        Ok(peer) if peer.pid() == 0 => "in another container, or outside of this one".to_owned(),
        Ok(peer) if peer.uid() != 0 => format!("pid {} of user {}", peer.pid(), peer.uid()),
        Ok(peer) => format!("pid {}", peer.pid()),
        // The backlog is full of others who asked, or the other one is just starting or ending.
        Err(_) => format!("pid unknown: see ss -xlp src @{NAME}"),
    }
}

/// Never blocks, as a connect does while a backlog is full.
fn stream() -> Result<OwnedFd, Errno> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    socket(AddressFamily::Unix, SockType::Stream, flags, None)
}

const NAME: &str = "faild";

/// So many may ask at once and be told.
const BACKLOG: i32 = 16;

/// How often the backlog is emptied at most.
const PAUSE: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use nix::sched::{CloneFlags, unshare};

    use super::*;

    #[test]
    fn the_second_is_told_the_pid_of_the_first_and_may_when_that_is_gone() {
        unshare(CloneFlags::CLONE_NEWNET).expect("network namespaces need root: run the tests as root");
        let first = Instance::take().unwrap();
        let refusal = Instance::take().unwrap_err().to_string();
        let pid = std::process::id();
        assert!(refusal.starts_with(&format!("another faild (pid {pid}) runs in this")), "{refusal}");
        drop(first);
        Instance::take().unwrap();
    }

    #[test]
    fn whoever_asks_is_told_the_pid_however_many_asked_before() {
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
        unshare(CloneFlags::CLONE_NEWNET).unwrap();
        let _first = Instance::take().unwrap();
        unshare(CloneFlags::CLONE_NEWNET).unwrap();
        Instance::take().unwrap();
    }

    #[test]
    fn a_full_backlog_does_not_block_the_refusal() {
        unshare(CloneFlags::CLONE_NEWNET).unwrap();
        let _first = Instance::take().unwrap();
        let address = UnixAddr::new_abstract(NAME.as_bytes()).unwrap();
        let clients: Vec<OwnedFd> = (0..2 * BACKLOG).map(|_| stream().unwrap()).collect();
        let full = clients.iter().any(|client| connect(client.as_raw_fd(), &address).is_err());
        assert!(full && Instance::take().unwrap_err().to_string().contains("pid unknown"));
    }
}
