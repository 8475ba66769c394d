//! Looking before the hooks of a task: none is to run where every policy of the run would be held.

use super::standing::Standing;
use crate::decide::blocked::Blocked;
use crate::outcome::{RunMode, RunResult};
use crate::policy::{PolicyKind, RowsPolicy};
use crate::run::files::Tree;
use crate::run::plan_state::{Foreseen, GoneFiles};
use crate::run::policy_run::PolicyRun;
use crate::run::progress::Reporter;
use crate::run::request::Request;
use crate::run::rows::facts::gather;
use crate::run::runner::Runner;
use crate::run::sessions::Sessions;
use crate::run::stop::Stop;
use crate::sources::Instants;

impl Runner {
    /// True if nothing of a run that may delete would go before somebody approves it. One policy that would not be held
    /// says no; what needs no walk over a store is asked first.
    pub(in crate::run) async fn is_all_held(
        &self,
        request: &Request,
        (stop, standings): (&Stop, &[Option<Standing>]),
        result: &RunResult,
    ) -> bool {
        let Some(standings) = standings.iter().map(Option::as_ref).collect::<Option<Vec<_>>>() else { return false };
        let by_growth = request.is_scheduled() && self.settings.daemon.approve_changes;
        let by_guard = standings.iter().any(|standing| standing.guarded.is_some());
        if !by_growth && !by_guard && !self.has_clock_leapt().await {
            return standings.iter().all(|standing| standing.held.is_some());
        }
        let mut open: Vec<_> =
            request.policies.iter().zip(standings).filter(|(_, other)| other.held.is_none()).collect();
        open.sort_by_key(|(policy, _)| !matches!(policy.kind, PolicyKind::Rows(_)));
        let mut sessions = Sessions::new(self.settings.clone(), self.connections.clone(), stop.token().clone());
        for (policy, standing) in open {
            let reporter = Reporter::silent(&policy.name);
            let (mode, now) = (RunMode::Enforce, result.started_at);
            let stop = &stop.of_policy(&policy.name, &request.brake);
            let run = PolicyRun::new(self, request, (policy, Some(standing)), mode, (now, stop), (&reporter, &[]));
            if !Box::pin(run.would_be_held(&mut sessions)).await {
                return false;
            }
        }
        true
    }
}

impl PolicyRun<'_> {
    /// True if the policy would be held once it is counted. What cannot be had yet, such as a store that a hook mounts, is
    /// held by nothing.
    async fn would_be_held(&self, sessions: &mut Sessions) -> bool {
        sessions.heed(Some(self.stop.token()));
        let tree = match &self.policy.kind {
            PolicyKind::Rows(rows) => return self.would_rows_be_held(rows, sessions).await,
            PolicyKind::Files(files) => Tree::Files(files),
            PolicyKind::Orphans(orphans) => Tree::Orphans(orphans),
        };
        let mut foreseen = Foreseen::new(&[std::sync::Arc::new(self.policy.clone())]);
        let outcome = self.tree(tree, sessions, &mut foreseen, None).await;
        outcome.held().is_some() && self.as_approved(&outcome).is_none()
    }

    async fn would_rows_be_held(&self, rows: &RowsPolicy, sessions: &mut Sessions) -> bool {
        let at = Instants::new(self.now, self.policy.kind.cutoff(self.now));
        let Ok(facts) = gather(self.question(rows, at, &[]), sessions).await else { return false };
        let Ok((judged, _)) = self.judge(rows, &facts, sessions, (&[], &GoneFiles::default())).await else {
            return false;
        };
        let is_approved = self.approval().is_some();
        match judged.blocked {
            Some(Blocked::Held(_)) => true,
            Some(by) => !is_approved && self.held_by_guard(&by).is_some(),
            None => !is_approved && self.grown_rows(rows, &facts, sessions).await.is_ok_and(|held| held.is_some()),
        }
    }
}
