//! The control command, faildctl(8): queries the daemon and prints the answer, as a table for people or as JSON for
//! programs. All it knows about the daemon is the control protocol.
//!
//! ```text
//! arguments --> Request --client--> daemon --> Reply --> show (tables, colour) --> standard output
//! ```

mod arguments;
mod client;
mod compat;
mod explain;
mod harmless;
mod show;
mod table;
mod watched;

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use clap::Parser;
use nix::poll::poll;

use crate::control::{Health, Page, Refusal, Reply, Request, Routes};
use arguments::{Arguments, Command};
use client::{Client, ClientError};
use harmless::harmless;
use show::Screen;

pub use arguments::help_texts;

/// The exit status (faildctl(8), EXIT STATUS); the first four are those of monitoring plugins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum ExitStatus {
    /// `status`: ok. Otherwise: success.
    Ok = 0,
    /// `status`: something is broken, but every present peer is reachable. Otherwise: refused or failed.
    Degraded = 1,
    /// `status`: no LAN works, or no peer is reachable.
    Failed = 2,
    /// The daemon is not running, or may not be queried.
    NotRunning = 3,
    /// The command line is invalid (EX_USAGE of sysexits.h).
    Usage = 64,
}

/// Why a command fails.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error("cannot write: {0}")]
    Output(#[from] io::Error),
    #[error("faild has exited")]
    Ended,
    #[error(
        "faild closed the connection to make room for other clients, or was restarted; continue with: faildctl events --follow --after {last}"
    )]
    SentAway { last: u64 },
}

/// The program.
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // If that fails, there is nowhere else to report it.
            let _ = error.print();
            let status = if error.use_stderr() { ExitStatus::Usage } else { ExitStatus::Ok };
            return ExitCode::from(status as u8);
        }
    };
    if let Command::Ipmpstat { words } = &arguments.command {
        return compat::ipmpstat(&arguments.socket(), words);
    }
    if let Command::IfMpadm { words } = &arguments.command {
        return compat::if_mpadm(&arguments.socket(), words);
    }
    ExitCode::from(run(&arguments) as u8)
}

fn run(arguments: &Arguments) -> ExitStatus {
    let outcome = Client::connect(&arguments.socket()).map_err(Error::from).and_then(|mut client| {
        let screen = Screen { is_coloured: io::stdout().is_terminal() && !is_colour_unwanted() };
        answer(arguments, &mut client, screen)
    });
    match outcome {
        Ok(status) => status,
        // The reader has seen enough.
        Err(Error::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => ExitStatus::Ok,
        Err(error) => {
            for line in error.to_string().lines() {
                let _ = writeln!(io::stderr(), "faildctl: {}", harmless(line));
            }
            match error {
                Error::Client(ClientError::StillRunning { .. }) => ExitStatus::Degraded,
                Error::Client(_) | Error::Ended => ExitStatus::NotRunning,
                Error::Refused(_) | Error::Output(_) | Error::SentAway { .. } => ExitStatus::Degraded,
            }
        }
    }
}

/// Sends requests and prints the answers, until there are no more.
fn answer(arguments: &Arguments, client: &mut Client, screen: Screen) -> Result<ExitStatus, Error> {
    let mut request = arguments.command.request();
    let mut is_first = true;
    loop {
        let reply = match client.ask(&request) {
            // It was stopped by someone else in the meantime.
            Err(ClientError::Broken { .. }) if matches!(request, Request::Stop { .. }) => {
                client.wait_until_ended()?;
                return Ok(ExitStatus::Ok);
            }
            reply => reply?,
        };
        print(arguments, &reply, screen, is_first)?;
        is_first = false;
        match (&reply, &request) {
            (Reply::Error(refusal), _) => return Err(refusal.clone().into()),
            (Reply::Peers(Page { more: Some(more), .. }), _) => {
                request = Request::Peers { after: Some(more.clone()) };
            }
            (Reply::Routes(Routes { page: Page { more: Some(more), .. }, .. }), _) => {
                request = Request::Routes { after: *more };
            }
            (Reply::Probes(probes), Request::Probes { after }) if arguments.command.follows_probes() => {
                let last = probes.items.last().map_or(after.unwrap_or(0), |probe| probe.record.number);
                return follow_probes(arguments, client, screen, last);
            }
            (reply @ Reply::Events(_), Request::Events { follow, after }) => {
                let last = tell_lost(*after, reply);
                return if *follow {
                    follow_events(arguments, client, screen, last)
                } else {
                    Ok(ExitStatus::Ok)
                };
            }
            (Reply::Done(_), Request::Stop { .. }) => {
                client.wait_until_ended()?;
                return Ok(ExitStatus::Ok);
            }
            (reply, _) => return Ok(status(reply)),
        }
    }
}

/// Prints new events until the daemon exits.
fn follow_events(
    arguments: &Arguments,
    client: &mut Client,
    screen: Screen,
    mut last: u64,
) -> Result<ExitStatus, Error> {
    while let Some(reply) = client.next()? {
        print(arguments, &reply, screen, false)?;
        if let Reply::Error(refusal) = reply {
            return Err(refusal.into());
        }
        last = tell_lost(Some(last), &reply);
    }
    // If we were disconnected without a message because our buffer was full, the daemon is still running.
    Err(if Client::connect(&arguments.socket()).is_ok() { Error::SentAway { last } } else { Error::Ended })
}

/// Reports how many events after number `last` were lost; returns the number of the newest one.
fn tell_lost(last: Option<u64>, reply: &Reply) -> u64 {
    let lost = lost(last, reply);
    if lost > 0 {
        let _ = writeln!(io::stderr(), "faildctl: events lost: {lost}; faild keeps only the last 512");
    }
    let Reply::Events(events) = reply else { return last.unwrap_or(0) };
    events.last().map_or(last.unwrap_or(0), |event| event.sequence)
}

fn lost(last: Option<u64>, reply: &Reply) -> u64 {
    let (Some(last), Reply::Events(events)) = (last, reply) else { return 0 };
    events.first().map_or(0, |first| first.sequence.saturating_sub(last + 1))
}

/// Polls: there are too many probes, and too few readers of them, for the daemon to push them.
fn follow_probes(
    arguments: &Arguments,
    client: &mut Client,
    screen: Screen,
    mut last: u64,
) -> Result<ExitStatus, Error> {
    loop {
        // If interrupted, the pause is shorter.
        let _ = poll(&mut [], PAUSE_MS);
        let reply = client.ask(&Request::Probes { after: Some(last) })?;
        if let Reply::Error(refusal) = reply {
            return Err(refusal.into());
        }
        let Reply::Probes(probes) = &reply else { continue };
        if let Some(probe) = probes.items.last() {
            last = probe.record.number;
            print(arguments, &reply, screen, false)?;
        }
    }
}

fn print(arguments: &Arguments, reply: &Reply, screen: Screen, is_first: bool) -> Result<(), Error> {
    let text = match (reply, arguments.json) {
        (Reply::Error(_), false) => return Ok(()),
        (reply, true) => reply.to_line() + "\n",
        (reply, false) => harmless(&screen.text(reply, is_first)),
    };
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    Ok(out.flush()?)
}

fn status(reply: &Reply) -> ExitStatus {
    match reply {
        Reply::Status(status) => match status.health {
            Health::Ok => ExitStatus::Ok,
            Health::Degraded => ExitStatus::Degraded,
            Health::Failed => ExitStatus::Failed,
        },
        Reply::Error(_) => ExitStatus::Degraded,
        Reply::Lans(_)
        | Reply::Peers(_)
        | Reply::Routes(_)
        | Reply::Groups(_)
        | Reply::Targets(_)
        | Reply::Probes(_)
        | Reply::Events(_)
        | Reply::Why(_)
        | Reply::Plan(_)
        | Reply::Done(_) => ExitStatus::Ok,
    }
}

/// Between two polls for new probes.
const PAUSE_MS: u8 = 200;

/// See <https://no-color.org>.
fn is_colour_unwanted() -> bool {
    std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::Event;

    #[test]
    fn a_gap_in_the_numbers_is_noticed_once() {
        let event = |sequence| Event::from_line(sequence, 0, "info", "x");
        let reply = |from| Reply::Events(vec![event(from), event(from + 1)]);
        assert_eq!(lost(None, &reply(7)), 0, "earlier ones were not requested");
        assert_eq!((tell_lost(None, &reply(7)), lost(Some(8), &reply(9))), (8, 0));
        assert_eq!((lost(Some(8), &reply(19)), tell_lost(Some(8), &reply(19))), (10, 20));
        assert_eq!(lost(Some(20), &reply(1)), 0, "faild was restarted");
        assert_eq!(tell_lost(Some(20), &Reply::Events(Vec::new())), 20);
    }
}
