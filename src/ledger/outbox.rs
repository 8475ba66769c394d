//! Outbox: messages that wait to be delivered, each to one destination, in the order in which they were put in.

use std::time::Duration;

use diesel::dsl::{count_star, exists, min, not};
use diesel::prelude::*;
use diesel::sqlite::SqliteConnection;
use jiff::Timestamp;
use serde::Serialize;

use super::file::first;
use super::schema::{notices, outbox};
use super::words::{instant, read_instant, read_number};
use super::{Fault, Ledger, LedgerError};
use crate::text::cut;

/// Word of heartbeats among the events of messages and of what was told.
pub(super) const EVENT: &str = "ping";
/// Messages that wait for one destination at most, beside the newest of each condition.
pub const MOST_WAITING: i64 = 200;
/// Age after which a message is given up, if there is a newer one of the same condition.
pub const LONGEST_WAIT: Duration = Duration::from_secs(7 * 86_400);

/// A message that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboxMessage {
    pub number: i64,
    /// Instant at which it was put in.
    pub at: Timestamp,
    /// JSON.
    pub payload: String,
    /// Tries so far.
    pub attempts: u64,
    /// Instant before which it is not tried again.
    pub try_at: Option<Timestamp>,
}

/// Messages that wait for a destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backlog {
    pub destination: String,
    pub messages: u64,
    /// Instant at which the oldest was put in.
    pub since: Timestamp,
    /// Error of the last try of one; none where all wait for their first.
    pub error: Option<String>,
}

diesel::alias!(const EARLIER: Alias<Earlier> = outbox as earlier);

impl Ledger {
    /// The message that is to be delivered next: the oldest of its condition, and of these the one whose time comes first.
    pub async fn next_message(&self, destination: &str) -> Result<Option<OutboxMessage>, LedgerError> {
        let destination = destination.to_owned();
        self.call("reading what is to be delivered", move |connection, _| {
            let earlier = EARLIER
                .filter(EARLIER.field(outbox::destination).eq(&destination))
                .filter(EARLIER.field(outbox::event).eq(outbox::event))
                .filter(EARLIER.field(outbox::subject).eq(outbox::subject))
                .filter(EARLIER.field(outbox::number).lt(outbox::number));
            let next = outbox::table
                .filter(outbox::destination.eq(&destination).and(not(exists(earlier))))
                .order((outbox::try_at.asc(), outbox::number.asc()))
                .select((outbox::number, outbox::at, outbox::payload, outbox::attempts, outbox::try_at));
            let row: Option<(i64, String, String, i64, Option<String>)> = first(next, connection)?;
            let Some((number, at, payload, attempts, try_at)) = row else { return Ok(None) };
            let try_at = try_at.as_deref().map(read_instant).transpose()?;
            Ok(Some(OutboxMessage { number, at: read_instant(&at)?, payload, attempts: read_number(attempts), try_at }))
        })
        .await
    }

    /// Takes out a message that was delivered, or is given up.
    pub async fn take_message(&self, number: i64) -> Result<(), LedgerError> {
        self.call("noting what was delivered", move |connection, _| {
            diesel::delete(outbox::table.find(number)).execute(connection)?;
            Ok(())
        })
        .await
    }

    /// Takes out a message that is given up. What it was about has not been told then: if it still is so, it is told anew.
    pub async fn give_up(&self, number: i64) -> Result<(), LedgerError> {
        self.call("giving up a message", move |connection, _| {
            connection.immediate_transaction(|connection| {
                let about = outbox::table.find(number).select((outbox::destination, outbox::event, outbox::subject));
                let about: Option<(String, String, String)> = about.get_result(connection).optional()?;
                diesel::delete(outbox::table.find(number)).execute(connection)?;
                if let Some(about) = about.filter(|(_, event, _)| event != EVENT) {
                    diesel::delete(notices::table.find(about)).execute(connection)?;
                }
                Ok(())
            })
        })
        .await
    }

    /// Has all messages of a destination tried again at once, in their order.
    pub async fn retry_all(&self, destination: &str) -> Result<(), LedgerError> {
        let destination = destination.to_owned();
        self.call("noting what is to be delivered now", move |connection, _| {
            let waiting = outbox::table.filter(outbox::destination.eq(&destination));
            diesel::update(waiting).set(outbox::try_at.eq(None::<String>)).execute(connection)?;
            Ok(())
        })
        .await
    }

    /// Notes that a try has failed, and when the next one is due.
    pub async fn note_attempt(&self, message: i64, error: &str, try_at: Option<Timestamp>) -> Result<(), LedgerError> {
        let error = cut(error);
        self.call("noting what could not be delivered", move |connection, _| {
            let noted = (
                outbox::attempts.eq(outbox::attempts + 1),
                outbox::try_at.eq(try_at.map(instant)),
                outbox::error.eq(Some(&error)),
            );
            diesel::update(outbox::table.find(message)).set(noted).execute(connection)?;
            Ok(())
        })
        .await
    }

    /// Messages that wait, by destination.
    pub async fn backlogs(&self) -> Result<Vec<Backlog>, LedgerError> {
        self.look("reading what waits to be delivered", backlogs).await
    }
}

/// Messages that wait, by destination.
pub(super) fn backlogs(connection: &mut SqliteConnection) -> Result<Vec<Backlog>, Fault> {
    let rows: Vec<(String, i64, Option<String>)> = outbox::table
        .group_by(outbox::destination)
        .order(outbox::destination)
        .select((outbox::destination, count_star(), min(outbox::at)))
        .load(connection)?;
    let mut all = Vec::new();
    for (destination, messages, since) in rows {
        let tried = outbox::table
            .filter(outbox::destination.eq(&destination).and(outbox::error.is_not_null()))
            .order(outbox::number.desc())
            .select(outbox::error);
        let error: Option<Option<String>> = first(tried, connection)?;
        let since = read_instant(&since.unwrap_or_default())?;
        all.push(Backlog { destination, messages: read_number(messages), since, error: error.flatten() });
    }
    Ok(all)
}

/// Puts a message in.
pub(super) fn enqueue(
    connection: &mut SqliteConnection,
    destination: &str,
    (event, subject): (&str, &str),
    payload: &impl Serialize,
    now: Timestamp,
) -> Result<(), Fault> {
    let values = (
        outbox::destination.eq(destination),
        outbox::event.eq(event),
        outbox::subject.eq(subject),
        outbox::at.eq(instant(now)),
        outbox::payload.eq(serde_json::to_string(payload)?),
    );
    diesel::insert_into(outbox::table).values(values).execute(connection)?;
    Ok(())
}

/// Gives up messages of a destination that are too many or too old, never the newest of a condition. Returns how many.
pub(super) fn trim(connection: &mut SqliteConnection, destination: &str, now: Timestamp) -> Result<u64, Fault> {
    trim_to(connection, destination, MOST_WAITING, now)
}

/// Does so beyond so many.
pub(super) fn trim_to(
    connection: &mut SqliteConnection,
    destination: &str,
    most: i64,
    now: Timestamp,
) -> Result<u64, Fault> {
    let later = EARLIER
        .filter(EARLIER.field(outbox::destination).eq(destination))
        .filter(EARLIER.field(outbox::event).eq(outbox::event))
        .filter(EARLIER.field(outbox::subject).eq(outbox::subject))
        .filter(EARLIER.field(outbox::number).gt(outbox::number));
    let superseded: Vec<(i64, String)> = outbox::table
        .filter(outbox::destination.eq(destination).and(exists(later)))
        .order(outbox::number)
        .select((outbox::number, outbox::at))
        .load(connection)?;
    let all: i64 = outbox::table.filter(outbox::destination.eq(destination)).count().get_result(connection)?;
    let excess = usize::try_from(all - most).unwrap_or(0);
    let oldest = now.checked_sub(LONGEST_WAIT).map(instant).unwrap_or_default();
    let given_up = superseded.iter().enumerate().filter(|(place, (_, at))| *place < excess || *at < oldest);
    let given_up: Vec<i64> = given_up.map(|(_, (number, _))| *number).collect();
    diesel::delete(outbox::table.filter(outbox::number.eq_any(&given_up))).execute(connection)?;
    Ok(given_up.len() as u64)
}
