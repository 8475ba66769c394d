//! The lists that catalogs answer with: their cells, and what an error calls the question.

use crate::policy::TableName;
use crate::sources::TextRow;

/// The first `N` columns of a row; NULL as "".
pub(super) fn cells<const N: usize>(mut row: TextRow) -> [String; N] {
    std::array::from_fn(|column| row.0.get_mut(column).and_then(Option::take).unwrap_or_default())
}

/// Name of the lookup, for an error.
pub(super) fn looking_up(table: &TableName) -> String {
    format!("looking up table {table}")
}
