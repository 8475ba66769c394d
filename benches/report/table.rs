//! The columns of the table, as they are printed and as they stand in the documentation.

use super::{Figure, Goal, Unit};

/// A figure of a row of the bench.
pub struct Line {
    /// Name by which the row can be run alone.
    pub row: &'static str,
    pub figure: Figure,
}

pub const COLUMNS: [&str; 9] = ["row", "work", "beside", "it took", "retaind took", "figure", "spread", "goal", ""];

impl Line {
    /// Texts of the columns.
    pub fn cells(&self) -> [String; 9] {
        let Figure { work, beside, unit, value, spread, goal, remark, .. } = &self.figure;
        let of = |value: f64| shown(value, *unit);
        let secs = |secs: Option<f64>| secs.map(seconds).unwrap_or_default();
        let goal_text = match goal {
            Goal::None => String::new(),
            Goal::AtMost(limit) => format!("≤ {}", of(*limit)),
            Goal::Near(limit) => format!("1 ± {limit}"),
        };
        let verdict = match (value, goal) {
            (None, _) => String::new(),
            (Some(_), Goal::None) => String::new(),
            _ if self.figure.is_met() => "met".to_owned(),
            _ => "**missed**".to_owned(),
        };
        let remarks: Vec<&str> = [verdict.as_str(), remark].into_iter().filter(|text| !text.is_empty()).collect();
        [
            format!("`{}`", self.row),
            work.clone(),
            beside.clone(),
            secs(self.figure.secs.map(|both| both.0)),
            secs(self.figure.secs.map(|both| both.1)),
            value.map(of).unwrap_or_default(),
            spread
                .map(|(least, greatest)| format!("{}–{}", number(least, *unit), number(greatest, *unit)))
                .unwrap_or_default(),
            goal_text,
            remarks.join("; "),
        ]
    }
}

/// Prints lines in columns.
pub fn print(lines: &[Line]) {
    let mut rows = vec![COLUMNS.map(str::to_owned)];
    rows.extend(lines.iter().map(Line::cells));
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..COLUMNS.len()).map(width).collect();
    for row in &rows {
        let cells: Vec<String> = row
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{}{}", cell, " ".repeat(width - cell.chars().count())))
            .collect();
        println!("{}", cells.join("  ").trim_end());
    }
}

fn shown(value: f64, unit: Unit) -> String {
    let text = number(value, unit);
    match unit {
        Unit::Ratio | Unit::Count => text,
        Unit::Millis => format!("{text} ms"),
        Unit::Mib => format!("{text} MiB"),
    }
}

fn number(value: f64, unit: Unit) -> String {
    match unit {
        Unit::Ratio if value < 0.1 => format!("{value:.3}"),
        Unit::Ratio => format!("{value:.2}"),
        Unit::Millis | Unit::Mib => format!("{value:.1}"),
        Unit::Count => format!("{value:.0}"),
    }
}

fn seconds(secs: f64) -> String {
    if secs < 0.1 { format!("{:.1} ms", secs * 1e3) } else { format!("{secs:.2} s") }
}
