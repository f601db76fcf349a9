//! The key file: one `ID HEX` per line, the signing key first (faild.toml(5)).

use std::fs::Metadata;
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::draft::{TextError, read_open_text};
use super::fault::{Fault, Origin};
use super::{DEFAULT_USER, Key};
use crate::plain_file::{self, Links};

/// Maximum number of keys: a rollover needs two, and each costs a hash for every packet of a stranger.
const MOST_KEYS: usize = 16;

/// How long a secret may be, in bytes: HMAC-SHA256 hashes longer ones down, shorter ones can be guessed.
const SECRET_BYTES: std::ops::RangeInclusive<usize> = 16..=64;

/// Reads the keys. `named_at` is where the file is configured.
///
/// # Errors
/// All errors in the file, its owner and permissions. None of them shows a secret.
pub(super) fn read(path: &Path, named_at: &Origin) -> Result<Vec<Key>, Vec<Fault>> {
    let at_name = |refusal: String| {
        vec![Fault::new(named_at.clone(), format!("key file {} {refusal}", path.display()))]
    };
    let refuse = |error: io::Error| {
        at_name(if error.kind() == ErrorKind::PermissionDenied {
            format!("is not readable by the user that faild runs as; run {}", open_command(path))
        } else if error.kind() == ErrorKind::InvalidData {
            "is not a regular file; use one".to_owned()
        } else {
            format!("cannot be read: {error}; fix that, or use another file")
        })
    };
    // The open file is checked and read, whatever happens to the name in between.
    let file = plain_file::open(path, Links::Follow).map_err(refuse)?;
    let metadata = file.metadata().map_err(refuse)?;
    if let Some(refusal) = check_metadata(path, &metadata) {
        return Err(at_name(refusal));
    }
    let text = read_open_text(file).map_err(|e| match e {
        TextError::Read(_) | TextError::Strange(_) => at_name(e.to_string()),
        TextError::NotText { .. } => vec![e.fault(path)],
    })?;
    parse(path, &text)
}

/// The command that lets only faild and root read a key file.
pub fn open_command(path: &Path) -> String {
    format!("chgrp {DEFAULT_USER} {path} && chmod 640 {path}", path = path.display())
}

/// Whether other users could read or write the secrets.
fn check_metadata(path: &Path, metadata: &Metadata) -> Option<String> {
    let (mode, owner) = (metadata.mode() & 0o7777, metadata.uid());
    let fix = format!("chmod 600 {}", path.display());
    if owner != 0 && owner != nix::unistd::geteuid().as_raw() {
        return Some(format!("belongs to user {owner}; run chown root {}", path.display()));
    }
    if mode & 0o007 != 0 {
        return Some(format!("is accessible to all users (mode {mode:03o}); run {fix}, and create new keys"));
    }
    (mode & 0o020 != 0).then(|| format!("is writable by its group (mode {mode:03o}); run {fix}"))
}

/// Reads the lines.
pub(super) fn parse(path: &Path, text: &str) -> Result<Vec<Key>, Vec<Fault>> {
    let mut keys: Vec<Key> = Vec::new();
    let mut faults = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.split('#').next().unwrap_or_default().trim();
        if line.is_empty() {
            continue;
        }
        match parse_line(line) {
            Ok(key) if keys.iter().any(|k| k.id == key.id) => {
                faults.push((index, format!("key id {} is used twice; give each key its own", key.id)));
            }
            Ok(key) => keys.push(key),
            Err(refusal) => faults.push((index, refusal)),
        }
    }
    let mut faults: Vec<Fault> =
        faults.into_iter().map(|(index, text)| Fault::new(Origin::line(path, index + 1), text)).collect();
    let whole = |text: String| Fault::new(Origin::File(path.to_owned()), text);
    if keys.is_empty() && faults.is_empty() {
        faults.push(whole(format!("contains no key; add one: echo \"1 $({MAKE})\" >> {}", path.display())));
    }
    if keys.len() > MOST_KEYS {
        faults.push(whole(format!(
            "contains {} keys, but at most {MOST_KEYS} are allowed; remove old ones",
            keys.len()
        )));
    }
    if faults.is_empty() { Ok(keys) } else { Err(faults) }
}

fn parse_line(line: &str) -> Result<Key, String> {
    let mut words = line.split_whitespace();
    let (Some(id), Some(secret), None) = (words.next(), words.next(), words.next()) else {
        return Err(format!("a key is written ID HEX, a number and a secret; create a secret with {MAKE}"));
    };
    // A secret in place of the id must not be shown either.
    let id = id
        .parse()
        .map_err(|_| "the key id is not a whole number from 0 to 4294967295; write ID HEX".to_owned())?;
    let secret = hex(secret)
        .ok_or_else(|| format!("the secret of key {id} is not hexadecimal; create one with {MAKE}"))?;
    if !SECRET_BYTES.contains(&secret.len()) {
        let bytes = secret.len();
        return Err(format!(
            "the secret of key {id} has {bytes} bytes, not 16 to 64; create one with {MAKE}"
        ));
    }
    Ok(Key { id, secret })
}

/// The bytes of pairs of hexadecimal digits.
fn hex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> =
        text.chars().map(|c| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok())).collect();
    let digits = digits.filter(|digits| digits.len().is_multiple_of(2))?;
    Some(digits.chunks_exact(2).map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit)).collect())
}

/// The command that creates a secret.
const MAKE: &str = "openssl rand -hex 32";

#[cfg(test)]
mod tests;
