//! One client of the control socket: a line in, an answer out, and nothing blocks.

use std::fmt;
use std::io::{self, Read, Write};

use mio::net::UnixStream;
use nix::sys::socket::UnixCredentials;

use super::{Events, PATIENCE};
use crate::control::{LONGEST_REQUEST, Refusal, RefusalKind, Reply, Request};
use crate::time::Instant;

/// See the module.
#[derive(Debug)]
pub(super) struct Client {
    stream: UnixStream,
    caller: UnixCredentials,
    pub(super) is_readable: bool,
    pub(super) is_writable: bool,
    /// Time of its last activity.
    pub(super) active: Instant,
    input: Vec<u8>,
    output: Vec<u8>,
    /// Bytes of `output` that have been sent.
    sent: usize,
    /// It will send nothing more.
    has_ended: bool,
    /// It is disconnected once it has read its output.
    is_dismissed: bool,
    /// The next event that it is waiting for.
    follows: Option<u64>,
}

impl Client {
    pub(super) fn new(now: Instant, stream: UnixStream, caller: UnixCredentials) -> Self {
        Self {
            stream,
            caller,
            is_readable: true,
            is_writable: true,
            active: now,
            input: Vec::new(),
            output: Vec::new(),
            sent: 0,
            has_ended: false,
            is_dismissed: false,
            follows: None,
        }
    }

    pub(super) fn uid(&self) -> u32 {
        self.caller.uid()
    }

    pub(super) fn stream(&mut self) -> &mut UnixStream {
        &mut self.stream
    }

    /// Reads and writes as much as possible without blocking.
    pub(super) fn attend(&mut self, now: Instant, events: &Events) {
        if self.is_readable && self.output.is_empty() {
            self.active = now;
            self.read();
        }
        if let Some(next) = self.follows.filter(|_| self.output.is_empty()) {
            let fresh = events.after(next - 1, PAGE);
            if let Some(last) = fresh.last() {
                self.follows = Some(last.sequence + 1);
                self.answer(now, &Reply::Events(fresh));
            }
        }
        self.write(now);
    }

    /// The next request, once the last answer has been read; `None` until a line is complete.
    pub(super) fn next_request(&mut self) -> Option<Result<Request, Refusal>> {
        if self.is_dismissed || !self.output.is_empty() {
            return None;
        }
        if let Some(end) = self.input.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.input.drain(..=end).collect();
            return Some(Request::from_line(&line));
        }
        if self.input.len() < LONGEST_REQUEST {
            return None;
        }
        self.is_dismissed = true;
        let message = format!("request longer than {LONGEST_REQUEST} bytes");
        Some(Err(Refusal { kind: RefusalKind::BadRequest, message }))
    }

    pub(super) fn answer(&mut self, now: Instant, reply: &Reply) {
        self.active = now;
        self.output = reply.to_line().into_bytes();
        self.output.push(b'\n');
        self.write(now);
    }

    /// From now on every event is sent, starting after those of `reply`.
    pub(super) fn follow(&mut self, reply: &Reply, events: &Events) {
        let sent = if let Reply::Events(sent) = reply { sent.last() } else { None };
        self.follows = Some(sent.map_or(events.last(), |event| event.sequence) + 1);
    }

    /// Sends the reason for disconnecting it, if it has read everything before that.
    pub(super) fn dismiss(&mut self, now: Instant) {
        if self.output.is_empty() {
            let message = "closed to make room: this connection was idle longest; reconnect".to_owned();
            self.answer(now, &Reply::Error(Refusal { kind: RefusalKind::Refused, message }));
        }
    }

    /// Whether it has left, or has left an answer unread for too long. A follower may: it costs only one page, and the
    /// event numbers show it later how many it has missed.
    pub(super) fn is_over(&self, now: Instant) -> bool {
        match self.output.is_empty() {
            true => self.is_dismissed || (self.has_ended && !self.input.contains(&b'\n')),
            false => self.follows.is_none() && now.since(self.active) > PATIENCE,
        }
    }

    pub(super) fn has_work(&self, events: &Events) -> bool {
        if !self.output.is_empty() {
            return self.is_writable;
        }
        let waits = self.follows.is_some_and(|next| next <= events.last());
        waits || self.is_readable || self.is_dismissed || self.has_ended || self.input.contains(&b'\n')
    }

    fn read(&mut self) {
        let mut bytes = [0; LONGEST_REQUEST];
        while self.is_readable && self.input.len() < LONGEST_REQUEST {
            let room = LONGEST_REQUEST - self.input.len();
            match self.stream.read(&mut bytes[..room]) {
                Ok(0) => (self.has_ended, self.is_readable) = (true, false),
                Ok(count) => self.input.extend_from_slice(&bytes[..count]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.is_readable = false,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => self.leave(),
            }
            // A follower sends no further requests.
            if self.follows.is_some() {
                self.input.clear();
            }
        }
    }

    fn write(&mut self, now: Instant) {
        while self.is_writable && self.sent < self.output.len() {
            match self.stream.write(&self.output[self.sent..]) {
                Ok(count) => (self.sent, self.active) = (self.sent + count, now),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.is_writable = false,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => self.leave(),
            }
        }
        if self.sent == self.output.len() {
            // The memory is released: most clients send only one request.
            (self.output, self.sent) = (Vec::new(), 0);
        }
    }

    fn leave(&mut self) {
        (self.has_ended, self.is_readable) = (true, false);
        self.input = Vec::new();
        (self.output, self.sent) = (Vec::new(), 0);
    }
}

impl fmt::Display for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "uid={} pid={}", self.caller.uid(), self.caller.pid())
    }
}

/// Events sent at once: a few kilobytes.
const PAGE: usize = 64;
