//! Numbers of runs that ended, by task and by how they ended. Changes nothing.

use diesel::dsl::{count_star, max};
use diesel::prelude::*;

use super::schema::runs;
use super::words::{read_instant, read_name, read_number, read_word};
use super::{Ledger, LedgerError};
use crate::outcome::Status;
use crate::policy::Name;

/// Runs of a task that ended alike, as far as the ledger still has them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndedRuns {
    /// None of runs of single policies.
    pub task: Option<Name>,
    pub status: Status,
    pub runs: u64,
    /// End of the last of them.
    pub last: jiff::Timestamp,
}

/// A row of the numbers, as its columns are.
type Row = (Option<String>, Option<String>, i64, Option<String>);

impl Ledger {
    /// Runs that ended, by task and by how they did.
    pub async fn ended_runs(&self) -> Result<Vec<EndedRuns>, LedgerError> {
        self.call("counting the runs that ended", move |connection, _| {
            let rows: Vec<Row> = runs::table
                .filter(runs::status.is_not_null().and(runs::finished_at.is_not_null()))
                .group_by((runs::task, runs::status))
                .select((runs::task, runs::status, count_star(), max(runs::finished_at)))
                .load(connection)?;
            let read = |(task, status, count, last): Row| {
                Ok(EndedRuns {
                    task: task.as_deref().map(read_name).transpose()?,
                    status: read_word(&status.unwrap_or_default())?,
                    runs: read_number(count),
                    last: read_instant(&last.unwrap_or_default())?,
                })
            };
            rows.into_iter().map(read).collect()
        })
        .await
    }
}
