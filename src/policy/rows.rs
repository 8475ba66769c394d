//! Policies of kind `rows`.

use std::num::{NonZeroU32, NonZeroU64};
use std::time::Duration;

use super::{Condition, Ident, Name, TableName};

/// Rows that may go, and the files that go with them.
///
/// Valid by construction: at least one of `age` (then with `keep`) and `condition` is there, and a
/// condition that uses `:cutoff` has a `keep`.
#[derive(Debug, Clone)]
pub struct RowsPolicy {
    pub source: Name,
    pub table: TableName,
    /// Column that holds the row's age.
    pub age: Option<Ident>,
    /// How long a row is kept; never zero.
    pub keep: Option<Duration>,
    /// The operator's `where`.
    pub condition: Option<Condition>,
    /// Only those that are switched on.
    pub files: Vec<FileColumn>,
    /// Rows per transaction.
    pub batch: NonZeroU32,
    pub max_rows: Option<NonZeroU64>,
    pub max_fraction: Option<Fraction>,
}

/// A column that names a file of a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileColumn {
    pub store: Name,
    pub column: Ident,
}

/// A share, above 0 and at most 1.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Fraction(f64);

impl Fraction {
    /// Accepts 0 < share <= 1.
    pub fn new(share: f64) -> Option<Self> {
        (share > 0.0 && share <= 1.0).then_some(Self(share))
    }

    /// The share as a number.
    pub fn get(self) -> f64 {
        self.0
    }
}
