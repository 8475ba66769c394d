//! From a slot to a run: implements the schedule's `Runnable` by carrying runs out.

use futures_util::future::BoxFuture;
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::live::policies_to_run;
use super::run_ends::emit_refused;
use super::runs::{Runs, mode_of};
use crate::ledger::{FoundPause, Pauses};
use crate::outcome::{RunResult, RunTrigger, Status, Subject};
use crate::policy::{Name, Settings, Task};
use crate::run::{Request, RunError};
use crate::schedule::{Activation, Occasion, Runnable, SlotEnd};
use crate::telemetry::Event;
use crate::text::chain;

/// Runs tasks that are due. Cheap to clone.
#[derive(Clone)]
pub struct TaskRuns(pub Runs);

impl Runnable for TaskRuns {
    fn activate(&self, activation: Activation, cancel: CancellationToken) -> BoxFuture<'static, SlotEnd> {
        let runs = self.clone();
        Box::pin(async move { runs.run(activation, cancel).await })
    }

    fn skip(&self, activation: Activation, why: &'static str) -> BoxFuture<'static, ()> {
        let runs = self.clone();
        Box::pin(async move { runs.skip(&activation, why).await })
    }

    fn lost(&self, activation: Activation, panic: String) -> BoxFuture<'static, ()> {
        let runs = self.0.clone();
        Box::pin(async move {
            if let Some(run_id) = runs.active().of_slot(&activation.task) {
                runs.lose(run_id, &panic).await;
            }
        })
    }
}

/// The task is not, or no longer, to be run.
struct NotToRun;

impl TaskRuns {
    /// Runs the slot of a task, and the task again for as long as a reload stops policies of it.
    async fn run(&self, activation: Activation, cancel: CancellationToken) -> SlotEnd {
        // The slot of a second try is taken.
        let mut due_at = (activation.occasion != Occasion::Retry).then_some(activation.due_at);
        if let Some(why) = self.paused(&activation.task) {
            self.skip(&activation, &why).await;
            return SlotEnd::Done;
        }
        let mut end = SlotEnd::Done;
        let choose = |settings: &Settings, due_at| -> Result<Request, NotToRun> {
            let task = settings.task(&activation.task).filter(|task| task.enabled).ok_or(NotToRun)?;
            let closes_at = task.closing(&settings.daemon.timezone, self.0.clock().now());
            Ok(Request { closes_at, ..request_of(settings, task, &activation, due_at) })
        };
        while let Ok((run, (runner, request))) = self.0.enter(&cancel, |settings| choose(settings, due_at)) {
            let ended = self.0.carry_out(runner, request).await;
            if let Err(error) = &ended {
                emit_refused(error, &activation, run.run_id);
            }
            end = slot_end(&ended);
            run.ended.cancel();
            // Its slot is taken: the next run has none.
            due_at = None;
            if !run.brake.is_pulled() || run.cancel.is_cancelled() {
                return end;
            }
        }
        if due_at.is_some() {
            self.skip(&activation, "the task is no longer in the configuration").await;
        }
        end
    }

    /// Why a task is not run on schedule, where somebody has set it aside.
    fn paused(&self, task: &Name) -> Option<String> {
        let pauses = Pauses::of(&self.0.live().settings().daemon.state_dir);
        match pauses.find(&Subject::Task(task.clone())) {
            Ok(None) => None,
            Ok(Some(FoundPause { pause: Ok(pause), .. })) => {
                Some(format!("the task is paused since {:.0} by {}", pause.since, pause.by))
            }
            Ok(Some(FoundPause { pause: Err(error), .. })) => Some(format!("the task is paused: {error}")),
            Err(error) => Some(format!("it is not known whether the task is paused: {}", chain(&error))),
        }
    }

    async fn skip(&self, activation: &Activation, why: &str) {
        let Activation { task, due_at, occasion: _ } = activation;
        Event::SlotSkipped { task, due_at: *due_at, why }.emit();
        if let Err(error) = self.0.ledger().skip_slot(task, *due_at).await {
            tracing::error!(%task, error = chain(&error), "The skipped slot of task {task} could not be recorded");
        }
    }
}

fn slot_end(ended: &Result<RunResult, RunError>) -> SlotEnd {
    let is_to_be_retried = match ended {
        Ok(RunResult { status: Some(status), cause, policies, .. }) => {
            status.is_to_be_retried(*cause, policies.iter().any(|policy| policy.status == Status::Failed))
        }
        Ok(_) | Err(RunError::SlotTaken { .. }) => false,
        Err(_) => true,
    };
    if is_to_be_retried { SlotEnd::Unfinished } else { SlotEnd::Done }
}

fn request_of(settings: &Settings, task: &Task, activation: &Activation, due_at: Option<Timestamp>) -> Request {
    let trigger = match activation.occasion {
        Occasion::Due => RunTrigger::Schedule,
        Occasion::CatchUp => RunTrigger::CatchUp,
        Occasion::Retry => RunTrigger::Retry,
    };
    // What has a task has no parameters.
    let policies = policies_to_run(settings, &task.name).cloned().collect();
    let request = Request::new(mode_of(settings), trigger, policies);
    Request { task: Some(task.name.clone()), due_at, timeout: task.timeout, ..request }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::sync::mpsc;

    use super::super::live::Live;
    use super::super::metrics::Metrics;
    use super::super::report::Report;
    use super::*;
    use crate::clock::Clock;
    use crate::ledger::{Ledger, RunStart};
    use crate::outcome::{RunMode, Status};
    use crate::policy::fixtures::settings;
    use crate::run::Runner;

    async fn task_runs(directory: &std::path::Path) -> (TaskRuns, Ledger, mpsc::UnboundedReceiver<Report>) {
        let ledger = Ledger::open(&directory.join("ledger.db")).await.unwrap();
        let (reports, heard) = mpsc::unbounded_channel();
        let runner = Runner::new(Arc::new(settings(directory)), Some(ledger.clone()), Clock::system());
        (
            TaskRuns(Runs::new(Live::new(runner), ledger.clone(), Clock::system(), (reports, Metrics::new(&[])))),
            ledger,
            heard,
        )
    }

    fn activation() -> Activation {
        let due_at = "2026-01-01T03:00:00Z".parse().unwrap();
        Activation { task: Name::parse("retention").unwrap(), due_at, occasion: Occasion::Due }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_panicked_run_is_ended_in_the_ledger() {
        let directory = tempfile::tempdir().unwrap();
        let (runs, ledger, mut heard) = task_runs(directory.path()).await;
        let Activation { task, due_at, .. } = activation();
        let request = |_: &Arc<Settings>| {
            let no_task = crate::policy::fixtures::task(task.as_str());
            Ok::<_, ()>(request_of(&settings(directory.path()), &no_task, &activation(), Some(due_at)))
        };
        let (run, _) = runs.0.enter(&CancellationToken::new(), request).unwrap();
        let start = RunStart {
            run_id: run.run_id,
            mode: RunMode::Enforce,
            trigger: RunTrigger::Schedule,
            task: Some(task.clone()),
            due_at: Some(due_at),
            started_at: Clock::system().now(),
            requested: None,
            policies: Vec::new(),
        };
        ledger.begin_run(&start).await.unwrap();
        runs.lost(activation(), "broken on purpose".to_owned()).await;
        let result = ledger.run(&run.run_id.to_string()).await.unwrap().unwrap();
        assert_eq!(result.status, Some(Status::Failed));
        assert!(result.finished_at.is_some());
        assert!(runs.0.active().is_empty());
        let Some(Report::Ended { last: Some(last), .. }) = heard.recv().await else { panic!("no report") };
        assert_eq!(last.status, Status::Failed);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn slots_of_a_removed_task_are_only_noted() {
        let directory = tempfile::tempdir().unwrap();
        let (runs, ledger, mut heard) = task_runs(directory.path()).await;
        let now = Clock::system().now();
        ledger.know_tasks(&[activation().task], now).await.unwrap();
        runs.activate(activation(), CancellationToken::new()).await;
        let states = ledger.task_states().await.unwrap();
        assert_eq!(states[0].last_due_at, Some(activation().due_at));
        assert!(ledger.runs(10).await.unwrap().is_empty());
        assert!(heard.try_recv().is_err());
    }
}
