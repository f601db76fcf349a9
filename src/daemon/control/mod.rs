//! The control socket: who may connect, who may ask, and when it is answered.
//!
//! ```text
//!  accept --> client: reads a line --> request --> Edges::answer --> client: writes as the other end reads
//!                     (4 KiB at most)   one a turn                   (one answer at most)
//! ```
//!
//! Requests come last in a turn, after packets, deadlines and the kernel, one a turn: however many ask, and however
//! slowly they read, no probe waits for them. Who may connect may read (root, and the socket's group); only root may
//! change anything. Some connections are kept for root.

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
    /// Whether somebody waits to be accepted.
    is_acceptable: bool,
    /// The client that was served last: the others come first.
    served: usize,
    /// When somebody else than root may have the next plan.
    plans_from: Option<Instant>,
}

impl Control {
    /// Opens the socket in `directory`, in place of one that a dead daemon left. Members of `group` may connect.
    ///
    /// # Errors
    ///
    /// The directory cannot be written, or another daemon serves that socket.
    pub(super) fn open(
        directory: &Path,
        group: &str,
        registry: Registry,
        trust: &Trust,
    ) -> anyhow::Result<Self> {
        let path = directory.join(SOCKET);
        let refusal = || format!("cannot make {} (name a directory for it with --state-dir)", path.display());
        let directory = trust.directory(directory, Some(0o755)).with_context(refusal)?;
        remove_stale(&directory, &path).with_context(|| format!("cannot make {}", path.display()))?;
        let mut listener = UnixListener::bind(&path).with_context(refusal)?;
        admit(&directory, group).with_context(|| format!("cannot open {} to its group", path.display()))?;
        registry.register(&mut listener, LISTENER, Interest::READABLE).context("cannot poll")?;
        let clients = BTreeMap::new();
        Ok(Self { listener, path, registry, clients, is_acceptable: false, served: 0, plans_from: None })
    }

    /// Notes what the poll has to say. False if it is none of ours.
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

    /// Accepts, reads and writes what is possible without waiting; the request that is to be answered, if there is one.
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

    /// Hands over the answer to a request.
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

    /// Whether somebody is to be attended to whom no descriptor will tell of.
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
                // Out of descriptors: those who wait are accepted when another connects.
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

    /// The idlest goes; root's stay while there is another.
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
                // A descriptor that is closed leaves the poll by itself.
                let _ = self.registry.deregister(client.stream());
            }
        }
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        // What stays is removed by the next start.
        let _ = fs::remove_file(&self.path);
        // Who waits for our end sees it by the end of the connection: that is for the kernel to close, when we are gone.
        std::mem::forget(std::mem::take(&mut self.clients));
    }
}

impl Client {
    /// Only root may change anything.
    fn permit(&self, request: Request) -> Result<Request, Refusal> {
        if request.is_change() && self.uid() != 0 {
            info!("control-denied {self} request={request:?}");
            let message = "only root may change anything; ask as root (sudo)".to_owned();
            return Err(Refusal { kind: RefusalKind::Denied, message });
        }
        Ok(request)
    }

    /// A plan plays the whole core, while probes wait. Root may do that as often as he likes; all others together get
    /// one a second, so that no reader of the socket can take the time that probes need.
    fn ration(&self, now: Instant, from: &mut Option<Instant>, request: Request) -> Result<Request, Refusal> {
        if self.uid() != 0 && matches!(request, Request::Plan { .. }) {
            if from.is_some_and(|from| now < from) {
                let message = "all but root together get one plan a second; ask again in a second".to_owned();
                return Err(Refusal { kind: RefusalKind::Refused, message });
            }
            *from = Some(now + PLAN_PAUSE);
        }
        Ok(request)
    }
}

/// A socket that nobody listens on is a dead daemon's. One that somebody serves belongs to a daemon in another network
/// namespace: in this one there is no other. What is no socket is nobody's that could be asked.
fn remove_stale(directory: &OwnedFd, path: &Path) -> io::Result<()> {
    let is_served = match fstatat(directory, SOCKET, AtFlags::AT_SYMLINK_NOFOLLOW) {
        Err(Errno::ENOENT) => return Ok(()),
        Ok(found) if kind(&found) == SFlag::S_IFSOCK => UnixStream::connect(path).is_ok(),
        Ok(_) | Err(_) => false,
    };
    if is_served {
        return Err(io::Error::other(
            "a faild of another network namespace serves it; give this one its own --state-dir",
        ));
    }
    let text =
        |errno: Errno| format!("{} cannot be removed: {}; remove it by hand", path.display(), errno.desc());
    unlinkat(directory, SOCKET, UnlinkatFlags::NoRemoveDir).map_err(|errno| io::Error::other(text(errno)))
}

/// Opens the socket to root and to the group, if there is such a group.
///
/// The directory may belong to the user that faild runs as, and we may be root still: what is opened is what was made,
/// and no link that somebody has put in its place since.
fn admit(directory: &OwnedFd, name: &str) -> io::Result<()> {
    let flags = OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let file = openat(directory, SOCKET, flags, Mode::empty())?;
    if kind(&fstat(&file)?) != SFlag::S_IFSOCK {
        return Err(io::Error::other("somebody else puts files there"));
    }
    let path = &PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()));
    let mode = match account::group(name).map(|group| give(path, group)) {
        None => 0o600,
        Some(Ok(())) => 0o660,
        Some(Err(error)) => {
            warn!(
                "control-group-left-out group={name} error=\"{error}\" mend=\"start faild as root, or in that group\""
            );
            0o600
        }
    };
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
}

/// Under a service manager it may be the group's already, and giving it away forbidden.
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

/// Clients at once: a hundred, and room for those that are just leaving. One more sends the idlest away.
const CLIENTS: usize = 128;

/// Of these for root alone: whoever else may connect, the administrator gets in, and his follower of events stays.
const KEPT_FOR_ROOT: usize = 8;

/// Accepted in a turn, at some microseconds each: who connects without end must not keep the loop.
const ACCEPTED: usize = 64;

/// Between two plans for those who are not root: at a thousand peers a plan takes a tenth of that.
const PLAN_PAUSE: Duration = Duration::from_secs(1);

/// How long an answer may lie unread.
const PATIENCE: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests;
