//! Makes text from the daemon safe for a terminal. The kernel allows control characters in interface names, and a
//! terminal would obey them: colours are the only ones that pass.

use crate::words::is_no_text;

/// The text with a question mark for every control character except line ends, tabs and our own colours, and for
/// every character that changes the direction of writing.
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

/// The codes that [`super::table`] writes.
const COLOURS: [&str; 5] = ["\x1b[32m", "\x1b[33m", "\x1b[31;1m", "\x1b[2m", "\x1b[0m"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_control_the_terminal() {
        assert_eq!(harmless("lanA  \x1b[32mup\x1b[0m\nö\tb\n"), "lanA  \x1b[32mup\x1b[0m\nö\tb\n");
        assert_eq!(harmless("a\x1b[2Jb\x07\x7f\u{9b}2J\r\u{202e}c\x1b"), "a?[2Jb???2J??c?");
    }
}
