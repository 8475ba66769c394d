//! The range of instants that statements compare age columns with.

use jiff::Timestamp;

/// The instants from `from` up to, not including, `to`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Range {
    pub from: Timestamp,
    pub to: Timestamp,
}
