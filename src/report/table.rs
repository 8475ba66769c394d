//! Aligned columns on a terminal, one `key: title value, …` line for each row elsewhere. Knows nothing of what it shows.

use anstream::adapter::strip_str;
use anstyle::Style;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::style::{FAINT, PLAIN, paint};

/// Layout of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// For a terminal that many columns wide.
    Tables { width: usize },
    /// For a pipe or a file: nothing is aligned, wrapped or drawn.
    Lines,
}

/// Alignment of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    Left,
    Right,
}

/// A cell: one line of text that is safe to show, and its style.
#[derive(Debug, Clone)]
pub struct Cell {
    text: String,
    style: Style,
}

/// Rows under titles.
#[derive(Debug)]
pub struct Table {
    columns: Vec<(&'static str, Align)>,
    rows: Vec<Vec<Cell>>,
}

const GAP: usize = 2;
/// A last column narrower than this is not worth wrapping into.
const NARROWEST: usize = 16;
/// A last column that takes more lines than this makes a pillar beside which nothing stands.
const MOST_LINES: usize = 3;

impl Cell {
    pub fn new(text: impl Into<String>) -> Self {
        Self::styled(text, PLAIN)
    }

    pub fn styled(text: impl Into<String>, style: Style) -> Self {
        Self { text: text.into(), style }
    }
}

impl Table {
    /// A table without rows. The first column names the row; the last one wraps where the terminal is narrow.
    pub fn new(columns: &[(&'static str, Align)]) -> Self {
        Self { columns: columns.to_vec(), rows: Vec::new() }
    }

    /// Adds a row, which has as many cells as the table has columns.
    pub fn push(&mut self, row: Vec<Cell>) {
        debug_assert_eq!(row.len(), self.columns.len());
        self.rows.push(row);
    }

    /// The table as text, each line with its end.
    pub fn render(&self, layout: Layout) -> String {
        match layout {
            Layout::Lines => self.lines(),
            Layout::Tables { width } => {
                let widths = self.widths();
                let before_last: usize = widths.iter().rev().skip(1).map(|width| width + GAP).sum();
                let last = widths.last().copied().unwrap_or(0);
                match width.checked_sub(before_last) {
                    Some(room) if room >= last => self.aligned(&widths, last),
                    Some(room) if self.last_fits(room, last) => self.aligned(&widths, room),
                    _ => self.stacked(width),
                }
            }
        }
    }

    /// True if the last column, which is that wide, takes few lines of so much room, and no word of it is broken.
    fn last_fits(&self, room: usize, last: usize) -> bool {
        let texts = self.rows.iter().filter_map(|row| row.last()).map(|cell| cell.text.as_str());
        let longest = texts.flat_map(words).map(|word| word.trim_end().width()).max().unwrap_or(0);
        room >= NARROWEST.max(longest) && last.div_ceil(room) <= MOST_LINES
    }

    fn widths(&self) -> Vec<usize> {
        let widest = |index: usize| self.rows.iter().map(move |row| row[index].text.width()).max().unwrap_or(0);
        self.columns.iter().enumerate().map(|(index, (title, _))| title.width().max(widest(index))).collect()
    }

    fn aligned(&self, widths: &[usize], last_width: usize) -> String {
        let titles: Vec<Cell> = self.columns.iter().map(|(title, _)| Cell::styled(*title, FAINT)).collect();
        let mut text = String::new();
        for row in std::iter::once(&titles).chain(&self.rows) {
            let Some((last, before)) = row.split_last() else { continue };
            let mut line = String::new();
            let mut indent = 0;
            for (index, cell) in before.iter().enumerate() {
                line.push_str(&self.pad(index, cell, widths[index]));
                line.push_str(&" ".repeat(GAP));
                indent += widths[index] + GAP;
            }
            for (number, piece) in wrap(&last.text, last_width.max(1)).into_iter().enumerate() {
                if number > 0 {
                    line = " ".repeat(indent);
                }
                line.push_str(&self.pad(before.len(), &Cell::styled(piece, last.style), last_width));
                text.push_str(line.trim_end());
                text.push('\n');
            }
        }
        text
    }

    fn pad(&self, index: usize, cell: &Cell, width: usize) -> String {
        let space = " ".repeat(width.saturating_sub(cell.text.width()));
        let painted = paint(cell.style, &cell.text);
        match self.columns[index].1 {
            Align::Left => painted + &space,
            Align::Right => space + &painted,
        }
    }

    /// For a terminal too narrow for the table: a row is a block, a cell a line.
    fn stacked(&self, width: usize) -> String {
        let widest = self.columns.iter().skip(1).map(|(title, _)| title.width()).max().unwrap_or(0);
        let indent = GAP + widest + GAP;
        let room = width.saturating_sub(indent).max(1);
        let mut text = String::new();
        for row in &self.rows {
            for (index, (cell, (title, _))) in row.iter().zip(&self.columns).enumerate() {
                if index > 0 && cell.text.is_empty() {
                    continue;
                }
                if index > 0 {
                    let space = " ".repeat(widest - title.width());
                    text.push_str(&format!("  {}{space}  ", paint(FAINT, title)));
                }
                let pieces = if index > 0 { wrap(&cell.text, room) } else { vec![cell.text.clone()] };
                for (number, piece) in pieces.iter().enumerate() {
                    text.push_str(&" ".repeat(if number > 0 { indent } else { 0 }));
                    text.push_str(&paint(cell.style, piece));
                    text.push('\n');
                }
            }
        }
        text
    }

    fn lines(&self) -> String {
        let mut text = String::new();
        for row in &self.rows {
            for (index, (cell, (title, _))) in row.iter().zip(&self.columns).enumerate() {
                match index {
                    0 => text.push_str(&paint(cell.style, &cell.text)),
                    _ if cell.text.is_empty() => {}
                    1 => text.push_str(&format!(": {} {}", title.to_lowercase(), paint(cell.style, &cell.text))),
                    _ => text.push_str(&format!(", {} {}", title.to_lowercase(), paint(cell.style, &cell.text))),
                }
            }
            text.push('\n');
        }
        text
    }
}

/// A page whose sentences are no wider than the terminal: what a line has too much follows on the next, further in.
pub(super) fn fit(page: &str, layout: Layout) -> String {
    let Layout::Tables { width } = layout else { return page.to_owned() };
    let mut fitted = String::new();
    for line in page.lines() {
        let indent = line.len() - line.trim_start_matches(' ').len();
        if visible_width(line) <= width || width <= indent + NARROWEST {
            fitted.push_str(line);
            fitted.push('\n');
            continue;
        }
        for (number, piece) in pieces(line.trim_start(), width - indent - GAP, false).iter().enumerate() {
            fitted.push_str(&" ".repeat(if number > 0 { indent + GAP } else { indent }));
            fitted.push_str(piece);
            fitted.push('\n');
        }
    }
    fitted
}

/// Breaks a text into pieces of at most that many columns, at spaces where there are any.
pub(super) fn wrap(text: &str, width: usize) -> Vec<String> {
    pieces(text, width, true)
}

/// Pieces of a text; a word that is longer than a line is broken, or whole on a line of its own.
fn pieces(text: &str, width: usize, breaks: bool) -> Vec<String> {
    let mut pieces = vec![String::new()];
    let mut used = 0;
    for word in words(text) {
        let bare = visible_width(word.trim_end_matches(' '));
        if used > 0 && used + bare > width {
            pieces.push(String::new());
            used = 0;
        }
        let mut is_escape = false;
        for c in word.chars() {
            // A colour takes no room.
            is_escape |= c == '\u{1b}';
            let wide = if is_escape { 0 } else { c.width().unwrap_or(0) };
            is_escape &= c != 'm';
            if breaks && used + wide > width && c != ' ' {
                pieces.push(String::new());
                used = 0;
            }
            if let Some(piece) = pieces.last_mut() {
                piece.push(c);
            }
            used += wide;
        }
    }
    pieces.into_iter().map(|piece| piece.trim_end().to_owned()).collect()
}

/// Columns that a text takes on a terminal: a colour takes none.
fn visible_width(text: &str) -> usize {
    strip_str(text).to_string().width()
}

/// The words of a text with the spaces after them. A number stays with its unit, and a command between backticks whole.
fn words(text: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let (mut start, mut end, mut in_command) = (0, 0, false);
    for word in text.split_inclusive(' ') {
        end += word.len();
        in_command ^= word.matches('`').count() % 2 == 1;
        let bare = word.trim_end().trim_start_matches('(');
        let is_number = !bare.is_empty()
            && bare.chars().all(|c| c.is_ascii_digit() || c == ',' || c == '.')
            && !bare.ends_with(',');
        if !in_command && !is_number || end == text.len() {
            words.push(&text[start..end]);
            start = end;
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new(&[("POLICY", Align::Left), ("ROWS", Align::Right), ("NOTE", Align::Left)]);
        table.push(vec![Cell::new("detections"), Cell::new("1,204"), Cell::new("all of them went")]);
        table.push(vec![Cell::new("写真"), Cell::new("7"), Cell::new("")]);
        table
    }

    fn shown(width: usize) -> String {
        strip_str(&table().render(Layout::Tables { width })).to_string()
    }

    #[test]
    fn columns_are_aligned_by_display_width() {
        let expected = "POLICY       ROWS  NOTE\n\
                        detections  1,204  all of them went\n\
                        写真            7\n";
        assert_eq!(shown(80), expected);
    }

    #[test]
    fn last_columns_wrap_and_narrow_terminals_get_blocks() {
        let mut table = table();
        table.push(vec![Cell::new("x"), Cell::new("1"), Cell::new("a long remark that has to be broken")]);
        let text = strip_str(&table.render(Layout::Tables { width: 36 })).to_string();
        assert!(
            text.ends_with(
                "x               1  a long remark\n                   that has to be\n                   broken\n"
            ),
            "{text}"
        );
        assert!(text.lines().all(|line| line.width() <= 36), "{text}");
        let blocks = "detections\n  ROWS  1,204\n  NOTE  all of them\n        went\n写真\n  ROWS  7\n";
        assert_eq!(shown(20), blocks);
    }

    #[test]
    fn without_a_terminal_a_row_is_a_line() {
        let text = strip_str(&table().render(Layout::Lines)).to_string();
        assert_eq!(text, "detections: rows 1,204, note all of them went\n写真: rows 7\n");
    }

    #[test]
    fn a_word_longer_than_the_line_is_broken() {
        assert_eq!(wrap("abcdefgh ij", 3), ["abc", "def", "gh", "ij"]);
        assert_eq!(wrap("", 3), [""]);
        assert_eq!(wrap("写真写", 4), ["写真", "写"]);
    }

    #[test]
    fn numbers_and_commands_stay_whole() {
        assert_eq!(wrap("took 12 min 41 s, 1,204 rows", 14), ["took 12 min", "41 s,", "1,204 rows"]);
        assert_eq!(wrap("go on by `retaind approve x` now", 20), ["go on by", "`retaind approve x`", "now"]);
        let painted = format!("{} it is down and nobody looks", paint(FAINT, "attention:"));
        let fitted = fit(&painted, Layout::Tables { width: 24 });
        assert_eq!(strip_str(&fitted).to_string(), "attention: it is down\n  and nobody looks\n");
        assert_eq!(fit("a  b\n", Layout::Lines), "a  b\n");
    }
}
