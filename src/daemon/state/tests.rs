//! State files in a directory of the test's own.

use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::engine::{self, RememberedPath};
use crate::interface::Family;
use crate::reconcile::JournalWrite;
use crate::watch;
use crate::wire::LanIndex;

/// A directory that goes when the test ends.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("faild-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn memory() -> Memory {
    Memory { peers: peers(), watch: watched() }
}

fn peers() -> engine::Memory {
    engine::Memory {
        node: Some(NodeId(0xfedc_ba98_7654_3210)),
        lans: vec![("eth0".to_owned(), LanIndex(0)), ("eth1".to_owned(), LanIndex(200))],
        paths: vec![RememberedPath {
            interface: "eth1".to_owned(),
            node: NodeId(7),
            lan: LanIndex(1),
            family: Family::V6,
            addresses: vec!["fe80::1".parse().unwrap(), "fd77::2".parse().unwrap()],
            penalty: 1234.5,
            held: true,
        }],
    }
}

fn watched() -> watch::Memory {
    let member = |group: &str, interface: &str| (group.to_owned(), interface.to_owned());
    watch::Memory {
        failed: vec![member("data", "eth2"), member("", "eth\"4")],
        active: vec![member("data", "eth3")],
        penalties: vec![
            ("eth0".to_owned(), Some([192, 0, 2, 1].into()), 1500.25),
            ("ppp0".to_owned(), None, 2.0),
        ],
        held: vec![("eth1".to_owned(), Some([192, 0, 2, 129].into())), ("ppp0".to_owned(), None)],
    }
}

#[test]
fn what_is_written_is_read_again() {
    for peers in [peers(), engine::Memory::default()] {
        for watch in [watched(), watch::Memory::default()] {
            let memory = Memory { peers: peers.clone(), watch };
            assert_eq!(file::parse(&file::text(&memory)), Ok(memory));
        }
    }
}

#[test]
fn a_file_from_before_there_was_a_watch_is_read_and_stays_as_it_is() {
    let memory = Memory { watch: watch::Memory::default(), ..memory() };
    let old = file::text(&memory);
    assert!(!old.contains("watch"), "{old}");
    assert_eq!(file::parse(&old), Ok(memory));
}

#[test]
fn the_node_id_is_drawn_once_and_kept() {
    let directory = Directory::new("node-id");
    let (_, first) = State::open(&directory.0.join("deep/er"), false).unwrap();
    let (_, second) = State::open(&directory.0.join("deep/er"), false).unwrap();
    assert!(first.peers.node.is_some());
    assert_eq!(first, second);
    let (_, other) = State::open(&directory.0.join("other"), false).unwrap();
    assert_ne!(first.peers.node, other.peers.node);
}

#[test]
fn the_last_of_many_memories_is_what_stays() {
    let directory = Directory::new("memories");
    let (mut state, mut last) = State::open(&directory.0, false).unwrap();
    for index in 0..50 {
        last.peers.lans = vec![("eth0".to_owned(), LanIndex(index))];
        state.remember(&last);
    }
    state.finish(Duration::from_secs(10));
    assert_eq!(State::open(&directory.0, false).unwrap().1, last);
    assert!(!directory.0.join("state.toml.new").exists());
    let mode = fs::metadata(directory.0.join("state.toml")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o644);
}

#[test]
fn what_cannot_be_understood_is_set_aside() {
    let directory = Directory::new("aside");
    let path = directory.0.join("state.toml");
    let text = file::text(&memory());
    let bad_texts = [
        text.replace("version = 1", "version = 2"),
        text.replace("1234.5", "inf"),
        text.replace("1500.25", "nan"),
    ];
    let bad_texts = bad_texts.iter().map(String::as_bytes);
    for bad in [b"node = 7".as_slice(), b"\xff\xfe"].into_iter().chain(bad_texts) {
        fs::write(&path, bad).unwrap();
        let (_, memory) = State::open(&directory.0, false).unwrap();
        assert!(memory.peers.node.is_some() && memory.peers.paths.is_empty());
        assert_eq!(fs::read(directory.0.join("state.toml.bad")).unwrap(), bad);
    }
}

#[test]
fn a_dry_run_reads_and_writes_nothing() {
    let directory = Directory::new("dry");
    let path = directory.0.join("state.toml");
    fs::write(&path, file::text(&memory())).unwrap();
    let before = fs::metadata(&path).unwrap().modified().unwrap();
    let (mut state, read) = State::open(&directory.0, true).unwrap();
    assert_eq!(read, memory());
    state.remember(&Memory::default());
    state.finish(Duration::from_secs(1));
    assert_eq!(fs::metadata(&path).unwrap().modified().unwrap(), before);
    let (_, fresh) = State::open(&directory.0.join("absent"), true).unwrap();
    assert!(fresh.peers.node.is_some() && !directory.0.join("absent").exists());
}

#[test]
fn a_directory_that_cannot_be_written_is_refused_with_the_way_out() {
    let directory = Directory::new("unwritable");
    fs::write(directory.0.join("file"), "").unwrap();
    let refusal = format!("{:#}", State::open(&directory.0.join("file"), false).unwrap_err());
    assert!(refusal.contains("--state-dir") && !refusal.contains('\n'), "{refusal}");
}

#[test]
fn a_disk_that_fails_later_does_not_stop_the_daemon() {
    let directory = Directory::new("failing");
    let (mut state, memory) = State::open(&directory.0.join("state"), false).unwrap();
    fs::remove_dir_all(directory.0.join("state")).unwrap();
    state.remember(&memory);
    state.finish(Duration::from_secs(10));
    assert!(state.failing);
    fs::create_dir(directory.0.join("state")).unwrap();
    state.remember(&memory);
    state.finish(Duration::from_secs(10));
    assert!(!state.failing);
}

#[test]
fn the_journal_is_there_for_the_next_run() {
    let directory = Directory::new("journal");
    let (mut journal, before) = Journal::open(&directory.0.join("run"), false).unwrap();
    assert_eq!(before, None);
    write(&mut journal, JournalWrite::Replace("one\n".to_owned()));
    journal.hold(JournalWrite::Replace("two\n".to_owned()));
    write(&mut journal, JournalWrite::Append("three\n".to_owned()));
    write(&mut journal, JournalWrite::Append("four\n".to_owned()));
    assert_eq!(journal.write(), None, "nothing waits");
    let text = "two\nthree\nfour\n";
    assert_eq!(Journal::open(&directory.0.join("run"), false).unwrap().1.as_deref(), Some(text));
    let (mut dry, read) = Journal::open(&directory.0.join("run"), true).unwrap();
    write(&mut dry, JournalWrite::Replace("five\n".to_owned()));
    assert_eq!(read.as_deref(), Some(text));
    assert_eq!(fs::read_to_string(directory.0.join("run/journal")).unwrap(), text);
}

#[test]
fn a_journal_that_cannot_be_read_is_no_obstacle() {
    let directory = Directory::new("bad-journal");
    fs::write(directory.0.join("journal"), b"\xff\xfe").unwrap();
    let (mut journal, read) = Journal::open(&directory.0, false).unwrap();
    assert_eq!(read, None);
    write(&mut journal, JournalWrite::Replace("new".to_owned()));
    assert_eq!(fs::read(directory.0.join("journal.bad")).unwrap(), b"\xff\xfe");
    assert_eq!(Journal::open(&directory.0, false).unwrap().1.as_deref(), Some("new"));
}

#[test]
fn a_journal_that_is_gone_or_no_file_is_a_failure_that_is_told_once() {
    let directory = Directory::new("gone-journal");
    let (mut journal, _) = Journal::open(&directory.0, false).unwrap();
    let path = directory.0.join("journal");
    let mut attempt = |write: JournalWrite| {
        journal.hold(write);
        let result = journal.write().unwrap();
        (result.clone().map_err(|refusal| refusal.errno), journal.news(&result))
    };
    let (result, news) = attempt(JournalWrite::Append("line\n".to_owned()));
    assert_eq!(result, Err(nix::libc::ENOENT));
    let (level, words) = news.unwrap();
    assert_eq!(level, log::Level::Error);
    assert!(words.starts_with("journal-write-failed file=") && words.contains(" fix="), "{words}");
    fs::create_dir(&path).unwrap();
    let (result, news) = attempt(JournalWrite::Replace("line\n".to_owned()));
    assert!(result.is_err() && news.is_none());
    fs::remove_dir(&path).unwrap();
    let (result, news) = attempt(JournalWrite::Replace("line\n".to_owned()));
    assert_eq!((result, news.map(|(level, _)| level)), (Ok(()), Some(log::Level::Info)));
}

fn write(journal: &mut Journal, write: JournalWrite) {
    journal.hold(write);
    journal.write().unwrap().unwrap();
}

#[test]
fn a_full_disk_keeps_nobody_from_starting() {
    for (kind, is_tolerated) in [
        (io::ErrorKind::StorageFull, true),
        (io::ErrorKind::QuotaExceeded, true),
        (io::ErrorKind::PermissionDenied, false),
        (io::ErrorKind::ReadOnlyFilesystem, false),
    ] {
        assert_eq!(is_full(&kind.into()), is_tolerated, "{kind:?}");
    }
}

/// What is read is written as the same text again.
#[test]
fn mutated_states_are_refused_or_read_the_same_again() {
    crate::mutated::each_of("state", &[], |bytes| {
        let Ok(text) = std::str::from_utf8(bytes) else { return };
        let Ok(memory) = file::parse(text) else { return };
        let written = file::text(&memory);
        assert_eq!(file::text(&file::parse(&written).unwrap()), written);
    });
}
