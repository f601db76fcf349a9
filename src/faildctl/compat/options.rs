//! The command line of ipmpstat(8): letters that may be combined, `-o` with a value.

use super::Fatal;
use super::columns::Choice;

/// The options.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Options {
    pub(super) mode: Mode,
    /// `-n`: addresses, not names.
    pub(super) is_numeric: bool,
    /// `-P`: for programs.
    pub(super) is_parsable: bool,
    /// `-o`.
    pub(super) fields: Choice,
}

/// What is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// `-a`
    Addresses,
    /// `-g`
    Groups,
    /// `-i`
    Interfaces,
    /// `-p`
    Probes,
    /// `-t`
    Targets,
}

impl Options {
    /// Parses the arguments of the command.
    ///
    /// # Errors
    ///
    /// One of them is invalid.
    pub(super) fn read(words: &[String]) -> Result<Self, Fatal> {
        let (mut modes, mut is_numeric, mut is_parsable, mut fields) = (Vec::new(), false, false, None);
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let Some(letters) = word.strip_prefix('-').filter(|letters| !letters.is_empty()) else {
                return Err(usage(&format!("unknown option {word:?}")));
            };
            for (place, letter) in letters.char_indices() {
                match letter {
                    'a' => modes.push(Mode::Addresses),
                    'g' => modes.push(Mode::Groups),
                    'i' => modes.push(Mode::Interfaces),
                    'p' => modes.push(Mode::Probes),
                    't' => modes.push(Mode::Targets),
                    'n' => is_numeric = true,
                    'P' => is_parsable = true,
                    'o' => {
                        let attached = letters.get(place + 1..).filter(|value| !value.is_empty());
                        let value = attached.or_else(|| words.next().map(String::as_str));
                        fields = Some(value.ok_or_else(|| usage("-o needs a value"))?.to_owned());
                        break;
                    }
                    other => return Err(usage(&format!("unknown option -{other}"))),
                }
            }
        }
        let fields = choice(fields.as_deref(), is_parsable)?;
        match modes.as_slice() {
            [mode] => Ok(Self { mode: *mode, is_numeric, is_parsable, fields }),
            [] => Err(usage("one of -a, -g, -i, -p and -t is required")),
            _ => Err(usage("only one of -a, -g, -i, -p and -t may be given")),
        }
    }
}

fn choice(fields: Option<&str>, is_parsable: bool) -> Result<Choice, Fatal> {
    match fields {
        None if is_parsable => Err(Fatal::new("-P requires -o with the names of fields")),
        None => Ok(Choice::Fitting),
        Some(all) if all.eq_ignore_ascii_case("all") && is_parsable => {
            Err(Fatal::new("-P requires the names of fields, not \"-o all\""))
        }
        Some(all) if all.eq_ignore_ascii_case("all") => Ok(Choice::All),
        Some(names) => Ok(Choice::Named(names.split(',').map(str::to_owned).collect())),
    }
}

fn usage(what: &str) -> Fatal {
    Fatal::new(format!("{what}; usage: ipmpstat [-n] [-o all|FIELD[,...] [-P]] -a|-g|-i|-p|-t"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Options, String> {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        Options::read(&words).map_err(|fatal| fatal.to_string())
    }

    #[test]
    fn letters_may_be_combined_and_the_value_attached() {
        let named = Choice::Named(vec!["group".to_owned(), "fdt".to_owned()]);
        let wanted = Options { mode: Mode::Groups, is_numeric: false, is_parsable: true, fields: named };
        for line in ["-gP -o group,fdt", "-g -P -ogroup,fdt", "-gPo group,fdt", "-o group,fdt -P -g"] {
            assert_eq!(read(line), Ok(wanted.clone()), "{line}");
        }
        let plain = read("-an").unwrap();
        assert_eq!((plain.mode, plain.is_numeric, plain.fields), (Mode::Addresses, true, Choice::Fitting));
        assert_eq!(read("-i -o ALL").unwrap().fields, Choice::All);
    }

    #[test]
    fn nonsense_is_refused() {
        for line in ["", "-n", "-g -i", "-gg", "-x", "-g eth0", "-g -o", "-gP", "-gP -o all", "-", "--json"] {
            assert!(read(line).is_err(), "{line}");
        }
    }
}
