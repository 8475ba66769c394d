//! A start that fails: whoever wants to know is told at once, without the ledger, and once for the same reasons however often
//! it is tried.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;

use super::notices::words::of_start_failure;
use super::start::StartError;
use super::state::Options;
use crate::ledger::{ReportedFailure, StartFailures, StateLockError};
use crate::notify::{Attempt, send};
use crate::outcome::Notice;
use crate::policy::{Destination, NoticeEvent};
use crate::text::safe_chain;

/// Time that one destination may take: the service manager waits for the end.
const PATIENCE: Duration = Duration::from_secs(5);
/// Errors of a configuration that are told.
const MOST_ERRORS: usize = 5;

/// Tells those who want to know that the start failed.
pub(super) async fn report(options: &Options, error: &StartError) {
    // A daemon that runs beside this one is well.
    if matches!(error, StartError::Interrupted | StartError::StateDir(StateLockError::Held { .. })) {
        return;
    }
    let reach = Arc::clone(&options.reach);
    let Ok((mut destinations, state_dir)) = tokio::task::spawn_blocking(move || reach()).await else { return };
    destinations.retain(|destination| destination.on.contains(&NoticeEvent::StartFailed));
    if destinations.is_empty() {
        return;
    }
    let (reasons, now) = (reasons(error), options.clock.now());
    let digest = reasons.join("\n");
    let failures = state_dir.as_deref().map(StartFailures::of);
    let last = failures.as_ref().and_then(StartFailures::last);
    let mut failure = match last {
        Some(last) if last.digest == digest => last,
        last => {
            let notice = of_start_failure(reasons, now);
            let since = last.map_or(now, |last| last.notice.since);
            ReportedFailure { digest, notice: Notice { since, ..notice }, reported_to: Vec::new() }
        }
    };
    destinations.retain(|destination| !failure.reported_to.contains(&destination.name.to_string()));
    let told = join_all(destinations.iter().map(|destination| tell(destination, &failure.notice))).await;
    failure.reported_to.extend(told.into_iter().flatten());
    if let Some(Err(error)) = failures.map(|failures| failures.note(&failure)) {
        tracing::warn!(%error, "It could not be noted who was told that the start failed: {error}");
    }
}

/// Tells one destination; its name, where that was done.
async fn tell(to: &Destination, notice: &Notice) -> Option<String> {
    let Destination { name, way, .. } = to;
    let tried = tokio::time::timeout(PATIENCE, send(to, notice, notice.at)).await;
    let why = match tried.unwrap_or_else(|_| Attempt::timed_out(PATIENCE)) {
        Attempt::Delivered(_) => return Some(name.to_string()),
        Attempt::Refused(why) | Attempt::Failed { why, .. } => why,
    };
    tracing::warn!(destination = %name, error = why, "{name} ({way}) could not be told that the start failed: {why}");
    None
}

fn reasons(error: &StartError) -> Vec<String> {
    let StartError::Configuration(refusal) = error else { return vec![safe_chain(error)] };
    let mut reasons: Vec<String> = refusal.errors.iter().take(MOST_ERRORS).cloned().collect();
    if let Some(more) = refusal.errors.len().checked_sub(MOST_ERRORS).filter(|more| *more > 0) {
        reasons.push(format!("and {more} more errors"));
    }
    reasons
}
