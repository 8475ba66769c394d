//! Sums of runs by the day on which they began. Changes nothing.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable, Text};
use jiff::Timestamp;

use super::words::{instant, number, read_number, read_word};
use super::{Fault, Ledger, LedgerError};
use crate::outcome::{DaySums, RUNS_BY_DAY};

/// Statement of the sums, which finds runs by the index of their begins.
pub(super) const SUMS: &str = "
    SELECT substr(started_at, 1, 10) AS day, status, count(*) AS runs,
        coalesce(sum(json_extract(totals, '$.rows_deleted') + json_extract(totals, '$.rows_updated')), 0) AS rows,
        coalesce(sum(json_extract(totals, '$.files_deleted')), 0) AS files_deleted,
        coalesce(sum(json_extract(totals, '$.bytes_reclaimed')), 0) AS bytes_reclaimed,
        coalesce(sum(json_extract(totals, '$.errors')), 0) AS errors
    FROM (SELECT started_at, status, totals FROM runs WHERE started_at >= ? ORDER BY started_at DESC LIMIT ?)
    GROUP BY day, status ORDER BY day";

/// Sums of a day, as columns.
#[derive(QueryableByName)]
struct Sums {
    #[diesel(sql_type = Text)]
    day: String,
    #[diesel(sql_type = Nullable<Text>)]
    status: Option<String>,
    #[diesel(sql_type = BigInt)]
    runs: i64,
    #[diesel(sql_type = BigInt)]
    rows: i64,
    #[diesel(sql_type = BigInt)]
    files_deleted: i64,
    #[diesel(sql_type = BigInt)]
    bytes_reclaimed: i64,
    #[diesel(sql_type = BigInt)]
    errors: i64,
}

impl Ledger {
    /// Sums of the runs that began at an instant or later, by day and end, the oldest first.
    pub async fn days(&self, since: Timestamp) -> Result<Vec<DaySums>, LedgerError> {
        self.look("summing up runs by day", move |connection| {
            let sums = diesel::sql_query(SUMS).bind::<Text, _>(instant(since)).bind::<BigInt, _>(number(RUNS_BY_DAY));
            sums.load::<Sums>(connection)?.into_iter().map(Sums::read).collect()
        })
        .await
    }
}

impl Sums {
    fn read(self) -> Result<DaySums, Fault> {
        Ok(DaySums {
            day: self.day.parse()?,
            status: self.status.as_deref().map(read_word).transpose()?,
            runs: read_number(self.runs),
            rows: read_number(self.rows),
            files_deleted: read_number(self.files_deleted),
            bytes_reclaimed: read_number(self.bytes_reclaimed),
            errors: read_number(self.errors),
        })
    }
}
