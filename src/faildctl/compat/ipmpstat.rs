//! `faildctl ipmpstat`: one snapshot as a table, or for `-p` the probes as they are answered or time out.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use nix::poll::poll;

use super::columns::{Column, Layout};
use super::options::{Mode, Options};
use super::rows::{self, Names, Row};
use super::{Fatal, ask, connect, unexpected};
use crate::control::{Group, Probes, Reply, Request, Targets};
use crate::faildctl::client::Client;

/// Runs the command with these arguments, on the daemon that listens on `socket`.
pub(crate) fn main(socket: &Path, words: &[String]) -> ExitCode {
    match run(socket, words) {
        Ok(()) => ExitCode::SUCCESS,
        // The reader has seen enough.
        Err(Fatal::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(fatal) => {
            let _ = writeln!(io::stderr(), "ipmpstat: fatal: {fatal}");
            ExitCode::FAILURE
        }
    }
}

fn run(socket: &Path, words: &[String]) -> Result<(), Fatal> {
    let options = Options::read(words)?;
    let columns = columns(options.mode);
    let (layout, unknown) = Layout::new(columns, &options.fields, options.is_parsable, screen())
        .map_err(|words| Fatal::new(format!("{words}; the fields are: {}", names_of(columns))))?;
    for name in unknown {
        let _ = writeln!(io::stderr(), "ipmpstat: warning: ignoring unknown field {name:?}");
    }
    let mut client = connect(socket)?;
    let mut names = Names::new(options.is_numeric);
    let groups = groups(&mut client)?;
    let rows = match options.mode {
        Mode::Addresses => rows::addresses(&groups, &mut names),
        Mode::Groups => rows::groups(&groups),
        Mode::Interfaces => rows::interfaces(&groups),
        Mode::Targets => rows::targets(&groups, &targets(&mut client)?, &mut names),
        Mode::Probes => return follow(&mut client, layout, &mut names),
    };
    print(layout, &rows).map(drop)
}

/// Keeps printing until it is interrupted.
fn follow(client: &mut Client, mut layout: Layout, names: &mut Names) -> Result<(), Fatal> {
    let targets = targets(client)?;
    let probed = targets.members.iter().filter(|family| rows::is_probed(family));
    let members: BTreeSet<&str> = probed.map(|family| family.interface.as_str()).collect();
    if members.is_empty() {
        return Err(Fatal::new("no group interface is probed"));
    }
    let first = probes(client, None)?;
    let (began, mut last) = (first.time_ms, first.items.last().map_or(0, |probe| probe.record.number));
    loop {
        // If interrupted, the pause is shorter.
        let _ = poll(&mut [], PAUSE_MS);
        let fresh = probes(client, Some(last))?.items;
        last = fresh.last().map_or(last, |probe| probe.record.number);
        layout = print(layout, &rows::probes(&fresh, |name| members.contains(name), began, names))?;
    }
}

fn print(mut layout: Layout, rows: &[Row]) -> Result<Layout, Fatal> {
    let text: String = rows.iter().map(|row| layout.row(row)).collect();
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()?;
    Ok(layout)
}

pub(super) fn groups(client: &mut Client) -> Result<Vec<Group>, Fatal> {
    let Reply::Groups(groups) = ask(client, &Request::Groups {})? else { return Err(unexpected()) };
    Ok(groups)
}

fn targets(client: &mut Client) -> Result<Targets, Fatal> {
    let Reply::Targets(targets) = ask(client, &Request::Targets { interface: None })? else {
        return Err(unexpected());
    };
    Ok(targets)
}

fn probes(client: &mut Client, after: Option<u64>) -> Result<Probes, Fatal> {
    let Reply::Probes(probes) = ask(client, &Request::Probes { after })? else { return Err(unexpected()) };
    Ok(probes)
}

const fn columns(mode: Mode) -> &'static [Column] {
    match mode {
        Mode::Addresses => rows::ADDRESSES,
        Mode::Groups => rows::GROUPS,
        Mode::Interfaces => rows::INTERFACES,
        Mode::Probes => rows::PROBES,
        Mode::Targets => rows::TARGETS,
    }
}

fn names_of(columns: &[Column]) -> String {
    columns.iter().map(|column| column.name).collect::<Vec<_>>().join(", ")
}

/// Lines of the screen; those of a VT100 if there is none.
fn screen() -> usize {
    let size = rustix::termios::tcgetwinsize(io::stdout());
    size.ok().map(|size| usize::from(size.ws_row)).filter(|rows| *rows > 0).unwrap_or(24)
}

/// Between two polls for new probes.
const PAUSE_MS: u8 = 200;
