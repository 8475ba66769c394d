//! Audit: what was asked for and by whom, as a chain in which each entry has the hash of the one before it. Entries are
//! added at one end and forgotten at the other; what is changed or taken out in between breaks the chain.

use std::time::Duration;

use diesel::prelude::*;
use diesel::sqlite::SqliteConnection;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::schema::{audit, facts};
use super::words::{instant, read_instant, read_number, word};
use super::{Fault, Ledger, LedgerError};
use crate::outcome::Operator;
use crate::text::hex;

/// Entries that are read at once while the chain is verified.
const READ_AT_ONCE: i64 = 1000;
/// Fact that is the end of what was forgotten of the chain.
const PRUNED: &str = "audit_pruned";

/// Thing that somebody can ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AuditAction {
    Run,
    Cancel,
    Pause,
    Resume,
    Approve,
    ConfirmClock,
    Reload,
    Adopt,
    Restore,
    Retry,
    Forget,
    TokenAdd,
    TokenRemove,
    TestNotify,
}

/// Entry that is to be added.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditNote {
    pub at: Timestamp,
    /// None for the schedule and the daemon itself.
    pub by: Option<Operator>,
    pub action: AuditAction,
    /// The task, policy, store or run that it is about.
    pub subject: String,
    pub detail: serde_json::Value,
}

/// Entry of the audit.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct AuditEntry {
    /// From 1, without gaps.
    pub number: u64,
    /// Instant of the entry.
    pub at: Timestamp,
    /// Null for the schedule and the daemon itself.
    pub by: Option<Operator>,
    /// Word of what was asked for.
    pub action: String,
    /// Task, policy, store or run that it is about.
    pub subject: String,
    /// Whatever else was given along.
    pub detail: serde_json::Value,
    /// SHA-256 of the entry and of the hash before it, in hexadecimal.
    pub hash: String,
}

/// Result of going through the chain.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct VerifiedAudit {
    /// Entries that are as they were written.
    pub entries: u64,
    /// The newest of these; before the first entry 0.
    pub number: u64,
    /// Hash of that entry: written down elsewhere, it shows later that none was taken off the end.
    pub head: String,
    /// The first entry that is not as it was written.
    pub broken: Option<BrokenEntry>,
}

/// Entry at which the chain breaks, and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct BrokenEntry {
    /// Number of the entry.
    pub number: u64,
    /// Reason that it is not as it was written.
    pub why: String,
}

/// Entry, as columns.
#[derive(Debug, Queryable, Selectable, Insertable)]
#[diesel(table_name = audit)]
struct Row {
    number: i64,
    at: String,
    by: Option<String>,
    action: String,
    subject: String,
    detail: String,
    previous: String,
    hash: String,
}

/// Place in the chain: the number and the hash of an entry. The default is the one before the first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
struct Link {
    /// Number of the entry.
    number: i64,
    /// Its hash.
    hash: String,
}

impl Ledger {
    /// Adds an entry.
    pub async fn note(&self, note: &AuditNote) -> Result<(), LedgerError> {
        let note = note.clone();
        self.call("recording what was asked for", move |connection, _| {
            connection.immediate_transaction(|connection| append(connection, &note))
        })
        .await
    }

    /// The newest entries first, at most `limit`.
    pub async fn audit(&self, limit: u32) -> Result<Vec<AuditEntry>, LedgerError> {
        self.call("reading the audit", move |connection, _| {
            let newest = audit::table.order(audit::number.desc()).limit(i64::from(limit));
            let rows: Vec<Row> = newest.select(Row::as_select()).load(connection)?;
            rows.into_iter().map(Row::entry).collect()
        })
        .await
    }

    /// Goes through the whole chain, from the oldest entry on.
    pub async fn verify_audit(&self) -> Result<VerifiedAudit, LedgerError> {
        self.call("verifying the audit", move |connection, _| {
            // One view of the whole: entries may be forgotten meanwhile.
            connection.transaction(|connection| {
                let mut last = pruned(connection)?;
                let first = last.number;
                let verified = |last: Link, broken| VerifiedAudit {
                    entries: read_number(last.number - first),
                    number: read_number(last.number),
                    head: last.hash,
                    broken,
                };
                loop {
                    let further = audit::table.filter(audit::number.gt(last.number)).order(audit::number);
                    let rows: Vec<Row> = further.limit(READ_AT_ONCE).select(Row::as_select()).load(connection)?;
                    if rows.is_empty() {
                        return Ok(verified(last, None));
                    }
                    for row in rows {
                        if let Some(why) = row.fault(&last) {
                            let number = read_number(row.number);
                            return Ok(verified(last, Some(BrokenEntry { number, why })));
                        }
                        last = Link { number: row.number, hash: row.hash };
                    }
                }
            })
        })
        .await
    }

    /// Forgets the oldest entries, up to the first that is not older than `keep` before `now`. Returns how many.
    pub async fn prune_audit(&self, now: Timestamp, keep: Duration) -> Result<usize, LedgerError> {
        let Ok(cutoff) = now.checked_sub(keep) else { return Ok(0) };
        self.call("forgetting old entries of the audit", move |connection, _| {
            connection.immediate_transaction(|connection| {
                let recent = audit::table.filter(audit::at.ge(instant(cutoff))).order(audit::number);
                let first_kept: Option<i64> = recent.select(audit::number).first(connection).optional()?;
                let old = audit::table.filter(audit::number.lt(first_kept.unwrap_or(i64::MAX)));
                let newest = old.order(audit::number.desc()).select((audit::number, audit::hash));
                let Some((number, hash)) = newest.first(connection).optional()? else { return Ok(0) };
                let end = serde_json::to_string(&Link { number, hash })?;
                let fact = (facts::name.eq(PRUNED), facts::value.eq(end));
                diesel::replace_into(facts::table).values(fact).execute(connection)?;
                Ok(diesel::delete(old).execute(connection)?)
            })
        })
        .await
    }
}

/// End of what was forgotten of the chain.
fn pruned(connection: &mut SqliteConnection) -> Result<Link, Fault> {
    let fact: Option<String> = facts::table.find(PRUNED).select(facts::value).get_result(connection).optional()?;
    Ok(fact.as_deref().map(serde_json::from_str).transpose()?.unwrap_or_default())
}

/// Adds an entry within a transaction that holds the write lock, so that no other comes between it and the one before it.
pub(super) fn append(connection: &mut SqliteConnection, note: &AuditNote) -> Result<(), Fault> {
    let newest = audit::table.order(audit::number.desc()).select((audit::number, audit::hash));
    let last = match newest.first(connection).optional()? {
        Some((number, hash)) => Link { number, hash },
        None => pruned(connection)?,
    };
    let mut row = Row {
        number: last.number + 1,
        at: instant(note.at),
        by: note.by.as_ref().map(serde_json::to_string).transpose()?,
        action: word(&note.action)?,
        subject: note.subject.clone(),
        detail: serde_json::to_string(&note.detail)?,
        previous: last.hash,
        hash: String::new(),
    };
    row.hash = row.digest();
    diesel::insert_into(audit::table).values(&row).execute(connection)?;
    Ok(())
}

impl Row {
    /// SHA-256 of all columns but the hash, as a JSON array, in hexadecimal.
    fn digest(&self) -> String {
        let Self { number, at, by, action, subject, detail, previous, hash: _ } = self;
        let words = serde_json::json!([number, at, by, action, subject, detail, previous]).to_string();
        hex(&Sha256::digest(words.as_bytes()))
    }

    /// Fault of an entry that follows another, in words.
    fn fault(&self, last: &Link) -> Option<String> {
        let next = last.number + 1;
        if self.number != next {
            return Some(format!("before it, entry {next} is missing"));
        }
        if self.previous != last.hash {
            return Some(format!("it does not follow entry {} as that is now", last.number));
        }
        (self.digest() != self.hash).then(|| "it is not what was written".to_owned())
    }

    fn entry(self) -> Result<AuditEntry, Fault> {
        let number = self.number;
        self.read().map_err(|fault| {
            format!("entry {number} is not what was written ({fault}); retaind audit verify goes through all of them")
                .into()
        })
    }

    fn read(self) -> Result<AuditEntry, Fault> {
        Ok(AuditEntry {
            number: read_number(self.number),
            at: read_instant(&self.at)?,
            by: self.by.as_deref().map(serde_json::from_str).transpose()?,
            action: self.action,
            subject: self.subject,
            detail: serde_json::from_str(&self.detail)?,
            hash: self.hash,
        })
    }
}
