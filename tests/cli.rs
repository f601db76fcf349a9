//! The binary as a user sees it: what it rejects, with which message and exit status. Nothing here starts probing.

#![allow(clippy::unwrap_used, reason = "helpers of tests, as the tests themselves")]

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

#[test]
fn help_and_version_are_data() {
    for words in [["--help"], ["-h"]] {
        let output = faild(&words);
        assert_eq!((status(&output), stderr(&output)), (0, String::new()));
        assert!(stdout(&output).contains("-t, --interval <SECONDS>"), "{}", stdout(&output));
    }
    for words in [["--version"], ["-V"]] {
        let output = faild(&words);
        assert_eq!(status(&output), 0);
        assert_eq!(stdout(&output), format!("faild {}\n", env!("CARGO_PKG_VERSION")));
    }
}

#[test]
fn a_closed_pipe_is_no_error() {
    let mut child = command().arg("--help").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let mut words = String::new();
    child.stderr.take().unwrap().read_to_string(&mut words).unwrap();
    assert_eq!((child.wait().unwrap().code(), words), (Some(0), String::new()));
}

#[test]
fn a_wrong_command_line_is_one_line_and_status_2() {
    for words in [
        &["-t", "0"][..],
        &["-t", "61s"],
        &["-t", "soon"],
        &["-t"],
        &["-f", "x"],
        &["-f", "0"],
        &["-s", "0"],
        &["-p", "70000"],
        &["-p", "0"],
        &["--intervall", "1"],
        &["surplus"],
        &["-i", "a", "-i", "a"],
        &["-i", "a", "-x", "a"],
        &["-i", "a", "-i", "b", "-i", "c", "-i", "d", "-i", "e"],
        &["-i", "no/interface"],
        &["-l", "/tmp"],
    ] {
        refused(words, 2);
    }
}

#[test]
fn an_interface_of_the_command_line_that_can_be_no_lan_is_status_2() {
    let output = faild(&["--check", "-c", "/dev/null", "-i", "lo"]);
    assert_eq!(status(&output), 2, "{}", stderr(&output));
    let file = Scratch::new("loopback.toml", "[[lan]]\ninterface = \"lo\"\n");
    assert_eq!(status(&faild(&["--check", "-c", file.path()])), 78);
}

#[test]
fn what_may_work_another_time_is_status_1() {
    let refusal = refused(&["-l", "/nonexistent/faild.log"], 1);
    assert!(refusal.contains("log /nonexistent/faild.log cannot be created"), "{refusal}");
}

#[test]
fn a_wrong_file_is_one_line_and_status_78() {
    let file = Scratch::new("wrong.toml", "\n\ninterval = \"0s\"\nport = 0\nprot = 1\n");
    let refusal = refused(&["-c", file.path()], 78);
    assert_eq!(
        refusal,
        format!(
            "faild: {}: line 3: interval = \"0s\" is below 10ms; raise it, or remove the line to use 200ms; and 2 more: \
             run faild --check\n",
            file.path()
        )
    );
    refused(&["-c", "/nonexistent/faild.toml"], 78);
    refused(&["-c", "/"], 78);
}

#[test]
fn check_tells_every_fault_of_file_and_keys() {
    let keys = Scratch::new("keys", "1 00ff\nnonsense\n");
    set_mode(&keys, 0o600);
    let text = format!("interval = \"0s\"\nport = 0\nprot = 1\n[auth]\nkey-file = \"{}\"\n", keys.path());
    let file = Scratch::new("faults.toml", &text);
    let output = faild(&["--check", "-c", file.path()]);
    assert_eq!((status(&output), stdout(&output)), (78, String::new()));
    let words = stderr(&output);
    let places: Vec<(&str, &str)> = words
        .lines()
        .map(|l| l.split_once(": ").unwrap())
        .map(|(f, r)| (f, r.split(':').next().unwrap()))
        .collect();
    let (f, k) = (file.path(), keys.path());
    let mut expected = vec![(f, "line 1"), (f, "line 2"), (f, "line 3"), (k, "line 1"), (k, "line 2")];
    expected.sort();
    assert_eq!(places, expected, "{words}");
}

#[test]
fn check_of_what_is_good_says_so_and_changes_nothing() {
    let directory = Scratch::directory("good");
    let log = directory.path.join("faild.log");
    let file = directory.path.join("faild.toml");
    std::fs::write(&file, format!("requestor = true\nlog = \"{}\"\n", log.display())).unwrap();
    let state = directory.path.join("state");
    let output = faild(&[
        "--check",
        "-c",
        &file.to_string_lossy(),
        "--state-dir",
        &state.to_string_lossy(),
        "-i",
        "lan-of-one",
    ]);
    assert_eq!((status(&output), stdout(&output)), (0, format!("{}: no errors\n", file.display())));
    assert!(stderr(&output).starts_with("warning: lan-of-one is the only LAN"), "{}", stderr(&output));
    assert!(!log.exists() && !state.exists());
}

#[test]
fn keys_that_others_can_read_are_refused() {
    let keys = Scratch::new("open-keys", &format!("1 {}\n", "ab".repeat(32)));
    let file = Scratch::new("open.toml", &format!("[auth]\nkey-file = \"{}\"\n", keys.path()));
    set_mode(&keys, 0o644);
    let refusal = refused(&["-c", file.path()], 78);
    assert!(refusal.contains("line 2") && refusal.contains("chmod 600"), "{refusal}");
    set_mode(&keys, 0o600);
    assert_eq!(status(&faild(&["--check", "-c", file.path()])), 0);
}

/// Runs faild, which must refuse in one line; returns the line.
fn refused(words: &[&str], expected: i32) -> String {
    let output = faild(words);
    let refusal = stderr(&output);
    assert_eq!((status(&output), stdout(&output)), (expected, String::new()), "{words:?}: {refusal}");
    assert!(refusal.starts_with("faild: ") && refusal.ends_with('\n'), "{words:?}: {refusal}");
    assert_eq!(refusal.lines().count(), 1, "{words:?}: {refusal}");
    refusal
}

fn faild(words: &[&str]) -> Output {
    command().args(words).output().unwrap()
}

fn command() -> Command {
    Command::new(env!("CARGO_BIN_EXE_faild"))
}

fn status(output: &Output) -> i32 {
    output.status.code().unwrap_or(-1)
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn set_mode(file: &Scratch, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(&file.path, std::fs::Permissions::from_mode(mode)).unwrap();
}

/// A file or directory that goes away with the test.
struct Scratch {
    path: PathBuf,
}

impl Scratch {
    fn new(name: &str, text: &str) -> Self {
        let path = Self::place(name);
        std::fs::write(&path, text).unwrap();
        Self { path }
    }

    fn directory(name: &str) -> Self {
        let path = Self::place(name);
        std::fs::create_dir_all(&path).unwrap();
        Self { path }
    }

    fn place(name: &str) -> PathBuf {
        Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-{name}", std::process::id()))
    }

    fn path(&self) -> &str {
        self.path.to_str().unwrap()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = if self.path.is_dir() {
            std::fs::remove_dir_all(&self.path)
        } else {
            std::fs::remove_file(&self.path)
        };
    }
}
