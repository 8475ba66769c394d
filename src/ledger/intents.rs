//! Intents: what a batch of deleted rows still owes, one row per batch.

use std::collections::BTreeMap;
use std::sync::Arc;

use diesel::prelude::*;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::schema::intents;
use super::words::{instant, number, read_instant, read_name, read_number, read_run_id};
use super::{AuditAction, AuditNote, Fault, IntentBatch, IntentItem, IntentOwner, Ledger, LedgerError, audit, results};
use crate::outcome::{Operator, PendingChoice, RunId, Tally};
use crate::policy::{LONGEST_BYTES, Name, StorePath};

/// Batches that are read at once while something is looked for.
const READ_AT_ONCE: u32 = 16;

/// A batch, as columns.
#[derive(Queryable, Selectable)]
#[diesel(table_name = intents)]
struct BatchRow {
    id: i64,
    run_id: String,
    policy: String,
    source: String,
    source_identity: String,
    table_name: String,
    transaction_id: Option<String>,
    committed: bool,
    recorded_at: String,
    tally: String,
    items: String,
}

/// The files of a batch as JSON; what most of them share is written once, so that a large batch costs one short write.
#[derive(Default, Serialize, Deserialize)]
struct Packed {
    owners: Vec<Arc<IntentOwner>>,
    /// Index of the owner, key, path.
    files: Vec<(usize, String, String)>,
    /// Result of the last attempt to remove a file, by its place in the list.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    whys: BTreeMap<usize, String>,
}

/// File that was forgotten: it is not pending any more, and stays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForgottenFile {
    pub policy: Name,
    pub run_id: RunId,
    /// Key of the row that owned it.
    pub key: String,
}

impl Ledger {
    /// Durably records what a batch will owe, before the source commits. Returns its id; the batch's own is ignored.
    pub async fn record_intents(&self, batch: &IntentBatch) -> Result<i64, LedgerError> {
        let batch = batch.clone();
        self.call("recording intents", move |connection, _| {
            let items = pack(&batch.items)?;
            connection.immediate_transaction(|connection| {
                Ok(diesel::insert_into(intents::table)
                    .values((
                        intents::run_id.eq(batch.run_id.to_string()),
                        intents::policy.eq(batch.policy.as_str()),
                        intents::source.eq(batch.source.as_str()),
                        intents::source_identity.eq(&batch.source_identity),
                        intents::table_name.eq(&batch.table),
                        intents::transaction_id.eq(&batch.transaction_id),
                        intents::committed.eq(batch.committed),
                        intents::recorded_at.eq(instant(batch.recorded_at)),
                        intents::tally.eq(serde_json::to_string(&batch.done)?),
                        intents::file_count.eq(number(batch.items.len() as u64)),
                        intents::items.eq(items),
                    ))
                    .returning(intents::id)
                    .get_result(connection)?)
            })
        })
        .await
    }

    /// Settles a batch: what is still owed stays, the rest goes; `tally` is added to the sums of the batch's run and
    /// policy, in the same transaction. What stays is a batch with `committed` and with no rows, because `tally` has
    /// counted them.
    pub async fn settle(&self, id: i64, still_owed: &[IntentItem], tally: &Tally) -> Result<(), LedgerError> {
        let (still_owed, tally) = (still_owed.to_vec(), tally.clone());
        self.call("settling intents", move |connection, _| {
            let items = pack(&still_owed)?;
            connection.immediate_transaction(|connection| {
                let batch = intents::table.find(id);
                let owner: Option<(String, String)> =
                    batch.select((intents::run_id, intents::policy)).first(connection).optional()?;
                let Some((run_id, policy)) = owner else {
                    return Err(LedgerError::UnknownBatch { id }.into());
                };
                if still_owed.is_empty() {
                    diesel::delete(batch).execute(connection)?;
                } else {
                    let columns = (
                        intents::committed.eq(true),
                        intents::tally.eq(serde_json::to_string(&Tally::default())?),
                        intents::file_count.eq(number(still_owed.len() as u64)),
                        intents::items.eq(items),
                    );
                    diesel::update(batch).set(columns).execute(connection)?;
                }
                if tally != Tally::default() {
                    // A run that is not known has no sums to add to; its files are settled all the same.
                    results::add(connection, &run_id, &policy, &tally)?;
                }
                Ok(())
            })
        })
        .await
    }

    /// Unsettled batches with an id above `after`, in order of id, at most `limit`.
    pub async fn unsettled(
        &self,
        policy: Option<&Name>,
        after: i64,
        limit: u32,
    ) -> Result<Vec<IntentBatch>, LedgerError> {
        let policy = policy.map(Name::to_string);
        self.call("reading unsettled intents", move |connection, _| {
            let mut query = intents::table
                .filter(intents::id.gt(after))
                .order(intents::id)
                .limit(i64::from(limit))
                .select(BatchRow::as_select())
                .into_boxed();
            if let Some(policy) = &policy {
                query = query.filter(intents::policy.eq(policy));
            }
            query.load(connection)?.into_iter().map(BatchRow::read).collect()
        })
        .await
    }

    /// True if a file of a choice is pending by a policy.
    pub async fn has_pending(&self, policy: &Name, choice: &PendingChoice) -> Result<bool, LedgerError> {
        let mut after = 0;
        loop {
            let batches = self.unsettled(Some(policy), after, READ_AT_ONCE).await?;
            let Some(last) = batches.last() else { return Ok(false) };
            after = last.id;
            if batches.iter().any(|batch| batch.has(choice)) {
                return Ok(true);
            }
        }
    }

    /// Drops a file of some policies from what is pending, and records that in the audit. Whoever calls has the leases of
    /// these policies. Sums of the rows of a batch that is not settled stay with it, also where it has no file left.
    pub async fn forget_pending(
        &self,
        policies: &[Name],
        (store, path): (&Name, &StorePath),
        by: &Operator,
        now: Timestamp,
    ) -> Result<Vec<ForgottenFile>, LedgerError> {
        let policies: Vec<String> = policies.iter().map(Name::to_string).collect();
        let (store, path, by) = (store.clone(), path.clone(), by.clone());
        self.call("forgetting a pending file", move |connection, _| {
            connection.immediate_transaction(|connection| {
                let of_policies = intents::table.filter(intents::policy.eq_any(&policies)).order(intents::id);
                let ids: Vec<i64> = of_policies.select(intents::id).load(connection)?;
                let mut forgotten = Vec::new();
                for id in ids {
                    let batch = intents::table.find(id);
                    let row: BatchRow = batch.select(BatchRow::as_select()).first(connection)?;
                    let IntentBatch { policy, run_id, committed, items, .. } = row.read()?;
                    let (gone, left): (Vec<_>, Vec<_>) =
                        items.into_iter().partition(|item| item.path == path && item.owner.store == store);
                    if gone.is_empty() {
                        continue;
                    }
                    if left.is_empty() && committed {
                        diesel::delete(batch).execute(connection)?;
                    } else {
                        let columns =
                            (intents::file_count.eq(number(left.len() as u64)), intents::items.eq(pack(&left)?));
                        diesel::update(batch).set(columns).execute(connection)?;
                    }
                    let file = |item: IntentItem| ForgottenFile { policy: policy.clone(), run_id, key: item.key };
                    forgotten.extend(gone.into_iter().map(file));
                }
                if !forgotten.is_empty() {
                    audit::append(connection, &forget_note(&forgotten, (&store, &path), by.clone(), now))?;
                }
                Ok(forgotten)
            })
        })
        .await
    }

    /// Number of pending files, by policy.
    pub async fn owed(&self) -> Result<Vec<(Name, u64)>, LedgerError> {
        self.call("counting pending files", move |connection, _| owed(connection)).await
    }
}

/// Files that are pending, of each policy that has any.
pub(super) fn owed(connection: &mut SqliteConnection) -> Result<Vec<(Name, u64)>, Fault> {
    let rows: Vec<(String, i64)> =
        intents::table.order(intents::policy).select((intents::policy, intents::file_count)).load(connection)?;
    let mut owed: Vec<(Name, u64)> = Vec::new();
    for (policy, files) in rows {
        match owed.last_mut() {
            Some((name, sum)) if name.as_str() == policy => *sum += read_number(files),
            _ => owed.push((read_name(&policy)?, read_number(files))),
        }
    }
    Ok(owed)
}

fn forget_note(
    forgotten: &[ForgottenFile],
    (store, path): (&Name, &StorePath),
    by: Operator,
    at: Timestamp,
) -> AuditNote {
    let rows: Vec<_> = forgotten
        .iter()
        .map(|ForgottenFile { policy, run_id, key }| json!({ "policy": policy, "run_id": run_id, "key": key }))
        .collect();
    AuditNote {
        at,
        by: Some(by),
        action: AuditAction::Forget,
        subject: format!("file {store}/{path}"),
        detail: json!({ "rows": rows }),
    }
}

fn pack(items: &[IntentItem]) -> Result<String, Fault> {
    let mut packed = Packed { files: Vec::with_capacity(items.len()), ..Packed::default() };
    for (place, IntentItem { key, path, owner, why }) in items.iter().enumerate() {
        packed.whys.extend(why.clone().map(|why| (place, why)));
        let index = packed.owners.iter().position(|known| known == owner).unwrap_or_else(|| {
            packed.owners.push(owner.clone());
            packed.owners.len() - 1
        });
        packed.files.push((index, key.clone(), path.to_string()));
    }
    Ok(serde_json::to_string(&packed)?)
}

fn unpack(text: &str) -> Result<Vec<IntentItem>, Fault> {
    let Packed { owners, files, mut whys } = serde_json::from_str(text)?;
    files
        .into_iter()
        .enumerate()
        .filter_map(|(place, (index, key, path))| {
            let Some(owner) = owners.get(index).cloned() else {
                return Some(Err("a pending file names no store".into()));
            };
            match StorePath::parse(&path) {
                Ok(path) => Some(Ok(IntentItem { key, path, owner, why: whys.remove(&place) })),
                Err(why) if path.len() > LONGEST_BYTES => {
                    // An earlier version recorded it. No call takes such a path, so nothing is left behind by its name.
                    let store = owner.store.as_str();
                    tracing::warn!(store, why, "A pending path of store {store} is dropped: {why}");
                    None
                }
                Err(why) => Some(Err(why.into())),
            }
        })
        .collect()
}

impl BatchRow {
    fn read(self) -> Result<IntentBatch, Fault> {
        Ok(IntentBatch {
            id: self.id,
            run_id: read_run_id(&self.run_id)?,
            policy: read_name(&self.policy)?,
            source: read_name(&self.source)?,
            source_identity: self.source_identity,
            table: self.table_name,
            transaction_id: self.transaction_id,
            committed: self.committed,
            recorded_at: read_instant(&self.recorded_at)?,
            done: serde_json::from_str(&self.tally)?,
            items: unpack(&self.items)?,
        })
    }
}
