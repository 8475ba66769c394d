//! Runs from beginning to end: begun once per slot, finished, found abandoned, and forgotten after a time.

use std::time::Duration;

use diesel::prelude::*;
use diesel::sqlite::SqliteConnection;
use jiff::Timestamp;

use super::file::Inner;
use super::locks::Lock;
use super::schema::{intents, runs};
use super::words::{instant, number, read_instant, read_run_id, read_word, word};
use super::{AuditAction, AuditNote, Begin, Fault, Ledger, LedgerError, RunStart, audit, results, tasks};
use crate::outcome::{Cause, Failure, PolicyResult, Requested, RunId, RunResult, Status, Tally};
use crate::policy::Name;

/// Runs forgotten in one transaction.
const PRUNED_AT_ONCE: i64 = 1000;

impl Ledger {
    /// Records that a run begins, unless its slot was run before. From here until [`Ledger::finish_run`] or the
    /// process's death the run counts as alive.
    pub async fn begin_run(&self, start: &RunStart) -> Result<Begin, LedgerError> {
        let start = start.clone();
        self.call("recording the beginning of a run", move |connection, ledger| {
            let seat = connection.immediate_transaction(|connection| begin(connection, ledger, &start))?;
            Ok(match seat {
                None => Begin::AlreadyRun,
                Some(seat) => {
                    ledger.seats().insert(start.run_id, seat);
                    Begin::Begun
                }
            })
        })
        .await
    }

    /// Records the end of a run. Results that [`Ledger::record_policy`] has not had yet are recorded too; the totals
    /// are those of the recorded results.
    pub async fn finish_run(&self, result: &RunResult) -> Result<(), LedgerError> {
        let result = result.clone();
        self.call("recording the end of a run", move |connection, ledger| {
            // Given up even if the end can't be written: the run is over, and `close_abandoned` will say so.
            let _seat = ledger.seats().remove(&result.run_id);
            connection.immediate_transaction(|connection| finish(connection, &result))
        })
        .await?;
        self.fill_reserve().await;
        Ok(())
    }

    /// Ends runs that a process left behind when it died: status failed, cause interrupted, with an error in each
    /// policy that had begun. Returns their ids.
    pub async fn close_abandoned(&self, now: Timestamp) -> Result<Vec<RunId>, LedgerError> {
        self.call("closing abandoned runs", move |connection, ledger| {
            // A look without the write lock first: there is nearly always nothing to do.
            if unfinished(connection)?.is_empty() {
                return Ok(Vec::new());
            }
            connection.immediate_transaction(|connection| {
                let mut closed = Vec::new();
                for run in unfinished(connection)? {
                    if run.is_dead(ledger)? {
                        closed.push(read_run_id(&run.run_id)?);
                        close(connection, &run, now)?;
                    }
                }
                Ok(closed)
            })
        })
        .await
    }

    /// Forgets runs that finished more than `keep` before `now` and owe nothing any more. Returns how many.
    pub async fn prune(&self, now: Timestamp, keep: Duration) -> Result<u64, LedgerError> {
        let Ok(cutoff) = now.checked_sub(keep) else {
            return Ok(0);
        };
        let mut forgotten = 0;
        loop {
            let some = self.prune_some(cutoff).await?;
            forgotten += some as u64;
            if (some as i64) < PRUNED_AT_ONCE {
                return Ok(forgotten);
            }
        }
    }

    async fn prune_some(&self, cutoff: Timestamp) -> Result<usize, LedgerError> {
        self.call("forgetting old runs", move |connection, _| {
            connection.immediate_transaction(|connection| {
                let owing = intents::table.filter(intents::run_id.eq(runs::run_id));
                let old: Vec<String> = runs::table
                    .filter(runs::finished_at.lt(instant(cutoff)))
                    .filter(diesel::dsl::not(diesel::dsl::exists(owing)))
                    .order(runs::started_at)
                    .limit(PRUNED_AT_ONCE)
                    .select(runs::run_id)
                    .load(connection)?;
                Ok(diesel::delete(runs::table.filter(runs::run_id.eq_any(old))).execute(connection)?)
            })
        })
        .await
    }
}

/// The lock of the new run's seat; `None` where its slot was run before.
fn begin(connection: &mut SqliteConnection, ledger: &Inner, start: &RunStart) -> Result<Option<Lock>, Fault> {
    let task = start.task.as_ref().map(Name::as_str);
    if let (Some(task), Some(due_at)) = (task, start.due_at) {
        let same = runs::table.filter(runs::task.eq(task).and(runs::due_at.eq(instant(due_at))));
        if diesel::select(diesel::dsl::exists(same)).get_result(connection)? {
            return Ok(None);
        }
        tasks::pass_slot(connection, task, due_at, start.started_at)?;
    }
    let (number, seat) = take_seat(connection, ledger)?;
    diesel::insert_into(runs::table)
        .values((
            runs::run_id.eq(start.run_id.to_string()),
            runs::mode.eq(word(&start.mode)?),
            runs::trigger.eq(word(&start.trigger)?),
            runs::task.eq(task),
            runs::due_at.eq(start.due_at.map(instant)),
            runs::seat.eq(number),
            runs::pid.eq(i64::from(std::process::id())),
            runs::started_at.eq(instant(start.started_at)),
            runs::asked.eq(start.requested.as_ref().map(serde_json::to_string).transpose()?),
        ))
        .execute(connection)?;
    audit::append(connection, &note_of(start))?;
    Ok(Some(seat))
}

/// Entry of the audit about a run that begins.
fn note_of(start: &RunStart) -> AuditNote {
    let policy =
        |(name, fingerprint): &(Name, String)| serde_json::json!({ "policy": name, "fingerprint": fingerprint });
    let mut detail = serde_json::json!({
        "mode": start.mode,
        "trigger": start.trigger,
        "task": start.task,
        "policies": start.policies.iter().map(policy).collect::<Vec<_>>(),
    });
    if let Some(Requested { by: _, overrides, params }) = &start.requested {
        detail["overrides"] = serde_json::json!(overrides);
        detail["params"] = serde_json::json!(params);
    }
    AuditNote {
        at: start.started_at,
        by: start.requested.as_ref().map(|requested| requested.by.clone()),
        action: AuditAction::Run,
        subject: format!("run {}", start.run_id),
        detail,
    }
}

/// Locks the first free seat. A run that the ledger still shows in it is dead, and loses it, so that one seat never
/// stands for two runs.
fn take_seat(connection: &mut SqliteConnection, ledger: &Inner) -> Result<(i32, Lock), Fault> {
    let mut number = 0;
    loop {
        if let Some(seat) = ledger.locks.try_lock(&seat_file(number))? {
            diesel::update(runs::table.filter(runs::finished_at.is_null().and(runs::seat.eq(number))))
                .set(runs::seat.eq(None::<i32>))
                .execute(connection)?;
            return Ok((number, seat));
        }
        number += 1;
    }
}

fn seat_file(number: i32) -> String {
    format!("run-{number}.lock")
}

fn finish(connection: &mut SqliteConnection, result: &RunResult) -> Result<(), Fault> {
    let run_id = result.run_id.to_string();
    if !results::is_known(connection, &run_id)? {
        return Err(LedgerError::UnknownRun { run_id: result.run_id }.into());
    }
    let recorded = results::of_run(connection, &run_id)?;
    for policy in &result.policies {
        // A recorded one may have grown since, by a recovery in another process.
        if !recorded.iter().any(|known| known.policy == policy.policy) {
            results::record(connection, &run_id, policy)?;
        }
    }
    diesel::update(runs::table.find(&run_id))
        .set((
            runs::seat.eq(None::<i32>),
            runs::status.eq(result.status.as_ref().map(word).transpose()?),
            runs::cause.eq(result.cause.as_ref().map(word).transpose()?),
            runs::finished_at.eq(result.finished_at.map(instant)),
            runs::duration_ms.eq(number(result.duration_ms)),
            runs::hook_errors.eq(serde_json::to_string(&result.hook_errors)?),
            runs::trash_emptied.eq(serde_json::to_string(&result.trash_emptied)?),
        ))
        .execute(connection)?;
    results::refresh_totals(connection, &run_id)
}

/// A run without an end.
#[derive(Queryable, Selectable)]
#[diesel(table_name = runs)]
struct Unfinished {
    run_id: String,
    mode: String,
    seat: Option<i32>,
    pid: i64,
    started_at: String,
}

fn unfinished(connection: &mut SqliteConnection) -> QueryResult<Vec<Unfinished>> {
    runs::table.filter(runs::finished_at.is_null()).order(runs::run_id).select(Unfinished::as_select()).load(connection)
}

impl Unfinished {
    fn is_dead(&self, ledger: &Inner) -> std::io::Result<bool> {
        match self.seat {
            None => Ok(true),
            Some(number) => Ok(ledger.locks.try_lock(&seat_file(number))?.is_some()),
        }
    }
}

fn close(connection: &mut SqliteConnection, run: &Unfinished, now: Timestamp) -> Result<(), Fault> {
    let lasted = now.duration_since(read_instant(&run.started_at)?).as_millis();
    let duration_ms = u64::try_from(lasted).unwrap_or(0);
    for (policy, tally) in results::unrecorded(connection, &run.run_id)? {
        let result = interrupted(connection, run, policy, tally)?;
        results::record(connection, &run.run_id, &result)?;
    }
    diesel::update(runs::table.find(&run.run_id))
        .set((
            runs::seat.eq(None::<i32>),
            runs::status.eq(word(&Status::Failed)?),
            runs::cause.eq(word(&Cause::Interrupted)?),
            runs::finished_at.eq(instant(now)),
            runs::duration_ms.eq(number(duration_ms)),
        ))
        .execute(connection)?;
    results::refresh_totals(connection, &run.run_id)
}

/// Result of a policy in whose middle the process died.
fn interrupted(
    connection: &mut SqliteConnection,
    run: &Unfinished,
    policy: Name,
    tally: Tally,
) -> Result<PolicyResult, Fault> {
    let error = format!(
        "process {} ended before the policy did; the counts have every batch that it settled, and files that are \
         still pending are removed before the policy's next run",
        run.pid
    );
    let kind = results::last_kind(connection, &policy)?.unwrap_or_else(|| "rows".to_owned());
    Ok(PolicyResult {
        tally,
        errors: vec![Failure { key: None, path: None, reason: None, error }],
        error_count: 1,
        ..PolicyResult::new(policy, kind, read_word(&run.mode)?, Status::Failed)
    })
}
