//! Report of an orphan scan on rows whose files it could not tell for certain.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Paths of one reference that begin alike and lead out of the store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OutsidePaths {
    /// `nvr.detections.thumbnail_path`.
    pub reference: String,
    /// Part before the last segment; empty for a bare name.
    pub begins: String,
    /// Rows whose paths begin like this.
    pub rows: u64,
    /// One of them, as it is written.
    pub example: String,
}

/// A file that stays because a row without a file names it in another spelling.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AlikeFile {
    /// Beneath the store's root.
    pub path: String,
    /// The path of the row, beneath the store's root; none where it is not known any more.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub named: Option<MissingFile>,
}

/// A file that a row names and that is not there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MissingFile {
    /// `nvr.detections.thumbnail_path`.
    pub reference: String,
    /// Beneath the store's root.
    pub path: String,
}
