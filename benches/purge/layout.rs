//! How the ages of a table lie in the order of its key.

/// Order of the ages of rows whose keys ascend.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Layout {
    Ascending,
    Descending,
    /// As if by chance, and the same each time.
    Scattered,
}

impl Layout {
    /// Each of them.
    pub const ALL: [Layout; 3] = [Layout::Ascending, Layout::Descending, Layout::Scattered];

    /// Name in a table of figures.
    pub fn name(self) -> &'static str {
        match self {
            Layout::Ascending => "ascending",
            Layout::Descending => "descending",
            Layout::Scattered => "random",
        }
    }

    /// SQL: place, from 1, of row `n` of so many in the order of their ages.
    pub fn place(self, rows: u64) -> String {
        match self {
            Layout::Ascending => "n".to_owned(),
            Layout::Descending => format!("({rows} + 1 - n)"),
            Layout::Scattered => format!("((n * {}) % {rows} + 1)", stride(rows)),
        }
    }
}

/// Near the golden section of so many rows, which spreads multiples evenly, and without a common factor, so that each
/// place is taken once.
fn stride(rows: u64) -> u64 {
    let mut stride = (rows as f64 * 0.618_033_988_7) as u64;
    while divisor(stride, rows) > 1 {
        stride += 1;
    }
    stride.max(1)
}

fn divisor(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { divisor(b, a % b) }
}
