//! The table in `docs/performance.md`, between two markers. Lines of rows that were not run stay as they are.

use std::path::Path;

use anyhow::Context;

use super::table::{COLUMNS, Line};

/// Puts lines into the table that begins at `<!-- NAME -->`, each row of the bench in its place in `order`, with a sentence
/// about the machine before it.
pub fn write(path: &Path, name: &str, machine: &str, order: &[&str], lines: &[Line]) -> anyhow::Result<()> {
    let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
    let (begin, end) = (format!("<!-- {name} -->\n"), format!("<!-- end of {name} -->\n"));
    let (before, rest) = text.split_once(&begin).with_context(|| format!("{} has no {begin}", path.display()))?;
    let (old, after) = rest.split_once(&end).with_context(|| format!("{} has no {end}", path.display()))?;
    let mut table = format!("{machine}\n\n{}\n|{}\n", markdown(&COLUMNS), "---|".repeat(COLUMNS.len()));
    for row in order {
        let mut new: Vec<String> =
            lines.iter().filter(|line| line.row == *row).map(|line| markdown(&line.cells())).collect();
        if new.is_empty() {
            new = old.lines().filter(|line| line.starts_with(&format!("| `{row}` |"))).map(str::to_owned).collect();
        }
        table.extend(new.into_iter().map(|line| line + "\n"));
    }
    std::fs::write(path, format!("{before}{begin}{table}{end}{after}")).with_context(|| path.display().to_string())
}

fn markdown(cells: &[impl AsRef<str>]) -> String {
    let cells: Vec<String> = cells.iter().map(|cell| cell.as_ref().replace('|', "\\|")).collect();
    format!("| {} |", cells.join(" | "))
}
