//! Notices: looks at what is the case whenever something may have changed, and has those told who want to know.

mod gather;
pub(super) mod words;

use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::beats;
use super::runs::Runs;
use super::source_health::SourceStanding;
use crate::ledger::{LedgerError, ReportedFailure, Said, StartFailures};
use crate::notify::Outbox;
use crate::policy::{Addressee, NoticeEvent, Settings};
use crate::text::chain;
use gather::gather;

/// Time after the start in which slots that were missed are caught up with: until then nobody is told that they are overdue.
const CATCH_UP: Duration = Duration::from_secs(30);
/// Wait after a look that failed.
const AGAIN: Duration = Duration::from_secs(60);
/// A task is overdue from the moment after the last one that its grace allows.
const JUST_AFTER: Duration = Duration::from_secs(1);

/// The look-out of the daemon.
pub(super) struct Notices {
    sources: watch::Sender<SourceStanding>,
    task: JoinHandle<()>,
}

impl Notices {
    /// Looks once at the start, and whenever it is asked to; delivers to those of the configuration in force.
    pub(super) async fn start(runs: &Runs, sources: SourceStanding, cancel: &CancellationToken) -> Self {
        follow(runs).await;
        settle_start(runs).await;
        let (sender, seen) = watch::channel(sources);
        let task = tokio::spawn(keep_looking(runs.clone(), seen, cancel.clone()));
        Self { sources: sender, task }
    }

    /// Something may have changed.
    pub(super) fn look(&self, sources: SourceStanding) {
        self.sources.send_replace(sources);
    }

    /// Ends the look-out and the deliveries, after the token was cancelled. What waits is in the ledger.
    pub(super) async fn stop(&mut self, outbox: &Outbox, patience: Duration) {
        if let Err(error) = (&mut self.task).await {
            tracing::error!(%error, "The look-out for notices ended by a bug in retaind");
        }
        outbox.stop(patience).await;
    }
}

/// Delivers to those of the configuration in force from now on, and forgets others.
pub(super) async fn follow(runs: &Runs) {
    let settings = runs.live().settings();
    let addressees = settings.addressees();
    let known = addressees.iter().map(Addressee::key).collect();
    match runs.ledger().forget_destinations(known).await {
        Ok(forgotten) => {
            for (destination, messages) in forgotten {
                tracing::warn!(
                    destination,
                    messages,
                    "{messages} notifications to {destination} are dropped: the configuration has it no more"
                );
            }
        }
        Err(error) => report_unnoted(&error),
    }
    beats::begin(runs.ledger(), &addressees).await;
    runs.outbox().follow(addressees);
}

/// After a start: whoever was told of one that failed is told that all is well again.
async fn settle_start(runs: &Runs) {
    let settings = runs.live().settings();
    let failures = StartFailures::of(&settings.daemon.state_dir);
    let Some(ReportedFailure { digest, notice, mut reported_to }) = failures.last() else { return };
    reported_to.retain(|name| settings.notify.iter().any(|destination| destination.name.as_str() == name));
    if let Err(error) = runs.ledger().note_told(&notice, &digest, &reported_to).await {
        let error = chain(&error);
        tracing::warn!(error, "It could not be noted who is to be told that the start succeeded: {error}");
        return;
    }
    if let Err(error) = failures.forget() {
        tracing::warn!(%error, "The note of a start that failed could not be removed: {error}");
    }
}

async fn keep_looking(runs: Runs, mut sources: watch::Receiver<SourceStanding>, cancel: CancellationToken) {
    sources.mark_changed();
    let began = Instant::now();
    let mut wait = None;
    loop {
        tokio::select! {
            () = cancel.cancelled() => return,
            changed = sources.changed() => if changed.is_err() { return },
            () = tokio::time::sleep(wait.unwrap_or_default()), if wait.is_some() => {}
        }
        let standing = sources.borrow_and_update().clone();
        let catching_up = CATCH_UP.checked_sub(began.elapsed()).filter(|left| !left.is_zero());
        wait = look(&runs, &standing, catching_up).await;
    }
}

/// Looks at what is the case, and has it said. After what time to look again, where nothing happens. `catching_up`: for so
/// long slots that were missed are still caught up with.
async fn look(runs: &Runs, sources: &SourceStanding, catching_up: Option<Duration>) -> Option<Duration> {
    let settings = runs.live().settings();
    // A ledger that was replaced says nothing of what is the case.
    if !runs.ledger().is_in_place() {
        return None;
    }
    let now = runs.clock().now();
    let heard = beats::of_ends((runs.ledger(), runs.outbox()), &settings, now).await;
    let again = (!heard).then_some(AGAIN);
    if settings.notify.is_empty() {
        return again;
    }
    let mut gathered = match gather(&settings, runs.ledger(), runs.clock(), sources).await {
        Ok(gathered) => gathered,
        Err(error) => {
            let error = format!("{error:#}");
            tracing::warn!(error, "It could not be looked at what is to be notified: {error}");
            return Some(AGAIN);
        }
    };
    let put_off = catching_up.filter(|_| gathered.standing.put_off(NoticeEvent::Overdue));
    let again = match runs.ledger().say(gathered.standing, wanted(&settings), now).await {
        Ok(said) => {
            pass_on(runs.outbox(), &said);
            again
        }
        Err(error) => {
            report_unnoted(&error);
            Some(AGAIN)
        }
    };
    let next = gathered.next_overdue.and_then(|next| Duration::try_from(next.duration_since(now)).ok());
    [next.map(|wait| wait + JUST_AFTER), put_off, again].into_iter().flatten().min()
}

fn wanted(settings: &Settings) -> Vec<(String, Vec<NoticeEvent>)> {
    settings.notify.iter().map(|destination| (destination.name.to_string(), destination.on.clone())).collect()
}

fn pass_on(outbox: &Outbox, said: &Said) {
    for (destination, messages) in &said.dropped {
        tracing::error!(
            destination,
            messages,
            "{messages} notifications to {destination} are given up for newer ones: they could not be delivered"
        );
    }
    outbox.note_dropped(&said.dropped);
    outbox.wake(&said.to);
}

fn report_unnoted(error: &LedgerError) {
    let error = chain(error);
    tracing::warn!(error, "What is to be notified could not be noted in the ledger: {error}");
}
