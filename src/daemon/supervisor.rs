//! The service manager that started us, if it wants to be told how we are: sd_notify(3), the protocol of systemd that
//! others speak too.
//!
//! ```text
//! READY=1 ---> WATCHDOG=1 ... ---> RELOADING=1 ---> READY=1 ---> ... ---> STOPPING=1
//! ```
//!
//! The watchdog is fed by the loop after a whole turn, and by nothing else: a loop that hangs is not well, whatever
//! else of the process may live. What cannot be sent is lost: a manager that does not read must not stop us.

use std::env;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use log::debug;

use crate::time::Instant;

/// Whom to tell, and how often.
#[derive(Debug, Default)]
pub(super) struct Supervisor {
    manager: Option<(UnixDatagram, SocketAddr)>,
    /// Half of the time after which we are taken for dead.
    pause: Option<Duration>,
    /// When the watchdog wants to be fed next.
    due: Option<Instant>,
}

impl Supervisor {
    /// As the environment says.
    pub(super) fn from_env() -> Self {
        let number = |name| env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
        let is_ours = number("WATCHDOG_PID").is_none_or(|pid| pid == u64::from(std::process::id()));
        let limit = number("WATCHDOG_USEC").filter(|limit| is_ours && *limit > 0);
        Self::new(env::var_os("NOTIFY_SOCKET"), limit.map(Duration::from_micros))
    }

    fn new(name: Option<OsString>, limit: Option<Duration>) -> Self {
        let manager = name.and_then(|name| match connect(&name) {
            Ok(manager) => Some(manager),
            Err(error) => {
                debug!("notify-failed socket={} error=\"{error}\"", name.display());
                None
            }
        });
        let pause = limit.filter(|_| manager.is_some()).map(|limit| limit / 2);
        Self { manager, pause, due: None }
    }

    /// We work, from here on or again.
    pub(super) fn tell_ready(&mut self, now: Instant) {
        self.notify("READY=1");
        self.due = self.pause.map(|_| now);
    }

    /// We read again what can change; [`Supervisor::tell_ready`] ends it.
    pub(super) fn tell_reloading(&mut self, now: Instant) {
        self.notify(&format!("RELOADING=1\nMONOTONIC_USEC={}", now.as_nanos() / 1000));
    }

    /// We are about to end.
    pub(super) fn tell_stopping(&mut self) {
        self.notify("STOPPING=1");
        self.due = None;
    }

    /// The loop has made a whole turn.
    pub(super) fn handle_turn(&mut self, now: Instant) {
        if let (Some(pause), true) = (self.pause, self.due.is_some_and(|due| due <= now)) {
            self.notify("WATCHDOG=1");
            self.due = Some(now + pause);
        }
    }

    /// When the loop must turn, if for nothing else.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.due
    }

    fn notify(&self, message: &str) {
        let Some((socket, manager)) = &self.manager else { return };
        if let Err(error) = socket.send_to_addr(message.as_bytes(), manager) {
            debug!("notify-failed message={} error=\"{error}\"", message.lines().next().unwrap_or_default());
        }
    }
}

fn connect(name: &OsStr) -> io::Result<(UnixDatagram, SocketAddr)> {
    let address = match name.as_bytes() {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
        name => SocketAddr::from_pathname(OsStr::from_bytes(name))?,
    };
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    Ok((socket, address))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A service manager that wants to hear of us each second.
    fn manager(name: &str) -> (UnixDatagram, Supervisor) {
        let name = format!("@faild-supervisor-{}-{name}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name.as_bytes()[1..]).unwrap();
        let manager = UnixDatagram::bind_addr(&address).unwrap();
        manager.set_nonblocking(true).unwrap();
        (manager, Supervisor::new(Some(name.into()), Some(Duration::from_secs(1))))
    }

    fn heard(manager: &UnixDatagram) -> Vec<String> {
        let mut buffer = [0; 256];
        let next =
            || manager.recv(&mut buffer).ok().map(|n| String::from_utf8_lossy(&buffer[..n]).into_owned());
        std::iter::from_fn(next).collect()
    }

    #[test]
    fn the_watchdog_is_fed_by_turns_after_half_its_time() {
        let at = |millis: u64| Instant::from_nanos(millis * 1_000_000);
        let (manager, mut supervisor) = manager("watchdog");
        supervisor.handle_turn(at(0));
        assert_eq!((heard(&manager), supervisor.deadline()), (vec![], None), "it is not ready yet");
        supervisor.tell_ready(at(10));
        for (turn, deadline) in [(10, 510), (509, 510), (600, 1100), (1099, 1100), (1100, 1600)] {
            supervisor.handle_turn(at(turn));
            assert_eq!(supervisor.deadline(), Some(at(deadline)), "{turn}");
        }
        assert_eq!(heard(&manager), ["READY=1", "WATCHDOG=1", "WATCHDOG=1", "WATCHDOG=1"]);
        supervisor.tell_stopping();
        supervisor.handle_turn(at(9000));
        assert_eq!((heard(&manager), supervisor.deadline()), (vec!["STOPPING=1".to_owned()], None));
    }

    #[test]
    fn a_reload_tells_the_time_in_microseconds() {
        let (manager, mut supervisor) = manager("reload");
        supervisor.tell_reloading(Instant::from_nanos(1_234_567_890));
        assert_eq!(heard(&manager), ["RELOADING=1\nMONOTONIC_USEC=1234567"]);
    }

    #[test]
    fn who_does_not_read_and_who_is_not_there_stop_nobody() {
        let (_manager, mut supervisor) = manager("deaf");
        for turn in 0..5000 {
            supervisor.tell_ready(Instant::from_nanos(turn));
        }
        for name in [None, Some(""), Some("@"), Some("/nowhere/socket")] {
            let mut supervisor = Supervisor::new(name.map(OsString::from), None);
            supervisor.tell_ready(Instant::from_nanos(1));
            assert_eq!(supervisor.deadline(), None);
        }
    }
}
