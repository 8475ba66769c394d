//! Memory of a policy beyond its single runs: sums of all of them, and what it last saw of its store.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::policy::Name;

/// Sums of a policy over all runs since `since`, forgotten ones included.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PolicyTotal {
    /// Name of the policy.
    pub policy: Name,
    /// Runs in which the policy came to an end, whatever that was.
    pub runs: u64,
    /// Rows that were deleted.
    pub rows_deleted: u64,
    /// Rows that were updated.
    pub rows_updated: u64,
    /// Files that were removed, for good or into a trash.
    pub files_deleted: u64,
    /// Bytes that came free, without what the trash of a store freed later.
    pub bytes_reclaimed: u64,
    /// The start of the first of these runs.
    pub since: Timestamp,
}

/// Contents of a store, as a walk through it saw them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Survey {
    /// When the walk began.
    pub at: Timestamp,
    /// Everything in it that is no directory.
    pub files: u64,
    /// Directories that rows name as a whole, and whose contents were not looked at.
    pub directories: u64,
    /// Bytes that its files occupy; none where there are such directories.
    pub bytes: Option<u64>,
    /// True if the bytes are those of a sample of the files, projected to all.
    pub bytes_estimated: bool,
    /// Bytes of its file system that could still be filled after the walk; null where that could not be told.
    #[serde(default)]
    pub available_bytes: Option<u64>,
    /// Time of the oldest file that was old enough to go; null where none was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oldest_eligible_at: Option<Timestamp>,
}

/// Orphans of a store, as a scan found them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FoundOrphans {
    pub at: Timestamp,
    pub files: u64,
    pub bytes: u64,
    /// Of these files, the ones that the same run removed.
    pub files_deleted: u64,
}

/// Memory of what a policy of files or of orphans last saw of its store.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct StoreLook {
    /// Without what the run took then.
    pub survey: Option<Survey>,
    /// None of a policy of files.
    pub orphans: Option<FoundOrphans>,
}

/// Contents of the trash of a store, by what runs recorded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trashed {
    pub files: u64,
    pub bytes: u64,
}
