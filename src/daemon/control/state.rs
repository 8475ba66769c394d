//! State of the daemon as it reports it: status, policies, statistics, runs.

use std::time::Duration;

use tokio::sync::oneshot;

use super::super::active_runs::ActiveRun;
use super::super::metrics::{Page, render};
use super::controller::{Controller, Order, Snapshot, internal, invalid_parameter, stopping, unknown_name, unwanted};
use crate::commands::params::check_params;
use crate::commands::selection::{select, select_enabled};
use crate::commands::{policies, stats, status};
use crate::ledger::{LedgerError, RunFilter};
use crate::outcome::{RunId, RunMode, RunResult};
use crate::report::{Matter, MatterCode, PolicyOverview, RunEntry, Stats};
use crate::server::{
    Caller, ConfigInForce, LiveStatus, Problem, ProblemCode, RunDocument, RunProgress, RunState, RunsWanted,
    SourceState,
};
use crate::text::human::counted;

/// Patience of an answer with the main loop.
const LOOP_PATIENCE: Duration = Duration::from_secs(5);

impl Controller {
    pub(super) async fn answers(&self) -> Result<(), Problem> {
        let (answer, answered) = oneshot::channel();
        let asking = async {
            self.orders.send(Order::Answer(answer)).await.ok()?;
            answered.await.ok()
        };
        match tokio::time::timeout(LOOP_PATIENCE, asking).await {
            Ok(Some(())) => Ok(()),
            Ok(None) => Err(stopping()),
            Err(_) => Err(Problem::new(ProblemCode::Internal, "the daemon's main loop does not answer")),
        }
    }

    pub(super) async fn live_status(&self) -> Result<LiveStatus, Problem> {
        let settings = self.settings();
        let digest = settings.written.fingerprint();
        let snapshot = self.snapshot.borrow().clone();
        let on_disk = self.on_disk.look().await;
        let objection = on_disk.error.as_ref().map(|error| format!("the configuration on disk is invalid: {error}"));
        // Never opened anew: another file may be in its place.
        let ledger = Some(self.runs.ledger()).filter(|ledger| ledger.is_in_place());
        let overview = status::overview_by(&settings, ledger, objection, self.runs.clock());
        let mut overview = overview.await.map_err(internal)?;
        let differs_from_disk = on_disk.digest.as_ref() != Some(&digest);
        overview.attention.extend(matters(&snapshot, differs_from_disk && on_disk.error.is_none()));
        Ok(LiveStatus {
            overview,
            progress: self.runs.active().all().iter().map(ActiveRun::progress).collect(),
            sources: snapshot.sources,
            configuration: ConfigInForce {
                mode: settings.daemon.mode,
                differs_from_disk,
                reload_errors: snapshot.reload_errors,
                digest,
            },
        })
    }

    /// The page of numbers for Prometheus.
    pub(in crate::daemon) async fn numbers(&self) -> Result<String, Problem> {
        let (settings, status) = (self.settings(), self.live_status().await?);
        let ledger = self.runs.ledger();
        let (totals, looks) = (ledger.totals().await.map_err(internal)?, ledger.last_looks().await.map_err(internal)?);
        let backlogs = ledger.backlogs().await.map_err(internal)?;
        let deliveries = self.runs.outbox().counts();
        let page = Page {
            settings: &settings,
            status: &status,
            totals: &totals,
            looks: &looks,
            deliveries: &deliveries,
            backlogs: &backlogs,
        };
        let unwritten = || Problem::new(ProblemCode::Internal, "the numbers could not be written");
        render(self.runs.metrics(), &page).ok_or_else(unwritten)
    }

    pub(super) async fn all_policies(&self) -> Result<Vec<PolicyOverview>, Problem> {
        policies::policies(&self.settings(), self.runs.ledger()).await.map_err(internal)
    }

    pub(super) async fn statistics(&self, names: Vec<String>, caller: Caller) -> Result<Stats, Problem> {
        let settings = self.settings();
        self.check_ledger()?;
        // What is begun comes to its end: it takes no longer than a second.
        let _place = caller
            .gone
            .run_until_cancelled(self.asking.place(caller.role))
            .await
            .ok_or_else(unwanted)?
            .map_err(|_| stopping())?;
        let selection = match names.as_slice() {
            [] => select_enabled(&settings, &[]).0,
            names => select(&settings, names).map_err(unknown_name)?,
        };
        let params = check_params(&selection, &[]).map_err(invalid_parameter)?;
        let stats = stats::stats(&settings, &selection.policies, &params, self.runs.clock()).await;
        self.runs.metrics().observe_stats(&stats);
        Ok(stats)
    }

    pub(super) async fn list_runs(&self, wanted: RunsWanted) -> Result<Vec<RunEntry>, Problem> {
        let limit = wanted.limit();
        let RunsWanted { task, policy, status, since, before, limit: _ } = wanted;
        let filter = RunFilter {
            task: task.map(|name| name.to_string()),
            policy: policy.map(|name| name.to_string()),
            status: status.map(|RunState(status)| status),
            since,
            before,
        };
        let runs = self.runs.ledger().filtered_runs(&filter, limit).await.map_err(of_ledger)?;
        Ok(runs.iter().map(RunEntry::from).collect())
    }

    pub(super) async fn one_run(&self, id: String) -> Result<RunDocument, Problem> {
        let exact = RunId::parse_str(&id).ok();
        let live = exact.and_then(|id| self.runs.active().get(id));
        if let Some(result) = exact.and_then(|id| self.requests.remembered(id)) {
            return result.map(|result| RunDocument { result, live: None });
        }
        if let Some(run) = &live
            && run.mode == RunMode::Plan
        {
            return Ok(RunDocument { result: run.begun(), live: Some(run.progress()) });
        }
        let result = match (self.recorded(&id).await, &live) {
            // It is about to be recorded.
            (Err(Problem { code: ProblemCode::UnknownRun, .. }), Some(run)) => run.begun(),
            (result, _) => result?,
        };
        let live = live.or_else(|| self.runs.active().get(result.run_id));
        Ok(RunDocument { result, live: live.as_ref().map(ActiveRun::progress) })
    }

    /// A run that the ledger has.
    pub(super) async fn recorded(&self, id: &str) -> Result<RunResult, Problem> {
        self.runs.ledger().run(id).await.map_err(of_ledger)?.ok_or_else(|| unknown_run(id))
    }
}

/// Matters that only the daemon knows.
fn matters(snapshot: &Snapshot, differs: bool) -> Vec<Matter> {
    let down = snapshot.sources.iter().filter(|source| !source.is_up);
    let down = down.map(|SourceState { source, .. }| {
        let message = format!("source {source} is down, or refuses the login: policies that need it fail");
        Matter::new(MatterCode::SourceDown, message)
    });
    let reload = snapshot.reload_errors.map(|errors| {
        let errors = counted(errors as u64, "error");
        let message = format!("the last reload failed with {errors}, and the configuration before it is in force");
        Matter::new(MatterCode::ReloadFailed, message)
    });
    let differs = differs.then(|| {
        let message = "the configuration on disk is not the one in force: `retaind diff` shows the difference, `systemctl \
                       reload retaind` puts it in force";
        Matter::new(MatterCode::ConfigDiffers, message)
    });
    down.chain(reload).chain(differs).collect()
}

fn of_ledger(error: LedgerError) -> Problem {
    match error {
        LedgerError::UnknownRun { run_id } => unknown_run(&run_id.to_string()),
        LedgerError::Ambiguous { .. } => Problem::new(ProblemCode::AmbiguousRun, error.to_string()),
        error => internal(error),
    }
}

fn unknown_run(id: &str) -> Problem {
    Problem::new(ProblemCode::UnknownRun, format!("there is no run {id:?} in the ledger"))
        .hint("GET /api/v1/runs lists the runs that there are")
}

impl ActiveRun {
    /// Progress as it is shown.
    pub(in super::super) fn progress(&self) -> RunProgress {
        let at = self.progress.borrow().clone();
        let (position, of) = at.position;
        let planned = match at.rows_total {
            Some(total) if total > 0 => at.rows_done.min(total) as f64 / total as f64,
            _ => 0.0,
        };
        let done = if of == 0 { 0.0 } else { (position.saturating_sub(1) as f64 + planned) / of as f64 };
        let message = match (&at.hook, &at.policy) {
            (Some(hook), _) => format!("{} hook", hook.word()),
            (None, Some(policy)) => {
                let waiting = at.waiting.map(|wait| format!(", waits for {}", wait.thing())).unwrap_or_default();
                format!("policy {policy}, {position} of {of}{waiting}")
            }
            (None, None) => "begins".to_owned(),
        };
        RunProgress {
            run_id: self.run_id,
            task: self.task.clone(),
            policies: self.policies.clone(),
            mode: self.mode,
            trigger: self.trigger,
            since: self.since,
            // Never back, and not all before the end.
            progress: self.furthest((done * 100.0) as u8).min(99),
            message,
            policy: at.policy,
            hook: at.hook,
            position,
            rows_done: at.rows_done,
            rows_total: at.rows_total,
            files_deleted: at.files_deleted,
            bytes_reclaimed: at.bytes_reclaimed,
            waiting: at.waiting,
        }
    }
}
