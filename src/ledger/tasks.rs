//! The schedule's memory: which tasks are known since when, and which of their slots have passed.

use diesel::prelude::*;
use diesel::sqlite::SqliteConnection;
use jiff::Timestamp;

use super::file::first;
use super::schema::{policy_results, runs, tasks};
use super::words::{instant, read_instant, read_name, read_run_id, read_word};
use super::{Fault, Ledger, LedgerError, TaskState};
use crate::outcome::{RunId, RunTrigger, Status};
use crate::policy::Name;

impl Ledger {
    /// Notes the tasks that a configuration has, all of them: a new one is known from `now` on, so that an earlier
    /// slot of it does not count as missed, and one that is no longer there is forgotten, so that it is new when it
    /// comes back.
    pub async fn know_tasks(&self, names: &[Name], now: Timestamp) -> Result<(), LedgerError> {
        let names: Vec<String> = names.iter().map(Name::to_string).collect();
        self.call("noting the tasks", move |connection, _| {
            connection.immediate_transaction(|connection| {
                diesel::delete(tasks::table.filter(tasks::task.ne_all(&names))).execute(connection)?;
                for name in &names {
                    know(connection, name, now)?;
                }
                Ok(())
            })
        })
        .await
    }

    /// The state of every known task, by name.
    pub async fn task_states(&self) -> Result<Vec<TaskState>, LedgerError> {
        self.call("reading the state of tasks", move |connection, _| connection.transaction(states)).await
    }

    /// Notes a slot that was skipped (too late without catch-up, or the task was still running).
    pub async fn skip_slot(&self, task: &Name, due_at: Timestamp) -> Result<(), LedgerError> {
        let task = task.to_string();
        self.call("noting a skipped slot", move |connection, _| {
            connection.immediate_transaction(|connection| pass_slot(connection, &task, due_at, due_at))
        })
        .await
    }
}

/// The state of every known task, by name.
pub(super) fn states(connection: &mut SqliteConnection) -> Result<Vec<TaskState>, Fault> {
    let rows: Vec<TaskRow> = tasks::table.order(tasks::task).load(connection)?;
    rows.into_iter().map(|row| row.state(connection)).collect()
}

/// Id of the newest run of a task.
pub(super) fn newest_run(connection: &mut SqliteConnection, task: &str) -> Result<Option<RunId>, Fault> {
    LastRunRow::newest(connection, task)?.map(|run| read_run_id(&run.run_id)).transpose()
}

fn know(connection: &mut SqliteConnection, task: &str, since: Timestamp) -> Result<(), Fault> {
    diesel::insert_into(tasks::table)
        .values((tasks::task.eq(task), tasks::known_since.eq(instant(since))))
        .on_conflict_do_nothing()
        .execute(connection)?;
    Ok(())
}

/// Notes that a slot needs no run any more; a task not yet known becomes so at `now`.
pub(super) fn pass_slot(
    connection: &mut SqliteConnection,
    task: &str,
    due_at: Timestamp,
    now: Timestamp,
) -> Result<(), Fault> {
    know(connection, task, now)?;
    let due_at = instant(due_at);
    let earlier = tasks::last_due_at.is_null().or(tasks::last_due_at.lt(due_at.clone()));
    diesel::update(tasks::table.find(task).filter(earlier)).set(tasks::last_due_at.eq(due_at)).execute(connection)?;
    Ok(())
}

/// A known task, as columns.
#[derive(Queryable)]
struct TaskRow {
    task: String,
    known_since: String,
    last_due_at: Option<String>,
}

/// The newest run of a task, as columns.
#[derive(Queryable)]
struct LastRunRow {
    run_id: String,
    trigger: String,
    started_at: String,
    finished_at: Option<String>,
    status: Option<String>,
    cause: Option<String>,
}

impl LastRunRow {
    /// The newest run of a task.
    fn newest(connection: &mut SqliteConnection, task: &str) -> Result<Option<Self>, Fault> {
        Self::newest_but(connection, task, ["", ""])
    }

    /// The newest run of a task that none of these began.
    fn newest_but(connection: &mut SqliteConnection, task: &str, but: [&str; 2]) -> Result<Option<Self>, Fault> {
        let begun_otherwise = runs::trigger.ne(but[0]).and(runs::trigger.ne(but[1]));
        let newest = runs::table
            .filter(runs::task.eq(task).and(begun_otherwise))
            .order((runs::started_at.desc(), runs::run_id.desc()))
            .select((runs::run_id, runs::trigger, runs::started_at, runs::finished_at, runs::status, runs::cause));
        Ok(first(newest, connection)?)
    }

    /// When it ended, if its slot is the newest and is to be tried again.
    fn unfinished_at(
        &self,
        last_due_at: Option<Timestamp>,
        connection: &mut SqliteConnection,
    ) -> Result<Option<Timestamp>, Fault> {
        let (Some(status), Some(finished_at)) = (&self.status, &self.finished_at) else { return Ok(None) };
        // A slot after it was skipped.
        if last_due_at.is_some_and(|slot| read_instant(&self.started_at).is_ok_and(|started| started < slot)) {
            return Ok(None);
        }
        let failed = policy_results::table
            .filter(policy_results::run_id.eq(&self.run_id))
            .filter(policy_results::status.eq(Status::Failed.word()));
        let any_failed: bool = diesel::select(diesel::dsl::exists(failed)).get_result(connection)?;
        let cause = self.cause.as_deref().map(read_word).transpose()?;
        let is_unfinished = read_word::<Status>(status)?.is_to_be_retried(cause, any_failed);
        is_unfinished.then(|| read_instant(finished_at)).transpose()
    }
}

impl TaskRow {
    fn state(self, connection: &mut SqliteConnection) -> Result<TaskState, Fault> {
        let last = LastRunRow::newest(connection, &self.task)?;
        let last_due_at = self.last_due_at.as_deref().map(read_instant).transpose()?;
        let on_request = [RunTrigger::Cli, RunTrigger::Api].map(|trigger| trigger.word());
        let is_on_request = |run: &LastRunRow| on_request.contains(&run.trigger.as_str());
        let earlier = match &last {
            Some(last) if is_on_request(last) => LastRunRow::newest_but(connection, &self.task, on_request)?,
            _ => None,
        };
        let of_slots = earlier.as_ref().or(last.as_ref().filter(|last| !is_on_request(last)));
        Ok(TaskState {
            task: read_name(&self.task)?,
            last_due_at,
            last_run: last.as_ref().map(|last| read_run_id(&last.run_id)).transpose()?,
            last_started_at: last.as_ref().map(|last| read_instant(&last.started_at)).transpose()?,
            last_finished_at: last
                .as_ref()
                .and_then(|last| last.finished_at.as_deref())
                .map(read_instant)
                .transpose()?,
            last_status: last.as_ref().and_then(|last| last.status.as_deref()).map(read_word).transpose()?,
            unfinished_at: of_slots.map(|run| run.unfinished_at(last_due_at, connection)).transpose()?.flatten(),
            known_since: read_instant(&self.known_since)?,
        })
    }
}
