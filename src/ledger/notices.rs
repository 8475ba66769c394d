//! Conditions of which destinations were told. What is new, different or over becomes a message in the same transaction, so
//! that a death in between neither loses one nor says it twice.

use diesel::prelude::*;
use diesel::sqlite::SqliteConnection;
use jiff::Timestamp;

use super::outbox::{EVENT, enqueue, trim};
use super::schema::{notices, outbox};
use super::words::{read_word, word};
use super::{Fault, Ledger, LedgerError};
use crate::outcome::{Notice, NoticeCondition, NoticeSubject, RunId};
use crate::policy::NoticeEvent;

/// All that is the case at one moment.
#[derive(Debug, Clone, Default)]
pub struct Conditions {
    pub conditions: Vec<NoticeCondition>,
    /// Of these it is not known now: they stay as they were.
    pub unsure: Vec<(NoticeEvent, NoticeSubject)>,
}

impl Conditions {
    /// Leaves conditions of an event as they were told, whatever is the case. True if any is so.
    pub fn put_off(&mut self, event: NoticeEvent) -> bool {
        let (off, rest) = std::mem::take(&mut self.conditions).into_iter().partition(|of| of.notice.event == event);
        self.conditions = rest;
        let off: Vec<NoticeCondition> = off;
        let is_any = !off.is_empty();
        self.unsure.extend(off.into_iter().map(|of| (event, of.notice.subject)));
        is_any
    }
}

/// Outcome of a look at the conditions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Said {
    /// Destinations that have new messages.
    pub to: Vec<String>,
    /// Messages that were given up for newer ones, by destination.
    pub dropped: Vec<(String, u64)>,
}

/// A condition that was told, as columns.
#[derive(Queryable)]
struct Told {
    event: String,
    subject: String,
    digest: String,
    notice: String,
}

impl Ledger {
    /// Compares what is the case with what each destination was told, of the events that it is told of, and puts the
    /// differences into the outbox.
    pub async fn say(
        &self,
        standing: Conditions,
        destinations: Vec<(String, Vec<NoticeEvent>)>,
        now: Timestamp,
    ) -> Result<Said, LedgerError> {
        self.call("noting what is to be notified", move |connection, _| {
            connection.immediate_transaction(|connection| {
                let mut said = Said::default();
                for (destination, on) in &destinations {
                    if say_to(connection, (destination, on), &standing, now)? {
                        said.to.push(destination.clone());
                        let dropped = trim(connection, destination, now)?;
                        said.dropped.extend((dropped > 0).then(|| (destination.clone(), dropped)));
                    }
                }
                Ok(said)
            })
        })
        .await
    }

    /// Notes a condition of which destinations were told otherwise than by the outbox, so that they are told when it is over.
    pub async fn note_told(&self, notice: &Notice, digest: &str, destinations: &[String]) -> Result<(), LedgerError> {
        let (notice, digest, destinations) = (notice.clone(), digest.to_owned(), destinations.to_vec());
        self.call("noting what was notified", move |connection, _| {
            connection.immediate_transaction(|connection| {
                for destination in &destinations {
                    note_told(connection, destination, &notice, &digest)?;
                }
                Ok(())
            })
        })
        .await
    }

    /// Forgets what was told to destinations that are no longer there, with the messages that waited for them; these, by
    /// destination.
    pub async fn forget_destinations(&self, known: Vec<String>) -> Result<Vec<(String, u64)>, LedgerError> {
        self.call("forgetting destinations", move |connection, _| {
            connection.immediate_transaction(|connection| {
                diesel::delete(notices::table.filter(notices::destination.ne_all(&known))).execute(connection)?;
                let gone = outbox::table.filter(outbox::destination.ne_all(&known));
                let waited: Vec<(String, i64)> = gone
                    .clone()
                    .group_by(outbox::destination)
                    .select((outbox::destination, diesel::dsl::count_star()))
                    .load(connection)?;
                diesel::delete(gone).execute(connection)?;
                Ok(waited.into_iter().map(|(name, count)| (name, count.unsigned_abs())).collect())
            })
        })
        .await
    }
}

/// Tells one destination what differs. True if anything does.
fn say_to(
    connection: &mut SqliteConnection,
    (destination, on): (&str, &[NoticeEvent]),
    standing: &Conditions,
    now: Timestamp,
) -> Result<bool, Fault> {
    let all_told: Vec<Told> = notices::table
        .filter(notices::destination.eq(destination))
        .select((notices::event, notices::subject, notices::digest, notices::notice))
        .load(connection)?;
    let mut has_said = false;
    // What is over first, so that the last word is of what is so.
    for told in &all_told {
        has_said |= end_if_over(connection, (destination, on), told, standing, now)?;
    }
    for condition in standing.conditions.iter().filter(|condition| on.contains(&condition.notice.event)) {
        let (event, subject) = (word(&condition.notice.event)?, condition.notice.subject.to_string());
        let told = all_told.iter().find(|told| told.event == event && told.subject == subject);
        if told.is_some_and(|told| told.digest == condition.digest) {
            continue;
        }
        let before: Option<Notice> = told.and_then(|told| serde_json::from_str(&told.notice).ok());
        let since = before.map_or(condition.notice.since, |before| before.since);
        let notice = Notice { id: RunId::now_v7(), at: now, since, ..condition.notice.clone() };
        note_told(connection, destination, &notice, &condition.digest)?;
        enqueue(connection, destination, (&event, &subject), &notice, now)?;
        has_said = true;
    }
    Ok(has_said)
}

fn note_told(connection: &mut SqliteConnection, destination: &str, notice: &Notice, digest: &str) -> Result<(), Fault> {
    let values = (
        notices::destination.eq(destination),
        notices::event.eq(word(&notice.event)?),
        notices::subject.eq(notice.subject.to_string()),
        notices::digest.eq(digest),
        notices::notice.eq(serde_json::to_string(notice)?),
    );
    diesel::replace_into(notices::table).values(values).execute(connection)?;
    Ok(())
}

/// Says that a condition is over, where it is. True if that was said.
fn end_if_over(
    connection: &mut SqliteConnection,
    (destination, on): (&str, &[NoticeEvent]),
    told: &Told,
    standing: &Conditions,
    now: Timestamp,
) -> Result<bool, Fault> {
    let forget = |connection: &mut SqliteConnection| {
        diesel::delete(notices::table.find((destination, &told.event, &told.subject))).execute(connection)
    };
    // Heartbeats are remembered beside conditions.
    if told.event == EVENT {
        return Ok(false);
    }
    // Another version may have other words: nothing is said of them, and nobody else is kept waiting.
    let (Ok(event), Ok(notice)) = (read_word(&told.event), serde_json::from_str::<Notice>(&told.notice)) else {
        forget(connection)?;
        return Ok(false);
    };
    let is_told = |of: NoticeEvent, subject: &NoticeSubject| of == event && subject.to_string() == told.subject;
    let is_so = standing.conditions.iter().any(|condition| is_told(condition.notice.event, &condition.notice.subject));
    if on.contains(&event) && (is_so || standing.unsure.iter().any(|(of, subject)| is_told(*of, subject))) {
        return Ok(false);
    }
    forget(connection)?;
    if !on.contains(&event) {
        // It wants to hear nothing of it any more.
        return Ok(false);
    }
    let over = notice.resolved(RunId::now_v7(), now);
    enqueue(connection, destination, (&told.event, &told.subject), &over, now)?;
    Ok(true)
}
