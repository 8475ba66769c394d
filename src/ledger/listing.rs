//! Reads runs back: the newest, or one by (a piece of) its id. Changes nothing.

use diesel::prelude::*;
use diesel::sqlite::SqliteConnection;

use super::schema::{policy_results, runs};
use super::words::{instant, read_instant, read_name, read_number, read_run_id, read_word, word};
use super::{Fault, Ledger, LedgerError, RunFilter, RunSummary, results};
use crate::outcome::{PolicyResult, RunId, RunResult, is_piece_of_run_id};

/// A run, as columns.
#[derive(Queryable, Selectable)]
#[diesel(table_name = runs)]
struct RunRow {
    run_id: String,
    mode: String,
    trigger: String,
    task: Option<String>,
    status: Option<String>,
    cause: Option<String>,
    started_at: String,
    finished_at: Option<String>,
    duration_ms: i64,
    totals: String,
    hook_errors: String,
    trash_emptied: String,
    asked: Option<String>,
}

impl Ledger {
    /// The newest runs first.
    pub async fn runs(&self, limit: u32) -> Result<Vec<RunSummary>, LedgerError> {
        self.filtered_runs(&RunFilter::default(), limit).await
    }

    /// The newest runs first, of those that a filter lets through.
    pub async fn filtered_runs(&self, filter: &RunFilter, limit: u32) -> Result<Vec<RunSummary>, LedgerError> {
        let RunFilter { task, policy, status, since, before } = filter.clone();
        self.call("reading runs", move |connection, _| {
            let mut query = runs::table.into_boxed();
            if let Some(task) = &task {
                query = query.filter(runs::task.eq(task));
            }
            if let Some(policy) = &policy {
                let of_policy = policy_results::table.filter(policy_results::policy.eq(policy));
                query = query.filter(runs::run_id.eq_any(of_policy.select(policy_results::run_id)));
            }
            query = match status {
                None => query,
                Some(None) => query.filter(runs::status.is_null()),
                Some(Some(status)) => query.filter(runs::status.eq(word(&status)?)),
            };
            if let Some(since) = since {
                query = query.filter(runs::started_at.ge(instant(since)));
            }
            if let Some(run_id) = before {
                let id = run_id.to_string();
                let began = runs::table.find(&id).select(runs::started_at).get_result(connection).optional()?;
                let began: String = began.ok_or(LedgerError::UnknownRun { run_id })?;
                let same = runs::started_at.eq(began.clone()).and(runs::run_id.lt(id));
                query = query.filter(runs::started_at.lt(began).or(same));
            }
            let newest = query.order((runs::started_at.desc(), runs::run_id.desc())).limit(i64::from(limit));
            let rows: Vec<RunRow> = newest.select(RunRow::as_select()).load(connection)?;
            summaries(connection, rows)
        })
        .await
    }

    /// One run with the results that its policies have so far, finished or not; the totals count unrecorded batches
    /// too. An id may be shortened to a unique beginning or end; [`LedgerError::Ambiguous`] names the candidates.
    pub async fn run(&self, id: &str) -> Result<Option<RunResult>, LedgerError> {
        let given = id.trim().to_ascii_lowercase();
        self.call("reading a run", move |connection, _| {
            // One view of the run and of its policies.
            connection.transaction(|connection| {
                let Some(run_id) = find(connection, &given)? else {
                    return Ok(None);
                };
                let row: RunRow = runs::table.find(&run_id).select(RunRow::as_select()).get_result(connection)?;
                let policies = results::of_run(connection, &run_id)?;
                row.result(policies).map(Some)
            })
        })
        .await
    }
}

fn summaries(connection: &mut SqliteConnection, rows: Vec<RunRow>) -> Result<Vec<RunSummary>, Fault> {
    let summary =
        |row: RunRow| Ok(RunSummary { reported: results::reported(connection, &row.run_id)?, ..row.summary()? });
    rows.into_iter().map(summary).collect()
}

/// Runs by their ids, and those that have not ended, the newest first. Each asked for by itself: a list of ids is a statement
/// that SQLite has to plan anew.
pub(super) fn named_or_running(connection: &mut SqliteConnection, ids: &[RunId]) -> Result<Vec<RunSummary>, Fault> {
    // What has no end has no status either, and only this has an index.
    let running = runs::table.filter(runs::finished_at.is_null());
    let mut rows: Vec<RunRow> = running.select(RunRow::as_select()).load(connection)?;
    for id in ids.iter().map(RunId::to_string) {
        if rows.iter().all(|row| row.run_id != id) {
            let named = runs::table.find(&id).select(RunRow::as_select());
            rows.extend(named.get_result(connection).optional()?);
        }
    }
    rows.sort_by(|one, other| (&other.started_at, &other.run_id).cmp(&(&one.started_at, &one.run_id)));
    summaries(connection, rows)
}

fn find(connection: &mut SqliteConnection, given: &str) -> Result<Option<String>, Fault> {
    let piece = match RunId::parse_str(given) {
        Ok(run_id) => run_id.to_string(),
        Err(_) => given.to_owned(),
    };
    if !is_piece_of_run_id(&piece) {
        return Ok(None);
    }
    let beginning = runs::run_id.ge(piece.clone()).and(runs::run_id.lt(format!("{piece}g")));
    let mut found: Vec<String> =
        runs::table.filter(beginning).order(runs::run_id.desc()).select(runs::run_id).limit(10).load(connection)?;
    if found.is_empty() {
        let end = runs::run_id.like(format!("%{piece}"));
        found = runs::table.filter(end).order(runs::run_id.desc()).select(runs::run_id).limit(10).load(connection)?;
    }
    match found.as_slice() {
        [_, _, ..] => {
            let candidates = found.iter().map(|id| read_run_id(id)).collect::<Result<_, _>>()?;
            Err(LedgerError::Ambiguous { given: given.to_owned(), candidates }.into())
        }
        _ => Ok(found.pop()),
    }
}

impl RunRow {
    /// The run without what its policies reported.
    fn summary(self) -> Result<RunSummary, Fault> {
        Ok(RunSummary {
            reported: None,
            run_id: read_run_id(&self.run_id)?,
            mode: read_word(&self.mode)?,
            trigger: read_word(&self.trigger)?,
            task: self.task.as_deref().map(read_name).transpose()?,
            status: self.status.as_deref().map(read_word).transpose()?,
            started_at: read_instant(&self.started_at)?,
            finished_at: self.finished_at.as_deref().map(read_instant).transpose()?,
            duration_ms: read_number(self.duration_ms),
            totals: serde_json::from_str(&self.totals)?,
        })
    }

    fn result(self, policies: Vec<PolicyResult>) -> Result<RunResult, Fault> {
        let hook_errors = serde_json::from_str(&self.hook_errors)?;
        let trash_emptied = serde_json::from_str(&self.trash_emptied)?;
        let cause = self.cause.as_deref().map(read_word).transpose()?;
        let requested = self.asked.as_deref().map(serde_json::from_str).transpose()?;
        let RunSummary { run_id, mode, trigger, task, status, started_at, finished_at, duration_ms, totals, .. } =
            self.summary()?;
        Ok(RunResult {
            run_id,
            mode,
            trigger,
            task,
            status,
            started_at,
            finished_at,
            duration_ms,
            policies,
            totals,
            hook_errors,
            trash_emptied,
            cause,
            requested,
            plan_digest: None,
        })
    }
}
