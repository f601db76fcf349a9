//! What was done to a world, step by step, for whoever has to find out why it ended badly.

use std::fmt;
use std::time::Duration;

use crate::lab::{Host, now, pause, time_of_day};

/// Told when the test panics while it stands.
pub(super) struct Story {
    seed: u64,
    lines: Vec<String>,
    steps: usize,
}

impl Story {
    pub(super) fn new(seed: u64, world: impl fmt::Display) -> Self {
        let mut story = Self { seed, lines: Vec::new(), steps: 0 };
        story.tell(format_args!("seed {seed}: {world}"));
        story
    }

    /// Writes down what happens now.
    pub(super) fn tell(&mut self, what: impl fmt::Display) {
        self.lines.push(format!("{}  {what}", time_of_day()));
    }

    /// The same for a step.
    pub(super) fn step(&mut self, what: impl fmt::Display) {
        self.steps += 1;
        let number = self.steps;
        self.tell(format_args!("step {number}: {what}"));
    }

    /// Steps so far.
    pub(super) fn steps(&self) -> usize {
        self.steps
    }
}

impl Drop for Story {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let (seed, steps) = (self.seed, self.steps);
            eprintln!("--- what was done (again: FAILD_CHAOS_SEED={seed} scripts/test chaos {steps})");
            self.lines.iter().for_each(|line| eprintln!("{line}"));
        }
    }
}

/// What is done in a host, in a shell.
pub(super) type Script<'a> = (&'a Host, String);

/// Starts all of these with up to a dozen milliseconds between them, so that they happen at about the same time, and
/// waits until all have ended.
pub(super) fn run_together(scripts: &[Script], gaps: impl Fn(usize) -> Duration) {
    let begun: Vec<_> = scripts
        .iter()
        .enumerate()
        .map(|(place, (host, script))| {
            pause(gaps(place));
            begin(host, script)
        })
        .collect();
    for (child, (host, script)) in begun.into_iter().zip(scripts) {
        finish(child, host, script);
    }
}

/// Runs a script in a host.
pub(super) fn run(host: &Host, script: &str) {
    finish(begin(host, script), host, script);
}

/// Starts a script in a host.
fn begin(host: &Host, script: &str) -> std::process::Child {
    let mut command = host.command("sh");
    command.args(["-ec", script]).stdin(std::process::Stdio::null()).stderr(std::process::Stdio::piped());
    command.spawn().expect("cannot start ip netns exec")
}

/// Waits for its end; it must not have failed.
fn finish(child: std::process::Child, host: &Host, script: &str) {
    let output = child.wait_with_output().expect("a script cannot be waited for");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {script}: {}", host.name(), errors.trim());
}

/// Looks at a condition until it holds; what still is wrong if it does not within `limit`, which `more` extends: what
/// the machine has kept us waiting.
pub(super) fn settle(
    limit: Duration,
    more: impl Fn() -> Duration,
    mut wrong: impl FnMut() -> Vec<String>,
) -> Result<(), Vec<String>> {
    let start = now();
    loop {
        let left = wrong();
        if left.is_empty() {
            return Ok(());
        }
        if now() - start > limit + more() {
            return Err(left);
        }
        pause(Duration::from_millis(60));
    }
}
