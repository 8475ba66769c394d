//! Time that a source was asked for, and errors that it answered with.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::sources::ErrorKind;

/// Statements that were sent to a source, connecting among them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Usage {
    pub statements: u64,
    /// Time until they were answered.
    pub spent: Duration,
    /// Errors by kind.
    pub errors: BTreeMap<ErrorKind, u64>,
}

impl Usage {
    /// One statement, or one attempt to connect, with the kind of its error.
    pub fn of(spent: Duration, error: Option<ErrorKind>) -> Self {
        Self { statements: 1, spent, errors: error.map(|kind| (kind, 1)).into_iter().collect() }
    }

    /// Adds others.
    pub fn add(&mut self, other: &Self) {
        self.statements += other.statements;
        self.spent += other.spent;
        other.errors.iter().for_each(|(kind, count)| *self.errors.entry(*kind).or_default() += count);
    }
}
