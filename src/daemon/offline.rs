//! Interfaces that the administrator has taken offline: which, why, since when and until when.
//!
//! They are kept in the state directory, so that neither a restart nor a reboot puts traffic back on a cable that is
//! about to be pulled. They expire by the wall clock, the only one that survives a reboot. The engine gets only the
//! names.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use log::warn;
use serde::{Deserialize, Serialize};

use super::files::{self, Durability};
use crate::control::OfflineEntry;
use crate::gather::Gather;
use crate::time::Stamp;

/// See the module.
#[derive(Debug)]
pub(super) struct Offline {
    /// `None` in a dry run: nothing is written.
    path: Option<PathBuf>,
    entries: BTreeMap<String, OfflineEntry>,
}

impl Offline {
    /// Reads the file of an earlier run. A file that cannot be parsed is set aside: then nothing is offline.
    pub(super) fn open(directory: &Path, is_dry_run: bool) -> Self {
        let path = directory.join(FILE);
        let entries = match files::read(&path, LONGEST).map(|text| parse(&text)) {
            Ok(Ok(entries)) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => BTreeMap::new(),
            Ok(Err(problem)) => set_aside(&path, &problem, is_dry_run),
            Err(error) => set_aside(&path, &error.to_string(), is_dry_run),
        };
        Self { path: Some(path).filter(|_| !is_dry_run), entries }
    }

    /// The interfaces, in the form for the engine.
    pub(super) fn names(&self) -> BTreeSet<String> {
        self.entries.keys().cloned().gather()
    }

    pub(super) fn get(&self, interface: &str) -> Option<&OfflineEntry> {
        self.entries.get(interface)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&String, &OfflineEntry)> {
        self.entries.iter()
    }

    /// Takes an interface offline.
    ///
    /// # Errors
    ///
    /// The file cannot be written; then nothing has changed.
    pub(super) fn add(&mut self, interface: &str, entry: OfflineEntry) -> io::Result<()> {
        let mut entries = self.entries.clone();
        entries.insert(interface.to_owned(), entry);
        self.replace(entries)
    }

    /// Puts an interface back.
    ///
    /// # Errors
    ///
    /// As [`Offline::add`].
    pub(super) fn remove(&mut self, interface: &str) -> io::Result<()> {
        let mut entries = self.entries.clone();
        entries.remove(interface);
        self.replace(entries)
    }

    /// Puts back interfaces whose time is over, even if the file cannot be written: the next start does the same.
    pub(super) fn expire(&mut self, wall: Duration) -> Vec<(String, OfflineEntry)> {
        let is_over = |entry: &OfflineEntry| entry.until.is_some_and(|until| until <= wall);
        let over: Vec<_> = self.entries.extract_if(.., |_, entry| is_over(entry)).collect();
        if !over.is_empty()
            && let Err(error) = self.write(&self.entries)
        {
            warn!("offline-file-write-failed error=\"{error}\"");
        }
        over
    }

    /// When the next one expires.
    pub(super) fn next_end(&self) -> Option<Duration> {
        self.entries.values().filter_map(|entry| entry.until).min()
    }

    fn replace(&mut self, entries: BTreeMap<String, OfflineEntry>) -> io::Result<()> {
        self.write(&entries)?;
        self.entries = entries;
        Ok(())
    }

    fn write(&self, entries: &BTreeMap<String, OfflineEntry>) -> io::Result<()> {
        let Some(path) = &self.path else { return Ok(()) };
        files::replace(path, &text(entries), Durability::Process)?;
        files::sync_later(path);
        Ok(())
    }
}

impl fmt::Display for OfflineEntry {
    /// In the form of the log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "since={}", Stamp(self.since))?;
        match self.until {
            Some(until) => write!(f, " until={}", Stamp(until))?,
            None => f.write_str(" until=command")?,
        }
        write!(f, " reason=\"{}\"", self.reason)
    }
}

/// Checks that a reason fits a line of the log.
///
/// # Errors
///
/// It does not.
pub(super) fn check_reason(reason: &str) -> Result<(), String> {
    if reason.chars().count() > LONGEST_REASON {
        return Err(format!("the reason is longer than {LONGEST_REASON} characters; shorten it"));
    }
    match reason.chars().find(|c| c.is_control() || *c == '"' || REORDER.contains(c)) {
        Some(found) => Err(format!("the reason contains {found:?}; remove it")),
        None => Ok(()),
    }
}

/// The file as TOML, times in seconds since 1970.
#[derive(Debug, Serialize, Deserialize)]
struct Document {
    version: u32,
    #[serde(default, rename = "offline")]
    entries: Vec<Line>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Line {
    interface: String,
    reason: String,
    since: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<u64>,
}

fn text(entries: &BTreeMap<String, OfflineEntry>) -> String {
    let line = |(interface, entry): (&String, &OfflineEntry)| Line {
        interface: interface.clone(),
        reason: entry.reason.clone(),
        since: entry.since.as_secs(),
        // Not a moment too early.
        until: entry.until.map(|until| until.as_secs() + u64::from(until.subsec_nanos() > 0)),
    };
    let document = Document { version: VERSION, entries: entries.iter().map(line).collect() };
    let body = toml::to_string(&document);
    debug_assert!(body.is_ok(), "{body:?}");
    format!("{HEADER}{}", body.unwrap_or_default())
}

fn parse(text: &str) -> Result<BTreeMap<String, OfflineEntry>, String> {
    let document: Document = toml::from_str(text).map_err(|error| error.message().replace('\n', " "))?;
    if document.version != VERSION {
        return Err(format!("version {} is not {VERSION}", document.version));
    }
    let mut entries = BTreeMap::new();
    for line in document.entries {
        check_reason(&line.reason)?;
        let (since, until) = (Duration::from_secs(line.since), line.until.map(Duration::from_secs));
        entries.insert(line.interface, OfflineEntry { reason: line.reason, since, until });
    }
    Ok(entries)
}

fn set_aside(path: &Path, problem: &str, is_dry_run: bool) -> BTreeMap<String, OfflineEntry> {
    let kept = if is_dry_run { "nothing".to_owned() } else { files::set_aside(path) };
    warn!(
        "offline-file-unreadable file={} saved-as={kept} action=\"treating all interfaces as online\" error=\"{problem}\"",
        path.display()
    );
    BTreeMap::new()
}

const FILE: &str = "offline.toml";

const VERSION: u32 = 1;

const HEADER: &str = "# Written by faild (faildctl offline, online), read at its start.\n";

/// A few interfaces with their reasons; faildctl writes no more than that.
const LONGEST: u64 = 64 << 10;

/// A line on a screen, and a place in the log.
const LONGEST_REASON: usize = 200;

/// They end a line, or change the direction of writing: the screen would not show the real text.
const REORDER: &[char] = &[
    '\u{200e}', '\u{200f}', '\u{2028}', '\u{2029}', '\u{202a}', '\u{202b}', '\u{202c}', '\u{202d}',
    '\u{202e}', '\u{2066}', '\u{2067}', '\u{2068}', '\u{2069}',
];

#[cfg(test)]
mod tests {
    use super::*;

    struct Directory(PathBuf);

    impl Directory {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("faild-{name}-{}", std::process::id()));
            std::fs::create_dir_all(&path).unwrap();
            Self(path)
        }
    }

    impl Drop for Directory {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn entry(until: Option<Duration>) -> OfflineEntry {
        OfflineEntry { reason: "switch gets new firmware".to_owned(), since: at(1000), until }
    }

    #[test]
    fn it_is_kept_and_expires_by_the_clock() {
        let directory = Directory::new("offline-kept");
        let mut offline = Offline::open(&directory.0, false);
        offline.add("eth1", entry(Some(Duration::from_millis(4_600_500)))).unwrap();
        offline.add("eth2", entry(None)).unwrap();
        let mut again = Offline::open(&directory.0, false);
        assert_eq!(again.names(), BTreeSet::from(["eth1".to_owned(), "eth2".to_owned()]));
        assert_eq!(again.get("eth2"), Some(&entry(None)));
        assert_eq!(again.next_end(), Some(at(4601)));
        assert_eq!(again.expire(at(4600)), []);
        assert_eq!(again.expire(at(4601)), [("eth1".to_owned(), entry(Some(at(4601))))]);
        assert_eq!(Offline::open(&directory.0, false).names(), BTreeSet::from(["eth2".to_owned()]));
        again.remove("eth2").unwrap();
        assert_eq!(Offline::open(&directory.0, false).iter().count(), 0);
    }

    #[test]
    fn what_cannot_be_kept_is_not_done() {
        let directory = Directory::new("offline-unwritable");
        let mut offline = Offline::open(&directory.0.join("nowhere"), false);
        assert!(offline.add("eth1", entry(None)).is_err());
        assert_eq!(offline.get("eth1"), None);
        let mut dry = Offline::open(&directory.0.join("nowhere"), true);
        dry.add("eth1", entry(None)).unwrap();
        assert!(dry.get("eth1").is_some() && !directory.0.join("nowhere").exists());
    }

    #[test]
    fn nonsense_is_set_aside() {
        let directory = Directory::new("offline-nonsense");
        for text in ["x", "version = 2", "version = 1\n[[offline]]\ninterface = 7"] {
            std::fs::write(directory.0.join(FILE), text).unwrap();
            assert_eq!(Offline::open(&directory.0, false).iter().count(), 0, "{text}");
            assert!(directory.0.join("offline.toml.bad").exists() && !directory.0.join(FILE).exists());
        }
        nix::unistd::mkfifo(&directory.0.join(FILE), nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert_eq!(Offline::open(&directory.0, false).iter().count(), 0, "a pipe is not waited for");
        assert!(!directory.0.join(FILE).exists());
    }

    #[test]
    fn a_reason_is_a_line_for_the_log() {
        assert_eq!(check_reason("Wartung, Schrank 7 ✓"), Ok(()));
        assert!(check_reason("a\nb").is_err() && check_reason("a \"b\"").is_err());
        assert!(check_reason("a\u{202e}b").is_err() && check_reason("a\u{2028}b").is_err());
        assert!(check_reason(&"x".repeat(201)).is_err());
        assert!(entry(Some(at(2000))).to_string().contains("until=1970-01-01T00:33:20"));
    }

    #[test]
    fn mutated_lists_are_refused_or_read_the_same_again() {
        crate::mutated::each_of("offline", &[], |bytes| {
            let Ok(Ok(entries)) = std::str::from_utf8(bytes).map(parse) else { return };
            assert_eq!(parse(&super::text(&entries)), Ok(entries));
        });
    }
}
