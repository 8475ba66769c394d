//! Values of age columns: what they say, and the range that statements compare them with.

use jiff::Timestamp;

/// Reading of a value of an age column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AgeValue {
    At(Timestamp),
    /// It is beyond the floor or the ceiling of all dates, or infinite, or a zero date: such a row has no time.
    NoTime,
    Unreadable,
}

/// The instants from `from` up to, not including, `to`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Range {
    pub from: Timestamp,
    pub to: Timestamp,
}
