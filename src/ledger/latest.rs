//! The newest run of a policy, finished or not. Changes nothing.

use diesel::dsl::max;
use diesel::prelude::*;

use super::schema::{policy_results, runs};
use super::words::{read_instant, read_name, read_number, read_run_id, read_word};
use super::{Ledger, LedgerError};
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

impl Ledger {
    /// The newest ended run of each policy, and how the policy ended in it.
    pub async fn latest_endings(&self) -> Result<Vec<(Name, RunId, Status)>, LedgerError> {
        self.call("reading how policies ended", move |connection, _| {
            let newest: Vec<Option<i64>> = policy_results::table
                .filter(policy_results::status.is_not_null())
                .group_by(policy_results::policy)
                .select(max(policy_results::id))
                .load(connection)?;
            let columns = (policy_results::policy, policy_results::run_id, policy_results::status.assume_not_null());
            let mut endings = Vec::new();
            for id in newest.into_iter().flatten() {
                let row: (String, String, String) = policy_results::table.find(id).select(columns).first(connection)?;
                endings.push((read_name(&row.0)?, read_run_id(&row.1)?, read_word(&row.2)?));
            }
            Ok(endings)
        })
        .await
    }

    /// The newest run that came to the policy.
    pub async fn latest_run(&self, policy: &Name) -> Result<Option<LatestRun>, LedgerError> {
        let policy = policy.to_string();
        self.call("reading the newest run of a policy", move |connection, _| {
            let row: Option<(String, String, String, Option<String>, String, i64)> = policy_results::table
                .inner_join(runs::table.on(runs::run_id.eq(policy_results::run_id)))
                .filter(policy_results::policy.eq(&policy))
                .order(policy_results::id.desc())
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
        })
        .await
    }
}
