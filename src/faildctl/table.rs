//! Columns as wide as their widest cell.

use std::fmt::Write;

/// A table with a head; each cell may have a colour.
#[derive(Debug, Default)]
pub(super) struct Table {
    rows: Vec<Vec<Cell>>,
}

/// A cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cell {
    text: String,
    colour: Option<Colour>,
}

/// What a colour means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Colour {
    Good,
    Doubtful,
    Bad,
    Faint,
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self { text: text.into(), colour: None }
    }
}

impl Cell {
    pub(super) fn coloured(text: impl Into<String>, colour: Colour) -> Self {
        Self { text: text.into(), colour: Some(colour) }
    }
}

impl Table {
    pub(super) fn new(head: &[&str]) -> Self {
        let cells = head.iter().map(|word| Cell::coloured(*word, Colour::Faint)).collect();
        Self { rows: vec![cells] }
    }

    /// A table that continues another one.
    pub(super) fn headless() -> Self {
        Self::default()
    }

    pub(super) fn row<const N: usize>(&mut self, cells: [Cell; N]) {
        self.rows.push(cells.into());
    }

    /// The whole table. The last column is not padded.
    pub(super) fn text(&self, is_coloured: bool) -> String {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width =
            |n: usize| self.rows.iter().filter_map(|row| row.get(n)).map(Cell::width).max().unwrap_or(0);
        let widths: Vec<usize> = (0..columns).map(width).collect();
        let mut text = String::new();
        for row in &self.rows {
            let mut line = String::new();
            for (cell, width) in row.iter().zip(&widths) {
                let room = width - cell.width();
                // Writing to a string cannot fail.
                let _ = write!(line, "{}{}  ", cell.text(is_coloured), " ".repeat(room));
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }
}

impl Cell {
    fn width(&self) -> usize {
        self.text.chars().count()
    }

    fn text(&self, is_coloured: bool) -> String {
        let code = match self.colour {
            Some(Colour::Good) => "32",
            Some(Colour::Doubtful) => "33",
            Some(Colour::Bad) => "31;1",
            Some(Colour::Faint) => "2",
            None => return self.text.clone(),
        };
        if is_coloured { format!("\x1b[{code}m{}\x1b[0m", self.text) } else { self.text.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_with_and_without_colour() {
        let mut table = Table::new(&["LAN", "STATE"]);
        table.row(["lanA".into(), Cell::coloured("up", Colour::Good)]);
        table.row(["b".into(), "silent".into()]);
        assert_eq!(table.text(false), "LAN   STATE\nlanA  up\nb     silent\n");
        let coloured = table.text(true);
        assert!(coloured.contains("\x1b[32mup\x1b[0m"), "{coloured:?}");
        assert_eq!(coloured.lines().nth(2).unwrap(), "b     silent");
    }
}
