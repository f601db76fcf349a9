//! One run of a hook. The program is started by a thread that ends with that, because starting waits until the kernel
//! has read the program, and a dying disk may take as long as it likes; its end comes to the poll by a pidfd.
#![allow(unsafe_code)]

use std::io::{self, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};

use mio::unix::SourceFd;
use mio::{Interest, Registry, Token, Waker};
use nix::sys::signal::{SigSet, Signal, killpg};
use nix::unistd::Pid;
use rustix::process::{PidfdFlags, pidfd_open};

use super::super::realtime::ChildLimits;
use super::message::Message;
use super::stderr::Stderr;
use crate::config::account::Account;
use crate::time::Instant;

/// What is to be run.
#[derive(Debug, Clone)]
pub(super) struct Program {
    pub(super) command: Vec<String>,
    /// Who it runs as, if not as we do.
    pub(super) account: Option<Account>,
}

/// How a run ended.
#[derive(Debug)]
pub(super) enum End {
    /// `left_others`: it had started programs that it did not wait for.
    Exited {
        status: ExitStatus,
        left_others: bool,
    },
    /// It never ran.
    NotStarted(io::Error),
    TimedOut,
}

/// A run that has not ended, or not been seen to.
#[derive(Debug)]
pub(super) struct Run {
    state: State,
    /// When it is ended.
    limit: Instant,
    is_killed: bool,
}

#[derive(Debug)]
enum State {
    Starting(Receiver<io::Result<Started>>),
    Running(Started),
}

#[derive(Debug)]
struct Started {
    child: Child,
    /// Readable when it has ended.
    pidfd: OwnedFd,
    stderr: Stderr,
}

impl Run {
    /// Starts `program`; `waker` is used when that is done.
    pub(super) fn start(
        program: Program,
        message: Message,
        limits: ChildLimits,
        limit: Instant,
        waker: Arc<Waker>,
    ) -> io::Result<Self> {
        let (tell, told) = sync_channel(1);
        let body = move || {
            // Nobody listens any more if the daemon has ended meanwhile.
            let _ = tell.send(start(&program, &message, limits));
            let _ = waker.wake();
        };
        std::thread::Builder::new().name("faild-hook".to_owned()).stack_size(STACK).spawn(body)?;
        Ok(Self { state: State::Starting(told), limit, is_killed: false })
    }

    /// Looks whether it has ended; ends it if it is time.
    pub(super) fn attend(&mut self, now: Instant, registry: &Registry, token: Token) -> Option<End> {
        if let State::Starting(told) = &self.state {
            match told.try_recv() {
                Ok(Ok(started)) => match watch(&started, registry, token) {
                    Ok(()) => self.state = State::Running(started),
                    Err(error) => return Some(give_up(started, error)),
                },
                Ok(Err(error)) => return Some(End::NotStarted(error)),
                Err(TryRecvError::Disconnected) => {
                    return Some(End::NotStarted(io::Error::other("no thread")));
                }
                Err(TryRecvError::Empty) => return None,
            }
        }
        let State::Running(started) = &mut self.state else { return None };
        if now >= self.limit && !std::mem::replace(&mut self.is_killed, true) {
            kill(&started.child);
        }
        started.stderr.look(now);
        let status = started.child.try_wait().transpose()?;
        // What fails here is the wait, and who cannot be waited for is gone.
        let _ = registry.deregister(&mut SourceFd(&started.pidfd.as_raw_fd()));
        // While anybody is left of the group nobody else gets its number; numbers go round far too slowly for more.
        let left_others = killpg(group(&started.child), None).is_ok();
        if left_others {
            kill(&started.child);
        }
        started.stderr.finish();
        Some(match status {
            _ if self.is_killed => End::TimedOut,
            Ok(status) => End::Exited { status, left_others },
            Err(error) => End::NotStarted(error),
        })
    }

    /// What it has written on standard error since the last time.
    pub(super) fn take_lines(&mut self) -> Vec<String> {
        match &mut self.state {
            State::Running(started) => started.stderr.take(),
            State::Starting(_) => Vec::new(),
        }
    }

    /// When to look again, if nothing wakes us before. A program that is still being started is not waited for.
    pub(super) fn deadline(&self) -> Option<Instant> {
        match &self.state {
            State::Running(started) if !self.is_killed => {
                Some(started.stderr.deadline().map_or(self.limit, |look| look.min(self.limit)))
            }
            State::Running(_) | State::Starting(_) => None,
        }
    }
}

impl std::fmt::Display for End {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            End::Exited { status, .. } => match (status.code(), status.signal()) {
                (Some(code), _) => write!(f, "exit status {code}"),
                (_, signal) => write!(f, "signal {}", signal.unwrap_or_default()),
            },
            End::NotStarted(error) => write!(f, "cannot start: {error}"),
            End::TimedOut => f.write_str("killed: timed out"),
        }
    }
}

fn start(program: &Program, message: &Message, limits: ChildLimits) -> io::Result<Started> {
    let (path, arguments) = program.command.split_first().ok_or(io::ErrorKind::InvalidInput)?;
    let mut command = Command::new(path);
    command.args(arguments).env_clear().envs(message.environment.iter().map(|(name, value)| (name, value)));
    let (stderr, theirs) = Stderr::pipe()?;
    command.current_dir("/").process_group(0).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(theirs);
    if let Some(account) = &program.account {
        command.uid(account.uid).gid(account.gid);
    }
    let prepare = move || {
        limits.apply();
        unblock_signals()
    };
    // SAFETY: between fork and exec only system calls are made, which need no lock and no memory.
    unsafe { command.pre_exec(prepare) };
    let mut child = command.spawn()?;
    // With it our copy of the other end of the pipe.
    drop(command);
    // Who need not be kept alive before all others is not: the daemon may be.
    let _ = std::fs::write(format!("/proc/{}/oom_score_adj", child.id()), "0");
    if let Some(mut stdin) = child.stdin.take() {
        // A program that reads nothing and has ended already is none of our business.
        let _ = stdin.write_all(message.json.as_bytes());
    }
    let pid = rustix::process::Pid::from_child(&child);
    match pidfd_open(pid, PidfdFlags::NONBLOCK) {
        Ok(pidfd) => Ok(Started { child, pidfd, stderr }),
        Err(errno) => {
            kill(&child);
            child.wait()?;
            Err(errno.into())
        }
    }
}

/// The child inherits what this thread blocks. It may not unblock them itself: the process's signals would come to it.
fn unblock_signals() -> io::Result<()> {
    Ok(SigSet::empty().thread_set_mask()?)
}

fn watch(started: &Started, registry: &Registry, token: Token) -> io::Result<()> {
    registry.register(&mut SourceFd(&started.pidfd.as_raw_fd()), token, Interest::READABLE)
}

fn give_up(mut started: Started, error: io::Error) -> End {
    kill(&started.child);
    // It is gone in a moment, and a zombie until we end otherwise.
    let _ = started.child.wait();
    End::NotStarted(error)
}

/// The program and all that it has started.
fn kill(child: &Child) {
    // Who is gone already needs no signal.
    let _ = killpg(group(child), Signal::SIGKILL);
}

fn group(child: &Child) -> Pid {
    // Pids fit: the kernel's type is i32.
    Pid::from_raw(i32::try_from(child.id()).unwrap_or(i32::MAX))
}

/// Starting a program takes little.
const STACK: usize = 128 << 10;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use mio::{Events, Poll};
    use nix::sys::signal::kill;

    use super::*;
    use crate::daemon::clock;
    use crate::daemon::hooks::stderr::LINES;
    use crate::daemon::realtime::Limited;

    /// Runs a shell script as the loop would: its end, what it wrote, and the turns that this took.
    fn run(script: &str, limit: Duration) -> (End, Vec<String>, usize) {
        let mut poll = Poll::new().unwrap();
        let waker = Arc::new(Waker::new(poll.registry(), Token(1)).unwrap());
        let command = ["/bin/sh", "-c", script].map(str::to_owned).to_vec();
        let environment = vec![("PATH", "/usr/bin:/bin".to_owned())];
        let message = Message { environment, json: String::new() };
        let limit = clock::read().now + limit;
        let program = Program { command, account: None };
        let limits = Limited::prepare(false).children();
        let mut run = Run::start(program, message, limits, limit, Arc::clone(&waker)).unwrap();
        let (mut events, mut lines) = (Events::with_capacity(8), Vec::new());
        for turns in 1.. {
            let now = clock::read().now;
            let end = run.attend(now, poll.registry(), Token(2));
            lines.append(&mut run.take_lines());
            if let Some(end) = end {
                return (end, lines, turns);
            }
            poll.poll(&mut events, run.deadline().map(|at| at.since(now))).unwrap();
        }
        unreachable!("it ends");
    }

    fn is_alive(pid: &str) -> bool {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
    }

    #[test]
    fn what_is_left_in_the_group_ends_with_the_run_and_what_has_its_own_session_stays() {
        let script = "sleep 300 & echo $! >&2; \
                      setsid -f sh -c 'echo $$; exec sleep 300 >&- 2>&-' | cat >&2";
        let (end, lines, _) = run(script, Duration::from_secs(20));
        assert!(matches!(end, End::Exited { status, left_others: true } if status.success()), "{end:?}");
        let [child, daemon] = lines.as_slice() else { panic!("{lines:?}") };
        let is_gone = (0..5000).any(|_| {
            nix::poll::poll(&mut [], 2_u8).unwrap();
            !is_alive(child)
        });
        assert!(is_gone && is_alive(daemon), "{lines:?}");
        kill(Pid::from_raw(daemon.parse().unwrap()), Signal::SIGKILL).unwrap();
    }

    #[test]
    fn a_run_that_leaves_nobody_is_not_accused() {
        let (end, lines, _) = run("(echo child >&2) & wait", Duration::from_secs(20));
        assert!(matches!(end, End::Exited { left_others: false, .. }), "{end:?}");
        assert_eq!(lines, ["child"]);
    }

    #[test]
    fn one_that_writes_without_end_costs_few_turns_and_is_ended_in_time() {
        let (end, lines, turns) = run("yes >&2", Duration::from_millis(400));
        assert!(matches!(end, End::TimedOut), "{end:?}");
        assert!(turns <= 20 && lines.len() <= turns * (LINES + 1), "{turns} turns, {} lines", lines.len());
    }
}
