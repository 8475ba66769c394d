//! The newest run of a policy, finished or not. Changes nothing.

use diesel::prelude::*;
use diesel::sqlite::SqliteConnection;

use super::file::first;
use super::schema::{policy_results, runs};
use super::words::{read_instant, read_number, read_run_id, read_word};
use super::{Fault, Ledger, LedgerError};
use crate::outcome::{RunId, RunMode, Status, Tally};
use crate::policy::Name;

/// Newest run of a policy, with its result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LatestRun {
    pub run_id: RunId,
    pub mode: RunMode,
    pub started_at: jiff::Timestamp,
    /// `None` while it runs.
    pub status: Option<Status>,
    pub tally: Tally,
    pub error_count: u64,
}

/// The newest run in which a policy ended, and how it did.
pub(super) fn latest_ending(
    connection: &mut SqliteConnection,
    policy: &Name,
) -> Result<Option<(Name, RunId, Status)>, Fault> {
    let endings = policy_results::table
        .filter(policy_results::policy.eq(policy.as_str()).and(policy_results::status.is_not_null()))
        .order(policy_results::id.desc())
        .select((policy_results::run_id, policy_results::status.assume_not_null()));
    let row: Option<(String, String)> = first(endings, connection)?;
    row.map(|(run_id, status)| Ok((policy.clone(), read_run_id(&run_id)?, read_word(&status)?))).transpose()
}

impl Ledger {
    /// Newest run in which each of these policies ended, and how it did.
    pub async fn latest_endings(&self, policies: Vec<Name>) -> Result<Vec<(Name, RunId, Status)>, LedgerError> {
        self.look("reading how policies ended", move |connection| {
            policies.iter().filter_map(|policy| latest_ending(connection, policy).transpose()).collect()
        })
        .await
    }

    /// The newest run that came to each of these policies.
    pub async fn latest_runs(&self, policies: Vec<Name>) -> Result<Vec<(Name, LatestRun)>, LedgerError> {
        self.newest(policies, false).await
    }

    /// The newest run in which each of these policies came to its end.
    pub async fn latest_ended(&self, policies: Vec<Name>) -> Result<Vec<(Name, LatestRun)>, LedgerError> {
        self.newest(policies, true).await
    }

    async fn newest(&self, policies: Vec<Name>, has_ended: bool) -> Result<Vec<(Name, LatestRun)>, LedgerError> {
        self.look("reading the newest runs of policies", move |connection| {
            let newest = |policy: &Name| {
                let run = newest(connection, policy, has_ended)?;
                Ok(run.map(|run| (policy.clone(), run)))
            };
            policies.iter().map(newest).filter_map(Result::transpose).collect()
        })
        .await
    }
}

fn newest(connection: &mut SqliteConnection, policy: &Name, has_ended: bool) -> Result<Option<LatestRun>, Fault> {
    let mut newest = policy_results::table
        .inner_join(runs::table.on(runs::run_id.eq(policy_results::run_id)))
        .filter(policy_results::policy.eq(policy.as_str()))
        .order(policy_results::id.desc())
        .into_boxed();
    if has_ended {
        newest = newest.filter(policy_results::status.is_not_null());
    }
    let row: Option<(String, String, String, Option<String>, String, i64)> = newest
        .select((
            runs::run_id,
            runs::mode,
            runs::started_at,
            policy_results::status,
            policy_results::tally,
            policy_results::error_count,
        ))
        .first(connection)
        .optional()?;
    let Some((run_id, mode, started_at, status, tally, error_count)) = row else { return Ok(None) };
    Ok(Some(LatestRun {
        run_id: read_run_id(&run_id)?,
        mode: read_word(&mode)?,
        started_at: read_instant(&started_at)?,
        status: status.as_deref().map(read_word).transpose()?,
        tally: serde_json::from_str(&tally)?,
        error_count: read_number(error_count),
    }))
}
