//! Words that others have chosen, in lines of ours. Linux admits every byte but `/`, `:` and white space in the name of an
//! interface, so that a name may be a command to a shell or to a terminal.

use std::borrow::Cow;
use std::fmt::{self, Display, Write};

/// A word as a shell takes it for one word, and for nothing else. What needs no quotes gets none, so that commands read
/// as people write them; all else gets single quotes. What would end a value of a log line, or is no text at all, is
/// written in octal digits, as `$'\042'`, which the shell of POSIX.1-2024 knows, and bash and busybox always did. Another
/// shell takes that for a name that there is not, and does nothing.
pub(crate) fn shell_word(word: &str) -> Cow<'_, str> {
    let is_plain = |c: char| c.is_alphanumeric() || "_@%+=:,./-".contains(c);
    let is_awkward = |c: char| matches!(c, '"' | '\'' | '\\') || is_no_text(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return Cow::Borrowed(word);
    }
    if !word.contains(is_awkward) {
        return Cow::Owned(format!("'{word}'"));
    }
    let mut quoted = String::from("$'");
    for c in word.chars() {
        if is_awkward(c) {
            for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                // Writing to a string never fails.
                let _ = write!(quoted, "\\{byte:03o}");
            }
        } else {
            quoted.push(c);
        }
    }
    quoted.push('\'');
    Cow::Owned(quoted)
}

/// Shows values of these types as the word by which JSON has them: one word for one thing, everywhere.
macro_rules! display_as_in_json {
    ($($name:ty),*) => { $(
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                serde::Serialize::serialize(self, f)
            }
        }
    )* };
}

pub(crate) use display_as_in_json;

/// Text within the quotes of a log line.
pub(crate) struct Unquoted<'a>(pub(crate) &'a str);

impl Display for Unquoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.replace('"', "'"))
    }
}

/// Text as one line that tells a terminal nothing: a line end or tab becomes a blank, and what else is no text is written
/// as `\x1b` or `\u{202e}`.
pub(crate) struct OneLine<T>(pub(crate) T);

impl<T: Display> Display for OneLine<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Filter(f).write_fmt(format_args!("{}", self.0))
    }
}

struct Filter<'a, 'b>(&'a mut fmt::Formatter<'b>);

impl Write for Filter<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut rest = text;
        while let Some(place) = rest.find(is_no_text) {
            let (before, from) = rest.split_at(place);
            self.0.write_str(before)?;
            let mut left = from.chars();
            match left.next() {
                Some('\t' | '\n' | '\r') => self.0.write_char(' ')?,
                Some(c) if u32::from(c) < 0x100 => write!(self.0, "\\x{:02x}", u32::from(c))?,
                Some(c) => write!(self.0, "\\u{{{:x}}}", u32::from(c))?,
                None => {}
            }
            rest = left.as_str();
        }
        self.0.write_str(rest)
    }
}

/// Whether a character tells a terminal or a reader of lines something, rather than being a part of the text: control
/// characters, what breaks lines, and what turns the writing round so that a screen shows something else than is there
/// (Unicode Standard Annex 9).
pub(crate) fn is_no_text(c: char) -> bool {
    let turns =
        matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    c.is_control() || turns || matches!(c, '\u{2028}' | '\u{2029}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_word_and_no_command() {
        for (name, word) in [
            ("eth0", "eth0"),
            ("br-lan.7@x", "br-lan.7@x"),
            ("wän0", "wän0"),
            ("", "''"),
            ("$(reboot)", "'$(reboot)'"),
            ("a;b", "'a;b'"),
            ("~", "'~'"),
            ("#x", "'#x'"),
            ("*?[a]", "'*?[a]'"),
            ("a|b&c>d<e`f`", "'a|b&c>d<e`f`'"),
            ("it's", "$'it\\047s'"),
            ("a\\b", "$'a\\134b'"),
            ("a\"b", "$'a\\042b'"),
            ("\x1b[2J", "$'\\033[2J'"),
            ("a\u{202e}b", "$'a\\342\\200\\256b'"),
        ] {
            assert_eq!(shell_word(name), word, "{name:?}");
            assert!(
                !word.contains('"') && !word.contains(is_no_text),
                "fits between the quotes of a log line"
            );
        }
    }

    /// The shell itself says what the words are, those that every shell knows.
    #[test]
    fn the_shell_reads_the_name_that_was_written() {
        for name in
            ["$(reboot)", "a;b", "`id`", "x&y|z", "*", "~root", "a=b", "!!", "{a,b}", "#", "-n", "\u{fffd}"]
        {
            let script = format!("set -- {}; printf '%s,%s' \"$#\" \"$1\"", shell_word(name));
            let said = std::process::Command::new("sh").args(["-c", &script]).output().unwrap();
            assert_eq!(String::from_utf8(said.stdout).unwrap(), format!("1,{name}"));
        }
    }

    #[test]
    fn a_line_stays_one_line_and_is_told_what_is_in_it() {
        let text = "a\nb\r\n\x1b[2Jc\u{202e}d\u{2028}e\u{9b}";
        assert_eq!(OneLine(text).to_string(), "a b  \\x1b[2Jc\\u{202e}d\\u{2028}e\\x9b");
        assert_eq!(OneLine("wän0 é \\").to_string(), "wän0 é \\");
    }
}
