//! What has happened, as the log tells it and as programs read it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// One event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Counts events since the daemon's start, from 1; a gap tells of some that were lost.
    pub sequence: u64,
    /// Milliseconds since 1970 in UTC.
    pub time_ms: u64,
    /// `info`, `warn` or `error`.
    pub level: String,
    /// Its name, the first word of the log's line.
    pub event: String,
    /// Its words.
    pub fields: BTreeMap<String, String>,
}

impl Event {
    /// The event of a line of the log, `name key=value key="several words"`.
    pub fn from_line(sequence: u64, time_ms: u64, level: &str, line: &str) -> Self {
        let (name, rest) = line.split_once(' ').unwrap_or((line, ""));
        let (level, event) = (level.to_owned(), name.to_owned());
        Self { sequence, time_ms, level, event, fields: fields(rest) }
    }

    /// The words in the log's form, in the order of their names.
    pub fn words(&self) -> String {
        let word = |(key, value): (&String, &String)| match value.is_empty() || value.contains(' ') {
            true => format!("{key}=\"{value}\""),
            false => format!("{key}={value}"),
        };
        self.fields.iter().map(word).collect::<Vec<_>>().join(" ")
    }
}

fn fields(mut rest: &str) -> BTreeMap<String, String> {
    let mut fields = BTreeMap::new();
    while let Some((key, after)) = rest.trim_start().split_once('=') {
        let word = || after.split_once(' ').unwrap_or((after, ""));
        let (value, left) = after.strip_prefix('"').and_then(quoted).unwrap_or_else(word);
        fields.insert(key.to_owned(), value.to_owned());
        rest = left;
    }
    fields
}

/// A value up to its closing quote, which a blank or the end follows, and what is behind it. A name may begin with a quote,
/// or have one in it: then no quote closes it, or only that of a later value does.
fn quoted(rest: &str) -> Option<(&str, &str)> {
    let closes = |(place, _): &(usize, &str)| matches!(rest.as_bytes().get(place + 1), None | Some(b' '));
    let (place, _) = rest.match_indices('"').find(closes)?;
    let (value, left) = (rest.get(..place)?, rest.get(place + 1..)?);
    (!value.contains("=\"")).then_some((value, left))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_a_line_become_fields() {
        let line = r#"failed-over peer=0a via=10.2.0.2 why="no answer, twice" empty="" last=x=y"#;
        let event = Event::from_line(3, 1000, "warn", line);
        assert_eq!(event.event, "failed-over");
        assert_eq!(event.fields["why"], "no answer, twice");
        assert_eq!(event.fields["last"], "x=y");
        assert_eq!(event.words(), r#"empty="" last=x=y peer=0a via=10.2.0.2 why="no answer, twice""#);
    }

    #[test]
    fn a_name_with_quotes_and_equals_signs_is_one_value_and_makes_no_others() {
        for name in ["\"a", "a\"b", "a=b", "=", "peer=0b", "\"\"x"] {
            let line = format!("path-down peer=0a interface={name} why=\"no answer\" family=ipv4");
            let event = Event::from_line(1, 0, "warn", &line);
            assert_eq!(event.fields["interface"], name, "{line}");
            assert_eq!(event.fields["why"], "no answer", "{line}");
            assert_eq!((event.fields.len(), event.fields["peer"].as_str()), (4, "0a"), "{line}");
        }
        // One that is in quotes as a whole loses them, and no more.
        let event = Event::from_line(1, 0, "info", "path-down interface=\"=\" family=ipv4");
        assert_eq!((event.fields["interface"].as_str(), event.fields.len()), ("=", 2));
        let event = Event::from_line(1, 0, "info", "lan-removed action=\"set 'a\"b' up\" x=y");
        assert_eq!((event.fields["action"].as_str(), event.fields.len()), ("set 'a\"b' up", 2));
    }

    #[test]
    fn any_line_is_some_event() {
        for line in ["", "ready", "x =", "x a=\"b", "x a= b=c", "x y z=1", "  "] {
            let event = Event::from_line(1, 0, "info", line);
            assert!(event.fields.len() <= 2, "{line:?}: {event:?}");
        }
        assert_eq!(Event::from_line(1, 0, "info", "x a=\"b").fields["a"], "\"b");
    }
}
