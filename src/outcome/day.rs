//! A day of the past: sums of the runs that began in it.

use jiff::civil::Date;

use super::Status;

/// Runs that are summed up by day at most, the newest. Where there are more, of the earliest day that has any not all are counted.
pub const RUNS_BY_DAY: u64 = 50_000;

/// Sums of the runs that began on a day, in UTC, and had the same end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DaySums {
    pub day: Date,
    /// End of these runs; none while they go on.
    pub status: Option<Status>,
    pub runs: u64,
    /// Rows that were deleted or updated.
    pub rows: u64,
    pub files_deleted: u64,
    pub bytes_reclaimed: u64,
    pub errors: u64,
}
