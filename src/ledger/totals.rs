//! Memory that outlasts the runs: sums of each policy (kept by triggers of the schema), what was last seen of each store,
//! and what runs put into a trash.

use std::collections::BTreeSet;

use diesel::prelude::*;
use diesel::sqlite::SqliteConnection;

use super::schema::{policy_results, surveys, totals};
use super::words::{instant, read_instant, read_name, read_number};
use super::{Fault, Ledger, LedgerError};
use crate::outcome::{FoundOrphans, PolicyResult, PolicyTotal, RunId, StoreLook, Survey, Tally, Trashed};
use crate::policy::Name;

/// A row of the sums, as its columns are.
type Sums = (String, String, i64, i64, i64, i64, i64);

impl Ledger {
    /// Sums of each policy over all its runs.
    pub async fn totals(&self) -> Result<Vec<PolicyTotal>, LedgerError> {
        self.call("reading the sums of policies", move |connection, _| {
            let rows: Vec<Sums> = totals::table.order(totals::policy).load(connection)?;
            rows.into_iter().map(read).collect()
        })
        .await
    }

    /// The last look of each policy of files or orphans at its store.
    pub async fn last_looks(&self) -> Result<Vec<(Name, StoreLook)>, LedgerError> {
        self.call("reading what was seen of stores", move |connection, _| {
            let rows: Vec<(String, String)> =
                surveys::table.select((surveys::policy, surveys::survey)).load(connection)?;
            rows.iter().map(|(policy, look)| Ok((read_name(policy)?, serde_json::from_str(look)?))).collect()
        })
        .await
    }

    /// Sum of what some runs put into the trash of a store; none where one of them has left no record of it.
    pub async fn trashed(&self, store: &Name, runs: Vec<RunId>) -> Result<Option<Trashed>, LedgerError> {
        let store = store.to_string();
        self.call("reading what runs put into the trash", move |connection, _| {
            let asked = runs.iter().map(RunId::to_string);
            let tallies: Vec<(String, String)> = policy_results::table
                .filter(policy_results::run_id.eq_any(asked))
                .select((policy_results::run_id, policy_results::tally))
                .load(connection)?;
            let (mut sum, mut known) = (Trashed::default(), BTreeSet::new());
            for (run, tally) in tallies {
                let tally: Tally = serde_json::from_str(&tally)?;
                if let Some(share) = tally.stores.get(&store).filter(|share| share.files_trashed > 0) {
                    sum.files += share.files_trashed;
                    sum.bytes += share.bytes_trashed;
                    known.insert(run);
                }
            }
            Ok((known.len() == runs.len()).then_some(sum))
        })
        .await
    }
}

fn read(
    (policy, since, runs, rows_deleted, rows_updated, files_deleted, bytes_reclaimed): Sums,
) -> Result<PolicyTotal, Fault> {
    Ok(PolicyTotal {
        policy: read_name(&policy)?,
        runs: read_number(runs),
        rows_deleted: read_number(rows_deleted),
        rows_updated: read_number(rows_updated),
        files_deleted: read_number(files_deleted),
        bytes_reclaimed: read_number(bytes_reclaimed),
        since: read_instant(&since)?,
    })
}

/// Remembers what a policy saw of its store, where it came to its end. What a guard blocked says nothing of orphans: those of
/// the scan before are kept.
pub(super) fn remember_look(connection: &mut SqliteConnection, result: &PolicyResult) -> Result<(), Fault> {
    let Some(survey) = result.survey.as_ref().filter(|_| !result.status.is_cut_short()) else { return Ok(()) };
    let (tally, policy) = (&result.tally, result.policy.as_str());
    let was_counted = result.blocked_by.is_none() || result.held.is_some();
    let orphans = match (result.kind == "orphans", was_counted) {
        (false, _) => None,
        (true, true) => Some(FoundOrphans {
            at: survey.at,
            files: tally.files_matched,
            bytes: tally.bytes_matched,
            files_deleted: tally.files_deleted,
        }),
        (true, false) => {
            let before: Option<String> =
                surveys::table.find(policy).select(surveys::survey).get_result(connection).optional()?;
            before.map(|before| serde_json::from_str::<StoreLook>(&before)).transpose()?.and_then(|look| look.orphans)
        }
    };
    let taken = tally.bytes_reclaimed + tally.bytes_trashed;
    let survey = Survey {
        files: survey.files.saturating_sub(tally.files_deleted),
        bytes: survey.bytes.map(|bytes| bytes.saturating_sub(taken)),
        available_bytes: survey.available_bytes.map(|bytes| bytes.saturating_add(tally.bytes_reclaimed)),
        ..survey.clone()
    };
    let (seen_at, look) = (instant(survey.at), serde_json::to_string(&StoreLook { survey: Some(survey), orphans })?);
    diesel::replace_into(surveys::table)
        .values((surveys::policy.eq(policy), surveys::seen_at.eq(seen_at), surveys::survey.eq(look)))
        .execute(connection)?;
    Ok(())
}
