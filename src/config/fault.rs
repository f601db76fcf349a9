//! Errors in the configuration: what is wrong, where, and how to fix it, one line each.

use std::fmt;
use std::path::{Path, PathBuf};

/// Where a setting comes from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// The command line.
    Flag,
    /// A file as a whole (it cannot be read, for example).
    File(PathBuf),
    /// A line of a file.
    Line {
        /// The file.
        file: PathBuf,
        /// The line, from 1.
        line: usize,
    },
    /// The host: its interfaces do not match the configuration.
    Host,
}

impl Origin {
    /// A line of a file; lines count from 1.
    pub(super) fn line(file: &Path, line: usize) -> Self {
        Origin::Line { file: file.to_owned(), line }
    }
}

/// The kind of error: decides the exit status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultKind {
    /// The configuration is wrong, and stays so until it is changed.
    Setting,
    /// The configuration may be right, but the host does not match it (yet): a directory is missing, for example.
    Environment,
}

/// One error. Its `Display` is one line: where, what, how to fix it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Fault {
    /// Where.
    pub origin: Origin,
    /// Which kind.
    pub kind: FaultKind,
    /// What, and how to fix it.
    pub text: String,
}

impl Fault {
    /// A wrong setting.
    pub(super) fn new(origin: Origin, text: impl Into<String>) -> Self {
        Self { origin, kind: FaultKind::Setting, text: text.into() }
    }

    /// A setting that the host cannot satisfy.
    pub(super) fn environment(origin: Origin, text: impl Into<String>) -> Self {
        Self { origin, kind: FaultKind::Environment, text: text.into() }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.origin {
            Origin::Flag | Origin::Host => f.write_str(&self.text),
            Origin::File(file) => write!(f, "{}: {}", file.display(), self.text),
            Origin::Line { file, line } => write!(f, "{}: line {line}: {}", file.display(), self.text),
        }
    }
}

/// All errors that were found, at least one. Its `Display` is one line: the first, and how to see the others.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Faults {
    /// In the order of the command line and the lines of the files.
    pub list: Vec<Fault>,
}

impl Faults {
    /// Sorts them; `Ok` if there are none.
    pub(super) fn check(mut list: Vec<Fault>) -> Result<(), Self> {
        list.sort_by(|a, b| a.origin.cmp(&b.origin));
        list.dedup();
        if list.is_empty() { Ok(()) } else { Err(Self { list }) }
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(first) = self.list.first() else { return f.write_str("no errors") };
        match self.list.len() - 1 {
            0 => first.fmt(f),
            more => write!(f, "{first}; and {more} more: run faild --check"),
        }
    }
}

/// What is wrong with one value; the caller adds the place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Complaint {
    /// The wrong type of TOML value.
    #[error("is {found}, not {wanted}; fix it")]
    Type {
        /// What is there.
        found: &'static str,
        /// What is wanted, with an example.
        wanted: &'static str,
    },
    /// The right type, but the wrong form.
    #[error("is not {wanted}; fix it")]
    Form {
        /// What is wanted, with an example.
        wanted: &'static str,
    },
    /// Too small.
    #[error("is below {least}; raise it")]
    Below {
        /// The least that is allowed.
        least: String,
    },
    /// Too large.
    #[error("is above {most}; lower it")]
    Above {
        /// The most that is allowed.
        most: String,
    },
    /// Too many elements.
    #[error("has more than {most} elements; remove some")]
    TooMany {
        /// How many are allowed.
        most: usize,
    },
    /// A prefix with host bits set.
    #[error("has host bits set; write {prefix}")]
    HostBits {
        /// The same without them.
        prefix: String,
    },
    /// Anything else: what, and how to fix it.
    #[error("{0}")]
    Other(&'static str),
}
