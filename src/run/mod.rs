//! One run: gather facts, decide, guard, execute, record; and recovery of what a crash left owing.

mod account;
mod brake;
mod clock_guard;
mod custody;
mod files;
mod guard;
mod holds;
mod outcome;
mod owners;
mod plan_state;
mod policy;
mod programs;
mod recovery;
mod rows;
mod sessions;
mod spellings;
mod stop;
mod store_identity;
mod table_turns;
mod trash;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::ledger::{
    Begin, Cause, HookPoint, Ledger, LedgerError, PolicyResult, RunId, RunMode, RunResult, RunStart, RunTrigger,
    Status, Tally, Totals,
};
use crate::policy::{Mode, Name, Params, Policy, Settings};
pub use brake::Brake;
use clock_guard::ClockGuard;
pub use holds::{Reviewed, Standing};
use plan_state::Foreseen;
use policy::PolicyRun;
use programs::hooks::Hooks;
pub use programs::liveness::{Verdict, ask_one};
pub use recovery::waits_for;
use sessions::{Connections, Sessions};
pub use spellings::means;
use stop::Stop;
pub use store_identity::guard as store_guard;

/// Runs policies. Cheap to clone.
#[derive(Clone)]
pub struct Runner {
    settings: Arc<Settings>,
    /// A plan needs none.
    ledger: Option<Ledger>,
    clock: Clock,
    connections: Connections,
    clock_guard: ClockGuard,
}

/// Said of a policy that a reload has stopped.
const MORE_CAREFUL: &str = "the configuration became more careful about this policy while it ran, so it was stopped between two \
                            batches; where it still has a schedule, it runs again under the new configuration";

/// What to run, and how.
pub struct Request {
    pub run_id: RunId,
    /// In the order in which they run; switched-off ones left out by the caller.
    pub policies: Vec<Arc<Policy>>,
    pub task: Option<Name>,
    pub due_at: Option<Timestamp>,
    pub trigger: RunTrigger,
    pub mode: RunMode,
    /// Values of the parameters that the policies declare: none missing, each of its type where that is declared.
    pub params: Params,
    pub timeout: Option<Duration>,
    pub cancel: CancellationToken,
    /// Stops single policies of the run.
    pub brake: Brake,
    /// Its configuration is for this run alone (`--set`): nothing is agreed to by it.
    pub is_temporary: bool,
    /// Count what is eligible before a run even where no guard needs it, so that progress knows the end.
    pub count_first: bool,
    pub progress: Option<watch::Sender<Progress>>,
    /// Where a plan sends every row key and file path (`--list`).
    pub list: Option<mpsc::Sender<Listed>>,
}

/// How far a run is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Progress {
    pub policy: Option<Name>,
    /// The hook that runs instead of a policy.
    pub hook: Option<HookPoint>,
    /// Which policy of how many, from 1.
    pub position: (usize, usize),
    pub rows_done: u64,
    /// Where it was counted.
    pub rows_total: Option<u64>,
    pub files_deleted: u64,
    pub bytes_reclaimed: u64,
}

/// What a run would do with what a plan lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Fate {
    /// Delete it.
    Enforce,
    /// Report it only, because the policy does.
    Report,
    /// Nothing, because a guard blocks the policy.
    Blocked,
}

/// A line of `plan --list`.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Listed {
    Row { policy: Name, mode: Fate, source: Name, table: String, key: String },
    File { policy: Name, mode: Fate, store: Name, path: String, size_bytes: u64 },
}

/// Why a run could not even begin.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    #[error("slot {due_at} of task {task} was run before")]
    SlotTaken { task: Name, due_at: Timestamp },
    #[error("a run that may delete needs a ledger")]
    NoLedger,
    #[error("the run could not be recorded")]
    Ledger(#[from] LedgerError),
}

/// What a recovery did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recovery {
    pub batches_settled: u64,
    pub files_deleted: u64,
    /// Batches kept for later, each with the reason.
    pub kept: Vec<String>,
}

impl Runner {
    /// A runner for a configuration. Without a ledger it can only plan.
    pub fn new(settings: Arc<Settings>, ledger: Option<Ledger>, clock: Clock) -> Self {
        let connections = Connections::new(&settings);
        Self { settings, ledger, clock, connections, clock_guard: ClockGuard::default() }
    }

    /// The configuration that it runs under.
    pub fn settings(&self) -> &Arc<Settings> {
        &self.settings
    }

    /// Executes a request to its end; never panics on bad data, and never returns before what it began is settled or
    /// kept in the ledger.
    pub async fn run(&self, request: Request) -> Result<RunResult, RunError> {
        let started_at = self.clock.now();
        let mode = match (request.mode, self.settings.daemon.mode) {
            (RunMode::Enforce, Mode::Report) => RunMode::Report,
            (mode, _) => mode,
        };
        if mode != RunMode::Plan {
            self.note_clock().await?;
        }
        self.begin(&request, mode, started_at).await?;
        let standings = self.standings(&request, mode).await?;
        let stop = Stop::new(&request.cancel, request.timeout);
        let mut result = RunResult {
            run_id: request.run_id,
            mode,
            trigger: request.trigger,
            task: request.task.clone(),
            status: None,
            started_at,
            finished_at: None,
            duration_ms: 0,
            policies: Vec::new(),
            totals: Totals::default(),
            hook_errors: Vec::new(),
            trash_emptied: Vec::new(),
            cause: None,
        };
        let hooks = Hooks::of(self, &request, mode, &stop).unless_held(&standings, &result).await;
        hooks.before(&mut result).await;
        let executed = self.execute(&request, (&stop, &standings), &mut result).await;
        if mode == RunMode::Enforce && !request.brake.is_pulled() {
            result.trash_emptied = self.empty_trash(&request, &result.policies, &stop).await;
        }
        let status = if executed.is_ok() { Status::of_run(&result.policies, false) } else { Status::Failed };
        result.status = Some(status);
        self.conclude(&mut result, &request, &stop);
        hooks.after(&mut result).await;
        self.conclude(&mut result, &request, &stop);
        executed?;
        if let (Some(ledger), true) = (&self.ledger, mode != RunMode::Plan) {
            ledger.finish_run(&result).await?;
        }
        Ok(result)
    }

    /// Runs the policies that have no result yet, each to its end. Fails when the ledger does.
    async fn execute(
        &self,
        request: &Request,
        (stop, standings): (&Stop, &[Option<Standing>]),
        result: &mut RunResult,
    ) -> Result<(), LedgerError> {
        let mut sessions = Sessions::new(self.settings.clone(), self.connections.clone(), stop.token().clone());
        let mut foreseen = Foreseen::new(&request.policies);
        let barred = result.policies.len();
        for (index, policy) in request.policies.iter().enumerate().skip(barred) {
            let reporter = Reporter::new(request.progress.clone(), policy, (index + 1, request.policies.len()));
            let (mode, now) = (result.mode, result.started_at);
            let stop = &stop.of_policy(&policy.name, &request.brake);
            let earlier = &result.policies;
            let standing = standings.get(index).and_then(Option::as_ref);
            let run = PolicyRun::new(self, request, (policy, standing), mode, (now, stop), (&reporter, earlier));
            // Boxed: the futures of a whole run nested in one another are too deep a type for the compiler.
            let mut done = Box::pin(run.execute(&mut sessions, &mut foreseen)).await;
            if done.status == Status::Cancelled && request.brake.holds(&policy.name) {
                done.notes.push(MORE_CAREFUL.to_owned());
            }
            match mode {
                RunMode::Enforce => self.note_outcome(request, (standing, now), &mut done).await?,
                RunMode::Plan => self.note_waiting(&mut done).await?,
                RunMode::Report => {}
            }
            if let (Some(ledger), true) = (&self.ledger, mode != RunMode::Plan) {
                ledger.record_policy(request.run_id, &done).await?;
            }
            result.policies.push(done);
        }
        Ok(())
    }

    /// Adds up what a run did until now.
    fn conclude(&self, result: &mut RunResult, request: &Request, stop: &Stop) {
        let now = self.clock.now();
        result.finished_at = Some(now);
        result.duration_ms = millis_between(result.started_at, now);
        let held = |done: &PolicyResult| done.status == Status::Cancelled && request.brake.holds(&done.policy);
        let reloaded = result.policies.iter().any(held).then_some(Cause::Reload);
        result.cause = stop.cause().or(reloaded);
        result.add_up();
    }

    async fn begin(&self, request: &Request, mode: RunMode, started_at: Timestamp) -> Result<(), RunError> {
        if mode == RunMode::Plan {
            return Ok(());
        }
        let ledger = self.ledger.as_ref().ok_or(RunError::NoLedger)?;
        let start = RunStart {
            run_id: request.run_id,
            mode,
            trigger: request.trigger,
            task: request.task.clone(),
            due_at: request.due_at,
            started_at,
        };
        match (ledger.begin_run(&start).await?, &request.task, request.due_at) {
            (Begin::AlreadyRun, Some(task), Some(due_at)) => Err(RunError::SlotTaken { task: task.clone(), due_at }),
            (Begin::AlreadyRun | Begin::Begun, _, _) => Ok(()),
        }
    }
}

/// Tells whoever watches how far one policy is.
pub(crate) struct Reporter {
    sender: Option<watch::Sender<Progress>>,
}

impl Reporter {
    fn new(sender: Option<watch::Sender<Progress>>, policy: &Policy, position: (usize, usize)) -> Self {
        if let Some(sender) = &sender {
            sender.send_replace(Progress { policy: Some(policy.name.clone()), position, ..Progress::default() });
        }
        Self { sender }
    }

    fn expect(&self, rows_total: Option<u64>) {
        if let Some(sender) = &self.sender {
            sender.send_modify(|progress| progress.rows_total = rows_total);
        }
    }

    fn update(&self, tally: &Tally) {
        if let Some(sender) = &self.sender {
            sender.send_modify(|progress| {
                progress.rows_done = tally.rows_matched;
                progress.files_deleted = tally.files_deleted;
                progress.bytes_reclaimed = tally.bytes_reclaimed;
            });
        }
    }
}

/// Milliseconds from one instant to a later one.
fn millis_between(from: Timestamp, to: Timestamp) -> u64 {
    u64::try_from(to.duration_since(from).as_millis()).unwrap_or(0)
}
