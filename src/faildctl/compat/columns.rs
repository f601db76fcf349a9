//! Columns of fixed width as ipmpstat(8) prints them, for people; or fields with colons between them, for programs.
//!
//! A value that fills its column is followed by one space; if it is wider, the next columns give up what space they
//! can. The last column is not padded.

use std::fmt::Write;

/// A column that can be selected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Column {
    pub(super) name: &'static str,
    pub(super) width: usize,
}

/// The selected columns, and how far the screen is filled.
#[derive(Debug)]
pub(super) struct Layout {
    all: &'static [Column],
    /// Indices in `all`, in the order in which they were selected.
    chosen: Vec<usize>,
    is_parsable: bool,
    /// Lines of a screen; after that the head is repeated.
    screen: usize,
    lines: usize,
}

/// Which columns are wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Choice {
    /// As many as 80 characters hold.
    Fitting,
    /// Every one.
    All,
    /// These, by their names in any case.
    Named(Vec<String>),
}

impl Layout {
    /// A layout, and the names that are not columns. For programs, every name must be one.
    ///
    /// # Errors
    ///
    /// No column is left, or one is unknown in a layout for programs.
    pub(super) fn new(
        all: &'static [Column],
        choice: &Choice,
        is_parsable: bool,
        screen: usize,
    ) -> Result<(Self, Vec<String>), String> {
        let (chosen, unknown) = match choice {
            Choice::Fitting => (fitting(all), Vec::new()),
            Choice::All => ((0..all.len()).collect(), Vec::new()),
            Choice::Named(names) => named(all, names),
        };
        match unknown.first() {
            Some(name) if is_parsable => return Err(format!("unknown field {name:?}")),
            _ if chosen.is_empty() => return Err("no valid field given".to_owned()),
            Some(_) | None => {}
        }
        Ok((Self { all, chosen, is_parsable, screen: screen.max(2), lines: 0 }, unknown))
    }

    /// A row as it is printed, after the head if a screen begins. An empty string means no value.
    pub(super) fn row(&mut self, values: &[String]) -> String {
        debug_assert_eq!(values.len(), self.all.len());
        let picked = || self.chosen.iter().map(|place| values.get(*place).map_or("", String::as_str));
        if self.is_parsable {
            let is_alone = self.chosen.len() == 1;
            let fields = picked().map(|value| if is_alone { value.to_owned() } else { escaped(value) });
            return fields.collect::<Vec<_>>().join(":") + "\n";
        }
        let mut text = String::new();
        if self.lines.is_multiple_of(self.screen) {
            text = self.line(self.chosen.iter().filter_map(|place| Some(self.all.get(*place)?.name)));
        }
        text.push_str(&self.line(picked().map(|value| if value.is_empty() { EMPTY } else { value })));
        self.lines += text.lines().count();
        text
    }

    fn line<'a>(&self, values: impl Iterator<Item = &'a str>) -> String {
        let widths = self.chosen.iter().filter_map(|place| Some(self.all.get(*place)?.width));
        let last = self.chosen.len().saturating_sub(1);
        let (mut text, mut surplus) = (String::new(), 0);
        for (number, (value, width)) in values.zip(widths).enumerate() {
            let length = value.chars().count();
            if number == last {
                text.push_str(value);
            } else if length + surplus < width {
                let room = width - std::mem::take(&mut surplus);
                // Writing to a string cannot fail.
                let _ = write!(text, "{value:<room$}");
            } else {
                surplus = surplus + length + 1 - width;
                text.push_str(value);
                text.push(' ');
            }
        }
        text + "\n"
    }
}

fn fitting(all: &[Column]) -> Vec<usize> {
    let mut taken = 0;
    let fits = |column: &Column| {
        taken += column.width;
        taken <= SCREEN
    };
    (0..all.iter().map(fits).take_while(|fits| *fits).count()).collect()
}

fn named(all: &[Column], names: &[String]) -> (Vec<usize>, Vec<String>) {
    let place = |name: &str| all.iter().position(|column| column.name.eq_ignore_ascii_case(name));
    let chosen = names.iter().filter_map(|name| place(name)).collect();
    (chosen, names.iter().filter(|name| place(name).is_none()).cloned().collect())
}

/// A field of several: the characters that would end it are escaped.
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace(':', "\\:")
}

/// Nothing to show.
const EMPTY: &str = "--";

/// Characters of a line.
const SCREEN: usize = 80;

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: &[Column] = &[
        Column { name: "ONE", width: 6 },
        Column { name: "TWO", width: 6 },
        Column { name: "THREE", width: 8 },
        Column { name: "FOUR", width: 70 },
    ];

    fn layout(choice: &Choice, is_parsable: bool) -> Layout {
        Layout::new(COLUMNS, choice, is_parsable, 24).unwrap().0
    }

    fn values(values: [&str; 4]) -> Vec<String> {
        values.map(str::to_owned).to_vec()
    }

    #[test]
    fn a_long_value_takes_space_from_the_next_columns() {
        let mut layout = layout(&Choice::Named(vec!["one".into(), "TWO".into(), "Three".into()]), false);
        let rows = [["a", "b", "c"], ["12345", "b", "c"], ["123456", "b", "c"], ["123456789", "b", "c"]];
        let text: String = rows.map(|[a, b, c]| layout.row(&values([a, b, c, ""]))).concat();
        let expected = "\
ONE   TWO   THREE
a     b     c
12345 b     c
123456 b    c
123456789 b c
";
        assert_eq!(text, expected);
        assert_eq!(layout.row(&values(["123456789", "12345", "c", ""])), "123456789 12345 c\n");
        assert_eq!(layout.row(&values(["", "", "", ""])), "--    --    --\n");
    }

    #[test]
    fn columns_beyond_the_screen_are_shown_only_if_selected() {
        assert_eq!(layout(&Choice::Fitting, false).chosen, [0, 1, 2]);
        assert_eq!(layout(&Choice::All, false).chosen, [0, 1, 2, 3]);
        assert_eq!(layout(&Choice::Named(vec!["four".into(), "one".into()]), false).chosen, [3, 0]);
    }

    #[test]
    fn programs_get_the_colons_of_an_address_escaped() {
        let row = values(["fe80::1", "a\\b", "", "x"]);
        let mut both = layout(&Choice::Named(vec!["one".into(), "two".into(), "three".into()]), true);
        assert_eq!(both.row(&row), "fe80\\:\\:1:a\\\\b:\n");
        let mut alone = layout(&Choice::Named(vec!["one".into()]), true);
        assert_eq!(alone.row(&row), "fe80::1\n");
        let mut empty = layout(&Choice::Named(vec!["three".into()]), true);
        assert_eq!(empty.row(&row), "\n");
    }

    #[test]
    fn an_unknown_name_is_ignored_for_people_and_refused_for_programs() {
        let names = Choice::Named(vec!["one".into(), "six".into()]);
        let (layout, unknown) = Layout::new(COLUMNS, &names, false, 24).unwrap();
        assert_eq!((layout.chosen, unknown), (vec![0], vec!["six".to_owned()]));
        assert!(Layout::new(COLUMNS, &names, true, 24).is_err());
        assert!(Layout::new(COLUMNS, &Choice::Named(vec!["six".into()]), false, 24).is_err());
    }

    #[test]
    fn the_head_is_repeated_on_each_screen() {
        let (mut layout, _) = Layout::new(COLUMNS, &Choice::Named(vec!["one".into()]), false, 4).unwrap();
        let text: String = (0..7).map(|n| layout.row(&values([&n.to_string(), "", "", ""]))).collect();
        assert_eq!(text, "ONE\n0\n1\n2\nONE\n3\n4\n5\nONE\n6\n");
    }
}
