//! Details of rows that are no columns, as a target has them and as they were answered.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;

use super::node::OwnedRow;
use crate::sources::sql::fragment::Fragment;

/// A detail that is no column.
#[derive(Debug, Clone)]
pub(crate) enum Computed {
    /// Seconds since the age.
    Age,
    /// Seconds for which the row is kept.
    Keep,
    Sql(Fragment),
}

/// Details of rows, by their key; of a target that needs no question, none of any row.
#[derive(Debug, Default)]
pub struct AskedDetails(pub(super) Option<HashMap<Vec<String>, BTreeMap<String, Value>>>);

impl AskedDetails {
    /// True if nothing was asked, or it was asked about this row.
    pub fn knows(&self, row: &OwnedRow) -> bool {
        self.0.as_ref().is_none_or(|known| known.contains_key(&row.key))
    }

    /// The details of a row.
    pub fn of(&self, row: &OwnedRow) -> BTreeMap<String, Value> {
        self.0.as_ref().and_then(|known| known.get(&row.key)).cloned().unwrap_or_default()
    }
}
