//! scripts/compat/mpathd-import: what it makes of the settings of in.mpathd(8) is taken by faild, and means the same.

#![allow(clippy::unwrap_used, reason = "helpers of tests, as the tests themselves")]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use faild::config::{Config, Draft};

/// As it was shipped, with its comments.
const SHIPPED: &str = "#\n# Time taken to detect a NIC failure in ms.\n#\nFAILURE_DETECTION_TIME=10000\n#\n# Failback.\n#\n\
                       FAILBACK=yes\n#\nTRACK_INTERFACES_ONLY_WITH_GROUPS=yes\n";

#[test]
fn the_shipped_settings_become_groups_that_faild_takes() {
    let words =
        ["-g", "lan0=eth0,eth1,(eth2),eth3:standby", "-t", "eth0=192.0.2.11", "-t", "eth2=192.0.2.13"];
    let (config, talk) = import(SHIPPED, &words);
    assert_eq!(talk, "");
    let [group] = config.groups.as_slice() else { panic!("{:#?}", config.groups) };
    assert_eq!(
        (group.name.as_str(), group.detection_time, group.failback),
        ("lan0", Duration::from_secs(10), true)
    );
    let members: Vec<_> =
        group.members.iter().map(|m| (m.interface.as_str(), m.standby, m.test_address)).collect();
    let address = |text: &str| Some(text.parse().unwrap());
    let expected = [
        ("eth0", false, address("192.0.2.11")),
        ("eth1", false, None),
        ("eth2", true, address("192.0.2.13")),
        ("eth3", true, None),
    ];
    assert_eq!(members, expected);
    assert_eq!(Config { groups: Vec::new(), ..config }, Config::default());
}

#[test]
fn detection_times_are_read_as_in_mpathd_reads_them() {
    for (value, millis, is_told) in [
        ("10000", 10_000, false),
        ("100", 100, false),
        ("99", 100, true),
        ("70", 100, true),
        ("1", 100, true),
        ("0", 10_000, true),
        ("-5", 10_000, true),
        ("abc", 10_000, true),
        ("", 10_000, true),
        ("0x", 10_000, true),
        ("0x7d0", 2_000, false),
        ("0X7D0", 2_000, false),
        ("02000", 1_024, false),
        ("09", 10_000, true),
        ("  2500ms and more", 2_500, false),
        ("+500", 500, false),
        ("1.5", 100, true),
        ("3600000", 3_600_000, false),
        ("3600001", 3_600_000, true),
        ("99999999999999999999", 3_600_000, true),
    ] {
        let (config, talk) = import(&format!("FAILURE_DETECTION_TIME={value}\n"), &["-g", "a=b,c"]);
        assert_eq!(config.groups[0].detection_time, Duration::from_millis(millis), "{value:?}: {talk}");
        assert_eq!(
            talk.contains(&format!("FAILURE_DETECTION_TIME={}", value.trim_end())),
            is_told,
            "{value:?}: {talk}"
        );
    }
}

#[test]
fn keys_and_answers_are_taken_in_any_case_and_the_first_one_counts() {
    for (text, failback, is_told) in [
        ("failback=NO\n", false, false),
        ("FailBack=Yes\r\n", true, false),
        ("FAILBACK=no\nFAILBACK=yes\n", false, false),
        ("#FAILBACK=no\n", true, false),
        ("XFAILBACK=no\n", true, false),
        ("FAILBACK=never\n", true, true),
        ("FAILBACK=\n", true, true),
        ("", true, false),
    ] {
        let (config, talk) = import(text, &["-g", "a=b,c"]);
        assert_eq!((config.groups[0].failback, !talk.is_empty()), (failback, is_told), "{text:?}: {talk}");
    }
}

#[test]
fn interfaces_of_no_group_are_watched_if_all_were_tracked() {
    let words = ["-g", "lan0=eth0,eth1", "-a", "eth7", "-a", "eth8", "-t", "eth8=192.0.2.18"];
    let (config, talk) = import("track_interfaces_only_with_groups=No\n", &words);
    assert_eq!(talk, "");
    let names: Vec<&str> = config.groups.iter().map(|group| group.name.as_str()).collect();
    assert_eq!(names, ["lan0", ""]);
    let watched: Vec<_> =
        config.groups[1].members.iter().map(|m| (m.interface.as_str(), m.test_address.is_some())).collect();
    assert_eq!(watched, [("eth7", false), ("eth8", true)]);
    let (config, talk) = import(SHIPPED, &words[..6]);
    assert_eq!(config.groups.len(), 1);
    assert!(talk.contains("eth7,eth8 from -a will not be monitored"), "{talk}");
    let (config, talk) = import("TRACK_INTERFACES_ONLY_WITH_GROUPS=no\n", &words[..2]);
    assert_eq!(config.groups.len(), 1);
    assert!(talk.contains("with -a IF"), "{talk}");
}

#[test]
fn without_groups_the_file_is_good_and_says_how_to_get_one() {
    let (config, talk) = import(SHIPPED, &[]);
    assert_eq!(config, Config::default());
    assert!(talk.contains("-g NAME=IF,IF"), "{talk}");
}

#[test]
fn a_wrong_command_line_makes_no_file() {
    for (words, status) in [
        (&["-g", "lan0"][..], 2),
        (&["-g", "=eth0"], 2),
        (&["-g", "lan0="], 2),
        (&["-g", "lan0=eth0,,eth1"], 2),
        (&["-g", "lan0=eth0\"]"], 2),
        (&["-g", "lan 0=eth0"], 2),
        (&["-g", "lan0=*"], 2),
        (&["-g", "lan0=eth0", "-t", "eth0"], 2),
        (&["-g", "lan0=eth0", "-t", "eth9=192.0.2.1"], 2),
        (&["-g"], 2),
        (&["-x"], 2),
        (&["-", "-"], 2),
        (&["/nonexistent"], 1),
    ] {
        let output = run(words, SHIPPED);
        assert_eq!(output.status.code(), Some(status), "{words:?}");
        assert!(output.stdout.is_empty() && !output.stderr.is_empty(), "{words:?}: {output:?}");
    }
}

/// Imports `text` from standard input; faild itself must find no fault in what comes out. What was said on the way.
fn import(text: &str, words: &[&str]) -> (Config, String) {
    let output = run(&[words, &["-"]].concat(), text);
    let (made, talk) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert_eq!(output.status.code(), Some(0), "{words:?}: {talk}");
    static FILES: AtomicU32 = AtomicU32::new(0);
    let number = FILES.fetch_add(1, Ordering::Relaxed);
    let path = std::env::temp_dir().join(format!("faild-import-{}-{number}.toml", std::process::id()));
    std::fs::write(&path, &made).unwrap();
    let check =
        Command::new(env!("CARGO_BIN_EXE_faild")).args(["--check", "-c"]).arg(&path).output().unwrap();
    std::fs::remove_file(&path).unwrap();
    assert_eq!(check.status.code(), Some(0), "{made}\n{}", String::from_utf8_lossy(&check.stderr));
    (Draft::from_text(Path::new("made"), &made).finish().unwrap().config, talk)
}

fn run(words: &[&str], input: &str) -> Output {
    let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("scripts/compat/mpathd-import");
    let mut command = Command::new(script);
    let pipes = command.args(words).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = pipes.spawn().unwrap();
    // One that refuses its command line does not read.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}
