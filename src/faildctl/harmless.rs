//! Text from the daemon as a terminal can bear it. The kernel admits control characters in names of interfaces, and a
//! terminal would do what they say: colours are all that it is told to do here.

use crate::words::is_no_text;

/// The text with every control character but line ends, tabs and our own colours made a question mark, and so are the
/// characters that turn the writing round.
pub(super) fn harmless(text: &str) -> String {
    let mut harmless = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let colour = COLOURS.iter().find(|colour| rest.starts_with(**colour));
        let length = colour.map_or(c.len_utf8(), |colour| colour.len());
        let is_command = is_no_text(c) && !matches!(c, '\n' | '\t');
        match colour {
            Some(colour) => harmless.push_str(colour),
            None => harmless.push(if is_command { '?' } else { c }),
        }
        rest = rest.get(length..).unwrap_or_default();
    }
    harmless
}

/// What [`super::table`] writes.
const COLOURS: [&str; 5] = ["\x1b[32m", "\x1b[33m", "\x1b[31;1m", "\x1b[2m", "\x1b[0m"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_tell_the_terminal_anything() {
        assert_eq!(harmless("lanA  \x1b[32mup\x1b[0m\nö\tb\n"), "lanA  \x1b[32mup\x1b[0m\nö\tb\n");
        assert_eq!(harmless("a\x1b[2Jb\x07\x7f\u{9b}2J\r\u{202e}c\x1b"), "a?[2Jb???2J??c?");
    }
}
