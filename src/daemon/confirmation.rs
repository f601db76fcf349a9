//! Which text of the settings file has been confirmed. One that is on trial, or went back because nobody confirmed it,
//! is kept in the state directory beside the one from before, so that neither a crash nor a loss of power puts it in
//! force: whoever locked himself out gets his way back by them, too.
//!
//! ```text
//!  reload --confirm --> written, before the new text is in force
//!  confirm, another reload ---------------------------> removed
//!  start, the file is the text that was on trial -----> the text from before is in force
//!  start, the file is another by now -----------------> removed: somebody has mended it
//! ```
//!
//! A user who has no rights but faild's may write there, so it is read after rights were given up, and what only a start
//! can set (the user, the group of the socket) is the file's.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use log::{info, warn};
use serde::{Deserialize, Serialize};

use super::files::{self, Durability};

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Confirmation {
    /// `None` in a dry run: nothing is written.
    path: Option<PathBuf>,
    /// The text in force.
    text: String,
    unconfirmed: Option<Texts>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Texts {
    version: u32,
    /// The text from before.
    confirmed: String,
    /// The text that waits to be confirmed, or was not.
    tried: String,
}

impl Confirmation {
    /// Reads what an earlier run kept. `text` is that of the file. What cannot be understood is set aside: then the
    /// file counts.
    pub(super) fn open(directory: &Path, is_dry_run: bool, text: String) -> Self {
        let path = directory.join(FILE);
        let unconfirmed = match files::read(&path, LONGEST).map(|text| parse(&text)) {
            Ok(Ok(texts)) => Some(texts),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Ok(Err(problem)) => set_aside(&path, &problem, is_dry_run),
            Err(error) => set_aside(&path, &error.to_string(), is_dry_run),
        };
        let mut kept = Self { path: Some(path).filter(|_| !is_dry_run), text, unconfirmed };
        if kept.unconfirmed.is_some() && !kept.is_unconfirmed(&kept.text) {
            info!("trial-discarded cause=\"the configuration file was edited since\"");
            kept.forget();
        }
        kept
    }

    /// The text from before, if that of the file was not confirmed.
    pub(super) fn confirmed(&self) -> Option<&str> {
        self.unconfirmed.as_ref().map(|texts| texts.confirmed.as_str())
    }

    /// Whether this is the text that nobody has confirmed.
    pub(super) fn is_unconfirmed(&self, text: &str) -> bool {
        self.unconfirmed.as_ref().is_some_and(|texts| texts.tried == text)
    }

    /// `text` is about to be tried.
    ///
    /// # Errors
    ///
    /// It cannot be kept: the next start would take it.
    pub(super) fn try_out(&mut self, text: String) -> io::Result<()> {
        let confirmed = std::mem::replace(&mut self.text, text.clone());
        let texts = self.unconfirmed.insert(Texts { version: VERSION, confirmed, tried: text });
        let Some(path) = &self.path else { return Ok(()) };
        let body = toml::to_string(texts).map_err(io::Error::other)?;
        files::replace_private(path, &format!("{HEADER}{body}"), Durability::Process)?;
        files::sync_later(path);
        Ok(())
    }

    /// The text from before is in force again, after this start or because nobody confirmed in time.
    pub(super) fn go_back(&mut self) {
        if let Some(texts) = &self.unconfirmed {
            self.text.clone_from(&texts.confirmed);
        }
    }

    /// The text on trial stays.
    pub(super) fn confirm(&mut self) {
        self.forget();
    }

    /// `text` is in force for good.
    pub(super) fn accept(&mut self, text: String) {
        self.text = text;
        self.forget();
    }

    fn forget(&mut self) {
        if self.unconfirmed.take().is_none() {
            return;
        }
        let Some(path) = &self.path else { return };
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => warn!(
                "trial-file-not-removed file={} action=\"the next start restores the previous configuration\" fix=\"delete the file\" error=\"{error}\"",
                path.display()
            ),
            Ok(()) | Err(_) => files::sync_later(path),
        }
    }
}

fn parse(text: &str) -> Result<Texts, String> {
    let texts: Texts = toml::from_str(text).map_err(|error| error.message().replace('\n', " "))?;
    if texts.version == VERSION {
        Ok(texts)
    } else {
        Err(format!("version {} is not {VERSION}", texts.version))
    }
}

fn set_aside(path: &Path, problem: &str, is_dry_run: bool) -> Option<Texts> {
    let kept = if is_dry_run { "nothing".to_owned() } else { files::set_aside(path) };
    warn!(
        "trial-file-unreadable file={} saved-as={kept} action=\"using the configuration file, confirmed or not\" error=\"{problem}\"",
        path.display()
    );
    None
}

const FILE: &str = "unconfirmed.toml";

const VERSION: u32 = 1;

const HEADER: &str = "# Written by faild (faildctl reload --confirm), read at its start.\n";

/// Two settings files of 1 MiB, with every character escaped.
const LONGEST: u64 = 16 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = "# \"old\"\nmissed = 2\n";
    const NEW: &str = "missed = '''4'''\n\tπ";

    struct Directory(PathBuf);

    impl Directory {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("faild-{name}-{}", std::process::id()));
            fs::create_dir_all(&path).unwrap();
            Self(path)
        }

        /// A start with this text in the settings file.
        fn start(&self, text: &str) -> Confirmation {
            Confirmation::open(&self.0, false, text.to_owned())
        }

        fn is_empty(&self) -> bool {
            fs::read_dir(&self.0).unwrap().next().is_none()
        }
    }

    impl Drop for Directory {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn what_is_on_trial_is_not_in_force_after_a_crash_until_somebody_takes_it() {
        let directory = Directory::new("trial-crash");
        directory.start(OLD).try_out(NEW.to_owned()).unwrap();
        for _ in 0..2 {
            let mut again = directory.start(NEW);
            assert_eq!(again.confirmed(), Some(OLD));
            again.go_back();
            assert!(again.is_unconfirmed(NEW) && again.text == OLD);
        }
        directory.start(NEW).accept(NEW.to_owned());
        assert!(directory.is_empty() && directory.start(NEW).confirmed().is_none());
    }

    #[test]
    fn what_is_confirmed_counts_and_what_went_back_does_not() {
        let directory = Directory::new("trial-ends");
        let mut run = directory.start(OLD);
        run.try_out(NEW.to_owned()).unwrap();
        run.go_back();
        assert_eq!(directory.start(NEW).confirmed(), Some(OLD));
        run.try_out(NEW.to_owned()).unwrap();
        run.confirm();
        assert!(directory.is_empty() && !run.is_unconfirmed(NEW) && run.text == NEW);
    }

    #[test]
    fn a_file_that_was_changed_since_counts() {
        let directory = Directory::new("trial-changed");
        directory.start(OLD).try_out(NEW.to_owned()).unwrap();
        assert_eq!(directory.start("missed = 3\n").confirmed(), None);
        assert!(directory.is_empty());
    }

    #[test]
    fn nonsense_is_set_aside_and_a_dry_run_changes_nothing() {
        let directory = Directory::new("trial-nonsense");
        for text in ["x", "version = 2\nconfirmed = ''\ntried = ''", "version = 1"] {
            fs::write(directory.0.join(FILE), text).unwrap();
            let dry = Confirmation::open(&directory.0, true, NEW.to_owned());
            assert!(dry.confirmed().is_none() && directory.0.join(FILE).exists());
            assert!(directory.start(NEW).confirmed().is_none(), "{text}");
            assert!(directory.0.join("unconfirmed.toml.bad").exists() && !directory.0.join(FILE).exists());
        }
        Confirmation::open(&directory.0, true, OLD.to_owned()).try_out(NEW.to_owned()).unwrap();
        assert!(!directory.0.join(FILE).exists());
        assert!(
            Confirmation::open(Path::new("/nonexistent"), false, OLD.to_owned())
                .try_out(NEW.to_owned())
                .is_err()
        );
    }

    #[test]
    fn mutated_texts_are_refused_or_read_the_same_again() {
        crate::mutated::each_of("unconfirmed", &[], |bytes| {
            let Ok(Ok(texts)) = std::str::from_utf8(bytes).map(parse) else { return };
            let again = parse(&toml::to_string(&texts).unwrap()).unwrap();
            assert_eq!((again.confirmed, again.tried), (texts.confirmed, texts.tried));
        });
    }
}
