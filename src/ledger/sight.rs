//! All that a status shows of the ledger, read in one go. Changes nothing.

use diesel::Connection;

use super::{Backlog, Ledger, LedgerError, RunSummary, TaskState, holds, intents, latest, listing, outbox, tasks};
use crate::outcome::{Held, RunId, Status};
use crate::policy::Name;

/// The ledger at one moment, as a status shows it.
#[derive(Debug, Default)]
pub struct Sight {
    /// State of every known task.
    pub tasks: Vec<TaskState>,
    /// Newest run of each task that was asked for and of each that is known, and every run that has not ended; the newest first.
    pub runs: Vec<RunSummary>,
    /// Files that are pending, of each policy that has any.
    pub pending: Vec<(Name, u64)>,
    /// Everything that is on hold.
    pub held: Vec<(Name, Held)>,
    /// Newest run in which each policy ended that was asked for, and how it did.
    pub endings: Vec<(Name, RunId, Status)>,
    /// Messages that wait to be delivered.
    pub backlogs: Vec<Backlog>,
}

impl Ledger {
    /// Looks at these tasks and policies. Waits for no run that is just recording what it did.
    pub async fn sight(&self, of_tasks: Vec<Name>, of_policies: Vec<Name>) -> Result<Sight, LedgerError> {
        self.look("reading what there is", move |connection| {
            connection.transaction(|connection| {
                let tasks = tasks::states(connection)?;
                let mut newest: Vec<RunId> = tasks.iter().filter_map(|state| state.last_run).collect();
                // One that no daemon has seen yet may have been run by hand.
                for task in of_tasks.iter().filter(|task| tasks.iter().all(|state| state.task != **task)) {
                    newest.extend(tasks::newest_run(connection, task.as_str())?);
                }
                let endings = of_policies.iter().map(|policy| latest::latest_ending(connection, policy));
                let endings = endings.filter_map(Result::transpose).collect::<Result<_, _>>()?;
                Ok(Sight {
                    runs: listing::named_or_running(connection, &newest)?,
                    pending: intents::owed(connection)?,
                    held: holds::held(connection)?,
                    backlogs: outbox::backlogs(connection)?,
                    endings,
                    tasks,
                })
            })
        })
        .await
    }
}
