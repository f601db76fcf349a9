//! The control socket: who may connect, who may do what, and when requests are answered.
//!
//! ```text
//!  accept --> client: reads a line --> request --> Edges::answer --> client: writes as the other end reads
//!                     (4 KiB at most)   one a turn                   (one answer at most)
//! ```
//!
//! Requests come last in a turn, after packets, deadlines and the kernel, one per turn: however many clients there
//! are, and however slowly they read, no probe waits for them. A user who may connect may read (root, and the
//! socket's group); only root may change anything. Some connections are reserved for root.

mod answer;
mod client;
mod events;
mod operate;
mod plan;
mod watched;
mod why;

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use log::{debug, info, warn};
use mio::event::Event;
use mio::net::UnixListener;
use mio::{Interest, Registry, Token};
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, openat};
use nix::sys::socket::{UnixCredentials, getsockopt, sockopt::PeerCredentials};
use nix::sys::stat::{Mode, SFlag, fstat, fstatat};
use nix::unistd::{UnlinkatFlags, unlinkat};

use crate::config::account;
use crate::control::{Refusal, RefusalKind, Reply, Request, SOCKET};
use crate::net::Sockets;
use crate::time::Instant;
use crate::trusted::{Trust, kind};
use client::Client;

pub(super) use events::Events;

/// See the module.
#[derive(Debug)]
pub(super) struct Control {
    listener: UnixListener,
    path: PathBuf,
    registry: Registry,
    clients: BTreeMap<usize, Client>,
    /// Whether a client is waiting to be accepted.
    is_acceptable: bool,
    /// The client served last: the others come first.
    served: usize,
    /// When a user other than root may have the next plan.
    plans_from: Option<Instant>,
}

impl Control {
    /// Opens the socket in `directory`, replacing one left by a dead daemon. Members of `group` may connect.
    ///
    /// # Errors
    ///
    /// The directory is not writable, or another daemon uses that socket.
    pub(super) fn open(
        directory: &Path,
        group: &str,
        registry: Registry,
        trust: &Trust,
    ) -> anyhow::Result<Self> {
        let path = directory.join(SOCKET);
        let refusal =
            || format!("cannot create {} (choose another directory with --state-dir)", path.display());
        let directory = trust.directory(directory, Some(0o755)).with_context(refusal)?;
        remove_stale(&directory, &path).with_context(|| format!("cannot create {}", path.display()))?;
        let mut listener = UnixListener::bind(&path).with_context(refusal)?;
        admit(&directory, group)
            .with_context(|| format!("cannot give the group access to {}", path.display()))?;
        registry.register(&mut listener, LISTENER, Interest::READABLE).context("cannot set up polling")?;
        let clients = BTreeMap::new();
        Ok(Self { listener, path, registry, clients, is_acceptable: false, served: 0, plans_from: None })
    }

    /// Takes a poll event. False if it is not for us.
    pub(super) fn handle_ready(&mut self, event: &Event) -> bool {
        if event.token() == LISTENER {
            self.is_acceptable = true;
            return true;
        }
        match self.clients.get_mut(&slot(event.token())) {
            Some(client) if event.token().0 & Sockets::FOREIGN != 0 => {
                client.is_readable |= event.is_readable();
                client.is_writable |= event.is_writable();
                true
            }
            Some(_) | None => false,
        }
    }

    /// Accepts, reads and writes as much as possible without blocking; returns the next request, if there is one.
    pub(super) fn next_request(&mut self, now: Instant, events: &Events) -> Option<(usize, Request)> {
        self.accept(now);
        for client in self.clients.values_mut() {
            client.attend(now, events);
        }
        self.remove(|client| client.is_over(now));
        let later = self.clients.range(self.served + 1..).map(|(slot, _)| *slot);
        let order: Vec<usize> =
            later.chain(self.clients.range(..=self.served).map(|(slot, _)| *slot)).collect();
        order.into_iter().find_map(|slot| {
            let client = self.clients.get_mut(&slot)?;
            let request = client.next_request()?.and_then(|request| client.permit(request));
            let request = request.and_then(|request| client.ration(now, &mut self.plans_from, request));
            self.served = slot;
            match request {
                Ok(request) => Some((slot, request)),
                Err(refusal) => {
                    client.answer(now, &Reply::Error(refusal));
                    None
                }
            }
        })
    }

    /// Sends the answer to a request.
    pub(super) fn answer(
        &mut self,
        now: Instant,
        slot: usize,
        request: &Request,
        reply: &Reply,
        events: &Events,
    ) {
        let Some(client) = self.clients.get_mut(&slot) else { return };
        debug!("control-request {client} request={request:?}");
        client.answer(now, reply);
        if let Request::Events { follow: true, .. } = request {
            client.follow(reply, events);
        }
    }

    /// Whether there is work to do that no descriptor will report.
    pub(super) fn has_work(&self, events: &Events) -> bool {
        self.is_acceptable || self.clients.values().any(|client| client.has_work(events))
    }

    fn accept(&mut self, now: Instant) {
        for _ in 0..ACCEPTED {
            if !self.is_acceptable {
                return;
            }
            match self.listener.accept() {
                Ok((stream, _)) => {
                    if let Ok(caller) = getsockopt(&stream, PeerCredentials) {
                        self.admit_client(now, stream, caller);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // Out of descriptors: waiting clients are accepted when the next one connects.
                Err(_) => self.is_acceptable = false,
            }
        }
    }

    fn admit_client(&mut self, now: Instant, mut stream: mio::net::UnixStream, caller: UnixCredentials) {
        let others = self.clients.values().filter(|client| client.uid() != 0).count();
        if self.clients.len() >= CLIENTS || (caller.uid() != 0 && others >= CLIENTS - KEPT_FOR_ROOT) {
            self.make_room(now);
        }
        let free = (0..=CLIENTS).find(|slot| !self.clients.contains_key(slot)).unwrap_or_default();
        let interest = Interest::READABLE | Interest::WRITABLE;
        if self.registry.register(&mut stream, Token(CLIENT | free), interest).is_ok() {
            self.clients.insert(free, Client::new(now, stream, caller));
        }
    }

    /// Disconnects the client that was idle longest; root's only if there is no other.
    fn make_room(&mut self, now: Instant) {
        let idlest = self.clients.iter_mut().min_by_key(|(_, client)| (client.uid() == 0, client.active));
        let Some((slot, client)) = idlest else { return };
        client.dismiss(now);
        let slot = *slot;
        self.remove_slots(&[slot]);
    }

    fn remove(&mut self, is_over: impl Fn(&Client) -> bool) {
        let over: Vec<usize> =
            self.clients.iter().filter(|(_, client)| is_over(client)).map(|(slot, _)| *slot).collect();
        self.remove_slots(&over);
    }

    fn remove_slots(&mut self, slots: &[usize]) {
        for slot in slots {
            if let Some(mut client) = self.clients.remove(slot) {
                // A closed descriptor leaves the poll automatically.
                let _ = self.registry.deregister(client.stream());
            }
        }
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        // If this fails, the next start removes it.
        let _ = fs::remove_file(&self.path);
        // `faildctl stop` waits for the end of its connection: the kernel closes it, once we have exited.
        std::mem::forget(std::mem::take(&mut self.clients));
    }
}

impl Client {
    /// Only root may change anything.
    fn permit(&self, request: Request) -> Result<Request, Refusal> {
        if request.is_change() && self.uid() != 0 {
            info!("control-denied {self} request={request:?}");
            let message = "only root may change anything; use sudo".to_owned();
            return Err(Refusal { kind: RefusalKind::Denied, message });
        }
        Ok(request)
    }

    /// A plan runs a copy of the whole core, while probes wait. Root may have any number; all other users together get
    /// one per second, so that no reader of the socket can take the time that probes need.
    fn ration(&self, now: Instant, from: &mut Option<Instant>, request: Request) -> Result<Request, Refusal> {
        if self.uid() != 0 && matches!(request, Request::Plan { .. }) {
            if from.is_some_and(|from| now < from) {
                let message = "non-root users are limited to one plan per second; try again".to_owned();
                return Err(Refusal { kind: RefusalKind::Refused, message });
            }
            *from = Some(now + PLAN_PAUSE);
        }
        Ok(request)
    }
}

/// A socket without a listener was left by a dead daemon. One with a listener belongs to a daemon in another network
/// namespace: in this one there is no other. Anything that is not a socket belongs to no daemon.
fn remove_stale(directory: &OwnedFd, path: &Path) -> io::Result<()> {
    let is_served = match fstatat(directory, SOCKET, AtFlags::AT_SYMLINK_NOFOLLOW) {
        Err(Errno::ENOENT) => return Ok(()),
        Ok(found) if kind(&found) == SFlag::S_IFSOCK => UnixStream::connect(path).is_ok(),
        Ok(_) | Err(_) => false,
    };
    if is_served {
        return Err(io::Error::other(
            "it is in use by a faild in another network namespace; give this one its own --state-dir",
        ));
    }
    let text =
        |errno: Errno| format!("{} cannot be removed: {}; remove it by hand", path.display(), errno.desc());
    unlinkat(directory, SOCKET, UnlinkatFlags::NoRemoveDir).map_err(|errno| io::Error::other(text(errno)))
}

/// Gives root and the group, if it exists, access to the socket.
///
/// The directory may belong to the user that faild runs as, while we may still be root: it must be the socket that we
/// created, not a link that was put in its place since.
fn admit(directory: &OwnedFd, name: &str) -> io::Result<()> {
    let flags = OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let file = openat(directory, SOCKET, flags, Mode::empty())?;
    if kind(&fstat(&file)?) != SFlag::S_IFSOCK {
        return Err(io::Error::other("other users can write to that directory"));
    }
    let path = &PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()));
    let mode = match account::group(name).map(|group| give(path, group)) {
        None => 0o600,
        Some(Ok(())) => 0o660,
        Some(Err(error)) => {
            warn!(
                "control-group-skipped group={name} fix=\"start faild as root, or as a member of that group\" error=\"{error}\""
            );
            0o600
        }
    };
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
}

/// Under a service manager it may already belong to the group, and chown may be forbidden.
fn give(path: &Path, group: u32) -> io::Result<()> {
    if fs::metadata(path)?.gid() == group {
        return Ok(());
    }
    chown(path, None, Some(group))
}

const fn slot(token: Token) -> usize {
    token.0 & !(CLIENT | Sockets::FOREIGN)
}

const LISTENER: Token = Token(Sockets::FOREIGN | 0x100);
const CLIENT: usize = Sockets::FOREIGN | 0x1000;

/// Clients at once: a hundred, and room for some that are just leaving. One more disconnects the idlest.
const CLIENTS: usize = 128;

/// Reserved for root: whatever other users do, the administrator can connect, and keeps a connection for events.
const KEPT_FOR_ROOT: usize = 8;

/// Accepted per turn, at some microseconds each: endless connections must not hold up the loop.
const ACCEPTED: usize = 64;

/// Between two plans for users other than root: with a thousand peers, a plan takes a tenth of that.
const PLAN_PAUSE: Duration = Duration::from_secs(1);

/// How long an answer may remain unread.
const PATIENCE: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests;
