//! A run from its beginning to its result: hooks, policies one after the other, trash, and what is recorded of it.

use jiff::Timestamp;

use super::Standing;
use super::brake::HoldReason;
use super::pauses::paused;
use super::plan_state::Foreseen;
use super::policy_run::PolicyRun;
use super::programs::hooks::Hooks;
use super::progress::Reporter;
use super::request::{Request, RunError};
use super::runner::Runner;
use super::sessions::Sessions;
use super::stop::Stop;
use crate::clock::millis_between;
use crate::decide::blocked::Blocked;
use crate::ledger::{Begin, LedgerError, RunStart};
use crate::outcome::{Cause, RunMode, RunResult, Status};
use crate::policy::{Mode, Wording};
use crate::telemetry::{BegunRun, Event};

/// Said of a policy that a reload has stopped.
const MORE_CAREFUL: &str = "the configuration became more careful about this policy while it ran, so it was stopped between two \
                            batches; where it still has a schedule, it runs again under the new configuration";

fn note_of(why: HoldReason) -> &'static str {
    match why {
        HoldReason::Reload => MORE_CAREFUL,
        HoldReason::Pause => "it was paused while it ran, so it was stopped between two batches",
    }
}

impl Runner {
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
        let stop = Stop::new(&request.cancel, request.timeout).closing(&self.clock, request.closes_at);
        let who = (request.run_id, mode, request.trigger);
        let mut result = RunResult::begun(who, request.task.clone(), request.requested.clone(), started_at);
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
            let metering = &self.connections.metering;
            let position = (index + 1, request.policies.len());
            let reporter = Reporter::new((request.progress.clone(), metering), policy, position);
            let (mode, now) = (result.mode, result.started_at);
            let stop = &stop.of_policy(&policy.name, &request.brake);
            let earlier = &result.policies;
            let standing = standings.get(index).and_then(Option::as_ref);
            let paused = paused(&self.settings, &policy.name, request.task.as_ref());
            // Whoever may not look into the state directory plans without it.
            let paused = paused.filter(|by| mode != RunMode::Plan || !matches!(by, Blocked::PauseUnknown { .. }));
            let run = PolicyRun::new(self, request, (policy, standing), mode, (now, stop), (&reporter, earlier));
            let run = PolicyRun { paused: paused.as_ref(), ..run };
            // Boxed: the futures of a whole run nested in one another are too deep a type for the compiler.
            let mut done = Box::pin(run.execute(&mut sessions, &mut foreseen)).await;
            if let (Status::Cancelled, Some(why)) = (done.status, request.brake.holds(&policy.name)) {
                done.notes.push(note_of(why).to_owned());
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
        let cancelled = result.policies.iter().filter(|done| done.status == Status::Cancelled);
        let held = cancelled.filter_map(|done| request.brake.holds(&done.policy)).next().map(|why| match why {
            HoldReason::Reload => Cause::Reload,
            HoldReason::Pause => Cause::Request,
        });
        result.cause = match stop.cause() {
            Some(Cause::Signal) if request.brake.is_requested() => Some(Cause::Request),
            cause => cause.or(held),
        };
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
            requested: request.requested.clone(),
            policies: request
                .policies
                .iter()
                .map(|policy| (policy.name.clone(), Wording::of(&self.settings, policy).fingerprint()))
                .collect(),
        };
        match (ledger.begin_run(&start).await?, &request.task, request.due_at) {
            (Begin::AlreadyRun, Some(task), Some(due_at)) => Err(RunError::SlotTaken { task: task.clone(), due_at }),
            (Begin::AlreadyRun | Begin::Begun, _, _) => {
                let Request { run_id, task, trigger, requested, .. } = request;
                let names: Vec<&str> = request.policies.iter().map(|policy| policy.name.as_str()).collect();
                let by = requested.as_ref().map(|requested| &requested.by);
                let (policies, task) = (&names.join(", "), task.as_ref());
                Event::RunBegun(BegunRun { run_id: *run_id, task, policies, mode, trigger: *trigger, by }).emit();
                Ok(())
            }
        }
    }
}
