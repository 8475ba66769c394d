//! The instants of a run that its statements compare with.

use jiff::Timestamp;

/// The instants of a run that its statements compare with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Instants {
    pub now: Timestamp,
    /// The latest instant before which any row is eligible.
    pub cutoff: Option<Timestamp>,
    /// A statement bounds its rows by an age that is not before the floor of all dates, and need not ask again. On
    /// PostgreSQL asking would cost much: to guess how many rows are at least so old it looks at the least ones of the
    /// index, which are those just deleted.
    pub(crate) above_floor: bool,
}

impl Instants {
    pub fn new(now: Timestamp, cutoff: Option<Timestamp>) -> Self {
        Self { now, cutoff, above_floor: false }
    }
}
