//! Heartbeats of tasks: which runs their monitors have heard of, noted together with the messages to them.

use std::collections::BTreeSet;

use diesel::prelude::*;
use diesel::sqlite::SqliteConnection;
use jiff::Timestamp;

use super::outbox::{EVENT, enqueue, trim_to};
use super::schema::notices;
use super::words::read_run_id;
use super::{Fault, Ledger, LedgerError};
use crate::outcome::{Heartbeat, HeartbeatSign, RunId};

/// Messages that wait for one monitor at most: it wants to know how things are, not how they were.
const MOST_WAITING: i64 = 20;

impl Ledger {
    /// Runs of whose end a monitor has heard, of those that are still looked at; none where it is new.
    pub async fn heard(&self, monitor: &str) -> Result<Option<BTreeSet<RunId>>, LedgerError> {
        let monitor = monitor.to_owned();
        self.look("reading what a monitor has heard of", move |connection| heard(connection, &monitor)).await
    }

    /// Takes runs as known to a monitor that is new.
    pub async fn begin_beats(&self, monitor: &str, ended: BTreeSet<RunId>) -> Result<(), LedgerError> {
        let monitor = monitor.to_owned();
        self.call("noting a monitor", move |connection, _| {
            connection.immediate_transaction(|connection| match heard(connection, &monitor)? {
                Some(_) => Ok(()),
                None => note(connection, &monitor, &ended),
            })
        })
        .await
    }

    /// Puts heartbeats into the outbox, in order. Of the end of a run a monitor hears once, and of its start not after that.
    /// `ended`: the runs that are still looked at, without which none is remembered. Not by their ids, which follow the
    /// clock: that may have been set back, and one run may end before another that began earlier. Returns how many that
    /// waited were given up for newer ones; none where there was nothing new.
    pub async fn beat(
        &self,
        monitor: &str,
        (heartbeats, ended): (Vec<Heartbeat>, Option<BTreeSet<RunId>>),
        now: Timestamp,
    ) -> Result<Option<u64>, LedgerError> {
        let monitor = monitor.to_owned();
        self.call("noting what a monitor is to hear", move |connection, _| {
            connection.immediate_transaction(|connection| {
                let heard = heard(connection, &monitor)?;
                // Of one that is not begun with it is not known what it has heard of.
                let is_begun = heard.is_some();
                let mut known = heard.unwrap_or_default();
                let mut is_new = false;
                for heartbeat in &heartbeats {
                    if known.contains(&heartbeat.run_id) {
                        continue;
                    }
                    enqueue(connection, &monitor, (EVENT, &monitor), heartbeat, now)?;
                    if heartbeat.sign != HeartbeatSign::Start {
                        known.insert(heartbeat.run_id);
                    }
                    is_new = true;
                }
                if let Some(ended) = &ended {
                    known.retain(|run_id| ended.contains(run_id));
                }
                if is_begun {
                    note(connection, &monitor, &known)?;
                }
                if is_new { trim_to(connection, &monitor, MOST_WAITING, now).map(Some) } else { Ok(None) }
            })
        })
        .await
    }
}

fn heard(connection: &mut SqliteConnection, monitor: &str) -> Result<Option<BTreeSet<RunId>>, Fault> {
    let told = notices::table.find((monitor, EVENT, monitor)).select(notices::digest);
    let known: Option<String> = told.get_result(connection).optional()?;
    known.map(|known| known.lines().map(read_run_id).collect()).transpose()
}

fn note(connection: &mut SqliteConnection, monitor: &str, heard: &BTreeSet<RunId>) -> Result<(), Fault> {
    let heard: Vec<String> = heard.iter().map(RunId::to_string).collect();
    let values = (
        notices::destination.eq(monitor),
        notices::event.eq(EVENT),
        notices::subject.eq(monitor),
        notices::digest.eq(heard.join("\n")),
        notices::notice.eq(""),
    );
    diesel::replace_into(notices::table).values(values).execute(connection)?;
    Ok(())
}
