//! The hooks of a task: `before` its first policy, whose failure blocks the run, and `after` its last one, however the run
//! went. Refuses to run any in a plan or in report mode.

use std::ffi::OsStr;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::decide::blocked::Blocked;
use crate::outcome::{Document, HookFailure, HookPoint, PolicyResult, RunMode, RunResult, Status};
use crate::policy::{Hook, Mode, Policy, Task};
use crate::process::{Ending, Program};
use crate::run::holds::standing::Standing;
use crate::run::request::Request;
use crate::run::runner::Runner;
use crate::run::stop::Stop;
use crate::text::cut;

/// The hooks of one run.
pub(crate) struct Hooks<'a> {
    runner: &'a Runner,
    request: &'a Request,
    stop: &'a Stop,
    /// None where no hook may run.
    task: Option<&'a Task>,
}

impl<'a> Hooks<'a> {
    /// Those of the task that is run as a whole, if the run may delete.
    pub(crate) fn of(runner: &'a Runner, request: &'a Request, mode: RunMode, stop: &'a Stop) -> Self {
        let task = request.task.as_ref().filter(|_| mode == RunMode::Enforce);
        let task = task.and_then(|name| runner.settings.task(name));
        Self { runner, request, stop, task: task.map(AsRef::as_ref) }
    }

    /// The hooks where there is something to run that is not held: otherwise none.
    pub(crate) async fn unless_held(self, standings: &[Option<Standing>], result: &RunResult) -> Self {
        let has_any = self.task.is_some_and(|task| task.before.is_some() || task.after.is_some());
        if has_any && self.runner.is_all_held(self.request, (self.stop, standings), result).await {
            return Self { task: None, ..self };
        }
        self
    }

    /// Runs `before`. Where it fails, no policy may run, and each of them is blocked in the result. One that was stopped
    /// with the run has not failed: the policies find the run stopped.
    pub(crate) async fn before(&self, result: &mut RunResult) {
        let Some((task, hook)) = self.task.and_then(|task| Some((task, task.before.as_ref()?))) else { return };
        let point = HookPoint::Before;
        if let Err((_, failure)) = self.run(task, hook, point, hook.timeout, result, self.stop).await
            && !self.stop.is_set()
        {
            let blocked = self.request.policies.iter().map(|policy| blocked(policy, &failure));
            result.policies.extend(blocked);
            result.hook_errors.push(failure);
        }
    }

    /// Runs `after` with the result as it is now, and adds to it what came of that.
    pub(crate) async fn after(&self, result: &mut RunResult) {
        let Some((task, hook)) = self.task.and_then(|task| Some((task, task.after.as_ref()?))) else { return };
        let shutdown_grace = self.runner.settings.daemon.shutdown_grace;
        let own;
        let (timeout, stop) = if self.request.cancel.is_cancelled() {
            // It may mend what `before` began, and must not hold up the end of the process.
            own = Stop::new(&CancellationToken::new(), None);
            (hook.timeout.min(shutdown_grace / 2), &own)
        } else if self.stop.is_set() {
            // The time of the policies is up, that of the hook is its own.
            own = Stop::new(&self.request.cancel, None);
            (hook.timeout, &own)
        } else {
            (hook.timeout, self.stop)
        };
        if let Err((ending, failure)) = self.run(task, hook, HookPoint::After, timeout, result, stop).await {
            result.hook_errors.push(failure);
            result.status = match result.status {
                _ if matches!(ending, Ending::Stopped) => Some(Status::Cancelled),
                Some(Status::Completed) => Some(Status::CompletedWithErrors),
                status => status,
            };
        }
    }

    /// Runs one hook with the result so far on its standard input.
    async fn run(
        &self,
        task: &Task,
        hook: &Hook,
        point: HookPoint,
        timeout: Duration,
        result: &RunResult,
        stop: &Stop,
    ) -> Result<(), (Ending, HookFailure)> {
        let (name, word, run_id) = (&task.name, point.word(), self.request.run_id);
        if let Some(sender) = &self.request.progress {
            sender.send_modify(|progress| (progress.policy, progress.hook) = (None, Some(point)));
        }
        tracing::debug!(task = name.as_str(), %run_id, program = %hook.program.display(), "Running the {word} hook");
        let failed = |ending, error: String| Err((ending, HookFailure { hook: point, error: cut(error) }));
        let mut input = match serde_json::to_vec(&Document::new(result)) {
            Ok(input) => input,
            Err(error) => return failed(Ending::CouldNotStart(error.into()), "its input could not be made".to_owned()),
        };
        input.push(b'\n');
        let command = Program {
            program: &hook.program,
            arguments: hook.arguments.iter().map(OsStr::new).collect(),
            variables: self.variables(task, point, result),
            input: Some(input),
            timeout,
        };
        let ended = command.run(stop.token()).await;
        if matches!(ended.ending, Ending::Exited(0)) {
            return Ok(());
        }
        let error = ended.describe(&hook.program);
        failed(ended.ending, error)
    }

    fn variables(&self, task: &Task, point: HookPoint, result: &RunResult) -> Vec<(&'static str, String)> {
        let policies: Vec<&str> = self.request.policies.iter().map(|policy| policy.name.as_str()).collect();
        let mut variables = vec![
            ("RETAIND_HOOK", point.word().to_owned()),
            ("RETAIND_TASK", task.name.to_string()),
            ("RETAIND_RUN_ID", self.request.run_id.to_string()),
            ("RETAIND_POLICIES", policies.join(",")),
        ];
        variables.extend(result.status.map(|status| ("RETAIND_STATUS", status.word().to_owned())));
        variables
    }
}

/// The result of a policy that did not run because `before` failed.
fn blocked(policy: &Policy, failure: &HookFailure) -> PolicyResult {
    let by = Blocked::HookFailed { hook: failure.hook.word(), error: failure.error.clone() };
    let mode = match policy.mode {
        Mode::Enforce => RunMode::Enforce,
        Mode::Report => RunMode::Report,
    };
    let mut result = PolicyResult::new(policy.name.clone(), policy.kind.word(), mode, Status::Blocked);
    by.write_to(&mut result);
    result
}
