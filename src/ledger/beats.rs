//! Heartbeats of tasks: which runs their monitors have heard of, noted together with the messages to them.

use diesel::prelude::*;
use diesel::sqlite::SqliteConnection;
use jiff::Timestamp;

use super::outbox::{enqueue, trim_to};
use super::schema::notices;
use super::words::read_run_id;
use super::{Fault, Ledger, LedgerError};
use crate::outcome::{Heartbeat, HeartbeatSign, RunId};

/// Messages that wait for one monitor at most: it wants to know how things are, not how they were.
const MOST_WAITING: i64 = 20;
/// Word of heartbeats among events.
const EVENT: &str = "ping";

impl Ledger {
    /// The newest run of whose end a monitor has heard; none where it has heard of none yet.
    pub async fn last_beat(&self, monitor: &str) -> Result<Option<RunId>, LedgerError> {
        let monitor = monitor.to_owned();
        self.look("reading what a monitor has heard of", move |connection| last_beat(connection, &monitor)).await
    }

    /// Takes runs up to this one as known to a monitor that has heard of none yet.
    pub async fn begin_beats(&self, monitor: &str, newest: RunId) -> Result<(), LedgerError> {
        let monitor = monitor.to_owned();
        self.call("noting a monitor", move |connection, _| {
            connection.immediate_transaction(|connection| match last_beat(connection, &monitor)? {
                Some(_) => Ok(()),
                None => note(connection, &monitor, newest),
            })
        })
        .await
    }

    /// Puts heartbeats into the outbox, in order. Of the end of a run a monitor hears once, and of its start not after that.
    /// Returns how many that waited were given up for newer ones; none where there was nothing new.
    pub async fn beat(
        &self,
        monitor: &str,
        heartbeats: Vec<Heartbeat>,
        now: Timestamp,
    ) -> Result<Option<u64>, LedgerError> {
        let monitor = monitor.to_owned();
        self.call("noting what a monitor is to hear", move |connection, _| {
            connection.immediate_transaction(|connection| {
                let mut is_new = false;
                for heartbeat in &heartbeats {
                    if last_beat(connection, &monitor)?.is_some_and(|last| heartbeat.run_id <= last) {
                        continue;
                    }
                    enqueue(connection, &monitor, (EVENT, &monitor), heartbeat, now)?;
                    if heartbeat.sign != HeartbeatSign::Start {
                        note(connection, &monitor, heartbeat.run_id)?;
                    }
                    is_new = true;
                }
                if is_new { trim_to(connection, &monitor, MOST_WAITING, now).map(Some) } else { Ok(None) }
            })
        })
        .await
    }
}

fn last_beat(connection: &mut SqliteConnection, monitor: &str) -> Result<Option<RunId>, Fault> {
    let told = notices::table.find((monitor, EVENT, monitor)).select(notices::digest);
    let last: Option<String> = told.get_result(connection).optional()?;
    last.as_deref().map(read_run_id).transpose()
}

fn note(connection: &mut SqliteConnection, monitor: &str, run_id: RunId) -> Result<(), Fault> {
    let values = (
        notices::destination.eq(monitor),
        notices::event.eq(EVENT),
        notices::subject.eq(monitor),
        notices::digest.eq(run_id.to_string()),
        notices::notice.eq(""),
    );
    diesel::replace_into(notices::table).values(values).execute(connection)?;
    Ok(())
}
