//! A TOML document as tables of keys: each key has its name, its default and how to read its value, and every error
//! has its line.

use std::ops::{Range, RangeInclusive};
use std::path::Path;
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::fault::{Complaint, Fault, Origin};
use super::value;

/// A file's text and the offsets of its lines.
pub(super) struct Source<'a> {
    file: &'a Path,
    text: &'a str,
    line_starts: Vec<usize>,
}

impl<'a> Source<'a> {
    /// The text of `file`.
    pub(super) fn new(file: &'a Path, text: &'a str) -> Self {
        let line_starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { file, text, line_starts }
    }

    /// The place of a byte.
    pub(super) fn origin(&self, offset: usize) -> Origin {
        Origin::line(self.file, self.line(offset))
    }

    /// The line of a byte, from 1.
    fn line(&self, offset: usize) -> usize {
        self.line_starts.partition_point(|start| *start <= offset)
    }

    /// The bytes of a line, without the line break.
    fn line_range(&self, line: usize) -> Range<usize> {
        let start = self.line_starts.get(line - 1).copied().unwrap_or(self.text.len());
        let end = self.line_starts.get(line).map_or(self.text.len(), |next| next - 1);
        start..end.max(start)
    }

    /// The text at a span, shortened so that a message stays one line.
    fn excerpt(&self, span: &Range<usize>) -> String {
        let text = self.text.get(span.clone()).unwrap_or_default();
        let mut excerpt: String =
            text.chars().take(EXCERPT).map(|c| if c.is_control() { ' ' } else { c }).collect();
        if text.chars().nth(EXCERPT).is_some() {
            excerpt.push_str("...");
        }
        excerpt
    }

    /// Passes the document's top table to `read`, after adding all syntax errors to `faults`. Lines that the
    /// parser rejects are blanked and the rest is parsed again, so that one run shows all errors.
    ///
    /// If there were any, the table is not complete: a missing key proves nothing then.
    pub(super) fn parse(&self, faults: &mut Vec<Fault>, read: impl FnOnce(&Value<'_>, &mut Vec<Fault>)) {
        let mut text = self.text.to_owned();
        for round in 0..=SYNTAX_FAULTS {
            let error = match DeTable::parse(&text) {
                Ok(table) => {
                    let table = DeValue::Table(table.into_inner());
                    return read(&Value::top(self, &table, round == 0), faults);
                }
                Err(error) => error,
            };
            let offset = error.span().map_or(self.text.len(), |span| span.start);
            faults.push(Fault::new(self.origin(offset), syntax_text(error.message())));
            let range = self.line_range(self.line(offset));
            let Some(line) = text.get(range.clone()).filter(|line| !line.trim().is_empty()) else { return };
            let blank = " ".repeat(line.len());
            text.replace_range(range, &blank);
        }
    }
}

/// One key of a table: its name, its default as written in the file (empty if there is none), and how to read it.
pub(super) struct Key<T: 'static> {
    /// The name.
    pub(super) name: &'static str,
    /// The default, in TOML.
    pub(super) default: &'static str,
    /// Stores the value. Errors in parts of the value go to the list, one about the whole is returned.
    pub(super) read: Reader<T>,
}

/// See [`Key::read`]. An alias, because the type is long and is used in each table of keys.
pub(super) type Reader<T> = fn(&mut T, &Value<'_>, &mut Vec<Fault>) -> Result<(), Complaint>;

/// A value and its key.
pub(super) struct Value<'a> {
    source: &'a Source<'a>,
    name: &'a str,
    span: Range<usize>,
    value: &'a DeValue<'a>,
    /// Whether the file has no syntax errors.
    pub(super) is_whole: bool,
}

/// Reads all keys of a table, the value of `section`, into `target`.
fn read_table<T>(
    section: &Value<'_>,
    table: &DeTable<'_>,
    keys: &[Key<T>],
    target: &mut T,
    faults: &mut Vec<Fault>,
) {
    for (name, value) in table {
        let Some(key) = keys.iter().find(|key| key.name == name.get_ref().as_ref()) else {
            faults.push(unknown(section, name, keys));
            continue;
        };
        let value = section.child(key.name, value);
        if let Err(complaint) = (key.read)(target, &value, faults) {
            faults.push(value.fault_with_default(&complaint, key.default));
        }
    }
}

impl<'a> Value<'a> {
    /// The top table, which has no name.
    fn top(source: &'a Source<'a>, value: &'a DeValue<'a>, is_whole: bool) -> Self {
        Self { source, name: "", span: 0..0, value, is_whole }
    }

    /// A value inside this one.
    fn child<'b>(&'b self, name: &'b str, value: &'b Spanned<DeValue<'a>>) -> Value<'b>
    where
        'a: 'b,
    {
        Value {
            source: self.source,
            name,
            span: value.span(),
            value: value.get_ref(),
            is_whole: self.is_whole,
        }
    }

    /// The position of the value.
    pub(super) fn origin(&self) -> Origin {
        self.source.origin(self.span.start)
    }

    /// An error in this value: `name = value complaint`.
    pub(super) fn fault(&self, complaint: &Complaint) -> Fault {
        Fault::new(self.origin(), format!("{} {complaint}", self.words()))
    }

    /// An error in a table that is not about one of its values.
    pub(super) fn fault_of_section(&self, text: &str) -> Fault {
        Fault::new(self.origin(), format!("{} {text}", self.section()))
    }

    /// An error in this value that also names the default.
    fn fault_with_default(&self, complaint: &Complaint, default: &str) -> Fault {
        let mut fault = self.fault(complaint);
        if !default.is_empty() {
            fault.text.push_str(&format!(", or remove the line to use {}", default.replace('"', "")));
        }
        fault
    }

    /// The setting as written in the file.
    fn words(&self) -> String {
        format!("{} = {}", self.name, self.source.excerpt(&self.span))
    }

    /// The header of a table, as written in the file; a table in braces has only its key.
    fn section(&self) -> String {
        match self.name {
            "lan" | "peer" | "hook" | "route" | "group" => format!("[[{}]]", self.name),
            name if is_in_braces(name) => name.to_owned(),
            name => format!("[{name}]"),
        }
    }

    /// `true` or `false`.
    pub(super) fn boolean(&self) -> Result<bool, Complaint> {
        self.value.as_bool().ok_or_else(|| self.wrong_type("true or false"))
    }

    /// A string.
    pub(super) fn text(&self, wanted: &'static str) -> Result<&str, Complaint> {
        self.value.as_str().ok_or_else(|| self.wrong_type(wanted))
    }

    /// A whole number within a range.
    pub(super) fn whole(&self, range: &RangeInclusive<u32>) -> Result<u32, Complaint> {
        let integer = self.value.as_integer().ok_or_else(|| self.wrong_type("a whole number"))?;
        let number = i128::from_str_radix(integer.as_str(), integer.radix());
        value::whole_in(number.map_err(|_| Complaint::Form { wanted: "a whole number" })?, range)
    }

    /// A number, whole or not, within a range.
    pub(super) fn number(&self, range: &RangeInclusive<f64>) -> Result<f64, Complaint> {
        let text = self.decimal_text().ok_or_else(|| self.wrong_type("a number"))?;
        let number: f64 = text.parse().map_err(|_| Complaint::Form { wanted: "a number" })?;
        match number {
            n if n.is_nan() => Err(Complaint::Form { wanted: "a number" }),
            n if n < *range.start() => Err(Complaint::Below { least: range.start().to_string() }),
            n if n > *range.end() => Err(Complaint::Above { most: range.end().to_string() }),
            n => Ok(n),
        }
    }

    /// A duration within a range: a string with a unit, or a number of seconds.
    pub(super) fn duration(&self, range: &RangeInclusive<Duration>) -> Result<Duration, Complaint> {
        let text = self.value.as_str().or_else(|| self.decimal_text());
        let text = text.ok_or_else(|| self.wrong_type("a duration such as \"200ms\""))?;
        value::duration_in(text, range)
    }

    /// An absolute path. The daemon works in `/`, so that a relative one would mean something else there.
    pub(super) fn path(&self) -> Result<&Path, Complaint> {
        let path = Path::new(self.text("a path in quotes")?);
        if path.is_absolute() {
            Ok(path)
        } else {
            Err(Complaint::Other("is not an absolute path; start it with '/'"))
        }
    }

    /// The elements of an array, at most `most`; they have the array's name.
    pub(super) fn items(&self, wanted: &'static str, most: usize) -> Result<Vec<Value<'_>>, Complaint> {
        let array = self.value.as_array().ok_or_else(|| self.wrong_type(wanted))?;
        if array.len() > most {
            return Err(Complaint::TooMany { most });
        }
        Ok(array.iter().map(|item| self.child(self.name, item)).collect())
    }

    /// Reads the keys of a table into `target`.
    pub(super) fn read<T>(
        &self,
        keys: &[Key<T>],
        target: &mut T,
        faults: &mut Vec<Fault>,
    ) -> Result<(), Complaint> {
        let table = self.value.as_table().ok_or_else(|| self.wrong_type(self.table_text()))?;
        read_table(self, table, keys, target, faults);
        Ok(())
    }

    /// What a table is called here.
    fn table_text(&self) -> &'static str {
        match self.name {
            "next-hops" | "members" => "a table in braces such as { interface = \"eth0\" }",
            _ => "a section in brackets",
        }
    }

    /// Whether it is a string.
    pub(super) fn is_text(&self) -> bool {
        self.value.is_str()
    }

    /// Whether it is a table.
    pub(super) fn is_table(&self) -> bool {
        self.value.is_table()
    }

    /// Whether a table has a key.
    pub(super) fn has(&self, key: &str) -> bool {
        self.value.as_table().is_some_and(|table| table.contains_key(key))
    }

    /// The digits of a number written in decimal.
    fn decimal_text(&self) -> Option<&str> {
        let integer = self.value.as_integer().filter(|integer| integer.radix() == 10);
        integer.map(|integer| integer.as_str()).or_else(|| self.value.as_float().map(|float| float.as_str()))
    }

    fn wrong_type(&self, wanted: &'static str) -> Complaint {
        Complaint::Type { found: article(self.value), wanted }
    }
}

/// An unknown key: is it a typing error, or does it belong somewhere else?
fn unknown<T>(section: &Value<'_>, name: &Spanned<std::borrow::Cow<'_, str>>, keys: &[Key<T>]) -> Fault {
    let source = section.source;
    let written = source.excerpt(&name.span());
    let place = if section.name.is_empty() { String::new() } else { format!(" in {}", section.section()) };
    let hint = match (near(name.get_ref(), keys.iter().map(|key| key.name)), home_of(name.get_ref())) {
        (Some(known), _) => format!("did you mean {known}?"),
        (None, Some("")) => "it belongs at the top, before the first section".to_owned(),
        (None, Some(home)) => format!("it belongs in [{home}]"),
        (None, None) => "remove it, or see faild.toml(5) for the keys".to_owned(),
    };
    Fault::new(source.origin(name.span().start), format!("unknown key {written}{place}; {hint}"))
}

/// The known word that differs from `word` by one or two typing errors.
pub(crate) fn near<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    known
        .map(|candidate| (strsim::osa_distance(word, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= 2 && *distance * 2 < candidate.len())
        .min()
        .map(|(_, candidate)| candidate)
}

/// The section that has a key of this name.
fn home_of(name: &str) -> Option<&'static str> {
    super::keys().find(|key| key.name == name).map(|key| key.section)
}

/// Whether a table is written in braces, as the value of its key.
fn is_in_braces(name: &str) -> bool {
    matches!(name, "next-hops" | "members" | "loss" | "latency")
}

/// The parser's message on one line.
fn syntax_text(message: &str) -> String {
    let line = message.split_whitespace().collect::<Vec<_>>().join(" ");
    format!("invalid TOML: {line}; see faild.toml(5)")
}

fn article(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a decimal number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "an array",
        DeValue::Table(_) => "a section",
    }
}

/// How much of a value is quoted in a message, in characters: enough to find it in its line.
const EXCERPT: usize = 40;

/// How many syntax errors are looked for: each costs another parse of the file, and with more it is probably the wrong
/// file.
const SYNTAX_FAULTS: usize = 20;
