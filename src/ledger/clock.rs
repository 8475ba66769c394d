//! The memory of the machine's clock: when it was last trusted, and by whom it was confirmed.

use std::time::Duration;

use diesel::prelude::*;

use super::schema::{clock, holds};
use super::words::{instant, number, read_instant, read_number};
use super::{AuditAction, AuditNote, Fault, Ledger, LedgerError, audit};
use crate::clock::Reading;
use crate::outcome::Operator;

/// The only row.
const ROW: i32 = 1;

/// The machine's clock when it was last trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenClock {
    pub reading: Reading,
    /// The last confirmation by an operator.
    pub confirmed: Option<ConfirmedClock>,
}

/// That an operator said that the clock is right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfirmedClock {
    pub by: Operator,
    pub at: jiff::Timestamp,
    /// The boot in which that was.
    pub boot_id: Option<String>,
}

/// The columns of the row.
type Columns = (String, Option<String>, i64, Option<String>, Option<String>, Option<String>);

impl Ledger {
    /// The clock when it was last trusted; none in a new ledger.
    pub async fn seen_clock(&self) -> Result<Option<SeenClock>, LedgerError> {
        self.call("looking up the clock", |connection, _| {
            let columns = (
                clock::seen_at,
                clock::boot_id,
                clock::up_ms,
                clock::confirmed_by,
                clock::confirmed_at,
                clock::confirmed_boot_id,
            );
            let found: Option<Columns> = clock::table.find(ROW).select(columns).get_result(connection).optional()?;
            found.map(read).transpose()
        })
        .await
    }

    /// Notes a clock that can be trusted as far as anybody knows. One that is behind the last one is not noted: it says
    /// nothing about the time that was seen.
    pub async fn advance_clock(&self, reading: &Reading) -> Result<(), LedgerError> {
        let reading = reading.clone();
        self.call("noting the clock", move |connection, _| {
            connection.immediate_transaction(|connection| {
                let seen: Option<String> =
                    clock::table.find(ROW).select(clock::seen_at).get_result(connection).optional()?;
                if seen.is_none_or(|seen| seen < instant(reading.at)) {
                    note(connection, &reading)?;
                }
                Ok::<_, Fault>(())
            })
        })
        .await
    }

    /// Notes a clock that something else than its own course vouches for, also where it is behind the last one: that one
    /// was wrong.
    pub async fn correct_clock(&self, reading: &Reading) -> Result<(), LedgerError> {
        let reading = reading.clone();
        self.call("noting the clock", move |connection, _| note(connection, &reading)).await
    }

    /// Takes an operator's word that the clock is right. It holds until the clock leaps again.
    pub async fn confirm_clock(&self, reading: &Reading, by: &Operator) -> Result<(), LedgerError> {
        let (reading, by) = (reading.clone(), by.clone());
        self.call("confirming the clock", move |connection, _| {
            let words = serde_json::to_string(&by)?;
            connection.immediate_transaction(|connection| {
                note(connection, &reading)?;
                let confirmed = (
                    clock::confirmed_by.eq(&words),
                    clock::confirmed_at.eq(instant(reading.at)),
                    clock::confirmed_boot_id.eq(&reading.boot_id),
                );
                diesel::update(clock::table.find(ROW)).set(confirmed).execute(connection)?;
                let (by, action, subject) = (Some(by.clone()), AuditAction::ConfirmClock, "clock".to_owned());
                let detail = serde_json::json!({ "boot_id": reading.boot_id });
                audit::append(connection, &AuditNote { at: reading.at, by, action, subject, detail })
            })
        })
        .await
    }
}

fn note(connection: &mut SqliteConnection, reading: &Reading) -> Result<(), Fault> {
    let up_ms = number(u64::try_from(reading.up.as_millis()).unwrap_or(u64::MAX));
    let seen = (clock::seen_at.eq(instant(reading.at)), clock::boot_id.eq(&reading.boot_id), clock::up_ms.eq(up_ms));
    diesel::insert_into(clock::table)
        .values((clock::id.eq(ROW), seen.clone()))
        .on_conflict(clock::id)
        .do_update()
        .set(seen)
        .execute(connection)?;
    release_holds(connection)
}

/// Releases what waited for a clock that can be trusted.
fn release_holds(connection: &mut SqliteConnection) -> Result<(), Fault> {
    let is_clock = "CASE WHEN json_valid(hold) THEN json_extract(hold, '$.kind') = 'clock' ELSE 0 END";
    let by_clock = diesel::dsl::sql::<diesel::sql_types::Bool>(is_clock);
    diesel::delete(holds::table.filter(by_clock)).execute(connection)?;
    Ok(())
}

fn read((seen_at, boot_id, up_ms, by, at, of_boot): Columns) -> Result<SeenClock, Fault> {
    let up = Duration::from_millis(read_number(up_ms));
    let reading = Reading { at: read_instant(&seen_at)?, up, boot_id };
    let confirmed = match (by, at) {
        (Some(by), Some(at)) => {
            Some(ConfirmedClock { by: serde_json::from_str(&by)?, at: read_instant(&at)?, boot_id: of_boot })
        }
        _ => None,
    };
    Ok(SeenClock { reading, confirmed })
}
