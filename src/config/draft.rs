//! A configuration under construction: the settings of file and options, each with its position, until all are checked.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, ErrorKind};
use std::net::IpAddr;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::unistd::{AccessFlags, eaccess};

use super::account::{self, Account};
use super::document::Source;
use super::fault::{Fault, Faults, Origin};
use super::group::{self, GroupDraft};
use super::hook::{self, HookConfig};
use super::route::{self, RouteDraft};
use super::target::{self, Names};
use super::{Config, DEFAULT_USER, KeyRing, LanConfig, PeerConfig, file, key_file};
use crate::plain_file::{self, Links};

/// The file that is read by default.
pub const DEFAULT_FILE: &str = "/etc/faild/faild.toml";

/// Maximum number of LANs: every pair of LANs of every pair of nodes is a path, and an address list must fit a
/// datagram.
pub const MOST_LANS: usize = 4;

/// A value and where it was set.
#[derive(Debug, Clone)]
pub(super) struct Placed<T> {
    pub(super) origin: Origin,
    pub(super) value: T,
}

/// See the module.
///
/// Fill it from a file first, then from the command line, which wins; then [`Draft::finish`] it.
#[derive(Debug)]
pub struct Draft {
    /// Settings that cannot conflict with others: set at will.
    pub settings: Config,
    pub(super) lans: Vec<Placed<LanConfig>>,
    pub(super) exclude: Vec<Placed<String>>,
    pub(super) peers: Vec<Placed<PeerConfig>>,
    pub(super) log: Option<Placed<PathBuf>>,
    pub(super) key_file: Option<Placed<PathBuf>>,
    pub(super) user: Option<Placed<String>>,
    pub(super) hooks: Vec<Placed<HookConfig>>,
    pub(super) routes: Vec<Placed<RouteDraft>>,
    pub(super) groups: Vec<Placed<GroupDraft>>,
    pub(super) names: Names,
    pub(super) faults: Vec<Fault>,
    /// Former words in the file that are still accepted, each with the one to write instead.
    pub(super) former: Vec<String>,
    file: Option<PathBuf>,
    text: String,
}

/// A configuration that faild can run with.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded {
    /// The settings.
    pub config: Config,
    /// Valid settings that are probably not what was meant, one line each; to be logged once.
    pub warnings: Vec<String>,
    /// The file that was read, if there was one.
    pub file: Option<PathBuf>,
    /// Its text, empty if there was none.
    pub text: String,
}

impl Draft {
    /// The defaults, overridden by the file: the given one, or else [`DEFAULT_FILE`] if that exists. It may be a pipe,
    /// which is read to its end, for 10 seconds at most.
    pub fn from_file(named: Option<&Path>) -> Self {
        Self::from_reader(named, |path| {
            text(plain_file::read_or_receive(path, LONGEST, PATIENCE).map_err(TextError::from_io)?)
        })
    }

    /// The same for a daemon that must not wait: a pipe is an error.
    pub fn from_file_at_once(named: Option<&Path>) -> Self {
        Self::from_reader(named, |path| {
            text(plain_file::read_or_nothing(path, LONGEST).map_err(TextError::from_io)?)
        })
    }

    fn from_reader(named: Option<&Path>, read: impl Fn(&Path) -> Result<String, TextError>) -> Self {
        let path = named.unwrap_or(Path::new(DEFAULT_FILE));
        match read(path) {
            Ok(text) => {
                let mut draft = Self::from_text(path, &text);
                draft.file = Some(path.to_owned());
                draft
            }
            Err(TextError::Read(e)) if named.is_none() && e.kind() == ErrorKind::NotFound => Self::empty(),
            Err(e) => Self { faults: vec![e.fault(path)], ..Self::empty() },
        }
    }

    /// The defaults, overridden by a file's text.
    pub fn from_text(path: &Path, text: &str) -> Self {
        let mut draft = Self { text: text.to_owned(), ..Self::empty() };
        file::read(&mut draft, &Source::new(path, text));
        check_lans(&draft.lans, &mut draft.faults);
        check_peers(&draft.peers, &mut draft.faults);
        draft
    }

    /// The defaults alone.
    fn empty() -> Self {
        Self {
            settings: Config::default(),
            lans: Vec::new(),
            exclude: Vec::new(),
            peers: Vec::new(),
            log: None,
            key_file: None,
            user: None,
            hooks: Vec::new(),
            routes: Vec::new(),
            groups: Vec::new(),
            names: Names::of_resolver(target::ask_system),
            faults: Vec::new(),
            former: Vec::new(),
            file: None,
            text: String::new(),
        }
    }

    /// `-l`.
    pub fn set_log(&mut self, path: PathBuf) {
        self.log = Some(Placed { origin: Origin::Flag, value: path });
    }

    /// `--user`.
    pub fn set_user(&mut self, name: String) {
        self.user = Some(Placed { origin: Origin::Flag, value: name });
    }

    /// `-i`: these are the LANs, in this order; one with a section in the file keeps its settings.
    pub fn set_lans(&mut self, names: &[String]) {
        let described = std::mem::take(&mut self.lans);
        let settings_of = |name: &String| {
            let found = described.iter().find(|lan| lan.value.interface == *name);
            found.map_or_else(|| LanConfig::new(name), |lan| lan.value.clone())
        };
        self.lans = names.iter().map(|n| Placed { origin: Origin::Flag, value: settings_of(n) }).collect();
        check_lans(&self.lans, &mut self.faults);
        self.settings.lans_by_flag = true;
    }

    /// `-x`: these are excluded, too.
    pub fn add_exclude(&mut self, names: &[String]) {
        let placed = |name: &String| Placed { origin: Origin::Flag, value: name.clone() };
        self.exclude.extend(names.iter().map(placed));
    }

    /// Targets keep the addresses of their names in the running configuration, and no name is resolved: for a
    /// daemon that must not wait. A new name is an error then.
    pub fn keep_names(&mut self, running: &Config) {
        self.names = Names::of_running(running);
    }

    /// Checks the settings against each other and against the host's files, and returns the result. Nothing
    /// is created or changed. Names of targets are resolved, which may take seconds (but see [`Draft::keep_names`]).
    ///
    /// # Errors
    /// All errors that were found, including those of syntax.
    pub fn finish(mut self) -> Result<Loaded, Faults> {
        check_exclude(&self.exclude, &self.lans, &mut self.faults);
        let user = self.user.as_ref().map_or(DEFAULT_USER, |user| &user.value);
        self.settings.log = self.log.map(|log| {
            self.faults.extend(check_log(&log, user));
            log.value
        });
        if let Some(path) = &self.key_file {
            self.settings.key_file = Some(path.value.clone());
            match key_file::read(&path.value, &path.origin) {
                Ok(keys) => self.settings.keys = KeyRing { keys },
                Err(mut faults) => self.faults.append(&mut faults),
            }
        }
        if let Some(user) = self.user {
            self.faults.extend(check_user(&user));
            self.settings.user = user.value;
        }
        self.faults.extend(hook::check_users(&self.hooks, &self.settings.user));
        let routes = route::finish(self.routes, &self.lans, &mut self.names, &mut self.faults);
        let groups = group::finish(self.groups, &self.lans, &self.exclude, &mut self.names, &mut self.faults);
        Faults::check(self.faults)?;
        let config = Config {
            lans: self.lans.into_iter().map(|lan| lan.value).collect(),
            exclude: self.exclude.into_iter().map(|name| name.value).collect(),
            peers: self.peers.into_iter().map(|peer| peer.value).collect(),
            hooks: self.hooks.into_iter().map(|hook| hook.value).collect(),
            routes,
            groups,
            ..self.settings
        };
        let warnings = self.former.into_iter().chain(warnings(&config)).collect();
        Ok(Loaded { warnings, config, file: self.file, text: self.text })
    }
}

/// Error reading a configuration file.
#[derive(Debug, thiserror::Error)]
pub(super) enum TextError {
    /// The file cannot be read.
    #[error("cannot be read: {0}; fix that, or use another file")]
    Read(#[from] io::Error),
    /// It is not a configuration file.
    #[error("cannot be used: {0}; is it the right file?")]
    Strange(io::Error),
    /// The text is not UTF-8.
    #[error("is not UTF-8 text; is it the right file?")]
    NotText {
        /// The line, from 1.
        line: usize,
    },
}

impl TextError {
    fn from_io(error: io::Error) -> Self {
        if error.kind() == ErrorKind::InvalidData { Self::Strange(error) } else { Self::Read(error) }
    }

    /// The error, with its position.
    pub(super) fn fault(&self, path: &Path) -> Fault {
        match self {
            TextError::NotText { line } => Fault::new(Origin::line(path, *line), self.to_string()),
            TextError::Read(_) | TextError::Strange(_) => {
                Fault::new(Origin::File(path.to_owned()), self.to_string())
            }
        }
    }
}

/// The text of a regular file of at most 1 MiB; never waits.
pub(super) fn read_text(path: &Path) -> Result<String, TextError> {
    text(plain_file::read(path, LONGEST, Links::Follow).map_err(TextError::from_io)?)
}

/// The same for an open file.
pub(super) fn read_open_text(file: File) -> Result<String, TextError> {
    text(plain_file::read_open(file, LONGEST).map_err(TextError::from_io)?)
}

fn text(bytes: Vec<u8>) -> Result<String, TextError> {
    String::from_utf8(bytes).map_err(|e| {
        let good = e.as_bytes().iter().take(e.utf8_error().valid_up_to());
        TextError::NotText { line: 1 + good.filter(|b| **b == b'\n').count() }
    })
}

/// No file that people write for faild is longer.
const LONGEST: u64 = 1 << 20;

/// How long a start waits for the configuration to come through a pipe.
const PATIENCE: Duration = Duration::from_secs(10);

/// The same interface twice, or too many.
fn check_lans(lans: &[Placed<LanConfig>], faults: &mut Vec<Fault>) {
    let mut seen = BTreeMap::new();
    for lan in lans {
        let name = &lan.value.interface;
        if seen.insert(name, ()).is_some() {
            faults.push(Fault::new(
                lan.origin.clone(),
                format!("interface {name} is listed twice; remove one"),
            ));
        }
    }
    if let Some(first_beyond) = lans.get(MOST_LANS) {
        let text =
            format!("{} LANs are configured, but at most {MOST_LANS} are allowed; remove some", lans.len());
        faults.push(Fault::new(first_beyond.origin.clone(), text));
    }
}

/// The same name or address for two peers.
fn check_peers(peers: &[Placed<PeerConfig>], faults: &mut Vec<Fault>) {
    let mut names: BTreeMap<&str, ()> = BTreeMap::new();
    let mut owners: BTreeMap<IpAddr, &str> = BTreeMap::new();
    for Placed { origin, value: peer } in peers {
        if !peer.name.is_empty() && names.insert(&peer.name, ()).is_some() {
            let text = format!("peer name {} is used twice; rename one", peer.name);
            faults.push(Fault::new(origin.clone(), text));
        }
        for address in &peer.addresses {
            if let Some(other) = owners.insert(*address, &peer.name) {
                let text = format!(
                    "address {address} belongs to peer {other} and to peer {}; remove it from one",
                    peer.name
                );
                faults.push(Fault::new(origin.clone(), text));
            }
        }
    }
}

/// Interfaces that are excluded twice, or are LANs as well.
fn check_exclude(exclude: &[Placed<String>], lans: &[Placed<LanConfig>], faults: &mut Vec<Fault>) {
    let mut seen = BTreeMap::new();
    for Placed { origin, value: name } in exclude {
        // Once in the file and once by -x is not an error.
        if seen.insert((name, *origin == Origin::Flag), ()).is_some() {
            faults
                .push(Fault::new(origin.clone(), format!("interface {name} is excluded twice; remove one")));
        }
        if lans.iter().any(|lan| lan.value.interface == *name) {
            let text = format!("interface {name} is both excluded and configured as a LAN; remove one");
            faults.push(Fault::new(origin.clone(), text));
        }
    }
}

/// A user given explicitly must exist; the default one need not.
fn check_user(user: &Placed<String>) -> Option<Fault> {
    let name = &user.value;
    let is_good = name == DEFAULT_USER || Account::find(name).is_some();
    (!is_good).then(|| {
        let text = format!("user {name} is not in /etc/passwd; create it: {}", account::make_command(name));
        Fault::environment(user.origin.clone(), text)
    })
}

/// Whether a log can be written there, without creating it; `user` is the one that faild becomes.
fn check_log(log: &Placed<PathBuf>, user: &str) -> Option<Fault> {
    let path = &log.value;
    let refusal = match std::fs::metadata(path) {
        Ok(found) if found.is_dir() => {
            let text = format!("log {} is a directory; use a file in it", path.display());
            return Some(Fault::new(log.origin.clone(), text));
        }
        Ok(_) => may_write(path, "is not writable"),
        Err(e) if e.kind() == ErrorKind::NotFound => check_directory(path),
        Err(e) => Some(format!("cannot be reached: {e}")),
    };
    let refusal = refusal.or_else(|| {
        let error = account::trust(user).check_file(path).err()?;
        Some(format!("cannot be used: {error}"))
    });
    refusal.map(|refusal| {
        let text = format!("log {} {refusal}; fix that, or choose another file", path.display());
        Fault::environment(log.origin.clone(), text)
    })
}

/// Whether a file can be created at `path`.
fn check_directory(path: &Path) -> Option<String> {
    let directory = path.parent().unwrap_or(Path::new("/"));
    match std::fs::metadata(directory) {
        Ok(found) if found.is_dir() => {
            may_write(directory, "cannot be created: its directory is not writable")
        }
        Ok(_) => Some(format!("cannot be created: {} is not a directory", directory.display())),
        Err(e) => Some(format!("cannot be created: {}: {e}", directory.display())),
    }
}

fn may_write(path: &Path, refusal: &str) -> Option<String> {
    eaccess(path, AccessFlags::W_OK).err().map(|errno| format!("{refusal}: {}", errno.desc()))
}

/// Valid settings that are probably not what was meant.
fn warnings(config: &Config) -> Vec<String> {
    let mut warnings = hook::warnings(&config.hooks);
    warnings.extend(route::warnings(&config.routes, &config.groups));
    warnings.extend(group::warnings(&config.groups));
    if let [only] = config.lans.as_slice() {
        warnings.push(format!(
            "{} is the only LAN, so there is nothing to fail over to; configure two to four",
            only.interface
        ));
    }
    let is_pipe = |log: &&PathBuf| std::fs::metadata(log).is_ok_and(|found| found.file_type().is_fifo());
    warnings.extend(config.log.as_ref().filter(is_pipe).map(|log| {
        format!(
            "log {} is a pipe: faild starts only while it has a reader, and loses log lines while it has none; use a file",
            log.display()
        )
    }));
    if config.peers.is_empty() {
        for lan in config.lans.iter().filter(|lan| config.requestor && !lan.broadcast) {
            warnings.push(format!(
                "LAN {} has broadcast = false, but there is no [[peer]]: nothing is probed there; add the peers",
                lan.interface
            ));
        }
    }
    warnings
}

#[cfg(test)]
mod tests;
