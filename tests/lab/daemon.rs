//! A running `faild` in a host of the lab.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::words::{self, EventName};
use super::{Host, pause_ms, wait_until};

/// Interval of the probes in the tests: quick, and still ten times what a busy machine delays a process by.
const INTERVAL: Duration = Duration::from_millis(50);

/// Missed slots until a path is down in the tests.
const MISSED: u32 = 2;

/// Longest outage that a failover may show in a test: some times what it takes on an idle machine
/// ((missed + 0.75) intervals), and well below what people notice or connections end by.
pub(crate) const OUTAGE: Duration = Duration::from_millis(6 * 50 * MISSED as u64);

/// Longest that anything may take that is not measured: start, stop, failback. Busy machines are slow.
const PATIENCE: Duration = Duration::from_secs(20);

/// How a run to the end went.
pub(crate) struct Ended {
    /// Exit code; 124 if it did not end in time.
    pub(crate) code: Option<i32>,
    /// What it said.
    pub(crate) errors: String,
}

/// A daemon and its log; killed when dropped.
pub(crate) struct Daemon<'a> {
    host: &'a Host,
    before: Vec<String>,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    log: PathBuf,
    child: Child,
    /// Where the log of this run begins.
    begin: usize,
}

impl Host {
    /// Starts `faild` on all LANs of the host with the tests' timing and these further flags.
    pub(crate) fn faild(&self, flags: &str) -> Daemon<'_> {
        self.faild_with(&self.with_timing(flags))
    }

    /// The same with variables in its environment.
    pub(crate) fn faild_in(&self, environment: &[(&str, &str)], flags: &str) -> Daemon<'_> {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        self.start("", &self.with_timing(flags), environment.iter().map(own).collect())
    }

    /// Starts `faild` with these flags alone, and a state directory of its own.
    pub(crate) fn faild_with(&self, flags: &str) -> Daemon<'_> {
        self.start("", flags, Vec::new())
    }

    /// The same as [`Host::faild`] by a command line that becomes faild, such as `chrt -r 5`.
    pub(crate) fn faild_by(&self, before: &str, flags: &str) -> Daemon<'_> {
        self.start(before, &self.with_timing(flags), Vec::new())
    }

    fn with_timing(&self, flags: &str) -> String {
        let interfaces = self.lans().chars().map(|lan| format!("-i lan{lan} ")).collect::<String>();
        format!("-t {}ms -f {MISSED} -s 5 {interfaces} {flags}", INTERVAL.as_millis())
    }

    fn start(&self, before: &str, flags: &str, environment: Vec<(String, String)>) -> Daemon<'_> {
        let before: Vec<String> = before.split_whitespace().map(str::to_owned).collect();
        let mut arguments = vec!["--state-dir".to_owned(), self.state_dir().display().to_string()];
        arguments.extend(flags.split_whitespace().map(str::to_owned));
        let mut words = flags.split_whitespace().skip_while(|word| *word != "-l").skip(1);
        let log = words.next().map_or_else(|| self.file("log"), PathBuf::from);
        let child = spawn(self, &before, &arguments, &environment, &log);
        Daemon { host: self, before, arguments, environment, log, child, begin: 0 }
    }

    /// Runs `faild` with these flags to its end, which must come soon.
    pub(crate) fn run_faild(&self, flags: &str) -> Ended {
        let mut command = self.command_with_users("timeout");
        let output = command.args(["20", FAILD]).args(flags.split_whitespace()).stdin(Stdio::null()).output();
        let output = output.expect("cannot start ip netns exec");
        Ended { code: output.status.code(), errors: String::from_utf8_lossy(&output.stderr).into_owned() }
    }

    /// Where the host's daemon keeps its state.
    pub(crate) fn state_dir(&self) -> PathBuf {
        self.file("state")
    }
}

/// The program under test.
pub(crate) const FAILD: &str = env!("CARGO_BIN_EXE_faild");

impl Daemon<'_> {
    /// Where it runs.
    pub(crate) fn host(&self) -> &Host {
        self.host
    }

    /// Its process.
    pub(crate) fn pid(&self) -> Pid {
        // `ip netns exec` and `sh` become the program that they run. Pids fit: the kernel's type is i32.
        Pid::from_raw(i32::try_from(self.child.id()).unwrap_or(i32::MAX))
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        kill(self.pid(), signal).expect("the daemon is gone");
    }

    /// kill -9, and waits until it is dead.
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("the daemon is gone");
        self.child.wait().expect("the daemon cannot be waited for");
    }

    /// SIGTERM, and waits until it has ended of its own accord.
    pub(crate) fn terminate(&mut self) -> ExitStatus {
        self.signal(Signal::SIGTERM);
        self.wait()
    }

    /// Waits until it ends.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        let mut ended = None;
        wait_until("faild ends", PATIENCE, || {
            ended = self.child.try_wait().expect("the daemon cannot be waited for");
            ended.is_some()
        });
        ended.expect("the daemon has ended")
    }

    /// Whether it still runs.
    pub(crate) fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Starts it again with the flags of the first time, after it was killed or has ended, with a new log.
    pub(crate) fn restart(&mut self) {
        fs::write(&self.log, "").expect("cannot empty the log");
        self.restart_with_log();
    }

    /// The same, and the log of the run before stays.
    pub(crate) fn restart_with_log(&mut self) {
        assert!(!self.is_running(), "the daemon still runs");
        self.begin = self.log().len();
        self.child = spawn(self.host, &self.before, &self.arguments, &self.environment, &self.log);
    }

    /// What it has logged since it was started last.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// The lines that tell of this event.
    pub(crate) fn told(&self, event: EventName) -> Vec<String> {
        words::told(&self.log(), event)
    }

    /// Waits until the log has a line with all of these words.
    #[track_caller]
    pub(crate) fn wait_log(&self, words: &[&str]) -> String {
        self.wait_line(&format!("{words:?}"), |line| words.iter().all(|word| line.contains(word)))
    }

    /// Waits until the log tells of this event, with all of these words.
    #[track_caller]
    pub(crate) fn wait_event(&self, event: EventName, words: &[&str]) -> String {
        self.wait_line(&format!("{event} {words:?}"), |line| {
            words::is_event(line, event) && words.iter().all(|word| line.contains(word))
        })
    }

    #[track_caller]
    fn wait_line(&self, what: &str, is_it: impl Fn(&str) -> bool) -> String {
        let mut found = None;
        wait_until(&format!("{} logs {what}", self.host.name()), PATIENCE, || {
            found = self.log().lines().find(|line| is_it(line)).map(str::to_owned);
            found.is_some()
        });
        found.unwrap_or_default()
    }

    /// Waits until it has read what the kernel has.
    #[track_caller]
    pub(crate) fn wait_ready(&self) {
        wait_until(&format!("{} is ready", self.host.name()), PATIENCE, || {
            self.log().get(self.begin..).is_some_and(|log| !words::told(log, EventName::Ready).is_empty())
        });
    }

    /// Waits until it hears these hosts on all their LANs, and each of their addresses there has answered.
    #[track_caller]
    pub(crate) fn wait_hears(&self, others: &[&Host]) {
        let paths: usize = others.iter().map(|other| other.paths()).sum();
        let addresses: Vec<_> = others.iter().flat_map(|other| other.lan_addresses()).collect();
        wait_until(&format!("{} hears all others", self.host.name()), PATIENCE, || {
            let dump = self.dump_state();
            words::paths_up(&dump) >= paths && addresses.iter().all(|a| words::is_proven(&dump, *a))
        });
    }

    /// Times that it has found a path or a next hop dead.
    pub(crate) fn ways_lost(&self) -> usize {
        words::ways_lost(&self.log())
    }

    /// Times that it has found a path dead.
    pub(crate) fn paths_lost(&self) -> usize {
        words::paths_lost(&self.log())
    }

    /// Has it write down its state, all of it: until nothing more of it comes.
    pub(crate) fn dump_state(&self) -> String {
        // Before it is ready the signal would end it.
        self.wait_event(EventName::Ready, &[]);
        let before = self.log().len();
        self.signal(Signal::SIGUSR1);
        let (mut dump, mut length) = (String::new(), 0);
        wait_until(&format!("{} writes its state", self.host.name()), PATIENCE, || {
            dump = self.log().split_off(before);
            let complete = dump.len() == length && dump.lines().any(words::is_dump);
            length = dump.len();
            complete
        });
        dump
    }

    /// The commands that it has named to undo what it leaves behind.
    pub(crate) fn undo_commands(&self) -> Vec<String> {
        words::undo_commands(&self.log())
    }

    /// The commands that it has carried out since its log was this long, sorted.
    pub(crate) fn commands_done(&self, from: usize) -> Vec<String> {
        words::commands_done(&self.log().split_off(from))
    }

    /// Packets that it has dropped so far, all reasons together.
    pub(crate) fn dropped(&self) -> u64 {
        words::dropped(&self.dump_state())
    }
}

impl Drop for Daemon<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() && self.is_running() {
            // Its state belongs to what a person wants to see of a failure.
            let _ = kill(self.pid(), Signal::SIGUSR1);
            pause_ms(200);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let log = self.log();
            let lines: Vec<&str> = log.lines().collect();
            let shown = std::env::var("FAILD_LAB_LINES").ok().and_then(|lines| lines.parse().ok());
            let tail = &lines[lines.len().saturating_sub(shown.unwrap_or(LINES_SHOWN))..];
            eprintln!("--- {} faild {}\n{}", self.host.name(), self.arguments.join(" "), tail.join("\n"));
        }
    }
}

/// Lines of the log that a failed test shows, where `FAILD_LAB_LINES` does not say otherwise.
const LINES_SHOWN: usize = 60;

fn spawn(
    host: &Host,
    before: &[String],
    arguments: &[String],
    environment: &[(String, String)],
    log: &Path,
) -> Child {
    let file = || File::options().create(true).append(true).open(log).expect("cannot open the log");
    let mut words = before.iter().map(String::as_str).chain([FAILD]);
    let mut command = host.command_with_users(words.next().unwrap_or(FAILD));
    command
        .args(words)
        .args(arguments)
        .envs(environment.iter().cloned())
        .stdin(Stdio::null())
        .stdout(file())
        .stderr(file());
    command.spawn().expect("cannot start ip netns exec")
}
